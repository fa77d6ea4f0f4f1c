//! The choices that were open, and what each other option would have cost.
//!
//! In: a problem and its solution. Out: [`Choice`]s: the smallest answer can be silly (a dictionary of Tibetan), so a
//! person sees where the solver, not a dependency, decided. What a choice does not touch is not searched again: it
//! lies in one of the independent parts that are left when all that is forced is done.

use super::{
    Problem, Solution,
    search::{Answer, Root, priced},
    solved, weight,
};
use crate::universe::{CandidateId, UniverseError};

/// A clause that several candidates could meet, where nothing else forced one of them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Chosen: mostly one.
    pub taken: Vec<CandidateId>,
    /// Whose clause; `None`: a request of the manifest. One of them, if several have it.
    pub by: Option<CandidateId>,
    /// The clause as written.
    pub relation: String,
    /// The options not taken, the cheapest first, then by name.
    pub instead: Vec<Instead>,
}

/// An option not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instead {
    /// Which.
    pub id: CandidateId,
    /// What the best solution with it, and without what was taken, would have.
    pub price: Price,
}

/// What an option would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Price {
    /// So much more in what `minimize` says: KiB, packages, or bytes.
    More(u64),
    /// The search for it was given up at the node limit.
    Unknown,
    /// There is no solution with it and without what was taken.
    Impossible,
}

/// The open choices of a proven solution, in the order of what was taken; none for an unproven one.
///
/// # Errors
/// Broken package data.
pub fn choices(problem: &Problem<'_>, solution: &Solution) -> Result<Vec<Choice>, UniverseError> {
    if !solution.proven {
        return Ok(Vec::new());
    }
    let (cone, instance) = solved(problem, solution)?;
    let Some(root) = Root::new(&instance) else { return Ok(Vec::new()) };
    let is_chosen = |number: &u32| {
        let id = cone.candidates[*number as usize];
        solution.packages.binary_search_by_key(&id, |chosen| chosen.id).is_ok()
    };
    // Equal options, whoever asks for them, are one choice.
    let mut seen = std::collections::BTreeSet::new();
    let mut open: Vec<(Choice, usize, Vec<u32>, Vec<u32>)> = Vec::new();
    for (clause, origin) in instance.clauses.iter().zip(&cone.origins) {
        if clause.owner.is_some_and(|owner| !is_chosen(&owner)) || clause.lits.iter().any(|lit| root.is_forced(*lit)) {
            continue;
        }
        let live: Vec<u32> = clause.lits.iter().copied().filter(|lit| root.part_of(*lit).is_some()).collect();
        let Some(part) = live.first().and_then(|lit| root.part_of(*lit)) else { continue };
        if live.len() < 2 || !seen.insert(live.clone()) {
            continue;
        }
        let (taken, others): (Vec<u32>, Vec<u32>) = live.iter().partition(|lit| is_chosen(lit));
        let by = origin.owner.map(|owner| cone.candidates[owner as usize]);
        let relation = match by {
            None => problem.requests.get(origin.index).map(|request| request.text.clone()).unwrap_or_default(),
            Some(id) => {
                let atoms = problem.universe.package(id).depends().nth(origin.index).transpose()?.unwrap_or_default();
                atoms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
            }
        };
        let ids = taken.iter().map(|number| cone.candidates[*number as usize]).collect();
        open.push((Choice { taken: ids, by, relation, instead: Vec::new() }, part, taken, others));
    }
    let questions: Vec<_> = open
        .iter()
        .flat_map(|(_, part, taken, others)| {
            others.iter().map(move |other| {
                let assumed = taken.iter().map(|lit| (*lit, false)).chain([(*other, true)]);
                (*part, assumed.collect::<Vec<_>>())
            })
        })
        .collect();
    let mut prices = priced(&root, &questions, problem.node_limit).into_iter();
    let mut found = Vec::new();
    for (mut choice, _, _, others) in open {
        for (other, price) in others.iter().zip(&mut prices) {
            let primary = |cost| weight::primary(cost, problem.minimize);
            let price = match price {
                // Each first, then the difference: the lower fields of a cost would borrow from the first.
                Answer::Cost(least, found) => Price::More(primary(found).saturating_sub(primary(least))),
                Answer::Impossible => Price::Impossible,
                Answer::Unknown => Price::Unknown,
            };
            choice.instead.push(Instead { id: cone.candidates[*other as usize], price });
        }
        choice.instead.sort_by_key(|instead| (instead.price, instead.id));
        found.push(choice);
    }
    found.sort_by(|a, b| (&a.taken, a.by).cmp(&(&b.taken, b.by)));
    Ok(found)
}
