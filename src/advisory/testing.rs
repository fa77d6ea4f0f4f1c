//! What the tests of this module are made of: inventories without an image.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::inventory::{Distro, Inventory, Package, Project};

/// A package whose source has the same version.
pub fn package(name: &str, version: &str, source: &str) -> Package {
    let package = Package::new(name.parse().unwrap(), version.parse().unwrap(), "amd64");
    Package { source: source.into(), ..package }
}

/// A project of its own.
pub fn project(name: &str, version: &str) -> Project {
    Project::new(name.parse().unwrap(), version)
}

/// An image of trixie.
pub fn inventory(packages: Vec<Package>, projects: Vec<Project>) -> Inventory {
    Inventory {
        name: "demo".into(),
        arch: None,
        distro: Distro {
            id: "debian".into(),
            version_id: Some("13".into()),
            codename: Some("trixie".into()),
            pretty_name: None,
            full_version: Some("13.8".into()),
        },
        created: None,
        packages,
        projects,
        tarballs: Vec::new(),
        cut: Vec::new(),
        repositories: Vec::new(),
        unread: 0,
        notes: Vec::new(),
    }
}
