//! Pythons that Debian's release does not have: `manifests/python3.14.toml` from its lock, and
//! `manifests/python-tarball.toml` with a Python of this machine, composed from its Debian mirror, and run. Without a
//! mirror, root, or a Python that has a folder of its own, a test says that it skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use compose::base::Sha256;

const MANIFEST: &str = include_str!("../manifests/python-tarball.toml");

const PROGRAM: &str = "
import ctypes, json, os, pwd, sqlite3, ssl, sys, zlib, zoneinfo
assert os.getuid() == 65532 and pwd.getpwuid(65532).pw_name == 'nonroot'
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert zoneinfo.ZoneInfo('Europe/Berlin').key == 'Europe/Berlin'
assert sqlite3.connect(':memory:').execute('select 6 * 7').fetchone() == (42,)
assert os.path.exists(json.__cached__), json.__cached__
print(sys.version)
";

fn root() -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        eprintln!("skipped: chroot needs root");
    }
    root
}

/// Composes `rootfs/`; false without a mirror.
fn composed(dir: &Path, args: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    command.args(args).args(["-o", "rootfs/"]).current_dir(dir).env("COMPOSE_CACHE", dir.join("cache"));
    let run = command.output().unwrap();
    match run.status.code() {
        Some(0) => true,
        Some(4) => {
            eprintln!("skipped: the Debian mirror cannot be reached, or has not the packages");
            false
        }
        _ => panic!("{}", String::from_utf8_lossy(&run.stderr)),
    }
}

/// Runs the program in the rootfs as its user, with nothing in the environment.
fn try_out(dir: &Path, python: &str, prefix: &str) {
    let run = Command::new("chroot")
        .arg("--userspec=65532:65532")
        .arg(dir.join("rootfs"))
        .args([python, "-I", "-c", &format!("{PROGRAM}assert sys.prefix == '{prefix}', sys.prefix")])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    println!("{out}{err}");
    assert!(run.status.success(), "{out}{err}");
}

/// The folder of a Python that was built for it: not Debian's, whose parts are all over `/usr`.
fn prefix() -> Option<(PathBuf, String)> {
    let say = "import sys; print(sys.base_prefix); print('%d.%d' % sys.version_info[:2])";
    let run = ["python3.14", "python3.13", "python3.12", "python3"].into_iter().find_map(|name| {
        let run = Command::new(name).args(["-I", "-c", say]).output().ok().filter(|run| run.status.success())?;
        let text = String::from_utf8(run.stdout).ok()?;
        let (prefix, minor) = text.trim().split_once('\n')?;
        (prefix != "/usr").then(|| (PathBuf::from(prefix), minor.to_owned()))
    });
    if run.is_none() {
        eprintln!("skipped: no Python on this machine has a folder of its own");
    }
    run
}

#[test]
fn a_python_that_debian_does_not_ship() {
    if !root() {
        return;
    }
    let Some((prefix, minor)) = prefix() else { return };
    let dir = tempfile::tempdir().unwrap();
    let tarball = dir.path().join("python.tar.zst");
    let mut tar = tar::Builder::new(zstd::Encoder::new(fs::File::create(&tarball).unwrap(), 1).unwrap());
    tar.follow_symlinks(false);
    // The library's own folder and the program: what others were installed into the prefix is no part of the test.
    let library = format!("lib/python{minor}");
    for name in fs::read_dir(prefix.join(&library)).unwrap().map(|entry| entry.unwrap().file_name()) {
        let name = name.to_string_lossy().into_owned();
        let (from, to) = (prefix.join(&library).join(&name), format!("./{library}/{name}"));
        match from.is_dir() {
            true if ["site-packages", "test", "__pycache__"].contains(&&*name) => {}
            true => tar.append_dir_all(to, from).unwrap(),
            false => tar.append_path_with_name(from, to).unwrap(),
        }
    }
    for name in fs::read_dir(prefix.join("lib")).unwrap().map(|entry| entry.unwrap().file_name()) {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("libpython") {
            tar.append_path_with_name(prefix.join("lib").join(&name), format!("./lib/{name}")).unwrap();
        }
    }
    let program = format!("bin/python{minor}");
    tar.append_path_with_name(prefix.join(&program), format!("./{program}")).unwrap();
    tar.into_inner().unwrap().finish().unwrap();

    let sha256 = Sha256::of(&fs::read(&tarball).unwrap()).hex();
    let manifest = MANIFEST.replace(&"0".repeat(64), &sha256);
    assert_ne!(manifest, MANIFEST);
    fs::write(dir.path().join("python-tarball.toml"), manifest).unwrap();
    if !composed(dir.path(), &["python-tarball.toml"]) {
        return;
    }
    let lock = fs::read_to_string(dir.path().join("snapshots/python-tarball.lock")).unwrap();
    assert!(lock.contains("required-by = [\"tarball:python.tar.zst\"]"), "{lock}");
    try_out(dir.path(), &format!("/usr/local/{program}"), "/usr/local");
}

#[test]
fn a_python_of_debians_next_release() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("snapshots")).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(own.join("manifests/python3.14.toml"), dir.path().join("python3.14.toml")).unwrap();
    let lock = "snapshots/python3.14.lock";
    fs::copy(own.join(lock), dir.path().join(lock)).unwrap();
    // A mirror that has moved on, where the archive of snapshots cannot be reached, is no fault.
    if composed(dir.path(), &["python3.14.toml", "--locked"]) {
        try_out(dir.path(), "/usr/bin/python3.14", "/usr");
    }
}
