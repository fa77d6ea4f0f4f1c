//! Relations that outlive the text they were read from: the manifest's requests.
//!
//! In: one clause, such as an entry of `packages.install`. Out: [`RelationGroup`].

use std::{fmt, str::FromStr};

use super::{
    atom::{Atom, Clauses, Op, Qualifier, RelationError, profiles, shorten, words},
    version::Version,
};
use crate::base::PackageName;

/// One alternative, owned. See [`Atom`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented at Atom")]
pub struct Relation {
    pub name: PackageName,
    pub qualifier: Option<String>,
    pub constraint: Option<(Op, Version)>,
    pub archs: Option<String>,
    pub profiles: Option<String>,
}

impl Relation {
    /// The same, borrowed.
    pub fn as_atom(&self) -> Atom<'_> {
        Atom {
            name: self.name.as_str(),
            qualifier: match self.qualifier.as_deref() {
                None => Qualifier::None,
                Some("any") => Qualifier::Any,
                Some("native") => Qualifier::Native,
                Some(arch) => Qualifier::Arch(arch),
            },
            constraint: self.constraint.as_ref().map(|(op, version)| (*op, version.as_str())),
            archs: self.archs.as_deref(),
            profiles: self.profiles.as_deref(),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_atom().fmt(f)
    }
}

/// One clause: alternatives of which one must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationGroup {
    alternatives: Vec<Relation>,
}

impl RelationGroup {
    /// Parses one clause, such as an entry of `packages.install`.
    ///
    /// # Errors
    /// Text that is no clause, or several.
    pub fn parse(text: &str) -> Result<Self, RelationError> {
        let syntax = |expected, rest: &str| RelationError::Syntax { text: shorten(text), expected, rest: rest.into() };
        let mut clauses = Clauses::new(text);
        if text.trim_start().starts_with(',') {
            return Err(syntax("a package name", ","));
        }
        let Some(first) = clauses.next().transpose()? else { return Err(syntax("a package name", "the end")) };
        if let Some(rest) = clauses.after_comma() {
            return Err(syntax("a single clause", &shorten(rest)));
        }
        let alternatives = first.iter().map(|atom| {
            Ok(Relation {
                name: atom.name.parse().map_err(|_| syntax("a package name", atom.name))?,
                qualifier: match atom.qualifier {
                    Qualifier::None => None,
                    Qualifier::Any => Some("any".into()),
                    Qualifier::Native => Some("native".into()),
                    Qualifier::Arch(arch) => Some(arch.into()),
                },
                constraint: match atom.constraint {
                    None => None,
                    Some((op, version)) => Some((
                        op,
                        version.parse().map_err(|error| RelationError::Version { text: shorten(text), error })?,
                    )),
                },
                archs: atom.archs.map(words),
                profiles: atom.profiles.map(profiles),
            })
        });
        Ok(Self { alternatives: alternatives.collect::<Result<_, _>>()? })
    }

    /// The alternatives in the order written; never empty.
    pub fn alternatives(&self) -> &[Relation] {
        &self.alternatives
    }
}

impl FromStr for RelationGroup {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        Self::parse(text)
    }
}

