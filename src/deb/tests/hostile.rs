//! What a hostile mirror would send: cut, concatenated, endless and lying archives, each a row of a table.

use super::*;
use crate::deb::{FILES, compression::Streams, compression::decoder};

const CODECS: [(&str, Codec); 6] = [
    ("", Codec::Plain),
    (".gz", Codec::Gzip),
    (".xz", Codec::Xz),
    (".zst", Codec::Zstd),
    (".bz2", Codec::Bzip2),
    (".lzma", Codec::Lzma),
];

/// A package whose data member is this, as it is.
fn with_data(suffix: &str, data: &[u8]) -> Vec<u8> {
    ar(&[("debian-binary", V), ("control.tar", &control().end()), (&format!("data.tar{suffix}"), data)])
}

fn refused(bytes: &[u8]) -> String {
    match open(bytes) {
        Err(error) => error.to_string(),
        Ok(entries) => panic!("taken: {entries:?}"),
    }
}

/// Each byte of the file, and of the compressed stream inside a file that is otherwise whole: CVE-2026-2219 is a decoder
/// that waits for ever for the rest of a stream whose member has ended.
#[test]
fn cut_at_every_byte_it_is_refused_and_ends() {
    let tar = Tar::new().dir("./").file("./a", b"some words that pack to a few bytes").end();
    for (suffix, codec) in CODECS {
        let packed = pack(codec, &tar);
        let whole = with_data(suffix, &packed);
        assert_eq!(open(&whole).unwrap().len(), 2, "{suffix}");
        // What pads the last member to an even length says nothing.
        let end = whole.len() - packed.len() % 2;
        let cuts = (0..end).filter(|at| codec != Codec::Plain || at % 7 == 0 || *at < 200);
        for cut in cuts {
            assert!(open(&whole[..cut]).is_err(), "{suffix} cut at {cut}");
        }
        // One block of zeros at the end of a plain tar will do, as GNU tar has it.
        let enough = if codec == Codec::Plain { packed.len() - 512 } else { packed.len() };
        for cut in (0..enough).filter(|at| codec != Codec::Plain || at % 7 == 0) {
            assert!(open(&with_data(suffix, &packed[..cut])).is_err(), "data.tar{suffix} cut at {cut}");
        }
    }
}

/// A tar archive in one stream or several, as tarballs and layers may be.
fn in_streams(codec: Codec, packed: &[u8]) -> Result<Vec<TarEntry>, TarFault> {
    let limits = Limits::default();
    let reader = decoder(codec, packed, Streams::Several, &FILES, &limits).map_err(TarFault::Read)?;
    let mut entries = Entries::new(reader, &limits);
    std::iter::from_fn(|| entries.next_entry().transpose()).collect()
}

/// dpkg reads the first stream of a member and passes over the others, but for gzip: what it does not see no package has.
#[test]
fn a_package_in_several_streams_is_what_dpkg_sees_or_refused() {
    let tar = Tar::new().file("./a", &[7; 3000]).file("./b", b"b").end();
    for (suffix, codec) in CODECS.into_iter().skip(1) {
        for at in [1, 512, 3000, tar.len() - 1, tar.len()] {
            let parts = [pack(codec, &tar[..at]), pack(codec, &tar[at..])].concat();
            let found = open(&with_data(suffix, &parts));
            match codec {
                Codec::Gzip => assert_eq!(found.unwrap().len(), 2, "{suffix} in parts at {at}"),
                _ => assert!(found.is_err(), "{suffix} in parts at {at}"),
            }
            // That format has no parts.
            assert_eq!(in_streams(codec, &parts).is_ok(), codec != Codec::Lzma, "{suffix} in parts at {at}");
        }
        let packed = pack(codec, &tar);
        for tail in
            [&packed[..1], &packed[..3], b"x", &[0; 4], b"\xff\xff\xff\xff\xff\xff\xff\xff", b"GARBAGE, AND MORE"]
        {
            let bytes = with_data(suffix, &[&packed[..], tail].concat());
            assert!(open(&bytes).is_err(), "{suffix} with a tail of {}", tail.escape_ascii());
        }
        // A second archive behind the end marker of the first.
        let second = pack(codec, &[&tar[..], &Tar::new().file("./hidden", b"").end()].concat());
        assert!(refused(&with_data(suffix, &second)).contains("behind the end"), "{suffix}");
        let second = [packed, pack(codec, &Tar::new().file("./hidden", b"").end())].concat();
        assert!(open(&with_data(suffix, &second)).is_err(), "{suffix}");
        assert!(in_streams(codec, &second).is_err(), "{suffix}");
    }
}

