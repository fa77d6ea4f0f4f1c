//! One wheel: a zip archive with a project's files, verified, and the plan of its installation below a layout.
//!
//! In: a file that is known by its digest, its name, limits, a [`Layout`]. Out: [`Planned`] files, each with its place,
//! mode, time and digest, and their content as a stream.
//!
//! After PEP 427 (the format), PEP 376 and 627 (RECORD, INSTALLER), the entry points specification, PEP 770 (SBOMs in
//! `.dist-info/sboms`, which stay as they are). Where installers are lenient and the specification is not, this is not.

mod archive;
mod entry_points;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod layout;
mod metadata;
mod plan;
mod record;
#[cfg(test)]
mod oracle;
#[cfg(test)]
#[path = "../../../tests/support/wheel.rs"]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use pep440_rs::Version;

pub use archive::Limits;
pub use entry_points::EntryPoint;
pub use error::{WheelError, WheelFault};
pub use layout::Layout;
pub use metadata::Fields;
pub use plan::Planned;

use super::wheel_name::WheelName;
use archive::Archive;
use metadata::About;
use record::Record;

/// A wheel whose structure and metadata are sound. Its content is verified by [`Wheel::plan`].
pub struct Wheel {
    archive: Archive,
    file_name: String,
    /// `NAME-VERSION`, which `.dist-info` and `.data` begin with.
    stem: String,
    about: About,
    record: Record,
    entry_points: Vec<EntryPoint>,
    /// What made files carry: the time of the wheel's own RECORD.
    mtime: i64,
}

impl Wheel {
    /// Opens a wheel that was given out under the name `file`.
    ///
    /// # Errors
    /// A file that is no wheel, or not the one that its name says; a zip archive that is malformed or that two
    /// readers could read in two ways; names that lead out of the installation; metadata that is missing or
    /// malformed; files that RECORD does not list, and the other way round; more than `limits` allow.
    pub fn open(path: &Path, file: &WheelName, limits: &Limits) -> Result<Self, WheelError> {
        let source = File::open(path).map_err(|error| at(file.as_str())(WheelFault::Read(error)))?;
        Self::read_from(source, file, limits)
    }

    /// The same for anything that can be read.
    ///
    /// # Errors
    /// As [`Wheel::open`].
    pub fn read_from(
        source: impl Read + Seek + Send + 'static,
        file: &WheelName,
        limits: &Limits,
    ) -> Result<Self, WheelError> {
        Self::read_all(Box::new(source), file, limits).map_err(at(file.as_str()))
    }

    fn read_all(source: Box<dyn archive::Source>, file: &WheelName, limits: &Limits) -> Result<Self, WheelFault> {
        let mut archive = Archive::open(source, limits)?;
        let stem = metadata::dist_info(archive.entries.iter().map(|entry| entry.name.as_str()), file)?;
        let mut get = |name: &str| match archive.find(&format!("{stem}.dist-info/{name}")) {
            Some(found) => archive.read(found).map(Some),
            None => Ok(None),
        };
        let mut need = |name: &str| get(name)?.ok_or_else(|| WheelFault::Missing(format!("{stem}.dist-info/{name}")));
        let about = About::read(&need("METADATA")?, &need("WHEEL")?, file)?;
        let record = record::parse(&need("RECORD")?)?;
        let entry_points =
            get("entry_points.txt")?.map_or_else(|| Ok(Vec::new()), |bytes| entry_points::parse(&bytes))?;
        let own = format!("{stem}.dist-info/RECORD");
        let mtime = archive.find(&own).and_then(|found| archive.entries.get(found)).map_or(0, |entry| entry.mtime);
        let wheel = Self { archive, file_name: file.as_str().into(), stem, about, record, entry_points, mtime };
        wheel.is_recorded()?;
        Ok(wheel)
    }

    /// Each file has a row with a digest in RECORD, and each row a file. RECORD itself and its signatures cannot have
    /// one (PEP 427); rows of directories say nothing.
    fn is_recorded(&self) -> Result<(), WheelFault> {
        for entry in self.archive.entries.iter().filter(|entry| !self.is_record(&entry.name)) {
            if !self.record.get(&entry.name).is_some_and(record::Row::has_digest) {
                return Err(WheelFault::Unrecorded(entry.name.clone()));
            }
        }
        for (name, row) in &self.record {
            let directory = name.ends_with('/') && !row.has_digest();
            if !directory && self.archive.find(name).is_none() {
                return Err(WheelFault::Absent(crate::deb::shown(name.as_bytes())));
            }
        }
        Ok(())
    }

    /// Whether this is RECORD or one of its signatures.
    fn is_record(&self, name: &str) -> bool {
        self.in_dist_info(name).is_some_and(|name| matches!(name, "RECORD" | "RECORD.jws" | "RECORD.p7s"))
    }

    /// What is left of a name below the wheel's `.dist-info`.
    fn in_dist_info<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.stem.as_str())?.strip_prefix(".dist-info/")
    }

    /// The file name that it was opened with.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The project's name, as METADATA spells it.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// The version, as METADATA spells it.
    pub fn version(&self) -> &str {
        &self.about.version
    }

    /// The name of its metadata's directory, such as `numpy-2.5.5.dist-info`.
    pub fn dist_info(&self) -> String {
        format!("{}.dist-info", self.stem)
    }

    /// All fields of METADATA (the core metadata specifications).
    pub fn metadata(&self) -> &Fields {
        &self.about.metadata
    }

    /// `Requires-Python` as METADATA has it; see [`Wheel::runs_on`].
    pub fn requires_python(&self) -> Option<&str> {
        self.about.metadata.get("Requires-Python")
    }

    /// Whether this version of Python is one that the project says it runs on. Without `Requires-Python`, or with one
    /// that is malformed, every one is, as in pip.
    pub fn runs_on(&self, python: &Version) -> bool {
        self.about.runs_on(python)
    }

    /// `Root-Is-Purelib`: whether it has no compiled parts, by its own word.
    pub fn root_is_purelib(&self) -> bool {
        self.about.purelib
    }

    /// The commands that are made for it.
    pub fn entry_points(&self) -> &[EntryPoint] {
        &self.entry_points
    }
}

impl std::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wheel")
            .field("file_name", &self.file_name)
            .field("entries", &self.archive.entries.len())
            .finish()
    }
}

/// For `map_err`.
fn at(file_name: &str) -> impl Fn(WheelFault) -> WheelError + '_ {
    move |fault| WheelError { file_name: crate::deb::shown(file_name.as_bytes()), fault }
}
