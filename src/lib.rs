//! `compose`: a short `manifest.toml` in, a reproducible root filesystem of Debian packages and Python wheels out.
//!
//! The folders read as the pipeline; data flows down this list and never back up. A module knows the types of
//! the modules above it and nothing of those below, but that `tree` merges the segments of [`unpack`]. Only [`cli`]
//! prints, reads the environment or exits.
//!
//! ```text
//! manifest  →  store, archive, control, universe  →  solve  →  lock
//!           →  deb, elf, unpack, python  →  tree  →  finish  →  check  →  inventory  →  sbom, advisory  →  image
//! build: from one to the other; once to find what wheels and tarballs need, and again with it.
//! run: a program of the tree in namespaces.
//! audit: what is to be said of an image, diff: of two.  vendor: what a lock names, as a repository to be carried
//! elsewhere.  cli: all of it
//! ```

pub mod base;
pub mod manifest;
pub mod control;
pub mod store;
pub mod archive;
pub mod universe;
pub mod solve;
pub mod lock;
pub mod deb;
pub mod elf;
pub mod tree;
pub mod unpack;
pub mod python;
pub mod finish;
pub mod check;
pub mod inventory;
pub mod sbom;
pub mod advisory;
pub mod image;
pub mod build;
pub mod run;
pub mod audit;
pub mod diff;
pub mod vendor;
pub mod init;
pub mod cli;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
