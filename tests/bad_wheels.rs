//! Wheels that cannot be installed, or not safely, on the real binary: each way to go wrong, and what is said of it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use support::{
    Archive, Desk, Served,
    elf::Fixture,
    pkg,
    python::{LIB, NATIVE, PURE, SITE, Whl, desk, fastmath, greeter, module, native, packages, program, served, whl},
    wheel::Parts,
};

const LOCAL: &str = "wheels = [\"wheels/*.whl\"]";

/// What is said of one wheel alone.
#[track_caller]
fn said(code: i32, served: &Served, wheel: &Whl) -> String {
    desk(served, LOCAL, std::slice::from_ref(wheel)).refused(code, served, &["demo.toml"])
}

#[test]
fn for_another_python_machine_or_c_library() {
    let served = served();
    for (snapshot, tags) in [
        ("tags-python", "cp312-cp312-manylinux_2_17_x86_64"),
        ("tags-machine", "cp313-cp313-manylinux_2_17_aarch64"),
        ("tags-musl", "cp313-cp313-musllinux_1_2_x86_64"),
        ("tags-glibc", "cp313-cp313-manylinux_2_42_x86_64"),
        ("tags-threads", "cp313-cp313t-manylinux_2_17_x86_64"),
        ("tags-windows", "cp313-cp313-win_amd64"),
        ("tags-pypy", "pp311-pypy311_pp73-manylinux_2_17_x86_64"),
    ] {
        insta::assert_snapshot!(snapshot, said(2, &served, &whl("x", tags, |wheel| wheel)));
    }
    // Several, and each says why not.
    let two = [whl("x", "cp312-cp312-win_amd64", |wheel| wheel), whl("x", "cp314-none-any", |wheel| wheel)];
    insta::assert_snapshot!("tags-several", desk(&served, LOCAL, &two).refused(2, &served, &["demo.toml"]));
    let versions = [greeter(), Whl { file: "greeter-2.0-py3-none-any.whl".into(), ..greeter() }];
    insta::assert_snapshot!("two-versions", desk(&served, LOCAL, &versions).refused(2, &served, &["demo.toml"]));
    // The tag is right, and the wheel says otherwise.
    let metadata = b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\nRequires-Python: >=3.14\n";
    insta::assert_snapshot!(
        "requires-python",
        said(2, &served, &whl("x", PURE, |wheel| wheel.info("METADATA", metadata)))
    );
    // Tagged for less than it wants.
    let newer = Fixture::new().wants("libc.so.6", &["GLIBC_2.17", "GLIBC_2.42"]);
    insta::assert_snapshot!("newer-glibc", said(6, &served, &native("x", newer)));
    let newer = module().wants("libstdc++.so.6", &["GLIBCXX_3.4.99"]);
    insta::assert_snapshot!("newer-libstdcxx", said(6, &served, &native("x", newer)));
}

