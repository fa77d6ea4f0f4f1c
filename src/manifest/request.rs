//! Small texts inside the manifest that have a grammar of their own: requests and sizes.

use crate::base::PackageName;

/// Why a text is not a request.
pub struct BadRequest {
    /// What is wrong.
    pub what: String,
    /// The next step.
    pub help: Option<String>,
}

/// Checks one entry of `packages.install`: `name`, `name (>= 1.2)`, `a | b` (Policy 7.1, without architectures).
///
/// # Errors
/// In words.
pub fn check(text: &str) -> Result<(), BadRequest> {
    let bad = |what: String, help: &str| BadRequest { what, help: (!help.is_empty()).then(|| help.to_owned()) };
    for scheme in ["file:", "soname:"] {
        if text.trim_start().starts_with(scheme) {
            return Err(bad(format!("“{scheme}” requests are not supported yet"), "name the package instead"));
        }
    }
    for atom in text.split('|') {
        let atom = atom.trim();
        let (name, rest) = atom.split_at(atom.find([' ', '(', '[', '<', '=']).unwrap_or(atom.len()));
        let rest = rest.trim();
        if name.contains(':') {
            return Err(bad(format!("“{atom}” names an architecture"), "“archs” says it for all packages"));
        }
        if let Some(version) = rest.strip_prefix('=') {
            return Err(bad(format!("“{text}” is not a request"), &format!("write “{name} (= {version})”")));
        }
        if !PackageName::is_valid(name) {
            let help = "write “name”, “name (>= 1.2)” or “a | b”";
            return Err(bad(format!("“{atom}” is not a request: “{name}” is not a package name"), help));
        }
        if rest.is_empty() {
            continue;
        }
        if !rest.starts_with('(') {
            let help = "write “name”, “name (>= 1.2)” or “a | b”";
            return Err(bad(format!("“{atom}” is not a request"), help));
        }
        let version = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).and_then(|inside| {
            let inside = inside.trim();
            let operator = ["<<", "<=", ">=", ">>", "="].into_iter().find(|op| inside.starts_with(op))?;
            Some(inside[operator.len()..].trim())
        });
        let good = |c: char| c.is_ascii_alphanumeric() || ".+-~:".contains(c);
        match version {
            Some(version) if !version.is_empty() && version.chars().all(good) => {}
            _ => {
                let help = "the relations are <<, <=, =, >= and >>, as in “libssl3t64 (>= 3.5)”";
                return Err(bad(format!("“{rest}” is not a version relation"), help));
            }
        }
    }
    Ok(())
}

/// A valid request in its one spelling.
pub fn normal(text: &str) -> String {
    let mut out = String::new();
    let mut spaced = text.replace('(', " (").replace("( ", "(");
    for operator in ["<<", "<=", ">=", ">>", "="] {
        // After the bracket there is exactly one operator; a space follows it.
        spaced = spaced.replace(&format!("({operator}"), &format!("({operator} "));
    }
    for part in spaced.split_whitespace() {
        let tight = out.is_empty() || out.ends_with('(') || part == ")";
        out.push_str(if tight { "" } else { " " });
        out.push_str(part);
    }
    out
}

/// A size in bytes: `45 MiB`, `45 MB`, `300 KiB`, `1048576`.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
