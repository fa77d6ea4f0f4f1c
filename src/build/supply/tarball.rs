//! A tarball of the manifest: from this machine or a URL.

use std::path::PathBuf;

use super::{Download, Supplier, SupplyError};
use crate::{
    archive::{Promise, Want},
    manifest::{Tarball, TarballSource},
    store::Shelf,
    tree::Origin,
    unpack::{self, Segment},
};

pub(super) fn fetch(tarball: &Tarball, download: Download<'_>) -> Result<PathBuf, SupplyError> {
    let Download { fetcher, store, progress, .. } = download;
    match &tarball.source {
        TarballSource::File(path) => Ok(path.clone()),
        TarballSource::Url(url) => {
            let vendored = fetcher.vendored().and_then(|vendored| vendored.tarball(&tarball.name(), &tarball.sha256));
            let (url, promise) = match &vendored {
                Some(vendored) => (vendored, Promise::Vendored),
                None => (url, Promise::Manifest),
            };
            let want = Want { size: None, sha256: &tarball.sha256, promise };
            Ok(fetcher.fetch_to_store(store, Shelf::Sources, std::slice::from_ref(url), want, progress)?)
        }
    }
}

/// What `unpack` is told; `file` says nothing about its key.
pub(super) fn item(tarball: &Tarball, file: PathBuf) -> unpack::Tarball {
    let Tarball { sha256, path, strip, .. } = tarball;
    let origin = Origin::Tarball(tarball.name().into());
    unpack::Tarball { origin, file, sha256: *sha256, path: path.clone(), strip: *strip }
}

pub(super) fn unpack(tarball: &Tarball, file: PathBuf, supplier: Supplier<'_>) -> Result<Segment, SupplyError> {
    let item = item(tarball, file);
    Ok(unpack::unpack_tarball(supplier.download.store, &item, supplier.filter, &supplier.limits.into())?)
}
