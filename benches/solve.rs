//! The smallest closure after parsing, proven: the packages that people ask for, and random ones. Prints nodes
//! searched and packages; nothing is `provided`.
#![allow(missing_docs, reason = "criterion's macros")]

mod support;

use std::{collections::BTreeSet, hint::black_box, time::Duration};

use compose::{
    base::Arch,
    control::RelationGroup,
    manifest::Minimize,
    solve::{NODE_LIMIT, Problem, SolveRequest, solve},
    universe::{IndexText, Universe},
};
use criterion::Criterion;

const NAMED: &[&str] = &[
    "python3",
    "python3-minimal",
    "python3 ca-certificates tzdata",
    "python3-pandas python3-flask gunicorn",
    "python3-opencv",
    "libgl1 libglib2.0-0t64 python3",
    "default-jre-headless",
    "postgresql",
    "gnome-core",
    "task-kde-desktop",
    "texlive-full",
    "libreoffice",
    "task-kde-desktop gnome-core libreoffice texlive-full",
];

/// Random requests of 300 packages each.
const RANDOM: usize = 8;

fn main() {
    let Some(text) = support::index() else { return };
    let texts = vec![IndexText { repository: 0, text, whole: true, cold: None }];
    let universe = Universe::parse(texts, Arch::Amd64).expect("the index is good");
    let names: Vec<&str> = universe.packages().map(|package| package.name()).collect();
    let mut sets: Vec<(String, Vec<&str>)> =
        NAMED.iter().map(|set| ((*set).to_owned(), set.split(' ').collect())).collect();
    // Knuth's generator: the same requests for the same index.
    let mut state: u64 = 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        names[(state >> 33) as usize % names.len()]
    };
    for number in 0..RANDOM {
        sets.push((format!("random 300, {number}"), (0..300).map(|_| next()).collect()));
    }
    let none = BTreeSet::new();
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for (minimize, label) in [(Minimize::InstalledSize, "size"), (Minimize::Packages, "packages")] {
        let mut group = criterion.benchmark_group(format!("solve, {label}"));
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(1500));
        for (name, set) in &sets {
            let requests: Vec<_> = set
                .iter()
                .filter_map(|text| {
                    Some(SolveRequest {
                        clause: RelationGroup::parse(text).ok()?,
                        text: (*text).into(),
                        line: 1.into(),
                        by: None,
                    })
                })
                .collect();
            let problem = || Problem {
                universe: &universe,
                requests: requests.clone(),
                provided: &none,
                forbid: &none,
                prefer: &[],
                minimize,
                node_limit: NODE_LIMIT,
            };
            match solve(&problem()) {
                Ok(s) => println!(
                    "{name}: {} packages, {} KiB, {} nodes, {}",
                    s.packages.len(),
                    s.installed_size,
                    s.nodes,
                    if s.proven { "proven" } else { "NOT PROVEN" }
                ),
                Err(_) => println!("{name}: no solution"),
            }
            group.bench_function(name, |b| {
                b.iter_batched(problem, |problem| black_box(solve(&problem).is_ok()), criterion::BatchSize::SmallInput);
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
