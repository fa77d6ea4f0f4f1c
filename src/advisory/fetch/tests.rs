#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::{
    archive::{
        FetchSettings,
        testing::{
            Heard, hasty,
            http::{Answer, Request, Server},
        },
    },
    base::{Silent, exit, refusal::Refuses as _},
};

const JSON: &str = r#"{"a":{"CVE-1":{"releases":{"trixie":{"status":"open"}}}}}"#;
const DATE: &str = "Wed, 25 Nov 2026 08:00:00 GMT";

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn at(hour: i64) -> Timestamp {
    "2026-11-25T10:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_hours(hour)
}

fn offline() -> Fetcher {
    Fetcher::new(FetchSettings { offline: true, ..FetchSettings::default() })
}

/// A tracker with a tag, packed on demand.
fn tracker(request: &Request, tag: &str, json: &str) -> Answer {
    if request.none_match.as_deref() == Some(tag) {
        return Answer::status(304);
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(json.as_bytes()).unwrap();
    Answer::ok(packed.finish().unwrap())
        .header("ETag", tag)
        .header("Last-Modified", DATE)
        .header("Content-Encoding", "gzip")
}

#[test]
fn asks_again_after_four_hours_and_only_for_what_has_changed() {
    let state = Arc::new(AtomicUsize::new(1));
    let served = Arc::clone(&state);
    let server = Server::start(move |request, _| {
        let n = served.load(Ordering::SeqCst);
        tracker(request, &format!("\"{n}\""), &JSON.repeat(n))
    });
    let (_dir, store) = store();
    let url = format!("{}/tracker/data/json", server.url);
    let get = |fetcher: &Fetcher, hour| tracker_json(&store, fetcher, &url, at(hour), &Silent);
    let error = get(&offline(), 0).unwrap_err();
    assert_eq!(error.refusal().exit, exit::NETWORK);
    assert!(error.to_string().contains("--offline forbids") && error.to_string().contains(&url), "{error}");

    let first = get(&hasty(), 0).unwrap();
    assert_eq!(first.json, JSON.as_bytes());
    assert_eq!((first.date, first.checked), (Some("2026-11-25T08:00:00Z".parse().unwrap()), Some(at(0))));
    assert_eq!(get(&hasty(), 3).unwrap(), first);
    assert_eq!(get(&offline(), 1000).unwrap(), first, "offline, data of any age will do, and say so");
    assert_eq!(server.requests().len(), 1);

    let again = get(&hasty(), 5).unwrap();
    assert_eq!((again.json, again.date, again.checked), (first.json.clone(), first.date, Some(at(5))));
    assert_eq!(server.requests()[1].none_match.as_deref(), Some("\"1\""));
    assert_eq!(server.requests()[1].modified_since.as_deref(), Some(DATE));
    assert_eq!(get(&hasty(), 8).unwrap().checked, Some(at(5)), "the answer holds for as long as new data");

    state.store(2, Ordering::SeqCst);
    let heard = Heard::default();
    let renewed = tracker_json(&store, &hasty(), &url, at(10), &heard).unwrap();
    assert_eq!(renewed.json, JSON.repeat(2).as_bytes());
    assert_eq!(heard.0.lock().unwrap().0, renewed.json.len() as u64);
    assert_eq!(get(&hasty(), -5).unwrap().checked, Some(at(-5)), "a clock that was ahead");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn old_data_are_not_taken_in_silence() {
    let server = Server::start(|request, n| if n == 0 { tracker(request, "\"1\"", JSON) } else { Answer::status(503) });
    let (_dir, store) = store();
    tracker_json(&store, &hasty(), &server.url, at(0), &Silent).unwrap();
    let error = tracker_json(&store, &hasty(), &server.url, at(5), &Silent).unwrap_err();
    assert_eq!(error.refusal().exit, exit::NETWORK);
    assert!(error.to_string().contains("data of 2026-11-25T08:00:00Z are in the cache: --offline"), "{error}");
}

#[test]
fn a_damaged_entry_is_fetched_anew() {
    let server = Server::start(|request, _| tracker(request, "\"1\"", &JSON.repeat(100)));
    let (_dir, store) = store();
    let get = |fetcher: &Fetcher| tracker_json(&store, fetcher, &server.url, at(0), &Silent);
    let whole = get(&hasty()).unwrap();
    let key = store.keys(Shelf::Advisories).unwrap()[0];
    let path = store.path(Shelf::Advisories, &key);
    let entry = fs::read(&path).unwrap();
    assert!(is_kept_sound(&path, &key) && !is_kept_sound(&path, &Sha256::of(b"other")));
    for at in (0..entry.len()).step_by(7) {
        fs::write(&path, &entry[..at]).unwrap();
        assert!(!is_kept_sound(&path, &key), "cut at {at}");
        assert!(get(&offline()).is_err(), "cut at {at}");
    }
    let last = entry.len() - 6;
    let damaged: Vec<u8> = entry.iter().enumerate().map(|(n, b)| if n == last { b ^ 1 } else { *b }).collect();
    fs::write(&path, damaged).unwrap();
    assert!(!is_kept_sound(&path, &key));
    assert_eq!(get(&hasty()).unwrap().json, whole.json);
    assert_eq!((server.requests().len(), &server.requests()[1].none_match), (2, &None));
}

#[test]
fn servers_that_lie() {
    for (answer, says) in [
        (Answer::status(404), "(HTTP 404); find out where it has gone"),
        (Answer::status(403), "refuses access"),
        (Answer::status(304), "HTTP 304"),
        (Answer::ok(JSON).cut(10), "cannot fetch"),
        (Answer::ok("no gzip").header("Content-Encoding", "gzip"), "cannot fetch"),
        (Answer::ok(JSON).header("Location", "file:///etc/passwd"), ""),
    ] {
        let is_304 = answer.status == 304;
        let server = Server::start(move |_, _| answer.clone());
        let (_dir, store) = store();
        let found = tracker_json(&store, &hasty(), &server.url, at(0), &Silent);
        match found {
            Ok(kept) => assert!(says.is_empty() && kept.json == JSON.as_bytes()),
            Err(error) => {
                let words = Failure(&error).to_string();
                assert!(is_304 || words.contains(says), "{words}");
                assert_eq!(error.refusal().exit, exit::NETWORK);
            }
        }
    }
}

/// An error with its sources, as it is printed.
struct Failure<'a>(&'a AdvisoryError);

impl std::fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::error::Error as _;
        write!(f, "{}", self.0)?;
        self.0.source().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

#[test]
fn files_are_read_where_they_are() {
    let (dir, store) = store();
    let file = dir.path().join("tracker.json");
    fs::write(&file, JSON).unwrap();
    let name = file.to_str().unwrap();
    for location in [name.to_owned(), format!("file://{name}")] {
        let kept = tracker_json(&store, &offline(), &location, at(0), &Silent).unwrap();
        assert_eq!((kept.json.as_slice(), kept.from.as_str(), kept.checked), (JSON.as_bytes(), name, None));
        assert!(kept.date.is_some());
    }
    for location in [dir.path().to_str().unwrap(), "/nonexistent/tracker.json", "ftp://example.com/json"] {
        let error = tracker_json(&store, &offline(), location, at(0), &Silent).unwrap_err();
        assert_eq!(error.refusal().exit, exit::USAGE, "{error}");
    }
}
