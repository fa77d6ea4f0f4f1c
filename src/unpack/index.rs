//! The segment file: `payload · index · trailer`, written once, checked whole before each use.
//!
//! Payload: headers, content and padding of all entries that are not directories, in path order: a piece of tar
//! archive. Index: everything else that a [`Segment`] says, so that it comes back without decompression. Trailer, 56
//! bytes: length (little-endian u64) and SHA-256 of the index, and a magic. The index names the key that the file is
//! stored under, and length and SHA-256 of the payload: a truncated, altered or misplaced file is never used.

use std::{collections::BTreeMap, fs, io::Read as _, ops::Range, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use super::{Entry, Script, Segment};
use crate::{
    base::{RootPath, Sha256},
    tree::{Content, Kind, Meta, Origin, SegmentFile},
};

const MAGIC: &[u8; 16] = b"compose segment\n";
pub(super) const TRAILER: u64 = 8 + 32 + 16;

/// A segment without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    pub key: Sha256,
    pub origin: Origin,
    pub payload: (u64, Sha256),
    pub records: Vec<Record>,
    pub control: String,
    pub md5sums: Vec<([u8; 16], RootPath)>,
    pub scripts: Vec<(String, Vec<u8>)>,
    pub omitted: Vec<RootPath>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub path: RootPath,
    pub meta: Meta,
    pub what: What,
    pub span: Range<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Dir,
    File { content: Range<u64>, sha256: Sha256 },
    Symlink(Box<[u8]>),
    Hardlink(RootPath),
}

impl Index {
    /// With its file, a segment.
    pub fn segment(self, file: Arc<SegmentFile>) -> Segment {
        let entry = |Record { path, meta, what, span }: Record| {
            let kind = match what {
                What::Dir => Kind::Dir,
                What::File { content, sha256 } => {
                    Kind::File(Content::Segment { file: file.clone(), range: content, sha256: sha256.into() })
                }
                What::Symlink(target) => Kind::Symlink(target),
                What::Hardlink(target) => Kind::Hardlink(target),
            };
            Entry { path, meta, kind, span }
        };
        Segment {
            origin: self.origin,
            entries: self.records.into_iter().map(entry).collect(),
            control: self.control.into(),
            md5sums: self.md5sums,
            scripts: self.scripts.into_iter().map(|(n, text)| Script { name: n.into(), text: text.into() }).collect(),
            omitted: self.omitted,
            file,
        }
    }

    /// Index and trailer, to be put behind the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::new());
        out.0.extend_from_slice(self.key.bytes());
        match &self.origin {
            Origin::Tarball(name) => out.tagged(b't', name),
            Origin::Wheel(name) => out.tagged(b'w', name),
            Origin::Package(name) => out.tagged(b'p', name.as_str()),
            // Nothing is unpacked for these.
            Origin::Manifest | Origin::Finish(_) => out.tagged(b'?', ""),
        }
        out.number(self.payload.0);
        out.0.extend_from_slice(self.payload.1.bytes());
        out.bytes(self.control.as_bytes());
        out.list(&self.md5sums, |out, (digest, path)| {
            out.0.extend_from_slice(digest);
            out.bytes(path.as_bytes());
        });
        out.list(&self.scripts, |out, (name, text)| {
            out.bytes(name.as_bytes());
            out.bytes(text);
        });
        out.list(&self.omitted, |out, path| out.bytes(path.as_bytes()));
        out.list(&self.records, |out, record| {
            out.bytes(record.path.as_bytes());
            let Meta { mode, uid, gid, mtime, xattrs } = &record.meta;
            for number in [*mode, *uid, *gid] {
                out.0.extend_from_slice(&number.to_le_bytes());
            }
            out.0.extend_from_slice(&mtime.to_le_bytes());
            out.number(xattrs.len() as u64);
            for (name, value) in xattrs {
                out.bytes(name);
                out.bytes(value);
            }
            out.number(record.span.start);
            out.number(record.span.end);
            match &record.what {
                What::Dir => out.0.push(b'd'),
                What::File { content, sha256 } => {
                    out.0.push(b'f');
                    out.number(content.start);
                    out.number(content.end);
                    out.0.extend_from_slice(sha256.bytes());
                }
                What::Symlink(target) => {
                    out.0.push(b'l');
                    out.bytes(target);
                }
                What::Hardlink(target) => {
                    out.0.push(b'h');
                    out.bytes(target.as_bytes());
                }
            }
        });
        let index = out.0;
        let digest = Sha256::of(&index);
        let length = (index.len() as u64).to_le_bytes();
        [&index[..], &length, digest.bytes(), MAGIC].concat()
    }

    /// Undoes [`Index::encode`] without the trailer; `None` for what it never writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = In(bytes);
        let index = Self {
            key: input.digest()?,
            origin: input.origin()?,
            payload: (input.number()?, input.digest()?),
            control: input.text()?,
            md5sums: input.list(|input| Some((input.array()?, input.path()?)))?,
            scripts: input.list(|input| Some((input.text()?, input.bytes()?.to_vec())))?,
            omitted: input.list(In::path)?,
            records: input.list(In::record)?,
        };
        let inside = |range: &Range<u64>| range.start <= range.end && range.end <= index.payload.0;
        let sound = index.records.iter().all(|record| match &record.what {
            What::File { content, .. } => inside(&record.span) && inside(content),
            _ => inside(&record.span),
        });
        (sound && input.0.is_empty()).then_some(index)
    }
}

