//! Wheels on the real binary, the ordinary ways: what they bring along, what they are locked to, who is told why.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

use support::{
    Archive, Desk, Served, pkg,
    python::{LIB, PURE, SITE, Whl, desk, fastmath, greeter, module, native, packages, served, whl},
    wheel::Parts,
};

const LOCAL: &str = "wheels = [\"wheels/*.whl\"]";

/// The lock's text, with what differs from run to run put out of sight.
fn lock(desk: &Desk, served: &Served) -> String {
    desk.settled(served, &fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap())
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => vec![(r"\d{4}-\d\d-\d\dT[\d:]+Z", "DATE"), (r"size = \d+", "size = SIZE")] }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn a_wheel_brings_what_it_needs_and_takes_it_along() {
    let served = served();
    let desk = desk(&served, LOCAL, &[greeter(), fastmath()]);
    desk.compose(&["demo.toml", "-o", "r/", "-o", "x.oci.tar"]).ok();
    assert_eq!(desk.left(), ["r", "snapshots", "wheels", "x.oci.tar"]);
    let read = |path: &str| fs::read_to_string(desk.path("r").join(path)).unwrap();
    let mode = |path: &str| desk.path("r").join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(read(&format!("{SITE}/greeter/__init__.py")), "def main():\n    print('hello')\n");
    assert_eq!(read("usr/local/bin/greet-all"), "#!/usr/bin/python3.13\nimport greeter\n");
    assert!(read("usr/local/bin/greet").starts_with("#!/usr/bin/python3.13\n"));
    assert_eq!((mode("usr/local/bin/greet"), mode(&format!("{SITE}/greeter/words.txt"))), (0o755, 0o644));
    assert_eq!(mode(&format!("{SITE}/fastmath/_core.so")), 0o755);
    snapshot!("record", read(&format!("{SITE}/greeter-1.0.dist-info/RECORD")));
    assert!(desk.path("r").join(LIB).join("libstdc++.so.6").exists());
    snapshot!("lock", lock(&desk, &served));

    let newer = Whl { file: "greeter-1.1-py3-none-any.whl".into(), bytes: Parts::new("greeter", "1.1", PURE).build() };
    greeter().take(&desk);
    newer.put(&desk);
    let run = desk.compose(&["lock", "demo.toml"]).ok();
    assert!(run.stdout.contains("    ~ wheel:greeter 1.0 → 1.1\n"), "{}", run.stdout);

    // Without the wheel nobody needs the library.
    fastmath().take(&desk);
    let run = desk.compose(&["demo.toml", "-o", "r/", "--force"]).ok();
    assert!(run.stderr.contains("or what its [python] names, has changed since"), "{}", run.stderr);
    assert!(!desk.path("r").join(LIB).join("libstdc++.so.6").exists());
    assert!(!lock(&desk, &served).contains("libstdc++"));
    assert!(!desk.path("r").join(SITE).join("fastmath").exists());
}

#[test]
fn the_second_build_asks_no_index() {
    let served = served();
    let desk = desk(&served, LOCAL, &[greeter(), fastmath()]);
    desk.compose(&["demo.toml", "-o", "x.oci.tar"]).ok();
    let first = fs::read(desk.path("x.oci.tar")).unwrap();
    let text = lock(&desk, &served);
    fs::remove_dir_all(desk.path("cache")).unwrap();
    served.files.lock().unwrap().retain(|path, _| path.starts_with("pool/"));
    let before = served.requests().len();
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "--locked"]).ok();
    assert!(fs::read(desk.path("x.oci.tar")).unwrap() == first, "other bytes");
    let asked = &served.requests()[before..];
    assert!(asked.len() == 6 && asked.iter().all(|path| path.starts_with("pool/")), "{asked:?}");
    assert_eq!(lock(&desk, &served), text);
    drop(served);
    desk.compose(&["demo.toml", "-o", "y.oci.tar", "--locked", "--offline"]).ok();
    assert!(fs::read(desk.path("y.oci.tar")).unwrap() == first, "other bytes");
}

