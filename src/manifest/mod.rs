//! `manifest.toml`, parsed once into values that hold what they promise.
//!
//! In: the file's text and its folder. Out: [`Manifest`], or an error with file, line, column and a suggestion.

mod model;

pub use model::*;
