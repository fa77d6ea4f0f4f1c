//! The content-addressed store below `$COMPOSE_CACHE`: what was downloaded and verified, kept by its SHA-256.
//!
//! In: verified bytes. Out: paths of whole, verified files. Entries appear by rename, so a reader sees all of one or
//! nothing, however many runs share the store and whenever one is killed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::base::Sha256;

/// What kind of thing an entry is: the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// `.deb` files by their own digest.
    Debs,
    /// Decompressed Packages indexes, by the digest of the decompressed text.
    Indexes,
    /// Unpacked, filtered packages, by [`crate::unpack`]'s key.
    Segments,
    /// Compressed parts of layers, by the key that [`crate::image`] gives them.
    Packs,
}

impl Shelf {
    fn folder(self) -> &'static str {
        match self {
            Self::Debs => "debs",
            Self::Indexes => "indexes",
            Self::Segments => "segments",
            Self::Packs => "packs",
        }
    }
}

/// A store on disk.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
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

impl StoreError {
    /// For `map_err`.
    pub fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.into(), source }
    }
}

impl Store {
    /// Opens the store at `root`, creating it if needed.
    ///
    /// # Errors
    /// When the folders cannot be created.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in ["debs", "indexes", "segments", "packs", "suites", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(StoreError::at("create", &path))?;
        }
        Ok(Self { root: root.into() })
    }

    /// Where the entry is or would be.
    pub fn path(&self, shelf: Shelf, key: &Sha256) -> PathBuf {
        self.root.join(shelf.folder()).join(key.hex())
    }

    /// The entry's path, if it is there.
    pub fn get(&self, shelf: Shelf, key: &Sha256) -> Option<PathBuf> {
        let path = self.path(shelf, key);
        path.is_file().then_some(path)
    }

    /// A file in the store's temporary folder, gone when dropped.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn temp(&self) -> Result<NamedTempFile, StoreError> {
        let folder = self.root.join("tmp");
        NamedTempFile::new_in(&folder).map_err(StoreError::at("create a file in", &folder))
    }

    /// A stable place in the temporary folder for a download that can be resumed.
    pub fn partial(&self, key: &Sha256) -> PathBuf {
        self.root.join("tmp").join(format!("{}.partial", key.hex()))
    }

    /// Makes `file` the entry `key`. Whoever comes second to the same entry replaces equal bytes by equal bytes.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn keep(&self, shelf: Shelf, key: &Sha256, file: NamedTempFile) -> Result<PathBuf, StoreError> {
        let path = self.path(shelf, key);
        file.persist(&path).map_err(|error| StoreError { action: "keep", path: path.clone(), source: error.error })?;
        Ok(path)
    }

    /// The folder for what is remembered of each suite (the last Release accepted).
    pub fn suites(&self) -> PathBuf {
        self.root.join("suites")
    }
}
