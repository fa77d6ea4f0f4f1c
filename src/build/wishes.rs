//! What a manifest, with its wheels and tarballs, wants of the solver, in the solver's words.
//!
//! In: `[packages]`, and [`Needs`]: what is asked for by a library's or a file's name, and which packages would do. Out: a
//! [`Problem`] in a universe.

use std::collections::{BTreeMap, BTreeSet};

use super::ResolveError;
use crate::{
    base::{Line, PackageName},
    control::RelationGroup,
    lock::{LockedNeed, Target},
    manifest::{Manifest, Want},
    solve::{NODE_LIMIT, Problem, SolveRequest},
    tree::Origin,
    universe::Universe,
};

/// Needs by name, and what meets them.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    /// By `soname:libGL.so.1` or `file:/usr/bin/git`, the clause of packages that would do.
    pub clauses: BTreeMap<String, String>,
    /// What wheels and tarballs need: by the same, who does, sorted; the manifest's own requests are not among them.
    pub by: BTreeMap<String, BTreeSet<Origin>>,
}

impl Needs {
    /// As a lock has them.
    fn locked(target: &Target) -> Self {
        let clauses = target.needs.iter().map(|need| (need.what.clone(), need.clause.clone())).collect();
        let mut by: BTreeMap<String, BTreeSet<Origin>> = BTreeMap::new();
        let tarballs = target.tarballs.iter().map(|t| (Origin::Tarball(t.name.as_str().into()), &t.needs));
        let wheels = target.wheels.iter().map(|w| (Origin::Wheel(w.name.as_str().into()), &w.needs));
        for (origin, needs) in tarballs.chain(wheels) {
            for name in needs {
                by.entry(what(name)).or_default().insert(origin.clone());
            }
        }
        Self { clauses, by }
    }

    /// For a lock.
    pub fn to_lock(&self) -> Vec<LockedNeed> {
        let locked = |(what, clause): (&String, &String)| LockedNeed { what: what.clone(), clause: clause.clone() };
        self.clauses.iter().map(locked).collect()
    }
}

/// Before the path of a file that is asked for.
pub(super) const FILE: &str = "file:";

/// How something is asked for that a lock's wheel or tarball needs: a library, or a file with [`FILE`] before it. No
/// library has such a name, as none with a slash is in a Contents index's table.
pub(super) fn what(need: &str) -> String {
    if need.starts_with(FILE) { need.to_owned() } else { format!("soname:{need}") }
}

/// What a manifest wants of the solver.
pub struct Wishes<'m> {
    manifest: &'m Manifest,
    requests: Vec<SolveRequest>,
    /// Who needs each of them; nobody but the manifest if empty.
    by: Vec<BTreeSet<Origin>>,
    provided: BTreeSet<PackageName>,
    forbid: BTreeSet<PackageName>,
}

impl<'m> Wishes<'m> {
    /// Of `[packages]` and of what is needed beside it.
    ///
    /// # Errors
    /// A request that is no clause, or a need without one.
    pub(super) fn of(manifest: &'m Manifest, needs: &Needs) -> Result<Self, ResolveError> {
        let packages = &manifest.packages;
        let mut requests = Vec::new();
        for request in &packages.install {
            let (line, text) = (request.line.clone(), request.text.clone());
            let clause = match &request.want {
                Want::Clause => &text,
                Want::File(_) | Want::Soname(_) => {
                    needs.clauses.get(&text).ok_or_else(|| ResolveError::NotLocked { what: text.clone() })?
                }
            };
            let clause =
                RelationGroup::parse(clause).map_err(|source| ResolveError::Request { line: line.clone(), source })?;
            requests.push(SolveRequest { clause, text, line, by: None });
        }
        let mut all_by = vec![BTreeSet::new(); requests.len()];
        for (what, by) in &needs.by {
            // What nobody can provide was judged before.
            let Some(clause) = needs.clauses.get(what) else { continue };
            let clause = RelationGroup::parse(clause)
                .map_err(|source| ResolveError::Request { line: Line::default(), source })?;
            let text = what.strip_prefix("soname:").unwrap_or(what).to_owned();
            requests.push(SolveRequest { clause, text, line: Line::default(), by: Some(in_words(by)) });
            all_by.push(by.clone());
        }
        Ok(Self {
            manifest,
            requests,
            by: all_by,
            provided: packages.provided_reasons().keys().cloned().collect(),
            forbid: packages.forbid.iter().cloned().collect(),
        })
    }

    /// Of a manifest and what its lock knows of needs.
    ///
    /// # Errors
    /// As [`Wishes::of`].
    pub fn locked(manifest: &'m Manifest, target: &Target) -> Result<Self, ResolveError> {
        Self::of(manifest, &Needs::locked(target))
    }

    /// The requests: the manifest's in its order, then what is needed, by name.
    pub fn requests(&self) -> &[SolveRequest] {
        &self.requests
    }

    /// The requests that are a wheel's or a tarball's needs, by number, and whether it alone has each.
    pub(super) fn of_origin(&self, origin: &Origin) -> impl Iterator<Item = (usize, bool)> {
        let all = self.by.iter().enumerate();
        all.filter(move |(_, by)| by.contains(origin)).map(|(number, by)| (number, by.len() == 1))
    }

    /// What prices are counted in.
    pub fn unit(&self) -> &'static str {
        self.manifest.packages.minimize.unit()
    }

    /// The problem in one universe.
    pub fn problem<'u>(&'u self, universe: &'u Universe) -> Problem<'u> {
        Problem {
            universe,
            requests: self.requests.clone(),
            provided: &self.provided,
            forbid: &self.forbid,
            prefer: &self.manifest.packages.prefer,
            minimize: self.manifest.packages.minimize,
            node_limit: NODE_LIMIT,
        }
    }
}

/// “the wheel a, the wheel b and 3 more”.
fn in_words(by: &BTreeSet<Origin>) -> String {
    let names: Vec<String> = by.iter().take(2).map(ToString::to_string).collect();
    match by.len().saturating_sub(names.len()) {
        0 => names.join(" and "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
