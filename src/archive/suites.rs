//! Which suites of which repositories: `[debian]` and `[[repositories]]` of the manifest, spelled out.
//!
//! In: the manifest's tables and the [`Mirrors`]. Out: [`SuiteRequest`]s, in the manifest's order.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::manifest::{Debian, Manifest, Repository};

use super::sources::{Mirrors, is_fetchable, snapshot_time};
use crate::base::{
    refusal::{self, Refusal, Refuses},
    words,
};

/// One suite to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteRequest {
    /// What the lock calls it: `debian`, `debian-updates`, `debian-security`, or a `[[repositories]]` name.
    pub name: String,
    /// The folder below `dists/`.
    pub suite: String,
    /// Base URLs, without trailing slash, tried in order.
    pub bases: Vec<String>,
    /// Components wanted.
    pub components: Vec<String>,
    /// Who may sign it.
    pub keys: Keys,
    /// It only adds to another suite, so an architecture that it lacks is no error.
    pub additional: bool,
    /// The manifest wants it as it was at this time: Valid-Until and rollback do not apply, and nothing may be newer. What a
    /// mirror's address looks like never makes it so.
    pub pin: Option<Timestamp>,
}

/// Who may sign a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Debian's archive keys.
    Debian,
    /// The keys in this file.
    File(PathBuf),
    /// Nobody needs to: `trusted = true`, only for `file:`.
    Unsigned,
}

/// A repository table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuitesError {
    /// Neither table is there.
    #[error("the manifest names no repository; add [debian] with a suite, or [[repositories]]")]
    Nothing,
    /// `[debian]` without mirrors: a fault of the caller.
    #[error("no mirror was chosen for [debian]")]
    NoMirror,
    /// Two repositories with one name.
    #[error("two repositories are called “{0}”; give one of them another “name”")]
    Twice(String),
    /// A suite or component that is no plain path.
    #[error(
        "repository “{name}”: “{text}” cannot be a suite or component (letters, digits and “-._+~/” only, no “..”, no “/” at the end)"
    )]
    BadWord {
        /// The repository.
        name: String,
        /// The word.
        text: String,
    },
    /// A URI that is not fetched.
    #[error(
        "repository “{name}”: “{uri}” is not a URI that can be fetched; it starts with https://, http:// or file:///"
    )]
    BadUri {
        /// The repository.
        name: String,
        /// The URI, without user name and password.
        uri: String,
    },
    /// `trusted` for something remote.
    #[error("repository “{0}”: “trusted = true” is only for file: repositories; name the key with “signed-by”")]
    RemoteTrusted(String),
}

impl Refuses for SuitesError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Nothing => refusal::NO_REPOSITORY,
            Self::NoMirror => refusal::INTERNAL,
            Self::Twice(_) => refusal::REPOSITORY_TWICE,
            Self::BadWord { .. } => refusal::BAD_SUITE_NAME,
            Self::BadUri { .. } => refusal::BAD_REPOSITORY_URI,
            Self::RemoteTrusted(_) => refusal::REMOTE_TRUSTED,
        }
    }
}

/// What Debian's suites are called, and were.
const DEBIAN: [&str; 15] = [
    "stable",
    "testing",
    "unstable",
    "sid",
    "oldstable",
    "oldoldstable",
    "experimental",
    "rc-buggy",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "proposed-updates",
];

impl SuiteRequest {
    /// The suite of Debian's that is called almost so, if it is to be one of Debian's and is called like none.
    pub fn near(&self) -> Option<&'static str> {
        words::nearest(&self.suite, DEBIAN).filter(|near| self.is_debian() && *near != self.suite)
    }

    /// Whether it is of `[debian]`.
    pub fn is_debian(&self) -> bool {
        Debian::has(&self.name)
    }
}

/// All suites that the manifest asks for. `mirrors` is needed when it has `[debian]`.
///
/// # Errors
/// [`SuitesError`].
pub fn requests(manifest: &Manifest, mirrors: Option<&Mirrors>) -> Result<Vec<SuiteRequest>, SuitesError> {
    let mut out = Vec::new();
    if let Some(debian) = &manifest.debian {
        out.extend(debian_suites(debian, mirrors.ok_or(SuitesError::NoMirror)?));
    }
    for repository in &manifest.repositories {
        out.extend(repository_suites(repository)?);
    }
    if out.is_empty() {
        return Err(SuitesError::Nothing);
    }
    for (i, one) in out.iter().enumerate() {
        if out[..i].iter().any(|other| other.name == one.name) {
            return Err(SuitesError::Twice(one.name.clone()));
        }
        for text in one.components.iter().chain([&one.suite]) {
            if !is_word(text) {
                return Err(SuitesError::BadWord { name: one.name.clone(), text: text.clone() });
            }
        }
    }
    Ok(out)
}

/// The suite, its updates and its security fixes. Unstable has neither; testing has both, by the same names.
fn debian_suites(debian: &Debian, mirrors: &Mirrors) -> Vec<SuiteRequest> {
    let one = |name: &str, suite: String, base: &str, additional| SuiteRequest {
        name: name.into(),
        suite,
        bases: vec![base.into()],
        components: debian.components.clone(),
        keys: Keys::Debian,
        additional,
        pin: debian.snapshot,
    };
    let suite = &debian.suite;
    let (main, security) = (mirrors.debian.url.as_str(), mirrors.security.url.as_str());
    let mut out = vec![one("debian", suite.clone(), main, false)];
    if !matches!(suite.as_str(), "sid" | "unstable" | "experimental" | "rc-buggy") {
        out.push(one("debian-updates", format!("{suite}-updates"), main, true));
        out.push(one("debian-security", format!("{suite}-security"), security, true));
    }
    out
}

