//! Locks of one application, in each format that is read, on the real binary: the same image from all; who fetches the
//! wheels, and what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use support::{
    Desk, Served,
    http::{Answer, Server},
    python::{PURE, SITE, Whl, desk, fastmath, greeter, served, whl},
    wheel::Parts,
};

/// The formats; the last three have no URLs.
const FORMATS: [&str; 5] = ["pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt"];

/// An application: what it needs, what its group `tests` needs, and what only Windows needs.
struct App {
    main: Vec<Vec<Whl>>,
    tests: Vec<Whl>,
    windows: Vec<Whl>,
}

/// Several wheels of one version, for other machines and Pythons too.
fn app() -> App {
    let other = |tags: &str| whl("fastmath", tags, |wheel| wheel.file("fastmath/__init__.py", b"# not here\n"));
    let all = vec![other("cp312-cp312-manylinux_2_17_x86_64"), fastmath(), other("cp313-cp313-win_amd64")];
    App {
        main: vec![all, vec![greeter()]],
        tests: vec![whl("checker", PURE, |wheel| wheel.file("checker.py", b"# checks\n"))],
        windows: vec![whl("winonly", PURE, |wheel| wheel.file("winonly.py", b""))],
    }
}

const ON_WINDOWS: &str = "sys_platform == 'win32'";
const IN_TESTS: &str = "'tests' in dependency_groups";

impl App {
    fn publish(&self, served: &Served) {
        for wheels in self.all() {
            wheels.iter().for_each(|wheel| wheel.publish(served));
            // Each page has all files of its project.
            let page: Vec<String> = wheels
                .iter()
                .map(|wheel| format!("<a href=\"/files/{0}#sha256={1}\">{0}</a>\n", wheel.file, wheel.sha256()))
                .collect();
            let name = format!("simple/{}/", wheels[0].name());
            served.files.lock().unwrap().insert(name, page.concat().into_bytes());
        }
    }

    fn all(&self) -> impl Iterator<Item = &[Whl]> {
        self.main.iter().map(Vec::as_slice).chain([&self.tests[..], &self.windows[..]])
    }

    /// Each project with where it is wanted: a marker as pylock.toml has it.
    fn entries(&self) -> impl Iterator<Item = (&[Whl], &'static str)> {
        let main = self.main.iter().map(|wheels| (wheels.as_slice(), ""));
        main.chain([(&self.tests[..], IN_TESTS), (&self.windows[..], ON_WINDOWS)])
    }

    fn lock(&self, format: &str, served: &Served) -> String {
        match format {
            "pylock.toml" => self.pylock(served),
            "uv.lock" => self.uv(served),
            "poetry.lock" => self.poetry(),
            "Pipfile.lock" => self.pipfile(),
            _ => self.requirements(),
        }
    }

    fn pylock(&self, served: &Served) -> String {
        let mut out = "lock-version = \"1.0\"\ncreated-by = \"test\"\ndependency-groups = [\"tests\"]\n".to_owned();
        for (wheels, marker) in self.entries() {
            out += &format!("[[packages]]\nname = \"{}\"\nversion = \"1.0\"\n", wheels[0].name());
            if !marker.is_empty() {
                out += &format!("marker = \"{marker}\"\n");
            }
            for wheel in wheels {
                let (url, size, sha256) = (wheel.url(served), wheel.bytes.len(), wheel.sha256());
                out += &format!("[[packages.wheels]]\nurl = \"{url}\"\nsize = {size}\nhashes.sha256 = \"{sha256}\"\n");
            }
        }
        out
    }

    fn uv(&self, served: &Served) -> String {
        let mut out = "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n".to_owned();
        let (mut main, mut tests) = (String::new(), String::new());
        for (wheels, marker) in self.entries() {
            let name = wheels[0].name();
            match marker {
                IN_TESTS => tests += &format!("{{ name = \"{name}\" }},"),
                "" => main += &format!("{{ name = \"{name}\" }},"),
                marker => main += &format!("{{ name = \"{name}\", marker = \"{marker}\" }},"),
            }
            out += &format!(
                "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ registry = \"https://example.com/simple\" }}\nwheels = [\n"
            );
            for wheel in wheels {
                let (url, size, sha256) = (wheel.url(served), wheel.bytes.len(), wheel.sha256());
                out += &format!("    {{ url = \"{url}\", hash = \"sha256:{sha256}\", size = {size} }},\n");
            }
            out += "]\n";
        }
        out + &format!(
            "[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\nsource = {{ virtual = \".\" }}\ndependencies = [{main}]\n\
             [package.dev-dependencies]\ntests = [{tests}]\n"
        )
    }

