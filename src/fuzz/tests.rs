//! Every parser on its seeds, which are real files and what fuzzing once found, and on what is near them.

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::*;

/// The files below `tests/fuzz/corpus` of one parser.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_parser_takes_its_seeds() {
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        failed.extend(
            seeds.into_iter().filter(|(_, bytes)| catch_unwind(|| target(bytes)).is_err()).map(|(path, _)| path),
        );
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Edit {
    Set(u8),
    Cut(u8),
    Insert(Vec<u8>),
    Repeat(u8),
}

fn edits() -> impl Strategy<Value = Vec<(usize, Edit)>> {
    let word = "[ -~]{1,6}|\n|\r\n|\0|-1|999999999999|é|\\.\\./|/|\"";
    let edit = prop_oneof![
        4 => any::<u8>().prop_map(Edit::Set),
        2 => any::<u8>().prop_map(Edit::Cut),
        4 => word.prop_map(|text| Edit::Insert(text.into_bytes())),
        1 => any::<u8>().prop_map(Edit::Repeat),
    ];
    proptest::collection::vec((any::<usize>(), edit), 0..4)
}

fn edited(bytes: &[u8], edits: &[(usize, Edit)]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (at, edit) in edits {
        let at = at % (out.len() + 1);
        let end = |length: u8| (at + usize::from(length)).min(out.len());
        match edit {
            Edit::Set(byte) => out.get_mut(at).into_iter().for_each(|place| *place = *byte),
            Edit::Cut(length) => drop(out.drain(at..end(*length))),
            Edit::Insert(more) => drop(out.splice(at..at, more.clone())),
            Edit::Repeat(length) => {
                let more = out[at..end(*length)].to_vec();
                out.splice(at..at, more);
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_parser_takes_what_is_near(which in any::<usize>(), seed in any::<usize>(), edits in edits()) {
        let (name, target) = TARGETS[which % TARGETS.len()];
        let seeds = seeds(name);
        target(&edited(&seeds[seed % seeds.len()].1, &edits));
    }
}
