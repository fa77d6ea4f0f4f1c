//! Trees with one fault each. ELF files are built here, byte by byte, so that no compiler is needed.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    elf::fixture::Fixture,
    tree::{Content, Meta},
};

/// A shared object with these DT_ entries, and perhaps a loader.
fn elf(machine: u16, entries: &[(u64, &str)], interpreter: Option<&str>) -> Vec<u8> {
    let mut file = entries.iter().fold(Fixture::new().machine(machine), |file, (tag, text)| file.entry(*tag, text));
    if let Some(path) = interpreter {
        file = file.interpreter(path);
    }
    file.build()
}

const NEEDED: u64 = 1;
const SONAME: u64 = 14;
const RPATH: u64 = 15;
const RUNPATH: u64 = 29;
const X86_64: u16 = 62;
const LIB: &str = "usr/lib/x86_64-linux-gnu";

fn put(tree: &mut Tree, path: &str, mode: u32, bytes: Vec<u8>) {
    let origin = Origin::Package("pkg".parse().unwrap());
    let kind = Kind::File(Content::inline(bytes));
    let node = Node { meta: Meta::root(mode, 0), kind, origin, ready: None };
    tree.insert(RootPath::parse(path.as_bytes()).unwrap(), node).unwrap();
}

fn found(tree: &Tree) -> Vec<String> {
    let findings = check(tree, Arch::Amd64, Options::default()).unwrap();
    findings.iter().map(|finding| format!("{} {finding}", finding.code)).collect()
}

#[test]
fn libraries_are_found_where_the_loader_looks() {
    for (name, object, library, is_found) in [
        ("default", vec![], "usr/lib/x86_64-linux-gnu/libx.so.1", true),
        ("default, plain", vec![], "usr/lib/libx.so.1", true),
        ("nowhere", vec![], "opt/libx.so.1", false),
        ("configured", vec![], "usr/local/lib/libx.so.1", true),
        ("runpath", vec![(RUNPATH, "/nothing:/opt")], "opt/libx.so.1", true),
        ("rpath", vec![(RPATH, "/opt/")], "opt/libx.so.1", true),
        ("runpath hides rpath", vec![(RPATH, "/opt"), (RUNPATH, "/nothing")], "opt/libx.so.1", false),
        ("origin", vec![(RUNPATH, "$ORIGIN/../private")], "usr/private/libx.so.1", true),
        ("origin in braces", vec![(RUNPATH, "${ORIGIN}/x")], "usr/bin/x/libx.so.1", true),
        ("relative", vec![(RUNPATH, "opt")], "opt/libx.so.1", false),
    ] {
        let mut tree = Tree::new(0);
        put(&mut tree, "etc/ld.so.conf", 0o644, b"/usr/local/lib\n".to_vec());
        let mut entries = vec![(NEEDED, "libx.so.1")];
        entries.extend(object);
        put(&mut tree, "usr/bin/program", 0o755, elf(X86_64, &entries, None));
        put(&mut tree, library, 0o644, elf(X86_64, &[(SONAME, "libx.so.1")], None));
        let missing = "missing-library /usr/bin/program: it needs libx.so.1, which is in no place where the loader \
                       looks (pkg)";
        let expected: &[&str] = if is_found { &[] } else { &[missing] };
        assert_eq!(found(&tree), expected, "{name}");
    }
}

#[test]
fn rpath_holds_for_the_libraries_of_libraries_and_runpath_does_not() {
    for (tag, is_found) in [(RPATH, true), (RUNPATH, false)] {
        let mut tree = Tree::new(0);
        let program = [(NEEDED, "liba.so"), (tag, "/opt/private")];
        put(&mut tree, "usr/bin/program", 0o755, elf(X86_64, &program, None));
        put(&mut tree, "opt/private/liba.so", 0o644, elf(X86_64, &[(NEEDED, "libb.so")], None));
        put(&mut tree, "opt/private/libb.so", 0o644, elf(X86_64, &[(NEEDED, "libc.so")], None));
        put(&mut tree, "opt/private/libc.so", 0o644, elf(X86_64, &[], None));
        assert_eq!(found(&tree).is_empty(), is_found, "{tag}");
    }
}

