//! Groups of a layer, compressed: each is made once and kept in the store, so that a rebuild puts together what is there.
//!
//! In: the [`Piece`]s of one group, a codec. Out: a [`Pack`], a file of the store whose beginning is a run of gzip
//! members or zstd frames. Behind it stand its key and the SHA-256 of the run and a magic: what was cut short, damaged
//! or misplaced is made anew, never used.
//!
//! The key of a package's group follows from its segment's. What is in memory is hashed. Files of this machine, of which a
//! tree read from a folder consists, are read and hashed, and hashed again while they are compressed: one that changes
//! meanwhile never becomes another one's entry.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    FORMAT, ImageError,
    compress::{self, BLOCK},
    layer::{Piece, Reader, Source, blocks, total},
};
use crate::{
    base::{Progress, Sha256, Sha256Writer},
    manifest::Compression,
    store::{Shelf, Store, StoreError},
    unpack::Segment,
};

const MAGIC: &[u8; 16] = b"compose pack\n\0\0\0";
const TRAILER: u64 = 32 + 32 + 16;

/// Blocks of one group that are in memory at a time.
const AT_ONCE: usize = 2;

/// How much is copied at a time, bytes.
const CHUNK: usize = 256 << 10;

/// A compressed group in the store.
#[derive(Debug, Clone)]
pub(super) struct Pack {
    path: PathBuf,
    /// Length in bytes, without the trailer.
    len: u64,
}

/// Digest and length of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Of all bytes.
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
}

impl<W> From<Sha256Writer<W>> for Packed {
    fn from(writer: Sha256Writer<W>) -> Self {
        let (_, sha256, size) = writer.finish();
        Self { sha256, size }
    }
}

/// Why a group could not be compressed.
#[derive(Debug)]
pub(super) enum PackError {
    /// What it is made of cannot be read.
    Read(io::Error),
    /// A file of this machine changed meanwhile.
    Changed,
    /// It cannot be kept.
    Store(StoreError),
}

impl From<PackError> for ImageError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Read(source) => Self::Segment { what: "the layer".into(), source },
            PackError::Changed => Self::Changed,
            PackError::Store(error) => Self::Store(error),
        }
    }
}

/// The groups of a layer, in order.
pub(super) fn groups(pieces: &[Piece]) -> impl Iterator<Item = &[Piece]> {
    pieces.chunk_by(|a, b| a.group == b.group)
}

/// All groups of a layer compressed, in order; those that are not in the store yet are made, the largest first.
pub(super) fn pack_all(
    store: &Store,
    codec: Compression,
    pieces: &[Piece],
    progress: &dyn Progress,
) -> Result<Vec<Pack>, PackError> {
    let mut order: Vec<(usize, &[Piece])> = groups(pieces).enumerate().collect();
    order.sort_by_key(|(at, group)| (std::cmp::Reverse(total(group)), *at));
    let made = order.into_par_iter().with_max_len(1).map(|(at, group)| {
        let pack = pack(store, codec, group)?;
        progress.advance(total(group));
        Ok((at, pack))
    });
    let mut made = made.collect::<Result<Vec<_>, _>>()?;
    made.sort_by_key(|(at, _)| *at);
    Ok(made.into_iter().map(|(_, pack)| pack).collect())
}

/// One group compressed: from the store, or made and put there.
pub(super) fn pack(store: &Store, codec: Compression, group: &[Piece]) -> Result<Pack, PackError> {
    let (key, content) = key(codec, group).map_err(PackError::Read)?;
    if let Some(pack) = store.get(Shelf::Packs, &key).and_then(|path| load(path, &key)) {
        return Ok(pack);
    }
    make(store, codec, group, &key, content)
}

/// Compresses a package ahead of time, as the group that it is in a layer if nothing of it is altered.
///
/// # Errors
/// When the segment cannot be read, or the store not be written.
pub fn prepare(store: &Store, codec: Compression, segment: &Segment) -> Result<(), ImageError> {
    let end = segment.entries.iter().map(|entry| entry.span.end).max().unwrap_or(0);
    if end > 0 {
        let piece = Piece { source: Source::Segment(Arc::clone(&segment.file), 0..end), len: end, group: 0 };
        pack(store, codec, &[piece])?;
    }
    Ok(())
}

