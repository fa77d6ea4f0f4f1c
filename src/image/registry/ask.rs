//! One request to a registry, redirects and all; no retries.
//!
//! In: an [`Ask`]. Out: the answer, or a [`Fault`] that says whether trying again may help. Who asks is told to the
//! registry alone, when it wants to know, and to no other host that it sends us to.

use std::{
    io::{self, Read},
    time::Duration,
};

use serde::Deserialize;
use ureq::{
    Body, SendBody,
    http::{Method, Request, Response},
};

use super::{Client, RegistryError};
use crate::{
    archive::fetch::{Failure, network_failure, redirect_target},
    base::refusal,
    deb::shown as escaped,
};

/// Redirects followed for one answer.
const MAX_REDIRECTS: usize = 5;

/// Bytes of an error's or a token's document that are read.
pub(super) const SMALL: u64 = 256 << 10;

/// How long a registry may think about what it was sent: it may hash and move a large blob before it answers.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why an attempt failed.
pub(super) enum Fault {
    /// Perhaps in passing.
    Try(Failure),
    /// For good.
    End(RegistryError),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Try(failure)
    }
}

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a str,
    /// Media types that are understood.
    pub(super) accept: &'a [&'a str],
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: Option<&'a Content<'a>>,
    /// Statuses that whoever asks understands, besides those of success.
    pub(super) takes: &'a [u16],
    /// Another repository that has to be read for it; empty for none.
    pub(super) and: &'a str,
}

/// What is sent: read anew for each attempt.
pub(super) struct Content<'a> {
    pub(super) length: u64,
    pub(super) open: &'a dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    code: Option<String>,
    message: Option<String>,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub(super) fn new(method: &'a Method, url: &'a str) -> Self {
        Self { method, url, accept: &[], headers: &[], body: None, takes: &[], and: "" }
    }

    /// GET.
    pub(super) fn get(url: &'a str) -> Self {
        Self::new(&Method::GET, url)
    }
}

impl Client<'_> {
    /// Asks, and asks again as whoever is logged in if the registry wants to know.
    pub(super) fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, Fault> {
        let mut at = ask.url.to_owned();
        // Whoever the registry sends us to need not know who we are.
        let mut is_own = origin(&at) == origin(&self.reference.registry().base());
        let mut authorized = false;
        let mut redirects = 0;
        loop {
            let known = if is_own { self.known(ask.and) } else { None };
            let mut response = self.once(ask, &at, known.as_deref())?;
            let status = response.status().as_u16();
            match status {
                status if ask.takes.contains(&status) => return Ok(response),
                200..=299 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => {
                    let reads = *ask.method == Method::GET || *ask.method == Method::HEAD;
                    if !reads && !matches!(status, 307 | 308) {
                        return Err(
                            Failure::Redirect(format!("HTTP {status}: a redirect that loses what is sent")).into()
                        );
                    }
                    let to = header(&response, "location");
                    let to = to.ok_or_else(|| Failure::Redirect("it redirects to nowhere".into()))?;
                    let next = redirect_target(&at, to)?;
                    is_own = is_own && origin(&next) == origin(&at);
                    at = next;
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        return Err(Failure::Redirect(format!("it redirects more than {MAX_REDIRECTS} times")).into());
                    }
                }
                // Once, also with what was taken before: tokens grow old.
                401 if is_own && !authorized => {
                    authorized = true;
                    self.authorize(&response, ask, known.as_deref())?;
                }
                401 | 403 => return Err(Fault::End(self.denied(ask.url, &said(&mut response)))),
                404 | 410 => return Err(Failure::Missing(said(&mut response)).into()),
                408 | 429 | 500..=599 => {
                    let seconds = header(&response, "retry-after").and_then(|wait| wait.parse().ok());
                    let wait = seconds.map(|seconds: u64| Duration::from_secs(seconds));
                    let why = said(&mut response);
                    return Err(
                        Failure::Passing { refusal: refusal::SERVER_FAILED, why, attempts: u32::MAX, wait }.into()
                    );
                }
                _ => return Err(Failure::Lasting(refusal::SERVER_FAILED, said(&mut response)).into()),
            }
        }
    }

    fn once(&self, ask: &Ask<'_>, at: &str, authorization: Option<&str>) -> Result<Response<Body>, Fault> {
        let bad = |error: ureq::http::Error| Failure::Redirect(format!("it leads to what is no address ({error})"));
        let agent = self.fetcher.agent_for(at);
        let mut request = Request::builder().method(ask.method).uri(at);
        for kind in ask.accept {
            request = request.header("Accept", *kind);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, value);
        }
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let Some(Content { length, open }) = ask.body else {
            return Ok(agent.run(request.body(SendBody::none()).map_err(bad)?).map_err(network_failure)?);
        };
        let mut content = open().map_err(|error| {
            Failure::Lasting(refusal::IMAGE_FILE_UNREADABLE, format!("cannot read what is sent: {error}"))
        })?;
        let request = request.header("Content-Length", length.to_string());
        let request = request.body(SendBody::from_reader(&mut content)).map_err(bad)?;
        let request = agent.configure_request(request).timeout_recv_response(Some(PATIENCE)).build();
        Ok(agent.run(request).map_err(network_failure)?)
    }
}

pub(super) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

pub(super) fn length(response: &Response<Body>) -> Option<u64> {
    header(response, "content-length")?.parse().ok()
}

/// `Content-Type`, without its parameters.
pub(super) fn media_type(response: &Response<Body>) -> String {
    let text = header(response, "content-type").unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Scheme, host and port of a URL; the port only where it is not the scheme's own.
pub(super) fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let host = url.get(end..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| end + at);
    let origin = url.get(..host).unwrap_or(url).to_ascii_lowercase();
    let own = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(own).map(str::to_owned).unwrap_or(origin)
}

/// The status, and what the registry says of it in its own words (distribution spec, “Error Codes”).
pub(super) fn said(response: &mut Response<Body>) -> String {
    let mut out = format!("HTTP {}", response.status().as_u16());
    let mut bytes = Vec::new();
    let read = response.body_mut().as_reader().take(SMALL).read_to_end(&mut bytes);
    let errors = read.ok().and_then(|_| serde_json::from_slice::<Errors>(&bytes).ok());
    if let Some(first) = errors.as_ref().and_then(|all| all.errors.first()) {
        for text in [&first.code, &first.message].into_iter().flatten() {
            out += &format!(": {}", escaped(text.as_bytes()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_the_same_however_it_is_written() {
        for (url, wanted) in [
            ("https://R.example.com/v2/", "https://r.example.com"),
            ("https://r.example.com:443/x?y", "https://r.example.com"),
            ("https://r.example.com:80", "https://r.example.com:80"),
            ("http://127.0.0.1:80#x", "http://127.0.0.1"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("https://name@r.example.com/", "https://name@r.example.com"),
            ("https://r.example.com.other.example.com/", "https://r.example.com.other.example.com"),
        ] {
            assert_eq!(origin(url), wanted, "{url}");
        }
    }
}
