//! An OSV dump: a folder of JSON files, as its `all.zip` unpacks to, or that zip itself.
//!
//! In: a path, the names of the projects that matter. Out: [`Dump`], the advisories that speak of one of them. Files are
//! read side by side.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rayon::prelude::*;

use super::{Advisory, AdvisoryError, error::quoted};
use crate::python::ProjectName;

/// Largest advisory, bytes; the real ones have at most some 300 kB.
const MAX_FILE: u64 = 16 << 20;
/// Most files.
const MANY: usize = 1_000_000;
/// Most bytes of a zip's files together.
const MAX_ALL: u64 = 8 << 30;
/// How deep folders are looked into.
const DEPTH: usize = 4;
/// How many files of a zip are unpacked before they are read.
const BATCH: usize = 1024;
const WHAT: &str = "advisory of OSV";

/// What a dump says of some projects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dump {
    /// Sorted by name.
    pub advisories: Vec<Advisory>,
    /// How many advisories of PyPI it has in all.
    pub entries: usize,
    /// The last change of any of them.
    pub date: Option<Timestamp>,
}

impl Dump {
    fn take(&mut self, advisory: Advisory, wanted: &BTreeSet<ProjectName>) {
        self.entries += 1;
        self.date = self.date.max(advisory.modified.parse().ok());
        if advisory.affected.iter().any(|one| wanted.contains(&one.name)) {
            self.advisories.push(advisory);
        }
    }

    fn add(mut self, other: Self) -> Self {
        self.advisories.extend(other.advisories);
        Self { advisories: self.advisories, entries: self.entries + other.entries, date: self.date.max(other.date) }
    }
}

/// Reads the dump at `path`.
///
/// # Errors
/// When it cannot be read, when a file in it is broken, or when it has nothing of PyPI.
pub fn read_dump(path: &Path, wanted: &BTreeSet<ProjectName>) -> Result<Dump, AdvisoryError> {
    let unreadable = |why: std::io::Error| AdvisoryError::Read { path: path.into(), why: why.to_string() };
    let (mut dump, files) = if fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut files = Vec::new();
        list(path, DEPTH, &mut files)?;
        let one = |file: &PathBuf| {
            let mut json = Vec::new();
            let failed = |why: std::io::Error| AdvisoryError::Read { path: file.clone(), why: why.to_string() };
            let opened = File::open(file).map_err(failed)?;
            opened.take(MAX_FILE + 1).read_to_end(&mut json).map_err(failed)?;
            read(&json, &file.display().to_string(), wanted)
        };
        let dump = files.par_iter().map(one).try_reduce(Dump::default, |a, b| Ok(a.add(b)))?;
        (dump, files.len())
    } else {
        of_zip(path, wanted)?
    };
    if dump.entries == 0 {
        return Err(AdvisoryError::NoOsv { from: path.display().to_string(), files });
    }
    dump.advisories.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(dump)
}

fn read(json: &[u8], from: &str, wanted: &BTreeSet<ProjectName>) -> Result<Dump, AdvisoryError> {
    if json.len() as u64 > MAX_FILE {
        return Err(AdvisoryError::TooLarge { from: quoted(from), what: WHAT, limit: MAX_FILE });
    }
    let mut dump = Dump::default();
    let parsed = Advisory::parse(json)
        .map_err(|error| AdvisoryError::Osv { from: quoted(from), why: quoted(&error.to_string()) })?;
    if let Some(advisory) = parsed {
        dump.take(advisory, wanted);
    }
    Ok(dump)
}

fn list(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), AdvisoryError> {
    let failed = |why: std::io::Error| AdvisoryError::Read { path: folder.into(), why: why.to_string() };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            list(&path, depth - 1, out)?;
        } else if !kind.is_dir() && path.extension().is_some_and(|end| end == "json") {
            if out.len() == MANY {
                let why = format!("more than {MANY} files");
                return Err(AdvisoryError::Read { path: folder.into(), why });
            }
            out.push(path);
        }
    }
    Ok(())
}

fn of_zip(path: &Path, wanted: &BTreeSet<ProjectName>) -> Result<(Dump, usize), AdvisoryError> {
    let broken = |why: String| AdvisoryError::Osv { from: path.display().to_string(), why: quoted(&why) };
    let file = File::open(path).map_err(|error| AdvisoryError::Read { path: path.into(), why: error.to_string() })?;
    let mut archive =
        zip::ZipArchive::new(file).map_err(|error| broken(format!("neither a folder nor a zip ({error})")))?;
    let numbers: Vec<usize> = (0..archive.len()).collect();
    let (mut dump, mut all, mut files) = (Dump::default(), 0_u64, 0);
    for batch in numbers.chunks(BATCH) {
        let mut plain = Vec::with_capacity(batch.len());
        for number in batch {
            let entry = archive.by_index(*number).map_err(|error| broken(format!("file {number}: {error}")))?;
            let name = quoted(&String::from_utf8_lossy(entry.name_raw()));
            if !name.ends_with(".json") {
                continue;
            }
            let mut json = Vec::new();
            entry.take(MAX_FILE + 1).read_to_end(&mut json).map_err(|error| broken(format!("{name}: {error}")))?;
            all += json.len() as u64;
            if json.len() as u64 > MAX_FILE || all > MAX_ALL {
                let (what, limit) = (WHAT, if all > MAX_ALL { MAX_ALL } else { MAX_FILE });
                return Err(AdvisoryError::TooLarge { from: name, what, limit });
            }
            plain.push((name, json));
        }
        let found = plain
            .par_iter()
            .map(|(name, json)| read(json, name, wanted))
            .try_reduce(Dump::default, |a, b| Ok(a.add(b)))?;
        dump = dump.add(found);
        files += plain.len();
    }
    Ok((dump, files))
}

#[cfg(test)]
mod tests;
