//! What is compiled, what decides over the result, and what the interpreter needs in order to run.
//!
//! In: the finished tree. Out: modules in groups by who brought them, digests, a small tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
};

use super::{BytecodeError, Interpreter};
use crate::{
    base::{RootPath, Sha256, Sha256Writer},
    tree::{Content, Kind, Meta, Node, NotADirectory, Origin, Tree},
};

/// Modules larger than this many bytes stay as they are.
const MAX_SOURCE: u64 = 64 << 20;

/// One module to be compiled.
#[derive(Debug)]
pub(super) struct Module {
    /// Where the source is.
    pub(super) path: RootPath,
    /// Where the bytecode goes.
    pub(super) pyc: RootPath,
    pub(super) source: Content,
    /// Of the source, seconds since 1970.
    pub(super) mtime: i64,
}

/// The modules by who brought them, in path order.
pub(super) type Groups = BTreeMap<Origin, Vec<Module>>;

impl Interpreter {
    /// What its modules' bytecode is called after (PEP 3147; `sys.implementation.cache_tag`).
    pub(super) fn cache_tag(&self) -> String {
        format!("cpython-{}{}", self.minor.0, self.minor.1)
    }

    /// The folder that `bin` is in.
    fn prefix(&self) -> RootPath {
        self.path.parent().and_then(|bin| bin.parent()).unwrap_or(RootPath::root())
    }

    /// Of the standard library, as far as it is in the tree.
    fn stdlib(&self, tree: &Tree) -> Option<RootPath> {
        let (major, minor) = self.minor;
        tree.resolve(&self.prefix().join(format!("lib/python{major}.{minor}")).ok()?)
    }

    /// The folders that it imports from: its own library, what is installed beside Debian's packages (Python policy,
    /// section 2.5), and for Debian's own interpreter what Debian's packages bring.
    fn folders(&self, tree: &Tree) -> BTreeSet<RootPath> {
        let (major, minor) = self.minor;
        let stdlib = self.stdlib(tree);
        let mut names = vec![
            format!("usr/local/lib/python{major}.{minor}/dist-packages"),
            format!("usr/local/lib/python{major}.{minor}/site-packages"),
        ];
        if stdlib.as_ref().and_then(RootPath::parent) == Some(RootPath::literal("usr/lib")) {
            names.push(format!("usr/lib/python{major}/dist-packages"));
        }
        let names = names.iter().filter_map(|name| tree.resolve(&RootPath::parse(name.as_bytes()).ok()?));
        names.chain(stdlib).collect()
    }
}

/// The modules of the tree that have no bytecode yet: every `.py` that is a regular file in a folder that the
/// interpreter imports from, or the manifest's own. Symbolic links stay without: they lead to what an administrator may
/// change (`sitecustomize.py` to `/etc`).
pub(super) fn find(tree: &Tree, interpreter: &Interpreter) -> Groups {
    let folders = interpreter.folders(tree);
    let tag = interpreter.cache_tag();
    let mut groups = Groups::new();
    for (path, node) in tree.iter() {
        let Some(name) = path.file_name().strip_suffix(b".py").filter(|name| !name.is_empty()) else { continue };
        let is_regular = matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
        let is_imported = || node.origin == Origin::Manifest || folders.iter().any(|folder| path.starts_with(folder));
        if !is_regular || !is_imported() {
            continue;
        }
        let Some(source) = tree.content(path).filter(|source| source.len() <= MAX_SOURCE) else { continue };
        // A name that leaves no room for the tag has nowhere to go.
        let below = [&b"__pycache__/"[..], name, b".", tag.as_bytes(), b".pyc"].concat();
        let pyc = path.parent().and_then(|folder| folder.join(below).ok());
        let Some(pyc) = pyc.filter(|pyc| tree.get(pyc).is_none()) else { continue };
        let module = Module { path: path.clone(), pyc, source: source.clone(), mtime: node.meta.mtime };
        groups.entry(node.origin.clone()).or_default().push(module);
    }
    groups
}

