//! The wheels and tarballs of an image, and what they need of the system.
//!
//! In: the manifest, what `[python]` names, a first solution that tells which Python there will be. Out: their segments,
//! their part of the lock, and the libraries wanted. The same files give the same answer, so a lock that holds them need
//! not ask again.

use std::{cell::RefCell, collections::BTreeSet};

use rayon::prelude::*;

use super::{
    ResolveError,
    finder::{Need, Wanted},
    supply::{Job, Supplier, WheelJob, wanted_wheels},
};
use crate::{
    base::{Arch, RootPath},
    elf::{self, Elf, Source},
    lock::{LockedTarball, LockedWheel},
    manifest::Manifest,
    python::{self, Inputs, Site},
    tree::{Content, Kind, Origin},
    unpack::Segment,
};

/// What is laid into an image besides packages.
#[derive(Default, Clone)]
pub(super) struct Application {
    /// Tarballs, then wheels.
    segments: Vec<Segment>,
}

impl Application {
    /// The tarballs of the manifest.
    ///
    /// # Errors
    /// One that cannot be had or unpacked.
    pub fn tarballs(manifest: &Manifest, supplier: Supplier<'_>) -> Result<Self, ResolveError> {
        let jobs: Vec<Job<'_>> = manifest.tarballs.iter().map(Job::Tarball).collect();
        Ok(Self { segments: supplier.segments(&jobs)? })
    }

