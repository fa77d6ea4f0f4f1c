//! Programs that keep secrets for docker and podman (docker-credential-helpers' protocol): `docker-credential-NAME get`
//! reads the server's name and writes `{"Username": …, "Secret": …}`.
//!
//! In: the helper's name and a registry's. Out: a [`Login`], none, or why there is no telling. What a helper says is never
//! shown: it may be a secret.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde::Deserialize;

use super::credentials::Login;
use crate::{base::live, deb::shown};

/// How long one may take; it may ask a person for a passphrase.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of an answer at most.
const LIMIT: u64 = 64 << 10;

/// What helpers say when they know nobody (credentials/error.go of docker-credential-helpers).
const NOBODY: &str = "credentials not found";

/// A helper does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("docker-credential-{helper}, which keeps the login for {registry}, {why}; {next}")]
pub struct HelperError {
    helper: String,
    registry: String,
    why: String,
    next: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    user: Option<String>,
    #[serde(rename = "Secret")]
    secret: Option<String>,
}

/// What the helper knows of the registry.
pub(super) fn ask(helper: &str, registry: &str) -> Result<Option<Login>, HelperError> {
    let by_hand = || format!("see what it says with: echo {registry} | docker-credential-{helper} get");
    let failed = |why: String, next: String| {
        let helper = shown(helper.as_bytes());
        HelperError { helper, registry: registry.into(), why, next }
    };
    // A name from a file becomes a program's.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+');
    if helper.is_empty() || !helper.bytes().all(is_plain) {
        let next = "write the plain name of one into credHelpers or credsStore, or take it out";
        return Err(failed("has a name that no program can have".into(), next.into()));
    }
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (child, _watch) = live::spawn(&mut command).map_err(|error| {
        let next = format!("install it, or log in with podman login {registry}, which keeps it in a file");
        failed(format!("cannot be run ({})", error.kind()), next)
    })?;
    let mut child = Running(child);
    if let Some(mut input) = child.0.stdin.take() {
        // One that knows without reading is welcome to.
        let _ = input.write_all(registry.as_bytes());
    }
    let (tell, told) = mpsc::channel();
    if let Some(output) = child.0.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = output.take(LIMIT).read_to_end(&mut bytes);
            let _ = tell.send(read.map(|_| bytes));
        });
    }
    let bytes = match told.recv_timeout(PATIENCE) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(failed(format!("cannot be read ({})", error.kind()), by_hand())),
        Err(_) => return Err(failed(format!("says nothing for {} s", PATIENCE.as_secs()), by_hand())),
    };
    // Whoever has closed its output and goes on is not waited for long.
    let mut status = None;
    for _ in 0..200 {
        status =
            child.0.try_wait().map_err(|error| failed(format!("cannot be awaited ({})", error.kind()), by_hand()))?;
        if status.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    match status {
        Some(status) if status.success() => {}
        Some(_) if String::from_utf8_lossy(&bytes).to_ascii_lowercase().contains(NOBODY) => return Ok(None),
        Some(status) => return Err(failed(format!("fails ({status})"), by_hand())),
        None => return Err(failed("does not end".into(), by_hand())),
    }
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|_| failed("answers with something else than {\"Username\": …, \"Secret\": …}".into(), by_hand()))?;
    let secret = answer.secret.filter(|secret| !secret.is_empty());
    Ok(match (answer.user.unwrap_or_default(), secret) {
        (_, None) => None,
        (user, Some(secret)) if user == "<token>" => Some(Login::Identity(secret)),
        (user, Some(password)) => Some(Login::Basic { user, password }),
    })
}

/// Does not outlive who asked it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
