//! Images of every form, sound and otherwise.

#![expect(clippy::unwrap_used, reason = "tests")]

mod layers;

use std::io::Write;

use serde_json::json;
use tar::EntryType;

use super::*;
use crate::{
    deb::fixture::Tar,
    image::{ImageSpec, Output, Written, testing, write_all},
    manifest::{Compression, Image, Layers},
    store::Store,
    tree::Kind,
};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

/// Opens what is at `path`; the folder is its scratch.
fn opened_as(path: &Path, arch: Option<Arch>, limits: &Limits) -> Result<(Opened, tempfile::TempDir), OpenError> {
    let scratch = tempfile::tempdir().unwrap();
    let opened = open(path, arch, scratch.path(), limits)?;
    for entry in fs::read_dir(scratch.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.parse::<usize>().is_ok(), "{name}");
    }
    Ok((opened, scratch))
}

fn opened(path: &Path) -> Result<(Opened, tempfile::TempDir), OpenError> {
    opened_as(path, None, &Limits::default())
}

/// A message without this machine's folder and with short digests.
fn message(error: &OpenError, at: &Path) -> String {
    let mut out = String::new();
    for (i, part) in error.to_string().replace(at.to_str().unwrap(), "AT").split("sha256:").enumerate() {
        let hex = part.len() - part.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
        out += &if i == 0 { part.to_owned() } else { format!("sha256:…{}", &part[hex..]) };
    }
    out
}

/// Paths, what they are, and content or target.
fn shown(tree: &Tree) -> Vec<String> {
    let one = |(path, node): (&RootPath, &crate::tree::Node)| match &node.kind {
        Kind::Dir => format!("{path}/ {:o}", node.meta.mode),
        Kind::File(content) => format!("{path} {}", String::from_utf8_lossy(&content.read().unwrap())),
        Kind::Symlink(target) => format!("{path} -> {}", String::from_utf8_lossy(target)),
        Kind::Hardlink(target) => format!("{path} = {target}"),
    };
    tree.iter().filter(|(path, _)| !path.is_root()).map(one).collect()
}

/// An OCI layout in the making.
struct Layout {
    index: serde_json::Value,
    blobs: Vec<Vec<u8>>,
}

impl Layout {
    fn new() -> Self {
        Self { index: json!({"schemaVersion": 2, "manifests": []}), blobs: Vec::new() }
    }

    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> serde_json::Value {
        let descriptor =
            json!({"mediaType": media_type, "digest": Sha256::of(&bytes).to_string(), "size": bytes.len()});
        self.blobs.push(bytes);
        descriptor
    }

    /// Adds an image of these plain layers.
    fn image(&mut self, arch: &str, platform: bool, layers: &[Vec<u8>]) {
        let ids: Vec<_> = layers.iter().map(|layer| Sha256::of(layer).to_string()).collect();
        let config = json!({"architecture": arch, "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}});
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().into());
        let layers: Vec<_> = layers
            .iter()
            .enumerate()
            .map(|(i, layer)| match i % 3 {
                0 => self.blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip(layer)),
                1 => self.blob("application/vnd.oci.image.layer.v1.tar", layer.clone()),
                _ => self.blob(
                    "application/vnd.docker.image.rootfs.diff.tar.zstd",
                    zstd::encode_all(&layer[..], 1).unwrap(),
                ),
            })
            .collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let mut manifest = self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into());
        if platform {
            manifest["platform"] = json!({"architecture": arch, "os": "linux"});
        }
        self.index["manifests"].as_array_mut().unwrap().push(manifest);
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), self.index.to_string().into_bytes()),
        ];
        files.extend(self.blobs.iter().map(|blob| (format!("blobs/sha256/{}", Sha256::of(blob).hex()), blob.clone())));
        files
    }

    fn write(&self, at: &Path) {
        fs::create_dir_all(at.join("blobs/sha256")).unwrap();
        for (name, bytes) in self.files() {
            fs::write(at.join(name), bytes).unwrap();
        }
    }

    fn tar(&self) -> Vec<u8> {
        self.files().iter().fold(Tar::new().dir("blobs"), |tar, (name, bytes)| tar.file(name, bytes)).end()
    }
}

