//! The tracker's data: from a file, or from a URL by way of the store.
//!
//! In: a URL or a path; the store, the network. Out: [`Kept`], the JSON and its dates.
//!
//! What a URL gave is kept in the store, under a key of the URL. For four hours it is taken as it is; then the server is
//! asked whether it has changed (`ETag`, `Last-Modified`; RFC 9110, 13). Offline it is taken however old it is, and its
//! dates say so. An entry is its key, the length of a head (little-endian, 32 bits), the head in JSON, and one zstd frame
//! with a checksum; one that is cut short, damaged or of another key is not taken.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use serde::{Deserialize, Serialize};

use super::{AdvisoryError, MAX_TRACKER};
use crate::{
    archive::{Fetcher, Validators, shown},
    base::{Progress, Sha256},
    store::{Shelf, Store, StoreError},
};

/// Where the tracker's data are, unless something else is said.
pub const DEFAULT_TRACKER: &str = "https://security-tracker.debian.org/tracker/data/json";

/// How long data are taken without asking the server; the tracker itself is renewed every few hours.
const FRESH: Duration = Duration::from_secs(4 * 3600);
/// Changes with what is kept and how.
const LAYOUT: &str = "compose tracker 1";
/// Longest head, bytes.
const MAX_HEAD: usize = 64 << 10;
/// Fast, and a tenth of the size.
const LEVEL: i32 = 3;
const WHAT: &str = "JSON of the Debian Security Tracker";

/// The tracker's data and where they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The document.
    pub json: Vec<u8>,
    /// URL, without a password, or path.
    pub from: String,
    /// When it was last changed.
    pub date: Option<Timestamp>,
    /// When the server last said that it is so; `None` for files.
    pub checked: Option<Timestamp>,
}

/// What is known of an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// Seconds since 1970.
    checked: i64,
}

impl Head {
    /// The server's date, else that of the download.
    fn date(&self) -> Timestamp {
        let said = self.last_modified.as_deref().and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        said.unwrap_or_else(|| self.checked())
    }

    fn checked(&self) -> Timestamp {
        Timestamp::from_second(self.checked).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.checked());
        // What was fetched in the future was fetched by another clock.
        !age.is_negative() && age.unsigned_abs() < FRESH
    }
}

