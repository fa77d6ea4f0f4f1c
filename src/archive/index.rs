//! From a suite's name to the verified text of its package indexes.
//!
//! In: [`SuiteRequest`]s, a [`Fetcher`], the store. Out: [`LoadedSuite`]s. The chain: signature over `InRelease`,
//! SHA-256 of the index in it (compressed and decompressed), text. What is read of an index is kept in the store.

use std::io::{self, Read};

use jiff::Timestamp;
use rayon::prelude::*;

use crate::{
    base::{Arch, Progress, Sha256},
    store::Store,
};

use super::{
    ArchiveError, ErrorClass, IndexFault,
    cleartext::MAX_DOCUMENT,
    contents::Contents,
    fetch::{Download, FetchError, Fetcher, join, shown},
    kept::{self, IndexPiece},
    keyring::Keyring,
    openpgp::{self, Verified},
    release::{Release, ReleaseEntry, ReleaseInfo},
    suites::{Keys, SuiteRequest},
};

/// Largest index, bytes; Debian's largest (sid main) has some 60 MB.
pub(super) const MAX_INDEX: u64 = 1 << 30;
/// Memory that an xz index may ask for, bytes; `xz -9` needs 65 MiB.
const MAX_XZ_MEMORY: u64 = 256 << 20;

/// A suite whose signature and indexes are verified.
#[derive(Debug, Clone)]
pub struct LoadedSuite {
    /// What the lock calls it.
    pub name: String,
    /// As asked for.
    pub suite: String,
    /// What its Release says.
    pub release: ReleaseInfo,
    /// Fingerprint of the certificate that signed it; `None` for `trusted = true`.
    pub signed_by: Option<String>,
    /// The base URL that it came from; `.deb` paths are below it.
    pub base: String,
    /// The package indexes.
    pub packages: Vec<PackagesIndex>,
    /// Where its Contents indexes are, for when they are asked for.
    pub(super) contents: Contents,
}

impl LoadedSuite {
    /// Whether it has an index of which package ships which file.
    pub fn has_contents(&self) -> bool {
        !self.contents.files.is_empty()
    }
}

/// One `Packages` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagesIndex {
    /// Component.
    pub component: String,
    /// The architecture in its path: a Debian name, or `all`.
    pub arch: String,
    /// Of the whole text.
    pub sha256: Sha256,
    /// The whole text, or what [`crate::control::strip`] leaves of it, in pieces of whole stanzas.
    pub pieces: Vec<IndexPiece>,
    /// Whether it is the whole text: whether its lines are those of the mirror's file.
    pub whole: bool,
}

impl PackagesIndex {
    /// The pieces' texts, one after the other.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| &*piece.text).collect()
    }
}

/// What loading needs besides the request.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    /// Fetches.
    pub fetcher: &'a Fetcher,
    /// Keeps indexes, and what was accepted before.
    pub store: &'a Store,
    /// The time that signatures and dates are judged by.
    pub now: Timestamp,
    /// Hears of it.
    pub progress: &'a dyn Progress,
}

