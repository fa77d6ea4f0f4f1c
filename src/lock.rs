//! `snapshots/NAME.lock`: what was chosen, so that a second build chooses nothing.
//!
//! In: a solution, or the file of an earlier run. Out: sorted TOML, one change a line in a `git diff`, without any
//! mirror's URL.

mod raw;
mod text;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    base::{Arch, PackageName, Sha256, aside, words},
    control::Version,
};

/// The layout of the file; another number is refused.
const LOCK_VERSION: i64 = 1;

/// The longest lock that is read, bytes. All of Debian for all architectures would have some 200 MB; a system has some KiB.
const LARGEST: usize = 64 << 20;

/// A whole lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// [`crate::manifest::meaning`] of the manifest that it was made for.
    pub manifest: Sha256,
    /// The newest Release date: the time of everything in the image.
    pub epoch: Timestamp,
    /// Where packages come from, sorted by name.
    pub repositories: Vec<LockedRepository>,
    /// One for each architecture.
    pub targets: BTreeMap<Arch, Target>,
}

/// One suite as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedRepository {
    /// `debian`, `debian-security`, or the manifest's name for it.
    pub name: String,
    /// Suite asked for.
    pub suite: String,
    /// The Release's own words; they make os-release where base-files is absent.
    pub origin: Option<String>,
    /// Codename.
    pub codename: Option<String>,
    /// Point release, such as `13.8`.
    pub version: Option<String>,
    /// The Release's date.
    pub date: Timestamp,
    /// Digest of the signed text.
    pub release: Sha256,
}

/// What one architecture's image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the solver proved that no smaller closure exists.
    pub proven_minimal: bool,
    /// Sum of Installed-Size, KiB.
    pub installed_size: u64,
    /// Dependencies that count as met without a package.
    pub cut: Vec<CutEdge>,
    /// What the build made; absent in a lock that was never built.
    pub built: Option<Built>,
    /// What is asked for by a library's or a file's name, and the packages that would do; sorted.
    pub needs: Vec<LockedNeed>,
    /// Sorted by name.
    pub packages: Vec<LockedPackage>,
    /// In the manifest's order.
    pub tarballs: Vec<LockedTarball>,
    /// Sorted by name.
    pub wheels: Vec<LockedWheel>,
}

/// A need and what meets it, as the Contents index had it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedNeed {
    /// `soname:libGL.so.1` or `file:/usr/bin/git`.
    pub what: String,
    /// The clause that the solver was given: `a | b`.
    pub clause: String,
}

/// One `[[tarballs]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedTarball {
    /// Its file's name.
    pub name: String,
    /// Of the file.
    pub sha256: Sha256,
    /// What its ELF files need, without `soname:`; sorted.
    pub needs: Vec<String>,
}

/// One `.whl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedWheel {
    /// The project, normalised (PEP 503).
    pub name: String,
    /// Its version, as the file's name has it.
    pub version: String,
    /// The file's name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Sha256,
    /// Where it is, if the application's lock says so.
    pub url: Option<String>,
    /// Where it is, relative to the folder of the application's lock, if that says so.
    pub path: Option<String>,
    /// What its ELF files need of the system, without `soname:`; sorted.
    pub needs: Vec<String>,
}

/// A dependency that `packages.provided` cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutEdge {
    /// Who depends.
    pub package: String,
    /// On what.
    pub dependency: String,
    /// Why it is not needed.
    pub reason: String,
}

/// Digests of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Of the tree's content and metadata.
    pub tree: Sha256,
    /// Of the plain layers.
    pub diff_ids: Vec<Sha256>,
    /// Of the compressed layers.
    pub layers: Vec<Sha256>,
    /// The output format version that `layers` hold for.
    pub format: u32,
    /// Files of this machine that `[[files]]` put into the image, sorted by path; empty in a lock that is older than
    /// this list.
    pub files: Vec<LockedFile>,
}

/// A file or a symbolic link that was copied from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile {
    /// Where it is in the rootfs.
    pub path: String,
    /// What it is.
    pub is: FileIs,
}

/// What of an own file decides over the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileIs {
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Of its bytes.
        sha256: Sha256,
    },
    /// A symbolic link, and where it leads.
    Link(String),
}

/// One `.deb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Binary package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// `amd64` …, or `all`.
    pub arch: String,
    /// Source package.
    pub source: String,
    /// Its version, if it is not this package's but for `+bN` of a rebuild.
    pub source_version: Option<Version>,
    /// Name of the [`LockedRepository`].
    pub repository: String,
    /// Path below the archive's root.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the `.deb`.
    pub sha256: Sha256,
    /// Direct dependants; empty when the manifest asks for it.
    pub required_by: Vec<String>,
}

/// A lock cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The operating system refuses.
    #[error("cannot {action} the lock {}: {source}", path.display())]
    Io {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what this program writes.
    #[error("{} is not a lock that this compose reads: {why}\nnext step: restore it from version control, or run with --update to make it anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Lock {
    /// Reads `path`; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a lock of this version.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let read = |file: fs::File| -> io::Result<String> {
            let mut text = String::new();
            file.take(LARGEST as u64 + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        match fs::File::open(path).and_then(read) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|why| LockError::Malformed { path: path.into(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Io { action: "read", path: path.into(), source }),
        }
    }

    /// Parses the text of a lock.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("it is longer than {} MiB", LARGEST >> 20));
        }
        // What is wrong is shown as it stands there.
        raw::parse(text).map_err(|why| why.lines().map(|line| words::quote(line, 500)).collect::<Vec<_>>().join("\n"))
    }

    /// Writes the file whole, by rename.
    ///
    /// # Errors
    /// As the operating system says; an earlier file is then still there.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |source| LockError::Io { action: "write", path: path.into(), source };
        fs::create_dir_all(aside::folder(path)).map_err(failed)?;
        aside::write(path, self.to_string().as_bytes(), 0o644).map_err(failed)
    }
}
