//! A `.deb`, a tarball or a wheel becomes a segment: its files, filtered, with canonical tar headers, ready to be laid
//! into a layer.
//!
//! In: a verified archive, a [`Filter`]. Out: a [`Segment`], a pure function of both and of the format version, kept
//! in the store. The steps, in order: `filter` compiles what is left out; `survey` reads the data archive, with
//! paths as `canon` puts them; `build` writes the payload; `index` is the file's format and its check.

mod build;
mod canon;
mod error;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod index;
mod segment;
mod survey;
mod tarball;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

pub use error::{UnpackError, UnpackFault};
pub use filter::{BadPattern, Filter, FilterSpec, OmitSpec, SHEBANG};
pub use segment::{Entry, Script, Segment};
pub use tarball::{Tarball, unpack_tarball};

use crate::{
    base::{PackageName, RootPath, Sha256},
    deb::{Control, DebFault, Limits},
    store::{Shelf, Store},
    tree::{Meta, Origin, SegmentFile},
};
use index::Index;
use survey::Survey;

/// Part of each segment's key: goes up whenever the same input gives other bytes.
const FORMAT: u32 = 2;

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

/// The segment of `origin` under `key`, if a sound one is in the store.
pub fn kept(store: &Store, origin: &Origin, key: &Sha256) -> Option<Segment> {
    let path = store.get(Shelf::Segments, key)?;
    let segment = index::load(&path, key);
    if segment.is_none() {
        store.found_damaged(Shelf::Segments, key, &format_args!("{origin}, unpacked"));
    }
    segment.filter(|segment| segment.origin == *origin)
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
    let key = key(&item.sha256, filter);
    let unpacked = check_digest(&item.deb, item.sha256)
        .and_then(|()| make(store, &key, |scratch, out| build::build(key, item, filter, limits, scratch, out)));
    let origin = || Origin::Package(item.package.clone());
    unpacked.map_err(|fault| UnpackError { origin: origin(), file: item.deb.clone(), fault })
}

/// Files to be packed into a segment, one by one, in any order.
pub struct Packing {
    survey: Survey,
    scratch: PathBuf,
}

impl Packing {
    /// Adds a regular file, whose content `write` gives.
    ///
    /// # Errors
    /// Those of `write`, a path that is there already, or one that leads to no place.
    pub fn file<E: From<UnpackFault>>(
        &mut self,
        path: RootPath,
        meta: Meta,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        self.survey.add_file(path, meta, &self.scratch, write)
    }
}

/// Puts a segment of single files into the store under `key`; `fill` adds them.
///
/// # Errors
/// Those of `fill`, or the store's.
pub fn pack<E: From<UnpackFault>>(
    store: &Store,
    key: Sha256,
    origin: Origin,
    fill: impl FnOnce(&mut Packing) -> Result<(), E>,
) -> Result<Segment, E> {
    let scratch = store.root().join("tmp");
    let mut packing = Packing { survey: Survey::new(&scratch), scratch };
    fill(&mut packing)?;
    packing.survey.check()?;
    let lay = |_: &Path, out: (&mut BufWriter<&mut File>, &Path)| {
        build::lay(key, origin, packing.survey, Control::default(), out)
    };
    Ok(make(store, &key, lay)?)
}

/// Writes a segment's file and keeps it; `fill` gets a folder for large content and the file.
fn make(
    store: &Store,
    key: &Sha256,
    fill: impl FnOnce(&Path, (&mut BufWriter<&mut File>, &Path)) -> Result<Index, UnpackFault>,
) -> Result<Segment, UnpackFault> {
    let mut temp = store.temp()?;
    let place = temp.path().to_owned();
    let scratch = place.parent().unwrap_or(Path::new("."));
    let mut out = BufWriter::with_capacity(256 << 10, temp.as_file_mut());
    let index = fill(scratch, (&mut out, &place))?;
    let written = out.write_all(&index.encode()).and_then(|()| out.flush());
    written.map_err(survey::write_error(&place, index.payload.0))?;
    drop(out);
    let path = store.keep(Shelf::Segments, key, temp)?;
    Ok(index.segment(Arc::new(SegmentFile::kept(&path, *key))))
}

/// The store could have been damaged since the download; a segment must not inherit that.
///
/// # Errors
/// When the file has another digest, or cannot be read.
pub fn check_digest(file: &Path, expected: Sha256) -> Result<(), UnpackFault> {
    let (found, _) = File::open(file).and_then(Sha256::of_reader).map_err(DebFault::Read)?;
    if found == expected { Ok(()) } else { Err(UnpackFault::Digest { expected, found }) }
}
