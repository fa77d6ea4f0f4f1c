//! Hostile packages in a signed archive, on the real binary: each is refused with the package, the path and the reason,
//! and leaves nothing behind: no output, no lock, no file anywhere but in the store, which the next build uses.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, fs, io::Read as _, os::unix::fs::MetadataExt as _, path::Path};

use support::{
    Archive, Desk, Pkg,
    deb::{Tar, ar},
    pkg,
};
use tar::EntryType;

const ALL: [&str; 6] = ["demo.toml", "-o", "rootfs/", "-o", "x.tar", "--update"];

/// The `.deb` of `evil` with this content.
fn deb(data: Tar) -> Vec<u8> {
    packed("", &data.end())
}

/// The same, its data member as it is.
fn packed(suffix: &str, data: &[u8]) -> Vec<u8> {
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &control(&evil().stanza())),
        (&format!("data.tar{suffix}"), data),
    ])
}

fn control(paragraph: &str) -> Vec<u8> {
    Tar::new().dir("./").file("./control", paragraph.as_bytes()).end()
}

fn evil() -> Pkg {
    pkg("evil", "2").field("Installed-Size", "1")
}

fn good() -> Pkg {
    pkg("evil", "1").file("usr/share/evil", 0o644, "good")
}

/// Everything below `folder` but the store and what programs are free to leave: content, mode, owner and links.
fn listing(folder: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap().map(Result::unwrap) {
            let (path, info) = (entry.path(), entry.metadata().unwrap());
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if name == "cache" {
                continue;
            }
            let what = if info.is_dir() {
                todo.push(path);
                "directory".into()
            } else if info.is_symlink() {
                fs::read_link(&path).unwrap().to_string_lossy().into_owned()
            } else {
                fs::read(&path).unwrap().escape_ascii().to_string()
            };
            out.insert(name, format!("{:o} {} {what}", info.mode(), info.nlink()));
        }
    }
    out
}

/// A desk with canaries where a hostile path would land, and a good build in it.
fn desk(archive: &Archive, served: &support::Served) -> Desk {
    let desk = Desk::new(served, "install = [\"evil\"]", "");
    for name in ["canary/passwd", "etc/passwd", "tmp/x", "home/x"] {
        fs::create_dir_all(desk.path(name).parent().unwrap()).unwrap();
        fs::write(desk.path(name), "untouched").unwrap();
    }
    assert!(archive.packages.iter().any(|package| package.name == "evil"));
    desk.compose(&ALL).ok();
    desk
}

