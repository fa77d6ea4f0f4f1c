//! `compose MANIFEST -o docker://…`: to Debian's docker-registry, from where skopeo takes it back, and to a registry of
//! this test's own, with every fault it can have.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use compose::base::Sha256;
use serde_json::{Value, json};
use support::{
    Archive, Desk, Run, Served,
    http::{Answer, Request, Server},
    pkg,
    registry::{Held, Registry, docker_registry, refusal},
    tool,
};

const SBOM: &str = "[sbom]\nattach = [\"spdx\", \"cyclonedx\"]\n";

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

/// A manifest for an image of about so many bytes.
fn desk_of(length: usize, rest: &str) -> (Served, Desk) {
    let app = |arch: &str, length| {
        let mut package = pkg("app", "1.0").file("usr/share/app/data", 0o644, noise(length));
        package.arch = arch.into();
        package
    };
    let mut archive = Archive::new(vec![app("amd64", length), app("arm64", length + 80)]);
    archive.release.insert("Architectures".into(), "all amd64 arm64".into());
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", rest);
    (served, desk)
}

fn push(desk: &Desk, host: &str, name: &str, more: &[&str]) -> Run {
    let output = format!("docker://{host}/{name}");
    let mut args = vec!["demo.toml", "-o", &output];
    args.extend(more);
    let mut command = desk.command(&args);
    command.env("REGISTRY_AUTH_FILE", desk.path("auth.json"));
    command.env("PATH", format!("{}:/usr/bin:/bin", desk.path("bin").display()));
    let run = desk.run(&mut command);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("secret"), "a secret is told: {}", run.stderr);
    run
}

/// The same, and its JSON's part about the only registry.
fn pushed(desk: &Desk, host: &str, name: &str) -> Value {
    let run = push(desk, host, name, &["--format", "json"]).ok();
    let all: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(all["pushed"].as_array().unwrap().len(), 1);
    all["pushed"][0].clone()
}

fn blobs(pushed: &Value) -> [u64; 3] {
    ["uploaded", "mounted", "present"].map(|how| pushed[how]["blobs"].as_u64().unwrap())
}

fn index(layout: &Path) -> Value {
    serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap()
}

fn blob(layout: &Path, digest: &Value) -> Value {
    let name = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(name)).unwrap()).unwrap()
}

