//! The sibling images, as `manifests/` has them, composed from this machine's Debian mirror for several suites and
//! architectures, looked into, and run: native ones in a chroot, foreign ones under qemu-user. What cannot be had here
//! (a mirror, an architecture or a suite of it, root, an emulator) is said and skipped. Downloads are kept between runs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::shipped::copy_siblings;

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_siblings(dir.path());
    dir
}

fn compose(dir: &Path, faked: Option<&str>, args: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_compose");
    let mut command = match faked {
        Some(date) => {
            let mut command = Command::new("faketime");
            command.args([date, binary]);
            command
        }
        None => Command::new(binary),
    };
    command.args(args).current_dir(dir).env("COMPOSE_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/siblings"));
    command.output().unwrap()
}

/// Whether it was built. A mirror that is not there or not whole is no fault of compose's, and neither is one that has
/// not been renewed: its last day is then faked.
fn built(dir: &Path, args: &[&str]) -> bool {
    let mut run = compose(dir, None, args);
    let err = |run: &Output| String::from_utf8_lossy(&run.stderr).into_owned();
    let said = err(&run);
    if let Some((_, rest)) = said.split_once("was valid until ").filter(|_| run.status.code() == Some(5)) {
        let day: jiff::Timestamp = rest.split(',').next().unwrap().parse().unwrap();
        let day = (day - jiff::SignedDuration::from_hours(24)).strftime("%Y-%m-%d %H:%M:%S").to_string();
        if Command::new("faketime").arg("--version").output().is_err() {
            eprintln!("skipped {args:?}: the mirror is out of date, and faketime is not on this machine");
            return false;
        }
        run = compose(dir, Some(&day), args);
    }
    let why = err(&run);
    match run.status.code() {
        Some(0) => true,
        // One that copies some architectures later than the Release file, or never.
        Some(code) if code == 4 || code == 5 && why.contains("may be in the middle of an update") => {
            eprintln!(
                "skipped {args:?}: the mirror: {}",
                why.lines().find(|line| line.starts_with("error")).unwrap_or("")
            );
            false
        }
        _ => panic!("{args:?}: {}{}", err(&run), String::from_utf8_lossy(&run.stdout)),
    }
}

/// Every file and link, by its path from the root.
fn files(rootfs: &Path) -> BTreeMap<String, PathBuf> {
    let (mut out, mut todo) = (BTreeMap::new(), vec![rootfs.to_path_buf()]);
    while let Some(path) = todo.pop() {
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            out.insert(format!("/{}", path.strip_prefix(rootfs).unwrap().display()), path);
        }
    }
    out
}

fn elf_files(files: &BTreeMap<String, PathBuf>) -> Vec<&str> {
    let is_elf = |path: &PathBuf| {
        let mut head = [0; 4];
        let is_file = fs::symlink_metadata(path).unwrap().is_file();
        is_file
            && std::io::Read::read(&mut fs::File::open(path).unwrap(), &mut head).unwrap() == 4
            && head == *b"\x7fELF"
    };
    files.iter().filter(|(_, path)| is_elf(path)).map(|(name, _)| name.as_str()).collect()
}

/// What every image is: not root's, with trust roots, time zones and accounts; and a shell only to look around with.
fn look(rootfs: &Path, name: &str) {
    let files = files(rootfs);
    let elf = elf_files(&files);
    let is_debug = name.ends_with("-debug");
    let has = |end: &str| elf.iter().any(|path| path.ends_with(end));
    let libraries = ["/libc.so.6", "/libssl.so.3", "/libstdc++.so.6", "/libgomp.so.1", "/libgcc_s.so.1"];
    let count = match name.trim_end_matches("-debug") {
        "static" => 0,
        "base" => 2,
        "cc" => 5,
        _ => 1,
    };
    for library in libraries.iter().take(count) {
        // libgomp.so.1 and libstdc++.so.6 are links to the files.
        let is_there = has(library) || files.keys().any(|path| path.ends_with(library));
        assert!(is_there, "{name}: no {library} in {elf:?}");
    }
    match name {
        "static" => assert!(elf.is_empty(), "{elf:?}"),
        "static-debug" => assert_eq!(elf, ["/usr/bin/busybox"]),
        _ => {}
    }
    let shells: Vec<&String> =
        files.keys().filter(|path| path.ends_with("/sh") || path.ends_with("/busybox")).collect();
    let wanted: &[&str] = if is_debug { &["/busybox/sh", "/usr/bin/busybox"] } else { &[] };
    assert_eq!(shells, wanted, "{name}");
    for path in
        ["/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/Europe/Berlin", "/etc/services", "/etc/mime.types"]
    {
        assert!(files.contains_key(path), "{name}: no {path}");
    }
    assert!(fs::read_to_string(rootfs.join("etc/passwd")).unwrap().contains("nonroot:*:65532:65532:"), "{name}");
    assert!(fs::metadata(rootfs.join("home/nonroot")).unwrap().is_dir());
    let set_id = |path: &PathBuf| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o6000 != 0;
    assert!(!files.values().any(set_id));
}

