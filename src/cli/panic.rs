//! What cannot happen, when it happens: a panic is said to be a fault of compose, and never looks like a refusal.
//!
//! In: the work. Out: its exit code, or that of a fault of compose, whichever thread it was in. The stack unwinds, so that
//! what was begun is cleaned up.

use std::{
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::tell;
use crate::base::refusal;

/// Whether any thread has panicked: one that nobody waits for counts too.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Does `work`, and ends with `broken` after a panic.
pub fn guarded(broken: u8, work: impl FnOnce() -> u8) -> u8 {
    panic::set_hook(Box::new(|info| {
        // The first tells most; others follow from it.
        if !PANICKED.swap(true, Ordering::Relaxed) {
            tell(&said(info));
        }
    }));
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(code) if !PANICKED.load(Ordering::Relaxed) => code,
        _ => broken,
    }
}

fn said(info: &PanicHookInfo<'_>) -> String {
    let (text, string) = (info.payload().downcast_ref::<&str>(), info.payload().downcast_ref::<String>());
    let what = text.copied().or(string.map(String::as_str)).unwrap_or("no message");
    let place = info.location().map_or("an unknown place".into(), ToString::to_string);
    let thread = thread::current().name().map_or("a worker".to_owned(), |name| format!("“{name}”"));
    let refusal = refusal::INTERNAL;
    format!(
        "error[{refusal}]: compose came to a state that cannot be, at {place} in thread {thread}: {what}\n  next step: \
         {}; this is compose {} for {} {}",
        refusal.next_step,
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::{env, process::Command};

    use rayon::prelude::*;

    use super::*;
    use crate::cli::exit;

    /// Says to a copy of this program what it is to do.
    const HOW: &str = "COMPOSE_TEST_PANIC";

    #[test]
    fn a_panic_in_any_thread_is_an_internal_fault() {
        match env::var(HOW).as_deref() {
            Err(_) => {}
            Ok("none") => std::process::exit(guarded(exit::INTERNAL, || exit::CHECK).into()),
            Ok("main") => std::process::exit(guarded(exit::NOT_RUN, || panic!("of the {}", "main thread")).into()),
            Ok("rayon") => {
                let work = || (0..64).into_par_iter().map(|n| if n > 1 { panic!("of a worker") } else { 7 }).sum();
                std::process::exit(guarded(exit::INTERNAL, work).into());
            }
            Ok(_) => {
                let work = || thread::spawn(|| panic!("of a thread")).join().map_or(exit::DONE, |()| exit::CHECK);
                std::process::exit(guarded(exit::INTERNAL, work).into());
            }
        }
        for (how, code, words) in [
            ("none", 6, ""),
            ("main", 125, "of the main thread"),
            ("rayon", 1, "of a worker"),
            ("thread", 1, "of a thread"),
        ] {
            let mut copy = Command::new(env::current_exe().unwrap());
            copy.args(["--exact", "cli::panic::tests::a_panic_in_any_thread_is_an_internal_fault"]).env(HOW, how);
            let run = copy.output().unwrap();
            let told = String::from_utf8_lossy(&run.stderr);
            assert_eq!(run.status.code(), Some(code), "{how}: {told}");
            assert_eq!(told.matches("error[E0001 internal]: ").count(), usize::from(code != 6), "{how}: {told}");
            let parts = ["src/cli/panic.rs:", words, env!("CARGO_PKG_VERSION"), "next step: report it"];
            assert!(code == 6 || parts.iter().all(|part| told.contains(part)), "{how}: {told}");
        }
    }
}