fn skopeo(desk: &Desk, args: &[&str]) -> String {
    let mut command = Command::new(tool("skopeo").unwrap());
    let done = command.arg("--insecure-policy").args(args).current_dir(desk.dir.path()).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn a_real_registry_has_what_the_layout_has() {
    let (_served, desk) = desk_of(80_000, SBOM);
    let (Some((_running, host)), Some(_)) = (docker_registry(desk.dir.path(), false), tool("skopeo")) else { return };
    let run = push(&desk, &host, "team/app:1.2", &["-o", "oci:layout", "-o", "x.oci.tar"]).ok();
    let digest = index(&desk.path("layout"))["manifests"][0]["digest"].as_str().unwrap().to_owned();
    assert!(run.stdout.contains(&format!("docker://{host}/team/app:1.2@{digest}\n")), "{}", run.stdout);
    // Back again: the digest of the manifest decides over all that it names.
    let source = format!("docker://{host}/team/app:1.2");
    skopeo(&desk, &["copy", "-q", "--preserve-digests", "--src-tls-verify=false", &source, "oci:back:x"]);
    assert_eq!(index(&desk.path("back"))["manifests"][0]["digest"], digest);
    let seen: Value = serde_json::from_str(&skopeo(&desk, &["inspect", "--tls-verify=false", &source])).unwrap();
    assert_eq!((&seen["Digest"], &seen["Architecture"]), (&json!(digest), &json!("amd64")));
    // compose takes it back itself.
    desk.compose(&["verify", "demo.toml", &source, "--with-store"]).ok();
    let audit = desk.compose(&["audit", &format!("{source}@{digest}"), "--format", "json"]).ok();
    assert!(audit.stdout.contains("\"app\""));

    // Again: nothing is sent. Elsewhere: what was sent is lent. And again without what was remembered.
    let again = pushed(&desk, &host, "team/app:1.2");
    assert_eq!((blobs(&again), &again["manifests-written"], &again["digest"]), ([0, 0, 5], &json!(0), &json!(digest)));
    assert_eq!(blobs(&pushed(&desk, &host, "team/app:other")), [0, 0, 5]);
    let other = pushed(&desk, &host, "team/other:1");
    assert_eq!((blobs(&other), &other["digest"]), ([0, 5, 0], &json!(digest)));
    fs::remove_dir_all(desk.path("cache/registries")).unwrap();
    assert_eq!(blobs(&pushed(&desk, &host, "third:1")), [5, 0, 0]);

    // The SBOMs: this registry knows nothing of referrers, so they are under a tag.
    let tag = format!("docker://{host}/team/app:{}", digest.replace(':', "-"));
    let found: Value = serde_json::from_str(&skopeo(&desk, &["inspect", "--raw", "--tls-verify=false", &tag])).unwrap();
    let referrers = found["manifests"].as_array().unwrap();
    let here = index(&desk.path("layout"))["manifests"].as_array().unwrap()[1..].to_vec();
    assert_eq!((referrers.len(), here.len()), (2, 2));
    for (there, here) in referrers.iter().zip(&here) {
        assert_eq!((&there["digest"], &there["artifactType"]), (&here["digest"], &here["artifactType"]));
        let created = &blob(&desk.path("layout"), &here["digest"])["annotations"];
        assert_eq!(&there["annotations"], created, "as the manifest has them");
    }
}

#[test]
fn several_architectures_are_one_tag() {
    let (_served, desk) = desk_of(80_000, "");
    let text = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&text.replace("archs = [\"amd64\"]", "archs = [\"amd64\", \"arm64\"]"));
    let (Some((_running, host)), Some(_)) = (docker_registry(desk.dir.path(), true), tool("skopeo")) else { return };
    let run = push(&desk, &host, "team/app", &[]);
    assert!(run.code == Some(4) && run.stderr.contains(&format!("docker login {host}")), "{}", run.stderr);
    // name:secret
    fs::write(desk.path("auth.json"), json!({"auths": {&host: {"auth": "bmFtZTpzZWNyZXQ="}}}).to_string()).unwrap();
    let done = pushed(&desk, &host, "team/app");
    assert_eq!(done["images"].as_array().unwrap().len(), 2);
    let source = format!("docker://{host}/team/app:latest");
    skopeo(&desk, &["copy", "-q", "--all", "--src-creds=name:secret", "--src-tls-verify=false", &source, "oci:back"]);
    let top = index(&desk.path("back"))["manifests"][0].clone();
    assert_eq!(top["digest"], done["digest"]);
    let list = blob(&desk.path("back"), &top["digest"]);
    let platforms: Vec<_> = list["manifests"].as_array().unwrap().iter().map(|one| &one["platform"]).collect();
    let arm = json!({"architecture": "arm64", "os": "linux", "variant": "v8"});
    assert_eq!(platforms, [&json!({"architecture": "amd64", "os": "linux"}), &arm]);
    for arch in ["amd64", "arm64"] {
        // Each is what its own output has.
        desk.compose(&["demo.toml", "--arch", arch, "-o", &format!("oci:{arch}")]).ok();
        let own = index(&desk.path(arch))["manifests"][0]["digest"].clone();
        assert!(done["images"].as_array().unwrap().iter().any(|one| one["arch"] == arch && one["digest"] == own));
        let mut command = desk.command(&["verify", "demo.toml", &source, "--with-store", "--arch", arch]);
        desk.run(command.env("REGISTRY_AUTH_FILE", desk.path("auth.json"))).ok();
    }
    // One run for everything: the same index in layouts and under a tag, and each architecture alone.
    let each = format!("docker://{host}/team/app:1-{{arch}}");
    let more = ["-o", "oci:all", "-o", "all.oci.tar", "-o", "rootfs-{arch}/", "-o", &each, "--format", "json"];
    let run = push(&desk, &host, "team/app:1", &more).ok();
    let all: Value = serde_json::from_str(&run.stdout).unwrap();
    let there = |number: usize| (all["pushed"][number]["digest"].clone(), blobs(&all["pushed"][number])[0]);
    let own = |number: usize| done["images"][number]["digest"].clone();
    assert_eq!([0, 1, 2].map(there), [(done["digest"].clone(), 0), (own(0), 0), (own(1), 0)]);
    assert_eq!(index(&desk.path("all"))["manifests"][0]["digest"], done["digest"]);
    skopeo(&desk, &["copy", "-q", "--all", "oci-archive:all.oci.tar", "oci:unpacked"]);
    assert_eq!(index(&desk.path("unpacked"))["manifests"][0]["digest"], done["digest"]);
    let sizes = ["amd64", "arm64"].map(|arch| desk.path(&format!("rootfs-{arch}/usr/share/app/data")));
    assert_eq!(sizes.map(|path| fs::metadata(path).unwrap().len()), [80_000, 80_080]);
    // What holds one tree is refused before anything is made.
    let run = push(&desk, &host, "team/app:2", &["-o", "x.tar"]);
    assert!(
        run.code == Some(2) && run.stderr.starts_with("error[E0825 one-architecture-output]: x.tar "),
        "{}",
        run.stderr
    );
}

