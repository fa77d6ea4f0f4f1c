//! What of a package is left out: the manifest's `omit`, `remove` and `keep` as one compiled value.
//!
//! In: glob patterns. Out: a verdict for each path, and a digest that stands for the whole filter in a segment's key.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::base::{
    RootPath, Sha256,
    refusal::{self, Refusal, Refuses},
};

/// How much of a file Linux reads to find its interpreter (`BINPRM_BUF_SIZE`), bytes: a `#!` line is no longer.
pub const SHEBANG: usize = 256;

/// One omit group, as patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OmitSpec {
    /// Absolute globs, `**` crossing directories; with a leading `!` an exception from this group alone.
    pub patterns: Vec<String>,
    /// Executable files whose first line names one of these interpreters (`sh`, `bash`) go too.
    pub shebangs: Vec<String>,
}

/// What a filter is made of. A pattern that matches a directory means all below it too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterSpec {
    /// The groups that are left out.
    pub omit: Vec<OmitSpec>,
    /// Globs of what else is left out.
    pub remove: Vec<String>,
    /// Globs of what stays in any case.
    pub keep: Vec<String>,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{pattern}” is not a usable pattern: {why}; write an absolute path in which *, ?, [] and ** may stand")]
pub struct BadPattern {
    /// As it was written.
    pub pattern: String,
    /// Why not.
    pub why: String,
}

impl Refuses for BadPattern {
    fn refusal(&self) -> &'static Refusal {
        refusal::BAD_PATTERN
    }
}

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter {
    rules: Vec<Rule>,
    keep: GlobSet,
    digest: Sha256,
}

#[derive(Debug, Clone)]
struct Rule {
    remove: GlobSet,
    except: GlobSet,
    shebangs: Vec<String>,
}

/// What the path alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// `keep` matches: it stays in any case.
    Forced,
    /// Nothing matches.
    Stays,
    /// It goes.
    Goes,
}

impl Filter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// The first pattern that is not absolute or not a glob.
    pub fn new(spec: &FilterSpec) -> Result<Self, BadPattern> {
        let mut rules = Vec::new();
        for group in &spec.omit {
            let (except, remove): (Vec<&str>, Vec<&str>) =
                group.patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
            let except = except.iter().map(|pattern| &pattern[1..]);
            let shebangs = group.shebangs.clone();
            rules.push(Rule { remove: globs(remove)?, except: globs(except)?, shebangs });
        }
        let remove = globs(spec.remove.iter().map(String::as_str))?;
        rules.push(Rule { remove, except: GlobSet::empty(), shebangs: Vec::new() });
        let keep = globs(spec.keep.iter().map(String::as_str))?;
        Ok(Self { rules, keep, digest: digest(spec) })
    }

    /// Lets everything through.
    pub fn nothing() -> Self {
        Self { rules: Vec::new(), keep: GlobSet::empty(), digest: digest(&FilterSpec::default()) }
    }

    /// Stands for the filter: the same for the same patterns, in whatever order they were written.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// What the path alone says.
    pub(super) fn verdict(&self, path: &RootPath) -> Verdict {
        let text = absolute(path);
        let text = Path::new(OsStr::from_bytes(&text));
        if self.keep.is_match(text) {
            Verdict::Forced
        } else if self.rules.iter().any(|rule| rule.remove.is_match(text) && !rule.except.is_match(text)) {
            Verdict::Goes
        } else {
            Verdict::Stays
        }
    }

    /// Whether a file stays; `head` is its beginning (at least [`SHEBANG`] bytes of it, if there are so many).
    pub fn keeps(&self, path: &RootPath, is_program: bool, head: &[u8]) -> bool {
        match self.verdict(path) {
            Verdict::Forced => true,
            Verdict::Goes => false,
            Verdict::Stays => !(is_program && self.omits_script(path, head)),
        }
    }

    /// Whether executables have to be looked into.
    pub(super) fn reads_shebangs(&self) -> bool {
        self.rules.iter().any(|rule| !rule.shebangs.is_empty())
    }

    /// Whether an executable that begins with `head` goes although its path alone lets it stay.
    pub(super) fn omits_script(&self, path: &RootPath, head: &[u8]) -> bool {
        let Some(name) = interpreter(head) else { return false };
        let text = absolute(path);
        let text = Path::new(OsStr::from_bytes(&text));
        let hit = |rule: &Rule| rule.shebangs.iter().any(|s| s.as_bytes() == name) && !rule.except.is_match(text);
        self.rules.iter().any(hit)
    }
}

fn absolute(path: &RootPath) -> Vec<u8> {
    [b"/", path.as_bytes()].concat()
}

/// Base name of the interpreter in a `#!` line, through `env` and its options and assignments (execve(2), env(1)).
fn interpreter(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let base = |word: &'_ [u8]| word.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    let first = words.next()?;
    let name = &first[base(first)..];
    if name != b"env" {
        return Some(name);
    }
    let word = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?;
    Some(&word[base(word)..])
}

fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, BadPattern> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let bad = |why: String| BadPattern { pattern: pattern.into(), why };
        let clean = pattern.strip_suffix('/').unwrap_or(pattern);
        if !clean.starts_with('/') {
            return Err(bad("it does not begin with “/”".into()));
        }
        if clean.split('/').any(|part| part == "..") {
            return Err(bad("it contains “..”".into()));
        }
        // Written for the old place or for the new one, it means the same file.
        let top = clean[1..].split('/').next().and_then(|first| RootPath::parse(first.as_bytes()).ok());
        let clean = match top {
            Some(top) if super::canon::is_merged_top(&top) => format!("/usr{clean}"),
            _ => clean.into(),
        };
        let compile = |text: &str| {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            glob.map_err(|error| bad(error.kind().to_string()))
        };
        set.add(compile(&clean)?);
        if !clean.ends_with("/**") {
            set.add(compile(&format!("{clean}/**"))?);
        }
    }
    set.build().map_err(|error| BadPattern {
        pattern: error.glob().unwrap_or("(all patterns together)").into(),
        why: error.kind().to_string(),
    })
}

