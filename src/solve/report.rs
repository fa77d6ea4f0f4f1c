//! What a solution means: who needs whom, and which dependencies are cut.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chosen, Cut, cone::Selection};
use crate::{
    base::PackageName,
    universe::{CandidateId, Universe, UniverseError},
};

/// `ids`, sorted by name, each with the chosen packages that depend on it.
pub(super) fn chosen(
    universe: &Universe,
    selection: &Selection<'_, '_>,
    ids: &[CandidateId],
) -> Result<Vec<Chosen>, UniverseError> {
    let mut dependants: BTreeMap<CandidateId, BTreeSet<CandidateId>> =
        ids.iter().map(|id| (*id, BTreeSet::new())).collect();
    for owner in ids {
        for clause in universe.package(*owner).depends() {
            for id in clause?.iter().flat_map(|atom| selection.satisfiers(atom)).filter(|id| id != owner) {
                if let Some(set) = dependants.get_mut(&id) {
                    set.insert(*owner);
                }
            }
        }
    }
    let name = |id: CandidateId| universe.package(id).package_name();
    Ok(dependants.into_iter().map(|(id, by)| Chosen { id, required_by: by.into_iter().map(name).collect() }).collect())
}

/// The clauses of `ids` that count as met through a provided package, and that none of `ids` satisfies; one for each
/// pair of packages.
pub(super) fn cut(
    universe: &Universe,
    selection: &Selection<'_, '_>,
    ids: &[CandidateId],
) -> Result<Vec<Cut>, UniverseError> {
    let mut cut: BTreeMap<(PackageName, PackageName), String> = BTreeMap::new();
    for id in ids {
        let package = universe.package(*id);
        for clause in package.depends() {
            let atoms = clause?;
            let Some(provided) = selection.provided(&atoms) else { continue };
            let is_met =
                atoms.iter().flat_map(|atom| selection.satisfiers(atom)).any(|s| ids.binary_search(&s).is_ok());
            let Ok(provided) = provided.parse() else { continue };
            if !is_met {
                let text: Vec<String> = atoms.iter().map(ToString::to_string).collect();
                cut.entry((package.package_name(), provided)).or_insert(text.join(" | "));
            }
        }
    }
    Ok(cut.into_iter().map(|((package, dependency), relation)| Cut { package, dependency, relation }).collect())
}
