//! A 0/1 problem with numbers for names, and its two-way unit propagation.
//!
//! Each clause says: if its owner is chosen (or always, without one), so is one of its literals. Propagation goes
//! both ways: a chosen owner with one literal left chooses it; an owner none of whose literals is left is out.

/// `owner → lits[0] ∨ lits[1] ∨ …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clause<'c> {
    pub(super) owner: Option<u32>,
    /// Sorted, without repeats, without the owner.
    pub(super) lits: &'c [u32],
}

/// Clauses by number, their literals in one piece of memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Clauses {
    owners: Vec<Option<u32>>,
    /// Where the literals of each clause end; they begin where those of the one before end.
    ends: Vec<u32>,
    lits: Vec<u32>,
}

impl Clauses {
    pub(super) fn len(&self) -> u32 {
        self.owners.len() as u32
    }

    pub(super) fn push(&mut self, owner: Option<u32>, lits: impl IntoIterator<Item = u32>) {
        self.lits.extend(lits);
        self.owners.push(owner);
        self.ends.push(self.lits.len() as u32);
    }

    pub(super) fn clear(&mut self) {
        self.owners.clear();
        self.ends.clear();
        self.lits.clear();
    }

    pub(super) fn get(&self, clause: u32) -> Clause<'_> {
        let clause = clause as usize;
        let start = if clause == 0 { 0 } else { self.ends[clause - 1] };
        Clause { owner: self.owners[clause], lits: &self.lits[start as usize..self.ends[clause] as usize] }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Clause<'_>> + Clone {
        (0..self.len()).map(|clause| self.get(clause))
    }
}

/// What a variable's weight and a solution's cost are: the lexicographic objective in one integer (see `weight`).
pub(super) type Weight = u128;

/// The problem: find the cheapest set of variables that satisfies all clauses and holds no excluded pair.
#[derive(Debug, Clone, Default)]
pub(super) struct Instance {
    pub(super) weights: Vec<Weight>,
    pub(super) clauses: Clauses,
    pub(super) exclusions: Vec<(u32, u32)>,
}

/// Lists of numbers, one per row, in one piece of memory.
#[derive(Debug, Default)]
struct Rows {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Rows {
    /// From (row, item) pairs; within a row the items keep their order.
    fn new(rows: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0u32; rows + 1];
        for (row, _) in pairs.clone() {
            starts[row as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut items = vec![0; starts[rows] as usize];
        let mut fill = starts.clone();
        for (row, item) in pairs {
            let at = &mut fill[row as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        Self { starts, items }
    }

    fn row(&self, row: u32) -> &[u32] {
        &self.items[self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize]
    }
}

/// Why a variable has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Tried by the caller.
    Assumed,
    /// The last literal left of this clause, or the owner of this clause that has none left.
    Clause(u32),
    /// Excluded by this variable, which is chosen.
    Excluded(u32),
}

/// What propagation ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// A clause that must hold and has no literal left.
    Empty(u32),
    /// Two chosen variables that exclude each other.
    Pair(u32, u32),
    /// A variable was given the value that it cannot have.
    Refused(u32),
}

/// An instance with a partial assignment that can be taken back.
#[derive(Debug)]
pub(super) struct Engine<'i> {
    pub(super) instance: &'i Instance,
    value: Vec<Option<bool>>,
    reason: Vec<Reason>,
    /// For each clause, how many literals are chosen and how many are not out.
    chosen: Vec<u32>,
    left: Vec<u32>,
    trail: Vec<u32>,
    /// How much of the trail has been propagated.
    head: usize,
    clauses_with: Rows,
    clauses_of: Rows,
    excludes: Rows,
}

impl<'i> Engine<'i> {
    /// Nothing assigned.
    pub(super) fn new(instance: &'i Instance) -> Self {
        let vars = instance.weights.len();
        let clauses = || (0u32..).zip(instance.clauses.iter());
        let pairs = || instance.exclusions.iter().copied();
        Self {
            instance,
            value: vec![None; vars],
            reason: vec![Reason::Assumed; vars],
            chosen: vec![0; instance.clauses.len() as usize],
            left: instance.clauses.iter().map(|c| c.lits.len() as u32).collect(),
            trail: Vec::new(),
            head: 0,
            clauses_with: Rows::new(vars, clauses().flat_map(|(i, c)| c.lits.iter().map(move |l| (*l, i)))),
            clauses_of: Rows::new(vars, clauses().filter_map(|(i, c)| Some((c.owner?, i)))),
            excludes: Rows::new(vars, pairs().chain(pairs().map(|(a, b)| (b, a)))),
        }
    }

    pub(super) fn value(&self, var: u32) -> Option<bool> {
        self.value[var as usize]
    }

    pub(super) fn reason(&self, var: u32) -> Reason {
        self.reason[var as usize]
    }