#[test]
fn what_every_loader_has_loaded_is_there() {
    let mut tree = Tree::new(0);
    let program = [(NEEDED, "liba.so"), (NEEDED, "libb.so"), (RUNPATH, "/opt/private")];
    put(&mut tree, "usr/bin/program", 0o755, elf(X86_64, &program, None));
    put(&mut tree, "opt/private/liba.so", 0o644, elf(X86_64, &[(NEEDED, "libb.so")], None));
    put(&mut tree, "opt/private/libb.so", 0o644, elf(X86_64, &[], None));
    assert_eq!(found(&tree), [""; 0]);
    let other = [(NEEDED, "liba.so"), (RUNPATH, "/opt/private")];
    put(&mut tree, "usr/bin/other", 0o755, elf(X86_64, &other, None));
    assert_eq!(found(&tree).len(), 1);
}

#[test]
fn a_packages_library_that_nothing_loads_may_need_what_lies_beside_it() {
    let severities = |interpreter, origin| {
        let mut tree = Tree::new(0);
        put(&mut tree, "usr/private/liba.so", 0o644, elf(X86_64, &[(NEEDED, "libb.so")], interpreter));
        put(&mut tree, "usr/private/libb.so", 0o644, elf(X86_64, &[], None));
        tree.get_mut(&RootPath::literal("usr/private/liba.so")).unwrap().origin = origin;
        let findings = check(&tree, Arch::Amd64, Options::default()).unwrap();
        findings.into_iter().filter(|f| f.code == "missing-library").map(|f| f.severity).collect::<Vec<_>>()
    };
    let package = || Origin::Package("pkg".parse().unwrap());
    assert_eq!(severities(None, package()), [Severity::Warning]);
    assert_eq!(severities(Some("/lib64/ld-linux-x86-64.so.2"), package()), [Severity::Error]);
    assert_eq!(severities(None, Origin::Manifest), [Severity::Error]);
}

#[test]
fn a_library_of_another_machine_does_not_count() {
    let mut tree = Tree::new(0);
    put(&mut tree, "usr/bin/program", 0o755, elf(X86_64, &[(NEEDED, "libx.so.1")], None));
    put(&mut tree, &format!("{LIB}/libx.so.1"), 0o644, elf(183, &[], None));
    assert_eq!(found(&tree).len(), 1);
    // Nor does what is no ELF file, nor a link to nothing.
    put(&mut tree, &format!("{LIB}/libx.so.1"), 0o644, b"/* GNU ld script */".to_vec());
    assert_eq!(found(&tree).len(), 1);
}

#[test]
fn loaders_interpreters_and_links() {
    let mut tree = Tree::new(0);
    put(&mut tree, "usr/bin/loads", 0o755, elf(X86_64, &[], Some("/lib64/ld-linux-x86-64.so.2")));
    put(&mut tree, "usr/bin/script", 0o755, b"#! /bin/sh -e\n".to_vec());
    put(&mut tree, "usr/bin/by-env", 0o755, b"#!/usr/bin/env -S A=b perl -w\n".to_vec());
    put(&mut tree, "usr/bin/env", 0o755, b"x".to_vec());
    put(&mut tree, "usr/share/example", 0o644, b"#!/bin/sh\n".to_vec());
    put(&mut tree, "usr/bin/cut", 0o755, b"\x7fELF\x02\x01".to_vec());
    for (path, target) in [
        ("usr/lib/gone", "../nothing"),
        ("usr/share/doc/gone", "nothing"),
        ("etc/mtab", "/proc/mounts"),
        ("usr/lib/fine", "../bin/env"),
    ] {
        tree.insert_link(RootPath::literal(path), target.as_bytes(), Origin::Finish("test")).unwrap();
    }
    assert_eq!(
        found(&tree),
        [
            "missing-interpreter /usr/bin/by-env: the script wants perl, which is not there (pkg)",
            "broken-elf /usr/bin/cut: broken ELF file: the header is cut off (pkg)",
            "missing-loader /usr/bin/loads: its loader /lib64/ld-linux-x86-64.so.2 is not there (pkg)",
            "missing-interpreter /usr/bin/script: the script wants /bin/sh, which is not there (pkg)",
            "dangling-link /usr/lib/gone: the link leads to ../nothing, which is not there",
        ]
    );
}