/// Serves this package in place of the good one, and has it refused.
#[track_caller]
fn refused(archive: &mut Archive, served: &support::Served, desk: &Desk, package: Pkg) -> String {
    archive.packages.retain(|package| package.name != "evil");
    archive.packages.push(package);
    *served.files.lock().unwrap() = archive.files();
    let before = listing(desk.dir.path());
    let mut command = desk.command(&ALL);
    let run = desk.run(command.env("TMPDIR", desk.path("tmp")));
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert_eq!(listing(desk.dir.path()), before, "{}", run.stderr);
    assert_eq!(fs::read_dir(desk.path("cache/tmp")).unwrap().count(), 0, "{}", run.stderr);
    assert!(!run.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", run.stderr);
    run.stderr
}

#[test]
fn each_is_refused_and_leaves_nothing() {
    let mut archive = Archive::new(vec![good(), pkg("other", "2").file("usr/share/other", 0o644, "other")]);
    let served = archive.serve();
    let desk = desk(&archive, &served);
    let gz = |plain: &[u8]| {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(plain, flate2::Compression::best()).read_to_end(&mut out).unwrap();
        out
    };
    let tar = || Tar::new().dir("./");
    let sound = tar().file("./usr/a", b"a").end();
    let v = ("debian-binary", &b"2.0\n"[..]);
    let c = control(&evil().stanza());
    let (c, d) = (("control.tar", &c[..]), ("data.tar", &sound[..]));
    let empty = zstd::encode_all(&b""[..], 1).unwrap();
    let node = |kind, name: &str| tar().raw(kind, name.as_bytes(), b"", b"", |_| {});
    let rows: Vec<(Vec<u8>, &str)> = vec![
        // Paths.
        (deb(tar().file("../canary/passwd", b"x")), "“../canary/passwd” leads upwards"),
        (deb(tar().file("./a/../../canary/passwd", b"x")), "leads upwards"),
        (deb(tar().long(b"../../../canary/passwd").file("x", b"x")), "“../../../canary/passwd” leads upwards"),
        (deb(tar().pax(&[("path", b"../canary/passwd")]).file("x", b"x")), "leads upwards"),
        (deb(tar().pax(&[("path", b"a\0b")]).file("x", b"x")), "“a\\x00b” holds a NUL byte"),
        (deb(tar().file("./a\nb", b"x")), "“./a\\nb” contains a newline"),
        (deb(tar().file("./\x1b[31m/../../x", b"x")), "“./\\x1b[31m/../../x” leads upwards"),
        (deb(tar().pax(&[("path", &[b'n'; 5000])]).file("x", b"x")), "is longer than Linux allows"),
        (deb(tar().symlink("./d", "/etc").file("./d/passwd", b"x")), "it ships /d/passwd below /d,"),
        (deb(tar().symlink("./d", "../canary").file("./d/passwd", b"x")), "it ships /d/passwd below /d,"),
        (deb(tar().symlink("./lib", "../../canary").file("./lib/passwd", b"x")), "it ships /lib as something else"),
        (deb(tar().symlink("./", "../canary").file("./passwd", b"x")), "it ships / as something else"),
        (deb(tar().dir("d").symlink("d", "../canary").file("d/passwd", b"x")), "it ships /d twice"),
        (deb(tar().file("bin/a", b"1").file("usr/bin/a", b"2")), "it ships /usr/bin/a twice"),
        // Links and nodes.
        (deb(tar().hardlink("./h", "../canary/passwd")), "leads upwards"),
        (
            deb(tar().hardlink("./h", "/etc/passwd")),
            "it ships /h as a hard link to /etc/passwd, which is not an earlier",
        ),
        (deb(tar().hardlink("./h", "./h")), "it ships /h as a hard link to /h"),
        (deb(tar().symlink("./l", "/etc/passwd").hardlink("./h", "./l")), "it ships /h as a hard link to /l"),
        (deb(node(EntryType::Char, "./dev/kmem")), "“./dev/kmem” is a character device"),
        (deb(node(EntryType::Block, "./dev/sda")), "“./dev/sda” is a block device"),
        (deb(node(EntryType::Fifo, "./run/pipe")), "“./run/pipe” is a FIFO"),
        (deb(node(EntryType::GNUSparse, "./sparse")), "“./sparse” is a sparse file"),
        // The outer archive.
        (b"<html>Not found</html>".to_vec(), "it is not a Debian package"),
        (Vec::new(), "it is not a Debian package"),
        (ar(&[v]), "it has no member control.tar"),
        (ar(&[v, c]), "it has no member data.tar"),
        (ar(&[v, d, c]), "member “data.tar” stands where control.tar belongs"),
        (ar(&[v, c, d, d]), "member “data.tar” stands where the end of the package belongs"),
        (ar(&[("_gpgorigin", b"x"), v, c, d]), "member “_gpgorigin” stands where debian-binary belongs"),
        (ar(&[v, c, ("data.tar.gz", d.1)]), "in data.tar.gz: cannot decompress it"),
        (deb(tar().file("./usr/a", b"a"))[..900].to_vec(), "it is truncated"),
        // Streams.
        (packed(".gz", &gz(&sound)[..60]), "in data.tar.gz: the archive is truncated"),
        (packed(".zst", &zstd::encode_all(&sound[..], 1).unwrap()[..40]), "in data.tar.zst: the archive is truncated"),
        (packed(".zst", &empty.repeat(50_000)), "data behind the end of the compressed stream"),
        (packed(".gz", &[&gz(&sound)[..], b"more"].concat()), "in data.tar.gz: "),
        (packed("", &[&sound[..], b"more"].concat()), "in data.tar: there is data behind the end"),
        (packed(".zst", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), "(limits.decoder-memory)"),
        // Headers that lie.
        (deb(tar().pax(&[("size", b"0")]).file("./f", &[0; 512])), "“./f” has size 512 in its header and 0 in its"),
        (deb(tar().pax(&[("size", b"1024")]).file("./f", &[0; 512])), "and 1024 in its extended header"),
        (deb(tar().pax(&[("GNU.sparse.major", b"1")]).file("./f", b"x")), "it describes a sparse file"),
        (deb(tar().raw(EntryType::Regular, b"./f", b"", b"", |h| h.as_old_mut().size = [0xff; 12])), "malformed size"),
        // What it says it is.
        (ar(&[v, ("control.tar", &Tar::new().dir("./").end()), d]), "its control archive has no file “control”"),
        (ar(&[v, ("control.tar", &control("Package: ../../canary/x\nVersion: 2\n")), d]), "it holds the package"),
        (ar(&[v, ("control.tar", &control(&pkg("other", "2").stanza())), d]), "it holds the package “other”"),
        (
            ar(&[v, ("control.tar", &control(&format!("{}\n{}", evil().stanza(), pkg("other", "2").stanza()))), d]),
            "it holds more than one paragraph",
        ),
        (ar(&[v, ("control.tar", &control(&pkg("evil", "3").stanza())), d]), "says version 3, the lock says 2"),
        (
            ar(&[v, ("control.tar", &control(&evil().stanza().replace("amd64", "arm64"))), d]),
            "says architecture arm64, the lock says amd64",
        ),
        // The good package, whose segment is in the store, under another version: the index lies, its digest is right.
        (good().build(), "says version 1, the lock says 2"),
    ];
    let count = rows.len();
    for (bytes, words) in rows {
        let said = refused(&mut archive, &served, &desk, evil().raw(bytes));
        assert!(said.contains(words) && said.contains("evil"), "{words}: {said}");
    }
    println!("{count} hostile packages");
    // What is told of each is what can be done, too.
    let said = refused(&mut archive, &served, &desk, evil().raw(deb(tar().file("../x", b""))));
    insta::assert_snapshot!(desk.settled(&served, &said));

    // The store is as good as before: what is there is whole, and the next build uses it.
    desk.compose(&["cache", "verify"]).ok();
    desk.compose(&["demo.toml", "-o", "again.tar", "--locked", "--offline"]).ok();
    assert!(fs::read(desk.path("again.tar")).unwrap() == fs::read(desk.path("x.tar")).unwrap());
    archive.packages.retain(|package| package.name != "evil");
    archive.packages.push(pkg("evil", "4").file("usr/share/evil", 0o644, "better"));
    *served.files.lock().unwrap() = archive.files();
    desk.compose(&ALL).ok();
    assert_eq!(fs::read_to_string(desk.path("rootfs/usr/share/evil")).unwrap(), "better");
}

/// What one package ships below a link of another lands where the link leads inside the image, or nowhere.
#[test]
fn a_link_of_another_package_leads_nowhere_outside() {
    let through = |target: &str| {
        let served = Archive::new(vec![
            pkg("evil", "1").link("usr/share/way", target),
            pkg("victim", "1").file("usr/share/way/note", 0o644, "through the link"),
        ]);
        let served = served.serve();
        let desk = Desk::new(&served, "install = [\"evil\", \"victim\"]", "");
        for folder in ["canary", "etc", "rootfs-beside"] {
            fs::create_dir(desk.path(folder)).unwrap();
            fs::write(desk.path(folder).join("passwd"), "untouched").unwrap();
        }
        let run = desk.compose(&["demo.toml", "-o", "rootfs/", "-o", "x.tar"]);
        for folder in ["canary", "etc", "rootfs-beside"] {
            let inside: Vec<_> = fs::read_dir(desk.path(folder)).unwrap().collect();
            assert_eq!(inside.len(), 1, "{target}");
            assert_eq!(fs::read_to_string(desk.path(folder).join("passwd")).unwrap(), "untouched", "{target}");
        }
        (desk, run)
    };
    let canary = tempfile::tempdir().unwrap();
    let outside = canary.path().to_str().unwrap().to_owned();
    let landed = |path: &str, target: &str| {
        let (desk, run) = through(target);
        run.ok();
        let file = desk.path("rootfs").join(path);
        assert_eq!(fs::read_to_string(&file).unwrap(), "through the link", "{target}");
        assert!(file.symlink_metadata().unwrap().is_file());
    };
    // The kernel's rules inside the image: `..` stops at its root, absolute is its root.
    landed("etc/note", "/etc");
    landed("etc/note", "../../../../../../../../etc");
    landed("usr/note", "..");
    for (target, code) in [("way", 6), ("../../../canary", 6), (outside.as_str(), 6)] {
        let (desk, run) = through(target);
        assert_eq!(run.code, Some(code), "{target}: {}", run.stderr);
        assert!(run.stderr.contains("/usr/share/way") && run.stderr.contains("victim"), "{}", run.stderr);
        assert!(!desk.path("rootfs").exists() && !desk.path("x.tar").exists());
    }
    assert_eq!(fs::read_dir(canary.path()).unwrap().count(), 0);
}

/// Set-id bits and file capabilities are kept to the last byte, and policies see them.
#[test]
fn set_id_bits_and_capabilities_are_kept_and_found() {
    let capability = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x00";
    let data = Tar::new()
        .dir("./usr/")
        .dir("./usr/bin/")
        .raw(EntryType::Regular, b"./usr/bin/su", b"", b"su", |h| h.set_mode(0o6755))
        .pax(&[("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.user.note", b"a=b\nc")])
        .program("./usr/bin/ping", b"ping");
    let served = Archive::new(vec![evil().raw(deb(data))]).serve();
    let desk = Desk::new(&served, "install = [\"evil\"]", "");
    desk.compose(&["demo.toml", "-o", "x.tar", "-o", "oci:layout"]).ok();
    let mut found = Vec::new();
    let mut tar = tar::Archive::new(fs::File::open(desk.path("x.tar")).unwrap());
    for mut entry in tar.entries().unwrap().map(Result::unwrap) {
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some(name) = path.strip_prefix("usr/bin/").or(path.strip_prefix("./usr/bin/")).map(str::to_owned) else {
            continue;
        };
        let mode = entry.header().mode().unwrap();
        // The crate cuts records at newlines: the bytes are looked for as they are.
        let raw = entry.pax_extensions().unwrap().is_some();
        found.push((name, mode, raw));
    }
    found.retain(|(name, ..)| !name.is_empty());
    assert_eq!(found, [("ping".to_owned(), 0o755, true), ("su".to_owned(), 0o6755, false)]);
    let bytes = fs::read(desk.path("x.tar")).unwrap();
    for record in
        [&[&b"SCHILY.xattr.security.capability="[..], capability].concat()[..], b"SCHILY.xattr.user.note=a=b\nc\n"]
    {
        assert_eq!(bytes.windows(record.len()).filter(|window| *window == record).count(), 1);
    }
    // Read back, the layer tells the same.
    let audit = desk.compose(&["audit", "oci:layout"]).stdout + &desk.compose(&["audit", "layout"]).ok().stdout;
    assert!(audit.contains("/usr/bin/su") && audit.contains("/usr/bin/ping"), "{audit}");
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&format!("{manifest}\n[policy]\nforbid = [\"setuid\", \"capabilities\"]\n"));
    let run = desk.compose(&["demo.toml", "-o", "x.tar", "--locked"]);
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    for path in ["/usr/bin/su", "/usr/bin/ping"] {
        assert!(run.stdout.contains(path) || run.stderr.contains(path), "{path}: {}{}", run.stdout, run.stderr);
    }
}

