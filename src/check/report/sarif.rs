//! Findings as a SARIF log (OASIS Static Analysis Results Interchange Format 2.1.0), in the subset that code scanning
//! services ask for: rules with help, a place with a line for each result, fingerprints that stay the same from run
//! to run.
//!
//! A path of the image is an artifact below the base `IMAGE`; what is about the whole image lies at its line of the
//! manifest, below `MANIFEST`. Each architecture is a run of its own, told apart by `automationDetails`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    base::{Asked, CODES, Line, Severity, Sha256},
    check::{Finding, Place},
};

/// Where the schema lies that the log names: its own identifier.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Digits of a fingerprint.
const DIGITS: usize = 32;

/// What was found in one image.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// What the run is called: the manifest's name, the architecture.
    pub name: &'a str,
    /// The manifest as the user named it, or the image that was looked at.
    pub file: &'a str,
    /// What was found.
    pub findings: &'a [Finding],
}

/// The log of several images; `version` is this program's.
pub fn sarif(version: &str, images: &[Image<'_>]) -> Value {
    let rules: Vec<Value> = CODES.iter().map(rule).collect();
    let runs: Vec<Value> = images
        .iter()
        .map(|image| {
            let results: Vec<Value> = image.findings.iter().map(|finding| result(image, finding)).collect();
            json!({
                "tool": { "driver": { "name": "compose", "semanticVersion": version, "rules": rules } },
                "automationDetails": { "id": format!("compose/{}/", image.name) },
                "originalUriBaseIds": {
                    "IMAGE": { "description": { "text": "The root of the image." } },
                    "MANIFEST": { "description": { "text": "The folder that compose was started in." } },
                },
                "artifacts": [{ "location": manifest(image.file), "roles": ["analysisTarget"] }],
                "columnKind": "unicodeCodePoints",
                "results": results,
            })
        })
        .collect();
    json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": runs })
}

fn level(severity: Severity) -> &'static str {
    severity.as_str()
}

fn rule(code: &crate::base::Code) -> Value {
    let asked = match code.asked {
        Asked::Always => String::new(),
        Asked::Forbid | Asked::Unhardened => format!(" Asked for by policy.forbid = [\"{}\"].", code.name),
        Asked::Key(key) => format!(" Asked for by policy.{key}."),
    };
    json!({
        "id": code.name,
        "name": code.name,
        "shortDescription": { "text": code.meaning },
        "fullDescription": { "text": format!("{}{asked}", code.meaning) },
        "help": { "text": code.help, "markdown": code.help },
        "defaultConfiguration": { "level": level(code.severity) },
        "properties": { "tags": ["image"], "problem.severity": level(code.severity) },
    })
}

fn manifest(file: &str) -> Value {
    // An absolute path stands for itself.
    match file.starts_with('/') {
        true => json!({ "uri": format!("file://{}", encoded(file.as_bytes())) }),
        false => json!({ "uri": encoded(file.trim_start_matches("./").as_bytes()), "uriBaseId": "MANIFEST" }),
    }
}

fn result(image: &Image<'_>, finding: &Finding) -> Value {
    let in_manifest = |line: &Line| {
        let file = line.file.as_deref().unwrap_or(image.file);
        json!({ "artifactLocation": manifest(file), "region": { "startLine": line.number } })
    };
    let mut location = match &finding.place {
        Place::Path(path, _) => json!({ "physicalLocation": {
            "artifactLocation": { "uri": encoded(path.as_bytes()), "uriBaseId": "IMAGE" },
            "region": { "startLine": 1 },
        }}),
        Place::Whole(_) | Place::Image => {
            json!({ "physicalLocation": in_manifest(finding.line.as_ref().unwrap_or(&Line::from(1))) })
        }
    };
    let named = finding.origin().map(super::origin);
    if let Some((kind, Some(name))) = &named {
        let logical = json!([{ "name": name, "fullyQualifiedName": format!("{kind}:{name}"), "kind": kind }]);
        location["logicalLocations"] = logical;
    }
    let print = fingerprint(finding);
    let mut out = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": format!("{finding}. Next step: {}.", finding.hint) },
        "locations": [location],
        "partialFingerprints": { "compose/v1": print, "primaryLocationLineHash": format!("{print}:1") },
    });
    if let Some(index) = CODES.iter().position(|code| code.name == finding.code) {
        out["ruleIndex"] = index.into();
    }
    if let (Place::Path(..), Some(line)) = (&finding.place, &finding.line) {
        let text = "The rule of the manifest.";
        out["relatedLocations"] =
            json!([{ "id": 1, "message": { "text": text }, "physicalLocation": in_manifest(line) }]);
    }
    // Of an entry of `policy.allow`, which is under version control beside the manifest's other lines.
    if let Some(excuse) = &finding.excuse {
        out["suppressions"] = json!([{
            "kind": "external", "status": "accepted", "justification": excuse.reason,
            "location": { "physicalLocation": in_manifest(&excuse.line) },
        }]);
    }
    out
}

/// The same for the same thing, whatever else is found, on whichever line of the manifest: versions and sizes are said
/// in messages about the whole, so these do not count there.
fn fingerprint(finding: &Finding) -> String {
    let (place, message) = match &finding.place {
        Place::Image if finding.code == "unused-exception" => (String::new(), finding.message.as_str()),
        Place::Image => (String::new(), ""),
        Place::Whole(origin) if finding.code.starts_with("forbidden-") => (origin.to_string(), ""),
        Place::Whole(origin) => (origin.to_string(), finding.message.as_str()),
        Place::Path(path, _) => (path.to_string(), finding.message.as_str()),
    };
    let mut digest = Sha256::of([finding.code, &place, message].join("\0").as_bytes()).hex();
    digest.truncate(DIGITS);
    digest
}

/// A relative reference (RFC 3986, 2.3 and 3.3).
fn encoded(path: &[u8]) -> String {
    let mut out = String::new();
    for &byte in path {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte.into()),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
