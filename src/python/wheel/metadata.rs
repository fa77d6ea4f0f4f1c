//! Who a wheel is: its file name, its `.dist-info` directory, `METADATA` and `WHEEL`.
//!
//! In: names and the bytes of the two files. Out: a name and a version that all four agree on, and the fields.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::error::WheelFault;
use crate::{
    deb::shown,
    python::{name::ProjectName, wheel_name::WheelName},
};

/// Fails when `name` or `version`, found in `place`, are not those of the file's name.
fn agree(file: &WheelName, name: &str, version: &str, place: &'static str) -> Result<(), WheelFault> {
    let differs = |field, wanted: String, found: &str| WheelFault::Identity {
        field,
        wanted,
        found: shown(found.as_bytes()),
        place,
    };
    if name.parse::<ProjectName>().as_ref() != Ok(file.project()) {
        return Err(differs("name", file.project().to_string(), name));
    }
    if !is_version(file.version(), version) {
        return Err(differs("version", file.version().to_string(), version));
    }
    Ok(())
}

/// Whether `text` is a spelling of `version` (PEP 440). In names of directories `-` is written `_`.
fn is_version(version: &Version, text: &str) -> bool {
    let parse = |text: &str| Version::from_str(text).ok();
    parse(text).or_else(|| parse(&text.replace('_', "-"))).as_ref() == Some(version)
}

/// Header fields as METADATA and WHEEL have them (RFC 822, as Python's `email` reads it), in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(pub(super) Vec<(String, String)>);

impl Fields {
    /// Reads the header; the body behind the first empty line is not looked at. Bytes that are not UTF-8 become
    /// U+FFFD: old projects have authors in Latin-1.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut out: Vec<(String, String)> = Vec::new();
        for line in bytes.split(|&b| b == b'\n') {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = out.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim_start());
                }
            } else if let Some((key, value)) = line.split_once(':') {
                out.push((key.into(), value.trim().into()));
            } else {
                break;
            }
        }
        Self(out)
    }

    /// All values of a field, its name in any case.
    pub fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// The first value of a field.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// The value of a field that has to be there once.
    fn one(&self, file: &'static str, key: &'static str) -> Result<&str, WheelFault> {
        let mut all = self.all(key);
        match (all.next(), all.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            (Some(_), Some(_)) => Err(WheelFault::metadata(file, format!("{key} occurs twice"))),
            _ => Err(WheelFault::metadata(file, format!("it has no {key}"))),
        }
    }
}

/// Finds the directory of metadata among the names of all files, and matches it to the file name. Without the
/// `.dist-info` it is the stem that the `.data` directory has too.
pub(super) fn dist_info<'a>(names: impl Iterator<Item = &'a str>, file: &WheelName) -> Result<String, WheelFault> {
    let mut found: Vec<&str> = names
        .filter_map(|name| name.split_once('/'))
        .filter_map(|(first, _)| first.strip_suffix(".dist-info"))
        .collect();
    found.sort_unstable();
    found.dedup();
    let &[stem] = found.as_slice() else { return Err(WheelFault::DistInfo(found.len())) };
    let (name, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
    agree(file, name, version, ".dist-info directory")?;
    Ok(stem.into())
}

/// METADATA and WHEEL, read and found to be this wheel's.
#[derive(Debug)]
pub(super) struct About {
    /// The fields of METADATA.
    pub(super) metadata: Fields,
    /// The project's name as METADATA spells it.
    pub(super) name: String,
    /// The version as METADATA spells it.
    pub(super) version: String,
    /// `Root-Is-Purelib`.
    pub(super) purelib: bool,
}

impl About {
    /// Reads both files.
    pub(super) fn read(metadata: &[u8], wheel: &[u8], file: &WheelName) -> Result<Self, WheelFault> {
        let metadata = Fields::parse(metadata);
        let wheel = Fields::parse(wheel);
        major("Metadata-Version", metadata.one("METADATA", "Metadata-Version")?, &["1", "2"], "1.x and 2.x")?;
        major("Wheel-Version", wheel.one("WHEEL", "Wheel-Version")?, &["1"], "1.x")?;
        let name = metadata.one("METADATA", "Name")?.to_owned();
        let version = metadata.one("METADATA", "Version")?.to_owned();
        if name.parse::<ProjectName>().is_err() {
            return Err(WheelFault::metadata("METADATA", format!("“{}” is no project's name", shown(name.as_bytes()))));
        }
        agree(file, &name, &version, "METADATA")?;
        let purelib = match wheel.get("Root-Is-Purelib").map(str::to_ascii_lowercase).as_deref() {
            Some("true") => true,
            Some("false") | None => false,
            Some(other) => {
                let what = format!("Root-Is-Purelib is “{}”, neither true nor false", shown(other.as_bytes()));
                return Err(WheelFault::metadata("WHEEL", what));
            }
        };
        Ok(Self { metadata, name, version, purelib })
    }

    /// Whether this Python is one that the project says it runs on. Without `Requires-Python`, or with one that is
    /// malformed, every Python is, as in pip.
    pub(super) fn runs_on(&self, python: &Version) -> bool {
        self.metadata
            .get("Requires-Python")
            .and_then(|text| VersionSpecifiers::from_str(text).ok())
            .is_none_or(|wanted| wanted.contains(python))
    }
}

/// Fails when a format's major version is not known. A higher minor one is compatible (PEP 427, PEP 566).
fn major(field: &'static str, found: &str, known: &[&str], said: &'static str) -> Result<(), WheelFault> {
    let (major, minor) = found.split_once('.').unwrap_or((found, ""));
    if known.contains(&major) && !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(WheelFault::Version { field, found: shown(found.as_bytes()), known: said })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn one_version_in_many_spellings() {
        for (a, b, same) in [
            ("1.0", "1.0.0", true),
            ("1.0-1", "1.0_1", true),
            ("1.0.post1", "1.0_1", true),
            ("1.0+abc.1", "1.0+ABC_1", true),
            ("1.0", "1.0.1", false),
            ("1.0", "1.0rc1", false),
            ("1.0", "2004d", false),
        ] {
            assert_eq!(is_version(&a.parse().unwrap(), b), same, "{a} {b}");
        }
    }

    #[test]
    fn headers() {
        let fields = Fields::parse(b"Name: a\r\nLicense: x\n  y\n\tz\nname: b\nTag:c\n\nbody: no\n");
        assert_eq!(fields.all("NAME").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fields.get("license"), Some("x\ny\nz"));
        assert_eq!((fields.get("tag"), fields.get("body")), (Some("c"), None));
        assert_eq!(Fields::parse(b" a\nb\nc: d\n"), Fields::default());
        assert_eq!(Fields::parse(b"a: \xff\n").get("a"), Some("\u{fffd}"));
    }

    #[test]
    fn which_pythons() {
        let about = |wanted: &str| About {
            metadata: Fields::parse(format!("Requires-Python: {wanted}\n").as_bytes()),
            name: String::new(),
            version: String::new(),
            purelib: true,
        };
        let python = Version::from_str("3.13.8").unwrap();
        for (wanted, runs) in
            [(">=3.8", true), ("<3.13", false), (">=3.8,!=3.13.*", false), ("~=3.13.0", true), ("nonsense", true)]
        {
            assert_eq!(about(wanted).runs_on(&python), runs, "{wanted}");
        }
    }
}