#[test]
fn the_same_bytes_whatever_surrounds_the_build() {
    let served = served();
    let desk = desk(&served, LOCAL, &[greeter(), fastmath()]);
    let mut seen = Vec::new();
    for (jobs, umask, zone, cold) in
        [("1", "022", "UTC", true), ("8", "077", "Asia/Tokyo", true), ("3", "002", "America/Lima", false)]
    {
        if cold {
            let _ = fs::remove_dir_all(desk.path("cache"));
        }
        let line = format!("umask {umask}; exec {} demo.toml -j {jobs} -o x.oci.tar", env!("CARGO_BIN_EXE_compose"));
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &line]).current_dir(desk.dir.path()).env_clear().env("COMPOSE_CACHE", desk.path("cache"));
        command.env("TZ", zone).env("LANG", "de_DE.UTF-8").env("HOME", "/nonexistent");
        desk.run(&mut command).ok();
        seen.push((fs::read(desk.path("x.oci.tar")).unwrap(), lock(&desk, &served)));
        fs::remove_dir_all(desk.path("snapshots")).unwrap();
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "bytes differ");
}

#[test]
fn a_lock_is_stale_when_what_it_was_made_for_changes() {
    let served = served();
    let requirement = |wheel: &Whl| format!("{}==1.0 --hash=sha256:{}\n", wheel.name(), wheel.sha256());
    let (greeter, fastmath) = (greeter(), fastmath());
    let desk = desk(&served, LOCAL, &[greeter.clone(), fastmath.clone()]);
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let (pylock, group) = (format!("{LOCAL}\nlock = \"pylock.toml\""), "groups = [\"web\"]");
    let text = "lock-version = \"1.0\"\ncreated-by = \"hand\"\ndependency-groups = [\"web\"]\npackages = []\n";
    let put = |name: &str, text: &str| fs::write(desk.path(name), text).unwrap();
    let base = manifest.replace(LOCAL, &format!("{pylock}\n{group}"));
    put("pylock.toml", text);
    desk.manifest(&base);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let locked = || desk.compose(&["demo.toml", "-o", "x.tar", "--locked"]);
    locked().ok();
    let other = whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# other\n"));
    let changes: [(&str, &dyn Fn()); 7] = [
        ("another byte of a wheel", &|| other.put(&desk)),
        ("a wheel less", &|| greeter.take(&desk)),
        ("a wheel more", &|| whl("more", PURE, |wheel| wheel.file("more.py", b"")).put(&desk)),
        ("the application's lock", &|| put("pylock.toml", &text.replace("hand", "head"))),
        ("a group less", &|| desk.manifest(&base.replace(group, ""))),
        ("ignore-needs", &|| desk.manifest(&base.replace(group, &format!("{group}\nignore-needs = [\"libx.so.1\"]")))),
        ("another lock", &|| {
            put("requirements.txt", &requirement(&greeter));
            desk.manifest(&manifest.replace(LOCAL, &format!("{LOCAL}\nlock = \"requirements.txt\"")));
        }),
    ];
    for (what, change) in changes {
        change();
        let run = locked();
        assert_eq!(run.code, Some(2), "{what}: {}", run.stderr);
        assert!(run.stderr.contains("has changed since, and --locked forbids"), "{what}: {}", run.stderr);
        // As it was.
        desk.manifest(&base);
        put("pylock.toml", text);
        greeter.put(&desk);
        let _ = fs::remove_file(desk.path("wheels/more-1.0-py3-none-any.whl"));
        locked().ok();
    }
    // Where the files lie is no matter.
    fs::rename(desk.path("wheels"), desk.path("elsewhere")).unwrap();
    desk.manifest(&base.replace("wheels/*.whl", "elsewhere/**/*.whl"));
    locked().ok();
    insta::assert_snapshot!("stale", {
        desk.manifest(&manifest);
        greeter.put(&desk);
        desk.refused(2, &served, &["demo.toml", "--locked"])
    });
}

