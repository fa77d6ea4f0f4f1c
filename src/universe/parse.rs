//! From index texts to a [`Universe`]: pieces of a megabyte are read side by side, then put in order.

use std::{ops::Range, sync::Arc};

use rayon::prelude::*;

use super::{
    CandidateId, NameId, Package, UniverseError, UniverseErrorKind,
    names::NameTable,
    package::Record,
    stanza::{self, Provide, Span, Stanza},
};
use crate::{base::Arch, control::version};

/// About this many bytes are read by one thread at a time.
const PIECE: usize = 1 << 20;

/// A decompressed Packages index.
#[derive(Debug, Clone)]
pub struct IndexText {
    /// Which of the caller's repositories it belongs to: [`Package::repository`].
    pub repository: usize,
    /// The text.
    pub text: Arc<str>,
}

/// Every package of every index, for one architecture.
#[derive(Debug)]
pub struct Universe {
    arch: Arch,
    texts: Vec<IndexText>,
    /// Where each name's text is.
    names: Vec<(u32, Span)>,
    table: NameTable,
    /// Sorted by name, then newest first.
    records: Vec<Record>,
    /// For each name, its records: from its entry to the next.
    first_record: Vec<u32>,
    /// Grouped by name, then sorted by candidate: who provides it, at which version (empty: none).
    provides: Vec<(CandidateId, Span)>,
    first_provide: Vec<u32>,
}

impl Universe {
    /// Reads indexes in their order of precedence: of the same version of a package, the earlier index's counts.
    /// Stanzas of other architectures than `arch` and `all` are passed over.
    ///
    /// # Errors
    /// An index that is no control file, or a stanza that lacks what a package must have.
    pub fn parse(texts: Vec<IndexText>, arch: Arch) -> Result<Self, UniverseError> {
        let pieces: Vec<(usize, Range<usize>)> =
            texts.iter().enumerate().flat_map(|(i, t)| pieces(&t.text).into_iter().map(move |r| (i, r))).collect();
        let read: Vec<Piece> = pieces
            .into_par_iter()
            .map(|(i, range)| read_piece(i, texts.get(i), range, arch))
            .collect::<Result<_, _>>()?;
        Ok(Self::assemble(texts, arch, &read))
    }

    fn assemble(texts: Vec<IndexText>, arch: Arch, read: &[Piece]) -> Self {
        let text_of = |index: u32| texts.get(index as usize).map_or("", |t| &*t.text);

        // Newest version of each name first, the same version only once. The sort is stable: what comes first in the
        // order of precedence stays first.
        let mut found: Vec<(&str, &str, &Piece, &(Stanza, Provided))> = Vec::new();
        for piece in read {
            let text = text_of(piece.text);
            found.extend(piece.stanzas.iter().map(|s| (s.0.name.get(text), s.0.version.get(text), piece, s)));
        }
        found.par_sort_by(|a, b| a.0.cmp(b.0).then_with(|| version::compare(b.1, a.1)));
        found.dedup_by(|b, a| a.0 == b.0 && version::compare(a.1, b.1).is_eq());

        // Packages first, so that their ids are in the order of their names; then what is only virtual.
        let mut names: Vec<(u32, Span)> = Vec::new();
        let mut table = NameTable::with_room(found.len() * 2);
        let intern = |text: u32, span: Span, names: &mut Vec<(u32, Span)>, table: &mut NameTable| {
            let name_of = |id: NameId| names.get(id.index()).map_or("", |(text, span)| span.get(text_of(*text)));
            let (id, is_new) = table.add(span.get(text_of(text)), name_of);
            if is_new {
                names.push((text, span));
            }
            id
        };
        let records: Vec<Record> = found
            .iter()
            .map(|(.., piece, (stanza, _))| {
                let name = intern(piece.text, stanza.name, &mut names, &mut table);
                Record { name, text: piece.text, stanza: stanza.clone() }
            })
            .collect();
        let mut provides = Vec::new();
        for (id, (.., piece, (_, range))) in (0u32..).zip(&found) {
            for provide in piece.provides.get(range.clone()).unwrap_or_default() {
                let name = intern(piece.text, provide.name, &mut names, &mut table);
                provides.push((name, CandidateId(id), provide.version));
            }
        }
        let first_record = starts(names.len(), records.iter().map(|r| r.name));
        let first_provide = starts(names.len(), provides.iter().map(|(name, ..)| *name));
        // They are in the order of candidates: each goes to the next free place of its name.
        let mut next = first_provide.clone();
        let mut by_name = vec![(CandidateId(0), Span::default()); provides.len()];
        for (name, candidate, version) in provides {
            if let Some(place) = next.get_mut(name.index()) {
                if let Some(slot) = by_name.get_mut(*place as usize) {
                    *slot = (candidate, version);
                }
                *place += 1;
            }
        }
        Self { arch, texts, names, table, records, first_record, provides: by_name, first_provide }
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

    /// Number of names, those of virtual packages among them.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// The id of a package's or virtual package's name, if any package has or provides it.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.table.find(name, |id| self.name(id))
    }

