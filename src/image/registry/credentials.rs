//! Who somebody is to a registry, as `docker login` and `podman login` have kept it.
//!
//! In: files of the form of docker's `config.json` (containers-auth.json(5)): `auths`, by registry or a beginning of a
//! name there; and programs that keep secrets elsewhere (`credHelpers`, `credsStore`). Out: [`Credentials`].

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{
    Reference,
    helper::{self, HelperError},
};
use crate::base::refusal::{self, Refusal, Refuses};

/// Bytes of such a file at most.
const LIMIT: u64 = 1 << 20;

/// What is known of all registries.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    known: BTreeMap<String, Login>,
    /// Registries whose secrets a program keeps; the empty name stands for all.
    helpers: BTreeMap<String, String>,
}

/// A user's name and secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// For Basic authentication (RFC 7617), here or at the server that gives out tokens.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A refresh token of the server that gives out tokens.
    Identity(String),
}

/// Never with the secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::Identity(_) => "Identity",
        })
    }
}

/// A file of credentials is unusable.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}; log in again, or name another file with REGISTRY_AUTH_FILE", path.display())]
pub struct CredentialsError {
    path: PathBuf,
    what: String,
}

impl Refuses for CredentialsError {
    fn refusal(&self) -> &'static Refusal {
        refusal::CREDENTIALS_UNUSABLE
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "identitytoken")]
    identity: Option<String>,
}

impl Credentials {
    /// Reads those of the files that are there; what an earlier one says holds.
    ///
    /// # Errors
    /// When one cannot be read or is malformed.
    pub fn read(files: &[PathBuf]) -> Result<Self, CredentialsError> {
        let mut all = Self::default();
        for path in files {
            let failed = |what: String| CredentialsError { path: path.clone(), what };
            let text = match text(path) {
                Ok(text) => text,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(failed(format!("cannot read it ({error})"))),
            };
            all.add(&text).map_err(failed)?;
        }
        Ok(all)
    }

    /// Adds what one file says.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let config: Config = serde_json::from_str(text).map_err(|error| {
            // Its own words may hold a secret.
            format!("it is malformed in line {}, column {}", error.line(), error.column())
        })?;
        for (key, auth) in config.auths {
            if let Some(login) =
                auth.login().map_err(|what| format!("auths.{}: {what}", crate::deb::shown(key.as_bytes())))?
            {
                self.known.entry(bare(&key).into()).or_insert(login);
            }
        }
        for (key, helper) in config.helpers.into_iter().chain(config.store.map(|helper| (String::new(), helper))) {
            self.helpers.entry(bare(&key).into()).or_insert(helper);
        }
        Ok(())
    }

    /// What is known for an image: by the program that keeps the registry's secrets, else in a file, else by the program
    /// that keeps all.
    ///
    /// # Errors
    /// When such a program fails.
    pub(super) fn find(&self, reference: &Reference) -> Result<Option<Login>, HelperError> {
        let registry = reference.registry().as_str();
        let ask = |helper: &String| helper::ask(helper, registry);
        if let Some(helper) = self.helpers.get(registry) {
            return ask(helper);
        }
        match (self.login(reference), self.helpers.get("")) {
            (Some(login), _) => Ok(Some(login.clone())),
            (None, Some(helper)) => ask(helper),
            (None, None) => Ok(None),
        }
    }

    /// What the files have for an image: of the longest beginning of its name.
    pub(super) fn login(&self, reference: &Reference) -> Option<&Login> {
        let name = format!("{}/{}", reference.registry(), reference.repository());
        let mut at = name.as_str();
        loop {
            if let Some(login) = self.known.get(at) {
                return Some(login);
            }
            at = at.rsplit_once('/')?.0;
        }
    }
}

