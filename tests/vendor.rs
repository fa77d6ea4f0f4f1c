//! `compose vendor` on the real binary: what is carried elsewhere builds the same image there, from the lock or resolved
//! anew; what is wrong with it is told; apt, gpgv, dpkg-scanpackages and sha256sum read it too.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use compose::base::Sha256;
use rand::{Rng as _, SeedableRng as _};
use support::{
    Archive, Desk, Entry, Kind, Served, pkg,
    python::{self, PURE, Whl, fastmath, greeter, library, program, served, whl},
    secret,
    signing::{KeySpec, KeyType, SubkeySpec, TestKey},
    tar_of, tool,
};

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Everything below a folder: path, mode, date, content; folders without content.
fn listing(root: &Path) -> BTreeMap<String, (u32, i64, Vec<u8>)> {
    let mut out = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let bytes = if meta.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        assert_eq!(meta.mtime_nsec(), 0, "{name}");
        out.insert(name, (meta.permissions().mode() & 0o7777, meta.mtime(), bytes));
    }
    out
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Another desk with the manifest, the lock and the files beside them, but nothing of the cache: the other side of the gap.
fn carried(desk: &Desk, names: &[&str]) -> Desk {
    let other = Desk { dir: tempfile::tempdir().unwrap() };
    for name in [&["demo.toml", "key.asc", "snapshots"], names].concat() {
        copy(&desk.path(name), &other.path(name));
    }
    other
}

/// The lock without the digests of the Releases: all else is the same, that of what was built too.
fn packages(desk: &Desk) -> String {
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    lock.lines().filter(|line| !line.starts_with("release = ")).map(|line| format!("{line}\n")).collect()
}

/// An application of a pure wheel that its lock names by URL, a native one of this machine, and a program in a tarball.
struct App {
    served: Served,
    desk: Desk,
}

fn app() -> App {
    let served = served();
    greeter().publish(&served);
    let tarball = tar_of(&[Entry {
        path: "bin/tool".into(),
        mode: 0o755,
        kind: Kind::File(program().needed("libodbc.so.2").build()),
    }]);
    served.files.lock().unwrap().insert("get/tool 1.tar".replace(' ', "%20"), tarball.clone());
    let rest = format!(
        "[python]\nlock = \"pylock.toml\"\nwheels = [\"wheels/*.whl\"]\n\n[[tarballs]]\nurl = \"{}/get/tool%201.tar\"\n\
         sha256 = \"{}\"\npath = \"/opt/tool\"\n",
        served.url,
        Sha256::of(&tarball).hex()
    );
    let desk = Desk::new(&served, "install = [\"python3\", \"file:/usr/bin/git\"]", &rest);
    fastmath().put(&desk);
    let wheel = greeter();
    let text = format!(
        "lock-version = \"1.0\"\ncreated-by = \"test\"\n[[packages]]\nname = \"greeter\"\nversion = \"1.0\"\n\
         [[packages.wheels]]\nurl = \"{}\"\nsize = {}\nhashes.sha256 = \"{}\"\n",
        wheel.url(&served),
        wheel.bytes.len(),
        wheel.sha256()
    );
    fs::write(desk.path("pylock.toml"), text).unwrap();
    desk.compose(&["demo.toml", "-o", "x.oci.tar"]).ok();
    App { served, desk }
}

const INPUTS: [&str; 4] = ["pylock.toml", "wheels", "carried", "x.oci.tar"];

fn key(desk: &Desk, key: &TestKey) {
    fs::write(desk.path("secret.asc"), secret::armoured(key, None)).unwrap();
}

macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ filters => vec![
            (r"\d{4}-\d\d-\d\dT[\d:]+Z", "DATE"), (r"\d+\.\d MB", "SIZE"), (r#""bytes": \d+"#, r#""bytes": SIZE"#),
        ] }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn what_is_carried_builds_the_same_image() {
    let App { served, desk } = app();
    let run = desk.compose(&["vendor", "demo.toml", "carried"]).ok();
    snapshot!("report", desk.settled(&served, &run.stdout));
    let run = desk.compose(&["vendor", "demo.toml", "carried", "--format", "json"]).ok();
    snapshot!("report-json", desk.settled(&served, &run.stdout));
    assert_eq!(desk.left(), ["carried", "pylock.toml", "snapshots", "wheels", "x.oci.tar"]);
    let files: Vec<String> = listing(&desk.path("carried"))
        .into_iter()
        .filter(|(_, file)| !file.2.is_empty())
        .map(|(name, _)| name)
        .collect();
    insta::assert_snapshot!("files", without_digests(&files.join("\n")));

    let image = fs::read(desk.path("x.oci.tar")).unwrap();
    let asked = served.requests().len();
    let other = carried(&desk, &INPUTS);
    fs::remove_file(other.path("x.oci.tar")).unwrap();
    let absolute = format!("file:{}", other.path("carried").display());
    for mirror in ["file:carried", "file:./carried/", &absolute] {
        let args = ["demo.toml", "--locked", "--offline", "--mirror", mirror, "-o", "x.oci.tar"];
        other.compose(&args).ok();
        assert!(fs::read(other.path("x.oci.tar")).unwrap() == image, "{mirror}");
        fs::remove_dir_all(other.path("cache")).unwrap();
    }
    other.compose(&["verify", "demo.toml", "x.oci.tar", "--offline", "--mirror", "file:carried"]).ok();
    // By the environment, as of any mirror; and without --offline nobody is asked either.
    let args = ["demo.toml", "--locked", "-o", "y.oci.tar"];
    other.run(other.command(&args).env("COMPOSE_MIRROR", &absolute)).ok();
    // What asks for more than the lock has does with the packages themselves.
    let run = other.compose(&["why", "demo.toml", "libgcc-s1", "--offline", "--mirror", "file:carried"]).ok();
    assert!(run.stdout.contains("is in the image for amd64"), "{}", run.stdout);
    // And it can be carried on.
    other.compose(&["vendor", "demo.toml", "further", "--offline", "--mirror", "file:carried"]).ok();
    assert!(listing(&other.path("further")) == listing(&desk.path("carried")));
    assert_eq!(served.requests().len(), asked, "nothing is asked of the network");
}

/// Digests in paths, which differ from run to run.
fn without_digests(text: &str) -> String {
    text.split('/').map(|part| if part.len() == 64 { "DIGEST" } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn what_is_signed_can_be_resolved_anew() {
    let App { served, desk } = app();
    key(&desk, &TestKey::good(now()));
    let run = desk.compose(&["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"]).ok();
    snapshot!("report-signed", desk.settled(&served, &run.stdout).replace(&fingerprint(&run.stdout), "FINGERPRINT"));
    let other = carried(&desk, &INPUTS);
    drop(served);
    let before = packages(&other);
    fs::remove_dir_all(other.path("snapshots")).unwrap();
    let mirror = ["--offline", "--mirror", "file:carried", "--signed-by", "carried/keyring.asc"];
    other.compose(&[&["demo.toml", "-o", "y.oci.tar"], &mirror[..]].concat()).ok();
    assert_eq!(packages(&other), before, "the same packages, wheels, needs and reasons");
    assert!(fs::read(other.path("x.oci.tar")).unwrap() == fs::read(other.path("y.oci.tar")).unwrap());
    let run = other.compose(&[&["why", "demo.toml", "libodbc2"], &mirror[..]].concat()).ok();
    assert!(run.stdout.contains("tarball"), "{}", run.stdout);

    // As a repository of a manifest of its own: by its key, or trusted as it is on this machine.
    let text = fs::read_to_string(other.path("demo.toml")).unwrap();
    let start = text.find("uris = [").unwrap();
    let uris = &text[start..start + text[start..].find('\n').unwrap()];
    let own = text.replace(uris, &format!("uris = [\"file:{}\"]", other.path("carried").display()));
    for trust in ["signed-by = \"carried/keyring.asc\"", "trusted = true"] {
        let own = own.replace("signed-by = \"key.asc\"", trust);
        // The index is all that such a manifest takes from there.
        let end = own.find("[python]").unwrap();
        other.manifest(&own[..end]);
        other.compose(&["demo.toml", "-o", "z.tar", "--offline"]).ok();
    }
}

/// The fingerprint that a report tells.
fn fingerprint(report: &str) -> String {
    let start = report.find("signed by ").unwrap() + "signed by ".len();
    report[start..start + 40].to_owned()
}

#[test]
fn without_a_signature_only_the_lock_is_trusted() {
    let App { served, desk } = app();
    desk.compose(&["vendor", "demo.toml", "carried"]).ok();
    let other = carried(&desk, &INPUTS);
    let mirror = ["--offline", "--mirror", "file:carried"];
    for command in [&["lock", "demo.toml"][..], &["demo.toml", "--update"]] {
        snapshot!("unsigned", other.refused(5, &served, &[command, &mirror[..]].concat()));
    }
    // Nor does a key help where there is no signature, or another key.
    let with_key = [&["lock", "demo.toml"], &mirror[..], &["--signed-by", "key.asc"]].concat();
    snapshot!("unsigned", other.refused(5, &served, &with_key));
    key(&desk, &TestKey::good(now()));
    desk.compose(&["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"]).ok();
    let run = desk.compose(&with_key);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("no good signature by a trusted key"), "{}", run.stderr);
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace("signed-by = \"key.asc\"\n", ""));
    let run = desk.compose(&[&["lock", "demo.toml"], &mirror[..]].concat());
    snapshot!("not-by-debian", desk.settled(&served, &run.stderr));
    assert_eq!(run.code, Some(5));
}

