//! A directory of this machine as a tree: for audits of a rootfs, and for tests.
//!
//! In: a directory. Out: [`Tree`] with the modes, owners, links, whole-second times and extended attributes found, and
//! what an image does not hold; every file's bytes stay where they are, and are read when wanted. One level of folders
//! after the other is looked at, each by several threads.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, Metadata},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{Content, Kind, Meta, Node, Origin, SegmentFile, Tree};
use crate::base::RootPath;

/// Bytes of the list of a file's attributes, and of one value, at most (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`, limits.h).
const MOST: usize = 64 << 10;

/// What a directory holds.
#[derive(Debug)]
pub struct FoundDir {
    /// Directories, files and links.
    pub tree: Tree,
    /// Sockets, pipes and devices, in order, each with what it is: an image holds none.
    pub left_out: Vec<(RootPath, &'static str)>,
}

/// A path below the directory.
struct Found {
    path: RootPath,
    outside: PathBuf,
    info: Metadata,
    meta: Meta,
    target: Option<Box<[u8]>>,
}

/// The tree alone of what [`read_dir`] finds.
///
/// # Errors
/// As [`read_dir`].
pub fn from_dir(dir: &Path, epoch: i64) -> io::Result<Tree> {
    read_dir(dir, epoch).map(|found| found.tree)
}

/// Reads the directory at `dir`, whose date becomes `epoch`. Names that lead to the same file become hard links, which
/// point at the name that sorts first. Of extended attributes those are taken that belong to an image.
///
/// # Errors
/// As the operating system says, with the path.
pub fn read_dir(dir: &Path, epoch: i64) -> io::Result<FoundDir> {
    let mut tree = Tree::new(epoch);
    let top = look(dir.into(), RootPath::root())?;
    if let Some(root) = tree.get_mut(&RootPath::root()) {
        root.meta = top.meta;
        root.origin = Origin::Manifest;
    }
    let mut all = Vec::new();
    let mut level = vec![(PathBuf::from(dir), RootPath::root())];
    while !level.is_empty() {
        let names: Vec<_> = level.par_iter().map(list).collect::<io::Result<_>>()?;
        let found = names.into_iter().flatten().collect::<Vec<_>>().into_par_iter();
        let found: Vec<Found> = found.map(|(outside, path)| look(outside, path)).collect::<io::Result<_>>()?;
        let dirs = found.iter().filter(|found| found.info.is_dir());
        level = dirs.map(|found| (found.outside.clone(), found.path.clone())).collect();
        all.extend(found);
    }
    all.par_sort_by(|a, b| a.path.cmp(&b.path));
    let mut first: HashMap<(u64, u64), RootPath> = HashMap::new();
    let mut left_out = Vec::new();
    for Found { path, outside, info, meta, target } in all {
        let kind = if info.is_dir() {
            Kind::Dir
        } else if let Some(target) = target {
            Kind::Symlink(target)
        } else if !info.is_file() {
            left_out.push((path, special(&info)));
            continue;
        } else if info.nlink() < 2 {
            content(&outside, &info)
        } else {
            match first.get(&(info.dev(), info.ino())) {
                Some(first) => Kind::Hardlink(first.clone()),
                None => {
                    first.insert((info.dev(), info.ino()), path.clone());
                    content(&outside, &info)
                }
            }
        };
        let node = Node { meta, kind, origin: Origin::Manifest, ready: None };
        tree.insert(path, node).map_err(io::Error::other)?;
    }
    Ok(FoundDir { tree, left_out })
}

fn content(outside: &Path, info: &Metadata) -> Kind {
    Kind::File(Content::stretch(Arc::new(SegmentFile::new(outside)), 0..info.len()))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn list((outside, inside): &(PathBuf, RootPath)) -> io::Result<Vec<(PathBuf, RootPath)>> {
    let failed = |error| at(outside, &error);
    let one = |entry: io::Result<fs::DirEntry>| {
        let name = entry.map_err(failed)?.file_name();
        Ok((outside.join(&name), inside.join(name.as_bytes()).map_err(io::Error::other)?))
    };
    fs::read_dir(outside).map_err(failed)?.map(one).collect()
}

fn look(outside: PathBuf, path: RootPath) -> io::Result<Found> {
    let failed = |error| at(&outside, &error);
    let info = fs::symlink_metadata(&outside).map_err(failed)?;
    let target = match info.is_symlink() {
        true => Some(fs::read_link(&outside).map_err(failed)?.as_os_str().as_bytes().into()),
        false => None,
    };
    // Links have no attributes that an image holds.
    let xattrs = if target.is_none() { attributes(&outside) } else { BTreeMap::new() };
    let meta = Meta { mode: info.mode() & 0o7777, uid: info.uid(), gid: info.gid(), mtime: info.mtime(), xattrs };
    Ok(Found { path, outside, info, meta, target })
}

/// A filesystem without them has none.
fn attributes(outside: &Path) -> BTreeMap<Box<[u8]>, Box<[u8]>> {
    let mut out = BTreeMap::new();
    // Most have none, or few.
    let mut names = vec![0; 256];
    let length = rustix::fs::llistxattr(outside, &mut names).or_else(|_| {
        names.resize(MOST, 0);
        rustix::fs::llistxattr(outside, &mut names)
    });
    let names = names.get(..length.unwrap_or_default()).unwrap_or_default();
    for name in names.split(|&b| b == 0).filter(|name| belongs(name)) {
        let mut value = vec![0; MOST];
        if let Ok(length) = rustix::fs::lgetxattr(outside, name, &mut value) {
            value.truncate(length);
            out.insert(name.into(), value.into());
        }
    }
    out
}

/// Labels and lists of this machine's own are not the image's.
fn belongs(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"security.capability"
}

fn special(info: &Metadata) -> &'static str {
    let kind = info.file_type();
    match () {
        () if kind.is_char_device() => "a character device",
        () if kind.is_block_device() => "a block device",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "of a type unknown to compose",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), b"hello").unwrap();
        fs::write(at("big"), vec![7; 100_000]).unwrap();
        fs::hard_link(at("a/b/file"), at("z")).unwrap();
        std::os::unix::fs::symlink("../nowhere", at("a/link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("a/fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let found = read_dir(dir.path(), 5).unwrap();
        assert_eq!(found.left_out, [(RootPath::literal("a/fifo"), "a FIFO")]);
        let tree = found.tree;
        let shown: Vec<_> = tree
            .iter()
            .map(|(path, node)| match &node.kind {
                Kind::Dir => format!("{path} dir"),
                Kind::File(content) => format!("{path} {}", content.len()),
                Kind::Symlink(target) => format!("{path} -> {}", target.escape_ascii()),
                Kind::Hardlink(target) => format!("{path} = {target}"),
            })
            .collect();
        assert_eq!(
            shown,
            ["/ dir", "/a dir", "/a/b dir", "/a/b/file 5", "/a/link -> ../nowhere", "/big 100000", "/z = /a/b/file"]
        );
        assert_eq!(tree.read(&RootPath::literal("big")).unwrap().unwrap(), vec![7; 100_000]);
        assert_eq!(tree.read(&RootPath::literal("z")).unwrap().unwrap(), b"hello");
    }
}
