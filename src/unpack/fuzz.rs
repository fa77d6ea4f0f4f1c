//! What must hold of segments, whatever archive they are made of: nothing leaves the root, and what was written is what
//! is read.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::{collections::BTreeMap, io::Read, path::Path};

use super::{
    Filter, FilterSpec, OmitSpec, UnpackFault, build,
    index::{Index, TRAILER, What},
    survey::{Archive, survey},
};
use crate::{
    base::{RootPath, Sha256},
    deb::{self, Control, Entries, Limits, TarFault, TarKind},
    fuzz::told,
    tree::{Meta, Origin, header},
};

struct Bytes<'a>(&'a [u8], Limits);

impl Archive for Bytes<'_> {
    fn entries(&self) -> Result<Entries<Box<dyn Read + Send + '_>>, UnpackFault> {
        Ok(Entries::new(Box::new(self.0), &self.1))
    }

    fn fault(&self, fault: TarFault) -> UnpackFault {
        fault.into()
    }

    fn place(&self, name: &[u8]) -> Result<Option<RootPath>, UnpackFault> {
        Ok(Some(RootPath::parse(name)?))
    }

    fn own(&self, meta: Meta) -> Meta {
        meta
    }
}

/// The tar archive of a package, with and without a filter.
pub fn segment(bytes: &[u8]) {
    let sealed = deb::fuzz::sealed(bytes);
    let omit = OmitSpec { patterns: vec!["/usr/share/doc/**".into(), "/**/*.a".into()], ..Default::default() };
    let spec = FilterSpec { omit: vec![omit], keep: vec!["/usr/share/doc/*/copyright".into()], ..Default::default() };
    for filter in [Filter::nothing(), Filter::new(&spec).expect("sound patterns")] {
        lay(&Bytes(&sealed, deb::fuzz::limits()), &filter);
    }
}

fn lay(archive: &Bytes<'_>, filter: &Filter) {
    let place = Path::new("/nowhere");
    let survey = match survey(archive, filter, place) {
        Ok(survey) => survey,
        Err(fault) => return told(&fault),
    };
    let mut payload = Vec::new();
    let origin = Origin::Tarball("a".into());
    let index = build::lay(Sha256::of(b""), origin, survey, Control::default(), (&mut payload, place));
    let index = index.expect("memory takes it");
    assert_eq!(index.payload, (payload.len() as u64, Sha256::of(&payload)));
    assert_eq!(Index::decode(&encoded(&index)).as_ref(), Some(&index));
    assert!(index.records.is_sorted_by(|a, b| a.path < b.path));
    let merged = ["bin", "sbin", "lib"];
    let first = |path: &RootPath| path.components().next().map(<[u8]>::to_vec).unwrap_or_default();
    assert!(
        index
            .records
            .iter()
            .all(|one| !one.path.is_root() && merged.iter().all(|top| first(&one.path) != top.as_bytes()))
    );

    // Below what is no directory there is nothing, and a hard link's file comes before it.
    let kinds: BTreeMap<_, _> = index.records.iter().map(|record| (&record.path, &record.what)).collect();
    for record in &index.records {
        let mut above = record.path.parent();
        while let Some(path) = above {
            assert!(kinds.get(&path).is_none_or(|what| matches!(what, What::Dir)), "{path} above {}", record.path);
            above = path.parent();
        }
        if let What::Hardlink(target) = &record.what {
            assert!(*target < record.path && matches!(kinds.get(target), Some(What::File { .. })), "{record:?}");
        }
    }

    // The payload is a tar archive of the same, but for directories.
    payload.extend_from_slice(&header::END);
    let limits = Limits { entries: 2000, extension: 1 << 18, ..archive.1.clone() };
    let mut entries = Entries::new(payload.as_slice(), &limits);
    for record in index.records.iter().filter(|record| record.what != What::Dir) {
        let entry = entries.next_entry().expect("compose wrote it").expect("as many as records");
        assert_eq!(RootPath::parse(&entry.path).as_ref(), Ok(&record.path));
        match (&entry.kind, &record.what) {
            (TarKind::File(size), What::File { content, sha256 }) => {
                let mut bytes = Vec::new();
                entries.read_to_end(&mut bytes).expect("memory gives it");
                assert_eq!((*size, Sha256::of(&bytes)), (content.end - content.start, *sha256));
            }
            (TarKind::Symlink(found), What::Symlink(wanted)) => assert_eq!(found, wanted),
            (TarKind::Hardlink(found), What::Hardlink(wanted)) => assert_eq!(**found, *wanted.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
    assert!(entries.next_entry().expect("its end").is_none());
}

/// An index as [`Index::decode`] takes it: without the trailer, which is of constant length.
fn encoded(index: &Index) -> Vec<u8> {
    let mut bytes = index.encode();
    bytes.truncate(bytes.len() - TRAILER as usize);
    bytes
}

/// The index of a segment in the store.
pub fn index(bytes: &[u8]) {
    if let Some(index) = Index::decode(bytes) {
        assert_eq!(Index::decode(&encoded(&index)), Some(index));
    }
}
