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
        ("below its own folder, as a plug-in's", vec![], "usr/bin/server/libx.so.1", true),
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

fn from(tree: &mut Tree, path: &str, origin: Origin, file: &Fixture) {
    put(tree, path, 0o755, file.build());
    tree.get_mut(&RootPath::parse(path.as_bytes()).unwrap()).unwrap().origin = origin;
}

fn wheel(name: &str) -> Origin {
    Origin::Wheel(name.into())
}

fn findings(tree: &Tree, options: Options<'_>) -> Vec<String> {
    let findings = check(tree, Arch::Amd64, options).unwrap();
    findings.iter().map(|finding| format!("{:?} {} {finding}", finding.severity, finding.code)).collect()
}

#[test]
fn wanted_symbol_versions_are_defined() {
    let libc = ["libc.so.6", "GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.41", "GLIBC_PRIVATE"];
    let at = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    for (wanted, defined, message) in [
        (&["GLIBC_2.2.5", "GLIBC_2.41"][..], &libc[..], None),
        (&["GLIBC_2.45"], &libc, Some(format!("it needs GLIBC_2.45 of libc.so.6, and {at} has up to GLIBC_2.41"))),
        // The name of the library itself is a version as well.
        (&["libc.so.6"], &libc, None),
        // Weak ones may be missing, and so may all where the library has none at all.
        (&["GLIBC_2.45?", "GLIBC_2.4"], &libc, None),
        (&["GLIBC_2.45"], &[], None),
        (
            &["GLIBC_ABI_DT_RELR"],
            &libc,
            Some(format!("it needs GLIBC_ABI_DT_RELR of libc.so.6, which {at} does not define")),
        ),
        (&["OTHER_1"], &libc, Some(format!("it needs OTHER_1 of libc.so.6, which {at} does not define"))),
        // By number, not by spelling.
        (
            &["GLIBC_2.100", "GLIBC_2.45", "GLIBC_2.5"],
            &libc,
            Some(format!("it needs GLIBC_2.5, GLIBC_2.45, GLIBC_2.100 of libc.so.6, and {at} has up to GLIBC_2.41")),
        ),
        (
            &["A_1", "A_2", "A_3", "A_4", "A_5", "A_6"],
            &libc,
            Some(format!("it needs A_3, A_4, A_5, A_6 and 2 more of libc.so.6, which {at} does not define")),
        ),
    ] {
        let mut tree = Tree::new(0);
        put(&mut tree, &format!("{LIB}/libc.so.6"), 0o644, Fixture::new().defines(defined).build());
        from(&mut tree, "opt/x.so", wheel("x"), &Fixture::new().wants("libc.so.6", wanted));
        let expected: Vec<_> = message
            .map(|message| format!("Error missing-symbol-version /opt/x.so: {message} (the wheel x)"))
            .into_iter()
            .collect();
        assert_eq!(findings(&tree, Options::default()), expected, "{wanted:?}");
    }
}

#[test]
fn versions_are_asked_of_the_library_that_is_found() {
    let mut tree = Tree::new(0);
    put(&mut tree, "opt/libx.so", 0o644, Fixture::new().defines(&["libx.so", "X_2"]).build());
    put(&mut tree, &format!("{LIB}/libx.so"), 0o644, Fixture::new().defines(&["libx.so", "X_1"]).build());
    put(&mut tree, "usr/bin/a", 0o755, Fixture::new().runpath("/opt").wants("libx.so", &["X_2"]).build());
    put(&mut tree, "usr/bin/b", 0o755, Fixture::new().wants("libx.so", &["X_1"]).build());
    assert_eq!(findings(&tree, Options::default()), [""; 0]);
    put(&mut tree, "usr/bin/c", 0o755, Fixture::new().wants("libx.so", &["X_2"]).build());
    let [only] = &check(&tree, Arch::Amd64, Options::default()).unwrap()[..] else { panic!() };
    assert_eq!((only.path().unwrap().to_string().as_str(), only.hint.contains("same suite")), ("/usr/bin/c", true));
}

