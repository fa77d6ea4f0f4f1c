//! Which maintainer scripts leave something behind that no step makes. The scripts are read as text and never run.
//!
//! In: preinst and postinst of each package. Out: a [`Verdict`] on each. What debhelper adds by itself is taken away
//! first; the rest is looked up in a table, and what is in no table counts as not reproduced, until somebody looks.

use super::{Shipped, alternatives};
use crate::base::PackageName;

/// What is to be said of one script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is in it beyond debhelper's own snippets.
    Trivial,
    /// This step of `finish` makes what it makes.
    Covered(&'static str),
    /// An image has no use for what it does, for this reason.
    Irrelevant(&'static str),
    /// Something may be missing in the image.
    NotReproduced,
}

use Verdict::{Covered, Irrelevant};

const UPGRADES: Verdict = Irrelevant("it mends what older versions left");
const BYTECODE: Verdict = Irrelevant("it compiles Python bytecode, which the first import does without");
const QUESTIONS: Verdict = Irrelevant("it asks debconf, which an image has not");
const DIVERSIONS: Verdict = Irrelevant("it guards the move to merged-/usr with diversions of dpkg");

/// Package (a `*` stands for a version), script, verdict. Read in Debian 13 (amd64); libc6's preinst only skimmed.
const TABLE: [(&str, &str, Verdict); 31] = [
    ("base-files", "preinst", Covered("base")),
    ("base-files", "postinst", Covered("base")),
    ("base-passwd", "preinst", Covered("accounts")),
    ("base-passwd", "postinst", Covered("accounts")),
    ("ca-certificates", "postinst", Covered("ca-certificates")),
    ("ca-certificates-java", "postinst", Covered("java-keystore")),
    ("debconf", "postinst", QUESTIONS),
    ("fontconfig-config", "preinst", UPGRADES),
    ("init-system-helpers", "postinst", UPGRADES),
    ("libblas3", "preinst", UPGRADES),
    ("libc-bin", "postinst", Covered("nsswitch.conf, ld.so.cache")),
    ("libc6", "preinst", Covered("base")),
    ("libc6", "postinst", Irrelevant("it restarts services after an upgrade")),
    ("libc6-i386", "preinst", Covered("base")),
    ("libc6-i386", "postinst", Covered("base")),
    ("liblapack3", "preinst", UPGRADES),
    ("libglib2.0-0t64", "preinst", UPGRADES),
    ("libgtk-3-0t64", "preinst", UPGRADES),
    ("libpython3.*-minimal", "postinst", Irrelevant("it guards against a file that the package ships")),
    ("libreadline8t64", "preinst", DIVERSIONS),
    (
        "netbase",
        "postinst",
        Irrelevant("it makes /etc/hosts, which a container gets when it starts, and names of three networks"),
    ),
    ("openssl", "postinst", Irrelevant("it links a directory that the package ships")),
    ("python3", "preinst", UPGRADES),
    ("python3", "postinst", BYTECODE),
    ("python3-minimal", "postinst", BYTECODE),
    ("python3.*-minimal", "preinst", BYTECODE),
    ("python3.*-minimal", "postinst", Covered("python")),
    ("python3.*", "postinst", BYTECODE),
    ("tar", "postinst", Irrelevant("it makes /usr/sbin/rmt, for tape drives of other machines")),
    ("tzdata", "postinst", Covered("timezone")),
    ("x11-common", "postinst", Irrelevant("it registers a service, and an image has no init system")),
];

/// Snippets that debhelper and its like add, and whose effect an image has another way or needs not: libraries go into
/// ld.so.cache, accounts come from sysusers.d, there is no init system, no dpkg to move conffiles, no bytecode.
const HELPERS: [&str; 14] = [
    "dh_installdeb",
    "dh_installdocs",
    "dh_installinit",
    "dh_installsystemd",
    "dh_installsystemduser",
    "dh_installsysusers",
    "dh_makeshlibs",
    "dh_python2",
    "dh_python3",
    "dh_pypy",
    "dh_strip",
    "dh_systemd_enable",
    "dh_systemd_start",
    "dh_usrlocal",
];

/// Judges one script.
pub fn classify(package: &str, script: &str, text: &[u8]) -> Verdict {
    if !matches!(script, "preinst" | "postinst") {
        return Irrelevant("it is not run when a package is installed");
    }
    let text = String::from_utf8_lossy(text);
    if is_trivial(&text) {
        return Verdict::Trivial;
    }
    if script == "postinst" && is_trivial(&alternatives::without_calls(&text)) {
        return Covered("alternatives");
    }
    let known = TABLE.iter().find(|(pattern, name, _)| *name == script && matches(pattern, package));
    known.map_or(Verdict::NotReproduced, |(_, _, verdict)| *verdict)
}

/// All that are not reproduced, sorted.
pub(super) fn not_reproduced(packages: &[Shipped<'_>]) -> Vec<(PackageName, Box<str>)> {
    let mut out: Vec<_> = packages
        .iter()
        .flat_map(|package| package.scripts.iter().map(move |script| (package.name, script)))
        .filter(|(name, script)| classify(name.as_str(), &script.name, &script.text) == Verdict::NotReproduced)
        .map(|(name, script)| (name.clone(), script.name.clone()))
        .collect();
    out.sort();
    out
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        // Whatever is in the middle is a version: `python3.*` is not `python3.13-minimal`.
        Some((start, end)) => name
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|version| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())),
    }
}

