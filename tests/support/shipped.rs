//! The project's own manifests, as they are shipped.
//!
//! In: a folder. Out: a copy of it to work in, without locks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where they are.
pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

/// Copies a folder but for `snapshots`.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true if entry.file_name() != "snapshots" => copy(&path, &target),
            true => {}
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

/// Copies the manifests that are files of their own.
pub fn copy_siblings(to: &Path) {
    for entry in fs::read_dir(manifests()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().ends_with(".toml") {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
