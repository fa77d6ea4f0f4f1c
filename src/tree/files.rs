//! The manifest's own `[[files]]`, placed over what packages brought.
//!
//! In: entries of the manifest and the files on this machine that they name. Out: nodes whose metadata come from the
//! manifest alone: no owner, time or umask of this machine gets into an image.

use std::{
    collections::BTreeMap, fs, io, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt, path::Path, path::PathBuf,
};

use super::{Content, Kind, Meta, Node, NotADirectory, Origin, Tree};
use crate::{
    base::{
        BadPath, Line, RootPath,
        refusal::{self, Refusal, Refuses},
    },
    manifest::{ExtraFile, FileSource},
};

/// Files longer than this many bytes are not held in memory.
const LARGE: u64 = 1 << 20;

/// What was copied from this machine: where it is in the rootfs, and where it came from.
pub type Placed = BTreeMap<RootPath, PathBuf>;

/// An entry of `[[files]]` cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The source cannot be read.
    #[error("cannot read {}, which [[files]] in line {line} of the manifest names: {source}", path.display())]
    Read {
        /// On this machine.
        path: PathBuf,
        /// Of the manifest.
        line: Line,
        /// Why.
        source: io::Error,
    },
    /// Sockets, devices and pipes.
    #[error("{} is neither file, directory nor link; [[files]] in line {line} cannot copy it", path.display())]
    Special {
        /// On this machine.
        path: PathBuf,
        /// Of the manifest.
        line: Line,
    },
    /// A name that the rootfs cannot hold.
    #[error("[[files]] in line {line}: {source}")]
    Path {
        /// Of the manifest.
        line: Line,
        /// Why.
        source: BadPath,
    },
    /// A package has a file where a directory is needed, or the reverse.
    #[error("[[files]] in line {line}: {what}; choose another path, or take the package's file out with rootfs.remove")]
    InTheWay {
        /// Of the manifest.
        line: Line,
        /// What is in the way of what.
        what: String,
    },
}

impl Refuses for FilesError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::FILES_UNREADABLE,
            Self::Special { .. } => refusal::FILES_SPECIAL,
            Self::Path { .. } => refusal::FILES_BAD_PATH,
            Self::InTheWay { .. } => refusal::FILES_IN_THE_WAY,
        }
    }
}

impl From<(Line, NotADirectory)> for FilesError {
    fn from((line, error): (Line, NotADirectory)) -> Self {
        Self::InTheWay { line, what: error.to_string() }
    }
}

impl Tree {
    /// Places the entries in the order written; a later one wins. What was copied from this machine is told, but for
    /// directories.
    ///
    /// # Errors
    /// When a source cannot be read or a path is taken by a directory with content.
    pub fn place_files(&mut self, files: &[ExtraFile]) -> Result<Placed, FilesError> {
        let mut placed = Placed::new();
        for file in files {
            let link = |target: &str| Kind::Symlink(target.as_bytes().into());
            match &file.source {
                FileSource::Copy(from) => self.copy(file, from, &file.path, true, &mut placed)?,
                FileSource::Content(text) => {
                    let content = Content::inline(text.as_bytes());
                    placed.remove(&self.set(file, file.path.clone(), Kind::File(content), 0o644, true)?);
                }
                FileSource::Link(target) => {
                    placed.remove(&self.set(file, file.path.clone(), link(target), 0o777, true)?);
                }
                FileSource::Directory => {
                    placed.remove(&self.set(file, file.path.clone(), Kind::Dir, 0o755, true)?);
                }
            }
        }
        Ok(placed)
    }

