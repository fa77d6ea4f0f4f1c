//! A tree as a directory on this machine.
//!
//! In: a tree, an empty directory. Out: the directory filled, with exact modes (whatever the umask), times, links, and
//! owners and extended attributes as far as the user running this may set them; notes say what was not possible.
//!
//! Everything is placed relative to open directories ([`beneath`]), so nothing that is written can redirect what is
//! written next. Directories come first and get their modes and times last.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::Mutex,
};

use rayon::prelude::*;
use rustix::{
    fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags},
    io::Errno,
};

use super::ImageError;
use crate::{
    base::{Progress, RootPath, Sha256Writer, beneath},
    tree::{Content, Kind, Meta, Node, Tree},
};

/// Content is copied in parts of this many bytes.
const PART: usize = 1 << 20;

/// An upper bound of what the directory takes on disk, in bytes: content in pages, a page for each path.
pub(super) fn needed(tree: &Tree) -> u64 {
    const PAGE: u64 = 4096;
    tree.iter().map(|(_, node)| PAGE + content_len(node).next_multiple_of(PAGE)).sum()
}

/// The bytes of content in all files.
pub(super) fn bytes(tree: &Tree) -> u64 {
    tree.iter().map(|(_, node)| content_len(node)).sum()
}

fn content_len(node: &Node) -> u64 {
    if let Kind::File(content) = &node.kind { content.len() } else { 0 }
}

/// Fills the empty directory `at` with a tree that is of use on this machine alone: what of its metadata cannot be set is
/// not told.
///
/// # Errors
/// When it cannot be written, or content not be read.
pub fn lay_out(tree: &Tree, at: &Path, progress: &dyn Progress) -> Result<(), ImageError> {
    let root = beneath::open_root(at).map_err(ImageError::at("open", at))?;
    fill(tree, root.as_fd(), at, progress).map(drop).map_err(|error| error.needing(at, needed(tree)))
}

/// Fills the empty directory that is open as `root`; errors call it `shown`. Returns notes.
pub(super) fn fill(
    tree: &Tree,
    root: BorrowedFd<'_>,
    shown: &Path,
    progress: &dyn Progress,
) -> Result<Vec<String>, ImageError> {
    let writer = Writer { root, shown, lost: Mutex::default(), progress };

    let mut groups: BTreeMap<RootPath, Vec<(&RootPath, &Node)>> = BTreeMap::new();
    let mut links = Vec::new();
    for (path, node) in tree.iter() {
        let Some(parent) = path.parent() else { continue };
        match &node.kind {
            Kind::Dir => writer.make_dir(&parent, path)?,
            Kind::Hardlink(target) => links.push((parent, path, target)),
            Kind::File(_) | Kind::Symlink(_) => groups.entry(parent).or_default().push((path, node)),
        }
    }
    groups.par_iter().try_for_each(|(parent, nodes)| {
        let dir = writer.open(parent)?;
        nodes.iter().try_for_each(|(path, node)| writer.place(dir.as_fd(), path, node))
    })?;
    for (parent, path, target) in links {
        writer.hard_link(&parent, path, target)?;
    }
    let dirs: Vec<_> = tree.iter().filter(|(_, node)| matches!(node.kind, Kind::Dir)).collect();
    for (path, node) in dirs.into_iter().rev() {
        let dir = writer.open(path)?;
        writer.describe(dir.as_fd(), path, &node.meta)?;
    }
    let lost = writer.lost.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(lost.into_iter().map(|(what, lost)| lost.note(what, shown)).collect())
}

struct Writer<'a> {
    root: BorrowedFd<'a>,
    shown: &'a Path,
    lost: Mutex<BTreeMap<&'static str, Lost>>,
    progress: &'a dyn Progress,
}

/// Something that could not be set: how often, where first (by path), and why.
struct Lost {
    count: usize,
    first: RootPath,
    error: Errno,
}

impl Lost {
    fn note(&self, what: &str, shown: &Path) -> String {
        let Self { count, first, error } = self;
        let paths = if *count == 1 { "path" } else { "paths" };
        format!(
            "{}: {what} of {count} {paths} could not be set, {first} for one ({error}); tar and OCI outputs hold them",
            shown.display()
        )
    }
}

