//! What must hold of the security tracker's JSON, of OSV records and of OpenVEX documents, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::collections::BTreeSet;

use super::{Advisory, Tracker, VexDocument, Wanted, cvss, purl::Pattern};

/// The tracker's document.
pub fn tracker(bytes: &[u8]) {
    let set = |words: &[&str]| words.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let (sources, suites) = (set(&["a", "openssl"]), set(&["trixie", "sid"]));
    match Tracker::parse(bytes, "a.json", Wanted { sources: &sources, suites: &suites }) {
        Ok(tracker) => {
            assert!(tracker.sources.keys().all(|source| sources.contains(source)));
            for issue in tracker.sources.values().flatten() {
                assert!(!issue.id.contains(['\n', '\u{1b}']) && issue.id.chars().count() <= 61, "{issue:?}");
                assert!(!issue.description.contains(['\n', '\u{1b}']), "{issue:?}");
            }
            assert!(tracker.sources.values().all(|issues| issues.is_sorted_by(|a, b| a.id <= b.id)));
        }
        Err(error) => _ = error.to_string(),
    }
}

/// One record, with its vectors (CVSS).
pub fn osv(bytes: &[u8]) {
    let _ = cvss::urgency(&String::from_utf8_lossy(bytes));
    let advisory = match Advisory::parse(bytes) {
        Ok(Some(advisory)) => advisory,
        Ok(None) => return,
        Err(error) => return drop(error.to_string()),
    };
    assert!(!advisory.affected.is_empty() && advisory.id.chars().count() <= 61);
    let texts = [&advisory.id, &advisory.summary, &advisory.modified];
    texts.into_iter().chain(&advisory.aliases).for_each(|text| assert!(!text.contains(['\n', '\u{1b}']), "{text:?}"));
    for affected in &advisory.affected {
        for version in ["0", "1.0", "2.0.post1", "3a1"] {
            affected.hits(&version.parse().expect("a version"));
        }
    }
}

/// A document, and a package URL.
pub fn vex(bytes: &[u8]) {
    let _ = Pattern::parse(&String::from_utf8_lossy(bytes));
    match VexDocument::parse(bytes, "a.json") {
        Ok(document) => assert_eq!(document.is_empty(), matches!(document.len(), 0)),
        Err(error) => assert!(!error.to_string().contains('\u{1b}')),
    }
}
