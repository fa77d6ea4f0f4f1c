//! The verified `Release`: is it the suite that was asked for, is it current, and what indexes does it list?
//!
//! In: signed text. Out: [`Release`], and the memory of the newest one accepted for each suite (rollback).
//!
//! The file model is `debian-packaging`'s, fed with verified bytes only. Dates are read here, and of the digests only
//! SHA-256 is ever looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
};

use debian_packaging::repository::release::{ChecksumType, ReleaseFile};
use jiff::{Timestamp, ToSpan as _, fmt::rfc2822::DateTimeParser};
use rustix::fs::{FlockOperation, flock};

use crate::{
    base::{
        Sha256,
        refusal::{self, Refusal, Refuses},
        words,
    },
    store::{Store, StoreError},
};

/// What a `Release` says of its suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Origin, such as `Debian`.
    pub origin: Option<String>,
    /// Label.
    pub label: Option<String>,
    /// Suite, such as `stable`.
    pub suite: Option<String>,
    /// Codename, such as `trixie`.
    pub codename: Option<String>,
    /// Version, such as `13.8`.
    pub version: Option<String>,
    /// When it was made.
    pub date: Timestamp,
    /// When it stops being valid.
    pub valid_until: Option<Timestamp>,
    /// Of the signed text.
    pub sha256: Sha256,
}

/// A parsed `Release`.
#[derive(Debug, Clone)]
pub struct Release {
    /// What it says of the suite.
    pub info: ReleaseInfo,
    /// Indexes can be fetched by their digest.
    pub by_hash: bool,
    /// Components, as listed; of Debian's security archive `updates/main` and so on.
    pub components: Vec<String>,
    /// Architectures, `all` among them if it has indexes of its own.
    pub architectures: Vec<String>,
    /// `binary-all/Packages` repeats what each architecture's index has (`No-Support-for-Architecture-all`).
    pub all_is_included: bool,
    pub(super) files: BTreeMap<String, ReleaseEntry>,
}

/// One file that a `Release` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseEntry {
    /// Path below the suite's folder.
    pub path: String,
    /// The same by digest (`…/by-hash/SHA256/…`).
    pub by_hash: String,
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256,
}

/// Why a signed `Release` is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is no Release.
    #[error("the Release cannot be read: {0}")]
    Malformed(String),
    /// No digests, or only such as can be forged.
    #[error(
        "the Release lists no SHA256 digests, and weaker ones do not count; tell the archive's keepers, or choose another mirror"
    )]
    WeakDigests,
    /// A file twice, with two digests or sizes.
    #[error("the Release contradicts itself on {path}; tell the archive's keepers, or choose another mirror")]
    Contradiction {
        /// The file.
        path: String,
    },
    /// It is that of another suite.
    #[error(
        "suite “{asked}” was asked for, and the mirror sent the Release of suite “{suite}”, codename “{codename}”; check the suite's name, or choose another mirror"
    )]
    OtherSuite {
        /// As asked.
        asked: String,
        /// As sent.
        suite: String,
        /// As sent.
        codename: String,
    },
    /// It is too old.
    #[error(
        "the Release was valid until {until}, and now it is {now:.0}: the mirror is out of date (or this machine's clock is wrong); choose another mirror"
    )]
    Expired {
        /// Valid-Until.
        until: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// It is too new.
    #[error("the Release is dated {date}, and now it is {now:.0}: check this machine's clock")]
    Future {
        /// Its date.
        date: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// It is newer than the snapshot that was asked for.
    #[error(
        "the Release is dated {date}, and the snapshot of {pin} was asked for: the snapshot archive sent a later state, as it does for a date before its first; choose a later date, or another snapshot archive"
    )]
    AfterPin {
        /// Its date.
        date: Timestamp,
        /// Of the snapshot.
        pin: Timestamp,
    },
    /// It is older than one seen before.
    #[error(
        "the Release is dated {date}, older than the one accepted before ({newest}): the mirror is behind, or someone replays an old state; choose another mirror, or delete {record} if this is meant"
    )]
    Rollback {
        /// Its date.
        date: Timestamp,
        /// Of the newest accepted.
        newest: Timestamp,
        /// The file that remembers it.
        record: String,
    },
    /// The memory cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refuses for ReleaseError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Malformed(_) => refusal::RELEASE_MALFORMED,
            Self::WeakDigests => refusal::WEAK_DIGESTS,
            Self::Contradiction { .. } => refusal::RELEASE_CONTRADICTS_ITSELF,
            Self::OtherSuite { .. } => refusal::OTHER_SUITE,
            Self::Expired { .. } => refusal::RELEASE_EXPIRED,
            Self::Future { .. } => refusal::RELEASE_IN_FUTURE,
            Self::AfterPin { .. } => refusal::RELEASE_AFTER_SNAPSHOT,
            Self::Rollback { .. } => refusal::RELEASE_ROLLED_BACK,
            Self::Store(error) => error.refusal(),
        }
    }
}

