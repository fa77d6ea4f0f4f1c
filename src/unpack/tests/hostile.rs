//! Packages that would write elsewhere, shadow others or leave something behind: what is refused, and what lands where.

use super::*;

/// What is said of it, or what it becomes.
fn outcome(data: Tar) -> Result<Vec<String>, String> {
    let bench = Bench::new();
    bench.unpack(data, &Filter::nothing()).map(|segment| list(&segment)).map_err(|error| error.to_string())
}

#[test]
fn ways_out_of_the_rootfs_are_refused() {
    let deep = |name: &[u8]| Tar::new().pax(&[("path", name)]).file("x", b"");
    let long = |name: &[u8]| Tar::new().long(name).file("x", b"");
    let path_of = |length: usize| "d/".repeat(length / 2).into_bytes();
    let device = |kind| Tar::new().raw(kind, b"./dev/x", b"", b"", |_| {});
    for (what, data, words) in [
        ("..", Tar::new().file("..", b""), "leads upwards"),
        ("../", Tar::new().dir("../"), "leads upwards"),
        ("a/..", Tar::new().dir("a/.."), "leads upwards"),
        ("/..", Tar::new().file("/../x", b""), "leads upwards"),
        (".. by PAX", deep(b"a/../../x"), "leads upwards"),
        (".. by a long name", long(b"a/../../x"), "leads upwards"),
        ("NUL by PAX", deep(b"a\0/../x"), "NUL"),
        ("NUL by a long name", long(b"a\0b"), "NUL"),
        ("4,096 bytes by PAX", deep(&path_of(4100)), "longer than Linux allows"),
        ("4,096 bytes by a long name", long(&path_of(4100)), "longer than Linux allows"),
        ("a component of 256 by PAX", deep(&[b'n'; 256]), "longer than Linux allows"),
        ("a component of 256 by a long name", long(&[b'n'; 256]), "longer than Linux allows"),
        ("a newline", Tar::new().file("./a\nb", b""), "newline"),
        ("no name, a file", Tar::new().file("", b"x"), "something else than a directory"),
        ("no name, a link", Tar::new().symlink("", "/tmp"), "something else than a directory"),
        ("the root, a link", Tar::new().symlink("././/", "/tmp"), "something else than a directory"),
        ("a slash behind a file with content", Tar::new().file("./a/", b"x"), "has content"),
        // A link, then a file through it: CVE-2022-1664 and every "slip" before it.
        ("through a link", Tar::new().symlink("./d", "/etc").file("./d/x", b""), "below /d"),
        ("through a link up", Tar::new().symlink("./d", "../..").file("./d/x", b""), "below /d"),
        (
            "through a link to a link",
            Tar::new().symlink("./d", "e").symlink("./e", "..").file("./d/x", b""),
            "below /d",
        ),
        ("through a deep link", Tar::new().dir("a").symlink("a/l", "..").file("a/l/b/c/d", b""), "below /a/l"),
        ("a directory through a link", Tar::new().symlink("./d", "/etc").dir("./d/x/"), "below /d"),
        ("a link through a link", Tar::new().symlink("./d", "/etc").symlink("./d/x", "y"), "below /d"),
        ("a hard link through a link", Tar::new().file("f", b"").symlink("d", "/").hardlink("d/x", "f"), "below /d"),
        ("through a link that comes later", Tar::new().dir("d").file("d/x", b"").symlink("d", "/etc"), "twice"),
        ("a directory over a link", Tar::new().symlink("d", "/etc").dir("d").file("d/x", b""), "ships /d twice"),
        ("a link over a directory", Tar::new().dir("d").symlink("d", "/etc"), "ships /d twice"),
        ("a link over a link", Tar::new().symlink("d", "a").symlink("d", "b"), "ships /d twice"),
        ("a file over a link", Tar::new().symlink("d", "/etc/passwd").file("d", b"x"), "ships /d twice"),
        ("other spellings", Tar::new().symlink("./d", "/etc").file(".//./d/././x", b""), "below /d"),
        // Merged-/usr gives each of these two names.
        ("alias, a file", Tar::new().file("bin/x", b"1").file("usr/bin/x", b"2"), "ships /usr/bin/x twice"),
        ("alias, a link below", Tar::new().symlink("lib/d", "/etc").file("usr/lib/d/x", b""), "below /usr/lib/d"),
        ("alias, its target", Tar::new().symlink("usr/lib", "/etc").file("lib/x", b""), "below /usr/lib"),
        ("alias elsewhere", Tar::new().symlink("bin", "usr/lib"), "something else than a directory"),
        ("alias upwards", Tar::new().symlink("bin", "../usr/sbin"), "something else than a directory"),
        // Hard links: dpkg makes them with the paths as they are.
        ("hard link ..", Tar::new().hardlink("h", "../x"), "leads upwards"),
        ("hard link outside", Tar::new().hardlink("h", "/etc/passwd"), "not an earlier regular file"),
        ("hard link to nothing", Tar::new().hardlink("h", "no"), "not an earlier regular file"),
        ("hard link to itself", Tar::new().hardlink("h", "h"), "not an earlier regular file"),
        ("hard link to its own other name", Tar::new().hardlink("bin/h", "usr/bin/h"), "not an earlier regular file"),
        ("hard link to what comes later", Tar::new().hardlink("h", "f").file("f", b""), "not an earlier regular file"),
        ("hard link to a link", Tar::new().symlink("l", "/etc").hardlink("h", "l"), "not an earlier regular file"),
        ("hard link through a link", Tar::new().symlink("l", "/etc").hardlink("h", "l/passwd"), "not an earlier"),
        ("hard link to a directory", Tar::new().dir("d").hardlink("h", "d"), "not an earlier regular file"),
        ("hard link to the root", Tar::new().hardlink("h", "."), "not an earlier regular file"),
        ("hard link to NUL", Tar::new().pax(&[("linkpath", b"f\0")]).hardlink("h", "x"), "malformed target"),
        ("hard link over a file", Tar::new().file("f", b"").file("g", b"").hardlink("g", "f"), "ships /g twice"),
        ("a character device", device(EntryType::Char), "a character device"),
        ("a block device", device(EntryType::Block), "a block device"),
        ("a FIFO", device(EntryType::Fifo), "a FIFO"),
        (
            "a device over a file",
            Tar::new().file("./dev/x", b"").bytes(&device(EntryType::Char).0),
            "a character device",
        ),
        ("a link of 4,096 bytes", Tar::new().pax(&[("linkpath", &[b'n'; 4096])]).symlink("l", "x"), "malformed target"),
    ] {
        let error = outcome(data).expect_err(what);
        assert!(error.contains(words), "{what}: {error}");
        assert!(error.contains("cannot unpack demo (") && error.contains("; "), "{what}: {error}");
        assert!(!error.chars().any(char::is_control), "{what}: {error:?}");
    }
}

