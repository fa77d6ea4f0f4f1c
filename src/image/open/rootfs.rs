//! The root filesystem while layers are laid over one another, as a container runtime lays them (image-spec, layer.md).
//!
//! In: the entries of each layer's archive, the lowest first. Out: a [`Tree`] of what is left. Nothing is written
//! anywhere: symbolic links among an entry's parents are followed inside this root alone.
//!
//! Files are kept as inodes with names, as a filesystem has them, so that replacing one name of a file leaves its other
//! names alone.

use std::collections::{BTreeMap, VecDeque};

use super::{error::LayerFault, layer::Entry, left_out};
use crate::{
    base::{MAX_LINKS, RootPath},
    deb::{LimitReached, Limits, TarEntry, TarKind, shown},
    tree::{Content, Kind, Meta, Node, Origin, Tree},
};

/// What a whiteout's name begins with.
const WHITEOUT: &[u8] = b".wh.";
/// Hides everything that lower layers have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names of AUFS's own, which runtimes pass over.
const AUFS: &[u8] = b".wh..wh.";

/// How many steps along parents there may be for each entry that the limits allow.
const STEPS: u64 = 64;

/// What layers have made so far.
pub(super) struct Rootfs {
    /// By real path: no key has a symbolic link among its parents. The root is always there.
    nodes: BTreeMap<RootPath, Place>,
    inodes: Vec<Inode>,
    /// The layer that is being laid, counted from 1.
    layer: usize,
    /// Whether whiteouts mean something: not in a plain archive of a rootfs.
    whiteouts: bool,
    /// Date of directories that no entry describes, seconds since 1970.
    epoch: i64,
    /// Whether an entry described the root itself.
    pub(super) root_described: bool,
    limits: Limits,
    /// Bytes of names, targets and attributes so far.
    metadata: u64,
    steps: u64,
}

#[derive(Clone)]
struct Place {
    what: What,
    /// The layer that brought or described it last.
    layer: usize,
}

#[derive(Clone)]
enum What {
    Dir(Meta),
    File(usize),
    Symlink(Meta, Box<[u8]>),
    Special(&'static str),
}

struct Inode {
    meta: Meta,
    content: Content,
}

impl Rootfs {
    /// Holds the root alone, 0755, owned by root.
    pub(super) fn new(epoch: i64, whiteouts: bool, limits: &Limits) -> Self {
        let root = Place { what: What::Dir(Meta::root(0o755, epoch)), layer: 0 };
        Self {
            nodes: BTreeMap::from([(RootPath::root(), root)]),
            inodes: Vec::new(),
            layer: 0,
            whiteouts,
            epoch,
            root_described: false,
            limits: limits.clone(),
            metadata: 0,
            steps: 0,
        }
    }

    /// Lays a whole layer.
    pub(super) fn lay_all(&mut self, entries: Vec<Entry>) -> Result<(), LayerFault> {
        self.next_layer();
        entries.into_iter().try_for_each(|Entry { entry, content, .. }| self.lay(entry, content))
    }

    /// What follows is of the next layer.
    pub(super) fn next_layer(&mut self) {
        self.layer += 1;
    }

    /// Lays one entry; `content` is that of a regular file.
    pub(super) fn lay(&mut self, entry: TarEntry, content: Option<Content>) -> Result<(), LayerFault> {
        let TarEntry { path, kind, mode, uid, gid, mtime, xattrs } = entry;
        let named = RootPath::parse(&path)?;
        let mut meta = Meta { mode, uid, gid, mtime, xattrs };
        // AUFS's own folders, as early versions of Docker wrote them, and what is in them.
        let is_own = |part: &[u8]| part.starts_with(AUFS) && part != OPAQUE;
        if self.whiteouts && named.components().any(is_own) {
            return Ok(());
        }
        if self.whiteouts && named.file_name().starts_with(WHITEOUT) {
            return self.whiteout(&named);
        }
        if named.is_root() {
            return self.describe_root(kind, meta);
        }
        let path = self.real(&named, true)?.ok_or_else(|| LayerFault::Loop(named.clone()))?;
        let what = match kind {
            TarKind::Dir => What::Dir(meta),
            TarKind::Symlink(target) => {
                // Linux ignores their permissions; all tools write these.
                meta.mode = 0o777;
                What::Symlink(meta, target)
            }
            TarKind::Special(what) => What::Special(what),
            TarKind::File(_) => {
                self.inodes.push(Inode { meta, content: content.unwrap_or_else(|| Content::inline([])) });
                What::File(self.inodes.len() - 1)
            }
            TarKind::Hardlink(target) => self.linked(&path, &target, meta)?,
        };
        self.put(path, what)
    }

