//! Whether other people's tools take the images: a validator of the specification and its own schemas (`tests/accepted.py`),
//! oci-image-tool, umoci, skopeo, podman, docker, crun and runc, on every image of `manifests/` as it is shipped, and in
//! every form that a manifest can ask for. A tool that is not on this machine, or that this machine does not let run, is said
//! and skipped, and so is all without a mirror. Downloads are those of `tests/siblings.rs` and `tests/examples.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use support::{
    Archive, Desk,
    engine::{Engine, GUEST, Runtime, Try, bounded, well},
    pkg,
    shipped::{copy, copy_siblings, manifests},
    specification::{blob, by_image_tool, descriptors, json, judged, valid},
    tool,
};

/// An image of `manifests/`, and what its programs do.
struct Shipped {
    name: &'static str,
    tries: &'static [Try],
}

const fn image(name: &'static str, tries: &'static [Try]) -> Shipped {
    Shipped { name, tries }
}

const fn with(program: &'static str, args: &'static [&'static str], says: &'static str) -> Try {
    Try { program, args, says }
}

const SHELL: Try =
    with("/busybox/sh", &["-c", "busybox id -u; busybox ls /etc/ssl/certs"], "65532\nca-certificates.crt\n");
const CACHE: Try = with("/usr/sbin/ldconfig", &["-p"], "libssl.so.3 ");
const PYTHON: Try = with("", &["-I", "-c", "import os, ssl, sqlite3; print(os.getuid(), 6 * 7)"], "65532 42\n");

/// static-debug first: its program is lent to static, which has none.
const SIBLINGS: [Shipped; 10] = [
    image("static-debug", &[SHELL]),
    image("static", &[with(GUEST, &["cat", "/etc/passwd"], "nonroot:*:65532:65532:")]),
    image("base", &[CACHE]),
    image("base-debug", &[SHELL]),
    image("cc", &[with("/usr/sbin/ldconfig", &["-p"], "libstdc++.so.6 ")]),
    image("cc-debug", &[SHELL]),
    image("python3", &[PYTHON]),
    image("python3-debug", &[PYTHON, SHELL]),
    image("java", &[with("", &["-version"], "openjdk version \"21")]),
    image("node", &[with("", &["-e", "console.log(process.getuid(), 6 * 7)"], "65532 42\n")]),
];

const GREETER: &str = "import sys; sys.path.append('/app'); import grpc, greeter_pb2_grpc; print(grpc.__name__)";
const NOON: &str = "import multiprocessing, sqlite3, zoneinfo; print(zoneinfo.ZoneInfo('America/New_York'))";
const EXAMPLES: [Shipped; 9] = [
    image("version", &[with("", &[], "Python 3.13.")]),
    image("hello-world", &[with("", &[], "Hello, world! This is Python 3.13.")]),
    image(
        "flask",
        &[with("", &["--check-config", "--no-control-socket", "app:app"], ""), with("", &["--version"], "gunicorn")],
    ),
    image("fastapi", &[with("", &["--version"], "Running uvicorn ")]),
    image("pandas", &[with("", &[], "day")]),
    image("grpc", &[with("", &["-c", GREETER], "grpc\n")]),
    image("kubernetes", &[with("", &["--help"], "Usage: pods.py [OPTIONS]")]),
    image("ctypes", &[with("", &[], "libsodium.so.23 ")]),
    image("worker", &[with("/usr/bin/python3", &["-c", NOON], "America/New_York\n")]),
];

/// This machine's architecture, as Debian and the specification call it.
const ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// No images by themselves: an addition to others, and one that wants a tarball of one's own; and the next release's.
const OTHERS: [&str; 3] = ["debug", "python-tarball", "python3.14"];

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The manifest of a layout's image for this machine.
fn own_image(layout: &Path) -> Value {
    let all = descriptors(layout);
    json(&blob(layout, all.iter().find(|each| each["platform"]["architecture"] == ARCH).unwrap()))
}

/// Every path below a folder: its kind, mode, time and content.
fn listing(dir: &Path) -> Vec<String> {
    let (mut lines, mut todo) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(path) = todo.pop() {
        let info = fs::symlink_metadata(&path).unwrap();
        let what = if info.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "a folder".into()
        } else if info.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            compose::base::Sha256::of(&fs::read(&path).unwrap()).to_string()
        };
        lines.push(format!("{} {:o} {} {what}", path.strip_prefix(dir).unwrap().display(), info.mode(), info.mtime()));
    }
    lines.sort();
    lines.split_off(1)
}

