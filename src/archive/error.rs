//! All that can go wrong with an archive, and of which class each failure is.

use jiff::Timestamp;

use super::{
    fetch::FetchError, keyring::KeyringError, openpgp::SignatureError, release::ReleaseError, sources::SourcesError,
    suites::SuitesError,
};
use crate::{
    base::{
        exit,
        refusal::{self, Refusal, Refuses},
    },
    store::StoreError,
};

/// Of what kind a failure is, by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The manifest or the command line.
    Usage,
    /// The network or a mirror.
    Network,
    /// A signature or a digest.
    Signature,
    /// The disk.
    Disk,
}

/// A failure of [`crate::archive`].
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No mirror.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// A repository table.
    #[error(transparent)]
    Suites(#[from] SuitesError),
    /// A key file.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A download.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A signature.
    #[error(
        "{url} is not trusted; if this repository has a key of its own, name it with “signed-by”, otherwise choose another mirror"
    )]
    Signature {
        /// The document.
        url: String,
        /// Why not.
        source: SignatureError,
    },
    /// A suite of Debian's that is not there, and that is called almost as one that Debian has.
    #[error("Debian has no suite “{suite}” (did you mean “{near}”?)")]
    NoSuite {
        /// As the manifest has it.
        suite: String,
        /// The other one.
        near: &'static str,
        /// What was asked for.
        source: FetchError,
    },
    /// A suite that the snapshot archive does not have as of that time.
    #[error(
        "{url} is not there: the snapshot archive has no such suite as of {pin}; choose a later date, or check the suite's name"
    )]
    NotThen {
        /// The suite's folder.
        url: String,
        /// The time.
        pin: Timestamp,
        /// What was asked for.
        source: FetchError,
    },
    /// A signed Release that is not accepted.
    #[error("{url} is signed, but cannot be used")]
    Release {
        /// The suite's folder.
        url: String,
        /// Why not.
        source: ReleaseError,
    },
    /// A component or an architecture that is not there.
    #[error("repository “{name}”: suite {suite} has no {what}; it has: {there}")]
    NotInSuite {
        /// The repository.
        name: String,
        /// The suite.
        suite: String,
        /// What was wanted.
        what: String,
        /// What there is.
        there: String,
    },
    /// An index that is not what the Release promises.
    #[error("{url} cannot be used: {why}; tell the archive's keepers, or choose another mirror")]
    Index {
        /// The index.
        url: String,
        /// Why not.
        why: IndexFault,
    },
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with an index whose packed form has the digest that the Release promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    /// It is packed wrongly.
    #[error("it cannot be decompressed ({0})")]
    Packed(String),
    /// More comes out than is promised, or than any index holds.
    #[error("it holds more than {limit} bytes when decompressed")]
    TooLong {
        /// Bytes.
        limit: u64,
    },
    /// Less comes out.
    #[error("it holds {got} bytes when decompressed, and the Release promises {promised}")]
    Size {
        /// Bytes.
        got: u64,
        /// Bytes.
        promised: u64,
    },
    /// Something else comes out.
    #[error("decompressed, it does not have the SHA-256 that the Release promises")]
    Digest,
    /// A line without an end.
    #[error("line {line} is longer than {limit} bytes")]
    LongLine {
        /// From 1.
        line: u64,
        /// Bytes.
        limit: usize,
    },
    /// It is no text.
    #[error("it is not UTF-8 at byte {at} (Policy 5.1)")]
    NotUtf8 {
        /// From 0.
        at: usize,
    },
    /// What is asked of a Contents index does not fit into memory.
    #[error("what is asked of it would fill more than {limit} bytes")]
    TooMuch {
        /// Bytes.
        limit: usize,
    },
}

impl Refuses for IndexFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Packed(_) => refusal::INDEX_UNDECODABLE,
            Self::TooLong { .. } | Self::LongLine { .. } | Self::TooMuch { .. } => refusal::INDEX_TOO_LONG,
            Self::Size { .. } | Self::Digest => refusal::INDEX_ALTERED,
            Self::NotUtf8 { .. } => refusal::INDEX_NOT_UTF8,
        }
    }
}

impl Refuses for ArchiveError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Sources(error) => error.refusal(),
            Self::Suites(error) => error.refusal(),
            Self::Keyring(error) => error.refusal(),
            Self::Fetch(error) | Self::NoSuite { source: error, .. } => error.refusal(),
            Self::Signature { source, .. } => source.refusal(),
            Self::Release { source, .. } => source.refusal(),
            Self::NotInSuite { .. } => refusal::NOT_IN_SUITE,
            Self::NotThen { .. } => refusal::NOT_IN_SNAPSHOT,
            Self::Index { why, .. } => why.refusal(),
            Self::Store(error) => error.refusal(),
        }
    }
}

impl ErrorClass {
    fn of(refusal: &Refusal) -> Self {
        match refusal.exit {
            exit::NETWORK => Self::Network,
            exit::TRUST => Self::Signature,
            exit::OUTPUT => Self::Disk,
            _ => Self::Usage,
        }
    }
}

impl ArchiveError {
    /// Of what kind it is.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::of(self.refusal())
    }
}

impl FetchError {
    /// Of what kind it is; of several, the gravest.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::of(self.refusal())
    }
}
