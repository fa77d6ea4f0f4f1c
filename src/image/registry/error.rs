//! What can go wrong with a registry, each case a type of its own.

use std::{io, path::PathBuf};

use super::HelperError;
use crate::base::{
    Sha256,
    refusal::{self, Refusal, Refuses},
};

/// What helps where nothing else is known to.
pub(super) const AGAIN: &str =
    "check the network, and that this host is a registry, and run it again: what is there already is not sent twice";

/// What helps against a registry that answers, and will not have it.
pub(super) const WHOEVER: &str = "ask whoever runs the registry, with this answer";

/// An image cannot be fetched from its registry, or brought there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// `--offline`.
    #[error(
        "{0} is in a registry, and --offline forbids asking it; name an image on this machine, or leave --offline out"
    )]
    Offline(String),
    /// `--offline`, and an output in a registry.
    #[error("{0} is in a registry, and --offline forbids pushing to it; write x.oci.tar, or leave --offline out")]
    OfflinePush(String),
    /// The network or the registry fails while something is brought there.
    #[error("cannot push {url} (attempt {attempt}): {why}; {next}")]
    Push {
        /// Its code.
        refusal: &'static Refusal,
        /// What was to be there.
        url: String,
        /// Attempts made.
        attempt: u32,
        /// What happened last.
        why: String,
        /// What a person can do.
        next: String,
    },
    /// The registry took something, and calls it by another digest.
    #[error(
        "{url} is not what was pushed: the registry says that it is {found} instead of {wanted}; the registry, or something on the way, altered it, or somebody else pushed at the same time: do not use it, and push again"
    )]
    Altered {
        /// What was pushed.
        url: String,
        /// As the registry says.
        found: String,
        /// Ours.
        wanted: Sha256,
    },
    /// The program that keeps the registry's secret fails.
    #[error(transparent)]
    Helper(HelperError),
    /// The registry has no such thing.
    #[error("{url} is not there ({why}); check the image's name, its tag or digest, and that it has not been deleted")]
    Missing {
        /// What was asked for.
        url: String,
        /// The registry's answer.
        why: String,
    },
    /// The network or the registry fails.
    #[error("cannot fetch {url} (attempt {attempt}): {why}; check the network, and that this host is a registry")]
    Network {
        /// Its code.
        refusal: &'static Refusal,
        /// What was asked for.
        url: String,
        /// Attempts made.
        attempt: u32,
        /// What happened last.
        why: String,
    },
    /// It wants to know who asks, or knows and refuses.
    #[error("{url}: {why}; {next}")]
    Denied {
        /// What was asked for.
        url: String,
        /// Its answer.
        why: String,
        /// What a person can do.
        next: String,
    },
    /// Other bytes than were promised.
    #[error("{url} is not what it should be: {why}; the registry, or something on the way, altered it: do not use it")]
    Mismatch {
        /// Its code.
        refusal: &'static Refusal,
        /// What was asked for.
        url: String,
        /// What differs.
        why: String,
    },
    /// A document that cannot be used.
    #[error("{url} cannot be used: {why}; ask whoever made the image for one of an OCI image")]
    Document {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// Larger than the limits allow.
    #[error(
        "{what} has {size} bytes, and no more than {limit} are fetched; if it is meant to be that large, copy it to this machine with skopeo and name that"
    )]
    TooLarge {
        /// What.
        what: String,
        /// Said to have, bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
    /// It cannot be kept.
    #[error("cannot write {}, where the image is fetched to ({source}); free some space, or choose another cache", path.display())]
    Disk {
        /// In the scratch folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Refuses for RegistryError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Offline(_) | Self::OfflinePush(_) => refusal::OFFLINE,
            Self::Missing { .. } => refusal::NOT_THERE,
            Self::Network { refusal, .. } | Self::Mismatch { refusal, .. } | Self::Push { refusal, .. } => refusal,
            Self::Altered { .. } => refusal::PUSHED_ALTERED,
            Self::Helper(_) => refusal::CREDENTIAL_HELPER_FAILED,
            Self::Denied { .. } => refusal::ACCESS_DENIED,
            Self::Document { .. } => refusal::REGISTRY_BAD_DOCUMENT,
            Self::TooLarge { .. } => refusal::REGISTRY_TOO_LARGE,
            Self::Disk { source, .. } => refusal::of_cache(source),
        }
    }
}
