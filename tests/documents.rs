//! What the documents name is there: the tests that SECURITY.md says hold each statement.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, out),
            false if path.extension().is_some_and(|ending| ending == "rs") => out.push(path),
            false => {}
        }
    }
}

/// The names of functions and modules in a path such as `a::tests::{b, c}`.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(ROOT).join(folder), &mut files);
    }
    let all: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let functions: BTreeSet<&str> =
        all.split("fn ").skip(1).filter_map(|rest| rest.split_once('(').map(|(name, _)| name)).collect();
    let page = fs::read_to_string(Path::new(ROOT).join("SECURITY.md")).unwrap();
    let (_, table) = page.split_once("| class | what happened there | test here |").unwrap();
    let mut named = 0;
    for line in table.lines().take_while(|line| !line.starts_with('#')) {
        for code in line.rsplit('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2) {
            let code = code.trim();
            if let Some(file) = code.split("::").next().filter(|file| file.contains(".rs")) {
                assert!(Path::new(ROOT).join(file).is_file(), "{file} is not there");
            }
            if code.contains("::") {
                for word in words(code).filter(|word| word.matches('_').count() > 1) {
                    assert!(functions.contains(word), "there is no test {word} ({code})");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 20, "only {named} tests are named");
}
