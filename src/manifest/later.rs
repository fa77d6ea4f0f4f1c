//! Tables without effect yet: `[python]` and `[[tarballs]]`. Their keys are read and checked, so that a slip is found
//! now, and then the table is refused.
//!
//! In: tables of the manifest. Out: nothing but faults.

use super::{
    error::{Fault, quote},
    reader::Table,
    rootfs::image_path,
};
use crate::base::Sha256;

pub(super) fn python(mut table: Table<'_>) {
    let (doc, span) = (table.doc, table.span());
    let local = |text: &str| match text {
        "" => Err(Fault::new("is empty").help("write such as \"wheels/*.whl\"")),
        _ => globset::Glob::new(text).map(|_| text.to_owned()).map_err(Fault::from),
    };
    table.list("wheels", |value| value.parsed(local));
    table.get("lock").map(|value| value.text());
    table.list("groups", |value| value.text());
    table.list("extras", |value| value.text());
    table.get("bytecode").map(|value| value.boolean());
    table.list("ignore-needs", |value| value.text());
    table.done();
    doc.note(span, Fault::new("[python] is not supported yet").help("leave it out until it is"));
}

pub(super) fn tarballs(root: &mut Table<'_>) {
    for mut table in root.tables("tarballs") {
        let (doc, span) = (table.doc, table.span());
        table.get("source").map(|value| value.text());
        table.get("url").map(|value| value.parsed(url));
        if let Some(value) = table.need("sha256", "sha256 = \"…\"") {
            value.parsed(|text| Ok(text.parse::<Sha256>()?));
        }
        if let Some(value) = table.need("path", "path = \"/usr/local\"") {
            value.parsed(image_path);
        }
        match (table.has("source"), table.has("url")) {
            (true, true) => doc.note(span.clone(), Fault::new("“source” and “url” exclude each other")),
            (false, false) => doc.note(span.clone(), Fault::new("one of “source” and “url” is missing")),
            _ => {}
        }
        table.done();
        doc.note(span, Fault::new("[[tarballs]] is not supported yet").help("leave it out until it is"));
    }
}

fn url(text: &str) -> Result<(), Fault> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)) {
        return Ok(());
    }
    Err(Fault::new(format!("“{}” is not a URL", quote(text))).help("write https://host/path"))
}