/// What a program prints in the rootfs as uid 65532, perhaps by an emulator; `None` without root.
fn run(rootfs: &Path, emulator: Option<&str>, args: &[&str]) -> Option<String> {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: chroot needs root");
        return None;
    }
    // With /proc, as in every container: a program finds itself by it, and with it what $ORIGIN stands for.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork"]).arg(format!("--mount-proc={}", rootfs.join("proc").display()));
    command.args(["chroot", "--userspec=65532:65532"]).arg(rootfs);
    if let Some(emulator) = emulator {
        fs::copy(emulator, rootfs.join("tmp/emulator")).unwrap();
        command.arg("/tmp/emulator");
    }
    let null = rootfs.join("dev/null");
    if !null.exists() {
        let made = Command::new("mknod").args(["-m", "666"]).arg(&null).args(["c", "1", "3"]).status().unwrap();
        assert!(made.success(), "a device node cannot be made here");
    }
    command.args(args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/busybox").env("NODE_OPTIONS", "--use-openssl-ca");
    let done = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{args:?}: {out}{err}");
    Some(format!("{out}{err}"))
}

/// qemu-user's program for an architecture, if this machine has it.
fn emulator(arch: &str) -> Option<String> {
    let name = match arch {
        "arm64" => "aarch64",
        "armhf" => "arm",
        "ppc64el" => "ppc64le",
        other => other,
    };
    let path = format!("/usr/bin/qemu-{name}-static");
    let found = Path::new(&path).exists().then_some(path);
    if found.is_none() {
        eprintln!("skipped: no qemu-{name}-static on this machine");
    }
    found
}

/// One line for the table: what was composed, its size.
fn told(dir: &Path, name: &str, suite: &str, arch: &str) {
    let bytes: u64 = files(dir).values().map(|path| fs::symlink_metadata(path).unwrap().len()).sum();
    println!("| {name} | {suite} | {arch} | {:.1} MB |", bytes as f64 / 1e6);
}

#[test]
fn each_image_is_one_index_for_two_architectures_and_holds_what_its_name_says() {
    let dir = folder();
    for name in ["static", "static-debug", "base", "base-debug", "cc", "cc-debug", "python3", "python3-debug"] {
        let manifest = format!("{name}.toml");
        let (rootfs, layout, tar) = (format!("{name}-{{arch}}/"), format!("oci:{name}.oci"), format!("{name}.oci.tar"));
        let args = [&manifest, "--platform", "linux/amd64,linux/arm64/v8", "-o", &rootfs, "-o", &layout, "-o", &tar];
        if !built(dir.path(), &args) {
            return;
        }
        for arch in ["amd64", "arm64"] {
            let rootfs = dir.path().join(format!("{name}-{arch}"));
            look(&rootfs, name);
            told(&rootfs, name, "trixie", arch);
        }
        let read = |path: &str| -> serde_json::Value {
            serde_json::from_slice(&fs::read(dir.path().join(format!("{name}.oci")).join(path)).unwrap()).unwrap()
        };
        let blob = |digest: &serde_json::Value| read(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")));
        let index = read("index.json");
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "{index}");
        let inner = blob(&index["manifests"][0]["digest"]);
        let platforms: Vec<_> =
            inner["manifests"].as_array().unwrap().iter().map(|m| m["platform"].to_string()).collect();
        assert_eq!(
            platforms,
            [r#"{"architecture":"amd64","os":"linux"}"#, r#"{"architecture":"arm64","os":"linux","variant":"v8"}"#]
        );
        for image in inner["manifests"].as_array().unwrap() {
            let config = blob(&blob(&image["digest"])["config"]["digest"]);
            assert_eq!(config["architecture"], image["platform"]["architecture"]);
            assert_eq!(config["config"]["User"], "65532:65532");
        }
    }
    // The lock has both.
    let lock = fs::read_to_string(dir.path().join("snapshots/base.lock")).unwrap();
    assert!(lock.contains("[target.amd64]") && lock.contains("[target.arm64]"));
    if cfg!(target_arch = "x86_64") {
        let shell =
            |name: &str, text: &str| run(&dir.path().join(format!("{name}-amd64")), None, &["/busybox/sh", "-c", text]);
        if let Some(out) = shell("static-debug", "busybox id -u; busybox ls /etc/ssl/certs") {
            assert_eq!(out, "65532\nca-certificates.crt\n");
        }
        let libraries = run(&dir.path().join("cc-amd64"), None, &["/usr/sbin/ldconfig", "-p"]);
        assert!(libraries.is_none_or(|out| out.contains("libstdc++.so.6 ") && out.contains("libssl.so.3 ")));
        let program = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)";
        let python = run(&dir.path().join("python3-debug-amd64"), None, &["/usr/bin/python3", "-I", "-c", program]);
        assert!(python.is_none_or(|out| out == "True\n"));
    }
    others_read_it(dir.path());
    foreign(&dir.path().join("python3-arm64"), "arm64");
}

