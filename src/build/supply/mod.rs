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
    path::{Path, PathBuf},
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
    manifest::{self, Compression, Tarball},
    store::{Shelf, Store},
    tree::Origin,
    unpack::{self, Filter, Segment, UnpackError},
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
    /// How much one of them may hold.
    pub limits: &'a manifest::Limits,
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

    /// Whether the file is what was promised.
    fn check(&self, file: &Path) -> Result<(), SupplyError> {
        let other = |fault| UnpackError { origin: self.origin(), file: file.into(), fault };
        Ok(unpack::check_digest(file, *self.sha256()).map_err(other)?)
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

    /// The files of `jobs` themselves, in their order, each read once and found to be what was promised. To be called
    /// from outside the thread pool that does the work.
    ///
    /// # Errors
    /// As [`Supplier::segments`].
    pub fn files(self, jobs: &[Job<'_>]) -> Result<Vec<PathBuf>, SupplyError> {
        wheel::call_pip(jobs.iter(), self.download)?;
        let numbered: Vec<(usize, &Job<'_>)> = jobs.iter().enumerate().collect();
        // Each file's bytes count twice: fetched, and read.
        let bytes = jobs.iter().map(Job::size).sum::<u64>() * 2;
        self.download.progress.phase("Fetching", Some(bytes));
        let checked = |job: &Job<'_>, file| self.sound(job, file, |file| job.check(&file).map(|()| file));
        Ok(self.each(&numbered, checked)?.into_values().collect())
    }

    /// Does all of them; numbers go with results.
    fn all(self, missing: &[(usize, &Job<'_>)]) -> Result<BTreeMap<usize, Segment>, SupplyError> {
        // Each file's bytes count twice: fetched, and unpacked.
        let bytes = missing.iter().map(|(_, job)| job.size()).sum::<u64>() * 2;
        self.download.progress.phase("Fetching and unpacking", Some(bytes));
        self.each(missing, |job, file| self.unpack(job, file))
    }

    /// Fetches the file of each job, and does `work` with it in the thread pool; numbers go with results.
    fn each<T: Send>(
        self,
        numbered: &[(usize, &Job<'_>)],
        work: impl Fn(&Job<'_>, PathBuf) -> Result<T, SupplyError> + Sync,
    ) -> Result<BTreeMap<usize, T>, SupplyError> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (results, work) = (Mutex::new(BTreeMap::new()), &work);
        let done = |at: usize, result: Result<T, SupplyError>| {
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        };
        rayon::in_place_scope_fifo(|jobs| {
            std::thread::scope(|connections| {
                for _ in 0..CONNECTIONS.min(numbered.len()) {
                    connections.spawn(|| {
                        while let Some((at, job)) = numbered.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                            if failed.load(Ordering::Relaxed) {
                                return;
                            }
                            match job.fetch(self.download) {
                                Err(error) => done(at, Err(error)),
                                Ok(file) => {
                                    let (failed, done) = (&failed, &done);
                                    jobs.spawn_fifo(move |_| {
                                        if !failed.load(Ordering::Relaxed) {
                                            done(at, work(job, file));
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
        let segment = self.sound(job, file, |file| job.unpack(file, self))?;
        for codec in self.codecs {
            image::prepare(self.download.store, *codec, &segment)?;
        }
        Ok(segment)
    }

    /// Does `work` with the file of a job, and again with a new one if it was damaged in the store since it was verified.
    fn sound<T>(
        self,
        job: &Job<'_>,
        file: PathBuf,
        work: impl Fn(PathBuf) -> Result<T, SupplyError>,
    ) -> Result<T, SupplyError> {
        let Download { store, progress, .. } = self.download;
        let (shelf, sha256) = (job.shelf(), job.sha256());
        let seen = store.identity(shelf, sha256);
        let is_kept = file == store.path(shelf, sha256);
        let mut result = work(file.clone());
        // It goes, and is fetched anew.
        if is_kept && result.as_ref().is_err_and(SupplyError::is_other_file) {
            progress.notice(&format!("{} is damaged in the cache: fetching it anew", file.display()));
            store.found_damaged(shelf, sha256, &job.origin());
            store.remove(shelf, sha256, seen)?;
            wheel::call_pip(std::iter::once(job), self.download)?;
            result = work(job.fetch(self.download)?);
        }
        if result.is_ok() {
            progress.advance(job.size());
        }
        result
    }
}
