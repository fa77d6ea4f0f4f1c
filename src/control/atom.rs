//! Dependency fields (Policy 7.1; dpkg's `lib/dpkg/fields.c`): clauses joined by `,`, alternatives by `|`.
//!
//! In: a field's text. Out: [`Clauses`] of [`Atom`]s that borrow from it: the universe reads many thousands.

use std::{cmp::Ordering, fmt};

use nom::{
    IResult, Parser as _,
    branch::alt,
    bytes::complete::{tag, take_while1},
    character::complete::char,
    combinator::value,
    error::{ErrorKind, ParseError},
    sequence::preceded,
};

use super::{
    scan,
    version::{self, Version},
};
use crate::base::words;

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
    /// What stands in `[…]`: words, and whatever blanks are between and after them.
    pub archs: Option<&'a str>,
    /// What stands in `<…> <…>`, brackets included.
    pub profiles: Option<&'a str>,
}

impl Atom<'_> {
    /// Whether the `[…]` list and the build profiles let the alternative stand on `arch` (Policy 7.1): no profile is
    /// ever active here. A relation that does not apply is as if it were not written.
    #[inline]
    pub fn applies_to(&self, arch: &str) -> bool {
        if self.archs.is_none() && self.profiles.is_none() {
            return true;
        }
        let arch_holds = self.archs.is_none_or(|list| {
            let mut terms = list.split_ascii_whitespace().peekable();
            let negated = terms.peek().is_some_and(|term| term.starts_with('!'));
            terms.any(|term| arch_matches(term.strip_prefix('!').unwrap_or(term), arch)) != negated
        });
        let profiles_hold = self.profiles.is_none_or(|formula| {
            profile_lists(formula).any(|list| list.split_ascii_whitespace().all(|term| term.starts_with('!')))
        });
        arch_holds && profiles_hold
    }
}

/// What stands between each `<` and `>` of a formula.
fn profile_lists(formula: &str) -> impl Iterator<Item = &str> {
    formula.split('>').filter_map(|list| list.trim_ascii_start().strip_prefix('<'))
}

/// A list as it is printed: one blank between two words.
pub(super) fn words(list: &str) -> String {
    list.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// A formula as it is printed, however it was written: `<a b> <c>`.
pub(super) fn profiles(formula: &str) -> String {
    profile_lists(formula).map(|list| format!("<{}>", words(list))).collect::<Vec<_>>().join(" ")
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
        if let Some(archs) = self.archs {
            write!(f, " [{}]", words(archs))?;
        }
        if let Some(formula) = self.profiles {
            write!(f, " {}", profiles(formula))?;
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
    /// A field of more clauses than this program takes.
    #[error("a field of more than {0} clauses")]
    TooManyClauses(u16),
}

pub(super) fn shorten(text: &str) -> String {
    words::quote(&text.split_whitespace().collect::<Vec<_>>().join(" "), 80)
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

/// What a byte may be part of: looked up, since an archive holds some ten million of them in its relations.
const BLANK: u8 = 1;
const NAME: u8 = 2;
const WORD: u8 = 4;
const TOKEN: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let blank = matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
        classes[byte] |= if blank { BLANK } else { 0 };
        classes[byte] |= if b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_') { NAME } else { 0 };
        classes[byte] |= if b.is_ascii_alphanumeric() || b == b'-' { WORD } else { 0 };
        classes[byte] |= if !blank && b != b')' { TOKEN } else { 0 };
        byte += 1;
    }
    classes
};

/// What `input` begins with of `class`, and the rest. What ends it is ASCII or begins a character, except after a
/// token, which takes every byte beyond ASCII.
#[inline]
fn take(class: u8, input: &str) -> (&str, &str) {
    let length = input.bytes().position(|b| CLASSES[usize::from(b)] & class == 0).unwrap_or(input.len());
    input.split_at(length)
}

/// The same as a parser, and not empty.
#[inline]
fn take1(class: u8) -> impl Fn(&str) -> Parsed<'_, &str> {
    move |input| match take(class, input) {
        ("", _) => Err(nom::Err::Error(Expected(input, "something else"))),
        (taken, rest) => Ok((rest, taken)),
    }
}

#[inline]
fn skip_blanks(input: &str) -> &str {
    take(BLANK, input).1
}

