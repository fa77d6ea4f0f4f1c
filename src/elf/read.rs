//! Headers, dynamic section and names of one file.
//!
//! In: [`Source`]. Out: [`Elf`], the version sections read by `versions`.

use std::{cell::RefCell, collections::VecDeque, io};

use super::{Abi, Class, Dynamic, Elf, ElfError, machine, versions};

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
/// What is read at a time, at least: names and tables lie close to one another.
const WINDOW: usize = 8192;
/// String tables up to this many bytes are read at once.
const SMALL_TABLE: u64 = 1 << 15;
/// How many stretches of the file are kept.
const MAX_WINDOWS: usize = 16;

const PT_LOAD: u32 = 1;
pub(super) const PT_DYNAMIC: u32 = 2;
pub(super) const PT_INTERP: u32 = 3;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;

type ReadAt<'a> = Box<dyn Fn(u64, usize) -> io::Result<Vec<u8>> + 'a>;

/// Where the bytes come from. What was read is kept for a while: each reading may mean opening a file.
pub struct Source<'a> {
    length: u64,
    read: ReadAt<'a>,
    windows: RefCell<VecDeque<(u64, Vec<u8>)>>,
}

impl<'a> Source<'a> {
    /// A file of `length` bytes that begins with `head`, as much of it as is at hand. `read` is asked for a stretch
    /// by offset and length; it gives that many bytes, or fewer at the end of the file.
    pub fn new(length: u64, head: Vec<u8>, read: impl Fn(u64, usize) -> io::Result<Vec<u8>> + 'a) -> Self {
        Self { length, read: Box::new(read), windows: RefCell::new(VecDeque::from([(0, head)])) }
    }

    /// A file that is in memory.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        let read = |offset, length| {
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            Ok(rest.get(..length).unwrap_or(rest).to_vec())
        };
        Self::new(bytes.len() as u64, Vec::new(), read)
    }

    /// `length` bytes from `offset` on, or fewer at the end of the file.
    pub(super) fn part(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        if length == 0 {
            return Ok(Vec::new());
        }
        if let Some(bytes) = self.kept(offset, |rest| rest.get(..length).map(<[u8]>::to_vec)) {
            return Ok(bytes);
        }
        // From a round offset on, as what comes next may lie before this.
        let start = offset & !(WINDOW as u64 / 2 - 1);
        let skip = usize::try_from(offset - start).unwrap_or(0);
        let bytes = (self.read)(start, length.saturating_add(skip).max(WINDOW))?;
        let rest = bytes.get(skip..).unwrap_or_default();
        let part = rest.get(..length).unwrap_or(rest).to_vec();
        let mut windows = self.windows.borrow_mut();
        if windows.len() >= MAX_WINDOWS {
            windows.pop_front();
        }
        windows.push_back((start, bytes));
        Ok(part)
    }

    /// What `take` makes of the bytes from `offset` on in a kept stretch, the latest first.
    fn kept<T>(&self, offset: u64, take: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let windows = self.windows.borrow();
        windows.iter().rev().find_map(|(start, bytes)| {
            let skip = usize::try_from(offset.checked_sub(*start)?).ok()?;
            take(bytes.get(skip..)?)
        })
    }

    /// The NUL-terminated name at `offset`.
    pub(super) fn name(&self, offset: u64) -> Result<Box<[u8]>, ElfError> {
        let until_nul = |bytes: &[u8]| {
            let end = bytes.iter().take(MAX_NAME).position(|&b| b == 0)?;
            bytes.get(..end).map(Box::from)
        };
        if let Some(name) = self.kept(offset, until_nul) {
            return Ok(name);
        }
        until_nul(&self.part(offset, MAX_NAME)?).ok_or(ElfError::Malformed("a name does not end"))
    }
}

/// A program header.
pub(super) struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    vaddr: u64,
    filesz: u64,
    align: u64,
}

/// Fields of known width and byte order within a stretch of bytes.
pub(super) struct Fields<'a> {
    pub bytes: &'a [u8],
    pub abi: Abi,
}

impl Fields<'_> {
    fn int(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.abi.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    pub fn u16(&self, at: usize) -> Option<u16> {
        self.int(at, 2).and_then(|v| u16::try_from(v).ok())
    }

    pub fn u32(&self, at: usize) -> Option<u32> {
        self.int(at, 4).and_then(|v| u32::try_from(v).ok())
    }

    /// One of two numbers, by word size.
    pub fn of_class(&self, in32: usize, in64: usize) -> usize {
        if self.abi.class == Class::Elf32 { in32 } else { in64 }
    }

    /// An `ElfW(Addr)`: at `at32` in a 32-bit file, at `at64` in a 64-bit one.
    pub fn word(&self, at32: usize, at64: usize) -> Option<u64> {
        match self.abi.class {
            Class::Elf32 => self.int(at32, 4),
            Class::Elf64 => self.int(at64, 8),
        }
    }

    pub fn word32(&self, at32: usize, at64: usize) -> Option<u32> {
        self.u32(if self.abi.class == Class::Elf32 { at32 } else { at64 })
    }

    pub fn word16(&self, at32: usize, at64: usize) -> Option<u16> {
        self.u16(if self.abi.class == Class::Elf32 { at32 } else { at64 })
    }
}

