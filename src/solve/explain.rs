//! Why there is no solution, in words: from the requests to the contradiction.
//!
//! In: an instance without a solution. Out: numbered steps. Propagation gives the reasons where it suffices; where
//! only trying out tells, the alternatives of the clause that fails soonest are told one by one.

use std::{collections::BTreeSet, fmt};

use super::{
    Problem,
    cone::{Cone, Selection, excluded},
    instance::{Contradiction, Engine, Instance, Reason},
};
use crate::{
    base::Line,
    control::{Atom, Qualifier, Relation},
};

/// Cases told apart at most; what is beyond is summed up.
const CASES: usize = 24;

/// One step of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is so.
    pub text: String,
    /// How deep within case distinctions: 0 at the top.
    pub depth: usize,
    /// The line of the manifest that says so, from 1.
    pub line: Option<Line>,
}

/// There is no solution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unsolvable {
    /// From the requests to the contradiction.
    pub steps: Vec<Step>,
    /// What to try.
    pub advice: String,
}

impl Unsolvable {
    /// The first line of the manifest that has a part in it.
    pub fn line(&self) -> Option<&Line> {
        self.steps.iter().find_map(|step| step.line.as_ref())
    }
}

impl fmt::Display for Unsolvable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no set of packages meets all requests:")?;
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{:width$}{number}. {}", "", step.text, width = 2 + 3 * step.depth)?;
        }
        write!(f, "{}", self.advice)
    }
}

/// Tells why `instance`, which has no solution, has none.
pub(super) fn explain(
    problem: &Problem<'_>,
    selection: &Selection<'_, '_>,
    cone: &Cone,
    instance: &Instance,
) -> Unsolvable {
    let mut teller = Teller {
        problem,
        selection,
        cone,
        steps: Vec::new(),
        told: BTreeSet::new(),
        depth: 0,
        cases: 0,
        culprits: BTreeSet::new(),
    };
    let mut engine = Engine::new(instance);
    match engine.start() {
        Err(contradiction) => teller.contradiction(&engine, contradiction),
        Ok(()) => teller.cases(&mut engine),
    }
    let advice = teller.advice();
    Unsolvable { steps: teller.steps, advice }
}

/// What the reader may want to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Culprit {
    Request(usize),
    Forbid(String),
    Provided(String),
}

struct Teller<'p, 'u> {
    problem: &'p Problem<'u>,
    selection: &'p Selection<'p, 'u>,
    cone: &'p Cone,
    steps: Vec<Step>,
    /// Variables whose value has been explained.
    told: BTreeSet<u32>,
    depth: usize,
    cases: usize,
    culprits: BTreeSet<Culprit>,
}

impl Teller<'_, '_> {
    fn say(&mut self, text: String) {
        self.steps.push(Step { text, depth: self.depth, line: None });
    }

    fn show(&self, var: u32) -> String {
        self.cone.candidates.get(var as usize).map_or_else(String::new, |id| {
            let package = self.problem.universe.package(*id);
            format!("{} {}", package.name(), package.version())
        })
    }

    fn contradiction(&mut self, engine: &Engine<'_>, contradiction: Contradiction) {
        match contradiction {
            Contradiction::Empty(clause) => {
                self.owner(engine, clause);
                self.clause(engine, clause, None);
            }
            Contradiction::Pair(a, b) => {
                self.value(engine, a);
                self.value(engine, b);
                self.exclusion(a, b);
            }
            Contradiction::Refused(var) => self.value(engine, var),
        }
    }

    /// Why the owner of `clause` is chosen.
    fn owner(&mut self, engine: &Engine<'_>, clause: u32) {
        if let Some(owner) = engine.clause(clause).owner {
            self.value(engine, owner);
        }
    }

    /// Why `var` has its value, from the beginning; only once.
    fn value(&mut self, engine: &Engine<'_>, var: u32) {
        // An explicit stack: a chain of dependencies can be long.
        let mut stack = vec![(var, false)];
        while let Some((var, ready)) = stack.pop() {
            if self.told.contains(&var) {
                continue;
            }
            let reason = engine.reason(var);
            if !ready {
                stack.push((var, true));
                match reason {
                    Reason::Assumed => {}
                    Reason::Excluded(other) => stack.push((other, false)),
                    Reason::Clause(clause) => {
                        let clause = engine.clause(clause);
                        let others = clause.lits.iter().copied().filter(|l| *l != var);
                        stack.extend(others.filter(|l| engine.value(*l) == Some(false)).map(|l| (l, false)));
                        stack.extend(clause.owner.filter(|o| *o != var).map(|o| (o, false)));
                    }
                }
                continue;
            }
            self.told.insert(var);
            match reason {
                Reason::Assumed => {}
                Reason::Excluded(other) => self.exclusion(other, var),
                Reason::Clause(clause) => self.clause(engine, clause, Some(var)),
            }
        }
    }

