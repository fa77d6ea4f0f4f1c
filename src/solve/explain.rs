//! Why there is no solution.

use super::{
    Problem,
    cone::{Cone, Selection},
    instance::Instance,
};

/// TODO
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no solution")]
pub struct Unsolvable {
    /// x
    pub steps: Vec<Step>,
}
/// x
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// x
    pub text: String,
}

pub(super) fn explain(_: &Problem<'_>, _: &Selection<'_, '_>, _: &Cone<'_>, _: &Instance) -> Unsolvable {
    Unsolvable { steps: Vec::new() }
}
