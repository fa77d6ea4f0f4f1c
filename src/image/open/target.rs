//! An image by what a person calls it: a path, or a reference of a registry, from where it is fetched first.
//!
//! In: [`ImageRef`], and what the network needs. Out: [`Opened`].

use std::{fmt, fs, path::Path, path::PathBuf, str::FromStr};

use super::{OpenError, Opened, any, pull};
use crate::{
    archive::Fetcher,
    base::{
        Arch, Progress,
        refusal::{Refusal, Refuses},
    },
    deb::Limits,
    image::registry::{Actions, BadReference, Client, Credentials, Reference, RegistryError, SCHEME},
};

/// What a person calls an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageRef {
    /// A file or a folder of this machine.
    Path(PathBuf),
    /// `docker://…`.
    Registry(Reference),
}

impl ImageRef {
    /// Reads what was typed: `docker://` begins a reference, `oci:` is passed over as an output has it, all else is a path.
    ///
    /// # Errors
    /// When a reference is none.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        match text.starts_with(SCHEME) {
            true => text.parse().map(Self::Registry),
            false => Ok(Self::Path(text.strip_prefix("oci:").unwrap_or(text).into())),
        }
    }
}

impl FromStr for ImageRef {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        Self::parse(text)
    }
}

impl From<&Path> for ImageRef {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

/// As it is typed.
impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Registry(reference) => write!(f, "{reference}"),
        }
    }
}

/// What a registry is reached with.
#[derive(Clone, Copy)]
pub struct Remote<'a> {
    /// The network.
    pub fetcher: &'a Fetcher,
    /// Who asks.
    pub credentials: &'a Credentials,
    /// Hears of retries and bytes.
    pub progress: &'a dyn Progress,
}

/// An image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// What is there cannot be read as an image.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be fetched.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Refuses for TargetError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Open(error) => error.refusal(),
            Self::Registry(error) => error.refusal(),
        }
    }
}

/// Fetches the image if need be, and reads it as [`open`](super::open) does. What is fetched stays in `scratch`.
///
/// # Errors
/// [`TargetError`].
pub fn open_target(
    image: &ImageRef,
    arch: Option<Arch>,
    scratch: &Path,
    limits: &Limits,
    remote: Remote<'_>,
) -> Result<Opened, TargetError> {
    let reference = match image {
        ImageRef::Path(path) => return super::open(path, arch, scratch, limits).map_err(TargetError::Open),
        ImageRef::Registry(reference) => reference,
    };
    let Remote { fetcher, credentials, progress } = remote;
    let client = Client::new(fetcher, credentials, reference, Actions::Pull, progress)?;
    let (layout, layers) = (scratch.join("layout"), scratch.join("layers"));
    for folder in [&layout, &layers] {
        fs::create_dir_all(folder).map_err(|source| RegistryError::Disk { path: folder.clone(), source })?;
    }
    pull::pull(&client, reference, arch, &layout, limits, progress)?;
    any(&layout, arch, &layers, limits).map_err(OpenError::at(Path::new(&reference.to_string()))).map_err(Into::into)
}
