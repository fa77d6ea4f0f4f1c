//! A TOML table that is read key by key, and that knows afterwards which keys nobody asked for.
//!
//! In: `toml`'s spanned tables. Out: plain values with their spans; faults gathered, not thrown.

use std::{cell::RefCell, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::Fault;

/// A value and the bytes that it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Range<usize>,
}

/// Gathers faults.
#[derive(Default)]
pub struct Log(RefCell<Vec<Fault>>);

impl Log {
    /// Notes a fault.
    pub fn fault(&self, span: &Range<usize>, what: impl Into<String>, help: Option<String>) {
        self.0.borrow_mut().push(Fault { span: span.clone(), what: what.into(), help });
    }

    /// All faults.
    pub fn into_faults(self) -> Vec<Fault> {
        self.0.into_inner()
    }

    /// The parsed text, or a fault that names it.
    pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&self, text: &At<String>) -> Option<T> {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(&text.span, T::Err::to_string(&error), None);
                None
            }
        }
    }
}

/// One table.
pub struct Table<'a> {
    entries: &'a DeTable<'a>,
    name: &'static str,
    /// Bytes of the table.
    pub span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
    /// Where faults go.
    pub log: &'a Log,
}

impl<'a> Table<'a> {
    /// `name` is what messages call it, such as `[packages]`.
    pub fn new(entries: &'a DeTable<'a>, name: &'static str, span: Range<usize>, log: &'a Log) -> Self {
        Self { entries, name, span, asked: RefCell::default(), log }
    }

    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.entries.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let what = format!("{} must be {wanted}, not {}", self.called(key), kind(value.get_ref()));
        self.log.fault(&value.span(), what, None);
    }

    /// What messages call a key of this table.
    pub fn called(&self, key: &str) -> String {
        if self.name.is_empty() { format!("“{key}”") } else { format!("“{key}” in {}", self.name) }
    }

    /// Whether the key is there; it counts as known.
    pub fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// A string.
    pub fn string(&self, key: &'static str) -> Option<At<String>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(At { value: text.clone().into_owned(), span: value.span() }),
            _ => {
                self.wrong(key, value, "a string");
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required(&self, key: &'static str) -> Option<At<String>> {
        if !self.entries.contains_key(key) {
            self.value(key);
            self.log.fault(&self.span, format!("{} is missing", self.called(key)), None);
            return None;
        }
        self.string(key)
    }

    /// A list of strings; `None` when the key is absent.
    pub fn strings(&self, key: &'static str) -> Option<Vec<At<String>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, "a list of strings");
            return None;
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => out.push(At { value: text.clone().into_owned(), span: item.span() }),
                _ => self.wrong(key, item, "a list of strings"),
            }
        }
        Some(out)
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &'static str) -> Option<At<bool>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(value_) => Some(At { value: *value_, span: value.span() }),
            _ => {
                self.wrong(key, value, "true or false");
                None
            }
        }
    }

    /// A whole number from 0.
    pub fn number(&self, key: &'static str) -> Option<At<u64>> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(key, value, "a whole number from 0");
        }
        Some(At { value: number?, span: value.span() })
    }

    /// A string or a whole number, as text.
    pub fn text_or_number(&self, key: &'static str) -> Option<At<String>> {
        match self.value(key)?.get_ref() {
            DeValue::Integer(_) => self.number(key).map(|n| At { value: n.value.to_string(), span: n.span }),
            _ => self.string(key),
        }
    }

    /// Whether the key holds a number, for messages that know better.
    pub fn is_number(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|value| value.get_ref().is_integer())
    }

    /// A table below this one.
    pub fn table(&self, key: &'static str, name: &'static str) -> Option<Table<'a>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(entries, name, value.span(), self.log)),
            _ => {
                self.wrong(key, value, "a table");
                None
            }
        }
    }

    /// A list of tables below this one; empty when the key is absent.
    pub fn tables(&self, key: &'static str, name: &'static str) -> Vec<Table<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, "a list of tables");
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(entries) => out.push(Table::new(entries, name, item.span(), self.log)),
                _ => self.wrong(key, item, "a list of tables"),
            }
        }
        out
    }

    /// A table of strings.
    pub fn map(&self, key: &'static str, name: &'static str) -> Vec<(At<String>, String)> {
        let Some(table) = self.table(key, name) else { return Vec::new() };
        let mut out = Vec::new();
        for (key, value) in table.entries {
            match value.get_ref() {
                DeValue::String(text) => {
                    let name = At { value: key.get_ref().clone().into_owned(), span: key.span() };
                    out.push((name, text.clone().into_owned()));
                }
                _ => table.wrong(key.get_ref(), value, "a string"),
            }
        }
        out
    }

    /// Refuses a key that the design knows and this version gives no effect.
    pub fn not_yet(&self, keys: &[&'static str]) {
        for key in keys {
            if let Some(value) = self.value(key) {
                self.log.fault(&value.span(), format!("{} is not supported yet", self.called(key)), None);
            }
        }
    }

    /// Refuses every key that was never asked for, with a suggestion.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let place = if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
            let help = near(name, asked.iter().copied()).map(|near| format!("did you mean “{near}”?"));
            let help = help.or_else(|| Some(format!("known here: {}", sorted(&asked).join(", "))));
            self.log.fault(&key.span(), format!("unknown key “{name}”{place}"), help);
        }
    }
}

fn sorted(names: &[&'static str]) -> Vec<&'static str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name among `known` that `name` was most likely meant to be.
pub fn near<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len().min(name.len()) / 3)
        .min()
        .map(|(_, k)| k)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
