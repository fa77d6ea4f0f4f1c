//! `compose run`: composes a manifest and runs it.
//!
//! In: arguments. Out: the program's exit code; or a message and 125, 126 or 127, as of `docker run`.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IsTerminal as _},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use clap::{
    Args, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGCHLD, SIGCONT, SIGHUP, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH},
    flag,
    low_level::emulate_default_handler,
};

use super::{
    args::{Report, ResolveArgs},
    build,
    desk::Desk,
    environment,
    exit::{DONE, Failure, NOT_RUN},
    progress::Shown,
    report, signals, tell,
};
use crate::{
    base::{Arch, RootPath, live, refusal},
    image::PATH,
    manifest::Manifest,
    run::{Bundle, Config, Network, RunError, Running, User, Volume, check_machine},
    tree::Tree,
};

/// What its help says after the options.
pub const AFTER: &str = "\
Examples:
  compose run python3.toml -- -c 'print(1)'      arguments in place of the image's cmd
  compose run web.toml --network host -e PORT=8000 -v data:/data:ro
  compose run web.toml --entrypoint /usr/bin/python3

Exit codes: the program's, or 128 and the number of the signal that ended it. 127 if the
image has no such program, 126 if it cannot be executed, 125 if compose refuses anything
else, always with an error[E…] on standard error; interrupted before the program begins
130, 143 or 129.

The program is process 1, as in a container: it hears only signals that it handles.
Ctrl-C, SIGTERM, SIGHUP and others go to it. Of those that it does not handle the third
kills it; after SIGTERM it has 10 seconds, as with docker stop. Ctrl-Z stops it. It has
the terminal, and is not controlled by it: /dev/tty does not open.

Without root the image's user is the one who runs compose, and all files are that
user's; its other groups are then still there, for what --volume names.";

/// How long a program may take that was asked to end, as `docker stop` has it.
const GRACE: Duration = Duration::from_secs(10);

/// Passed on beside those that end a run.
const MORE: [i32; 6] = [SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT];

/// A program to be run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// What and from where.
    #[command(flatten)]
    pub resolve: ResolveArgs,
    /// Arguments for the entrypoint in place of the image's cmd; without an entrypoint the program and its arguments
    #[arg(last = true)]
    pub args: Vec<OsString>,
    /// Run this program of the image in place of its entrypoint and cmd; "" for ARGS alone
    #[arg(long, value_name = "PATH")]
    pub entrypoint: Option<OsString>,
    /// Add a variable to the image's environment; repeatable
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = OsStringValueParser::new().try_map(variable))]
    pub env: Vec<(OsString, OsString)>,
    /// Show the program a file or folder of this machine, :ro to be read only; repeatable
    #[arg(short, long, value_name = "HOST:PATH[:ro]", value_parser = OsStringValueParser::new().try_map(volume))]
    pub volume: Vec<Volume>,
    /// The program's network: none but loopback, or this machine's
    #[arg(long, value_name = "NETWORK", default_value = "none")]
    pub network: NetworkArg,
    /// Fail if the lock is missing or stale, or if the image differs from it
    #[arg(long, conflicts_with = "update")]
    pub locked: bool,
    /// Resolve anew even if the lock is good
    #[arg(long)]
    pub update: bool,
}

/// A program's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// Loopback alone.
    None,
    /// This machine's.
    Host,
}

/// `KEY=VALUE`. Whether it may stand in an environment the kernel does not ask; a zero byte no argument has.
fn variable(text: OsString) -> Result<(OsString, OsString), String> {
    match split(&text, text.as_bytes().iter().position(|byte| *byte == b'=')) {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write KEY=VALUE".into()),
    }
}

/// `HOST:PATH[:ro]`; what is before the colon may be relative to where one is.
fn volume(text: OsString) -> Result<Volume, String> {
    let bytes = text.as_bytes();
    let (bytes, read_only) = match bytes.strip_suffix(b":ro") {
        Some(rest) => (rest, true),
        None => (bytes.strip_suffix(b":rw").unwrap_or(bytes), false),
    };
    let colon = bytes.iter().rposition(|byte| *byte == b':');
    let (host, inside) = split(OsStr::from_bytes(bytes), colon)
        .filter(|(host, _)| !host.is_empty())
        .ok_or("write HOST:PATH or HOST:PATH:ro")?;
    let shown = inside.display();
    let path = RootPath::parse(inside.as_bytes()).map_err(|error| format!("“{shown}”: {error}"))?;
    if !inside.as_bytes().starts_with(b"/") || path.is_root() {
        return Err(format!("“{shown}” is no place in an image: it must begin with /, and be below it"));
    }
    Ok(Volume { host: host.into(), inside: inside.into(), read_only })
}

