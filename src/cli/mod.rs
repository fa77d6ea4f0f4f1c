//! The command line: the only place that prints, reads the environment or decides an exit code.
//!
//! In: arguments and environment. Out: results on standard output, messages on standard error, an exit code.

mod args;
mod build;
mod desk;
pub mod exit;
mod failure;
mod progress;
mod report;
mod why;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command};
use crate::manifest::OMIT_GROUPS;

/// Runs `compose` with the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (cli.command, cli.build) {
        (Some(Command::Lock(args)), _) => build::lock(&args),
        (Some(Command::Why(args)), _) => why::why(&args),
        (Some(Command::Graph(args)), _) => why::graph(&args),
        (Some(Command::Groups), _) => {
            for group in OMIT_GROUPS {
                println!("{:14} {}", group.name, group.about);
            }
            Ok(())
        }
        (None, args) => build::build(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.text.trim_end());
            ExitCode::from(failure.code)
        }
    }
}
