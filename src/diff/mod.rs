//! What is different between two locks, images or rootfs: packages, projects, files, configuration.
//!
//! In: two [`Side`]s: an inventory each, and whatever else is known. Out: [`Diff`], as text, Markdown or JSON. What only one
//! side can tell, as a lock tells nothing of files, is not compared, and [`Diff`] says so.

mod json;
mod markdown;
mod text;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    io,
};

use serde_json::Value;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

use crate::{
    base::{RootPath, Sha256, words::bytes},
    control::version,
    inventory::Inventory,
    lock::CutEdge,
    tree::{How, Kind as NodeKind, Origin, Tree, compare},
};

/// One of the two.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// As it was named.
    pub target: &'a str,
    /// What is in it.
    pub inventory: &'a Inventory,
    /// Its files, their origins known; a lock has none.
    pub tree: Option<&'a Tree>,
    /// Its OCI configuration.
    pub config: Option<&'a Value>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// The second has a later version.
    Upgraded,
    /// The second has an earlier version.
    Downgraded,
    /// The same version, and another file; or versions without an order.
    Changed,
}

impl Kind {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
        }
    }
}

/// A package, project or tarball that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name; of packages of a foreign architecture with that.
    pub name: String,
    /// What became of it.
    pub kind: Kind,
    /// The first side's version.
    pub from: Option<String>,
    /// The second side's version.
    pub to: Option<String>,
    /// Bytes in the image of both sides, if both know; 0 where it is not.
    pub bytes: Option<(u64, u64)>,
}

/// A path that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Which.
    pub path: RootPath,
    /// Added, removed or changed.
    pub kind: Kind,
    /// How, where both have it.
    pub how: Vec<How>,
    /// Bytes of the file on both sides; 0 for what is no file.
    pub bytes: (u64, u64),
    /// Whether it is a directory that came or went.
    pub is_dir: bool,
}

/// The files of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGroup {
    /// Who brought them, on the second side unless they are gone.
    pub origin: Origin,
    /// By path.
    pub files: Vec<FileChange>,
}

/// A setting of the OCI configuration that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key, such as `config.Entrypoint` or `architecture`.
    pub key: String,
    /// The first side's.
    pub from: Option<Value>,
    /// The second side's.
    pub to: Option<Value>,
}

/// A side in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// As it was named.
    pub target: String,
    /// Architecture and date, as far as they are known.
    pub facts: Vec<String>,
    /// Bytes of its files, if it has any.
    pub bytes: Option<u64>,
}

/// Everything that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The first side.
    pub from: Label,
    /// The second side.
    pub to: Label,
    /// Debian packages, by name.
    pub packages: Vec<Change>,
    /// Python projects that are no part of a package, by name.
    pub projects: Vec<Change>,
    /// Tarballs of the manifest, by name; versions are digests.
    pub tarballs: Vec<Change>,
    /// Dependencies that nothing meets, and that something met or nobody had on the other side.
    pub cut: Vec<(Kind, CutEdge)>,
    /// By owner; `None` where one side has no files.
    pub files: Option<Vec<FileGroup>>,
    /// By key; `None` where one side has no configuration.
    pub settings: Option<Vec<Setting>>,
}

impl Diff {
    /// Whether nothing is different, of what could be compared.
    pub fn is_empty(&self) -> bool {
        let Self { packages, projects, tarballs, cut, files, settings, .. } = self;
        packages.is_empty()
            && projects.is_empty()
            && tarballs.is_empty()
            && cut.is_empty()
            && files.as_ref().is_none_or(Vec::is_empty)
            && settings.as_ref().is_none_or(Vec::is_empty)
    }
}

/// Compares two sides; dates of files are looked at only with `times`: two builds of different days differ in them all.
///
/// # Errors
/// When a file of a tree cannot be read.
pub fn diff(from: Side<'_>, to: Side<'_>, times: bool) -> io::Result<Diff> {
    let files = match (from.tree, to.tree) {
        (Some(one), Some(two)) => Some(files(one, two, times)?),
        _ => None,
    };
    let is_tarball_known = from.tree.is_none() == to.tree.is_none();
    Ok(Diff {
        from: label(from),
        to: label(to),
        packages: packages(from, to),
        projects: projects(from, to),
        tarballs: if is_tarball_known { tarballs(from, to) } else { Vec::new() },
        cut: cut(from, to),
        files,
        settings: from.config.zip(to.config).map(|(one, two)| settings(one, two)),
    })
}

fn label(side: Side<'_>) -> Label {
    let Inventory { arch, created, .. } = side.inventory;
    let facts = arch.iter().map(ToString::to_string).chain(created.iter().map(ToString::to_string));
    let bytes = |tree: &Tree| tree.iter().map(|(_, node)| size(&node.kind)).sum();
    Label { target: side.target.to_owned(), facts: facts.collect(), bytes: side.tree.map(bytes) }
}

