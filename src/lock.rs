//! `snapshots/NAME.lock`: what was chosen, so that a second build chooses nothing.
//!
//! In: a solution, or the file of an earlier run. Out: sorted TOML, one change a line in a `git diff`, without any
//! mirror's URL.

use std::{collections::BTreeMap, fs, io, path::Path, path::PathBuf, str::FromStr};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    base::{Arch, PackageName, Sha256, aside},
    control::Version,
};

/// The layout of the file; another number is refused.
const LOCK_VERSION: i64 = 1;

/// A whole lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// [`crate::manifest::meaning`] of the manifest that it was made for.
    pub manifest: Sha256,
    /// The newest Release date: the time of everything in the image.
    pub epoch: Timestamp,
    /// Where packages come from, sorted by name.
    pub repositories: Vec<LockedRepository>,
    /// One for each architecture.
    pub targets: BTreeMap<Arch, Target>,
}

/// One suite as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedRepository {
    /// `debian`, `debian-security`, or the manifest's name for it.
    pub name: String,
    /// Suite asked for.
    pub suite: String,
    /// The Release's own words; they make os-release where base-files is absent.
    pub origin: Option<String>,
    /// Codename.
    pub codename: Option<String>,
    /// Point release, such as `13.8`.
    pub version: Option<String>,
    /// The Release's date.
    pub date: Timestamp,
    /// Digest of the signed text.
    pub release: Sha256,
}

/// What one architecture's image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the solver proved that no smaller closure exists.
    pub proven_minimal: bool,
    /// Sum of Installed-Size, KiB.
    pub installed_size: u64,
    /// Dependencies that count as met without a package.
    pub cut: Vec<CutEdge>,
    /// What the build made; absent in a lock that was never built.
    pub built: Option<Built>,
    /// What is asked for by a library's or a file's name, and the packages that would do; sorted.
    pub needs: Vec<LockedNeed>,
    /// Sorted by name.
    pub packages: Vec<LockedPackage>,
    /// In the manifest's order.
    pub tarballs: Vec<LockedTarball>,
    /// Sorted by name.
    pub wheels: Vec<LockedWheel>,
}

/// A need and what meets it, as the Contents index had it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedNeed {
    /// `soname:libGL.so.1` or `file:/usr/bin/git`.
    pub what: String,
    /// The clause that the solver was given: `a | b`.
    pub clause: String,
}

/// One `[[tarballs]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedTarball {
    /// Its file's name.
    pub name: String,
    /// Of the file.
    pub sha256: Sha256,
    /// What its ELF files need, without `soname:`; sorted.
    pub needs: Vec<String>,
}

/// One `.whl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedWheel {
    /// The project, normalised (PEP 503).
    pub name: String,
    /// Its version, as the file's name has it.
    pub version: String,
    /// The file's name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Sha256,
    /// Where it is, if the application's lock says so.
    pub url: Option<String>,
    /// Where it is, relative to the folder of the application's lock, if that says so.
    pub path: Option<String>,
    /// What its ELF files need of the system, without `soname:`; sorted.
    pub needs: Vec<String>,
}

/// A dependency that `packages.provided` cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutEdge {
    /// Who depends.
    pub package: String,
    /// On what.
    pub dependency: String,
    /// Why it is not needed.
    pub reason: String,
}

/// Digests of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Of the tree's content and metadata.
    pub tree: Sha256,
    /// Of the plain layers.
    pub diff_ids: Vec<Sha256>,
    /// Of the compressed layers.
    pub layers: Vec<Sha256>,
    /// The output format version that `layers` hold for.
    pub format: u32,
    /// Files of this machine that `[[files]]` put into the image, sorted by path; empty in a lock that is older than
    /// this list.
    pub files: Vec<LockedFile>,
}

/// A file or a symbolic link that was copied from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile {
    /// Where it is in the rootfs.
    pub path: String,
    /// What it is.
    pub is: FileIs,
}

/// What of an own file decides over the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileIs {
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Of its bytes.
        sha256: Sha256,
    },
    /// A symbolic link, and where it leads.
    Link(String),
}

/// One `.deb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Binary package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// `amd64` …, or `all`.
    pub arch: String,
    /// Source package.
    pub source: String,
    /// Its version, if it is not this package's but for `+bN` of a rebuild.
    pub source_version: Option<Version>,
    /// Name of the [`LockedRepository`].
    pub repository: String,
    /// Path below the archive's root.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of the `.deb`.
    pub sha256: Sha256,
    /// Direct dependants; empty when the manifest asks for it.
    pub required_by: Vec<String>,
}

/// A lock cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The operating system refuses.
    #[error("cannot {action} the lock {}: {source}", path.display())]
    Io {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what this program writes.
    #[error("{} is not a lock that this compose reads: {why}\nnext step: restore it from version control, or run with --update to make it anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

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

impl Lock {
    /// Reads `path`; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a lock of this version.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|why| LockError::Malformed { path: path.into(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Io { action: "read", path: path.into(), source }),
        }
    }

    /// Parses the text of a lock.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
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
        Ok(Self { manifest: parsed(&raw.manifest)?, epoch: time(&raw.epoch)?, repositories, targets })
    }

    /// Writes the file whole, by rename.
    ///
    /// # Errors
    /// As the operating system says; an earlier file is then still there.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |source| LockError::Io { action: "write", path: path.into(), source };
        fs::create_dir_all(aside::folder(path)).map_err(failed)?;
        aside::write(path, self.to_string().as_bytes(), 0o644).map_err(failed)
    }
}

