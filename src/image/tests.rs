//! All outputs together: the same tree in each, the same bytes each time, all or nothing; and other people's tools.

#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use super::{
    ImageError, ImageSpec, Output, Written, directory::tests::dir_listing, layer, testing, tree_digest, write_all,
};
use super::{ToWrite, open::open, write_images};
use crate::{
    base::{Arch, RootPath, Sha256, Silent},
    manifest::{Compression, Image, Layers},
    store::Store,
    tree::{Content, Kind, Meta, Node, Origin, Tree},
};

const ALL: [&str; 6] = ["rootfs/", "x.tar", "x.tar.gz", "x.tar.zst", "oci:layout", "x.oci.tar"];

fn outputs(at: &Path, names: &[&str]) -> Vec<Output> {
    let place = |name: &&str| match name.strip_prefix("oci:") {
        Some(name) => format!("oci:{}", at.join(name).display()),
        None => at.join(name).to_str().unwrap().to_owned(),
    };
    names.iter().map(|name| Output::parse(&place(name)).unwrap()).collect()
}

fn write_as(
    tree: &Tree,
    at: &Path,
    names: &[&str],
    layers: Layers,
    compression: Compression,
) -> Result<Written, ImageError> {
    let store = tempfile::tempdir().unwrap();
    write_with(&Store::open(store.path()).unwrap(), tree, at, names, layers, compression)
}

fn write_with(
    store: &Store,
    tree: &Tree,
    at: &Path,
    names: &[&str],
    layers: Layers,
    compression: Compression,
) -> Result<Written, ImageError> {
    let image = Image { layers, compression, entrypoint: vec!["/usr/bin/tool".into()], ..Image::default() };
    let epoch = jiff::Timestamp::from_second(testing::EPOCH).unwrap();
    let spec =
        ImageSpec { name: "test", arch: Arch::Amd64, epoch, user: Some("65532".into()), image: &image, attached: None };
    write_all(tree, &spec, &outputs(at, names), false, store, &Silent)
}

fn write(tree: &Tree, at: &Path, names: &[&str]) -> Result<Written, ImageError> {
    write_as(tree, at, names, Layers::Single, Compression::Gzip)
}