#[test]
fn why_and_graph_know_of_wheels() {
    let served = served();
    let desk = desk(&served, LOCAL, &[greeter(), fastmath()]);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let module = format!("/{SITE}/greeter/__init__.py");
    let mut told = String::new();
    for what in [
        "libstdc++6",
        "libstdc++.so.6",
        "libgcc-s1",
        "python3",
        &module,
        "/usr/local/bin/greet",
        "fastmath",
        "words.txt",
    ] {
        let run = desk.compose(&["why", "demo.toml", what]);
        told += &format!("$ compose why demo.toml {what}\n{}{}\n", run.stdout, run.stderr);
    }
    let without = |text: &str| {
        text.lines()
            .filter(|line| !["Fetching indexes", "Solving"].contains(line))
            .map(|l| format!("{l}\n"))
            .collect::<String>()
    };
    snapshot!("why", desk.settled(&served, &without(&told)));
    snapshot!("graph", desk.compose(&["graph", "demo.toml", "--format", "mermaid"]).ok().stdout);
    let json = desk.compose(&["why", "demo.toml", "libstdc++6", "--format", "json"]).ok().stdout;
    snapshot!("why-json", json);
    let json = desk.compose(&["why", "demo.toml", "fastmath", "--format", "json"]).ok().stdout;
    snapshot!("why-wheel-json", json);
    let json = desk.compose(&["lock", "demo.toml", "--format", "json"]).ok().stdout;
    snapshot!("lock-json", json);
    // A project that requires both, one of them through the other.
    for (name, requires) in [("shop", "shelf"), ("shelf", "fastmath ; extra == 'quick'\nRequires-Dist: greeter>=1")] {
        let text = format!(
            "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nProvides-Extra: quick\nRequires-Dist: {requires}\n"
        );
        whl(name, PURE, |wheel| wheel.info("METADATA", text.as_bytes())).put(&desk);
    }
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let mut told = String::new();
    for what in ["shop", "shelf", &module, "fastmath"] {
        told += &format!("$ compose why demo.toml {what}\n{}\n", desk.compose(&["why", "demo.toml", what]).ok().stdout);
    }
    snapshot!("why-required", desk.settled(&served, &told));
    let json = desk.compose(&["why", "demo.toml", "greeter", "--format", "json"]).ok().stdout;
    snapshot!("why-required-json", json);
    drop(served);
    let run = desk.compose(&["why", "demo.toml", "libstdc++6", "--offline"]).ok();
    assert!(run.stdout.contains("fastmath"), "{}", run.stdout);
}

#[test]
fn libraries_and_files_are_asked_for_by_name() {
    let served = served();
    let install = "install = [\"soname:libGL.so.1\", \"file:/usr/bin/git\", \"file:/lib64/ld-linux-x86-64.so.2\"]";
    let desk = Desk::new(&served, install, "");
    snapshot!("asked-by-name", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    snapshot!("asked-by-name-lock", lock(&desk, &served));
    desk.compose(&["demo.toml", "-o", "r/", "--locked"]).ok();
    assert!(desk.path("r/usr/bin/git").exists() && desk.path("r").join(LIB).join("libGL.so.1").exists());
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace(install, &format!("{install}\nprefer = [\"libgl1-vendor\"]")));
    let run = desk.compose(&["lock", "demo.toml"]).ok();
    assert!(
        run.stdout.contains("+ libgl1-vendor 25.0-1\n") && run.stdout.contains("- libgl1 1.7.0-1"),
        "{}",
        run.stdout
    );
    for (name, wanted) in [("no-such-library", "soname:libGL.so.2"), ("no-such-file", "file:/usr/bin/gti")] {
        desk.manifest(&manifest.replace("soname:libGL.so.1", wanted));
        insta::assert_snapshot!(name, desk.refused(3, &served, &["demo.toml"]));
    }
}

