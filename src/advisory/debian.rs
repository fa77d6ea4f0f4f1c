//! Debian packages against the tracker: by source package and version, for the suite that each is of.
//!
//! In: an [`Inventory`], a [`Tracker`]. Out: [`Matched`]. What the tracker does not speak of, such as packages of other
//! distributions and repositories, is named and never counted as clean.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Covered, Ecosystem, Finding, Issue, NoDsaReason, NotCovered, Release, State, Status, Tracker, Triage, UNSTABLE,
    Urgency,
};
use crate::{
    base::words,
    control::Version,
    inventory::{Inventory, Package},
};

/// What was found of Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matched {
    /// Vulnerabilities.
    pub findings: Vec<Finding>,
    /// What was looked up.
    pub covered: Covered,
    /// What was not.
    pub not_covered: Vec<NotCovered>,
}

/// Packages that are of a suite which the tracker may know.
#[derive(Debug, Clone, Default)]
pub struct Suites<'a> {
    /// By codename.
    pub packages: BTreeMap<String, Vec<&'a Package>>,
    /// Those of none, with the reason.
    pub others: BTreeMap<String, Vec<&'a Package>>,
}

impl Suites<'_> {
    /// The codenames.
    pub fn names(&self) -> BTreeSet<String> {
        self.packages.keys().cloned().collect()
    }

    /// The source packages that they were built from.
    pub fn sources(&self) -> BTreeSet<String> {
        self.packages.values().flatten().map(|package| package.source.clone()).collect()
    }
}

/// Sorts an image's packages by suite.
///
/// A package is of the repository that the lock names; where no lock does, of the distribution that the image says it is.
/// Debian's own repositories are known by their Origin, and of an image by os-release's `ID=debian`: then every package in
/// it is taken for Debian's, as there is nothing that tells them apart.
pub fn suites(inventory: &Inventory) -> Suites<'_> {
    let mut out = Suites::default();
    for package in &inventory.packages {
        match suite_of(inventory, package) {
            Ok(suite) => out.packages.entry(suite).or_default().push(package),
            Err(why) => out.others.entry(why).or_default().push(package),
        }
    }
    out
}

fn suite_of(inventory: &Inventory, package: &Package) -> Result<String, String> {
    let distro = &inventory.distro;
    let of_distro = || {
        if distro.id.is_empty() {
            return Err("the image does not say of which distribution it is (no os-release)".to_owned());
        }
        if distro.id != "debian" {
            return Err(format!("the Debian Security Tracker does not speak of {}", words::quote(&distro.id, 60)));
        }
        // Testing and unstable have `forky/sid` in place of a number.
        let of_version = distro.full_version.as_deref().and_then(|text| text.split('/').next());
        let of_version = of_version.filter(|text| text.starts_with(|c: char| c.is_ascii_lowercase()));
        let codename = distro.codename.as_deref().or(of_version);
        codename.map(main_suite).ok_or_else(|| "the image does not say of which suite it is".to_owned())
    };
    let Some(name) = &package.repository else { return of_distro() };
    match inventory.repositories.iter().find(|one| one.name == *name) {
        Some(one) => match (one.origin.as_deref(), &one.codename) {
            (Some("Debian" | "Debian Backports"), Some(codename)) => Ok(main_suite(codename)),
            (Some("Debian" | "Debian Backports"), None) => of_distro(),
            (origin, _) => Err(format!(
                "of the repository “{}”{}, which the Debian Security Tracker does not speak of",
                words::quote(name, 60),
                origin.map(|origin| format!(" (origin: {})", words::quote(origin, 60))).unwrap_or_default()
            )),
        },
        None if matches!(name.as_str(), "debian" | "debian-updates" | "debian-security") => of_distro(),
        None => {
            Err(format!("of the repository “{}”, of which nothing says that it is Debian's", words::quote(name, 60)))
        }
    }
}

/// The suite that a security, updates or backports suite belongs to; the tracker calls unstable `sid`.
fn main_suite(codename: &str) -> String {
    let ends = ["-security", "/updates", "-proposed-updates", "-updates", "-backports-sloppy", "-backports", "-lts"];
    let main = ends.iter().find_map(|end| codename.strip_suffix(end)).unwrap_or(codename);
    if main == "unstable" { UNSTABLE.to_owned() } else { main.to_owned() }
}

/// What each package is called in findings: its name, and its architecture if another package has the same name.
pub(super) fn labels(inventory: &Inventory) -> impl Iterator<Item = (&Package, String)> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &inventory.packages {
        *seen.entry(package.name.as_str()).or_default() += 1;
    }
    inventory.packages.iter().map(move |package| {
        let name = package.name.as_str();
        let is_alone = seen.get(name).is_none_or(|count| *count == 1);
        (package, if is_alone { name.to_owned() } else { format!("{name}:{}", package.arch) })
    })
}

