//! The smallest set of packages that satisfies the manifest.
//!
//! In: a [`Universe`], requests and what the manifest says of provided, forbidden and preferred packages. Out: a
//! [`Solution`] with whether it is proven to be the smallest, or why there is none.

mod instance;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use instance::SolveError;

use crate::{
    control::RelationGroup,
    manifest::Minimize,
    universe::{Id, Universe},
};

/// One request of the manifest.
#[derive(Debug, Clone)]
pub struct SolveRequest {
    /// What must hold.
    pub clause: RelationGroup,
    /// Line of the manifest.
    pub line: usize,
}

/// What is to be solved.
#[derive(Debug)]
pub struct Problem<'u> {
    /// Every package there is.
    pub universe: &'u Universe<'u>,
    /// What the manifest asks for.
    pub requests: Vec<SolveRequest>,
    /// A dependency on one of these counts as met.
    pub provided: BTreeSet<String>,
    /// Never chosen.
    pub forbid: BTreeSet<String>,
    /// Taken over a smaller alternative.
    pub prefer: BTreeSet<String>,
    /// What is added up.
    pub minimize: Minimize,
    /// Search nodes after which the best answer so far is taken, unproven.
    pub node_limit: u64,
}

/// The chosen packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// Sorted by name.
    pub packages: Vec<Chosen>,
    /// No smaller set exists.
    pub proven: bool,
    /// Sum of Installed-Size, KiB.
    pub installed_size: u64,
    /// Dependencies that only `provided` meets, sorted.
    pub cut: Vec<Cut>,
    /// Search nodes visited.
    pub nodes: u64,
}

/// One package of a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The candidate.
    pub id: Id,
    /// Direct dependants in the solution, sorted; empty when only the manifest asks for it.
    pub required_by: Vec<String>,
}

/// A dependency without a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Who depends.
    pub package: String,
    /// On whom.
    pub dependency: String,
}

/// Solves.
///
/// # Errors
/// When no set of packages satisfies the requests: why, in words.
pub fn solve(problem: &Problem<'_>) -> Result<Solution, SolveError> {
    let instance = instance::Instance::build(problem)?;
    let found = search::search(&instance, problem.node_limit)?;
    Ok(instance.solution(&found))
}
