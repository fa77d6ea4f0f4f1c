//! What long work tells whoever watches; the library never prints.

/// Hears of progress. Called from many threads at once.
pub trait Progress: Sync {
    /// A phase begins ("Fetching indexes"), expected to move `bytes` bytes if known.
    fn phase(&self, what: &str, bytes: Option<u64>);
    /// `bytes` more bytes of the phase are done.
    fn advance(&self, bytes: u64);
    /// Something that a person should know, and that is no failure: a retry, a slow mirror.
    fn notice(&self, text: &str);
}

/// Hears and says nothing.
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn notice(&self, _: &str) {}
}
