//! The second stage, the first process of the new pid namespace: makes the program's root, gives its rights up, and becomes
//! the program.
//!
//! In: the plan. Out: nothing, as nothing of it is left; or [`NOT_RUN`] and a report.

use std::{
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{io::Errno, process::Signal};

use super::{
    NOT_RUN,
    error::Fault,
    plan::{Plan, Report},
    rights, view,
};
use crate::{base::refusal, image::PATH};

/// What this stage is started as.
pub(super) const NAME: &str = "compose: program";

/// Runs it; `plan` is the plan's path.
pub(super) fn main(plan: &OsStr) -> u8 {
    let Ok((plan, mut report)) = Plan::read(plan) else { return NOT_RUN };
    let Err(fault) = become_it(&plan, &mut report);
    report.refuse(&fault);
    NOT_RUN
}

/// Which is no more than an exec away.
enum Never {}

fn become_it(plan: &Plan, report: &mut Report) -> Result<Never, Fault> {
    rights::end_with_parent(Signal::KILL);
    // A session of its own. The terminal is then not the one that controls it, and what is written to it cannot be put
    // into its input as if it had been typed (TIOCSTI, ioctl_tty(2)).
    rustix::process::setsid().map_err(Fault::root("begin a session"))?;
    view::enter(plan, report)?;
    rights::give_up(plan).map_err(|error| {
        let user = plan.user;
        Fault::root(format!("become user {} and group {} without rights", user.uid, user.gid))(error)
    })?;
    rustix::process::chdir(&plan.workdir).map_err(|error| {
        let (dir, user, error) = (plan.workdir.display(), plan.user.uid, io::Error::from(error));
        Fault::new(
            refusal::WORKDIR_UNUSABLE,
            format!("the working directory {dir} cannot be entered by user {user}: {error}"),
        )
    })?;
    let name = plan.argv.first().map(OsString::as_os_str).unwrap_or_default();
    let path = plan.env.iter().find(|(key, _)| key == "PATH").map_or(OsStr::new(PATH), |(_, value)| value);
    let program = find(name, path)?;
    // Ignored since this program's own beginning; what is handled is as it was at first for the next program (execve(2)).
    let _ = signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::default());
    // Not execvp(3), which takes what is no program for a script of /bin/sh.
    let text = |text: &[u8]| CString::new(text).map_err(|_| not_executed(&program, Errno::INVAL));
    let argv: Vec<CString> = plan.argv.iter().map(|word| text(word.as_bytes())).collect::<Result<_, _>>()?;
    let pair = |(key, value): &(OsString, OsString)| text(&[key.as_bytes(), b"=", value.as_bytes()].concat());
    let env: Vec<CString> = plan.env.iter().map(pair).collect::<Result<_, _>>()?;
    let Err(error) = nix::unistd::execve(&text(program.as_os_str().as_bytes())?, &argv, &env);
    let error = Errno::from_raw_os_error(error as i32);
    Err(not_executed(&program, error))
}

/// The file that is executed, as execvp(3) finds it.
fn find(name: &OsStr, path: &OsStr) -> Result<PathBuf, Fault> {
    let shown = Path::new(name).display();
    let is_path = name.as_bytes().contains(&b'/');
    let places: Vec<PathBuf> = match is_path {
        true => vec![name.into()],
        // An empty one is the working directory.
        false => {
            let folders = path.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
            folders.map(|folder| Path::new(".").join(folder).join(name)).collect()
        }
    };
    let mut closed = None;
    for place in places {
        match fs::metadata(&place) {
            Ok(info) if info.is_file() && info.permissions().mode() & 0o111 != 0 => return Ok(place),
            Ok(info) => {
                let what = if info.is_dir() { "a directory" } else { "a file without permission to execute" };
                closed.get_or_insert(format!("{} of the image is {what}", display(&place)));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                closed.get_or_insert(format!("{} of the image cannot be reached: {error}", display(&place)));
            }
            Err(_) => {}
        }
    }
    Err(match closed {
        Some(text) => Fault::new(refusal::PROGRAM_NOT_EXECUTABLE, text),
        None if is_path => Fault::new(refusal::PROGRAM_NOT_FOUND, format!("the image has no {shown}")),
        None => {
            let path = Path::new(path).display();
            Fault::new(refusal::PROGRAM_NOT_FOUND, format!("the image has no program “{shown}” in its PATH, {path}"))
        }
    })
}

fn not_executed(program: &Path, error: Errno) -> Fault {
    let why = match error {
        Errno::NOENT => "the interpreter that it names in its first line, or in its ELF header, is not in the image",
        Errno::NOEXEC => "it is neither a program of this machine nor a script with an interpreter in its first line",
        Errno::ACCESS => {
            "its user may not, or the cache lies on a file system that is mounted noexec; COMPOSE_CACHE names another place"
        }
        _ => "the kernel refuses",
    };
    Fault::new(
        refusal::PROGRAM_NOT_EXECUTABLE,
        format!("{} of the image cannot be executed ({}): {why}", display(program), io::Error::from(error)),
    )
}

/// Without the working directory that every place begins with.
fn display(place: &Path) -> std::path::Display<'_> {
    place.strip_prefix(".").unwrap_or(place).display()
}
