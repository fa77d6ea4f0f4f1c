//! Package URLs as VEX documents name things with them, and what of an image they mean (purl-spec; OpenVEX, “Product”).
//!
//! In: text. Out: [`Pattern`]; whether it means a [`Thing`]. As in OpenVEX's own library a purl means whatever has all that
//! it says: without a version all versions, without qualifiers all architectures and suites.

use std::collections::BTreeMap;

use crate::{
    base::words,
    inventory::{Distro, Package},
    python::ProjectName,
};

/// A purl of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    kind: String,
    namespace: String,
    name: String,
    version: String,
    qualifiers: BTreeMap<String, String>,
}

/// Something in an image that can be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    kind: &'static str,
    namespace: String,
    name: String,
    version: String,
    /// A source package is meant only where that is said.
    is_source: bool,
    /// What each may be, in any of the spellings that tools use.
    qualifiers: BTreeMap<&'static str, Vec<String>>,
}

impl Pattern {
    /// Reads a purl; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.get(..4).filter(|start| start.eq_ignore_ascii_case("pkg:")).and_then(|_| text.get(4..))?;
        let rest = rest.split('#').next()?.trim_start_matches('/');
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = path.split_once('/')?;
        // A version may hold anything but an unencoded “@”, and a scope (`%40angular`) is encoded.
        let (path, version) = path.rsplit_once('@').unwrap_or((path, ""));
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut qualifiers = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=')?;
            qualifiers.insert(key.to_ascii_lowercase(), decoded(value)?);
        }
        let mut name = decoded(name)?;
        let kind = kind.to_ascii_lowercase();
        if kind == "pypi" {
            name = name.parse::<ProjectName>().ok()?.to_string();
        }
        let namespace = decoded(namespace)?.to_lowercase();
        (!name.is_empty()).then_some(Self { kind, namespace, name, version: decoded(version)?, qualifiers })
    }

    /// Whether `thing` has all that this says.
    pub(super) fn means(&self, thing: &Thing) -> bool {
        self.kind == thing.kind
            && self.namespace == thing.namespace
            && self.name == thing.name
            && (self.version.is_empty() || self.version == thing.version)
            && (!thing.is_source || self.qualifiers.contains_key("arch"))
            && self.qualifiers.iter().all(|(key, value)| {
                thing.qualifiers.get(key.as_str()).is_some_and(|values| values.iter().any(|own| own == value))
            })
    }

    /// Whether this is an image called `name`, and if it says a digest, that of `digest`.
    pub(super) fn means_image(&self, name: &str, digest: Option<&str>) -> bool {
        matches!(self.kind.as_str(), "oci" | "docker" | "generic")
            && self.name.eq_ignore_ascii_case(name)
            && (self.version.is_empty() || Some(self.version.as_str()) == digest)
    }
}

impl Thing {
    /// A binary package.
    pub(super) fn binary(package: &Package, distro: &Distro) -> Self {
        let Package { name, version, source, source_version, arch, .. } = package;
        let mut upstream = vec![source.clone(), format!("{source}@{source_version}")];
        upstream.retain(|_| source != name.as_str() || source_version != version);
        let mut thing = Self::deb(name.as_str(), version.as_str(), arch, distro);
        thing.qualifiers.insert("upstream", upstream);
        thing
    }

    /// The source package that a binary one was built from. Only a purl with `arch=source` means it: without that, a name
    /// is a binary package's.
    pub(super) fn source(package: &Package, distro: &Distro) -> Self {
        Self::deb(&package.source, package.source_version.as_str(), "source", distro)
    }

    /// A Python project.
    pub(super) fn project(name: &str, version: &str) -> Self {
        let (kind, namespace, qualifiers, is_source) = ("pypi", String::new(), BTreeMap::new(), false);
        Self { kind, namespace, is_source, name: name.to_owned(), version: version.to_owned(), qualifiers }
    }

