//! Whether every ELF file finds its loader and its libraries, and in these the symbol versions that it wants.
//!
//! In: the tree's ELF files. Out: findings. Where the loader looks is `crate::elf`'s matter.

use std::collections::{HashMap, HashSet};

use super::{Finding, Options, Severity, shown};
use crate::{
    base::{Arch, PackageName, RootPath},
    elf::{Abi, DefinedVersion, Elf, ElfError, Loaded, Loader, Names, Source, VersionNumber},
    tree::{Content, Kind, Node, Origin, Tree},
};

type Object = crate::elf::Object<Origin>;

/// How many symbol versions a message names.
const SHOWN_VERSIONS: usize = 4;

/// Reads one file that begins with `head`; `None` for object files, core dumps and separate debug symbols, whose
/// headers speak of another file.
pub(super) fn read(path: &RootPath, node: &Node, content: &Content, head: Vec<u8>) -> Result<Option<Object>, ElfError> {
    if is_debug(path) {
        return Ok(None);
    }
    let source = Source::new(content.len(), head, |offset, length| content.read_part(offset, length));
    let elf = Elf::read(&source)?.filter(Elf::is_loadable);
    Ok(elf.map(|elf| Object { path: path.clone(), elf, owner: node.origin.clone() }))
}

/// Separate debug symbols.
pub(super) fn is_debug(path: &RootPath) -> bool {
    path.starts_with(&RootPath::literal("usr/lib/debug")) || path.file_name().ends_with(b".debug")
}

/// Loaders, libraries and symbol versions that are not found.
pub(super) fn unresolved(
    tree: &Tree,
    arch: Arch,
    directories: &[RootPath],
    objects: &[Object],
    options: Options<'_>,
) -> Vec<Finding> {
    let resolve = |from: &RootPath, path: &[u8]| {
        let end = tree.resolve_from(from, path)?;
        match &tree.get(&end)?.kind {
            Kind::Hardlink(first) => Some(first.clone()),
            _ => Some(end),
        }
    };
    let loaded = Loader::new(objects, arch, directories, &resolve).load();
    let mut check = Check { tree, objects, directories, options, loaded, names: None, defined: HashMap::new() };
    let mut findings = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let found = check.object(index, object);
        // Wheels carry helpers for other systems; an image of two architectures may hold what they need.
        if !found.is_empty() && is_extra(&object.owner) && object.elf.abi != Abi::of(arch) {
            let mut finding = finding(
                object,
                "foreign-machine",
                format!("it is made for another machine than {arch}, and cannot start here"),
                "remove the file with [rootfs] remove if nothing uses it".into(),
            );
            finding.severity = Severity::Warning;
            findings.push(finding);
        } else {
            findings.extend(found);
        }
    }
    findings
}

struct Check<'a> {
    tree: &'a Tree,
    objects: &'a [Object],
    /// Where the loader looks for everybody.
    directories: &'a [RootPath],
    options: Options<'a>,
    loaded: Loaded,
    /// Of the objects of wheels and tarballs; made when first wanted.
    names: Option<Names<'a>>,
    /// Version names of libraries, by place; made when first wanted.
    defined: HashMap<usize, HashSet<&'a [u8]>>,
}

impl<'a> Check<'a> {
    fn object(&mut self, index: usize, object: &'a Object) -> Vec<Finding> {
        let mut out = Vec::new();
        if let Some(loader) = object.elf.interpreter.as_deref().filter(|loader| !self.has_loader(loader)) {
            out.push(finding(
                object,
                "missing-loader",
                format!("its loader {} is not there", shown(loader)),
                "install libc6, or the C library that the file was made for".into(),
            ));
        }
        for (place, name) in object.elf.needed().iter().enumerate() {
            if self.library(index, place).is_none() {
                out.extend(self.missing_library(index, object, name));
            }
        }
        for wanted in &object.elf.versions.needed {
            let place = object.elf.needed().iter().position(|name| *name == wanted.file);
            let Some(library) = place.and_then(|place| self.library(index, place)) else { continue };
            let names = wanted.versions.iter().filter(|version| !version.is_weak).map(|version| &*version.name);
            out.extend(self.missing_versions(object, &wanted.file, library, names));
        }
        out
    }

    fn has_loader(&self, path: &[u8]) -> bool {
        self.tree.resolve_from(&RootPath::root(), path).is_some_and(|path| self.tree.content(&path).is_some())
    }

