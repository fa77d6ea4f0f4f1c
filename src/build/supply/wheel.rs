//! A wheel: from this machine, a URL of the application's lock, or pip.
//!
//! In: what a lock chose. Out: jobs for the [`Supplier`](super::Supplier), and segments.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Download, Job, Supplier, SupplyError};
use crate::{
    archive::{Promise, Want, shown, vendored::wheel_path},
    base::Sha256,
    lock::LockedWheel,
    manifest::Python,
    python::{self, Errand, Inputs, Site, Source, Wanted, WheelName},
    store::Shelf,
    tree::Origin,
    unpack::{Filter, Segment},
};

/// A wheel to be installed.
pub(in crate::build) struct WheelJob<'a> {
    pub(super) file: WheelName,
    pub(super) sha256: Sha256,
    /// Bytes, if known.
    pub(super) size: Option<u64>,
    from: Place,
    site: &'a Site,
}

/// Where a wheel is.
enum Place {
    Url(String),
    /// On this machine; and as a lock writes it, if that says so.
    File(PathBuf, Option<String>),
    /// pip knows.
    Index,
}

/// Jobs for what was chosen just now. pip is called for wheels whose name is not known yet.
///
/// # Errors
/// Those of pip, and of files that cannot be read.
pub(in crate::build) fn wanted_wheels<'a>(
    wanted: &[Wanted],
    site: &'a Site,
    inputs: &Inputs,
    download: Download<'_>,
) -> Result<Vec<WheelJob<'a>>, SupplyError> {
    let nameless = wanted.iter().filter_map(|wanted| match &wanted.source {
        Source::Index { file: None, sha256 } => {
            Some(Errand { name: wanted.name.clone(), version: wanted.version.clone(), sha256: sha256.clone() })
        }
        _ => None,
    });
    let (found, tags) = (bring(nameless.collect(), site, download)?, site.environment.tags());
    let job = |wanted: &Wanted| {
        let (file, sha256, size, from) = match &wanted.source {
            Source::Url { url, file, sha256, size } => (file, *sha256, *size, Place::Url(url.clone())),
            Source::Path { path, file, sha256 } => match inputs.local(sha256) {
                Some(local) => (file, *sha256, Some(local.size), Place::File(local.path.clone(), None)),
                None => {
                    let written = path.to_string_lossy().into_owned();
                    let path = inputs.folder().unwrap_or(Path::new("")).join(path);
                    let size = fs::metadata(&path).map_err(|error| not_here(file, &path, &error))?.len();
                    (file, *sha256, Some(size), Place::File(path, Some(written)))
                }
            },
            Source::Index { file: Some(file), sha256 } => {
                (file, sha256.first().copied().unwrap_or_else(|| Sha256::of(b"")), None, Place::Index)
            }
            Source::Index { file: None, .. } => {
                let Some((file, sha256, size)) = found.get(&wanted.name) else {
                    return Err(python::PipError::Absent(wanted.name.to_string()).into());
                };
                // pip was told for whom; what it takes for fitting is held against our own rules all the same.
                if let Some(why) = tags.misfit(file) {
                    return Err(SupplyError::Misfit { file: file.as_str().into(), why });
                }
                (file, *sha256, Some(*size), Place::Index)
            }
        };
        Ok(WheelJob { file: file.clone(), sha256, size, from, site })
    };
    wanted.iter().map(job).collect()
}

