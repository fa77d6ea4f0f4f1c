//! `compose audit` on the real binary: what is in an image, of compose's making or not.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;
use support::{Archive, Desk, Served, elf::Fixture, pkg, tool};

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: me\nLicense: Expat or GPL-2+\n";

fn archive() -> Archive {
    Archive::new(vec![
        pkg("app", "1:1.0-2+b3")
            .depends("libapp (>= 2), debconf")
            .field("Source", "app-src (1:1.0-2)")
            .field("Homepage", "https://app.example.com")
            .dir("usr/bin", 0o755)
            .file("usr/bin/app", 0o755, Fixture::new().build())
            .file("usr/bin/sh", 0o4755, "#!/bin/true\n")
            .file("usr/share/doc/app/copyright", 0o644, COPYRIGHT)
            .link("usr/bin/app-link", "app")
            .control_file("postinst", "#!/bin/sh\nset -e\nmkdir /x\n"),
        pkg("libapp", "2.1")
            .file("usr/lib/libapp.txt", 0o666, "library\n")
            .file("usr/share/doc/libapp/copyright", 0o644, "see /usr/share/common-licenses/LGPL-2.1\n")
            .hard("usr/lib/again.txt", "usr/lib/libapp.txt"),
    ])
}

const REST: &str = "[[files]]\npath = \"/app/own.txt\"\ncontent = \"mine\"\n[image]\nentrypoint = [\"/usr/bin/app\"]\n";

fn desk() -> (Served, Desk) {
    let served = archive().serve();
    let desk = Desk::new(&served, "install = [\"app\"]", REST);
    desk.compose(&["demo.toml", "-o", "x.oci.tar", "-o", "x.tar", "-o", "oci:layout"]).ok();
    (served, desk)
}

fn json(desk: &Desk, args: &[&str]) -> Value {
    let run = desk.compose(&[&["audit", "--format", "json"], args].concat()).ok();
    serde_json::from_str(&run.stdout).unwrap()
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ filters => [(r"20\d\d-\d\d-\d\dT[0-9:]+Z", "DATE")] }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Name, version, architecture, source and its version.
fn packages(said: &Value) -> Vec<[String; 5]> {
    let keys = ["name", "version", "arch", "source", "source-version"];
    let one = |package: &Value| keys.map(|key| package[key].as_str().unwrap().to_owned());
    said["packages"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn people_are_told() {
    let (served, desk) = desk();
    for (name, target) in
        [("manifest", "demo.toml"), ("lock", "snapshots/demo.lock"), ("image", "x.oci.tar"), ("tar", "x.tar")]
    {
        let run = desk.compose(&["audit", target]).ok();
        snapshot(name, &desk.settled(&served, &run.stdout));
    }
    let run = desk.compose(&["audit", "x.oci.tar", "--lock", "snapshots/demo.lock", "--show", "1"]).ok();
    snapshot("image-with-lock", &desk.settled(&served, &run.stdout));
}

#[test]
fn every_form_says_the_same() {
    let (_served, desk) = desk();
    let manifest = json(&desk, &["demo.toml"]);
    let mut targets = vec!["snapshots/demo.lock", "x.oci.tar", "x.tar", "layout"];
    if rustix::process::getuid().is_root() {
        desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
        targets.push("rootfs");
    }
    assert_eq!(packages(&manifest).len(), 2);
    for target in targets {
        let said = json(&desk, &[target]);
        assert_eq!(packages(&said), packages(&manifest), "{target}");
        if target != "snapshots/demo.lock" {
            assert_eq!(said["files"], manifest["files"], "{target}");
            let sizes = |said: &Value| {
                let packages = said["packages"].as_array().unwrap();
                packages.iter().map(|p| (p["content"].clone(), p["licence"].clone())).collect::<Vec<_>>()
            };
            assert_eq!(sizes(&said), sizes(&manifest), "{target}");
        }
    }
}

/// What the schema promises holds of what is printed: every key that it requires is there, and no key that it does not
/// know; the `type`, `enum` and `const` of each.
fn fits(schema: &Value, root: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(root.pointer(name.trim_start_matches('#')).unwrap(), root, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let is_null = |schema: &&Value| schema["type"] == "null";
        return match value {
            Value::Null => assert!(any.iter().any(|schema| is_null(&schema)), "{at} is null"),
            value => fits(any.iter().find(|schema| !is_null(schema)).unwrap(), root, value, at),
        };
    }
    if let Some(constant) = schema.get("const") {
        return assert_eq!(value, constant, "{at}");
    }
    if let Some(words) = schema["enum"].as_array() {
        return assert!(words.contains(value), "{at}: {value}");
    }
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    assert!(kinds.contains(&name.into()), "{at}: {name}, and not {kinds:?}");
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], root, item, &format!("{at}[{number}]"));
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(key.as_str().unwrap()), "{at} lacks {key}");
        }
        for (key, value) in object {
            let known = schema["properties"].get(key).unwrap_or_else(|| panic!("{at}: the schema lacks {key}"));
            fits(known, root, value, &format!("{at}.{key}"));
        }
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let (_served, desk) = desk();
    let schema: Value = serde_json::from_str(&desk.compose(&["audit", "--schema"]).ok().stdout).unwrap();
    for target in ["demo.toml", "snapshots/demo.lock", "x.oci.tar", "x.tar"] {
        fits(&schema, &schema, &json(&desk, &[target]), target);
    }
}

