//! What ends a run before its time: signals, a full disk, limits of the system, a cache that may not be written. What was
//! there stays, nothing half is left, the next run is right.
//!
//! `tests/store.rs` has kills at any moment, damage and eight builds at once; `tests/vendor.rs` the same of folders.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::{Duration, Instant},
};

use compose::base::Sha256;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use support::{
    Archive, Desk, Pkg, Run, Served,
    http::{Answer, Server},
    is_ignored, pkg, python, tool,
};

/// One of each kind that is made of one run.
const OUTPUTS: [&str; 5] = ["x.oci.tar", "x.tar", "x.tar.gz", "rootfs/", "oci:layout"];
const NAMES: [&str; 5] = ["x.oci.tar", "x.tar", "x.tar.gz", "rootfs", "layout"];

/// How long a run is waited for, which takes a moment; a run that never gets there ends the test.
const PATIENCE: Duration = Duration::from_secs(120);

fn packages() -> Vec<Pkg> {
    let mut random = rand::rngs::StdRng::seed_from_u64(3);
    let mut part = |name: &str, size: usize| {
        let bytes: Vec<u8> = (0..size).map(|_| random.gen_range(b' '..b'~')).collect();
        pkg(name, "1").dir("usr", 0o755).file(&format!("usr/{name}"), 0o644, bytes)
    };
    vec![part("one", 90_000), part("two", 700_000), part("three", 9_000)]
}

fn served() -> Served {
    Archive::new(packages()).serve()
}

const ALL: &str = "install = [\"one\", \"two\", \"three\"]";

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let outputs = OUTPUTS.iter().flat_map(|name| ["-o", *name]);
    ["demo.toml"].into_iter().chain(outputs).chain(more.iter().copied()).collect()
}

/// What is at each output's place: a digest of the file, or of all paths and files of the directory.
fn state(desk: &Desk) -> Vec<Option<Sha256>> {
    fn add(at: &Path, out: &mut Vec<u8>) {
        let mut names: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for path in names {
            out.extend(path.as_os_str().as_encoded_bytes());
            if path.is_dir() && !path.is_symlink() {
                add(&path, out);
            } else {
                out.extend(fs::read(&path).unwrap_or_default());
            }
        }
    }
    let of = |name: &&str| {
        let path = desk.path(name);
        if !path.exists() {
            return None;
        }
        let mut out = Vec::new();
        if path.is_dir() {
            add(&path, &mut out)
        } else {
            out = fs::read(&path).unwrap()
        }
        Some(Sha256::of(&out))
    };
    NAMES.iter().map(of).collect()
}

/// What may lie in the cache's temporary folder when a run is over: downloads that the next one goes on with.
fn temporary(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(desk.path("cache/tmp")).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".partial"))
        .collect()
}

/// Nothing beside the outputs, and nothing in the cache that nobody needs.
#[track_caller]
fn clean(desk: &Desk, what: &str) {
    let left: Vec<String> = desk.left().into_iter().filter(|name| name.starts_with(".compose")).collect();
    assert_eq!((left, temporary(desk)), (Vec::<String>::new(), Vec::<String>::new()), "{what}");
    for entry in fs::read_dir(desk.path("snapshots")).into_iter().flatten() {
        let name = entry.unwrap().file_name();
        assert_eq!(name, "demo.lock", "{what}");
    }
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The archive behind a server that lets one wait for whatever has `slow` in its path.
fn hesitant(files: &Served, slow: &'static str) -> Server {
    let files = Arc::clone(&files.files);
    Server::start(move |request, _| {
        let found = files.lock().unwrap().get(request.path.trim_start_matches('/')).cloned();
        let answer = found.map_or_else(|| Answer::status(404), Answer::ok);
        Answer { pause: Duration::from_secs(if request.path.contains(slow) { 3 } else { 0 }), ..answer }
    })
}

fn behind(server: &Server, served: &Served, desk: &Desk) {
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace(&served.url, &server.url));
}

/// What ends a run, and its exit code then. One that whoever started the tests has them ignore (nohup) compose ignores too.
static SIGNALS: LazyLock<[(Signal, i32); 3]> = LazyLock::new(|| {
    let (term, hup) = ((Signal::TERM, 143), (Signal::HUP, 129));
    let third = if is_ignored(Signal::HUP) { term } else { hup };
    [(Signal::INT, 130), term, third]
});

