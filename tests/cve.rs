//! `compose audit --cve` on the real binary: against a second implementation, against debsecan, and against data that are
//! absent, old or hostile.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    path::PathBuf,
    process::Command,
};

use serde_json::{Map, Value, json};
use support::{
    http::{Answer, Server},
    tool,
};

/// Versions in dpkg's order, so that the place in the list is all that has to be compared. Those with `deb13u` are updates
/// of trixie; a `+b1` is a binary's alone.
const VERSIONS: [&str; 18] = [
    "0.9~rc1-1",
    "0.9-1",
    "1.0~beta-2",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u2",
    "1.0-2",
    "1.0-9",
    "1.0-10",
    "1.0-10+deb13u1",
    "1.0-10+deb13u2",
    "1.0-10+deb13u10",
    "1.0a-1",
    "1.9-1",
    "1.10-1",
    "1.10-2",
    "1:0.1-1",
    "1:0.1+dfsg-1",
];
/// The first index of what trixie may have at its release, and the last of its updates.
const TRIXIE: usize = 8;
const UPDATES: std::ops::Range<usize> = 9..12;
const SID: std::ops::Range<usize> = 12..18;

/// Numbers that are the same on each run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// A note of the tracker's database: since which version a branch is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    Unfixed,
    NeverAffected,
    Undetermined,
    Since(usize),
}

struct Issue {
    id: String,
    urgency: &'static str,
    /// Of unstable, and of what has no note of its own.
    general: Note,
    trixie: Option<Note>,
    nodsa: Option<(&'static str, &'static str)>,
}

struct Source {
    name: String,
    /// By repository: trixie, trixie-security, sid.
    trixie: usize,
    security: Option<usize>,
    sid: usize,
    issues: Vec<Issue>,
    /// The version in the image.
    installed: usize,
    binaries: Vec<String>,
}

fn world(seed: u64) -> Vec<Source> {
    let dice = &mut Dice(seed);
    let mut number = 1000;
    (0..150)
        .map(|n| {
            let security = (dice.roll(2) == 0).then(|| UPDATES.start + dice.roll(UPDATES.len()));
            let sid = SID.start + dice.roll(SID.len());
            let issues = (0..dice.roll(7)).map(|_| {
                number += 1;
                let general = match dice.roll(6) {
                    0 => Note::Unfixed,
                    1 => Note::NeverAffected,
                    2 => Note::Undetermined,
                    _ => Note::Since(dice.roll(VERSIONS.len())),
                };
                let own = matches!(general, Note::Unfixed | Note::Since(SID_START..));
                // As in the tracker: a branch's own fix is one that this branch has or had.
                let trixie = match dice.roll(4) {
                    0 if own => {
                        security.map(|newest| Note::Since(UPDATES.start + dice.roll(newest + 1 - UPDATES.start)))
                    }
                    1 if own => Some(Note::NeverAffected),
                    2 if own => Some(Note::Unfixed),
                    _ => None,
                };
                let urgency =
                    ["not yet assigned", "not yet assigned", "low", "medium", "high", "unimportant", "end-of-life"];
                let nodsa = [
                    None,
                    None,
                    Some(("Minor issue", "")),
                    Some(("Minor issue", "postponed")),
                    Some(("Too intrusive", "ignored")),
                ];
                Issue {
                    id: format!("CVE-2026-{number}"),
                    urgency: urgency[dice.roll(urgency.len())],
                    general,
                    trixie,
                    nodsa: nodsa[dice.roll(nodsa.len())],
                }
            });
            let issues = issues.collect();
            let installed = match dice.roll(4) {
                0 => security.unwrap_or(TRIXIE),
                1 => sid,
                _ => TRIXIE,
            };
            let binaries = (0..=dice.roll(3)).map(|b| format!("lib{n}-{b}")).collect();
            Source { name: format!("source{n}"), trixie: TRIXIE, security, sid, issues, installed, binaries }
        })
        .collect()
}

const SID_START: usize = SID.start;

