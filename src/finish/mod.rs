//! What maintainer scripts would have done to the tree, done natively: nothing is run.
//!
//! In: the tree (before packages for [`prepare`], with packages and `[[files]]` for [`finish`]), the packages' control
//! data, `[accounts]`, facts of the Release file. Out: the finished tree and a [`Report`] of scripts whose effect is not
//! covered. Each step is one file, named after what it makes; its first lines name the script that it stands for.
//! Whatever the manifest itself put somewhere stays. What steps add is owned by root and dated with the tree's epoch.

mod accounts;
mod alternatives;
mod base;
mod ca_certificates;
mod dpkg_status;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod ldcache;
mod nsswitch;
mod os_release;
mod python;
mod scripts;
mod sysusers;
mod timezone;

use std::{io, sync::Arc};

pub use scripts::{Verdict, classify};

use crate::{
    base::{
        Arch, PackageName, RootPath,
        refusal::{self, Refusal, Refuses},
    },
    manifest::Accounts,
    tree::{Kind, Meta, Node, NotADirectory, Origin, Tree},
    unpack::Script,
};

/// What the steps know beyond the tree.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The image's architecture.
    pub arch: Arch,
    /// The packages in the image.
    pub packages: &'a [Shipped<'a>],
    /// `[accounts]` of the manifest.
    pub accounts: &'a Accounts,
    /// Of the distribution that the packages are from.
    pub release: &'a ReleaseFacts,
}

/// One package in the image.
#[derive(Debug, Clone, Copy)]
pub struct Shipped<'a> {
    /// Its name.
    pub name: &'a PackageName,
    /// Its version.
    pub version: &'a str,
    /// The control paragraph of the `.deb`.
    pub control: &'a str,
    /// `md5sums` of the `.deb`.
    pub md5sums: &'a [([u8; 16], RootPath)],
    /// Its maintainer scripts.
    pub scripts: &'a [Script],
}

/// What a Release file says of its distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseFacts {
    /// `Origin`, such as `Debian`.
    pub origin: String,
    /// `Codename`, such as `trixie`.
    pub codename: Option<String>,
    /// `Version`, such as `13.8`; testing and unstable have none.
    pub version: Option<String>,
    /// `Suite`, such as `stable`.
    pub suite: String,
}

/// What is left to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Maintainer scripts whose effect no step covers, sorted: package and script.
    pub not_reproduced: Vec<(PackageName, Box<str>)>,
}

/// Why a tree cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// A file of the tree cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: RootPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is in the way.
    #[error("{0}; take the package or the [[files]] entry out that put it there")]
    Place(#[from] NotADirectory),
    /// ld.so.conf.
    #[error("{0} includes itself, or includes files too deeply; mend its “include” lines")]
    IncludeDepth(RootPath),
    /// ld.so.conf.
    #[error("{path} leads to more than {limit} files, the limit; mend its “include” lines")]
    IncludeCount {
        /// The file.
        path: RootPath,
        /// The highest allowed number.
        limit: usize,
    },
    /// A file of a package that a step reads.
    #[error(
        "{path} has more than {limit} bytes, the limit; take the package or the [[files]] entry out that put it there"
    )]
    TooLong {
        /// The file.
        path: RootPath,
        /// The highest allowed length.
        limit: u64,
    },
    /// ld.so.cache.
    #[error("the libraries' names do not fit into /etc/ld.so.cache (4 GiB)")]
    CacheTooLarge,
    /// Two accounts cannot be told apart.
    #[error("{new} clashes with {known}; choose another name or number in [accounts]")]
    AccountClash {
        /// What was to be added, such as `user “app” (1000) of [accounts]`.
        new: String,
        /// What is there.
        known: String,
    },
    /// A passwd or group file, or a sysusers.d file, that cannot be understood.
    #[error("{path}, line {line}: “{text}” is not {wanted}")]
    Line {
        /// The file.
        path: RootPath,
        /// From 1.
        line: usize,
        /// The line, shortened.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// All numbers for system accounts (100 to 999) are taken.
    #[error("no free number is left for the system account “{0}”; give it one in [accounts]")]
    NoFreeId(String),
}

