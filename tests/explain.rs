//! `compose explain`, and the codes of errors, on the real binary.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, process::Output};

use assert_cmd::Command;
use compose::base::{CODES, refusal::Refusal};
use serde_json::Value;

fn compose(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.toml"), "name = \"x\"\nfoo = 1\n[packages]\ninstall = []\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    command.current_dir(folder.path()).env("COMPOSE_CACHE", folder.path().join("cache")).env("NO_COLOR", "1");
    command.args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn told(args: &[&str]) -> String {
    let run = compose(args);
    assert_eq!((run.status.code(), text(&run.stderr)), (Some(0), String::new()), "{args:?}");
    text(&run.stdout)
}

#[test]
fn one_code_in_each_of_its_spellings() {
    insta::assert_snapshot!("one", told(&["explain", "E0412"]));
    for spelling in ["e0412", "e412", "412", "signature-expired", "Signature-Expired"] {
        assert_eq!(told(&["explain", spelling]), told(&["explain", "E0412"]), "{spelling}");
    }
    insta::assert_snapshot!("a-refusal-and-a-finding", told(&["explain", "not-an-image", "setuid"]));
}

#[test]
fn every_code_explains_itself_and_stands_in_the_list() {
    let list = told(&["explain"]);
    let codes: Vec<String> = Refusal::all().map(Refusal::code).collect();
    let all: Vec<&str> = std::iter::once("explain").chain(codes.iter().map(String::as_str)).collect();
    let explained = told(&all);
    for refusal in Refusal::all() {
        let line = list.lines().find(|line| line.starts_with(&refusal.code())).unwrap();
        assert!(line.contains(refusal.name), "{line}");
        for part in [refusal.to_string(), format!("exit code {}: ", refusal.exit), refusal.next_step.into()] {
            assert!(explained.contains(&part), "{part}");
        }
    }
    assert_eq!(list.lines().count(), codes.len() + CODES.len());
    let json: Value = serde_json::from_str(&told(&["explain", "--format", "json"])).unwrap();
    assert_eq!(json["schema"], "compose-explain/1");
    assert_eq!(json["refusals"].as_array().map(Vec::len), Some(codes.len()));
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(CODES.len()));
    let one: Value = serde_json::from_str(&told(&["explain", "E0412", "--format", "json"])).unwrap();
    assert_eq!((&one["refusals"][0]["name"], &one["refusals"][0]["exit"]), (&"signature-expired".into(), &5.into()));
}

#[test]
fn a_wrong_one_is_told_the_near_one() {
    for (wrong, next) in [
        ("signature-expird", "did you mean “signature-expired”?"),
        ("set-uid", "did you mean “setuid”?"),
        ("E9999", "run `compose explain` for the list"),
    ] {
        let run = compose(&["explain", wrong]);
        let said = text(&run.stderr);
        assert_eq!((run.status.code(), text(&run.stdout)), (Some(2), String::new()), "{wrong}");
        assert!(said.starts_with("error[E0104 unknown-name]: ") && said.contains(next), "{said}");
    }
}

/// Every command that can print JSON prints the failure so too, and says it to people all the same.
#[test]
fn a_failure_is_json_where_json_was_asked_for() {
    let cases: [(&[&str], &str, &str); 8] = [
        (&["gone.toml"], "E0110", "manifest-unreadable"),
        (&["broken.toml"], "E0123", "manifest"),
        (&["lock", "gone.toml"], "E0110", "manifest-unreadable"),
        (&["why", "gone.toml", "x"], "E0110", "manifest-unreadable"),
        (&["verify", "gone.toml"], "E0110", "manifest-unreadable"),
        (&["vendor", "gone.toml", "dir"], "E0110", "manifest-unreadable"),
        (&["audit", "gone"], "E0105", "target-unreadable"),
        (&["diff", "gone", "too"], "E0105", "target-unreadable"),
    ];
    for (args, code, name) in cases {
        let run = compose(&[args, &["--format", "json"]].concat());
        let (json, said) = (text(&run.stdout), text(&run.stderr));
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{args:?}: {error}: {json}"));
        assert_eq!(json["schema"], "compose-error/1", "{args:?}");
        if name != "manifest" {
            assert_eq!((&json["code"], &json["name"]), (&code.into(), &name.into()), "{args:?}");
        }
        assert_eq!(json["exit"].as_i64(), run.status.code().map(i64::from), "{args:?}");
        let head = format!("error[{} {}]", json["code"].as_str().unwrap(), json["name"].as_str().unwrap());
        assert!(said.contains(&head) && !json["next-step"].as_str().unwrap().is_empty(), "{args:?}: {said}");
        let plain = compose(args);
        assert_eq!((text(&plain.stdout), text(&plain.stderr)), (String::new(), said), "{args:?}");
    }
}

#[test]
fn wrong_arguments_have_a_code_and_help_has_none() {
    for (args, code, start) in [
        (&["--bogus"][..], 2, "error[E0101 bad-option]: unexpected argument"),
        (&["audit"], 2, "error[E0101 bad-option]: the following required arguments"),
        (&["m.toml", "-j", "0"], 2, "error[E0101 bad-option]: invalid value"),
        (&[], 2, "Reproducible"),
        (&["--help"], 0, ""),
        (&["--version"], 0, ""),
    ] {
        let run = compose(args);
        let said = text(&run.stderr);
        assert!(run.status.code() == Some(code) && said.starts_with(start), "{args:?}: {said}");
        assert_eq!(said.is_empty(), code == 0, "{args:?}: {said}");
    }
}
