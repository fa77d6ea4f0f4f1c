//! The check of one entry of `packages.install`: a dependency clause (Policy 7.1) without architectures.
//!
//! In: the entry's text. Out: its canonical spelling, or what is wrong with it. Its meaning is `control/`'s matter.

use super::{
    Want,
    error::{Fault, quote},
    rootfs::image_path,
};
use crate::base::PackageName;

/// An entry in canonical spelling, and what it asks for.
pub(super) fn wish(text: &str) -> Result<(String, Want), Fault> {
    if let Some(path) = text.strip_prefix("file:") {
        let good = path.starts_with('/') && !path.ends_with('/') && !path.contains(['*', '?', '[']);
        let bad = || Fault::new(format!("“{}” is not the absolute path of one file", quote(path)));
        let path = if good { image_path(path)? } else { return Err(bad().help("write file:/usr/bin/git")) };
        return Ok((format!("file:{path}"), Want::File(path)));
    }
    if let Some(name) = text.strip_prefix("soname:") {
        let good = !name.is_empty() && name.contains(".so") && !name.contains(['/', ' ']);
        let bad = || Fault::new(format!("“{}” is not the name of a shared library", quote(name)));
        let want = || (text.to_owned(), Want::Soname(name.into()));
        return if good { Ok(want()) } else { Err(bad().help("write soname:libGL.so.1")) };
    }
    Ok((clause(text)?, Want::Clause))
}

/// The clause in its one canonical spelling.
pub(super) fn clause(text: &str) -> Result<String, Fault> {
    if text.contains(',') {
        return Err(Fault::new(format!("“{}” holds a comma", quote(text))).help("write one entry for each package"));
    }
    let atoms: Result<Vec<String>, Fault> = text.split('|').map(|atom| self::atom(atom.trim(), text)).collect();
    Ok(atoms?.join(" | "))
}

/// The package names in a clause that [`clause`] let through.
pub(super) fn names(clause: &str) -> Vec<String> {
    let name = |atom: &str| atom.trim().split([' ', '(']).next().unwrap_or_default().to_owned();
    clause.split('|').map(name).collect()
}

fn atom(atom: &str, whole: &str) -> Result<String, Fault> {
    if atom.is_empty() {
        let fault = Fault::new(format!("“{}” names no package", quote(whole)));
        return Err(fault.help("write a package's name, or alternatives as \"a | b\""));
    }
    let end = atom.find([' ', '(', '[', '<', ':', '=', '/', '>']).unwrap_or(atom.len());
    let (name, rest) = atom.split_at(end);
    let rest = rest.trim_start();
    if rest.starts_with(':') {
        // No architecture is called like a library or a path.
        let asked = rest.trim_start_matches(':').trim_start();
        if asked.starts_with('/') || asked.contains(".so") {
            let fault = Fault::new(format!("“{}” asks for neither a file nor a library", quote(atom)));
            return Err(fault.help("write such as \"file:/usr/bin/git\" or \"soname:libGL.so.1\""));
        }
        let fault = Fault::new(format!("“{}” names an architecture", quote(atom)));
        return Err(fault.help(format!("write \"{name}\"; “archs” says for which architectures")));
    }
    if rest.starts_with('[') || (rest.starts_with('<') && rest.ends_with('>')) {
        let fault = Fault::new(format!("“{}” is restricted to an architecture or a build profile", quote(atom)));
        return Err(fault.help(format!("write \"{name}\"")));
    }
    if let Some(version) = rest.strip_prefix('=') {
        let version = version.trim_start_matches('=').trim();
        let fault = Fault::new(format!("“{}” is not how a version is asked for", quote(atom)));
        return Err(fault.help(format!("write \"{name} (= {version})\"")));
    }
    if rest.starts_with(['<', '>']) {
        let fault = Fault::new(format!("the version in “{}” wants parentheses", quote(atom)));
        return Err(fault.help(format!("write \"{name} ({rest})\"")));
    }
    if rest.starts_with('/') {
        let fault = Fault::new(format!("“{}” names a suite", quote(atom)));
        return Err(fault.help(format!("write \"{name}\", if need be with a version: \"{name} (>= 1.2)\"")));
    }
    let name: PackageName = name.parse()?;
    if rest.is_empty() {
        return Ok(name.to_string());
    }
    let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        let fault = Fault::new(format!("“{}” is not understood after the name “{name}”", quote(rest)));
        return Err(fault.help("write \"name\" or \"name (>= 1.2)\""));
    };
    let inner = inner.trim();
    let split = inner.find(|c| !matches!(c, '<' | '>' | '=')).unwrap_or(inner.len());
    let (operator, version) = inner.split_at(split);
    if !matches!(operator, "<<" | "<=" | "=" | ">=" | ">>") {
        let fault = Fault::new(format!("“{}” is not one of <<, <=, =, >=, >>", quote(operator)));
        let meant = match operator {
            "<" => "<<",
            ">" => ">>",
            "==" | "" => "=",
            _ => ">=",
        };
        return Err(fault.help(format!("write \"{name} ({meant} {})\"", version.trim())));
    }
    let version = self::version(version.trim())?;
    Ok(format!("{name} ({operator} {version})"))
}

