//! What can go wrong while writing: always with the path, and with the bytes needed when the disk is full.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    base::{
        aside::is_full,
        refusal::{self, Refusal, Refuses},
    },
    store::StoreError,
};

/// An output could not be written. Nothing is left under its name but what was there before.
/// All of these are class 8, output or disk, of the exit codes.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "write", "create a file in".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No space, or over a quota or file size limit.
    #[error("no room for {}: it needs up to {needed} bytes; free some space or choose another place with -o", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// An upper bound of the output's size.
        needed: u64,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A segment that the tree refers to cannot be read.
    #[error(
        "cannot read what goes to {} in the image from the cache; if this persists, remove the cache and build again",
        what
    )]
    Segment {
        /// The path in the image, or "the layer".
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that the manifest names was written to while the image was made.
    #[error("a file that the manifest takes into the image changed while the image was made; build again")]
    Changed,
    /// The cache cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A directory that compose did not make stands where an output should go.
    #[error("{} is not empty and not known as made by compose, so it is left alone; remove it, choose another output, or use --force", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// Something that is not a directory, or is one, stands where the other kind should go.
    #[error("{} is there already and is {found}, so {wanted} cannot replace it; remove it or choose another output", path.display())]
    WrongKind {
        /// The output.
        path: PathBuf,
        /// What is there.
        found: &'static str,
        /// What should be written.
        wanted: &'static str,
    },
    /// An output would be written into another.
    #[error("{} would lie inside {}, which is an output too; write them beside each other", path.display(), outer.display())]
    Inside {
        /// The output.
        path: PathBuf,
        /// The folder that it would be in.
        outer: PathBuf,
    },
    /// An output that holds one tree, of which there are several.
    #[error("{} holds the files of one architecture, and several are built; put {{arch}} into its name, write oci:DIR or x.oci.tar, or choose one with --arch", path.display())]
    OneTree {
        /// The output.
        path: PathBuf,
    },
    /// Two outputs of one run would have the same name.
    #[error("{} is asked for twice; name each output once", path.display())]
    Twice {
        /// The output.
        path: PathBuf,
    },
}

impl Refuses for ImageError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Io { source, .. } => refusal::of_output(source),
            Self::Full { .. } => refusal::OUTPUT_FULL,
            Self::Segment { .. } => refusal::CACHE_DAMAGED,
            Self::Changed => refusal::SOURCE_CHANGED,
            Self::Store(error) => error.refusal(),
            Self::Occupied { .. } => refusal::OUTPUT_OCCUPIED,
            Self::WrongKind { .. } => refusal::OUTPUT_WRONG_KIND,
            Self::Inside { .. } => refusal::OUTPUT_INSIDE_OUTPUT,
            Self::OneTree { .. } => refusal::ONE_ARCHITECTURE_OUTPUT,
            Self::Twice { .. } => refusal::OUTPUT_TWICE,
        }
    }
}

impl ImageError {
    /// For `map_err`; a full disk is told apart by [`ImageError::needing`].
    pub(super) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.into(), source }
    }

    /// Makes a "no space" failure say how much the output at `path` needs.
    pub(super) fn needing(self, path: &Path, needed: u64) -> Self {
        match self {
            Self::Io { source, .. } if is_full(&source) => Self::Full { path: path.into(), needed, source },
            other => other,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_full_disk_says_what_is_needed() {
        let path = Path::new("/dev/full");
        let Ok(mut full) = std::fs::File::create(path) else {
            eprintln!("skipped: no /dev/full here");
            return;
        };
        let error = full.write_all(b"x").map_err(ImageError::at("write", path)).unwrap_err();
        let error = error.needing(Path::new("out/x.tar"), 12_345);
        insta::assert_snapshot!(error, @"no room for out/x.tar: it needs up to 12345 bytes; free some space or choose another place with -o");
    }
}