    /// What there is so far.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Adds the wheels that fit `site`; jobs come back for the lock.
    ///
    /// # Errors
    /// Wheels that do not fit, or cannot be had or installed.
    pub fn add_wheels<'s>(
        &mut self,
        manifest: &Manifest,
        inputs: &Inputs,
        site: &'s Site,
        supplier: Supplier<'_>,
    ) -> Result<Vec<WheelJob<'s>>, ResolveError> {
        let Some(python) = &manifest.python else { return Ok(Vec::new()) };
        let wanted = inputs.select(python, &site.environment)?;
        let wheels = wanted_wheels(&wanted, site, inputs, supplier.download)?;
        let jobs: Vec<Job<'_>> = wheels.iter().map(Job::Wheel).collect();
        self.segments.extend(supplier.segments(&jobs)?);
        Ok(wheels)
    }

    /// The libraries and programs that they need and do not bring, without those that the manifest ignores; sorted.
    /// `ignoring` are entries of its `ignore-needs` that nothing needed so far; those that something needs leave it.
    ///
    /// # Errors
    /// A broken ELF file.
    pub fn wants<'m>(
        &self,
        manifest: &'m Manifest,
        arch: Arch,
        ignoring: &mut BTreeSet<&'m str>,
    ) -> Result<Vec<Wanted>, ResolveError> {
        let ignore = manifest.python.as_ref().map_or(&[][..], |python| &python.ignore_needs);
        let ignoring = RefCell::new(ignoring);
        let ignored = |name: &str| {
            ignoring.borrow_mut().remove(name);
            ignore.iter().any(|other| other == name)
        };
        let objects = self.objects()?;
        let mut wanted = BTreeSet::new();
        let elf::Needs { outside, elsewhere } = elf::needs(&objects, &self.links(), arch);
        for (need, is_elsewhere) in
            outside.iter().map(|need| (need, false)).chain(elsewhere.iter().map(|need| (need, true)))
        {
            let soname = String::from_utf8_lossy(&need.name).into_owned();
            for object in need.by.iter().filter_map(|by| objects.get(*by)).filter(|_| !ignored(&soname)) {
                let (by, path) = (object.owner.clone(), object.path.clone());
                wanted.insert(Wanted { need: Need::Library(soname.clone()), by, path, is_elsewhere });
            }
        }
        for segment in &self.segments {
            let Origin::Wheel(name) = &segment.origin else { continue };
            let Some(loaded) = python::loaded_by_name(name, |other| self.has_wheel(other)) else { continue };
            let bundled = |soname: &str| self.entries().any(|(_, path, _)| path.file_name() == soname.as_bytes());
            let sonames = loaded.sonames.iter().filter(|soname| !ignored(soname) && !bundled(soname));
            let libraries: Vec<_> = sonames.map(|soname| Need::Library((*soname).into())).collect();
            // What finds libraries is of no use when none is looked for.
            let programs = loaded.programs.iter().filter(|_| !libraries.is_empty());
            let programs = programs.filter(|program| !self.entries().any(|(_, path, _)| path == *program));
            let programs: Vec<_> = programs.map(|program| Need::Program(program.clone())).collect();
            for need in libraries.into_iter().chain(programs) {
                let (by, path) = (segment.origin.clone(), RootPath::root());
                wanted.insert(Wanted { need, by, path, is_elsewhere: false });
            }
        }
        Ok(wanted.into_iter().collect())
    }

    fn has_wheel(&self, name: &str) -> bool {
        self.segments.iter().any(|segment| matches!(&segment.origin, Origin::Wheel(other) if **other == *name))
    }

    fn entries(&self) -> impl Iterator<Item = (&Origin, &RootPath, &Kind)> {
        self.segments
            .iter()
            .flat_map(|segment| segment.entries.iter().map(|entry| (&segment.origin, &entry.path, &entry.kind)))
    }

    /// Symbolic links as they are, hard links with an absolute target.
    fn links(&self) -> Vec<(RootPath, Box<[u8]>)> {
        let link = |(_, path, kind): (_, &RootPath, &Kind)| match kind {
            Kind::Symlink(target) => Some((path.clone(), target.clone())),
            Kind::Hardlink(first) => Some((path.clone(), [b"/", first.as_bytes()].concat().into())),
            Kind::Dir | Kind::File(_) => None,
        };
        self.entries().filter_map(link).collect()
    }

    fn objects(&self) -> Result<Vec<elf::Object<Origin>>, ResolveError> {
        let files = self.entries().filter_map(|(origin, path, kind)| match kind {
            Kind::File(content) => Some((origin, path, content)),
            _ => None,
        });
        let files: Vec<(&Origin, &RootPath, &Content)> = files.collect();
        let read = |(origin, path, content): &(&Origin, &RootPath, &Content)| {
            let broken = |source| ResolveError::Elf { path: (*path).clone(), by: (*origin).clone(), source };
            let head = content.read_part(0, elf::HEAD).map_err(|error| broken(error.into()))?;
            let source = Source::new(content.len(), head, |offset, length| content.read_part(offset, length));
            let elf = Elf::read(&source).map_err(broken)?.filter(Elf::is_loadable);
            Ok(elf.map(|elf| elf::Object { path: (*path).clone(), elf, owner: (*origin).clone() }))
        };
        let found: Vec<Option<elf::Object<Origin>>> =
            files.par_iter().map(read).collect::<Result<_, ResolveError>>()?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// The tarballs' part of the lock.
pub(super) fn locked_tarballs(manifest: &Manifest, wanted: &[Wanted]) -> Vec<LockedTarball> {
    let locked = |tarball: &crate::manifest::Tarball| {
        let origin = Origin::Tarball(tarball.name().into());
        LockedTarball { name: tarball.name(), sha256: tarball.sha256, needs: needs_of(wanted, &origin) }
    };
    manifest.tarballs.iter().map(locked).collect()
}

/// The wheels' part of the lock.
///
/// # Errors
/// When a wheel's size takes a file that cannot be had.
pub(super) fn locked_wheels(
    wheels: &[WheelJob<'_>],
    wanted: &[Wanted],
    supplier: Supplier<'_>,
) -> Result<Vec<LockedWheel>, ResolveError> {
    let locked = |wheel: &WheelJob<'_>| Ok(wheel.locked(needs_of(wanted, &wheel.origin()), supplier.download)?);
    wheels.iter().map(locked).collect()
}

fn needs_of(wanted: &[Wanted], origin: &Origin) -> Vec<String> {
    let names: BTreeSet<String> = wanted.iter().filter(|one| one.by == *origin).map(|one| one.need.in_lock()).collect();
    names.into_iter().collect()
}
