//! A manifest becomes a lock: indexes, universe, smallest closure.
//!
//! Wheels make it two rounds: which of them fit depends on the Python that a first solution has, and what they need
//! belongs into the second.
//!
//! In: the manifest, the suites and the Python files that it names. Out: a [`Lock`] without digests of a build, and if
//! asked for, what else the solver knows: open choices, a proof.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::{
    application::{Application, locked_tarballs, locked_wheels},
    assemble::filter,
    finder::{Finder, Need, Wanted},
    supply::{Download, Supplier, SupplyError},
    wishes::{Needs, Wishes},
};
use crate::{
    archive::{ArchiveError, IndexPiece, LoadedSuite, Loader, PackagesIndex, SuiteRequest},
    base::{
        Arch, Line, PackageName, RootPath, Sha256,
        refusal::{self, Refusal, Refuses},
    },
    control::RelationError,
    deb::shown,
    elf::ElfError,
    inventory,
    lock::{CutEdge, Lock, LockedPackage, LockedRepository, Target},
    manifest::{Debian, Manifest},
    python::{self, Inputs, InputsError, Site, SiteError},
    solve::{self, Price, Problem, Solution, SolveError},
    tree::Origin,
    universe::{CandidateId, IndexText, Universe, UniverseError},
    unpack::BadPattern,
};

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// One of several architectures.
    #[error("for {arch}: {source}")]
    For {
        /// Which.
        arch: Arch,
        /// What is wrong there.
        source: Box<Self>,
    },
    /// A suite cannot be loaded.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An index cannot be read.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// A request that the manifest let pass.
    #[error("packages.install, line {line}: {source}")]
    Request {
        /// Of the manifest.
        line: Line,
        /// What is wrong.
        source: RelationError,
    },
    /// No set of packages will do.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// A file or library that the manifest asks for and no package ships.
    #[error("packages.install, line {line}: {}", nobody(what, near, *no_contents))]
    NobodyShips {
        /// As written.
        what: String,
        /// Of the manifest.
        line: Line,
        /// Names close to it.
        near: Vec<String>,
        /// No repository has a Contents index.
        no_contents: bool,
    },
    /// Libraries that wheels or tarballs need and no package ships.
    #[error("{}", unprovided(missing))]
    Unprovided {
        /// Each, and names close to it.
        missing: Vec<(Wanted, Vec<String>)>,
    },
    /// Two architectures saw two states of a suite.
    #[error(
        "the mirror has another state of {name} than a moment ago\n  next step: it was updated meanwhile: run again"
    )]
    Changed {
        /// The repository.
        name: String,
    },
    /// A lock that is older than a need.
    #[error("the lock does not say which package meets {what}\n  next step: run with --update to make it anew")]
    NotLocked {
        /// The need.
        what: String,
    },
    /// What `[python]` names.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// No Python to choose wheels for.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// What the wheels need brings another Python.
    #[error(
        "what the wheels need changes the Python that they were chosen for, from {before} to {now}, and back\n  next step: choose one by its package in packages.install, such as \"python{}.{}-minimal\"", newest.0, newest.1
    )]
    Unstable {
        /// Chosen for this.
        before: Version,
        /// What their needs bring.
        now: Version,
        /// Major and minor of the newer of both.
        newest: (u32, u32),
    },
    /// A pattern of `[rootfs]`.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// A wheel or tarball that cannot be had.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// An ELF file that cannot be read.
    #[error("{path} of {by}: {source}; leave it out with rootfs.remove if nothing needs it, or get a whole one")]
    Elf {
        /// In the image.
        path: RootPath,
        /// Whose.
        by: Origin,
        /// Why.
        source: ElfError,
    },
}

impl Refuses for ResolveError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::For { source, .. } => source.refusal(),
            Self::Archive(error) => error.refusal(),
            Self::Universe(error) => error.refusal(),
            Self::Request { .. } => refusal::BAD_REQUEST,
            Self::Solve(error) => error.refusal(),
            Self::NobodyShips { .. } => refusal::NOBODY_SHIPS,
            Self::Unprovided { .. } => refusal::UNPROVIDED_LIBRARY,
            Self::NotLocked { .. } => refusal::LOCK_INCOMPLETE,
            Self::Changed { .. } => refusal::MIRROR_CHANGED,
            Self::Inputs(error) => error.refusal(),
            Self::Site(error) => error.refusal(),
            Self::Unstable { .. } => refusal::UNSTABLE_PYTHON,
            Self::Pattern(error) => error.refusal(),
            Self::Supply(error) => error.refusal(),
            Self::Elf { .. } => refusal::ELF_MALFORMED,
        }
    }
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) }
}

