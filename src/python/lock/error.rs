//! What can be wrong with an application's lock, in words that name the entry and the next step.
//!
//! In: a problem and its line. Out: [`LockFault`], which adds the file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::Format;
use crate::base::{
    refusal::{self, Refusal, Refuses},
    words,
};

/// A lock cannot be used: which file, where in it, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFault {
    /// The lock.
    pub file: PathBuf,
    /// Line from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for LockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for LockFault {}

/// What is wrong with a lock, or with what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Problem {
    /// The file's name is none that is known.
    #[error(
        "its name tells no lock that compose reads; those are pylock.toml (or pylock.NAME.toml), uv.lock, poetry.lock, \
         Pipfile.lock, and requirements with hashes (NAME.txt){}", if *.input { "; a NAME.in is what such a file is compiled from: \
         compile it (“uv pip compile --generate-hashes” or “pip-compile --generate-hashes”) and name the result" } else { "" }
    )]
    UnknownFormat { input: bool },
    #[error("it is {size} bytes long; a lock of more than {} MiB is not read", super::LARGEST >> 20)]
    TooLarge { size: usize },
    #[error("it is not UTF-8 text from byte {at} on; write it again with the tool that made it")]
    NotText { at: usize },
    #[error("it cannot be read as {}: {why}; write it again with the tool that made it", .format.language())]
    Syntax { format: Format, why: String },
    /// The layout is one that this program does not know.
    #[error("its layout has the version {found}; compose reads {known}; {next}")]
    Layout { found: String, known: &'static str, next: &'static str },
    #[error("“{value}” is not a usable {what}: {why}")]
    Value { what: &'static str, value: String, why: String },
    #[error("the marker “{marker}” cannot be evaluated: {why}")]
    Marker { marker: String, why: String },
    #[error("there is no {what} “{name}” in it; {}", there_are(.near, .known, .what))]
    Unknown { what: &'static str, name: String, near: Option<String>, known: Vec<String> },
    #[error("{} was asked for, but this kind of lock has no {what}s; {next}", quoted(.name, .what))]
    Without { what: &'static str, name: String, next: &'static str },
    #[error(
        "{what} wants Python {wants}, but the image has {has}; choose another Python for the image, or lock again for {has}"
    )]
    Python { what: String, wants: String, has: String },
    #[error(
        "it was made for {wants}, which the image (Python {python} on {machine}) is not; lock again with this \
         environment among those wanted"
    )]
    Environments { wants: String, python: String, machine: &'static str },
    #[error("{name} is wanted twice for this target, as {first} and as {second}; lock again so that one entry applies")]
    Twice { name: String, first: String, second: String },
    #[error(
        "{package} has no SHA-256{}; only files pinned by one are taken: {}",
        .file.as_ref().map(|file| format!(" for {file}")).unwrap_or_default(), .format.hashes()
    )]
    NoHash { package: String, file: Option<String>, format: Format },
    #[error(
        "{package} has only a source archive ({archive}), and compose builds nothing; wanted is a wheel for {wanted}; \
         make one with “pip wheel --no-deps” on such a machine and name it in python.wheels, or lock a version that has one"
    )]
    SourceOnly { package: String, archive: String, wanted: String },
    #[error(
        "{package} is not pinned to one version, so that no index can be asked for it; write one (“==VERSION”, with its \
         markers) where the lock is made from, and lock again"
    )]
    Unpinned { package: String },
    #[error("{package} lists no file at all; lock again with the tool that made the lock")]
    NoFiles { package: String },
    #[error(
        "{package} has no wheel that fits: wanted is {wanted}; the lock has {has}; lock a version that has one, or build \
         one with “pip wheel --no-deps” and name it in python.wheels"
    )]
    NoneFits { package: String, wanted: String, has: String },
    #[error(
        "{package} comes from {origin}, and compose builds nothing; build a wheel of it (“pip wheel --no-deps” or \
         “uv build --wheel”) and name it in python.wheels"
    )]
    NotBuilt { package: String, origin: String },
    #[error("{package} is named by the file {file}, which is {found}; the lock was edited or is broken: lock again")]
    Misnamed { package: String, file: String, found: String },
    #[error("{from} depends on {name}, which the lock does not hold; lock again with the tool that made it")]
    Dangling { from: String, name: String },
    #[error(
        "it names no project to start from (a package whose source is “.”, or workspace members); run “uv lock” again"
    )]
    NoRoot,
    #[error("{text}: {why}")]
    Line { text: String, why: String },
}

impl Refuses for LockFault {
    fn refusal(&self) -> &'static Refusal {
        match &self.problem {
            Problem::UnknownFormat { .. } => refusal::APP_LOCK_FORMAT,
            Problem::TooLarge { .. } => refusal::APP_LOCK_TOO_LARGE,
            Problem::NotText { .. } => refusal::APP_LOCK_NOT_TEXT,
            Problem::Syntax { .. } => refusal::APP_LOCK_SYNTAX,
            Problem::Layout { .. } => refusal::APP_LOCK_LAYOUT,
            Problem::Value { .. } => refusal::APP_LOCK_VALUE,
            Problem::Marker { .. } => refusal::APP_LOCK_MARKER,
            Problem::Unknown { .. } => refusal::APP_LOCK_UNKNOWN_NAME,
            Problem::Without { .. } => refusal::APP_LOCK_WITHOUT_GROUPS,
            Problem::Python { .. } => refusal::APP_LOCK_OTHER_PYTHON,
            Problem::Environments { .. } => refusal::APP_LOCK_OTHER_ENVIRONMENT,
            Problem::Twice { .. } => refusal::APP_LOCK_TWICE,
            Problem::NoHash { .. } => refusal::APP_LOCK_WITHOUT_HASH,
            Problem::SourceOnly { .. } => refusal::APP_LOCK_SOURCE_ONLY,
            Problem::Unpinned { .. } => refusal::APP_LOCK_UNPINNED,
            Problem::NoFiles { .. } => refusal::APP_LOCK_NO_FILES,
            Problem::NoneFits { .. } => refusal::APP_LOCK_NONE_FITS,
            Problem::NotBuilt { .. } => refusal::APP_LOCK_NOT_BUILT,
            Problem::Misnamed { .. } => refusal::APP_LOCK_MISNAMED,
            Problem::Dangling { .. } => refusal::APP_LOCK_DANGLING,
            Problem::NoRoot => refusal::APP_LOCK_NO_ROOT,
            Problem::Line { .. } => refusal::APP_LOCK_LINE,
        }
    }
}

impl Problem {
    /// The problem, at a line of the lock.
    pub(super) fn at(self, line: impl Into<Option<usize>>) -> Fault {
        Fault { line: line.into(), problem: self }
    }
}

/// A [`Problem`] before the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: Option<usize>,
    pub problem: Problem,
}

impl Fault {
    pub fn within(self, file: &Path) -> LockFault {
        LockFault { file: file.into(), line: self.line, problem: self.problem }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        problem.at(None)
    }
}

fn there_are(near: &Option<String>, known: &[String], what: &str) -> String {
    let list = match known {
        [] => format!("it has no {what}s"),
        known => format!("it has {}", known.join(", ")),
    };
    match near {
        Some(near) => format!("did you mean “{near}”? {list}"),
        None => list,
    }
}

fn quoted(name: &str, what: &str) -> String {
    format!("the {what} “{name}”")
}

/// Text of a lock for a message: one line, not too long, nothing that a terminal obeys.
pub(in crate::python) fn quote(text: &str) -> String {
    words::quote(text, 120)
}
