//! What installed projects require of each other, and is not in the image.
//!
//! In: a finished tree and its Python. Out: each `Requires-Dist` (core metadata specifications) of a wheel that no
//! project in the image meets; a lock is complete as a rule, wheels that someone put into a folder are not. Extras count
//! as not asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use pep440_rs::{Version, VersionSpecifiers};

use super::{
    Fields, ProjectName, Site,
    lock::marker::{Marker, Scope},
};
use crate::{
    base::RootPath,
    tree::{Kind, Node, Origin, Tree},
};

/// Longest metadata that is read, bytes; long descriptions come after what matters.
const MAX_METADATA: usize = 1 << 20;

/// A requirement that nothing in the image meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The METADATA that says so.
    pub path: RootPath,
    /// Whose it is.
    pub origin: Origin,
    /// As written, without its marker.
    pub requirement: String,
    /// The version that is there, if only that is wrong.
    pub found: Option<Version>,
}

/// A requirement, as far as it is read here.
struct Requirement {
    name: ProjectName,
    text: String,
    versions: Option<VersionSpecifiers>,
}

/// Finds them, in the order of the tree.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn unmet(tree: &Tree, site: &Site) -> io::Result<Vec<Unmet>> {
    let scope = Scope { environment: site.environment.markers(), extras: BTreeSet::new(), groups: BTreeSet::new() };
    let mut there: BTreeMap<ProjectName, Option<Version>> = BTreeMap::new();
    let mut asking = Vec::new();
    let folders = [site.layout.site.clone(), RootPath::literal("usr/lib/python3/dist-packages")];
    for folder in &folders {
        for (path, node) in tree.children(folder) {
            let Some(found) = metadata(tree, path, node)? else { continue };
            if let Some(name) = found.get("Name").and_then(|name| name.parse().ok()) {
                there.insert(name, found.get("Version").and_then(|version| version.parse().ok()));
            }
            if matches!(node.origin, Origin::Wheel(_)) {
                asking.push((path, &node.origin, found));
            }
        }
    }
    let mut unmet = Vec::new();
    for (path, origin, fields) in &asking {
        for requirement in fields.all("Requires-Dist").filter_map(|text| requirement(text, &scope)) {
            let found = there.get(&requirement.name);
            let fits = |found: &Option<Version>| match (found, &requirement.versions) {
                (Some(version), Some(wanted)) => wanted.contains(version),
                // What cannot be read is no reason to complain.
                _ => true,
            };
            if !found.is_some_and(fits) {
                unmet.push(Unmet {
                    path: (*path).clone(),
                    origin: (*origin).clone(),
                    requirement: requirement.text,
                    found: found.cloned().flatten(),
                });
            }
        }
    }
    Ok(unmet)
}

/// The metadata of a project that is described at `path`: `.dist-info`, or the `.egg-info` of some of Debian's packages.
fn metadata(tree: &Tree, path: &RootPath, node: &Node) -> io::Result<Option<Fields>> {
    let name = path.file_name();
    let file = match &node.kind {
        Kind::Dir if name.ends_with(b".dist-info") => path.join("METADATA"),
        Kind::Dir if name.ends_with(b".egg-info") => path.join("PKG-INFO"),
        Kind::File(_) if name.ends_with(b".egg-info") => Ok(path.clone()),
        _ => return Ok(None),
    };
    let Some(content) = file.ok().and_then(|file| tree.content(&file)) else { return Ok(None) };
    Ok(Some(Fields::parse(&content.read_part(0, MAX_METADATA)?)))
}

/// Reads a requirement (PEP 508) that applies; `None` also for what cannot be read: pip would not have asked then.
fn requirement(text: &str, scope: &Scope) -> Option<Requirement> {
    let (spec, marker) = text.split_once(';').unwrap_or((text, ""));
    if !Marker::parse(marker.trim()).ok()?.holds(scope) {
        return None;
    }
    let spec = spec.trim();
    let end = spec.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(spec.len());
    let (name, rest) = spec.split_at(end);
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.1.trim(),
        None => rest,
    };
    // Old metadata have parentheses around the versions; “@ URL” names no version.
    let versions = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest).trim();
    let versions = (!versions.is_empty() && !versions.starts_with('@')).then(|| versions.parse().ok()).flatten();
    Some(Requirement { name: name.parse().ok()?, text: spec.to_owned(), versions })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::Arch;

    fn shown(projects: &[(&str, &str)]) -> Vec<String> {
        let packages = [("libc6", "2.41-1"), ("python3.13-minimal", "3.13.5-2")];
        let site = Site::find(packages.into_iter(), &[], Arch::Amd64).unwrap();
        let mut tree = Tree::new(0);
        for (folder, text) in projects {
            let path = RootPath::parse(folder.as_bytes()).unwrap();
            let origin = match folder.starts_with("usr/local") {
                true => Origin::Wheel("w".into()),
                false => Origin::Package("python3-x".parse().unwrap()),
            };
            tree.insert_file(path, 0o644, text.as_bytes().to_vec(), origin).unwrap();
        }
        let show = |unmet: Unmet| match unmet.found {
            Some(found) => format!("{} but {found}", unmet.requirement),
            None => unmet.requirement,
        };
        unmet(&tree, &site).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn what_is_required_and_missing_is_found() {
        let own = |name: &str| format!("usr/local/lib/python3.13/dist-packages/{name}.dist-info/METADATA");
        let debian = "usr/lib/python3/dist-packages/six-1.17.0.egg-info/PKG-INFO";
        let a = "Name: a\nVersion: 1\nRequires-Dist: B_x[fast] (>=2,<3)\nRequires-Dist: six\nRequires-Dist: gone; \
                 python_version < '3.0'\nRequires-Dist: more; extra == 'x'\nRequires-Dist: lost >= 1; sys_platform == \
                 'linux'\nRequires-Dist: u @ https://example.com/u.zip\nRequires-Dist: ((\n\nRequires-Dist: text";
        let (here, six) = ((own("a-1"), a), (debian.to_owned(), "Name: six\nVersion: 1.17.0\n"));
        let projects = |b: &str| {
            let b = (own("b_x-2"), format!("Name: b.x\nVersion: {b}\n"));
            let all = [(here.0.clone(), here.1.to_owned()), b, (six.0.clone(), six.1.to_owned())];
            let all: Vec<(&str, &str)> = all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            shown(&all)
        };
        assert_eq!(projects("2.5"), ["lost >= 1", "u @ https://example.com/u.zip"]);
        assert_eq!(projects("3.0"), ["B_x[fast] (>=2,<3) but 3.0", "lost >= 1", "u @ https://example.com/u.zip"]);
        // Debian's own packages have Debian's dependencies.
        assert!(shown(&[(debian, "Name: six\nVersion: 1\nRequires-Dist: gone\n")]).is_empty());
    }
}
