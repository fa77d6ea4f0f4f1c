//! A directory of this machine as a tree: for audits of a rootfs, and for tests.
//!
//! In: a directory. Out: [`Tree`] with the modes, owners, links and whole-second times found; every file's bytes stay
//! where they are and are read when wanted.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use super::{Content, Kind, Meta, Node, Origin, Tree};
use crate::base::RootPath;

/// Reads the directory at `dir`, whose date becomes `epoch`. Names that lead to the same file become hard links.
/// Sockets, pipes and devices are left out: an image holds none. Extended attributes are not read.
///
/// # Errors
/// As the operating system says, with the path.
pub fn from_dir(dir: &Path, epoch: i64) -> io::Result<Tree> {
    let mut tree = Tree::new(epoch);
    let mut seen = HashMap::new();
    let top = fs::symlink_metadata(dir).map_err(|error| at(dir, &error))?;
    if let Some(root) = tree.get_mut(&RootPath::root()) {
        root.meta = meta(&top);
        root.origin = Origin::Manifest;
    }
    walk(&mut tree, &mut seen, dir, &RootPath::root())?;
    Ok(tree)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn meta(found: &fs::Metadata) -> Meta {
    Meta {
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        mtime: found.mtime(),
        xattrs: Default::default(),
    }
}

fn walk(tree: &mut Tree, seen: &mut HashMap<(u64, u64), RootPath>, dir: &Path, inside: &RootPath) -> io::Result<()> {
    let mut entries = fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| at(dir, &e))?;
    // A hard link points at the name that sorts first.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let outside = entry.path();
        let path = inside.join(entry.file_name().as_bytes()).map_err(io::Error::other)?;
        let found = fs::symlink_metadata(&outside).map_err(|error| at(&outside, &error))?;
        let kind = if found.is_dir() {
            Kind::Dir
        } else if found.is_symlink() {
            let target = fs::read_link(&outside).map_err(|error| at(&outside, &error))?;
            Kind::Symlink(target.as_os_str().as_bytes().into())
        } else if found.is_file() {
            let id = (found.dev(), found.ino());
            match seen.get(&id) {
                Some(first) if found.nlink() > 1 => Kind::Hardlink(first.clone()),
                _ => {
                    seen.insert(id, path.clone());
                    Kind::File(Content::of_file(&outside).map_err(|error| at(&outside, &error))?)
                }
            }
        } else {
            continue;
        };
        let is_dir = matches!(kind, Kind::Dir);
        let node = Node { meta: meta(&found), kind, origin: Origin::Manifest, ready: None };
        tree.insert(path.clone(), node).map_err(io::Error::other)?;
        if is_dir {
            walk(tree, seen, &outside, &path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), b"hello").unwrap();
        fs::write(at("big"), vec![7; 100_000]).unwrap();
        fs::hard_link(at("a/b/file"), at("z")).unwrap();
        std::os::unix::fs::symlink("../nowhere", at("a/link")).unwrap();
        let tree = from_dir(dir.path(), 5).unwrap();
        let shown: Vec<_> = tree
            .iter()
            .map(|(path, node)| match &node.kind {
                Kind::Dir => format!("{path} dir"),
                Kind::File(content) => format!("{path} {}", content.len()),
                Kind::Symlink(target) => format!("{path} -> {}", target.escape_ascii()),
                Kind::Hardlink(target) => format!("{path} = {target}"),
            })
            .collect();
        assert_eq!(
            shown,
            ["/ dir", "/a dir", "/a/b dir", "/a/b/file 5", "/a/link -> ../nowhere", "/big 100000", "/z = /a/b/file"]
        );
        assert_eq!(tree.read(&RootPath::literal("big")).unwrap().unwrap(), vec![7; 100_000]);
        assert_eq!(tree.read(&RootPath::literal("z")).unwrap().unwrap(), b"hello");
    }
}
