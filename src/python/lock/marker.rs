//! Environment markers of locks (PEP 508, with the `extras` and `dependency_groups` of PEP 751).
//!
//! In: a marker's text. Out: a [`Marker`] that is true or false for a target. `and`, `or` and parentheses are read
//! here, with a limit to their depth, so that each comparison goes to `pep508_rs` alone; a comparison that it would
//! pass over with a warning is an error, since a lock that is not understood must not be installed.

use std::collections::BTreeSet;

use pep440_rs::{Version, VersionSpecifier};
use pep508_rs::{ExtraOperator, MarkerEnvironment, MarkerExpression, MarkerOperator, MarkerValueExtra};
use pep508_rs::{MarkerValueString, MarkerValueVersion, MarkerWarningKind};

use super::error::{Problem, quote};
use crate::{base::words, python::name::ProjectName};

/// The longest marker, bytes. Those of real locks stay below 4 KiB.
const LONGEST: usize = 64 << 10;

/// The deepest nesting of parentheses.
const DEEPEST: usize = 50;

/// What markers are evaluated in.
#[derive(Debug, Clone)]
pub(in crate::python) struct Scope {
    pub environment: MarkerEnvironment,
    /// For `extra == 'x'` and `'x' in extras`.
    pub extras: BTreeSet<ProjectName>,
    /// For `'x' in dependency_groups`.
    pub groups: BTreeSet<ProjectName>,
}

/// A marker, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) enum Marker {
    All(Vec<Marker>),
    Any(Vec<Marker>),
    Version(MarkerValueVersion, VersionSpecifier),
    VersionIn(MarkerValueVersion, Vec<Version>, bool),
    Text(MarkerValueString, MarkerOperator, String),
    Extra(ProjectName, bool),
    Group(ProjectName, bool),
}

