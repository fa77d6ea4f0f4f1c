//! The real binary against a small signed archive on loopback: the ordinary ways, and every way to go wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

use support::{Archive, Desk, Pkg, Served, pkg, tool};

type Files = BTreeMap<String, Vec<u8>>;

fn packages() -> Vec<Pkg> {
    vec![
        pkg("app", "1.0")
            .depends("libapp (>= 2), debconf | gui")
            .dir("usr", 0o755)
            .dir("usr/bin", 0o755)
            .file("usr/bin/app", 0o755, vec![1; 3000])
            .dir("usr/share", 0o755)
            .dir("usr/share/doc", 0o755)
            .dir("usr/share/doc/app", 0o755)
            .file("usr/share/doc/app/copyright", 0o644, "free")
            .file("usr/share/doc/app/changelog", 0o644, "long"),
        pkg("libapp", "2.1")
            .dir("lib", 0o755)
            .file("lib/libapp.txt", 0o644, "library\n")
            .hard("lib/libapp-again.txt", "lib/libapp.txt")
            .link("lib/libapp-link.txt", "libapp.txt"),
        pkg("other", "1").field("Conflicts", "app").file("usr/other", 0o644, "x"),
        pkg("gui", "1").file("usr/gui", 0o644, "x"),
    ]
}

fn desk() -> (Served, Desk) {
    let served = Archive::new(packages()).serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    (served, desk)
}

#[test]
fn a_build_makes_outputs_and_a_lock_and_the_second_looks_at_no_index() {
    let (served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "a.oci.tar", "-o", "rootfs/"]).ok();
    assert_eq!(desk.left(), ["a.oci.tar", "rootfs", "snapshots"]);
    assert!(desk.path("rootfs/usr/lib/libapp.txt").exists() && desk.path("rootfs/lib").is_symlink());
    assert!(desk.path("rootfs/usr/share/doc/app/copyright").exists());
    assert!(!desk.path("rootfs/usr/share/doc/app/changelog").exists());
    assert!(!desk.path("rootfs/usr/gui").exists(), "debconf counts as provided");
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    assert!(!lock.contains("127.0.0.1") && lock.contains("proven-minimal = true"), "{lock}");
    assert!(lock.contains("{ package = \"app\", dependency = \"debconf\""), "{lock}");

    let before = served.requests().len();
    fs::remove_dir_all(desk.path("cache")).unwrap();
    let first = fs::read(desk.path("a.oci.tar")).unwrap();
    desk.compose(&["demo.toml", "-o", "a.oci.tar", "--locked"]).ok();
    assert_eq!(fs::read(desk.path("a.oci.tar")).unwrap(), first);
    assert_eq!(fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap(), lock);
    let after = &served.requests()[before..];
    assert!(after.len() == 2 && after.iter().all(|path| path.starts_with("pool/")), "{after:?}");

    drop(served);
    desk.compose(&["demo.toml", "-o", "a.oci.tar", "--locked", "--offline"]).ok();
}

#[test]
fn the_same_bytes_whatever_surrounds_the_build() {
    let (_served, desk) = desk();
    let formats = ["x.tar", "x.tar.gz", "x.tar.zst", "x.oci.tar"];
    let mut seen: Vec<BTreeMap<&str, Vec<u8>>> = Vec::new();
    for (jobs, umask, zone, home) in [("1", "022", "UTC", "/"), ("8", "077", "Asia/Tokyo", "/nonexistent")] {
        let _ = fs::remove_dir_all(desk.path("cache"));
        let out = desk.path(&format!("out{jobs}"));
        fs::create_dir(&out).unwrap();
        let binary = env!("CARGO_BIN_EXE_compose");
        let mut line = format!("umask {umask}; exec {binary} {} -j {jobs}", desk.path("demo.toml").display());
        for format in formats {
            line += &format!(" -o {format}");
        }
        line += " -o oci:layout -o rootfs/";
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &line]).current_dir(&out).env_clear().env("COMPOSE_CACHE", desk.path("cache"));
        command.env("TZ", zone).env("LANG", "de_DE.UTF-8").env("HOME", home);
        desk.run(&mut command).ok();
        let mut bytes: BTreeMap<&str, Vec<u8>> =
            formats.iter().map(|format| (*format, fs::read(out.join(format)).unwrap())).collect();
        bytes.insert("layout", contents(&out.join("layout")).into_bytes());
        bytes.insert("rootfs", listing(&out.join("rootfs"), true).into_bytes());
        seen.push(bytes);
    }
    for (name, bytes) in &seen[0] {
        assert!(*bytes == seen[1][name], "{name} differs");
    }
}

