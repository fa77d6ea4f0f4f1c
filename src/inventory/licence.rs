//! Licences, as packages and projects state them, and as SPDX expressions.
//!
//! In: `/usr/share/doc/NAME/copyright` (copyright-format 1.0, or free text, of which only the common licences that it
//! points at are taken), the METADATA of Python projects. Out: [`Licence`].

use std::{
    collections::{BTreeSet, HashSet},
    io,
};

use crate::{
    base::{RootPath, words},
    control::Paragraphs,
    python::Fields,
    tree::Tree,
};

/// Longest copyright file that is read, bytes; the longest of Debian has 5 MB.
const MOST: usize = 8 << 20;
/// Longest name of a licence, characters; what is longer is no name.
const LONGEST: usize = 120;

/// Under which licences something is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Licence {
    /// As stated, such as `GPL-2+` or `Expat`; sorted, each once. Empty: unknown.
    pub names: Vec<String>,
    /// The same as an SPDX expression, all of them joined by AND; names that SPDX does not list are `LicenseRef-…`. `None`
    /// where nothing is stated, but licences are mentioned at most.
    pub spdx: Option<String>,
    /// The `LicenseRef-…` in [`Licence::spdx`], each with the name that it stands for.
    pub references: Vec<(String, String)>,
}

/// Of a Debian package: what its copyright file says.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn of_package(tree: &Tree, name: &str) -> io::Result<Licence> {
    let Ok(path) = RootPath::parse(format!("usr/share/doc/{name}/copyright").as_bytes()) else {
        return Ok(Licence::default());
    };
    let Some(content) = tree.content(&path) else { return Ok(Licence::default()) };
    let bytes = content.read_part(0, MOST)?;
    Ok(of_copyright(&String::from_utf8_lossy(&bytes)))
}

pub(super) fn of_copyright(text: &str) -> Licence {
    let head = text.get(..text.len().min(2000)).unwrap_or(text);
    let is_formatted = head.lines().any(|line| {
        line.get(..7).is_some_and(|key| key.eq_ignore_ascii_case("format:")) && line.contains("copyright-format")
    });
    if is_formatted {
        let stated = stated(text);
        if !stated.is_empty() {
            return Licence::of(&stated, expression);
        }
    }
    Licence { names: mentioned(text), ..Licence::default() }
}

/// The short names of all paragraphs about files.
fn stated(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // What follows a paragraph that cannot be read is not read: the names before it are stated all the same.
    for paragraph in Paragraphs::new(text).map_while(Result::ok) {
        let is_about_files = paragraph.get("Files").is_some() || paragraph.get("Format").is_some();
        let Some(licence) = paragraph.get("License").filter(|_| is_about_files) else { continue };
        let line = licence.lines().next().unwrap_or_default().trim();
        let name = words::quote(line, LONGEST);
        if !name.trim().is_empty() && line.chars().count() <= LONGEST {
            names.insert(name);
        }
    }
    names
}

/// Words by which a licence is known in a free text.
const TELLTALES: [(&str, &str); 3] = [
    ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "PSF-2"),
    ("Permission is hereby granted, free of charge, to any person obtaining a copy", "Expat"),
    ("Redistributions in binary form must reproduce the above copyright notice", "BSD"),
];