/// The syntax of a version: `[epoch:]upstream[-revision]` (Policy 5.6.12).
fn version(text: &str) -> Result<&str, Fault> {
    let bad = |why: &str| {
        let fault = Fault::new(format!("“{}” is not a version: {why}", quote(text)));
        fault.help("write such as 3.5, 3.5~rc1 or 1:3.5-2+deb13u1")
    };
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Some(epoch), rest),
        None => (None, text),
    };
    let number = |epoch: &str| epoch.bytes().all(|b| b.is_ascii_digit()) && epoch.parse::<i32>().is_ok();
    if !epoch.is_none_or(number) {
        return Err(bad("what stands before “:” is not a number"));
    }
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((upstream, revision)) => (upstream, Some(revision)),
        None => (rest, None),
    };
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(bad("it does not start with a digit"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
    if !upstream.bytes().all(|b| plain(b) || b == b'-' || (b == b':' && epoch.is_some())) {
        return Err(bad("only letters, digits and . + ~ - may be in it"));
    }
    match revision {
        Some("") => Err(bad("nothing follows the last “-”")),
        Some(revision) if !revision.bytes().all(plain) => {
            Err(bad("only letters, digits and . + ~ follow the last “-”"))
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RootPath;

    #[test]
    fn one_spelling_for_one_meaning() {
        for (text, canonical) in [
            ("python3", "python3"),
            ("libssl3t64 (>= 3.5)", "libssl3t64 (>= 3.5)"),
            ("libssl3t64(>=3.5)", "libssl3t64 (>= 3.5)"),
            (" a|b (  << 1:2.0~rc1-3+b1 ) ", "a | b (<< 1:2.0~rc1-3+b1)"),
            ("g++ (= 4:14.2.0-1)", "g++ (= 4:14.2.0-1)"),
        ] {
            assert_eq!(clause(text).map_err(|fault| fault.what), Ok(canonical.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_clause_is_refused() {
        for text in [
            "",
            " ",
            "|",
            "a |",
            "a, b",
            "a:amd64",
            "a [amd64]",
            "a <!nocheck>",
            "a=1",
            "a (1)",
            "a (> 1)",
            "a (>= )",
            "a (>= x)",
            "a (>= 1-)",
            "a (>= 1_2)",
            "a (>= x:1)",
            "a (>= 99999999999:1)",
            "a (>= 1) b",
            "a b",
            "-a",
            "é",
            "a/trixie",
            "a (>= 1",
            "a >= 1",
            "a (>= 1:2-3:4)",
            "a (>= +1:2)",
            "a (>= :2)",
        ] {
            assert!(clause(text).is_err(), "{text:?} passed");
        }
    }

    /// dpkg is the oracle for version syntax, where it is installed.
    #[test]
    fn versions_agree_with_dpkg() {
        let dpkg = |version: &str| {
            std::process::Command::new("dpkg")
                .args(["--validate-version", version])
                .output()
                .map(|o| o.status.success())
        };
        if dpkg("1").is_err() {
            println!("skipped: no dpkg on this machine");
            return;
        }
        for text in [
            "1",
            "0",
            "1.0-1",
            "1:1",
            "1:1:1-1",
            "1~",
            "1+b1",
            "2147483647:1",
            "2147483648:1",
            "1-",
            "-1",
            ":1",
            "1:",
            "1-1-1",
            "1-1:1",
            "1_1",
            "1é",
            "1.2.3~rc1-0+deb13u1",
            "",
        ] {
            assert_eq!(Some(version(text).is_ok()), dpkg(text).ok(), "{text:?}");
        }
    }

    #[test]
    fn files_and_sonames() {
        let (git, sh) = (RootPath::literal("usr/bin/git"), RootPath::literal("usr/bin/sh"));
        assert_eq!(wish("file:/usr/bin/git"), Ok(("file:/usr/bin/git".into(), Want::File(git))));
        assert_eq!(wish("file:/bin/sh"), Ok(("file:/usr/bin/sh".into(), Want::File(sh))));
        assert_eq!(wish("soname:libGL.so.1"), Ok(("soname:libGL.so.1".into(), Want::Soname("libGL.so.1".into()))));
        for text in ["sonam:libGL.so.1", "files:/usr/bin/git"] {
            let help = wish(text).err().and_then(|fault| fault.help);
            assert!(help.is_some_and(|help| help.contains("soname:libGL.so.1")), "{text}");
        }
        for text in ["file:", "file:usr/bin/git", "file:/usr/*", "soname:", "soname:/lib/x.so", "soname:git"] {
            assert!(wish(text).is_err(), "{text:?} passed");
        }
    }
}
