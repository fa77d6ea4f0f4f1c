//! A small, bounds-checked ELF reader: what a loader wants to know of a file, and no more.
//!
//! In: a way to read parts of a file (it is never held whole). Out: [`Elf`], or `None` for what is no ELF file, or an
//! error that says what is wrong with it. Every count and length in the file is hostile until checked.

use std::io;

/// Most program headers that are looked at; real files have some dozen.
const MAX_SEGMENTS: usize = 4096;
/// Longest dynamic section, in bytes.
const MAX_DYNAMIC: usize = 1 << 20;
/// Most names (DT_NEEDED and the like) taken from one file.
const MAX_NAMES: usize = 4096;
/// Longest name: `PATH_MAX`.
const MAX_NAME: usize = 4096;
/// Longest property note, in bytes.
const MAX_NOTE: usize = 1 << 16;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;

/// `e_type` of shared objects and position-independent executables.
pub const ET_DYN: u16 = 3;
/// `e_machine` values of the architectures known to this program (elf.h).
#[expect(missing_docs, reason = "elf.h's own names")]
pub mod machine {
    pub const EM_386: u16 = 3;
    pub const EM_PPC64: u16 = 21;
    pub const EM_S390: u16 = 22;
    pub const EM_ARM: u16 = 40;
    pub const EM_X86_64: u16 = 62;
    pub const EM_AARCH64: u16 = 183;
    pub const EM_RISCV: u16 = 243;
}

/// Word size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// ELFCLASS32.
    Elf32,
    /// ELFCLASS64.
    Elf64,
}

/// What the headers and the dynamic section say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// Word size.
    pub class: Class,
    /// Byte order.
    pub big_endian: bool,
    /// `e_type`.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`.
    pub flags: u32,
    /// PT_INTERP: the program that loads this one.
    pub interpreter: Option<Box<[u8]>>,
    /// The dynamic section, if it has one with a string table.
    pub dynamic: Option<Dynamic>,
    /// GNU_PROPERTY_X86_ISA_1_NEEDED, if the file has it.
    pub x86_isa_needed: Option<u32>,
}

/// Names in the dynamic section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// DT_SONAME.
    pub soname: Option<Box<[u8]>>,
    /// DT_NEEDED, in order.
    pub needed: Vec<Box<[u8]>>,
    /// DT_RPATH.
    pub rpath: Option<Box<[u8]>>,
    /// DT_RUNPATH.
    pub runpath: Option<Box<[u8]>>,
}

/// Why a file with ELF's magic number could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The medium failed.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// The content is broken.
    #[error("broken ELF file: {0}")]
    Malformed(&'static str),
}

/// Where the bytes come from: offset and length in; out come that many bytes, or fewer at the end of the file.
pub type ReadAt<'a> = &'a dyn Fn(u64, usize) -> io::Result<Vec<u8>>;

struct Segment {
    kind: u32,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    align: u64,
}

/// Fields of known width and byte order within a stretch of bytes.
struct Fields<'a> {
    bytes: &'a [u8],
    class: Class,
    big: bool,
}

impl Fields<'_> {
    fn int(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.int(at, 2).and_then(|v| u16::try_from(v).ok())
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.int(at, 4).and_then(|v| u32::try_from(v).ok())
    }

    /// An `ElfW(Addr)`: at `at32` in a 32-bit file, at `at64` in a 64-bit one.
    fn word(&self, at32: usize, at64: usize) -> Option<u64> {
        match self.class {
            Class::Elf32 => self.int(at32, 4),
            Class::Elf64 => self.int(at64, 8),
        }
    }
}

