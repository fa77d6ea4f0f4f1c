//! Dependency fields (Policy 7.1; dpkg's `lib/dpkg/fields.c`): clauses joined by `,`, alternatives by `|`.
//!
//! In: a field's text. Out: [`Clauses`] of [`Atom`]s that borrow from it: the universe reads many thousands.

use std::{cmp::Ordering, fmt};

use nom::{
    IResult, Parser as _,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::char,
    combinator::{opt, value},
    error::{ErrorKind, ParseError},
    sequence::preceded,
};

use super::version::{self, Version};
use crate::base::PackageName;

/// More alternatives than any clause has: Debian's longest has some sixty.
pub(super) const MAX_ALTERNATIVES: usize = 1024;

/// The five kinds of versioned relation (Policy 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `<<`
    Earlier,
    /// `<=`, and the obsolete `<`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`, and the obsolete `>`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Op {
    /// Whether `version` stands in this relation to `bound`; both valid versions.
    pub fn holds(self, version: &str, bound: &str) -> bool {
        let order = version::compare(version, bound);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Equal => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

/// What follows the colon in `python3:any` (deb-substvars(5), the multiarch specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier<'a> {
    /// Nothing: the depending package's own architecture, or a `Multi-Arch: foreign` package of another.
    None,
    /// `:any`
    Any,
    /// `:native`
    Native,
    /// `:amd64`
    Arch(&'a str),
}

/// One alternative of a clause, borrowed from the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atom<'a> {
    /// Package name, or the name of a virtual package.
    pub name: &'a str,
    /// Architecture qualifier.
    pub qualifier: Qualifier<'a>,
    /// Version constraint; the version is valid.
    pub constraint: Option<(Op, &'a str)>,
    /// What stands in `[…]`, blanks and all.
    pub archs: Option<&'a str>,
    /// What stands in `<…> <…>`, brackets included.
    pub profiles: Option<&'a str>,
}

impl Atom<'_> {
    /// Whether the `[…]` list and the build profiles let the alternative stand on `arch` (Policy 7.1): no profile is
    /// ever active here. A relation that does not apply is as if it were not written.
    pub fn applies_to(&self, arch: &str) -> bool {
        let arch_holds = self.archs.is_none_or(|list| {
            let mut terms = list.split_ascii_whitespace().peekable();
            let negated = terms.peek().is_some_and(|term| term.starts_with('!'));
            terms.any(|term| arch_matches(term.strip_prefix('!').unwrap_or(term), arch)) != negated
        });
        let profiles_hold = self.profiles.is_none_or(|formula| {
            formula
                .split('>')
                .filter_map(|list| list.trim().strip_prefix('<'))
                .any(|list| list.split_ascii_whitespace().all(|term| term.starts_with('!')))
        });
        arch_holds && profiles_hold
    }
}

/// Architecture wildcards (Policy 11.1.1) as far as they can name a Linux architecture.
fn arch_matches(pattern: &str, arch: &str) -> bool {
    match pattern.rsplit_once('-') {
        None => pattern == arch || pattern == "any",
        Some(("any" | "linux" | "gnu-linux" | "any-any" | "gnu-any-any" | "gnu-any" | "any-linux", cpu)) => {
            let cpu_of_arch = if arch == "armhf" { "arm" } else { arch };
            cpu == "any" || cpu == arch || cpu == cpu_of_arch
        }
        Some(_) => false,
    }
}

impl fmt::Display for Atom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match self.qualifier {
            Qualifier::None => {}
            Qualifier::Any => f.write_str(":any")?,
            Qualifier::Native => f.write_str(":native")?,
            Qualifier::Arch(arch) => write!(f, ":{arch}")?,
        }
        if let Some((op, version)) = self.constraint {
            write!(f, " ({op} {version})")?;
        }
        let mut words = |text: &str, open: &str, close: &str| {
            let words: Vec<_> = text.split_ascii_whitespace().collect();
            write!(f, " {open}{}{close}", words.join(" "))
        };
        if let Some(archs) = self.archs {
            words(archs, "[", "]")?;
        }
        if let Some(profiles) = self.profiles {
            for list in profiles.split('>').filter_map(|list| list.trim().strip_prefix('<')) {
                words(list, "<", ">")?;
            }
        }
        Ok(())
    }
}

