//! Outputs on a file system that others change meanwhile, and in places where they do not belong.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use support::{Archive, Desk, Served, pkg, wheel};

/// Many folders, one in the other, and links.
fn desk() -> (Served, Desk) {
    let mut tool = pkg("tool", "1").dir("usr", 0o755).dir("usr/share", 0o755);
    for i in 0..40 {
        let folder = format!("usr/share/folder{i}");
        tool = tool.dir(&folder, 0o755).dir(&format!("{folder}/below"), 0o711);
        tool = tool.file(&format!("{folder}/below/file"), 0o640, format!("content {i}"));
        tool = tool.link(&format!("{folder}/link"), "below/file");
        tool = tool.hard(&format!("{folder}/hard"), &format!("{folder}/below/file"));
    }
    let served = Archive::new(vec![tool]).serve();
    let desk = Desk::new(&served, "install = [\"tool\"]", "");
    desk.compose(&["demo.toml", "-o", "x.tar"]).ok();
    fs::create_dir_all(desk.path("canary/usr/share")).unwrap();
    (served, desk)
}

/// Tells the others to stop, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everything in the canary's folder, whose folders nobody may write to, nor change.
fn untouched(desk: &Desk) {
    let mut paths = vec![desk.path("canary")];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let meta = path.symlink_metadata().unwrap();
        assert!(meta.is_dir() && meta.permissions().mode() & 0o7777 == 0o755, "{}", path.display());
        paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        seen += 1;
    }
    assert_eq!(seen, 3, "something was written through a link");
}

/// Folders of the rootfs in the making, as another process of the same user finds them, become links to the canary's, and
/// folders again, as fast as can be.
fn swap(at: &Path, canary: &Path, swaps: &AtomicUsize) {
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(".compose-tmp-") {
            continue;
        }
        for below in ["usr/share", "usr", "usr/share/folder7", "usr/share/folder30/below"] {
            let (path, away) = (entry.path().join(below), entry.path().join("away"));
            if fs::rename(&path, &away).is_ok() {
                swaps.fetch_add(usize::from(symlink(canary, &path).is_ok()), Ordering::Relaxed);
                thread::yield_now();
                let _ = fs::remove_file(&path);
                let _ = fs::rename(&away, &path);
            }
        }
    }
}

#[test]
fn links_planted_while_it_is_written_lead_nowhere() {
    let (_served, desk) = desk();
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut fine, mut failed) = (0, 0);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap(desk.dir.path(), &desk.path("canary/usr"), &swaps);
            }
        });
        for _ in 0..30 {
            let run = desk.compose(&["demo.toml", "-o", "rootfs/", "--force"]);
            match run.code {
                Some(0) => fine += 1,
                Some(8) => failed += 1,
                _ => panic!("{:?}: {}", run.code, run.stderr),
            }
            assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            untouched(&desk);
        }
    });
    eprintln!("{} links were planted; {fine} runs went well, {failed} failed", swaps.load(Ordering::Relaxed));
    assert!(swaps.load(Ordering::Relaxed) > 10);
}

/// The folder that outputs go into, and the output itself, are links to elsewhere now and then.
#[test]
fn a_folder_that_becomes_a_link_while_it_is_written_leads_nowhere() {
    let (_served, desk) = desk();
    fs::create_dir(desk.path("out")).unwrap();
    let (stop, swaps, link) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(()));
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let (out, away, canary) = (desk.path("out"), desk.path("away"), desk.path("canary"));
            while !stop.load(Ordering::Relaxed) {
                // Only while it is written to: what it is when a run begins is the user's word.
                let held = link.lock();
                let is_at_it = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".compose-tmp-");
                if fs::read_dir(&out).into_iter().flatten().flatten().any(is_at_it) {
                    fs::rename(&out, &away).unwrap();
                    symlink(&canary, &out).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                    for _ in 0..200 {
                        thread::yield_now();
                    }
                    fs::remove_file(&out).unwrap();
                    fs::rename(&away, &out).unwrap();
                }
                drop(held);
                thread::sleep(Duration::from_micros(100));
            }
        });
        for _ in 0..15 {
            for output in ["out/rootfs/", "oci:out/layout"] {
                let run = desk.compose(&["demo.toml", "-o", output, "--force"]);
                assert!(matches!(run.code, Some(0 | 8)), "{}", run.stderr);
                assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
                // It is a folder again.
                let _held = link.lock();
                untouched(&desk);
                let names = fs::read_dir(desk.path("out")).unwrap().map(|entry| entry.unwrap().file_name());
                let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
                assert!(left.is_empty(), "{left:?}: {}", run.stderr);
            }
        }
    });
    assert!(swaps.load(Ordering::Relaxed) > 5);
}