/// A second reading of `status.d`, line by line, as scanners do it.
fn status_d(folder: &Path) -> Vec<[String; 5]> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "md5sums") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        let (name, version) = (fields["Package"], fields["Version"]);
        let mut source = fields.get("Source").copied().unwrap_or(name).split_whitespace();
        let from = source.next().unwrap();
        let built = source.next().map_or(version, |text| text.trim_matches(['(', ')']));
        out.push([name, version, fields["Architecture"], from, built].map(str::to_owned));
    }
    out.sort();
    out
}

/// The same by dpkg-query, of a database made of the paragraphs; `None` without dpkg.
fn dpkg_query(folder: &Path, scratch: &Path) -> Option<Vec<[String; 5]>> {
    let program = tool("dpkg-query")?;
    let mut status = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "md5sums") {
            status += &fs::read_to_string(&path).unwrap().replacen('\n', "\nStatus: install ok installed\n", 1);
            status += "\n";
        }
    }
    fs::create_dir_all(scratch.join("info")).unwrap();
    fs::write(scratch.join("status"), status).unwrap();
    let format = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n";
    let run = Command::new(program).arg("--admindir").arg(scratch).args(["-W", "-f", format]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    let line = |line: &str| <[String; 5]>::try_from(line.split('\t').map(str::to_owned).collect::<Vec<_>>()).unwrap();
    let mut out: Vec<_> = text.lines().map(line).collect();
    out.sort();
    Some(out)
}

#[test]
fn other_readers_of_the_database_find_the_same_packages() {
    let (_served, desk) = desk();
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: a rootfs as a folder needs root");
        return;
    }
    desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
    compare(&desk, "rootfs", "snapshots/demo.lock");
}

fn compare(desk: &Desk, rootfs: &str, lock: &str) {
    let mut said = packages(&json(desk, &[rootfs]));
    said.sort();
    let folder = desk.path(rootfs).join("var/lib/dpkg/status.d");
    assert_eq!(said, status_d(&folder));
    let mut locked = packages(&json(desk, &[lock]));
    locked.sort();
    assert_eq!(said, locked);
    match dpkg_query(&folder, &desk.path("admin")) {
        Some(found) => assert_eq!(said, found),
        None => eprintln!("skipped: dpkg-query is not here"),
    }
}

#[test]
fn the_shipped_image_has_the_packages_that_other_readers_find() {
    let served = archive().serve();
    let desk = Desk::new(&served, "install = [\"app\"]", "");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/python3.toml");
    fs::copy(manifest, desk.path("python3.toml")).unwrap();
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: a rootfs as a folder needs root");
        return;
    }
    let run = desk.compose(&["python3.toml", "-o", "rootfs/", "-o", "p.oci.tar"]);
    if run.code == Some(4) {
        eprintln!("skipped: no Debian mirror can be reached");
        return;
    }
    run.ok();
    compare(&desk, "rootfs", "snapshots/python3.lock");
    let (image, manifest) = (json(&desk, &["p.oci.tar"]), json(&desk, &["python3.toml"]));
    assert_eq!(packages(&image), packages(&manifest));
    assert_eq!(image["files"]["belonging-to-nothing"], serde_json::json!([]));
    // What an image tells of dependencies that are cut is what the lock says of it.
    let cut = |said: &Value| {
        let first = |edge: &Value| edge["dependency"].as_str().unwrap().split(' ').next().unwrap().to_owned();
        let all = said["cut"].as_array().unwrap().iter();
        all.map(|edge| (edge["package"].clone(), first(edge), edge["reason"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(cut(&image), cut(&manifest));
}

#[test]
fn what_cannot_be_looked_at_is_told() {
    let (served, desk) = desk();
    fs::write(desk.path("garbage"), [0, 1, 2, 3]).unwrap();
    fs::create_dir(desk.path("empty")).unwrap();
    for (name, args, code) in [
        ("absent", &["audit", "nowhere"][..], 2),
        ("garbage", &["audit", "garbage"], 5),
        ("other-arch", &["audit", "snapshots/demo.lock", "--arch", "arm64"], 2),
        ("no-target", &["audit"], 2),
    ] {
        let run = desk.compose(args);
        assert_eq!(run.code, Some(code), "{name}: {}{}", run.stdout, run.stderr);
        insta::assert_snapshot!(name, desk.settled(&served, &run.stderr));
    }
    let run = desk.compose(&["audit", "empty"]).ok();
    assert!(run.stdout.contains("Debian packages: none"), "{}", run.stdout);
}
