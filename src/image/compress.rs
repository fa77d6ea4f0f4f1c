//! The codecs of layers.
//!
//! In: a block of plain bytes. Out: gzip members (RFC 1952, section 2.2) or a zstd frame (RFC 8878, section 3); both
//! formats allow any number of them in one stream. Each is a function of its bytes alone: no time, no name, one thread
//! that sees all of it, and the codecs' versions are those of Cargo.lock.

use std::io;

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;

use crate::manifest::Compression;

// Measured with 43 MB of Python, its standard library and libraries, one thread (November 2026):
//
//   zlib 6        15.22 MB  1.9 s     libdeflate 6   15.10 MB  0.5 s     zstd  3  13.85 MB   0.4 s
//   zlib 9        15.14 MB  6.4 s     libdeflate 7   15.01 MB  0.7 s     zstd  9  12.85 MB   1.2 s
//                                     libdeflate 8   14.96 MB  1.3 s     zstd 15  12.68 MB   9   s
//                                     libdeflate 12  14.49 MB  6.2 s     zstd 19  11.48 MB  50   s
//
// Both stop before their cost jumps. Any change of these numbers, or of a codec's version if its output differs,
// changes layer digests: raise [`super::FORMAT`] with it.

/// A zstd frame holds this many bytes of one group; also the unit of reading. A multiple of [`GZIP_BLOCK`].
pub(super) const BLOCK: usize = 4 << 20;
/// A gzip member holds this many bytes: its window is only 32 KiB, so small blocks cost little.
const GZIP_BLOCK: usize = 1 << 20;
/// Of 12.
const GZIP_LEVEL: i32 = 7;
/// Of 22.
const ZSTD_LEVEL: i32 = 9;

/// The media type of a layer (OCI image-spec, layer.md).
pub fn media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// One block of at most [`BLOCK`] bytes, compressed: parts to be written one after the other.
pub(super) fn block(codec: Compression, plain: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    match codec {
        Compression::Gzip => plain.par_chunks(GZIP_BLOCK).map(gzip_member).collect(),
        Compression::Zstd => Ok(vec![zstd_frame(plain)?]),
    }
}

/// Without time and name; the operating system is "unknown" (libdeflate's way).
fn gzip_member(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut compressor = Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut out).map_err(io::Error::other)?;
    out.truncate(length);
    Ok(out)
}

/// With the content's size, so that readers can allocate, and with a checksum, so that `zstd -t` finds damage in a
/// `.tar.zst` that no digest goes with.
fn zstd_frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut context = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    context.include_contentsize(true)?;
    context.include_checksum(true)?;
    context.compress(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::image::testing;

    #[test]
    fn blocks_are_read_back_and_say_nothing_of_their_making() {
        for length in [1, GZIP_BLOCK, BLOCK] {
            let plain = testing::noise(length, 5);
            let gzip = block(Compression::Gzip, &plain).unwrap();
            assert_eq!(gzip.len(), length.div_ceil(GZIP_BLOCK));
            let mut read = Vec::new();
            flate2::read::MultiGzDecoder::new(&gzip.concat()[..]).read_to_end(&mut read).unwrap();
            assert!(read == plain);
            // RFC 1952, 2.3.1: no flags, no time; 255 for the operating system.
            assert!(gzip.iter().all(|m| (&m[..8], m[9]) == (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..], 255)));
            let zstd = block(Compression::Zstd, &plain).unwrap();
            assert!(zstd.len() == 1 && zstd::decode_all(&zstd[0][..]).unwrap() == plain);
        }
    }
}