/// skopeo takes each architecture's image out of the index, and umoci reads the layout.
fn others_read_it(dir: &Path) {
    let run = |program: &str, args: &[&str]| {
        let done = Command::new(program).args(args).current_dir(dir).output();
        let done = done.inspect_err(|error| eprintln!("skipped: {program}: {error}")).ok()?;
        assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        Some(String::from_utf8_lossy(&done.stdout).into_owned())
    };
    for from in ["oci:base.oci:latest", "oci-archive:base.oci.tar"] {
        for arch in ["amd64", "arm64"] {
            let Some(out) = run("skopeo", &["--override-arch", arch, "inspect", "--config", from]) else { return };
            let config: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(config["architecture"], arch, "{out}");
        }
        let to = format!("oci:copy-of-{}", from.split(':').next().unwrap());
        run("skopeo", &["copy", "--all", "--quiet", from, &to]);
    }
    run("skopeo", &["inspect", "docker-archive:base.oci.tar:base:arm64-v8"]);
    run("umoci", &["list", "--layout", "base.oci"]);
}

/// ld.so.cache is what the image's own ldconfig writes, in the order of bytes of its machine, and Python works.
fn foreign(rootfs: &Path, arch: &str) {
    let Some(emulator) = emulator(arch) else { return };
    let ldconfig = ["/usr/sbin/ldconfig", "-X", "-C", "/tmp/ld.so.cache"];
    if run(rootfs, Some(&emulator), &ldconfig).is_none() {
        return;
    }
    let read = |name: &str| fs::read(rootfs.join(name)).unwrap();
    assert!(read("etc/ld.so.cache") == read("tmp/ld.so.cache"), "{arch}: ldconfig writes another cache");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rootfs.py"), rootfs.join("tmp/rootfs.py")).unwrap();
    let out = run(rootfs, Some(&emulator), &["/usr/bin/python3", "-I", "/tmp/rootfs.py", "emulated"]).unwrap();
    let imported = out.lines().find_map(|line| line.strip_prefix("imported ")).unwrap();
    println!("{arch}: ld.so.cache is ldconfig's; {imported} modules imported under emulation");
    assert!(imported.parse::<usize>().unwrap() > 50, "{out}");
}

#[test]
fn other_suites_and_architectures() {
    let dir = folder();
    let mut ran = Vec::new();
    for (suite, archs) in [
        ("bookworm", &["amd64", "arm64", "armhf", "ppc64el", "s390x"][..]),
        ("trixie", &["armhf", "ppc64el", "riscv64", "s390x"]),
        ("forky", &["amd64", "arm64", "armhf", "ppc64el", "riscv64", "s390x"]),
    ] {
        for arch in archs {
            // The lock of one architecture is no matter of another's mirror.
            let own = format!("archs = [\"{arch}\"]\n[debian]\nsuite = \"{suite}\"\n[policy]\nmax-size = \"60 MB\"\n");
            for name in ["static", "base", "python3"] {
                let file = format!("{name}-{suite}-{arch}");
                let text = format!("extends = \"{name}.toml\"\nname = \"{file}\"\n{own}");
                fs::write(dir.path().join(format!("{file}.toml")), text).unwrap();
                let out = format!("{file}/");
                if !built(dir.path(), &[&format!("{file}.toml"), "-o", &out]) {
                    break;
                }
                look(&dir.path().join(&file), name);
                told(&dir.path().join(&file), name, suite, arch);
                if name == "python3" {
                    ran.push((suite, *arch, dir.path().join(&file)));
                } else {
                    fs::remove_dir_all(dir.path().join(&file)).unwrap();
                }
            }
        }
    }
    // One with the other order of bytes.
    match ran.iter().find(|(_, arch, _)| *arch == "s390x") {
        Some((_, arch, rootfs)) => foreign(rootfs, arch),
        None => eprintln!("skipped: the mirror has no s390x"),
    }
}

