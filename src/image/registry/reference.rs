//! What an image in a registry is called: `docker://registry.example.com/team/app:1.2@sha256:…`.
//!
//! In: text. Out: [`Reference`], by the grammar of the distribution project's reference package and of the distribution
//! spec (“Pulling manifests”): `name := registry "/" component { "/" component }`, then `":" tag`, `"@" digest`.

use std::{fmt, str::FromStr};

use crate::{
    archive::fetch::is_this_machine,
    base::{
        Sha256,
        refusal::{self, Refusal, Refuses},
    },
    deb::shown,
};

/// What such a reference begins with.
pub const SCHEME: &str = "docker://";

/// The tag of a reference that has none.
const LATEST: &str = "latest";

/// Characters of registry and name together, at most, as registries have it.
const LONGEST: usize = 255;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: Registry,
    repository: Box<str>,
    tag: Option<Box<str>>,
    digest: Option<Sha256>,
}

/// A registry's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry(Box<str>);

/// Text that names no image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{text}” names no image in a registry: {what}; write docker://registry.example.com/name:tag, or @sha256:… for an exact one"
)]
pub struct BadReference {
    text: String,
    what: String,
}

impl Refuses for BadReference {
    fn refusal(&self) -> &'static Refusal {
        refusal::BAD_IMAGE_NAME
    }
}

impl Registry {
    /// As `HOST` or `HOST:PORT`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine, to which a connection need not be encrypted.
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.0)
    }

    /// The beginning of its URLs, up to `/v2`: https, but on this machine.
    pub fn base(&self) -> String {
        let scheme = if self.is_loopback() { "http" } else { "https" };
        format!("{scheme}://{}/v2", self.0)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let bad = || Err(format!("“{}” is not a registry's host, or host and port", shown(text.as_bytes())));
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                (None, if port.is_empty() { None } else { port.strip_prefix(':').or(Some("")) })
            }
            Some(_) => return bad(),
            None => match text.split_once(':') {
                Some((host, port)) => (Some(host), Some(port)),
                None => (Some(text), None),
            },
        };
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
        };
        if host.is_some_and(|host| !host.split('.').all(label)) || port.is_some_and(|port| port.parse::<u16>().is_err())
        {
            return bad();
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reference {
    /// Where it is.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its name there, such as `library/python`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Its tag, if one is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The same with the tag that it means when it has none.
    pub(in crate::image) fn tagged(self) -> Self {
        let tag = self.tag.unwrap_or_else(|| LATEST.into());
        Self { tag: Some(tag), ..self }
    }

    /// The same, and exactly this image.
    pub(super) fn exactly(&self, digest: Sha256) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The digest of its manifest, if one is written: that decides then, and not the tag.
    pub fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// What its manifest is asked for by: the digest, else the tag, else `latest`.
    pub fn manifest(&self) -> String {
        match self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag.as_deref().unwrap_or(LATEST).to_owned(),
        }
    }
}

