//! `/var/lib/dpkg/status.d/NAME` and `NAME.md5sums`, the form of distroless images: scanners read every package and
//! the files that it really has in the image. (dpkg itself would write `/var/lib/dpkg/status`.)

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use md5::{Digest as _, Md5};

use super::{FinishError, Shipped, at, put_file};
use crate::{
    base::{PackageName, RootPath},
    tree::{Content, Kind, Node, Origin, Tree},
};

const STEP: &str = "status.d";

/// Writes two files for each package.
pub fn write(tree: &mut Tree, packages: &[Shipped<'_>]) -> Result<(), FinishError> {
    let mut files: HashMap<PackageName, BTreeMap<&[u8], String>> = HashMap::new();
    let shipped: HashMap<&PackageName, HashMap<&RootPath, &[u8; 16]>> = packages
        .iter()
        .map(|package| (package.name, package.md5sums.iter().map(|(sum, path)| (path, sum)).collect()))
        .collect();
    for (path, node) in tree.iter() {
        let Origin::Package(name) = &node.origin else { continue };
        // The format has one line for a file.
        if !matches!(node.kind, Kind::File(_) | Kind::Hardlink(_)) || path.as_bytes().contains(&b'\n') {
            continue;
        }
        let known = shipped.get(name).and_then(|sums| sums.get(path));
        let sum = match known {
            Some(sum) if is_unchanged(node) => hex(sum),
            _ => match tree.content(path) {
                Some(content) => hex(&md5(content).map_err(at(path))?),
                None => continue,
            },
        };
        files.entry(name.clone()).or_default().insert(path.as_bytes(), sum);
    }
    let mut out = Vec::new();
    for package in packages {
        let mut lines = Vec::new();
        for (path, sum) in files.remove(package.name).unwrap_or_default() {
            lines.extend_from_slice(sum.as_bytes());
            lines.extend_from_slice(b"  ");
            lines.extend_from_slice(path);
            lines.push(b'\n');
        }
        out.push((package.name.to_string(), format!("{}\n", package.control.trim_end_matches('\n')).into_bytes()));
        out.push((format!("{}.md5sums", package.name), lines));
    }
    drop(files);
    for (name, bytes) in out {
        let Ok(path) = RootPath::literal("var/lib/dpkg/status.d").join(name) else { continue };
        put_file(tree, &path, bytes, STEP)?;
    }
    Ok(())
}

/// Read in parts: a file may be larger than memory.
fn md5(content: &Content) -> io::Result<[u8; 16]> {
    const PART: usize = 1 << 20;
    let (mut hash, mut at) = (Md5::new(), 0);
    while at < content.len() {
        let part = content.read_part(at, PART)?;
        hash.update(&part);
        at += part.len() as u64;
    }
    Ok(hash.finalize().into())
}

/// Whether the bytes are those that the package shipped.
fn is_unchanged(node: &Node) -> bool {
    node.ready.is_some()
}

fn hex(sum: &[u8; 16]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(32);
    for byte in sum {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tree::{Content, Meta};

    #[test]
    fn lists_what_is_in_the_image() {
        let name: PackageName = "pkg".parse().unwrap();
        let mut tree = Tree::new(7);
        let mut put = |path: &'static str, kind| {
            let node = Node { meta: Meta::root(0o644, 0), kind, origin: Origin::Package(name.clone()), ready: None };
            tree.insert(RootPath::literal(path), node).unwrap();
        };
        put("usr/b", Kind::File(Content::inline(*b"hello\n")));
        put("usr/b-link", Kind::Symlink((*b"b").into()));
        put("usr/c", Kind::Hardlink(RootPath::literal("usr/b")));
        put("usr/a/x", Kind::File(Content::inline(*b"")));
        put("usr/a-x", Kind::File(Content::inline(*b"")));
        // A sum of a file that is not in the image, and one that is no longer true.
        let sums = [([1; 16], RootPath::literal("usr/gone")), ([2; 16], RootPath::literal("usr/b"))];
        let package =
            Shipped { name: &name, version: "1", control: "Package: pkg\nVersion: 1", md5sums: &sums, scripts: &[] };
        write(&mut tree, &[package]).unwrap();
        let read = |path| String::from_utf8(tree.read(&RootPath::literal(path)).unwrap().unwrap()).unwrap();
        assert_eq!(read("var/lib/dpkg/status.d/pkg"), "Package: pkg\nVersion: 1\n");
        assert_eq!(
            read("var/lib/dpkg/status.d/pkg.md5sums"),
            "d41d8cd98f00b204e9800998ecf8427e  usr/a-x\nd41d8cd98f00b204e9800998ecf8427e  usr/a/x\n\
             b1946ac92492d2347c6235b4d2611184  usr/b\nb1946ac92492d2347c6235b4d2611184  usr/c\n"
        );
        let node = tree.get(&RootPath::literal("var/lib/dpkg/status.d/pkg")).unwrap();
        assert_eq!((node.meta.mtime, node.meta.mode), (7, 0o644));
    }
}
