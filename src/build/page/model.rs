//! What a page shows, as data.
//!
//! In: lock, tree and closure. Out: [`Model`]: what the image is made of, who needs whom, and each file's size and
//! owner.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::visit::EdgeRef as _;
use serde_json::{Value, json};

use super::{Page, escape::shown};
use crate::{
    base::RootPath,
    solve::closure::Member,
    tree::{Kind, Origin, Tree},
};

/// Files that are listed one by one. Of an image with more, the smallest are summed up by directory and owner.
const MOST_FILES: usize = 50_000;

/// What a part is, in the page's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The manifest, with its own `[[files]]`.
    Manifest,
    /// A Debian package.
    Package,
    /// A Python wheel.
    Wheel,
    /// `[[tarballs]]`.
    Tarball,
    /// A step of `finish/`.
    Made,
}

impl What {
    /// One or two words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Package => "package",
            Self::Wheel => "wheel",
            Self::Tarball => "tarball",
            Self::Made => "made here",
        }
    }
}

/// One of the things that an image is made of.
#[derive(Debug, Clone)]
pub struct Part {
    pub what: What,
    pub name: String,
    pub version: String,
    pub source: String,
    pub arch: String,
    /// KiB, as Debian counts.
    pub installed: Option<u64>,
    /// Of its files in the image.
    pub bytes: u64,
    /// Its regular files in the image.
    pub files: u64,
    /// The part before it in the shortest chain from the manifest.
    pub via: Option<usize>,
    /// The last step of that chain, in words.
    pub why: String,
    /// What would leave with it, itself not among it.
    pub leaves: Vec<usize>,
}

/// A need between two parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// As written; several are joined by commas.
    pub relation: String,
    /// Whether something else would have met it too.
    pub chosen: bool,
}

/// Files of one directory and one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub dir: usize,
    pub part: usize,
    /// Empty for several.
    pub name: String,
    pub bytes: u64,
    pub count: u64,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The first is the manifest.
    pub parts: Vec<Part>,
    pub edges: Vec<Edge>,
    /// Each directory's parent, which comes before it, and name; the first is the root.
    pub dirs: Vec<(usize, String)>,
    /// Files that have bytes.
    pub pieces: Vec<Piece>,
    pub bytes: u64,
    pub files: u64,
    pub directories: u64,
    /// Symbolic links, and further names of files.
    pub links: u64,
}

impl Model {
    /// Of one image.
    pub fn new(page: Page<'_>) -> Self {
        let mut model = Self::default();
        let numbers = model.add_parts(page);
        model.add_needs(page, &numbers);
        model.add_files(page.tree, &numbers, MOST_FILES);
        model
    }

    /// The sum of what leaves with a part, itself among it.
    pub fn leaving(&self, part: usize) -> u64 {
        self.parts[part].bytes + self.parts[part].leaves.iter().map(|other| self.parts[*other].bytes).sum::<u64>()
    }

    /// For the scripts.
    pub fn json(&self) -> String {
        let part = |part: &Part| {
            json!({
                "what": part.what.words(), "name": shown(&part.name), "version": shown(&part.version),
                "source": shown(&part.source), "arch": shown(&part.arch), "installed": part.installed,
                "bytes": part.bytes, "files": part.files, "via": part.via, "why": shown(&part.why),
                "leaves": part.leaves,
            })
        };
        let parts: Vec<Value> = self.parts.iter().map(part).collect();
        let edge = |edge: &Edge| json!([edge.from, edge.to, shown(&edge.relation), u8::from(edge.chosen)]);
        let edges: Vec<Value> = self.edges.iter().map(edge).collect();
        let dirs: Vec<Value> = self.dirs.iter().map(|(above, name)| json!([above, shown(name)])).collect();
        let piece = |piece: &Piece| json!([piece.dir, piece.part, shown(&piece.name), piece.bytes, piece.count]);
        let files: Vec<Value> = self.pieces.iter().map(piece).collect();
        json!({ "bytes": self.bytes, "parts": parts, "edges": edges, "dirs": dirs, "files": files }).to_string()
    }

    fn add_parts(&mut self, page: Page<'_>) -> BTreeMap<Origin, usize> {
        let mut numbers = BTreeMap::from([(Origin::Manifest, 0)]);
        let blank = |what, name: &str, why: &str| Part {
            what,
            name: name.into(),
            version: String::new(),
            source: String::new(),
            arch: String::new(),
            installed: None,
            bytes: 0,
            files: 0,
            via: Some(0),
            why: why.into(),
            leaves: Vec::new(),
        };
        self.parts.push(Part { via: None, ..blank(What::Manifest, "the manifest", "the manifest's own [[files]]") });
        for package in &page.target.packages {
            numbers.insert(Origin::Package(package.name.clone()), self.parts.len());
            self.parts.push(Part {
                version: package.version.to_string(),
                source: package.source.clone(),
                arch: package.arch.clone(),
                via: None,
                ..blank(What::Package, package.name.as_str(), "")
            });
        }
        for wheel in &page.target.wheels {
            numbers.insert(Origin::Wheel(wheel.name.as_str().into()), self.parts.len());
            let part = blank(What::Wheel, &wheel.name, "[python] names it");
            self.parts.push(Part { version: wheel.version.clone(), source: wheel.filename.clone(), ..part });
        }
        for tarball in &page.target.tarballs {
            numbers.insert(Origin::Tarball(tarball.name.as_str().into()), self.parts.len());
            self.parts.push(blank(What::Tarball, &tarball.name, "[[tarballs]] names it"));
        }
        for (_, node) in page.tree.iter().filter(|(_, node)| !matches!(node.kind, Kind::Dir)) {
            let Origin::Finish(step) = node.origin else { continue };
            numbers.entry(node.origin.clone()).or_insert_with(|| {
                let why = "made by compose itself, in place of maintainer scripts";
                self.parts.push(blank(What::Made, step, why));
                self.parts.len() - 1
            });
        }
        numbers
    }

