//! From a mirror to verified package indexes: nothing is used before a trusted signature or digest covers it.
//!
//! In: the manifest's repositories, the machine's apt sources, a mirror. Out: [`LoadedSuite`]s, and `.deb` files in the
//! store. In the order of the work: [`sources`] (which mirror), [`suites`] (which suites of it), [`fetch`],
//! [`openpgp`] (with [`cleartext`] and [`keyring`]), [`release`], [`index`], [`contents`] (which package ships what),
//! [`deb`]. A folder of [`vendored`] files may stand for all mirrors.

pub mod cleartext;
pub mod contents;
pub mod deb;
mod error;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod index;
mod kept;
pub mod keyring;
pub mod openpgp;
pub mod release;
pub mod sources;
pub mod suites;
#[cfg(test)]
pub(crate) mod testing;
pub mod vendored;

pub use contents::Sonames;
pub use deb::fetch_deb;
pub use error::{ArchiveError, ErrorClass, IndexFault};
pub use fetch::{Changed, FetchError, FetchSettings, Fetcher, Promise, Validators, Want, file_path, shown};
pub use index::{LoadedSuite, Loader, PackagesIndex};
pub use kept::{Cold, IndexPiece, is_kept_sound, keep_index, kept_index};
pub use release::ReleaseInfo;
pub use sources::{MirrorInputs, MirrorSource, Mirrors, SourcesError, check_pin, discover, snapshot};
pub use suites::{Keys, SuiteRequest, requests};
pub use vendored::Vendored;
