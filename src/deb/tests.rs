//! Whole `.deb` files, sound and broken, through the public interface.

#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;

use std::io::Read;

use proptest::prelude::*;
use tar::EntryType;

use super::{
    Deb, DebError, DebFault, Entries, LimitReached, Limits, TarEntry, TarFault, TarKind,
    fixture::{Codec, Tar, ar, control, deb, on_disk, pack, records_of},
};

fn open(bytes: &[u8]) -> Result<Vec<(TarEntry, Vec<u8>)>, DebError> {
    open_within(bytes, &Limits::default())
}

fn open_within(bytes: &[u8], limits: &Limits) -> Result<Vec<(TarEntry, Vec<u8>)>, DebError> {
    let (_folder, path) = on_disk(bytes);
    let deb = Deb::open(&path, limits)?;
    deb.control()?;
    let at = |fault| DebError { deb: path.clone(), fault: deb.data_fault(fault) };
    let mut entries = deb.data()?;
    let mut out = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(at)? {
        let mut content = Vec::new();
        entries.read_to_end(&mut content).map_err(TarFault::from_io).map_err(at)?;
        out.push((entry, content));
    }
    Ok(out)
}

/// Reads a bare tar archive.
fn entries(tar: &[u8], limits: &Limits) -> Result<Vec<TarEntry>, TarFault> {
    let mut entries = Entries::new(tar, limits);
    std::iter::from_fn(|| entries.next_entry().transpose()).collect()
}

fn one(tar: Tar) -> Result<TarEntry, TarFault> {
    entries(&tar.end(), &Limits::default()).map(|mut all| all.remove(0))
}

const V: &[u8] = b"2.0\n";

type Member<'a> = (&'a str, &'a [u8]);
type Check = Box<dyn Fn(&DebFault) -> bool>;

#[test]
fn every_compression_gives_the_same_package() {
    let data = Tar::new().dir("./").dir("./etc/").file("./etc/x", b"hello").end();
    let plain = open(&ar(&[("debian-binary", V), ("control.tar", &control().end()), ("data.tar", &data)])).unwrap();
    assert_eq!(plain.len(), 3);
    assert_eq!(plain[2].1, b"hello");
    let all =
        [("gz", Codec::Gzip), ("xz", Codec::Xz), ("zst", Codec::Zstd), ("bz2", Codec::Bzip2), ("lzma", Codec::Lzma)];
    for (suffix, codec) in all {
        let (c, d) = (format!("control.tar.{suffix}"), format!("data.tar.{suffix}"));
        let packed = pack(codec, &control().end());
        let as_control = ar(&[("debian-binary", V), (&c, &packed), ("data.tar", &data)]);
        match open(&as_control) {
            Ok(found) => assert!(found == plain && !matches!(codec, Codec::Bzip2 | Codec::Lzma), "{suffix}"),
            Err(error) => assert!(
                matches!(error.fault, DebFault::MemberOrder { .. }) && matches!(codec, Codec::Bzip2 | Codec::Lzma),
                "{error}"
            ),
        }
        let as_data = ar(&[("debian-binary", V), ("control.tar", &control().end()), (&d, &pack(codec, &data))]);
        assert!(open(&as_data).unwrap() == plain, "{suffix}");
    }
}