#[test]
fn policies() {
    let mut tree = Tree::new(0);
    put(&mut tree, "usr/bin/dash", 0o755, vec![]);
    put(&mut tree, "usr/bin/su", 0o4755, vec![]);
    put(&mut tree, "usr/bin/dpkg", 0o755, vec![]);
    put(&mut tree, "usr/share/doc/bash", 0o666, vec![]);
    tree.insert_link(RootPath::literal("usr/bin/sh"), b"dash", Origin::Finish("test")).unwrap();
    tree.insert_link(RootPath::literal("usr/bin/zsh"), b"gone", Origin::Finish("test")).unwrap();
    for (path, mode) in [("tmp", 0o1777), ("open", 0o777), ("var/mail", 0o2775)] {
        let node = Node { meta: Meta::root(mode, 0), kind: Kind::Dir, origin: Origin::Manifest, ready: None };
        tree.insert(RootPath::literal(path), node).unwrap();
    }
    let found: Vec<_> = policy(&tree, &crate::manifest::PolicyRule::ALL)
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.path))
        .collect();
    assert_eq!(
        found,
        [
            "world-writable /open",
            "shell /usr/bin/dash",
            "package-manager /usr/bin/dpkg",
            "shell /usr/bin/sh",
            "setuid /usr/bin/su",
            "world-writable /usr/share/doc/bash",
        ]
    );
    assert!(policy(&tree, &[]).is_empty());
}

#[test]
#[ignore = "TEMP"]
fn temp_measure() {
    let mut tree = Tree::new(0);
    for place in ["usr/lib/x86_64-linux-gnu", "usr/bin", "usr/lib/python3"] {
        let part = crate::tree::from_dir(&std::path::Path::new("/").join(place), 0).unwrap();
        for (path, node) in part.iter() {
            let to = |p: &RootPath| RootPath::literal(place).join(p.as_bytes()).unwrap();
            let mut node = node.clone();
            if let Kind::Hardlink(first) = &node.kind {
                node.kind = Kind::Hardlink(to(first));
            }
            node.origin = Origin::Package("pkg".parse().unwrap());
            tree.insert(to(path), node).unwrap();
        }
    }
    tree.insert_link(RootPath::literal("lib"), b"usr/lib", Origin::Manifest).unwrap();
    tree.insert_link(RootPath::literal("usr/lib64"), b"lib/x86_64-linux-gnu", Origin::Manifest).unwrap();
    tree.insert_link(RootPath::literal("lib64"), b"usr/lib/x86_64-linux-gnu", Origin::Manifest).unwrap();
    tree.insert_link(RootPath::literal("bin"), b"usr/bin", Origin::Manifest).unwrap();
    let mut last = Vec::new();
    for _ in 0..6 {
        let start = std::time::Instant::now();
        last = found(&tree);
        eprintln!("{:?}", start.elapsed());
    }
    let mut codes = std::collections::BTreeMap::new();
    for f in &last {
        *codes.entry(f.split(' ').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    eprintln!("{codes:?} of {} nodes", tree.iter().len());
    for f in last.iter().filter(|f| !f.starts_with("dangling") && !f.starts_with("missing-interp")).take(60) {
        eprintln!("{f}");
    }
}
