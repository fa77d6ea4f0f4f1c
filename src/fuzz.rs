//! The parsers' door for fuzzers: every parser of bytes from outside, by name.
//!
//! In: bytes. Out: nothing, or a failed assertion: beside each parser a `fuzz.rs` says what must hold of it. Not part of
//! the program: `cargo test` runs them on the seeds (`tests/fuzz/corpus/NAME/`) and on what is near them, and `tests/fuzz/`
//! lets libFuzzer look for more.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs::File, io::Write as _, path::Path};

use crate::{advisory, archive, deb, elf, finish, image, inventory, lock, manifest, python, unpack};

/// What a fuzzer calls.
pub type Target = fn(&[u8]);

/// All of them.
pub const TARGETS: &[(&str, Target)] = &[
    ("accounts", finish::fuzz::accounts),
    ("compressed", deb::fuzz::compressed),
    ("contents", archive::fuzz::contents),
    ("copyright", inventory::fuzz::copyright),
    ("deb", deb::fuzz::deb),
    ("documents", image::open::fuzz::documents),
    ("elf", elf::fuzz::elf),
    ("entry_points", python::wheel::fuzz::entry_points),
    ("image", image::open::fuzz::image),
    ("index", unpack::fuzz::index),
    ("inrelease", archive::fuzz::inrelease),
    ("kept", archive::fuzz::kept),
    ("ldso", finish::fuzz::ldso),
    ("lock", a_lock),
    ("login", image::registry::fuzz::login),
    ("manifest", a_manifest),
    ("marker", python::lock::fuzz::marker),
    ("metadata", python::wheel::fuzz::metadata),
    ("names", python::wheel::fuzz::names),
    ("openpgp", archive::fuzz::openpgp),
    ("osv", advisory::fuzz::osv),
    ("pipfile", python::lock::fuzz::pipfile),
    ("poetry", python::lock::fuzz::poetry),
    ("pylock", python::lock::fuzz::pylock),
    ("record", python::wheel::fuzz::record),
    ("reference", image::registry::fuzz::reference),
    ("release", archive::fuzz::release),
    ("requirements", python::lock::fuzz::requirements),
    ("script", finish::fuzz::script),
    ("segment", unpack::fuzz::segment),
    ("sources", archive::fuzz::sources),
    ("status", inventory::fuzz::status),
    ("tar", deb::fuzz::tar),
    ("tracker", advisory::fuzz::tracker),
    ("uv", python::lock::fuzz::uv),
    ("vex", advisory::fuzz::vex),
    ("wheel", python::wheel::fuzz::wheel),
];

/// A lock is written as it was read.
fn a_lock(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lock = match lock::Lock::parse(&text) {
        Ok(lock) => lock,
        Err(why) => return told(&why),
    };
    let printed = lock.to_string();
    let again = lock::Lock::parse(&printed).unwrap_or_else(|why| panic!("{why}\n{printed}"));
    assert_eq!(again.to_string(), printed);
    assert_eq!(again, lock, "{printed}");
    let files = lock.targets.values().flat_map(|target| &target.packages);
    for package in files {
        assert!(!package.filename.starts_with('/') && package.filename.split('/').all(|part| part != ".."));
    }
}

/// A manifest means the same each time; what is wrong with it is told with its place.
fn a_manifest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let path = Path::new("/nowhere/a.toml");
    match manifest::parse(&text, path) {
        Ok(manifest) => {
            let again = manifest::parse(&text, path).unwrap();
            assert_eq!(manifest::meaning(&manifest), manifest::meaning(&again));
        }
        Err(errors) => {
            assert!(!errors.to_string().is_empty());
            let told = format!("{:?}", miette::Report::new(errors));
            assert!(!told.is_empty());
        }
    }
}

/// A message that is free of what a terminal would take for more than text, whatever the bytes were.
pub(crate) fn told(message: &impl std::fmt::Display) {
    let text = message.to_string();
    assert!(!text.is_empty() && !text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

/// A file that lies in memory alone.
pub(crate) fn file(bytes: &[u8]) -> File {
    let fd = rustix::fs::memfd_create("a", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(fd);
    file.write_all(bytes).unwrap();
    file
}

#[cfg(test)]
mod limits;
#[cfg(test)]
mod tests;
