//! The Debian Security Tracker's data: which issues each source package has, and how each suite stands to them.
//!
//! In: the JSON of `tracker/data/json` (some 70 MB), the names of the sources and the suites that matter. Out:
//! [`Tracker`], which holds those alone. What is left out is passed over without being built, however large or deep.
//!
//! The shape is that of the tracker's own `tracker_service.py` (`_get_json`): an object of sources, each an object of
//! issues (`CVE-…`, `TEMP-…`) with `description`, `scope`, `debianbug` and `releases`; in these, by codename, `status`
//! (`open`, `resolved`, `undetermined`), `repositories` (the versions that the suite and its `-security` and `-lts` have),
//! `fixed_version` (only if resolved; `0` where no version was ever affected), `urgency`, `nodsa` (a comment: no advisory
//! will be made) and `nodsa_reason` (empty, `ignored` or `postponed`). Keys without a value are absent. A suite counts as
//! resolved when one of its three repositories is fixed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{AdvisoryError, Urgency, error::quoted};
use crate::{base::words, control::Version};

/// Largest document that is read, bytes: seven times what the real one has.
pub const MAX_TRACKER: u64 = 512 << 20;
/// Longest description that is kept, characters.
const LONGEST: usize = 400;
/// Most issues of one source that are kept; `linux` has some 8,000.
const MANY: usize = 200_000;
/// How many suites are named when the wanted one is not there.
const NAMED: usize = 20;

/// What the tracker says of some sources in some suites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracker {
    /// Issues by source package, each sorted by name.
    pub sources: BTreeMap<String, Vec<Issue>>,
    /// The suites that occur in it; all of them only if one that was wanted does not.
    pub suites: BTreeSet<String>,
    /// How many sources it speaks of in all.
    pub entries: usize,
}

/// One vulnerability of one source package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// `CVE-2026-1234`, or `TEMP-…`.
    pub id: String,
    /// First words of its description, free of control characters.
    pub description: String,
    /// How the wanted suites stand to it.
    pub releases: BTreeMap<String, Release>,
}

/// How a suite stands to an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Whether it is vulnerable.
    pub state: State,
    /// How grave the security team finds it.
    pub urgency: Urgency,
    /// That no advisory of its own will be made, and why.
    pub nodsa: Option<NoDsa>,
    /// The newest version that the suite, its security or its LTS archive has.
    pub newest: Option<Version>,
}

/// The tracker's `status`, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Every version in the suite is vulnerable.
    Open,
    /// Fixed since this version.
    Fixed(Version),
    /// No version in the suite was ever vulnerable.
    NotAffected,
    /// Nobody has found out yet.
    Undetermined,
}

/// The security team's decision that an issue gets no advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoDsa {
    /// What follows from it.
    pub reason: NoDsaReason,
    /// The comment, such as `Minor issue`.
    pub comment: String,
}

/// `nodsa_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDsaReason {
    /// Empty: it may be fixed in a point release.
    NoAdvisory,
    /// It will not be fixed in this suite.
    Ignored,
    /// It is fixed along with the next issue.
    Postponed,
}

/// Which parts of the tracker's data matter.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Source packages.
    pub sources: &'a BTreeSet<String>,
    /// Codenames; at least one.
    pub suites: &'a BTreeSet<String>,
}

impl Tracker {
    /// Reads the tracker's JSON.
    ///
    /// # Errors
    /// When it is no such document, or does not know one of the suites: then nothing can be said of that.
    pub fn parse(json: &[u8], from: &str, wanted: Wanted<'_>) -> Result<Self, AdvisoryError> {
        let mut tracker = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(json);
        let read = Document { tracker: &mut tracker, wanted }.deserialize(&mut reader).and_then(|()| reader.end());
        read.map_err(|error| AdvisoryError::Tracker { from: from.to_owned(), why: quoted(&error.to_string()) })?;
        if let Some(missing) = wanted.suites.iter().find(|suite| !tracker.suites.contains(*suite)) {
            let known: Vec<&str> = tracker.suites.iter().take(NAMED).map(String::as_str).collect();
            return Err(AdvisoryError::NoSuite {
                from: from.to_owned(),
                suite: words::quote(missing, 60),
                known: if known.is_empty() { "none at all".to_owned() } else { known.join(", ") },
            });
        }
        for issues in tracker.sources.values_mut() {
            issues.sort_by(|a, b| a.id.cmp(&b.id));
        }
        Ok(tracker)
    }
}

