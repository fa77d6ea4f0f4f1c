#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, time::Duration};

use super::*;
use crate::archive::{
    ErrorClass,
    testing::{
        Heard, hasty,
        http::{Answer, Server},
    },
};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// 200 kB that do not repeat.
fn body() -> Vec<u8> {
    (0..50_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn want(size: usize, sha256: &Sha256) -> Want<'_> {
    Want { size: Some(size as u64), sha256, promise: Promise::Index }
}

fn fetch(server: &Server, store: &Store, heard: &Heard) -> Result<PathBuf, FetchError> {
    let body = body();
    let url = format!("{}/pool/x.deb", server.url);
    hasty().fetch_to_store(store, Shelf::Debs, &[url], want(body.len(), &Sha256::of(&body)), heard)
}

#[test]
fn goes_on_where_a_cut_download_stopped() {
    let server = Server::start(|request, n| match n {
        0 => Answer::file(request, &body()).cut(100_000),
        1 => Answer::status(503),
        _ => Answer::file(request, &body()),
    });
    let (_dir, store) = store();
    let heard = Heard::default();
    let path = fetch(&server, &store, &heard).unwrap();
    assert_eq!(fs::read(path).unwrap(), body());
    let ranges: Vec<_> = server.requests().iter().map(|r| r.range).collect();
    assert_eq!(ranges[0], None);
    assert!(ranges[2].is_some_and(|start| start > 0 && start <= 100_000), "{ranges:?}");
    assert!(server.requests()[0].agent.starts_with("compose/"));
    let heard = heard.0.into_inner().unwrap();
    assert_eq!((heard.0, heard.1.len()), (200_000, 2), "{:?}", heard.1);
    assert!(fs::read_dir(store.suites().with_file_name("tmp")).unwrap().next().is_none());
    // The second time nothing is asked for.
    let before = server.requests().len();
    fetch(&server, &store, &Heard::default()).unwrap();
    assert_eq!(server.requests().len(), before);
}

#[test]
fn starts_over_when_the_rest_does_not_fit_or_no_range_is_served() {
    for ranges in [true, false] {
        let server =
            Server::start(move |request, _| if ranges { Answer::file(request, &body()) } else { Answer::ok(body()) });
        let (_dir, store) = store();
        fs::write(store.partial(&Sha256::of(&body())), vec![7; 1000]).unwrap();
        let path = fetch(&server, &store, &Heard::default()).unwrap();
        assert_eq!(fs::read(path).unwrap(), body());
    }
    // Whole but wrong, and longer than it can be: both are thrown away.
    for left in [vec![7; 200_000], vec![7; 200_001]] {
        let server = Server::start(|request, _| Answer::file(request, &body()));
        let (_dir, store) = store();
        fs::write(store.partial(&Sha256::of(&body())), left).unwrap();
        fetch(&server, &store, &Heard::default()).unwrap();
        assert_eq!(server.requests()[0].range, None);
    }
}

#[test]
fn wrong_bytes_never_get_a_name() {
    let mut wrong = body();
    wrong[150_000] ^= 1;
    let mut long = body();
    long.extend_from_slice(&[0; 100]);
    let cases: [(&str, Answer, usize); 5] = [
        ("flipped", Answer::ok(wrong.clone()), 2),
        ("longer", Answer::ok(long.clone()), 2),
        ("longer, untold", Answer { bare: true, ..Answer::ok(long) }, 2),
        ("shorter", Answer::ok(&body()[..1000]), 2),
        ("shorter, untold", Answer { bare: true, ..Answer::ok(&body()[..1000]) }, 4),
    ];
    for (name, answer, requests) in cases {
        let server = Server::start(move |_, _| answer.clone());
        let (_dir, store) = store();
        let error = fetch(&server, &store, &Heard::default()).unwrap_err();
        let class = if name == "shorter, untold" { ErrorClass::Network } else { ErrorClass::Signature };
        assert_eq!(error.class(), class, "{name}: {error}");
        assert!(error.to_string().contains("/pool/x.deb"), "{error}");
        assert_eq!(server.requests().len(), requests, "{name}");
        assert!(store.get(Shelf::Debs, &Sha256::of(&body())).is_none());
    }
}

#[test]
fn answers_that_are_final_and_answers_that_pass() {
    let cases = [(404, 1), (403, 1), (401, 1), (400, 1), (500, 4), (503, 4), (429, 4), (302, 1)];
    for (status, requests) in cases {
        let server = Server::start(move |_, _| Answer::status(status));
        let (_dir, store) = store();
        let error = fetch(&server, &store, &Heard::default()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Network);
        assert_eq!(error.is_missing(), status == 404);
        assert_eq!(server.requests().len(), requests, "{status}: {error}");
    }
}

#[test]
fn redirects_never_leave_the_web_or_go_on_for_ever() {
    let (dir, store) = store();
    let secret = dir.path().join("secret");
    fs::write(&secret, body()).unwrap();
    let to_file = format!("file://{}", secret.display());
    let server = Server::start(move |_, _| Answer::status(302).header("Location", to_file.clone()));
    let error = fetch(&server, &store, &Heard::default()).unwrap_err().to_string();
    assert!(error.contains("only http and https"), "{error}");

    let server = Server::start(|request, _| Answer::status(301).header("Location", format!("{}x", request.path)));
    let error = fetch(&server, &store, &Heard::default()).unwrap_err().to_string();
    assert!(error.contains("redirects more than 5 times"), "{error}");
    assert!(server.requests().len() < 10);

    let server = Server::start(|request, _| match request.path.as_str() {
        "/pool/x.deb" => Answer::status(307).header("Location", "y.deb"),
        _ => Answer::file(request, &body()),
    });
    fetch(&server, &store, &Heard::default()).unwrap();
    assert_eq!(server.requests()[1].path, "/pool/y.deb");
}

#[test]
fn a_silent_server_and_a_slow_one_are_given_up() {
    let server = Server::start(|_, _| Answer { pause: Duration::from_secs(2), ..Answer::ok(body()) });
    let settings = FetchSettings {
        attempts: 2,
        backoff: Duration::ZERO,
        stall_timeout: Duration::from_millis(200),
        ..FetchSettings::default()
    };
    let (_dir, store) = store();
    let get = |settings| {
        let url = [format!("{}/x", server.url)];
        let body = body();
        Fetcher::new(settings).fetch_to_store(
            &store,
            Shelf::Debs,
            &url,
            want(body.len(), &Sha256::of(&body)),
            &Heard::default(),
        )
    };
    assert_eq!(get(settings.clone()).unwrap_err().class(), ErrorClass::Network);
    assert_eq!(server.requests().len(), 2);
    // No grace at all: even loopback is too slow for 200 kB in zero seconds plus 48 of them, so take a tiny document.
    let hurried = FetchSettings { grace: Duration::ZERO, stall_timeout: Duration::from_secs(5), ..settings };
    let error = Fetcher::new(hurried).fetch_small(&format!("{}/x", server.url), 100, &Heard::default()).unwrap_err();
    assert!(error.to_string().contains("too slowly"), "{error}");
}

/// Servers that want to be waited for, and such that send more than anybody asked for: all of it is bounded.
#[test]
fn time_and_memory_are_bounded() {
    let zeros = || vec![0; 64 << 10];
    let drop_by_drop = || Answer { drip: Some(Duration::from_millis(5)), ..Answer::ok(&body()[..2000]) };
    let headers = |n: usize| (0..n).fold(Answer::ok("x"), |answer, _| answer.header("X-Bomb", "x".repeat(1000)));
    let packed = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        Answer::ok(out.finish().unwrap()).header("Content-Encoding", "gzip")
    };
    let later = |wait: &str| Answer::status(503).header("Retry-After", wait);
    // Name, answer, requests, class, words; of a file of known size first, of a document of unknown size then.
    let cases: Vec<(&str, Answer, usize, ErrorClass, &str)> = vec![
        ("drop by drop", drop_by_drop(), 2, ErrorClass::Network, "too slowly"),
        ("an hour from now", later("3600"), 2, ErrorClass::Network, "HTTP 503"),
        ("centuries from now", later("18446744073709551615"), 2, ErrorClass::Network, "HTTP 503"),
        ("at some date", later("Wed, 21 Oct 2065 07:28:00 GMT"), 2, ErrorClass::Network, "HTTP 503"),
        ("not a word", Answer::silence(), 2, ErrorClass::Network, "cannot fetch"),
        ("endless", Answer { endless: true, ..Answer::ok(zeros()) }, 2, ErrorClass::Signature, "more than 2000 bytes"),
        ("100 MB of headers", headers(100_000), 2, ErrorClass::Network, "cannot fetch"),
        ("packed unasked", packed(&body()[..2000]), 2, ErrorClass::Signature, "instead of"),
        ("a bomb, packed unasked", packed(&vec![0; 1 << 20]), 2, ErrorClass::Signature, "instead of"),
    ];
    let settings = FetchSettings { attempts: 2, grace: Duration::from_millis(300), ..hasty().settings().clone() };
    for (name, answer, requests, class, words) in cases {
        let server = Server::start(move |_, _| answer.clone());
        let (_dir, store) = store();
        let sha256 = Sha256::of(&body()[..2000]);
        let urls = [format!("{}/x", server.url)];
        let fetcher = Fetcher::new(settings.clone());
        let error = fetcher.fetch_to_store(&store, Shelf::Debs, &urls, want(2000, &sha256), &Heard::default());
        let error = error.unwrap_err();
        assert_eq!(error.class(), class, "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
        // What is final is seen in the first attempt, unless the connection broke before.
        assert!(server.requests().len() <= requests, "{name}: {error}");
        assert!(store.get(Shelf::Debs, &sha256).is_none(), "{name}");
    }
    let server = Server::start(move |_, _| Answer { endless: true, ..Answer::ok(zeros()) });
    let error = Fetcher::new(settings).fetch_small(&server.url, 1 << 20, &Heard::default()).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[test]
fn a_size_need_not_be_known() {
    let server = Server::start(|request, attempt| match (request.path.as_str(), attempt) {
        ("/cut", 0) => Answer::file(request, &body()).cut(70_000),
        ("/cut" | "/good", _) => Answer::file(request, &body()),
        _ => Answer::ok("wrong"),
    });
    let sha256 = Sha256::of(&body());
    let get = |path: &str, promise| {
        let (_dir, store) = store();
        let want = Want { size: None, sha256: &sha256, promise };
        let urls = [format!("{}{path}", server.url)];
        let path = hasty().fetch_to_store(&store, Shelf::Debs, &urls, want, &Heard::default())?;
        Ok::<_, FetchError>(std::fs::read(path).unwrap())
    };
    assert_eq!(get("/good", Promise::Manifest).unwrap(), body());
    assert_eq!(get("/cut", Promise::Manifest).unwrap(), body());
    for (promise, words) in [(Promise::PythonLock, "the application's lock"), (Promise::Manifest, "the manifest")] {
        let error = get("/wrong", promise).unwrap_err().to_string();
        assert!(error.contains(&format!("is not what {words} promises")), "{error}");
    }
}

#[test]
fn several_urls_are_tried_in_order() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/good" => Answer::file(request, &body()),
        "/wrong" => Answer::ok("wrong"),
        _ => Answer::status(404),
    });
    let sha256 = Sha256::of(&body());
    let want = want(200_000, &sha256);
    let get = |store: &Store, paths: &[&str]| {
        let urls: Vec<_> = paths.iter().map(|path| format!("{}{path}", server.url)).collect();
        hasty().fetch_to_store(store, Shelf::Debs, &urls, want, &Heard::default())
    };
    let (_dir, store) = store();
    let error = get(&store, &["/none", "/wrong"]).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Signature);
    assert!(error.to_string().contains("/none") && error.to_string().contains("/wrong"), "{error}");
    assert!(get(&store, &["/none", "/nil"]).unwrap_err().is_missing());
    get(&store, &["/none", "/wrong", "/good"]).unwrap();
    get(&store, &[]).unwrap();
}