    /// The place of the object that a DT_NEEDED leads to.
    fn library(&self, index: usize, place: usize) -> Option<usize> {
        *self.loaded.of(index).get(place)?
    }

    fn missing_library(&mut self, index: usize, object: &'a Object, name: &'a [u8]) -> Option<Finding> {
        let text = shown(name);
        let is_extra = is_extra(&object.owner);
        if is_extra && self.options.ignore.iter().any(|ignored| ignored.as_bytes() == name) {
            return None;
        }
        if is_extra && let Some(bundled) = self.bundled(object.elf.abi, name) {
            return Some(out_of_the_way(object, &text, bundled));
        }
        // A package's library that nothing here loads, beside what it needs: the program that would know the folder
        // is another package's, and not in the image.
        let is_library = object.elf.interpreter.is_none() && matches!(object.owner, Origin::Package(_));
        if is_library && self.is_of_a_plugin(object, name) {
            return None;
        }
        if is_library && !self.loaded.is_loaded(index) {
            let beside = object.path.parent().and_then(|folder| self.tree.resolve_from(&folder, name));
            if beside.is_some() {
                let mut finding = finding(
                    object,
                    "missing-library",
                    format!("it needs {text}, which lies beside it, where only a program that nobody installed looks"),
                    "remove the file with [rootfs] remove if nothing loads it".into(),
                );
                finding.severity = Severity::Warning;
                return Some(finding);
            }
        }
        let mut hint = match self.options.providers.map(|providers| providers(name)).as_deref() {
            None => format!("add the package that ships {text} to packages.install"),
            Some([]) => format!("no package of the manifest's repositories ships {text}; add a repository that has it"),
            Some(several) if several.iter().any(|one| self.has_package(one)) => {
                let here: Vec<_> =
                    several.iter().filter(|one| self.has_package(one)).map(ToString::to_string).collect();
                let here = here.join(", ");
                format!("{here} ships it and is in the image, so [rootfs] has taken the file out: keep it there")
            }
            Some([one]) => format!("add {one} to packages.install"),
            Some(several) => {
                let names: Vec<_> = several.iter().map(ToString::to_string).collect();
                format!("add one of {} to packages.install", names.join(", "))
            }
        };
        if is_extra {
            hint += ", list the name in python.ignore-needs if it is not wanted";
        }
        hint += ", or remove the file with [rootfs] remove";
        let message = format!("it needs {text}, which is in no place where the loader looks");
        Some(finding(object, "missing-library", message, hint))
    }

    /// Whether anything of the package is in the image.
    fn has_package(&self, name: &PackageName) -> bool {
        self.tree.iter().any(|(_, node)| matches!(&node.origin, Origin::Package(package) if package == name))
    }

    /// Whether a package's private library needs one that lies below its own folder, as all of Java's need
    /// `server/libjvm.so`: the program has loaded that by its path, and ld.so takes what is loaded under a name before it
    /// looks anywhere (glibc elf/dl-load.c, _dl_map_object).
    fn is_of_a_plugin(&self, object: &Object, name: &[u8]) -> bool {
        let Some(folder) = object.path.parent().filter(|folder| !self.directories.contains(folder)) else {
            return false;
        };
        let is_below =
            |path: &RootPath| path.starts_with(&folder) && path.parent().is_some_and(|other| other != folder);
        self.objects.iter().any(|other| {
            (&other.owner, other.elf.abi) == (&object.owner, object.elf.abi)
                && other.path.file_name() == name
                && is_below(&other.path)
        })
    }