    /// What a clause demands; if `last` is one of its literals, that only this one is left.
    fn clause(&mut self, engine: &Engine<'_>, clause: u32, last: Option<u32>) {
        let Some(origin) = self.cone.origins.get(clause as usize) else { return };
        let lits = engine.clause(clause).lits;
        let request = match origin.owner {
            None => self.problem.requests.get(origin.index).map(|request| (origin.index, request)),
            Some(_) => None,
        };
        let (demand, atoms, line): (String, Vec<Atom<'_>>, _) = match (request, origin.owner) {
            (Some((index, request)), _) => {
                self.culprits.insert(Culprit::Request(index));
                let atoms = request.clause.alternatives().iter().map(|r| r.as_atom()).collect();
                (request.in_words(), atoms, request.line.written())
            }
            (None, owner) => {
                let id = owner.and_then(|owner| self.cone.candidates.get(owner as usize));
                let mut clauses = id.into_iter().flat_map(|id| self.problem.universe.package(*id).depends());
                let atoms = clauses.nth(origin.index).and_then(Result::ok).unwrap_or_default();
                let text: Vec<String> = atoms.iter().map(ToString::to_string).collect();
                let owner = owner.map_or_else(String::new, |owner| self.show(owner));
                (format!("{owner} depends on `{}`", text.join(" | ")), atoms, None)
            }
        };
        let is_last_literal = last.is_some_and(|l| lits.contains(&l));
        let suffix = match last {
            Some(last) if is_last_literal => {
                let own = self.problem.universe.package(self.cone.candidates[last as usize]).name();
                match atoms.as_slice() {
                    [only] if only.name == own => String::new(),
                    _ => format!(", which only {} can meet", self.show(last)),
                }
            }
            None if lits.len() > 1 => ", none of which is possible".into(),
            _ => String::new(),
        };
        self.steps.push(Step { text: format!("{demand}{suffix}"), depth: self.depth, line });
        if last.is_none() {
            for lit in lits.iter().filter(|l| engine.value(**l) == Some(false)) {
                self.value(engine, *lit);
            }
        }
        if !is_last_literal || atoms.len() > 1 {
            for (index, atom) in atoms.iter().enumerate() {
                let has_candidate = match request {
                    None => self.selection.satisfiers(atom).next().is_some(),
                    Some((_, request)) => {
                        let relation = request.clause.alternatives().get(index);
                        relation.is_some_and(|r| !self.selection.request_satisfiers(r).is_empty())
                    }
                };
                if !has_candidate {
                    let text = self.absent(atom, request.is_some());
                    self.say(text);
                }
            }
        }
    }

    /// Which of the two says that they cannot be together, and in what words.
    fn exclusion(&mut self, a: u32, b: u32) {
        let (Some(ida), Some(idb)) = (self.cone.candidates.get(a as usize), self.cone.candidates.get(b as usize))
        else {
            return;
        };
        let universe = self.problem.universe;
        for (from, to) in [(*ida, *idb), (*idb, *ida)] {
            let package = universe.package(from);
            let field = |mut clauses: Box<dyn Iterator<Item = Vec<Atom<'_>>> + '_>| {
                clauses.find_map(|atoms| {
                    atoms
                        .into_iter()
                        .find(|atom| excluded(universe, &package, atom).any(|id| id == to))
                        .map(|a| a.to_string())
                })
            };
            if let Some(relation) = field(Box::new(package.conflicts().filter_map(Result::ok))) {
                let other = universe.package(to);
                self.say(format!(
                    "{} {} cannot be together with {} {}: it conflicts with or breaks `{relation}`",
                    package.name(),
                    package.version(),
                    other.name(),
                    other.version()
                ));
                return;
            }
        }
    }

