//! A [`Diff`] as JSON, schema `compose-diff/1`: what is added to it later keeps the version.
//!
//! `from` and `to` are `{target, facts, bytes}`; `packages`, `python` and `tarballs` list `{name, change, from, to, bytes}` with `change` one of
//! `added removed upgraded downgraded changed` and `bytes` `[from, to]` or null; `cut` lists `{change, package, dependency, reason}`;
//! `configuration` lists `{key, from, to}`, `files` lists `{owner, files: [{path, change, how, bytes}]}`, both null where a side has none.

use serde_json::{Value, json};

use super::{Change, Diff, FileGroup, Label, how, text};

/// All of it.
pub fn json(diff: &Diff) -> Value {
    let label = |label: &Label| json!({ "target": label.target, "facts": label.facts, "bytes": label.bytes });
    let change = |change: &Change| {
        let bytes = change.bytes.map(|(from, to)| [from, to]);
        json!({
            "name": change.name, "change": change.kind.as_str(), "from": change.from, "to": change.to, "bytes": bytes,
        })
    };
    let all = |changes: &[Change]| changes.iter().map(change).collect::<Vec<_>>();
    let cut = diff.cut.iter().map(|(kind, cut)| {
        json!({
            "change": kind.as_str(), "package": cut.package, "dependency": cut.dependency, "reason": cut.reason,
        })
    });
    let settings = diff.settings.as_ref().map(|settings| {
        settings.iter().map(|s| json!({ "key": s.key, "from": s.from, "to": s.to })).collect::<Vec<_>>()
    });
    json!({
        "schema": "compose-diff/1",
        "same": diff.is_empty(),
        "from": label(&diff.from),
        "to": label(&diff.to),
        "packages": all(&diff.packages),
        "python": all(&diff.projects),
        "tarballs": all(&diff.tarballs),
        "cut": cut.collect::<Vec<_>>(),
        "configuration": settings,
        "files": diff.files.as_ref().map(|groups| groups.iter().map(group).collect::<Vec<_>>()),
    })
}

fn group(group: &FileGroup) -> Value {
    let file = |file: &super::FileChange| {
        json!({
            "path": file.path.to_string(), "change": file.kind.as_str(), "how": how(file),
            "bytes": [file.bytes.0, file.bytes.1],
        })
    };
    json!({ "owner": text::owner(group), "files": group.files.iter().map(file).collect::<Vec<_>>() })
}
