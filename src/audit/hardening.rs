//! How an image's programs and libraries are armed, and which are not.
//!
//! In: what [`check::armed`] found. Out: [`Hardened`]: counts, and each file that lacks what Debian's own builds have by
//! default (PIE, RELRO, a stack that is not executable), with its package.

use crate::{
    base::{Arch, RootPath},
    check::{self, Armed},
    elf::{Placement, Relro},
    finish::FinishError,
    tree::{Origin, Tree},
};

/// What a file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// Where.
    pub path: RootPath,
    /// Whose file it is.
    pub origin: Origin,
    /// Codes of what is wrong ([`crate::base::UNHARDENED`]); never empty.
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
    pub fn of(tree: &Tree, arch: Arch) -> Result<Self, FinishError> {
        let mut out = Self::default();
        check::armed(tree, arch)?.into_iter().for_each(|found| out.add(found));
        Ok(out)
    }

    fn add(&mut self, Armed { path, node, hardening, faults }: Armed<'_>) {
        self.total += 1;
        self.programs += usize::from(hardening.placement != Placement::Library);
        self.pie += usize::from(hardening.placement == Placement::Pie);
        self.full_relro += usize::from(hardening.relro == Relro::Full);
        self.relro += usize::from(hardening.relro != Relro::None);
        self.nx_stack += usize::from(hardening.nx_stack);
        self.stack_protector += usize::from(hardening.stack_protector == Some(true));
        self.fortify += usize::from(hardening.fortify == Some(true));
        let lacks: Vec<_> = faults.into_iter().map(|(code, _)| code).collect();
        if !lacks.is_empty() {
            self.weak.push(Weakness { path: path.clone(), origin: node.origin.clone(), lacks });
        }
    }
}