#[test]
fn what_a_member_is_called_it_is() {
    let tar = Tar::new().file("./a", b"x").end();
    for (suffix, _) in CODECS {
        for (other, codec) in CODECS {
            let found = open(&with_data(suffix, &pack(codec, &tar)));
            assert_eq!(found.is_ok(), suffix == other, "{other} as data.tar{suffix}");
        }
    }
}

/// Frames that hold nothing, without end as it seems: each costs its bytes and no more.
#[test]
fn zstd_streams_of_nothing_end() {
    let tar = Tar::new().file("./a", b"x").end();
    let good = pack(Codec::Zstd, &tar);
    let empty = zstd::encode_all(&b""[..], 1).unwrap();
    let skippable =
        |length: u32| [&0x184d_2a50_u32.to_le_bytes()[..], &length.to_le_bytes(), &vec![7; length as usize]].concat();
    // A frame header with a window of 128 KiB, and blocks: type and size, the last one marked (RFC 8878, 3.1.1).
    let frame = |blocks: &[u8]| [b"\x28\xb5\x2f\xfd\x00\x38", blocks].concat();
    let raw = |last: u32, bytes: &[u8]| {
        [&(u32::try_from(bytes.len()).unwrap() << 3 | last).to_le_bytes()[..3], bytes].concat()
    };
    let nothing = raw(0, b"").repeat(300_000);
    let flushed = frame(&[&nothing[..], &raw(0, &tar), &nothing, &raw(1, b"")].concat());
    for (what, data, in_package, in_tarball) in [
        ("empty blocks around the content", flushed, true, true),
        ("empty frames before", [empty.repeat(100_000), good.clone()].concat(), false, true),
        ("empty frames behind", [good.clone(), empty.repeat(100_000)].concat(), false, true),
        ("skippable frames", [skippable(0).repeat(100_000), good.clone(), skippable(70_000)].concat(), false, true),
        ("nothing but empty frames", empty.repeat(1000), false, false),
        ("nothing but skippable frames", skippable(10).repeat(1000), false, false),
        ("blocks without a last one", frame(&nothing), false, false),
        ("a frame header alone behind", [good.clone(), frame(&[])].concat(), false, false),
        ("half a skippable frame behind", [&good[..], &skippable(100)[..50]].concat(), false, false),
        ("a block that is larger than the rest", [&good[..], &frame(&[0xf1, 0xff, 0x00])].concat(), false, false),
        ("a block of the reserved type", [&good[..], &frame(&[0x07, 0, 0])].concat(), false, false),
        (
            "a dictionary that nobody has",
            [&good[..], b"\x28\xb5\x2f\xfd\x01\x00\x99\x01\x00\x00"].concat(),
            false,
            false,
        ),
    ] {
        assert_eq!(open(&with_data(".zst", &data)).is_ok(), in_package, "{what}");
        assert_eq!(in_streams(Codec::Zstd, &data).is_ok(), in_tarball, "{what}");
    }
    let cut = zstd::bulk::compress(&tar, 1).unwrap();
    // Its content is of another size than its header says.
    assert!(open(&with_data(".zst", &cut)).is_ok());
    let mut liar = cut;
    assert_ne!(liar[4] >> 6, 0, "a header with a size");
    liar[5] ^= 1;
    assert!(open(&with_data(".zst", &liar)).is_err());
}

#[test]
fn bombs_stop_at_the_limit_in_every_codec() {
    let bomb = Tar::new().file("./zeros", &vec![0; 3 << 20]).end();
    let wordy = control().file("./postinst", &vec![b' '; 3 << 20]).end();
    let small = Tar::new().end();
    let limits = Limits { data: 1 << 20, control: 1 << 20, ..Limits::default() };
    for (suffix, codec) in CODECS {
        let data = with_data(suffix, &pack(codec, &bomb));
        let error = open_within(&data, &limits).unwrap_err().to_string();
        let words = "it has more than 1048576 bytes of files, the limit (limits.unpacked); leave the package out";
        assert!(error.contains(words), "data.tar{suffix}: {error}");
        if matches!(codec, Codec::Bzip2 | Codec::Lzma) {
            continue;
        }
        let name = format!("control.tar{suffix}");
        let control = ar(&[("debian-binary", V), (&name, &pack(codec, &wordy)), ("data.tar", &small)]);
        let error = open_within(&control, &limits).unwrap_err().to_string();
        assert!(error.contains("1048576 bytes of control files, the limit (limits.control)"), "{name}: {error}");
    }
    // A window of 2 GiB, which only its header asks for.
    let greedy = with_data(".zst", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00");
    assert!(refused(&greedy).contains("memory for its decoder, the limit (limits.decoder-memory)"));
    let greedy = with_data(".lzma", b"\x5d\x00\x00\x00\x80\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00");
    assert!(refused(&greedy).contains("limits.decoder-memory"));
}

/// Counts what is read from a stream that never ends.
struct Endless<'a> {
    block: &'a [u8],
    read: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        for byte in buf.iter_mut() {
            *byte = self.block[self.read % self.block.len()];
            self.read += 1;
        }
        Ok(buf.len())
    }
}

