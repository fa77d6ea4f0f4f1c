//! Every package of every suite for one architecture, by name.
//!
//! In: decompressed `Packages` texts. Out: [`Universe`]: candidates that borrow from those texts, who provides what,
//! and near names for those who mistyped one.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::{
    base::{Arch, Sha256},
    control::{Paragraph, Paragraphs, relation::Clauses, relation::Op, version},
};

/// One package in one version, as its stanza says.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are the stanza's")]
pub struct Candidate<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub arch: &'a str,
    /// Source package, without its version.
    pub source: &'a str,
    /// Index of the suite that it comes from.
    pub repository: usize,
    pub filename: &'a str,
    /// Of the `.deb`, bytes.
    pub size: u64,
    pub sha256: Sha256,
    /// KiB; where the field is missing, the `.deb`'s size rounded up.
    pub installed_size: u64,
    pub pre_depends: &'a str,
    pub depends: &'a str,
    pub provides: &'a str,
    pub conflicts: &'a str,
    pub breaks: &'a str,
    pub multi_arch: &'a str,
}

/// A candidate's place in the universe.
pub type Id = usize;

/// A stanza that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a package index of “{repository}” cannot be read: {why}; tell the archive's keepers, or choose another mirror")]
pub struct UniverseError {
    /// Whose index.
    pub repository: String,
    /// What is wrong with it.
    pub why: String,
}

/// One index.
#[derive(Debug, Clone, Copy)]
pub struct IndexText<'a> {
    /// Index of the suite; a lower one wins where versions are equal.
    pub repository: usize,
    /// What messages call it.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// All candidates.
#[derive(Debug, Default)]
pub struct Universe<'a> {
    candidates: Vec<Candidate<'a>>,
    /// Highest version first.
    by_name: HashMap<&'a str, Vec<Id>>,
    providers: HashMap<&'a str, Vec<(Id, Option<&'a str>)>>,
}

impl<'a> Universe<'a> {
    /// Reads the indexes, side by side.
    ///
    /// # Errors
    /// A stanza without a field that every package has, or with one that cannot be read.
    pub fn build(indexes: &[IndexText<'a>], arch: Arch) -> Result<Self, UniverseError> {
        let parts: Vec<_> = indexes.par_iter().map(|index| read(index, arch)).collect::<Result<_, _>>()?;
        let mut universe = Self { candidates: parts.concat(), ..Self::default() };
        for (id, candidate) in universe.candidates.iter().enumerate() {
            universe.by_name.entry(candidate.name).or_default().push(id);
            for atom in Clauses::new(candidate.provides).flatten().flatten() {
                let version = match atom.constraint {
                    Some((Op::Equal, version)) => Some(version),
                    // Policy 7.5: a Provides is unversioned or exact.
                    _ => None,
                };
                universe.providers.entry(atom.name).or_default().push((id, version));
            }
        }
        for ids in universe.by_name.values_mut() {
            let candidates = &universe.candidates;
            ids.sort_by(|&a, &b| {
                let (a, b) = (&candidates[a], &candidates[b]);
                version::compare(b.version, a.version).then(a.repository.cmp(&b.repository))
            });
        }
        Ok(universe)
    }

    /// A candidate.
    pub fn get(&self, id: Id) -> &Candidate<'a> {
        &self.candidates[id]
    }

    /// How many candidates there are.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// All versions of the real package `name`, the highest first.
    pub fn versions(&self, name: &str) -> &[Id] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Who provides `name`, and in which version if it says so.
    pub fn providers(&self, name: &str) -> &[(Id, Option<&'a str>)] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }

    /// Up to three names that `name` may have been meant to be, the nearest first.
    pub fn suggest(&self, name: &str) -> Vec<&'a str> {
        let mut near: Vec<_> = self
            .by_name
            .keys()
            .chain(self.providers.keys())
            .map(|known| (strsim::damerau_levenshtein(name, known), *known))
            .filter(|(distance, known)| *distance <= 1 + known.len().min(name.len()) / 4)
            .collect();
        near.sort_unstable();
        near.dedup();
        near.into_iter().take(3).map(|(_, known)| known).collect()
    }
}

fn read<'a>(index: &IndexText<'a>, arch: Arch) -> Result<Vec<Candidate<'a>>, UniverseError> {
    let fault = |why: String| UniverseError { repository: index.name.into(), why };
    let mut out = Vec::new();
    for paragraph in Paragraphs::new(index.text) {
        let paragraph = paragraph.map_err(|error| fault(error.to_string()))?;
        let candidate = candidate(&paragraph, index.repository).map_err(fault)?;
        if candidate.arch == arch.as_str() || candidate.arch == "all" {
            out.push(candidate);
        }
    }
    Ok(out)
}

fn candidate<'a>(paragraph: &Paragraph<'a>, repository: usize) -> Result<Candidate<'a>, String> {
    let name = paragraph.get("Package").unwrap_or_default().trim();
    let need = |field: &str| {
        let value = paragraph.get(field).map(str::trim).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("package “{name}” has no field {field}"))
    };
    let number = |field: &str, text: &str| {
        text.trim().parse::<u64>().map_err(|_| format!("package “{name}”: {field} is “{text}”, not a number"))
    };
    let optional = |field: &str| paragraph.get(field).map(str::trim).unwrap_or_default();
    if !crate::base::PackageName::is_valid(name) {
        return Err(format!("“{name}” is not a package name"));
    }
    let version = need("Version")?;
    version::Version::check(version).map_err(|error| format!("package “{name}”: {error}"))?;
    let filename = need("Filename")?;
    if filename.starts_with('/') || filename.split('/').any(|part| part == "..") {
        return Err(format!("package “{name}”: the filename “{filename}” leads out of the archive"));
    }
    let size = number("Size", need("Size")?)?;
    let source = optional("Source");
    Ok(Candidate {
        name,
        version,
        arch: need("Architecture")?,
        source: if source.is_empty() { name } else { source.split(' ').next().unwrap_or(name) },
        repository,
        filename,
        size,
        sha256: need("SHA256")?.parse().map_err(|error| format!("package “{name}”: {error}"))?,
        installed_size: match paragraph.get("Installed-Size") {
            Some(text) => number("Installed-Size", text)?,
            None => size.div_ceil(1024),
        },
        pre_depends: optional("Pre-Depends"),
        depends: optional("Depends"),
        provides: optional("Provides"),
        conflicts: optional("Conflicts"),
        breaks: optional("Breaks"),
        multi_arch: optional("Multi-Arch"),
    })
}
