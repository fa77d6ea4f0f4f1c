//! A directory that is a rootfs, as a tree.

use std::path::Path;

use super::{Form, Opened, error::OpenFault, left_out};
use crate::tree::{FoundDir, read_dir};

/// Reads the directory at `dir`.
pub(super) fn read(dir: &Path) -> Result<Opened, OpenFault> {
    let FoundDir { tree, left_out: special } = read_dir(dir, 0).map_err(OpenFault::Read)?;
    let first = special.first().map(|(path, what)| (path, *what));
    Ok(Opened { root_described: true, notes: left_out(first, special.len()), ..Opened::plain(tree, Form::Directory) })
}
