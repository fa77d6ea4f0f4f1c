//! The content-addressed store below `$COMPOSE_CACHE`: what was downloaded and verified or made from that, each by a
//! SHA-256 that decides over its bytes.
//!
//! In: whole, verified bytes. Out: paths of entries. They appear by rename, so a reader sees all of one or nothing,
//! however many runs share the store and whenever one is killed. A run holds the store's lock for as long as it lives,
//! shared with other runs; nothing sound is removed but by who holds it alone.

mod lock;
mod outputs;
mod upkeep;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use lock::Lock;
use tempfile::NamedTempFile;
pub use upkeep::{Holding, Removed};

use crate::base::{
    Sha256,
    aside::needing,
    live::{Folder, Watched},
    refusal::{self, Refusal, Refuses},
};

/// What kind of thing an entry is: the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// `.deb` files by their own digest.
    Debs,
    /// Wheels and tarballs that were downloaded, by their own digest.
    Sources,
    /// What is kept of Packages and Contents indexes, by [`crate::archive`]'s keys.
    Indexes,
    /// Unpacked, filtered packages, wheels and tarballs, by [`crate::unpack`]'s key.
    Segments,
    /// Compressed parts of layers, by the key that [`crate::image`] gives them.
    Packs,
    /// Compiled Python modules, by the key that [`crate::build::bytecode`] gives them.
    Bytecode,
    /// Data of vulnerabilities, by the key that [`crate::advisory`] gives them.
    Advisories,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Debs, Self::Sources, Self::Indexes, Self::Segments, Self::Packs, Self::Bytecode, Self::Advisories];

    /// Its folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Debs => "debs",
            Self::Sources => "sources",
            Self::Indexes => "indexes",
            Self::Segments => "segments",
            Self::Packs => "packs",
            Self::Bytecode => "bytecode",
            Self::Advisories => "advisories",
        }
    }
}

/// How much later than its last use an entry is marked as used again.
const HOUR: Duration = Duration::from_secs(3600);

/// Tells a file from another that was put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u64, u64, i64, i64);

/// A store on disk, in use: clones share its lock, which the last of them gives back.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    lock: Arc<Lock>,
    /// Whether anything was added.
    grew: Arc<AtomicBool>,
    /// What this run wanted to use and found damaged.
    damaged: Arc<Mutex<BTreeMap<(Shelf, Sha256), String>>>,
}

/// A failure of the store, with the path that it happened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct StoreError {
    /// What was tried, as a verb: "create", "write".
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Refuses for StoreError {
    fn refusal(&self) -> &'static Refusal {
        refusal::of_cache(&self.source)
    }
}

impl StoreError {
    /// For `map_err`.
    pub fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.into(), source }
    }

    /// For `map_err` of a write of `bytes` in all, which a full disk's error says.
    pub fn writing<'a>(path: &'a Path, bytes: u64) -> impl FnOnce(io::Error) -> Self + 'a {
        move |error| Self { action: "write", path: path.into(), source: needing(error, bytes) }
    }
}

