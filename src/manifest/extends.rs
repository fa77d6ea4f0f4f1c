//! `extends = "base.toml"`, or several: the files that a manifest builds on.
//!
//! In: a manifest's text and its path. Out: its [`Doc`] and those of every file that it extends, the nearest first, each
//! once; the reader lays them over each other. Of several files of one list a later one lies over an earlier one, and
//! a file that two others extend lies below both.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    MAX_BYTES,
    error::{Fault, quote},
    reader::{Doc, Table, Value},
};
use crate::base::{aside, refusal, words};

/// How deep files may extend each other.
const MAX_DEPTH: usize = 8;
/// How many files may make one manifest.
const MAX_FILES: usize = 32;

/// A file in the order, and what tells it from others.
struct Layer {
    doc: Doc,
    identity: PathBuf,
}

/// The manifest itself and what it extends, the nearest first. What is wrong is noted in each.
pub(super) fn gather(text: &str, file: &Path) -> Vec<Doc> {
    let own = Layer { doc: Doc::new(file, text), identity: identity(file) };
    let mut layers = Vec::new();
    follow(own, &mut Vec::new(), &mut layers);
    let mut docs: Vec<Doc> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    // Of a file that is there twice the farther one stays, which lies below both that extend it.
    for Layer { doc, identity } in layers.into_iter().rev() {
        if !seen.contains(&identity) {
            seen.push(identity);
            docs.push(doc);
        }
    }
    docs.reverse();
    docs
}

/// Adds a file and, after it, all that it extends. `way` leads to it from the manifest.
fn follow(layer: Layer, way: &mut Vec<PathBuf>, out: &mut Vec<Layer>) {
    way.push(layer.identity.clone());
    let at = out.len();
    out.push(layer);
    let mut bases = Vec::new();
    if let Some(Layer { doc, .. }) = out.get(at) {
        let count = out.len();
        named(doc, |value| {
            if count + bases.len() >= MAX_FILES {
                value.refuse(Fault::new(format!("more than {MAX_FILES} files make this manifest")).help("join some"));
            } else if let Some(base) = base(value, way) {
                bases.push(base);
            }
        });
    }
    for base in bases.into_iter().rev() {
        // Each file of a list was counted with those known then; what they extend comes on top.
        if out.len() < MAX_FILES {
            follow(base, way, out);
        }
    }
    way.pop();
}

/// Tells `each` of every file that the one of `doc` extends.
fn named(doc: &Doc, mut each: impl FnMut(&Value<'_>)) {
    let Ok(table) = toml::de::DeTable::parse(doc.text()) else { return };
    let Some(value) = Table::root(doc, vec![(doc, table.get_ref())]).get("extends") else { return };
    match value.items_or_itself() {
        Some(values) if values.is_empty() => value.refuse(Fault::new("is empty").help("take it out")),
        Some(values) => values.iter().for_each(&mut each),
        None => {}
    }
}

fn base(value: &Value<'_>, way: &[PathBuf]) -> Option<Layer> {
    let path = value.doc.resolve(value.text()?);
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fault = Fault::no_file(&path);
            value.refuse(match near(&path) {
                Some(name) => fault.help(format!("did you mean “{}”?", quote(&name))),
                None => fault.help("give a manifest, relative to this file"),
            });
            return None;
        }
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            let fault = Fault { refusal: refusal::MANIFEST_UNREADABLE, ..Fault::new(what) };
            value.refuse(fault.help("give a manifest that you may read"));
            return None;
        }
    };
    let identity = identity(&path);
    if let Some(start) = way.iter().position(|file| *file == identity) {
        let name = |path: &PathBuf| path.file_name().map(|name| quote(&name.to_string_lossy())).unwrap_or_default();
        let round: Vec<String> = way.iter().skip(start).chain([&identity]).map(name).collect();
        let fault = Fault::clash(format!("a file extends itself: {}", round.join(" → ")));
        value.refuse(fault.help("take one of them out"));
        return None;
    }
    if way.len() >= MAX_DEPTH {
        value.refuse(
            Fault::new(format!("files extend each other more than {MAX_DEPTH} deep")).help("join some of them"),
        );
        return None;
    }
    Some(Layer { doc: Doc::base(&path, &text), identity })
}

/// The text of a file that is no longer than a manifest.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, MAX_BYTES + 1), &mut text)?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!("it is longer than {} KiB", MAX_BYTES / 1024))),
        false => Ok(text),
    }
}

/// The file that is meant, whatever way leads to it.
fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.into())
}

/// The name of a file beside the one that is missing which is like it.
pub(super) fn near(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let mut names: Vec<String> = fs::read_dir(aside::folder(path))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .take(1000)
        .collect();
    names.sort();
    words::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}
