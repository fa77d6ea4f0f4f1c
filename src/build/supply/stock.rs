//! The files that a target of a lock is made of, and where they are: what `verify` holds against their digests.
//!
//! In: a [`Plan`]. Out: [`Input`]s. Nothing is fetched and nothing is read.

use std::path::{Path, PathBuf};

use crate::{
    base::Sha256,
    build::Plan,
    manifest::TarballSource,
    store::{Shelf, Store},
};

/// A file that something is unpacked from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Name and version: `libssl3t64 3.5.9-1~deb13u1`, `the wheel numpy 2.4.0`.
    pub what: String,
    /// Its name, without folders.
    pub file: String,
    /// Where it is.
    pub place: Place,
    /// What the lock, or the manifest for a tarball, says of its bytes.
    pub sha256: Sha256,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Downloaded: in the store, or not yet.
    Kept(Shelf),
    /// On this machine, by the manifest or the application's lock.
    Here(PathBuf),
}

impl Input {
    /// The file's path, whether there is one or not.
    pub fn path(&self, store: &Store) -> PathBuf {
        match &self.place {
            Place::Kept(shelf) => store.path(*shelf, &self.sha256),
            Place::Here(path) => path.clone(),
        }
    }
}

/// What `plan` takes its content from, but for `[[files]]`.
pub fn inputs(plan: Plan<'_>) -> Vec<Input> {
    let Plan { manifest, inputs, target, .. } = plan;
    let packages = target.packages.iter().map(|package| Input {
        what: format!("{} {}", package.name, package.version),
        file: package.filename.rsplit('/').next().unwrap_or_default().into(),
        place: Place::Kept(Shelf::Debs),
        sha256: package.sha256,
    });
    let wheels = target.wheels.iter().map(|wheel| Input {
        what: format!("the wheel {} {}", wheel.name, wheel.version),
        file: wheel.filename.clone(),
        place: match (inputs.local(&wheel.sha256), &wheel.url, &wheel.path) {
            (Some(local), ..) => Place::Here(local.path.clone()),
            (None, None, Some(path)) => Place::Here(inputs.folder().unwrap_or(Path::new("")).join(path)),
            _ => Place::Kept(Shelf::Sources),
        },
        sha256: wheel.sha256,
    });
    let tarballs = manifest.tarballs.iter().map(|tarball| Input {
        what: format!("the tarball {}", tarball.name()),
        file: tarball.name(),
        place: match &tarball.source {
            TarballSource::File(path) => Place::Here(path.clone()),
            TarballSource::Url(_) => Place::Kept(Shelf::Sources),
        },
        sha256: tarball.sha256,
    });
    packages.chain(wheels).chain(tarballs).collect()
}
