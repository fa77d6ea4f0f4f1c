//! Where blobs were last seen in a registry: a repository that has one can lend it to another (distribution spec,
//! “Mounting a blob from another repository”).
//!
//! In: the store, what was pushed. Out: hints, which the registry may or may not follow. Each registry has a file
//! `registries/SHA256-OF-ITS-NAME`, a line “digest repository” for each blob, the newest first. It is nothing but a help:
//! what is unreadable there counts as unknown.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
};

use super::{Registry, reference::is_component};
use crate::{
    base::{Sha256, aside},
    store::Store,
};

/// Blobs that are remembered of a registry.
const MOST: usize = 4096;

/// Bytes that are read: longer lines than names can have would not fit.
const LIMIT: u64 = MOST as u64 * 512;

/// What is remembered of one registry.
#[derive(Debug)]
pub(super) struct Places {
    path: PathBuf,
    known: Vec<(Sha256, String)>,
}

impl Places {
    pub(super) fn read(store: &Store, registry: &Registry) -> Self {
        let path = store.root().join("registries").join(Sha256::of(registry.as_str().as_bytes()).hex());
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(LIMIT).read_to_string(&mut text));
        let line = |line: &str| {
            let (digest, repository) = line.split_once(' ')?;
            let good = repository.len() < 256 && repository.split('/').all(is_component);
            Some((digest.parse().ok()?, repository.to_owned())).filter(|_| good)
        };
        let known = if read.is_ok() { text.lines().filter_map(line).take(MOST).collect() } else { Vec::new() };
        Self { path, known }
    }

    /// By digest, the repository that had the blob last.
    pub(super) fn by_digest(&self) -> BTreeMap<Sha256, &str> {
        self.known.iter().rev().map(|(digest, repository)| (*digest, repository.as_str())).collect()
    }

    /// Remembers that these blobs are in the repository.
    pub(super) fn keep(self, digests: &[Sha256], repository: &str) {
        let new = digests.iter().map(|digest| (*digest, repository));
        let old = self.known.iter().filter(|(digest, _)| !digests.contains(digest));
        let all = new.chain(old.map(|(digest, repository)| (*digest, repository.as_str()))).take(MOST);
        let text: String = all.map(|(digest, repository)| format!("{digest} {repository}\n")).collect();
        // A push that cannot be remembered is a push all the same.
        let _ = fs::create_dir_all(aside::folder(&self.path)).and_then(|()| aside::keep(&self.path, text.as_bytes()));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::image::registry::Reference;

    #[test]
    fn the_newest_place_counts_and_damage_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let registry = |text: &str| text.parse::<Reference>().unwrap().registry().clone();
        let (here, there) = (registry("r.example.com/x"), registry("r.example.com:5000/x"));
        let [a, b] = [b"a", b"b"].map(|bytes| Sha256::of(bytes));
        Places::read(&store, &here).keep(&[a, b], "team/one");
        Places::read(&store, &here).keep(&[b], "team/two");
        let places = Places::read(&store, &here);
        assert_eq!(places.by_digest(), BTreeMap::from([(a, "team/one"), (b, "team/two")]));
        assert!(Places::read(&store, &there).by_digest().is_empty());
        fs::write(&places.path, format!("{a} ../x\nnonsense\n{b} team/two?x=y\n{a} ok\n\u{0}")).unwrap();
        assert_eq!(Places::read(&store, &here).by_digest(), BTreeMap::from([(a, "ok")]));
        fs::write(&places.path, [0xff; 100]).unwrap();
        assert!(Places::read(&store, &here).by_digest().is_empty());
        let many: Vec<Sha256> = (0..MOST + 9).map(|n| Sha256::of(&n.to_le_bytes())).collect();
        Places::read(&store, &here).keep(&many, "many");
        assert_eq!(Places::read(&store, &here).by_digest().len(), MOST);
    }
}
