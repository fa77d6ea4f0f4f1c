//! Branch and bound: the cheapest solution of an instance, proven.
//!
//! At every node: propagation; lookahead (what all alternatives of a clause have in common is so, what contradicts or
//! costs too much is out); what is left falls into independent components; each has a lower bound by dual ascent,
//! which also rules out single variables, as does a better one that can stand for them; then the clause with the fewest alternatives is tried, cheapest first. The
//! order of everything depends on the instance alone.

use super::{
    bound::{Bound, bound},
    instance::{Contradiction, Engine, Instance, Weight},
    reduce::dominated,
};

/// More decisions below one another than any real problem needs; keeps the stack within [`STACK`].
const DEPTH: usize = 10_000;

/// Bytes of stack for the search's own thread.
const STACK: usize = 256 << 20;

/// A set of variables that satisfies an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) cost: Weight,
    /// Sorted. All of one cost have the same number of them, so that the order of sets is the order of lists.
    pub(super) vars: Vec<u32>,
}

/// What a search comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) found: Option<Found>,
    /// No solution is cheaper.
    pub(super) lower_bound: Weight,
    /// Every node that could hold a better one was looked at.
    pub(super) proven: bool,
    pub(super) nodes: u64,
}

/// Searches `instance`; after `node_limit` nodes it takes what it can get.
pub(super) fn search(instance: &Instance, node_limit: u64) -> Outcome {
    let mut search = Search { nodes: 0, node_limit, gave_up: false, root_bound: None };
    let whole = Part { ids: (0..instance.weights.len() as u32).collect(), instance: instance.clone() };
    let ran = with_stack(|| search.node(&whole, &[], Weight::MAX, 0));
    // A machine that has no thread to give has nothing proven.
    let proven = ran.is_some() && !search.gave_up;
    let found = ran.flatten();
    let lower_bound = match (&found, proven) {
        (Some(found), true) => found.cost,
        _ => search.root_bound.unwrap_or(0),
    };
    Outcome { found, lower_bound, proven, nodes: search.nodes }
}

/// Runs `work` on a thread with room for deep recursion; `None` if the machine has none to give.
fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// What is left of an instance when all that is forced is done: independent parts.
pub(super) struct Root {
    forced: Vec<bool>,
    /// By variable: the part that it is in.
    part_of: Vec<Option<usize>>,
    parts: Vec<Part>,
}

impl Root {
    /// `None` if there is no solution.
    pub(super) fn new(instance: &Instance) -> Option<Self> {
        let mut engine = Engine::new(instance);
        engine.start().ok()?;
        look_ahead(&mut engine, Weight::MAX).ok()?;
        let vars = instance.weights.len() as u32;
        let ids: Vec<u32> = (0..vars).collect();
        let parts = components(&engine, &ids);
        let mut part_of = vec![None; vars as usize];
        for (index, part) in parts.iter().enumerate() {
            for var in &part.ids {
                part_of[*var as usize] = Some(index);
            }
        }
        Some(Self { forced: ids.iter().map(|var| engine.value(*var) == Some(true)).collect(), part_of, parts })
    }

    pub(super) fn is_forced(&self, var: u32) -> bool {
        self.forced[var as usize]
    }

    pub(super) fn part_of(&self, var: u32) -> Option<usize> {
        self.part_of[var as usize]
    }
}

/// What a question comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// What the part's best solution costs, and what its best one with the values asked for.
    Cost(Weight, Weight),
    /// There is none with these values.
    Impossible,
    /// The search was given up.
    Unknown,
}

/// For each question (a part, and values of some of its variables), what these values make of the part's best
/// solution.
pub(super) fn priced(root: &Root, questions: &[(usize, Vec<(u32, bool)>)], node_limit: u64) -> Vec<Answer> {
    // `Err` if the search was given up.
    let cost = |part: &Part, assumed: &[(u32, bool)]| -> Result<Option<Weight>, ()> {
        let local = |(var, value): &(u32, bool)| Some((part.ids.binary_search(var).ok()? as u32, *value));
        let assumed: Vec<_> = assumed.iter().filter_map(local).collect();
        let mut search = Search { nodes: 0, node_limit, gave_up: false, root_bound: None };
        let found = search.node(part, &assumed, Weight::MAX, 0);
        if search.gave_up { Err(()) } else { Ok(found.map(|found| found.cost)) }
    };
    let answers = with_stack(|| {
        let mut best: Vec<Option<Result<Option<Weight>, ()>>> = vec![None; root.parts.len()];
        let mut answer = |(part, assumed): &(usize, Vec<(u32, bool)>)| {
            let least = *best[*part].get_or_insert_with(|| cost(&root.parts[*part], &[]));
            match (least, cost(&root.parts[*part], assumed)) {
                (Ok(Some(least)), Ok(Some(found))) => Answer::Cost(least, found),
                (_, Ok(None)) => Answer::Impossible,
                _ => Answer::Unknown,
            }
        };
        questions.iter().map(&mut answer).collect()
    });
    answers.unwrap_or_else(|| vec![Answer::Unknown; questions.len()])
}