/// umoci unpacks what compose has in a folder: the bundle, for a runtime.
fn unpacked(dir: &Path, layout: &str, rootfs: &str) -> Option<PathBuf> {
    tool("umoci")?;
    let bundle = format!("{layout}-bundle");
    well(&["umoci", "unpack", "--rootless", "--image", &format!("{layout}:latest"), &bundle], dir);
    let (theirs, ours) = (listing(&dir.join(&bundle).join("rootfs")), listing(&dir.join(rootfs)));
    let first = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
    assert!(theirs == ours, "{layout}: {first:?}, {} files against {}", theirs.len(), ours.len());
    Some(dir.join(bundle))
}

/// skopeo copies a layout and an archive as they are, and to docker's form with the same configuration.
fn copied(dir: &Path, name: &str, is_gzip: bool) {
    if tool("skopeo").is_none() {
        return;
    }
    let skopeo = |args: &[&str]| well(&[&["skopeo", "--insecure-policy", "--tmpdir", "."], args].concat(), dir);
    let copy = |from: &str, to: &str| {
        skopeo(&["copy", "-q", "--all", "--preserve-digests", from, to]);
    };
    let digest = |layout: &str| json(&dir.join(layout).join("index.json"))["manifests"][0]["digest"].clone();
    let (layout, archive) = (format!("oci:{name}:latest"), format!("oci-archive:{name}.oci.tar:latest"));
    copy(&layout, "oci:copy-of-layout");
    copy(&archive, "oci-archive:copy.oci.tar");
    copy("oci-archive:copy.oci.tar", "oci:copy-of-archive");
    assert_eq!([digest("copy-of-layout"), digest("copy-of-archive")], [digest(name), digest(name)], "{name}");
    if is_gzip {
        // A manifest of its own; the configuration is the image.
        skopeo(&["copy", "-q", &layout, "docker-archive:copy.tar:copy:latest"]);
        let config = skopeo(&["inspect", "--config", "--raw", "docker-archive:copy.tar"]);
        let manifest = own_image(&dir.join(name));
        let digest = compose::base::Sha256::of(config.trim_end().as_bytes()).to_string();
        assert_eq!(manifest["config"]["digest"], digest.as_str(), "{name}: as a docker-archive");
        fs::remove_file(dir.join("copy.tar")).unwrap();
    }
    fs::remove_dir_all(dir.join("copy-of-layout")).unwrap();
    fs::remove_dir_all(dir.join("copy-of-archive")).unwrap();
    fs::remove_file(dir.join("copy.oci.tar")).unwrap();
}

/// All that takes an image, and has its place in a folder.
struct Takers {
    engines: Vec<Engine>,
    runtimes: Vec<Runtime>,
}

impl Takers {
    fn new(dir: &Path) -> Self {
        if !rustix::process::getuid().is_root() {
            eprintln!("skipped: podman, docker, crun and runc: not root");
            return Self { engines: Vec::new(), runtimes: Vec::new() };
        }
        let engines = [Engine::podman(dir), Engine::docker(dir)].into_iter().flatten().collect();
        Self { engines, runtimes: Runtime::all(dir) }
    }

