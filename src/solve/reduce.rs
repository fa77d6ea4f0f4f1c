//! Choices that no best solution makes.
//!
//! In: an instance in which propagation finds nothing more. Out: variables that can be ruled out, since wherever one of
//! them is chosen another one could stand for it, would cost less, and would ask for nothing more.

use super::instance::{Engine, Instance};

/// Longest clause in which a better literal is looked for: the work grows with its square.
const LONGEST: usize = 256;

/// The variables of `instance` that another dominates. `x` is dominated by `y` if
/// - `y` costs less, or the same and comes first by name;
/// - each clause that `x` can satisfy `y` can satisfy too;
/// - what `y` demands is demanded in any case, or by `x` as well;
/// - what `y` excludes `x` excludes too.
///
/// Then a solution with `x` has a better one with `y` in its place.
pub(super) fn dominated(engine: &Engine<'_>) -> Vec<u32> {
    let instance = engine.instance;
    let mut out: Vec<u32> = Vec::new();
    for x in 0..instance.weights.len() as u32 {
        let with = engine.clauses_with(x);
        let shortest = with.iter().min_by_key(|clause| engine.clause(**clause).lits.len());
        let Some(lits) = shortest.map(|clause| engine.clause(*clause).lits) else { continue };
        if lits.len() > LONGEST {
            continue;
        }
        // A dominator stays, so that whatever it stands for has it.
        let stays = |y: &u32| *y != x && out.binary_search(y).is_err();
        if lits.iter().filter(|y| stays(y)).any(|y| dominates(engine, *y, x)) {
            out.push(x);
        }
    }
    out
}

fn dominates(engine: &Engine<'_>, y: u32, x: u32) -> bool {
    let instance: &Instance = engine.instance;
    let (cost_y, cost_x) = (instance.weights[y as usize], instance.weights[x as usize]);
    if (cost_y, y) >= (cost_x, x) {
        return false;
    }
    let has = |lits: &[u32], lit: u32| lits.binary_search(&lit).is_ok();
    let covers = |clause: &u32| has(engine.clause(*clause).lits, y);
    let within = |small: &[u32], large: &[u32]| small.iter().all(|lit| has(large, *lit));
    let follows = |clause: &u32| {
        let lits = engine.clause(*clause).lits;
        engine.clauses_of(x).iter().any(|other| within(engine.clause(*other).lits, lits))
            || lits.first().is_some_and(|lit| {
                // Demanded in any case: some clause without an owner has no other way out.
                let all = engine.clauses_with(*lit).iter().map(|other| engine.clause(*other));
                let mut roots = all.filter(|other| other.owner.is_none() && !has(other.lits, x));
                roots.any(|other| within(other.lits, lits))
            })
    };
    let excluded = |other: &u32| *other == x || engine.excludes(x).contains(other);
    engine.clauses_with(x).iter().all(covers)
        && engine.clauses_of(y).iter().all(follows)
        && engine.excludes(y).iter().all(excluded)
}
