//! A finding as a JSON object.
//!
//! Its keys, as docs/manifest-guide.md has them: `code`, `severity` (`error` or `warning`), `path` or null, `origin` (`kind`:
//! `package`, `wheel`, `tarball`, `manifest` or `compose`; `name` or null) or null for the image as a whole, `message`,
//! `hint`, `line` of the manifest or null, `excused` (`reason`, `line`) or null. New keys may come; none changes its
//! meaning without a new number in the document's `schema`.

use serde_json::{Value, json};

use crate::{
    base::{Asked, Code},
    check::Finding,
    tree::Origin,
};

/// One finding.
pub fn json(finding: &Finding) -> Value {
    let origin = finding.origin().map(origin);
    let excused = finding.excuse.as_ref().map(|excuse| json!({ "reason": excuse.reason, "line": excuse.line.number }));
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "path": finding.path().map(ToString::to_string),
        "origin": origin,
        "message": finding.message,
        "hint": finding.hint,
        "line": finding.line.as_ref().map(|line| line.number),
        "excused": excused,
    })
}

/// Who brought something.
pub fn origin(origin: &Origin) -> Value {
    let (kind, name) = super::origin(origin);
    json!({ "kind": kind, "name": name })
}

/// One row of the table of codes.
pub fn code(code: &Code) -> Value {
    let asked = match code.asked {
        Asked::Always => None,
        Asked::Forbid | Asked::Unhardened => Some("policy.forbid".to_owned()),
        Asked::Key(key) => Some(format!("policy.{key}")),
    };
    json!({
        "code": code.name, "severity": code.severity.as_str(), "asked-by": asked, "meaning": code.meaning,
        "help": code.help,
    })
}
