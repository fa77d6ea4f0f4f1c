//! A lock becomes a finished tree.
//!
//! In: the manifest, one target of its lock, where to fetch from. Out: the tree, ready to be written, and what was
//! noticed on the way.

use std::{collections::BTreeMap, io, path::PathBuf};

use super::bytecode::{self, BytecodeError, Interpreter};
use super::supply::{Download, Job, Supplier, SupplyError, locked_wheels};
use crate::{
    base::{
        Arch, PackageName,
        refusal::{self, Refusal, Refuses},
    },
    check::{self, Finding},
    control::{Clauses, Op, Paragraphs, Version},
    deb::shown,
    finish::{self, FinishError, ReleaseFacts, Shipped},
    image::{pieces, total},
    inventory::{self, Inventory},
    lock::{FileIs, Lock, LockedFile, LockedPackage, Target},
    manifest::{Compression, ContentRule, Manifest, OMIT_GROUPS, Rootfs},
    python::{Inputs, Site, SiteError},
    sbom,
    tree::{Conflict, FilesError, Kind, Placed, Tree},
    unpack::{BadPattern, Filter, FilterSpec, OmitSpec, Segment},
};

/// A finished tree.
pub struct Assembled {
    /// To be written.
    pub tree: Tree,
    /// What is wrong with it: faults of the tree, and policies of the manifest that it breaks.
    pub findings: Vec<Finding>,
    /// Maintainer scripts whose effect nobody reproduced, by package.
    pub not_reproduced: Vec<(PackageName, Box<str>)>,
    /// Its size as a plain tar, bytes.
    pub size: u64,
    /// The manifest's own files, sorted by path.
    pub own: Vec<OwnFile>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Its Python, if the manifest has `[python]`.
    pub site: Option<Site>,
    /// What it holds, where `[sbom]` asks for it.
    pub inventory: Option<Inventory>,
}

/// A file or link of this machine that `[[files]]` put into the tree.
pub struct OwnFile {
    /// As the lock has it.
    pub locked: LockedFile,
    /// On this machine.
    pub from: PathBuf,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// Something cannot be had or unpacked.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// No Python for the wheels of the lock.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A pattern of `[rootfs]`.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
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
    /// A package is for another machine than the lock says.
    #[error(
        "{package}: its control file says architecture {found}, the lock says {locked}; the archive gave another package under this name"
    )]
    Arch {
        /// The package.
        package: PackageName,
        /// In the `.deb`.
        found: String,
        /// In the lock.
        locked: String,
    },
    /// Packages that do not fit.
    #[error("different things are to be at the same path:\n{}\n  next step: do without one of the two, or leave the path out with rootfs.remove, which takes it from both", list(.0))]
    Conflicts(Vec<Conflict>),
    /// `python.bytecode`.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// `[[files]]`.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// `finish/`.
    #[error(transparent)]
    Finish(#[from] FinishError),
    /// The tree cannot be read back.
    #[error("cannot read what the image holds: {0}")]
    Inventory(io::Error),
    /// `sbom.rootfs`.
    #[error(transparent)]
    Sbom(#[from] sbom::PlaceError),
}

impl Refuses for AssembleError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Supply(error) => error.refusal(),
            Self::Site(error) => error.refusal(),
            Self::Pattern(error) => error.refusal(),
            Self::Version { .. } => refusal::OTHER_VERSION,
            Self::Arch { .. } => refusal::OTHER_ARCHITECTURE,
            Self::Conflicts(_) => refusal::PATH_CONFLICT,
            Self::Bytecode(error) => error.refusal(),
            Self::Files(error) => error.refusal(),
            Self::Finish(error) => error.refusal(),
            Self::Inventory(_) => refusal::IMAGE_FILE_UNREADABLE,
            Self::Sbom(error) => error.refusal(),
        }
    }
}

fn list(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(|conflict| format!("  {conflict}")).collect::<Vec<_>>().join("\n")
}

/// What is built.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// What its `[python]` names.
    pub inputs: &'a Inputs,
    /// Its lock.
    pub lock: &'a Lock,
    /// For which machine.
    pub arch: Arch,
    /// That machine's part of the lock.
    pub target: &'a Target,
    /// The image's date, seconds since 1970.
    pub epoch: i64,
    /// The packages that ship a library, for what is missing; asked only then.
    pub providers: Option<check::Providers<'a>>,
}