/// Every file with its content: the modes of an OCI layout are the host's, and follow its umask.
fn contents(dir: &Path) -> String {
    let words = |line: &str| {
        let mut words = line.split(' ');
        (words.next().unwrap_or_default().to_owned(), words.next_back().unwrap_or_default().to_owned())
    };
    listing(dir, false).lines().map(|line| format!("{:?}\n", words(line))).collect()
}

/// Every path with type, mode, time and content.
fn listing(dir: &Path, times: bool) -> String {
    use std::os::unix::fs::MetadataExt;
    let mut lines = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(path) = todo.pop() {
        let info = fs::symlink_metadata(&path).unwrap();
        let time = if times { info.mtime() } else { 0 };
        let what = if info.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "dir".into()
        } else if info.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            compose::base::Sha256::of(&fs::read(&path).unwrap()).to_string()
        };
        let mode = info.permissions().mode();
        lines.push(format!("{} {mode:o} {time} {what}", path.strip_prefix(dir).unwrap().display()));
    }
    lines.sort();
    lines.join("\n")
}

#[test]
fn every_output_holds_the_same_tree() {
    let (_served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "rootfs/", "-o", "x.tar", "-o", "x.tar.gz", "-o", "x.tar.zst", "-o", "oci:o"])
        .ok();
    let plain = fs::read(desk.path("x.tar")).unwrap();
    let mut unpacked = Vec::new();
    let gz = fs::read(desk.path("x.tar.gz")).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&gz[..]), &mut unpacked).unwrap();
    assert!(unpacked == plain, "gzip holds another tar");
    let zst = fs::read(desk.path("x.tar.zst")).unwrap();
    assert!(zstd::decode_all(&zst[..]).unwrap() == plain, "zstd holds another tar");
    let digest = compose::base::Sha256::of(&gz).hex();
    assert!(desk.path("o/blobs/sha256").join(digest).exists(), "the layer is the .tar.gz");
    let Some(tar) = tool("tar") else { return };
    fs::create_dir(desk.path("unpacked")).unwrap();
    let mut command = std::process::Command::new(tar);
    // Files follow all directories, so directories get their times at the end.
    command.args(["--delay-directory-restore", "-xpf"]).arg(desk.path("x.tar")).arg("-C").arg(desk.path("unpacked"));
    desk.run(&mut command).ok();
    let without_root =
        |dir: &str| listing(&desk.path(dir), true).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_root("unpacked"), without_root("rootfs"));
}

#[test]
fn skopeo_and_umoci_read_what_is_written() {
    let (_served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "-o", "oci:layout", "-o", "rootfs/"]).ok();
    if let Some(skopeo) = tool("skopeo") {
        for (from, to) in
            [("oci-archive:x.oci.tar", "oci:one"), ("docker-archive:x.oci.tar", "oci:two"), ("oci:layout", "oci:three")]
        {
            let mut command = std::process::Command::new(&skopeo);
            command.args(["--tmpdir", ".", "copy", "--insecure-policy", "-q", from, &format!("{to}:x")]);
            desk.run(command.current_dir(desk.dir.path())).ok();
        }
    }
    if let Some(umoci) = tool("umoci") {
        let mut list = std::process::Command::new(&umoci);
        let tags = desk.run(list.args(["list", "--layout", "layout"]).current_dir(desk.dir.path())).ok().stdout;
        let tag = tags.lines().next().unwrap().to_owned();
        let mut command = std::process::Command::new(&umoci);
        command.args(["unpack", "--rootless", "--image", &format!("layout:{tag}"), "bundle"]);
        desk.run(command.current_dir(desk.dir.path())).ok();
        let tree = |dir: &str| {
            let text = listing(&desk.path(dir), false);
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(tree("bundle/rootfs"), tree("rootfs"));
    }
}

