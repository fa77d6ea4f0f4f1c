#![expect(clippy::unwrap_used, reason = "tests")]

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
                source_version: None,
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

    fn segments(&self, store: &Store, progress: &dyn Progress) -> Result<Vec<Segment>, SupplyError> {
        let bases = BTreeMap::from([("here".to_owned(), vec![format!("file:{}", self.folder.path().display())])]);
        let settings = FetchSettings { attempts: 1, ..FetchSettings::default() };
        let download = Download { fetcher: &Fetcher::new(settings), store, bases: &bases, progress };
        let filter = Filter::new(&FilterSpec::default()).unwrap();
        let jobs: Vec<Job<'_>> = self.packages.iter().map(Job::Deb).collect();
        Supplier { filter: &filter, limits: &Default::default(), codecs: &[Compression::Gzip], download }
            .segments(&jobs)
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
    assert!(matches!(error, SupplyError::Unpack(_)), "{error}");
}
