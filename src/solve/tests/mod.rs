//! The solver against small universes: what relations mean, what is told when there is no solution, and an oracle
//! that tries every subset.

#![expect(clippy::unwrap_used, reason = "tests")]

mod oracle;
mod semantics;
mod text;
mod unsolvable;
