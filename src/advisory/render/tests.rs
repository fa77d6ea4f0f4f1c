#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::advisory::{Covered, NotCovered, Triage};

fn report() -> Report {
    let one = |id: &str, status: Status, urgency: Urgency| Finding {
        id: id.into(),
        aliases: Vec::new(),
        ecosystem: Ecosystem::Debian,
        source: "openssl".into(),
        version: "3.5.1-1".into(),
        packages: vec!["libssl3t64".into(), "openssl".into()],
        status,
        urgency,
        triage: None,
        description: "A description that is ".to_owned() + &"long ".repeat(40),
        note: None,
    };
    let fixed = || Status::Fixed { version: "3.5.1-1+deb13u1".into() };
    let mut report = Report {
        suite: Some("trixie".into()),
        data: vec![
            Data {
                kind: "Debian Security Tracker",
                from: "https://example.com/json".into(),
                date: Some("2026-11-25T06:00:00Z".parse().unwrap()),
                checked: Some("2026-11-25T09:59:00Z".parse().unwrap()),
                entries: 3900,
            },
            Data { kind: "OSV", from: "osv".into(), date: None, checked: None, entries: 18_000 },
            Data {
                kind: "OpenVEX",
                from: "vex.json".into(),
                date: Some("2026-11-01T00:00:00Z".parse().unwrap()),
                checked: None,
                entries: 1,
            },
        ],
        findings: vec![
            one("CVE-2026-999", Status::Open, Urgency::Low),
            one("CVE-2025-1", Status::Open, Urgency::Unassigned),
            one("CVE-2026-10000", Status::Open, Urgency::Unassigned),
            one("CVE-2026-2", fixed(), Urgency::Medium),
            one("CVE-2026-3", fixed(), Urgency::High),
            one("CVE-2026-4", Status::Ignored { reason: "Minor issue".into() }, Urgency::Unassigned),
            one("TEMP-5", Status::Undetermined, Urgency::Unassigned),
            one(
                "CVE-2026-6",
                Status::NotAffected { why: "component_not_present".into(), by: "vex.json".into() },
                Urgency::High,
            ),
        ],
        covered: Covered { packages: 20, sources: 12, unmentioned: 3, projects: 1 },
        not_covered: vec![NotCovered {
            why: "of the repository “company”, which the Debian Security Tracker does not speak of".into(),
            what: (0..10).map(|n| format!("p{n} 1")).collect(),
        }],
        notes: vec!["something".into()],
        now: "2026-11-25T10:00:00Z".parse().unwrap(),
    };
    report.findings[1].triage = Some(Triage { decision: "postponed", comment: "Minor issue".into() });
    report.findings[2].note = Some("fixed in sid: 3.5.4-1".into());
    report.sort();
    report
}

#[test]
fn for_people() {
    insta::assert_snapshot!(report().text());
    let nothing = Report { now: report().now, ..Report::default() };
    assert_eq!(nothing.text(), "Known vulnerabilities: nothing in it could be looked up\n");
}

#[test]
fn for_machines() {
    let said = report().json();
    assert_eq!((&said["worst"], &said["counts"]["as-high"]), (&json!("high"), &json!(2)));
    assert_eq!(said["findings"][0]["id"], "CVE-2026-3");
    assert_eq!(said["findings"][0]["fixed-version"], "3.5.1-1+deb13u1");
    assert_eq!(said["findings"][2]["note"], "fixed in sid: 3.5.4-1");
    let counts: Vec<_> = said["findings"].as_array().unwrap().iter().map(|one| one["counts-as"].clone()).collect();
    assert_eq!(json!(counts), json!(["high", "medium", "high", "low", "low", "any", "any", null]));
}

#[test]
fn what_fails() {
    let report = report();
    for (level, count) in
        [(Level::High, 2), (Level::Medium, 3), (Level::Low, 5), (Level::Unimportant, 5), (Level::Any, 7)]
    {
        assert_eq!(report.failing(level).count(), count, "{level:?}");
    }
    assert!(!report.is_blind());
    assert!(Report { covered: Covered::default(), ..report }.is_blind());
}