    /// Takes the image of `NAME`, `NAME.oci.tar` and the folder `ROOTFS`, and runs it if this machine can.
    fn take(&self, dir: &Path, name: &str, rootfs: &str, tries: &[Try], guest: &str) {
        let config = json(&blob(&dir.join(name), &own_image(&dir.join(name))["config"]));
        // The programs are this machine's.
        let tries = if cfg!(target_arch = "x86_64") { tries } else { &[] };
        let mut told = Vec::new();
        if let Some(bundle) = unpacked(dir, name, rootfs) {
            let own = json(&bundle.join("config.json"));
            for runtime in &self.runtimes {
                tries.iter().for_each(|each| runtime.runs(&bundle, &own, &config, each, guest));
                told.push(format!("{} {}", runtime.name, tries.len()));
            }
            fs::remove_dir_all(bundle).unwrap();
        }
        told.extend(self.load(dir, name, tries, guest));
        println!("{name}: taken and run: {}", told.join(", "));
    }

    /// The engines take `NAME.oci.tar`, and run its image for this machine: who, and how many programs.
    fn load(&self, dir: &Path, name: &str, tries: &[Try], guest: &str) -> Vec<String> {
        let manifest = own_image(&dir.join(name));
        let (digest, mut told) = (manifest["config"]["digest"].as_str().unwrap(), Vec::new());
        let config = json(&blob(&dir.join(name), &manifest["config"]));
        let is_zstd = manifest["layers"][0]["mediaType"].as_str().unwrap().ends_with("+zstd");
        for engine in self.engines.iter().filter(|engine| engine.zstd || !is_zstd) {
            let ran = engine.takes(&text(&dir.join(format!("{name}.oci.tar"))), digest, &config, tries, guest);
            told.push(format!("{} {ran}", engine.name));
        }
        told
    }
}

/// Whether it was built: without a mirror, or with one that is not whole, that is told.
fn built(dir: &Path, cache: &str, args: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    command.args(args).current_dir(dir).env("COMPOSE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join(cache));
    let run = command.env("NO_COLOR", "1").output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    let stale = ["was valid until ", "may be in the middle of an update"].iter().any(|words| said.contains(words));
    match run.status.code() {
        Some(0) => true,
        Some(code) if code == 4 || code == 5 && stale => {
            eprintln!("skipped {args:?}: the mirror: {}", said.lines().find(|l| l.starts_with("error")).unwrap_or(""));
            false
        }
        code => panic!("{args:?}: {code:?} {said}"),
    }
}

/// Composes an image as it is shipped, tells its size (packages, plain tar and image in MB), and tries everything on it; then once more in another form, for those that judge it.
fn accepted(dir: &Path, cache: &str, name: &str, takers: &Takers, tries: &[Try], guest: &str) {
    let manifest = format!("{name}.toml");
    let (archive, layout, rootfs) = (format!("{name}.oci.tar"), format!("oci:{name}"), format!("{name}-rootfs/"));
    let plain = format!("{name}.tar");
    if !built(dir, cache, &[&manifest, "--arch", ARCH, "-o", &plain, "-o", &archive, "-o", &layout, "-o", &rootfs]) {
        return;
    }
    let lock = fs::read_to_string(dir.join(format!("snapshots/{name}.lock"))).unwrap();
    let packages = lock.lines().filter(|line| line.ends_with(&format!("[target.{ARCH}.package]]"))).count();
    let size = |file: &str| fs::metadata(dir.join(file)).unwrap().len() as f64 / 1e6;
    println!("| {name} | {packages} | {:.1} | {:.1} |", size(&plain), size(&archive));
    takers.take(dir, name, &rootfs, tries, guest);
    copied(dir, name, true);
    by_image_tool(dir, name);

    let other = format!("{name}-other");
    let form = "[image]\nlayers = \"by-origin\"\ncompression = \"zstd\"\n[sbom]\nattach = [\"spdx\", \"spdx3\", \"cyclonedx\"]\n";
    fs::write(dir.join(format!("{other}.toml")), format!("extends = \"{manifest}\"\nname = \"{other}\"\n{form}"))
        .unwrap();
    let (other_archive, other_layout) = (format!("{other}.oci.tar"), format!("oci:{other}"));
    if !built(dir, cache, &[&format!("{other}.toml"), "-o", &other_archive, "-o", &other_layout]) {
        return;
    }
    copied(dir, &other, false);
    by_image_tool(dir, &other);
    valid(dir, &[name, &archive, &other, &other_archive]);
    for made in [name, &other] {
        fs::remove_dir_all(dir.join(made)).unwrap();
        fs::remove_file(dir.join(format!("{made}.oci.tar"))).unwrap();
    }
}

#[test]
fn every_sibling_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    copy_siblings(dir);
    let guest = text(&dir.join("static-debug-rootfs/usr/bin/busybox"));
    let takers = Takers::new(dir);
    for Shipped { name, tries } in &SIBLINGS {
        accepted(dir, "siblings", name, &takers, tries, &guest);
    }
}

