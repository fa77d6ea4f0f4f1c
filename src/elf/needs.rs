//! What a set of unpacked files, such as the wheels and tarballs of an image, needs of the system.
//!
//! In: the set's ELF files and links, with the places where they will be. Out: [`Needs`]: libraries and loaders that
//! the set does not bring along.

use std::collections::{BTreeMap, HashMap};

use super::{Abi, Loader, Names, Object};
use crate::base::{Arch, MAX_LINKS, RootPath};

/// One library or loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is asked for: the DT_NEEDED entry, or of one with a directory, or of a PT_INTERP, the file's name.
    pub name: Box<[u8]>,
    /// The absolute path, where it is asked for by one.
    pub path: Option<RootPath>,
    /// Places in the list of the objects that ask, by path; of each owner's objects the first.
    pub by: Vec<usize>,
    /// Place of an object that has the name, where none lies on the search path.
    pub found: Option<usize>,
}

/// All of a set, by name and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// What nobody in the set has.
    pub outside: Vec<Need>,
    /// What lies in the set, but in another owner's files and out of the loader's way: it works if that owner's package
    /// has loaded it before, and nothing here can tell.
    pub elsewhere: Vec<Need>,
}

/// What the objects need of the system. `links` are the set's symbolic links and their targets as written; a hard link
/// may stand among them with an absolute target, or be one more object.
///
/// A library is no need when one with the right class and machine lies where the loader finds it, or anywhere in the
/// same owner's files under that name, DT_SONAME included: what an extension module needs is often loaded before it,
/// by the package itself. Objects that are not for `arch` are passed over: wheels carry helpers for other systems.
pub fn needs<O: PartialEq>(objects: &[Object<O>], links: &[(RootPath, Box<[u8]>)], arch: Arch) -> Needs {
    let targets: HashMap<&RootPath, &[u8]> = links.iter().map(|(path, target)| (path, &**target)).collect();
    let resolve = |from: &RootPath, path: &[u8]| resolve(&targets, from, path);
    let places: HashMap<&RootPath, usize> = objects.iter().enumerate().map(|(i, object)| (&object.path, i)).collect();
    let at = |path: &[u8]| places.get(&resolve(&RootPath::root(), path)?).and_then(|place| objects.get(*place));
    let abi = Abi::of(arch);

    let mut names = Names::new(objects.iter().enumerate());
    for (path, _) in links {
        let end = resolve(&RootPath::root(), path.as_bytes());
        if let Some(place) = end.and_then(|end| places.get(&end).copied())
            && let Some(object) = objects.get(place)
        {
            names.add(object.elf.abi, path.file_name(), place);
        }
    }
    let loaded = Loader::new(objects, arch, &[], &resolve).load();

    let mut out = [BTreeMap::new(), BTreeMap::new()];
    let mut add = |name: &[u8], path: Option<RootPath>, by: usize, found: Option<usize>| {
        let need = Need { name: name.into(), path: path.clone(), by: Vec::new(), found };
        let known = out[usize::from(found.is_some())].entry((name.to_vec(), path)).or_insert(need);
        known.by.push(by);
    };
    for (index, object) in objects.iter().enumerate().filter(|(_, object)| object.elf.abi == abi) {
        if let Some(path) = object.elf.interpreter.as_deref().filter(|path| path.starts_with(b"/"))
            && at(path).is_none()
            && let Some(path) = resolve(&RootPath::root(), path)
        {
            let name = path.file_name().to_vec();
            add(&name, Some(path), index, None);
        }
        for (name, found) in object.elf.needed().iter().zip(loaded.of(index)) {
            if found.is_some() {
                continue;
            }
            let file_name = name.rsplit(|&b| b == b'/').next().unwrap_or_default();
            if name.contains(&b'/') {
                let folder = object.path.parent().unwrap_or_else(RootPath::root);
                let path = super::expand(name, &folder, arch).and_then(|path| resolve(&RootPath::root(), &path));
                add(file_name, path, index, None);
                continue;
            }
            let bundled = names.get(abi, name);
            let is_own = |place: &usize| objects.get(*place).is_some_and(|found| found.owner == object.owner);
            if !bundled.iter().any(is_own) {
                add(name, None, index, bundled.first().copied());
            }
        }
    }
    let first = |need: Need| Need { by: first_of_each(objects, need.by), ..need };
    let [outside, elsewhere] = out.map(|needs: BTreeMap<_, _>| needs.into_values().map(first).collect());
    Needs { outside, elsewhere }
}

/// By path, and of those with one owner the first alone.
fn first_of_each<O: PartialEq>(objects: &[Object<O>], mut places: Vec<usize>) -> Vec<usize> {
    places.sort_by_key(|place| objects.get(*place).map(|object| &object.path));
    let mut kept: Vec<usize> = Vec::new();
    let owner = |place: &usize| objects.get(*place).map(|object| &object.owner);
    for place in places {
        if !kept.iter().any(|other| owner(other) == owner(&place)) {
            kept.push(place);
        }
    }
    kept
}