impl Elf {
    /// Reads what `read` gives. `None` when it does not begin as an ELF file does.
    ///
    /// # Errors
    /// When reading fails, or when the file breaks its own promises (truncated, impossible counts).
    pub fn read(read: ReadAt<'_>) -> Result<Option<Self>, ElfError> {
        let head = read(0, 64)?;
        if !head.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let class = match head.get(4) {
            Some(1) => Class::Elf32,
            Some(2) => Class::Elf64,
            _ => return Err(ElfError::Malformed("unknown class")),
        };
        let big = match head.get(5) {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(ElfError::Malformed("unknown byte order")),
        };
        let fields = Fields { bytes: &head, class, big };
        let short = || ElfError::Malformed("the header is cut off");
        let mut elf = Self {
            class,
            big_endian: big,
            kind: fields.u16(16).ok_or_else(short)?,
            machine: fields.u16(18).ok_or_else(short)?,
            flags: fields.word32(36, 48).ok_or_else(short)?,
            interpreter: None,
            dynamic: None,
            x86_isa_needed: None,
        };
        let offset = fields.word(28, 32).ok_or_else(short)?;
        let count = usize::from(fields.word16(44, 56).ok_or_else(short)?);
        if count > MAX_SEGMENTS {
            return Err(ElfError::Malformed("too many program headers"));
        }
        let segments = segments(read, class, big, offset, count)?;
        elf.read_segments(read, &segments)?;
        Ok(Some(elf))
    }

    fn read_segments(&mut self, read: ReadAt<'_>, segments: &[Segment]) -> Result<(), ElfError> {
        let mut dynamic = None;
        for segment in segments {
            match segment.kind {
                PT_DYNAMIC => dynamic = Some(segment),
                PT_INTERP => self.interpreter = Some(name(read, segment.offset)?),
                PT_GNU_PROPERTY if matches!(self.machine, machine::EM_386 | machine::EM_X86_64) => {
                    self.x86_isa_needed = self.isa(read, segment)?.or(self.x86_isa_needed);
                }
                _ => {}
            }
        }
        if let Some(segment) = dynamic {
            self.dynamic = self.read_dynamic(read, segment, segments)?;
        }
        Ok(())
    }

    fn read_dynamic(
        &self,
        read: ReadAt<'_>,
        segment: &Segment,
        segments: &[Segment],
    ) -> Result<Option<Dynamic>, ElfError> {
        let length = usize::try_from(segment.filesz).unwrap_or(usize::MAX);
        if length > MAX_DYNAMIC {
            return Err(ElfError::Malformed("the dynamic section is too long"));
        }
        let bytes = read(segment.offset, length)?;
        let size = if self.class == Class::Elf32 { 8 } else { 16 };
        let entries: Vec<(u64, u64)> = bytes
            .chunks_exact(size)
            .map_while(|bytes| {
                let fields = Fields { bytes, class: self.class, big: self.big_endian };
                fields.word(0, 0).zip(fields.word(4, 8))
            })
            .take_while(|(tag, _)| *tag != DT_NULL)
            .collect();
        let Some((_, address)) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else { return Ok(None) };
        // As ldconfig does: an address outside every segment counts as an offset.
        let strings = segments
            .iter()
            .find(|s| s.kind == PT_LOAD && address.checked_sub(s.vaddr).is_some_and(|distance| distance < s.filesz))
            .map_or(*address, |s| (address - s.vaddr).wrapping_add(s.offset));

        let mut out = Dynamic::default();
        for (tag, value) in entries {
            let read_name = || name(read, strings.wrapping_add(value));
            match tag {
                DT_NEEDED if out.needed.len() >= MAX_NAMES => {
                    return Err(ElfError::Malformed("it needs too many libraries"));
                }
                DT_NEEDED => out.needed.push(read_name()?),
                DT_SONAME if out.soname.is_none() => out.soname = Some(read_name()?),
                DT_RPATH if out.rpath.is_none() => out.rpath = Some(read_name()?),
                DT_RUNPATH if out.runpath.is_none() => out.runpath = Some(read_name()?),
                _ => {}
            }
        }
        Ok(Some(out))
    }

