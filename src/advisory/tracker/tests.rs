#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::base::refusal::{self, Refuses as _};

fn parse(json: &str, sources: &[&str], suites: &[&str]) -> Result<Tracker, AdvisoryError> {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    Tracker::parse(json.as_bytes(), "file", Wanted { sources: &set(sources), suites: &set(suites) })
}

/// As the tracker writes it: compact, keys without a value absent.
const REAL: &str = r#"{
"openssl":{
 "CVE-2026-0002":{"description":"Second\u0007 \u001b[31mline","debianbug":1100000,"scope":"remote","releases":{
  "trixie":{"status":"resolved","repositories":{"trixie":"3.5.1-1","trixie-security":"3.5.1-1+deb13u2"},
   "fixed_version":"3.5.1-1+deb13u1","urgency":"not yet assigned"},
  "sid":{"status":"resolved","repositories":{"sid":"3.5.4-1"},"fixed_version":"3.5.3-1","urgency":"not yet assigned"}}},
 "CVE-2026-0001":{"description":"First","scope":"local","releases":{
  "trixie":{"status":"open","repositories":{"trixie":"3.5.1-1"},"urgency":"low**","nodsa":"Minor issue",
   "nodsa_reason":"postponed","next_point_update":true},
  "bookworm":{"status":"undetermined","repositories":{"bookworm":"3.0.1-1"},"urgency":"medium","new key":[{}]}}},
 "TEMP-0000000-ABCDEF":{"releases":{
  "trixie":{"status":"resolved","repositories":{"trixie":"3.5.1-1"},"fixed_version":"0","urgency":"unimportant"}}}},
"other":{"CVE-1":{"releases":{"forky":{"status":"open","urgency":"high"}}}}}"#;

#[test]
fn keeps_what_is_wanted() {
    let tracker = parse(REAL, &["openssl", "absent"], &["trixie"]).unwrap();
    assert_eq!((tracker.entries, tracker.sources.len()), (2, 1));
    let issues = &tracker.sources["openssl"];
    assert_eq!(
        issues.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(),
        ["CVE-2026-0001", "CVE-2026-0002", "TEMP-0000000-ABCDEF"]
    );
    assert_eq!(issues[1].description, "Second   [31mline");
    let trixie = |n: usize| &issues[n].releases["trixie"];
    assert_eq!(trixie(0).state, State::Open);
    assert_eq!(trixie(0).urgency, Urgency::Low);
    let nodsa = NoDsa { reason: NoDsaReason::Postponed, comment: "Minor issue".into() };
    assert_eq!(trixie(0).nodsa, Some(nodsa));
    assert_eq!(trixie(1).state, State::Fixed("3.5.1-1+deb13u1".parse().unwrap()));
    assert_eq!(trixie(1).newest.as_ref().map(Version::as_str), Some("3.5.1-1+deb13u2"));
    assert_eq!(trixie(2).state, State::NotAffected);
    assert_eq!(issues[0].releases.keys().collect::<Vec<_>>(), ["trixie"], "bookworm is not wanted");
    assert_eq!(issues[1].releases.keys().collect::<Vec<_>>(), ["sid", "trixie"], "unstable always is");
}

#[test]
fn a_suite_without_data_is_an_error() {
    for (json, suite, known) in [
        (REAL, "buster", "bookworm, forky, sid, trixie"),
        (REAL, "trixie-security", "bookworm, forky, sid, trixie"),
        ("{}", "trixie", "none at all"),
        (r#"{"a":{"CVE-1":{}}}"#, "trixie", "none at all"),
    ] {
        let error = parse(json, &["openssl"], &[suite]).unwrap_err();
        assert_eq!(error.refusal(), refusal::SUITE_NOT_TRACKED);
        let text = error.to_string();
        assert!(text.contains(&format!("“{suite}”")) && text.contains(known), "{text}");
    }
    // A suite that another source alone has is known all the same.
    assert!(parse(REAL, &["openssl"], &["forky"]).is_ok());
    assert!(parse(REAL, &[], &["trixie"]).is_ok());
}

#[test]
fn what_is_no_such_document_is_refused() {
    let cut: Vec<String> = (0..REAL.len()).step_by(37).map(|at| REAL[..at].to_owned()).collect();
    let mut bad: Vec<String> = [
        "[]",
        "null",
        "<html>",
        "\"text\"",
        r#"{"openssl":[]}"#,
        r#"{"openssl":{"CVE-1":1}}"#,
        r#"{"openssl":{"CVE-1":{"releases":{"trixie":{}}}}}"#,
        r#"{"openssl":{"CVE-1":{"releases":{"trixie":{"status":1}}}}}"#,
        r#"{"openssl":{"CVE-1":{"releases":{"trixie":"open"}}}}"#,
        r#"{"openssl":{}} {}"#,
    ]
    .map(str::to_owned)
    .into();
    bad.extend(cut);
    for json in bad {
        let error = parse(&json, &["openssl"], &["trixie"]).unwrap_err();
        assert!(matches!(error, AdvisoryError::Tracker { .. }), "{json}: {error}");
    }
}

#[test]
fn what_is_passed_over_may_be_as_large_and_deep_as_it_likes() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let long = "x".repeat(20 << 20);
    let json = |own: &str, other: &str| {
        format!(
            r#"{{"openssl":{{"CVE-1":{{"description":"{own}","x":{},"releases":{{"trixie":{{"status":"open"}}}}}}}},
            "other":{other}}}"#,
            deep(50_000)
        )
    };
    let tracker = parse(&json(&long, &deep(500_000)), &["openssl"], &["trixie"]).unwrap();
    assert_eq!(tracker.sources["openssl"][0].description.chars().count(), LONGEST + 1);
    // A key of the same size, and depth where something is read.
    let error = parse(&format!(r#"{{"openssl":{}}}"#, deep(500_000)), &["openssl"], &["trixie"]).unwrap_err();
    assert!(error.to_string().len() < 700, "{error}");
    let long_key = format!(r#"{{"{long}":{{"{long}":{{"releases":{{"{long}":1,"trixie":1}}}}}}}}"#);
    assert_eq!(parse(&long_key, &["openssl"], &["trixie"]).unwrap().suites.len(), 1);
}

#[test]
fn what_cannot_be_compared_is_not_clean() {
    for (release, state) in [
        (r#"{"status":"resolved"}"#, State::Undetermined),
        (r#"{"status":"resolved","fixed_version":""}"#, State::Undetermined),
        (r#"{"status":"resolved","fixed_version":"<unfixed>"}"#, State::Undetermined),
        (r#"{"status":"undetermined","fixed_version":"0"}"#, State::Undetermined),
        (r#"{"status":"new word"}"#, State::Undetermined),
        (r#"{"status":"open","fixed_version":"1"}"#, State::Open),
        (r#"{"status":"resolved","fixed_version":"0"}"#, State::NotAffected),
    ] {
        let json = format!(r#"{{"a":{{"CVE-1":{{"releases":{{"trixie":{release}}}}}}}}}"#);
        let tracker = parse(&json, &["a"], &["trixie"]).unwrap();
        assert_eq!(tracker.sources["a"][0].releases["trixie"].state, state, "{release}");
    }
}
