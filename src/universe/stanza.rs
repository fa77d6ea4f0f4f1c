//! One stanza of a Packages index: places of the fields that matter, numbers read, relations parsed.

use super::{
    MultiArch, UniverseErrorKind,
    graph::{Half, Kind},
    names::PieceNames,
    wording::Wordings,
};
use crate::{
    base::{PackageName, words},
    control::{
        Clauses, RelationError, Version,
        paragraph::{Fields, ParagraphErrorKind, Piece},
        strip::is_inside,
    },
};

/// More than any package: 2^40 KiB, 2^50 bytes. Keeps sums far from overflow.
const MAX_INSTALLED: u64 = 1 << 40;
const MAX_SIZE: u64 = 1 << 50;

/// A piece of an index, by bytes. Empty means the field is missing or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// Of `piece`, which borrows from `text`, which is smaller than 4 GiB.
    #[inline]
    pub(super) fn of(text: &str, piece: &str) -> Self {
        let start = piece.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        Self { start: u32::try_from(start).unwrap_or(0), length: u32::try_from(piece.len()).unwrap_or(0) }
    }

    pub(super) fn get(self, text: &str) -> &str {
        text.get(self.start as usize..self.start as usize + self.length as usize).unwrap_or_default()
    }
}

/// What is kept of a stanza; the rest is read again of the few packages that are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stanza {
    /// All of it.
    pub(super) text: Span,
    pub(super) name: Span,
    pub(super) version: Span,
    /// Bytes.
    pub(super) size: u64,
    /// KiB.
    pub(super) installed_size: u64,
    /// Its name's number in the piece.
    pub(super) own: u32,
    /// Its number among the stanzas of the piece, those of other architectures counted.
    pub(super) ordinal: u32,
    /// Its relations among the piece's: from here to the next stanza's.
    pub(super) first_half: u32,
    pub(super) multi_arch: MultiArch,
    pub(super) essential: bool,
}

/// What a stanza says, as text.
#[derive(Default)]
struct Found<'t> {
    name: Option<&'t str>,
    version: Option<&'t str>,
    arch: Option<&'t str>,
    filename: Option<&'t str>,
    sha256: Option<&'t str>,
    size: Option<&'t str>,
    installed_size: Option<&'t str>,
    relations: [Option<&'t str>; RELATIONS.len()],
    multi_arch: Option<&'t str>,
    essential: Option<&'t str>,
    /// Where it begins, in bytes of the text and in lines of the piece, from 1; 0 before the first field.
    start: usize,
    line: usize,
}

/// Relation fields by kind; the order of [`Kind`].
pub(super) const RELATIONS: [(Kind, &str); 9] = [
    (Kind::PreDepends, "Pre-Depends"),
    (Kind::Depends, "Depends"),
    (Kind::Recommends, "Recommends"),
    (Kind::Suggests, "Suggests"),
    (Kind::Enhances, "Enhances"),
    (Kind::Conflicts, "Conflicts"),
    (Kind::Breaks, "Breaks"),
    (Kind::Replaces, "Replaces"),
    (Kind::Provides, "Provides"),
];

/// What is read of a piece of an index.
#[derive(Debug)]
pub(super) struct Stanzas {
    pub(super) stanzas: Vec<Stanza>,
    pub(super) halves: Vec<Half>,
    pub(super) wordings: Wordings,
    pub(super) names: PieceNames,
    /// What each stanza's name begins with: see [`beginning`].
    pub(super) beginnings: Vec<u128>,
    /// Relations that do not parse, by stanza, advice aside: they matter only where their package does.
    pub(super) broken: Vec<(usize, UniverseErrorKind)>,
}

/// Where and what.
pub(super) type StanzaError = (usize, Option<String>, UniverseErrorKind);

