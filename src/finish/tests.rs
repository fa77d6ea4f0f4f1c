//! All steps together.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn facts() -> ReleaseFacts {
    ReleaseFacts {
        origin: "Debian".into(),
        codename: Some("trixie".into()),
        version: Some("13.8".into()),
        suite: "stable".into(),
    }
}

fn run(tree: &mut Tree) -> Report {
    let input = Input { arch: Arch::Amd64, packages: &[], accounts: &Accounts::default(), release: &facts() };
    finish(tree, &input).unwrap()
}

fn shown(tree: &Tree) -> String {
    tree.iter()
        .map(|(path, node)| {
            let kind = match &node.kind {
                Kind::Dir => "dir".to_owned(),
                Kind::File(content) => format!("{} bytes", content.len()),
                Kind::Symlink(target) => format!("-> {}", target.escape_ascii()),
                Kind::Hardlink(target) => format!("= {target}"),
            };
            format!("{:04o} {}:{} {path} {kind}\n", node.meta.mode, node.meta.uid, node.meta.gid)
        })
        .collect()
}

#[test]
fn an_image_without_packages() {
    let mut tree = Tree::new(1_700_000_000);
    prepare(&mut tree, Arch::Amd64).unwrap();
    run(&mut tree);
    assert!(tree.iter().all(|(_, node)| node.meta.mtime == 1_700_000_000));
    insta::assert_snapshot!(shown(&tree));
}

#[test]
fn lib64_is_where_the_loader_is() {
    for arch in Arch::ALL {
        let mut tree = Tree::new(0);
        prepare(&mut tree, arch).unwrap();
        let has = tree.get(&RootPath::literal("lib64")).is_some();
        assert_eq!(has, matches!(arch, Arch::Amd64 | Arch::Ppc64el), "{arch}");
    }
}

#[test]
fn finishing_twice_changes_nothing() {
    let mut tree = Tree::new(0);
    prepare(&mut tree, Arch::Amd64).unwrap();
    for file in ["usr/share/zoneinfo/Etc/UTC", "usr/lib/python3.13/os.py", "usr/share/ca-certificates/a.crt"] {
        tree.insert_file(RootPath::literal(file), 0o644, *b"x", Origin::Finish("test")).unwrap();
    }
    run(&mut tree);
    let once = shown(&tree);
    run(&mut tree);
    assert_eq!(shown(&tree), once);
    for path in ["usr/local/lib/python3.13/dist-packages", "etc/localtime", "usr/lib/ssl/cert.pem"] {
        assert!(tree.get(&RootPath::literal(path)).is_some(), "{path}");
    }
}

#[test]
fn base_files_directories_become_links_and_the_manifests_stay() {
    for (origin, becomes_link) in [(Origin::Finish("test"), true), (Origin::Manifest, false)] {
        let mut tree = Tree::new(0);
        prepare(&mut tree, Arch::Amd64).unwrap();
        let node = Node { meta: Meta::root(0o755, 0), kind: Kind::Dir, origin, ready: None };
        tree.insert(RootPath::literal("var/run"), node).unwrap();
        run(&mut tree);
        let is_link = matches!(tree.get(&RootPath::literal("var/run")).unwrap().kind, Kind::Symlink(_));
        assert_eq!(is_link, becomes_link);
    }
}

#[test]
fn links_on_the_way_are_followed() {
    let mut tree = Tree::new(0);
    prepare(&mut tree, Arch::Amd64).unwrap();
    tree.remove(&RootPath::literal("etc"));
    let elsewhere = Node { meta: Meta::root(0o755, 0), kind: Kind::Dir, origin: Origin::Finish("test"), ready: None };
    tree.insert(RootPath::literal("srv/etc"), elsewhere).unwrap();
    tree.insert_link(RootPath::literal("etc"), b"srv/etc", Origin::Manifest).unwrap();
    run(&mut tree);
    assert!(tree.get(&RootPath::literal("srv/etc/passwd")).is_some());
    assert!(tree.get(&RootPath::literal("etc/passwd")).is_none());
}
