//! The directories that ldconfig searches: `/etc/ld.so.conf` and what it includes, then the built-in ones, each once,
//! each followed by its `glibc-hwcaps` subdirectories (elf/ldconfig.c: parse_conf, add_dir_1,
//! add_glibc_hwcaps_subdirectories).

use std::collections::BTreeSet;

use super::Glibc;
use crate::{
    base::{Arch, RootPath},
    finish::{FinishError, at},
    tree::{Kind, Tree},
};

/// Deepest chain of includes. ldconfig has no limit and would run out of file descriptors.
const MAX_DEPTH: usize = 16;

/// A directory to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// As the cache will have it: as written, without trailing slashes.
    pub path: Vec<u8>,
    /// Where it really is.
    pub real: RootPath,
    /// Name of the `glibc-hwcaps` subdirectory, such as `x86-64-v3`, if it is one.
    pub hwcaps: Option<Box<[u8]>>,
}

/// What is to be searched.
#[derive(Debug, Default)]
pub struct Search {
    /// In order, each once.
    pub directories: Vec<Directory>,
    /// Every name of a `glibc-hwcaps` subdirectory met: the cache holds them all, whether they have libraries or not.
    pub hwcaps: BTreeSet<Box<[u8]>>,
}

/// Lists the directories.
///
/// # Errors
/// When a configuration file cannot be read or includes itself.
pub fn search(tree: &Tree, arch: Arch, glibc: &Glibc) -> Result<Search, FinishError> {
    let mut list = List { tree, legacy: glibc.is_legacy(), found: Search::default() };
    list.parse(b"/etc/ld.so.conf", 0)?;
    // Debian's ldconfig adds the loader's own list (debian/patches/any/local-ldconfig-multiarch.diff): the multiarch
    // directories, then the plain ones. No lib64, whatever dl-cache.h says: its test fails on the trailing slash.
    let triplet = arch.triplet();
    for path in [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}"), "/lib".into(), "/usr/lib".into()] {
        list.add(path.as_bytes());
    }
    Ok(list.found)
}

struct List<'a> {
    tree: &'a Tree,
    legacy: bool,
    found: Search,
}

impl List<'_> {
    fn parse(&mut self, path: &[u8], depth: usize) -> Result<(), FinishError> {
        let Some(real) = self.tree.resolve_from(&RootPath::root(), path) else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Err(FinishError::IncludeDepth(real));
        }
        let Some(text) = self.tree.read(&real).map_err(at(&real))? else { return Ok(()) };
        for line in text.split(|&b| b == b'\n') {
            // As C reads it: a line ends at a NUL too, and at a comment.
            let line = line.split(|&b| b == 0 || b == b'#').next().unwrap_or_default();
            let line = trim_start(line);
            if let Some((b' ' | b'\t', patterns)) =
                line.strip_prefix(b"include").and_then(<[u8]>::split_first).map(|(b, r)| (*b, r))
            {
                for pattern in patterns.split(|b| matches!(b, b' ' | b'\t')).filter(|pattern| !pattern.is_empty()) {
                    self.include(path, pattern, depth)?;
                }
            } else if line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"hwcap"))
                && matches!(line.get(5), Some(b' ' | b'\t'))
            {
                // Ignored since glibc 2.33.
            } else {
                self.add(line);
            }
        }
        Ok(())
    }

    fn include(&mut self, config: &[u8], pattern: &[u8], depth: usize) -> Result<(), FinishError> {
        let pattern = if pattern.starts_with(b"/") {
            pattern.to_vec()
        } else {
            let folder = config.iter().rposition(|&b| b == b'/').map_or(&b""[..], |slash| &config[..slash]);
            [folder, b"/", pattern].concat()
        };
        for path in glob(self.tree, &pattern) {
            self.parse(&path, depth + 1)?;
        }
        Ok(())
    }

    fn add(&mut self, line: &[u8]) {
        let mut path = line;
        if self.legacy {
            path = path.split(|&b| b == b'=').next().unwrap_or_default();
        }
        while let [rest @ .., last] = path
            && is_space(*last)
        {
            path = rest;
        }
        while let [rest @ .., b'/'] = path {
            path = rest;
        }
        if path.is_empty() {
            return;
        }
        let Some(real) = self.tree.resolve_from(&RootPath::root(), path) else { return };
        if !self.push(Directory { path: path.to_vec(), real: real.clone(), hwcaps: None }) {
            return;
        }
        let Some(hwcaps) = self.tree.resolve_from(&real, b"glibc-hwcaps") else { return };
        let names: Vec<Box<[u8]>> = self
            .tree
            .children(&hwcaps)
            .filter(|(_, node)| matches!(node.kind, Kind::Dir | Kind::Symlink(_)))
            .map(|(path, _)| path.file_name().into())
            .collect();
        for name in names {
            if name.starts_with(b".") || name.contains(&b':') {
                continue;
            }
            let Some(real) = self.tree.resolve_from(&hwcaps, &name) else { continue };
            if matches!(self.tree.get(&real).map(|node| &node.kind), Some(Kind::Dir)) {
                let path = [path, b"/glibc-hwcaps/", &*name].concat();
                self.found.hwcaps.insert(name.clone());
                self.push(Directory { path, real, hwcaps: Some(name) });
            }
        }
    }

    /// Whether it is new: one directory is searched once, under the first name given.
    fn push(&mut self, directory: Directory) -> bool {
        let new = self.found.directories.iter().all(|known| known.real != directory.real);
        if new {
            self.found.directories.push(directory);
        }
        new
    }
}

