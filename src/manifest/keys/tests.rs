//! The table says what the reader does: every example is read by it, defaults, kinds and lists of words are its own.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use toml::Value;

use super::*;
use crate::{
    base::Arch,
    manifest::{DEFAULT_OMIT, LIMIT_KEYS, Manifest, ManifestErrors, parse},
};

/// A folder with all the files that examples name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = "name = \"base\"\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"python3\"]\n";
    for (path, text) in [
        ("base.toml", base),
        ("uv.lock", "version = 1\n"),
        ("python.tar.zst", "hello\n"),
        ("keys/example.asc", ""),
        ("app/run", ""),
        ("vendor/dists", ""),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// With what every manifest has, where it is not there.
fn whole(example: &toml::Table) -> toml::Table {
    let mut whole = example.clone();
    whole.entry("name").or_insert("x".into());
    for name in ["debian", "packages"] {
        let usual: toml::Table = ROOT.key(name).unwrap().example.parse().unwrap();
        whole.entry(name).or_insert(usual[name].clone());
    }
    whole
}

fn read(folder: &Path, manifest: &toml::Table) -> Result<Manifest, ManifestErrors> {
    parse(&toml::to_string(manifest).unwrap(), &folder.join("manifest.toml"))
}

/// The table of the section in an example; the first of several.
fn at<'t>(example: &'t mut toml::Table, section: &Section) -> Option<&'t mut toml::Table> {
    section.path.iter().try_fold(example, |table, step| match table.get_mut(*step)? {
        Value::Table(below) => Some(below),
        Value::Array(items) => items.first_mut()?.as_table_mut(),
        _ => None,
    })
}

/// Each key, with a whole manifest of its example.
fn keys() -> impl Iterator<Item = (&'static Section, &'static Key, toml::Table)> {
    let each = |section: &'static Section| section.keys.iter().map(move |key| (section, key));
    ROOT.all().into_iter().flat_map(each).map(|(section, key)| {
        let example = key.example.parse().unwrap_or_else(|error| panic!("{}: {error}", key.example));
        (section, key, whole(&example))
    })
}

/// The messages about an example in which the key has another value.
fn refused(folder: &Path, (section, key, mut example): (&Section, &Key, toml::Table), value: Value) -> String {
    at(&mut example, section).unwrap().insert(key.name.into(), value);
    read(folder, &example).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
}

/// Without the numbers of lines, which differ.
fn unplaced(manifest: &Manifest) -> String {
    let text = format!("{manifest:?}");
    let parts = text.split("number: ");
    parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn every_example_has_its_key_and_is_read() {
    let folder = folder();
    let mut count = 0;
    for (section, key, mut example) in keys() {
        let name = format!("{} {}", section.title(), key.name);
        read(folder.path(), &example).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(at(&mut example, section).is_some_and(|table| table.contains_key(key.name)), "{name}");
        assert!(key.meaning.ends_with('.') && section.about.ends_with('.'), "{name}");
        count += 1;
    }
    assert!(count > 70, "only {count} keys");
}

/// The list that a wrong key is answered with is the table's.
#[test]
fn what_is_known_is_what_is_told() {
    let folder = folder();
    for section in ROOT.all() {
        let (_, _, mut example) = keys().find(|(other, ..)| std::ptr::eq(*other, section)).unwrap();
        at(&mut example, section).unwrap().insert("qqqqqqqqqqqqqq".into(), true.into());
        let error = read(folder.path(), &example).unwrap_err().to_string();
        let known: Vec<_> = section.keys.iter().map(|key| key.name).collect();
        assert!(error.contains(&format!("known here: {}", known.join(", "))), "{}: {error}", section.title());
    }
}

#[test]
fn a_needed_key_is_missed() {
    let folder = folder();
    for (section, key, mut example) in keys().filter(|(_, key, _)| key.preset == Preset::Needed) {
        at(&mut example, section).unwrap().remove(key.name);
        let error = read(folder.path(), &example).unwrap_err().to_string();
        assert!(error.contains(&format!("“{}” is missing", key.name)), "{} {}: {error}", section.title(), key.name);
    }
}

/// Without a key it is as if its default were written.
#[test]
fn defaults_are_the_reader_s() {
    let folder = folder();
    let mut count = 0;
    for (section, key, mut example) in keys() {
        let Preset::Value(preset) = key.preset else { continue };
        let value = format!("x = {preset}").parse::<toml::Table>().unwrap().remove("x").unwrap();
        at(&mut example, section).unwrap().insert(key.name.into(), value);
        let written = read(folder.path(), &example).unwrap();
        at(&mut example, section).unwrap().remove(key.name);
        let absent = read(folder.path(), &example).unwrap();
        assert_eq!(unplaced(&written), unplaced(&absent), "{} {}", section.title(), key.name);
        count += 1;
    }
    assert!(count > 25, "only {count} defaults");
    let Preset::Value(omit) = ROOTFS.key("omit").unwrap().preset else { panic!() };
    assert_eq!(omit, format!("{DEFAULT_OMIT:?}"));
}

/// What a value of another kind is answered with.
#[test]
fn kinds_are_the_reader_s() {
    let folder = folder();
    for (section, key, example) in keys() {
        let wanted = match key.kind {
            Kind::String | Kind::OneOf(_) | Kind::Date => "wants a string",
            // A limit that is a number is told so without a unit.
            Kind::Size => "wants a string",
            Kind::Strings | Kind::SomeOf(_) | Kind::StringOrStrings | Kind::BooleanOrStrings => "wants an array",
            Kind::Boolean => "wants true or false",
            Kind::Number => "wants a whole number",
            Kind::Map | Kind::Table(_) => "wants a table",
            Kind::Tables(_) => "wants an array",
        };
        let name = format!("{} {}", section.title(), key.name);
        let error = refused(folder.path(), (section, key, example.clone()), Value::Float(1.5));
        assert!(error.contains(wanted), "{name}: {error}");
        // What it takes besides.
        let others: &[Value] = match key.kind {
            Kind::BooleanOrStrings => &[Value::Boolean(true)],
            Kind::Size => &[Value::Integer(1 << 21)],
            Kind::StringOrStrings => &[Value::Array(vec!["base.toml".into()])],
            _ => &[],
        };
        for other in others {
            let error = refused(folder.path(), (section, key, example.clone()), other.clone());
            assert!(error.is_empty(), "{name}: {error}");
        }
        // The words that it can be.
        let (words, wrong) = match key.kind {
            Kind::OneOf(words) => (words, Value::from("qqqqqqqqqqqqqq")),
            Kind::SomeOf(words) => (words, Value::Array(vec!["qqqqqqqqqqqqqq".into()])),
            _ => continue,
        };
        let error = refused(folder.path(), (section, key, example), wrong);
        assert!(error.contains(&format!("known here: {}", words.join(", "))), "{name}: {error}");
    }
    assert_eq!(LIMITS.keys.iter().map(|key| key.name).collect::<Vec<_>>(), LIMIT_KEYS.each_ref().map(|key| key.name));
    let Kind::SomeOf(archs) = ROOT.key("archs").unwrap().kind else { panic!() };
    assert_eq!(archs.len(), Arch::ALL.len());
}
