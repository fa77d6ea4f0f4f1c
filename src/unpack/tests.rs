//! Packages, sound and hostile, made into segments; segments damaged in the store.

#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;

use std::{fs, path::PathBuf};

use tar::EntryType;

use super::{Filter, FilterSpec, Item, OmitSpec, Segment, UnpackError, UnpackFault, kept, key};
use crate::{
    base::{RootPath, Sha256},
    deb::{
        DebFault, Limits,
        fixture::{Tar, ar, control, deb},
    },
    store::{Shelf, Store},
    tree::{Kind, Origin, header::END},
};

/// A store and a `.deb` in a folder of their own.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn item(&self, bytes: &[u8]) -> Item {
        let sha256 = Sha256::of(bytes);
        let deb = self.folder.path().join(format!("{}.deb", sha256.hex()));
        fs::write(&deb, bytes).unwrap();
        Item { package: "demo".parse().unwrap(), deb, sha256 }
    }

    fn unpack(&self, data: Tar, filter: &Filter) -> Result<Segment, UnpackError> {
        segment(&self.store, &self.item(&deb(data)), filter, &Limits::default())
    }

    /// Where the segment of `item` is kept.
    fn place(&self, item: &Item) -> PathBuf {
        self.store.path(Shelf::Segments, &key(&item.sha256, &Filter::nothing()))
    }
}

/// From the store, or unpacked.
fn segment(store: &Store, item: &Item, filter: &Filter, limits: &Limits) -> Result<Segment, UnpackError> {
    let found = kept(store, &Origin::Package(item.package.clone()), &key(&item.sha256, filter));
    found.map_or_else(|| super::unpack(store, item, filter, limits), Ok)
}

fn unpack(data: Tar) -> Result<Segment, UnpackError> {
    Bench::new().unpack(data, &Filter::nothing())
}

fn filter(patterns: &[&str], keep: &[&str], shebangs: &[&str]) -> Filter {
    let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let omit = vec![OmitSpec { patterns: list(patterns), shebangs: list(shebangs) }];
    Filter::new(&FilterSpec { omit, remove: vec![], keep: list(keep) }).unwrap()
}

/// One line for each entry: what it is, where, and where it leads or what it holds.
fn list(segment: &Segment) -> Vec<String> {
    let line = |entry: &super::Entry| match &entry.kind {
        Kind::Dir => format!("d {}", entry.path),
        Kind::File(content) => format!("f {} {}", entry.path, String::from_utf8_lossy(&content.read().unwrap())),
        Kind::Symlink(target) => format!("l {} {}", entry.path, String::from_utf8_lossy(target)),
        Kind::Hardlink(target) => format!("h {} {target}", entry.path),
    };
    segment.entries.iter().map(line).collect()
}

fn omitted(segment: &Segment) -> Vec<String> {
    segment.omitted.iter().map(ToString::to_string).collect()
}

/// Everything of a segment that matters, comparably.
fn whole(segment: &Segment) -> String {
    let metas: Vec<_> = segment.entries.iter().map(|entry| (&entry.meta, &entry.span)).collect();
    let rest = (&segment.origin, &segment.control, &segment.md5sums, &segment.scripts, &segment.omitted);
    format!("{:?}\n{metas:?}\n{rest:?}", list(segment))
}

#[test]
fn paths_are_sorted_and_merged_into_usr() {
    let bench = Bench::new();
    let data = Tar::new()
        .dir("./")
        .dir("./usr/")
        .file("./usr/lib-x", b"2")
        .dir("./lib/")
        .dir("./lib/a/")
        .file("./lib/a/b", b"1")
        .file("/etc//abs", b"0")
        .hardlink("./sbin/init", "./lib/a/b")
        .symlink("./bin", "usr/bin")
        .symlink("./lib64", "/usr/lib64")
        .symlink("./lib/up", "../usr/y")
        .symlink("./bin/foo", "../sbin/bar");
    let segment = bench.unpack(data, &Filter::nothing()).unwrap();
    assert_eq!(
        list(&segment),
        [
            "f /etc/abs 0",
            "d /usr",
            "l /usr/bin/foo ../sbin/bar",
            "d /usr/lib/a",
            "f /usr/lib/a/b 1",
            "l /usr/lib/up ../y",
            "f /usr/lib-x 2",
            "h /usr/sbin/init /usr/lib/a/b",
        ]
    );
    assert!(segment.omitted.is_empty());
}

