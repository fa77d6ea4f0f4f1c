//! What the indexes of a small repository say of a `.deb`, read from the file itself.
//!
//! In: verified `.deb`s and what the lock says of them. Out: a paragraph for `Packages`, and what `Contents` has of its
//! files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use super::VendorError;
use crate::{
    control::Paragraphs,
    deb::{Deb, DebError, Limits, TarKind, shown},
    lock::LockedPackage,
};

/// Fields that an index has of its own: a package's word does not count.
const OWN: [&str; 7] = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Description-md5"];

/// Longest path that goes into a Contents index, bytes: Linux's PATH_MAX.
const MAX_PATH: usize = 4096;

/// What is told of one `.deb`.
#[derive(Debug, Clone, Default)]
pub(super) struct Described {
    /// For `Packages`, with the blank line after it.
    pub paragraph: String,
    /// `section/package`.
    pub location: String,
    /// Its files and links, without leading slash.
    pub paths: Vec<Vec<u8>>,
}

/// Reads a `.deb`.
///
/// # Errors
/// When it is broken, or not the package that the lock says.
pub(super) fn described(package: &LockedPackage, file: &Path, limits: &Limits) -> Result<Described, VendorError> {
    let deb = Deb::open(file, limits)?;
    let control = deb.control()?;
    let broken = || VendorError::Other { package: package.name.clone(), what: "no control paragraph".into() };
    let paragraph = Paragraphs::new(&control.paragraph).next().and_then(Result::ok).ok_or_else(broken)?;
    let locked = [
        ("Package", package.name.as_str()),
        ("Version", package.version.as_str()),
        ("Architecture", package.arch.as_str()),
    ];
    for (field, locked) in locked {
        let found = paragraph.get(field).unwrap_or("nothing");
        if found != locked {
            let what = format!("{field}: {} instead of {locked}", shown(found.as_bytes()));
            return Err(VendorError::Other { package: package.name.clone(), what });
        }
    }
    let mut text = String::new();
    let is_own = |name: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(name));
    for (name, value) in paragraph.fields().filter(|(name, value)| !is_own(name) && !value.is_empty()) {
        line(&mut text, name, value);
    }
    line(&mut text, "Filename", &package.filename);
    line(&mut text, "Size", &package.size.to_string());
    line(&mut text, "SHA256", &package.sha256.hex());
    text.push('\n');
    let section = paragraph.get("Section").filter(|section| is_word(section)).unwrap_or("misc");
    let location = format!("{section}/{}", package.name);
    let mut paths = Vec::new();
    let mut entries = deb.data()?;
    while let Some(entry) =
        entries.next_entry().map_err(|fault| DebError { deb: file.into(), fault: deb.data_fault(fault) })?
    {
        let path = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
        let is_line = !path.is_empty() && path.len() <= MAX_PATH && !path.iter().any(u8::is_ascii_control);
        if !matches!(entry.kind, TarKind::Dir) && is_line && !path.ends_with(b" ") {
            paths.push(path.to_vec());
        }
    }
    Ok(Described { paragraph: text, location, paths })
}

/// A Contents index of these packages: a line a path, sorted, all its packages in it.
pub(super) fn contents<'a>(packages: impl Iterator<Item = &'a Described>) -> Vec<u8> {
    let mut owners: BTreeMap<&[u8], BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        for path in &package.paths {
            owners.entry(path).or_default().insert(&package.location);
        }
    }
    let mut out = Vec::new();
    for (path, packages) in owners {
        let packages: Vec<&str> = packages.into_iter().collect();
        out.extend_from_slice(path);
        out.extend(b" ".repeat(60_usize.saturating_sub(path.len()).max(1)));
        out.extend_from_slice(packages.join(",").as_bytes());
        out.push(b'\n');
    }
    out
}

/// A field; a folded value keeps its lines.
fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name}: {value}");
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/.+".contains(&byte)) && !text.is_empty()
}
