//! Whether the finished tree can work, found out without running anything in it.
//!
//! In: the tree. Out: [`Finding`]s: libraries and interpreters that are missing, links that lead nowhere ([`check`]);
//! shells, set-id files and the like, for the manifest's policies ([`policy`]), which then has its say on all of them
//! ([`judge`]); the same as JSON and SARIF ([`report`]). Files are read in bounded pieces, as they may be hostile.

mod elf;
mod finding;
mod judge;
mod policy;
mod programs;
pub mod report;

pub use finding::{Excuse, Finding, Place};
pub use judge::judge;
pub use policy::{Armed, Subject, armed, noteworthy, policy};
use rayon::prelude::*;

use crate::{
    base::{Arch, PackageName, RootPath, Severity},
    elf::{ElfError, HEAD, Object},
    finish::{FinishError, ldcache},
    python::{Site, Unmet, unmet},
    tree::{Kind, Node, Origin, Tree},
    unpack::SHEBANG,
};

/// Finds the packages that ship a library, by its soname.
pub type Providers<'a> = &'a dyn Fn(&[u8]) -> Vec<PackageName>;

/// What the caller knows beside the tree.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// `python.ignore-needs`: sonames that files of wheels and tarballs may miss.
    pub ignore: &'a [String],
    /// The packages that ship a library of that soname, for hints; empty when none does. `None`: nobody can tell.
    pub providers: Option<Providers<'a>>,
}

/// Everything that cannot work.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn check(tree: &Tree, arch: Arch, options: Options<'_>) -> Result<Vec<Finding>, FinishError> {
    let files: Vec<(&RootPath, &Node)> = tree.iter().collect();
    let read = |path: &RootPath, source| FinishError::Read { path: path.clone(), source };
    let mut findings = Vec::new();
    let mut objects = Vec::new();
    let looked: Vec<Looked> = files
        .par_iter()
        .map(|(path, node)| look(tree, path, node).map_err(|source| read(path, source)))
        .collect::<Result<_, _>>()?;
    for looked in looked {
        match looked {
            Looked::Fine => {}
            Looked::Bad(finding) => findings.push(*finding),
            Looked::Elf(object) => objects.push(*object),
        }
    }
    findings.extend(elf::unresolved(tree, arch, &ldcache::directories(tree, arch)?, &objects, options));
    findings.sort_by(|a, b| (a.path(), &a.message).cmp(&(b.path(), &b.message)));
    Ok(findings)
}

/// Projects that wheels require, and that the image does not have: only a warning, as a wheel may say more than it needs.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn projects(tree: &Tree, site: &Site) -> Result<Vec<Finding>, FinishError> {
    let read = |source| FinishError::Read { path: site.layout.site.clone(), source };
    let finding = |unmet: Unmet| {
        let message = match unmet.found {
            Some(version) => format!("it requires {}, and the image has {version}", unmet.requirement),
            None => format!("it requires {}, which is not in the image", unmet.requirement),
        };
        Finding::at("missing-project", Severity::Warning, unmet.path, unmet.origin)
            .says(message, "add it to the application's lock or to python.wheels")
    };
    Ok(unmet(tree, site).map_err(read)?.into_iter().map(finding).collect())
}

enum Looked {
    Fine,
    Bad(Box<Finding>),
    Elf(Box<Object<Origin>>),
}

fn look(tree: &Tree, path: &RootPath, node: &Node) -> std::io::Result<Looked> {
    let bad = |code, severity, message: String, hint: String| {
        let finding = Finding::at(code, severity, path.clone(), node.origin.clone()).says(message, hint);
        Ok(Looked::Bad(Box::new(finding)))
    };
    match &node.kind {
        Kind::Dir | Kind::Hardlink(_) => Ok(Looked::Fine),
        Kind::Symlink(target) => {
            if may_dangle(path, target) || tree.resolve(path).is_some() {
                return Ok(Looked::Fine);
            }
            let message = format!("the link leads to {}, which is not there", shown(target));
            bad("dangling-link", Severity::Warning, message, "install what it leads to, or remove the link".into())
        }
        Kind::File(content) => {
            let head = content.read_part(0, HEAD)?;
            if head.starts_with(b"\x7fELF") {
                return match elf::read(path, node, content, head) {
                    Ok(object) => Ok(object.map_or(Looked::Fine, |object| Looked::Elf(Box::new(object)))),
                    Err(ElfError::Io(error)) => Err(error),
                    Err(error) => {
                        bad("broken-elf", Severity::Error, error.to_string(), "replace or remove the file".into())
                    }
                };
            }
            let is_program = node.meta.mode & 0o111 != 0 && !is_module(path);
            let line = head.get(..SHEBANG).unwrap_or(&head);
            let Some(line) = line.strip_prefix(b"#!").filter(|_| is_program) else { return Ok(Looked::Fine) };
            match missing_interpreter(tree, line) {
                None => Ok(Looked::Fine),
                Some(name) => bad(
                    "missing-interpreter",
                    Severity::Warning,
                    format!("the script wants {name}, which is not there"),
                    "remove the script with [rootfs] remove if nothing runs it".into(),
                ),
            }
        }
    }
}

/// A Python module in a library folder: it is imported, and its `#!` line a relic, whatever its mode.
fn is_module(path: &RootPath) -> bool {
    let is_library = |part: &[u8]| {
        let digits = part.strip_prefix(b"python3.").unwrap_or_default();
        matches!(part, b"dist-packages" | b"site-packages")
            || !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    };
    path.file_name().ends_with(b".py") && path.parent().is_some_and(|folder| folder.components().any(is_library))
}

/// The interpreter of a `#!` line (execve(2)), if the tree does not have it; with `env`, the program that env runs.
fn missing_interpreter(tree: &Tree, line: &[u8]) -> Option<String> {
    let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
    let mut words = line.split(|b| matches!(b, b' ' | b'\t' | b'\r')).filter(|word| !word.is_empty());
    let interpreter = words.next()?;
    if !is_program(tree, interpreter) {
        return Some(shown(interpreter));
    }
    if interpreter.ends_with(b"/env") {
        let name = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?;
        let found = [&b"/usr/local/bin/"[..], b"/usr/bin/", b"/usr/local/sbin/", b"/usr/sbin/"]
            .iter()
            .any(|folder| is_program(tree, &[*folder, name].concat()));
        return (!found).then(|| shown(name));
    }
    None
}

fn is_program(tree: &Tree, path: &[u8]) -> bool {
    let end = tree.resolve_from(&RootPath::root(), path).filter(|end| tree.content(end).is_some());
    end.and_then(|end| tree.get(&end)).is_some_and(|node| node.meta.mode & 0o111 != 0)
}

/// Links that are expected to lead nowhere in an image: into documentation of packages that are not in, and into what
/// is only there at run time.
fn may_dangle(path: &RootPath, target: &[u8]) -> bool {
    let documentation = ["usr/share/doc", "usr/share/man", "usr/share/info"];
    documentation.into_iter().any(|folder| path.starts_with(&RootPath::literal(folder)))
        || [&b"/proc/"[..], b"/dev/", b"/sys/", b"/run/"].iter().any(|place| target.starts_with(place))
}

/// Bytes of the tree in a message: no control characters.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Hints begin small, as they follow a message; a name keeps its letters.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
