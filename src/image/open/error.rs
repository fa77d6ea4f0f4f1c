//! What can be wrong with an image that is read back, each case a type of its own.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    base::{
        Arch, BadPath, RootPath, Sha256,
        refusal::{self, Refusal, Refuses},
    },
    deb::{LimitReached, TarFault},
};

/// An image that cannot be read back: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}; {}", path.display(), fault.next_step())]
pub struct OpenError {
    /// What was to be opened.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: OpenFault,
}

impl Refuses for OpenError {
    fn refusal(&self) -> &'static Refusal {
        self.fault.refusal()
    }
}

impl OpenError {
    /// For `map_err`.
    pub(super) fn at(path: &Path) -> impl FnOnce(OpenFault) -> Self + '_ {
        move |fault| Self { path: path.into(), fault }
    }
}

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The operating system refused.
    #[error("cannot read it ({0})")]
    Read(#[source] io::Error),
    /// Its content cannot be unpacked for want of room or permission.
    #[error("cannot write {}, where its content is unpacked to ({source})", path.display())]
    Scratch {
        /// Below the folder given for it.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A device, a socket, a pipe.
    #[error("it is neither a directory nor a file")]
    Special,
    /// Its compression is broken.
    #[error("cannot decompress it ({0})")]
    Compressed(#[source] io::Error),
    /// A document of the image is not as its specification says.
    #[error("{name} cannot be used: {what}")]
    Document {
        /// `index.json`, or a blob's digest.
        name: String,
        /// Why.
        what: String,
    },
    /// A blob or document that another one names is not there.
    #[error("it has no {name}, which {by} names")]
    Missing {
        /// What.
        name: String,
        /// Who asks for it.
        by: String,
    },
    /// One name twice in the archive: two readers would see two images.
    #[error("its archive holds {0} twice")]
    Twice(String),
    /// An archive for two kinds of readers, which tells each of another image.
    #[error("its index.json and its manifest.json name different images: the configurations are {oci} and {docker}")]
    TwoImages {
        /// Of the OCI layout's image.
        oci: Sha256,
        /// Of the one that `docker load` takes.
        docker: Sha256,
    },
    /// A blob of another length than its descriptor says.
    #[error("{name} has {found} bytes, where its descriptor says {wanted}")]
    Size {
        /// The blob.
        name: String,
        /// By the descriptor, bytes.
        wanted: u64,
        /// In the image, bytes.
        found: u64,
    },
    /// A blob with other content than its name or descriptor says.
    #[error("{name} is not what it should be: its content has the digest {found}")]
    Digest {
        /// The blob, with the digest that it should have.
        name: String,
        /// Of its bytes.
        found: Sha256,
    },
    /// A layer that the configuration knows otherwise.
    #[error("{layer} has the diffID {found}, where the image's configuration says {wanted}")]
    DiffId {
        /// Which layer.
        layer: String,
        /// By `rootfs.diff_ids`.
        wanted: String,
        /// Of the plain tar.
        found: Sha256,
    },
    /// More or fewer layers than the configuration knows.
    #[error("it has {layers} layers, where the image's configuration has {diff_ids} diffIDs")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In `rootfs.diff_ids`.
        diff_ids: usize,
    },
    /// Something that is no image, or one in a form unknown here.
    #[error("{what} has the media type “{found}”, which compose cannot read")]
    MediaType {
        /// Manifest, configuration or layer.
        what: String,
        /// What it says it is.
        found: String,
    },
    /// Nothing of the architecture that was asked for.
    #[error("it is not for {wanted}, but for {have}")]
    Arch {
        /// Asked for.
        wanted: Arch,
        /// What there is.
        have: String,
    },
    /// Several images, and nothing says which is meant.
    #[error("it holds several images: {0}")]
    Several(String),
    /// Only artefacts, attestations and images of other systems.
    #[error("it holds no image of Linux{0}")]
    NoImage(String),
    /// A layer, or the archive that is the rootfs, cannot be read.
    #[error("in {layer}: {fault}")]
    Layer {
        /// Which.
        layer: String,
        /// Why.
        #[source]
        fault: LayerFault,
    },
    /// More than the configured limits allow.
    #[error(transparent)]
    Limit(#[from] LimitReached),
}

impl Refuses for OpenFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read(_) => refusal::IMAGE_UNREADABLE,
            Self::Scratch { source, .. } => refusal::of_cache(source),
            Self::Special => refusal::NOT_AN_IMAGE,
            Self::Compressed(_) => refusal::IMAGE_UNDECODABLE,
            Self::Document { .. } => refusal::IMAGE_BAD_DOCUMENT,
            Self::Missing { .. } => refusal::IMAGE_INCOMPLETE,
            Self::Twice(_) => refusal::IMAGE_MEMBER_TWICE,
            Self::TwoImages { .. } => refusal::IMAGE_AMBIGUOUS,
            Self::Size { .. } => refusal::IMAGE_BLOB_SIZE,
            Self::Digest { .. } => refusal::IMAGE_BLOB_DIGEST,
            Self::DiffId { .. } => refusal::IMAGE_DIFF_ID,
            Self::LayerCount { .. } => refusal::IMAGE_LAYER_COUNT,
            Self::MediaType { .. } => refusal::IMAGE_MEDIA_TYPE,
            Self::Arch { .. } => refusal::IMAGE_OTHER_ARCH,
            Self::Several(_) => refusal::IMAGE_SEVERAL,
            Self::NoImage(_) => refusal::NO_IMAGE,
            Self::Layer { fault, .. } => fault.refusal(),
            Self::Limit(limit) => limit.refusal(),
        }
    }
}

