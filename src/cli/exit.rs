//! Exit codes, and the error that carries one to `main`.

use std::{env, fmt, io::IsTerminal};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::base::Arch;

/// Done.
pub const DONE: u8 = 0;
/// A fault of compose itself.
pub const INTERNAL: u8 = 1;
/// Wrong usage or manifest.
pub const USAGE: u8 = 2;
/// No set of packages satisfies the manifest.
pub const NO_SOLUTION: u8 = 3;
/// Network or mirror.
pub const NETWORK: u8 = 4;
/// A signature or digest is not what it must be.
pub const TRUST: u8 = 5;
/// A check of the finished tree, or a policy of the manifest, failed.
pub const CHECK: u8 = 6;
/// The build differs from the lock.
pub const DIFFERS: u8 = 7;
/// Output or disk.
pub const OUTPUT: u8 = 8;

/// A failure that ends the program.
#[derive(Debug)]
pub struct Failure {
    /// One of this module's codes.
    pub code: u8,
    /// What is printed: what was wrong, why, the next step.
    pub text: String,
}

impl Failure {
    /// From any error: its message, then its sources' unless the message already says them.
    pub fn new(code: u8, error: impl std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            source = cause.source();
        }
        Self { code, text: format!("error: {text}") }
    }

    /// From words.
    pub fn words(code: u8, text: impl fmt::Display) -> Self {
        Self { code, text: format!("error: {text}") }
    }

    /// The same, of one architecture of several.
    pub fn of(self, arch: Arch) -> Self {
        Self { text: self.text.replacen("error: ", &format!("error: for {arch}: "), 1), ..self }
    }

    /// From faults that know their place in a file, each drawn with its lines.
    pub fn drawn<'a>(code: u8, faults: impl Iterator<Item = &'a dyn Diagnostic>) -> Self {
        let plain = !std::io::stderr().is_terminal() || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let theme = if plain { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(120).without_cause_chain();
        let mut text = String::new();
        for fault in faults {
            // Writing to a string does not fail.
            let _ = handler.render_report(&mut text, fault);
        }
        Self { code, text }
    }
}