/// Whether the entry at `path` is sound under this key.
pub fn is_sound(path: &Path, key: &Sha256) -> bool {
    load(path.into(), key).is_some()
}

/// What decides over a group's compressed bytes; and the digest of its plain bytes where only that does.
fn key(codec: Compression, group: &[Piece]) -> io::Result<(Sha256, Option<Sha256>)> {
    let mut out = Sha256Writer::new(io::sink());
    out.write_all(b"compose pack")?;
    out.write_all(&FORMAT.to_le_bytes())?;
    out.write_all(&[match codec {
        Compression::Gzip => b'g',
        Compression::Zstd => b'z',
    }])?;
    let is_fixed = |piece: &Piece| !matches!(&piece.source, Source::Segment(file, _) if file.key().is_none());
    if !group.iter().all(is_fixed) {
        let mut content = Sha256Writer::new(io::sink());
        io::copy(&mut io::BufReader::with_capacity(CHUNK, Reader::new(group)), &mut content)?;
        let content = content.finish().1;
        out.write_all(b"c")?;
        out.write_all(content.bytes())?;
        return Ok((out.finish().1, Some(content)));
    }
    for piece in group {
        match &piece.source {
            Source::Segment(file, range) => {
                out.write_all(b"s")?;
                out.write_all(file.key().map_or(&[][..], |key| key.bytes()))?;
                out.write_all(&range.start.to_le_bytes())?;
                out.write_all(&range.end.to_le_bytes())?;
            }
            Source::Memory(bytes) => {
                out.write_all(b"m")?;
                out.write_all(&(bytes.len() as u64).to_le_bytes())?;
                out.write_all(Sha256::of(bytes).bytes())?;
            }
        }
    }
    Ok((out.finish().1, None))
}

fn make(
    store: &Store,
    codec: Compression,
    group: &[Piece],
    key: &Sha256,
    content: Option<Sha256>,
) -> Result<Pack, PackError> {
    let mut temp = store.temp().map_err(PackError::Store)?;
    let path = store.path(Shelf::Packs, key);
    let failed = |error| PackError::Store(StoreError::at("write", &path)(error));
    let mut plain = Sha256Writer::new(io::sink());
    let mut out = Sha256Writer::new(temp.as_file_mut());
    for blocks in blocks(group, BLOCK).chunks(AT_ONCE) {
        let made = blocks.par_iter().map(|block| {
            let bytes = block.read()?;
            let packed = compress::block(codec, &bytes)?;
            Ok((bytes, packed))
        });
        for (bytes, packed) in made.collect::<io::Result<Vec<_>>>().map_err(PackError::Read)? {
            if content.is_some() {
                plain.write_all(&bytes).map_err(PackError::Read)?;
            }
            packed.iter().try_for_each(|member| out.write_all(member)).map_err(failed)?;
        }
    }
    if content.is_some_and(|content| plain.finish().1 != content) {
        return Err(PackError::Changed);
    }
    let (file, sha256, len) = out.finish();
    file.write_all(&[key.bytes(), &sha256.bytes()[..], MAGIC].concat()).map_err(failed)?;
    let path = store.keep(Shelf::Packs, key, temp).map_err(PackError::Store)?;
    Ok(Pack { path, len })
}

/// The entry at `path`, read and checked whole.
fn load(path: PathBuf, key: &Sha256) -> Option<Pack> {
    let file = File::open(&path).ok()?;
    let len = file.metadata().ok()?.len().checked_sub(TRAILER)?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, len).ok()?;
    let mut sum = Sha256Writer::new(io::sink());
    copy(&mut file.take(len), &mut sum).ok()?;
    let expected = [key.bytes(), &sum.finish().1.bytes()[..], MAGIC].concat();
    (trailer[..] == expected).then_some(Pack { path, len })
}

