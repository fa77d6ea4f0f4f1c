//! The order of the work: everything is prepared under temporary names, then all names change.
//!
//! In: a tree and a spec for each platform, outputs, the store. Out: [`Written`].
//!
//! What is compressed is in the store before anything is written; then hashing the plain layers, and hashing the
//! compressed ones, go side by side, and each output is put together from what is there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    ImageError, ImageSpec, Layer, Output,
    digest::tree_digest,
    directory,
    layer::{self, Piece},
    layout::{self, Blob, Layout},
    media_type,
    oci::Documents,
    origin,
    pack::{self, Pack, Packed, PlainError},
    pushable::Pushable,
    stage::{self, Replaced, StagedDir, StagedFile},
};
use crate::{
    base::{Progress, Sha256, aside, live},
    manifest::{Compression, Layers},
    store::Store,
    tree::Tree,
};

/// Room for an image's documents and headers, in bytes.
const OCI_EXTRA: u64 = 64 << 10;

const CODECS: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The tree digest.
    pub tree: Sha256,
    /// Digest of each layer's plain tar: known whatever was written.
    pub diff_ids: Vec<Sha256>,
    /// The layers in the image's compression; empty when no output needed them compressed so.
    pub layers: Vec<Layer>,
    /// The outputs, in the order asked for.
    pub outputs: Vec<WrittenOutput>,
    /// What a person should know, and that is no failure.
    pub notes: Vec<String>,
    /// For a registry, if one was asked for.
    pub pushable: Option<Pushable>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOutput {
    /// As asked for.
    pub path: PathBuf,
    /// Length of a file; sum of the content of all files in a directory.
    pub bytes: u64,
    /// Of a file.
    pub sha256: Option<Sha256>,
}

/// The compressions that `outputs`, and a registry, need of an image whose layers have `layers`.
pub fn codecs(outputs: &[Output], for_registry: bool, layers: Compression) -> Vec<Compression> {
    let is_wanted = |codec: &Compression| {
        (for_registry && *codec == layers)
            || outputs.iter().any(|output| match output {
                Output::OciDir(_) | Output::OciTar(_) => *codec == layers,
                _ => archive(output) == Some(Some(*codec)),
            })
    };
    CODECS.into_iter().filter(is_wanted).collect()
}

/// What can be told of outputs before there is anything to write: each is named once, none lies inside another, and the
/// folders that they go into are there.
///
/// # Errors
/// [`ImageError::Twice`], [`ImageError::Inside`], or a folder that is missing.
pub fn check(outputs: &[Output]) -> Result<(), ImageError> {
    let places: Vec<PathBuf> = outputs.iter().map(place).collect();
    for (i, (output, at)) in outputs.iter().zip(&places).enumerate() {
        if places.iter().take(i).any(|other| other == at) {
            return Err(ImageError::Twice { path: output.path().into() });
        }
    }
    let is_folder = |output: &Output| matches!(output, Output::Directory(_) | Output::OciDir(_));
    for (outer, folder) in outputs.iter().zip(&places).filter(|(outer, _)| is_folder(outer)) {
        let is_inside = |at: &PathBuf| at.starts_with(folder) && at != folder;
        if let Some((inner, _)) = outputs.iter().zip(&places).find(|(_, at)| is_inside(at)) {
            return Err(ImageError::Inside { path: inner.path().into(), outer: outer.path().into() });
        }
    }
    outputs.iter().try_for_each(|output| stage::has_parent(output.path()))
}

/// Where an output truly is, whatever links and `..` its path leads through: the directory that it replaces, or the name
/// that it will have. As it is typed where there is nothing yet.
pub fn place(output: &Output) -> PathBuf {
    let path = output.path();
    let is_replaced = matches!(output, Output::Directory(_) | Output::OciDir(_));
    let folder = || Some(fs::canonicalize(aside::folder(path)).ok()?.join(path.file_name()?));
    let there = is_replaced.then(|| fs::canonicalize(path).ok()).flatten();
    there.or_else(folder).unwrap_or_else(|| path.components().collect())
}

/// The image of one platform.
#[derive(Debug, Clone, Copy)]
pub struct ToWrite<'a> {
    /// Its files.
    pub tree: &'a Tree,
    /// What it is called and how it starts.
    pub spec: &'a ImageSpec<'a>,
    /// Where it alone goes to.
    pub outputs: &'a [Output],
}

