//! The reference in `docs/` is what the source says, and the source's environment variables are all in its table.
//!
//! `COMPOSE_BLESS=1 cargo test --test reference` writes the pages anew.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use compose::cli::{
    environment::{Reader, VARIABLES},
    reference::pages,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_pages_are_what_the_source_says() {
    let bless = env::var_os("COMPOSE_BLESS").is_some_and(|value| !value.is_empty());
    let mut stale = Vec::new();
    for page in pages() {
        let path = Path::new(ROOT).join(page.file);
        let there = fs::read_to_string(&path).unwrap_or_default();
        if there == page.text {
            continue;
        }
        if bless {
            fs::write(&path, &page.text).unwrap();
            continue;
        }
        let mut lines = there.lines().zip(page.text.lines()).enumerate();
        let first = lines.find(|(_, (old, new))| old != new);
        let place = match first {
            Some((at, (old, new))) => format!("line {}:\n  - {old}\n  + {new}", at + 1),
            None => format!("{} lines instead of {}", there.lines().count(), page.text.lines().count()),
        };
        stale.push(format!("{} is not what the source says, {place}", page.file));
    }
    assert!(
        stale.is_empty(),
        "{}\nCOMPOSE_BLESS=1 cargo test --test reference writes them anew; read the difference",
        stale.join("\n")
    );
}

/// Links within the pages, and from one to another, lead to a heading.
#[test]
fn links_of_the_pages_lead_somewhere() {
    let anchors = |text: &str| -> BTreeSet<String> {
        let headings =
            text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        headings.map(|line| line.to_lowercase().replace(' ', "-").chars().filter(kept).collect()).collect()
    };
    let mut count = 0;
    for page in pages() {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let name = if file.is_empty() { page.file.to_owned() } else { format!("docs/{file}") };
            let target = pages().into_iter().find(|page| page.file == name);
            let target = target.unwrap_or_else(|| panic!("{}: {link} leads to no page", page.file));
            assert!(anchor.is_empty() || anchors(&target.text).contains(anchor), "{}: {link}", page.file);
            count += 1;
        }
    }
    assert!(count > 30, "only {count} links");
}

/// The program's own text, without tests.
fn sources(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, out);
            }
        } else if name.ends_with(".rs") && !name.contains("test") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            out.push((path, code));
        }
    }
}

/// The environment is read in one place, by the rows of the table, and each row of compose's own is read.
#[test]
fn every_environment_variable_is_in_the_table() {
    let mut files = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut files);
    let (mut used, mut readers) = (BTreeSet::new(), 0);
    for (path, code) in &files {
        let is_table = path.ends_with("cli/environment.rs");
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let reads = ["env::var", "env::vars", "env::home_dir", "env::temp_dir", "env::split_paths"];
            // Those are for tests.
            if reads.iter().any(|call| line.contains(call)) && !line.contains("COMPOSE_TEST_") {
                let is_error = line.contains("env::VarError");
                assert!(is_table || is_error, "{} reads the environment: {line}", path.display());
                readers += 1;
            }
            for marker in ["environment::", "option_env!(\""] {
                for rest in line.split(marker).skip(1) {
                    let name = rest.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next().unwrap_or_default();
                    if name.len() > 1 && name != "VARIABLES" {
                        let known = VARIABLES.iter().any(|variable| variable.name == name);
                        assert!(known, "{}: {name} is not in the table: {line}", path.display());
                        used.insert(name.to_owned());
                    }
                }
            }
        }
    }
    assert!(readers > 1, "the readers were not found");
    for variable in VARIABLES {
        let is_own = variable.reader == Reader::Compose;
        assert_eq!(used.contains(variable.name), is_own, "{}", variable.name);
        assert!(variable.meaning.ends_with('.'), "{}", variable.name);
    }
    let is_in_order = |reader| {
        let names: Vec<_> = VARIABLES.iter().filter(|row| row.reader == reader).map(|row| row.name).collect();
        names.is_sorted() && !names.is_empty()
    };
    assert!(is_in_order(Reader::Compose) && is_in_order(Reader::Others));
}
