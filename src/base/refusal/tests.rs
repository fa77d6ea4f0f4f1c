//! The table holds together, and every row of it is one that something in `src` gives.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::base::Code;

#[test]
fn the_table_is_sorted_and_each_name_is_one() {
    let all: Vec<_> = Refusal::all().collect();
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
    let names: BTreeSet<_> = all.iter().map(|refusal| refusal.name).collect();
    assert_eq!(names.len(), all.len());
    for refusal in all {
        let Refusal { number, name, exit, meaning, next_step } = refusal;
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        assert_eq!(Code::named(name), None, "{name} is a finding's name");
        let codes = if number / 100 == 11 { exit::NOT_RUN..=exit::NOT_FOUND } else { exit::INTERNAL..=exit::OUTPUT };
        assert!(codes.contains(exit) && exit::words(*exit) != "unknown", "{name}");
        assert!(meaning.ends_with('.'), "{name}: {meaning}");
        assert!(!next_step.is_empty() && !next_step.ends_with('.'), "{name}: {next_step}");
        for text in [format!("E{number:04}"), format!("e{number}"), number.to_string(), (*name).to_owned()] {
            assert_eq!(Refusal::named(&text), Some(refusal), "{text}");
        }
    }
    for none in ["", "E", "E0", "E9999", "E00412", "E+412", "412x", "signature expired", "setuid"] {
        assert_eq!(Refusal::named(none), None, "{none}");
    }
}

/// What was given out stays as it is: a line of this may be added, and no other changed.
#[test]
fn numbers_names_and_exit_codes_stay() {
    let lines: String = Refusal::all().map(|refusal| format!("{refusal} {}\n", refusal.exit)).collect();
    insta::assert_snapshot!(lines);
}

/// Each constant is called as its name is, and the program's own text, without tests and comments, refers to it.
#[test]
fn every_row_is_given_by_something() {
    let mut used = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    let constant = |refusal: &&Refusal| refusal.name.to_uppercase().replace('-', "_");
    let unused: Vec<_> = Refusal::all().filter(|refusal| !used.contains(&constant(refusal))).collect();
    assert!(unused.is_empty(), "nothing gives {unused:?}");
}

fn read(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "tests" {
                read(&path, used);
            }
        } else if name.ends_with(".rs") && !name.contains("test") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            let is_own = path.ends_with("base/refusal/mod.rs");
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let prefix = if is_own { "" } else { "refusal::" };
            if is_own || !folder.ends_with("base/refusal") {
                used.extend(lines.flat_map(|line| constants(line, prefix)));
            }
        }
    }
}

/// The words in capitals that follow `prefix`.
fn constants<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = String> + 'a {
    let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    line.match_indices(is_word).filter_map(move |(at, _)| {
        let (before, rest) = line.split_at(at);
        let is_start = !before.ends_with(is_word) && before.ends_with(prefix);
        is_start.then(|| rest.chars().take_while(|c| is_word(*c)).collect())
    })
}
