//! Debian control data: paragraphs, relations, versions. Parsers are functions on text with explicit limits.
//!
//! In: text. Out: borrowed fields and atoms, owned relations, ordered versions.

pub mod atom;
pub mod paragraph;
pub mod relation;
mod scan;
pub mod strip;
pub mod version;

pub use atom::{Atom, Clauses, Op, Qualifier, RelationError};
pub use paragraph::{Paragraph, ParagraphError, Paragraphs};
pub use relation::{Relation, RelationGroup};
pub use version::Version;
