//! Whether every ELF file finds its loader and its libraries, as ld.so would look for them (ld.so(8); glibc
//! elf/dl-load.c): DT_RPATH, its loaders' DT_RPATH, DT_RUNPATH, the cache and the default directories; of the right
//! class and machine.

use std::collections::{HashMap, HashSet};

use super::{Finding, Severity, owner, shown};
use crate::{
    base::{Arch, PackageName, RootPath},
    elf::{Class, Dynamic, ET_DYN, Elf, ElfError, machine},
    finish::FinishError,
    tree::{Content, Node, Tree},
};

const ET_EXEC: u16 = 2;

/// What must fit between a program and its libraries.
type Abi = (Class, bool, u16);

/// A program or library of the tree.
pub(super) struct Object {
    path: RootPath,
    package: Option<PackageName>,
    abi: Abi,
    interpreter: Option<Box<[u8]>>,
    dynamic: Dynamic,
}

/// Reads one file; `None` for object files, core dumps and separate debug symbols.
pub(super) fn read(path: &RootPath, node: &Node, content: &Content) -> Result<Option<Object>, ElfError> {
    if path.starts_with(&RootPath::literal("usr/lib/debug")) {
        return Ok(None);
    }
    let Some(elf) = Elf::read(&|offset, length| content.read_part(offset, length))? else { return Ok(None) };
    if !matches!(elf.kind, ET_EXEC | ET_DYN) {
        return Ok(None);
    }
    Ok(Some(Object {
        path: path.clone(),
        package: owner(node),
        abi: (elf.class, elf.big_endian, elf.machine),
        interpreter: elf.interpreter,
        dynamic: elf.dynamic.unwrap_or_default(),
    }))
}

/// Loaders and libraries that are not found.
pub(super) fn unresolved(
    tree: &Tree,
    arch: Arch,
    directories: &[RootPath],
    objects: &[Object],
) -> Result<Vec<Finding>, FinishError> {
    let search = Search {
        tree,
        arch,
        directories,
        places: objects.iter().enumerate().map(|(index, object)| (&object.path, index)).collect(),
        objects,
    };
    let mut findings = Vec::new();
    let mut missing = Vec::new();
    // Who loads whom, for DT_RPATH, which holds for the libraries of libraries too.
    let mut loaders: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        if let Some(loader) = object.interpreter.as_deref().filter(|loader| !search.has_loader(loader)) {
            findings.push(object.finding(
                "missing-loader",
                format!("its loader {} is not there", shown(loader)),
                "install libc6, or the C library that the file was made for".into(),
            ));
        }
        for name in &object.dynamic.needed {
            match search.find(object, name, &[]) {
                Some(found) => loaders.entry(found).or_default().push(index),
                None => missing.push((index, name)),
            }
        }
    }
    // Each library found this way may hand the path on to those that it needs.
    loop {
        let before = missing.len();
        missing.retain(|&(index, name)| {
            let inherited = search.inherited(index, &loaders);
            let found = objects.get(index).and_then(|object| search.find(object, name, &inherited));
            if let Some(found) = found {
                loaders.entry(found).or_default().push(index);
            }
            found.is_none()
        });
        if missing.len() == before {
            break;
        }
    }
    // What all its loaders load themselves is in the process already, under the name asked for.
    missing.retain(|(index, name)| {
        let loads = |loader: &usize| {
            objects
                .get(*loader)
                .is_some_and(|loader| loader.dynamic.needed.contains(name) && search.find(loader, name, &[]).is_some())
        };
        !loaders.get(index).is_some_and(|loaders| loaders.iter().all(loads))
    });
    for (index, object, name) in missing.iter().filter_map(|(index, name)| Some((index, objects.get(*index)?, name))) {
        // A package's library that nothing here loads, beside what it needs: the program that would know the folder
        // is another package's, and not in the image.
        let beside = object.path.parent().and_then(|folder| tree.resolve_from(&folder, name));
        let is_library = object.interpreter.is_none() && object.package.is_some();
        let is_idle = is_library && beside.is_some() && !loaders.contains_key(index);
        let name = shown(name);
        let mut finding = object.finding(
            "missing-library",
            format!("it needs {name}, which is in no place where the loader looks"),
            format!("add the package that ships {name} to packages.install, or remove the file with [rootfs] remove"),
        );
        if is_idle {
            finding.severity = Severity::Warning;
            finding.message =
                format!("it needs {name}, which lies beside it, where only a program that nobody installed looks");
            finding.hint = "remove the file with [rootfs] remove if nothing loads it".into();
        }
        findings.push(finding);
    }
    Ok(findings)
}

