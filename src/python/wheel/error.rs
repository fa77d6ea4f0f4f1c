//! What can be wrong with a wheel, each case a type of its own.

use std::io;

use crate::{
    base::{
        BadPath, RootPath,
        refusal::{self, Refusal, Refuses},
    },
    deb::LimitReached,
};

/// A wheel that cannot be used: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{file_name}: {fault}; {}", fault.next_step())]
pub struct WheelError {
    /// Its file name.
    pub file_name: String,
    /// What is wrong with it.
    #[source]
    pub fault: WheelFault,
}

/// What is wrong with a wheel. Names from inside are shown with unprintable bytes escaped.
#[derive(Debug, thiserror::Error)]
pub enum WheelFault {
    /// The file itself cannot be read.
    #[error("cannot read it ({0})")]
    Read(#[source] io::Error),
    /// What is read out of it cannot be written.
    #[error("cannot write what is in it ({0})")]
    Write(#[source] io::Error),
    /// Not a zip archive, or one that two programs could read in two ways.
    #[error("it is not a sound zip archive: {0}")]
    Zip(String),
    /// An entry that has no place in a wheel.
    #[error("“{name}” in it is refused: {why}")]
    Entry {
        /// The entry.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Two entries of one path, or a file where a directory has to be.
    #[error("“{name}” and “{other}” in it cannot both be installed: {why}")]
    Collision {
        /// The later one.
        name: String,
        /// The earlier one.
        other: String,
        /// Why.
        why: &'static str,
    },
    /// No `.dist-info` directory, or several.
    #[error("it holds {0} .dist-info directories at its top, where one has to be (PEP 427)")]
    DistInfo(usize),
    /// A file of metadata that has to be there.
    #[error("it has no {0}")]
    Missing(String),
    /// A file of metadata that cannot be understood.
    #[error("its {file} is malformed: {what}")]
    Metadata {
        /// `METADATA`, `WHEEL`, `RECORD`, `entry_points.txt`.
        file: &'static str,
        /// Line or field, and what is wrong with it.
        what: String,
    },
    /// Another project or version than the file name says.
    #[error("its file name says {field} “{wanted}”, its {place} says “{found}”")]
    Identity {
        /// Name or version.
        field: &'static str,
        /// In the file name.
        wanted: String,
        /// Elsewhere.
        found: String,
        /// Where.
        place: &'static str,
    },
    /// `Wheel-Version` beyond 1.x, or `Metadata-Version` beyond 2.x.
    #[error("its {field} is {found}; only {known} is known")]
    Version {
        /// Which field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// A file that RECORD does not list, or lists without a digest.
    #[error("“{0}” is in it, but its RECORD has no digest of that file")]
    Unrecorded(String),
    /// A line of RECORD without a file.
    #[error("its RECORD lists “{0}”, which is not in it")]
    Absent(String),
    /// A digest that is not strong enough, or that does not parse.
    #[error("the digest of “{name}” in its RECORD, “{digest}”, is not one of SHA-256, SHA-384 or SHA-512")]
    Digest {
        /// The file.
        name: String,
        /// As RECORD has it.
        digest: String,
    },
    /// Content that RECORD does not vouch for.
    #[error("“{name}” in it has not the {what} that its RECORD lists")]
    Tampered {
        /// The file.
        name: String,
        /// Digest or size.
        what: &'static str,
    },
    /// An entry that cannot be unpacked.
    #[error("cannot unpack “{name}” ({why})")]
    Unpack {
        /// The entry.
        name: String,
        /// Why.
        why: String,
    },
    /// Content that is not what it was when the installation was planned.
    #[error("{0} is no longer what it was when the wheel was first read")]
    Changed(RootPath),
    /// A path that cannot be in a root filesystem.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// An interpreter that cannot stand in a `#!` line.
    #[error("“{0}” cannot be the interpreter of a script: an absolute path of at most 250 bytes without blanks can")]
    Interpreter(String),
    /// More bytes than its size allows.
    #[error("unpacked it would have more than {0} bytes, too many for its size (limits.wheel-ratio): it is a zip bomb")]
    Bomb(u64),
    /// More than the configured limits allow.
    #[error(transparent)]
    Limit(#[from] LimitReached),
}

impl Refuses for WheelError {
    fn refusal(&self) -> &'static Refusal {
        match &self.fault {
            WheelFault::Read(_) => refusal::WHEEL_UNREADABLE,
            WheelFault::Write(_) => refusal::WHEEL_UNWRITABLE,
            WheelFault::Zip(_) => refusal::WHEEL_NOT_A_ZIP,
            WheelFault::Entry { .. } => refusal::WHEEL_BAD_ENTRY,
            WheelFault::Collision { .. } => refusal::WHEEL_COLLISION,
            WheelFault::DistInfo(_) => refusal::WHEEL_DIST_INFO,
            WheelFault::Missing(_) => refusal::WHEEL_METADATA_MISSING,
            WheelFault::Metadata { .. } => refusal::WHEEL_METADATA_MALFORMED,
            WheelFault::Identity { .. } => refusal::WHEEL_MISNAMED,
            WheelFault::Version { .. } => refusal::WHEEL_VERSION,
            WheelFault::Unrecorded(_) => refusal::WHEEL_UNRECORDED,
            WheelFault::Absent(_) => refusal::WHEEL_FILE_ABSENT,
            WheelFault::Digest { .. } => refusal::WHEEL_WEAK_DIGEST,
            WheelFault::Tampered { .. } => refusal::WHEEL_TAMPERED,
            WheelFault::Unpack { .. } => refusal::WHEEL_UNDECODABLE,
            WheelFault::Changed(_) => refusal::WHEEL_CHANGED,
            WheelFault::Path(bad) => bad.refusal(),
            WheelFault::Interpreter(_) => refusal::WHEEL_BAD_INTERPRETER,
            WheelFault::Bomb(_) => refusal::ZIP_BOMB,
            WheelFault::Limit(limit) => limit.refusal(),
        }
    }
}

impl WheelFault {
    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Read(_) => "check the file and its permissions",
            Self::Write(_) => "check the disk: its space and its permissions",
            Self::Zip(_) | Self::Unpack { .. } | Self::Changed(_) => {
                "the file is damaged: fetch it again, and if it stays so, tell its makers"
            }
            Self::Interpreter(_) => "choose a prefix that is shorter or has no blanks",
            Self::Limit(_) | Self::Bomb(_) => {
                "that is hardly a wheel of a program: look into it before you use it; if it is meant so, raise that limit in the manifest"
            }
            Self::Identity { .. } => "the file was renamed or given out under a false name: fetch it again",
            Self::Tampered { .. } | Self::Unrecorded(_) | Self::Absent(_) => {
                "it was changed after it was built: fetch it again, and if it stays so, ask its makers for a sound one"
            }
            Self::Version { .. } => "a newer compose may know it, or lock an older version of the project",
            _ => "no installer can take it, or not safely: tell its makers, or lock another version of the project",
        }
    }
}

impl WheelFault {
    /// For faults of one of the metadata files.
    pub(super) fn metadata(file: &'static str, what: impl Into<String>) -> Self {
        Self::Metadata { file, what: what.into() }
    }
}
