//! The reachable cone: every candidate that a request can pull in, and what it demands in turn.
//!
//! In: [`Problem`]. Out: [`Cone`]: candidates numbered in the order of their names, clauses and exclusions between
//! those numbers, each clause with where it came from, so that a contradiction can be told in words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, instance::Clauses};
use crate::{
    control::{Atom, Relation},
    universe::{CandidateId, NameId, Package, Universe, UniverseError, graph::Target},
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
    pub(super) clauses: Clauses,
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
    /// Of each name that is not at its newest version: the version, or none.
    special: BTreeMap<NameId, Option<CandidateId>>,
    /// By name, whether it is in `special`.
    is_special: Vec<bool>,
    /// By name, whether a dependency on it counts as met. Empty: none does.
    counts: Vec<bool>,
}

impl<'p, 'u> Selection<'p, 'u> {
    pub(super) fn new(problem: &'p Problem<'u>) -> Self {
        let universe = problem.universe;
        let mut pins: BTreeMap<&str, Vec<&Relation>> = BTreeMap::new();
        let (mut requested, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        for request in &problem.requests {
            let alternatives = request.clause.alternatives();
            requested.extend(alternatives.iter().map(|r| r.name.as_str()));
            if let [only] = alternatives {
                // For these `provided` has no effect at all.
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
                if newest_meeting(universe, relation.name.as_str(), &both).is_some() {
                    pins.insert(relation.name.as_str(), both);
                }
            }
        }
        let mut selection = Self {
            problem,
            pins,
            requested,
            special: BTreeMap::new(),
            is_special: vec![false; universe.names()],
            counts: Vec::new(),
        };
        let pinned = selection.pins.iter().map(|(name, pins)| (*name, newest_meeting(universe, name, pins)));
        let withheld = problem.provided.iter().map(|name| name.as_str()).filter(|name| selection.is_withheld(name));
        let never = problem.forbid.iter().map(|name| name.as_str()).chain(withheld).map(|name| (name, None));
        // What is forbidden stays so, whatever version is asked for.
        let special = pinned.chain(never).filter_map(|(name, id)| Some((universe.find(name)?, id)));
        selection.special = special.collect();
        for name in selection.special.keys() {
            selection.is_special[name.index()] = true;
        }
        if !problem.provided.is_empty() {
            selection.counts = vec![false; universe.names()];
            let counting = problem.provided.iter().filter(|name| !wanted.contains(name.as_str()));
            for name in counting.filter_map(|name| universe.find(name.as_str())) {
                selection.counts[name.index()] = true;
            }
        }
        selection
    }

    /// The one version of `name` that may be chosen: the newest, or the newest that the manifest's requests allow.
    pub(super) fn candidate(&self, name: NameId) -> Option<CandidateId> {
        match self.special.get(&name) {
            None => self.problem.universe.candidates(name).next(),
            Some(special) => *special,
        }
    }

    /// Whether this very version may be chosen.
    pub(super) fn allows(&self, id: CandidateId) -> bool {
        let name = self.problem.universe.name_of(id);
        match self.is_special.get(name.index()) {
            Some(false) => self.problem.universe.is_newest(id),
            _ => self.candidate(name) == Some(id),
        }
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
    pub(super) fn provided<'a>(&self, alternatives: impl Iterator<Item = Target<'a>> + Clone) -> Option<&'u str>
    where
        'u: 'a,
    {
        let universe = self.problem.universe;
        let counts = |name: &NameId| self.counts.get(name.index()) == Some(&true);
        if self.counts.is_empty() {
            return None;
        }
        let named = alternatives.clone().map(|target| target.name).find(counts);
        let through = |target: Target<'a>| universe.meant(&target).map(|p| universe.name_of(p.candidate)).find(counts);
        named.or_else(|| alternatives.clone().find_map(through)).map(|name| universe.name(name))
    }

    /// The candidates that satisfy one alternative of a dependency.
    pub(super) fn satisfiers<'a>(&'a self, atom: &Atom<'a>) -> impl Iterator<Item = CandidateId> {
        self.problem.universe.satisfiers(atom).map(|p| p.candidate).filter(|id| self.allows(*id))
    }

    /// The same for a relation of the graph.
    pub(super) fn meant<'a>(&'a self, target: &Target<'a>) -> impl Iterator<Item = CandidateId> + use<'a, 'p, 'u> {
        self.problem.universe.meant(target).map(|p| p.candidate).filter(|id| self.allows(*id))
    }

