//! `compose verify MANIFEST docker://…` against a registry of this test's own, with every fault it can have, and against
//! Debian's docker-registry with what skopeo pushed to it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use compose::base::Sha256;
use serde_json::{Value, json};
use support::{
    Archive, Desk, Served,
    http::{Answer, Request, Server},
    pkg,
    registry::docker_registry,
    tool,
};

fn built() -> (Served, Desk) {
    let program: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let served = Archive::new(vec![pkg("app", "1.0").file("usr/bin/app", 0o755, program)]).serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "[image]\nentrypoint = [\"/usr/bin/app\"]\n");
    desk.compose(&["demo.toml", "-o", "oci:layout"]).ok();
    (served, desk)
}

/// What a registry answers by path: content type and body.
type Store = BTreeMap<String, (String, Vec<u8>)>;

/// The image of a layout as a registry has it, under the tag `1`, and its manifest's digest.
fn store(layout: &Path) -> (Store, Sha256) {
    let mut out = Store::new();
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let digest: Sha256 = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let (name, bytes) = (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
        if name == digest.hex() {
            for by in ["1", &digest.to_string()] {
                let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
                out.insert(format!("/v2/team/app/manifests/{by}"), (kind, bytes.clone()));
            }
        } else {
            out.insert(format!("/v2/team/app/blobs/sha256:{name}"), ("application/octet-stream".into(), bytes));
        }
    }
    (out, digest)
}

fn answer(store: &Store, request: &Request) -> Answer {
    match store.get(&request.path) {
        Some((kind, bytes)) => Answer::ok(bytes.clone()).header("Content-Type", kind.clone()),
        None => Answer {
            body: br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown \u001b[31m"}]}"#.to_vec(),
            ..Answer::status(404)
        },
    }
}

/// The largest blob: the layer.
fn layer(store: &Store) -> String {
    let blobs = store.iter().filter(|(path, _)| path.contains("/blobs/"));
    blobs.max_by_key(|(_, (_, bytes))| bytes.len()).unwrap().0.clone()
}

struct Asked<'a> {
    desk: &'a Desk,
    served: &'a Served,
}

impl Asked<'_> {
    /// Verifies against `server`; without logins but those in the file `auth.json`.
    fn verify(&self, server: &Server, by: &str, more: &[&str]) -> (Option<i32>, String) {
        let host = server.url.strip_prefix("http://").unwrap();
        let image = format!("docker://{host}/team/app{by}");
        let mut args = vec!["verify", "demo.toml", &image, "--with-store"];
        args.extend(more);
        let mut command = self.desk.command(&args);
        command.env("REGISTRY_AUTH_FILE", self.desk.path("auth.json"));
        let run = self.desk.run(&mut command);
        let text = self.desk.settled(self.served, &format!("{}{}", run.stdout, run.stderr)).replace(host, "REGISTRY");
        (run.code, text)
    }
}

