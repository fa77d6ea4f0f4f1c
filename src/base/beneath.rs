//! Opening and removing below a directory that is held open: no symbolic link, mount point or `..` leads out of it.
//!
//! In: a directory's file descriptor, a path below it. Out: a file descriptor, or everything there removed.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{RootPath, aside};

/// A file that nobody else has made.
pub const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory by its path on this machine.
pub fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?)
}

/// Opens the folder that something is to be made in by its path, which may lead through links.
pub fn open_parent(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?)
}

/// Opens the directory at `path` below `root`. Every component must be a true directory on the same mount.
pub fn open_dir(root: BorrowedFd<'_>, path: &RootPath) -> io::Result<OwnedFd> {
    if path.is_root() {
        return Ok(rustix::fs::openat(root, ".", DIRECTORY, Mode::empty())?);
    }
    match open_part(root, path.as_path()) {
        Err(Errno::NOSYS | Errno::PERM) => walk(root, path),
        other => Ok(other?),
    }
}

fn open_part(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve =
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(root, path, DIRECTORY, Mode::empty(), resolve)
}

/// For kernels before 5.6 and sandboxes without `openat2`: one component after the other.
fn walk(root: BorrowedFd<'_>, path: &RootPath) -> io::Result<OwnedFd> {
    let device = rustix::fs::fstat(root)?.st_dev;
    let mut at = rustix::fs::openat(root, ".", DIRECTORY, Mode::empty())?;
    for part in path.components() {
        at = rustix::fs::openat(&at, part, DIRECTORY, Mode::empty())?;
        if rustix::fs::fstat(&at)?.st_dev != device {
            return Err(Errno::XDEV.into());
        }
    }
    Ok(at)
}

