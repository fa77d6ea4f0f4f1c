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
/// `compose run` did not start a program; these three are those of `docker run`, env(1) and timeout(1).
pub const NOT_RUN: u8 = 125;
/// The program that `compose run` was to start cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
pub const NOT_FOUND: u8 = 127;

/// An exit code, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode {
    /// The number.
    pub code: u8,
    /// What it says, in a few words.
    pub words: &'static str,
    /// The same in a sentence.
    pub meaning: &'static str,
}

const fn row(code: u8, words: &'static str, meaning: &'static str) -> ExitCode {
    ExitCode { code, words, meaning }
}

/// Those that compose ends with by itself, in order.
pub const CODES: [ExitCode; 9] = [
    row(DONE, "done", "What was asked for is done."),
    row(INTERNAL, "internal", "A fault of compose itself, which should be reported."),
    row(USAGE, "usage or manifest", "Something is wrong with the arguments, the manifest, a lock or the environment."),
    row(NO_SOLUTION, "no solution", "No set of packages is what the manifest asks for; the message says why not."),
    row(
        NETWORK,
        "network or mirror",
        "Something could not be fetched or pushed, or the data that are needed are not there.",
    ),
    row(
        TRUST,
        "signature or digest",
        "A signature or digest is not what it must be, or what came from outside is broken.",
    ),
    row(
        CHECK,
        "check or policy",
        "A check of the image, a policy of the manifest, or a limit that an option set, was not met.",
    ),
    row(DIFFERS, "differs", "A build differs from its lock, or two things that were compared from each other."),
    row(OUTPUT, "output or disk", "An output, the lock or the cache could not be written."),
];

/// Those that `compose run` ends with instead, as all others are its program's.
pub const RUN: [ExitCode; 3] = [
    row(NOT_RUN, "not run", "compose run has failed itself, for whatever reason: its other codes are the program's."),
    row(NOT_EXECUTABLE, "not executable", "The program of compose run cannot be executed."),
    row(NOT_FOUND, "not found", "The image of compose run has no such program."),
];

/// Those after a signal, which are 128 and its number.
pub const SIGNALS: [ExitCode; 3] = [
    row(129, "SIGHUP", "Ended by SIGHUP; nothing half made is left."),
    row(130, "SIGINT", "Interrupted (SIGINT, Ctrl-C); nothing half made is left."),
    row(143, "SIGTERM", "Ended by SIGTERM; nothing half made is left."),
];

/// What an exit code says, in a few words.
pub fn words(code: u8) -> &'static str {
    CODES.iter().chain(&RUN).find(|row| row.code == code).map_or("unknown", |row| row.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_row_in_its_place() {
        assert!(CODES.iter().enumerate().all(|(at, row)| usize::from(row.code) == at));
        assert!(CODES.iter().chain(&RUN).chain(&SIGNALS).all(|row| row.meaning.ends_with('.')));
        assert_eq!([words(CHECK), words(127), words(9)], ["check or policy", "not found", "unknown"]);
    }
}
