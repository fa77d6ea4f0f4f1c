//! The shipped manifest, composed from this machine's Debian mirror, and run. Without a mirror each test says that it
//! skipped; so does what needs root.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/secret.rs"]
mod secret;
#[expect(dead_code, reason = "this test needs a part of it")]
#[path = "support/signing.rs"]
mod signing;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

/// Outputs of one build, made once for all tests here.
struct Built {
    dir: tempfile::TempDir,
}

fn compose(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    command.args(args).current_dir(dir).env("COMPOSE_CACHE", dir.join("cache")).output().unwrap()
}

fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<Built>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/python3.toml"), dir.path().join("python3.toml"))
            .unwrap();
        let args =
            ["python3.toml", "-o", "rootfs/", "-o", "x.tar", "-o", "x.tar.gz", "-o", "x.oci.tar", "-o", "oci:layout"];
        let run = compose(dir.path(), &args);
        match run.status.code() {
            Some(0) => Some(Built { dir }),
            // No network is no fault; anything else is.
            Some(4) => None,
            _ => panic!("{}", String::from_utf8_lossy(&run.stderr)),
        }
    });
    if built.is_none() {
        eprintln!("skipped: no Debian mirror can be reached");
    }
    built.as_ref().map(|built| built.dir.path())
}

fn root() -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        eprintln!("skipped: chroot needs root");
    }
    root
}