/// Writes `tree` to all `outputs`: as [`write_images`] with one image.
///
/// # Errors
/// As [`write_images`].
pub fn write_all(
    tree: &Tree,
    spec: &ImageSpec<'_>,
    outputs: &[Output],
    force: bool,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Written, ImageError> {
    let images = [ToWrite { tree, spec, outputs }];
    let (written, _) = write_images(&images, &[], false, force, store, progress)?;
    // One image in, one out.
    written.into_iter().next().ok_or(ImageError::Changed)
}

/// Writes each image to its own outputs, and all of them to each of `shared`: OCI layouts with an index of the platforms.
/// `for_registry` makes each ready for one too, which refers to the store; `force` lets a directory that compose did not
/// make be replaced.
///
/// Each group of a layer is compressed once, and kept in `store`. Nothing appears under an output's name before all
/// outputs are complete.
///
/// # Errors
/// When anything cannot be written; then no output's name has changed (but for those renamed before a rename failed)
/// and no temporary file is left. An output in `shared` that holds one tree only is [`ImageError::OneTree`].
pub fn write_images(
    images: &[ToWrite<'_>],
    shared: &[Output],
    for_registry: bool,
    force: bool,
    store: &Store,
    progress: &dyn Progress,
) -> Result<(Vec<Written>, Vec<WrittenOutput>), ImageError> {
    let all: Vec<Output> = images.iter().flat_map(|image| image.outputs).chain(shared).cloned().collect();
    check(&all)?;
    if let Some(output) = shared.iter().find(|output| !output.is_oci()) {
        return Err(ImageError::OneTree { path: output.path().into() });
    }
    all.iter().for_each(|output| stage::sweep(output.path()));
    let stage = |outputs: &[Output]| {
        outputs.iter().map(|output| Stage::new(output, force, store)).collect::<Result<Vec<_>, _>>()
    };
    let mut stages = images.iter().map(|image| stage(image.outputs)).collect::<Result<Vec<_>, _>>()?;
    let mut shared_stages = stage(shared)?;
    let mut made = Vec::new();
    for (image, stages) in images.iter().zip(&mut stages) {
        made.push(make(image, stages, for_registry || !shared.is_empty(), store, progress)?);
    }
    let mut written = Vec::new();
    if !shared.is_empty() {
        let docs = Layout::new(made.iter().map(|made| made.docs.clone()).collect());
        let blobs: Vec<Blob<'_>> = made.iter().flat_map(Made::blobs).collect();
        let epoch = images.iter().map(|image| image.spec.epoch.as_second()).max().unwrap_or_default();
        for (output, stage) in shared.iter().zip(&mut shared_stages) {
            written.push(write_oci(&docs, &blobs, epoch, output, stage)?);
        }
    }
    // Before it has its name: killed after that, the next run knows it.
    for stage in stages.iter().flatten() {
        if let Stage::Rootfs(dir) = stage
            && let Ok(made) = dir.metadata()
        {
            store.note_output(dir.target(), &made);
        }
    }
    let commit = |done: &mut Vec<PathBuf>| {
        let mut each = |stages: Vec<Stage>| -> Result<Vec<Option<Replaced>>, ImageError> {
            stages.into_iter().map(|stage| stage.commit(done)).collect()
        };
        let own = stages.into_iter().map(&mut each).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, ImageError>((own, each(shared_stages)?))
    };
    let (own, together) = live::commit(commit)?;
    let notes = |replaced: Vec<Option<Replaced>>| replaced.into_iter().flatten().flat_map(Replaced::remove);
    let mut out: Vec<Written> = Vec::with_capacity(made.len());
    for (made, replaced) in made.into_iter().zip(own) {
        let Made { mut written, docs, packs } = made;
        written.notes.extend(notes(replaced));
        written.pushable = for_registry.then(|| Pushable::new(docs, &written.layers, packs));
        out.push(written);
    }
    if let Some(first) = out.first_mut() {
        first.notes.extend(notes(together));
    }
    Ok((out, written))
}

/// An image whose outputs are written, and what goes into layouts that it shares with others.
struct Made {
    written: Written,
    docs: Documents,
    packs: Vec<Vec<Pack>>,
}

impl Made {
    fn blobs(&self) -> impl Iterator<Item = Blob<'_>> {
        self.written.layers.iter().zip(&self.packs).map(|(layer, packs)| Blob { layer, packs })
    }
}

fn make(
    image: &ToWrite<'_>,
    stages: &mut [Stage],
    packed: bool,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Made, ImageError> {
    let &ToWrite { tree, spec, outputs } = image;
    let plans = Plan::all(tree, spec.image.layers);
    let whole = Whole::of(tree, &plans, outputs);
    let is_oci = packed || outputs.iter().any(Output::is_oci);
    let codec = spec.image.compression;
    let layer_pieces: Vec<&[Piece]> = plans.iter().map(|plan| &plan.pieces[..]).collect();
    let is_tar = |codec: &Compression| outputs.iter().any(|output| archive(output) == Some(Some(*codec)));
    let tars: Vec<Compression> = CODECS.into_iter().filter(is_tar).collect();

    let layers_total: u64 = layer_pieces.iter().map(|pieces| layer::total(pieces)).sum();
    let directories = outputs.iter().filter(|output| matches!(output, Output::Directory(_))).count() as u64;
    let forms = 1 + u64::from(is_oci) + tars.len() as u64 + u64::from(whole.apart);
    progress.phase("Writing", Some(forms * layers_total + directories * directory::bytes(tree)));

    let pack = |codec, pieces| pack::pack_all(store, codec, pieces, progress).map_err(ImageError::from);
    let packs: Vec<Vec<Pack>> = match is_oci {
        true => layer_pieces.iter().map(|pieces| pack(codec, pieces)).collect::<Result<_, _>>()?,
        false => Vec::new(),
    };
    let tar_packs: Vec<(Compression, Vec<Pack>)> = tars
        .into_iter()
        .map(|codec| Ok((codec, pack(codec, whole.pieces(&plans))?)))
        .collect::<Result<_, ImageError>>()?;

    // The plain tar goes to its outputs while it is hashed.
    let mut plain_outputs: Vec<&mut StagedFile> = Vec::new();
    for stage in stages.iter_mut() {
        if let Stage::Tar(None, file) = stage {
            plain_outputs.push(file);
        }
    }
    let sum = |packs: &Vec<Pack>| pack::concat(packs, io::sink()).map_err(unread);
    let (plain, sums) = rayon::join(
        || plain_digests(&layer_pieces, &whole, &plans, &mut plain_outputs, progress),
        || packs.par_iter().map(sum).collect::<Result<Vec<_>, _>>(),
    );
    let (plain, sums) = (plain?, sums?);
    let layers: Vec<Layer> = plans
        .iter()
        .zip(&plain.layers)
        .zip(&sums)
        .map(|((plan, plain), packed)| Layer {
            what: plan.what,
            digest: packed.sha256,
            size: packed.size,
            diff_id: plain.sha256,
            plain_size: plain.size,
            media_type: media_type(codec),
        })
        .collect();
    let digest = tree_digest(tree).map_err(unread)?;
    let docs = Documents::new(spec, digest, &layers);
    let diff_ids = plain.layers.iter().map(|plain| plain.sha256).collect();
    let written = Written { tree: digest, diff_ids, layers, outputs: Vec::new(), notes: Vec::new(), pushable: None };
    let mut made = Made { written, docs, packs };
    let layout = Layout::new(vec![made.docs.clone()]);

    let mut notes = Vec::new();
    let mut written = Vec::new();
    for (output, stage) in outputs.iter().zip(stages) {
        let target = output.path();
        if output.is_oci() {
            let blobs: Vec<Blob<'_>> = made.blobs().collect();
            written.push(write_oci(&layout, &blobs, spec.epoch.as_second(), output, stage)?);
            continue;
        }
        let (bytes, sha256) = match stage {
            Stage::Rootfs(dir) => {
                let made = directory::fill(tree, dir.root(), dir.target(), progress);
                notes.extend(made.map_err(|error| error.needing(dir.target(), directory::needed(tree)))?);
                (directory::bytes(tree), None)
            }
            Stage::Tar(None, _) => (plain.whole.size, Some(plain.whole.sha256)),
            Stage::Tar(Some(codec), file) => {
                let packs = tar_packs.iter().find(|(of, _)| of == codec).map_or(&[][..], |(_, packs)| packs);
                let packed = pack::concat(packs, file.file()).map_err(|error| {
                    ImageError::at("write", target)(error).needing(target, packs.iter().map(Pack::len).sum())
                })?;
                (packed.size, Some(packed.sha256))
            }
            Stage::OciDir(_) | Stage::OciTar(_) => continue,
        };
        written.push(WrittenOutput { path: target.into(), bytes, sha256 });
    }
    made.written.outputs = written;
    made.written.notes = notes;
    Ok(made)
}

/// Writes a layout, if the output is one.
fn write_oci(
    docs: &Layout,
    blobs: &[Blob<'_>],
    epoch: i64,
    output: &Output,
    stage: &mut Stage,
) -> Result<WrittenOutput, ImageError> {
    let needed = blobs.iter().map(|blob| blob.layer.size).sum::<u64>() + docs.attached() + OCI_EXTRA;
    let target = output.path();
    let made = match stage {
        Stage::OciDir(dir) => layout::write_dir(docs, blobs, dir).map(|bytes| (bytes, None)),
        Stage::OciTar(file) => {
            let made = layout::write_tar(docs, blobs, epoch, file.file(), target);
            made.map(|(sha256, bytes)| (bytes, Some(sha256)))
        }
        Stage::Rootfs(_) | Stage::Tar(..) => Err(ImageError::OneTree { path: target.into() }),
    };
    let (bytes, sha256) = made.map_err(|error| error.needing(target, needed))?;
    Ok(WrittenOutput { path: target.into(), bytes, sha256 })
}

/// A layer to be made.
struct Plan {
    what: &'static str,
    pieces: Vec<Piece>,
}

impl Plan {
    fn all(tree: &Tree, layers: Layers) -> Vec<Self> {
        match layers {
            Layers::Single => vec![Self { what: "compose", pieces: layer::pieces(tree) }],
            Layers::ByOrigin => {
                let plan =
                    |part: origin::Part<'_>| Self { what: part.role.words(), pieces: layer::pieces_of(&part.nodes) };
                origin::parts(tree).into_iter().map(plan).collect()
            }
        }
    }
}

/// The tree as one tar: the only layer, or made apart from several, where an output wants it.
struct Whole {
    apart: bool,
    pieces: Vec<Piece>,
}

impl Whole {
    fn of(tree: &Tree, plans: &[Plan], outputs: &[Output]) -> Self {
        let apart = plans.len() != 1 && outputs.iter().any(|output| archive(output).is_some());
        Self { apart, pieces: if apart { layer::pieces(tree) } else { Vec::new() } }
    }

    fn pieces<'a>(&'a self, plans: &'a [Plan]) -> &'a [Piece] {
        match plans {
            [only] if !self.apart => &only.pieces,
            _ => &self.pieces,
        }
    }
}

/// Digests of plain tars.
struct Plain {
    /// Of each layer.
    layers: Vec<Packed>,
    /// Of the whole tree in one.
    whole: Packed,
}

/// Hashes every layer, and writes the whole tree to `outputs`.
fn plain_digests(
    layers: &[&[Piece]],
    whole: &Whole,
    plans: &[Plan],
    outputs: &mut [&mut StagedFile],
    progress: &dyn Progress,
) -> Result<Plain, ImageError> {
    let targets: Vec<PathBuf> = outputs.iter().map(|file| file.target().to_path_buf()).collect();
    let mut sinks: Vec<&mut File> = outputs.iter_mut().map(|file| file.file()).collect();
    let pieces = whole.pieces(plans);
    let needed = layer::total(pieces);
    let failed = |error| match error {
        PlainError::Read(error) => unread(error),
        PlainError::Changed => ImageError::Changed,
        PlainError::Write(sink, error) => {
            let path = targets.get(sink).map_or(Path::new(""), PathBuf::as_path);
            ImageError::at("write", path)(error).needing(path, needed)
        }
    };
    let (whole_sum, layer_sums) = rayon::join(
        || pack::plain(pieces, &mut sinks, progress),
        || match layers {
            [_] if !whole.apart => Ok(Vec::new()),
            _ => layers.par_iter().map(|pieces| pack::plain(pieces, &mut [], progress)).collect::<Result<Vec<_>, _>>(),
        },
    );
    let (whole_sum, mut layer_sums) = (whole_sum.map_err(failed)?, layer_sums.map_err(failed)?);
    if layer_sums.is_empty() && !layers.is_empty() {
        layer_sums.push(whole_sum);
    }
    Ok(Plain { layers: layer_sums, whole: whole_sum })
}

/// Whether `output` is the tree as one tar, and how compressed.
fn archive(output: &Output) -> Option<Option<Compression>> {
    match output {
        Output::Tar(_) => Some(None),
        Output::TarGz(_) => Some(Some(Compression::Gzip)),
        Output::TarZst(_) => Some(Some(Compression::Zstd)),
        Output::Directory(_) | Output::OciDir(_) | Output::OciTar(_) => None,
    }
}

fn unread(source: io::Error) -> ImageError {
    ImageError::Segment { what: "the layer".into(), source }
}

/// An output under its temporary name.
enum Stage {
    Rootfs(StagedDir),
    Tar(Option<Compression>, StagedFile),
    OciDir(StagedDir),
    OciTar(StagedFile),
}

impl Stage {
    fn new(output: &Output, force: bool, store: &Store) -> Result<Self, ImageError> {
        let path: &Path = output.path();
        Ok(match (output, archive(output)) {
            (_, Some(codec)) => Self::Tar(codec, StagedFile::new(path)?),
            (Output::OciDir(_), _) => Self::OciDir(StagedDir::new(path, layout::is_ours, force)?),
            (Output::OciTar(_), _) => Self::OciTar(StagedFile::new(path)?),
            _ => Self::Rootfs(StagedDir::new(path, |path| store.has_output(path), force)?),
        })
    }

    fn commit(self, done: &mut Vec<PathBuf>) -> Result<Option<Replaced>, ImageError> {
        match self {
            Self::Rootfs(dir) | Self::OciDir(dir) => dir.commit(done).map(Some),
            Self::OciTar(file) | Self::Tar(_, file) => file.commit(done).map(|()| None),
        }
    }
}
