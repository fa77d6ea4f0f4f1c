//! The command line: the only place that prints, reads the environment or decides an exit code.
//!
//! In: arguments and environment. Out: results on standard output, messages on standard error, an exit code.

mod args;
mod audit;
mod build;
mod cache;
mod checks;
mod completions;
mod cve;
mod desk;
mod diff;
pub mod environment;
pub mod exit;
mod explain;
mod init;
mod look;
mod man;
mod panic;
mod progress;
pub mod reference;
mod report;
mod run;
mod signals;
mod usage;
mod vendor;
mod verify;
mod why;

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use self::{
    args::{Cli, Command},
    exit::Failure,
};
use crate::{
    base::{live, refusal},
    manifest::OMIT_GROUPS,
};

/// Runs `compose` with the process's arguments.
pub fn main() -> ExitCode {
    // Before anything else: it is to have one thread.
    let broken = if is_run() { exit::NOT_RUN } else { exit::INTERNAL };
    ExitCode::from(panic::guarded(broken, || crate::run::stage(env::args_os()).unwrap_or_else(run)))
}

/// Whether the command is one whose exit codes are those of a program.
fn is_run() -> bool {
    env::args_os().nth(1).is_some_and(|word| word == "run")
}

fn run() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if is_run() => return run::usage(&error),
        Err(error) => return usage::usage(&error),
    };
    let wants_json = cli.wants_json();
    signals::hear();
    let done = match (cli.command, cli.build) {
        (Some(Command::Lock(args)), _) => build::lock(&args),
        (Some(Command::Why(args)), _) => why::why(&args),
        (Some(Command::Graph(args)), _) => why::graph(&args),
        (Some(Command::Verify(args)), _) => verify::verify(&args),
        (Some(Command::Audit(args)), _) => audit::audit(&args),
        (Some(Command::Diff(args)), _) => diff::diff(&args),
        (Some(Command::Run(args)), _) => return run::run(&args),
        (Some(Command::Vendor(args)), _) => vendor::vendor(&args),
        (Some(Command::Groups), _) => {
            let lines = OMIT_GROUPS.iter().map(|group| format!("{:14} {}\n", group.name, group.about));
            print(&lines.collect::<String>())
        }
        (Some(Command::Init(args)), _) => init::init(&args),
        (Some(Command::Checks(args)), _) => checks::checks(&args),
        (Some(Command::Explain(args)), _) => explain::explain(&args),
        (Some(Command::Cache(command)), _) => cache::cache(&command),
        (Some(Command::Completions(args)), _) => completions::completions(&args),
        (Some(Command::Man(args)), _) => man::man(&args),
        (None, args) => match args.resolve.manifest.as_deref().and_then(usage::no_command) {
            Some(text) => Err(Failure::words(refusal::BAD_OPTION, text)),
            None => build::build(&args),
        },
    };
    // What an interruption has taken away is no other failure.
    live::go_on();
    match done {
        Ok(()) => exit::DONE,
        Err(failure) => {
            if let Some(json) = failure.json().filter(|_| wants_json) {
                // Whoever does not read it has the exit code.
                let _ = print(&format!("{json:#}\n"));
            }
            tell(&failure.human());
            failure.refusal.exit
        }
    }
}

/// Says something on standard error. Nobody may be there to read it: that is no reason to stop.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a result to standard output, whole. A reader that has had enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::words(refusal::STDOUT_UNWRITABLE, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