    fn poetry(&self) -> String {
        let mut out = String::new();
        for (wheels, marker) in self.entries() {
            let group = if marker == IN_TESTS { "tests" } else { "main" };
            out += &format!(
                "[[package]]\nname = \"{}\"\nversion = \"1.0\"\ndescription = \"\"\noptional = false\n\
                 python-versions = \">=3.8\"\ngroups = [\"{group}\"]\n",
                wheels[0].name()
            );
            if marker == ON_WINDOWS {
                out += &format!("markers = \"{marker}\"\n");
            }
            let file =
                |wheel: &Whl| format!("    {{file = \"{}\", hash = \"sha256:{}\"}},\n", wheel.file, wheel.sha256());
            out += &format!("files = [\n{}]\n", wheels.iter().map(file).collect::<String>());
        }
        out + "[metadata]\nlock-version = \"2.1\"\npython-versions = \"^3.9\"\ncontent-hash = \"0\"\n"
    }

    fn pipfile(&self) -> String {
        let mut categories = serde_json::json!({ "default": {}, "develop": {}, "tests": {} });
        for (wheels, marker) in self.entries() {
            let hashes: Vec<String> = wheels.iter().map(|wheel| format!("sha256:{}", wheel.sha256())).collect();
            let mut entry = serde_json::json!({ "hashes": hashes, "index": "pypi", "version": "==1.0" });
            if marker == ON_WINDOWS {
                entry["markers"] = marker.into();
            }
            categories[if marker == IN_TESTS { "tests" } else { "default" }][wheels[0].name()] = entry;
        }
        categories["_meta"] = serde_json::json!({ "hash": {}, "pipfile-spec": 6, "requires": {}, "sources": [] });
        categories.to_string()
    }

    fn requirements(&self) -> String {
        let mut out = "# compiled\n".to_owned();
        for (wheels, marker) in self.entries().filter(|(_, marker)| *marker != IN_TESTS) {
            out += &format!("{}==1.0", wheels[0].name());
            if !marker.is_empty() {
                out += &format!(" ; {marker}");
            }
            for wheel in wheels {
                out += &format!(" \\\n    --hash=sha256:{}", wheel.sha256());
            }
            out += "\n";
        }
        out
    }
}

/// A desk with this lock.
fn with_lock(served: &Served, name: &str, text: &str, more: &str) -> Desk {
    let desk = desk(served, &format!("lock = \"{name}\"\n{more}"), &[]);
    fs::write(desk.path(name), text).unwrap();
    desk
}

/// Whether a format leaves the download to pip.
fn wants_pip(format: &str) -> bool {
    !matches!(format, "pylock.toml" | "uv.lock")
}

/// Where the machine's pip is, or a line that says what is skipped without it.
fn pip() -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let works = Command::new("pip").arg("--version").output().is_ok_and(|run| run.status.success());
    if !works {
        eprintln!("skipped: no pip on this machine");
    }
    works.then_some(path)
}

/// compose with pip at hand, which asks the test's own index.
fn command(desk: &Desk, served: &Served, path: &str, args: &[&str]) -> Command {
    let mut command = desk.command(args);
    // Not in sight of what looks for leftovers.
    command.env("HOME", desk.path("cache"));
    command.env("PATH", path).env("PIP_CONFIG_FILE", "/dev/null").env("PIP_NO_CACHE_DIR", "1").env("PIP_RETRIES", "0");
    command.env("PIP_INDEX_URL", format!("{}/simple/", served.url));
    command
}