#[test]
fn what_was_tampered_with_is_named() {
    let App { served, desk } = app();
    desk.compose(&["vendor", "demo.toml", "carried"]).ok();
    let other = carried(&desk, &INPUTS);
    let args = ["demo.toml", "--locked", "--offline", "--mirror", "file:carried"];
    let files: Vec<PathBuf> = listing(&other.path("carried")).into_keys().map(PathBuf::from).collect();
    let find = |part: &str| {
        let found = files.iter().find(|path| path.to_string_lossy().contains(part) && path.extension().is_some());
        other.path("carried").join(found.unwrap())
    };
    let changed = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    for (name, part) in [("deb", "git_1%3a2.47"), ("wheel", "greeter-1.0"), ("tarball", "tarballs/")] {
        let path = find(part);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, changed(&path)).unwrap();
        let _ = fs::remove_dir_all(other.path("cache"));
        snapshot!(format!("tampered-{name}"), other.refused(5, &served, &args));
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let run = other.compose(&args);
        assert_eq!(run.code, Some(5), "{name} cut: {}", run.stderr);
        fs::remove_file(&path).unwrap();
        let run = other.compose(&args);
        assert_eq!(run.code, Some(4), "{name} gone: {}", run.stderr);
        if name == "deb" {
            snapshot!("missing", other.settled(&served, &run.stderr.replace("Fetching and unpacking\n", "")));
        }
        fs::write(&path, whole).unwrap();
    }
    other.compose(&args).ok();
}

