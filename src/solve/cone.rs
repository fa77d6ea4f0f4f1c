//! The reachable cone: every candidate that a request can pull in, and what it demands in turn.
//!
//! In: [`Problem`]. Out: [`Cone`]: candidates numbered in the order of their names, clauses and exclusions between
//! those numbers, each clause with where it came from, so that a contradiction can be told in words.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Problem, instance::Clause};
use crate::{
    control::{Atom, Relation},
    universe::{
        CandidateId, NameId, Package, Universe, UniverseError,
        graph::{Kind, Target},
    },
};

/// Where a clause came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Whose dependency it is; `None`: the manifest's.
    pub(super) owner: Option<u32>,
    /// Which of the owner's dependencies, or which of the requests.
    pub(super) index: usize,
}

/// What the search needs, and what the explanation needs.
#[derive(Debug)]
pub(super) struct Cone {
    /// Candidates by number: ordered by name.
    pub(super) candidates: Vec<CandidateId>,
    pub(super) clauses: Vec<Clause>,
    /// Beside `clauses`.
    pub(super) origins: Vec<Origin>,
    /// Pairs, the smaller number first, sorted, without repeats.
    pub(super) exclusions: Vec<(u32, u32)>,
    /// Candidates that are in the cone, and only as a second or later alternative.
    pub(super) only_late: Vec<bool>,
}

/// Which version of each name may be chosen, and which none.
pub(super) struct Selection<'p, 'u> {
    problem: &'p Problem<'u>,
    /// Constraints that the manifest's own single-alternative requests put on a name.
    pins: BTreeMap<&'p str, Vec<&'p Relation>>,
    /// Names that some request mentions: these are installed even if they are `provided`.
    requested: BTreeSet<&'p str>,
    /// Names requested on their own: for these `provided` has no effect at all.
    wanted: BTreeSet<&'p str>,
}

