//! Extended headers: PAX records (POSIX.1-2001, "pax Interchange Format") and what they say about an entry.
//!
//! Read here and not with the `tar` crate, which splits records at newlines although values may hold any byte, as
//! `security.capability` does.

use std::collections::BTreeMap;

/// What a PAX extended header says; `None` where it is silent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub linkpath: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<i64>,
    pub xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// The records of one block, `LENGTH KEY=VALUE\n`, the length counting all of it. `None` on anything else.
pub(super) fn records(mut block: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut out = Vec::new();
    while !block.is_empty() {
        let space = block.iter().take(20).position(|&b| b == b' ')?;
        let length: usize = decimal(&block[..space])?;
        let record = block.get(space + 1..length)?;
        let (b'\n', record) = record.split_last()? else { return None };
        let equals = record.iter().position(|&b| b == b'=')?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if key.is_empty() {
            return None;
        }
        out.push((key, value));
        block = &block[length..];
    }
    Some(out)
}

/// Digits alone, as a number that fits.
fn decimal<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds with an optional fraction and sign, rounded towards the past.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let point = digits.iter().position(|&b| b == b'.').unwrap_or(digits.len());
    let fraction = digits.get(point + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let whole: i64 = decimal(&digits[..point])?;
    if negative { (-whole).checked_sub(i64::from(fraction.iter().any(|&b| b != b'0'))) } else { Some(whole) }
}

/// Undoes libarchive's `%XX` in attribute names.
fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        out.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
    }
    Some(out)
}

/// Base64 (RFC 4648 section 4), its padding optional, as libarchive writes attribute values.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for quad in text.chunks(4) {
        let mut bits = 0u32;
        for &byte in quad {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - quad.len());
        let bytes = bits.to_be_bytes();
        match quad.len() {
            4 => out.extend_from_slice(&bytes[1..]),
            3 => out.extend_from_slice(&bytes[1..3]),
            2 => out.extend_from_slice(&bytes[1..2]),
            _ => return None,
        }
    }
    Some(out)
}

impl Pax {
    /// Reads an `x` header, of an image's archive or of a package's. The error is what to say about it.
    pub fn parse(block: &[u8], of_image: bool) -> Result<Self, String> {
        let mut out = Self::default();
        let mut libarchive = BTreeMap::new();
        for (key, value) in records(block).ok_or("its records are malformed")? {
            let bad = || format!("its {} is malformed", super::shown(key));
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                out.xattrs.insert(attribute(name).ok_or_else(bad)?, value.into());
                continue;
            }
            if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                let name = unescape(name).ok_or_else(bad)?;
                libarchive.insert(attribute(&name).ok_or_else(bad)?, base64(value).ok_or_else(bad)?.into());
                continue;
            }
            match key {
                b"GNU.sparse" => return Err("it describes a sparse file".into()),
                _ if key.starts_with(b"GNU.sparse.") => return Err("it describes a sparse file".into()),
                _ if key.starts_with(b"SCHILY.acl.") && !of_image => {
                    return Err("it carries an access control list".into());
                }
                // An empty value takes a record back (POSIX).
                _ if value.is_empty() => {}
                b"path" => out.path = Some(value.into()),
                b"linkpath" => out.linkpath = Some(value.into()),
                b"size" => out.size = Some(decimal(value).ok_or_else(bad)?),
                b"uid" => out.uid = Some(decimal(value).ok_or_else(bad)?),
                b"gid" => out.gid = Some(decimal(value).ok_or_else(bad)?),
                b"mtime" => out.mtime = Some(seconds(value).ok_or_else(bad)?),
                // Times, names of owners, comments, device numbers, vendors' own: nothing that an image holds.
                _ => {}
            }
        }
        // Whoever writes both spellings means the same; the raw one wins.
        for (name, value) in libarchive {
            out.xattrs.entry(name).or_insert(value);
        }
        Ok(out)
    }
}

/// Whether a record of a global header would change what the entries after it are.
pub(super) fn matters(key: &[u8]) -> bool {
    matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime" | b"GNU.sparse")
        || [&b"GNU.sparse."[..], b"SCHILY.xattr.", b"LIBARCHIVE.xattr."].iter().any(|start| key.starts_with(start))
}

fn attribute(name: &[u8]) -> Option<Box<[u8]>> {
    // As Linux limits them: XATTR_NAME_MAX, limits.h. One with “=” could not be written again: a record's key ends there.
    (!name.is_empty() && name.len() <= 255 && !name.contains(&0) && !name.contains(&b'=')).then(|| name.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn records_are_cut_by_length_not_by_newline() {
        let block = b"20 SCHILY.xattr.a=\n\n12 path=a=b\n10 uid=70\n";
        // The first record is "20 SCHILY.xattr.a=" + one newline as value + the closing newline.
        let pax = Pax::parse(block, false).unwrap();
        assert_eq!(pax.xattrs.get(&b"a"[..]).map(|v| &**v), Some(&b"\n"[..]));
        assert_eq!(pax.path.as_deref(), Some(&b"a=b"[..]));
        assert_eq!(pax.uid, Some(70));
    }

    #[test]
    fn malformed_blocks_are_refused() {
        for bad in [
            &b"x"[..],
            b"5 a=b",
            b"0 a=b\n",
            b"3 a=b\n",
            b"7 a=b\n",
            b"99 a=b\n",
            b"6 ab=\n\n",
            b"5 =b\n",
            b"18446744073709551616 a=b\n",
            b"99999999999999999999999999 a=b\n",
            b"-6 a=b\n",
            b"28 uid=99999999999999999999\n",
            b"11 uid=-12\n",
            b"15 size=0x1234\n",
            b"26 SCHILY.acl.access=user\n",
            b"22 GNU.sparse.major=1\n",
            // Written again it would be the attribute `a` with the value `b=A`.
            b"31 LIBARCHIVE.xattr.a%3Db=QQ==\n",
        ] {
            assert!(Pax::parse(bad, false).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_and_encodings() {
        for (text, want) in [
            ("1", Some(1)),
            ("1.9", Some(1)),
            ("-1", Some(-1)),
            ("-1.5", Some(-2)),
            ("-0.0", Some(0)),
            ("", None),
            ("1.x", None),
            ("9223372036854775808", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), want, "{text}");
        }
        for (text, want) in [
            ("AQID", Some(&[1u8, 2, 3][..])),
            ("AQI=", Some(&[1, 2])),
            ("AQI", Some(&[1, 2])),
            ("AQ==", Some(&[1])),
            ("A", None),
            ("A*==", None),
        ] {
            assert_eq!(base64(text.as_bytes()).as_deref(), want, "{text}");
        }
        assert_eq!(unescape(b"a%3Db").as_deref(), Some(&b"a=b"[..]));
        assert_eq!(unescape(b"a%3"), None);
    }
}
