//! `compose cache …`: the store as its owner sees it.
//!
//! In: a subcommand. Out: a report; `gc` and `verify` remove entries.

use std::{env, fmt::Write as _, fs::File, io};

use super::{args::CacheCommand, desk::cache_folder, environment, exit::Failure, print, report::mb};
use crate::{
    advisory, archive,
    base::{Sha256, refusal},
    build::bytecode,
    image, manifest,
    store::{Shelf, Store, StoreError},
    unpack,
};

/// The store may grow to this many bytes, unless `COMPOSE_CACHE_LIMIT` says otherwise.
const LIMIT: u64 = 10 << 30;

/// Runs the subcommand.
pub fn cache(command: &CacheCommand) -> Result<(), Failure> {
    let folder = cache_folder()?;
    if let CacheCommand::Path = command {
        return print(&format!("{}\n", folder.display()));
    }
    let store = Store::open(&folder)?;
    match command {
        CacheCommand::Path => Ok(()),
        CacheCommand::Info => info(&store),
        CacheCommand::Gc { limit } => gc(&store, limit.as_deref()),
        CacheCommand::Verify => verify(&store),
    }
}

/// The most bytes that the store may hold.
///
/// # Errors
/// When `COMPOSE_CACHE_LIMIT` is no size.
pub fn limit() -> Result<u64, Failure> {
    let variable = environment::COMPOSE_CACHE_LIMIT;
    match variable.read() {
        Ok(text) if !text.is_empty() => size(variable.name, &text),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(LIMIT),
        Err(env::VarError::NotUnicode(text)) => size(variable.name, &text.to_string_lossy()),
    }
}

fn size(what: &str, text: &str) -> Result<u64, Failure> {
    let wrong = || format!("{what} is “{text}”, which is no size; write such as \"5 GiB\" or \"500 MB\"");
    let refusal = if what.starts_with('-') { refusal::BAD_OPTION } else { refusal::BAD_ENVIRONMENT };
    manifest::size(text).ok_or_else(|| Failure::words(refusal, wrong()))
}

fn info(store: &Store) -> Result<(), Failure> {
    let limit = limit()?;
    let mut text = format!("{}\n", store.root().display());
    let holdings = store.holdings()?;
    for holding in &holdings {
        let _ = writeln!(text, "{:10} {:6} entries {:>12}", holding.shelf.folder(), holding.entries, mb(holding.bytes));
    }
    let entries: usize = holdings.iter().map(|holding| holding.entries).sum();
    let bytes = holdings.iter().map(|holding| holding.bytes).sum();
    let _ = writeln!(text, "{:10} {entries:6} entries {:>12} of at most {}", "together", mb(bytes), mb(limit));
    print(&text)
}

fn gc(store: &Store, given: Option<&str>) -> Result<(), Failure> {
    let limit = given.map_or_else(limit, |text| size("--limit", text))?;
    store.hold_alone(|| super::tell("waiting until no other run uses the cache"))?;
    let removed = store.collect(limit)?;
    if removed.entries == 0 {
        return print(&format!("nothing to remove: {} are in the cache, of at most {}\n", mb(removed.left), mb(limit)));
    }
    print(&format!(
        "removed {} entries ({}), those unused for longest; {} are left\n",
        removed.entries,
        mb(removed.bytes),
        mb(removed.left)
    ))
}

/// Reads every entry, and removes those that are not what their names promise: then the exit code says so. What cannot
/// be read is no less sound for that, and a failure of its own.
fn verify(store: &Store) -> Result<(), Failure> {
    let mut text = String::new();
    let mut damaged = 0;
    for shelf in Shelf::ALL {
        let keys = store.keys(shelf)?;
        let sound = |key: &Sha256, found: Sha256| {
            let path = store.path(shelf, key);
            match shelf {
                Shelf::Debs | Shelf::Sources => found == *key,
                Shelf::Indexes => archive::is_kept_sound(&path, key),
                Shelf::Segments => unpack::is_sound(&path, key),
                Shelf::Packs => image::is_sound(&path, key),
                Shelf::Bytecode => bytecode::is_sound(&path, key),
                Shelf::Advisories => advisory::is_kept_sound(&path, key),
            }
        };
        let mut bad = Vec::new();
        for key in &keys {
            let (path, seen) = (store.path(shelf, key), store.identity(shelf, key));
            let found = match File::open(&path).and_then(Sha256::of_reader) {
                Ok((found, _)) => found,
                // Another run has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::at("read", &path)(error).into()),
            };
            if !sound(key, found) {
                store.remove(shelf, key, seen)?;
                bad.push(key);
            }
        }
        let _ = writeln!(text, "{:10} {:6} sound {:6} damaged", shelf.folder(), keys.len() - bad.len(), bad.len());
        for key in &bad {
            let _ = writeln!(text, "  removed {}", store.path(shelf, key).display());
        }
        damaged += bad.len();
    }
    print(&text)?;
    if damaged > 0 {
        let words = format!("{damaged} damaged entries were removed from the cache; the next build makes them anew");
        return Err(Failure::words(refusal::CACHE_MENDED, words));
    }
    Ok(())
}
