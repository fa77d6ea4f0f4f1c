//! Registries for tests: Debian's docker-registry on loopback, and one of our own that a test can have misbehave.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use compose::base::Sha256;
use serde_json::{Value, json};

use super::{
    http::{Answer, Request, Server},
    tool,
};

/// Ends what it holds.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// bcrypt of “secret” (crypt(5)).
const HTPASSWD: &str = "name:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Debian's registry on a free port of loopback, its blobs below `dir`; for `name` with the password `secret` alone if it
/// is `guarded`.
pub fn docker_registry(dir: &Path, guarded: bool) -> Option<(Running, String)> {
    let program = tool("docker-registry")?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let config = dir.join("registry.yml");
    let mut text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{host}\"}}\n",
        dir.join("registry").display()
    );
    if guarded {
        let users = dir.join("htpasswd");
        fs::write(&users, HTPASSWD).unwrap();
        text += &format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", users.display());
    }
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(&host).is_err() {
        if Instant::now() > end {
            eprintln!("skipped: docker-registry does not listen");
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((running, host))
}

/// What our own registry holds.
#[derive(Default)]
pub struct Held {
    /// By “repository digest”.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// By “repository tag-or-digest”: media type and bytes.
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Uploads that are neither done nor cancelled, by their path.
    pub uploads: BTreeMap<String, Vec<u8>>,
    /// Uploads so far.
    pub started: usize,
    /// It knows of referrers.
    pub referrers: bool,
    /// `OCI-Chunk-Min-Length`.
    pub least: Option<usize>,
    /// Where uploads go: another server's URL.
    pub elsewhere: String,
}

/// Our own registry.
pub struct Registry {
    pub server: Server,
    pub held: Arc<Mutex<Held>>,
}

impl Registry {
    /// One that does as the distribution spec says, where `first` has no other answer.
    pub fn start(first: impl Fn(&Request, &mut Held) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = Arc::clone(&held);
        let server = Server::start(move |request, _| {
            let mut held = shared.lock().unwrap();
            first(request, &mut held).unwrap_or_else(|| held.answer(request))
        });
        Self { server, held }
    }

    pub fn host(&self) -> &str {
        self.server.url.strip_prefix("http://").unwrap()
    }

    /// What was asked for: method and path, in order.
    pub fn log(&self) -> Vec<String> {
        self.server.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    pub fn tags(&self) -> Vec<String> {
        self.held.lock().unwrap().manifests.keys().filter(|key| !key.contains("sha256")).cloned().collect()
    }
}

impl Held {
    /// As a good registry.
    pub fn answer(&mut self, request: &Request) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.replace("%2F", "/").replace("%3A", ":")))
            .collect();
        let rest = path.strip_prefix("/v2/").unwrap_or_default();
        if let Some((repository, _)) = rest.split_once("/blobs/uploads/") {
            return self.upload(request, path, repository, &query);
        }
        if let Some((repository, digest)) = rest.split_once("/blobs/") {
            return match self.blobs.get(&format!("{repository} {digest}")) {
                Some(bytes) => Answer::ok(bytes.clone()).header("Docker-Content-Digest", digest),
                None => Answer::status(404),
            };
        }
        if let Some((repository, by)) = rest.split_once("/manifests/") {
            return self.manifest(request, repository, by);
        }
        match rest.split_once("/referrers/") {
            Some(_) if self.referrers => Answer::ok(r#"{"schemaVersion":2,"manifests":[]}"#)
                .header("Content-Type", "application/vnd.oci.image.index.v1+json"),
            _ => Answer::status(404),
        }
    }

    fn upload(&mut self, request: &Request, path: &str, repository: &str, query: &BTreeMap<String, String>) -> Answer {
        if request.method == "POST" {
            if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from"))
                && let Some(bytes) = self.blobs.get(&format!("{from} {digest}")).cloned()
            {
                self.blobs.insert(format!("{repository} {digest}"), bytes);
                return Answer::status(201);
            }
            self.started += 1;
            let path = format!("{path}{}", self.started);
            self.uploads.insert(path.clone(), Vec::new());
            let mut answer = Answer::status(202).header("Location", format!("{}{path}", self.elsewhere));
            if let Some(least) = self.least {
                answer = answer.header("OCI-Chunk-Min-Length", least.to_string());
            }
            return answer;
        }
        let Some(have) = self.uploads.get_mut(path) else { return Answer::status(404) };
        let location = format!("{}{path}", self.elsewhere);
        let at = |have: &Vec<u8>| format!("0-{}", have.len().saturating_sub(1));
        match request.method.as_str() {
            "GET" => Answer::status(204).header("Range", at(have)).header("Location", location),
            "PATCH" => {
                let start = request.content_range.as_ref().and_then(|range| range.split_once('-')?.0.parse().ok());
                if start != Some(have.len()) {
                    return Answer::status(416);
                }
                have.extend(&request.body);
                Answer::status(202).header("Range", at(have)).header("Location", location)
            }
            "PUT" => {
                have.extend(&request.body);
                let bytes = self.uploads.remove(path).unwrap();
                let digest = Sha256::of(&bytes).to_string();
                if query.get("digest") != Some(&digest) {
                    return refusal(400, "DIGEST_INVALID");
                }
                self.blobs.insert(format!("{repository} {digest}"), bytes);
                Answer::status(201).header("Docker-Content-Digest", digest)
            }
            "DELETE" => {
                self.uploads.remove(path);
                Answer::status(204)
            }
            _ => Answer::status(405),
        }
    }

    fn manifest(&mut self, request: &Request, repository: &str, by: &str) -> Answer {
        if request.method == "PUT" {
            let document: Value = serde_json::from_slice(&request.body).unwrap();
            let named = |key: &str| document[key].as_array().into_iter().flatten().chain([&document["config"]]);
            let has = |one: &&Value| {
                let digest = one["digest"].as_str().unwrap_or_default();
                self.blobs.contains_key(&format!("{repository} {digest}"))
                    || self.manifests.contains_key(&format!("{repository} {digest}"))
            };
            let missing = |key: &str| named(key).filter(|one| one.is_object()).any(|one| !has(&one));
            if missing("layers") || missing("manifests") {
                return refusal(400, "MANIFEST_BLOB_UNKNOWN");
            }
            let digest = Sha256::of(&request.body).to_string();
            for by in [by, &digest] {
                let what = (request.content_type.clone().unwrap_or_default(), request.body.clone());
                self.manifests.insert(format!("{repository} {by}"), what);
            }
            let mut answer = Answer::status(201).header("Docker-Content-Digest", digest);
            if let Some(subject) = document["subject"]["digest"].as_str().filter(|_| self.referrers) {
                answer = answer.header("OCI-Subject", subject);
            }
            return answer;
        }
        match self.manifests.get(&format!("{repository} {by}")) {
            Some((kind, bytes)) => Answer::ok(bytes.clone())
                .header("Content-Type", kind.clone())
                .header("Docker-Content-Digest", Sha256::of(bytes).to_string()),
            None => refusal(404, "MANIFEST_UNKNOWN"),
        }
    }
}

/// A refusal in the spec's words.
pub fn refusal(status: u16, code: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": "no \u{1b}[31m"}]}).to_string();
    Answer { body: body.into(), ..Answer::status(status) }
}
