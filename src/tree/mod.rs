//! The merged root filesystem as a value: a sorted map of path to node. Every output is written from it.
//!
//! In: segments (unpacked packages), the manifest's files, what `finish/` adds. Out: [`Tree`].

mod compare;
mod files;
mod from_dir;
pub mod header;
mod merge;
mod node;

pub use compare::{Difference, How, compare};
pub use files::{FilesError, Placed};
pub use from_dir::{FoundDir, from_dir, read_dir};
pub use merge::Conflict;
pub use node::{Content, Digest, Kind, Meta, Node, Origin, SegmentFile};

use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use rayon::prelude::*;

use crate::base::{MAX_LINKS, RootPath};

/// A root filesystem. Every path's parent is a directory in the map, and the root itself (the empty path) is too.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Sorted by path components: a directory comes before all that is in it.
    nodes: BTreeMap<RootPath, Node>,
    /// Modification time of directories that nothing else describes, seconds since 1970.
    epoch: i64,
}

/// A node cannot stand where it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parent} is not a directory, so {path} cannot be in it")]
pub struct NotADirectory {
    /// What should be placed.
    pub path: RootPath,
    /// What is in the way.
    pub parent: RootPath,
}

/// What could not be read, with its path in the image.
fn unread(path: &RootPath, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path} of the image: {error}"))
}

impl Tree {
    /// Holds the root directory alone, 0755, owned by root.
    pub fn new(epoch: i64) -> Self {
        let root =
            Node { meta: Meta::root(0o755, epoch), kind: Kind::Dir, origin: Origin::Finish("base"), ready: None };
        Self { nodes: BTreeMap::from([(RootPath::root(), root)]), epoch }
    }

    /// The image's date, seconds since 1970: what added nodes carry as modification time.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The node at exactly this path; symbolic links are not followed.
    pub fn get(&self, path: &RootPath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, path: &RootPath) -> Option<&mut Node> {
        self.nodes.get_mut(path)
    }

    /// All nodes, the root first, each directory before its content.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RootPath, &Node)> {
        self.nodes.iter()
    }

    /// The node at `path` and all below it.
    pub fn below<'a>(&'a self, path: &'a RootPath) -> impl Iterator<Item = (&'a RootPath, &'a Node)> {
        self.nodes.range(path.clone()..).take_while(move |(p, _)| p.starts_with(path))
    }

    /// The direct children of the directory at `path`.
    pub fn children<'a>(&'a self, path: &'a RootPath) -> impl Iterator<Item = (&'a RootPath, &'a Node)> {
        let depth = path.components().count() + 1;
        self.below(path).filter(move |(p, _)| p.components().count() == depth)
    }

    /// Puts `node` at `path`, in place of what was there. Missing parents become directories of the same origin,
    /// 0755, owned by root.
    ///
    /// # Errors
    /// When a parent is there and is no directory. Nothing is changed then.
    pub fn insert(&mut self, path: RootPath, node: Node) -> Result<(), NotADirectory> {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(parent) = above {
            match self.nodes.get(&parent) {
                Some(Node { kind: Kind::Dir, .. }) => break,
                Some(_) => return Err(NotADirectory { path, parent }),
                None => {}
            }
            above = parent.parent();
            missing.push(parent);
        }
        for parent in missing {
            let meta = Meta::root(0o755, self.epoch);
            self.nodes.insert(parent, Node { meta, kind: Kind::Dir, origin: node.origin.clone(), ready: None });
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Puts a file made by this program at `path`.
    ///
    /// # Errors
    /// As [`Tree::insert`].
    pub fn insert_file(
        &mut self,
        path: RootPath,
        mode: u32,
        bytes: impl Into<std::sync::Arc<[u8]>>,
        origin: Origin,
    ) -> Result<(), NotADirectory> {
        let meta = Meta::root(mode, self.epoch);
        self.insert(path, Node { meta, kind: Kind::File(Content::inline(bytes)), origin, ready: None })
    }

    /// Puts a symbolic link at `path`.
    ///
    /// # Errors
    /// As [`Tree::insert`].
    pub fn insert_link(&mut self, path: RootPath, target: &[u8], origin: Origin) -> Result<(), NotADirectory> {
        let meta = Meta::root(0o777, self.epoch);
        self.insert(path, Node { meta, kind: Kind::Symlink(target.into()), origin, ready: None })
    }

    /// Takes out `path` and all below it; the root itself stays.
    pub fn remove(&mut self, path: &RootPath) {
        let gone: Vec<_> = self.below(path).map(|(p, _)| p.clone()).filter(|p| !p.is_root()).collect();
        for path in gone {
            self.nodes.remove(&path);
        }
    }

    /// Where `path` leads when every symbolic link, the last one too, is followed inside this root. `None` when it
    /// leads nowhere or in circles.
    pub fn resolve(&self, path: &RootPath) -> Option<RootPath> {
        self.resolve_from(&RootPath::root(), path.as_bytes())
    }

    /// The same for a path as text has it, relative to the directory `from` unless it starts with `/`; `.`, `..` and
    /// repeated slashes are as in the kernel. `from` itself holds no symbolic link.
    pub fn resolve_from(&self, from: &RootPath, path: &[u8]) -> Option<RootPath> {
        let mut at = from.clone();
        let mut todo = VecDeque::new();
        let mut links = 0;
        let push = |todo: &mut VecDeque<Box<[u8]>>, at: &mut RootPath, path: &[u8]| {
            if path.starts_with(b"/") {
                *at = RootPath::root();
            }
            let parts = path.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b"."));
            for part in parts.rev() {
                todo.push_front(part.into());
            }
        };
        push(&mut todo, &mut at, path);
        while let Some(part) = todo.pop_front() {
            if &*part == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            let next = at.join(&part).ok()?;
            match &self.nodes.get(&next)?.kind {
                Kind::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    push(&mut todo, &mut at, target);
                }
                _ => at = next,
            }
        }
        Some(at)
    }

    /// The content of the regular file that `path` leads to, through symbolic and hard links.
    pub fn content(&self, path: &RootPath) -> Option<&Content> {
        let path = self.resolve(path)?;
        match &self.nodes.get(&path)?.kind {
            Kind::File(content) => Some(content),
            Kind::Hardlink(target) => match &self.nodes.get(target)?.kind {
                Kind::File(content) => Some(content),
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes the digest of each file that has none yet, several at a time.
    ///
    /// # Errors
    /// When one cannot be read; the path is named.
    pub fn take_digests(&self) -> io::Result<()> {
        let files = self.nodes.iter().filter_map(|(path, node)| match &node.kind {
            Kind::File(content) if content.lacks_digest() => Some((path, content)),
            _ => None,
        });
        let take = |(path, content): (&RootPath, &Content)| content.sha256().map(drop).map_err(|e| unread(path, &e));
        files.collect::<Vec<_>>().into_par_iter().with_max_len(16).try_for_each(take)
    }

    /// The bytes of the regular file that `path` leads to; `None` when there is none.
    ///
    /// # Errors
    /// When its segment cannot be read.
    pub fn read(&self, path: &RootPath) -> io::Result<Option<Vec<u8>>> {
        self.content(path).map(|content| content.read().map(std::borrow::Cow::into_owned)).transpose()
    }
}