fn names(at: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// The tool's standard output, or `None`, with a word about it, when this machine does not have it.
fn oracle(program: &str, args: &[&str], at: &Path) -> Option<String> {
    let done = match Command::new(program).args(args).current_dir(at).env("TZ", "UTC").stdin(Stdio::null()).output() {
        Ok(done) => done,
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            return None;
        }
    };
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    Some(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn every_output_holds_the_same_tree() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path();
    let written = write(&tree, at, &ALL).unwrap();
    assert_eq!(names(at), ["layout", "rootfs", "x.oci.tar", "x.tar", "x.tar.gz", "x.tar.zst"]);
    assert_eq!(written.tree, tree_digest(&tree).unwrap());

    let plain = fs::read(at.join("x.tar")).unwrap();
    let mut listing = testing::tar_listing(&plain);
    listing.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(listing, testing::listing(&tree));

    let mut dir = dir_listing(&at.join("rootfs"));
    if !rustix::process::geteuid().is_root() {
        for ((_, seen), (_, want)) in dir.iter_mut().zip(&listing) {
            seen.owner = want.owner;
        }
    }
    assert_eq!(dir, listing);

    assert_eq!(gunzip(&fs::read(at.join("x.tar.gz")).unwrap()), plain);
    assert_eq!(zstd::decode_all(&fs::read(at.join("x.tar.zst")).unwrap()[..]).unwrap(), plain);
    let [layer] = &written.layers[..] else { panic!("{:?}", written.layers) };
    assert_eq!((layer.diff_id, layer.plain_size), (Sha256::of(&plain), plain.len() as u64));
    assert_eq!(written.diff_ids, [layer.diff_id]);
    let blob = fs::read(at.join("layout/blobs/sha256").join(layer.digest.hex())).unwrap();
    assert_eq!((layer.digest, layer.size), (Sha256::of(&blob), blob.len() as u64));
    assert!(blob == fs::read(at.join("x.tar.gz")).unwrap(), "the layer is the .tar.gz");

    for output in &written.outputs {
        if let Some(sha256) = output.sha256 {
            let bytes = fs::read(&output.path).unwrap();
            assert_eq!((sha256, output.bytes), (Sha256::of(&bytes), bytes.len() as u64), "{}", output.path.display());
        }
    }
    assert_eq!(written.outputs.iter().filter(|output| output.sha256.is_some()).count(), 4);
}

#[test]
fn the_tar_has_parents_first_packages_together_and_no_path_twice() {
    let (tree, _keep) = testing::tree();
    let pieces = layer::pieces(&tree);
    let mut plain = Vec::new();
    layer::Reader::new(&pieces).read_to_end(&mut plain).unwrap();
    assert_eq!(plain.len() as u64, layer::total(&pieces));
    let mut seen = BTreeMap::new();
    let mut origins: Vec<Option<&Origin>> = Vec::new();
    for (i, (path, entry)) in testing::tar_listing(&plain).into_iter().enumerate() {
        let parent = path.parent().unwrap();
        assert!(parent.is_root() || seen.get(&parent) == Some(&'d'), "{path} comes before its directory");
        let node = tree.get(&path).unwrap();
        if let Kind::Hardlink(target) = &node.kind {
            assert_eq!(seen.get(target), Some(&'f'), "{path} comes before its target");
        }
        let origin = (entry.kind != 'd').then_some(&node.origin);
        let package = matches!(origin, None | Some(Origin::Package(_)));
        if i == 0 || package && origins.last() != Some(&origin) {
            assert!(!origins.contains(&origin), "{path}: {origin:?} is in two places");
            origins.push(origin);
        }
        assert!(seen.insert(path, entry.kind).is_none());
    }
    assert_eq!(origins.len(), 3, "directories, then two packages");
    // An unaltered package is one range; an altered one is not.
    let ranges = |package: &str| {
        let origin = Origin::Package(package.parse().unwrap());
        let (file, _) =
            tree.iter().filter(|(_, node)| node.origin == origin).find_map(|(_, node)| node.ready.as_ref()).unwrap();
        let same = |piece: &&layer::Piece| matches!(&piece.source, layer::Source::Segment(f, _) if std::sync::Arc::ptr_eq(f, file));
        pieces.iter().filter(same).count()
    };
    assert_eq!(ranges("zlib1g"), 1);
    assert!(ranges("tool") > 1);
}

#[test]
fn a_ready_range_and_a_fresh_header_give_the_same_bytes() {
    let (mut tree, _keep) = testing::tree();
    let read = |tree: &Tree| {
        let mut plain = Vec::new();
        layer::Reader::new(&layer::pieces(tree)).read_to_end(&mut plain).unwrap();
        plain
    };
    let before = read(&tree);
    let paths: Vec<RootPath> = tree.iter().map(|(path, _)| path.clone()).collect();
    for path in paths {
        tree.get_mut(&path).unwrap().ready = None;
    }
    assert!(before == read(&tree));
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let (tree, _keep) = testing::big_tree();
    let names = &ALL[1..];
    let run = |threads| {
        let temp = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut written = pool.install(|| write(&tree, temp.path(), names)).unwrap();
        for output in &mut written.outputs {
            output.path = output.path.strip_prefix(temp.path()).unwrap().into();
        }
        let index = fs::read(temp.path().join("layout/index.json")).unwrap();
        (written, index)
    };
    assert_eq!(run(1), run(8));
}

#[test]
fn one_output_alone_is_the_same_as_among_others() {
    let (tree, _keep) = testing::tree();
    for (layers, compression) in [
        (Layers::Single, Compression::Gzip),
        (Layers::Single, Compression::Zstd),
        (Layers::ByOrigin, Compression::Gzip),
        (Layers::ByOrigin, Compression::Zstd),
    ] {
        let all = tempfile::tempdir().unwrap();
        write_as(&tree, all.path(), &ALL, layers, compression).unwrap();
        for name in &ALL[1..] {
            let temp = tempfile::tempdir().unwrap();
            write_as(&tree, temp.path(), &[name], layers, compression).unwrap();
            let name = name.strip_prefix("oci:").unwrap_or(name);
            assert_eq!(names(temp.path()), [name], "nothing else is left there");
            let read = |at: &Path| {
                let at = at.join(name);
                fs::read(if at.is_dir() { at.join("index.json") } else { at }).unwrap()
            };
            assert!(read(all.path()) == read(temp.path()), "{name}");
        }
    }
}

#[test]
fn layers_by_origin_hold_the_tree_together() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let names = ["x.oci.tar", "oci:layout", "x.tar", "x.tar.gz"];
    let written = write_as(&tree, temp.path(), &names, Layers::ByOrigin, Compression::Gzip).unwrap();
    assert_eq!(
        written.layers.iter().map(|layer| layer.what).collect::<Vec<_>>(),
        ["compose: base", "compose: C libraries", "compose: the manifest's files"]
    );
    let mut all = BTreeMap::new();
    for (layer, diff_id) in written.layers.iter().zip(&written.diff_ids) {
        let blob = fs::read(temp.path().join("layout/blobs/sha256").join(layer.digest.hex())).unwrap();
        let plain = gunzip(&blob);
        assert_eq!((Sha256::of(&blob), Sha256::of(&plain)), (layer.digest, *diff_id));
        assert_eq!((blob.len() as u64, plain.len() as u64), (layer.size, layer.plain_size));
        for (path, seen) in testing::tar_listing(&plain) {
            let before = all.get(&path);
            assert!(before.is_none_or(|before| *before == seen && seen.kind == 'd'), "{path} differs between layers");
            all.insert(path, seen);
        }
    }
    assert_eq!(all.into_iter().collect::<Vec<_>>(), testing::listing(&tree));
    // Archives of the whole are the same however the image is cut.
    let single = tempfile::tempdir().unwrap();
    let one = write(&tree, single.path(), &names).unwrap();
    assert_eq!(one.layers.len(), 1);
    for name in ["x.tar", "x.tar.gz"] {
        assert!(fs::read(temp.path().join(name)).unwrap() == fs::read(single.path().join(name)).unwrap(), "{name}");
    }
    for name in ["layout", "x.oci.tar"] {
        assert_eq!(temp.path().join(name).exists(), single.path().join(name).exists());
    }
    // And the diffIDs are known without any compression.
    let plain = write_as(&tree, temp.path(), &["rootfs/"], Layers::ByOrigin, Compression::Gzip).unwrap();
    assert_eq!((plain.diff_ids, plain.layers), (written.diff_ids, vec![]));
}

