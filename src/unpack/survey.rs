//! One pass over an archive: what it ships, each path checked, the wanted content put aside.
//!
//! In: the entries of `data.tar` or of a tarball, or files one by one; a filter. Out: a [`Survey`]: nodes sorted by path,
//! and a spool with the content of those that stay; memory is bounded however large the files are.

use std::{
    collections::{BTreeMap, HashSet, btree_map},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use tempfile::SpooledTempFile;

use super::{
    Filter, SHEBANG, UnpackFault,
    canon::{is_merged_top, lead, merged, relinked},
    filter::Verdict,
};
use crate::{
    base::{RootPath, Sha256, Sha256Writer},
    deb::{Entries, TarEntry, TarFault, TarKind, shown},
    tree::Meta,
};

/// Content up to this many bytes per package is held in memory, more goes to a temporary file.
const IN_MEMORY: usize = 8 << 20;

/// How many rounds of "its target is gone, so the link goes" there are: Linux follows no longer chain.
const ROUNDS: usize = 40;

/// What a package ships.
pub(super) struct Survey {
    pub nodes: BTreeMap<RootPath, Found>,
    pub blobs: Vec<Blob>,
    pub spool: SpooledTempFile,
}

/// One path of a package.
pub(super) struct Found {
    pub meta: Meta,
    pub what: What,
    verdict: Verdict,
    /// Whether it is left out.
    pub gone: bool,
}

pub(super) enum What {
    Dir,
    /// One of the names of this blob.
    File(usize),
    Symlink(Box<[u8]>),
}

/// The content of a regular file, whatever number of names it has.
pub(super) struct Blob {
    pub meta: Meta,
    pub size: u64,
    pub sha256: Sha256,
    /// Where it begins in the spool; `None` when it was passed over.
    pub at: Option<u64>,
    /// Its beginning, if that is `#!`.
    head: Box<[u8]>,
}

/// An archive that can be read more than once, and where its entries go.
pub(super) trait Archive {
    /// Its entries, from the first.
    fn entries(&self) -> Result<Entries<Box<dyn Read + Send + '_>>, UnpackFault>;
    /// What is wrong with it.
    fn fault(&self, fault: TarFault) -> UnpackFault;
    /// Where an archive name lies in the rootfs before merged-/usr; `None`: it is left out.
    fn place(&self, name: &[u8]) -> Result<Option<RootPath>, UnpackFault>;
    /// The metadata that an entry gets.
    fn own(&self, meta: Meta) -> Meta;
}

/// Reads the archive: once, or twice when a file that is left out has another name that stays.
pub(super) fn survey(archive: &dyn Archive, filter: &Filter, scratch: &Path) -> Result<Survey, UnpackFault> {
    let first = pass(archive, filter, scratch, &HashSet::new())?;
    let missing = |found: &Found| match found.what {
        What::File(id) if !found.gone && first.blobs.get(id).is_some_and(|blob| blob.at.is_none()) => Some(id),
        _ => None,
    };
    let wanted: HashSet<usize> = first.nodes.values().filter_map(missing).collect();
    if wanted.is_empty() { Ok(first) } else { pass(archive, filter, scratch, &wanted) }
}

fn pass(
    archive: &dyn Archive,
    filter: &Filter,
    scratch: &Path,
    wanted: &HashSet<usize>,
) -> Result<Survey, UnpackFault> {
    let mut entries = archive.entries()?;
    let fault = |fault| archive.fault(fault);
    let mut out = Survey::new(scratch);
    while let Some(entry) = entries.next_entry().map_err(fault)? {
        let Some(shipped) = archive.place(&entry.path)? else { continue };
        if shipped.is_root() || is_merged_top(&shipped) {
            if !is_expected_top(&shipped, &entry.kind) {
                return Err(UnpackFault::NotADirectory(shipped));
            }
            continue;
        }
        let path = merged(shipped.clone())?;
        let verdict = filter.verdict(&path);
        let mut gone = verdict == Verdict::Goes;
        let (kind, meta) = split(entry);
        let mut meta = archive.own(meta);
        let what = match kind {
            TarKind::Dir => What::Dir,
            TarKind::Symlink(target) => {
                // Linux ignores their permissions; all tools write these.
                meta.mode = 0o777;
                What::Symlink(relinked(&shipped, &path, &target).map_or(target, Into::into))
            }
            TarKind::Hardlink(target) => {
                let Some(target) = archive.place(&target)? else {
                    return Err(UnpackFault::LinkOut { path, target: shown(&target) });
                };
                let target = merged(target)?;
                let Some(Found { what: What::File(id), .. }) = out.nodes.get(&target) else {
                    return Err(UnpackFault::HardlinkTarget { path, target });
                };
                What::File(*id)
            }
            TarKind::Special(what) => return Err(fault(TarFault::Type { name: path.to_string(), what })),
            TarKind::File(size) => {
                let id = out.blobs.len();
                let head = head(&mut entries, &meta, filter).map_err(TarFault::from_io).map_err(fault)?;
                let script = verdict == Verdict::Stays && filter.omits_script(&path, &head);
                let at = (!gone && !script || wanted.contains(&id)).then_some(());
                let at = at.map(|()| out.spool.stream_position()).transpose().map_err(write_error(scratch, 0))?;
                let sha256 = match at {
                    Some(at) => keep(
                        &head,
                        &mut entries,
                        &mut out.spool,
                        |e| archive.fault(TarFault::from_io(e)),
                        write_error(scratch, at),
                    )?,
                    None => Sha256::of(b""),
                };
                let head = if head.starts_with(b"#!") { head.into() } else { Box::default() };
                out.blobs.push(Blob { meta: meta.clone(), size, sha256, at, head });
                What::File(id)
            }
        };
        if let What::File(id) = what
            && let Some(blob) = out.blobs.get(id)
        {
            gone |= verdict == Verdict::Stays && filter.omits_script(&path, &blob.head);
        }
        insert(&mut out.nodes, path, Found { meta, what, verdict, gone })?;
    }
    check_parents(&out.nodes)?;
    settle(&mut out.nodes);
    Ok(out)
}

/// The root and the merged directories may be shipped as directories, the latter as their links too; neither is
/// kept, because every image has them anyway.
fn is_expected_top(path: &RootPath, kind: &TarKind) -> bool {
    match kind {
        TarKind::Dir => true,
        TarKind::Symlink(target) if !path.is_root() => {
            lead(&RootPath::root(), target).is_some_and(|to| merged(path.clone()).is_ok_and(|usual| usual == to))
        }
        _ => false,
    }
}

fn split(entry: TarEntry) -> (TarKind, Meta) {
    let TarEntry { kind, mode, uid, gid, mtime, xattrs, .. } = entry;
    (kind, Meta { mode, uid, gid, mtime, xattrs })
}

/// The beginning of an executable, when the filter wants to see it.
fn head<R: Read>(entries: &mut Entries<R>, meta: &Meta, filter: &Filter) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    if meta.mode & 0o111 != 0 && filter.reads_shebangs() {
        entries.take(SHEBANG as u64).read_to_end(&mut head)?;
    }
    Ok(head)
}

