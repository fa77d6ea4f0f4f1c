//! `[[tarballs]]` on the real binary: what they bring along and need, a Python in one of them, and every way to go wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _};

use compose::base::Sha256;
use support::{
    Desk, Entry, Kind, Served,
    python::{LIB, PURE, fastmath, greeter, module, program, served, whl},
    tar_of,
};

fn file(path: &str, mode: u32, bytes: impl AsRef<[u8]>) -> Entry {
    Entry { path: path.into(), mode, kind: Kind::File(bytes.as_ref().to_vec()) }
}

fn dir(path: &str) -> Entry {
    Entry { path: path.into(), mode: 0o755, kind: Kind::Dir }
}

fn link(path: &str, target: &str) -> Entry {
    Entry { path: path.into(), mode: 0o777, kind: Kind::Link(target.into()) }
}

/// A table for bytes in a file beside the manifest.
fn table(file: &str, bytes: &[u8], path: &str) -> String {
    format!("[[tarballs]]\nsource = \"{file}\"\nsha256 = \"{}\"\npath = \"{path}\"\n", Sha256::of(bytes).hex())
}

/// A desk whose manifest has this archive below /opt/tool.
fn with_tar(served: &Served, bytes: &[u8]) -> Desk {
    let desk = Desk::new(served, "install = [\"libc6\"]", &table("tool.tar", bytes, "/opt/tool"));
    fs::write(desk.path("tool.tar"), bytes).unwrap();
    desk
}

fn tool() -> Vec<u8> {
    tar_of(&[
        dir("bin"),
        file(
            "bin/tool",
            0o755,
            program().needed("libGL.so.1").needed("libtool.so.1").runpath("$ORIGIN/../lib").build(),
        ),
        dir("lib"),
        file("lib/libtool.so.1", 0o644, module().soname("libtool.so.1").needed("libstdc++.so.6").build()),
        link("bin/again", "tool"),
    ])
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => vec![(r"\d{4}-\d\d-\d\dT[\d:]+Z", "DATE"), (r"size = \d+", "size = SIZE")] }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn what_its_programs_need_comes_along() {
    let served = served();
    let desk = with_tar(&served, &tool());
    snapshot!("lock", desk.compose(&["lock", "demo.toml"]).ok().stdout);
    desk.compose(&["demo.toml", "-o", "r/", "-o", "x.oci.tar"]).ok();
    assert_eq!(desk.left(), ["r", "snapshots", "tool.tar", "x.oci.tar"]);
    let at = |path: &str| desk.path("r").join(path);
    assert_eq!(at("opt/tool/bin/tool").metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_link(at("opt/tool/bin/again")).unwrap().to_string_lossy(), "tool");
    assert!(at(LIB).join("libstdc++.so.6").exists() && at(LIB).join("libGL.so.1").exists());
    snapshot!("lock-file", desk.settled(&served, &fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap()));
    let mut told = String::new();
    for what in ["libstdc++6", "/opt/tool/bin/tool", "libtool.so.1"] {
        told += &format!("$ compose why demo.toml {what}\n{}\n", desk.compose(&["why", "demo.toml", what]).ok().stdout);
    }
    snapshot!("why", told);

    // From the lock alone, whatever the threads.
    let image = fs::read(desk.path("x.oci.tar")).unwrap();
    drop(served);
    for jobs in ["1", "8"] {
        desk.compose(&["demo.toml", "-o", "x.oci.tar", "--locked", "--offline", "-j", jobs]).ok();
        assert!(fs::read(desk.path("x.oci.tar")).unwrap() == image, "-j {jobs}");
        fs::remove_dir_all(desk.path("cache/segments")).unwrap();
    }
}