/// C's `isspace` in the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim_start(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_space(*first)
    {
        line = rest;
    }
    line
}

/// Paths that match an absolute pattern, sorted by bytes, as glob(3) without flags in the C locale. Links in the
/// middle are followed; the paths keep the names that were matched.
fn glob(tree: &Tree, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new()];
    for part in pattern.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if part.iter().any(|b| b"*?[".contains(b)) {
                let Some(real) = tree.resolve_from(&RootPath::root(), &folder) else { continue };
                let names = tree.children(&real).map(|(path, _)| path.file_name());
                let names = names.filter(|name| !name.starts_with(b".") || part.starts_with(b"."));
                next.extend(names.filter(|name| matches(part, name)).map(|name| [&folder, &b"/"[..], name].concat()));
            } else {
                next.push([&folder, &b"/"[..], part].concat());
            }
        }
        found = next;
    }
    found.sort();
    found
}

/// fnmatch(3) for one component: `*`, `?`, `[a-z]`, `[!a]`, and a backslash before anything.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // The place of the last `*` and what it has eaten so far; on a mismatch it eats one byte more.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if n == name.len() {
            return pattern[p..].iter().all(|&b| b == b'*');
        }
        match one(&pattern[p..], name[n]) {
            One::Star => {
                star = Some((p + 1, n));
                p += 1;
            }
            One::Yes(length) => {
                p += length;
                n += 1;
            }
            One::No => match &mut star {
                Some((after, eaten)) => {
                    *eaten += 1;
                    (p, n) = (*after, *eaten);
                }
                None => return false,
            },
        }
    }
}

enum One {
    Star,
    /// Matches, with so many bytes of the pattern.
    Yes(usize),
    No,
}

fn one(pattern: &[u8], byte: u8) -> One {
    match pattern {
        [] => One::No,
        [b'*', ..] => One::Star,
        [b'?', ..] => One::Yes(1),
        [b'\\', escaped, ..] => {
            if *escaped == byte {
                One::Yes(2)
            } else {
                One::No
            }
        }
        [b'[', rest @ ..] => {
            let negated = matches!(rest.first(), Some(b'!' | b'^'));
            let set = &rest[usize::from(negated)..];
            // A `]` in the first place stands for itself.
            let Some(end) = set.iter().skip(1).position(|&b| b == b']').map(|at| at + 1) else {
                return if byte == b'[' { One::Yes(1) } else { One::No };
            };
            let mut members = &set[..end];
            let mut inside = false;
            while let [low, rest @ ..] = members {
                if let [b'-', high, rest @ ..] = rest {
                    inside |= (*low..=*high).contains(&byte);
                    members = rest;
                } else {
                    inside |= *low == byte;
                    members = rest;
                }
            }
            if inside != negated { One::Yes(2 + usize::from(negated) + end) } else { One::No }
        }
        [literal, ..] => {
            if *literal == byte {
                One::Yes(1)
            } else {
                One::No
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("*a*b", "xaybzb", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
