//! Which candidates a relation means (Policy 7.1, 7.5; dpkg's `lib/dpkg/depcon.c`, `deparchsatisfied`).

use super::{
    CandidateId, MultiArch, NameId, Universe,
    graph::{Kind, Reach, Target},
};
use crate::control::{Atom, Op};

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
    pub fn satisfiers<'a>(&'a self, atom: &Atom<'a>) -> impl Iterator<Item = Provider> + use<'a> {
        self.matches(self.wanted(atom), true)
    }

    /// Every candidate that `atom` in a `Conflicts` or `Breaks` means. The caller leaves out the package itself.
    pub fn targets<'a>(&'a self, atom: &Atom<'a>) -> impl Iterator<Item = Provider> + use<'a> {
        self.matches(self.wanted(atom), false)
    }

    /// The same as [`Universe::satisfiers`] for a relation of the graph, or as [`Universe::targets`] if it is no
    /// dependency.
    pub fn meant<'a>(&'a self, target: &Target<'a>) -> impl Iterator<Item = Provider> + use<'a> {
        let Target { name, reach, constraint, .. } = *target;
        self.matches(Some(Wanted { name, reach, constraint }), target.kind.is_dependency())
    }

    fn wanted<'a>(&self, atom: &Atom<'a>) -> Option<Wanted<'a>> {
        let reach = Reach::of(atom.qualifier, self.arch().as_str());
        Some(Wanted { name: self.find(atom.name)?, reach, constraint: atom.constraint })
    }

    fn matches<'a>(&'a self, wanted: Option<Wanted<'a>>, dependency: bool) -> impl Iterator<Item = Provider> + use<'a> {
        wanted.into_iter().filter(|wanted| wanted.reach != Reach::Other).flat_map(move |wanted| {
            self.meant_by(wanted.name)
                // An unversioned Provides never satisfies a versioned relation (Policy 7.5).
                .filter(move |meant| {
                    let holds = |(op, bound): (Op, &str)| self.version_meant(meant).is_some_and(|v| op.holds(v, bound));
                    wanted.constraint.is_none_or(holds)
                })
                // dpkg lets only `Multi-Arch: allowed` satisfy it, not even `foreign` (tried with 1.21); a conflict
                // hits all.
                .filter(move |meant| {
                    let any = dependency && wanted.reach == Reach::Any;
                    !any || self.package(meant.id).multi_arch() == MultiArch::Allowed
                })
                .map(|meant| Provider { candidate: meant.id, by_provides: meant.kind == Kind::Provides })
        })
    }
}

/// A relation, its name found.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    name: NameId,
    reach: Reach,
    constraint: Option<(Op, &'a str)>,
}
