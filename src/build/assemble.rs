//! A lock becomes a finished tree.
//!
//! In: the manifest, one target of its lock, where to fetch from. Out: the tree, ready to be written, and what was
//! noticed on the way.

use std::collections::BTreeMap;

use super::supply;
use crate::{
    archive::{FetchError, Fetcher},
    base::{Arch, PackageName, Progress},
    check::{self, Finding},
    control::{Clauses, Op, Paragraphs, Version},
    finish::{self, FinishError, ReleaseFacts, Shipped},
    image::ImageError,
    lock::{Lock, LockedPackage, Target},
    manifest::{Compression, ContentRule, Manifest, OMIT_GROUPS, Rootfs},
    store::{Store, StoreError},
    tree::{Conflict, FilesError, Tree},
    unpack::{BadPattern, Filter, FilterSpec, OmitSpec, Segment, UnpackError},
};

/// How to come by packages.
#[derive(Clone, Copy)]
pub struct Download<'a> {
    /// Fetches.
    pub fetcher: &'a Fetcher,
    /// Keeps.
    pub store: &'a Store,
    /// Base URLs of each repository of the lock, by its name.
    pub bases: &'a BTreeMap<String, Vec<String>>,
    /// Hears of it.
    pub progress: &'a dyn Progress,
}

/// A finished tree.
pub struct Assembled {
    /// To be written.
    pub tree: Tree,
    /// What is wrong with it: faults of the tree, and policies of the manifest that it breaks.
    pub findings: Vec<Finding>,
    /// Maintainer scripts whose effect nobody reproduced, by package.
    pub not_reproduced: Vec<(PackageName, Box<str>)>,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A package cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nobody says where a package of the lock comes from.
    #[error(
        "the lock takes {package} from repository “{repository}”, which the manifest does not name\n  next step: run with --update to make the lock anew"
    )]
    NoRepository {
        /// The package.
        package: PackageName,
        /// Named by the lock.
        repository: String,
    },
    /// A pattern of `[rootfs]`.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// A package cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A package cannot be compressed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A package is not what the lock says.
    #[error(
        "{package}: its control file says version {found}, the lock says {locked}; the archive gave another package under this name"
    )]
    Version {
        /// The package.
        package: PackageName,
        /// In the `.deb`.
        found: String,
        /// In the lock.
        locked: Version,
    },
    /// Packages that do not fit.
    #[error("packages ship different things at the same path:\n{}\n  next step: take one of them out with rootfs.remove, or forbid a package", list(.0))]
    Conflicts(Vec<Conflict>),
    /// `[[files]]`.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// `finish/`.
    #[error(transparent)]
    Finish(#[from] FinishError),
}

fn list(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(|conflict| format!("  {conflict}")).collect::<Vec<_>>().join("\n")
}

/// Makes the tree of one target. Packages that are not in the store yet are compressed with each of `codecs` as soon as
/// they are unpacked.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble(
    manifest: &Manifest,
    lock: &Lock,
    arch: Arch,
    target: &Target,
    epoch: i64,
    codecs: &[Compression],
    download: Download<'_>,
) -> Result<Assembled, AssembleError> {
    let segments = segments(manifest, target, codecs, download)?;
    let mut tree = Tree::new(epoch);
    finish::prepare(&mut tree, arch)?;
    let replaces = Replaces::of(&target.packages, &segments);
    tree.merge(&segments, |a, b| replaces.allows(a, b)).map_err(AssembleError::Conflicts)?;
    tree.place_files(&manifest.files)?;
    let versions: Vec<_> = target.packages.iter().map(|package| package.version.to_string()).collect();
    let shipped: Vec<_> = segments
        .iter()
        .zip(target.packages.iter().zip(&versions))
        .map(|(segment, (package, version))| Shipped {
            name: &package.name,
            version,
            control: &segment.control,
            md5sums: &segment.md5sums,
            scripts: &segment.scripts,
        })
        .collect();
    let release = release_facts(lock);
    let input = finish::Input { arch, packages: &shipped, accounts: &manifest.accounts, release: &release };
    let report = finish::finish(&mut tree, &input)?;
    tree.date();
    let mut findings = check::check(&tree, arch, check::Options::default())?;
    findings.extend(check::policy(&tree, &manifest.policy.forbid));
    Ok(Assembled { tree, findings, not_reproduced: report.not_reproduced })
}

