//! Wheels that load libraries by name, on the real binary: what finds the library comes along with it, and only then.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use support::{Archive, Desk, Pkg, Served, pkg, wheel};

fn packages() -> Vec<Pkg> {
    let lib = |name: &str| format!("usr/lib/x86_64-linux-gnu/{name}");
    vec![
        pkg("libc6", "2.41-12").file(&lib("libc.so.6"), 0o755, "c"),
        pkg("libc-bin", "2.41-12").depends("libc6 (>= 2.41)").file("usr/sbin/ldconfig", 0o755, "ldconfig"),
        pkg("python3.13-minimal", "3.13.5-2").depends("libc6").file("usr/bin/python3.13", 0o755, "python"),
        pkg("libzbar0t64", "0.23.93-8").depends("libc6").file(&lib("libzbar.so.0"), 0o644, "zbar"),
        pkg("libmagic1t64", "1:5.46-5").depends("libc6").file(&lib("libmagic.so.1"), 0o644, "magic"),
    ]
}

/// A desk with wheels of these projects, and `[python]` with more in it.
fn desk(packages: Vec<Pkg>, projects: &[&str], more: &str) -> (Served, Desk) {
    let served = Archive::new(packages).serve();
    let rest = format!("[python]\nwheels = [\"*.whl\"]\n{more}\n");
    let desk = Desk::new(&served, "install = [\"python3.13-minimal\"]", &rest);
    for project in projects {
        let (name, tags) = (project.replace('-', "_"), "py3-none-any");
        let bytes = wheel::wheel(&name, "1.0", tags, &[(&format!("{name}.py"), b"")]);
        fs::write(desk.path(&wheel::file_name(&name, "1.0", tags)), bytes).unwrap();
    }
    (served, desk)
}

fn lock(desk: &Desk) -> String {
    desk.compose(&["lock", "demo.toml"]).ok();
    fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap()
}

#[test]
fn what_finds_a_library_comes_with_it() {
    let (_served, desk) = desk(packages(), &["pyzbar"], "");
    let text = lock(&desk);
    assert!(text.contains("needs = [\"file:/usr/sbin/ldconfig\", \"libzbar.so.0\"]"), "{text}");
    assert!(text.contains("{ what = \"file:/usr/sbin/ldconfig\", clause = \"libc-bin\" }"), "{text}");
    let (_, libc_bin) = text.split_once("name = \"libc-bin\"").unwrap();
    assert!(libc_bin.split("[[").next().unwrap().contains("required-by = [\"wheel:pyzbar\"]"), "{text}");
    let why = desk.compose(&["why", "demo.toml", "libc-bin"]).ok();
    assert!(why.stdout.contains("pyzbar"), "{}", why.stdout);
}

#[test]
fn a_project_with_another_way_to_its_library_does_without() {
    let (_served, desk) = desk(packages(), &["python-magic"], "");
    let text = lock(&desk);
    assert!(text.contains("libmagic1t64") && !text.contains("libc-bin"), "{text}");
}

#[test]
fn an_ignored_library_is_not_looked_for() {
    let (_served, desk) = desk(packages(), &["pyzbar"], "ignore-needs = [\"libzbar.so.0\"]");
    let text = lock(&desk);
    assert!(!text.contains("libzbar0t64") && !text.contains("libc-bin"), "{text}");
}

#[test]
fn without_a_package_that_has_it_is_an_error() {
    let mut few = packages();
    few.retain(|package| package.name != "libc-bin");
    let (_served, desk) = desk(few, &["pyzbar"], "");
    let run = desk.compose(&["lock", "demo.toml"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("file:/usr/sbin/ldconfig, which the wheel pyzbar needs"), "{}", run.stderr);
    assert!(run.stderr.contains("ignore-needs = [\"libzbar.so.0\"]"), "{}", run.stderr);
}