#[test]
fn two_runs_at_once_do_not_harm_each_other() {
    let server =
        Server::start(|request, _| Answer { pause: Duration::from_millis(50), ..Answer::file(request, &body()) });
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| fetch(&server, &store, &Heard::default()).unwrap())).collect();
        for run in runs {
            assert_eq!(fs::read(run.join().unwrap()).unwrap(), body());
        }
    });
    assert!(fs::read_dir(store.suites().with_file_name("tmp")).unwrap().next().is_none());
}

#[test]
fn offline_forbids_the_network_only() {
    let fetcher = Fetcher::new(FetchSettings { offline: true, ..FetchSettings::default() });
    let (dir, store) = store();
    fs::write(dir.path().join("x y"), "abc").unwrap();
    let url = join(&format!("file://{}", dir.path().display()), "x y");
    assert_eq!(fetcher.fetch_small(&url, 3, &Heard::default()).unwrap(), b"abc");
    fetcher
        .fetch_to_store(
            &store,
            Shelf::Debs,
            std::slice::from_ref(&url),
            want(3, &Sha256::of(b"abc")),
            &Heard::default(),
        )
        .unwrap();
    assert!(matches!(fetcher.fetch_small(&url, 2, &Heard::default()), Err(FetchError::TooLarge { .. })));
    let none = fetcher.fetch_small(&format!("{url}z"), 3, &Heard::default());
    assert!(none.unwrap_err().is_missing());
    let error = fetcher.fetch_small("http://u:secret@127.0.0.1:9/x", 3, &Heard::default()).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }));
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn an_unreachable_mirror_says_so() {
    // Bound and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/debian/dists/trixie/InRelease");
    let error = hasty().fetch_small(&url, 100, &Heard::default()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Network);
    assert!(error.to_string().contains(&url) && error.to_string().contains("attempt 2"), "{error}");
}

#[test]
fn a_store_that_cannot_be_written_is_a_disk_error() {
    let (dir, store) = store();
    fs::remove_dir(dir.path().join("tmp")).unwrap();
    let server = Server::start(|request, _| Answer::file(request, &body()));
    let error = fetch(&server, &store, &Heard::default()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Disk);
    assert!(error.to_string().contains("200000 bytes"), "{error}");
}

#[test]
fn what_is_of_this_machine() {
    for (text, wanted) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.8.0.1:5000", true),
        ("[::1]:5000", true),
        ("http://localhost/token", true),
        ("http://localhost:x@192.0.2.2:5599/token", false),
        ("http://192.0.2.2/@localhost", false),
        ("http://name@127.0.0.1?x", true),
        ("localhost.example.com", false),
        ("[::2]", false),
        ("", false),
    ] {
        assert_eq!(is_this_machine(text), wanted, "{text}");
    }
}