impl Object {
    fn finding(&self, code: &'static str, message: String, hint: String) -> Finding {
        Finding {
            code,
            severity: Severity::Error,
            path: self.path.clone(),
            package: self.package.clone(),
            message,
            hint,
        }
    }
}

struct Search<'a> {
    tree: &'a Tree,
    arch: Arch,
    directories: &'a [RootPath],
    places: HashMap<&'a RootPath, usize>,
    objects: &'a [Object],
}

impl Search<'_> {
    fn has_loader(&self, path: &[u8]) -> bool {
        self.tree.resolve_from(&RootPath::root(), path).is_some_and(|path| self.tree.content(&path).is_some())
    }

    /// The object that a DT_NEEDED of `object` leads to.
    fn find(&self, object: &Object, name: &[u8], inherited: &[RootPath]) -> Option<usize> {
        if name.contains(&b'/') {
            let path = self.expand(object, name)?;
            return self.at(object, &path);
        }
        let own = match (&object.dynamic.runpath, &object.dynamic.rpath) {
            (Some(runpath), _) => self.list(object, runpath),
            (None, Some(rpath)) => self.list(object, rpath),
            (None, None) => Vec::new(),
        };
        let foreign = foreign_directories(object.abi);
        own.iter()
            .chain(inherited)
            .chain(self.directories)
            .chain(&foreign)
            .find_map(|folder| self.at(object, &self.tree.resolve_from(folder, name)?))
    }

    /// The object at that path if it fits; the loader passes over others.
    fn at(&self, object: &Object, path: &RootPath) -> Option<usize> {
        let path = match &self.tree.get(path)?.kind {
            crate::tree::Kind::Hardlink(first) => first,
            _ => path,
        };
        let place = *self.places.get(path)?;
        self.objects.get(place).filter(|found| found.abi == object.abi).map(|_| place)
    }

    /// DT_RPATH directories of everything that loads the object, directly or not. A loader with DT_RUNPATH hands none
    /// on, nor is any used by an object with one.
    fn inherited(&self, index: usize, loaders: &HashMap<usize, Vec<usize>>) -> Vec<RootPath> {
        let mut out = Vec::new();
        if self.objects.get(index).is_some_and(|object| object.dynamic.runpath.is_some()) {
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
                    && let (Some(rpath), None) = (&object.dynamic.rpath, &object.dynamic.runpath)
                {
                    out.extend(self.list(object, rpath));
                }
            }
        }
        out
    }

    /// The directories of a search path that are there.
    fn list(&self, object: &Object, path: &[u8]) -> Vec<RootPath> {
        path.split(|&b| b == b':')
            .filter(|part| !part.is_empty())
            .filter_map(|part| self.expand(object, part))
            .collect()
    }

    /// With `$ORIGIN` and `$LIB` put in, links followed. A path relative to the working directory leads nowhere.
    fn expand(&self, object: &Object, path: &[u8]) -> Option<RootPath> {
        let origin = [b"/", object.path.parent()?.as_bytes()].concat();
        let lib = format!("lib/{}", self.arch.triplet()).into_bytes();
        let mut out = Vec::new();
        let mut rest = path;
        'next: while let [first, after @ ..] = rest {
            for (token, value) in
                [(&b"$ORIGIN"[..], &origin), (b"${ORIGIN}", &origin), (b"$LIB", &lib), (b"${LIB}", &lib)]
            {
                if let Some(after) = rest.strip_prefix(token) {
                    out.extend_from_slice(value);
                    rest = after;
                    continue 'next;
                }
            }
            out.push(*first);
            rest = after;
        }
        out.starts_with(b"/").then(|| self.tree.resolve_from(&RootPath::root(), &out))?
    }
}

/// The built-in directories of another architecture's loader, for images that hold programs of two.
fn foreign_directories((class, _, number): Abi) -> Vec<RootPath> {
    let arch = match (number, class) {
        (machine::EM_X86_64, Class::Elf64) => Arch::Amd64,
        (machine::EM_386, _) => Arch::I386,
        (machine::EM_AARCH64, _) => Arch::Arm64,
        (machine::EM_ARM, _) => Arch::Armhf,
        (machine::EM_PPC64, _) => Arch::Ppc64el,
        (machine::EM_RISCV, Class::Elf64) => Arch::Riscv64,
        (machine::EM_S390, Class::Elf64) => Arch::S390x,
        _ => return Vec::new(),
    };
    RootPath::literal("usr/lib").join(arch.triplet()).into_iter().collect()
}
