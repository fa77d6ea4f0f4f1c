//! What a solution means: who needs whom, and which dependencies are cut.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chosen, Cut, cone::Selection};
use crate::{
    base::PackageName,
    universe::{CandidateId, Universe, UniverseError},
};

/// `ids`, sorted by name, each with the chosen packages that depend on it; and their clauses that count as met
/// through a provided package, and that none of them satisfies, one for each pair of packages.
pub(super) fn report(
    universe: &Universe,
    selection: &Selection<'_, '_>,
    ids: &[CandidateId],
) -> Result<(Vec<Chosen>, Vec<Cut>), UniverseError> {
    let mut dependants: Vec<BTreeSet<CandidateId>> = vec![BTreeSet::new(); ids.len()];
    let mut cut: BTreeMap<(PackageName, PackageName), String> = BTreeMap::new();
    for owner in ids {
        let package = universe.package(*owner);
        for (number, alternatives) in universe.dependencies(*owner) {
            let mut is_met = false;
            for id in alternatives.clone().flat_map(|target| selection.meant(&target)) {
                if let Ok(place) = ids.binary_search(&id) {
                    is_met = true;
                    if id != *owner
                        && let Some(set) = dependants.get_mut(place)
                    {
                        set.insert(*owner);
                    }
                }
            }
            if !is_met && let Some(provided) = selection.provided(alternatives).and_then(|name| name.parse().ok()) {
                let atoms = package.depends().nth(number).transpose()?.unwrap_or_default();
                let text: Vec<String> = atoms.iter().map(ToString::to_string).collect();
                cut.entry((package.package_name(), provided)).or_insert(text.join(" | "));
            }
        }
    }
    let name = |id: CandidateId| universe.package(id).package_name();
    let chosen =
        ids.iter().zip(dependants).map(|(id, by)| Chosen { id: *id, required_by: by.into_iter().map(name).collect() });
    let cut = cut.into_iter().map(|((package, dependency), relation)| Cut { package, dependency, relation });
    Ok((chosen.collect(), cut.collect()))
}