impl OpenFault {
    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Read(_) => "check that it is there and may be read",
            Self::Scratch { .. } => "free some space, or choose another cache",
            Self::Special => "name an image: an OCI layout, a tar archive of one or of a rootfs, or a rootfs directory",
            Self::Arch { .. } => "ask for an architecture that is there",
            Self::Several(_) => "name the architecture with --arch, or take the one that is meant out with skopeo copy",
            Self::MediaType { .. } | Self::NoImage(_) => "name an image of a root filesystem",
            Self::Limit(_) | Self::Layer { fault: LayerFault::Limit(_) | LayerFault::Tar(TarFault::Limit(_)), .. } => {
                "do not trust it; if it is meant to be that large, raise that limit with --limit KEY=VALUE"
            }
            Self::Layer { fault: LayerFault::Tar(TarFault::Checksum { after }), .. } if after == crate::deb::START => {
                "name an image: an OCI layout, a tar archive of one or of a rootfs, or a rootfs directory"
            }
            Self::Compressed(_)
            | Self::Missing { .. }
            | Self::Size { .. }
            | Self::Digest { .. }
            | Self::Layer { fault: LayerFault::Tar(TarFault::Truncated | TarFault::Read(_)), .. } => {
                "it was damaged or altered: fetch or build it again"
            }
            Self::DiffId { .. } | Self::LayerCount { .. } | Self::Twice(_) | Self::TwoImages { .. } => {
                "no runtime should start it: fetch or build it again"
            }
            Self::Document { .. } | Self::Layer { .. } => {
                "a container runtime would not take it either, or not safely: tell whoever made it"
            }
        }
    }

    pub(super) fn scratch(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Scratch { path: path.into(), source }
    }

    /// A fault of a decoder.
    pub(super) fn of_decoder(error: io::Error) -> Self {
        match error.downcast::<LimitReached>() {
            Ok(limit) => Self::Limit(limit),
            Err(error) => Self::Compressed(error),
        }
    }
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerFault {
    /// As an archive.
    #[error(transparent)]
    Tar(#[from] TarFault),
    /// A name that leads out of the root, or is none.
    #[error(transparent)]
    Name(#[from] BadPath),
    /// A whiteout of nothing, of `.` or of `..` (image-spec, layer.md, “Whiteouts”).
    #[error("the whiteout “{0}” names nothing that could be removed")]
    Whiteout(String),
    /// The root is something else than a directory.
    #[error("the root itself is {0}")]
    Root(&'static str),
    /// A parent that is no directory.
    #[error("{parent} is not a directory, so {path} cannot be in it")]
    Parent {
        /// The entry.
        path: RootPath,
        /// What is in the way.
        parent: RootPath,
    },
    /// Symbolic links that lead in circles, or through more than Linux follows.
    #[error("the parents of {0} lead through more than 40 symbolic links")]
    Loop(RootPath),
    /// A hard link to what is not there, or cannot have a second name.
    #[error("{path} is a hard link to {target}, which is {what}")]
    Hardlink {
        /// The entry.
        path: RootPath,
        /// Where it leads.
        target: RootPath,
        /// What is there.
        what: &'static str,
    },
    /// More than the configured limits allow.
    #[error(transparent)]
    Limit(#[from] LimitReached),
}

impl Refuses for LayerFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Tar(TarFault::Checksum { after }) if after == crate::deb::START => refusal::NOT_AN_IMAGE,
            Self::Tar(fault) => fault.refusal(),
            Self::Name(bad) => bad.refusal(),
            Self::Whiteout(_) => refusal::LAYER_WHITEOUT,
            Self::Root(_) => refusal::LAYER_ROOT,
            Self::Parent { .. } => refusal::LAYER_PARENT,
            Self::Loop(_) => refusal::LAYER_LOOP,
            Self::Hardlink { .. } => refusal::LAYER_HARD_LINK,
            Self::Limit(limit) => limit.refusal(),
        }
    }
}
