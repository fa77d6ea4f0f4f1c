//! What must hold of the files of packages that finishing reads, whatever their bytes are: ld.so.conf, sysusers.d, passwd,
//! maintainer scripts.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use super::{accounts, alternatives, classify, ldcache, sysusers};
use crate::{
    base::{Arch, RootPath},
    fuzz::told,
    manifest::Accounts,
    tree::{Origin, Tree},
};

/// Files and links, none of the manifest.
fn tree(files: &[(&'static str, &[u8])], links: &[(&'static str, &[u8])]) -> Tree {
    let mut tree = Tree::new(0);
    let origin = Origin::Finish("test");
    for (path, bytes) in files {
        tree.insert_file(RootPath::literal(path), 0o644, *bytes, origin.clone()).expect("no file above it");
    }
    for (path, target) in links {
        tree.insert_link(RootPath::literal(path), target, origin.clone()).expect("no file above it");
    }
    tree
}

/// What accounts and caches make of the tree.
#[cfg(test)]
pub(crate) fn finished(tree: &mut Tree) -> Result<(), super::FinishError> {
    accounts::write(tree, &Accounts::default())
}

/// ld.so.conf, with two more files to include, and libraries of the same bytes: every folder is one of the tree's, and
/// the cache points into itself.
pub fn ldso(bytes: &[u8]) {
    const BANNER: &[u8] = b"GNU C Library (Debian GLIBC 2.41-12) stable release version 2.41.\n";
    let half = bytes.len() / 2;
    let files: [(&'static str, &[u8]); 7] = [
        ("etc/ld.so.conf", bytes),
        ("etc/ld.so.conf.d/a.conf", &bytes[half..]),
        ("etc/ld.so.conf.d/b.conf", &bytes[..half]),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", BANNER),
        ("usr/lib/x86_64-linux-gnu/libz.so.1", bytes),
        ("opt/a/glibc-hwcaps/x86-64-v3/libz.so.1", bytes),
        ("usr/local/lib/liba.so.1", bytes),
    ];
    let mut tree = tree(&files, &[("lib", b"usr/lib"), ("opt/b", b"/opt/../opt/a"), ("opt/c", b"c")]);
    match ldcache::directories(&tree, Arch::Amd64) {
        Ok(found) => {
            let mut each = found.clone();
            each.sort();
            each.dedup();
            assert_eq!(each.len(), found.len());
            assert!(found.iter().all(|path| tree.resolve(path).as_ref() == Some(path)), "{found:?}");
        }
        Err(error) => told(&error),
    }
    if let Err(error) = ldcache::write(&mut tree, Arch::Amd64) {
        return told(&error);
    }
    let cache = tree.read(&RootPath::literal("etc/ld.so.cache")).expect("memory gives it").expect("it was written");
    // struct cache_file_new (glibc: sysdeps/generic/dl-cache.h): magic, count, bytes of strings, then the entries.
    assert!(cache.starts_with(b"glibc-ld.so.cache1.1"));
    let word =
        |at: usize| cache.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes) as usize;
    let (count, strings) = (word(20), word(24));
    assert!(48 + 24 * count + strings <= cache.len());
    for entry in 0..count {
        for field in [4, 8] {
            let at = word(48 + 24 * entry + field);
            assert!(cache.get(at..).is_some_and(|text| text.contains(&0)), "{at} of {}", cache.len());
        }
    }
}

/// sysusers.d, and the masters of passwd and group: what is written holds each name and number once, a line each.
pub fn accounts(bytes: &[u8]) {
    for path in
        ["usr/lib/sysusers.d/a.conf", "usr/share/base-passwd/passwd.master", "usr/share/base-passwd/group.master"]
    {
        let mut tree = tree(&[(path, bytes)], &[]);
        if let Err(error) = accounts::write(&mut tree, &Accounts::default()) {
            told(&error);
            continue;
        }
        let read = |path| tree.read(&RootPath::literal(path)).expect("memory gives it").unwrap_or_default();
        for (text, fields) in [(read("etc/passwd"), 7), (read("etc/group"), 4)] {
            let text = String::from_utf8(text).expect("UTF-8");
            assert!(text.lines().all(|line| line.split(':').count() == fields), "{text}");
        }
    }
    let _ = sysusers::words(&String::from_utf8_lossy(bytes));
}

/// A maintainer script: it is judged, and its alternatives stay in the tree.
pub fn script(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).replace('\r', "");
    for name in ["postinst", "preinst", "triggers", "config"] {
        let _ = classify("a", name, bytes);
    }
    let rest = alternatives::without_calls(&text);
    assert!(rest.lines().count() <= text.lines().count());
    assert_eq!(alternatives::without_calls(&rest), rest);
}
