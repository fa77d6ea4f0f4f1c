//! Outputs under a temporary name beside their own, so that each appears whole, by one rename, or not at all.
//!
//! In: the name an output shall have. Out: a file or directory to fill; `commit` gives it its name, dropping it without
//! removes it and leaves what was there before.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{fs::RenameFlags, io::Errno};
use tempfile::NamedTempFile;

use super::ImageError;
use crate::base::{RootPath, aside, beneath, live::Watched};

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
    /// What had the name, held, while both are there.
    aside: Option<fs::File>,
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
    pub(crate) fn new(target: &Path, ours: impl FnOnce(&Path) -> bool, force: bool) -> Result<Self, ImageError> {
        // The directory itself is replaced, not a link to it; and `.` has no name to rename to.
        let target = match fs::canonicalize(target) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound && target.is_symlink() => {
                let found = "a link to a folder that does not exist";
                return Err(ImageError::WrongKind { path: target.into(), found, wanted: "a directory" });
            }
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
            let dir = aside::dir(parent.as_fd(), folder, beneath::remove_at)?;
            Ok((parent, dir))
        });
        let (parent, dir) = made.map_err(|error| ImageError::at("create", &target)(plain(&target, error)))?;
        let temp = dir.0.file_name().unwrap_or_default().to_owned();
        Ok(Self { parent, temp, dir, target, replaces, aside: None })
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

    /// What it is, before it has its name.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.dir.1.metadata()
    }

    /// Gives it its name, which `done` is told, in one step also when a directory is there already; that one is the
    /// caller's to remove.
    pub(crate) fn commit(mut self, done: &mut Vec<PathBuf>) -> Result<Replaced, ImageError> {
        let name = self.target.file_name().unwrap_or_default().to_owned();
        let flags = if self.replaces { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let renamed = match rustix::fs::renameat_with(&self.parent, &self.temp, &self.parent, &name, flags) {
            // File systems without these flags: some network and layered ones.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if self.replaces => self.in_two_steps(&name),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.rename(&self.temp, &name),
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

    fn rename(&self, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
        rustix::fs::renameat(&self.parent, from, &self.parent, to)
    }

    /// Takes the old directory's name, which is undone if it fails, and by [`sweep`] if the process is killed meanwhile.
    fn in_two_steps(&mut self, name: &OsStr) -> rustix::io::Result<()> {
        let old = self.make_room(name)?;
        self.rename(&self.temp, name).inspect_err(|_| {
            let _ = self.rename(&old, name);
        })?;
        self.temp = old;
        Ok(())
    }

    /// Gives what has the name another one, which it has until it is removed.
    fn make_room(&mut self, name: &OsStr) -> rustix::io::Result<OsString> {
        // No other run is to take it for something left behind. Where there are no locks, none does.
        self.aside = aside::held(&self.target).ok();
        let old = aside::put_aside(&self.temp, &self.target);
        self.rename(name, &old)?;
        Ok(old)
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

/// Removes what killed runs left beside the output `target`; that they cannot be removed is no failure. If one was killed
/// after the old output had lost its name and before the new one had it, the old one gets it back.
pub(crate) fn sweep(target: &Path) {
    for (leftover, _held) in aside::abandoned(aside::folder(target)) {
        let _ = beneath::remove_at(&leftover);
    }
    for (old, _held) in aside::abandoned_aside(target) {
        let is_there = fs::symlink_metadata(target).is_ok();
        let _ = if is_there { beneath::remove_at(&old) } else { fs::rename(&old, target) };
    }
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
    fn killed_between_two_steps_the_next_run_gives_the_name_back() {
        let temp = tempfile::tempdir().unwrap();
        let [target, other] = ["rootfs", "other"].map(|name| temp.path().join(name));
        let name = OsStr::new("rootfs");
        let put = |at: &Path, text: &str| fs::create_dir(at).and_then(|()| fs::write(at.join(text), "")).unwrap();
        for killed_after in 0..3 {
            put(&target, "old");
            let mut staged = StagedDir::new(&target, |_| true, false).unwrap();
            staged.create(&RootPath::literal("new")).unwrap();
            match killed_after {
                0 => {}
                1 => drop(staged.make_room(name).unwrap()),
                _ => staged.in_two_steps(name).unwrap(),
            }
            // What is held is another run's at work.
            let before = names(temp.path());
            sweep(&target);
            assert_eq!(names(temp.path()), before);
            // A killed process gives its locks back, and removes nothing.
            let (dir, aside) = (staged.dir.1.try_clone().unwrap(), staged.aside.take());
            std::mem::forget(staged);
            for file in [Some(dir), aside].into_iter().flatten() {
                rustix::fs::flock(&file, rustix::fs::FlockOperation::Unlock).unwrap();
            }
            sweep(&other);
            sweep(&target);
            assert_eq!(names(temp.path()), ["rootfs"], "{killed_after}");
            assert_eq!(names(&target), [if killed_after < 2 { "old" } else { "new" }]);
            fs::remove_dir_all(&target).unwrap();
        }
        // And when nobody is killed.
        put(&target, "old");
        let mut staged = StagedDir::new(&target, |_| true, false).unwrap();
        staged.create(&RootPath::literal("new")).unwrap();
        staged.in_two_steps(name).unwrap();
        assert_eq!(Replaced(staged).remove(), [""; 0]);
        assert_eq!((names(temp.path()), names(&target)), (vec!["rootfs".into()], vec!["new".into()]));
    }

    #[test]
    fn the_wrong_kind_in_the_way_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(StagedDir::new(&file, |_| true, true), Err(ImageError::WrongKind { .. })));
        assert!(matches!(StagedFile::new(temp.path()), Err(ImageError::WrongKind { .. })));
        assert!(matches!(StagedDir::new(Path::new("/"), |_| true, true), Err(ImageError::WrongKind { .. })));
        let link = temp.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(matches!(StagedDir::new(&link, |_| true, true), Err(ImageError::WrongKind { .. })));
        let nowhere = temp.path().join("missing/x");
        assert!(matches!(StagedFile::new(&nowhere), Err(ImageError::Io { .. })));
        assert!(matches!(StagedDir::new(&nowhere, |_| true, true), Err(ImageError::Io { .. })));
    }
}
