//! Where packages come from and which: `[debian]`, `[[repositories]]`, `[packages]`.
//!
//! In: tables of the manifest. Out: [`Debian`], [`Repository`], [`Packages`].

use super::{
    Debian, Manifest, Minimize, Packages, Repository, Request,
    error::{Fault, quote},
    reader::{Doc, Table},
    request,
};
use crate::base::{PackageName, refusal};
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::Offset,
};

pub(super) fn debian(mut table: Table<'_>) -> Option<Debian> {
    let suite = table.need("suite", "suite = \"trixie\"").and_then(|value| value.parsed(debian_suite));
    let components = components(&mut table);
    let mirror = table.get("mirror").and_then(|value| value.parsed(|text| uri(value.doc, text)));
    let security_mirror = table.get("security-mirror").and_then(|value| value.parsed(|text| uri(value.doc, text)));
    let snapshot = table.get("snapshot").and_then(|value| {
        let time = snapshot(&value.date()?).map_err(|fault| value.refuse(fault)).ok();
        if mirror.is_some() || security_mirror.is_some() {
            let fault = Fault::new("a pinned archive is not taken from a mirror, which has today's");
            value.refuse(fault.help("take out this line, or “mirror” and “security-mirror”"));
        }
        time
    });
    table.done();
    Some(Debian { suite: suite?, components, mirror, security_mirror, snapshot })
}

fn components(table: &mut Table<'_>) -> Vec<String> {
    table.list("components", |value| value.parsed(component)).unwrap_or_else(|| vec!["main".into()])
}

/// Every `[[repositories]]`; their names differ from each other and from those that `[debian]` takes.
pub(super) fn repositories(root: &mut Table<'_>) -> Vec<Repository> {
    let mut out: Vec<Repository> = Vec::new();
    for table in root.tables("repositories") {
        let (doc, span) = (table.doc, table.span());
        let Some(repository) = repository(table) else { continue };
        let name = &repository.name;
        if Debian::has(name) {
            let fault = Fault::clash(format!("the name “{name}” is the Debian archive's own"));
            doc.note(span, fault.help("give this repository another name"));
        } else if out.iter().any(|other| other.name == *name) {
            let fault = Fault::clash(format!("two repositories are called “{name}”"));
            doc.note(span, fault.help("give one of them another name: name = \"…\""));
        } else {
            out.push(repository);
        }
    }
    out
}

fn repository(mut table: Table<'_>) -> Option<Repository> {
    let (doc, span) = (table.doc, table.span());
    let named = table.get("name");
    let name = named.as_ref().and_then(|value| value.parsed(plain_name));
    let filled = |table: &mut Table<'_>, key, example: &str, check: &dyn Fn(&Doc, &str) -> Result<String, Fault>| {
        let value = table.need(key, example)?;
        let list = table.list(key, |item| item.parsed(|text| check(item.doc, text)))?;
        if value.is_empty_array() {
            value.refuse(Fault::new("is empty").help(format!("write {example}")));
        }
        (!list.is_empty()).then_some(list)
    };
    let uris = filled(&mut table, "uris", "uris = [\"https://apt.example.com/debian\"]", &uri);
    let suites = filled(&mut table, "suites", "suites = [\"stable\"]", &|_, text| suite(text));
    let components = components(&mut table);
    let signed_by = table.get("signed-by").and_then(|value| {
        let path = doc.resolve(value.text()?);
        if !path.is_file() {
            let fault = Fault::no_file(&path);
            value.refuse(fault.help("give the path of the repository's public key, relative to the manifest"));
        }
        Some(path)
    });
    let trusted = table.get("trusted").and_then(|value| value.boolean().map(|trusted| (trusted, value)));
    table.done();

    let uris = uris?;
    let trusted = match trusted {
        Some((true, value)) if !uris.iter().all(|uri| uri.starts_with("file:")) => {
            let what = "only a repository on this machine (file:) can go without a signature";
            let fault = Fault { refusal: refusal::REMOTE_TRUSTED, ..Fault::new(what) };
            value.refuse(fault.help("name the key with signed-by"));
            false
        }
        Some((trusted, _)) => trusted,
        None => false,
    };
    let name = match (named, name) {
        (Some(_), name) => name?,
        (None, _) => {
            let made = uris.first().map(|uri| name_of(uri)).unwrap_or_default();
            if made.is_empty() {
                let fault = Fault::new("no name can be made of this repository's URI");
                doc.note(span, fault.help("write name = \"…\""));
            }
            made
        }
    };
    Some(Repository { name, uris, suites: suites?, components, signed_by, trusted })
}

/// `https://apt.example.com/debian` is called `apt.example.com-debian`.
fn name_of(uri: &str) -> String {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest).to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = rest.chars().map(plain).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.trim_matches('.').is_empty()).collect();
    parts.join("-").chars().take(64).collect()
}

