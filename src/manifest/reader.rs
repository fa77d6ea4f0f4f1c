//! Walking a parsed TOML document by hand, so that each fault has its place.
//!
//! In: spanned TOML. Out: typed values; what is wrong is noted in the [`Doc`] and reading goes on, so that one run
//! finds as many faults as it can. A [`Table`] knows the keys that were asked for: the others are unknown.
//!
//! A manifest may lie over others, which it extends: a [`Value`] then knows what they have at the same key. Tables are
//! read as one, lists are added up, the farthest first, and of everything else the nearest holds.

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

use super::{
    error::{Fault, ManifestError, position, quote},
    keys::{self, Section},
};
use crate::base::{Line, refusal};

/// Faults that are kept: nobody reads on after so many.
const MAX_FAULTS: usize = 100;

/// The manifest's text, where it lies, and what was found wrong with it so far.
pub(super) struct Doc {
    file: PathBuf,
    /// What the file is called in messages about the manifest, if the manifest extends it.
    shown: Option<Arc<str>>,
    source: Arc<NamedSource<String>>,
    faults: RefCell<Vec<ManifestError>>,
}

impl Doc {
    pub fn new(file: &Path, text: &str) -> Self {
        let source = Arc::new(NamedSource::new(file.to_string_lossy(), text.to_owned()));
        Self { file: file.into(), shown: None, source, faults: RefCell::default() }
    }

