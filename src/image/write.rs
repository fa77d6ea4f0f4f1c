//! The order of the work: everything is prepared under temporary names, then all names change.
//!
//! In: tree, spec, outputs. Out: [`Written`].

use std::path::PathBuf;

use super::{
    ImageError, ImageSpec, Layer, Output,
    compress::Packed,
    digest::tree_digest,
    directory, layer, media_type,
    oci::{self, Blob, Documents},
    stage::{self, StagedDir, StagedFile},
    tarball::{self, Files},
};
use crate::{
    base::{Progress, Sha256},
    manifest::Compression,
    tree::Tree,
};

/// Room for an image's documents and headers, in bytes.
const OCI_EXTRA: u64 = 64 << 10;

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

/// Writes `tree` to all `outputs`. `force` lets a directory that compose did not make be replaced.
///
/// Each compression is done once. Nothing appears under an output's name before all outputs are complete.
///
/// # Errors
/// When anything cannot be written; then no output's name has changed (but for those renamed before a rename failed)
/// and no temporary file is left.
pub fn write_all(
    tree: &Tree,
    spec: &ImageSpec<'_>,
    outputs: &[Output],
    force: bool,
    progress: &dyn Progress,
) -> Result<Written, ImageError> {
    for (i, output) in outputs.iter().enumerate() {
        if outputs.iter().take(i).any(|other| other.path().components().eq(output.path().components())) {
            return Err(ImageError::Twice { path: output.path().into() });
        }
    }
    let compression = spec.image.compression;
    let mut files = Files::default();
    let mut stages = Vec::new();
    for output in outputs {
        stages.push(Stage::new(output, force, &mut files)?);
    }
    let oci = |output: &&Output| matches!(output, Output::OciDir(_) | Output::OciTar(_));
    let slot = Form::from(compression).slot(&mut files);
    if let (None, Some(output)) = (&slot, outputs.iter().find(oci)) {
        *slot = Some(StagedFile::scratch(output.path())?);
    }

    let pieces = layer::pieces(tree);
    let total = layer::total(&pieces);
    let directories = outputs.iter().filter(|output| matches!(output, Output::Directory(_))).count() as u64;
    progress.phase("Writing", Some(total + directories * directory::bytes(tree)));
    let digest = tree_digest(tree);
    let forms = tarball::write(&pieces, &mut files, progress)?;
    let packed = match compression {
        Compression::Gzip => forms.gzip,
        Compression::Zstd => forms.zstd,
    };
    let layers: Vec<Layer> = packed
        .map(|packed| Layer {
            digest: packed.sha256,
            size: packed.size,
            diff_id: forms.plain.sha256,
            plain_size: forms.plain.size,
            media_type: media_type(compression),
        })
        .into_iter()
        .collect();
    let docs = Documents::new(spec, digest, &layers);
    // While an OCI output is written, its layer is there twice.
    let oci_needed = 2 * layers.iter().map(|layer| layer.size).sum::<u64>() + OCI_EXTRA;

    let mut notes = Vec::new();
    let mut written = Vec::new();
    for (output, stage) in outputs.iter().zip(&mut stages) {
        let (bytes, sha256) = match stage {
            Stage::Rootfs(dir) => {
                let made = directory::fill(tree, dir.path(), dir.target(), progress);
                notes.extend(made.map_err(|error| error.needing(dir.target(), directory::needed(tree)))?);
                (directory::bytes(tree), None)
            }
            Stage::Form(form, copy) => {
                let packed = form.packed(&forms);
                if let (Some(copy), Some(from)) = (copy, form.file(&files)) {
                    tarball::copy(from, copy)?;
                }
                (packed.map_or(0, |packed| packed.size), packed.map(|packed| packed.sha256))
            }
            Stage::OciDir(dir) => {
                let blobs = blobs(&layers, &files, compression);
                let made = oci::write_dir(&docs, &blobs, dir.path(), dir.target());
                (made.map_err(|error| error.needing(dir.target(), oci_needed))?, None)
            }
            Stage::OciTar(file) => {
                let (blobs, target) = (blobs(&layers, &files, compression), file.target().to_path_buf());
                let made = oci::write_tar(&docs, &blobs, spec.epoch.as_second(), file.file(), &target);
                let (sha256, bytes) = made.map_err(|error| error.needing(&target, oci_needed))?;
                (bytes, Some(sha256))
            }
        };
        written.push(WrittenOutput { path: output.path().into(), bytes, sha256 });
    }
    for stage in stages {
        notes.extend(stage.commit()?);
    }
    for file in [files.plain, files.gzip, files.zstd].into_iter().flatten() {
        file.commit()?;
    }
    Ok(Written { tree: digest, diff_ids: vec![forms.plain.sha256], layers, outputs: written, notes })
}

/// The forms of a layer's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

impl Form {
    fn packed(self, forms: &super::compress::Forms) -> Option<Packed> {
        match self {
            Self::Plain => Some(forms.plain),
            Self::Gzip => forms.gzip,
            Self::Zstd => forms.zstd,
        }
    }

    fn file(self, files: &Files) -> Option<&StagedFile> {
        match self {
            Self::Plain => files.plain.as_ref(),
            Self::Gzip => files.gzip.as_ref(),
            Self::Zstd => files.zstd.as_ref(),
        }
    }

    fn slot(self, files: &mut Files) -> &mut Option<StagedFile> {
        match self {
            Self::Plain => &mut files.plain,
            Self::Gzip => &mut files.gzip,
            Self::Zstd => &mut files.zstd,
        }
    }
}

impl From<Compression> for Form {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
        }
    }
}

/// An output under its temporary name.
enum Stage {
    Rootfs(StagedDir),
    /// One of [`Files`], or a copy of it.
    Form(Form, Option<StagedFile>),
    OciDir(StagedDir),
    OciTar(StagedFile),
}

impl Stage {
    fn new(output: &Output, force: bool, files: &mut Files) -> Result<Self, ImageError> {
        let path = output.path();
        Ok(match output {
            Output::Tar(_) | Output::TarGz(_) | Output::TarZst(_) => {
                let staged = StagedFile::new(path)?;
                let form = match output {
                    Output::TarGz(_) => Form::Gzip,
                    Output::TarZst(_) => Form::Zstd,
                    _ => Form::Plain,
                };
                let slot = form.slot(files);
                if slot.is_some() {
                    Self::Form(form, Some(staged))
                } else {
                    *slot = Some(staged);
                    Self::Form(form, None)
                }
            }
            Output::OciDir(_) => Self::OciDir(StagedDir::new(path, oci::is_ours, force)?),
            Output::OciTar(_) => Self::OciTar(StagedFile::new(path)?),
            Output::Directory(_) => Self::Rootfs(StagedDir::new(path, stage::is_rootfs, force)?),
        })
    }

    fn commit(self) -> Result<Vec<String>, ImageError> {
        match self {
            Self::Rootfs(dir) | Self::OciDir(dir) => dir.commit(),
            Self::OciTar(file) | Self::Form(_, Some(file)) => file.commit().map(|()| Vec::new()),
            Self::Form(_, None) => Ok(Vec::new()),
        }
    }
}

fn blobs<'a>(layers: &'a [Layer], files: &'a Files, compression: Compression) -> Vec<Blob<'a>> {
    let file = Form::from(compression).file(files);
    layers.iter().zip(file).map(|(layer, file)| Blob { layer, file }).collect()
}