pub(super) fn packages(mut table: Table<'_>) -> Packages {
    table.need("install", "install = [\"python3\"]");
    let (mut spans, mut wants) = (Vec::new(), Vec::new());
    let wishes = table.list("install", |value| {
        let (text, want) = value.parsed(request::wish)?;
        spans.push((text.clone(), value.clone()));
        wants.push(want);
        Some(text)
    });
    let line = |clause: &String| {
        spans.iter().find(|(other, _)| other == clause).map(|(_, value)| value.line()).unwrap_or_default()
    };
    let want =
        |text: &String| spans.iter().zip(&wants).find(|((other, _), _)| other == text).map(|(_, want)| want.clone());
    let request = |text: String| Some(Request { line: line(&text), want: want(&text)?, text });
    let install = wishes.unwrap_or_default().into_iter().filter_map(request).collect();

    let mut names = |key: &'static str, against: &[(&[PackageName], &str)]| {
        table.list(key, |value| {
            let name = value.parsed(|text| Ok(text.parse::<PackageName>()?))?;
            for (list, other) in against {
                if list.contains(&name) {
                    value
                        .refuse(Fault::clash(format!("“{name}” is in {other} too")).help("take it out of one of them"));
                }
            }
            if key != "prefer"
                && let Some((_, asked)) = spans.iter().find(|(clause, _)| request::names(clause) == [name.as_str()])
            {
                let fault = Fault::clash(format!("“{name}” is asked for in line {}", asked.line_for(value)));
                value.refuse(fault.help(format!("take it out of packages.install or of packages.{key}")));
            }
            Some(name)
        })
    };
    let provided = names("provided", &[]);
    let forbid = names("forbid", &[]).unwrap_or_default();
    let prefer = names("prefer", &[(&forbid, "packages.forbid")]).unwrap_or_default();
    let minimize = table.get("minimize").and_then(|value| {
        value.choice(&[
            ("installed-size", Minimize::InstalledSize),
            ("packages", Minimize::Packages),
            ("download-size", Minimize::DownloadSize),
        ])
    });
    table.done();
    Packages { install, provided, forbid, prefer, minimize: minimize.unwrap_or_default() }
}

/// A name for files and for the lock: lower-case letters, digits, `.`, `_`, `-`.
pub(super) fn plain_name(text: &str) -> Result<String, Fault> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if text.bytes().all(good) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 64 {
        return Ok(text.into());
    }
    let fault = Fault::new(format!("“{}” is not a name that files can carry", quote(text)));
    Err(fault.help("use at most 64 of a-z, 0-9, “.”, “_”, “-”, the first a letter or digit"))
}

fn word(text: &str, what: &str, example: &str, extra: &[u8]) -> Result<String, Fault> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"+._~-".contains(&b) || extra.contains(&b);
    let climbs = text.split('/').any(|part| matches!(part, "" | "." | ".."));
    if !climbs && text.bytes().all(good) && text.len() <= 128 {
        return Ok(text.into());
    }
    Err(Fault::new(format!("“{}” is not the name of {what}", quote(text))).help(format!("write such as \"{example}\"")))
}

fn component(text: &str) -> Result<String, Fault> {
    word(text, "a component", "main", b"/")
}

fn suite(text: &str) -> Result<String, Fault> {
    if text.ends_with('/') {
        let fault = Fault::new(format!("“{}” is a flat repository, which is not supported yet", quote(text)));
        return Err(fault.help("name a suite below dists/"));
    }
    word(text, "a suite", "stable", b"/")
}

impl Manifest {
    /// The same of another suite of Debian, called `NAME-SUITE`: it has a lock of its own.
    ///
    /// # Errors
    /// In words, when there is no such suite or the manifest takes nothing of Debian's.
    pub fn take_suite(&mut self, suite: &str) -> Result<(), String> {
        let words = |fault: Fault| match fault.help {
            Some(help) => format!("{}; {help}", fault.what),
            None => fault.what,
        };
        let suite = debian_suite(suite).map_err(words)?;
        let Some(debian) = &mut self.debian else {
            return Err("the manifest has no [debian], whose suite it would replace".into());
        };
        if debian.suite != suite {
            self.name = plain_name(&format!("{}-{suite}", self.name)).map_err(words)?;
            debian.suite = suite;
        }
        Ok(())
    }
}

fn debian_suite(text: &str) -> Result<String, Fault> {
    for ending in ["-updates", "-security", "/updates"] {
        if let Some(base) = text.strip_suffix(ending) {
            let fault = Fault::new(format!("“{}” comes with “{}” by itself", quote(text), quote(base)));
            return Err(fault.help(format!("write \"{base}\"")));
        }
    }
    if let Some(base) = text.split_once("-backports").or_else(|| text.split_once("-proposed")).map(|(base, _)| base) {
        let fault = Fault::new(format!("“{}” is no release of its own", quote(text)));
        return Err(fault.help(format!("write \"{base}\", and add the other as [[repositories]]")));
    }
    word(text, "a Debian suite", "trixie", b"")
}

