//! A tarball of the manifest becomes a segment, as a `.deb` does.
//!
//! In: a verified tar archive, plain or compressed, and where it goes. Out: its [`Segment`]. Everything belongs to root,
//! and what others owned loses its set-id bits; names must be relative, and `strip` takes folders off their front, as
//! tar's `--strip-components` does.

use std::{io::Read, path::PathBuf};

use super::{
    Filter, Segment, UnpackError, UnpackFault, build, check_digest, key, make,
    survey::{Archive, survey},
};
use crate::{
    base::{RootPath, Sha256},
    deb::{Control, Entries, Limits, TarFault, open_tarball, shown},
    store::Store,
    tree::{Meta, Origin},
};

/// A tarball to be unpacked.
#[derive(Debug, Clone)]
pub struct Tarball {
    /// What it is called in the image: [`Origin::Tarball`].
    pub origin: Origin,
    /// The file.
    pub file: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
    /// The folder that its content goes into.
    pub path: RootPath,
    /// How many folders are taken off the front of each name.
    pub strip: usize,
}

impl Tarball {
    /// The key of its segment in the store.
    pub fn key(&self, filter: &Filter) -> Sha256 {
        let strip = (self.strip as u64).to_le_bytes();
        let own = [&b"compose tarball 2"[..], &strip, self.path.as_bytes(), self.sha256.bytes()].concat();
        key(&Sha256::of(&own), filter)
    }
}

/// Unpacks it, and puts its segment into the store.
///
/// # Errors
/// When it is not the verified one, is malformed, holds what cannot be, or cannot be written.
pub fn unpack_tarball(store: &Store, item: &Tarball, filter: &Filter, limits: &Limits) -> Result<Segment, UnpackError> {
    let key = item.key(filter);
    let unpacked = check_digest(&item.file, item.sha256).and_then(|()| {
        make(store, &key, |scratch, out| {
            let survey = survey(&Reading { item, limits }, filter, scratch)?;
            if survey.nodes.is_empty() && item.strip > 0 {
                return Err(UnpackFault::StripAll(item.strip));
            }
            build::lay(key, item.origin.clone(), survey, Control::default(), out)
        })
    });
    unpacked.map_err(|fault| UnpackError { origin: item.origin.clone(), file: item.file.clone(), fault })
}

struct Reading<'a> {
    item: &'a Tarball,
    limits: &'a Limits,
}