impl<'p, 'u> Selection<'p, 'u> {
    pub(super) fn new(problem: &'p Problem<'u>) -> Self {
        let mut pins: BTreeMap<&str, Vec<&Relation>> = BTreeMap::new();
        let (mut requested, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        for request in &problem.requests {
            let alternatives = request.clause.alternatives();
            requested.extend(alternatives.iter().map(|r| r.name.as_str()));
            if let [only] = alternatives {
                wanted.insert(only.name.as_str());
                if only.constraint.is_some() {
                    pins.entry(only.name.as_str()).or_default().push(only);
                }
            }
        }
        // An alternative's constraint chooses the version too, unless a stricter request left none that meets both.
        for request in problem.requests.iter().filter(|r| r.clause.alternatives().len() > 1) {
            for relation in request.clause.alternatives().iter().filter(|r| r.constraint.is_some()) {
                let mut both = pins.get(relation.name.as_str()).cloned().unwrap_or_default();
                both.push(relation);
                if newest_meeting(problem.universe, relation.name.as_str(), &both).is_some() {
                    pins.insert(relation.name.as_str(), both);
                }
            }
        }
        Self { problem, pins, requested, wanted }
    }

    /// The one version of `name` that may be chosen: the newest, or the newest that the manifest's requests allow.
    pub(super) fn candidate(&self, name: NameId) -> Option<CandidateId> {
        let text = self.problem.universe.name(name);
        if self.is_forbidden(text) || self.is_withheld(text) {
            return None;
        }
        match self.pins.get(text) {
            None => self.problem.universe.candidates(name).next(),
            Some(pins) => newest_meeting(self.problem.universe, text, pins),
        }
    }

    /// Whether this very version may be chosen.
    fn allows(&self, id: CandidateId) -> bool {
        self.candidate(self.problem.universe.package(id).name_id()) == Some(id)
    }

    pub(super) fn is_forbidden(&self, name: &str) -> bool {
        self.problem.forbid.contains(name)
    }

    /// Never installed because it counts as provided.
    pub(super) fn is_withheld(&self, name: &str) -> bool {
        self.problem.provided.contains(name) && !self.requested.contains(name)
    }

    /// Whether the manifest's requests choose the version of `name`.
    pub(super) fn is_pinned(&self, name: &str) -> bool {
        self.pins.contains_key(name)
    }

    /// The provided package on which a dependency counts as met: one that an alternative names, or whose Provides
    /// would satisfy one.
    pub(super) fn provided<'a>(&self, atoms: &[Atom<'a>]) -> Option<&'u str>
    where
        'a: 'u,
        'p: 'u,
    {
        let counts = |name: &str| self.problem.provided.contains(name) && !self.wanted.contains(name);
        if self.problem.provided.is_empty() {
            return None;
        }
        if let Some(atom) = atoms.iter().find(|atom| counts(atom.name)) {
            return Some(atom.name);
        }
        let universe = self.problem.universe;
        let through = |atom: &Atom<'a>| {
            universe.satisfiers(atom).map(|p| universe.package(p.candidate).name()).find(|name| counts(name))
        };
        atoms.iter().find_map(through)
    }

    /// The candidates that satisfy one alternative of a dependency.
    pub(super) fn satisfiers<'a>(&'a self, atom: &Atom<'a>) -> impl Iterator<Item = CandidateId> {
        self.problem.universe.satisfiers(atom).map(|p| p.candidate).filter(|id| self.allows(*id))
    }

    /// The same for a relation of the graph.
    fn meant<'a>(&'a self, target: &Target<'a>) -> impl Iterator<Item = CandidateId> {
        self.problem.universe.meant(target).map(|p| p.candidate).filter(|id| self.allows(*id))
    }

    /// Whether [`Selection::provided`] finds anything.
    fn is_provided(&self, targets: &[Target<'u>]) -> bool {
        if self.problem.provided.is_empty() {
            return false;
        }
        let atoms: Vec<_> = targets.iter().map(|target| target.atom(self.problem.universe)).collect();
        self.provided(&atoms).is_some()
    }

    /// The candidates that satisfy one alternative of a request: the real package where there is one.
    pub(super) fn request_satisfiers(&self, relation: &Relation) -> Vec<CandidateId> {
        let atom = relation.as_atom();
        let universe = self.problem.universe;
        if !atom.applies_to(universe.arch().as_str()) {
            return Vec::new();
        }
        let is_real = universe.find(atom.name).is_some_and(|name| universe.candidates(name).len() > 0);
        let found = universe.satisfiers(&atom).filter(|p| !(is_real && p.by_provides)).map(|p| p.candidate);
        found.filter(|id| self.allows(*id)).collect()
    }
}

fn newest_meeting(universe: &Universe, name: &str, pins: &[&Relation]) -> Option<CandidateId> {
    let meets = |version: &str| {
        let holds =
            |pin: &&Relation| pin.constraint.as_ref().is_none_or(|(op, bound)| op.holds(version, bound.as_str()));
        pins.iter().all(holds)
    };
    universe.candidates(universe.find(name)?).find(|id| meets(universe.package(*id).version()))
}

/// Finds what is reachable from the requests.
///
/// # Errors
/// A reachable package whose dependency fields do not parse.
pub(super) fn reach<'u>(problem: &Problem<'u>, selection: &Selection<'_, 'u>) -> Result<Cone, UniverseError> {
    let universe = problem.universe;
    let mut builder = Builder { numbers: HashMap::new(), queue: Vec::new(), clauses: Vec::new(), late: Vec::new() };
    for (index, request) in problem.requests.iter().enumerate() {
        let alternatives = request.clause.alternatives().iter();
        let found = alternatives.map(|relation| selection.request_satisfiers(relation));
        builder.clause(Origin { owner: None, index }, found);
    }
    let mut next = 0;
    let mut targets: Vec<Target<'_>> = Vec::new();
    while let Some(id) = builder.queue.get(next).copied() {
        let owner = u32::try_from(next).ok();
        next += 1;
        universe.package(id).check_relations()?;
        let mut relations = universe.relations(id).filter(|t| t.kind <= Kind::Depends).peekable();
        while let Some(first) = relations.peek().copied() {
            targets.clear();
            while let Some(target) = relations.next_if(|target| target.clause == first.clause) {
                targets.push(target);
            }
            if !selection.is_provided(&targets) {
                let origin = Origin { owner, index: first.clause };
                builder.clause(origin, targets.iter().map(|target| selection.meant(target)));
            }
        }
    }
    builder.finish(universe)
}