impl Auth {
    fn login(self) -> Result<Option<Login>, String> {
        if let Some(token) = self.identity.filter(|token| !token.is_empty()) {
            return Ok(Some(Login::Identity(token)));
        }
        if let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) {
            let bad = || "its auth is not base64 of NAME:PASSWORD".to_owned();
            let plain = String::from_utf8(STANDARD.decode(auth.trim()).map_err(|_| bad())?).map_err(|_| bad())?;
            let (user, password) = plain.split_once(':').ok_or_else(bad)?;
            // Docker writes this name before an identity token of old.
            let password = password.trim_end_matches('\0').to_owned();
            return Ok(Some(match user {
                "<token>" => Login::Identity(password),
                user => Login::Basic { user: user.into(), password },
            }));
        }
        Ok(self.username.zip(self.password).map(|(user, password)| Login::Basic { user, password }))
    }
}

fn text(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::other(format!("it is larger than {LIMIT} bytes")));
    }
    fs::read_to_string(path)
}

/// Docker once wrote whole URLs.
fn bare(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Login {
        Login::Basic { user: user.into(), password: password.into() }
    }

    #[test]
    fn the_longest_name_counts_and_the_first_file() {
        let mut all = Credentials::default();
        let auth = |text: &str| STANDARD.encode(text);
        all.add(&format!(
            r#"{{"auths": {{"r.example.com": {{"auth": "{}"}}, "r.example.com/team": {{"auth": "{}"}},
                "https://old.example.com/v1/": {{"username": "u", "password": "p:q"}}, "empty.example.com": {{}},
                "id.example.com": {{"auth": "{}", "identitytoken": "secret"}}, "t.example.com": {{"auth": "{}"}}}},
                "credHelpers": {{"h.example.com": "no-such-cloud"}}}}"#,
            auth("a:b"),
            auth("c:d:e"),
            auth("x:y"),
            auth("<token>:secret"),
        ))
        .unwrap();
        all.add(&format!(
            r#"{{"auths": {{"r.example.com": {{"auth": "{}"}}}}, "credsStore": "no-such-pass"}}"#,
            auth("z:z")
        ))
        .unwrap();
        let reference = |text: &str| text.parse::<Reference>().unwrap();
        for (text, login) in [
            ("r.example.com/other/app", Some(basic("a", "b"))),
            ("r.example.com/team/app", Some(basic("c", "d:e"))),
            ("r.example.com/teams", Some(basic("a", "b"))),
            ("old.example.com/x", Some(basic("u", "p:q"))),
            ("id.example.com/x", Some(Login::Identity("secret".into()))),
            ("t.example.com/x", Some(Login::Identity("secret".into()))),
            ("empty.example.com/x", None),
            ("r.example.com:5000/x", None),
        ] {
            assert_eq!(all.login(&reference(text)), login.as_ref(), "{text}");
        }
        // No such programs are here: who is asked is told by the fault. A file's login comes before the store of all.
        for (text, helper) in [
            ("h.example.com/x", Some("no-such-cloud")),
            ("other.example.com/x", Some("no-such-pass")),
            ("r.example.com/x", None),
        ] {
            let found = all.find(&reference(text));
            assert_eq!(found.is_err(), helper.is_some(), "{text}");
            let said = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                said.contains(&helper.map(|name| format!("docker-credential-{name}")).unwrap_or_default()),
                "{said}"
            );
        }
        assert!(!format!("{all:?}").contains("secret"));
    }

    #[test]
    fn faults_name_the_file_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert!(Credentials::read(std::slice::from_ref(&path)).is_ok(), "none there");
        let mut out = String::new();
        for text in [
            "{",
            "{\"auths\": \"SECRET\"}",
            "{\"auths\": {\"r\": {\"auth\": \"SECRET!\"}}}",
            "{\"auths\": {\"r\": {\"auth\": \"U0VDUkVU\"}}}",
        ] {
            fs::write(&path, text).unwrap();
            let error = Credentials::read(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(!error.contains("SECRET"), "{error}");
            out += &error.replace(path.to_str().unwrap(), "FILE");
            out += "\n";
        }
        insta::assert_snapshot!(out);
    }
}
