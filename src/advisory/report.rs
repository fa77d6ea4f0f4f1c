//! What was found: data, not text.
//!
//! In: matches of [`super::debian`] and [`super::python`], verdicts of [`super::vex`]. Out: [`Report`].

use std::fmt;

use jiff::Timestamp;

/// Everything that is known of an image's vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The suite that Debian packages were looked up for.
    pub suite: Option<String>,
    /// On what it rests.
    pub data: Vec<Data>,
    /// Vulnerabilities, sorted: what an update mends first, then by how grave they are.
    pub findings: Vec<Finding>,
    /// What was looked up.
    pub covered: Covered,
    /// What was not; none of it may be taken for clean.
    pub not_covered: Vec<NotCovered>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
    /// When it was made.
    pub now: Timestamp,
}

/// A body of advisories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// `Debian Security Tracker`, `OSV` or `OpenVEX`.
    pub kind: &'static str,
    /// URL or file.
    pub from: String,
    /// When it was last changed, as its server, its files or itself say.
    pub date: Option<Timestamp>,
    /// When it was last compared with the server; `None` for files.
    pub checked: Option<Timestamp>,
    /// Sources, advisories or statements in it.
    pub entries: usize,
}

/// How much was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Covered {
    /// Binary packages.
    pub packages: usize,
    /// Source packages and versions that these were built from.
    pub sources: usize,
    /// Of these sources, those that the tracker knows no issue of at all.
    pub unmentioned: usize,
    /// Python projects.
    pub projects: usize,
}

/// Why packages are not looked up whose entries in dpkg's database cannot be read.
pub const UNREAD: &str = "entries of dpkg's database that cannot be read";

/// Something that no data were looked up for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotCovered {
    /// Why not, and what would help.
    pub why: String,
    /// Names with versions, sorted.
    pub what: Vec<String>,
}

/// One vulnerability of one source package or Python project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `CVE-…` if it has one.
    pub id: String,
    /// Its other names (`GHSA-…`, `PYSEC-…`), sorted.
    pub aliases: Vec<String>,
    /// Of what world.
    pub ecosystem: Ecosystem,
    /// Source package, or project.
    pub source: String,
    /// Its version.
    pub version: String,
    /// The binary packages of it that are in the image, sorted, with the architecture where two have the same name; of a
    /// project its own name.
    pub packages: Vec<String>,
    /// How it stands.
    pub status: Status,
    /// How grave it is.
    pub urgency: Urgency,
    /// That the security team has looked at it and will make no advisory.
    pub triage: Option<Triage>,
    /// First words of its description.
    pub description: String,
    /// What else there is to say, such as that the data are those of unstable.
    pub note: Option<String>,
}

/// Where a package is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// A Debian package.
    Debian,
    /// A Python project.
    PyPi,
}

/// How a vulnerability stands in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A newer version is not vulnerable.
    Fixed {
        /// The first such one.
        version: String,
    },
    /// Nobody has fixed it yet.
    Open,
    /// Debian has decided not to fix it in this suite.
    Ignored {
        /// Why.
        reason: String,
    },
    /// Debian does not know whether the package is vulnerable.
    Undetermined,
    /// A VEX document says that it does no harm here.
    NotAffected {
        /// The statement's justification and words.
        why: String,
        /// The document.
        by: String,
    },
}

/// The security team's remark on an issue that gets no advisory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triage {
    /// `no advisory`, `postponed` or `ignored`.
    pub decision: &'static str,
    /// Its comment, such as `Minor issue`.
    pub comment: String,
}

/// How grave a vulnerability is, in Debian's words or OSV's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// No security problem of the package as Debian ships it.
    Unimportant,
    /// Low.
    Low,
    /// Medium; OSV's `MODERATE`.
    Medium,
    /// Nobody has said: most of Debian's new issues.
    Unassigned,
    /// The suite's security support for this package has ended.
    EndOfLife,
    /// High.
    High,
    /// OSV alone has it.
    Critical,
}

/// What `--fail-on` is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Even what Debian ignores or has not determined.
    Any,
    /// Unimportant.
    Unimportant,
    /// Low, and what the security team found too small for an advisory.
    Low,
    /// Medium.
    Medium,
    /// High and critical, and what nobody has judged.
    High,
}

