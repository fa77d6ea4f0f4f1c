//! Groups of a layer, compressed: each is made once and kept in the store, so that a rebuild puts together what is there.
//!
//! In: the [`Piece`]s of one group, a codec. Out: a [`Pack`], a file of the store whose beginning is a run of gzip
//! members or zstd frames. Behind it stand its key and the SHA-256 of the run and a magic: what was cut short, damaged
//! or misplaced is made anew, never used.
//!
//! The key of a package's group follows from its segment's. What is in memory is hashed. A file of this machine has the
//! digest that it had when it was taken into the tree, and whoever reads it compares: one that has changed since is told,
//! and never becomes another one's entry.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    FORMAT, ImageError,
    compress::{self, BLOCK},
    layer::{Piece, Source, blocks, total},
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let key = key(codec, group).map_err(PackError::Read)?;
    if let Some(path) = store.get(Shelf::Packs, &key) {
        match load(path, &key) {
            Some(pack) => return Ok(pack),
            None => store.found_damaged(Shelf::Packs, &key, &"a part of a layer, compressed"),
        }
    }
    make(store, codec, group, &key)
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

/// What decides over a group's compressed bytes.
fn key(codec: Compression, group: &[Piece]) -> io::Result<Sha256> {
    let mut out = Sha256Writer::new(io::sink());
    out.write_all(b"compose pack")?;
    out.write_all(&FORMAT.to_le_bytes())?;
    out.write_all(&[match codec {
        Compression::Gzip => b'g',
        Compression::Zstd => b'z',
    }])?;
    for piece in group {
        match &piece.source {
            Source::Segment(file, range) => {
                let key = file.key().ok_or_else(|| io::Error::other("a segment without a key"))?;
                out.write_all(b"s")?;
                out.write_all(key.bytes())?;
                out.write_all(&range.start.to_le_bytes())?;
                out.write_all(&range.end.to_le_bytes())?;
            }
            Source::File(content) => {
                out.write_all(b"f")?;
                out.write_all(&piece.len.to_le_bytes())?;
                out.write_all(content.sha256()?.bytes())?;
            }
            Source::Memory(bytes) => {
                out.write_all(b"m")?;
                out.write_all(&(bytes.len() as u64).to_le_bytes())?;
                out.write_all(Sha256::of(bytes).bytes())?;
            }
        }
    }
    Ok(out.finish().1)
}

fn make(store: &Store, codec: Compression, group: &[Piece], key: &Sha256) -> Result<Pack, PackError> {
    let mut temp = store.temp().map_err(PackError::Store)?;
    let path = store.path(Shelf::Packs, key);
    let most = group.iter().map(|piece| piece.len).sum();
    let failed = |error| PackError::Store(StoreError::writing(&path, most)(error));
    let mut watch = Watch::default();
    let mut out = Sha256Writer::new(temp.as_file_mut());
    for blocks in blocks(group, BLOCK).chunks(AT_ONCE) {
        let made = blocks.par_iter().map(|block| {
            let bytes = block.read()?;
            let packed = compress::block(codec, &bytes)?;
            Ok((block, bytes, packed))
        });
        for (block, bytes, packed) in made.collect::<io::Result<Vec<_>>>().map_err(PackError::Read)? {
            for (piece, offset, range) in block.parts() {
                if !watch.sees(piece, offset, bytes.get(range).unwrap_or_default()).map_err(PackError::Read)? {
                    return Err(PackError::Changed);
                }
            }
            packed.iter().try_for_each(|member| out.write_all(member)).map_err(failed)?;
        }
    }
    let (file, sha256, len) = out.finish();
    file.write_all(&[key.bytes(), &sha256.bytes()[..], MAGIC].concat()).map_err(failed)?;
    let path = store.keep(Shelf::Packs, key, temp).map_err(PackError::Store)?;
    Ok(Pack { path, len })
}

/// Sees files of this machine go by, part after part, and knows whether they are what they were.
#[derive(Default)]
struct Watch(Option<Sha256Writer<io::Sink>>);

