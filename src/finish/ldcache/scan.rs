//! The libraries of one directory (elf/ldconfig.c: search_dir, create_links; elf/readlib.c; the readelflib.c of each
//! architecture).

use std::{cmp::Ordering, collections::HashMap};

use super::{Glibc, STEP, conf::Directory, file::compare_names};
use crate::{
    base::{Arch, RootPath},
    elf::{Class, ET_DYN, Elf, ElfError, Source, machine},
    finish::{FinishError, at},
    tree::{Content, Kind, Origin, Tree},
};

/// `FLAG_ELF_LIBC6` (sysdeps/generic/ldconfig.h).
const LIBC6: u32 = 3;
/// `FLAG_ELF`: neither libc5 nor libc6, before glibc 2.37.
const UNKNOWN_LIBC: u32 = 1;

/// The names of Debian's dynamic loaders: ldconfig never moves a link that exists under one of them
/// (debian/patches/any/local-ldconfig-ignore-ld.so.diff).
const LOADERS: [&[u8]; 11] = [
    b"ld-linux-aarch64.so.1",
    b"ld-linux-aarch64_be.so.1",
    b"ld-linux-armhf.so.3",
    b"ld-linux-ia64.so.2",
    b"ld-linux-mipsn8.so.1",
    b"ld-linux-x86-64.so.2",
    b"ld-linux.so.2",
    b"ld-linux.so.3",
    b"ld.so.1",
    b"ld64.so.1",
    b"ld64.so.2",
];

/// One library of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its file's name.
    pub name: Box<[u8]>,
    /// What programs ask for.
    pub soname: Box<[u8]>,
    /// Kind of ABI.
    pub flags: u32,
    /// Level of the x86 instruction set that it wants, from 0.
    pub isa_level: u32,
    /// Whether the file is a symbolic link that stands for itself.
    pub is_link: bool,
}

/// What is in `directory`, each soname once; dangling library links in it are removed as ldconfig does.
///
/// # Errors
/// When a file cannot be read.
pub fn libraries(
    tree: &mut Tree,
    arch: Arch,
    glibc: &Glibc,
    directory: &Directory,
) -> Result<Vec<Library>, FinishError> {
    let mut found: Vec<Library> = Vec::new();
    let mut places = HashMap::new();
    let mut stale = Vec::new();
    for (path, node) in tree.children(&directory.real) {
        let name = path.file_name();
        let mut is_link = matches!(node.kind, Kind::Symlink(_));
        let is_file = matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
        // In a glibc-hwcaps directory, links of any name count.
        if !is_library_name(name) && (is_file || directory.hwcaps.is_none()) || is_temporary(name, glibc) {
            continue;
        }
        if is_link && tree.resolve(path).is_none() {
            if name.windows(4).any(|part| part == b".so.") && node.origin != Origin::Manifest {
                stale.push(path.clone());
            }
            continue;
        }
        // Directories, and links to them, have no content.
        let Some(content) = tree.content(path) else { continue };
        let Some(facts) = read(content, arch, glibc).map_err(at(path))? else { continue };
        let mut soname = facts.soname.clone().unwrap_or_else(|| name.into());
        if is_link && name != &*soname && !(name.ends_with(b".so") && soname.starts_with(name)) {
            is_link = false;
        }
        if is_link {
            soname = name.into();
        }
        match places.get(&soname).and_then(|place: &usize| found.get_mut(*place)) {
            Some(known) => {
                let newer = || compare_names(&known.name, name, arch) == Ordering::Less;
                if !is_link && known.is_link || is_link == known.is_link && newer() {
                    known.name = name.into();
                    known.is_link = is_link;
                    known.isa_level = facts.isa_level;
                }
            }
            None => {
                places.insert(soname.clone(), found.len());
                let Facts { flags, isa_level, .. } = facts;
                found.push(Library { name: name.into(), soname, flags, isa_level, is_link });
            }
        }
    }
    for path in stale {
        tree.remove(&path);
    }
    // ldconfig keeps them latest first.
    found.reverse();
    Ok(found)
}

/// Makes the link from a library's soname to its file where none is, or where it points elsewhere.
///
/// # Errors
/// None in practice: the directory is there.
pub fn link(tree: &mut Tree, directory: &RootPath, library: &Library) -> Result<(), FinishError> {
    // A soname with a slash would have ldconfig make links anywhere.
    if library.soname.contains(&b'/') || matches!(&*library.soname, b"" | b"." | b"..") {
        return Ok(());
    }
    let (Ok(file), Ok(link)) = (directory.join(&*library.name), directory.join(&*library.soname)) else {
        return Ok(());
    };
    if let Some(known) = inode(tree, &link) {
        let is_symlink = matches!(tree.get(&link).map(|node| &node.kind), Some(Kind::Symlink(_)));
        if Some(known) == inode(tree, &file) || !is_symlink || LOADERS.contains(&&*library.soname) {
            return Ok(());
        }
    } else if tree.get(&link).is_some_and(|node| !matches!(node.kind, Kind::Symlink(_))) {
        return Ok(());
    }
    if tree.get(&link).is_some_and(|node| node.origin == Origin::Manifest) {
        return Ok(());
    }
    Ok(tree.insert_link(link, &library.name, STEP)?)
}

