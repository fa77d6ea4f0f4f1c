//! What layers of all kinds make together.

use proptest::prelude::*;
use tar::EntryType;

use super::*;
use crate::{
    deb::{TarEntry, TarKind},
    tree::Content,
};

fn name() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec!["a", "b", "c", "a", "b", ".wh.a", ".wh.b", ".wh..wh..opq", "..", "/"]);
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.join("/").into_bytes())
}

fn kind() -> impl Strategy<Value = TarKind> {
    let link = || name().prop_map(|to| if to.is_empty() { b"a".to_vec() } else { to });
    prop_oneof![
        3 => Just(TarKind::Dir),
        3 => Just(TarKind::File(1)),
        3 => link().prop_map(|to| TarKind::Symlink(to.into())),
        3 => link().prop_map(|to| TarKind::Hardlink(to.into())),
        1 => Just(TarKind::Special("a FIFO")),
    ]
}

proptest! {
    #[test]
    fn whatever_is_laid_a_tree_comes_out(
        layers in prop::collection::vec(prop::collection::vec((name(), kind()), 0..12), 1..4)
    ) {
        let mut rootfs = Rootfs::new(0, true, &Limits::default());
        for layer in layers {
            rootfs.next_layer();
            for (i, (path, kind)) in layer.into_iter().enumerate() {
                let bytes = matches!(kind, TarKind::File(_)).then(|| Content::inline([i as u8]));
                let entry = TarEntry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: Default::default() };
                // An image with a fault is refused; here what comes after it is laid too.
                let _ = rootfs.lay(entry, bytes);
            }
        }
        let (tree, _) = rootfs.finish();
        for (path, node) in tree.iter() {
            if let Some(parent) = path.parent() {
                prop_assert!(matches!(tree.get(&parent).unwrap().kind, Kind::Dir), "{path}");
            }
            if let Kind::Hardlink(target) = &node.kind {
                prop_assert!(target < path && matches!(tree.get(target).unwrap().kind, Kind::File(_)), "{path}");
            }
            prop_assert!(!path.file_name().starts_with(b".wh."), "{path}");
        }
    }
}

