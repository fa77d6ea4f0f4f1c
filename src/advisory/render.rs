//! A [`Report`] as text and as JSON.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Data, Ecosystem, Finding, Level, Report, Status, Urgency};
use crate::base::words::{self, say};

/// Longest description in text, characters; JSON has what was kept.
const SHOWN: usize = 110;
/// How many things of one kind are named that were not looked up.
const LISTED: usize = 8;

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut what = Vec::new();
        if self.covered.packages > 0 {
            let sources = counted(self.covered.sources, "source");
            let suite = self.suite.as_deref().unwrap_or_default();
            what.push(format!("{} of {suite} ({sources})", counted(self.covered.packages, "Debian package")));
        }
        if self.covered.projects > 0 {
            what.push(counted(self.covered.projects, "Python project"));
        }
        if what.is_empty() {
            say!(out, "Known vulnerabilities: nothing in it could be looked up");
        } else {
            say!(out, "Known vulnerabilities of {}: {}", what.join(" and "), self.summary());
        }
        for data in &self.data {
            say!(out, "  by {}", of_data(data, self.now));
        }
        match self.covered.unmentioned {
            0 => {}
            1 => say!(out, "  1 source has no entry in the tracker: it never had an issue, or is not Debian's"),
            n => say!(out, "  {n} sources have no entry in the tracker: they never had an issue, or are not Debian's"),
        }
        type Is = fn(&Status) -> bool;
        let groups: [(&str, Is); 5] = [
            ("Fixed in a newer version, so an update mends them", |status| matches!(status, Status::Fixed { .. })),
            ("Open: nothing to update to yet", |status| matches!(status, Status::Open)),
            ("Ignored: Debian will not fix them in this suite", |status| matches!(status, Status::Ignored { .. })),
            ("Undetermined: Debian does not know", |status| matches!(status, Status::Undetermined)),
            ("Not affected, as a VEX document says", |status| matches!(status, Status::NotAffected { .. })),
        ];
        for (title, is) in groups {
            let members: Vec<_> = self.findings.iter().filter(|finding| is(&finding.status)).collect();
            if !members.is_empty() {
                say!(out, "\n{title} ({}):", members.len());
                table(&mut out, &members);
            }
        }
        if !self.not_covered.is_empty() {
            say!(out, "\nNot looked up, and not clean for that:");
            for one in &self.not_covered {
                let mut list: Vec<&str> = one.what.iter().take(LISTED).map(String::as_str).collect();
                let more = format!("and {} more", one.what.len().saturating_sub(LISTED));
                if one.what.len() > LISTED {
                    list.push(&more);
                }
                say!(out, "  {}: {}", one.why, list.join(", "));
            }
        }
        for note in &self.notes {
            say!(out, "note: {note}");
        }
        out
    }

    /// `7 (1 high, 2 low, 4 not yet assigned); 3 fixed in a newer version`.
    fn summary(&self) -> String {
        let counting: Vec<&Finding> =
            self.findings.iter().filter(|one| !matches!(one.status, Status::NotAffected { .. })).collect();
        if counting.is_empty() {
            return "none".into();
        }
        let all = [
            Urgency::Critical,
            Urgency::High,
            Urgency::Medium,
            Urgency::Low,
            Urgency::Unassigned,
            Urgency::EndOfLife,
            Urgency::Unimportant,
        ];
        let by_urgency = all.iter().filter_map(|urgency| {
            let count = counting.iter().filter(|one| one.urgency == *urgency).count();
            (count > 0).then(|| format!("{count} {urgency}"))
        });
        let fixed = self.count(|status| matches!(status, Status::Fixed { .. }));
        let ignored = self.count(|status| matches!(status, Status::Ignored { .. }));
        let mut out = format!("{} ({})", counting.len(), by_urgency.collect::<Vec<_>>().join(", "));
        if fixed > 0 {
            let _ = write!(out, "; {fixed} fixed in a newer version");
        }
        if ignored > 0 {
            let _ = write!(out, "; {ignored} ignored by Debian");
        }
        out
    }

    /// The part `vulnerabilities` of the audit's JSON; its schema is the audit's.
    pub fn json(&self) -> Value {
        let count = |is: fn(&Status) -> bool| self.count(is);
        let level = |level: Level| self.findings.iter().filter(|one| one.level() == Some(level)).count();
        json!({
            "suite": self.suite,
            "data": self.data.iter().map(|data| json!({
                "kind": data.kind,
                "from": data.from,
                "date": data.date.map(time),
                "checked": data.checked.map(time),
                "entries": data.entries,
            })).collect::<Vec<_>>(),
            "covered": {
                "packages": self.covered.packages,
                "sources": self.covered.sources,
                "sources-without-entry": self.covered.unmentioned,
                "projects": self.covered.projects,
            },
            "not-covered": self.not_covered.iter().map(|one| json!({ "why": one.why, "what": one.what })).collect::<Vec<_>>(),
            "worst": self.worst().map(Level::as_str),
            "counts": {
                "fixed": count(|status| matches!(status, Status::Fixed { .. })),
                "open": count(|status| matches!(status, Status::Open)),
                "ignored": count(|status| matches!(status, Status::Ignored { .. })),
                "undetermined": count(|status| matches!(status, Status::Undetermined)),
                "not-affected": count(|status| matches!(status, Status::NotAffected { .. })),
                "as-high": level(Level::High),
                "as-medium": level(Level::Medium),
                "as-low": level(Level::Low),
                "as-unimportant": level(Level::Unimportant),
            },
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

fn finding(one: &Finding) -> Value {
    let (fixed, reason, by) = match &one.status {
        Status::Fixed { version } => (Some(version), None, None),
        Status::Ignored { reason } => (None, Some(reason), None),
        Status::NotAffected { why, by } => (None, Some(why), Some(by)),
        Status::Open | Status::Undetermined => (None, None, None),
    };
    json!({
        "id": one.id,
        "aliases": one.aliases,
        "ecosystem": match one.ecosystem { Ecosystem::Debian => "Debian", Ecosystem::PyPi => "PyPI" },
        "source": one.source,
        "version": one.version,
        "packages": one.packages,
        "status": one.status.as_str(),
        "fixed-version": fixed,
        "reason": reason,
        "by": by,
        "urgency": one.urgency.as_str(),
        "counts-as": one.level().map(Level::as_str),
        "triage": one.triage.as_ref().map(|triage| json!({ "decision": triage.decision, "comment": triage.comment })),
        "description": one.description,
        "note": one.note,
        "url": one.url(),
    })
}

fn table(out: &mut String, members: &[&Finding]) {
    let named = |one: &Finding| match &one.status {
        Status::Fixed { version } => format!("{} {} → {version}", one.source, one.version),
        _ => format!("{} {}", one.source, one.version),
    };
    let width =
        |text: &dyn Fn(&Finding) -> usize, most| members.iter().map(|one| text(one)).max().unwrap_or(0).min(most);
    let ids = width(&|one| one.id.chars().count(), 20);
    let urgencies = width(&|one| one.urgency.as_str().len(), 20);
    for one in members {
        let others: Vec<&str> = one.packages.iter().map(String::as_str).filter(|name| *name != one.source).collect();
        let packages = match (&others[..], one.packages.len()) {
            ([], _) => String::new(),
            (_, all) if all > others.len() => format!("  (and {})", others.join(", ")),
            _ => format!("  ({})", others.join(", ")),
        };
        say!(out, "  {:ids$}  {:urgencies$}  {}{packages}", one.id, one.urgency, named(one));
        let mut more = Vec::new();
        let description = words::quote(&one.description, SHOWN);
        more.extend((!description.is_empty()).then_some(description));
        match &one.status {
            Status::Ignored { reason } if !reason.is_empty() => more.push(format!("ignored: {reason}")),
            Status::NotAffected { why, by } => more.push(format!("{why} ({by})")),
            _ => {
                let triage = one.triage.as_ref().filter(|_| !matches!(one.status, Status::Ignored { .. }));
                more.extend(triage.map(|triage| match triage.comment.as_str() {
                    "" => triage.decision.to_owned(),
                    comment => format!("{}: {comment}", triage.decision),
                }));
            }
        }
        more.extend(one.note.clone());
        for line in more {
            say!(out, "  {:ids$}    {line}", "");
        }
    }
}

fn of_data(data: &Data, now: Timestamp) -> String {
    let what = match data.kind {
        "OSV" => "advisory of PyPI",
        "OpenVEX" => "statement",
        _ => "source package",
    };
    let what = match (data.entries, what) {
        (1, what) => format!("1 {what}"),
        (n, "advisory of PyPI") => format!("{n} advisories of PyPI"),
        (n, what) => format!("{n} {what}s"),
    };
    let mut out = format!("{}: {}, {what}", data.kind, words::quote(&data.from, 300));
    match data.date {
        Some(date) => {
            let _ = write!(out, ", of {} ({} old)", time(date), age(now, date));
        }
        None => out.push_str(", of unknown date"),
    }
    if let Some(checked) = data.checked {
        let _ = write!(out, ", fetched or compared {} ago", age(now, checked));
    }
    out
}

fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// `5 minutes`, `3 hours`, `12 days`.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    let (n, unit) = match seconds {
        0..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(usize::try_from(n).unwrap_or_default(), unit)
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests;