    /// The candidates that satisfy one alternative of a request: the real package where there is one.
    pub(super) fn request_satisfiers(&self, relation: &Relation) -> Vec<CandidateId> {
        self.request_matches(relation).into_iter().filter(|id| self.allows(*id)).collect()
    }

    /// The same in every version.
    pub(super) fn request_matches(&self, relation: &Relation) -> Vec<CandidateId> {
        let atom = relation.as_atom();
        let universe = self.problem.universe;
        if !atom.applies_to(universe.arch().as_str()) {
            return Vec::new();
        }
        let is_real = universe.find(atom.name).is_some_and(|name| universe.candidates(name).len() > 0);
        universe.satisfiers(&atom).filter(|p| !(is_real && p.by_provides)).map(|p| p.candidate).collect()
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
    let mut builder = Builder::new(universe.len());
    for (index, request) in problem.requests.iter().enumerate() {
        let alternatives = request.clause.alternatives().iter();
        let found = alternatives.map(|relation| selection.request_satisfiers(relation));
        builder.clause(Origin { owner: None, index }, found);
    }
    builder.clauses = std::mem::take(&mut builder.pending);
    builder.origins = std::mem::take(&mut builder.pending_origins);
    let mut memo = Memo { ranges: vec![(0, 0); universe.wordings()], found: Vec::new() };
    let mut next = 0;
    while let Some(id) = builder.queue.get(next).copied() {
        let owner = next as u32;
        next += 1;
        universe.package(id).check_relations()?;
        for (index, alternatives) in universe.dependencies(id) {
            if selection.provided(alternatives.clone()).is_none() {
                alternatives.clone().for_each(|target| memo.learn(&target, selection));
                let found = alternatives.map(|target| memo.get(&target).iter().copied());
                builder.clause(Origin { owner: Some(owner), index }, found);
            }
        }
        builder.keep_pending(owner);
        let own = universe.name_of(id);
        for target in universe.exclusions(id) {
            let hit = universe.meant(&target).map(|p| p.candidate);
            // Never the package itself, in any version.
            builder.conflicts.extend(hit.filter(|other| universe.name_of(*other) != own).map(|other| (id, other)));
        }
    }
    Ok(builder.finish())
}

/// Whom each wording of a dependency means: half of those in a cone say what another has said to the letter.
struct Memo {
    /// By wording: where in `found`, counted from 1, and how many; 0: not looked up yet. Zeros cost nothing until they
    /// are looked at.
    ranges: Vec<(u32, u32)>,
    found: Vec<CandidateId>,
}

impl Memo {
    fn learn(&mut self, target: &Target<'_>, selection: &Selection<'_, '_>) {
        if let Some(range) = self.ranges.get_mut(target.wording)
            && range.0 == 0
        {
            let start = self.found.len();
            self.found.extend(selection.meant(target));
            *range = (start as u32 + 1, (self.found.len() - start) as u32);
        }
    }

    fn get(&self, target: &Target<'_>) -> &[CandidateId] {
        let (start, count) = self.ranges.get(target.wording).copied().unwrap_or_default();
        let start = (start as usize).saturating_sub(1);
        self.found.get(start..start + count as usize).unwrap_or_default()
    }
}

/// Not numbered yet.
const NONE: u32 = u32::MAX;

struct Builder {
    /// By candidate: its number in the order of discovery.
    numbers: Vec<u32>,
    queue: Vec<CandidateId>,
    clauses: Clauses,
    /// Beside `clauses`.
    origins: Vec<Origin>,
    /// Beside `queue`: whether a candidate was only ever a second or later alternative so far.
    late: Vec<bool>,
    /// Pairs, in the order of discovery; the second need not be in the cone.
    conflicts: Vec<(CandidateId, CandidateId)>,
    /// The clauses of the owner at hand, and their origins.
    pending: Clauses,
    pending_origins: Vec<Origin>,
    /// By number: the last owner that has it as the only literal of a clause.
    marks: Vec<u32>,
    /// The literals of the clause at hand.
    lits: Vec<u32>,
}

impl Builder {
    fn new(candidates: usize) -> Self {
        Self {
            numbers: vec![NONE; candidates],
            queue: Vec::new(),
            clauses: Clauses::default(),
            origins: Vec::new(),
            late: Vec::new(),
            conflicts: Vec::new(),
            pending: Clauses::default(),
            pending_origins: Vec::new(),
            marks: Vec::new(),
            lits: Vec::new(),
        }
    }

