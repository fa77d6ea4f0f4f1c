//! Two trees, path by path.
//!
//! In: two [`Tree`]s. Out: every path in which they are not the same, in order, each with how: what the tree digest
//! counts and nothing else, so two trees without a difference have one digest.

use std::{fmt, io};

use rayon::prelude::*;

use super::{Content, Kind, Meta, Node, Tree, unread};
use crate::base::RootPath;

/// A path in which two trees differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub path: RootPath,
    /// How: never empty.
    pub how: Vec<How>,
}

/// One way to differ; the first value is the first tree's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Only the first tree has it.
    OnlyFirst,
    /// Only the second tree has it.
    OnlySecond,
    /// A file, a directory, a link …
    Kind(&'static str, &'static str),
    /// Permission bits.
    Mode(u32, u32),
    /// User and group.
    Owner((u32, u32), (u32, u32)),
    /// Modification time, seconds since 1970.
    Time(i64, i64),
    /// The bytes of a file; their numbers.
    Content(u64, u64),
    /// Where a symbolic or hard link leads.
    Target(String, String),
    /// Extended attributes.
    Attributes,
}

/// “/app: mode 0755 instead of 0644; owner 5:6 instead of 0:0”: the first tree's value is the one that was wanted.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        for (at, how) in self.how.iter().enumerate() {
            write!(f, "{}{how}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyFirst => write!(f, "is missing"),
            Self::OnlySecond => write!(f, "is there and should not be"),
            Self::Kind(a, b) => write!(f, "{b} instead of {a}"),
            Self::Mode(a, b) => write!(f, "mode {b:04o} instead of {a:04o}"),
            Self::Owner(a, b) => write!(f, "owner {}:{} instead of {}:{}", b.0, b.1, a.0, a.1),
            Self::Time(a, b) => write!(f, "modified at {b} instead of {a}"),
            Self::Content(a, b) if a == b => write!(f, "other content, of {a} bytes too"),
            Self::Content(a, b) => write!(f, "other content, of {b} bytes instead of {a}"),
            Self::Target(a, b) => write!(f, "leads to {b} instead of {a}"),
            Self::Attributes => write!(f, "other extended attributes"),
        }
    }
}

/// Every difference, by path. Files of the same length are compared by their digests, which are taken several at a time
/// where there are none yet.
///
/// # Errors
/// When a file cannot be read for that; the path is named.
pub fn compare(first: &Tree, second: &Tree) -> io::Result<Vec<Difference>> {
    take_digests(first, second)?;
    let mut out = Vec::new();
    let mut add = |path: &RootPath, how: Vec<How>| {
        if !how.is_empty() {
            out.push(Difference { path: path.clone(), how });
        }
    };
    let (mut a, mut b) = (first.iter().peekable(), second.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (None, None) => return Ok(out),
            (Some((path, one)), Some((other, two))) if path == other => {
                add(path, differ(one, two).map_err(|error| unread(path, &error))?);
                a.next();
                b.next();
            }
            (Some((path, _)), other) if other.is_none_or(|(other, _)| path < other) => {
                add(path, vec![How::OnlyFirst]);
                a.next();
            }
            (_, Some((path, _))) => {
                add(path, vec![How::OnlySecond]);
                b.next();
            }
            (Some(_), None) => unreachable!("the arm above takes it"),
        }
    }
}

/// Of those files that length alone does not tell apart.
fn take_digests(first: &Tree, second: &Tree) -> io::Result<()> {
    let pairs = first.iter().filter_map(|(path, one)| match (&one.kind, &second.get(path)?.kind) {
        (Kind::File(a), Kind::File(b)) if a.len() == b.len() => Some([(path, a), (path, b)]),
        _ => None,
    });
    let wanted: Vec<_> = pairs.flatten().filter(|(_, content)| content.lacks_digest()).collect();
    let take =
        |(path, content): (&RootPath, &Content)| content.sha256().map(drop).map_err(|error| unread(path, &error));
    wanted.into_par_iter().with_max_len(16).try_for_each(take)
}

