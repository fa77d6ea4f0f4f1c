//! Which directories compose has written as a rootfs: those it may replace without being told to.
//!
//! In: a directory that is about to get its name, later one that is in the way. Out: whether they are the same. The rootfs
//! itself cannot say it: another tool's may look just so, and what a rootfs holds is the manifest's alone to decide.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::Store;
use crate::base::{Sha256, aside};

/// Where they are noted, in the store.
pub(super) const FOLDER: &str = "outputs";

/// A note that was not renewed for so long is given up.
const STALE: Duration = Duration::from_secs(180 * 24 * 3600);

impl Store {
    /// Notes that the directory `made` is about to get the name `target`; what has it until then stays known. Where the note
    /// cannot be written, the next run has to be told that it may replace it.
    pub fn note_output(&self, target: &Path, made: &Metadata) {
        if let Some(note) = self.output_note(target) {
            let before = fs::symlink_metadata(target).ok().filter(|_| self.has_output(target));
            let text = before.iter().chain([made]).map(mark).collect::<String>();
            let _ = aside::keep(&note, text.as_bytes());
        }
    }

    /// Whether the directory at `target` is one that was noted, and nothing in it was added or changed since.
    pub fn has_output(&self, target: &Path) -> bool {
        let read = || -> io::Result<bool> {
            let note = self.output_note(target).ok_or(io::ErrorKind::NotFound)?;
            let (noted, since) = (fs::read_to_string(&note)?, fs::metadata(&note)?);
            let mark = mark(&fs::symlink_metadata(target)?);
            Ok(noted.split_inclusive('\n').any(|line| line == mark) && is_untouched(target, &since)?)
        };
        read().unwrap_or(false)
    }

    fn output_note(&self, target: &Path) -> Option<PathBuf> {
        let folder = fs::canonicalize(aside::folder(target)).ok()?;
        let path: OsString = folder.join(target.file_name()?).into();
        Some(self.root.join(FOLDER).join(Sha256::of(path.as_bytes()).hex()))
    }

    /// Takes away notes of outputs that nobody has made for long.
    pub(super) fn forget_outputs(&self) {
        let now = SystemTime::now();
        for entry in fs::read_dir(self.root.join(FOLDER)).into_iter().flatten().flatten() {
            let made = entry.metadata().and_then(|meta| meta.modified());
            if made.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since > STALE)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether everything below the directory is as it was when the note was written, which came last: a change of content, name,
/// mode or owner leaves the time on the inode, and nobody can set that back (inode(7), ctime). The directory's own is that of
/// its renaming.
fn is_untouched(target: &Path, note: &Metadata) -> io::Result<bool> {
    let time = |meta: &Metadata| (meta.ctime(), meta.ctime_nsec());
    let mut todo = vec![target.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if time(&meta) > time(note) {
                return Ok(false);
            }
            if meta.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    Ok(true)
}

/// What tells it from another one of that name. Not the device: its number need not be the same after the next start.
fn mark(meta: &Metadata) -> String {
    format!("{} {}.{:09}\n", meta.ino(), meta.mtime(), meta.mtime_nsec())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_by_its_name_and_as_it_was() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("cache")).unwrap();
        let (made, other) = (temp.path().join("rootfs"), temp.path().join("other"));
        for folder in [&made, &other] {
            fs::create_dir_all(folder.join("etc")).unwrap();
        }
        assert!(!store.has_output(&made));
        store.note_output(&made, &fs::metadata(&made).unwrap());
        assert!(store.has_output(&made) && store.has_output(&temp.path().join("other/../rootfs")));
        assert!(!store.has_output(&other));
        // However deep it is. The clock of inodes ticks every few milliseconds.
        std::thread::sleep(Duration::from_millis(50));
        fs::write(made.join("etc/mine"), "").unwrap();
        assert!(!store.has_output(&made), "somebody put something into it");
        store.note_output(&made, &fs::metadata(&made).unwrap());
        assert!(store.has_output(&made), "and that is what was written now");
        // The store may be another process's by now.
        assert!(Store::open(&temp.path().join("cache")).unwrap().has_output(&made));
        fs::rename(&made, temp.path().join("moved")).unwrap();
        assert!(!store.has_output(&made) && !store.has_output(&temp.path().join("moved")));
        fs::rename(temp.path().join("moved"), &made).unwrap();
        assert!(store.has_output(&made));
        // One that never got the name changes nothing.
        store.note_output(&made, &fs::metadata(&other).unwrap());
        assert!(store.has_output(&made));
        fs::rename(&made, temp.path().join("moved")).unwrap();
        fs::rename(&other, &made).unwrap();
        assert!(store.has_output(&made));
        std::thread::sleep(Duration::from_millis(50));
        fs::write(made.join("mine"), "").unwrap();
        assert!(!store.has_output(&made), "somebody put something into it");
    }

    #[test]
    fn a_note_is_kept_for_half_a_year() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("cache")).unwrap();
        let made = temp.path().join("rootfs");
        fs::create_dir(&made).unwrap();
        store.note_output(&made, &fs::metadata(&made).unwrap());
        store.collect(0).unwrap();
        assert!(store.has_output(&made));
        let note = fs::read_dir(temp.path().join("cache").join(FOLDER)).unwrap().next().unwrap().unwrap().path();
        fs::File::open(note).unwrap().set_modified(SystemTime::now() - STALE - Duration::from_secs(60)).unwrap();
        store.collect(0).unwrap();
        assert!(!store.has_output(&made));
    }
}
