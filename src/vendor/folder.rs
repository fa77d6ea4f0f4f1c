//! Files on their way into a folder.
//!
//! In: texts and files on this machine, each with its place. Out: the folder, filled under a temporary name: modes 0644
//! and 0755 whatever the umask, one date for all, so that an archive of it is the same too.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::VendorError;
use crate::{
    archive::vendored::{self, SUMS},
    base::{Progress, RootPath, Sha256, Sha256Writer, aside::is_full},
    deb::shown,
    image::stage::{StagedDir, has_parent, sweep},
};

/// Of a copy, bytes at a time.
const PART: usize = 256 << 10;

/// Largest list of digests that is read, bytes.
const MAX_SUMS: u64 = 64 << 20;

/// Where a file comes from.
pub(super) enum Source {
    /// As it is to be.
    Text(Vec<u8>),
    /// On this machine.
    Copy { from: PathBuf, sha256: Sha256 },
}

impl Source {
    pub fn copy(from: &Path, sha256: Sha256) -> Self {
        Self::Copy { from: from.into(), sha256 }
    }

    fn sha256(&self) -> Sha256 {
        match self {
            Self::Text(text) => Sha256::of(text),
            Self::Copy { sha256, .. } => *sha256,
        }
    }
}

/// The files of a folder by their places.
#[derive(Default)]
pub(super) struct Files(BTreeMap<RootPath, (String, Source)>);

impl Files {
    /// Adds a file; the same one may come again. `what` says in messages what it is.
    ///
    /// # Errors
    /// A place that is none, or that another file has.
    pub fn add(&mut self, path: &str, what: String, source: Source) -> Result<(), VendorError> {
        let bad = |why: String| VendorError::BadPlace { what: what.clone(), path: shown(path.as_bytes()), why };
        let place = RootPath::parse(path.as_bytes()).map_err(|error| bad(error.to_string()))?;
        if path.chars().any(|c| c.is_control() || c == '\\') {
            return Err(bad("it holds a control character or a backslash, which SHA256SUMS cannot".into()));
        }
        let clash = |other: &str| VendorError::Clash { path: path.into(), one: other.into(), other: what.clone() };
        if let Some((other, there)) = self.0.get(&place) {
            return if there.sha256() == source.sha256() { Ok(()) } else { Err(clash(other)) };
        }
        // A file where another has a folder, either way round.
        let mut above = place.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            if let Some((other, _)) = self.0.get(&folder) {
                return Err(clash(other));
            }
            above = folder.parent();
        }
        let below = self.0.range(place.clone()..).take_while(|(other, _)| other.starts_with(&place)).next();
        if let Some((_, (other, _))) = below.filter(|_| !place.is_root()) {
            return Err(clash(other));
        }
        if place.is_root() {
            return Err(clash("the folder itself"));
        }
        self.0.insert(place, (what, source));
        Ok(())
    }

    /// Adds the digests of all others, as `sha256sum -c` reads them.
    ///
    /// # Errors
    /// When a file has that name.
    pub fn add_sums(&mut self) -> Result<(), VendorError> {
        let mut text = Vec::new();
        for (path, (_, source)) in &self.0 {
            text.extend_from_slice(source.sha256().hex().as_bytes());
            text.extend_from_slice(b"  ");
            text.extend_from_slice(path.as_bytes());
            text.push(b'\n');
        }
        self.add(SUMS, "the digests".into(), Source::Text(text))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes all of them, dated `epoch`; the bytes written.
    ///
    /// # Errors
    /// [`VendorError`].
    pub fn write(&self, staged: &StagedDir, epoch: Timestamp, progress: &dyn Progress) -> Result<u64, VendorError> {
        let target = staged.target().to_owned();
        let at = |action, path: &RootPath| {
            let path = target.join(path.as_path());
            move |source| VendorError::Io { action, path, source }
        };
        let mut needed = 0;
        for (path, (_, source)) in &self.0 {
            needed += match source {
                Source::Text(text) => text.len() as u64,
                Source::Copy { from, .. } => from.metadata().map_err(at("read what goes to", path))?.len(),
            };
        }
        progress.phase("Writing", Some(needed));
        let seconds = u64::try_from(epoch.as_second()).unwrap_or_default();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut folders = BTreeSet::from([RootPath::root()]);
        let full = |error: VendorError| match error {
            VendorError::Io { source, .. } if is_full(&source) => {
                VendorError::Full { path: target.clone(), needed, source }
            }
            error => error,
        };
        for (path, (_, source)) in &self.0 {
            let mut above = path.parent();
            while let Some(folder) = above.filter(|folder| !folders.contains(folder)) {
                above = folder.parent();
                folders.insert(folder);
            }
            let mut file = staged.create(path).map_err(at("create", path)).map_err(full)?;
            match source {
                Source::Text(text) => {
                    file.write_all(text).map_err(at("write", path)).map_err(full)?;
                    progress.advance(text.len() as u64);
                }
                Source::Copy { from, sha256 } => {
                    let read = |source| VendorError::Io { action: "read", path: from.clone(), source };
                    let mut from_file = fs::File::open(from).map_err(read)?;
                    let mut out = Sha256Writer::new(&mut file);
                    let mut part = vec![0; PART];
                    loop {
                        let n = from_file.read(&mut part).map_err(read)?;
                        let Some(part @ [_, ..]) = part.get(..n) else { break };
                        out.write_all(part).map_err(at("write", path)).map_err(full)?;
                        progress.advance(n as u64);
                    }
                    if out.finish().1 != *sha256 {
                        return Err(VendorError::Changed(from.clone()));
                    }
                }
            }
            let described =
                file.set_permissions(fs::Permissions::from_mode(0o644)).and_then(|()| file.set_modified(time));
            described.map_err(at("set mode and date of", path))?;
        }
        // What is below first: it changes a folder's date.
        for folder in folders.iter().rev() {
            let described = staged.open(folder).and_then(|folder| {
                folder.set_permissions(fs::Permissions::from_mode(0o755))?;
                folder.set_modified(time)
            });
            described.map_err(at("set mode and date of", folder))?;
        }
        Ok(needed)
    }
}

/// A folder beside `target`, to be filled; what killed runs left there goes.
///
/// # Errors
/// When `target` cannot be made or replaced.
pub(super) fn stage(target: &Path, force: bool) -> Result<StagedDir, VendorError> {
    has_parent(target)?;
    sweep(target);
    Ok(StagedDir::new(target, is_ours, force)?)
}

/// Whether the folder at `path` is one of these, and nobody put anything else beside what is in it.
fn is_ours(path: &Path) -> bool {
    let known = || -> Option<BTreeSet<OsString>> {
        let mut text = String::new();
        fs::File::open(path.join(SUMS)).ok()?.take(MAX_SUMS).read_to_string(&mut text).ok()?;
        let first = |line: &str| Some(OsString::from(line.split_once("  ")?.1.split('/').next()?));
        Some(text.lines().filter_map(first).chain([SUMS.into()]).collect())
    };
    let is_known = |known: BTreeSet<OsString>| {
        let mut entries = fs::read_dir(path).into_iter().flatten();
        entries.all(|entry| entry.is_ok_and(|entry| known.contains(&entry.file_name())))
    };
    vendored::is_marked(path) && known().is_some_and(is_known)
}
