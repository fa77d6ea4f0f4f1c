//! The shapes of both reports; `tests/policy.rs` holds the log against SARIF's schema.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    base::{CODES, RootPath, Severity},
    check::{Excuse, Finding, Place},
};

fn findings() -> Vec<Finding> {
    let at = |path: &[u8], origin| Finding::at("setuid", Severity::Error, RootPath::parse(path).unwrap(), origin);
    let package = || Origin::Package("login".parse().unwrap());
    let mut excused = at("usr/bin/s u é".as_bytes(), package()).says("m", "h").asked_in(7);
    excused.excuse = Some(Excuse { reason: "needed".into(), line: 9.into() });
    vec![
        Finding::new("max-size", Severity::Error, Place::Image).says("it has 1 byte", "h").asked_in(3),
        Finding::new("forbidden-package", Severity::Error, Place::Whole(package())).says("m", "h").asked_in(4),
        at(b"usr/bin/su", package()).says("m", "h").asked_in(7),
        excused,
        Finding::at("dangling-link", Severity::Warning, RootPath::literal("x"), Origin::Finish("step")).says("m", "h"),
    ]
}

#[test]
fn a_log() {
    let log = sarif("1.2.3", &[Image { name: "demo/amd64", file: "./a b.toml", findings: &findings() }]);
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), CODES.len());
    let uris: Vec<_> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            (place["artifactLocation"]["uri"].as_str().unwrap(), place["region"]["startLine"].as_u64().unwrap())
        })
        .collect();
    let paths = ["usr/bin/su", "usr/bin/s%20u%20%C3%A9", "x"].map(|path| (path, 1));
    assert_eq!(uris, [&[("a%20b.toml", 3), ("a%20b.toml", 4)][..], &paths].concat());
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(CODES[index].name, result["ruleId"]);
    }
    assert_eq!(run["results"][3]["suppressions"][0]["justification"], "needed");
    assert_eq!(run["results"][2]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 7);
}

#[test]
fn fingerprints_stay() {
    let print = |finding: &Finding| {
        let log = sarif("1", &[Image { name: "x", file: "x", findings: std::slice::from_ref(finding) }]);
        log["runs"][0]["results"][0]["partialFingerprints"]["compose/v1"].as_str().unwrap().to_owned()
    };
    let all = findings();
    let prints: std::collections::BTreeSet<_> = all.iter().map(print).collect();
    assert_eq!(prints.len(), all.len());
    // Another size, another line of the manifest, another run: the same thing.
    let larger = Finding { line: Some(8.into()), ..all[0].clone().says("it has 2 bytes", "h") };
    assert_eq!(print(&larger), print(&all[0]));
    assert_eq!(print(&Finding { line: None, ..all[2].clone() }), print(&all[2]));
}
