//! `manifest.toml`, parsed once into values that hold what they promise.
//!
//! In: the file's text and its folder. Out: [`Manifest`], or [`ManifestErrors`]: each fault with file, line, column
//! and a suggestion. Every table and key is known here; one without effect yet is refused, never ignored.
//!
//! ```text
//! extends (which files)  →  reader (TOML with places; keys: those there are, told)  →  sources, python, rootfs, accounts, image, policy, limits (one
//! table each)  →  model  →  meaning
//! ```

mod accounts;
mod error;
mod extends;
#[cfg(test)]
mod extends_tests;
mod groups;
mod image;
pub mod keys;
mod limits;
mod meaning;
mod model;
mod policy;
mod provided;
mod python;
mod reader;
mod request;
mod rootfs;
mod sources;
#[cfg(test)]
mod tests;

pub use error::{Drawn, ManifestError, ManifestErrors};
pub use groups::{ContentRule, DEFAULT_OMIT, OMIT_GROUPS, OmitGroup, omit_group};
pub use image::size_in_bytes as size;
pub use limits::{LIMIT_KEYS, LimitKey, Limits};
pub use meaning::meaning;
pub use model::*;
pub use policy::{Exception, Forbidden, Limit, Pattern, Policy};
pub use provided::default_provided;

use std::{
    io::{self, Read},
    path::Path,
};

use crate::base::{Arch, PackageName, refusal};
use error::Fault;
use reader::{Doc, Table};

/// Longest manifest that is read, bytes. It holds lists of names; what is longer is some other file.
const MAX_BYTES: u64 = 1 << 20;

/// Reads and parses the manifest at `file`.
///
/// # Errors
/// When it cannot be read, is longer than 1 MiB, or as [`parse`].
pub fn load(file: &Path) -> Result<Manifest, ManifestErrors> {
    let cannot = |source: io::Error| {
        let near = (source.kind() == io::ErrorKind::NotFound).then(|| extends::near(file)).flatten();
        ManifestErrors::Read { file: file.into(), near: near.map(|name| file.with_file_name(name)), source }
    };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(cannot)?;
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    parse(&text, file)
}

/// Parses a manifest's text. `file` is its path: messages name it, and relative paths in the manifest start from
/// its folder. Files that it extends are read; others that it names are looked for, but not read.
///
/// # Errors
/// Everything that is wrong with it, as far as one pass can tell.
pub fn parse(text: &str, file: &Path) -> Result<Manifest, ManifestErrors> {
    if text.len() as u64 > MAX_BYTES {
        return Err(ManifestErrors::TooLong { file: file.into() });
    }
    let docs = extends::gather(text, file);
    let mut tables = Vec::new();
    for doc in &docs {
        let (table, syntax) = toml::de::DeTable::parse_recoverable(doc.text());
        for error in syntax {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            doc.note(
                error.span().unwrap_or_default(),
                Fault { refusal: refusal::MANIFEST_SYNTAX, ..Fault::new(format!("not TOML: {what}")) },
            );
        }
        tables.push(table);
    }
    // What is read of half a manifest would be wrong in ways that nobody wrote.
    let manifest = match docs.iter().all(Doc::is_clean) {
        true => {
            let layers: Vec<_> = docs.iter().zip(&tables).map(|(doc, table)| (doc, table.get_ref())).collect();
            docs.split_first().and_then(|(doc, bases)| manifest(doc, Table::root(doc, layers), bases))
        }
        false => None,
    };
    drop(tables);
    let faults: Vec<_> = docs.into_iter().flat_map(Doc::into_faults).collect();
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(ManifestErrors::Invalid(faults)),
    }
}

/// Reads every table; `None` only after a fault was noted.
fn manifest(doc: &Doc, mut root: Table<'_>, bases: &[Doc]) -> Option<Manifest> {
    // The lock and the image are called so: two manifests of one name would write over each other's.
    let name = root.own("name");
    if name.is_none() {
        root.lacks("name", "name = \"…\" as the first line");
    }
    let name = name.and_then(|value| value.parsed(sources::plain_name));
    root.get("extends");
    let archs = archs(&mut root);
    let debian = root.table("debian").map(sources::debian);
    let repositories = sources::repositories(&mut root);
    if debian.is_none() && !root.has("debian") && !root.has("repositories") {
        let fault = Fault::missing("the manifest does not say where packages come from");
        doc.note(0..0, fault.help("write [debian] with suite = \"trixie\", or [[repositories]]"));
    }
    let packages = match root.table("packages") {
        Some(table) => Some(sources::packages(table)),
        None => {
            if !root.has("packages") {
                let fault = Fault::missing("“packages” is missing");
                doc.note(0..0, fault.help("write [packages] with install = [\"python3\"]"));
            }
            None
        }
    };
    let python = root.table("python").map(python::python);
    let rootfs = rootfs::rootfs(root.table("rootfs"));
    let accounts = root.table("accounts").map(accounts::accounts).unwrap_or_default();
    let files = rootfs::files(&mut root, &accounts);
    let tarballs = python::tarballs(&mut root);
    let image = root.table("image").map(image::image).unwrap_or_default();
    let sbom = root.table("sbom").map(image::sbom).unwrap_or_default();
    let policy = root.table("policy").map(policy::policy).unwrap_or_default();
    let limits = root.table("limits").map(limits::limits).unwrap_or_default();
    root.done();
    let debian = match debian {
        Some(debian) => Some(debian?),
        None => None,
    };
    Some(Manifest {
        file: doc.file().into(),
        bases: bases.iter().map(|base| base.file().into()).collect(),
        name: name?,
        archs: archs?,
        debian,
        repositories,
        packages: packages?,
        python,
        tarballs,
        rootfs,
        files,
        accounts,
        image,
        sbom,
        policy,
        limits,
    })
}

fn archs(root: &mut Table<'_>) -> Option<Vec<Arch>> {
    let value = root.get("archs");
    let mut archs = match root.whole("archs", |value| value.parsed(arch)) {
        Some(archs) => archs,
        None => Vec::from_iter(Arch::host()),
    };
    let example = "write archs = [\"amd64\"]";
    match value {
        Some(value) if value.is_empty_array() => value.refuse(Fault::new("is empty").help(example)),
        None if archs.is_empty() => {
            root.doc
                .note(0..0, Fault::missing("“archs” is missing: this machine's own is none of Debian's").help(example));
        }
        _ => {}
    }
    archs.sort_unstable();
    Some(archs).filter(|archs| !archs.is_empty())
}

/// One of Debian's architectures; whoever writes another world's name for it is told Debian's.
fn arch(text: &str) -> Result<Arch, Fault> {
    text.parse().map_err(|_| {
        let fault = Fault::new(format!("“{}” is not an architecture of Debian", error::quote(text)));
        match Arch::called_elsewhere(text) {
            Some(arch) => fault.help(format!("Debian calls it “{arch}”")),
            None => fault.suggest(text, Arch::ALL.map(Arch::as_str)),
        }
    })
}
