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
            namespace: distro.id.to_lowercase(),
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
            Some(digest) => Self::plain("oci", &name.to_lowercase(), &digest.to_string(), vec![arch]),
            None => Self::plain("generic", name, "", vec![arch]),
        }
    }

    fn plain(kind: &'static str, name: &str, version: &str, qualifiers: Vec<(&'static str, String)>) -> Self {
        // A purl has a name.
        let name = match name.trim() {
            "" => "unnamed",
            name => name,
        };
        Self { kind, namespace: String::new(), name: name.into(), version: version.trim().into(), qualifiers }
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
        for (key, value) in self.qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
            write!(f, "{joint}{key}={}", encoded(value))?;
            joint = '&';
        }
        Ok(())
    }
}

/// `debian-13`; of a suite without a number its codename. Empty if nothing is known.
fn release(distro: &Distro) -> String {
    let version = distro.version_id.as_deref().or(distro.codename.as_deref());
    match version.filter(|_| !distro.id.is_empty()) {
        Some(version) => format!("{}-{version}", distro.id.to_lowercase()),
        None => distro.id.to_lowercase(),
    }
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
