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
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub use error::{UnpackError, UnpackFault};
pub use filter::{BadPattern, Filter, FilterSpec, OmitSpec};
pub use segment::{Entry, Script, Segment};

use crate::{
    base::{PackageName, Progress, Sha256, Sha256Writer},
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

/// The segment of one package: from the store if a sound one is there, else unpacked and put there.
///
/// # Errors
/// When the `.deb` is not the verified one, is malformed, ships what cannot be, or cannot be written.
pub fn segment(store: &Store, item: &Item, filter: &Filter, limits: &Limits) -> Result<Segment, UnpackError> {
    let Item { package, deb, sha256 } = item;
    let key = key(sha256, filter);
    let found = store.get(Shelf::Segments, &key).and_then(|path| index::load(&path, &key));
    if let Some(segment) = found.filter(|segment| segment.package == *package) {
        return Ok(segment);
    }
    make(store, key, item, filter, limits).map_err(|fault| UnpackError {
        package: package.clone(),
        deb: deb.clone(),
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
    let mut hash = Sha256Writer::new(io::sink());
    let copied = File::open(deb).and_then(|mut file| io::copy(&mut file, &mut hash));
    copied.map_err(DebFault::Read)?;
    let (_, found, _) = hash.finish();
    if found == expected { Ok(()) } else { Err(UnpackFault::Digest { expected, found }) }
}

/// The segments of many packages, in the order of `items`; the largest are begun first. Runs in the current rayon
/// pool, so `pool.install(|| unpack_all(…))` decides over the number of threads, which the result never depends on.
///
/// # Errors
/// The failure of the first package, in the order of `items`, of those that failed before the rest was called off.
pub fn unpack_all(
    store: &Store,
    items: &[Item],
    filter: &Filter,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Vec<Segment>, UnpackError> {
    // A file that is not there fails when its turn comes.
    let size = |item: &Item| item.deb.metadata().map_or(0, |meta| meta.len());
    let mut order: Vec<(usize, u64)> = items.iter().map(size).enumerate().collect();
    progress.phase("Unpacking", Some(order.iter().map(|(_, bytes)| bytes).sum()));
    order.sort_by_key(|&(at, bytes)| (std::cmp::Reverse(bytes), at));
    let failed = AtomicBool::new(false);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    rayon::scope_fifo(|scope| {
        for &(at, bytes) in &order {
            let (failed, results) = (&failed, &results);
            scope.spawn_fifo(move |_| {
                let Some(item) = items.get(at).filter(|_| !failed.load(Ordering::Relaxed)) else { return };
                let result = segment(store, item, filter, limits);
                if result.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                progress.advance(bytes);
                results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    // Whoever was called off left no result, but then another one left an error.
    results.into_iter().map(|(_, result)| result).collect()
}