    /// Edges, and of each part why it is in and what leaves with it.
    fn add_needs(&mut self, page: Page<'_>, numbers: &BTreeMap<Origin, usize>) {
        let (explainer, closure) = (page.explainer, page.explainer.closure());
        let by_name: BTreeMap<String, usize> =
            (0..).zip(&self.parts).filter(|(_, p)| p.what == What::Package).map(|(n, p)| (p.name.clone(), n)).collect();
        let number = |id| by_name.get(explainer.package(id).name()).copied();
        // Who has each request: wheels and tarballs, else the manifest.
        let mut asking: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut edges = Vec::new();
        for (origin, &part) in numbers {
            if matches!(origin, Origin::Wheel(_) | Origin::Tarball(_)) {
                let mut own = BTreeSet::new();
                for (request, is_alone) in explainer.wishes().of_origin(origin) {
                    asking.entry(request).or_default().push(part);
                    if is_alone {
                        own.insert(request);
                    }
                }
                self.parts[part].leaves = closure.leaves_without(&own).into_iter().filter_map(number).collect();
                let relation = if self.parts[part].what == What::Wheel { "[python]" } else { "[[tarballs]]" };
                edges.push(Edge { from: 0, to: part, relation: relation.into(), chosen: false });
            }
        }
        let graph = &closure.graph;
        for edge in graph.edge_references() {
            let Member::Package(to) = graph[edge.target()] else { continue };
            let from = match graph[edge.source()] {
                Member::Root => continue,
                Member::Request(request) => asking.get(&request).cloned().unwrap_or_else(|| vec![0]),
                Member::Package(id) => number(id).into_iter().collect(),
            };
            let (relation, chosen) = (&edge.weight().relation, !edge.weight().others.is_empty());
            let Some(to) = number(to) else { continue };
            edges.extend(from.into_iter().map(|from| Edge { from, to, relation: relation.clone(), chosen }));
        }
        self.edges = merged(edges);
        for id in closure.packages() {
            let Some(part) = number(id) else { continue };
            if let Some(link) = closure.chain(id).last() {
                self.parts[part].via = match link.from {
                    Member::Request(request) => asking.get(&request).and_then(|by| by.first().copied()).or(Some(0)),
                    Member::Package(from) => number(from),
                    Member::Root => Some(0),
                };
                self.parts[part].why = explainer.reason(link).map(|reason| reason.text).unwrap_or_default();
            }
            let leaves = closure.leaves_with(id).into_iter().filter(|other| *other != id);
            self.parts[part].leaves = leaves.filter_map(number).collect();
            self.parts[part].installed = Some(explainer.package(id).installed_size());
        }
    }

    /// Each file once, whatever names it has.
    pub fn add_files(&mut self, tree: &Tree, numbers: &BTreeMap<Origin, usize>, most: usize) {
        let sizes = tree.iter().filter_map(|(_, node)| match &node.kind {
            Kind::File(content) => Some(content.len()).filter(|bytes| *bytes > 0),
            _ => None,
        });
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let least = if sizes.len() > most { sizes.get(most).map_or(0, |size| size + 1) } else { 0 };
        let mut dirs = BTreeMap::from([(RootPath::root(), 0)]);
        self.dirs.push((0, String::new()));
        let mut together: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        for (path, node) in tree.iter() {
            let content = match &node.kind {
                Kind::File(content) => content,
                Kind::Dir => {
                    self.directories += 1;
                    continue;
                }
                Kind::Symlink(_) | Kind::Hardlink(_) => {
                    self.links += 1;
                    continue;
                }
            };
            let (bytes, part) = (content.len(), numbers.get(&node.origin).copied().unwrap_or(0));
            self.files += 1;
            self.bytes += bytes;
            self.parts[part].files += 1;
            self.parts[part].bytes += bytes;
            if bytes == 0 {
                continue;
            }
            let dir = self.dir(path.parent().unwrap_or_else(RootPath::root), &mut dirs);
            if bytes < least {
                let sum = together.entry((dir, part)).or_default();
                *sum = (sum.0 + bytes, sum.1 + 1);
            } else {
                let name = String::from_utf8_lossy(path.file_name()).into_owned();
                self.pieces.push(Piece { dir, part, name, bytes, count: 1 });
            }
        }
        let sums = together.into_iter();
        let piece = |((dir, part), (bytes, count))| Piece { dir, part, name: String::new(), bytes, count };
        self.pieces.extend(sums.map(piece));
    }

    fn dir(&mut self, path: RootPath, dirs: &mut BTreeMap<RootPath, usize>) -> usize {
        let mut missing = Vec::new();
        let mut at = path;
        let mut number = loop {
            if let Some(number) = dirs.get(&at) {
                break *number;
            }
            let above = at.parent().unwrap_or_else(RootPath::root);
            missing.push(std::mem::replace(&mut at, above));
        };
        for path in missing.into_iter().rev() {
            self.dirs.push((number, String::from_utf8_lossy(path.file_name()).into_owned()));
            number = self.dirs.len() - 1;
            dirs.insert(path, number);
        }
        number
    }
}

/// One edge between the same two, chosen if each of them was.
pub fn merged(mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort();
    edges.dedup_by(|b, a| {
        let same = (a.from, a.to) == (b.from, b.to);
        if same {
            if a.relation != b.relation {
                a.relation = format!("{}, {}", a.relation, b.relation);
            }
            a.chosen &= b.chosen;
        }
        same
    });
    edges
}
