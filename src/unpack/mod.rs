//! A `.deb` becomes a segment: its files, filtered, with canonical tar headers, ready to be laid into a layer.
//!
//! In: a verified `.deb`, a [`Filter`]. Out: a [`Segment`], a pure function of both and of the format version.

mod segment;

pub use segment::{Entry, Script, Segment};