    /// GNU_PROPERTY_X86_ISA_1_NEEDED of the first property note, under the conditions that glibc's readelflib.c sets:
    /// right alignment, ascending types.
    fn isa(&self, read: ReadAt<'_>, segment: &Segment) -> Result<Option<u32>, ElfError> {
        let word: usize = if self.class == Class::Elf32 { 4 } else { 8 };
        if segment.align != word as u64 {
            return Ok(None);
        }
        let size = usize::try_from(segment.filesz).unwrap_or(usize::MAX).min(MAX_NOTE);
        let bytes = read(segment.offset, size)?;
        let fields = Fields { bytes: &bytes, class: self.class, big: self.big_endian };
        let find = || -> Option<u32> {
            let mut at = 0_usize;
            loop {
                let (name_size, size) =
                    (usize::try_from(fields.u32(at)?).ok()?, usize::try_from(fields.u32(at + 4)?).ok()?);
                if name_size == 4
                    && fields.u32(at + 8)? == NT_GNU_PROPERTY_TYPE_0
                    && bytes.get(at + 12..at + 16)? == b"GNU\0"
                {
                    if size < 8 || size % word != 0 {
                        return None;
                    }
                    let (mut property, end) = (at + 16, (at + 16).checked_add(size)?);
                    let mut last = 0;
                    while property + 8 <= end {
                        let (kind, size) = (fields.u32(property)?, usize::try_from(fields.u32(property + 4)?).ok()?);
                        property += 8;
                        if kind < last || property.checked_add(size)? > end || kind > GNU_PROPERTY_X86_ISA_1_NEEDED {
                            return None;
                        }
                        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED {
                            return if size == 4 { fields.u32(property) } else { None };
                        }
                        last = kind;
                        property += size.checked_next_multiple_of(word)?;
                    }
                    return None;
                }
                let content = 12_usize.checked_add(name_size)?.checked_next_multiple_of(word)?;
                at = at.checked_add(content.checked_add(size)?.checked_next_multiple_of(word)?)?;
            }
        };
        Ok(find())
    }
}

impl Fields<'_> {
    fn word32(&self, at32: usize, at64: usize) -> Option<u32> {
        self.u32(if self.class == Class::Elf32 { at32 } else { at64 })
    }

    fn word16(&self, at32: usize, at64: usize) -> Option<u16> {
        self.u16(if self.class == Class::Elf32 { at32 } else { at64 })
    }
}

fn segments(read: ReadAt<'_>, class: Class, big: bool, offset: u64, count: usize) -> Result<Vec<Segment>, ElfError> {
    let size = if class == Class::Elf32 { 32 } else { 56 };
    let bytes = read(offset, count * size)?;
    if bytes.len() < count * size {
        return Err(ElfError::Malformed("the program headers are cut off"));
    }
    let parse = |bytes| {
        let fields = Fields { bytes, class, big };
        Some(Segment {
            kind: fields.u32(0)?,
            offset: fields.word(4, 8)?,
            vaddr: fields.word(8, 16)?,
            filesz: fields.word(16, 32)?,
            align: fields.word(28, 48)?,
        })
    };
    Ok(bytes.chunks_exact(size).filter_map(parse).collect())
}

/// The NUL-terminated name at `offset`.
fn name(read: ReadAt<'_>, offset: u64) -> Result<Box<[u8]>, ElfError> {
    // Most names are short: a first small read spares most of the second.
    for limit in [128, MAX_NAME] {
        let bytes = read(offset, limit)?;
        if let Some(end) = bytes.iter().position(|&b| b == 0) {
            return Ok(bytes[..end].into());
        }
    }
    Err(ElfError::Malformed("a name does not end"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Option<Elf>, ElfError> {
        Elf::read(&|offset, length| {
            let rest = bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            Ok(rest[..rest.len().min(length)].to_vec())
        })
    }

    #[test]
    fn what_is_no_elf_is_none() {
        for bytes in [&b""[..], b"\x7fEL", b"/* GNU ld script */", b"#!/bin/sh\n"] {
            assert!(of(bytes).unwrap().is_none());
        }
    }

    #[test]
    fn reads_this_very_program() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = of(&bytes).unwrap().unwrap();
        assert_eq!(elf.class, if usize::BITS == 64 { Class::Elf64 } else { Class::Elf32 });
        assert_eq!(elf.big_endian, cfg!(target_endian = "big"));
        assert!(elf.dynamic.unwrap().needed.iter().any(|name| name.starts_with(b"libc.so")));
        assert!(elf.interpreter.unwrap().starts_with(b"/lib"));
    }

    #[test]
    fn broken_files_are_errors_and_never_panics() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let head = &bytes[..bytes.len().min(4096)];
        assert!(matches!(of(&head[..20]), Err(ElfError::Malformed(_))));
        for at in 4..head.len().min(1200) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = head.to_vec();
                broken[at] = value;
                let _ = of(&broken);
            }
        }
        for cut in 0..head.len().min(600) {
            let _ = of(&head[..cut]);
        }
    }
}
