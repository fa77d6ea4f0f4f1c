//! A small signed Debian archive, built in code and served on loopback by the test itself.
//!
//! In: packages as values. Out: URLs, a key file, and a log of what was asked for. Everything may be tampered with
//! before or while it is served.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail loudly")]

pub mod deb;
pub mod elf;
pub mod engine;
pub mod http;
pub mod python;
pub mod registry;
pub mod secret;
pub mod shipped;
pub mod signing;
pub mod specification;
pub mod wheel;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use compose::base::Sha256;
use deb::ar;
use http::{Answer, Request, Server};
use signing::TestKey;

/// Whether these tests were started with a signal ignored, as by nohup (proc_pid_status(5)); says so then.
pub fn is_ignored(signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let is_ignored = u64::from_str_radix(set.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1;
    if is_ignored {
        eprintln!("skipped: {signal:?}, which whoever started this ignores");
    }
    is_ignored
}

/// A package to be.
#[derive(Clone)]
pub struct Pkg {
    pub name: String,
    pub version: String,
    pub arch: String,
    pub fields: Vec<(String, String)>,
    pub entries: Vec<Entry>,
    pub control_files: Vec<(String, Vec<u8>)>,
    /// In place of the `.deb` that all this would be; the index tells its size and digest.
    pub raw: Option<Vec<u8>>,
}

#[derive(Clone)]
pub struct Entry {
    pub path: String,
    pub mode: u32,
    pub kind: Kind,
}

#[derive(Clone)]
pub enum Kind {
    Dir,
    File(Vec<u8>),
    Link(String),
    Hard(String),
}

pub fn pkg(name: &str, version: &str) -> Pkg {
    Pkg {
        name: name.into(),
        version: version.into(),
        arch: "amd64".into(),
        fields: Vec::new(),
        entries: Vec::new(),
        control_files: Vec::new(),
        raw: None,
    }
}

impl Pkg {
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
    pub fn depends(self, value: &str) -> Self {
        self.field("Depends", value)
    }
    fn entry(mut self, path: &str, mode: u32, kind: Kind) -> Self {
        self.entries.push(Entry { path: path.into(), mode, kind });
        self
    }
    pub fn dir(self, path: &str, mode: u32) -> Self {
        self.entry(path, mode, Kind::Dir)
    }
    pub fn file(self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) -> Self {
        self.entry(path, mode, Kind::File(bytes.as_ref().to_vec()))
    }
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, 0o777, Kind::Link(target.into()))
    }
    pub fn hard(self, path: &str, target: &str) -> Self {
        self.entry(path, 0o644, Kind::Hard(target.into()))
    }
    pub fn control_file(mut self, name: &str, text: &str) -> Self {
        self.control_files.push((name.into(), text.into()));
        self
    }

    /// Served in place of what it would be.
    pub fn raw(self, deb: Vec<u8>) -> Self {
        Self { raw: Some(deb), ..self }
    }

    /// Its paragraph: its control file, and the beginning of what the index says.
    pub fn stanza(&self) -> String {
        let mut out = format!(
            "Package: {}\nVersion: {}\nArchitecture: {}\nMaintainer: Test <test@example.com>\n",
            self.name, self.version, self.arch
        );
        if !self.fields.iter().any(|(name, _)| name == "Installed-Size") {
            let bytes: usize =
                self.entries.iter().map(|e| if let Kind::File(bytes) = &e.kind { bytes.len() } else { 0 }).sum();
            out += &format!("Installed-Size: {}\n", bytes.div_ceil(1024) + 1);
        }
        for (name, value) in &self.fields {
            out += &format!("{name}: {value}\n");
        }
        out + "Description: a fixture\n"
    }

    /// The `.deb`.
    pub fn build(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut control = vec![Entry { path: "control".into(), mode: 0o644, kind: Kind::File(self.stanza().into()) }];
        control.extend(self.control_files.iter().map(|(name, bytes)| Entry {
            path: name.clone(),
            mode: 0o755,
            kind: Kind::File(bytes.clone()),
        }));
        let gz = |plain: &[u8]| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        };
        let data = zstd::encode_all(&tar_of(&self.entries)[..], 1).unwrap();
        ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &gz(&tar_of(&control))), ("data.tar.zst", &data)])
    }

    pub fn deb_path(&self) -> String {
        format!("pool/main/{}_{}_{}.deb", self.name, self.version.replace(':', "%3a"), self.arch)
    }
}