#[test]
fn damaged_or_hostile() {
    let served = served();
    let with = |change: &dyn Fn(Parts) -> Parts| whl("x", PURE, change);
    let zeros = vec![0; 70 << 20];
    for (snapshot, wheel) in [
        ("record-digest", with(&|wheel| wheel.unrecorded("x.py", b"evil").row(&Parts::row_of("x.py", b"good")))),
        ("record-missing", with(&|wheel| wheel.unrecorded("x.py", b"evil"))),
        ("record-absent", with(&|wheel| wheel.row(&Parts::row_of("x.py", b"good")))),
        ("no-record", with(&|wheel| Parts { record: Some("none".into()), ..wheel })),
        ("traversal", with(&|wheel| wheel.file("../../../../etc/passwd", b"root::0:0"))),
        ("absolute", with(&|wheel| wheel.file("/etc/passwd", b"root::0:0"))),
        ("data-traversal", with(&|wheel| wheel.data("data/../../etc/passwd", b"root::0:0"))),
        ("symlink", with(&|wheel| wheel.entry("x", b"/etc/passwd", 0o120_777))),
        ("other-dist-info", with(&|wheel| wheel.data("purelib/pip-1.dist-info/METADATA", b""))),
        ("bomb", with(&|wheel| wheel.file("zeros", &zeros))),
        ("renamed", Whl { file: "y-1.0-py3-none-any.whl".into(), ..with(&|wheel| wheel) }),
        ("not-a-zip", Whl { file: "x-1.0-py3-none-any.whl".into(), bytes: b"<html>404</html>".repeat(20) }),
        ("empty", Whl { file: "x-1.0-py3-none-any.whl".into(), bytes: Vec::new() }),
        ("entry-point", with(&|wheel| wheel.info("entry_points.txt", b"[console_scripts]\n../x = a:b\n"))),
    ] {
        insta::assert_snapshot!(snapshot, said(5, &served, &wheel));
    }
    let mut cut = greeter();
    cut.bytes.truncate(cut.bytes.len() - 30);
    insta::assert_snapshot!("truncated-wheel", said(5, &served, &cut));
    insta::assert_snapshot!("no-wheel-name", said(2, &served, &Whl { file: "x.whl".into(), ..greeter() }));
    let short = fastmath_elf()[..200].to_vec();
    let short = whl("x", NATIVE, |wheel| wheel.file("x/_core.so", &short));
    insta::assert_snapshot!("truncated-elf", said(6, &served, &short));
    // What is taken out of the image does no harm.
    let rest = format!("{LOCAL}\n[rootfs]\nremove = [\"/{SITE}/x/_core.so\"]");
    desk(&served, &rest, &[short]).compose(&["demo.toml", "-o", "x.tar"]).ok();
}

fn fastmath_elf() -> Vec<u8> {
    module().needed("libstdc++.so.6").build()
}

#[test]
fn without_a_python_or_a_c_library() {
    let mut all = packages();
    all.push(pkg("python3.14-minimal", "3.14.0-1").file("usr/bin/python3.14", 0o755, "#!/bin/false\n"));
    let served = Archive::new(all).serve();
    for (snapshot, install) in
        [("no-python", "install = [\"libc6\"]"), ("no-libc", "install = [\"python3.14-minimal\"]")]
    {
        let desk = Desk::new(&served, install, &format!("[python]\n{LOCAL}\n"));
        greeter().put(&desk);
        insta::assert_snapshot!(snapshot, desk.refused(2, &served, &["demo.toml"]));
    }
}

#[test]
fn libraries_that_nobody_ships() {
    let served = served();
    let wheels = [
        native("drivers", module().needed("libmimerapi.so").needed("libodbc.so.1").needed("libstdc++.so.6")),
        native("again", module().needed("libmimerapi.so")),
    ];
    let desk = desk(&served, LOCAL, &wheels);
    insta::assert_snapshot!("unprovided", desk.refused(3, &served, &["demo.toml"]));
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace(LOCAL, &format!("{LOCAL}\nignore-needs = [\"libmimerapi.so\", \"libodbc.so.1\"]")));
    let run = desk.compose(&["demo.toml", "-o", "r/"]).ok();
    assert!(!run.stdout.contains("libmimerapi") && !run.stdout.contains("warning"), "{}", run.stdout);
    assert!(desk.path("r").join(LIB).join("libstdc++.so.6").exists());
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    assert!(lock.contains("needs = [\"libstdc++.so.6\"]") && !lock.contains("libmimerapi"), "{lock}");
    desk.compose(&["demo.toml", "-o", "r/", "--force", "--locked", "--offline"]).ok();
}

/// Two wheels of which each needs the other's Python.
#[test]
fn what_a_wheel_needs_brings_another_python() {
    let mut all = packages();
    let newer = pkg("python3.14-minimal", "3.14.0-1").field("Installed-Size", "7000").depends("libc6");
    all.push(newer.file("usr/bin/python3.14", 0o755, program().build()));
    let elf = module().soname("libnew.so.1").build();
    all.push(pkg("libnew1", "1").depends("python3.14-minimal").file(&format!("{LIB}/libnew.so.1"), 0o644, elf));
    let served = Archive::new(all).serve();
    let desk = Desk::new(&served, "install = [\"python3.13-minimal\"]", &format!("[python]\n{LOCAL}\n"));
    native("x", module().needed("libnew.so.1")).put(&desk);
    insta::assert_snapshot!("another-python", desk.refused(2, &served, &["demo.toml"]));
    let other =
        |elf: Fixture| whl("x", "cp314-cp314-manylinux_2_17_x86_64", |wheel| wheel.file("x/_core.so", &elf.build()));
    other(module()).put(&desk);
    insta::assert_snapshot!("unstable-python", desk.refused(3, &served, &["demo.toml"]));
    // With a wheel that needs the same, it settles on the newer one.
    other(module().needed("libnew.so.1")).put(&desk);
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    assert!(desk.path("r/usr/local/lib/python3.14/dist-packages/x/_core.so").exists());
}