/// `tests/rootfs.py` in the rootfs as uid 65532 with an empty environment.
fn try_out(rootfs: &Path) {
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rootfs.py"), rootfs.join("tmp/rootfs.py")).unwrap();
    // ctypes.util.find_library opens it; a container runtime brings it.
    let null = rootfs.join("dev/null");
    let made = Command::new("mknod").args(["-m", "666"]).arg(&null).args(["c", "1", "3"]).status().unwrap();
    assert!(made.success(), "a device node cannot be made here");
    let run = Command::new("chroot")
        .arg("--userspec=65532:65532")
        .arg(rootfs)
        .args(["/usr/bin/python3", "-I", "/tmp/rootfs.py"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    fs::remove_file(null).unwrap();
    fs::remove_file(rootfs.join("tmp/rootfs.py")).unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    println!("{out}{err}");
    assert!(run.status.success(), "{out}{err}");
    let imported: usize = out.lines().find_map(|line| line.strip_prefix("imported ")).unwrap().parse().unwrap();
    assert!(imported > 500, "only {imported} modules were found");
}

#[test]
fn python_does_what_programs_expect() {
    let Some(dir) = built().filter(|_| root()) else { return };
    try_out(&dir.join("rootfs"));
}

#[test]
fn what_umoci_unpacks_works_too() {
    let Some(dir) = built().filter(|_| root()) else { return };
    let Ok(tags) = Command::new("umoci").args(["list", "--layout", "layout"]).current_dir(dir).output() else {
        eprintln!("skipped: umoci is not on this machine");
        return;
    };
    let tag = String::from_utf8(tags.stdout).unwrap().lines().next().unwrap().to_owned();
    let image = format!("layout:{tag}");
    let run = Command::new("umoci").args(["unpack", "--image", &image, "bundle"]).current_dir(dir).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    try_out(&dir.join("bundle/rootfs"));
}

#[test]
fn it_is_as_small_as_promised_and_has_no_shell() {
    let Some(dir) = built() else { return };
    let size = |name: &str| fs::metadata(dir.join(name)).unwrap().len();
    let (plain, layer) = (size("x.tar"), size("x.tar.gz"));
    println!("plain tar {plain} bytes, gzip layer {layer} bytes");
    assert!(plain <= 43_000_000 && layer <= 15_500_000, "{plain} and {layer} bytes");
    let mut todo = vec![dir.join("rootfs")];
    let mut licences = 0;
    while let Some(path) = todo.pop() {
        let info = fs::symlink_metadata(&path).unwrap();
        if info.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(!["sh", "bash", "dash", "busybox", "zsh", "ksh"].contains(&&*name), "{}", path.display());
        licences += usize::from(name == "copyright");
        if info.is_file() && std::os::unix::fs::PermissionsExt::mode(&info.permissions()) & 0o111 != 0 {
            let bytes = fs::read(&path).unwrap();
            let first = String::from_utf8_lossy(bytes.split(|&b| b == b'\n').next().unwrap_or_default()).into_owned();
            assert!(!first.starts_with("#!") || first.contains("python"), "{}: {first}", path.display());
        }
    }
    assert!(licences > 20, "only {licences} copyright files");
}

#[test]
fn the_library_cache_is_what_glibcs_own_ldconfig_writes() {
    let Some(dir) = built().filter(|_| root()) else { return };
    let cache: PathBuf = dir.join("rootfs/etc/ld.so.cache");
    let ours = fs::read(&cache).unwrap();
    let copy = dir.join("theirs");
    assert!(Command::new("cp").args(["-a"]).arg(dir.join("rootfs")).arg(&copy).status().unwrap().success());
    let run = Command::new(copy.join("usr/sbin/ldconfig")).arg("-r").arg(&copy).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(fs::read(copy.join("etc/ld.so.cache")).unwrap() == ours, "ld.so.cache differs");
}

#[test]
fn a_second_build_from_the_lock_alone_gives_the_same_bytes() {
    let Some(dir) = built() else { return };
    let other = tempfile::tempdir().unwrap();
    fs::copy(dir.join("python3.toml"), other.path().join("python3.toml")).unwrap();
    fs::create_dir(other.path().join("snapshots")).unwrap();
    fs::copy(dir.join("snapshots/python3.lock"), other.path().join("snapshots/python3.lock")).unwrap();
    let run = compose(other.path(), &["python3.toml", "--locked", "-j", "1", "-o", "x.oci.tar"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(fs::read(other.path().join("x.oci.tar")).unwrap() == fs::read(dir.join("x.oci.tar")).unwrap());
}

#[test]
fn the_image_is_what_its_lock_says() {
    let Some(dir) = built() else { return };
    // A folder of its own: what is verified must not find what was built beside it.
    let other = tempfile::tempdir().unwrap();
    fs::copy(dir.join("python3.toml"), other.path().join("python3.toml")).unwrap();
    fs::create_dir(other.path().join("snapshots")).unwrap();
    fs::copy(dir.join("snapshots/python3.lock"), other.path().join("snapshots/python3.lock")).unwrap();
    let image = |name: &str| dir.join(name).to_string_lossy().into_owned();
    // From an empty cache once; then what was made of the packages is taken from it.
    let mut runs = vec![vec!["verify".into(), "python3.toml".into(), image("x.oci.tar")]];
    runs.extend(
        ["x.tar", "x.tar.gz", "layout"]
            .map(|name| vec!["verify".into(), "python3.toml".into(), image(name), "--with-store".into()]),
    );
    for args in runs {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = compose(other.path(), &args);
        assert!(
            run.status.success(),
            "{args:?}: {}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

/// Carried to where there is neither a mirror nor a cache: from the lock, and resolved anew.
#[test]
fn a_vendored_folder_builds_the_same_image() {
    let Some(dir) = built() else { return };
    let other = tempfile::tempdir().unwrap();
    fs::copy(dir.join("python3.toml"), other.path().join("python3.toml")).unwrap();
    fs::create_dir(other.path().join("snapshots")).unwrap();
    fs::copy(dir.join("snapshots/python3.lock"), other.path().join("snapshots/python3.lock")).unwrap();
    let key = signing::TestKey::good(jiff::Timestamp::now().as_second());
    fs::write(other.path().join("secret.asc"), secret::armoured(&key, None)).unwrap();
    let run = |cache: &Path, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
        command.args(args).current_dir(other.path()).env("COMPOSE_CACHE", cache).env_remove("COMPOSE_MIRROR");
        let run = command.output().unwrap();
        assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
        println!("{}", String::from_utf8_lossy(&run.stdout));
    };
    run(&dir.join("cache"), &["vendor", "python3.toml", "carried", "--sign-with", "secret.asc"]);
    let carried = ["--offline", "--mirror", "file:carried", "-o", "x.oci.tar"];
    let signed = ["--update", "--signed-by", "carried/keyring.asc"];
    for (cache, more) in [("one", &["--locked"][..]), ("two", &signed)] {
        run(&other.path().join(cache), &[&["python3.toml"], &carried[..], more].concat());
        assert!(
            fs::read(other.path().join("x.oci.tar")).unwrap() == fs::read(dir.join("x.oci.tar")).unwrap(),
            "{more:?}"
        );
    }
}
