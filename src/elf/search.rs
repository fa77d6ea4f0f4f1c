//! Which library a name leads to, as ld.so looks for it (ld.so(8); glibc elf/dl-load.c): DT_RPATH, its loaders'
//! DT_RPATH, DT_RUNPATH, the cache and the default directories; of the right class and machine.
//!
//! In: objects and a way to follow links. Out: for each DT_NEEDED the object that it leads to ([`Loaded`]), and under
//! which names objects lie about at all ([`Names`]).

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use super::{Abi, Object};
use crate::base::{Arch, RootPath};

/// A name that programs of one kind ask for.
type Asked<'a> = (Abi, &'a [u8]);

/// The loader of one root filesystem.
pub struct Loader<'a, O> {
    objects: &'a [Object<O>],
    places: HashMap<&'a RootPath, usize>,
    arch: Arch,
    directories: &'a [RootPath],
    resolve: &'a dyn Fn(&RootPath, &[u8]) -> Option<RootPath>,
    /// What was found in the default directories.
    defaults: RefCell<HashMap<Asked<'a>, Option<usize>>>,
}

/// What each object loads.
#[derive(Debug)]
pub struct Loaded {
    /// By object, by DT_NEEDED: the place of the object found.
    found: Vec<Vec<Option<usize>>>,
    /// Who loads an object.
    loaders: HashMap<usize, Vec<usize>>,
}

impl Loaded {
    /// What the DT_NEEDED entries of an object lead to, in order.
    pub fn of(&self, object: usize) -> &[Option<usize>] {
        self.found.get(object).map_or(&[], Vec::as_slice)
    }

    /// Whether anything loads that object.
    pub fn is_loaded(&self, object: usize) -> bool {
        self.loaders.contains_key(&object)
    }
}

impl<'a, O> Loader<'a, O> {
    /// `directories` are those that the loader searches by default, in order. `resolve` follows the links of a path
    /// from a directory, as [`crate::tree::Tree::resolve_from`] does, hard links to the name that has the bytes.
    pub fn new(
        objects: &'a [Object<O>],
        arch: Arch,
        directories: &'a [RootPath],
        resolve: &'a dyn Fn(&RootPath, &[u8]) -> Option<RootPath>,
    ) -> Self {
        let places = objects.iter().enumerate().map(|(index, object)| (&object.path, index)).collect();
        Self { objects, places, arch, directories, resolve, defaults: RefCell::default() }
    }

    /// Looks for all that all objects need.
    pub fn load(&self) -> Loaded {
        let mut out = Loaded { found: Vec::with_capacity(self.objects.len()), loaders: HashMap::new() };
        let mut missing = Vec::new();
        for (index, object) in self.objects.iter().enumerate() {
            let own = self.own(object);
            let names = object.elf.needed().iter().enumerate();
            let found: Vec<_> = names
                .map(|(place, name)| {
                    let found = self.find(object, name, &own, &[]);
                    match found {
                        Some(found) => out.loaders.entry(found).or_default().push(index),
                        None => missing.push((index, place, name, object)),
                    }
                    found
                })
                .collect();
            out.found.push(found);
        }
        // Each library found this way may hand its DT_RPATH on to those that it needs.
        loop {
            let before = missing.len();
            missing.retain(|&(index, place, name, object)| {
                let inherited = self.inherited(index, object, &out.loaders);
                let found = self.find(object, name, &[], &inherited);
                if let Some(found) = found {
                    out.set(index, place, found);
                    out.loaders.entry(found).or_default().push(index);
                }
                found.is_none()
            });
            if missing.len() == before {
                break;
            }
        }
        // What all its loaders load themselves is in the process already, under the name asked for.
        for (index, place, name, _) in missing {
            let loaded_by = |loader: &usize| {
                let at = self.objects.get(*loader)?.elf.needed().iter().position(|other| other == name)?;
                *out.of(*loader).get(at)?
            };
            let by_all: Option<Vec<usize>> =
                out.loaders.get(&index).and_then(|loaders| loaders.iter().map(loaded_by).collect());
            if let Some(first) = by_all.and_then(|found| found.first().copied()) {
                out.set(index, place, first);
            }
        }
        out
    }

    /// The object that a DT_NEEDED of `object` leads to, looked for in its `own` directories first.
    fn find(&self, object: &Object<O>, name: &'a [u8], own: &[RootPath], inherited: &[RootPath]) -> Option<usize> {
        let abi = object.elf.abi;
        if name.contains(&b'/') {
            return self.at(abi, &self.directory(object, name)?);
        }
        let look = |folder: &RootPath| self.at(abi, &(self.resolve)(folder, name)?);
        if let Some(found) = own.iter().chain(inherited).find_map(look) {
            return Some(found);
        }
        if let Some(known) = self.defaults.borrow().get(&(abi, name)) {
            return *known;
        }
        // The built-in directories of another architecture's loader, for images that hold programs of two.
        let foreign = abi.arch().filter(|arch| *arch != self.arch);
        let foreign = foreign.and_then(|arch| RootPath::literal("usr/lib").join(arch.triplet()).ok());
        let found = self.directories.iter().chain(&foreign).find_map(look);
        self.defaults.borrow_mut().insert((abi, name), found);
        found
    }

