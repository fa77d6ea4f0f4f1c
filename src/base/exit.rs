//! The exit codes of `compose`. Which failure has which, its row in [`super::refusal`] says and nothing else.

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
/// A signature or digest is not what it must be, or what came from outside is broken or hostile.
pub const TRUST: u8 = 5;
/// A check of the finished tree, or a policy of the manifest, failed.
pub const CHECK: u8 = 6;
/// The build differs from the lock.
pub const DIFFERS: u8 = 7;
/// Output or disk.
pub const OUTPUT: u8 = 8;

/// What an exit code says, in a few words.
pub fn words(code: u8) -> &'static str {
    match code {
        DONE => "done",
        INTERNAL => "internal",
        USAGE => "usage or manifest",
        NO_SOLUTION => "no solution",
        NETWORK => "network or mirror",
        TRUST => "signature or digest",
        CHECK => "check or policy",
        DIFFERS => "differs",
        OUTPUT => "output or disk",
        _ => "unknown",
    }
}