impl Marker {
    /// Reads a marker. The empty text is always true.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: String| Problem::Marker { marker: quote(text), why: words::quote(&why, 300) };
        if text.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let tokens = tokens(text).map_err(wrong)?;
        if tokens.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        let mut rest = tokens.as_slice();
        let marker = any(&mut rest, 0).map_err(wrong)?;
        match rest.first() {
            None => Ok(marker),
            Some(token) => Err(wrong(format!("“{}” is not expected there", token.text()))),
        }
    }

    /// Whether it holds.
    pub fn holds(&self, scope: &Scope) -> bool {
        let env = &scope.environment;
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(scope)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(scope)),
            Self::Version(key, specifier) => specifier.contains(env.get_version(key)),
            Self::VersionIn(key, versions, negated) => versions.contains(env.get_version(key)) != *negated,
            Self::Text(key, operator, value) => {
                let ours = env.get_string(key);
                match operator {
                    MarkerOperator::Equal => ours == value,
                    MarkerOperator::NotEqual => ours != value,
                    MarkerOperator::GreaterThan => ours > value.as_str(),
                    MarkerOperator::GreaterEqual => ours >= value.as_str(),
                    MarkerOperator::LessThan => ours < value.as_str(),
                    MarkerOperator::LessEqual => ours <= value.as_str(),
                    MarkerOperator::In => value.contains(ours),
                    MarkerOperator::NotIn => !value.contains(ours),
                    MarkerOperator::Contains => ours.contains(value.as_str()),
                    MarkerOperator::NotContains => !ours.contains(value.as_str()),
                    // Refused by `comparison`.
                    MarkerOperator::TildeEqual => false,
                }
            }
            Self::Extra(name, negated) => scope.extras.contains(name) != *negated,
            Self::Group(name, negated) => scope.groups.contains(name) != *negated,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Open,
    Close,
    /// With its quotes.
    Quoted(&'t str),
    Word(&'t str),
    Operator(&'t str),
}

impl<'t> Token<'t> {
    fn text(self) -> &'t str {
        match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::Quoted(text) | Self::Word(text) | Self::Operator(text) => text,
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let run = |fits: fn(char) -> bool| rest.find(|c: char| !fits(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '\'' => {
                let end = rest.get(1..).and_then(|inner| inner.find(first)).ok_or("a quote is not closed")? + 2;
                (Token::Quoted(&rest[..end]), end)
            }
            '<' | '>' | '=' | '!' | '~' => {
                let end = run(|c| matches!(c, '<' | '>' | '=' | '!' | '~'));
                (Token::Operator(&rest[..end]), end)
            }
            c if c.is_ascii_alphabetic() => {
                let end = run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
                (Token::Word(&rest[..end]), end)
            }
            c => return Err(format!("“{}” is not expected there", quote(&c.to_string()))),
        };
        out.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(out)
}

fn any(rest: &mut &[Token<'_>], depth: usize) -> Result<Marker, String> {
    joined(rest, "or", Marker::Any, |rest| joined(rest, "and", Marker::All, |rest| one(rest, depth)))
}

fn joined(
    rest: &mut &[Token<'_>],
    word: &str,
    join: fn(Vec<Marker>) -> Marker,
    part: impl Fn(&mut &[Token<'_>]) -> Result<Marker, String>,
) -> Result<Marker, String> {
    let first = part(rest)?;
    let mut parts = vec![];
    while let Some((Token::Word(found), tail)) = rest.split_first() {
        if *found != word {
            break;
        }
        *rest = tail;
        parts.push(part(rest)?);
    }
    if parts.is_empty() {
        return Ok(first);
    }
    parts.insert(0, first);
    Ok(join(parts))
}

fn one(rest: &mut &[Token<'_>], depth: usize) -> Result<Marker, String> {
    if let Some((Token::Open, tail)) = rest.split_first() {
        if depth >= DEEPEST {
            return Err(format!("its parentheses are more than {DEEPEST} deep"));
        }
        *rest = tail;
        let marker = any(rest, depth + 1)?;
        let Some((Token::Close, tail)) = rest.split_first() else {
            return Err("a parenthesis is not closed".into());
        };
        *rest = tail;
        return Ok(marker);
    }
    let (left, operator, right, tail) = match rest {
        [left, Token::Word("not"), Token::Word("in"), right, tail @ ..] => (left, "not in", right, tail),
        [left, Token::Word("in"), right, tail @ ..] => (left, "in", right, tail),
        [left, Token::Operator(operator), right, tail @ ..] => (left, *operator, right, tail),
        _ => return Err("it must compare something, as in python_version >= '3.9'".into()),
    };
    *rest = tail;
    comparison(*left, operator, *right)
}

fn comparison(left: Token<'_>, operator: &str, right: Token<'_>) -> Result<Marker, String> {
    let name = |quoted: &str| -> Result<ProjectName, String> {
        unquoted(quoted).parse().map_err(|error: crate::python::name::BadProjectName| error.to_string())
    };
    // PEP 751's two sets, which PEP 508 does not have.
    if let (Token::Quoted(value), Token::Word(set @ ("extras" | "dependency_groups"))) = (left, right) {
        let negated = match operator {
            "in" => false,
            "not in" => true,
            _ => return Err(format!("“{set}” is a set, to be asked with “in” or “not in”")),
        };
        let set = if set == "extras" { Marker::Extra } else { Marker::Group };
        return Ok(set(name(value)?, negated));
    }
    // A list of versions may be written with commas, which `pep508_rs` does not take.
    let spaced;
    let right_text = match (operator, right) {
        ("in" | "not in", Token::Quoted(text)) => {
            spaced = text.replace([',', '|'], " ");
            if matches!(left, Token::Word("python_version" | "python_full_version" | "implementation_version")) {
                &spaced
            } else {
                text
            }
        }
        (_, token) => token.text(),
    };
    let text = format!("{} {operator} {right_text}", left.text());
    let mut warning = None;
    let mut report = |kind: MarkerWarningKind, why: String| {
        if kind != MarkerWarningKind::DeprecatedMarkerName {
            warning = Some(why);
        }
    };
    let expression = MarkerExpression::parse_reporter(&text, &mut report).map_err(|error| error.message.to_string())?;
    let what_for = || {
        let why = warning.clone().unwrap_or_else(|| "it compares nothing".into());
        why.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace(", will be ignored", "")
            .replace(" will be ignored", "")
    };
    match expression {
        None => Err(what_for()),
        Some(MarkerExpression::Version { key, specifier }) => Ok(Marker::Version(key, specifier)),
        Some(MarkerExpression::VersionIn { key, versions, negated }) => Ok(Marker::VersionIn(key, versions, negated)),
        Some(MarkerExpression::String { operator: MarkerOperator::TildeEqual, .. }) => {
            Err("“~=” compares versions only".into())
        }
        Some(MarkerExpression::String { key, operator, value }) => Ok(Marker::Text(key, operator, value)),
        Some(MarkerExpression::Extra { operator, name: MarkerValueExtra::Extra(extra) }) => {
            Ok(Marker::Extra(name(extra.as_ref())?, operator == ExtraOperator::NotEqual))
        }
        Some(MarkerExpression::Extra { name: MarkerValueExtra::Arbitrary(_), .. }) => Err(what_for()),
    }
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::{base::Arch, python::environment::Environment};

    fn scope() -> Scope {
        let environment = Environment::new(Arch::Arm64, "3.13.5".parse().unwrap(), (2, 41)).markers();
        let names = |list: &[&str]| list.iter().map(|name| name.parse().unwrap()).collect();
        Scope { environment, extras: names(&["crypto", "a-b"]), groups: names(&["dev"]) }
    }

    #[test]
    fn markers_hold_or_not() {
        for (text, holds) in [
            ("", true),
            ("python_version >= '3.9'", true),
            ("python_version>='3.9'and sys_platform=='linux'", true),
            ("python_version < \"3.13\"", false),
            ("'3.9' <= python_version", true),
            ("python_full_version == '3.13.*'", true),
            ("python_full_version ~= '3.13.2'", true),
            ("python_version in '3.12 3.13'", true),
            ("python_version not in '3.12, 3.13'", false),
            ("python_version == '2.7' or python_version == '3.13' and os_name == 'posix'", true),
            ("(python_version == '3.13' or python_version == '2.7') and os_name == 'nt'", false),
            ("platform_machine in 'arm64 aarch64'", true),
            ("'arch' in platform_machine", true),
            ("'arch' not in platform_machine", false),
            ("sys.platform == 'linux'", true),
            ("platform_python_implementation != 'PyPy'", true),
            ("platform_release >= '5'", false),
            ("extra == 'crypto'", true),
            ("extra == 'A.B'", true),
            ("extra != 'crypto'", false),
            ("'crypto' in extras", true),
            ("'crypto' not in extras and 'x' in extras", false),
            ("'Dev' in dependency_groups", true),
            ("('x' in dependency_groups or 'dev' in dependency_groups) and 'x' not in extras", true),
        ] {
            assert_eq!(Marker::parse(text).unwrap().holds(&scope()), holds, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let deep = format!("{}os_name == 'a'{}", "(".repeat(60), ")".repeat(60));
        for (text, why) in [
            ("python_version", "compare something"),
            ("python_version >=", "compare something"),
            ("python_version >= 3", "“3” is not expected"),
            ("python_version >= 'x'", "PEP 440"),
            ("python_version == '3.9' python_version", "not expected there"),
            ("(os_name == 'a'", "not closed"),
            ("os_name == 'a", "quote is not closed"),
            ("os_name == 'a')", "not expected there"),
            ("os_name == 'a' and", "compare something"),
            ("shoe_size == '44'", "shoe_size"),
            ("os_name ~= 'a'", "~="),
            ("'a' ~= os_name", "~="),
            ("os_name == sys_platform", "two markers"),
            ("'a' == 'a'", "two quoted strings"),
            ("'dev' == dependency_groups", "is a set"),
            ("'-' in extras", "project's name"),
            ("extra == '-'", "extra"),
            (&deep, "more than 50 deep"),
            (&" ".repeat(70_000), "longer than"),
        ] {
            let error = Marker::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}", key in "(python_version|python_full_version|os_name|extra)",
            operator in "(==|~=|!=|<|>=|in|not in|===)", value in "[0-9.a-z*+!, é-]{0,24}") {
            let _ = Marker::parse(&text);
            for text in [format!("{key} {operator} '{value}'"), format!("'{value}' {operator} {key}")] {
                if let Ok(marker) = Marker::parse(&text) {
                    marker.holds(&scope());
                }
            }
        }
    }
}
