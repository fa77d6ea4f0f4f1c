//! `compose run`: a program of the finished tree, in namespaces of its own, as a container runtime would start it.
//!
//! In: a tree, a [`Config`] made of the image's and of what the user adds. Out: the program's exit code. Nothing is kept.
//!
//! ```text
//! caller ─ bundle: the tree as a temporary folder, and the plan ─► waits, passes signals on, removes the folder
//!    └ outer: a copy of this program that makes the namespaces (user, mount, pid, ipc, uts, network) ─► passes signals on
//!         └ inner: the first process of the pid namespace: its root (view), its rights (rights) ─► execve ─► the program
//! ```
//!
//! Namespaces need a process with one thread, and the first process of a pid namespace is a child of whoever made it:
//! hence the two stages, which [`stage`] is to find before anything else happens. They are not told from a command but by
//! the name that they are started under. What they cannot do they write into the bundle's report, which only the caller
//! reads.

mod bundle;
mod error;
mod inner;
mod loopback;
mod machine;
mod outer;
mod plan;
mod rights;
mod view;

use std::ffi::{OsStr, OsString};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;

use crate::base::exit::NOT_RUN;

pub use bundle::{Bundle, Running};
pub use error::RunError;
pub use machine::check_machine;
pub use plan::{Config, Network, User, Volume};

/// Does the work of a stage if this process is one, which its first argument says, and returns its exit code. To be called
/// while there is one thread.
pub fn stage(mut args: impl Iterator<Item = OsString>) -> Option<u8> {
    let name = args.next()?;
    let work: fn(&OsStr) -> u8 = match name.to_str()? {
        outer::NAME => outer::main,
        inner::NAME => inner::main,
        _ => return None,
    };
    // Whatever the caller was started with: places that are made are to be entered by the program's user, and the end of a
    // process to be heard.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let _ = SigSet::empty().thread_set_mask();
    Some(work(&args.next()?))
}
