//! Trees and manifests with one fault each.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;
use crate::{
    check::judge,
    elf::fixture::Fixture,
    lock::{CutEdge, LockedPackage, LockedWheel},
    manifest,
    tree::Meta,
};

fn with(policy: &str) -> Manifest {
    let text =
        format!("name = \"x\"\narchs = [\"amd64\"]\ndebian.suite = \"trixie\"\npackages.install = [\"a\"]\n{policy}");
    manifest::parse(&text, Path::new("x.toml")).unwrap_or_else(|error| panic!("{error}"))
}

fn put(tree: &mut Tree, path: &'static str, mode: u32, origin: Origin, bytes: Vec<u8>) {
    let node = Node { meta: Meta::root(mode, 0), kind: Kind::File(Content::inline(bytes)), origin, ready: None };
    tree.insert(RootPath::literal(path), node).unwrap();
}

fn package(name: &str) -> Origin {
    Origin::Package(name.parse().unwrap())
}

/// Something of everything that can be objected to.
fn tree() -> Tree {
    let mut tree = Tree::new(0);
    put(&mut tree, "usr/bin/dash", 0o755, package("dash"), vec![]);
    put(&mut tree, "usr/bin/su", 0o4755, package("login"), vec![]);
    put(&mut tree, "usr/bin/dpkg", 0o755, package("dpkg"), vec![]);
    put(&mut tree, "usr/share/doc/bash", 0o666, package("bash"), vec![]);
    put(&mut tree, "usr/bin/ping", 0o755, package("ping"), vec![]);
    let xattrs = &mut tree.get_mut(&RootPath::literal("usr/bin/ping")).unwrap().meta.xattrs;
    xattrs.insert((*CAPABILITY).into(), (*b"x").into());
    tree.insert_link(RootPath::literal("usr/bin/sh"), b"dash", Origin::Finish("test")).unwrap();
    tree.insert_link(RootPath::literal("usr/bin/zsh"), b"gone", Origin::Finish("test")).unwrap();
    for (path, mode) in [("tmp", 0o1777), ("open", 0o777), ("var/mail", 0o2775)] {
        let node = Node { meta: Meta::root(mode, 0), kind: Kind::Dir, origin: Origin::Manifest, ready: None };
        tree.insert(RootPath::literal(path), node).unwrap();
    }
    put(
        &mut tree,
        "etc/passwd",
        0o644,
        Origin::Manifest,
        b"root:x:0:0::/:/x\ntoor:x:0:0::/:/x\nweb:x:7:7::/:/x\n".to_vec(),
    );
    // The fixture has neither PT_GNU_STACK nor PT_GNU_RELRO.
    let module = Fixture::new().runpath("/open/lib:.:$ORIGIN:/open").build();
    put(&mut tree, "opt/w.so", 0o644, Origin::Wheel("w".into()), module.clone());
    let mut program = Fixture::new().build();
    program[16] = 2;
    put(&mut tree, "usr/bin/fixed", 0o755, package("fixed"), program);
    put(&mut tree, "usr/lib/debug/x", 0o644, package("x-dbg"), module);
    tree
}

fn target() -> Target {
    let package = |name: &str| LockedPackage {
        name: name.parse().unwrap(),
        version: "1.0".parse().unwrap(),
        arch: "amd64".into(),
        source: name.into(),
        source_version: None,
        repository: "debian".into(),
        filename: String::new(),
        size: 0,
        sha256: crate::base::Sha256::of(b""),
        required_by: Vec::new(),
    };
    let wheel = LockedWheel {
        name: "pip".into(),
        version: "26.0".into(),
        filename: "pip-26.0-py3-none-any.whl".into(),
        size: 0,
        sha256: crate::base::Sha256::of(b""),
        url: None,
        path: None,
        needs: Vec::new(),
    };
    Target {
        proven_minimal: true,
        installed_size: 0,
        cut: vec![CutEdge { package: "tzdata".into(), dependency: "debconf".into(), reason: "scripts only".into() }],
        built: None,
        needs: Vec::new(),
        packages: vec![package("perl-base"), package("libsystemd0"), package("zlib1g")],
        tarballs: Vec::new(),
        wheels: vec![wheel],
    }
}