#[test]
fn a_filled_store_gives_the_same_bytes() {
    let (tree, _keep) = testing::big_tree();
    let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    let run = |names: &[&str]| {
        write_with(&store, &tree, temp.path(), names, Layers::ByOrigin, Compression::Zstd).unwrap();
        names.iter().map(|name| fs::read(temp.path().join(name)).unwrap()).collect::<Vec<_>>()
    };
    let names = ["x.oci.tar", "x.tar.zst"];
    let cold = run(&names);
    assert!(cold == run(&names));
}

#[test]
fn two_outputs_of_one_form_are_equal() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path();
    write(&tree, at, &["x.oci.tar", "a.tar.gz", "b.tgz", "c.tar", "d.tar", "y.oci.tar"]).unwrap();
    for (a, b) in [("a.tar.gz", "b.tgz"), ("c.tar", "d.tar"), ("x.oci.tar", "y.oci.tar")] {
        assert!(fs::read(at.join(a)).unwrap() == fs::read(at.join(b)).unwrap(), "{a} and {b}");
    }
    assert_eq!(names(at).len(), 6);
    assert!(matches!(write(&tree, at, &["x.tar", "./x.tar"]), Err(ImageError::Twice { .. })));
    let inside = write(&tree, at, &["r/x.tar", "r/"]);
    assert!(matches!(inside, Err(ImageError::Inside { .. })), "{inside:?}");
}

