//! The real binary against a mirror that means harm: one small archive on loopback, and one way to tamper with it in each
//! row. Whatever the row, a refusal has the exit code and the words that belong to it, writes neither output nor lock,
//! leaves nothing in the store that an honest archive would not have put there, and remembers no Release. Where gpgv is
//! at hand, nothing is accepted whose signature it refuses.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex},
};

use compose::base::Sha256;
use support::{
    Archive, Desk, Pkg, Served,
    http::{Answer, Request},
    pkg,
    signing::{HashAlgorithm, KeySpec, KeyType, SignatureType, SubkeySpec, TestKey, armour, canonical, frame, gpgv},
};

type Files = BTreeMap<String, Vec<u8>>;

const IN: &str = "dists/stable/InRelease";
const RELEASE: &str = "dists/stable/Release";
const GPG: &str = "dists/stable/Release.gpg";
const DEB: &str = "pool/main/app_1.0_amd64.deb";
const INDEX: &str = "dists/stable/main/binary-amd64/Packages.gz";
const ARGS: [&str; 3] = ["demo.toml", "-o", "x.tar"];

/// What rows tamper with.
struct Kit {
    archive: Archive,
    /// All files but the signed one.
    parts: Files,
    /// The text that is to be signed.
    text: String,
    /// A key that can be made to sign with weak hashes.
    rsa: TestKey,
    now: i64,
    /// What an honest run leaves in the store.
    honest: BTreeSet<(String, Sha256)>,
}

/// How far a run may come.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// It builds.
    Built,
    /// At the Release, which is not remembered.
    Release,
    /// Later.
    Later,
}

struct Row {
    name: &'static str,
    ends: Ends,
    code: i32,
    words: &'static str,
    /// Who may sign.
    keys: Vec<TestKey>,
    /// Runs against these first, and must be content with them.
    before: Vec<Files>,
    files: Files,
    /// Answers in place of the files, where it wants to.
    answer: Option<Arc<Handler>>,
}

type Handler = dyn Fn(&Request, usize, &Files) -> Option<Answer> + Send + Sync;

fn packages() -> Vec<Pkg> {
    vec![
        pkg("app", "1.0").depends("libapp").file("usr/bin/app", 0o755, vec![1; 3000]),
        pkg("libapp", "2.1").file("usr/lib/libapp.txt", 0o644, "library\n"),
    ]
}