fn layers(layers: &[Vec<u8>]) -> Result<(Vec<String>, Vec<String>), String> {
    let temp = tempfile::tempdir().unwrap();
    let mut layout = Layout::new();
    layout.image("amd64", true, layers);
    layout.write(temp.path());
    match opened(temp.path()) {
        Ok((opened, _scratch)) => Ok((shown(&opened.tree), opened.notes)),
        Err(error) => Err(message(&error, temp.path())),
    }
}

fn write(tree: &Tree, at: &Path, names: &[&str], layers: Layers, compression: Compression) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let image = Image { layers, compression, ..Image::default() };
    let epoch = jiff::Timestamp::from_second(testing::EPOCH).unwrap();
    let spec = ImageSpec { name: "test", arch: Arch::Arm64, epoch, user: None, image: &image, attached: None };
    let place = |name: &&str| match name.strip_prefix("oci:") {
        Some(name) => format!("oci:{}", at.join(name).display()),
        None => at.join(name).to_str().unwrap().to_owned(),
    };
    let outputs: Vec<_> = names.iter().map(|name| Output::parse(&place(name)).unwrap()).collect();
    write_all(tree, &spec, &outputs, false, &store, &crate::base::Silent).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let (tree, _keep) = testing::big_tree();
    let digest = tree_digest(&tree).unwrap();
    for (layers, compression) in [(Layers::Single, Compression::Gzip), (Layers::ByOrigin, Compression::Zstd)] {
        let temp = tempfile::tempdir().unwrap();
        let names = ["oci:layout", "x.oci.tar", "x.tar", "x.tar.gz", "x.tar.zst", "rootfs/"];
        let written = write(&tree, temp.path(), &names, layers, compression);
        for name in names {
            let name = name.strip_prefix("oci:").unwrap_or(name);
            let (mut opened, scratch) = opened(&temp.path().join(name)).unwrap();
            assert_eq!(testing::listing(&opened.tree).len(), testing::listing(&tree).len(), "{name}");
            if opened.form != Form::Directory {
                assert_eq!(testing::listing(&opened.tree), testing::listing(&tree), "{name}");
            } else if !rustix::process::geteuid().is_root() {
                eprintln!("skipped: owners of a directory, as this is not root");
                continue;
            } else if opened.tree.get(&testing::path("usr/bin/tool")).unwrap().meta.xattrs.is_empty() {
                eprintln!("skipped: a filesystem without extended attributes");
                continue;
            }
            assert!(opened.settle_root(digest).unwrap(), "{name}");
            assert!(!opened.settle_root(Sha256::of(b"other")).unwrap(), "{name}");
            assert_eq!(tree_digest(&opened.tree).unwrap(), digest);
            let (read, whole) = (opened.tree.iter(), tree.iter());
            for ((path, read), (_, whole)) in read.zip(whole) {
                if let (Kind::File(read), Kind::File(whole)) = (&read.kind, &whole.kind) {
                    assert!(read.read().unwrap() == whole.read().unwrap(), "{name}: {path}");
                }
            }
            match opened.form {
                Form::Oci => {
                    assert_eq!((opened.arch, opened.claimed), (Some(Arch::Arm64), Some(digest)));
                    assert_eq!(opened.diff_ids, written.diff_ids);
                    let wanted: Vec<_> = written.layers.iter().map(|layer| layer.digest).collect();
                    assert_eq!(opened.layers, wanted);
                    assert!(!opened.root_described);
                }
                Form::Tar => {
                    let Archive { whole, plain } = opened.archive.unwrap();
                    let digest = |name: &str| Sha256::of(&fs::read(temp.path().join(name)).unwrap());
                    assert_eq!(whole.sha256().unwrap(), digest(name));
                    assert_eq!(plain.sha256().unwrap(), digest("x.tar"));
                }
                Form::Directory => assert!(opened.root_described),
                Form::DockerArchive => panic!("{name}"),
            }
            drop(scratch);
        }
        // An archive is known by what is in it, compressed as a whole too.
        let whole = fs::read(temp.path().join("x.oci.tar")).unwrap();
        for packed in [gzip(&whole), zstd::encode_all(&whole[..], 1).unwrap()] {
            fs::write(temp.path().join("image"), packed).unwrap();
            let (mut opened, _scratch) = opened(&temp.path().join("image")).unwrap();
            assert!(opened.form == Form::Oci && opened.settle_root(digest).unwrap());
        }
        let error = opened_as(&temp.path().join("layout"), Some(Arch::Amd64), &Limits::default()).unwrap_err();
        let text = message(&error, temp.path());
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @"AT/layout: it is not for amd64, but for arm64 (latest); ask for an architecture that is there");
        }
    }
}