    fn copy(
        &mut self,
        file: &ExtraFile,
        from: &Path,
        to: &RootPath,
        top: bool,
        placed: &mut Placed,
    ) -> Result<(), FilesError> {
        let line = &file.line;
        let failed = |source| FilesError::Read { path: from.into(), line: line.clone(), source };
        // A link named by the manifest itself stands for what it leads to; one inside a copied folder is copied.
        let info = if top { fs::metadata(from) } else { fs::symlink_metadata(from) }.map_err(failed)?;
        if info.is_dir() {
            placed.remove(&self.set(file, to.clone(), Kind::Dir, 0o755, top)?);
            let mut names: Vec<_> = fs::read_dir(from)
                .and_then(|entries| entries.map(|entry| entry.map(|e| e.file_name())).collect())
                .map_err(failed)?;
            names.sort();
            for name in names {
                let below =
                    to.join(name.as_bytes()).map_err(|source| FilesError::Path { line: line.clone(), source })?;
                self.copy(file, &from.join(&name), &below, false, placed)?;
            }
            return Ok(());
        }
        let path = if info.is_symlink() {
            let target = fs::read_link(from).map_err(failed)?;
            self.set(file, to.clone(), Kind::Symlink(target.as_os_str().as_bytes().into()), 0o777, top)?
        } else if info.is_file() {
            let usual = if info.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
            let content = match info.len() > LARGE {
                true => Content::of_file(from),
                false => fs::read(from).map(Content::inline),
            };
            self.set(file, to.clone(), Kind::File(content.map_err(failed)?), usual, top)?
        } else {
            return Err(FilesError::Special { path: from.into(), line: line.clone() });
        };
        placed.insert(path, from.into());
        Ok(())
    }

    /// Where it is put in the end.
    fn set(
        &mut self,
        file: &ExtraFile,
        path: RootPath,
        kind: Kind,
        usual: u32,
        top: bool,
    ) -> Result<RootPath, FilesError> {
        let line = &file.line;
        let is_dir = matches!(kind, Kind::Dir);
        let path = match path.parent().and_then(|parent| Some((self.resolve(&parent)?, path.file_name()))) {
            Some((parent, name)) => {
                parent.join(name).map_err(|source| FilesError::Path { line: line.clone(), source })?
            }
            None => path,
        };
        let path = match self.get(&path) {
            // Content put into what is a link to a directory goes where the link leads.
            Some(Node { kind: Kind::Symlink(_), .. }) if is_dir => self.resolve(&path).unwrap_or(path),
            Some(Node { kind: Kind::Dir, .. }) if !is_dir && self.children(&path).next().is_some() => {
                return Err(FilesError::InTheWay {
                    line: line.clone(),
                    what: format!("{path} is a directory with content"),
                });
            }
            Some(Node { kind: Kind::File(_) | Kind::Hardlink(_), origin, .. }) if is_dir && origin.is_unpacked() => {
                return Err(FilesError::InTheWay { line: line.clone(), what: format!("{path} is a file of {origin}") });
            }
            _ => path,
        };
        // `mode` speaks of the path that the entry names; below it the source's own execute bits decide.
        let link = matches!(kind, Kind::Symlink(_));
        let mode = if top && !link { file.mode.unwrap_or(usual) } else { usual };
        let (uid, gid) = file.owner;
        let meta = Meta { mode, uid, gid, mtime: self.epoch(), ..Meta::default() };
        self.unlink_name(&path);
        let node = Node { meta, kind, origin: Origin::Manifest, ready: None };
        self.insert(path.clone(), node).map_err(|e| FilesError::from((line.clone(), e)))?;
        Ok(path)
    }

    /// Before `path` is overwritten: what is hardlinked to it keeps its bytes under its next name.
    fn unlink_name(&mut self, path: &RootPath) {
        let Some(Kind::File(content)) = self.get(path).map(|node| node.kind.clone()) else { return };
        let names: Vec<_> = self
            .iter()
            .filter(|(_, node)| matches!(&node.kind, Kind::Hardlink(target) if target == path))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &names {
            let Some(node) = self.get_mut(name) else { continue };
            node.ready = None;
            node.kind = if *name == names[0] { Kind::File(content.clone()) } else { Kind::Hardlink(names[0].clone()) };
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_no_file_s_place() {
        let mut tree = Tree::new(0);
        tree.insert_file(RootPath::literal("opt/a"), 0o644, *b"x", Origin::Wheel("w".into())).unwrap();
        let entry = |path: &'static str, source| ExtraFile {
            path: RootPath::literal(path),
            source,
            mode: None,
            owner: (0, 0),
            line: 7.into(),
        };
        let error = tree.place_files(&[entry("opt/a", FileSource::Directory)]).unwrap_err().to_string();
        assert!(error.starts_with("[[files]] in line 7: /opt/a is a file of the wheel w; choose"), "{error}");
        // A file takes a file's place, and the manifest's own entries each other's.
        tree.place_files(&[entry("opt/a", FileSource::Content("y".into()))]).unwrap();
        tree.place_files(&[entry("opt/a", FileSource::Directory)]).unwrap();
        assert!(matches!(tree.get(&RootPath::literal("opt/a")).unwrap().kind, Kind::Dir));
    }
}
