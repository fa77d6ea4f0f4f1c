//! An image as a registry takes it: blobs, the manifest that names them, and manifests that refer to that.
//!
//! In: the documents and layers of an OCI output, which have the same digests. Out: [`Pushable`]. Layers stay in the
//! store, and are read from there as they are sent.

use std::io::{self, Read};

use super::{
    Layer,
    oci::Documents,
    pack::{self, Pack},
};
use crate::base::{Arch, Sha256};

/// One architecture's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushable {
    /// For which machine.
    pub arch: Arch,
    pub(super) manifest: Vec<u8>,
    /// What it and the referrers name.
    pub(super) parts: Vec<Part>,
    /// Manifests of what refers to it.
    pub(super) referrers: Vec<Vec<u8>>,
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) digest: Sha256,
    /// Bytes.
    pub(super) size: u64,
    bytes: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bytes {
    Here(Vec<u8>),
    Packs(Vec<Pack>),
}

impl Pushable {
    /// Of the image with these documents and layers; `packs` are the layers' bytes.
    pub(super) fn new(arch: Arch, docs: Documents, layers: &[Layer], packs: Vec<Vec<Pack>>) -> Self {
        let Documents { config, manifest, artifacts, more, .. } = docs;
        let layer =
            |(layer, packs): (&Layer, _)| Part { digest: layer.digest, size: layer.size, bytes: Bytes::Packs(packs) };
        let layers = layers.iter().zip(packs).map(layer);
        let parts = std::iter::once(config).chain(more).map(Part::new).chain(layers).collect();
        Self { arch, manifest, parts, referrers: artifacts }
    }
}

impl Part {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { digest: Sha256::of(&bytes), size: bytes.len() as u64, bytes: Bytes::Here(bytes) }
    }

    /// Its bytes from `from` on.
    pub(super) fn reader(&self, from: u64) -> Box<dyn Read + '_> {
        match &self.bytes {
            Bytes::Here(bytes) => {
                let mut cursor = io::Cursor::new(bytes);
                cursor.set_position(from);
                Box::new(cursor)
            }
            Bytes::Packs(packs) => Box::new(pack::reader(packs, from)),
        }
    }
}
