//! From index texts to a [`Universe`]: pieces of a megabyte are read side by side, then put in order.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    ops::Range,
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    CandidateId, NameId, Package, UniverseError, UniverseErrorKind,
    graph::{Half, Kind, Meant, Target},
    names::{FinishedNames, Names, PieceNames},
    package::Record,
    stanza::{self, Span, Stanza, Stanzas},
    wording::{Wording, Wordings},
};
use crate::{
    archive::Cold,
    base::Arch,
    control::{
        strip::{is_cold, pieces},
        version,
    },
};

/// A decompressed Packages index, or a piece of one.
#[derive(Debug, Clone)]
pub struct IndexText {
    /// Which of the caller's repositories it belongs to: [`Package::repository`].
    pub repository: usize,
    /// The text.
    pub text: Arc<String>,
    /// Whether its lines are those of the repository's file; else errors name none.
    pub whole: bool,
    /// What is read of chosen packages alone, if it lies apart.
    pub cold: Option<Cold>,
}

impl IndexText {
    /// A whole index.
    pub fn whole(repository: usize, text: String) -> Self {
        Self { repository, text: text.into(), whole: true, cold: None }
    }
}

/// Every package of every index, for one architecture.
#[derive(Debug)]
pub struct Universe {
    arch: Arch,
    texts: Vec<IndexText>,
    pieces: Vec<Piece>,
    names: Names,
    /// Sorted by name, then newest first.
    records: Vec<Record>,
    /// For each name its first record, and how many there are.
    records_of: Vec<(u32, u32)>,
    /// Grouped by name, then sorted by candidate: who provides it, at which version (empty: none).
    provides: Vec<(CandidateId, Span)>,
    /// For each name, where its group begins; one more at the end.
    first_provide: Vec<u32>,
    broken: BTreeMap<CandidateId, UniverseErrorKind>,
}

impl Universe {
    /// Reads indexes in their order of precedence: of the same version of a package, the earlier index's counts.
    /// Stanzas of other architectures than `arch` and `all` are passed over.
    ///
    /// # Errors
    /// An index that is no control file, or a stanza that lacks what a package must have.
    pub fn parse(texts: Vec<IndexText>, arch: Arch) -> Result<Self, UniverseError> {
        // Names of all texts lie side by side, their places numbered with 32 bits.
        if texts.iter().map(|text| text.text.len()).sum::<usize>() > u32::MAX as usize {
            let repository = texts.last().map_or(0, |text| text.repository);
            return Err(UniverseError { repository, line: 0, package: None, kind: UniverseErrorKind::TooLarge.into() });
        }
        let cut = |(index, text): (usize, &'_ IndexText)| {
            let start = text.text.as_ptr().addr();
            let range = move |piece: &str| piece.as_ptr().addr() - start..piece.as_ptr().addr() - start + piece.len();
            // What lies apart is found by numbers of stanzas, so such a text stays in one.
            let pieces = if text.cold.is_some() { vec![&text.text[..]] } else { pieces(&text.text) };
            pieces.into_iter().map(|piece| (index, range(piece))).collect::<Vec<_>>()
        };
        let pieces: Vec<(usize, Range<usize>)> = texts.iter().enumerate().flat_map(cut).collect();
        let seed = RandomState::new().hash_one(0);
        let read: Vec<Piece> = pieces
            .into_par_iter()
            .map(|(i, range)| read_piece(i, texts.get(i), range, arch, seed))
            .collect::<Result<_, _>>()?;
        Ok(Self::assemble(texts, arch, read, seed))
    }

    fn assemble(texts: Vec<IndexText>, arch: Arch, mut read: Vec<Piece>, seed: u64) -> Self {
        let names: Vec<_> = read.iter_mut().map(|piece| std::mem::take(&mut piece.names)).collect();
        let (names, ids) = Names::merge(&names, seed);
        let mut wordings = 0;
        for (piece, ids) in read.iter_mut().zip(ids) {
            piece.ids = ids;
            piece.first_wording = wordings;
            wordings += piece.wordings.len();
        }
        let mut universe = Self {
            arch,
            texts,
            names,
            pieces: read,
            records: Vec::new(),
            records_of: Vec::new(),
            provides: Vec::new(),
            first_provide: Vec::new(),
            broken: BTreeMap::new(),
        };
        universe.sort();
        universe.group_provides();
        let pieces = (0u32..).zip(&universe.pieces).filter(|(_, piece)| !piece.broken.is_empty());
        let broken: BTreeMap<_, _> = pieces
            .flat_map(|(piece, p)| p.broken.iter().map(move |(stanza, kind)| ((piece, *stanza as u32), kind)))
            .collect();
        if !broken.is_empty() {
            let records = (0u32..).zip(&universe.records);
            universe.broken = records
                .filter_map(|(id, r)| Some((CandidateId(id), (*broken.get(&(r.piece, r.stanza))?).clone())))
                .collect();
        }
        universe
    }

