//! What of a Packages index is worth keeping: the fields that anything here reads, in pieces that can be read side by
//! side; apart from them those that are read of chosen packages alone.
//!
//! In: an index's text. Out: texts, each of whole stanzas, that together say the same to [`crate::universe`].

use rayon::prelude::*;

use super::paragraph::{Fields, ParagraphError, Piece};

/// About this many bytes of an index make one piece.
const PIECE: usize = 1 << 20;

/// The fields that are read of every stanza, advice (`Recommends`, `Suggests`, `Enhances`) aside: nothing follows from it.
const HOT: [&str; 13] = [
    "Package",
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
    "Size",
];

/// The fields that are read of chosen packages: a third of what is kept.
const COLD: [&str; 3] = ["Source", "Filename", "SHA256"];

/// Whether a field is one of those that [`Stripped::cold`] holds.
pub fn is_cold(field: &str) -> bool {
    COLD.iter().any(|cold| cold.eq_ignore_ascii_case(field))
}

/// A piece of an index with nothing in it but what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// What is read of every stanza; all of it if `cold` is `None`.
    pub hot: String,
    /// The rest: a paragraph for each stanza of `hot`, in the same order, each with a digest and a path that is one.
    pub cold: Option<String>,
}

/// Whether `path` leads to a place below the repository's base.
pub fn is_inside(path: &str) -> bool {
    let bytes = path.as_bytes();
    // Without an early end the compiler makes wide steps of it. Only what has “//” or “..” needs a closer look.
    let plain = bytes.iter().fold(true, |plain, b| plain & b.is_ascii_graphic());
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    let doubled = pairs.fold(false, |doubled, (a, b)| doubled | ((a == b) & ((*b == b'/') | (*b == b'.'))));
    let parts = || path.split('/').all(|part| !part.is_empty() && part != "..");
    plain && !path.starts_with('/') && !path.ends_with('/') && (!doubled || parts())
}

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

/// The pieces of `text`, stripped.
///
/// # Errors
/// Text that is no control file; lines are counted within a piece.
pub fn strip(text: &str) -> Result<Vec<Stripped>, ParagraphError> {
    pieces(text).into_par_iter().map(strip_piece).collect()
}

fn strip_piece(text: &str) -> Result<Stripped, ParagraphError> {
    // Where something is wrong with what would lie apart, nothing does: whoever reads the text says what.
    match split(text, true)? {
        (stripped, true) => Ok(stripped),
        (_, false) => Ok(split(text, false)?.0),
    }
}

/// The fields of `text` that are kept, those of [`COLD`] `apart` or in their places; and whether each stanza has them
/// as it must.
fn split(text: &str, apart: bool) -> Result<(Stripped, bool), ParagraphError> {
    let mut hot = String::with_capacity(text.len() / 2);
    let mut cold = apart.then(|| String::with_capacity(text.len() / 4));
    // How often the stanza at hand has each of `COLD`; whether its path and digest are as they must be.
    let (mut counts, mut is_sound, mut all_sound) = ([0; COLD.len()], true, true);
    for piece in Fields::new(text) {
        match piece? {
            Piece::Field { name, value, .. } => {
                if let Some(at) = COLD.iter().position(|field| field.eq_ignore_ascii_case(name)) {
                    counts[at] += 1;
                    is_sound &= name.eq_ignore_ascii_case("Source") || !value.is_empty();
                    is_sound &= !name.eq_ignore_ascii_case("Filename") || is_inside(value);
                    push(cold.as_mut().unwrap_or(&mut hot), name, value);
                } else if HOT.iter().any(|field| field.eq_ignore_ascii_case(name)) {
                    push(&mut hot, name, value);
                }
            }
            Piece::End => {
                let [source, filename, sha256] = std::mem::take(&mut counts);
                all_sound &= std::mem::replace(&mut is_sound, true) && source <= 1 && filename == 1 && sha256 == 1;
                hot.push('\n');
                if let Some(cold) = &mut cold {
                    cold.push('\n');
                }
            }
        }
    }
    Ok((Stripped { hot, cold }, all_sound))
}

fn push(out: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_read() {
        let text =
            "Package: a\nMaintainer: x\ndepends: b,\n c\nTag: t,\n u\nDescription: d\n\n\n# note\nPackage: b\nX: y";
        let hot = "Package: a\ndepends: b,\n c\n\nPackage: b\n\n".to_owned();
        assert_eq!(strip(text).unwrap(), [Stripped { hot, cold: None }], "without a path and a digest all is together");
        let stanza =
            |name: &str, rest: &str| format!("Package: {name}\nTag: t\nFilename: {name}\nSHA256: ab\n{rest}\n");
        let text = stanza("a", "Source: s,\n more\n") + &stanza("b", "");
        let [Stripped { hot, cold }] = &strip(&text).unwrap()[..] else { panic!("one piece") };
        assert_eq!(hot, "Package: a\n\nPackage: b\n\n");
        let wanted = "Filename: a\nSHA256: ab\nSource: s,\n more\n\nFilename: b\nSHA256: ab\n\n";
        assert_eq!(cold.as_deref(), Some(wanted));
        for bad in ["SHA256: ab\n", "Filename: x\n", "source: x\nSource: y\n"] {
            let [piece] = &strip(&stanza("a", bad)).unwrap()[..] else { panic!("one piece") };
            assert!(piece.cold.is_none() && piece.hot.contains("Filename: a"), "{bad}");
        }
        for bad in [text.replace("Filename: b", "Filename: ../b"), text.replace("SHA256: ab\n\n", "SHA256:\n\n")] {
            assert!(strip(&bad).unwrap()[0].cold.is_none(), "{bad}");
        }
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
