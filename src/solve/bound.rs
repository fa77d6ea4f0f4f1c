//! A lower bound by dual ascent, as Wong's for Steiner trees: no solution of an instance is cheaper.
//!
//! A clause that must hold gives a set of variables of which at least one is chosen: its literals; and in place of
//! a literal that has nothing left to pay, in the same way, those of one of its own clauses. Each such set pays
//! what its poorest member has left, until no set is left that can pay.

use super::instance::{Instance, Weight};

/// A chain of clauses longer than this is not followed: the bound is weaker then, and still a bound.
const DEPTH: usize = 1000;

/// What dual ascent finds.
pub(super) struct Bound {
    /// No solution is cheaper than this.
    pub(super) cost: Weight,
    /// A solution that holds a variable costs at least `cost` and what is left here.
    pub(super) reduced: Vec<Weight>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unseen,
    Open,
    Paid,
    Failed,
}

struct Ascent<'i> {
    instance: &'i Instance,
    clauses_of: Vec<Vec<u32>>,
    reduced: Vec<Weight>,
    marks: Vec<Mark>,
    /// Variables whose mark is not `Unseen`, in the order in which they got it.
    marked: Vec<u32>,
    payers: Vec<u32>,
}

/// The bound of `instance`.
pub(super) fn bound(instance: &Instance) -> Bound {
    let mut clauses_of = vec![Vec::new(); instance.weights.len()];
    let mut roots: Vec<u32> = Vec::new();
    for (index, clause) in (0u32..).zip(instance.clauses.iter()) {
        match clause.owner {
            Some(owner) => clauses_of[owner as usize].push(index),
            None => roots.push(index),
        }
    }
    // Small sets first: they have the fewest ways out.
    roots.sort_by_key(|c| instance.clauses.get(*c).lits.len());
    let marks = vec![Mark::Unseen; instance.weights.len()];
    let reduced = instance.weights.clone();
    let mut ascent = Ascent { instance, clauses_of, reduced, marks, marked: Vec::new(), payers: Vec::new() };
    let mut cost = 0;
    for root in roots {
        cost += ascent.raise(root);
    }
    Bound { cost, reduced: ascent.reduced }
}

impl Ascent<'_> {
    /// Raises one clause as far as it goes.
    fn raise(&mut self, root: u32) -> Weight {
        let mut sum = 0;
        loop {
            self.payers.clear();
            self.revert(0);
            if !self.collect(root, 0) {
                return sum;
            }
            let Some(least) = self.payers.iter().map(|v| self.reduced[*v as usize]).min() else { return sum };
            for payer in &self.payers {
                self.reduced[*payer as usize] -= least;
            }
            sum += least;
        }
    }

    fn mark(&mut self, var: u32, mark: Mark) {
        if self.marks[var as usize] == Mark::Unseen {
            self.marked.push(var);
        }
        self.marks[var as usize] = mark;
    }

    fn revert(&mut self, length: usize) {
        for var in self.marked.drain(length..) {
            self.marks[var as usize] = Mark::Unseen;
        }
    }

    /// Adds variables to `payers` of which one must be chosen if `clause` holds; false if there is no such set of
    /// variables that can all pay. A circle is no support: a literal on its own way in does not count.
    fn collect(&mut self, clause: u32, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        let instance = self.instance;
        for &lit in instance.clauses.get(clause).lits {
            match self.marks[lit as usize] {
                Mark::Paid => continue,
                Mark::Open | Mark::Failed => return false,
                Mark::Unseen => {}
            }
            if self.reduced[lit as usize] > 0 {
                self.mark(lit, Mark::Paid);
                self.payers.push(lit);
                continue;
            }
            self.mark(lit, Mark::Open);
            let mut supported = false;
            for i in 0..self.clauses_of[lit as usize].len() {
                let (payers, marked) = (self.payers.len(), self.marked.len());
                if self.collect(self.clauses_of[lit as usize][i], depth + 1) {
                    supported = true;
                    break;
                }
                self.payers.truncate(payers);
                // What failed fails again; what paid for nothing has not paid.
                let (failed, paid): (Vec<u32>, Vec<u32>) =
                    self.marked.drain(marked..).partition(|v| self.marks[*v as usize] == Mark::Failed);
                for var in paid {
                    self.marks[var as usize] = Mark::Unseen;
                }
                self.marked.extend(failed);
            }
            self.mark(lit, if supported { Mark::Paid } else { Mark::Failed });
            if !supported {
                return false;
            }
        }
        true
    }
}