impl Issue {
    fn note(&self, release: &str) -> Note {
        if release == "trixie" { self.trixie.unwrap_or(self.general) } else { self.general }
    }

    fn is_vulnerable(note: Note, version: usize) -> Option<bool> {
        match note {
            Note::Unfixed => Some(true),
            Note::NeverAffected => Some(false),
            Note::Undetermined => None,
            Note::Since(fixed) => Some(version < fixed),
        }
    }
}

/// What the tracker's `_get_json` makes of its database.
fn tracker(world: &[Source]) -> Value {
    let mut all = Map::new();
    for source in world.iter().filter(|source| !source.issues.is_empty()) {
        let mut issues = Map::new();
        for issue in &source.issues {
            let mut releases = Map::new();
            for release in ["trixie", "sid"] {
                let note = issue.note(release);
                let repositories: Vec<(String, usize)> = match release {
                    "sid" => vec![("sid".into(), source.sid)],
                    _ => std::iter::once(("trixie".into(), source.trixie))
                        .chain(source.security.map(|version| ("trixie-security".into(), version)))
                        .collect(),
                };
                let states: Vec<_> =
                    repositories.iter().map(|(_, version)| Issue::is_vulnerable(note, *version)).collect();
                let status = match () {
                    () if states.contains(&Some(false)) => "resolved",
                    () if states[0] == Some(true) => "open",
                    () => "undetermined",
                };
                let mut entry = Map::new();
                entry.insert("status".into(), status.into());
                let names = repositories.iter().map(|(name, version)| (name.clone(), VERSIONS[*version].into()));
                entry.insert("repositories".into(), Value::Object(names.collect()));
                if status == "resolved" {
                    let fixed = if let Note::Since(fixed) = note { VERSIONS[fixed] } else { "0" };
                    entry.insert("fixed_version".into(), fixed.into());
                }
                entry.insert("urgency".into(), issue.urgency.into());
                if let Some((comment, reason)) = issue.nodsa.filter(|_| status != "resolved" && release == "trixie") {
                    entry.insert("nodsa".into(), comment.into());
                    entry.insert("nodsa_reason".into(), reason.into());
                }
                releases.insert(release.into(), Value::Object(entry));
            }
            let entry = json!({ "description": format!("In {}, it is so", source.name), "debianbug": 1, "scope": "remote", "releases": releases });
            issues.insert(issue.id.clone(), entry);
        }
        all.insert(source.name.clone(), Value::Object(issues));
    }
    Value::Object(all)
}

/// What the tracker's `calculateDebsecan1` makes of the same, for trixie. Undetermined issues are left out: it would take
/// them for open everywhere.
fn debsecan_data(world: &[Source]) -> Vec<u8> {
    let (mut names, mut list, mut binaries) = (String::new(), String::new(), String::new());
    let mut number = 0;
    for source in world {
        for issue in &source.issues {
            let is_left_out = matches!(issue.urgency, "unimportant" | "end-of-life")
                || matches!(issue.general, Note::NeverAffected | Note::Undetermined);
            if is_left_out {
                continue;
            }
            let mut others = BTreeSet::new();
            if let Some(note @ (Note::Since(_) | Note::NeverAffected)) = issue.trixie {
                let since = if let Note::Since(since) = note { since } else { 0 };
                let noted = source.issues.iter().filter_map(|other| match other.trixie {
                    Some(Note::Since(version)) => Some(version),
                    _ => None,
                });
                let there = [source.trixie].into_iter().chain(source.security);
                others.extend(noted.chain(there).filter(|version| *version >= since).map(|version| VERSIONS[version]));
            }
            let unstable = if let Note::Since(fixed) = issue.general { VERSIONS[fixed] } else { "" };
            let flag = match issue.urgency {
                "low" => 'L',
                "medium" => 'M',
                "high" => 'H',
                _ => ' ',
            };
            let others = others.into_iter().collect::<Vec<_>>().join(" ");
            writeln!(names, "{},,In {}, it is so", issue.id, source.name).unwrap();
            writeln!(list, "{},{number},S{flag}R ,{unstable},{others}", source.name).unwrap();
            number += 1;
        }
        writeln!(binaries, "{},{}", source.name, source.binaries.join(" ")).unwrap();
    }
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    write!(out, "VERSION 1\n{names}\n{list}\n{binaries}\n").unwrap();
    out.finish().unwrap()
}

