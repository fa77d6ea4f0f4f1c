//! Files and folders under a temporary name beside their own, until they are whole.
//!
//! In: the folder that something will appear in. Out: a new, empty file or folder there, held by a lock (flock(2)) for
//! as long as its maker lives. So what a killed run left is told from what another run is writing to, and the next run
//! in the same folder takes it away.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::BorrowedFd,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags, flock},
    io::Errno,
};
use tempfile::{Builder, NamedTempFile};

use super::{
    Sha256,
    live::{self, Watched},
};

/// What temporary names begin with: hidden, and short enough whatever the final name is. With so many letters and
/// digits after it, it is nobody's own file.
const PREFIX: &str = ".compose-tmp-";
const RANDOM: usize = 16;

/// How often a new name is tried when another run takes the file for a leftover before it is locked.
const TRIES: usize = 8;

/// Where the temporary name for `path` goes: renames only work within a file system.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in `folder` with these permissions as far as the umask lets them; gone when dropped.
///
/// # Errors
/// When it cannot be made.
pub fn file(folder: &Path, mode: u32) -> io::Result<Watched<NamedTempFile>> {
    let make = || Watched::file(|| builder().permissions(Permissions::from_mode(mode)).tempfile_in(folder));
    for _ in 1..TRIES {
        let temp = make()?;
        if is_held(temp.as_file(), || fs::symlink_metadata(temp.path()).map(|there| (there.dev(), there.ino()))) {
            return Ok(temp);
        }
    }
    make()
}

/// A new folder in `folder`, which is open as `parent`: mode 0700, the caller's to `remove`, held while the file lives,
/// which is the folder itself whatever comes to have its name.
///
/// # Errors
/// When it cannot be made.
pub fn dir(
    parent: BorrowedFd<'_>,
    folder: &Path,
    remove: fn(&Path) -> io::Result<()>,
) -> io::Result<Watched<(PathBuf, File)>> {
    let make = || {
        let make = || -> io::Result<(PathBuf, File)> {
            let made = builder().disable_cleanup(true).make_in(folder, |path| {
                let name = path.file_name().unwrap_or_default();
                rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?))
            })?;
            let (held, path) = made.into_parts();
            Ok((path.to_path_buf(), held))
        };
        Watched::new(make, |(path, _)| path, remove)
    };
    // In the folder itself, whatever has its path by now.
    let there = |path: &Path| {
        let stat = rustix::fs::statat(parent, path.file_name().unwrap_or_default(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((stat.st_dev, stat.st_ino))
    };
    for _ in 1..TRIES {
        match make() {
            Ok(made) if is_held(&made.1, || there(&made.0)) => return Ok(made),
            Err(error) if error.kind() != io::ErrorKind::NotFound || !folder.is_dir() => return Err(error),
            _ => {}
        }
    }
    make()
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM);
    builder
}

/// Locks a new file; whether it is still the one that is `there`. Where there are no locks, nobody takes it either.
fn is_held(file: &File, there: impl FnOnce() -> io::Result<(u64, u64)>) -> bool {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        // Another run has taken it for a leftover, and is about to remove it.
        Err(Errno::WOULDBLOCK) => return false,
        Err(_) => return true,
    }
    file.metadata().is_ok_and(|mine| there().is_ok_and(|there| there == (mine.dev(), mine.ino())))
}

/// Whether there is no room: on the disk, in a quota, or below the size that a file may have.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The failure of a write of so many bytes in all, which it says if there is no room for them.
pub fn needing(error: io::Error, bytes: u64) -> io::Error {
    if is_full(&error) { io::Error::new(error.kind(), format!("{error} (it needs {bytes} bytes)")) } else { error }
}

/// What killed runs left in `folder`; each is locked while its file lives, and to be removed.
pub fn abandoned(folder: &Path) -> Vec<(PathBuf, File)> {
    left(folder, b"")
}

/// What is called so while it makes room for a folder that is called `temp` until then; it had the name `target`.
pub fn put_aside(temp: &OsStr, target: &Path) -> OsString {
    let mut name = temp.to_owned();
    name.push(old(target));
    name
}

