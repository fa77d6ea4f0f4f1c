//! Requirements with hashes: pip's requirements file, as far as a compiled one goes.
//!
//! In: its text. Out: the pinned projects whose markers hold. What `pip-compile --generate-hashes`,
//! `uv pip compile --generate-hashes`, `uv export`, `poetry export` and `pip freeze` by hand with `--hash` write is
//! understood. Options that say where an index is belong to the machine, and cannot change bytes that are pinned: they
//! are passed over. What would need another file or a build is refused.

use super::{
    error::{Fault, Problem, quote},
    marker::{Marker, Scope},
    package::{Artifacts, File, Package, at_url_or_path, fragment_sha256},
};
use crate::{
    base::words,
    python::{name::ProjectName, wheel_name::WheelName},
};

/// A requirements file, read.
#[derive(Debug, Clone)]
pub(super) struct Requirements {
    entries: Vec<(Marker, Package)>,
}

/// Options of the whole file that cannot change which pinned bytes are installed, by their long and short names.
const PASSED_OVER: [(&str, &str); 14] = [
    ("--index-url", "-i"),
    ("--pypi-url", ""),
    ("--extra-index-url", ""),
    ("--find-links", "-f"),
    ("--trusted-host", ""),
    ("--only-binary", ""),
    ("--use-feature", ""),
    ("--constraint", "-c"),
    ("--no-index", ""),
    ("--prefer-binary", ""),
    ("--require-hashes", ""),
    ("--pre", ""),
    ("--no-emit-index-url", ""),
    ("--all-releases", ""),
];

/// Options of one requirement that concern builds alone.
const OF_BUILDS: [&str; 3] = ["--config-settings", "--config-setting", "--global-option"];

impl Requirements {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut entries = Vec::new();
        for (line, logical) in logical_lines(text) {
            let wrong = |why: &str| Problem::Line { text: quote(&logical), why: why.into() }.at(line);
            if logical.contains("${") {
                return Err(wrong("it takes a value from the environment, which compose does not read; write it out"));
            }
            if logical.starts_with('-') {
                file_option(&logical).map_err(|why| wrong(&why))?;
                continue;
            }
            entries.push(requirement(&logical, line).map_err(|problem| match problem {
                Wrong::Why(why) => wrong(&why),
                Wrong::Problem(problem) => problem.at(line),
            })?);
        }
        Ok(Self { entries })
    }

    /// Every entry, whatever it is for.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.entries.iter().map(|(_, package)| package)
    }

    pub fn active(&self, scope: &Scope) -> Vec<&Package> {
        self.entries.iter().filter(|(marker, _)| marker.holds(scope)).map(|(_, package)| package).collect()
    }
}

/// What is wrong with one requirement: a sentence about its line, or a problem that says where it is itself.
enum Wrong {
    Why(String),
    Problem(Problem),
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Self {
        Self::Why(why.into())
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Lines as pip joins them: a backslash at the end continues one, a comment ends it. Each with its number, from 1.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, physical) in text.lines().enumerate() {
        let comment = physical.trim_start().starts_with('#');
        let (part, goes_on) = match physical.strip_suffix('\\') {
            Some(part) if !comment => (part, true),
            _ => (if comment { "" } else { physical }, false),
        };
        let (_, joined) = open.get_or_insert_with(|| (at + 1, String::new()));
        joined.push_str(part);
        if !goes_on {
            out.extend(open.take());
        }
    }
    out.extend(open);
    for (_, line) in &mut out {
        let comment = line.char_indices().find(|(at, c)| {
            *c == '#'
                && line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace))
        });
        if let Some((at, _)) = comment {
            line.truncate(at);
        }
        *line = line.trim().to_owned();
    }
    out.retain(|(_, line)| !line.is_empty());
    out
}

/// Takes or refuses a line that is an option.
fn file_option(line: &str) -> Result<(), String> {
    let name = line.split(['=', ' ', '\t']).next().unwrap_or_default();
    let value = line.get(name.len()..).unwrap_or_default().trim_start_matches(['=', ' ', '\t']).trim();
    let is = |long: &str, short: &str| {
        name == long || (!short.is_empty() && name.starts_with(short) && !name.starts_with("--"))
    };
    if PASSED_OVER.iter().any(|(long, short)| is(long, short)) {
        return Ok(());
    }
    if is("--requirement", "-r") {
        return Err("it names another file, but one file must hold all; compile them into one with hashes \
                    (“uv pip compile --generate-hashes” or “pip-compile --generate-hashes”)"
            .into());
    }
    if is("--editable", "-e") {
        return Err("it is a project of this machine, and compose builds nothing; leave it out, build a wheel of it \
                    (“pip wheel --no-deps”) and name it in python.wheels"
            .into());
    }
    if name == "--no-binary" && value != ":none:" {
        return Err("it asks for source archives, and compose builds nothing; leave the line out".into());
    }
    if name == "--no-binary" {
        return Ok(());
    }
    let known = PASSED_OVER.iter().map(|(long, _)| *long).chain(["--requirement", "--editable", "--no-binary"]);
    let hint = words::nearest(name, known).map(|near| format!("; did you mean “{near}”?")).unwrap_or_default();
    Err(format!("the option “{}” is not known{hint}; leave the line out if it matters to builds alone", quote(name)))
}

