//! Exit codes, and the error that carries one to `main`.

use std::fmt;

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
    pub report: miette::Report,
}

impl Failure {
    /// From any error, its sources printed as causes.
    pub fn new(code: u8, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { code, report: miette::IntoDiagnostic::into_diagnostic(Err::<(), _>(error)).unwrap_err() }
    }

    /// From words.
    pub fn words(code: u8, text: impl fmt::Display) -> Self {
        Self { code, report: miette::miette!("{text}") }
    }
}
