//! RECORD: the list of a project's files with their digests (PEP 376, PEP 427, PEP 627).
//!
//! In: the wheel's own RECORD, and later what is installed of it. Out: a digest for each file, and the bytes of a new
//! RECORD.

use std::{collections::BTreeMap, io};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest as _;

use super::error::WheelFault;
use crate::{base::Sha256, deb::shown};

/// What RECORD says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    digest: Option<Expected>,
    size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Sha256(Sha256),
    Sha384(Box<[u8]>),
    Sha512(Box<[u8]>),
}

/// The rows by path, as the wheel spells it.
pub(super) type Record = BTreeMap<String, Row>;

/// Reads RECORD as the wheel has it. A path may occur twice if both rows say the same.
pub(super) fn parse(bytes: &[u8]) -> Result<Record, WheelFault> {
    let mut out = Record::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    for row in reader.records() {
        let row = row.map_err(|error| WheelFault::metadata("RECORD", error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let malformed = |what: &str| WheelFault::metadata("RECORD", format!("line {line}: {what}"));
        let (Some(path), Some(digest), Some(size), None) = (row.get(0), row.get(1), row.get(2), row.get(3)) else {
            return Err(malformed("it has not three fields: path, digest, size"));
        };
        let digest =
            match digest {
                "" => None,
                text => Some(expected(text).ok_or_else(|| WheelFault::Digest {
                    name: shown(path.as_bytes()),
                    digest: shown(text.as_bytes()),
                })?),
            };
        let size = match size {
            "" => None,
            text if text.bytes().all(|b| b.is_ascii_digit()) => {
                Some(text.parse().map_err(|_| malformed("its size is too large a number"))?)
            }
            _ => return Err(malformed("its size is not a number")),
        };
        let row = Row { digest, size };
        if out.get(path).is_some_and(|known| *known != row) {
            return Err(malformed(&format!("“{}” occurs twice, with different digests", shown(path.as_bytes()))));
        }
        out.insert(path.into(), row);
    }
    Ok(out)
}

/// `ALGORITHM=` and the digest in base64 for URLs, without padding. Weaker ones than SHA-256 must not be used (PEP
/// 427, “Signed wheel files”).
fn expected(text: &str) -> Option<Expected> {
    let (algorithm, digest) = text.split_once('=')?;
    // Some builders leave the padding.
    let bytes = URL_SAFE_NO_PAD.decode(digest.trim_end_matches('=')).ok()?;
    match (algorithm, bytes.len()) {
        ("sha256", _) => <[u8; 32]>::try_from(bytes).ok().map(|bytes| Expected::Sha256(bytes.into())),
        ("sha384", 48) => Some(Expected::Sha384(bytes.into())),
        ("sha512", 64) => Some(Expected::Sha512(bytes.into())),
        _ => None,
    }
}

impl Row {
    /// Whether it vouches for content.
    pub(super) fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// Begins to hash content that this row is about.
    pub(super) fn check(&self) -> Check<'_> {
        let other = match self.digest {
            Some(Expected::Sha384(_)) => Other::Sha384(sha2::Sha384::new()),
            Some(Expected::Sha512(_)) => Other::Sha512(sha2::Sha512::new()),
            _ => Other::None,
        };
        Check { row: self, sha256: sha2::Sha256::new(), other, size: 0 }
    }
}

/// Hashes a file's content and compares it with its row.
pub(super) struct Check<'a> {
    row: &'a Row,
    sha256: sha2::Sha256,
    other: Other,
    size: u64,
}

enum Other {
    None,
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Check<'_> {
    /// The SHA-256 and size of all that was written.
    pub(super) fn finish(self, name: &str) -> Result<(Sha256, u64), WheelFault> {
        let tampered = |what| WheelFault::Tampered { name: shown(name.as_bytes()), what };
        let sha256 = Sha256::from(self.sha256);
        if self.row.size.is_some_and(|size| size != self.size) {
            return Err(tampered("size"));
        }
        let same = match (&self.row.digest, self.other) {
            (Some(Expected::Sha256(wanted)), _) => *wanted == sha256,
            (Some(Expected::Sha384(wanted)), Other::Sha384(hash)) => **wanted == *hash.finalize(),
            (Some(Expected::Sha512(wanted)), Other::Sha512(hash)) => **wanted == *hash.finalize(),
            _ => false,
        };
        if same { Ok((sha256, self.size)) } else { Err(tampered("digest")) }
    }
}

