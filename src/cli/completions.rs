//! `compose completions SHELL`: what a shell needs to complete the command line; and values that it can know.
//!
//! In: a shell's name. Out: its script, on standard output.

use std::ffi::OsStr;

use clap::{
    Arg, Command, CommandFactory as _, Error,
    builder::{PossibleValue, TypedValueParser},
};

use super::{
    args::{Cli, CompletionsArgs},
    exit::Failure,
    print,
};
use crate::base::{Arch, CODES, UnknownPlatform, refusal::Refusal};

/// Runs the command.
pub fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "compose", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// A value that has well-known forms, which a shell completes; which others it takes, and what is said of one that is wrong,
/// `read` decides.
#[derive(Clone)]
pub struct Known<T, E = String> {
    read: fn(&str) -> Result<T, E>,
    words: fn() -> Vec<&'static str>,
}

impl Known<Arch, UnknownPlatform> {
    /// An architecture.
    pub const ARCH: Self = Self { read: Arch::of_platform, words: || Arch::ALL.map(Arch::as_str).to_vec() };
}

impl Known<String> {
    /// The code of a finding.
    pub const CHECK: Self = Self { read: anything, words: checks };

    /// The code of a finding, or the name of a refusal.
    pub const CODE: Self =
        Self { read: anything, words: || Refusal::all().map(|refusal| refusal.name).chain(checks()).collect() };
}

fn checks() -> Vec<&'static str> {
    CODES.iter().map(|code| code.name).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a parser")]
fn anything(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

impl<T, E> TypedValueParser for Known<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Clone + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        self.read.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter().map(PossibleValue::new)))
    }
}