/// The dynamic section with what it takes to follow it.
pub(super) struct Table<'a> {
    pub source: &'a Source<'a>,
    pub abi: Abi,
    segments: &'a [Segment],
    entries: Vec<(u64, u64)>,
    /// Where the string table begins in the file.
    pub strings: u64,
}

impl Table<'_> {
    /// The value of the first entry of that tag.
    pub fn get(&self, tag: u64) -> Option<u64> {
        self.entries.iter().find(|(found, _)| *found == tag).map(|(_, value)| *value)
    }

    /// A name by its index in the string table.
    pub fn string(&self, index: u64) -> Result<Box<[u8]>, ElfError> {
        self.source.name(self.strings.wrapping_add(index))
    }

    /// Where an address lies in the file.
    pub fn offset(&self, address: u64) -> u64 {
        offset(self.segments, address)
    }
}

/// As ldconfig does: an address outside every segment counts as an offset.
fn offset(segments: &[Segment], address: u64) -> u64 {
    segments
        .iter()
        .find(|s| s.kind == PT_LOAD && address.checked_sub(s.vaddr).is_some_and(|distance| distance < s.filesz))
        .map_or(address, |s| (address - s.vaddr).wrapping_add(s.offset))
}

impl Elf {
    /// Reads everything. `None` when it does not begin as an ELF file does.
    ///
    /// # Errors
    /// When reading fails, or when the file breaks its own promises: cut off, impossible counts.
    pub fn read(source: &Source<'_>) -> Result<Option<Self>, ElfError> {
        let elf = Self::read_some(source, true)?;
        // The loader would open the folder that it looks in.
        if elf.as_ref().is_some_and(|elf| elf.needed().iter().any(|name| name.is_empty())) {
            return Err(ElfError::Malformed("a library that it needs has no name"));
        }
        Ok(elf)
    }

    /// Reads what ldconfig does: the headers and the dynamic section. Symbol versions are left out, and a file that is
    /// cut off elsewhere passes.
    ///
    /// # Errors
    /// As [`Elf::read`].
    pub fn read_names(source: &Source<'_>) -> Result<Option<Self>, ElfError> {
        Self::read_some(source, false)
    }

    fn read_some(source: &Source<'_>, in_full: bool) -> Result<Option<Self>, ElfError> {
        let Some((mut elf, segments)) = Self::begin(source)? else { return Ok(None) };
        let in_full = in_full && elf.is_loadable();
        let is_cut = |s: &Segment| {
            let end = s.offset.checked_add(s.filesz);
            matches!(s.kind, PT_LOAD | PT_DYNAMIC | PT_INTERP) && end.is_none_or(|end| end > source.length)
        };
        if in_full && segments.iter().any(is_cut) {
            return Err(ElfError::Malformed("it is cut off: a segment ends beyond the end of the file"));
        }
        elf.read_segments(source, &segments, in_full)?;
        Ok(Some(elf))
    }

    /// The headers alone: what the file is, and its segments.
    pub(super) fn begin(source: &Source<'_>) -> Result<Option<(Self, Vec<Segment>)>, ElfError> {
        let head = source.part(0, 64)?;
        if !head.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let class = match head.get(4) {
            Some(1) => Class::Elf32,
            Some(2) => Class::Elf64,
            _ => return Err(ElfError::Malformed("unknown class")),
        };
        let big_endian = match head.get(5) {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(ElfError::Malformed("unknown byte order")),
        };
        let fields = Fields { bytes: &head, abi: Abi { class, big_endian, machine: 0 } };
        let short = || ElfError::Malformed("the header is cut off");
        let abi = Abi { machine: fields.u16(18).ok_or_else(short)?, ..fields.abi };
        let elf = Self {
            abi,
            kind: fields.u16(16).ok_or_else(short)?,
            flags: fields.word32(36, 48).ok_or_else(short)?,
            interpreter: None,
            dynamic: None,
            versions: Default::default(),
            x86_isa_needed: None,
        };
        let offset = fields.word(28, 32).ok_or_else(short)?;
        let count = usize::from(fields.word16(44, 56).ok_or_else(short)?);
        if count > MAX_SEGMENTS {
            return Err(ElfError::Malformed("too many program headers"));
        }
        Ok(Some((elf, segments(source, abi, offset, count)?)))
    }

