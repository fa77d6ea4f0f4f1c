//! Which packages to install: the smallest set that meets every request and every dependency, or why there is none.
//!
//! In: [`Problem`]: a universe and what the manifest says. Out: [`Solution`], one and the same on every machine, or
//! [`SolveError`] with the reasons in words. On the way: the reachable cone, an instance of numbers, the search, and
//! what the result means in terms of packages again.

mod bound;
mod choices;
pub mod closure;
mod cone;
mod explain;
mod instance;
mod proof;
mod reduce;
mod report;
mod search;
mod weight;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use choices::{Choice, Instead, Price, choices};
pub use closure::Closure;
pub use explain::{Step, Unsolvable};
pub use proof::opb;

use crate::{
    base::{
        Line, PackageName,
        refusal::{self, Refusal, Refuses},
    },
    control::RelationGroup,
    manifest::Minimize,
    universe::{CandidateId, Universe, UniverseError},
};
use cone::{Cone, Selection};
use instance::{Clauses, Engine, Instance};
use search::{Outcome, search};

/// Search nodes that no real problem came near.
pub const NODE_LIMIT: u64 = 200_000;

/// One entry of `packages.install`, or what a wheel or tarball needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolveRequest {
    /// What is asked for.
    pub clause: RelationGroup,
    /// As written.
    pub text: String,
    /// Line in the manifest, from 1; 0 for a request that the manifest only implies.
    pub line: Line,
    /// What needs it, such as “the wheel numpy”; `None`: the manifest itself asks.
    pub by: Option<String>,
}

impl SolveRequest {
    /// In words: “`python3` is asked for (packages.install, line 4)”.
    pub fn in_words(&self) -> String {
        match &self.by {
            Some(by) => format!("`{}` is needed by {by}", self.text),
            None => format!("`{}` is asked for{}", self.text, self.place()),
        }
    }

    /// “ (packages.install, line 4)”, or who needs it.
    fn place(&self) -> String {
        match (&self.by, self.line.number) {
            (Some(by), _) => format!(" (needed by {by})"),
            (None, 0) => String::new(),
            (None, _) => format!(" (packages.install, line {})", self.line),
        }
    }
}

/// What is to be solved.
#[derive(Debug, Clone)]
pub struct Problem<'u> {
    /// What there is.
    pub universe: &'u Universe,
    /// All of these.
    pub requests: Vec<SolveRequest>,
    /// A dependency with an alternative that names one of these, or that one of these would satisfy, counts as met;
    /// they themselves are installed only if a request names them.
    pub provided: &'u BTreeSet<PackageName>,
    /// Never installed.
    pub forbid: &'u BTreeSet<PackageName>,
    /// Taken over a cheaper alternative wherever there is a choice; the earlier count more.
    pub prefer: &'u [PackageName],
    /// What the solution is smallest in.
    pub minimize: Minimize,
    /// After so many nodes the best solution so far is taken: [`NODE_LIMIT`] unless there is a reason.
    pub node_limit: u64,
}

/// A chosen package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub id: CandidateId,
    /// The chosen packages that depend on it directly, sorted. Empty: only the manifest asks for it.
    pub required_by: Vec<PackageName>,
}

/// A dependency that counts as met because of `provided`, and is not met by any chosen package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Whose dependency.
    pub package: PackageName,
    /// The provided package.
    pub dependency: PackageName,
    /// The clause as written.
    pub relation: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// Sorted by name.
    pub packages: Vec<Chosen>,
    /// There is no better one. False only beyond the node limit.
    pub proven: bool,
    /// No solution has less than this in what `minimize` says: KiB, packages, or bytes.
    pub lower_bound: u64,
    /// Sum of installed sizes, KiB.
    pub installed_size: u64,
    /// Sum of the `.deb`s' sizes, bytes.
    pub download_size: u64,
    /// Sorted.
    pub cut: Vec<Cut>,
    /// Entries of `prefer` that no solution can honour together with those before them.
    pub not_preferred: Vec<PackageName>,
    /// Nodes searched.
    pub nodes: u64,
}

/// No answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SolveError {
    /// There is no solution.
    #[error(transparent)]
    Unsolvable(#[from] Unsolvable),
    /// A package that matters has broken data.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// The search was given up before it found any solution.
    #[error(
        "no solution was found within {nodes} search nodes, and none was ruled out; ask for fewer packages at once, or decide some choices with prefer and forbid"
    )]
    GaveUp {
        /// Nodes searched.
        nodes: u64,
    },
}

impl Refuses for SolveError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Unsolvable(_) => refusal::UNSATISFIABLE,
            Self::Universe(error) => error.refusal(),
            Self::GaveUp { .. } => refusal::SEARCH_GIVEN_UP,
        }
    }
}

