//! One GET over http, https or file, redirects and all; no retries.
//!
//! In: a URL and an offset to resume from. Out: [`Reply`], or a [`Failure`] that says whether trying again may help.

use std::{
    fs,
    io::{self, Read, Seek as _},
    path::PathBuf,
    time::Duration,
};

use crate::{
    base::{
        refusal::{self, Refusal},
        words,
    },
    store::StoreError,
};

/// Redirects followed in one GET.
const MAX_REDIRECTS: usize = 5;

/// What a server sends.
pub(super) struct Reply {
    /// Bytes from `offset` on.
    pub body: Box<dyn Read + Send>,
    /// Where in the file the body starts: what was asked for, or 0.
    pub offset: u64,
    /// Length of the body, if told.
    pub length: Option<u64>,
    /// What tells this state of the file from others.
    pub validators: Validators,
    /// It is what is there already: the body is empty.
    pub is_unchanged: bool,
}

/// What tells one state of a file from others (RFC 9110, 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 404, 410, or no such file.
    Missing(String),
    /// It may work next time.
    Passing {
        /// Its code.
        refusal: &'static Refusal,
        /// What happened.
        why: String,
        /// Attempts in all that make sense.
        attempts: u32,
        /// The server's wish.
        wait: Option<Duration>,
    },
    /// It will not.
    Lasting(&'static Refusal, String),
    /// The server leads to where nobody may go.
    Redirect(String),
    /// Not the bytes that the index promised.
    Mismatch(&'static Refusal, String),
    /// This machine's disk.
    Disk(StoreError),
}

impl Failure {
    pub fn passing(why: impl Into<String>) -> Self {
        Self::passing_by(refusal::UNREACHABLE, why)
    }

    pub fn passing_by(refusal: &'static Refusal, why: impl Into<String>) -> Self {
        Self::Passing { refusal, why: why.into(), attempts: u32::MAX, wait: None }
    }
}

/// Fetches `url` from `offset` on.
pub(super) fn get(agent: &ureq::Agent, url: &str, offset: u64) -> Result<Reply, Failure> {
    ask(agent, url, offset, None)
}

/// Fetches `url` unless it is as `known`, packed if the server can.
pub(super) fn get_changed(agent: &ureq::Agent, url: &str, known: &Validators) -> Result<Reply, Failure> {
    ask(agent, url, 0, Some(known))
}

fn ask(agent: &ureq::Agent, url: &str, offset: u64, known: Option<&Validators>) -> Result<Reply, Failure> {
    let mut at = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        if at.starts_with("file:") {
            return open(&at, offset);
        }
        let mut request = agent.get(&at);
        if offset > 0 {
            request = request.header("Range", format!("bytes={offset}-"));
        }
        if let Some(known) = known {
            request = request.header("Accept-Encoding", "gzip");
            for (name, value) in [("If-None-Match", &known.etag), ("If-Modified-Since", &known.last_modified)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        let response = request.call().map_err(failed)?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        match status {
            301 | 302 | 303 | 307 | 308 => {
                let to = header("location").ok_or_else(|| Failure::Redirect("it redirects to nowhere".into()))?;
                at = redirect(&at, to)?;
            }
            206 if offset > 0 => {
                let start =
                    header("content-range").and_then(|r| r.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
                if start != Some(offset) {
                    let why = "the server resumed at another place than asked";
                    return Err(Failure::passing_by(refusal::SERVER_FAILED, why));
                }
                let length = length(&response);
                let body = Box::new(response.into_body().into_reader());
                return Ok(Reply { body, offset, length, validators: Validators::default(), is_unchanged: false });
            }
            200 => {
                let length = length(&response);
                // No longer than a header need be.
                let said = |name| header(name).filter(|text| text.len() < 1000).map(str::to_owned);
                let validators = Validators { etag: said("etag"), last_modified: said("last-modified") };
                let is_packed = header("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
                let body = response.into_body().into_reader();
                if is_packed && known.is_some() {
                    // Its end is known by its checksum.
                    let body = Box::new(flate2::read::MultiGzDecoder::new(body));
                    return Ok(Reply { body, offset: 0, length: None, validators, is_unchanged: false });
                }
                return Ok(Reply { body: Box::new(body), offset: 0, length, validators, is_unchanged: false });
            }
            304 if known.is_some() => {
                let (body, validators) = (Box::new(io::empty()), Validators::default());
                return Ok(Reply { body, offset: 0, length: None, validators, is_unchanged: true });
            }
            416 if offset > 0 => return get(agent, url, 0),
            404 | 410 => return Err(Failure::Missing(format!("HTTP {status}"))),
            408 | 429 | 500..=599 => {
                let wait = header("retry-after").and_then(|s| s.parse().ok()).map(Duration::from_secs);
                return Err(Failure::Passing {
                    refusal: refusal::SERVER_FAILED,
                    why: format!("HTTP {status}"),
                    attempts: u32::MAX,
                    wait,
                });
            }
            401 | 403 => {
                return Err(Failure::Lasting(
                    refusal::ACCESS_DENIED,
                    format!("HTTP {status}: the server refuses access"),
                ));
            }
            _ => return Err(Failure::Lasting(refusal::SERVER_FAILED, format!("HTTP {status}"))),
        }
    }
    Err(Failure::Redirect(format!("it redirects more than {MAX_REDIRECTS} times")))
}

fn length(response: &ureq::http::Response<ureq::Body>) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// Where a redirect leads: never away from https, never to anything but the web.
pub(crate) fn redirect(from: &str, to: &str) -> Result<String, Failure> {
    // A query may be a signature that opens something.
    let bare = to.split('?').next().unwrap_or_default();
    let refuse = |why: &str| Err(Failure::Redirect(format!("it redirects to {}, and {why}", super::shown(bare))));
    let (scheme, rest) = from.split_once("://").unwrap_or((from, ""));
    let to = to.split('#').next().unwrap_or_default();
    let host_end = rest.find(['/', '?']).unwrap_or(rest.len());
    // A name before the first of `:/?` and then `:` is a scheme (RFC 3986, 4.2).
    let absolute = to.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    let target = if absolute {
        to.to_owned()
    } else if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{}{}", rest.get(..host_end).unwrap_or_default(), without_dots(to))
    } else {
        let (host, path) = rest.split_at_checked(host_end).unwrap_or((rest, ""));
        let path = path.split('?').next().unwrap_or_default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{host}{}", without_dots(&format!("{folder}/{to}")))
    };
    let lower = target.get(..8).unwrap_or(&target).to_ascii_lowercase();
    if lower.starts_with("https://") || (lower.starts_with("http://") && scheme == "http") {
        Ok(target)
    } else if lower.starts_with("http://") {
        refuse("that would leave the encrypted connection")
    } else {
        refuse("only http and https are followed")
    }
}

/// An absolute path and query without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = path.split('/').skip(1).peekable();
    while let Some(part) = rest.next() {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
        // A folder at the end keeps its slash.
        if rest.peek().is_none() && matches!(part, "." | "..") {
            parts.push("");
        }
    }
    format!("/{}{query}", parts.join("/"))
}

/// Opens a `file:` URL.
fn open(url: &str, offset: u64) -> Result<Reply, Failure> {
    let path = file_path(url).ok_or_else(|| {
        Failure::Lasting(refusal::LOCAL_FILE_UNREADABLE, "not an absolute path on this machine".into())
    })?;
    let mut file = fs::File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::Missing("no such file".into()),
        _ => Failure::Lasting(refusal::LOCAL_FILE_UNREADABLE, error.to_string()),
    })?;
    let failed = |error: io::Error| Failure::Lasting(refusal::LOCAL_FILE_UNREADABLE, error.to_string());
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::Lasting(refusal::LOCAL_FILE_UNREADABLE, "not a regular file".into()));
    }
    let offset = if offset <= meta.len() { offset } else { 0 };
    file.seek(io::SeekFrom::Start(offset)).map_err(failed)?;
    let (body, length) = (Box::new(file), Some(meta.len() - offset));
    Ok(Reply { body, offset, length, validators: Validators::default(), is_unchanged: false })
}

