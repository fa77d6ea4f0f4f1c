//! Which exit code each module's errors have.

use super::exit::{self, Failure};
use crate::{
    archive::{ArchiveError, ErrorClass, FetchError},
    build::{AssembleError, ResolveError},
    image::ImageError,
    lock::LockError,
    manifest::ManifestErrors,
    solve::SolveError,
    store::StoreError,
    universe::UniverseError,
    unpack::UnpackFault,
};

fn class(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Usage => exit::USAGE,
        ErrorClass::Network => exit::NETWORK,
        ErrorClass::Signature => exit::TRUST,
        ErrorClass::Disk => exit::OUTPUT,
    }
}

impl From<ManifestErrors> for Failure {
    fn from(error: ManifestErrors) -> Self {
        if error.faults().is_empty() {
            return Self::new(exit::USAGE, error);
        }
        let drawn: Vec<_> = error.faults().iter().map(|fault| fault.drawn()).collect();
        Self::drawn(exit::USAGE, drawn.iter().map(|fault| fault as &dyn miette::Diagnostic))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let next = match error.source.kind() {
            StorageFull | QuotaExceeded => {
                "free some space, run `compose cache gc --limit SIZE`, or set COMPOSE_CACHE to a folder with more"
            }
            PermissionDenied | ReadOnlyFilesystem => "set COMPOSE_CACHE to a folder that you may write to",
            _ => return Self::new(exit::OUTPUT, error),
        };
        let mut failure = Self::new(exit::OUTPUT, error);
        failure.text += &format!("\n  next step: {next}");
        failure
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(class(error.class()), error)
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::new(class(error.class()), error)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let code = if matches!(error, LockError::Io { action: "write", .. }) { exit::OUTPUT } else { exit::USAGE };
        Self::new(code, error)
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Archive(error) => error.into(),
            ResolveError::Solve(SolveError::Universe(error)) | ResolveError::Universe(error) => {
                Self::new(exit::TRUST, error)
            }
            ResolveError::Solve(error) => Self::new(exit::NO_SOLUTION, error),
            ResolveError::Request { .. } => Self::new(exit::USAGE, error),
        }
    }
}

impl From<UniverseError> for Failure {
    fn from(error: UniverseError) -> Self {
        Self::new(exit::TRUST, error)
    }
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let code = match error {
            AssembleError::Fetch(error) => return error.into(),
            AssembleError::Store(error) => return error.into(),
            AssembleError::Image(error) => return error.into(),
            AssembleError::NoRepository { .. } | AssembleError::Pattern(_) | AssembleError::Files(_) => exit::USAGE,
            AssembleError::Version { .. } => exit::TRUST,
            AssembleError::Unpack(ref error) => match error.fault {
                UnpackFault::Write { .. } | UnpackFault::Store(_) => exit::OUTPUT,
                _ => exit::TRUST,
            },
            AssembleError::Conflicts(_) | AssembleError::Finish(_) => exit::CHECK,
        };
        Self::new(code, error)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Store(error) => error.into(),
            ImageError::Twice { .. } | ImageError::Inside { .. } => Self::new(exit::USAGE, error),
            error => Self::new(exit::OUTPUT, error),
        }
    }
}
