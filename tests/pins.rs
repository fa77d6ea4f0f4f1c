//! `debian.snapshot`: the archive as it was, out of a snapshot archive on loopback that behaves as Debian's does. It leads
//! every request to the newest state that is not younger, and has nothing from before its first.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use support::{
    Archive, Desk, Run, Served,
    http::{Answer, Server},
    pkg,
};

type Files = BTreeMap<String, Vec<u8>>;

/// Files of each state, by its time as URLs have it.
type States = Arc<Mutex<BTreeMap<String, Files>>>;

const FIRST: &str = "20200101T030405Z";
const SECOND: &str = "20200601T030405Z";

/// Two states of an archive, both long past their Valid-Until; the key that signs; a desk.
fn world() -> (Server, States, Archive, Desk) {
    let mut archive = Archive::new(Vec::new());
    let mut states = BTreeMap::new();
    for (time, version, date, until) in [
        (FIRST, "1", "Tue, 31 Dec 2019 09:15:44 UTC", "Tue, 07 Jan 2020 09:15:44 UTC"),
        (SECOND, "2", "Sun, 31 May 2020 09:15:44 UTC", "Sun, 07 Jun 2020 09:15:44 UTC"),
    ] {
        states.insert(time.to_owned(), state(&mut archive, version, date, until));
    }
    let states = Arc::new(Mutex::new(states));
    let served = Arc::clone(&states);
    let server =
        Server::start(move |request, _| answer(&served.lock().unwrap(), &request.path).unwrap_or(Answer::status(404)));
    let desk = desk(&archive);
    (server, states, archive, desk)
}

fn state(archive: &mut Archive, version: &str, date: &str, until: &str) -> Files {
    archive.packages = vec![pkg("base", version).file("usr/base", 0o644, version)];
    archive.release.insert("Date".into(), date.into());
    archive.release.insert("Valid-Until".into(), until.into());
    archive.debian("trixie")
}

fn desk(archive: &Archive) -> Desk {
    let nothing = Served::start(Files::new(), archive.key.armoured());
    let desk = Desk::new(&nothing, "", "");
    pin(&desk, "\"20200102T000000Z\"");
    desk
}

fn pin(desk: &Desk, snapshot: &str) {
    desk.manifest(&format!(
        "name = \"demo\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\nsnapshot = {snapshot}\n[packages]\ninstall = [\"base\"]\n"
    ));
}

/// `/archive/AREA/TIME/PATH`.
fn answer(states: &BTreeMap<String, Files>, path: &str) -> Option<Answer> {
    let mut parts = path.strip_prefix("/archive/")?.splitn(3, '/');
    let (area, time, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (near, files) = states.range(..=time.to_owned()).next_back()?;
    if near != time {
        return Some(Answer::status(302).header("Location", format!("/archive/{area}/{near}/{rest}")));
    }
    files.get(&format!("{area}/{rest}")).map(|body| Answer::ok(body.clone()))
}

fn command(desk: &Desk, archive: &str, args: &[&str]) -> std::process::Command {
    let mut command = desk.command(&[args, &["--signed-by", "key.asc"]].concat());
    command.env("COMPOSE_SNAPSHOT", archive);
    command
}

fn run(desk: &Desk, server: &Server, args: &[&str]) -> Run {
    desk.run(&mut command(desk, &format!("{}/archive", server.url), args))
}

fn lock(desk: &Desk) -> String {
    fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap()
}

/// What is remembered of Releases that were accepted.
fn memory(desk: &Desk) -> BTreeMap<String, String> {
    let entries = fs::read_dir(desk.path("cache/suites")).into_iter().flatten().flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap())).collect()
}

#[test]
fn a_pin_is_the_archive_of_its_time() {
    let (server, _, _, desk) = world();
    // Between the two states, however it is written: the first of them.
    let mut locks = Vec::new();
    for spelt in [
        "\"20200102T000000Z\"",
        "\"20200102\"",
        "20200102",
        "2020-01-02",
        "\"2020-01-02T00:00:00Z\"",
        "2020-01-02T02:00:00+02:00",
    ] {
        pin(&desk, spelt);
        run(&desk, &server, &["lock", "demo.toml"]).ok();
        locks.push(lock(&desk));
    }
    assert!(locks.iter().all(|lock| *lock == locks[0]));
    assert_eq!(locks[0].matches("snapshot = 2020-01-02T00:00:00Z\n").count(), 3, "{}", locks[0]);
    assert!(locks[0].contains("version = \"1\"") && !locks[0].contains("127.0.0.1"), "{}", locks[0]);
    run(&desk, &server, &["demo.toml", "--locked", "-o", "x.tar"]).ok();
    // Another pin is another image: the lock is stale.
    pin(&desk, "\"20200601T030405Z\"");
    let stale = run(&desk, &server, &["demo.toml", "--locked", "-o", "x.tar"]);
    assert_eq!(stale.code, Some(2), "{}", stale.stderr);
    run(&desk, &server, &["lock", "demo.toml"]).ok();
    assert!(lock(&desk).contains("version = \"2\""));
    // And back, as nothing of this is remembered.
    pin(&desk, "\"20200102T000000Z\"");
    run(&desk, &server, &["lock", "demo.toml"]).ok();
    assert_eq!(lock(&desk), locks[0]);
    assert_eq!(memory(&desk), BTreeMap::new());
    // What is locked comes from any mirror that has it, and where the past lies need not be known.
    let mirror = format!("{}/archive/debian/{FIRST}", server.url);
    fs::remove_dir_all(desk.path("cache")).unwrap();
    desk.compose(&["demo.toml", "--locked", "--mirror", &mirror, "-o", "y.tar"]).ok();
    desk.compose(&["demo.toml", "--locked", "--offline", "--mirror", &mirror, "-o", "z.tar"]).ok();
    assert_eq!(fs::read(desk.path("x.tar")).unwrap(), fs::read(desk.path("z.tar")).unwrap());
}