impl fmt::Display for RelationGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, relation) in self.alternatives.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{relation}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{super::atom::MAX_ALTERNATIVES, *};

    #[test]
    fn prints_what_it_reads() {
        for (text, printed) in [
            ("libc6(>=2.4)|b", "libc6 (>= 2.4) | b"),
            ("\n a:any  ( << 1:2~ ) \n | b:native|c:arm64 (= 1-2)", "a:any (<< 1:2~) | b:native | c:arm64 (= 1-2)"),
            ("a (< 1) | b (> 2) | c (>> 3) | d (<= 4)", "a (<= 1) | b (>= 2) | c (>> 3) | d (<= 4)"),
            ("a [ amd64  !i386 ] <!nocheck  x> <y>", "a [amd64 !i386] <!nocheck x> <y>"),
            ("a[\namd64]<x><\t!y\n>< z >", "a [amd64] <x> <!y> <z>"),
            ("a (= 99999999999999999999999999999:1)", ""),
            ("g++ (= 999999999999999999999999)", "g++ (= 999999999999999999999999)"),
        ] {
            match RelationGroup::parse(text) {
                Ok(group) => {
                    assert_eq!(group.to_string(), printed);
                    assert_eq!(RelationGroup::parse(printed).unwrap(), group);
                }
                Err(error) => assert_eq!(printed, "", "{error}"),
            }
        }
    }

    #[test]
    fn reads_fields_with_stray_commas() {
        let names = |field| -> Vec<Vec<&str>> {
            Clauses::new(field).map(|c| c.unwrap().iter().map(|a| a.name).collect()).collect()
        };
        assert_eq!(names(",a , b|c,\n d,, "), [vec!["a"], vec!["b", "c"], vec!["d"]]);
        assert!(names(" \n ").is_empty());
    }

    #[test]
    fn says_what_it_wanted() {
        for (text, message) in [
            ("", "in “”: expected a package name before “the end”"),
            ("a b", "in “a b”: expected “,” or “|” before “b”"),
            ("a, b", "in “a, b”: expected a single clause before “, b”"),
            ("a | | b", "in “a | | b”: expected a package name before “| b”"),
            ("a (>= )", "in “a (>= )”: expected a version before “)”"),
            ("a (1)", "in “a (1)”: expected a relation (<<, <=, =, >=, >>) before “1)”"),
            ("a (>= 1 2)", "in “a (>= 1 2)”: expected “)” before “2)”"),
            ("a:", "in “a:”: expected an architecture before “the end”"),
            ("a []", "in “a []”: expected architectures before “]”"),
            ("a [ \n]", "in “a [ ]”: expected architectures before “]”"),
            ("a <x> < >", "in “a <x> < >”: expected build profiles before “>”"),
            ("ä", "in “ä”: expected a package name before “ä”"),
            (
                "a (>= :1)",
                "in “a (>= :1)”: “:1” is not a version: the epoch is empty (epoch:upstream-revision, Policy 5.6.12)",
            ),
        ] {
            assert_eq!(RelationGroup::parse(text).unwrap_err().to_string(), message);
        }
        let long = vec!["a"; MAX_ALTERNATIVES + 1].join("|");
        assert!(matches!(RelationGroup::parse(&long), Err(RelationError::TooLong(_))));
    }

    #[test]
    fn restrictions_apply_as_policy_says() {
        for (text, amd64, armhf) in [
            ("a", true, true),
            ("a [amd64 i386]", true, false),
            ("a [!amd64]", false, true),
            ("a [!amd64 !armhf]", false, false),
            ("a [linux-any]", true, true),
            ("a [any-arm]", false, true),
            ("a [hurd-any]", false, false),
            ("a [!hurd-any]", true, true),
            ("a <!nocheck>", true, true),
            ("a <cross>", false, false),
            ("a <cross> <!nocheck !stage1>", true, true),
            ("a <cross !nocheck>", false, false),
        ] {
            let group = RelationGroup::parse(text).unwrap();
            let atom = group.alternatives()[0].as_atom();
            assert_eq!((atom.applies_to("amd64"), atom.applies_to("armhf")), (amd64, armhf), "{text}");
        }
    }

    #[test]
    fn relations_hold() {
        let ops = [Op::Earlier, Op::EarlierOrEqual, Op::Equal, Op::LaterOrEqual, Op::Later];
        for (version, bound, expected) in [
            ("1.0~rc1", "1.0", [true, true, false, false, false]),
            ("0:1.0", "1.00-0", [false, true, true, true, false]),
            ("1:0", "99999999999999999999999", [false, false, false, true, true]),
        ] {
            assert_eq!(ops.map(|op| op.holds(version, bound)), expected, "{version} against {bound}");
        }
    }
}
