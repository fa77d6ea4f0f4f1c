//! The problem as OPB, the pseudo-Boolean competition's format, so that anybody's solver can confirm the optimum.
//!
//! In: a problem and its solution. Out: text. A variable for each candidate in reach; requests and dependencies as
//! clauses, conflicts as pairs; the objective is the first word of ours: what `minimize` says.

use std::fmt::Write as _;

use super::{Problem, Solution, solved};
use crate::{manifest::Minimize, universe::UniverseError};

/// Writes the instance that `solution` solves, its claim in a comment.
///
/// # Errors
/// Broken package data.
pub fn opb(problem: &Problem<'_>, solution: &Solution) -> Result<String, UniverseError> {
    let (cone, instance) = solved(problem, solution)?;
    let cost = |number: usize| {
        let package = problem.universe.package(cone.candidates[number]);
        match problem.minimize {
            Minimize::InstalledSize => package.installed_size(),
            Minimize::DownloadSize => package.size(),
            Minimize::Packages => 1,
        }
    };
    let (what, claim) = match problem.minimize {
        Minimize::InstalledSize => ("installed", solution.installed_size),
        Minimize::DownloadSize => ("to download", solution.download_size),
        Minimize::Packages => ("installed", solution.packages.len() as u64),
    };
    let unit = problem.minimize.unit();
    let clauses = instance.clauses.iter();
    let constraints = clauses.clone().count() + instance.exclusions.len();
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "* #variable= {} #constraint= {constraints}", cone.candidates.len().max(1));
    let _ = match solution.proven {
        true => writeln!(out, "* claimed optimum: {claim} {unit} {what}"),
        false => writeln!(out, "* not proven; found: {claim} {unit} {what}, lower bound: {}", solution.lower_bound),
    };
    for (number, id) in (1..).zip(&cone.candidates) {
        let chosen = solution.packages.binary_search_by_key(id, |chosen| chosen.id).is_ok();
        let mark = if chosen { ", chosen" } else { "" };
        let _ = writeln!(out, "* x{number} = {:?}{mark}", problem.universe.package(*id));
    }
    out.push_str("min:");
    for number in 0..cone.candidates.len() {
        let _ = write!(out, " +{} x{}", cost(number), number + 1);
    }
    if cone.candidates.is_empty() {
        out.push_str(" +0 x1");
    }
    out.push_str(" ;\n");
    for clause in clauses {
        if let Some(owner) = clause.owner {
            let _ = write!(out, "-1 x{} ", owner + 1);
        }
        for lit in clause.lits {
            let _ = write!(out, "+1 x{} ", lit + 1);
        }
        // An empty clause: no solver takes a constraint without a variable.
        if clause.owner.is_none() && clause.lits.is_empty() {
            out.push_str("+0 x1 ");
        }
        let _ = writeln!(out, ">= {} ;", if clause.owner.is_some() { 0 } else { 1 });
    }
    for (a, b) in &instance.exclusions {
        let _ = writeln!(out, "-1 x{} -1 x{} >= -1 ;", a + 1, b + 1);
    }
    Ok(out)
}
