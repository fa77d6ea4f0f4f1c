//! A `.deb` of the lock: from its repository, or Debian's archive of snapshots.

use std::path::PathBuf;

use super::{Download, Supplier, SupplyError};
use crate::{
    archive::fetch_deb,
    lock::LockedPackage,
    unpack::{self, Item, Segment},
};

pub(super) fn fetch(package: &LockedPackage, download: Download<'_>) -> Result<PathBuf, SupplyError> {
    let Download { fetcher, store, bases, progress } = download;
    let bases = bases.get(&package.repository).ok_or_else(|| SupplyError::NoRepository {
        package: package.name.clone(),
        repository: package.repository.clone(),
    })?;
    Ok(fetch_deb(fetcher, store, bases, &package.filename, package.size, &package.sha256, progress)?)
}

pub(super) fn unpack(package: &LockedPackage, deb: PathBuf, supplier: Supplier<'_>) -> Result<Segment, SupplyError> {
    let item = Item { package: package.name.clone(), deb, sha256: package.sha256 };
    Ok(unpack::unpack(supplier.download.store, &item, supplier.filter, &supplier.limits.into())?)
}