/// Text that is no dependency clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelationError {
    /// Something else was expected.
    #[error("in “{text}”: expected {expected} before “{rest}”")]
    Syntax {
        /// The field, shortened.
        text: String,
        /// What should have come.
        expected: &'static str,
        /// What came instead, shortened.
        rest: String,
    },
    /// A version that is none.
    #[error("in “{text}”: {error}")]
    Version {
        /// The field, shortened.
        text: String,
        /// Why.
        error: version::BadVersion,
    },
    /// A clause of more than 1,024 alternatives.
    #[error("in “{0}”: a clause of more than {MAX_ALTERNATIVES} alternatives")]
    TooLong(String),
}

pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = short.char_indices().nth(80) {
        short.truncate(cut);
        short.push('…');
    }
    short
}

/// nom's error: where the parser stood, and what it wanted.
#[derive(Debug)]
struct Expected<'a>(&'a str, &'static str);

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(input: &'a str, _: ErrorKind) -> Self {
        Self(input, "something else")
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

fn blank(input: &str) -> Parsed<'_, &str> {
    take_while(|c: char| c.is_ascii_whitespace()).parse(input)
}

/// `parser`, or an error that names what should have come.
fn expect<'a, T>(
    mut parser: impl FnMut(&'a str) -> Parsed<'a, T>,
    what: &'static str,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| parser(input).map_err(|_: nom::Err<Expected<'_>>| nom::Err::Failure(Expected(input, what)))
}

fn package_name(input: &str) -> Parsed<'_, &str> {
    let (rest, name) = take_while1(|c: char| c.is_ascii_alphanumeric() || "+-._".contains(c)).parse(input)?;
    if PackageName::is_valid(name) { Ok((rest, name)) } else { Err(nom::Err::Error(Expected(input, "a package name"))) }
}

fn qualifier(input: &str) -> Parsed<'_, Qualifier<'_>> {
    let word = expect(|i| take_while1(|c: char| c.is_ascii_alphanumeric() || c == '-').parse(i), "an architecture");
    let (rest, found) = opt(preceded(char(':'), word)).parse(input)?;
    let found = match found {
        None => Qualifier::None,
        Some("any") => Qualifier::Any,
        Some("native") => Qualifier::Native,
        Some(arch) => Qualifier::Arch(arch),
    };
    Ok((rest, found))
}

fn op(input: &str) -> Parsed<'_, Op> {
    alt((
        value(Op::LaterOrEqual, tag(">=")),
        value(Op::Equal, tag("=")),
        value(Op::Earlier, tag("<<")),
        value(Op::Later, tag(">>")),
        value(Op::EarlierOrEqual, tag("<=")),
        value(Op::EarlierOrEqual, char('<')),
        value(Op::LaterOrEqual, char('>')),
    ))
    .parse(input)
}

fn constraint(input: &str) -> Parsed<'_, (Op, &str)> {
    let (rest, _) = char('(').parse(input)?;
    let (rest, _) = blank(rest)?;
    let (rest, op) = expect(op, "a relation (<<, <=, =, >=, >>)")(rest)?;
    let (rest, _) = blank(rest)?;
    let token = |i| take_while1(|c: char| c != ')' && !c.is_ascii_whitespace()).parse(i);
    let (rest, version) = expect(token, "a version")(rest)?;
    let (rest, _) = blank(rest)?;
    let (rest, _) = expect(|i| char(')').parse(i), "“)”")(rest)?;
    Ok((rest, (op, version)))
}

fn arch_list(input: &str) -> Parsed<'_, &str> {
    let (rest, _) = char('[').parse(input)?;
    let inside = |i| take_while1(|c: char| c.is_ascii_alphanumeric() || "-! \t\n\r".contains(c)).parse(i);
    let (rest, archs) = expect(inside, "architectures")(rest)?;
    let (rest, _) = expect(|i| char(']').parse(i), "“]”")(rest)?;
    Ok((rest, archs))
}

