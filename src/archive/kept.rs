//! Indexes in the store: stripped, in zstd frames that are unpacked side by side, or when they are asked for.
//!
//! In: a verified index's text, or an entry of the store. Out: an entry, or the texts of its pieces. A file is the key
//! that it is stored under, the number of pieces, then for each the packed and plain lengths (little-endian, 32 bits) of
//! what is read of every stanza and of what lies apart (0: nothing does), and the latter's SHA-256, since nobody may
//! look at it for long; then the frames, each with zstd's own checksum. What was cut short, damaged or misplaced is not
//! taken.

use std::{
    io::{self, Write as _},
    sync::{Arc, OnceLock},
};

use rayon::prelude::*;

use super::{contents, index::MAX_INDEX};
use crate::{
    base::{Sha256, Sha256Writer},
    control::strip::{Stripped, strip},
    store::{Shelf, Store, StoreError},
};

/// Changes with what is kept and how.
const LAYOUT: &str = "compose index 5";

/// Fast, and a fifth of the size.
const LEVEL: i32 = 3;

/// Longest piece, bytes: a stanza is far shorter than what pieces are cut at.
const MAX_PIECE: u32 = 64 << 20;

/// Of what is said of each piece before the frames.
const HEAD: usize = 16 + 32;

/// A piece of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPiece {
    /// What is read of every stanza.
    pub text: String,
    /// What is read of chosen packages alone, if it lies apart.
    pub cold: Option<Cold>,
}

/// Paragraphs that are unpacked when one of them is asked for.
#[derive(Debug, Clone)]
pub struct Cold(Arc<Packed>);

#[derive(Debug)]
struct Packed {
    frame: Box<[u8]>,
    plain: u32,
    /// The text, and where each paragraph begins; one more at the end.
    text: OnceLock<(String, Vec<u32>)>,
}

impl PartialEq for Cold {
    fn eq(&self, other: &Self) -> bool {
        self.0.frame == other.0.frame
    }
}

impl Eq for Cold {}

impl Cold {
    /// The paragraph with this number; nothing beyond the last.
    pub fn stanza(&self, number: u32) -> &str {
        let (text, starts) = self.0.text.get_or_init(|| {
            // It was found sound when it was read.
            let text = unpack_frame(&self.0.frame, self.0.plain).unwrap_or_default();
            let ends = memchr::memmem::find_iter(text.as_bytes(), b"\n\n").map(|at| at as u32 + 2);
            let starts = std::iter::once(0).chain(ends).collect();
            (text, starts)
        });
        match starts.get(number as usize..) {
            Some([start, end, ..]) => text.get(*start as usize..*end as usize).unwrap_or_default(),
            _ => "",
        }
    }

    /// Packs `text`.
    ///
    /// # Errors
    /// zstd's.
    pub fn of(text: &str) -> io::Result<Self> {
        let plain = u32::try_from(text.len()).map_err(io::Error::other)?;
        Ok(Self(Arc::new(Packed { frame: pack_frame(text)?.into(), plain, text: OnceLock::new() })))
    }
}

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
    file.write_all(&packed).map_err(StoreError::writing(&path, packed.len() as u64))?;
    store.keep(Shelf::Indexes, &key, file)?;
    Ok(())
}

/// The pieces of a kept index; `None` if there is none, or a damaged one.
pub fn kept_index(store: &Store, index: &Sha256) -> Option<Vec<IndexPiece>> {
    let key = key(index);
    let path = store.get(Shelf::Indexes, &key)?;
    unpack(&key, &std::fs::read(path).ok()?)
}

/// Whether the entry at `path` is sound under this key; it may also be what is kept of a Contents index.
pub fn is_kept_sound(path: &std::path::Path, key: &Sha256) -> bool {
    std::fs::read(path).is_ok_and(|entry| unpack(key, &entry).is_some()) || contents::is_sound(path, key)
}