    /// A file that a manifest extends.
    pub fn base(file: &Path, text: &str) -> Self {
        Self { shown: Some(file.to_string_lossy().into()), ..Self::new(file, text) }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn text(&self) -> &str {
        self.source.inner()
    }

    /// Notes what is wrong at `span`.
    pub fn note(&self, span: Range<usize>, fault: Fault) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(ManifestError::new(&self.source, &self.file, span, fault));
        }
    }

    /// Whether nothing was found wrong so far.
    pub fn is_clean(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// The text at `span`, fit for a message.
    pub fn quoted(&self, span: Range<usize>) -> String {
        quote(self.source.inner().get(span).unwrap_or_default())
    }

    /// The line where something begins.
    pub fn line(&self, span: &Range<usize>) -> Line {
        Line { number: position(self.source.inner(), span.start).0, file: self.shown.clone() }
    }

    /// A path on this machine as the file writes it: relative to the file's folder.
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
    /// The keys of the table that it is, if it is one.
    section: &'static Section,
    /// The same key's in the files that this one's extends, the nearest first.
    under: Vec<(&'d Doc, &'d Spanned<DeValue<'d>>)>,
}

impl<'d> Value<'d> {
    /// Without what other files say: it takes their place as a whole.
    pub fn alone(self) -> Self {
        Self { under: Vec::new(), ..self }
    }

    pub fn span(&self) -> Range<usize> {
        self.inner.span()
    }

    pub fn line(&self) -> Line {
        self.doc.line(&self.span())
    }

    /// The same in what is said of another value, which may be in another file.
    pub fn line_for(&self, other: &Self) -> Line {
        let file = (!std::ptr::eq(self.doc, other.doc)).then(|| self.doc.file.to_string_lossy().into());
        Line { file, ..self.line() }
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

    /// The words of a command line: a whole, to which nothing is added.
    pub fn words(&self) -> Vec<String> {
        if let Some(text) = self.inner.get_ref().as_str() {
            let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{}\"", quote(word))).collect();
            let help = format!("no shell splits it into words; write [{}]", words.join(", "));
            self.mismatch("an array", Some(help));
            return Vec::new();
        }
        let items = self.clone().alone().array().unwrap_or_default();
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
        if self.inner.get_ref().as_array().is_none() {
            let help = match self.inner.get_ref() {
                DeValue::String(_) => Some(format!("write [{}]", self.doc.quoted(self.span()))),
                _ => None,
            };
            self.mismatch("an array", help);
            return None;
        }
        self.all_are("an array", |value| value.as_array().is_some());
        // The farthest first.
        let layers =
            self.layers().into_iter().rev().filter_map(|(doc, inner)| Some((doc, inner.get_ref().as_array()?)));
        let section = self.section;
        let item =
            |doc, (i, inner)| Self { doc, name: format!("{}[{i}]", self.name), inner, section, under: Vec::new() };
        Some(layers.flat_map(|(doc, items)| items.iter().enumerate().map(move |one| item(doc, one))).collect())
    }

    /// The items of an array, each turned into something, no two of one file the same.
    fn list<T: PartialEq>(&self, mut item: impl FnMut(&Self) -> Option<T>) -> Vec<T> {
        let values = self.array().unwrap_or_default();
        let (mut out, mut docs) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for value in &values {
            let Some(parsed) = item(value) else { continue };
            if let Some(other) = out.iter().position(|other| *other == parsed) {
                // Two files that say the same agree.
                if !docs.get(other).is_some_and(|doc| std::ptr::eq(*doc, value.doc)) {
                    continue;
                }
                let text = value.doc.quoted(value.span());
                value.refuse(Fault::clash(format!("{text} is here twice")).help("take one of them out"));
            } else {
                out.push(parsed);
                docs.push(value.doc);
            }
        }
        out
    }

    /// The items of an array of this file, or a single value that stands for an array of one.
    pub fn items_or_itself(&self) -> Option<Vec<Self>> {
        if self.inner.get_ref().is_str() { Some(vec![self.clone()]) } else { self.clone().alone().array() }
    }

    /// Notes what other files have at this key that is of another kind.
    fn all_are(&self, wanted: &str, is: impl Fn(&DeValue<'d>) -> bool) {
        for &(doc, inner) in self.under.iter().filter(|(_, inner)| !is(inner.get_ref())) {
            Self { doc, inner, under: Vec::new(), ..self.clone() }.mismatch(wanted, None);
        }
    }

    fn layers(&self) -> Vec<(&'d Doc, &'d Spanned<DeValue<'d>>)> {
        [&[(self.doc, self.inner)], &self.under[..]].concat()
    }

    pub fn table(&self) -> Option<Table<'d>> {
        if !self.is_table() {
            self.mismatch("a table", None);
            return None;
        }
        self.all_are("a table", DeValue::is_table);
        let layer = |(doc, inner): (&'d Doc, &'d Spanned<DeValue<'d>>)| Some((doc, inner.get_ref().as_table()?));
        let layers = self.layers().into_iter().filter_map(layer).collect();
        let (name, place, section) = (self.name.clone(), Some(self.span()), self.section);
        Some(Table { doc: self.doc, name, place, layers, section, asked: Vec::new() })
    }
}

/// A table that is being read.
pub(super) struct Table<'d> {
    pub doc: &'d Doc,
    name: String,
    place: Option<Range<usize>>,
    /// The table of each file that has it, the nearest first.
    layers: Vec<(&'d Doc, &'d DeTable<'d>)>,
    /// The keys that the reference says the table has.
    section: &'static Section,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    /// The document itself, and those that it extends, the nearest first.
    pub fn root(doc: &'d Doc, layers: Vec<(&'d Doc, &'d DeTable<'d>)>) -> Self {
        Self { doc, name: String::new(), place: None, layers, section: &keys::ROOT, asked: Vec::new() }
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
        let known = self.section.key(key);
        debug_assert!(known.is_some(), "src/manifest/keys does not tell of {key} in {}", self.section.title());
        let section = known.map_or(&keys::FREE, |key| key.section());
        let mut found = self.layers.iter().filter_map(|(doc, table)| Some((*doc, table.get(key)?)));
        let (doc, inner) = found.next()?;
        Some(Value { doc, name: self.full(key), inner, section, under: found.collect() })
    }

    /// The same of the nearest file alone: nobody else can say it.
    pub fn own(&mut self, key: &'static str) -> Option<Value<'d>> {
        let is_own = self.layers.first().is_some_and(|(_, table)| table.contains_key(key));
        self.get(key).filter(|_| is_own)
    }

    /// The same, and its absence is a fault.
    pub fn need(&mut self, key: &'static str, example: &str) -> Option<Value<'d>> {
        let value = self.get(key);
        if value.is_none() {
            self.lacks(key, example);
        }
        value
    }

    /// Notes that a key is missing.
    pub fn lacks(&self, key: &str, example: &str) {
        let what = match self.name.as_str() {
            "" => format!("“{key}” is missing"),
            name => format!("{name}: “{key}” is missing"),
        };
        self.doc.note(self.span(), Fault::missing(what).help(format!("write {example}")));
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
        item: impl FnMut(&Value<'d>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.get(key).map(|value| value.list(item))
    }

    /// The same of the nearest file that has the key: a list to which nothing is added.
    pub fn whole<T: PartialEq>(
        &mut self,
        key: &'static str,
        item: impl FnMut(&Value<'d>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.get(key).map(|value| value.alone().list(item))
    }

    /// The table of strings at `key`, each name and value checked by `check`; empty if the key is not there.
    pub fn map(&mut self, key: &'static str, check: impl Fn(&str) -> Result<(), Fault>) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let Some(table) = self.table(key) else { return out };
        // The farthest first: the nearest holds.
        for (doc, name, inner) in table.layers.iter().rev().flat_map(|(doc, all)| all.iter().map(|(k, v)| (*doc, k, v)))
        {
            let full = table.full(name.get_ref());
            let value = Value { doc, name: full, inner, section: &keys::FREE, under: Vec::new() };
            match check(name.get_ref()) {
                Ok(()) => out.extend(value.raw_text().map(|text| (name.get_ref().to_string(), text.to_owned()))),
                Err(fault) => doc.note(name.span(), fault),
            }
        }
        out
    }

    /// Whether the key is there, without asking for it.
    pub fn has(&self, key: &str) -> bool {
        self.layers.iter().any(|(_, table)| table.contains_key(key))
    }

    /// Ends reading: every key that was not asked for is unknown.
    pub fn done(self) {
        // What the reference tells of is read, and the other way round.
        debug_assert!(
            self.section.keys.iter().map(|key| key.name).eq(self.asked.iter().copied()),
            "{} has the keys {:?} in src/manifest/keys, and {:?} were read, in this order",
            self.section.title(),
            self.section.keys.iter().map(|key| key.name).collect::<Vec<_>>(),
            self.asked,
        );
        for (doc, key) in self.layers.iter().flat_map(|(doc, all)| all.keys().map(|key| (*doc, key))) {
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
            doc.note(key.span(), fault.suggest(word, self.asked.iter().copied()));
        }
    }
}
