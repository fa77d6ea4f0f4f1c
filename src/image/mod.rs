//! Outputs: everything that is written from a finished tree, which all of them hold the same.
//!
//! In: a [`Tree`](crate::tree::Tree), an [`ImageSpec`], the [`Output`]s asked for. Out: files and directories that
//! appear by rename when complete, and [`Written`]: digests and sizes for the lock and the report.
//!
//! ```text
//! tree ─► layer: pieces of plain tars ─► pack: groups of them compressed, from the store ─► .tar.gz .tar.zst
//!      │         └► .tar                   compress: gzip and zstd                          └► oci: oci:DIR .oci.tar
//!      ├► directory: the rootfs itself     stage: temporary name, then rename
//!      └► digest: the tree digest          output, write: what is asked for, and the order of the work
//!
//! pushable ─► registry::push: the same blobs, and one tag
//!
//! open: an image of any of these forms, whoever made it, back to a tree; registry: where others are fetched from
//! ```

mod compress;
mod digest;
mod directory;
mod error;
mod layer;
mod layout;
mod oci;
pub mod open;
mod origin;
mod output;
mod pack;
mod pushable;
pub mod registry;
pub(crate) mod stage;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod write;

pub use compress::media_type;
pub use digest::tree_digest;
pub use directory::lay_out;
pub use error::ImageError;
pub use layer::{Piece, Reader, Source, pieces, total};
pub use oci::{Attached, ImageSpec, Layer, PATH};
pub use output::{BadOutput, Destination, Output};
pub use pack::{Packed, is_sound, prepare};
pub use pushable::Pushable;
pub use write::{ToWrite, Written, WrittenOutput, check, codecs, place, write_all, write_images};

/// The format of the bytes that this version writes: raised whenever a layer's compressed bytes would change for the
/// same tree (codec, level, block size). The tree digest and the diffIDs do not depend on it.
pub const FORMAT: u32 = 2;
