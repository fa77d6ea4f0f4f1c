//! Package URLs (purl-spec, PURL-SPECIFICATION and the types `deb`, `pypi`, `generic` and `oci`).
//!
//! In: packages, projects and tarballs of an inventory. Out: the canonical text, with the qualifiers by which syft, grype
//! and trivy find the distribution (`distro=debian-13`) and the source package (`upstream=openssl@3.5.9-1`).

use std::fmt;

use crate::{
    base::{Arch, Sha256},
    inventory::{Distro, Package, Project, Tarball},
};

/// A package URL in parts. Empty parts are left out of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purl {
    kind: &'static str,
    namespace: String,
    name: String,
    version: String,
    /// In the order of their keys.
    qualifiers: Vec<(&'static str, String)>,
}

impl Purl {
    /// Of a Debian package. The namespace is the distribution's ID.
    pub fn of_package(package: &Package, distro: &Distro) -> Self {
        let Package { name, version, arch, source, source_version, .. } = package;
        let upstream = match (source.as_str() == name.as_str(), source_version == version) {
            (true, true) => String::new(),
            (false, true) => source.clone(),
            (_, false) => format!("{source}@{}", source_version.as_str()),
        };
        let qualifiers = vec![("arch", arch.clone()), ("distro", release(distro)), ("upstream", upstream)];
        Self {
            kind: "deb",
            namespace: id(distro),
            name: name.as_str().to_lowercase(),
            version: version.as_str().to_owned(),
            qualifiers,
        }
    }

    /// Of a Python project.
    pub fn of_project(project: &Project) -> Self {
        // PEP 503's form is the type's too: lower case, no underscores.
        Self::plain("pypi", project.name.as_str(), &project.version, Vec::new())
    }

    /// Of a tarball, known by its name and digest.
    pub fn of_tarball(tarball: &Tarball) -> Self {
        Self::plain("generic", &tarball.name, "", vec![("checksum", tarball.sha256.to_string())])
    }

    /// Of an image: by its manifest's digest, as the type `oci` wants; without one only its name is known.
    pub fn of_image(name: &str, arch: Option<Arch>, manifest: Option<Sha256>) -> Self {
        let arch = ("arch", arch.map(|arch| arch.oci().0.to_owned()).unwrap_or_default());
        match manifest {
            Some(digest) => {
                // A repository's name has nothing else (distribution-spec, “Pulling manifests”).
                let may_be = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
                let name: String = name.to_lowercase().chars().map(may_be).collect();
                Self::plain("oci", &name, &digest.to_string(), vec![arch])
            }
            None => Self::plain("generic", name, "", vec![arch]),
        }
    }

    fn plain(kind: &'static str, name: &str, version: &str, qualifiers: Vec<(&'static str, String)>) -> Self {
        // A purl has a name.
        let name = match part(name) {
            name if name.is_empty() => "unnamed".into(),
            name => name,
        };
        Self { kind, namespace: String::new(), name, version: part(version), qualifiers }
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", encoded(&self.namespace))?;
        }
        f.write_str(&encoded(&self.name))?;
        if !self.version.is_empty() {
            write!(f, "@{}", encoded(&self.version))?;
        }
        let mut joint = '?';
        let given = self.qualifiers.iter().map(|(key, value)| (key, part(value)));
        for (key, value) in given.filter(|(_, value)| !value.is_empty()) {
            write!(f, "{joint}{key}={}", encoded(&value))?;
            joint = '&';
        }
        Ok(())
    }
}

/// `debian-13`; of a suite without a number its codename. Empty if nothing is known.
fn release(distro: &Distro) -> String {
    let version = distro.version_id.as_deref().or(distro.codename.as_deref());
    let id = id(distro);
    match version.filter(|_| !id.is_empty()) {
        Some(version) => format!("{id}-{version}"),
        None => id,
    }
}

/// os-release's ID, in the characters that it may have (os-release(5)).
fn id(distro: &Distro) -> String {
    let may_be = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    distro.id.to_lowercase().chars().filter(may_be).collect()
}

/// Without what readers take off both ends, and without slashes: of those, encoded or not, they make different things, and
/// nothing real has one.
fn part(text: &str) -> String {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '/').replace('/', "-")
}

/// Percent-encoded but for RFC 3986's unreserved characters and the colon.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