#[test]
fn layers_are_laid_as_the_specification_says() {
    let base = || {
        Tar::new()
            .dir("./")
            .dir("./a/")
            .file("./a/one", b"1")
            .file("./a/two", b"2")
            .dir("a/sub")
            .file("a/sub/x", b"x")
            .file("/b", b"b")
            .hardlink("c", "./b")
            .symlink("link", "a")
    };
    let all = ["/a/ 755", "/a/one 1", "/a/sub/ 755", "/a/sub/x x", "/a/two 2", "/b b", "/c = /b", "/link -> a"];
    let without = |gone: &[&str]| -> Vec<String> {
        all.iter().filter(|line| !gone.contains(line)).map(|line| (*line).to_owned()).collect()
    };
    let with = |gone: &[&str], more: &[&str]| {
        let mut out = without(gone);
        out.extend(more.iter().map(|line| (*line).to_owned()));
        // By component, as the tree has them.
        out.sort_by_key(|line| RootPath::parse(line.split(' ').next().unwrap().as_bytes()).unwrap());
        out
    };
    let sub = ["/a/sub/ 755", "/a/sub/x x"];
    let inside = ["/a/one 1", "/a/sub/ 755", "/a/sub/x x", "/a/two 2"];
    let cases: Vec<(&str, Tar, Vec<String>)> = vec![
        ("nothing", Tar::new(), without(&[])),
        ("whiteout of a file", Tar::new().file("a/.wh.one", b""), without(&["/a/one 1"])),
        ("whiteout of a directory", Tar::new().file("a/.wh.sub", b""), without(&sub)),
        ("whiteout of what is not there", Tar::new().file("a/.wh.no", b"").file("no/.wh.no", b""), without(&[])),
        ("whiteout through a link", Tar::new().file("link/.wh.one", b""), without(&["/a/one 1"])),
        ("whiteout of a link", Tar::new().file(".wh.link", b""), without(&["/link -> a"])),
        (
            "whiteout of its own layer",
            Tar::new().file("a/three", b"3").file("a/.wh.three", b""),
            with(&[], &["/a/three 3"]),
        ),
        (
            "whiteout before what replaces it",
            Tar::new().file(".wh.a", b"").dir("a").file("a/new", b"n"),
            with(&inside, &["/a/new n"]),
        ),
        (
            "whiteout after what replaces it",
            Tar::new().dir("a").file("a/new", b"n").file(".wh.a", b""),
            with(&inside, &["/a/new n"]),
        ),
        ("opaque", Tar::new().dir("a").file("a/new", b"n").file("a/.wh..wh..opq", b""), with(&inside, &["/a/new n"])),
        ("opaque through a link", Tar::new().file("link/.wh..wh..opq", b""), without(&inside)),
        (
            "AUFS's own",
            Tar::new().dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2", b"").file(".wh..wh.aufs", b""),
            without(&[]),
        ),
        (
            "a directory described again",
            Tar::new().raw(EntryType::Directory, b"a/", b"", b"", |h| h.set_mode(0o2750)),
            with(&["/a/ 755"], &["/a/ 2750"]),
        ),
        (
            "a file in place of a directory",
            Tar::new().file("a", b"file"),
            with(&[&inside[..], &["/a/ 755"]].concat(), &["/a file"]),
        ),
        ("a directory in place of a link", Tar::new().dir("link"), with(&["/link -> a"], &["/link/ 755"])),
        ("below a link", Tar::new().file("link/new", b"n"), with(&[], &["/a/new n"])),
        ("one name of two replaced", Tar::new().file("b", b"new"), with(&["/b b", "/c = /b"], &["/b new", "/c b"])),
        ("the first name gone", Tar::new().file(".wh.b", b""), with(&["/b b", "/c = /b"], &["/c b"])),
        ("a link to a lower layer's file", Tar::new().hardlink("d", "link/one"), with(&[], &["/d = /a/one"])),
        ("a link to a link", Tar::new().hardlink("d", "link"), with(&[], &["/d -> a"])),
        ("a name twice", Tar::new().file("n", b"1").file("n", b"2"), with(&[], &["/n 2"])),
        ("missing folders", Tar::new().file("p/q/r", b"r"), with(&[], &["/p/ 755", "/p/q/ 755", "/p/q/r r"])),
        (
            "links out of the root",
            Tar::new().symlink("up", "../../../a/./sub").file("up/y", b"y").symlink("abs", "/a").file("abs/z", b"z"),
            with(&[], &["/up -> ../../../a/./sub", "/a/sub/y y", "/abs -> /a", "/a/z z"]),
        ),
        (
            "a link to nothing",
            Tar::new().symlink("void", "/new/place").file("void/f", b"f"),
            with(&[], &["/void -> /new/place", "/new/ 755", "/new/place/ 755", "/new/place/f f"]),
        ),
    ];
    for (what, upper, want) in cases {
        let (found, notes) = layers(&[base().end(), upper.clone().end(), Tar::new().end()]).unwrap();
        assert_eq!(found, want, "{what}");
        assert!(notes.is_empty(), "{what}: {notes:?}");
        // Without an end marker, as some builders write them.
        assert_eq!(layers(&[base().0, upper.0, Vec::new()]).unwrap().0, want, "{what}");
    }
}

