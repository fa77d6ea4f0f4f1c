#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    advisory::{
        Level, Wanted,
        testing::{inventory, package},
    },
    inventory::Repository,
};

/// The findings of one package `a` of this version, for an issue with these releases.
fn found(releases: &str, version: &str) -> Vec<Finding> {
    let json = format!(
        r#"{{"a":{{"CVE-2026-1":{{"releases":{{{releases}}}}}}},"b":{{"CVE-2":{{"releases":{{"trixie":{{"status":"open"}},"sid":{{"status":"open"}}}}}}}}}}"#
    );
    let inventory = inventory(vec![package("a", version, "a")], Vec::new());
    let sorted = suites(&inventory);
    let (sources, names) = (sorted.sources(), sorted.names());
    let tracker = Tracker::parse(json.as_bytes(), "x", Wanted { sources: &sources, suites: &names }).unwrap();
    check_packages(&inventory, &sorted, &tracker).findings
}

fn word(findings: &[Finding]) -> String {
    match findings {
        [] => "clean".into(),
        [one] => match &one.status {
            Status::Fixed { version } => format!("fixed {version}"),
            Status::Ignored { reason } => format!("ignored {reason}"),
            status => status.as_str().into(),
        },
        _ => "several".into(),
    }
}

#[test]
fn versions_against_the_suite() {
    let trixie = |rest: &str| {
        format!(r#""trixie":{{"repositories":{{"trixie":"2-1","trixie-security":"2-1+deb13u2"}},{rest}}}"#)
    };
    let sid = |fixed: &str| {
        format!(r#","sid":{{"status":"resolved","fixed_version":"{fixed}","repositories":{{"sid":"3-5"}}}}"#)
    };
    let (open, fixed) = (trixie(r#""status":"open""#), trixie(r#""status":"resolved","fixed_version":"2-1+deb13u1""#));
    for (releases, version, expected) in [
        (fixed.clone(), "2-1", "fixed 2-1+deb13u1"),
        (fixed.clone(), "2-1+deb13u1~x", "fixed 2-1+deb13u1"),
        (fixed.clone(), "2-1+deb13u1", "clean"),
        (fixed.clone(), "2-1+deb13u2", "clean"),
        // The branch that the version named is of is not the suite's: what the suite has newest is fixed all the same.
        (trixie(r#""status":"resolved","fixed_version":"3-1""#), "2-1+deb13u2", "clean"),
        (trixie(r#""status":"resolved","fixed_version":"3-1""#), "2-1", "fixed 3-1"),
        (trixie(r#""status":"resolved","fixed_version":"0""#), "1", "clean"),
        (trixie(r#""status":"resolved""#), "2-1", "undetermined"),
        (trixie(r#""status":"undetermined""#), "2-1", "undetermined"),
        (open.clone(), "2-1", "open"),
        (open.clone(), "2-1+deb13u2", "open"),
        (trixie(r#""status":"open","nodsa":"Minor issue","nodsa_reason":"ignored""#), "2-1", "ignored Minor issue"),
        (trixie(r#""status":"open","nodsa":"Minor issue","nodsa_reason":"postponed""#), "2-1", "open"),
        (trixie(r#""status":"open","nodsa":"Minor issue""#), "2-1", "open"),
        // Newer than the suite has: as unstable stands.
        (open.clone() + &sid("3-2"), "3-2", "clean"),
        (open.clone() + &sid("3-2"), "3-2~bpo13+1", "fixed 3-2"),
        (open.clone() + &sid("3-2"), "3-1", "fixed 3-2"),
        (open.clone() + &sid("2-1"), "2-1", "open"),
        (fixed.clone() + &sid("3-2"), "3-1", "fixed 3-2"),
        (fixed.clone() + &sid("3-2"), "2-1+deb13u3", "clean"),
        (trixie(r#""status":"resolved","fixed_version":"0""#) + &sid("3-2"), "3-1", "fixed 3-2"),
        (open.clone() + r#","sid":{"status":"open"}"#, "3-1", "open"),
        (fixed.clone() + &sid("2-4"), "2-3", "fixed 2-4"),
        (fixed.clone() + &sid("2-4"), "2-3~deb13u1", "clean"),
        (fixed.clone() + &sid("2-4"), "2-3+debug1", "fixed 2-4"),
        // Not in the suite at all.
        (r#""sid":{"status":"open"}"#.into(), "2-1", "open"),
        (r#""sid":{"status":"resolved","fixed_version":"2-2"}"#.into(), "2-1", "fixed 2-2"),
        (r#""sid":{"status":"resolved","fixed_version":"2-1"}"#.into(), "2-1", "clean"),
        (r#""sid":{"status":"resolved","fixed_version":"0"}"#.into(), "2-1", "clean"),
        (r#""bookworm":{"status":"open"}"#.into(), "2-1", "undetermined"),
        (String::new(), "2-1", "undetermined"),
        // dpkg's order.
        (r#""trixie":{"status":"resolved","fixed_version":"1:1.0~rc1-1"}"#.into(), "9.9-1", "fixed 1:1.0~rc1-1"),
        (r#""trixie":{"status":"resolved","fixed_version":"1.0~rc1-1"}"#.into(), "1.0a-1", "clean"),
    ] {
        assert_eq!(word(&found(&releases, version)), expected, "{releases} {version}");
    }
}

#[test]
fn what_a_finding_counts_for() {
    let of = |rest: &str| {
        let found = found(&format!(r#""trixie":{{{rest}}}"#), "1");
        found.first().and_then(Finding::level)
    };
    for (rest, level) in [
        (r#""status":"open","urgency":"high""#, Level::High),
        (r#""status":"open","urgency":"medium**""#, Level::Medium),
        (r#""status":"open","urgency":"low""#, Level::Low),
        (r#""status":"open","urgency":"unimportant""#, Level::Unimportant),
        (r#""status":"open","urgency":"end-of-life""#, Level::High),
        (r#""status":"open","urgency":"not yet assigned""#, Level::High),
        (r#""status":"open""#, Level::High),
        (r#""status":"resolved","fixed_version":"2","urgency":"not yet assigned""#, Level::High),
        (r#""status":"open","urgency":"not yet assigned","nodsa":"Minor issue""#, Level::Low),
        (r#""status":"open","urgency":"not yet assigned","nodsa":"x","nodsa_reason":"postponed""#, Level::Low),
        (r#""status":"open","urgency":"high","nodsa":"Minor issue""#, Level::High),
        (r#""status":"open","urgency":"high","nodsa":"x","nodsa_reason":"ignored""#, Level::Any),
        (r#""status":"undetermined","urgency":"high""#, Level::Any),
    ] {
        assert_eq!(of(rest), Some(level), "{rest}");
    }
}

#[test]
fn who_is_looked_up() {
    let at = |name: &str, repository: &str| {
        let mut package = package(name, "1", name);
        package.repository = (!repository.is_empty()).then(|| repository.into());
        package
    };
    let mut image = inventory(
        vec![
            at("a", "debian"),
            at("b", "debian-security"),
            at("c", "company"),
            at("d", "mine"),
            at("e", ""),
            at("f", "bpo"),
        ],
        Vec::new(),
    );
    let repository = |name: &str, origin: Option<&str>, codename: &str| Repository {
        name: name.into(),
        origin: origin.map(str::to_owned),
        codename: Some(codename.into()),
    };
    image.repositories = vec![
        repository("debian", Some("Debian"), "trixie"),
        repository("debian-security", Some("Debian"), "trixie-security"),
        repository("company", Some("Company"), "trixie"),
        repository("mine", Some("Debian"), "bookworm"),
        repository("bpo", Some("Debian Backports"), "trixie-backports"),
    ];
    let names = |packages: &[&Package]| packages.iter().map(|one| one.name.to_string()).collect::<Vec<_>>().concat();
    let sorted = suites(&image);
    let by_suite: Vec<_> = sorted.packages.iter().map(|(suite, list)| (suite.as_str(), names(list))).collect();
    assert_eq!(by_suite, [("bookworm", "d".into()), ("trixie", "abef".into())]);
    let others: Vec<_> = sorted.others.iter().map(|(why, list)| (why.as_str(), names(list))).collect();
    assert_eq!(
        others,
        [(
            "of the repository “company” (origin: Company), which the Debian Security Tracker does not speak of",
            "c".into()
        )]
    );
    // Without a lock, everything is of the distribution.
    for (id, codename, full, suite) in [
        ("debian", Some("trixie"), None, Some("trixie")),
        ("debian", None, Some("forky/sid"), Some("forky")),
        ("debian", Some("unstable"), None, Some("sid")),
        ("debian", None, Some("13.8"), None),
        ("ubuntu", Some("noble"), Some("trixie/sid"), None),
        ("", Some("trixie"), None, None),
    ] {
        let mut image = inventory(vec![package("a", "1", "a")], Vec::new());
        image.distro.id = id.into();
        image.distro.codename = codename.map(str::to_owned);
        image.distro.full_version = full.map(str::to_owned);
        let sorted = suites(&image);
        assert_eq!(sorted.names().iter().next().map(String::as_str), suite, "{id} {codename:?}");
        assert_eq!(sorted.others.len(), usize::from(suite.is_none()));
    }
}

#[test]
fn binaries_of_a_source_are_one_finding() {
    let mut other = package("libb", "1", "a");
    other.arch = "i386".into();
    let image = inventory(
        vec![
            package("a", "1+b1", "a"),
            package("libb", "1", "a"),
            other,
            package("late", "2", "a"),
            package("clean", "1", "none"),
            package("grub-efi-amd64-signed", "1", "grub-efi-amd64-signed"),
        ],
        Vec::new(),
    );
    let mut image = image;
    image.packages[0].source_version = "1".parse().unwrap();
    let json = r#"{"a":{"CVE-1":{"releases":{"trixie":{"status":"resolved","fixed_version":"2"}}}}}"#;
    let sorted = suites(&image);
    let (sources, names) = (sorted.sources(), sorted.names());
    let tracker = Tracker::parse(json.as_bytes(), "x", Wanted { sources: &sources, suites: &names }).unwrap();
    let matched = check_packages(&image, &sorted, &tracker);
    let found: Vec<_> = matched.findings.iter().map(|one| (one.version.as_str(), one.packages.join(" "))).collect();
    assert_eq!(found, [("1", "a libb:amd64 libb:i386".into())]);
    let Covered { packages, sources, unmentioned, .. } = matched.covered;
    assert_eq!((packages, sources, unmentioned), (5, 3, 1));
    assert_eq!(matched.not_covered[0].what, ["grub-efi-amd64-signed 1"]);
}