/// `[limits]` and `--limit` say how much is too much, and change no byte.
#[test]
fn limits_of_the_manifest_hold_and_can_be_raised() {
    let big = pkg("evil", "1").file("usr/a", 0o644, vec![b'x'; 2 << 20]).file("usr/b", 0o644, "b");
    let served = Archive::new(vec![big]).serve();
    let desk = Desk::new(&served, "install = [\"evil\"]", "");
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let mut said = String::new();
    for limits in ["unpacked = \"1 MiB\"", "entries = 1", "names = 8", "control = 512"] {
        desk.manifest(&format!("{manifest}\n[limits]\n{limits}\n"));
        let run = desk.refused(5, &served, &["demo.toml", "-o", "x.tar"]);
        let key = limits.split(' ').next().unwrap();
        assert!(run.contains(&format!("(limits.{key})")), "{run}");
        said += &format!("{run}\n");
    }
    insta::assert_snapshot!(said);
    desk.manifest(&manifest);
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    // What was locked without them is not stale with them.
    desk.manifest(&format!("{manifest}\n[limits]\nunpacked = \"3 MiB\"\nentries = 100\n"));
    desk.compose(&["demo.toml", "-o", "y.tar", "--locked"]).ok();
    assert!(fs::read(desk.path("x.tar")).unwrap() == fs::read(desk.path("y.tar")).unwrap());
    let run = desk.compose(&["audit", "x.tar", "--limit", "unpacked=1 MiB"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("(limits.unpacked)") && run.stderr.contains("--limit KEY=VALUE"), "{}", run.stderr);
    desk.compose(&["audit", "x.tar", "--limit", "unpacked=64 GiB"]).ok();
    desk.compose(&["diff", "x.tar", "y.tar", "--limit", "entries=1000"]).ok();
    let run = desk.compose(&["audit", "x.tar", "--limit", "unpackt=1"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean “unpacked”?"), "{}", run.stderr);
}