/// Odd, and sound: what Linux allows and dpkg takes.
#[test]
fn what_is_merely_odd_lands_inside() {
    let exact = "d/".repeat(2047);
    let component = "n".repeat(255);
    for (what, data, wanted) in [
        ("an absolute name", Tar::new().file("//etc/./x", b"1"), vec!["f /etc/x 1"]),
        ("no name, a directory", Tar::new().dir(""), vec![]),
        ("links in a circle", Tar::new().symlink("a", "b").symlink("b", "a"), vec!["l /a b", "l /b a"]),
        ("a link to itself", Tar::new().symlink("a", "a"), vec!["l /a a"]),
        ("links that lead out", Tar::new().symlink("a", "/").symlink("b", "../.."), vec!["l /a /", "l /b ../.."]),
        (
            "bytes that are no text",
            Tar::new().raw(EntryType::Regular, b"\xff\x80", b"", b"", |_| {}),
            vec!["f /\\xff\\x80 "],
        ),
        ("what a terminal obeys", Tar::new().file("\x1b[2J\t", b""), vec!["f /\\x1b[2J\\t "]),
        ("a link with a slash", Tar::new().symlink("a/", "b"), vec!["l /a b"]),
        ("a directory twice", Tar::new().dir("a").dir("./a/").dir("/a//"), vec!["d /a"]),
        ("case", Tar::new().file("a", b"1").file("A", b"2"), vec!["f /A 2", "f /a 1"]),
        ("dots", Tar::new().file("...", b"1").file("..a", b"2"), vec!["f /... 1", "f /..a 2"]),
        ("a whiteout's name", Tar::new().file(".wh.a", b"").file("a", b"1"), vec!["f /.wh.a ", "f /a 1"]),
        (
            "a hard link of a hard link",
            Tar::new().file("a", b"1").hardlink("b", "a").hardlink("c", "b"),
            vec!["f /a 1", "h /b /a", "h /c /a"],
        ),
        (
            "a hard link by another name",
            Tar::new().file("lib/a", b"1").hardlink("b", "/usr/lib/./a"),
            vec!["f /b 1", "h /usr/lib/a /b"],
        ),
    ] {
        assert_eq!(outcome(data).expect(what), wanted, "{what}");
    }
    for (what, name) in [("4,093 bytes", &exact[..4093]), ("a component of 255", &component)] {
        for tar in [Tar::new().pax(&[("path", name.as_bytes())]), Tar::new().long(name.as_bytes())] {
            assert_eq!(outcome(tar.file("x", b"1")).expect(what), [format!("f /{name} 1")], "{what}");
        }
    }
}

