//! Control files (Policy 5.1, deb822(5)): paragraphs of `Field: value`, separated by blank lines.
//!
//! In: text, signatures already stripped. Out: [`Fields`], the bare stream of fields, and on top of it
//! [`Paragraphs`], which collects them. Nothing is copied: every name and value borrows from the text. A
//! [`Paragraph`] prints as text that reads as the same.

use std::{fmt, iter::FusedIterator, ops::Range};

use super::scan;
use crate::base::words;

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
    /// A field: name as written; value trimmed at both ends, the line breaks of folded values still in it, and the
    /// comments after its first line.
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
    /// The ends of the lines from `position` on.
    ends: memchr::Memchr<'a>,
    /// Byte offset of the next line.
    position: usize,
    line: usize,
    in_paragraph: bool,
    failed: bool,
}

impl<'a> Fields<'a> {
    /// Starts before the first line of `text`.
    pub fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the first name, but positions count it.
        let position = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        Self { text, ends, position, line: 0, in_paragraph: false, failed: false }
    }

    /// Where the next line begins, in bytes.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The end of the line at the position (before its line break); the position moves behind it.
    #[inline]
    fn take_line(&mut self) -> usize {
        let end = self.ends.next().unwrap_or(self.text.len());
        self.position = end + 1;
        end
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn fail(&mut self, kind: ParagraphErrorKind) -> Option<Result<Piece<'a>, ParagraphError>> {
        self.failed = true;
        Some(Err(ParagraphError { line: self.line, kind }))
    }

    /// Where a value is whose first line is `value`: on to its last continuation (a leading blank and something after
    /// it). Comments may stand between them; those before the first that says something are no part of the value, and
    /// those after the last are the next paragraph's.
    fn continued(&mut self, mut value: Range<usize>) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let is_empty = |range: Range<usize>| bytes.get(range).unwrap_or_default().iter().all(|&b| is_blank(b));
        let mut is_begun = !is_empty(value.clone());
        let mut ahead = self.clone();
        while let Some(first @ (b' ' | b'\t' | b'#')) = bytes.get(ahead.position).copied() {
            let start = ahead.position;
            let end = ahead.take_line();
            ahead.line += 1;
            if first != b'#' {
                if is_empty(start..end) {
                    break;
                }
                value = if is_begun { value.start..end } else { start..end };
                is_begun = true;
                *self = ahead.clone();
            }
        }
        value
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// `text` without the blanks and line breaks at its ends: by bytes, which none of them shares with another character.
#[inline]
fn trim(text: &str) -> &str {
    let is_outside = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let bytes = text.as_bytes();
    let (mut start, mut end) = (0, bytes.len());
    while bytes.get(start).is_some_and(is_outside) {
        start += 1;
    }
    while end > start && bytes.get(end - 1).is_some_and(is_outside) {
        end -= 1;
    }
    text.get(start..end).unwrap_or_default()
}

