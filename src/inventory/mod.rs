//! What an image holds: the exact list of Debian packages, Python projects and tarballs, with what is known of each.
//!
//! In: a target of a lock ([`locked`]), or the tree of an image of any make ([`of_tree`]), which also learns who brought
//! which file; a lock may add to that what an image does not say ([`Inventory::enrich`]). Out: [`Inventory`], sorted. SBOMs,
//! audits, advisories and differences are made from it.

mod distro;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod licence;
mod locked;
mod owners;
mod projects;
mod status;
#[cfg(test)]
mod tests;

use std::io;

use jiff::Timestamp;

pub use distro::Distro;
pub use licence::Licence;
pub use locked::{locked, source_version};

use crate::{
    base::{Arch, PackageName, RootPath, Sha256},
    control::Version,
    lock::CutEdge,
    python::ProjectName,
    tree::{Kind, Origin, Tree},
};

/// Everything that is in one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// What it is called: the manifest's name, or the file's.
    pub name: String,
    /// For which machine; `None` if nothing says so.
    pub arch: Option<Arch>,
    /// The distribution that its packages are from.
    pub distro: Distro,
    /// The lock's epoch, or the image's date.
    pub created: Option<Timestamp>,
    /// Debian packages, sorted by name, then architecture.
    pub packages: Vec<Package>,
    /// Python projects, sorted by name, then place.
    pub projects: Vec<Project>,
    /// Tarballs of the manifest, in its order; an image does not tell.
    pub tarballs: Vec<Tarball>,
    /// Dependencies that nothing in the image meets; sorted.
    pub cut: Vec<CutEdge>,
    /// The repositories that packages are from, if a lock says so.
    pub repositories: Vec<Repository>,
    /// How many entries of dpkg's database could not be read: packages that are not listed.
    pub unread: usize,
    /// What could not be read, in words.
    pub notes: Vec<String>,
}

/// A repository, as its Release and the lock have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// What [`Package::repository`] calls it.
    pub name: String,
    /// Origin, such as `Debian`.
    pub origin: Option<String>,
    /// Codename, such as `trixie-security`.
    pub codename: Option<String>,
}

/// A Debian binary package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// `amd64` …, or `all`.
    pub arch: String,
    /// The source package that it was built from.
    pub source: String,
    /// That one's version: what advisories speak of.
    pub source_version: Version,
    /// KiB, as Debian counts (Policy 5.6.20).
    pub installed_size: Option<u64>,
    /// Its files in the image; `None` where no image was looked at.
    pub content: Option<ContentSize>,
    /// What its copyright file says.
    pub licence: Licence,
    /// Maintainer, as the control file has it.
    pub maintainer: Option<String>,
    /// Homepage.
    pub homepage: Option<String>,
    /// First line of the description.
    pub summary: Option<String>,
    /// The repository that it is from (`debian-security` …), if a lock says so.
    pub repository: Option<String>,
    /// The `.deb`, if a lock says so.
    pub deb: Option<DebFile>,
    /// Names of direct dependants in the image, sorted; empty when it was asked for.
    pub required_by: Vec<String>,
}

/// What a package or project really has in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentSize {
    /// Files and links.
    pub files: usize,
    /// Bytes of the files, hard links counted once.
    pub bytes: u64,
}

/// A `.deb` of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebFile {
    /// Path below the archive's root.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Sha256,
}

/// A Python project as it is installed: from a wheel, or as part of a Debian package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Normalised (PEP 503).
    pub name: ProjectName,
    /// As its metadata has it.
    pub version: String,
    /// First line of its own description.
    pub summary: Option<String>,
    /// What its metadata says.
    pub licence: Licence,
    /// `Home-page`, or the project URL that is called so.
    pub homepage: Option<String>,
    /// Its `.dist-info` or `.egg-info`; `None` where no image was looked at.
    pub path: Option<RootPath>,
    /// The Debian package that it is part of: advisories for that one hold.
    pub package: Option<PackageName>,
    /// Its files in the image; `None` where no image was looked at.
    pub content: Option<ContentSize>,
    /// The wheel, if a lock says so.
    pub wheel: Option<WheelFile>,
}

