//! Bytecode in the store: `payload · index · trailer`, written once, checked whole before each use.
//!
//! Payload: the pycs of one group of modules, one after the other. Index: for each module a length (little-endian u64;
//! all ones: it does not compile) and a SHA-256. Trailer, 88 bytes: the key, the number of modules (u64), the SHA-256 of
//! everything before itself, and a magic: what was cut short, damaged or misplaced is made anew, never used.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use crate::{
    base::{Sha256, Sha256Writer},
    store::{Shelf, Store, StoreError},
    tree::{Content, SegmentFile},
};

const MAGIC: &[u8; 16] = b"compose bytecode";
/// Of one module in the index.
const RECORD: usize = 8 + 32;
/// Digest and magic, which the digest does not count.
const SEAL: u64 = 32 + 16;
/// Key and number before them.
const HEAD: u64 = 32 + 8;
const NONE: u64 = u64::MAX;

/// The pycs of one group, in the order of its modules; `None` for what does not compile.
pub(super) type Entry = Vec<Option<Content>>;

/// Puts the pycs of a group into the store.
///
/// # Errors
/// When it cannot be written.
pub(super) fn keep(store: &Store, key: &Sha256, pycs: &[Option<Vec<u8>>]) -> Result<Entry, StoreError> {
    let mut temp = store.temp()?;
    let place = store.path(Shelf::Bytecode, key);
    let bytes = pycs.iter().flatten().map(|pyc| pyc.len() as u64).sum();
    write(temp.as_file_mut(), key, pycs).map_err(StoreError::writing(&place, bytes))?;
    let path = store.keep(Shelf::Bytecode, key, temp)?;
    let records = pycs.iter().map(|pyc| pyc.as_ref().map(|pyc| (pyc.len() as u64, Sha256::of(pyc))));
    Ok(contents(&path, key, records))
}

fn write(file: &mut File, key: &Sha256, pycs: &[Option<Vec<u8>>]) -> io::Result<()> {
    let mut out = Sha256Writer::new(io::BufWriter::new(file));
    pycs.iter().flatten().try_for_each(|pyc| out.write_all(pyc))?;
    for pyc in pycs {
        let (length, digest) = match pyc {
            Some(pyc) => (pyc.len() as u64, *Sha256::of(pyc).bytes()),
            None => (NONE, [0; 32]),
        };
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&digest)?;
    }
    out.write_all(key.bytes())?;
    out.write_all(&(pycs.len() as u64).to_le_bytes())?;
    let (mut out, digest, _) = out.finish();
    out.write_all(digest.bytes())?;
    out.write_all(MAGIC)?;
    out.flush()
}

fn contents(path: &Path, key: &Sha256, records: impl Iterator<Item = Option<(u64, Sha256)>>) -> Entry {
    let file = Arc::new(SegmentFile::kept(path, *key));
    let mut at = 0;
    let mut content = |(length, sha256): (u64, Sha256)| {
        let range: Range<u64> = at..at + length;
        at = range.end;
        Content::Segment { file: Arc::clone(&file), range, sha256: sha256.into() }
    };
    records.map(|record| record.map(&mut content)).collect()
}

/// The entry at `path`, read and checked whole. `None` when anything is not as it was written.
pub(super) fn load(path: &Path, key: &Sha256) -> Option<Entry> {
    let file = File::open(path).ok()?;
    let sealed = file.metadata().ok()?.len().checked_sub(SEAL)?;
    let index_end = sealed.checked_sub(HEAD)?;
    let mut trailer = [0; (HEAD + SEAL) as usize];
    file.read_exact_at(&mut trailer, index_end).ok()?;
    let (found, rest) = trailer.split_first_chunk::<32>()?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    let (digest, magic) = rest.split_first_chunk::<32>()?;
    if found != key.bytes() || magic != MAGIC {
        return None;
    }
    let length = u64::from_le_bytes(*count).checked_mul(RECORD as u64)?;
    let payload = index_end.checked_sub(length)?;
    // Not longer than the file.
    let mut index = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut index, payload).ok()?;
    if Sha256::of_reader(file.take(sealed)).ok()? != (Sha256::from(*digest), sealed) {
        return None;
    }
    let record = |record: &[u8]| {
        let (length, digest) = record.split_first_chunk::<8>()?;
        let digest: [u8; 32] = digest.try_into().ok()?;
        Some(Some((u64::from_le_bytes(*length), Sha256::from(digest))).filter(|(length, _)| *length != NONE))
    };
    let records: Vec<_> = index.chunks_exact(RECORD).map(record).collect::<Option<_>>()?;
    let total = records.iter().flatten().try_fold(0u64, |sum, (length, _)| sum.checked_add(*length))?;
    (total == payload).then(|| contents(path, key, records.into_iter()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Sha256::of(b"key");
        let pycs = [Some(b"one".to_vec()), None, Some(Vec::new()), Some(vec![7; 5000])];
        let kept = keep(&store, &key, &pycs).unwrap();
        let path = store.get(Shelf::Bytecode, &key).unwrap();
        let loaded = load(&path, &key).unwrap();
        let read = |entry: &Entry| -> Vec<Option<Vec<u8>>> {
            entry.iter().map(|content| content.as_ref().map(|content| content.read().unwrap().into_owned())).collect()
        };
        assert_eq!(read(&kept), pycs);
        assert_eq!(read(&loaded), pycs);
        for content in loaded.iter().flatten() {
            assert_eq!(Sha256::of(&content.read().unwrap()), content.sha256().unwrap());
            assert!(matches!(content, Content::Segment { file, .. } if file.key() == Some(&key)));
        }
        assert!(load(&path, &Sha256::of(b"other")).is_none(), "misplaced");
        let whole = fs::read(&path).unwrap();
        let at = folder.path().join("bad");
        for i in (0..whole.len()).filter(|i| i % 97 == 0 || *i > 5000) {
            let mut bad = whole.clone();
            bad[i] ^= 1;
            fs::write(&at, bad).unwrap();
            assert!(load(&at, &key).is_none(), "a bit at {i}");
            fs::write(&at, &whole[..i]).unwrap();
            assert!(load(&at, &key).is_none(), "cut at {i}");
        }
        // Sealed well, but lying: more modules than there is room for, and lengths that do not add up.
        for (count, length) in [(u64::MAX, 3u64), (1 << 60, 3), (1, 4), (1, NONE - 1)] {
            let mut bad = [&b"one"[..], &length.to_le_bytes(), &[0; 32], key.bytes(), &count.to_le_bytes()].concat();
            bad.extend_from_slice(Sha256::of(&bad.clone()).bytes());
            bad.extend_from_slice(MAGIC);
            fs::write(&at, bad).unwrap();
            assert!(load(&at, &key).is_none(), "{count} {length}");
        }
        let empty = Sha256::of(b"empty");
        assert!(keep(&store, &empty, &[]).unwrap().is_empty());
        assert_eq!(load(&store.get(Shelf::Bytecode, &empty).unwrap(), &empty).unwrap().len(), 0);
    }
}
