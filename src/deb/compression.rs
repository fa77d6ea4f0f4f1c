//! Streaming decoders for the compressions that dpkg knows, each with a bound on its output.
//!
//! In: a compressed stream. Out: the same decompressed, an error as soon as it exceeds its limit. Data behind the
//! compressed stream is an error, so that nothing hides there.

use std::io::{self, BufRead, Read};

use liblzma::stream::{CONCATENATED, Stream};

use super::{LimitReached, Limits, limits::Bound};

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

/// How many compressed streams may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// As dpkg reads a package: of xz, zstd and bzip2 it takes the first and passes over the rest, so that what lies there
    /// is seen by some readers and not by others. gzip alone may have several members.
    One,
    /// As the codecs' own programs do.
    Several,
}

/// Decompresses `input`, as much as `bound` allows.
///
/// # Errors
/// When the decoder cannot be set up.
pub(super) fn decoder<'a>(
    codec: Codec,
    input: impl BufRead + Send + 'a,
    streams: Streams,
    bound: &Bound,
    limits: &Limits,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let one = streams == Streams::One;
    let memory = limits.decoder_memory;
    let full = LimitReached::new(bound.what, (bound.limit)(limits)).key(bound.key);
    Ok(match codec {
        Codec::Plain => capped(input, memory, full),
        Codec::Gzip => capped(flate2::bufread::MultiGzDecoder::new(input), memory, full),
        Codec::Xz => {
            let flags = if one { 0 } else { CONCATENATED };
            let stream = Stream::new_stream_decoder(memory, flags).map_err(io::Error::other)?;
            let decoder = liblzma::bufread::XzDecoder::new_stream(input, stream);
            if one { sole(decoder, |d| at_end(d.get_mut()), memory, full) } else { capped(decoder, memory, full) }
        }
        Codec::Lzma => {
            let stream = Stream::new_lzma_decoder(memory).map_err(io::Error::other)?;
            let decoder = liblzma::bufread::XzDecoder::new_stream(input, stream);
            sole(decoder, |d| at_end(d.get_mut()), memory, full)
        }
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            // The window is the decoder's memory: a power of two.
            decoder.window_log_max(memory.max(1 << 10).ilog2().min(31))?;
            match one {
                true => sole(decoder.single_frame(), |d| at_end(d.get_mut()), memory, full),
                false => capped(decoder, memory, full),
            }
        }
        Codec::Bzip2 if one => sole(bzip2::bufread::BzDecoder::new(input), |d| at_end(d.get_mut()), memory, full),
        Codec::Bzip2 => capped(bzip2::bufread::MultiBzDecoder::new(input), memory, full),
    })
}

fn capped<'a>(inner: impl Read + Send + 'a, memory: u64, full: LimitReached) -> Box<dyn Read + Send + 'a> {
    Box::new(Capped { inner, left: full.limit, memory, full })
}

/// Fails as soon as more bytes come than `full` says.
struct Capped<R> {
    inner: R,
    left: u64,
    /// What the decoder was told that it may take.
    memory: u64,
    full: LimitReached,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf).map_err(|error| match wants_memory(&error) {
            true => io::Error::other(
                LimitReached::new("bytes of memory for its decoder", self.memory).key("decoder-memory"),
            ),
            false => error,
        })?;
        self.left = (self.left.checked_sub(n as u64)).ok_or_else(|| io::Error::other(self.full.clone()))?;
        Ok(n)
    }
}

/// Whether a decoder failed for want of the memory that it may take.
fn wants_memory(error: &io::Error) -> bool {
    use liblzma::stream::Error::MemLimit;
    let lzma = error.get_ref().and_then(|inner| inner.downcast_ref::<liblzma::stream::Error>());
    // zstd has no type for it: ZSTD_error_frameParameter_windowTooLarge, by its text.
    matches!(lzma, Some(MemLimit)) || error.to_string().contains("Frame requires too much memory")
}

/// A decoder that stops at the end of its stream; `at_end` tells whether the input does so too.
struct Sole<D> {
    decoder: D,
    at_end: fn(&mut D) -> io::Result<bool>,
    done: bool,
}

fn sole<'a, D: Read + Send + 'a>(
    decoder: D,
    at_end: fn(&mut D) -> io::Result<bool>,
    memory: u64,
    full: LimitReached,
) -> Box<dyn Read + Send + 'a> {
    capped(Sole { decoder, at_end, done: false }, memory, full)
}

fn at_end(input: &mut impl BufRead) -> io::Result<bool> {
    input.fill_buf().map(<[u8]>::is_empty)
}

impl<D: Read> Read for Sole<D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = if self.done { 0 } else { self.decoder.read(buf)? };
        if n == 0 && !buf.is_empty() && !self.done {
            self.done = true;
            if !(self.at_end)(&mut self.decoder)? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "data behind the end of the compressed stream"));
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
        decoder(codec, packed, Streams::Several, &super::super::limits::FILES, limits)?.read_to_end(&mut out)?;
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
            let error = read(codec, &packed, &limits).unwrap_err();
            assert_eq!(error.downcast::<LimitReached>().unwrap().key, Some("decoder-memory"), "{codec:?}");
        }
    }
}
