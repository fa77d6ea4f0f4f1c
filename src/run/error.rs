//! Why a program is not run.

use std::{io, path::PathBuf};

use crate::{
    base::{
        Arch,
        refusal::{self, Refusal, Refuses},
    },
    image::ImageError,
    store::StoreError,
};

/// Why a program is not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing says what to run.
    #[error("the image has no program to start: neither image.entrypoint nor image.cmd is set")]
    NoProgram,
    /// The image is for another machine.
    #[error("the image is for {arch}, and this machine {why}\n  next step: {next}")]
    Foreign {
        /// The image's.
        arch: Arch,
        /// What is missing.
        why: String,
        /// What helps.
        next: String,
    },
    /// What a volume names.
    #[error("the volume {}: {why}", .path.display())]
    Volume {
        /// On this machine.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// No place in the cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root cannot be laid out.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file of the bundle.
    #[error("cannot {action} in {}: {source}", .path.display())]
    Bundle {
        /// What was tried.
        action: &'static str,
        /// The bundle's folder.
        path: PathBuf,
        /// As the operating system says.
        source: io::Error,
    },
    /// A stage gave up, and said so.
    #[error("{text}")]
    Stage {
        /// Why.
        refusal: &'static Refusal,
        /// In words.
        text: String,
    },
    /// A stage ended and said nothing.
    #[error("the process between compose and the program was ended by signal {0}")]
    Lost(i32),
}

impl Refuses for RunError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::NoProgram => refusal::NO_PROGRAM,
            Self::Foreign { .. } => refusal::NO_EMULATOR,
            Self::Volume { .. } => refusal::VOLUME_UNUSABLE,
            Self::Store(error) => error.refusal(),
            Self::Image(error) => error.refusal(),
            Self::Bundle { source, .. } => refusal::of_cache(source),
            Self::Stage { refusal, .. } => refusal,
            Self::Lost(_) => refusal::RUN_INTERRUPTED,
        }
    }
}

/// What a stage writes into the report.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) refusal: &'static Refusal,
    pub(super) text: String,
}

impl Fault {
    pub(super) fn new(refusal: &'static Refusal, text: impl Into<String>) -> Self {
        Self { refusal, text: text.into() }
    }

    /// A part of the root that cannot be made: what was tried, in words that follow “cannot”.
    pub(super) fn root(what: impl std::fmt::Display) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |error| Self::new(refusal::ROOT_NOT_SET_UP, format!("cannot {what}: {}", io::Error::from(error)))
    }
}