#[test]
fn damage_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("image");
    let layer = |seed| Tar::new().file("a", b"a").file("noise", &testing::noise(50_000, seed)).end();
    let sound = || {
        let mut layout = Layout::new();
        layout.image("amd64", true, &[layer(1), layer(2)]);
        layout
    };
    let mut out = String::new();
    let mut told = |what: &str, change: &dyn Fn(&mut Layout) -> Option<usize>, edit: &dyn Fn(&Path)| {
        let _ = fs::remove_dir_all(&at);
        let mut layout = sound();
        change(&mut layout);
        layout.write(&at);
        edit(&at);
        let error = opened(&at).map(|_| ()).expect_err(what);
        out += &format!("{what}: {}\n", message(&error, temp.path()));
    };
    let name = |n: usize| format!("blobs/sha256/{}", Sha256::of(&sound().blobs[n]).hex());
    let flip = |at: &Path, n: usize| {
        let path = at.join(name(n));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let none = |_: &mut Layout| None;
    // In the order in which `image` makes them: configuration, layers, manifest.
    for (n, what) in ["the configuration", "a gzip layer", "a plain layer", "the manifest"].iter().enumerate() {
        told(&format!("one bit in {what}"), &none, &|at| flip(at, n));
        told(&format!("{what} gone"), &none, &|at| fs::remove_file(at.join(name(n))).unwrap());
        told(&format!("{what} cut"), &none, &|at| {
            let bytes = fs::read(at.join(name(n))).unwrap();
            fs::write(at.join(name(n)), &bytes[..bytes.len() - 1]).unwrap();
        });
    }
    // What its own digests hold together, and is wrong all the same.
    let configured = |ids: Vec<String>, kind: &'static str| {
        move |layout: &mut Layout| {
            *layout = Layout::new();
            let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": ids}});
            let config = layout.blob("application/vnd.oci.image.config.v1+json", config.to_string().into());
            let first = layout.blob(kind, gzip(&Tar::new().file("a", b"a").end()));
            let manifest = json!({"config": config, "layers": [first]}).to_string();
            let manifest = layout.blob("application/vnd.oci.image.manifest.v1+json", manifest.into());
            layout.index["manifests"] = json!([manifest]);
            None
        }
    };
    let gz = "application/vnd.oci.image.layer.v1.tar+gzip";
    let ids = |n: usize| vec![Sha256::of(b"other").to_string(); n];
    told("another diffID", &configured(ids(1), gz), &|_| ());
    told("too many diffIDs", &configured(ids(2), gz), &|_| ());
    told("an encrypted layer", &configured(ids(1), "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), &|_| ());
    told("no JSON", &none, &|at| fs::write(at.join("index.json"), "{").unwrap());
    told("another version", &none, &|at| fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"2"}"#).unwrap());
    let digest = |layout: &mut Layout| {
        layout.index["manifests"][0]["digest"] = json!("sha256:../../../etc/passwd");
        None
    };
    told("a digest that is a path", &digest, &|_| ());
    let media = |layout: &mut Layout| {
        layout.index["manifests"][0]["mediaType"] = json!("application/vnd.example");
        None
    };
    told("an artefact", &media, &|_| ());
    insta::assert_snapshot!(out);
}

#[test]
fn archives_that_are_cut_or_none() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("x.tar");
    let plain = Tar::new().file("a", b"a").file("b", &testing::noise(5_000, 1)).end();
    let mut layout = Layout::new();
    layout.image("amd64", false, std::slice::from_ref(&plain));
    let whole = layout.tar();
    let packed = gzip(&plain);
    let mut out = String::new();
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("text", &b"hello, world\n".repeat(100)),
        ("a rootfs in an entry", &plain[..3000]),
        ("a rootfs before its end", &plain[..plain.len() - 1024]),
        ("gzip", &packed[..packed.len() - 9]),
        ("gzip and more", &[&packed[..], b"more"].concat()),
        ("an image", &whole[..whole.len() - 2000]),
    ] {
        fs::write(&at, bytes).unwrap();
        let error = opened(&at).map(|_| ()).expect_err(what);
        out += &format!("{what}: {}\n", message(&error, temp.path()));
    }
    let error = opened(Path::new("/dev/null")).map(|_| ()).unwrap_err();
    out += &format!("device: {error}\n");
    let error = opened(&temp.path().join("no")).map(|_| ()).unwrap_err();
    out += &format!("nothing: {}\n", message(&error, temp.path()));
    insta::assert_snapshot!(out);
}

