//! The pages of the reference: docs/cli.md, docs/manifest.md and docs/errors.md, written from the tables that the program works by.
//!
//! In: the arguments, environment, exit codes, keys, groups, limits, refusals and findings as the code has them. Out: Markdown.
//! `tests/reference.rs` holds the files against it, and writes them anew when it is asked to.

mod commands;
mod errors;
mod manifest;

/// How long a line of text gets, characters.
const WIDTH: usize = 120;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The file, relative to the repository.
    pub file: &'static str,
    /// What it holds.
    pub text: String,
}

/// All pages.
pub fn pages() -> [Page; 3] {
    [
        Page { file: "docs/cli.md", text: commands::page() },
        Page { file: "docs/manifest.md", text: manifest::page() },
        Page { file: "docs/errors.md", text: errors::page() },
    ]
}

/// What every page begins with.
fn start(title: &str, about: &str) -> String {
    let made = "<!-- Written by tests/reference.rs from the source; CONTRIBUTING.md says how. -->";
    format!("# {title}\n\n{made}\n\n{}\n", filled(about, ""))
}

/// Words of the code as Markdown: what would have a meaning there loses it, but for what stands between backticks.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let (mut before, mut is_code) = (' ', false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        is_code ^= c == '`';
        // Within a word it is a letter like others.
        let is_inner = c == '_' && before.is_alphanumeric() && rest.peek().is_some_and(|c| c.is_alphanumeric());
        if !is_code && !is_inner && matches!(c, '*' | '_' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// The same text in lines of a good length, those after a paragraph's first with `indent` before them.
fn filled(text: &str, indent: &str) -> String {
    let mut out = String::new();
    for (at, paragraph) in text.split("\n\n").enumerate() {
        if at > 0 {
            out.extend(["\n\n", indent]);
        }
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            // Others at the start of a line could begin a list, a heading, a quotation or a table.
            let is_number = word.trim_end_matches(['.', ')']).bytes().all(|byte| byte.is_ascii_digit());
            let is_plain = word.starts_with(|c: char| c.is_alphanumeric() || "`(“./[".contains(c)) && !is_number;
            let count = word.chars().count();
            if length == 0 {
                length = indent.len();
            } else if length + 1 + count <= WIDTH || !is_plain {
                out.push(' ');
                length += 1;
            } else {
                out.extend(["\n", indent]);
                length = indent.len();
            }
            out.push_str(word);
            length += count;
        }
    }
    out
}

/// A line of a table.
fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The first two lines of a table.
fn head(cells: &[&str]) -> String {
    format!("\n{}|{}\n", row(cells), "---|".repeat(cells.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_meaning_and_code_keeps_it() {
        assert_eq!(plain("a_b _*c* `d_*` <e> [f]"), "a_b \\_\\*c\\* `d_*` \\<e\\> [f]");
        let long = format!("{}- c", "ab ".repeat(41));
        assert_eq!(filled(&long, "  "), format!("{}ab\n  ab ab - c", "ab ".repeat(38)));
        assert_eq!(filled("a\nb\n\nc", "  "), "a b\n\n  c");
        assert_eq!(row(&["a|b", "c\nd"]), "| a\\|b | c d |\n");
        assert_eq!(head(&["A", "B"]), "\n| A | B |\n|---|---|\n");
    }
}
