//! Canonical tar headers: the one place that decides how a node looks in an archive.
//!
//! In: path, metadata, kind. Out: header blocks: ustar (POSIX.1-1988), with a PAX record before it (POSIX.1-2001,
//! "pax Interchange Format") only where a field does not fit. Numeric owners, empty names, whole seconds.

use tar::{EntryType, Header};

use super::{Kind, Meta};
use crate::base::RootPath;

/// Tar's unit in bytes: headers and content are padded to it.
pub const BLOCK: usize = 512;

/// What ends an archive: two empty blocks.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The largest number that seven and that eleven octal digits hold.
const OCTAL_7: u64 = 0o7_777_777;
const OCTAL_11: u64 = 0o77_777_777_777;

/// How many zero bytes follow `size` bytes of content.
pub fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK - over }
}

/// Appends the header of a node to `out`: a directory's name ends in `/`, the root is `./`.
pub fn append(path: &RootPath, meta: &Meta, kind: &Kind, out: &mut Vec<u8>) {
    let (entry_type, size, link) = match kind {
        Kind::Dir => (EntryType::Directory, 0, &b""[..]),
        Kind::File(content) => (EntryType::Regular, content.len(), &b""[..]),
        Kind::Symlink(target) => (EntryType::Symlink, 0, &**target),
        Kind::Hardlink(target) => (EntryType::Link, 0, target.as_bytes()),
    };
    append_raw(path, meta, entry_type, size, link, out);
}

/// The same for a regular file of which only the size is known yet.
pub fn append_file(path: &RootPath, meta: &Meta, size: u64, out: &mut Vec<u8>) {
    append_raw(path, meta, EntryType::Regular, size, b"", out);
}

fn append_raw(path: &RootPath, meta: &Meta, entry_type: EntryType, size: u64, link: &[u8], out: &mut Vec<u8>) {
    let mut name = path.as_bytes().to_vec();
    if entry_type == EntryType::Directory {
        if path.is_root() {
            name.push(b'.');
        }
        name.push(b'/');
    }
    let mut pax = Vec::new();
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(meta.mode & 0o7777);
    let mut number = |key: &str, value: u64, max: u64| {
        if value > max {
            record(&mut pax, key.as_bytes(), value.to_string().as_bytes());
            0
        } else {
            value
        }
    };
    header.set_uid(number("uid", u64::from(meta.uid), OCTAL_7));
    header.set_gid(number("gid", u64::from(meta.gid), OCTAL_7));
    header.set_size(number("size", size, OCTAL_11));
    match u64::try_from(meta.mtime) {
        Ok(mtime) => header.set_mtime(number("mtime", mtime, OCTAL_11)),
        Err(_) => {
            record(&mut pax, b"mtime", meta.mtime.to_string().as_bytes());
            header.set_mtime(0);
        }
    }
    let ustar = header.as_ustar_mut().expect("made as ustar above");
    match split(&name) {
        Some((prefix, rest)) => {
            ustar.prefix[..prefix.len()].copy_from_slice(prefix);
            ustar.name[..rest.len()].copy_from_slice(rest);
        }
        None => {
            record(&mut pax, b"path", &name);
            let n = ustar.name.len();
            ustar.name.copy_from_slice(&name[..n]);
        }
    }
    let short = &link[..link.len().min(ustar.linkname.len())];
    ustar.linkname[..short.len()].copy_from_slice(short);
    if short.len() < link.len() {
        record(&mut pax, b"linkpath", link);
    }
    for (key, value) in &meta.xattrs {
        record(&mut pax, &[b"SCHILY.xattr.", &**key].concat(), value);
    }
    header.set_cksum();
    if !pax.is_empty() {
        let mut before = Header::new_ustar();
        before.set_entry_type(EntryType::XHeader);
        before.set_mode(0o644);
        before.set_size(pax.len() as u64);
        before.as_ustar_mut().expect("made as ustar above").name[..8].copy_from_slice(b"././@PAX");
        before.set_cksum();
        out.extend_from_slice(before.as_bytes());
        let pad = padding(pax.len() as u64);
        out.extend_from_slice(&pax);
        out.resize(out.len() + pad, 0);
    }
    out.extend_from_slice(header.as_bytes());
}

/// Splits at a `/` so that prefix and name fit ustar's 155 and 100 bytes; the longest name that fits.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    let last = name.len().checked_sub(2)?;
    let from = name.len() - 101;
    let cut = (from..=last.min(155)).find(|&i| name[i] == b'/')?;
    Some((&name[..cut], &name[cut + 1..]))
}

/// One PAX record, `LENGTH KEY=VALUE\n`, the length counting its own digits.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Read;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::Content;

    fn read_back(bytes: &[u8]) -> (Vec<u8>, Vec<u8>, Meta, u64) {
        let mut archive = tar::Archive::new(bytes);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header().clone();
        let mut meta = Meta {
            mode: header.mode().unwrap(),
            uid: u32::try_from(header.uid().unwrap()).unwrap(),
            gid: u32::try_from(header.gid().unwrap()).unwrap(),
            mtime: i64::try_from(header.mtime().unwrap()).unwrap(),
            ..Meta::default()
        };
        if let Some(records) = entry.pax_extensions().unwrap() {
            for record in records {
                let record = record.unwrap();
                match record.key_bytes() {
                    b"uid" => meta.uid = record.value().unwrap().parse().unwrap(),
                    b"gid" => meta.gid = record.value().unwrap().parse().unwrap(),
                    b"mtime" => meta.mtime = record.value().unwrap().parse().unwrap(),
                    key if key.starts_with(b"SCHILY.xattr.") => {
                        meta.xattrs.insert(key[13..].into(), record.value_bytes().into());
                    }
                    _ => {}
                }
            }
        }
        let path = entry.path_bytes().into_owned();
        let link = entry.link_name_bytes().map(|l| l.into_owned()).unwrap_or_default();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, link, meta, content.len() as u64)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            parts in prop::collection::vec("[a-zA-Z0-9é._+-]{1,60}", 1..8),
            target in "[a-z/.]{0,220}", uid in any::<u32>(), mode in 0u32..0o10000, mtime in -5i64..9_000_000_000,
            value in prop::collection::vec(any::<u8>().prop_filter("the tar crate splits records at newlines", |b| *b != 10), 0..1200), size in 0usize..2000,
        ) {
            prop_assume!(parts.iter().all(|p| p != "." && p != ".."));
            let path = RootPath::parse(parts.join("/").as_bytes()).unwrap();
            let xattrs = if value.is_empty() { Default::default() } else { [(b"user.x"[..].into(), value.into())].into() };
            let meta = Meta { mode, uid, gid: uid / 2, mtime, xattrs };
            for kind in [Kind::Dir, Kind::File(Content::inline(vec![7; size])), Kind::Symlink(target.as_bytes().into())] {
                let mut out = Vec::new();
                append(&path, &meta, &kind, &mut out);
                if let Kind::File(content) = &kind {
                    out.extend_from_slice(&content.read().unwrap());
                    out.resize(out.len() + padding(content.len()), 0);
                }
                prop_assert_eq!(out.len() % BLOCK, 0);
                out.extend_from_slice(&END);
                let (name, link, read, length) = read_back(&out);
                let name = name.strip_suffix(b"/").unwrap_or(&name);
                prop_assert_eq!(name, path.as_bytes());
                prop_assert_eq!(read, meta.clone());
                match kind {
                    Kind::Symlink(to) => prop_assert_eq!(link, to.to_vec()),
                    Kind::File(content) => prop_assert_eq!(length, content.len()),
                    _ => {}
                }
            }
        }
    }
}
