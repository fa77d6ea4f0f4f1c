//! Index text to universe: every relation read, names interned. MB/s on one thread and on two, beside
//! `debian-packaging`; and the time to load the kept form. `benches/index.sh` runs other programs on the same file.
#![allow(missing_docs, reason = "criterion's macros")]

mod support;

use std::{hint::black_box, sync::Arc, time::Duration};

use compose::{
    base::{Arch, Sha256},
    universe::{IndexText, Universe},
};
use criterion::{Criterion, Throughput};

fn parse(text: &Arc<String>) -> Universe {
    let texts = vec![IndexText { repository: 0, text: text.clone(), whole: true, cold: None }];
    Universe::parse(texts, Arch::Amd64).expect("the index is good")
}

fn relations(universe: &Universe) -> usize {
    universe.packages().map(|package| universe.relations(package.id()).count()).sum()
}

/// Peak memory of this process, as Linux counts it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn main() {
    let Some(text) = support::index() else { return };
    // For `benches/peers.py`: the best of a few, in seconds.
    if let Some(threads) = std::env::var("COMPOSE_BENCH_ONCE").ok().and_then(|text| text.parse().ok()) {
        let taken = (0..3).map(|_| {
            let start = std::time::Instant::now();
            let universe = pool(threads).install(|| parse(&text));
            let taken = start.elapsed();
            drop(universe);
            taken
        });
        println!("{}", taken.min().unwrap_or_default().as_secs_f64());
        return;
    }
    // First of all, while nothing else has taken memory.
    let universe = pool(2).install(|| parse(&text));
    println!(
        "{} bytes, {} packages, {} relations; peak memory with the text {}",
        text.len(),
        universe.len(),
        relations(&universe),
        peak()
    );
    drop(universe);
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(20).measurement_time(Duration::from_secs(4));
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::BytesDecimal(text.len() as u64));
    for threads in [1, 2] {
        let pool = pool(threads);
        group.bench_function(format!("compose, {threads} thread(s)"), |b| {
            pool.install(|| b.iter_with_large_drop(|| parse(black_box(&text))));
        });
    }
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    group.bench_function("debian-packaging", |b| b.iter(|| debian_packaging(black_box(&text))));
    group.finish();

    let folder = tempfile::tempdir().expect("a folder");
    let store = compose::store::Store::open(folder.path()).expect("a store");
    let key = Sha256::of(text.as_bytes());
    compose::archive::keep_index(&store, &key, &text).expect("kept");
    let mut group = criterion.benchmark_group("kept index");
    for threads in [1, 2] {
        let pool = pool(threads);
        group.bench_function(format!("load, {threads} thread(s)"), |b| {
            pool.install(|| {
                b.iter_with_large_drop(|| {
                    let pieces = compose::archive::kept_index(&store, &key).expect("kept");
                    let texts = pieces.into_iter().map(|piece| IndexText {
                        repository: 0,
                        text: piece.text.into(),
                        whole: false,
                        cold: piece.cold,
                    });
                    Universe::parse(texts.collect(), Arch::Amd64).expect("the index is good")
                });
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Every paragraph and every relation field that it has a reader for.
fn debian_packaging(text: &str) -> usize {
    use debian_packaging::{binary_package_control::BinaryPackageControlFile, control::ControlParagraphReader};
    let paragraphs = ControlParagraphReader::new(text.as_bytes()).flatten();
    let relations = paragraphs.map(|paragraph| {
        let file = BinaryPackageControlFile::from(paragraph);
        file.package_dependency_fields().map_or(0, |fields| usize::from(fields.depends.is_some()))
    });
    relations.sum()
}