/// Solves `problem`: the cheapest solution by what `minimize` says, then by number of packages, by number of
/// packages that are nobody's first alternative, by names in order.
///
/// # Errors
/// No solution, broken package data, or a search beyond its limit.
pub fn solve(problem: &Problem<'_>) -> Result<Solution, SolveError> {
    let selection = Selection::new(problem);
    let cone = cone::reach(problem, &selection)?;
    let instance = instance(problem, &cone);
    let mut engine = Engine::new(&instance);
    if engine.start().is_err() {
        return Err(explain::explain(problem, &selection, &cone, &instance).into());
    }
    let (outcome, not_preferred) = search_preferring(problem, &cone, &instance, &engine);
    let Some(found) = outcome.found else {
        if outcome.proven {
            return Err(explain::explain(problem, &selection, &cone, &instance).into());
        }
        return Err(SolveError::GaveUp { nodes: outcome.nodes });
    };
    let ids: Vec<CandidateId> = found.vars.iter().filter_map(|v| cone.candidates.get(*v as usize)).copied().collect();
    let (packages, cut) = report::report(problem.universe, &selection, &ids)?;
    let packages_of = || ids.iter().map(|id| problem.universe.package(*id));
    Ok(Solution {
        packages,
        proven: outcome.proven,
        lower_bound: weight::primary(outcome.lower_bound, problem.minimize),
        installed_size: packages_of().map(|p| p.installed_size()).sum(),
        download_size: packages_of().map(|p| p.size()).sum(),
        cut,
        not_preferred,
        nodes: outcome.nodes,
    })
}

/// The numbers of a cone.
fn instance(problem: &Problem<'_>, cone: &Cone) -> Instance {
    let weights = cone
        .candidates
        .iter()
        .zip(&cone.only_late)
        .map(|(id, late)| weight::weight(&problem.universe.package(*id), problem.minimize, *late));
    Instance { weights: weights.collect(), clauses: cone.clauses.clone(), exclusions: cone.exclusions.clone() }
}

/// The instance that `solution` solves: the preferences that it honours are part of it.
fn solved(problem: &Problem<'_>, solution: &Solution) -> Result<(Cone, Instance), UniverseError> {
    let cone = cone::reach(problem, &Selection::new(problem))?;
    let instance = instance(problem, &cone);
    let kept: Vec<_> = problem.prefer.iter().filter(|name| !solution.not_preferred.contains(name)).collect();
    let preferred = numbers_of(problem, &cone, &kept);
    if preferred.is_empty() {
        return Ok((cone, instance));
    }
    let mut engine = Engine::new(&instance);
    // There is a solution, so nothing contradicts.
    let _ = engine.start();
    let preferring = preferring(&instance, &engine, &preferred);
    Ok((cone, preferring))
}

/// The numbers in the cone of the packages called so; sorted.
fn numbers_of(problem: &Problem<'_>, cone: &Cone, names: &[&PackageName]) -> Vec<u32> {
    let wanted = |id: &CandidateId| names.iter().any(|n| n.as_str() == problem.universe.package(*id).name());
    (0u32..).zip(&cone.candidates).filter(|(_, id)| wanted(id)).map(|(number, _)| number).collect()
}

/// Searches with every preference; if that leaves no solution, with as many of them as there can be, the earlier
/// ones first.
fn search_preferring(
    problem: &Problem<'_>,
    cone: &Cone,
    instance: &Instance,
    engine: &Engine<'_>,
) -> (Outcome, Vec<PackageName>) {
    let numbers = |names: &[&PackageName]| numbers_of(problem, cone, names);
    let all: Vec<&PackageName> = problem.prefer.iter().collect();
    let preferred = numbers(&all);
    if preferred.is_empty() {
        return (search(instance, problem.node_limit), Vec::new());
    }
    let first = search(&preferring(instance, engine, &preferred), problem.node_limit);
    if first.found.is_some() {
        return (first, Vec::new());
    }
    let mut nodes = first.nodes;
    let mut best = search(instance, problem.node_limit);
    let mut kept: Vec<&PackageName> = Vec::new();
    let mut refused = Vec::new();
    if best.found.is_some() {
        for name in all {
            kept.push(name);
            let outcome = search(&preferring(instance, engine, &numbers(&kept)), problem.node_limit);
            nodes += outcome.nodes;
            if outcome.found.is_some() {
                best = outcome;
            } else {
                kept.pop();
                refused.push(name.clone());
            }
        }
    }
    best.nodes += nodes;
    (best, refused)
}

/// `instance` with every clause that has a preferred literal, and is not satisfied by what is chosen in any case, cut
/// down to the preferred ones.
fn preferring(instance: &Instance, engine: &Engine<'_>, preferred: &[u32]) -> Instance {
    let mut clauses = Clauses::default();
    for clause in instance.clauses.iter() {
        let live = |l: &&u32| engine.value(**l) != Some(false);
        let settled = clause.lits.iter().any(|l| engine.value(*l) == Some(true));
        let is_wanted = |l: &&u32| live(l) && preferred.binary_search(l).is_ok();
        if !settled && clause.lits.iter().any(|l| is_wanted(&l)) {
            clauses.push(clause.owner, clause.lits.iter().filter(is_wanted).copied());
        } else {
            clauses.push(clause.owner, clause.lits.iter().copied());
        }
    }
    Instance { clauses, ..instance.clone() }
}
