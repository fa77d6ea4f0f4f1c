//! One stanza of a Packages index: places of the fields that matter, numbers read, the rest left as text.

use super::{MultiArch, UniverseErrorKind};
use crate::{
    base::PackageName,
    control::{
        Clauses, Version,
        paragraph::{Fields, Piece},
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
    fn of(text: &str, piece: &str) -> Self {
        let start = piece.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        Self { start: u32::try_from(start).unwrap_or(0), length: u32::try_from(piece.len()).unwrap_or(0) }
    }

    pub(super) fn get(self, text: &str) -> &str {
        text.get(self.start as usize..self.start as usize + self.length as usize).unwrap_or_default()
    }
}

/// What is kept of a stanza.
#[derive(Debug, Clone, Default)]
pub(super) struct Stanza {
    pub(super) name: Span,
    pub(super) version: Span,
    pub(super) arch: Span,
    pub(super) source: Span,
    pub(super) filename: Span,
    pub(super) sha256: Span,
    pub(super) pre_depends: Span,
    pub(super) depends: Span,
    pub(super) provides: Span,
    pub(super) conflicts: Span,
    pub(super) breaks: Span,
    pub(super) replaces: Span,
    /// Bytes.
    pub(super) size: u64,
    /// KiB.
    pub(super) installed_size: u64,
    pub(super) multi_arch: MultiArch,
    pub(super) essential: bool,
}

/// One `Provides` of a stanza.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provide {
    pub(super) name: Span,
    /// Empty if the Provides is unversioned.
    pub(super) version: Span,
}

/// Where and what.
pub(super) type StanzaError = (usize, Option<String>, UniverseErrorKind);

/// Reads the stanzas of `part`, a piece of `text` cut at blank lines, and passes those of `arch` and `all` to `take`
/// with their Provides.
pub(super) fn read(
    text: &str,
    part: &str,
    arch: &str,
    mut take: impl FnMut(Stanza, &[Provide]),
) -> Result<(), StanzaError> {
    let mut stanza = Stanza::default();
    let mut numbers: (Option<&str>, Option<&str>) = (None, None);
    let mut first_line = 0;
    let mut provides = Vec::new();
    let mut atoms = Vec::new();
    for piece in Fields::new(part) {
        let piece = piece.map_err(|e| (e.line, None, UniverseErrorKind::Syntax(e.kind)))?;
        match piece {
            Piece::Field { name, value, line } => {
                if first_line == 0 {
                    first_line = line;
                }
                if name.eq_ignore_ascii_case("Size") {
                    numbers.0 = Some(value);
                } else if name.eq_ignore_ascii_case("Installed-Size") {
                    numbers.1 = Some(value);
                } else if let Some(slot) = slot(&mut stanza, name) {
                    if *slot != Span::default() {
                        let twice = crate::control::paragraph::ParagraphErrorKind::Twice(name.into());
                        return Err((line, None, UniverseErrorKind::Syntax(twice)));
                    }
                    *slot = Span::of(text, value);
                } else if name.eq_ignore_ascii_case("Multi-Arch") {
                    stanza.multi_arch = MultiArch::read(value);
                } else if name.eq_ignore_ascii_case("Essential") {
                    stanza.essential = value == "yes";
                }
            }
            Piece::End => {
                let mut done = std::mem::take(&mut stanza);
                let (size, installed) = std::mem::take(&mut numbers);
                let line = std::mem::take(&mut first_line);
                let fail = |kind| {
                    let name = done.name.get(text);
                    (line, (!name.is_empty()).then(|| name.chars().take(100).collect()), kind)
                };
                let mine = done.arch.get(text);
                if mine.is_empty() {
                    return Err(fail(UniverseErrorKind::Missing("Architecture")));
                }
                if mine != arch && mine != "all" {
                    continue;
                }
                let (size, installed) = check(&done, text, size, installed).map_err(fail)?;
                provides.clear();
                let mut clauses = Clauses::new(done.provides.get(text));
                while let Some(result) = clauses.read_into(&mut atoms) {
                    result.map_err(|error| fail(UniverseErrorKind::Relation { field: "Provides", error }))?;
                    for atom in atoms.iter().filter(|atom| atom.applies_to(arch)) {
                        // Policy 7.5: only “=” is allowed in a Provides; dpkg ignores the others.
                        let version = match atom.constraint {
                            None => Span::default(),
                            Some((crate::control::Op::Equal, version)) => Span::of(text, version),
                            Some(_) => continue,
                        };
                        provides.push(Provide { name: Span::of(text, atom.name), version });
                    }
                }
                (done.size, done.installed_size) = (size, installed);
                take(done, &provides);
            }
        }
    }
    Ok(())
}

/// Where the field `name` is kept.
fn slot<'s>(stanza: &'s mut Stanza, name: &str) -> Option<&'s mut Span> {
    // Most fields of a stanza are none of these; the length alone rules nearly all of them out.
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    Some(match name.len() {
        6 if is("Source") => &mut stanza.source,
        6 if is("SHA256") => &mut stanza.sha256,
        6 if is("Breaks") => &mut stanza.breaks,
        7 if is("Package") => &mut stanza.name,
        7 if is("Version") => &mut stanza.version,
        7 if is("Depends") => &mut stanza.depends,
        8 if is("Filename") => &mut stanza.filename,
        8 if is("Provides") => &mut stanza.provides,
        8 if is("Replaces") => &mut stanza.replaces,
        9 if is("Conflicts") => &mut stanza.conflicts,
        11 if is("Pre-Depends") => &mut stanza.pre_depends,
        12 if is("Architecture") => &mut stanza.arch,
        _ => return None,
    })
}

/// Checks what every stanza must have; the sizes.
fn check(
    stanza: &Stanza,
    text: &str,
    size: Option<&str>,
    installed: Option<&str>,
) -> Result<(u64, u64), UniverseErrorKind> {
    let name = stanza.name.get(text);
    let bad = |field, value: &str, wanted| UniverseErrorKind::Value {
        field,
        value: value.chars().take(100).collect(),
        wanted,
    };
    if name.is_empty() {
        return Err(UniverseErrorKind::Missing("Package"));
    }
    if !PackageName::is_valid(name) {
        return Err(bad("Package", name, "a package name"));
    }
    let version = stanza.version.get(text);
    if version.is_empty() {
        return Err(UniverseErrorKind::Missing("Version"));
    }
    Version::check(version)?;
    let filename = stanza.filename.get(text);
    if filename.is_empty() {
        return Err(UniverseErrorKind::Missing("Filename"));
    }
    let inside = |part: &str| !part.is_empty() && part != "..";
    if !filename.bytes().all(|b| b.is_ascii_graphic()) || !filename.split('/').all(inside) {
        return Err(bad("Filename", filename, "a path inside the repository"));
    }
    if stanza.sha256.get(text).is_empty() {
        return Err(UniverseErrorKind::Missing("SHA256"));
    }
    let number = |field, value: &str, most: u64| {
        value
            .parse::<u64>()
            .ok()
            .filter(|n| *n <= most)
            .ok_or_else(|| bad(field, value, "a number that a package can have"))
    };
    let size = number("Size", size.ok_or(UniverseErrorKind::Missing("Size"))?, MAX_SIZE)?;
    let installed = match installed {
        Some(value) if !value.is_empty() => number("Installed-Size", value, MAX_INSTALLED)?,
        // Some 128 packages of Debian lack it, and none of them is empty.
        _ => size.div_ceil(1024).max(1),
    };
    Ok((size, installed))
}