#[test]
fn five_formats_give_one_image() {
    let (served, app, pip) = (served(), app(), pip());
    app.publish(&served);
    for groups in ["", "groups = [\"tests\"]"] {
        let mut first: Option<Vec<u8>> = None;
        for format in FORMATS {
            if (pip.is_none() && wants_pip(format)) || (!groups.is_empty() && format == "requirements.txt") {
                continue;
            }
            let desk = with_lock(&served, format, &app.lock(format, &served), groups);
            let path = pip.clone().unwrap_or_else(|| "/nonexistent".into());
            let build = |more: &[&str]| {
                let args = [&["demo.toml", "-o", "x.oci.tar"], more].concat();
                desk.run(&mut command(&desk, &served, &path, &args)).ok();
                fs::read(desk.path("x.oci.tar")).unwrap()
            };
            let image = build(&["-o", "r/"]);
            assert!(first.get_or_insert_with(|| image.clone()) == &image, "{format}, {groups}");
            assert!(desk.path("r").join(SITE).join("fastmath/_core.so").exists(), "{format}");
            assert_eq!(desk.path("r").join(SITE).join("checker.py").exists(), !groups.is_empty(), "{format}");
            assert!(!desk.path("r").join(SITE).join("winonly.py").exists(), "{format}");
            let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
            assert_eq!(lock.contains("url = "), !wants_pip(format), "{lock}");
            assert!(lock.contains("filename = \"fastmath-1.0-cp313-cp313-manylinux_2_17_x86_64.whl\""), "{lock}");
            // From the lock alone, with and without what is in the cache.
            fs::remove_dir_all(desk.path("cache")).unwrap();
            let before = served.requests().len();
            assert!(build(&["--locked"]) == image, "{format}: locked");
            let asked = &served.requests()[before..];
            assert!(!asked.iter().any(|path| path.starts_with("dists/")), "{asked:?}");
            assert!(build(&["--locked", "--offline"]) == image, "{format}: offline");
            let mut left = [format, "r", "snapshots", "x.oci.tar"];
            left.sort_unstable();
            assert_eq!(desk.left(), left);
        }
    }
}

#[test]
fn wheels_of_this_machine_take_the_place_of_the_lock_s() {
    let (served, app) = (served(), app());
    app.publish(&served);
    let own = whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# built here\n"));
    let desk = with_lock(&served, "uv.lock", &app.uv(&served), "wheels = [\"wheels/*.whl\"]");
    own.put(&desk);
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    let text = fs::read_to_string(desk.path("r").join(SITE).join("greeter/__init__.py")).unwrap();
    assert_eq!(text, "# built here\n");
    assert!(!served.requests().iter().any(|path| path.contains("greeter")));
}

#[test]
fn a_wheel_that_the_lock_names_by_its_path() {
    let served = served();
    let wheel = greeter();
    let text = format!(
        "lock-version = \"1.0\"\ncreated-by = \"test\"\n[[packages]]\nname = \"greeter\"\nversion = \"1.0\"\n\
         [[packages.wheels]]\npath = \"wheels/{}\"\nhashes.sha256 = \"{}\"\n",
        wheel.file,
        wheel.sha256()
    );
    let desk = with_lock(&served, "pylock.toml", &text, "");
    insta::assert_snapshot!("path-missing", desk.refused(2, &served, &["demo.toml"]));
    wheel.put(&desk);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    assert!(lock.contains("path = \"wheels/greeter-1.0-py3-none-any.whl\""), "{lock}");
    let run = desk.compose(&["why", "demo.toml", "greeter"]).ok();
    let told = "the wheel greeter 1.0 is in the image for amd64: pylock.toml names it\n\
        no other project in the image requires it\n";
    assert_eq!(run.stdout, told);
    fs::write(desk.path("snapshots/demo.lock"), lock.replace("name = \"greeter\"", "name = \"-greeter\"")).unwrap();
    insta::assert_snapshot!("lock-edited", desk.refused(2, &served, &["demo.toml"]));
    fs::write(desk.path("snapshots/demo.lock"), lock).unwrap();
    let other = whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# tampered with\n"));
    other.put(&desk);
    fs::remove_dir_all(desk.path("cache")).unwrap();
    insta::assert_snapshot!("path-tampered", desk.refused(5, &served, &["demo.toml"]));
}

