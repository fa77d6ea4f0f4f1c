//! The frame of a signed `InRelease`: OpenPGP's cleartext signature framework (RFC 9580, section 7), read strictly.
//!
//! In: raw bytes from a mirror. Out: the text that is signed, the bytes that the signature is over, the signature's
//! armour. Nothing is verified here; but whatever is outside the signed part, or could be read in two ways, is refused.

use crate::base::refusal::{self, Refusal, Refuses};

/// Largest `InRelease` or `Release` that is read, bytes. Debian's largest has 0.3 MB.
pub const MAX_DOCUMENT: usize = 16 << 20;
/// Longest line, bytes; gpgv cuts at 19,995.
const MAX_LINE: usize = 16 << 10;
/// Most bytes of armoured signatures.
const MAX_SIGNATURE: usize = 256 << 10;

const BEGIN_MESSAGE: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &[u8] = b"-----END PGP SIGNATURE-----";

/// A message taken apart.
#[derive(Debug)]
pub struct Cleartext<'a> {
    /// The text that is signed: dashes unescaped, trailing blanks gone, each line ended by one line feed.
    pub text: Vec<u8>,
    /// The same as it was hashed: lines joined by CR LF, none after the last.
    pub hashed: Vec<u8>,
    /// Names in the `Hash:` headers, such as `SHA256`.
    pub hashes: Vec<&'a str>,
    /// From `-----BEGIN PGP SIGNATURE-----` to `-----END PGP SIGNATURE-----`.
    pub armour: &'a [u8],
}

/// Why bytes are not one cleartext signed message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It does not start with the BEGIN line.
    #[error("it does not start with “-----BEGIN PGP SIGNED MESSAGE-----” (is it an error page?)")]
    NotSigned,
    /// More than [`MAX_DOCUMENT`].
    #[error("it is longer than {} MiB", MAX_DOCUMENT >> 20)]
    TooLong,
    /// Text that nobody signed.
    #[error("line {line}: {why}")]
    Unsigned {
        /// From 1.
        line: usize,
        /// Where it stands.
        why: &'static str,
    },
    /// A line breaks the format.
    #[error("line {line}: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The end came too early.
    #[error("it ends before {0}: the download is incomplete, or the file is damaged")]
    Short(&'static str),
}

impl Refuses for FrameError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::NotSigned => refusal::NOT_SIGNED,
            Self::TooLong => refusal::SIGNED_MESSAGE_TOO_LONG,
            Self::Unsigned { .. } => refusal::UNSIGNED_TEXT,
            Self::Line { .. } => refusal::SIGNED_MESSAGE_MALFORMED,
            Self::Short(_) => refusal::SIGNED_MESSAGE_TRUNCATED,
        }
    }
}

/// Takes `raw` apart.
///
/// # Errors
/// When `raw` is anything but exactly one message with blanks at most around it.
pub fn split(raw: &[u8]) -> Result<Cleartext<'_>, FrameError> {
    if raw.len() > MAX_DOCUMENT {
        return Err(FrameError::TooLong);
    }
    let mut lines = Lines { rest: raw, line: 0, last: 0 };
    loop {
        match lines.next()? {
            None => return Err(FrameError::NotSigned),
            Some(line) if line == BEGIN_MESSAGE => break,
            Some(line) if line.trim_ascii().is_empty() => {}
            Some(_) => return Err(FrameError::NotSigned),
        }
    }
    let hashes = headers(&mut lines)?;
    let (text, hashed) = signed_text(&mut lines)?;
    let armour = signature(&mut lines, raw)?;
    while let Some(line) = lines.next()? {
        if !line.trim_ascii().is_empty() {
            return Err(lines.unsigned("there is text after the signature, which nobody signed"));
        }
    }
    Ok(Cleartext { text, hashed, hashes, armour })
}

/// The `Hash:` headers and the empty line after them.
fn headers<'a>(lines: &mut Lines<'a>) -> Result<Vec<&'a str>, FrameError> {
    let mut hashes = Vec::new();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            return Ok(hashes);
        }
        let names = line.strip_prefix(b"Hash: ").and_then(|names| std::str::from_utf8(names).ok());
        let Some(names) = names else {
            return Err(lines.unsigned("only “Hash:” headers may stand before the signed text"));
        };
        hashes.extend(names.split(',').map(str::trim));
        if hashes.len() > 16 {
            return Err(lines.refuse("too many “Hash:” headers"));
        }
    }
    Err(FrameError::Short("the signed text"))
}

