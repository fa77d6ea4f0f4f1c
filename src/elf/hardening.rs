//! How well a file is armed against its own faults: what `hardening-check` and `checksec` look at.
//!
//! In: [`Source`]. Out: [`Hardening`]. Headers, dynamic section and the names of imported symbols are read, in few and
//! bounded pieces; code never is, so what the compiler did is told where it left an import and nowhere else.

use super::{
    ET_EXEC, Elf, ElfError, Source,
    machine::EM_S390,
    read::{Fields, PT_DYNAMIC, PT_INTERP, Segment, Table, names},
};

const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_RELRO: u32 = 0x6474_e552;
const PF_X: u32 = 1;
const DT_HASH: u64 = 4;
const DT_SYMTAB: u64 = 6;
const DT_TEXTREL: u64 = 22;
const DT_BIND_NOW: u64 = 24;
const DT_FLAGS: u64 = 30;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_TEXTREL: u64 = 4;
const DF_BIND_NOW: u64 = 8;
const DF_1_NOW: u64 = 1;
const DF_1_PIE: u64 = 0x0800_0000;
const SHT_DYNSYM: u32 = 11;

/// Most dynamic symbols that are looked at. A file with more imports says nothing of stack protector and fortify.
const MAX_SYMBOLS: u64 = 1 << 17;
/// Most section headers that are looked at.
const MAX_SECTIONS: usize = 1 << 12;
/// How much of the string table is read at a time, bytes.
const STRETCH: usize = 1 << 16;
/// Most bytes of names that are read of one file.
const MAX_NAMES: usize = 16 << 20;
/// Longest name that is of interest here.
const MAX_NAME: usize = 64;
/// Most parts of a library search path.
const MAX_PARTS: usize = 1024;

/// Folders that everyone may write in any system (hier(7), FHS 3.0).
const OPEN_FOLDERS: [&[u8]; 4] = [b"/tmp", b"/var/tmp", b"/dev/shm", b"/run/lock"];

/// Where the loader may put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A program at a fixed address (`ET_EXEC`): address space randomisation passes it by.
    Fixed,
    /// A position-independent program (PIE).
    Pie,
    /// A library, which can go anywhere.
    Library,
}

/// What of the tables that calls go through is read-only once the file is loaded (ld(1), `-z relro`, `-z now`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relro {
    /// Nothing.
    None,
    /// All but the addresses that are bound when first called. Debian's default.
    Partial,
    /// Everything: `-z now` as well.
    Full,
}

/// One program or library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardening {
    /// PIE or not.
    pub placement: Placement,
    /// RELRO.
    pub relro: Relro,
    /// PT_GNU_STACK without the execute flag. A file without that header counts as one that wants an executable stack,
    /// as glibc takes it on most machines.
    pub nx_stack: bool,
    /// It imports `__stack_chk_fail`. `None`: not to be seen, as in static programs. `false` is no proof of a fault:
    /// code without arrays on the stack has no need, and the compilers of other languages have no such thing.
    pub stack_protector: Option<bool>,
    /// It imports checked variants such as `__memcpy_chk` (`_FORTIFY_SOURCE`); `None` and `false` as above.
    pub fortify: Option<bool>,
    /// DT_TEXTREL: the loader writes into its code.
    pub textrel: bool,
    /// The folders of DT_RUNPATH, or without one of DT_RPATH, as written.
    pub search: Vec<Box<[u8]>>,
}

impl Hardening {
    /// Reads one file. `None` for what is no ELF file, or none that a loader takes: object files, core dumps.
    ///
    /// # Errors
    /// When reading fails, or when the file breaks its own promises.
    pub fn read(source: &Source<'_>) -> Result<Option<Self>, ElfError> {
        let Some((elf, segments)) = Elf::begin(source)?.filter(|(elf, _)| elf.is_loadable()) else { return Ok(None) };
        let of = |kind| segments.iter().rev().find(|segment| segment.kind == kind);
        let table = match of(PT_DYNAMIC) {
            Some(dynamic) => elf.table(source, dynamic, &segments)?,
            None => None,
        };
        let imports = match &table {
            Some(table) => Imports::read(table)?,
            None => None,
        };
        let dynamic = match &table {
            Some(table) => names(table)?,
            None => Default::default(),
        };
        let get = |tag| table.as_ref().and_then(|table| table.get(tag));
        let has = |tag, bit| get(tag).unwrap_or(0) & bit != 0;
        // As in `Elf::read`: an empty interpreter makes it a library.
        let has_interpreter = |segment: &Segment| Ok::<_, ElfError>(!source.name(segment.offset)?.is_empty());
        let is_started = of(PT_INTERP).map(has_interpreter).transpose()?.unwrap_or(false);
        Ok(Some(Self {
            placement: match elf.kind {
                ET_EXEC => Placement::Fixed,
                _ if has(DT_FLAGS_1, DF_1_PIE) => Placement::Pie,
                // libc.so.6 can be started, and is a library. Linkers before 2016 did not set the flag.
                _ if is_started && dynamic.soname.is_none() => Placement::Pie,
                _ => Placement::Library,
            },
            relro: match of(PT_GNU_RELRO) {
                None => Relro::None,
                Some(_) if get(DT_BIND_NOW).is_some() => Relro::Full,
                Some(_) if has(DT_FLAGS, DF_BIND_NOW) || has(DT_FLAGS_1, DF_1_NOW) => Relro::Full,
                // A static program has nothing to bind later.
                Some(_) if table.is_none() => Relro::Full,
                Some(_) => Relro::Partial,
            },
            nx_stack: of(PT_GNU_STACK).is_some_and(|segment| segment.flags & PF_X == 0),
            stack_protector: imports.as_ref().map(|imports| imports.stack_check),
            fortify: imports.as_ref().map(|imports| imports.checked),
            textrel: get(DT_TEXTREL).is_some() || has(DT_FLAGS, DF_TEXTREL),
            search: match dynamic.runpath.or(dynamic.rpath) {
                Some(path) => path.split(|&b| b == b':').take(MAX_PARTS).map(Box::from).collect(),
                None => Vec::new(),
            },
        }))
    }

