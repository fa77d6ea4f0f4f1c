//! One blob, brought to a repository (distribution spec 1.1, “Pushing Blobs”).
//!
//! In: a [`Part`], perhaps a repository that has it. Out: [`Sent`], once the registry has the blob under its digest. What
//! is there is not sent; what another repository has is mounted; what fits into one chunk is sent whole, the rest chunk
//! by chunk, and from where the registry says after a connection broke. An upload that comes to nothing is cancelled.

use std::{
    cell::Cell,
    io::{self, Read},
    time::Instant,
};

use ureq::{
    Body,
    http::{Method, Response},
};

use super::{
    Client, RegistryError,
    ask::{Ask, Content, Fault, header, length, said},
    client::content_digest,
    error::WHOEVER,
};
use crate::{
    archive::{
        fetch::{Failure, redirect_target},
        shown,
    },
    base::{refusal, words},
    image::pushable::Part,
};

/// Bytes of one request. Registries on object stores want 5 MiB at least; proxies before them take so much as a rule.
const CHUNK: u64 = 8 << 20;

/// Bytes of the smallest chunks that are tried when larger ones are refused; nginx takes 1 MiB unless told otherwise.
const SMALLEST: u64 = 256 << 10;

/// How often another way is tried, or the same from the beginning.
const TRIES: u32 = 6;

/// So many chunks more than twice what there are to be may be sent, as a registry has kept only parts of them.
const PARTS: u64 = 8;

const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was already.
    There,
    /// Another repository lent it.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// Why a way does not lead there, and another may.
enum Stop {
    /// The registry has lost the upload, or has another state of it.
    Restart(String),
    /// It takes no body of this length.
    TooLarge(String),
    /// It takes no chunks.
    NoChunks(String),
}

/// Whether a step worked; what is neither is an error beside it.
type Step = Result<(), Stop>;

#[derive(Clone, Copy)]
enum Way {
    Whole,
    Chunks(u64),
}

/// An upload as the registry knows it.
struct Session {
    url: String,
    /// Bytes that are there.
    offset: u64,
    /// Bytes of a chunk, at least, as the registry wants it.
    least: u64,
}

struct Upload<'u, 'a> {
    client: &'u Client<'a>,
    part: &'u Part,
    /// For messages: a session's URL may hold a secret.
    url: String,
    /// Bytes that progress has heard of.
    reported: Cell<u64>,
}

/// Brings the blob there; `from` is a repository of the same registry that may have it.
pub(super) fn upload(client: &Client<'_>, part: &Part, from: Option<&str>) -> Result<Sent, RegistryError> {
    let upload = Upload { client, part, url: client.url(&format!("blobs/{}", part.digest)), reported: Cell::new(0) };
    let sent = upload.run(from)?;
    upload.report(part.size);
    Ok(sent)
}

impl Upload<'_, '_> {
    fn run(&self, from: Option<&str>) -> Result<Sent, RegistryError> {
        if self.client.retrying(&self.url, |_| self.is_there())? {
            return Ok(Sent::There);
        }
        let mut session = None;
        if let Some(from) = from {
            match self.mount(from) {
                Some(None) => return Ok(Sent::Mounted),
                Some(mounted) => session = mounted,
                None => {}
            }
        }
        let size = self.part.size;
        let mut way = if size <= CHUNK { Way::Whole } else { Way::Chunks(CHUNK) };
        for attempt in 1..=TRIES {
            let stop = match way {
                Way::Whole => self.whole(session.take()),
                Way::Chunks(chunk) => self.chunks(session.take(), chunk),
            };
            let Err(stop) = stop.map_err(|error| self.explained(error))? else { return Ok(Sent::Uploaded) };
            let failed = |why, next: String| {
                Err(RegistryError::Push { refusal: refusal::PUSH_REFUSED, url: shown(&self.url), attempt, why, next })
            };
            let why = match stop {
                Stop::TooLarge(why) => {
                    let was = match way {
                        Way::Whole => size,
                        Way::Chunks(chunk) => chunk.min(size),
                    };
                    if was / 4 < SMALLEST {
                        let was = words::bytes(was);
                        let next = format!(
                            "not even {was} at once are taken: have whoever runs the registry, or a proxy before it, raise its limit (nginx: client_max_body_size)"
                        );
                        return failed(why, next);
                    }
                    way = Way::Chunks(was / 4);
                    why
                }
                Stop::NoChunks(why) => {
                    way = Way::Whole;
                    why
                }
                Stop::Restart(why) => {
                    if self.client.retrying(&self.url, |_| self.is_there())? {
                        return Ok(Sent::Uploaded);
                    }
                    // Some lose every upload that comes in chunks.
                    if attempt == TRIES / 2 {
                        way = Way::Whole;
                    }
                    why
                }
            };
            if attempt == TRIES {
                return failed(why, WHOEVER.into());
            }
            self.client.progress.notice(&format!("{}: {why}; beginning anew", shown(&self.url)));
        }
        Ok(Sent::Uploaded)
    }