/// The text up to the signature, once as text and once as hashed (section 7.2).
fn signed_text(lines: &mut Lines<'_>) -> Result<(Vec<u8>, Vec<u8>), FrameError> {
    let (mut text, mut hashed) = (Vec::new(), Vec::new());
    let mut first = true;
    while let Some(line) = lines.next()? {
        if line == BEGIN_SIGNATURE {
            return Ok((text, hashed));
        }
        if line.iter().any(|&b| b == b'\r' || b == 0) {
            return Err(lines.refuse("a carriage return or NUL inside a line"));
        }
        let line = match line {
            [b'-', b' ', rest @ ..] => rest,
            [b'-', ..] => return Err(lines.refuse("a line of signed text starts with an unescaped “-”")),
            _ => line,
        };
        let end = line.iter().rposition(|&b| b != b' ' && b != b'\t').map_or(0, |p| p + 1);
        let line = line.get(..end).unwrap_or_default();
        if !first {
            hashed.extend_from_slice(b"\r\n");
        }
        first = false;
        hashed.extend_from_slice(line);
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    Err(FrameError::Short("the signature"))
}

/// The armour, whose BEGIN line was just read.
fn signature<'a>(lines: &mut Lines<'a>, raw: &'a [u8]) -> Result<&'a [u8], FrameError> {
    let start = raw.len() - lines.rest.len() - lines.last;
    while let Some(line) = lines.next()? {
        let end = raw.len() - lines.rest.len();
        if end - start > MAX_SIGNATURE {
            return Err(lines.refuse("the signature is too long"));
        }
        if line == END_SIGNATURE {
            return Ok(raw.get(start..end).unwrap_or_default());
        }
        if line.starts_with(b"-") {
            return Err(lines.refuse("the signature is not closed"));
        }
    }
    Err(FrameError::Short("the end of the signature"))
}

/// Lines of `rest` without their ends (LF or CR LF), counted.
struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
    /// Length of the line last read, with its end.
    last: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<&'a [u8]>, FrameError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let length = self.rest.iter().position(|&b| b == b'\n').map_or(self.rest.len(), |p| p + 1);
        let (line, rest) = self.rest.split_at(length);
        if line.len() > MAX_LINE {
            return Err(self.refuse("the line is too long"));
        }
        self.rest = rest;
        self.last = length;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn unsigned(&self, why: &'static str) -> FrameError {
        FrameError::Unsigned { line: self.line, why }
    }

    fn refuse(&self, why: &'static str) -> FrameError {
        FrameError::Line { line: self.line, why }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n";

    fn message(text: &str) -> String {
        format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}{SIGNATURE}")
    }

    #[test]
    fn unescapes_strips_and_canonicalises() {
        let cases: [(&str, &str, &str); 6] = [
            ("A: b\n", "A: b\n", "A: b"),
            ("A: b \t\n c\n", "A: b\n c\n", "A: b\r\n c"),
            (
                "- -----BEGIN PGP SIGNATURE-----\n- - x\n",
                "-----BEGIN PGP SIGNATURE-----\n- x\n",
                "-----BEGIN PGP SIGNATURE-----\r\n- x",
            ),
            ("A: b\r\nC: d\r\n", "A: b\nC: d\n", "A: b\r\nC: d"),
            ("", "", ""),
            ("\n\n", "\n\n", "\r\n"),
        ];
        for (raw, text, hashed) in cases {
            let raw = message(raw);
            let got = split(raw.as_bytes()).unwrap();
            assert_eq!(
                (String::from_utf8_lossy(&got.text), String::from_utf8_lossy(&got.hashed)),
                (text.into(), hashed.into())
            );
            assert_eq!(got.hashes, ["SHA256"]);
            assert_eq!(got.armour, SIGNATURE.as_bytes());
        }
    }

    #[test]
    fn refuses_every_surprise() {
        let good = message("A: b\n");
        assert!(split(format!(" \n\r\n{good}\n \n").as_bytes()).is_ok());
        let bad = [
            String::new(),
            "<html>".into(),
            format!("x\n{good}"),
            format!("{good}x"),
            format!("{good}{good}"),
            good.replace("Hash: SHA256", "Hash: SHA256\nComment: x"),
            good.replace("Hash: SHA256\n\n", "Hash: SHA256\n \n"),
            good.replace("A: b", "-A: b"),
            good.replace("A: b", "-----BEGIN PGP SIGNED MESSAGE-----"),
            good.replace("A: b", "A: \rb"),
            good.replace("A: b", "A: \0b"),
            good.replace("A: b", &"x".repeat(MAX_LINE + 1)),
            good.replace("AAAA", "-----BEGIN PGP SIGNATURE-----"),
            good.replace("AAAA", &"AAAA\n".repeat(60_000)),
        ];
        for bad in bad {
            assert!(split(bad.as_bytes()).is_err(), "{}", bad.chars().take(300).collect::<String>());
        }
        // Cut anywhere before the last line feed, it is an error, and never a panic.
        for end in 0..good.len() - 1 {
            assert!(split(&good.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
