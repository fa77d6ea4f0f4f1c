//! `compose`: a short `manifest.toml` in, a reproducible root filesystem of Debian packages out.
//!
//! The folders read as the pipeline; data flows down this list and never back up. A module knows the types of
//! the modules above it and nothing of those below. Only [`cli`] prints, reads the environment or exits.
//!
//! ```text
//! manifest  →  store, archive, control, universe  →  solve  →  lock
//!           →  deb, elf, unpack, python  →  tree  →  finish  →  check  →  image  →  build, cli
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
pub mod image;
pub mod build;
pub mod cli;
