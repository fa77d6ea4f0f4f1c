//! `manifest.toml`, parsed once into values that hold what they promise.
//!
//! In: the file's text and its folder. Out: [`Manifest`], or an error with file, line, column and a suggestion.

mod error;
mod groups;
mod image;
mod meaning;
mod model;
mod read;
mod reader;
mod request;
#[cfg(test)]
mod tests;

pub use error::{Fault, Faults, ManifestError};
pub use groups::{OMIT_GROUPS, OmitGroup};
pub use meaning::meaning;
pub use model::*;
pub use read::{load, parse};

/// Names and reasons of `src/manifest/provided.tsv`, which counts when `packages.provided` is absent.
pub fn default_provided() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("provided.tsv").lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}