/// The entry of these pieces.
///
/// # Errors
/// zstd's.
fn pack(key: &Sha256, pieces: &[Stripped]) -> io::Result<Vec<u8>> {
    let packed = pieces.par_iter().map(|Stripped { hot, cold }| {
        let cold = cold.as_ref().map(|cold| Ok::<_, io::Error>((pack_frame(cold)?, cold.len()))).transpose()?;
        Ok((pack_frame(hot)?, hot.len(), cold.unwrap_or_default()))
    });
    let packed = packed.collect::<io::Result<Vec<_>>>()?;
    let mut out = key.bytes().to_vec();
    let put = |out: &mut Vec<u8>, length: usize| -> io::Result<()> {
        out.extend(u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
        Ok(())
    };
    put(&mut out, packed.len())?;
    for (hot, plain, (cold, cold_plain)) in &packed {
        for length in [hot.len(), *plain, cold.len(), *cold_plain] {
            put(&mut out, length)?;
        }
        out.extend(digest(cold, *cold_plain as u32)?.bytes());
    }
    for (hot, _, (cold, _)) in &packed {
        out.extend_from_slice(hot);
        out.extend_from_slice(cold);
    }
    Ok(out)
}

/// Of what lies apart and its plain length.
fn digest(cold: &[u8], plain: u32) -> io::Result<Sha256> {
    let mut hash = Sha256Writer::new(io::sink());
    hash.write_all(&plain.to_le_bytes())?;
    hash.write_all(cold)?;
    Ok(hash.finish().1)
}

fn pack_frame(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// The pieces of an entry; `None` if it is damaged.
fn unpack(key: &Sha256, entry: &[u8]) -> Option<Vec<IndexPiece>> {
    let entry = entry.strip_prefix(key.bytes())?;
    let (count, rest) = entry.split_first_chunk::<4>()?;
    let (heads, mut rest) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(HEAD)?)?;
    let mut parts = Vec::new();
    let mut sum: u64 = 0;
    for head in heads.chunks_exact(HEAD) {
        let number = |at: usize| Some(u32::from_le_bytes(*head.get(at * 4..)?.first_chunk::<4>()?));
        let (hot, plain, cold, cold_plain) = (number(0)?, number(1)?, number(2)?, number(3)?);
        sum += u64::from(plain) + u64::from(cold_plain);
        if sum > MAX_INDEX {
            return None;
        }
        let digest: [u8; 32] = *head.get(16..)?.first_chunk()?;
        let (hot, after) = rest.split_at_checked(hot as usize)?;
        let (cold, after) = after.split_at_checked(cold as usize)?;
        rest = after;
        parts.push((hot, plain, cold, cold_plain, Sha256::from(digest)));
    }
    let piece = |(hot, plain, cold, cold_plain, digest): (&[u8], u32, &[u8], u32, Sha256)| {
        let text = unpack_frame(hot, plain)?;
        if self::digest(cold, cold_plain).ok()? != digest {
            return None;
        }
        let cold = (!cold.is_empty())
            .then(|| Cold(Arc::new(Packed { frame: cold.into(), plain: cold_plain, text: OnceLock::new() })));
        Some(IndexPiece { text, cold })
    };
    if !rest.is_empty() {
        return None;
    }
    parts.into_par_iter().map(piece).collect()
}

fn unpack_frame(frame: &[u8], plain: u32) -> Option<String> {
    if plain > MAX_PIECE {
        return None;
    }
    // At once into a place of its size: what is longer does not fit, and is an error.
    let bytes = zstd::bulk::decompress(frame, plain as usize).ok()?;
    (bytes.len() == plain as usize).then(|| String::from_utf8(bytes).ok())?
}

/// What must hold of what is kept, whatever an index or an entry holds: what was put in comes out.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(bytes: &[u8]) {
    let key = Sha256::of(b"");
    let _ = unpack(&key, &[key.bytes(), bytes].concat());
    let Ok(pieces) = strip(&String::from_utf8_lossy(bytes)) else { return };
    let packed = pack(&key, &pieces).expect("memory takes it");
    let found = unpack(&key, &packed).expect("as it was packed");
    assert_eq!(found.len(), pieces.len());
    for (found, Stripped { hot, cold }) in found.iter().zip(&pieces) {
        assert_eq!(found.text, *hot);
        let stanzas = cold.as_deref().map(|cold| cold.split_terminator("\n\n").collect::<Vec<_>>());
        let Some((stanzas, cold)) = stanzas.zip(found.cold.as_ref()) else { continue };
        for (number, stanza) in (0..).zip(stanzas) {
            assert_eq!(cold.stanza(number).trim_end(), stanza.trim_end());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn own() -> Sha256 {
        Sha256::of(b"own")
    }

    fn piece(hot: &str, cold: Option<&str>) -> Stripped {
        Stripped { hot: hot.to_owned(), cold: cold.map(str::to_owned) }
    }

    fn same(kept: &[IndexPiece], pieces: &[Stripped]) -> bool {
        let is_same = |(kept, piece): (&IndexPiece, &Stripped)| {
            let cold = piece.cold.as_ref().map(|cold| Cold::of(cold).unwrap());
            kept.text == piece.hot && kept.cold == cold
        };
        kept.len() == pieces.len() && kept.iter().zip(pieces).all(is_same)
    }

    #[test]
    fn gives_back_what_it_took() {
        for pieces in [
            vec![],
            vec![piece("a", None)],
            vec![piece(&"ä".repeat(99_999), Some("x")), piece("", None), piece("c\n", Some("d"))],
        ] {
            assert!(same(&unpack(&own(), &pack(&own(), &pieces).unwrap()).unwrap(), &pieces));
        }
    }

    #[test]
    fn what_lies_apart_is_found_by_number() {
        let cold = Cold::of("Filename: a\n\nFilename: b\nSource: s,\n t\n\n").unwrap();
        let all: Vec<_> = (0..4).map(|number| cold.stanza(number)).collect();
        assert_eq!(all, ["Filename: a\n\n", "Filename: b\nSource: s,\n t\n\n", "", ""]);
        assert_eq!(Cold::of("").unwrap().stanza(0), "");
    }

    #[test]
    fn takes_nothing_damaged() {
        let pieces =
            [piece(&"Package: a\n".repeat(1000), Some(&"SHA256: 1\n".repeat(100))), piece("Package: b\n", None)];
        let whole = pack(&own(), &pieces).unwrap();
        for length in 0..whole.len() {
            assert!(unpack(&own(), &whole[..length]).is_none(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            // A bit of a frame's header that says nothing may change; the text never does.
            let taken = unpack(&own(), &bad);
            let sound = taken.is_none_or(|taken| {
                taken.iter().map(|piece| &piece.text).eq(pieces.iter().map(|piece| &piece.hot))
                    && taken[0]
                        .cold
                        .as_ref()
                        .is_some_and(|cold| *cold == Cold::of(pieces[0].cold.as_ref().unwrap()).unwrap())
            });
            assert!(sound, "damaged at {at}");
        }
        assert!(unpack(&Sha256::of(b"other"), &whole).is_none());
        assert!(unpack(&own(), &[whole, b"x".to_vec()].concat()).is_none());
        assert!(unpack(&own(), &[&own().bytes()[..], &u32::MAX.to_le_bytes()].concat()).is_none());
    }
}