#[test]
fn a_second_run_replaces_its_own_outputs_and_no_others() {
    let (tree, _keep) = testing::tree();
    let (temp, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = temp.path();
    let store = Store::open(cache.path()).unwrap();
    let write =
        |tree: &Tree, at: &Path, names: &[&str]| write_with(&store, tree, at, names, Layers::Single, Compression::Gzip);
    write(&tree, at, &ALL).unwrap();
    let (small, before) = (Tree::new(testing::EPOCH), names(at));
    write(&small, at, &ALL).unwrap();
    assert_eq!(names(at), before);
    assert_eq!(names(&at.join("rootfs")), [""; 0]);
    assert_eq!(fs::read_dir(at.join("layout/blobs/sha256")).unwrap().count(), 3);

    for name in ["rootfs", "layout"] {
        fs::remove_dir_all(at.join(name)).unwrap();
        fs::create_dir(at.join(name)).unwrap();
        fs::write(at.join(name).join("precious"), "").unwrap();
    }
    for name in ["rootfs/", "oci:layout"] {
        let tar = fs::read(at.join("x.tar")).unwrap();
        let error = write(&tree, at, &["x.tar", name]).unwrap_err();
        let shown = error.to_string().replace(fs::canonicalize(at).unwrap().to_str().unwrap(), "AT");
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown.replace("layout", "rootfs"), @"AT/rootfs is not empty and not known as made by compose, so it is left alone; remove it, choose another output, or use --force");
        }
        assert!(fs::read(at.join("x.tar")).unwrap() == tar, "the old .tar stays");
        assert_eq!(names(at), before);
    }
    // One that looks like compose's, and that no run wrote here: another tool's, or a copy.
    let copy = at.join("copy");
    fs::create_dir_all(copy.join("var/lib/dpkg/status.d")).unwrap();
    fs::File::open(&copy).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    assert!(matches!(write(&tree, at, &["copy/"]), Err(ImageError::Occupied { .. })));
    // A rootfs that someone put something of their own into.
    write(&tree, at, &["other/"].map(|name| fs::create_dir(at.join(name)).map(|()| name).unwrap())).unwrap();
    fs::write(at.join("other/notes"), "").unwrap();
    assert!(matches!(write(&tree, at, &["other/"]), Err(ImageError::Occupied { .. })));
}