/// dpkg's status of the image.
fn status(world: &[Source]) -> String {
    let mut out = String::new();
    for source in world {
        let version = VERSIONS[source.installed];
        for (n, name) in source.binaries.iter().enumerate() {
            // A binary that was rebuilt, as dpkg has it.
            let (own, of) = if n == 1 {
                (format!("{version}+b1"), format!(" ({version})"))
            } else {
                (version.into(), String::new())
            };
            writeln!(
                out,
                "Package: {name}\nStatus: install ok installed\nMaintainer: me <me@example.com>\nArchitecture: amd64\n\
                 Source: {}{of}\nVersion: {own}\nDescription: a fixture\n",
                source.name
            )
            .unwrap();
        }
    }
    out
}

/// A folder with a rootfs, and what is said of it.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(status: &str) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let os_release = "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n";
        bench.file("root/etc/os-release", os_release);
        bench.file("root/var/lib/dpkg/status", status);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Code, standard output, standard error; the folder's name replaced.
    fn audit(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
        command.args(["audit", "root"]).args(args).current_dir(self.dir.path()).env_clear();
        command.env("COMPOSE_CACHE", self.path("cache")).env("HOME", self.path("home")).env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn vulnerabilities(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.audit(&[args, &["--cve", "--format", "json"]].concat());
        assert_eq!(code, Some(0), "{err}");
        let said: Value = serde_json::from_str(&out).unwrap();
        said["vulnerabilities"].clone()
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// `id`, binary package.
fn pairs(said: &Value, holds: impl Fn(&Value) -> bool) -> BTreeSet<(String, String)> {
    let findings = said["findings"].as_array().unwrap().iter().filter(|one| holds(one));
    findings
        .flat_map(|one| {
            let names = one["packages"].as_array().unwrap().iter();
            names.map(|name| (text(one, "id").to_owned(), name.as_str().unwrap().to_owned()))
        })
        .collect()
}

#[test]
fn a_second_implementation_finds_the_same() {
    for seed in 1..4 {
        let world = world(seed);
        let bench = Bench::new(&status(&world));
        bench.file("tracker.json", tracker(&world).to_string());
        let said = bench.vulnerabilities(&["--tracker", "tracker.json", "--offline"]);
        let mut found = BTreeMap::new();
        for one in said["findings"].as_array().unwrap() {
            let key = (text(one, "id").to_owned(), text(one, "source").to_owned());
            let names: Vec<_> = one["packages"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let value = format!("{} {} {}", text(one, "status"), text(one, "urgency"), names.join(" "));
            assert_eq!(found.insert(key, value), None);
        }
        // Straight from the notes, without the JSON between, and by the place of versions in a list.
        let mut expected = BTreeMap::new();
        for source in &world {
            for issue in &source.issues {
                let newest = source.security.unwrap_or(source.trixie);
                let is_foreign = source.installed > newest;
                let note = if is_foreign { issue.general } else { issue.note("trixie") };
                let Some(is_vulnerable) = Issue::is_vulnerable(note, source.installed) else {
                    let value = format!("undetermined {} {}", issue.urgency, source.binaries.join(" "));
                    expected.insert((issue.id.clone(), source.name.clone()), value);
                    continue;
                };
                if !is_vulnerable {
                    continue;
                }
                let is_fixed_now =
                    Issue::is_vulnerable(note, if is_foreign { source.sid } else { newest }) == Some(false);
                let status = match issue.nodsa {
                    _ if is_fixed_now => "fixed",
                    Some((_, "ignored")) if !is_foreign => "ignored",
                    _ => "open",
                };
                let value = format!("{status} {} {}", issue.urgency, source.binaries.join(" "));
                expected.insert((issue.id.clone(), source.name.clone()), value);
            }
        }
        assert!(expected.len() > 100, "{}", expected.len());
        assert_eq!(found, expected, "seed {seed}");
        let words: BTreeSet<&str> = found.values().filter_map(|value| value.split(' ').next()).collect();
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["fixed", "ignored", "open", "undetermined"]);
    }
}

#[test]
fn debsecan_finds_the_same() {
    let Some(debsecan) = tool("debsecan") else { return eprintln!("skipped: debsecan is not installed") };
    for seed in 4..8 {
        let world = world(seed);
        let bench = Bench::new(&status(&world));
        bench.file("tracker.json", tracker(&world).to_string());
        bench.file("debsecan/trixie", debsecan_data(&world));
        let said = bench.vulnerabilities(&["--tracker", "tracker.json"]);
        let ours = pairs(&said, |one| {
            text(one, "status") != "undetermined" && !matches!(text(one, "urgency"), "unimportant" | "end-of-life")
        });
        let output = Command::new(&debsecan)
            .args(["--suite", "trixie", "--format", "simple", "--source"])
            .arg(format!("file://{}/", bench.path("debsecan").display()))
            .arg("--status")
            .arg(bench.path("root/var/lib/dpkg/status"))
            .args(["--config", "/nonexistent", "--whitelist", "/nonexistent", "--history", "/nonexistent"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8(output.stdout).unwrap();
        let theirs: BTreeSet<_> = theirs
            .lines()
            .map(|line| line.split_once(' ').map(|(id, name)| (id.to_owned(), name.to_owned())).unwrap())
            .collect();
        assert!(theirs.len() > 100, "{}", theirs.len());
        let (more, less): (Vec<_>, Vec<_>) = (ours.difference(&theirs).collect(), theirs.difference(&ours).collect());
        assert!(more.is_empty() && less.is_empty(), "seed {seed}: ours alone {more:?}; debsecan's alone {less:?}");
    }
}

/// One package `a` of version 1 with an issue that is open and has this urgency.
fn small(urgency: &str) -> String {
    json!({
        "a": { "CVE-2026-1": { "description": "bad \u{1b}[31m\u{7} news", "releases": {
            "trixie": { "status": "open", "repositories": { "trixie": "1" }, "urgency": urgency } } } },
        "b": { "CVE-2026-2": { "releases": {
            "trixie": { "status": "resolved", "repositories": { "trixie": "2" }, "fixed_version": "2", "urgency": "low" } } } },
    })
    .to_string()
}

const SMALL: &str = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
                     Package: libb\nStatus: install ok installed\nArchitecture: amd64\nSource: b (1)\nVersion: 1+b2\n\n";

#[test]
fn without_data_nothing_is_said() {
    let bench = Bench::new(SMALL);
    let none = Server::start(|_, _| Answer::status(404));
    let garbage = Server::start(|_, _| Answer::ok("<html>maintenance</html>"));
    let other = Server::start(|_, _| Answer::ok(r#"{"a":{"CVE-1":{"releases":{"bookworm":{"status":"open"}}}}}"#));
    bench.file("broken.json", &small("low")[..100]);
    for (args, code, says) in [
        (vec!["--offline"], 4, "--offline forbids fetching it, so nothing can be said"),
        (vec!["--offline", "--tracker", &none.url], 4, "--offline forbids fetching it"),
        (vec!["--tracker", &none.url], 4, "is not there (HTTP 404); find out where it has gone"),
        (vec!["--tracker", &garbage.url], 4, "is not the Debian Security Tracker's JSON"),
        (vec!["--tracker", &other.url], 4, "says nothing of the suite “trixie”"),
        (vec!["--tracker", "absent.json"], 2, "cannot read absent.json"),
        (vec!["--tracker", "broken.json"], 2, "broken.json is not the Debian Security Tracker's JSON: EOF"),
    ] {
        for fail_on in [&[][..], &["--fail-on", "high"]] {
            let (found, out, err) = bench.audit(&[&args[..], &["--cve"], fail_on].concat());
            assert_eq!((found, out.as_str()), (Some(code), ""), "{err}");
            assert!(err.contains(says) && !err.contains("0 found"), "{err}");
        }
    }
}

#[test]
fn data_are_kept_and_their_age_is_told() {
    let bench = Bench::new(SMALL);
    let server = Server::start(|request, _| match &request.none_match {
        Some(_) => Answer::status(304),
        None => {
            Answer::ok(small("low")).header("ETag", "\"1\"").header("Last-Modified", "Wed, 25 Nov 2020 08:00:00 GMT")
        }
    });
    let args = ["--cve", "--tracker", &server.url];
    let first = bench.audit(&args);
    assert_eq!(first.0, Some(0), "{}", first.2);
    let line = first.1.lines().find(|line| line.contains("Debian Security Tracker:")).unwrap().to_owned();
    assert!(line.contains("2 source packages, of 2020-11-25T08:00:00Z (") && line.contains(" days old)"), "{line}");
    let second = bench.audit(&args);
    let offline = bench.audit(&[&args[..], &["--offline"]].concat());
    // But for the age, which may have grown by a minute.
    let settled = |text: &str| text.lines().filter(|line| !line.contains("Tracker:")).collect::<Vec<_>>().join("\n");
    assert_eq!(settled(&first.1), settled(&second.1));
    assert_eq!(settled(&first.1), settled(&offline.1));
    assert!(offline.1.contains("of 2020-11-25T08:00:00Z ("), "{}", offline.1);
    assert_eq!(server.requests().len(), 1);
    let (code, out) = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
        command.args(["cache", "verify"]).env("COMPOSE_CACHE", bench.path("cache"));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(code, Some(0));
    assert!(out.contains("advisories      1 sound"), "{out}");
}

#[test]
fn people_are_told() {
    let bench = Bench::new(SMALL);
    bench.file("tracker.json", small("not yet assigned"));
    bench.file(
        "root/usr/local/lib/python3.13/dist-packages/Flask-3.0.dist-info/METADATA",
        "Name: Flask\nVersion: 3.0\n\n",
    );
    bench.file("root/usr/lib/python3/dist-packages/jinja2-3.0.dist-info/METADATA", "Name: jinja2\nVersion: 3.0\n\n");
    let (code, out, err) = bench.audit(&["--cve", "--tracker", "tracker.json"]);
    assert_eq!(code, Some(0), "{err}");
    let part = &out[out.find("\nKnown vulnerabilities").unwrap()..];
    insta::with_settings!({ filters => [(r"of 20\d\d-\d\d-\d\dT[0-9:]+Z \(\d+ minutes? old\)", "of DATE (N minutes old)")] }, {
        insta::assert_snapshot!("people", part);
    });
    assert!(!out.contains(['\u{1b}', '\u{7}']));
}

#[test]
fn python_projects_are_looked_up_in_a_dump() {
    let bench = Bench::new(SMALL);
    bench.file("tracker.json", small("low"));
    for (path, name) in [
        ("usr/local/lib/python3.13/dist-packages/Flask-3.0", "Flask"),
        ("usr/local/lib/python3.13/dist-packages/fine-1", "fine"),
    ] {
        bench.file(&format!("root/{path}.dist-info/METADATA"), format!("Name: {name}\nVersion: 3.0\n\n"));
    }
    let advisory = |id: &str, aliases: &[&str], fixed: &str, severity: &str| {
        json!({ "id": id, "modified": "2026-11-20T00:00:00Z", "aliases": aliases, "summary": "It is bad",
            "database_specific": { "severity": severity },
            "affected": [{ "package": { "ecosystem": "PyPI", "name": "flask" },
                "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] }] }] })
        .to_string()
    };
    bench.file("osv/GHSA-1.json", advisory("GHSA-1", &["CVE-2026-9"], "3.1", "CRITICAL"));
    bench.file("osv/PYSEC-1.json", advisory("PYSEC-1", &["CVE-2026-9"], "3.1.0", ""));
    bench.file("osv/GHSA-2.json", advisory("GHSA-2", &[], "2.0", "LOW"));
    let args = ["--tracker", "tracker.json", "--osv", "osv"];
    let said = bench.vulnerabilities(&args);
    let python: Vec<_> = said["findings"].as_array().unwrap().iter().filter(|one| one["ecosystem"] == "PyPI").collect();
    assert_eq!(python.len(), 1);
    assert_eq!((text(python[0], "id"), &python[0]["aliases"]), ("CVE-2026-9", &json!(["GHSA-1", "PYSEC-1"])));
    assert_eq!((text(python[0], "fixed-version"), text(python[0], "urgency")), ("3.1", "critical"));
    assert_eq!((&said["covered"]["projects"], &said["not-covered"]), (&json!(2), &json!([])));
    let (code, out, err) = bench.audit(&["--cve", "--tracker", "tracker.json", "--osv", "root"]);
    assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
    assert!(err.contains("no advisory of the PyPI ecosystem"), "{err}");
}

#[test]
fn fail_on_and_vex() {
    let bench = Bench::new(SMALL);
    let not = |status: &str| {
        json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/1", "author": "me", "version": 1,
            "timestamp": "2026-11-20T00:00:00Z", "statements": [{ "vulnerability": { "name": "CVE-2026-1" },
            "products": [{ "@id": "pkg:deb/debian/a@1" }], "status": status, "justification": "inline_mitigations_already_exist" }] })
        .to_string()
    };
    bench.file("vex.json", not("not_affected"));
    bench.file("affected.json", not("affected"));
    bench.file("wrong.json", not("harmless"));
    let cases: [(&str, &str, &[&str], i32); 14] = [
        ("high", "high", &[], 6),
        ("medium", "high", &[], 0),
        ("medium", "medium", &[], 6),
        ("not yet assigned", "high", &[], 6),
        ("end-of-life", "high", &[], 6),
        ("low", "medium", &[], 0),
        ("low", "low", &[], 6),
        ("unimportant", "any", &[], 6),
        ("high", "high", &["--vex", "vex.json"], 0),
        ("high", "low", &["--vex", "vex.json"], 6),
        ("high", "high", &["--vex", "vex.json", "--vex", "affected.json"], 6),
        ("high", "high", &["--vex", "affected.json", "--vex", "vex.json"], 0),
        ("high", "high", &["--vex", "wrong.json"], 2),
        ("high", "high", &["--vex", "absent.json"], 2),
    ];
    for (urgency, level, more, expected) in cases {
        bench.file("tracker.json", small(urgency));
        let (code, out, err) =
            bench.audit(&[&["--cve", "--tracker", "tracker.json", "--fail-on", level], more].concat());
        assert_eq!(code, Some(expected), "{urgency} {level} {more:?}: {err}");
        // The report comes before the verdict.
        assert_eq!(out.contains("Known vulnerabilities of 2 Debian packages"), expected != 2, "{out}");
        assert_eq!(err.contains(&format!("--fail-on {level}: ")), expected == 6, "{err}");
    }
    bench.file("tracker.json", small("high"));
    let (_, _, err) = bench.audit(&["--cve", "--tracker", "tracker.json", "--fail-on", "low"]);
    insta::assert_snapshot!("fail-on", err);
    let (_, _, err) = bench.audit(&["--cve", "--tracker", "tracker.json", "--vex", "wrong.json"]);
    insta::assert_snapshot!("wrong-vex", err);
}

#[test]
fn other_distributions_are_not_clean() {
    let bench = Bench::new(SMALL);
    bench.file("root/etc/os-release", "ID=ubuntu\nVERSION_CODENAME=noble\n");
    // Nothing can be asked of the tracker, so nothing is fetched.
    let args = ["--cve", "--tracker", "http://127.0.0.1:9/"];
    let (code, out, err) = bench.audit(&args);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("nothing in it could be looked up"), "{out}");
    assert!(out.contains("does not speak of ubuntu: a 1, libb 1+b2"), "{out}");
    let (code, _, err) = bench.audit(&[&args[..], &["--fail-on", "high"]].concat());
    assert_eq!(code, Some(6));
    assert!(err.contains("so it cannot pass"), "{err}");
}

#[test]
fn options_that_mean_nothing_alone() {
    let bench = Bench::new(SMALL);
    for option in [["--fail-on", "high"], ["--tracker", "x"], ["--osv", "x"], ["--vex", "x"], ["--emit-vex", "x"]] {
        let (code, _, err) = bench.audit(&option);
        assert_eq!(code, Some(2), "{option:?}");
        assert!(err.contains("--cve"), "{err}");
    }
    // Nor beside a form that has no place for what is found.
    let (code, out, err) = bench.audit(&["--cve", "--fail-on", "high", "--format", "spdx"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("--cve would go unheard"), "{err}");
}

#[test]
fn what_was_left_out_is_stated() {
    let bench =
        Bench::new("Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nDepends: gone\n\n");
    bench.file("root/var/lib/dpkg/info/a.list", "/.\n/usr/share/doc/a/copyright\n/usr/bin/a\n");
    bench.file("root/usr/share/doc/a/copyright", "free");
    let tracker = json!({
        "a": { "CVE-1": { "releases": { "trixie": { "status": "open" } } } },
        "gone": { "CVE-2": { "releases": { "trixie": { "status": "open" } } } },
    });
    bench.file("tracker.json", tracker.to_string());
    let args = ["--cve", "--tracker", "tracker.json"];
    let (code, out, err) = bench.audit(&[&args[..], &["--emit-vex", "own.json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    // That nothing is left of a package but its papers, an image may say of itself: only what was just built, or is what
    // its lock says, is believed (`advisory::hollow`).
    assert!(out.contains("note: 1 VEX statements were written to own.json"), "{out}");
    let own: Value = serde_json::from_slice(&fs::read(bench.path("own.json")).unwrap()).unwrap();
    let said: Vec<_> = own["statements"].as_array().unwrap().iter().map(|one| text(one, "justification")).collect();
    assert_eq!(said, ["component_not_present"]);
    let (code, out, _) = bench.audit(&[&args[..], &["--vex", "own.json", "--fail-on", "any"]].concat());
    assert_eq!(code, Some(6), "{out}");
    let mut excused = own;
    excused["statements"][0]["vulnerability"]["name"] = "CVE-1".into();
    excused["statements"][0]["products"] = json!([{ "@id": "pkg:deb/debian/a@1" }]);
    bench.file("other.json", excused.to_string());
    let (code, out, _) = bench.audit(&[&args[..], &["--vex", "other.json", "--fail-on", "any"]].concat());
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("Not affected, as a VEX document says (1)"), "{out}");
}

#[test]
fn hostile_data() {
    let bench = Bench::new(SMALL);
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let long = "x".repeat(100 << 20);
    let issue = |description: &str| {
        format!(
            r#"{{"a":{{"CVE-2026-1":{{"description":"{description}","releases":{{"trixie":{{"status":"open"}}}}}}}}}}"#
        )
    };
    for (json, code) in [
        (issue(&long), 0),
        (issue(&r"\u001b]0;x\u0007".repeat(1000)), 0),
        (format!(r#"{{"z":{deep},{}"#, &issue("")[1..]), 2),
        (format!(r#"{},"z":{deep}}}"#, issue("").strip_suffix('}').unwrap()), 0),
        (format!(r#"{{"a":{deep}}}"#), 2),
        (format!(r#"{{"a":{{"CVE-1":{{"releases":{{"trixie":{{"status":"{long}"}}}}}}}}}}"#), 0),
    ] {
        bench.file("tracker.json", &json);
        let (found, out, err) = bench.audit(&["--cve", "--tracker", "tracker.json"]);
        assert_eq!(found, Some(code), "{}: {err}", &json[..60]);
        assert!(out.len() + err.len() < 10_000 && !out.contains('\u{1b}') && !err.contains('\u{1b}'));
    }
}