#[test]
fn only_dpkgs_order_of_members_is_read() {
    let (c, d) = (control().end(), Tar::new().dir("./").end());
    let (c, d) = (("control.tar", &c[..]), ("data.tar", &d[..]));
    let v = ("debian-binary", V);
    let sig = ("_gpgorigin", &b"signature"[..]);
    for good in [
        vec![v, c, d],
        vec![v, sig, c, sig, d, sig],
        vec![("debian-binary", &b"2.1\nmore\n"[..]), c, d],
        vec![v, c, d, ("later", b"x")],
    ] {
        open(&ar(&good)).unwrap();
    }
    let order = |found: &'static str| move |fault: &DebFault| matches!(fault, DebFault::MemberOrder { found: f, .. } if f == found);
    let missing =
        |name: &'static str| move |fault: &DebFault| matches!(fault, DebFault::MissingMember(f) if *f == name);
    let cases: Vec<(Vec<Member>, Check)> = vec![
        (vec![], Box::new(missing("debian-binary"))),
        (vec![v], Box::new(missing("control.tar"))),
        (vec![v, c], Box::new(missing("data.tar"))),
        (vec![c, v, d], Box::new(order("control.tar"))),
        (vec![sig, v, c, d], Box::new(order("_gpgorigin"))),
        (vec![v, d, c], Box::new(order("data.tar"))),
        (vec![v, v, c, d], Box::new(order("debian-binary"))),
        (vec![v, c, c, d], Box::new(order("control.tar"))),
        (vec![v, c, d, d], Box::new(order("data.tar"))),
        (vec![v, c, d, c], Box::new(order("control.tar"))),
        (vec![v, c, ("other", b"x"), d], Box::new(order("other"))),
        (vec![v, ("control.tar.foo", b"x"), d], Box::new(order("control.tar.foo"))),
        (vec![("debian-binary", b"3.0\n"), c, d], Box::new(|f| matches!(f, DebFault::Version(v) if v == "3.0"))),
        (vec![("debian-binary", b"2.0"), c, d], Box::new(|f| matches!(f, DebFault::Version(_)))),
        (vec![("debian-binary", b"2.x\n"), c, d], Box::new(|f| matches!(f, DebFault::Version(_)))),
        (vec![("debian-binary", b""), c, d], Box::new(|f| matches!(f, DebFault::Version(_)))),
        (vec![v, sig, sig, sig, c, d], Box::new(|f| matches!(f, DebFault::Limit(l) if l.limit == 5))),
    ];
    for (members, check) in cases {
        let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
        let limits = Limits { members: 5, ..Limits::default() };
        let error = open_within(&ar(&members), &limits).unwrap_err();
        assert!(check(&error.fault), "{names:?}: {error}");
    }
}

#[test]
fn cut_anywhere_it_is_refused() {
    let whole = deb(Tar::new().file("./a", &[7; 2000]));
    open(&whole).unwrap();
    for cut in (0..whole.len()).step_by(13) {
        assert!(open(&whole[..cut]).is_err(), "{cut}");
    }
    let error = open(&whole[..whole.len() - 1]).unwrap_err();
    assert!(matches!(&error.fault, DebFault::Truncated { member, .. } if member == "data.tar"), "{error}");
    assert!(error.to_string().contains("fetched again"), "{error}");
    assert!(matches!(open(b"!<arch>").unwrap_err().fault, DebFault::NotAnArchive));
    assert!(matches!(open(b"PK\x03\x04 something else").unwrap_err().fault, DebFault::NotAnArchive));
}

#[test]
fn a_member_size_that_overflows_is_refused() {
    for size in ["9999999999", "99999"] {
        let mut bytes = deb(Tar::new());
        let at = 8 + 60 + 4 + 48;
        bytes[at..at + 10].copy_from_slice(format!("{size:<10}").as_bytes());
        let error = open(&bytes).unwrap_err();
        assert!(matches!(error.fault, DebFault::Truncated { .. }), "{error}");
    }
}