#[test]
fn what_never_ends_is_stopped() {
    let temp = tempfile::tempdir().unwrap();
    let bomb = Tar::new().file("zeros", &vec![0; 3 << 20]).end();
    let mut layout = Layout::new();
    layout.image("amd64", true, &[bomb.clone(), bomb.clone()]);
    layout.write(&temp.path().join("oci"));
    fs::write(temp.path().join("x.tar.gz"), gzip(&bomb)).unwrap();
    let limits = |data| Limits { data, ..Limits::default() };
    let mut out = String::new();
    for (name, limits) in [
        ("oci", limits(2 << 20)),
        // Either of the two is small enough.
        ("oci", limits(5 << 20)),
        ("x.tar.gz", limits(2 << 20)),
        ("oci", Limits { entries: 1, ..Limits::default() }),
        ("oci", Limits { metadata: 5, ..Limits::default() }),
    ] {
        let error = opened_as(&temp.path().join(name), None, &limits).map(|_| ()).unwrap_err();
        // The layers share a limit, and are read side by side: either may be the one that reaches it.
        let text = message(&error, temp.path());
        let place = text.split_once("in layer ").and_then(|(at, rest)| Some((at, rest.split_once("): ")?.1)));
        out += &format!("{}\n", place.map_or_else(|| text.clone(), |(at, why)| format!("{at}{why}")));
    }
    insta::assert_snapshot!(out);
    assert!(opened_as(&temp.path().join("oci"), None, &limits(7 << 20)).is_ok());
}

