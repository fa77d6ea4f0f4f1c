//! What can be wrong with a `.deb`, each case a type of its own.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::LimitReached;
use crate::base::refusal::{self, Refusal, Refuses};

/// A `.deb` that cannot be used: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}; {}", deb.display(), fault.next_step())]
pub struct DebError {
    /// The file.
    pub deb: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: DebFault,
}

impl Refuses for DebError {
    fn refusal(&self) -> &'static Refusal {
        self.fault.refusal()
    }
}

impl DebError {
    /// For `map_err`.
    pub fn at<F: Into<DebFault>>(deb: &Path) -> impl FnOnce(F) -> Self + '_ {
        move |fault| Self { deb: deb.into(), fault: fault.into() }
    }
}

/// What is wrong with a `.deb`.
#[derive(Debug, thiserror::Error)]
pub enum DebFault {
    /// The file itself cannot be read.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// No `!<arch>` at its beginning (deb(5)).
    #[error("it is not a Debian package: it does not begin with “!<arch>”")]
    NotAnArchive,
    /// A member header that does not follow ar(5).
    #[error("the archive member header at byte {offset} is malformed ({what})")]
    MemberHeader {
        /// Where the header begins.
        offset: u64,
        /// Which field.
        what: &'static str,
    },
    /// A member that ends behind the end of the file.
    #[error("it is truncated: member “{member}” ends at byte {end} of {length}")]
    Truncated {
        /// The member, or what was expected.
        member: String,
        /// Where it should end.
        end: u64,
        /// Length of the file.
        length: u64,
    },
    /// Members that dpkg would not take in this order (deb(5)).
    #[error("member “{found}” stands where {wanted} belongs (deb(5))")]
    MemberOrder {
        /// What stands there.
        found: String,
        /// What dpkg reads there.
        wanted: &'static str,
    },
    /// The archive ends too early.
    #[error("it has no member {0}")]
    MissingMember(&'static str),
    /// A `debian-binary` that is not `2.x`.
    #[error("its format version is “{0}”; only 2.x is known")]
    Version(String),
    /// `control.tar.*` without the file that describes the package.
    #[error("its control archive has no file “control”")]
    NoControl,
    /// Text that Policy 5.1 wants in UTF-8.
    #[error("“{0}” in its control archive is not UTF-8")]
    NotUtf8(&'static str),
    /// A `control` that is not one paragraph (Policy 5.3).
    #[error("“control” in its control archive cannot be used: {0}")]
    BadControl(String),
    /// A control file that occurs twice.
    #[error("“{0}” occurs twice in its control archive")]
    ControlTwice(String),
    /// One of the two tar archives cannot be read.
    #[error("in {member}: {fault}")]
    Tar {
        /// `control.tar.xz` or alike.
        member: String,
        /// Why.
        #[source]
        fault: TarFault,
    },
    /// More than the configured limits allow.
    #[error(transparent)]
    Limit(#[from] LimitReached),
}

impl Refuses for DebFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read(_) => refusal::DEB_UNREADABLE,
            Self::NotAnArchive => refusal::NOT_A_DEB,
            Self::MemberHeader { .. } => refusal::DEB_MEMBER_HEADER,
            Self::Truncated { .. } => refusal::DEB_TRUNCATED,
            Self::MemberOrder { .. } => refusal::DEB_MEMBER_ORDER,
            Self::MissingMember(_) => refusal::DEB_MEMBER_MISSING,
            Self::Version(_) => refusal::DEB_VERSION,
            Self::NoControl => refusal::DEB_NO_CONTROL,
            Self::NotUtf8(_) => refusal::DEB_NOT_UTF8,
            Self::BadControl(_) => refusal::BAD_CONTROL,
            Self::ControlTwice(_) => refusal::DEB_CONTROL_TWICE,
            Self::Tar { fault, .. } => fault.refusal(),
            Self::Limit(limit) => limit.refusal(),
        }
    }
}

