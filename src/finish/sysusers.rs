//! System users and groups from `sysusers.d` files (sysusers.d(5)), which debhelper's postinst snippets and systemd feed
//! to systemd-sysusers.
//!
//! In: `/usr/lib/sysusers.d/*.conf`, a file of the same name in `/etc/sysusers.d` in its place. Out: more users and
//! groups. `u`, `g` and `m` lines are followed; `r` lines and specifiers (`%`) are not. An account without a number
//! gets the highest one free from 999 down, in the order of files and lines, so that the outcome is always the same.

use std::collections::BTreeMap;

use super::{
    FinishError,
    accounts::{Group, Known, NOLOGIN, User},
    read,
};
use crate::{
    base::{RootPath, words},
    tree::Tree,
};

/// Adds what the files ask for to what is known. Names that are known stay as they are.
pub(super) fn add(tree: &Tree, known: &mut Known) -> Result<(), FinishError> {
    let mut files: BTreeMap<Vec<u8>, RootPath> = BTreeMap::new();
    for folder in ["usr/lib/sysusers.d", "etc/sysusers.d"] {
        for (path, _) in tree.children(&RootPath::literal(folder)) {
            if path.file_name().ends_with(b".conf") {
                files.insert(path.file_name().to_vec(), path.clone());
            }
        }
    }
    let mut lines = Vec::new();
    for path in files.into_values() {
        let Some(text) = read(tree, &path)? else { continue };
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = Line::parse(line).ok_or_else(|| FinishError::Line {
                path: path.clone(),
                line: index + 1,
                text: words::quote(line, 100),
                wanted: "a line of sysusers.d(5)",
            })?;
            lines.extend(parsed.map(|parsed| (path.clone(), parsed)));
        }
    }
    // systemd-sysusers creates groups before users and joins members last; fixed numbers are reserved first.
    let order = |line: &Line| match line {
        Line::Group { .. } => 0,
        Line::User { .. } => 1,
        Line::Member { .. } => 2,
    };
    let automatic = |line: &Line| matches!(line, Line::Group { id: None, .. } | Line::User { id: Id::Auto, .. });
    lines.sort_by_key(|(_, line)| (order(line) == 2, automatic(line), order(line)));
    for (path, line) in lines {
        line.apply(known, format!("of {path}"))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Id {
    Auto,
    Number(u32),
    WithGroup(u32, String),
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Group { name: String, id: Option<u32> },
    User { name: String, id: Id, comment: String, home: String, shell: String },
    Member { user: String, group: String },
}

impl Line {
    /// `None` when it is none; `Some(None)` when it asks for nothing.
    fn parse(line: &str) -> Option<Option<Self>> {
        let words = words(line)?;
        let word = |index: usize| words.get(index).map(String::as_str).filter(|word| !matches!(*word, "" | "-"));
        let kind = word(0)?;
        if kind == "r" {
            return Some(None);
        }
        let name = word(1)?.to_owned();
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let is_field = |text: &str| !text.contains([':', '\n', '\0']);
        if !is_name(&name) || name.is_empty() {
            return None;
        }
        Some(Some(match kind.trim_end_matches('!') {
            // A path instead of a number means that path's owner, which an image knows as little as a number.
            "g" => {
                Self::Group { name, id: word(2).filter(|id| !id.starts_with('/')).map(str::parse).transpose().ok()? }
            }
            "u" => {
                let id = match word(2) {
                    None => Id::Auto,
                    Some(id) if id.starts_with('/') => Id::Auto,
                    Some(id) => match id.split_once(':') {
                        None => Id::Number(id.parse().ok()?),
                        Some((uid, group)) => Id::WithGroup(uid.parse().ok()?, group.to_owned()),
                    },
                };
                let field = |index, default: &str| word(index).unwrap_or(default).to_owned();
                let (comment, home, shell) = (field(3, ""), field(4, "/"), field(5, NOLOGIN));
                if ![&comment, &home, &shell].into_iter().all(|text| is_field(text)) {
                    return None;
                }
                Self::User { name, id, comment, home, shell }
            }
            "m" => Self::Member { user: name, group: word(2).filter(|group| is_name(group))?.to_owned() },
            _ => return None,
        }))
    }

    fn apply(self, known: &mut Known, from: String) -> Result<(), FinishError> {
        match self {
            Self::Group { name, id } => {
                if known.groups.iter().any(|group| group.name == name) {
                    return Ok(());
                }
                let gid = id.map_or_else(|| free(known, &name), Ok)?;
                known.add_group(&Group { name, gid, members: vec![], from })
            }
            Self::User { name, id, comment, home, shell } => {
                if known.users.iter().any(|user| user.name == name) {
                    return Ok(());
                }
                let named = |known: &Known, name: &str| known.groups.iter().find(|g| g.name == name).map(|g| g.gid);
                let (uid, gid) = match id {
                    Id::Number(id) => (id, named(known, &name).unwrap_or(id)),
                    Id::WithGroup(uid, group) => match group.parse().ok().or_else(|| named(known, &group)) {
                        Some(gid) => (uid, gid),
                        None => (uid, uid),
                    },
                    Id::Auto => match named(known, &name) {
                        Some(gid) if known.users.iter().all(|user| user.uid != gid) => (gid, gid),
                        Some(gid) => (free(known, &name)?, gid),
                        None => {
                            let id = free(known, &name)?;
                            (id, id)
                        }
                    },
                };
                if known.groups.iter().all(|group| group.gid != gid) {
                    known.add_group(&Group { name: name.clone(), gid, members: vec![], from: from.clone() })?;
                }
                known.add_user(&User { name, uid, gid, comment, home, shell, from })
            }
            Self::Member { user, group } => {
                let gid = known.groups.iter().find(|known| known.name == group).map(|known| known.gid);
                let gid = gid.map_or_else(|| free(known, &group), Ok)?;
                known.add_group(&Group { name: group, gid, members: vec![user], from })
            }
        }
    }
}

/// The highest number of 100 to 999 (Policy 9.2.2: system accounts made when packages are installed) that is neither a
/// user's nor a group's.
fn free(known: &Known, name: &str) -> Result<u32, FinishError> {
    (100..=999)
        .rev()
        .find(|id| known.users.iter().all(|user| user.uid != *id) && known.groups.iter().all(|group| group.gid != *id))
        .ok_or_else(|| FinishError::NoFreeId(name.to_owned()))
}

/// Words between blanks; quotes hold blanks together. `None` when a quote does not end.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = line.chars().peekable();
    while chars.peek().is_some() {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut word = String::new();
        let mut any = false;
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            any = true;
            if matches!(c, '"' | '\'') {
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        inner => word.push(inner),
                    }
                }
            } else {
                word.push(c);
            }
        }
        if any {
            out.push(word);
        }
    }
    Some(out)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{manifest::Accounts, tree::Origin};

    fn tree(files: &[(&'static str, &str)]) -> Tree {
        let mut tree = Tree::new(0);
        for (path, text) in files {
            let bytes = text.as_bytes().to_vec();
            tree.insert_file(RootPath::literal(path), 0o644, bytes, Origin::Finish("test")).unwrap();
        }
        tree
    }

    #[test]
    fn fixed_and_free_numbers() {
        let mut tree = tree(&[
            ("usr/lib/sysusers.d/a.conf", "# x\nu! first - \"A comment\" /var/lib/first\nu fixed 999\ng group 777\n"),
            ("usr/lib/sysusers.d/b.conf", "m first audio\nm late extra\nu _pair 300:audio 'It is'\nu www-data 33\n"),
            ("usr/lib/sysusers.d/c.conf", "broken but replaced\n"),
            ("etc/sysusers.d/c.conf", "u last -\nr - 500-900\n"),
        ]);
        super::super::accounts::write(&mut tree, &Accounts::default()).unwrap();
        let read = |path| String::from_utf8(tree.read(&RootPath::literal(path)).unwrap().unwrap()).unwrap();
        let (passwd, group) = (read("etc/passwd"), read("etc/group"));
        let new: Vec<&str> = passwd.lines().skip(18).collect();
        assert_eq!(
            new,
            [
                "fixed:*:999:999::/:/usr/sbin/nologin",
                "_pair:*:300:29:It is:/:/usr/sbin/nologin",
                "first:*:998:998:A comment:/var/lib/first:/usr/sbin/nologin",
                "last:*:997:997::/:/usr/sbin/nologin",
            ]
        );
        assert!(group.contains("\naudio:*:29:first\n") && group.contains("\ngroup:*:777:\n"), "{group}");
        assert!(group.ends_with("\nextra:*:996:late\n"), "{group}");
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        for line in ["x y", "u", "u a b", "u a - \"open", "u a:b 1", "u a 1 \"a:b\"", "m a", "g a 1x"] {
            let mut tree = tree(&[("usr/lib/sysusers.d/a.conf", line)]);
            let error = super::super::accounts::write(&mut tree, &Accounts::default()).unwrap_err();
            assert!(matches!(error, FinishError::Line { line: 1, .. }), "{line}: {error}");
        }
    }

    #[test]
    fn clashes_name_the_file() {
        let mut tree = tree(&[("usr/lib/sysusers.d/a.conf", "u mine 33\n")]);
        let error = super::super::accounts::write(&mut tree, &Accounts::default()).unwrap_err().to_string();
        assert!(error.starts_with("user “mine” (33:33) of /usr/lib/sysusers.d/a.conf clashes with user “www-data”"));
    }
}
