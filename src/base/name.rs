//! Package names.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// A Debian binary package name (Policy 5.6.7): lower-case letters, digits, `+`, `-`, `.`; at least two
/// characters, the first a letter or digit. Archives outside Debian use capitals and `_` too, so both pass, as in dpkg.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(Arc<str>);

/// Text that no package can be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a package name (letters, digits, “+”, “-”, “.”; it starts with a letter or digit)")]
pub struct BadName(pub String);

impl PackageName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` could be a package name.
    pub fn is_valid(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_'))
    }
}

impl FromStr for PackageName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if Self::is_valid(text) { Ok(Self(text.into())) } else { Err(BadName(super::words::quote(text, 100))) }
    }
}

impl Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
