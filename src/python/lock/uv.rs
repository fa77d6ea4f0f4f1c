//! `uv.lock`: a graph of packages, walked from the project.
//!
//! In: its text (version 1, any revision). Out: the packages that the root's dependencies reach on a target. The
//! layout is uv's own; what is read here is what `uv sync` reads.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Format,
    error::{Fault, Problem},
    marker::{Marker, Scope},
    other_environment,
    package::{Artifacts, File, Package, Place, Requires, at_url},
    text::{self, Lines, OneOrMany},
    twice,
};
use crate::python::{environment::Environment, name::ProjectName};

/// A `uv.lock`, read.
#[derive(Debug, Clone)]
pub(super) struct UvLock {
    python: Option<Requires>,
    supported: Vec<(Marker, String)>,
    nodes: Vec<Node>,
    by_name: HashMap<ProjectName, Vec<usize>>,
    /// What `uv sync` starts from, as indexes of `nodes`.
    roots: Vec<usize>,
    /// Groups of a workspace whose root is no project.
    workspace_groups: Edges,
}

type Edges = BTreeMap<ProjectName, Vec<Edge>>;

#[derive(Debug, Clone)]
struct Node {
    package: Package,
    source: RawSource,
    /// The part of all environments that it was resolved for; empty for all.
    resolved_for: Vec<(Marker, String)>,
    dependencies: Vec<Edge>,
    extras: Edges,
    groups: Edges,
    /// Extras without dependencies appear here alone.
    provides: BTreeSet<ProjectName>,
}