fn digest(spec: &FilterSpec) -> Sha256 {
    let mut text = Vec::new();
    let mut list = |tag: u8, items: &[String]| {
        let mut items: Vec<&String> = items.iter().collect();
        items.sort_unstable();
        items.dedup();
        text.push(tag);
        text.extend_from_slice(&(items.len() as u64).to_le_bytes());
        for item in items {
            text.extend_from_slice(&(item.len() as u64).to_le_bytes());
            text.extend_from_slice(item.as_bytes());
        }
    };
    let mut groups: Vec<_> = spec.omit.iter().map(sorted).collect();
    groups.sort_unstable();
    groups.dedup();
    for (patterns, shebangs) in groups {
        list(b'o', &patterns);
        list(b's', &shebangs);
    }
    list(b'r', &spec.remove);
    list(b'k', &spec.keep);
    Sha256::of(&text)
}

fn sorted(group: &OmitSpec) -> (Vec<String>, Vec<String>) {
    let mut pair = (group.patterns.clone(), group.shebangs.clone());
    pair.0.sort_unstable();
    pair.1.sort_unstable();
    pair
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    fn spec() -> FilterSpec {
        let docs = OmitSpec { patterns: list(&["/usr/share/doc/**", "!/usr/share/doc/*/copyright"]), shebangs: vec![] };
        let shells = OmitSpec { patterns: list(&["/bin/sh", "!/usr/bin/ldd"]), shebangs: list(&["sh", "bash"]) };
        FilterSpec {
            omit: vec![docs, shells],
            remove: list(&["/usr/lib/python3.*/idlelib", "/x/**"]),
            keep: list(&["/usr/lib/python3.13/idlelib/keep.py", "/x/y/"]),
        }
    }

    #[test]
    fn keep_wins_then_exceptions_of_the_own_group() {
        let filter = Filter::new(&spec()).unwrap();
        for (path, verdict) in [
            ("usr/share/doc", Verdict::Stays),
            ("usr/share/doc/a", Verdict::Goes),
            ("usr/share/doc/a/copyright", Verdict::Stays),
            ("usr/share/doc/a/b/copyright", Verdict::Goes),
            ("usr/bin/sh", Verdict::Goes),
            ("usr/bin/shell", Verdict::Stays),
            ("usr/lib/python3.13/idlelib", Verdict::Goes),
            ("usr/lib/python3.13/idlelib/a/b.py", Verdict::Goes),
            ("usr/lib/python3.13/idlelib/keep.py", Verdict::Forced),
            ("usr/lib/python3.13/sub/idlelib", Verdict::Stays),
            ("x", Verdict::Stays),
            ("x/z", Verdict::Goes),
            ("x/y/z/é", Verdict::Forced),
        ] {
            assert_eq!(filter.verdict(&RootPath::parse(path.as_bytes()).unwrap()), verdict, "{path}");
        }
        let raw = RootPath::parse(b"x/\xff\xfe").unwrap();
        assert_eq!(filter.verdict(&raw), Verdict::Goes);
    }

    #[test]
    fn interpreters_are_found_behind_env() {
        for (head, name) in [
            ("#!/bin/sh\n", Some("sh")),
            ("#! /usr/bin/bash -e\nx", Some("bash")),
            ("#!/usr/bin/env bash\n", Some("bash")),
            ("#!/usr/bin/env -S LANG=C /bin/dash -e\n", Some("dash")),
            ("#!/usr/bin/python3", Some("python3")),
            ("#!\n", None),
            ("#!/usr/bin/env\n", None),
            ("\x7fELF", None),
            ("", None),
        ] {
            assert_eq!(interpreter(head.as_bytes()), name.map(str::as_bytes), "{head:?}");
        }
        let filter = Filter::new(&spec()).unwrap();
        let p = |s: &str| RootPath::parse(s.as_bytes()).unwrap();
        assert!(filter.omits_script(&p("usr/bin/tzselect"), b"#!/bin/bash\n"));
        assert!(!filter.omits_script(&p("usr/bin/ldd"), b"#!/bin/bash\n"), "an exception of that group");
        assert!(!filter.omits_script(&p("usr/bin/pip"), b"#!/usr/bin/python3\n"));
    }

    #[test]
    fn the_digest_stands_for_the_meaning() {
        let mut other = spec();
        other.omit.reverse();
        other.remove.reverse();
        let digest = |spec: &FilterSpec| Filter::new(spec).unwrap().digest();
        assert_eq!(digest(&spec()), digest(&other));
        other.remove.clear();
        other.keep.push("/usr/lib/python3.*/idlelib".into());
        assert_ne!(digest(&spec()), digest(&other));
        assert_eq!(digest(&FilterSpec::default()), Filter::nothing().digest());
    }

    #[test]
    fn unusable_patterns_are_named() {
        for bad in ["usr/x", "", "/a/[", "/a/../b", "/{a"] {
            let spec = FilterSpec { remove: list(&["/fine", bad]), ..FilterSpec::default() };
            assert_eq!(Filter::new(&spec).unwrap_err().pattern, bad, "{bad}");
        }
    }
}
