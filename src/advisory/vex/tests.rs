#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::advisory::{
    Urgency,
    testing::{inventory, package, project},
};

fn document(statements: &str) -> Result<VexDocument, AdvisoryError> {
    let json = format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex","author":"me","version":1,
        "timestamp":"2026-11-20T00:00:00Z","statements":[{statements}]}}"#
    );
    VexDocument::parse(json.as_bytes(), "vex.json")
}

fn finding(id: &str, aliases: &[&str], ecosystem: Ecosystem, source: &str, packages: &[&str]) -> Finding {
    Finding {
        id: id.into(),
        aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
        ecosystem,
        source: source.into(),
        version: "1".into(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        status: Status::Open,
        urgency: Urgency::High,
        triage: None,
        description: String::new(),
        note: None,
    }
}

fn image() -> Inventory {
    inventory(vec![package("libssl3", "1", "openssl"), package("openssl", "1", "openssl")], vec![project("flask", "1")])
}

/// `packages: status` of every part, for two findings: CVE-1 of openssl and CVE-2 (GHSA-2) of flask.
fn said(documents: &[VexDocument]) -> (Vec<String>, usize) {
    let findings = vec![
        finding("CVE-1", &[], Ecosystem::Debian, "openssl", &["libssl3", "openssl"]),
        finding("CVE-2", &["GHSA-2"], Ecosystem::PyPi, "flask", &["flask"]),
    ];
    let this = Image { name: "demo", arch: None, digest: Some(Sha256::of(b"")) };
    let (out, used) = honour(findings, documents, &this, &image());
    let word = |one: &Finding| match (&one.status, &one.note) {
        (Status::NotAffected { why, by }, None) => format!("{why} ({by})"),
        (_, Some(note)) => note.clone(),
        (status, None) => status.as_str().to_owned(),
    };
    (out.iter().map(|one| format!("{}: {}", one.packages.join(" "), word(one))).collect(), used)
}

const NOT: &str = r#""status":"not_affected","justification":"vulnerable_code_not_in_execute_path""#;

#[test]
fn statements_mean_what_they_name() {
    let open = "libssl3 openssl: open";
    let not = |packages: &str| format!("{packages}: vulnerable_code_not_in_execute_path (vex.json)");
    let flask = "flask: open".to_owned();
    let one = |vulnerability: &str, products: &str| {
        format!(r#"{{"vulnerability":{vulnerability},"products":[{products}],{NOT}}}"#)
    };
    let cve = r#"{"name":"CVE-1"}"#;
    for (statement, expected, used) in [
        (
            one(cve, r#"{"@id":"pkg:deb/debian/libssl3@1?arch=amd64"}"#),
            vec!["openssl: open".into(), not("libssl3"), flask.clone()],
            1,
        ),
        (
            one(cve, r#"{"@id":"pkg:deb/debian/openssl@1"}"#),
            vec!["libssl3: open".into(), not("openssl"), flask.clone()],
            1,
        ),
        (one(cve, r#"{"@id":"pkg:deb/debian/openssl@1?arch=source"}"#), vec![not("libssl3 openssl"), flask.clone()], 1),
        (
            one(cve, r#"{"identifiers":{"purl":"pkg:deb/debian/libssl3"}}"#),
            vec!["openssl: open".into(), not("libssl3"), flask.clone()],
            1,
        ),
        (one(cve, r#""pkg:deb/debian/openssl?arch=source""#), vec![not("libssl3 openssl"), flask.clone()], 1),
        (one(r#""CVE-1""#, r#"{"@id":"demo"}"#), vec![not("libssl3 openssl"), flask.clone()], 1),
        (
            one(
                cve,
                r#"{"@id":"pkg:oci/demo@sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
            ),
            vec![not("libssl3 openssl"), flask.clone()],
            1,
        ),
        (
            one(cve, r#"{"@id":"demo","subcomponents":[{"@id":"pkg:deb/debian/libssl3"}]}"#),
            vec!["openssl: open".into(), not("libssl3"), flask.clone()],
            1,
        ),
        // Of something else: another version, image, vulnerability; a part of another product.
        (one(cve, r#"{"@id":"pkg:deb/debian/libssl3@2"}"#), vec![open.into(), flask.clone()], 0),
        (one(cve, r#"{"@id":"pkg:oci/demo@sha256:cd"}"#), vec![open.into(), flask.clone()], 0),
        (
            one(cve, r#"{"@id":"pkg:oci/other","subcomponents":[{"@id":"pkg:deb/debian/libssl3"}]}"#),
            vec![open.into(), flask.clone()],
            0,
        ),
        (
            one(cve, r#"{"@id":"demo","subcomponents":[{"@id":"pkg:deb/debian/curl"}]}"#),
            vec![open.into(), flask.clone()],
            0,
        ),
        (
            one(cve, r#"{"@id":"pkg:deb/debian/libssl3","subcomponents":[{"@id":"pkg:deb/debian/openssl"}]}"#),
            vec![open.into(), flask.clone()],
            0,
        ),
        (
            one(cve, r#"{"identifiers":{"cpe23":"cpe:2.3:a:openssl:openssl:1:*:*:*:*:*:*:*"}}"#),
            vec![open.into(), flask.clone()],
            0,
        ),
        (one(r#"{"name":"CVE-3"}"#, r#"{"@id":"demo"}"#), vec![open.into(), flask.clone()], 0),
        // By another name of the vulnerability.
        (
            one(r#"{"name":"X-1","aliases":["GHSA-2"]}"#, r#"{"@id":"pkg:pypi/Flask@1"}"#),
            vec![open.into(), not("flask")],
            1,
        ),
        (one(r#"{"name":"GHSA-2"}"#, r#"{"@id":"demo"}"#), vec![open.into(), not("flask")], 1),
    ] {
        assert_eq!(said(&[document(&statement).unwrap()]), (expected, used), "{statement}");
    }
}

#[test]
fn the_latest_statement_holds() {
    let one = |status: &str, time: &str| {
        format!(
            r#"{{"vulnerability":{{"name":"CVE-1"}},"products":[{{"@id":"demo"}}],"timestamp":"{time}",
            "status":"{status}","impact_statement":"never called","action_statement":"update","status_notes":"looking"}}"#
        )
    };
    let (early, late) = ("2026-11-01T00:00:00+02:00", "2026-11-24T00:00:00Z");
    for (statements, expected) in [
        (vec![one("not_affected", early)], "never called (vex.json)"),
        (vec![one("fixed", early)], "fixed: looking (vex.json)"),
        (vec![one("affected", early)], "affected: update (vex.json)"),
        (vec![one("under_investigation", early)], "under investigation: looking (vex.json)"),
        (vec![one("not_affected", early), one("affected", late)], "affected: update (vex.json)"),
        (vec![one("affected", late), one("not_affected", early)], "affected: update (vex.json)"),
        (vec![one("affected", late), one("not_affected", late)], "never called (vex.json)"),
    ] {
        let (found, _) = said(&[document(&statements.join(",")).unwrap()]);
        assert_eq!(found[0], format!("libssl3 openssl: {expected}"), "{statements:?}");
    }
    // Over several documents too.
    let (a, b) = (document(&one("affected", late)).unwrap(), document(&one("not_affected", early)).unwrap());
    assert_eq!(said(&[a.clone(), b.clone()]), said(&[b, a]));
}

#[test]
fn a_wrong_document_is_told() {
    let one = |rest: &str| format!(r#"{{"vulnerability":{{"name":"CVE-1"}},"products":[{{"@id":"demo"}}],{rest}}}"#);
    for (statement, says) in [
        (r#"{"products":[{"@id":"demo"}],"status":"fixed"}"#.to_owned(), "statement 1: it names no vulnerability"),
        (r#"{"vulnerability":{},"products":[{"@id":"demo"}],"status":"fixed"}"#.into(), "has no name"),
        (r#"{"vulnerability":"CVE-1","status":"fixed"}"#.into(), "names no product"),
        (r#"{"vulnerability":"CVE-1","products":[],"status":"fixed"}"#.into(), "names no product"),
        (r#"{"vulnerability":"CVE-1","products":[{}],"status":"fixed"}"#.into(), "neither an @id nor identifiers"),
        (r#"{"vulnerability":"CVE-1","products":["pkg:deb"],"status":"fixed"}"#.into(), "“pkg:deb” is no package URL"),
        (one(r#""x":1"#), "it has no status"),
        (one(r#""status":"harmless""#), "none of not_affected, affected, fixed, under_investigation"),
        (one(r#""status":"not_affected""#), "neither a justification nor an impact_statement"),
        (one(r#""status":"not_affected","impact_statement":" ""#), "neither a justification"),
        (one(r#""status":"not_affected","justification":"trust me""#), "none of component_not_present"),
        (one(r#""status":"fixed","timestamp":"yesterday""#), "“yesterday” is no time"),
        (format!("{},{}", one(r#""status":"fixed""#), one(r#""status":1"#)), "invalid type: integer"),
    ] {
        let error = document(&statement).unwrap_err().to_string();
        assert!(error.starts_with("vex.json is not") && error.contains(says), "{error}");
    }
    for (json, says) in [
        ("", "EOF"),
        ("[]", "vex.json"),
        ("{}", "its @context is absent"),
        (r#"{"@context":"https://docs.oasis-open.org/csaf"}"#, "must be https://openvex.dev/ns/v0.2.0"),
        (r#"{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}"#, "no timestamp"),
        (r#"{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-11-20T00:00:00Z"}"#, "no statements"),
    ] {
        let error = VexDocument::parse(json.as_bytes(), "vex.json").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let deep = format!(r#"{{"@context":"https://openvex.dev/ns","x":{}"#, "[".repeat(1_000_000));
    let error = VexDocument::parse(deep.as_bytes(), "vex.json").unwrap_err().to_string();
    assert!(error.len() < 500, "{error}");
}