    fn describe_root(&mut self, kind: TarKind, meta: Meta) -> Result<(), LayerFault> {
        match kind {
            TarKind::Dir => {
                self.root_described = true;
                self.nodes.insert(RootPath::root(), Place { what: What::Dir(meta), layer: self.layer });
                Ok(())
            }
            TarKind::File(_) => Err(LayerFault::Root("a file")),
            TarKind::Symlink(_) | TarKind::Hardlink(_) => Err(LayerFault::Root("a link")),
            TarKind::Special(what) => Err(LayerFault::Root(what)),
        }
    }

    /// A further name of what is at `target`. The entry's own metadata count for the file, as runtimes set them after
    /// linking.
    fn linked(&mut self, path: &RootPath, target: &[u8], meta: Meta) -> Result<What, LayerFault> {
        let named = RootPath::parse(target)?;
        let fault = |what| LayerFault::Hardlink { path: path.clone(), target: named.clone(), what };
        let real = if named.is_root() { Some(named.clone()) } else { self.real(&named, false)? };
        let place = real.as_ref().filter(|real| *real != path).and_then(|real| self.nodes.get(real));
        match place.map(|place| place.what.clone()) {
            None if real.as_ref() == Some(path) => Err(fault("itself")),
            None => Err(fault("not there")),
            Some(What::Dir(_)) => Err(fault("a directory")),
            Some(What::File(inode)) => {
                if let Some(inode) = self.inodes.get_mut(inode) {
                    let mut xattrs = std::mem::take(&mut inode.meta.xattrs);
                    xattrs.extend(meta.xattrs.clone());
                    inode.meta = Meta { xattrs, ..meta };
                }
                Ok(What::File(inode))
            }
            Some(other) => Ok(other),
        }
    }

    fn whiteout(&mut self, named: &RootPath) -> Result<(), LayerFault> {
        let name = named.file_name();
        let Some(parent) = named.parent() else { return Ok(()) };
        let hidden = name.strip_prefix(WHITEOUT).unwrap_or_default();
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(LayerFault::Whiteout(shown(name)));
        }
        // The place of something in that directory tells where the directory is.
        let Some(path) = self.real(&parent.join(hidden)?, false)? else { return Ok(()) };
        match path.parent() {
            Some(dir) if name == OPAQUE => self.remove_lower(&dir, true),
            _ => self.remove_lower(&path, false),
        }
    }

    /// Takes out what lower layers have at `path` and below it; what this layer brought stays, and the directories
    /// that it is in. With `inside`, `path` itself stays too.
    fn remove_lower(&mut self, path: &RootPath, inside: bool) -> Result<(), LayerFault> {
        let mut kept: Option<RootPath> = None;
        let mut gone = Vec::new();
        // From the last to the first: all that is in a directory comes before the directory.
        let all = self.below(path);
        self.take_steps(all.len() as u64)?;
        for (at, place) in all.into_iter().rev() {
            let holds_kept = kept.as_ref().is_some_and(|kept| kept.starts_with(&at));
            if place >= self.layer || holds_kept {
                kept = Some(at);
            } else if !(inside && at == *path || at.is_root()) {
                gone.push(at);
            }
        }
        for path in gone {
            self.nodes.remove(&path);
        }
        Ok(())
    }

    fn below(&self, path: &RootPath) -> Vec<(RootPath, usize)> {
        let all = self.nodes.range(path.clone()..).take_while(|(at, _)| at.starts_with(path));
        all.map(|(at, place)| (at.clone(), place.layer)).collect()
    }