/// What runs that were killed just then had put aside to make room at `target`; each is locked while its file lives.
pub fn abandoned_aside(target: &Path) -> Vec<(PathBuf, File)> {
    left(folder(target), old(target).as_bytes())
}

/// The ending of what had the name of `target`. That may be as long as a name can be, so it is a digest.
fn old(target: &Path) -> String {
    let digest = Sha256::of(target.file_name().unwrap_or_default().as_encoded_bytes()).hex();
    format!(".old-{}", digest.get(..RANDOM).unwrap_or_default())
}

/// What nobody holds in `folder` that has a temporary name with this ending.
fn left(folder: &Path, ending: &[u8]) -> Vec<(PathBuf, File)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let random = name.as_encoded_bytes().strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_suffix(ending));
        let is_ours = |rest: &[u8]| rest.len() == RANDOM && rest.iter().all(u8::is_ascii_alphanumeric);
        let owner = entry.metadata().map(|meta| meta.uid());
        if !random.is_some_and(is_ours) || owner.ok() != Some(rustix::process::geteuid().as_raw()) {
            continue;
        }
        if let Ok(file) = held(&entry.path()) {
            out.push((entry.path(), file));
        }
    }
    out
}

/// Opens and locks a file or folder, unless somebody else has.
///
/// # Errors
/// When it cannot be opened, or is locked.
pub fn held(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Writes `text` to the file at `path`, whole, by rename. It counts among what is complete, should an end come.
///
/// # Errors
/// As the operating system says; an earlier file is then still there.
pub fn write(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    replace(path, text, mode, true)
}

/// The same of a file that is compose's own affair, such as in the cache.
///
/// # Errors
/// As of [`write`].
pub fn keep(path: &Path, text: &[u8]) -> io::Result<()> {
    replace(path, text, 0o666, false)
}

fn replace(path: &Path, text: &[u8], mode: u32, counts: bool) -> io::Result<()> {
    let folder = folder(path);
    for (leftover, _held) in abandoned(folder) {
        // Of folders others know more; what cannot be removed does no harm.
        let _ = fs::remove_file(leftover);
    }
    let needing = |error| needing(error, text.len() as u64);
    let mut temp = file(folder, mode).map_err(needing)?;
    io::Write::write_all(&mut temp, text).map_err(needing)?;
    live::commit(|done| {
        temp.persist(path).map_err(|error| error.error)?;
        if counts {
            done.push(path.into());
        }
        Ok(())
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn what_nobody_holds_is_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let found = || {
            let mut names: Vec<_> =
                abandoned(folder.path()).into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        let (file, held) = (
            file(folder.path(), 0o600).unwrap(),
            super::dir(File::open(folder.path()).unwrap().as_fd(), folder.path(), |path| fs::remove_dir(path)).unwrap(),
        );
        assert!(found().is_empty(), "both are held");
        let (leftover, temp) = (".compose-tmp-0123456789abcdEF", ".compose-tmp-aaaaaaaaaaaaaaaa");
        let old = put_aside(OsStr::new(temp), &at("rootfs"));
        for name in
            [".compose-backup", ".compose-tmp-0123456789abcdE", ".compose-tmp-0123456789abcdE.", ".compose-tmp-"]
        {
            fs::write(at(name), "somebody's own").unwrap();
        }
        fs::write(at(leftover), "").unwrap();
        std::os::unix::fs::symlink(leftover, at(".compose-tmp-linkedlinkedlink")).unwrap();
        fs::create_dir(folder.path().join(&old)).unwrap();
        assert_eq!(found(), [leftover]);
        // What was put aside is found by the name that it had.
        let aside = |name: &str| abandoned_aside(&at(name)).len();
        assert_eq!((aside("rootfs"), aside("root"), aside("other")), (1, 0, 0));
        let dir = held.0.clone();
        drop(held);
        assert_eq!(found().len(), 2);
        fs::remove_dir(dir).unwrap();
        drop(file);
        assert_eq!(found().len(), 1);
        write(&at("lock"), b"text", 0o644).unwrap();
        assert_eq!((found().len(), fs::read(at("lock")).unwrap()), (0, b"text".to_vec()));
        assert_eq!(aside("rootfs"), 1);
    }
}