#[test]
fn update_takes_what_is_new_and_the_lock_command_says_so() {
    let mut archive = Archive::new(packages());
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    desk.compose(&["lock", "demo.toml"]).ok();
    assert_eq!(desk.left(), ["snapshots"]);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let built = fs::read(desk.path("snapshots/demo.lock")).unwrap();
    desk.compose(&["lock", "demo.toml"]).ok();
    assert!(fs::read(desk.path("snapshots/demo.lock")).unwrap() == built, "nothing changed, and the lock did");
    archive.packages[1].version = "2.2".into();
    *served.files.lock().unwrap() = archive.files();
    let run = desk.compose(&["lock", "demo.toml"]).ok();
    assert!(run.stdout.contains("~ libapp 2.1 → 2.2"), "{}", run.stdout);
}

#[test]
fn an_update_of_a_library_changes_one_small_layer() {
    let lib = |version: &str, content: &str| {
        pkg("libssl3t64", version)
            .dir("usr", 0o755)
            .dir("usr/lib", 0o755)
            .file("usr/lib/libssl.so.3", 0o644, content)
            .file("usr/share/doc/libssl3t64/copyright", 0o644, "free")
    };
    let python =
        pkg("python3", "3.13").depends("libssl3t64, tzdata, python3-flask").file("usr/bin/python3", 0o755, [7; 9000]);
    let module = pkg("python3-flask", "1").file("usr/lib/python3/flask.py", 0o644, "import socket");
    let data = pkg("tzdata", "2026a").file("usr/share/zoneinfo/Etc/UTC", 0o644, "TZif2");
    let mut archive = Archive::new(vec![lib("3.5.0", "old"), python, module, data]);
    let served = archive.serve();
    let rest = "[image]\nlayers = \"by-origin\"\n[[files]]\npath = \"/app/main.py\"\ncontent = \"print()\"\n";
    let desk = Desk::new(&served, "install = [\"python3\"]", rest);
    let layers = |name: &str, more: &[&str]| -> Vec<String> {
        desk.compose(&[&["demo.toml", "-o", name], more].concat()).ok();
        let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
        let list = lock.split("\nlayers = [\n").nth(1).unwrap().split(']').next().unwrap();
        list.lines().map(|line| line.trim().to_owned()).collect()
    };
    let before = layers("oci:before", &[]);
    assert_eq!(before.len(), 5, "base, C libraries, interpreter, Python modules, own files");
    archive.packages[0] = lib("3.5.1", "new");
    let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
    assert_ne!(archive.release.insert("Date".into(), now.clone()), Some(now), "the image's date changes too");
    *served.files.lock().unwrap() = archive.files();
    let after = layers("oci:after", &["--update"]);
    let changed: Vec<usize> = (0..5).filter(|i| before[*i] != after[*i]).collect();
    assert_eq!(changed, [1], "the layer of C libraries alone");
    let blob = |layer: &str| {
        desk.path("after/blobs/sha256").join(layer.trim_matches(['"', ',']).trim_start_matches("sha256:"))
    };
    assert!(blob(&after[1]).exists());
    let shared = |dir: &str| fs::read_dir(desk.path(dir).join("blobs/sha256")).unwrap().map(|e| e.unwrap().file_name());
    let old: std::collections::BTreeSet<_> = shared("before").collect();
    assert_eq!(shared("after").filter(|name| old.contains(name)).count(), 4);
}

