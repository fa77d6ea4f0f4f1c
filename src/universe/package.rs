//! One version of one package, as a view into its index.

use super::{
    NameId, Universe, UniverseError, UniverseErrorKind,
    graph::Kind,
    stanza::{RELATIONS, Stanza},
};
use crate::{
    base::{PackageName, Sha256},
    control::{
        Atom, Clauses,
        paragraph::{Fields, Piece},
    },
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

/// Where a candidate's stanza is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) name: NameId,
    pub(super) piece: u32,
    pub(super) stanza: u32,
}

/// A candidate and its universe.
#[derive(Clone, Copy)]
pub struct Package<'u> {
    pub(super) universe: &'u Universe,
    pub(super) id: CandidateId,
    pub(super) name: NameId,
    pub(super) stanza: &'u Stanza,
    pub(super) text_index: u32,
    pub(super) text: &'u str,
}

impl<'u> Package<'u> {
    /// The value of a field; empty if there is none.
    fn field(&self, wanted: &str) -> &'u str {
        let found =
            Fields::new(self.universe.stanza_text(self.text_index, self.stanza, wanted)).find_map(
                |piece| match piece {
                    Ok(Piece::Field { name, value, .. }) if name.eq_ignore_ascii_case(wanted) => Some(value),
                    _ => None,
                },
            );
        found.unwrap_or_default()
    }

    /// Which candidate this is.
    pub fn id(&self) -> CandidateId {
        self.id
    }

    /// Its name.
    pub fn name_id(&self) -> NameId {
        self.name
    }

    /// Its name, as text.
    pub fn name(&self) -> &'u str {
        self.universe.name(self.name)
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
        self.stanza.version.get(self.text)
    }

    /// `all`, or the universe's architecture.
    pub fn arch(&self) -> &'u str {
        self.field("Architecture")
    }

    /// Source package and its version (Policy 5.6.1: `Source: name (version)`; its own where the field is silent).
    pub fn source(&self) -> (&'u str, &'u str) {
        let field = self.field("Source");
        match field.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end().trim_end_matches(')').trim()),
            None if field.is_empty() => (self.name(), self.version()),
            None => (field, self.version()),
        }
    }

    /// The repository that it comes from, as numbered in [`super::IndexText::repository`].
    pub fn repository(&self) -> usize {
        self.universe.repository(self.text_index)
    }

    /// Path of the `.deb` below the repository's base; never leads out of it.
    pub fn filename(&self) -> &'u str {
        self.field("Filename")
    }

    /// Size of the `.deb` in bytes.
    pub fn size(&self) -> u64 {
        self.stanza.size
    }

    /// Installed size in KiB; where the index has none, that of the `.deb`, rounded up.
    pub fn installed_size(&self) -> u64 {
        self.stanza.installed_size
    }

    /// Digest of the `.deb`.
    ///
    /// # Errors
    /// A field that is no digest.
    pub fn sha256(&self) -> Result<Sha256, UniverseError> {
        self.field("SHA256").parse().map_err(|error| self.error(UniverseErrorKind::Digest(error)))
    }

    /// `Multi-Arch`.
    pub fn multi_arch(&self) -> MultiArch {
        self.stanza.multi_arch
    }

    /// `Essential: yes`.
    pub fn essential(&self) -> bool {
        self.stanza.essential
    }

    /// `Pre-Depends`, then `Depends`: those clauses and alternatives that apply to the architecture, as written.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn depends(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses(Kind::PreDepends).chain(self.clauses(Kind::Depends))
    }

    /// `Conflicts`, then `Breaks`.
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn conflicts(&self) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        self.clauses(Kind::Conflicts).chain(self.clauses(Kind::Breaks))
    }

    /// The clauses of one relation field; none for [`Kind::Is`].
    ///
    /// # Errors
    /// From the iterator: a field that does not parse.
    pub fn clauses(&self, kind: Kind) -> impl Iterator<Item = Result<Vec<Atom<'u>>, UniverseError>> + use<'u> {
        let package = *self;
        let field = RELATIONS.iter().find(|(of, _)| *of == kind).map_or("", |(_, field)| *field);
        Clauses::new(self.field(field)).filter_map(move |clause| match clause {
            Err(error) => Some(Err(package.error(UniverseErrorKind::Relation { field, error }))),
            Ok(mut atoms) => {
                atoms.retain(|atom| atom.applies_to(package.universe.arch().as_str()));
                (!atoms.is_empty()).then_some(Ok(atoms))
            }
        })
    }

    /// Whether the relations of [`Universe::relations`] are all that the stanza says, advice aside.
    ///
    /// # Errors
    /// A relation field that does not parse, the last of them.
    pub fn check_relations(&self) -> Result<(), UniverseError> {
        self.universe.broken(self.id).map_or(Ok(()), |kind| Err(self.error(kind.clone())))
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