/// What [`io::copy`] does, in larger steps.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buf = vec![0; CHUNK];
    let mut sum = 0;
    loop {
        match from.read(&mut buf) {
            Ok(0) => return Ok(sum),
            Ok(n) => {
                to.write_all(buf.get(..n).unwrap_or_default())?;
                sum += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Pack {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Writes the compressed bytes to `out`.
    ///
    /// # Errors
    /// When the entry cannot be read or `out` not be written; the two are not told apart.
    pub(super) fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let copied = copy(&mut File::open(&self.path)?.take(self.len), out)?;
        if copied == self.len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// All of them one after the other.
///
/// # Errors
/// As [`Pack::copy_to`].
pub(super) fn concat(packs: &[Pack], out: impl Write) -> io::Result<Packed> {
    let mut out = Sha256Writer::new(out);
    packs.iter().try_for_each(|pack| pack.copy_to(&mut out))?;
    out.flush()?;
    Ok(out.into())
}

/// The plain bytes of `pieces`, written to each of `sinks`.
///
/// # Errors
/// Reading, or writing to the sink with this number.
pub(super) fn plain(
    pieces: &[Piece],
    sinks: &mut [&mut File],
    progress: &dyn Progress,
) -> Result<Packed, (Option<usize>, io::Error)> {
    let mut hash = Sha256Writer::new(io::sink());
    let mut reader = Reader::new(pieces);
    let mut buf = vec![0; CHUNK];
    loop {
        let n = reader.read(&mut buf).map_err(|error| (None, error))?;
        if n == 0 {
            return Ok(hash.into());
        }
        let bytes = buf.get(..n).unwrap_or_default();
        for (at, sink) in sinks.iter_mut().enumerate() {
            sink.write_all(bytes).map_err(|error| (Some(at), error))?;
        }
        hash.write_all(bytes).map_err(|error| (None, error))?;
        progress.advance(n as u64);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        base::Silent,
        image::{layer, testing},
        tree::SegmentFile,
    };

    const CODECS: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

    fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(folder.path()).unwrap(), folder)
    }

    fn bytes(packs: &[Pack]) -> Vec<u8> {
        let mut out = Vec::new();
        let packed = concat(packs, &mut out).unwrap();
        assert_eq!(packed, Packed { sha256: Sha256::of(&out), size: out.len() as u64 });
        out
    }

    fn memory(bytes: &[u8], group: usize) -> Piece {
        Piece { len: bytes.len() as u64, source: Source::Memory(bytes.into()), group }
    }

    fn entries(store: &Store) -> Vec<PathBuf> {
        let folder = store.path(Shelf::Packs, &Sha256::of(b""));
        fs::read_dir(folder.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn all_forms_hold_the_same() {
        let (tree, _keep) = testing::big_tree();
        let pieces = layer::pieces(&tree);
        let (mut tar, (store, _folder)) = (tempfile::tempfile().unwrap(), store());
        let packed = plain(&pieces, &mut [&mut tar], &Silent).unwrap();
        let mut read = Vec::new();
        io::Seek::rewind(&mut tar).and_then(|()| tar.read_to_end(&mut read)).unwrap();
        assert!(read.len() > 2 * BLOCK, "several blocks are wanted here");
        assert_eq!(packed, Packed { sha256: Sha256::of(&read), size: read.len() as u64 });
        let [gzip, zstd] = CODECS.map(|codec| bytes(&pack_all(&store, codec, &pieces, &Silent).unwrap()));
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == read && zstd::decode_all(&zstd[..]).unwrap() == read);
    }

    #[test]
    fn threads_and_the_cut_into_pieces_change_nothing() {
        let (tree, _keep) = testing::big_tree();
        let whole = layer::pieces(&tree);
        let split: Vec<Piece> = whole
            .iter()
            .flat_map(|piece| {
                let mut bytes = vec![0; usize::try_from(piece.len).unwrap()];
                piece.read_at(&mut bytes, 0).unwrap();
                bytes.chunks(777_777).map(|part| memory(part, piece.group)).collect::<Vec<_>>()
            })
            .collect();
        assert!(split.len() > whole.len());
        let with = |threads, pieces: &[Piece]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (store, _folder) = store();
            CODECS.map(|codec| pool.install(|| bytes(&pack_all(&store, codec, pieces, &Silent).unwrap())))
        };
        let one = with(1, &whole);
        assert!(one == with(8, &whole), "1 and 8 threads");
        assert!(one == with(3, &split), "other pieces");
    }

    #[test]
    fn a_group_compresses_to_the_same_bytes_whatever_is_around_it() {
        let (a, b) = (testing::noise(3_000_000, 1), testing::noise(5_000_000, 2));
        let (store, _folder) = store();
        for codec in CODECS {
            let all = |pieces: &[Piece]| bytes(&pack_all(&store, codec, pieces, &Silent).unwrap());
            let both = all(&[memory(&a, 0), memory(&b, 1)]);
            assert!(both == [all(&[memory(&a, 0)]), all(&[memory(&b, 0)])].concat());
        }
        assert_eq!(entries(&store).len(), 4, "each group once for each codec");
    }

    #[test]
    fn what_is_damaged_is_made_anew() {
        let (store, _folder) = store();
        let group = [memory(&testing::noise(10_000, 1), 0)];
        let good = bytes(&[pack(&store, Compression::Gzip, &group).unwrap()]);
        let [entry] = &entries(&store)[..] else { panic!("one entry") };
        let whole = fs::read(entry).unwrap();
        let flipped = |at: usize| {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            bad
        };
        let short = |length: usize| whole[..length].to_vec();
        let other = {
            pack(&store, Compression::Gzip, &[memory(b"other", 0)]).unwrap();
            fs::read(entries(&store).iter().find(|path| *path != entry).unwrap()).unwrap()
        };
        for bad in [flipped(0), flipped(whole.len() / 2), flipped(whole.len() - 1), flipped(whole.len() - 20)]
            .into_iter()
            .chain([short(0), short(79), short(80), short(whole.len() - 1), other])
        {
            fs::write(entry, bad).unwrap();
            assert!(bytes(&[pack(&store, Compression::Gzip, &group).unwrap()]) == good);
            assert!(fs::read(entry).unwrap() == whole, "and it is sound again");
        }
    }

    #[test]
    fn the_key_is_made_of_what_decides() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "0123456789").unwrap();
        let piece = |file: SegmentFile, start: u64, end: u64| {
            [Piece { len: end - start, source: Source::Segment(Arc::new(file), start..end), group: 0 }]
        };
        let kept = |seed: &[u8]| SegmentFile::kept(&path, Sha256::of(seed));
        let key = |group: &[Piece]| key(Compression::Gzip, group).unwrap().0;
        let own = key(&piece(SegmentFile::new(&path), 0, 4));
        let all = [
            key(&piece(kept(b"a"), 0, 4)),
            key(&piece(kept(b"b"), 0, 4)),
            key(&piece(kept(b"a"), 0, 5)),
            key(&piece(kept(b"a"), 1, 4)),
            super::key(Compression::Zstd, &piece(kept(b"a"), 0, 4)).unwrap().0,
            key(&[memory(b"01", 0)]),
            key(&[memory(b"0", 0), memory(b"1", 0)]),
            own,
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
        // A file of this machine counts by its content, wherever it lies and however it is cut.
        let (copy, more) = (dir.path().join("copy"), piece(SegmentFile::new(&path), 2, 4));
        fs::write(&copy, "01234").unwrap();
        assert_eq!(key(&piece(SegmentFile::new(&copy), 0, 4)), own);
        assert_eq!(key(&[&piece(SegmentFile::new(&copy), 0, 2)[..], &more].concat()), own);
        fs::write(&path, "9876543210").unwrap();
        assert_ne!(key(&piece(SegmentFile::new(&path), 0, 4)), own);
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_told_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "before").unwrap();
        let group = [Piece { len: 6, source: Source::Segment(Arc::new(SegmentFile::new(&path)), 0..6), group: 0 }];
        let (store, _folder) = store();
        let (key, content) = key(Compression::Gzip, &group).unwrap();
        fs::write(&path, "after!").unwrap();
        assert!(matches!(make(&store, Compression::Gzip, &group, &key, content), Err(PackError::Changed)));
        assert!(entries(&store).is_empty());
    }

    #[test]
    fn failures_are_named() {
        let (store, folder) = store();
        let gone = SegmentFile::kept(&folder.path().join("gone"), Sha256::of(b"gone"));
        let group = [Piece { len: 6, source: Source::Segment(Arc::new(gone), 0..6), group: 0 }];
        assert!(matches!(pack(&store, Compression::Gzip, &group), Err(PackError::Read(_))));
        let full = &mut File::open("/dev/null").unwrap();
        assert!(matches!(plain(&[memory(b"x", 0)], &mut [full], &Silent), Err((Some(0), _))), "opened for reading");
        assert!(matches!(plain(&group, &mut [], &Silent), Err((None, _))));
        fs::remove_dir_all(folder.path().join("packs")).unwrap();
        assert!(matches!(pack(&store, Compression::Gzip, &[memory(b"x", 0)]), Err(PackError::Store(_))));
    }
}