/// Puts a file's content into the spool.
fn keep<R: Read>(
    head: &[u8],
    entries: &mut Entries<R>,
    spool: &mut SpooledTempFile,
    read_error: impl Fn(io::Error) -> UnpackFault,
    write_error: impl Fn(io::Error) -> UnpackFault,
) -> Result<Sha256, UnpackFault> {
    let mut out = Sha256Writer::new(spool);
    out.write_all(head).map_err(&write_error)?;
    let mut buf = [0; 32 << 10];
    loop {
        match entries.read(&mut buf) {
            Ok(0) => return Ok(out.finish().1),
            Ok(n) => out.write_all(&buf[..n]).map_err(&write_error)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error)),
        }
    }
}

pub(super) fn write_error(path: &Path, bytes: u64) -> impl Fn(io::Error) -> UnpackFault + '_ {
    move |source| UnpackFault::Write { path: path.into(), bytes, source }
}

fn insert(nodes: &mut BTreeMap<RootPath, Found>, path: RootPath, found: Found) -> Result<(), UnpackFault> {
    match nodes.entry(path) {
        btree_map::Entry::Vacant(slot) => {
            slot.insert(found);
        }
        // As with dpkg, what is said last about a directory holds; `/lib/x` and `/usr/lib/x` may both be shipped.
        btree_map::Entry::Occupied(mut slot) => match (&slot.get().what, &found.what) {
            (What::Dir, What::Dir) => {
                slot.insert(found);
            }
            _ => return Err(UnpackFault::Twice(slot.key().clone())),
        },
    }
    Ok(())
}

