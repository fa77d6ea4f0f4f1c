//! What the binary says of its choices: `lock` with prices and a proof, `why`, `graph`; every report snapshotted.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use support::{Archive, Desk, Pkg, Served, pkg};

fn sized(name: &str, version: &str, size: u32) -> Pkg {
    pkg(name, version).field("Installed-Size", &size.to_string())
}

/// Two ways to show something, a tool with three makers, a library that two need, and something that is cut.
fn packages() -> Vec<Pkg> {
    vec![
        sized("app", "1:1.0", 30)
            .field("Pre-Depends", "libc (>= 2)")
            .depends("gtk | tui, pager, debconf (>= 1) | debconf-2.0, libz"),
        sized("gtk", "4.0", 900).depends("libz, theme"),
        sized("theme", "1", 50),
        sized("tui", "0.9", 40).depends("libz (>= 1.2), terms"),
        sized("terms", "6", 25),
        sized("less", "1.3", 100).field("Provides", "pager"),
        sized("most", "5.2", 700).field("Provides", "pager"),
        sized("bad-pager", "9", 1).field("Provides", "pager").field("Conflicts", "libz"),
        sized("libz", "1.3", 60)
            .depends("libc")
            .dir("usr", 0o755)
            .dir("usr/lib", 0o755)
            .file("usr/lib/libz.so.1.3", 0o644, "z")
            .link("usr/lib/libz.so.1", "libz.so.1.3"),
        sized("libc", "2.41", 1000),
        sized("lonely", "1", 5),
    ]
}

fn desk(install: &str, rest: &str) -> (Served, Desk) {
    let served = Archive::new(packages()).serve();
    let desk = Desk::new(&served, install, rest);
    (served, desk)
}