#[test]
fn the_same_lock_gives_the_same_bytes() {
    let App { served: _served, desk } = app();
    key(&desk, &TestKey::good(now()));
    let vendor = |dir: &str, more: &[&str]| {
        [&["vendor", "demo.toml", dir, "--sign-with", "secret.asc"], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |args: Vec<String>| desk.compose(&args.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    run(vendor("one", &[]));
    // Another umask, another time zone, one thread, an empty cache.
    let line = "umask 077; exec \"$@\"".to_owned();
    let mut args = vec!["-c".to_owned(), line, "sh".into(), env!("CARGO_BIN_EXE_compose").into()];
    args.extend(vendor("two", &["-j", "1"]));
    let plain = desk.command(&[]);
    let mut command = Command::new("sh");
    command.args(args).current_dir(desk.dir.path()).env_clear().envs(plain.get_envs().map(|(k, v)| (k, v.unwrap())));
    command.env("TZ", "Pacific/Auckland").env("LC_ALL", "tr_TR.UTF-8").env("COMPOSE_CACHE", desk.path("other-cache"));
    desk.run(&mut command).ok();
    let one = listing(&desk.path("one"));
    assert!(one == listing(&desk.path("two")));
    assert!(one.values().all(|(mode, ..)| [0o755, 0o644].contains(mode)));
    // Again onto itself: it is replaced.
    run(vendor("one", &[]));
    assert!(one == listing(&desk.path("one")));
    // Whether or not the lock was built from.
    fs::remove_dir_all(desk.path("snapshots")).unwrap();
    desk.compose(&["lock", "demo.toml"]).ok();
    assert!(!fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap().contains("tree = "));
    run(vendor("three", &[]));
    assert!(one == listing(&desk.path("three")));
    if let Some(sums) = tool("sha256sum") {
        let run = Command::new(sums)
            .args(["--quiet", "--strict", "-c", "SHA256SUMS"])
            .current_dir(desk.path("one"))
            .output()
            .unwrap();
        assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
fn what_is_somebody_s_own_is_left_alone() {
    let served = Archive::new(vec![pkg("app", "1").file("usr/app", 0o644, "x")]).serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    desk.compose(&["lock", "demo.toml"]).ok();
    let vendor = ["vendor", "demo.toml", "dir"];
    fs::create_dir(desk.path("dir")).unwrap();
    desk.compose(&vendor).ok();
    fs::write(desk.path("dir/notes.txt"), "mine").unwrap();
    snapshot!("occupied", desk.refused(8, &served, &vendor));
    assert_eq!(fs::read(desk.path("dir/notes.txt")).unwrap(), b"mine");
    desk.compose(&[&vendor[..], &["--force"]].concat()).ok();
    assert!(!desk.path("dir/notes.txt").exists());
    fs::remove_file(desk.path("dir/vendor.json")).unwrap();
    desk.refused(8, &served, &vendor);
    snapshot!("no-parent", desk.refused(8, &served, &["vendor", "demo.toml", "no/such/dir"]));
    fs::write(desk.path("notes.txt"), "mine").unwrap();
    snapshot!("a-file", desk.refused(8, &served, &["vendor", "demo.toml", "notes.txt", "--force"]));
    fs::remove_dir_all(desk.path("snapshots")).unwrap();
    snapshot!("no-lock", desk.refused(2, &served, &["vendor", "demo.toml", "other"]));
    let help = desk.compose(&["vendor", "--help"]).ok();
    snapshot!("help", help.stdout);
}

#[test]
fn every_architecture_of_the_lock() {
    let everywhere = |name: &str| pkg(name, "1").depends("data").file("usr/bin/app", 0o755, name);
    let other = support::Pkg { arch: "arm64".into(), ..everywhere("app").file("usr/arm", 0o644, "arm64") };
    let data = support::Pkg { arch: "all".into(), ..pkg("data", "1:2.0").file("usr/share/data", 0o644, "x") };
    let mut archive = Archive::new(vec![everywhere("app"), other, data]);
    archive.release.insert("Architectures".into(), "all amd64 arm64".into());
    archive.release.insert("No-Support-for-Architecture-all".into(), "Packages".into());
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace("[\"amd64\"]", "[\"amd64\", \"arm64\"]"));
    desk.compose(&["demo.toml"]).ok();
    key(&desk, &archive.key);
    let run = desk.compose(&["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"]).ok();
    assert!(run.stdout.contains("3 packages, for amd64, arm64\n"), "{}", run.stdout);
    let read = |path: &str| fs::read_to_string(desk.path("carried").join(path)).unwrap();
    for (arch, size) in [("amd64", "app_1_amd64.deb"), ("arm64", "app_1_arm64.deb")] {
        let index = read(&format!("dists/stable/main/binary-{arch}/Packages"));
        assert!(index.contains(size) && index.contains("Filename: pool/main/data_1%3a2.0_all.deb\n"), "{index}");
        assert_eq!(index.matches("Package: ").count(), 2);
    }
    insta::with_settings!({ filters => vec![(r"Date: .*", "Date: DATE"), (r" [0-9a-f]{64} +\d+", " DIGEST SIZE")] }, {
        insta::assert_snapshot!("release", read("dists/stable/Release"));
    });
    // The archive's own key signs it, so that the manifest's signed-by is the right one.
    let there = carried(&desk, &["carried", "demo-amd64.oci.tar", "demo-arm64.oci.tar"]);
    let images = ["demo-amd64.oci.tar", "demo-arm64.oci.tar"].map(|name| (name, fs::read(there.path(name)).unwrap()));
    for args in [
        &["demo.toml", "--locked", "--offline", "--mirror", "file:carried"][..],
        &["demo.toml", "--update", "--offline", "--mirror", "file:carried"],
    ] {
        images.iter().for_each(|(name, _)| fs::remove_file(there.path(name)).unwrap());
        there.compose(args).ok();
        for (name, image) in &images {
            assert!(fs::read(there.path(name)).unwrap() == *image, "{name} {args:?}");
        }
    }
    // One alone; and the other is then said to be missing.
    desk.compose(&["vendor", "demo.toml", "arm", "--arch", "arm64"]).ok();
    assert!(
        !desk.path("arm/dists/stable/main/binary-amd64").exists()
            && !desk.path("arm/pool/main/app_1_amd64.deb").exists()
    );
    let there = carried(&desk, &["arm"]);
    there.compose(&["demo.toml", "--locked", "--offline", "--mirror", "file:arm", "--arch", "arm64"]).ok();
    assert_eq!(
        there.compose(&["demo.toml", "--locked", "--offline", "--mirror", "file:arm", "--arch", "amd64"]).code,
        Some(4)
    );
}

/// `[debian]` has three suites on two mirrors, and a company's repository a suite of the same name.
#[test]
fn debian_s_suites_and_one_more_of_the_same_name() {
    let archive = |suite: &str, origin: &str, version: &str, packages: Vec<support::Pkg>, key: &TestKey| {
        let mut archive = Archive::new(packages);
        archive.key = key.clone();
        for (field, value) in [("Suite", suite), ("Codename", suite), ("Origin", origin), ("Version", version)] {
            archive.release.insert(field.into(), value.into());
        }
        archive.files()
    };
    let key = TestKey::good(now());
    let os = pkg("base", "13").depends("libfixed (>= 2), tool").file("usr/base", 0o644, "x");
    let old = pkg("libfixed", "1").file("usr/lib/fixed", 0o644, "old");
    let new = pkg("libfixed", "2+deb13u1").file("usr/lib/fixed", 0o644, "new");
    let mut files = BTreeMap::new();
    let mut put = |root: &str, suite: &str, made: BTreeMap<String, Vec<u8>>| {
        for (path, bytes) in made {
            files.insert(format!("{root}/{}", path.replace("dists/stable/", &format!("dists/{suite}/"))), bytes);
        }
    };
    put("debian", "trixie", archive("trixie", "Debian", "13.8", vec![os, old], &key));
    put("debian", "trixie-updates", archive("trixie-updates", "Debian", "13-updates", vec![], &key));
    put("debian-security", "trixie-security", archive("trixie-security", "Debian", "13", vec![new], &key));
    put("acme", "trixie", archive("trixie", "Acme", "7", vec![pkg("tool", "9").file("usr/tool", 0o755, "x")], &key));
    let served = Served::start(files, key.armoured());
    let desk = Desk::new(&served, "", "");
    desk.manifest(&format!(
        "name = \"demo\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\n[[repositories]]\nname = \"acme\"\n\
         uris = [\"{}/acme\"]\nsuites = [\"trixie\"]\nsigned-by = \"key.asc\"\n[packages]\ninstall = [\"base\"]\n",
        served.url
    ));
    let mirror = format!("{}/debian", served.url);
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "--mirror", &mirror, "--signed-by", "key.asc"]).ok();
    self::key(&desk, &TestKey::good(now()));
    // What the mirror is does not matter for what is in the cache.
    let run = desk
        .compose(&["vendor", "demo.toml", "carried", "--offline", "--mirror", &mirror, "--sign-with", "secret.asc"])
        .ok();
    assert!(run.stdout.contains("suites: trixie (2), trixie-security (1), trixie-updates (0)\n"), "{}", run.stdout);
    let release = fs::read_to_string(desk.path("carried/dists/trixie/Release")).unwrap();
    assert!(release.starts_with("Origin: Debian\nSuite: trixie\nCodename: trixie\nVersion: 13.8\n"), "{release}");
    let there = carried(&desk, &["carried", "x.oci.tar"]);
    drop(served);
    let image = fs::read(there.path("x.oci.tar")).unwrap();
    for more in [&["--locked"][..], &["--update", "--signed-by", "carried/keyring.asc"]] {
        let args = [&["demo.toml", "-o", "y.oci.tar", "--offline", "--mirror", "file:carried"], more].concat();
        there.compose(&args).ok();
        assert!(fs::read(there.path("y.oci.tar")).unwrap() == image, "{more:?}");
    }
}

#[test]
fn one_path_with_two_contents_is_refused() {
    let key = TestKey::good(now());
    let arch = |arch: &str, what: &str| {
        let mut archive = Archive::new(vec![
            support::Pkg { arch: arch.into(), ..pkg("app", "1").depends("data") },
            support::Pkg { arch: "all".into(), ..pkg("data", "1").file("usr/data", 0o644, what) },
        ]);
        archive.key = key.clone();
        archive.release.insert("Architectures".into(), arch.into());
        archive.files()
    };
    let mut files = BTreeMap::new();
    for (root, made) in [("one", arch("amd64", "1")), ("two", arch("arm64", "2"))] {
        files.extend(made.into_iter().map(|(path, bytes)| (format!("{root}/{path}"), bytes)));
    }
    let served = Served::start(files, key.armoured());
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace(&served.url, &format!("{}/one", served.url)));
    desk.compose(&["lock", "demo.toml"]).ok();
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    // As when a mirror's file was rebuilt between two locks.
    let two = Desk::new(&served, "install = [\"app\"]", "");
    two.manifest(&manifest.replace(&served.url, &format!("{}/two", served.url)).replace("amd64", "arm64"));
    two.compose(&["lock", "demo.toml"]).ok();
    let other = fs::read_to_string(two.path("snapshots/demo.lock")).unwrap();
    let both = format!("{lock}\n{}", &other[other.find("[target.arm64]").unwrap()..]);
    fs::write(desk.path("snapshots/demo.lock"), both).unwrap();
    // What the other mirror has is in the cache.
    two.compose(&["demo.toml"]).ok();
    for entry in fs::read_dir(two.path("cache/debs")).unwrap() {
        let entry = entry.unwrap().path();
        fs::copy(&entry, desk.path("cache/debs").join(entry.file_name().unwrap())).unwrap();
    }
    snapshot!("clash", desk.refused(2, &served, &["vendor", "demo.toml", "carried"]));
}

#[test]
fn keys_that_can_sign_and_that_cannot() {
    let served = Archive::new(vec![pkg("app", "1").file("usr/app", 0o644, "x")]).serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let spec = TestKey::spec(now());
    let vendor = ["vendor", "demo.toml", "dir", "--sign-with", "secret.asc"];
    let resolve = ["lock", "demo.toml", "--offline", "--mirror", "file:dir", "--signed-by", "dir/keyring.asc"];
    let subkey = KeySpec { signs: false, subkey: Some(SubkeySpec::default()), ..spec.clone() };
    for (name, spec) in [
        ("a subkey", subkey.clone()),
        ("RSA", KeySpec { key: KeyType::Rsa(2048), ..spec.clone() }),
        ("P-256", KeySpec { key: KeyType::ECDSA(pgp::crypto::ecc_curve::ECCCurve::P256), ..spec.clone() }),
    ] {
        let key = TestKey::generate(&spec);
        for (form, bytes) in [
            ("armour", secret::armoured(&key, None).into_bytes()),
            ("binary", pgp::ser::Serialize::to_bytes(&secret::secret(&key, None)).unwrap()),
        ] {
            fs::write(desk.path("secret.asc"), bytes).unwrap();
            desk.compose(&vendor).ok();
            let first = listing(&desk.path("dir"));
            desk.compose(&vendor).ok();
            assert!(listing(&desk.path("dir")) == first, "{name}, {form}: the same bytes");
            desk.compose(&resolve).ok();
        }
        fs::write(desk.path("secret.asc"), secret::armoured(&key, Some("open sesame"))).unwrap();
        snapshot!("locked-key", desk.refused(2, &served, &vendor));
        let wrong = desk.run(desk.command(&vendor).env("COMPOSE_SIGN_PASSPHRASE", "wrong"));
        assert_eq!(wrong.code, Some(2), "{name}: {}", wrong.stderr);
        snapshot!("wrong-passphrase", desk.settled(&served, &wrong.stderr));
        desk.run(desk.command(&vendor).env("COMPOSE_SIGN_PASSPHRASE", "open sesame")).ok();
        desk.compose(&resolve).ok();
    }
    let unfit = |change: &dyn Fn(&mut KeySpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        secret::armoured(&TestKey::generate(&spec), None)
    };
    let both = spec_pair(&spec);
    for (name, text) in [
        ("expired-key", unfit(&|spec| spec.lifetime = Some(3600))),
        ("revoked-key", unfit(&|spec| spec.revoked = true)),
        ("key-that-may-not-sign", unfit(&|spec| spec.signs = false)),
        ("public-key", TestKey::generate(&spec).armoured()),
        ("no-key", "-----BEGIN\nhello".into()),
        ("empty-key", String::new()),
        ("two-keys", both),
    ] {
        fs::write(desk.path("secret.asc"), text).unwrap();
        snapshot!(name, desk.refused(2, &served, &vendor));
    }
    fs::remove_file(desk.path("secret.asc")).unwrap();
    snapshot!("no-key-file", desk.refused(2, &served, &vendor));
}

/// Two keys in one file.
fn spec_pair(spec: &KeySpec) -> String {
    let [one, two] =
        [0, 1].map(|_| pgp::ser::Serialize::to_bytes(&secret::secret(&TestKey::generate(spec), None)).unwrap());
    #[derive(Debug)]
    struct Raw(Vec<u8>);
    impl pgp::ser::Serialize for Raw {
        fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
            Ok(writer.write_all(&self.0)?)
        }
        fn write_len(&self) -> usize {
            self.0.len()
        }
    }
    let mut out = Vec::new();
    pgp::armor::write(&Raw([one, two].concat()), pgp::armor::BlockType::PrivateKey, &mut out, None, true).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn killed_at_any_moment_it_is_whole_or_not_there() {
    let App { served: _served, desk } = app();
    let start = Instant::now();
    desk.compose(&["vendor", "demo.toml", "dir"]).ok();
    // About how long a run takes; learnt, since the machine may be busier at one time than at another.
    let mut whole = start.elapsed();
    let wanted = listing(&desk.path("dir"));
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let mut killed = 0;
    for round in 0..30 {
        if round % 2 == 0 {
            fs::remove_dir_all(desk.path("dir")).unwrap();
        }
        killed += usize::from(desk.killed(&["vendor", "demo.toml", "dir"], &mut whole, random.gen_range(0.0..1.1)));
        if round % 2 == 1 || desk.path("dir").exists() {
            assert!(listing(&desk.path("dir")) == wanted, "round {round}");
        }
        desk.compose(&["vendor", "demo.toml", "dir"]).ok();
        assert!(listing(&desk.path("dir")) == wanted, "round {round}");
        assert_eq!(desk.left(), ["dir", "pylock.toml", "snapshots", "wheels", "x.oci.tar"], "round {round}");
    }
    assert!(killed > 5, "only {killed} of 30 runs were killed before they were done");
}

/// What a lock without URLs names: pip is asked where there is a network, and not where there is none.
#[test]
fn wheels_that_pip_brought_are_carried_too() {
    let on_path = std::env::var("PATH").unwrap();
    if !Command::new("pip").arg("--version").output().is_ok_and(|run| run.status.success()) {
        eprintln!("skipped: no pip on this machine");
        return;
    }
    let served = served();
    let native = fastmath();
    let pure = whl("fastmath", PURE, |wheel| wheel.file("fastmath/__init__.py", b"# slow\n"));
    let page = |wheels: &[&Whl]| -> String {
        wheels
            .iter()
            .map(|wheel| format!("<a href=\"/files/{0}#sha256={1}\">{0}</a>\n", wheel.file, wheel.sha256()))
            .collect()
    };
    native.publish(&served);
    pure.publish(&served);
    served.files.lock().unwrap().insert("simple/fastmath/".into(), page(&[&native, &pure]).into_bytes());
    let desk = python::desk(&served, "lock = \"requirements.txt\"", &[]);
    let text = format!("fastmath==1.0 --hash=sha256:{} --hash=sha256:{}\n", pure.sha256(), native.sha256());
    fs::write(desk.path("requirements.txt"), text).unwrap();
    let command = |desk: &Desk, args: &[&str]| {
        let mut command = desk.command(args);
        command.env("PATH", &on_path).env("PIP_CONFIG_FILE", "/dev/null").env("PIP_NO_CACHE_DIR", "1");
        command.env("PIP_RETRIES", "0").env("PIP_INDEX_URL", format!("{}/simple/", served.url));
        command
    };
    desk.run(&mut command(&desk, &["demo.toml", "-o", "x.oci.tar"])).ok();
    key(&desk, &TestKey::good(now()));
    fs::remove_dir_all(desk.path("cache")).unwrap();
    desk.run(&mut command(&desk, &["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"])).ok();
    let there = carried(&desk, &["carried", "requirements.txt", "x.oci.tar"]);
    let image = fs::read(there.path("x.oci.tar")).unwrap();
    for more in [&["--locked"][..], &["--update", "--signed-by", "carried/keyring.asc"]] {
        let args = [&["demo.toml", "-o", "y.oci.tar", "--offline", "--mirror", "file:carried"], more].concat();
        there.compose(&args).ok();
        assert!(fs::read(there.path("y.oci.tar")).unwrap() == image, "{more:?}");
        fs::remove_dir_all(there.path("cache")).unwrap();
    }
}

/// An archive whose indexes apt and others read: folded fields, an epoch, a package for all architectures.
fn for_apt() -> Desk {
    let tool = pkg("tool", "1:2.0-1")
        .depends("libtool1 (>= 1), data")
        .field("Section", "utils")
        .field("Description-md5", "0123456789abcdef0123456789abcdef")
        .file("usr/bin/tool", 0o755, program().needed("libtool.so.1").build());
    let data = support::Pkg {
        arch: "all".into(),
        ..pkg("data", "1").field("Tag", "a::b,\n c::d").file("usr/share/data", 0o644, "x")
    };
    let mut packages = python::packages();
    packages.extend([tool, library("libtool1", "1.0", 10, "libtool.so.1"), data]);
    let archive = Archive::new(packages);
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"tool\"]", "");
    desk.compose(&["lock", "demo.toml"]).ok();
    key(&desk, &TestKey::good(now()));
    desk.compose(&["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"]).ok();
    desk
}

