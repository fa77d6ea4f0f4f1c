//! The tar archive of a tree in the forms wanted, each made once: `.tar`, `.tar.gz`, `.tar.zst`, and the compressed
//! layer that OCI outputs copy, which is the same stream of bytes.
//!
//! In: the pieces of a layer, the outputs. Out: one staged file for each form; copies for further outputs.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{
    ImageError,
    compress::{self, Forms, PackError, Sinks},
    layer::{self, Piece},
    stage::StagedFile,
};
use crate::base::Progress;

/// A file for each form that is wanted.
#[derive(Default)]
pub(super) struct Files {
    pub(super) plain: Option<StagedFile>,
    pub(super) gzip: Option<StagedFile>,
    pub(super) zstd: Option<StagedFile>,
}

/// Writes all forms in one pass.
pub(super) fn write(pieces: &[Piece], files: &mut Files, progress: &dyn Progress) -> Result<Forms, ImageError> {
    let target = |file: &Option<StagedFile>| file.as_ref().map(|file| file.target().to_path_buf()).unwrap_or_default();
    let (plain, gzip, zstd) = (target(&files.plain), target(&files.gzip), target(&files.zstd));
    let sinks = Sinks {
        plain: files.plain.as_mut().map(sink),
        gzip: files.gzip.as_mut().map(sink),
        zstd: files.zstd.as_mut().map(sink),
    };
    let needed = layer::total(pieces);
    let full = |path: &Path, source| ImageError::at("write", path)(source).needing(path, needed);
    compress::pack(pieces, sinks, progress).map_err(|error| match error {
        PackError::Read(source) => ImageError::Segment { what: "the layer".into(), source },
        PackError::Plain(source) => full(&plain, source),
        PackError::Gzip(source) => full(&gzip, source),
        PackError::Zstd(source) => full(&zstd, source),
    })
}

fn sink(file: &mut StagedFile) -> &mut (dyn Write + Send) {
    let file: &mut fs::File = file.file();
    file
}

/// Copies a finished form to a further output of the same kind.
pub(super) fn copy(from: &StagedFile, to: &mut StagedFile) -> Result<u64, ImageError> {
    let mut source = from.reopen()?;
    let size = source.metadata().map_or(0, |meta| meta.len());
    let target = to.target().to_path_buf();
    io::copy(&mut source, to.file()).map_err(|error| ImageError::at("write", &target)(error).needing(&target, size))
}
