#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    advisory::{
        VexDocument, Wanted, check_packages,
        testing::{inventory, package},
        vex,
    },
    lock::CutEdge,
    tree::{Content, Meta, Node},
};

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new(0);
    for (path, owner) in files {
        let kind = Kind::File(Content::inline(&b"x"[..]));
        let origin = Origin::Package(owner.parse().unwrap());
        let node = Node { meta: Meta::root(0o644, 0), kind, origin, ready: None };
        tree.insert(RootPath::parse(path.as_bytes()).unwrap(), node).unwrap();
    }
    tree
}

#[test]
fn who_has_nothing_left() {
    let image = inventory(["a", "b", "c", "d", "e"].map(|name| package(name, "1", name)).into(), Vec::new());
    let tree = tree(&[
        ("usr/share/doc/a/copyright", "a"),
        ("usr/share/doc/a/changelog.Debian.gz", "a"),
        ("usr/share/lintian/overrides/a", "a"),
        ("usr/share/doc/b/copyright", "b"),
        ("usr/share/doc/b/html/jquery.js", "b"),
        ("usr/share/doc/c/README", "c"),
        ("usr/lib/libd.so.1", "d"),
        ("usr/share/doc/d", "d"),
        ("usr/share/doc/stranger/copyright", "stranger"),
    ]);
    // Of `e` nothing at all is there, not even what every package has: its files may not be known.
    let names: Vec<_> = hollow(&tree, &image).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a"]);
}

const TRACKER: &str = r#"{
"dpkg":{"CVE-1":{"releases":{"trixie":{"status":"open"}}},
 "CVE-2":{"releases":{"trixie":{"status":"resolved","fixed_version":"1"}}},
 "CVE-3":{"releases":{"sid":{"status":"open"}}}},
"ucf":{"CVE-4":{"releases":{"trixie":{"status":"open"}}}},
"tar":{"CVE-5":{"releases":{"trixie":{"status":"open"}}}},
"openssl":{"CVE-6":{"releases":{"trixie":{"status":"open"}}}}}"#;

#[test]
fn what_is_said_is_honoured() {
    let mut image = inventory(
        vec![
            package("libssl3", "1+x", "openssl"),
            package("openssl", "1+x", "openssl"),
            package("ucf-tools", "1", "ucf"),
        ],
        Vec::new(),
    );
    image.cut = [("libssl3", "dpkg (>= 1.17) | tar:any"), ("openssl", "ucf"), ("openssl", "debconf-2.0 | openssl")]
        .map(|(package, dependency)| CutEdge {
            package: package.into(),
            dependency: dependency.into(),
            reason: "scripts only".into(),
        })
        .into();
    assert_eq!(cut_names(&image).into_keys().collect::<Vec<_>>(), ["debconf-2.0", "dpkg", "tar"]);
    let sorted = debian::suites(&image);
    let mut sources = sorted.sources();
    sources.extend(cut_names(&image).into_keys());
    let tracker =
        Tracker::parse(TRACKER.as_bytes(), "x", Wanted { sources: &sources, suites: &sorted.names() }).unwrap();
    let findings = check_packages(&image, &sorted, &tracker).findings;
    let (name, now) = (Image { name: "demo", arch: None, digest: None }, "2026-11-25T10:00:00Z".parse().unwrap());
    let hollow = Hollow::from(["libssl3".parse().unwrap()]);
    let (text, count) = emit(&name, &image, &findings, Some(&tracker), &hollow, now).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let said: Vec<_> = document["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let part = one["products"][0]["subcomponents"][0]["@id"].as_str().unwrap();
            format!(
                "{} {} {part}",
                one["vulnerability"]["name"].as_str().unwrap(),
                one["justification"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "CVE-1 component_not_present pkg:deb/debian/dpkg?arch=source",
            "CVE-5 component_not_present pkg:deb/debian/tar?arch=source",
            "CVE-6 vulnerable_code_not_present pkg:deb/debian/libssl3@1%2Bx?arch=amd64",
        ]
    );
    assert_eq!(count, 3);
    // Read back, it holds for what it names: the other binary of the source stays open.
    let read = VexDocument::parse(text.as_bytes(), "own.json").unwrap();
    let (found, used) = vex::honour(findings.clone(), &[read], &name, &image);
    let states: Vec<_> = found.iter().map(|one| (one.packages.join(" "), one.status.as_str())).collect();
    assert_eq!(states, [("openssl".into(), "open"), ("libssl3".into(), "not-affected"), ("ucf-tools".into(), "open")]);
    assert_eq!(used, 1);
    assert_eq!(emit(&name, &image, &found, None, &hollow, now), None, "what is set aside already is not said again");
    assert_eq!(emit(&name, &image, &findings, None, &Hollow::new(), now), None);
}