/// Where a path ends, hard links taken as one.
fn inode(tree: &Tree, path: &RootPath) -> Option<RootPath> {
    let end = tree.resolve(path)?;
    match &tree.get(&end)?.kind {
        Kind::Hardlink(first) => Some(first.clone()),
        _ => Some(end),
    }
}

/// elf/dl-is_dso.h.
fn is_library_name(name: &[u8]) -> bool {
    (name.starts_with(b"lib") || name.starts_with(b"ld-")) && name.windows(3).any(|part| part == b".so")
        || name.starts_with(b"ld.so.")
        || name.starts_with(b"ld64.so.")
}

/// skip_dso_based_on_name: leftovers of prelink, and since glibc 2.37 those of RPM and dpkg.
fn is_temporary(name: &[u8], glibc: &Glibc) -> bool {
    const PRELINK: &[u8] = b".#prelink#";
    if name.ends_with(PRELINK) {
        return true;
    }
    if let Some(start) = name.len().checked_sub(PRELINK.len() + 7)
        && name[start..].starts_with(b".#prelink#.")
    {
        return true;
    }
    !glibc.is_legacy() && (name.contains(&b';') || name.ends_with(b".dpkg-new") || name.ends_with(b".dpkg-tmp"))
}

struct Facts {
    soname: Option<Box<[u8]>>,
    flags: u32,
    isa_level: u32,
}

/// What ldconfig reads out of a file; `None` when it would pass it over.
fn read(content: &Content, arch: Arch, glibc: &Glibc) -> std::io::Result<Option<Facts>> {
    let source = Source::new(content.len(), Vec::new(), |offset, length| content.read_part(offset, length));
    let elf = match Elf::read_names(&source) {
        Ok(Some(elf)) => elf,
        Ok(None) | Err(ElfError::Malformed(_)) => return Ok(None),
        Err(ElfError::Io(error)) => return Err(error),
    };
    // ldconfig reads numbers in its own byte order, and finds no ET_DYN in files of the other.
    if elf.kind != ET_DYN || elf.abi.big_endian != (arch == Arch::S390x) {
        return Ok(None);
    }
    let (Some(flags), Some(dynamic)) = (flags(&elf, arch, glibc), elf.dynamic) else { return Ok(None) };
    let isa_level = elf.x86_isa_needed.and_then(u32::checked_ilog2).unwrap_or(0);
    Ok(Some(Facts { soname: dynamic.soname, flags, isa_level }))
}

/// The flags of dl-cache entries, by architecture; `None` when its ldconfig takes no such file.
fn flags(elf: &Elf, arch: Arch, glibc: &Glibc) -> Option<u32> {
    let base = if glibc.is_legacy() { legacy_base(elf) } else { LIBC6 };
    let wide = elf.abi.class == Class::Elf64;
    Some(match arch {
        Arch::Amd64 | Arch::I386 => match (elf.abi.machine, wide) {
            (machine::EM_X86_64, true) => 0x300 | LIBC6,
            (machine::EM_X86_64, false) => 0x800 | LIBC6,
            (machine::EM_386, false) => base,
            _ => return None,
        },
        Arch::Arm64 | Arch::Armhf if wide => 0xa00 | LIBC6,
        Arch::Arm64 | Arch::Armhf => match (elf.flags >> 24, elf.flags) {
            (5, flags) if flags & 0x400 != 0 => 0x900 | LIBC6,
            (5, flags) if flags & 0x200 != 0 => 0xb00 | LIBC6,
            (5, _) => LIBC6,
            _ => base,
        },
        Arch::S390x if wide => 0x400 | LIBC6,
        Arch::Ppc64el if wide => 0x500 | LIBC6,
        Arch::S390x | Arch::Ppc64el => base,
        Arch::Riscv64 => match elf.flags {
            flags if flags & !7 != 0 => return None,
            flags if flags & 6 == 0 => 0xf00 | base,
            flags if flags & 6 == 4 => 0x1000 | base,
            _ => return None,
        },
    })
}

/// Before glibc 2.37: libc6 is what is known by its loader or by needing libc.
fn legacy_base(elf: &Elf) -> u32 {
    const LOADERS: [&[u8]; 3] = [b"/lib/ld-linux.so.2", b"/libx32/ld-linux-x32.so.2", b"/lib64/ld-linux-x86-64.so.2"];
    let known_loader = elf.interpreter.as_ref().is_some_and(|name| LOADERS.contains(&&**name));
    let needed = elf.dynamic.iter().flat_map(|dynamic| &dynamic.needed);
    let needs_libc = needed.into_iter().any(|name| matches!(&**name, b"libc.so.6" | b"libm.so.6"));
    if known_loader || needs_libc { LIBC6 } else { UNKNOWN_LIBC }
}
