//! One pass over a layer: plain, gzip and zstd at once, each written and hashed in order.
//!
//! In: the [`Piece`]s of a layer, a writer for each form wanted. Out: their digests and sizes.
//!
//! Each group of pieces is cut into blocks; each block becomes a gzip member (RFC 1952, section 2.2) or a zstd frame
//! (RFC 8878, section 3) of its own, which both formats allow in one stream. Blocks are compressed in parallel, each
//! fed to the codec whole by one thread, and written in order: the bytes depend on the layer alone, not on threads,
//! on how pieces are cut, or on the sizes of writes. Two batches of blocks are in memory at a time.

use std::io::{self, Write};

use flate2::GzBuilder;
use rayon::prelude::*;

use super::layer::{Block, Piece, blocks};
use crate::{
    base::{Progress, Sha256, Sha256Writer},
    manifest::Compression,
};

// Measured with 41 MB of Python, its standard library and libraries, two busy cores (November 2026):
//
//   gzip 6  14.64 MB  0.6 s     zstd  3  13.85 MB   0.2 s
//   gzip 7  14.55 MB  1.0 s     zstd  9  12.85 MB   0.6 s
//   gzip 9  14.14 MB  1.8 s     zstd 15  12.68 MB   5.0 s
//   (in 4 MiB: 14.12 MB)        zstd 19  11.48 MB  26.4 s
//
// gzip has its best level, as every pull pays for what is left out here; zstd stops before its cost jumps. Any change
// of these numbers changes layer digests: raise [`super::FORMAT`] with it.

/// A zstd frame holds this many bytes of one group; also the unit of reading. A multiple of [`GZIP_BLOCK`].
const BLOCK: usize = 4 << 20;
/// A gzip member holds this many bytes: its window is only 32 KiB, so small blocks cost little.
const GZIP_BLOCK: usize = 1 << 20;
/// Of 9.
const GZIP_LEVEL: u32 = 9;
/// Of 22.
const ZSTD_LEVEL: i32 = 9;

/// Digest and length of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Of all bytes.
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
}

/// The media type of a layer (OCI image-spec, layer.md).
pub fn media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// Where each form of a layer goes; `None` when nobody wants it.
#[derive(Default)]
pub(super) struct Sinks<'a> {
    pub(super) plain: Option<&'a mut (dyn Write + Send)>,
    pub(super) gzip: Option<&'a mut (dyn Write + Send)>,
    pub(super) zstd: Option<&'a mut (dyn Write + Send)>,
}

/// What was written to each sink; the plain form is hashed in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) plain: Packed,
    pub(super) gzip: Option<Packed>,
    pub(super) zstd: Option<Packed>,
}

/// Which of the streams a failure belongs to.
#[derive(Debug)]
pub(super) enum PackError {
    Read(io::Error),
    Plain(io::Error),
    Gzip(io::Error),
    Zstd(io::Error),
}

/// Writes the layer to all `sinks`.
pub(super) fn pack(pieces: &[Piece], sinks: Sinks<'_>, progress: &dyn Progress) -> Result<Forms, PackError> {
    let (gzip, zstd) = (sinks.gzip.is_some(), sinks.zstd.is_some());
    let mut nowhere = io::sink();
    let mut plain_out = Sha256Writer::new(sinks.plain.unwrap_or(&mut nowhere));
    let mut gzip_out = sinks.gzip.map(Sha256Writer::new);
    let mut zstd_out = sinks.zstd.map(Sha256Writer::new);
    let mut write = |done: Vec<Done>| -> Result<(), PackError> {
        for Done { plain, gzip, zstd } in done {
            plain_out.write_all(&plain).map_err(PackError::Plain)?;
            if let Some(out) = &mut gzip_out {
                gzip.iter().try_for_each(|member| out.write_all(member)).map_err(PackError::Gzip)?;
            }
            if let Some(out) = &mut zstd_out {
                out.write_all(&zstd).map_err(PackError::Zstd)?;
            }
            progress.advance(plain.len() as u64);
        }
        Ok(())
    };

    let blocks = blocks(pieces, BLOCK);
    let mut rest = &blocks[..];
    let mut before = Vec::new();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(batch(rest));
        rest = later;
        let last = std::mem::take(&mut before);
        // While this batch is compressed, the one before it is written.
        let (made, written) = rayon::join(
            || now.par_iter().map(|block| make(block, gzip, zstd)).collect::<Result<Vec<_>, _>>(),
            || write(last),
        );
        written?;
        before = made?;
    }
    write(before)?;

    plain_out.flush().map_err(PackError::Plain)?;
    gzip_out.as_mut().map_or(Ok(()), Write::flush).map_err(PackError::Gzip)?;
    zstd_out.as_mut().map_or(Ok(()), Write::flush).map_err(PackError::Zstd)?;
    Ok(Forms { plain: packed(plain_out), gzip: gzip_out.map(packed), zstd: zstd_out.map(packed) })
}

/// One block in all forms that are wanted.
struct Done {
    plain: Vec<u8>,
    gzip: Vec<Vec<u8>>,
    zstd: Vec<u8>,
}

fn make(block: &Block<'_>, gzip: bool, zstd: bool) -> Result<Done, PackError> {
    let plain = block.read().map_err(PackError::Read)?;
    let members = || {
        let members = plain.par_chunks(GZIP_BLOCK).map(gzip_member);
        if gzip { members.collect::<Result<_, _>>() } else { Ok(Vec::new()) }
    };
    let frame = || if zstd { zstd_frame(&plain) } else { Ok(Vec::new()) };
    let (gzip, zstd) = rayon::join(members, frame);
    Ok(Done { gzip: gzip.map_err(PackError::Gzip)?, zstd: zstd.map_err(PackError::Zstd)?, plain })
}