    /// What was assigned, in order.
    pub(super) fn trail(&self) -> &[u32] {
        &self.trail
    }

    /// The clauses that a variable is a literal of.
    pub(super) fn clauses_with(&self, var: u32) -> &[u32] {
        self.clauses_with.row(var)
    }

    /// The variables that one excludes.
    pub(super) fn excludes(&self, var: u32) -> &[u32] {
        self.excludes.row(var)
    }

    /// The clauses that a variable owns.
    pub(super) fn clauses_of(&self, var: u32) -> &[u32] {
        self.clauses_of.row(var)
    }

    pub(super) fn clause(&self, clause: u32) -> Clause<'i> {
        self.instance.clauses.get(clause)
    }

    /// Whether the clause must be satisfied and is not yet.
    pub(super) fn is_open(&self, clause: u32) -> bool {
        self.chosen[clause as usize] == 0
            && self.clause(clause).owner.is_none_or(|owner| self.value(owner) == Some(true))
    }

    /// The clauses that must be satisfied and are not yet.
    pub(super) fn open(&self) -> Vec<u32> {
        (0..self.instance.clauses.len()).filter(|c| self.is_open(*c)).collect()
    }

    /// The literals of a clause that are not out.
    pub(super) fn live(&self, clause: u32) -> impl Iterator<Item = u32> {
        self.clause(clause).lits.iter().copied().filter(|l| self.value(*l) != Some(false))
    }

    /// Draws the conclusions from the clauses as they stand before anything is assigned.
    pub(super) fn start(&mut self) -> Result<(), Contradiction> {
        for clause in 0..self.instance.clauses.len() {
            if self.left[clause as usize] <= 1 {
                self.examine(clause)?;
            }
        }
        self.propagate()
    }

    /// Tries a value and draws the conclusions.
    pub(super) fn assume(&mut self, var: u32, value: bool) -> Result<(), Contradiction> {
        self.assign(var, value, Reason::Assumed)?;
        self.propagate()
    }

    /// Forgets everything after the first `length` entries of the trail.
    pub(super) fn undo(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some(var) = self.trail.pop() else { return };
            let value = self.value[var as usize].take();
            if self.trail.len() < self.head {
                for &clause in self.clauses_with.row(var) {
                    match value {
                        Some(true) => self.chosen[clause as usize] -= 1,
                        _ => self.left[clause as usize] += 1,
                    }
                }
            }
        }
        self.head = self.head.min(length);
    }

    fn assign(&mut self, var: u32, value: bool, reason: Reason) -> Result<(), Contradiction> {
        match self.value[var as usize] {
            Some(old) if old == value => Ok(()),
            Some(_) => Err(match reason {
                Reason::Clause(clause) => Contradiction::Empty(clause),
                Reason::Excluded(other) => Contradiction::Pair(other, var),
                Reason::Assumed => Contradiction::Refused(var),
            }),
            None => {
                self.value[var as usize] = Some(value);
                self.reason[var as usize] = reason;
                self.trail.push(var);
                Ok(())
            }
        }
    }

    /// Breadth first, so that the reasons found are near the requests.
    fn propagate(&mut self) -> Result<(), Contradiction> {
        while let Some(&var) = self.trail.get(self.head) {
            self.head += 1;
            let chosen = self.value[var as usize] == Some(true);
            for i in 0..self.clauses_with.row(var).len() {
                let clause = self.clauses_with.row(var)[i] as usize;
                if chosen {
                    self.chosen[clause] += 1;
                } else {
                    self.left[clause] -= 1;
                }
            }
            if chosen {
                for i in 0..self.clauses_of.row(var).len() {
                    self.examine(self.clauses_of.row(var)[i])?;
                }
                for i in 0..self.excludes.row(var).len() {
                    self.assign(self.excludes.row(var)[i], false, Reason::Excluded(var))?;
                }
            } else {
                for i in 0..self.clauses_with.row(var).len() {
                    let clause = self.clauses_with.row(var)[i];
                    if self.left[clause as usize] <= 1 {
                        self.examine(clause)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn examine(&mut self, index: u32) -> Result<(), Contradiction> {
        let clause = self.clause(index);
        let must = clause.owner.map_or(Some(true), |owner| self.value(owner));
        if self.chosen[index as usize] > 0 || must == Some(false) {
            return Ok(());
        }
        // Counters lag behind the trail, so the values themselves decide.
        match (self.left[index as usize], must, clause.owner) {
            (0, None, Some(owner)) => self.assign(owner, false, Reason::Clause(index)),
            (0, ..) => Err(Contradiction::Empty(index)),
            (1, Some(true), _) => {
                let last = self.live(index).next();
                last.map_or(Err(Contradiction::Empty(index)), |l| self.assign(l, true, Reason::Clause(index)))
            }
            _ => Ok(()),
        }
    }
}
