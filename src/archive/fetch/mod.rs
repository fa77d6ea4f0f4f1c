//! Downloads: streamed, checked while they stream, resumed, tried again; nothing unverified gets its final name.
//!
//! In: URLs, the size and SHA-256 that a signed index promises. Out: files in the store; small documents as bytes.
//! A proxy is taken from the usual variables (`http_proxy`, `no_proxy` …) by ureq.

mod error;
mod partial;
mod transport;

pub use error::{FetchError, Promise, shown};
pub use partial::Download;
pub use transport::Validators;
pub use transport::file_path;
pub(crate) use transport::{Failure, failed as network_failure, redirect as redirect_target};

use std::{
    io::{self, Read as _, Seek as _, Write as _},
    net::IpAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use sha2::Digest as _;
use transport::Reply;

use super::vendored::Vendored;

use crate::{
    base::{Progress, Sha256, refusal},
    store::{Shelf, Store, StoreError},
};

/// How patient a [`Fetcher`] is.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Only `file:` is fetched.
    pub offline: bool,
    /// A folder that has what a lock names.
    pub vendored: Option<Vendored>,
    /// Attempts for each URL.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
    /// For a connection, TLS included.
    pub connect_timeout: Duration,
    /// For each read and write.
    pub stall_timeout: Duration,
    /// Longest wait that a server may ask for (`Retry-After`).
    pub longest_wait: Duration,
    /// A download may take this long, and longer by a second for each 4 KiB of its size.
    pub grace: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            offline: false,
            vendored: None,
            attempts: 4,
            backoff: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            longest_wait: Duration::from_secs(20),
            grace: Duration::from_secs(60),
        }
    }
}

/// Largest file of unknown size, bytes.
const MAX_SIZE: u64 = 16 << 30;

/// A file of unknown size is given as much time as one of so many bytes.
const UNKNOWN: u64 = 64 << 20;

/// Slowest transfer that is put up with beyond the grace period, bytes a second.
const SLOWEST: u64 = 4 << 10;

/// `path` below `base`, whatever a URL cannot hold percent-encoded.
pub fn join(base: &str, path: &str) -> String {
    use std::fmt::Write as _;
    let mut out = format!("{}/", base.trim_end_matches('/'));
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+%:@!$&'()*,;=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Fetches over http, https and file. Cheap to share between threads.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: ureq::Agent,
    /// Without a proxy.
    direct: ureq::Agent,
    settings: FetchSettings,
}

/// Whether `HOST`, `HOST:PORT` or a URL is of this machine by its name. What stands before an `@` is no host (RFC 3986, 3.2).
pub(crate) fn is_this_machine(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// Bytes, if known.
    pub size: Option<u64>,
    /// Digest.
    pub sha256: &'a Sha256,
    /// Who says so.
    pub promise: Promise,
}

/// A document that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// All of it.
    pub body: Vec<u8>,
    /// What tells it from what it was and will be.
    pub validators: Validators,
}

impl Want<'_> {
    /// More than this it cannot be, bytes.
    fn most(&self) -> u64 {
        self.size.unwrap_or(MAX_SIZE)
    }
}