#[test]
fn device_nodes_are_left_out_and_told() {
    let node = |tar: Tar, kind, name: &str| tar.raw(kind, name.as_bytes(), b"", b"", |_| {});
    let lower = node(Tar::new().dir("dev"), EntryType::Char, "dev/null");
    let upper = node(node(Tar::new(), EntryType::Fifo, "p"), EntryType::Block, "dev/sda").hardlink("q", "p");
    let (found, notes) = layers(&[lower.clone().end(), Tar::new().file("etc/x", b"").end()]).unwrap();
    assert_eq!(found, ["/dev/ 755", "/etc/ 755", "/etc/x "]);
    assert_eq!(notes, ["/dev/null is a character device and is left out"]);
    let (_, notes) = layers(&[lower.clone().end(), upper.end()]).unwrap();
    assert_eq!(notes, ["4 device nodes and FIFOs are left out, /dev/null (a character device) for one"]);
    let (found, notes) =
        layers(&[lower.end(), Tar::new().file("dev/.wh.null", b"").file("dev/x", b"x").end()]).unwrap();
    assert_eq!((found, notes), (vec!["/dev/ 755".into(), "/dev/x x".into()], vec![]));
}

#[test]
fn images_may_hold_what_packages_may_not() {
    let global = |records: &[(&str, &[u8])]| {
        Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", &crate::deb::fixture::records_of(records), |_| {})
    };
    let tar = global(&[("comment", b"x"), ("VENDOR.thing", b"y")])
        .file("new\nline", b"n")
        .pax(&[("SCHILY.acl.access", b"user::rw-"), ("SCHILY.xattr.user.x", b"v\n")])
        .file("acl", b"a");
    assert_eq!(layers(&[tar.end()]).unwrap().0, ["/acl a", "/new\\nline n"]);
    let error = layers(&[global(&[("path", b"x")]).file("y", b"").end()]).unwrap_err();
    insta::assert_snapshot!(error, @"AT: in layer 1 of 1 (sha256:…): the extended header of “(start)” is refused: it sets “path” for all that follows; a container runtime would not take it either, or not safely: tell whoever made it");
}

#[test]
fn hostile_layers_are_refused() {
    let cases: Vec<(&str, Tar)> = vec![
        ("..", Tar::new().file("a/../../etc/passwd", b"")),
        ("hard link ..", Tar::new().hardlink("a", "../../etc/passwd")),
        ("hard link to nothing", Tar::new().hardlink("a", "etc/passwd")),
        ("hard link to itself", Tar::new().file("a", b"").hardlink("a", "./a")),
        ("hard link to a directory", Tar::new().dir("d").hardlink("a", "d")),
        ("hard link to the root", Tar::new().hardlink("a", "/")),
        ("below a file", Tar::new().file("a", b"").file("a/b", b"")),
        ("circle", Tar::new().symlink("a", "b").symlink("b", "a").file("a/x", b"")),
        ("circle of one", Tar::new().symlink("a", "a/b").file("a/x", b"")),
        ("whiteout of ..", Tar::new().file("a/.wh...", b"")),
        ("whiteout of .", Tar::new().file("a/.wh..", b"")),
        ("below a whiteout", Tar::new().file(".wh.a/b", b"")),
        ("whiteout of nothing", Tar::new().file("a/.wh.", b"")),
        ("the root a link", Tar::new().symlink("./", "/tmp")),
        ("the root a file", Tar::new().raw(EntryType::Regular, b".", b"", b"", |_| {})),
        ("NUL", Tar::new().pax(&[("path", b"a\0b")]).file("x", b"")),
        ("sparse", Tar::new().pax(&[("GNU.sparse.major", b"1")]).file("x", b"")),
        ("a long name", Tar::new().pax(&[("path", "x".repeat(300).as_bytes())]).file("x", b"")),
    ];
    let mut out = String::new();
    for (what, tar) in cases {
        let error = layers(&[Tar::new().end(), tar.end()]).unwrap_err();
        let error = error.strip_prefix("AT: in layer 2 of 2 (sha256:…): ").unwrap();
        let (error, step) = error.split_once("; ").unwrap();
        assert!(step.starts_with("a container runtime"), "{what}: {step}");
        out += &format!("{what}: {}\n", error.replace(&"x".repeat(200), "XXX"));
    }
    insta::assert_snapshot!(out);
}
