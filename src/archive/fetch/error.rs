//! Why a download fails, in words that name the URL and the next step; URLs are shown without passwords.

use crate::{
    base::{
        exit,
        refusal::{self, Refusal, Refuses},
    },
    store::StoreError,
};

/// Why something could not be fetched. URLs are shown without user name and password.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// `--offline`.
    #[error("{url} is not in the cache, and --offline forbids fetching it; run once without --offline")]
    Offline {
        /// The URL.
        url: String,
    },
    /// The server has no such file.
    #[error("{url} is not there ({why}); {}", promise.when_missing())]
    Missing {
        /// The URL.
        url: String,
        /// Who promised that it is.
        promise: Promise,
        /// Its answer.
        why: String,
    },
    /// The network or the server fails.
    #[error("cannot fetch {url} (attempt {attempt}): {why}; {}", promise.when_unreachable())]
    Network {
        /// Its code.
        refusal: &'static Refusal,
        /// The URL.
        url: String,
        /// Who named it.
        promise: Promise,
        /// Attempts made.
        attempt: u32,
        /// What happened last.
        why: String,
    },
    /// The server leads away, to where nobody may follow.
    #[error("the server of {url} leads elsewhere: {why}; {}", promise.when_unreachable())]
    Redirect {
        /// The URL.
        url: String,
        /// Who named it.
        promise: Promise,
        /// Where to, and why not.
        why: String,
    },
    /// The bytes are not those that were promised.
    #[error("{url} is not what {promise} promises (attempt {attempt}): {why}; {}", promise.next_step())]
    Mismatch {
        /// Its code.
        refusal: &'static Refusal,
        /// The URL.
        url: String,
        /// Who promised.
        promise: Promise,
        /// Attempts made.
        attempt: u32,
        /// What differs.
        why: String,
    },
    /// It is larger than anything of its kind can be.
    #[error("{url} is larger than {limit} bytes; that is no such document")]
    TooLarge {
        /// The URL.
        url: String,
        /// Bytes.
        limit: usize,
    },
    /// The cache cannot be written.
    #[error("cannot keep {url} ({size} bytes needed); free some space, or set COMPOSE_CACHE to a folder with more")]
    Disk {
        /// The URL.
        url: String,
        /// Of the whole file.
        size: u64,
        /// Where and why.
        source: StoreError,
    },
    /// Each of several URLs failed.
    #[error("none of {} places has it:\n{}", .0.len(), .0.iter().map(|e| format!("  {e}")).collect::<Vec<_>>().join("\n"))]
    All(Vec<FetchError>),
    /// The list of URLs is empty: a fault of the caller.
    #[error("there is no URL to fetch from")]
    NoUrl,
}

impl Refuses for FetchError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Offline { .. } => refusal::OFFLINE,
            Self::Missing { .. } => refusal::NOT_THERE,
            Self::Network { refusal, .. } | Self::Mismatch { refusal, .. } => refusal,
            Self::Redirect { .. } => refusal::REDIRECT_REFUSED,
            Self::TooLarge { .. } => refusal::DOWNLOAD_TOO_LARGE,
            Self::Disk { source, .. } => source.refusal(),
            // The gravest, and of equals the first.
            Self::All(errors) => {
                let all = || errors.iter().map(Self::refusal);
                all().find(|refusal| refusal.exit == exit::TRUST).or_else(|| all().next()).unwrap_or(refusal::INTERNAL)
            }
            Self::NoUrl => refusal::INTERNAL,
        }
    }
}

impl FetchError {
    /// Whether the server answered, and has no such file.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::All(errors) => errors.iter().all(Self::is_missing),
            _ => false,
        }
    }
}

/// Who says what a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// The archive's.
    Index,
    /// compose's own lock, which was made from that, of a package.
    Lock,
    /// The application's lock of Python wheels.
    PythonLock,
    /// The manifest itself.
    Manifest,
    /// The command line, or compose itself: where advisories are.
    Tracker,
    /// A lock, of a file in a folder that `compose vendor` made.
    Vendored,
}

/// What to do where such a folder lacks something.
const VENDORED: &str =
    "the folder was made for another lock, or not all of it was carried over: run `compose vendor` with this lock";

impl Promise {
    fn when_missing(self) -> &'static str {
        match self {
            Self::Index => "check the mirror and the suite's name",
            Self::Lock => {
                "check the mirror; if the package has left it since the lock was made, say in COMPOSE_SNAPSHOT where Debian's snapshot archive is, or run with --update"
            }
            Self::PythonLock => {
                "make the application's lock anew, or put the wheel on this machine and name it in python.wheels"
            }
            Self::Manifest => "find out where it has gone, and write that into the manifest",
            Self::Tracker => "find out where it has gone, and name that with --tracker",
            Self::Vendored => VENDORED,
        }
    }

    fn when_unreachable(self) -> &'static str {
        match self {
            Self::Index | Self::Lock => "check the network, or choose another mirror with --mirror",
            Self::Vendored => VENDORED,
            Self::PythonLock | Self::Manifest | Self::Tracker => {
                "check the network, and that the host is the right one"
            }
        }
    }

    fn next_step(self) -> &'static str {
        match self {
            Self::Index | Self::Lock => {
                "the mirror may be in the middle of an update: try again in some minutes, or choose another with --mirror"
            }
            Self::PythonLock => "find out who changed it; if it is meant so, make the application's lock anew",
            Self::Manifest => "find out who changed it; if it is meant so, write its new sha256 into the manifest",
            Self::Tracker => "try again in some minutes",
            Self::Vendored => {
                "it has changed since `compose vendor` wrote it: run `sha256sum -c SHA256SUMS` in the folder, and carry it over again"
            }
        }
    }
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Index | Self::Lock => "the signed index",
            Self::PythonLock => "the application's lock",
            Self::Manifest => "the manifest",
            Self::Tracker => "the security tracker",
            Self::Vendored => "the lock",
        })
    }
}

/// `url` without user name and password, for messages.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
}