/// How many of `blocks` are taken at a time: some two full ones for each thread.
fn batch(blocks: &[Block<'_>]) -> usize {
    let limit = 2 * BLOCK * rayon::current_num_threads();
    let sums = blocks.iter().scan(0, |sum, block| {
        let before = *sum;
        *sum += block.len;
        Some(before)
    });
    sums.take_while(|before| *before < limit).count()
}

/// No time and no name; 255 means "unknown operating system".
fn gzip_member(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len() / 2);
    let mut writer = GzBuilder::new().mtime(0).operating_system(255).write(out, flate2::Compression::new(GZIP_LEVEL));
    writer.write_all(bytes)?;
    writer.finish()
}

/// With the content's size, so that readers can allocate, and with a checksum, so that `zstd -t` finds damage in a
/// `.tar.zst` that no digest goes with.
fn zstd_frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut context = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    context.include_contentsize(true)?;
    context.include_checksum(true)?;
    context.compress(bytes)
}

fn packed<W>(writer: Sha256Writer<W>) -> Packed {
    let (_, sha256, size) = writer.finish();
    Packed { sha256, size }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{io::Read, sync::Arc};

    use super::*;
    use crate::{
        base::Silent,
        image::{
            layer::{Source, pieces},
            testing,
        },
    };

    fn all(pieces: &[Piece]) -> (Forms, [Vec<u8>; 3]) {
        let mut out = [Vec::new(), Vec::new(), Vec::new()];
        let [plain, gzip, zstd] = &mut out;
        let sinks = Sinks { plain: Some(plain), gzip: Some(gzip), zstd: Some(zstd) };
        let forms = pack(pieces, sinks, &Silent).unwrap();
        (forms, out)
    }

    #[test]
    fn all_forms_hold_the_same_and_say_what_they_are() {
        let (tree, _keep) = testing::big_tree();
        let (forms, [plain, gzip, zstd]) = all(&pieces(&tree));
        assert!(plain.len() > 2 * BLOCK, "several blocks are wanted here");
        let mut read = Vec::new();
        flate2::read::MultiGzDecoder::new(&gzip[..]).read_to_end(&mut read).unwrap();
        assert!(read == plain);
        assert!(zstd::decode_all(&zstd[..]).unwrap() == plain);
        for (packed, bytes) in [(Some(forms.plain), &plain), (forms.gzip, &gzip), (forms.zstd, &zstd)] {
            assert_eq!(packed, Some(Packed { sha256: Sha256::of(bytes), size: bytes.len() as u64 }));
        }
        // RFC 1952, 2.3.1: no flags, no time; 255 for the operating system.
        assert_eq!((&gzip[..8], gzip[9]), (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..], 255));
    }

    #[test]
    fn threads_and_the_cut_into_pieces_change_nothing() {
        let (tree, _keep) = testing::big_tree();
        let whole = pieces(&tree);
        let split: Vec<Piece> = whole
            .iter()
            .flat_map(|piece| {
                let mut bytes = vec![0; usize::try_from(piece.len).unwrap()];
                piece.read_at(&mut bytes, 0).unwrap();
                let parts: Vec<Arc<[u8]>> = bytes.chunks(777_777).map(Into::into).collect();
                let piece = |part: Arc<[u8]>| Piece {
                    len: part.len() as u64,
                    source: Source::Memory(part),
                    group: piece.group,
                };
                parts.into_iter().map(piece).collect::<Vec<_>>()
            })
            .collect();
        assert!(split.len() > whole.len());
        let with = |threads, pieces: &[Piece]| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| all(pieces))
        };
        let one = with(1, &whole);
        assert!(one == with(8, &whole), "1 and 8 threads");
        assert!(one == with(3, &split), "other pieces");
    }

    #[test]
    fn a_group_compresses_to_the_same_bytes_whatever_is_around_it() {
        let piece =
            |bytes: &[u8], group| Piece { len: bytes.len() as u64, source: Source::Memory(bytes.into()), group };
        let (a, b) = (testing::noise(3_000_000, 1), testing::noise(5_000_000, 2));
        let (_, [_, gzip, zstd]) = all(&[piece(&a, 0), piece(&b, 1)]);
        let (_, [_, gzip_a, zstd_a]) = all(&[piece(&a, 0)]);
        let (_, [_, gzip_b, zstd_b]) = all(&[piece(&b, 0)]);
        assert!(gzip == [gzip_a, gzip_b].concat() && zstd == [zstd_a, zstd_b].concat());
    }

    #[test]
    fn a_failing_sink_is_named() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (tree, _keep) = testing::tree();
        let pieces = pieces(&tree);
        let run = |sinks: Sinks<'_>| pack(&pieces, sinks, &Silent).unwrap_err();
        assert!(matches!(run(Sinks { plain: Some(&mut Full), ..Sinks::default() }), PackError::Plain(_)));
        assert!(matches!(run(Sinks { gzip: Some(&mut Full), ..Sinks::default() }), PackError::Gzip(_)));
        assert!(matches!(run(Sinks { zstd: Some(&mut Full), ..Sinks::default() }), PackError::Zstd(_)));
    }
}
