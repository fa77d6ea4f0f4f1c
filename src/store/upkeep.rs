//! What is in the store, and what goes when it grows too large.
//!
//! In: a store, a limit in bytes. Out: numbers; entries that were not used for longest are gone.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{Shelf, Store, StoreError};
use crate::base::{Sha256, beneath};

/// A download that nobody went on with for so long is swept away.
pub(super) const STALE: Duration = Duration::from_secs(3 * 24 * 3600);

/// What lies on one shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Which.
    pub shelf: Shelf,
    /// Number of entries.
    pub entries: usize,
    /// Their sizes together, bytes.
    pub bytes: u64,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of entries.
    pub entries: usize,
    /// Their sizes together.
    pub bytes: u64,
    /// What is left, bytes.
    pub left: u64,
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Store {
    /// What lies on each shelf.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn holdings(&self) -> Result<Vec<Holding>, StoreError> {
        let holding = |shelf| {
            let entries = self.entries(shelf)?;
            Ok(Holding { shelf, entries: entries.len(), bytes: entries.iter().map(|entry| entry.bytes).sum() })
        };
        Shelf::ALL.into_iter().map(holding).collect()
    }

    /// The keys of a shelf's entries, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn keys(&self, shelf: Shelf) -> Result<Vec<Sha256>, StoreError> {
        let name = |entry: Entry| entry.path.file_name()?.to_str()?.parse().ok();
        let mut keys: Vec<Sha256> = self.entries(shelf)?.into_iter().filter_map(name).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// Waits until no other run uses the store, which is this one's alone from then on; `waiting` is called if it takes
    /// time.
    ///
    /// # Errors
    /// When the file system has no locks.
    pub fn hold_alone(&self, waiting: impl FnOnce()) -> Result<(), StoreError> {
        if self.lock.alone() {
            return Ok(());
        }
        waiting();
        if self.lock.wait_alone() {
            return Ok(());
        }
        let source = std::io::ErrorKind::Unsupported.into();
        Err(StoreError { action: "lock", path: self.root.join("lock"), source })
    }

    /// Removes what was not used for longest until at most `limit` bytes are left, and all that is in the temporary
    /// folder. To be called by who holds the store alone.
    ///
    /// # Errors
    /// When a folder cannot be read, or an entry not be removed.
    pub fn collect(&self, limit: u64) -> Result<Removed, StoreError> {
        self.sweep(Duration::ZERO);
        self.forget_outputs();
        self.shrink(limit)
    }

    /// The same at the end of a run that added something: if the store is too large, and no other run uses it.
    /// Afterwards the store is not to be used any more.
    ///
    /// # Errors
    /// As [`Store::collect`].
    pub fn collect_if_idle(self, limit: u64) -> Result<Removed, StoreError> {
        if self.grew() && self.lock.alone() { self.shrink(limit) } else { Ok(Removed::default()) }
    }

    fn shrink(&self, limit: u64) -> Result<Removed, StoreError> {
        let mut entries = Vec::new();
        for shelf in Shelf::ALL {
            entries.extend(self.entries(shelf)?);
        }
        let mut removed = Removed { left: entries.iter().map(|entry| entry.bytes).sum(), ..Removed::default() };
        entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        for Entry { path, bytes, .. } in entries {
            if removed.left <= limit {
                break;
            }
            fs::remove_file(&path).map_err(StoreError::at("remove", &path))?;
            removed.entries += 1;
            removed.bytes += bytes;
            removed.left -= bytes;
        }
        Ok(removed)
    }

    fn entries(&self, shelf: Shelf) -> Result<Vec<Entry>, StoreError> {
        let folder = self.root.join(shelf.folder());
        let mut out = Vec::new();
        for entry in fs::read_dir(&folder).map_err(StoreError::at("read", &folder))? {
            let entry = entry.map_err(StoreError::at("read", &folder))?;
            // Gone meanwhile, or nothing that this program puts there.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_file() {
                let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                out.push(Entry { path: entry.path(), bytes: meta.len(), used });
            }
        }
        Ok(out)
    }

    /// Removes what killed runs left in the temporary folder, downloads that can be resumed only once they are `stale`.
    /// To be called by who holds the store alone. What cannot be removed costs space and nothing else.
    pub(super) fn sweep(&self, stale: Duration) {
        let now = SystemTime::now();
        let is_fresh = |entry: &fs::DirEntry| {
            let touched = entry.metadata().and_then(|meta| meta.modified());
            touched.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since < stale))
        };
        for entry in fs::read_dir(self.root.join("tmp")).into_iter().flatten().flatten() {
            let can_go_on = entry.file_name().to_string_lossy().ends_with(".partial");
            if !(can_go_on && is_fresh(&entry)) {
                // Links are not followed, neither here nor below.
                let _ = beneath::remove_at(&entry.path());
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{io::Write as _, path::Path};

    use super::*;

    fn put(store: &Store, shelf: Shelf, content: &[u8], age: u64) -> Sha256 {
        let key = Sha256::of(content);
        let mut temp = store.temp().unwrap();
        temp.write_all(content).unwrap();
        let path = store.keep(shelf, &key, temp).unwrap();
        age_by(&path, age);
        key
    }

    fn age_by(path: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn removes_what_was_not_used_for_longest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let old = put(&store, Shelf::Debs, &[1; 100], 90_000);
        let older = put(&store, Shelf::Segments, &[2; 1000], 100_000);
        let used = put(&store, Shelf::Packs, &[3; 10], 200_000);
        let new = put(&store, Shelf::Indexes, &[4; 1], 0);
        assert_eq!(
            store.holdings().unwrap().iter().map(|h| (h.entries, h.bytes)).collect::<Vec<_>>(),
            [(1, 100), (0, 0), (1, 1), (1, 1000), (1, 10), (0, 0), (0, 0)]
        );
        assert!(store.get(Shelf::Packs, &used).is_some());
        assert_eq!(store.collect(10_000).unwrap(), Removed { entries: 0, bytes: 0, left: 1111 });
        assert_eq!(store.collect(200).unwrap(), Removed { entries: 1, bytes: 1000, left: 111 });
        assert_eq!(store.keys(Shelf::Segments).unwrap(), []);
        assert_eq!(store.collect(11).unwrap(), Removed { entries: 1, bytes: 100, left: 11 });
        assert!(store.get(Shelf::Debs, &old).is_none() && store.get(Shelf::Segments, &older).is_none());
        assert_eq!((store.keys(Shelf::Packs).unwrap(), store.keys(Shelf::Indexes).unwrap()), (vec![used], vec![new]));
        let seen = store.identity(Shelf::Packs, &used);
        store.remove(Shelf::Packs, &used, None).unwrap();
        assert_eq!(store.identity(Shelf::Packs, &used), seen, "another one than was seen stays");
        for _ in 0..2 {
            store.remove(Shelf::Packs, &used, seen).unwrap();
            assert_eq!(store.identity(Shelf::Packs, &used), None);
        }
        assert!(store.grew());
    }

    #[test]
    fn nothing_is_removed_while_another_run_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Store::open(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
        put(&one, Shelf::Debs, b"deb", 0);
        let leftover = folder.path().join("tmp/.tmpXYZ");
        fs::write(&leftover, "").unwrap();
        assert_eq!(one.clone().collect_if_idle(0).unwrap(), Removed::default());
        let third = Store::open(folder.path()).unwrap();
        assert!(leftover.exists(), "somebody may be writing to it");
        drop((other, third));
        assert_eq!(one.collect_if_idle(0).unwrap(), Removed { entries: 1, bytes: 3, left: 0 });
    }

    #[test]
    fn the_next_run_sweeps() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let at = |name: &str| folder.path().join("tmp").join(name);
        for name in [".tmpA", "fresh.partial", "stale.partial"] {
            fs::write(at(name), "").unwrap();
        }
        let kept = folder.path().join("debs/kept");
        fs::write(&kept, "").unwrap();
        fs::create_dir_all(at(".tmpB/usr/lib")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("debs"), at(".tmpB/usr/link")).unwrap();
        age_by(&at("stale.partial"), STALE.as_secs() + 60);
        Store::open(folder.path()).unwrap();
        let left = [".tmpA", ".tmpB", "fresh.partial", "stale.partial"].map(|name| at(name).exists());
        assert_eq!((left, kept.exists()), ([false, false, true, false], true));
    }

    #[test]
    fn an_old_entry_in_use_is_young_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (a, b) = (put(&store, Shelf::Debs, b"a", 100_000), put(&store, Shelf::Debs, b"b", 60));
        let age = |key| store.path(Shelf::Debs, key).metadata().unwrap().modified().unwrap().elapsed().unwrap();
        for key in [&a, &b] {
            store.get(Shelf::Debs, key).unwrap();
        }
        assert!(age(&a) < HOUR_AND_MORE && age(&b) >= Duration::from_secs(60));
    }

    const HOUR_AND_MORE: Duration = Duration::from_secs(3700);
}