/// Nothing may lie below what is no directory.
fn check_parents(nodes: &BTreeMap<RootPath, Found>) -> Result<(), UnpackFault> {
    let mut last: Option<&RootPath> = None;
    for (path, found) in nodes {
        // Sorted by components, so what lies below a path follows it at once.
        if let Some(above) = last.filter(|above| path.starts_with(above)) {
            return Err(UnpackFault::Below { path: path.clone(), above: above.clone() });
        }
        last = (!matches!(found.what, What::Dir)).then_some(path);
    }
    Ok(())
}

/// Decides over directories by what is left in them, and over links by what is left of their targets.
fn settle(nodes: &mut BTreeMap<RootPath, Found>) {
    if !nodes.values().any(|found| found.verdict == Verdict::Goes || found.gone) {
        return;
    }
    let leads = |(path, found): (&RootPath, &Found)| match &found.what {
        What::Symlink(target) if !found.gone && found.verdict != Verdict::Forced => {
            let to = merged(lead(&path.parent()?, target)?).ok()?;
            (nodes.contains_key(&to) && to != *path).then(|| (path.clone(), to))
        }
        _ => None,
    };
    let links: Vec<(RootPath, RootPath)> = nodes.iter().filter_map(leads).collect();
    let mut parents = HashSet::new();
    for path in nodes.keys() {
        mark_above(path, &mut parents);
    }
    for _ in 0..ROUNDS {
        settle_directories(nodes, &parents);
        let mut changed = false;
        for (path, to) in &links {
            let gone = nodes.get(to).is_some_and(|target| target.gone);
            if gone && let Some(link) = nodes.get_mut(path) {
                changed |= !link.gone;
                link.gone = true;
            }
        }
        if !changed {
            return;
        }
    }
    settle_directories(nodes, &parents);
}

/// A directory stays when something in it does, or when it was shipped empty and nothing matches it.
fn settle_directories(nodes: &mut BTreeMap<RootPath, Found>, parents: &HashSet<RootPath>) {
    let mut alive = HashSet::new();
    for (path, found) in nodes.iter_mut().rev() {
        if matches!(found.what, What::Dir) {
            let stays = match found.verdict {
                Verdict::Forced => true,
                Verdict::Stays => !parents.contains(path),
                Verdict::Goes => false,
            };
            found.gone = !stays && !alive.contains(path);
        }
        if !found.gone {
            mark_above(path, &mut alive);
        }
    }
}

fn mark_above(path: &RootPath, set: &mut HashSet<RootPath>) {
    let mut above = path.parent();
    while let Some(path) = above {
        above = path.parent();
        // Whoever put it here put all above it here too.
        if !set.insert(path) {
            return;
        }
    }
}

impl Survey {
    /// Nothing yet; large content will be kept in `scratch`.
    pub fn new(scratch: &Path) -> Self {
        let spool = SpooledTempFile::new_in(IN_MEMORY, scratch);
        Self { nodes: BTreeMap::new(), blobs: Vec::new(), spool }
    }

    /// Adds a regular file, whose content `write` gives; what a filter says of it was asked before.
    pub fn add_file<E: From<UnpackFault>>(
        &mut self,
        path: RootPath,
        meta: Meta,
        scratch: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = self.spool.stream_position().map_err(write_error(scratch, 0))?;
        let mut out = Sha256Writer::new(&mut self.spool);
        write(&mut out)?;
        let (_, sha256, size) = out.finish();
        let what = What::File(self.blobs.len());
        self.blobs.push(Blob { meta: meta.clone(), size, sha256, at: Some(at), head: Box::default() });
        insert(&mut self.nodes, path, Found { meta, what, verdict: Verdict::Stays, gone: false })?;
        Ok(())
    }

    /// Ends the adding of files.
    pub fn check(&self) -> Result<(), UnpackFault> {
        check_parents(&self.nodes)
    }

    /// A reader of a blob's content, from its first byte.
    pub fn open(&mut self, at: u64, size: u64) -> io::Result<io::Take<&mut SpooledTempFile>> {
        self.spool.seek(SeekFrom::Start(at))?;
        Ok((&mut self.spool).take(size))
    }
}
