//! What maintainer scripts would have done to the tree, done natively: nothing is run.

pub mod ldcache;

use std::io;

use crate::{base::RootPath, tree::NotADirectory};

/// Why a tree cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// A file of the tree cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: RootPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is in the way.
    #[error("{0}; take the package or the [[files]] entry out that put it there")]
    Place(#[from] NotADirectory),
    /// ld.so.conf.
    #[error("{0} includes itself, or includes files too deeply; mend its “include” lines")]
    IncludeDepth(RootPath),
    /// ld.so.cache.
    #[error("the libraries' names do not fit into /etc/ld.so.cache (4 GiB)")]
    CacheTooLarge,
}

fn at(path: &RootPath) -> impl FnOnce(io::Error) -> FinishError {
    let path = path.clone();
    move |source| FinishError::Read { path, source }
}