#[test]
fn a_signal_while_it_waits_for_the_network_ends_it_at_once() {
    let served = served();
    for (slow, (signal, code)) in ["InRelease", "by-hash", "pool/"].into_iter().zip(*SIGNALS) {
        for command in ["build", "lock"] {
            if (command, slow) == ("lock", "pool/") {
                continue;
            }
            let (server, desk) = (hesitant(&served, slow), Desk::new(&served, ALL, ""));
            behind(&server, &served, &desk);
            let arguments = if command == "lock" { vec!["lock", "demo.toml"] } else { arguments(&[]) };
            let run = start(&mut desk.command(&arguments));
            until(slow, || server.requests().iter().any(|request| request.path.contains(slow)));
            kill_process(Pid::from_child(&run), signal).unwrap();
            let run = ended(run);
            assert_eq!(run.code, Some(code), "{command} {slow}: {}", run.stderr);
            assert!(run.stderr.ends_with("interrupted; nothing was written\n"), "{}", run.stderr);
            assert!(!run.stderr.contains("error"), "{}", run.stderr);
            assert_eq!(state(&desk), [None; 5], "{slow}");
            clean(&desk, slow);
        }
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let served = served();
    let (server, desk) = (hesitant(&served, "InRelease"), Desk::new(&served, ALL, ""));
    behind(&server, &served, &desk);
    let compose = desk.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT HUP; exec \"$@\"", "sh"]).arg(compose.get_program()).args(arguments(&[]));
    shell.current_dir(desk.dir.path()).envs(compose.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let run = start(&mut shell);
    until("asked", || !server.requests().is_empty());
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    kill_process(Pid::from_child(&run), Signal::HUP).unwrap();
    ended(run).ok();
    assert!(state(&desk).iter().all(Option::is_some));
}

/// Two manifests, what their builds leave as outputs, and how long the newer takes from nothing.
struct Ages {
    older: String,
    newer: String,
    old: Vec<Option<Sha256>>,
    new: Vec<Option<Sha256>>,
    whole: Duration,
}

/// Builds both; the older one's outputs are there at the end, and it has less in it.
fn ages(desk: &Desk) -> Ages {
    let newer = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let older = newer.replace(", \"two\"", "");
    let began = Instant::now();
    desk.compose(&arguments(&[])).ok();
    let whole = began.elapsed();
    let new = state(desk);
    desk.manifest(&older);
    desk.compose(&arguments(&[])).ok();
    let old = state(desk);
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    Ages { older, newer, old, new, whole }
}

/// At seeded moments of cold and warm builds over older outputs: these are all as they were, or all new, and it says which.
#[test]
fn a_signal_at_any_moment_leaves_all_outputs_old_or_all_new() {
    let served = served();
    let desk = Desk::new(&served, ALL, "");
    let Ages { older, newer, old, new, mut whole } = ages(&desk);
    let mut random = rand::rngs::StdRng::seed_from_u64(5);
    let mut stopped = 0;
    for round in 0..24 {
        let arguments = after_losing_the_cache(&desk, round % 2 == 0);
        desk.manifest(&newer);
        let (signal, code) = SIGNALS[round % 3];
        let run = start(&mut desk.command(&arguments));
        thread::sleep(whole.mul_f64(random.gen_range(0.05..1.1)));
        // The second is not needed, and does no harm when it comes while the first is at work.
        for _ in 0..=round % 4 / 3 {
            let _ = kill_process(Pid::from_child(&run), signal);
        }
        let run = ended(run);
        let now = state(&desk);
        match run.code {
            Some(0) => assert_eq!(now, new, "round {round}"),
            Some(said) => {
                stopped += 1;
                assert_eq!(said, code, "round {round}: {}", run.stderr);
                assert!(now == old || now == new, "round {round}: some are new: {}", run.stderr);
                if round % 4 != 3 {
                    let words =
                        if now == old { "interrupted; nothing was written" } else { "interrupted; complete are x" };
                    assert!(run.stderr.contains(words), "round {round}: {}", run.stderr);
                    assert!(!run.stderr.contains("error"), "round {round}: {}", run.stderr);
                    clean(&desk, &format!("round {round}"));
                }
            }
            // Before it hears signals there is nothing to be cleaned up.
            None => assert!(now == old && run.stderr.is_empty(), "round {round}: {}", run.stderr),
        }
        whole = whole.mul_f64(if run.code == Some(0) { 0.8 } else { 1.1 });
        desk.compose(&["cache", "verify"]).ok();
        desk.compose(&arguments).ok();
        assert_eq!(state(&desk), new, "round {round}");
        clean(&desk, &format!("round {round}, again"));
        desk.manifest(&older);
        desk.compose(&arguments).ok();
    }
    assert!(stopped > 4, "only {stopped} of 24 runs were stopped");
}