/// Jobs for what a lock holds.
///
/// # Errors
/// A file name that is no wheel's.
pub(in crate::build) fn locked_wheels<'a>(
    wheels: &[LockedWheel],
    python: &Python,
    site: &'a Site,
    inputs: &Inputs,
) -> Result<Vec<WheelJob<'a>>, SupplyError> {
    // The application's lock may know of a password for the same file; if it cannot be read any more, ours will do.
    let wanted = match wheels.iter().any(|wheel| wheel.url.is_some()) {
        true => inputs.select(python, &site.environment).unwrap_or_default(),
        false => Vec::new(),
    };
    let full = |wheel: &LockedWheel| {
        wanted.iter().find_map(|wanted| match &wanted.source {
            Source::Url { url, sha256, .. } if *sha256 == wheel.sha256 => Some(url.clone()),
            _ => None,
        })
    };
    let job = |wheel: &LockedWheel| {
        let LockedWheel { name, version, filename, size, sha256, url, path, .. } = wheel;
        let wrong = |why: String| SupplyError::Locked { name: name.clone(), version: version.clone(), why };
        let file = WheelName::parse(filename).map_err(|error| wrong(error.to_string()))?;
        if (file.project().as_str(), &file.version().to_string()) != (name, version) {
            return Err(wrong(format!("{filename} is the file of {} {}", file.project(), file.version())));
        }
        let from = match (inputs.local(sha256), url, path) {
            (Some(local), ..) => Place::File(local.path.clone(), None),
            (None, Some(url), _) => Place::Url(full(wheel).unwrap_or_else(|| url.clone())),
            (None, None, Some(path)) => {
                Place::File(inputs.folder().unwrap_or(Path::new("")).join(path), Some(path.clone()))
            }
            (None, None, None) => Place::Index,
        };
        Ok(WheelJob { file, sha256: *sha256, size: Some(*size), from, site })
    };
    wheels.iter().map(job).collect()
}

fn not_here(file: &WheelName, path: &Path, error: &io::Error) -> SupplyError {
    SupplyError::NotHere { file: file.as_str().into(), why: format!("{}: {error}", path.display()) }
}

impl WheelJob<'_> {
    pub fn origin(&self) -> Origin {
        Origin::Wheel(self.file.project().as_str().into())
    }

    pub(super) fn key(&self, filter: &Filter) -> Sha256 {
        python::segment_key(&self.sha256, self.site, filter)
    }

    pub(super) fn fetch(&self, download: Download<'_>) -> Result<PathBuf, SupplyError> {
        let Download { fetcher, store, progress, .. } = download;
        let kept = || store.get(Shelf::Sources, &self.sha256);
        let is_here = matches!(&self.from, Place::File(path, _) if path.exists());
        if let Some(url) = self.vendored(download).filter(|_| !is_here) {
            let want = Want { size: self.size, sha256: &self.sha256, promise: Promise::Vendored };
            return Ok(fetcher.fetch_to_store(store, Shelf::Sources, &[url], want, progress)?);
        }
        match &self.from {
            Place::Url(url) => {
                let want = Want { size: self.size, sha256: &self.sha256, promise: Promise::PythonLock };
                Ok(fetcher.fetch_to_store(store, Shelf::Sources, std::slice::from_ref(url), want, progress)?)
            }
            Place::File(path, _) => match fs::metadata(path) {
                Ok(_) => Ok(path.clone()),
                Err(error) => kept().ok_or_else(|| not_here(&self.file, path, &error)),
            },
            Place::Index => kept().ok_or_else(|| python::PipError::Absent(self.file.as_str().into()).into()),
        }
    }

    /// Its URL in the folder that stands for all mirrors, if that has it.
    fn vendored(&self, download: Download<'_>) -> Option<String> {
        download.fetcher.vendored()?.wheel(self.file.as_str())
    }

    pub(super) fn unpack(&self, file: &Path, supplier: Supplier<'_>) -> Result<Segment, SupplyError> {
        let Supplier { filter, limits, download, .. } = supplier;
        Ok(python::install(download.store, file, &self.file, &self.sha256, self.site, filter, &limits.into())?)
    }

    /// As the lock will have it. A size that nobody knows is found out.
    ///
    /// # Errors
    /// When that takes a file that cannot be had.
    pub fn locked(&self, needs: Vec<String>, download: Download<'_>) -> Result<LockedWheel, SupplyError> {
        let size = match self.size {
            Some(size) => size,
            None => {
                call_pip(std::iter::once(&Job::Wheel(self)), download)?;
                let path = self.fetch(download)?;
                fs::metadata(&path).map_err(|error| not_here(&self.file, &path, &error))?.len()
            }
        };
        let (url, path) = match &self.from {
            // A lock under version control holds no password.
            Place::Url(url) => (Some(shown(url)), None),
            Place::File(_, written) => (None, written.clone()),
            Place::Index => (None, None),
        };
        Ok(LockedWheel {
            name: self.file.project().to_string(),
            version: self.file.version().to_string(),
            filename: self.file.as_str().into(),
            size,
            sha256: self.sha256,
            url,
            path,
            needs,
        })
    }
}