/// Someone who looks all the while sees the old content or the new one, and all of it.
#[test]
fn a_directory_is_replaced_in_one_step() {
    let (_served, desk) = desk();
    let manifest = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let variant = |n: usize| {
        let files = format!(
            "[[files]]\npath = \"/first\"\ncontent = \"{n}\"\n[[files]]\npath = \"/usr/last\"\ncontent = \"{n}\"\n"
        );
        desk.manifest(&format!("{manifest}\n{files}"));
        desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
    };
    variant(0);
    let (stop, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Through the directory as it was found, so that both are of the same one.
                let dir = fs::File::open(desk.path("rootfs")).expect("it is always there");
                let held = |name: &str| {
                    use std::{io::Read as _, os::fd::AsFd as _};
                    let flags = rustix::fs::OFlags::RDONLY;
                    let file = rustix::fs::openat(dir.as_fd(), name, flags, rustix::fs::Mode::empty());
                    let mut text = String::new();
                    // Gone again: it was replaced after it was opened, and is being removed.
                    file.ok().map(|file| fs::File::from(file).read_to_string(&mut text).map(|_| text))
                };
                if let (Some(first), Some(last)) = (held("first"), held("usr/last")) {
                    assert_eq!(first.unwrap(), last.unwrap());
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        (1..12).for_each(variant);
    });
    assert!(looks.load(Ordering::Relaxed) > 50);
    assert_eq!(fs::read_to_string(desk.path("rootfs/first")).unwrap(), "11");
    // What somebody put there is not compose's to replace, but by leave.
    fs::write(desk.path("rootfs/mine"), "mine").unwrap();
    let run = desk.compose(&["demo.toml", "-o", "rootfs/"]);
    assert_eq!((run.code, fs::read_to_string(desk.path("rootfs/mine")).unwrap().as_str()), (Some(8), "mine"));
    assert!(run.stderr.contains("use --force"), "{}", run.stderr);
    desk.compose(&["demo.toml", "-o", "rootfs/", "--force"]).ok();
    assert!(!desk.path("rootfs/mine").exists());
}

