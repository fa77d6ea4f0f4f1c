//! The oracle is the machine's own `ldconfig -r`, on odd trees made of the machine's own libraries.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::*;
use crate::tree::{Kind, from_dir};

/// A new root with the machine's libc in it and an empty `etc`; `None`, with a message, where there is no oracle.
fn root() -> Option<(tempfile::TempDir, Arch, PathBuf)> {
    let arch = Arch::host()?;
    let machine = PathBuf::from(format!("/usr/lib/{}", arch.triplet()));
    let has_ldconfig = ldconfig().arg("--version").output().is_ok_and(|out| out.status.success());
    if !has_ldconfig || !machine.join("libc.so.6").exists() {
        eprintln!("skipped: no ldconfig, or no glibc in {}", machine.display());
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let lib = dir.path().join("usr/lib").join(arch.triplet());
    fs::create_dir_all(&lib).unwrap();
    fs::create_dir_all(dir.path().join("etc/ld.so.conf.d")).unwrap();
    fs::create_dir_all(dir.path().join("var/cache/ldconfig")).unwrap();
    symlink("usr/lib", dir.path().join("lib")).unwrap();
    fs::copy(machine.join("libc.so.6"), lib.join("libc.so.6")).unwrap();
    Some((dir, arch, lib))
}

fn ldconfig() -> Command {
    let mut command = Command::new("/sbin/ldconfig");
    command.env("LC_ALL", "C");
    command
}

/// Every link and file below the root, but for what ldconfig keeps for itself.
fn listing(tree: &Tree) -> Vec<String> {
    let own = RootPath::literal("var/cache/ldconfig/aux-cache");
    tree.iter()
        .filter(|(path, _)| **path != own)
        .map(|(path, node)| match &node.kind {
            Kind::Symlink(target) => format!("{path} -> {}", target.escape_ascii()),
            _ => path.to_string(),
        })
        .collect()
}

/// The root as a tree of no one's: what the manifest brings is never touched.
fn load(root: &Path) -> Tree {
    let mut tree = from_dir(root, 0).unwrap();
    let paths: Vec<_> = tree.iter().map(|(path, _)| path.clone()).collect();
    for path in paths {
        tree.get_mut(&path).unwrap().origin = Origin::Finish("test");
    }
    tree
}

/// Both write the cache; bytes and links must be the same.
fn compare(root: &Path, arch: Arch) {
    let mut ours = load(root);
    write(&mut ours, arch).unwrap();
    let out = ldconfig().arg("-r").arg(root).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let theirs = load(root);
    let cache = RootPath::literal("etc/ld.so.cache");
    let (ours_bytes, theirs_bytes) = (ours.read(&cache).unwrap().unwrap(), theirs.read(&cache).unwrap().unwrap());
    assert!(theirs_bytes.len() > HEADER_AND_ONE_ENTRY);
    assert_eq!(ours_bytes.escape_ascii().to_string(), theirs_bytes.escape_ascii().to_string());
    assert_eq!(listing(&ours), listing(&theirs));
}

const HEADER_AND_ONE_ENTRY: usize = 48 + 24;

/// Libraries of the machine that most Debian systems have.
fn some_libraries(arch: Arch) -> Vec<PathBuf> {
    ["libm.so.6", "libz.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libcrypto.so.3", "libdl.so.2", "libpcre2-8.so.0"]
        .iter()
        .map(|name| PathBuf::from(format!("/usr/lib/{}/{name}", arch.triplet())))
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}

#[test]
fn plain_libraries_and_their_missing_links() {
    let Some((root, arch, lib)) = root() else { return };
    for path in some_libraries(arch) {
        fs::copy(&path, lib.join(path.file_name().unwrap())).unwrap();
    }
    compare(root.path(), arch);
}

#[test]
fn odd_names_links_and_files() {
    let Some((root, arch, lib)) = root() else { return };
    let from = some_libraries(arch);
    let libm = from.first().unwrap();
    let top = root.path();
    // A second file with the same soname: the higher number wins, 10 over 9.
    fs::copy(libm, lib.join("libm-9.so")).unwrap();
    fs::copy(libm, lib.join("libm-10.so")).unwrap();
    // An alias without link, a chain of links, a link that is no soname, links that dangle.
    fs::hard_link(lib.join("libc.so.6"), lib.join("libc-again.so.6")).unwrap();
    symlink("libm-9.so", lib.join("libm.so")).unwrap();
    symlink("libm.so", lib.join("libchain.so.1")).unwrap();
    symlink("libgone.so.2.1", lib.join("libgone.so.2")).unwrap();
    symlink("libgone.so.2", lib.join("libgone.so")).unwrap();
    symlink("libloop.so.1", lib.join("libloop.so.1")).unwrap();
    // A soname that is already taken by a file, and one by a link elsewhere.
    symlink("../libelsewhere.so.5", lib.join("libz.so.1")).unwrap();
    fs::copy(libm, top.join("usr/lib/libelsewhere.so.5")).unwrap();
    // What is no library.
    fs::write(lib.join("libempty.so"), b"").unwrap();
    fs::write(lib.join("libscript.so"), b"/* GNU ld script */ GROUP ( libc.so.6 )                       ").unwrap();
    fs::write(lib.join("libshort.so"), b"\x7fELF").unwrap();
    fs::write(lib.join("libtext.so"), b"#".repeat(100)).unwrap();
    fs::create_dir(lib.join("libdir.so.1")).unwrap();
    symlink("libdir.so.1", lib.join("libtodir.so.1")).unwrap();
    for skipped in ["libc.so.6.#prelink#", "libm.so.6.#prelink#.abcdef", "nolib.so.1", "libnothing"] {
        fs::copy(libm, lib.join(skipped)).unwrap();
    }
    // Cut files.
    let whole = fs::read(libm).unwrap();
    for cut in [52, 64, 100, 500, 4096] {
        fs::write(lib.join(format!("libcut{cut}.so")), &whole[..cut]).unwrap();
    }
    compare(top, arch);
}

#[test]
fn configuration_and_hwcaps() {
    let Some((root, arch, lib)) = root() else { return };
    let from = some_libraries(arch);
    let top = root.path();
    let copy = |folder: &str| {
        fs::create_dir_all(top.join(folder)).unwrap();
        for path in from.iter().take(2) {
            fs::copy(path, top.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    };
    for folder in ["opt/a", "opt/b", "opt/c", "opt/d/e", "opt/spaced"] {
        copy(folder);
    }
    symlink("/opt/a", top.join("opt/z")).unwrap();
    let conf = |name: &str, text: &str| fs::write(top.join("etc").join(name), text).unwrap();
    conf(
        "ld.so.conf",
        "# comment\ninclude /etc/ld.so.conf.d/*.conf relative/*\n  /opt/spaced/  # trailing\nhwcap 0 nosegneg\n\
         /opt/missing\n/opt/d/../d/e//\nincludes\n",
    );
    conf("ld.so.conf.d/b.conf", "/opt/b\n/opt/z");
    conf("ld.so.conf.d/a-b.conf", "/opt/a\n");
    conf("ld.so.conf.d/.hidden.conf", "/opt/c\n");
    conf("ld.so.conf.d/not.conf~", "/opt/c\n");
    fs::create_dir(top.join("etc/relative")).unwrap();
    conf("relative/x", "\t/opt/c \r\n");
    for hwcaps in ["x86-64-v3", "x86-64-v2", "unused", ".no", "no:no"] {
        let folder = lib.join("glibc-hwcaps").join(hwcaps);
        fs::create_dir_all(&folder).unwrap();
        for path in from.iter().take(if hwcaps == "unused" { 0 } else { 2 }) {
            fs::copy(path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::create_dir(lib.join("elsewhere")).unwrap();
    symlink("../elsewhere", lib.join("glibc-hwcaps/linked")).unwrap();
    fs::copy(&from[0], lib.join("elsewhere/libm.so.6")).unwrap();
    symlink("libm.so.6", lib.join("glibc-hwcaps/x86-64-v3/odd-name")).unwrap();
    compare(top, arch);
}

#[test]
fn hostile_sonames_make_no_links_elsewhere() {
    let directory = RootPath::literal("usr/lib");
    for soname in ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b"] {
        let mut tree = Tree::new(0);
        tree.insert_file(RootPath::literal("usr/lib/libx.so"), 0o644, *b"x", STEP).unwrap();
        let before = listing(&tree);
        let library = scan::Library {
            name: (*b"libx.so").into(),
            soname: soname.as_bytes().into(),
            flags: 3,
            isa_level: 0,
            is_link: false,
        };
        scan::link(&mut tree, &directory, &library).unwrap();
        assert_eq!(listing(&tree), before, "{soname}");
    }
}

#[test]
fn configuration_that_includes_itself_is_an_error() {
    let Some((root, arch, _)) = root() else { return };
    fs::write(root.path().join("etc/ld.so.conf"), "include /etc/ld.so.conf\n").unwrap();
    let error = write(&mut load(root.path()), arch).unwrap_err();
    assert!(matches!(error, FinishError::IncludeDepth(_)), "{error}");
}

#[test]
fn names_are_compared_as_the_loader_does() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for (a, b, order) in [
        ("libc.so.6", "libc.so.6", Equal),
        ("libx.so.9", "libx.so.10", Less),
        ("libx.so.1", "libx.so", Greater),
        ("libx1.so", "libxa.so", Greater),
        ("libxa.so", "libx1.so", Less),
        ("lib01.so", "lib1.so", Equal),
        ("libx-1.so", "libx_1.so", Less),
    ] {
        assert_eq!(file::compare_names(a.as_bytes(), b.as_bytes(), Arch::Amd64), order, "{a} {b}");
    }
    assert_eq!(file::compare_names(b"lib\xff", b"liba", Arch::Amd64), Less);
    assert_eq!(file::compare_names(b"lib\xff", b"liba", Arch::Arm64), Greater);
}