/// The segment stored at `path` under `key`, read and checked whole. `None` when anything is not as it was written.
pub(super) fn load(path: &Path, key: &Sha256) -> Option<Segment> {
    let file = fs::File::open(path).ok()?;
    let index_end = file.metadata().ok()?.len().checked_sub(TRAILER)?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, index_end).ok()?;
    let mut trailer = In(&trailer);
    let (index_length, digest) = (trailer.number()?, trailer.digest()?);
    if trailer.0 != MAGIC {
        return None;
    }
    let payload = index_end.checked_sub(index_length)?;
    let mut index = vec![0; usize::try_from(index_length).ok()?];
    file.read_exact_at(&mut index, payload).ok()?;
    if Sha256::of(&index) != digest {
        return None;
    }
    let index = Index::decode(&index)?;
    let same = index.key == *key && Sha256::of_reader(file.take(payload)).ok()? == (index.payload.1, index.payload.0);
    same.then(|| index.segment(Arc::new(SegmentFile::kept(path, *key))))
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.0.push(tag);
        self.bytes(text.as_bytes());
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = usize::try_from(self.number()?).ok()?;
        self.take(n)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn path(&mut self) -> Option<RootPath> {
        RootPath::parse(self.bytes()?).ok()
    }

    fn origin(&mut self) -> Option<Origin> {
        let (tag, name) = (self.array::<1>()?, self.text()?);
        match tag {
            [b'p'] => name.parse().ok().map(Origin::Package),
            [b't'] => Some(Origin::Tarball(name.into())),
            [b'w'] => Some(Origin::Wheel(name.into())),
            _ => None,
        }
    }

    fn digest(&mut self) -> Option<Sha256> {
        Some(Sha256::from(self.array::<32>()?))
    }

    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let n = self.number()?;
        // Collected one by one, so that a false count cannot ask for memory.
        (0..n).map(|_| each(self)).collect()
    }

    fn record(&mut self) -> Option<Record> {
        let path = self.path()?;
        let mut small = || self.array().map(u32::from_le_bytes);
        let (mode, uid, gid) = (small()?, small()?, small()?);
        let mtime = self.array().map(i64::from_le_bytes)?;
        let mut xattrs = BTreeMap::new();
        for _ in 0..self.number()? {
            xattrs.insert(self.bytes()?.into(), self.bytes()?.into());
        }
        let span = self.number()?..self.number()?;
        let what = match self.array::<1>()? {
            [b'd'] => What::Dir,
            [b'f'] => What::File { content: self.number()?..self.number()?, sha256: self.digest()? },
            [b'l'] => What::Symlink(self.bytes()?.into()),
            [b'h'] => What::Hardlink(self.path()?),
            _ => return None,
        };
        Some(Record { path, meta: Meta { mode, uid, gid, mtime, xattrs }, what, span })
    }
}