/// The common licences (Policy 12.5) that a free text points at, and a few that are known by their words.
fn mentioned(text: &str) -> Vec<String> {
    let told = TELLTALES.iter().filter(|(words, _)| text.contains(words)).map(|(_, name)| *name);
    let marks = text.match_indices("/usr/share/common-licenses/");
    let names = marks.filter_map(|(at, mark)| {
        let rest = text.get(at + mark.len()..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.'));
        Some(rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches(['.', '-']))
    });
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty() && name.len() <= LONGEST).chain(told).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Of a Python project: `License-Expression` (PEP 639), else its classifiers, else a short `License`.
pub(super) fn of_metadata(fields: &Fields) -> Licence {
    let short = fields.get("License-Expression").filter(|text| text.len() <= 500);
    // A folded line is one all the same.
    let short = short.map(|text| words::quote(text, text.len()));
    if let Some(text) = short.filter(|text| spdx::Expression::parse(text).is_ok()) {
        return Licence { names: vec![text.clone()], spdx: Some(text), references: Vec::new() };
    }
    let classifiers = fields.all("Classifier").filter_map(|text| text.strip_prefix("License :: "));
    let of_classifier = |text: &str| text.rsplit(" :: ").next().map(str::to_owned);
    // “OSI Approved” alone says nothing.
    let mut names: BTreeSet<String> =
        classifiers.filter(|text| *text != "OSI Approved").filter_map(of_classifier).collect();
    if names.is_empty() {
        let text = fields.get("License").map(str::trim).unwrap_or_default();
        let is_name = !text.is_empty() && !text.contains('\n') && text.chars().count() <= LONGEST;
        names.extend(is_name.then(|| text.to_owned()).filter(|text| text != "UNKNOWN"));
    }
    let names = names.iter().filter(|name| name.chars().count() <= LONGEST).map(|name| words::quote(name, LONGEST));
    let names: BTreeSet<String> = names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    Licence::of(&names, |name, references| match spdx::Expression::parse(name) {
        Ok(_) => name.to_owned(),
        Err(_) => term(name, references),
    })
}

impl Licence {
    fn of(names: &BTreeSet<String>, part: impl Fn(&str, &mut Vec<(String, String)>) -> String) -> Self {
        let mut references = Vec::new();
        let (mut parts, mut seen) = (Vec::new(), HashSet::new());
        for name in names {
            let part = part(name, &mut references);
            // Of blanks or joints alone nothing is left.
            if !part.is_empty() && seen.insert(part.clone()) {
                parts.push(part);
            }
        }
        let alone = parts.len() == 1;
        let wrapped =
            parts.iter().map(|part| if part.contains(' ') && !alone { format!("({part})") } else { part.clone() });
        let spdx = wrapped.collect::<Vec<_>>().join(" AND ");
        references.sort();
        references.dedup();
        Self { names: names.iter().cloned().collect(), spdx: (!spdx.is_empty()).then_some(spdx), references }
    }
}

/// A short name of copyright-format 1.0 as an SPDX expression: “and” binds tighter than “or”, but for a comma before it.
fn expression(text: &str, references: &mut Vec<(String, String)>) -> String {
    let mut whole = String::new();
    for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (joint, rest) = match piece.split_once(' ') {
            Some((word, rest)) if word.eq_ignore_ascii_case("and") => (" AND ", rest),
            Some((word, rest)) if word.eq_ignore_ascii_case("or") => (" OR ", rest),
            // A list: all of them hold.
            _ => (" AND ", piece),
        };
        let part = alternatives(rest, references);
        let wrap = |text: &str| {
            if text.contains(" OR ") || text.contains(" AND ") { format!("({text})") } else { text.to_owned() }
        };
        if part.is_empty() {
            continue;
        }
        whole = if whole.is_empty() { part } else { format!("{}{joint}{}", wrap(&whole), wrap(&part)) };
    }
    whole
}

fn alternatives(text: &str, references: &mut Vec<(String, String)>) -> String {
    let (mut out, mut name) = (String::new(), Vec::new());
    for word in text.split_whitespace() {
        let joint = match word.to_ascii_lowercase().as_str() {
            "and" => " AND ",
            "or" => " OR ",
            "and/or" => " OR ",
            _ => {
                name.push(word);
                continue;
            }
        };
        if !name.is_empty() {
            out.push_str(&term(&name.join(" "), references));
            out.push_str(joint);
            name.clear();
        }
    }
    match name.is_empty() {
        true => out.trim_end_matches(" AND ").trim_end_matches(" OR ").to_owned(),
        false => out + &term(&name.join(" "), references),
    }
}