/// What is in the cache was fit for one Python, and may not be for the next.
#[test]
fn a_wheel_that_the_next_python_does_not_suit() {
    let mut archive = Archive::new(packages());
    let served = archive.serve();
    let metadata = b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\nRequires-Python: <3.13.6\n";
    let desk = desk(&served, LOCAL, &[whl("x", PURE, |wheel| wheel.info("METADATA", metadata))]);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let newer = archive.packages.iter_mut().find(|package| package.name == "python3.13-minimal");
    newer.unwrap().version = "3.13.6-1".into();
    *served.files.lock().unwrap() = archive.files();
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let run = desk.compose(&["demo.toml", "-o", "x.tar", "--update"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("wants Python <3.13.6, and the image has 3.13.6"), "{}", run.stderr);
}

/// One wheel has the library of another, where no loader looks: whoever imports the first before may have it.
#[test]
fn a_library_in_another_wheel() {
    let served = served();
    let holder =
        whl("holder", NATIVE, |wheel| wheel.file("holder.libs/libheld.so.1", &module().soname("libheld.so.1").build()));
    let user = native("user", module().needed("libheld.so.1"));
    let desk = desk(&served, LOCAL, &[holder, user.clone()]);
    let run = desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let warnings: Vec<&str> = run.stdout.lines().filter(|line| line.contains("warning")).collect();
    insta::assert_snapshot!("in-another-wheel", warnings.join("\n"));
    // Where the loader looks it is as good as any.
    native("user", module().needed("libheld.so.1").runpath("$ORIGIN/../holder.libs")).put(&desk);
    let run = desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
}

#[test]
fn an_archive_without_contents() {
    let archive = Archive::new(packages());
    let mut files = archive.files();
    files.retain(|name, _| !name.contains("Contents"));
    let release = files.get_mut("dists/stable/InRelease").unwrap();
    let text = String::from_utf8(release.clone()).unwrap();
    let plain: Vec<&str> = text.lines().skip(3).take_while(|line| !line.starts_with("-----BEGIN")).collect();
    let plain: String =
        plain.iter().filter(|line| !line.contains("Contents")).map(|line| format!("{line}\n")).collect();
    *release = archive.key.clearsign(&plain, jiff::Timestamp::now().as_second()).into_bytes();
    let served = Served::start(files, archive.key.armoured());
    // The check of the image judges in its place.
    insta::assert_snapshot!("no-contents", said(6, &served, &fastmath()));
    let table = format!("[python]\n{LOCAL}\n");
    let desk = Desk::new(&served, "install = [\"python3\", \"libstdc++6\"]", &table);
    fastmath().put(&desk);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let desk = Desk::new(&served, "install = [\"file:/usr/bin/git\"]", "");
    insta::assert_snapshot!("no-contents-file", desk.refused(3, &served, &["demo.toml"]));
    // What needs no look-up needs no index of contents.
    self::desk(&served, LOCAL, &[greeter()]).compose(&["demo.toml", "-o", "x.tar"]).ok();
}

#[test]
fn programs_and_libraries_for_other_machines_are_told_of() {
    let served = served();
    const ARM: u16 = 183;
    let wheel = whl("x", NATIVE, |wheel| {
        let helper = program().machine(ARM).needed("libfoo.so.1");
        wheel.entry("x/helper-arm64", &helper.build(), 0o100_755)
    });
    let desk = desk(&served, LOCAL, &[wheel]);
    let run = desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    let warnings: Vec<&str> = run.stdout.lines().filter(|line| line.contains("warning")).collect();
    insta::assert_snapshot!("foreign-machine", warnings.join("\n"));
}