/// Reads the stanzas of `part`, a piece of `text` cut at blank lines, and adds those of `arch` and `all` to `out`.
/// `is_whole`: whether path and digest are in it too.
pub(super) fn read(text: &str, part: &str, arch: &str, is_whole: bool, out: &mut Stanzas) -> Result<(), StanzaError> {
    let mut found = Found::default();
    let mut ordinal = 0;
    let mut fields = Fields::new(part);
    while let Some(piece) = fields.next() {
        let piece = piece.map_err(|e| (e.line, None, UniverseErrorKind::Syntax(e.kind)))?;
        match piece {
            Piece::Field { name, value, line } => {
                if found.line == 0 {
                    found.line = line;
                    found.start = name.as_ptr().addr();
                }
                if slot(&mut found, name).is_some_and(|slot| slot.replace(value).is_some()) {
                    let twice = ParagraphErrorKind::Twice(name.into());
                    return Err((line, None, UniverseErrorKind::Syntax(twice)));
                }
            }
            Piece::End => {
                let done = std::mem::take(&mut found);
                ordinal += 1;
                let fail = |kind| {
                    let name = done.name.filter(|name| !name.is_empty());
                    (done.line, name.map(|name| words::quote(name, 100)), kind)
                };
                let of = needed("Architecture", done.arch).map_err(fail)?;
                if of != arch && of != "all" {
                    continue;
                }
                let Checked { name, version, size, installed_size } = check(&done, is_whole).map_err(fail)?;
                let start = done.start.saturating_sub(text.as_ptr().addr());
                let end = part.as_ptr().addr() + fields.position().min(part.len()) - text.as_ptr().addr();
                let own = out.names.add(name);
                out.beginnings.push(beginning(name));
                let first_half = out.halves.len() as u32;
                let mut number = 0;
                for ((kind, field), value) in RELATIONS.into_iter().zip(done.relations) {
                    if kind != Kind::Depends {
                        number = 0;
                    }
                    let before = (out.halves.len(), number);
                    if let Err(error) = relations(text, value.unwrap_or_default(), kind, arch, &mut number, out) {
                        // Nothing of a field that is broken: the next one's clauses must not be mixed up with its last.
                        out.halves.truncate(before.0);
                        number = before.1;
                        let broken = UniverseErrorKind::Relation { field, error };
                        // Who provides what is everybody's business.
                        if kind == Kind::Provides {
                            return Err(fail(broken));
                        }
                        if !kind.is_advice() {
                            out.broken.push((out.stanzas.len(), broken));
                        }
                    }
                }
                out.stanzas.push(Stanza {
                    text: Span { start: start as u32, length: (end - start) as u32 },
                    name: Span::of(text, name),
                    version: Span::of(text, version),
                    size,
                    installed_size,
                    own,
                    ordinal: ordinal - 1,
                    first_half,
                    multi_arch: MultiArch::read(done.multi_arch.unwrap_or_default()),
                    essential: done.essential == Some("yes"),
                });
            }
        }
    }
    Ok(())
}

/// Adds the relations of one field that apply to `arch`; `number` counts its clauses.
fn relations(
    text: &str,
    field: &str,
    kind: Kind,
    arch: &str,
    number: &mut u16,
    out: &mut Stanzas,
) -> Result<(), RelationError> {
    let mut clauses = Clauses::new(field);
    // Whether anything of the clause at hand applies: what does not is as if it were not written.
    let mut applies = false;
    while let Some((opens, written)) = clauses.peek() {
        let (id, wording) = match out.wordings.find(text, written) {
            Ok(known) => {
                clauses.pass(written)?;
                known
            }
            Err(place) => {
                let Some(atom) = clauses.next_atom() else { break };
                out.wordings.add(place, text, written, &atom?.1, arch, &mut out.names)
            }
        };
        if opens && std::mem::take(&mut applies) {
            *number = number.checked_add(1).ok_or(RelationError::TooManyClauses(u16::MAX))?;
        }
        if !wording.applies {
            continue;
        }
        applies = true;
        // Policy 7.5: only “=” is allowed in a Provides; dpkg ignores the others.
        if kind == Kind::Provides && !wording.may_be_provided() {
            continue;
        }
        out.halves.push(Half { wording: id, clause: *number, kind });
    }
    *number = number.checked_add(u16::from(applies)).ok_or(RelationError::TooManyClauses(u16::MAX))?;
    Ok(())
}