#[test]
fn one_of_several_is_chosen() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("oci");
    let layer = |text: &str| vec![Tar::new().file("which", text.as_bytes()).end()];
    let mut layout = Layout::new();
    layout.image("amd64", true, &layer("amd64"));
    layout.image("arm64", false, &layer("arm64"));
    // One that is not here, one attestation, one of another system.
    let mut more = vec![
        json!({"platform": {"architecture": "s390x", "os": "linux"}}),
        json!({"platform": {"architecture": "unknown", "os": "unknown"}}),
        json!({"platform": {"architecture": "amd64", "os": "windows"}}),
        json!({"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}),
    ];
    for (i, one) in more.iter_mut().enumerate() {
        one["mediaType"] = json!("application/vnd.oci.image.manifest.v1+json");
        one["digest"] = json!(Sha256::of(&[i as u8]).to_string());
        one["size"] = json!(10);
    }
    layout.index["manifests"].as_array_mut().unwrap().extend(more);
    let check = |at: &Path| {
        let which =
            |arch| opened_as(at, arch, &Limits::default()).map(|(opened, _scratch)| (opened.arch, shown(&opened.tree)));
        for arch in [Arch::Amd64, Arch::Arm64] {
            assert_eq!(which(Some(arch)).unwrap(), (Some(arch), vec![format!("/which {arch}")]));
        }
        [None, Some(Arch::I386), Some(Arch::S390x)]
            .map(|arch| message(&which(arch).unwrap_err(), temp.path()).replace("AT/x.tar", "AT/oci"))
            .join("\n")
    };
    layout.write(&at);
    let told = check(&at);
    insta::assert_snapshot!(told, @r"
    AT/oci: it holds several images: amd64, arm64, s390x; name the architecture with --arch, or take the one that is meant out with skopeo copy
    AT/oci: it is not for i386, but for amd64, arm64, s390x; ask for an architecture that is there
    AT/oci: it has no sha256:…, which the index names; it was damaged or altered: fetch or build it again
    ");
    // The same one level down, and in an archive.
    let inner = layout.blob("application/vnd.oci.image.index.v1+json", layout.index.to_string().into());
    layout.index["manifests"] = json!([inner]);
    fs::write(temp.path().join("x.tar"), layout.tar()).unwrap();
    assert_eq!(check(&temp.path().join("x.tar")), told);
}

#[test]
fn archives_of_docker_old_and_new() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("x.tar");
    let layers = [Tar::new().file("a", b"1").end(), Tar::new().file("b", b"2").end(), Tar::new().file("a", b"1").end()];
    let ids: Vec<_> = layers.iter().map(|layer| Sha256::of(layer).to_string()).collect();
    let config =
        json!({"architecture": "arm", "variant": "v7", "os": "linux", "rootfs": {"diff_ids": ids}}).to_string();
    let name = format!("{}.json", Sha256::of(config.as_bytes()).hex());
    let table =
        |names: &[&str], config: &str| json!([{"Config": config, "RepoTags": null, "Layers": names}]).to_string();
    let blobs = layers.iter().map(|layer| format!("blobs/sha256/{}", Sha256::of(layer).hex())).collect::<Vec<_>>();
    let [first, second, _] = &blobs[..] else { panic!() };
    // Folders with identifiers, a layer that comes twice as a link; flat names, one of them compressed; blobs.
    let old = Tar::new()
        .dir("one/")
        .file("one/VERSION", b"1.0")
        .file("one/layer.tar", &layers[0])
        .file("two/layer.tar", &layers[1])
        .symlink("three/layer.tar", "../one/layer.tar")
        .file(&name, config.as_bytes())
        .file("manifest.json", table(&["one/layer.tar", "two/layer.tar", "three/layer.tar"], &name).as_bytes())
        .file("repositories", b"{}");
    let flat = Tar::new()
        .file("1.tar", &layers[0])
        .file("2.tar.gz", &gzip(&layers[1]))
        .hardlink("3.tar", "1.tar")
        .file(&name, config.as_bytes())
        .file("manifest.json", table(&["1.tar", "2.tar.gz", "3.tar"], &name).as_bytes());
    let new = Tar::new()
        .file(first, &layers[0])
        .file(second, &layers[1])
        .file(&name, config.as_bytes())
        .file("manifest.json", table(&[first, second, first], &name).as_bytes());
    for (what, tar) in [("old", old.clone()), ("flat", flat), ("new", new.clone())] {
        for bytes in [tar.clone().end(), gzip(&tar.clone().end())] {
            fs::write(&at, bytes).unwrap();
            let (opened, _scratch) = opened(&at).unwrap();
            assert_eq!((opened.form, opened.arch), (Form::DockerArchive, Some(Arch::Armhf)), "{what}");
            assert_eq!(shown(&opened.tree), ["/a 1", "/b 2"], "{what}");
            assert_eq!(opened.diff_ids.iter().map(ToString::to_string).collect::<Vec<_>>(), ids, "{what}");
        }
    }
    let mut out = String::new();
    let other = config.replace("v7", "v6");
    for (what, tar) in [
        (
            "another configuration",
            Tar::new().file(&name, other.as_bytes()).file("manifest.json", table(&[], &name).as_bytes()),
        ),
        (
            "a layer gone",
            Tar::new().file("c", config.as_bytes()).file("manifest.json", table(&["1.tar"], "c").as_bytes()),
        ),
        ("links in a circle", old.clone().symlink("l", "m").symlink("m", "l").file("c", config.as_bytes())),
        (
            "another layer",
            Tar::new()
                .file("c", config.as_bytes())
                .file(first, &layers[1])
                .file("manifest.json", table(&[first, first, first], "c").as_bytes()),
        ),
        ("a name twice", new.clone().file(first, &layers[1])),
    ] {
        let tar = match what {
            "links in a circle" => Tar::new()
                .symlink("l", "m")
                .symlink("m", "l")
                .file("c", config.as_bytes())
                .file("manifest.json", table(&["l"], "c").as_bytes()),
            _ => tar,
        };
        fs::write(&at, tar.end()).unwrap();
        let error = opened(&at).map(|_| ()).expect_err(what);
        let text = message(&error, temp.path()).replace(&Sha256::of(&layers[0]).hex(), "HEX");
        out += &format!("{what}: {}\n", text.replace(&name, "HEX.json"));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_rootfs_archive_has_no_whiteouts() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("x");
    // A name that looks like compression, and a file called as docker's table is.
    let tar = Tar::new()
        .file("BZh9", b"z")
        .file("a", b"a")
        .file(".wh.a", b"w")
        .file("manifest.json", br#"{"name": "of a web page"}"#)
        .raw(EntryType::Directory, b"./", b"", b"", |h| h.set_mode(0o700));
    for bytes in [tar.clone().end(), gzip(&tar.clone().end()), zstd::encode_all(&tar.clone().end()[..], 1).unwrap()] {
        fs::write(&at, bytes).unwrap();
        let (opened, _scratch) = opened(&at).unwrap();
        assert_eq!((opened.form, opened.root_described), (Form::Tar, true));
        assert_eq!(opened.tree.get(&RootPath::root()).unwrap().meta.mode, 0o700);
        assert_eq!(
            shown(&opened.tree),
            ["/.wh.a w", "/BZh9 z", "/a a", "/manifest.json {\"name\": \"of a web page\"}"]
        );
    }
}

#[test]
fn skopeo_copies_to_a_docker_archive_and_back() {
    let (tree, _keep) = testing::tree();
    let temp = tempfile::tempdir().unwrap();
    let written = write(&tree, temp.path(), &["oci:layout"], Layers::ByOrigin, Compression::Gzip);
    let copy = |from: &str, to: &str| {
        let mut skopeo = std::process::Command::new("skopeo");
        skopeo.args(["--insecure-policy", "--override-arch", "arm64", "copy", "-q", from, to]).current_dir(temp.path());
        match skopeo.output() {
            Ok(done) => {
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                true
            }
            Err(error) => {
                eprintln!("skipped: skopeo: {error}");
                false
            }
        }
    };
    let steps = [
        ("oci:layout:latest", "docker-archive:docker.tar:x:latest", "docker.tar", Form::DockerArchive),
        ("docker-archive:docker.tar", "oci:again:latest", "again", Form::Oci),
        ("oci:again:latest", "oci-archive:again.tar", "again.tar", Form::Oci),
    ];
    for (from, to, name, form) in steps {
        if !copy(from, to) {
            return;
        }
        let (mut opened, _scratch) = opened(&temp.path().join(name)).unwrap();
        assert_eq!((opened.form, opened.diff_ids.clone()), (form, written.diff_ids.clone()), "{name}");
        assert!(opened.settle_root(tree_digest(&tree).unwrap()).unwrap(), "{name}");
    }
}

#[test]
fn an_archive_that_shows_each_reader_another_image_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("x.tar");
    let layer = Tar::new().file("a", b"1").end();
    let mut layout = Layout::new();
    layout.image("amd64", true, std::slice::from_ref(&layer));
    let name = |n: usize| format!("blobs/sha256/{}", Sha256::of(&layout.blobs[n]).hex());
    let other = json!({"architecture": "amd64", "os": "linux", "config": {"User": "0"}, "rootfs": {"diff_ids":
        [Sha256::of(&layer).to_string()]}});
    let told = |config: &str| {
        let table = json!([{"Config": config, "RepoTags": ["x:1"], "Layers": [name(1)]}]).to_string();
        let files = layout.files();
        let tar = files.iter().fold(Tar::new(), |tar, (name, bytes)| tar.file(name, bytes));
        let tar = tar.file("other", other.to_string().as_bytes()).file("manifest.json", table.as_bytes());
        fs::write(&at, tar.end()).unwrap();
        match opened(&at) {
            Ok((opened, _scratch)) => {
                assert_eq!((opened.form, shown(&opened.tree)), (Form::Oci, vec!["/a 1".to_owned()]));
                format!("notes: {:?}", opened.notes)
            }
            Err(error) => message(&error, temp.path()),
        }
    };
    assert_eq!(told(&name(0)), "notes: []");
    let text = told("other");
    insta::assert_snapshot!(text, @"AT/x.tar: its index.json and its manifest.json name different images: the configurations are sha256:… and sha256:…; no runtime should start it: fetch or build it again");
    let text = told("gone");
    insta::assert_snapshot!(text, @r#"notes: ["its manifest.json, which docker load reads, was not compared: it has no gone, which manifest.json names"]"#);
}

#[test]
fn what_a_directory_holds_that_no_image_does_is_told() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(temp.path().join("socket")).unwrap();
    let (opened, _scratch) = opened(temp.path()).unwrap();
    assert_eq!(
        (shown(&opened.tree), opened.notes),
        (vec!["/file x".to_owned()], vec!["/socket is a socket and is left out".to_owned()])
    );
}

/// No digest is taken before it is wanted, and then of the bytes as they are.
#[test]
fn a_digest_is_taken_when_it_is_asked_for_and_once() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("file");
    fs::write(&at, "one").unwrap();
    let (opened, _scratch) = opened(temp.path()).unwrap();
    fs::write(&at, "two").unwrap();
    let before = tree_digest(&opened.tree).unwrap();
    let content = opened.tree.content(&RootPath::literal("file")).unwrap();
    assert_eq!(content.sha256().unwrap(), Sha256::of(b"two"));
    fs::write(&at, "six").unwrap();
    assert_eq!((content.clone().sha256().unwrap(), tree_digest(&opened.tree).unwrap()), (Sha256::of(b"two"), before));
    // Whoever passes the bytes on notices.
    let other = tempfile::tempdir().unwrap();
    let error = crate::image::lay_out(&opened.tree, other.path(), &crate::base::Silent).unwrap_err();
    assert!(matches!(error, crate::image::ImageError::Changed), "{error}");
    fs::remove_file(&at).unwrap();
    let fresh = Content::stretch(std::sync::Arc::new(crate::tree::SegmentFile::new(&at)), 0..3);
    assert!(fresh.sha256().is_err());
}
