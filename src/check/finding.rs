//! One thing that was found: what, where, whose, and what mends it.
//!
//! In: what the checks saw. Out: [`Finding`], which reports are made of. Its code is one of [`crate::base::CODES`].

use std::fmt;

use crate::{
    base::{Line, RootPath, Severity},
    tree::Origin,
};

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The image as a whole.
    Image,
    /// A package, wheel or tarball as a whole.
    Whole(Origin),
    /// A path in the image, and who brought it.
    Path(RootPath, Origin),
}

/// Why a finding may be: an entry of `policy.allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// The entry's reason.
    pub reason: String,
    /// Its line in the manifest, from 1.
    pub line: Line,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name of the kind, of [`crate::base::CODES`].
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What mends it.
    pub hint: String,
    /// The line of the manifest that asks for the check, from 1; `None` for what is always checked.
    pub line: Option<Line>,
    /// Set when an exception of the manifest meets it: it then stops nothing.
    pub excuse: Option<Excuse>,
}

impl Finding {
    /// At a path.
    pub fn at(code: &'static str, severity: Severity, path: RootPath, origin: Origin) -> Self {
        Self::new(code, severity, Place::Path(path, origin))
    }

    /// Anywhere; message and hint are yet to be said.
    pub fn new(code: &'static str, severity: Severity, place: Place) -> Self {
        Self { code, severity, place, message: String::new(), hint: String::new(), line: None, excuse: None }
    }

    /// With these words.
    #[must_use]
    pub fn says(self, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), ..self }
    }

    /// Asked for by this line of the manifest.
    #[must_use]
    pub fn asked_in(self, line: impl Into<Line>) -> Self {
        Self { line: Some(line.into()), ..self }
    }

    /// The path in the image, if it is about one.
    pub fn path(&self) -> Option<&RootPath> {
        match &self.place {
            Place::Path(path, _) => Some(path),
            Place::Image | Place::Whole(_) => None,
        }
    }

    /// Who brought it; `None` for the image as a whole.
    pub fn origin(&self) -> Option<&Origin> {
        match &self.place {
            Place::Path(_, origin) | Place::Whole(origin) => Some(origin),
            Place::Image => None,
        }
    }

    /// Whether the build fails by it.
    pub fn is_fatal(&self) -> bool {
        self.severity == Severity::Error && self.excuse.is_none()
    }
}

/// “/usr/bin/su: it runs as … (login)”, “dash: version 1 is in”, “the image: it has … (line
/// 7)”, which is the manifest's.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Image => {
                write!(f, "the image: {}", self.message)?;
                self.line.as_ref().map_or(Ok(()), |line| write!(f, " (line {line})"))
            }
            Place::Whole(origin) => write!(f, "{origin}: {}", self.message),
            Place::Path(path, origin) if origin.is_unpacked() => write!(f, "{path}: {} ({origin})", self.message),
            Place::Path(path, _) => write!(f, "{path}: {}", self.message),
        }
    }
}
