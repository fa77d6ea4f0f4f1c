//! Control files (Policy 5.1, deb822(5)): paragraphs of `Field: value`, separated by blank lines.
//!
//! In: text, signatures already stripped. Out: [`Fields`], the bare stream of fields, and on top of it
//! [`Paragraphs`], which collects them. Nothing is copied: every name and value borrows from the text.

use std::iter::FusedIterator;

/// More fields than any paragraph has: Debian's longest has some forty.
const MAX_FIELDS: usize = 512;

/// Text that is no control file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParagraphError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: ParagraphErrorKind,
}

/// What can be wrong with a line of a control file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParagraphErrorKind {
    /// Neither `Field: value`, a continuation, a comment, nor blank.
    #[error("“{0}” is not a field (“Name: value”), nor does it continue one (a leading blank)")]
    NotAField(String),
    /// A continuation line with no field before it in the paragraph.
    #[error("a continuation line without a field before it")]
    NothingToContinue,
    /// The same field twice in one paragraph.
    #[error("field “{0}” occurs twice in one paragraph")]
    Twice(String),
    /// More fields than this program takes.
    #[error("a paragraph of more than {MAX_FIELDS} fields")]
    TooManyFields,
}

/// What [`Fields`] yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A field: name as written; value trimmed at both ends, the line breaks of folded values still in it.
    Field {
        /// Name, as written.
        name: &'a str,
        /// Value.
        value: &'a str,
        /// Line of the name, from 1.
        line: usize,
    },
    /// The end of a paragraph that had at least one field.
    End,
}

/// The fields of a control file one after the other.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    text: &'a str,
    /// Byte offset of the next line.
    position: usize,
    line: usize,
    in_paragraph: bool,
    failed: bool,
}

impl<'a> Fields<'a> {
    /// Starts before the first line of `text`.
    pub fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { text, position: 0, line: 0, in_paragraph: false, failed: false }
    }

    /// Where the next line begins, in bytes.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The end of the line that begins at `start` (before its line break), and the start of the next.
    fn line_end(&self, start: usize) -> (usize, usize) {
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(length) => (start + length, start + length + 1),
            None => (self.text.len(), self.text.len()),
        }
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Piece<'a>, ParagraphError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        while !self.failed && self.position < bytes.len() {
            let start = self.position;
            let (end, next) = self.line_end(start);
            self.line += 1;
            let line = self.line;
            let mut fail = |kind| {
                self.failed = true;
                Some(Err(ParagraphError { line, kind }))
            };
            let content = bytes.get(start..end).unwrap_or_default();
            match content.first() {
                Some(b'#') => {
                    self.position = next;
                    continue;
                }
                None | Some(b' ' | b'\t' | b'\r') => {
                    if !content.iter().all(|&b| is_blank(b)) {
                        return fail(ParagraphErrorKind::NothingToContinue);
                    }
                    self.position = next;
                    if std::mem::take(&mut self.in_paragraph) {
                        return Some(Ok(Piece::End));
                    }
                    continue;
                }
                Some(_) => {}
            }
            // Policy 5.1: a name is printable ASCII without space and colon, and does not begin with “-”.
            let colon = match content.iter().position(|b| *b == b':' || !b.is_ascii_graphic()) {
                Some(at) if at > 0 && content.get(at) == Some(&b':') && content.first() != Some(&b'-') => at,
                _ => {
                    let shown = self.text.get(start..end).unwrap_or_default().chars().take(100).collect();
                    return fail(ParagraphErrorKind::NotAField(shown));
                }
            };
            let (mut value_end, mut next) = (end, next);
            // Continuations: a leading blank and something after it. A comment may stand between them.
            let mut ahead = next;
            let mut pending_lines = 0;
            while let Some(first @ (b' ' | b'\t' | b'#')) = bytes.get(ahead).copied() {
                let (end, after) = self.line_end(ahead);
                pending_lines += 1;
                if first != b'#' {
                    if bytes.get(ahead..end).unwrap_or_default().iter().all(|&b| is_blank(b)) {
                        break;
                    }
                    (value_end, next) = (end, after);
                    self.line += std::mem::take(&mut pending_lines);
                }
                ahead = after;
            }
            self.position = next;
            self.in_paragraph = true;
            let name = self.slice(start, start + colon);
            let value = self.slice(start + colon + 1, value_end).trim_matches([' ', '\t', '\r', '\n']);
            return Some(Ok(Piece::Field { name, value, line }));
        }
        (!self.failed && std::mem::take(&mut self.in_paragraph)).then_some(Ok(Piece::End))
    }
}

impl FusedIterator for Fields<'_> {}

/// One paragraph.
#[derive(Debug, Clone)]
pub struct Paragraph<'a> {
    fields: Vec<(&'a str, &'a str, usize)>,
}