impl Refuses for FinishError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::FINISH_UNREADABLE,
            Self::Place(_) => refusal::NOT_A_DIRECTORY,
            Self::IncludeDepth(_) | Self::IncludeCount { .. } => refusal::INCLUDE_TOO_DEEP,
            Self::TooLong { .. } => refusal::FINISH_TOO_LONG,
            Self::CacheTooLarge => refusal::LD_CACHE_TOO_LARGE,
            Self::AccountClash { .. } => refusal::ACCOUNT_CLASH,
            Self::Line { .. } => refusal::FINISH_BAD_LINE,
            Self::NoFreeId(_) => refusal::NO_FREE_ID,
        }
    }
}

/// Lays the base before packages are merged: the links of merged-/usr and the directories that every image has.
///
/// # Errors
/// None on a new tree.
pub fn prepare(tree: &mut Tree, arch: Arch) -> Result<(), FinishError> {
    base::prepare(tree, arch)
}

/// Runs every step on a tree that holds its packages and the manifest's files.
///
/// # Errors
/// When files cannot be read or placed, or accounts clash.
pub fn finish(tree: &mut Tree, input: &Input<'_>) -> Result<Report, FinishError> {
    base::finish(tree)?;
    accounts::write(tree, input.accounts)?;
    nsswitch::write(tree)?;
    os_release::write(tree, input.release)?;
    timezone::write(tree)?;
    ca_certificates::write(tree)?;
    python::write(tree)?;
    alternatives::write(tree, input.packages)?;
    // After everything that may be a library or a certificate of some package.
    ldcache::write(tree, input.arch)?;
    dpkg_status::write(tree, input.packages)?;
    Ok(Report { not_reproduced: scripts::not_reproduced(input.packages) })
}

fn at(path: &RootPath) -> impl FnOnce(io::Error) -> FinishError {
    let path = path.clone();
    move |source| FinishError::Read { path, source }
}

/// Where something of this name is really put: links in the way to it are followed.
fn placed(tree: &Tree, path: &RootPath) -> RootPath {
    let parent = path.parent().and_then(|parent| tree.resolve(&parent));
    parent.and_then(|parent| parent.join(path.file_name()).ok()).unwrap_or_else(|| path.clone())
}

/// Whether the manifest put something there.
fn is_manifests(tree: &Tree, path: &RootPath) -> bool {
    tree.get(&placed(tree, path)).is_some_and(|node| node.origin == Origin::Manifest)
}

/// Puts a file, unless the manifest has put something there.
fn put_file(
    tree: &mut Tree,
    path: &RootPath,
    bytes: impl Into<Arc<[u8]>>,
    step: &'static str,
) -> Result<(), FinishError> {
    if !is_manifests(tree, path) {
        tree.insert_file(placed(tree, path), 0o644, bytes, Origin::Finish(step))?;
    }
    Ok(())
}

/// Puts a link where nothing is.
fn put_missing_link(tree: &mut Tree, path: &RootPath, target: &str, step: &'static str) -> Result<(), FinishError> {
    let path = placed(tree, path);
    if tree.get(&path).is_none() {
        tree.insert_link(path, target.as_bytes(), Origin::Finish(step))?;
    }
    Ok(())
}

/// Puts a directory where nothing is.
fn put_missing_dir(
    tree: &mut Tree,
    path: &RootPath,
    (mode, uid, gid): (u32, u32, u32),
    step: &'static str,
) -> Result<(), FinishError> {
    let path = placed(tree, path);
    if tree.get(&path).is_none() {
        let meta = Meta { uid, gid, ..Meta::root(mode, tree.epoch()) };
        tree.insert(path, Node { meta, kind: Kind::Dir, origin: Origin::Finish(step), ready: None })?;
    }
    Ok(())
}

/// Whether a regular file, or a link to one, is there.
fn is_file(tree: &Tree, path: &RootPath) -> bool {
    tree.content(path).is_some()
}

/// Longest file that a step reads, and longest bundle of certificates, bytes; Debian's have some KiB, the bundle 220.
const LARGEST: u64 = 1 << 20;

/// The bytes of a file of the tree, if it is there.
fn read(tree: &Tree, path: &RootPath) -> Result<Option<Vec<u8>>, FinishError> {
    let Some(content) = tree.content(path) else { return Ok(None) };
    if content.len() > LARGEST {
        return Err(FinishError::TooLong { path: path.clone(), limit: LARGEST });
    }
    content.read().map(|bytes| Some(bytes.into())).map_err(at(path))
}

#[cfg(test)]
mod tests;
