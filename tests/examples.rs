//! The applications of `manifests/NAME/`, composed from this machine's mirror and index, and run by `tests/examples.py` as
//! a container runtime would; and refused when what they need is forbidden. Prints a table of sizes. Without a mirror, pip,
//! openssl or root the test says that it skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

use support::shipped::{copy, manifests};

/// An example, and what is taken from it: a line for `[packages]` or `[policy]`, the exit code then, and what is said.
struct Example {
    name: &'static str,
    refused: &'static [(&'static str, &'static str, i32, &'static [&'static str])],
}

const NO_SOLUTION: i32 = 3;
const NETWORK: i32 = 4;
const POLICY: i32 = 6;

const EXAMPLES: [Example; 9] = [
    Example {
        name: "version",
        refused: &[(
            "[packages]",
            r#"forbid = ["libpython3.13-minimal"]"#,
            NO_SOLUTION,
            &["`python3-minimal` is asked for (packages.install, line 1", "libpython3.13-minimal is forbidden"],
        )],
    },
    Example {
        name: "hello-world",
        refused: &[(
            "[packages]",
            r#"forbid = ["zlib1g"]"#,
            NO_SOLUTION,
            &["depends on `zlib1g (>= ", "zlib1g is forbidden (packages.forbid)"],
        )],
    },
    Example {
        name: "flask",
        refused: &[
            (
                "[packages]",
                r#"forbid = ["libssl3t64"]"#,
                NO_SOLUTION,
                &["depends on `libssl3t64 (>= ", "libssl3t64 is forbidden (packages.forbid)"],
            ),
            (
                "[policy]",
                r#"wheels = ["markupsafe"]"#,
                POLICY,
                &["[forbidden-wheel] the wheel markupsafe: version ", "policy.wheels has “markupsafe”"],
            ),
        ],
    },
    Example {
        name: "fastapi",
        refused: &[(
            "[policy]",
            r#"wheels = ["uvloop", "httptools"]"#,
            POLICY,
            &["the wheel uvloop: version ", "the wheel httptools: version ", "take it out of the application's lock"],
        )],
    },
    Example {
        name: "pandas",
        refused: &[("[packages]", NO_CPP, NO_SOLUTION, &["by the wheel numpy and the wheel pandas", NO_CPP_WORDS])],
    },
    Example {
        name: "grpc",
        refused: &[("[packages]", NO_CPP, NO_SOLUTION, &["by the wheel grpcio and the wheel protobuf", NO_CPP_WORDS])],
    },
    Example {
        name: "kubernetes",
        refused: &[
            ("[packages]", NO_CPP, NO_SOLUTION, &["`libstdc++.so.6` is needed by the wheel ", NO_CPP_WORDS]),
            ("[policy]", r#"wheels = ["py*"]"#, POLICY, &["the wheel pyyaml: version ", "policy.wheels has “py*”"]),
        ],
    },
    Example {
        name: "ctypes",
        refused: &[(
            "[packages]",
            r#"forbid = ["libsodium23"]"#,
            NO_SOLUTION,
            &["`soname:libsodium.so.23` is asked for", "libsodium23 is forbidden (packages.forbid)"],
        )],
    },
    Example {
        name: "worker",
        refused: &[(
            "[packages]",
            r#"forbid = ["libsqlite3-0"]"#,
            NO_SOLUTION,
            &["depends on `libsqlite3-0 (>= ", "take libsqlite3-0 out of packages.forbid"],
        )],
    },
];

const NO_CPP: &str = r#"forbid = ["libstdc++6"]"#;
const NO_CPP_WORDS: &str = "libstdc++6 is forbidden (packages.forbid)";

/// Namespaces of its own, which end with it.
const CAGE: [&str; 8] = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn works(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|run| run.status.success())
}

/// What was downloaded and unpacked stays for the next run of the tests.
fn compose(folder: &Path, args: &[&str]) -> Output {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    command.args(args).current_dir(folder).env("COMPOSE_CACHE", cache).env("NO_COLOR", "1").output().unwrap()
}

/// The CA of the gRPC example, for it and for the API server that another one asks.
fn certificates(folder: &Path) {
    let from = manifests().join("grpc/certificates");
    fs::copy(from, folder.join("certificates")).unwrap();
    let run = Command::new(folder.join("certificates")).output().unwrap();
    assert!(run.status.success(), "{}", said(&run));
}

/// Composes an example: its line of the table, or nothing if there is no network.
fn composed(example: &Example, folder: &Path) -> Option<String> {
    let name = example.name;
    let outputs = ["rootfs/", "x.tar", "x.oci.tar"].map(|output| ["-o", output]).concat();
    let run = compose(folder, &[&[&*format!("{name}.toml")], &outputs[..]].concat());
    if run.status.code() == Some(NETWORK) {
        eprintln!("skipped: {name}: {}", said(&run));
        return None;
    }
    assert_eq!(run.status.code(), Some(0), "{name}: {}", said(&run));
    let lock = fs::read_to_string(folder.join(format!("snapshots/{name}.lock"))).unwrap();
    let count = |what: &str| lock.lines().filter(|line| line.ends_with(&format!(".{what}]]"))).count();
    let size = |file: &str| fs::metadata(folder.join(file)).unwrap().len() as f64 / 1e6;
    let (packages, wheels) = (count("package"), count("wheel"));
    Some(format!("| {name} | {packages} | {wheels} | {:.1} | {:.1} |", size("x.tar"), size("x.oci.tar")))
}

/// Runs it, if this machine can: `tests/examples.py` says what it should do.
fn runs(name: &str, folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples.py");
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "300", "unshare"]).args(CAGE).args(["python3", script, name]);
    let run = command.current_dir(folder).args(["rootfs", "x.oci.tar", "."]).output().unwrap();
    assert!(run.status.success() && run.stdout == b"works\n", "{name}: {}", said(&run));
}

