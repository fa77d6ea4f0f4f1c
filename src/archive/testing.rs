//! What the tests of this module share with those in `tests/`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/support/http.rs"]
pub mod http;
#[path = "../../tests/support/signing.rs"]
pub mod signing;

use std::{sync::Mutex, time::Duration};

use crate::base::Progress;

use super::fetch::{FetchSettings, Fetcher};

/// A fetcher that does not wait long.
pub fn hasty() -> Fetcher {
    Fetcher::new(FetchSettings {
        backoff: Duration::from_millis(1),
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(2),
        longest_wait: Duration::from_millis(20),
        ..FetchSettings::default()
    })
}

/// Remembers what it hears.
#[derive(Default)]
pub struct Heard(pub Mutex<(u64, Vec<String>)>);

impl Progress for Heard {
    fn phase(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().0 += bytes;
    }
    fn notice(&self, text: &str) {
        self.0.lock().unwrap().1.push(text.into());
    }
}
