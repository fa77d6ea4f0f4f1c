//! The files of a lock as a small apt repository in a folder, to be carried to where there is no network.
//!
//! In: a lock, its files on this machine, the suites that they are from, whoever signs. Out: a folder as
//! [`archive::vendored`] describes it, whole, by rename; the same lock gives the same bytes.
//!
//! Each repository of the lock stays a suite of its own, with the Release fields and the date that the lock has of it: what
//! is resolved against the folder has the same epoch, the same os-release and the same repositories, and so the same
//! image. Repositories whose suites have one name share that suite. Nothing is fetched by-hash: a folder that appears by
//! rename has no moment between two states.
//!
//! The writer is our own. debian-packaging's decides over pool paths itself, where the lock's must stay; reads each `.deb`
//! again with the `ar` crate, which panics on malformed names; and signs with a second, older OpenPGP library, dated now.

mod folder;
mod index;
mod release;
mod sign;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rayon::prelude::*;

pub use sign::{SignError, Signed, Signer};

use self::{
    folder::{Files, Source},
    index::{Described, described},
};
use crate::{
    archive::{
        SuiteRequest,
        vendored::{self, KEYRING},
    },
    base::{
        Arch, PackageName, Progress, Sha256, live,
        refusal::{self, Refusal, Refuses},
    },
    build::Gathered,
    deb::DebError,
    image::ImageError,
    lock::{Lock, LockedPackage, LockedRepository},
    manifest::Manifest,
};

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// It cannot be put in its place.
    #[error(transparent)]
    Place(#[from] ImageError),
    /// The operating system refuses.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No space.
    #[error("no room for {}: it needs {needed} bytes; free some space, or choose another folder", path.display())]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// Two files for one place.
    #[error(
        "two files of the lock are both to lie at {path}:\n  {one}\n  {other}\n  next step: take both from one repository or index, so that they are the same, or vendor each architecture into a folder of its own (--arch)"
    )]
    Clash {
        /// In the folder.
        path: String,
        /// What it is.
        one: String,
        /// What it is too.
        other: String,
    },
    /// A path that leads nowhere.
    #[error(
        "the lock has {what} at “{path}”, which is no place in a folder: {why}\n  next step: run with --update to make the lock anew"
    )]
    BadPlace {
        /// What.
        what: String,
        /// As the lock has it.
        path: String,
        /// Why not.
        why: String,
    },
    /// A package from a repository that nobody knows.
    #[error(
        "the lock takes {package} from repository “{repository}”, which it does not describe\n  next step: run `compose lock` to make the lock anew"
    )]
    NoRepository {
        /// The package.
        package: PackageName,
        /// As the lock calls it.
        repository: String,
    },
    /// A `.deb` that cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// A `.deb` that says other things of itself than the lock.
    #[error("the .deb of {package} is not what the lock says: {what}")]
    Other {
        /// The package.
        package: PackageName,
        /// What is wrong.
        what: String,
    },
    /// A file that changed between being verified and being copied.
    #[error("{} changed while it was copied; run again", .0.display())]
    Changed(PathBuf),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Refuses for VendorError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Place(error) => error.refusal(),
            Self::Io { source, .. } => refusal::of_output(source),
            Self::Full { .. } => refusal::OUTPUT_FULL,
            Self::Clash { .. } => refusal::LOCK_CLASH,
            Self::BadPlace { .. } => refusal::LOCK_BAD_PLACE,
            Self::NoRepository { .. } => refusal::LOCK_UNKNOWN_REPOSITORY,
            Self::Deb(error) => error.refusal(),
            Self::Other { .. } => refusal::DEB_NOT_AS_LOCKED,
            Self::Changed(_) => refusal::VENDORED_CHANGED,
            Self::Sign(error) => error.refusal(),
        }
    }
}

