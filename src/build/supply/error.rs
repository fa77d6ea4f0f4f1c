//! Why something cannot be had or unpacked.

use crate::{
    archive::FetchError,
    base::{
        PackageName,
        refusal::{self, Refusal, Refuses},
    },
    image::ImageError,
    python::{InstallError, Misfit, PipError},
    store::StoreError,
    unpack::{UnpackError, UnpackFault},
};

/// Why there is no segment.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// A file cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nobody says where a package of the lock comes from.
    #[error(
        "the lock takes {package} from repository “{repository}”, which the manifest does not name\n  next step: run with --update to make the lock anew"
    )]
    NoRepository {
        /// The package.
        package: PackageName,
        /// Named by the lock.
        repository: String,
    },
    /// A package or tarball cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// A wheel cannot be downloaded.
    #[error(transparent)]
    Pip(#[from] PipError),
    /// pip brought a wheel that does not fit.
    #[error(
        "pip brought {file}, and {why}\n  next step: update pip, or use a lock that names files (pylock.toml, uv.lock, poetry.lock)"
    )]
    Misfit {
        /// The file.
        file: String,
        /// Why not.
        why: Misfit,
    },
    /// A wheel cannot be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A lock that contradicts itself.
    #[error(
        "the lock has a wheel {name} {version}, and {why}\n  next step: restore the lock from version control, or run with --update"
    )]
    Locked {
        /// As the lock calls it.
        name: String,
        /// As the lock calls it.
        version: String,
        /// What is wrong.
        why: String,
    },
    /// A wheel on this machine is gone or another.
    #[error(
        "the wheel {file} of the lock is not on this machine: {why}\n  next step: put it where python.wheels or the application's lock says, or run with --update"
    )]
    NotHere {
        /// Its name.
        file: String,
        /// Where it was looked for, and what is there.
        why: String,
    },
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be compressed.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl Refuses for SupplyError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Fetch(error) => error.refusal(),
            Self::NoRepository { .. } => refusal::LOCK_UNKNOWN_REPOSITORY,
            Self::Unpack(error) => error.refusal(),
            Self::Pip(error) => error.refusal(),
            Self::Misfit { .. } => refusal::WHEEL_MISFIT,
            Self::Install(error) => error.refusal(),
            Self::Locked { .. } => refusal::LOCK_BAD_WHEEL,
            Self::NotHere { .. } => refusal::LOCKED_WHEEL_MISSING,
            Self::Store(error) => error.refusal(),
            Self::Image(error) => error.refusal(),
        }
    }
}

impl SupplyError {
    /// Whether the file is not the one that was verified before.
    pub(super) fn is_other_file(&self) -> bool {
        match self {
            Self::Unpack(error) => matches!(error.fault, UnpackFault::Digest { .. }),
            Self::Install(error) => error.is_other_file(),
            _ => false,
        }
    }
}
