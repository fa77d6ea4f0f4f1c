//! The links of merged-/usr and the base directories: what base-files ships and its postinst makes, whether or not
//! the package is in.
//!
//! Left out on purpose, as an image has no use for them: `/boot`, `/media`, `/usr/games`, `/usr/include`, `/usr/src`,
//! `/var/backups`, the login logs, `/etc/profile`, `/etc/motd` and root's shell start-up files. base-files itself brings
//! the directories among them when it is installed.

use super::{FinishError, is_file, put_missing_dir, put_missing_link};
use crate::{
    base::{Arch, RootPath},
    tree::{Kind, Origin, Tree},
};

const STEP: &str = "base";

/// Path, mode, group (mail is 8: Policy 9.2.2).
const DIRECTORIES: [(&str, u32, u32); 33] = [
    ("dev", 0o755, 0),
    ("etc", 0o755, 0),
    ("etc/opt", 0o755, 0),
    ("home", 0o755, 0),
    ("mnt", 0o755, 0),
    ("opt", 0o755, 0),
    ("proc", 0o755, 0),
    ("root", 0o700, 0),
    ("run", 0o755, 0),
    ("run/lock", 0o1777, 0),
    ("srv", 0o755, 0),
    ("sys", 0o755, 0),
    ("tmp", 0o1777, 0),
    ("usr", 0o755, 0),
    ("usr/bin", 0o755, 0),
    ("usr/lib", 0o755, 0),
    ("usr/local", 0o755, 0),
    ("usr/local/bin", 0o755, 0),
    ("usr/local/etc", 0o755, 0),
    ("usr/local/lib", 0o755, 0),
    ("usr/local/sbin", 0o755, 0),
    ("usr/local/share", 0o755, 0),
    ("usr/sbin", 0o755, 0),
    ("usr/share", 0o755, 0),
    ("var", 0o755, 0),
    ("var/cache", 0o755, 0),
    ("var/lib", 0o755, 0),
    ("var/local", 0o755, 0),
    ("var/log", 0o755, 0),
    ("var/mail", 0o2775, 8),
    ("var/opt", 0o755, 0),
    ("var/spool", 0o755, 0),
    ("var/tmp", 0o1777, 0),
];

/// Makes links and directories on a tree without packages.
pub fn prepare(tree: &mut Tree, arch: Arch) -> Result<(), FinishError> {
    for (path, mode, gid) in DIRECTORIES {
        put_missing_dir(tree, &RootPath::literal(path), (mode, 0, gid), STEP)?;
    }
    // The loader's path is part of each ABI: /lib64 on these two, /lib on the others.
    if matches!(arch, Arch::Amd64 | Arch::Ppc64el) {
        put_missing_dir(tree, &RootPath::literal("usr/lib64"), (0o755, 0, 0), STEP)?;
        put_missing_link(tree, &RootPath::literal("lib64"), "usr/lib64", STEP)?;
    }
    for (path, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("sbin", "usr/sbin")] {
        put_missing_link(tree, &RootPath::literal(path), target, STEP)?;
    }
    Ok(())
}

/// Makes what depends on the packages: links for foreign library directories, and `/var/run` and `/var/lock`, which
/// base-files ships as directories and its postinst turns into links.
pub fn finish(tree: &mut Tree) -> Result<(), FinishError> {
    for (link, target) in
        [("lib64", "usr/lib64"), ("lib32", "usr/lib32"), ("libo32", "usr/libo32"), ("libx32", "usr/libx32")]
    {
        if matches!(tree.get(&RootPath::literal(target)).map(|node| &node.kind), Some(Kind::Dir)) {
            put_missing_link(tree, &RootPath::literal(link), target, STEP)?;
        }
    }
    // libc6-i386's postinst.
    if is_file(tree, &RootPath::literal("usr/lib32/ld-linux.so.2")) {
        put_missing_link(tree, &RootPath::literal("usr/lib/ld-linux.so.2"), "../lib32/ld-linux.so.2", STEP)?;
    }
    for (link, target) in [("var/run", "/run"), ("var/lock", "/run/lock")] {
        let link = RootPath::literal(link);
        let replace = tree.get(&link).is_some_and(|node| {
            matches!(node.kind, Kind::Dir) && node.origin != Origin::Manifest && tree.children(&link).next().is_none()
        });
        if replace {
            tree.remove(&link);
        }
        put_missing_link(tree, &link, target, STEP)?;
    }
    put_missing_link(tree, &RootPath::literal("var/spool/mail"), "../mail", STEP)
}