/// A wheel of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelFile {
    /// The file's name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Sha256,
}

/// A tarball.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tarball {
    /// The file's name.
    pub name: String,
    /// Of the file.
    pub sha256: Sha256,
}

/// Reads the packages of an image, its Python projects, and who brought which file: `tree`'s origins are set by what
/// dpkg's database and the wheels' RECORDs say, unless they are known already, as in a tree that was just built.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn of_tree(name: &str, tree: &mut Tree, arch: Option<Arch>) -> io::Result<Inventory> {
    let mut notes = Vec::new();
    let status = status::read(tree, &mut notes)?;
    let is_known = tree.iter().any(|(_, node)| node.origin.is_unpacked());
    if !is_known {
        owners::learn(tree, &status)?;
    }
    let mut projects = projects::read(tree, &mut notes)?;
    let mut packages = Vec::new();
    for found in &status.packages {
        let licence = licence::of_package(tree, found.name.as_str())?;
        packages.push(found.package(licence));
    }
    packages.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)));
    owners::measure(tree, &mut packages, &mut projects);
    let cut = status::unmet(&status.packages, &mut packages);
    let arch = arch.or_else(|| packages.iter().find_map(|package| package.arch.parse().ok()));
    let distro = Distro::read(tree)?;
    Ok(Inventory {
        name: name.to_owned(),
        arch,
        distro,
        created: None,
        packages,
        projects,
        tarballs: Vec::new(),
        cut,
        repositories: Vec::new(),
        unread: status.unread,
        notes,
    })
}

impl Package {
    /// One of which no more is known; it was built from a source of its own name and version.
    pub fn new(name: PackageName, version: Version, arch: impl Into<String>) -> Self {
        Self {
            source: name.to_string(),
            source_version: version.clone(),
            arch: arch.into(),
            name,
            version,
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
}

impl Project {
    /// One of which no more is known.
    pub fn new(name: ProjectName, version: impl Into<String>) -> Self {
        Self {
            name,
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
}

impl Inventory {
    /// Adds what only the lock knows: the repository and the file of each package and wheel that is the lock's, the
    /// tarballs, who needs whom, and the reason of each cut.
    pub fn enrich(&mut self, known: Self) {
        for package in &mut self.packages {
            let same = |other: &&Package| {
                (&other.name, &other.version, &other.arch) == (&package.name, &package.version, &package.arch)
            };
            let Some(other) = known.packages.iter().find(same) else { continue };
            package.repository.clone_from(&other.repository);
            package.deb.clone_from(&other.deb);
            package.required_by.clone_from(&other.required_by);
        }
        for project in self.projects.iter_mut().filter(|project| project.package.is_none()) {
            let other = known.projects.iter().find(|other| other.name == project.name);
            project.wheel = other.and_then(|other| other.wheel.clone());
        }
        self.tarballs = known.tarballs;
        self.cut = known.cut;
        self.repositories = known.repositories;
        self.created = self.created.or(known.created);
    }

    /// Python projects that are no part of a Debian package.
    pub fn own_projects(&self) -> impl Iterator<Item = &Project> {
        self.projects.iter().filter(|project| project.package.is_none())
    }
}

/// Files that nothing is known to have brought, in order: no package, no project, and not made by dpkg or compose.
pub fn belonging_to_nothing(tree: &Tree) -> Vec<&RootPath> {
    let is_file = |kind: &Kind| !matches!(kind, Kind::Dir);
    let of_nobody = tree.iter().filter(|(_, node)| node.origin == Origin::Manifest && is_file(&node.kind));
    of_nobody.map(|(path, _)| path).collect()
}
