//! Which mirror: the first of `--mirror`, the manifest, `COMPOSE_MIRROR`, the machine's apt sources, and of a snapshot
//! archive (`COMPOSE_SNAPSHOT`) its state of today.
//!
//! In: what each of these says. Out: [`Mirrors`], each with where it came from, for messages.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::Offset,
};

use super::suites::SuiteRequest;
use crate::base::refusal::{self, Refusal, Refuses};

/// Largest apt source file that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// What may name a mirror. Nothing here is read from the environment: `cli` passes it in.
#[derive(Debug, Clone)]
pub struct MirrorInputs {
    /// `--mirror`.
    pub cli: Option<String>,
    /// `[debian] mirror`.
    pub mirror: Option<String>,
    /// `[debian] security-mirror`.
    pub security_mirror: Option<String>,
    /// The value of `COMPOSE_MIRROR`.
    pub env: Option<String>,
    /// `/etc/apt`.
    pub apt_dir: PathBuf,
    /// The value of `COMPOSE_SNAPSHOT`: where Debian's snapshot archive lies, the URL that has `debian/` below it.
    pub snapshot: Option<String>,
    /// `[debian] snapshot`: as it was then, and not as any mirror has it.
    pub pin: Option<Timestamp>,
    /// For the snapshot archive.
    pub today: Date,
}

/// Where the Debian archive and its security archive are fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// Holds `dists/trixie`.
    pub debian: Mirror,
    /// Holds `dists/trixie-security`.
    pub security: Mirror,
}

/// One base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Without trailing slash; `http:`, `https:` or `file:`.
    pub url: String,
    /// Who named it.
    pub from: MirrorSource,
}

/// Who named a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorSource {
    /// `--mirror`.
    CommandLine,
    /// `[debian]`.
    Manifest,
    /// `COMPOSE_MIRROR`.
    Environment,
    /// An apt source file.
    Apt(PathBuf),
    /// Nobody but `COMPOSE_SNAPSHOT`: the snapshot archive at today's date.
    Snapshot,
    /// `COMPOSE_SNAPSHOT`, at the date of `[debian] snapshot`.
    Pinned,
}

impl fmt::Display for MirrorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("--mirror"),
            Self::Manifest => f.write_str("the manifest"),
            Self::Environment => f.write_str("COMPOSE_MIRROR"),
            Self::Apt(path) => path.display().fmt(f),
            Self::Snapshot => {
                f.write_str("no mirror is configured, so the snapshot archive of COMPOSE_SNAPSHOT as of today")
            }
            Self::Pinned => f.write_str("COMPOSE_SNAPSHOT"),
        }
    }
}

/// No mirror can be made of what was said.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Nobody names one.
    #[error(
        "no Debian mirror is known: this machine's apt has none; name one with --mirror, in [debian] mirror or in COMPOSE_MIRROR, or Debian's snapshot archive in COMPOSE_SNAPSHOT"
    )]
    None,
    /// A pin, and nobody says where the past is.
    #[error(
        "debian.snapshot is {pin}, and where Debian's snapshot archive lies is not known; say so in COMPOSE_SNAPSHOT (the URL that has debian/ below it)"
    )]
    NoSnapshots {
        /// The date.
        pin: Timestamp,
    },
    /// A pin, and a mirror that is not that state.
    #[error(
        "debian.snapshot is {pin}, and {url} is not the archive of that time; resolve without --mirror, and with COMPOSE_SNAPSHOT, which says where Debian's snapshot archive lies (the URL that has debian/ below it)"
    )]
    NotPinned {
        /// The date.
        pin: Timestamp,
        /// The mirror, without user name and password.
        url: String,
    },
    /// A pin that is not of the past.
    #[error("debian.snapshot is {pin}, and now it is {now:.0}: a snapshot is of the past; write an earlier date")]
    PinAhead {
        /// The date.
        pin: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// Not a URL of a kind that is fetched.
    #[error("“{url}” ({from}) is not a mirror's URL; it starts with https://, http:// or file:///")]
    BadUrl {
        /// As given, without user name and password.
        url: String,
        /// Who gave it.
        from: MirrorSource,
    },
    /// The security archive's URL cannot be told from the main one.
    #[error(
        "“{url}” ({from}) does not end in “/debian”, so the security archive beside it is not known; set “security-mirror” in [debian], or give a URL that ends in “/debian” and has “/debian-security” beside it"
    )]
    NoSecurity {
        /// As given, without user name and password.
        url: String,
        /// Who gave it.
        from: MirrorSource,
    },
}

