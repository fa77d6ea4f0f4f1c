//! A manifest becomes a lock: indexes, universe, smallest closure.
//!
//! In: the manifest and the suites that it names. Out: a [`Lock`] without digests of a build.

use std::collections::BTreeMap;

use crate::{
    archive::{ArchiveError, Loader, PackagesIndex, SuiteRequest},
    base::Arch,
    control::{RelationError, RelationGroup},
    lock::{CutEdge, Lock, LockedPackage, LockedRepository, Target},
    manifest::{self, Manifest},
    solve::{NODE_LIMIT, Problem, SolveError, SolveRequest, solve},
    universe::{IndexText, Universe, UniverseError},
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
        let mut loaded = loader.load_all(suites, arch)?;
        let mut texts = Vec::new();
        loader.progress.phase("Solving", None);
        let names: Vec<_> = loaded.iter().map(|suite| suite.name.clone()).collect();
        for suite in &mut loaded {
            let packages = std::mem::take(&mut suite.packages);
            texts.push(packages);
        }
        targets.insert(arch, target(manifest, &names, texts, arch)?);
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
    Ok(Lock {
        manifest: manifest::meaning(manifest),
        epoch,
        repositories: repositories.into_values().collect(),
        targets,
    })
}

/// `texts` are the indexes of each of the repositories called `names`.
fn target(
    manifest: &Manifest,
    names: &[String],
    texts: Vec<Vec<PackagesIndex>>,
    arch: Arch,
) -> Result<Target, ResolveError> {
    let texts = texts
        .into_iter()
        .enumerate()
        .flat_map(|(repository, indexes)| {
            indexes.into_iter().map(move |index| IndexText { repository, text: index.text.into() })
        })
        .collect();
    let universe = Universe::parse(texts, arch)?;
    let packages = &manifest.packages;
    let requests = packages
        .install
        .iter()
        .map(|request| {
            let (line, text) = (request.line, request.text.clone());
            match RelationGroup::parse(&text) {
                Ok(clause) => Ok(SolveRequest { clause, text, line }),
                Err(source) => Err(ResolveError::Request { line, source }),
            }
        })
        .collect::<Result<_, _>>()?;
    let reasons = packages.provided_reasons();
    let solution = solve(&Problem {
        universe: &universe,
        requests,
        provided: &reasons.keys().cloned().collect(),
        forbid: &packages.forbid.iter().cloned().collect(),
        prefer: &packages.prefer,
        minimize: packages.minimize,
        node_limit: NODE_LIMIT,
    })?;
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
    Ok(Target {
        proven_minimal: solution.proven,
        installed_size: solution.installed_size,
        cut,
        built: None,
        packages: locked,
    })
}