#[test]
fn the_control_archive_is_read_into_its_parts() {
    let tar = control()
        .file(
            "./md5sums",
            b"5d41402abc4b2a76b9719d911017c592  etc/x\nnonsense\nzz41402abc4b2a76b9719d911017c592  etc/y\n",
        )
        .file("./conffiles", b"/etc/x\nremove-on-upgrade /etc/old\n\n")
        .program("./postinst", b"#!/bin/sh\n\xff\n")
        .file("templates", b"left out");
    let bytes = ar(&[("debian-binary", V), ("control.tar", &tar.end()), ("data.tar", &Tar::new().end())]);
    let (_folder, path) = on_disk(&bytes);
    let read = Deb::open(&path, &Limits::default()).unwrap().control().unwrap();
    assert!(read.paragraph.starts_with("Package: demo\n"));
    let sums: Vec<_> = read.md5sums.iter().map(|(sum, path)| (sum[0], path.to_string())).collect();
    assert_eq!(sums, [(0x5d, "/etc/x".to_string())]);
    assert_eq!(read.conffiles.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/etc/x", "/etc/old"]);
    assert_eq!(read.scripts, [("postinst".to_string(), b"#!/bin/sh\n\xff\n".to_vec())]);

    let with = |tar: Tar| {
        let bytes = ar(&[("debian-binary", V), ("control.tar", &tar.end()), ("data.tar", &Tar::new().end())]);
        open(&bytes).unwrap_err().fault
    };
    assert!(matches!(with(Tar::new().dir("./")), DebFault::NoControl));
    assert!(matches!(with(Tar::new().symlink("./control", "/etc/passwd")), DebFault::NoControl));
    assert!(
        matches!(with(control().file("control", b"Package: other\n")) , DebFault::ControlTwice(name) if name == "control")
    );
    assert!(matches!(with(Tar::new().file("control", b"Package: \xff\n")), DebFault::NotUtf8("control")));
}

#[test]
fn limits_hold() {
    let bytes = ar(&[
        ("debian-binary", V),
        ("control.tar.xz", &pack(Codec::Xz, &control().file("postinst", &vec![b' '; 1 << 20]).end())),
        ("data.tar.xz", &pack(Codec::Xz, &Tar::new().file("bomb", &vec![0; 4 << 20]).end())),
    ]);
    assert!(bytes.len() < 10_000, "a bomb");
    open(&bytes).unwrap();
    for (limits, wanted) in [
        (Limits { data: 4 << 20, ..Limits::default() }, 4 << 20),
        (Limits { control: 1 << 20, ..Limits::default() }, 1 << 20),
    ] {
        let error = open_within(&bytes, &limits).unwrap_err();
        let DebFault::Tar { fault: TarFault::Limit(LimitReached { limit, .. }), .. } = error.fault else {
            panic!("{error}")
        };
        assert_eq!(limit, wanted);
    }

    let many = (0..100).fold(Tar::new(), |tar, i| tar.file(&format!("f{i}"), b"")).end();
    assert_eq!(entries(&many, &Limits { entries: 100, ..Limits::default() }).unwrap().len(), 100);
    let limited = |tar: &[u8], limits: Limits| matches!(entries(tar, &limits).unwrap_err(), TarFault::Limit(_));
    assert!(limited(&many, Limits { entries: 99, ..Limits::default() }));
    assert!(limited(&many, Limits { metadata: 200, ..Limits::default() }));
    let pax = Tar::new().pax(&[("user.comment", &[b'x'; 600])]).file("a", b"").end();
    assert!(entries(&pax, &Limits { extension: 650, ..Limits::default() }).is_ok());
    assert!(limited(&pax, Limits { extension: 600, ..Limits::default() }));
}

#[test]
fn extended_headers_are_honoured() {
    let value = b"\x01\x0a=\x0a12 path=evil\x0a\0";
    let long = format!("a/{}", "n".repeat(200));
    let entry = one(Tar::new()
        .pax(&[
            ("path", long.as_bytes()),
            ("SCHILY.xattr.security.capability", value),
            ("LIBARCHIVE.xattr.user.a%3Ab", b"AQI"),
            ("uid", b"3000000"),
            ("gid", b"7"),
            ("mtime", b"123.9"),
            ("atime", b"5"),
            ("size", b"5"),
        ])
        .file("short", b"12345"))
    .unwrap();
    assert_eq!(entry.path, long.as_bytes());
    assert_eq!((entry.uid, entry.gid, entry.mtime, entry.kind), (3_000_000, 7, 123, TarKind::File(5)));
    let xattrs: Vec<_> = entry.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    assert_eq!(xattrs, [(b"security.capability".to_vec(), value.to_vec()), (b"user.a:b".to_vec(), vec![1, 2])]);

    let name = [long.as_bytes(), b"\0"].concat();
    let tar = Tar::new()
        .raw(EntryType::GNULongName, b"././@LongLink", b"", &name, |_| {})
        .raw(EntryType::GNULongLink, b"././@LongLink", b"", b"target\0", |_| {})
        .symlink("short", "x");
    let entry = one(tar).unwrap();
    assert_eq!(entry.path, long.as_bytes());
    assert_eq!(entry.kind, TarKind::Symlink(b"target"[..].into()));

    let global = Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", &records_of(&[("comment", b"x")]), |_| {});
    assert_eq!(one(global.file("a", b"")).unwrap().path, b"a");
}

#[test]
fn setuid_bits_odd_names_and_old_times_are_kept() {
    let entry = one(Tar::new().raw(EntryType::Regular, b"su\xff", b"", b"", |h| {
        h.set_mode(0o104_755);
        h.as_old_mut().mtime = [0xff; 12];
    }))
    .unwrap();
    assert_eq!((entry.mode, entry.path.as_slice(), entry.mtime), (0o4755, &b"su\xff"[..], -1));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let file = |tar: Tar| tar.file("f", b"12345");
    let kind = |kind| Tar::new().raw(kind, b"f", b"", b"", |_| {});
    let pax = |records: &[(&str, &[u8])]| Tar::new().pax(records);
    let huge = |h: &mut tar::Header| h.as_old_mut().size = [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let cases: Vec<(Tar, &str)> = vec![
        (kind(EntryType::Char), "character device"),
        (kind(EntryType::Block), "block device"),
        (kind(EntryType::Fifo), "FIFO"),
        (kind(EntryType::GNUSparse), "sparse"),
        (kind(EntryType::new(b'V')), "unknown"),
        (file(pax(&[("GNU.sparse.major", b"1")])), "sparse"),
        (file(pax(&[("SCHILY.acl.access", b"user::rwx")])), "access control"),
        (file(pax(&[("size", b"0")])), "size 5 in its header and 0"),
        (file(pax(&[("size", b"512")])), "and 512"),
        (file(pax(&[("size", b"99999999999999")])), "and 99999999999999"),
        (file(pax(&[("size", b"-5")])), "size is malformed"),
        (file(pax(&[("uid", b"99999999999")])), "uid is malformed"),
        (file(pax(&[("path", b"a\nb")])), "newline"),
        (file(pax(&[("uid", b"1")]).pax(&[("uid", b"2")])), "twice"),
        (pax(&[("uid", b"1")]), "nothing follows"),
        (file(Tar::new().raw(EntryType::XHeader, b"p", b"", b"99 path=x\n", |_| {})), "malformed"),
        (
            file(Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", &records_of(&[("path", b"x")]), |_| {})),
            "all that follows",
        ),
        (file(Tar::new().raw(EntryType::GNULongName, b"l", b"", b"no end", |_| {})), "no end"),
        (file(pax(&[("path", b"x")]).raw(EntryType::GNULongName, b"l", b"", b"y\0", |_| {})), "contradict"),
        (Tar::new().file("a\nb", b""), "newline"),
        (Tar::new().symlink("a", ""), "target"),
        (Tar::new().hardlink("a", ""), "target"),
        (pax(&[("linkpath", b"a\0b")]).symlink("a", "x"), "target"),
        (Tar::new().raw(EntryType::Directory, b"d", b"", b"x", |_| {}), "has content"),
        (Tar::new().raw(EntryType::Link, b"d", b"x", b"x", |_| {}), "has content"),
        (Tar::new().raw(EntryType::Regular, b"d/", b"", b"x", |_| {}), ""),
        (Tar::new().raw(EntryType::Regular, b"f", b"", b"", huge), "malformed size"),
        (
            Tar::new().raw(EntryType::Regular, b"f", b"", b"", |h| h.as_old_mut().size = *b"00000000009\0"),
            "malformed size",
        ),
        (Tar::new().raw(EntryType::Regular, b"f", b"", b"", |h| h.as_old_mut().size = *b"77777777777\0"), "truncated"),
        (Tar::new().raw(EntryType::Regular, b"f", b"", b"", |h| h.set_uid(1 << 40)), "malformed owner"),
    ];
    for (tar, wanted) in cases {
        let error = match one(tar) {
            Err(error) => error.to_string(),
            Ok(entry) => panic!("{wanted}: {entry:?}"),
        };
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    let whole = Tar::new().file("a", b"x").end();
    let cases = [
        (whole[..1024].to_vec(), "truncated"),
        ([&whole[..], &[0; 512], b"hidden"].concat(), "behind the end"),
        ([&b"b"[..], &whole[1..]].concat(), "checksum"),
    ];
    for (tar, wanted) in cases {
        let error = entries(&tar, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_makes_it_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>()) {
        let data = Tar::new().dir("./").pax(&[("path", b"etc/long"), ("SCHILY.xattr.user.a", b"b")]).file("x", b"hello").symlink("l", "x").hardlink("h", "x");
        let mut bytes = deb(data);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(entries) = open(&bytes) {
            prop_assert!(entries.len() < 20);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn no_mutated_tar_makes_it_panic(edits in prop::collection::vec((0usize..3000, any::<u8>()), 0..8)) {
        let mut tar = Tar::new().pax(&[("path", b"etc/long"), ("size", b"5")]).file("x", b"hello").symlink("l", "x").end();
        for (at, byte) in edits {
            let at = at % tar.len();
            tar[at] = byte;
        }
        // With checksums made right again, so that the fields are reached.
        for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
            let sum: u32 = block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { u32::from(b) }).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        if let Ok(all) = entries(&tar, &Limits::default()) {
            prop_assert!(all.len() < 10);
        }
    }
}

/// Oracle: packages that dpkg-deb itself builds, in each compression that it writes.
#[test]
fn what_dpkg_deb_builds_is_read() {
    use std::{fs, process::Command};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let long = format!("usr/share/{0}/{0}", "long-name-".repeat(12));
    fs::create_dir_all(root.join("DEBIAN")).unwrap();
    fs::create_dir_all(root.join(&long)).unwrap();
    let paragraph = "Package: demo\nVersion: 1\nArchitecture: all\nMaintainer: X <x@example.com>\nDescription: x\n";
    fs::write(root.join("DEBIAN/control"), paragraph).unwrap();
    fs::write(root.join(&long).join("é b"), "content").unwrap();
    fs::hard_link(root.join(&long).join("é b"), root.join("usr/z")).unwrap();
    std::os::unix::fs::symlink(format!("/{long}"), root.join("usr/link")).unwrap();
    for codec in ["none", "gzip", "xz", "zstd"] {
        let path = folder.path().join(format!("{codec}.deb"));
        let built = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .arg(format!("-Z{codec}"))
            .args([&root, &path])
            .output();
        let Ok(output) = built else {
            println!("skipped: no dpkg-deb here");
            return;
        };
        if !output.status.success() {
            println!("skipped: this dpkg-deb does not build with {codec}");
            continue;
        }
        assert_eq!(Deb::open(&path, &Limits::default()).unwrap().control().unwrap().paragraph, paragraph);
        let mut found: Vec<_> = open(&fs::read(&path).unwrap())
            .unwrap()
            .into_iter()
            .map(|(entry, content)| (String::from_utf8(entry.path).unwrap(), entry.kind, content))
            .filter(|(_, kind, _)| *kind != TarKind::Dir)
            .collect();
        found.sort_by_key(|(path, kind, _)| (matches!(kind, TarKind::Symlink(_)), path.clone()));
        let deep = format!("./{long}/é b");
        let deep_link = deep.as_bytes().into();
        let first = (deep, TarKind::File(7), b"content".to_vec());
        let second = ("./usr/z".to_string(), TarKind::Hardlink(deep_link), vec![]);
        let third = ("./usr/link".to_string(), TarKind::Symlink(format!("/{long}").as_bytes().into()), vec![]);
        assert_eq!(found, [first, second, third], "{codec}");
    }
}