/// Which PATCH it is, from one on; `None` for anything else.
fn patch(request: &Request, count: &AtomicUsize) -> Option<usize> {
    (request.method == "PATCH").then(|| count.fetch_add(1, Ordering::SeqCst) + 1)
}

#[test]
fn a_large_layer_goes_chunk_by_chunk_whatever_happens() {
    const MIB: usize = 1 << 20;
    let (_served, desk) = desk_of(20 * MIB, "");
    desk.compose(&["demo.toml", "-o", "oci:layout"]).ok();
    let digest = index(&desk.path("layout"))["manifests"][0]["digest"].clone();
    let hang_up = || Some(Answer { hang_up: true, ..Answer::default() });
    type First = Box<dyn Fn(&Request, &mut Held) -> Option<Answer> + Send + Sync>;
    let counted = |fault: fn(usize, &Request, &mut Held) -> Option<Answer>| -> First {
        let count = AtomicUsize::new(0);
        Box::new(move |request, held| patch(request, &count).and_then(|number| fault(number, request, held)))
    };
    let last = AtomicUsize::new(0);
    let cases: Vec<(&str, First, &[usize])> = vec![
        ("all goes well", Box::new(|_, _| None), &[8, 8, 4]),
        (
            "the connection breaks in the second chunk: it goes on where the registry is",
            counted(|number, request, held| {
                let hang_up = Answer { hang_up: true, ..Answer::default() };
                let half = &request.body[..request.body.len() / 2];
                (number == 2).then(|| held.uploads.values_mut().for_each(|have| have.extend(half))).map(|()| hang_up)
            }),
            &[8, 8, 4, 4],
        ),
        (
            "the registry forgets the upload",
            counted(|number, _, held| (number == 2).then(|| held.uploads.clear()).map(|()| Answer::status(404))),
            &[8, 8, 8, 8, 4],
        ),
        (
            "it takes half of a chunk only",
            counted(|number, request, held| {
                let (path, have) = held.uploads.iter_mut().next()?;
                (number == 1).then(|| have.extend(&request.body[..4 << 20]))?;
                Some(Answer::status(202).header("Location", path.clone()).header("Range", "0-4194303"))
            }),
            &[8, 8, 8, 0],
        ),
        (
            "it takes one byte of each chunk: after a while the whole is sent at once",
            Box::new(|request, held| {
                let (path, have) = held.uploads.iter_mut().next().filter(|_| request.method == "PATCH")?;
                have.extend(&request.body[..1]);
                let at = format!("0-{}", have.len() - 1);
                Some(Answer::status(202).header("Location", path.clone()).header("Range", at))
            }),
            // One byte is told as none is, so the first is sent twice.
            &[8; 15],
        ),
        (
            "it is busy",
            counted(|number, _, _| (number <= 2).then(|| Answer::status(503).header("Retry-After", "0"))),
            &[8, 8, 8, 8, 4],
        ),
        ("it takes no chunks", counted(|_, _, _| Some(refusal(405, "UNSUPPORTED"))), &[8]),
        (
            "a proxy takes 3 MiB",
            counted(|_, request, _| (request.body.len() > 3 << 20).then(|| Answer::status(413))),
            &[8, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0],
        ),
        (
            "the last answer is lost",
            Box::new(move |request, held| {
                let is_last = request.method == "PUT" && request.path.contains("digest=") && request.body.is_empty();
                if is_last && last.fetch_add(1, Ordering::SeqCst) == 0 {
                    held.answer(request);
                    return hang_up();
                }
                None
            }),
            &[8, 8, 4],
        ),
        (
            "it wants large chunks",
            Box::new(|_, held| {
                held.least = Some(12 << 20);
                None
            }),
            &[12, 8],
        ),
    ];
    for (what, first, sizes) in cases {
        let registry = Registry::start(first);
        let done = pushed(&desk, registry.host(), "team/app:1");
        assert_eq!(done["digest"], digest, "{what}");
        let requests = registry.server.requests();
        let patches = requests.iter().filter(|request| request.method == "PATCH");
        // Headers, and what gzip adds, make a little more than 20 MiB of it.
        let found: Vec<usize> = patches.map(|request| request.body.len() / MIB).collect();
        assert_eq!(found, sizes, "{what}");
        let held = registry.held.lock().unwrap();
        assert!(held.uploads.is_empty(), "{what}: nothing is left open");
        assert!(held.blobs.iter().all(|(name, bytes)| name.ends_with(&Sha256::of(bytes).to_string())), "{what}");
        // The tag comes last, after all that it leads to.
        let puts: Vec<_> = requests.iter().filter(|request| request.method == "PUT").map(|r| r.path.clone()).collect();
        assert_eq!(puts.last().unwrap(), "/v2/team/app/manifests/1", "{what}");
    }
}