impl Refuses for SourcesError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::None => refusal::NO_MIRROR,
            Self::NoSnapshots { .. } => refusal::NO_SNAPSHOT_ARCHIVE,
            Self::NotPinned { .. } => refusal::MIRROR_INSTEAD_OF_SNAPSHOT,
            Self::PinAhead { .. } => refusal::SNAPSHOT_IN_FUTURE,
            Self::BadUrl { .. } => refusal::BAD_MIRROR,
            Self::NoSecurity { .. } => refusal::NO_SECURITY_MIRROR,
        }
    }
}

/// Decides on both mirrors.
///
/// Whoever names the main mirror decides on the security mirror too: it is the sibling `/debian-security` of a main
/// mirror that ends in `/debian` (also in snapshot form, `/archive/debian/20261121T000000Z`). `security-mirror` in the
/// manifest says otherwise, except against `--mirror` with such a sibling. A file of apt that cannot be read is
/// passed over, as the next source may do.
///
/// A pin comes before all but `--mirror`, if it is known where the past is. Otherwise a mirror will do for a build from a
/// lock, whose packages it may still have; [`check_pin`] tells before anything is resolved.
///
/// # Errors
/// When a URL is none, or no security mirror can be told.
pub fn discover(inputs: &MirrorInputs) -> Result<Mirrors, SourcesError> {
    let given = [
        (&inputs.cli, MirrorSource::CommandLine),
        (&inputs.mirror, MirrorSource::Manifest),
        (&inputs.env, MirrorSource::Environment),
    ];
    let named = given.into_iter().find_map(|(url, from)| Some((url.as_deref().filter(|u| !u.is_empty())?, from)));
    let manifest_security = match inputs.security_mirror.as_deref() {
        Some(url) => Some(checked(url, MirrorSource::Manifest)?),
        None => None,
    };
    let archive = inputs.snapshot.as_deref().filter(|base| !base.is_empty());
    let (debian, apt_security) = match (named, inputs.pin.zip(archive)) {
        (Some((url, from @ MirrorSource::CommandLine)), _) => (checked(url, from)?, None),
        (_, Some((pin, base))) => {
            let url = snapshot(base, "debian", Offset::UTC.to_datetime(pin));
            (checked(&url, MirrorSource::Pinned)?, None)
        }
        (Some((url, from)), None) => (checked(url, from)?, None),
        (None, None) => match from_apt(&inputs.apt_dir) {
            (Some(debian), security) => (debian, security),
            (None, _) => {
                let none = || inputs.pin.map_or(SourcesError::None, |pin| SourcesError::NoSnapshots { pin });
                let base = archive.ok_or_else(none)?;
                let url = snapshot(base, "debian", inputs.today.to_datetime(jiff::civil::Time::midnight()));
                (checked(&url, MirrorSource::Snapshot)?, None)
            }
        },
    };
    let beside = sibling(&debian.url).map(|url| Mirror { url, from: debian.from.clone() });
    let security = match debian.from {
        MirrorSource::CommandLine => beside.or(manifest_security),
        _ => manifest_security.or(apt_security).or(beside),
    };
    match security {
        Some(security) => Ok(Mirrors { debian, security }),
        None => Err(SourcesError::NoSecurity { url: super::fetch::shown(&debian.url), from: debian.from }),
    }
}