/// Makes the tree of one target. What is not in the store yet is compressed with each of `codecs` as soon as it is
/// unpacked.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble(plan: Plan<'_>, codecs: &[Compression], download: Download<'_>) -> Result<Assembled, AssembleError> {
    let Plan { manifest, inputs, lock, arch, target, epoch, providers } = plan;
    let filter = filter(&manifest.rootfs)?;
    let supplier = Supplier { filter: &filter, limits: &manifest.limits, codecs, download };
    let jobs: Vec<Job<'_>> = manifest.tarballs.iter().map(Job::Tarball).collect();
    let tarballs = supplier.segments(&jobs)?;
    let site = match inputs.want_python(manifest.python.as_ref()) {
        true => {
            let packages = target.packages.iter().map(|package| (package.name.as_str(), package.version.as_str()));
            Some(Site::find(packages, &tarballs, arch)?)
        }
        false => None,
    };
    let wheels = match manifest.python.as_ref().zip(site.as_ref()) {
        Some((python, site)) => locked_wheels(&target.wheels, python, site, inputs)?,
        None => Vec::new(),
    };
    let wheels = wheels.iter().map(Job::Wheel);
    let jobs: Vec<Job<'_>> = target.packages.iter().map(Job::Deb).chain(wheels).collect();
    let mut segments = supplier.segments(&jobs)?;
    check_identities(&target.packages, &segments)?;
    let packages = target.packages.len();
    segments.extend(tarballs);

    let mut tree = Tree::new(epoch);
    finish::prepare(&mut tree, arch)?;
    let replaces = Replaces::of(&target.packages, segments.get(..packages).unwrap_or_default());
    tree.merge(&segments, |a, b| replaces.allows(a, b)).map_err(AssembleError::Conflicts)?;
    let own = own_files(&tree.place_files(&manifest.files)?, &tree)?;
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
    let mut notes = Vec::new();
    if let Some(site) = site.as_ref().filter(|_| manifest.python.as_ref().is_some_and(|python| python.bytecode)) {
        let interpreter = Interpreter { path: site.interpreter.clone(), minor: site.layout.minor };
        let report = bytecode::compile(&mut tree, &interpreter, arch, download.store, download.progress)?;
        if let Some(first) = report.passed_over.first() {
            let (count, python) = (report.passed_over.len(), &interpreter.path);
            let (modules, such) = if count == 1 { ("module is", "") } else { ("modules are", "such as ") };
            notes.push(format!("{count} {modules} no code that {python} understands: {such}{first}; no bytecode"));
        }
        notes.extend(report.machines.map(|version| {
            format!("bytecode for {arch} was made by this machine's Python {version}, not by the image's")
        }));
    }
    let inventory = match manifest.sbom.attach.is_empty() && manifest.sbom.rootfs.is_empty() {
        true => None,
        false => Some(inventory(&mut tree, &plan)?),
    };
    if let Some(inventory) = &inventory {
        // After it is known what the image holds: an SBOM does not list itself.
        sbom::place(&mut tree, &manifest.sbom.rootfs, inventory)?;
    }
    let ignore = manifest.python.as_ref().map_or(&[][..], |python| &python.ignore_needs);
    let mut findings = check::check(&tree, arch, check::Options { ignore, providers })?;
    if let Some(site) = &site {
        findings.extend(check::projects(&tree, site)?);
    }
    let size = total(&pieces(&tree));
    let subject = check::Subject { tree: &tree, arch, target, not_reproduced: &report.not_reproduced, size };
    findings.extend(check::policy(manifest, subject)?);
    let findings = check::judge(&manifest.policy, findings);
    Ok(Assembled { tree, findings, not_reproduced: report.not_reproduced, size, own, notes, site, inventory })
}

/// What was placed, as it is in the tree.
fn own_files(placed: &Placed, tree: &Tree) -> Result<Vec<OwnFile>, FinishError> {
    let mut out = Vec::new();
    for (path, from) in placed {
        let Some(node) = tree.get(path) else { continue };
        let is = match &node.kind {
            Kind::File(content) => {
                let failed = |source| FinishError::Read { path: path.clone(), source };
                FileIs::File { mode: node.meta.mode, sha256: content.sha256().map_err(failed)? }
            }
            Kind::Symlink(target) => FileIs::Link(String::from_utf8_lossy(target).into_owned()),
            Kind::Dir | Kind::Hardlink(_) => continue,
        };
        out.push(OwnFile { locked: LockedFile { path: path.to_string(), is }, from: from.clone() });
    }
    Ok(out)
}

/// What the tree holds, with what the lock knows of it.
fn inventory(tree: &mut Tree, plan: &Plan<'_>) -> Result<Inventory, AssembleError> {
    let name = &plan.manifest.name;
    let mut found = inventory::of_tree(name, tree, Some(plan.arch)).map_err(AssembleError::Inventory)?;
    if let Some(known) = inventory::locked(name, plan.lock, plan.arch) {
        found.enrich(known);
    }
    found.created = jiff::Timestamp::from_second(plan.epoch).ok();
    Ok(found)
}

/// What an index would say of the packages of a target, from their own control files: for locks that are older than
/// the indexes, and without a network.
///
/// # Errors
/// [`AssembleError`].
pub fn controls(manifest: &Manifest, target: &Target, download: Download<'_>) -> Result<String, AssembleError> {
    let filter = filter(&manifest.rootfs)?;
    let jobs: Vec<Job<'_>> = target.packages.iter().map(Job::Deb).collect();
    let segments = Supplier { filter: &filter, limits: &manifest.limits, codecs: &[], download }.segments(&jobs)?;
    check_identities(&target.packages, &segments)?;
    let mut text = String::new();
    for (package, segment) in target.packages.iter().zip(segments) {
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
pub(super) fn filter(rootfs: &Rootfs) -> Result<Filter, BadPattern> {
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

/// The index is believed about a package only as far as the package agrees. Segments of the store, too, are asked: an
/// index may name the digest of a file that was right elsewhere.
fn check_identities(packages: &[LockedPackage], segments: &[Segment]) -> Result<(), AssembleError> {
    for (package, segment) in packages.iter().zip(segments) {
        let of = |name| field(segment, name).unwrap_or("none");
        let (version, arch) = (of("Version"), of("Architecture"));
        if version != package.version.as_str() {
            return Err(AssembleError::Version {
                package: package.name.clone(),
                found: shown(version.as_bytes()),
                locked: package.version.clone(),
            });
        }
        if arch != package.arch {
            return Err(AssembleError::Arch {
                package: package.name.clone(),
                found: shown(arch.as_bytes()),
                locked: package.arch.clone(),
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
        let fields =
            packages.iter().zip(segments).filter_map(|(p, s)| Some((&p.name, field(s, "Replaces")?))).collect();
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