    /// A registry that knows nothing of the repository does not make them by itself.
    fn explained(&self, error: RegistryError) -> RegistryError {
        self.client.no_repository(error)
    }

    fn is_there(&self) -> Result<bool, Fault> {
        let response = self.client.send(&Ask { takes: &[404, 405], ..Ask::new(&Method::HEAD, &self.url) })?;
        // One of another length is not it, whatever the registry says.
        Ok(response.status() == 200 && length(&response).is_none_or(|length| length == self.part.size))
    }

    /// Asks for the blob of another repository: `None` if that cannot be, `Some(None)` if it is there now.
    fn mount(&self, from: &str) -> Option<Option<Session>> {
        let (digest, from_encoded) = (self.part.digest, from.replace('/', "%2F"));
        let url = self.client.url(&format!("blobs/uploads/?mount={digest}&from={from_encoded}"));
        let body = Content { length: 0, open: &|| Ok(Box::new(io::empty())) };
        let ask = Ask { body: Some(&body), and: from, ..Ask::new(&Method::POST, &url) };
        // Whatever is wrong with it, the ordinary way remains.
        let response = self.client.send(&ask).ok()?;
        match response.status().as_u16() {
            201 if self.is_there().unwrap_or(false) => Some(None),
            202 => session(&url, &response).ok().map(Some),
            _ => None,
        }
    }

    fn start(&self) -> Result<Session, Fault> {
        let url = self.client.url("blobs/uploads/");
        let body = Content { length: 0, open: &|| Ok(Box::new(io::empty())) };
        let response = self.client.send(&Ask { body: Some(&body), ..Ask::new(&Method::POST, &url) })?;
        session(&url, &response)
    }

    /// Everything in one request.
    fn whole(&self, mut first: Option<Session>) -> Result<Step, RegistryError> {
        self.client.retrying(&self.url, |attempt| {
            if attempt > 1 && self.is_there()? {
                return Ok(Ok(()));
            }
            let session = match first.take() {
                Some(session) => session,
                None => self.start()?,
            };
            let step = self.finish(&session, 0);
            // What a broken request left there would come before the next one's bytes.
            self.unless_done(&session, step)
        })
    }

    /// Chunk after chunk, then the digest.
    fn chunks(&self, first: Option<Session>, chunk: u64) -> Result<Step, RegistryError> {
        let mut session = match first {
            Some(session) => session,
            None => self.client.retrying(&self.url, |_| self.start())?,
        };
        let chunk = chunk.max(session.least);
        let step = self.fill(&mut session, chunk);
        self.unless_done(&session, step)
    }