impl Release {
    /// Parses signed text.
    ///
    /// # Errors
    /// [`ReleaseError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, ReleaseError> {
        let malformed = |why: String| ReleaseError::Malformed(words::quote(&why, 500));
        let all = std::str::from_utf8(text).map_err(|_| malformed("it is not UTF-8".into()))?;
        if let Some(field) = doubled(all) {
            return Err(malformed(format!("it has the field “{field}” twice")));
        }
        let file = ReleaseFile::from_reader(text).map_err(|error| malformed(error.to_string()))?;
        let date = |name: &str| match file.field_str(name) {
            None => Ok(None),
            Some(text) => parse_date(text).map(Some).ok_or_else(|| malformed(format!("“{name}: {text}” is no date"))),
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let words = |name: &str| -> Vec<String> {
            file.iter_field_words(name).into_iter().flatten().map(str::to_owned).collect()
        };
        let mut files = BTreeMap::new();
        let entries = file.iter_index_files(ChecksumType::Sha256);
        for entry in entries.ok_or(ReleaseError::WeakDigests)? {
            let entry = match entry {
                Ok(entry) => entry,
                // The line of the field's name holds no entry.
                Err(debian_packaging::error::DebianError::ReleaseMissingDigest) => continue,
                Err(error) => return Err(malformed(error.to_string())),
            };
            let sha256 = entry
                .digest
                .digest_hex()
                .parse()
                .map_err(|_| malformed(format!("the digest of {} is none", entry.path)))?;
            let by_hash = entry.by_hash_path();
            let value = ReleaseEntry { path: entry.path.to_owned(), by_hash, size: entry.size, sha256 };
            let path = entry.path.to_owned();
            if files.insert(path.clone(), value.clone()).is_some_and(|before| before != value) {
                return Err(ReleaseError::Contradiction { path: words::quote(&path, 200) });
            }
        }
        Ok(Self {
            info: ReleaseInfo {
                origin: owned(file.origin()),
                label: owned(file.label()),
                suite: owned(file.suite()),
                codename: owned(file.codename()),
                version: owned(file.version()),
                date: date("Date")?.ok_or_else(|| malformed("it has no Date".into()))?,
                valid_until: date("Valid-Until")?,
                sha256: Sha256::of(text),
            },
            by_hash: file.acquire_by_hash() == Some(true),
            components: words("Components"),
            architectures: words("Architectures"),
            all_is_included: words("No-Support-for-Architecture-all").iter().any(|word| word == "Packages"),
            files,
        })
    }

    /// The entry for exactly this path below the suite's folder.
    pub fn file(&self, path: &str) -> Option<&ReleaseEntry> {
        self.files.get(path)
    }