/// A piece of the problem with numbers of its own.
struct Part {
    /// What its variables are called in the whole: sorted.
    ids: Vec<u32>,
    instance: Instance,
}

struct Search {
    nodes: u64,
    node_limit: u64,
    /// Something was left out: the result is valid and may not be the best.
    gave_up: bool,
    root_bound: Option<Weight>,
}

impl Search {
    fn is_over_limit(&self) -> bool {
        self.nodes > self.node_limit
    }

    /// The best solution of `part` under `assumed` that costs no more than `limit`.
    fn node(&mut self, part: &Part, assumed: &[(u32, bool)], limit: Weight, depth: usize) -> Option<Found> {
        self.nodes += 1;
        // Even beyond the limit a first solution is wanted, but not at any price.
        if depth > DEPTH || self.nodes > self.node_limit.saturating_mul(10).saturating_add(1000) {
            self.gave_up = true;
            return None;
        }
        let mut engine = Engine::new(&part.instance);
        engine.start().ok()?;
        for (var, value) in assumed {
            engine.assume(*var, *value).ok()?;
        }
        look_ahead(&mut engine, limit).ok()?;
        let base = chosen_cost(&engine, 0);
        let mut rest = limit.checked_sub(base)?;
        let mut vars: Vec<u32> =
            engine.trail().iter().filter(|v| engine.value(**v) == Some(true)).map(|v| part.ids[*v as usize]).collect();
        let parts = components(&engine, &part.ids);
        drop(engine);

        // What each component needs at least is not there for the others.
        let bounds: Vec<Bound> = parts.iter().map(|part| bound(&part.instance)).collect();
        let least: Weight = bounds.iter().map(|b| b.cost).sum();
        self.root_bound.get_or_insert(base + least);
        rest = rest.checked_sub(least)?;
        let mut cost = base;
        for (part, bound) in parts.iter().zip(bounds) {
            let own = bound.cost;
            let found = self.branch(part, &bound, rest.saturating_add(own), depth)?;
            rest -= found.cost - own;
            cost += found.cost;
            vars.extend(found.vars);
        }
        vars.sort_unstable();
        Some(Found { cost, vars })
    }

    /// The same for a component, nothing of which follows from propagation or lookahead alone.
    fn branch(&mut self, part: &Part, bound: &Bound, mut limit: Weight, depth: usize) -> Option<Found> {
        let too_dear = |reduced: Weight| bound.cost.saturating_add(reduced) > limit;
        let dear = (0u32..).zip(&bound.reduced).filter(|(_, r)| too_dear(**r)).map(|(v, _)| v);
        let mut out: Vec<(u32, bool)> = dear.map(|v| (v, false)).collect();
        let mut engine = Engine::new(&part.instance);
        if out.is_empty() {
            out.extend(dominated(&engine).into_iter().map(|v| (v, false)));
        }
        if !out.is_empty() {
            drop(engine);
            return self.node(part, &out, limit, depth + 1);
        }
        engine.start().ok()?;
        let clause = engine.open().into_iter().min_by_key(|c| (part.instance.clauses.get(*c).lits.len(), *c))?;
        let mut ways: Vec<(Weight, u32)> = Vec::new();
        for lit in engine.live(clause).collect::<Vec<_>>() {
            if engine.assume(lit, true).is_ok() {
                ways.push((chosen_cost(&engine, 0), lit));
            }
            engine.undo(0);
        }
        drop(engine);
        ways.sort_unstable();
        let mut best: Option<Found> = None;
        let mut assumed: Vec<(u32, bool)> = Vec::with_capacity(ways.len());
        for (_, way) in ways {
            if best.is_some() && self.is_over_limit() {
                self.gave_up = true;
                break;
            }
            assumed.push((way, true));
            if let Some(found) = self.node(part, &assumed, limit, depth + 1) {
                // As dear as the best is still welcome: the names may come earlier.
                limit = found.cost;
                if best.as_ref().is_none_or(|best| found < *best) {
                    best = Some(found);
                }
            }
            assumed.pop();
            assumed.push((way, false));
        }
        best
    }
}

/// What the variables chosen after the first `from` entries of the trail cost.
fn chosen_cost(engine: &Engine<'_>, from: usize) -> Weight {
    let trail = engine.trail().get(from..).unwrap_or_default();
    trail.iter().filter(|v| engine.value(**v) == Some(true)).map(|v| engine.instance.weights[*v as usize]).sum()
}