#[test]
fn from_a_url_and_however_it_is_compressed() {
    let served = served();
    let plain = tool();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).unwrap();
    let packed = [
        ("tool.tar", plain.clone()),
        ("tool.tar.gz", gz.finish().unwrap()),
        ("tool.tar.zst", zstd::encode_all(&plain[..], 1).unwrap()),
    ];
    let mut trees = Vec::new();
    for (name, bytes) in &packed {
        served.files.lock().unwrap().insert((*name).into(), bytes.clone());
        let url = table(name, bytes, "/opt/tool").replace("source = \"", &format!("url = \"{}/", served.url));
        let desk = Desk::new(&served, "install = [\"libc6\"]", &url);
        desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
        assert_eq!(desk.left(), ["snapshots", "x.tar"]);
        trees.push(fs::read(desk.path("x.tar")).unwrap());
        // It is in the cache now.
        served.files.lock().unwrap().remove(*name);
        desk.compose(&["demo.toml", "-o", "x.tar", "--locked"]).ok();
        fs::remove_dir_all(desk.path("cache/sources")).unwrap();
        desk.compose(&["demo.toml", "-o", "x.tar", "--locked", "--offline"]).ok();
        fs::remove_dir_all(desk.path("cache/segments")).unwrap();
        if *name == "tool.tar" {
            insta::assert_snapshot!("url-offline", desk.refused(4, &served, &["demo.toml", "--locked", "--offline"]));
            insta::assert_snapshot!("url-missing", desk.refused(4, &served, &["demo.toml", "--locked"]));
            served.files.lock().unwrap().insert((*name).into(), b"something else".to_vec());
            insta::assert_snapshot!("url-tampered", desk.refused(5, &served, &["demo.toml", "--locked"]));
        }
    }
    assert!(trees.windows(2).all(|pair| pair[0] == pair[1]), "the same tree, however it was packed");
}

#[test]
fn a_python_in_a_tarball_gets_the_wheels() {
    let served = served();
    let python = tar_of(&[
        dir("python"),
        dir("python/bin"),
        file("python/bin/python3.14", 0o755, program().needed("libm.so.6").build()),
        link("python/bin/python3", "python3.14"),
        file("python/include/python3.14/patchlevel.h", 0o644, "#define PY_VERSION \"3.14.6\"\n"),
        file("python/lib/python3.14/os.py", 0o644, "# os\n"),
    ]);
    let rest = table("python.tar", &python, "/usr/local") + "strip = 1\n[python]\nwheels = [\"wheels/*.whl\"]\n";
    let desk = Desk::new(&served, "install = [\"libc6\"]", &rest);
    fs::write(desk.path("python.tar"), &python).unwrap();
    greeter().put(&desk);
    let metadata = b"Metadata-Version: 2.1\nName: newer\nVersion: 1.0\nRequires-Python: >=3.14.5\n";
    whl("newer", PURE, |wheel| wheel.info("METADATA", metadata).file("newer.py", b"")).put(&desk);
    let native = whl("fastmath", "cp314-cp314-manylinux_2_17_x86_64", |wheel| {
        wheel.entry("fastmath/_core.so", &module().needed("libstdc++.so.6").build(), 0o100_755)
    });
    native.put(&desk);
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    let at = |path: &str| desk.path("r").join(path);
    assert!(at("usr/local/lib/python3.14/site-packages/greeter/words.txt").exists());
    assert!(at("usr/local/lib/python3.14/site-packages/newer.py").exists());
    for script in ["greet", "greet-all"] {
        let text = fs::read_to_string(at("usr/local/bin").join(script)).unwrap();
        assert!(text.starts_with("#!/usr/local/bin/python3.14\n"), "{text}");
    }
    assert!(at(LIB).join("libstdc++.so.6").exists());
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    assert!(!lock.contains("python3.13") && lock.contains("required-by = [\"wheel:fastmath\"]"), "{lock}");
    // With Debian's Python beside it, it is still the one.
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&manifest.replace("\"libc6\"", "\"python3\""));
    desk.compose(&["demo.toml", "-o", "r/", "--force"]).ok();
    assert!(at("usr/local/lib/python3.14/site-packages/newer.py").exists() && at("usr/bin/python3.13").exists());
    native.take(&desk);
    fastmath().put(&desk);
    insta::assert_snapshot!("wheel-for-debian-s-python", desk.refused(2, &served, &["demo.toml"]));
}