/// What goes into a folder.
pub struct Order<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// Its lock.
    pub lock: &'a Lock,
    /// Where the files of each of its targets are; those of the lock that are not named stay out.
    pub files: &'a BTreeMap<Arch, Gathered>,
    /// The suites that they are from: the components of each.
    pub suites: &'a [SuiteRequest],
    /// Who signs, if anybody does.
    pub signer: Option<&'a Signer>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// The suites, and how many packages each has.
    pub suites: Vec<(String, usize)>,
    /// Their components, of all of them together.
    pub components: Vec<String>,
    /// How many `.deb`s.
    pub packages: usize,
    /// How many wheels.
    pub wheels: usize,
    /// How many tarballs.
    pub tarballs: usize,
    /// How many files in all.
    pub files: usize,
    /// And their bytes.
    pub bytes: u64,
    /// What a person should know, and that is no failure.
    pub notes: Vec<String>,
}

/// A suite of the folder.
struct Suite<'a> {
    /// The first is who it is said to be.
    repositories: Vec<&'a LockedRepository>,
    components: Vec<String>,
    /// By component and architecture, each package once.
    packages: BTreeMap<(String, Arch), BTreeMap<Key<'a>, &'a LockedPackage>>,
}

/// Orders an index as Debian's are: by name; and tells one file from another.
type Key<'a> = (&'a str, &'a str, &'a str, Sha256);

fn key(package: &LockedPackage) -> Key<'_> {
    (package.name.as_str(), package.version.as_str(), &package.filename, package.sha256)
}

/// Whether a folder can be made at `target`, before there is anything to put into it.
///
/// # Errors
/// What stands there or is missing.
pub fn check(target: &Path, force: bool) -> Result<(), VendorError> {
    folder::stage(target, force).map(drop)
}

/// Writes the folder `target`. `force` lets one be replaced that compose did not make.
///
/// # Errors
/// [`VendorError`]; what was at `target` before is then still there.
pub fn write(order: &Order<'_>, target: &Path, force: bool, progress: &dyn Progress) -> Result<Vendor, VendorError> {
    let staged = folder::stage(target, force)?;
    let suites = suites(order)?;
    let mut files = Files::default();
    let mut named: BTreeMap<Key<'_>, (&LockedPackage, &Path)> = BTreeMap::new();
    let (mut wheels, mut tarballs) = (BTreeSet::new(), BTreeSet::new());
    for (arch, gathered) in order.files {
        let Some(target) = order.lock.targets.get(arch) else { continue };
        for (package, file) in target.packages.iter().zip(&gathered.debs) {
            let what = format!("{} {} of {}, for {arch}", package.name, package.version, package.repository);
            files.add(&package.filename, what, Source::copy(file, package.sha256))?;
            named.insert(key(package), (package, file));
        }
        for (wheel, file) in target.wheels.iter().zip(&gathered.wheels) {
            let path = vendored::wheel_path(&wheel.filename);
            files.add(&path, format!("{} for {arch}", wheel.filename), Source::copy(file, wheel.sha256))?;
            wheels.insert(path);
        }
        for (tarball, file) in order.manifest.tarballs.iter().zip(&gathered.tarballs) {
            let path = vendored::tarball_path(&tarball.name(), &tarball.sha256);
            files.add(&path, tarball.name(), Source::copy(file, tarball.sha256))?;
            tarballs.insert(path);
        }
    }
    progress.phase("Reading packages", None);
    let limits = (&order.manifest.limits).into();
    let read = named.into_par_iter().map(|(key, (package, file))| Ok((key, described(package, file, &limits)?)));
    let read: BTreeMap<Key<'_>, Described> = read.collect::<Result<_, VendorError>>()?;
    for (name, suite) in &suites {
        release::lay(name, suite, order, &read, &mut files)?;
    }
    if let Some(signer) = order.signer {
        files.add(KEYRING, "the public key".into(), Source::Text(signer.public.clone().into_bytes()))?;
    }
    files.add(vendored::MARKER, "the marker".into(), Source::Text(marker(order, &suites)))?;
    files.add_sums()?;
    let bytes = files.write(&staged, order.lock.epoch, progress)?;
    let count = |suite: &Suite<'_>| suite.packages.values().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>().len();
    let components: BTreeSet<String> = suites.values().flat_map(|suite| suite.components.clone()).collect();
    Ok(Vendor {
        suites: suites.iter().map(|(name, suite)| (name.clone(), count(suite))).collect(),
        components: components.into_iter().collect(),
        packages: read.len(),
        wheels: wheels.len(),
        tarballs: tarballs.len(),
        files: files.len(),
        bytes,
        notes: live::commit(|done| staged.commit(done))?.remove(),
    })
}

