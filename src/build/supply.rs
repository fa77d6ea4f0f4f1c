//! The packages of a lock, unpacked: fetched, verified, unpacked and compressed side by side, one package a job.
//!
//! In: the packages of a target, a filter, the compressions that outputs will want. Out: a [`Segment`] each. What the
//! store has is not fetched again, nor is a `.deb` whose segment is there. The largest go first, so that none is left
//! to a single thread at the end; jobs wait as paths, so memory does not grow with their number.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rayon::prelude::*;

use super::{AssembleError, Download};
use crate::{
    archive::fetch_deb,
    image,
    lock::LockedPackage,
    manifest::Compression,
    store::Shelf,
    tree::Origin,
    unpack::{self, Filter, Item, Segment, UnpackFault},
};

/// Downloads at a time: enough to hide a mirror's latency, few enough to be a polite guest.
const CONNECTIONS: usize = 6;

/// The segments of `packages`, in their order. To be called from outside the thread pool that does the work.
///
/// # Errors
/// The failure of the first package that failed before the rest was called off.
pub(super) fn segments(
    packages: &[LockedPackage],
    filter: &Filter,
    codecs: &[Compression],
    download: Download<'_>,
) -> Result<Vec<Segment>, AssembleError> {
    let kept = packages.par_iter().map(|p| {
        let origin = Origin::Package(p.name.clone());
        unpack::kept(download.store, &origin, &unpack::key(&p.sha256, filter))
    });
    let mut found: Vec<Option<Segment>> = kept.collect();
    let mut missing: Vec<(usize, &LockedPackage)> =
        packages.iter().enumerate().filter(|(at, _)| found.get(*at).is_some_and(Option::is_none)).collect();
    if !missing.is_empty() {
        missing.sort_by_key(|&(at, package)| (Reverse(package.size), at));
        let work = Work { filter, codecs, download };
        for (at, segment) in work.all(&missing)? {
            if let Some(place) = found.get_mut(at) {
                *place = Some(segment);
            }
        }
    }
    Ok(found.into_iter().flatten().collect())
}

#[derive(Clone, Copy)]
struct Work<'a> {
    filter: &'a Filter,
    codecs: &'a [Compression],
    download: Download<'a>,
}

