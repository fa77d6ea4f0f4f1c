//! How much of anything one package may hold.

use std::fmt;

use crate::{
    base::refusal::{self, Refusal, Refuses},
    manifest,
};

/// Upper bounds on one package, all inclusive. The defaults are far above what any Debian package needs, and low
/// enough that a hostile one costs bounded time, memory and disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of `data.tar`, decompressed: 16 GiB.
    pub data: u64,
    /// Bytes of `control.tar`, decompressed: 64 MiB (it is held in memory).
    pub control: u64,
    /// Entries in one tar archive: 1,000,000.
    pub entries: u64,
    /// Members in the outer archive: 64.
    pub members: u32,
    /// Bytes of one extended header (PAX record block, GNU long name): 1 MiB.
    pub extension: u64,
    /// Bytes of all names, link targets and extended attributes of one tar archive together: 256 MiB.
    pub metadata: u64,
    /// Bytes that a decoder may need (the xz dictionary): 256 MiB; `xz -9` needs 65 MiB.
    pub decoder_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data: 16 << 30,
            control: 64 << 20,
            entries: 1_000_000,
            members: 64,
            extension: 1 << 20,
            metadata: 256 << 20,
            decoder_memory: 256 << 20,
        }
    }
}

impl From<&manifest::Limits> for Limits {
    fn from(told: &manifest::Limits) -> Self {
        let usual = Self::default();
        Self {
            data: told.unpacked.unwrap_or(usual.data),
            control: told.control.unwrap_or(usual.control),
            entries: told.entries.unwrap_or(usual.entries),
            members: usual.members,
            extension: told.extended_header.unwrap_or(usual.extension),
            metadata: told.names.unwrap_or(usual.metadata),
            decoder_memory: told.decoder_memory.unwrap_or(usual.decoder_memory),
        }
    }
}

/// What the output of a decoder counts against.
pub(crate) struct Bound {
    /// What is counted.
    pub what: &'static str,
    /// Its key in `[limits]`.
    pub key: &'static str,
    /// How much there may be.
    pub limit: fn(&Limits) -> u64,
}

/// For `data.tar`, tarballs and layers.
pub(crate) const FILES: Bound = Bound { what: "bytes of files", key: "unpacked", limit: |limits| limits.data };

/// For `control.tar`.
pub(super) const CONTROL: Bound =
    Bound { what: "bytes of control files", key: "control", limit: |limits| limits.control };

/// A limit that a package goes beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReached {
    /// What is counted, with its unit.
    pub what: &'static str,
    /// The highest allowed value.
    pub limit: u64,
    /// What was found; `None` when nobody counted to the end.
    pub found: Option<u64>,
    /// Its key in `[limits]`; `None` for one that is fixed.
    pub key: Option<&'static str>,
}

impl LimitReached {
    /// A fixed limit that something goes beyond.
    pub fn new(what: &'static str, limit: u64) -> Self {
        Self { what, limit, found: None, key: None }
    }

    /// With its key in `[limits]`.
    #[must_use]
    pub fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// With what was found.
    #[must_use]
    pub fn found(self, found: u64) -> Self {
        Self { found: Some(found), ..self }
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has more than {} {}, the limit", self.limit, self.what)?;
        if let Some(key) = self.key {
            write!(f, " (limits.{key})")?;
        }
        self.found.map_or(Ok(()), |found| write!(f, "; {found} were found"))
    }
}

impl std::error::Error for LimitReached {}

impl Refuses for LimitReached {
    fn refusal(&self) -> &'static Refusal {
        refusal::LIMIT_EXCEEDED
    }
}
