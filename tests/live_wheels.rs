//! Ten wheels of `tests/wheels/needs.tsv`: compose finds the needs that were measured, and they work in the image.
//! `tests/wheels/run` does the work, and all of them. Without a mirror, pip or root the test says that it skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// Small, and each of another kind: C alone, Rust, C++ that fails silently without its library, libraries of its own,
/// libraries of the system, libraries loaded by name, a big dependency of half the others.
const TEN: [&str; 10] = [
    "markupsafe",
    "cryptography",
    "protobuf",
    "pillow",
    "greenlet",
    "lxml",
    "psycopg-binary",
    "pyodbc",
    "pyzbar",
    "numpy",
];

/// What `tests/wheels/run` says when this machine lacks something.
const CANNOT: i32 = 4;

#[test]
fn needs_are_as_measured_and_the_wheels_work() {
    let cache = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wheels/run");
    let mut command = Command::new("python3");
    command.args([script, "--together", "--compose", env!("CARGO_BIN_EXE_compose")]).args(TEN);
    let Ok(run) = command.env("COMPOSE_CACHE", cache.path()).output() else {
        eprintln!("skipped: python3 is not on this machine");
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if run.status.code() == Some(CANNOT) {
        eprintln!("{err}");
        return;
    }
    println!("{out}");
    assert!(run.status.success(), "{out}{err}");
    for name in TEN {
        assert!(out.lines().any(|line| line.starts_with(&format!("| {name} |")) && line.ends_with("| yes |")), "{out}");
    }
}
