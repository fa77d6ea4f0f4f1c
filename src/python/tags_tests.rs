#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use super::*;
use crate::{base::Arch, python::environment::Environment};

fn env(arch: Arch, python: &str, glibc: (u32, u32)) -> Environment {
    Environment::new(arch, python.parse().unwrap(), glibc)
}

fn wheel(tags: &str) -> WheelName {
    WheelName::parse(&format!("a-1-{tags}.whl")).unwrap()
}

/// `packaging`, as pip carries it, told to be on another machine.
const ORACLE: &str = r#"
import sys
from pip._vendor.packaging import tags, _manylinux
arch, major, minor, glibc = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
_manylinux._get_glibc_version = lambda: (2, glibc)
_manylinux._have_compatible_abi = lambda *a: True
_manylinux._is_compatible = lambda *a: a[-1] <= (2, glibc)
try:
    platforms = list(_manylinux.platform_tags([arch]))
except (TypeError, AttributeError):  # before packaging 23
    platforms = list(_manylinux.platform_tags("linux_" + arch, arch))
platforms.append("linux_" + arch)
own = f"cp{major}{minor}"
for tag in tags.cpython_tags((major, minor), [own], platforms): print(tag)
for tag in tags.compatible_tags((major, minor), own, platforms): print(tag)
"#;

#[test]
fn the_order_is_packaging_s() {
    for arch in Arch::ALL {
        for (minor, glibc) in [(13, 41), (9, 12), (14, 17)] {
            let env = env(arch, &format!("3.{minor}.1"), (2, glibc));
            let machine = crate::python::environment::machine(arch);
            let run = Command::new("python3")
                .args(["-c", ORACLE, machine, "3", &minor.to_string(), &glibc.to_string()])
                .output();
            let Some(run) = run.ok().filter(|run| run.status.success()) else {
                eprintln!("skipped: no python3 whose pip carries packaging");
                return;
            };
            let ours: Vec<String> = env.tags().in_order().map(|(p, a, s)| format!("{p}-{a}-{s}")).collect();
            let theirs = String::from_utf8(run.stdout).unwrap();
            assert_eq!(ours, theirs.lines().collect::<Vec<_>>(), "{arch} 3.{minor} glibc 2.{glibc}");
        }
    }
}

#[test]
fn better_tags_rank_lower() {
    let tags = env(Arch::Amd64, "3.13.5", (2, 41)).tags();
    let order = [
        "cp313-cp313-manylinux_2_41_x86_64",
        "cp312.cp313-cp312.cp313-manylinux_2_28_x86_64.manylinux_2_17_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp313-cp313-manylinux2014_x86_64",
        "cp313-cp313-manylinux1_x86_64",
        "cp313-cp313-linux_x86_64",
        "cp313-abi3-linux_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "py3-none-manylinux_2_28_x86_64",
        "cp313-none-any",
        "py2.py3-none-any",
        "py30-none-any",
    ];
    let ranks: Vec<usize> = order.iter().map(|tag| tags.rank(&wheel(tag)).expect(tag)).collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
}

#[test]
fn of_equal_wheels_the_highest_build_is_taken_then_the_first_name() {
    let tags = env(Arch::Amd64, "3.13.5", (2, 41)).tags();
    let names =
        ["a-1-py3-none-any.whl", "a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "A-1-10-py3-none-any.whl"];
    let wheels: Vec<WheelName> = names.iter().map(|name| WheelName::parse(name).unwrap()).collect();
    let best = tags.best(wheels.iter().map(|wheel| (wheel, ()))).unwrap();
    assert_eq!(best.0.as_str(), "A-1-10-py3-none-any.whl");
}

#[test]
fn what_does_not_fit_says_why() {
    let tags = env(Arch::Amd64, "3.13.5", (2, 41)).tags();
    for (tag, why) in [
        ("cp312-cp312-manylinux_2_28_x86_64", "it is for CPython 3.12, not 3.13"),
        ("cp314-abi3-manylinux_2_28_x86_64", "it is for CPython 3.14 or newer, not 3.13"),
        ("cp313-cp313t-manylinux_2_28_x86_64", "it is for the free-threaded build of CPython 3.13"),
        ("cp314-cp314t-manylinux_2_28_x86_64", "it is for free-threaded CPython 3.14, not 3.13"),
        ("cp313-cp313-manylinux_2_28_aarch64", "it is for aarch64, not x86_64"),
        ("cp313-cp313-manylinux2014_i686", "it is for i686, not x86_64"),
        ("cp313-cp313-linux_armv7l", "it is for armv7l, not x86_64"),
        ("cp313-cp313-musllinux_1_2_x86_64", "it is for musl, the image has glibc"),
        ("cp313-cp313-manylinux_2_45_x86_64", "it wants glibc 2.45, the image has 2.41"),
        ("cp313-cp313-win_amd64", "it is for Windows, not Linux"),
        ("py3-none-win32", "it is for Windows, not Linux"),
        ("cp313-cp313-macosx_11_0_arm64", "it is for macOS, not Linux"),
        ("cp313-cp313-plan9_mips", "it is for the platform “plan9_mips”, not Linux"),
        ("pp311-pypy311_pp73-manylinux_2_28_x86_64", "it is for PyPy, not CPython"),
        ("py2-none-any", "it is for Python 2, not 3.13"),
        ("py314-none-any", "it is for Python 3.14 or newer, not 3.13"),
        ("cp313-cp312-any", "its tags “cp313-cp312” fit no Python"),
    ] {
        assert_eq!(tags.misfit(&wheel(tag)).expect(tag).to_string(), why, "{tag}");
    }
    assert_eq!(tags.misfit(&wheel("py3-none-any")), None);
    assert!(tags.misfit(&wheel("cp313-cp313-any")).is_some());
    assert_eq!(tags.summary(), "cp313-cp313-manylinux_2_41_x86_64 or older manylinux, cp3*-abi3, py3-none-any");
}

#[test]
fn absurd_versions_end() {
    let tags = env(Arch::S390x, "3.4000000000", (u32::MAX, u32::MAX)).tags();
    assert!(tags.in_order().count() > 0);
}