fn size(kind: &NodeKind) -> u64 {
    if let NodeKind::File(content) = kind { content.len() } else { 0 }
}

/// One thing of a side: its version, its digest and its bytes.
struct Thing {
    version: String,
    sha256: Option<Sha256>,
    bytes: Option<u64>,
}

type Things = BTreeMap<String, Thing>;

fn changes(from: &Things, to: &Things, order: impl Fn(&str, &str) -> Option<Ordering>) -> Vec<Change> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let bytes = |thing: Option<&Thing>| thing.map_or(Some(0), |thing| thing.bytes);
    names
        .into_iter()
        .filter_map(|name| {
            let (one, two) = (from.get(name), to.get(name));
            let kind = match (one, two) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                (Some(one), Some(two)) if one.version == two.version => {
                    // Only what both know can differ.
                    one.sha256.zip(two.sha256).filter(|(a, b)| a != b)?;
                    Kind::Changed
                }
                (Some(one), Some(two)) => match order(&one.version, &two.version) {
                    Some(Ordering::Less) => Kind::Upgraded,
                    Some(Ordering::Greater) => Kind::Downgraded,
                    _ => Kind::Changed,
                },
            };
            Some(Change {
                name: name.clone(),
                kind,
                from: one.map(|thing| thing.version.clone()),
                to: two.map(|thing| thing.version.clone()),
                bytes: bytes(one).zip(bytes(two)),
            })
        })
        .collect()
}

fn packages(from: Side<'_>, to: Side<'_>) -> Vec<Change> {
    let things = |side: Side<'_>| -> Things {
        let own = side.inventory.arch.map(|arch| arch.as_str());
        let packages = side.inventory.packages.iter();
        let thing = packages.map(|package| {
            let is_foreign = package.arch != "all" && own.is_some_and(|own| own != package.arch);
            let name = if is_foreign { format!("{}:{}", package.name, package.arch) } else { package.name.to_string() };
            let bytes = package.content.map(|content| content.bytes);
            let sha256 = package.deb.as_ref().map(|deb| deb.sha256);
            (name, Thing { version: package.version.to_string(), sha256, bytes })
        });
        thing.collect()
    };
    changes(&things(from), &things(to), |a, b| Some(version::compare(a, b)))
}

fn projects(from: Side<'_>, to: Side<'_>) -> Vec<Change> {
    let things = |side: Side<'_>| -> Things {
        let projects = side.inventory.own_projects();
        let thing = projects.map(|project| {
            let sha256 = project.wheel.as_ref().map(|wheel| wheel.sha256);
            let bytes = project.content.map(|content| content.bytes);
            (project.name.to_string(), Thing { version: project.version.clone(), sha256, bytes })
        });
        thing.collect()
    };
    let parsed = |text: &str| text.parse::<pep440_rs::Version>().ok();
    changes(&things(from), &things(to), |a, b| Some(parsed(a)?.cmp(&parsed(b)?)))
}

fn tarballs(from: Side<'_>, to: Side<'_>) -> Vec<Change> {
    let things = |side: Side<'_>| -> Things {
        let tarballs = side.inventory.tarballs.iter();
        let thing =
            tarballs.map(|t| (t.name.clone(), Thing { version: t.sha256.to_string(), sha256: None, bytes: None }));
        thing.collect()
    };
    changes(&things(from), &things(to), |_, _| None)
}

/// By package and first name: an image tells all alternatives of a dependency, a lock the one that was cut.
fn cut(from: Side<'_>, to: Side<'_>) -> Vec<(Kind, CutEdge)> {
    let key = |edge: &CutEdge| {
        let name = edge.dependency.split(' ').next().unwrap_or_default();
        (edge.package.clone(), name.to_owned())
    };
    let edges = |side: Side<'_>| -> BTreeMap<_, CutEdge> {
        side.inventory.cut.iter().map(|edge| (key(edge), edge.clone())).collect()
    };
    let (one, two) = (edges(from), edges(to));
    let gone = one.iter().filter(|(key, _)| !two.contains_key(*key)).map(|(_, edge)| (Kind::Removed, edge.clone()));
    let new = two.iter().filter(|(key, _)| !one.contains_key(*key)).map(|(_, edge)| (Kind::Added, edge.clone()));
    let mut all: Vec<_> = gone.chain(new).collect();
    all.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    all
}