#[test]
fn every_refusal_is_told_and_leaves_no_tag() {
    let (served, desk) = desk_of(80_000, "");
    let mut out = String::new();
    let mut told = |what: &str, code: i32, host: &str, run: Run| {
        assert_eq!(run.code, Some(code), "{what}: {}{}", run.stdout, run.stderr);
        let lines: Vec<_> =
            run.stderr.lines().filter(|line| line.starts_with("error") || line.starts_with("  ")).collect();
        out += &format!("{what} ({code}): {}\n", desk.settled(&served, &lines.join("\n")).replace(host, "REGISTRY"));
    };
    type First = fn(&Request, &mut Held) -> Option<Answer>;
    let cases: [(&str, i32, First); 14] = [
        ("nobody is logged in", 4, |_, _| Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"x\""))),
        ("writing is forbidden", 4, |request, _| (request.method == "POST").then(|| refusal(403, "DENIED"))),
        ("no such repository", 4, |request, _| (request.method == "POST").then(|| refusal(404, "NAME_UNKNOWN"))),
        ("too large", 4, |request, _| (request.body.len() > 1000).then(|| Answer::status(413))),
        ("too many requests", 4, |request, _| {
            (request.method == "POST").then(|| refusal(429, "TOOMANYREQUESTS").header("Retry-After", "0"))
        }),
        ("it fails", 4, |_, _| Some(Answer::status(500).header("Retry-After", "0"))),
        ("it hangs up", 4, |request, _| {
            (request.method == "PUT").then(|| Answer { hang_up: true, ..Answer::default() })
        }),
        ("an upload without a place", 4, |request, _| (request.method == "POST").then(|| Answer::status(202))),
        ("an upload to no place of the web", 4, |request, _| {
            (request.method == "POST").then(|| Answer::status(202).header("Location", "file:///etc/passwd"))
        }),
        ("other bytes came, it says", 4, |request, _| {
            (request.method == "PUT").then(|| refusal(400, "DIGEST_INVALID"))
        }),
        ("no such manifest for it", 4, |request, _| {
            (request.method == "PUT" && request.path.contains("/manifests/")).then(|| refusal(400, "MANIFEST_INVALID"))
        }),
        ("another digest for a blob", 5, |request, _| {
            (request.method == "PUT")
                .then(|| Answer::status(201).header("Docker-Content-Digest", Sha256::of(b"x").to_string()))
        }),
        ("another digest for a manifest", 5, |request, _| {
            (request.method == "PUT" && request.path.contains("/manifests/sha256"))
                .then(|| Answer::status(201).header("Docker-Content-Digest", Sha256::of(b"x").to_string()))
        }),
        ("nothing under the tag afterwards", 4, |request, _| {
            (request.path.ends_with("/manifests/1")).then(|| match request.method.as_str() {
                "PUT" => Answer::status(201),
                _ => Answer::status(404),
            })
        }),
    ];
    for (what, code, first) in cases {
        let registry = Registry::start(first);
        told(what, code, registry.host(), push(&desk, registry.host(), "team/app:1", &["-o", "x.tar"]));
        assert_eq!(registry.tags(), [""; 0], "{what}");
        assert!(registry.held.lock().unwrap().uploads.is_empty(), "{what}: an upload is left open");
        assert!(desk.path("x.tar").exists(), "{what}");
    }
    // Somebody pushes at the same time.
    let count = AtomicUsize::new(0);
    let lies = Registry::start(move |request, held| {
        let tag = request.method == "HEAD" && request.path.ends_with("/manifests/1");
        let mut other = held.answer(request);
        if tag && count.fetch_add(1, Ordering::SeqCst) > 0 {
            other.headers.retain(|(name, _)| *name != "Docker-Content-Digest");
            return Some(other.header("Docker-Content-Digest", Sha256::of(b"x").to_string()));
        }
        Some(other)
    });
    told("another digest under the tag", 5, lies.host(), push(&desk, lies.host(), "team/app:1", &[]));
    // Without that header it is read.
    let reads = Registry::start(|request, held| {
        let mut answer = held.answer(request);
        answer.headers.retain(|(name, _)| *name != "Docker-Content-Digest");
        if request.method == "GET" && request.path.contains("/manifests/") {
            answer.body.push(b' ');
        }
        Some(answer)
    });
    told("other bytes under the tag", 5, reads.host(), push(&desk, reads.host(), "team/app:1", &[]));

    // What can be told before there is anything to do with a registry.
    let none = Registry::start(|_, _| None);
    for (what, code, name, more) in [
        ("a bad tag", 2, "team/app:-x", &[][..]),
        ("a digest", 2, &format!("team/app@{}", Sha256::of(b"")), &[]),
        ("capital letters", 2, "team/App:1", &[]),
        ("twice", 2, "team/app", &["-o", &format!("docker://{}/team/app:latest", none.host())]),
        ("offline", 4, "team/app:1", &["--offline"]),
    ] {
        told(what, code, none.host(), push(&desk, none.host(), name, more));
    }
    fs::write(desk.path("auth.json"), "{").unwrap();
    told("a file of logins that is none", 2, none.host(), push(&desk, none.host(), "team/app:1", &[]));
    assert_eq!(none.log(), [""; 0], "it was not asked");
    insta::assert_snapshot!("refusals", out);
}

