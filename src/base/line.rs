//! A line of a manifest, or of a file that it extends.

use std::{fmt, sync::Arc};

/// Where something is written: shown as “6”, or “6 of ../base.toml” if it is another file than the manifest itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// From 1; 0 if nobody wrote it.
    pub number: usize,
    /// The file; `None` for the manifest itself.
    pub file: Option<Arc<str>>,
}

impl Line {
    /// The line, if somebody wrote it.
    pub fn written(&self) -> Option<Self> {
        (self.number > 0).then(|| self.clone())
    }

    /// “line 6 of the manifest”, “line 6 of ../base.toml”.
    pub fn in_words(&self) -> String {
        match &self.file {
            Some(_) => format!("line {self}"),
            None => format!("line {self} of the manifest"),
        }
    }
}

impl From<usize> for Line {
    fn from(number: usize) -> Self {
        Self { number, file: None }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} of {file}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}
