//! What takes images: podman, docker, and the runtimes crun and runc, each with all that it keeps in a folder of the test's
//! own, and ended with it.
//!
//! In: an `.oci.tar`, or a bundle that umoci unpacked. Out: what the engine says of the image, and what its program prints.
//! Each is first tried on a rootfs that is none of compose's, so that what a machine forbids is told and skipped, and is no
//! fault of an image.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// crun wants no cgroups of both versions at once; those of the second are hidden from it, in mounts of its own.
const ONE_CGROUP: &str = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
/// What dockerd writes outside of the folders that it is told.
const OWN_FOLDERS: &str =
    "for at in /run /opt /etc/docker; do [ ! -d $at ] || mount -t tmpfs own $at; done; exec \"$@\"";
/// No more than what a process may have anyway: to raise a limit needs a right of its own.
const LIMITS: [&str; 4] = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
/// Where a program of another image is put, for an image without any.
pub const GUEST: &str = "/tmp/busybox";

/// What an image is to do: its entry point with these arguments, or another program; and what it then says.
pub struct Try {
    pub program: &'static str,
    pub args: &'static [&'static str],
    pub says: &'static str,
}

/// Runs to its end, within five minutes: the exit code, and everything that was said.
pub fn bounded(command: &[&str], dir: &Path) -> (Option<i32>, String) {
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=5", "300"]).args(command).current_dir(dir).stdin(Stdio::null());
    let done = bounded.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.code(), text)
}

/// The same, which must succeed.
#[track_caller]
pub fn well(command: &[&str], dir: &Path) -> String {
    let (code, text) = bounded(command, dir);
    assert_eq!(code, Some(0), "{command:?}: {text}");
    text
}

/// A rootfs without compose: this machine's `/usr` is mounted there, and `/usr/bin/true` runs.
fn stranger(dir: &Path) -> PathBuf {
    let rootfs = dir.join("stranger");
    if !rootfs.exists() {
        fs::create_dir_all(rootfs.join("usr")).unwrap();
        for name in ["proc", "dev", "sys", "etc", "tmp"] {
            fs::create_dir(rootfs.join(name)).unwrap();
        }
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), rootfs.join(name)).unwrap();
        }
    }
    rootfs
}

