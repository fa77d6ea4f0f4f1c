//! Reading TOML and JSON with the line of what is wrong.
//!
//! In: text. Out: values, and [`Lines`] to turn their places into line numbers.

use std::collections::BTreeSet;

use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;

use super::{
    Format,
    error::{Fault, Problem, quote},
    marker::Marker,
};
use crate::python::name::{BadProjectName, ProjectName};

/// Where the lines of a text end.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// The line, from 1, of the byte `offset`.
    pub fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// Reads TOML.
pub(super) fn toml<T: DeserializeOwned>(text: &str, format: Format) -> Result<(T, Lines), Fault> {
    let lines = Lines::of(text);
    match ::toml::from_str(text) {
        Ok(value) => Ok((value, lines)),
        Err(error) => {
            let line = error.span().map(|span| lines.line(span.start));
            Err(Problem::Syntax { format, why: quote(error.message()) }.at(line))
        }
    }
}

/// Reads JSON.
pub(super) fn json<T: DeserializeOwned>(text: &str, format: Format) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Problem::Syntax { format, why: quote(&error.to_string()) }.at(Some(error.line())))
}

/// The normalised name of a package at its line.
pub(super) fn project(name: &Spanned<String>, lines: &Lines) -> Result<(ProjectName, usize), Fault> {
    let line = lines.line(name.span().start);
    named(name.get_ref(), "package name").map(|name| (name, line)).map_err(|problem| problem.at(line))
}

/// A normalised name.
pub(super) fn named(name: &str, what: &'static str) -> Result<ProjectName, Problem> {
    let bad = |error: BadProjectName| Problem::Value { what, value: quote(name), why: error.to_string() };
    name.parse().map_err(bad)
}

/// Several normalised names.
pub(super) fn names<'n>(
    list: impl IntoIterator<Item = &'n String>,
    what: &'static str,
) -> Result<BTreeSet<ProjectName>, Problem> {
    list.into_iter().map(|name| named(name, what)).collect()
}

/// Markers of which one has to hold, with their texts.
pub(super) fn markers(texts: Vec<String>) -> Result<Vec<(Marker, String)>, Problem> {
    texts.into_iter().map(|text| Ok((Marker::parse(&text)?, text))).collect()
}

/// One value or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}