    fn deb(name: &str, version: &str, arch: &str, distro: &Distro) -> Self {
        let id = distro.id.to_lowercase();
        let names = [&distro.version_id, &distro.codename, &distro.full_version];
        let mut suites = vec![id.clone()];
        for name in names.into_iter().flatten() {
            suites.extend([name.clone(), format!("{id}-{name}")]);
        }
        Self {
            kind: "deb",
            namespace: id,
            name: name.to_owned(),
            version: version.to_owned(),
            is_source: arch == "source",
            qualifiers: BTreeMap::from([("arch", vec![arch.to_owned()]), ("distro", suites)]),
        }
    }
}

/// Percent-decoded; `None` if that is no text.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(words::percent_decoded(text)?).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::advisory::testing::package;

    fn trixie() -> Distro {
        Distro {
            id: "debian".into(),
            version_id: Some("13".into()),
            codename: Some("trixie".into()),
            full_version: Some("13.8".into()),
            pretty_name: None,
        }
    }

    #[test]
    fn a_purl_means_what_has_all_that_it_says() {
        let mut libc = package("libstdc++6", "1:2.0-1+b1", "gcc-14");
        libc.source_version = "1:2.0-1".parse().unwrap();
        let (binary, source) = (Thing::binary(&libc, &trixie()), Thing::source(&libc, &trixie()));
        for (purl, of_binary, of_source) in [
            ("pkg:deb/debian/libstdc%2B%2B6@1:2.0-1%2Bb1?arch=amd64&distro=debian-13", true, false),
            ("pkg:deb/debian/libstdc++6@1%3A2.0-1%2Bb1", true, false),
            ("pkg:deb/debian/libstdc%2B%2B6", true, false),
            ("PKG:DEB/Debian/libstdc%2B%2B6?distro=trixie#a", true, false),
            ("pkg:deb/debian/libstdc%2B%2B6?upstream=gcc-14%401:2.0-1", true, false),
            ("pkg:deb/debian/libstdc%2B%2B6?upstream=gcc-13", false, false),
            ("pkg:deb/debian/libstdc%2B%2B6@1:2.0-1", false, false),
            ("pkg:deb/debian/libstdc%2B%2B6?arch=arm64", false, false),
            ("pkg:deb/debian/libstdc%2B%2B6?distro=debian-12", false, false),
            ("pkg:deb/debian/libstdc%2B%2B6?vcs_url=x", false, false),
            ("pkg:deb/ubuntu/libstdc%2B%2B6", false, false),
            ("pkg:rpm/debian/libstdc%2B%2B6", false, false),
            ("pkg:deb/debian/gcc-14", false, false),
            ("pkg:deb/debian/gcc-14?arch=source", false, true),
            ("pkg:deb/debian/gcc-14@1:2.0-1?arch=source&distro=debian-13.8", false, true),
            ("pkg:deb/debian/gcc-14@1:2.0-2?arch=source", false, false),
        ] {
            let pattern = Pattern::parse(purl).unwrap();
            assert_eq!((pattern.means(&binary), pattern.means(&source)), (of_binary, of_source), "{purl}");
        }
        let flask = Thing::project("flask", "3.0");
        for (purl, means) in [("pkg:pypi/Flask@3.0", true), ("pkg:pypi/flask", true), ("pkg:pypi/flask@3.0.1", false)] {
            assert_eq!(Pattern::parse(purl).unwrap().means(&flask), means, "{purl}");
        }
    }

    #[test]
    fn other_text_is_no_purl() {
        for text in ["", "pkg:", "pkg:deb", "pkg:deb/", "pkg:deb/a%ZZ", "pkg:deb/a%C3", "é", "pkg:deb/a?b"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn images_by_name_and_digest() {
        for (purl, digest, means) in [
            ("pkg:oci/app", None, true),
            ("pkg:oci/app@sha256%3Aab?repository_url=example.com/app", Some("sha256:ab"), true),
            ("pkg:oci/app@sha256:ab", Some("sha256:cd"), false),
            ("pkg:oci/app@sha256:ab", None, false),
            ("pkg:docker/example/APP", None, true),
            ("pkg:deb/debian/app", None, false),
            ("pkg:generic/other", None, false),
        ] {
            assert_eq!(Pattern::parse(purl).unwrap().means_image("App", digest), means, "{purl}");
        }
    }
}