/// Creates the file at `path` below `root`, and the directories that it lies in where they are missing.
pub fn create(root: BorrowedFd<'_>, path: &RootPath) -> io::Result<File> {
    let folder = path.parent().unwrap_or_else(RootPath::root);
    let mut above = RootPath::root();
    for part in folder.components() {
        let parent = open_dir(root, &above)?;
        above = above.join(part).map_err(io::Error::other)?;
        match rustix::fs::mkdirat(&parent, part, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
    Ok(rustix::fs::openat(open_dir(root, &folder)?, path.file_name(), NEW_FILE, mode)?.into())
}

/// Removes the file, or the directory with all that is in it, called `name` in `parent`. Nothing on another mount is
/// touched: a file system that someone mounted into a rootfs survives it, and an error says so.
///
/// However deep it is, two directories are open at a time.
///
/// # Errors
/// As the operating system says, or when a directory that is being emptied is moved elsewhere.
pub fn remove(parent: BorrowedFd<'_>, name: &RootPath) -> io::Result<()> {
    let Some(mut at) = unlink_or_open(parent, name)? else { return Ok(()) };
    let mut above = vec![Emptied { id: id(parent)?, name: name.clone(), left: Vec::new() }];
    let mut left = names(&at)?;
    loop {
        if let Some(next) = left.pop() {
            if let Some(below) = unlink_or_open(at.as_fd(), &next)? {
                above.push(Emptied { id: id(at.as_fd())?, name: next, left });
                left = names(&below)?;
                at = below;
            }
            continue;
        }
        let Some(emptied) = above.pop() else { return Ok(()) };
        if above.is_empty() {
            return Ok(rustix::fs::unlinkat(parent, emptied.name.as_bytes(), AtFlags::REMOVEDIR)?);
        }
        let up = rustix::fs::openat(&at, "..", DIRECTORY, Mode::empty())?;
        if id(up.as_fd())? != emptied.id {
            return Err(io::Error::other("a directory was moved while it was removed"));
        }
        rustix::fs::unlinkat(&up, emptied.name.as_bytes(), AtFlags::REMOVEDIR)?;
        (at, left) = (up, emptied.left);
    }
}

/// The same of what is at a path on this machine, which may lead through links to the folder that it lies in.
///
/// # Errors
/// As of [`remove`].
pub fn remove_at(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = RootPath::parse(name.as_encoded_bytes()).map_err(io::Error::other)?;
    remove(open_parent(aside::folder(path))?.as_fd(), &name)
}

/// A directory in which one is being emptied.
struct Emptied {
    id: (u64, u64),
    /// What is being emptied.
    name: RootPath,
    /// What else is in it.
    left: Vec<RootPath>,
}

fn id(dir: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(dir)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Removes what is no directory; a directory is opened, to be emptied.
fn unlink_or_open(parent: BorrowedFd<'_>, name: &RootPath) -> io::Result<Option<OwnedFd>> {
    let raw = name.as_bytes();
    match rustix::fs::unlinkat(parent, raw, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(None),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let dir = match open_dir(parent, name) {
        // A directory of ours that its mode keeps its owner out of.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            rustix::fs::chmodat(parent, raw, Mode::RWXU, AtFlags::empty())?;
            open_dir(parent, name)?
        }
        other => other?,
    };
    // Entries can only go from a directory that may be written; root may anyhow.
    let _ = rustix::fs::fchmod(&dir, Mode::RWXU);
    Ok(Some(dir))
}

fn names(dir: &OwnedFd) -> io::Result<Vec<RootPath>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(RootPath::parse(entry.file_name().to_bytes()).map_err(io::Error::other)?);
        }
    }
    Ok(names)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn no_link_is_followed_whichever_way_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("a/b")).unwrap();
        symlink("a", temp.path().join("link")).unwrap();
        symlink("/", temp.path().join("a/out")).unwrap();
        let root = open_root(temp.path()).unwrap();
        for (path, fine) in [("", true), ("a/b", true), ("a", true), ("link/b", false), ("a/out", false), ("no", false)]
        {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            assert_eq!(open_dir(root.as_fd(), &path).is_ok(), fine, "{path}");
            assert_eq!(walk(root.as_fd(), &path).is_ok(), fine, "{path}, by steps");
        }
    }

    #[test]
    fn nor_one_that_comes_meanwhile() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for folder in ["root/a/b", "canary/b"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let root = open_root(&at("root")).unwrap();
        let path = RootPath::literal("a/b");
        let inside = open_dir(root.as_fd(), &path).and_then(|dir| Ok(rustix::fs::fstat(dir)?.st_ino)).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::rename(at("root/a"), at("root/away")).unwrap();
                    symlink(at("canary"), at("root/a")).unwrap();
                    fs::remove_file(at("root/a")).unwrap();
                    fs::rename(at("root/away"), at("root/a")).unwrap();
                }
            });
            let mut refused = 0;
            for i in 0..20_000 {
                let opened = if i % 2 == 0 { open_dir(root.as_fd(), &path) } else { walk(root.as_fd(), &path) };
                match opened {
                    Ok(dir) => assert_eq!(rustix::fs::fstat(dir).unwrap().st_ino, inside),
                    Err(_) => refused += 1,
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(refused > 0);
        });
    }

    #[test]
    fn removes_everything_but_what_links_lead_to() {
        let temp = tempfile::tempdir().unwrap();
        let (gone, stays) = (temp.path().join("gone"), temp.path().join("stays"));
        fs::create_dir_all(gone.join("a/b")).unwrap();
        fs::create_dir(&stays).unwrap();
        fs::write(stays.join("file"), "x").unwrap();
        symlink(&stays, gone.join("a/link")).unwrap();
        fs::set_permissions(gone.join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let root = open_root(temp.path()).unwrap();
        remove(root.as_fd(), &RootPath::literal("gone")).unwrap();
        assert!(!gone.exists() && stays.join("file").exists());
        remove(root.as_fd(), &RootPath::literal("gone")).unwrap();
    }

    /// A path of 4,095 bytes leads 2,048 levels down, further than most processes may have files open; what is deeper was
    /// made by moving.
    #[test]
    fn however_deep_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let root = open_root(temp.path()).unwrap();
        let mut at = root.try_clone().unwrap();
        for _ in 0..3_000 {
            for name in ["d", "e"] {
                rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
            }
            at = rustix::fs::openat(&at, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        remove_at(&temp.path().join("d")).unwrap();
        let left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["e"]);
    }
}
