//! Symbol versions: which a file wants of each library, and which it defines (gABI extension of the Linux Standard
//! Base 5.0, "Symbol Versioning"; glibc elf/dl-version.c).
//!
//! In: the dynamic section. Out: [`Versions`]. As the loader does, chains are followed to their end and the counts
//! beside them are not believed; they only lead forwards, and have a limit.

use std::fmt;

use super::{
    ElfError,
    read::{Fields, Table},
};

/// Most records and names in one file; glibc's own libc.so.6 has some forty.
const MAX_RECORDS: usize = 8192;

const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERNEED: u64 = 0x6fff_fffe;
const VER_FLG_BASE: u16 = 1;
const VER_FLG_WEAK: u16 = 2;

/// What the version sections say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// DT_VERNEED, by library.
    pub needed: Vec<NeededFile>,
    /// DT_VERDEF; `None` when the file has none, and then fits every want.
    pub defined: Option<Vec<DefinedVersion>>,
}

/// What is wanted of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededFile {
    /// Its name as in DT_NEEDED.
    pub file: Box<[u8]>,
    /// In the file's order.
    pub versions: Vec<NeededVersion>,
}

/// One wanted version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededVersion {
    /// Such as `GLIBC_2.17`.
    pub name: Box<[u8]>,
    /// VER_FLG_WEAK: the loader does without.
    pub is_weak: bool,
}

/// One defined version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedVersion {
    /// Such as `GLIBC_2.17`.
    pub name: Box<[u8]>,
    /// VER_FLG_BASE: the file's own name, of the symbols that have no version.
    pub is_base: bool,
}

/// The numbers of a version, such as 2.17 in `GLIBC_2.17`; ordered by them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionNumber(Vec<u32>);

impl VersionNumber {
    /// Splits a version's name after its last `_`; `None` when no numbers joined by dots follow (`GLIBC_PRIVATE`).
    pub fn split(name: &[u8]) -> Option<(&[u8], Self)> {
        let cut = name.iter().rposition(|&b| b == b'_')? + 1;
        let (prefix, number) = name.split_at_checked(cut)?;
        let numbers = number.split(|&b| b == b'.').map(|part| {
            let digits = part.iter().all(u8::is_ascii_digit).then_some(part)?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        });
        Some((prefix, Self(numbers.collect::<Option<_>>()?)))
    }
}

/// `2.17`.
impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if place == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// Reads both sections.
pub(super) fn read(table: &Table<'_>) -> Result<Versions, ElfError> {
    let mut records = Records { table, left: MAX_RECORDS };
    Ok(Versions { needed: records.needed()?, defined: records.defined()? })
}

struct Records<'a> {
    table: &'a Table<'a>,
    left: usize,
}

impl Records<'_> {
    /// `Elf32_Verneed` and `Elf32_Vernaux`, which are the same in 64-bit files.
    fn needed(&mut self) -> Result<Vec<NeededFile>, ElfError> {
        let mut out = Vec::new();
        let mut next = self.table.get(DT_VERNEED).map(|address| self.table.offset(address));
        while let Some(at) = next {
            let record = self.record::<16>(at)?;
            let fields = self.fields(&record);
            if fields.u16(0) != Some(1) {
                return Err(ElfError::Malformed("its version needs are of an unknown format"));
            }
            let mut versions = Vec::new();
            let mut next_name = fields.u32(8).map(|distance| at.wrapping_add(distance.into()));
            while let Some(at) = next_name {
                let record = self.record::<16>(at)?;
                let fields = self.fields(&record);
                let is_weak = fields.u16(4).is_some_and(|flags| flags & VER_FLG_WEAK != 0);
                versions.push(NeededVersion { name: self.string(&fields, 8)?, is_weak });
                next_name = step(&fields, 12, at)?;
            }
            out.push(NeededFile { file: self.string(&fields, 4)?, versions });
            next = step(&fields, 12, at)?;
        }
        Ok(out)
    }

    /// `Elf32_Verdef` and the first `Elf32_Verdaux` of each; those after it name what it inherits, and nobody asks.
    fn defined(&mut self) -> Result<Option<Vec<DefinedVersion>>, ElfError> {
        let Some(address) = self.table.get(DT_VERDEF) else { return Ok(None) };
        let mut out = Vec::new();
        let mut next = Some(self.table.offset(address));
        while let Some(at) = next {
            let record = self.record::<20>(at)?;
            let fields = self.fields(&record);
            if fields.u16(0) != Some(1) {
                return Err(ElfError::Malformed("its version definitions are of an unknown format"));
            }
            let name = self.record::<8>(at.wrapping_add(fields.u32(12).unwrap_or(0).into()))?;
            let name = self.string(&self.fields(&name), 0)?;
            let is_base = fields.u16(2).is_some_and(|flags| flags & VER_FLG_BASE != 0);
            out.push(DefinedVersion { name, is_base });
            next = step(&fields, 16, at)?;
        }
        Ok(Some(out))
    }

    fn record<const N: usize>(&mut self, at: u64) -> Result<[u8; N], ElfError> {
        self.left = self.left.checked_sub(1).ok_or(ElfError::Malformed("it has too many symbol versions"))?;
        let bytes = self.table.source.part(at, N)?;
        bytes.try_into().map_err(|_| ElfError::Malformed("its symbol versions are cut off"))
    }

    fn fields<'a>(&self, bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, abi: self.table.abi }
    }

    fn string(&self, fields: &Fields<'_>, at: usize) -> Result<Box<[u8]>, ElfError> {
        self.table.string(fields.u32(at).unwrap_or(0).into())
    }
}

/// Where the next record of a chain is; 0 ends it.
fn step(fields: &Fields<'_>, field: usize, at: u64) -> Result<Option<u64>, ElfError> {
    match fields.u32(field).unwrap_or(0) {
        0 => Ok(None),
        distance => {
            let next = at.checked_add(distance.into());
            next.map(Some).ok_or(ElfError::Malformed("its symbol versions are cut off"))
        }
    }
}