#[test]
fn a_url_that_has_something_else() {
    let (served, app) = (served(), app());
    app.publish(&served);
    let desk = with_lock(&served, "pylock.toml", &app.pylock(&served), "");
    let name = "files/greeter-1.0-py3-none-any.whl".to_owned();
    let put = |bytes: Option<Vec<u8>>| {
        let mut files = served.files.lock().unwrap();
        match bytes {
            Some(bytes) => files.insert(name.clone(), bytes),
            None => files.remove(&name),
        };
    };
    put(Some(whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# tampered with\n")).bytes));
    insta::assert_snapshot!("url-tampered", desk.refused(5, &served, &["demo.toml"]));
    put(None);
    insta::assert_snapshot!("url-missing", desk.refused(4, &served, &["demo.toml"]));
    put(Some(greeter().bytes));
    desk.compose(&["lock", "demo.toml"]).ok();
    // What is not in the cache cannot be had offline.
    let kept: PathBuf = desk.path("cache/sources");
    let wheel = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path());
    let wheel = wheel.into_iter().find(|path| fs::read(path).is_ok_and(|bytes| bytes == greeter().bytes)).unwrap();
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let image = fs::read(desk.path("x.tar")).unwrap();
    // A damaged wheel in the cache is fetched anew.
    fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    let mut bad = greeter().bytes;
    bad[40] ^= 1;
    fs::write(&wheel, bad).unwrap();
    let run = desk.compose(&["demo.toml", "-o", "x.tar", "--locked"]).ok();
    assert!(run.stderr.contains("is damaged in the cache: fetching it anew"), "{}", run.stderr);
    assert!(fs::read(desk.path("x.tar")).unwrap() == image && fs::read(&wheel).unwrap() == greeter().bytes);
    fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    fs::remove_file(&wheel).unwrap();
    insta::assert_snapshot!("url-offline", desk.refused(4, &served, &["demo.toml", "--locked", "--offline"]));
}

/// A local version in a URL, and an index that sends elsewhere.
#[test]
fn a_url_that_leads_on() {
    let served = served();
    let wheel = Parts::new("torchy", "1.0+cpu", PURE).file("torchy.py", b"").build();
    let sha256 = compose::base::Sha256::of(&wheel).hex();
    let server = Server::start(move |request, _| match request.path.as_str() {
        "/old/torchy-1.0%2Bcpu-py3-none-any.whl?x=1" => Answer::status(302).header("Location", "../new/torchy"),
        "/new/torchy" => Answer::file(request, &wheel),
        _ => Answer::status(404),
    });
    let text = format!(
        "lock-version = \"1.0\"\ncreated-by = \"test\"\n[[packages]]\nname = \"torchy\"\nversion = \"1.0+cpu\"\n\
         [[packages.wheels]]\nurl = \"{}/old/torchy-1.0%2Bcpu-py3-none-any.whl?x=1\"\nhashes.sha256 = \"{sha256}\"\n",
        server.url
    );
    let desk = with_lock(&served, "pylock.toml", &text, "");
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    assert!(desk.path("r").join(SITE).join("torchy.py").exists());
    assert!(desk.path("r").join(SITE).join("torchy-1.0+cpu.dist-info/RECORD").exists());
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    assert!(lock.contains("filename = \"torchy-1.0+cpu-py3-none-any.whl\"\nsize = "), "{lock}");
}

/// Several runs at once fetch each wheel once.
#[test]
fn four_at_once() {
    let (served, app) = (served(), app());
    app.publish(&served);
    let cache = tempfile::tempdir().unwrap();
    let desks: Vec<Desk> = (0..4).map(|_| with_lock(&served, "uv.lock", &app.uv(&served), "")).collect();
    let start = |desk: &Desk| {
        let mut command = desk.command(&["demo.toml", "-o", "x.tar", "-j", "2"]);
        command.env("COMPOSE_CACHE", cache.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let runs: Vec<_> = desks.iter().map(start).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let images: Vec<Vec<u8>> = desks.iter().map(|desk| fs::read(desk.path("x.tar")).unwrap()).collect();
    assert!(images.windows(2).all(|pair| pair[0] == pair[1]), "other bytes");
    let fetched = served.requests().into_iter().filter(|path| path.starts_with("files/"));
    assert_eq!(fetched.count(), 2);
}

#[test]
fn pip_and_what_it_may_fail_with() {
    let (served, app) = (served(), app());
    app.publish(&served);
    let desk = with_lock(&served, "requirements.txt", &app.requirements(), "");
    let mut without = desk.command(&["demo.toml"]);
    without.env("PATH", desk.path("nowhere"));
    insta::assert_snapshot!("pip-absent", desk.refused_run(4, &served, &mut without));
    let Some(path) = pip() else { return };
    desk.run(&mut command(&desk, &served, &path, &["lock", "demo.toml"])).ok();
    // The packages are at hand, the wheels are not.
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    fs::remove_dir_all(desk.path("cache/sources")).unwrap();
    fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    insta::assert_snapshot!("pip-offline", desk.refused(4, &served, &["demo.toml", "--locked", "--offline"]));
    // With pip they come again, also in place of a damaged one.
    let again = || desk.run(&mut command(&desk, &served, &path, &["demo.toml", "-o", "x.tar", "--locked"])).ok();
    again();
    fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    for entry in fs::read_dir(desk.path("cache/sources")).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let run = again();
    assert_eq!(run.stderr.matches("is damaged in the cache: fetching it anew").count(), 2, "{}", run.stderr);
    fs::remove_dir_all(desk.path("cache/sources")).unwrap();
    fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    fs::remove_dir_all(desk.path("snapshots")).unwrap();
    let refused = |code: i32| {
        let text = desk.refused_run(code, &served, &mut command(&desk, &served, &path, &["demo.toml"]));
        // pip's own words differ from version to version.
        text.lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>().join("\n")
    };
    let file = "files/greeter-1.0-py3-none-any.whl";
    let other = whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# tampered with\n"));
    served.files.lock().unwrap().insert(file.into(), other.bytes.clone());
    insta::assert_snapshot!("pip-tampered", refused(5));
    // The index vouches for it, and the lock does not.
    other.publish(&served);
    insta::assert_snapshot!("pip-other", refused(5));
    served.files.lock().unwrap().remove("simple/greeter/");
    insta::assert_snapshot!("pip-nothing", refused(4));
}

#[test]
fn entries_that_cannot_be_installed() {
    let served = served();
    let head = "lock-version = \"1.0\"\ncreated-by = \"test\"\n";
    let entry = |more: &str| format!("{head}[[packages]]\nname = \"greeter\"\nversion = \"1.0\"\n{more}");
    let wheel = |file: &str| {
        let sha256 = greeter().sha256();
        entry(&format!("[[packages.wheels]]\nurl = \"https://example.com/{file}\"\nhashes.sha256 = \"{sha256}\"\n"))
    };
    let sdist = "[packages.sdist]\nurl = \"https://example.com/greeter-1.0.tar.gz\"\nhashes.sha256 = \"00\"\n";
    let unhashed = "[[packages.wheels]]\nurl = \"https://example.com/greeter-1.0-py3-none-any.whl\"\n";
    for (snapshot, file, text, more) in [
        ("sdist-only", "pylock.toml", entry(sdist), ""),
        ("no-hash", "pylock.toml", entry(&format!("{unhashed}hashes = {{}}\n")), ""),
        ("md5-only", "pylock.toml", entry(&format!("{unhashed}hashes.md5 = \"00\"\n")), ""),
        ("no-hash-requirements", "requirements.txt", "greeter==1.0\n".into(), ""),
        ("not-pinned", "requirements.txt", "# all\ngreeter>=1.0 --hash=sha256:00\n".into(), ""),
        ("other-python", "pylock.toml", wheel("greeter-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"), ""),
        ("other-machine", "pylock.toml", wheel("greeter-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"), ""),
        ("lock-of-other-python", "pylock.toml", format!("{head}requires-python = \">=3.14\"\npackages = []\n"), ""),
        (
            "git",
            "pylock.toml",
            entry("[packages.vcs]\ntype = \"git\"\nurl = \"https://example.com/x\"\ncommit-id = \"0\"\n"),
            "",
        ),
        ("unknown-group", "pylock.toml", app().pylock(&served), "groups = [\"test\"]"),
        ("unknown-extra", "uv.lock", app().uv(&served), "extras = [\"postgres\"]"),
        ("group-in-requirements", "requirements.txt", app().requirements(), "groups = [\"tests\"]"),
        ("unknown-format", "requirements.in", "greeter\n".into(), ""),
        ("unknown-lock", "environment.yml", "dependencies: []\n".into(), ""),
        ("no-toml", "pylock.toml", "lock-version = \"1.0\"\n[[packages\n".into(), ""),
        ("poetry-1", "poetry.lock", "[metadata]\nlock-version = \"1.1\"\n".into(), ""),
    ] {
        let desk = with_lock(&served, file, &text, more);
        insta::assert_snapshot!(snapshot, desk.refused(2, &served, &["demo.toml"]));
    }
}

#[test]
fn manifests_that_cannot_be() {
    let served = served();
    for (snapshot, table) in [
        ("no-lock-file", "lock = \"pylock.toml\""),
        ("groups-without-lock", "wheels = [\"*.whl\"]\ngroups = [\"tests\"]"),
        ("path-in-ignore-needs", "ignore-needs = [\"/usr/lib/libx.so.1\"]"),
        ("nothing-matches", "wheels = [\"wheels/*.whl\"]"),
    ] {
        insta::assert_snapshot!(snapshot, desk(&served, table, &[]).refused(2, &served, &["demo.toml"]));
    }
}