fn differ(one: &Node, two: &Node) -> io::Result<Vec<How>> {
    let mut how = Vec::new();
    match (&one.kind, &two.kind) {
        (Kind::File(a), Kind::File(b)) => {
            if a.len() != b.len() || a.sha256()? != b.sha256()? {
                how.push(How::Content(a.len(), b.len()));
            }
        }
        (Kind::Symlink(a), Kind::Symlink(b)) if a != b => {
            how.push(How::Target(a.escape_ascii().to_string(), b.escape_ascii().to_string()));
        }
        (Kind::Hardlink(a), Kind::Hardlink(b)) if a != b => how.push(How::Target(a.to_string(), b.to_string())),
        (a, b) if kind(a) != kind(b) => how.push(How::Kind(kind(a), kind(b))),
        _ => {}
    }
    let (Meta { mode, uid, gid, mtime, xattrs }, other) = (&one.meta, &two.meta);
    if mode & 0o7777 != other.mode & 0o7777 {
        how.push(How::Mode(mode & 0o7777, other.mode & 0o7777));
    }
    if (*uid, *gid) != (other.uid, other.gid) {
        how.push(How::Owner((*uid, *gid), (other.uid, other.gid)));
    }
    if *mtime != other.mtime {
        how.push(How::Time(*mtime, other.mtime));
    }
    if *xattrs != other.xattrs {
        how.push(How::Attributes);
    }
    Ok(how)
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Dir => "a directory",
        Kind::File(_) => "a file",
        Kind::Symlink(_) => "a symbolic link",
        Kind::Hardlink(_) => "a hard link",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tree::Origin;

    type Change<'a> = &'a dyn Fn(&mut Tree);

    fn tree() -> Tree {
        let mut tree = Tree::new(7);
        for (path, text) in [("a/x", "one"), ("a-b", "two"), ("b", "three")] {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            tree.insert_file(path, 0o644, text.as_bytes(), Origin::Manifest).unwrap();
        }
        tree.insert_link(RootPath::literal("l"), b"b", Origin::Manifest).unwrap();
        tree
    }

    #[test]
    fn each_way_to_differ_is_told() {
        let at = |path: &'static str| RootPath::literal(path);
        assert_eq!(compare(&tree(), &tree()).unwrap(), []);
        let cases: [(&str, Change<'_>); 9] = [
            ("/a-b: is missing", &|t| t.remove(&at("a-b"))),
            ("/c: is there and should not be", &|t| t.insert_file(at("c"), 0o644, *b"", Origin::Manifest).unwrap()),
            ("/b: other content, of 5 bytes too", &|t| {
                t.insert_file(at("b"), 0o644, *b"THREE", Origin::Manifest).unwrap();
            }),
            ("/b: other content, of 1 bytes instead of 5; mode 0755 instead of 0644", &|t| {
                t.insert_file(at("b"), 0o755, *b"3", Origin::Manifest).unwrap();
            }),
            ("/a/x: owner 5:0 instead of 0:0", &|t| t.get_mut(&at("a/x")).unwrap().meta.uid = 5),
            ("/a: modified at 8 instead of 7", &|t| t.get_mut(&at("a")).unwrap().meta.mtime = 8),
            ("/l: leads to a instead of b", &|t| t.insert_link(at("l"), b"a", Origin::Manifest).unwrap()),
            ("/l: a file instead of a symbolic link; mode 0644 instead of 0777", &|t| {
                t.insert_file(at("l"), 0o644, *b"", Origin::Manifest).unwrap();
            }),
            ("/: other extended attributes", &|t| {
                t.get_mut(&RootPath::root()).unwrap().meta.xattrs.insert((*b"user.a").into(), (*b"1").into());
            }),
        ];
        for (wanted, change) in cases {
            let mut other = tree();
            change(&mut other);
            let found: Vec<String> = compare(&tree(), &other).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found, [wanted]);
            assert_eq!(compare(&other, &tree()).unwrap().len(), 1, "the other way round");
        }
        let mut none = tree();
        none.remove(&at("a"));
        assert_eq!(compare(&tree(), &none).unwrap().len(), 2);
    }
}