struct Builder {
    /// In the order of discovery.
    numbers: HashMap<CandidateId, u32>,
    queue: Vec<CandidateId>,
    clauses: Vec<(Origin, Vec<u32>)>,
    /// Beside `queue`: whether a candidate was only ever a second or later alternative so far.
    late: Vec<bool>,
}

impl Builder {
    fn clause<I: IntoIterator<Item = CandidateId>>(&mut self, origin: Origin, found: impl Iterator<Item = I>) {
        let mut lits = Vec::new();
        let mut first = 0;
        for (place, alternative) in found.enumerate() {
            for id in alternative {
                let number = *self.numbers.entry(id).or_insert_with(|| {
                    self.queue.push(id);
                    self.late.push(true);
                    u32::try_from(self.queue.len() - 1).unwrap_or(u32::MAX)
                });
                lits.push(number);
            }
            if place == 0 {
                first = lits.len();
            }
        }
        for number in lits.iter().take(first) {
            if let Some(late) = self.late.get_mut(*number as usize) {
                *late = false;
            }
        }
        lits.sort_unstable();
        lits.dedup();
        // A package may satisfy its own dependency.
        if origin.owner.is_none_or(|owner| lits.binary_search(&owner).is_err()) {
            self.clauses.push((origin, lits));
        }
    }

    /// Renumbers everything in the order of names and adds the exclusions.
    fn finish(self, universe: &Universe) -> Result<Cone, UniverseError> {
        let mut candidates = self.queue.clone();
        candidates.sort_unstable();
        let number = |id: &CandidateId| candidates.binary_search(id).ok().and_then(|n| u32::try_from(n).ok());
        let numbers: Vec<u32> = self.queue.iter().filter_map(number).collect();
        let renumber = |old: u32| numbers.get(old as usize).copied().unwrap_or(0);
        let mut only_late = vec![false; candidates.len()];
        for (old, late) in (0u32..).zip(&self.late) {
            if let Some(slot) = only_late.get_mut(renumber(old) as usize) {
                *slot = *late;
            }
        }
        let mut seen = std::collections::HashSet::new();
        let (mut clauses, mut origins) = (Vec::new(), Vec::new());
        for (origin, lits) in &self.clauses {
            let owner = origin.owner.map(renumber);
            let mut lits: Vec<u32> = lits.iter().map(|l| renumber(*l)).collect();
            lits.sort_unstable();
            // `x (>= 1), x (<< 2)` are the same clause twice: only empty ones are kept apart, for the explanation.
            if lits.is_empty() || seen.insert((owner, lits.clone())) {
                clauses.push(Clause { owner, lits: lits.into() });
                origins.push(Origin { owner, ..*origin });
            }
        }
        let mut exclusions = Vec::new();
        for (a, id) in (0u32..).zip(&candidates) {
            let own = universe.package(*id).name_id();
            let conflicts = universe.relations(*id).filter(|t| matches!(t.kind, Kind::Conflicts | Kind::Breaks));
            for target in conflicts {
                let hit = universe.meant(&target).map(|p| p.candidate);
                // Never the package itself, in any version.
                let hit = hit.filter(|id| universe.package(*id).name_id() != own);
                exclusions.extend(hit.filter_map(|target| {
                    let b = number(&target)?;
                    Some((a.min(b), a.max(b)))
                }));
            }
        }
        exclusions.sort_unstable();
        exclusions.dedup();
        Ok(Cone { candidates, clauses, origins, exclusions, only_late })
    }
}

/// What `atom` in the Conflicts or Breaks of `package` excludes; never the package itself, in any version.
pub(super) fn excluded<'a>(
    universe: &'a Universe,
    package: &Package<'a>,
    atom: &Atom<'a>,
) -> impl Iterator<Item = CandidateId> {
    let own = package.name_id();
    universe.targets(atom).map(|p| p.candidate).filter(move |id| universe.package(*id).name_id() != own)
}
