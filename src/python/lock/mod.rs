//! The lock file of an application: which wheels it wants on a target.
//!
//! In: the bytes of a `pylock.toml`, `uv.lock`, `poetry.lock`, `Pipfile.lock` or requirements with hashes, and an
//! [`Environment`]. Out: one [`Wanted`] a project, sorted by name, each pinned by SHA-256. Nothing is read or fetched
//! here; the readers are functions on bytes that come from outside.

mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(super) mod marker;
mod package;
mod pipfile;
mod poetry;
mod pylock;
mod requirements;
mod text;
mod uv;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

pub(super) use error::quote;
pub use error::{LockFault, Problem};

use self::{error::Fault, marker::Scope, package::Package};
use super::{
    environment::{Environment, machine},
    name::ProjectName,
    wheel_name::WheelName,
};
use crate::base::{Sha256, aside, words};

/// The longest lock that is read, bytes. One of a thousand projects for all platforms has some 10 MiB.
pub const LARGEST: usize = 64 << 20;

/// The kinds of lock that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `pylock.toml`, `pylock.NAME.toml` (PEP 751).
    Pylock,
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`, as Poetry 2 writes it.
    Poetry,
    /// `Pipfile.lock`.
    Pipfile,
    /// Requirements with hashes, as `pip-compile --generate-hashes`, `uv export` and `poetry export` write them.
    Requirements,
}

impl Format {
    /// The format of a file, by its name.
    ///
    /// # Errors
    /// The name is none of a lock's.
    pub fn of(file: &Path) -> Result<Self, LockFault> {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let named = |name: &str| {
            let middle = name.strip_prefix("pylock.")?.strip_suffix(".toml")?;
            (!middle.is_empty() && !middle.contains('.')).then_some(())
        };
        match &*name {
            "pylock.toml" => Ok(Self::Pylock),
            "uv.lock" => Ok(Self::Uv),
            "poetry.lock" => Ok(Self::Poetry),
            "Pipfile.lock" => Ok(Self::Pipfile),
            name if named(name).is_some() => Ok(Self::Pylock),
            name if name.ends_with(".txt") => Ok(Self::Requirements),
            name => {
                let input = name.ends_with(".in");
                Err(Fault::from(Problem::UnknownFormat { input }).within(file))
            }
        }
    }

    /// What the file is written in, for a message.
    fn language(self) -> &'static str {
        match self {
            Self::Pylock | Self::Uv | Self::Poetry => "TOML",
            Self::Pipfile => "JSON",
            Self::Requirements => "requirements",
        }
    }

    /// How its hashes are made, for a message.
    fn hashes(self) -> &'static str {
        match self {
            Self::Pylock => {
                "lock again (“uv export --format pylock.toml” or “pip lock”) from an index that gives SHA-256"
            }
            Self::Uv => "run “uv lock” again, with an index that gives SHA-256 (a folder of wheels gives none)",
            Self::Poetry => "run “poetry lock” again, with an index that gives SHA-256",
            Self::Pipfile => "run “pipenv lock” again, with an index that gives SHA-256",
            Self::Requirements => {
                "write the file again with “uv pip compile --generate-hashes”, “pip-compile --generate-hashes”, \
                 “uv export” or “poetry export”"
            }
        }
    }

    /// Why there are no groups or extras in it, and what to do.
    fn without(self) -> &'static str {
        match self {
            Self::Requirements => {
                "what the file lists is all that is installed: export it with that group or extra, and leave it out of \
                 python.groups and python.extras"
            }
            _ => "in Pipfile.lock only categories choose; name one of them in python.groups",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pylock => "pylock.toml",
            Self::Uv => "uv.lock",
            Self::Poetry => "poetry.lock",
            Self::Pipfile => "Pipfile.lock",
            Self::Requirements => "requirements",
        })
    }
}

/// One wheel that the lock wants on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The project.
    pub name: ProjectName,
    /// Its version, as the lock writes it.
    pub version: String,
    /// Where its wheel comes from.
    pub source: Source,
}

/// Where a wheel comes from, and what pins its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The lock says where.
    Url {
        /// `http` or `https`.
        url: String,
        /// The wheel.
        file: WheelName,
        /// Of its bytes.
        sha256: Sha256,
        /// Bytes, if the lock says so.
        size: Option<u64>,
    },
    /// A file of the machine.
    Path {
        /// Relative to the lock's folder, unless absolute.
        path: PathBuf,
        /// The wheel.
        file: WheelName,
        /// Of its bytes.
        sha256: Sha256,
    },
    /// To be downloaded from an index by name and version.
    Index {
        /// The wheel, if the lock names files.
        file: Option<WheelName>,
        /// What its bytes may hash to: one digest where the lock names files, else any of these. Never empty.
        sha256: Vec<Sha256>,
    },
}

/// A lock, read once; [`PythonLock::select`] asks it for a target.
#[derive(Debug, Clone)]
pub struct PythonLock {
    file: PathBuf,
    format: Format,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Pylock(pylock::Pylock),
    Uv(uv::UvLock),
    Poetry(poetry::PoetryLock),
    Pipfile(pipfile::Pipfile),
    Requirements(requirements::Requirements),
}

/// The names that may be asked for; none where the format has no such thing.
struct Names {
    groups: Option<BTreeSet<ProjectName>>,
    extras: Option<BTreeSet<ProjectName>>,
}

impl PythonLock {
    /// Reads the lock `file`, whose content is `bytes`. The name tells the format; paths in messages are as given.
    ///
    /// # Errors
    /// No known name; too large; not in the format, or a version of it that is unknown. A single entry that could not
    /// be installed is no error until it is selected.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, LockFault> {
        let format = Format::of(file)?;
        let body = Self::body(format, bytes).map_err(|fault| fault.within(file))?;
        Ok(Self { file: file.into(), format, body })
    }

    fn body(format: Format, bytes: &[u8]) -> Result<Body, Fault> {
        if bytes.len() > LARGEST {
            return Err(Problem::TooLarge { size: bytes.len() }.into());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| Problem::NotText { at: error.valid_up_to() })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(match format {
            Format::Pylock => Body::Pylock(pylock::Pylock::parse(text)?),
            Format::Uv => Body::Uv(uv::UvLock::parse(text)?),
            Format::Poetry => Body::Poetry(poetry::PoetryLock::parse(text)?),
            Format::Pipfile => Body::Pipfile(pipfile::Pipfile::parse(text)?),
            Format::Requirements => Body::Requirements(requirements::Requirements::parse(text)?),
        })
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The folder that the paths in it start from.
    pub fn folder(&self) -> &Path {
        aside::folder(&self.file)
    }

    /// Itself, and the files on this machine that it names for any target.
    pub fn files(&self) -> Vec<PathBuf> {
        let packages: Box<dyn Iterator<Item = &Package>> = match &self.body {
            Body::Pylock(lock) => Box::new(lock.packages()),
            Body::Uv(lock) => Box::new(lock.packages()),
            Body::Poetry(lock) => Box::new(lock.packages()),
            Body::Pipfile(lock) => Box::new(lock.packages()),
            Body::Requirements(lock) => Box::new(lock.packages()),
        };
        let named = packages.flat_map(Package::paths).map(|path| self.folder().join(path));
        [self.file.clone()].into_iter().chain(named).collect()
    }

    /// The wheels that the lock wants on `env`, sorted by name, one version a name: the default dependencies, and
    /// those of `groups` and `extras`. What is in `supplied` comes from elsewhere (`python.wheels`) and is left out;
    /// its dependencies are not.
    ///
    /// # Errors
    /// An unknown group or extra; a Python that the lock is not for; an entry without a wheel that fits, or without
    /// SHA-256; two entries for one name.
    pub fn select(
        &self,
        env: &Environment,
        groups: &[String],
        extras: &[String],
        supplied: &BTreeSet<ProjectName>,
    ) -> Result<Vec<Wanted>, LockFault> {
        self.selected(env, groups, extras, supplied).map_err(|fault| fault.within(&self.file))
    }

    fn selected(
        &self,
        env: &Environment,
        groups: &[String],
        extras: &[String],
        supplied: &BTreeSet<ProjectName>,
    ) -> Result<Vec<Wanted>, Fault> {
        let names = self.names();
        let scope = Scope {
            environment: env.markers(),
            extras: self.asked("extra", extras, names.extras)?,
            groups: self.asked("group", groups, names.groups)?,
        };
        let active = match &self.body {
            Body::Pylock(lock) => lock.active(env, scope)?,
            Body::Uv(lock) => lock.active(env, scope, supplied)?,
            Body::Poetry(lock) => lock.active(env, &scope)?,
            Body::Pipfile(lock) => lock.active(env, &scope)?,
            Body::Requirements(lock) => lock.active(&scope),
        };
        let mut one: BTreeMap<&ProjectName, &Package> = BTreeMap::new();
        for package in active {
            if supplied.contains(&package.name) {
                continue;
            }
            let Some(first) = one.insert(&package.name, package) else { continue };
            if (&first.version, &first.artifacts) != (&package.version, &package.artifacts) {
                return Err(twice(first, package));
            }
        }
        let tags = env.tags();
        one.values().map(|package| package.choose(env, &tags, self.format)).collect()
    }

    fn names(&self) -> Names {
        match &self.body {
            Body::Pylock(lock) => Names { groups: Some(lock.groups()), extras: Some(lock.extras()) },
            Body::Uv(lock) => Names { groups: Some(lock.groups()), extras: Some(lock.extras()) },
            Body::Poetry(lock) => Names { groups: Some(lock.groups()), extras: Some(lock.extras()) },
            Body::Pipfile(lock) => Names { groups: Some(lock.groups()), extras: None },
            Body::Requirements(_) => Names { groups: None, extras: None },
        }
    }

    /// Holds the names asked for against those that there are.
    fn asked(
        &self,
        what: &'static str,
        asked: &[String],
        known: Option<BTreeSet<ProjectName>>,
    ) -> Result<BTreeSet<ProjectName>, Fault> {
        let mut out = BTreeSet::new();
        for text in asked {
            let Some(known) = &known else {
                return Err(Problem::Without { what, name: quote(text), next: self.format.without() }.into());
            };
            let name = text.parse::<ProjectName>().ok().map(|name| match &self.body {
                Body::Pipfile(_) => pipfile::category(name),
                _ => name,
            });
            match name.filter(|name| known.contains(name)) {
                Some(name) => out.insert(name),
                None => {
                    let near = words::nearest(text, known.iter().map(ProjectName::as_str)).map(str::to_owned);
                    let known = known.iter().map(ToString::to_string).collect();
                    return Err(Problem::Unknown { what, name: quote(text), near, known }.into());
                }
            };
        }
        Ok(out)
    }
}

/// Two entries that apply at once.
fn twice(first: &Package, second: &Package) -> Fault {
    let describe = |package: &Package| match package.line {
        Some(line) => format!("{} (line {line})", package.label()),
        None => package.label(),
    };
    let (name, line) = (second.name.to_string(), second.line);
    Problem::Twice { name, first: describe(first), second: describe(second) }.at(line)
}

/// None of the environments that a lock was made for holds.
fn other_environment(wants: &[String], env: &Environment) -> Problem {
    let wants = quote(&wants.join(" or "));
    Problem::Environments { wants, python: env.python().to_string(), machine: machine(env.arch()) }
}
