//! The finished tree, looked at without executing anything.
//!
//! In: the tree and `[policy]`. Out: findings: data with stable codes, each naming the path, who brought it and what
//! would mend it.

use std::fmt;

use crate::{
    base::RootPath,
    manifest::{Policy, PolicyRule},
    tree::{Kind, Node, Origin, Tree},
};

/// Something wrong with the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name of the rule.
    pub code: &'static str,
    /// Where.
    pub path: RootPath,
    /// Who brought it.
    pub origin: String,
    /// What is wrong, and what would mend it.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} ({}): {}", self.code, self.path, self.origin, self.message)
    }
}

/// Base names of shells.
const SHELLS: [&str; 12] =
    ["ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "rbash", "sh", "tcsh", "zsh"];

/// Base names of programs that install software.
const PACKAGE_MANAGERS: [&str; 11] =
    ["apk", "apt", "apt-get", "aptitude", "dpkg", "dpkg-deb", "easy_install", "npm", "pip", "pip3", "rpm"];

/// Directories of programs (hier(7)).
const BIN: [&str; 6] = ["usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/games", "usr/lib/klibc/bin"];

/// All findings, in the order of paths.
///
/// # Errors
/// When a script's first line cannot be read.
pub fn check(tree: &Tree, policy: &Policy) -> std::io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, node) in tree.iter() {
        for &rule in &policy.forbid {
            if let Some(message) = breaks(rule, path, node) {
                findings.push(finding(rule.name(), path, node, message));
            }
        }
        if let Some(message) = interpreter(tree, path, node)? {
            findings.push(finding("interpreter", path, node, message));
        }
    }
    Ok(findings)
}

fn finding(code: &'static str, path: &RootPath, node: &Node, message: String) -> Finding {
    let origin = match &node.origin {
        Origin::Package(name) => format!("package {name}"),
        Origin::Manifest => "the manifest's [[files]]".into(),
        Origin::Finish(step) => format!("made by compose: {step}"),
    };
    Finding { code, path: path.clone(), origin, message }
}

fn breaks(rule: PolicyRule, path: &RootPath, node: &Node) -> Option<String> {
    let is_dir = matches!(node.kind, Kind::Dir);
    let program = |names: &[&str]| {
        let in_bin = path.parent().is_some_and(|parent| BIN.iter().any(|bin| bin.as_bytes() == parent.as_bytes()));
        !is_dir && in_bin && names.iter().any(|name| name.as_bytes() == path.file_name())
    };
    match rule {
        PolicyRule::Shell if program(&SHELLS) => {
            Some("is a shell, and policy.forbid names “shell”; take it out with rootfs.remove, or its package with packages.forbid".into())
        }
        PolicyRule::PackageManager if program(&PACKAGE_MANAGERS) => {
            Some("installs software, and policy.forbid names “package-manager”; take it out with rootfs.remove".into())
        }
        PolicyRule::Setuid if matches!(node.kind, Kind::File(_)) && node.meta.mode & 0o6000 != 0 => {
            let mode = node.meta.mode;
            Some(format!("has mode {mode:04o}, and policy.forbid names “setuid”; take it out with rootfs.remove"))
        }
        // What everybody may write is usual for a sticky directory, and a link has no mode of its own.
        PolicyRule::WorldWritable
            if node.meta.mode & 0o002 != 0
                && !matches!(node.kind, Kind::Symlink(_))
                && !(is_dir && node.meta.mode & 0o1000 != 0) =>
        {
            let mode = node.meta.mode;
            Some(format!("has mode {mode:04o}, and policy.forbid names “world-writable”; give it another mode"))
        }
        _ => None,
    }
}

/// An executable script whose interpreter is not in the image (execve(2), “Interpreter scripts”).
fn interpreter(tree: &Tree, path: &RootPath, node: &Node) -> std::io::Result<Option<String>> {
    let Kind::File(content) = &node.kind else { return Ok(None) };
    let in_bin = path.parent().is_some_and(|parent| BIN.iter().any(|bin| bin.as_bytes() == parent.as_bytes()));
    if node.meta.mode & 0o111 == 0 || !in_bin {
        return Ok(None);
    }
    let head = content.read_part(0, 256)?;
    let Some(line) = head.strip_prefix(b"#!").and_then(|rest| rest.split(|&b| b == b'\n').next()) else {
        return Ok(None);
    };
    let words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    let Some(program) = words.first() else { return Ok(None) };
    let there = |path: &str| RootPath::parse(path.as_bytes()).ok().and_then(|path| tree.resolve(&path)).is_some();
    let (wanted, found) = match words.get(1) {
        // `#!/usr/bin/env python3` finds the program in PATH, and needs env itself.
        Some(name) if program.ends_with("/env") && !name.starts_with('-') => {
            (format!("{program} and {name}"), there(program) && BIN.iter().any(|bin| there(&format!("{bin}/{name}"))))
        }
        _ => (program.to_string(), there(program)),
    };
    Ok((!found).then(|| {
        format!("is a script for {wanted}, which the image lacks; install it, or take the script out with rootfs.remove")
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::tree::Tree;

    fn codes(mode: u32, path: &str, bytes: &str) -> Vec<&'static str> {
        let mut tree = Tree::new(0);
        let path = RootPath::parse(path.as_bytes()).unwrap();
        tree.insert_file(path, mode, bytes.as_bytes(), Origin::Manifest).unwrap();
        let policy = Policy { forbid: PolicyRule::ALL.map(|(_, rule)| rule).into(), max_size: None };
        check(&tree, &policy).unwrap().into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_rule_finds_its_own_and_nothing_else() {
        for (mode, path, bytes, expected) in [
            (0o755, "usr/bin/dash", "", vec!["shell"]),
            (0o755, "usr/share/dash", "", vec![]),
            (0o755, "usr/bin/pip3", "", vec!["package-manager"]),
            (0o4755, "usr/bin/mount", "", vec!["setuid"]),
            (0o666, "etc/x", "", vec!["world-writable"]),
            (0o755, "usr/bin/x", "#!/usr/bin/python3\n", vec!["interpreter"]),
            (0o755, "usr/bin/x", "#! /usr/bin/env python3\n", vec!["interpreter"]),
            (0o755, "usr/bin/x", "#!/usr/bin/x", vec![]),
            (0o644, "usr/bin/x", "#!/usr/bin/python3\n", vec![]),
            (0o755, "usr/bin/x", "\x7fELF", vec![]),
        ] {
            assert_eq!(codes(mode, path, bytes), expected, "{path} {mode:o} {bytes}");
        }
    }
}
