//! `compose run` on the real binary: a shell of this machine, with its C library, in a small archive on loopback, run in
//! namespaces as root and as an ordinary user. What this machine cannot try is said to be skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use compose::base::Arch;
use rustix::process::{Pid, Signal, kill_process};
use support::{Archive, Desk, Run, Served, is_ignored, pkg, tool};

/// Who runs compose where root runs the tests.
const OTHER: u32 = 65533;

/// What an image needs that has a shell; its files are this machine's.
const IMAGE: &str = "
[accounts]
users = [{ name = \"app\", uid = 7777, home = \"/home/app\" }]
run-as = \"app\"

[image]
entrypoint = [\"/usr/bin/sh\", \"-c\"]
cmd = [\"exit 7\"]
workdir = \"/home/app\"
env = { LANG = \"C.UTF-8\" }
volumes = [\"/var/data\"]
";

struct Place {
    served: Served,
    desk: Desk,
    /// Whether another user than root runs it.
    is_other: bool,
}

/// A place for root, if that is who this is, and one for an ordinary user.
fn places(rest: &str) -> Vec<Place> {
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    let libc = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    let Some(shell) = tool("dash").filter(|_| Arch::host() == Some(Arch::Amd64) && loader.exists() && libc.exists())
    else {
        eprintln!("skipped: this machine has no dash for amd64 with Debian's C library");
        return Vec::new();
    };
    let is_root = rustix::process::geteuid().is_root();
    let who: &[bool] = if is_root { &[false, true] } else { &[true] };
    let mut places = Vec::new();
    for &is_other in who {
        let sh = pkg("sh", "1")
            .dir("usr", 0o755)
            .dir("usr/bin", 0o755)
            .file("usr/bin/sh", 0o755, fs::read(&shell).unwrap())
            .file("usr/bin/data", 0o644, "x")
            .file("usr/bin/script", 0o755, "#!/usr/bin/none\n")
            .file("usr/bin/text", 0o755, "no program\n")
            .dir("usr/lib64", 0o755)
            .link("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
            .dir("usr/lib", 0o755)
            .dir("usr/lib/x86_64-linux-gnu", 0o755)
            .file("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", 0o755, fs::read(loader).unwrap())
            .file("usr/lib/x86_64-linux-gnu/libc.so.6", 0o755, fs::read(libc).unwrap())
            .dir("usr/closed", 0o555)
            .file("usr/closed/file", 0o444, "x");
        let served = Archive::new(vec![sh]).serve();
        let desk = Desk::new(&served, "install = [\"sh\"]", rest);
        let place = Place { served, desk, is_other };
        if is_root && is_other {
            fs::create_dir(place.desk.path("cache")).unwrap();
            place.own();
            let version = place.command(&["--version"]).output();
            if !version.is_ok_and(|output| output.status.success()) {
                eprintln!("skipped: no setpriv, or another user cannot reach this binary");
                continue;
            }
        }
        if !place.is_possible() {
            continue;
        }
        // What the first run says of fetching is not of interest.
        place.command(&["lock", "demo.toml"]).output().unwrap();
        places.push(place);
    }
    places
}

impl Place {
    /// Gives all that is there to who runs it.
    fn own(&self) {
        let mut todo = vec![self.desk.dir.path().to_path_buf()];
        while let Some(path) = todo.pop() {
            std::os::unix::fs::lchown(&path, Some(OTHER), Some(OTHER)).unwrap();
            if path.is_dir() && !path.is_symlink() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    /// Whether an ordinary user may make namespaces here, as util-linux finds.
    fn is_possible(&self) -> bool {
        let mut command = self.wrapped("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "true"]);
        let is_possible = !self.is_other || command.output().is_ok_and(|output| output.status.success());
        if !is_possible {
            eprintln!("skipped: no user namespaces for an ordinary user");
        }
        is_possible
    }

    fn wrapped(&self, program: &str) -> Command {
        let mut command = if self.is_other && rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            let id = OTHER.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.desk.dir.path()).env_clear().env("COMPOSE_CACHE", self.desk.path("cache"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("NO_COLOR", "1").env("HOME", self.desk.path("home"));
        command.env("SECRET", "outside");
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.wrapped(env!("CARGO_BIN_EXE_compose"));
        command.args(args);
        command
    }

    /// Runs a script in the image, and looks that nothing is left.
    #[track_caller]
    fn sh(&self, options: &[&str], script: &str) -> Run {
        let args = [&["run", "demo.toml"], options, &["--", script]].concat();
        let run = self.desk.run(&mut self.command(&args));
        self.is_clean();
        run
    }

    #[track_caller]
    fn is_clean(&self) {
        let left: Vec<_> =
            fs::read_dir(self.desk.path("cache/tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.desk.left(), ["snapshots"]);
    }

    /// Starts a script, and comes back when it has said “ready”.
    #[track_caller]
    fn started(&self, script: &str) -> (Child, BufReader<ChildStdout>, ChildStdin) {
        let mut command = self.command(&["run", "demo.toml", "--", script]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{line}{said}");
        }
        // Waiting for the child would close it.
        let stdin = child.stdin.take().unwrap();
        (child, out, stdin)
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_program_is_who_and_where_the_image_says() {
    for place in places(IMAGE) {
        let script = r#"
            echo "pid $$ in $PWD"
            while read key value; do
                case $key in
                    Uid:|Gid:|Groups:|NoNewPrivs:|Cap*) echo "$key" $value ;;
                esac
            done </proc/self/status
            export -p
            echo /proc/[0-9]*
            read name </proc/sys/kernel/hostname; echo "host $name"
            while read line; do echo "hosts $line"; done </etc/hosts
            echo dev /dev/*
        "#;
        let run = place.sh(&["-e", "MORE=a=b", "--env", "LANG=C"], script).ok();
        assert_eq!(run.stderr, "", "nothing but the program's");
        // Groups cannot be left by who is nobody special; this one had none.
        insta::allow_duplicates! { insta::assert_snapshot!("inside", run.stdout) };
    }
}

#[test]
fn the_root_is_read_only_and_memory_is_not() {
    for place in places(IMAGE) {
        let script = r#"
            may() { (: >"$1/new") 2>/dev/null && echo "may write in $1" || echo "may not write in $1"; }
            for dir in / /usr /etc /home/app /dev /proc/sys/kernel /tmp /run /dev/shm /var/data; do may $dir; done
            echo x >/dev/null && [ -c /dev/zero ] && [ -c /dev/urandom ] && echo devices
            (: </dev/tty) 2>/dev/null || echo no terminal
            while read -r line; do case $line in *" / / "*) set -- $line; echo "root $6" ;; esac; done </proc/self/mountinfo
        "#;
        let run = place.sh(&[], script).ok();
        let may = ["/tmp", "/run", "/dev/shm", "/var/data"];
        for dir in
            ["/", "/usr", "/etc", "/home/app", "/dev", "/proc/sys/kernel", "/tmp", "/run", "/dev/shm", "/var/data"]
        {
            // Of an ordinary user every file is, so that it may write where the image's user as root runs it may not.
            if dir == "/var/data" && !place.is_other {
                continue;
            }
            let not = if may.contains(&dir) { "may" } else { "may not" };
            assert!(run.stdout.contains(&format!("{not} write in {dir}\n")), "{dir}: {}", run.stdout);
        }
        assert!(run.stdout.contains("devices\nno terminal\n"), "{}", run.stdout);
    }
}

#[test]
fn loopback_is_all_the_network_unless_the_machines_is_asked_for() {
    let script = r#"
        while read -r name rest; do case $name in *:) echo "device $name" ;; esac; done </proc/net/dev
        while read -r line; do case $line in *127.0.0.1*) echo up ;; esac; done </proc/net/fib_trie
    "#;
    for place in places(IMAGE) {
        let run = place.sh(&[], script).ok();
        assert!(
            run.stdout.starts_with("device lo:\nup\n") && run.stdout.matches("device").count() == 1,
            "{}",
            run.stdout
        );
        let machines = fs::read_to_string("/proc/net/dev").unwrap().matches(':').count();
        let run = place.sh(&["--network", "host"], script).ok();
        assert_eq!(run.stdout.matches("device").count(), machines, "{}", run.stdout);
    }
}

#[test]
fn what_the_program_ends_with_is_what_compose_ends_with() {
    for place in places(IMAGE) {
        let run = place.desk.run(&mut place.command(&["run", "demo.toml"]));
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(7), "", ""), "the image's cmd");
        for code in [0, 1, 125, 255] {
            assert_eq!(place.sh(&[], &format!("exit {code}")).code, Some(code));
        }
        // In place of entrypoint and cmd; found in the PATH.
        let run = place.desk.run(&mut place.command(&[
            "run",
            "demo.toml",
            "--entrypoint",
            "sh",
            "--",
            "-c",
            "echo $0 $1; exit 3",
            "a",
            "b c",
        ]));
        assert_eq!((run.code, &*run.stdout), (Some(3), "a b c\n"), "{}", run.stderr);
        let run = place.desk.run(&mut place.command(&[
            "run",
            "demo.toml",
            "--entrypoint",
            "",
            "--",
            "/usr/bin/sh",
            "-c",
            "exit 4",
        ]));
        assert_eq!(run.code, Some(4), "{}", run.stderr);
        place.is_clean();
    }
}

#[test]
fn streams_are_those_of_compose_and_nothing_else_is_open() {
    for place in places(IMAGE) {
        let script = r#"read a; read b; echo "out $a"; echo "err $b" >&2; read c || echo end"#;
        let mut command = place.command(&["run", "demo.toml", "--", script]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"1\n2\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out 1\nend\n"[..], &b"err 2\n"[..]));
        // A directory that whoever starts compose has open would lead out of the root.
        let line = format!(
            "exec 7</; exec \"$0\" run demo.toml -- '{}'",
            "[ -e /proc/self/fd/7 ] || [ -e /proc/self/fd/3 ] || echo closed"
        );
        let run = place.desk.run(place.wrapped("/bin/sh").args(["-c", &line, env!("CARGO_BIN_EXE_compose")]));
        assert_eq!((&*run.stdout, &*run.stderr), ("closed\n", ""));
    }
}

#[test]
fn signals_go_to_the_program() {
    // Traps are looked at between two commands.
    let waiting = "echo ready; read x; exit 1";
    let no_hup = is_ignored(Signal::HUP);
    for place in places(IMAGE) {
        for (signal, name) in
            [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")]
        {
            if name == "HUP" && no_hup {
                continue;
            }
            let (mut child, mut out, _stdin) = place.started(&format!("trap 'echo heard; exit 5' {name}; {waiting}"));
            send(&child, signal);
            let status = child.wait().unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            assert_eq!((status.code(), &*rest), (Some(5), "heard\n"), "{name}");
            place.is_clean();
        }
        // It is process 1: what it does not handle does not reach it, and the third kills it. A shell handles SIGINT.
        if !no_hup {
            let (mut child, _out, _stdin) = place.started(waiting);
            for _ in 0..2 {
                send(&child, Signal::HUP);
                thread::sleep(Duration::from_millis(300));
                assert_eq!(child.try_wait().unwrap(), None);
            }
            send(&child, Signal::HUP);
            assert_eq!(child.wait().unwrap().code(), Some(137));
            place.is_clean();
        }
        // Or time.
        let (mut child, _out, _stdin) = place.started(waiting);
        send(&child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(137));
        place.is_clean();
    }
}

#[test]
fn nothing_lives_on_when_compose_is_killed() {
    for (number, place) in places(IMAGE).into_iter().enumerate() {
        let mark = format!("mark-{}-{number}", std::process::id());
        let (mut child, mut out, _stdin) =
            place.started(&format!(": {mark}; (while :; do read x </dev/zero; done) & echo ready; read x"));
        child.kill().unwrap();
        child.wait().unwrap();
        // Ends when nobody has it open.
        out.read_to_string(&mut String::new()).unwrap();
        let lives = || {
            let all = fs::read_dir("/proc").unwrap().flatten();
            all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
                .any(|line| line.windows(mark.len()).any(|part| part == mark.as_bytes()))
        };
        (0..100).take_while(|_| lives()).for_each(|_| thread::sleep(Duration::from_millis(100)));
        assert!(!lives());
    }
}

#[test]
fn under_a_terminal() {
    for place in places(IMAGE) {
        let Some(script) = tool("script") else { return };
        let inside = "[ -t 0 ] && [ -t 1 ] && echo terminal $TERM; trap \"exit 9\" INT; echo ready; read x; exit 1";
        let line = format!("exec {} run demo.toml -- '{inside}'", env!("CARGO_BIN_EXE_compose"));
        let mut command = place.wrapped(script.to_str().unwrap());
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "vt100").process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("ready") {
            assert!(out.read_line(&mut said).unwrap() > 0, "{said}");
        }
        assert!(said.contains("terminal vt100"), "{said}");
        let mut keys = child.stdin.take().unwrap();
        keys.write_all(b"\x03").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(9), "{said}");
        place.is_clean();
    }
}

#[test]
fn volumes_show_what_they_name() {
    for place in places(IMAGE) {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("file"), "text\n").unwrap();
        for path in [data.path(), &data.path().join("file")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let data = data.path().display();
        let script = r#"
            read line </data/file; echo "folder $line"
            read line </etc/app.conf; echo "file $line"
            (echo no >/etc/app.conf) 2>/dev/null || echo read-only
            (echo no >/data/new) 2>/dev/null || echo read-only
            echo new >/tmp/data/new && echo written
        "#;
        let (ro, file, rw) =
            (format!("{data}:/data:ro"), format!("{data}/file:/etc/app.conf:ro"), format!("{data}:/tmp/data"));
        let run = place.sh(&["-v", &ro, "-v", &file, "--volume", &rw], script).ok();
        assert_eq!(run.stdout, "folder text\nfile text\nread-only\nread-only\nwritten\n", "{}", run.stderr);
        assert_eq!(fs::read_to_string(format!("{data}/new")).unwrap(), "new\n");
    }
}

#[test]
fn refusals() {
    for place in places(IMAGE) {
        if place.is_other && rustix::process::geteuid().is_root() {
            // What is refused to root is refused to all.
            continue;
        }
        let rows: [(&str, i32, &[&str]); 9] = [
            ("not-found", 127, &["--entrypoint", "/usr/bin/python3"]),
            ("not-in-path", 127, &["--entrypoint", "python3"]),
            ("not-executable", 126, &["--entrypoint", "/usr/bin/data"]),
            ("a-directory", 126, &["--entrypoint", "/usr/bin"]),
            ("no-interpreter", 126, &["--entrypoint", "/usr/bin/script"]),
            ("no-format", 126, &["--entrypoint", "/usr/bin/text"]),
            ("no-volume", 125, &["-v", "absent:/data"]),
            ("bad-volume", 125, &["-v", "absent"]),
            ("other-machine", 125, &["--arch", "s390x"]),
        ];
        for (name, code, args) in rows {
            if name == "other-machine" && Path::new("/proc/sys/fs/binfmt_misc/qemu-s390x").exists() {
                eprintln!("skipped: this machine runs programs for s390x");
                continue;
            }
            let args = [&["run", "demo.toml"], args].concat();
            insta::assert_snapshot!(name, place.desk.refused_run(code, &place.served, &mut place.command(&args)));
            place.is_clean();
        }
    }
}

#[test]
fn manifests_that_cannot_be_run() {
    for (name, rest) in [
        ("no-program", ""),
        ("policy", "[image]\nentrypoint = [\"/usr/bin/sh\"]\n[policy]\nforbid = [\"shell\"]\n"),
        ("no-workdir", "[image]\nentrypoint = [\"/usr/bin/sh\"]\nworkdir = \"/usr/bin/sh\"\n"),
    ] {
        for place in places(rest).into_iter().take(1) {
            insta::assert_snapshot!(
                name,
                place.desk.refused_run(125, &place.served, &mut place.command(&["run", "demo.toml"]))
            );
        }
    }
    for place in places(IMAGE).into_iter().take(1) {
        fs::remove_dir_all(place.desk.path("snapshots")).unwrap();
        let mut command = place.command(&["run", "demo.toml", "--locked"]);
        insta::assert_snapshot!("locked-without-lock", place.desk.refused_run(125, &place.served, &mut command));
    }
}

#[test]
fn a_machine_without_user_namespaces_says_why() {
    for place in places(IMAGE) {
        // A namespace in which none may be made, and where there is nobody but root.
        let line = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" run demo.toml";
        let mut command = place.wrapped("unshare");
        command.args(["--user", "--map-root-user", "/bin/sh", "-c", line, env!("CARGO_BIN_EXE_compose")]);
        insta::allow_duplicates! {
            insta::assert_snapshot!("no-namespaces", place.desk.refused_run(125, &place.served, &mut command));
        }
        place.is_clean();
    }
}

#[test]
fn where_proc_is_masked_the_machines_is_shown() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can mask a part of /proc");
        return;
    }
    for place in places(IMAGE).into_iter().filter(|place| place.is_other) {
        let line = "mount -t tmpfs none /proc/fs && exec setpriv --reuid \"$1\" --regid \"$1\" --clear-groups \"$0\" run demo.toml -- \
                    'echo $$; (: >/proc/self/comm) 2>/dev/null || echo read-only'";
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-c", line, env!("CARGO_BIN_EXE_compose"), &OTHER.to_string()]);
        command.current_dir(place.desk.dir.path()).env_clear().env("COMPOSE_CACHE", place.desk.path("cache"));
        let run = place.desk.run(command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")).ok();
        assert_eq!(run.stdout, "1\nread-only\n");
        assert!(run.stderr.starts_with("note: /proc was this machine's"), "{}", run.stderr);
        place.is_clean();
    }
}

/// What is root in a user namespace is not root: there the program gets a namespace of its own, as it does for everybody else.
#[test]
fn root_of_a_user_namespace_is_like_anybody() {
    for place in places(&IMAGE.replace("run-as = \"app\"", "run-as = \"root\"").replace("/home/app\"\nenv", "/\"\nenv"))
    {
        let line = "exec \"$0\" run demo.toml -- 'read -r a b c </proc/self/uid_map; echo $a $c; (: >/x) 2>/dev/null || echo read-only'";
        let mut command = place.wrapped("unshare");
        command.args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c", line, env!("CARGO_BIN_EXE_compose")]);
        let run = place.desk.run(&mut command).ok();
        assert_eq!(run.stdout, "0 1\nread-only\n", "{}", run.stderr);
        place.is_clean();
    }
}

/// Whoever starts compose with signals blocked or a strict umask.
#[test]
fn what_compose_was_started_with_is_not_in_the_way() {
    for place in places(IMAGE) {
        let blocked = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); os.execv(sys.argv[1], sys.argv[1:])";
        let mut command = place.wrapped("timeout");
        let compose = env!("CARGO_BIN_EXE_compose");
        command.args(["--signal=KILL", "60", "python3", "-c", blocked, compose, "run", "demo.toml", "--", "exit 5"]);
        let run = place.desk.run(&mut command);
        match run.code {
            Some(127) => eprintln!("skipped: no python3"),
            code => assert_eq!(code, Some(5), "{}", run.stderr),
        }
        place.is_clean();
        let line = "umask 077; exec \"$0\" run demo.toml -v demo.toml:/new/place/file:ro -- 'read -r x </new/place/file && echo $x'";
        let mut command = place.wrapped("/bin/sh");
        let run = place.desk.run(command.args(["-c", line, compose])).ok();
        assert!(run.stdout.starts_with("name = "), "{}", run.stdout);
        place.is_clean();
    }
}

/// The root stays read-only: nothing is mounted over it, wherever links lead.
#[test]
fn nothing_is_mounted_over_the_root() {
    let link = "[[files]]\npath = \"/top\"\nlink = \"/\"\n";
    for place in places(&format!("{link}{}", IMAGE.replace("/var/data", "/top"))) {
        let run = place.sh(&[], "echo it runs");
        assert_eq!((run.code, run.stdout.as_str()), (Some(125), ""), "{}", run.stderr);
        assert!(run.stderr.contains("E1105") && run.stderr.contains("/top is a link"), "{}", run.stderr);
    }
}

/// A link of the image that leads to nothing is a place like any other, unless it leads to itself.
#[test]
fn places_behind_dangling_links_are_made() {
    let link = |path: &str, to: &str| format!("[[files]]\npath = \"{path}\"\nlink = \"{to}\"\n");
    let links = [
        ("/folder", "/srv/deep/folder"),
        ("/file", "srv/../srv/other/file"),
        ("/a", "b"),
        ("/b", "../../srv/c"),
        ("/round", "round"),
    ];
    let links: String = links.into_iter().map(|(path, to)| link(path, to)).collect();
    for place in places(&format!("{links}{IMAGE}")) {
        fs::write(place.desk.path("key.asc"), "text\n").unwrap();
        let volumes = [".:/folder:ro", "key.asc:/file:ro", "key.asc:/a/below/file:ro"];
        let options: Vec<&str> = volumes.iter().flat_map(|volume| ["-v", volume]).collect();
        let script =
            "cd /srv; for f in deep/folder/key.asc other/file c/below/file; do read -r x <$f; echo $f $x; done";
        let run = place.sh(&options, script).ok();
        assert_eq!(run.stdout, "deep/folder/key.asc text\nother/file text\nc/below/file text\n", "{}", run.stderr);
        let run = place.sh(&["-v", "key.asc:/round/file"], "echo it runs");
        assert_eq!((run.code, run.stdout.as_str()), (Some(125), ""), "{}", run.stderr);
        assert!(run.stderr.contains("E1102") && run.stderr.contains("symbolic link"), "{}", run.stderr);
    }
}

/// Paths of this machine need not be text.
#[test]
fn any_path_will_do() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    for place in places(IMAGE) {
        let name = OsStr::from_bytes(b"odd \xff\n\"'");
        let odd = place.desk.dir.path().join(name);
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join("file"), "text\n").unwrap();
        fs::create_dir(odd.join("cache")).unwrap();
        if place.is_other && rustix::process::geteuid().is_root() {
            place.own();
        }
        let mut volume = odd.as_os_str().to_owned();
        volume.push(":/data:ro");
        let mut command = place.command(&["run", "demo.toml", "-v"]);
        command.arg(volume).args(["--", "read -r x </data/file && echo $x"]).env("COMPOSE_CACHE", odd.join("cache"));
        let run = place.desk.run(&mut command).ok();
        assert_eq!(run.stdout, "text\n", "{}", run.stderr);
    }
}
