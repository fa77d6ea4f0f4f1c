//! Why advisories cannot be had or read. Without data there is no answer: “nothing was found” is never said then.

use std::path::PathBuf;

use crate::{
    archive::FetchError,
    base::{
        refusal::{self, Refusal, Refuses},
        words,
    },
    store::StoreError,
};

/// A failure of [`crate::advisory`].
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    /// The tracker's data cannot be fetched.
    #[error(
        "no data of the Debian Security Tracker, so nothing can be said of vulnerabilities{kept}; --tracker FILE takes a copy of its JSON"
    )]
    Fetch {
        /// What older data there are, in words; may be empty.
        kept: String,
        /// Why not.
        source: FetchError,
    },
    /// `--offline`, and nothing was kept.
    #[error(
        "no data of the Debian Security Tracker: {url} is not in the cache, and --offline forbids fetching it, so nothing can be said of vulnerabilities; run once without --offline, or name a copy of its JSON with --tracker FILE"
    )]
    Offline {
        /// Where it would be from.
        url: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {why}; check the name and its permissions", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Something is larger than its like can be.
    #[error("{from} is larger than {limit} bytes; that is no {what}")]
    TooLarge {
        /// Which.
        from: String,
        /// What it should be.
        what: &'static str,
        /// Bytes.
        limit: u64,
    },
    /// It is not the tracker's JSON.
    #[error(
        "{from} is not the Debian Security Tracker's JSON: {why}; fetch it anew from https://security-tracker.debian.org/tracker/data/json"
    )]
    Tracker {
        /// File or URL.
        from: String,
        /// serde's words.
        why: String,
    },
    /// The tracker does not speak of the image's suite.
    #[error(
        "{from} says nothing of the suite “{suite}”, so nothing can be said of vulnerabilities; it knows: {known}. A suite whose support has ended is no longer in it"
    )]
    NoSuite {
        /// File or URL.
        from: String,
        /// The codename.
        suite: String,
        /// Those that it has.
        known: String,
    },
    /// An advisory of an OSV dump is broken.
    #[error("{from} is not an OSV advisory: {why}; unpack or download the dump anew")]
    Osv {
        /// The file.
        from: String,
        /// Why.
        why: String,
    },
    /// An OSV dump has nothing for Python.
    #[error(
        "{from} holds no advisory of the PyPI ecosystem ({files} JSON files were read), so nothing can be said of Python projects; --osv wants OSV's dump of that ecosystem, as a folder of .json files or as its all.zip"
    )]
    NoOsv {
        /// The folder or file.
        from: String,
        /// How many files were looked at.
        files: usize,
    },
    /// A VEX document is wrong.
    #[error("{from} is not an OpenVEX document that can be honoured: {why}")]
    Vex {
        /// The file.
        from: String,
        /// Why, and what it should be.
        why: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refuses for AdvisoryError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Fetch { source, .. } => source.refusal(),
            Self::Offline { .. } => refusal::OFFLINE,
            Self::Read { .. } => refusal::ADVISORY_FILE_UNREADABLE,
            // What a server sends instead is the server's fault, and what a file holds its giver's.
            Self::TooLarge { from, .. } if from.contains("://") => refusal::DOWNLOAD_TOO_LARGE,
            Self::TooLarge { .. } => refusal::ADVISORY_FILE_TOO_LARGE,
            Self::Tracker { from, .. } if from.contains("://") => refusal::TRACKER_DOWNLOAD_BROKEN,
            Self::Tracker { .. } => refusal::TRACKER_FILE_BROKEN,
            Self::NoSuite { .. } => refusal::SUITE_NOT_TRACKED,
            Self::NoOsv { .. } => refusal::NO_PYTHON_ADVISORIES,
            Self::Osv { .. } => refusal::OSV_BROKEN,
            Self::Vex { .. } => refusal::VEX_UNUSABLE,
            Self::Write { .. } => refusal::OUTPUT_UNUSABLE,
            Self::Store(error) => error.refusal(),
        }
    }
}

/// A parser's words, which may repeat what it read.
pub(super) fn quoted(text: &str) -> String {
    words::quote(text, 300)
}