/// Looks up every package.
pub fn check_packages(inventory: &Inventory, sorted: &Suites<'_>, tracker: &Tracker) -> Matched {
    let mut out = Matched::default();
    let labels: Vec<(&Package, String)> = labels(inventory).collect();
    let label = |package: &Package| {
        let found = labels.iter().find(|(one, _)| std::ptr::eq(*one, package));
        found.map_or_else(|| package.name.to_string(), |(_, label)| label.clone())
    };
    let listed = |packages: &[&Package]| {
        let mut what: Vec<_> = packages.iter().map(|one| format!("{} {}", label(one), one.version)).collect();
        what.sort();
        what
    };
    for (why, packages) in &sorted.others {
        out.not_covered.push(NotCovered { why: why.clone(), what: listed(packages) });
    }
    for (suite, packages) in &sorted.packages {
        let mut sources: BTreeMap<(&str, &Version), Vec<&Package>> = BTreeMap::new();
        for package in packages {
            sources.entry((&package.source, &package.source_version)).or_default().push(package);
        }
        for ((source, version), packages) in sources {
            let issues = tracker.sources.get(source);
            if issues.is_none() && (source.starts_with("linux-signed-") || source.ends_with("-signed")) {
                let why = "signed copies: the tracker speaks of the source that was signed".to_owned();
                out.not_covered.push(NotCovered { why, what: listed(&packages) });
                continue;
            }
            out.covered.sources += 1;
            out.covered.packages += packages.len();
            out.covered.unmentioned += usize::from(issues.is_none());
            let mut names: Vec<String> = packages.iter().map(|package| label(package)).collect();
            names.sort();
            for issue in issues.into_iter().flatten() {
                let Some(verdict) = verdict(issue, suite, version) else { continue };
                out.findings.push(Finding {
                    id: issue.id.clone(),
                    aliases: Vec::new(),
                    ecosystem: Ecosystem::Debian,
                    source: source.to_owned(),
                    version: version.as_str().to_owned(),
                    packages: names.clone(),
                    status: verdict.status,
                    urgency: verdict.urgency,
                    triage: verdict.triage,
                    description: issue.description.clone(),
                    note: verdict.note,
                });
            }
        }
    }
    out
}

/// How an issue stands for one version.
struct Verdict {
    status: Status,
    urgency: Urgency,
    triage: Option<Triage>,
    note: Option<String>,
}

/// How `issue` stands for `version` in `suite`; `None` if that is not vulnerable.
///
/// The suite's own data decide. Those of unstable do in two cases, as they do for debsecan: when the tracker has none of
/// this issue for the suite, which then does not have the package; and for a version that is newer than all that the suite
/// has and no update of a stable release, which is from backports or a later suite. What has no data at all is
/// undetermined.
fn verdict(issue: &Issue, suite: &str, version: &Version) -> Option<Verdict> {
    let (own, unstable) = (issue.releases.get(suite), issue.releases.get(UNSTABLE));
    let is_foreign = |own: &Release| {
        let newest = own.newest.as_ref();
        newest.is_some_and(|newest| version > newest && !is_stable_update(version))
    };
    let (release, note) = match (own, unstable) {
        (Some(own), Some(unstable)) if suite != UNSTABLE && is_foreign(own) => {
            (unstable, Some(format!("newer than {suite} has it; as {UNSTABLE} stands")))
        }
        (Some(own), _) => (own, None),
        (None, Some(unstable)) => (unstable, Some(format!("not in {suite}; as {UNSTABLE} stands"))),
        (None, None) => {
            let note = Some(format!("the tracker says nothing of it in {suite}"));
            return Some(Verdict { status: Status::Undetermined, urgency: Urgency::Unassigned, triage: None, note });
        }
    };
    let fixed_in_unstable = match unstable.map(|release| &release.state) {
        Some(State::Fixed(fixed)) => Some(fixed),
        _ => None,
    };
    let is_newest = release.newest.as_ref().is_some_and(|newest| version >= newest);
    let (status, note) = match &release.state {
        State::NotAffected => return None,
        // What the suite has newest is what the tracker calls fixed, whatever branch the version named is of.
        State::Fixed(fixed) if version >= fixed || is_newest => return None,
        State::Fixed(fixed) => (Status::Fixed { version: fixed.as_str().to_owned() }, note),
        State::Undetermined => (Status::Undetermined, note),
        State::Open => {
            let is_later = release.newest.as_ref().is_none_or(|newest| version > newest);
            if is_later && fixed_in_unstable.is_some_and(|fixed| version >= fixed) {
                return None;
            }
            let elsewhere = fixed_in_unstable.map(|fixed| format!("fixed in {UNSTABLE}: {fixed}"));
            match &release.nodsa {
                Some(nodsa) if nodsa.reason == NoDsaReason::Ignored => {
                    (Status::Ignored { reason: nodsa.comment.clone() }, note.or(elsewhere))
                }
                _ => (Status::Open, note.or(elsewhere)),
            }
        }
    };
    let triage = release.nodsa.as_ref().map(|nodsa| Triage {
        decision: match nodsa.reason {
            NoDsaReason::NoAdvisory => "no advisory",
            NoDsaReason::Ignored => "ignored",
            NoDsaReason::Postponed => "postponed",
        },
        comment: nodsa.comment.clone(),
    });
    Some(Verdict { status, urgency: release.urgency, triage, note })
}

/// Whether a version is called as updates of stable releases are: `3.5.1-1+deb13u1`, `140.4.0esr-1~deb13u1` (Developer's
/// Reference 5.8.6.3). It may well be newer than the data.
fn is_stable_update(version: &Version) -> bool {
    let marks = version.as_str().match_indices("deb").filter(|(at, _)| {
        let (before, after) = version.as_str().split_at(*at);
        let number = after.trim_start_matches("deb").trim_start_matches(|c: char| c.is_ascii_digit());
        before.ends_with(['+', '~']) && number.starts_with('u') && !after.starts_with("debu")
    });
    marks.count() > 0
}

#[cfg(test)]
mod tests;
