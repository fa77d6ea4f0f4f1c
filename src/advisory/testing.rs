//! What the tests of this module are made of: inventories without an image.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::inventory::{Distro, Inventory, Licence, Package, Project};

/// A package whose source has the same version.
pub fn package(name: &str, version: &str, source: &str) -> Package {
    Package {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        arch: "amd64".into(),
        source: source.into(),
        source_version: version.parse().unwrap(),
        installed_size: None,
        content: None,
        licence: Licence::default(),
        maintainer: None,
        homepage: None,
        summary: None,
        repository: None,
        deb: None,
        required_by: Vec::new(),
    }
}

/// A project of its own.
pub fn project(name: &str, version: &str) -> Project {
    Project {
        name: name.parse().unwrap(),
        version: version.into(),
        summary: None,
        licence: Licence::default(),
        homepage: None,
        path: None,
        package: None,
        content: None,
        wheel: None,
    }
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