/// A base URL without trailing slash. `file:` may be relative to the manifest's folder.
fn uri(doc: &Doc, text: &str) -> Result<String, Fault> {
    let bad = |why: &str| {
        let fault = Fault::new(format!("“{}” {why}", quote(text)));
        Err(fault.help("write https://host/path, http://host/path or file:/path"))
    };
    let Some((scheme, rest)) = text.split_once(':') else { return bad("is not a URI") };
    if text.chars().any(|c| c.is_whitespace() || "\"<>\\^`{|}?#".contains(c)) {
        return bad("holds a character that the base of a repository cannot have");
    }
    match scheme {
        "http" | "https" => {
            let rest = rest.strip_prefix("//").map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
            let host = rest.split('/').next().unwrap_or_default();
            if host.is_empty() || host.ends_with('@') || host.starts_with(':') {
                return bad("names no host");
            }
            Ok(format!("{scheme}://{rest}"))
        }
        "file" => {
            let path = match rest.strip_prefix("//") {
                Some(path) if path.starts_with('/') => path,
                Some(_) => return bad("names a host, which a file cannot have"),
                None => rest,
            };
            if path.is_empty() {
                return bad("names no folder");
            }
            let Some(path) = doc.resolve(path).to_str().map(|path| path.trim_end_matches('/').to_owned()) else {
                return bad("lies in a folder whose name is not UTF-8");
            };
            Ok(format!("file:{path}"))
        }
        _ => bad("has a scheme other than http, https and file"),
    }
}

/// A time, UTC unless it says otherwise: the form of Debian's snapshot archive (`20261121T000000Z`), its day alone, or
/// RFC 3339's. Parts of a second are dropped.
fn snapshot(text: &str) -> Result<Timestamp, Fault> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c.to_ascii_uppercase() }).collect();
    let utc = |time: DateTime| Offset::UTC.to_timestamp(time).ok();
    let time = match &*shape {
        "00000000T000000Z" => DateTime::strptime("%Y%m%dT%H%M%SZ", text.to_ascii_uppercase()).ok().and_then(utc),
        "00000000" => Date::strptime("%Y%m%d", text).ok().and_then(|day| utc(day.into())),
        "0000-00-00" => text.parse::<Date>().ok().and_then(|day| utc(day.into())),
        _ if shape.starts_with("0000-00-00") => text.parse::<Timestamp>().ok(),
        _ => None,
    };
    time.and_then(|time| Timestamp::from_second(time.as_second()).ok()).ok_or_else(|| {
        let fault = Fault::new(format!("“{}” is not a date of a snapshot", quote(text)));
        fault.help("write such as \"20261121T000000Z\", or 2026-11-21T09:30:00Z with its zone")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn uris_are_bases_without_trailing_slash() {
        let doc = Doc::new(Path::new("sub/manifest.toml"), "");
        for (text, expected) in [
            ("https://apt.example.com/debian/", Some("https://apt.example.com/debian")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://user:word@apt.example.com//", Some("https://user:word@apt.example.com")),
            ("file:///srv/debian/", Some("file:/srv/debian")),
            ("file:/srv/debian", Some("file:/srv/debian")),
            ("file:vendor", Some("file:sub/vendor")),
            ("file:", None),
            ("file://host/x", None),
            ("ftp://apt.example.com", None),
            ("https:apt.example.com", None),
            ("https://", None),
            ("https:///debian", None),
            ("https://apt.example.com/a b", None),
            ("https://apt.example.com/?x", None),
            ("apt.example.com", None),
        ] {
            assert_eq!(uri(&doc, text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_are_made_of_uris() {
        for (uri, name) in [
            ("https://apt.example.com/debian", "apt.example.com-debian"),
            ("http://127.0.0.1:8080", "127.0.0.1-8080"),
            ("file:../vendor", "vendor"),
            ("file:/", ""),
        ] {
            assert_eq!(name_of(uri), name, "{uri}");
        }
    }

    #[test]
    fn suites_components_snapshots() {
        for (text, good) in
            [("trixie", true), ("trixie-security", false), ("bookworm-backports", false), ("a/b", false)]
        {
            assert_eq!(debian_suite(text).is_ok(), good, "{text}");
        }
        for (text, good) in
            [("stable", true), ("a/b", true), ("./", false), ("../x", false), ("", false), ("a b", false)]
        {
            assert_eq!(suite(text).is_ok(), good, "{text}");
        }
        for (text, time) in [
            ("20261121T000000Z", Some("2026-11-21T00:00:00Z")),
            ("20261121t101112z", Some("2026-11-21T10:11:12Z")),
            ("20261121", Some("2026-11-21T00:00:00Z")),
            ("2026-11-21", Some("2026-11-21T00:00:00Z")),
            ("2026-11-21T10:11:12Z", Some("2026-11-21T10:11:12Z")),
            ("2026-11-21 10:11:12.75+02:00", Some("2026-11-21T08:11:12Z")),
            ("20261321T000000Z", None),
            ("20261121T250000Z", None),
            ("20260231", None),
            ("2026-11-21T10:11:12", None),
            ("2026-11-21T10:11:12Z and more", None),
            ("2026", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(snapshot(text).ok().map(|time| time.to_string()).as_deref(), time, "{text}");
        }
    }
}
