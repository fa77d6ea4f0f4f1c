//! Who asks is told to the registry: what it wants to know, where a token is to be had, what a person can do if it
//! refuses.
//!
//! In: a challenge, what this machine keeps of logins. Out: a value of `Authorization`, kept for the next request.

use std::{io::Read as _, sync::PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use ureq::{Body, http::Response};

use super::{
    Client, RegistryError,
    ask::{Ask, Fault, SMALL, said},
    challenge::{Challenge, challenges},
    client::Actions,
    credentials::Login,
    helper::HelperError,
};
use crate::{
    archive::{
        fetch::{Failure, is_this_machine, network_failure},
        shown,
    },
    base::refusal,
    deb::shown as escaped,
};

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Client<'_> {
    /// What the registry has taken before.
    pub(super) fn known(&self, and: &str) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).get(and).cloned()
    }

    /// Who is logged in to the registry on this machine; a program that keeps secrets is asked once.
    fn login(&self) -> Result<Option<&Login>, &HelperError> {
        self.login.get_or_init(|| self.credentials.find(self.reference)).as_ref().map(Option::as_ref)
    }

    /// Finds what the registry will take, and keeps it. It did not take `used`.
    pub(super) fn authorize(&self, response: &Response<Body>, ask: &Ask<'_>, used: Option<&str>) -> Result<(), Fault> {
        let _asking = self.authorizing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.known(ask.and).as_deref() != used {
            // Another thread has asked meanwhile.
            return Ok(());
        }
        let headers = response.headers().get_all("www-authenticate");
        let all: Vec<Challenge> = headers.iter().filter_map(|text| text.to_str().ok()).flat_map(challenges).collect();
        let of = |scheme: &str| all.iter().find(|challenge| challenge.scheme == scheme);
        let bearer = of("bearer");
        let login = match self.login() {
            Ok(login) => login,
            // What is public can be read by anybody.
            Err(error) if bearer.is_some() && self.actions == Actions::Pull => {
                self.progress.notice(&format!("{error}; asking as nobody"));
                None
            }
            Err(error) => return Err(Fault::End(RegistryError::Helper(error.clone()))),
        };
        let taken = match (bearer, of("basic"), login) {
            (Some(bearer), ..) => format!("Bearer {}", self.token(bearer, login, ask)?),
            (None, Some(_), Some(Login::Basic { user, password })) => basic(user, password),
            (None, Some(_), _) => {
                return Err(Fault::End(self.denied(ask.url, "HTTP 401: it wants a name and a password")));
            }
            (None, None, _) => {
                let why = "HTTP 401: it wants to know who asks in a way that compose does not know";
                return Err(Fault::End(self.denied(ask.url, why)));
            }
        };
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).insert(ask.and.to_owned(), taken);
        Ok(())
    }

    /// A token of the server that the challenge names (distribution: “Token Authentication Specification”, and with an
    /// identity token “OAuth2 Token Authentication”).
    fn token(&self, bearer: &Challenge, login: Option<&Login>, ask: &Ask<'_>) -> Result<String, Fault> {
        let refuse = |why: String| Fault::End(self.denied(ask.url, &why));
        let realm = bearer.parameters.get("realm").map(String::as_str).unwrap_or_default();
        let secure = match realm.split_once("://") {
            Some(("https", rest)) => !rest.is_empty(),
            Some(("http", _)) => is_this_machine(realm),
            _ => false,
        };
        // A name before an @ is there to be taken for the host.
        if !secure || realm.contains('@') || realm.contains(|c: char| !c.is_ascii_graphic()) {
            let realm = escaped(realm.as_bytes());
            return Err(refuse(format!("it asks for a token of “{realm}”, which is not an https:// address")));
        }
        let service = bearer.parameters.get("service").cloned().unwrap_or_default();
        let actions = match self.actions {
            Actions::Pull => "pull",
            Actions::PullPush => "pull,push",
        };
        let mut scopes = vec![format!("repository:{}:{actions}", self.reference.repository())];
        if !ask.and.is_empty() {
            scopes.push(format!("repository:{}:pull", ask.and));
        }
        let agent = self.fetcher.agent_for(realm);
        let response = match login {
            Some(Login::Identity(token)) => agent.post(realm).send_form([
                ("grant_type", "refresh_token"),
                ("service", &service),
                ("scope", &scopes.join(" ")),
                ("client_id", "compose"),
                ("refresh_token", token),
            ]),
            _ => {
                let mut request = agent.get(realm).query("service", &service);
                for scope in &scopes {
                    request = request.query("scope", scope);
                }
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

    pub(super) fn denied(&self, url: &str, why: &str) -> RegistryError {
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let log_in = format!("docker login {registry} or podman login {registry}");
        let next = match (self.login(), self.actions) {
            (Err(error), _) => error.to_string(),
            (Ok(None), Actions::Pull) => {
                format!("if the image is not public, log in with {log_in}; else check its name")
            }
            (Ok(Some(_)), Actions::Pull) => {
                format!("check that whoever is logged in to {registry} here may read it")
            }
            (Ok(None), Actions::PullPush) => {
                format!(
                    "nobody is logged in to {registry} here: log in as somebody who may write to {repository}, with {log_in}"
                )
            }
            (Ok(Some(login)), Actions::PullPush) => {
                let who = match login {
                    Login::Basic { user, .. } => format!("“{}”", escaped(user.as_bytes())),
                    Login::Identity(_) => "whoever has the identity token kept here".into(),
                };
                format!(
                    "{who} is logged in to {registry} here: have it allowed to write to {repository}, or log in as somebody who may, with {log_in}"
                )
            }
        };
        // The address of an upload may hold a secret in its query.
        let url = shown(url.split('?').next().unwrap_or_default());
        RegistryError::Denied { url, why: why.into(), next }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