#[test]
fn the_payload_is_a_tar_archive_of_the_entries() {
    let bench = Bench::new();
    let data = Tar::new()
        .dir("./a/")
        .raw(EntryType::Regular, b"./a/su", b"", &[7; 1000], |h| h.set_mode(0o4755))
        .pax(&[("SCHILY.xattr.security.capability", b"\x01\n\x02")])
        .file("./a/ping", b"p")
        .symlink("./a/z", "su");
    let segment = bench.unpack(data, &Filter::nothing()).unwrap();
    let (first, last) = (&segment.entries[1].span, &segment.entries.last().unwrap().span);
    assert_eq!(first.start, 0);
    assert!(segment.entries.windows(2).skip(1).all(|pair| pair[0].span.end == pair[1].span.start), "no gaps");
    let mut payload = vec![0; usize::try_from(last.end).unwrap()];
    segment.file.read_at(&mut payload, 0).unwrap();
    payload.extend_from_slice(&END);
    let mut entries = crate::deb::Entries::new(&payload[..], &Limits::default());
    let mut again = Vec::new();
    while let Some(entry) = entries.next_entry().unwrap() {
        again.push((RootPath::parse(&entry.path).unwrap(), entry.mode, entry.xattrs));
    }
    let wanted: Vec<_> =
        segment.entries[1..].iter().map(|e| (e.path.clone(), e.meta.mode, e.meta.xattrs.clone())).collect();
    assert_eq!(again, wanted);
    assert_eq!(wanted[1].1, 0o4755);
    assert_eq!(wanted[0].2.get(&b"security.capability"[..]).unwrap()[..], b"\x01\n\x02"[..]);
}

#[test]
fn hostile_paths_are_refused() {
    let refused = |data: Tar, check: fn(&UnpackFault) -> bool| {
        let error = unpack(data).unwrap_err();
        assert!(check(&error.fault), "{error}");
        assert!(error.to_string().contains("demo (") && error.to_string().contains(".deb)"), "{error}");
    };
    let path: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::Path(_));
    let below: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::Below { .. });
    let link: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::HardlinkTarget { .. });
    let twice: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::Twice(_));
    let top: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::NotADirectory(_));
    let tar: fn(&UnpackFault) -> bool = |f| matches!(f, UnpackFault::Deb(DebFault::Tar { .. }));
    let long = "x/".repeat(2100);
    refused(Tar::new().file("../x", b""), path);
    refused(Tar::new().file("./a/../../x", b""), path);
    refused(Tar::new().pax(&[("path", b"a\0b")]).file("x", b""), path);
    refused(Tar::new().pax(&[("path", long.as_bytes())]).file("x", b""), path);
    refused(Tar::new().pax(&[("path", &[b'x'; 256])]).file("x", b""), path);
    refused(Tar::new().symlink("./d", "/etc").file("./d/passwd", b""), below);
    refused(Tar::new().file("./d/passwd", b"").symlink("./d", "/etc"), below);
    refused(Tar::new().symlink("./d", "..").file("./d/a/b", b""), below);
    refused(Tar::new().file("./d", b"").file("./d/x", b""), below);
    refused(Tar::new().hardlink("./h", "../../etc/shadow"), path);
    refused(Tar::new().hardlink("./h", "/etc/shadow"), link);
    refused(Tar::new().hardlink("./h", "./f").file("./f", b""), link);
    refused(Tar::new().hardlink("./h", "./h"), link);
    refused(Tar::new().dir("./d").hardlink("./h", "./d"), link);
    refused(Tar::new().symlink("./l", "/etc/shadow").hardlink("./h", "./l"), link);
    refused(Tar::new().file("./f", b"1").file("f", b"2"), twice);
    refused(Tar::new().file("./f", b"1").dir("./f"), twice);
    refused(Tar::new().file("./lib/f", b"1").file("./usr/lib/f", b"1"), twice);
    refused(Tar::new().symlink("./bin", "/tmp"), top);
    refused(Tar::new().symlink("./lib", "usr/lib64"), top);
    refused(Tar::new().file("./sbin", b""), top);
    refused(Tar::new().symlink("./", "/tmp"), top);
    refused(Tar::new().file(".", b""), top);
    refused(Tar::new().raw(EntryType::Char, b"./dev/null", b"", b"", |_| {}), tar);
    refused(Tar::new().raw(EntryType::Fifo, b"./fifo", b"", b"", |_| {}), tar);
    unpack(Tar::new().dir("./d").dir("./d/").dir("./lib/d").dir("./usr/lib/d")).unwrap();
}