/// Each finding as its code, its line and its words.
fn found(policy: &str) -> Vec<String> {
    let (manifest, tree, target) = (with(policy), tree(), target());
    let not_reproduced = [("tool".parse().unwrap(), Box::from("postinst"))];
    let subject =
        Subject { tree: &tree, arch: Arch::Amd64, target: &target, not_reproduced: &not_reproduced, size: 2048 };
    let findings = judge(&manifest.policy, super::policy(&manifest, subject).unwrap());
    for finding in &findings {
        assert!(Code::named(finding.code).is_some(), "{} is in no table", finding.code);
        assert!(!finding.hint.is_empty() && !finding.hint.ends_with('.'), "{}", finding.hint);
        assert!(finding.line.is_some(), "{finding}");
    }
    let shown = |finding: &Finding| match &finding.excuse {
        None => format!("{} {} {finding}", finding.severity, finding.code),
        Some(excuse) => format!("excused {} {finding}: {}", finding.code, excuse.reason),
    };
    findings.iter().map(shown).collect()
}

#[test]
fn each_rule_by_itself() {
    for (policy, wanted) in [
        ("", &[][..]),
        ("forbid = []", &[]),
        (
            "forbid = [\"shell\"]",
            &["error shell /usr/bin/dash: it is a shell (dash)", "error shell /usr/bin/sh: it is a shell"],
        ),
        ("forbid = [\"package-manager\"]", &["error package-manager /usr/bin/dpkg: it is a package manager (dpkg)"]),
        (
            "forbid = [\"setuid\"]",
            &["error setuid /usr/bin/su: it runs as user 0 or group 0 whoever starts it (mode 4755) (login)"],
        ),
        (
            "forbid = [\"capabilities\"]",
            &["error capabilities /usr/bin/ping: it has capabilities, which whoever starts it gets \
               (security.capability) (ping)"],
        ),
        (
            "forbid = [\"world-writable\"]",
            &[
                "error world-writable /open: everyone may write and delete in it (mode 0777, no sticky bit)",
                "error world-writable /usr/share/doc/bash: everyone may write it (mode 0666) (bash)",
            ],
        ),
        ("forbid = [\"not-pie\"]", &["error not-pie /usr/bin/fixed: it is loaded at a fixed address (no PIE) (fixed)"]),
        (
            "forbid = [\"no-relro\"]\nallow = [{ rule = \"no-relro\", package = \"fixed\", reason = \"old\" }]",
            &[
                "error no-relro /opt/w.so: its tables of addresses stay writable (no RELRO) (the wheel w)",
                "excused no-relro /usr/bin/fixed: its tables of addresses stay writable (no RELRO) (fixed): old",
            ],
        ),
        (
            "forbid = [\"executable-stack\"]\nallow = [{ rule = \"executable-stack\", path = \"/usr/**\", reason = \"old\" }]",
            &[
                "error executable-stack /opt/w.so: it wants a stack that may hold code (PT_GNU_STACK) (the wheel w)",
                "excused executable-stack /usr/bin/fixed: it wants a stack that may hold code (PT_GNU_STACK) (fixed): \
                 old",
            ],
        ),
        (
            "forbid = [\"insecure-search-path\"]",
            &[
                "error insecure-search-path /opt/w.so: it loads libraries from “.”, “/open”, which others can fill (the \
               wheel w)",
            ],
        ),
        ("forbid = [\"text-relocations\"]", &[]),
        (
            "forbid = [\"root-user\"]",
            &["error root-user the image: it starts as root: accounts.run-as is not set (line 6)"],
        ),
        (
            "forbid = [\"script-not-reproduced\"]",
            &["error script-not-reproduced tool: nothing does what its postinst would do"],
        ),
        (
            "forbid = [\"cut-dependency\"]",
            &["error cut-dependency tzdata: its dependency debconf is not installed: scripts only"],
        ),
        (
            "packages = [\"perl*\", \"libsystemd[0-9]\", \"zlib\"]",
            &[
                "error forbidden-package libsystemd0: version 1.0 is in, and policy.packages has “libsystemd[0-9]”",
                "error forbidden-package perl-base: version 1.0 is in, and policy.packages has “perl*”",
            ],
        ),
        (
            "wheels = [\"pip\"]",
            &["error forbidden-wheel the wheel pip: version 26.0 is in, and policy.wheels has “pip”"],
        ),
        (
            "paths = [\"/bin/{su,ping}\", \"/open/**\", \"/bin\"]",
            &[
                "error forbidden-path /usr/bin/ping: it is in the image, and policy.paths has “/usr/bin/{su,ping}” \
                 (ping)",
                "error forbidden-path /usr/bin/su: it is in the image, and policy.paths has “/usr/bin/{su,ping}” \
                 (login)",
            ],
        ),
        ("max-size = 2048\nmax-packages = 3", &[]),
        (
            "max-size = \"1 KiB\"\nmax-packages = 2",
            &[
                "error max-packages the image: it has 3 packages, and policy.max-packages allows 2 (line 7)",
                "error max-size the image: it has 2048 bytes as a plain tar, and policy.max-size allows 1024 (line 6)",
            ],
        ),
    ] {
        assert_eq!(found(&format!("[policy]\n{policy}\n")), wanted, "{policy}");
    }
    assert_eq!(found("[policy]\nforbid = [\"unhardened\", \"not-pie\"]\n").len(), 6);
}