#[test]
fn an_image_of_a_registry_is_verified_and_every_fault_is_told() {
    let (served, desk) = built();
    let asked = Asked { desk: &desk, served: &served };
    let (good, digest) = store(&desk.path("layout"));
    let serve = |store: Store| Server::start(move |request, _| answer(&store, request));
    let server = serve(good.clone());
    for by in [":1", &format!("@{digest}"), &format!(":other@{digest}")] {
        let (code, text) = asked.verify(&server, by, &[]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("it is what the lock says"), "{text}");
    }
    // Within an index, beside another architecture's, which is not asked for.
    let mut many = good.clone();
    let manifest = &good["/v2/team/app/manifests/1"].1;
    let one = |arch: &str, digest: Sha256, size| {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let platform = json!({"architecture": arch, "os": "linux"});
        json!({"mediaType": kind, "digest": digest.to_string(), "size": size, "platform": platform})
    };
    let other = one("s390x", Sha256::of(b"elsewhere"), 7);
    let index = json!({"schemaVersion": 2, "manifests": [other, one("amd64", digest, manifest.len())]}).to_string();
    let kind = "application/vnd.oci.image.index.v1+json".to_owned();
    many.insert("/v2/team/app/manifests/many".into(), (kind, index.into()));
    let (code, text) = asked.verify(&serve(many), ":many", &[]);
    assert_eq!(code, Some(0), "{text}");

    let mut out = String::new();
    let mut told = |what: &str, code: i32, found: (Option<i32>, String)| {
        assert_eq!(found.0, Some(code), "{what}: {}", found.1);
        out += &format!("{what} ({code}): {}\n", found.1.trim_end());
    };
    told("no such tag", 4, asked.verify(&server, ":2", &[]));
    told("offline", 4, asked.verify(&server, ":1", &["--offline"]));
    told("no such digest", 4, asked.verify(&server, &format!("@{}", Sha256::of(b"x")), &[]));
    let changed = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut store = good.clone();
        change(&mut store.get_mut(path).unwrap().1);
        serve(store)
    };
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    told("one bit of the layer", 5, asked.verify(&changed(&layer(&good), &flip), ":1", &[]));
    let shorter = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    told("a shorter layer", 5, asked.verify(&changed(&layer(&good), &shorter), ":1", &[]));
    let by_digest = format!("/v2/team/app/manifests/{digest}");
    told("another manifest", 5, asked.verify(&changed(&by_digest, &|b| b.push(b' ')), &format!("@{digest}"), &[]));
    told("no JSON", 2, asked.verify(&changed("/v2/team/app/manifests/1", &|b| b.truncate(9)), ":1", &[]));
    let huge = |bytes: &mut Vec<u8>| bytes.resize((4 << 20) + 1, b' ');
    told("a huge manifest", 2, asked.verify(&changed("/v2/team/app/manifests/1", &huge), ":1", &[]));
    let mut old = good.clone();
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws".to_owned();
    old.insert("/v2/team/app/manifests/old".into(), (schema1, b"{}".to_vec()));
    told("an old kind", 2, asked.verify(&serve(old), ":old", &[]));
    let (store, path) = (good.clone(), layer(&good));
    let cut = Server::start(move |request, _| match request.path == path {
        true => answer(&store, request).cut(1000),
        false => answer(&store, request),
    });
    told("a cut layer", 4, asked.verify(&cut, ":1", &[]));
    insta::assert_snapshot!("faults", out);
}

/// A registry that answers whoever has `wanted`, and a server of tokens.
fn guarded(store: Store, challenge: String, wanted: &'static str) -> Server {
    Server::start(move |request, _| match request.authorization.as_deref() == Some(wanted) {
        true => answer(&store, request),
        false => Answer::status(401).header("WWW-Authenticate", challenge.clone()),
    })
}