    /// Whether it is the suite asked for, by Suite or Codename, and of our time; of a snapshot, not newer than that.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn check(&self, asked: &str, pin: Option<Timestamp>, now: Timestamp) -> Result<(), ReleaseError> {
        let ReleaseInfo { suite, codename, date, valid_until, .. } = &self.info;
        if ![suite, codename].into_iter().any(|name| name.as_deref() == Some(asked)) {
            let shown = |name: &Option<String>| words::quote(name.as_deref().unwrap_or_default(), 100);
            return Err(ReleaseError::OtherSuite {
                asked: asked.into(),
                suite: shown(suite),
                codename: shown(codename),
            });
        }
        if now.checked_add(24.hours()).is_ok_and(|limit| *date > limit) {
            return Err(ReleaseError::Future { date: *date, now });
        }
        match (pin, valid_until) {
            (Some(pin), _) if *date > pin => Err(ReleaseError::AfterPin { date: *date, pin }),
            (None, Some(until)) if *until < now => Err(ReleaseError::Expired { until: *until, now }),
            _ => Ok(()),
        }
    }

    /// Refuses a Release older than the newest one accepted for this repository and suite, whatever the mirror; else
    /// remembers this one.
    ///
    /// # Errors
    /// [`ReleaseError::Rollback`], or when the store cannot be written.
    pub fn remember(&self, store: &Store, name: &str, suite: &str) -> Result<(), ReleaseError> {
        let key = Sha256::of(format!("{name}\n{suite}").as_bytes()).hex();
        let record = store.suites().join(&key);
        let guard = store.suites().join(format!("{key}.lock"));
        let lock = File::options().create(true).truncate(false).write(true).open(&guard);
        // What is remembered in a cache that may only be read holds all the same.
        let lock = lock.or_else(|error| File::open(&guard).map_err(|_| error));
        let lock = lock.map_err(StoreError::at("open", &guard))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| StoreError::at("lock", &guard)(error.into()))?;
        // A record that cannot be read is as good as none.
        let text = fs::read_to_string(&record).unwrap_or_default();
        let date = self.info.date;
        match text.lines().next().and_then(|line| line.parse::<Timestamp>().ok()) {
            Some(newest) if date < newest => {
                let record = record.display().to_string();
                return Err(ReleaseError::Rollback { date, newest, record });
            }
            Some(newest) if date == newest => return Ok(()),
            _ => {}
        }
        let mut file = store.temp()?;
        writeln!(file, "{date}\n{name} {suite}\n{}", self.info.sha256).map_err(StoreError::at("write", &record))?;
        file.persist(&record).map_err(|error| StoreError::at("keep", &record)(error.error))?;
        Ok(())
    }
}

/// A field that is there more than once: readers differ on which of them they believe.
fn doubled(text: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let lines = text.lines().filter(|line| !line.starts_with([' ', '\t', '#']));
    let mut names = lines.filter_map(|line| Some(line.split_once(':')?.0.trim().to_ascii_lowercase()));
    names.find(|name| !seen.insert(name.clone()))
}

