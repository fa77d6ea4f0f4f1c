//! What unpacking one package, wheel or tarball leaves: entries in path order, the segment file with their bytes,
//! control data.

use std::{ops::Range, sync::Arc};

use crate::{
    base::RootPath,
    tree::{Kind, Meta, Origin, SegmentFile},
};

/// One unpacked package, wheel or tarball; of the latter two control data are empty.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Which.
    pub origin: Origin,
    /// Everything that it ships and the filter lets through, sorted by path, each path once. Paths are as they
    /// will be in the image: `/bin`, `/sbin` and `/lib*` already lead to `/usr` (merged-/usr).
    pub entries: Vec<Entry>,
    /// Begins with the headers, content and padding of all entries that are not directories, in order and without
    /// gaps; no end marker. What follows them is the store's own.
    pub file: Arc<SegmentFile>,
    /// The package's control paragraph, as in the `.deb`.
    pub control: Box<str>,
    /// `md5sums` of the control archive: MD5 in hex and path of each file that was shipped; empty if it has none.
    pub md5sums: Vec<([u8; 16], RootPath)>,
    /// Maintainer scripts, by name (`preinst`, `postinst`, `prerm`, `postrm`, `config`, `triggers`).
    pub scripts: Vec<Script>,
    /// Paths of the package that the filter took out, sorted.
    pub omitted: Vec<RootPath>,
}

/// One path of a package.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it goes.
    pub path: RootPath,
    /// Its metadata; mtime not yet clamped to the image's epoch.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
    /// Bytes of the segment file that hold its header(s), content and padding; empty for directories.
    pub span: Range<u64>,
}

/// A maintainer script, never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `postinst` and so on.
    pub name: Box<str>,
    /// Its text.
    pub text: Box<[u8]>,
}