/// What decides over the bytecode beside the sources: every file that those brought who brought the interpreter and its
/// standard library.
pub(super) fn identity(tree: &Tree, interpreter: &Interpreter) -> Result<Sha256, BytecodeError> {
    let stdlib = interpreter.stdlib(tree);
    let binary = tree.resolve(&interpreter.path);
    let is_installed = |path: &RootPath| path.components().any(is_modules_folder);
    let is_part = |path: &RootPath| {
        let in_stdlib = || stdlib.as_ref().is_some_and(|folder| path.starts_with(folder));
        Some(path) == binary.as_ref() || in_stdlib() && !is_installed(path)
    };
    let parts = || tree.iter().filter(|(_, node)| !matches!(node.kind, Kind::Dir));
    let origins: BTreeSet<&Origin> = parts()
        .filter(|(path, node)| node.origin.is_unpacked() && is_part(path))
        .map(|(_, node)| &node.origin)
        .collect();
    let mut out = Sha256Writer::new(io::sink());
    for (path, node) in parts() {
        // What is told of packages and what a tarball's site-packages hold compiles nothing.
        let is_brought =
            || origins.contains(&node.origin) && !is_installed(path) && !path.as_bytes().starts_with(b"usr/share/");
        if !(is_part(path) || is_brought()) {
            continue;
        }
        add(&mut out, path.as_bytes());
        match &node.kind {
            Kind::Symlink(target) => add(&mut out, target),
            Kind::Dir => {}
            Kind::File(_) | Kind::Hardlink(_) => {
                let unread = |source| BytecodeError::Read { path: path.clone(), source };
                let digest = tree.content(path).map(Content::sha256).transpose().map_err(unread)?;
                add(&mut out, digest.as_ref().map_or(&[][..], |digest| digest.bytes()));
            }
        }
    }
    Ok(out.finish().1)
}

/// The key of a group in the store: `by` says who compiles.
pub(super) fn key(
    format: u32,
    by: &[u8],
    interpreter: &Interpreter,
    modules: &[Module],
) -> Result<Sha256, BytecodeError> {
    let mut out = Sha256Writer::new(io::sink());
    add(&mut out, b"compose bytecode");
    add(&mut out, &format.to_le_bytes());
    add(&mut out, by);
    add(&mut out, interpreter.cache_tag().as_bytes());
    for module in modules {
        add(&mut out, module.path.as_bytes());
        let unread = |source| BytecodeError::Read { path: module.path.clone(), source };
        add(&mut out, module.source.sha256().map_err(unread)?.bytes());
    }
    Ok(out.finish().1)
}

fn add(out: &mut Sha256Writer<io::Sink>, bytes: &[u8]) {
    // Nothing fails in a sink.
    let _ = out.write_all(&(bytes.len() as u64).to_le_bytes());
    let _ = out.write_all(bytes);
}

fn is_modules_folder(part: &[u8]) -> bool {
    part == b"dist-packages" || part == b"site-packages"
}

/// The part of the tree that the interpreter needs in order to start: itself, its standard library, all shared
/// libraries but those of installed modules, the loader's cache, and the links that lead to them. Readable by anyone,
/// special to no one.
///
/// # Errors
/// None for what comes from a tree.
pub(super) fn runtime(tree: &Tree, interpreter: &Interpreter) -> Result<Tree, NotADirectory> {
    let stdlib = interpreter.stdlib(tree);
    let binary = tree.resolve(&interpreter.path);
    let mut small = Tree::new(tree.epoch());
    for (path, node) in tree.iter() {
        if path.components().any(is_modules_folder) {
            continue;
        }
        let name = path.file_name();
        let is_library = || name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.");
        let is_wanted = Some(path) == binary.as_ref()
            || stdlib.as_ref().is_some_and(|folder| path.starts_with(folder))
            || is_library()
            || path.as_bytes() == b"etc/ld.so.cache";
        let kind = match &node.kind {
            Kind::Symlink(target) => Kind::Symlink(target.clone()),
            Kind::File(_) | Kind::Hardlink(_) if is_wanted => match tree.content(path) {
                Some(content) => Kind::File(content.clone()),
                None => continue,
            },
            _ => continue,
        };
        let mode = if matches!(kind, Kind::File(_)) { 0o755 } else { 0o777 };
        let meta = Meta::root(mode, tree.epoch());
        small.insert(path.clone(), Node { meta, kind, origin: Origin::Finish("bytecode"), ready: None })?;
    }
    Ok(small)
}
