//! What must hold of `.deb`s, of tar archives and of compressed streams, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::io::{BufReader, Cursor, Read};

use super::{Codec, Deb, End, Entries, Limits, TarEntry, TarFault, TarKind, ar, compression};
use crate::{
    base::RootPath,
    fuzz::told,
    tree::{
        Kind, Meta,
        header::{self, padding},
    },
};

/// Far below the usual ones, so that few bytes reach them.
pub(crate) fn limits() -> Limits {
    Limits {
        data: 1 << 20,
        control: 1 << 18,
        entries: 500,
        extension: 1 << 14,
        metadata: 1 << 16,
        decoder_memory: 32 << 20,
        ..Limits::default()
    }
}

/// The outer archive, its control and data archives, in whatever compression.
pub fn deb(bytes: &[u8]) {
    let (file, limits) = (crate::fuzz::file(bytes), limits());
    let length = bytes.len() as u64;
    let layout = match ar::layout(&file, length, &limits) {
        Ok(layout) => layout,
        Err(fault) => return told(&fault),
    };
    let (control, data) = (&layout.control.0, &layout.data.0);
    let ends = [control, data].map(|member| member.offset + member.size);
    assert!(control.offset >= 8 + 60 && ends[0] <= data.offset && ends[1] <= length, "{layout:?}");

    let deb = Deb { path: "a.deb".into(), file, layout, limits };
    assert!(deb.data_name().starts_with("data.tar"));
    match deb.control() {
        Ok(control) => {
            let scripts: usize = control.scripts.iter().map(|(_, text)| text.len()).sum();
            assert!((control.paragraph.len() + scripts) as u64 <= deb.limits.control);
            assert!(control.scripts.is_sorted_by(|a, b| a.0 < b.0), "{control:?}");
            let paths = control.conffiles.iter().chain(control.md5sums.iter().map(|(_, path)| path));
            paths.for_each(|path| assert!(!path.is_root()));
        }
        Err(error) => told(&error),
    }
    if let Ok(entries) = deb.data() {
        read_all(entries, &deb.limits);
    }
}

/// A tar archive as it is, and with the checksums of its headers set right.
pub fn tar(bytes: &[u8]) {
    archive(bytes);
    archive(&sealed(bytes));
}

/// A stream in the compression that its first byte says: what comes out does not depend on how it is read.
pub fn compressed(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let codec = match first {
        b'g' => Codec::Gzip,
        b'x' => Codec::Xz,
        b'l' => Codec::Lzma,
        b'z' => Codec::Zstd,
        b'b' => Codec::Bzip2,
        _ => Codec::of_magic(rest),
    };
    let limits = limits();
    let read = |input: usize, output: usize| {
        let input = BufReader::with_capacity(input, rest);
        let mut decoder = compression::decoder(codec, input, limits.data, "bytes", &limits).ok()?;
        let (mut out, mut buffer) = (Vec::new(), vec![0; output]);
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return Some((out, true)),
                Ok(n) => out.extend_from_slice(&buffer[..n]),
                Err(_) => return Some((out, false)),
            }
            assert!(out.len() as u64 <= limits.data);
        }
    };
    let (whole, pieces) = (read(128 << 10, 64 << 10), read(7, 61));
    if let (Some((whole, true)), Some((pieces, _))) = (&whole, &pieces) {
        assert!(whole == pieces, "{codec:?}");
    }
    let ends = |read: &Option<(Vec<u8>, bool)>| read.as_ref().is_some_and(|(_, ends)| *ends);
    assert_eq!(ends(&whole), ends(&pieces), "{codec:?}");
}

/// The bytes with the right checksum in each header, as a reader would find them.
pub(crate) fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(block) = out.get_mut(at..at + 512).filter(|block| block.iter().any(|&b| b != 0)) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&block[124..136]).ok();
        let size = size.and_then(|text| usize::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()).unwrap_or(0);
        at = at.saturating_add(512).saturating_add(size.checked_next_multiple_of(512).unwrap_or(usize::MAX));
    }
    out
}

type Found = (Vec<(TarEntry, Vec<u8>)>, Option<TarFault>);

