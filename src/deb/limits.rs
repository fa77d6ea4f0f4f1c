//! How much of anything one package may hold.

use crate::base::refusal::{self, Refusal, Refuses};

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

/// A limit that a package goes beyond.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {limit} {what}, the limit")]
pub struct LimitReached {
    /// What is counted, with its unit.
    pub what: &'static str,
    /// The highest allowed value.
    pub limit: u64,
}

impl Refuses for LimitReached {
    fn refusal(&self) -> &'static Refusal {
        refusal::LIMIT_EXCEEDED
    }
}