impl Writer<'_> {
    fn fail(&self, action: &'static str, path: &RootPath) -> impl FnOnce(Errno) -> ImageError {
        let path = self.shown.join(path.as_path());
        move |error| ImageError::Io { action, path, source: error.into() }
    }

    fn open(&self, path: &RootPath) -> Result<OwnedFd, ImageError> {
        let shown = self.shown.join(path.as_path());
        beneath::open_dir(self.root, path).map_err(ImageError::at("open", &shown))
    }

    fn make_dir(&self, parent: &RootPath, path: &RootPath) -> Result<(), ImageError> {
        let parent = self.open(parent)?;
        rustix::fs::mkdirat(&parent, path.file_name(), Mode::RWXU).map_err(self.fail("create", path))
    }

    fn place(&self, dir: BorrowedFd<'_>, path: &RootPath, node: &Node) -> Result<(), ImageError> {
        let name = path.file_name();
        match &node.kind {
            Kind::File(content) => {
                let file = rustix::fs::openat(dir, name, beneath::NEW_FILE, Mode::RUSR | Mode::WUSR);
                let mut file = std::fs::File::from(file.map_err(self.fail("create", path))?);
                self.copy(content, &mut file, path)?;
                self.describe(file.as_fd(), path, &node.meta)
            }
            Kind::Symlink(target) => {
                let fail = || self.fail("create the link", path);
                rustix::fs::symlinkat(&**target, dir, name).map_err(fail())?;
                let (uid, gid) = owner(&node.meta);
                let own = rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW);
                self.owned(own, path, || rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW), &node.meta);
                rustix::fs::utimensat(dir, name, &times(&node.meta), AtFlags::SYMLINK_NOFOLLOW).map_err(fail())
            }
            // Both have their own turn, before and after.
            Kind::Dir | Kind::Hardlink(_) => Ok(()),
        }
    }

    fn copy(&self, content: &Content, file: &mut std::fs::File, path: &RootPath) -> Result<(), ImageError> {
        // A file of this machine may have changed since it was taken into the tree.
        let may_change = matches!(content, Content::Segment { file, .. } if file.key().is_none());
        let mut hash = Sha256Writer::new(io::sink());
        let mut offset = 0;
        while offset < content.len() {
            let part = content
                .read_part(offset, PART)
                .map_err(|source| ImageError::Segment { what: path.to_string(), source })?;
            let shown = self.shown.join(path.as_path());
            file.write_all(&part).map_err(ImageError::at("write", &shown))?;
            if may_change {
                hash.write_all(&part).map_err(ImageError::at("write", &shown))?;
            }
            offset += part.len() as u64;
            self.progress.advance(part.len() as u64);
        }
        let unread = |source| ImageError::Segment { what: path.to_string(), source };
        if may_change && hash.finish().1 != content.sha256().map_err(unread)? {
            return Err(ImageError::Changed);
        }
        Ok(())
    }

    fn hard_link(&self, parent: &RootPath, path: &RootPath, target: &RootPath) -> Result<(), ImageError> {
        let from = self.open(&target.parent().unwrap_or_else(RootPath::root))?;
        let to = self.open(parent)?;
        rustix::fs::linkat(&from, target.file_name(), &to, path.file_name(), AtFlags::empty())
            .map_err(self.fail("create the hard link", path))
    }

    /// Owner first, as changing it clears set-id bits and capabilities; the time last, as all else changes it.
    fn describe(&self, fd: BorrowedFd<'_>, path: &RootPath, meta: &Meta) -> Result<(), ImageError> {
        let (uid, gid) = owner(meta);
        self.owned(rustix::fs::fchown(fd, uid, gid), path, || rustix::fs::fstat(fd), meta);
        for (name, value) in &meta.xattrs {
            if let Err(error) = rustix::fs::fsetxattr(fd, &**name, value, XattrFlags::empty()) {
                self.lose("extended attributes", path, error);
            }
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(meta.mode & 0o7777)).map_err(self.fail("set the mode of", path))?;
        rustix::fs::futimens(fd, &times(meta)).map_err(self.fail("set the time of", path))
    }

    /// Notes a change of owner that failed, unless the owner is right already.
    fn owned(
        &self,
        done: rustix::io::Result<()>,
        path: &RootPath,
        stat: impl Fn() -> rustix::io::Result<rustix::fs::Stat>,
        meta: &Meta,
    ) {
        if let Err(error) = done
            && !stat().is_ok_and(|stat| (stat.st_uid, stat.st_gid) == (meta.uid, meta.gid))
        {
            self.lose("the owner", path, error);
        }
    }

    fn lose(&self, what: &'static str, path: &RootPath, error: Errno) {
        let mut lost = self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let entry = lost.entry(what).or_insert_with(|| Lost { count: 0, first: path.clone(), error });
        entry.count += 1;
        if *path < entry.first {
            (entry.first, entry.error) = (path.clone(), error);
        }
    }
}

