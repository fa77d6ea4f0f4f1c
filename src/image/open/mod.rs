//! An image of any form, read back as a tree: what `verify`, `audit` and `diff` look at.
//!
//! In: a path, and which architecture is meant where there are several. Out: [`Opened`]. What it is, its content tells,
//! not its name. Every blob is compared with its descriptor, every layer with the image's configuration; nothing of an
//! image is written but below the scratch folder, and nothing there is called by a name from the image.
//!
//! ```text
//! directory with oci-layout ─► source ─► oci: index, manifest, configuration ─┐
//! tar of an image ─────────────┘              docker: manifest.json ──────────┼─► layer ─► rootfs ─► Tree
//! tar of a rootfs ────────────────────────────────────────────────────────────┘
//! directory ──────────────────────────────────────────────► tree::from_dir, directory ──────────────► Tree
//! ```

mod directory;
mod error;
mod layer;
mod oci;
mod rootfs;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde_json::Value;

pub use error::{LayerFault, OpenError, OpenFault};

use self::{layer::Unpacker, rootfs::Rootfs, source::Blob, source::Source};
use crate::{
    base::{Arch, RootPath, Sha256},
    deb::{End, Limits},
    image::tree_digest,
    tree::Tree,
};

/// How many dates are tried for a root that has none of its own.
const DATES: usize = 200;

/// The form in which an image was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A rootfs.
    Directory,
    /// A tar archive of a rootfs, compressed or not.
    Tar,
    /// An OCI image layout, as a directory or in a tar archive.
    Oci,
    /// What `docker save` writes, without an OCI layout in it.
    DockerArchive,
}

/// What an image is, read back.
///
/// Its files' bytes are in memory, in the scratch folder, or where the image lies: both must stay for as long as the tree
/// is used, and whoever passes bytes on compares them with their digest. Hard links point at the name that sorts first.
#[derive(Debug)]
pub struct Opened {
    /// The files. Everything is [`Origin::Manifest`](crate::tree::Origin::Manifest): an image does not tell who
    /// brought what.
    pub tree: Tree,
    /// How it was found.
    pub form: Form,
    /// By its configuration; `None` if there is none, or for an architecture that compose does not know.
    pub arch: Option<Arch>,
    /// The configuration, as it stands in the image.
    pub config: Option<Value>,
    /// The manifest's digest, of OCI images.
    pub manifest: Option<Sha256>,
    /// Of the plain layers, as found by hashing; of a tar archive, its own.
    pub diff_ids: Vec<Sha256>,
    /// Of the layers as they are in the image, mostly compressed, as found by hashing; of a tar archive, its own.
    pub layers: Vec<Sha256>,
    /// The tree digest that the image's index claims, if compose wrote it; not compared with anything.
    pub claimed: Option<Sha256>,
    /// Whether the image says what its root directory itself is like. compose's own archives leave it out, so that
    /// it is 0755 and of a guessed date in [`Opened::tree`]: see [`Opened::settle_root`].
    pub root_described: bool,
    /// What was left out, in words.
    pub notes: Vec<String>,
}

/// Reads the image at `path`. `arch` says which of a multi-arch image is meant, and must be right if there is only one
/// that says what it is for. `scratch` is an empty folder for what is unpacked.
///
/// `limits` are those of one package, taken for the whole image: `data` bounds the bytes of all plain layers together,
/// and what the image's own file unpacks to; `entries` the entries of each layer and of what is left, `metadata` alike.
///
/// # Errors
/// When it cannot be read, is in no known form, is damaged or altered, holds no such image or too many, or has layers
/// that cannot be laid.
pub fn open(path: &Path, arch: Option<Arch>, scratch: &Path, limits: &Limits) -> Result<Opened, OpenError> {
    any(path, arch, scratch, limits).map_err(OpenError::at(path))
}

fn any(path: &Path, arch: Option<Arch>, scratch: &Path, limits: &Limits) -> Result<Opened, OpenFault> {
    let path = fs::canonicalize(path).map_err(OpenFault::Read)?;
    let info = fs::metadata(&path).map_err(OpenFault::Read)?;
    if info.is_dir() {
        let is_layout = ["oci-layout", "index.json"].iter().all(|name| path.join(name).is_file());
        return if is_layout { layout(&Source::Dir(path), arch, scratch, limits) } else { directory::read(&path) };
    }
    if !info.is_file() {
        return Err(OpenFault::Special);
    }
    file(path, arch, scratch, limits)
}

fn layout(source: &Source, arch: Option<Arch>, scratch: &Path, limits: &Limits) -> Result<Opened, OpenFault> {
    layered(oci::layout(source, arch)?, Form::Oci, Unpacker::new(scratch, limits), limits)
}

