//! ELF files: what a loader wants to know of one, and what a set of them needs of the system.
//!
//! In: a way to read parts of a file (it is never held whole). Out: [`Elf`], or `None` for what is no ELF file, or an
//! error that says what is wrong with it; from many of them which library each name leads to ([`Loader`]), and the
//! [`needs`] that remain. `read` and `versions` parse, every count and length in the file being hostile until
//! checked; `search` looks for libraries as ld.so does; `needs` is for files that are not in a tree yet; `hardening` says how
//! well a file is armed against its own faults.

#[cfg(test)]
#[path = "../../tests/support/elf.rs"]
pub(crate) mod fixture;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hardening;
mod needs;
mod read;
mod search;
mod versions;

use std::io;

pub use hardening::{Hardening, Placement, Relro};
pub use needs::{Need, Needs, needs};
pub use read::Source;
pub use search::{Loaded, Loader, Names, expand};
pub use versions::{DefinedVersion, NeededFile, NeededVersion, VersionNumber, Versions};

use crate::base::{Arch, RootPath};

/// How much of a file is read to see what it is, bytes: the headers lie in it as a rule.
pub const HEAD: usize = 4096;
/// `e_type` of programs that are loaded at a fixed address.
pub const ET_EXEC: u16 = 2;
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

/// What must fit between a program and its libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Abi {
    /// Word size.
    pub class: Class,
    /// Byte order.
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
}

/// What the headers, the dynamic section and the version sections say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// Word size, byte order, machine.
    pub abi: Abi,
    /// `e_type`.
    pub kind: u16,
    /// `e_flags`.
    pub flags: u32,
    /// PT_INTERP: the program that loads this one.
    pub interpreter: Option<Box<[u8]>>,
    /// The dynamic section, if it has one with a string table.
    pub dynamic: Option<Dynamic>,
    /// Symbol versions; empty after [`Elf::read_names`], which does not look.
    pub versions: Versions,
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

/// A program or library, where it lies or will lie, and whose it is.
#[derive(Debug, Clone)]
pub struct Object<O> {
    /// In the root filesystem.
    pub path: RootPath,
    /// What it says.
    pub elf: Elf,
    /// Who brings it.
    pub owner: O,
}

impl Abi {
    /// Of an architecture's programs.
    pub fn of(arch: Arch) -> Self {
        let (class, big_endian, machine) = match arch {
            Arch::Amd64 => (Class::Elf64, false, machine::EM_X86_64),
            Arch::Arm64 => (Class::Elf64, false, machine::EM_AARCH64),
            Arch::Armhf => (Class::Elf32, false, machine::EM_ARM),
            Arch::I386 => (Class::Elf32, false, machine::EM_386),
            Arch::Ppc64el => (Class::Elf64, false, machine::EM_PPC64),
            Arch::Riscv64 => (Class::Elf64, false, machine::EM_RISCV),
            Arch::S390x => (Class::Elf64, true, machine::EM_S390),
        };
        Self { class, big_endian, machine }
    }

    /// Whose programs these are; `None` for those of none of Debian's architectures known here.
    pub fn arch(self) -> Option<Arch> {
        Arch::ALL.into_iter().find(|arch| Self::of(*arch) == self)
    }
}

impl Elf {
    /// Whether the loader takes it: no object file, no core dump.
    pub fn is_loadable(&self) -> bool {
        matches!(self.kind, ET_EXEC | ET_DYN)
    }

    /// DT_NEEDED, in order.
    pub fn needed(&self) -> &[Box<[u8]>] {
        self.dynamic.as_ref().map_or(&[], |dynamic| &dynamic.needed)
    }
}

#[cfg(test)]
mod tests;