/// The arguments of a build, perhaps without the cache, and so without knowing which folder compose wrote.
fn after_losing_the_cache(desk: &Desk, is_lost: bool) -> Vec<&'static str> {
    if !is_lost {
        return arguments(&[]);
    }
    fs::remove_dir_all(desk.path("cache")).unwrap();
    arguments(&["--force"])
}

#[test]
fn killed_outright_each_output_is_old_or_new() {
    let served = served();
    let desk = Desk::new(&served, ALL, "");
    let Ages { older, newer, old, new, mut whole } = ages(&desk);
    let mut random = rand::rngs::StdRng::seed_from_u64(6);
    let mut killed = 0;
    for round in 0..20 {
        let arguments = after_losing_the_cache(&desk, round % 3 == 0);
        desk.manifest(&newer);
        killed += usize::from(desk.killed(&arguments, &mut whole, random.gen_range(0.1..1.1)));
        for (now, either) in state(&desk).iter().zip(old.iter().zip(&new)) {
            assert!(now == either.0 || now == either.1, "round {round}: half an output");
        }
        desk.compose(&["cache", "verify"]).ok();
        desk.compose(&arguments).ok();
        assert_eq!(state(&desk), new, "round {round}");
        clean(&desk, &format!("round {round}"));
        desk.manifest(&older);
        desk.compose(&arguments).ok();
        assert_eq!(state(&desk), old, "round {round}");
    }
    assert!(killed > 4, "only {killed} of 20 runs were killed before they were done");
}