/// Takes from it what it needs, one thing at a time.
fn refused(example: &Example, folder: &Path) {
    let manifest = format!("{}.toml", example.name);
    let text = fs::read_to_string(folder.join(&manifest)).unwrap();
    for (table, line, code, words) in example.refused {
        let other = text.replacen(&format!("\n{table}\n"), &format!("\n{table}\n{line}\n"), 1);
        assert!(other != text, "{manifest} has no {table}");
        fs::write(folder.join(&manifest), other).unwrap();
        let run = compose(folder, &[&manifest, "--update", "-o", "refused.tar"]);
        let said = said(&run);
        assert_eq!(run.status.code(), Some(*code), "{manifest} with {line}: {said}");
        for word in *words {
            assert!(said.contains(word), "{manifest} with {line}: no “{word}” in\n{said}");
        }
        assert!(!folder.join("refused.tar").exists(), "{manifest} with {line}: written all the same");
    }
}

#[test]
fn each_works_as_in_production_and_not_without_what_it_needs() {
    let caged = rustix::process::getuid().is_root() && works("unshare", &[&CAGE[..], &["true"]].concat());
    if !caged {
        eprintln!("skipped: running the examples needs root, and namespaces");
    }
    let openssl = works("openssl", &["version"]);
    let mut table =
        "| example | packages | wheels | plain tar, MB | .oci.tar, MB |\n|---|---|---|---|---|\n".to_owned();
    for example in &EXAMPLES {
        let needs_certificates = ["grpc", "kubernetes"].contains(&example.name);
        if needs_certificates && !openssl {
            eprintln!("skipped: {}: openssl is not on this machine", example.name);
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        copy(&manifests().join(example.name), dir.path());
        if needs_certificates {
            certificates(dir.path());
        }
        let Some(line) = composed(example, dir.path()) else { continue };
        if caged {
            runs(example.name, dir.path());
        }
        refused(example, dir.path());
        writeln!(table, "{line}").unwrap();
    }
    // Measured when the work began; see the README.
    table += "| distroless python3-debian13 | 38 | | 59.5 | 20.8–22.7 |\n| python:3.13-slim | | | | 43.0 |\n";
    println!("{table}");
}

/// They hold on every index, and none is recommended; and every application is tried above.
#[test]
fn locks_have_no_address_and_each_application_is_an_example() {
    let mut locks = 0;
    for folder in fs::read_dir(manifests()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!folder.join("app").is_dir() || EXAMPLES.iter().any(|example| example.name == name), "{name}");
        for lock in ["poetry.lock", "uv.lock", "pylock.toml", "requirements.txt", "Pipfile.lock"] {
            let Ok(text) = fs::read_to_string(folder.join(lock)) else { continue };
            locks += 1;
            let address = text.split("://").skip(1).find(|rest| !rest.starts_with("example.com/"));
            assert_eq!(address.and_then(|rest| rest.split('"').next()), None, "{name}/{lock}");
        }
    }
    assert!(locks >= 5, "only {locks} locks");
}
