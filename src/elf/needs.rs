//! What a set of unpacked files, such as the wheels and tarballs of an image, needs of the system.
//!
//! In: the set's ELF files and links, with the places where they will be. Out: [`Needs`]: libraries and loaders that
//! the set does not bring along, the symbol versions wanted of them included.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Abi, Loader, Names, Object, VersionNumber};
use crate::base::{Arch, RootPath};

/// How many symbolic links a look-up follows, as Linux does (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// One library or loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is asked for: the DT_NEEDED entry, or of one with a directory, or of a PT_INTERP, the file's name.
    pub name: Box<[u8]>,
    /// The absolute path, where it is asked for by one.
    pub path: Option<RootPath>,
    /// Place in the list of the object that asks; of several the first by path.
    pub by: usize,
    /// The symbol versions that all who ask want of it, without weak ones, sorted.
    pub versions: Vec<Box<[u8]>>,
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

impl Needs {
    /// The highest version of a series, such as `GLIBC_`, that is wanted of libraries outside the set.
    pub fn max_version(&self, prefix: &str) -> Option<VersionNumber> {
        highest(self.outside.iter().flat_map(|need| &need.versions).map(|name| &**name), prefix)
    }
}

/// The highest version of a series, such as `GLIBC_`, that objects for `arch` want of whatever library.
pub fn max_version<O>(objects: &[Object<O>], arch: Arch, prefix: &str) -> Option<VersionNumber> {
    let fitting = objects.iter().filter(|object| object.elf.abi == Abi::of(arch));
    let files = fitting.flat_map(|object| &object.elf.versions.needed);
    highest(files.flat_map(|(_, versions)| versions).map(|version| &*version.name), prefix)
}

fn highest<'a>(names: impl Iterator<Item = &'a [u8]>, prefix: &str) -> Option<VersionNumber> {
    let split = names.filter_map(VersionNumber::split);
    split.filter(|(found, _)| *found == prefix.as_bytes()).map(|(_, number)| number).max()
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
        let (key, versions) = ((Box::from(name), path), wanted(objects, by, name));
        let (first, known, _) = out[usize::from(found.is_some())].entry(key).or_insert((by, BTreeSet::new(), found));
        if objects.get(by).map(|object| &object.path) < objects.get(*first).map(|object| &object.path) {
            *first = by;
        }
        known.extend(versions);
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
    let list = |needs: BTreeMap<_, (usize, BTreeSet<Box<[u8]>>, Option<usize>)>| {
        let needs = needs.into_iter().map(|((name, path), (by, versions, found))| {
            let versions = versions.into_iter().collect();
            Need { name, path, by, versions, found }
        });
        needs.collect()
    };
    let [outside, elsewhere] = out.map(list);
    Needs { outside, elsewhere }
}

/// The versions, weak ones aside, that an object wants of the library of that name.
fn wanted<O>(objects: &[Object<O>], by: usize, name: &[u8]) -> Vec<Box<[u8]>> {
    let files = objects.get(by).into_iter().flat_map(|object| &object.elf.versions.needed);
    let versions = files.filter(|(file, _)| **file == *name).flat_map(|(_, versions)| versions);
    versions.filter(|version| !version.is_weak).map(|version| version.name.clone()).collect()
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