impl Work<'_> {
    /// Does all of them; numbers go with results.
    fn all(self, missing: &[(usize, &LockedPackage)]) -> Result<BTreeMap<usize, Segment>, AssembleError> {
        let bytes = |(_, package): &(usize, &LockedPackage)| package.size;
        // Each package's bytes count twice: fetched, and unpacked.
        self.download.progress.phase("Fetching and unpacking", Some(missing.iter().map(bytes).sum::<u64>() * 2));
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results = Mutex::new(BTreeMap::new());
        let done = |at: usize, result: Result<Segment, AssembleError>| {
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        };
        rayon::in_place_scope_fifo(|jobs| {
            std::thread::scope(|connections| {
                for _ in 0..CONNECTIONS.min(missing.len()) {
                    connections.spawn(|| {
                        while let Some((at, package)) = missing.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                            if failed.load(Ordering::Relaxed) {
                                return;
                            }
                            match self.fetch(package) {
                                Err(error) => done(at, Err(error)),
                                Ok(deb) => {
                                    let (failed, done) = (&failed, &done);
                                    jobs.spawn_fifo(move |_| {
                                        if !failed.load(Ordering::Relaxed) {
                                            done(at, self.unpack(package, deb));
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

    fn fetch(self, package: &LockedPackage) -> Result<PathBuf, AssembleError> {
        let Download { fetcher, store, bases, progress } = self.download;
        let bases = bases.get(&package.repository).ok_or_else(|| AssembleError::NoRepository {
            package: package.name.clone(),
            repository: package.repository.clone(),
        })?;
        Ok(fetch_deb(fetcher, store, bases, &package.filename, package.size, &package.sha256, progress)?)
    }

    fn unpack(self, package: &LockedPackage, deb: PathBuf) -> Result<Segment, AssembleError> {
        let Download { store, progress, .. } = self.download;
        let seen = store.identity(Shelf::Debs, &package.sha256);
        let mut item = Item { package: package.name.clone(), deb, sha256: package.sha256 };
        let mut result = unpack::unpack(store, &item, self.filter, &Default::default());
        // Damaged in the store since it was verified: it goes, and is fetched anew.
        if result.as_ref().is_err_and(|error| matches!(error.fault, UnpackFault::Digest { .. })) {
            progress.notice(&format!("{} is damaged in the cache: fetching it anew", item.deb.display()));
            store.remove(Shelf::Debs, &package.sha256, seen)?;
            item.deb = self.fetch(package)?;
            result = unpack::unpack(store, &item, self.filter, &Default::default());
        }
        let segment = result?;
        for codec in self.codecs {
            image::prepare(store, *codec, &segment)?;
        }
        progress.advance(package.size);
        Ok(segment)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        archive::{FetchSettings, Fetcher},
        base::{Progress, Sha256, Silent},
        deb::fixture::{Tar, ar, control, deb},
        store::Store,
        unpack::FilterSpec,
    };

    /// A repository in a folder, with packages that each ship one file.
    struct Bench {
        folder: tempfile::TempDir,
        packages: Vec<LockedPackage>,
    }

    impl Bench {
        fn new(sizes: impl Iterator<Item = usize>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let package = |(i, size): (usize, usize)| {
                let bytes = deb(Tar::new().file(&format!("f{i}"), &vec![1; size]));
                fs::write(folder.path().join(format!("{i}.deb")), &bytes).unwrap();
                LockedPackage {
                    name: "demo".parse().unwrap(),
                    version: "1".parse().unwrap(),
                    arch: "all".into(),
                    source: "demo".into(),
                    repository: "here".into(),
                    filename: format!("{i}.deb"),
                    size: bytes.len() as u64,
                    sha256: Sha256::of(&bytes),
                    required_by: Vec::new(),
                }
            };
            let packages = sizes.enumerate().map(package).collect();
            Self { folder, packages }
        }

        fn store(&self, name: &str) -> Store {
            Store::open(&self.folder.path().join(name)).unwrap()
        }

        fn segments(&self, store: &Store, progress: &dyn Progress) -> Result<Vec<Segment>, AssembleError> {
            let bases = BTreeMap::from([("here".to_owned(), vec![format!("file:{}", self.folder.path().display())])]);
            let settings = FetchSettings { attempts: 1, ..FetchSettings::default() };
            let download = Download { fetcher: &Fetcher::new(settings), store, bases: &bases, progress };
            segments(&self.packages, &Filter::new(&FilterSpec::default()).unwrap(), &[Compression::Gzip], download)
        }
    }

    fn paths(segments: &[Segment]) -> Vec<String> {
        segments.iter().map(|segment| segment.entries[0].path.to_string()).collect()
    }

    #[test]
    fn they_come_back_in_order_whatever_the_threads() {
        let bench = Bench::new((0..30).map(|i| (i * 7919) % 5000 + 1));
        let wanted: Vec<_> = (0..30).map(|i| format!("/f{i}")).collect();
        for threads in [1, 2, 8] {
            let store = bench.store(&format!("store{threads}"));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let run = || pool.install(|| bench.segments(&store, &Silent)).unwrap();
            assert_eq!(paths(&run()), wanted);
            let kept = |shelf| store.keys(shelf).unwrap().len();
            assert_eq!((kept(Shelf::Debs), kept(Shelf::Segments), kept(Shelf::Packs)), (30, 30, 30));
            // What is unpacked needs no .deb.
            for package in &bench.packages {
                let seen = store.identity(Shelf::Debs, &package.sha256);
                store.remove(Shelf::Debs, &package.sha256, seen).unwrap();
            }
            assert_eq!((paths(&run()), kept(Shelf::Debs)), (wanted.clone(), 0));
        }
    }

    #[test]
    fn the_first_failure_is_told() {
        let mut bench = Bench::new([10; 30].into_iter());
        bench.packages[20].filename = "nowhere.deb".into();
        let error = bench.segments(&bench.store("store"), &Silent).unwrap_err().to_string();
        assert!(error.contains("nowhere.deb"), "{error}");
        bench.packages[3].repository = "elsewhere".into();
        let error = bench.segments(&bench.store("empty"), &Silent).unwrap_err().to_string();
        assert!(error.contains("nowhere.deb") || error.contains("elsewhere"), "{error}");
    }

    #[test]
    fn a_deb_that_was_damaged_in_the_store_is_fetched_anew() {
        struct Heard(Mutex<Vec<String>>);
        impl Progress for Heard {
            fn phase(&self, _: &str, _: Option<u64>) {}
            fn advance(&self, _: u64) {}
            fn notice(&self, text: &str) {
                self.0.lock().unwrap().push(text.into());
            }
        }
        let bench = Bench::new([10, 20].into_iter());
        let (store, sha256) = (bench.store("store"), bench.packages[1].sha256);
        let path = store.path(Shelf::Debs, &sha256);
        fs::write(&path, vec![0; usize::try_from(bench.packages[1].size).unwrap()]).unwrap();
        let heard = Heard(Mutex::default());
        assert_eq!(paths(&bench.segments(&store, &heard).unwrap()), ["/f0", "/f1"]);
        assert_eq!(Sha256::of(&fs::read(path).unwrap()), sha256);
        assert!(heard.0.lock().unwrap()[0].contains("is damaged in the cache"));
    }

    #[test]
    fn a_package_under_another_name_is_refused() {
        let mut bench = Bench::new([10].into_iter());
        let other = ar(&[
            ("debian-binary", b"2.0\n"),
            ("control.tar", &control().end()),
            ("data.tar", &Tar::new().file("f", b"x").end()),
        ]);
        fs::write(bench.folder.path().join("0.deb"), &other).unwrap();
        let package = &mut bench.packages[0];
        (package.size, package.sha256) = (other.len() as u64, Sha256::of(&other));
        package.name = "another".parse().unwrap();
        let error = bench.segments(&bench.store("store"), &Silent).unwrap_err();
        assert!(matches!(error, AssembleError::Unpack(_)), "{error}");
    }
}