    /// Newest version of each name first, the same version only once.
    fn sort(&mut self) {
        let mut found: Vec<(u128, Record)> = Vec::with_capacity(self.pieces.iter().map(|p| p.stanzas.len()).sum());
        for (number, piece) in (0u32..).zip(&self.pieces) {
            let stanzas = piece.stanzas.iter().zip(&piece.beginnings);
            found.extend(
                (0u32..).zip(stanzas).map(|(stanza, (s, beginning))| {
                    (*beginning, Record { name: piece.id(s.own), piece: number, stanza })
                }),
            );
        }
        let stanza_of = |record: &Record| {
            let piece = &self.pieces[record.piece as usize];
            (&piece.stanzas[record.stanza as usize], self.text(piece.text))
        };
        let name_of = |record: &Record| {
            let (stanza, text) = stanza_of(record);
            stanza.name.get(text)
        };
        let version_of = |record: &Record| {
            let (stanza, text) = stanza_of(record);
            stanza.version.get(text)
        };
        // The sort is stable: what comes first in the order of precedence stays first. An index is sorted already as a
        // rule, and neighbours' names are neighbours in its text.
        found.par_sort_by(|(first, a), (second, b)| {
            first.cmp(second).then_with(|| match a.name == b.name {
                true => version::compare(version_of(b), version_of(a)),
                false => name_of(a).cmp(name_of(b)),
            })
        });
        found.dedup_by(|(_, b), (_, a)| a.name == b.name && version::compare(version_of(a), version_of(b)).is_eq());
        self.records = found.into_iter().map(|(_, record)| record).collect();
        self.pieces.iter_mut().for_each(|piece| piece.beginnings = Vec::new());
        self.records_of = vec![(0, 0); self.names.len()];
        for (id, record) in (0u32..).zip(&self.records) {
            if let Some((first, count)) = self.records_of.get_mut(record.name.index()) {
                if *count == 0 {
                    *first = id;
                }
                *count += 1;
            }
        }
    }

    /// Turns the Provides of each candidate into the providers of each name.
    fn group_provides(&mut self) {
        let all: Vec<(NameId, CandidateId, Span)> = (0..self.records.len() as u32)
            .into_par_iter()
            .flat_map_iter(|id| {
                let (piece, halves) = self.halves(CandidateId(id));
                // They are the last of a stanza's relations.
                let provides = halves.iter().rev().take_while(|half| half.kind == Kind::Provides);
                let first = halves.len() - provides.count();
                let provides = halves.get(first..).unwrap_or_default();
                provides.iter().map(move |half| {
                    let Wording { name, version, .. } = *piece.wording(half);
                    (piece.id(name), CandidateId(id), version)
                })
            })
            .collect();
        let mut next = vec![0u32; self.names.len() + 1];
        for (name, ..) in &all {
            if let Some(count) = next.get_mut(name.index() + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut next {
            sum += *count;
            *count = sum;
        }
        self.first_provide = next.clone();
        // They are in the order of candidates: each goes to the next free place of its name.
        self.provides = vec![(CandidateId(0), Span::default()); all.len()];
        for (name, candidate, version) in all {
            if let Some(place) = next.get_mut(name.index()) {
                if let Some(slot) = self.provides.get_mut(*place as usize) {
                    *slot = (candidate, version);
                }
                *place += 1;
            }
        }
    }

    /// What a candidate's stanza says of others, with the piece that it was read from.
    fn halves(&self, id: CandidateId) -> (&Piece, &[Half]) {
        let record = &self.records[id.index()];
        let piece = &self.pieces[record.piece as usize];
        let first = |stanza: usize| piece.stanzas.get(stanza).map_or(piece.halves.len(), |s| s.first_half as usize);
        let range = first(record.stanza as usize)..first(record.stanza as usize + 1);
        (piece, piece.halves.get(range).unwrap_or_default())
    }

    /// The clauses of a candidate's `Pre-Depends` and `Depends`, as in [`Package::depends`]: number, alternatives.
    pub fn dependencies(
        &self,
        id: CandidateId,
    ) -> impl Iterator<Item = (usize, impl Iterator<Item = Target<'_>> + Clone)> {
        let (piece, halves) = self.halves(id);
        let text = self.text(piece.text);
        // They are the first of a stanza's relations.
        let clauses = halves.chunk_by(|a, b| a.clause == b.clause && b.kind <= Kind::Depends);
        let clauses = clauses.take_while(|clause| clause.first().is_some_and(|half| half.kind <= Kind::Depends));
        clauses.map(move |clause| {
            let number = clause.first().map_or(0, |half| usize::from(half.clause));
            (number, clause.iter().map(move |half| piece.target(half, text)))
        })
    }

    /// What a candidate cannot be beside: its `Conflicts` and `Breaks`, as written.
    pub fn exclusions(&self, id: CandidateId) -> impl Iterator<Item = Target<'_>> {
        let (piece, halves) = self.halves(id);
        let text = self.text(piece.text);
        let excludes = |half: &&Half| matches!(half.kind, Kind::Conflicts | Kind::Breaks);
        halves.iter().filter(excludes).map(move |half| piece.target(half, text))
    }

    /// What a candidate's fields name, in the order of [`Kind`] and as written.
    pub fn relations(&self, id: CandidateId) -> impl Iterator<Item = Target<'_>> {
        let (piece, halves) = self.halves(id);
        let text = self.text(piece.text);
        halves.iter().map(move |half| piece.target(half, text))
    }