/// With `docker://`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    /// With or without `docker://`.
    fn from_str(text: &str) -> Result<Self, BadReference> {
        parse(text.strip_prefix(SCHEME).unwrap_or(text))
            .map_err(|what| BadReference { text: shown(text.as_bytes()), what })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    let (rest, digest) = match text.split_once('@') {
        None => (text, None),
        Some((rest, digest)) => {
            let known = digest.strip_prefix("sha256:").filter(|hex| !hex.contains(|c: char| c.is_ascii_uppercase()));
            let known = known.and_then(|hex| hex.parse().ok());
            (rest, Some(known.ok_or("what follows “@” is not “sha256:” and 64 lower-case hexadecimal digits")?))
        }
    };
    // A port has a slash behind it, a tag has none.
    let (name, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        None => (rest, None),
        Some((name, tag)) => (name, Some(tag)),
    };
    if let Some(tag) = tag {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let inner = |b: u8| word(b) || matches!(b, b'.' | b'-');
        if tag.len() > 128 || !tag.bytes().next().is_some_and(word) || !tag.bytes().all(inner) {
            return Err("a tag has 1 to 128 letters, digits, “_”, “.” and “-”, the first not “.” or “-”".into());
        }
    }
    let (registry, repository) = name.split_once('/').unwrap_or(("", name));
    // So other tools tell a host from the first part of a name.
    if !registry.contains(['.', ':']) && registry != "localhost" {
        return Err("it does not say which registry, and compose knows no default one".into());
    }
    if name.len() > LONGEST {
        return Err(format!("registry and name have more than {LONGEST} characters"));
    }
    let registry = Registry::parse(registry)?;
    if let Some(part) = repository.split('/').find(|part| !is_component(part)) {
        let shown = shown(part.as_bytes());
        return Err(match part.bytes().any(|b| b.is_ascii_uppercase()) {
            true => format!("“{shown}” has capital letters, and names in registries have none"),
            false => format!(
                "“{shown}” is not part of a name: lower-case letters and digits, between them “.”, “_”, “__” or hyphens"
            ),
        });
    }
    Ok(Reference { registry, repository: repository.into(), tag: tag.map(Into::into), digest })
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` (distribution spec).
pub(super) fn is_component(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let words = |b: &u8, c: &u8| is_word(*b) == is_word(*c);
    let mut runs = part.as_bytes().chunk_by(words);
    let ends_well = part.bytes().next().is_some_and(is_word) && part.bytes().last().is_some_and(is_word);
    ends_well
        && runs.all(|run| {
            run.iter().all(|b| is_word(*b)) || matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-')
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn references_as_they_are_written() {
        let hex = "ab".repeat(32);
        for (text, registry, repository, manifest) in [
            ("docker://r.example.com/app", "r.example.com", "app", "latest"),
            ("r.example.com/app:1.2", "r.example.com", "app", "1.2"),
            ("docker://localhost/a/b/c:x_y", "localhost", "a/b/c", "x_y"),
            ("docker://127.0.0.1:5000/a--b/c__d.e:1", "127.0.0.1:5000", "a--b/c__d.e", "1"),
            ("docker://[::1]:5000/app:1", "[::1]:5000", "app", "1"),
            ("docker://R.Example.com:443/app", "r.example.com:443", "app", "latest"),
            (&format!("docker://r.example.com/app@sha256:{hex}"), "r.example.com", "app", &format!("sha256:{hex}")),
            (&format!("docker://r.example.com/app:1@sha256:{hex}"), "r.example.com", "app", &format!("sha256:{hex}")),
        ] {
            let found: Reference = text.parse().unwrap();
            assert_eq!((found.registry().as_str(), found.repository()), (registry, repository), "{text}");
            assert_eq!(found.manifest(), manifest, "{text}");
            assert_eq!(found.to_string().parse::<Reference>().unwrap(), found, "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_is_explained() {
        let hex = "ab".repeat(32);
        let mut out = String::new();
        for text in [
            "docker://",
            "docker://python:3.13-slim",
            "docker://library/python",
            "docker://r.example.com",
            "docker://r.example.com/",
            "docker://r.example.com/App",
            "docker://r.example.com/a___b",
            "docker://r.example.com/a-",
            "docker://r.example.com/a//b",
            "docker://r.example.com/../a",
            "docker://r.example.com/a:",
            "docker://r.example.com/a:.x",
            "docker://r.example.com/a@sha512:00",
            "docker://r.example.com/a@sha256:00",
            &format!("docker://r.example.com/a@sha256:{}", hex.to_uppercase()),
            "docker://-r.example.com/a",
            "docker://user:password@r.example.com/a",
            "docker://r.example.com:port/a",
            "docker://r.example.com:99999/a",
            "docker://[::1/a",
            "docker://[::g]:1/a",
            "docker://r.example.com/a?b",
            "docker://r.example.com/a\x1b[1m",
            &format!("docker://r.example.com/{}", "a".repeat(300)),
        ] {
            out += &format!("{}\n", text.parse::<Reference>().unwrap_err());
        }
        insta::assert_snapshot!(out);
    }

    #[test]
    fn only_this_machine_is_reached_in_the_clear() {
        for (text, base) in [
            ("localhost/a", "http://localhost/v2"),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5000/v2"),
            ("127.8.8.8:5000/a", "http://127.8.8.8:5000/v2"),
            ("[::1]:5000/a", "http://[::1]:5000/v2"),
            ("localhost.example.com/a", "https://localhost.example.com/v2"),
            ("127.0.0.1.example.com/a", "https://127.0.0.1.example.com/v2"),
            ("10.0.0.1:5000/a", "https://10.0.0.1:5000/v2"),
            ("[::2]:5000/a", "https://[::2]:5000/v2"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().registry().base(), base);
        }
    }
}