impl Watch {
    /// The next bytes of `piece`, from `offset` on; `false` if they were the last and the whole has another digest.
    fn sees(&mut self, piece: &Piece, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let Source::File(content) = &piece.source else { return Ok(true) };
        let mut hash = self.0.take().filter(|_| offset > 0).unwrap_or_else(|| Sha256Writer::new(io::sink()));
        // Nothing fails in a sink.
        let _ = hash.write_all(bytes);
        if offset + bytes.len() as u64 == piece.len {
            return Ok(hash.finish().1 == content.sha256()?);
        }
        self.0 = Some(hash);
        Ok(true)
    }
}

/// The entry at `path`, read and checked whole.
fn load(path: PathBuf, key: &Sha256) -> Option<Pack> {
    let file = File::open(&path).ok()?;
    let len = file.metadata().ok()?.len().checked_sub(TRAILER)?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, len).ok()?;
    let (sum, _) = Sha256::of_reader(file.take(len)).ok()?;
    let expected = [key.bytes(), &sum.bytes()[..], MAGIC].concat();
    (trailer[..] == expected).then_some(Pack { path, len })
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
        let file = io::BufReader::with_capacity(CHUNK, File::open(&self.path)?);
        let copied = io::copy(&mut file.take(self.len), out)?;
        if copied == self.len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The bytes of all of them one after the other, from `from` on, read as they are asked for.
pub(super) fn reader(packs: &[Pack], from: u64) -> impl Read {
    let mut skip = from;
    let mut rest = packs.iter().filter_map(move |pack| {
        let start = skip.min(pack.len);
        skip -= start;
        (start < pack.len).then_some((pack, start))
    });
    let mut open: Option<io::Take<File>> = None;
    FromFn(move |buf: &mut [u8]| {
        loop {
            if let Some(file) = &mut open {
                match file.read(buf)? {
                    0 if file.limit() > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    0 => {}
                    n => return Ok(n),
                }
            }
            let Some((pack, start)) = rest.next() else { return Ok(0) };
            let mut file = File::open(&pack.path)?;
            file.seek(io::SeekFrom::Start(start))?;
            open = Some(file.take(pack.len - start));
        }
    })
}

