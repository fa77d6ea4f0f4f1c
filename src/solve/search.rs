//! Unit propagation and depth-first branch and bound over an [`Instance`].
//!
//! In: the clauses. Out: the best set, and whether the search was complete.

use super::instance::{Instance, SolveError, Var};

/// The best set found.
pub struct Found {
    /// Its packages.
    pub chosen: Vec<Var>,
    /// The search was complete.
    pub proven: bool,
    /// Nodes visited.
    pub nodes: u64,
}

/// Why a package is in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    Open,
    /// A clause left no other way.
    Clause(usize),
    /// This package excludes it.
    Excluded(Var),
    /// The search tries it.
    Tried,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Open,
    In,
    Out,
}

/// What led to a contradiction.
#[derive(Debug, Clone, Copy)]
enum Contradiction {
    /// Every way to satisfy the clause is out.
    Clause(usize),
    /// Two packages that exclude one another.
    Pair(Var, Var),
}

/// Lexicographic: preferred packages missing, the weight, packages, clauses not satisfied by their first alternative.
type Cost = (u64, u64, u64);

struct Search<'i, 'u> {
    instance: &'i Instance<'u>,
    values: Vec<Value>,
    because: Vec<Because>,
    trail: Vec<Var>,
    weight: u64,
    best: Option<(Cost, Vec<&'u str>, Vec<Var>)>,
    nodes: u64,
    limit: u64,
    complete: bool,
}

/// Finds the best set.
///
/// # Errors
/// When there is none.
pub fn search(instance: &Instance<'_>, limit: u64) -> Result<Found, SolveError> {
    let count = instance.ids.len();
    let mut search = Search {
        instance,
        values: vec![Value::Open; count],
        because: vec![Because::Open; count],
        trail: Vec::new(),
        weight: 0,
        best: None,
        nodes: 0,
        limit,
        complete: true,
    };
    let unsatisfiable = |search: &Search<'_, '_>, contradiction| {
        Err(SolveError::Unsatisfiable { chain: search.explain(contradiction) })
    };
    for index in 0..instance.clauses.len() {
        if instance.clauses[index].any.is_empty()
            && let Some(owner) = instance.clauses[index].owner
            && let Err(contradiction) = search.set(owner, Value::Out, Because::Clause(index))
        {
            return unsatisfiable(&search, contradiction);
        }
    }
    if let Err(contradiction) = search.propagate_all() {
        return unsatisfiable(&search, contradiction);
    }
    let last = search.descend();
    match search.best.take() {
        Some((_, _, mut chosen)) => {
            chosen.sort_unstable();
            Ok(Found { chosen, proven: search.complete, nodes: search.nodes })
        }
        None => unsatisfiable(&search, last.unwrap_or(Contradiction::Clause(0))),
    }
}

impl Search<'_, '_> {
    fn set(&mut self, var: Var, value: Value, because: Because) -> Result<(), Contradiction> {
        match (self.values[var], value) {
            (Value::Open, _) => {}
            (a, b) if a == b => return Ok(()),
            _ => {
                return Err(match because {
                    Because::Clause(index) => Contradiction::Clause(index),
                    Because::Excluded(other) => Contradiction::Pair(other, var),
                    _ => Contradiction::Clause(0),
                });
            }
        }
        self.values[var] = value;
        self.because[var] = because;
        self.trail.push(var);
        if value == Value::In {
            self.weight += self.instance.weights[var];
        }
        Ok(())
    }

    fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            let Some(var) = self.trail.pop() else { return };
            if self.values[var] == Value::In {
                self.weight -= self.instance.weights[var];
            }
            self.values[var] = Value::Open;
            self.because[var] = Because::Open;
        }
    }

    fn propagate_all(&mut self) -> Result<(), Contradiction> {
        for index in 0..self.instance.clauses.len() {
            if self.instance.clauses[index].owner.is_none() {
                self.clause(index)?;
            }
        }
        self.propagate(0)
    }

    /// Draws every conclusion from what was set since `mark`.
    fn propagate(&mut self, mut next: usize) -> Result<(), Contradiction> {
        let instance = self.instance;
        while let Some(&var) = self.trail.get(next) {
            next += 1;
            if self.values[var] == Value::In {
                for &other in &instance.excludes[var] {
                    self.set(other, Value::Out, Because::Excluded(var))?;
                }
                for &index in &instance.owned[var] {
                    self.clause(index)?;
                }
            } else {
                for &index in &instance.satisfies[var] {
                    self.clause(index)?;
                }
            }
        }
        Ok(())
    }

    /// Unit propagation, both ways: the last way is taken; an owner that cannot be satisfied is out.
    fn clause(&mut self, index: usize) -> Result<(), Contradiction> {
        let clause = &self.instance.clauses[index];
        let mut open = None;
        for &var in &clause.any {
            match self.values[var] {
                Value::In => return Ok(()),
                Value::Open if open.is_some() => return Ok(()),
                Value::Open => open = Some(var),
                Value::Out => {}
            }
        }
        let wanted = clause.owner.is_none_or(|owner| self.values[owner] == Value::In);
        match (open, clause.owner) {
            (Some(var), _) if wanted => self.set(var, Value::In, Because::Clause(index)),
            (None, None) => Err(Contradiction::Clause(index)),
            (None, Some(owner)) => self.set(owner, Value::Out, Because::Clause(index)),
            _ => Ok(()),
        }
    }

    /// Clauses of packages that are in and that nothing satisfies yet.
    fn open_clauses(&self) -> Vec<usize> {
        let holds = |index: &usize| {
            let clause = &self.instance.clauses[*index];
            clause.owner.is_none_or(|owner| self.values[owner] == Value::In)
                && !clause.any.iter().any(|&var| self.values[var] == Value::In)
        };
        (0..self.instance.clauses.len()).filter(holds).collect()
    }

    /// At least this much more has to be taken: the cheapest ways of clauses that share none.
    fn bound(&self, open: &[usize]) -> u64 {
        let mut used = vec![false; self.values.len()];
        let mut bound = 0;
        for &index in open {
            let ways: Vec<_> =
                self.instance.clauses[index].any.iter().filter(|&&var| self.values[var] == Value::Open).collect();
            if ways.iter().any(|&&var| used[var]) {
                continue;
            }
            bound += ways.iter().map(|&&var| self.instance.weights[var]).min().unwrap_or(0);
            for &&var in &ways {
                used[var] = true;
            }
        }
        bound
    }

    fn descend(&mut self) -> Option<Contradiction> {
        self.nodes += 1;
        if self.nodes > self.limit && self.best.is_some() {
            self.complete = false;
            return None;
        }
        let open = self.open_clauses();
        if let Some(((_, weight, _), ..)) = &self.best
            && self.instance.preferred.iter().all(|preferred| !preferred)
            && self.weight + self.bound(&open) > *weight
        {
            return None;
        }
        let ways = |search: &Self, index: usize| -> Vec<Var> {
            let all = search.instance.clauses[index].any.iter();
            all.copied().filter(|&var| search.values[var] == Value::Open).collect()
        };
        let Some(&index) = open.iter().min_by_key(|&&index| (ways(self, index).len(), index)) else {
            self.leaf();
            return None;
        };
        let mut ways = ways(self, index);
        ways.sort_by_key(|&var| (!self.instance.preferred[var], self.instance.weights[var]));
        let start = self.trail.len();
        let mut last = Some(Contradiction::Clause(index));
        for var in ways {
            let mark = self.trail.len();
            let tried = self.set(var, Value::In, Because::Tried).and_then(|()| self.propagate(mark));
            let below = match tried {
                Ok(()) => self.descend(),
                Err(contradiction) => Some(contradiction),
            };
            self.undo(mark);
            last = below.or(last);
            // From here on it is out: each set is looked at once.
            let without = self.set(var, Value::Out, Because::Tried).and_then(|()| self.propagate(mark));
            if without.is_err() {
                break;
            }
        }
        self.undo(start);
        last
    }

    fn leaf(&mut self) {
        let instance = self.instance;
        let chosen: Vec<Var> = (0..self.values.len()).filter(|&var| self.values[var] == Value::In).collect();
        let missing = |clause: &&super::instance::Clause| {
            let wanted = clause.owner.is_none_or(|owner| self.values[owner] == Value::In);
            wanted
                && clause.any.iter().any(|&var| instance.preferred[var])
                && !clause.any.iter().any(|&var| instance.preferred[var] && self.values[var] == Value::In)
        };
        let not_first = |clause: &&super::instance::Clause| {
            clause.owner.is_some_and(|owner| self.values[owner] == Value::In)
                && !clause.first.iter().any(|&var| self.values[var] == Value::In)
        };
        let unpreferred = instance.clauses.iter().filter(missing).count() as u64;
        let others = instance.clauses.iter().filter(not_first).count() as u64;
        let cost = (unpreferred, self.weight, (chosen.len() as u64) << 32 | others);
        let mut names: Vec<_> = chosen.iter().map(|&var| instance.name(var)).collect();
        names.sort_unstable();
        let better = self.best.as_ref().is_none_or(|(best, their, _)| (&cost, &names) < (best, their));
        if better {
            self.best = Some((cost, names, chosen));
        }
    }

    /// Numbered steps from the manifest to the contradiction.
    fn explain(&self, contradiction: Contradiction) -> String {
        let mut steps = Vec::new();
        match contradiction {
            Contradiction::Clause(index) => {
                self.why_clause(index, &mut steps, 0);
                let clause = &self.instance.clauses[index];
                for &var in &clause.any {
                    self.why_out(var, &mut steps, 0);
                }
            }
            Contradiction::Pair(a, b) => {
                self.why_in(a, &mut steps, 0);
                self.why_in(b, &mut steps, 0);
                steps.push(format!("{} and {} exclude one another", self.instance.named(a), self.instance.named(b)));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        steps.retain(|step| seen.insert(step.clone()));
        let steps = steps.iter().enumerate().map(|(i, step)| format!("  {}. {step}", i + 1));
        steps.collect::<Vec<_>>().join("\n")
    }

    fn why_clause(&self, index: usize, steps: &mut Vec<String>, depth: usize) {
        let clause = &self.instance.clauses[index];
        match clause.owner {
            None => steps.push(format!("the manifest asks for {} (line {})", clause.text, clause.line)),
            Some(owner) => {
                if self.values[owner] == Value::In {
                    self.why_in(owner, steps, depth + 1);
                }
                steps.push(format!("{} depends on {}", self.instance.named(owner), clause.text));
            }
        }
    }

    fn why_in(&self, var: Var, steps: &mut Vec<String>, depth: usize) {
        if depth > 64 {
            return;
        }
        if let Because::Clause(index) = self.because[var] {
            self.why_clause(index, steps, depth + 1);
        }
    }

    fn why_out(&self, var: Var, steps: &mut Vec<String>, depth: usize) {
        if depth > 64 || self.values[var] != Value::Out {
            return;
        }
        match self.because[var] {
            Because::Excluded(other) => {
                self.why_in(other, steps, depth + 1);
                let (a, b) = (self.instance.named(other), self.instance.named(var));
                steps.push(format!("{a} and {b} exclude one another"));
            }
            Because::Clause(index) => {
                let clause = &self.instance.clauses[index];
                if clause.owner == Some(var) {
                    steps.push(format!("{} depends on {}", self.instance.named(var), clause.text));
                    for &way in &clause.any {
                        self.why_out(way, steps, depth + 1);
                    }
                }
            }
            Because::Open | Because::Tried => {}
        }
    }
}
