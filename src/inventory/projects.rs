//! Python projects in an image: every `.dist-info` and `.egg-info` below a `site-packages` or `dist-packages`.
//!
//! In: a tree whose origins are known. Out: [`Project`]s; those whose metadata a Debian package brought are part of it.

use std::io;

use super::{Licence, Project, licence};
use crate::{
    base::{RootPath, words},
    python::Fields,
    tree::{Kind, Origin, Tree},
};

/// Longest metadata that is read, bytes; long descriptions come after what matters.
pub(super) const MOST: usize = 1 << 20;
/// How many projects are listed.
const MANY: usize = 100_000;

pub(super) fn read(tree: &Tree, notes: &mut Vec<String>) -> io::Result<Vec<Project>> {
    let mut out = Vec::new();
    for (path, node) in tree.iter() {
        let Some(place) = metadata(tree, path, &node.kind) else { continue };
        if out.len() == MANY {
            notes.push(format!("more than {MANY} Python projects: the others were not read"));
            break;
        }
        let Some(content) = tree.content(&place) else { continue };
        let fields = Fields::parse(&content.read_part(0, MOST)?);
        let named = fields.get("Name").and_then(|name| name.parse().ok()).zip(fields.get("Version"));
        let Some((name, version)) = named else {
            notes.push(format!("{place}: no name or version of a project in it"));
            continue;
        };
        let origin = tree.get(&place).map(|node| &node.origin);
        let package = match origin {
            Some(Origin::Package(name)) => Some(name.clone()),
            _ => None,
        };
        let line = |text: &str| words::quote(text.lines().next().unwrap_or_default(), 300);
        let url = |text: &str| {
            let (label, url) = text.split_once(',')?;
            label.trim().eq_ignore_ascii_case("homepage").then(|| line(url.trim()))
        };
        out.push(Project {
            summary: fields.get("Summary").map(line),
            licence: licence::of_metadata(&fields),
            homepage: fields.get("Home-page").map(line).or_else(|| fields.all("Project-URL").find_map(url)),
            path: Some(path.clone()),
            package,
            ..Project::new(name, line(version))
        });
    }
    out.sort_by(|a: &Project, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(out)
}

/// The file that describes a project, if `path` is the folder or file of one (PEP 376, setuptools' egg-info).
fn metadata(tree: &Tree, path: &RootPath, kind: &Kind) -> Option<RootPath> {
    let name = path.file_name();
    let is_info = name.ends_with(b".dist-info");
    if !is_info && !name.ends_with(b".egg-info") {
        return None;
    }
    let parent = path.parent()?;
    if !matches!(parent.file_name(), b"site-packages" | b"dist-packages") {
        return None;
    }
    let place = match kind {
        Kind::Dir if is_info => path.join("METADATA").ok()?,
        Kind::Dir => path.join("PKG-INFO").ok()?,
        _ => path.clone(),
    };
    tree.get(&place).is_some().then_some(place)
}

/// The folder that a project's RECORD counts from, and its RECORD.
pub(super) fn records(tree: &Tree) -> impl Iterator<Item = (RootPath, RootPath)> {
    tree.iter().filter_map(|(path, node)| {
        let is_info = matches!(node.kind, Kind::Dir) && path.file_name().ends_with(b".dist-info");
        let folder = path.parent()?;
        // Only what `read` lists may claim files.
        let is_listed = is_info && matches!(folder.file_name(), b"site-packages" | b"dist-packages");
        let record = is_listed.then(|| path.join("RECORD").ok())??;
        Some((folder, record)).filter(|(_, record)| tree.get(record).is_some())
    })
}

impl Licence {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.names.is_empty()
    }
}
