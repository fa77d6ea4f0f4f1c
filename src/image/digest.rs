//! The digest of what a tree holds, whatever it is packed in.
//!
//! In: a [`Tree`]. Out: a SHA-256 that the lock records and that stays the same over tool versions: it knows nothing
//! of tar, segments, layers, compression or origins.
//!
//! What is hashed: the 15 bytes `compose tree 1\n`, then each node in path order (the root first). Every string is
//! its length as 8 bytes, then its bytes; every number is 8 bytes; all numbers big-endian. A node is
//!
//! ```text
//! string path (no leading slash; empty for the root)
//! byte   'd' directory · 'f' file · 'l' symbolic link · 'h' hard link
//! number mode (07777)   number uid   number gid   number mtime (two's complement)
//! number count of extended attributes, then for each, by name: string name, string value
//! then   d: nothing · f: number size, 32 bytes SHA-256 of the content · l: string target · h: string path of target
//! ```

use std::io::{self, Write};

use crate::{
    base::{Sha256, Sha256Writer},
    tree::{Kind, Tree},
};

/// The tree digest, as this file's head defines it. Contents of which no digest was taken yet are read for it, several
/// at a time.
///
/// # Errors
/// When one of them cannot be read; the path is named.
pub fn tree_digest(tree: &Tree) -> io::Result<Sha256> {
    tree.take_digests()?;
    let mut hash = Sha256Writer::new(io::sink());
    serialise(tree, &mut hash)?;
    Ok(hash.finish().1)
}

fn serialise(tree: &Tree, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"compose tree 1\n")?;
    for (path, node) in tree.iter() {
        string(out, path.as_bytes())?;
        out.write_all(match node.kind {
            Kind::Dir => b"d",
            Kind::File(_) => b"f",
            Kind::Symlink(_) => b"l",
            Kind::Hardlink(_) => b"h",
        })?;
        let meta = &node.meta;
        for number in [u64::from(meta.mode & 0o7777), meta.uid.into(), meta.gid.into(), meta.mtime.cast_unsigned()] {
            out.write_all(&number.to_be_bytes())?;
        }
        out.write_all(&(meta.xattrs.len() as u64).to_be_bytes())?;
        for (name, value) in &meta.xattrs {
            string(out, name)?;
            string(out, value)?;
        }
        match &node.kind {
            Kind::Dir => {}
            Kind::File(content) => {
                out.write_all(&content.len().to_be_bytes())?;
                out.write_all(content.sha256()?.bytes())?;
            }
            Kind::Symlink(target) => string(out, target)?,
            Kind::Hardlink(target) => string(out, target.as_bytes())?,
        }
    }
    Ok(())
}

fn string(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_be_bytes())?;
    out.write_all(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        base::RootPath,
        image::testing,
        tree::{Content, Node, Origin},
    };

    #[test]
    fn an_independent_serialisation_gives_the_same() {
        // The root directory and one file, written out by hand as the head of this file says.
        let mut tree = Tree::new(7);
        tree.insert_file(RootPath::literal("ab"), 0o640, &b"xyz"[..], Origin::Manifest).unwrap();
        let mut want = b"compose tree 1\n".to_vec();
        let n = |v: u64| v.to_be_bytes();
        want.extend([&n(0)[..], b"d", &n(0o755), &n(0), &n(0), &n(7), &n(0)].concat());
        want.extend([&n(2)[..], b"ab", b"f", &n(0o640), &n(0), &n(0), &n(7), &n(0)].concat());
        want.extend([&n(3)[..], Sha256::of(b"xyz").bytes()].concat());
        assert_eq!(tree_digest(&tree).unwrap(), Sha256::of(&want));
    }

    #[test]
    fn everything_that_can_be_seen_counts_and_nothing_else() {
        let (tree, _keep) = testing::tree();
        let digest = tree_digest(&tree).unwrap();
        let path = RootPath::literal("usr/bin/tool");
        let alter = |how: &dyn Fn(&mut Node)| {
            let mut other = tree.clone();
            how(other.get_mut(&path).unwrap());
            tree_digest(&other).unwrap()
        };
        assert_eq!(digest, alter(&|n| n.ready = None), "where its bytes lie does not count");
        assert_eq!(digest, alter(&|n| n.origin = Origin::Manifest), "nor who brought it");
        let changes: [&dyn Fn(&mut Node); 7] = [
            &|n| n.meta.mode ^= 1,
            &|n| n.meta.uid += 1,
            &|n| n.meta.gid += 1,
            &|n| n.meta.mtime -= 1,
            &|n| n.meta.xattrs.extend([((*b"user.x").into(), (*b"y").into())]),
            &|n| n.kind = Kind::File(Content::inline(*b"other")),
            &|n| n.kind = Kind::Symlink((*b"other").into()),
        ];
        let mut seen = vec![digest];
        for change in changes {
            let now = alter(change);
            assert!(!seen.contains(&now));
            seen.push(now);
        }
    }
}
