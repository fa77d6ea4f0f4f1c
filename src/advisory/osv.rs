//! One advisory of an OSV dump, and whether it speaks of a version (OSV schema 1.7; “Evaluation”).
//!
//! In: the JSON of a `GHSA-…`, `PYSEC-…` or `MAL-…` file. Out: [`Advisory`]; only what it says of PyPI.

use std::{borrow::Cow, cmp::Ordering, str::FromStr as _};

use pep440_rs::Version;
use serde::Deserialize;

use super::{Urgency, cvss};
use crate::{base::words, python::ProjectName};

/// Longest description that is kept, characters.
const LONGEST: usize = 400;
/// Most names of one advisory.
const MANY: usize = 200;

/// An advisory that speaks of Python projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// `GHSA-…`, `PYSEC-…`.
    pub id: String,
    /// The same vulnerability elsewhere.
    pub aliases: Vec<String>,
    /// First words of its description.
    pub summary: String,
    /// How grave it is; `None` if it does not say.
    pub urgency: Option<Urgency>,
    /// RFC 3339, as written: the last change.
    pub modified: String,
    /// The projects, and which versions of them.
    pub affected: Vec<Affected>,
}

/// Versions of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The project.
    pub name: ProjectName,
    /// Listed one by one.
    pub versions: Vec<String>,
    /// From … until …
    pub ranges: Vec<Vec<Event>>,
}

/// A point in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Vulnerable from this on.
    Introduced(Point),
    /// No longer from this on.
    Fixed(Point),
    /// The last one that is.
    LastAffected(Point),
}

/// A version in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// `0`: before all.
    Start,
    /// A version of PEP 440.
    At(Version),
    /// Something else.
    Unreadable(String),
}

impl Point {
    fn read(text: &str) -> Self {
        match text {
            "0" => Self::Start,
            text => Version::from_str(text).map_or_else(|_| Self::Unreadable(words::quote(text, 60)), Self::At),
        }
    }

    /// How it lies to `version`; what cannot be read is taken for what makes more versions vulnerable.
    fn against(&self, version: &Version, unreadable: Ordering) -> Ordering {
        match self {
            Self::Start => Ordering::Less,
            Self::At(own) => own.cmp(version),
            Self::Unreadable(_) => unreadable,
        }
    }
}

impl Event {
    fn point(&self) -> &Point {
        match self {
            Self::Introduced(point) | Self::Fixed(point) | Self::LastAffected(point) => point,
        }
    }

    /// The order of events in a range: by version; at the same one, what ends comes before what begins.
    fn order(&self, other: &Self) -> Ordering {
        let key = |event: &Self| match event {
            Self::Fixed(_) => 0_u8,
            Self::Introduced(_) => 1,
            Self::LastAffected(_) => 2,
        };
        let by_version = match (self.point(), other.point()) {
            (Point::At(a), Point::At(b)) => a.cmp(b),
            (Point::Start, Point::Start) => Ordering::Equal,
            (Point::Start, _) => Ordering::Less,
            (_, Point::Start) => Ordering::Greater,
            // Last, where it changes nothing that is known.
            (Point::Unreadable(_), Point::At(_)) => Ordering::Greater,
            (Point::At(_), Point::Unreadable(_)) => Ordering::Less,
            (Point::Unreadable(_), Point::Unreadable(_)) => Ordering::Equal,
        };
        by_version.then(key(self).cmp(&key(other)))
    }
}

/// What an advisory says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The first later version that is not vulnerable, if there is one.
    pub fixed: Option<Version>,
}

impl Affected {
    /// Whether `version` is vulnerable. A local version (`2.1.0+cpu`) is what it was built from.
    pub fn hits(&self, version: &Version) -> Option<Hit> {
        let version = &version.clone().without_local();
        let mut fixes: Vec<&Version> = Vec::new();
        let mut is_hit = self.versions.iter().any(|text| Version::from_str(text).is_ok_and(|one| one == *version));
        for range in &self.ranges {
            is_hit |= is_within(range, version);
            fixes.extend(range.iter().filter_map(|event| match event {
                Event::Fixed(Point::At(fixed)) if fixed > version => Some(fixed),
                _ => None,
            }));
        }
        is_hit.then(|| Hit { fixed: fixes.into_iter().min().cloned() })
    }
}