/// Whether `location` is fetched over the web, and not read from this machine.
fn is_web(location: &str) -> bool {
    let scheme = location.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

/// Reads the tracker's JSON from `location`, a URL or a path.
///
/// # Errors
/// When there are no data: neither to be fetched, nor, if the network may not be used, kept of an earlier run. Nor are old
/// data taken in silence when the network fails: the message says that `--offline` takes them.
pub fn tracker_json(
    store: &Store,
    fetcher: &Fetcher,
    location: &str,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<Kept, AdvisoryError> {
    if !is_web(location) {
        return read_file(location);
    }
    let from = shown(location);
    let key = Sha256::of(format!("{LAYOUT}\n{location}\n").as_bytes());
    // Whole, or it is fetched anew.
    let entry = store.get(Shelf::Advisories, &key).and_then(|path| kept(&path, &key, &from));
    if fetcher.is_offline() {
        return entry.map(|(kept, _)| kept).ok_or(AdvisoryError::Offline { url: from });
    }
    let entry = match entry {
        Some((kept, head)) if head.is_fresh(now) => return Ok(kept),
        entry => entry,
    };
    progress.phase("Fetching the security tracker's data", None);
    let known = entry
        .as_ref()
        .map(|(_, head)| Validators { etag: head.etag.clone(), last_modified: head.last_modified.clone() });
    let failed = |source| AdvisoryError::Fetch {
        kept: entry.as_ref().map_or_else(String::new, |(kept, _)| {
            let date = kept.date.map(|date| format!(" of {date:.0}")).unwrap_or_default();
            format!(" (data{date} are in the cache: --offline takes them)")
        }),
        source,
    };
    let limit = usize::try_from(MAX_TRACKER).unwrap_or(usize::MAX);
    match fetcher.fetch_changed(location, known.as_ref(), limit, progress).map_err(failed)? {
        Some(changed) => {
            let Validators { etag, last_modified } = changed.validators;
            let head = Head { url: from.clone(), etag, last_modified, checked: now.as_second() };
            keep(store, &key, &head, &changed.body)?;
            Ok(Kept { json: changed.body, from, date: Some(head.date()), checked: Some(now) })
        }
        None => {
            let Some((mut kept, head)) = entry else {
                let why = "the server says that it has not changed, and nothing was there before".to_owned();
                return Err(AdvisoryError::Tracker { from, why });
            };
            let head = Head { checked: now.as_second(), ..head };
            keep(store, &key, &head, &kept.json)?;
            kept.checked = Some(now);
            Ok(kept)
        }
    }
}

/// Reads a file of this machine.
fn read_file(location: &str) -> Result<Kept, AdvisoryError> {
    let path = PathBuf::from(location.strip_prefix("file://").unwrap_or(location));
    let failed = |error: io::Error| AdvisoryError::Read { path: path.clone(), why: error.to_string() };
    let file = File::open(&path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut json = Vec::new();
    file.take(MAX_TRACKER + 1).read_to_end(&mut json).map_err(failed)?;
    let from = path.display().to_string();
    if json.len() as u64 > MAX_TRACKER {
        return Err(AdvisoryError::TooLarge { from, what: WHAT, limit: MAX_TRACKER });
    }
    let date = meta.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Ok(Kept { json, from, date, checked: None })
}

fn keep(store: &Store, key: &Sha256, head: &Head, json: &[u8]) -> Result<(), AdvisoryError> {
    let path = store.path(Shelf::Advisories, key);
    let mut file = store.temp()?;
    let mut write = || -> io::Result<()> {
        let head = serde_json::to_vec(head).map_err(io::Error::other)?;
        file.write_all(key.bytes())?;
        file.write_all(&u32::try_from(head.len()).map_err(io::Error::other)?.to_le_bytes())?;
        file.write_all(&head)?;
        let mut encoder = zstd::stream::write::Encoder::new(&mut file, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.write_all(json)?;
        encoder.finish()?;
        Ok(())
    };
    write().map_err(StoreError::at("write", &path))?;
    store.keep(Shelf::Advisories, key, file)?;
    Ok(())
}

/// The head of an entry, and a reader that stands behind it.
fn open(path: &Path, key: &Sha256) -> Option<(Head, File)> {
    let mut file = File::open(path).ok()?;
    let mut start = [0; 36];
    file.read_exact(&mut start).ok()?;
    let (found, length) = start.split_first_chunk::<32>()?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    if found != key.bytes() || length > MAX_HEAD {
        return None;
    }
    let mut head = vec![0; length];
    file.read_exact(&mut head).ok()?;
    Some((serde_json::from_slice(&head).ok()?, file))
}

/// An entry's document; `None` if it is damaged.
fn kept(path: &Path, key: &Sha256, from: &str) -> Option<(Kept, Head)> {
    let (head, file) = open(path, key)?;
    let mut json = Vec::new();
    let read = zstd::stream::read::Decoder::new(file).ok()?.take(MAX_TRACKER + 1).read_to_end(&mut json);
    if read.ok()? as u64 > MAX_TRACKER {
        return None;
    }
    let kept = Kept { json, from: from.to_owned(), date: Some(head.date()), checked: Some(head.checked()) };
    Some((kept, head))
}

/// Whether the entry at `path` is sound under this key.
pub fn is_kept_sound(path: &Path, key: &Sha256) -> bool {
    let Some((_, file)) = open(path, key) else { return false };
    let decoder = zstd::stream::read::Decoder::new(file);
    decoder.is_ok_and(|decoder| {
        io::copy(&mut decoder.take(MAX_TRACKER + 1), &mut io::sink()).is_ok_and(|length| length <= MAX_TRACKER)
    })
}

#[cfg(test)]
mod tests;
