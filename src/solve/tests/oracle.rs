//! Every subset of a small random universe is tried, by rules written down a second time here.

use std::fmt::Write as _;

use proptest::{collection::vec, prelude::*, sample::subsequence};

use super::text::{Case, universe};
use crate::{manifest::Minimize, solve::SolveError};

/// `p0`, `p1` … are packages; from `VIRTUAL` on, names are `v0`, `v1` …, which no package has.
const VIRTUAL: usize = 100;

#[derive(Debug, Clone)]
struct Atom {
    name: usize,
    /// Relation and version.
    constraint: Option<(&'static str, u64)>,
}

#[derive(Debug, Clone)]
struct Package {
    version: u64,
    size: u64,
    depends: Vec<Vec<Atom>>,
    conflicts: Vec<Atom>,
    provides: Vec<(usize, Option<u64>)>,
}

#[derive(Debug, Clone)]
struct World {
    packages: Vec<Package>,
    requests: Vec<Vec<Atom>>,
    provided: Vec<usize>,
    forbid: Vec<usize>,
    minimize: Minimize,
}

fn atom(packages: usize) -> impl Strategy<Value = Atom> {
    let name = prop_oneof![6 => 0..packages, 1 => Just(packages + 50), 3 => VIRTUAL..VIRTUAL + 3];
    let op = prop_oneof![Just("<<"), Just("<="), Just("="), Just(">="), Just(">>")];
    let constraint = prop_oneof![5 => Just(None), 1 => (op, 1u64..4).prop_map(Some)];
    (name, constraint).prop_map(|(name, constraint)| Atom { name, constraint })
}

fn world() -> impl Strategy<Value = World> {
    (3usize..11).prop_flat_map(|n| {
        let clause = || vec(atom(n), 1..4);
        let provide = (prop_oneof![3 => VIRTUAL..VIRTUAL + 3, 1 => 0..n], prop_oneof![Just(None), (1u64..4).prop_map(Some)]);
        let package = (1u64..4, 0u64..6, vec(clause(), 0..3), vec(atom(n), 0..2), vec(provide, 0..2)).prop_map(
            |(version, size, depends, conflicts, provides)| Package { version, size, depends, conflicts, provides },
        );
        let minimize = prop_oneof![4 => Just(Minimize::InstalledSize), 1 => Just(Minimize::Packages), 1 => Just(Minimize::DownloadSize)];
        let few = || prop_oneof![3 => Just(Vec::new()), 1 => subsequence((0..n).collect::<Vec<_>>(), 1..3)];
        (vec(package, n), vec(clause(), 1..4), few(), few(), minimize).prop_map(
            |(packages, requests, provided, forbid, minimize)| World { packages, requests, provided, forbid, minimize },
        )
    })
}

fn name(name: usize) -> String {
    if name >= VIRTUAL { format!("v{}", name - VIRTUAL) } else { format!("p{name}") }
}

fn show_atom(atom: &Atom) -> String {
    match atom.constraint {
        None => name(atom.name),
        Some((op, version)) => format!("{} ({op} {version})", name(atom.name)),
    }
}

fn show_clause(clause: &[Atom]) -> String {
    clause.iter().map(show_atom).collect::<Vec<_>>().join(" | ")
}

impl World {
    fn lines(&self) -> String {
        let mut out = String::new();
        for (index, package) in self.packages.iter().enumerate() {
            let list = |items: Vec<String>| items.join(", ");
            let provides = package.provides.iter().map(|(what, version)| {
                version.map_or_else(|| name(*what), |version| format!("{} (= {version})", name(*what)))
            });
            writeln!(
                out,
                "p{index} {} {} : depends {}; breaks {}; provides {}",
                package.version,
                package.size,
                list(package.depends.iter().map(|clause| show_clause(clause)).collect()),
                list(package.conflicts.iter().map(show_atom).collect()),
                list(provides.collect()),
            )
            .unwrap();
        }
        out
    }

    /// The packages that satisfy an atom, as bits; a real package hides the providers in a request.
    fn meets(&self, atom: &Atom, is_request: bool) -> u32 {
        let holds = |version: Option<u64>| match (atom.constraint, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((op, bound)), Some(version)) => match op {
                "<<" => version < bound,
                "<=" => version <= bound,
                "=" => version == bound,
                ">=" => version >= bound,
                _ => version > bound,
            },
        };
        let mut out = 0;
        for (index, package) in self.packages.iter().enumerate() {
            let by_name = index == atom.name && holds(Some(package.version));
            let hidden = is_request && atom.name < self.packages.len();
            let by_provides = !hidden && package.provides.iter().any(|(what, v)| *what == atom.name && holds(*v));
            out |= u32::from(by_name || by_provides) << index;
        }
        out
    }

    fn allowed(&self) -> u32 {
        let mut out = (1 << self.packages.len()) - 1;
        for forbidden in &self.forbid {
            out &= !(1 << forbidden);
        }
        for provided in &self.provided {
            if !self.requests.iter().flatten().any(|atom| atom.name == *provided) {
                out &= !(1 << provided);
            }
        }
        // A request on its own chooses the version; a package whose only version it does not allow is out.
        for request in &self.requests {
            if let [only] = request.as_slice()
                && only.name < self.packages.len()
                && self.meets(only, true) == 0
            {
                out &= !(1 << only.name);
            }
        }
        out
    }