/// The length of the name that a field line begins with. Policy 5.1: a name is printable ASCII without space and
/// colon, and does not begin with “-”.
#[inline]
fn name_length(line: &[u8]) -> Option<usize> {
    let at = scan::run(line, b'!', [b':', 0x7f]);
    (at > 0 && line.get(at) == Some(&b':') && line.first() != Some(&b'-')).then_some(at)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Piece<'a>, ParagraphError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        while !self.failed && self.position < bytes.len() {
            let start = self.position;
            let end = self.take_line();
            self.line += 1;
            let content = bytes.get(start..end).unwrap_or_default();
            match content.first() {
                Some(b'#') => continue,
                None | Some(b' ' | b'\t' | b'\r') => {
                    if !content.iter().all(|&b| is_blank(b)) {
                        return self.fail(ParagraphErrorKind::NothingToContinue);
                    }
                    if std::mem::take(&mut self.in_paragraph) {
                        return Some(Ok(Piece::End));
                    }
                    continue;
                }
                Some(_) => {}
            }
            let Some(colon) = name_length(content) else {
                let shown = words::quote(self.slice(start, end), 100);
                return self.fail(ParagraphErrorKind::NotAField(shown));
            };
            self.in_paragraph = true;
            let line = self.line;
            let first = start + colon + 1..end;
            let value = match bytes.get(self.position) {
                Some(b' ' | b'\t' | b'#') => self.continued(first),
                _ => first,
            };
            let name = self.slice(start, start + colon);
            let value = trim(self.slice(value.start, value.end));
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
    /// The value of `field`, whatever its case: trimmed at both ends, the line breaks of folded values still in it, and
    /// the comments after its first line.
    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.fields.iter().find(|(name, ..)| name.eq_ignore_ascii_case(field)).map(|(_, value, _)| *value)
    }

    /// The non-empty lines of a folded or multi-line value, each trimmed, comments left out.
    pub fn lines(&self, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut lines = self.get(field).unwrap_or_default().lines();
        let first = lines.next();
        let others = lines.filter(|line| !line.starts_with('#'));
        first.into_iter().chain(others).map(str::trim).filter(|line| !line.is_empty())
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

/// As a control file has it: `Name: value`, and the further lines of a value as they were read. A value that began on
/// its second line begins on the first: reading makes no difference between the two.
impl fmt::Display for Paragraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.iter().try_for_each(|(name, value, _)| match *value {
            "" => writeln!(f, "{name}:"),
            value => writeln!(f, "{name}: {value}"),
        })
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
        let text = "X: 1\nsha256:\n# note\n aa 1 x\n# note\n bb 2 y\nY:\n# end\n\nZ: #3";
        let all: Vec<_> = Paragraphs::new(text).map(Result::unwrap).collect();
        let p = &all[0];
        assert_eq!(p.lines("SHA256").collect::<Vec<_>>(), ["aa 1 x", "bb 2 y"]);
        assert_eq!((p.get("x"), p.get("y"), p.get("z")), (Some("1"), Some(""), None));
        assert_eq!((p.line_of("Y"), all[1].line(), p.lines("none").count()), (Some(7), 10, 0));
        assert_eq!(all[1].lines("Z").collect::<Vec<_>>(), ["#3"]);
    }

    #[test]
    fn prints_what_it_reads() {
        for (text, printed) in [
            ("a:1\nB :2", ""),
            ("a:\t1 \nB:\n", "a: 1\nB:\n"),
            ("Long: one\n\ttwo \n .\n  three\n", "Long: one\n\ttwo \n .\n  three\n"),
            ("Files: \n aa 1 x\n# note\n bb 2 y\n", "Files: aa 1 x\n# note\n bb 2 y\n"),
            // A comment is one only at the start of a line, and no value begins with one.
            ("Files:\n# note\n#\n # aa\n#\n", "Files: # aa\n"),
            ("Home: #top\n#top\n", "Home: #top\n"),
            ("a: 1\r\n 2\r\nb:\r\n3:\r\n 4\r\n", "a: 1\r\n 2\nb:\n3: 4\n"),
            ("\u{feff}a: \u{feff}1\n \u{a0}\n", "a: \u{feff}1\n \u{a0}\n"),
        ] {
            match Paragraphs::new(text).next().unwrap() {
                Ok(paragraph) => {
                    assert_eq!(paragraph.to_string(), printed);
                    assert_eq!(read(printed), [paragraph.fields().collect::<Vec<_>>()]);
                }
                Err(error) => assert_eq!(printed, "", "{error}"),
            }
        }
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
        fn what_is_written_is_read(fields in proptest::collection::btree_map("[A-Z]{1,4}", "[a-z0-9]{0,5}(\n [a-z]{1,3}){0,2}", 1..6)) {
            let text: String = fields.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
            let found: Vec<_> = read(&text).concat();
            let expected: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.trim())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
