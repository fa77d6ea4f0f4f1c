//! Requests to one repository of a registry: who asks is told when the registry wants to know, redirects are followed,
//! what fails in passing is tried again.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use ureq::{Body, http::Response};

use super::{
    Credentials, Reference, Registry, RegistryError,
    challenge::{Challenge, challenges},
    credentials::Login,
};
use crate::{
    archive::{
        Fetcher,
        fetch::{Failure, network_failure, redirect_target},
        shown,
    },
    base::{Progress, Sha256, Sha256Writer, refusal},
    deb::shown as escaped,
};

/// Redirects followed for one answer.
const MAX_REDIRECTS: usize = 5;

/// Bytes of a manifest at most; registries refuse larger ones than this (distribution spec, “Pushing Manifests”).
pub(super) const MANIFEST: u64 = 4 << 20;

/// Bytes of an error's or a token's document that are read.
const SMALL: u64 = 256 << 10;

/// What is to be done with the repository: the end of a token's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actions {
    /// Read it.
    Pull,
    /// Write to it too.
    PullPush,
}

/// Speaks with a registry about one repository. Several threads may use it.
pub struct Client<'a> {
    fetcher: &'a Fetcher,
    credentials: &'a Credentials,
    reference: &'a Reference,
    actions: Actions,
    progress: &'a dyn Progress,
    /// What the registry has taken for `Authorization`.
    authorization: Mutex<Option<String>>,
}

/// A manifest or an index of manifests.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Of its bytes.
    pub digest: Sha256,
    /// As the registry says; empty if it does not.
    pub media_type: String,
}

/// Why an attempt failed.
enum Fault {
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

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
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

impl<'a> Client<'a> {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When the network is not to be touched.
    pub fn new(
        fetcher: &'a Fetcher,
        credentials: &'a Credentials,
        reference: &'a Reference,
        actions: Actions,
        progress: &'a dyn Progress,
    ) -> Result<Self, RegistryError> {
        if fetcher.is_offline() {
            return Err(RegistryError::Offline(reference.to_string()));
        }
        Ok(Self { fetcher, credentials, reference, actions, progress, authorization: Mutex::default() })
    }

    /// `path` of the repository, such as `blobs/sha256:…`.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.reference.registry().base(), self.reference.repository())
    }

