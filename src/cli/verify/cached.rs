//! The files that a lock's content comes from, held against their digests before anything is made of them.
//!
//! In: [`Input`]s, the cache, and the store that the rebuild uses. Out: [`Damaged`]; what is sound in the cache is in that
//! store too. A download whose bytes are those of the lock is as good as one fetched anew: whoever unpacks it hashes it
//! once more. What is damaged in the cache is taken out of it; if a sound one is fetched anew, it takes its place.

use std::{collections::BTreeMap, fs::File, io, path::PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::places::first_difference;
use crate::{
    base::Sha256,
    build::{Input, Place},
    cli::exit::Failure,
    store::{Shelf, Store, StoreError},
};

/// A file that is not what it should be.
pub struct Damaged {
    what: String,
    /// Its own name, if its place has another.
    file: Option<String>,
    path: PathBuf,
    digests: Option<(Sha256, Sha256)>,
    /// On which shelf of the cache.
    shelf: Option<Shelf>,
    /// Its bytes, which nobody finds under its name any more.
    bytes: Option<File>,
    /// The first byte that is another, once [`Damaged::settle`] has found it.
    first: Option<u64>,
}

/// Hashes what is there of `inputs`, and gives what is sound in the cache `own` to `store`.
///
/// # Errors
/// When a file is there and cannot be read, or cannot be taken out of the cache.
pub fn check(inputs: &[Input], own: &Store, store: &Store) -> Result<Vec<Damaged>, Failure> {
    let found: Vec<Option<Damaged>> =
        inputs.par_iter().map(|input| one(input, own, store)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn one(input: &Input, own: &Store, store: &Store) -> Result<Option<Damaged>, StoreError> {
    let (path, wanted) = (input.path(own), input.sha256);
    let kept = match &input.place {
        Place::Kept(shelf) => Some((*shelf, own.identity(*shelf, &wanted))),
        Place::Here(_) => None,
    };
    let opened = File::open(&path).and_then(|file| Ok((file.try_clone()?, Sha256::of_reader(file)?.0)));
    let (bytes, found) = match opened {
        Ok(opened) => opened,
        // Not fetched yet; and what the manifest names in vain, the rebuild tells.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::at("read", &path)(error)),
    };
    if found == wanted {
        if let Some((shelf, _)) = kept.filter(|_| store.root() != own.root()) {
            store.lend(shelf, &wanted, &path)?;
        }
        return Ok(None);
    }
    let shelf = kept.map(|(shelf, _)| shelf);
    if let Some((shelf, seen)) = kept {
        own.remove(shelf, &wanted, seen)?;
    }
    Ok(Some(Damaged {
        what: input.what.clone(),
        file: kept.map(|_| input.file.clone()),
        path,
        digests: Some((wanted, found)),
        shelf,
        bytes: Some(bytes),
        first: None,
    }))
}

/// What the rebuild met in the cache and did not use.
pub fn met(found: BTreeMap<(Shelf, Sha256), String>, store: &Store) -> impl Iterator<Item = Damaged> {
    let one = |((shelf, key), what)| Damaged {
        what,
        file: None,
        path: store.path(shelf, &key),
        digests: None,
        shelf: None,
        bytes: None,
        first: None,
    };
    found.into_iter().map(one)
}

impl Damaged {
    /// If a sound one was fetched into `store` meanwhile: finds where the bytes differ, and gives it to the cache `own`.
    ///
    /// # Errors
    /// When it cannot be put there.
    pub fn settle(&mut self, own: &Store, store: &Store) -> Result<(), StoreError> {
        let (Some(shelf), Some((wanted, _)), Some(bytes)) = (self.shelf, self.digests, self.bytes.take()) else {
            return Ok(());
        };
        let Some(sound) = store.get(shelf, &wanted) else { return Ok(()) };
        self.first = File::open(&sound).and_then(|sound| first_difference(sound, bytes)).ok().flatten();
        if store.root() == own.root() { Ok(()) } else { own.lend(shelf, &wanted, &sound) }
    }

    /// In lines.
    pub fn human(&self) -> String {
        let Self { what, file, path, digests, first, .. } = self;
        let file = file.as_ref().map(|file| format!(" ({file})")).unwrap_or_default();
        let how = match digests {
            Some((wanted, found)) => format!("{found} instead of {wanted}"),
            None => "it was made anew".into(),
        };
        let first = first.map(|at| format!(", from byte {at} on")).unwrap_or_default();
        format!("{what}{file}{first}: {how}\n      {}", path.display())
    }

    pub fn machine(&self) -> Value {
        let text = |digest: fn(&(Sha256, Sha256)) -> Sha256| self.digests.as_ref().map(|all| digest(all).to_string());
        json!({
            "what": self.what, "file": self.file, "path": self.path, "wanted": text(|all| all.0),
            "found": text(|all| all.1), "byte": self.first,
        })
    }
}
