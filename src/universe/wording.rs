//! Relations as they are written: half of those in a piece of an index say what another has said to the letter
//! (`libc6 (>= 2.38)`), so each wording is parsed once.
//!
//! In: an alternative's text. Out: its number in the piece; for each number a [`Wording`].

use super::{
    graph::Reach,
    names::{PieceNames, Table, hash},
    stanza::Span,
};
use crate::control::{Atom, Op};

/// An alternative, parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    /// What it names, by its number in the piece that it was read from.
    pub(super) name: u32,
    pub(super) reach: Reach,
    pub(super) op: Option<Op>,
    /// Whether its architectures and profiles let it stand.
    pub(super) applies: bool,
    /// The version of the constraint or of the Provides; empty without.
    pub(super) version: Span,
}

impl Wording {
    /// Whether it can stand in a Provides.
    pub(super) fn may_be_provided(&self) -> bool {
        self.op.is_none_or(|op| op == Op::Equal)
    }
}

/// Where a new wording belongs.
pub(super) struct Place {
    hash: u64,
    at: usize,
}

/// The wordings of one piece.
#[derive(Debug)]
pub(super) struct Wordings {
    all: Vec<Wording>,
    /// The hash of each, and where it was first written.
    written: Vec<(u64, Span)>,
    table: Table,
    seed: u64,
}

impl Wordings {
    /// None yet, with room for `count`; the seed is that of the names.
    pub(super) fn with_room(count: usize, seed: u64) -> Self {
        Self {
            all: Vec::with_capacity(count),
            written: Vec::with_capacity(count),
            table: Table::with_room(count),
            seed,
        }
    }

    /// The number and meaning of `written`, a part of `text`; or where it is to be added.
    #[inline]
    pub(super) fn find(&self, text: &str, written: &str) -> Result<(u32, Wording), Place> {
        let hash = hash(self.seed, written);
        let is = |id: u32| self.written.get(id as usize).is_some_and(|(_, span)| span.get(text) == written);
        let (at, found) = self.table.slot(hash, is);
        let known = found.and_then(|id| Some((id, *self.all.get(id as usize)?)));
        known.ok_or(Place { hash, at })
    }

    /// Adds what `written` turned out to be.
    pub(super) fn add(
        &mut self,
        place: Place,
        text: &str,
        written: &str,
        atom: &Atom<'_>,
        arch: &str,
        names: &mut PieceNames,
    ) -> (u32, Wording) {
        let id = self.all.len() as u32;
        let wording = Wording {
            name: names.add(atom.name),
            reach: Reach::of(atom.qualifier, arch),
            op: atom.constraint.map(|(op, _)| op),
            applies: atom.applies_to(arch),
            version: atom.constraint.map_or(Span::default(), |(_, version)| Span::of(text, version)),
        };
        self.all.push(wording);
        self.written.push((place.hash, Span::of(text, written)));
        self.table.put(place.at, place.hash, id);
        self.table.grow(self.written.iter().map(|(hash, _)| *hash));
        (id, wording)
    }

    /// The meanings alone.
    pub(super) fn finish(self) -> Vec<Wording> {
        self.all
    }
}
