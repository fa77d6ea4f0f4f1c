//! SBOMs, read by the public implementations of what they claim to be.
//!
//! In: inventories: of the shipped lock, and of strange and hostile names. Out: documents, which spdx-tools,
//! spdx-python-model, cyclonedx-python-lib and packageurl-python take (`tests/oracle/sbom.py`, run by
//! `COMPOSE_ORACLE_PYTHON`, else `python3`). Where one of them is absent, that part says that it skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, path::Path, process::Command};

use compose::{
    base::{Arch, Sha256},
    inventory::{self, DebFile, Distro, Inventory, Licence, Package, Project, Tarball, WheelFile},
    lock::{CutEdge, Lock},
    sbom::{Form, Subject, purl::Purl, render},
};
use proptest::strategy::{Strategy, ValueTree};
use serde_json::Value;
use support::{Archive, Desk, Served, pkg};

fn shipped() -> Inventory {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/python3.lock");
    let lock = Lock::read(&path).unwrap().unwrap();
    inventory::locked("python3", &lock, Arch::Amd64).unwrap()
}

fn package(name: &str, version: &str, source: &str, source_version: &str) -> Package {
    Package {
        source: source.into(),
        source_version: source_version.parse().unwrap(),
        installed_size: Some(120),
        maintainer: Some("Debian GCC Maintainers <debian-gcc@example.com>".into()),
        homepage: Some("https://gcc.example.com/a?b=c#d".into()),
        summary: Some("GNU Standard C++ Library v3".into()),
        repository: Some("debian".into()),
        deb: Some(DebFile {
            filename: format!("pool/main/g/{name}_1_amd64.deb"),
            size: 1,
            sha256: Sha256::of(name.as_bytes()),
        }),
        ..Package::new(name.parse().unwrap(), version.parse().unwrap(), "amd64")
    }
}

fn project(name: &str, version: &str) -> Project {
    Project {
        name: name.parse().unwrap(),
        version: version.into(),
        summary: Some("It sums up".into()),
        licence: Licence { names: vec!["MIT".into()], spdx: Some("MIT".into()), references: Vec::new() },
        homepage: None,
        path: Some(compose::base::RootPath::literal("usr/local/lib/python3.13/dist-packages/x.dist-info")),
        package: None,
        content: None,
        wheel: Some(WheelFile {
            filename: format!("{name}-{version}-py3-none-any.whl"),
            size: 2,
            sha256: Sha256::of(b"w"),
        }),
    }
}

/// What is rare, all at once.
fn strange() -> Inventory {
    let reference = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    let mut packages = vec![
        package("libstdc++6", "14.2.0-19+b1", "gcc-14", "14.2.0-19"),
        package("zlib1g", "1:1.3.dfsg+really1.3.1-1~deb13u1", "zlib", "1:1.3.dfsg+really1.3.1-1~deb13u1"),
        package("libssl3t64", "3.5.9-1~deb13u1", "openssl", "3.5.9-1~deb13u1"),
        package("zlib1g", "1:1.3.dfsg+really1.3.1-1~deb13u1", "zlib", "1:1.3.dfsg+really1.3.1-1~deb13u1"),
    ];
    packages[0].licence = Licence {
        names: vec!["GPL-3+ with GCC-Runtime-3.1 exception".into(), "foo bar".into(), "foo-bar".into()],
        spdx: Some("GPL-3.0-or-later AND LicenseRef-foo-bar AND (MIT OR LicenseRef-b)".into()),
        references: vec![
            reference("LicenseRef-b", "b"),
            reference("LicenseRef-foo-bar", "foo bar"),
            reference("LicenseRef-foo-bar", "foo-bar"),
        ],
    };
    packages[1].licence = Licence { names: vec!["GPL-2".into()], ..Licence::default() };
    packages[1].required_by = vec!["libstdc++6".into(), "wheel:numpy".into(), "tarball:py thon-3.14.tar.zst".into()];
    packages[1].maintainer = Some("Jürgen (the) “M” <not an address>".into());
    packages[1].homepage = Some("javascript:alert(1)".into());
    packages[2].licence =
        Licence { spdx: Some("LicenseRef-Own AND DocumentRef-x:LicenseRef-y".into()), ..Licence::default() };
    packages[2].maintainer = None;
    packages[3].arch = "i386".into();
    let mut bundled = project("packaging", "26.0");
    bundled.package = Some("libssl3t64".parse().unwrap());
    let mut own = project("nump-y", "2!1.0+local.1");
    own.licence = Licence { spdx: Some("LicenseRef-Proprietary".into()), ..Licence::default() };
    own.homepage = Some("http://[::1]/".into());
    Inventory {
        name: "My app / ü".into(),
        arch: Some(Arch::Amd64),
        distro: Distro { id: "debian".into(), version_id: Some("13".into()), ..Distro::default() },
        created: Some("2026-11-21T09:15:44.5Z".parse().unwrap()),
        packages,
        projects: vec![bundled, own, project("numpy", "2.4.1"), project("numpy", "2.4.1")],
        tarballs: vec![
            Tarball { name: "py thon-3.14.tar.zst".into(), sha256: Sha256::of(b"t") },
            Tarball { name: String::new(), sha256: Sha256::of(b"u") },
        ],
        repositories: Vec::new(),
        cut: vec![
            CutEdge { package: "zlib1g".into(), dependency: "awk".into(), reason: "scripts".into() },
            CutEdge { package: "gone".into(), dependency: "x | y".into(), reason: "none".into() },
        ],
        unread: 1,
        notes: vec!["status.d/x: unreadable".into()],
    }
}

