//! Debian control data: paragraphs, relations, versions. Parsers are functions on text with explicit limits.
//!
//! In: text. Out: borrowed fields and atoms, owned relations, ordered versions.

pub mod paragraph;
pub mod relation;
pub mod version;

pub use paragraph::{Paragraph, ParagraphError, Paragraphs};
pub use relation::{Atom, Clauses, Op, Qualifier, Relation, RelationError, RelationGroup};
pub use version::Version;
