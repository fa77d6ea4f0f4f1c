//! What of the packages is left out and what is added: `[rootfs]` and `[[files]]`.
//!
//! In: tables of the manifest. Out: [`Rootfs`], [`ExtraFile`].

use globset::{Glob, GlobBuilder};

use super::{
    Accounts, ExtraFile, FileSource, Rootfs,
    error::{Fault, quote},
    groups::{DEFAULT_OMIT, OMIT_GROUPS},
    reader::{Table, Value},
};
use crate::base::{RootPath, refusal};

/// Names at the top that are links into `/usr` in every image (merged-/usr).
pub(super) const MERGED: [&[u8]; 6] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"];

pub(super) fn rootfs(table: Option<Table<'_>>) -> Rootfs {
    let default = || DEFAULT_OMIT.iter().map(ToString::to_string).collect();
    let Some(mut table) = table else { return Rootfs { omit: default(), ..Rootfs::default() } };
    let groups: Vec<_> = OMIT_GROUPS.iter().map(|group| (group.name, group.name)).collect();
    let omit = table.whole("omit", |value| value.choice(&groups).map(str::to_owned));
    let mut globs = |key| table.list(key, |value| value.parsed(|text| glob(text).map(|_| text.to_owned())));
    let (remove, keep) = (globs("remove").unwrap_or_default(), globs("keep").unwrap_or_default());
    table.done();
    Rootfs { omit: omit.unwrap_or_else(default), remove, keep }
}

/// A pattern as every stage compiles it: absolute, `*` within a component, `**` across.
pub(super) fn glob(text: &str) -> Result<Glob, Fault> {
    let bad = |why: &str| Fault::new(format!("“{}” {why}", quote(text)));
    if !text.starts_with('/') {
        return Err(bad("is not absolute").help(format!("write \"/{}\" or \"/**/{}\"", quote(text), quote(text))));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(bad("leads upwards with “..”").help("write the path without “..”"));
    }
    let clean = text.strip_suffix('/').unwrap_or(text);
    GlobBuilder::new(clean).literal_separator(true).build().map_err(|error| {
        let fault = bad(&format!("is not a pattern: {}", error.kind()));
        fault.help("*, ?, [abc], {a,b} and ** have a meaning; “\\” before one takes it away")
    })
}

/// A path in the image, with the links of merged-/usr resolved; absolute as written, and not the root.
pub(super) fn image_path(text: &str) -> Result<RootPath, Fault> {
    if !text.starts_with('/') {
        let fault = Fault::new(format!("“{}” is not absolute", quote(text)));
        return Err(fault.help(format!("write \"/{}\"", quote(text.trim_start_matches("./")))));
    }
    let path = RootPath::parse(text.as_bytes())?;
    if path.components().next().is_some_and(|top| MERGED.contains(&top)) {
        return Ok(RootPath::parse(&[b"usr/", path.as_bytes()].concat())?);
    }
    Ok(path)
}

/// Every `[[files]]`; no two at the same path.
pub(super) fn files(root: &mut Table<'_>, accounts: &Accounts) -> Vec<ExtraFile> {
    let mut out: Vec<ExtraFile> = Vec::new();
    for table in root.tables("files") {
        let (doc, span) = (table.doc, table.span());
        let Some(file) = file(table, accounts) else { continue };
        if let Some(other) = out.iter().find(|other| other.path == file.path) {
            let fault = Fault::clash(format!("{} was put there in line {} already", file.path, other.line));
            doc.note(span, fault.help("take one of them out"));
        } else {
            out.push(file);
        }
    }
    out
}

fn file(mut table: Table<'_>, accounts: &Accounts) -> Option<ExtraFile> {
    let (doc, span) = (table.doc, table.span());
    let path = table.need("path", "path = \"/app\"").and_then(|value| Some((value.parsed(image_path)?, value)));
    let mut sources: Vec<(&str, Option<FileSource>)> = Vec::new();
    if let Some(value) = table.get("source") {
        sources.push(("source", source(&value)));
    }
    if let Some(value) = table.get("content") {
        sources.push(("content", value.raw_text().map(|text| FileSource::Content(text.into()))));
    }
    if let Some(value) = table.get("link") {
        let target = value.parsed(|text| match text {
            "" => Err(Fault::new("is empty").help("write what the link leads to")),
            _ if text.len() >= 4096 => Err(Fault::new("is longer than Linux allows (4,095 bytes)")),
            _ => Ok(text.to_owned()),
        });
        sources.push(("link", target.map(FileSource::Link)));
    }
    if let Some(value) = table.get("type") {
        sources.push(("type", value.choice(&[("directory", ())]).map(|()| FileSource::Directory)));
    }
    let mode = table.get("mode").and_then(|value| Some((mode(&value)?, value)));
    let owner = table.get("owner").and_then(|value| value.parsed(|text| owner(text, accounts)));
    table.done();

    match sources.as_slice() {
        [_] => {}
        [] => {
            let fault = Fault::missing("this entry says nothing about what is put there");
            doc.note(span.clone(), fault.help("add one of source, content, link, type = \"directory\""));
        }
        [(first, _), (second, _), ..] => {
            let fault = Fault::clash(format!("“{first}” and “{second}” exclude each other"));
            doc.note(span.clone(), fault.help("keep one of source, content, link, type"));
            return None;
        }
    }
    let source = sources.pop().and_then(|(_, source)| source)?;
    if let (FileSource::Link(_), Some((_, value))) = (&source, &mode) {
        value.refuse(Fault::new("a link has no mode").help("take it out"));
    }
    let (path, value) = path?;
    if path.is_root() && !matches!(&source, FileSource::Copy(from) if from.is_dir()) {
        value.refuse(Fault::new("only a folder can be put at “/”").help("write the path of the file"));
    }
    let line = doc.line(&span);
    Some(ExtraFile { path, source, mode: mode.map(|(bits, _)| bits), owner: owner.unwrap_or_default(), line })
}