/// The repositories of the lock by suite, also those that nothing is from: who resolves anew asks for them too.
fn suites<'a>(order: &Order<'a>) -> Result<BTreeMap<String, Suite<'a>>, VendorError> {
    let mut out: BTreeMap<String, Suite<'a>> = BTreeMap::new();
    // Debian's own first: it says what the system is.
    let (debian, others): (Vec<_>, Vec<_>) =
        order.lock.repositories.iter().partition(|repository| repository.name.starts_with("debian"));
    let mut suite_of = BTreeMap::new();
    for repository in debian.into_iter().chain(others) {
        let request = order.suites.iter().find(|request| request.name == repository.name);
        let components = request.map_or_else(|| vec!["main".to_owned()], |request| request.components.clone());
        let suite = out.entry(repository.suite.clone()).or_insert_with(|| Suite {
            repositories: Vec::new(),
            components: Vec::new(),
            packages: BTreeMap::new(),
        });
        for component in &components {
            if !suite.components.contains(component) {
                suite.components.push(component.clone());
            }
            for arch in order.files.keys() {
                suite.packages.entry((component.clone(), *arch)).or_default();
            }
        }
        suite.repositories.push(repository);
        suite_of.insert(repository.name.as_str(), (&repository.suite, components));
    }
    for arch in order.files.keys() {
        for package in order.lock.targets.get(arch).into_iter().flat_map(|target| &target.packages) {
            let (suite, components) = suite_of.get(package.repository.as_str()).ok_or_else(|| {
                VendorError::NoRepository { package: package.name.clone(), repository: package.repository.clone() }
            })?;
            let component = component(&package.filename, components);
            if let Some(suite) = out.get_mut(*suite) {
                suite.packages.entry((component, *arch)).or_default().insert(key(package), package);
            }
        }
    }
    Ok(out)
}

/// The component that a pool path tells (`pool/main/…`, `pool/updates/main/…`), else the first.
fn component(filename: &str, components: &[String]) -> String {
    let rest = filename.strip_prefix("./").unwrap_or(filename);
    let rest = rest.strip_prefix("pool/").unwrap_or(rest);
    let rest = rest.strip_prefix("updates/").unwrap_or(rest);
    let is_it = |component: &&String| rest.strip_prefix(component.as_str()).is_some_and(|rest| rest.starts_with('/'));
    components.iter().find(is_it).or(components.first()).cloned().unwrap_or_else(|| "main".into())
}

/// What the folder is.
fn marker(order: &Order<'_>, suites: &BTreeMap<String, Suite<'_>>) -> Vec<u8> {
    let archs: Vec<&str> = order.files.keys().map(|arch| arch.as_str()).collect();
    let suites: Vec<&String> = suites.keys().collect();
    let marker = serde_json::json!({
        "compose-vendor": vendored::LAYOUT, "name": order.manifest.name, "manifest": order.lock.manifest.to_string(),
        "epoch": whole(order.lock.epoch).to_string(), "archs": archs, "suites": suites,
        "signed-by": order.signer.map(|signer| &signer.fingerprint),
    });
    format!("{marker:#}\n").into_bytes()
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
