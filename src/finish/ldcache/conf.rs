//! The directories that ldconfig searches: `/etc/ld.so.conf` and what it includes, then the built-in ones, each once,
//! each followed by its `glibc-hwcaps` subdirectories (elf/ldconfig.c: parse_conf, add_dir_1,
//! add_glibc_hwcaps_subdirectories).

use std::collections::{BTreeSet, HashSet};

use super::Glibc;
use crate::{
    base::{Arch, RootPath},
    finish::{FinishError, read},
    tree::{Kind, Tree},
};

/// Deepest chain of includes. ldconfig has no limit and would run out of file descriptors.
const MAX_DEPTH: usize = 16;

/// Most files that are included, and most paths that one pattern may match on its way: `/*/../*/..` matches as many as
/// one likes.
const MAX_FILES: usize = 1000;

/// Longest path of such a file, as it is named: `PATH_MAX`.
const MAX_PATH: usize = 4096;

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
    let (found, done) = (Search::default(), BTreeSet::new());
    let mut list = List { tree, legacy: glibc.is_legacy(), found, known: HashSet::new(), done };
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
    /// The real places of the directories found.
    known: HashSet<RootPath>,
    /// Files that were read to their end, each with the folder that it was named by: again they would say the same.
    done: BTreeSet<(RootPath, Option<RootPath>)>,
}

impl List<'_> {
    fn parse(&mut self, path: &[u8], depth: usize) -> Result<(), FinishError> {
        let Some(real) = self.tree.resolve_from(&RootPath::root(), path) else { return Ok(()) };
        let this = (real.clone(), self.tree.resolve_from(&RootPath::root(), folder(path)));
        if self.done.contains(&this) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(FinishError::IncludeDepth(real));
        }
        if self.done.len() >= MAX_FILES {
            return Err(FinishError::IncludeCount { path: real, limit: MAX_FILES });
        }
        let Some(text) = read(self.tree, &real)? else { return Ok(()) };
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
        self.done.insert(this);
        Ok(())
    }

    fn include(&mut self, config: &[u8], pattern: &[u8], depth: usize) -> Result<(), FinishError> {
        let pattern =
            if pattern.starts_with(b"/") { pattern.to_vec() } else { [folder(config), b"/", pattern].concat() };
        let matches = glob(self.tree, &pattern).ok_or_else(|| FinishError::IncludeCount {
            path: RootPath::parse(config).unwrap_or_else(|_| RootPath::root()),
            limit: MAX_FILES,
        })?;
        for path in matches {
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
        let new = self.known.insert(directory.real.clone());
        if new {
            self.found.directories.push(directory);
        }
        new
    }
}

/// Of a configuration file, as it was named.
fn folder(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&b| b == b'/').map_or(&b""[..], |slash| &path[..slash])
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
/// middle are followed; the paths keep the names that were matched. `None`: more than [`MAX_FILES`], or one longer than [`MAX_PATH`].
fn glob(tree: &Tree, pattern: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = vec![Vec::new()];
    for part in pattern.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if part.iter().any(|b| b"*?[".contains(b)) {
                let Some(real) = tree.resolve_from(&RootPath::root(), &folder) else { continue };
                let names = tree.children(&real).map(|(path, _)| path.file_name());
                let names = names.filter(|name| !name.starts_with(b".") || part.starts_with(b"."));
                let names = names.filter(|name| matches(part, name)).take(MAX_FILES + 1);
                next.extend(names.map(|name| [&folder, &b"/"[..], name].concat()));
            } else {
                next.push([&folder, &b"/"[..], part].concat());
            }
            if next.len() > MAX_FILES || next.last().is_some_and(|path| path.len() > MAX_PATH) {
                return None;
            }
        }
        found = next;
    }
    found.sort();
    Some(found)
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
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The folders of a tree whose `/etc/ld.so.conf` and files in `/etc/ld.so.conf.d` are these.
    fn found(main: &str, others: &[String]) -> Result<Vec<String>, FinishError> {
        let mut tree = Tree::new(0);
        let mut add = |path: &str, text: &str| {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            tree.insert_file(path, 0o644, text.as_bytes(), crate::tree::Origin::Finish("test")).unwrap();
        };
        add("etc/ld.so.conf", main);
        add("opt/a/x", "");
        for (at, text) in others.iter().enumerate() {
            add(&format!("etc/ld.so.conf.d/{at}"), text);
        }
        let glibc = Glibc { generator: String::new(), version: (2, 41) };
        let found = search(&tree, Arch::Amd64, &glibc)?;
        Ok(found.directories.iter().map(|one| one.real.to_string()).filter(|path| path.starts_with("/opt")).collect())
    }

    #[test]
    fn includes_end() {
        // Each of a chain includes the next many times, by its own name and by others.
        let next = |at: usize| {
            format!("include {}\n", format!("../ld.so.conf.d/{at} /etc/ld.so.conf.d/{at} ./{at} ").repeat(50))
        };
        let chain = |length: usize| -> Vec<String> {
            (1..=length).map(|at| if at == length { "/opt/a".to_owned() } else { next(at) }).collect()
        };
        let main = "include ld.so.conf.d/0\n";
        // The main file is at depth 0.
        assert_eq!(found(main, &chain(MAX_DEPTH)).unwrap(), ["/opt/a"]);
        assert!(matches!(found(main, &chain(MAX_DEPTH + 1)), Err(FinishError::IncludeDepth(_))));
        assert!(matches!(found("include ld.so.conf", &[]), Err(FinishError::IncludeDepth(_))));

        let many = |count: usize| vec![String::new(); count];
        let all = "include ld.so.conf.d/*\n/opt/a\n";
        assert_eq!(found(all, &many(MAX_FILES)).unwrap(), ["/opt/a"]);
        assert!(matches!(found(all, &many(MAX_FILES + 1)), Err(FinishError::IncludeCount { .. })));
        // The main file counts when it is read to its end.
        let twice = "include ld.so.conf.d/*\ninclude ../opt/a/x\n";
        assert!(matches!(found(twice, &many(MAX_FILES)), Err(FinishError::IncludeCount { .. })));
        let wild = format!("include {}\n", "/*/..".repeat(40));
        assert!(matches!(found(&wild, &[]), Err(FinishError::IncludeCount { .. })));
        let long = format!("include /{}\n", "./".repeat(4096));
        assert!(matches!(found(&long, &[]), Err(FinishError::IncludeCount { .. })));
    }

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
