//! A wheel becomes a segment.
//!
//! In: a wheel's file and what it must be, where it goes, a filter. Out: a [`Segment`], a pure function of all these,
//! kept in the store.

use std::path::Path;

use pep440_rs::Version;

use super::{
    Site,
    wheel::{Limits, Wheel, WheelError},
    wheel_name::WheelName,
};
use crate::{
    base::{
        Sha256,
        refusal::{self, Refusal, Refuses},
    },
    store::Store,
    tree::{Meta, Origin},
    unpack::{self, Filter, Segment, UnpackFault},
};

/// Why a wheel cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The wheel.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// Its segment.
    #[error("cannot install {origin} ({file}): {fault}; {}", fault.next_step(origin))]
    Unpack {
        /// Whose.
        origin: Origin,
        /// Its file's name.
        file: String,
        /// Why.
        fault: UnpackFault,
    },
    /// A filter that takes too much.
    #[error(
        "rootfs.remove and rootfs.omit leave nothing of the wheel {0}\n  next step: take the wheel out, or narrow the pattern; wheels lie in dist-packages or, beside a tarball's Python, in its site-packages"
    )]
    Nothing(String),
    /// `Requires-Python`.
    #[error(
        "the wheel {file} wants Python {wanted}, and the image has {found}\n  next step: choose another version of it, or another suite"
    )]
    Python {
        /// Its name.
        file: String,
        /// As its METADATA has it.
        wanted: String,
        /// In the image.
        found: Version,
    },
}

impl Refuses for InstallError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Wheel(error) => error.refusal(),
            Self::Unpack { fault, .. } => fault.refusal(),
            Self::Nothing(_) => refusal::WHEEL_ALL_REMOVED,
            Self::Python { .. } => refusal::WHEEL_OTHER_PYTHON,
        }
    }
}

impl InstallError {
    /// Whether the file is not the one that was verified.
    pub fn is_other_file(&self) -> bool {
        matches!(self, Self::Unpack { fault: UnpackFault::Digest { .. }, .. })
    }
}

/// Why content could not be packed, before the wheel's name is known.
enum Fault {
    Wheel(WheelError),
    Unpack(UnpackFault),
}

impl From<UnpackFault> for Fault {
    fn from(fault: UnpackFault) -> Self {
        Self::Unpack(fault)
    }
}

/// The key of a wheel's segment in the store. The whole version of Python is in it: a wheel may want this one and not that.
pub fn segment_key(sha256: &Sha256, site: &Site, filter: &Filter) -> Sha256 {
    let place = format!("compose wheel {:?} {}", site.layout, site.environment.release());
    unpack::key(&Sha256::of(&[place.as_bytes(), sha256.bytes()].concat()), filter)
}

/// Installs the wheel in the file at `path`, and puts its segment into the store.
///
/// # Errors
/// [`InstallError`].
pub fn install(
    store: &Store,
    path: &Path,
    file: &WheelName,
    sha256: &Sha256,
    site: &Site,
    filter: &Filter,
    limits: &Limits,
) -> Result<Segment, InstallError> {
    let origin = Origin::Wheel(file.project().as_str().into());
    let cannot = |fault| InstallError::Unpack { origin: origin.clone(), file: file.as_str().into(), fault };
    unpack::check_digest(path, *sha256).map_err(cannot)?;
    let mut wheel = Wheel::open(path, file, limits)?;
    let python = site.environment.release();
    if !wheel.runs_on(&python) {
        let wanted = wheel.requires_python().unwrap_or_default().to_owned();
        return Err(InstallError::Python { file: file.as_str().into(), wanted, found: python });
    }
    let plan = wheel.plan(&site.layout, &|path, is_program, head| filter.keeps(path, is_program, head))?;
    if plan.is_empty() {
        return Err(InstallError::Nothing(file.as_str().into()));
    }
    let key = segment_key(sha256, site, filter);
    let packed = unpack::pack(store, key, origin.clone(), |packing| {
        for planned in &plan {
            let meta = Meta::root(planned.mode, planned.mtime);
            packing.file(planned.path.clone(), meta, |out| wheel.read(planned, out).map_err(Fault::Wheel))?;
        }
        Ok(())
    });
    packed.map_err(|fault| match fault {
        Fault::Wheel(error) => error.into(),
        Fault::Unpack(fault) => cannot(fault),
    })
}
