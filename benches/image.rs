//! From `.deb`s to an image, step by step, with the packages of the shipped manifest's lock: unpack, segments back from
//! the store, compression, tree, layer, and the whole warm build.
#![allow(missing_docs, reason = "criterion's macros")]

mod support;

use std::{collections::BTreeMap, hint::black_box, path::Path, time::Duration};

use compose::{
    archive::{FetchSettings, Fetcher},
    base::{Arch, Silent},
    build::{Download, Plan, assemble},
    image::{ImageSpec, Output, pieces, prepare, total, tree_digest, write_all},
    lock::Lock,
    manifest::{self, Compression},
    python::Inputs,
    store::{Shelf, Store},
    tree::Origin,
    unpack::{Filter, FilterSpec, Item, kept, key, unpack},
};
use criterion::{BatchSize, Criterion, Throughput};

const ARCH: Arch = Arch::Amd64;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = manifest::load(&root.join("manifests/python3.toml")).expect("the manifest is good");
    let lock = Lock::read(&root.join("snapshots/python3.lock")).expect("the lock is good").expect("there is a lock");
    let target = lock.targets.get(&ARCH).expect("for amd64");
    let Some(mirrors) = support::mirror::mirrors() else { return };
    let base = |name: &str| match name {
        "debian-security" => vec![mirrors.security.url.clone()],
        _ => vec![mirrors.debian.url.clone()],
    };
    let bases: BTreeMap<_, _> = lock.repositories.iter().map(|r| (r.name.clone(), base(&r.name))).collect();
    let fetcher = Fetcher::new(FetchSettings::default());
    let folder = root.join("target/bench-store");
    let store = Store::open(&folder).expect("a store");
    let download = Download { fetcher: &fetcher, store: &store, bases: &bases, progress: &Silent };
    let epoch = lock.epoch;
    let inputs = Inputs::default();
    let plan = Plan {
        manifest: &manifest,
        inputs: &inputs,
        lock: &lock,
        arch: ARCH,
        target,
        epoch: epoch.as_second(),
        providers: None,
    };
    let build = || assemble(plan, &[], download);
    if let Err(error) = build() {
        eprintln!("skipped: {error}");
        return;
    }
    // From an earlier run the store may hold segments without .debs.
    if target.packages.iter().any(|package| store.get(Shelf::Debs, &package.sha256).is_none()) {
        drop(std::fs::remove_dir_all(folder.join("segments")));
        drop(std::fs::create_dir(folder.join("segments")));
        build().expect("as before");
    }
    let assembled = build().expect("as before");
    let plain = total(&pieces(&assembled.tree));

    let mut criterion =
        Criterion::default().configure_from_args().sample_size(10).measurement_time(Duration::from_secs(3));
    let nothing = Filter::new(&FilterSpec::default()).expect("no pattern");
    let items: Vec<Item> = target
        .packages
        .iter()
        .map(|package| Item {
            package: package.name.clone(),
            deb: store.path(Shelf::Debs, &package.sha256),
            sha256: package.sha256,
        })
        .collect();
    let packed: u64 = target.packages.iter().map(|package| package.size).sum();
    let mut group = criterion.benchmark_group("packages, one thread");
    group.throughput(Throughput::BytesDecimal(packed));
    let new = || {
        let folder = tempfile::tempdir().expect("a folder");
        (Store::open(folder.path()).expect("a store"), folder)
    };
    let all = |store: &Store| -> Vec<_> {
        items.iter().map(|item| unpack(store, item, &nothing, &Default::default()).expect("a good package")).collect()
    };
    group.bench_function("unpack all, nothing left out", |b| {
        b.iter_batched_ref(new, |(store, _)| all(store), BatchSize::PerIteration);
    });
    let (other, _folder) = new();
    let segments = all(&other);
    group.bench_function("segments back from the store, checked", |b| {
        b.iter(|| {
            let found = items
                .iter()
                .filter_map(|item| kept(&other, &Origin::Package(item.package.clone()), &key(&item.sha256, &nothing)));
            black_box(found.count())
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("layer");
    group.throughput(Throughput::BytesDecimal(plain));
    for (name, codec) in [("gzip", Compression::Gzip), ("zstd", Compression::Zstd)] {
        group.bench_function(format!("segments compressed with {name}"), |b| {
            b.iter_batched_ref(
                new,
                |(store, _)| segments.iter().for_each(|s| prepare(store, codec, s).expect("compressed")),
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("tree: merged, finished, checked", |b| b.iter(|| build().expect("as before").tree));
    group.bench_function("tree digest", |b| b.iter(|| tree_digest(black_box(&assembled.tree)).expect("read")));
    let out = tempfile::tempdir().expect("a folder");
    let spec = ImageSpec { name: "bench", arch: ARCH, epoch, user: None, image: &manifest.image, attached: None };
    for name in ["x.tar", "x.oci.tar", "rootfs/"] {
        let output = [Output::parse(&out.path().join(name).display().to_string()).expect("an output")];
        group.bench_function(format!("{name} written, warm"), |b| {
            b.iter(|| write_all(&assembled.tree, &spec, &output, true, &store, &Silent).expect("written"));
        });
    }
    group.finish();
    criterion.final_summary();
}