/// Names that Debian or Python's classifiers have for licences that SPDX calls otherwise.
const NAMES: [(&str, &str); 41] = [
    ("apache", "Apache-2.0"),
    ("apache software license", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("artistic", "Artistic-1.0-Perl"),
    ("artistic-2", "Artistic-2.0"),
    ("boost-1.0", "BSL-1.0"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("bsd-3-clauses", "BSD-3-Clause"),
    ("cc0", "CC0-1.0"),
    ("eclipse public license 2.0 (epl-2.0)", "EPL-2.0"),
    ("expat", "MIT"),
    ("gnu affero general public license v3", "AGPL-3.0-only"),
    ("gnu affero general public license v3 or later (agplv3+)", "AGPL-3.0-or-later"),
    ("gnu general public license v2 (gplv2)", "GPL-2.0-only"),
    ("gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    ("gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"),
    ("gnu lesser general public license v2 or later (lgplv2+)", "LGPL-2.0-or-later"),
    ("gnu lesser general public license v3 (lgplv3)", "LGPL-3.0-only"),
    ("gnu lesser general public license v3 or later (lgplv3+)", "LGPL-3.0-or-later"),
    ("isc license (iscl)", "ISC"),
    ("mit license", "MIT"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mpl-1", "MPL-1.0"),
    ("mpl-2", "MPL-2.0"),
    ("perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
    ("psf", "PSF-2.0"),
    ("psf-2", "PSF-2.0"),
    ("psfl-2", "PSF-2.0"),
    ("python software foundation license", "PSF-2.0"),
    ("sil-1.1", "OFL-1.1"),
    ("ofl", "OFL-1.1"),
    ("the unlicense (unlicense)", "Unlicense"),
    ("zope public license", "ZPL-2.1"),
    ("zpl-2", "ZPL-2.1"),
    ("gpl-3+ with gcc exception", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ("gpl-3+ with bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
    ("gpl-2+ with autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-generic"),
    ("gpl-2+ with libtool exception", "GPL-2.0-or-later WITH Libtool-exception"),
    ("gpl-2+ with font exception", "GPL-2.0-or-later WITH Font-exception-2.0"),
];

/// One licence as SPDX calls it, or a `LicenseRef-` for it.
fn term(name: &str, references: &mut Vec<(String, String)>) -> String {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = NAMES.iter().find(|(known, _)| *known == lower) {
        return (*id).to_owned();
    }
    if let Some(id) = gnu(&lower).as_deref().and_then(listed).or_else(|| listed(name)) {
        return id.to_owned();
    }
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '-' };
    // `+` tells licences apart: GPL-2 and GPL-2+ with some exception.
    let id = format!("LicenseRef-{}", name.replace('+', "-plus").chars().map(safe).collect::<String>());
    references.push((id.clone(), name.to_owned()));
    id
}

/// `gpl-2+` is `GPL-2.0-or-later` (SPDX's names of GNU's licences).
fn gnu(lower: &str) -> Option<String> {
    let (family, version) = ["gpl-", "lgpl-", "agpl-", "gfdl-"]
        .iter()
        .find_map(|family| Some((family.trim_end_matches('-'), lower.strip_prefix(family)?)))?;
    let (version, later) = match version.strip_suffix('+') {
        Some(version) => (version, "or-later"),
        None => (version, "only"),
    };
    let (bare, version) = match version.strip_prefix("niv-") {
        Some(version) => ("-no-invariants", version),
        None => ("", version),
    };
    let version = match version {
        "1" | "2" | "3" => format!("{version}.0"),
        version => version.to_owned(),
    };
    Some(format!("{}-{version}{bare}-{later}", family.to_uppercase()))
}

/// SPDX's spelling of an identifier on its list, whatever the case; none of those that an expression should not have any more.
fn listed(name: &str) -> Option<&'static str> {
    let by_case = || {
        let mut all = spdx::identifiers::LICENSES.iter().map(|license| license.name);
        spdx::license_id(all.find(|id| id.eq_ignore_ascii_case(name))?)
    };
    spdx::license_id(name).or_else(by_case).filter(|id| !id.is_deprecated()).map(|id| id.name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn short_names_become_expressions() {
        for (name, wanted) in [
            ("GPL-2+", "GPL-2.0-or-later"),
            ("gpl-3", "GPL-3.0-only"),
            ("LGPL-2.1+", "LGPL-2.1-or-later"),
            ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
            ("Expat", "MIT"),
            ("BSD-3-clause", "BSD-3-Clause"),
            ("zlib", "Zlib"),
            ("GPL-2+ or Artistic", "GPL-2.0-or-later OR Artistic-1.0-Perl"),
            ("GPL-2 and MIT or Apache-2.0", "GPL-2.0-only AND MIT OR Apache-2.0"),
            ("GPL-2 or MIT, and BSD-2-clause", "(GPL-2.0-only OR MIT) AND BSD-2-Clause"),
            ("GPL-3+ with GCC exception", "GPL-3.0-or-later WITH GCC-exception-3.1"),
            ("public-domain", "LicenseRef-public-domain"),
            ("GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2-plus-with-OpenSSL-exception"),
            ("LGPL", "LicenseRef-LGPL"),
            // On SPDX's list, and withdrawn.
            ("ecos-2.0", "LicenseRef-ecos-2.0"),
            ("eCos-2.0", "LicenseRef-eCos-2.0"),
            ("bsd-2-clause-freebsd", "LicenseRef-bsd-2-clause-freebsd"),
            ("MIT and", "MIT"),
            ("and, or, MIT", "MIT"),
            ("ÄÖ/<x>", "LicenseRef-----x-"),
        ] {
            let found = expression(name, &mut Vec::new());
            assert_eq!(found, wanted, "{name}");
            assert!(spdx::Expression::parse(&found).is_ok(), "{found}");
        }
    }

    #[test]
    fn every_known_name_is_an_expression() {
        for (_, id) in NAMES {
            assert!(spdx::Expression::parse(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn a_copyright_file_states_or_mentions() {
        let formatted = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
                         Files: *\nCopyright: me\nLicense: Expat or GPL-2+\n\nFiles: debian/*\nCopyright: me\nLicense: public-domain\n Anyone may.\n\n\
                         License: GPL-2+\n On Debian systems see /usr/share/common-licenses/GPL-2.\n";
        let found = of_copyright(formatted);
        assert_eq!(found.names, ["Expat or GPL-2+", "public-domain"]);
        assert_eq!(found.spdx.as_deref(), Some("(MIT OR GPL-2.0-or-later) AND LicenseRef-public-domain"));
        assert_eq!(found.references, [("LicenseRef-public-domain".to_owned(), "public-domain".to_owned())]);
        let free = "As in `/usr/share/common-licenses/LGPL-2.1', or\n/usr/share/common-licenses/GPL.\n";
        let found = of_copyright(free);
        assert_eq!((found.names.as_slice(), found.spdx), (["GPL".to_owned(), "LGPL-2.1".to_owned()].as_slice(), None));
        assert!(of_copyright("nothing").is_unknown());
        // Not of the format although it says so.
        assert_eq!(of_copyright("Format: copyright-format\nx: y\nx: y\n").names, [""; 0]);
    }

    #[test]
    fn python_says_it_in_three_ways() {
        for (text, wanted) in [
            ("License-Expression: MIT\nLicense: BSD\n", Some("MIT")),
            ("License-Expression: not one\nLicense: BSD-3-Clause\n", Some("BSD-3-Clause")),
            (
                "License: long\n text\nClassifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: Apache Software License\n",
                Some("Apache-2.0"),
            ),
            ("License: UNKNOWN\n", None),
            ("Name: x\n", None),
        ] {
            assert_eq!(of_metadata(&Fields::parse(text.as_bytes())).spdx.as_deref(), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_stated_is_an_expression(names in proptest::collection::btree_set(".{1,40}", 1..4)) {
            let found = Licence::of(&names, expression);
            if let Some(text) = &found.spdx {
                proptest::prop_assert!(spdx::Expression::parse(text).is_ok(), "{names:?}: {text}");
            }
        }
    }

    #[test]
    fn what_names_nothing_is_passed_over() {
        let names = ["\u{b}", "and or", "MIT"].map(str::to_owned).into();
        assert_eq!(Licence::of(&names, expression).spdx.as_deref(), Some("MIT"));
    }

    #[test]
    fn references_are_declared() {
        let names = ["a b", "Expat"].map(str::to_owned).into();
        let found = Licence::of(&names, expression);
        assert_eq!(found.spdx.unwrap(), "MIT AND LicenseRef-a-b");
        assert_eq!(found.references.len(), 1);
    }
}