/// Whether `input` goes on with `byte`: whether a parser for what most relations do not have is worth a try.
#[inline]
fn begins(input: &str, byte: u8) -> bool {
    input.as_bytes().first() == Some(&byte)
}

/// `parser`, or an error that names what should have come.
fn expect<'a, T>(
    mut parser: impl FnMut(&'a str) -> Parsed<'a, T>,
    what: &'static str,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| parser(input).map_err(|_: nom::Err<Expected<'_>>| nom::Err::Failure(Expected(input, what)))
}

#[inline]
fn package_name(input: &str) -> Parsed<'_, &str> {
    // The same as `PackageName::is_valid`: its characters, and the first no punctuation.
    if !input.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Err(nom::Err::Error(Expected(input, "a package name")));
    }
    // What this takes for a name and is none has a byte that no name has; then the slow way tells where it ends.
    let (name, rest) = input.split_at(scan::run(input.as_bytes(), b'+', [b',', b':', b'|']));
    match name.bytes().fold(NAME, |all, b| all & CLASSES[usize::from(b)]) {
        0 => take1(NAME)(input),
        _ => Ok((rest, name)),
    }
}

fn qualifier(input: &str) -> Parsed<'_, Qualifier<'_>> {
    let (rest, found) = preceded(char(':'), expect(take1(WORD), "an architecture")).parse(input)?;
    let found = match found {
        "any" => Qualifier::Any,
        "native" => Qualifier::Native,
        arch => Qualifier::Arch(arch),
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

#[inline]
fn constraint(input: &str) -> Parsed<'_, (Op, &str)> {
    let (rest, _) = char('(').parse(input)?;
    let (rest, op) = expect(op, "a relation (<<, <=, =, >=, >>)")(skip_blanks(rest))?;
    let (rest, version) = expect(take1(TOKEN), "a version")(skip_blanks(rest))?;
    let (rest, _) = expect(|i| char(')').parse(i), "“)”")(skip_blanks(rest))?;
    Ok((rest, (op, version)))
}

fn arch_list(input: &str) -> Parsed<'_, &str> {
    let (rest, _) = char('[').parse(input)?;
    let inside = |i| take_while1(|c: char| c.is_ascii_alphanumeric() || "-! \t\n\r".contains(c)).parse(i);
    let (rest, archs) = expect(inside, "architectures")(skip_blanks(rest))?;
    let (rest, _) = expect(|i| char(']').parse(i), "“]”")(rest)?;
    Ok((rest, archs))
}

fn profile_list(input: &str) -> Parsed<'_, ()> {
    let (rest, _) = char('<').parse(input)?;
    let inside = |i| take_while1(|c: char| c.is_ascii_alphanumeric() || "+-._! \t\n\r".contains(c)).parse(i);
    let (rest, _) = expect(inside, "build profiles")(skip_blanks(rest))?;
    let (rest, _) = expect(|i| char('>').parse(i), "“>”")(rest)?;
    Ok((rest, ()))
}

/// One alternative and the blanks after it.
#[inline]
fn atom(input: &str) -> Parsed<'_, Atom<'_>> {
    let (mut rest, name) = expect(package_name, "a package name")(skip_blanks(input))?;
    let mut atom = Atom { name, qualifier: Qualifier::None, constraint: None, archs: None, profiles: None };
    if begins(rest, b':') {
        (rest, atom.qualifier) = qualifier(rest)?;
    }
    rest = skip_blanks(rest);
    if begins(rest, b'(') {
        let (after, found) = constraint(rest)?;
        atom.constraint = Some(found);
        rest = skip_blanks(after);
    }
    if begins(rest, b'[') {
        let (after, found) = arch_list(rest)?;
        atom.archs = Some(found);
        rest = skip_blanks(after);
    }
    let start = rest;
    while begins(rest, b'<') {
        let (after, ()) = profile_list(rest)?;
        atom.profiles = start.get(..start.len() - after.len());
        rest = skip_blanks(after);
    }
    Ok((rest, atom))
}

/// The clauses of a dependency field, one after the other; empty ones (a stray comma, an empty field) are passed
/// over, as apt does. After an error it yields nothing more.
#[derive(Debug, Clone)]
pub struct Clauses<'a> {
    field: &'a str,
    rest: &'a str,
    /// How many alternatives of the clause at hand were read; 0 between clauses.
    read: usize,
}

