//! What a run has on disk and at work that nobody needs once it is over: temporary files and folders, and processes.
//!
//! In: each of them, as it is made. Out: [`end`], for a run that is interrupted: all of them are gone, and nothing is
//! made or gets its final name any more. What gets its name by [`commit`] does so before that or not at all, several
//! outputs together.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    ops::{Deref, DerefMut},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tempfile::{NamedTempFile, PersistError};

use super::beneath;

/// How often, and how long apart, a folder is removed that other threads are still writing to. Each finds soon that what
/// it writes to is gone.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);

type Remove = fn(&Path) -> io::Result<()>;

enum Thing {
    Path(PathBuf, Remove),
    /// Of a process and all that it started.
    Group(Pid),
}

struct Things {
    next: u64,
    all: BTreeMap<u64, Thing>,
}

static THINGS: Mutex<Things> = Mutex::new(Things { next: 0, all: BTreeMap::new() });

/// What has its final name, in order. Locked while anything gets it.
static DONE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes something, so that an end comes before it or finds it.
fn enter<T, E>(make: impl FnOnce() -> Result<T, E>, thing: impl FnOnce(&T) -> Option<Thing>) -> Result<(T, Watch), E> {
    let mut things = lock(&THINGS);
    let made = make()?;
    let number = things.next;
    things.next += 1;
    if let Some(thing) = thing(&made) {
        things.all.insert(number, thing);
    }
    Ok((made, Watch(number)))
}

/// As long as it is there, an end takes away what it stands for.
#[derive(Debug)]
pub struct Watch(u64);

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&THINGS).all.remove(&self.0);
    }
}

/// Something on disk that removes itself when dropped, and that an end takes away.
#[derive(Debug)]
pub struct Watched<T> {
    thing: T,
    watch: Watch,
}

impl<T> Watched<T> {
    /// What `make` makes at `path`, which `remove` removes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn new(
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
        remove: Remove,
    ) -> io::Result<Self> {
        let (thing, watch) = enter(make, |made| Some(Thing::Path(path(made).into(), remove)))?;
        Ok(Self { thing, watch })
    }
}

impl Watched<NamedTempFile> {
    /// A file.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn file(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<Self> {
        Self::new(make, NamedTempFile::path, |path| fs::remove_file(path))
    }

    /// Gives it its final name.
    ///
    /// # Errors
    /// As the operating system says; it is then gone.
    pub fn persist(self, path: &Path) -> Result<fs::File, PersistError> {
        let Self { thing, watch } = self;
        let done = thing.persist(path);
        drop(watch);
        done
    }
}

/// A folder that goes with all that is in it when dropped, however deep that is.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = beneath::remove_at(&self.0);
    }
}

impl Watched<Folder> {
    /// A folder in `folder`, mode 0700.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder_in(folder: &Path) -> io::Result<Self> {
        let make = || Ok(Folder(tempfile::tempdir_in(folder)?.keep()));
        Self::new(make, Folder::path, beneath::remove_at)
    }
}

impl<T> Deref for Watched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T> DerefMut for Watched<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.thing
    }
}

impl<T: Write> Write for Watched<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.thing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.thing.flush()
    }
}

/// Starts a process in a group of its own: what is typed at the terminal does not reach it, an end kills it.
///
/// # Errors
/// As [`Command::spawn`].
pub fn spawn(command: &mut Command) -> io::Result<(Child, Watch)> {
    command.process_group(0);
    enter(|| command.spawn(), |child| i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(Thing::Group))
}

/// The same with a process that is asked nothing, until it is done.
///
/// # Errors
/// As [`Command::output`].
pub fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, _watch) = spawn(command)?;
    child.wait_with_output()
}

/// Gives final names; `finish` says of each that has its own. An end comes before or after all of it: it is to be short.
pub fn commit<T>(finish: impl FnOnce(&mut Vec<PathBuf>) -> T) -> T {
    finish(&mut lock(&DONE))
}

/// Returns unless there is an end, and waits for that if there is one.
pub fn go_on() {
    drop(lock(&DONE));
}

/// Takes away everything that is watched. Whoever wants to make or name anything afterwards waits for ever, so the process
/// is to exit. What has its final name comes back.
pub fn end() -> Vec<PathBuf> {
    let mut done = lock(&DONE);
    let mut things = lock(&THINGS);
    let (groups, paths): (Vec<_>, Vec<_>) =
        std::mem::take(&mut things.all).into_values().partition(|thing| matches!(thing, Thing::Group(_)));
    for thing in groups.into_iter().chain(paths) {
        match thing {
            Thing::Group(group) => {
                // That it is gone already is what is wanted.
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            Thing::Path(path, remove) => {
                // Whose thread removes it at the same time finds parts of it gone, and so may this one.
                let is_gone = |_: &u32| {
                    let _ = remove(&path);
                    fs::symlink_metadata(&path).is_err()
                };
                (0..TRIES).take_while(|n| !is_gone(n)).for_each(|_| thread::sleep(PAUSE));
            }
        }
    }
    let named = std::mem::take(&mut *done);
    // Neither is given back.
    std::mem::forget((done, things));
    named
}
