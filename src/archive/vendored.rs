//! A folder that `compose vendor` made: an apt repository with the wheels and tarballs of a lock beside it.
//!
//! In: the `file:` URL that names it as a mirror. Out: [`Vendored`], the place of each file in it. What lies there is
//! held against the lock's size and SHA-256 like anything that is fetched.
//!
//! ```text
//! pool/…             .debs, at the lock's own paths         wheels/NAME.whl        as pip's --find-links wants them
//! dists/SUITE/…      Release and indexes for each suite     tarballs/SHA256/NAME   as names may be the same
//! vendor.json        what it is, and for which lock         SHA256SUMS             for `sha256sum -c`
//! keyring.asc        the key of a signed one
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::fetch::file_path;
use crate::base::Sha256;

/// Says that compose made the folder, and for which lock.
pub const MARKER: &str = "vendor.json";
/// Digests of all other files.
pub const SUMS: &str = "SHA256SUMS";
/// The public key of whoever signed it.
pub const KEYRING: &str = "keyring.asc";
/// The layout's version, in the marker.
pub const LAYOUT: u64 = 1;

const MAX_MARKER: u64 = 1 << 20;

/// Such a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendored {
    root: PathBuf,
}

impl Vendored {
    /// The one that `url` names, if it is one.
    pub fn at(url: &str) -> Option<Self> {
        let root = file_path(url)?;
        is_marked(&root).then_some(Self { root })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The URL of a path in it.
    pub fn url(&self, path: &str) -> String {
        file_url(&self.root.join(path))
    }

    /// Its own URL.
    pub fn base(&self) -> String {
        file_url(&self.root)
    }

    /// The URL of the wheel of this name, if it has one.
    pub fn wheel(&self, file: &str) -> Option<String> {
        self.there(&wheel_path(file))
    }

    /// The file names of its wheels; none where they cannot be listed.
    pub fn wheels(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.join("wheels")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The URL of a tarball, if it has it.
    pub fn tarball(&self, name: &str, sha256: &Sha256) -> Option<String> {
        self.there(&tarball_path(name, sha256))
    }

    /// Whether it has a signed Release of this suite.
    pub fn is_signed(&self, suite: &str) -> bool {
        self.root.join("dists").join(suite).join("InRelease").is_file()
    }

    fn there(&self, path: &str) -> Option<String> {
        self.root.join(path).is_file().then(|| self.url(path))
    }
}

/// Whether the folder has a marker of a layout that is known here.
pub fn is_marked(root: &Path) -> bool {
    let read = || -> Option<u64> {
        let mut text = Vec::new();
        let file = fs::File::open(root.join(MARKER)).ok()?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_MARKER), &mut text).ok()?;
        let marker: serde_json::Value = serde_json::from_slice(&text).ok()?;
        marker.get("compose-vendor")?.as_u64()
    };
    read() == Some(LAYOUT)
}

/// Where a wheel lies in such a folder.
pub fn wheel_path(file: &str) -> String {
    format!("wheels/{file}")
}

/// Where a tarball lies in such a folder.
pub fn tarball_path(name: &str, sha256: &Sha256) -> String {
    let name = if matches!(name, "" | "." | "..") { "tarball" } else { name };
    format!("tarballs/{}/{name}", sha256.hex())
}

/// A `file:` URL of an absolute path (RFC 8089). A per cent sign of the path is encoded too: names of `.deb`s have it.
pub fn file_url(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+:@=,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_back_to_the_path() {
        for path in ["/a/b", "/a b/c%3a1_+~=.deb", "/ä/“x”", "/a?b#c"] {
            let url = file_url(Path::new(path));
            assert_eq!(file_path(&url).as_deref(), Some(Path::new(path)), "{url}");
            assert!(super::super::sources::is_fetchable(&url), "{url}");
        }
    }

    #[test]
    fn only_what_is_marked_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let url = file_url(folder.path());
        assert_eq!(Vendored::at(&url), None);
        for marker in ["", "{}", "[1]", "{\"compose-vendor\": 2}", "{\"compose-vendor\": \"1\"}"] {
            fs::write(folder.path().join(MARKER), marker).unwrap();
            assert_eq!(Vendored::at(&url), None, "{marker}");
        }
        fs::write(folder.path().join(MARKER), "{\"compose-vendor\": 1, \"more\": []}").unwrap();
        let found = Vendored::at(&url).unwrap();
        assert_eq!((found.wheel("x-1-py3-none-any.whl"), found.wheels()), (None, Vec::new()));
        fs::create_dir(folder.path().join("wheels")).unwrap();
        fs::write(folder.path().join("wheels/x-1-py3-none-any.whl"), "").unwrap();
        assert_eq!(found.wheel("x-1-py3-none-any.whl"), Some(format!("{url}/wheels/x-1-py3-none-any.whl")));
        assert_eq!(Vendored::at("http://example.com/debian"), None);
    }

    #[test]
    fn a_tarball_s_name_leads_nowhere_else() {
        let sha256 = Sha256::of(b"x");
        for name in ["", ".", ".."] {
            assert!(tarball_path(name, &sha256).ends_with("/tarball"));
        }
    }
}