#[test]
fn what_stands_at_an_output_s_place_is_replaced_or_told() {
    let (_served, desk) = desk();
    let path = |name: &str| desk.path(name);
    fs::write(path("precious"), "mine").unwrap();
    fs::create_dir(path("empty")).unwrap();
    for (link, target) in [
        ("to-file.tar", "precious"),
        ("to-nothing.tar", "nothing"),
        ("to-null.tar", "/dev/null"),
        ("to-stdout.tar", "/dev/stdout"),
        ("to-itself.tar", "to-itself.tar"),
        ("to-folder", "empty"),
        ("here", "."),
    ] {
        symlink(target, path(link)).unwrap();
    }
    let made = Command::new("mkfifo").arg(path("pipe.tar")).status().unwrap();
    assert!(made.success());
    let cases: &[(&[&str], i32, &str)] = &[
        // As mv does: the link goes, what it leads to stays.
        (&["to-file.tar"], 0, ""),
        (&["to-nothing.tar"], 0, ""),
        (&["to-itself.tar"], 0, ""),
        (&["to-null.tar"], 8, "to-null.tar is there already and is a device, pipe or socket"),
        (&["to-stdout.tar"], 8, "to-stdout.tar is there already and is "),
        (&["pipe.tar"], 8, "pipe.tar is there already and is a device, pipe or socket"),
        // A directory that is linked to is replaced itself, where it is.
        (&["to-folder/"], 0, ""),
        (&["oci:/dev/null"], 8, "/dev/null is there already and is not a directory"),
        (&["/dev/null"], 2, "is not an output that compose knows"),
        (&["/dev/stdout"], 2, "is not an output that compose knows"),
        (&["-"], 2, "is not an output that compose knows"),
        (&["/proc/x.tar"], 8, "cannot create /proc/x.tar"),
        (&["missing/x.tar"], 8, "the directory missing does not exist; make it first"),
        // The same place in other words.
        (&["y.tar", "y.tar"], 2, "y.tar is asked for twice"),
        (&["y.tar", "./y.tar"], 2, "./y.tar is asked for twice"),
        (&["y.tar", "empty/../y.tar"], 2, "y.tar is asked for twice"),
        (&["y.tar", "here/y.tar"], 2, "here/y.tar is asked for twice"),
        (&["r/", "oci:r"], 2, "r is asked for twice"),
        (&["canary/", "here/canary/y.tar"], 2, "here/canary/y.tar would lie inside canary/"),
        (&["./", "y.tar"], 2, "inside"),
        // The cache is no place, nor what is around it.
        (&["cache/y.tar"], 2, "cache/y.tar cannot be an output: the cache is at "),
        (&["cache/debs/"], 2, "cannot be an output"),
        (&["cache/"], 2, "cannot be an output"),
        (&["oci:cache/tmp"], 2, "cannot be an output"),
        (&["here/cache/y.tar"], 2, "cannot be an output"),
        (&["./"], 2, "cannot be an output"),
    ];
    for (outputs, code, words) in cases {
        let mut args = vec!["demo.toml", "--force"];
        args.extend(outputs.iter().flat_map(|output| ["-o", output]));
        let run = desk.compose(&args);
        assert_eq!(run.code, Some(*code), "{outputs:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{outputs:?}: {}", run.stderr);
        assert!(!desk.left().iter().any(|name| name.starts_with(".compose") || name.starts_with('y')), "{outputs:?}");
    }
    untouched(&desk);
    assert_eq!(fs::read_to_string(path("precious")).unwrap(), "mine");
    assert!(!path("nothing").exists() && path("to-file.tar").symlink_metadata().unwrap().is_file());
    assert!(path("pipe.tar").symlink_metadata().unwrap().file_type().is_fifo());
    assert!(path("to-folder").is_symlink() && path("empty/usr/share/folder7").is_dir());
    desk.compose(&["cache", "verify"]).ok();
}

/// In the end everyone may read what the umask lets them, and what is in the image says; nobody before.
#[test]
fn modes_are_the_image_s_and_the_umask_s() {
    let (_served, desk) = desk();
    for (umask, folder) in [("022", 0o755), ("027", 0o750), ("077", 0o700)] {
        let compose = desk.command(&[]);
        let mut shell = Command::new("sh");
        let script = format!("umask {umask}; exec \"$1\" demo.toml -o rootfs/ -o oci:layout -o x.tar --force");
        shell.args(["-c", &script, "sh"]).arg(compose.get_program()).current_dir(desk.dir.path());
        shell.envs(compose.get_envs().filter_map(|(key, value)| Some((key, value?))));
        desk.run(&mut shell).ok();
        let mode = |name: &str| desk.path(name).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("layout"), mode("layout/blobs")), (folder, folder), "{umask}");
        assert_eq!((mode("layout/index.json"), mode("x.tar")), (folder & 0o666, folder & 0o666), "{umask}");
        let below = "rootfs/usr/share/folder7/below";
        assert_eq!((mode("rootfs"), mode(below), mode(&format!("{below}/file"))), (0o755, 0o711, 0o640), "{umask}");
    }
}