#[test]
fn the_past_neither_heeds_nor_moves_what_is_remembered() {
    let (server, states, mut archive, desk) = world();
    let now = jiff::Timestamp::now();
    let ago = |hours| (now - jiff::SignedDuration::from_hours(hours)).strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
    let until = ago(-99);
    let (older, newer) = (state(&mut archive, "3", &ago(9), &until), state(&mut archive, "4", &ago(5), &until));
    let live = |files| Served::start(files, archive.key.armoured());
    let (older, newer) = (live(older), live(newer));
    let unpinned = |mirror: &Served| {
        let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
        desk.manifest(
            &manifest
                .lines()
                .filter(|line| !line.starts_with("snapshot"))
                .map(|l| format!("{l}\n"))
                .collect::<String>(),
        );
        run(&desk, &server, &["lock", "demo.toml", "--mirror", &format!("{}/debian", mirror.url)])
    };
    unpinned(&newer).ok();
    let before = memory(&desk);
    assert!(!before.is_empty());
    pin(&desk, "\"20200102T000000Z\"");
    run(&desk, &server, &["lock", "demo.toml"]).ok();
    assert!(lock(&desk).contains("version = \"1\""));
    assert_eq!(memory(&desk), before);
    let replayed = unpinned(&older);
    assert_eq!(replayed.code, Some(5), "{}", replayed.stderr);
    assert!(replayed.stderr.contains("older than the one accepted before"), "{}", replayed.stderr);
    drop(states);
}

#[test]
fn what_a_pin_does_not_excuse() {
    let (server, states, archive, _) = world();
    let good = states.lock().unwrap().clone();
    let base = format!("{}/archive", server.url);
    let inrelease = "debian/dists/trixie/InRelease";
    let stranger = state(&mut Archive::new(Vec::new()), "1", "Tue, 31 Dec 2019 09:15:44 UTC", "x")[inrelease].clone();
    let mirror = format!("{}/archive/debian/{SECOND}", server.url);
    let elsewhere = ["--mirror", &*mirror];
    type Change<'a> = Box<dyn Fn(&mut BTreeMap<String, Files>) + 'a>;
    let nothing = || -> Change<'_> { Box::new(|_| {}) };
    let first =
        |change: fn(&mut Files)| -> Change<'_> { Box::new(move |states| change(states.get_mut(FIRST).unwrap())) };
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], Change<'a>, i32, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("nobody says where", "20200102", "", &elsewhere, nothing(), 2, "is not the archive of that time"),
        ("a mirror of another time", "20200102", &base, &elsewhere, nothing(), 2, "is not the archive of that time"),
        ("yet to come", "29990102", &base, &[], nothing(), 2, "a snapshot is of the past"),
        ("before the first", "20191231", &base, &[], nothing(), 4, "no such suite as of 2019-12-31T00:00:00Z"),
        (
            "led to a later state",
            "20200102",
            &base,
            &[],
            Box::new(|states| {
                let second = states[SECOND].clone();
                states.insert(FIRST.into(), second);
            }),
            5,
            "a later state",
        ),
        (
            "tampered with",
            "20200102",
            &base,
            &[],
            first(|files| files.get_mut("debian/dists/trixie/InRelease").unwrap()[99] ^= 1),
            5,
            "altered",
        ),
        (
            "signed by a stranger",
            "20200102",
            &base,
            &[],
            Box::new(|states| _ = states.get_mut(FIRST).unwrap().insert(inrelease.into(), stranger.clone())),
            5,
            "the key is not trusted",
        ),
        (
            "another suite",
            "20200102",
            &base,
            &[],
            first(|files| {
                let other = files["debian/dists/trixie-updates/InRelease"].clone();
                files.insert("debian/dists/trixie/InRelease".into(), other);
            }),
            5,
            "“trixie” was asked for",
        ),
        (
            "indexes of another state",
            "20200102",
            &base,
            &[],
            Box::new(|states| {
                let second = states[SECOND].clone();
                for (path, bytes) in states.get_mut(FIRST).unwrap() {
                    if !path.contains("InRelease") {
                        *bytes = second.get(path).unwrap_or(bytes).iter().rev().copied().collect();
                    }
                }
            }),
            5,
            "is not what the signed index promises",
        ),
    ];
    for (name, date, base, args, change, code, words) in cases {
        let mut now = good.clone();
        change(&mut now);
        *states.lock().unwrap() = now;
        let desk = desk(&archive);
        pin(&desk, &format!("\"{date}\""));
        let run = desk.run(&mut command(&desk, base, &[&["demo.toml"], args].concat()));
        assert_eq!(run.code, Some(code), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{name}: {}", run.stderr);
        assert_eq!(desk.left(), Vec::<String>::new(), "{name}");
        assert_eq!(memory(&desk), BTreeMap::new(), "{name}");
    }
}
