//! What can be wrong with an index.

use crate::{
    base::{
        BadDigest,
        refusal::{self, Refusal, Refuses},
    },
    control::{RelationError, paragraph::ParagraphErrorKind, version::BadVersion},
};

/// An index that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}; the index is at fault: update, or use another mirror or repository", place(*.repository, *.line, .package))]
pub struct UniverseError {
    /// Which repository, as numbered in [`super::IndexText::repository`].
    pub repository: usize,
    /// Line of the index, from 1; 0 if it is not known.
    pub line: usize,
    /// Package, if its name was read already.
    pub package: Option<String>,
    /// What.
    pub kind: Box<UniverseErrorKind>,
}

fn place(repository: usize, line: usize, package: &Option<String>) -> String {
    let mut out = format!("Packages index of repository {}", repository + 1);
    if line > 0 {
        out.push_str(&format!(", line {line}"));
    }
    if let Some(package) = package {
        out.push_str(&format!(", package {package}"));
    }
    out.push_str(": ");
    out
}

/// What can be wrong with a stanza of an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UniverseErrorKind {
    /// No control file.
    #[error("{0}")]
    Syntax(ParagraphErrorKind),
    /// A field that every stanza needs.
    #[error("the stanza has no “{0}” field")]
    Missing(&'static str),
    /// A field with a value that it cannot have.
    #[error("{field}: “{value}” is not {wanted}")]
    Value {
        /// Field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A version that is none.
    #[error("{0}")]
    Version(#[from] BadVersion),
    /// A dependency field that is none.
    #[error("{field}: {error}")]
    Relation {
        /// Field.
        field: &'static str,
        /// Why.
        error: RelationError,
    },
    /// A digest that is none.
    #[error("SHA256: {0}")]
    Digest(#[from] BadDigest),
    /// Indexes of 4 GiB or more together.
    #[error("the indexes together are larger than 4 GiB")]
    TooLarge,
}

impl Refuses for UniverseError {
    fn refusal(&self) -> &'static Refusal {
        match &*self.kind {
            UniverseErrorKind::Syntax(_) => refusal::INDEX_SYNTAX,
            UniverseErrorKind::Missing(_) => refusal::INDEX_FIELD_MISSING,
            UniverseErrorKind::Value { .. } | UniverseErrorKind::Digest(_) => refusal::INDEX_FIELD_INVALID,
            UniverseErrorKind::Version(_) => refusal::INDEX_BAD_VERSION,
            UniverseErrorKind::Relation { .. } => refusal::INDEX_BAD_RELATION,
            UniverseErrorKind::TooLarge => refusal::INDEX_TOO_LONG,
        }
    }
}
