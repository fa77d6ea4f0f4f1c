//! What installed projects require of each other, and is not in the image.
//!
//! In: a finished tree and its Python. Out: each `Requires-Dist` (core metadata specifications) of a wheel that no
//! project in the image meets; a lock is complete as a rule, wheels that someone put into a folder are not. Extras count
//! as not asked for there. And who requires a project, be it with an extra.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
    let scope = scope(site);
    let all = projects(tree, site)?;
    let mut there: BTreeMap<ProjectName, Option<Version>> = BTreeMap::new();
    for (_, _, fields) in &all {
        if let Some(name) = fields.get("Name").and_then(|name| name.parse().ok()) {
            there.insert(name, fields.get("Version").and_then(|version| version.parse().ok()));
        }
    }
    let mut unmet = Vec::new();
    for (path, origin, fields) in all.iter().filter(|(_, origin, _)| matches!(origin, Origin::Wheel(_))) {
        for requirement in fields.all("Requires-Dist").filter_map(|text| requirement(text, &scope)) {
            let found = there.get(&requirement.name);
            let fits = |found: &Option<Version>| match (found, &requirement.versions) {
                (Some(version), Some(wanted)) => wanted.contains(version),
                // What cannot be read is no reason to complain.
                _ => true,
            };
            if !found.is_some_and(fits) {
                unmet.push(Unmet {
                    path: path.clone(),
                    origin: origin.clone(),
                    requirement: requirement.text,
                    found: found.cloned().flatten(),
                });
            }
        }
    }
    Ok(unmet)
}

/// A project that requires another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Required {
    /// If it does so with this extra alone; whether that was asked for, its metadata do not say.
    pub extra: Option<ProjectName>,
    /// Which.
    pub by: ProjectName,
    /// Its version, as it says.
    pub version: String,
    /// As written, without its marker.
    pub requirement: String,
}

/// Who requires whom.
#[derive(Debug, Clone, Default)]
pub struct Requirers(BTreeMap<ProjectName, BTreeSet<Required>>);

impl Requirers {
    /// Of all projects in the image.
    ///
    /// # Errors
    /// When a file of the tree cannot be read.
    pub fn read(tree: &Tree, site: &Site) -> io::Result<Self> {
        let mut out = Self::default();
        let mut scope = scope(site);
        for (_, _, fields) in projects(tree, site)? {
            let Some(by) = fields.get("Name").and_then(|name| name.parse::<ProjectName>().ok()) else { continue };
            let version = fields.get("Version").unwrap_or_default();
            for text in fields.all("Requires-Dist") {
                let Some((Requirement { name, text: requirement, .. }, marker)) = parsed(text) else { continue };
                let extra = match marker.holds(&scope) {
                    true => None,
                    false => {
                        let extra = extras(text).find(|extra| {
                            scope.extras = BTreeSet::from([extra.clone()]);
                            marker.holds(&scope)
                        });
                        scope.extras.clear();
                        let Some(extra) = extra else { continue };
                        Some(extra)
                    }
                };
                // An extra may be made of others of the same project.
                if name != by {
                    let required = Required { extra, by: by.clone(), version: version.into(), requirement };
                    out.0.entry(name).or_default().insert(required);
                }
            }
        }
        Ok(out)
    }

    /// Who requires the project; those that do so in any case come first.
    pub fn of(&self, project: &ProjectName) -> impl Iterator<Item = &Required> {
        self.0.get(project).into_iter().flatten()
    }

    /// The shortest way to the project from one that no other requires, such as `app`, `web[fast]`, `escape`, itself at the
    /// end; over extras only if there is no other. Nothing if it is such a one itself.
    pub fn way(&self, project: &ProjectName) -> Vec<String> {
        let plain = self.shortest(project, false);
        let way = if plain.is_empty() { self.shortest(project, true) } else { plain };
        if way.len() > 1 { way } else { Vec::new() }
    }

    fn shortest(&self, project: &ProjectName, with_extras: bool) -> Vec<String> {
        // Of each project the one that it requires on the way, and with which extra.
        let mut next: BTreeMap<&ProjectName, Option<(&ProjectName, Option<&ProjectName>)>> =
            BTreeMap::from([(project, None)]);
        let mut todo = VecDeque::from([project]);
        while let Some(at) = todo.pop_front() {
            for Required { by, extra, .. } in self.of(at).filter(|one| with_extras || one.extra.is_none()) {
                next.entry(by).or_insert_with(|| {
                    todo.push_back(by);
                    Some((at, extra.as_ref()))
                });
            }
            if self.of(at).next().is_none() {
                let step = |at: &ProjectName| next.get(at).copied().flatten();
                let steps = std::iter::successors(Some(at), |at| Some(step(at)?.0));
                let extra = |at: &ProjectName| step(at).and_then(|(_, extra)| extra);
                let show = |at: &ProjectName| extra(at).map_or(at.to_string(), |extra| format!("{at}[{extra}]"));
                return steps.map(show).collect();
            }
        }
        Vec::new()
    }
}

