//! Which layer each node goes into: by who brought it, so that an update changes the layer that it concerns.
//!
//! In: a finished [`Tree`]. Out: [`Part`]s, the lowest layer first. Each has the directories above its nodes, with the
//! same metadata in every part; a path that is no directory is in one part alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{PackageName, RootPath},
    tree::{Kind, Node, Origin, Tree},
};

/// What a layer is for; the order is that of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Data and configuration: trust roots, time zones, accounts.
    Base,
    /// Packages with shared libraries, and the loader's cache of them.
    Libraries,
    /// Python and its standard library.
    Interpreter,
    /// Python modules: wheels, and Debian's packages of them.
    Modules,
    /// The manifest's own files.
    Own,
}

impl Role {
    /// For the image's history.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Base => "compose: base",
            Self::Libraries => "compose: C libraries",
            Self::Interpreter => "compose: interpreter",
            Self::Modules => "compose: Python modules",
            Self::Own => "compose: the manifest's files",
        }
    }
}

/// The nodes of one layer, sorted by path.
pub(super) struct Part<'t> {
    pub(super) role: Role,
    pub(super) nodes: Vec<(&'t RootPath, &'t Node)>,
}

/// Splits `tree`; parts that would be empty are left out.
pub(super) fn parts(tree: &Tree) -> Vec<Part<'_>> {
    let packages = packages(tree);
    let mut paths: BTreeMap<Role, BTreeSet<&RootPath>> = BTreeMap::new();
    for (path, node) in tree.iter().filter(|(path, _)| !path.is_root()) {
        paths.entry(role(tree, path, node, &packages)).or_default().insert(path);
    }
    let part = |(role, own): (Role, BTreeSet<&RootPath>)| {
        let mut all: BTreeSet<RootPath> = BTreeSet::new();
        for path in own {
            let mut above = path.parent().filter(|above| !above.is_root());
            while let Some(path) = above {
                above = path.parent().filter(|above| !above.is_root());
                if !all.insert(path) {
                    break;
                }
            }
            all.insert(path.clone());
        }
        let nodes = tree.iter().filter(|(path, _)| all.contains(*path)).collect();
        Part { role, nodes }
    };
    paths.into_iter().map(part).collect()
}

/// The role of every package that has something in the tree.
fn packages(tree: &Tree) -> BTreeMap<&PackageName, Role> {
    let mut roles = BTreeMap::new();
    for (path, node) in tree.iter() {
        let Origin::Package(name) = &node.origin else { continue };
        let role = roles.entry(name).or_insert_with(|| by_name(name.as_str()));
        if *role == Role::Base && !matches!(node.kind, Kind::Dir) && is_library(path) {
            *role = Role::Libraries;
        }
    }
    roles
}

/// Python's own packages by their names in Debian: `python3`, `python3-minimal`, `libpython3-stdlib`,
/// `libpython3.13-minimal`; the names of module packages begin with `python3-` (Python policy, section 4.3).
fn by_name(name: &str) -> Role {
    let version = name.strip_prefix("python3").map(|rest| rest.strip_suffix("-minimal").unwrap_or(rest));
    let is_version = |text: &str| text.chars().all(|c| c == '.' || c.is_ascii_digit());
    if version.is_some_and(is_version) || name.starts_with("libpython3") {
        Role::Interpreter
    } else if name.starts_with("python3-") {
        Role::Modules
    } else {
        Role::Base
    }
}

/// `libx.so` or `libx.so.1` anywhere in a library folder: a plug-in makes its package one of libraries too.
fn is_library(path: &RootPath) -> bool {
    let Some(name) = path.components().next_back() else { return false };
    path.as_bytes().starts_with(b"usr/lib") && (name.ends_with(b".so") || name.windows(4).any(|part| part == b".so."))
}

fn role(tree: &Tree, path: &RootPath, node: &Node, packages: &BTreeMap<&PackageName, Role>) -> Role {
    let of = |name: &PackageName| packages.get(name).copied().unwrap_or(Role::Base);
    match &node.origin {
        Origin::Package(name) => of(name),
        Origin::Tarball(_) => Role::Interpreter,
        Origin::Wheel(_) => Role::Modules,
        Origin::Manifest => Role::Own,
        // What is said of a package stands with it.
        Origin::Finish("status.d") => described(path).map_or(Role::Base, |name| of(&name)),
        Origin::Finish("ld.so.cache") => Role::Libraries,
        // Bytecode goes where its module goes, a folder of it with the first in it.
        Origin::Finish("bytecode") => {
            let inside = || tree.children(path).find(|(_, node)| !matches!(node.kind, Kind::Dir));
            let pyc = if matches!(node.kind, Kind::Dir) { inside().map(|(pyc, _)| pyc) } else { Some(path) };
            let module = pyc.and_then(module).filter(|module| module != path);
            let of = module.as_ref().and_then(|module| Some((module, tree.get(module)?)));
            match of {
                Some((module, node)) if node.origin != Origin::Finish("bytecode") => role(tree, module, node, packages),
                _ => Role::Base,
            }
        }
        // It changes with every package.
        Origin::Finish("sbom") => Role::Own,
        Origin::Finish(_) => Role::Base,
    }
}

