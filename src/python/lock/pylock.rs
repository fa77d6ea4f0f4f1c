//! `pylock.toml` (PEP 751, now the specification "pylock.toml").
//!
//! In: its text. Out: the packages that apply to a target, after the steps of the specification's "Installation".

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Format,
    error::{Fault, Problem, quote},
    marker::{Marker, Scope},
    other_environment,
    package::{Artifacts, File, Package, Place, Requires, at_path, at_url},
    text::{self, Lines},
};
use crate::python::{environment::Environment, name::ProjectName};

/// A `pylock.toml`, read.
#[derive(Debug, Clone)]
pub(super) struct Pylock {
    python: Option<Requires>,
    environments: Vec<(Marker, String)>,
    extras: BTreeSet<ProjectName>,
    groups: BTreeSet<ProjectName>,
    default_groups: BTreeSet<ProjectName>,
    packages: Vec<(Marker, Package)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    lock_version: Spanned<String>,
    #[serde(default)]
    environments: Vec<String>,
    requires_python: Option<String>,
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    dependency_groups: Vec<String>,
    #[serde(default)]
    default_groups: Vec<String>,
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackage {
    name: Spanned<String>,
    version: Option<String>,
    marker: Option<String>,
    requires_python: Option<String>,
    vcs: Option<RawTree>,
    directory: Option<RawTree>,
    archive: Option<RawFile>,
    sdist: Option<RawFile>,
    wheels: Option<Vec<RawFile>>,
}

#[derive(Deserialize)]
struct RawTree {
    r#type: Option<String>,
    url: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct RawFile {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Pylock {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (raw, lines): (Raw, Lines) = text::toml(text, Format::Pylock)?;
        let version = raw.lock_version.get_ref();
        if version.split('.').next() != Some("1") {
            let (known, next) = ("1.x", "write it with a tool that writes that, or use a newer compose");
            let line = lines.line(raw.lock_version.span().start);
            return Err(Problem::Layout { found: quote(version), known, next }.at(line));
        }
        Ok(Self {
            python: raw.requires_python.as_deref().map(Requires::parse).transpose()?,
            environments: text::markers(raw.environments)?,
            extras: text::names(&raw.extras, "extra")?,
            groups: text::names(&raw.dependency_groups, "dependency group")?,
            default_groups: text::names(&raw.default_groups, "default group")?,
            packages: raw.packages.into_iter().map(|package| package.read(&lines)).collect::<Result<_, _>>()?,
        })
    }

    pub fn extras(&self) -> BTreeSet<ProjectName> {
        self.extras.clone()
    }

    pub fn groups(&self) -> BTreeSet<ProjectName> {
        self.groups.union(&self.default_groups).cloned().collect()
    }

    /// Every entry, whatever it is for.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().map(|(_, package)| package)
    }

    /// The default groups always count: what is asked for comes on top.
    pub fn active(&self, env: &Environment, mut scope: Scope) -> Result<Vec<&Package>, Fault> {
        scope.groups.extend(self.default_groups.iter().cloned());
        if let Some(python) = &self.python {
            python.check(env, || "the lock".into())?;
        }
        if !self.environments.is_empty() && !self.environments.iter().any(|(marker, _)| marker.holds(&scope)) {
            let texts: Vec<String> = self.environments.iter().map(|(_, text)| text.clone()).collect();
            return Err(other_environment(&texts, env).into());
        }
        Ok(self.packages.iter().filter(|(marker, _)| marker.holds(&scope)).map(|(_, package)| package).collect())
    }
}

impl RawPackage {
    fn read(self, lines: &Lines) -> Result<(Marker, Package), Fault> {
        let (name, line) = text::project(&self.name, lines)?;
        self.read_at(name, line).map_err(|problem| problem.at(line))
    }

    fn read_at(self, name: ProjectName, line: usize) -> Result<(Marker, Package), Problem> {
        let marker = Marker::parse(self.marker.as_deref().unwrap_or_default())?;
        let kinds = [
            self.vcs.is_some(),
            self.directory.is_some(),
            self.archive.is_some(),
            self.sdist.is_some() || self.wheels.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() > 1 {
            let why = "of vcs, directory, archive, and wheels with sdist, it may have one; lock again".into();
            return Err(Problem::Value { what: "entry", value: name.to_string(), why });
        }
        let artifacts = if let Some(vcs) = self.vcs {
            let place = vcs.url.or(vcs.path).unwrap_or_default();
            Artifacts::Source(format!("{} ({place})", vcs.r#type.as_deref().unwrap_or("version control")))
        } else if let Some(directory) = self.directory {
            Artifacts::Source(format!("the folder “{}”", directory.path.or(directory.url).unwrap_or_default()))
        } else {
            let files = self.wheels.unwrap_or_default().into_iter().chain(self.archive).chain(self.sdist);
            Artifacts::Files(files.map(RawFile::read).collect())
        };
        let python = self.requires_python.as_deref().map(Requires::parse).transpose()?;
        Ok((marker, Package { name, version: self.version, line: Some(line), python, artifacts }))
    }
}

impl RawFile {
    /// `path` goes before `url`, as the specification says.
    fn read(self) -> File {
        let (last, place) = match (&self.path, &self.url) {
            (Some(path), _) => at_path(path),
            (None, Some(url)) => at_url(url),
            (None, None) => (String::new(), Place::Index),
        };
        let hashes =
            self.hashes.iter().map(|(kind, digits)| format!("{}:{digits}", kind.to_ascii_lowercase())).collect();
        File { name: self.name.unwrap_or(last), place, hashes, size: self.size }
    }
}