impl Fetcher {
    /// Prepares connections; none is made yet.
    pub fn new(settings: FetchSettings) -> Self {
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build();
        let config = || {
            ureq::config::Config::builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("compose/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .timeout_resolve(Some(settings.connect_timeout))
                .timeout_connect(Some(settings.connect_timeout))
                .timeout_recv_response(Some(settings.stall_timeout))
                .timeout_per_read(Some(settings.stall_timeout))
                .timeout_per_write(Some(settings.stall_timeout))
                .max_idle_connections_per_host(16)
                .tls_config(tls.clone())
        };
        let direct = config().proxy(None).build().new_agent();
        Self { agent: config().build().new_agent(), direct, settings }
    }

    /// Its connections, for those who speak more than GET: to this machine never through a proxy, to which the host would be
    /// another and what is said in the clear would be readable.
    pub(crate) fn agent_for(&self, url: &str) -> &ureq::Agent {
        if is_this_machine(url) { &self.direct } else { &self.agent }
    }

    /// How patient it is.
    pub(crate) fn settings(&self) -> &FetchSettings {
        &self.settings
    }

    /// Whether only `file:` is fetched.
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// The folder that has what a lock names, if one stands for all mirrors.
    pub fn vendored(&self) -> Option<&Vendored> {
        self.settings.vendored.as_ref()
    }

    /// Fetches a small document of unknown size into memory.
    ///
    /// # Errors
    /// [`FetchError`]; `Missing` when the server has none.
    pub fn fetch_small(&self, url: &str, limit: usize, progress: &dyn Progress) -> Result<Vec<u8>, FetchError> {
        let want = Want { size: Some(limit as u64), sha256: &Sha256::of(b""), promise: Promise::Index };
        self.retrying(url, &want, progress, || {
            self.allowed(url)?;
            self.body(transport::get(&self.agent, url, 0)?, limit, &|_| {})
        })
        .and_then(|body| fitting(body, url, limit))
    }

    /// Fetches a document of unknown size into memory, unless it is as `known`: then `None`.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn fetch_changed(
        &self,
        url: &str,
        known: Option<&Validators>,
        limit: usize,
        progress: &dyn Progress,
    ) -> Result<Option<Changed>, FetchError> {
        let want = Want { size: Some(limit as u64), sha256: &Sha256::of(b""), promise: Promise::Tracker };
        let none = Validators::default();
        let found = self.retrying(url, &want, progress, || {
            self.allowed(url)?;
            let mut reply = transport::get_changed(&self.agent, url, known.unwrap_or(&none))?;
            if reply.is_unchanged {
                return Ok(None);
            }
            let validators = std::mem::take(&mut reply.validators);
            let body = self.body(reply, limit, &|n| progress.advance(n))?;
            Ok(Some(Changed { body, validators }))
        })?;
        let fits = |Changed { body, validators }| Ok(Changed { body: fitting(body, url, limit)?, validators });
        found.map(fits).transpose()
    }

