//! One entry of a lock, whatever the format, and the choice of its wheel.
//!
//! In: the entry as its format's reader understood it. Out: [`Wanted`], or why the target cannot have it.

use std::path::{Path, PathBuf};

use pep440_rs::{Version, VersionSpecifiers};

use super::{
    Format, Source, Wanted,
    error::{Fault, Problem, quote},
};
use crate::{
    base::{Sha256, words},
    python::{
        environment::Environment,
        name::ProjectName,
        tags::{Misfit, Tags},
        wheel_name::WheelName,
    },
};

/// How many unfit wheels a message names.
const NAMED: usize = 4;

/// The longest version, bytes.
const LONGEST_VERSION: usize = 200;

/// What a package is locked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub name: ProjectName,
    /// As the lock writes it.
    pub version: Option<String>,
    pub line: Option<usize>,
    pub python: Option<Requires>,
    pub artifacts: Artifacts,
}

/// How the bytes of a package are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Artifacts {
    /// By name, each with its own hashes.
    Files(Vec<File>),
    /// By hash alone, each written `algorithm:digits`.
    Hashes(Vec<String>),
    /// Not at all, since it would have to be built: from what.
    Source(String),
}

/// A wheel or a source archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub name: String,
    pub place: Place,
    /// Each `algorithm:digits`.
    pub hashes: Vec<String>,
    pub size: Option<u64>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Url(String),
    Path(PathBuf),
    Index,
}

/// Versions of Python that a lock or a package is for: any of these, as Poetry allows `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requires {
    text: String,
    any_of: Vec<VersionSpecifiers>,
}

impl Requires {
    /// `Requires-Python`, a list of version specifiers (PEP 440).
    pub fn parse(text: &str) -> Result<Self, Problem> {
        match text.parse::<VersionSpecifiers>() {
            Ok(specifiers) => Ok(Self { text: quote(text), any_of: vec![specifiers] }),
            Err(error) => Err(bad_requires(text, error.to_string())),
        }
    }

    /// Several such lists, of which one has to hold.
    pub fn any_of(text: &str, lists: impl IntoIterator<Item = String>) -> Result<Self, Problem> {
        let parse =
            |list: String| list.parse().map_err(|error: pep440_rs::VersionSpecifiersParseError| error.to_string());
        let any_of = lists.into_iter().map(parse).collect::<Result<_, _>>().map_err(|why| bad_requires(text, why))?;
        Ok(Self { text: quote(text), any_of })
    }

    /// Holds the image's Python against it; `what` is who asks.
    pub fn check(&self, env: &Environment, what: impl FnOnce() -> String) -> Result<(), Problem> {
        let release = env.release();
        if self.any_of.iter().any(|specifiers| specifiers.contains(&release)) {
            return Ok(());
        }
        Err(Problem::Python { what: what(), wants: self.text.clone(), has: env.python().to_string() })
    }
}

fn bad_requires(text: &str, why: String) -> Problem {
    let why = words::quote(why.lines().next().unwrap_or_default(), 300);
    Problem::Value { what: "range of Python versions", value: quote(text), why }
}