pub fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(0);
        let path = format!("./{}", entry.path);
        match &entry.kind {
            Kind::Dir => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path + "/", &[][..]).unwrap();
            }
            Kind::File(bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, &bytes[..]).unwrap();
            }
            Kind::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            }
            Kind::Hard(target) => {
                header.set_entry_type(tar::EntryType::Link);
                builder.append_link(&mut header, path, format!("./{target}")).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// What each package ships, as a Contents index says it.
fn contents(packages: &[Pkg]) -> String {
    let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages {
        for entry in package.entries.iter().filter(|entry| !matches!(entry.kind, Kind::Dir)) {
            let names = owners.entry(&entry.path).or_default();
            let name = format!("misc/{}", package.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    owners.iter().map(|(path, names)| format!("{path:<55} {}\n", names.join(","))).collect()
}

/// An archive of one suite, `stable`, before it is served.
pub struct Archive {
    pub packages: Vec<Pkg>,
    pub key: TestKey,
    /// Further or other Release fields.
    pub release: BTreeMap<String, String>,
}

impl Archive {
    /// All that are made in one process are of the same date.
    pub fn new(packages: Vec<Pkg>) -> Self {
        static NOW: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
        let now = *NOW;
        let yesterday = now - jiff::SignedDuration::from_hours(24);
        let release = [
            ("Origin", "Fixture".to_owned()),
            ("Label", "Fixture".to_owned()),
            ("Suite", "stable".to_owned()),
            ("Codename", "fixture".to_owned()),
            ("Version", "1.0".to_owned()),
            ("Date", yesterday.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()),
            ("Acquire-By-Hash", "yes".to_owned()),
            ("Architectures", "all amd64".to_owned()),
            ("Components", "main".to_owned()),
        ];
        let release = release.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { packages, key: TestKey::good(now.as_second()), release }
    }

    /// Every file of the archive by its path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let (mut files, release) = self.parts();
        let signed = self.key.clearsign(&release, jiff::Timestamp::now().as_second());
        files.insert("dists/stable/InRelease".into(), signed.into_bytes());
        files
    }

    /// The same as Debian has it: a suite with its updates and its security fixes, in two archives.
    pub fn debian(&mut self, suite: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for (root, ending) in [("debian", ""), ("debian", "-updates"), ("debian-security", "-security")] {
            let suite = format!("{suite}{ending}");
            for field in ["Suite", "Codename"] {
                self.release.insert(field.into(), suite.clone());
            }
            let place = format!("dists/{suite}/");
            files.extend(self.files().into_iter().map(|(path, bytes)| {
                let path = path.replace("dists/stable/", &place);
                (format!("{root}/{path}"), bytes)
            }));
        }
        files
    }

    /// Every file but the signed one, and the text that is to be signed.
    pub fn parts(&self) -> (BTreeMap<String, Vec<u8>>, String) {
        let mut files = BTreeMap::new();
        let mut stanzas = Vec::new();
        for package in &self.packages {
            let deb = package.build();
            let stanza = format!(
                "{}Filename: {}\nSize: {}\nSHA256: {}\n\n",
                package.stanza(),
                package.deb_path(),
                deb.len(),
                Sha256::of(&deb).hex()
            );
            stanzas.push((package, stanza));
            files.insert(package.deb_path(), deb);
        }
        let (mut sums, mut indexes) = (String::new(), Vec::new());
        // Packages for all architectures are in each one's index.
        for arch in self.release["Architectures"].split(' ').filter(|arch| *arch != "all") {
            let is_here = |package: &Pkg| package.arch == arch || package.arch == "all";
            let index = stanzas.iter().filter(|(package, _)| is_here(package)).map(|(_, stanza)| stanza.as_str());
            let here: Vec<Pkg> = self.packages.iter().filter(|package| is_here(package)).cloned().collect();
            indexes.push((format!("main/binary-{arch}"), "Packages".to_owned(), index.collect::<String>()));
            indexes.push(("main".to_owned(), format!("Contents-{arch}"), contents(&here)));
        }
        for (folder, name, plain) in indexes {
            let plain = plain.into_bytes();
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&plain).unwrap();
            for (name, bytes) in [(name.clone(), plain), (format!("{name}.gz"), packed.finish().unwrap())] {
                let digest = Sha256::of(&bytes).hex();
                sums += &format!(" {digest} {} {folder}/{name}\n", bytes.len());
                files.insert(format!("dists/stable/{folder}/by-hash/SHA256/{digest}"), bytes.clone());
                files.insert(format!("dists/stable/{folder}/{name}"), bytes);
            }
        }
        let mut release = String::new();
        for (key, value) in &self.release {
            release += &format!("{key}: {value}\n");
        }
        release += "SHA256:\n";
        release += &sums;
        (files, release)
    }

    pub fn serve(&self) -> Served {
        Served::start(self.files(), self.key.armoured())
    }
}

/// An archive on loopback, until dropped.
pub struct Served {
    pub url: String,
    /// What is served, to be tampered with.
    pub files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub key: String,
    server: Server,
}

impl Served {
    pub fn start(files: BTreeMap<String, Vec<u8>>, key: String) -> Self {
        Self::answering(files, key, |_, _, _| None)
    }

    /// Asks `answer` first, which is told the number of requests before, and the files.
    pub fn answering(
        files: BTreeMap<String, Vec<u8>>,
        key: String,
        answer: impl Fn(&Request, usize, &BTreeMap<String, Vec<u8>>) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let files = Arc::new(Mutex::new(files));
        let served = Arc::clone(&files);
        let server = Server::start(move |request, n| {
            let files = served.lock().unwrap();
            if let Some(answer) = answer(request, n, &files) {
                return answer;
            }
            match files.get(request.path.trim_start_matches('/')) {
                // A page: pip wants to be told.
                Some(body) if request.path.ends_with('/') => {
                    Answer::ok(body.clone()).header("Content-Type", "text/html")
                }
                Some(body) => Answer::ok(body.clone()),
                None => Answer::status(404),
            }
        });
        Self { url: server.url.clone(), files, key, server }
    }

    /// Paths asked for, without leading slash.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests().into_iter().map(|request| request.path.trim_start_matches('/').to_owned()).collect()
    }
}

/// A folder with a manifest for the served archive, an own cache, and `compose` to be run in it.
pub struct Desk {
    pub dir: tempfile::TempDir,
}

impl Desk {
    pub fn new(served: &Served, packages: &str, rest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key.asc"), &served.key).unwrap();
        let desk = Self { dir };
        desk.manifest(&format!(
            "name = \"demo\"\narchs = [\"amd64\"]\n\n[packages]\n{packages}\n\n[[repositories]]\nname = \"fixture\"\n\
             uris = [\"{}\"]\nsuites = [\"stable\"]\ncomponents = [\"main\"]\nsigned-by = \"key.asc\"\n{rest}",
            served.url
        ));
        desk
    }

    pub fn manifest(&self, text: &str) {
        std::fs::write(self.path("demo.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn compose(&self, args: &[&str]) -> Run {
        self.run(&mut self.command(args))
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_compose"));
        command.args(args).current_dir(self.dir.path()).env_clear().env("COMPOSE_CACHE", self.path("cache"));
        command.env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1").env("HOME", self.path("home"));
        command
    }

    pub fn run(&self, command: &mut std::process::Command) -> Run {
        let output = command.output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a run and kills it after `share` of `whole`, the time that one takes, which is then adjusted: longer after
    /// a kill, shorter after a run that was done before. Says whether it was killed.
    pub fn killed(&self, args: &[&str], whole: &mut std::time::Duration, share: f64) -> bool {
        let mut command = self.command(args);
        let quiet = std::process::Stdio::null;
        let mut child = command.stdout(quiet()).stderr(quiet()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        let killed = !child.wait().unwrap().success();
        *whole = whole.mul_f64(if killed { 1.1 } else { 0.7 });
        killed
    }

    /// Names in the folder that a run could have left, sorted.
    pub fn left(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !["cache", "demo.toml", "key.asc"].contains(&name.as_str()))
            .collect();
        names.sort();
        names
    }
}

/// Phases of a run, which a message's snapshot is without.
const PHASES: [&str; 9] = [
    "Pushing",
    "Fetching indexes",
    "Solving",
    "Fetching and unpacking",
    "Writing",
    "Fetching",
    "Reading packages",
    "Reading Contents",
    "pip is downloading wheels",
];

impl Desk {
    /// Runs, checks the exit code and that nothing is left behind; what is said comes back, without what differs from
    /// run to run.
    #[track_caller]
    pub fn refused(&self, code: i32, served: &Served, args: &[&str]) -> String {
        self.refused_run(code, served, &mut self.command(args))
    }

    /// The same of a command that was made before.
    #[track_caller]
    pub fn refused_run(&self, code: i32, served: &Served, command: &mut std::process::Command) -> String {
        let before = self.left();
        let run = self.run(command);
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
        assert_eq!(self.left(), before, "something is left: {}", run.stderr);
        let messages: Vec<_> = run.stderr.lines().filter(|line| !PHASES.contains(line)).collect();
        self.settled(served, &messages.join("\n"))
    }

    /// Text without what differs from run to run.
    pub fn settled(&self, served: &Served, text: &str) -> String {
        let text = text.replace(&served.url, "http://loopback").replace(&*self.dir.path().to_string_lossy(), "DIR");
        without_digests(&text).replace('\u{1b}', "")
    }
}

/// Replaces runs of 16 and more hexadecimal digits.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() >= 16 { "DIGEST" } else { &run });
        run.clear();
        out.push(c);
    }
    out.trim_end().to_owned()
}

pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Where a tool is, or a line that says what is skipped without it.
pub fn tool(name: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"]
        .iter()
        .map(|d| Path::new(d).join(name))
        .find(|p| p.exists());
    if found.is_none() {
        eprintln!("skipped: {name} is not on this machine");
    }
    found
}
