//! Wheels built in code, with a right RECORD unless a test wants a wrong one.
//!
//! In: a project's name, version, tags and files. Out: the bytes of a wheel. Used by unit tests (by `#[path]`) and by
//! integration tests alike, so it leans on no other file.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail loudly")]

use std::io::{Cursor, Write as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest as _;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// A wheel with these files beside its metadata.
pub fn wheel(name: &str, version: &str, tags: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut parts = Parts::new(name, version, tags);
    for (path, bytes) in files {
        parts = parts.file(path, bytes);
    }
    parts.build()
}

/// The file name that goes with it.
pub fn file_name(name: &str, version: &str, tags: &str) -> String {
    format!("{name}-{version}-{tags}.whl")
}

/// A file in a wheel.
#[derive(Clone)]
pub struct Part {
    pub name: String,
    pub bytes: Vec<u8>,
    pub mode: u32,
    pub method: CompressionMethod,
    /// Whether RECORD lists it.
    pub recorded: bool,
}

/// A wheel to be.
#[derive(Clone)]
pub struct Parts {
    /// `NAME-VERSION`.
    pub stem: String,
    pub parts: Vec<Part>,
    /// Instead of the right RECORD.
    pub record: Option<String>,
    /// Behind the right RECORD.
    pub more_record: String,
    pub time: DateTime,
}

impl Parts {
    /// METADATA and WHEEL alone.
    pub fn new(name: &str, version: &str, tags: &str) -> Self {
        let stem = format!("{name}-{version}");
        let mut tag_lines = String::new();
        if let &[python, abi, platform] = tags.split('-').collect::<Vec<_>>().as_slice() {
            for python in python.split('.') {
                for platform in platform.split('.') {
                    tag_lines += &format!("Tag: {python}-{abi}-{platform}\n");
                }
            }
        }
        let pure = tags.ends_with("-any");
        let metadata =
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n\nText.\n");
        let wheel = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\n{tag_lines}");
        let time = DateTime::from_date_and_time(2024, 5, 6, 7, 8, 10).unwrap();
        Self { stem, parts: Vec::new(), record: None, more_record: String::new(), time }
            .info("METADATA", metadata.as_bytes())
            .info("WHEEL", wheel.as_bytes())
    }

    /// Adds a file, or takes the place of one: 0644.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.entry(name, bytes, 0o100_644)
    }

    /// The same with any mode, its type included.
    pub fn entry(mut self, name: &str, bytes: &[u8], mode: u32) -> Self {
        self.parts.retain(|part| part.name != name);
        let method = CompressionMethod::Deflated;
        self.parts.push(Part { name: name.into(), bytes: bytes.into(), mode, method, recorded: !name.ends_with('/') });
        self
    }

    /// A file in `.dist-info`.
    pub fn info(self, name: &str, bytes: &[u8]) -> Self {
        let name = format!("{}.dist-info/{name}", self.stem);
        self.file(&name, bytes)
    }

    /// A file in `.data`.
    pub fn data(self, name: &str, bytes: &[u8]) -> Self {
        let name = format!("{}.data/{name}", self.stem);
        self.file(&name, bytes)
    }

    /// Takes a file out.
    pub fn without(mut self, name: &str) -> Self {
        self.parts.retain(|part| part.name != name && !part.name.ends_with(&format!(".dist-info/{name}")));
        self
    }

    /// Adds a file that RECORD does not list.
    pub fn unrecorded(self, name: &str, bytes: &[u8]) -> Self {
        let mut out = self.file(name, bytes);
        out.parts.last_mut().unwrap().recorded = false;
        out
    }

    /// Lines behind those that RECORD should have.
    pub fn row(mut self, row: &str) -> Self {
        self.more_record += row;
        self.more_record += "\n";
        self
    }

    /// The line that RECORD should have for a file.
    pub fn row_of(name: &str, bytes: &[u8]) -> String {
        let name = if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.into() };
        format!("{name},sha256={},{}", URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(bytes)), bytes.len())
    }

    /// The zip archive.
    pub fn build(&self) -> Vec<u8> {
        let own = format!("{}.dist-info/RECORD", self.stem);
        let mut record = String::new();
        for part in self.parts.iter().filter(|part| part.recorded) {
            record += &Self::row_of(&part.name, &part.bytes);
            record += "\n";
        }
        record += &format!("{own},,\n{}", self.more_record);
        let mut all = self.parts.clone();
        if self.record.as_deref() != Some("none") {
            let bytes = self.record.clone().unwrap_or(record).into_bytes();
            let method = CompressionMethod::Deflated;
            all.push(Part { name: own, bytes, mode: 0o100_644, method, recorded: false });
        }
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for part in all {
            // A whole mode, type and all, as builders in Python write it: the two upper bytes.
            let options = SimpleFileOptions::default()
                .compression_method(part.method)
                .last_modified_time(self.time)
                .system(zip::System::Unix)
                .external_attributes(part.mode << 16);
            zip.start_file(part.name, options).unwrap();
            zip.write_all(&part.bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}
