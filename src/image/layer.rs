//! A tree, or the part of one that makes a layer, as a plain tar archive: a list of stretches of bytes that already
//! exist somewhere.
//!
//! In: nodes of a finished [`Tree`]. Out: [`Piece`]s: all directories first (each before its children), then each
//! unpacked thing's other entries in path order (packages by name, then tarballs, then wheels), then bytecode by whose
//! modules it is of, then what the manifest and the finishing steps brought, by path, then the end marker. So an
//! unaltered package is one range of its segment file, and a rebuild is a concatenation.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use crate::{
    base::{RootPath, Sha256},
    tree::{Content, Kind, Node, Origin, SegmentFile, Tree, header},
};

/// Content in memory longer than this many bytes is a piece of its own instead of being copied.
const SHARED: usize = 16 << 10;

/// A stretch of a layer.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where its bytes are.
    pub source: Source,
    /// Length in bytes; never 0.
    pub len: u64,
    /// Which group it belongs to, counted from 0 without gaps: the directories, each unpacked thing, the bytecode of
    /// each, the rest. Blocks of compression never span two groups, so that what a group compresses to depends on that
    /// group alone.
    pub group: usize,
}

/// Where the bytes of a [`Piece`] are.
#[derive(Debug, Clone)]
pub enum Source {
    /// A range of a segment file.
    Segment(Arc<SegmentFile>, Range<u64>),
    /// In a file of this machine, which may change: with the digest that it had when it was taken into the tree, or
    /// has when it is first asked for.
    File(Content),
    /// In memory.
    Memory(Arc<[u8]>),
}

impl Piece {
    /// Fills `buf` from `offset` within this piece on.
    ///
    /// # Errors
    /// When the segment file cannot be read, or the piece is shorter than asked for.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &self.source {
            Source::Segment(file, range) => file.read_at(buf, range.start + offset),
            Source::File(content) => content.read_at(buf, offset),
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let from = bytes.get(start..).and_then(|rest| rest.get(..buf.len()));
                buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// The plain tar of `tree`. The root itself is left out: whoever unpacks has a root already.
pub fn pieces(tree: &Tree) -> Vec<Piece> {
    pieces_of(&tree.iter().filter(|(path, _)| !path.is_root()).collect::<Vec<_>>())
}

/// The plain tar of `nodes`, which are sorted by path.
///
/// A hardlink follows its target in the same group: [`Kind::Hardlink`] promises that the target sorts before it and
/// has the same origin.
pub(super) fn pieces_of(nodes: &[(&RootPath, &Node)]) -> Vec<Piece> {
    let mut out = Builder::default();
    for (path, node) in nodes.iter().filter(|(_, node)| matches!(node.kind, Kind::Dir)) {
        header::append(path, &node.meta, &node.kind, &mut out.memory);
    }
    out.end_group();

    let mut units: BTreeMap<&Origin, Vec<(&RootPath, &Node)>> = BTreeMap::new();
    let mut compiled: Vec<(&Sha256, Vec<(&RootPath, &Node)>)> = Vec::new();
    let mut rest = Vec::new();
    for &(path, node) in nodes.iter().filter(|(_, node)| !matches!(node.kind, Kind::Dir)) {
        if node.origin.is_unpacked() {
            units.entry(&node.origin).or_default().push((path, node));
            continue;
        }
        // The modules of a wheel are one entry of the store, so their bytecode is a group of its own: an update of
        // another wheel leaves it as it is. In the order of their first paths.
        let of = match &node.kind {
            Kind::File(Content::Segment { file, .. }) if node.origin == Origin::Finish("bytecode") => file.key(),
            _ => None,
        };
        match of.map(|key| (key, compiled.iter_mut().find(|(other, _)| *other == key))) {
            Some((_, Some((_, nodes)))) => nodes.push((path, node)),
            Some((key, None)) => compiled.push((key, vec![(path, node)])),
            None => rest.push((path, node)),
        }
    }
    for nodes in units.values().chain(compiled.iter().map(|(_, nodes)| nodes)) {
        for (path, node) in nodes {
            out.node(path, node);
        }
        out.end_group();
    }
    for (path, node) in rest {
        out.node(path, node);
    }
    out.memory.extend_from_slice(&header::END);
    out.end_group();
    out.pieces
}

/// The length of the archive that `pieces` make.
pub fn total(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.len).sum()
}

#[derive(Default)]
struct Builder {
    pieces: Vec<Piece>,
    group: usize,
    /// Bytes that follow the last piece.
    memory: Vec<u8>,
}