    /// Whom a name means: candidates called so, newest first; then those that provide it.
    pub(super) fn meant_by(&self, name: NameId) -> impl Iterator<Item = Meant> {
        let range = match self.first_provide.get(name.index()..) {
            Some([start, end, ..]) => *start as usize..*end as usize,
            _ => 0..0,
        };
        let provides = self.provides.get(range).unwrap_or_default().iter();
        let provides = provides.map(|(id, version)| Meant { id: *id, kind: Kind::Provides, version: *version });
        let called = self.candidates(name).map(|id| Meant { id, kind: Kind::Is, version: self.stanza(id).version });
        called.chain(provides)
    }

    /// The version that a name has where it means a candidate; `None`: unversioned.
    pub(super) fn version_meant(&self, meant: &Meant) -> Option<&str> {
        Some(meant.version.get(self.text_of(meant.id))).filter(|version| !version.is_empty())
    }

    fn stanza(&self, id: CandidateId) -> &Stanza {
        let record = &self.records[id.index()];
        &self.pieces[record.piece as usize].stanzas[record.stanza as usize]
    }

    /// The architecture that it is for.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Number of candidates: every version of every package.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds no package.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Number of wordings of relations.
    pub fn wordings(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.first_wording + piece.wordings.len())
    }

    /// Number of names, those of virtual packages among them.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// The id of a package's or virtual package's name, if any package has or provides it.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.names.find(name)
    }

    /// What an id stands for.
    pub fn name(&self, id: NameId) -> &str {
        self.names.text(id)
    }

    /// The versions of the package called `name`, newest first; none if the name is only virtual.
    pub fn candidates(&self, name: NameId) -> impl ExactSizeIterator<Item = CandidateId> + use<> {
        let (first, count) = self.records_of.get(name.index()).copied().unwrap_or_default();
        (first..first + count).map(CandidateId)
    }

    /// A candidate.
    ///
    /// # Panics
    /// With an id of another universe.
    pub fn package(&self, id: CandidateId) -> Package<'_> {
        let record = &self.records[id.index()];
        let piece = &self.pieces[record.piece as usize];
        let stanza = &piece.stanzas[record.stanza as usize];
        Package { universe: self, id, name: record.name, stanza, text_index: piece.text, text: self.text(piece.text) }
    }

    /// Every candidate.
    pub fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        (0u32..self.records.len() as u32).map(|id| self.package(CandidateId(id)))
    }

    /// Whether a candidate is the newest of its name.
    pub fn is_newest(&self, id: CandidateId) -> bool {
        let name = |id: usize| self.records.get(id).map(|record| record.name);
        id.index().checked_sub(1).is_none_or(|before| name(before) != name(id.index()))
    }

    /// The name of a candidate.
    pub fn name_of(&self, id: CandidateId) -> NameId {
        self.records.get(id.index()).map_or(NameId(u32::MAX), |record| record.name)
    }

    /// The text that a candidate's spans lie in.
    pub(super) fn text_of(&self, id: CandidateId) -> &str {
        let record = self.records.get(id.index());
        record.and_then(|record| self.pieces.get(record.piece as usize)).map_or("", |piece| self.text(piece.text))
    }

    /// What is wrong with the relations of a candidate, if anything is.
    pub(super) fn broken(&self, id: CandidateId) -> Option<&UniverseErrorKind> {
        self.broken.get(&id)
    }

    /// Up to three names close to `name`, the closest first: for “did you mean”.
    pub fn suggest(&self, name: &str) -> Vec<&str> {
        let (given, name) = (name, name.to_ascii_lowercase());
        let most = (name.len() / 3).clamp(1, 3);
        let distance = |other: &str| {
            // Renamed for 64-bit time_t, or a Python module by its own name: closer than any slip of the keyboard.
            if other.strip_suffix("t64") == Some(&name) || other.strip_prefix("python3-") == Some(&name) {
                return Some(0);
            }
            let is_near = other.len().abs_diff(name.len()) <= most;
            is_near.then(|| strsim::osa_distance(&name, other)).filter(|distance| *distance <= most)
        };
        let names = (0..self.names.len()).into_par_iter().map(|id| self.name(NameId(id as u32)));
        let names = names.filter(|other| *other != given);
        let mut near: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(other)?, other))).collect();
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, other)| other).collect()
    }

    fn text(&self, index: u32) -> &str {
        self.texts.get(index as usize).map_or("", |t| &t.text)
    }

    /// The stanza's text that holds the field `wanted`.
    pub(super) fn stanza_text(&self, index: u32, stanza: &Stanza, wanted: &str) -> &str {
        match self.texts.get(index as usize).and_then(|text| text.cold.as_ref()) {
            Some(cold) if is_cold(wanted) => cold.stanza(stanza.ordinal),
            _ => stanza.text.get(self.text(index)),
        }
    }

    pub(super) fn repository(&self, index: u32) -> usize {
        self.texts.get(index as usize).map_or(0, |t| t.repository)
    }
}

