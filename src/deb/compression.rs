//! Streaming decoders for the compressions that dpkg knows, each with a bound on its output.
//!
//! In: a compressed stream. Out: the same decompressed, an error as soon as it exceeds its limit. Data behind the
//! compressed stream is an error, so that nothing hides there.

use std::io::{self, BufRead, Read};

use liblzma::stream::{CONCATENATED, Stream};

use super::{LimitReached, Limits};

/// A compression of `control.tar` or `data.tar` (deb(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
    Lzma,
}

impl Codec {
    /// By what follows `control.tar`.
    pub fn of_control_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            "" => Some(Self::Plain),
            ".gz" => Some(Self::Gzip),
            ".xz" => Some(Self::Xz),
            ".zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// By what follows `data.tar`.
    pub fn of_data_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            ".bz2" => Some(Self::Bzip2),
            ".lzma" => Some(Self::Lzma),
            _ => Self::of_control_suffix(suffix),
        }
    }

    /// By how a file begins.
    pub fn of_magic(head: &[u8]) -> Self {
        let magics: [(&[u8], Self); 4] = [
            (b"\x1f\x8b", Self::Gzip),
            (b"\xfd7zXZ\0", Self::Xz),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"BZh", Self::Bzip2),
        ];
        magics.iter().find(|(magic, _)| head.starts_with(magic)).map_or(Self::Plain, |(_, codec)| *codec)
    }
}

/// Decompresses `input`, at most `limit` bytes; `what` names them in the error.
///
/// # Errors
/// When the decoder cannot be set up.
pub(super) fn decoder<'a>(
    codec: Codec,
    input: impl BufRead + Send + 'a,
    limit: u64,
    what: &'static str,
    limits: &Limits,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let memory = limits.decoder_memory;
    Ok(match codec {
        Codec::Plain => capped(input, limit, what),
        Codec::Gzip => capped(flate2::bufread::MultiGzDecoder::new(input), limit, what),
        Codec::Xz => {
            let stream = Stream::new_stream_decoder(memory, CONCATENATED).map_err(io::Error::other)?;
            capped(liblzma::bufread::XzDecoder::new_stream(input, stream), limit, what)
        }
        Codec::Lzma => {
            let stream = Stream::new_lzma_decoder(memory).map_err(io::Error::other)?;
            capped(Sole { decoder: liblzma::bufread::XzDecoder::new_stream(input, stream), done: false }, limit, what)
        }
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            // The window is the decoder's memory: a power of two.
            decoder.window_log_max(memory.max(1 << 10).ilog2().min(31))?;
            capped(decoder, limit, what)
        }
        Codec::Bzip2 => capped(bzip2::bufread::MultiBzDecoder::new(input), limit, what),
    })
}

fn capped<'a>(inner: impl Read + Send + 'a, limit: u64, what: &'static str) -> Box<dyn Read + Send + 'a> {
    Box::new(Capped { inner, left: limit, limit, what })
}

/// Fails as soon as more than `limit` bytes come.
struct Capped<R> {
    inner: R,
    left: u64,
    limit: u64,
    what: &'static str,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.left = (self.left.checked_sub(n as u64))
            .ok_or_else(|| io::Error::other(LimitReached { what: self.what, limit: self.limit }))?;
        Ok(n)
    }
}

/// `.lzma` has no concatenation, so its decoder stops at the end of the stream: look whether anything follows.
struct Sole<R> {
    decoder: liblzma::bufread::XzDecoder<R>,
    done: bool,
}

impl<R: BufRead> Read for Sole<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = if self.done { 0 } else { self.decoder.read(buf)? };
        if n == 0 && !buf.is_empty() && !self.done {
            self.done = true;
            if !self.decoder.get_mut().fill_buf()?.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "data behind the end of the lzma stream"));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(codec: Codec, packed: &[u8], limits: &Limits) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decoder(codec, packed, limits.data, "bytes", limits)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn each_codec_decodes_stops_at_its_limit_and_refuses_what_follows() {
        let plain: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        for codec in [Codec::Plain, Codec::Gzip, Codec::Xz, Codec::Zstd, Codec::Bzip2, Codec::Lzma] {
            let packed = super::super::fixture::pack(codec, &plain);
            let exact = Limits { data: plain.len() as u64, ..Limits::default() };
            assert!(read(codec, &packed, &exact).unwrap() == plain, "{codec:?}");
            let error = read(codec, &packed, &Limits { data: exact.data - 1, ..exact.clone() }).unwrap_err();
            assert_eq!(error.downcast::<LimitReached>().unwrap().limit, exact.data - 1, "{codec:?}");
            if codec == Codec::Plain {
                continue;
            }
            let cut = &packed[..packed.len() - 5];
            assert!(read(codec, cut, &exact).is_err(), "{codec:?} truncated");
            let more = [&packed[..], b"GARBAGE!"].concat();
            assert!(read(codec, &more, &exact).is_err(), "{codec:?} with a tail");
        }
    }

    #[test]
    fn a_decoder_that_wants_too_much_memory_is_refused() {
        let limits = Limits { decoder_memory: 1 << 20, ..Limits::default() };
        for codec in [Codec::Xz, Codec::Lzma, Codec::Zstd] {
            let packed = super::super::fixture::pack(codec, &vec![1; 9 << 20]);
            assert!(read(codec, &packed, &Limits::default()).is_ok(), "{codec:?}");
            assert!(read(codec, &packed, &limits).is_err(), "{codec:?}");
        }
    }
}