fn files(one: &Tree, two: &Tree, times: bool) -> io::Result<Vec<FileGroup>> {
    let mut groups: BTreeMap<Origin, Vec<FileChange>> = BTreeMap::new();
    for mut found in compare(one, two)? {
        if !times {
            found.how.retain(|how| !matches!(how, How::Time(..)));
        }
        // An archive does not always say what its root is like.
        if found.how.is_empty() || found.path.is_root() {
            continue;
        }
        let (before, after) = (one.get(&found.path), two.get(&found.path));
        let kind = match (before, after) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let Some(node) = after.or(before) else { continue };
        let bytes = [before, after].map(|node| node.map_or(0, |node| size(&node.kind)));
        let how = if kind == Kind::Changed { found.how } else { Vec::new() };
        let is_dir = kind != Kind::Changed && matches!(node.kind, NodeKind::Dir);
        let change = FileChange { path: found.path, kind, how, bytes: bytes.into(), is_dir };
        groups.entry(node.origin.clone()).or_default().push(change);
    }
    Ok(groups.into_iter().map(|(origin, files)| FileGroup { origin, files }).collect())
}

/// Keys that say the same with other words in every image: digests and dates.
const PASSED_OVER: [&str; 3] = ["rootfs", "history", "created"];

/// A key of `config`, whose `Env` and tables are looked at entry by entry.
fn part(out: &mut BTreeMap<String, Value>, key: &str, value: &Value) {
    let entries: Vec<(String, Value)> = match (key, value) {
        ("Env", Value::Array(list)) => {
            let pairs = list.iter().filter_map(|entry| entry.as_str()?.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
        }
        (_, Value::Object(table)) => table.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        _ => {
            out.insert(format!("config.{key}"), value.clone());
            return;
        }
    };
    // An empty object is a value too: that of an exposed port.
    let is_port = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    for (name, value) in entries {
        out.insert(format!("config.{key}.{name}"), if is_port(&value) { true.into() } else { value });
    }
}

fn settings(one: &Value, two: &Value) -> Vec<Setting> {
    let flat = |value: &Value| -> BTreeMap<String, Value> {
        let mut out = BTreeMap::new();
        for (key, value) in value.as_object().into_iter().flatten() {
            match (key.as_str(), value.as_object()) {
                ("config", Some(inner)) => inner.iter().for_each(|(key, value)| part(&mut out, key, value)),
                (key, _) if PASSED_OVER.contains(&key) => {}
                (key, _) => {
                    out.insert(key.to_owned(), value.clone());
                }
            }
        }
        // Writers fill in what is empty in their own ways.
        let is_empty = |value: &Value| {
            value.is_null()
                || value.as_str() == Some("")
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty)
        };
        out.retain(|_, value| !is_empty(value));
        out
    };
    let (one, two) = (flat(one), flat(two));
    let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let changed = keys.into_iter().filter(|key| one.get(*key) != two.get(*key));
    changed.map(|key| Setting { key: key.clone(), from: one.get(key).cloned(), to: two.get(key).cloned() }).collect()
}

/// “1 added, 2 upgraded”, of kinds in their order.
fn counts(kinds: impl Iterator<Item = Kind>) -> String {
    let mut count: BTreeMap<Kind, usize> = BTreeMap::new();
    kinds.for_each(|kind| *count.entry(kind).or_default() += 1);
    let parts: Vec<_> = count.iter().map(|(kind, n)| format!("{n} {}", kind.as_str())).collect();
    parts.join(", ")
}

/// Bytes with a sign, as people read them: `+3.1 kB`; empty for none.
fn growth((from, to): (u64, u64)) -> String {
    match from.cmp(&to) {
        Ordering::Equal => String::new(),
        Ordering::Less => format!("+{}", bytes(to - from)),
        Ordering::Greater => format!("-{}", bytes(from - to)),
    }
}

/// How a file differs, in a few words.
fn how(change: &FileChange) -> String {
    if change.is_dir {
        return "directory".to_owned();
    }
    let words_of = |how: &How| match how {
        How::OnlyFirst | How::OnlySecond => String::new(),
        How::Kind(a, b) => format!("{a} → {b}"),
        How::Mode(a, b) => format!("mode {a:04o} → {b:04o}"),
        How::Owner(a, b) => format!("owner {}:{} → {}:{}", a.0, a.1, b.0, b.1),
        How::Time(a, b) => format!("modified {a} → {b}"),
        How::Content(a, b) if a == b => format!("other content, {}", bytes(*a)),
        How::Content(a, b) => format!("{} → {}", bytes(*a), bytes(*b)),
        How::Target(a, b) => format!("leads to {a} → {b}"),
        How::Attributes => "extended attributes".to_owned(),
    };
    match change.kind {
        Kind::Added => bytes(change.bytes.1),
        Kind::Removed => bytes(change.bytes.0),
        _ => change.how.iter().map(words_of).collect::<Vec<_>>().join("; "),
    }
}
