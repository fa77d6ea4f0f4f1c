//! What the build must not contain, and what is excused: `[policy]`.
//!
//! In: a table of the manifest. Out: [`Policy`]. Every rule keeps its line, for reports that point at it. Nothing of it
//! changes a byte of an image: it judges what was built.

use globset::{GlobBuilder, GlobMatcher};

use super::{
    error::{Fault, quote},
    image::size,
    reader::{Table, Value},
    rootfs::{MERGED, glob},
};
use crate::base::{CODES, Code, Line, Severity, UNHARDENED};

/// Longest reason of an exception, characters.
const MAX_REASON: usize = 400;

/// `[policy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `forbid`, sorted by name, each once; `unhardened` is spelled out.
    pub forbid: Vec<Forbidden>,
    /// `packages`: names of Debian packages that must not be in.
    pub packages: Vec<Pattern>,
    /// `wheels`: names of projects that must not be in, normalised (PEP 503).
    pub wheels: Vec<Pattern>,
    /// `paths`: files and links that must not be in.
    pub paths: Vec<Pattern>,
    /// `max-size`: bytes of the image as a plain tar.
    pub max_size: Option<Limit>,
    /// `max-packages`.
    pub max_packages: Option<Limit>,
    /// `deny-warnings`: codes whose findings are errors; sorted by name.
    pub deny_warnings: Vec<&'static Code>,
    /// `allow`, in the manifest's order.
    pub allow: Vec<Exception>,
}

/// One rule of `policy.forbid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// What must not be found.
    pub code: &'static Code,
    /// Where it is written.
    pub line: Line,
}

/// A number that must not be passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The most that is allowed.
    pub most: u64,
    /// Where it is written.
    pub line: Line,
}

/// A pattern of names or paths: `*`, `?`, `[abc]`, `{a,b}`, and in paths `**` across folders.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As the manifest has it; paths with the links of merged-/usr resolved.
    pub text: String,
    /// Where it is written.
    pub line: Line,
    matcher: GlobMatcher,
}

/// The compiled form follows from the text.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.line) == (&other.text, &other.line)
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Whether a name or an absolute path is meant.
    pub fn matches(&self, text: impl AsRef<std::path::Path>) -> bool {
        self.matcher.is_match(text)
    }
}

/// What is found all the same, and may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What is excused.
    pub rule: &'static Code,
    /// Where; everywhere if it is not told.
    pub path: Option<Pattern>,
    /// In whose files: a package's, wheel's or tarball's name.
    pub package: Option<Pattern>,
    /// Why it may be.
    pub reason: String,
    /// Where it is written.
    pub line: Line,
}

impl Policy {
    /// The line of a rule of `forbid`, if it is in force.
    pub fn forbids(&self, code: &str) -> Option<Line> {
        self.forbid.iter().find(|rule| rule.code.name == code).map(|rule| rule.line.clone())
    }
}

pub(super) fn policy(mut table: Table<'_>) -> Policy {
    let mut forbid: Vec<Forbidden> = table.list("forbid", rule).unwrap_or_default().into_iter().flatten().collect();
    forbid.sort_by_key(|rule| rule.code.name);
    forbid.dedup_by_key(|rule| rule.code.name);
    let mut names = |key| table.list(key, |value| pattern(value, name)).unwrap_or_default();
    let (packages, wheels) = (names("packages"), names("wheels"));
    let paths = table.list("paths", |value| pattern(value, path)).unwrap_or_default();
    let limit = |value: Value<'_>, most| Limit { most, line: value.line() };
    let max_size = table.get("max-size").and_then(|value| {
        let most = match value.digits() {
            Some(_) => value.number(i64::MAX as u64),
            None => value.parsed(size),
        };
        most.map(|most| limit(value, most))
    });
    let count = table.get("max-packages").and_then(|value| Some((value.number(u32::MAX.into())?, value)));
    let max_packages = count.map(|(most, value)| limit(value, most));
    let deny_warnings = table.get("deny-warnings").map(|value| denied(&value)).unwrap_or_default();
    let allow = table.get("allow").and_then(|value| value.array()).unwrap_or_default();
    let allow = allow.iter().filter_map(|value| exception(value.table()?, value.line())).collect();
    table.done();
    Policy { forbid, packages, wheels, paths, max_size, max_packages, deny_warnings, allow }
}

