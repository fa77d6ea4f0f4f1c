//! Outputs under a temporary name beside their own, so that each appears whole, by one rename, or not at all.
//!
//! In: the name an output shall have. Out: a file or directory to fill; `commit` gives it its name, dropping it without
//! removes it and leaves what was there before.

use std::{
    fs, io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags},
    io::Errno,
};
use tempfile::NamedTempFile;

use super::{ImageError, beneath};
use crate::base::{RootPath, aside};

/// A file on its way.
pub(super) struct StagedFile {
    temp: NamedTempFile,
    target: PathBuf,
}

impl StagedFile {
    /// Opens an empty file beside `target`.
    pub(super) fn new(target: &Path) -> Result<Self, ImageError> {
        if target.is_dir() {
            return Err(ImageError::WrongKind { path: target.into(), found: "a directory", wanted: "a file" });
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

    /// Gives it its name.
    pub(super) fn commit(self) -> Result<(), ImageError> {
        let Self { temp, target } = self;
        temp.persist(&target).map_err(|error| ImageError::at("replace", &target)(error.error))?;
        Ok(())
    }
}

/// A directory on its way.
pub(crate) struct StagedDir {
    /// Removed on drop.
    temp: PathBuf,
    _held: fs::File,
    target: PathBuf,
    replaces: bool,
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
        let made = aside::dir(aside::folder(&target));
        let (temp, held) = made.map_err(|error| ImageError::at("create", &target)(plain(&target, error)))?;
        Ok(Self { temp, _held: held, target, replaces })
    }

    /// The name that it will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where it is now.
    pub(crate) fn path(&self) -> &Path {
        &self.temp
    }

    /// Gives it its name, in one step also when a directory is there already; that one is removed afterwards. The
    /// notes say what could not be removed.
    pub(crate) fn commit(mut self) -> Result<Vec<String>, ImageError> {
        let flags = if self.replaces { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let rename = |from: &Path, to: &Path| rustix::fs::rename(from, to);
        let done = match rustix::fs::renameat_with(CWD, &self.temp, CWD, &self.target, flags) {
            // File systems without these flags (some network and layered ones): two steps, the first undone when
            // the second fails.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if self.replaces => {
                let aside = self.temp.with_extension("old");
                rename(&self.target, &aside)
                    .and_then(|()| {
                        rename(&self.temp, &self.target).inspect_err(|_| {
                            let _ = rename(&aside, &self.target);
                        })
                    })
                    .map(|()| self.temp = aside)
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename(&self.temp, &self.target),
            other => other,
        };
        match done {
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
            Ok(()) => Ok(match remove(&self.temp) {
                Ok(()) => Vec::new(),
                Err(error) => {
                    vec![format!(
                        "the previous content of {} is left in {}: {error}",
                        self.target.display(),
                        self.temp.display()
                    )]
                }
            }),
        }
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        let _ = remove(&self.temp);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = RootPath::parse(name.as_encoded_bytes()).map_err(io::Error::other)?;
    beneath::remove(beneath::open_root(aside::folder(path))?.as_fd(), &name)
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
        staged.commit().unwrap();
        assert_eq!((fs::read_to_string(&target).unwrap().as_str(), names(temp.path())), ("new", vec!["x.tar".into()]));
    }

    #[test]
    fn a_directory_is_replaced_as_a_whole_and_only_with_leave() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("rootfs");
        let stage = |ours: fn(&Path) -> bool, force| StagedDir::new(&target, ours, force);
        let write = |staged: &StagedDir, text: &str| fs::write(staged.path().join(text), text).unwrap();

        let staged = stage(|_| false, false).unwrap();
        write(&staged, "one");
        staged.commit().unwrap();
        assert_eq!((names(&target), names(temp.path())), (vec!["one".into()], vec!["rootfs".into()]));

        assert!(matches!(stage(|_| false, false), Err(ImageError::Occupied { .. })));
        write(&stage(|_| true, false).unwrap(), "dropped");
        assert_eq!((names(&target), names(temp.path())), (vec!["one".into()], vec!["rootfs".into()]));
        for (ours, force, name) in [((|_| true) as fn(&Path) -> bool, false, "two"), (|_| false, true, "three")] {
            let staged = stage(ours, force).unwrap();
            write(&staged, name);
            assert_eq!(staged.commit().unwrap(), [""; 0]);
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