    /// The object of a wheel or tarball that has that name.
    fn bundled(&mut self, abi: Abi, name: &[u8]) -> Option<&'a Object> {
        let names = self.names.get_or_insert_with(|| names(self.tree, self.objects));
        names.get(abi, name).first().and_then(|place| self.objects.get(*place))
    }

    /// What the library at that place does not define (glibc elf/dl-version.c, match_symbol). One without any
    /// definitions passes; the loader warns of it at most.
    fn missing_versions(
        &mut self,
        object: &Object,
        file: &[u8],
        library: usize,
        wanted: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Finding> {
        let library_at = self.objects.get(library)?;
        let defined = library_at.elf.versions.defined.as_ref()?;
        let names =
            self.defined.entry(library).or_insert_with(|| defined.iter().map(|version| &*version.name).collect());
        let mut missing: Vec<&[u8]> = wanted.filter(|name| !names.contains(name)).collect();
        missing.sort_by_cached_key(|name| (VersionNumber::split(name).map(|(_, number)| number), *name));
        missing.dedup();
        let last = *missing.last()?;
        let shown_first: Vec<_> = missing.iter().rev().take(SHOWN_VERSIONS).rev().map(|name| shown(name)).collect();
        let more = match missing.len().saturating_sub(SHOWN_VERSIONS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let has = match newest(defined, last) {
            Some(newest) => format!("and {} has up to {newest}", library_at.path),
            None => format!("which {} does not define", library_at.path),
        };
        let message = format!("it needs {}{more} of {}, {has}", shown_first.join(", "), shown(file));
        let hint = match &object.owner {
            Origin::Wheel(_) => "take a newer suite, or a wheel for older systems",
            Origin::Tarball(_) => "take a newer suite, or a build for older systems",
            _ => "take it and the library from the same suite",
        };
        Some(finding(object, "missing-symbol-version", message, hint.into()))
    }
}

/// The highest defined version of the series that `wanted` belongs to.
fn newest(defined: &[DefinedVersion], wanted: &[u8]) -> Option<String> {
    let (series, _) = VersionNumber::split(wanted)?;
    let split = defined.iter().filter(|version| !version.is_base).filter_map(|v| VersionNumber::split(&v.name));
    let newest = split.filter(|(prefix, _)| *prefix == series).map(|(_, number)| number).max()?;
    Some(format!("{}{newest}", shown(series)))
}

/// Files of wheels and tarballs by all their names, links included.
fn names<'a>(tree: &'a Tree, objects: &'a [Object]) -> Names<'a> {
    let extra = || objects.iter().enumerate().filter(|(_, object)| is_extra(&object.owner));
    let mut names = Names::new(extra());
    let places: HashMap<&RootPath, usize> = extra().map(|(index, object)| (&object.path, index)).collect();
    let links = tree.iter().filter(|(_, node)| matches!(node.kind, Kind::Symlink(_) | Kind::Hardlink(_)));
    for (path, _) in links.filter(|(_, node)| is_extra(&node.origin)) {
        let end = tree.resolve(path);
        let end = match end.as_ref().and_then(|end| tree.get(end)).map(|node| &node.kind) {
            Some(Kind::Hardlink(first)) => Some(first),
            _ => end.as_ref(),
        };
        if let Some((place, object)) =
            end.and_then(|end| places.get(end)).and_then(|place| Some((*place, objects.get(*place)?)))
        {
            names.add(object.elf.abi, path.file_name(), place);
        }
    }
    names
}

/// Whether it came from outside Debian's packages: these do not know what is installed beside them.
fn is_extra(origin: &Origin) -> bool {
    matches!(origin, Origin::Wheel(_) | Origin::Tarball(_))
}

/// A library of a wheel or tarball that lies where the loader does not look. A library may be loaded by then; a program
/// is loaded first of all, and needs to be told: a wheel's may be by the modules that start it, a tarball's is started
/// as it is.
fn out_of_the_way(object: &Object, text: &str, bundled: &Object) -> Finding {
    let folder = bundled.path.parent().unwrap_or_else(RootPath::root);
    let is_program = object.elf.interpreter.is_some();
    let works = match is_program {
        true => format!("works if LD_LIBRARY_PATH or /etc/ld.so.conf names {folder}"),
        false => "works if that is loaded first".to_owned(),
    };
    let message = format!(
        "it needs {text}, which the loader does not find: it is {} of {}, and {works}",
        bundled.path, bundled.owner
    );
    let hint = match is_program {
        true => format!(
            "write /etc/ld.so.conf with {folder} in it ([[files]]); if LD_LIBRARY_PATH is set, list the name in \
             python.ignore-needs"
        ),
        false => format!("nothing is to be done if the package loads {text} itself; else add a package that ships it"),
    };
    let mut found = finding(object, "missing-library", message, hint);
    if !is_program || matches!(object.owner, Origin::Wheel(_)) {
        found.severity = Severity::Warning;
    }
    found
}

fn finding(object: &Object, code: &'static str, message: String, hint: String) -> Finding {
    Finding::at(code, Severity::Error, object.path.clone(), object.owner.clone()).says(message, hint)
}
