//! Where the blobs and documents of an image are: in a directory, or in a tar archive that is read in place.
//!
//! In: a directory, or a plain tar file. Out: [`Blob`]s by the names that they have there, verified.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{
    error::OpenFault,
    layer::{Counted, tar_fault},
};
use crate::{
    base::{RootPath, Sha256},
    deb::{End, Entries, Limits, TarKind},
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

    /// Its bytes.
    pub(super) fn reader(&self) -> io::Result<BufReader<io::Take<File>>> {
        Ok(BufReader::with_capacity(256 << 10, self.unbuffered()?))
    }

    fn unbuffered(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(file.take(self.size))
    }

    /// The digest of its bytes.
    pub(super) fn sha256(&self) -> Result<Sha256, OpenFault> {
        self.hash().map_err(OpenFault::Read)
    }

    /// The same, with the operating system's own error.
    pub(super) fn hash(&self) -> io::Result<Sha256> {
        let (sha256, length) = Sha256::of_reader(self.unbuffered()?)?;
        if length == self.size { Ok(sha256) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
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
        let mut out = Vec::new();
        self.reader().and_then(|mut reader| reader.read_to_end(&mut out)).map_err(OpenFault::Read)?;
        Ok(out)
    }
}

/// A document's JSON.
pub(super) fn json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, OpenFault> {
    serde_json::from_slice(bytes)
        .map_err(|error| OpenFault::Document { name: name.into(), what: format!("it is malformed ({error})") })
}

impl Source {
    /// Reads the names of the plain tar archive at `path`.
    pub(super) fn of_tar(path: &Path, limits: &Limits) -> Result<Self, OpenFault> {
        let failed = |fault| tar_fault("the archive", fault);
        let blob = Blob::whole(path).map_err(OpenFault::Read)?;
        let (reader, position) = Counted::new(blob.reader().map_err(OpenFault::Read)?);
        let mut entries = Entries::new(reader, limits).of_images(End::Marked);
        let mut names = BTreeMap::new();
        while let Some(entry) = entries.next_entry().map_err(failed)? {
            let Ok(name) = RootPath::parse(&entry.path) else { continue };
            let member = match entry.kind {
                TarKind::File(size) => Member::Blob(Blob { path: path.into(), at: position.get(), size }),
                // Relative to the folder that the link is in, as `docker save` wrote them.
                TarKind::Symlink(target) => match beside(&name, &target) {
                    Some(target) => Member::Link(target),
                    None => continue,
                },
                TarKind::Hardlink(target) => match RootPath::parse(&target) {
                    Ok(target) => Member::Link(target),
                    Err(_) => continue,
                },
                TarKind::Dir | TarKind::Special(_) => continue,
            };
            names.entry(name).and_modify(|there| *there = Member::Twice).or_insert(member);
        }
        Ok(Self::Tar(names))
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