fn purls(inventory: &Inventory) -> Vec<String> {
    let debs = inventory.packages.iter().map(|package| Purl::of_package(package, &inventory.distro));
    let projects = inventory.own_projects().map(Purl::of_project);
    let tarballs = inventory.tarballs.iter().map(Purl::of_tarball);
    let images = [None, Some(Sha256::of(b"m"))].map(|m| Purl::of_image(&inventory.name, inventory.arch, m));
    debs.chain(projects).chain(tarballs).chain(images).map(|purl| purl.to_string()).collect()
}

/// Hands all forms of `inventories` to the oracle.
fn confirm(inventories: &[Inventory]) {
    let python = std::env::var("COMPOSE_ORACLE_PYTHON").unwrap_or_else(|_| "python3".into());
    let temp = tempfile::tempdir().unwrap();
    let subject = Subject { tree: Some(Sha256::of(b"tree")), manifest: Some(Sha256::of(b"manifest")) };
    let mut args = Vec::new();
    let mut add = |form: &str, name: String, text: &str| {
        let path = temp.path().join(name);
        fs::write(&path, text).unwrap();
        args.extend([form.to_owned(), path.to_str().unwrap().to_owned()]);
    };
    for (at, inventory) in inventories.iter().enumerate() {
        for form in Form::ALL {
            add(form.as_str(), format!("{at}{}", form.suffix()), &render(form, inventory, &subject));
        }
    }
    let all: Vec<String> = inventories.iter().flat_map(purls).collect();
    add("purl", "purls".into(), &(all.join("\n") + "\n"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/sbom.py");
    let output = match Command::new(&python).arg(script).args(&args).output() {
        Ok(output) => output,
        Err(_) => return eprintln!("skipped: no {python}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), args.len() / 2, "{text}");
    let mut wrong = Vec::new();
    for (line, path) in text.lines().zip(args.iter().skip(1).step_by(2)) {
        match line.split_once(' ').unwrap() {
            (_, "ok") => {}
            (form, what) if what.starts_with("absent ") => eprintln!("skipped: {form}: {what} in {python}"),
            _ => {
                let shown = fs::read_to_string(path).unwrap_or_default();
                wrong.push(format!("{line}\n{}", shown.chars().take(3000).collect::<String>()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_shipped_lock_and_what_is_rare() {
    confirm(&[shipped(), strange(), Inventory { distro: Distro::default(), created: None, ..strange() }]);
}

#[test]
fn hostile_text_stays_valid() {
    let text = "[\\PC\\u{0}-\\u{1f}\\u{7f}-\\u{9f}\\u{202a}-\\u{202e}\\u{2028}\"\\\\<>()@:/%&?#]{0,40}";
    let strategy = proptest::collection::vec(text, 16);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut some = Vec::new();
    for round in 0..60 {
        let texts = strategy.new_tree(&mut runner).unwrap().current();
        let mut inventory = strange();
        let mut texts = texts.into_iter();
        let mut next = || texts.next().unwrap();
        inventory.name = next();
        inventory.distro = Distro {
            id: next(),
            version_id: Some(next()),
            codename: None,
            pretty_name: Some(next()),
            full_version: Some(next()),
        };
        let package = &mut inventory.packages[0];
        package.source = next();
        package.maintainer = Some(format!("{} <{}>", next(), next()));
        package.homepage = Some(format!("https://a.example.com/{}", next()));
        package.summary = Some(next());
        package.repository = Some(next());
        package.licence.references[0].1 = next();
        inventory.projects[1].version = next();
        inventory.tarballs[0].name = next();
        inventory.cut[0].reason = next();
        inventory.notes = vec![next()];
        for form in Form::ALL {
            let text = render(form, &inventory, &Subject::default());
            serde_json::from_str::<Value>(&text).unwrap();
            let is_loose = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!text.contains(is_loose), "{text}");
        }
        for purl in purls(&inventory) {
            assert!(purl.bytes().all(|b| b.is_ascii_graphic()), "{purl}");
        }
        // The validators take a second for some of them.
        if round % 6 == 0 {
            some.push(inventory);
        }
    }
    confirm(&some);
}

#[test]
fn the_same_content_has_the_same_bytes() {
    for form in Form::ALL {
        let text = render(form, &strange(), &Subject::default());
        assert_eq!(text, render(form, &strange(), &Subject::default()));
        let other = Subject { tree: Some(Sha256::of(b"t")), manifest: None };
        assert_ne!(text, render(form, &strange(), &other));
        // What it is called follows from what it says.
        let mut changed = strange();
        changed.packages[0].summary = Some("Another".into());
        let name = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            let graph = |value: &Value| value["@graph"][1]["spdxId"].clone();
            [value["serialNumber"].clone(), value["documentNamespace"].clone(), graph(&value)]
        };
        assert_ne!(name(&text), name(&render(form, &changed, &Subject::default())));
    }
}

#[test]
fn what_is_rare_in_all_forms() {
    let mut inventory = strange();
    inventory.packages.truncate(3);
    for form in Form::ALL {
        insta::assert_snapshot!(format!("rare-{}", form.as_str()), render(form, &inventory, &Subject::default()));
    }
    insta::assert_snapshot!("rare-purls", purls(&inventory).join("\n"));
}

const FORMS: [&str; 3] = ["cyclonedx", "spdx", "spdx3"];

fn desk() -> (Served, Desk) {
    let copyright = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: me\nLicense: Expat\n";
    let archive = Archive::new(vec![
        pkg("app", "1:1.0+x-1").depends("libapp, awk").file("usr/bin/app", 0o755, "app\n").file(
            "usr/share/doc/app/copyright",
            0o644,
            copyright,
        ),
        pkg("libapp", "2.1+b1").field("Source", "app-libs (2.1)").file("usr/lib/libapp.txt", 0o644, "library\n"),
    ]);
    let served = archive.serve();
    let desk = Desk::new(&served, "install = [\"app\"]\nprovided = [\"awk\"]", "");
    (served, desk)
}

/// Adds a table to the manifest.
fn add(desk: &Desk, text: &str) {
    let path = desk.path("demo.toml");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{before}\n{text}\n")).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn attached_ones_refer_to_the_image_and_change_nothing_of_it() {
    let (_served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "oci:plain", "-o", "plain.oci.tar"]).ok();
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    add(&desk, "[sbom]\nattach = [\"spdx\", \"cyclonedx\", \"spdx3\"]");
    let build = ["demo.toml", "--locked", "-o", "oci:layout", "-o", "x.oci.tar"];
    desk.compose(&build).ok();
    assert_eq!(fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap(), lock);

    let index = json(&desk.path("layout/index.json"));
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests[0], json(&desk.path("plain/index.json"))["manifests"][0]);
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        let bytes = fs::read(desk.path("layout/blobs/sha256").join(digest.trim_start_matches("sha256:"))).unwrap();
        assert_eq!(
            (Sha256::of(&bytes).to_string().as_str(), bytes.len() as u64),
            (digest, descriptor["size"].as_u64().unwrap())
        );
        bytes
    };
    assert_eq!(manifests.len(), 1 + FORMS.len());
    for (descriptor, form) in manifests[1..].iter().zip(FORMS) {
        assert_eq!(descriptor["annotations"]["compose.sbom"], form);
        let artifact: Value = serde_json::from_slice(&blob(descriptor)).unwrap();
        assert_eq!(artifact["artifactType"], descriptor["artifactType"]);
        for key in ["mediaType", "digest", "size"] {
            assert_eq!(artifact["subject"][key], manifests[0][key], "{key}");
        }
        assert_eq!(blob(&artifact["config"]), b"{}");
        let text = String::from_utf8(blob(&artifact["layers"][0])).unwrap();
        assert!(text.contains(manifests[0]["digest"].as_str().unwrap().trim_start_matches("sha256:")), "{text}");
        assert!(text.contains("app-libs") && text.contains("MIT") && text.contains("test@example.com"), "{text}");
    }
    // The same again, onto what is there.
    let before = fs::read(desk.path("x.oci.tar")).unwrap();
    desk.compose(&build).ok();
    assert!(before == fs::read(desk.path("x.oci.tar")).unwrap());
    for image in ["layout", "x.oci.tar"] {
        let run = desk.compose(&["verify", "demo.toml", image, "--with-store"]).ok();
        assert!(run.stdout.contains("it is what the lock says"), "{}", run.stdout);
    }
    readers(&desk);
}

/// What other people's tools make of it.
fn readers(desk: &Desk) {
    let run = |name: &str, args: &[&str]| {
        let Some(program) = support::tool(name) else { return eprintln!("skipped: no {name}") };
        let output = Command::new(program).args(args).current_dir(desk.path("")).output().unwrap();
        assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for (at, from) in
        ["oci:layout:latest", "oci-archive:x.oci.tar:latest", "docker-archive:x.oci.tar"].iter().enumerate()
    {
        run("skopeo", &["--insecure-policy", "copy", "-q", from, &format!("oci:copy{at}:new")]);
    }
    let plain = json(&desk.path("plain/index.json"))["manifests"][0]["digest"].clone();
    if support::tool("skopeo").is_some() {
        assert_eq!(json(&desk.path("copy0/index.json"))["manifests"][0]["digest"], plain);
        assert_eq!(json(&desk.path("copy1/index.json"))["manifests"][0]["digest"], plain);
    }
    run("umoci", &["unpack", "--rootless", "--image", "layout:latest", "bundle"]);
}

#[test]
fn one_in_the_image_is_of_the_image_without_it() {
    let (_served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "plain.tar"]).ok();
    let before = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    add(&desk, "[sbom]\nrootfs = [\"spdx\", \"cyclonedx\", \"spdx3\"]");
    let run = desk.compose(&["demo.toml", "--locked", "-o", "x.tar"]);
    assert_eq!(run.code, Some(2), "what an image holds is part of what a manifest means");
    desk.compose(&["demo.toml", "-o", "x.tar", "-o", "x.oci.tar"]).ok();
    assert_ne!(fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap(), before);
    desk.compose(&["verify", "demo.toml", "x.oci.tar"]).ok();
    let list = Command::new("tar").arg("tf").arg(desk.path("x.tar")).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    for suffix in [".cdx.json", ".spdx.json", ".spdx3.json"] {
        let name = format!("usr/share/sbom/demo{suffix}");
        assert!(list.lines().any(|line| line.trim_start_matches("./") == name), "{list}");
        let member = list.lines().find(|line| line.ends_with(&name)).unwrap();
        let output = Command::new("tar").arg("xOf").arg(desk.path("x.tar")).arg(member).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str::<Value>(&text).unwrap();
        assert!(!text.contains("usr/share/sbom") && text.contains("app-libs"), "{text}");
    }
    // A file of the manifest is not written over.
    add(&desk, "[[files]]\npath = \"/usr/share/sbom/demo.cdx.json\"\ncontent = \"mine\"");
    let run = desk.compose(&["demo.toml", "-o", "x.tar"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let wanted = "sbom.rootfs: /usr/share/sbom/demo.cdx.json is there already, from the manifest\n  next step: ";
    assert!(run.stderr.contains(wanted), "{}", run.stderr);
}

#[test]
fn an_unknown_form_is_refused() {
    let (_served, desk) = desk();
    add(&desk, "[sbom]\nattach = [\"spdx2\"]\nrootfs = true");
    let run = desk.compose(&["demo.toml", "-o", "x.tar"]);
    assert_eq!(run.code, Some(2));
    for part in ["“spdx2” is not known", "did you mean “spdx”?", "sbom.rootfs"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
}
