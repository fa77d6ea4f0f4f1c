//! Which candidates a relation means (Policy 7.1, 7.5; dpkg's `lib/dpkg/depcon.c`, `deparchsatisfied`).

use super::{CandidateId, MultiArch, NameId, Package, Universe};
use crate::control::{Atom, Qualifier};

/// A candidate that satisfies a relation, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// Which.
    pub candidate: CandidateId,
    /// Through a `Provides`, not by its own name.
    pub by_provides: bool,
}

impl Universe {
    /// Every candidate, of every version, that satisfies `atom` as a dependency: by name first, newest first, then
    /// through Provides.
    pub fn satisfiers(&self, atom: &Atom<'_>) -> impl Iterator<Item = Provider> {
        self.matches(atom, true)
    }

    /// Every candidate that `atom` in a `Conflicts` or `Breaks` means. The caller leaves out the package itself.
    pub fn targets(&self, atom: &Atom<'_>) -> impl Iterator<Item = Provider> {
        self.matches(atom, false)
    }

    fn matches(&self, atom: &Atom<'_>, dependency: bool) -> impl Iterator<Item = Provider> {
        let id = self.find(atom.name);
        let atom = *atom;
        let by_name = id.into_iter().flat_map(|id: NameId| self.candidates(id));
        let by_name = by_name
            .filter(move |&candidate| meets_version(&atom, Some(self.package(candidate).version())))
            .map(|candidate| Provider { candidate, by_provides: false });
        let by_provides = id
            .into_iter()
            .flat_map(|id: NameId| self.provides_of(id))
            .filter(move |(_, version)| meets_version(&atom, *version))
            .map(|(candidate, _)| Provider { candidate, by_provides: true });
        by_name.chain(by_provides).filter(move |found| meets_arch(&atom, &self.package(found.candidate), dependency))
    }
}

/// An unversioned Provides (`None`) never satisfies a versioned relation (Policy 7.5).
fn meets_version(atom: &Atom<'_>, version: Option<&str>) -> bool {
    match (atom.constraint, version) {
        (None, _) => true,
        (Some((op, bound)), Some(version)) => op.holds(version, bound),
        (Some(_), None) => false,
    }
}

fn meets_arch(atom: &Atom<'_>, package: &Package<'_>, dependency: bool) -> bool {
    match atom.qualifier {
        Qualifier::None | Qualifier::Native => true,
        // dpkg lets only `Multi-Arch: allowed` satisfy it, not even `foreign` (tried with 1.21); a conflict hits all.
        Qualifier::Any => !dependency || package.multi_arch() == MultiArch::Allowed,
        // `Architecture: all` counts as the native architecture, which the target is here.
        Qualifier::Arch(arch) => arch == package.universe_arch() || arch == "all",
    }
}