/// What is before and after a byte.
fn split(text: &OsStr, at: Option<usize>) -> Option<(&OsStr, &OsStr)> {
    let (before, after) = text.as_bytes().split_at_checked(at?)?;
    Some((OsStr::from_bytes(before), OsStr::from_bytes(after.get(1..)?)))
}

/// What is wrong with the arguments.
pub fn usage(error: &clap::Error) -> u8 {
    match super::usage::usage(error) {
        DONE => DONE,
        _ => NOT_RUN,
    }
}

/// Runs the command.
pub fn run(args: &RunArgs) -> u8 {
    let done = program(args);
    // What an interruption has taken away is no other failure.
    live::go_on();
    done.unwrap_or_else(|failure| {
        tell(&failure.human());
        // What others end with would be taken for the program's.
        failure.refusal.exit.max(NOT_RUN)
    })
}

fn program(args: &RunArgs) -> Result<u8, Failure> {
    let mut desk = Desk::open(&args.resolve)?;
    desk.shown = Shown::bars();
    let arch = arch(&desk)?;
    check_machine(arch)?;
    // Of an image that has no program nothing needs to be fetched.
    let argv = argv(args, &desk.manifest)?;
    let (lock, solved) = build::locked_or_solved(&desk, args.locked, args.update)?;
    let assembled = build::assembled(&desk, &lock, arch, build::epoch(&lock)?, &[])?;
    build::passed(&desk, &[(arch, &assembled.findings)], Report::Human)?;
    build::as_locked(&desk, &lock, arch, &assembled, args.locked)?;
    if solved {
        lock.write(&desk.lock_path)?;
    }
    let config = config(args, &desk, &assembled.tree, argv)?;
    let bundle = Bundle::new(&assembled.tree, &config, &desk.store, &desk.shown)?;
    drop(assembled);
    desk.shown.clear();
    let (code, notes) = started(&bundle)?;
    notes.iter().for_each(|note| tell(&format!("note: {note}")));
    Ok(code)
}

/// The architecture asked for; of several this machine's.
fn arch(desk: &Desk) -> Result<Arch, Failure> {
    match (&desk.archs[..], Arch::host()) {
        ([arch], _) => Ok(*arch),
        (archs, Some(host)) if archs.contains(&host) => Ok(host),
        _ => {
            let text = "the manifest has several architectures, and none is this machine's; choose one with --arch";
            Err(Failure::words(refusal::SEVERAL_ARCHS, text))
        }
    }
}

/// Entrypoint and arguments (OCI image specification, config.md: `Entrypoint`, `Cmd`).
fn argv(args: &RunArgs, manifest: &Manifest) -> Result<Vec<OsString>, RunError> {
    let image = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let (mut argv, cmd) = match &args.entrypoint {
        Some(program) if program.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (image(&manifest.image.entrypoint), image(&manifest.image.cmd)),
    };
    argv.extend(if args.args.is_empty() { cmd } else { args.args.clone() });
    if argv.first().is_none_or(|program| program.is_empty()) { Err(RunError::NoProgram) } else { Ok(argv) }
}

fn config(args: &RunArgs, desk: &Desk, tree: &Tree, argv: Vec<OsString>) -> Result<Config, Failure> {
    let Manifest { name, image, .. } = &desk.manifest;
    let passwd = tree.read(&RootPath::literal("etc/passwd")).ok().flatten().unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd);
    let (user, home) = who(report::run_as(&desk.manifest, tree)?.as_deref(), &passwd)?;
    let mut env = BTreeMap::from([("PATH".into(), PATH.into()), ("HOME".into(), home.into())]);
    if (io::stdin().is_terminal() || io::stdout().is_terminal())
        && let Some(term) = environment::TERM.filled()
    {
        env.insert("TERM".into(), term);
    }
    env.extend(image.env.iter().map(|(key, value)| (key.into(), value.into())));
    env.extend(args.env.iter().cloned());
    let here = env::current_dir().map_err(|error| Failure::new(refusal::TARGET_UNREADABLE, error))?;
    let volumes = args.volume.iter().map(|volume| Volume { host: here.join(&volume.host), ..volume.clone() });
    Ok(Config {
        argv,
        env,
        workdir: PathBuf::from(image.workdir.as_deref().unwrap_or("/")),
        user,
        hostname: hostname(name),
        network: match args.network {
            NetworkArg::None => Network::None,
            NetworkArg::Host => Network::Host,
        },
        volumes: volumes.collect(),
        writable: image.volumes.iter().map(PathBuf::from).collect(),
    })
}