/// Base URL of an archive (`debian`, `debian-security`) in the snapshot archive at `base`, as it was at a time, UTC.
pub fn snapshot(base: &str, archive: &str, time: jiff::civil::DateTime) -> String {
    format!("{}/{archive}/{}", base.trim().trim_end_matches('/'), time.strftime("%Y%m%dT%H%M%SZ"))
}

/// The state of the past that a base URL stands for, which never changes: its last part is a time such as
/// `20261121T000000Z`.
pub fn snapshot_time(base: &str) -> Option<Timestamp> {
    let last = base.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let shape = last.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
    let time = shape.eq(*b"00000000T000000Z").then(|| DateTime::strptime("%Y%m%dT%H%M%SZ", last).ok())??;
    Offset::UTC.to_timestamp(time).ok()
}

/// Whether Debian's suites are to be had as they were at `pin`, before anything is resolved.
///
/// # Errors
/// When they are not, or `pin` is yet to come.
pub fn check_pin(pin: Timestamp, suites: &[SuiteRequest], now: Timestamp) -> Result<(), SourcesError> {
    if pin > now {
        return Err(SourcesError::PinAhead { pin, now });
    }
    let is_then = |suite: &SuiteRequest| suite.bases.iter().all(|base| snapshot_time(base) == Some(pin));
    match suites.iter().find(|suite| suite.is_debian() && !is_then(suite)) {
        Some(suite) => {
            let url = suite.bases.first().map(|base| super::fetch::shown(base)).unwrap_or_default();
            Err(SourcesError::NotPinned { pin, url })
        }
        None => Ok(()),
    }
}

/// Whether `url` is one that is fetched: `http:`, `https:` with a host, `file:` with an absolute path.
pub fn is_fetchable(url: &str) -> bool {
    let host = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    !url.bytes().any(|b| b.is_ascii_control() || b == b' ')
        && (url.strip_prefix("https://").is_some_and(host)
            || url.strip_prefix("http://").is_some_and(host)
            || url.strip_prefix("file:").is_some_and(|rest| rest.starts_with('/')))
}

fn checked(url: &str, from: MirrorSource) -> Result<Mirror, SourcesError> {
    let url = url.trim().trim_end_matches('/');
    if is_fetchable(url) {
        Ok(Mirror { url: url.into(), from })
    } else {
        Err(SourcesError::BadUrl { url: super::fetch::shown(url), from })
    }
}

/// `/debian-security` beside `/debian`.
fn sibling(url: &str) -> Option<String> {
    if let Some(above) = url.strip_suffix("/debian") {
        return Some(format!("{above}/debian-security"));
    }
    let (above, time) = url.rsplit_once('/')?;
    snapshot_time(url).and_then(|_| above.strip_suffix("/debian").map(|a| format!("{a}/debian-security/{time}")))
}

/// The first entry for `/debian` and the first for `/debian-security`, in apt's order: `sources.list`, then the files
/// of `sources.list.d` by name (sources.list(5)).
fn from_apt(dir: &Path) -> (Option<Mirror>, Option<Mirror>) {
    let mut files = vec![dir.join("sources.list")];
    if let Ok(entries) = fs::read_dir(dir.join("sources.list.d")) {
        let mut more: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        more.sort();
        files.extend(more);
    }
    let (mut debian, mut security) = (None, None);
    for file in files {
        let Ok(text) = read(&file) else { continue };
        let uris = match file.extension().and_then(|e| e.to_str()) {
            Some("list") => one_line(&text),
            Some("sources") => deb822(&text),
            _ => continue,
        };
        for uri in uris.into_iter().flat_map(listed) {
            let url = uri.trim_end_matches('/');
            if !is_fetchable(url) {
                continue;
            }
            let slot = if url.ends_with("/debian") {
                &mut debian
            } else if url.ends_with("/debian-security") {
                &mut security
            } else {
                continue;
            };
            slot.get_or_insert_with(|| Mirror { url: url.into(), from: MirrorSource::Apt(file.clone()) });
        }
    }
    (debian, security)
}

