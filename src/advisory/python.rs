//! Python projects against an OSV dump.
//!
//! In: the inventory's projects that are no part of a Debian package (those are Debian's to mend, in whose versions
//! upstream's say nothing), a [`Dump`]. Out: one [`Finding`] for each vulnerability, whatever many names it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
};

use pep440_rs::Version;

use super::{Advisory, Dump, Ecosystem, Finding, NotCovered, Status, Urgency, osv::Hit};
use crate::inventory::Inventory;

/// Looks up every project; the number of those that could be, the vulnerabilities, and those that could not.
pub fn check_projects(inventory: &Inventory, dump: &Dump) -> (usize, Vec<Finding>, Vec<NotCovered>) {
    // The same version may be installed in several places.
    let projects: BTreeSet<(&str, &str)> =
        inventory.own_projects().map(|project| (project.name.as_str(), project.version.as_str())).collect();
    let mut by_name: BTreeMap<&str, Vec<&Advisory>> = BTreeMap::new();
    for advisory in &dump.advisories {
        let names: BTreeSet<&str> = advisory.affected.iter().map(|one| one.name.as_str()).collect();
        for name in names {
            by_name.entry(name).or_default().push(advisory);
        }
    }
    let (mut covered, mut findings, mut unreadable) = (0, Vec::new(), Vec::new());
    for (name, text) in projects {
        let Ok(version) = Version::from_str(text) else {
            unreadable.push(format!("{name} {text}"));
            continue;
        };
        covered += 1;
        let hits: Vec<(&Advisory, Hit)> = by_name
            .get(name)
            .into_iter()
            .flatten()
            .filter_map(|advisory| {
                let own = advisory.affected.iter().filter(|one| one.name.as_str() == name);
                let hits: Vec<Hit> = own.filter_map(|one| one.hits(&version)).collect();
                let fixed = hits.iter().filter_map(|hit| hit.fixed.clone()).min();
                (!hits.is_empty()).then_some((*advisory, Hit { fixed }))
            })
            .collect();
        findings.extend(groups(&hits).into_iter().map(|group| finding(name, text, &group)));
    }
    let why = "their versions are not of PEP 440, so no advisory can be compared with them".to_owned();
    let not_covered = (!unreadable.is_empty()).then_some(NotCovered { why, what: unreadable });
    (covered, findings, not_covered.into_iter().collect())
}

/// All names of a vulnerability, and the advisories that have one of them.
type Group<'a> = (BTreeSet<&'a str>, Vec<&'a (&'a Advisory, Hit)>);

/// Advisories that share a name, directly or through others, are of the same vulnerability.
fn groups<'a>(hits: &'a [(&'a Advisory, Hit)]) -> Vec<Vec<&'a (&'a Advisory, Hit)>> {
    let names = |advisory: &'a Advisory| {
        std::iter::once(advisory.id.as_str()).chain(advisory.aliases.iter().map(String::as_str))
    };
    let mut groups: Vec<Group<'a>> = Vec::new();
    for hit in hits {
        let mut own: BTreeSet<&str> = names(hit.0).collect();
        let mut members = vec![hit];
        let (same, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(names, _)| !names.is_disjoint(&own));
        for (names, more) in same {
            own.extend(names);
            members.extend(more);
        }
        groups = others;
        groups.push((own, members));
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn finding(name: &str, version: &str, group: &[&(&Advisory, Hit)]) -> Finding {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (advisory, _) in group {
        names.insert(&advisory.id);
        names.extend(advisory.aliases.iter().map(String::as_str));
    }
    let first = ["CVE-", "GHSA-", "PYSEC-", ""];
    let id = first.iter().find_map(|start| names.iter().find(|name| name.starts_with(start))).copied();
    let id = id.unwrap_or_default().to_owned();
    // A version that each of them calls fixed: what one of them says nothing of does not speak against it.
    let fixed = group.iter().filter_map(|(_, hit)| hit.fixed.as_ref()).max();
    let summary = group.iter().map(|(advisory, _)| &advisory.summary).find(|text| !text.is_empty());
    Finding {
        aliases: names.into_iter().filter(|name| *name != id).map(str::to_owned).collect(),
        id,
        ecosystem: Ecosystem::PyPi,
        source: name.to_owned(),
        version: version.to_owned(),
        packages: vec![name.to_owned()],
        status: fixed.map_or(Status::Open, |fixed| Status::Fixed { version: fixed.to_string() }),
        urgency: group.iter().filter_map(|(one, _)| one.urgency).max().unwrap_or(Urgency::Unassigned),
        triage: None,
        description: summary.cloned().unwrap_or_default(),
        note: None,
    }
}