    /// Puts `what` at a real path, in place of what was there; a directory over a directory keeps what is in it.
    fn put(&mut self, path: RootPath, what: What) -> Result<(), LayerFault> {
        let was_dir = matches!(self.nodes.get(&path), Some(Place { what: What::Dir(_), .. }));
        if was_dir && !matches!(what, What::Dir(_)) {
            for (at, _) in self.below(&path) {
                self.nodes.remove(&at);
            }
        }
        let own = match &what {
            What::Dir(meta) => attributes(meta),
            What::Symlink(meta, target) => attributes(meta) + target.len() as u64,
            What::File(inode) => self.inodes.get(*inode).map_or(0, |inode| attributes(&inode.meta)),
            What::Special(_) => 0,
        };
        self.metadata += path.as_bytes().len() as u64 + own;
        if self.metadata > self.limits.metadata {
            let limit = LimitReached::new("bytes of names and attributes", self.limits.metadata);
            return Err(limit.key("names").into());
        }
        self.nodes.insert(path, Place { what, layer: self.layer });
        // The names of files that are gone hold their places among the inodes.
        if self.nodes.len().max(self.inodes.len()) as u64 > self.limits.entries {
            return Err(LimitReached::new("files and directories", self.limits.entries).key("entries").into());
        }
        Ok(())
    }

    /// Where `named` really is: symbolic links among its parents followed inside this root, its last component not.
    /// With `make`, directories that are missing are made; otherwise `None` says that there is nothing.
    fn real(&mut self, named: &RootPath, make: bool) -> Result<Option<RootPath>, LayerFault> {
        let Some(parent) = named.parent() else { return Ok(None) };
        self.step()?;
        // No key has links among its parents, so a directory at the parent's own path is the one.
        if matches!(self.nodes.get(&parent), Some(Place { what: What::Dir(_), .. })) {
            return Ok(Some(named.clone()));
        }
        let mut at = RootPath::root();
        let mut todo: VecDeque<Box<[u8]>> = parent.components().map(Into::into).collect();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            self.step()?;
            if &*part == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            let next = at.join(&part)?;
            match self.nodes.get(&next).map(|place| &place.what) {
                Some(What::Dir(_)) => at = next,
                Some(What::Symlink(_, target)) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(LayerFault::Loop(named.clone()));
                    }
                    if target.starts_with(b"/") {
                        at = RootPath::root();
                    }
                    let parts = target.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b"."));
                    for part in parts.rev() {
                        todo.push_front(part.into());
                    }
                }
                Some(_) if make => return Err(LayerFault::Parent { path: named.clone(), parent: next }),
                // No directory can be called as a whiteout is.
                None if make && self.whiteouts && part.starts_with(WHITEOUT) => {
                    return Err(LayerFault::Whiteout(shown(&part)));
                }
                None if make => {
                    self.put(next.clone(), What::Dir(Meta::root(0o755, self.epoch)))?;
                    at = next;
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(at.join(named.file_name())?))
    }

    fn step(&mut self) -> Result<(), LayerFault> {
        self.take_steps(1)
    }

    fn take_steps(&mut self, steps: u64) -> Result<(), LayerFault> {
        self.steps += steps;
        let limit = self.limits.entries.saturating_mul(STEPS);
        if self.steps > limit {
            return Err(LimitReached::new("steps to the folders of its entries", limit).into());
        }
        Ok(())
    }

    /// What is left, and what had to be left out of it.
    pub(super) fn finish(self) -> (Tree, Vec<String>) {
        let Self { nodes, inodes, epoch, .. } = self;
        let mut tree = Tree::new(epoch);
        let mut first: BTreeMap<usize, RootPath> = BTreeMap::new();
        let mut special: Option<(RootPath, &'static str, usize)> = None;
        for (path, place) in nodes {
            let (meta, kind) = match place.what {
                What::Dir(meta) => (meta, Kind::Dir),
                What::Symlink(meta, target) => (meta, Kind::Symlink(target)),
                What::Special(what) => {
                    special = Some(special.map_or((path, what, 1), |(path, what, n)| (path, what, n + 1)));
                    continue;
                }
                What::File(id) => {
                    let Some(inode) = inodes.get(id) else { continue };
                    let kind = match first.get(&id) {
                        Some(first) => Kind::Hardlink(first.clone()),
                        None => {
                            first.insert(id, path.clone());
                            Kind::File(inode.content.clone())
                        }
                    };
                    (inode.meta.clone(), kind)
                }
            };
            let node = Node { meta, kind, origin: Origin::Manifest, ready: None };
            let placed = tree.insert(path, node);
            debug_assert!(placed.is_ok(), "every key's parent is a directory");
        }
        let (first, count) = match &special {
            Some((path, what, count)) => (Some((path, *what)), *count),
            None => (None, 0),
        };
        (tree, left_out(first, count))
    }
}

fn attributes(meta: &Meta) -> u64 {
    meta.xattrs.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum()
}
