//! What of a Packages index is worth keeping: the fields that anything here reads, in pieces that can be read side by
//! side.
//!
//! In: an index's text. Out: texts, each of whole stanzas, that together say the same to [`crate::universe`].

use rayon::prelude::*;

use super::paragraph::{Fields, ParagraphError, Piece};

/// About this many bytes of an index make one piece.
const PIECE: usize = 1 << 20;

/// The fields that are read of a stanza, advice (`Recommends`, `Suggests`, `Enhances`) aside: nothing follows from it.
pub const INDEX_FIELDS: &[&str] = &[
    "Package",
    "Source",
    "Version",
    "Architecture",
    "Multi-Arch",
    "Essential",
    "Installed-Size",
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
    "Filename",
    "Size",
    "SHA256",
];

/// Cuts `text` at blank lines into pieces of about a megabyte.
pub fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::with_capacity(text.len() / PIECE + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let after = rest.as_bytes().get(PIECE..).unwrap_or_default();
        let end = memchr::memmem::find(after, b"\n\n").map_or(rest.len(), |at| PIECE + at + 2);
        // A blank line is a boundary of characters too.
        let (piece, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
        out.push(piece);
        rest = more;
    }
    out
}

/// The pieces of `text`, each with nothing in it but [`INDEX_FIELDS`].
///
/// # Errors
/// Text that is no control file; lines are counted within a piece.
pub fn strip(text: &str) -> Result<Vec<String>, ParagraphError> {
    pieces(text).into_par_iter().map(strip_piece).collect()
}

fn strip_piece(text: &str) -> Result<String, ParagraphError> {
    let mut out = String::with_capacity(text.len() / 2);
    for piece in Fields::new(text) {
        match piece? {
            Piece::Field { name, value, .. } => {
                if INDEX_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name)) {
                    out.push_str(name);
                    out.push_str(": ");
                    out.push_str(value);
                    out.push('\n');
                }
            }
            Piece::End => out.push('\n'),
        }
    }
    Ok(out)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_read() {
        let text =
            "Package: a\nMaintainer: x\ndepends: b,\n c\nTag: t,\n u\nDescription: d\n\n\n# note\nPackage: b\nX: y";
        assert_eq!(strip(text).unwrap(), ["Package: a\ndepends: b,\n c\n\nPackage: b\n\n"]);
        assert!(strip("").unwrap().is_empty());
        assert!(strip("junk\n").is_err());
    }

    #[test]
    fn cuts_between_stanzas() {
        let text = "Package: ä\nX: y\n\n".repeat(200_000);
        let cut = pieces(&text);
        assert!(cut.len() > 2 && cut.iter().all(|piece| piece.starts_with("Package") && piece.ends_with("\n\n")));
        assert_eq!(cut.concat(), text);
        assert_eq!(pieces("é").concat(), "é");
    }
}