fn source(value: &Value<'_>) -> Option<FileSource> {
    let text = value.text()?;
    let path = value.doc.resolve(text);
    if text.is_empty() || path.symlink_metadata().is_err() {
        let what = format!("there is nothing at {}", path.display());
        let fault = Fault { refusal: refusal::NAMED_FILE_MISSING, ..Fault::new(what) };
        value.refuse(fault.help("give a file or folder, relative to the manifest"));
        return None;
    }
    Some(FileSource::Copy(path))
}

/// Permission bits as chmod(1) takes them; a bare number would be read as decimal, so it is refused.
fn mode(value: &Value<'_>) -> Option<u32> {
    if let Some(digits) = value.digits() {
        let fault = Fault::new(format!("the number {digits} is ambiguous"));
        value.refuse(fault.help(format!("quote it, in octal: \"{digits:0>4}\"")));
        return None;
    }
    value.parsed(|text| {
        let octal = text.len() == 3 || (text.len() == 4 && text.starts_with(['0', '1', '2', '3', '4', '5', '6', '7']));
        let bits = u32::from_str_radix(text, 8).ok().filter(|_| octal && !text.starts_with('+'));
        let bad = || Fault::new(format!("“{}” is not a mode", quote(text))).help("write octal digits such as \"0755\"");
        bits.ok_or_else(bad)
    })
}

/// `user` or `user:group`, each a number or a name from `[accounts]`. A user alone brings its own group.
fn owner(text: &str, accounts: &Accounts) -> Result<(u32, u32), Fault> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let known = || {
        let names = accounts.users.iter().map(|user| user.name.as_str());
        names.chain(accounts.groups.iter().map(|group| group.name.as_str())).chain(["root"])
    };
    let unknown = |name: &str| {
        let fault = Fault::new(format!("“{}” is neither a number nor in [accounts]", quote(name)));
        fault.suggest(name, known())
    };
    let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse().ok()).flatten();
    let (uid, own) = match (number(user), accounts.users.iter().find(|known| known.name == user)) {
        (Some(uid), _) => (uid, uid),
        (None, Some(known)) => (known.uid, known.gid),
        (None, None) if user == "root" => (0, 0),
        (None, None) => return Err(unknown(user)),
    };
    let Some(group) = group else { return Ok((uid, own)) };
    let of_group = accounts.groups.iter().find(|known| known.name == group).map(|known| known.gid);
    let of_user = accounts.users.iter().find(|known| known.name == group).map(|known| known.gid);
    let gid = number(group).or(of_group).or(of_user).or((group == "root").then_some(0));
    Ok((uid, gid.ok_or_else(|| unknown(group))?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::manifest::User;

    #[test]
    fn globs_cross_directories_only_with_two_stars() {
        for (pattern, path, hit) in [
            ("/usr/lib/python3.*/idlelib/**", "/usr/lib/python3.13/idlelib/a/b.py", true),
            ("/usr/*/x", "/usr/a/b/x", false),
            ("/usr/{bin,sbin}/x", "/usr/sbin/x", true),
        ] {
            assert_eq!(glob(pattern).unwrap().compile_matcher().is_match(path), hit, "{pattern} {path}");
        }
        for bad in ["usr/x", "", "/a/[", "/a/../b", "/{a"] {
            assert!(glob(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn image_paths_follow_merged_usr() {
        for (text, path) in
            [("/app/", "/app"), ("/bin/x", "/usr/bin/x"), ("/lib64", "/usr/lib64"), ("/library", "/library")]
        {
            assert_eq!(image_path(text).unwrap().to_string(), path);
        }
        for bad in ["app", "", "./app", "/a/../b"] {
            assert!(image_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn owners_are_numbers_or_declared_names() {
        let home = RootPath::literal("home/app");
        let user = User { name: "app".into(), uid: 1000, gid: 1001, home, shell: "/usr/sbin/nologin".into() };
        let accounts = Accounts { users: vec![user], ..Accounts::default() };
        for (text, owner) in [
            ("1000:1000", Some((1000, 1000))),
            ("7", Some((7, 7))),
            ("app", Some((1000, 1001))),
            ("root:app", Some((0, 1001))),
            ("4294967296", None),
            ("ap", None),
            ("1:", None),
            (":1", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(super::owner(text, &accounts).ok(), owner, "{text}");
        }
    }
}