/// The packages of a target, unpacked, and compressed with each of `codecs`.
fn segments(
    manifest: &Manifest,
    target: &Target,
    codecs: &[Compression],
    download: Download<'_>,
) -> Result<Vec<Segment>, AssembleError> {
    let segments = supply::segments(&target.packages, &filter(&manifest.rootfs)?, codecs, download)?;
    check_versions(&target.packages, &segments)?;
    Ok(segments)
}

/// What an index would say of the packages of a target, from their own control files: for locks that are older than
/// the indexes, and without a network.
///
/// # Errors
/// [`AssembleError`].
pub fn controls(manifest: &Manifest, target: &Target, download: Download<'_>) -> Result<String, AssembleError> {
    let mut text = String::new();
    for (package, segment) in target.packages.iter().zip(segments(manifest, target, &[], download)?) {
        for (name, value) in Paragraphs::new(&segment.control).flatten().flat_map(|p| p.fields().collect::<Vec<_>>()) {
            if !["Filename", "Size", "SHA256"].iter().any(|own| own.eq_ignore_ascii_case(name)) {
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        let LockedPackage { filename, size, sha256, .. } = package;
        text.push_str(&format!("Filename: {filename}\nSize: {size}\nSHA256: {}\n\n", sha256.hex()));
    }
    Ok(text)
}

/// The manifest's `[rootfs]`, its groups spelled out.
fn filter(rootfs: &Rootfs) -> Result<Filter, BadPattern> {
    let groups = OMIT_GROUPS.iter().filter(|group| rootfs.omit.iter().any(|name| name == group.name));
    let omit = groups
        .map(|group| match group.content {
            ContentRule::Any => {
                let patterns = group.patterns.iter().map(|pattern| (*pattern).to_owned());
                let except = group.except.iter().map(|pattern| format!("!{pattern}"));
                OmitSpec { patterns: patterns.chain(except).collect(), shebangs: Vec::new() }
            }
            // Wherever a script is, it goes.
            ContentRule::Interpreter(names) => {
                OmitSpec { patterns: Vec::new(), shebangs: names.iter().map(|name| (*name).to_owned()).collect() }
            }
        })
        .collect();
    Filter::new(&FilterSpec { omit, remove: rootfs.remove.clone(), keep: rootfs.keep.clone() })
}

fn field<'a>(segment: &'a Segment, name: &str) -> Option<&'a str> {
    Paragraphs::new(&segment.control).next()?.ok()?.get(name)
}

fn check_versions(packages: &[LockedPackage], segments: &[Segment]) -> Result<(), AssembleError> {
    for (package, segment) in packages.iter().zip(segments) {
        let found = field(segment, "Version").unwrap_or("none");
        if found != package.version.as_str() {
            return Err(AssembleError::Version {
                package: package.name.clone(),
                found: found.into(),
                locked: package.version.clone(),
            });
        }
    }
    Ok(())
}

/// Who declares `Replaces` on whom (Policy 7.6.1).
struct Replaces<'a> {
    fields: BTreeMap<&'a PackageName, &'a str>,
    versions: BTreeMap<&'a PackageName, &'a Version>,
}

impl<'a> Replaces<'a> {
    /// `segments` are those of `packages`, and in their order.
    fn of(packages: &'a [LockedPackage], segments: &'a [Segment]) -> Self {
        let fields = packages.iter().zip(segments).filter_map(|(p, s)| Some((&p.name, field(s, "Replaces")?))).collect();
        Self { fields, versions: packages.iter().map(|package| (&package.name, &package.version)).collect() }
    }

    fn allows(&self, package: &PackageName, other: &PackageName) -> bool {
        let Some(version) = self.versions.get(other) else { return false };
        let clauses = self.fields.get(package).map(|field| Clauses::new(field)).into_iter().flatten();
        // A field that cannot be read gives no permission: the conflict is then reported.
        clauses.flatten().flatten().any(|atom| {
            let holds = |(op, bound): (Op, &str)| op.holds(version.as_str(), bound);
            atom.name == other.as_str() && atom.constraint.is_none_or(holds)
        })
    }
}

/// What the image's base suite says of itself: the first repository's Release.
fn release_facts(lock: &Lock) -> ReleaseFacts {
    let base = lock.repositories.iter().find(|repository| repository.name == "debian").or(lock.repositories.first());
    ReleaseFacts {
        origin: base.and_then(|r| r.origin.clone()).unwrap_or_default(),
        codename: base.and_then(|r| r.codename.clone()),
        version: base.and_then(|r| r.version.clone()),
        suite: base.map(|r| r.suite.clone()).unwrap_or_default(),
    }
}
