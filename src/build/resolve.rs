//! A manifest becomes a lock: indexes, universe, smallest closure.
//!
//! In: the manifest and the suites that it names. Out: a [`Lock`] without digests of a build.

use std::collections::BTreeMap;

use crate::{
    archive::{ArchiveError, LoadedSuite, Loader, SuiteRequest},
    base::Arch,
    control::{RelationGroup, relation::RelationError},
    lock::{CutEdge, Lock, LockedPackage, LockedRepository, Target},
    manifest::{self, Manifest, default_provided},
    solve::{Problem, SolveError, SolveRequest, solve},
    universe::{IndexText, Universe, UniverseError},
};

/// Search nodes after which the best answer so far is taken.
const NODE_LIMIT: u64 = 200_000;

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

/// Loads the suites and solves for each architecture.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(
    manifest: &Manifest,
    suites: &[SuiteRequest],
    archs: &[Arch],
    loader: &Loader<'_>,
) -> Result<Lock, ResolveError> {
    let mut targets = BTreeMap::new();
    let mut repositories: BTreeMap<String, LockedRepository> = BTreeMap::new();
    for &arch in archs {
        let loaded = loader.load_all(suites, arch)?;
        loader.progress.phase("Solving", None);
        targets.insert(arch, target(manifest, &loaded, arch)?);
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
    Ok(Lock { manifest: manifest::meaning(manifest), epoch, repositories: repositories.into_values().collect(), targets })
}

fn target(manifest: &Manifest, loaded: &[LoadedSuite], arch: Arch) -> Result<Target, ResolveError> {
    let indexes: Vec<_> = loaded
        .iter()
        .enumerate()
        .flat_map(|(repository, suite)| {
            suite.packages.iter().map(move |index| IndexText { repository, name: &suite.name, text: &index.text })
        })
        .collect();
    let universe = Universe::build(&indexes, arch)?;
    let packages = &manifest.packages;
    let requests = packages
        .install
        .iter()
        .map(|request| {
            let line = request.line;
            let clause = RelationGroup::parse(&request.text);
            clause.map(|clause| SolveRequest { clause, line }).map_err(|source| ResolveError::Request { line, source })
        })
        .collect::<Result<_, _>>()?;
    let reasons: BTreeMap<String, String> = match &packages.provided {
        Some(names) => names.iter().map(|name| (name.to_string(), "the manifest's packages.provided".into())).collect(),
        None => default_provided().map(|(name, reason)| (name.into(), reason.into())).collect(),
    };
    let names = |names: &[crate::base::PackageName]| names.iter().map(ToString::to_string).collect();
    let solution = solve(&Problem {
        universe: &universe,
        requests,
        provided: reasons.keys().cloned().collect(),
        forbid: names(&packages.forbid),
        prefer: names(&packages.prefer),
        minimize: packages.minimize,
        node_limit: NODE_LIMIT,
    })?;
    let cut = solution.cut.into_iter().map(|cut| CutEdge {
        reason: reasons.get(&cut.dependency).cloned().unwrap_or_default(),
        package: cut.package,
        dependency: cut.dependency,
    });
    let locked = solution.packages.into_iter().filter_map(|chosen| {
        let candidate = universe.get(chosen.id);
        // Both were checked when the index was read.
        Some(LockedPackage {
            name: candidate.name.parse().ok()?,
            version: candidate.version.parse().ok()?,
            arch: candidate.arch.into(),
            source: candidate.source.into(),
            repository: loaded[candidate.repository].name.clone(),
            filename: candidate.filename.into(),
            size: candidate.size,
            sha256: candidate.sha256,
            required_by: chosen.required_by,
        })
    });
    Ok(Target {
        proven_minimal: solution.proven,
        installed_size: solution.installed_size,
        cut: cut.collect(),
        built: None,
        packages: locked.collect(),
    })
}
