//! Why a package could not be unpacked.

use std::{io, path::PathBuf};

use crate::{
    base::{
        BadPath, RootPath, Sha256,
        refusal::{self, Refusal, Refuses},
    },
    deb::{DebFault, TarFault},
    store::StoreError,
    tree::Origin,
};

/// A package or a tarball that could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("cannot unpack {origin} ({}): {fault}; {}", file.display(), fault.next_step(origin))]
pub struct UnpackError {
    /// Which.
    pub origin: Origin,
    /// Its file.
    pub file: PathBuf,
    /// Why.
    #[source]
    pub fault: UnpackFault,
}

impl Refuses for UnpackError {
    fn refusal(&self) -> &'static Refusal {
        self.fault.refusal()
    }
}

/// Why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackFault {
    /// The `.deb` itself.
    #[error(transparent)]
    Deb(#[from] DebFault),
    /// The file is not the one that was verified.
    #[error("its SHA-256 is {found} instead of {expected}")]
    Digest {
        /// What it should be.
        expected: Sha256,
        /// What it is.
        found: Sha256,
    },
    /// It holds another package.
    #[error("it holds the package “{0}”")]
    OtherPackage(String),
    /// A name that leads out of the rootfs, or is none.
    #[error("it ships a path that cannot be: {0}")]
    Path(#[from] BadPath),
    /// A tarball that is none, or is broken.
    #[error(transparent)]
    Tar(#[from] TarFault),
    /// A tarball's entry with an absolute name.
    #[error("its entry “{0}” has an absolute name")]
    Absolute(String),
    /// A hard link to what `strip` leaves out.
    #[error("it ships {path} as a hard link to “{target}”, which “strip” leaves out")]
    LinkOut {
        /// The link.
        path: RootPath,
        /// Its target.
        target: String,
    },
    /// Names that are all too short for `strip`.
    #[error("nothing of it is left: “strip” takes {0} folders off the front of each name, and none has more")]
    StripAll(usize),
    /// A path twice.
    #[error("it ships {0} twice, and not as a directory both times")]
    Twice(RootPath),
    /// Something in what is no directory: a way out of the rootfs through a link.
    #[error("it ships {path} below {above}, which it ships as something else than a directory")]
    Below {
        /// What is inside.
        path: RootPath,
        /// What is no directory.
        above: RootPath,
    },
    /// The root, or a directory of merged-/usr, as something else.
    #[error("it ships {0} as something else than a directory")]
    NotADirectory(RootPath),
    /// A hard link to what is no file before it in the same package.
    #[error("it ships {path} as a hard link to {target}, which is not an earlier regular file of the package")]
    HardlinkTarget {
        /// The link.
        path: RootPath,
        /// Its target.
        target: RootPath,
    },
    /// The segment cannot be written.
    #[error("cannot write its files to {} ({bytes} bytes so far)", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// How much was written before.
        bytes: u64,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refuses for UnpackFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Deb(fault) => fault.refusal(),
            Self::Digest { .. } => refusal::FILE_CHANGED,
            Self::OtherPackage(_) => refusal::OTHER_PACKAGE,
            Self::Path(bad) => bad.refusal(),
            Self::Tar(fault) => fault.refusal(),
            Self::Absolute(_) => refusal::ABSOLUTE_NAME,
            Self::LinkOut { .. } => refusal::LINK_LEFT_OUT,
            Self::StripAll(_) => refusal::STRIP_LEAVES_NOTHING,
            Self::Twice(_) => refusal::PATH_TWICE,
            Self::Below { .. } => refusal::BELOW_NO_DIRECTORY,
            Self::NotADirectory(_) => refusal::DIRECTORY_REPLACED,
            Self::HardlinkTarget { .. } => refusal::HARD_LINK_ASTRAY,
            Self::Write { source, .. } => refusal::of_cache(source),
            Self::Store(error) => error.refusal(),
        }
    }
}

impl UnpackFault {
    /// What a person can do about it; `origin` is whose file it is.
    pub fn next_step(&self, origin: &Origin) -> &'static str {
        match self {
            Self::Deb(fault) => fault.next_step(),
            Self::Tar(TarFault::Limit(_)) => {
                "look into it before you use it; if it is meant to be that large, raise that limit in the manifest"
            }
            Self::Tar(TarFault::Read(_) | TarFault::Truncated | TarFault::Checksum { .. }) => {
                "it must be a whole tar archive, plain or in gzip, xz, zstd or bzip2: make or fetch it anew"
            }
            Self::Tar(TarFault::Type { .. }) => "make the archive anew without it",
            Self::Absolute(_) | Self::Tar(_) | Self::LinkOut { .. } => {
                "make the archive anew with GNU tar, with names relative to its folder"
            }
            Self::StripAll(_) => "write a smaller number; `tar tf` lists the names",
            Self::Digest { .. } => match origin {
                Origin::Tarball(_) => {
                    "find out who changed it; if it is meant so, write its new sha256 into the manifest"
                }
                Origin::Wheel(_) => "find out who changed it; if it is meant so, make the application's lock anew",
                _ => "remove the file, so that it is fetched again",
            },
            Self::Write { .. } | Self::Store(_) => "make room there, or set COMPOSE_CACHE to another place",
            _ if matches!(origin, Origin::Tarball(_)) => "look into the archive before you trust it, and make it anew",
            _ => "tell whoever publishes the package, or leave it out",
        }
    }
}