#[test]
fn what_wheels_bundle_elsewhere_is_a_warning() {
    let needs = Fixture::new().needed("libb.so.1");
    let library = || Fixture::new().soname("libb.so.1");
    let path = "opt/a.libs/libb.so.1";
    for (name, origin, path, library, expected) in [
        ("own file", wheel("a"), path, Fixture::new(), Some(Severity::Warning)),
        ("by soname", wheel("a"), "opt/a.libs/libb-123.so", library(), Some(Severity::Warning)),
        ("other wheel", wheel("b"), path, library(), Some(Severity::Warning)),
        ("tarball", Origin::Tarball("t.tar".into()), path, library(), Some(Severity::Warning)),
        ("package", Origin::Package("p".parse().unwrap()), path, library(), Some(Severity::Error)),
        ("other machine", wheel("a"), path, library().machine(183), Some(Severity::Error)),
        ("found", wheel("a"), "usr/lib/libb.so.1", library(), None),
    ] {
        let mut tree = Tree::new(0);
        from(&mut tree, "opt/a/x.so", wheel("a"), &needs);
        from(&mut tree, path, origin, &library);
        let found: Vec<_> =
            check(&tree, Arch::Amd64, Options::default()).unwrap().iter().map(|finding| finding.severity).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
    // Under a link's name.
    let mut tree = Tree::new(0);
    from(&mut tree, "opt/a/x.so", wheel("a"), &needs);
    from(&mut tree, "opt/b/libb.so.1.2", wheel("b"), &Fixture::new());
    tree.insert_link(RootPath::literal("opt/b/libb.so.1"), b"libb.so.1.2", wheel("b")).unwrap();
    assert_eq!(
        findings(&tree, Options::default()),
        ["Warning missing-library /opt/a/x.so: it needs libb.so.1, which the loader does not find: it is \
          /opt/b/libb.so.1.2 of the wheel b, and works if that is loaded first (the wheel a)"]
    );
}

#[test]
fn needs_that_are_ignored_and_files_for_others() {
    let mut tree = Tree::new(0);
    let needs = Fixture::new().needed("libx.so");
    from(&mut tree, "opt/a.so", wheel("a"), &needs);
    from(&mut tree, "opt/b.so", Origin::Package("b".parse().unwrap()), &needs);
    from(&mut tree, "opt/c.so", Origin::Manifest, &needs);
    from(&mut tree, "opt/d", Origin::Tarball("d.tar".into()), &needs.clone().machine(183).interpreter("/lib/ld.so"));
    let missing = "it needs libx.so, which is in no place where the loader looks";
    let of_others = [
        format!("Error missing-library /opt/b.so: {missing} (b)"),
        format!("Error missing-library /opt/c.so: {missing}"),
        "Warning foreign-machine /opt/d: it is made for another machine than amd64, and cannot start here (the \
         tarball d.tar)"
            .to_owned(),
    ];
    let all = [&[format!("Error missing-library /opt/a.so: {missing} (the wheel a)")], &of_others[..]].concat();
    assert_eq!(findings(&tree, Options::default()), all);
    let ignore = ["libx.so".to_owned()];
    assert_eq!(findings(&tree, Options { ignore: &ignore, providers: None }), of_others);
    // A file of another machine that finds what it needs is in its place.
    from(&mut tree, "lib/ld.so", Origin::Manifest, &Fixture::new().machine(183));
    from(&mut tree, "usr/lib/aarch64-linux-gnu/libx.so", Origin::Manifest, &Fixture::new().machine(183));
    assert_eq!(findings(&tree, Options::default()).len(), 3);
}

#[test]
fn hints_name_the_packages_that_are_known() {
    let mut tree = Tree::new(0);
    for name in ["none", "one", "there", "two"] {
        from(&mut tree, &format!("opt/{name}.so"), wheel("w"), &Fixture::new().needed(name));
    }
    let there = Origin::Package("libthere2".parse().unwrap());
    tree.insert_file(RootPath::literal("usr/share/doc/libthere2/copyright"), 0o644, *b"", there).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<PackageName>>();
    let providers = |soname: &[u8]| match soname {
        b"one" => names(&["libone1"]),
        b"there" => names(&["libthere1", "libthere2"]),
        b"two" => names(&["libtwo2", "libtwo2t64"]),
        _ => Vec::new(),
    };
    let options = Options { providers: Some(&providers), ..Options::default() };
    let hints: Vec<_> = check(&tree, Arch::Amd64, options).unwrap().into_iter().map(|finding| finding.hint).collect();
    let rest = ", list the name in python.ignore-needs if it is not wanted, or remove the file with [rootfs] remove";
    assert_eq!(
        hints,
        [
            "no package of the manifest's repositories ships none; add a repository that has it",
            "add libone1 to packages.install",
            "libthere2 ships it and is in the image, so [rootfs] has taken the file out: keep it there",
            "add one of libtwo2, libtwo2t64 to packages.install",
        ]
        .map(|hint| format!("{hint}{rest}"))
    );
}

#[test]
fn scripts_and_broken_files_of_wheels() {
    let mut tree = Tree::new(0);
    put(&mut tree, "usr/local/bin/tool", 0o755, b"#!/usr/bin/python3.13\nx".to_vec());
    // Nobody runs a module by its path.
    for module in ["usr/local/lib/python3.13/dist-packages/numpy/x.py", "usr/lib/python3.13/pdb.py"] {
        put(&mut tree, module, 0o755, b"#!/usr/bin/env python3\nx".to_vec());
    }
    put(&mut tree, "usr/lib/python3.x/pdb.py", 0o755, b"#!/bin/own\nx".to_vec());
    let whole = Fixture::new().needed("libx.so").build();
    put(&mut tree, "opt/cut.so", 0o644, whole[..whole.len() - 1].to_vec());
    // Separate debug symbols have the headers of the file that they belong to.
    put(&mut tree, "opt/x.so.debug", 0o644, whole[..whole.len() - 1].to_vec());
    for path in ["usr/local/bin/tool", "opt/cut.so"] {
        tree.get_mut(&RootPath::literal(path)).unwrap().origin = wheel("w");
    }
    assert_eq!(
        findings(&tree, Options::default()),
        [
            "Error broken-elf /opt/cut.so: broken ELF file: it is cut off: a segment ends beyond the end of the file \
             (the wheel w)",
            "Warning missing-interpreter /usr/lib/python3.x/pdb.py: the script wants /bin/own, which is not there (pkg)",
            "Warning missing-interpreter /usr/local/bin/tool: the script wants /usr/bin/python3.13, which is not \
             there (the wheel w)",
        ]
    );
}
