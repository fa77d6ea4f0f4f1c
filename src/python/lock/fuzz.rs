//! What must hold of an application's lock, in each of the five formats, whatever its bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::collections::BTreeSet;

use super::{Environment, Format, PythonLock, Source, marker::Marker};
use crate::base::Arch;
use crate::fuzz::told;

/// `pylock.toml`.
pub fn pylock(bytes: &[u8]) {
    lock("pylock.toml", bytes);
}

/// `uv.lock`.
pub fn uv(bytes: &[u8]) {
    lock("uv.lock", bytes);
}

/// `poetry.lock`.
pub fn poetry(bytes: &[u8]) {
    lock("poetry.lock", bytes);
}

/// `Pipfile.lock`.
pub fn pipfile(bytes: &[u8]) {
    lock("Pipfile.lock", bytes);
}

/// Requirements with hashes.
pub fn requirements(bytes: &[u8]) {
    lock("requirements.txt", bytes);
}

/// A marker: true or false in each environment.
pub fn marker(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Marker::parse(&text) {
        Ok(marker) => {
            for env in environments() {
                let scope =
                    super::Scope { environment: env.markers(), extras: BTreeSet::new(), groups: BTreeSet::new() };
                marker.holds(&scope);
            }
        }
        Err(error) => told(&error),
    }
}

fn environments() -> [Environment; 2] {
    let python = |text: &str| text.parse().expect("a version");
    [Environment::new(Arch::Amd64, python("3.13.5"), (2, 41)), Environment::new(Arch::Armhf, python("3.11.2"), (2, 36))]
}

/// What a lock chooses is sorted, of one version each, pinned, and fits.
fn lock(name: &str, bytes: &[u8]) {
    let lock = match PythonLock::parse(name.as_ref(), bytes) {
        Ok(lock) => lock,
        Err(fault) => return told(&fault),
    };
    assert_eq!(Format::of(name.as_ref()).ok(), Some(lock.format()));
    let names = lock.names();
    let some = |names: Option<BTreeSet<_>>| -> Vec<String> {
        let names = names.into_iter().flatten();
        names.take(20).map(|name: crate::python::ProjectName| name.to_string()).collect()
    };
    let (groups, extras) = (some(names.groups), some(names.extras));
    for env in environments() {
        for (groups, extras) in [(&[][..], &[][..]), (&groups, &extras)] {
            let wanted = match lock.select(&env, groups, extras, &BTreeSet::new()) {
                Ok(wanted) => wanted,
                Err(fault) => {
                    told(&fault);
                    continue;
                }
            };
            assert!(wanted.is_sorted_by(|a, b| a.name < b.name), "{wanted:?}");
            for one in &wanted {
                match &one.source {
                    Source::Url { url, file, .. } => {
                        assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
                        assert_eq!(file.project(), &one.name);
                    }
                    Source::Path { file, .. } => assert_eq!(file.project(), &one.name),
                    Source::Index { file, sha256 } => {
                        assert!(!sha256.is_empty());
                        assert!(file.as_ref().is_none_or(|file| file.project() == &one.name));
                    }
                }
            }
            // Whoever brings a project himself gets the others.
            let Some(first) = wanted.first() else { continue };
            let supplied = BTreeSet::from([first.name.clone()]);
            let rest = lock.select(&env, groups, extras, &supplied).expect("fewer are no harder");
            assert_eq!(rest, wanted[1..]);
        }
    }
}