    /// Clauses as (owner, one set of bits per alternative), those met by a provided package left out.
    fn clauses(&self) -> Vec<(Option<usize>, Vec<u32>)> {
        let allowed = self.allowed();
        let counts: Vec<usize> = self
            .provided
            .iter()
            .copied()
            .filter(|p| !self.requests.iter().any(|r| matches!(r.as_slice(), [only] if only.name == *p)))
            .collect();
        let mut out = Vec::new();
        for request in &self.requests {
            out.push((None, request.iter().map(|atom| self.meets(atom, true) & allowed).collect()));
        }
        for (owner, package) in self.packages.iter().enumerate() {
            for clause in &package.depends {
                let is_cut = clause
                    .iter()
                    .any(|atom| counts.iter().any(|p| atom.name == *p || self.meets(atom, false) & 1 << p != 0));
                if !is_cut {
                    out.push((Some(owner), clause.iter().map(|atom| self.meets(atom, false) & allowed).collect()));
                }
            }
        }
        out
    }

    /// The best subset, as bits.
    fn best(&self) -> Option<u32> {
        let clauses = self.clauses();
        let excluded: Vec<u32> = self
            .packages
            .iter()
            .enumerate()
            .map(|(own, p)| p.conflicts.iter().map(|atom| self.meets(atom, false)).fold(0, |a, b| a | b) & !(1 << own))
            .collect();
        // What the requests can reach, and of that, what is nobody's first alternative.
        let (mut cone, mut first) = (0u32, 0u32);
        loop {
            let before = cone;
            for (owner, alternatives) in &clauses {
                if owner.is_none_or(|owner| cone & 1 << owner != 0) {
                    cone |= alternatives.iter().fold(0, |a, b| a | b);
                    first |= alternatives.first().copied().unwrap_or(0);
                }
            }
            if cone == before {
                break;
            }
        }
        let late = cone & !first;
        let bits = |set: u32| (0..self.packages.len()).filter(move |i| set & 1 << i != 0);
        (0u32..1 << self.packages.len())
            .filter(|set| set & !self.allowed() == 0)
            .filter(|set| bits(*set).all(|i| excluded[i] & set == 0))
            .filter(|set| {
                clauses.iter().all(|(owner, alternatives)| {
                    owner.is_some_and(|owner| set & 1 << owner == 0) || alternatives.iter().any(|a| a & set != 0)
                })
            })
            .min_by_key(|set| {
                let size: u64 = bits(*set).map(|i| self.packages[i].size).sum();
                let (count, late) = (u64::from(set.count_ones()), u64::from((set & late).count_ones()));
                // Every .deb of the text language has the same size.
                let objective = match self.minimize {
                    Minimize::InstalledSize => [size, count, late],
                    Minimize::Packages => [count, size, late],
                    Minimize::DownloadSize => [count, count, late],
                };
                (objective, bits(*set).map(|i| format!("p{i}")).collect::<Vec<_>>())
            })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_trying_every_subset(world in world()) {
        let lines = world.lines();
        let universe = universe(&lines);
        let requests: Vec<String> = world.requests.iter().map(|clause| show_clause(clause)).collect();
        let requests: Vec<&str> = requests.iter().map(String::as_str).collect();
        let (provided, forbid): (Vec<_>, Vec<_>) =
            (world.provided.iter().map(|p| name(*p)).collect(), world.forbid.iter().map(|p| name(*p)).collect());
        let case = Case {
            install: &requests,
            provided: &provided.iter().map(String::as_str).collect::<Vec<_>>(),
            forbid: &forbid.iter().map(String::as_str).collect::<Vec<_>>(),
            minimize: world.minimize,
            ..Case::default()
        };
        let ours = match case.solve(&universe) {
            Ok(solution) => {
                prop_assert!(solution.proven);
                let chosen = solution.packages.iter().map(|c| universe.package(c.id).name().to_owned());
                Some(chosen.collect::<Vec<_>>())
            }
            Err(SolveError::Unsolvable(why)) => {
                prop_assert!(why.line().is_some(), "an explanation names the request:\n{}\n{}", lines, why);
                prop_assert!(why.steps.len() >= 2, "an explanation has a reason:\n{}\n{}", lines, why);
                None
            }
            Err(other) => panic!("{other}"),
        };
        let best = world.best().map(|set| {
            let bits = (0..world.packages.len()).filter(|i| set & 1 << i != 0);
            bits.map(|i| format!("p{i}")).collect::<Vec<_>>()
        });
        prop_assert_eq!(ours, best, "requests {:?} provided {:?} forbid {:?}\n{}", requests, provided, forbid, lines);
    }

    /// A limit never makes a solution wrong, only unproven.
    #[test]
    fn a_node_limit_still_gives_a_solution(world in world()) {
        let universe = universe(&world.lines());
        let requests: Vec<String> = world.requests.iter().map(|clause| show_clause(clause)).collect();
        let requests: Vec<&str> = requests.iter().map(String::as_str).collect();
        let full = Case { install: &requests, ..Case::default() }.solve(&universe);
        let short = Case { install: &requests, node_limit: 1, ..Case::default() }.solve(&universe);
        match (full, short) {
            (Ok(full), Ok(short)) => {
                prop_assert!(short.installed_size >= full.installed_size);
                prop_assert!(short.lower_bound <= full.installed_size);
                prop_assert!(!short.proven || short.packages == full.packages);
            }
            (Err(_), Err(_)) => {}
            (full, short) => panic!("{full:?} against {short:?}"),
        }
    }
}