#[test]
fn who_asks_is_told_to_those_who_may_know() {
    let (served, desk) = built();
    let asked = Asked { desk: &desk, served: &served };
    let (good, _) = store(&desk.path("layout"));
    let mut out = String::new();
    let mut told = |what: &str, found: (Option<i32>, String)| {
        assert_eq!(found.0, Some(4), "{what}: {}", found.1);
        out += &format!("{what}: {}\n", found.1.trim_end());
    };
    let login = |server: &Server, auth: &str| {
        let host = server.url.strip_prefix("http://").unwrap();
        fs::write(desk.path("auth.json"), json!({"auths": {host: {"auth": auth}}}).to_string()).unwrap();
    };
    // name:secret
    let basic = guarded(good.clone(), "Basic realm=\"x\"".into(), "Basic bmFtZTpzZWNyZXQ=");
    told("nobody", asked.verify(&basic, ":1", &[]));
    fs::write(desk.path("auth.json"), r#"{"credsStore": "keychain"}"#).unwrap();
    told("somebody with a helper", asked.verify(&basic, ":1", &[]));
    login(&basic, "bmFtZTpvdGhlcg==");
    told("somebody else", asked.verify(&basic, ":1", &[]));
    login(&basic, "bmFtZTpzZWNyZXQ=");
    let (code, text) = asked.verify(&basic, ":1", &[]);
    assert_eq!(code, Some(0), "{text}");

    // A token for anybody, and for somebody.
    let tokens = Server::start(|request, _| match (request.authorization.as_deref(), request.path.as_str()) {
        (None, path) if path.contains("service=open") => Answer::ok(r#"{"token": "abc"}"#),
        (Some("Basic bmFtZTpzZWNyZXQ="), _) => Answer::ok(r#"{"access_token": "abc"}"#),
        (None, path) if path.contains("service=none") => Answer::ok("{}"),
        _ => Answer::status(401),
    });
    let realm = |service: &str| format!("Bearer realm=\"{}/token\",service=\"{service}\",scope=\"x\"", tokens.url);
    let open = guarded(good.clone(), realm("open"), "Bearer abc");
    let (code, text) = asked.verify(&open, ":1", &[]);
    assert_eq!(code, Some(0), "{text}");
    let path = tokens.requests()[0].path.replace("%3A", ":").replace("%2F", "/");
    assert_eq!(path, "/token?service=open&scope=repository:team/app:pull");
    assert_eq!(tokens.requests().len(), 1, "a token is asked for once");
    let closed = guarded(good.clone(), realm("closed"), "Bearer abc");
    told("no token", asked.verify(&closed, ":1", &[]));
    login(&closed, "bmFtZTpzZWNyZXQ=");
    let (code, text) = asked.verify(&closed, ":1", &[]);
    assert_eq!(code, Some(0), "{text}");
    told("an answer without a token", asked.verify(&guarded(good.clone(), realm("none"), "Bearer abc"), ":1", &[]));
    let far = "Bearer realm=\"http://registry.example.com/token\",service=\"x\"";
    told("a token in the clear", asked.verify(&guarded(good.clone(), far.into(), "Bearer abc"), ":1", &[]));
    told("a way of its own", asked.verify(&guarded(good.clone(), "Negotiate".into(), "Bearer abc"), ":1", &[]));
    insta::assert_snapshot!("denied", out.replace(&tokens.url, "TOKENS"));

    // Blobs lie with another server, which is not told who asks.
    let elsewhere = Arc::new(Mutex::new(Vec::new()));
    let (blobs, seen) = (good.clone(), Arc::clone(&elsewhere));
    let storage = Server::start(move |request, _| {
        seen.lock().unwrap().push(request.authorization.clone());
        answer(&blobs, request)
    });
    let (manifests, to) = (good.clone(), storage.url.clone());
    let moved = Server::start(move |request, _| match request.authorization.as_deref() {
        Some("Basic bmFtZTpzZWNyZXQ=") if request.path.contains("/blobs/") => {
            Answer::status(307).header("Location", format!("{to}{}", request.path))
        }
        Some("Basic bmFtZTpzZWNyZXQ=") => answer(&manifests, request),
        _ => Answer::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    login(&moved, "bmFtZTpzZWNyZXQ=");
    let (code, text) = asked.verify(&moved, ":1", &[]);
    assert_eq!(code, Some(0), "{text}");
    let elsewhere = elsewhere.lock().unwrap();
    assert!(elsewhere.len() >= 2 && elsewhere.iter().all(Option::is_none), "{elsewhere:?}");
}

#[test]
fn a_reference_that_is_none_is_a_fault_of_usage() {
    let (served, desk) = built();
    let run = desk.compose(&["verify", "demo.toml", "docker://python:3.13-slim"]);
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!("usage", desk.settled(&served, &run.stderr));
}

#[test]
fn what_skopeo_pushed_to_a_real_registry_is_verified() {
    let (_served, desk) = built();
    let (Some((_running, host)), Some(skopeo)) = (docker_registry(desk.dir.path(), false), tool("skopeo")) else {
        return;
    };
    let push = |from: &str, tag: &str, more: &[&str]| {
        let mut command = Command::new(&skopeo);
        command.args(["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]).args(more);
        let to = format!("docker://{host}/team/app:{tag}");
        let done = command.arg(from).arg(to).current_dir(desk.dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    push("oci:layout", "oci", &["--preserve-digests"]);
    push("oci:layout", "docker", &["--format", "v2s2"]);
    let (_, digest) = store(&desk.path("layout"));
    for by in [":oci".to_owned(), format!("@{digest}"), ":docker".into()] {
        let image = format!("docker://{host}/team/app{by}");
        let run = desk.compose(&["verify", "demo.toml", &image, "--with-store"]).ok();
        assert!(run.stdout.contains(&format!("{image}: it is what the lock says")), "{}", run.stdout);
    }
    let run = desk.compose(&["verify", "demo.toml", &format!("docker://{host}/team/app:none"), "--with-store"]);
    assert!(run.code == Some(4) && run.stderr.contains("MANIFEST_UNKNOWN"), "{}", run.stderr);
    // The registry's own disk goes bad.
    let blobs = desk.path("registry/docker/registry/v2/blobs/sha256");
    let all = fs::read_dir(blobs).unwrap().flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
    let largest = all.map(|entry| entry.unwrap().path().join("data")).max_by_key(|path| path.metadata().unwrap().len());
    let mut bytes = fs::read(largest.as_ref().unwrap()).unwrap();
    bytes[1000] ^= 1;
    fs::write(largest.unwrap(), bytes).unwrap();
    let run = desk.compose(&["verify", "demo.toml", &format!("docker://{host}/team/app:oci"), "--with-store"]);
    assert!(run.code == Some(5) && run.stderr.contains("is not what it should be"), "{}", run.stderr);
}
