//! One process that compiles: asked and answered one module at a time.
//!
//! In: a command, paths and sources. Out: pycs, within limits of size and time. Whatever it does, it is gone when the
//! [`Worker`] is.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::BytecodeError;
use crate::base::{
    RootPath,
    live::{self, Watch},
};

/// How long a module may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one that has closed its output may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// A pyc may have so many bytes.
const MAX_PYC: u64 = 128 << 20;

/// The line that it begins with may have so many bytes.
const MAX_GREETING: u64 = 256;

/// So many of the last bytes on standard error are shown.
const TAIL: usize = 2000;

/// Why a process did not come so far as to be asked.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is no such program, or it cannot be executed.
    Spawn(io::Error),
    /// It said nothing, or did not end.
    Start {
        /// On standard error.
        said: String,
    },
    /// It is another one than was expected.
    Other {
        /// As it says.
        found: String,
    },
}

/// A process at work.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    live: Option<Watch>,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    clock: Arc<Clock>,
    watch: Option<JoinHandle<()>>,
}

/// Until when the process has time; whoever finds it past kills.
#[derive(Debug)]
struct Clock {
    state: Mutex<State>,
    changed: Condvar,
    group: Option<Pid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Busy(Instant),
    /// It took too long.
    Late,
    Over,
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unless it was too late before.
    fn set(&self, state: State) {
        let mut now = self.state();
        if *now != State::Late || state == State::Over {
            *now = state;
        }
        self.changed.notify_all();
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // That it is gone already is what is wanted.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }

    fn watch(&self) {
        let mut state = self.state();
        loop {
            state = match *state {
                State::Over => return,
                State::Busy(until) => match until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
                {
                    Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                    None => {
                        *state = State::Late;
                        self.kill();
                        state
                    }
                },
                State::Idle | State::Late => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Worker {
    /// Starts `command` and hears who it is.
    ///
    /// # Errors
    /// [`Failed`].
    pub(super) fn start(command: Command, greeting: &str) -> Result<Self, Failed> {
        Self::start_within(command, greeting, PATIENCE)
    }

    fn start_within(mut command: Command, greeting: &str, patience: Duration) -> Result<Self, Failed> {
        // A group of its own, to be killed as one.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (mut child, live) = live::spawn(&mut command).map_err(Failed::Spawn)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Failed::Spawn(io::ErrorKind::BrokenPipe.into()));
        };
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let clock = Arc::new(Clock { state: Mutex::new(State::Idle), changed: Condvar::new(), group });
        let watched = Arc::clone(&clock);
        let mut worker = Self {
            child,
            live: Some(live),
            stdin,
            stdout: BufReader::new(stdout),
            stderr: Some(thread::spawn(|| tail(stderr))),
            clock,
            watch: Some(thread::spawn(move || watched.watch())),
        };
        worker.clock.set(State::Busy(Instant::now() + patience));
        let mut line = Vec::new();
        let read = (&mut worker.stdout).take(MAX_GREETING).read_until(b'\n', &mut line);
        worker.clock.set(State::Idle);
        if read.is_err() || !line.ends_with(b"\n") {
            let late = *worker.clock.state() == State::Late;
            let said = if late { format!("it says nothing for {} s", patience.as_secs()) } else { worker.said() };
            return Err(Failed::Start { said });
        }
        let found = String::from_utf8_lossy(&line).trim_end().to_owned();
        if found == greeting { Ok(worker) } else { Err(Failed::Other { found: found.escape_debug().to_string() }) }
    }

    /// The pyc of a module; `None` when it does not compile.
    ///
    /// # Errors
    /// When the process ends, or takes too long, or says what cannot be.
    pub(super) fn compile(&mut self, path: &RootPath, source: &[u8]) -> Result<Option<Vec<u8>>, BytecodeError> {
        self.compile_within(path, source, PATIENCE)
    }

    fn compile_within(
        &mut self,
        path: &RootPath,
        source: &[u8],
        patience: Duration,
    ) -> Result<Option<Vec<u8>>, BytecodeError> {
        self.clock.set(State::Busy(Instant::now() + patience));
        let answer = self.ask(path, source);
        self.clock.set(State::Idle);
        let late = *self.clock.state() == State::Late;
        match answer {
            _ if late => Err(BytecodeError::Hung { path: path.clone(), seconds: patience.as_secs() }),
            Ok(answer) => answer.map_err(|what| BytecodeError::Answer { path: path.clone(), what }),
            Err(_) => Err(BytecodeError::Died { path: path.clone(), said: self.said() }),
        }
    }

    fn ask(&mut self, path: &RootPath, source: &[u8]) -> io::Result<Result<Option<Vec<u8>>, &'static str>> {
        let name = [&b"/"[..], path.as_bytes()].concat();
        let length = |bytes: &[u8]| (bytes.len() as u64).to_le_bytes();
        self.stdin.write_all(&[&length(&name)[..], &length(source), &name, source].concat())?;
        self.stdin.flush()?;
        let (mut kind, mut length) = ([0], [0; 8]);
        self.stdout.read_exact(&mut kind)?;
        self.stdout.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        match &kind {
            b"n" if length == 0 => Ok(Ok(None)),
            b"c" if length > MAX_PYC => Ok(Err("too long")),
            b"c" => {
                // Grows as it comes, so that a false length cannot ask for memory.
                let mut pyc = Vec::new();
                (&mut self.stdout).take(length).read_to_end(&mut pyc)?;
                if pyc.len() as u64 != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // PEP 552: a magic number, flags with the lowest bit for hash-based and the next for checked, the hash.
                let is_unchecked = pyc.get(4..8) == Some(&[1, 0, 0, 0]) && pyc.len() > 16;
                Ok(if is_unchecked { Ok(Some(pyc)) } else { Err("no unchecked pyc") })
            }
            _ => Ok(Err("no answer that its program gives")),
        }
    }

    /// The end of what it said on standard error; it is stopped.
    fn said(&mut self) -> String {
        // One that ends by itself leaves a status that says more than that it was killed here.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let is_there = |pid| matches!(rustix::process::waitid(WaitId::Pid(pid), ended), Ok(None));
        let until = Instant::now() + GRACE;
        while pid.is_some_and(is_there) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.end();
        let said = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        match status {
            _ if !said.is_empty() => said,
            Some(status) => format!("it said nothing ({status})"),
            None => "it said nothing".into(),
        }
    }

    /// What is left of it is killed, its own children too, before its number is given back.
    fn end(&mut self) -> Option<ExitStatus> {
        if *self.clock.state() == State::Over {
            return None;
        }
        self.clock.kill();
        self.clock.set(State::Over);
        self.live = None;
        let status = self.child.wait().ok();
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last of what `from` gives, as text.
fn tail(mut from: impl Read) -> String {
    let mut last = Vec::new();
    let mut part = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut part) {
        last.extend_from_slice(part.get(..n).unwrap_or_default());
        last.drain(..last.len().saturating_sub(TAIL));
    }
    let text = String::from_utf8_lossy(&last);
    text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(400);
    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn ask(script: &str, patience: Duration) -> String {
        let mut worker = Worker::start_within(shell(&format!("echo hello; {script}")), "hello", LONG).unwrap();
        let path = RootPath::literal("app/main.py");
        match worker.compile_within(&path, b"x = 1\n", patience) {
            Ok(answer) => format!("{answer:?}"),
            Err(error) => error.to_string().lines().next().unwrap().split(';').next().unwrap().to_owned(),
        }
    }

    #[test]
    fn a_process_that_does_not_start_says_why() {
        let start = |script| Worker::start_within(shell(script), "hello", SHORT).unwrap_err();
        for (script, wanted) in [
            ("echo no such library >&2; exit 127", "Start { said: \"no such library\" }"),
            ("exit 0", "Start { said: \"it said nothing (exit status: 0)\" }"),
            ("printf hello; kill -SEGV $$", "Start { said: \"it said nothing (signal: 11 (SIGSEGV))\" }"),
            ("sleep 600 & sleep 600", "Start { said: \"it says nothing for 0 s\" }"),
            ("echo good day; sleep 600", "Other { found: \"good day\" }"),
            ("yes hello | tr -d '\\n'", "Start { said: \"it said nothing (signal: 9 (SIGKILL))\" }"),
        ] {
            assert_eq!(format!("{:?}", start(script)), wanted, "{script}");
        }
        let nowhere = Worker::start(Command::new("/nowhere/python"), "hello");
        assert!(matches!(nowhere, Err(Failed::Spawn(error)) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn answers_that_cannot_be_are_told() {
        for (script, patience, wanted) in [
            ("printf 'n\\0\\0\\0\\0\\0\\0\\0\\0'; cat >&2", LONG, "None"),
            ("head -c 34 >&2; exit 3", LONG, "the interpreter ended while it compiled /app/main.py: "),
            (
                "echo worse >&2; exec <&- >&-; sleep 600",
                LONG,
                "the interpreter ended while it compiled /app/main.py: worse",
            ),
            ("sleep 600", SHORT, "the interpreter was still busy with /app/main.py after 0 s and was stopped"),
            (
                "printf 'x\\0\\0\\0\\0\\0\\0\\0\\0'; sleep 600",
                LONG,
                "the interpreter's answer for /app/main.py is no answer that its program gives",
            ),
            (
                "printf 'n\\1\\0\\0\\0\\0\\0\\0\\0'; sleep 600",
                LONG,
                "the interpreter's answer for /app/main.py is no answer that its program gives",
            ),
            (
                "printf 'c\\1\\0\\0\\0\\0\\0\\0\\0a'; sleep 600",
                LONG,
                "the interpreter's answer for /app/main.py is no unchecked pyc",
            ),
            (
                "printf 'c\\0\\0\\0\\0\\0\\0\\0\\1a'; sleep 600",
                LONG,
                "the interpreter's answer for /app/main.py is too long",
            ),
            (
                "printf 'c\\5\\0\\0\\0\\0\\0\\0\\0a'",
                LONG,
                "the interpreter ended while it compiled /app/main.py: it said nothing (exit status: 0)",
            ),
        ] {
            let got = ask(script, patience);
            assert!(got == wanted || wanted.ends_with(": ") && got.starts_with(wanted), "{script}: {got}");
        }
    }

    #[test]
    fn only_the_end_of_what_is_said_is_kept() {
        let long = "x".repeat(100_000) + "\u{1b}the end\n";
        let said = tail(long.as_bytes());
        assert!(said.ends_with("xthe end") && said.len() < TAIL, "{}", said.len());
    }
}