    /// What an id stands for.
    pub fn name(&self, id: NameId) -> &str {
        self.names.get(id.index()).map_or("", |(text, span)| span.get(self.text(*text)))
    }

    /// The versions of the package called `name`, newest first; none if the name is only virtual.
    pub fn candidates(&self, name: NameId) -> impl ExactSizeIterator<Item = CandidateId> + use<> {
        range(&self.first_record, name).map(CandidateId)
    }

    /// A candidate.
    ///
    /// # Panics
    /// With an id of another universe.
    pub fn package(&self, id: CandidateId) -> Package<'_> {
        let record = &self.records[id.index()];
        Package { universe: self, id, record, text: self.text(record.text) }
    }

    /// Every candidate.
    pub fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        (0u32..).zip(&self.records).map(|(id, record)| Package {
            universe: self,
            id: CandidateId(id),
            record,
            text: self.text(record.text),
        })
    }

    /// Who provides `name`, by candidate, at which version (`None`: unversioned).
    pub(super) fn provides_of(&self, name: NameId) -> impl Iterator<Item = (CandidateId, Option<&str>)> {
        let range = range(&self.first_provide, name);
        let found = self.provides.get(range.start as usize..range.end as usize).unwrap_or_default();
        found.iter().map(|(id, version)| {
            let text = self.records.get(id.index()).map_or("", |record| self.text(record.text));
            (*id, Some(version.get(text)).filter(|v| !v.is_empty()))
        })
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

    pub(super) fn repository(&self, index: u32) -> usize {
        self.texts.get(index as usize).map_or(0, |t| t.repository)
    }
}

/// Where each name's entries begin in a list sorted by name; one more at the end.
fn starts(names: usize, sorted: impl Iterator<Item = NameId>) -> Vec<u32> {
    let mut counts = vec![0u32; names + 1];
    for name in sorted {
        if let Some(count) = counts.get_mut(name.index() + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for count in &mut counts {
        sum += *count;
        *count = sum;
    }
    counts
}

fn range(starts: &[u32], name: NameId) -> Range<u32> {
    match starts.get(name.index()..) {
        Some([start, end, ..]) => *start..*end,
        _ => 0..0,
    }
}

/// Which of a piece's Provides are a stanza's.
type Provided = Range<usize>;

/// What was read of one piece of one text.
struct Piece {
    text: u32,
    stanzas: Vec<(Stanza, Provided)>,
    provides: Vec<Provide>,
}

/// Cuts `text` at blank lines.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::with_capacity(text.len() / PIECE + 1);
    let mut start = 0;
    while start < text.len() {
        let rest = text.as_bytes().get(start + PIECE..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"\n\n").map_or(text.len(), |at| start + PIECE + at + 2);
        out.push(start..end);
        start = end;
    }
    out
}

fn read_piece(text: usize, index: Option<&IndexText>, range: Range<usize>, arch: Arch) -> Result<Piece, UniverseError> {
    let (repository, source) = index.map_or((0, ""), |index| (index.repository, &*index.text));
    let (Ok(text), Ok(_)) = (u32::try_from(text), u32::try_from(source.len())) else {
        return Err(UniverseError { repository, line: 0, package: None, kind: UniverseErrorKind::TooLarge.into() });
    };
    let mut piece = Piece { text, stanzas: Vec::new(), provides: Vec::new() };
    let part = source.get(range.clone()).unwrap_or_default();
    stanza::read(source, part, arch.as_str(), |stanza, provides| {
        let start = piece.provides.len();
        piece.provides.extend_from_slice(provides);
        piece.stanzas.push((stanza, start..piece.provides.len()));
    })
    .map_err(|(line, package, kind)| {
        let before = source.as_bytes().get(..range.start).unwrap_or_default();
        let line = line + memchr::memchr_iter(b'\n', before).count();
        UniverseError { repository, line, package, kind: kind.into() }
    })?;
    Ok(piece)
}