/// CVE-2025-6297: what a package says of its folders' modes must not hinder whoever tidies up.
#[test]
fn modes_of_a_package_close_nothing_here() {
    let bench = Bench::new();
    let closed = |tar: Tar, name: &str| tar.raw(EntryType::Directory, name.as_bytes(), b"", b"", |h| h.set_mode(0));
    let data =
        closed(closed(Tar::new(), "./a/"), "./a/b/")
            .raw(EntryType::Regular, b"./a/b/f", b"", &vec![1; 9 << 20], |h| h.set_mode(0));
    let control = closed(control(), "./locked/").file("./locked/x", &vec![0; 1 << 20]).end();
    let pack = |data: Tar| ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data.end())]);
    let good = bench.item(&pack(data.clone()));
    let segment = segment(&bench.store, &good, &Filter::nothing(), &Limits::default()).unwrap();
    assert_eq!(segment.entries.iter().map(|entry| entry.meta.mode).collect::<Vec<_>>(), [0, 0, 0]);
    drop(segment);
    let bad = bench.item(&pack(data.file("./a/../../x", b"")));
    super::segment(&bench.store, &bad, &Filter::nothing(), &Limits::default()).unwrap_err();
    assert_eq!(fs::read_dir(bench.folder.path().join("store/tmp")).unwrap().count(), 0);
    // All of it can be taken away by whoever is not root too.
    let mut todo = vec![bench.folder.path().join("store")];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let info = entry.metadata().unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&info.permissions());
            assert!(!info.is_dir() || mode & 0o700 == 0o700, "{}: {mode:o}", entry.path().display());
            if info.is_dir() {
                todo.push(entry.path());
            }
        }
    }
}

/// A segment belongs to one digest, one filter and one format; a package that fails leaves none, and none is given to
/// a package of another name.
#[test]
fn no_package_poisons_the_segment_of_another() {
    let bench = Bench::new();
    let get = |item: &Item| segment(&bench.store, item, &Filter::nothing(), &Limits::default());
    let good = bench.item(&deb(Tar::new().file("f", b"good")));
    let wanted = whole(&get(&good).unwrap());
    let kept = fs::read(bench.place(&good)).unwrap();
    let bad = bench.item(&deb(Tar::new().file("f", b"good").file("../f", b"")));
    get(&bad).unwrap_err();
    assert!(!bench.place(&bad).exists());
    // The same bytes under another name: not from the store, and not from the file.
    let alias = Item { package: "alias".parse().unwrap(), ..good.clone() };
    assert!(matches!(get(&alias).unwrap_err().fault, UnpackFault::OtherPackage(name) if name == "demo"));
    // Another file under the good one's digest.
    let swapped = Item { deb: bad.deb.clone(), ..good.clone() };
    fs::remove_file(bench.place(&good)).unwrap();
    assert!(matches!(get(&swapped).unwrap_err().fault, UnpackFault::Digest { .. }));
    assert!(!bench.place(&good).exists());
    assert_eq!(whole(&get(&good).unwrap()), wanted);
    assert!(fs::read(bench.place(&good)).unwrap() == kept);
    // Another filter is another key; the limits are none.
    let narrow = filter(&["/f"], &[], &[]);
    assert_ne!(key(&good.sha256, &narrow), key(&good.sha256, &Filter::nothing()));
    assert_eq!(list(&segment(&bench.store, &good, &narrow, &Limits::default()).unwrap()), Vec::<String>::new());
    assert_eq!(whole(&get(&good).unwrap()), wanted);
}

#[test]
fn a_name_that_is_a_path_is_another_package() {
    for name in ["../../x", "/etc/passwd", "demo/../x", "demo\u{1b}[2J", "Demo", ""] {
        let bench = Bench::new();
        let control = Tar::new().file("./control", format!("Package: {name}\nVersion: 1\n").as_bytes()).end();
        let data = Tar::new().end();
        let item = bench.item(&ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]));
        let error = segment(&bench.store, &item, &Filter::nothing(), &Limits::default()).unwrap_err();
        let text = error.to_string();
        let refused = matches!(error.fault, UnpackFault::OtherPackage(_) | UnpackFault::Deb(DebFault::BadControl(_)));
        assert!(refused && !text.chars().any(char::is_control), "{name:?}: {text:?}");
    }
}