    /// A manifest by tag or digest; one asked for by digest has it.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn manifest(&self, by: &str, wanted: Option<Sha256>, accept: &[&str]) -> Result<Document, RegistryError> {
        let url = self.url(&format!("manifests/{by}"));
        self.retrying(&url, || {
            let response = self.get(&url, accept)?;
            let text =
                |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let media_type = text("content-type").unwrap_or_default();
            let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            // What the registry itself says of a tag's manifest must be true at least.
            let said = text("docker-content-digest").and_then(|digest| digest.strip_prefix("sha256:")?.parse().ok());
            let length = length(&response);
            let mut bytes = Vec::new();
            let mut body = response.into_body().into_reader().take(MANIFEST + 1);
            body.read_to_end(&mut bytes).map_err(|error| Failure::passing(error.to_string()))?;
            let have = bytes.len() as u64;
            if have > MANIFEST {
                let (what, size) = (shown(&url), length.unwrap_or(have));
                return Err(Fault::End(RegistryError::TooLarge { what, size, limit: MANIFEST }));
            }
            if let Some(length) = length.filter(|length| have < *length) {
                return Err(cut(have, length).into());
            }
            let digest = Sha256::of(&bytes);
            match wanted.or(said) {
                Some(wanted) if wanted != digest => {
                    Err(Failure::Mismatch(refusal::DIGEST_MISMATCH, differs(digest, wanted)).into())
                }
                _ => Ok(Document { bytes, digest, media_type }),
            }
        })
    }

    /// Fetches a blob to `path`, where it appears when it is whole and has its digest.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn blob(&self, digest: Sha256, size: u64, path: &Path) -> Result<(), RegistryError> {
        let url = self.url(&format!("blobs/{digest}"));
        let part = path.with_extension("part");
        let mut reported = 0;
        self.retrying(&url, || {
            let disk = |source| Fault::End(RegistryError::Disk { path: path.into(), source });
            let response = self.get(&url, &[])?;
            if let Some(offered) = length(&response).filter(|offered| *offered != size) {
                let why = format!("the registry offers {offered} bytes instead of {size}");
                return Err(Failure::Mismatch(refusal::SIZE_MISMATCH, why).into());
            }
            let mut body = response.into_body().into_reader();
            let mut out = Sha256Writer::new(File::create(&part).map_err(disk)?);
            let deadline = self.fetcher.deadline(size);
            let mut buffer = vec![0; 64 << 10];
            loop {
                let n = body.read(&mut buffer).map_err(|error| Failure::passing(error.to_string()))?;
                let Some(chunk @ [_, ..]) = buffer.get(..n) else { break };
                if out.written() + n as u64 > size {
                    let why = format!("the registry sends more than {size} bytes");
                    return Err(Failure::Mismatch(refusal::BODY_TOO_LONG, why).into());
                }
                out.write_all(chunk).map_err(disk)?;
                self.progress.advance(out.written().saturating_sub(reported));
                reported = reported.max(out.written());
                if Instant::now() > deadline {
                    return Err(Failure::passing_by(refusal::TOO_SLOW, "the registry sends too slowly").into());
                }
            }
            let (_, found, have) = out.finish();
            if have < size {
                return Err(cut(have, size).into());
            }
            if found != digest {
                return Err(Failure::Mismatch(refusal::DIGEST_MISMATCH, differs(found, digest)).into());
            }
            std::fs::rename(&part, path).map_err(disk)
        })
    }

    /// Runs `attempt` until it works or there is no sense in going on.
    fn retrying<T>(&self, url: &str, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, RegistryError> {
        let settings = self.fetcher.settings();
        let mut mismatches = 0;
        let mut number = 1;
        loop {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(Fault::End(error)) => return Err(error),
                Err(Fault::Try(failure)) => failure,
            };
            let url = shown(url);
            let mut pause = settings.backoff.saturating_mul(1 << (number - 1).min(6));
            let why = match failure {
                Failure::Missing(why) => return Err(RegistryError::Missing { url, why }),
                Failure::Lasting(refusal, why) => {
                    return Err(RegistryError::Network { refusal, url, attempt: number, why });
                }
                Failure::Redirect(why) => {
                    let refusal = refusal::REDIRECT_REFUSED;
                    return Err(RegistryError::Network { refusal, url, attempt: number, why });
                }
                Failure::Disk(error) => return Err(RegistryError::Disk { path: error.path, source: error.source }),
                Failure::Mismatch(refusal, why) => {
                    mismatches += 1;
                    if mismatches > 1 || number >= settings.attempts {
                        return Err(RegistryError::Mismatch { refusal, url, why });
                    }
                    why
                }
                Failure::Passing { refusal, why, attempts, wait } => {
                    if number >= settings.attempts.min(attempts) {
                        return Err(RegistryError::Network { refusal, url, attempt: number, why });
                    }
                    pause = wait.map_or(pause, |wait| wait.min(settings.longest_wait));
                    why
                }
            };
            number += 1;
            self.progress.notice(&format!("{url}: {why}; trying again ({number} of {})", settings.attempts));
            std::thread::sleep(pause);
        }
    }

    /// One GET, redirects and all.
    fn get(&self, url: &str, accept: &[&str]) -> Result<Response<Body>, Fault> {
        let mut at = url.to_owned();
        // Whoever the registry sends us to need not know who we are.
        let mut is_own = true;
        let mut authorized = false;
        let mut redirects = 0;
        loop {
            let mut request = self.fetcher.agent().get(&at);
            for kind in accept {
                request = request.header("Accept", *kind);
            }
            let token = if is_own { self.known() } else { None };
            if let Some(token) = &token {
                request = request.header("Authorization", token);
            }
            let mut response = request.call().map_err(network_failure)?;
            let status = response.status().as_u16();
            match status {
                200 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => {
                    let to = response.headers().get("location").and_then(|to| to.to_str().ok());
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
                    self.authorize(&response, url)?;
                }
                401 | 403 => return Err(Fault::End(self.denied(url, &said(&mut response)))),
                404 | 410 => return Err(Failure::Missing(said(&mut response)).into()),
                408 | 429 | 500..=599 => {
                    let seconds =
                        response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
                    let wait = seconds.map(|seconds: u64| std::time::Duration::from_secs(seconds.min(20)));
                    let why = said(&mut response);
                    return Err(
                        Failure::Passing { refusal: refusal::SERVER_FAILED, why, attempts: u32::MAX, wait }.into()
                    );
                }
                _ => return Err(Failure::Lasting(refusal::SERVER_FAILED, said(&mut response)).into()),
            }
        }
    }

    fn known(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finds what the registry will take, and keeps it.
    fn authorize(&self, response: &Response<Body>, url: &str) -> Result<(), Fault> {
        let headers = response.headers().get_all("www-authenticate");
        let all: Vec<Challenge> = headers.iter().filter_map(|text| text.to_str().ok()).flat_map(challenges).collect();
        let of = |scheme: &str| all.iter().find(|challenge| challenge.scheme == scheme);
        let login = self.credentials.login(self.reference);
        let taken = match (of("bearer"), of("basic"), login) {
            (Some(bearer), ..) => format!("Bearer {}", self.token(bearer, login, url)?),
            (None, Some(_), Some(Login::Basic { user, password })) => basic(user, password),
            (None, Some(_), _) => return Err(Fault::End(self.denied(url, "HTTP 401: it wants a name and a password"))),
            (None, None, _) => {
                let why = "HTTP 401: it wants to know who asks in a way that compose does not know";
                return Err(Fault::End(self.denied(url, why)));
            }
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(())
    }

    /// A token of the server that the challenge names (distribution: “Token Authentication Specification”, and with an
    /// identity token “OAuth2 Token Authentication”).
    fn token(&self, bearer: &Challenge, login: Option<&Login>, url: &str) -> Result<String, Fault> {
        let refuse = |why: String| Fault::End(self.denied(url, &why));
        let realm = bearer.parameters.get("realm").map(String::as_str).unwrap_or_default();
        let secure = match realm.split_once("://") {
            Some(("https", rest)) => !rest.is_empty(),
            Some(("http", rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                Registry::is_loopback_host(host)
            }
            _ => false,
        };
        if !secure || realm.contains(|c: char| !c.is_ascii_graphic()) {
            let realm = escaped(realm.as_bytes());
            return Err(refuse(format!("it asks for a token of “{realm}”, which is not an https:// address")));
        }
        let service = bearer.parameters.get("service").cloned().unwrap_or_default();
        let actions = match self.actions {
            Actions::Pull => "pull",
            Actions::PullPush => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.reference.repository());
        let agent = self.fetcher.agent();
        let response = match login {
            Some(Login::Identity(token)) => agent.post(realm).send_form([
                ("grant_type", "refresh_token"),
                ("service", &service),
                ("scope", &scope),
                ("client_id", "compose"),
                ("refresh_token", token),
            ]),
            _ => {
                let mut request = agent.get(realm).query("service", &service).query("scope", &scope);
                if let Some(Login::Basic { user, password }) = login {
                    request = request.header("Authorization", basic(user, password));
                }
                request.call()
            }
        };
        let mut response = response.map_err(network_failure)?;
        match response.status().as_u16() {
            200 => {}
            400 | 401 | 403 | 404 => {
                let why = format!("{} gives no token for it ({})", shown(realm), said(&mut response));
                return Err(refuse(why));
            }
            status => {
                return Err(Failure::passing_by(
                    refusal::SERVER_FAILED,
                    format!("{} answers HTTP {status}", shown(realm)),
                )
                .into());
            }
        }
        let mut bytes = Vec::new();
        let read = response.into_body().into_reader().take(SMALL).read_to_end(&mut bytes);
        read.map_err(|error| Failure::passing(error.to_string()))?;
        let token = serde_json::from_slice::<Token>(&bytes).ok().and_then(|found| found.token.or(found.access_token));
        // It becomes part of a header.
        token
            .filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| refuse(format!("{} answers without a token", shown(realm))))
    }

    fn denied(&self, url: &str, why: &str) -> RegistryError {
        let registry = self.reference.registry();
        let next = match (self.credentials.login(self.reference), self.credentials.helper(self.reference)) {
            (None, Some(helper)) => format!(
                "a secret for {registry} may be with docker-credential-{}, and compose runs no credential helpers: log in with podman login {registry}, which keeps it in a file",
                escaped(helper.as_bytes())
            ),
            (None, None) => format!(
                "if the image is not public, log in with docker login {registry} or podman login {registry}; else check its name"
            ),
            (Some(_), _) => format!("check that whoever is logged in to {registry} here may read it"),
        };
        RegistryError::Denied { url: shown(url), why: why.into(), next }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn length(response: &Response<Body>) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

fn differs(found: Sha256, wanted: Sha256) -> String {
    format!("its digest is {found} instead of {wanted}")
}

fn cut(have: u64, size: u64) -> Failure {
    Failure::passing_by(refusal::CONNECTION_CUT, format!("the connection ended after {have} of {size} bytes"))
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let host = url.get(end..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| end + at);
    url.get(..host).unwrap_or(url).to_ascii_lowercase()
}

/// The status, and what the registry says of it in its own words (distribution spec, “Error Codes”).
fn said(response: &mut Response<Body>) -> String {
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