/// Answers whoever has `wanted`; others get the challenge.
fn guarded(challenge: String, wanted: &'static str) -> Registry {
    Registry::start(move |request, _| {
        let knows = request.authorization.as_deref() == Some(wanted);
        (!knows).then(|| Answer::status(401).header("WWW-Authenticate", challenge.clone()))
    })
}

fn helper(desk: &Desk, name: &str, script: &str) {
    fs::create_dir_all(desk.path("bin")).unwrap();
    let path = desk.path("bin").join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn who_pushes_is_told_to_the_registry_alone() {
    let (served, desk) = desk_of(80_000, "");
    let auth = |config: Value| fs::write(desk.path("auth.json"), config.to_string()).unwrap();
    // What it is asked for lies in a file, so that the test sees it.
    let asked = desk.path("asked");
    helper(
        &desk,
        "good",
        &format!(
            "cat > {}; echo \"$1\" >> {0}; echo '{{\"ServerURL\":\"x\",\"Username\":\"name\",\"Secret\":\"secret\"}}'",
            asked.display()
        ),
    );
    helper(&desk, "token", "cat >/dev/null; echo '{\"Username\":\"<token>\",\"Secret\":\"refresh-secret\"}'");
    helper(&desk, "nobody", "cat >/dev/null; echo 'credentials not found in native keychain'; exit 1");
    helper(&desk, "failing", "echo 'the secret is: secret'; echo 'secret' >&2; exit 3");
    helper(&desk, "garbage", "echo 'secret'");
    const BASIC: &str = "Basic bmFtZTpzZWNyZXQ=";

    // A program for this registry, and one for all.
    for key in ["credHelpers", "credsStore"] {
        let registry = guarded("Basic realm=\"x\"".into(), BASIC);
        auth(match key {
            "credHelpers" => json!({"credHelpers": {registry.host(): "good"}, "credsStore": "failing"}),
            _ => json!({"credsStore": "good", "credHelpers": {"r.example.com": "failing"}}),
        });
        pushed(&desk, registry.host(), "team/app:1");
        assert_eq!(fs::read_to_string(&asked).unwrap(), format!("{}get\n", registry.host()));
        fs::remove_file(&asked).unwrap();
        // And to read it.
        let mut command =
            desk.command(&["verify", "demo.toml", &format!("docker://{}/team/app:1", registry.host()), "--with-store"]);
        command.env("REGISTRY_AUTH_FILE", desk.path("auth.json"));
        desk.run(command.env("PATH", format!("{}:/usr/bin:/bin", desk.path("bin").display()))).ok();
        assert_eq!(registry.tags(), ["team/app 1"]);
    }

    // A server of tokens: by password, and by an identity token. A token grows old in the middle.
    for (name, store) in [("password", "good"), ("identity", "token")] {
        let forms = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&forms);
        let tokens = Server::start(move |request, count| {
            seen.lock().unwrap().push(String::from_utf8_lossy(&request.body).into_owned());
            let by_password = request.authorization.as_deref() == Some(BASIC) && request.method == "GET";
            let by_token =
                request.method == "POST" && String::from_utf8_lossy(&request.body).contains("refresh-secret");
            match by_password || by_token {
                true => Answer::ok(format!("{{\"token\": \"t{}\"}}", count + 1)),
                false => Answer::status(401),
            }
        });
        let challenge = format!("Bearer realm=\"{}/token\",service=\"r\"", tokens.url);
        let served_by_first = AtomicUsize::new(0);
        let registry = Registry::start(move |request, _| {
            let good = match request.authorization.as_deref() {
                Some("Bearer t1") => served_by_first.fetch_add(1, Ordering::SeqCst) < 4,
                Some(other) => other.starts_with("Bearer t"),
                None => false,
            };
            (!good).then(|| Answer::status(401).header("WWW-Authenticate", challenge.clone()))
        });
        auth(json!({"credsStore": store}));
        pushed(&desk, registry.host(), "team/app:1");
        let paths: Vec<String> = tokens
            .requests()
            .iter()
            .map(|request| request.path.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","))
            .collect();
        assert_eq!(paths.len(), 2, "{name}: {paths:?}");
        if name == "password" {
            assert_eq!(paths[0], "/token?service=r&scope=repository:team/app:pull,push");
            // For a mount the other repository has to be read too.
            pushed(&desk, registry.host(), "other:1");
            let last: Vec<String> = tokens.requests().iter().map(|request| request.path.clone()).collect();
            assert!(last.iter().any(|path| path.matches("scope=").count() == 2 && path.contains("team")), "{last:?}");
        } else {
            assert!(forms.lock().unwrap()[0].contains("grant_type=refresh_token"));
        }
    }

    let mut out = String::new();
    for (what, store) in [
        ("it knows nobody", "nobody"),
        ("it fails", "failing"),
        ("it says something else", "garbage"),
        ("it is not here", "absent"),
        ("a path", "../bin/good"),
        ("an option", "good --help"),
    ] {
        let registry = guarded("Basic realm=\"x\"".into(), BASIC);
        auth(json!({"credsStore": store}));
        let run = push(&desk, registry.host(), "team/app:1", &[]);
        assert_eq!(run.code, Some(4), "{what}: {}", run.stderr);
        let error = run.stderr.lines().find(|line| line.starts_with("error")).unwrap();
        out += &format!("{what}: {}\n", desk.settled(&served, error).replace(registry.host(), "REGISTRY"));
    }
    let registry = guarded("Basic realm=\"x\"".into(), "Basic nobody");
    auth(json!({"credsStore": "good"}));
    let run = push(&desk, registry.host(), "team/app:1", &[]);
    let error = run.stderr.lines().find(|line| line.starts_with("error")).unwrap();
    out += &format!("somebody else: {}\n", desk.settled(&served, error).replace(registry.host(), "REGISTRY"));
    insta::assert_snapshot!("helpers", out);
}

