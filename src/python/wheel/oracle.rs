//! The same wheels installed by pip, where the machine has it: the same files with the same bytes and execute bits.
//!
//! `COMPOSE_TEST_WHEELS=DIR` names a directory of real wheels to compare as well, such as `pip download` fills.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use super::{Layout, Limits, Wheel, testing::Parts};
use crate::base::{RootPath, Sha256};
use crate::python::WheelName;

/// pip, but for the question whether the wheel is for the Python that runs pip.
const PIP: &str = "\
import sys
from pip._internal.models.wheel import Wheel
Wheel.supported = lambda *_: True
Wheel.find_most_preferred_tag = lambda *_: 0
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))";

/// The version of the Python that runs pip; none where there is no pip that can be spoken to.
fn python() -> Option<(u32, u32)> {
    let program = "import pip._internal.cli.main, pip._internal.models.wheel, sys; print(*sys.version_info[:2])";
    let out = Command::new("python3").args(["-c", program]).output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

type Files = BTreeMap<String, (Sha256, bool)>;

/// What pip installs of a wheel below `prefix`: paths relative to it.
fn by_pip(wheel: &Path, prefix: &Path) -> Files {
    let out = Command::new("python3")
        .args(["-c", PIP, "install", "--no-deps", "--no-index", "--no-compile", "--ignore-requires-python"])
        .args(["--ignore-installed", "--no-warn-script-location", "--disable-pip-version-check", "--quiet", "--prefix"])
        .args([prefix, wheel])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}: {}", wheel.display(), String::from_utf8_lossy(&out.stderr));
    let mut found = Files::new();
    let mut folders = vec![prefix.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let executable = fs::metadata(&path).unwrap().permissions().mode() & 0o111 != 0;
            let (sha256, _) = Sha256::of_reader(File::open(&path).unwrap()).unwrap();
            found.insert(path.strip_prefix(prefix).unwrap().to_str().unwrap().into(), (sha256, executable));
        }
    }
    found
}

/// What is written by whoever installs, and so differs; scripts have another interpreter's path in them.
fn own(path: &str) -> bool {
    let in_dist_info = path.split('/').nth(3).is_some_and(|part| part.ends_with(".dist-info"));
    in_dist_info && ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"].iter().any(|name| path.ends_with(name))
}

/// Compares, and says how many files are the same.
fn compare(path: &Path, minor: (u32, u32)) -> usize {
    let file_name = path.file_name().unwrap().to_str().unwrap();
    let prefix = tempfile::tempdir().unwrap();
    let pip = by_pip(path, prefix.path());
    let mut wheel = Wheel::open(path, &WheelName::parse(file_name).unwrap(), &Limits::default()).unwrap();
    let layout = Layout::prefix(&RootPath::root(), minor).unwrap();
    let mut ours = Files::new();
    let mut scripts = Vec::new();
    for planned in wheel.plan(&layout, &|_, _, _| true).unwrap() {
        let mut bytes = Vec::new();
        wheel.read(&planned, &mut bytes).unwrap();
        let path = planned.path.to_string()[1..].to_owned();
        if path.starts_with("bin/") && bytes.starts_with(b"#!/bin/python") {
            scripts.push(path.clone());
        }
        ours.insert(path, (planned.sha256, planned.mode == 0o755));
    }
    let paths = |files: &Files| files.keys().filter(|path| !own(path)).cloned().collect::<Vec<_>>();
    assert_eq!(paths(&ours), paths(&pip), "{file_name}");
    for (path, (sha256, executable)) in ours.iter().filter(|(path, _)| !own(path)) {
        assert_eq!(*executable, pip[path].1, "{file_name}: {path}");
        assert!(scripts.contains(path) || *sha256 == pip[path].0, "{file_name}: {path} differs");
    }
    ours.len()
}

#[test]
fn installs_what_pip_installs() {
    let Some(minor) = python() else {
        eprintln!("skipped: no python3 with pip");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Foo_Bar-1.2-py3-none-any.whl");
    let parts = Parts::new("Foo_Bar", "1.2", "py3-none-any")
        .file("foo/__init__.py", b"x = 1\n")
        .entry("foo/tool.sh", b"#!/bin/sh\n", 0o100_755)
        .entry("foo/secret.py", b"", 0o100_600)
        .file("foo/a,\"b\".txt", b"x")
        .file("foo/_vendor/other-1.dist-info/METADATA", b"vendored\n")
        .info("entry_points.txt", b"[console_scripts]\nfoo = foo.cli:main\n[gui_scripts]\nfoo-gui = foo:App.run\n")
        .info("sboms/a.cdx.json", b"{}\n")
        // pip leaves a script without execute bits that has none in the wheel; here each gets them.
        .entry("Foo_Bar-1.2.data/scripts/tool", b"#!python\nprint(1)\n", 0o100_755)
        .entry("Foo_Bar-1.2.data/scripts/binary", b"\x7fELF", 0o100_755)
        .data("data/share/foo/x", b"data\n")
        .data("purelib/foo/pure.py", b"p\n")
        .data("platlib/foo/plat.py", b"p\n");
    fs::write(&path, parts.build()).unwrap();
    assert_eq!(compare(&path, minor), 18);
}

#[test]
fn real_wheels() {
    let (Some(folder), Some(minor)) = (std::env::var_os("COMPOSE_TEST_WHEELS"), python()) else {
        eprintln!("skipped: COMPOSE_TEST_WHEELS names no directory of wheels, or there is no pip");
        return;
    };
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "whl") {
            eprintln!("{}: {} files", path.display(), compare(&path, minor));
        }
    }
}