/// Ten million empty entries, or any number: what is read and what is held follows from the limit alone.
#[test]
fn entries_without_end_stop_at_the_limit() {
    let limits = Limits { entries: 5_000, ..Limits::default() };
    let global = Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", &records_of(&[("comment", b"x")]), |_| {});
    for (what, block) in [
        ("files", Tar::new().file("a", b"")),
        ("directories", Tar::new().dir("a/")),
        ("extended headers", Tar::new().pax(&[("path", b"x")]).file("a", b"")),
        ("global headers", global),
    ] {
        let mut endless = Endless { block: &block.0, read: 0 };
        let mut entries = Entries::new(&mut endless, &limits);
        let error = std::iter::from_fn(|| entries.next_entry().transpose()).find_map(Result::err).unwrap();
        assert_eq!(error.to_string(), "it has more than 5000 entries, the limit (limits.entries)", "{what}");
        drop(entries);
        assert!(endless.read <= 5_001 * block.0.len(), "{what}: {}", endless.read);
    }
    // The same for names, however few entries have them.
    let long = Tar::new().pax(&[("path", &[b'x'; 4000])]).file("a", b"");
    let limits = Limits { metadata: 100_000, ..Limits::default() };
    let mut endless = Endless { block: &long.0, read: 0 };
    let mut entries = Entries::new(&mut endless, &limits);
    let error = std::iter::from_fn(|| entries.next_entry().transpose()).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("(limits.names)"), "{error}");
    // An extended header is refused by its size, before a byte of it is read or room is made for it.
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader, EntryType::GNULongName, EntryType::GNULongLink] {
        let header = Tar::new().raw(kind, b"x", b"", b"", |h| h.as_old_mut().size = *b"77777777777\0");
        let error = one(header).unwrap_err().to_string();
        assert!(error.contains("(limits.extended-header); 8589934591 were found"), "{error}");
    }
}

#[test]
fn the_outer_archive_is_read_as_it_is_or_not_at_all() {
    // CVE-2020-3810 and CVE-2020-27350 are sizes and names of the outer archive that apt believed.
    let whole = deb(Tar::new().file("./a", b"x"));
    let data = whole.windows(8).position(|w| w == b"data.tar").unwrap();
    for (field, value, words) in [
        (48, "-1        ", "malformed (size)"),
        (48, "+512      ", "malformed (size)"),
        (48, "0x10      ", "malformed (size)"),
        (48, "1e3       ", "malformed (size)"),
        (48, "          ", "malformed (size)"),
        (48, " 2048     ", "malformed (size)"),
        (48, "20 48     ", "malformed (size)"),
        (48, "2048\0     ", "malformed (size)"),
        (48, "9999999999", "truncated"),
        (48, "4294967296", "truncated"),
        (48, "2050      ", "truncated"),
        // A smaller one: what follows is no header.
        (48, "2046      ", "truncated"),
        (48, "0         ", "archive member header"),
        (0, "\0               ", "malformed (name)"),
        (0, "data.tar\0.xz    ", "malformed (name)"),
        (0, "data\ntar        ", "malformed (name)"),
        (0, "                ", "malformed (name)"),
        (0, "/               ", "malformed (name)"),
        (0, "//              ", "“/” stands where"),
        (0, "/0              ", "“/0” stands where"),
        (0, "#1/20           ", "“#1/20” stands where"),
        (0, "../../../data.ta", "“../../../data.ta” stands where"),
        (0, "control.tar     ", "“control.tar” stands where data.tar belongs"),
        (0, "_data.tar       ", "it has no member data.tar"),
        (0, "DATA.TAR        ", "“DATA.TAR” stands where"),
        (0, "data.tar.XZ     ", "“data.tar.XZ” stands where"),
        (16, "-1          ", "malformed (date)"),
        (28, "-1    ", "malformed (owner)"),
        (58, "\n`", "malformed (end)"),
    ] {
        let mut bytes = whole.clone();
        bytes[data + field..data + field + value.len()].copy_from_slice(value.as_bytes());
        let error = refused(&bytes);
        assert!(error.contains(words), "{value:?}: {error}");
    }
    // Decimal, whatever zeros stand before it: 2048 and not 1064.
    let mut zeros = whole.clone();
    zeros[data + 48..data + 58].copy_from_slice(b"0000002048");
    assert_eq!(open(&zeros).unwrap().len(), 1);
    // A signature of a size that leads behind the end, or around it.
    let gpg = ar(&[("debian-binary", V), ("_gpgorigin", b"sign")]);
    for size in ["9999999999", "64        ", "5         "] {
        let mut bytes = gpg.clone();
        let at = bytes.len() - 4 - 12;
        bytes[at..at + 10].copy_from_slice(size.as_bytes());
        assert!(refused(&bytes).contains("truncated"), "{size}");
    }
}

