//! `/etc/ld.so.cache`, byte for byte what the image's own `ldconfig` would write (glibc: elf/ldconfig.c, elf/cache.c;
//! in Debian run by libc-bin's postinst and by the `ldconfig` trigger of every library package).
//!
//! In: the tree. Out: the cache, and the symbolic links from a library's soname to its file that ldconfig adds where
//! a package ships none. The way: `conf` lists the directories, `scan` finds the libraries in each, `file`
//! lays the cache out.
//!
//! Known to differ: glibc before 2.37 also looked into subdirectories such as `haswell/` and `tls/` (no amd64 package
//! of bookworm has one), and a.out libraries are not known here.

mod conf;
mod file;
mod scan;

use super::{FinishError, at};
use crate::{
    base::{Arch, RootPath},
    tree::{Origin, Tree},
};

const STEP: Origin = Origin::Finish("ld.so.cache");

/// The C library that an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glibc {
    /// What its ldconfig signs a cache with, such as
    /// `ldconfig (Debian GLIBC 2.41-12+deb13u1) stable release version 2.41`.
    generator: String,
    /// Its number, such as (2, 41).
    version: (u32, u32),
}

/// Writes the cache, if the tree holds a glibc and the manifest did not bring a cache itself.
///
/// # Errors
/// When a file of the tree cannot be read, or the configuration includes itself.
pub fn write(tree: &mut Tree, arch: Arch) -> Result<(), FinishError> {
    let cache = RootPath::literal("etc/ld.so.cache");
    if tree.get(&cache).is_some_and(|node| node.origin == Origin::Manifest) {
        return Ok(());
    }
    let Some(glibc) = glibc(tree, arch)? else { return Ok(()) };
    let mut entries = Vec::new();
    let search = conf::search(tree, arch, &glibc)?;
    for directory in search.directories {
        for library in scan::libraries(tree, arch, &glibc, &directory)? {
            // Links beside the library, as ldconfig makes them; not in glibc-hwcaps directories.
            if directory.hwcaps.is_none() && !library.is_link {
                scan::link(tree, &directory.real, &library)?;
            }
            entries.push(file::Entry::new(&directory, library));
        }
    }
    let bytes = file::layout(entries, &search.hwcaps, arch, &glibc.generator)?;
    tree.insert_file(cache, 0o644, bytes, STEP)?;
    Ok(())
}

/// The directories that the loader finds libraries in through the cache and by default, in order: those of
/// `/etc/ld.so.conf`, then the built-in ones. Without the glibc-hwcaps subdirectories, which only hold faster twins.
///
/// # Errors
/// As [`write`].
pub fn directories(tree: &Tree, arch: Arch) -> Result<Vec<RootPath>, FinishError> {
    let glibc = glibc(tree, arch)?.unwrap_or(Glibc { generator: String::new(), version: (2, 41) });
    let found = conf::search(tree, arch, &glibc)?.directories;
    Ok(found.into_iter().filter(|directory| directory.hwcaps.is_none()).map(|directory| directory.real).collect())
}

/// Finds the banner in `libc.so.6`: `GNU C Library (Debian GLIBC 2.41-12+deb13u1) stable release version 2.41.`
/// (csu/version.c). Its ldconfig was built from the same three strings.
fn glibc(tree: &Tree, arch: Arch) -> Result<Option<Glibc>, FinishError> {
    const START: &[u8] = b"GNU C Library (";
    /// libc.so.6 has 2 MB.
    const LIMIT: u64 = 64 << 20;
    for folder in ["usr/lib", "lib"] {
        let Ok(path) = RootPath::root().join(format!("{folder}/{}/libc.so.6", arch.triplet())) else { continue };
        let Some(content) = tree.content(&path).filter(|content| content.len() <= LIMIT) else { continue };
        let bytes = content.read().map_err(at(&path))?;
        let banner = bytes.windows(START.len()).position(|window| window == START).and_then(|start| {
            let line = bytes.get(start..)?.split(|&b| b == b'\n').next()?;
            std::str::from_utf8(line.get(..line.len().min(300))?).ok()
        });
        let Some(rest) = banner.and_then(|line| line.strip_prefix("GNU C Library ")?.strip_suffix('.')) else {
            continue;
        };
        let Some((major, minor)) = rest.rsplit_once(" version ").and_then(|(_, number)| number.split_once('.')) else {
            continue;
        };
        // A development version has a third number.
        let minor = minor.split('.').next().unwrap_or(minor);
        if let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) {
            return Ok(Some(Glibc { generator: format!("ldconfig {rest}"), version: (major, minor) }));
        }
    }
    Ok(None)
}

impl Glibc {
    /// Whether its ldconfig still told libc5 from libc6 and knew `directory=libc6` (removed in 2.37).
    fn is_legacy(&self) -> bool {
        self.version < (2, 37)
    }
}

#[cfg(test)]
mod tests;
