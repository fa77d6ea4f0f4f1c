//! Who a wheel is: its file name, its `.dist-info` directory, `METADATA` and `WHEEL`.
//!
//! In: names and the bytes of the two files. Out: a name and a version that all four agree on, and the fields.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::error::WheelFault;
use crate::deb::shown;

/// The project and version that a file name claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The project, as the file name spells it.
    pub name: String,
    /// The version, as the file name spells it.
    pub version: String,
}

impl Identity {
    /// Takes name and version out of `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl` (PEP 427, “File name
    /// convention”). The tags are not looked at.
    ///
    /// # Errors
    /// A file that is no wheel by its name, or whose name has not these parts.
    pub fn of_file_name(file_name: &str) -> Result<Self, WheelFault> {
        let Some(stem) = file_name.strip_suffix(".whl") else {
            return Err(WheelFault::NotAWheel(other_kind(file_name)));
        };
        let parts: Vec<&str> = stem.split('-').collect();
        let (&[name, version, _, _, _] | &[name, version, _, _, _, _]) = parts.as_slice() else {
            return Err(WheelFault::FileName);
        };
        let build = parts.len() == 5 || parts[2].starts_with(|c: char| c.is_ascii_digit());
        let clean = |part: &&str| !part.is_empty() && !part.contains(['/', '\\', '\0']);
        if !build || !parts.iter().all(clean) || !is_name(name) {
            return Err(WheelFault::FileName);
        }
        Ok(Self { name: name.into(), version: version.into() })
    }

    /// Fails when `name` or `version`, found in `place`, are another project's.
    fn agree(&self, name: &str, version: &str, place: &'static str) -> Result<(), WheelFault> {
        let differs = |field, wanted: &str, found: &str| WheelFault::Identity {
            field,
            wanted: wanted.into(),
            found: shown(found.as_bytes()),
            place,
        };
        if normalized(&self.name) != normalized(name) {
            return Err(differs("name", &self.name, name));
        }
        if !same_version(&self.version, version) {
            return Err(differs("version", &self.version, version));
        }
        Ok(())
    }
}

/// What a file is that has not a wheel's extension.
fn other_kind(file_name: &str) -> &'static str {
    let ends = |end: &&str| file_name.ends_with(*end);
    if [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip"].iter().any(ends) {
        "a source distribution"
    } else if file_name.ends_with(".egg") {
        "an egg"
    } else {
        "a file of another kind"
    }
}

/// The normal form of a project's name (PEP 503): lower case, each run of `-`, `_` and `.` one `-`.
pub fn normalized(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// Whether `name` can be a project's (PEP 508, “Names”).
fn is_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    name.starts_with(edge)
        && name.ends_with(edge)
        && name.len() <= 200
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Whether two spellings are one version (PEP 440). In names of files and directories `-` is written `_`.
fn same_version(a: &str, b: &str) -> bool {
    let parse = |text: &str| Version::from_str(text).or_else(|_| Version::from_str(&text.replace('_', "-"))).ok();
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Header fields as METADATA and WHEEL have them (RFC 822, as Python's `email` reads it), in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, String)>);

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
pub(super) fn dist_info<'a>(names: impl Iterator<Item = &'a str>, identity: &Identity) -> Result<String, WheelFault> {
    let mut found: Vec<&str> = names
        .filter_map(|name| name.split_once('/'))
        .filter_map(|(first, _)| first.strip_suffix(".dist-info"))
        .collect();
    found.sort_unstable();
    found.dedup();
    let &[stem] = found.as_slice() else { return Err(WheelFault::DistInfo(found.len())) };
    let (name, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
    identity.agree(name, version, ".dist-info directory")?;
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
    pub(super) fn read(metadata: &[u8], wheel: &[u8], identity: &Identity) -> Result<Self, WheelFault> {
        let metadata = Fields::parse(metadata);
        let wheel = Fields::parse(wheel);
        major("Metadata-Version", metadata.one("METADATA", "Metadata-Version")?, &["1", "2"], "1.x and 2.x")?;
        major("Wheel-Version", wheel.one("WHEEL", "Wheel-Version")?, &["1"], "1.x")?;
        let name = metadata.one("METADATA", "Name")?.to_owned();
        let version = metadata.one("METADATA", "Version")?.to_owned();
        if !is_name(&name) {
            return Err(WheelFault::metadata("METADATA", format!("“{}” is no project's name", shown(name.as_bytes()))));
        }
        identity.agree(&name, &version, "METADATA")?;
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
    fn names_of_files() {
        for (file, name, version) in [
            ("pyqt6-6.12.0-cp310-abi3-manylinux_2_34_x86_64.whl", "pyqt6", "6.12.0"),
            ("Foo.Bar-1.0_2-1a-py2.py3-none-any.whl", "Foo.Bar", "1.0_2"),
            ("a-1!2+local.3-py3-none-any.whl", "a", "1!2+local.3"),
        ] {
            assert_eq!(Identity::of_file_name(file).unwrap(), Identity { name: name.into(), version: version.into() });
        }
        for (file, says) in [
            ("a-1.tar.gz", "it is a source distribution, not a wheel"),
            ("a-1.zip", "it is a source distribution, not a wheel"),
            ("a-1-py2.7.egg", "it is an egg, not a wheel"),
            ("a", "it is a file of another kind, not a wheel"),
            ("a-1-py3-none.whl", "its name is not"),
            ("a-1-b-py3-none-any.whl", "its name is not"),
            ("a-1-1-2-py3-none-any.whl", "its name is not"),
            ("a--py3-none-any.whl", "its name is not"),
            ("../a-1-py3-none-any.whl", "its name is not"),
            ("_a-1-py3-none-any.whl", "its name is not"),
        ] {
            assert!(Identity::of_file_name(file).unwrap_err().to_string().starts_with(says), "{file}");
        }
    }

    #[test]
    fn one_project_in_many_spellings() {
        assert_eq!(normalized("Foo._-Bar..baz"), "foo-bar-baz");
        for (a, b, same) in [
            ("1.0", "1.0.0", true),
            ("1.0_1", "1.0.post1", true),
            ("1.0+ABC_1", "1.0+abc.1", true),
            ("2004d", "2004d", true),
            ("1.0", "1.0.1", false),
            ("1.0rc1", "1.0", false),
        ] {
            assert_eq!(same_version(a, b), same, "{a} {b}");
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