/// What was read of one piece of one text.
#[derive(Debug)]
struct Piece {
    text: u32,
    stanzas: Vec<Stanza>,
    halves: Vec<Half>,
    wordings: Vec<Wording>,
    /// How many the pieces before it have.
    first_wording: usize,
    /// What each stanza's name begins with; gone when they are sorted.
    beginnings: Vec<u128>,
    /// Names by their numbers in the piece; gone when their ids are known.
    names: FinishedNames,
    ids: Vec<NameId>,
    broken: Vec<(usize, UniverseErrorKind)>,
}

impl Piece {
    fn id(&self, number: u32) -> NameId {
        self.ids.get(number as usize).copied().unwrap_or(NameId(u32::MAX))
    }

    fn wording(&self, half: &Half) -> &Wording {
        &self.wordings[half.wording as usize]
    }

    fn target<'t>(&self, half: &Half, text: &'t str) -> Target<'t> {
        let wording = self.wording(half);
        Target {
            name: self.id(wording.name),
            kind: half.kind,
            reach: wording.reach,
            clause: usize::from(half.clause),
            constraint: wording.op.map(|op| (op, wording.version.get(text))),
            wording: self.first_wording + half.wording as usize,
        }
    }
}

fn read_piece(
    text: usize,
    index: Option<&IndexText>,
    range: Range<usize>,
    arch: Arch,
    seed: u64,
) -> Result<Piece, UniverseError> {
    let (repository, source) = index.map_or((0, ""), |index| (index.repository, index.text.as_str()));
    let (Ok(text), Ok(_)) = (u32::try_from(text), u32::try_from(source.len())) else {
        return Err(UniverseError { repository, line: 0, package: None, kind: UniverseErrorKind::TooLarge.into() });
    };
    let part = source.get(range.clone()).unwrap_or_default();
    // Rules of thumb: a stanza of Debian's has 800 bytes and seven relations, to three names of which one is new.
    let stanzas = part.len() / 800;
    let mut read = Stanzas {
        stanzas: Vec::with_capacity(stanzas),
        halves: Vec::with_capacity(stanzas * 7),
        wordings: Wordings::with_room(stanzas * 7 / 2, seed),
        names: PieceNames::with_room(stanzas * 3, seed),
        beginnings: Vec::with_capacity(stanzas),
        broken: Vec::new(),
    };
    let is_all_there = index.is_none_or(|index| index.cold.is_none());
    stanza::read(source, part, arch.as_str(), is_all_there, &mut read).map_err(|(line, package, kind)| {
        let before = source.as_bytes().get(..range.start).unwrap_or_default();
        let is_whole = index.is_some_and(|index| index.whole);
        let line = if is_whole { line + memchr::memchr_iter(b'\n', before).count() } else { 0 };
        UniverseError { repository, line, package, kind: kind.into() }
    })?;
    let Stanzas { stanzas, halves, wordings, names, beginnings, broken } = read;
    let (names, wordings) = (names.finish(), wordings.finish());
    Ok(Piece { text, stanzas, halves, wordings, first_wording: 0, beginnings, names, ids: Vec::new(), broken })
}
