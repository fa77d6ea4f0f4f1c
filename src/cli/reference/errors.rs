//! docs/errors.md: every refusal and every kind of finding, as `compose explain` says it.

use super::{filled, head, plain, row, start};
use crate::{
    base::{Asked, CODES, Code, UNHARDENED, exit, refusal::Refusal, words::say},
    cli::exit::CHECK,
};

/// What the first two digits of a refusal's number say.
const GROUPS: [(u16, &str); 12] = [
    (0, "compose itself"),
    (1, "Command line and manifest"),
    (2, "The lock"),
    (3, "Solving"),
    (4, "Signatures, digests, freshness"),
    (5, "The network"),
    (6, ".deb and tar"),
    (7, "Wheels and applications' locks"),
    (8, "Output, disk, cache"),
    (9, "Images, registries, advisories"),
    (10, "The finished tree"),
    (11, "compose run, which ends with 125 for refusals of other groups too"),
];

pub(super) fn page() -> String {
    let mut out = start(
        "Refusals and findings",
        "An error begins with its code and name, such as `error[E0412 signature-expired]`; a finding has a name alone. `compose \
         explain CODE` says what is here. A code or name that was once given out keeps its meaning.",
    );
    for (group, title) in GROUPS {
        let refusals: Vec<&Refusal> = Refusal::all().filter(|refusal| refusal.number / 100 == group).collect();
        if refusals.is_empty() {
            continue;
        }
        say!(out, "\n## E{group:02}: {title}");
        for refusal in refusals {
            let Refusal { name, exit: code, meaning, next_step, .. } = refusal;
            let next = format!("- Next step: {}.", plain(next_step));
            say!(out, "\n### {} {name}\n\n{}\n", refusal.code(), filled(&plain(meaning), ""));
            say!(out, "- Exit code {code}: {}.\n{}", exit::words(*code), filled(&next, "  "));
        }
    }
    say!(
        out,
        "\n## Findings\n\nWhat is found wrong with an image. An error, unless it is excused, ends a build with {CHECK}."
    );
    for code in &CODES {
        let Code { name, severity, meaning, help, .. } = code;
        let next = format!("- Next step: {}", plain(help));
        say!(out, "\n### {name}\n\n{}\n", filled(&plain(meaning), ""));
        say!(out, "- {severity}, looked for {}.\n{}", asked(code), filled(&next, "  "));
    }
    out
}

/// When it is looked for.
pub(super) fn asked(code: &Code) -> String {
    match code.asked {
        Asked::Always => "always".into(),
        Asked::Forbid => "when `policy.forbid` names it".into(),
        Asked::Unhardened => format!("when `policy.forbid` names it or `{UNHARDENED}`"),
        Asked::Key(key) => format!("when there is `policy.{key}`"),
    }
}

/// The table of findings for the page of the manifest.
pub(super) fn findings() -> String {
    let mut out = head(&["Code", "Severity", "Looked for", "Means"]);
    for code in &CODES {
        let name = format!("[`{0}`](errors.md#{0})", code.name);
        out.push_str(&row(&[&name, code.severity.as_str(), &asked(code), &plain(code.meaning)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_in_a_group() {
        let text = page();
        for refusal in Refusal::all() {
            assert!(text.contains(&format!("### {} {}\n", refusal.code(), refusal.name)), "{refusal}");
        }
    }
}