#[test]
fn who_is_root() {
    for (user, is_root) in [("web", false), ("7:0", false), ("0", true), ("0:7", true), ("toor", true), ("root", true)]
    {
        let policy = format!("accounts.run-as = \"{user}\"\npolicy.forbid = [\"root-user\"]\n");
        assert_eq!(found(&policy).len(), usize::from(is_root), "{user}");
    }
}

#[test]
fn exceptions_that_meet_nothing_are_told() {
    let rest = "reason = \"r\"";
    for (allow, wanted) in [
        (
            format!("{{ rule = \"setuid\", path = \"/usr/bin/sudo\", {rest} }}"),
            "warning unused-exception the image: the exception from “setuid” of /usr/bin/sudo meets no finding (line 7)",
        ),
        (
            format!("{{ rule = \"shell\", package = \"bash\", {rest} }}"),
            "warning unused-exception the image: the exception from “shell” in bash excuses what nothing forbids (line 7)",
        ),
        (
            format!("{{ rule = \"setuid\", path = \"/bin/su\", package = \"passwd\", {rest} }}"),
            "warning unused-exception the image: the exception from “setuid” of /usr/bin/su in passwd meets no finding \
             (line 7)",
        ),
    ] {
        let found = found(&format!("[policy]\nforbid = [\"setuid\"]\nallow = [{allow}]\n"));
        assert_eq!((found.len(), found.last().unwrap().as_str()), (2, wanted));
    }
    let denied =
        found("[policy]\ndeny-warnings = true\nallow = [{ rule = \"setuid\", path = \"/x\", reason = \"r\" }]\n");
    assert!(denied[0].starts_with("error unused-exception"), "{denied:?}");
}

#[test]
fn warnings_can_be_denied_and_errors_of_every_check_excused() {
    let policy = "[policy]\ndeny-warnings = [\"dangling-link\"]\n\
                  allow = [{ rule = \"missing-library\", package = \"w\", reason = \"loaded by hand\" }]\n";
    let at = |code, severity, path| {
        Finding::at(code, severity, RootPath::literal(path), Origin::Wheel("w".into())).says("m", "h")
    };
    let findings = vec![
        at("dangling-link", Severity::Warning, "a"),
        at("missing-library", Severity::Error, "b"),
        at("foreign-machine", Severity::Warning, "c"),
    ];
    let judged = judge(&with(policy).policy, findings);
    let is_fatal: Vec<bool> = judged.iter().map(Finding::is_fatal).collect();
    assert_eq!(is_fatal, [true, false, false]);
    assert_eq!(judged[1].excuse.as_ref().unwrap().reason, "loaded by hand");
}