#[test]
fn another_suite_by_name() {
    let dir = folder();
    if !built(dir.path(), &["static.toml", "--suite", "bookworm", "--arch", "amd64"]) {
        return;
    }
    assert!(dir.path().join("static-bookworm-amd64.oci.tar").exists());
    let lock = fs::read_to_string(dir.path().join("snapshots/static-bookworm.lock")).unwrap();
    assert!(lock.contains("codename = \"bookworm\""));
    let run = compose(dir.path(), None, &["static.toml", "--suite", "bookworm-updates"]);
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn java_and_node_are_images_like_any_other() {
    let dir = folder();
    if !built(dir.path(), &["java.toml", "--arch", "amd64", "-o", "java/"]) {
        return;
    }
    look(&dir.path().join("java"), "java");
    told(&dir.path().join("java"), "java", "trixie", "amd64");
    if cfg!(target_arch = "x86_64") {
        let java = "/usr/lib/jvm/default-java/bin";
        let version = run(&dir.path().join("java"), None, &[&format!("{java}/java"), "-version"]);
        assert!(version.is_none_or(|out| out.contains("openjdk version \"21")));
        // The keystore that TLS clients open by themselves.
        let args = [&*format!("{java}/keytool"), "-list", "-cacerts", "-storepass", "changeit"];
        if let Some(out) = run(&dir.path().join("java"), None, &args) {
            assert!(out.matches("trustedCertEntry").count() > 100, "{out}");
        }
    }
    if !built(dir.path(), &["node.toml", "--arch", "amd64", "-o", "node/"]) {
        return;
    }
    look(&dir.path().join("node"), "node");
    told(&dir.path().join("node"), "node", "trixie", "amd64");
    let node = dir.path().join("node");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "tmp/key.pem", "-out", "tmp/cert.pem"])
        .current_dir(&node)
        .output();
    if !made.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: openssl is not on this machine");
        return;
    }
    fs::set_permissions(node.join("tmp/key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    // Refused with the image's own trust roots alone, and taken with the server's.
    let program = r"
        const https = require('https'), fs = require('fs');
        const [key, cert] = ['key', 'cert'].map(name => fs.readFileSync(`/tmp/${name}.pem`));
        const server = https.createServer({ key, cert }, (_, answer) => answer.end('hello')).listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            const get = (options, done) => https.get({ host: '127.0.0.1', port, servername: 'localhost', ...options }, answer => {
                let text = ''; answer.on('data', part => text += part); answer.on('end', () => done(text));
            }).on('error', error => done(error.code));
            get({}, refused => get({ ca: cert }, taken => { console.log(refused, taken); server.close(); process.exit(0); }));
        });";
    if cfg!(target_arch = "x86_64")
        && let Some(out) = run(&node, None, &["/usr/bin/node", "-e", program])
    {
        assert!(out.contains("DEPTH_ZERO_SELF_SIGNED_CERT hello"), "{out}");
    }
}

#[test]
fn what_one_architecture_lacks_is_told_with_its_name_and_trees_have_one_architecture_each() {
    let dir = folder();
    let text = "extends = \"static.toml\"\nname = \"x\"\n[packages]\ninstall = [\"iucode-tool\"]\n";
    fs::write(dir.path().join("x.toml"), text).unwrap();
    let run = compose(dir.path(), None, &["x.toml"]);
    let err = String::from_utf8_lossy(&run.stderr);
    match run.status.code() {
        Some(4) => eprintln!("skipped: no Debian mirror can be reached"),
        code => {
            assert!(code == Some(3) && err.contains("for arm64: ") && err.contains("iucode-tool"), "{code:?} {err}")
        }
    }
    for (args, wanted) in [
        (["x.toml", "-o", "x.tar"], "x.tar holds the files of one architecture"),
        (["x.toml", "-o", "rootfs/"], "put {arch} into its name"),
        (["x.toml", "--platform", "linux/amd46"], "“linux/amd46” is neither an architecture nor a platform"),
    ] {
        let run = compose(dir.path(), None, &args);
        let err = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && err.contains(wanted), "{args:?}: {err}");
    }
}