/// pip is a program of this machine, here one that never ends.
#[test]
fn a_signal_ends_the_programs_that_it_has_started_too() {
    let served = python::served();
    let desk = python::desk(&served, "lock = \"requirements.txt\"", &[]);
    fs::write(desk.path("requirements.txt"), format!("greeter==1.0 --hash=sha256:{}\n", "0".repeat(64))).unwrap();
    fs::create_dir(desk.path("bin")).unwrap();
    let (pip, pids) = (desk.path("bin/pip"), desk.path("pids"));
    // It starts another one, and leaves files where it is told to.
    let script = format!(
        "#!/bin/sh\ntouch \"$TMPDIR/left\" left\nsleep 600 &\necho $$ $! > {0}.part\nmv {0}.part {0}\nwait\n",
        pids.display()
    );
    fs::write(&pip, script).unwrap();
    fs::set_permissions(&pip, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = desk.command(&["demo.toml", "-o", "x.tar"]);
    let path = format!("{}:/usr/bin:/bin", desk.path("bin").display());
    let run = start(command.env("PATH", path));
    until("pip runs", || pids.exists());
    let started = fs::read_to_string(&pids).unwrap();
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    let run = ended(run);
    assert_eq!(run.code, Some(143), "{}", run.stderr);
    for number in started.split_whitespace() {
        let pid = Pid::from_raw(number.parse().unwrap()).unwrap();
        // A zombie that nobody has waited for yet is as good as gone.
        let is_gone = || {
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            test_kill_process(pid).is_err() || stat.contains(") Z ")
        };
        until(&format!("process {number} is gone"), is_gone);
    }
    clean(&desk, "pip");
}

/// Two builds share a cold store, a third is killed at it again and again, the cache is tidied all the while: each package
/// is fetched once by those that live, and all is right.
#[test]
fn others_at_work_are_not_disturbed_by_one_that_is_killed() {
    // One state of the suite: they share what was accepted last, too.
    let archive = Archive::new(packages());
    let (served, other) = (archive.serve(), archive.serve());
    let cache = tempfile::tempdir().unwrap();
    let desks = [Desk::new(&served, ALL, ""), Desk::new(&served, "install = [\"two\"]", "")];
    let victim = Desk::new(&other, ALL, "");
    let with = |desk: &Desk, args: &[&str]| {
        let mut command = desk.command(args);
        command.env("COMPOSE_CACHE", cache.path());
        command
    };
    let victims = Mutex::new(0);
    let mut random = rand::rngs::StdRng::seed_from_u64(8);
    thread::scope(|scope| {
        let runs: Vec<Child> = desks.iter().map(|desk| start(&mut with(desk, &arguments(&[])))).collect();
        scope.spawn(|| {
            for _ in 0..6 {
                let mut child = start(&mut with(&victim, &arguments(&[])));
                thread::sleep(Duration::from_millis(random.gen_range(5..120)));
                child.kill().unwrap();
                *victims.lock().unwrap() += usize::from(!child.wait().unwrap().success());
                ended(start(&mut with(&victim, &["cache", "gc", "--limit", "100 MB"]))).ok();
            }
        });
        for run in runs {
            ended(run).ok();
        }
    });
    assert!(*victims.lock().unwrap() > 0);
    let fetched: Vec<String> = served.requests().into_iter().filter(|path| path.starts_with("pool/")).collect();
    let once: BTreeSet<&String> = fetched.iter().collect();
    assert_eq!(once.len(), fetched.len(), "{fetched:?}");
    ended(start(&mut with(&victim, &["cache", "verify"]))).ok();
    for desk in &desks {
        let together = state(desk);
        desk.compose(&arguments(&["--locked", "--force"])).ok();
        assert_eq!(state(desk), together, "alone, with a store of its own");
    }
}

#[test]
fn pipes_that_nobody_reads_and_full_devices_are_told() {
    let served = served();
    let desk = Desk::new(&served, ALL, "");
    let shell = |script: &str| {
        let compose = desk.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(compose.get_program()).current_dir(desk.dir.path()).env_clear();
        command.envs(compose.get_envs().filter_map(|(key, value)| Some((key, value?))));
        desk.run(&mut command)
    };
    desk.compose(&arguments(&[])).ok();
    let wanted = state(&desk);
    for (script, code, words) in [
        ("exec \"$1\" demo.toml -o x.tar >/dev/full", 8, "cannot write to standard output: No space left on device"),
        ("exec \"$1\" demo.toml -o x.tar 2>/dev/full", 0, ""),
        ("exec \"$1\" demo.toml -o x.tar >&- 2>&-", 0, ""),
        ("exec \"$1\" demo.toml -o x.tar <&-", 0, ""),
        ("\"$1\" demo.toml -o x.tar | true", 0, ""),
        ("ulimit -n 64; exec \"$1\" demo.toml -o x.tar -j 16", 0, ""),
        ("rm -r cache; ulimit -n 64; exec \"$1\" demo.toml -o x.tar -j 16", 0, ""),
        ("unset HOME TMPDIR; exec \"$1\" demo.toml -o x.tar", 0, ""),
        ("TMPDIR=/nowhere exec \"$1\" demo.toml -o x.tar", 0, ""),
        ("unset HOME COMPOSE_CACHE; exec \"$1\" demo.toml -o x.tar", 2, "no place for the cache: set COMPOSE_CACHE"),
        ("COMPOSE_CACHE=$PWD/demo.toml exec \"$1\" demo.toml -o x.tar", 8, "demo.toml/debs: Not a directory"),
        ("COMPOSE_CACHE=/proc/1/cache exec \"$1\" demo.toml -o x.tar", 8, "cannot create /proc/1/cache"),
        ("d=$PWD; mkdir gone; cd gone; rmdir ../gone; exec \"$1\" $d/demo.toml -o x.tar", 8, "x.tar"),
        // 1 KiB (512 bytes a block): below what any of the files has.
        ("ulimit -f 2; exec \"$1\" demo.toml -o x.tar", 8, "no room for x.tar: it needs up to "),
        ("rm -r cache; ulimit -f 40; exec \"$1\" demo.toml -o x.tar", 8, "bytes"),
    ] {
        let run = shell(script);
        assert_eq!(run.code, Some(code), "{script}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{script}: {}", run.stderr);
        assert_eq!(state(&desk), wanted, "{script}");
        clean(&desk, script);
    }
}

/// As root with a user namespace of its own, in which file systems can be mounted; `None` where that is not permitted.
fn mounted(desk: &Desk, script: &str) -> Option<Run> {
    let may = tool("unshare").is_some_and(|_| {
        let mut probe = Command::new("unshare");
        probe.args(["-rm", "sh", "-c", "mount -t tmpfs t /mnt"]).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    });
    if !may {
        eprintln!("skipped: no user namespaces with mounts here");
        return None;
    }
    let compose = desk.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(compose.get_program()).current_dir(desk.dir.path()).env_clear();
    command.envs(compose.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Some(desk.run(&mut command))
}

/// Everything that is written, on a disk of each of many sizes: what there is no room for is told, nothing half is left,
/// and with room the next run goes on.
#[test]
fn a_full_disk_is_told_and_leaves_what_was_there() {
    let served = served();
    let desk = Desk::new(&served, ALL, "");
    desk.compose(&arguments(&[])).ok();
    let wanted = Sha256::of(&fs::read(desk.path("x.tar")).unwrap());
    // What is mounted where, what is run, the sizes in KiB.
    let cold: Vec<u32> = (0..16).map(|n| 12 + n * 120).collect();
    let out: Vec<u32> = (0..8).map(|n| 12 + n * 160).collect();
    let tables: [(&str, &str, &[u32]); 6] = [
        ("disk", "COMPOSE_CACHE=$PWD/disk/cache \"$1\" demo.toml --locked -o x.tar", &cold),
        ("disk", "COMPOSE_CACHE=$PWD/disk/cache \"$1\" demo.toml --update -o x.tar", &cold[..6]),
        ("disk", "\"$1\" demo.toml -o disk/x.tar", &out),
        ("disk", "\"$1\" demo.toml -o disk/rootfs/ -o disk/x.oci.tar", &out),
        ("disk", "\"$1\" demo.toml -o oci:disk/layout", &out),
        ("snapshots", "\"$1\" demo.toml --update -o x.tar", &[4]),
    ];
    fs::create_dir(desk.path("disk")).unwrap();
    let (mut full, mut fine) = (0, 0);
    for (place, command, sizes) in tables {
        for size in sizes {
            let script = format!(
                "mount -t tmpfs -o size={size}k disk {place} || exit 99\n{}echo old > {place}/mine\n\
                 {command}; echo \"code $?\"\nls -A {place}; ls -A {place}/cache/tmp 2>/dev/null; cat {place}/mine\n\
                 mount -o remount,size=64m {place}\n{command} >/dev/null 2>again || cat again >&2; echo \"then $?\"",
                // A lock that fills its folder.
                if place == "snapshots" { "head -c 4096 /dev/zero > snapshots/full\n" } else { "" },
            )
            .replace("mount -o remount,size=64m snapshots", "rm snapshots/full; mount -o remount,size=64m snapshots");
            let Some(run) = mounted(&desk, &script) else { return };
            let what = format!("{command}, {size} KiB: {}{}", run.stdout, run.stderr);
            let is_left = |line: &str| line.starts_with(".tmp") || line.starts_with(".compose-tmp-");
            assert!(!what.contains("panicked") && !run.stdout.lines().any(is_left), "{what}");
            assert!(run.stdout.contains("then 0"), "{what}");
            if run.stdout.contains("code 0") {
                fine += 1;
                continue;
            }
            full += 1;
            assert!(run.stdout.contains("code 8"), "{what}");
            assert!(run.stderr.contains(place), "the path: {what}");
            let says = run.stderr.contains("bytes") || run.stderr.contains("free some space");
            assert!(says, "{what}");
            for name in ["x.tar\n", "rootfs\n", "x.oci.tar\n", "layout\n"] {
                assert!(place == "snapshots" || !run.stdout.contains(name), "{name}: {what}");
            }
        }
    }
    assert_eq!(Sha256::of(&fs::read(desk.path("x.tar")).unwrap()), wanted);
    eprintln!("{full} disks were full, {fine} were not");
    assert!(full > 20 && fine > 4, "{full} were full, {fine} were not");
}

/// Really, and not as root sees modes.
#[test]
fn a_cache_on_a_disk_that_is_read_only_serves_what_it_has() {
    let served = served();
    let desk = Desk::new(&served, ALL, "");
    desk.compose(&arguments(&[])).ok();
    let wanted = state(&desk);
    let script = |command: &str| {
        format!("mount --bind cache cache && mount -o remount,bind,ro cache || exit 99\nexec \"$1\" {command}")
    };
    let all = format!("demo.toml --locked --offline {}", OUTPUTS.map(|name| format!("-o {name}")).join(" "));
    let Some(run) = mounted(&desk, &script(&all)) else { return };
    run.ok();
    assert_eq!(state(&desk), wanted);
    for command in ["cache info", "cache verify", "why demo.toml one"] {
        mounted(&desk, &script(command)).unwrap().ok();
    }
    // What it lacks has no place.
    for command in ["demo.toml --locked -o y.tar.zst", "demo.toml --update -o y.tar", "cache gc --limit 0"] {
        let run = mounted(&desk, &script(command)).unwrap();
        if command.contains("--update") && run.code == Some(0) {
            continue;
        }
        assert_eq!(run.code, Some(8), "{command}: {}", run.stderr);
        assert!(run.stderr.to_lowercase().contains("read-only file"), "{command}: {}", run.stderr);
        assert!(
            run.stderr.contains("set COMPOSE_CACHE to a folder that you may write to"),
            "{command}: {}",
            run.stderr
        );
    }
}
