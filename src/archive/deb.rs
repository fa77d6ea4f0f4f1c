//! One `.deb` into the store.
//!
//! In: what a verified index or the lock says of it. Out: the path of the verified file.

use std::path::PathBuf;

use crate::{
    base::{Progress, Sha256},
    store::{Shelf, Store},
};

use super::fetch::{FetchError, Fetcher, Promise, Want, join};

/// Fetches the package file at `filename` (as in the index's `Filename` field) below one of `bases`, unless the store
/// has it; where a vendored folder stands for all mirrors, from there. `progress` hears of `size` bytes in all.
///
/// # Errors
/// [`FetchError`].
pub fn fetch_deb(
    fetcher: &Fetcher,
    store: &Store,
    bases: &[String],
    filename: &str,
    size: u64,
    sha256: &Sha256,
    progress: &dyn Progress,
) -> Result<PathBuf, FetchError> {
    let (urls, promise): (Vec<_>, _) = match fetcher.vendored() {
        // It has everything, or is not the lock's.
        Some(vendored) => (vec![vendored.url(filename)], Promise::Vendored),
        None => (bases.iter().map(|base| join(base, filename)).collect(), Promise::Lock),
    };
    let want = Want { size: Some(size), sha256, promise };
    fetcher.fetch_to_store(store, Shelf::Debs, &urls, want, progress)
}
