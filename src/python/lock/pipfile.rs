//! `Pipfile.lock`, as pipenv writes it (pipfile-spec 6).
//!
//! In: its text. Out: the packages of the categories asked for whose markers hold. It pins by name, version and the
//! hashes of all files of that version, so that which of them is the wheel is known after the download only.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Format,
    error::{Fault, Problem},
    marker::{Marker, Scope},
    package::{Artifacts, File, Package, Requires, at_url_or_path, fragment_sha256},
    text,
};
use crate::python::{environment::Environment, name::ProjectName};

/// The category of `[packages]`; it is always in.
const DEFAULT: &str = "default";
/// The category of `[dev-packages]`.
const DEVELOP: &str = "develop";

/// The highest layout that is known.
const SPEC: u64 = 6;

/// A `Pipfile.lock`, read.
#[derive(Debug, Clone)]
pub(super) struct Pipfile {
    python: Option<Requires>,
    categories: BTreeMap<ProjectName, Vec<(Marker, Package)>>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "_meta")]
    meta: RawMeta,
    #[serde(flatten)]
    categories: BTreeMap<String, BTreeMap<String, RawPackage>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMeta {
    pipfile_spec: Option<u64>,
    #[serde(default)]
    requires: RawRequires,
}

#[derive(Deserialize, Default)]
struct RawRequires {
    python_version: Option<String>,
    python_full_version: Option<String>,
}

#[derive(Deserialize)]
struct RawPackage {
    version: Option<String>,
    markers: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    file: Option<String>,
    path: Option<String>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// The name of a category in the lock: pipenv's commands call two of them otherwise.
pub(super) fn category(name: ProjectName) -> ProjectName {
    let renamed = match name.as_str() {
        "packages" => DEFAULT.parse(),
        "dev" | "dev-packages" => DEVELOP.parse(),
        _ => return name,
    };
    renamed.unwrap_or(name)
}

impl Pipfile {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let raw: Raw = text::json(text, Format::Pipfile)?;
        if raw.meta.pipfile_spec.is_some_and(|spec| spec != SPEC) {
            let found = raw.meta.pipfile_spec.unwrap_or_default().to_string();
            let next = "run “pipenv lock” with a current pipenv";
            return Err(Problem::Layout { found, known: "pipfile-spec 6", next }.into());
        }
        let requires = raw.meta.requires;
        let minor = requires.python_version.map(|version| format!("=={version}.*"));
        let full = requires.python_full_version.map(|version| format!("=={version}"));
        let python = full.or(minor).as_deref().map(Requires::parse).transpose()?;
        let mut categories = BTreeMap::new();
        for (name, packages) in raw.categories {
            let packages = packages.into_iter().map(|(name, raw)| raw.read(&name)).collect::<Result<_, _>>()?;
            categories.insert(text::named(&name, "category")?, packages);
        }
        Ok(Self { python, categories })
    }

    pub fn groups(&self) -> BTreeSet<ProjectName> {
        self.categories.keys().cloned().chain(DEFAULT.parse()).collect()
    }

    /// Every entry, whatever it is for.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.categories.values().flatten().map(|(_, package)| package)
    }

    pub fn active(&self, env: &Environment, scope: &Scope) -> Result<Vec<&Package>, Fault> {
        if let Some(python) = &self.python {
            python.check(env, || "the lock".into())?;
        }
        let asked = |name: &ProjectName| name.as_str() == DEFAULT || scope.groups.contains(name);
        let packages = self.categories.iter().filter(|(name, _)| asked(name)).flat_map(|(_, packages)| packages);
        Ok(packages.filter(|(marker, _)| marker.holds(scope)).map(|(_, package)| package).collect())
    }
}

impl RawPackage {
    fn read(self, name: &str) -> Result<(Marker, Package), Problem> {
        let name = text::named(name, "package name")?;
        let marker = Marker::parse(self.markers.as_deref().unwrap_or_default())?;
        // pipenv writes “*” for what it did not resolve on its own machine: an error only where it is wanted.
        let version = self.version.as_deref().and_then(pinned);
        let tree =
            ["git", "hg", "svn", "bzr"].into_iter().find_map(|kind| Some((kind, self.more.get(kind)?.as_str()?)));
        let file = self.file.or(self.path);
        let editable = self.more.get("editable").and_then(Value::as_bool).unwrap_or(false);
        let artifacts = match (tree, file) {
            (Some((kind, url)), _) => Artifacts::Source(format!("{kind} ({url})")),
            (None, Some(path)) if editable || !has_extension(&path) => {
                Artifacts::Source(format!("the folder “{path}”"))
            }
            (None, Some(at)) => {
                let (name, place) = at_url_or_path(&at);
                let hashes = self.hashes.into_iter().chain(fragment_sha256(&at)).collect();
                Artifacts::Files(vec![File { name, place, hashes, size: None }])
            }
            (None, None) => Artifacts::Hashes(self.hashes),
        };
        // A file says its version by its name.
        let version = if matches!(&artifacts, Artifacts::Files(_)) { None } else { version };
        Ok((marker, Package { name, version, line: None, python: None, artifacts }))
    }
}

/// The version of `==VERSION`.
fn pinned(text: &str) -> Option<String> {
    let version = text.strip_prefix("==")?.trim_start_matches('=').trim();
    (!version.is_empty() && !version.contains(['*', ','])).then(|| version.to_owned())
}

/// Whether a path names a file that pip would install, rather than a folder.
fn has_extension(path: &str) -> bool {
    let path = path.split(['#', '?']).next().unwrap_or_default();
    [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar"].iter().any(|extension| path.ends_with(extension))
}