impl Urgency {
    /// In the tracker's words. A `*` marks what was taken from the NVD in older data.
    pub fn of_tracker(text: &str) -> Self {
        match text.trim_end_matches('*') {
            "unimportant" => Self::Unimportant,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "end-of-life" => Self::EndOfLife,
            // "not yet assigned", and words that are not known here.
            _ => Self::Unassigned,
        }
    }

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unimportant => "unimportant",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Unassigned => "not yet assigned",
            Self::EndOfLife => "end-of-life",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Status {
    /// Its name in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fixed { .. } => "fixed",
            Self::Open => "open",
            Self::Ignored { .. } => "ignored",
            Self::Undetermined => "undetermined",
            Self::NotAffected { .. } => "not-affected",
        }
    }
}

impl Level {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Unimportant => "unimportant",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Finding {
    /// What it counts as for `--fail-on`; `None` if it does not count at all.
    ///
    /// Most new issues in Debian are “not yet assigned”. If that were less than `high`, `--fail-on high` would be blind to
    /// nearly everything; so what nobody has judged is taken for the worst, and so is what has lost its support. But where
    /// the security team has decided that an issue deserves no advisory of its own, it has been judged, and is `low`.
    pub fn level(&self) -> Option<Level> {
        Some(match (&self.status, self.urgency) {
            (Status::NotAffected { .. }, _) => return None,
            (Status::Ignored { .. } | Status::Undetermined, _) => Level::Any,
            (_, Urgency::Unimportant) => Level::Unimportant,
            (_, Urgency::Low) => Level::Low,
            (_, Urgency::Medium) => Level::Medium,
            (_, Urgency::Unassigned) if self.triage.is_some() => Level::Low,
            (_, Urgency::Unassigned | Urgency::EndOfLife | Urgency::High | Urgency::Critical) => Level::High,
        })
    }

    /// Where more is to be read.
    pub fn url(&self) -> String {
        match self.ecosystem {
            Ecosystem::Debian => format!("https://security-tracker.debian.org/tracker/{}", self.id),
            Ecosystem::PyPi => format!("https://osv.dev/vulnerability/{}", self.id),
        }
    }

    /// All its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.aliases).map(String::as_str)
    }

    /// Sorts what an update mends first, then what is open; each by how much it counts for, then by name.
    fn order(&self) -> impl Ord + '_ {
        let group = match self.status {
            Status::Fixed { .. } => 0_u8,
            Status::Open => 1,
            Status::Ignored { .. } => 2,
            Status::Undetermined => 3,
            Status::NotAffected { .. } => 4,
        };
        let grave = (std::cmp::Reverse(self.level()), std::cmp::Reverse(self.urgency));
        (group, grave, self.ecosystem, &self.source, &self.version, newest_first(&self.id), &self.packages)
    }
}

/// `CVE-2026-10000` before `CVE-2026-9999` before `CVE-2025-…`: numbers by their value, the newest first.
fn newest_first(id: &str) -> std::cmp::Reverse<Vec<(u64, &str)>> {
    std::cmp::Reverse(id.split('-').map(|part| (part.parse().unwrap_or_default(), part)).collect())
}

impl Report {
    /// Puts everything in order.
    pub fn sort(&mut self) {
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
        self.not_covered.sort();
    }

    /// The highest level that any finding counts for.
    pub fn worst(&self) -> Option<Level> {
        self.findings.iter().filter_map(Finding::level).max()
    }

    /// The findings that count for at least `level`.
    pub fn failing(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.level().is_some_and(|its| its >= level))
    }

    /// Whether nothing was looked up, or packages that nobody can name were not.
    pub fn is_blind(&self) -> bool {
        self.covered.packages == 0 && self.covered.projects == 0
            || self.not_covered.iter().any(|missing| missing.why == UNREAD)
    }

    /// How many findings stand so.
    pub fn count(&self, is: impl Fn(&Status) -> bool) -> usize {
        self.findings.iter().filter(|finding| is(&finding.status)).count()
    }
}
