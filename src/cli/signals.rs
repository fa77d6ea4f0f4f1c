//! SIGINT, SIGTERM and SIGHUP end a run as an error does: what it has not finished is gone.
//!
//! In: signals. Out: a message, and the exit code that a shell gives a program that a signal has ended: 128 and the
//! signal's number (130, 143, 129). A second one ends the program at once, and leaves to the next run what is to be removed.

use std::{
    fs,
    io::{self, IsTerminal as _},
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    flag,
    iterator::Signals,
};

use super::tell;
use crate::base::live;

/// Hears signals from now on. One that whoever started the program has it ignore (nohup, `&` in a script) stays ignored.
pub fn hear() {
    // A file that may not grow (ulimit -f) is an error of the write, and no reason to be killed.
    let _ = flag::register(SIGXFSZ, Arc::default());
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let heard: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0).collect();
    let (ready, is_ready) = mpsc::channel::<()>();
    let listen = move || {
        // Nothing is changed until there is a thread that acts.
        let Ok(mut signals) = Signals::new(&heard) else { return };
        let again = Arc::new(AtomicBool::new(false));
        for &signal in &heard {
            // In this order: the first one finds what the second one sets when it comes again. Where they cannot be had
            // it is not heard a second time.
            let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again));
            let _ = flag::register(signal, Arc::clone(&again));
        }
        drop(ready);
        if let Some(signal) = signals.forever().next() {
            stop(signal);
        }
    };
    // Without a thread a signal does what it does to any program.
    if thread::Builder::new().name("signals".into()).spawn(listen).is_ok() {
        let _ = is_ready.recv();
    }
}

fn stop(signal: i32) -> ! {
    let done: Vec<String> = live::end().iter().map(|path| path.display().to_string()).collect();
    // A progress bar may be there.
    let clear = if io::stderr().is_terminal() { "\r\u{1b}[K" } else { "" };
    match &done[..] {
        [] => tell(&format!("{clear}interrupted; nothing was written")),
        done => tell(&format!("{clear}interrupted; complete are {}, and nothing else was written", done.join(", "))),
    }
    std::process::exit(128 + signal)
}

/// The set of ignored signals, a bit each (proc_pid_status(5)).
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default()
}
