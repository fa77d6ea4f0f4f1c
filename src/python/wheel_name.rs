//! The file name of a wheel, which says for whom it is.
//!
//! In: a name from a lock, an index or a folder. Out: project, version, build number and tags.

use std::fmt;

use pep440_rs::Version;

use super::{lock::quote, name::ProjectName};

/// The longest file name of the file systems that wheels are kept on, bytes.
const LONGEST: usize = 255;

/// The most tags that a name may stand for; the most in use is below twenty.
const MOST_TAGS: usize = 1000;

/// A wheel's file name, taken apart (binary distribution format, "File name convention").
#[derive(Clone, PartialEq, Eq)]
pub struct WheelName {
    file: String,
    project: ProjectName,
    version: Version,
    build: Option<(u64, String)>,
    pythons: Vec<String>,
    abis: Vec<String>,
    platforms: Vec<String>,
}

/// A file name that no wheel can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{file}” is not a wheel's file name: {why}; it must read NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl")]
pub struct BadWheelName {
    /// The name, shortened.
    pub file: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl WheelName {
    /// Takes `file`, a name without folders, apart.
    ///
    /// # Errors
    /// The name does not follow the convention.
    pub fn parse(file: &str) -> Result<Self, BadWheelName> {
        let bad = |why| BadWheelName { file: quote(file), why };
        if file.len() > LONGEST {
            return Err(bad("it is longer than 255 bytes"));
        }
        if !file.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'!')) {
            return Err(bad("it has characters other than letters, digits, “-”, “_”, “.”, “+”, “!”"));
        }
        let stem = file.strip_suffix(".whl").ok_or_else(|| bad("it does not end in “.whl”"))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (project, version, build, [pythons, abis, platforms]) = match parts[..] {
            [project, version, python, abi, platform] => (project, version, None, [python, abi, platform]),
            [project, version, build, python, abi, platform] => {
                (project, version, Some(build), [python, abi, platform])
            }
            _ => return Err(bad("it does not have five or six parts between “-”")),
        };
        let build = match build {
            None => None,
            Some(text) => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                let (number, rest) = text.split_at(digits);
                Some((number.parse().map_err(|_| bad("its build tag does not start with a number"))?, rest.to_owned()))
            }
        };
        let set = |text: &str| -> Vec<String> { text.split('.').map(str::to_ascii_lowercase).collect() };
        let (pythons, abis, platforms) = (set(pythons), set(abis), set(platforms));
        if [&pythons, &abis, &platforms].iter().any(|set| set.iter().any(String::is_empty)) {
            return Err(bad("one of its tags is empty"));
        }
        if pythons.len() * abis.len() * platforms.len() > MOST_TAGS {
            return Err(bad("it stands for more than 1000 tags"));
        }
        Ok(Self {
            file: file.to_owned(),
            project: project.parse().map_err(|_| bad("its first part is no project's name"))?,
            // A `-` cannot stand in a part of the name: a local version's is written `_`, which reads the same.
            version: version.parse().map_err(|_| bad("its second part is no version (PEP 440)"))?,
            build,
            pythons,
            abis,
            platforms,
        })
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.file
    }

    /// The project.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The build tag: a number, and what follows it. A wheel with one goes before the same without (PEP 427).
    pub fn build(&self) -> Option<(u64, &str)> {
        self.build.as_ref().map(|(number, rest)| (*number, rest.as_str()))
    }

    /// Tags of interpreters: `cp313`, `py3` …
    pub fn pythons(&self) -> &[String] {
        &self.pythons
    }

    /// Tags of binary interfaces: `cp313`, `abi3`, `none` …
    pub fn abis(&self) -> &[String] {
        &self.abis
    }

    /// Tags of platforms: `manylinux_2_28_x86_64`, `any` …
    pub fn platforms(&self) -> &[String] {
        &self.platforms
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.file)
    }
}

impl fmt::Debug for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let name =
            WheelName::parse("Ruamel_Yaml.clib-1!2.0+cpu_1-12abc-cp312.cp313-abi3-manylinux_2_17_x86_64.any.whl")
                .unwrap();
        assert_eq!(name.project().as_str(), "ruamel-yaml-clib");
        assert_eq!(name.version().to_string(), "1!2.0+cpu.1");
        assert_eq!(name.build(), Some((12, "abc")));
        assert_eq!(name.pythons(), ["cp312", "cp313"]);
        assert_eq!(name.abis(), ["abi3"]);
        assert_eq!(name.platforms(), ["manylinux_2_17_x86_64", "any"]);
    }

    #[test]
    fn what_is_no_wheel_is_refused() {
        let many = format!("a-1-{}-none-{}.whl", vec!["a"; 40].join("."), vec!["b"; 40].join("."));
        let long = format!("{}-1-py3-none-any.whl", "a".repeat(250));
        for (file, why) in [
            ("a-1.tar.gz", "end in"),
            ("a-1-py3-any.whl", "five or six"),
            ("a-1-1-py3-none-any-x.whl", "five or six"),
            ("a-1-x1-py3-none-any.whl", "build tag"),
            ("a-1-99999999999999999999999-py3-none-any.whl", "build tag"),
            ("a-one-py3-none-any.whl", "second part"),
            ("_-1-py3-none-any.whl", "first part"),
            ("a-1-py3..py2-none-any.whl", "empty"),
            ("../a-1-py3-none-any.whl", "characters"),
            ("a-1-py3-none-any.whl\n", "characters"),
            (&many, "1000 tags"),
            (&long, "255 bytes"),
        ] {
            let error = WheelName::parse(file).unwrap_err().to_string();
            assert!(error.contains(why), "{file}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", tame in "[a-z0-9_.-]{0,30}\\.whl") {
            let _ = WheelName::parse(&text);
            let _ = WheelName::parse(&tame);
        }
    }
}
