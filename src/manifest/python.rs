//! What does not come as a `.deb`: `[python]` and `[[tarballs]]`.
//!
//! In: tables of the manifest. Out: [`Python`], [`Tarball`]. The files that they name are looked for, but not read.

use super::{
    Python, Tarball, TarballSource,
    error::{Fault, quote},
    reader::{Table, Value},
    rootfs::image_path,
};
use crate::base::Sha256;

/// Folders that may be taken off the front of a tarball's names.
const MAX_STRIP: u64 = 32;

pub(super) fn python(mut table: Table<'_>) -> Python {
    let (doc, span) = (table.doc, table.span());
    let wheels = table.list("wheels", |value| {
        let pattern = value.parsed(|text| match text {
            "" => Err(Fault::new("is empty").help("write such as \"wheels/*.whl\"")),
            _ => globset::Glob::new(text).map(|_| text.to_owned()).map_err(Fault::from),
        })?;
        Some(value.doc.resolve(&pattern))
    });
    let lock = table.get("lock").and_then(|value| {
        let path = value.doc.resolve(value.text()?);
        if !path.is_file() {
            let fault = Fault::no_file(&path);
            value.refuse(
                fault.help("give a pylock.toml, uv.lock, poetry.lock, Pipfile.lock or requirements.txt with hashes"),
            );
        }
        Some(path)
    });
    let mut words = |key| table.list(key, word).unwrap_or_default();
    let (groups, extras) = (words("groups"), words("extras"));
    let bytecode = table.get("bytecode").and_then(|value| value.boolean()).unwrap_or_default();
    let ignore_needs = table.list("ignore-needs", |value| {
        value.parsed(|text| match text {
            "" => Err(Fault::new("is empty").help("write a library's name, such as \"libodbc.so.2\"")),
            _ if text.contains('/') => {
                let name = text.rsplit('/').next().unwrap_or_default();
                Err(Fault::new(format!("“{}” is a path", quote(text))).help(format!("write \"{}\"", quote(name))))
            }
            _ => Ok(text.to_owned()),
        })
    });
    if lock.is_none() {
        for (key, list) in [("groups", &groups), ("extras", &extras)] {
            if !list.is_empty() && !table.has("lock") {
                let fault = Fault::missing(format!("python.{key} chooses from a lock, and python.lock is missing"));
                doc.note(span.clone(), fault.help("write lock = \"pylock.toml\", or whatever the application has"));
            }
        }
    }
    table.done();
    let (wheels, ignore_needs) = (wheels.unwrap_or_default(), ignore_needs.unwrap_or_default());
    Python { wheels, lock, groups, extras, bytecode, ignore_needs }
}

/// A group or an extra.
fn word(value: &Value<'_>) -> Option<String> {
    value.parsed(|text| match text {
        "" => Err(Fault::new("is empty").help("write a name, or take it out")),
        _ => Ok(text.to_owned()),
    })
}

pub(super) fn tarballs(root: &mut Table<'_>) -> Vec<Tarball> {
    root.tables("tarballs").into_iter().filter_map(tarball).collect()
}

fn tarball(mut table: Table<'_>) -> Option<Tarball> {
    let (doc, span) = (table.doc, table.span());
    let file = table.get("source").and_then(|value| {
        let path = doc.resolve(value.text()?);
        if !path.is_file() {
            let fault = Fault::no_file(&path);
            value.refuse(
                fault.help("give a tar archive, plain or in gzip, xz, zstd or bzip2, relative to the manifest"),
            );
        }
        Some(TarballSource::File(path))
    });
    let url = table.get("url").and_then(|value| value.parsed(url)).map(TarballSource::Url);
    let sha256 = table.need("sha256", "sha256 = \"…\", which sha256sum prints");
    let sha256 = sha256.and_then(|value| value.parsed(|text| Ok(text.parse::<Sha256>()?)));
    let path = table.need("path", "path = \"/usr/local\"").and_then(|value| value.parsed(image_path));
    let strip = table.get("strip").and_then(|value| value.number(MAX_STRIP)).unwrap_or_default();
    match (table.has("source"), table.has("url")) {
        (true, true) => doc.note(span.clone(), Fault::clash("“source” and “url” exclude each other")),
        (false, false) => doc.note(span.clone(), Fault::missing("one of “source” and “url” is missing")),
        _ => {}
    }
    table.done();
    let strip = usize::try_from(strip).unwrap_or_default();
    Some(Tarball { source: file.or(url)?, sha256: sha256?, path: path?, strip, line: doc.line(&span) })
}

fn url(text: &str) -> Result<String, Fault> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)) {
        return Ok(text.into());
    }
    Err(Fault::new(format!("“{}” is not a URL", quote(text))).help("write https://host/path"))
}
