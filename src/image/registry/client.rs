//! One repository of a registry, to be read: manifests and blobs, each compared with its digest while it streams. What
//! fails in passing is tried again.
//!
//! In: a [`Reference`], the [`Credentials`] of this machine. Out: [`Document`]s, files. [`super::ask`] makes the single
//! request, [`super::authorize`] says who asks, [`super::push`] writes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    sync::{Mutex, OnceLock},
    time::Instant,
};

use super::{
    Credentials, Reference, RegistryError,
    ask::{Ask, Fault, header, length, media_type},
    credentials::Login,
    error::{AGAIN, WHOEVER},
    helper::HelperError,
};
use crate::{
    archive::{Fetcher, fetch::Failure, shown},
    base::{
        Progress, Sha256, Sha256Writer,
        refusal::{self, Refusal},
    },
};

/// Bytes of a manifest at most; registries refuse larger ones than this (distribution spec, “Pushing Manifests”).
pub(super) const MANIFEST: u64 = 4 << 20;

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
    pub(super) fetcher: &'a Fetcher,
    pub(super) credentials: &'a Credentials,
    pub(super) reference: &'a Reference,
    pub(super) actions: Actions,
    pub(super) progress: &'a dyn Progress,
    /// What the registry has taken for `Authorization`, by the other repository that is read too: none has no name.
    pub(super) authorization: Mutex<BTreeMap<String, String>>,
    /// Held by who asks for one, so that nobody asks beside it.
    pub(super) authorizing: Mutex<()>,
    /// Who asks, found out when the registry first wants to know.
    pub(super) login: OnceLock<Result<Option<Login>, HelperError>>,
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
            let name = reference.to_string();
            return Err(match actions {
                Actions::Pull => RegistryError::Offline(name),
                Actions::PullPush => RegistryError::OfflinePush(name),
            });
        }
        let (authorization, authorizing, login) = (Mutex::default(), Mutex::default(), OnceLock::new());
        Ok(Self { fetcher, credentials, reference, actions, progress, authorization, authorizing, login })
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
        self.retrying(&url, |_| {
            let response = self.send(&Ask { accept, ..Ask::get(&url) })?;
            let media_type = media_type(&response);
            // What the registry itself says of a tag's manifest must be true at least.
            let said = content_digest(&response);
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
        self.retrying(&url, |_| {
            let disk = |source| Fault::End(RegistryError::Disk { path: path.into(), source });
            let response = self.send(&Ask::get(&url))?;
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
                    return Err(Failure::Mismatch(
                        refusal::BODY_TOO_LONG,
                        format!("the registry sends more than {size} bytes"),
                    )
                    .into());
                }
                out.write_all(chunk).map_err(disk)?;
                self.progress.advance(out.written().saturating_sub(reported));
                reported = reported.max(out.written());
                if Instant::now() > deadline {
                    return Err(Failure::passing("the registry sends too slowly").into());
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

    /// Runs `attempt`, which is told its number, until it works or there is no sense in going on.
    pub(super) fn retrying<T>(
        &self,
        url: &str,
        mut attempt: impl FnMut(u32) -> Result<T, Fault>,
    ) -> Result<T, RegistryError> {
        let settings = self.fetcher.settings();
        let network = |refusal: &'static Refusal, url, attempt, why, next: &str| match self.actions {
            Actions::Pull => RegistryError::Network { refusal, url, attempt, why },
            Actions::PullPush => RegistryError::Push { refusal, url, attempt, why, next: next.into() },
        };
        let mut mismatches = 0;
        let mut number = 1;
        loop {
            let failure = match attempt(number) {
                Ok(value) => return Ok(value),
                Err(Fault::End(error)) => return Err(error),
                Err(Fault::Try(failure)) => failure,
            };
            let url = shown(url);
            let mut pause = settings.backoff.saturating_mul(1 << (number - 1).min(6));
            let why = match failure {
                Failure::Missing(why) => return Err(RegistryError::Missing { url, why }),
                Failure::Lasting(refusal, why) => return Err(network(refusal, url, number, why, WHOEVER)),
                Failure::Redirect(why) => {
                    return Err(network(refusal::REDIRECT_REFUSED, url, number, why, WHOEVER));
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
                        return Err(network(refusal, url, number, why, AGAIN));
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
}

/// The digest that the registry gives to what it speaks of.
pub(super) fn content_digest(response: &ureq::http::Response<ureq::Body>) -> Option<Sha256> {
    header(response, "docker-content-digest")?.strip_prefix("sha256:")?.parse().ok()
}

fn differs(found: Sha256, wanted: Sha256) -> String {
    format!("its digest is {found} instead of {wanted}")
}

fn cut(have: u64, size: u64) -> Failure {
    Failure::passing_by(refusal::CONNECTION_CUT, format!("the connection ended after {have} of {size} bytes"))
}