    fn fill(&self, session: &mut Session, chunk: u64) -> Result<Step, RegistryError> {
        let size = self.part.size;
        // One may keep a part of what it is sent, and now and then a connection breaks.
        let mut left = 2 * size.div_ceil(chunk.max(1)) + PARTS;
        while session.offset < size {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return Ok(Err(Stop::NoChunks("it keeps only a small part of each chunk".into()))),
            };
            let end = session.offset.saturating_add(chunk).min(size);
            let step = self.client.retrying(&self.url, |attempt| {
                if attempt > 1
                    && let Err(stop) = self.resume(session)?
                {
                    return Ok(Err(stop));
                }
                if session.offset >= end { Ok(Ok(())) } else { self.patch(session, end, attempt) }
            })?;
            if step.is_err() {
                return Ok(step);
            }
        }
        self.client.retrying(&self.url, |attempt| {
            if attempt > 1 && self.is_there()? { Ok(Ok(())) } else { self.finish(session, size) }
        })
    }

    fn patch(&self, session: &mut Session, end: u64, attempt: u32) -> Result<Step, Fault> {
        let from = session.offset;
        let headers = [("Content-Range", format!("{from}-{}", end - 1)), (OCTETS.0, OCTETS.1.to_owned())];
        let open = || Ok(self.reader(from, end));
        let body = Content { length: end - from, open: &open };
        let takes = &[400, 404, 405, 413, 415, 416, 501];
        let ask = Ask { headers: &headers, body: Some(&body), takes, ..Ask::new(&Method::PATCH, &session.url) };
        let mut response = self.client.send(&ask)?;
        match response.status().as_u16() {
            404 => return Ok(Err(Stop::Restart(said(&mut response)))),
            413 => return Ok(Err(Stop::TooLarge(said(&mut response)))),
            416 if attempt > 1 => return Ok(Err(Stop::Restart(said(&mut response)))),
            416 => return Err(Failure::passing(said(&mut response)).into()),
            400 | 405 | 415 | 501 => return Ok(Err(Stop::NoChunks(said(&mut response)))),
            _ => {}
        }
        session.follow(&response)?;
        let have = range(&response).unwrap_or(end);
        if have <= from || have > end {
            let why = format!("the registry has {have} bytes, it says, after bytes {from} to {end} were sent");
            return Err(Failure::passing(why).into());
        }
        session.offset = have;
        Ok(Ok(()))
    }

    /// Learns where the registry stands.
    fn resume(&self, session: &mut Session) -> Result<Step, Fault> {
        let ask = Ask { takes: &[400, 404, 405], ..Ask::get(&session.url) };
        let mut response = self.client.send(&ask)?;
        if !response.status().is_success() {
            return Ok(Err(Stop::Restart(said(&mut response))));
        }
        match range(&response).filter(|have| *have <= self.part.size) {
            None => Ok(Err(Stop::Restart("the registry does not say how much it has of it".into()))),
            Some(have) => {
                session.follow(&response)?;
                session.offset = have;
                Ok(Ok(()))
            }
        }
    }

    /// Sends what is left from `from` on, and the digest: then the blob is there.
    fn finish(&self, session: &Session, from: u64) -> Result<Step, Fault> {
        let (digest, size) = (self.part.digest, self.part.size);
        let mark = if session.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{mark}digest={digest}", session.url);
        let headers = [(OCTETS.0, OCTETS.1.to_owned())];
        let open = || Ok(self.reader(from, size));
        let body = Content { length: size - from, open: &open };
        let takes = &[400, 404, 413, 416];
        let ask = Ask { headers: &headers, body: Some(&body), takes, ..Ask::new(&Method::PUT, &url) };
        let mut response = self.client.send(&ask)?;
        match response.status().as_u16() {
            400 | 404 | 416 => return Ok(Err(Stop::Restart(said(&mut response)))),
            413 => return Ok(Err(Stop::TooLarge(said(&mut response)))),
            _ => {}
        }
        match content_digest(&response) {
            Some(found) if found != digest => {
                let (url, found) = (shown(&self.url), found.to_string());
                Err(Fault::End(RegistryError::Altered { url, found, wanted: digest }))
            }
            _ => Ok(Ok(())),
        }
    }

    /// Cancels the upload unless it is done. That the registry has to do it by itself later is no harm.
    fn unless_done<E>(&self, session: &Session, step: Result<Step, E>) -> Result<Step, E> {
        if !matches!(step, Ok(Ok(()))) {
            let _ = self.client.send(&Ask::new(&Method::DELETE, &session.url));
        }
        step
    }

    /// The blob's bytes, with an eye on the clock; progress hears of them once.
    fn reader(&self, from: u64, to: u64) -> Box<dyn Read + '_> {
        let inner = self.part.reader(from).take(to - from);
        Box::new(Watched { inner, at: from, deadline: self.client.fetcher.deadline(to - from), upload: self })
    }

    fn report(&self, to: u64) {
        self.client.progress.advance(to.saturating_sub(self.reported.get()));
        self.reported.set(self.reported.get().max(to));
    }
}

struct Watched<'w, R> {
    inner: R,
    at: u64,
    deadline: Instant,
    upload: &'w Upload<'w, 'w>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the registry takes it too slowly"));
        }
        let n = self.inner.read(buf)?;
        self.at += n as u64;
        self.upload.report(self.at);
        Ok(n)
    }
}

impl Session {
    /// Goes where the registry says that the upload goes on.
    fn follow(&mut self, response: &Response<Body>) -> Result<(), Failure> {
        if let Some(to) = header(response, "location") {
            self.url = redirect_target(&self.url, to)?;
        }
        Ok(())
    }
}

fn session(url: &str, response: &Response<Body>) -> Result<Session, Fault> {
    let to = header(response, "location").ok_or_else(|| {
        Failure::Lasting(refusal::PUSH_REFUSED, "the registry does not say where the upload goes".into())
    })?;
    let least = header(response, "oci-chunk-min-length").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Ok(Session { url: redirect_target(url, to)?, offset: 0, least })
}

/// How many bytes the registry has: `Range: 0-99` are a hundred. It says `0-0` of none.
fn range(response: &Response<Body>) -> Option<u64> {
    let text = header(response, "range")?.trim();
    let (first, last) = text.strip_prefix("bytes=").unwrap_or(text).split_once('-')?;
    let last: u64 = last.parse().ok().filter(|_| first == "0")?;
    if last == 0 { Some(0) } else { last.checked_add(1) }
}
