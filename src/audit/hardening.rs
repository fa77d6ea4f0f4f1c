//! How an image's programs and libraries are armed, and which are not.
//!
//! In: a tree. Out: [`Hardened`]: counts, and each file that lacks what Debian's own builds have by default (PIE, RELRO,
//! a stack that is not executable), with its package. Files are read side by side, a few pieces of each.

use std::io;

use rayon::prelude::*;

use crate::{
    base::RootPath,
    elf::{ElfError, Hardening, Placement, Relro, Source},
    tree::{Kind, Origin, Tree},
};

/// What a file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// Where.
    pub path: RootPath,
    /// Whose file it is.
    pub origin: Origin,
    /// What is wrong, in words; never empty.
    pub lacks: Vec<&'static str>,
}

/// All ELF files of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hardened {
    /// Programs and libraries.
    pub total: usize,
    /// Programs among them.
    pub programs: usize,
    /// Position-independent programs.
    pub pie: usize,
    /// With RELRO in full: `-z now` too.
    pub full_relro: usize,
    /// With RELRO at all.
    pub relro: usize,
    /// Whose stack is not executable.
    pub nx_stack: usize,
    /// That import the stack protector's call: where it is not seen it may not be needed.
    pub stack_protector: usize,
    /// That import checked variants of C functions.
    pub fortify: usize,
    /// Files that lack something, by path.
    pub weak: Vec<Weakness>,
}

impl Hardened {
    /// Reads every ELF file.
    ///
    /// # Errors
    /// When a file of the tree cannot be read.
    pub fn of(tree: &Tree) -> io::Result<Self> {
        let files: Vec<_> = tree.iter().filter(|(path, _)| !is_debug(path)).collect();
        let read: Vec<Option<(&RootPath, &Origin, Hardening)>> = files
            .par_iter()
            .map(|(path, node)| {
                let Kind::File(content) = &node.kind else { return Ok(None) };
                if content.len() < 64 {
                    return Ok(None);
                }
                let magic = content.read_part(0, 4)?;
                if magic != *b"\x7fELF" {
                    return Ok(None);
                }
                let head = content.read_part(0, crate::elf::HEAD)?;
                let source = Source::new(content.len(), head, |offset, length| content.read_part(offset, length));
                match Hardening::read(&source) {
                    Ok(found) => Ok(found.map(|found| (*path, &node.origin, found))),
                    Err(ElfError::Io(error)) => Err(error),
                    // `check` tells of broken ones.
                    Err(_) => Ok(None),
                }
            })
            .collect::<io::Result<_>>()?;
        let mut out = Self::default();
        for (path, origin, found) in read.into_iter().flatten() {
            out.add(path, origin, &found);
        }
        Ok(out)
    }

    fn add(&mut self, path: &RootPath, origin: &Origin, found: &Hardening) {
        self.total += 1;
        self.programs += usize::from(found.placement != Placement::Library);
        self.pie += usize::from(found.placement == Placement::Pie);
        self.full_relro += usize::from(found.relro == Relro::Full);
        self.relro += usize::from(found.relro != Relro::None);
        self.nx_stack += usize::from(found.nx_stack);
        self.stack_protector += usize::from(found.stack_protector == Some(true));
        self.fortify += usize::from(found.fortify == Some(true));
        let lacks = lacks(found);
        if !lacks.is_empty() {
            self.weak.push(Weakness { path: path.clone(), origin: origin.clone(), lacks });
        }
    }
}

/// What Debian's compilers give every file by default, and this one has not. Stack protector and fortify are no part of
/// it: where they leave no trace they may have had nothing to do.
fn lacks(found: &Hardening) -> Vec<&'static str> {
    let all = [
        (found.placement == Placement::Fixed, "not position-independent"),
        (found.relro == Relro::None, "no RELRO"),
        (!found.nx_stack, "executable stack"),
        (found.textrel, "text relocations"),
        (found.unsafe_search().next().is_some(), "a search path that others may fill"),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect()
}

/// Separate debug symbols, whose headers speak of another file.
fn is_debug(path: &RootPath) -> bool {
    path.starts_with(&RootPath::literal("usr/lib/debug")) || path.file_name().ends_with(b".debug")
}
