//! What a lock says is in an image.
//!
//! In: a [`Lock`] and one of its targets. Out: an [`Inventory`] without anything that only files tell: no sizes of
//! content, no licences.

use super::{DebFile, Distro, Inventory, Package, Project, Repository, Tarball, WheelFile};
use crate::{
    base::Arch,
    control::Version,
    lock::{Lock, LockedPackage, LockedRepository},
};

/// The inventory of one target; `None` if the lock has none for `arch`.
pub fn locked(name: &str, lock: &Lock, arch: Arch) -> Option<Inventory> {
    let target = lock.targets.get(&arch)?;
    let wheels = target.wheels.iter().filter_map(|wheel| {
        // The lock has the name normalised.
        Some(Project {
            wheel: Some(WheelFile { filename: wheel.filename.clone(), size: wheel.size, sha256: wheel.sha256 }),
            ..Project::new(wheel.name.parse().ok()?, wheel.version.clone())
        })
    });
    Some(Inventory {
        name: name.to_owned(),
        arch: Some(arch),
        distro: Distro::of_repositories(&lock.repositories),
        created: Some(lock.epoch),
        packages: target.packages.iter().map(package).collect(),
        projects: wheels.collect(),
        tarballs: target.tarballs.iter().map(|t| Tarball { name: t.name.clone(), sha256: t.sha256 }).collect(),
        cut: target.cut.clone(),
        repositories: lock.repositories.iter().map(repository).collect(),
        unread: 0,
        notes: Vec::new(),
    })
}

fn repository(locked: &LockedRepository) -> Repository {
    let LockedRepository { name, origin, codename, .. } = locked;
    Repository { name: name.clone(), origin: origin.clone(), codename: codename.clone() }
}

fn package(locked: &LockedPackage) -> Package {
    let LockedPackage { name, version, arch, source, repository, filename, size, sha256, required_by, .. } = locked;
    Package {
        source: source.clone(),
        source_version: locked.source_version.clone().unwrap_or_else(|| source_version(version)),
        repository: Some(repository.clone()),
        deb: Some(DebFile { filename: filename.clone(), size: *size, sha256: *sha256 }),
        required_by: required_by.clone(),
        ..Package::new(name.clone(), version.clone(), arch.clone())
    }
}

/// The source's version where nothing names another: the binary's, without what a rebuild adds (`+b1`; Debian
/// Developer's Reference 5.10.2.1).
pub fn source_version(version: &Version) -> Version {
    let text = version.as_str();
    let bare = text.rsplit_once("+b").filter(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    bare.and_then(|(bare, _)| bare.parse().ok()).unwrap_or_else(|| version.clone())
}