/// `file:/a`, `file:///a` and `file://localhost/a`, percent-decoded (RFC 8089).
pub fn file_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file:")?;
    let path = rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let path = words::percent_decoded(path)?;
    Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path)))
}

/// Sorts ureq's errors by whether trying again may help.
pub(crate) fn failed(error: ureq::Error) -> Failure {
    use io::ErrorKind as K;
    let (refusal, why) = (refusal::UNREACHABLE, error.to_string());
    match &error {
        ureq::Error::HostNotFound => Failure::Passing { refusal, why: "no such host".into(), attempts: 2, wait: None },
        ureq::Error::ConnectionFailed => Failure::Passing { refusal, why, attempts: 2, wait: None },
        ureq::Error::Io(io) => match io.kind() {
            K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable => {
                Failure::Passing { refusal, why, attempts: 2, wait: None }
            }
            K::InvalidData => Failure::Lasting(refusal::TLS_FAILED, tls_hint(&why)),
            _ => Failure::passing(why),
        },
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Failure::passing(why),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Failure::Lasting(refusal::TLS_FAILED, tls_hint(&why)),
        _ => Failure::Lasting(refusal, why),
    }
}

fn tls_hint(why: &str) -> String {
    format!(
        "{why} (if this machine has no CA certificates, install ca-certificates; an http:// mirror is verified by its signatures all the same)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_go_where_they_may() {
        let ok = [
            ("http://a/x/y?q", "z", "http://a/x/z"),
            ("http://a/x/y", "/z", "http://a/z"),
            ("http://a/x", "//b/z", "http://b/z"),
            ("http://a/x", "https://b/z#f", "https://b/z"),
            ("https://a/x", "HTTPS://b/z", "HTTPS://b/z"),
            ("http://a", "/z", "http://a/z"),
            ("http://a", "z", "http://a/z"),
            ("http://a?q/r", "z", "http://a/z"),
            ("http://a/x/y/z?q", "../w?../q", "http://a/x/w?../q"),
            ("http://a/x/y", "../../../w/./v/..", "http://a/w/"),
            ("http://a/x/y", "/v//../w/.", "http://a/v/w/"),
        ];
        for (from, to, target) in ok {
            assert_eq!(redirect(from, to).ok().as_deref(), Some(target));
        }
        let bad = [
            ("https://a/x", "http://a/x"),
            ("http://a/x", "file:///etc/passwd"),
            ("http://a/x", "FILE:/etc/passwd"),
            ("http://a/x", "ftp://a/x"),
            ("http://a/x", "data:,x"),
            ("https://a/x", "é://"),
        ];
        for (from, to) in bad {
            assert!(redirect(from, to).is_err(), "{from} {to}");
        }
    }

    #[test]
    fn file_urls() {
        let cases = [
            ("file:/a/b", Some("/a/b")),
            ("file:///a%20b%2B", Some("/a b+")),
            ("file://localhost/a", Some("/a")),
            ("file://example.com/a", None),
            ("file:a", None),
            ("file:/a%2", None),
            ("file:/a%zz", None),
        ];
        for (url, path) in cases {
            assert_eq!(file_path(url), path.map(PathBuf::from), "{url}");
        }
    }
}