    /// Why an alternative has no candidate.
    fn absent(&mut self, atom: &Atom<'_>, is_request: bool) -> String {
        let (universe, name) = (self.problem.universe, atom.name);
        let arch = universe.arch();
        if let Qualifier::Arch(other) = atom.qualifier
            && other != arch.as_str()
            && other != "all"
        {
            return format!("`{atom}` is of another architecture than {arch}");
        }
        let id = universe.find(name);
        let versions: Vec<&str> =
            id.into_iter().flat_map(|id| universe.candidates(id)).map(|c| universe.package(c).version()).collect();
        if self.selection.is_forbidden(name) && !versions.is_empty() {
            self.culprits.insert(Culprit::Forbid(name.into()));
            return format!("{name} is forbidden (packages.forbid)");
        }
        // Any version of it, by name or through a Provides.
        let bare = Atom { constraint: None, ..*atom };
        let providers: Vec<_> = universe.satisfiers(&bare).map(|p| universe.package(p.candidate)).collect();
        if providers.is_empty() {
            if let Some(newest) = versions.first() {
                return format!("`{atom}` is not met by {name} {newest}: it is not Multi-Arch: allowed");
            }
            let near = universe.suggest(name);
            let hint = if near.is_empty() { String::new() } else { format!(": did you mean {}?", near.join(", ")) };
            let what = if is_request { "no package" } else { "no package is called or provides" };
            return format!("{what} `{name}` in the indexes{hint}");
        }
        if self.selection.is_withheld(name) && !versions.is_empty() {
            self.culprits.insert(Culprit::Provided(name.into()));
            return format!("{name} counts as provided and is never installed (packages.provided)");
        }
        if !versions.is_empty() && id.is_some_and(|id| self.selection.candidate(id).is_none()) {
            return format!("no version of {name} meets {}: there is {}", self.pins(name), versions.join(", "));
        }
        if let Some((op, bound)) = atom.constraint {
            if !versions.is_empty() {
                if let Some(fitting) = versions.iter().find(|v| op.holds(v, bound)) {
                    let taken = id.and_then(|id| self.selection.candidate(id)).map(|c| universe.package(c).version());
                    let taken = taken.unwrap_or_default();
                    if self.selection.is_pinned(name) {
                        let pins = self.pins(name);
                        return format!("{name} is taken at version {taken}, as {pins} asks; {fitting} would do");
                    }
                    return format!(
                        "{name} is taken at its newest version, {taken}; {fitting} would do: ask for `{name} (= {fitting})`"
                    );
                }
                return format!("no version of {name} meets `({op} {bound})`: there is {}", versions.join(", "));
            }
            let names: BTreeSet<&str> = providers.iter().map(|p| p.name()).collect();
            let names: Vec<&str> = names.into_iter().take(5).collect();
            return format!(
                "no Provides of {name} has a version that meets `({op} {bound})`: it is virtual, and provided by {}",
                names.join(", ")
            );
        }
        let mut reasons = BTreeSet::new();
        for provider in &providers {
            let own = provider.name();
            if self.selection.is_forbidden(own) {
                self.culprits.insert(Culprit::Forbid(own.into()));
                reasons.insert(format!("{own} is forbidden (packages.forbid)"));
            } else if self.selection.is_withheld(own) {
                self.culprits.insert(Culprit::Provided(own.into()));
                reasons.insert(format!("{own} is never installed (packages.provided)"));
            } else {
                reasons.insert(format!("{own} {} is not the version taken", provider.version()));
            }
        }
        let reasons: Vec<String> = reasons.into_iter().collect();
        format!("nothing that provides `{name}` can be installed: {}", reasons.join("; "))
    }

    /// The requests that choose the version of `name`, in words.
    fn pins(&mut self, name: &str) -> String {
        let mut found = Vec::new();
        for (index, request) in self.problem.requests.iter().enumerate() {
            let pins = |r: &Relation| r.name.as_str() == name && r.constraint.is_some();
            if request.clause.alternatives().iter().any(pins) {
                self.culprits.insert(Culprit::Request(index));
                found.push(format!("`{}`{}", request.text, request.place()));
            }
        }
        found.join(" and ")
    }

    /// The alternatives of one open clause, each led to its contradiction.
    fn cases(&mut self, engine: &mut Engine<'_>) {
        let mark = engine.trail().len();
        let open = engine.open();
        // The clause that fails soonest: with the fewest alternatives that do not fail at once.
        let mut best: Option<(usize, usize, u32)> = None;
        for clause in open {
            let lits: Vec<u32> = engine.live(clause).collect();
            let mut survivors = 0;
            for lit in &lits {
                survivors += usize::from(engine.assume(*lit, true).is_ok());
                engine.undo(mark);
            }
            best = best.min(Some((survivors, lits.len(), clause))).or(Some((survivors, lits.len(), clause)));
        }
        let Some((_, _, clause)) = best else { return };
        self.owner(engine, clause);
        self.clause(engine, clause, None);
        for lit in engine.live(clause).collect::<Vec<_>>() {
            self.cases += 1;
            if self.cases > CASES {
                if self.cases == CASES + 1 {
                    self.say("and so on: no other combination of alternatives does either".into());
                }
                return;
            }
            let told = self.told.clone();
            self.say(format!("with {}:", self.show(lit)));
            self.depth += 1;
            match engine.assume(lit, true) {
                Err(contradiction) => self.contradiction(engine, contradiction),
                Ok(()) => self.cases(engine),
            }
            self.depth -= 1;
            engine.undo(mark);
            self.told = told;
        }
    }

    fn advice(&self) -> String {
        let mut parts = Vec::new();
        let lines: BTreeSet<Line> = self
            .culprits
            .iter()
            .filter_map(|c| match c {
                Culprit::Request(index) => self.problem.requests.get(*index).and_then(|r| r.line.written()),
                _ => None,
            })
            .collect();
        for culprit in &self.culprits {
            match culprit {
                Culprit::Forbid(name) => parts.push(format!("take {name} out of packages.forbid")),
                Culprit::Provided(name) => {
                    parts.push(format!("ask for {name} itself, or take it out of packages.provided"))
                }
                Culprit::Request(_) => {}
            }
        }
        let lines: Vec<&Line> = lines.iter().collect();
        match lines.as_slice() {
            [] => {}
            [line] => parts.insert(0, format!("change the request in {}", line.in_words())),
            lines => {
                let of = if lines.iter().any(|line| line.file.is_some()) { "" } else { " of the manifest" };
                let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
                parts.insert(0, format!("change one of the requests in lines {}{of}", lines.join(", ")))
            }
        }
        if parts.is_empty() {
            return "change the requests, or add a repository that has what is missing".into();
        }
        format!("to mend it, {}", parts.join(", or "))
    }
}