    /// Reads a body, and one byte more than `limit` at most.
    fn body(&self, reply: Reply, limit: usize, read: &dyn Fn(u64)) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut reader = reply.body.take(limit as u64 + 1);
        let deadline = self.deadline(limit as u64);
        let mut buffer = [0; 32 << 10];
        loop {
            let n = reader.read(&mut buffer).map_err(|error| Failure::passing(error.to_string()))?;
            if n == 0 {
                break;
            }
            body.extend_from_slice(buffer.get(..n).unwrap_or_default());
            read(n as u64);
            in_time(deadline)?;
        }
        match reply.length {
            Some(length) if (body.len() as u64) < length && body.len() <= limit => Err(cut(body.len() as u64, length)),
            _ => Ok(body),
        }
    }

    /// Fetches a file into the store, unless it is there. `urls` are tried in order; `progress` hears of its size in
    /// all, if that is known, also where nothing need be fetched.
    ///
    /// # Errors
    /// [`FetchError`]; of several URLs each one's.
    pub fn fetch_to_store(
        &self,
        store: &Store,
        shelf: Shelf,
        urls: &[String],
        want: Want<'_>,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let Want { size, sha256, .. } = want;
        let fits = |path: &PathBuf| path.metadata().is_ok_and(|meta| size.is_none_or(|size| meta.len() == size));
        let there = || store.get(shelf, sha256).filter(fits);
        let size = size.unwrap_or_default();
        if let Some(path) = there() {
            progress.advance(size);
            return Ok(path);
        }
        let disk = on_disk(urls, size);
        // Another run may be at it: it is fetched once.
        match Download::wait(store, sha256, self.settings.stall_timeout, there).map_err(disk)? {
            Ok(download) => self.fill(download, urls, &want, progress)?.keep(store, shelf, sha256).map_err(disk),
            Err(path) => {
                progress.advance(size);
                Ok(path)
            }
        }
    }

    /// Fetches a file and verifies it, without giving it a name yet.
    ///
    /// # Errors
    /// As [`Fetcher::fetch_to_store`].
    pub fn download(
        &self,
        store: &Store,
        urls: &[String],
        size: u64,
        sha256: &Sha256,
        progress: &dyn Progress,
    ) -> Result<Download, FetchError> {
        let disk = on_disk(urls, size);
        let stable = Download::open(store, sha256).map_err(disk)?;
        let download = stable.map_or_else(|| Download::own(store).map_err(disk), Ok)?;
        self.fill(download, urls, &Want { size: Some(size), sha256, promise: Promise::Index }, progress)
    }

    fn fill(
        &self,
        mut download: Download,
        urls: &[String],
        want: &Want<'_>,
        progress: &dyn Progress,
    ) -> Result<Download, FetchError> {
        if urls.is_empty() {
            return Err(FetchError::NoUrl);
        }
        let mut reported = 0;
        let mut errors = Vec::new();
        for url in urls {
            let result =
                self.retrying(url, want, progress, || self.attempt(url, &mut download, want, &mut reported, progress));
            match result {
                Ok(()) => return Ok(download),
                Err(error @ FetchError::Disk { .. }) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        if errors.len() == 1 { Err(errors.remove(0)) } else { Err(FetchError::All(errors)) }
    }

    /// One attempt at a file, going on where the last one stopped.
    fn attempt(
        &self,
        url: &str,
        download: &mut Download,
        want: &Want<'_>,
        reported: &mut u64,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let path = download.path().to_owned();
        let disk = |error| Failure::Disk(StoreError { action: "write", path: path.clone(), source: error });
        let file = download.file();
        let (mut hash, mut have) = resume(file, want).map_err(&disk)?;
        let mut report = |have: u64| {
            progress.advance(have.saturating_sub(*reported));
            *reported = have.max(*reported);
        };
        report(have);
        let resumed = have > 0;
        // Without a size nobody can tell a part from the whole but by the digest.
        if want.size.map_or(have > 0, |size| size == have) {
            if Sha256::from(hash.clone()) == *want.sha256 {
                return Ok(());
            }
            (hash, have) = restart(file).map_err(&disk)?;
        }
        self.allowed(url)?;
        let mut reply = transport::get(&self.agent, url, have)?;
        if reply.offset != have {
            (hash, have) = restart(file).map_err(&disk)?;
        }
        let offered = reply.length.map(|length| have.saturating_add(length));
        if let (Some(offered), Some(size)) = (offered, want.size)
            && offered != size
        {
            restart(file).map_err(&disk)?;
            let why = format!("the server offers {offered} bytes instead of {size}");
            return Err(Failure::Mismatch(refusal::SIZE_MISMATCH, why));
        }
        let size = want.size.or(offered);
        let deadline = self.deadline(size.unwrap_or(UNKNOWN).saturating_sub(have));
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = reply.body.read(&mut buffer).map_err(|error| Failure::passing(error.to_string()))?;
            let Some(chunk @ [_, ..]) = buffer.get(..n) else { break };
            have += n as u64;
            if have > want.most() {
                restart(file).map_err(&disk)?;
                let why = format!("the server sends more than {} bytes", want.most());
                return Err(Failure::Mismatch(refusal::BODY_TOO_LONG, why));
            }
            file.write_all(chunk).map_err(&disk)?;
            hash.update(chunk);
            report(have);
            in_time(deadline)?;
        }
        if let Some(size) = size.filter(|size| have < *size) {
            return Err(cut(have, size));
        }
        let got = Sha256::from(hash);
        if got == *want.sha256 {
            return Ok(());
        }
        restart(file).map_err(&disk)?;
        if resumed {
            return Err(Failure::passing("the part fetched earlier does not fit; starting over"));
        }
        let why = format!("its SHA-256 is {} instead of {}", got.hex(), want.sha256.hex());
        Err(Failure::Mismatch(refusal::DIGEST_MISMATCH, why))
    }

    /// Runs `attempt` until it works or there is no sense in going on.
    fn retrying<T>(
        &self,
        url: &str,
        want: &Want<'_>,
        progress: &dyn Progress,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, FetchError> {
        let mut mismatches = 0;
        for number in 1.. {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let url = shown(url);
            let promise = want.promise;
            let network =
                |refusal, why| FetchError::Network { refusal, url: url.clone(), promise, attempt: number, why };
            let mut pause = self.settings.backoff.saturating_mul(1 << (number - 1).min(6));
            let why = match failure {
                Failure::Missing(why) => return Err(FetchError::Missing { url, promise, why }),
                Failure::Disk(source) => {
                    return Err(FetchError::Disk { url, size: want.size.unwrap_or_default(), source });
                }
                Failure::Lasting(refusal, _) if refusal == refusal::OFFLINE => return Err(FetchError::Offline { url }),
                Failure::Redirect(why) => return Err(FetchError::Redirect { url, promise, why }),
                Failure::Lasting(refusal, why) => return Err(network(refusal, why)),
                Failure::Mismatch(refusal, why) => {
                    mismatches += 1;
                    if mismatches > 1 || number >= self.settings.attempts {
                        return Err(FetchError::Mismatch { refusal, url, promise, attempt: number, why });
                    }
                    why
                }
                Failure::Passing { refusal, why, attempts, wait } => {
                    if number >= self.settings.attempts.min(attempts) {
                        return Err(network(refusal, why));
                    }
                    pause = wait.map_or(pause, |wait| wait.min(self.settings.longest_wait));
                    why
                }
            };
            progress.notice(&format!("{url}: {why}; trying again ({} of {})", number + 1, self.settings.attempts));
            std::thread::sleep(pause);
        }
        Err(FetchError::NoUrl)
    }

    fn allowed(&self, url: &str) -> Result<(), Failure> {
        if self.settings.offline && !url.starts_with("file:") {
            Err(Failure::Lasting(refusal::OFFLINE, String::new()))
        } else {
            Ok(())
        }
    }

    /// When a download of so many bytes that begins now has taken too long.
    pub(crate) fn deadline(&self, bytes: u64) -> Instant {
        Instant::now() + self.settings.grace + Duration::from_secs((bytes / SLOWEST).min(86_400))
    }
}

fn fitting(body: Vec<u8>, url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
    if body.len() <= limit { Ok(body) } else { Err(FetchError::TooLarge { url: shown(url), limit }) }
}

/// For `map_err`: the store cannot take what is at `urls`.
fn on_disk(urls: &[String], size: u64) -> impl Fn(StoreError) -> FetchError + Copy {
    move |source| FetchError::Disk { url: shown(urls.first().map_or("", String::as_str)), size, source }
}

fn in_time(deadline: Instant) -> Result<(), Failure> {
    if Instant::now() < deadline {
        Ok(())
    } else {
        Err(Failure::passing_by(refusal::TOO_SLOW, "the server sends too slowly"))
    }
}

fn cut(have: u64, size: u64) -> Failure {
    Failure::passing_by(refusal::CONNECTION_CUT, format!("the connection ended after {have} of {size} bytes"))
}

/// Hashes what an earlier attempt left, and stands at its end; too much of it is thrown away.
fn resume(file: &mut std::fs::File, want: &Want<'_>) -> io::Result<(sha2::Sha256, u64)> {
    let have = file.metadata()?.len();
    if have > want.most() {
        return restart(file);
    }
    file.seek(io::SeekFrom::Start(0))?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut read = 0;
    while let n @ 1.. = file.read(&mut buffer)? {
        hash.update(buffer.get(..n).unwrap_or_default());
        read += n as u64;
    }
    Ok((hash, read))
}

fn restart(file: &mut std::fs::File) -> io::Result<(sha2::Sha256, u64)> {
    file.set_len(0)?;
    file.seek(io::SeekFrom::Start(0))?;
    Ok((sha2::Sha256::new(), 0))
}

#[cfg(test)]
mod tests;