    /// The object at that path if it fits; the loader passes over others.
    fn at(&self, abi: Abi, path: &RootPath) -> Option<usize> {
        let place = *self.places.get(path)?;
        self.objects.get(place).filter(|found| found.elf.abi == abi).map(|_| place)
    }

    /// The directories of an object's DT_RUNPATH, or else of its DT_RPATH.
    fn own(&self, object: &Object<O>) -> Vec<RootPath> {
        let Some(dynamic) = &object.elf.dynamic else { return Vec::new() };
        let path = dynamic.runpath.as_ref().or(dynamic.rpath.as_ref());
        path.map(|path| self.list(object, path)).unwrap_or_default()
    }

    /// DT_RPATH directories of everything that loads the object, directly or not. A loader with DT_RUNPATH hands none
    /// on, nor is any used by an object with one.
    fn inherited(&self, index: usize, object: &Object<O>, loaders: &HashMap<usize, Vec<usize>>) -> Vec<RootPath> {
        let mut out = Vec::new();
        if object.elf.dynamic.as_ref().is_some_and(|dynamic| dynamic.runpath.is_some()) {
            return out;
        }
        let mut seen = HashSet::from([index]);
        let mut todo = vec![index];
        while let Some(index) = todo.pop() {
            for &loader in loaders.get(&index).into_iter().flatten() {
                if !seen.insert(loader) {
                    continue;
                }
                todo.push(loader);
                if let Some(object) = self.objects.get(loader)
                    && let Some(dynamic) = &object.elf.dynamic
                    && let (Some(rpath), None) = (&dynamic.rpath, &dynamic.runpath)
                {
                    out.extend(self.list(object, rpath));
                }
            }
        }
        out
    }

    /// The directories of a search path that are there.
    fn list(&self, object: &Object<O>, path: &[u8]) -> Vec<RootPath> {
        let parts = path.split(|&b| b == b':').filter(|part| !part.is_empty());
        parts.filter_map(|part| self.directory(object, part)).collect()
    }

    fn directory(&self, object: &Object<O>, path: &[u8]) -> Option<RootPath> {
        let path = expand(path, &object.path.parent()?, object.elf.abi.arch().unwrap_or(self.arch))?;
        (self.resolve)(&RootPath::root(), &path)
    }
}

impl Loaded {
    fn set(&mut self, index: usize, place: usize, found: usize) {
        if let Some(entry) = self.found.get_mut(index).and_then(|entries| entries.get_mut(place)) {
            *entry = Some(found);
        }
    }
}

/// An entry of a search path with `$ORIGIN`, the `folder` of the file that has it, and `$LIB` put in, by the rules of
/// glibc's elf/dl-load.c (is_dst). `None` for what leads nowhere that could be known here: a path relative to the
/// working directory, and `$PLATFORM`, which is the processor's.
pub fn expand(path: &[u8], folder: &RootPath, arch: Arch) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'$' {
            out.push(*first);
            continue;
        }
        let is_name = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
        let (name, after) = match after {
            [b'{', inner @ ..] => match inner.iter().position(|&b| b == b'}') {
                Some(end) => (inner.get(..end)?, inner.get(end + 1..)?),
                None => (&b""[..], after),
            },
            _ => after.split_at_checked(after.iter().take_while(is_name).count())?,
        };
        match name {
            b"ORIGIN" => {
                out.push(b'/');
                out.extend_from_slice(folder.as_bytes());
            }
            b"LIB" => {
                out.extend_from_slice(b"lib/");
                out.extend_from_slice(arch.triplet().as_bytes());
            }
            b"PLATFORM" => return None,
            _ => {
                out.push(b'$');
                continue;
            }
        }
        rest = after;
    }
    out.starts_with(b"/").then_some(out)
}

/// Under which names objects lie about: their files', their DT_SONAMEs, and those of links that lead to them. A library
/// that is in the process already, loaded by ctypes or by another extension module, is found by these
/// (glibc elf/dl-load.c, `_dl_map_object`: `_dl_name_match_p`, l_libname, DT_SONAME).
#[derive(Debug, Default)]
pub struct Names<'a>(HashMap<Asked<'a>, Vec<usize>>);

impl<'a> Names<'a> {
    /// Of the objects, which have these places in a list.
    pub fn new<O: 'a>(objects: impl IntoIterator<Item = (usize, &'a Object<O>)>) -> Self {
        let mut names = Self::default();
        for (index, object) in objects {
            names.add(object.elf.abi, object.path.file_name(), index);
            let soname = object.elf.dynamic.as_ref().and_then(|dynamic| dynamic.soname.as_deref());
            if let Some(soname) = soname.filter(|soname| *soname != object.path.file_name()) {
                names.add(object.elf.abi, soname, index);
            }
        }
        names
    }

    /// Takes in a link's name.
    pub fn add(&mut self, abi: Abi, name: &'a [u8], index: usize) {
        self.0.entry((abi, name)).or_default().push(index);
    }

    /// The places of the objects that have that name.
    pub fn get<'b>(&'b self, abi: Abi, name: &'b [u8]) -> &'b [usize] {
        let names: &HashMap<Asked<'_>, Vec<usize>> = &self.0;
        names.get(&(abi, name)).map_or(&[], Vec::as_slice)
    }
}