/// The URI itself, or the ones in the file that `mirror+file:` names (apt-transport-mirror(1)), as in Debian's cloud images.
fn listed(uri: String) -> Vec<String> {
    match uri.strip_prefix("mirror+file:") {
        Some(path) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            let text = read(Path::new(path)).unwrap_or_default();
            let first = |line: &str| line.split_ascii_whitespace().next().map(str::to_owned);
            text.lines().filter_map(first).filter(|word| !word.starts_with('#')).collect()
        }
        None => vec![uri],
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, MAX_FILE), &mut text)?;
    Ok(text)
}

/// `deb [options] uri suite component…`, one on a line.
pub(super) fn one_line(text: &str) -> Vec<String> {
    let entry = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let rest = line.strip_prefix("deb")?;
        let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        Some(rest.split_ascii_whitespace().next()?.to_owned())
    };
    text.lines().filter_map(entry).collect()
}

/// Stanzas of fields, one entry each.
pub(super) fn deb822(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            let field = |name: &str| stanza.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
            let binary = field("types").is_some_and(|types| types.split_ascii_whitespace().any(|t| t == "deb"));
            // The words for "no" of apt's StringToBool.
            let off = field("enabled").is_some_and(|v| {
                ["no", "false", "without", "off", "disable", "0"].contains(&v.trim().to_ascii_lowercase().as_str())
            });
            if binary && !off {
                uris.extend(field("uris").unwrap_or_default().split_ascii_whitespace().map(str::to_owned));
            }
            stanza.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    uris
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn reads_both_formats_of_apt() {
        let list = "# deb http://no.example.com/debian x\n\
                    deb-src http://no.example.com/debian x main\n\
                    deb [arch=amd64 signed-by=/k] http://a.example.com/debian/ trixie main # note\n\
                    \tdeb\thttps://b.example.com/debian\ttrixie main\n\
                    debian http://no.example.com/debian\ndeb [broken http://no.example.com/debian\ndeb\n";
        assert_eq!(one_line(list), ["http://a.example.com/debian/", "https://b.example.com/debian"]);
        let sources = "Types: deb deb-src\n# note\nURIs: http://a.example.com/debian\n# inside\n http://b.example.com/debian\nSuites: x\n\n\
                       types: deb\nuris: http://c.example.com/debian\nEnabled: no\n\n\n\
                       Types: deb-src\nURIs: http://d.example.com/debian\n\n\
                       TYPES: deb\nURIS:\n\tfile:/srv/debian\nEnabled: yes\nSigned-By:\n -----BEGIN\n .\n x";
        assert_eq!(deb822(sources), ["http://a.example.com/debian", "http://b.example.com/debian", "file:/srv/debian"]);
    }

    fn inputs(dir: &Path) -> MirrorInputs {
        MirrorInputs {
            cli: None,
            mirror: None,
            security_mirror: None,
            env: None,
            snapshot: Some("https://snapshot.example.com/archive/".into()),
            apt_dir: dir.into(),
            pin: None,
            today: jiff::civil::date(2026, 11, 5),
        }
    }

    #[test]
    fn the_time_of_a_snapshot_is_in_its_url() {
        let base = "https://snapshot.example.com/archive/debian";
        let time = snapshot_time(&format!("{base}/20261001T020304Z/"));
        assert_eq!(time, Some("2026-10-01T02:03:04Z".parse().unwrap()));
        for other in ["", "/20261301T020304Z", "/20261001T020304", "/20261001T020304Z/x", "/2026100 T020304Z"] {
            assert_eq!(snapshot_time(&format!("{base}{other}")), None, "{other}");
        }
    }

    #[test]
    fn the_first_source_that_speaks_wins() {
        let dir = tempfile::tempdir().unwrap();
        let none = inputs(dir.path());
        let urls = |i: &MirrorInputs| discover(i).map(|m| (m.debian.url, m.security.url)).map_err(|e| e.to_string());
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(
            urls(&none),
            pair(
                "https://snapshot.example.com/archive/debian/20261105T000000Z",
                "https://snapshot.example.com/archive/debian-security/20261105T000000Z"
            )
        );
        for nowhere in [None, Some(String::new())] {
            let error = urls(&MirrorInputs { snapshot: nowhere, ..none.clone() }).unwrap_err();
            assert!(error.contains("no Debian mirror is known") && error.contains("COMPOSE_SNAPSHOT"), "{error}");
        }
        assert!(urls(&MirrorInputs { snapshot: Some("example.com".into()), ..none.clone() }).is_err());
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write(
            "sources.list.d/z.sources",
            "Types: deb\nURIs: cdrom:x http://z.example.com/debian http://s.example.com/debian-security\n",
        );
        write("sources.list.d/b.list.disabled", "deb http://no.example.com/debian x main\n");
        write(
            "sources.list.d/c.list",
            "deb http://c.example.com/ubuntu x main\ndeb http://c.example.com/debian/ x main\n",
        );
        assert_eq!(urls(&none), pair("http://c.example.com/debian", "http://s.example.com/debian-security"));
        let found = discover(&none).unwrap().debian.from;
        assert_eq!(found, MirrorSource::Apt(dir.path().join("sources.list.d/c.list")));

        write("mirrors", "# list\nhttp://l.example.com/debian\tpriority:1\n");
        write("sources.list", &format!("deb mirror+file:{} x main\n", dir.path().join("mirrors").display()));
        assert_eq!(urls(&none), pair("http://l.example.com/debian", "http://s.example.com/debian-security"));

        let env = MirrorInputs { env: Some("http://e.example.com/debian/".into()), ..none.clone() };
        assert_eq!(urls(&env), pair("http://e.example.com/debian", "http://e.example.com/debian-security"));
        let manifest = MirrorInputs { mirror: Some("http://m.example.com/debian".into()), ..env.clone() };
        assert_eq!(urls(&manifest), pair("http://m.example.com/debian", "http://m.example.com/debian-security"));
        let both = MirrorInputs { security_mirror: Some("http://x.example.com/sec".into()), ..manifest.clone() };
        assert_eq!(urls(&both), pair("http://m.example.com/debian", "http://x.example.com/sec"));
        let cli = MirrorInputs { cli: Some("file:///srv/debian".into()), ..both.clone() };
        assert_eq!(urls(&cli), pair("file:///srv/debian", "file:///srv/debian-security"));
        let odd = MirrorInputs { cli: Some("http://u:secret@o.example.com/x".into()), ..both };
        assert_eq!(urls(&odd), pair("http://u:secret@o.example.com/x", "http://x.example.com/sec"));
        let alone = urls(&MirrorInputs { security_mirror: None, ..odd }).unwrap_err();
        assert!(alone.contains("security-mirror") && !alone.contains("secret"), "{alone}");
        // A pin comes before all but the command line; without a place for it a mirror is named all the same.
        let pin = Some("2026-10-01T02:03:04Z".parse().unwrap());
        let pinned = MirrorInputs { pin, ..env.clone() };
        let then = |area| format!("https://snapshot.example.com/archive/{area}/20261001T020304Z");
        assert_eq!(urls(&pinned), Ok((then("debian"), then("debian-security"))));
        let cli = MirrorInputs { cli: Some("file:///srv/debian".into()), ..pinned.clone() };
        assert_eq!(urls(&cli).unwrap().0, "file:///srv/debian");
        let nowhere = MirrorInputs { snapshot: None, ..pinned };
        assert_eq!(urls(&nowhere).unwrap().0, "http://e.example.com/debian");
        let nothing = MirrorInputs { env: None, apt_dir: "/nonexistent".into(), ..nowhere };
        assert!(matches!(discover(&nothing), Err(SourcesError::NoSnapshots { .. })));
        for bad in
            ["example.com/debian", "ftp://example.com/debian", "http:///debian", "file:x/debian", "http://a b/debian"]
        {
            assert!(urls(&MirrorInputs { cli: Some(bad.into()), ..none.clone() }).is_err(), "{bad}");
        }
    }
}
