//! Every key of a manifest, told: one table, from which docs/manifest.md comes.
//!
//! In: nothing, this is a table. Out: [`ROOT`], and from there each [`Section`] with its [`Key`]s. The reader holds itself
//! against it (see `Table` in `reader.rs`): in a build with debug assertions, as all tests are, a key that is read and not told
//! here, or told and not read, ends the program. The tests beside this read every example with the real reader.

mod content;
mod image;
mod sources;
#[cfg(test)]
mod tests;

pub use content::{ACCOUNTS, FILES, GROUPS, PYTHON, ROOTFS, TARBALLS, USERS};
pub use image::{ALLOW, IMAGE, LIMITS, POLICY, SBOM};
pub use sources::{DEBIAN, PACKAGES, REPOSITORIES, ROOT};

/// A table of the manifest.
#[derive(Debug)]
pub struct Section {
    /// Where it is, such as `["accounts", "users"]`.
    pub path: &'static [&'static str],
    /// Whether there can be several.
    pub is_list: bool,
    /// What it is for, in sentences.
    pub about: &'static str,
    /// Its keys, in the order in which they are read and told.
    pub keys: &'static [Key],
}

/// A table of names that are the manifest's own, such as `image.env`: it has no keys.
pub static FREE: Section = Section { path: &[], is_list: false, about: "", keys: &[] };

/// A key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds without it.
    pub preset: Preset,
    /// What it means, in sentences.
    pub meaning: &'static str,
    /// A piece of a manifest that has it: with a name, [debian] and [packages] where it has none, a whole one.
    pub example: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string.
    String,
    /// An array of strings.
    Strings,
    /// One of both.
    StringOrStrings,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// An array of these.
    SomeOf(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// The same, or an array of strings.
    BooleanOrStrings,
    /// A whole number.
    Number,
    /// A number of bytes, or a string with a unit.
    Size,
    /// A date: TOML's own, a string, or digits.
    Date,
    /// A table of strings, whose keys are the manifest's own.
    Map,
    /// A table.
    Table(&'static Section),
    /// An array of tables.
    Tables(&'static Section),
}

/// What holds where a key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Nothing does: it must be there.
    Needed,
    /// What it would say is not.
    Nothing,
    /// The same as if this were written, in TOML.
    Value(&'static str),
    /// What the words say.
    Words(&'static str),
    /// What those who are limited say: `deb` and `python`, further down the pipeline.
    OfLimits,
}

const fn key(name: &'static str, kind: Kind, preset: Preset, meaning: &'static str, example: &'static str) -> Key {
    Key { name, kind, preset, meaning, example }
}

impl Section {
    /// Its key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// `[packages]`, `[[files]]`, or words for the document itself.
    pub fn title(&self) -> String {
        match (self.path, self.is_list) {
            ([], _) => "the top level".into(),
            (path, true) => format!("[[{}]]", path.join(".")),
            (path, false) => format!("[{}]", path.join(".")),
        }
    }

    /// Itself and every table below it, in the order of the reference.
    pub fn all(&'static self) -> Vec<&'static Self> {
        let below = self.keys.iter().filter_map(Key::table).flat_map(Self::all);
        std::iter::once(self).chain(below).collect()
    }
}

impl Key {
    /// The table or tables that are its value.
    pub fn table(&self) -> Option<&'static Section> {
        match self.kind {
            Kind::Table(section) | Kind::Tables(section) => Some(section),
            _ => None,
        }
    }

    /// The keys of its value: none unless it is a table.
    pub fn section(&self) -> &'static Section {
        self.table().unwrap_or(&FREE)
    }
}

impl Kind {
    /// What it is, in words.
    pub fn words(self) -> String {
        let quoted = |words: &[&str]| words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::String => "string".into(),
            Self::Strings => "array of strings".into(),
            Self::StringOrStrings => "string, or array of strings".into(),
            Self::OneOf([word]) => format!("`\"{word}\"`"),
            Self::OneOf(words) => format!("one of {}", quoted(words)),
            Self::SomeOf(words) => format!("array of {}", quoted(words)),
            Self::Boolean => "`true` or `false`".into(),
            Self::BooleanOrStrings => "`true`, `false`, or array of strings".into(),
            Self::Number => "whole number".into(),
            Self::Size => "size: a number of bytes, or such as `\"45 MiB\"` (KiB, MiB, GiB, kB, MB, GB)".into(),
            Self::Date => "date".into(),
            Self::Map => "table of strings".into(),
            Self::Table(_) => "table".into(),
            Self::Tables(_) => "array of tables".into(),
        }
    }
}