/// The first bytes of a name, in an order that is the texts' as far as they go.
fn beginning(name: &str) -> u128 {
    let mut bytes = [0; 16];
    match name.as_bytes().first_chunk::<16>() {
        Some(first) => bytes = *first,
        None => bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from),
    }
    u128::from_be_bytes(bytes)
}

/// Where the field `name` goes.
#[inline]
fn slot<'s, 't>(found: &'s mut Found<'t>, name: &str) -> Option<&'s mut Option<&'t str>> {
    // Length and first letter rule nearly all other fields out, and nearly all names are in their usual case.
    let is = |wanted: &str| name == wanted || name.eq_ignore_ascii_case(wanted);
    let first = name.bytes().next().unwrap_or(0) | 0x20;
    let [pre_depends, depends, recommends, suggests, enhances, conflicts, breaks, replaces, provides] =
        &mut found.relations;
    Some(match (name.len(), first) {
        (4, b's') if is("Size") => &mut found.size,
        (6, b's') if is("SHA256") => &mut found.sha256,
        (6, b'b') if is("Breaks") => breaks,
        (7, b'p') if is("Package") => &mut found.name,
        (7, b'v') if is("Version") => &mut found.version,
        (7, b'd') if is("Depends") => depends,
        (8, b'f') if is("Filename") => &mut found.filename,
        (8, b'p') if is("Provides") => provides,
        (8, b's') if is("Suggests") => suggests,
        (8, b'e') if is("Enhances") => enhances,
        (8, b'r') if is("Replaces") => replaces,
        (9, b'c') if is("Conflicts") => conflicts,
        (9, b'e') if is("Essential") => &mut found.essential,
        (10, b'm') if is("Multi-Arch") => &mut found.multi_arch,
        (10, b'r') if is("Recommends") => recommends,
        (11, b'p') if is("Pre-Depends") => pre_depends,
        (12, b'a') if is("Architecture") => &mut found.arch,
        (14, b'i') if is("Installed-Size") => &mut found.installed_size,
        _ => return None,
    })
}

/// A value that every stanza has.
fn needed<'t>(field: &'static str, value: Option<&'t str>) -> Result<&'t str, UniverseErrorKind> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(UniverseErrorKind::Missing(field)),
    }
}

/// What every stanza must have, checked; the sizes in bytes and KiB.
struct Checked<'t> {
    name: &'t str,
    version: &'t str,
    size: u64,
    installed_size: u64,
}

fn check<'t>(found: &Found<'t>, is_whole: bool) -> Result<Checked<'t>, UniverseErrorKind> {
    let bad = |field, value: &str, wanted| UniverseErrorKind::Value { field, value: words::quote(value, 100), wanted };
    let name = needed("Package", found.name)?;
    if !PackageName::is_valid(name) {
        return Err(bad("Package", name, "a package name"));
    }
    let version = needed("Version", found.version)?;
    Version::check(version)?;
    if is_whole {
        let filename = needed("Filename", found.filename)?;
        if !is_inside(filename) {
            return Err(bad("Filename", filename, "a path inside the repository"));
        }
        needed("SHA256", found.sha256)?;
    }
    let number = |field, value: &str, most: u64| match value.parse::<u64>() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(bad(field, value, "a number that a package can have")),
    };
    let Some(size) = found.size else { return Err(UniverseErrorKind::Missing("Size")) };
    let size = number("Size", size, MAX_SIZE)?;
    let installed_size = match found.installed_size {
        Some(value) if !value.is_empty() => number("Installed-Size", value, MAX_INSTALLED)?,
        // Some 128 packages of Debian lack it, and none of them is empty.
        _ => size.div_ceil(1024).max(1),
    };
    Ok(Checked { name, version, size, installed_size })
}