/// Whether nothing is left but known snippets and what every script begins and ends with.
fn is_trivial(text: &str) -> bool {
    let mut helper: Option<bool> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("# Automatically added by ") {
            let name = name.split(['/', ' ']).next().unwrap_or_default().trim_end_matches(':');
            helper = Some(HELPERS.contains(&name));
        } else if line == "# End automatically added section" {
            helper = None;
        } else if line.is_empty()
            || line.starts_with('#')
            || matches!(line, "set -e" | "set -eu" | "exit 0" | ":" | "true")
        {
            // Says nothing.
        } else if helper != Some(true) {
            return false;
        }
    }
    true
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::unpack::Script;

    const KNOWN: &str = "#!/bin/sh\nset -e\n# Automatically added by dh_python3\nif command -v py3compile; then\n\
                         py3compile -p x\nfi\n# End automatically added section\nexit 0\n";

    #[test]
    fn judges() {
        let unknown = KNOWN.replace("dh_python3", "dh_installtmpfiles/13.24");
        let more = format!("{KNOWN}rm -rf /\n");
        let linked = format!("{KNOWN}update-alternatives --install /a \\\n a /b 1\n");
        for (package, script, text, verdict) in [
            ("x", "postinst", "#!/bin/sh\nset -e\n", Verdict::Trivial),
            ("x", "postinst", KNOWN, Verdict::Trivial),
            ("x", "postinst", &unknown, Verdict::NotReproduced),
            ("x", "preinst", &more, Verdict::NotReproduced),
            ("python3.13", "postinst", &more, BYTECODE),
            ("python3.13-minimal", "postinst", &more, Covered("python")),
            ("python3.13-evil", "postinst", &more, Verdict::NotReproduced),
            ("base-passwd", "preinst", &more, Covered("accounts")),
            ("x", "postinst", &linked, Covered("alternatives")),
            ("x", "preinst", &linked, Verdict::NotReproduced),
            ("x", "postinst", &linked.replace("/b", "/$b"), Verdict::NotReproduced),
        ] {
            assert_eq!(classify(package, script, text.as_bytes()), verdict, "{package} {script} {text}");
        }
        assert!(matches!(classify("x", "prerm", more.as_bytes()), Irrelevant(_)));
    }

    #[test]
    fn lists_sorted_and_only_what_is_missing() {
        let script = |name: &str, text: &str| Script { name: name.into(), text: text.as_bytes().into() };
        let scripts = [script("preinst", KNOWN), script("postinst", "rm x\n"), script("prerm", "rm x\n")];
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let shipped = |name| Shipped { name, version: "1", control: "", md5sums: &[], scripts: &scripts };
        let found = not_reproduced(&[shipped(&b), shipped(&a)]);
        assert_eq!(found, [(a.clone(), "postinst".into()), (b.clone(), "postinst".into())]);
    }
}
