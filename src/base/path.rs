//! Paths inside the rootfs: bytes, never UTF-8 by assumption, ordered by component.

use std::{cmp::Ordering, fmt, os::unix::ffi::OsStrExt, path::Path};

/// A path inside the rootfs: components joined by `/`, no leading or trailing `/`, no empty, `.` or `..`
/// component, no NUL. The root itself is the empty path.
///
/// Ordered by the bytes of its components, so that `a`, `a/x`, `a-b` come in this order: a directory's content
/// follows the directory at once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootPath(Box<[u8]>);

/// Bytes that do not name a place inside the rootfs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// A `..` component.
    #[error("“{0}” leads upwards with a “..” component")]
    Upwards(String),
    /// A NUL byte.
    #[error("“{0}” holds a NUL byte")]
    Nul(String),
    /// More than `PATH_MAX` bytes, or a component of more than `NAME_MAX`.
    #[error("“{0}…” is longer than Linux allows (4,096 bytes, 255 in a component)")]
    TooLong(String),
}

impl RootPath {
    /// The root directory.
    pub fn root() -> Self {
        Self(Box::default())
    }

    /// Parses an archive member's name or an absolute path: leading `/` and `./`, doubled and trailing slashes
    /// and `.` components are dropped, as dpkg and tar do.
    ///
    /// # Errors
    /// `..`, NUL, or a path longer than Linux allows (`PATH_MAX` 4,096, `NAME_MAX` 255, limits.h).
    pub fn parse(raw: &[u8]) -> Result<Self, BadPath> {
        let show = || super::words::quote(&String::from_utf8_lossy(&raw[..raw.len().min(200)]), 200);
        if raw.contains(&0) {
            return Err(BadPath::Nul(show()));
        }
        let mut out = Vec::with_capacity(raw.len());
        for part in raw.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(BadPath::Upwards(show())),
                _ if part.len() > 255 => return Err(BadPath::TooLong(show())),
                _ => {}
            }
            if !out.is_empty() {
                out.push(b'/');
            }
            out.extend_from_slice(part);
        }
        if out.len() >= 4096 {
            return Err(BadPath::TooLong(show()));
        }
        Ok(Self(out.into()))
    }

    /// A path written in this program's own source.
    ///
    /// # Panics
    /// When the literal is not a valid path: a fault of the program.
    #[track_caller]
    pub fn literal(text: &'static str) -> Self {
        Self::parse(text.as_bytes()).expect("a path literal is valid")
    }

    /// Without a leading slash; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a relative path for the operating system.
    pub fn as_path(&self) -> &Path {
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// Whether this is the root directory.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].into()))
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|&b| b == b'/').map_or(0, |p| p + 1);
        &self.0[start..]
    }

    /// The components, from the top.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty())
    }

    /// This path with `more` (components joined by `/`) after it.
    ///
    /// # Errors
    /// As [`RootPath::parse`].
    pub fn join(&self, more: impl AsRef<[u8]>) -> Result<Self, BadPath> {
        Self::parse(&[&self.0, &b"/"[..], more.as_ref()].concat())
    }

    /// Whether this path is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.strip_prefix(ancestor).is_some()
    }

    /// What is left of this path below `ancestor`; empty when they are the same.
    pub fn strip_prefix(&self, ancestor: &Self) -> Option<&[u8]> {
        if ancestor.is_root() {
            return Some(&self.0);
        }
        match self.0.strip_prefix(&*ancestor.0)? {
            [] => Some(&[]),
            [b'/', rest @ ..] => Some(rest),
            _ => None,
        }
    }
}

impl Ord for RootPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // NUL cannot occur, so reading `/` as the lowest byte is the order by components.
        let key = |&b: &u8| if b == b'/' { 0 } else { b };
        self.0.iter().map(key).cmp(other.0.iter().map(key))
    }
}

impl PartialOrd for RootPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// With a leading `/`, unprintable bytes escaped: safe in a message.
impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/{}",
            self.0.escape_ascii().to_string().replace("\\\\", "\\").replace("\\'", "'").replace("\\\"", "\"")
        )
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn parses_as_dpkg_and_tar_do() {
        for (raw, clean) in [("./", "/"), ("/", "/"), ("./usr//bin/", "/usr/bin"), ("a/./b", "/a/b"), ("...", "/...")] {
            assert_eq!(RootPath::parse(raw.as_bytes()).unwrap().to_string(), clean);
        }
        for raw in ["..", "a/../b", "./..", "a\0b", &"x".repeat(256), &"x/".repeat(2100)] {
            assert!(RootPath::parse(raw.as_bytes()).is_err(), "{raw}");
        }
    }

    #[test]
    fn orders_by_component() {
        let mut paths: Vec<_> =
            ["a-b", "a/x", "a", "a/x/y", "", "a.b"].iter().map(|p| RootPath::parse(p.as_bytes()).unwrap()).collect();
        paths.sort();
        let shown: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/", "/a", "/a/x", "/a/x/y", "/a-b", "/a.b"]);
    }

    #[test]
    fn parents_and_prefixes() {
        let p = |s: &str| RootPath::parse(s.as_bytes()).unwrap();
        assert_eq!(p("a/b").parent(), Some(p("a")));
        assert_eq!(p("a").parent(), Some(p("")));
        assert_eq!(p("").parent(), None);
        assert!(p("a/b").starts_with(&p("a")) && p("a").starts_with(&p("a")) && !p("ab").starts_with(&p("a")));
        assert_eq!(p("a/b/c").strip_prefix(&p("a")), Some(&b"b/c"[..]));
        assert_eq!(p("a/b").file_name(), b"b");
    }
}