impl Archive for Reading<'_> {
    fn entries(&self) -> Result<Entries<Box<dyn Read + Send + '_>>, UnpackFault> {
        Ok(open_tarball(&self.item.file, self.limits)?)
    }

    fn fault(&self, fault: TarFault) -> UnpackFault {
        fault.into()
    }

    fn place(&self, name: &[u8]) -> Result<Option<RootPath>, UnpackFault> {
        if name.starts_with(b"/") {
            return Err(UnpackFault::Absolute(shown(name)));
        }
        let inside = RootPath::parse(name)?;
        if self.item.strip > 0 && inside.components().count() <= self.item.strip {
            return Ok(None);
        }
        let rest: Vec<&[u8]> = inside.components().skip(self.item.strip).collect();
        Ok(Some(self.item.path.join(rest.join(&b'/'))?))
    }

    /// Set-id bits go with the owner that they were set for: another user's program must not become root's.
    fn own(&self, meta: Meta) -> Meta {
        let user = if meta.uid == 0 { 0 } else { 0o4000 };
        let group = if meta.gid == 0 { 0 } else { 0o2000 };
        Meta { uid: 0, gid: 0, mode: meta.mode & !(user | group), ..meta }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::tree::Kind;

    fn tar(names: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, more) in names {
            let mut header = tar::Header::new_ustar();
            // Names as hostile as they are: the setters would refuse them.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_uid(1000);
            header.set_gid(1000);
            header.set_mtime(1_700_000_000);
            let is_file = *kind == tar::EntryType::Regular;
            header.set_size(if is_file { more.len() as u64 } else { 0 });
            if !is_file {
                header.as_old_mut().linkname[..more.len()].copy_from_slice(more.as_bytes());
            }
            header.set_cksum();
            builder.append(&header, if is_file { more.as_bytes() } else { b"" }).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(bytes: &[u8], strip: usize) -> Result<Segment, UnpackError> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let file = dir.path().join("x.tar.gz");
        std::fs::write(&file, bytes).unwrap();
        let origin = Origin::Tarball("x.tar.gz".into());
        let path = RootPath::literal("usr/local");
        let item = Tarball { origin, file, sha256: Sha256::of(bytes), path, strip };
        unpack_tarball(&store, &item, &Filter::nothing(), &Limits { data: 1 << 20, ..Limits::default() })
    }

    use tar::EntryType::{Directory, Link, Regular, Symlink};

    #[test]
    fn goes_where_it_is_told_whatever_compresses_it() {
        let plain = tar(&[
            ("python/", Directory, ""),
            ("python/bin/", Directory, ""),
            ("python/bin/python3.14", Regular, "elf"),
            ("python/bin/python3", Symlink, "python3.14"),
            ("python/bin/again", Link, "python/bin/python3.14"),
        ]);
        let gz = || {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(&plain).unwrap();
            out.finish().unwrap()
        };
        let xz = || {
            let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
            out.write_all(&plain).unwrap();
            out.finish().unwrap()
        };
        for packed in [plain.clone(), gz(), xz(), zstd::encode_all(&plain[..], 1).unwrap()] {
            let segment = unpacked(&packed, 1).unwrap();
            let found: Vec<String> = segment.entries.iter().map(|entry| entry.path.to_string()).collect();
            let all = ["/usr/local/bin", "/usr/local/bin/again", "/usr/local/bin/python3", "/usr/local/bin/python3.14"];
            assert_eq!(found, all);
            assert!(segment.entries.iter().all(|entry| (entry.meta.uid, entry.meta.gid) == (0, 0)));
            assert!(matches!(&segment.entries[3].kind, Kind::Hardlink(to) if *to == segment.entries[1].path));
        }
    }

    #[test]
    fn set_id_bits_go_with_their_owner() {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, uid, gid) in [("a", 0, 0), ("b", 1000, 0), ("c", 0, 1000), ("d", 1000, 1000)] {
            let mut header = tar::Header::new_ustar();
            header.set_uid(uid);
            header.set_gid(gid);
            header.set_mode(0o6755);
            header.set_size(0);
            builder.append_data(&mut header, name, &[][..]).unwrap();
        }
        let segment = unpacked(&builder.into_inner().unwrap(), 0).unwrap();
        let modes: Vec<u32> = segment.entries.iter().map(|entry| entry.meta.mode).collect();
        assert_eq!(modes, [0o6755, 0o2755, 0o4755, 0o755]);
    }

    #[test]
    fn what_leads_out_is_refused() {
        let file = |name: &'static str| tar(&[(name, Regular, "x")]);
        for (bytes, strip, words) in [
            (file("/etc/passwd"), 0, "“/etc/passwd” has an absolute name; make the archive anew"),
            (file("a/../../etc/passwd"), 0, "leads upwards"),
            (tar(&[("a", Symlink, "/etc"), ("a/passwd", Regular, "x")]), 0, "below /usr/local/a"),
            (tar(&[("p/a", Link, "other")]), 1, "as a hard link to “other”, which “strip” leaves out"),
            (tar(&[("p/a", Link, "/etc/passwd")]), 1, "has an absolute name"),
            (tar(&[("a", tar::EntryType::Char, "")]), 0, "a character device"),
            (tar(&[("a", Regular, &"0".repeat(2 << 20))]), 0, "more than 1048576 bytes"),
            (file("a")[..700].to_vec(), 0, "the archive is truncated; it must be a whole tar archive"),
            (b"PK\x03\x04 a zip file".to_vec(), 0, "truncated"),
        ] {
            let error = unpacked(&bytes, strip).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
