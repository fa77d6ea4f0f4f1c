//! Outputs under a temporary name beside their own, so that each appears whole, by one rename, or not at all.
//!
//! In: the name an output shall have. Out: a file or directory to fill; `commit` gives it its name, dropping it without
//! removes it and leaves what was there before.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use rustix::{fs::RenameFlags, io::Errno};
use tempfile::NamedTempFile;

use super::{ImageError, beneath};
use crate::base::{RootPath, aside, live::Watched};

/// A file on its way.
pub(super) struct StagedFile {
    temp: Watched<NamedTempFile>,
    target: PathBuf,
}

impl StagedFile {
    /// Opens an empty file beside `target`.
    pub(super) fn new(target: &Path) -> Result<Self, ImageError> {
        let found = match fs::metadata(target) {
            Ok(there) if there.is_dir() => Some("a directory"),
            Ok(there) if !there.is_file() => Some("a device, pipe or socket, which takes no image"),
            _ => None,
        };
        if let Some(found) = found {
            return Err(ImageError::WrongKind { path: target.into(), found, wanted: "a file" });
        }
        let temp = aside::file(aside::folder(target), 0o666)
            .map_err(|error| ImageError::at("create", target)(plain(target, error)))?;
        Ok(Self { temp, target: target.into() })
    }

    /// The name that it will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// What is written to.
    pub(super) fn file(&mut self) -> &mut fs::File {
        self.temp.as_file_mut()
    }

    /// Gives it its name, which `done` is told.
    pub(super) fn commit(self, done: &mut Vec<PathBuf>) -> Result<(), ImageError> {
        let Self { temp, target } = self;
        temp.persist(&target).map_err(|error| ImageError::at("replace", &target)(error.error))?;
        done.push(target);
        Ok(())
    }
}

/// A directory on its way.
///
/// It and the folder that it lies in are held open: whatever comes to have their names while it is filled, it is this
/// directory that gets its name there. Whoever may not look into the result may not look into it either: it is its
/// maker's alone until then.
pub(crate) struct StagedDir {
    parent: OwnedFd,
    /// Its name in `parent`; what has that is removed on drop.
    temp: OsString,
    dir: Watched<(PathBuf, fs::File)>,
    target: PathBuf,
    replaces: bool,
}

/// What a directory has replaced, if there was anything.
pub(crate) struct Replaced(StagedDir);

impl Replaced {
    /// Removes it; the notes say what could not be removed.
    pub(crate) fn remove(self) -> Vec<String> {
        let StagedDir { target, .. } = &self.0;
        let left = aside::folder(target).join(&self.0.temp);
        let note =
            |error| format!("the previous content of {} is left in {}: {error}", target.display(), left.display());
        self.0.remove().err().map(note).into_iter().collect()
    }
}

impl StagedDir {
    /// Creates an empty directory beside `target`, mode 0700.
    ///
    /// A directory that is there already, is not empty, and is not `ours`, is only replaced by `force`.
    pub(crate) fn new(target: &Path, ours: fn(&Path) -> bool, force: bool) -> Result<Self, ImageError> {
        // The directory itself is replaced, not a link to it; and `.` has no name to rename to.
        let target = match fs::canonicalize(target) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => target.components().collect(),
            Err(error) => return Err(ImageError::at("look at", target)(error)),
        };
        if target.file_name().is_none() {
            return Err(ImageError::WrongKind {
                path: target,
                found: "the root of a file system",
                wanted: "a directory output",
            });
        }
        let replaces = match fs::read_dir(&target) {
            Ok(mut entries) => {
                if !force && entries.next().is_some() && !ours(&target) {
                    return Err(ImageError::Occupied { path: target });
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(ImageError::WrongKind { path: target, found: "not a directory", wanted: "a directory" });
            }
            Err(error) => return Err(ImageError::at("look at", &target)(error)),
        };
        let folder = aside::folder(&target);
        let made = beneath::open_parent(folder).and_then(|parent| {
            let dir = aside::dir(parent.as_fd(), folder, remove)?;
            Ok((parent, dir))
        });
        let (parent, dir) = made.map_err(|error| ImageError::at("create", &target)(plain(&target, error)))?;
        let temp = dir.0.file_name().unwrap_or_default().to_owned();
        Ok(Self { parent, temp, dir, target, replaces })
    }

