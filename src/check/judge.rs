//! The manifest's last word on what was found: warnings that are to count as errors, and exceptions.
//!
//! In: every finding, and the policy. Out: the same findings, some of them excused or made worse, and a warning of each
//! exception that met none.

use super::{Excuse, Finding, Place};
use crate::{
    base::{Code, Severity},
    manifest::{Exception, Policy},
    tree::Origin,
};

/// Applies `deny-warnings` and `allow` to findings of every check.
pub fn judge(policy: &Policy, mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut used = vec![false; policy.allow.len()];
    for finding in &mut findings {
        for (exception, used) in policy.allow.iter().zip(&mut used) {
            if meets(exception, finding) {
                *used = true;
                // The first one says why.
                finding
                    .excuse
                    .get_or_insert_with(|| Excuse { reason: exception.reason.clone(), line: exception.line.clone() });
            }
        }
    }
    for (exception, _) in policy.allow.iter().zip(used).filter(|(_, used)| !used) {
        findings.push(unused(policy, exception));
    }
    for finding in &mut findings {
        if policy.deny_warnings.iter().any(|code| code.name == finding.code) {
            finding.severity = Severity::Error;
        }
    }
    findings
}

fn meets(exception: &Exception, finding: &Finding) -> bool {
    let path = exception.path.as_ref().is_none_or(|pattern| {
        finding.path().is_some_and(|path| pattern.matches(std::path::Path::new("/").join(path.as_path())))
    });
    let package = exception.package.as_ref().is_none_or(|pattern| match finding.origin() {
        Some(Origin::Package(name)) => pattern.matches(name.as_str()),
        Some(Origin::Wheel(name) | Origin::Tarball(name)) => pattern.matches(&**name),
        Some(Origin::Manifest | Origin::Finish(_)) | None => false,
    });
    exception.rule.name == finding.code && path && package
}

fn unused(policy: &Policy, exception: &Exception) -> Finding {
    let rule = exception.rule;
    let of = match (&exception.path, &exception.package) {
        (Some(path), Some(package)) => format!(" of {} in {}", path.text, package.text),
        (Some(path), None) => format!(" of {}", path.text),
        (None, Some(package)) => format!(" in {}", package.text),
        (None, None) => String::new(),
    };
    let is_asked = !rule.is_forbiddable() || policy.forbids(rule.name).is_some();
    let (message, hint) = match is_asked {
        true => (
            format!("the exception from “{}”{of} meets no finding", rule.name),
            Code::named("unused-exception").map_or("", |code| code.help),
        ),
        false => (
            format!("the exception from “{}”{of} excuses what nothing forbids", rule.name),
            "Add the rule to policy.forbid, or take the exception out of policy.allow.",
        ),
    };
    let hint = super::lower(hint.trim_end_matches('.'));
    Finding::new("unused-exception", Severity::Warning, Place::Image)
        .says(message, hint)
        .asked_in(exception.line.clone())
}
