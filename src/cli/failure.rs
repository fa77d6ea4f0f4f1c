//! Which exit code each module's errors have.

use super::exit::{self, Failure};
use crate::{
    archive::{ArchiveError, ErrorClass, FetchError},
    build::{AssembleError, ResolveError, SupplyError, bytecode::BytecodeError},
    image::{
        ImageError,
        open::{OpenError, OpenFault, TargetError},
        registry::{CredentialsError, RegistryError},
    },
    lock::LockError,
    manifest::ManifestErrors,
    python::{InputsError, InstallError, PipError},
    solve::SolveError,
    store::StoreError,
    universe::UniverseError,
    unpack::UnpackFault,
    vendor::{SignError, VendorError},
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
            ResolveError::For { arch, source } => Self::from(*source).of(arch),
            ResolveError::Archive(error) => error.into(),
            ResolveError::Solve(SolveError::Universe(error)) | ResolveError::Universe(error) => {
                Self::new(exit::TRUST, error)
            }
            ResolveError::Solve(error) => Self::new(exit::NO_SOLUTION, error),
            ResolveError::Supply(error) => error.into(),
            ResolveError::Inputs(error) => error.into(),
            ResolveError::Request { .. }
            | ResolveError::NotLocked { .. }
            | ResolveError::Site(_)
            | ResolveError::Pattern(_) => Self::new(exit::USAGE, error),
            ResolveError::NobodyShips { .. } | ResolveError::Unprovided { .. } | ResolveError::Unstable { .. } => {
                Self::new(exit::NO_SOLUTION, error)
            }
            ResolveError::Elf { .. } => Self::new(exit::CHECK, error),
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
            AssembleError::Supply(error) => return error.into(),
            AssembleError::Site(_) | AssembleError::Pattern(_) | AssembleError::Files(_) => exit::USAGE,
            AssembleError::Version { .. } => exit::TRUST,
            AssembleError::Bytecode(BytecodeError::Store(error)) => return error.into(),
            AssembleError::Bytecode(BytecodeError::Image(error)) => return error.into(),
            // What this machine lacks or forbids.
            AssembleError::Bytecode(
                BytecodeError::NoUnshare | BytecodeError::NoNamespace { .. } | BytecodeError::NoneForArch { .. },
            ) => exit::USAGE,
            AssembleError::Bytecode(_) => exit::CHECK,
            AssembleError::Conflicts(_) | AssembleError::Finish(_) => exit::CHECK,
            AssembleError::Inventory(_) => exit::OUTPUT,
            AssembleError::Sbom(_) => exit::USAGE,
        };
        Self::new(code, error)
    }
}

impl From<InputsError> for Failure {
    fn from(error: InputsError) -> Self {
        Self::new(exit::USAGE, error)
    }
}

impl From<SupplyError> for Failure {
    fn from(error: SupplyError) -> Self {
        let unpack = |fault: &UnpackFault| match fault {
            UnpackFault::Write { .. } | UnpackFault::Store(_) => exit::OUTPUT,
            UnpackFault::StripAll(_) => exit::USAGE,
            _ => exit::TRUST,
        };
        let code = match error {
            SupplyError::Fetch(error) => return error.into(),
            SupplyError::Store(error) => return error.into(),
            SupplyError::Image(error) => return error.into(),
            SupplyError::Unpack(ref error) => unpack(&error.fault),
            SupplyError::Install(InstallError::Unpack { ref fault, .. }) => unpack(fault),
            SupplyError::Install(InstallError::Wheel(_)) | SupplyError::Pip(PipError::Mismatch { .. }) => exit::TRUST,
            SupplyError::Install(InstallError::Python { .. } | InstallError::Nothing(_))
            | SupplyError::NoRepository { .. }
            | SupplyError::Misfit { .. }
            | SupplyError::Locked { .. }
            | SupplyError::NotHere { .. } => exit::USAGE,
            SupplyError::Pip(_) => exit::NETWORK,
        };
        Self::new(code, error)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Store(error) => error.into(),
            ImageError::Twice { .. } | ImageError::Inside { .. } | ImageError::OneTree { .. } => {
                Self::new(exit::USAGE, error)
            }
            error => Self::new(exit::OUTPUT, error),
        }
    }
}

impl From<VendorError> for Failure {
    fn from(error: VendorError) -> Self {
        let code = match error {
            VendorError::Place(error) => return error.into(),
            VendorError::Io { .. } | VendorError::Full { .. } | VendorError::Changed(_) => exit::OUTPUT,
            VendorError::Clash { .. } | VendorError::BadPlace { .. } | VendorError::NoRepository { .. } => exit::USAGE,
            VendorError::Deb(_) | VendorError::Other { .. } => exit::TRUST,
            VendorError::Sign(error) => return error.into(),
        };
        Self::new(code, error)
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Open(error) => error.into(),
            TargetError::Registry(error) => error.into(),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match error.fault {
            OpenFault::Digest { .. } | OpenFault::DiffId { .. } | OpenFault::TwoImages { .. } => exit::TRUST,
            OpenFault::Scratch { .. } => exit::OUTPUT,
            _ => exit::USAGE,
        };
        Self::new(code, error)
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        let code = if matches!(error, SignError::Broken(_)) { exit::INTERNAL } else { exit::USAGE };
        Self::new(code, error)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::new(class(error.class()), error)
    }
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        Self::new(exit::USAGE, error)
    }
}
