#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn advisory(affected: &str) -> Advisory {
    let json = format!(r#"{{"id":"GHSA-1","modified":"2026-01-01T00:00:00Z","affected":[{affected}]}}"#);
    Advisory::parse(json.as_bytes()).unwrap().unwrap()
}

/// `clean`, `open`, or the fix.
fn verdict(rest: &str, version: &str) -> String {
    let one = advisory(&format!(r#"{{"package":{{"ecosystem":"PyPI","name":"Some_Name"}},{rest}}}"#));
    match one.affected[0].hits(&version.parse().unwrap()) {
        None => "clean".into(),
        Some(Hit { fixed: None }) => "open".into(),
        Some(Hit { fixed: Some(fixed) }) => fixed.to_string(),
    }
}

#[test]
fn versions_in_ranges() {
    let range = |events: &str| format!(r#""ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}]"#);
    let to_two = range(r#"{"introduced":"0"},{"fixed":"2.0"}"#);
    let twice = range(r#"{"fixed":"3.1"},{"introduced":"3.0"},{"introduced":"1.0"},{"fixed":"2.0"}"#);
    let until = range(r#"{"introduced":"1.0"},{"last_affected":"1.5"}"#);
    for (rest, version, expected) in [
        (&to_two, "1.0", "2.0"),
        (&to_two, "2.0rc1", "2.0"),
        (&to_two, "2.0.dev3", "2.0"),
        (&to_two, "2.0", "clean"),
        (&to_two, "2.0.post1", "clean"),
        (&to_two, "1!0.1", "clean"),
        (&to_two, "1.0+cpu", "2.0"),
        (&to_two, "2.0+cpu", "clean"),
        (&twice, "0.9", "clean"),
        (&twice, "1.9", "2.0"),
        (&twice, "2.5", "clean"),
        (&twice, "3.0", "3.1"),
        (&twice, "3.1", "clean"),
        (&until, "1.5", "open"),
        (&until, "1.5+local", "open"),
        (&until, "1.5.1", "clean"),
        (&range(r#"{"introduced":"1.0"}"#), "9", "open"),
        (&range(r#"{"introduced":"0"},{"fixed":"2004b?"}"#), "9", "open"),
        (&range(r#"{"introduced":"garbage"},{"fixed":"2"}"#), "1", "2"),
        (&range(""), "1", "clean"),
        (&r#""versions":["1.0","1.1.0"]"#.to_owned(), "1.1", "open"),
        (&r#""versions":["1.0","1.1.0"]"#.to_owned(), "1.2", "clean"),
        (&r#""versions":["2004b"]"#.to_owned(), "1.2", "clean"),
        (&r#""ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]"#.to_owned(), "1", "clean"),
        (&r#""ranges":null,"versions":null"#.to_owned(), "1", "clean"),
        (&format!(r#""versions":["1.0"],{twice}"#), "1.0", "2.0"),
    ] {
        assert_eq!(verdict(rest, version), expected, "{rest} {version}");
    }
}

#[test]
fn names_severities_and_what_is_left_out() {
    let own = r#"{"package":{"ecosystem":"PyPI","name":"A"},"versions":["1"]}"#;
    let parse = |json: &str| Advisory::parse(json.as_bytes()).unwrap();
    let found = parse(&format!(
        r#"{{"id":"PYSEC-1","aliases":["CVE-1","GHSA-1"],"summary":"","details":"first\nsecond","affected":[{own},
        {{"package":{{"ecosystem":"npm","name":"A"}},"versions":["2"]}},{{"ranges":[]}}],
        "severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]}}"#
    ))
    .unwrap();
    assert_eq!((found.affected.len(), found.affected[0].name.as_str()), (1, "a"));
    assert_eq!((found.summary.as_str(), found.urgency), ("first", Some(Urgency::Critical)));
    for (specific, urgency) in [
        (r#"{"severity":"MODERATE"}"#, Some(Urgency::Medium)),
        (r#"{"severity":"Critical"}"#, Some(Urgency::Critical)),
        (r#"{"severity":5}"#, None),
        ("null", None),
    ] {
        let json = format!(
            r#"{{"id":"GHSA-1","database_specific":{specific},"affected":[{own}],
            "severity":[{{"type":"CVSS_V4","score":"CVSS:4.0/AV:N"}},{{}}]}}"#
        );
        assert_eq!(parse(&json).unwrap().urgency, urgency, "{specific}");
    }
    for json in [
        format!(r#"{{"id":"GHSA-1","withdrawn":"2026-01-01T00:00:00Z","affected":[{own}]}}"#),
        r#"{"id":"GHSA-1","affected":[{"package":{"ecosystem":"Debian:13","name":"a"}}]}"#.into(),
        r#"{"id":"GHSA-1","affected":[{"package":{"ecosystem":"PyPI","name":"no name"}}]}"#.into(),
        r#"{"id":"GHSA-1"}"#.into(),
    ] {
        assert_eq!(parse(&json), None, "{json}");
    }
    for json in ["", "{}", "[]", r#"{"id":1}"#, r#"{"id":"a","affected":{}}"#, &"[".repeat(100_000)] {
        assert!(Advisory::parse(json.as_bytes()).is_err(), "{}", json.len());
    }
}