#[test]
fn of_two_packages_with_a_library_the_solver_takes_one() {
    let served = served();
    let desk = desk(&served, LOCAL, &[native("view", module().needed("libGL.so.1"))]);
    snapshot!("choice", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    snapshot!("choice-why", desk.compose(&["why", "demo.toml", "libgl1"]).ok().stdout);
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    for change in ["prefer = [\"libgl1-vendor\"]", "forbid = [\"libgl1\"]"] {
        desk.manifest(&manifest.replace("\n\n[[repo", &format!("\n{change}\n\n[[repo")));
        desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
        let text = lock(&desk, &served);
        assert!(text.contains("name = \"libgl1-vendor\"") && !text.contains("name = \"libgl1\""), "{text}");
    }
    desk.manifest(&manifest.replace("\n\n[[repo", "\nforbid = [\"libgl1\", \"libgl1-vendor\"]\n\n[[repo"));
    insta::assert_snapshot!("choice-forbidden", desk.refused(3, &served, &["demo.toml"]));
}

#[test]
fn a_changed_wheel_changes_one_layer() {
    let served = served();
    let desk = desk(&served, &format!("{LOCAL}\n[image]\nlayers = \"by-origin\""), &[greeter(), fastmath()]);
    let layers = |name: &str| -> Vec<String> {
        desk.compose(&["demo.toml", "-o", name]).ok();
        let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
        let list = lock.split("\nlayers = [\n").nth(1).unwrap().split(']').next().unwrap();
        list.lines().map(|line| line.trim().to_owned()).collect()
    };
    let before = layers("oci:before");
    assert_eq!(before.len(), 4, "base, C libraries, interpreter, Python modules");
    whl("greeter", PURE, |wheel| wheel.file("greeter/__init__.py", b"# 2\n")).put(&desk);
    let after = layers("oci:after");
    let changed: Vec<usize> = (0..4).filter(|i| before[*i] != after[*i]).collect();
    assert_eq!(changed, [3], "the layer of modules alone");
}

#[test]
fn two_wheels_with_one_path() {
    let served = served();
    let shared = |name: &str, bytes: &[u8]| whl(name, PURE, |wheel| wheel.file("shared/__init__.py", bytes));
    let desk = desk(&served, LOCAL, &[shared("one", b""), shared("two", b"")]);
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    assert!(desk.path("r").join(SITE).join("shared/__init__.py").exists());
    shared("two", b"# another\n").put(&desk);
    insta::assert_snapshot!("two-wheels-one-path", desk.refused(6, &served, &["demo.toml"]));
    // With a package's own modules it is the same.
    let mut all = packages();
    all.push(pkg("python3-one", "1").file(&format!("{SITE}/shared/__init__.py"), 0o644, "# Debian's\n"));
    let served = Archive::new(all).serve();
    let desk = Desk::new(&served, "install = [\"python3\", \"python3-one\"]", &format!("[python]\n{LOCAL}\n"));
    shared("one", b"").put(&desk);
    insta::assert_snapshot!("wheel-and-package-one-path", desk.refused(6, &served, &["demo.toml"]));
}

#[test]
fn what_is_left_out_of_a_wheel_is_not_in_its_record() {
    let served = served();
    let rootfs = format!(
        "{LOCAL}\n[rootfs]\nremove = [\"/{SITE}/greeter/**\", \"/usr/local/bin/greet\", \"/{SITE}/fastmath/_core.so\"]\n\
         keep = [\"/{SITE}/greeter/__init__.py\"]"
    );
    let desk = desk(&served, &rootfs, &[greeter(), fastmath()]);
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    let files: BTreeMap<&str, bool> = ["greeter/__init__.py", "greeter/words.txt", "fastmath/_core.so"]
        .map(|path| (path, desk.path("r").join(SITE).join(path).exists()))
        .into();
    assert_eq!(files.into_values().collect::<Vec<_>>(), [false, true, false]);
    assert!(desk.path("r/usr/local/bin/greet-all").exists() && !desk.path("r/usr/local/bin/greet").exists());
    let record = fs::read_to_string(desk.path("r").join(SITE).join("greeter-1.0.dist-info/RECORD")).unwrap();
    assert!(record.contains("greeter/__init__.py,sha256=") && record.contains("bin/greet-all"), "{record}");
    assert!(!record.contains("words.txt") && !record.contains("bin/greet,"), "{record}");
    // What nobody sees needs nothing.
    assert!(!lock(&desk, &served).contains("libstdc++"), "{}", lock(&desk, &served));
}