/// All entries with their content, up to the end or to what is wrong.
fn read_all<R: Read>(mut entries: Entries<R>, limits: &Limits) -> Found {
    let (mut out, mut total, mut metadata) = (Vec::new(), 0, 0);
    loop {
        let entry = match entries.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (out, None),
            Err(fault) => {
                told(&fault);
                return (out, Some(fault));
            }
        };
        metadata += entry.path.len() + entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        assert!(entry.mode <= 0o7777 && metadata as u64 <= limits.metadata, "{entry:?}");
        let mut content = Vec::new();
        if let Err(error) = entries.read_to_end(&mut content) {
            return (out, Some(TarFault::from_io(error)));
        }
        match &entry.kind {
            TarKind::File(size) => assert_eq!(*size, content.len() as u64, "{entry:?}"),
            TarKind::Symlink(target) | TarKind::Hardlink(target) => {
                assert!(content.is_empty() && (1..4096).contains(&target.len()) && !target.contains(&0), "{entry:?}");
            }
            TarKind::Dir | TarKind::Special(_) => assert!(content.is_empty(), "{entry:?}"),
        }
        total += content.len() as u64;
        out.push((entry, content));
        assert!(total <= limits.data && out.len() as u64 <= limits.entries);
    }
}

fn archive(bytes: &[u8]) {
    let limits = limits();
    let (package, fault) = read_all(Entries::new(bytes, &limits), &limits);
    let (image, image_fault) = read_all(Entries::new(bytes, &limits).of_images(End::Marked), &limits);
    let (open, _) = read_all(Entries::new(bytes, &limits).of_images(End::Anywhere), &limits);
    assert!(package.iter().all(|(entry, _)| !entry.path.contains(&b'\n')));
    // What a package may hold an image may hold too, and whoever wants less sees no less.
    assert!(image.starts_with(&package) && open.starts_with(&image), "{package:?}, {image:?}, {open:?}");
    assert!(fault.is_some() || image_fault.is_none(), "{image_fault:?}");

    // The content passed over instead of read.
    let mut entries = Entries::new(Cursor::new(bytes), &limits).of_images(End::Marked);
    let mut count = 0;
    while let Ok(Some(entry)) = entries.next_entry() {
        if entries.pass_over().is_err() {
            break;
        }
        assert_eq!(Some(&entry), image.get(count).map(|(entry, _)| entry));
        count += 1;
    }
    assert!(count == image.len() || image_fault.is_some(), "{count}: {image:?}");
    round_trip(&package, &limits);
}

/// What compose writes of what it read is read as the same.
fn round_trip(entries: &[(TarEntry, Vec<u8>)], limits: &Limits) {
    let mut wanted = Vec::new();
    let mut block = Vec::new();
    for (entry, content) in entries {
        let Ok(path) = RootPath::parse(&entry.path) else { continue };
        let TarEntry { mode, uid, gid, mtime, xattrs, kind, .. } = entry.clone();
        let meta = Meta { mode, uid, gid, mtime, xattrs };
        match &kind {
            TarKind::Special(_) => continue,
            TarKind::File(_) if path.is_root() => continue,
            TarKind::File(size) => {
                header::append_file(&path, &meta, *size, &mut block);
                block.extend_from_slice(content);
                block.resize(block.len() + padding(*size), 0);
            }
            TarKind::Dir => header::append(&path, &meta, &Kind::Dir, &mut block),
            TarKind::Symlink(_) | TarKind::Hardlink(_) if path.is_root() => continue,
            TarKind::Symlink(target) => header::append(&path, &meta, &Kind::Symlink(target.clone()), &mut block),
            TarKind::Hardlink(target) => {
                let Ok(target) = RootPath::parse(target) else { continue };
                if target.is_root() {
                    continue;
                }
                header::append(&path, &meta, &Kind::Hardlink(target), &mut block);
            }
        }
        wanted.push((path, meta, kind, content));
    }
    block.extend_from_slice(&header::END);
    // Names that had one header may need two.
    let limits = Limits { entries: 2 * limits.entries, extension: limits.metadata * 2, ..limits.clone() };
    let (found, fault) = read_all(Entries::new(block.as_slice(), &limits), &limits);
    assert!(fault.is_none() && found.len() == wanted.len(), "{fault:?} in {wanted:?}");
    for ((entry, content), (path, meta, kind, wanted)) in found.iter().zip(&wanted) {
        let TarEntry { mode, uid, gid, mtime, xattrs, .. } = entry.clone();
        assert_eq!((&Meta { mode, uid, gid, mtime, xattrs }, content), (meta, *wanted));
        assert_eq!(RootPath::parse(&entry.path).as_ref(), Ok(path));
        match (&entry.kind, kind) {
            (TarKind::Hardlink(found), TarKind::Hardlink(wanted)) => {
                assert_eq!(RootPath::parse(found), RootPath::parse(wanted));
            }
            (found, wanted) => assert_eq!(found, wanted),
        }
    }
}
