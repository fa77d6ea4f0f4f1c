//! What is wrong with a manifest: file, line, column, the text at fault, and what to write instead.
//!
//! In: a place in the text and a [`Fault`]. Out: [`ManifestErrors`], which `miette` can draw and `Display` can say.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::base::{
    refusal::{self, Refusal},
    words,
};

/// Why a value is refused, before its place in the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub refusal: &'static Refusal,
    pub what: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(what: impl Into<String>) -> Self {
        Self { refusal: refusal::INVALID_VALUE, what: what.into(), help: None }
    }

    /// Something that is needed and is not there.
    pub fn missing(what: impl Into<String>) -> Self {
        Self { refusal: refusal::MISSING_KEY, ..Self::new(what) }
    }

    /// A file that is named and is not there.
    pub fn no_file(path: &Path) -> Self {
        let what = format!("there is no file {}", path.display());
        Self { refusal: refusal::NAMED_FILE_MISSING, ..Self::new(what) }
    }

    /// Two places that cannot both be meant.
    pub fn clash(what: impl Into<String>) -> Self {
        Self { refusal: refusal::MANIFEST_CONTRADICTION, ..Self::new(what) }
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Adds "did you mean …?" if one of `known` is near `word`, and the whole list otherwise.
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match words::nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean “{near}”?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.help(help)
    }
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Text of the file for a message: one line, not too long, nothing that a terminal obeys.
pub(super) fn quote(text: &str) -> String {
    words::quote(text, 60)
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone)]
pub struct ManifestError {
    refusal: &'static Refusal,
    file: PathBuf,
    line: usize,
    column: usize,
    what: String,
    help: Option<String>,
    span: Range<usize>,
    source: Arc<NamedSource<String>>,
}

impl ManifestError {
    pub(super) fn new(source: &Arc<NamedSource<String>>, file: &Path, span: Range<usize>, fault: Fault) -> Self {
        let (line, column) = position(source.inner(), span.start);
        let source = source.clone();
        let Fault { refusal, what, help } = fault;
        Self { refusal, file: file.into(), line, column, what, help, span, source }
    }

    /// Line in the manifest, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// For a report that draws the source with the place and the suggestion: the title is then what is wrong alone.
    pub fn drawn(&self) -> Drawn<'_> {
        Drawn(self)
    }
}

/// Line and column (characters), both from 1, of the byte `offset`.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// `file:line:column: what; help`.
impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.what)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ManifestError {}

impl Diagnostic for ManifestError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("error[{}]", self.refusal)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.help.clone().unwrap_or_else(|| "here".into());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(Some(label), self.span.clone()))))
    }
}

/// A fault whose `Display` is what is wrong, without the place and the suggestion, which its label has.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a>(&'a ManifestError);

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.code()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// A manifest that cannot be used.
#[derive(Debug)]
pub enum ManifestErrors {
    /// The file cannot be read.
    Read {
        /// Which.
        file: PathBuf,
        /// One beside it of a like name, if it is not there.
        near: Option<PathBuf>,
        /// Why not.
        source: io::Error,
    },
    /// The file is longer than [`super::MAX_BYTES`].
    TooLong {
        /// Which.
        file: PathBuf,
    },
    /// What it says is wrong; sorted by place, never empty.
    Invalid(Vec<ManifestError>),
}

impl ManifestErrors {
    /// Which refusal it is: that of the first fault.
    pub fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::MANIFEST_UNREADABLE,
            Self::TooLong { .. } => refusal::MANIFEST_TOO_LARGE,
            Self::Invalid(faults) => faults.first().map_or(refusal::INVALID_VALUE, |fault| fault.refusal),
        }
    }

    /// Every fault with a place in the file, to be drawn one by one; empty when the file could not be read.
    pub fn faults(&self) -> &[ManifestError] {
        match self {
            Self::Invalid(faults) => faults,
            Self::Read { .. } | Self::TooLong { .. } => &[],
        }
    }
}

/// One line for each fault.
impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, near, source } => {
                let file = file.display();
                write!(f, "cannot read the manifest {file}: {source}; ")?;
                match source.kind() {
                    io::ErrorKind::NotFound => match near {
                        Some(near) => write!(f, "did you mean {}?", near.display()),
                        None => write!(f, "check the path"),
                    },
                    io::ErrorKind::IsADirectory => write!(f, "name the manifest in it, such as manifest.toml"),
                    io::ErrorKind::InvalidData => write!(f, "a manifest is TOML in UTF-8"),
                    _ => write!(f, "give the path of a manifest.toml that you may read"),
                }
            }
            Self::TooLong { file } => {
                let (file, limit) = (file.display(), super::MAX_BYTES / 1024);
                write!(f, "{file} is longer than {limit} KiB; give the path of a manifest.toml")
            }
            Self::Invalid(faults) => {
                for (i, fault) in faults.iter().enumerate() {
                    write!(f, "{}{fault}", if i == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ManifestErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::TooLong { .. } | Self::Invalid(_) => None,
        }
    }
}

/// All faults as labels of one piece of source.
impl Diagnostic for ManifestErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.faults().first().and_then(Diagnostic::source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.faults().iter().filter_map(Diagnostic::labels).flatten();
        Some(Box::new(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "a\né = 1\n";
        for (offset, place) in [(0, (1, 1)), (2, (2, 1)), (4, (2, 2)), (text.len(), (3, 1)), (99, (3, 1))] {
            assert_eq!(position(text, offset), place, "{offset}");
        }
    }
}
