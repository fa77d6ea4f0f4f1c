//! What a page says without scripts: the facts on top, the list, the dependencies that were cut.
//!
//! In: a [`Model`]. Out: HTML. Every reference to a part is a link to its row.

use std::fmt::Write as _;

use super::{
    Page,
    escape::{count, html, size},
    model::{Model, Part, What},
};
use crate::lock::Target;

/// How many of those who need a part its row names.
const NAMED: usize = 5;

/// On top of the page.
pub fn facts(page: Page<'_>, model: &Model) -> String {
    let target = page.target;
    let proof = if target.proven_minimal { "proven smallest" } else { "not proven smallest" };
    let number = |what| model.parts.iter().filter(|part| part.what == what).count() as u64;
    let mut out = String::new();
    let mut add = |name: &str, value: String, more: String| {
        // Writing to a string does not fail.
        let _ = write!(out, "<div><dt>{name}</dt><dd><b>{}</b> <span>{}</span></dd></div>", html(&value), html(&more));
    };
    add("In the image", size(model.bytes), format!("{} bytes of content", count(model.bytes)));
    add(
        "Files",
        count(model.files),
        format!("in {} directories; {} links", count(model.directories), count(model.links)),
    );
    add("Packages", count(number(What::Package)), format!("{} KiB installed, {proof}", count(target.installed_size)));
    for (name, what) in [("Wheels", What::Wheel), ("Tarballs", What::Tarball)] {
        let all: u64 = model.parts.iter().filter(|part| part.what == what).map(|part| part.bytes).sum();
        if number(what) > 0 {
            add(name, count(number(what)), size(all));
        }
    }
    add("Cut", count(target.cut.len() as u64), "dependencies met without a package".into());
    out
}

/// The list's rows.
pub fn rows(model: &Model) -> String {
    let mut out = String::new();
    let mut needed_by = vec![Vec::new(); model.parts.len()];
    for edge in &model.edges {
        needed_by[edge.to].push(edge.from);
    }
    for (number, part) in model.parts.iter().enumerate() {
        let _ = writeln!(
            out,
            "<tr id=\"p{number}\"><th scope=\"row\"><a href=\"#p{number}\">{}</a></th><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td>{}{}<td>{}</td>{}</tr>",
            html(&part.name),
            part.what.words(),
            html(&part.version),
            html(&part.source),
            html(&part.arch),
            part.installed.map_or_else(|| "<td></td>".into(), |kib| cell(kib, &count(kib), "")),
            cell(part.bytes, &size(part.bytes), &format!("{} bytes", count(part.bytes))),
            who(model, part, &needed_by[number]),
            leaving(model, number),
        );
    }
    out
}

/// A cell that is sorted by its number.
fn cell(number: u64, text: &str, title: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!(" title=\"{}\"", html(title)) };
    format!("<td data-n=\"{number}\"{title}>{}</td>", html(text))
}

fn who(model: &Model, part: &Part, by: &[usize]) -> String {
    let link = |from: &usize| format!("<a href=\"#p{from}\">{}</a>", html(&model.parts[*from].name));
    match by {
        [] => html(&part.why),
        by => {
            let named: Vec<_> = by.iter().take(NAMED).map(link).collect();
            let more = by.len() - named.len();
            format!("{}{}", named.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
        }
    }
}

fn leaving(model: &Model, number: usize) -> String {
    let (bytes, others) = (model.leaving(number), model.parts[number].leaves.len());
    let text = match (&model.parts[number].what, others) {
        (What::Manifest | What::Made, _) => return "<td></td>".into(),
        (_, 0) => "itself alone".into(),
        (_, others) => format!("{} with {others} more", size(bytes)),
    };
    let names: Vec<_> = model.parts[number].leaves.iter().map(|other| model.parts[*other].name.as_str()).collect();
    cell(bytes, &text, &names.join(", "))
}

/// The dependencies that count as met.
pub fn cut(target: &Target) -> String {
    let mut out = String::new();
    for cut in &target.cut {
        let (package, dependency, reason) = (html(&cut.package), html(&cut.dependency), html(&cut.reason));
        let _ = writeln!(out, "<tr><th scope=\"row\">{package}</th><td>{dependency}</td><td>{reason}</td></tr>");
    }
    if out.is_empty() { "<tr><td colspan=\"3\">none</td></tr>\n".into() } else { out }
}
