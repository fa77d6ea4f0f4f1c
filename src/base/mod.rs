//! The words every other module speaks: digests, paths inside the rootfs, names, architectures, progress,
//! the codes of what can be found wrong with an image and of every reason to refuse, and the exit codes.
//!
//! In: raw text and bytes at the edge. Out: values that are valid by construction.

pub mod aside;
pub mod beneath;
pub mod exit;
pub mod live;
pub mod refusal;
pub mod words;
mod arch;
mod code;
mod digest;
mod line;
mod name;
mod path;
mod place;
mod progress;

pub use arch::{Arch, UnknownArch, UnknownPlatform};
pub use code::{Asked, CODES, Code, Severity, UNHARDENED};
pub use digest::{BadDigest, Sha256, Sha256Writer};
pub use line::Line;
pub use name::{BadName, PackageName};
pub use path::{BadPath, RootPath};
pub use place::Place;
pub use progress::{Progress, Silent};

/// How many symbolic links a look-up follows, as Linux does (`MAXSYMLINKS`, path_resolution(7)).
pub const MAX_LINKS: usize = 40;