/// RFC 2822's form with `UTC` for the zone, as Debian writes it, or any zone that RFC 2822 knows.
fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let numeric = text.strip_suffix("UTC").map(|rest| format!("{rest}+0000"));
    DateTimeParser::new().parse_timestamp(numeric.as_deref().unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const TEXT: &str = "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nVersion: 13\nCodename: trixie-security\n\
        Date: Sat, 21 Nov 2026 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2026 09:15:44 UTC\nAcquire-By-Hash: yes\n\
        No-Support-for-Architecture-all: Packages\nArchitectures: all amd64 arm64\nComponents: updates/main updates/contrib\n\
        MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages.gz\nSHA256:\n \
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages\n \
        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad        3 main/binary-amd64/Packages.xz\n";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn reads_the_fields() {
        let release = Release::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(release.info.codename.as_deref(), Some("trixie-security"));
        assert_eq!(release.info.date, at("2026-11-21T09:15:44Z"));
        assert_eq!(release.info.valid_until, Some(at("2026-11-28T09:15:44Z")));
        assert_eq!(release.components, ["updates/main", "updates/contrib"]);
        assert_eq!(release.architectures, ["all", "amd64", "arm64"]);
        assert!(release.by_hash && release.all_is_included);
        let entry = release.file("main/binary-amd64/Packages.xz").unwrap();
        assert_eq!((entry.size, entry.sha256), (3, Sha256::of(b"abc")));
        assert_eq!(entry.by_hash, format!("main/binary-amd64/by-hash/SHA256/{}", entry.sha256.hex()));
        assert_eq!(release.file("main/binary-amd64/Packages.gz"), None);
    }

    #[test]
    fn dates_in_every_usual_form() {
        for text in ["Sat, 21 Nov 2026 09:15:44 UTC", "Sat, 21 Nov 2026 10:15:44 +0100", "21 Nov 2026 09:15:44 GMT"] {
            assert_eq!(parse_date(text), Some(at("2026-11-21T09:15:44Z")), "{text}");
        }
        for text in ["", "UTC", "2026", "Sat, 41 Nov 2026 09:15:44 UTC"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn holds_it_to_suite_and_time() {
        let release = Release::parse(TEXT.as_bytes()).unwrap();
        let now = at("2026-11-24T00:00:00Z");
        assert!(release.check("trixie-security", None, now).is_ok());
        assert!(release.check("stable-security", None, now).is_ok());
        for other in ["trixie", "stable", "", "bookworm-security"] {
            assert!(matches!(release.check(other, None, now), Err(ReleaseError::OtherSuite { .. })), "{other}");
        }
        let late = at("2026-11-28T09:15:45Z");
        assert!(matches!(release.check("trixie-security", None, late), Err(ReleaseError::Expired { .. })));
        for (pin, good) in
            [("2026-11-21T09:15:44Z", true), ("2030-01-01T00:00:00Z", true), ("2026-11-21T09:15:43Z", false)]
        {
            let checked = release.check("trixie-security", Some(at(pin)), late);
            assert!(
                if good { checked.is_ok() } else { matches!(checked, Err(ReleaseError::AfterPin { .. })) },
                "{pin}"
            );
        }
        let early = at("2026-11-20T09:15:43Z");
        assert!(matches!(release.check("trixie-security", None, early), Err(ReleaseError::Future { .. })));
    }

    #[test]
    fn refuses_to_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let new = Release::parse(TEXT.as_bytes()).unwrap();
        let old = Release::parse(TEXT.replace("21 Nov", "20 Nov").replace("Sat, 20", "Fri, 20").as_bytes()).unwrap();
        old.remember(&store, "debian", "trixie").unwrap();
        new.remember(&store, "debian", "trixie").unwrap();
        new.remember(&store, "debian", "trixie").unwrap();
        let error = old.remember(&store, "debian", "trixie").unwrap_err().to_string();
        assert!(error.contains("2026-11-20T09:15:44Z") && error.contains("2026-11-21T09:15:44Z"), "{error}");
        old.remember(&store, "debian", "sid").unwrap();
        for entry in fs::read_dir(store.suites()).unwrap() {
            fs::write(entry.unwrap().path(), "damaged").unwrap();
        }
        old.remember(&store, "debian", "trixie").unwrap();
    }

    #[test]
    fn malformed_is_an_error() {
        let cases: [String; 10] = [
            String::new(),
            "x".into(),
            TEXT.replace("Date: Sat", "Date: Xyz"),
            TEXT.replace("Date:", "Dat:"),
            TEXT.replace("ba7816bf", "ba7816b"),
            TEXT.replace("ba7816bf", "ba7816bg"),
            TEXT.replace(" 3 main", " 99999999999999999999999 main"),
            TEXT.replace(" 3 main", " -3 main"),
            TEXT.replace("main/binary-amd64/Packages.xz", ""),
            format!("{TEXT}\n{TEXT}"),
        ];
        for text in cases {
            assert!(
                matches!(Release::parse(text.as_bytes()), Err(ReleaseError::Malformed(_) | ReleaseError::WeakDigests)),
                "{text}"
            );
        }
        assert!(Release::parse(b"Suite: \xff\n").is_err());
        for weak in [TEXT.replace("SHA256:", "SHA512:"), "Suite: x\n".into()] {
            assert!(matches!(Release::parse(weak.as_bytes()), Err(ReleaseError::WeakDigests)), "{weak}");
        }
        // The same line twice does no harm; another size or digest of a file does.
        let line = TEXT.lines().last().unwrap();
        assert!(Release::parse(format!("{TEXT}{line}\n").as_bytes()).is_ok());
        for (old, new) in [(" 3 ", " 4 "), ("ba78", "ba79")] {
            let text = format!("{TEXT}{}\n", line.replace(old, new));
            assert!(matches!(Release::parse(text.as_bytes()), Err(ReleaseError::Contradiction { .. })), "{text}");
        }
        for twice in
            ["Date: Sat, 21 Nov 2026 09:15:44 UTC", "valid-until: Sat, 21 Nov 2027 09:15:44 UTC", "SHA256:\n x 1 y"]
        {
            let error = Release::parse(format!("{TEXT}{twice}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("twice"), "{twice}: {error}");
        }
    }
}