struct FromFn<F>(F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for FromFn<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() { Ok(0) } else { (self.0)(buf) }
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

/// Why a plain layer could not be read or written.
#[derive(Debug)]
pub(super) enum PlainError {
    /// What it is made of cannot be read.
    Read(io::Error),
    /// A file of this machine changed meanwhile.
    Changed,
    /// The sink with this number cannot be written.
    Write(usize, io::Error),
}

/// The plain bytes of `pieces`, written to each of `sinks`.
pub(super) fn plain(pieces: &[Piece], sinks: &mut [&mut File], progress: &dyn Progress) -> Result<Packed, PlainError> {
    let (mut hash, mut watch) = (Sha256Writer::new(io::sink()), Watch::default());
    let mut buf = vec![0; CHUNK];
    for piece in pieces {
        let mut offset = 0;
        while offset < piece.len {
            let n = usize::try_from(piece.len - offset).unwrap_or(usize::MAX).min(CHUNK);
            let bytes = buf.get_mut(..n).unwrap_or_default();
            piece.read_at(bytes, offset).map_err(PlainError::Read)?;
            if !watch.sees(piece, offset, bytes).map_err(PlainError::Read)? {
                return Err(PlainError::Changed);
            }
            for (at, sink) in sinks.iter_mut().enumerate() {
                sink.write_all(bytes).map_err(|error| PlainError::Write(at, error))?;
            }
            hash.write_all(bytes).map_err(PlainError::Read)?;
            offset += n as u64;
            progress.advance(n as u64);
        }
    }
    Ok(hash.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        base::Silent,
        image::{layer, testing},
        tree::{Content, SegmentFile},
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
    fn they_are_read_from_anywhere() {
        let (store, _folder) = store();
        let noise = testing::noise(9_000, 1);
        let pieces: Vec<Piece> = noise.chunks(3_000).enumerate().map(|(at, part)| memory(part, at)).collect();
        let packs = pack_all(&store, Compression::Gzip, &pieces, &Silent).unwrap();
        let all = bytes(&packs);
        let first = usize::try_from(packs[0].len()).unwrap();
        for from in [0, 1, first - 1, first, first + 1, all.len() - 1, all.len(), all.len() + 1] {
            let mut out = Vec::new();
            reader(&packs, from as u64).read_to_end(&mut out).unwrap();
            assert!(out == all[from.min(all.len())..], "from {from}");
        }
        File::options().write(true).open(&packs[1].path).unwrap().set_len(10).unwrap();
        let cut = reader(&packs, 0).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
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
        let piece = |source, len| [Piece { len, source, group: 0 }];
        let kept = |seed: &[u8]| Arc::new(SegmentFile::kept(Path::new("/nowhere"), Sha256::of(seed)));
        let segment = |seed, start: u64, end: u64| piece(Source::Segment(kept(seed), start..end), end - start);
        let own = |at: &str, sha256: Sha256, length| Content::Segment {
            file: Arc::new(SegmentFile::new(Path::new(at))),
            range: 0..length,
            sha256: sha256.into(),
        };
        let file = |at: &str, seed: &[u8]| piece(Source::File(own(at, Sha256::of(seed), 4)), 4);
        let key = |group: &[Piece]| key(Compression::Gzip, group).unwrap();
        let all = [
            key(&segment(b"a", 0, 4)),
            key(&segment(b"b", 0, 4)),
            key(&segment(b"a", 0, 5)),
            key(&segment(b"a", 1, 4)),
            super::key(Compression::Zstd, &segment(b"a", 0, 4)).unwrap(),
            key(&[memory(b"01", 0)]),
            key(&[memory(b"0", 0), memory(b"1", 0)]),
            key(&file("/a", b"a")),
            key(&file("/a", b"b")),
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
        // A file of this machine counts by its content, wherever it lies.
        assert_eq!(key(&file("/a", b"a")), key(&file("/b", b"a")));
    }

    #[test]
    fn a_file_that_has_changed_is_told_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content = testing::noise(BLOCK + 1000, 1);
        let own = Arc::new(SegmentFile::new(&path));
        let file = || {
            let (file, range) = (Arc::clone(&own), 0..content.len() as u64);
            Source::File(Content::Segment { file, range, sha256: Sha256::of(&content).into() })
        };
        let group = [memory(b"before", 0), Piece { len: content.len() as u64, source: file(), group: 0 }];
        let mut changed = content.clone();
        changed[BLOCK + 500] ^= 1;
        for (bytes, is_same) in [(changed, false), (content.clone(), true)] {
            fs::write(&path, bytes).unwrap();
            let (store, _folder) = store();
            match pack(&store, Compression::Gzip, &group) {
                Ok(_) => assert!(is_same),
                Err(error) => assert!(!is_same && matches!(error, PackError::Changed), "{error:?}"),
            }
            assert_eq!(entries(&store).len(), usize::from(is_same));
            match plain(&group, &mut [], &Silent) {
                Ok(_) => assert!(is_same),
                Err(error) => assert!(!is_same && matches!(error, PlainError::Changed), "{error:?}"),
            }
        }
    }

    #[test]
    fn failures_are_named() {
        let (store, folder) = store();
        let gone = SegmentFile::kept(&folder.path().join("gone"), Sha256::of(b"gone"));
        let group = [Piece { len: 6, source: Source::Segment(Arc::new(gone), 0..6), group: 0 }];
        assert!(matches!(pack(&store, Compression::Gzip, &group), Err(PackError::Read(_))));
        let full = &mut File::open("/dev/null").unwrap();
        assert!(
            matches!(plain(&[memory(b"x", 0)], &mut [full], &Silent), Err(PlainError::Write(0, _))),
            "opened for reading"
        );
        assert!(matches!(plain(&group, &mut [], &Silent), Err(PlainError::Read(_))));
        fs::remove_dir_all(folder.path().join("packs")).unwrap();
        assert!(matches!(pack(&store, Compression::Gzip, &[memory(b"x", 0)]), Err(PackError::Store(_))));
    }
}
