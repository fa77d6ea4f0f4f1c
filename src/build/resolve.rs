//! A manifest becomes a lock: indexes, universe, smallest closure.
//!
//! In: the manifest and the suites that it names. Out: a [`Lock`] without digests of a build, and if asked for, what
//! else the solver knows: open choices, a proof.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    archive::{ArchiveError, IndexPiece, LoadedSuite, Loader, PackagesIndex, SuiteRequest},
    base::{Arch, PackageName},
    control::{RelationError, RelationGroup},
    lock::{CutEdge, Lock, LockedPackage, LockedRepository, Target},
    manifest::{self, Manifest},
    solve::{self, NODE_LIMIT, Price, Problem, Solution, SolveError, SolveRequest},
    universe::{CandidateId, IndexText, Universe, UniverseError},
};

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
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
        line: usize,
        /// What is wrong.
        source: RelationError,
    },
    /// No set of packages will do.
    #[error(transparent)]
    Solve(#[from] SolveError),
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
    /// Whose clause; `None`: the manifest's.
    pub by: Option<String>,
    /// The clause as written.
    pub relation: String,
    /// Options not taken, the cheapest first.
    pub instead: Vec<(String, Price)>,
}

/// Loads the suites and solves for each architecture.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(
    manifest: &Manifest,
    suites: &[SuiteRequest],
    archs: &[Arch],
    loader: &Loader<'_>,
    ask: Ask,
) -> Result<Resolved, ResolveError> {
    let mut targets = BTreeMap::new();
    let mut all_more = BTreeMap::new();
    let mut repositories: BTreeMap<String, LockedRepository> = BTreeMap::new();
    for &arch in archs {
        let (universe, loaded) = load(suites, arch, loader)?;
        let names: Vec<_> = loaded.iter().map(|suite| suite.name.clone()).collect();
        let (target, more) = target(manifest, &names, &universe, ask)?;
        targets.insert(arch, target);
        all_more.insert(arch, more);
        for suite in loaded {
            let release = suite.release;
            let repository = LockedRepository {
                name: suite.name.clone(),
                suite: suite.suite,
                origin: release.origin,
                codename: release.codename,
                version: release.version,
                date: release.date,
                release: release.sha256,
            };
            repositories.insert(suite.name, repository);
        }
    }
    let epoch = repositories.values().map(|repository| repository.date).max().unwrap_or_default();
    let lock = Lock {
        manifest: manifest::meaning(manifest),
        epoch,
        repositories: repositories.into_values().collect(),
        targets,
    };
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

/// What a manifest wants of the solver, in the solver's words.
pub struct Wishes<'m> {
    manifest: &'m Manifest,
    requests: Vec<SolveRequest>,
    provided: BTreeSet<PackageName>,
    forbid: BTreeSet<PackageName>,
}

impl<'m> Wishes<'m> {
    /// Of `[packages]`.
    ///
    /// # Errors
    /// A request that is no clause.
    pub fn of(manifest: &'m Manifest) -> Result<Self, ResolveError> {
        let packages = &manifest.packages;
        let requests = packages.install.iter().map(|request| {
            let (line, text) = (request.line, request.text.clone());
            match RelationGroup::parse(&text) {
                Ok(clause) => Ok(SolveRequest { clause, text, line }),
                Err(source) => Err(ResolveError::Request { line, source }),
            }
        });
        Ok(Self {
            manifest,
            requests: requests.collect::<Result<_, _>>()?,
            provided: packages.provided_reasons().keys().cloned().collect(),
            forbid: packages.forbid.iter().cloned().collect(),
        })
    }

    /// The requests, in the manifest's order.
    pub fn requests(&self) -> &[SolveRequest] {
        &self.requests
    }

    /// What prices are counted in.
    pub fn unit(&self) -> &'static str {
        self.manifest.packages.minimize.unit()
    }

    /// The problem in one universe.
    pub fn problem<'u>(&'u self, universe: &'u Universe) -> Problem<'u> {
        Problem {
            universe,
            requests: self.requests.clone(),
            provided: &self.provided,
            forbid: &self.forbid,
            prefer: &self.manifest.packages.prefer,
            minimize: self.manifest.packages.minimize,
            node_limit: NODE_LIMIT,
        }
    }
}

/// The open choices of a solution, in words.
///
/// # Errors
/// Broken package data.
pub fn open_choices(problem: &Problem<'_>, solution: &Solution) -> Result<Vec<OpenChoice>, ResolveError> {
    let show = |id: &CandidateId| format!("{:?}", problem.universe.package(*id));
    let found = solve::choices(problem, solution).map_err(SolveError::from)?;
    let in_words = |choice: solve::Choice| OpenChoice {
        taken: choice.taken.iter().map(show).collect(),
        by: choice.by.as_ref().map(show),
        relation: choice.relation,
        instead: choice.instead.iter().map(|instead| (show(&instead.id), instead.price)).collect(),
    };
    Ok(found.into_iter().map(in_words).collect())
}

/// One architecture's part of the lock; `names` are what the lock calls the universe's repositories.
fn target(
    manifest: &Manifest,
    names: &[String],
    universe: &Universe,
    ask: Ask,
) -> Result<(Target, More), ResolveError> {
    let packages = &manifest.packages;
    let reasons = packages.provided_reasons();
    let wishes = Wishes::of(manifest)?;
    let problem = wishes.problem(universe);
    let solution = solve::solve(&problem)?;
    let more = More {
        choices: if ask.choices { open_choices(&problem, &solution)? } else { Vec::new() },
        not_preferred: solution.not_preferred.clone(),
        nodes: solution.nodes,
        lower_bound: solution.lower_bound,
        proof: ask.proof.then(|| solve::opb(&problem, &solution)).transpose().map_err(SolveError::from)?,
    };
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
        locked.push(LockedPackage {
            name: package.package_name(),
            version,
            arch: package.arch().into(),
            source: package.source().0.into(),
            repository: names.get(package.repository()).cloned().unwrap_or_default(),
            filename: package.filename().into(),
            size: package.size(),
            sha256,
            required_by: chosen.required_by.iter().map(ToString::to_string).collect(),
        });
    }
    let target = Target {
        proven_minimal: solution.proven,
        installed_size: solution.installed_size,
        cut,
        built: None,
        packages: locked,
    };
    Ok((target, more))
}