/// Tries each alternative of each open clause, and draws the conclusions until there are none.
fn look_ahead(engine: &mut Engine<'_>, limit: Weight) -> Result<(), Contradiction> {
    let vars = engine.instance.weights.len();
    // How many alternatives of the clause at hand lead to this value; counted from a new start for each clause.
    let mut seen: Vec<u64> = vec![0; vars * 2];
    let mut start: u64 = 0;
    loop {
        let before = engine.trail().len();
        for clause in engine.open() {
            if !engine.is_open(clause) {
                continue;
            }
            let mut met = 0;
            let mut last: Vec<(u32, bool)> = Vec::new();
            let live: Vec<u32> = engine.live(clause).collect();
            let base = chosen_cost(engine, 0);
            for lit in live {
                if engine.value(lit).is_some() {
                    continue;
                }
                let mark = engine.trail().len();
                let holds = engine.assume(lit, true).is_ok() && base.saturating_add(chosen_cost(engine, mark)) <= limit;
                if holds {
                    last.clear();
                    for &var in &engine.trail()[mark..] {
                        let value = engine.value(var) == Some(true);
                        let count = &mut seen[var as usize * 2 + usize::from(value)];
                        if *count == start + met || met == 0 {
                            *count = start + met + 1;
                            last.push((var, value));
                        }
                    }
                    met += 1;
                    engine.undo(mark);
                } else {
                    engine.undo(mark);
                    engine.assume(lit, false)?;
                }
            }
            start += met + 1;
            if engine.is_open(clause) {
                for (var, value) in last {
                    engine.assume(var, value)?;
                }
            }
        }
        if engine.trail().len() == before {
            return Ok(());
        }
    }
}

/// What is left to decide, in independent pieces, the smallest first; only what an open clause can reach.
fn components(engine: &Engine<'_>, ids: &[u32]) -> Vec<Part> {
    let instance = engine.instance;
    let vars = instance.weights.len();
    let mut leader: Vec<u32> = (0..vars as u32).collect();
    fn find(leader: &mut [u32], mut var: u32) -> u32 {
        while leader[var as usize] != var {
            leader[var as usize] = leader[leader[var as usize] as usize];
            var = leader[var as usize];
        }
        var
    }
    let mut reached = vec![false; vars];
    let mut queue: Vec<u32> = Vec::new();
    // (clause, a variable of its component)
    let mut kept: Vec<(u32, u32)> = Vec::new();
    let visit =
        |clause: u32, owner: Option<u32>, leader: &mut Vec<u32>, queue: &mut Vec<u32>, reached: &mut Vec<bool>| {
            let mut one = owner;
            for lit in engine.live(clause) {
                if !std::mem::replace(&mut reached[lit as usize], true) {
                    queue.push(lit);
                }
                let (a, b) = (find(leader, one.unwrap_or(lit)), find(leader, lit));
                // The smallest leads, so that components come in the order of their first variable.
                leader[a.max(b) as usize] = a.min(b);
                one = Some(lit);
            }
            one
        };
    for clause in engine.open() {
        if let Some(one) = visit(clause, None, &mut leader, &mut queue, &mut reached) {
            kept.push((clause, one));
        }
    }
    while let Some(var) = queue.pop() {
        for &clause in engine.clauses_of(var) {
            if engine.clause(clause).lits.iter().any(|l| engine.value(*l) == Some(true)) {
                continue;
            }
            if let Some(one) = visit(clause, Some(var), &mut leader, &mut queue, &mut reached) {
                kept.push((clause, one));
            }
        }
    }
    kept.sort_unstable();
    let pairs: Vec<(u32, u32)> =
        instance.exclusions.iter().copied().filter(|(a, b)| reached[*a as usize] && reached[*b as usize]).collect();
    for &(a, b) in &pairs {
        let (a, b) = (find(&mut leader, a), find(&mut leader, b));
        leader[a.max(b) as usize] = a.min(b);
    }

    let mut part_of = vec![u32::MAX; vars];
    let mut local = vec![0u32; vars];
    let mut parts: Vec<Part> = Vec::new();
    for var in (0..vars as u32).filter(|v| reached[*v as usize]) {
        let lead = find(&mut leader, var) as usize;
        if part_of[lead] == u32::MAX {
            part_of[lead] = parts.len() as u32;
            parts.push(Part { ids: Vec::new(), instance: Instance::default() });
        }
        part_of[var as usize] = part_of[lead];
        let part = &mut parts[part_of[lead] as usize];
        local[var as usize] = part.ids.len() as u32;
        part.ids.push(ids[var as usize]);
        part.instance.weights.push(instance.weights[var as usize]);
    }
    for (clause, one) in kept {
        let part = &mut parts[part_of[one as usize] as usize];
        // An owner that is chosen already is no condition any more.
        let owner = engine.clause(clause).owner.filter(|o| engine.value(*o).is_none()).map(|o| local[o as usize]);
        part.instance.clauses.push(owner, engine.live(clause).map(|l| local[l as usize]));
    }
    for (a, b) in pairs {
        parts[part_of[a as usize] as usize].instance.exclusions.push((local[a as usize], local[b as usize]));
    }
    parts.sort_by_key(|part| part.ids.len());
    parts
}
