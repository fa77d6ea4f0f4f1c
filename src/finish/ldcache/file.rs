//! The cache's layout (sysdeps/generic/dl-cache.h, elf/cache.c, elf/stringtable.c): header, entries sorted so that
//! the loader can bisect, strings with shared endings, extensions.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
};

use super::{conf::Directory, scan::Library};
use crate::{base::Arch, finish::FinishError};

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// `cache_extension_magic`, -358342284.
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// `DL_CACHE_HWCAP_EXTENSION`.
const HWCAP_EXTENSION: u64 = 1 << 62;

/// One line of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    soname: Box<[u8]>,
    path: Vec<u8>,
    flags: u32,
    isa_level: u32,
    hwcaps: Option<Box<[u8]>>,
}

impl Entry {
    /// The soname is found under its own name in the directory, except in glibc-hwcaps directories, which have no
    /// links: there under the file's name.
    pub fn new(directory: &Directory, library: Library) -> Self {
        let name = if directory.hwcaps.is_some() { &library.name } else { &library.soname };
        Self {
            path: [&directory.path, &b"/"[..], name].concat(),
            soname: library.soname,
            flags: library.flags,
            isa_level: library.isa_level,
            hwcaps: directory.hwcaps.clone(),
        }
    }
}

/// `_dl_cache_libcmp` (elf/dl-cache.c): by bytes, but runs of digits by their value. C's `char` is signed on x86.
pub fn compare_names(a: &[u8], b: &[u8], arch: Arch) -> Ordering {
    let byte = |name: &[u8], at: usize| match (name.get(at), arch) {
        (None, _) => 0,
        (Some(&byte), Arch::Amd64 | Arch::I386) => i32::from(byte.cast_signed()),
        (Some(&byte), _) => i32::from(byte),
    };
    let number = |name: &[u8], at: &mut usize| {
        let mut value = 0_i32;
        while let Some(digit) = name.get(*at).filter(|byte| byte.is_ascii_digit()) {
            value = value.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'));
            *at += 1;
        }
        value
    };
    let (mut i, mut j) = (0, 0);
    while i < a.len() {
        match (a[i].is_ascii_digit(), b.get(j).is_some_and(u8::is_ascii_digit)) {
            (true, true) => {
                let (left, right) = (number(a, &mut i), number(b, &mut j));
                if left != right {
                    return left.wrapping_sub(right).cmp(&0);
                }
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {
                let order = byte(a, i).cmp(&byte(b, j));
                if order != Ordering::Equal {
                    return order;
                }
                i += 1;
                j += 1;
            }
        }
    }
    0.cmp(&byte(b, j))
}

/// The order in the file: names falling, flags falling, glibc-hwcaps before the plain library.
fn compare(a: &Entry, b: &Entry, arch: Arch) -> Ordering {
    compare_names(&b.soname, &a.soname, arch).then(b.flags.cmp(&a.flags)).then(match (&a.hwcaps, &b.hwcaps) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    })
}

/// The whole file. `names` are those of all glibc-hwcaps directories; only the used ones get into their section.
///
/// # Errors
/// When it would not fit the 32-bit offsets of the format.
pub fn layout(
    mut entries: Vec<Entry>,
    names: &BTreeSet<Box<[u8]>>,
    arch: Arch,
    generator: &str,
) -> Result<Vec<u8>, FinishError> {
    // Stable: among equals the directory searched first wins.
    entries.sort_by(|a, b| compare(a, b, arch));
    let hwcaps: BTreeSet<&[u8]> = entries.iter().filter_map(|entry| entry.hwcaps.as_deref()).collect();
    let strings = Strings::new(
        entries.iter().flat_map(|entry| [&*entry.soname, &*entry.path]).chain(names.iter().map(|name| &**name)),
        HEADER + entries.len() * ENTRY,
    );

    let too_large = |_| FinishError::CacheTooLarge;
    let int = |value: usize| u32::try_from(value).map_err(too_large);
    let mut out = Writer { bytes: Vec::new(), big: arch == Arch::S390x };
    let extension_offset = (strings.end()).next_multiple_of(4);
    out.bytes.extend_from_slice(MAGIC);
    out.u32(int(entries.len())?);
    out.u32(int(strings.bytes.len())?);
    // Byte order: 2 little, 3 big; three bytes of padding.
    out.bytes.extend_from_slice(&[2 + u8::from(out.big), 0, 0, 0]);
    out.u32(int(extension_offset)?);
    out.bytes.resize(HEADER, 0);

    let place = |name: &[u8]| hwcaps.iter().position(|known| *known == name).unwrap_or_default() as u64;
    for entry in &entries {
        out.u32(entry.flags);
        out.u32(int(strings.offset(&entry.soname))?);
        out.u32(int(strings.offset(&entry.path))?);
        out.u32(0);
        out.u64(match &entry.hwcaps {
            None => 0,
            Some(name) => HWCAP_EXTENSION | u64::from(entry.isa_level) << 32 | place(name),
        });
    }
    out.bytes.extend_from_slice(&strings.bytes);
    out.bytes.resize(extension_offset, 0);

    // Sections: the generator's name (tag 0), then the hwcaps names (tag 1), whose data comes first.
    let sections = 1 + usize::from(!hwcaps.is_empty());
    let hwcaps_offset = extension_offset + 8 + sections * 16;
    let hwcaps_size = hwcaps.len() * 4;
    out.u32(EXTENSION_MAGIC);
    out.u32(int(sections)?);
    for value in [0, 0, int(hwcaps_offset + hwcaps_size)?, int(generator.len())?] {
        out.u32(value);
    }
    if !hwcaps.is_empty() {
        for value in [1, 0, int(hwcaps_offset)?, int(hwcaps_size)?] {
            out.u32(value);
        }
        for name in &hwcaps {
            out.u32(int(strings.offset(name))?);
        }
    }
    out.bytes.extend_from_slice(generator.as_bytes());
    Ok(out.bytes)
}

struct Writer {
    bytes: Vec<u8>,
    big: bool,
}

impl Writer {
    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

/// NUL-terminated strings, each once, a string that ends another stored within it.
struct Strings<'a> {
    bytes: Vec<u8>,
    offsets: HashMap<&'a [u8], usize>,
    start: usize,
}

impl<'a> Strings<'a> {
    fn new(strings: impl Iterator<Item = &'a [u8]>, start: usize) -> Self {
        let mut all: Vec<&[u8]> = strings.collect::<BTreeSet<_>>().into_iter().collect();
        // Read from the end, falling; so that a string follows the one that it ends.
        all.sort_by(|a, b| b.iter().rev().cmp(a.iter().rev()));
        let mut bytes = Vec::new();
        let mut offsets = HashMap::new();
        let mut previous: Option<(&[u8], usize)> = None;
        for string in all {
            let offset = match previous {
                Some((longer, at)) if longer.ends_with(string) => at + longer.len() - string.len(),
                _ => {
                    let at = bytes.len();
                    bytes.extend_from_slice(string);
                    bytes.push(0);
                    at
                }
            };
            offsets.insert(string, offset);
            previous = Some((string, offset));
        }
        Self { bytes, offsets, start }
    }

    fn offset(&self, string: &[u8]) -> usize {
        self.start + self.offsets.get(string).copied().unwrap_or_default()
    }

    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}
