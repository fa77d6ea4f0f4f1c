//! What a manifest does not want in its image: `[policy]`, but for its exceptions.
//!
//! In: the finished tree and what is known of its making. Out: [`Finding`]s, each with the line that asked for it.

use std::io;

use rayon::prelude::*;

use super::{
    Finding, Place,
    elf::is_debug,
    lower,
    programs::{MANAGERS, PROGRAM_FOLDERS, SHELLS},
    shown,
};
use crate::{
    base::{Arch, Code, Line, PackageName, RootPath, Severity},
    elf::{ElfError, HEAD, Hardening, Placement, Relro, Source, expand},
    finish::FinishError,
    lock::Target,
    manifest::{Manifest, Policy},
    tree::{Content, Kind, Node, Origin, Tree},
};

/// Linux capabilities of a file (capabilities(7)).
const CAPABILITY: &[u8] = b"security.capability";

/// What is judged.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The finished image.
    pub tree: &'a Tree,
    /// For which machine.
    pub arch: Arch,
    /// Its packages and wheels, and what was cut.
    pub target: &'a Target,
    /// Maintainer scripts without effect in the image.
    pub not_reproduced: &'a [(PackageName, Box<str>)],
    /// Bytes as a plain tar.
    pub size: u64,
}

/// Everything that breaks the manifest's policy: first what goes for the whole, then by path.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn policy(manifest: &Manifest, subject: Subject<'_>) -> Result<Vec<Finding>, FinishError> {
    let policy = &manifest.policy;
    let mut out = limits(policy, subject);
    out.extend(root_user(manifest, subject)?);
    out.extend(packages(policy, subject));
    out.extend(paths(policy, subject));
    out.extend(files(&|code| policy.forbids(code).map(Some), subject.tree));
    out.extend(hardening(policy, subject)?);
    out.sort_by(|a, b| (&a.place, a.code, &a.message).cmp(&(&b.place, b.code, &b.message)));
    Ok(out)
}

