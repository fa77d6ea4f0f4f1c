//! The first stage: makes the namespaces, starts the second one as the first process of the new pid namespace, passes
//! signals on to it, and ends as it does.
//!
//! In: the plan. Out: the program's exit code, or [`NOT_RUN`] and a report.
//!
//! It stays outside of the pid namespace, where nothing inside can reach it, and kills what is inside when the caller has
//! died.

use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
};

use nix::sched::CloneFlags;
use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    mount::MountPropagationFlags,
    process::{Pid, Signal},
};
use signal_hook::{
    consts::{SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH},
    iterator::Signals,
};

use super::{
    NOT_RUN, Network,
    bundle::KILL,
    error::Fault,
    inner, loopback, machine,
    plan::{PLAN, Plan, SELF},
    rights, view,
};

/// What this stage is started as.
pub(super) const NAME: &str = "compose: namespaces";

/// What goes to the program, and to its process group as from a terminal.
const TO_ALL: [i32; 4] = [SIGINT, SIGQUIT, SIGWINCH, SIGCONT];
/// What goes to the program alone.
const TO_ONE: [i32; 4] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
/// What is meant to end it. The kernel withholds from the first process of a pid namespace whatever it does not handle
/// (pid_namespaces(7)).
const ENDS: [i32; 4] = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];
/// After how many of these that it does not handle it is killed.
const PATIENCE: u32 = 3;

/// Runs it; `plan` is the plan's path.
pub(super) fn main(plan: &OsStr) -> u8 {
    // What whoever started compose left open is none of the program's business: a directory would lead out of its root.
    close_others();
    // Without a plan there is nobody to tell.
    let Ok((plan, mut report)) = Plan::read(plan) else { return NOT_RUN };
    run(&plan).unwrap_or_else(|fault| {
        report.refuse(&fault);
        NOT_RUN
    })
}

fn run(plan: &Plan) -> Result<u8, Fault> {
    namespaces(plan)?;
    let own = own(&plan.folder).map_err(Fault::root("give compose itself a place that is read-only"))?;
    if plan.network == Network::None {
        loopback::up().map_err(Fault::root("take the loopback device up"))?;
    }
    rustix::system::sethostname(plan.hostname.as_bytes()).map_err(Fault::root("set the host name"))?;
    // Before there is a child, so that its end is heard.
    let heard = [SIGCHLD, SIGALRM, SIGTSTP].into_iter().chain(TO_ALL).chain(TO_ONE);
    let process = |what: &str, error: std::io::Error| {
        Fault::new(crate::base::refusal::RUN_INTERRUPTED, format!("cannot {what}: {error}"))
    };
    let signals = Signals::new(heard).map_err(|error| process("hear signals", error))?;
    let proc = rustix::fs::openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(Fault::root("open /proc"))?;
    let child = Command::new(&own).arg0(inner::NAME).arg(plan.folder.join(PLAN)).spawn();
    let child = child.map_err(|error| process("start the second stage", error))?;
    Ok(Ward { child, proc, caller: plan.caller, unheard: 0 }.watch(signals))
}

fn namespaces(plan: &Plan) -> Result<(), Fault> {
    let refused = |what: &'static str| move |error: Errno| machine::refused(what, error);
    let unshare = |flags| nix::sched::unshare(flags).map_err(|error| Errno::from_raw_os_error(error as i32));
    if plan.user_namespace {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        unshare(CloneFlags::CLONE_NEWUSER).map_err(refused("make a user namespace"))?;
        // One user and one group, which is all that may be had without newuidmap; and no way to leave a group, which could
        // be one that has less than others (user_namespaces(7)).
        let maps = [
            ("/proc/self/setgroups", "deny".to_owned()),
            ("/proc/self/uid_map", format!("{} {uid} 1\n", plan.user.uid)),
            ("/proc/self/gid_map", format!("{} {gid} 1\n", plan.user.gid)),
        ];
        for (file, text) in maps {
            let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
            fs::write(file, text).map_err(errno).map_err(refused("say who is who in a user namespace"))?;
        }
    }
    rights::end_with_parent(KILL);
    let mut flags =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if plan.network == Network::None {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).map_err(refused("make namespaces for mounts, processes and the network"))?;
    if plan.user_namespace {
        // The next stage is no root in there, and has to mount.
        rights::keep_over_exec().map_err(refused("keep rights in a user namespace"))?;
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(refused("keep mounts apart from the machine's"))
}

/// Puts this program where the next stage is executed from: on a mount that is read-only, so that nothing which runs inside
/// can write to it through `/proc/self/exe` (as CVE-2019-5736 of runc). Where another version has taken its place since, a
/// copy.
fn own(folder: &Path) -> rustix::io::Result<PathBuf> {
    let (exe, own) = (Path::new("/proc/self/exe"), folder.join(SELF));
    let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let at = fs::read_link(exe).map_err(errno)?;
    let which = |path: &Path| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    if which(&at) != which(exe) || view::bind_file(&at, &own).is_err() {
        fs::copy(exe, &own).map_err(errno)?;
    }
    Ok(own)
}

/// Closes every descriptor but the first three.
fn close_others() {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // That of the list itself is closed already. Nothing here has one that it would miss.
        let _ = nix::unistd::close(fd);
    }
}

/// The process inside.
struct Ward {
    child: Child,
    /// The machine's, since what is at its place becomes the program's.
    proc: OwnedFd,
    caller: u32,
    unheard: u32,
}

impl Ward {
    /// Passes signals on until it has ended.
    fn watch(mut self, mut signals: Signals) -> u8 {
        loop {
            for signal in signals.wait() {
                match signal {
                    SIGCHLD => match self.child.try_wait() {
                        Ok(None) => {}
                        Ok(Some(status)) => {
                            let ended = status.signal().map(|signal| 128 + signal).or(status.code());
                            return ended.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_RUN);
                        }
                        Err(_) => return NOT_RUN,
                    },
                    SIGALRM => self.send(Signal::KILL, true),
                    // One that cannot be refused, as nothing else stops the first process of a namespace.
                    SIGTSTP => self.send(Signal::STOP, true),
                    other => self.pass(other),
                }
            }
        }
    }

    fn pass(&mut self, signal: i32) {
        let caller = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
        if ENDS.contains(&signal) && !self.hears(signal) {
            self.unheard += 1;
        }
        match Signal::from_named_raw(signal) {
            _ if self.unheard >= PATIENCE || caller != Some(self.caller) => self.send(Signal::KILL, true),
            Some(named) => self.send(named, TO_ALL.contains(&signal)),
            None => {}
        }
    }

    /// To it, and to its process group if `all`, which it leads from early on.
    fn send(&self, signal: Signal, all: bool) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // It may have ended.
        if !all || rustix::process::kill_process_group(pid, signal).is_err() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Whether it handles a signal (proc_pid_status(5)).
    fn hears(&self, signal: i32) -> bool {
        let path = format!("{}/status", self.child.id());
        let file = rustix::fs::openat(&self.proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let mut text = String::new();
        let read = file.map(|file| fs::File::from(file).read_to_string(&mut text));
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        // Where it cannot be told, it may.
        !matches!(read, Ok(Ok(_))) || caught.is_none_or(|caught| caught >> (signal - 1) & 1 == 1)
    }
}