impl Loader<'_> {
    /// Loads all suites for one architecture, side by side.
    ///
    /// # Errors
    /// The first failure, in the order of `requests`.
    pub fn load_all(&self, requests: &[SuiteRequest], arch: Arch) -> Result<Vec<LoadedSuite>, ArchiveError> {
        self.progress.phase("Fetching indexes", None);
        let loaded: Vec<_> = requests.par_iter().map(|request| self.load(request, arch)).collect();
        loaded.into_iter().collect()
    }

    /// Loads one suite.
    ///
    /// # Errors
    /// [`ArchiveError`]. Base URLs are tried in order; the next one only where the last could not be reached.
    pub fn load(&self, request: &SuiteRequest, arch: Arch) -> Result<LoadedSuite, ArchiveError> {
        let keys = keyring(&request.keys)?;
        let mut last = None;
        for base in &request.bases {
            match self.load_from(request, arch, base, keys.as_ref()) {
                Err(ArchiveError::Fetch(error)) if error.class() == ErrorClass::Network => last = Some(error),
                done => return done,
            }
        }
        Err(match (last, request.near()) {
            (Some(source), Some(near)) if source.is_missing() => {
                ArchiveError::NoSuite { suite: request.suite.clone(), near, source }
            }
            (last, _) => ArchiveError::Fetch(last.unwrap_or(FetchError::NoUrl)),
        })
    }

    fn load_from(
        &self,
        request: &SuiteRequest,
        arch: Arch,
        base: &str,
        keys: Option<&Keyring>,
    ) -> Result<LoadedSuite, ArchiveError> {
        let folder = join(base, &format!("dists/{}", request.suite));
        let (release, certificate) = self.release(request, &folder, keys)?;
        if request.pin.is_none() {
            let refused = |source| ArchiveError::Release { url: shown(&folder), source };
            release.remember(self.store, &request.name, &request.suite).map_err(refused)?;
        }
        let wanted = self.wanted(request, &release, arch)?;
        let packages: Result<Vec<_>, ArchiveError> = wanted
            .into_par_iter()
            .map(|(component, arch, choice)| {
                let (sha256, pieces, whole) = self.index(&folder, &release, &choice)?;
                Ok(PackagesIndex { component, arch, sha256, pieces, whole })
            })
            .collect();
        let contents = Contents::listed(request, base, &release, arch);
        Ok(LoadedSuite {
            name: request.name.clone(),
            suite: request.suite.clone(),
            release: release.info,
            signed_by: keys.map(|_| certificate),
            base: base.into(),
            packages: packages?,
            contents,
        })
    }

    /// The verified Release in `folder`, held to what was asked for, and the certificate that signed it.
    pub(super) fn release(
        &self,
        request: &SuiteRequest,
        folder: &str,
        keys: Option<&Keyring>,
    ) -> Result<(Release, String), ArchiveError> {
        let verified = self.signed_release(folder, keys).map_err(|error| match (error, request.pin) {
            (ArchiveError::Fetch(error), Some(pin)) if error.is_missing() => {
                ArchiveError::NotThen { url: shown(folder), pin, source: error }
            }
            (error, _) => error,
        })?;
        let refused = |source| ArchiveError::Release { url: shown(folder), source };
        let release = Release::parse(&verified.text).map_err(refused)?;
        release.check(&request.suite, request.pin, self.now).map_err(refused)?;
        Ok((release, verified.certificate))
    }

    /// `InRelease`; where there is none, `Release` and `Release.gpg`. `keys` is `None` for `trusted = true`.
    fn signed_release(&self, folder: &str, keys: Option<&Keyring>) -> Result<Verified, ArchiveError> {
        let get = |name: &str| self.fetcher.fetch_small(&join(folder, name), MAX_DOCUMENT, self.progress);
        let Some(keys) = keys else {
            let text = match get("Release") {
                Err(error) if error.is_missing() => {
                    let raw = get("InRelease")?;
                    let message = super::cleartext::split(&raw);
                    message.map_err(|error| signature(folder, "InRelease", error.into()))?.text
                }
                other => other?,
            };
            return Ok(Verified { text, certificate: String::new(), signer: String::new(), signed_at: self.now });
        };
        match get("InRelease") {
            Ok(raw) => openpgp::verify_inline(&raw, keys, self.now).map_err(|e| signature(folder, "InRelease", e)),
            Err(missing) if missing.is_missing() => {
                let text = match get("Release") {
                    // What to say is that the suite is not there, by its usual name.
                    Err(error) if error.is_missing() => return Err(missing.into()),
                    other => other?,
                };
                let detached = get("Release.gpg")?;
                openpgp::verify_detached(&text, &detached, keys, self.now)
                    .map_err(|error| signature(folder, "Release.gpg", error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Which indexes to fetch: component, architecture in the path, entries.
    fn wanted(
        &self,
        request: &SuiteRequest,
        release: &Release,
        arch: Arch,
    ) -> Result<Vec<(String, String, Choice)>, ArchiveError> {
        let has = |name: &str| release.architectures.iter().any(|a| a == name);
        let arch = arch.as_str();
        let missing = |what: String, there: &[String]| ArchiveError::NotInSuite {
            name: request.name.clone(),
            suite: request.suite.clone(),
            what,
            there: there.join(", "),
        };
        if !release.architectures.is_empty() && !has(arch) && !has("all") {
            if request.additional {
                self.progress.notice(&format!("{} has nothing for {arch}", request.suite));
                return Ok(Vec::new());
            }
            return Err(missing(format!("architecture {arch}"), &release.architectures));
        }
        let mut wanted = Vec::new();
        for component in &request.components {
            let mut add = |arch: &str| {
                let found = Choice::find(release, &format!("{component}/binary-{arch}/Packages"));
                let there = found.is_some();
                wanted.extend(found.map(|choice| (component.clone(), arch.to_owned(), choice)));
                there
            };
            let native = add(arch);
            // apt's rule: with `all` among the architectures, `all` has an index of its own, unless told otherwise.
            let all = (has("all") && !release.all_is_included) && add("all");
            if !native && !all {
                if request.additional && !has(arch) {
                    self.progress.notice(&format!("{} has nothing for {arch}", request.suite));
                    continue;
                }
                let known = release.components.iter().any(|c| c.rsplit('/').next() == component.rsplit('/').next());
                return Err(match known {
                    false => missing(format!("component {component}"), &release.components),
                    true => missing(format!("index of {component} for {arch}"), &release.architectures),
                });
            }
        }
        Ok(wanted)
    }

    /// The pieces of one index, from the store or the mirror, and whether they are the whole text.
    fn index(
        &self,
        folder: &str,
        release: &Release,
        choice: &Choice,
    ) -> Result<(Sha256, Vec<IndexPiece>, bool), ArchiveError> {
        let key = choice.plain.as_ref().map_or(choice.packed.sha256, |plain| plain.sha256);
        if let Some(pieces) = kept::kept_index(self.store, &key) {
            return Ok((key, pieces, false));
        }
        let mut download = self.fetch(folder, release.by_hash, &choice.packed)?;
        let url = shown(&join(folder, &choice.packed.path));
        let broken = |why| ArchiveError::Index { url: url.clone(), why };
        let undecodable = |error: io::Error| broken(IndexFault::Packed(error.to_string()));
        let limit = choice.plain.as_ref().map_or(MAX_INDEX, |plain| plain.size.min(MAX_INDEX));
        let packed = io::BufReader::with_capacity(64 << 10, download.reader()?);
        let mut reader = decoder(choice.format, packed).map_err(undecodable)?.take(limit + 1);
        let mut bytes = Vec::with_capacity(usize::try_from(limit.min(256 << 20)).unwrap_or(0));
        let read = reader.read_to_end(&mut bytes).map_err(undecodable);
        drop(reader);
        read?;
        if bytes.len() as u64 > limit {
            return Err(broken(IndexFault::TooLong { limit }));
        }
        if choice.plain.is_some() && Sha256::of(&bytes) != key {
            return Err(broken(IndexFault::Digest));
        }
        let not_utf8 = |error: std::string::FromUtf8Error| IndexFault::NotUtf8 { at: error.utf8_error().valid_up_to() };
        let text = String::from_utf8(bytes).map_err(|error| broken(not_utf8(error)))?;
        // First: once the index is kept, no run comes back for the download that a killed one left.
        download.discard();
        kept::keep_index(self.store, &key, &text)?;
        Ok((key, vec![IndexPiece { text, cold: None }], true))
    }

    /// One file that the Release in `folder` lists.
    pub(super) fn fetch(&self, folder: &str, by_hash: bool, entry: &ReleaseEntry) -> Result<Download, FetchError> {
        let hashed = by_hash.then(|| join(folder, &entry.by_hash));
        let urls: Vec<_> = hashed.into_iter().chain([join(folder, &entry.path)]).collect();
        self.fetcher.download(self.store, &urls, entry.size, &entry.sha256, self.progress)
    }
}

/// The keys themselves; `None` where nobody needs to sign.
pub(super) fn keyring(keys: &Keys) -> Result<Option<Keyring>, ArchiveError> {
    Ok(match keys {
        Keys::Debian => Some(Keyring::debian()?),
        Keys::File(path) => Some(Keyring::read(path)?),
        Keys::Unsigned => None,
    })
}

fn signature(folder: &str, name: &str, source: openpgp::SignatureError) -> ArchiveError {
    ArchiveError::Signature { url: shown(&join(folder, name)), source }
}

/// An index in the best form that a Release lists.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) packed: ReleaseEntry,
    pub(super) format: Format,
    /// The decompressed file's entry, whether or not the mirror has that file.
    pub(super) plain: Option<ReleaseEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Xz,
    Zstd,
    Gzip,
    Plain,
}

impl Choice {
    /// Smallest form first.
    pub(super) fn find(release: &Release, path: &str) -> Option<Self> {
        let forms = [(".xz", Format::Xz), (".zst", Format::Zstd), (".gz", Format::Gzip), ("", Format::Plain)];
        forms.into_iter().find_map(|(suffix, format)| {
            let packed = release.file(&format!("{path}{suffix}"))?.clone();
            Some(Self { packed, format, plain: release.file(path).cloned() })
        })
    }
}

pub(super) fn decoder<'a>(format: Format, packed: impl io::BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(MAX_XZ_MEMORY, liblzma::stream::CONCATENATED);
            Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream.map_err(io::Error::other)?))
        }
        Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Format::Plain => Box::new(packed),
    })
}

#[cfg(test)]
pub(super) mod tests;
