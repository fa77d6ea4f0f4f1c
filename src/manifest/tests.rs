//! What a manifest may say, and what it is told when it says something else.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use insta::assert_snapshot;

use super::*;

const SMALL: &str =
    "name = \"x\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"python3\"]\n";

fn read(text: &str) -> Result<Manifest, Faults> {
    parse(text, Path::new("dir/x.toml"))
}

fn fault(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_smallest_manifest_has_defaults() {
    let manifest = read(SMALL).unwrap();
    assert_eq!(manifest.debian.unwrap().components, ["main"]);
    assert_eq!(manifest.packages.install[0], Request { text: "python3".into(), line: 6 });
    assert!(manifest.rootfs.omit.iter().any(|group| group == "docs"));
    assert_eq!(manifest.image.compression, Compression::Gzip);
}

#[test]
fn paths_are_the_manifests_own() {
    let manifest = read(&format!("{SMALL}[[files]]\npath = \"/app\"\nsource = \"app\"\nmode = \"0750\"\n")).unwrap();
    assert_eq!(manifest.files[0].source, FileSource::Copy("dir/app".into()));
    assert_eq!(manifest.files[0].mode, Some(0o750));
}

#[test]
fn faults_have_place_reason_and_next_step() {
    let all = format!(
        "{}[image]\nentrypiont = [\"x\"]\nports = [\"http\"]\nlayers = \"by-origin\"\n[rootfs]\nomit = [\"doc\"]\n\
         remove = [\"usr/x\"]\n[[files]]\npath = \"app\"\nmode = 755\n[python]\nwheels = []\n[policy]\nmax-size = \"5 mb\"\n",
        SMALL.replace(
            "[\"python3\"]",
            "[\"python3\", \"python3 (> 3)\", \"Py thon\", \"libc6=2\", \"file:/x\", \"python3\", \"a:i386\"]"
        )
    );
    assert_snapshot!(fault(&all));
}

#[test]
fn what_is_missing_is_named() {
    assert_snapshot!(fault("archs = [\"amd46\"]\n"));
    assert_snapshot!(fault("name = \"x\"\nname = \"y\"\n"));
    assert_snapshot!(fault("name = 3\n[packages]\ninstall = \"python3\"\n[debian]\nsuite = \"a b\"\n"));
}

#[test]
fn meaning_is_not_spelling() {
    let digest = |text: &str| meaning(&read(text).unwrap());
    let a = format!("{SMALL}# note\n[rootfs]\nomit = [\"man\", \"docs\"]\nremove = [\"/a\", \"/b\"]\n");
    let b = format!("[rootfs]\nremove = ['/b', '/a']\nomit = [ \"docs\", \"man\" ]\n{}", "");
    let b = SMALL.replace("archs = [\"amd64\"]\n", "") + &b.replace("  ", " ");
    assert_eq!(digest(&a), digest(&b));
    for other in ["python3-minimal", "python3 (>= 3)"] {
        assert_ne!(digest(&SMALL.replace("\"python3\"", &format!("\"{other}\""))), digest(SMALL));
    }
    assert_eq!(
        digest(&SMALL.replace("python3", "python3  (>=3)")),
        digest(&SMALL.replace("python3", "python3 (>= 3)"))
    );
}

#[test]
fn every_default_is_a_group_and_every_provided_name_a_name() {
    for name in Rootfs::default().omit {
        assert!(OMIT_GROUPS.iter().any(|group| group.name == name), "{name}");
    }
    assert!(OMIT_GROUPS.is_sorted_by_key(|group| group.name));
    assert!(default_provided().count() > 10);
    for (name, reason) in default_provided() {
        assert!(crate::base::PackageName::is_valid(name) && !reason.is_empty(), "{name}");
    }
}