impl Store {
    /// Opens the store at `root`, creating it if needed. If no other run uses it, what killed runs left in its
    /// temporary folder is swept away; downloads that can be resumed stay for some days.
    ///
    /// # Errors
    /// When the folders cannot be created.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in Shelf::ALL.map(Shelf::folder).iter().chain(&["suites", "tmp", outputs::FOLDER]) {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(StoreError::at("create", &path))?;
        }
        let lock = Lock::open(&root.join("lock"))?;
        let store = Self { root: root.into(), lock: Arc::new(lock), grew: Arc::default(), damaged: Arc::default() };
        if store.lock.alone() {
            store.sweep(upkeep::STALE);
        }
        store.lock.share();
        Ok(store)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this run has added anything.
    pub fn grew(&self) -> bool {
        self.grew.load(Ordering::Relaxed)
    }

    /// Where the entry is or would be.
    pub fn path(&self, shelf: Shelf, key: &Sha256) -> PathBuf {
        self.root.join(shelf.folder()).join(key.hex())
    }

    /// The entry's path, if it is there.
    pub fn get(&self, shelf: Shelf, key: &Sha256) -> Option<PathBuf> {
        let path = self.path(shelf, key);
        let meta = path.metadata().ok().filter(fs::Metadata::is_file)?;
        // What is removed first is what was not used for longest. That a mark cannot be set does no harm.
        let now = SystemTime::now();
        if meta.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|since| since > HOUR)) {
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(now));
        }
        Some(path)
    }

    /// Remembers that an entry which is there was found damaged; `what` says in words what it is. Whoever finds it
    /// makes it anew.
    pub fn found_damaged(&self, shelf: Shelf, key: &Sha256, what: &dyn std::fmt::Display) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.insert((shelf, *key), what.to_string());
    }

    /// What this run found damaged since it was last asked, sorted.
    pub fn take_damaged(&self) -> BTreeMap<(Shelf, Sha256), String> {
        std::mem::take(&mut *self.damaged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a sound file, which stays where it is, the entry `key` of this store too: by a hard link, or by a copy
    /// where the file system has none.
    ///
    /// # Errors
    /// When it can be neither linked nor copied.
    pub fn lend(&self, shelf: Shelf, key: &Sha256, from: &Path) -> Result<(), StoreError> {
        let path = self.path(shelf, key);
        if fs::hard_link(from, &path).is_ok() {
            return Ok(());
        }
        let mut temp = self.temp()?;
        let copied = fs::File::open(from).and_then(|mut file| io::copy(&mut file, temp.as_file_mut()));
        copied.map_err(StoreError::at("copy", from))?;
        self.keep(shelf, key, temp).map(drop)
    }

    /// Which file an entry is now.
    pub fn identity(&self, shelf: Shelf, key: &Sha256) -> Option<Identity> {
        let meta = self.path(shelf, key).metadata().ok()?;
        Some(Identity(meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec()))
    }

    /// Takes an entry away that turned out to be damaged, unless another run has put a new one there since it was
    /// `seen`.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, shelf: Shelf, key: &Sha256, seen: Option<Identity>) -> Result<(), StoreError> {
        let path = self.path(shelf, key);
        if self.identity(shelf, key) != seen {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::at("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// A file in the store's temporary folder, gone when dropped.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn temp(&self) -> Result<Watched<NamedTempFile>, StoreError> {
        let folder = self.root.join("tmp");
        // Whoever may read the folder may read what is in it: a cache can be shared.
        let permissions = fs::Permissions::from_mode(0o666);
        let made = Watched::file(|| tempfile::Builder::new().permissions(permissions).tempfile_in(&folder));
        made.map_err(|error| StoreError::at("create a file in", &folder)(error.kind().into()))
    }

    /// A folder in the store's temporary folder, gone with all that is in it when dropped.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn temp_dir(&self) -> Result<Watched<Folder>, StoreError> {
        let folder = self.root.join("tmp");
        Watched::folder_in(&folder).map_err(|error| StoreError::at("create a folder in", &folder)(error.kind().into()))
    }

    /// A stable place in the temporary folder for a download that can be resumed.
    pub fn partial(&self, key: &Sha256) -> PathBuf {
        self.root.join("tmp").join(format!("{}.partial", key.hex()))
    }

    /// Makes `file` the entry `key`. Whoever comes second to the same entry replaces equal bytes by equal bytes.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn keep(&self, shelf: Shelf, key: &Sha256, file: Watched<NamedTempFile>) -> Result<PathBuf, StoreError> {
        let path = self.path(shelf, key);
        file.persist(&path).map_err(|error| StoreError { action: "keep", path: path.clone(), source: error.error })?;
        self.grew.store(true, Ordering::Relaxed);
        Ok(path)
    }

    /// Makes the file at `from`, in the temporary folder, the entry `key`.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn adopt(&self, shelf: Shelf, key: &Sha256, from: &Path) -> Result<PathBuf, StoreError> {
        let path = self.path(shelf, key);
        fs::rename(from, &path).map_err(StoreError::at("keep", &path))?;
        self.grew.store(true, Ordering::Relaxed);
        Ok(path)
    }

    /// The folder for what is remembered of each suite (the last Release accepted).
    pub fn suites(&self) -> PathBuf {
        self.root.join("suites")
    }
}