#[test]
fn another_package_or_another_file_is_refused() {
    let bench = Bench::new();
    let mut item = bench.item(&deb(Tar::new()));
    item.package = "other".parse().unwrap();
    let get = |item: &Item| segment(&bench.store, item, &Filter::nothing(), &Limits::default());
    assert!(matches!(get(&item).unwrap_err().fault, UnpackFault::OtherPackage(name) if name == "demo"));
    item.package = "demo".parse().unwrap();
    fs::write(&item.deb, deb(Tar::new().file("f", b""))).unwrap();
    assert!(matches!(get(&item).unwrap_err().fault, UnpackFault::Digest { .. }));
    fs::remove_file(&item.deb).unwrap();
    assert!(matches!(get(&item).unwrap_err().fault, UnpackFault::Deb(DebFault::Read(_))));
}

#[test]
fn filters_leave_no_empty_directories_or_broken_links_behind() {
    let bench = Bench::new();
    let data = Tar::new()
        .dir("./usr/")
        .dir("./usr/share/")
        .dir("./usr/share/doc/")
        .dir("./usr/share/doc/a/")
        .file("./usr/share/doc/a/README", b"r")
        .file("./usr/share/doc/a/copyright", b"c")
        .dir("./usr/share/doc/b/")
        .file("./usr/share/doc/b/NEWS", b"n")
        .dir("./usr/share/man/")
        .dir("./usr/share/man/man1/")
        .file("./usr/share/man/man1/a.1", b"m")
        .symlink("./usr/share/man/man1/b.1", "a.1")
        .symlink("./usr/share/first", "second")
        .symlink("./usr/share/second", "/usr/share/man/man1")
        .symlink("./usr/share/elsewhere", "/usr/share/not-ours")
        .dir("./var/empty/")
        .dir("./usr/share/doc/shipped-empty/");
    let groups = filter(&["/usr/share/doc/**", "!/usr/share/doc/*/copyright", "/usr/share/man"], &[], &[]);
    let segment = bench.unpack(data.clone(), &groups).unwrap();
    assert_eq!(
        list(&segment),
        [
            "d /usr",
            "d /usr/share",
            "d /usr/share/doc",
            "d /usr/share/doc/a",
            "f /usr/share/doc/a/copyright c",
            "l /usr/share/elsewhere /usr/share/not-ours",
            "d /var/empty",
        ]
    );
    assert_eq!(
        omitted(&segment),
        [
            "/usr/share/doc/a/README",
            "/usr/share/doc/b",
            "/usr/share/doc/b/NEWS",
            "/usr/share/doc/shipped-empty",
            "/usr/share/first",
            "/usr/share/man",
            "/usr/share/man/man1",
            "/usr/share/man/man1/a.1",
            "/usr/share/man/man1/b.1",
            "/usr/share/second",
        ]
    );
    let keeps = filter(&["/usr/share"], &["/usr/share/first", "/usr/share/man/man1/a.1"], &[]);
    let segment = bench.unpack(data, &keeps).unwrap();
    assert_eq!(
        list(&segment),
        [
            "d /usr",
            "d /usr/share",
            "l /usr/share/first second",
            "d /usr/share/man",
            "d /usr/share/man/man1",
            "f /usr/share/man/man1/a.1 m",
            "d /var/empty",
        ]
    );
}

#[test]
fn scripts_go_by_their_interpreter() {
    let bench = Bench::new();
    let data = Tar::new()
        .program("./bin/sh-script", b"#!/bin/sh\necho")
        .hardlink("./bin/other-name", "./bin/sh-script")
        .program("./bin/env-script", b"#! /usr/bin/env -S bash -e\n")
        .program("./bin/kept", b"#!/bin/sh\n")
        .program("./bin/python-script", b"#!/usr/bin/python3\n")
        .program("./bin/elf", b"\x7fELF")
        .file("./usr/share/not-executable", b"#!/bin/sh\n")
        .symlink("./bin/link", "sh-script");
    let segment = bench.unpack(data, &filter(&[], &["/usr/bin/kept"], &["sh", "bash"])).unwrap();
    assert_eq!(
        list(&segment),
        [
            "f /usr/bin/elf \u{7f}ELF",
            "f /usr/bin/kept #!/bin/sh\n",
            "f /usr/bin/python-script #!/usr/bin/python3\n",
            "f /usr/share/not-executable #!/bin/sh\n",
        ]
    );
    assert_eq!(
        omitted(&segment),
        ["/usr/bin/env-script", "/usr/bin/link", "/usr/bin/other-name", "/usr/bin/sh-script"]
    );
}