#[derive(Debug, Clone)]
struct Edge {
    name: ProjectName,
    version: Option<String>,
    source: Option<RawSource>,
    marker: Marker,
    extras: Vec<ProjectName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    version: Spanned<i64>,
    requires_python: Option<String>,
    #[serde(default)]
    supported_markers: Vec<String>,
    #[serde(default)]
    manifest: RawManifest,
    #[serde(default, alias = "distribution")]
    package: Vec<RawPackage>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct RawManifest {
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    dependency_groups: BTreeMap<String, Vec<RawEdge>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackage {
    name: Spanned<String>,
    version: Option<String>,
    #[serde(default)]
    source: RawSource,
    #[serde(default)]
    resolution_markers: Vec<String>,
    #[serde(default)]
    dependencies: Vec<RawEdge>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<RawEdge>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<RawEdge>>,
    #[serde(default)]
    metadata: RawMetadata,
    sdist: Option<RawFile>,
    #[serde(default)]
    wheels: Vec<RawFile>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct RawMetadata {
    #[serde(default)]
    provides_extras: Vec<String>,
    #[serde(default)]
    requires_dev: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
struct RawSource {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
    path: Option<String>,
    directory: Option<String>,
    editable: Option<String>,
    r#virtual: Option<String>,
}

#[derive(Deserialize)]
struct RawEdge {
    name: String,
    version: Option<String>,
    source: Option<RawSource>,
    marker: Option<String>,
    #[serde(alias = "extras")]
    extra: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct RawFile {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

impl UvLock {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (raw, lines): (Raw, Lines) = text::toml(text, Format::Uv)?;
        if *raw.version.get_ref() != 1 {
            let (found, known) = (raw.version.get_ref().to_string(), "1");
            let next = "run “uv lock” with a uv that writes that, or use a newer compose";
            return Err(Problem::Layout { found, known, next }.at(lines.line(raw.version.span().start)));
        }
        let nodes: Vec<Node> = raw.package.into_iter().map(|raw| raw.read(&lines)).collect::<Result<_, _>>()?;
        let mut by_name: HashMap<ProjectName, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            by_name.entry(node.package.name.clone()).or_default().push(at);
        }
        let members: BTreeSet<ProjectName> = text::names(&raw.manifest.members, "workspace member")?;
        // The project beside the lock; in a workspace without one, every member, as in `uv sync`.
        let root = nodes.iter().position(|node| node.source.local() == Some("."));
        let roots = match root {
            Some(root) => vec![root],
            None => members.iter().filter_map(|name| by_name.get(name)).flatten().copied().collect(),
        };
        if roots.is_empty() {
            return Err(Problem::NoRoot.into());
        }
        Ok(Self {
            python: raw.requires_python.as_deref().map(Requires::parse).transpose()?,
            supported: text::markers(raw.supported_markers)?,
            nodes,
            by_name,
            roots,
            workspace_groups: edges(raw.manifest.dependency_groups, "dependency group")?,
        })
    }

    pub fn extras(&self) -> BTreeSet<ProjectName> {
        let of = |node: &Node| node.extras.keys().chain(&node.provides).cloned().collect::<Vec<_>>();
        self.root_nodes().flat_map(of).collect()
    }

    pub fn groups(&self) -> BTreeSet<ProjectName> {
        let of_roots = self.root_nodes().flat_map(|node| node.groups.keys());
        of_roots.chain(self.workspace_groups.keys()).cloned().collect()
    }

    fn root_nodes(&self) -> impl Iterator<Item = &Node> {
        self.roots.iter().filter_map(|at| self.nodes.get(*at))
    }

    /// Every entry, whatever it is for.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.nodes.iter().map(|node| &node.package)
    }

    /// Walks the graph. A project of the machine itself is walked through, and is an error unless it is a root, has
    /// no files of its own (`virtual`), or is in `supplied`.
    pub fn active(
        &self,
        env: &Environment,
        mut scope: Scope,
        supplied: &BTreeSet<ProjectName>,
    ) -> Result<Vec<&Package>, Fault> {
        if let Some(python) = &self.python {
            python.check(env, || "the lock".into())?;
        }
        if !self.supported.is_empty() && !self.supported.iter().any(|(marker, _)| marker.holds(&scope)) {
            let texts: Vec<String> = self.supported.iter().map(|(_, text)| text.clone()).collect();
            return Err(other_environment(&texts, env).into());
        }
        let (extras, groups) = (scope.extras.clone(), scope.groups.clone());
        // Where a project declares conflicts, uv writes what is asked of which project into extras of its own making.
        for root in self.root_nodes().map(|node| &node.package.name) {
            let length = root.as_str().len();
            let encoded = [format!("project-{length}-{root}")]
                .into_iter()
                .chain(extras.iter().map(|extra| format!("extra-{length}-{root}-{extra}")))
                .chain(groups.iter().map(|group| format!("group-{length}-{root}-{group}")));
            scope.extras.extend(encoded.filter_map(|name| name.parse().ok()));
        }
        let mut walk = Walk { lock: self, scope, seen: HashSet::new(), open: Vec::new() };
        for (at, root) in self.roots.iter().zip(self.root_nodes()) {
            walk.open(*at, None);
            for extra in &extras {
                walk.open(*at, Some(extra));
            }
            for group in &groups {
                let edges = root.groups.get(group).map(Vec::as_slice).unwrap_or_default();
                walk.follow(|| root.package.label(), root.package.line, edges)?;
            }
        }
        for group in &groups {
            let edges = self.workspace_groups.get(group).map(Vec::as_slice).unwrap_or_default();
            walk.follow(|| "the workspace".into(), None, edges)?;
        }
        while let Some((node, extra)) = walk.open.pop() {
            let edges = match extra {
                None => Some(&node.dependencies),
                Some(extra) => node.extras.get(extra),
            };
            let edges = edges.map(Vec::as_slice).unwrap_or_default();
            walk.follow(|| node.package.label(), node.package.line, edges)?;
        }
        let reached: BTreeSet<usize> = walk.seen.iter().map(|(at, _)| *at).collect();
        let mut out = Vec::new();
        for at in reached {
            let Some(node) = self.nodes.get(at) else { continue };
            let installed = !self.roots.contains(&at) && node.source.r#virtual.is_none();
            if installed && !supplied.contains(&node.package.name) {
                out.push(&node.package);
            }
        }
        Ok(out)
    }

    /// The package that an edge leads to.
    fn target(&self, edge: &Edge, scope: &Scope) -> Result<Option<usize>, Fault> {
        let candidates = self.by_name.get(&edge.name).map(Vec::as_slice).unwrap_or_default();
        let mut found: Vec<(usize, &Node)> = candidates
            .iter()
            .filter_map(|at| Some((*at, self.nodes.get(*at)?)))
            .filter(|(_, node)| edge.version.is_none() || edge.version == node.package.version)
            .filter(|(_, node)| edge.source.as_ref().is_none_or(|source| *source == node.source))
            .collect();
        if found.len() > 1 {
            let here = |node: &Node| node.resolved_for.iter().any(|(marker, _)| marker.holds(scope));
            found.retain(|(_, node)| node.resolved_for.is_empty() || here(node));
        }
        match found[..] {
            [] => Ok(None),
            [(at, _)] => Ok(Some(at)),
            [(_, first), (_, second), ..] => Err(twice(&first.package, &second.package)),
        }
    }
}

/// A walk of the graph, without recursion.
struct Walk<'l> {
    lock: &'l UvLock,
    scope: Scope,
    seen: HashSet<(usize, Option<&'l ProjectName>)>,
    open: Vec<(&'l Node, Option<&'l ProjectName>)>,
}

impl<'l> Walk<'l> {
    /// Notes that a package, or an extra of it, is to be looked at, once.
    fn open(&mut self, at: usize, extra: Option<&ProjectName>) {
        let Some(node) = self.lock.nodes.get(at) else { return };
        let extra = match extra.map(|extra| node.extras.get_key_value(extra)) {
            // An extra without dependencies changes nothing.
            Some(None) => return,
            Some(Some((extra, _))) => Some(extra),
            None => None,
        };
        if self.seen.insert((at, extra)) {
            self.open.push((node, extra));
        }
    }

    /// Opens what the edges lead to whose markers hold; `from` and `line` say whose they are.
    fn follow(&mut self, from: impl Fn() -> String, line: Option<usize>, edges: &[Edge]) -> Result<(), Fault> {
        for edge in edges {
            if !edge.marker.holds(&self.scope) {
                continue;
            }
            let dangling = || Problem::Dangling { from: from(), name: edge.name.to_string() }.at(line);
            let at = self.lock.target(edge, &self.scope)?.ok_or_else(dangling)?;
            self.open(at, None);
            for extra in &edge.extras {
                self.open(at, Some(extra));
            }
        }
        Ok(())
    }
}

impl RawSource {
    /// The path of a project of the machine itself.
    fn local(&self) -> Option<&str> {
        self.editable.as_deref().or(self.r#virtual.as_deref()).or(self.directory.as_deref())
    }
}

impl RawPackage {
    fn read(self, lines: &Lines) -> Result<Node, Fault> {
        let (name, line) = text::project(&self.name, lines)?;
        self.read_at(name, line).map_err(|problem| problem.at(line))
    }

    fn read_at(self, name: ProjectName, line: usize) -> Result<Node, Problem> {
        let artifacts = if let Some(path) = self.source.local() {
            Artifacts::Source(format!("the project in “{path}” of this machine"))
        } else if let Some(git) = &self.source.git {
            Artifacts::Source(format!("Git ({git})"))
        } else {
            let files = self.wheels.into_iter().chain(self.sdist);
            Artifacts::Files(files.map(|file| file.read(&self.source)).collect())
        };
        let mut groups = edges(self.dev_dependencies, "dependency group")?;
        for empty in self.metadata.requires_dev.keys() {
            groups.entry(text::named(empty, "dependency group")?).or_default();
        }
        Ok(Node {
            package: Package { name, version: self.version, line: Some(line), python: None, artifacts },
            source: self.source,
            resolved_for: text::markers(self.resolution_markers)?,
            dependencies: self.dependencies.into_iter().map(RawEdge::read).collect::<Result<_, _>>()?,
            extras: edges(self.optional_dependencies, "extra")?,
            groups,
            provides: text::names(&self.metadata.provides_extras, "extra")?,
        })
    }
}

impl RawFile {
    /// A file of an index has a URL, or, where the index is a folder, a path in it; a package that is itself one file
    /// has that file's URL or path as its source.
    fn read(self, source: &RawSource) -> File {
        let (mut name, mut place) = match (&self.url, &source.url) {
            (Some(url), _) | (None, Some(url)) => at_url(url),
            (None, None) => (String::new(), Place::Index),
        };
        let path = match (&self.path, &source.registry, &source.path) {
            (Some(file), Some(folder), _) => Some(format!("{}/{file}", folder.trim_end_matches('/'))),
            (Some(file), None, _) => Some(file.clone()),
            (None, _, file) => file.clone(),
        };
        if let Some(path) = path {
            (name, place) = at_url(&path);
            if let Place::Url(path) = place {
                place = Place::Path(path.into());
            }
        }
        let hashes = self.hash.into_iter().collect();
        File { name: self.filename.unwrap_or(name), place, hashes, size: self.size }
    }
}

impl RawEdge {
    fn read(self) -> Result<Edge, Problem> {
        let extras = self.extra.map(OneOrMany::into_vec).unwrap_or_default();
        Ok(Edge {
            name: text::named(&self.name, "package name")?,
            version: self.version,
            source: self.source,
            marker: Marker::parse(self.marker.as_deref().unwrap_or_default())?,
            extras: extras.iter().map(|extra| text::named(extra, "extra")).collect::<Result<_, _>>()?,
        })
    }
}

fn edges(raw: BTreeMap<String, Vec<RawEdge>>, what: &'static str) -> Result<Edges, Problem> {
    let read = |(name, edges): (String, Vec<RawEdge>)| {
        Ok((text::named(&name, what)?, edges.into_iter().map(RawEdge::read).collect::<Result<_, _>>()?))
    };
    raw.into_iter().map(read).collect()
}
