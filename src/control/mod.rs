//! Debian control data: paragraphs, relations, versions. Parsers are functions on bytes with explicit limits.
//!
//! In: text. Out: borrowed fields, owned relations, ordered versions.

pub mod paragraph;
// pub mod relation;
pub mod version;

pub use paragraph::{Paragraph, ParagraphError, Paragraphs};
// pub use relation::{Relation, RelationGroup};
pub use version::Version;
