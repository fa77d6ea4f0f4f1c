//! SHA-256 as a value, and a writer that computes one in passing.

use std::{fmt, io, str::FromStr};

use sha2::Digest as _;

/// How much is read at a time, bytes.
const STEP: usize = 256 << 10;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a SHA-256 digest (64 hexadecimal digits, with or without “sha256:” before them)")]
pub struct BadDigest(String);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of all that `reader` gives, and its length in bytes.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(reader: impl io::Read) -> io::Result<(Self, u64)> {
        let mut hash = Sha256Writer::new(io::sink());
        io::copy(&mut io::BufReader::with_capacity(STEP, reader), &mut hash)?;
        let (_, sha256, length) = hash.finish();
        Ok((sha256, length))
    }

    /// The 64 lower-case digits, without a prefix.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        let mut out = String::with_capacity(64);
        for byte in self.0 {
            let _ = write!(out, "{byte:02x}");
        }
        out
    }

    /// The raw 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Sha256 {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let bad = || BadDigest(super::words::quote(text, 100));
        if digits.len() != 64 {
            return Err(bad());
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let (high, low) = (nibble(pair[0]).ok_or_else(bad)?, nibble(pair[1]).ok_or_else(bad)?);
            *byte = high << 4 | low;
        }
        Ok(Self(out))
    }
}

impl From<sha2::Sha256> for Sha256 {
    /// The digest of all that `hash` was fed.
    fn from(hash: sha2::Sha256) -> Self {
        Self(hash.finalize().into())
    }
}

/// `sha256:` and the digits: the form of OCI digests and of the lock.
impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Passes bytes on to `inner`, counting and hashing them.
pub struct Sha256Writer<W> {
    inner: W,
    hash: sha2::Sha256,
    written: u64,
}

impl<W> Sha256Writer<W> {
    /// Starts at zero bytes.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: sha2::Sha256::new(), written: 0 }
    }

    /// The inner writer, the digest of everything written, and its length in bytes.
    pub fn finish(self) -> (W, Sha256, u64) {
        (self.inner, Sha256(self.hash.finalize().into()), self.written)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl<W: io::Write> io::Write for Sha256Writer<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hash.update(&buf[..n]);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.hex().to_uppercase().parse(), Ok(digest));
        for bad in ["", "sha256:", &digest.hex()[1..], &digest.hex().replace('b', "g"), "é".repeat(32).as_str()] {
            assert!(bad.parse::<Sha256>().is_err(), "{bad}");
        }
    }
}