fn repository_suites(repository: &Repository) -> Result<Vec<SuiteRequest>, SuitesError> {
    let name = &repository.name;
    if let Some(uri) = repository.uris.iter().find(|uri| !is_fetchable(uri)) {
        return Err(SuitesError::BadUri { name: name.clone(), uri: super::fetch::shown(uri) });
    }
    let keys = match &repository.signed_by {
        _ if repository.trusted && !repository.uris.iter().all(|uri| uri.starts_with("file:")) => {
            return Err(SuitesError::RemoteTrusted(name.clone()));
        }
        _ if repository.trusted => Keys::Unsigned,
        Some(path) => Keys::File(path.clone()),
        None => Keys::Debian,
    };
    // A snapshot is named by its whole URI.
    let times: Option<Vec<_>> = repository.uris.iter().map(|uri| snapshot_time(uri)).collect();
    let pin = times.and_then(|times| times.into_iter().max());
    let one = |suite: &String| SuiteRequest {
        name: if repository.suites.len() == 1 { name.clone() } else { format!("{name}-{suite}") },
        suite: suite.clone(),
        bases: repository.uris.iter().map(|uri| uri.trim_end_matches('/').to_owned()).collect(),
        components: repository.components.clone(),
        keys: keys.clone(),
        additional: false,
        pin,
    };
    Ok(repository.suites.iter().map(one).collect())
}

/// A suite or component: a relative path of plain characters.
pub(super) fn is_word(text: &str) -> bool {
    text.split('/').all(|part| {
        !matches!(part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._+~".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::archive::sources::{Mirror, MirrorSource};

    fn manifest(debian: Option<&str>, repositories: Vec<Repository>) -> Manifest {
        let debian = debian.map(|suite| Debian {
            suite: suite.into(),
            components: vec!["main".into()],
            mirror: None,
            security_mirror: None,
            snapshot: None,
        });
        Manifest {
            file: "m.toml".into(),
            bases: vec![],
            name: "x".into(),
            archs: vec![],
            debian,
            repositories,
            packages: Default::default(),
            python: None,
            tarballs: vec![],
            rootfs: Default::default(),
            files: vec![],
            accounts: Default::default(),
            image: Default::default(),
            sbom: Default::default(),
            policy: Default::default(),
            limits: Default::default(),
        }
    }

    fn repository(name: &str, uri: &str, suites: &[&str]) -> Repository {
        Repository {
            name: name.into(),
            uris: vec![uri.into()],
            suites: suites.iter().map(|&s| s.into()).collect(),
            components: vec!["main".into()],
            signed_by: Some("k.asc".into()),
            trusted: false,
        }
    }

    #[test]
    fn spells_out_debian_and_repositories() {
        let mirror = |url: &str| Mirror { url: url.into(), from: MirrorSource::CommandLine };
        let mirrors = Mirrors { debian: mirror("http://a/debian"), security: mirror("http://a/debian-security") };
        let names = |debian, repos| -> Vec<String> {
            let all = requests(&manifest(debian, repos), Some(&mirrors)).unwrap();
            all.iter().map(|r| format!("{} {} {}", r.name, r.bases[0], r.suite)).collect()
        };
        assert_eq!(
            names(Some("trixie"), vec![repository("corp", "https://apt.example.com/x/", &["a", "b"])]),
            [
                "debian http://a/debian trixie",
                "debian-updates http://a/debian trixie-updates",
                "debian-security http://a/debian-security trixie-security",
                "corp-a https://apt.example.com/x a",
                "corp-b https://apt.example.com/x b",
            ]
        );
        assert_eq!(names(Some("sid"), vec![]), ["debian http://a/debian sid"]);
        assert_eq!(names(None, vec![repository("corp", "file:/x", &["a"])]), ["corp file:/x a"]);
    }

    #[test]
    fn refuses_what_cannot_be_fetched_safely() {
        let trusted = Repository { trusted: true, ..repository("r", "http://a/x", &["s"]) };
        let cases = [
            (vec![], "names no repository"),
            (vec![repository("r", "file:/a", &["s"]), repository("r", "file:/b", &["s"])], "called “r”"),
            (vec![repository("r", "file:/a", &["../s"])], "“../s” cannot be"),
            (vec![repository("r", "file:/a", &["./"])], "“./” cannot be"),
            (vec![repository("r", "ftp://a/b", &["s"])], "not a URI"),
            (vec![trusted], "only for file:"),
        ];
        for (repositories, message) in cases {
            let error = requests(&manifest(None, repositories), None).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_slip_in_the_name_of_a_suite() {
        for (suite, name, near) in [
            ("trixi", "debian", Some("trixie")),
            ("Trixie", "debian", Some("trixie")),
            ("stabel", "debian", Some("stable")),
            ("trixie", "debian", None),
            ("noble", "debian", None),
            ("trixi", "mine", None),
        ] {
            let mut request =
                requests(&manifest(None, vec![repository("mine", "file:/x", &[suite])]), None).unwrap().remove(0);
            request.name = name.into();
            assert_eq!(request.near(), near, "{suite}");
        }
    }
}
