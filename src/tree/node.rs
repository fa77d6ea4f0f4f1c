//! One place in the tree: metadata, kind, where its bytes are, and who brought it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::base::{PackageName, RootPath, Sha256};

/// Permission bits (07777), numeric owner, whole seconds, extended attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes by name, such as `security.capability`.
    pub xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File(Content),
    /// A symbolic link and its target as written.
    Symlink(Box<[u8]>),
    /// A further name of the regular file at this path, which sorts before it and has the same origin.
    Hardlink(RootPath),
}

/// Who brought a node. The order is that of the work: what comes later is laid over what is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A Debian package.
    Package(PackageName),
    /// `[[tarballs]]`: the archive's file name.
    Tarball(Arc<str>),
    /// A Python wheel: its project's normalised name (PEP 503).
    Wheel(Arc<str>),
    /// The manifest's own `[[files]]`.
    Manifest,
    /// `finish/`: the name of the step, such as `ld.so.cache`.
    Finish(&'static str),
}

impl Origin {
    /// Whether it is something unpacked, as opposed to the manifest's files and what was made here.
    pub fn is_unpacked(&self) -> bool {
        matches!(self, Self::Package(_) | Self::Tarball(_) | Self::Wheel(_))
    }
}

/// In words: `libssl3t64`, `the wheel numpy`, `the tarball python.tar.zst`, `the manifest`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(name) => write!(f, "{name}"),
            Self::Tarball(name) => write!(f, "the tarball {name}"),
            Self::Wheel(name) => write!(f, "the wheel {name}"),
            Self::Manifest => write!(f, "the manifest"),
            Self::Finish(step) => write!(f, "compose's own step “{step}”"),
        }
    }
}

/// One place in the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
    /// Who brought it.
    pub origin: Origin,
    /// For what came out of a segment unchanged: the bytes of the segment file that hold its tar header(s), content
    /// and padding, ready to be copied into a layer. `None` for directories and whatever was made or altered since.
    pub ready: Option<(Arc<SegmentFile>, Range<u64>)>,
}

/// The bytes of a regular file.
#[derive(Debug, Clone)]
pub enum Content {
    /// Held in memory.
    Inline(Arc<[u8]>),
    /// A stretch of a segment file.
    Segment {
        /// The file.
        file: Arc<SegmentFile>,
        /// Where in it.
        range: Range<u64>,
        /// Of the content.
        sha256: Digest,
    },
}

/// The digest of a stretch of a file: known, or taken when it is first wanted, once for all clones. What lies in an
/// image or a folder that is merely looked at is mostly never hashed.
#[derive(Debug, Clone)]
pub enum Digest {
    /// Taken when the bytes were.
    Known(Sha256),
    /// Of the bytes as they are when it is first asked for.
    OnDemand(Arc<OnceLock<Sha256>>),
}

impl Digest {
    /// Not taken yet.
    pub fn on_demand() -> Self {
        Self::OnDemand(Arc::default())
    }
}

impl From<Sha256> for Digest {
    fn from(known: Sha256) -> Self {
        Self::Known(known)
    }
}

/// A file that holds one unpacked package, a piece of tar archive without end marker; or one file of this machine.
/// It is open only while something is read: an image may have more of them than a process may hold open.
#[derive(Debug)]
pub struct SegmentFile {
    path: PathBuf,
    key: Option<Sha256>,
}

impl SegmentFile {
    /// A file of this machine.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), key: None }
    }

    /// An entry of the store, found sound; its bytes are a function of `key`.
    pub fn kept(path: &Path, key: Sha256) -> Self {
        Self { path: path.into(), key: Some(key) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What decides over its bytes; `None`: nothing does, they may change at any time.
    pub fn key(&self) -> Option<&Sha256> {
        self.key.as_ref()
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// As the operating system says; an early end of the file is an error.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        File::open(&self.path)?.read_exact_at(buf, offset)
    }

    fn hash(&self, range: &Range<u64>) -> io::Result<Sha256> {
        let mut file = File::open(&self.path)?;
        file.seek(io::SeekFrom::Start(range.start))?;
        let wanted = range.end.saturating_sub(range.start);
        let (sha256, length) = Sha256::of_reader(file.take(wanted))?;
        if length == wanted { Ok(sha256) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Content {
    /// Bytes in memory.
    pub fn inline(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Inline(bytes.into())
    }

    /// The bytes of a regular file of this machine: they stay there, and are read when wanted. Whoever passes them on
    /// compares them with the digest, which is taken here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let (sha256, length) = Sha256::of_reader(File::open(path)?)?;
        Ok(Self::Segment { file: Arc::new(SegmentFile::new(path)), range: 0..length, sha256: sha256.into() })
    }

    /// A stretch of a file of this machine, of which nothing is read before it is wanted.
    pub fn stretch(file: Arc<SegmentFile>, range: Range<u64>) -> Self {
        Self::Segment { file, range, sha256: Digest::on_demand() }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Segment { range, .. } => range.end - range.start,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest of the bytes; they are read for it if it was not taken before.
    ///
    /// # Errors
    /// When they cannot be read then.
    pub fn sha256(&self) -> io::Result<Sha256> {
        match self {
            Self::Inline(bytes) => Ok(Sha256::of(bytes)),
            Self::Segment { sha256: Digest::Known(known), .. } => Ok(*known),
            Self::Segment { sha256: Digest::OnDemand(taken), file, range } => match taken.get() {
                Some(taken) => Ok(*taken),
                None => {
                    let found = file.hash(range)?;
                    Ok(*taken.get_or_init(|| found))
                }
            },
        }
    }

    /// Whether its digest would have to be taken first.
    pub(super) fn lacks_digest(&self) -> bool {
        matches!(self, Self::Segment { sha256: Digest::OnDemand(taken), .. } if taken.get().is_none())
    }

    /// All bytes.
    ///
    /// # Errors
    /// When the segment file cannot be read.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Inline(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Segment { .. } => self.read_part(0, usize::MAX).map(Cow::Owned),
        }
    }

    /// At most `limit` bytes from `offset` on; fewer at the end.
    ///
    /// # Errors
    /// When the segment file cannot be read.
    pub fn read_part(&self, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let start = offset.min(self.len());
        let n = usize::try_from(self.len() - start).unwrap_or(usize::MAX).min(limit);
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                Ok(bytes[start..start + n].to_vec())
            }
            Self::Segment { .. } => {
                let mut buf = vec![0; n];
                self.read_at(&mut buf, start)?;
                Ok(buf)
            }
        }
    }

    /// Fills `buf` from `offset` within the content on.
    ///
    /// # Errors
    /// When there are fewer bytes, or the segment file cannot be read.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        match self {
            Self::Inline(bytes) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
                let from = range.and_then(|(start, end)| bytes.get(start..end));
                buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Self::Segment { file, range, .. } => file.read_at(buf, range.start + offset),
        }
    }
}

impl Meta {
    /// Owned by root, without extended attributes, at the epoch of the image once it is clamped.
    pub fn root(mode: u32, mtime: i64) -> Self {
        Self { mode, mtime, ..Self::default() }
    }
}