#[test]
fn a_failure_leaves_what_was_there() {
    let (tree, keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path();
    fs::write(at.join("x.tar"), "old").unwrap();
    // The cache loses a segment while it is in use.
    keep[0].as_file().set_len(10).unwrap();
    let error = write(&tree, at, &ALL).unwrap_err();
    insta::assert_snapshot!(error, @"cannot read what goes to the layer in the image from the cache; if this persists, remove the cache and build again");
    assert_eq!((names(at), fs::read(at.join("x.tar")).unwrap()), (vec!["x.tar".to_owned()], b"old".to_vec()));

    // A tree that contradicts itself fails in the directory, after the archives are done.
    let (mut tree, _keep) = testing::tree();
    tree.insert_file(RootPath::literal("app/a"), 0o644, *b"", Origin::Manifest).unwrap();
    tree.get_mut(&RootPath::literal("app/a")).unwrap().kind = Kind::Hardlink(RootPath::literal("nowhere"));
    let error = write(&tree, at, &ALL).unwrap_err();
    assert!(error.to_string().starts_with("cannot create the hard link"), "{error}");
    assert_eq!((names(at), fs::read(at.join("x.tar")).unwrap()), (vec!["x.tar".to_owned()], b"old".to_vec()));

    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(at, fs::Permissions::from_mode(0o500)).unwrap();
        assert!(matches!(write(&tree, at, &["x.tar"]), Err(ImageError::Io { .. })));
        fs::set_permissions(at, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_file_of_this_machine_that_changes_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let own = temp.path().join("own");
    fs::write(&own, testing::noise(2_000_000, 1)).unwrap();
    let mut tree = Tree::new(testing::EPOCH);
    let kind = Kind::File(Content::of_file(&own).unwrap());
    let node = Node { meta: Meta::root(0o644, 0), kind, origin: Origin::Manifest, ready: None };
    tree.insert(RootPath::literal("app/own"), node).unwrap();
    tree.insert_file(RootPath::literal("var/lib/dpkg/status.d/x"), 0o644, *b"", Origin::Finish("status.d")).unwrap();
    let at = temp.path().join("out");
    fs::create_dir(&at).unwrap();
    let store = Store::open(&temp.path().join("cache")).unwrap();
    let write = |name: &str| write_with(&store, &tree, &at, &[name], Layers::Single, Compression::Gzip);
    for name in &ALL {
        write(name).unwrap();
    }
    let before = names(&at);
    fs::write(&own, testing::noise(2_000_000, 2)).unwrap();
    for name in &ALL {
        let error = write(name).unwrap_err();
        assert!(matches!(error, ImageError::Changed), "{name}: {error}");
    }
    assert_eq!(names(&at), before);
}

#[test]
fn gnu_tar_lists_the_tree() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    write(&tree, temp.path(), &["x.tar", "x.tar.gz"]).unwrap();
    let args = ["--quoting-style=literal", "-tf", "x.tar"];
    let Some(list) = oracle("tar", &args, temp.path()) else { return };
    let mut paths: Vec<_> = list.lines().map(|line| RootPath::parse(line.as_bytes()).unwrap()).collect();
    paths.sort();
    let want: Vec<_> = testing::listing(&tree).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, want);
    if oracle("gzip", &["-t", "x.tar.gz"], temp.path()).is_some() {
        assert_eq!(oracle("tar", &["--quoting-style=literal", "-tzf", "x.tar.gz"], temp.path()), Some(list));
    }
}

#[test]
fn libarchive_and_python_read_the_archives() {
    let (tree, _keep) = testing::big_tree();
    let temp = tempfile::tempdir().unwrap();
    write(&tree, temp.path(), &["x.tar", "x.tar.gz", "x.tar.zst"]).unwrap();
    // The content of every file, one after the other, in the order of the archive.
    let Some(plain) = oracle("tar", &["-xOf", "x.tar"], temp.path()) else { return };
    assert!(plain.len() > 14_000_000);
    for name in ["x.tar", "x.tar.gz", "x.tar.zst"] {
        let read = oracle("bsdtar", &["-xOf", name], temp.path());
        assert!(read.is_none_or(|read| read == plain), "libarchive, {name}");
    }
    let script = "import sys, tarfile\ntar = tarfile.open(sys.argv[1])\nfor entry in tar:\n if entry.isreg():\n  \
                  sys.stdout.buffer.write(tar.extractfile(entry).read())\n";
    for name in ["x.tar", "x.tar.gz"] {
        let read = oracle("python3", &["-c", script, name], temp.path());
        assert!(read.is_none_or(|read| read == plain), "Python, {name}");
    }
}

#[test]
fn zstd_tests_the_frames() {
    let (tree, _keep) = testing::big_tree();
    let temp = tempfile::tempdir().unwrap();
    write(&tree, temp.path(), &["x.tar", "x.tar.zst"]).unwrap();
    let Some(_) = oracle("zstd", &["-dq", "x.tar.zst", "-o", "y.tar"], temp.path()) else { return };
    assert!(fs::read(temp.path().join("x.tar")).unwrap() == fs::read(temp.path().join("y.tar")).unwrap());
}

