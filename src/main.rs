//! The thin binary: everything is in the library's `cli` module.

fn main() -> std::process::ExitCode {
    compose::cli::main()
}
