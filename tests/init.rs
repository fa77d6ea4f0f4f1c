//! `compose init` on the real binary: what it writes is a manifest, and what is there stays.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn init(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compose"));
    let Output { status, stdout, stderr } = command.arg("init").args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn it_writes_a_manifest_and_replaces_none() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("shop");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("requirements.txt"), "flask==3.1.0 --hash=sha256:00\n").unwrap();
    fs::write(folder.join("app.py"), "from flask import Flask\napp = Flask(__name__)\n").unwrap();
    let (code, out, err) = init(&folder, &[]);
    assert_eq!((code, err.as_str()), (Some(0), "found requirements.txt\n"));
    assert!(out == "manifest.toml\n  next: read it, then run compose manifest.toml\n", "{out}");
    let written = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    assert!(written.starts_with("name = \"shop\"\n") && written.contains("lock = \"requirements.txt\""), "{written}");

    fs::write(folder.join("manifest.toml"), "mine").unwrap();
    let (code, _, err) = init(temp.path(), &["shop"]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error[E0119 manifest-there]: shop/manifest.toml is there already"), "{err}");
    assert_eq!(fs::read_to_string(folder.join("manifest.toml")).unwrap(), "mine");
    assert_eq!(init(temp.path(), &["shop", "--force"]).0, Some(0));
    assert_eq!(fs::read_to_string(folder.join("manifest.toml")).unwrap(), written);

    let (code, _, err) = init(temp.path(), &["nowhere"]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error[E0105 target-unreadable]: cannot look into nowhere"), "{err}");
    assert!(err.ends_with("next step: name the folder that has your application\n"), "{err}");
}
