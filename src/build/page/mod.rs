//! A closure and the image made of it as one page of HTML, which asks for nothing else.
//!
//! In: an [`Explainer`], the assembled tree, the lock. Out: text, the same for the same. The page's parts lie beside
//! this file: `page.html` with a place for each thing that is filled in, its style, its scripts. The list is there
//! without scripts; the treemap and the graph are drawn by them, from data in JSON.
//!
//! Names, versions and paths come from packages: each is escaped for where it stands ([`escape`]), and a Content
//! Security Policy lets nothing run but the page's own script, by its digest.

mod escape;
mod list;
mod model;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::{
    escape::{html, in_script},
    list::{cut, facts, rows},
    model::Model,
};
use super::explain::Explainer;
use crate::{
    base::{Arch, Sha256},
    lock::{Lock, Target},
    tree::Tree,
};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = concat!(include_str!("page.css"), include_str!("views.css"));
/// One script: what is first is used by what follows.
const SCRIPT: &str =
    concat!(include_str!("common.js"), include_str!("treemap.js"), include_str!("graph.js"), include_str!("list.js"));

/// What is shown.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// The manifest's name.
    pub name: &'a str,
    /// Which of its images.
    pub arch: Arch,
    /// Where that comes from.
    pub lock: &'a Lock,
    /// The architecture's part of it.
    pub target: &'a Target,
    /// What is in the image.
    pub tree: &'a Tree,
    /// Who needs whom.
    pub explainer: &'a Explainer<'a>,
    /// Whether the explainer knows what else would have met a dependency.
    pub knows_others: bool,
}

/// The page.
pub fn page(page: Page<'_>) -> String {
    let model = Model::new(page);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    let others = match page.knows_others {
        true => "another package would have met it too",
        false => "which others would do is not known: the indexes of the lock were not at hand",
    };
    let built = page.target.built.as_ref().map(|built| format!(" · tree {}", built.tree)).unwrap_or_default();
    let title = format!("{} for {}", page.name, page.arch);
    filled(TEMPLATE, |place| match place {
        "policy" => policy.clone(),
        "title" => html(&title),
        "source" => html(&format!("lock of {}{built}", page.lock.epoch)),
        "facts" => facts(page, &model),
        "others" => html(others),
        "rows" => rows(&model),
        "cut" => cut(page.target),
        "style" => STYLE.to_owned(),
        "data" => in_script(&model.json()),
        "script" => SCRIPT.to_owned(),
        _ => String::new(),
    })
}

/// As `style-src` and `script-src` want it (Content Security Policy Level 3, section 2.3.1).
fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::of(text.as_bytes()).bytes())
}

/// The template with `{{place}}` filled in; what is filled in is not looked at again.
fn filled(template: &str, fill: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, place, after)) = next_place(rest) {
        out.push_str(before);
        out.push_str(&fill(place));
        rest = after;
    }
    out + rest
}

fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (place, after) = rest.split_once("}}")?;
    Some((before, place, after))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
