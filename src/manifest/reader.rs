//! Walking a parsed TOML document by hand, so that each fault has its place.
//!
//! In: spanned TOML. Out: typed values; what is wrong is noted in the [`Doc`] and reading goes on, so that one run
//! finds as many faults as it can. A [`Table`] knows the keys that were asked for: the others are unknown.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::NamedSource;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{Fault, ManifestError, position, quote};
use crate::base::refusal;

/// Faults that are kept: nobody reads on after so many.
const MAX_FAULTS: usize = 100;

/// The manifest's text, where it lies, and what was found wrong with it so far.
pub(super) struct Doc {
    file: PathBuf,
    source: Arc<NamedSource<String>>,
    faults: RefCell<Vec<ManifestError>>,
}

impl Doc {
    pub fn new(file: &Path, text: &str) -> Self {
        let source = Arc::new(NamedSource::new(file.to_string_lossy(), text.to_owned()));
        Self { file: file.into(), source, faults: RefCell::default() }
    }

    /// Notes what is wrong at `span`.
    pub fn note(&self, span: Range<usize>, fault: Fault) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(ManifestError::new(&self.source, &self.file, span, fault));
        }
    }

    /// The text at `span`, fit for a message.
    pub fn quoted(&self, span: Range<usize>) -> String {
        quote(self.source.inner().get(span).unwrap_or_default())
    }

    /// Line from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        position(self.source.inner(), span.start).0
    }

    /// A path on this machine as the manifest writes it: relative to the manifest's folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Every fault, by place.
    pub fn into_faults(self) -> Vec<ManifestError> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| (fault.line(), fault.column()));
        faults
    }
}

/// A value and where it is: `packages.install[2]`.
#[derive(Clone)]
pub(super) struct Value<'d> {
    pub doc: &'d Doc,
    pub name: String,
    inner: &'d Spanned<DeValue<'d>>,
}

impl<'d> Value<'d> {
    pub fn span(&self) -> Range<usize> {
        self.inner.span()
    }

    pub fn line(&self) -> usize {
        self.doc.line(&self.span())
    }

    /// Notes that this value is wrong: `fault` completes the sentence that the key's name begins.
    pub fn refuse(&self, fault: Fault) {
        let what = format!("{}: {}", self.name, fault.what);
        self.doc.note(self.span(), Fault { what, ..fault });
    }

    fn mismatch(&self, wanted: &str, help: Option<String>) {
        let (kind, text) = (self.inner.get_ref().type_str(), self.doc.quoted(self.span()));
        let what = format!("wants {wanted}, not the {kind} {text}");
        self.refuse(Fault { help, ..Fault::new(what) });
    }

    pub fn is_empty_array(&self) -> bool {
        self.inner.get_ref().as_array().is_some_and(|items| items.is_empty())
    }

    fn is_table(&self) -> bool {
        self.inner.get_ref().is_table()
    }

    /// The digits of a whole number, without prefix.
    pub fn digits(&self) -> Option<&'d str> {
        let digits = self.inner.get_ref().as_integer()?.as_str();
        digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
    }

    /// Text of any kind but with control characters: those have no place in any value but file contents.
    pub fn text(&self) -> Option<&'d str> {
        let text = self.raw_text()?;
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            self.refuse(Fault::new(format!("holds the control character {c:?}")).help("take it out"));
            return None;
        }
        Some(text)
    }

    /// Text that may hold newlines and tabs; no NUL.
    pub fn raw_text(&self) -> Option<&'d str> {
        let Some(text) = self.inner.get_ref().as_str() else {
            let simple = matches!(self.inner.get_ref(), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_));
            let help = simple.then(|| format!("write \"{}\"", self.doc.quoted(self.span())));
            self.mismatch("a string", help);
            return None;
        };
        if text.contains('\0') {
            self.refuse(Fault::new("holds a NUL character").help("take it out"));
            return None;
        }
        Some(text)
    }

    /// A date as it is written: a string, TOML's own kind, or digits alone.
    pub fn date(&self) -> Option<String> {
        match self.inner.get_ref() {
            DeValue::Datetime(time) => Some(time.to_string()),
            DeValue::Integer(_) => self.digits().map(str::to_owned),
            _ => self.text().map(str::to_owned),
        }
    }

    /// Text that `check` turns into something.
    pub fn parsed<T>(&self, check: impl FnOnce(&'d str) -> Result<T, Fault>) -> Option<T> {
        match check(self.text()?) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.refuse(fault);
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        self.parsed(|text| {
            let found = choices.iter().find(|(word, _)| *word == text);
            let unknown = || Fault::new(format!("“{}” is not known", quote(text)));
            found.map(|(_, value)| *value).ok_or_else(|| unknown().suggest(text, choices.iter().map(|(word, _)| *word)))
        })
    }

    /// The words of a command line.
    pub fn words(&self) -> Vec<String> {
        if let Some(text) = self.inner.get_ref().as_str() {
            let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{}\"", quote(word))).collect();
            let help = format!("no shell splits it into words; write [{}]", words.join(", "));
            self.mismatch("an array", Some(help));
            return Vec::new();
        }
        let items = self.array().unwrap_or_default();
        items.iter().filter_map(|item| item.raw_text().map(str::to_owned)).collect()
    }

    pub fn is_boolean(&self) -> bool {
        self.inner.get_ref().as_bool().is_some()
    }

    pub fn boolean(&self) -> Option<bool> {
        let value = self.inner.get_ref().as_bool();
        if value.is_none() {
            self.mismatch("true or false", None);
        }
        value
    }

    /// A whole number of at most `max`.
    pub fn number(&self, max: u64) -> Option<u64> {
        let Some(number) = self.inner.get_ref().as_integer() else {
            self.mismatch("a whole number", None);
            return None;
        };
        let value = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|value| *value <= max);
        if value.is_none() {
            let text = self.doc.quoted(self.span());
            self.refuse(Fault::new(format!("{text} is not between 0 and {max}")));
        }
        value
    }

    pub fn array(&self) -> Option<Vec<Self>> {
        let Some(items) = self.inner.get_ref().as_array() else {
            let help = match self.inner.get_ref() {
                DeValue::String(_) => Some(format!("write [{}]", self.doc.quoted(self.span()))),
                _ => None,
            };
            self.mismatch("an array", help);
            return None;
        };
        let item = |(i, inner)| Self { doc: self.doc, name: format!("{}[{i}]", self.name), inner };
        Some(items.iter().enumerate().map(item).collect())
    }

    pub fn table(&self) -> Option<Table<'d>> {
        let Some(table) = self.inner.get_ref().as_table() else {
            self.mismatch("a table", None);
            return None;
        };
        let place = Some(self.span());
        Some(Table { doc: self.doc, name: self.name.clone(), place, inner: table, asked: Vec::new() })
    }
}

