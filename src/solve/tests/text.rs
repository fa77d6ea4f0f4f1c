//! A tiny language for universes. One package per line:
//!
//! ```text
//! name version KiB : field value; field value
//! ```
//!
//! with fields as in a control file; everything from `:` on may be missing, `-` as the size means no Installed-Size.
//! A line `----` begins the next repository. The `.deb`s have 100 KiB less one byte.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    base::{Arch, PackageName},
    control::RelationGroup,
    manifest::Minimize,
    solve::{NODE_LIMIT, Problem, Solution, SolveError, SolveRequest, solve},
    universe::{IndexText, Universe},
};

/// The indexes that the lines describe.
pub(super) fn universe(lines: &str) -> Universe {
    let indexes = lines.split("----").enumerate().map(|(repository, lines)| {
        let mut text = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, fields) = line.split_once(" : ").unwrap_or((line, ""));
            let [name, version, size] = head.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
            write!(text, "Package: {name}\nVersion: {version}\n").unwrap();
            if size != "-" {
                writeln!(text, "Installed-Size: {size}").unwrap();
            }
            if !fields.contains("architecture") {
                text.push_str("Architecture: amd64\n");
            }
            for field in fields.split(';').map(str::trim).filter(|field| !field.is_empty()) {
                let (key, value) = field.split_once(' ').unwrap_or((field, ""));
                writeln!(text, "{key}: {value}").unwrap();
            }
            let digest = "0".repeat(64);
            write!(text, "Filename: pool/{name}.deb\nSize: 102399\nSHA256: {digest}\n\n").unwrap();
        }
        IndexText::whole(repository, text)
    });
    Universe::parse(indexes.collect(), Arch::Amd64).unwrap()
}

/// A problem in words.
#[derive(Default)]
pub(super) struct Case<'a> {
    pub(super) install: &'a [&'a str],
    pub(super) provided: &'a [&'a str],
    pub(super) forbid: &'a [&'a str],
    pub(super) prefer: &'a [&'a str],
    pub(super) minimize: Minimize,
    /// 0: the default.
    pub(super) node_limit: u64,
}

pub(super) fn names(names: &[&str]) -> BTreeSet<PackageName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

impl Case<'_> {
    pub(super) fn solve(&self, universe: &Universe) -> Result<Solution, SolveError> {
        let requests = self.install.iter().enumerate().map(|(index, text)| SolveRequest {
            clause: RelationGroup::parse(text).unwrap(),
            text: (*text).into(),
            line: (index + 4).into(),
            by: None,
        });
        solve(&Problem {
            universe,
            requests: requests.collect(),
            provided: &names(self.provided),
            forbid: &names(self.forbid),
            prefer: &self.prefer.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>(),
            minimize: self.minimize,
            node_limit: if self.node_limit == 0 { NODE_LIMIT } else { self.node_limit },
        })
    }

    /// The chosen packages, `name` or `name=version` where a name has several, or `-` if there is no solution.
    pub(super) fn chosen(&self, lines: &str) -> String {
        let universe = universe(lines);
        match self.solve(&universe) {
            Err(SolveError::Unsolvable(_)) => "-".into(),
            Err(other) => panic!("{other}"),
            Ok(solution) => {
                assert!(solution.proven);
                let show = |chosen: &crate::solve::Chosen| {
                    let package = universe.package(chosen.id);
                    let several = universe.candidates(package.name_id()).len() > 1;
                    let version = if several { format!("={}", package.version()) } else { String::new() };
                    format!("{}{version}", package.name())
                };
                solution.packages.iter().map(show).collect::<Vec<_>>().join(" ")
            }
        }
    }
}
