#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::tree::{Content, Meta, Node};

/// A tree of an image: `path` and content; `->` a symbolic link, `=` a hard link.
fn image(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new(0);
    for (path, text) in files {
        let kind = match (text.strip_prefix("->"), text.strip_prefix('=')) {
            (Some(target), _) => Kind::Symlink(target.as_bytes().into()),
            (_, Some(first)) => Kind::Hardlink(RootPath::parse(first.as_bytes()).unwrap()),
            _ => Kind::File(Content::inline(text.as_bytes())),
        };
        let node = Node { meta: Meta::root(0o644, 0), kind, origin: Origin::Manifest, ready: None };
        tree.insert(RootPath::parse(path.as_bytes()).unwrap(), node).unwrap();
    }
    tree
}

fn listed(inventory: &Inventory) -> Vec<String> {
    let line = |p: &Package| format!("{} {} {} of {} {}", p.name, p.version, p.arch, p.source, p.source_version);
    inventory.packages.iter().map(line).collect()
}

fn nobodys(tree: &Tree) -> Vec<String> {
    belonging_to_nothing(tree).iter().map(ToString::to_string).collect()
}

const OWN: &str = "etc/own";

#[test]
fn status_d_is_read_with_its_lists_of_files() {
    let mut tree = image(&[
        ("lib", "->usr/lib"),
        ("usr/lib/libb.so.1", "->libb.so.1.2"),
        ("usr/lib/libb.so.1.2", "elf"),
        ("usr/lib/again", "=usr/lib/libb.so.1.2"),
        ("usr/share/doc/a", "->b"),
        ("usr/share/doc/b/copyright", "see /usr/share/common-licenses/GPL-2."),
        (OWN, "mine"),
        ("etc/passwd", "root"),
        ("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n"),
        ("etc/debian_version", "13.8\n"),
        (
            "var/lib/dpkg/status.d/a",
            "Package: a\nVersion: 1:2-3+b1\nArchitecture: amd64\nSource: a-src (1:2-3)\nDepends: libb (>= 2) | x, debconf\n",
        ),
        ("var/lib/dpkg/status.d/a.md5sums", ""),
        (
            "var/lib/dpkg/status.d/b",
            "Package: b\nVersion: 2\nArchitecture: amd64\nProvides: libb (= 2)\nInstalled-Size: 7\nDepends: a:any, gone (>= 1)\n",
        ),
        (
            "var/lib/dpkg/status.d/b.md5sums",
            "d41d8cd98f00b204e9800998ecf8427e  lib/libb.so.1.2\nd41d8cd98f00b204e9800998ecf8427e  usr/share/doc/b/copyright\nx\n",
        ),
    ]);
    let found = of_tree("x", &mut tree, None).unwrap();
    assert_eq!(listed(&found), ["a 1:2-3+b1 amd64 of a-src 1:2-3", "b 2 amd64 of b 2"]);
    assert_eq!((found.arch, found.distro.id.as_str()), (Some(Arch::Amd64), "debian"));
    assert_eq!(found.distro.full_version.as_deref(), Some("13.8"));
    // Its two files, the link to one, a further name of it; the folder of documentation is of package a.
    assert_eq!(found.packages[1].content, Some(ContentSize { files: 4, bytes: 40 }));
    assert_eq!(found.packages[0].content, Some(ContentSize { files: 1, bytes: 0 }));
    assert_eq!(found.packages[0].licence.names, ["GPL-2"]);
    assert_eq!(found.packages[0].licence.spdx, None);
    assert_eq!(nobodys(&tree), ["/etc/own"]);
    assert_eq!(found.packages[0].required_by, ["b"]);
    assert_eq!(found.packages[1].required_by, ["a"]);
    let cut: Vec<_> =
        found.cut.iter().map(|cut| format!("{} {}: {}", cut.package, cut.dependency, cut.reason)).collect();
    assert_eq!(
        cut,
        ["a debconf: asks questions while packages are configured", "b gone: nothing in the image meets it"]
    );
    assert_eq!(found.notes, [""; 0]);
}