#[test]
fn what_cannot_be_unpacked() {
    let served = served();
    // Names as hostile as they are: the setters would refuse them.
    let named = |names: &[(&str, tar::EntryType, &str)]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, target) in names {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, &[][..]).unwrap();
        }
        builder.into_inner().unwrap()
    };
    use tar::EntryType::{Char, Directory, Link, Regular, Symlink};
    for (snapshot, bytes) in [
        ("absolute", named(&[("/etc/passwd", Regular, "")])),
        ("upwards", named(&[("a/../../../etc/passwd", Regular, "")])),
        ("below-a-link", named(&[("a", Symlink, "/etc"), ("a/passwd", Regular, "")])),
        ("hard-link-out", named(&[("a", Link, "../../etc/passwd")])),
        ("device", named(&[("null", Char, "")])),
        ("twice", named(&[("a", Regular, ""), ("a", Symlink, "b")])),
        ("zip", b"PK\x03\x04 no tar at all".repeat(60)),
        ("cut-off", tool()[..tool().len() / 2].to_vec()),
        ("empty", Vec::new()),
    ] {
        insta::assert_snapshot!(snapshot, with_tar(&served, &bytes).refused(5, &served, &["demo.toml"]));
    }
    let desk = with_tar(&served, &named(&[("a", Directory, "")]));
    fs::write(desk.path("tool.tar"), "something else").unwrap();
    insta::assert_snapshot!("another-digest", desk.refused(5, &served, &["demo.toml"]));
    fs::remove_file(desk.path("tool.tar")).unwrap();
    insta::assert_snapshot!("no-file", desk.refused(2, &served, &["demo.toml"]));
    let broken = tar_of(&[file("bin/tool", 0o755, &program().build()[..200])]);
    insta::assert_snapshot!("truncated-elf", with_tar(&served, &broken).refused(6, &served, &["demo.toml"]));
    let needy = tar_of(&[file("bin/tool", 0o755, program().needed("libnowhere.so.7").build())]);
    let desk = with_tar(&served, &needy);
    insta::assert_snapshot!("unprovided", desk.refused(3, &served, &["demo.toml"]));
    // As it says, and without any Python.
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&(manifest + "[python]\nignore-needs = [\"libnowhere.so.7\"]\n"));
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
}

#[test]
fn tarballs_that_do_not_go_together() {
    let served = served();
    let [one, two] = ["1", "2"].map(|text| tar_of(&[file("share/x", 0o644, text)]));
    let both = |second: &[u8]| {
        let tables = table("one.tar", &one, "/opt") + &table("two.tar", second, "/opt");
        let desk = Desk::new(&served, "install = [\"libc6\"]", &tables);
        fs::write(desk.path("one.tar"), &one).unwrap();
        fs::write(desk.path("two.tar"), second).unwrap();
        desk
    };
    insta::assert_snapshot!("two-with-one-path", both(&two).refused(6, &served, &["demo.toml"]));
    let same = tar_of(&[file("share/x", 0o644, "1"), file("share/y", 0o644, "2")]);
    both(&same).compose(&["demo.toml", "-o", "x.tar"]).ok();
    // A package's file.
    let libc = tar_of(&[file("libc.so.6", 0o755, module().soname("libc.so.6").build())]);
    let desk = Desk::new(&served, "install = [\"libc6\"]", &table("tool.tar", &libc, &format!("/{LIB}")));
    fs::write(desk.path("tool.tar"), &libc).unwrap();
    insta::assert_snapshot!("a-package-s-path", desk.refused(6, &served, &["demo.toml"]));
}

/// What the loader would not find is found here, and not by the user.
#[test]
fn a_library_of_its_own_that_no_loader_finds() {
    let served = served();
    let program = program().needed("libown.so.1");
    let own = module().soname("libown.so.1").build();
    let with = |program: &[u8]| {
        let tar = tar_of(&[file("bin/tool", 0o755, program), file("lib/libown.so.1", 0o644, &own)]);
        with_tar(&served, &tar)
    };
    insta::assert_snapshot!("own-library", with(&program.build()).refused(6, &served, &["demo.toml"]));
    with(&program.clone().runpath("$ORIGIN/../lib").build()).compose(&["demo.toml", "-o", "x.tar"]).ok();
    let desk = with(&program.build());
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let conf = "[[files]]\npath = \"/etc/ld.so.conf\"\ncontent = \"/opt/tool/lib\\n\"\n";
    desk.manifest(&(manifest + conf));
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
}

#[test]
fn tables_that_cannot_be() {
    let served = served();
    for (snapshot, table) in [
        ("no-digest", "[[tarballs]]\nsource = \"key.asc\"\npath = \"/opt\"\n"),
        ("short-digest", "[[tarballs]]\nsource = \"key.asc\"\nsha256 = \"abc\"\npath = \"/opt\"\n"),
        ("no-source", "[[tarballs]]\nsha256 = \"0\"\npath = \"/opt\"\n"),
        ("relative-path", "[[tarballs]]\nsource = \"key.asc\"\nsha256 = \"0\"\npath = \"opt\"\n"),
        ("ftp", "[[tarballs]]\nurl = \"ftp://example.com/x.tar\"\nsha256 = \"0\"\npath = \"/opt\"\n"),
    ] {
        let desk = Desk::new(&served, "install = [\"libc6\"]", table);
        insta::assert_snapshot!(snapshot, desk.refused(2, &served, &["demo.toml"]));
    }
}