/// The module that `DIR/__pycache__/NAME.cpython-313.pyc` is of: `DIR/NAME.py` (PEP 3147).
fn module(pyc: &RootPath) -> Option<RootPath> {
    let name = pyc.file_name().strip_suffix(b".pyc")?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    pyc.parent()?.parent()?.join([name.get(..dot)?, b".py"].concat()).ok()
}

/// The package that `var/lib/dpkg/status.d/NAME` or `NAME.md5sums` is about.
fn described(path: &RootPath) -> Option<PackageName> {
    let name = std::str::from_utf8(path.components().nth(4)?).ok()?;
    name.strip_suffix(".md5sums").unwrap_or(name).parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::image::testing;

    #[test]
    fn packages_by_name() {
        for (name, role) in [
            ("python3", Role::Interpreter),
            ("python3-minimal", Role::Interpreter),
            ("python3.13", Role::Interpreter),
            ("python3.13-minimal", Role::Interpreter),
            ("libpython3.13-stdlib", Role::Interpreter),
            ("libpython3-stdlib", Role::Interpreter),
            ("python3-numpy", Role::Modules),
            ("python3-", Role::Modules),
            ("python3x", Role::Base),
            ("tzdata", Role::Base),
        ] {
            assert_eq!(by_name(name), role, "{name}");
        }
    }

    #[test]
    fn each_node_is_in_one_part_below_its_directories() {
        let (tree, _keep) = testing::tree();
        let parts = parts(&tree);
        let roles: Vec<_> = parts.iter().map(|part| part.role).collect();
        assert_eq!(roles, [Role::Base, Role::Libraries, Role::Own]);
        let mut seen = BTreeSet::new();
        for part in &parts {
            let mut here = BTreeSet::from([RootPath::root()]);
            for (path, node) in &part.nodes {
                assert!(here.contains(&path.parent().unwrap_or(RootPath::root())), "{path} comes before its directory");
                assert!(here.insert((*path).clone()), "{path} is there twice");
                assert!(seen.insert(*path) || matches!(node.kind, Kind::Dir), "{path} is in two parts");
            }
            // Of directories only what leads to something, and what is the part's own.
            let wanted = |path: &&RootPath| part.role == Role::Base || tree.below(path).count() > 1;
            assert!(part.nodes.iter().filter(|(_, n)| matches!(n.kind, Kind::Dir)).all(|(path, _)| wanted(path)));
        }
        assert_eq!(seen.len(), tree.iter().len() - 1);
        let role = |at: &str| {
            let is_here = |part: &&Part<'_>| part.nodes.iter().any(|(path, _)| **path == testing::path(at));
            parts.iter().find(is_here).map(|part| part.role)
        };
        for (at, wanted) in [
            ("usr/bin/tool", Role::Base),
            ("usr/lib/libz.so.1", Role::Libraries),
            ("app/main.py", Role::Own),
            ("etc/passwd", Role::Base),
        ] {
            assert_eq!(role(at), Some(wanted), "{at}");
        }
    }

    #[test]
    fn bytecode_goes_where_its_module_goes() {
        let mut tree = Tree::new(0);
        let python = || Origin::Package("libpython3.13-stdlib".parse().unwrap());
        let modules = [
            ("usr/lib/python3.13/os", python(), Role::Interpreter),
            ("usr/lib/python3/dist-packages/six", Origin::Package("python3-six".parse().unwrap()), Role::Modules),
            ("usr/local/lib/python3.13/dist-packages/attr/_make", Origin::Wheel("attrs".into()), Role::Modules),
            ("opt/python/lib/python3.13/os", Origin::Tarball("python.tar.zst".into()), Role::Interpreter),
            ("app/main", Origin::Manifest, Role::Own),
        ];
        let mut wanted = Vec::new();
        for (at, origin, role) in modules {
            let (folder, name) = at.rsplit_once('/').unwrap();
            tree.insert_file(testing::path(&format!("{at}.py")), 0o644, *b"", origin).unwrap();
            let pyc = testing::path(&format!("{folder}/__pycache__/{name}.cpython-313.pyc"));
            tree.insert_file(pyc.clone(), 0o644, *b"", Origin::Finish("bytecode")).unwrap();
            wanted.extend([(pyc.parent().unwrap(), role), (pyc, role)]);
        }
        // Of no module, and an empty folder.
        let stray = testing::path("srv/__pycache__/x.cpython-313.pyc");
        tree.insert_file(stray.clone(), 0o644, *b"", Origin::Finish("bytecode")).unwrap();
        wanted.push((stray, Role::Base));
        let packages = packages(&tree);
        for (path, wanted) in wanted {
            assert_eq!(role(&tree, &path, tree.get(&path).unwrap(), &packages), wanted, "{path}");
        }
        for (pyc, module) in [
            ("a/__pycache__/b.cpython-313.pyc", Some("a/b.py")),
            ("a/__pycache__/b.c.cpython-313.pyc", Some("a/b.c.py")),
            ("__pycache__/b.x.pyc", Some("b.py")),
            ("b.x.pyc", None),
            ("a/__pycache__/b.pyc", None),
            ("a/__pycache__/b.cpython-313.py", None),
        ] {
            assert_eq!(super::module(&testing::path(pyc)), module.map(testing::path), "{pyc}");
        }
    }
}
