//! The command line: the only place that prints, reads the environment or decides an exit code.

/// Runs `compose` with the process's arguments.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
