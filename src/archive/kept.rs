//! Indexes in the store: stripped, in zstd frames that are unpacked side by side.
//!
//! In: a verified index's text, or an entry of the store. Out: an entry, or the texts of its pieces. A file is the
//! key that it is stored under, the number of frames, then for each its packed and plain length (little-endian, 32 bits),
//! then the frames, each with zstd's own checksum: what was cut short, damaged or misplaced is not taken.

use std::io::{self, Write as _};

use rayon::prelude::*;

use super::index::MAX_INDEX;
use crate::{
    base::Sha256,
    control::strip::strip,
    store::{Shelf, Store, StoreError},
};

/// Changes with what is kept and how.
const LAYOUT: &str = "compose index 4";

/// Fast, and a fifth of the size.
const LEVEL: i32 = 3;

/// Longest piece, bytes: a stanza is far shorter than what pieces are cut at.
const MAX_PIECE: u32 = 64 << 20;

/// What the store calls the kept form of the index with this digest.
pub(super) fn key(index: &Sha256) -> Sha256 {
    Sha256::of(format!("{LAYOUT}\n{}\n", index.hex()).as_bytes())
}

/// Keeps what is read of the index `text` with the digest `index`. A text that is no control file is not kept:
/// whoever reads it says where it is broken.
///
/// # Errors
/// When the store cannot be written.
pub fn keep_index(store: &Store, index: &Sha256, text: &str) -> Result<(), StoreError> {
    let Ok(pieces) = strip(text) else { return Ok(()) };
    let key = key(index);
    let path = store.path(Shelf::Indexes, &key);
    let mut file = store.temp()?;
    let packed = pack(&key, &pieces).map_err(StoreError::at("write", &path))?;
    file.write_all(&packed).map_err(StoreError::at("write", &path))?;
    store.keep(Shelf::Indexes, &key, file)?;
    Ok(())
}

/// The pieces of a kept index; `None` if there is none, or a damaged one.
pub fn kept_index(store: &Store, index: &Sha256) -> Option<Vec<String>> {
    let key = key(index);
    let path = store.get(Shelf::Indexes, &key)?;
    unpack(&key, &std::fs::read(path).ok()?)
}

/// Whether the entry at `path` is sound under this key.
pub fn is_kept_sound(path: &std::path::Path, key: &Sha256) -> bool {
    std::fs::read(path).is_ok_and(|entry| unpack(key, &entry).is_some())
}

/// The entry of these pieces.
///
/// # Errors
/// zstd's.
pub(super) fn pack(key: &Sha256, pieces: &[String]) -> io::Result<Vec<u8>> {
    let frames: Vec<Vec<u8>> = pieces
        .par_iter()
        .map(|piece| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
            encoder.include_checksum(true)?;
            encoder.write_all(piece.as_bytes())?;
            encoder.finish()
        })
        .collect::<io::Result<_>>()?;
    let length = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
    let mut out = key.bytes().to_vec();
    out.extend(length(frames.len())?.to_le_bytes());
    for (frame, piece) in frames.iter().zip(pieces) {
        out.extend(length(frame.len())?.to_le_bytes());
        out.extend(length(piece.len())?.to_le_bytes());
    }
    frames.iter().for_each(|frame| out.extend_from_slice(frame));
    Ok(out)
}

/// The pieces of an entry; `None` if it is damaged.
pub(super) fn unpack(key: &Sha256, entry: &[u8]) -> Option<Vec<String>> {
    let entry = entry.strip_prefix(key.bytes())?;
    let number = |at: usize| Some(u32::from_le_bytes(*entry.get(at..)?.first_chunk::<4>()?));
    let count = number(0)? as usize;
    let mut frames = Vec::new();
    let mut sum: u64 = 0;
    let mut start = count.checked_mul(8)?.checked_add(4)?;
    for index in 0..count {
        let (packed, plain) = (number(4 + index * 8)? as usize, number(8 + index * 8)?);
        sum += u64::from(plain);
        if sum > MAX_INDEX {
            return None;
        }
        let end = start.checked_add(packed)?;
        frames.push((entry.get(start..end)?, plain));
        start = end;
    }
    if start != entry.len() {
        return None;
    }
    frames.into_par_iter().map(|(frame, plain)| unpack_frame(frame, plain)).collect()
}

fn unpack_frame(frame: &[u8], plain: u32) -> Option<String> {
    if plain > MAX_PIECE {
        return None;
    }
    // At once into a place of its size: what is longer does not fit, and is an error.
    let bytes = zstd::bulk::decompress(frame, plain as usize).ok()?;
    (bytes.len() == plain as usize).then(|| String::from_utf8(bytes).ok())?
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn own() -> Sha256 {
        Sha256::of(b"own")
    }

    #[test]
    fn gives_back_what_it_took() {
        for pieces in [vec![], vec!["a".to_owned()], vec!["ä".repeat(99_999), String::new(), "c\n".into()]] {
            assert_eq!(unpack(&own(), &pack(&own(), &pieces).unwrap()).unwrap(), pieces);
        }
    }

    #[test]
    fn takes_nothing_damaged() {
        let whole = pack(&own(), &["Package: a\n".repeat(1000), "Package: b\n".repeat(1000)]).unwrap();
        for length in 0..whole.len() {
            assert!(unpack(&own(), &whole[..length]).is_none(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            // A bit of a frame's header that says nothing may change; the text never does.
            assert!(
                unpack(&own(), &bad).is_none_or(|pieces| pieces == unpack(&own(), &whole).unwrap()),
                "damaged at {at}"
            );
        }
        assert!(unpack(&Sha256::of(b"other"), &whole).is_none());
        assert!(unpack(&own(), &[whole, b"x".to_vec()].concat()).is_none());
        assert!(unpack(&own(), &[&own().bytes()[..], &u32::MAX.to_le_bytes()].concat()).is_none());
    }
}