/// One requirement: `NAME[EXTRAS]==VERSION ; MARKER --hash=…`, `NAME @ URL …`, or a wheel's URL or path alone.
fn requirement(line: &str, number: usize) -> Result<(Marker, Package), Wrong> {
    let option =
        line.match_indices([' ', '\t']).find(|(at, _)| line.get(at + 1..).is_some_and(|rest| rest.starts_with("--")));
    let (head, options) = line.split_at(option.map_or(line.len(), |(at, _)| at));
    let mut hashes = hashes(options)?;
    let head = head.trim();
    let rest = head.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let (name, rest) = (&head[..head.len() - rest.len()], rest.trim_start());
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').ok_or("the bracket of the extras is not closed")?.1.trim_start(),
        None => rest,
    };
    let named = |text: &str| -> Result<ProjectName, Wrong> {
        text.parse().map_err(|error: crate::python::name::BadProjectName| Wrong::Why(error.to_string()))
    };
    let of = |name, version, artifacts| Package { name, version, line: Some(number), python: None, artifacts };
    if let Some(url) = rest.strip_prefix('@') {
        let url = url.trim_start();
        // A URL may hold “;”: a marker's has a blank before it.
        let end = url.find(char::is_whitespace).unwrap_or(url.len());
        let (url, rest) = url.split_at(end);
        let marker = marker_after(rest)?;
        if let Some((kind, _)) = url.split_once('+').filter(|(kind, _)| matches!(*kind, "git" | "hg" | "svn" | "bzr")) {
            return Ok((marker, of(named(name)?, None, Artifacts::Source(format!("{kind} ({url})")))));
        }
        let (file, place) = at_url_or_path(url);
        hashes.extend(fragment_sha256(url));
        let file = File { name: file, place, hashes, size: None };
        return Ok((marker, of(named(name)?, None, Artifacts::Files(vec![file]))));
    }
    let alone = head.split([';', ' ', '\t']).next().unwrap_or_default();
    let alone_is_place = alone.contains("://") || alone.starts_with(['.', '/']) || alone.starts_with("file:");
    if alone_is_place || alone.split('#').next().is_some_and(|file| file.ends_with(".whl")) {
        let marker = marker_after(head.get(alone.len()..).unwrap_or_default())?;
        let (file, place) = at_url_or_path(alone);
        hashes.extend(fragment_sha256(alone));
        let Ok(wheel) = WheelName::parse(&file) else {
            return Err(
                "it is no wheel, and compose builds nothing; build a wheel of it (“pip wheel --no-deps”) and name \
                        that in python.wheels"
                    .into(),
            );
        };
        let file = File { name: file, place, hashes, size: None };
        return Ok((marker, of(wheel.project().clone(), None, Artifacts::Files(vec![file]))));
    }
    let (range, marker) = match rest.split_once(';') {
        Some((range, marker)) => (range, Marker::parse(marker)?),
        None => (rest, Marker::parse("")?),
    };
    let range = range.trim();
    let range = range.strip_prefix('(').and_then(|range| range.strip_suffix(')')).unwrap_or(range).trim();
    let version = range.strip_prefix("==").map(|rest| rest.trim_start_matches('=').trim());
    let version = version.filter(|version| {
        !version.is_empty() && !version.contains(['*', ',', '<', '>', '=', '!', '~', ' ']) && !version.starts_with('-')
    });
    let name = named(name)?;
    let Some(version) = version else {
        return Err(Wrong::from(
            "it is not pinned to one version with “==”; compile the file with hashes (“uv pip compile \
             --generate-hashes” or “pip-compile --generate-hashes”) and name the result",
        ));
    };
    Ok((marker, of(name, Some(version.to_owned()), Artifacts::Hashes(hashes))))
}

/// The marker after a URL or path.
fn marker_after(rest: &str) -> Result<Marker, Wrong> {
    match rest.trim() {
        "" => Ok(Marker::parse("")?),
        rest => Ok(Marker::parse(rest.strip_prefix(';').ok_or("only a marker, after “ ;”, may follow the URL")?)?),
    }
}

/// The hashes of a requirement's options.
fn hashes(options: &str) -> Result<Vec<String>, Wrong> {
    let mut out = Vec::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let value = match value {
            Some(value) => Some(value),
            None if name == "--hash" || OF_BUILDS.contains(&name) => words.next(),
            None => None,
        };
        if name == "--hash" {
            out.push(value.ok_or("“--hash” has no value")?.to_owned());
        } else if !OF_BUILDS.contains(&name) {
            return Err(Wrong::Why(format!("the option “{}” is not known for a requirement", quote(name))));
        }
    }
    Ok(out)
}