/// One word of `forbid`: a code, or the group of those about hardening.
fn rule(value: &Value<'_>) -> Option<Vec<Forbidden>> {
    let line = value.line();
    let all = CODES.iter().filter(|code| code.is_forbiddable());
    let words: Vec<_> = all.clone().map(|code| (code.name, code.name)).chain([(UNHARDENED, UNHARDENED)]).collect();
    let word = value.choice(&words)?;
    let is_meant =
        |code: &&Code| code.name == word || word == UNHARDENED && code.asked == crate::base::Asked::Unhardened;
    Some(all.filter(is_meant).map(|code| Forbidden { code, line: line.clone() }).collect())
}

/// `true`: every warning.
fn denied(value: &Value<'_>) -> Vec<&'static Code> {
    let warnings = || CODES.iter().filter(|code| code.severity == Severity::Warning);
    if value.is_boolean() {
        return if value.boolean() == Some(true) { warnings().collect() } else { Vec::new() };
    }
    let choices: Vec<_> = warnings().map(|code| (code.name, code)).collect();
    let items = value.array().unwrap_or_default();
    let mut out: Vec<_> = items.iter().filter_map(|item| item.choice(&choices)).collect();
    out.sort_by_key(|code| code.name);
    out.dedup_by_key(|code| code.name);
    out
}

fn exception(mut table: Table<'_>, line: Line) -> Option<Exception> {
    let example = "such as { rule = \"setuid\", path = \"/usr/bin/su\", reason = \"…\" }";
    let codes: Vec<_> = CODES.iter().filter(|code| code.is_excusable()).map(|code| (code.name, code)).collect();
    let rule = table.need("rule", example);
    let reason = table.need("reason", "reason = \"…\": why it may be so");
    let path = table.get("path").map(|value| pattern(&value, path));
    let package = table.get("package").map(|value| pattern(&value, name));
    let place = table.span();
    let doc = table.doc;
    table.done();
    let rule = rule.and_then(|value| value.choice(&codes));
    let reason = reason.and_then(|value| value.parsed(self::reason));
    let (rule, reason) = (rule?, reason?);
    // What goes for the whole image has no place; everything else has.
    if path.is_none() && package.is_none() && rule.name != "root-user" {
        let fault = Fault::new(format!("the exception from “{}” does not say for what", rule.name));
        doc.note(place, fault.help("add path = \"/…\" or package = \"…\""));
        return None;
    }
    let whole = |part: Option<Option<Pattern>>| match part {
        Some(None) => None,
        Some(part) => Some(part),
        None => Some(None),
    };
    Some(Exception { rule, path: whole(path)?, package: whole(package)?, reason, line })
}

fn reason(text: &str) -> Result<String, Fault> {
    match text.trim() {
        "" => Err(Fault::new("is empty").help("say why it may be so: whoever reviews the image reads it")),
        text if text.chars().nth(MAX_REASON).is_some() => {
            Err(Fault::new(format!("has more than {MAX_REASON} characters")).help("say it shorter"))
        }
        text => Ok(text.to_owned()),
    }
}

fn pattern(value: &Value<'_>, compile: fn(&str) -> Result<(String, GlobMatcher), Fault>) -> Option<Pattern> {
    let (text, matcher) = value.parsed(compile)?;
    Some(Pattern { text, line: value.line(), matcher })
}

/// A pattern of `paths`: `/bin/sh` is `/usr/bin/sh` in every image.
fn path(text: &str) -> Result<(String, GlobMatcher), Fault> {
    glob(text)?;
    let is_merged = text[1..].split('/').next().is_some_and(|top| MERGED.contains(&top.as_bytes()));
    let text = if is_merged { format!("/usr{text}") } else { text.to_owned() };
    let matcher = glob(&text)?.compile_matcher();
    Ok((text, matcher))
}

/// A pattern of names of packages or projects.
fn name(text: &str) -> Result<(String, GlobMatcher), Fault> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._*?[]{},!".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        let fault = Fault::new(format!("“{}” is not the name of a package, nor a pattern of names", quote(text)));
        return Err(fault.help("write such as \"perl-base\" or \"libsystemd*\""));
    }
    let glob = GlobBuilder::new(text).build().map_err(|error| {
        let fault = Fault::new(format!("“{}” is not a pattern: {}", quote(text), error.kind()));
        fault.help("*, ?, [abc] and {a,b} have a meaning")
    })?;
    Ok((text.to_owned(), glob.compile_matcher()))
}
