//! A download in the making: a file in the store's temporary folder that one run at a time writes to, and that a
//! later run can go on with.
//!
//! In: the store and the digest wanted. Out: [`Download`]: verified bytes without a final name yet.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

use crate::{
    base::{Sha256, live::Watched},
    store::{Shelf, Store, StoreError},
};

/// Between two looks at another run's download.
const PAUSE: Duration = Duration::from_millis(20);

/// A file being downloaded, or whole and verified once [`super::Fetcher::download`] returns it.
#[derive(Debug)]
pub struct Download(Place);

#[derive(Debug)]
enum Place {
    /// The stable place, locked; stays when dropped, so that the next run can go on.
    Stable { path: PathBuf, file: File },
    /// Another run holds the stable place; gone when dropped.
    Own(Watched<NamedTempFile>),
}

impl Download {
    /// Opens the stable place for `key`; `None` while another run holds it.
    pub(super) fn open(store: &Store, key: &Sha256) -> Result<Option<Self>, StoreError> {
        let path = store.partial(key);
        // Another run may rename or remove the file between open and lock: then the lock is on something else.
        for _ in 0..8 {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(StoreError::at("open", &path))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Ok(None);
            }
            let mine = file.metadata().map_err(StoreError::at("read", &path))?;
            match fs::symlink_metadata(&path) {
                Ok(there) if (there.dev(), there.ino()) == (mine.dev(), mine.ino()) => {
                    return Ok(Some(Self(Place::Stable { path, file })));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Opens a place of its own.
    pub(super) fn own(store: &Store) -> Result<Self, StoreError> {
        store.temp().map(|temp| Self(Place::Own(temp)))
    }

    /// Waits for the stable place for `key`, until another run has made what `there` looks for (`Err`), or for too
    /// long: then it opens one of its own. Too long is `patience` without a byte more in the other's file.
    pub(super) fn wait<T>(
        store: &Store,
        key: &Sha256,
        patience: Duration,
        there: impl Fn() -> Option<T>,
    ) -> Result<Result<Self, T>, StoreError> {
        let size = || fs::metadata(store.partial(key)).map_or(0, |meta| meta.len());
        let (mut since, mut before) = (Instant::now(), size());
        loop {
            let mine = Self::open(store, key)?;
            // Looked for with the lock in hand: whoever held it before has renamed its file by now.
            if let Some(found) = there() {
                if let Some(mine) = mine {
                    mine.discard();
                }
                return Ok(Err(found));
            }
            if let Some(mine) = mine {
                return Ok(Ok(mine));
            }
            let now = size();
            if now != before {
                (since, before) = (Instant::now(), now);
            } else if since.elapsed() > patience {
                return Self::own(store).map(Ok);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The open file.
    pub(super) fn file(&mut self) -> &mut File {
        match &mut self.0 {
            Place::Stable { file, .. } => file,
            Place::Own(temp) => temp.as_file_mut(),
        }
    }

    /// Where it lies now.
    pub(super) fn path(&self) -> &Path {
        match &self.0 {
            Place::Stable { path, .. } => path,
            Place::Own(temp) => temp.path(),
        }
    }

    /// Gives it its final name in the store.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn keep(self, store: &Store, shelf: Shelf, key: &Sha256) -> Result<PathBuf, StoreError> {
        match self.0 {
            Place::Own(temp) => store.keep(shelf, key, temp),
            Place::Stable { path, file } => {
                let kept = store.adopt(shelf, key, &path)?;
                drop(file);
                Ok(kept)
            }
        }
    }

    /// The bytes, from the start.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&mut self) -> Result<&mut File, StoreError> {
        let path = self.path().to_owned();
        let file = self.file();
        file.seek(io::SeekFrom::Start(0)).map_err(StoreError::at("read", &path))?;
        Ok(file)
    }

    /// Removes it: its content went elsewhere.
    pub fn discard(self) {
        if let Place::Stable { path, .. } = &self.0 {
            // A file left behind costs space and nothing else.
            let _ = fs::remove_file(path);
        }
    }
}