#[test]
fn the_manifests_own_files_and_accounts_are_in_the_image() {
    let (served, desk) = desk();
    fs::create_dir(desk.path("src")).unwrap();
    fs::write(desk.path("src/main.py"), "print()").unwrap();
    fs::set_permissions(desk.path("src/main.py"), PermissionsExt::from_mode(0o600)).unwrap();
    let rest = "[[files]]\npath = \"/app\"\nsource = \"src\"\n[[files]]\npath = \"/etc/motd\"\ncontent = \"hi\"\nmode = \"0600\"\n\
                [[files]]\npath = \"/usr/lib/libapp.txt\"\ncontent = \"mine\"\n\
                [accounts]\nusers = [{ name = \"web\", uid = 1000, home = \"/home/web\" }]\nrun-as = \"web\"\n";
    let text = Desk::new(&served, "install = [\"app\"]", rest);
    fs::copy(text.path("demo.toml"), desk.path("demo.toml")).unwrap();
    desk.compose(&["demo.toml", "-o", "r/", "-o", "oci:o"]).ok();
    let mode = |path: &str| desk.path(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("r/app"), mode("r/app/main.py"), mode("r/etc/motd")), (0o755, 0o644, 0o600));
    assert_eq!(fs::read_to_string(desk.path("r/usr/lib/libapp.txt")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(desk.path("r/usr/lib/libapp-again.txt")).unwrap(), "library\n");
    assert!(fs::read_to_string(desk.path("r/etc/passwd")).unwrap().contains("web:"));
    let blobs = fs::read_dir(desk.path("o/blobs/sha256")).unwrap();
    let config = blobs
        .map(|b| fs::read(b.unwrap().path()).unwrap())
        .find(|b| b.starts_with(b"{") && b.windows(9).any(|w| w == b"\"rootfs\":"));
    assert!(String::from_utf8(config.unwrap()).unwrap().contains("\"User\":\"1000:1000\""));
}

#[track_caller]
fn refused(name: &str, code: i32, desk: &Desk, served: &Served, args: &[&str]) {
    insta::assert_snapshot!(name, desk.refused(code, served, args));
}

#[test]
fn bad_manifests_and_requests() {
    let (served, desk) = desk();
    let good = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from));
        desk.manifest(&good.replace(from, to));
    };
    with("install =", "instal =");
    refused("unknown-key", 2, &desk, &served, &["demo.toml"]);
    with("[\"stable\"]", "[\"stabel\"]");
    refused("unknown-suite", 4, &desk, &served, &["demo.toml"]);
    with("[\"main\"]", "[\"mian\"]");
    refused("unknown-component", 2, &desk, &served, &["demo.toml"]);
    with("\"app\"", "\"libap\"");
    refused("missing-package", 3, &desk, &served, &["demo.toml"]);
    with("\"app\"", "\"app (>= 7)\"");
    refused("missing-version", 3, &desk, &served, &["demo.toml"]);
    with("\"app\"", "\"app\", \"other\"");
    refused("conflict", 3, &desk, &served, &["demo.toml"]);
    with("\"app\"]", "\"app\"]\nforbid = [\"libapp\"]");
    refused("forbidden", 3, &desk, &served, &["demo.toml"]);
    with("key.asc", "nokey.asc");
    refused("no-key-file", 2, &desk, &served, &["demo.toml"]);
    desk.manifest(&good);
    refused("locked-without-lock", 2, &desk, &served, &["demo.toml", "--locked"]);
    refused("unknown-output", 2, &desk, &served, &["demo.toml", "-o", "x.zip"]);
    refused("registry-output", 2, &desk, &served, &["demo.toml", "-o", "docker://example.com/X"]);
    refused("no-manifest", 2, &desk, &served, &["nothing.toml"]);
    refused("misspelt-manifest", 2, &desk, &served, &["demo.tml"]);
    refused("manifest-is-folder", 2, &desk, &served, &["."]);
    for (name, file) in
        [("manifest-is-app-lock", "uv.lock"), ("manifest-is-pins", "requirements.txt"), ("manifest-is-app", "app.py")]
    {
        std::fs::write(desk.path(file), "").unwrap();
        refused(name, 2, &desk, &served, &[file]);
        refused(name, 2, &desk, &served, &["audit", file]);
        std::fs::remove_file(desk.path(file)).unwrap();
    }
    desk.manifest(&(good + "[policy]\nmax-size = \"1 KiB\"\n"));
    refused("policy-size", 6, &desk, &served, &["demo.toml"]);
}

