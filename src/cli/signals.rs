//! SIGINT, SIGTERM and SIGHUP end a run as an error does: what it has not finished is gone.
//!
//! In: signals. Out: a message, and the exit code that a shell gives a program that a signal has ended: 128 and the
//! signal's number (130, 143, 129). A second one ends the program at once, and leaves to the next run what is to be removed.
//! From [`hand_over`] on they are somebody else's: those of the program that `compose run` has started.

use std::{
    fs,
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, mpsc},
    thread,
};

use signal_hook::{
    SigId,
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    flag,
    iterator::{Handle, Signals},
    low_level,
};

use super::tell;
use crate::base::live;

/// Who is told of a signal in place of being ended by it.
type Heir = Box<dyn FnMut(i32) + Send>;

/// What is done with signals.
struct Hearing {
    /// Adds further ones.
    handle: Option<Handle>,
    /// What ends the program when one comes again.
    again: Vec<SigId>,
    heir: Option<Heir>,
}

static HEARING: Mutex<Hearing> = Mutex::new(Hearing { handle: None, again: Vec::new(), heir: None });

fn hearing() -> MutexGuard<'static, Hearing> {
    HEARING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells `heir` of signals from now on, of `more` too, unless they are ignored; none ends this program any more.
pub fn hand_over(more: &[i32], heir: impl FnMut(i32) + Send + 'static) {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let mut hearing = hearing();
    for id in hearing.again.drain(..) {
        low_level::unregister(id);
    }
    hearing.heir = Some(Box::new(heir));
    for signal in more.iter().filter(|signal| ignored >> (*signal - 1) & 1 == 0) {
        // One that cannot be heard does what it does to any program.
        let _ = hearing.handle.as_ref().map(|handle| handle.add_signal(*signal));
    }
}

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
            let ids = [
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again)),
                flag::register(signal, Arc::clone(&again)),
            ];
            hearing().again.extend(ids.into_iter().flatten());
        }
        hearing().handle = Some(signals.handle());
        drop(ready);
        for signal in signals.forever() {
            match &mut hearing().heir {
                Some(heir) => heir(signal),
                None => stop(signal),
            }
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
