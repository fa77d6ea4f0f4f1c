//! A directory that is a rootfs, as a tree, with the extended attributes that belong to an image.

use std::path::Path;

use super::{Form, Opened, error::OpenFault};
use crate::{
    base::RootPath,
    tree::{Kind, from_dir},
};

/// Bytes of the list of a file's attributes, and of one value, at most (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`, limits.h).
const MOST: usize = 64 << 10;

/// Reads the directory at `dir`.
pub(super) fn read(dir: &Path) -> Result<Opened, OpenFault> {
    let mut tree = from_dir(dir, 0).map_err(OpenFault::Read)?;
    // Links have none that an image holds; a further name of a file has the file's.
    let paths: Vec<RootPath> =
        tree.iter().filter(|(_, node)| !matches!(node.kind, Kind::Symlink(_))).map(|(path, _)| path.clone()).collect();
    let mut buffer = vec![0; MOST];
    for path in paths {
        let outside = dir.join(path.as_path());
        // A filesystem without them has none.
        let Ok(length) = rustix::fs::llistxattr(&outside, &mut buffer) else { continue };
        let names: Vec<Box<[u8]>> =
            buffer.get(..length).unwrap_or_default().split(|&b| b == 0).map(Into::into).collect();
        for name in names.into_iter().filter(|name| belongs(name)) {
            if let Ok(length) = rustix::fs::lgetxattr(&outside, &*name, &mut buffer)
                && let Some(node) = tree.get_mut(&path)
            {
                node.meta.xattrs.insert(name, buffer.get(..length).unwrap_or_default().into());
            }
        }
    }
    Ok(Opened {
        tree,
        form: Form::Directory,
        arch: None,
        config: None,
        manifest: None,
        diff_ids: Vec::new(),
        layers: Vec::new(),
        claimed: None,
        root_described: true,
        notes: Vec::new(),
    })
}

/// Labels and lists of this machine's own are not the image's.
fn belongs(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"security.capability"
}
