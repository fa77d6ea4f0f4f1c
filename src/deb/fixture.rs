//! `.deb` files made in code, sound or broken on purpose. Tests only.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use tar::{EntryType, Header};

pub(super) use super::compression::Codec;

/// Compresses with the codec's reference library.
pub(super) fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    use liblzma::{
        stream::{LzmaOptions, Stream},
        write::XzEncoder,
    };
    match codec {
        Codec::Plain => plain.to_vec(),
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Xz => {
            let mut out = XzEncoder::new(Vec::new(), 6);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Lzma => {
            let stream = Stream::new_lzma_encoder(&LzmaOptions::new_preset(6).unwrap()).unwrap();
            let mut out = XzEncoder::new_stream(Vec::new(), stream);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Zstd => {
            // Streamed, so that the frame asks for a window and not for its whole size.
            let mut out = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
            out.window_log(23).unwrap();
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Bzip2 => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
    }
}

/// The outer archive of these members.
pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
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
pub(crate) struct Tar(pub Vec<u8>);

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
pub(crate) fn records_of(records: &[(&str, &[u8])]) -> Vec<u8> {
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

/// The control archive of package `demo`.
pub(crate) fn control() -> Tar {
    Tar::new().dir("./").file("./control", b"Package: demo\nVersion: 1\nArchitecture: all\n")
}

/// A sound `.deb` around this `data.tar`.
pub(crate) fn deb(data: Tar) -> Vec<u8> {
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control().end()), ("data.tar", &data.end())])
}

/// The same as a file; it goes when the folder is dropped.
pub(crate) fn on_disk(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.deb");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}