/// `--force` or not: what the image is made of is no place for it.
#[test]
fn what_the_image_is_made_of_is_never_replaced() {
    let served = Archive::new(vec![pkg("one", "1").file("usr/one", 0o644, b"1")]).serve();
    let desk = Desk::new(&served, "install = [\"one\"]", "[[files]]\npath = \"/app\"\nsource = \"app\"\n");
    fs::create_dir(desk.path("app")).unwrap();
    fs::write(desk.path("app/main.py"), "1").unwrap();
    desk.compose(&["demo.toml", "-o", "rootfs/"]).ok();
    let at = desk.dir.path().to_str().unwrap().to_owned();
    for output in [format!("{at}/"), "app/".into(), "oci:app".into(), "snapshots/".into(), "oci:snapshots".into()] {
        let run = desk.compose(&["demo.toml", "-o", &output, "--force"]);
        assert_eq!(run.code, Some(2), "{output}: {}", run.stderr);
        assert!(
            run.stderr.starts_with("error[E0826 output-over-input]") || run.stderr.contains("E0824"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(desk.left(), ["app", "rootfs", "snapshots"]);
    assert_eq!(fs::read_to_string(desk.path("app/main.py")).unwrap(), "1");
    // Somebody's own file in a rootfs of compose's, however deep: it is not taken away.
    fs::write(desk.path("rootfs/usr/mine"), "").unwrap();
    let run = desk.compose(&["demo.toml", "-o", "rootfs/"]);
    assert_eq!(run.code, Some(8), "{}", run.stderr);
    assert!(run.stderr.starts_with("error[E0815 output-occupied]"), "{}", run.stderr);
    assert!(desk.path("rootfs/usr/mine").exists());
}

/// The same of everything else that a manifest names, or that is named by what it names.
#[test]
fn what_a_manifest_names_is_never_replaced() {
    let served = Archive::new(vec![pkg("one", "1")]).serve();
    let desk = Desk::new(&served, "install = [\"one\"]", "");
    let at = desk.dir.path().to_str().unwrap().to_owned();
    let made = wheel::wheel("demo", "1", "py3-none-any", &[("demo.py", b"")]);
    let rows = [
        ("bases/base.toml", "[image]\ncmd = [\"x\"]\n".as_bytes(), "extends = \"bases/base.toml\"\n", ""),
        ("bases/far.toml", b"", "extends = \"near.toml\"\n", ""),
        ("wheels/demo-1-py3-none-any.whl", &made, "", "[python]\nwheels = [\"wheels/*.whl\"]\n"),
        ("application/requirements.txt", b"", "", "[python]\nlock = \"application/requirements.txt\"\n"),
        ("named/x-1-py3-none-any.whl", b"", "", "[python]\nlock = \"pylock.toml\"\n"),
        (
            "parts/part.tar",
            b"",
            "",
            "[[tarballs]]\nsource = \"parts/part.tar\"\npath = \"/opt\"\nsha256 = \"SHA256\"\n",
        ),
        ("keys/key.asc", served.key.as_bytes(), "", ""),
        (
            "archive/dists/x",
            b"",
            "",
            "[[repositories]]\nname = \"b\"\nuris = [\"file:HERE/archive\"]\nsuites = [\"s\"]\ncomponents = [\"main\"]\ntrusted = true\n",
        ),
    ];
    fs::write(desk.path("near.toml"), "extends = \"bases/far.toml\"\n").unwrap();
    let pin = format!(
        "[[packages]]\nname = \"x\"\nversion = \"1\"\n[[packages.wheels]]\npath = \"named/x-1-py3-none-any.whl\"\nhashes = {{ sha256 = \"{}\" }}\n",
        "0".repeat(64)
    );
    fs::write(desk.path("pylock.toml"), format!("lock-version = \"1.0\"\ncreated-by = \"test\"\n{pin}")).unwrap();
    let text = fs::read_to_string(desk.path("demo.toml")).unwrap();
    let before = desk.left();
    for (file, bytes, first, last) in rows {
        let folder = file.split('/').next().unwrap();
        let path = desk.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let key = if folder == "keys" { "keys/key.asc" } else { "key.asc" };
        let last = last.replace("HERE", &at).replace("SHA256", &"0".repeat(64));
        desk.manifest(&format!("{first}{}{last}", text.replace("key.asc", key)));
        let itself = Some(file).filter(|file| file.ends_with(".tar")).map(str::to_owned);
        for output in [format!("{folder}/"), format!("oci:{folder}")].into_iter().chain(itself) {
            let run = desk.compose(&["demo.toml", "-o", &output, "--force"]);
            assert_eq!(run.code, Some(2), "{output}: {}", run.stderr);
            assert!(run.stderr.starts_with("error[E0826 output-over-input]"), "{output}: {}", run.stderr);
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::remove_dir_all(desk.path(folder)).unwrap();
    }
    desk.manifest(&text);
    desk.compose(&["lock", "demo.toml"]).ok();
    for args in [["lock", "demo.toml", "--proof", "demo.toml"], ["graph", "demo.toml", "--html", "demo.toml"]] {
        let run = desk.compose(&args);
        assert!(run.code == Some(2) && run.stderr.starts_with("error[E0826"), "{}", run.stderr);
    }
    fs::remove_dir_all(desk.path("snapshots")).unwrap();
    assert_eq!(fs::read_to_string(desk.path("demo.toml")).unwrap(), text);
    assert_eq!(desk.left(), before);
}

/// Nor is anything in a folder that goes into the image, or what a link leads to; and nothing is lost by other ways of writing.
#[test]
fn what_is_in_a_source_or_behind_a_link_is_not_replaced_either() {
    let served = Archive::new(vec![pkg("one", "1").file("usr/one", 0o644, b"1")]).serve();
    let rest = "[[files]]\npath = \"/app\"\nsource = \"app\"\n[[files]]\npath = \"/linked\"\nsource = \"link.tar\"\n";
    let desk = Desk::new(&served, "install = [\"one\"]", rest);
    fs::create_dir_all(desk.path("app/sub")).unwrap();
    fs::create_dir(desk.path("data")).unwrap();
    for file in ["app/data.tar", "app/sub/a", "data/real.tar"] {
        fs::write(desk.path(file), "mine").unwrap();
    }
    symlink("data/real.tar", desk.path("link.tar")).unwrap();
    let here = desk.dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    let (up, down) = (format!("../{here}/./app/"), format!("../{here}/app/sub/../data.tar"));
    let demo = "demo.toml";
    let refused = |args: &[&str]| {
        let run = desk.compose(args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error[E0826 output-over-input]"), "{args:?}: {}", run.stderr);
    };
    // The lock is not there yet, and its place is its own.
    refused(&[demo, "-o", "snapshots/"]);
    desk.compose(&["lock", demo]).ok();
    let rows: [&[&str]; 12] = [
        &["vendor", demo, "app", "--force"],
        &["vendor", demo, "snapshots", "--force"],
        &["vendor", demo, "data", "--force"],
        &[demo, "-o", "app/data.tar"],
        &[demo, "-o", &down],
        &[demo, "-o", &up, "--force"],
        &[demo, "-o", "app/sub/", "--force"],
        &[demo, "-o", "oci:app/sub", "--force"],
        &[demo, "-o", "link.tar"],
        &[demo, "-o", "data/real.tar"],
        &["graph", demo, "--html", "app/data.tar"],
        &["lock", demo, "--proof", "app/sub/a"],
    ];
    rows.into_iter().for_each(refused);
    for file in ["app/data.tar", "app/sub/a", "data/real.tar", "link.tar"] {
        assert_eq!(fs::read_to_string(desk.path(file)).unwrap(), "mine", "{file}");
    }
    assert!(desk.path("link.tar").is_symlink());
    // A folder that is mounted elsewhere is the same one.
    fs::create_dir(desk.path("mount")).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount --bind app mount && exec \"$0\" demo.toml -o mount/sub/ --force";
    command.args(["-m", "--", "sh", "-c", script]).arg(desk.command(&[]).get_program());
    command
        .current_dir(desk.dir.path())
        .envs(desk.command(&[]).get_envs().filter_map(|(key, value)| Some((key, value?))));
    let run = desk.run(&mut command);
    match run.stderr.contains("error[E0826") {
        true => assert_eq!(run.code, Some(2)),
        false if run.code == Some(1) || run.code == Some(32) => eprintln!("skipped: no mounts here: {}", run.stderr),
        false => panic!("{}", run.stderr),
    }
    assert_eq!(fs::read_to_string(desk.path("app/sub/a")).unwrap(), "mine");
    // What is new takes nothing away.
    desk.compose(&[demo, "-o", "app/new.tar", "-o", "data/new/"]).ok();
    // A lock whose place is that of something else.
    let text = fs::read_to_string(desk.path(demo)).unwrap();
    fs::write(desk.path("snapshots/mine.lock"), "mine").unwrap();
    desk.manifest(
        &text
            .replace("name = \"demo\"", "name = \"mine\"")
            .replace("source = \"app\"", "source = \"snapshots/mine.lock\""),
    );
    refused(&["lock", demo]);
    refused(&[demo, "--update"]);
    assert_eq!(fs::read_to_string(desk.path("snapshots/mine.lock")).unwrap(), "mine");
}