fn nobody(what: &str, near: &[String], no_contents: bool) -> String {
    let name = what.split_once(':').map_or("", |(_, name)| name);
    match no_contents {
        true => format!(
            "no repository of the manifest has a Contents index, which tells the package that ships {name}\n  next step: write the package's name instead, or add a repository that has one"
        ),
        false => format!(
            "no package of the manifest's suites ships {name}{}\n  next step: check the name; `apt-file search` knows more suites",
            did_you_mean(near)
        ),
    }
}

fn unprovided(missing: &[(Wanted, Vec<String>)]) -> String {
    let line = |(wanted, near): &(Wanted, Vec<String>)| {
        let file = if wanted.path.is_root() { String::new() } else { format!(" ({})", wanted.path) };
        // Whatever an ELF file says.
        let what = shown(wanted.need.in_lock().as_bytes());
        format!("  {what}, which {} needs{file}{}", wanted.by, did_you_mean(near))
    };
    let names = missing.iter().flat_map(|(wanted, _)| match (&wanted.need, &wanted.by) {
        (Need::Library(soname), _) => vec![&**soname],
        // It goes with what it finds.
        (Need::Program(_), Origin::Wheel(project)) => {
            python::loaded_by_name(project, |_| false).map(|loaded| loaded.sonames.clone()).unwrap_or_default()
        }
        (Need::Program(_), _) => Vec::new(),
    });
    let names: BTreeSet<String> = names.map(|soname| format!("{soname:?}")).collect();
    let list = missing.iter().map(line).collect::<Vec<_>>().join("\n");
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    format!(
        "no package of the manifest's suites ships:\n{list}\n  next step: if the program does without, write python.ignore-needs = [{names}]; otherwise add a repository or a [[tarballs]] entry that has it"
    )
}

/// What is wanted of a resolution besides the lock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask {
    /// The open choices, each option priced.
    pub choices: bool,
    /// The instance in OPB.
    pub proof: bool,
}

/// What a resolution comes to.
pub struct Resolved {
    /// Without digests of a build.
    pub lock: Lock,
    /// By architecture, what else was asked for.
    pub more: BTreeMap<Arch, More>,
}

/// What was asked for besides the lock.
#[derive(Debug, Clone, Default)]
pub struct More {
    /// The choices that were open.
    pub choices: Vec<OpenChoice>,
    /// Entries of `packages.prefer` that could not be honoured.
    pub not_preferred: Vec<PackageName>,
    /// Nodes searched.
    pub nodes: u64,
    /// No solution has less, in what `minimize` says; the solution's own where it is proven.
    pub lower_bound: u64,
    /// The instance in OPB.
    pub proof: Option<String>,
}

/// An open choice, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChoice {
    /// Chosen packages: mostly one.
    pub taken: Vec<String>,
    /// Whose clause: a package, or a wheel or tarball; `None`: the manifest's.
    pub by: Option<String>,
    /// The clause as written.
    pub relation: String,
    /// Options not taken, the cheapest first.
    pub instead: Vec<(String, Price)>,
}

/// What is resolved.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// What its `[python]` names.
    pub inputs: &'a Inputs,
    /// What both mean.
    pub meaning: Sha256,
    /// Its suites.
    pub suites: &'a [SuiteRequest],
}

/// Loads the suites and solves for each architecture.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(order: Order<'_>, archs: &[Arch], loader: &Loader<'_>, ask: Ask) -> Result<Resolved, ResolveError> {
    let mut targets = BTreeMap::new();
    let mut all_more = BTreeMap::new();
    let mut repositories: BTreeMap<String, LockedRepository> = BTreeMap::new();
    for &arch in archs {
        let solved = load(order.suites, arch, loader).and_then(|(universe, loaded)| {
            let (target, more) = target(order, &loaded, &universe, loader, ask)?;
            Ok((target, more, loaded))
        });
        let (target, more, loaded) = solved.map_err(|source| match archs {
            [_] => source,
            _ => ResolveError::For { arch, source: Box::new(source) },
        })?;
        targets.insert(arch, target);
        all_more.insert(arch, more);
        let pin = order.manifest.debian.as_ref().and_then(|debian| debian.snapshot);
        for suite in loaded {
            let release = suite.release;
            let repository = LockedRepository {
                name: suite.name.clone(),
                suite: suite.suite,
                origin: release.origin,
                codename: release.codename,
                version: release.version,
                snapshot: pin.filter(|_| Debian::has(&suite.name)),
                date: release.date,
                release: release.sha256,
            };
            let release = repository.release;
            if repositories.insert(suite.name.clone(), repository).is_some_and(|other| other.release != release) {
                return Err(ResolveError::Changed { name: suite.name });
            }
        }
    }
    let epoch = repositories.values().map(|repository| repository.date).max().unwrap_or_default();
    let lock = Lock { manifest: order.meaning, epoch, repositories: repositories.into_values().collect(), targets };
    Ok(Resolved { lock, more: all_more })
}