impl Package {
    /// Name and version for a message.
    pub fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {}", self.name, quote(version)),
            None => self.name.to_string(),
        }
    }

    /// Its files on this machine, as [`Source::Path`] has them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let files = match &self.artifacts {
            Artifacts::Files(files) => &files[..],
            Artifacts::Hashes(_) | Artifacts::Source(_) => &[],
        };
        files.iter().filter_map(|file| match &file.place {
            Place::Path(path) => Some(path.as_path()),
            Place::Url(_) | Place::Index => None,
        })
    }

    /// Chooses the package's file for the target.
    pub fn choose(&self, env: &Environment, tags: &Tags, format: Format) -> Result<Wanted, Fault> {
        self.chosen(env, tags, format).map_err(|problem| problem.at(self.line))
    }

    fn chosen(&self, env: &Environment, tags: &Tags, format: Format) -> Result<Wanted, Problem> {
        if let Some(requires) = &self.python {
            requires.check(env, || self.label())?;
        }
        let version = self.parsed_version()?;
        let files = match &self.artifacts {
            Artifacts::Source(origin) => {
                return Err(Problem::NotBuilt { package: self.label(), origin: quote(origin) });
            }
            Artifacts::Hashes(hashes) => {
                let sha256 = self.sha256(hashes, None, format)?;
                let version = self.written_version().ok_or_else(|| Problem::Unpinned { package: self.label() })?;
                return Ok(Wanted { name: self.name.clone(), version, source: Source::Index { file: None, sha256 } });
            }
            Artifacts::Files(files) => files,
        };
        let (file, wheel) = self.best(files, version.as_ref(), tags)?;
        let sha256 = self.sha256(&file.hashes, Some(&file.name), format)?;
        let single = || match sha256[..] {
            [sha256] => Ok(sha256),
            _ => Err(Problem::Value {
                what: "pin",
                value: quote(&file.name),
                why: "one file has more than one SHA-256; leave the right one".into(),
            }),
        };
        let wheel_name = wheel.clone();
        let source = match &file.place {
            Place::Url(url) => {
                Source::Url { url: web(url)?.to_owned(), file: wheel_name, sha256: single()?, size: file.size }
            }
            Place::Path(path) => Source::Path { path: path.clone(), file: wheel_name, sha256: single()? },
            Place::Index => Source::Index { file: Some(wheel_name), sha256 },
        };
        let version = self.written_version().unwrap_or_else(|| wheel.version().to_string());
        Ok(Wanted { name: self.name.clone(), version, source })
    }

    /// The version as the lock writes it, without the blanks and line ends around it that PEP 440 lets pass.
    fn written_version(&self) -> Option<String> {
        self.version.as_deref().map(|version| version.trim().to_owned())
    }

    /// The version as a version: it becomes part of commands and of the lock, so that no other text passes.
    fn parsed_version(&self) -> Result<Option<Version>, Problem> {
        let Some(text) = &self.version else { return Ok(None) };
        match text.parse() {
            Ok(version) if text.len() <= LONGEST_VERSION => Ok(Some(version)),
            _ => Err(Problem::Value {
                what: "version",
                value: quote(text),
                why: format!("{} must have one that PEP 440 allows", self.name),
            }),
        }
    }

    /// The best wheel of `files`.
    fn best<'f>(
        &self,
        files: &'f [File],
        version: Option<&Version>,
        tags: &Tags,
    ) -> Result<(&'f File, WheelName), Problem> {
        let parsed: Vec<_> = files
            .iter()
            .filter(|file| file.name.ends_with(".whl"))
            .map(|file| (file, WheelName::parse(&file.name)))
            .collect();
        let good = parsed.iter().filter_map(|(file, name)| Some((name.as_ref().ok()?, *file)));
        if let Some((wheel, file)) = tags.best(good) {
            let version_fits = version.is_none_or(|version| version == wheel.version());
            if *wheel.project() != self.name || !version_fits {
                let found = format!("{} {}", wheel.project(), wheel.version());
                return Err(Problem::Misnamed { package: self.label(), file: quote(&file.name), found });
            }
            return Ok((file, wheel.clone()));
        }
        let (package, wanted) = (self.label(), tags.summary());
        if parsed.is_empty() {
            return Err(match files.first() {
                Some(archive) => Problem::SourceOnly { package, archive: quote(&archive.name), wanted },
                None => Problem::NoFiles { package },
            });
        }
        let mut unfit: Vec<(Option<Misfit>, String)> = parsed
            .into_iter()
            .map(|(file, name)| match name {
                Ok(name) => {
                    let misfit = tags.misfit(&name);
                    let why = misfit.as_ref().map(ToString::to_string).unwrap_or_default();
                    (misfit, format!("{} ({why})", file.name))
                }
                Err(error) => (Some(Misfit::Tags(String::new())), format!("{} ({})", quote(&file.name), error.why)),
            })
            .collect();
        // What comes nearest is named first.
        unfit.sort();
        let more = unfit.len().saturating_sub(NAMED);
        let mut has = unfit.into_iter().take(NAMED).map(|(_, text)| text).collect::<Vec<_>>().join(", ");
        if more > 0 {
            has.push_str(&format!(" and {more} more"));
        }
        Err(Problem::NoneFits { package, wanted, has })
    }

    /// The SHA-256 digests of `hashes`; there is at least one. Other kinds are passed over.
    fn sha256(&self, hashes: &[String], file: Option<&str>, format: Format) -> Result<Vec<Sha256>, Problem> {
        let mut out = Vec::new();
        for hash in hashes {
            if let Some(digits) = hash.strip_prefix("sha256:") {
                let bad = |error: crate::base::BadDigest| Problem::Value {
                    what: "hash",
                    value: quote(hash),
                    why: format!("{error}; it stands at {}", self.label()),
                };
                out.push(digits.parse().map_err(bad)?);
            }
        }
        out.sort();
        out.dedup();
        if out.is_empty() {
            return Err(Problem::NoHash { package: self.label(), file: file.map(quote), format });
        }
        Ok(out)
    }
}

/// `url`, if it is one that compose fetches from.
fn web(url: &str) -> Result<&str, Problem> {
    let bad = |why: &str| Problem::Value { what: "URL", value: quote(url), why: why.into() };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| bad("wheels are fetched by http and https, or are files beside the lock"))?;
    if rest.is_empty() || rest.starts_with('/') {
        return Err(bad("it names no host"));
    }
    if url.len() > 4096 || !url.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(bad("it is longer than 4096 bytes, or has characters that must be written as %XX"));
    }
    Ok(url)
}

/// A file at a URL or, with `file:`, at a path: its name and place. The name is the last part of the path.
pub(super) fn at_url(url: &str) -> (String, Place) {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let name = unescaped(path.rsplit('/').next().unwrap_or_default());
    let place = match path.strip_prefix("file:") {
        Some(rest) => Place::Path(unescaped(rest.strip_prefix("//").unwrap_or(rest)).into()),
        None => Place::Url(url.split('#').next().unwrap_or_default().to_owned()),
    };
    (name, place)
}

/// The digest that pip lets follow a URL: `#sha256=…`, perhaps among others.
pub(super) fn fragment_sha256(url: &str) -> Option<String> {
    let (_, fragment) = url.split_once('#')?;
    let digits = fragment.split('&').find_map(|part| part.strip_prefix("sha256="))?;
    Some(format!("sha256:{digits}"))
}

/// A file at a path relative to the lock.
pub(super) fn at_path(path: &str) -> (String, Place) {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    (name, Place::Path(path.into()))
}

/// Either of the two, as requirements and `Pipfile.lock` write them.
pub(super) fn at_url_or_path(text: &str) -> (String, Place) {
    if text.starts_with("file:") || text.contains("://") { at_url(text) } else { at_path(text) }
}

/// Replaces `%XX`; what is no UTF-8 then, or no such escape, is left as it is.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16)?.try_into().ok());
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                let (high, low): (u8, u8) = (high, low);
                out.push(high << 4 | low);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
