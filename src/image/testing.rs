//! Trees for this module's tests.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{io::Write, sync::Arc};

use tempfile::NamedTempFile;

use crate::{
    base::{RootPath, Sha256},
    tree::{Content, Kind, Meta, Node, Origin, SegmentFile, Tree, header},
};

/// The epoch of the trees below: 2026-11-21T09:15:44Z.
pub(super) const EPOCH: i64 = 1_795_252_544;

pub(super) fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// Bytes that repeat a little, the same for the same seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len).map(|_| (next() % 23) as u8 + b'a').collect()
}

/// Adds a package with these entries as `unpack` would: through a segment file.
fn add(tree: &mut Tree, name: &str, mut entries: Vec<(&str, Meta, Kind)>) -> NamedTempFile {
    entries.sort_by_key(|(at, ..)| path(at));
    let mut file = NamedTempFile::new().unwrap();
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for (at, meta, kind) in entries {
        let start = bytes.len() as u64;
        header::append(&path(at), &meta, &kind, &mut bytes);
        let data = bytes.len() as u64;
        if let Kind::File(content) = &kind {
            bytes.extend_from_slice(&content.read().unwrap());
            bytes.resize(bytes.len() + header::padding(content.len()), 0);
        }
        spans.push((at, meta, kind, start..bytes.len() as u64, data));
    }
    file.write_all(&bytes).unwrap();
    let segment = Arc::new(SegmentFile::kept(file.path(), Sha256::of(&bytes)));
    for (at, meta, kind, span, data) in spans {
        let kind = match kind {
            Kind::File(content) => Kind::File(Content::Segment {
                file: Arc::clone(&segment),
                range: data..data + content.len(),
                sha256: content.sha256().unwrap().into(),
            }),
            other => other,
        };
        let origin = Origin::Package(name.parse().unwrap());
        tree.insert(path(at), Node { meta, kind, origin, ready: Some((Arc::clone(&segment), span)) }).unwrap();
    }
    file
}

fn dir(tree: &mut Tree, at: &str, mode: u32) {
    let node = Node { meta: Meta::root(mode, EPOCH - 5), kind: Kind::Dir, origin: Origin::Finish("base"), ready: None };
    tree.insert(path(at), node).unwrap();
}

fn file(bytes: &[u8]) -> Kind {
    Kind::File(Content::inline(bytes))
}

/// A bit of everything; the files must be kept for as long as the tree.
pub(super) fn tree() -> (Tree, Vec<NamedTempFile>) {
    let mut tree = Tree::new(EPOCH);
    dir(&mut tree, "tmp", 0o1777);
    dir(&mut tree, "var/lib/dpkg/status.d", 0o755);
    dir(&mut tree, "root", 0o700);
    let m = |mode, before| Meta::root(mode, EPOCH - before);
    let tool = Meta { uid: 3, gid: 4, xattrs: [((*b"user.note").into(), (*b"x").into())].into(), ..m(0o755, 100) };
    let long = format!("usr/share/{}/{}", "d".repeat(120), "ü".repeat(60));
    let kept = vec![
        add(
            &mut tree,
            "zlib1g",
            vec![
                ("usr/lib/libz.so.1.3", m(0o644, 7), file(b"z")),
                ("usr/lib/libz.so.1", m(0o777, 7), Kind::Symlink((*b"libz.so.1.3").into())),
            ],
        ),
        add(
            &mut tree,
            "tool",
            vec![
                ("usr/bin/tool", tool.clone(), file(b"#!tool\n")),
                ("usr/bin/tool-2", tool, Kind::Hardlink(path("usr/bin/tool"))),
                ("usr/share/doc/tool/copyright", m(0o444, 9), file(&noise(5_000, 3))),
                ("usr/share/doc/tool/empty", m(0o600, 9), file(b"")),
                (&long, m(0o644, 9), file(b"long")),
                ("usr/share/doc-base", m(0o644, 9), file(b"sorts after doc/ by components")),
            ],
        ),
    ];
    // Altered after unpacking: no longer ready.
    let altered = tree.get_mut(&path("usr/share/doc/tool/copyright")).unwrap();
    altered.meta.mtime = EPOCH;
    altered.ready = None;
    tree.insert_file(path("etc/passwd"), 0o644, &b"root:x:0:0::/root:/x\n"[..], Origin::Finish("accounts")).unwrap();
    tree.insert_file(path("app/main.py"), 0o644, noise(40_000, 4), Origin::Manifest).unwrap();
    tree.insert_link(path("bin"), b"usr/bin", Origin::Finish("base")).unwrap();
    (tree, kept)
}

/// The same with packages that need several blocks.
pub(super) fn big_tree() -> (Tree, Vec<NamedTempFile>) {
    let (mut tree, mut kept) = tree();
    let big = noise(6_000_000, 9);
    for (name, at) in [("big", "usr/lib/big"), ("huge", "usr/lib/huge")] {
        let second = format!("{at}.2");
        let meta = Meta::root(0o644, EPOCH);
        kept.push(add(&mut tree, name, vec![(at, meta.clone(), file(&big)), (&second, meta, file(&big[..1_234_567]))]));
    }
    (tree, kept)
}

/// What a listing of any output is compared by: type, mode, owner, mtime, content or target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: char,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) mtime: i64,
    pub(super) detail: String,
}

/// Every path of `tree` but the root.
pub(super) fn listing(tree: &Tree) -> Vec<(RootPath, Seen)> {
    let one = |(path, node): (&RootPath, &Node)| {
        let (kind, detail) = match &node.kind {
            Kind::Dir => ('d', String::new()),
            Kind::File(content) => ('f', content.sha256().unwrap().hex()),
            Kind::Symlink(target) => ('l', String::from_utf8_lossy(target).into_owned()),
            Kind::Hardlink(target) => ('h', target.to_string()),
        };
        let owner = (u64::from(node.meta.uid), u64::from(node.meta.gid));
        (path.clone(), Seen { kind, mode: node.meta.mode, owner, mtime: node.meta.mtime, detail })
    };
    tree.iter().filter(|(path, _)| !path.is_root()).map(one).collect()
}

/// Every entry of a tar archive, in its own order.
pub(super) fn tar_listing(bytes: &[u8]) -> Vec<(RootPath, Seen)> {
    let mut archive = tar::Archive::new(bytes);
    let mut out = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let link = entry.link_name_bytes().map(|l| l.into_owned()).unwrap_or_default();
        let (kind, detail) = match header.entry_type() {
            tar::EntryType::Directory => ('d', String::new()),
            tar::EntryType::Regular => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
                ('f', Sha256::of(&bytes).hex())
            }
            tar::EntryType::Symlink => ('l', String::from_utf8_lossy(&link).into_owned()),
            tar::EntryType::Link => ('h', RootPath::parse(&link).unwrap().to_string()),
            other => panic!("{other:?}"),
        };
        let seen = Seen {
            kind,
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            mtime: i64::try_from(header.mtime().unwrap()).unwrap(),
            detail,
        };
        out.push((RootPath::parse(&entry.path_bytes()).unwrap(), seen));
    }
    out
}