    fn read_segments(&mut self, source: &Source<'_>, segments: &[Segment], in_full: bool) -> Result<(), ElfError> {
        let mut dynamic = None;
        for segment in segments {
            match segment.kind {
                PT_DYNAMIC => dynamic = Some(segment),
                // An empty one makes it a library: Linux executes none such (fs/binfmt_elf.c), and the loader does not
                // look. Qt's libraries in wheels have it.
                PT_INTERP => {
                    self.interpreter = Some(source.name(segment.offset)?).filter(|name| !name.is_empty());
                }
                PT_GNU_PROPERTY if matches!(self.abi.machine, machine::EM_386 | machine::EM_X86_64) => {
                    self.x86_isa_needed = self.isa(source, segment)?.or(self.x86_isa_needed);
                }
                _ => {}
            }
        }
        if let Some(segment) = dynamic
            && let Some(table) = self.table(source, segment, segments)?
        {
            self.dynamic = Some(names(&table)?);
            if in_full {
                self.versions = versions::read(&table)?;
            }
        }
        Ok(())
    }

    /// The entries of the dynamic section; `None` when it has no string table.
    pub(super) fn table<'a>(
        &self,
        source: &'a Source<'a>,
        segment: &Segment,
        segments: &'a [Segment],
    ) -> Result<Option<Table<'a>>, ElfError> {
        let length = usize::try_from(segment.filesz).unwrap_or(usize::MAX);
        if length > MAX_DYNAMIC {
            return Err(ElfError::Malformed("the dynamic section is too long"));
        }
        let bytes = source.part(segment.offset, length)?;
        let size = if self.abi.class == Class::Elf32 { 8 } else { 16 };
        let entries: Vec<(u64, u64)> = bytes
            .chunks_exact(size)
            .map_while(|bytes| {
                let fields = Fields { bytes, abi: self.abi };
                fields.word(0, 0).zip(fields.word(4, 8))
            })
            .take_while(|(tag, _)| *tag != DT_NULL)
            .collect();
        let mut table = Table { source, abi: self.abi, segments, entries, strings: 0 };
        let Some(address) = table.get(DT_STRTAB) else { return Ok(None) };
        table.strings = table.offset(address);
        if let Some(size) = table.get(DT_STRSZ).filter(|size| *size <= SMALL_TABLE) {
            source.part(table.strings, usize::try_from(size).unwrap_or(0))?;
        }
        Ok(Some(table))
    }

    /// GNU_PROPERTY_X86_ISA_1_NEEDED of the first property note, under the conditions that glibc's readelflib.c sets:
    /// right alignment, ascending types.
    fn isa(&self, source: &Source<'_>, segment: &Segment) -> Result<Option<u32>, ElfError> {
        let word: usize = if self.abi.class == Class::Elf32 { 4 } else { 8 };
        if segment.align != word as u64 {
            return Ok(None);
        }
        let size = usize::try_from(segment.filesz).unwrap_or(usize::MAX).min(MAX_NOTE);
        let bytes = source.part(segment.offset, size)?;
        let fields = Fields { bytes: &bytes, abi: self.abi };
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

pub(super) fn names(table: &Table<'_>) -> Result<Dynamic, ElfError> {
    let mut out = Dynamic::default();
    for &(tag, value) in &table.entries {
        match tag {
            DT_NEEDED if out.needed.len() >= MAX_NAMES => {
                return Err(ElfError::Malformed("it needs too many libraries"));
            }
            DT_NEEDED => out.needed.push(table.string(value)?),
            DT_SONAME if out.soname.is_none() => out.soname = Some(table.string(value)?),
            DT_RPATH if out.rpath.is_none() => out.rpath = Some(table.string(value)?),
            DT_RUNPATH if out.runpath.is_none() => out.runpath = Some(table.string(value)?),
            _ => {}
        }
    }
    Ok(out)
}

fn segments(source: &Source<'_>, abi: Abi, offset: u64, count: usize) -> Result<Vec<Segment>, ElfError> {
    let size = if abi.class == Class::Elf32 { 32 } else { 56 };
    let bytes = source.part(offset, count * size)?;
    if bytes.len() < count * size {
        return Err(ElfError::Malformed("the program headers are cut off"));
    }
    let parse = |bytes| {
        let fields = Fields { bytes, abi };
        Some(Segment {
            kind: fields.u32(0)?,
            flags: fields.word32(24, 4)?,
            offset: fields.word(4, 8)?,
            vaddr: fields.word(8, 16)?,
            filesz: fields.word(16, 32)?,
            align: fields.word(28, 48)?,
        })
    };
    Ok(bytes.chunks_exact(size).filter_map(parse).collect())
}
