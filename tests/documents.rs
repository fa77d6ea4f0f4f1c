//! What the documents name is there: the tests that SECURITY.md says hold each statement, the places that links lead
//! to, the keys of manifests, the commands and their options.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use compose::manifest;

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

/// The documents for whoever uses or mends compose, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(ROOT);
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "manifests/README.md"].map(|name| root.join(name)).into();
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        paths.push(entry.unwrap().path());
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A page's prose, and its code blocks, each with its language and the line that it begins in.
fn parts(text: &str) -> (String, Vec<(String, usize, String)>) {
    let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((language.to_owned(), number, String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((language, start, code))) => open = Some((language, start, code + line + "\n")),
            (None, None) => prose = prose + line + "\n",
        }
    }
    assert!(open.is_none(), "a code block has no end:\n{text}");
    (prose, blocks)
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (prose, _) = parts(text);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = BTreeSet::new();
    for line in prose.lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let slug: String = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = seen.entry(slug.clone()).or_default();
        out.insert(if *again == 0 { slug } else { format!("{slug}-{again}") });
        *again += 1;
    }
    out
}

#[test]
fn every_link_leads_to_something() {
    let mut followed = 0;
    for (page, text) in pages() {
        let (prose, _) = parts(&text);
        // What stands between backquotes is no link.
        let plain: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in plain.split("](").skip(1) {
            let link = rest.split(')').next().unwrap();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link}: there is no such heading, but {there:?}", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 40, "only {followed} links");
}

#[test]
fn every_manifest_is_one() {
    // Files that the manifests of the pages name.
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("manifests")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    for name in [
        "web.toml",
        "uv.lock",
        "requirements.txt",
        "python.tar.zst",
        "main.py",
        "company.crt",
        "keys/example.asc",
        "app/main.py",
        "wheels/a.whl",
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let web = "name = \"web\"\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"python3\"]\n";
    fs::write(folder.path().join("web.toml"), web).unwrap();
    let mut read = 0;
    // The examples of docs/manifest.md are of one key each, and the table that they come from is held against the reader.
    for (page, text) in pages().into_iter().filter(|(page, _)| !page.ends_with("docs/manifest.md")) {
        for (_, line, code) in parts(&text).1.into_iter().filter(|(language, ..)| language == "toml") {
            let mut lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            if lines.next().is_some_and(|first| first.starts_with("name =") || first.starts_with("extends =")) {
                if let Err(faults) = manifest::parse(&code, &folder.path().join("manifest.toml")) {
                    panic!("{}, line {line}: {faults}", page.display());
                }
                read += 1;
            }
        }
    }
    assert!(read > 5, "only {read} manifests");
}

/// The commands of a shell's lines, or of a CI job's, that begin with `compose`, without variables before it and
/// redirections after it.
fn commands(code: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for line in code.replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap().trim_start().trim_start_matches("- ").trim_start_matches("run: ");
        for command in line.split(['|', ';']).flat_map(|part| part.split("&&")) {
            let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '(', ')']).to_owned());
            let mut words = words.skip_while(|word| word.contains('=') && !word.starts_with('-'));
            match words.next().as_deref() {
                Some("compose") => {}
                Some("cargo") if command.contains("cargo run ") && command.contains(" -- ") => {
                    words.by_ref().find(|word| word == "--");
                }
                _ => continue,
            }
            out.push(words.take_while(|word| word != "--" && !word.starts_with(['>', '<'])).collect());
        }
    }
    out
}

fn help(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_compose")).args(arguments).arg("--help").output().unwrap();
    assert!(ran.status.success(), "compose {arguments:?} --help");
    String::from_utf8(ran.stdout).unwrap()
}

/// What a help lists below a heading: the first word of each line that is indented by two.
fn listed(help: &str, heading: &str) -> BTreeSet<String> {
    let below = help.split_once(heading).map_or("", |(_, below)| below);
    let lines = below.lines().skip(1).take_while(|line| !line.trim().is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_is_one() {
    let subcommands = listed(&help(&[]), "Commands:");
    assert!(subcommands.contains("verify"), "{subcommands:?}");
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut tried = 0;
    // The examples of docs/manifest.md are of one key each, and the table that they come from is held against the reader.
    for (page, text) in pages().into_iter().filter(|(page, _)| !page.ends_with("docs/manifest.md")) {
        for (_, line, code) in
            parts(&text).1.into_iter().filter(|(language, ..)| ["sh", "yaml"].contains(&language.as_str()))
        {
            for words in commands(&code) {
                let place = format!("{}, below line {line}: compose {}", page.display(), words.join(" "));
                let mut path: Vec<String> =
                    words.iter().take(1).filter(|word| subcommands.contains(*word)).cloned().collect();
                if path.is_empty() {
                    let manifest = words.iter().any(|word| word.ends_with(".toml") || word.contains('$'));
                    let alone = words.first().is_some_and(|word| word.starts_with("--"));
                    assert!(manifest || alone, "{place}: neither a subcommand nor a manifest");
                }
                // `cache gc` has a help of its own.
                if path.first().is_some_and(|word| word == "cache") {
                    path.extend(words.get(1).cloned());
                }
                let arguments: Vec<&str> = path.iter().map(String::as_str).collect();
                let help = helps.entry(path.clone()).or_insert_with(|| help(&arguments));
                let known: BTreeSet<&str> = help
                    .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                    .filter(|word| word.starts_with('-'))
                    .collect();
                for option in words.iter().filter(|word| word.starts_with('-')) {
                    let name = option.split('=').next().unwrap();
                    assert!(known.contains(name), "{place}: there is no {name}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 30, "only {tried} options");
}