/// OSV's evaluation of a range whose events are sorted.
fn is_within(range: &[Event], version: &Version) -> bool {
    let mut is_vulnerable = false;
    for event in range {
        match event {
            Event::Introduced(point) if point.against(version, Ordering::Less).is_le() => is_vulnerable = true,
            Event::Fixed(point) if point.against(version, Ordering::Greater).is_le() => is_vulnerable = false,
            Event::LastAffected(point) if point.against(version, Ordering::Greater).is_lt() => is_vulnerable = false,
            _ => {}
        }
    }
    is_vulnerable
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    modified: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    withdrawn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    aliases: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    summary: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    details: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    severity: Option<Vec<RawSeverity<'a>>>,
    #[serde(borrow, default)]
    affected: Option<Vec<RawAffected<'a>>>,
    #[serde(default)]
    database_specific: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawSeverity<'a> {
    #[serde(borrow, default)]
    score: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawAffected<'a> {
    #[serde(borrow, default)]
    package: Option<RawPackage<'a>>,
    #[serde(borrow, default)]
    severity: Option<Vec<RawSeverity<'a>>>,
    #[serde(borrow, default)]
    ranges: Option<Vec<RawRange<'a>>>,
    #[serde(borrow, default)]
    versions: Option<Vec<Cow<'a, str>>>,
}

#[derive(Deserialize)]
struct RawPackage<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawRange<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    events: Vec<RawEvent<'a>>,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow, default)]
    introduced: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fixed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    last_affected: Option<Cow<'a, str>>,
}

impl Advisory {
    /// Reads a file of a dump; `None` if it was withdrawn or says nothing of PyPI.
    ///
    /// # Errors
    /// When it is no advisory.
    pub fn parse(json: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let raw: Raw<'_> = serde_json::from_slice(json)?;
        let all = raw.affected.unwrap_or_default();
        let is_python = |one: &&RawAffected<'_>| {
            // `PyPI:…` would be a part of it.
            let ecosystem = one.package.as_ref().map(|package| package.ecosystem.split(':').next().unwrap_or_default());
            ecosystem == Some("PyPI")
        };
        let vectors = raw.severity.iter().flatten();
        let vectors = vectors.chain(all.iter().filter(is_python).flat_map(|one| one.severity.iter().flatten()));
        let scored = vectors.filter_map(|one| cvss::urgency(one.score.as_deref()?)).max();
        let said = raw.database_specific.as_ref().and_then(|own| own.get("severity")?.as_str());
        let affected: Vec<Affected> = all.iter().filter(is_python).filter_map(affected).collect();
        if raw.withdrawn.is_some() || affected.is_empty() {
            return Ok(None);
        }
        let summary = raw.summary.filter(|text| !text.trim().is_empty());
        let first_line = |text: &Cow<'_, str>| text.trim().lines().next().unwrap_or_default().to_owned();
        let summary = summary.or(raw.details).as_ref().map(first_line).unwrap_or_default();
        let aliases = raw.aliases.unwrap_or_default();
        Ok(Some(Self {
            id: words::quote(&raw.id, 60),
            aliases: aliases.iter().take(MANY).map(|name| words::quote(name, 60)).collect(),
            summary: words::quote(&summary, LONGEST),
            urgency: said.and_then(in_words).or(scored),
            modified: raw.modified.map(|text| words::quote(&text, 40)).unwrap_or_default(),
            affected,
        }))
    }
}

/// GitHub's words, and those of others.
fn in_words(text: &str) -> Option<Urgency> {
    Some(match text.to_ascii_uppercase().as_str() {
        "LOW" => Urgency::Low,
        "MODERATE" | "MEDIUM" => Urgency::Medium,
        "HIGH" => Urgency::High,
        "CRITICAL" => Urgency::Critical,
        _ => return None,
    })
}

fn affected(raw: &RawAffected<'_>) -> Option<Affected> {
    // A name that no project can have is nobody's in an image.
    let name = raw.package.as_ref()?.name.parse().ok()?;
    // Of GIT ranges the versions are commits; those of PyPI are always listed too.
    let ranges = raw.ranges.iter().flatten().filter(|range| range.kind == "ECOSYSTEM" || range.kind == "SEMVER");
    let ranges = ranges.map(|range| {
        let mut events: Vec<Event> = range.events.iter().flat_map(events).collect();
        events.sort_by(Event::order);
        events
    });
    let versions = raw.versions.iter().flatten().map(|text| text.to_string());
    Some(Affected { name, versions: versions.collect(), ranges: ranges.collect() })
}

fn events(raw: &RawEvent<'_>) -> impl Iterator<Item = Event> {
    let introduced = raw.introduced.as_deref().map(|text| Event::Introduced(Point::read(text)));
    let fixed = raw.fixed.as_deref().map(|text| Event::Fixed(Point::read(text)));
    let last = raw.last_affected.as_deref().map(|text| Event::LastAffected(Point::read(text)));
    introduced.into_iter().chain(fixed).chain(last)
}

#[cfg(test)]
mod tests;
