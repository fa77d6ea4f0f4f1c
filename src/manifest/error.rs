//! What is wrong with a manifest, with the place of each fault.
//!
//! In: spans of the text. Out: one error that lists every fault as `file:line:column`, and that miette can draw.

use std::{fmt, ops::Range, path::PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the text that it is about.
    pub span: Range<usize>,
    /// What is wrong, and why.
    pub what: String,
    /// The next step.
    pub help: Option<String>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read the manifest {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says what it must not.
    #[error(transparent)]
    Faults(#[from] Faults),
}

/// Every fault found, in the order of the text.
#[derive(Debug)]
pub struct Faults {
    source: NamedSource<String>,
    text: String,
    file: String,
    faults: Vec<Fault>,
}

impl Faults {
    /// Sorts the faults by place.
    pub fn new(text: &str, file: &std::path::Path, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.span.start);
        let file = file.display().to_string();
        let source = NamedSource::new(&file, text.to_owned()).with_language("toml");
        Self { source, text: text.to_owned(), file, faults }
    }
}

/// Line and column, from 1, of a byte of the text; the column counts characters.
pub fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            let (line, column) = place(&self.text, fault.span.start);
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}:{column}: {}", self.file, fault.what)?;
            if let Some(help) = &fault.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Diagnostic for Faults {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.faults.iter().map(|fault| {
            let label = fault.help.clone().unwrap_or_else(|| "here".into());
            LabeledSpan::new(Some(label), fault.span.start, fault.span.len())
        })))
    }
}
