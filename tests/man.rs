//! `compose man` on the real binary: a page of each command, which readers of manual pages have nothing to say against.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use compose::cli::environment::VARIABLES;

fn compose(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compose")).args(args).current_dir(folder).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// The names of the commands below one, as its help has them.
fn below(folder: &Path, way: &[String]) -> Vec<String> {
    let args: Vec<&str> = way.iter().map(String::as_str).chain(["-h"]).collect();
    let help = text(compose(folder, &args).stdout);
    let Some((_, commands)) = help.split_once("Commands:\n") else { return Vec::new() };
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names = commands.lines().take_while(|line| !line.is_empty()).filter(is_name);
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn commands(folder: &Path, way: &[String], out: &mut BTreeSet<String>) {
    out.insert([&["compose".to_owned()], way].concat().join("-") + ".1");
    for name in below(folder, way) {
        commands(folder, &[way, &[name]].concat(), out);
    }
}

fn files(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_command_has_a_page_and_other_files_stay() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("share/man1");
    let run = compose(temp.path(), &["man", "share/man1"]);
    assert!(run.status.success(), "{}", text(run.stderr));
    let mut wanted = BTreeSet::new();
    commands(temp.path(), &[], &mut wanted);
    assert!(wanted.len() > 15 && wanted.contains("compose-cache-gc.1"), "{wanted:?}");
    assert_eq!(files(&dir), wanted);
    assert_eq!(text(run.stdout), format!("share/man1  {} pages\n", wanted.len()));

    let whole = fs::read_to_string(dir.join("compose.1")).unwrap();
    assert_eq!(text(compose(temp.path(), &["man"]).stdout), whole);
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXAMPLES", "FILES", "ENVIRONMENT"] {
        assert!(whole.contains(&format!(".SH {section}\n")), "{section}");
    }
    assert!(whole.contains(".SH \"EXIT STATUS\"\n") && whole.contains(".SH \"SEE ALSO\"\n"));
    for variable in VARIABLES {
        assert!(whole.contains(&format!("\\fB{}\\fR\n", variable.name)), "{}", variable.name);
    }

    // What has another name is not touched; a page that is there is replaced, by the same bytes.
    fs::write(dir.join("other.1"), "mine").unwrap();
    fs::write(dir.join("compose-lock.1"), "old").unwrap();
    assert!(compose(temp.path(), &["man", "share/man1"]).status.success());
    assert_eq!(fs::read_to_string(dir.join("other.1")).unwrap(), "mine");
    assert!(fs::read_to_string(dir.join("compose-lock.1")).unwrap().contains(".TH COMPOSE-LOCK 1 "));
    assert_eq!(fs::read_to_string(dir.join("compose.1")).unwrap(), whole);
    assert_eq!(files(&dir).len(), wanted.len() + 1, "nothing else is left there");
}

#[test]
fn a_command_s_page_is_printed_unless_a_folder_is_called_so() {
    let temp = tempfile::tempdir().unwrap();
    let page = text(compose(temp.path(), &["man", "lock"]).stdout);
    assert!(page.contains(".TH") && files(temp.path()).is_empty(), "{page}");
    fs::create_dir(temp.path().join("lock")).unwrap();
    assert!(compose(temp.path(), &["man", "lock"]).status.success());
    assert_eq!(fs::read_to_string(temp.path().join("lock/compose-lock.1")).unwrap(), page);
}

#[test]
fn a_folder_that_cannot_be_is_told() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "mine").unwrap();
    let run = compose(temp.path(), &["man", "file"]);
    let said = text(run.stderr);
    assert!(run.status.code() == Some(8) && said.contains("cannot write file"), "{said}");
    assert_eq!(fs::read_to_string(temp.path().join("file")).unwrap(), "mine");
}

#[test]
fn readers_find_nothing_wrong_with_the_pages() {
    let temp = tempfile::tempdir().unwrap();
    assert!(compose(temp.path(), &["man", "pages"]).status.success());
    let pages: Vec<PathBuf> =
        files(&temp.path().join("pages")).iter().map(|name| temp.path().join("pages").join(name)).collect();
    for reader in [
        &["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z"][..],
        &["man", "--warnings", "--encoding=UTF-8", "-l"],
        &["mandoc", "-T", "lint", "-W", "style"],
    ] {
        if Command::new(reader[0]).arg("--version").output().is_err() {
            println!("skipped: {} is not there", reader[0]);
            continue;
        }
        for page in &pages {
            let mut command = Command::new(reader[0]);
            command.args(&reader[1..]).arg(page).env("LC_ALL", "C.UTF-8").env("MANPAGER", "cat").env("MANWIDTH", "80");
            let Output { status, stdout, stderr } = command.output().unwrap();
            // mandoc has its say on standard output, man the page.
            let said = if reader[0] == "man" { text(stderr) } else { text(stderr) + &text(stdout) };
            // A page has no date, so that its bytes do not depend on the day; mandoc wants one.
            let is_meant = |line: &&str| !line.contains("missing date");
            let said: String = said.lines().filter(is_meant).collect();
            assert!(
                (status.success() || reader[0] == "mandoc") && said.is_empty(),
                "{}: {}: {said}",
                reader[0],
                page.display()
            );
        }
    }
}