impl io::Write for Check<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sha256.update(buf);
        match &mut self.other {
            Other::None => {}
            Other::Sha384(hash) => hash.update(buf),
            Other::Sha512(hash) => hash.update(buf),
        }
        self.size += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A path as RECORD has it, with the digest and size of its content.
pub(super) type NewRow = (Vec<u8>, Option<(Sha256, u64)>);

/// The bytes of a RECORD, sorted by path; a row without content is RECORD's own. Quoted as Python's `csv` module does
/// it, with `\n` at the end of each line.
pub(super) fn write(mut rows: Vec<NewRow>) -> io::Result<Vec<u8>> {
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    for (path, content) in rows {
        let (digest, size) = content.map_or_else(Default::default, |(sha256, size)| {
            (format!("sha256={}", URL_SAFE_NO_PAD.encode(sha256.bytes())), size.to_string())
        });
        writer.write_record([&path, digest.as_bytes(), size.as_bytes()])?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use super::*;

    const EMPTY: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn writes_what_it_reads() {
        let empty = Some((Sha256::of(b""), 0));
        let rows = vec![
            (b"a-1.dist-info/RECORD".to_vec(), None),
            (b"a,b/\"c\".py".to_vec(), empty),
            ("a/é x.py".as_bytes().to_vec(), empty),
            (b"../../../bin/a".to_vec(), empty),
            (b"a-b.py".to_vec(), empty),
        ];
        let text = String::from_utf8(write(rows).unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                "../../../bin/a,{EMPTY},0\n\"a,b/\"\"c\"\".py\",{EMPTY},0\na-1.dist-info/RECORD,,\na-b.py,{EMPTY},0\n\
                 a/é x.py,{EMPTY},0\n"
            )
        );
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 5);
        assert!(read["a,b/\"c\".py"].has_digest() && !read["a-1.dist-info/RECORD"].has_digest());
    }

    #[test]
    fn good_and_bad_rows() {
        for good in [
            format!("a,{EMPTY},0\r\n"),
            format!("a,{EMPTY}=,\n"),
            format!("a,{EMPTY},0\na,{EMPTY},0\n\n"),
            "a,,\n".into(),
        ] {
            assert!(parse(good.as_bytes()).is_ok(), "{good}");
        }
        for (bad, says) in [
            ("a,,\na\n".to_owned(), "line 2: it has not three fields"),
            ("a,,,\n".into(), "three fields"),
            (format!("a,{EMPTY},-1\n"), "its size is not a number"),
            (format!("a,{EMPTY},99999999999999999999999\n"), "too large"),
            (format!("a,{EMPTY},0\na,{EMPTY},1\n"), "line 2: “a” occurs twice"),
            ("a,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n".into(), "“md5=1B2M2Y8AsgTpgAmY7PhCfg”, is not one of SHA-256"),
            ("a,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0\n".into(), "is not one of"),
            ("a,sha256=47DEQpj8,0\n".into(), "is not one of"),
            ("a,sha256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU,0\n".into(), "is not one of"),
            ("a,sha512=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n".into(), "is not one of"),
            ("a,abc,0\n".into(), "is not one of"),
        ] {
            let fault = parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(says), "{bad}: {fault}");
        }
        assert!(parse(b"\xff,,\n").is_err());
    }

    #[test]
    fn stronger_digests_count_too() {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        for (text, ok) in [
            (format!("a,sha384={},1\n", encode(&sha2::Sha384::digest(b"x"))), true),
            (format!("a,sha512={},\n", encode(&sha2::Sha512::digest(b"x"))), true),
            (format!("a,sha512={},\n", encode(&sha2::Sha512::digest(b"y"))), false),
            (format!("a,sha256={},2\n", encode(&sha2::Sha256::digest(b"x"))), false),
            ("a,,\n".into(), false),
        ] {
            let record = parse(text.as_bytes()).unwrap();
            let mut check = record["a"].check();
            check.write_all(b"x").unwrap();
            let end = check.finish("a");
            assert_eq!(end.is_ok(), ok, "{text}");
            if let Ok(end) = end {
                assert_eq!(end, (Sha256::of(b"x"), 1));
            }
        }
    }
}