impl DebFault {
    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Read(_) => "check the file and its permissions",
            Self::Limit(_) | Self::Tar { fault: TarFault::Limit(_), .. } => {
                "leave the package out; if it is meant to be that large, raise that limit in the manifest"
            }
            Self::Truncated { .. } | Self::Tar { fault: TarFault::Read(_) | TarFault::Truncated, .. } => {
                "remove the file, so that it is fetched again"
            }
            _ => "dpkg would not install it either, or not safely: tell whoever publishes it, or leave the package out",
        }
    }
}

/// What is wrong with a tar archive. Names are shown with unprintable bytes escaped.
#[derive(Debug, thiserror::Error)]
pub enum TarFault {
    /// It cannot be decompressed or read.
    #[error("cannot decompress it ({0})")]
    Read(#[source] io::Error),
    /// It ends inside an entry, or without the empty block that ends an archive.
    #[error("the archive is truncated")]
    Truncated,
    /// The checksum of a header is wrong.
    #[error("{}", wrong_checksum(after))]
    Checksum {
        /// The entry before it.
        after: String,
    },
    /// Bytes behind the end marker.
    #[error("there is data behind the end of the archive")]
    Trailing,
    /// A field that is no number, or one too large.
    #[error("“{name}” has a malformed {field}")]
    Number {
        /// The entry.
        name: String,
        /// The header field or PAX key.
        field: &'static str,
    },
    /// Extended headers that break their format, contradict each other or say what cannot be honoured.
    #[error("the extended header of “{name}” is refused: {what}")]
    Extension {
        /// The entry, or the one before.
        name: String,
        /// What it says.
        what: String,
    },
    /// A size in the PAX header that contradicts the header: two readers would see two archives.
    #[error("“{name}” has size {header} in its header and {pax} in its extended header")]
    SizeConflict {
        /// The entry.
        name: String,
        /// In the ustar header.
        header: u64,
        /// In the PAX record.
        pax: u64,
    },
    /// Content where there can be none.
    #[error("“{0}” is not a regular file but has content")]
    UnexpectedContent(String),
    /// Device nodes, FIFOs, sparse files and whatever else has no place in a package.
    #[error("“{name}” is {what}, which cannot be packaged")]
    Type {
        /// The entry.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A newline in a name, as dpkg refuses it too.
    #[error("the name “{0}” contains a newline")]
    Newline(String),
    /// A symbolic or hard link to nothing, or with a NUL in its target.
    #[error("“{0}” is a link with an empty or malformed target")]
    LinkTarget(String),
    /// More than the configured limits allow.
    #[error(transparent)]
    Limit(#[from] LimitReached),
}

impl Refuses for TarFault {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read(_) => refusal::TAR_UNDECODABLE,
            Self::Truncated => refusal::TAR_TRUNCATED,
            Self::Checksum { .. } => refusal::TAR_CHECKSUM,
            Self::Trailing => refusal::TAR_TRAILING_DATA,
            Self::Number { .. } => refusal::TAR_BAD_NUMBER,
            Self::Extension { .. } => refusal::TAR_BAD_EXTENSION,
            Self::SizeConflict { .. } => refusal::TAR_SIZE_CONFLICT,
            Self::UnexpectedContent(_) => refusal::TAR_UNEXPECTED_CONTENT,
            Self::Type { .. } => refusal::SPECIAL_FILE,
            Self::Newline(_) => refusal::NEWLINE_IN_NAME,
            Self::LinkTarget(_) => refusal::BAD_LINK_TARGET,
            Self::Limit(limit) => limit.refusal(),
        }
    }
}

/// What stands for the entry before the first.
pub(crate) const START: &str = "(start)";

fn wrong_checksum(after: &str) -> String {
    match after {
        START => "it does not begin as a tar archive does: its first header has a wrong checksum".into(),
        after => format!("the header after “{after}” has a wrong checksum"),
    }
}

impl TarFault {
    /// Finds the limit inside an I/O error that a decoder passed on.
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => match error.downcast::<LimitReached>() {
                Ok(limit) => Self::Limit(limit),
                Err(error) => Self::Read(error),
            },
        }
    }
}