#[test]
fn a_mirror_that_cannot_be_reached_or_trusted() {
    let archive = Archive::new(packages());
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    let files = archive.files();
    let deb = "pool/main/app_1.0_amd64.deb".to_owned();
    let serve = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        *served.files.lock().unwrap() = files;
    };
    let release = "dists/stable/InRelease".to_owned();
    serve(&|files| {
        let text = String::from_utf8(files[&release].clone()).unwrap();
        files.insert(release.clone(), text.replace("Codename: fixture", "Codename: fixtur3").into_bytes());
    });
    refused("bad-signature", 5, &desk, &served, &["demo.toml"]);
    let stranger = Archive::new(packages());
    serve(&|files| {
        files.insert(release.clone(), stranger.files()[&release].clone());
    });
    let run = desk.compose(&["demo.toml"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    serve(&|files| {
        for (_, bytes) in files.iter_mut().filter(|(name, _)| name.contains("/binary-amd64/")) {
            bytes[20] ^= 1;
        }
    });
    let run = desk.compose(&["demo.toml"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    serve(&|files| files.get_mut(&deb).unwrap()[100] ^= 1);
    refused("wrong-digest", 5, &desk, &served, &["demo.toml"]);
    serve(&|files| files.get_mut(&deb).unwrap().truncate(500));
    refused("truncated-deb", 5, &desk, &served, &["demo.toml"]);
    serve(&|files| {
        files.remove(&deb);
    });
    refused("missing-deb", 4, &desk, &served, &["demo.toml"]);
    served.files.lock().unwrap().clear();
    let url = served.url.clone();
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace(&url, "http://127.0.0.1:9"));
    refused("unreachable-mirror", 4, &desk, &served, &["demo.toml"]);
    refused("offline", 4, &desk, &served, &["demo.toml", "--offline"]);
}

#[test]
fn a_deb_that_is_signed_for_and_yet_damaged() {
    let mut archive = Archive::new(packages());
    let mut files = archive.files();
    let deb = files.remove("pool/main/app_1.0_amd64.deb").unwrap();
    // The index names what is served, so only reading the package can tell.
    archive.packages[0].control_files.push(("broken".into(), deb));
    archive.packages[0] = archive.packages[0].clone().file("usr/bin/app", 0o755, "twice");
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    refused("path-twice", 5, &desk, &served, &["demo.toml"]);
}

#[test]
fn two_packages_with_one_path() {
    let archive = Archive::new(vec![
        pkg("a", "1").file("usr/x", 0o644, "1"),
        pkg("b", "1").file("usr/x", 0o644, "2"),
        pkg("c", "1").field("Replaces", "a").file("usr/x", 0o644, "3"),
        pkg("d", "1").file("usr/x", 0o644, "1"),
    ]);
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"a\", \"b\"]", "");
    refused("path-conflict", 6, &desk, &served, &["demo.toml"]);
    for (install, content) in [("\"a\", \"d\"", "1"), ("\"a\", \"c\"", "3")] {
        let desk = Desk::new(&served, &format!("install = [{install}]"), "");
        desk.compose(&["demo.toml", "-o", "r/"]).ok();
        assert_eq!(fs::read_to_string(desk.path("r/usr/x")).unwrap(), content);
    }
}

#[test]
fn an_output_that_cannot_be_written() {
    let (served, desk) = desk();
    desk.compose(&["lock", "demo.toml"]).ok();
    refused("no-folder", 8, &desk, &served, &["demo.toml", "-o", "missing/x.tar"]);
    fs::create_dir(desk.path("mine")).unwrap();
    fs::write(desk.path("mine/precious"), "x").unwrap();
    refused("not-empty", 8, &desk, &served, &["demo.toml", "-o", "mine/"]);
    assert_eq!(fs::read_to_string(desk.path("mine/precious")).unwrap(), "x");
    desk.compose(&["demo.toml", "-o", "mine/", "--force"]).ok();
    assert!(!desk.path("mine/precious").exists());
    if !rustix_is_root() {
        return;
    }
    // A full disk: a tiny file system of our own, in a mount namespace that ends with the command.
    let Some(unshare) = tool("unshare") else { return };
    fs::create_dir(desk.path("small")).unwrap();
    let line = format!(
        "mount -t tmpfs -o size=8k none small && {} demo.toml -o small/x.tar; code=$?; ls -A small >&2; exit $code",
        env!("CARGO_BIN_EXE_compose")
    );
    let mut command = std::process::Command::new(unshare);
    command.args(["-m", "sh", "-c", &line]).current_dir(desk.dir.path()).env("COMPOSE_CACHE", desk.path("cache"));
    let run = desk.run(&mut command);
    if run.stderr.contains("permission denied") || run.stderr.contains("Operation not permitted") {
        eprintln!("skipped: no mount namespace here");
        return;
    }
    assert_eq!(run.code, Some(8), "{}", run.stderr);
    assert!(run.stderr.contains("x.tar") && run.stderr.contains("bytes"), "{}", run.stderr);
    assert!(!run.stderr.lines().any(|line| line == "x.tar"), "half an output: {}", run.stderr);
}

fn rustix_is_root() -> bool {
    rustix::process::getuid().is_root()
}

#[test]
fn help_says_what_there_is() {
    let (served, desk) = desk();
    let run = desk.compose(&["--help"]).ok();
    insta::assert_snapshot!("help", desk.settled(&served, &run.stdout));
    let run = desk.compose(&["lock", "--help"]).ok();
    insta::assert_snapshot!("help-lock", desk.settled(&served, &run.stdout));
}

/// What was locked and has left the mirror since is in the snapshot of its Release's date, if it is said where that is.
#[test]
fn a_package_that_left_the_mirror_comes_from_the_snapshot_archive() {
    let mut archive = Archive::new(vec![pkg("base", "13").file("usr/base", 0o644, "x")]);
    let served = Served::start(archive.debian("trixie"), archive.key.armoured());
    let desk = Desk::new(&served, "", "");
    desk.manifest(
        "name = \"demo\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"base\"]\n",
    );
    let mirror = format!("{}/debian", served.url);
    let args = ["demo.toml", "--mirror", &mirror, "--signed-by", "key.asc"];
    desk.compose(&args).ok();
    let lock: toml::Table = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap().parse().unwrap();
    let package = &lock["target"]["amd64"]["package"][0];
    let (name, from) = (package["filename"].as_str().unwrap(), package["repository"].as_str().unwrap());
    let repositories = lock["repository"].as_array().unwrap();
    let date = repositories.iter().find(|one| one["name"].as_str() == Some(from)).unwrap()["date"].to_string();
    let root = if from == "debian-security" { from } else { "debian" };
    {
        let mut files = served.files.lock().unwrap();
        let bytes = files.get(&format!("{root}/{name}")).unwrap().clone();
        files.retain(|path, _| !path.ends_with(".deb"));
        files.insert(format!("archive/{root}/{}/{name}", date.replace(['-', ':'], "")), bytes);
    }
    fs::remove_dir_all(desk.path("cache")).unwrap();
    let gone = desk.compose(&args);
    assert_eq!(gone.code, Some(4), "{}", gone.stderr);
    assert!(gone.stderr.contains("COMPOSE_SNAPSHOT"), "{}", gone.stderr);
    let mut command = desk.command(&args);
    desk.run(command.env("COMPOSE_SNAPSHOT", format!("{}/archive/", served.url))).ok();
}
