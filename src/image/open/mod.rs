//! An image of any form, read back as a tree: what `verify`, `audit` and `diff` look at.
//!
//! In: a path, and which architecture is meant where there are several. Out: [`Opened`]. What it is, its content tells,
//! not its name. Every blob is compared with its descriptor, every layer with the image's configuration; nothing of an
//! image is written but below the scratch folder, and nothing there is called by a name from the image.
//!
//! ```text
//! docker://registry/name:tag ─► pull ─► a layout in the scratch folder, as if it had been named
//! directory with oci-layout ─► source ─► oci: index, manifest, configuration ─┐
//! tar of an image ─────────────┘              docker: manifest.json ──────────┼─► layer ─► rootfs ─► Tree
//! tar of a rootfs ────────────────────────────────────────────────────────────┘
//! directory ──────────────────────────────────────────────► tree::from_dir, directory ──────────────► Tree
//! ```

mod directory;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod layer;
mod oci;
mod pull;
mod rootfs;
mod source;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde_json::Value;

pub use error::{LayerFault, OpenError, OpenFault};
pub use target::{ImageRef, Remote, TargetError, open_target};

use self::{layer::Layer, layer::Unpacker, rootfs::Rootfs, source::Blob, source::Source};
use crate::{
    base::{Arch, RootPath, Sha256},
    deb::{End, Limits},
    image::tree_digest,
    tree::{Content, Tree},
};

/// How many layers are read at a time: the entries of all of them are in memory then.
const AT_ONCE: usize = 4;

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

/// A tar archive of a rootfs, as it lies there.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The file itself.
    pub whole: Content,
    /// Decompressed; the same if it was not compressed. Its digest is what a diffID is of a layer.
    pub plain: Content,
}

/// What an image is, read back.
///
/// Its files' bytes are in memory, in the scratch folder, or where the image lies: both must stay for as long as the tree
/// is used, and whoever passes bytes on compares them with their digest. Those of an OCI image or a docker-archive were
/// compared with the digests of the image when they were read; of single files no digest is taken before it is wanted. Hard links point at the name that sorts first.
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
    /// Of the plain layers, as found by hashing.
    pub diff_ids: Vec<Sha256>,
    /// Of the layers as they are in the image, mostly compressed, as found by hashing.
    pub layers: Vec<Sha256>,
    /// The bytes of a tar archive, with digests that are taken if they are asked for.
    pub archive: Option<Archive>,
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
    layered(oci::layout(source, arch)?, Form::Oci, &Unpacker::new(scratch, limits), limits)
}

fn file(path: PathBuf, arch: Option<Arch>, scratch: &Path, limits: &Limits) -> Result<Opened, OpenFault> {
    let whole = Blob::whole(&path).map_err(OpenFault::Read)?;
    let unpacker = Unpacker::new(scratch, limits);
    let plain = unpacker.plain(&whole)?;
    let failed = |fault| layer::tar_fault("the archive", fault);
    let entries = unpacker.entries(&plain, End::Marked).map_err(failed)?;
    let source = Source::of_tar(&plain.path, &entries);
    let table = oci::docker_table(&source);
    if source.get("oci-layout")?.is_some() && source.get("index.json")?.is_some() {
        let image = oci::layout(&source, arch)?;
        let note = table.map(|table| oci::same_in_docker(&source, table, &image)).transpose()?.flatten();
        let mut opened = layered(image, Form::Oci, &unpacker, limits)?;
        opened.notes.extend(note);
        return Ok(opened);
    }
    if let Some(table) = table {
        return layered(oci::docker(&source, table, arch)?, Form::DockerArchive, &unpacker, limits);
    }
    drop(source);
    unpacker.charge(plain.size)?;
    let mut rootfs = Rootfs::new(0, false, limits);
    rootfs.lay_all(entries).map_err(failed)?;
    let root_described = rootfs.root_described;
    let (tree, notes) = rootfs.finish();
    let archive = Some(Archive { whole: whole.content(), plain: plain.content() });
    Ok(Opened { root_described, notes, archive, ..Opened::plain(tree, Form::Tar) })
}

fn layered(image: oci::Image, form: Form, unpacker: &Unpacker<'_>, limits: &Limits) -> Result<Opened, OpenFault> {
    let oci::Image { arch, config, diff_ids: wanted, layers: blobs, manifest, claimed, .. } = image;
    if blobs.len() != wanted.len() {
        return Err(OpenFault::LayerCount { layers: blobs.len(), diff_ids: wanted.len() });
    }
    let created = config.get("created").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let mut rootfs = Rootfs::new(created.map_or(0, jiff::Timestamp::as_second), true, limits);
    let (mut diff_ids, mut layers) = (Vec::new(), Vec::new());
    let all: Vec<_> = blobs.iter().zip(wanted).enumerate().collect();
    for some in all.chunks(AT_ONCE) {
        let read = some.par_iter().with_max_len(1).map(|(at, (blob, _))| {
            let name = format!("layer {} of {} ({})", at + 1, blobs.len(), blob.name);
            (unpacker.layer(blob, &name), name)
        });
        // Each is verified before anything of it is laid.
        for ((layer, name), (_, (_, wanted))) in read.collect::<Vec<_>>().into_iter().zip(some) {
            let Layer { entries, digest, diff_id } = layer?;
            if diff_id.to_string() != *wanted {
                let wanted = crate::deb::shown(wanted.as_bytes());
                return Err(OpenFault::DiffId { layer: name, wanted, found: diff_id });
            }
            rootfs.lay_all(entries).map_err(|fault| layer::tar_fault(&name, fault))?;
            diff_ids.push(diff_id);
            layers.push(digest);
        }
    }
    let root_described = rootfs.root_described;
    let (tree, notes) = rootfs.finish();
    let config = Some(config);
    let plain = Opened::plain(tree, form);
    Ok(Opened { arch, config, manifest, diff_ids, layers, claimed, root_described, notes, ..plain })
}

/// What is said of device nodes and the like; `first` is one of them.
fn left_out(first: Option<(&RootPath, &'static str)>, count: usize) -> Vec<String> {
    let note = first.map(|(path, what)| match count {
        0 | 1 => format!("{path} is {what} and is left out"),
        _ => format!("{count} device nodes, FIFOs and sockets are left out, {path} ({what}) for one"),
    });
    note.into_iter().collect()
}

impl Opened {
    /// A rootfs without more.
    fn plain(tree: Tree, form: Form) -> Self {
        Self {
            tree,
            form,
            arch: None,
            config: None,
            manifest: None,
            diff_ids: Vec::new(),
            layers: Vec::new(),
            archive: None,
            claimed: None,
            root_described: false,
            notes: Vec::new(),
        }
    }

    /// Whether the image is the one whose [`tree_digest`] is `wanted`. If it does not say what its root is like, the
    /// dates found in it are tried for that, the commonest first, and the one that fits is kept.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn settle_root(&mut self, wanted: Sha256) -> io::Result<bool> {
        if tree_digest(&self.tree)? == wanted {
            return Ok(true);
        }
        if self.root_described {
            return Ok(false);
        }
        let root = RootPath::root();
        let before = self.tree.get(&root).map(|node| node.meta.mtime);
        for date in self.dates() {
            self.date_root(date);
            if tree_digest(&self.tree)? == wanted {
                return Ok(true);
            }
        }
        before.into_iter().for_each(|date| self.date_root(date));
        Ok(false)
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
