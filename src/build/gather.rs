//! Every file that a target of a lock names, at hand and verified, to be carried elsewhere.
//!
//! In: the manifest, one target of its lock, where to fetch from. Out: [`Gathered`]: paths in the store, or on this machine
//! where the manifest names a file of it.

use std::path::PathBuf;

use super::{
    AssembleError, Plan,
    assemble::filter,
    supply::{Download, Job, Supplier, locked_wheels},
};
use crate::{lock::LockedPackage, python::Site};

/// Where the files of a target are.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// As the target's packages.
    pub debs: Vec<PathBuf>,
    /// As the target's wheels.
    pub wheels: Vec<PathBuf>,
    /// As the manifest's tarballs.
    pub tarballs: Vec<PathBuf>,
}

/// Fetches what is not at hand, and reads all of it once: each file is what the lock or the manifest says.
///
/// # Errors
/// [`AssembleError`]: what cannot be had, or is something else.
pub fn gather(plan: Plan<'_>, download: Download<'_>) -> Result<Gathered, AssembleError> {
    let Plan { manifest, inputs, arch, target, .. } = plan;
    let filter = filter(&manifest.rootfs)?;
    let supplier = Supplier { filter: &filter, limits: &manifest.limits, codecs: &[], download };
    let tarballs: Vec<Job<'_>> = manifest.tarballs.iter().map(Job::Tarball).collect();
    // Which Python there is decides for whom pip is asked; a tarball may hold it.
    let site = match target.wheels.is_empty() {
        true => None,
        false => {
            let package = |package: &'_ LockedPackage| (package.name.to_string(), package.version.to_string());
            let packages: Vec<_> = target.packages.iter().map(package).collect();
            let packages = packages.iter().map(|(name, version)| (name.as_str(), version.as_str()));
            Some(Site::find(packages, &supplier.segments(&tarballs)?, arch)?)
        }
    };
    let wheels = match manifest.python.as_ref().zip(site.as_ref()) {
        Some((python, site)) => locked_wheels(&target.wheels, python, site, inputs)?,
        None => Vec::new(),
    };
    let debs = target.packages.iter().map(Job::Deb);
    let jobs: Vec<Job<'_>> = debs.chain(wheels.iter().map(Job::Wheel)).chain(tarballs).collect();
    let mut files = supplier.files(&jobs)?.into_iter();
    let mut take = |count: usize| files.by_ref().take(count).collect();
    let (debs, wheels) = (take(target.packages.len()), take(wheels.len()));
    Ok(Gathered { debs, wheels, tarballs: take(manifest.tarballs.len()) })
}