/// A table that is being read.
pub(super) struct Table<'d> {
    pub doc: &'d Doc,
    name: String,
    place: Option<Range<usize>>,
    inner: &'d DeTable<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    /// The document itself.
    pub fn root(doc: &'d Doc, inner: &'d DeTable<'d>) -> Self {
        Self { doc, name: String::new(), place: None, inner, asked: Vec::new() }
    }

    /// Where the table is; the start of the file for the document itself.
    pub fn span(&self) -> Range<usize> {
        self.place.clone().unwrap_or(0..0)
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }

    /// The value of `key`, which counts as known from now on.
    pub fn get(&mut self, key: &'static str) -> Option<Value<'d>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let inner = self.inner.get(key)?;
        Some(Value { doc: self.doc, name: self.full(key), inner })
    }

    /// The same, and its absence is a fault.
    pub fn need(&mut self, key: &'static str, example: &str) -> Option<Value<'d>> {
        let value = self.get(key);
        if value.is_none() {
            let what = match self.name.as_str() {
                "" => format!("“{key}” is missing"),
                name => format!("{name}: “{key}” is missing"),
            };
            self.doc.note(self.span(), Fault::missing(what).help(format!("write {example}")));
        }
        value
    }

    /// The table at `key`.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        self.get(key)?.table()
    }

    /// The tables of `[[key]]`; empty if there are none.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if value.is_table() {
            value.refuse(Fault::new("is a list of tables").help(format!("write [[{key}]] instead of [{key}]")));
            return Vec::new();
        }
        value.array().unwrap_or_default().iter().filter_map(Value::table).collect()
    }

    /// The array at `key`, each item turned into something, no two the same; `None` if the key is not there.
    pub fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        mut item: impl FnMut(&Value<'d>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = self.get(key)?.array().unwrap_or_default();
        let mut out = Vec::with_capacity(values.len());
        for value in &values {
            let Some(parsed) = item(value) else { continue };
            if out.contains(&parsed) {
                let text = value.doc.quoted(value.span());
                value.refuse(Fault::clash(format!("{text} is here twice")).help("take one of them out"));
            } else {
                out.push(parsed);
            }
        }
        Some(out)
    }

    /// The table of strings at `key`, each name and value checked by `check`; empty if the key is not there.
    pub fn map(&mut self, key: &'static str, check: impl Fn(&str) -> Result<(), Fault>) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let Some(table) = self.table(key) else { return out };
        for (name, inner) in table.inner {
            let value = Value { doc: self.doc, name: table.full(name.get_ref()), inner };
            match check(name.get_ref()) {
                Ok(()) => out.extend(value.raw_text().map(|text| (name.get_ref().to_string(), text.to_owned()))),
                Err(fault) => self.doc.note(name.span(), fault),
            }
        }
        out
    }

    /// Whether the key is there, without asking for it.
    pub fn has(&self, key: &str) -> bool {
        self.inner.contains_key(key)
    }

    /// Ends reading: every key that was not asked for is unknown.
    pub fn done(self) {
        for (key, _) in self.inner {
            let word = key.get_ref();
            if self.asked.iter().any(|known| known == word) {
                continue;
            }
            let place = match self.name.as_str() {
                "" => "at the top level".to_owned(),
                name => format!("in {name}"),
            };
            let what = format!("unknown key “{}” {place}", quote(word));
            let fault = Fault { refusal: refusal::UNKNOWN_KEY, ..Fault::new(what) };
            self.doc.note(key.span(), fault.suggest(word, self.asked.iter().copied()));
        }
    }
}