#[test]
fn apt_itself_takes_packages_from_it() {
    let (Some(apt), Some(_)) = (tool("apt-get"), tool("dpkg")) else { return };
    let desk = for_apt();
    let root = desk.path("apt");
    for folder in [
        "etc/apt/preferences.d",
        "etc/apt/apt.conf.d",
        "etc/apt/trusted.gpg.d",
        "state/lists/partial",
        "cache/archives/partial",
        "log",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("state/status"), "").unwrap();
    fs::write(root.join("apt.conf"), "").unwrap();
    let (dir, root_) = (desk.path("carried"), root.display());
    let list = format!("deb [signed-by={0}/keyring.asc] file:{0} stable main\n", dir.display());
    fs::write(root.join("etc/apt/sources.list"), list).unwrap();
    let options = [
        format!("Dir::Etc={root_}/etc/apt"),
        format!("Dir::State={root_}/state"),
        format!("Dir::State::status={root_}/state/status"),
        format!("Dir::Cache={root_}/cache"),
        format!("Dir::Log={root_}/log"),
        format!("Dir::Etc::sourceparts={root_}/etc/apt/preferences.d"),
        "APT::Architecture=amd64".into(),
        "APT::Architectures=amd64".into(),
        "APT::Sandbox::User=root".into(),
        "Acquire::Languages=none".into(),
        "APT::Get::List-Cleanup=false".into(),
    ];
    let run = |args: &[&str]| {
        let mut command = Command::new(&apt);
        options.iter().for_each(|option| _ = command.args(["-o", option]));
        let output = command
            .args(args)
            .env("APT_CONFIG", root.join("apt.conf"))
            .env("LC_ALL", "C")
            .current_dir(&root)
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {text}");
        text
    };
    let told = run(&["update", "-o", "APT::Update::Error-Mode=any"]);
    assert!(!told.contains("W:") && !told.contains("E:"), "{told}");
    let told = run(&["install", "--simulate", "tool"]);
    for line in ["Inst tool (1:2.0-1", "Inst libtool1 (1.0", "Inst data (1", "Inst libc6 (2.41-12"] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    run(&["download", "tool", "data"]);
    for (name, deb) in [("tool_1%3a2.0-1_amd64.deb", "tool_1%3a2.0-1_amd64.deb"), ("data_1_all.deb", "data_1_all.deb")]
    {
        let [theirs, ours] = [root.join(name), dir.join("pool/main").join(deb)].map(|path| fs::read(path).unwrap());
        assert!(theirs == ours, "{name}");
    }
    // And what was changed it does not take.
    let deb = dir.join("pool/main/data_1_all.deb");
    let mut bytes = fs::read(&deb).unwrap();
    bytes[100] ^= 1;
    fs::write(&deb, bytes).unwrap();
    fs::remove_file(root.join("data_1_all.deb")).unwrap();
    let mut command = Command::new(&apt);
    options.iter().for_each(|option| _ = command.args(["-o", option]));
    let output = command.args(["download", "data"]).env("LC_ALL", "C").current_dir(&root).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn gpgv_finds_both_signatures_good() {
    let Some(gpgv) = tool("gpgv") else { return };
    let desk = for_apt();
    let at = |name: &str| desk.path("carried").join(name);
    let armour = fs::read(at("keyring.asc")).unwrap();
    let (key, _) =
        <pgp::composed::SignedPublicKey as pgp::composed::Deserializable>::from_armor_single(&armour[..]).unwrap();
    fs::write(desk.path("keyring.pgp"), pgp::ser::Serialize::to_bytes(&key).unwrap()).unwrap();
    let folder = at("dists/stable");
    for files in [&["InRelease"][..], &["Release.gpg", "Release"]] {
        let mut command = Command::new(&gpgv);
        command
            .arg("--keyring")
            .arg(desk.path("keyring.pgp"))
            .args(["--output", "-"])
            .args(files[..1].iter().map(|f| folder.join(f)).collect::<Vec<_>>());
        command.args(files[1..].iter().map(|f| folder.join(f)));
        let output = command.env("GNUPGHOME", desk.dir.path()).output().unwrap();
        assert!(output.status.success(), "{files:?}: {}", String::from_utf8_lossy(&output.stderr));
        if files.len() == 1 {
            assert!(output.stdout == fs::read(folder.join("Release")).unwrap(), "the text of both is the same");
        }
    }
}

#[test]
fn a_key_of_gpg_s_own_signs() {
    let (Some(gpg), Some(gpgv)) = (tool("gpg"), tool("gpgv")) else { return };
    let desk = for_apt();
    let home = desk.path("gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    for (algorithm, passphrase) in [("ed25519", ""), ("rsa2048", "a b“c”")] {
        let name = format!("{algorithm} <{algorithm}@example.com>");
        let run = |args: &[&str]| {
            let mut command = Command::new(&gpg);
            command.arg("--homedir").arg(&home).args([
                "--batch",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                passphrase,
            ]);
            let output = command.args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        run(&["--quick-gen-key", &name, algorithm, "sign", "1y"]);
        fs::write(desk.path("secret.asc"), run(&["--armor", "--export-secret-keys", &name])).unwrap();
        fs::write(desk.path("public.pgp"), run(&["--export", &name])).unwrap();
        let mut command = desk.command(&["vendor", "demo.toml", "carried", "--sign-with", "secret.asc"]);
        desk.run(command.env("COMPOSE_SIGN_PASSPHRASE", passphrase)).ok();
        let mut command = Command::new(&gpgv);
        command.arg("--keyring").arg(desk.path("public.pgp")).arg(desk.path("carried/dists/stable/InRelease"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{algorithm}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let _ = Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).status();
}

/// Paragraphs as maps, by Filename; folded values with single blanks.
fn paragraphs(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let of = |paragraph: compose::control::Paragraph<'_>| -> BTreeMap<String, String> {
        let plain = |value: &str| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        paragraph.fields().map(|(name, value)| (name.to_owned(), plain(value))).collect()
    };
    let all = compose::control::Paragraphs::new(text).map(|paragraph| of(paragraph.unwrap()));
    all.map(|fields| (fields["Filename"].trim_start_matches("./").to_owned(), fields)).collect()
}

#[test]
fn dpkg_scanpackages_says_the_same() {
    let Some(scan) = tool("dpkg-scanpackages") else { return };
    let desk = for_apt();
    let output =
        Command::new(scan).args(["--multiversion", "pool"]).current_dir(desk.path("carried")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut theirs = paragraphs(&String::from_utf8(output.stdout).unwrap());
    let ours = fs::read_to_string(desk.path("carried/dists/stable/main/binary-amd64/Packages")).unwrap();
    let mut ours = paragraphs(&ours);
    assert!(ours.len() >= 4);
    for fields in theirs.values_mut().chain(ours.values_mut()) {
        // Weaker digests, and what theirs takes from the package although it is the index's.
        ["MD5sum", "SHA1", "Description-Md5"].iter().for_each(|field| _ = fields.remove(*field));
        let name = fields.get_mut("Filename").unwrap();
        *name = name.trim_start_matches("./").to_owned();
    }
    assert_eq!(ours, theirs);
}
