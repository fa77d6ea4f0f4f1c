//! `.deb` files and tar archives byte by byte, sound or broken on purpose: raw members, raw headers.
//!
//! In: members, entries with names as wicked as wished. Out: bytes. Used by unit tests (by `#[path]`) and by integration
//! tests alike, so it leans on no other file.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail loudly")]

use std::io::Write;

use tar::{EntryType, Header};

/// The outer archive of these members.
pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, body) in members {
        writeln!(out, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100644, body.len()).unwrap();
        out.extend_from_slice(body);
        if body.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

/// A tar archive under construction; every name is written as given, however wicked.
#[derive(Default, Clone)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// Any entry; `edit` changes the header before its checksum is made.
    pub fn raw(
        mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        body: &[u8],
        edit: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(body.len() as u64);
        edit(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, body: &[u8]) -> Self {
        self.raw(EntryType::Regular, name.as_bytes(), b"", body, |_| {})
    }

    pub fn program(self, name: &str, body: &[u8]) -> Self {
        self.raw(EntryType::Regular, name.as_bytes(), b"", body, |h| h.set_mode(0o755))
    }

    pub fn dir(self, name: &str) -> Self {
        self.raw(EntryType::Directory, name.as_bytes(), b"", b"", |_| {})
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(EntryType::Symlink, name.as_bytes(), target.as_bytes(), b"", |h| h.set_mode(0o777))
    }

    pub fn hardlink(self, name: &str, target: &str) -> Self {
        self.raw(EntryType::Link, name.as_bytes(), target.as_bytes(), b"", |_| {})
    }

    /// A GNU long name for the next entry, its end included.
    pub fn long(self, name: &[u8]) -> Self {
        self.raw(EntryType::GNULongName, b"././@LongLink", b"", &[name, b"\0"].concat(), |_| {})
    }

    /// Anything else, as it is.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// PAX records for the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.raw(EntryType::XHeader, b"pax", b"", &records_of(records), |_| {})
    }

    /// With the end marker.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// PAX records as POSIX writes them.
pub fn records_of(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (rest + 1..).find(|n| rest + n.to_string().len() == *n).unwrap();
        write!(out, "{length} {key}=").unwrap();
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}