fn help(code: &'static str) -> &'static str {
    Code::named(code).map_or("", |code| code.help).trim_end_matches('.')
}

fn broken(code: &'static str, place: Place, message: impl Into<String>, line: Line) -> Finding {
    let severity = Code::named(code).map_or(Severity::Error, |code| code.severity);
    Finding::new(code, severity, place).says(message, lower(help(code))).asked_in(line)
}

fn limits(policy: &Policy, subject: Subject<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some(limit) = policy.max_size.as_ref().filter(|limit| subject.size > limit.most) {
        let (size, most) = (subject.size, limit.most);
        let message = format!("it has {size} bytes as a plain tar, and policy.max-size allows {most}");
        out.push(broken("max-size", Place::Image, message, limit.line.clone()));
    }
    let count = subject.target.packages.len();
    if let Some(limit) = policy.max_packages.as_ref().filter(|limit| count as u64 > limit.most) {
        let message = format!("it has {count} packages, and policy.max-packages allows {}", limit.most);
        out.push(broken("max-packages", Place::Image, message, limit.line.clone()));
    }
    out
}

/// Whoever the image starts as, by number.
fn root_user(manifest: &Manifest, subject: Subject<'_>) -> Result<Option<Finding>, FinishError> {
    let Some(line) = manifest.policy.forbids("root-user") else { return Ok(None) };
    let Some(user) = manifest.accounts.run_as.as_deref() else {
        return Ok(Some(broken("root-user", Place::Image, "it starts as root: accounts.run-as is not set", line)));
    };
    let name = user.split(':').next().unwrap_or_default();
    let is_root = match name.parse::<u32>() {
        Ok(uid) => uid == 0,
        Err(_) => {
            let path = RootPath::literal("etc/passwd");
            let passwd = subject.tree.read(&path).map_err(|source| FinishError::Read { path, source })?;
            let passwd = String::from_utf8_lossy(passwd.as_deref().unwrap_or_default()).into_owned();
            let mut uids = passwd.lines().filter_map(|line| line.split_once(':').filter(|(user, _)| *user == name));
            uids.next().is_some_and(|(_, rest)| rest.split(':').nth(1) == Some("0"))
        }
    };
    Ok(is_root.then(|| broken("root-user", Place::Image, format!("it starts as {name}, which is root"), line)))
}

/// Names that must not be in, scripts that were not reproduced, dependencies that were cut.
fn packages(policy: &Policy, subject: Subject<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for package in &subject.target.packages {
        let name = package.name.as_str();
        if let Some(pattern) = policy.packages.iter().find(|pattern| pattern.matches(name)) {
            let message = format!("version {} is in, and policy.packages has “{}”", package.version, pattern.text);
            let place = Place::Whole(Origin::Package(package.name.clone()));
            out.push(broken("forbidden-package", place, message, pattern.line.clone()));
        }
    }
    for wheel in &subject.target.wheels {
        if let Some(pattern) = policy.wheels.iter().find(|pattern| pattern.matches(&wheel.name)) {
            let message = format!("version {} is in, and policy.wheels has “{}”", wheel.version, pattern.text);
            let place = Place::Whole(Origin::Wheel(wheel.name.as_str().into()));
            out.push(broken("forbidden-wheel", place, message, pattern.line.clone()));
        }
    }
    if let Some(line) = policy.forbids("script-not-reproduced") {
        for (name, script) in subject.not_reproduced {
            let place = Place::Whole(Origin::Package(name.clone()));
            let message = format!("nothing does what its {script} would do");
            out.push(broken("script-not-reproduced", place, message, line.clone()));
        }
    }
    if let Some(line) = policy.forbids("cut-dependency") {
        for cut in &subject.target.cut {
            let Ok(name) = cut.package.parse::<PackageName>() else { continue };
            let message = format!("its dependency {} is not installed: {}", cut.dependency, cut.reason);
            out.push(broken("cut-dependency", Place::Whole(Origin::Package(name)), message, line.clone()));
        }
    }
    out
}

/// `policy.paths`. Directories alone are nothing to object to.
fn paths(policy: &Policy, subject: Subject<'_>) -> Vec<Finding> {
    if policy.paths.is_empty() {
        return Vec::new();
    }
    let files = subject.tree.iter().filter(|(_, node)| !matches!(node.kind, Kind::Dir));
    let found = files.filter_map(|(path, node)| {
        let absolute = std::path::Path::new("/").join(path.as_path());
        let pattern = policy.paths.iter().find(|pattern| pattern.matches(&absolute))?;
        let place = Place::Path(path.clone(), node.origin.clone());
        let message = format!("it is in the image, and policy.paths has “{}”", pattern.text);
        Some(broken("forbidden-path", place, message, pattern.line.clone()))
    });
    found.collect()
}

/// Rules about one node by itself.
fn files(asked: &dyn Fn(&str) -> Option<Option<Line>>, tree: &Tree) -> Vec<Finding> {
    let folders = PROGRAM_FOLDERS.map(RootPath::literal);
    let mut out = Vec::new();
    for (path, node) in tree.iter() {
        let is_file = matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
        // A link counts when it leads to a file: /usr/bin/sh -> dash.
        let is_program = || path.parent().is_some_and(|dir| folders.contains(&dir)) && tree.content(path).is_some();
        let is_one_of = |names: &[&[u8]]| names.contains(&path.file_name()) && is_program();
        let mode = node.meta.mode;
        let mut add = |code, is_broken: bool, message: &dyn Fn() -> String| {
            if is_broken && let Some(line) = asked(code) {
                let found = broken(code, Place::Path(path.clone(), node.origin.clone()), message(), Line::default());
                out.push(Finding { line, ..found });
            }
        };
        add("shell", is_one_of(&SHELLS), &|| "it is a shell".into());
        add("package-manager", is_one_of(&MANAGERS), &|| "it is a package manager".into());
        add("setuid", is_file && mode & 0o6000 != 0, &|| {
            format!("it runs as user {} or group {} whoever starts it (mode {mode:04o})", node.meta.uid, node.meta.gid)
        });
        add("capabilities", is_file && node.meta.xattrs.contains_key(CAPABILITY), &|| {
            "it has capabilities, which whoever starts it gets (security.capability)".into()
        });
        add("world-writable", is_file && mode & 0o002 != 0, &|| format!("everyone may write it (mode {mode:04o})"));
        let is_open = matches!(node.kind, Kind::Dir) && mode & 0o1002 == 0o002;
        add("world-writable", is_open, &|| {
            format!("everyone may write and delete in it (mode {mode:04o}, no sticky bit)")
        });
    }
    out
}

/// Rules about ELF files: what they are armed with.
fn hardening(policy: &Policy, subject: Subject<'_>) -> Result<Vec<Finding>, FinishError> {
    let codes = ["executable-stack", "insecure-search-path", "no-relro", "not-pie", "text-relocations"];
    if !codes.iter().any(|code| policy.forbids(code).is_some()) {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for Armed { path, node, faults, .. } in armed(subject.tree, subject.arch)? {
        for (code, message) in faults {
            if let Some(line) = policy.forbids(code) {
                out.push(broken(code, Place::Path(path.clone(), node.origin.clone()), message, line));
            }
        }
    }
    Ok(out)
}

/// Shells, package managers, set-id files, capabilities and what everyone may write, whatever a manifest says of them; by
/// path.
pub fn noteworthy(tree: &Tree) -> Vec<Finding> {
    files(&|_| Some(None), tree)
}

/// A program or library, and how it is armed.
pub struct Armed<'t> {
    /// Where.
    pub path: &'t RootPath,
    /// Its node.
    pub node: &'t Node,
    /// What it is armed with.
    pub hardening: Hardening,
    /// What it lacks: codes of [`crate::base::UNHARDENED`], and words.
    pub faults: Vec<(&'static str, String)>,
}

/// Every ELF file that a loader takes, by path; broken ones are not among them. They are read side by side.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn armed(tree: &Tree, arch: Arch) -> Result<Vec<Armed<'_>>, FinishError> {
    let files: Vec<(&RootPath, &Node, &Content)> = tree
        .iter()
        .filter_map(|(path, node)| match &node.kind {
            Kind::File(content) if !is_debug(path) => Some((path, node, content)),
            _ => None,
        })
        .collect();
    let found: Vec<Option<Armed<'_>>> = files
        .par_iter()
        .map(|&(path, node, content)| {
            let hardening = read(content).map_err(|source| FinishError::Read { path: path.clone(), source })?;
            let Some(hardening) = hardening else { return Ok(None) };
            let faults = faults(&hardening, tree, arch, path);
            Ok(Some(Armed { path, node, hardening, faults }))
        })
        .collect::<Result<_, FinishError>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// `None` for what is no ELF file, and for broken ones, which the checks report.
fn read(content: &Content) -> io::Result<Option<Hardening>> {
    // Most files are none: few bytes tell.
    if content.len() < 16 || content.read_part(0, 4)? != b"\x7fELF" {
        return Ok(None);
    }
    let head = content.read_part(0, HEAD)?;
    let source = Source::new(content.len(), head, |offset, length| content.read_part(offset, length));
    match Hardening::read(&source) {
        Ok(hardening) => Ok(hardening),
        Err(ElfError::Io(error)) => Err(error),
        Err(ElfError::Malformed(_)) => Ok(None),
    }
}

/// What a file lacks, by code.
fn faults(hardening: &Hardening, tree: &Tree, arch: Arch, path: &RootPath) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    if hardening.placement == Placement::Fixed {
        out.push(("not-pie", "it is loaded at a fixed address (no PIE)".to_owned()));
    }
    if hardening.relro == Relro::None {
        out.push(("no-relro", "its tables of addresses stay writable (no RELRO)".to_owned()));
    }
    if !hardening.nx_stack {
        out.push(("executable-stack", "it wants a stack that may hold code (PT_GNU_STACK)".to_owned()));
    }
    if hardening.textrel {
        out.push(("text-relocations", "the loader writes into its code (DT_TEXTREL)".to_owned()));
    }
    let mut open: Vec<&[u8]> = hardening.unsafe_search().collect();
    let folder = path.parent().unwrap_or_else(RootPath::root);
    let is_open = |part: &[u8]| {
        let end = tree.resolve_from(&RootPath::root(), &expand(part, &folder, arch)?)?;
        Some(tree.get(&end)?.meta.mode & 0o002 != 0)
    };
    let search = hardening.search.iter().map(|part| &**part);
    open.extend(search.filter(|part| is_open(part) == Some(true)));
    open.sort_unstable();
    open.dedup();
    if !open.is_empty() {
        let names: Vec<_> = open.iter().map(|part| format!("“{}”", shown(part))).collect();
        let message = format!("it loads libraries from {}, which others can fill", names.join(", "));
        out.push(("insecure-search-path", message));
    }
    out
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
