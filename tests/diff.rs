//! `compose diff` on the real binary: two builds of a changed archive and manifest, in every pair of forms.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Archive, Desk, Served, pkg};

fn before() -> Archive {
    Archive::new(vec![
        pkg("app", "1.0-1")
            .depends("libapp, gone, same, debconf")
            .file("usr/bin/app", 0o755, vec![b'a'; 20_000])
            .file("usr/bin/tool", 0o755, "tool")
            .link("usr/bin/app-link", "app"),
        pkg("libapp", "2.1-1").file("usr/lib/libapp.txt", 0o644, "library\n"),
        pkg("gone", "3").file("usr/share/gone", 0o644, "gone\n"),
        pkg("same", "1").file("usr/share/same", 0o644, "same\n"),
    ])
}

fn after() -> Archive {
    Archive::new(vec![
        pkg("app", "1.0-1+deb13u1")
            .depends("libapp, new, same")
            .file("usr/bin/app", 0o755, vec![b'b'; 20_000])
            .file("usr/bin/tool", 0o644, "tool, longer")
            .link("usr/bin/app-link", "tool"),
        pkg("libapp", "2.1~rc1-1").file("usr/lib/libapp.txt", 0o644, "library\n"),
        pkg("new", "0.1").file("usr/share/new|`x`", 0o644, "new\n"),
        pkg("same", "1").file("usr/share/same", 0o644, "same\n"),
    ])
}

const BEFORE: &str = "[image]\nentrypoint = [\"/usr/bin/app\"]\nenv = { LANG = \"C.UTF-8\" }\n";
const AFTER: &str =
    "[[files]]\npath = \"/app/own.txt\"\ncontent = \"mine\"\n[image]\nentrypoint = [\"/usr/bin/app\", \"-v\"]\n";

fn built(archive: &Archive, rest: &str) -> (Served, Desk) {
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", rest);
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "-o", "x.tar"]).ok();
    (served, desk)
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ filters => [(r"20\d\d-\d\d-\d\dT[0-9:]+Z", "DATE")] }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Two builds; those of the first are called `old` beside the second's.
fn two() -> (Served, Desk) {
    let (_old_served, old) = built(&before(), BEFORE);
    let (served, desk) = built(&after(), AFTER);
    for (from, to) in [("x.oci.tar", "old.oci.tar"), ("x.tar", "old.tar"), ("snapshots/demo.lock", "old.lock")] {
        fs::copy(old.path(from), desk.path(to)).unwrap();
    }
    (served, desk)
}

#[test]
fn what_is_different_is_told() {
    let (served, desk) = two();
    let shown = |args: &[&str]| desk.settled(&served, &desk.compose(&[&["diff"], args].concat()).ok().stdout);
    snapshot("images", &shown(&["old.oci.tar", "x.oci.tar"]));
    snapshot("markdown", &shown(&["old.oci.tar", "x.oci.tar", "--format", "markdown"]));
    snapshot("json", &shown(&["old.oci.tar", "x.oci.tar", "--format", "json"]));
    snapshot("locks", &shown(&["old.lock", "snapshots/demo.lock"]));
    snapshot("few", &shown(&["old.tar", "x.tar", "--show", "1"]));
}

#[test]
fn any_two_forms_tell_the_same_of_packages() {
    let (_served, desk) = two();
    let packages = |from: &str, to: &str| -> Vec<(String, String, Value, Value)> {
        let run = desk.compose(&["diff", from, to, "--format", "json"]).ok();
        let said: Value = serde_json::from_str(&run.stdout).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let packages = said["packages"].as_array().unwrap().iter();
        packages.map(|p| (word(&p["name"]), word(&p["change"]), p["from"].clone(), p["to"].clone())).collect()
    };
    let wanted = packages("old.lock", "snapshots/demo.lock");
    let kinds: Vec<_> = wanted.iter().map(|(name, change, ..)| format!("{name} {change}")).collect();
    assert_eq!(kinds, ["app upgraded", "gone removed", "libapp downgraded", "new added"]);
    for from in ["old.lock", "old.oci.tar", "old.tar"] {
        for to in ["snapshots/demo.lock", "x.oci.tar", "x.tar", "demo.toml"] {
            assert_eq!(packages(from, to), wanted, "{from} {to}");
        }
    }
}

#[test]
fn the_exit_code_tells_on_request() {
    let (_served, desk) = two();
    for (args, code) in [
        (&["diff", "x.oci.tar", "x.oci.tar", "--exit-code", "--times"][..], 0),
        (&["diff", "x.oci.tar", "x.tar", "--exit-code"], 0),
        (&["diff", "demo.toml", "x.tar", "--exit-code"], 0),
        (&["diff", "snapshots/demo.lock", "x.tar", "--exit-code"], 0),
        (&["diff", "old.tar", "x.tar"], 0),
        (&["diff", "old.tar", "x.tar", "--exit-code"], 7),
        (&["diff", "old.tar", "nowhere"], 2),
        (&["diff", "old.tar"], 2),
    ] {
        let run = desk.compose(args);
        assert_eq!(run.code, Some(code), "{args:?}: {}{}", run.stdout, run.stderr);
    }
    let same = desk.compose(&["diff", "x.oci.tar", "x.tar"]).ok().stdout;
    assert!(same.contains("no difference in packages and files"), "{same}");
}
