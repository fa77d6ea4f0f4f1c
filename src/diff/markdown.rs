//! A [`Diff`] for the comment of a pull request: tables, and the files folded away.

use std::fmt::Write as _;

use super::{Change, Diff, Kind, Label, counts, growth, how, text};
use crate::base::words::{bytes, say};

/// All of it; of each owner `show` files are named.
pub fn markdown(diff: &Diff, show: usize) -> String {
    let mut out = String::new();
    say!(out, "### {} → {}\n", code(&diff.from.target), code(&diff.to.target));
    let sizes = diff.from.bytes.zip(diff.to.bytes).map(|(from, to)| {
        let grown = growth((from, to));
        let grown = if grown.is_empty() { grown } else { format!(" ({grown})") };
        format!("{} → {}{grown}", bytes(from), bytes(to))
    });
    let facts = |label: &Label| label.facts.join(", ");
    let (from, to) = (facts(&diff.from), facts(&diff.to));
    let dates = if from == to { from } else { format!("{from} → {to}") };
    let line: Vec<_> = [Some(dates).filter(|text| !text.is_empty()), sizes].into_iter().flatten().collect();
    if !line.is_empty() {
        say!(out, "{}\n", line.join(" · "));
    }
    if diff.is_empty() {
        say!(out, "{}.", text::same(diff));
        return out;
    }
    for (title, changes) in
        [("Debian packages", &diff.packages), ("Python projects", &diff.projects), ("Tarballs", &diff.tarballs)]
    {
        if !changes.is_empty() {
            say!(out, "**{title}**: {}\n", counts(changes.iter().map(|change| change.kind)));
            table(&mut out, changes);
        }
    }
    if !diff.cut.is_empty() {
        say!(out, "**Dependencies that nothing meets**\n");
        for (kind, cut) in &diff.cut {
            say!(
                out,
                "- {}: {} → {}: {}",
                kind.as_str(),
                code(&cut.package),
                code(&cut.dependency),
                plain(&cut.reason)
            );
        }
        say!(out, "");
    }
    if let Some(settings) = diff.settings.as_ref().filter(|settings| !settings.is_empty()) {
        say!(out, "**Configuration**\n\n| setting | from | to |\n|---|---|---|");
        let value =
            |value: &Option<serde_json::Value>| value.as_ref().map(|v| code(&v.to_string())).unwrap_or_default();
        settings.iter().for_each(|s| say!(out, "| {} | {} | {} |", code(&s.key), value(&s.from), value(&s.to)));
        say!(out, "");
    }
    match &diff.files {
        None => say!(out, "Files were not compared: a lock has none."),
        Some(groups) if groups.is_empty() => {}
        Some(groups) => {
            let kinds = groups.iter().flat_map(|group| &group.files).map(|file| file.kind);
            say!(out, "<details><summary>Files: {}</summary>\n", counts(kinds));
            for group in groups {
                say!(out, "**{}**\n", plain(&text::owner(group)));
                for file in group.files.iter().take(show) {
                    say!(out, "- {} {}: {}", file.kind.as_str(), code(&file.path.to_string()), plain(&how(file)));
                }
                if let Some(more) = group.files.len().checked_sub(show).filter(|more| *more > 0) {
                    say!(out, "- … and {more} more");
                }
                say!(out, "");
            }
            say!(out, "</details>");
        }
    }
    out
}

fn table(out: &mut String, changes: &[Change]) {
    say!(out, "| | name | from | to | size |\n|---|---|---|---|---:|");
    for Change { name, kind, from, to, bytes } in changes {
        let version = |text: &Option<String>| text.as_deref().map(code).unwrap_or_default();
        let word = if *kind == Kind::Downgraded { "**downgraded**" } else { kind.as_str() };
        let grown = bytes.map(growth).unwrap_or_default();
        say!(out, "| {word} | {} | {} | {} | {grown} |", code(name), version(from), version(to));
    }
    say!(out, "");
}

/// As a code span that ends where it should, in a table too (GitHub Flavored Markdown, 4.10 and 6.1).
fn code(text: &str) -> String {
    let safe = text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ");
    if safe.trim().is_empty() { String::new() } else { format!("`{safe}`") }
}

/// As words without meaning for Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '!' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