fn profile_list(input: &str) -> Parsed<'_, ()> {
    let (rest, _) = char('<').parse(input)?;
    let inside = |i| take_while1(|c: char| c.is_ascii_alphanumeric() || "+-._! \t\n\r".contains(c)).parse(i);
    let (rest, _) = expect(inside, "build profiles")(rest)?;
    let (rest, _) = expect(|i| char('>').parse(i), "“>”")(rest)?;
    Ok((rest, ()))
}

/// One alternative and the blanks after it.
fn atom(input: &str) -> Parsed<'_, Atom<'_>> {
    let (rest, _) = blank(input)?;
    let (rest, name) = expect(package_name, "a package name")(rest)?;
    let (rest, qualifier) = qualifier(rest)?;
    let (rest, _) = blank(rest)?;
    let (rest, constraint) = opt(constraint).parse(rest)?;
    let (rest, _) = blank(rest)?;
    let (rest, archs) = opt(arch_list).parse(rest)?;
    let (mut rest, _) = blank(rest)?;
    let start = rest;
    let mut profiles = None;
    while let (after, Some(())) = opt(profile_list).parse(rest)? {
        let length = start.len() - after.len();
        profiles = start.get(..length);
        (rest, _) = blank(after)?;
    }
    Ok((rest, Atom { name, qualifier, constraint, archs, profiles }))
}

/// The clauses of a dependency field, one after the other; empty ones (a stray comma, an empty field) are passed
/// over, as apt does. After an error it yields nothing more.
#[derive(Debug, Clone)]
pub struct Clauses<'a> {
    field: &'a str,
    pub(super) rest: &'a str,
}

impl<'a> Clauses<'a> {
    /// Starts before the first clause of `field`.
    pub fn new(field: &'a str) -> Self {
        Self { field, rest: field }
    }

    /// Reads the next clause into `out`, whose former content goes: saves an allocation per clause.
    /// `None` at the end.
    ///
    /// # Errors
    /// Text that is no clause; what follows it in the field is not looked at.
    pub fn read_into(&mut self, out: &mut Vec<Atom<'a>>) -> Option<Result<(), RelationError>> {
        out.clear();
        self.rest = self.rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if self.rest.is_empty() {
            return None;
        }
        let result = self.clause(out);
        if result.is_err() {
            self.rest = "";
        }
        Some(result)
    }

    fn clause(&mut self, out: &mut Vec<Atom<'a>>) -> Result<(), RelationError> {
        loop {
            let syntax = |expected, rest| RelationError::Syntax {
                text: shorten(self.field),
                expected,
                rest: if shorten(rest).is_empty() { "the end".into() } else { shorten(rest) },
            };
            let (rest, found) = atom(self.rest).map_err(|error| match error {
                nom::Err::Error(Expected(rest, what)) | nom::Err::Failure(Expected(rest, what)) => syntax(what, rest),
                nom::Err::Incomplete(_) => syntax("more", ""),
            })?;
            if let Some((_, version)) = found.constraint {
                Version::check(version).map_err(|error| RelationError::Version { text: shorten(self.field), error })?;
            }
            if out.len() == MAX_ALTERNATIVES {
                return Err(RelationError::TooLong(shorten(self.field)));
            }
            out.push(found);
            match rest.as_bytes().first() {
                Some(b'|') => self.rest = rest.get(1..).unwrap_or_default(),
                Some(b',') | None => {
                    self.rest = rest;
                    return Ok(());
                }
                Some(_) => return Err(syntax("“,” or “|”", rest)),
            }
        }
    }
}

impl<'a> Iterator for Clauses<'a> {
    type Item = Result<Vec<Atom<'a>>, RelationError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut atoms = Vec::new();
        self.read_into(&mut atoms).map(|result| result.map(|()| atoms))
    }
}