    fn clause<I: IntoIterator<Item = CandidateId>>(&mut self, origin: Origin, found: impl Iterator<Item = I>) {
        let mut lits = std::mem::take(&mut self.lits);
        lits.clear();
        for (place, alternative) in found.enumerate() {
            for id in alternative {
                let number = &mut self.numbers[id.index()];
                if *number == NONE {
                    *number = self.queue.len() as u32;
                    self.queue.push(id);
                    self.late.push(true);
                }
                self.late[*number as usize] &= place > 0;
                lits.push(*number);
            }
        }
        lits.sort_unstable();
        lits.dedup();
        // A package may satisfy its own dependency.
        if origin.owner.is_none_or(|owner| lits.binary_search(&owner).is_err()) {
            self.pending.push(origin.owner, lits.iter().copied());
            self.pending_origins.push(origin);
        }
        self.lits = lits;
    }

    /// Of the clauses pending, which are one owner's, leaves out those that follow from another: the same again
    /// (`x (>= 1), x (<< 2)`), or more alternatives than another leaves. Empty ones stay, for the explanation.
    fn keep_pending(&mut self, owner: u32) {
        self.marks.resize(self.queue.len(), NONE);
        let mut kept: Vec<u32> = Vec::new();
        for (index, clause) in (0u32..).zip(self.pending.iter()) {
            if let [only] = clause.lits {
                let mark = &mut self.marks[*only as usize];
                if std::mem::replace(mark, owner) != owner {
                    kept.push(index);
                }
            }
        }
        let (single, mut several) = (kept.len(), Vec::new());
        for (index, clause) in (0u32..).zip(self.pending.iter()).filter(|(_, clause)| clause.lits.len() != 1) {
            if clause.lits.is_empty() {
                kept.push(index);
            } else if !clause.lits.iter().any(|lit| self.marks[*lit as usize] == owner) {
                several.push(index);
            }
        }
        // The shortest first, so that whatever follows from another finds it before itself.
        several.sort_by_key(|index| self.pending.get(*index).lits.len());
        for index in several {
            let lits = self.pending.get(index).lits;
            let mut others = kept.get(single..).unwrap_or_default().iter().map(|other| self.pending.get(*other).lits);
            if !others.any(|other| !other.is_empty() && other.iter().all(|lit| lits.binary_search(lit).is_ok())) {
                kept.push(index);
            }
        }
        kept.sort_unstable();
        for index in kept {
            let clause = self.pending.get(index);
            self.clauses.push(clause.owner, clause.lits.iter().copied());
            self.origins.push(self.pending_origins[index as usize]);
        }
        self.pending.clear();
        self.pending_origins.clear();
    }

    /// Renumbers everything in the order of names.
    fn finish(mut self) -> Cone {
        let mut candidates = self.queue.clone();
        candidates.sort_unstable();
        let found = std::mem::take(&mut self.numbers);
        let mut numbers = vec![NONE; found.len()];
        for (number, id) in (0u32..).zip(&candidates) {
            numbers[id.index()] = number;
        }
        let renumber = |old: u32| numbers[self.queue[old as usize].index()];
        let mut only_late = vec![false; candidates.len()];
        for (old, late) in (0u32..).zip(&self.late) {
            only_late[renumber(old) as usize] = *late;
        }
        let mut clauses = Clauses::default();
        for clause in self.clauses.iter() {
            self.lits.clear();
            self.lits.extend(clause.lits.iter().map(|l| renumber(*l)));
            self.lits.sort_unstable();
            clauses.push(clause.owner.map(renumber), self.lits.iter().copied());
        }
        let origins = self.origins.iter().map(|o| Origin { owner: o.owner.map(renumber), ..*o }).collect();
        let pairs = self.conflicts.iter().map(|(a, b)| (numbers[a.index()], numbers[b.index()]));
        let mut exclusions: Vec<_> = pairs.filter(|(_, b)| *b != NONE).map(|(a, b)| (a.min(b), a.max(b))).collect();
        exclusions.sort_unstable();
        exclusions.dedup();
        Cone { candidates, clauses, origins, exclusions, only_late }
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