/// Has pip bring the wheels among `jobs` that only it can find, and that the store does not have.
pub(super) fn call_pip<'j>(jobs: impl Iterator<Item = &'j Job<'j>>, download: Download<'_>) -> Result<(), SupplyError> {
    let mut site = None;
    let mut errands = Vec::new();
    for job in jobs {
        let Job::Wheel(wheel) = job else { continue };
        let is_here =
            || wheel.vendored(download).is_some() || download.store.get(Shelf::Sources, &wheel.sha256).is_some();
        if matches!(wheel.from, Place::Index) && !is_here() {
            let (name, version) = (wheel.file.project().clone(), wheel.file.version().to_string());
            errands.push(Errand { name, version, sha256: vec![wheel.sha256] });
            site = Some(wheel.site);
        }
    }
    if let Some(site) = site {
        bring(errands, site, download)?;
    }
    Ok(())
}

/// The wheels wanted that the vendored folder has: of the right digest, and of several the one that fits best.
fn in_folder(errands: &[Errand], site: &Site, download: Download<'_>) -> Result<Found, SupplyError> {
    let mut found = Found::new();
    let Some(vendored) = download.fetcher.vendored() else { return Ok(found) };
    let names = vendored.wheels();
    let files: Vec<WheelName> = names.iter().filter_map(|name| WheelName::parse(name).ok()).collect();
    for errand in errands {
        let mut fitting = Vec::new();
        for file in files.iter().filter(|file| *file.project() == errand.name) {
            let path = vendored.root().join(wheel_path(file.as_str()));
            let (sha256, size) =
                fs::File::open(&path).and_then(Sha256::of_reader).map_err(|error| not_here(file, &path, &error))?;
            if errand.sha256.contains(&sha256) {
                fitting.push((file, (sha256, size)));
            }
        }
        if let Some((file, (sha256, size))) = site.environment.tags().best(fitting) {
            found.insert(errand.name.clone(), (file.clone(), sha256, size));
        }
    }
    Ok(found)
}

type Found = BTreeMap<python::ProjectName, (WheelName, Sha256, u64)>;

/// pip's wheels, put into the store; those that the folder has that stands for all mirrors are not pip's to bring.
fn bring(mut errands: Vec<Errand>, site: &Site, download: Download<'_>) -> Result<Found, SupplyError> {
    let mut found = in_folder(&errands, site, download)?;
    errands.retain(|errand| !found.contains_key(&errand.name));
    if errands.is_empty() {
        return Ok(found);
    }
    let Download { fetcher, store, progress, .. } = download;
    if fetcher.is_offline() {
        let names = errands.iter().map(|errand| errand.name.to_string()).collect::<Vec<_>>();
        return Err(python::PipError::Offline(names.join(", ")).into());
    }
    progress.phase("pip is downloading wheels", None);
    let folder = store.temp_dir()?;
    for (name, wheel) in python::download(&errands, &site.environment, folder.path())? {
        store.adopt(Shelf::Sources, &wheel.sha256, &wheel.path)?;
        found.insert(name, (wheel.file, wheel.sha256, wheel.size));
    }
    Ok(found)
}