    /// The name that it will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.dir.1.as_fd()
    }

    /// Opens the directory at `path` in it.
    pub(crate) fn open(&self, path: &RootPath) -> io::Result<fs::File> {
        beneath::open_dir(self.root(), path).map(Into::into)
    }

    /// Creates the file at `path` in it, and the directories above that.
    pub(crate) fn create(&self, path: &RootPath) -> io::Result<fs::File> {
        beneath::create(self.root(), path)
    }

    /// Gives it its name, which `done` is told, in one step also when a directory is there already; that one is the
    /// caller's to remove.
    pub(crate) fn commit(mut self, done: &mut Vec<PathBuf>) -> Result<Replaced, ImageError> {
        let name = self.target.file_name().unwrap_or_default().to_owned();
        let flags = if self.replaces { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let rename = |from: &OsStr, to: &OsStr| rustix::fs::renameat(&self.parent, from, &self.parent, to);
        let renamed = match rustix::fs::renameat_with(&self.parent, &self.temp, &self.parent, &name, flags) {
            // File systems without these flags (some network and layered ones): two steps, the first undone when
            // the second fails.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if self.replaces => {
                let mut aside = self.temp.clone();
                aside.push(".old");
                rename(&name, &aside)
                    .and_then(|()| {
                        rename(&self.temp, &name).inspect_err(|_| {
                            let _ = rename(&aside, &name);
                        })
                    })
                    .map(|()| self.temp = aside)
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename(&self.temp, &name),
            other => other,
        };
        match renamed {
            Err(Errno::BUSY | Errno::XDEV) => Err(ImageError::WrongKind {
                path: self.target.clone(),
                found: "a mount point",
                wanted: "a directory output (name a directory inside it instead)",
            }),
            Err(Errno::EXIST) => {
                let words = "another run made it meanwhile; run again";
                Err(ImageError::at("create", &self.target)(io::Error::new(io::ErrorKind::AlreadyExists, words)))
            }
            Err(error) => Err(ImageError::at("replace", &self.target)(error.into())),
            Ok(()) => {
                done.push(self.target.clone());
                Ok(Replaced(self))
            }
        }
    }

    fn remove(&self) -> io::Result<()> {
        let name = RootPath::parse(self.temp.as_encoded_bytes()).map_err(io::Error::other)?;
        beneath::remove(self.parent.as_fd(), &name)
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = RootPath::parse(name.as_encoded_bytes()).map_err(io::Error::other)?;
    beneath::remove(beneath::open_parent(aside::folder(path))?.as_fd(), &name)
}

fn missing(parent: &Path) -> io::Error {
    let words = format!("the directory {} does not exist; make it first", parent.display());
    io::Error::new(io::ErrorKind::NotFound, words)
}

/// Whether the folder that `target` goes into is there.
pub(crate) fn has_parent(target: &Path) -> Result<(), ImageError> {
    let parent = aside::folder(target);
    if parent.exists() { Ok(()) } else { Err(ImageError::at("create", target)(missing(parent))) }
}

/// The error without the temporary name, which means nothing to a person.
fn plain(target: &Path, error: std::io::Error) -> std::io::Error {
    let parent = aside::folder(target);
    if error.kind() == std::io::ErrorKind::NotFound && !parent.is_dir() {
        return missing(parent);
    }
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match error.raw_os_error().or(source.and_then(std::io::Error::raw_os_error)) {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

/// Removes what killed runs left beside the output `target`; that they cannot be removed is no failure.
pub(crate) fn sweep(target: &Path) {
    for (leftover, _held) in aside::abandoned(aside::folder(target)) {
        let _ = remove(&leftover);
    }
}

/// Whether the non-empty directory at `path` is a rootfs that compose wrote, and nothing was added at its top since:
/// compose lists packages in `status.d`, where dpkg itself keeps one file `status`, and sets whole-second times.
pub(super) fn is_rootfs(path: &Path) -> bool {
    let dpkg = path.join("var/lib/dpkg");
    dpkg.join("status.d").is_dir()
        && dpkg.join("status").symlink_metadata().is_err()
        && path.metadata().is_ok_and(|meta| meta.mtime_nsec() == 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("x.tar");
        fs::write(&target, "old").unwrap();
        let mut staged = StagedFile::new(&target).unwrap();
        staged.file().write_all(b"half").unwrap();
        drop(staged);
        assert_eq!((fs::read_to_string(&target).unwrap().as_str(), names(temp.path())), ("old", vec!["x.tar".into()]));
        let mut staged = StagedFile::new(&target).unwrap();
        staged.file().write_all(b"new").unwrap();
        staged.commit(&mut Vec::new()).unwrap();
        assert_eq!((fs::read_to_string(&target).unwrap().as_str(), names(temp.path())), ("new", vec!["x.tar".into()]));
    }

    #[test]
    fn a_directory_is_replaced_as_a_whole_and_only_with_leave() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("rootfs");
        let stage = |ours: fn(&Path) -> bool, force| StagedDir::new(&target, ours, force);
        let write = |staged: &StagedDir, text: &'static str| {
            staged.create(&RootPath::literal(text)).unwrap().write_all(text.as_bytes()).unwrap()
        };

        let staged = stage(|_| false, false).unwrap();
        write(&staged, "one");
        assert_eq!(staged.commit(&mut Vec::new()).unwrap().remove(), [""; 0]);
        assert_eq!((names(&target), names(temp.path())), (vec!["one".into()], vec!["rootfs".into()]));

        assert!(matches!(stage(|_| false, false), Err(ImageError::Occupied { .. })));
        write(&stage(|_| true, false).unwrap(), "dropped");
        assert_eq!((names(&target), names(temp.path())), (vec!["one".into()], vec!["rootfs".into()]));
        for (ours, force, name) in [((|_| true) as fn(&Path) -> bool, false, "two"), (|_| false, true, "three")] {
            let staged = stage(ours, force).unwrap();
            write(&staged, name);
            assert_eq!(staged.commit(&mut Vec::new()).unwrap().remove(), [""; 0]);
            assert_eq!((names(&target), names(temp.path())), (vec![name.into()], vec!["rootfs".into()]));
        }
    }

    #[test]
    fn the_wrong_kind_in_the_way_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(StagedDir::new(&file, |_| true, true), Err(ImageError::WrongKind { .. })));
        assert!(matches!(StagedFile::new(temp.path()), Err(ImageError::WrongKind { .. })));
        assert!(matches!(StagedDir::new(Path::new("/"), |_| true, true), Err(ImageError::WrongKind { .. })));
        let nowhere = temp.path().join("missing/x");
        assert!(matches!(StagedFile::new(&nowhere), Err(ImageError::Io { .. })));
        assert!(matches!(StagedDir::new(&nowhere, |_| true, true), Err(ImageError::Io { .. })));
    }
}