/// Loads the suites for one architecture: every package of theirs, its repository numbered as in the list.
///
/// # Errors
/// A suite or an index that cannot be had or read.
pub fn load(
    suites: &[SuiteRequest],
    arch: Arch,
    loader: &Loader<'_>,
) -> Result<(Universe, Vec<LoadedSuite>), ResolveError> {
    let mut loaded = loader.load_all(suites, arch)?;
    loader.progress.phase("Solving", None);
    let texts = loaded.iter_mut().enumerate().flat_map(|(repository, suite)| {
        let indexes = std::mem::take(&mut suite.packages).into_iter();
        indexes.flat_map(move |PackagesIndex { pieces, whole, .. }| {
            let text =
                move |piece: IndexPiece| IndexText { repository, text: piece.text.into(), whole, cold: piece.cold };
            pieces.into_iter().map(text)
        })
    });
    let texts = texts.collect();
    Ok((Universe::parse(texts, arch)?, loaded))
}

/// The open choices of a solution, in words.
///
/// # Errors
/// Broken package data.
pub fn open_choices(problem: &Problem<'_>, solution: &Solution) -> Result<Vec<OpenChoice>, ResolveError> {
    let show = |id: &CandidateId| format!("{:?}", problem.universe.package(*id));
    let found = solve::choices(problem, solution).map_err(SolveError::from)?;
    let asks = |text: &str| problem.requests.iter().find(|request| request.text == text)?.by.clone();
    let in_words = |choice: solve::Choice| OpenChoice {
        taken: choice.taken.iter().map(show).collect(),
        by: choice.by.as_ref().map(show).or_else(|| asks(&choice.relation)),
        relation: choice.relation,
        instead: choice.instead.iter().map(|instead| (show(&instead.id), instead.price)).collect(),
    };
    Ok(found.into_iter().map(in_words).collect())
}

/// How often wheels are chosen anew because what they need brought another Python.
const ROUNDS: usize = 3;

/// One architecture's part of the lock.
fn target(
    order: Order<'_>,
    loaded: &[LoadedSuite],
    universe: &Universe,
    loader: &Loader<'_>,
    ask: Ask,
) -> Result<(Target, More), ResolveError> {
    let Order { manifest, inputs, .. } = order;
    let arch = universe.arch();
    let filter = filter(&manifest.rootfs)?;
    let bases = BTreeMap::new();
    let download = Download { fetcher: loader.fetcher, store: loader.store, bases: &bases, progress: loader.progress };
    let supplier = Supplier { filter: &filter, limits: &manifest.limits, codecs: &[], download };
    let mut finder = Finder::new(loader, loaded, universe, arch);
    let own = Needs { clauses: finder.requested(&manifest.packages.install)?, ..Needs::default() };

    let tarballs = Application::tarballs(manifest, supplier)?;
    let ignore = manifest.python.iter().flat_map(|python| &python.ignore_needs).map(String::as_str);
    let mut ignoring: BTreeSet<&str> = ignore.collect();
    let mut wanted = tarballs.wants(manifest, arch, &mut ignoring)?;
    let mut needs = own.clone();
    finder.learn(&wanted, &mut needs, |_| false)?;
    let mut wishes = Wishes::of(manifest, &needs)?;
    let mut solution = solve::solve(&wishes.problem(universe))?;
    let mut wheels = Vec::new();
    // Bytecode alone wants a Python too: that there is none is told now, and not when the image is built.
    let wants_python = inputs.want_python(manifest.python.as_ref());
    let site = wants_python.then(|| site(universe, &solution, &tarballs, arch)).transpose()?;
    if let Some(mut site) = site.filter(|_| !inputs.is_empty()) {
        for round in 0.. {
            let mut application = tarballs.clone();
            let jobs = application.add_wheels(manifest, inputs, &site, supplier)?;
            wanted = application.wants(manifest, arch, &mut ignoring)?;
            needs = own.clone();
            finder.learn(&wanted, &mut needs, |name| has(universe, &solution, name))?;
            loader.progress.phase("Solving", None);
            wishes = Wishes::of(manifest, &needs)?;
            solution = solve::solve(&wishes.problem(universe))?;
            let found = self::site(universe, &solution, &tarballs, arch)?;
            if found == site {
                wheels = locked_wheels(&jobs, &wanted, supplier)?;
                break;
            }
            if round == ROUNDS {
                let [before, now] = [&site, &found].map(|site| site.environment.python().clone());
                let newest = site.environment.minor().max(found.environment.minor());
                return Err(ResolveError::Unstable { before, now, newest });
            }
            site = found;
        }
    }
    for name in ignoring {
        let text = format!("python.ignore-needs: nothing for {arch} needs {name}; take it out if nothing else does");
        loader.progress.notice(&text);
    }
    let problem = wishes.problem(universe);
    let more = More {
        choices: if ask.choices { open_choices(&problem, &solution)? } else { Vec::new() },
        not_preferred: solution.not_preferred.clone(),
        nodes: solution.nodes,
        lower_bound: solution.lower_bound,
        proof: ask.proof.then(|| solve::opb(&problem, &solution)).transpose().map_err(SolveError::from)?,
    };
    let names: Vec<&str> = loaded.iter().map(|suite| &*suite.name).collect();
    let mut target = locked(manifest, &names, universe, solution)?;
    // The recorded needs are those that say why a package is in.
    let known = |need: &String| needs.by.contains_key(&super::wishes::what(need));
    target.tarballs = locked_tarballs(manifest, &wanted);
    target.wheels = wheels;
    target.tarballs.iter_mut().for_each(|tarball| tarball.needs.retain(known));
    target.wheels.iter_mut().for_each(|wheel| wheel.needs.retain(known));
    target.needs = needs.to_lock();
    required_by(&mut target, &wishes);
    Ok((target, more))
}

