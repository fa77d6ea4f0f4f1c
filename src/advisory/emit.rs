//! An own OpenVEX document: what is known, without looking at code, to do no harm in an image because it is not there.
//!
//! In: findings, the tracker, an inventory, the image's tree. Out: JSON.
//!
//! The tracker speaks of source packages, and nothing says which of their binaries or files a vulnerability is in. So two
//! things alone are said:
//!
//! - `component_not_present`, of a dependency that was cut: its source has open issues, and no package in the image was
//!   built from that source. Only where the source has the dependency's name, as `dpkg` has; what another source builds
//!   is not known here, and nothing is said of it.
//! - `vulnerable_code_not_present`, of a binary package that is listed in the image, but of which `[rootfs]` has left no
//!   file but its copyright and changelog. The statement is of that binary alone: what else its source built stays open.
//!
//! Nothing is said where only some binaries of a source are in the image, or only some files of a package: a person has to
//! look at the vulnerability for that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Ecosystem, Finding, Justification, State, Status, Tracker, debian, vex::Image};
use crate::{
    base::{PackageName, RootPath, Sha256},
    inventory::{Inventory, Package},
    sbom::purl::{Purl, encoded},
    tree::{Kind, Origin, Tree},
};

/// Packages of which the image has nothing but words about them.
pub type Hollow = BTreeSet<PackageName>;

/// The packages of which no file is left but copyright, changelogs and what dpkg and lintian know of them; at least one of
/// these must be there, else nothing shows that the package's files are known at all. The tree's origins must all be
/// known: what belongs to nothing may be such a package's.
pub fn hollow(tree: &Tree, inventory: &Inventory) -> Hollow {
    // By package, whether it has more than words.
    let mut seen: BTreeMap<&PackageName, bool> = BTreeMap::new();
    for (path, node) in tree.iter() {
        if let Origin::Package(name) = &node.origin
            && !matches!(node.kind, Kind::Dir)
        {
            *seen.entry(name).or_default() |= !is_words(path);
        }
    }
    let listed = inventory.packages.iter().map(|package| &package.name);
    listed.filter(|name| seen.get(name) == Some(&false)).cloned().collect()
}

fn is_words(path: &RootPath) -> bool {
    let parts: Vec<&[u8]> = path.components().collect();
    match parts[..] {
        [b"usr", b"share", b"doc", _, file] => {
            [&b"copyright"[..], b"changelog", b"NEWS"].iter().any(|start| file.starts_with(start))
        }
        // A folder that is a link to another package's.
        [b"usr", b"share", b"doc", _] => true,
        [b"usr", b"share", b"lintian", ..] | [b"var", b"lib", b"dpkg", ..] => true,
        _ => false,
    }
}

/// The document, and how many statements it has; `None` if there is nothing to be said.
pub fn emit(
    image: &Image<'_>,
    inventory: &Inventory,
    findings: &[Finding],
    tracker: Option<&Tracker>,
    hollow: &Hollow,
    now: Timestamp,
) -> Option<(String, usize)> {
    let mut statements = of_cut(image, inventory, tracker);
    statements.extend(of_hollow(image, inventory, findings, hollow));
    if statements.is_empty() {
        return None;
    }
    let count = statements.len();
    let digest = Sha256::of(format!("{}\n{}", image.name, Value::from(statements.clone())).as_bytes());
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("https://openvex.dev/docs/public/vex-{}", digest.hex()),
        "author": "compose",
        "role": "Document Creator",
        "timestamp": format!("{now:.0}"),
        "version": 1,
        "tooling": concat!("compose/", env!("CARGO_PKG_VERSION")),
        "statements": statements,
    });
    Some((format!("{document:#}\n"), count))
}

/// One statement. The purls of `parts` say no more than they must: what a scanner's own purl lacks, such as `distro` in
/// another spelling, would keep it from matching (OpenVEX's library).
fn statement(id: &str, image: &Image<'_>, parts: &[String], why: Justification, impact: &str) -> Value {
    let parts: Vec<Value> = parts.iter().map(|purl| json!({ "@id": purl, "identifiers": { "purl": purl } })).collect();
    let purl = Purl::of_image(image.name, image.arch, image.digest).to_string();
    json!({
        "vulnerability": { "name": id },
        "products": [{ "@id": purl, "identifiers": { "purl": purl }, "subcomponents": parts }],
        "status": "not_affected",
        "justification": why.as_str(),
        "impact_statement": impact,
    })
}

/// The names on the right of a cut edge: `debconf (>= 0.5) | debconf-2.0`.
pub(super) fn cut_names(inventory: &Inventory) -> BTreeMap<String, &str> {
    let mut out = BTreeMap::new();
    for cut in &inventory.cut {
        for alternative in cut.dependency.split('|') {
            let name = alternative.split(['(', '[', ':', ' ']).find(|part| !part.is_empty()).unwrap_or_default();
            if PackageName::is_valid(name) {
                out.entry(name.to_owned()).or_insert(cut.reason.as_str());
            }
        }
    }
    let built: BTreeSet<&str> = inventory.packages.iter().map(|package| package.source.as_str()).collect();
    let here: BTreeSet<&str> = inventory.packages.iter().map(|package| package.name.as_str()).collect();
    out.retain(|name, _| !built.contains(name.as_str()) && !here.contains(name.as_str()));
    out
}

fn of_cut(image: &Image<'_>, inventory: &Inventory, tracker: Option<&Tracker>) -> Vec<Value> {
    let Some(tracker) = tracker else { return Vec::new() };
    let sorted = debian::suites(inventory);
    // The one that most packages are of.
    let Some((suite, _)) = sorted.packages.iter().max_by_key(|(_, packages)| packages.len()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (name, reason) in cut_names(inventory) {
        for issue in tracker.sources.get(&name).into_iter().flatten() {
            let is_open = issue.releases.get(suite).is_some_and(|release| release.state == State::Open);
            if is_open {
                let purl = format!("pkg:deb/debian/{}?arch=source", encoded(&name));
                let impact = format!(
                    "no package built from the source {name} is in the image; a dependency on it was cut: {reason}"
                );
                out.push(statement(&issue.id, image, &[purl], Justification::ComponentNotPresent, &impact));
            }
        }
    }
    out
}

fn of_hollow(image: &Image<'_>, inventory: &Inventory, findings: &[Finding], hollow: &Hollow) -> Vec<Value> {
    let labels: BTreeMap<String, &Package> =
        debian::labels(inventory).map(|(package, label)| (label, package)).collect();
    let mut out = Vec::new();
    for finding in findings {
        if finding.ecosystem != Ecosystem::Debian || matches!(finding.status, Status::NotAffected { .. }) {
            continue;
        }
        let packages = finding.packages.iter().filter_map(|label| labels.get(label));
        let purls: Vec<String> = packages
            .filter(|package| hollow.contains(&package.name))
            .map(|package| {
                let Package { name, version, arch, .. } = package;
                let (name, version) = (encoded(name.as_str()), encoded(version.as_str()));
                format!("pkg:deb/debian/{name}@{version}?arch={}", encoded(arch))
            })
            .collect();
        if !purls.is_empty() {
            let impact = "the image has no file of it but its copyright and changelog: all others were left out";
            out.push(statement(&finding.id, image, &purls, Justification::VulnerableCodeNotPresent, impact));
        }
    }
    out
}

#[cfg(test)]
mod tests;
