//! All packages that could be chosen, from the decompressed Packages indexes of every suite and repository.
//!
//! In: [`IndexText`]s in order of precedence and the target architecture. Out: [`Universe`]: every version of every
//! package as a [`Package`] view into the text, sorted by name; names interned; every relation an edge of a
//! [`graph::Graph`].

mod error;
pub mod graph;
mod names;
mod package;
mod parse;
mod satisfy;
mod stanza;
#[cfg(test)]
mod tests;
mod wording;

pub use error::{UniverseError, UniverseErrorKind};
pub use names::NameId;
pub use package::{CandidateId, MultiArch, Package};
pub use parse::{IndexText, Universe};
pub use satisfy::Provider;