fn scope(site: &Site) -> Scope {
    Scope { environment: site.environment.markers(), extras: BTreeSet::new(), groups: BTreeSet::new() }
}

/// The words in quotes of a requirement's marker, some of which may be extras. More than a few nobody writes.
fn extras(text: &str) -> impl Iterator<Item = ProjectName> {
    const MOST: usize = 16;
    let marker = text.split_once(';').map_or("", |(_, marker)| marker);
    marker.split(['\'', '"']).skip(1).step_by(2).take(MOST).filter_map(|word| word.parse().ok())
}

/// The projects of the image, in the order of the tree: where each is described, whose it is, and what is said.
fn projects(tree: &Tree, site: &Site) -> io::Result<Vec<(RootPath, Origin, Fields)>> {
    let mut out = Vec::new();
    for folder in [site.layout.site.clone(), RootPath::literal("usr/lib/python3/dist-packages")] {
        for (path, node) in tree.children(&folder) {
            if let Some(fields) = metadata(tree, path, node)? {
                out.push((path.clone(), node.origin.clone(), fields));
            }
        }
    }
    Ok(out)
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

/// Reads a requirement (PEP 508) that applies.
fn requirement(text: &str, scope: &Scope) -> Option<Requirement> {
    parsed(text).filter(|(_, marker)| marker.holds(scope)).map(|(requirement, _)| requirement)
}

/// A requirement and its marker; `None` for what cannot be read: pip would not have asked then.
fn parsed(text: &str) -> Option<(Requirement, Marker)> {
    let (spec, marker) = text.split_once(';').unwrap_or((text, ""));
    let marker = Marker::parse(marker.trim()).ok()?;
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
    Some((Requirement { name: name.parse().ok()?, text: spec.to_owned(), versions }, marker))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::Arch;

    fn image(projects: &[(&str, &str)]) -> (Tree, Site) {
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
        (tree, site)
    }

    fn shown(projects: &[(&str, &str)]) -> Vec<String> {
        let (tree, site) = image(projects);
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
    #[test]
    fn who_requires_whom() {
        let requires = [
            ("app", "web[fast]>=1|loop-a|web[fast]>=1; os_name == 'posix'"),
            ("tool", "escape; extra == \"docs\" and os_name == 'posix'"),
            (
                "web",
                "escape|fast; extra == 'fast'|docs; extra == 'docs'|web[docs]; extra == 'all'|gone; os_name == 'nt'",
            ),
            ("fast", "escape (>=2)"),
            ("escape", ""),
            ("loop-a", "loop-b"),
            ("loop-b", "loop-a"),
            ("round", "Ro_und2"),
            ("round2", "round"),
            ("ro-und2", "round"),
        ];
        let files: Vec<(String, String)> = requires
            .into_iter()
            .map(|(name, all)| {
                let lines: String = all.split('|').map(|one| format!("Requires-Dist: {one}\n")).collect();
                let text = format!("Name: {name}\nVersion: 1\nProvides-Extra: docs\nProvides-Extra: fast\n{lines}");
                (format!("usr/local/lib/python3.13/dist-packages/{name}-1.dist-info/METADATA"), text)
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (tree, site) = image(&files);
        let requirers = Requirers::read(&tree, &site).unwrap();
        let rows = [
            ("app", "", ""),
            ("web", "app: web[fast]>=1", "app web"),
            ("fast", "web[fast]: fast", "app web[fast] fast"),
            ("docs", "web[docs]: docs", "app web[docs] docs"),
            ("escape", "fast: escape (>=2), web: escape, tool[docs]: escape", "app web escape"),
            ("gone", "", ""),
            ("loop-b", "loop-a: loop-b", "app loop-a loop-b"),
            // They require each other, and round2 both.
            ("round", "ro-und2: round, round2: round", "round2 round"),
            ("nobody", "", ""),
        ];
        for (project, required, way) in rows {
            let project = project.parse().unwrap();
            let show = |one: &Required| {
                let extra = one.extra.as_ref().map(|extra| format!("[{extra}]")).unwrap_or_default();
                format!("{}{extra}: {}", one.by, one.requirement)
            };
            let shown: Vec<String> = requirers.of(&project).map(show).collect();
            assert_eq!(shown.join(", "), required, "{project}");
            assert_eq!(requirers.way(&project).join(" "), way, "{project}");
        }
    }
}