#[test]
fn skopeo_takes_the_archive_as_oci_and_as_docker() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let written = write(&tree, temp.path(), &["x.oci.tar", "oci:layout"]).unwrap();
    for source in ["oci-archive:x.oci.tar", "docker-archive:x.oci.tar", "oci:layout:latest"] {
        let Some(text) = oracle("skopeo", &["inspect", "--config", source], temp.path()) else { return };
        let config: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], written.diff_ids[0].to_string(), "{source}");
        assert_eq!(config["config"]["User"], "65532", "{source}");
        let to = format!("dir:copy-{}", source.split(':').next().unwrap());
        oracle("skopeo", &["--insecure-policy", "copy", "-q", source, &to], temp.path());
    }
}

#[test]
fn umoci_unpacks_the_tree() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    write_as(&tree, temp.path(), &["oci:layout"], Layers::ByOrigin, Compression::Gzip).unwrap();
    let mut args = vec!["unpack", "--image", "layout:latest", "bundle"];
    let root = rustix::process::geteuid().is_root();
    if !root {
        args.insert(1, "--rootless");
    }
    let Some(_) = oracle("umoci", &args, temp.path()) else { return };
    let mut found = dir_listing(&temp.path().join("bundle/rootfs"));
    let want = testing::listing(&tree);
    if !root {
        for ((_, seen), (_, want)) in found.iter_mut().zip(&want) {
            seen.owner = want.owner;
        }
    }
    assert_eq!(found, want);
}

#[test]
fn images_of_several_platforms_share_an_index() {
    let (one, _keep) = testing::big_tree();
    let mut two = one.clone();
    two.insert_file(RootPath::literal("usr/only-arm"), 0o644, *b"arm", Origin::Manifest).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path();
    let store = Store::open(&at.join("store")).unwrap();
    let image = Image::default();
    let epoch = jiff::Timestamp::from_second(testing::EPOCH).unwrap();
    let spec = |arch| ImageSpec { name: "test", arch, epoch, user: None, image: &image, attached: None };
    let (amd64, armhf) = (spec(Arch::Amd64), spec(Arch::Armhf));
    let own = [outputs(at, &["a.tar"]), outputs(at, &["b/"])];
    let to_write = [
        ToWrite { tree: &one, spec: &amd64, outputs: &own[0] },
        ToWrite { tree: &two, spec: &armhf, outputs: &own[1] },
    ];
    let shared = outputs(at, &["oci:layout", "x.oci.tar"]);
    // Twice: the layout is replaced without force, since compose made it.
    for _ in 0..2 {
        let (written, together) = write_images(&to_write, &shared, false, false, &store, &Silent).unwrap();
        assert_eq!((written.len(), together.len()), (2, 2));
        assert_eq!(names(at), ["a.tar", "b", "layout", "store", "x.oci.tar"]);
        for name in ["layout", "x.oci.tar"] {
            for (arch, tree, written) in [(Arch::Amd64, &one, &written[0]), (Arch::Armhf, &two, &written[1])] {
                let scratch = tempfile::tempdir().unwrap();
                let mut opened =
                    open(&at.join(name), Some(arch), scratch.path(), &crate::deb::Limits::default()).unwrap();
                let digest = tree_digest(tree).unwrap();
                assert_eq!((opened.arch, opened.claimed), (Some(arch), Some(digest)), "{name}");
                assert!(opened.settle_root(digest).unwrap() && written.tree == digest, "{name}");
            }
            let scratch = tempfile::tempdir().unwrap();
            let error =
                open(&at.join(name), None, scratch.path(), &crate::deb::Limits::default()).unwrap_err().to_string();
            assert!(error.contains("amd64") && error.contains("armhf"), "{error}");
        }
    }
    let index: serde_json::Value = serde_json::from_slice(&fs::read(at.join("layout/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["mediaType"], "application/vnd.oci.image.index.v1+json");
    let error = write_images(&to_write, &outputs(at, &["x.tar"]), false, false, &store, &Silent).unwrap_err();
    assert!(matches!(error, ImageError::OneTree { .. }), "{error}");
}