/// The numbers of OCI's `User`, root's without one, and the home directory; group and home are those of `passwd` where it has
/// the user.
fn who(user: Option<&str>, passwd: &str) -> Result<(User, String), Failure> {
    let bad =
        |text: &str| Failure::words(refusal::NO_SUCH_USER, format!("accounts.run-as: “{text}” is no number of a user"));
    let (uid, gid) =
        user.unwrap_or("0").split_once(':').map_or((user.unwrap_or("0"), None), |(uid, gid)| (uid, Some(gid)));
    let number = |text: &str| text.parse::<u32>().ok().filter(|id| *id != u32::MAX).ok_or_else(|| bad(text));
    let uid = number(uid)?;
    let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut own = lines.filter(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid));
    let own = own.next().unwrap_or_default();
    let gid = match gid.or(own.get(3).copied()) {
        Some(gid) => number(gid)?,
        None => 0,
    };
    let home = own.get(5).filter(|home| !home.is_empty()).map_or("/", |home| home);
    Ok((User { uid, gid }, home.to_owned()))
}

/// The image's name as that of a host (hostname(7)).
fn hostname(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(fit).take(63).collect();
    match name.trim_matches('-') {
        "" => "image".into(),
        name => name.into(),
    }
}

/// Starts the program, passes signals on to it, and waits for it.
fn started(bundle: &Bundle) -> Result<(u8, Vec<String>), RunError> {
    // Who is waited for must not be reaped by the kernel, as it would be where SIGCHLD is ignored.
    let _ = flag::register(SIGCHLD, Arc::<AtomicBool>::default());
    let pid: Arc<Mutex<Option<Pid>>> = Arc::default();
    let has_terminal = terminal();
    let heir = Arc::clone(&pid);
    let running = {
        // Whatever comes meanwhile waits for it.
        let mut pid = pid.lock().unwrap_or_else(PoisonError::into_inner);
        signals::hand_over(&MORE, move |signal| pass_on(&heir, signal, has_terminal));
        let running = bundle.start()?;
        *pid = running.pid();
        running
    };
    let ended = running.wait();
    *pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
    ended
}

/// Whether there is a terminal that signals this process.
fn terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

fn pass_on(pid: &Arc<Mutex<Option<Pid>>>, signal: i32, had_terminal: bool) {
    send(pid, Signal::from_named_raw(signal));
    // A terminal that has gone takes with it who is at it.
    if signal == SIGTERM || signal == SIGHUP && had_terminal && !terminal() {
        let pid = Arc::clone(pid);
        let kill = move || {
            thread::sleep(GRACE);
            send(&pid, Some(Running::KILL));
        };
        // Without a thread it is asked, and no more.
        let _ = thread::Builder::new().name("grace".into()).spawn(kill);
    }
    if signal == SIGTSTP {
        // As the shell expects that asked for it. It goes on here.
        let _ = emulate_default_handler(signal);
    }
}

fn send(pid: &Mutex<Option<Pid>>, signal: Option<Signal>) {
    // Held, so that it is not waited for meanwhile and its number given to another.
    let pid = pid.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((pid, signal)) = pid.zip(signal) {
        // It may have ended.
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn volumes_and_variables_as_typed() {
        let good = |text: &str| volume(text.into()).map(|v| (v.host, v.inside, v.read_only));
        let rows =
            [("a:/b", "a", "/b", false), ("/x/y:/b/c:ro", "/x/y", "/b/c", true), ("a:b:/c:rw", "a:b", "/c", false)];
        for (text, host, inside, read_only) in rows {
            assert_eq!(good(text), Ok((host.into(), inside.into(), read_only)), "{text}");
        }
        for bad in ["", "a", ":/b", "a:b", "a:/", "a:/..", "a:", "a:/b:ro:"] {
            assert!(volume(bad.into()).is_err(), "{bad}");
        }
        assert_eq!(variable("A=b=c".into()), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A=".into()), Ok(("A".into(), "".into())));
        assert!(variable("A".into()).is_err() && variable("=b".into()).is_err());
    }

    #[test]
    fn a_user_has_the_group_and_home_of_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:7:8::/srv/app:\n";
        let rows = [
            (None, (0, 0, "/root")),
            (Some("7"), (7, 8, "/srv/app")),
            (Some("7:9"), (7, 9, "/srv/app")),
            (Some("65532:65532"), (65532, 65532, "/")),
            (Some("5"), (5, 0, "/")),
        ];
        for (user, (uid, gid, home)) in rows {
            assert_eq!(who(user, passwd).unwrap(), (User { uid, gid }, home.to_owned()), "{user:?}");
        }
        assert!(who(Some("4294967295"), "").is_err() && who(Some("x"), "").is_err());
    }

    #[test]
    fn a_host_is_called_like_the_image() {
        for (name, host) in [("python3.14", "python3-14"), ("web", "web"), ("-", "image"), ("_a_", "a")] {
            assert_eq!(hostname(name), host);
        }
        assert_eq!(hostname(&"x".repeat(99)).len(), 63);
    }
}