fn date(now: i64, hours: i64) -> String {
    let time = jiff::Timestamp::from_second(now + hours * 3600).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

impl Kit {
    fn new() -> Self {
        let now = jiff::Timestamp::now().as_second();
        let archive = Archive::new(packages());
        let (parts, text) = archive.parts();
        let rsa = TestKey::generate(&KeySpec { key: KeyType::Rsa(2048), ..TestKey::spec(now) });
        let mut kit = Self { archive, parts, text, rsa, now, honest: BTreeSet::new() };
        let served = Served::start(kit.signed(&kit.text), kit.archive.key.armoured());
        let desk = Desk::new(&served, "install = [\"app\"]", "");
        desk.compose(&ARGS).ok();
        kit.honest = kept(&desk);
        assert!(kit.honest.iter().any(|(path, _)| path.starts_with("debs/")), "{:?}", kit.honest);
        kit
    }

    /// The archive with this for its InRelease.
    fn with(&self, inrelease: impl Into<Vec<u8>>) -> Files {
        let mut files = self.parts.clone();
        files.insert(IN.into(), inrelease.into());
        files
    }

    /// The archive with this text signed as it should be.
    fn signed(&self, text: &str) -> Files {
        self.with(self.archive.key.clearsign(text, self.now))
    }

    /// The text with one field anew; an empty value takes it out.
    fn field(&self, name: &str, value: &str) -> String {
        let start = format!("{name}:");
        assert!(self.text.contains(&start) || name == "Valid-Until");
        let rest: String =
            self.text.lines().filter(|line| !line.starts_with(&start)).map(|line| format!("{line}\n")).collect();
        if value.is_empty() { rest } else { format!("{name}: {value}\n{rest}") }
    }

    fn row(&self, name: &'static str, ends: Ends, code: i32, words: &'static str, files: Files) -> Row {
        Row { name, ends, code, words, keys: vec![self.archive.key.clone()], before: Vec::new(), files, answer: None }
    }

    fn built(&self, name: &'static str, files: Files) -> Row {
        self.row(name, Ends::Built, 0, "", files)
    }

    /// A signature that does not count.
    fn unsigned(&self, name: &'static str, words: &'static str, inrelease: impl Into<Vec<u8>>) -> Row {
        self.row(name, Ends::Release, 5, words, self.with(inrelease))
    }

    /// A signed Release that is not accepted.
    fn stale(&self, name: &'static str, words: &'static str, text: &str) -> Row {
        self.row(name, Ends::Release, 5, words, self.signed(text))
    }

    fn answering(
        &self,
        row: Row,
        answer: impl Fn(&Request, usize, &Files) -> Option<Answer> + Send + Sync + 'static,
    ) -> Row {
        Row { answer: Some(Arc::new(answer)), ..row }
    }

    /// Signed with `key`, which is the one that is trusted.
    fn by(&self, row: Row, key: &TestKey) -> Row {
        Row { keys: vec![key.clone()], ..row }
    }

    fn signatures(&self) -> Vec<Row> {
        let (key, text, now) = (&self.archive.key, &*self.text, self.now);
        let good = key.clearsign(text, now);
        let generate = |spec| TestKey::generate(&spec);
        let spec = || TestKey::spec(now);
        let sub = |subkey| generate(KeySpec { subkey: Some(subkey), ..spec() });
        let own = |name, words, key: TestKey| self.by(self.unsigned(name, words, key.clearsign(text, now)), &key);
        let weak = |hash, header| {
            let signature = self.rsa.sign(&canonical(text), SignatureType::Text, hash, now, None);
            frame(text, header, vec![signature])
        };
        let expired = key.sign(&canonical(text), SignatureType::Text, HashAlgorithm::Sha256, now - 100, Some(50));
        let stranger = TestKey::good(now);
        let over = |key: &TestKey| key.sign(&canonical(text), SignatureType::Text, HashAlgorithm::Sha256, now, None);
        let detached = |text: &str, signature: String| {
            let mut files = self.parts.clone();
            files.insert(RELEASE.into(), text.into());
            files.insert(GPG.into(), signature.into());
            files
        };
        let mut no_gpg = detached(text, String::new());
        no_gpg.remove(GPG);
        let subkeyed = sub(SubkeySpec::default());
        let dashes = format!("Description: x\n -\n{text}");
        let mut rows = vec![
            self.built("as it should be", self.with(good.clone())),
            self.unsigned("no signature", "does not start with", text),
            self.row("a Release alone", Ends::Release, 4, "Release.gpg is not there", no_gpg),
            self.unsigned("signed by a stranger", "the key is not trusted", stranger.clearsign(text, now)),
            own("expired key", "the key expired on", generate(KeySpec { lifetime: Some(3600), ..spec() })),
            own("revoked key", "the key is revoked", generate(KeySpec { revoked: true, ..spec() })),
            own("expired subkey", "the subkey expired", sub(SubkeySpec { lifetime: Some(3600), ..Default::default() })),
            own("revoked subkey", "the subkey is revoked", sub(SubkeySpec { revoked: true, ..Default::default() })),
            own(
                "subkey that was adopted",
                "does not confirm",
                sub(SubkeySpec { back_signature: false, ..Default::default() }),
            ),
            self.by(self.built("subkey", self.with(subkeyed.clearsign(text, now))), &subkeyed),
            self.unsigned("expired signature", "the signature expired", frame(text, "SHA256", vec![expired])),
            self.by(self.unsigned("SHA-1", "SHA1, which can be forged", weak(HashAlgorithm::Sha1, "SHA1")), &self.rsa),
            self.by(self.unsigned("MD5", "MD5, which can be forged", weak(HashAlgorithm::Md5, "MD5")), &self.rsa),
            self.built("several, one of them good", self.with(frame(text, "SHA256", vec![over(&stranger), over(key)]))),
            self.unsigned("several, all of strangers", "not trusted", frame(text, "SHA256", vec![over(&stranger); 3])),
            self.unsigned("text before", "does not start with", format!("Suite: stable\n\n{good}")),
            self.unsigned("text after", "nobody signed", format!("{good}\nSuite: stable\n")),
            self.unsigned("text between", "nobody signed", format!("{good}x\n{good}")),
            self.unsigned("two messages", "nobody signed", format!("{good}{good}")),
            self.unsigned("tampered body", "altered", good.replace("Codename: fixture", "Codename: fixtur3")),
            self.unsigned(
                "bare carriage return",
                "carriage return",
                good.replacen("Suite: stable", "Suite:\rstable", 1),
            ),
            self.unsigned("NUL", "NUL", good.replacen("Suite: stable", "Suite: \0stable", 1)),
            self.unsigned("unescaped dash", "unescaped", good.replacen("Suite: ", "-Suite: ", 1)),
            self.unsigned("cut", "ends before", &good[..good.len() - 60]),
            self.built("CR LF", self.with(good.replace('\n', "\r\n"))),
            self.built(
                "blanks at the ends of lines",
                self.with(good.replacen("Suite: stable\n", "Suite: stable \t\n", 1)),
            ),
            self.built("needless dashes", self.with(good.replacen("Suite: ", "- Suite: ", 1))),
            self.built("a dash of its own", self.signed(&dashes)),
            self.built("no line feed at the end", self.with(good.trim_end())),
            self.built("Release and Release.gpg", detached(text, key.detached(text.as_bytes(), now))),
            self.row(
                "Release.gpg of another text",
                Ends::Release,
                5,
                "altered",
                detached(&text.replace("1.0", "1.1"), key.detached(text.as_bytes(), now)),
            ),
            self.row(
                "Release.gpg by a stranger",
                Ends::Release,
                5,
                "not trusted",
                detached(text, stranger.detached(text.as_bytes(), now)),
            ),
            self.row(
                "an InRelease for a Release.gpg",
                Ends::Release,
                5,
                "cannot be read",
                detached(text, good.clone()),
            ),
            self.row(
                "Release.gpg without signatures",
                Ends::Release,
                5,
                "signed by: nobody",
                detached(text, armour(vec![])),
            ),
        ];
        let mut many = self.built("several keys may sign", self.with(good));
        many.keys.insert(0, stranger);
        rows.push(many);
        rows
    }

    fn releases(&self) -> Vec<Row> {
        let (text, now) = (&*self.text, self.now);
        let older = self.field("Date", &date(now, -48));
        let other_suite = |suite: &str, codename: &str| {
            text.replace("Suite: stable", &format!("Suite: {suite}"))
                .replace("Codename: fixture", &format!("Codename: {codename}"))
        };
        let sum = text.lines().find(|line| line.ends_with("binary-amd64/Packages.gz")).unwrap();
        vec![
            self.stale("another suite", "“stable” was asked for", &other_suite("oldstable", "older")),
            self.stale(
                "neither suite nor codename",
                "“stable” was asked for",
                &self.field("Suite", "").replace("Codename", "Codenames"),
            ),
            self.built("known by its codename", self.signed(&other_suite("other", "stable"))),
            self.stale("out of date", "was valid until", &self.field("Valid-Until", &date(now, -1))),
            self.built("still valid", self.signed(&self.field("Valid-Until", &date(now, 1)))),
            self.stale("valid until nobody knows when", "is no date", &self.field("Valid-Until", "tomorrow")),
            self.stale("of tomorrow", "check this machine's clock", &self.field("Date", &date(now, 30))),
            self.stale("without a date", "has no Date", &self.field("Date", "")),
            self.stale(
                "a field twice",
                "twice",
                &format!("Valid-Until: {}\nValid-Until: {}\n{text}", date(now, 1), date(now, 2)),
            ),
            self.stale("weak digests alone", "weaker ones do not count", &text.replace("SHA256:", "MD5Sum:")),
            self.stale(
                "a file with two digests",
                "contradicts itself",
                &format!("{text} {} {}\n", digest_of("other"), &sum[66..]),
            ),
            self.built("a line twice", self.signed(&format!("{text}{sum}\n"))),
            Row {
                before: vec![self.signed(text)],
                ..self.stale("older than the last", "older than the one accepted before", &older)
            },
            Row {
                before: vec![self.signed(&older), self.signed(text)],
                ..self.stale("back to the one before", "older than the one accepted before", &older)
            },
            Row { before: vec![self.signed(&older)], ..self.built("newer than the last", self.signed(text)) },
            // Two texts of one second: the archive's keepers signed both, so neither is a forgery.
            Row {
                before: vec![self.signed(text)],
                ..self.built("of the same second", self.signed(&text.replace("Label: Fixture", "Label: Other")))
            },
        ]
    }

    fn indexes(&self) -> Vec<Row> {
        let other = Archive {
            packages: vec![pkg("app", "6.6.6").file("usr/bin/app", 0o755, "evil")],
            key: self.archive.key.clone(),
            release: self.archive.release.clone(),
        };
        let (theirs, _) = other.parts();
        let good = self.signed(&self.text);
        let changed = |change: &dyn Fn(&mut Files)| {
            let mut files = good.clone();
            change(&mut files);
            files
        };
        let is_index = |path: &str| path.contains("/binary-amd64/") && !path.contains("Contents");
        let later = |name, code, words, files| self.row(name, Ends::Later, code, words, files);
        let each = |change: &dyn Fn(&str, &mut Vec<u8>)| {
            changed(&|files| {
                files.iter_mut().filter(|(path, _)| is_index(path)).for_each(|(path, bytes)| change(path, bytes))
            })
        };
        let lie = |from: &str, to: String| {
            let line = self.text.lines().find(|line| line.ends_with("binary-amd64/Packages.gz")).unwrap();
            self.signed(&self.text.replace(line, &line.replacen(from, &to, 1)))
        };
        let size = self.parts[INDEX].len();
        vec![
            later(
                "indexes of another archive",
                5,
                "is not what the signed index promises",
                each(&|path, bytes| {
                    let name = path.rsplit('/').next().unwrap();
                    let path = format!(
                        "dists/stable/main/binary-amd64/{}",
                        if name.starts_with("Packages") { name } else { "Packages.gz" }
                    );
                    *bytes = theirs[&path].clone();
                }),
            ),
            self.built("no by-hash", changed(&|files| files.retain(|path, _| !path.contains("/by-hash/")))),
            self.built(
                "by-hash alone",
                changed(&|files| files.retain(|path, _| path.contains("/by-hash/") || !is_index(path))),
            ),
            self.built(
                "by-hash damaged, the plain path not",
                each(&|path, bytes| {
                    if path.contains("/by-hash/") {
                        bytes[20] ^= 1
                    }
                }),
            ),
            later("one bit", 5, "is not what the signed index promises", each(&|_, bytes| bytes[20] ^= 1)),
            later("cut", 5, "bytes instead of", each(&|_, bytes| bytes.truncate(30))),
            later("longer", 5, "bytes instead of", each(&|_, bytes| bytes.push(0))),
            later("gone", 4, "is not there", changed(&|files| files.retain(|path, _| !is_index(path)))),
            later(
                "a smaller size in the Release",
                5,
                "bytes instead of",
                lie(&format!(" {size} "), format!(" {} ", size - 1)),
            ),
            later(
                "a larger size in the Release",
                5,
                "bytes instead of",
                lie(&format!(" {size} "), format!(" {} ", size + 1)),
            ),
            later(
                "a .deb of another archive",
                5,
                "is not what",
                changed(&|files| _ = files.insert(DEB.into(), theirs["pool/main/app_6.6.6_amd64.deb"].clone())),
            ),
            later(
                "a .deb with one bit changed",
                5,
                "its SHA-256 is",
                changed(&|files| files.get_mut(DEB).unwrap()[100] ^= 1),
            ),
            later(
                "a .deb that is cut",
                5,
                "bytes instead of",
                changed(&|files| files.get_mut(DEB).unwrap().truncate(500)),
            ),
            later("a .deb that is gone", 4, "app_1.0_amd64.deb is not there", changed(&|files| _ = files.remove(DEB))),
        ]
    }

    fn servers(&self) -> Vec<Row> {
        let good = self.signed(&self.text);
        let at_release = |name, code, words| self.row(name, Ends::Release, code, words, good.clone());
        let later = |name, code, words| self.row(name, Ends::Later, code, words, good.clone());
        let fine = |name| self.built(name, good.clone());
        let is = |what: &'static str| move |request: &Request| request.path.ends_with(what);
        let (release, deb) = (is("/InRelease"), is(".deb"));
        let index = |request: &Request| request.path.contains("binary-amd64");
        let packed = |bytes: &[u8]| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut out, bytes).unwrap();
            Answer::ok(out.finish().unwrap()).header("Content-Encoding", "gzip")
        };
        let endless = || Answer { endless: true, ..Answer::ok(vec![b'x'; 64 << 10]) };
        let to = |place: &str| Answer::status(302).header("Location", place);
        let body = |request: &Request, files: &Files| files[request.path.trim_start_matches('/')].clone();
        let elsewhere = Served::start(good.clone(), String::new());
        vec![
            self.answering(at_release("a captive portal", 5, "is it an error page?"), |_, _, _| {
                Some(Answer::ok("<html>Welcome! Please log in.</html>").header("Content-Type", "text/html"))
            }),
            self.answering(later("a captive portal for packages", 5, "bytes instead of"), move |request, _, _| {
                deb(request).then(|| Answer::ok("<html>Welcome!</html>"))
            }),
            self.answering(at_release("an endless InRelease", 4, "is larger than"), move |r, _, _| {
                release(r).then(endless)
            }),
            self.answering(later("an endless index", 5, "the server sends more than"), move |r, _, _| {
                index(r).then(endless)
            }),
            self.answering(later("an endless .deb", 5, "the server sends more than"), move |r, _, _| {
                deb(r).then(endless)
            }),
            self.answering(at_release("headers without end", 4, "cannot fetch"), |_, _, _| {
                Some((0..20_000).fold(Answer::ok("x"), |answer, _| answer.header("X-Bomb", "x".repeat(1000))))
            }),
            self.answering(at_release("an InRelease packed unasked", 5, "does not start with"), move |r, _, files| {
                release(r).then(|| packed(&body(r, files)))
            }),
            self.answering(later("a .deb packed unasked", 5, "bytes instead of"), move |r, _, files| {
                deb(r).then(|| packed(&body(r, files)))
            }),
            self.answering(at_release("round and round", 4, "redirects more than 5 times"), move |r, _, _| {
                Some(to(&r.path))
            }),
            self.answering(at_release("to a file", 4, "only http and https are followed"), move |_, _, _| {
                Some(to("file:///etc/passwd"))
            }),
            self.answering(later("a .deb to a file", 4, "only http and https are followed"), move |r, _, _| {
                deb(r).then(|| to("file:///dev/zero"))
            }),
            self.answering(at_release("to another protocol", 4, "only http and https are followed"), move |_, _, _| {
                Some(to("gopher://127.0.0.1/1"))
            }),
            self.answering(at_release("to nowhere", 4, "redirects to nowhere"), |_, _, _| Some(Answer::status(302))),
            self.answering(fine("to another host"), move |r, _, _| {
                // Whole, so that it stays up as long as this.
                let server = &elsewhere;
                Some(to(&format!("{}{}", server.url, r.path)))
            }),
            self.answering(fine("cut once, and gone on with"), move |r, n, files| {
                (deb(r) && n < 4).then(|| Answer::file(r, &body(r, files)).cut(100))
            }),
            self.answering(at_release("not a word", 4, "cannot fetch"), |_, _, _| Some(Answer::silence())),
            self.answering(fine("not a word the first time"), |_, n, _| (n == 0).then(Answer::silence)),
            self.answering(later("always cut", 4, "Peer disconnected"), move |r, _, files| {
                deb(r).then(|| Answer::ok(body(r, files)).cut(50))
            }),
            self.answering(at_release("always busy", 4, "HTTP 503"), |_, _, _| {
                Some(Answer::status(503).header("Retry-After", "0"))
            }),
            self.answering(later("too many requests for ever", 4, "HTTP 429"), move |r, _, _| {
                deb(r).then(|| Answer::status(429).header("Retry-After", "0"))
            }),
            self.answering(fine("busy at first"), |_, n, _| {
                (n < 2).then(|| Answer::status(500).header("Retry-After", "0"))
            }),
            self.answering(at_release("forbidden", 4, "refuses access"), |_, _, _| Some(Answer::status(403))),
        ]
    }

    /// Runs one row, and says what is wrong with what came of it.
    fn run(&self, row: &Row) -> Result<(), String> {
        let armoured: String = row.keys.iter().map(TestKey::armoured).collect();
        let answer = row.answer.clone();
        let served = Served::answering(row.files.clone(), armoured, move |request, n, files| {
            answer.as_ref().and_then(|answer| answer(request, n, files))
        });
        let desk = Desk::new(&served, "install = [\"app\"]", "");
        for files in &row.before {
            *served.files.lock().unwrap() = files.clone();
            desk.compose(&["lock", "demo.toml"]).ok();
        }
        if !row.before.is_empty() {
            fs::remove_dir_all(desk.path("snapshots")).unwrap();
        }
        *served.files.lock().unwrap() = row.files.clone();
        let memory = memory(&desk);
        let run = desk.compose(&ARGS);
        let fail = |what: &str| Err(format!("{}: {what}\n{}", row.name, run.stderr));
        if run.code != Some(row.code) {
            return fail(&format!("exit code {:?} instead of {}", run.code, row.code));
        }
        if !run.stderr.contains(row.words) {
            return fail(&format!("nothing of “{}”", row.words));
        }
        let left = desk.left();
        if row.ends == Ends::Built {
            if left != ["snapshots", "x.tar"] {
                return fail(&format!("built, and there is {left:?}"));
            }
        } else if !left.is_empty() {
            return fail(&format!("refused, and there is {left:?}"));
        }
        let strange: Vec<_> = kept(&desk).difference(&self.honest).cloned().collect();
        if !strange.is_empty() {
            return fail(&format!("in the store: {strange:?}"));
        }
        if row.ends == Ends::Release && self::memory(&desk) != memory {
            return fail("a Release is remembered that was refused");
        }
        let keys: Vec<_> = row.keys.iter().collect();
        let signed: Vec<&[u8]> = match (row.files.get(IN), row.files.get(GPG), row.files.get(RELEASE)) {
            (Some(inline), ..) => vec![inline],
            (None, Some(signature), Some(text)) => vec![signature, text],
            _ => return Ok(()),
        };
        match gpgv(&signed, &keys) {
            Some(verdict) if row.ends != Ends::Release && !verdict.one => fail("gpgv refuses what was accepted"),
            _ => Ok(()),
        }
    }
}

