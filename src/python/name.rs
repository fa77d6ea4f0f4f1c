//! Names of Python projects, and of their extras and dependency groups, which follow the same rule.
//!
//! In: a name as someone spelt it. Out: the one spelling that compares equal to all others.

use std::{borrow::Borrow, fmt, str::FromStr};

/// The longest name taken, bytes; the longest on any known index has 80.
const LONGEST: usize = 200;

/// A project's name in its normalised form: lower case, each run of `-`, `_`, `.` one `-` (PEP 503).
/// Extras and dependency groups are normalised in the same way (PEP 685, PEP 735).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(String);

/// Text that no project can be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not a Python project's name (letters, digits, “-”, “_”, “.”; it starts and ends with a letter or digit)"
)]
pub struct BadProjectName(pub String);

impl ProjectName {
    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = BadProjectName;

    fn from_str(text: &str) -> Result<Self, BadProjectName> {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut chars = text.chars();
        if text.len() > LONGEST || !text.chars().all(known) || !edge(chars.next()) || !edge(text.chars().next_back()) {
            return Err(BadProjectName(super::lock::quote(text)));
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '-' | '_' | '.' if out.ends_with('-') => {}
                '-' | '_' | '.' => out.push('-'),
                c => out.push(c.to_ascii_lowercase()),
            }
        }
        Ok(Self(out))
    }
}

impl Borrow<str> for ProjectName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_all() {
        for text in ["ruamel.yaml.clib", "Ruamel_Yaml-clib", "RUAMEL--yaml._clib"] {
            assert_eq!(
                text.parse::<ProjectName>().map(|name| name.to_string()),
                Ok("ruamel-yaml-clib".into()),
                "{text}"
            );
        }
        for bad in ["", "-a", "a.", "a b", "é", "a/b", "a\n", &"a".repeat(201)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
        }
    }
}