impl Builder {
    fn node(&mut self, path: &RootPath, node: &Node) {
        if let Some((file, span)) = &node.ready {
            self.segment(file, span);
            return;
        }
        header::append(path, &node.meta, &node.kind, &mut self.memory);
        if let Kind::File(content) = &node.kind {
            match content {
                Content::Inline(bytes) if bytes.len() > SHARED => self.share(bytes),
                Content::Inline(bytes) => self.memory.extend_from_slice(bytes),
                Content::Segment { file, range, .. } if file.key().is_some() => self.segment(file, range),
                Content::Segment { range, .. } if range.is_empty() => {}
                Content::Segment { range, .. } => {
                    self.flush();
                    let source = Source::File(content.clone());
                    self.pieces.push(Piece { source, len: range.end - range.start, group: self.group });
                }
            }
            self.memory.resize(self.memory.len() + header::padding(content.len()), 0);
        }
    }

    fn segment(&mut self, file: &Arc<SegmentFile>, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        if self.memory.is_empty()
            && let Some(last) = self.pieces.last_mut()
            && last.group == self.group
            && let Source::Segment(same, before) = &mut last.source
            && Arc::ptr_eq(same, file)
            && before.end == range.start
        {
            before.end = range.end;
            last.len = before.end - before.start;
            return;
        }
        self.flush();
        let source = Source::Segment(Arc::clone(file), range.clone());
        self.pieces.push(Piece { source, len: range.end - range.start, group: self.group });
    }

    fn share(&mut self, bytes: &Arc<[u8]>) {
        self.flush();
        let len = bytes.len() as u64;
        self.pieces.push(Piece { source: Source::Memory(Arc::clone(bytes)), len, group: self.group });
    }

    fn flush(&mut self) {
        if !self.memory.is_empty() {
            let bytes: Arc<[u8]> = std::mem::take(&mut self.memory).into();
            let len = bytes.len() as u64;
            self.pieces.push(Piece { source: Source::Memory(bytes), len, group: self.group });
        }
    }

    fn end_group(&mut self) {
        self.flush();
        if self.pieces.last().is_some_and(|last| last.group == self.group) {
            self.group += 1;
        }
    }
}

/// Reads the archive from its first byte to its last.
pub struct Reader<'a> {
    pieces: &'a [Piece],
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `pieces`.
    pub fn new(pieces: &'a [Piece]) -> Self {
        Self { pieces, offset: 0 }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some((piece, rest)) = self.pieces.split_first() {
            if self.offset == piece.len {
                (self.pieces, self.offset) = (rest, 0);
                continue;
            }
            let n = usize::try_from(piece.len - self.offset).unwrap_or(usize::MAX).min(buf.len());
            piece.read_at(&mut buf[..n], self.offset)?;
            self.offset += n as u64;
            return Ok(n);
        }
        Ok(0)
    }
}

/// A stretch of at most one block of compression: byte ranges of consecutive pieces of one group.
#[derive(Debug, Clone)]
pub(super) struct Block<'a> {
    parts: Vec<(&'a Piece, u64, usize)>,
    /// Length in bytes.
    pub(super) len: usize,
}

impl Block<'_> {
    /// Which bytes of it are from which piece, and where in that they begin.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&Piece, u64, Range<usize>)> {
        self.parts.iter().scan(0, |at, (piece, offset, n)| {
            let range = *at..*at + n;
            *at = range.end;
            Some((*piece, *offset, range))
        })
    }

    /// Its bytes.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut out = vec![0; self.len];
        let mut rest = &mut out[..];
        for (piece, offset, n) in &self.parts {
            let (now, later) = rest.split_at_mut(*n);
            piece.read_at(now, *offset)?;
            rest = later;
        }
        Ok(out)
    }
}

/// Cuts `pieces` into blocks of `size` bytes; the last of each group is shorter. How a group is split into pieces
/// makes no difference.
pub(super) fn blocks(pieces: &[Piece], size: usize) -> Vec<Block<'_>> {
    let mut out = Vec::new();
    let mut now = Block { parts: Vec::new(), len: 0 };
    let mut group = None;
    for piece in pieces {
        if group.replace(piece.group) != Some(piece.group) && now.len > 0 {
            out.push(std::mem::replace(&mut now, Block { parts: Vec::new(), len: 0 }));
        }
        let mut offset = 0;
        while offset < piece.len {
            let n = usize::try_from(piece.len - offset).unwrap_or(usize::MAX).min(size - now.len);
            now.parts.push((piece, offset, n));
            now.len += n;
            offset += n as u64;
            if now.len == size {
                out.push(std::mem::replace(&mut now, Block { parts: Vec::new(), len: 0 }));
            }
        }
    }
    if now.len > 0 {
        out.push(now);
    }
    out
}