/// What the store has under final names: paths and digests.
fn kept(desk: &Desk) -> BTreeSet<(String, Sha256)> {
    let root = desk.path("cache");
    let mut found = BTreeSet::new();
    let mut todo = vec![root.clone()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                todo.extend((!["tmp", "suites"].contains(&&*name)).then_some(path));
            } else if path.extension() != Some("lock".as_ref()) {
                found.insert((name, Sha256::of(&fs::read(&path).unwrap())));
            }
        }
    }
    found
}

fn digest_of(text: &str) -> String {
    Sha256::of(text.as_bytes()).hex()
}

/// Which Releases were accepted.
fn memory(desk: &Desk) -> BTreeMap<String, String> {
    let entries = fs::read_dir(desk.path("cache/suites")).into_iter().flatten().flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries
        .map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap()))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// Runs rows side by side: much of their time they wait.
fn all_hold(kit: &Kit, rows: Vec<Row>) {
    let (todo, wrong, count) = (Mutex::new(rows.iter()), Mutex::new(Vec::new()), rows.len());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let row = todo.lock().unwrap().next();
                    let Some(row) = row else { return };
                    wrong.lock().unwrap().extend(kit.run(row).err());
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} rows:\n\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{count} rows hold");
}

#[test]
fn nothing_is_built_of_what_a_hostile_mirror_sends() {
    let kit = Kit::new();
    all_hold(&kit, [kit.signatures(), kit.releases(), kit.indexes(), kit.servers()].into_iter().flatten().collect());
}