impl<'a> Clauses<'a> {
    /// Starts before the first clause of `field`.
    pub fn new(field: &'a str) -> Self {
        Self { field, rest: field, read: 0 }
    }

    /// Reads the next alternative, and says whether it opens a clause: no memory is taken, and a whole archive has
    /// half a million of them. `None` at the end.
    ///
    /// # Errors
    /// Text that is no clause; what follows it in the field is not looked at.
    #[inline]
    pub fn next_atom(&mut self) -> Option<Result<(bool, Atom<'a>), RelationError>> {
        let opens = self.read == 0;
        if opens {
            self.rest = self.rest.trim_start_matches(is_separator);
            if self.rest.is_empty() {
                return None;
            }
        }
        let result = match atom(self.rest) {
            Ok((rest, found)) => self.close(rest, found),
            Err(error) => Err(self.syntax(error)),
        };
        if result.is_err() {
            (self.rest, self.read) = ("", 0);
        }
        Some(result.map(|atom| (opens, atom)))
    }

    /// What the next alternative is written in: up to the comma or bar that ends it; and whether it opens a clause.
    /// `None` at the end. No valid alternative has a comma or a bar within.
    #[inline]
    pub fn peek(&mut self) -> Option<(bool, &'a str)> {
        let opens = self.read == 0;
        if opens {
            self.rest = self.rest.trim_start_matches(is_separator);
            if self.rest.is_empty() {
                return None;
            }
        } else {
            self.rest = skip_blanks(self.rest);
        }
        let length = scan::run(self.rest.as_bytes(), 0, [b',', b'|']);
        Some((opens, self.rest.get(..length).unwrap_or_default()))
    }

    /// Passes over what [`Clauses::peek`] has given, which the caller knows to be an alternative.
    ///
    /// # Errors
    /// A clause of too many alternatives.
    #[inline]
    pub fn pass(&mut self, written: &str) -> Result<(), RelationError> {
        self.end(self.rest.get(written.len()..).unwrap_or_default())
    }

    /// What comes next, from the comma on, where a clause was read and a comma ended it.
    pub(super) fn after_comma(&self) -> Option<&'a str> {
        let at = self.field.len() - self.rest.len();
        self.field.get(at.checked_sub(1)?..).filter(|rest| rest.starts_with(',') && self.read == 0)
    }

    /// Checks an alternative and what follows it.
    #[inline]
    fn close(&mut self, rest: &'a str, found: Atom<'a>) -> Result<Atom<'a>, RelationError> {
        if let Some((_, version)) = found.constraint {
            let bad = |error| RelationError::Version { text: shorten(self.field), error };
            Version::check(version).map_err(bad)?;
        }
        self.end(rest).map(|()| found)
    }

    /// An alternative was read, and `rest` follows.
    #[inline]
    fn end(&mut self, rest: &'a str) -> Result<(), RelationError> {
        if self.read == MAX_ALTERNATIVES {
            return Err(RelationError::TooLong(shorten(self.field)));
        }
        (self.rest, self.read) = match rest.as_bytes().first() {
            Some(b'|') => (rest.get(1..).unwrap_or_default(), self.read + 1),
            Some(b',') => (rest.get(1..).unwrap_or_default(), 0),
            None => (rest, 0),
            Some(_) => return Err(self.syntax(nom::Err::Error(Expected(rest, "“,” or “|”")))),
        };
        Ok(())
    }

    #[cold]
    fn syntax(&self, error: nom::Err<Expected<'_>>) -> RelationError {
        let (rest, expected) = match error {
            nom::Err::Error(Expected(rest, what)) | nom::Err::Failure(Expected(rest, what)) => (rest, what),
            nom::Err::Incomplete(_) => ("", "more"),
        };
        let rest = shorten(rest);
        let rest = if rest.is_empty() { "the end".into() } else { rest };
        RelationError::Syntax { text: shorten(self.field), expected, rest }
    }
}

#[inline]
fn is_separator(c: char) -> bool {
    c == ',' || c.is_ascii_whitespace()
}

impl<'a> Iterator for Clauses<'a> {
    type Item = Result<Vec<Atom<'a>>, RelationError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut atoms = Vec::new();
        loop {
            match self.next_atom()? {
                Err(error) => return Some(Err(error)),
                Ok((_, atom)) => atoms.push(atom),
            }
            if self.read == 0 {
                return Some(Ok(atoms));
            }
        }
    }
}