/// podman or docker.
pub struct Engine {
    pub name: &'static str,
    command: Vec<String>,
    run: Vec<String>,
    dir: PathBuf,
    daemon: Option<Child>,
    /// Whether it knows layers that are compressed with zstd, as docker does from version 23 on.
    pub zstd: bool,
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Engine {
    fn new(name: &'static str, dir: &Path, command: Vec<String>, run: &[&str]) -> Self {
        Self { name, command, run: strings(run), dir: dir.to_owned(), daemon: None, zstd: true }
    }

    /// podman, with whichever runtime works here; without one it still loads.
    pub fn podman(dir: &Path) -> Option<Self> {
        super::tool("podman")?;
        let at = |name: &str| dir.join(format!("podman-{name}")).to_string_lossy().into_owned();
        let (root, run, tmp) = (at("root"), at("run"), at("tmp"));
        let own = ["--root", &root, "--runroot", &run, "--tmpdir", &tmp, "--storage-driver", "vfs"];
        let quiet = ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime"];
        let hidden = ["unshare", "--mount", "sh", "-c", ONE_CGROUP, "--"];
        // Else its locks are those of every podman on this machine.
        let settings = format!("CONTAINERS_CONF={}", at("conf"));
        fs::write(at("conf"), "[engine]\nlock_type = \"file\"\n").unwrap();
        let mut last = None;
        for (runtime, cgroups, before) in [("crun", "disabled", &hidden[..]), ("runc", "enabled", &[])] {
            let command = strings(&[before, &["env", &settings, "podman"], &own, &quiet, &[runtime]].concat());
            let mut engine = Self::new("podman", dir, command, &["--cgroups", cgroups]);
            if !engine.answers("info") {
                continue;
            }
            let (rootfs, usr) = (stranger(dir), "/usr:/usr:ro");
            let rootfs = rootfs.to_string_lossy();
            let args = ["-v", usr, "--rootfs", &*rootfs, "/usr/bin/true"];
            match engine.started(&args) {
                (Some(0), _) => return Some(engine),
                (_, said) => eprintln!("skipped: podman runs nothing here with {runtime}: {}", said.trim()),
            }
            engine.run.clear();
            last = Some(engine);
        }
        last
    }

    /// docker, with a daemon of its own: root alone can.
    pub fn docker(dir: &Path) -> Option<Self> {
        let (daemon, _) = (super::tool("dockerd")?, super::tool("docker")?);
        let at = |name: &str| dir.join(format!("docker-{name}"));
        let (socket, log) = (format!("unix://{}", at("sock").display()), at("log"));
        // Ended with the test, even if that is killed.
        let mut command = Command::new("setpriv");
        command
            .args([
                "--pdeathsig",
                "TERM",
                "unshare",
                "--mount",
                "sh",
                "-c",
                OWN_FOLDERS,
                "--",
                "timeout",
                "--kill-after=5",
                "3000",
            ])
            .arg(daemon);
        command.args(["--host", &socket, "--storage-driver", "vfs", "--bridge", "none"]);
        command.args(["--iptables=false", "--ip6tables=false"]);
        command.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("run")).arg("--pidfile").arg(at("pid"));
        let file = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut engine = Self::new("docker", dir, strings(&["docker", "--host", &socket]), &["--pull", "never"]);
        engine.daemon = Some(command.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(60);
        while !engine.answers("version") {
            let gone = engine.daemon.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            if gone || Instant::now() > end {
                let text = fs::read_to_string(&log).unwrap_or_default();
                eprintln!("skipped: dockerd does not start here: {}", text.lines().last().unwrap_or_default());
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let version = engine.well(&["version", "--format", "{{.Server.Version}}"]);
        engine.zstd =
            version.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= 23);
        well(&["tar", "-cf", "stranger.tar", "-C", &stranger(dir).to_string_lossy(), "."], dir);
        engine.well(&["import", "stranger.tar", "stranger"]);
        if let (Some(code), said) = engine.started(&["-v", "/usr:/usr:ro", "stranger", "/usr/bin/true"])
            && code != 0
        {
            eprintln!("skipped: docker runs nothing here: {}", said.trim());
            engine.run.clear();
        }
        Some(engine)
    }

    fn told(&self, args: &[&str]) -> (Option<i32>, String) {
        let command: Vec<&str> = self.command.iter().map(String::as_str).chain(args.iter().copied()).collect();
        bounded(&command, &self.dir)
    }

    fn answers(&self, verb: &str) -> bool {
        self.told(&[verb]).0 == Some(0)
    }

    #[track_caller]
    fn well(&self, args: &[&str]) -> String {
        let (code, text) = self.told(args);
        assert_eq!(code, Some(0), "{} {args:?}: {text}", self.name);
        text
    }

    /// A container as it should be: without a network, its root read-only.
    fn started(&self, rest: &[&str]) -> (Option<i32>, String) {
        let run: Vec<&str> = self.run.iter().map(String::as_str).collect();
        let cage = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp"];
        self.told(&[&["run"], &run[..], &cage, &LIMITS, rest].concat())
    }

    /// Loads an archive of one image, whose configuration has this digest and content: it is taken as it was written.
    /// Out: how often a program of it was run.
    pub fn takes(&self, archive: &str, digest: &str, config: &Value, tries: &[Try], guest: &str) -> usize {
        self.well(&["load", "-i", archive]);
        let id = digest.trim_start_matches("sha256:");
        let text = self.well(&["image", "inspect", id]);
        let found: Value = serde_json::from_str(&text).unwrap();
        let found = &found[0];
        assert_eq!(found["Id"].as_str().unwrap().trim_start_matches("sha256:"), id, "{}: {archive}", self.name);
        assert_eq!(found["RootFS"]["Layers"], config["rootfs"]["diff_ids"], "{}: {archive}", self.name);
        let names =
            ["User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels", "ExposedPorts", "Volumes", "StopSignal"];
        for name in names {
            let said = |value: &Value| match value {
                Value::Null => None,
                Value::String(text) if text.is_empty() => None,
                other => Some(other.clone()),
            };
            let (here, there) = (said(&config["config"][name]), said(&found["Config"][name]));
            assert_eq!(there, here, "{}: {archive}: {name}", self.name);
        }
        let mut ran = 0;
        for each in tries.iter().filter(|_| !self.run.is_empty()) {
            let mount = format!("{guest}:{GUEST}:ro");
            let mut rest = vec!["-v", &*mount];
            if each.program != GUEST {
                rest.clear();
            }
            if !each.program.is_empty() {
                rest.extend(["--entrypoint", each.program]);
            }
            rest.push(id);
            rest.extend(each.args);
            let (code, said) = self.started(&rest);
            assert!(code == Some(0) && said.contains(each.says), "{}: {archive}: {rest:?}: {code:?} {said}", self.name);
            ran += 1;
        }
        self.well(&["rmi", "-f", id]);
        ran
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(child) = &mut self.daemon else { return };
        // Not killed: it has a child of its own to end, and mounts.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM);
        let _ = child.wait();
    }
}

/// crun or runc, without an engine.
pub struct Runtime {
    pub name: &'static str,
    command: Vec<String>,
}

impl Runtime {
    /// Those of them that can run something here.
    pub fn all(dir: &Path) -> Vec<Self> {
        let state = |name: &str| dir.join(format!("{name}-state")).to_string_lossy().into_owned();
        let hidden = ["unshare", "--mount", "sh", "-c", ONE_CGROUP, "--", "crun", "--root", &state("crun")];
        let crun = strings(&[&hidden[..], &["--cgroup-manager", "disabled"]].concat());
        let runc = strings(&["runc", "--root", &state("runc")]);
        let mut found = Vec::new();
        for runtime in [Self { name: "crun", command: crun }, Self { name: "runc", command: runc }] {
            if super::tool(runtime.name).is_none() {
                continue;
            }
            let bundle = dir.join(format!("{}-stranger", runtime.name));
            fs::create_dir(&bundle).unwrap();
            well(&[runtime.name, "spec"], &bundle);
            let mut config: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
            config["root"]["path"] = stranger(dir).to_string_lossy().into();
            config["mounts"].as_array_mut().unwrap().push(bind("/usr", "/usr"));
            let done = runtime.run(config, &bundle, &["/usr/bin/true"]);
            if done.0 == Some(0) {
                found.push(runtime);
            } else {
                eprintln!("skipped: {} runs nothing here: {}", runtime.name, done.1.trim());
            }
        }
        found
    }

    fn run(&self, mut config: Value, bundle: &Path, args: &[&str]) -> (Option<i32>, String) {
        config["process"]["terminal"] = false.into();
        config["process"]["args"] = args.into();
        config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }]);
        config["root"]["readonly"] = true.into();
        config["hostname"] = "image".into();
        fs::write(bundle.join("config.json"), config.to_string()).unwrap();
        let mut command: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let id = format!("compose-{}-{}", self.name, std::process::id());
        command.extend(["run", "--bundle", ".", &id]);
        bounded(&command, bundle)
    }

    /// Runs what umoci unpacked of an image, with the configuration that umoci made of the image's `image`: `told`.
    pub fn runs(&self, bundle: &Path, told: &Value, image: &Value, each: &Try, guest: &str) {
        let mut config = told.clone();
        // All users; the network is not this machine's.
        let users = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
        config["linux"]["uidMappings"] = users.clone();
        config["linux"]["gidMappings"] = users;
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "network" }));
        let mounts = config["mounts"].as_array_mut().unwrap();
        // An image's rootfs is read-only here, and what is to be mounted there has to be there.
        mounts.retain(|mount| mount["destination"] != "/etc/resolv.conf");
        let options = ["nosuid", "nodev", "mode=1777"];
        mounts.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": options }));
        if each.program == GUEST {
            mounts.push(bind(guest, GUEST));
        }
        // Arguments take the place of the image's own.
        let own = if each.args.is_empty() { &told["process"]["args"] } else { &image["config"]["Entrypoint"] };
        let mut args: Vec<&str> = match each.program {
            "" => own.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect(),
            program => vec![program],
        };
        args.extend(each.args);
        let (code, said) = self.run(config, bundle, &args);
        let at = bundle.display();
        assert!(code == Some(0) && said.contains(each.says), "{}: {at}: {args:?}: {code:?} {said}", self.name);
    }
}

fn bind(source: &str, destination: &str) -> Value {
    json!({ "destination": destination, "type": "bind", "source": source, "options": ["bind", "ro"] })
}