/// Of two suites one goes back, on another mirror: what was accepted of each is remembered for itself, whatever the place.
#[test]
fn one_suite_of_two_goes_back() {
    let kit = Kit::new();
    let renamed =
        |text: &str| text.replace("Suite: stable", "Suite: more").replace("Codename: fixture", "Codename: more");
    let both = |more: &str| {
        let mut files = kit.signed(&kit.text);
        let copies: Files =
            files.iter().map(|(path, bytes)| (path.replace("dists/stable", "dists/more"), bytes.clone())).collect();
        files.extend(copies);
        files.insert("dists/more/InRelease".into(), kit.archive.key.clearsign(more, kit.now).into());
        Served::start(files, kit.archive.key.armoured())
    };
    let (here, there) = (both(&renamed(&kit.text)), both(&renamed(&kit.field("Date", &date(kit.now, -48)))));
    let desk = Desk::new(&here, "install = [\"app\"]", "");
    let manifest =
        fs::read_to_string(desk.path("demo.toml")).unwrap().replace("[\"stable\"]", "[\"stable\", \"more\"]");
    desk.manifest(&manifest);
    desk.compose(&["lock", "demo.toml"]).ok();
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    desk.manifest(&manifest.replace(&here.url, &there.url));
    let before = memory(&desk);
    let run = desk.compose(&["lock", "demo.toml"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("dists/more") && run.stderr.contains("older than the one accepted"), "{}", run.stderr);
    assert_eq!((memory(&desk), fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap()), (before, lock));
}

/// A package of the lock that is nowhere: every place that was tried is named.
#[test]
fn a_package_that_is_nowhere() {
    let mut archive = Archive::new(packages());
    let served = Served::start(archive.debian("trixie"), archive.key.armoured());
    let desk = Desk::new(&served, "", "");
    desk.manifest(
        "name = \"demo\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"app\"]\n",
    );
    let mirror = format!("{}/debian", served.url);
    let mut command = desk.command(&["lock", "demo.toml", "--mirror", &mirror, "--signed-by", "key.asc"]);
    desk.run(&mut command).ok();
    served.files.lock().unwrap().retain(|path, _| !path.ends_with(".deb"));
    let mut command = desk.command(&["demo.toml", "--locked", "--mirror", &mirror, "-o", "x.tar"]);
    let run = desk.run(command.env("COMPOSE_SNAPSHOT", format!("{}/archive", served.url)));
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    for place in ["/debian/pool/main/", "/archive/debian/20"] {
        assert!(run.stderr.contains(&format!("{}{place}", served.url)), "{place}: {}", run.stderr);
    }
    assert!(run.stderr.contains("none of 2 places has it") && run.stderr.contains("_amd64.deb"), "{}", run.stderr);
    assert_eq!(desk.left(), ["snapshots"]);
}
