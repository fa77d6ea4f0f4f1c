//! Which distribution an image is of.
//!
//! In: os-release (freedesktop.org's os-release(5)), `/etc/debian_version`; or a lock's repositories. Out: [`Distro`].

use std::io;

use crate::{
    base::{RootPath, words},
    lock::LockedRepository,
    tree::Tree,
};

/// Longest file that is read, bytes.
const MOST: usize = 64 << 10;

/// Names of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distro {
    /// `ID`: `debian`, `ubuntu` …; empty if nothing says so.
    pub id: String,
    /// `VERSION_ID`: `13`.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`: `trixie`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
    /// `/etc/debian_version`: `13.8`.
    pub full_version: Option<String>,
}

impl Distro {
    /// Of an image.
    ///
    /// # Errors
    /// When a file of the tree cannot be read.
    pub fn read(tree: &Tree) -> io::Result<Self> {
        let text = |path: &'static str| -> io::Result<Option<String>> {
            let content = tree.content(&RootPath::literal(path));
            let bytes = content.map(|content| content.read_part(0, MOST)).transpose()?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let release = match text("etc/os-release")? {
            Some(text) => text,
            None => text("usr/lib/os-release")?.unwrap_or_default(),
        };
        let mut found = Self::parse(&release);
        let version = text("etc/debian_version")?;
        found.full_version = version.and_then(|text| Some(words::quote(text.lines().next()?.trim(), 40)));
        Ok(found)
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().rev().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
            let line = line.trim();
            let bare = ['"', '\''].iter().find_map(|quote| line.strip_prefix(*quote)?.strip_suffix(*quote));
            let bare = bare.unwrap_or(line);
            (!bare.is_empty()).then(|| unescaped(bare))
        };
        // What os-release(5) allows in them; anything else is as good as nothing.
        let is_word = |text: &String| {
            let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
            text.len() <= 40 && text.bytes().all(is_part)
        };
        let word = |key: &str| value(key).filter(is_word);
        Self {
            id: word("ID").unwrap_or_default(),
            version_id: word("VERSION_ID"),
            codename: word("VERSION_CODENAME"),
            pretty_name: value("PRETTY_NAME").map(|text| words::quote(&text, 120)),
            full_version: None,
        }
    }

    /// Of a lock: its first Debian repository, or its first.
    pub fn of_repositories(repositories: &[LockedRepository]) -> Self {
        let base = repositories.iter().find(|one| one.name == "debian").or(repositories.first());
        let Some(base) = base else { return Self::default() };
        let version = base.version.clone();
        let major = version.as_deref().and_then(|text| text.split('.').next()).map(str::to_owned);
        Self {
            id: base.origin.as_deref().unwrap_or_default().to_lowercase(),
            // Of Debian's point releases the first number is the release; Ubuntu's are whole.
            version_id: if base.origin.as_deref() == Some("Debian") { major } else { version.clone() },
            codename: base.codename.clone().or_else(|| Some(base.suite.clone())),
            pretty_name: None,
            full_version: version,
        }
    }
}

/// Shell quoting of os-release(5): a backslash before `"`, `$`, `` ` `` and itself.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_os_release_says() {
        let found =
            Distro::parse("PRETTY_NAME=\"A \\\"B\\\"\"\nID=debian\nVERSION_ID='13'\nVERSION_CODENAME=trixie\nX\n");
        assert_eq!(
            (found.id.as_str(), found.version_id.as_deref(), found.codename.as_deref(), found.pretty_name.as_deref()),
            ("debian", Some("13"), Some("trixie"), Some("A \"B\""))
        );
        assert_eq!(Distro::parse(""), Distro::default());
    }
}
