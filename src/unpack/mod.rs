//! A `.deb` becomes a segment: its files, filtered, with canonical tar headers, ready to be laid into a layer.
//!
//! In: a verified `.deb`, a [`Filter`]. Out: a [`Segment`], a pure function of both and of the format version, kept
//! in the store. The steps, in order: `filter` compiles what is left out; `survey` reads the data archive, with
//! paths as `canon` puts them; `build` writes the payload; `index` is the file's format and its check.

mod build;
mod canon;
mod error;
mod filter;
mod index;
mod segment;
mod survey;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

pub use error::{UnpackError, UnpackFault};
pub use filter::{BadPattern, Filter, FilterSpec, OmitSpec};
pub use segment::{Entry, Script, Segment};

use crate::{
    base::{PackageName, Sha256},
    deb::{DebFault, Limits},
    store::{Shelf, Store},
    tree::SegmentFile,
};

/// Part of each segment's key: goes up whenever the same input gives other bytes.
const FORMAT: u32 = 1;

/// One package to be unpacked.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its name, which its control file must bear too.
    pub package: PackageName,
    /// The `.deb`.
    pub deb: PathBuf,
    /// The digest that was verified.
    pub sha256: Sha256,
}

/// The key of a segment in the store.
pub fn key(deb: &Sha256, filter: &Filter) -> Sha256 {
    let format = FORMAT.to_le_bytes();
    Sha256::of(&[&b"compose segment"[..], &format, deb.bytes(), filter.digest().bytes()].concat())
}

/// The segment of the package `package` with the digest `sha256`, if a sound one is in the store.
pub fn kept(store: &Store, package: &PackageName, sha256: &Sha256, filter: &Filter) -> Option<Segment> {
    let key = key(sha256, filter);
    let path = store.get(Shelf::Segments, &key)?;
    index::load(&path, &key).filter(|segment| segment.package == *package)
}

/// Whether the entry at `path` is a sound segment under this key.
pub fn is_sound(path: &Path, key: &Sha256) -> bool {
    index::load(path, key).is_some()
}

/// Unpacks one package, and puts its segment into the store.
///
/// # Errors
/// When the `.deb` is not the verified one, is malformed, ships what cannot be, or cannot be written.
pub fn unpack(store: &Store, item: &Item, filter: &Filter, limits: &Limits) -> Result<Segment, UnpackError> {
    make(store, key(&item.sha256, filter), item, filter, limits).map_err(|fault| UnpackError {
        package: item.package.clone(),
        deb: item.deb.clone(),
        fault,
    })
}

fn make(store: &Store, key: Sha256, item: &Item, filter: &Filter, limits: &Limits) -> Result<Segment, UnpackFault> {
    check_digest(&item.deb, item.sha256)?;
    let mut temp = store.temp()?;
    let place = temp.path().to_owned();
    let scratch = place.parent().unwrap_or(Path::new("."));
    let mut out = BufWriter::with_capacity(256 << 10, temp.as_file_mut());
    let index = build::build(key, &item.deb, &item.package, filter, limits, scratch, (&mut out, &place))?;
    let written = out.write_all(&index.encode()).and_then(|()| out.flush());
    written.map_err(survey::write_error(&place, index.payload.0))?;
    drop(out);
    let path = store.keep(Shelf::Segments, &key, temp)?;
    Ok(index.segment(Arc::new(SegmentFile::kept(&path, key))))
}

/// The store could have been damaged since the download; a segment must not inherit that.
fn check_digest(deb: &Path, expected: Sha256) -> Result<(), UnpackFault> {
    let (found, _) = File::open(deb).and_then(Sha256::of_reader).map_err(DebFault::Read)?;
    if found == expected { Ok(()) } else { Err(UnpackFault::Digest { expected, found }) }
}