#[test]
fn uploads_that_go_elsewhere_go_without_a_name() {
    let (_served, desk) = desk_of(80_000, "");
    let storage = Arc::new(Mutex::new(Held::default()));
    let there = Arc::clone(&storage);
    let elsewhere = Server::start(move |request, _| there.lock().unwrap().answer(request));
    let (to, storage) = (elsewhere.url.clone(), Arc::clone(&storage));
    let registry = Registry::start(move |request, held| {
        if request.authorization.is_none() {
            return Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"x\""));
        }
        let mut storage = storage.lock().unwrap();
        storage.elsewhere.clone_from(&to);
        held.blobs.clone_from(&storage.blobs);
        (request.method == "POST").then(|| storage.answer(request))
    });
    let login = json!({"auths": {registry.host(): {"auth": "bmFtZTpzZWNyZXQ="}}});
    fs::write(desk.path("auth.json"), login.to_string()).unwrap();
    pushed(&desk, registry.host(), "team/app:1");
    let seen = elsewhere.requests();
    assert_eq!(seen.len(), 2, "configuration and layer");
    assert!(seen.iter().all(|request| request.method == "PUT" && request.authorization.is_none()), "{seen:?}");
    assert_eq!(registry.tags(), ["team/app 1"]);
}

#[test]
fn sboms_are_referrers() {
    let (_served, desk) = desk_of(80_000, SBOM);
    // With a registry that knows of them there is no tag but ours.
    let knows = Registry::start(|_, held| {
        held.referrers = true;
        None
    });
    let done = pushed(&desk, knows.host(), "team/app:1");
    assert_eq!(done["referrers"].as_array().unwrap().len(), 2);
    assert_eq!(knows.tags(), ["team/app 1"]);
    let again = pushed(&desk, knows.host(), "team/app:1");
    assert_eq!(again["manifests-written"], 0);
    assert_eq!(knows.tags(), ["team/app 1"]);

    // Without, what others refer to the image with stays.
    let old = Registry::start(|_, _| None);
    let (manifest, index) = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json");
    let tag = done["digest"].as_str().unwrap().replace(':', "-");
    let theirs = json!({"mediaType": manifest, "digest": Sha256::of(b"signature").to_string(), "size": 9, "annotations": {"a": "b"}});
    let before =
        json!({"schemaVersion": 2, "mediaType": index, "manifests": [theirs], "annotations": {"theirs": "stays"}});
    let key = format!("team/app {tag}");
    {
        let mut held = old.held.lock().unwrap();
        held.manifests.insert(key.clone(), (index.into(), before.to_string().into()));
        held.blobs.insert(format!("team/app {}", Sha256::of(b"signature")), b"signature".to_vec());
    }
    for _ in 0..2 {
        assert_eq!(pushed(&desk, old.host(), "team/app:1")["digest"], done["digest"]);
        let held = old.held.lock().unwrap();
        let found: Value = serde_json::from_slice(&held.manifests[&key].1).unwrap();
        let list = found["manifests"].as_array().unwrap();
        let digests: Vec<_> = list.iter().map(|one| one["digest"].clone()).collect();
        let ours = done["referrers"].as_array().unwrap().clone();
        assert_eq!(digests, [vec![theirs["digest"].clone()], ours].concat());
        assert_eq!((&list[0], &found["annotations"]), (&theirs, &before["annotations"]));
        assert_eq!(held.manifests[&key].0, index);
    }
    // Something else is there.
    old.held.lock().unwrap().manifests.insert(key, (manifest.into(), b"{}".to_vec()));
    let run = push(&desk, old.host(), "team/app:1", &[]);
    assert!(run.code == Some(4) && run.stderr.contains(&format!("remove the tag {tag}")), "{}", run.stderr);
}
