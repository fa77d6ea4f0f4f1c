//! Where the blobs and documents of an image are: in a directory, or in a tar archive that is read in place.
//!
//! In: a directory, or a plain tar file. Out: [`Blob`]s by the names that they have there, verified.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{error::OpenFault, layer::Entry};
use crate::{
    base::{RootPath, Sha256},
    deb::TarKind,
    tree::{Content, SegmentFile},
};

/// Bytes of one JSON document at most; registries refuse manifests of more than 4 MiB (distribution-spec).
const DOCUMENT: u64 = 16 << 20;

/// How many links from name to name are followed in an archive.
const MAX_LINKS: usize = 8;

/// A stretch of a file.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) path: PathBuf,
    pub(super) at: u64,
    pub(super) size: u64,
}

/// Reads a [`Blob`], and passes over what is not wanted of it.
pub(super) struct Section {
    file: File,
    start: u64,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = left.min(buf.len());
        let n = self.file.read_at(buf.get_mut(..want).unwrap_or_default(), self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => self.start.checked_add(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.filter(|at| *at >= self.start).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at - self.start)
    }
}

/// A directory or an archive.
pub(super) enum Source {
    Dir(PathBuf),
    Tar(BTreeMap<RootPath, Member>),
}

/// A regular file or a link of an archive.
pub(super) enum Member {
    Blob(Blob),
    Link(RootPath),
    /// A name that comes more than once.
    Twice,
}

impl Blob {
    /// The whole of a file.
    pub(super) fn whole(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), at: 0, size: fs::metadata(path)?.len() })
    }

    /// Its bytes, as they lie there.
    pub(super) fn reader(&self) -> io::Result<BufReader<Section>> {
        self.reader_with(256 << 10)
    }

    /// The same, so many read at a time.
    pub(super) fn reader_with(&self, step: usize) -> io::Result<BufReader<Section>> {
        Ok(BufReader::with_capacity(step, self.section()?))
    }

    pub(super) fn section(&self) -> io::Result<Section> {
        let end = self.at.checked_add(self.size).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Section { file: File::open(&self.path)?, start: self.at, at: self.at, end })
    }

    /// The same as content of a tree, its digest not taken.
    pub(super) fn content(&self) -> Content {
        Content::stretch(Arc::new(SegmentFile::new(&self.path)), self.at..self.at.saturating_add(self.size))
    }

    /// The digest of its bytes.
    pub(super) fn sha256(&self) -> Result<Sha256, OpenFault> {
        self.content().sha256().map_err(OpenFault::Read)
    }

    /// Fails unless its bytes have this digest.
    pub(super) fn verify(&self, name: &str, wanted: Sha256) -> Result<(), OpenFault> {
        match self.sha256()? {
            found if found == wanted => Ok(()),
            found => Err(OpenFault::Digest { name: name.into(), found }),
        }
    }

    /// All of a document.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, OpenFault> {
        if self.size > DOCUMENT {
            let what = format!("it has {} bytes; more than {DOCUMENT} are not read", self.size);
            return Err(OpenFault::Document { name: name.into(), what });
        }
        self.content().read().map(Cow::into_owned).map_err(OpenFault::Read)
    }
}

/// A document's JSON.
pub(super) fn json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, OpenFault> {
    serde_json::from_slice(bytes)
        .map_err(|error| OpenFault::Document { name: name.into(), what: format!("it is malformed ({error})") })
}

impl Source {
    /// The names of the plain tar archive that holds these entries.
    pub(super) fn of_tar(path: &Path, entries: &[Entry]) -> Self {
        let mut names = BTreeMap::new();
        for Entry { entry, at, .. } in entries {
            let Ok(name) = RootPath::parse(&entry.path) else { continue };
            let member = match &entry.kind {
                TarKind::File(size) => Member::Blob(Blob { path: path.into(), at: *at, size: *size }),
                // Relative to the folder that the link is in, as `docker save` wrote them.
                TarKind::Symlink(target) => match beside(&name, target) {
                    Some(target) => Member::Link(target),
                    None => continue,
                },
                TarKind::Hardlink(target) => match RootPath::parse(target) {
                    Ok(target) => Member::Link(target),
                    Err(_) => continue,
                },
                TarKind::Dir | TarKind::Special(_) => continue,
            };
            names.entry(name).and_modify(|there| *there = Member::Twice).or_insert(member);
        }
        Self::Tar(names)
    }

    /// What is there under this name, if it is a regular file or a link to one.
    pub(super) fn get(&self, name: &str) -> Result<Option<Blob>, OpenFault> {
        match self {
            Self::Dir(dir) => {
                let path = dir.join(name);
                match fs::metadata(&path) {
                    Ok(info) if info.is_file() => Ok(Some(Blob { path, at: 0, size: info.len() })),
                    Ok(_) => Ok(None),
                    Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                        Ok(None)
                    }
                    Err(error) => Err(OpenFault::Read(error)),
                }
            }
            Self::Tar(names) => {
                let Ok(mut at) = RootPath::parse(name.as_bytes()) else { return Ok(None) };
                for _ in 0..MAX_LINKS {
                    match names.get(&at) {
                        None => return Ok(None),
                        Some(Member::Blob(blob)) => return Ok(Some(blob.clone())),
                        Some(Member::Twice) => return Err(OpenFault::Twice(at.to_string())),
                        Some(Member::Link(target)) => at = target.clone(),
                    }
                }
                Ok(None)
            }
        }
    }

    /// The same, which must be there because `by` names it.
    pub(super) fn need(&self, name: &str, by: &str) -> Result<Blob, OpenFault> {
        self.get(name)?.ok_or_else(|| OpenFault::Missing { name: name.into(), by: by.into() })
    }
}

/// Where a symbolic link leads, if that is inside the archive.
fn beside(link: &RootPath, target: &[u8]) -> Option<RootPath> {
    let mut at = if target.starts_with(b"/") { RootPath::root() } else { link.parent()? };
    for part in target.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        at = if part == b".." { at.parent()? } else { at.join(part).ok()? };
    }
    Some(at)
}