/// Another archive in place of the one served, for a machine that has seen neither.
fn replaced(desk: &Desk, old: Served, packages: Vec<Pkg>) -> Served {
    let new = Archive::new(packages).serve();
    let text = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&text.replace(&old.url, &new.url));
    fs::write(desk.path("key.asc"), &new.key).unwrap();
    fs::remove_dir_all(desk.path("cache")).unwrap();
    new
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => vec![(r"\d{4}-\d\d-\d\dT[\d:]+Z", "DATE"), ("http://127[^ ]*", "URL")] }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn lock_says_what_was_chosen_and_what_changed() {
    let (served, desk) = desk("install = [\"app\"]", "");
    snapshot!("lock-first", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    snapshot!("lock-again", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    // Another archive at the same manifest: one newer, one gone, and a new dependency.
    let mut changed = packages();
    changed.retain(|package| package.name != "tui");
    changed.iter_mut().filter(|package| package.name == "libz").for_each(|package| package.version = "1.4".into());
    let _served = replaced(&desk, served, changed);
    snapshot!("lock-changed", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    let json = desk.compose(&["lock", "demo.toml", "--format", "json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["targets"][0]["choices"][0]["relation"], "pager");
    assert_eq!(json["targets"][0]["choices"][0]["instead"][0]["more"], 600);
    assert_eq!((json["unit"].as_str(), json["targets"][0]["proven-minimal"].as_bool()), (Some("KiB"), Some(true)));
}

#[test]
fn prices_are_in_what_is_minimized_and_preferences_are_honoured() {
    let (_served, desk) = desk("install = [\"app\"]\nminimize = \"packages\"\nprefer = [\"gtk\", \"bad-pager\"]", "");
    snapshot!("lock-preferring", desk.compose(&["lock", "demo.toml"]).ok().stdout);
}

/// Fewer packages at a larger size: the fields of the objective must not borrow from one another.
#[test]
fn prices_are_exact() {
    let packages = vec![
        sized("app", "1", 10).depends("a | b"),
        sized("a", "1", 50).depends("c"),
        sized("c", "1", 50),
        sized("b", "1", 105),
    ];
    let served = Archive::new(packages).serve();
    for (minimize, line) in [
        ("installed-size", "chosen: a 1 for `a | b` of app 1; instead: b 1 (+5 KiB)"),
        ("packages", "chosen: b 1 for `a | b` of app 1; instead: a 1 (+1 packages)"),
    ] {
        let desk = Desk::new(&served, &format!("install = [\"app\"]\nminimize = \"{minimize}\""), "");
        let run = desk.compose(&["lock", "demo.toml"]).ok();
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
}

#[test]
fn an_older_lock_keeps_its_reasons() {
    let (served, desk) = desk("install = [\"app\"]", "");
    desk.compose(&["lock", "demo.toml"]).ok();
    let mut changed = packages();
    changed.push(sized("libz", "1.5", 61).depends("libc"));
    let _served = replaced(&desk, served, changed);
    let run = desk.compose(&["why", "demo.toml", "libz"]).ok();
    assert!(run.stdout.contains("libz 1.3") && run.stdout.contains("app 1:1.0 depends on `libz`"), "{}", run.stdout);
    // A signature that is none is no reason to look elsewhere.
    fs::write(desk.path("key.asc"), &Archive::new(Vec::new()).serve().key).unwrap();
    assert_eq!(desk.compose(&["why", "demo.toml", "libz"]).code, Some(5));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (_served, desk) = desk("install = [\"app\"]", "");
    let line = format!(
        "{} graph demo.toml | true; {} lock demo.toml --format json > /dev/full",
        env!("CARGO_BIN_EXE_compose"),
        env!("CARGO_BIN_EXE_compose")
    );
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &line]).current_dir(desk.dir.path()).env("COMPOSE_CACHE", desk.path("cache"));
    let run = desk.run(&mut shell);
    assert_eq!(run.code, Some(8), "{}", run.stderr);
    assert!(
        !run.stderr.contains("panicked") && run.stderr.contains("cannot write to standard output"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_proof_is_written_whole_or_not_at_all() {
    let (_served, desk) = desk("install = [\"app\"]\nprovided = []\nforbid = [\"less\"]", "");
    let run = desk.compose(&["lock", "demo.toml", "--proof", "x.opb"]);
    // debconf is in no index, and nothing is provided.
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("demo.toml") || run.stderr.contains("line 5"), "{}", run.stderr);
    assert!(desk.left().is_empty(), "{:?}", desk.left());
    desk.manifest(&fs::read_to_string(desk.path("demo.toml")).unwrap().replace("provided = []\n", ""));
    let run = desk.compose(&["lock", "demo.toml", "--proof", "nowhere/x.opb"]);
    assert_eq!(run.code, Some(8), "{}", run.stderr);
    assert!(run.stderr.contains("cannot write the proof nowhere/x.opb"), "{}", run.stderr);
    desk.compose(&["lock", "demo.toml", "--proof", "x.opb"]).ok();
    snapshot!("proof", fs::read_to_string(desk.path("x.opb")).unwrap());
}

#[test]
fn why_tells_the_shortest_chain() {
    let (served, desk) = desk("install = [\"app\", \"lonely | terms\"]", "");
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let why = |what: &str| desk.compose(&["why", "demo.toml", what]);
    let mut told = String::new();
    for what in [
        "terms",
        "libc",
        "lonely",
        "pager",
        "/usr/lib/libz.so.1.3",
        "/lib/libz.so.1",
        "libz.so.1",
        "/etc/passwd",
        "debconf",
        "gtk",
    ] {
        told += &format!("$ compose why demo.toml {what}\n{}\n", why(what).ok().stdout);
    }
    snapshot!("why", told);
    for (what, part) in [("libzz", "did you mean libz?"), ("/usr/nothing", "no such path"), ("/../x", "“/../x”")] {
        let run = why(what);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{what}: {}", run.stderr);
        assert!(run.stderr.contains(part), "{what}: {}", run.stderr);
    }
    snapshot!("why-json", desk.compose(&["why", "demo.toml", "tui", "--format", "json"]).ok().stdout);
    // Without the archive the locked packages speak for themselves; what else would do they do not know.
    drop(served);
    let run = desk.compose(&["why", "demo.toml", "tui", "--offline"]).ok();
    assert!(run.stderr.contains("reading the locked packages themselves"), "{}", run.stderr);
    snapshot!("why-offline", run.stdout);
}

#[test]
fn why_without_a_lock_writes_none() {
    let (_served, desk) = desk("install = [\"app\"]", "");
    desk.compose(&["why", "demo.toml", "less"]).ok();
    assert!(desk.left().is_empty(), "{:?}", desk.left());
}

#[test]
fn graph_draws_the_closure() {
    let (_served, desk) = desk("install = [\"app\"]", "");
    snapshot!("graph-dot", desk.compose(&["graph", "demo.toml"]).ok().stdout);
    snapshot!("graph-mermaid", desk.compose(&["graph", "demo.toml", "--format", "mermaid"]).ok().stdout);
    let Some(dot) = support::tool("dot") else { return };
    desk.manifest(&fs::read_to_string(desk.path("demo.toml")).unwrap());
    let drawing = desk.path("x.dot");
    fs::write(&drawing, desk.compose(&["graph", "demo.toml"]).ok().stdout).unwrap();
    assert!(std::process::Command::new(dot).args(["-Tsvg", "-o/dev/null"]).arg(drawing).status().unwrap().success());
}

#[test]
fn help_of_the_questions() {
    let (_served, desk) = desk("install = [\"app\"]", "");
    for command in ["why", "graph"] {
        let run = desk.compose(&[command, "--help"]).ok();
        insta::assert_snapshot!(format!("help-{command}"), run.stdout);
    }
}