/// A header of its own inside another entry's content: CVE-2025-62518 and the advisories after it, where a reader went on
/// at the size of the wrong header.
#[test]
fn no_header_hides_in_content() {
    let hidden = Tar::new().file("etc/evil", b"").0;
    let size = hidden.len().to_string();
    let sized = |size: &str| Tar::new().pax(&[("size", size.as_bytes())]);
    let by_header = |tar: Tar, size: u64| tar.raw(EntryType::Regular, b"f", b"", b"", |h| h.set_size(size));
    // Its header says nothing, its extended header all; and the other way round.
    for (what, tar) in [
        ("PAX over ustar", by_header(sized(&size), 0).bytes(&hidden)),
        ("ustar over PAX", by_header(sized("0"), hidden.len() as u64).bytes(&hidden)),
        ("half of it", by_header(sized("256"), 512).bytes(&hidden)),
        ("for a directory", sized(&size).dir("d/").bytes(&hidden)),
        ("for a link", sized(&size).symlink("l", "x").bytes(&hidden)),
    ] {
        let error = one(tar).unwrap_err().to_string();
        assert!(error.contains("in its extended header") || error.contains("has content"), "{what}: {error}");
    }
    // For the file alone, not for the long name between: CVE-2026-53655.
    let tar = sized("5").long(b"a/long/name").file("f", b"12345").file("next", b"").end();
    let found = entries(&tar, &Limits::default()).unwrap();
    let found: Vec<_> = found.iter().map(|entry| (&entry.path[..], &entry.kind)).collect();
    assert_eq!(found, [(&b"a/long/name"[..], &TarKind::File(5)), (b"next", &TarKind::File(0))]);
    // Nor for the entry after it.
    let tar = sized("5").file("f", b"12345").file("next", b"1").end();
    assert_eq!(entries(&tar, &Limits::default()).unwrap()[1].kind, TarKind::File(1));
    // What really is in the content of a file stays there.
    let found = entries(&Tar::new().file("f", &hidden).file("g", b"").end(), &Limits::default()).unwrap();
    assert_eq!(found.iter().map(|entry| &entry.path[..]).collect::<Vec<_>>(), [b"f", b"g"]);
}