fn file(path: PathBuf, arch: Option<Arch>, scratch: &Path, limits: &Limits) -> Result<Opened, OpenFault> {
    let whole = Blob::whole(&path).map_err(OpenFault::Read)?;
    let mut unpacker = Unpacker::new(scratch, limits);
    let (plain, diff_id) = unpacker.plain(&whole)?;
    let source = Source::of_tar(&plain.path, limits)?;
    if source.get("oci-layout")?.is_some() && source.get("index.json")?.is_some() {
        return layered(oci::layout(&source, arch)?, Form::Oci, unpacker, limits);
    }
    if let Some(table) = oci::docker_table(&source) {
        return layered(oci::docker(&source, table, arch)?, Form::DockerArchive, unpacker, limits);
    }
    drop(source);
    let digest = whole.sha256()?;
    let mut rootfs = Rootfs::new(0, false, limits);
    let diff_id = unpacker.lay(&mut rootfs, &plain, diff_id.unwrap_or(digest), "the archive", End::Marked)?;
    let root_described = rootfs.root_described;
    let (tree, notes) = rootfs.finish().map_err(OpenFault::Read)?;
    Ok(Opened {
        tree,
        form: Form::Tar,
        arch: None,
        config: None,
        manifest: None,
        diff_ids: vec![diff_id],
        layers: vec![digest],
        claimed: None,
        root_described,
        notes,
    })
}

fn layered(image: oci::Image, form: Form, mut unpacker: Unpacker<'_>, limits: &Limits) -> Result<Opened, OpenFault> {
    let oci::Image { arch, config, diff_ids: wanted, layers: blobs, manifest, claimed } = image;
    if blobs.len() != wanted.len() {
        return Err(OpenFault::LayerCount { layers: blobs.len(), diff_ids: wanted.len() });
    }
    let created = config.get("created").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let mut rootfs = Rootfs::new(created.map_or(0, jiff::Timestamp::as_second), true, limits);
    let (mut diff_ids, mut layers) = (Vec::new(), Vec::new());
    // Before anything of them is read otherwise.
    let verified: Vec<_> = blobs.par_iter().map(verify).collect();
    for (at, ((layer, wanted), digest)) in blobs.iter().zip(wanted).zip(verified).enumerate() {
        let name = format!("layer {} of {} ({})", at + 1, blobs.len(), layer.name);
        let digest = digest?;
        let diff_id = unpacker.lay(&mut rootfs, &layer.blob, digest, &name, End::Anywhere)?;
        if diff_id.to_string() != wanted {
            let wanted = crate::deb::shown(wanted.as_bytes());
            return Err(OpenFault::DiffId { layer: name, wanted, found: diff_id });
        }
        diff_ids.push(diff_id);
        layers.push(digest);
    }
    let root_described = rootfs.root_described;
    let (tree, notes) = rootfs.finish().map_err(OpenFault::Read)?;
    let config = Some(config);
    Ok(Opened { tree, form, arch, config, manifest, diff_ids, layers, claimed, root_described, notes })
}

fn verify(layer: &oci::LayerBlob) -> Result<Sha256, OpenFault> {
    match layer.digest {
        Some(digest) => layer.blob.verify(&layer.name, digest).map(|()| digest),
        None => layer.blob.sha256(),
    }
}

impl Opened {
    /// Whether the image is the one whose [`tree_digest`] is `wanted`. If it does not say what its root is like, the
    /// dates found in it are tried for that, the commonest first, and the one that fits is kept.
    pub fn settle_root(&mut self, wanted: Sha256) -> bool {
        if tree_digest(&self.tree) == wanted {
            return true;
        }
        if self.root_described {
            return false;
        }
        let root = RootPath::root();
        let before = self.tree.get(&root).map(|node| node.meta.mtime);
        for date in self.dates() {
            self.date_root(date);
            if tree_digest(&self.tree) == wanted {
                return true;
            }
        }
        before.into_iter().for_each(|date| self.date_root(date));
        false
    }

    fn date_root(&mut self, date: i64) {
        if let Some(root) = self.tree.get_mut(&RootPath::root()) {
            root.meta.mtime = date;
        }
    }

    /// Dates of what is at the top, then of all else, the commonest first.
    fn dates(&self) -> Vec<i64> {
        let mut count = std::collections::BTreeMap::<i64, usize>::new();
        let mut top = BTreeSet::new();
        for (path, node) in self.tree.iter().filter(|(path, _)| !path.is_root()) {
            *count.entry(node.meta.mtime).or_default() += 1;
            if path.components().count() == 1 {
                top.insert(node.meta.mtime);
            }
        }
        let mut dates: Vec<_> = count.into_iter().collect();
        dates.sort_by_key(|(date, count)| (!top.contains(date), std::cmp::Reverse(*count), *date));
        dates.into_iter().take(DATES).map(|(date, _)| date).collect()
    }
}