#[test]
fn every_example_is_accepted() {
    let place = tempfile::tempdir().unwrap();
    let takers = Takers::new(place.path());
    for Shipped { name, tries } in &EXAMPLES {
        let dir = place.path().join(name);
        copy(&manifests().join(name), &dir);
        if *name == "grpc" && bounded(&["sh", "certificates"], &dir).0 != Some(0) {
            eprintln!("skipped: grpc: openssl is not on this machine");
            continue;
        }
        accepted(&dir, "examples", name, &takers, tries, "");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn every_manifest_is_tried() {
    let tried = |name: &str| SIBLINGS.iter().chain(&EXAMPLES).any(|image| image.name == name) || OTHERS.contains(&name);
    for path in fs::read_dir(manifests()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let own = path.join(format!("{name}.toml"));
        let name = name.strip_suffix(".toml").or(own.exists().then_some(&*name));
        assert!(name.is_none_or(tried), "{name:?}");
    }
}

/// A manifest that asks for all that `[image]` knows.
const FULL: &str = r#"
[[files]]
path = "/etc/app.conf"
content = "here"

[accounts]
users = [{ name = "app", uid = 1000, home = "/home/app" }]
run-as = "app"

[image]
entrypoint = ["/usr/bin/app", "--serve"]
cmd = ["all", "of it"]
workdir = "/home/app"
env = { LANG = "C.UTF-8", EMPTY = "", QUOTED = "a \"b\" = c" }
labels = { "org.opencontainers.image.source" = "https://example.com/app", "com.example.of" = "Łódź" }
annotations = { "org.opencontainers.image.licenses" = "MIT", "com.example.note" = "a, b" }
ports = ["8080/tcp", "5353/udp"]
volumes = ["/var/lib/app"]
stop-signal = "SIGINT"
"#;

type Change = fn([&mut Value; 3]);

/// Changes a layout's configuration, manifest or index, and then all digests above.
fn spoil(layout: &Path, how: Change) {
    let mut index = json(&layout.join("index.json"));
    let mut manifest = json(&blob(layout, &index["manifests"][0]));
    let mut config = json(&blob(layout, &manifest["config"]));
    for old in [&index["manifests"][0], &manifest["config"]] {
        fs::remove_file(blob(layout, old)).unwrap();
    }
    let put = |value: &Value, descriptor: &mut Value| {
        let bytes = value.to_string();
        let digest = compose::base::Sha256::of(bytes.as_bytes()).to_string();
        descriptor["size"] = bytes.len().into();
        descriptor["digest"] = digest.into();
        fs::write(blob(layout, descriptor), bytes).unwrap();
    };
    how([&mut config, &mut manifest, &mut index]);
    put(&config, &mut manifest["config"]);
    put(&manifest, &mut index["manifests"][0]);
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
}

/// What is wrong is found: a change, and what is then said.
const SPOILED: [(Change, &str); 9] = [
    (|_| {}, ""),
    (
        |[config, ..]| drop(config.as_object_mut().unwrap().remove("architecture")),
        "'architecture' is a required property",
    ),
    (|[config, ..]| config["rootfs"]["diff_ids"][0] = "sha256:0".into(), "and its diffID is sha256:0"),
    (|[config, ..]| config["history"] = json!([]), "1 layers, 1 diffIDs, 0 entries of history"),
    (|[config, ..]| config["created"] = "yesterday".into(), "created of config: yesterday"),
    (|[_, manifest, _]| manifest["layers"][0]["size"] = 7.into(), " of 7 bytes is ("),
    (|[_, manifest, _]| manifest["layers"][0]["mediaType"] = "text/tar".into(), "the media type text/tar"),
    (
        |[.., index]| drop(index.as_object_mut().unwrap().remove("schemaVersion")),
        "'schemaVersion' is a required property",
    ),
    (
        |[.., index]| index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "a b".into(),
        "as “a b”",
    ),
];

#[test]
fn every_form_is_accepted_and_what_is_spoiled_is_not() {
    let app = |arch: &str| {
        let mut package =
            pkg("app", "1.0").file("usr/bin/app", 0o755, vec![1; 300_000]).hard("usr/bin/again", "usr/bin/app");
        let long = format!("usr/share/{}/{}", "long".repeat(50), "name".repeat(50));
        package = package.file(&long, 0o640, arch).link("usr/share/link", "../bin/app").depends("libapp");
        package.arch = arch.into();
        package
    };
    let mut library = pkg("libapp", "2").file("lib/libapp.txt", 0o644, "x");
    library.arch = "all".into();
    let mut archive = Archive::new(vec![app("amd64"), app("arm64"), library]);
    archive.release.insert("Architectures".into(), "all amd64 arm64".into());
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]", FULL);
    let dir = desk.dir.path();
    let plain = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let takers = Takers::new(dir);
    let mut all = Vec::new();
    for form in 0..16 {
        let is = |bit: u32| form >> bit & 1 == 1;
        let [compression, layers] = [["gzip", "zstd"][form & 1], ["single", "by-origin"][form >> 1 & 1]];
        let mut text = format!("{plain}compression = \"{compression}\"\nlayers = \"{layers}\"\n");
        let mut name = format!("{compression}-{layers}");
        if is(2) {
            text = text.replace("archs = [\"amd64\"]", "archs = [\"amd64\", \"arm64\"]");
            name += "-both";
        } else {
            text = text.replace("archs = [\"amd64\"]", &format!("archs = [\"{ARCH}\"]"));
        }
        if is(3) {
            text += "[sbom]\nattach = [\"spdx\", \"spdx3\", \"cyclonedx\"]\n";
            name += "-sbom";
        }
        desk.manifest(&text);
        let (layout, archive) = (format!("oci:{name}"), format!("{name}.oci.tar"));
        let rootfs = format!("{name}-{{arch}}/");
        desk.compose(&["demo.toml", "-o", &layout, "-o", &archive, "-o", &rootfs]).ok();
        copied(dir, &name, compression == "gzip");
        by_image_tool(dir, &name);
        // umoci knows no zstd, and takes no index for an image.
        if compression == "gzip" && !is(2) {
            takers.take(dir, &name, &format!("{name}-{ARCH}"), &[], "");
        } else {
            println!("{name}: taken: {}", takers.load(dir, &name, &[], "").join(", "));
        }
        all.extend([name, archive]);
    }
    valid(dir, &all.iter().map(String::as_str).collect::<Vec<_>>());

    for (how, words) in SPOILED {
        copy(&desk.path("gzip-single"), &desk.path("spoiled"));
        spoil(&desk.path("spoiled"), how);
        let Some((is_valid, said)) = judged(dir, &["spoiled"]) else { break };
        assert!(is_valid == words.is_empty() && said.contains(words), "{words}: {said}");
        fs::remove_dir_all(desk.path("spoiled")).unwrap();
    }
}
