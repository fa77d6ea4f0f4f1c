//! `compose`: a short `manifest.toml` in, a reproducible root filesystem of Debian packages out.
//!
//! The folders read as the pipeline; data flows down this list and never back up. A module knows the types of
//! the modules above it and nothing of those below. Only [`cli`] prints, reads the environment or exits.
//!
//! ```text
//! manifest  →  archive, control, universe  →  solve  →  lock
//!           →  store, deb, unpack  →  tree  →  finish  →  check  →  image  →  cli
//! ```

pub mod base;
pub mod control;
pub mod manifest;
// pub mod archive;
pub mod solve;
pub mod universe;
// pub mod lock;
pub mod store;
// pub mod deb;
pub mod tree;
pub mod unpack;
// pub mod finish;
// pub mod check;
// pub mod image;
pub mod cli;