#[test]
fn numbers_links_and_types_that_are_none() {
    type Edit = fn(&mut tar::Header);
    let with = |edit: Edit| Tar::new().raw(EntryType::Regular, b"f", b"", b"", edit);
    let typed = |kind: u8| Tar::new().raw(EntryType::new(kind), b"f", b"", b"", |_| {});
    let sparse = |key: &str| Tar::new().pax(&[(key, b"1")]).file("f", b"12345");
    for (tar, words) in [
        // Base 256: negative, beyond u64, beyond what can follow.
        (with(|h| h.as_old_mut().size = [0xff; 12]), "malformed size"),
        (with(|h| h.as_old_mut().size = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), "malformed size"),
        (with(|h| h.as_old_mut().size = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "truncated"),
        (with(|h| h.as_old_mut().uid = [0xff; 8]), "malformed owner"),
        (with(|h| h.as_old_mut().gid = [0x80, 0, 0, 1, 0, 0, 0, 0]), "malformed group"),
        (with(|h| h.as_old_mut().mode = *b"-0000644"), "malformed mode"),
        (with(|h| h.as_old_mut().mode = *b"rw-r--r-"), "malformed mode"),
        (with(|h| h.as_old_mut().mtime = *b"tomorrow    "), "malformed mtime"),
        (with(|h| h.as_old_mut().mtime = [0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0]), "malformed mtime"),
        (with(|h| h.as_old_mut().size = *b"1 1        \0"), "malformed size"),
        // Sparse files, in all four forms.
        (typed(b'S'), "a sparse file"),
        (sparse("GNU.sparse.numblocks"), "sparse"),
        (sparse("GNU.sparse.map"), "sparse"),
        (sparse("GNU.sparse.major"), "sparse"),
        (sparse("GNU.sparse.realsize"), "sparse"),
        // What GNU, Solaris and others have besides: folders with a list, further volumes, labels, sockets.
        (typed(b'D'), "unknown"),
        (typed(b'M'), "unknown"),
        (typed(b'N'), "unknown"),
        (typed(b'V'), "unknown"),
        (typed(b's'), "unknown"),
        (typed(b'A'), "unknown"),
        (typed(0xff), "unknown"),
        // For all that follows: two readers, two archives.
        (
            Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", &records_of(&[("size", b"512")]), |_| {}),
            "it sets “size” for all that follows",
        ),
        (Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", b"junk", |_| {}), "global records are malformed"),
        (Tar::new().long(b"a\nb").file("f", b""), "newline"),
        (Tar::new().long(b"a").long(b"b").file("f", b""), "twice"),
        (Tar::new().long(b"a"), "nothing follows"),
    ] {
        let error = one(tar).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    // Of three wrong ways to sum a header up, none is taken: one off, of signed bytes, in another base.
    let whole = Tar::new().file("f\u{e9}", b"").end();
    let sum: u32 =
        whole[..512].iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { (*b).into() }).sum();
    for wrong in
        [format!("{:06o}\0 ", sum + 1), format!("{:06o}\0 ", sum - 2 * 256), format!("{sum:06}\0 "), "\0".repeat(8)]
    {
        let mut bytes = whole.clone();
        bytes[148..156].copy_from_slice(wrong.as_bytes());
        assert!(entries(&bytes, &Limits::default()).unwrap_err().to_string().contains("checksum"), "{wrong}");
    }
}

#[test]
fn a_control_archive_that_deceives() {
    let with =
        |tar: Tar| open(&ar(&[("debian-binary", V), ("control.tar", &tar.end()), ("data.tar", &Tar::new().end())]));
    let paragraph = |text: &str| Tar::new().file("./control", text.as_bytes());
    for (tar, words) in [
        (paragraph(""), "no paragraph"),
        (paragraph("\n\n"), "no paragraph"),
        (paragraph("Package: demo\nVersion: 1\n\nPackage: other\nVersion: 2\n"), "more than one paragraph"),
        (paragraph("Package: demo\nPackage: other\n"), "cannot be used"),
        (paragraph("Package demo\n"), "cannot be used"),
        (Tar::new().file("../control", b"Package: demo\n"), "no file “control”"),
        (Tar::new().file("/control", b"Package: demo\n"), "no file “control”"),
        (Tar::new().file("./DEBIAN/control", b"Package: demo\n"), "no file “control”"),
        (Tar::new().dir("./control"), "no file “control”"),
        (Tar::new().file("./other", b"Package: demo\n").hardlink("./control", "./other"), "no file “control”"),
        (control().raw(EntryType::Char, b"./tty", b"", b"", |_| {}), "a character device"),
        (control().raw(EntryType::Fifo, b"./pipe", b"", b"", |_| {}), "a FIFO"),
        (control().file("./postinst", b"a").file("postinst", b"b"), "“postinst” occurs twice"),
    ] {
        let error = with(tar).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    // Lists of paths that lead elsewhere name nothing; nothing of the control archive is ever written.
    let lists = control()
        .raw(EntryType::Directory, b"./locked/", b"", b"", |h| h.set_mode(0))
        .file("./md5sums", b"5d41402abc4b2a76b9719d911017c592  ../../etc/passwd\n5d41402abc4b2a76b9719d911017c592  /\n")
        .file("./conffiles", b"/../../etc/passwd\n/\n/etc/a\0b\n")
        .file("./triggers", b"interest ../../../x\n")
        .file("../../postinst", b"evil");
    let bytes = ar(&[("debian-binary", V), ("control.tar", &lists.end()), ("data.tar", &Tar::new().end())]);
    let (_folder, path) = on_disk(&bytes);
    let read = Deb::open(&path, &Limits::default()).unwrap().control().unwrap();
    assert_eq!((read.md5sums.len(), read.conffiles.len()), (0, 0));
    assert_eq!(read.scripts.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), ["triggers"]);
}
