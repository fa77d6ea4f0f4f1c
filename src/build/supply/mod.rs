//! The packages, tarballs and wheels of an image, unpacked: fetched, verified, unpacked and compressed side by side, one a
//! job.
//!
//! In: [`Job`]s, a filter, the compressions that outputs will want. Out: a [`Segment`] each. What the store has is not
//! fetched again, nor is a file whose segment is there. The largest go first, so that none is left to a single thread at
//! the end; jobs wait as paths, so memory does not grow with their number.

mod deb;
mod error;
mod stock;
mod tarball;
#[cfg(test)]
mod tests;
mod wheel;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

pub use error::SupplyError;
use rayon::prelude::*;
pub use stock::{Input, Place, inputs};
pub(super) use wheel::{WheelJob, locked_wheels, wanted_wheels};

use crate::{
    archive::Fetcher,
    base::{Progress, Sha256},
    image,
    lock::LockedPackage,
    manifest::{Compression, Tarball},
    store::{Shelf, Store},
    tree::Origin,
    unpack::{self, Filter, Segment},
};

/// Downloads at a time: enough to hide a mirror's latency, few enough to be a polite guest.
const CONNECTIONS: usize = 6;

/// How to come by files.
#[derive(Clone, Copy)]
pub struct Download<'a> {
    /// Fetches.
    pub fetcher: &'a Fetcher,
    /// Keeps.
    pub store: &'a Store,
    /// Base URLs of each repository of the lock, by its name.
    pub bases: &'a BTreeMap<String, Vec<String>>,
    /// Hears of it.
    pub progress: &'a dyn Progress,
}

/// Something to be unpacked.
pub(super) enum Job<'a> {
    /// A `.deb` of the lock.
    Deb(&'a LockedPackage),
    /// A tarball of the manifest.
    Tarball(&'a Tarball),
    /// A wheel.
    Wheel(&'a WheelJob<'a>),
}

/// What jobs are done with.
#[derive(Clone, Copy)]
pub(super) struct Supplier<'a> {
    /// What is left out.
    pub filter: &'a Filter,
    /// What outputs will be compressed with.
    pub codecs: &'a [Compression],
    /// Where files come from.
    pub download: Download<'a>,
}

impl Job<'_> {
    fn origin(&self) -> Origin {
        match self {
            Self::Deb(package) => Origin::Package(package.name.clone()),
            Self::Tarball(tarball) => Origin::Tarball(tarball.name().into()),
            Self::Wheel(wheel) => wheel.origin(),
        }
    }

    fn key(&self, filter: &Filter) -> Sha256 {
        match self {
            Self::Deb(package) => unpack::key(&package.sha256, filter),
            Self::Tarball(tarball) => tarball::item(tarball, PathBuf::new()).key(filter),
            Self::Wheel(wheel) => wheel.key(filter),
        }
    }

    fn sha256(&self) -> &Sha256 {
        match self {
            Self::Deb(package) => &package.sha256,
            Self::Tarball(tarball) => &tarball.sha256,
            Self::Wheel(wheel) => &wheel.sha256,
        }
    }

    /// Bytes to be fetched, as far as they are known.
    fn size(&self) -> u64 {
        match self {
            Self::Deb(package) => package.size,
            Self::Tarball(_) => 0,
            Self::Wheel(wheel) => wheel.size.unwrap_or_default(),
        }
    }

    fn shelf(&self) -> Shelf {
        if matches!(self, Self::Deb(_)) { Shelf::Debs } else { Shelf::Sources }
    }

    fn fetch(&self, download: Download<'_>) -> Result<PathBuf, SupplyError> {
        match self {
            Self::Deb(package) => deb::fetch(package, download),
            Self::Tarball(tarball) => tarball::fetch(tarball, download),
            Self::Wheel(wheel) => wheel.fetch(download),
        }
    }

    fn unpack(&self, file: PathBuf, supplier: Supplier<'_>) -> Result<Segment, SupplyError> {
        match self {
            Self::Deb(package) => deb::unpack(package, file, supplier),
            Self::Tarball(tarball) => tarball::unpack(tarball, file, supplier),
            Self::Wheel(wheel) => wheel.unpack(&file, supplier),
        }
    }
}

impl Supplier<'_> {
    /// The segments of `jobs`, in their order. To be called from outside the thread pool that does the work.
    ///
    /// # Errors
    /// The failure of the first job that failed before the rest was called off.
    pub fn segments(self, jobs: &[Job<'_>]) -> Result<Vec<Segment>, SupplyError> {
        let store = self.download.store;
        let kept = jobs.par_iter().map(|job| unpack::kept(store, &job.origin(), &job.key(self.filter)));
        let mut found: Vec<Option<Segment>> = kept.collect();
        let mut missing: Vec<(usize, &Job<'_>)> =
            jobs.iter().enumerate().filter(|(at, _)| found.get(*at).is_some_and(Option::is_none)).collect();
        if !missing.is_empty() {
            wheel::call_pip(missing.iter().map(|(_, job)| *job), self.download)?;
            missing.sort_by_key(|&(at, job)| (Reverse(job.size()), at));
            for (at, segment) in self.all(&missing)? {
                if let Some(place) = found.get_mut(at) {
                    *place = Some(segment);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Does all of them; numbers go with results.
    fn all(self, missing: &[(usize, &Job<'_>)]) -> Result<BTreeMap<usize, Segment>, SupplyError> {
        // Each file's bytes count twice: fetched, and unpacked.
        let bytes = missing.iter().map(|(_, job)| job.size()).sum::<u64>() * 2;
        self.download.progress.phase("Fetching and unpacking", Some(bytes));
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results = Mutex::new(BTreeMap::new());
        let done = |at: usize, result: Result<Segment, SupplyError>| {
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        };
        rayon::in_place_scope_fifo(|jobs| {
            std::thread::scope(|connections| {
                for _ in 0..CONNECTIONS.min(missing.len()) {
                    connections.spawn(|| {
                        while let Some((at, job)) = missing.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                            if failed.load(Ordering::Relaxed) {
                                return;
                            }
                            match job.fetch(self.download) {
                                Err(error) => done(at, Err(error)),
                                Ok(file) => {
                                    let (failed, done) = (&failed, &done);
                                    jobs.spawn_fifo(move |_| {
                                        if !failed.load(Ordering::Relaxed) {
                                            done(at, self.unpack(job, file));
                                        }
                                    });
                                }
                            }
                        }
                    });
                }
            });
        });
        // Whoever was called off left no result, but then another one left an error.
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().map(|(at, result)| Ok((at, result?))).collect()
    }

    fn unpack(self, job: &Job<'_>, file: PathBuf) -> Result<Segment, SupplyError> {
        let Download { store, progress, .. } = self.download;
        let (shelf, sha256) = (job.shelf(), job.sha256());
        let seen = store.identity(shelf, sha256);
        let is_kept = file == store.path(shelf, sha256);
        let mut result = job.unpack(file.clone(), self);
        // Damaged in the store since it was verified: it goes, and is fetched anew.
        if is_kept && result.as_ref().is_err_and(SupplyError::is_other_file) {
            progress.notice(&format!("{} is damaged in the cache: fetching it anew", file.display()));
            store.found_damaged(shelf, sha256, &job.origin());
            store.remove(shelf, sha256, seen)?;
            wheel::call_pip(std::iter::once(job), self.download)?;
            result = job.unpack(job.fetch(self.download)?, self);
        }
        let segment = result?;
        for codec in self.codecs {
            image::prepare(store, *codec, &segment)?;
        }
        progress.advance(job.size());
        Ok(segment)
    }
}