impl<'a> Paragraph<'a> {
    /// The value of `field`, whatever its case: trimmed at both ends, the line breaks of folded values still in it.
    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.fields.iter().find(|(name, ..)| name.eq_ignore_ascii_case(field)).map(|(_, value, _)| *value)
    }

    /// The non-empty lines of a folded or multi-line value, each trimmed, comments left out.
    pub fn lines(&self, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.get(field).unwrap_or_default();
        value.lines().filter(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty())
    }

    /// Names and values in the order written.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields.iter().map(|(name, value, _)| (*name, *value))
    }

    /// The line on which `field` begins, from 1.
    pub fn line_of(&self, field: &str) -> Option<usize> {
        self.fields.iter().find(|(name, ..)| name.eq_ignore_ascii_case(field)).map(|(.., line)| *line)
    }

    /// The line on which the paragraph begins, from 1.
    pub fn line(&self) -> usize {
        self.fields.first().map_or(1, |(.., line)| *line)
    }
}

/// The paragraphs of a control file. After an error it yields nothing more.
#[derive(Debug, Clone)]
pub struct Paragraphs<'a> {
    fields: Fields<'a>,
    failed: bool,
}

impl<'a> Paragraphs<'a> {
    /// Starts before the first paragraph of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { fields: Fields::new(text), failed: false }
    }
}

impl<'a> Iterator for Paragraphs<'a> {
    type Item = Result<Paragraph<'a>, ParagraphError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields: Vec<(&str, &str, usize)> = Vec::new();
        while !self.failed {
            let (line, kind) = match self.fields.next()? {
                Ok(Piece::End) => return Some(Ok(Paragraph { fields })),
                Ok(Piece::Field { name, line, .. }) if fields.len() == MAX_FIELDS => {
                    let _ = name;
                    (line, ParagraphErrorKind::TooManyFields)
                }
                Ok(Piece::Field { name, value, line }) => {
                    if !fields.iter().any(|(other, ..)| other.eq_ignore_ascii_case(name)) {
                        fields.push((name, value, line));
                        continue;
                    }
                    (line, ParagraphErrorKind::Twice(name.into()))
                }
                Err(error) => (error.line, error.kind),
            };
            self.failed = true;
            return Some(Err(ParagraphError { line, kind }));
        }
        None
    }
}

impl FusedIterator for Paragraphs<'_> {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Vec<(&str, &str)>> {
        Paragraphs::new(text).map(|p| p.unwrap().fields().collect()).collect()
    }

    #[test]
    fn splits_paragraphs_and_keeps_folds() {
        let text = "\n\n# hello\nPackage: a\nDescription: one\n two\n .\n\tthree \nEmpty:\n\n \t\nPackage:b";
        assert_eq!(
            read(text),
            [vec![("Package", "a"), ("Description", "one\n two\n .\n\tthree"), ("Empty", "")], vec![("Package", "b")]]
        );
        assert_eq!(read("A: 1\r\n x\r\n\r\nB: 2\r\n"), [vec![("A", "1\r\n x")], vec![("B", "2")]]);
        assert_eq!(read("\u{feff}A: é:\n"), [vec![("A", "é:")]]);
        assert!(read("").is_empty() && read("\n \n#\n").is_empty());
    }

    #[test]
    fn finds_fields_whatever_their_case() {
        let text = "X: 1\nsha256:\n aa 1 x\n# note\n bb 2 y\nY:\n# end\n\nZ: 3";
        let all: Vec<_> = Paragraphs::new(text).map(Result::unwrap).collect();
        let p = &all[0];
        assert_eq!(p.lines("SHA256").collect::<Vec<_>>(), ["aa 1 x", "bb 2 y"]);
        assert_eq!((p.get("x"), p.get("y"), p.get("z")), (Some("1"), Some(""), None));
        assert_eq!((p.line_of("Y"), all[1].line(), p.lines("none").count()), (Some(6), 9, 0));
    }

    #[test]
    fn says_line_and_reason() {
        for (text, message) in [
            (
                "A: 1\nbroken\n",
                "line 2: “broken” is not a field (“Name: value”), nor does it continue one (a leading blank)",
            ),
            ("A: 1\n\n more\n", "line 3: a continuation line without a field before it"),
            ("A: 1\n f\nb: 2\na: 3\n", "line 4: field “a” occurs twice in one paragraph"),
            (": 1", "line 1: “: 1” is not a field (“Name: value”), nor does it continue one (a leading blank)"),
            ("-a: 1", "line 1: “-a: 1” is not a field (“Name: value”), nor does it continue one (a leading blank)"),
        ] {
            let found: Result<Vec<_>, _> = Paragraphs::new(text).collect();
            assert_eq!(found.unwrap_err().to_string(), message);
        }
        let many: String = (0..=MAX_FIELDS).map(|i| format!("f{i}: x\n")).collect();
        assert_eq!(Paragraphs::new(&many).next().unwrap().unwrap_err().kind, ParagraphErrorKind::TooManyFields);
    }

    proptest! {
        #[test]
        fn never_panics_and_ends(text in "[A-c:\\- #\n\r\té]{0,60}") {
            let count = Paragraphs::new(&text).count();
            prop_assert!(count <= text.lines().count());
        }

        #[test]
        fn what_is_written_is_read(fields in proptest::collection::btree_map("[A-Z]{1,4}", "[a-z0-9]{0,5}(\n [a-z]{1,3}){0,2}", 1..6)) {
            let text: String = fields.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
            let found: Vec<_> = read(&text).concat();
            let expected: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.trim())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
