//! One version of one package, as a view into its index.

use super::{
    NameId, Universe, UniverseError, UniverseErrorKind,
    stanza::{Span, Stanza},
};
use crate::{
    base::{PackageName, Sha256},
    control::{Atom, Clauses},
};

/// One version of one package of a universe. Ids are ordered by name, then from the newest version down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CandidateId(pub(super) u32);

impl CandidateId {
    /// As an index into a table of all candidates.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The `Multi-Arch` field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MultiArch {
    /// Absent, `no`, or anything unknown.
    #[default]
    No,
    /// `same`
    Same,
    /// `foreign`
    Foreign,
    /// `allowed`
    Allowed,
}

impl MultiArch {
    pub(super) fn read(value: &str) -> Self {
        match value {
            "same" => Self::Same,
            "foreign" => Self::Foreign,
            "allowed" => Self::Allowed,
            _ => Self::No,
        }
    }
}

/// What is kept of a candidate.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: NameId,
    /// Which of the universe's texts the spans lie in.
    pub(super) text: u32,
    pub(super) stanza: Stanza,
}

/// A candidate and its universe.
#[derive(Clone, Copy)]
pub struct Package<'u> {
    pub(super) universe: &'u Universe,
    pub(super) id: CandidateId,
    pub(super) record: &'u Record,
    pub(super) text: &'u str,
}

impl<'u> Package<'u> {
    fn span(&self, span: Span) -> &'u str {
        span.get(self.text)
    }

    /// Which candidate this is.
    pub fn id(&self) -> CandidateId {
        self.id
    }

    /// Its name.
    pub fn name_id(&self) -> NameId {
        self.record.name
    }

    /// Its name, as text.
    pub fn name(&self) -> &'u str {
        self.span(self.record.stanza.name)
    }

    /// Its name, owned.
    ///
    /// # Panics
    /// Never: the name was checked when the index was read.
    pub fn package_name(&self) -> PackageName {
        self.name().parse().expect("names in a universe are valid")
    }

    /// Its version; valid.
    pub fn version(&self) -> &'u str {
        self.span(self.record.stanza.version)
    }

    /// `all`, or the universe's architecture.
    pub fn arch(&self) -> &'u str {
        self.span(self.record.stanza.arch)
    }

    pub(super) fn universe_arch(&self) -> &'static str {
        self.universe.arch().as_str()
    }

    /// Source package and its version (Policy 5.6.1: `Source: name (version)`; its own where the field is silent).
    pub fn source(&self) -> (&'u str, &'u str) {
        let field = self.span(self.record.stanza.source);
        match field.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end().trim_end_matches(')').trim()),
            None if field.is_empty() => (self.name(), self.version()),
            None => (field, self.version()),
        }
    }

    /// The repository that it comes from, as numbered in [`super::IndexText::repository`].
    pub fn repository(&self) -> usize {
        self.universe.repository(self.record.text)
    }

    /// Path of the `.deb` below the repository's base; never leads out of it.
    pub fn filename(&self) -> &'u str {
        self.span(self.record.stanza.filename)
    }

    /// Size of the `.deb` in bytes.
    pub fn size(&self) -> u64 {
        self.record.stanza.size
    }

    /// Installed size in KiB; where the index has none, that of the `.deb`, rounded up.
    pub fn installed_size(&self) -> u64 {
        self.record.stanza.installed_size
    }

    /// Digest of the `.deb`.
    ///
    /// # Errors
    /// A field that is no digest.
    pub fn sha256(&self) -> Result<Sha256, UniverseError> {
        self.span(self.record.stanza.sha256).parse().map_err(|error| self.error(UniverseErrorKind::Digest(error)))
    }

    /// `Multi-Arch`.
    pub fn multi_arch(&self) -> MultiArch {
        self.record.stanza.multi_arch
    }

    /// `Essential: yes`.
    pub fn essential(&self) -> bool {
        self.record.stanza.essential
    }

    /// `Pre-Depends`, then `Depends`: those clauses and alternatives that apply to the architecture.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn depends(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses("Pre-Depends", self.record.stanza.pre_depends)
            .chain(self.clauses("Depends", self.record.stanza.depends))
    }

    /// Passes each clause of [`Package::depends`] to `take`, with its number: without an allocation per clause.
    ///
    /// # Errors
    /// A field that does not parse.
    pub fn each_dependency(&self, mut take: impl FnMut(usize, &[Atom<'u>])) -> Result<(), UniverseError> {
        let (mut atoms, mut number) = (Vec::new(), 0);
        let stanza = &self.record.stanza;
        for (field, span) in [("Pre-Depends", stanza.pre_depends), ("Depends", stanza.depends)] {
            let mut clauses = Clauses::new(self.span(span));
            while let Some(result) = clauses.read_into(&mut atoms) {
                result.map_err(|error| self.error(UniverseErrorKind::Relation { field, error }))?;
                atoms.retain(|atom| atom.applies_to(self.universe_arch()));
                if !atoms.is_empty() {
                    take(number, &atoms);
                    number += 1;
                }
            }
        }
        Ok(())
    }

    /// `Conflicts`, then `Breaks`.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn conflicts(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses("Conflicts", self.record.stanza.conflicts).chain(self.clauses("Breaks", self.record.stanza.breaks))
    }

    /// `Replaces`.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn replaces(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses("Replaces", self.record.stanza.replaces)
    }

    /// `Provides`.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn provides(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses("Provides", self.record.stanza.provides)
    }

    fn clauses(
        &self,
        field: &'static str,
        span: Span,
    ) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        let package = *self;
        Clauses::new(self.span(span)).filter_map(move |clause| match clause {
            Err(error) => Some(Err(package.error(UniverseErrorKind::Relation { field, error }))),
            Ok(mut atoms) => {
                atoms.retain(|atom| atom.applies_to(package.universe.arch().as_str()));
                (!atoms.is_empty()).then_some(Ok(atoms))
            }
        })
    }

    fn error(&self, kind: UniverseErrorKind) -> UniverseError {
        UniverseError { repository: self.repository(), line: 0, package: Some(self.name().into()), kind: kind.into() }
    }
}

impl std::fmt::Debug for Package<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name(), self.version())
    }
}