#[test]
fn the_status_of_dpkg_is_read_with_its_lists() {
    let mut tree = image(&[
        ("bin", "->usr/bin"),
        ("usr/bin/a", "a"),
        ("usr/bin/gone", "left over"),
        ("usr/lib/libm.so", "m"),
        (
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n\
             Package: libm\nStatus: install ok unpacked\nVersion: 3\nArchitecture: amd64\n\n\
             Package: bad name\nVersion: 1\n\nPackage: worse\nVersion: 1:\n",
        ),
        ("var/lib/dpkg/info/a.list", "/.\n/bin\n/bin/a\n/nowhere\n/../x\n"),
        ("var/lib/dpkg/info/libm:amd64.list", "/usr/lib/libm.so\n"),
    ]);
    let found = of_tree("x", &mut tree, None).unwrap();
    assert_eq!(listed(&found), ["a 1 all of a 1", "libm 3 amd64 of libm 3"]);
    assert_eq!(nobodys(&tree), ["/usr/bin/gone"]);
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
}

#[test]
fn projects_are_read_and_those_of_packages_are_told_apart() {
    let site = "usr/local/lib/python3.13/dist-packages";
    let metadata =
        "Metadata-Version: 2.4\nName: Fast.Math\nVersion: 1.5\nSummary: quick\nLicense-Expression: MIT OR Apache-2.0\n";
    let mut tree = image(&[
        (&format!("{site}/fast/__init__.py"), "x"),
        (&format!("{site}/fast/__pycache__/__init__.cpython-313.pyc"), "bytes"),
        ("usr/local/bin/fast", "script"),
        (&format!("{site}/fast_math-1.5.dist-info/METADATA"), metadata),
        (
            &format!("{site}/fast_math-1.5.dist-info/RECORD"),
            "fast/__init__.py,sha256=x,1\nfast_math-1.5.dist-info/METADATA,,\nfast_math-1.5.dist-info/RECORD,,\n../../../bin/fast,,\n../../../../../etc/own,,\n../../../../../../../x,,\n",
        ),
        (OWN, "1"),
        (
            "usr/lib/python3/dist-packages/six.egg-info/PKG-INFO",
            "Name: six\nVersion: 1.17.0\nClassifier: License :: OSI Approved :: MIT License\n",
        ),
        ("usr/lib/python3/dist-packages/broken.dist-info/METADATA", "Name: \n"),
        ("var/lib/dpkg/status.d/python3-six", "Package: python3-six\nVersion: 1.17.0-1\nArchitecture: all\n"),
        (
            "var/lib/dpkg/status.d/python3-six.md5sums",
            "d41d8cd98f00b204e9800998ecf8427e  usr/lib/python3/dist-packages/six.egg-info/PKG-INFO\n",
        ),
    ]);
    let found = of_tree("x", &mut tree, None).unwrap();
    let shown: Vec<_> = found
        .projects
        .iter()
        .map(|p| {
            (
                p.name.as_str(),
                p.version.as_str(),
                p.package.as_ref().map(PackageName::as_str),
                p.licence.spdx.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("fast-math", "1.5", None, Some("MIT OR Apache-2.0")), ("six", "1.17.0", Some("python3-six"), Some("MIT")),]
    );
    assert_eq!(found.projects[0].content.unwrap().files, 5);
    // Claimed by the RECORD, and yet not its.
    assert_eq!(nobodys(&tree), ["/etc/own", "/usr/lib/python3/dist-packages/broken.dist-info/METADATA"]);
    assert_eq!(found.notes.len(), 1);
}

#[test]
fn an_image_without_packages_is_told_by_an_empty_list() {
    let mut tree = image(&[(OWN, "1")]);
    let found = of_tree("x", &mut tree, Some(Arch::Arm64)).unwrap();
    assert!(found.packages.is_empty() && found.projects.is_empty() && found.cut.is_empty());
    assert_eq!((found.arch, nobodys(&tree).len()), (Some(Arch::Arm64), 1));
}

#[test]
fn there_is_no_place_to_hide_in() {
    let site = "usr/lib/python3/dist-packages";
    let hidden = [
        "usr/bin/miner",
        "usr/sbin/rootkit",
        "usr/lib/x.so",
        "var/lib/dpkg/evil",
        "var/lib/dpkg/info/backdoor",
        "var/lib/dpkg/status.d/evil.md5sums",
        "etc/ssl/certs/evil.so",
        "etc/alternatives/evil",
        "var/cache/ldconfig/evil",
        "usr/share/sbom/x/evil.json",
        "usr/lib/python3/dist-packages/__pycache__/m.evil.pyc",
    ];
    let record = hidden.map(|path| format!("/{path},,\n")).concat();
    // What a listed project may claim is where wheels put things, and told as its.
    let bold = record.replace("/usr/bin/miner,,\n", "").replace("/usr/share/sbom/x/evil.json,,\n", "");
    let bold = bold.replace("/usr/lib/python3/dist-packages/__pycache__/m.evil.pyc,,\n", "");
    let mut tree = image(&[
        ("var/lib/dpkg/status.d/a", "Package: a\nVersion: 1\nArchitecture: amd64\n"),
        ("var/lib/dpkg/status.d/a.md5sums", &format!("d41d8cd98f00b204e9800998ecf8427e  {site}/m.py\n")),
        (&format!("{site}/m.py"), "x"),
        (&format!("{site}/__pycache__/m.cpython-313.pyc"), "x"),
        // A project where none is looked for, one without a version, and one that is listed.
        ("usr/share/ghost-1.dist-info/METADATA", "Name: ghost\nVersion: 1\n"),
        ("usr/share/ghost-1.dist-info/RECORD", &record),
        (&format!("{site}/half-1.dist-info/METADATA"), "Name: half\n"),
        (&format!("{site}/half-1.dist-info/RECORD"), &record),
        (&format!("{site}/bold-1.dist-info/METADATA"), "Name: bold\nVersion: 1\n"),
        (&format!("{site}/bold-1.dist-info/RECORD"), &bold),
    ]);
    for path in hidden {
        let kind = Kind::File(Content::inline(*b"evil"));
        let node = Node { meta: Meta::root(0o755, 0), kind, origin: Origin::Manifest, ready: None };
        tree.insert(RootPath::parse(path.as_bytes()).unwrap(), node).unwrap();
    }
    of_tree("x", &mut tree, None).unwrap();
    let found = nobodys(&tree);
    for path in hidden {
        assert!(found.contains(&format!("/{path}")), "{path} is hidden: {found:?}");
    }
    assert!(!found.iter().any(|path| path.ends_with("m.cpython-313.pyc")), "{found:?}");
}

#[test]
fn what_cannot_be_read_of_the_database_is_counted_and_links_are_followed() {
    let mut tree = image(&[
        ("var/lib/dpkg/status.d", "->x"),
        ("var/lib/dpkg/x/a", "->../kept/a"),
        ("var/lib/dpkg/x/gone", "->nowhere"),
        ("var/lib/dpkg/x/odd", "Package: odd\nVersion: 1\nArchitecture: \u{1b}[31m\n"),
        ("var/lib/dpkg/x/junk", "junk"),
        ("var/lib/dpkg/x/again", "Package: a\nVersion: 99\nArchitecture: amd64\n"),
        ("var/lib/dpkg/kept/a", "Package: a\nVersion: 1\nArchitecture: amd64\n"),
        ("etc/os-release", "ID=de\u{1b}[31mb\nVERSION_ID=13\nPRETTY_NAME=\"D\u{202e}ebian\"\n"),
    ]);
    let found = of_tree("x", &mut tree, None).unwrap();
    assert_eq!(listed(&found), ["a 1 amd64 of a 1", "a 99 amd64 of a 99"], "both are told");
    assert_eq!((found.unread, found.notes.len()), (3, 3), "{:?}", found.notes);
    assert_eq!((found.distro.id.as_str(), found.distro.pretty_name.as_deref()), ("", Some("D ebian")));
}
