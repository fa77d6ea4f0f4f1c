//! A closure as a drawing: DOT for Graphviz, Mermaid for Markdown.
//!
//! In: an [`Explainer`]'s closure. Out: text, the same for the same closure. A dashed line is a clause that another
//! package would have met too.

use std::fmt::Write as _;

use petgraph::visit::{EdgeRef as _, IntoNodeReferences as _};

use super::explain::Explainer;
use crate::solve::closure::Member;

/// One edge as it is drawn: several clauses between the same two are one line.
struct Line {
    from: usize,
    to: usize,
    relation: String,
    chosen: bool,
}

fn lines(explainer: &Explainer<'_>) -> Vec<Line> {
    let graph = &explainer.closure().graph;
    let edges = graph.edge_references().filter(|edge| graph[edge.source()] != Member::Root);
    let mut found: Vec<Line> = edges
        .map(|edge| Line {
            from: edge.source().index(),
            to: edge.target().index(),
            relation: edge.weight().relation.clone(),
            chosen: !edge.weight().others.is_empty(),
        })
        .collect();
    found.sort_by(|a, b| (a.from, a.to, &a.relation).cmp(&(b.from, b.to, &b.relation)));
    found.dedup_by(|b, a| {
        let same = (a.from, a.to) == (b.from, b.to);
        a.chosen &= !same || b.chosen;
        same
    });
    found
}

/// What a node is called, and its second line; `None` for the root, which is not drawn.
fn label(explainer: &Explainer<'_>, member: Member) -> Option<(String, String)> {
    match member {
        Member::Root => None,
        Member::Request(number) => {
            let request = explainer.request(number)?;
            let by = request.by.as_ref().map_or("asked for".into(), |by| format!("needed by {by}"));
            Some((request.text.clone(), by))
        }
        Member::Package(id) => {
            let package = explainer.package(id);
            Some((package.name().to_owned(), format!("{}, {} KiB", package.version(), package.installed_size())))
        }
    }
}

/// For Graphviz.
pub fn dot(name: &str, explainer: &Explainer<'_>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = format!("digraph {} {{\n  rankdir = LR;\n  node [shape = box];\n", quoted(name));
    // Writing to a string does not fail.
    for (index, member) in explainer.closure().graph.node_references() {
        let Some((first, second)) = label(explainer, *member) else { continue };
        let shape = if matches!(member, Member::Request(_)) { ", shape = ellipse" } else { "" };
        let text = format!("{}\\n{}", quoted(&first).trim_end_matches('"'), quoted(&second).trim_start_matches('"'));
        let _ = writeln!(out, "  n{} [label = {text}{shape}];", index.index());
    }
    for line in lines(explainer) {
        let style = if line.chosen { ", style = dashed" } else { "" };
        let _ = writeln!(out, "  n{} -> n{} [tooltip = {}{style}];", line.from, line.to, quoted(&line.relation));
    }
    out + "}\n"
}

/// For Markdown.
pub fn mermaid(explainer: &Explainer<'_>) -> String {
    // Names of characters, as Mermaid's documentation asks for inside quotes.
    let escaped =
        |text: &str| text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;");
    let mut out = "flowchart LR\n".to_owned();
    for (index, member) in explainer.closure().graph.node_references() {
        let Some((first, second)) = label(explainer, *member) else { continue };
        let text = format!("{}<br>{}", escaped(&first), escaped(&second));
        let _ = match member {
            Member::Request(_) => writeln!(out, "  n{}([\"{text}\"])", index.index()),
            _ => writeln!(out, "  n{}[\"{text}\"]", index.index()),
        };
    }
    for line in lines(explainer) {
        let arrow = if line.chosen { "-.->" } else { "-->" };
        let _ = writeln!(out, "  n{} {arrow} n{}", line.from, line.to);
    }
    out
}
