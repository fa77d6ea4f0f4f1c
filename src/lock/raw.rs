//! The lock's file as TOML has it, before anything in it is checked.
//!
//! In: text. Out: a [`Lock`] whose parts fit together, or what is wrong, in words.

use std::{collections::BTreeMap, str::FromStr};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Built, CutEdge, FileIs, LOCK_VERSION, Lock, LockedFile, LockedNeed, LockedPackage, LockedRepository, LockedTarball,
    LockedWheel, Target,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLock {
    version: i64,
    manifest: String,
    epoch: toml::value::Datetime,
    #[serde(default)]
    repository: Vec<RawRepository>,
    target: BTreeMap<String, RawTarget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepository {
    name: String,
    suite: String,
    origin: Option<String>,
    codename: Option<String>,
    version: Option<String>,
    snapshot: Option<toml::value::Datetime>,
    date: toml::value::Datetime,
    release: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawTarget {
    proven_minimal: bool,
    installed_size: u64,
    #[serde(default)]
    cut: Vec<RawCut>,
    tree: Option<String>,
    #[serde(default)]
    diff_ids: Vec<String>,
    #[serde(default)]
    layers: Vec<String>,
    format: Option<u32>,
    #[serde(default)]
    files: Vec<RawFile>,
    #[serde(default)]
    needs: Vec<RawNeed>,
    #[serde(default)]
    package: Vec<RawPackage>,
    #[serde(default)]
    tarball: Vec<RawTarball>,
    #[serde(default)]
    wheel: Vec<RawWheel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    mode: Option<String>,
    sha256: Option<String>,
    link: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeed {
    what: String,
    clause: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarball {
    name: String,
    sha256: String,
    #[serde(default)]
    needs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWheel {
    name: String,
    version: String,
    filename: String,
    size: u64,
    sha256: String,
    url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    needs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCut {
    package: String,
    dependency: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPackage {
    name: String,
    version: String,
    arch: String,
    source: String,
    source_version: Option<String>,
    repository: String,
    filename: String,
    size: u64,
    sha256: String,
    required_by: Vec<String>,
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn time(value: &toml::value::Datetime) -> Result<Timestamp, String> {
    parsed(&value.to_string())
}

/// Reads and checks a whole lock.
pub(super) fn parse(text: &str) -> Result<Lock, String> {
    let raw: RawLock = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    if raw.version != LOCK_VERSION {
        return Err(format!("it has version {}, this program knows version {LOCK_VERSION}", raw.version));
    }
    let repositories = raw.repository.into_iter().map(RawRepository::check).collect::<Result<Vec<_>, _>>()?;
    let targets = raw
        .target
        .into_iter()
        .map(|(arch, target)| Ok((parsed(&arch)?, target.check(&repositories)?)))
        .collect::<Result<_, String>>()?;
    Ok(Lock { manifest: parsed(&raw.manifest)?, epoch: time(&raw.epoch)?, repositories, targets })
}

impl RawRepository {
    fn check(self) -> Result<LockedRepository, String> {
        let Self { name, suite, origin, codename, version, snapshot, date, release } = self;
        let snapshot = snapshot.as_ref().map(time).transpose()?;
        let (date, release) = (time(&date)?, parsed(&release)?);
        Ok(LockedRepository { name, suite, origin, codename, version, snapshot, date, release })
    }
}

impl RawTarget {
    fn check(self, repositories: &[LockedRepository]) -> Result<Target, String> {
        let digests = |list: &[String]| list.iter().map(|text| parsed(text)).collect::<Result<Vec<_>, _>>();
        let built = match (&self.tree, self.format) {
            (Some(tree), Some(format)) => Some(Built {
                tree: parsed(tree)?,
                diff_ids: digests(&self.diff_ids)?,
                layers: digests(&self.layers)?,
                format,
                files: self.files.into_iter().map(RawFile::check).collect::<Result<_, _>>()?,
            }),
            (None, None) => None,
            _ => return Err("“tree” and “format” go together, and one is missing".into()),
        };
        let packages = self
            .package
            .into_iter()
            .map(|p| {
                if !repositories.iter().any(|r| r.name == p.repository) {
                    return Err(format!("{} is from repository “{}”, which it does not list", p.name, p.repository));
                }
                if p.filename.starts_with('/') || p.filename.split('/').any(|part| part == "..") {
                    return Err(format!("the filename “{}” leads out of the archive", p.filename));
                }
                Ok(LockedPackage {
                    name: parsed(&p.name)?,
                    version: parsed(&p.version)?,
                    arch: p.arch,
                    source: p.source,
                    source_version: p.source_version.as_deref().map(parsed).transpose()?,
                    repository: p.repository,
                    filename: p.filename,
                    size: p.size,
                    sha256: parsed(&p.sha256)?,
                    required_by: p.required_by,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let cut = self
            .cut
            .into_iter()
            .map(|RawCut { package, dependency, reason }| CutEdge { package, dependency, reason })
            .collect();
        let needs = self.needs.into_iter().map(|RawNeed { what, clause }| LockedNeed { what, clause }).collect();
        let tarballs = self
            .tarball
            .into_iter()
            .map(|RawTarball { name, sha256, needs }| Ok(LockedTarball { name, sha256: parsed(&sha256)?, needs }));
        Ok(Target {
            proven_minimal: self.proven_minimal,
            installed_size: self.installed_size,
            cut,
            built,
            needs,
            packages,
            tarballs: tarballs.collect::<Result<_, String>>()?,
            wheels: self.wheel.into_iter().map(RawWheel::check).collect::<Result<_, _>>()?,
        })
    }
}

impl RawFile {
    fn check(self) -> Result<LockedFile, String> {
        let is = match (self.mode, self.sha256, self.link) {
            (Some(mode), Some(sha256), None) => {
                let bits = u32::from_str_radix(&mode, 8).ok().filter(|bits| *bits <= 0o7777);
                let mode = bits.ok_or_else(|| format!("“{mode}” is no mode of {}", self.path))?;
                FileIs::File { mode, sha256: parsed(&sha256)? }
            }
            (None, None, Some(link)) => FileIs::Link(link),
            _ => return Err(format!("{} has neither mode and sha256 nor link", self.path)),
        };
        Ok(LockedFile { path: self.path, is })
    }
}

impl RawWheel {
    fn check(self) -> Result<LockedWheel, String> {
        let Self { name, version, filename, size, sha256, url, path, needs } = self;
        if filename.contains('/') || !filename.ends_with(".whl") {
            return Err(format!("“{filename}” is not the name of a wheel"));
        }
        Ok(LockedWheel { name, version, filename, size, sha256: parsed(&sha256)?, url, path, needs })
    }
}
