//! Progress on standard error: a bar on a terminal, a line a phase elsewhere.

use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::Progress;

/// Shows progress to a person.
pub struct Shown {
    terminal: bool,
    /// Whether phases are lines where there is no terminal.
    lines: bool,
    started: Instant,
    bar: Mutex<Option<ProgressBar>>,
}

impl Shown {
    /// On standard error.
    pub fn stderr() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, lines: true, started: Instant::now(), bar: Mutex::new(None) }
    }

    /// A bar on a terminal, and no lines elsewhere: standard error is another program's.
    pub fn bars() -> Self {
        Self { lines: false, ..Self::stderr() }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        // A panic elsewhere does not make a progress bar wrong.
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Shown {
    fn phase(&self, what: &str, bytes: Option<u64>) {
        self.clear();
        if !self.terminal {
            if self.lines {
                super::tell(what);
            }
            return;
        }
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
        let template = if bytes.is_some() {
            "{msg:24} {bar:30} {bytes:>10} of {total_bytes} {bytes_per_sec}"
        } else {
            "{spinner} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        *self.lock() = Some(bar);
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.lock() {
            bar.inc(bytes);
        }
    }

    fn notice(&self, text: &str) {
        match &*self.lock() {
            Some(bar) => bar.suspend(|| super::tell(text)),
            None => super::tell(text),
        }
    }
}