    /// The folders of its search path that others may fill, whatever the image: the empty one and relative ones, which
    /// mean the working directory, and those under `/tmp` and its like.
    pub fn unsafe_search(&self) -> impl Iterator<Item = &[u8]> {
        self.search.iter().map(|part| &**part).filter(|part| {
            let is_own = part.starts_with(b"$ORIGIN") || part.starts_with(b"${ORIGIN}");
            let is_open = |folder: &&[u8]| {
                part.strip_prefix(*folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            };
            !part.starts_with(b"/") && !is_own || OPEN_FOLDERS.iter().any(is_open)
        })
    }
}

/// What the imported symbols tell.
#[derive(Default)]
struct Imports {
    stack_check: bool,
    checked: bool,
}

impl Imports {
    /// `None` when they cannot be seen.
    fn read(table: &Table<'_>) -> Result<Option<Self>, ElfError> {
        let Some(symbols) = table.get(DT_SYMTAB) else { return Ok(None) };
        let Some(count) = count(table)?.filter(|count| *count <= MAX_SYMBOLS) else { return Ok(None) };
        // `ElfN_Sym`: the name first; the section further on, 0 for what is imported.
        let fields = Fields { bytes: &[], abi: table.abi };
        let size = fields.of_class(16, 24);
        let length = usize::try_from(count).unwrap_or(0).saturating_mul(size);
        let bytes = table.source.part(table.offset(symbols), length)?;
        if bytes.len() < length {
            return Err(ElfError::Malformed("the symbols are cut off"));
        }
        let mut names: Vec<u32> = bytes
            .chunks_exact(size)
            .skip(1)
            .filter_map(|bytes| {
                let fields = Fields { bytes, abi: table.abi };
                (fields.word16(14, 6)? == 0).then(|| fields.u32(0))?
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut out = Self::default();
        let (mut start, mut stretch, mut read) = (0_u64, Vec::new(), 0_usize);
        for name in names.into_iter().map(u64::from) {
            let end = |start: u64, stretch: &Vec<u8>| start + stretch.len() as u64;
            if name + MAX_NAME as u64 > end(start, &stretch) {
                stretch = table.source.part(table.strings.wrapping_add(name), STRETCH)?;
                start = name;
                read += stretch.len();
                if read > MAX_NAMES {
                    return Ok(None);
                }
            }
            let rest = usize::try_from(name - start).ok().and_then(|at| stretch.get(at..)).unwrap_or_default();
            let name = rest.split(|&b| b == 0).next().unwrap_or_default();
            // `__stack_chk_fail` itself does not end in `_chk`.
            out.stack_check |= name == b"__stack_chk_fail" || name == b"__stack_chk_guard";
            out.checked |= name.len() < MAX_NAME && name.starts_with(b"__") && name.ends_with(b"_chk");
            if out.stack_check && out.checked {
                break;
            }
        }
        Ok(Some(out))
    }
}

/// How many symbols there are up to the last imported one. The dynamic section does not say: the hash tables do
/// (gABI, "Hash Table"), and GNU's leaves out what is imported, which therefore comes first.
fn count(table: &Table<'_>) -> Result<Option<u64>, ElfError> {
    let abi = table.abi;
    let cut = || ElfError::Malformed("the symbols' hash table is cut off");
    if let Some(address) = table.get(DT_HASH) {
        let bytes = table.source.part(table.offset(address), 16)?;
        let fields = Fields { bytes: &bytes, abi };
        // s390x alone has words of 8 bytes here (its psABI).
        let is_wide = abi.machine == EM_S390 && fields.of_class(4, 8) == 8;
        let count = if is_wide { fields.word(4, 8) } else { fields.u32(4).map(u64::from) };
        return count.map(Some).ok_or_else(cut);
    }
    if let Some(address) = table.get(DT_GNU_HASH) {
        let bytes = table.source.part(table.offset(address), 16)?;
        let first = Fields { bytes: &bytes, abi }.u32(4).ok_or_else(cut)?;
        // An empty table begins at 1, whatever there is.
        if first > 1 {
            return Ok(Some(first.into()));
        }
    }
    sections_count(table)
}

/// The same by the section headers, which loaders do not read and which may be missing.
fn sections_count(table: &Table<'_>) -> Result<Option<u64>, ElfError> {
    let head = table.source.part(0, 64)?;
    let fields = Fields { bytes: &head, abi: table.abi };
    let Some(((at, size), number)) = fields.word(32, 40).zip(fields.word16(46, 58)).zip(fields.word16(48, 60)) else {
        return Ok(None);
    };
    let (size, number) = (usize::from(size), usize::from(number).min(MAX_SECTIONS));
    if size != fields.of_class(40, 64) || at == 0 {
        return Ok(None);
    }
    let bytes = table.source.part(at, number * size)?;
    let symbols = bytes.chunks_exact(size).find_map(|bytes| {
        let fields = Fields { bytes, abi: table.abi };
        (fields.u32(4)? == SHT_DYNSYM).then(|| fields.word(20, 32))?
    });
    Ok(symbols.map(|bytes| bytes / fields.of_class(16, 24) as u64))
}

#[cfg(test)]
#[path = "hardening_tests.rs"]
mod tests;