#[test]
fn the_first_name_that_stays_holds_the_content() {
    let data = Tar::new().file("./x/z", b"content").hardlink("./x/b", "./x/z").hardlink("./x/c", "./x/b");
    let bench = Bench::new();
    let all = bench.unpack(data.clone(), &Filter::nothing()).unwrap();
    assert_eq!(list(&all), ["f /x/b content", "h /x/c /x/b", "h /x/z /x/b"]);
    let without_content = bench.unpack(data.clone(), &filter(&["/x/z"], &[], &[])).unwrap();
    assert_eq!(list(&without_content), ["f /x/b content", "h /x/c /x/b"]);
    let last = bench.unpack(data, &filter(&["/x/z", "/x/b"], &[], &[])).unwrap();
    assert_eq!(list(&last), ["f /x/c content"]);
}

#[test]
fn large_content_is_spooled_and_sorted() {
    let bench = Bench::new();
    let big: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let data = Tar::new().file("./z", &big).file("./a", b"small").program("./m", &big[4..]);
    let segment = bench.unpack(data, &filter(&[], &[], &["sh"])).unwrap();
    for (at, path, wanted) in [(0, "/a", &b"small"[..]), (1, "/m", &big[4..]), (2, "/z", &big[..])] {
        let entry = &segment.entries[at];
        let Kind::File(content) = &entry.kind else { panic!("{path}") };
        assert!(entry.path.to_string() == path && content.read().unwrap() == wanted, "{path}");
        assert_eq!(content.sha256().unwrap(), Sha256::of(wanted), "{path}");
    }
}

#[test]
fn what_the_store_holds_comes_back_and_damage_is_found() {
    let bench = Bench::new();
    let control =
        control().file("md5sums", b"5d41402abc4b2a76b9719d911017c592  lib/f\n").file("postinst", b"#!/bin/sh\n").end();
    let data = Tar::new()
        .dir("./lib/d/")
        .pax(&[("SCHILY.xattr.user.a", b"b\n")])
        .file("./lib/f", b"hello")
        .hardlink("./lib/g", "lib/f")
        .symlink("./lib/l", "f");
    let item = bench.item(&ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data.end())]));
    let get = |item: &Item| segment(&bench.store, item, &Filter::nothing(), &Limits::default());
    let first = get(&item).unwrap();
    assert_eq!(first.md5sums[0].1.to_string(), "/usr/lib/f");
    assert_eq!(&*first.scripts[0].name, "postinst");
    let place = bench.place(&item);
    let bytes = fs::read(&place).unwrap();

    // Without the .deb only the store can answer.
    let away = item.deb.with_extension("away");
    fs::rename(&item.deb, &away).unwrap();
    let second = get(&item).unwrap();
    assert_eq!(whole(&first), whole(&second));

    let mut damaged: Vec<Vec<u8>> = (0..bytes.len()).step_by(17).map(|cut| bytes[..cut].to_vec()).collect();
    damaged.push([&bytes[..], b"x"].concat());
    damaged.extend((0..bytes.len()).step_by(7).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        bytes
    }));
    for (i, damaged) in damaged.iter().enumerate() {
        fs::write(&place, damaged).unwrap();
        assert!(get(&item).is_err(), "damage {i} went unnoticed");
    }
    fs::rename(&away, &item.deb).unwrap();
    assert_eq!(whole(&get(&item).unwrap()), whole(&first));
    assert!(fs::read(&place).unwrap() == bytes, "rebuilt to the same bytes");

    // A sound segment in another one's place is not used either.
    let other = bench.item(&deb(Tar::new().file("f", b"other")));
    let wanted = whole(&get(&other).unwrap());
    fs::write(bench.place(&other), &bytes).unwrap();
    assert_eq!(whole(&get(&other).unwrap()), wanted);
}

#[test]
fn nothing_is_left_behind_by_a_failure() {
    let bench = Bench::new();
    bench.unpack(Tar::new().file("f", &vec![1; 9 << 20]).file("../x", b""), &Filter::nothing()).unwrap_err();
    for folder in ["tmp", "segments"] {
        assert_eq!(fs::read_dir(bench.folder.path().join("store").join(folder)).unwrap().count(), 0, "{folder}");
    }
}