/// Numbers that mean "leave as it is" to the kernel (the highest) are left as they are.
fn owner(meta: &Meta) -> (Option<Uid>, Option<Gid>) {
    let known = |id: u32| (id != u32::MAX).then_some(id);
    (known(meta.uid).map(Uid::from_raw), known(meta.gid).map(Gid::from_raw))
}

fn times(meta: &Meta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;
    use crate::{
        base::{Sha256, Silent},
        image::testing::{self, Seen},
    };

    /// What is in `dir`, hard links told by their inode; owners as the files have them.
    pub(in crate::image) fn dir_listing(dir: &Path) -> Vec<(RootPath, Seen)> {
        let mut paths = vec![RootPath::root()];
        let mut i = 0;
        while i < paths.len() {
            let at = dir.join(paths[i].as_path());
            if at.symlink_metadata().unwrap().is_dir() {
                for entry in fs::read_dir(&at).unwrap() {
                    paths.push(paths[i].join(entry.unwrap().file_name().as_encoded_bytes()).unwrap());
                }
            }
            i += 1;
        }
        paths.sort();
        let mut inodes = BTreeMap::new();
        let mut out = Vec::new();
        for path in paths.into_iter().filter(|path| !path.is_root()) {
            let at = dir.join(path.as_path());
            let meta = at.symlink_metadata().unwrap();
            assert_eq!(meta.mtime_nsec(), 0, "{path}");
            let first = inodes.entry(meta.ino()).or_insert_with(|| path.clone());
            let (kind, detail) = if meta.is_dir() {
                ('d', String::new())
            } else if meta.is_symlink() {
                ('l', fs::read_link(&at).unwrap().to_string_lossy().into_owned())
            } else if *first == path {
                ('f', Sha256::of(&fs::read(&at).unwrap()).hex())
            } else {
                ('h', first.to_string())
            };
            let owner = (u64::from(meta.uid()), u64::from(meta.gid()));
            out.push((path, Seen { kind, mode: meta.mode() & 0o7777, owner, mtime: meta.mtime(), detail }));
        }
        out
    }

    #[test]
    fn a_directory_holds_the_tree() {
        let (mut tree, _keep) = testing::tree();
        tree.get_mut(&RootPath::root()).unwrap().meta.mode = 0o751;
        let temp = tempfile::tempdir().unwrap();
        let notes =
            fill(&tree, beneath::open_root(temp.path()).unwrap().as_fd(), Path::new("rootfs"), &Silent).unwrap();
        let mut want = testing::listing(&tree);
        let root = rustix::process::geteuid().is_root();
        if !root {
            assert!(notes.iter().any(|note| note.contains("the owner of")), "{notes:?}");
            let own = temp.path().metadata().unwrap();
            for (_, seen) in &mut want {
                seen.owner = (own.uid().into(), own.gid().into());
            }
        }
        assert_eq!(dir_listing(temp.path()), want);
        let top = temp.path().metadata().unwrap();
        assert_eq!((top.mode() & 0o7777, top.mtime(), top.mtime_nsec()), (0o751, testing::EPOCH, 0));
        let mut value = [0; 10];
        match rustix::fs::getxattr(temp.path().join("usr/bin/tool"), "user.note", &mut value) {
            Ok(n) => assert_eq!(&value[..n], b"x"),
            Err(error) => assert!(notes.iter().any(|note| note.contains("extended attributes")), "{error}"),
        }
    }

    #[test]
    fn failures_name_the_path() {
        let (tree, _keep) = testing::tree();
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("etc")).unwrap();
        let error = fill(&tree, beneath::open_root(temp.path()).unwrap().as_fd(), Path::new("out/rootfs"), &Silent)
            .unwrap_err();
        insta::assert_snapshot!(error, @"cannot create out/rootfs/etc");
    }

    #[test]
    fn an_owner_that_is_refused_is_a_note() {
        let lost = Lost { count: 2, first: RootPath::literal("a/b"), error: Errno::PERM };
        insta::assert_snapshot!(lost.note("the owner", Path::new("rootfs")), @"rootfs: the owner of 2 paths could not be set, /a/b for one (Operation not permitted (os error 1)); tar and OCI outputs hold them");
    }
}