/// The Python of a solution.
fn site(universe: &Universe, solution: &Solution, tarballs: &Application, arch: Arch) -> Result<Site, SiteError> {
    let packages = solution.packages.iter().map(|chosen| universe.package(chosen.id));
    Site::find(packages.map(|package| (package.name(), package.version())), tarballs.segments(), arch)
}

fn has(universe: &Universe, solution: &Solution, name: &PackageName) -> bool {
    solution.packages.iter().any(|chosen| universe.package(chosen.id).name() == name.as_str())
}

/// Adds wheels and tarballs to those that require a package.
fn required_by(target: &mut Target, wishes: &Wishes<'_>) {
    let tarballs = target.tarballs.iter().map(|t| (format!("tarball:{}", t.name), &t.needs));
    let wheels = target.wheels.iter().map(|w| (format!("wheel:{}", w.name), &w.needs));
    let mut by: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (who, needs) in tarballs.chain(wheels) {
        for need in needs {
            by.entry(need).or_default().push(who.clone());
        }
    }
    let mut found: BTreeMap<&PackageName, BTreeSet<String>> = BTreeMap::new();
    for request in wishes.requests().iter().filter(|request| request.by.is_some()) {
        for relation in request.clause.alternatives() {
            let who = by.get(&*request.text).into_iter().flatten().cloned();
            found.entry(&relation.name).or_default().extend(who);
        }
    }
    for package in &mut target.packages {
        package.required_by.extend(found.remove(&package.name).into_iter().flatten());
    }
}

/// A solution as the lock has it; `names` are what it calls the universe's repositories.
fn locked(
    manifest: &Manifest,
    names: &[&str],
    universe: &Universe,
    solution: Solution,
) -> Result<Target, ResolveError> {
    let reasons = manifest.packages.provided_reasons();
    let mut cut: Vec<_> = solution
        .cut
        .into_iter()
        .map(|cut| CutEdge {
            reason: reasons.get(&cut.dependency).copied().unwrap_or_default().into(),
            package: cut.package.to_string(),
            dependency: cut.dependency.to_string(),
        })
        .collect();
    cut.dedup();
    let mut locked = Vec::new();
    for chosen in solution.packages {
        let package = universe.package(chosen.id);
        let sha256 = package.sha256()?;
        // The version was checked when the index was read.
        let Ok(version) = package.version().parse() else { continue };
        let (source, source_version) = package.source();
        let source_version = source_version.parse().ok().filter(|found| *found != inventory::source_version(&version));
        locked.push(LockedPackage {
            name: package.package_name(),
            version,
            arch: package.arch().into(),
            source: source.into(),
            source_version,
            repository: names.get(package.repository()).copied().unwrap_or_default().into(),
            filename: package.filename().into(),
            size: package.size(),
            sha256,
            required_by: chosen.required_by.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(Target {
        proven_minimal: solution.proven,
        installed_size: solution.installed_size,
        cut,
        built: None,
        needs: Vec::new(),
        packages: locked,
        tarballs: Vec::new(),
        wheels: Vec::new(),
    })
}