/// The outermost object.
struct Document<'a> {
    tracker: &'a mut Tracker,
    wanted: Wanted<'a>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of source packages, as the Debian Security Tracker's data/json is")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { tracker, wanted } = self;
        while let Some(source) = map.next_key::<Cow<'de, str>>()? {
            tracker.entries += 1;
            if wanted.sources.contains(&*source) {
                let mut issues = tracker.sources.remove(&*source).unwrap_or_default();
                map.next_value_seed(Issues {
                    into: &mut issues,
                    suites: &mut tracker.suites,
                    wanted,
                    source: &source,
                })?;
                tracker.sources.insert(source.into_owned(), issues);
            } else if wanted.suites.is_subset(&tracker.suites) {
                map.next_value::<IgnoredAny>()?;
            } else {
                // Looked through for the suites alone: whether there are data of one must be known before “nothing was
                // found” may be said of it.
                map.next_value_seed(Names { suites: &mut tracker.suites })?;
            }
        }
        Ok(())
    }
}

/// A wanted source's object.
struct Issues<'a> {
    into: &'a mut Vec<Issue>,
    suites: &'a mut BTreeSet<String>,
    wanted: Wanted<'a>,
    source: &'a str,
}

impl<'de> DeserializeSeed<'de> for Issues<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Issues<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of the issues of {}", words::quote(self.source, 60))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<Cow<'de, str>>()? {
            let raw: RawIssue<'de> = map.next_value()?;
            for suite in raw.releases.keys() {
                note_suite(self.suites, suite);
            }
            if self.into.len() == MANY {
                return Err(serde::de::Error::custom(format_args!("more than {MANY} issues of one source")));
            }
            let releases = raw.releases.into_iter().filter(|(suite, _)| self.keeps(suite));
            self.into.push(Issue {
                id: words::quote(&id, 60),
                description: words::quote(raw.description.as_deref().unwrap_or_default().trim(), LONGEST),
                releases: releases.map(|(suite, release)| (suite.into_owned(), release.read())).collect(),
            });
        }
        Ok(())
    }
}

impl Issues<'_> {
    fn keeps(&self, suite: &str) -> bool {
        suite == super::UNSTABLE || self.wanted.suites.contains(suite)
    }
}

/// The suites of a source that is not wanted.
struct Names<'a> {
    suites: &'a mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        #[derive(Deserialize)]
        struct Only<'a> {
            #[serde(borrow, default)]
            releases: BTreeMap<Cow<'a, str>, IgnoredAny>,
        }
        let issues: BTreeMap<Cow<'de, str>, Only<'de>> = Deserialize::deserialize(deserializer)?;
        for suite in issues.values().flat_map(|issue| issue.releases.keys()) {
            note_suite(self.suites, suite);
        }
        Ok(())
    }
}

/// Remembers a suite; not ever more of them, whatever the document says.
fn note_suite(suites: &mut BTreeSet<String>, suite: &str) {
    if suites.len() < 1000 && suite.len() < 100 && !suites.contains(suite) {
        suites.insert(words::quote(suite, 60));
    }
}

#[derive(Deserialize)]
struct RawIssue<'a> {
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    releases: BTreeMap<Cow<'a, str>, RawRelease<'a>>,
}

#[derive(Deserialize)]
struct RawRelease<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    repositories: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, default)]
    fixed_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    urgency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nodsa: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nodsa_reason: Option<Cow<'a, str>>,
}

impl RawRelease<'_> {
    fn read(self) -> Release {
        let fixed = self.fixed_version.as_deref();
        let state = match &*self.status {
            "open" => State::Open,
            "resolved" if fixed == Some("0") => State::NotAffected,
            // A fix in a version that is none cannot be compared: better unknown than clean.
            "resolved" => fixed.and_then(|text| text.parse().ok()).map_or(State::Undetermined, State::Fixed),
            _ => State::Undetermined,
        };
        let reason = self.nodsa_reason.as_deref();
        let nodsa = (self.nodsa.is_some() || reason.is_some_and(|reason| !reason.is_empty())).then(|| NoDsa {
            reason: match reason {
                Some("ignored") => NoDsaReason::Ignored,
                Some("postponed") => NoDsaReason::Postponed,
                _ => NoDsaReason::NoAdvisory,
            },
            comment: words::quote(self.nodsa.as_deref().unwrap_or_default().trim(), LONGEST),
        });
        let newest = self.repositories.values().filter_map(|text| text.parse().ok()).max();
        Release { state, urgency: Urgency::of_tracker(self.urgency.as_deref().unwrap_or_default()), nodsa, newest }
    }
}

#[cfg(test)]
mod tests;