impl RawRepository {
    fn check(self) -> Result<LockedRepository, String> {
        let Self { name, suite, origin, codename, version, date, release } = self;
        Ok(LockedRepository { name, suite, origin, codename, version, date: time(&date)?, release: parsed(&release)? })
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

/// A TOML basic string.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The file's text.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "# Made by compose; holds on every mirror. Renew it with `compose lock`.")?;
        writeln!(f, "version = {LOCK_VERSION}\nmanifest = \"{}\"\nepoch = {}", self.manifest, self.epoch)?;
        for repository in &self.repositories {
            writeln!(f, "\n[[repository]]\nname = {}", quote(&repository.name))?;
            writeln!(f, "suite = {}", quote(&repository.suite))?;
            for (key, value) in
                [("origin", &repository.origin), ("codename", &repository.codename), ("version", &repository.version)]
            {
                if let Some(value) = value {
                    writeln!(f, "{key} = {}", quote(value))?;
                }
            }
            writeln!(f, "date = {}\nrelease = \"{}\"", repository.date, repository.release)?;
        }
        for (arch, target) in &self.targets {
            writeln!(f, "\n[target.{arch}]\nproven-minimal = {}", target.proven_minimal)?;
            writeln!(f, "installed-size = {}", target.installed_size)?;
            list(
                f,
                "cut",
                target.cut.iter().map(|cut| {
                    let (package, dependency, reason) =
                        (quote(&cut.package), quote(&cut.dependency), quote(&cut.reason));
                    format!("{{ package = {package}, dependency = {dependency}, reason = {reason} }}")
                }),
            )?;
            if let Some(built) = &target.built {
                writeln!(f, "tree = \"{}\"", built.tree)?;
                list(f, "diff-ids", built.diff_ids.iter().map(|digest| format!("\"{digest}\"")))?;
                list(f, "layers", built.layers.iter().map(|digest| format!("\"{digest}\"")))?;
                writeln!(f, "format = {}", built.format)?;
                let file = |LockedFile { path, is }: &LockedFile| match is {
                    FileIs::File { mode, sha256 } => {
                        format!("{{ path = {}, mode = \"{mode:04o}\", sha256 = \"{}\" }}", quote(path), sha256.hex())
                    }
                    FileIs::Link(target) => format!("{{ path = {}, link = {} }}", quote(path), quote(target)),
                };
                list(f, "files", built.files.iter().map(file))?;
            }
            let need =
                |need: &LockedNeed| format!("{{ what = {}, clause = {} }}", quote(&need.what), quote(&need.clause));
            list(f, "needs", target.needs.iter().map(need))?;
            for p in &target.packages {
                writeln!(f, "\n[[target.{arch}.package]]\nname = {}", quote(p.name.as_str()))?;
                writeln!(f, "version = {}\narch = {}", quote(&p.version.to_string()), quote(&p.arch))?;
                writeln!(f, "source = {}", quote(&p.source))?;
                if let Some(version) = &p.source_version {
                    writeln!(f, "source-version = {}", quote(version.as_str()))?;
                }
                writeln!(f, "repository = {}", quote(&p.repository))?;
                writeln!(f, "filename = {}\nsize = {}", quote(&p.filename), p.size)?;
                writeln!(f, "sha256 = \"{}\"", p.sha256.hex())?;
                writeln!(f, "required-by = [{}]", inline(&p.required_by))?;
            }
            for tarball in &target.tarballs {
                writeln!(f, "\n[[target.{arch}.tarball]]\nname = {}", quote(&tarball.name))?;
                writeln!(f, "sha256 = \"{}\"\nneeds = [{}]", tarball.sha256.hex(), inline(&tarball.needs))?;
            }
            for wheel in &target.wheels {
                writeln!(f, "\n[[target.{arch}.wheel]]\nname = {}", quote(&wheel.name))?;
                writeln!(f, "version = {}\nfilename = {}", quote(&wheel.version), quote(&wheel.filename))?;
                writeln!(f, "size = {}\nsha256 = \"{}\"", wheel.size, wheel.sha256.hex())?;
                for (key, value) in [("url", &wheel.url), ("path", &wheel.path)] {
                    if let Some(value) = value {
                        writeln!(f, "{key} = {}", quote(value))?;
                    }
                }
                writeln!(f, "needs = [{}]", inline(&wheel.needs))?;
            }
        }
        Ok(())
    }
}

/// The items of an array in one line.
fn inline(items: &[String]) -> String {
    items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", ")
}

/// An array with an item a line, or nothing when it is empty.
fn list(f: &mut std::fmt::Formatter<'_>, key: &str, items: impl Iterator<Item = String>) -> std::fmt::Result {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    writeln!(f, "{key} = [")?;
    for item in items {
        writeln!(f, "    {item},")?;
    }
    writeln!(f, "]")
}
