//! `poetry.lock`, as Poetry 2 writes it (lock-version 2.x with `groups`).
//!
//! In: its text. Out: the packages of the groups asked for whose markers hold. Poetry resolves markers and extras
//! when it locks, so that each entry says on its own when it is installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Format,
    error::{Fault, Problem, quote},
    marker::{Marker, Scope},
    package::{Artifacts, File, Package, Place, Requires, at_url},
    text::{self, Lines},
};
use crate::python::{environment::Environment, name::ProjectName};

/// The group of what the project itself needs.
const MAIN: &str = "main";

/// What to do about a lock of Poetry 1.
const POETRY_2: &str = "run “poetry lock” with Poetry 2, which writes each package's groups and markers";

/// A `poetry.lock`, read.
#[derive(Debug, Clone)]
pub(super) struct PoetryLock {
    python: Option<Requires>,
    extras: BTreeSet<ProjectName>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    package: Package,
    /// The marker for each group that it is in.
    groups: BTreeMap<ProjectName, Marker>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    package: Vec<RawPackage>,
    #[serde(default)]
    extras: BTreeMap<String, serde::de::IgnoredAny>,
    metadata: RawMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMetadata {
    lock_version: Spanned<String>,
    python_versions: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackage {
    name: Spanned<String>,
    version: String,
    python_versions: Option<String>,
    groups: Option<Vec<String>>,
    markers: Option<RawMarkers>,
    #[serde(default)]
    files: Vec<RawFile>,
    source: Option<RawSource>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMarkers {
    All(String),
    ByGroup(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct RawFile {
    file: String,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct RawSource {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
}

impl PoetryLock {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (raw, lines): (Raw, Lines) = text::toml(text, Format::Poetry)?;
        let version = &raw.metadata.lock_version;
        let line = lines.line(version.span().start);
        let layout = |next| Problem::Layout { found: quote(version.get_ref()), known: "2.x", next };
        match version.get_ref().split('.').next() {
            Some("2") => {}
            Some("1" | "0") => return Err(layout(POETRY_2).at(line)),
            _ => return Err(layout("write it with Poetry 2, or use a newer compose").at(line)),
        }
        let mut entries = Vec::new();
        for raw in raw.package {
            let (name, line) = text::project(&raw.name, &lines)?;
            entries.push(raw.read(name, line).map_err(|problem| problem.at(line))?);
        }
        Ok(Self {
            python: raw.metadata.python_versions.as_deref().map(requires).transpose()?,
            extras: text::names(raw.extras.keys(), "extra")?,
            entries,
        })
    }

    pub fn extras(&self) -> BTreeSet<ProjectName> {
        self.extras.clone()
    }

    pub fn groups(&self) -> BTreeSet<ProjectName> {
        let named = self.entries.iter().flat_map(|entry| entry.groups.keys().cloned());
        named.chain(MAIN.parse()).collect()
    }

    /// Every entry, whatever it is for.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.entries.iter().map(|entry| &entry.package)
    }

    pub fn active(&self, env: &Environment, scope: &Scope) -> Result<Vec<&Package>, Fault> {
        if let Some(python) = &self.python {
            python.check(env, || "the lock".into())?;
        }
        let asked = |group: &ProjectName| group.as_str() == MAIN || scope.groups.contains(group);
        let applies = |entry: &&Entry| entry.groups.iter().any(|(group, marker)| asked(group) && marker.holds(scope));
        Ok(self.entries.iter().filter(applies).map(|entry| &entry.package).collect())
    }
}

impl RawPackage {
    fn read(self, name: ProjectName, line: usize) -> Result<Entry, Problem> {
        let Some(groups) = self.groups else {
            return Err(Problem::Layout { found: "2.x without groups".into(), known: "2.x with them", next: POETRY_2 });
        };
        let mut markers = BTreeMap::new();
        for group in groups {
            let text = match &self.markers {
                None => "",
                Some(RawMarkers::All(text)) => text,
                Some(RawMarkers::ByGroup(texts)) => texts.get(&group).map(String::as_str).unwrap_or_default(),
            };
            let text = if text == "*" { "" } else { text };
            markers.insert(text::named(&group, "group")?, Marker::parse(text)?);
        }
        let source = self.source.unwrap_or(RawSource { kind: None, url: None });
        let url = source.url.unwrap_or_default();
        let files = |place: &dyn Fn(&str) -> Place| {
            let read = |file: RawFile| {
                let place = place(&file.file);
                File { name: file.file, place, hashes: file.hash.into_iter().collect(), size: None }
            };
            Artifacts::Files(self.files.into_iter().map(read).collect())
        };
        let artifacts = match source.kind.as_deref() {
            Some("git") => Artifacts::Source(format!("Git ({url})")),
            Some("directory") => Artifacts::Source(format!("the folder “{url}”")),
            Some("file") => files(&|_| Place::Path(url.as_str().into())),
            Some("url") => files(&|_| at_url(&url).1),
            _ => files(&|_| Place::Index),
        };
        let python = self.python_versions.as_deref().map(requires).transpose()?;
        let package = Package { name, version: Some(self.version), line: Some(line), python, artifacts };
        Ok(Entry { package, groups: markers })
    }
}

/// Poetry's ranges of versions: those of PEP 440, and `^`, `~`, `*`, bare versions, blanks for commas, `||`.
fn requires(text: &str) -> Result<Requires, Problem> {
    if text.len() > 1000 {
        return Requires::parse(&quote(text));
    }
    let lists = text.split('|').map(str::trim).filter(|part| !part.is_empty());
    Requires::any_of(
        text,
        lists.map(|list| {
            let mut out: Vec<String> = Vec::new();
            let mut operator = String::new();
            for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
                operator.push_str(word);
                if word.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '*') {
                    out.extend(specifiers(&std::mem::take(&mut operator)));
                }
            }
            out.push(operator);
            out.retain(|specifier| !specifier.is_empty());
            out.join(",")
        }),
    )
}

/// One of Poetry's ranges as PEP 440 writes it; what is not Poetry's own is left to PEP 440's reader.
fn specifiers(word: &str) -> Vec<String> {
    let bounded = |version: &str, kept: fn(&[u64]) -> usize| -> Option<Vec<String>> {
        let parts: Vec<u64> = version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let at = kept(&parts);
        let mut upper: Vec<String> = parts.get(..at)?.iter().map(u64::to_string).collect();
        upper.push(parts.get(at)?.checked_add(1)?.to_string());
        Some(vec![format!(">={version}"), format!("<{}", upper.join("."))])
    };
    let own = if word == "*" {
        Some(Vec::new())
    } else if let Some(version) = word.strip_prefix('^') {
        // Up to the next change of the first part that is not zero.
        bounded(version, |parts| parts.iter().position(|part| *part != 0).unwrap_or(parts.len().saturating_sub(1)))
    } else if let Some(version) = word.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        bounded(version, |parts| parts.len().saturating_sub(1).min(1))
    } else if word.starts_with(|c: char| c.is_ascii_digit()) {
        Some(vec![format!("=={word}")])
    } else {
        let version = word.strip_prefix('=').filter(|rest| !rest.starts_with('='));
        version.map(|version| vec![format!("=={version}")])
    };
    own.unwrap_or_else(|| vec![word.to_owned()])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::base::Arch;

    #[test]
    fn poetry_s_ranges_are_understood() {
        for (text, version, fits) in [
            ("*", "3.13.5", true),
            (">=3.11", "3.13.5", true),
            ("^3.11", "3.13.5", true),
            ("^3.14", "3.13.5", false),
            ("^3.11", "4.0.0", false),
            ("~3.13", "3.13.5", true),
            ("~3.12", "3.13.5", false),
            ("~3", "3.13.5", true),
            ("~=3.12", "3.13.5", true),
            ("3.13.*", "3.13.5", true),
            ("3.13.5", "3.13.5", true),
            ("=3.12", "3.13.5", false),
            (">=2.7,!=3.0.*,!=3.1.*", "3.13.5", true),
            (">= 3.9 < 3.13", "3.13.5", false),
            ("~2.7 || ^3.13", "3.13.5", true),
            ("<3.12||>=3.14", "3.13.5", false),
        ] {
            let env = Environment::new(Arch::Amd64, version.parse().unwrap(), (2, 41));
            assert_eq!(requires(text).unwrap().check(&env, String::new).is_ok(), fits, "{text} {version}");
        }
        for bad in ["^x", "^", ">=3.9 <", "^18446744073709551615", "three"] {
            assert!(requires(bad).is_err(), "{bad}");
        }
    }
}