/// Where a path leads, as [`crate::tree::Tree::resolve_from`] but among links alone: what else is there is not known.
fn resolve(links: &HashMap<&RootPath, &[u8]>, from: &RootPath, path: &[u8]) -> Option<RootPath> {
    fn push<'a>(todo: &mut Vec<&'a [u8]>, at: &mut RootPath, path: &'a [u8]) {
        if path.starts_with(b"/") {
            *at = RootPath::root();
        }
        todo.extend(path.split(|&b| b == b'/').rev().filter(|part| !matches!(*part, b"" | b".")));
    }
    let mut at = from.clone();
    let mut todo = Vec::new();
    let mut followed = 0;
    push(&mut todo, &mut at, path);
    while let Some(part) = todo.pop() {
        if part == b".." {
            at = at.parent().unwrap_or(at);
            continue;
        }
        let next = at.join(part).ok()?;
        match links.get(&next) {
            Some(target) => {
                followed += 1;
                if followed > MAX_LINKS {
                    return None;
                }
                push(&mut todo, &mut at, target);
            }
            None => at = next,
        }
    }
    Some(at)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::elf::{Elf, Source, fixture::Fixture};

    const ARM: u16 = 183;

    fn object(path: &str, owner: &'static str, file: &Fixture) -> Object<&'static str> {
        let path = RootPath::parse(path.as_bytes()).unwrap();
        Object { path, elf: Elf::read(&Source::bytes(&file.build())).unwrap().unwrap(), owner }
    }

    fn file() -> Fixture {
        Fixture::new()
    }

    /// `name, asked for by path`, with `@` and the object that has it.
    fn shown(objects: &[Object<&'static str>], links: &[(&str, &str)]) -> Vec<String> {
        let links: Vec<_> = links
            .iter()
            .map(|(path, target)| (RootPath::parse(path.as_bytes()).unwrap(), Box::from(target.as_bytes())))
            .collect();
        let found = needs(objects, &links, Arch::Amd64);
        let show = |need: &Need| {
            let name = String::from_utf8_lossy(&need.name).into_owned();
            let path = need.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
            let found = need.found.map(|found| format!(" @{}", objects[found].path)).unwrap_or_default();
            let by: Vec<_> = need.by.iter().map(|by| objects[*by].path.to_string()).collect();
            format!("{name}{path} by {}{found}", by.join(" "))
        };
        found.outside.iter().chain(&found.elsewhere).map(show).collect()
    }

    #[test]
    fn what_the_set_brings_along_is_no_need() {
        let needs_x = || file().needed("libx.so.1");
        let x = || file().soname("libx.so.1");
        for (name, objects, links, wanted) in [
            ("missing", vec![object("a/a.so", "a", &needs_x())], vec![], vec!["libx.so.1 by /a/a.so"]),
            (
                "auditwheel",
                vec![
                    object("a/a.so", "a", &file().rpath("$ORIGIN/../a.libs").needed("libx-1.so.1")),
                    object("a.libs/libx-1.so.1", "a", &file().soname("libx-1.so.1").needed("liby.so")),
                ],
                vec![],
                vec!["liby.so by /a.libs/libx-1.so.1"],
            ),
            (
                "preloaded",
                vec![object("a/a.so", "a", &needs_x()), object("a/data/libx.so.1", "a", &x())],
                vec![],
                vec![],
            ),
            ("by soname", vec![object("a/a.so", "a", &needs_x()), object("a/data/libx.so", "a", &x())], vec![], vec![]),
            (
                "across wheels by path",
                vec![
                    object("a/a.so", "a", &needs_x().runpath("/no:$ORIGIN/../b/lib")),
                    object("b/lib/libx.so.1", "b", &x()),
                ],
                vec![],
                vec![],
            ),
            (
                "across wheels, inherited",
                vec![
                    object("a/a.so", "a", &file().rpath("$ORIGIN/../b").needed("libm.so")),
                    object("b/libm.so", "b", &needs_x()),
                    object("b/libx.so.1", "c", &x()),
                ],
                vec![],
                vec![],
            ),
            (
                "across wheels, out of the way",
                vec![object("a/a.so", "a", &needs_x()), object("b/libx.so.1", "b", &x())],
                vec![],
                vec!["libx.so.1 by /a/a.so @/b/libx.so.1"],
            ),
            (
                "other machine",
                vec![
                    object("a/a.so", "a", &needs_x()),
                    object("a/libx.so.1", "a", &x().machine(ARM)),
                    object("a/arm.so", "a", &file().machine(ARM).needed("liby.so").interpreter("/lib/ld.so")),
                ],
                vec![],
                vec!["libx.so.1 by /a/a.so"],
            ),
            (
                "links",
                vec![
                    object("usr/local/bin/p", "t", &needs_x().runpath("/opt/lib")),
                    object("opt/real/libx.so.1.2", "s", &file()),
                ],
                vec![("opt/lib", "real"), ("opt/real/libx.so.1", "libx.so.1.2"), ("loop", "loop")],
                vec![],
            ),
            (
                "loader",
                vec![object("bin/p", "t", &file().interpreter("/lib64/ld-linux-x86-64.so.2"))],
                vec![],
                vec!["ld-linux-x86-64.so.2 /lib64/ld-linux-x86-64.so.2 by /bin/p"],
            ),
            (
                "own loader",
                vec![object("bin/p", "t", &file().interpreter("/lib/ld.so")), object("usr/lib/ld.so", "t", &file())],
                vec![("lib", "usr/lib")],
                vec![],
            ),
            (
                "by path",
                vec![
                    object("a/a.so", "a", &file().needed("$ORIGIN/x/liba.so").needed("/opt/libb.so").needed("./c.so")),
                    object("a/x/liba.so", "a", &file()),
                ],
                vec![],
                vec!["c.so by /a/a.so", "libb.so /opt/libb.so by /a/a.so"],
            ),
            (
                "by path, one of each owner",
                vec![
                    object("z/z.so", "z", &needs_x()),
                    object("a/b.so", "a", &needs_x()),
                    object("a/a.so", "a", &needs_x()),
                ],
                vec![],
                vec!["libx.so.1 by /a/a.so /z/z.so"],
            ),
        ] {
            assert_eq!(shown(&objects, &links), wanted, "{name}");
        }
    }
}
