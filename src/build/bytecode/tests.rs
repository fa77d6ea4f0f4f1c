//! With this machine's own interpreter, as for an image of another architecture; without one the tests say so.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fs, sync::Arc};

use super::*;

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn wheel(name: &str) -> Origin {
    Origin::Wheel(name.into())
}

/// A version of Python that this machine has, as if an image had it.
fn interpreter() -> Option<Interpreter> {
    let found = [13, 14, 12, 11, 10, 9]
        .map(|minor| Interpreter { path: path(&format!("usr/bin/python3.{minor}")), minor: (3, minor) })
        .into_iter()
        .find(|interpreter| launch::find_machines(interpreter).is_some());
    if found.is_none() {
        eprintln!("skipped: no Python on this machine");
    }
    found
}

/// A tree with the interpreter's path, and these files.
fn tree(interpreter: &Interpreter, files: &[(&str, &str, Origin)]) -> Tree {
    let mut tree = Tree::new(1_700_000_000);
    let python = Origin::Package("python3-minimal".parse().unwrap());
    tree.insert_file(interpreter.path.clone(), 0o755, *b"\x7fELF", python).unwrap();
    for (at, text, origin) in files {
        let at = at.replace("{}", &format!("python3.{}", interpreter.minor.1));
        tree.insert_file(path(&at), 0o644, text.as_bytes(), origin.clone()).unwrap();
    }
    tree
}

fn add(tree: &mut Tree, at: &str, kind: Kind, origin: Origin) {
    let node = Node { meta: Meta::root(0o644, 77), kind, origin, ready: None };
    tree.insert(path(at), node).unwrap();
}

fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(folder.path()).unwrap(), folder)
}

/// As for an architecture that this machine cannot run.
fn foreign(tree: &mut Tree, interpreter: &Interpreter, store: &Store) -> Result<Report, BytecodeError> {
    compile_by(tree, interpreter, store, &Silent, false, Arch::S390x)
}

fn pycs(tree: &Tree) -> BTreeMap<String, Vec<u8>> {
    let is_pyc = |path: &RootPath| path.file_name().ends_with(b".pyc");
    let found = tree.iter().filter(|(path, _)| is_pyc(path));
    found.map(|(path, _)| (path.to_string(), tree.read(path).unwrap().unwrap())).collect()
}

#[test]
fn what_is_compiled_and_what_is_not() {
    let interpreter = Interpreter { path: path("usr/bin/python3.13"), minor: (3, 13) };
    let stdlib = || Origin::Package("libpython3.13-stdlib".parse().unwrap());
    let long = format!("app/{}.py", "x".repeat(245));
    let mut tree = tree(
        &interpreter,
        &[
            ("usr/lib/python3.13/os.py", "", stdlib()),
            ("usr/lib/python3.13/json/tool.py", "", stdlib()),
            ("usr/lib/python3.12/os.py", "", stdlib()),
            ("usr/lib/python3.13/data.txt", "", stdlib()),
            ("usr/lib/python3.13/.py", "", stdlib()),
            ("usr/lib/python3.13/kept.py", "", stdlib()),
            ("usr/lib/python3.13/__pycache__/kept.cpython-313.pyc", "mine", stdlib()),
            ("usr/lib/python3/dist-packages/six.py", "", Origin::Package("python3-six".parse().unwrap())),
            ("usr/local/lib/python3.13/dist-packages/a/__init__.py", "", wheel("a")),
            ("usr/local/lib/python3.13/site-packages/b.c.py", "", wheel("b")),
            ("usr/share/gdb/x.py", "", Origin::Package("gdb".parse().unwrap())),
            ("app/main.py", "", Origin::Manifest),
            ("app/script", "", Origin::Manifest),
            (&long, "", Origin::Manifest),
        ],
    );
    add(&mut tree, "usr/lib/python3.13/sitecustomize.py", Kind::Symlink((*b"os.py").into()), stdlib());
    add(&mut tree, "usr/lib/python3.13/posix.py", Kind::Hardlink(path("usr/lib/python3.13/os.py")), stdlib());
    add(&mut tree, "usr/lib/python3.13/dir.py", Kind::Dir, stdlib());
    let found = |tree: &Tree, interpreter: &Interpreter| -> Vec<String> {
        let groups = modules::find(tree, interpreter);
        groups.values().flatten().map(|module| format!("{} {}", module.pyc, module.mtime)).collect()
    };
    assert_eq!(
        found(&tree, &interpreter),
        [
            "/usr/lib/python3.13/json/__pycache__/tool.cpython-313.pyc 1700000000",
            "/usr/lib/python3.13/__pycache__/os.cpython-313.pyc 1700000000",
            "/usr/lib/python3.13/__pycache__/posix.cpython-313.pyc 77",
            "/usr/lib/python3/dist-packages/__pycache__/six.cpython-313.pyc 1700000000",
            "/usr/local/lib/python3.13/dist-packages/a/__pycache__/__init__.cpython-313.pyc 1700000000",
            "/usr/local/lib/python3.13/site-packages/__pycache__/b.c.cpython-313.pyc 1700000000",
            "/app/__pycache__/main.cpython-313.pyc 1700000000",
        ]
    );
    // Another prefix: Debian's modules are not on its path.
    let tarball = Interpreter { path: path("opt/python/bin/python3"), minor: (3, 12) };
    for at in ["opt/python/lib/python3.12/os.py", "opt/python/lib/python3.12/site-packages/pip/main.py"] {
        tree.insert_file(path(at), 0o644, *b"", Origin::Tarball("p.tar".into())).unwrap();
    }
    let found = found(&tree, &tarball);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|line| line.starts_with("/opt/python/") || line.starts_with("/app/")), "{found:?}");
}

#[test]
fn the_identity_is_that_of_the_interpreter_alone() {
    let interpreter = Interpreter { path: path("usr/bin/python3"), minor: (3, 13) };
    let package = |name: &str| Origin::Package(name.parse().unwrap());
    let files = |binary: &'static str, os: &'static str, other: &'static str, lib: &'static str| {
        let mut tree = Tree::new(1);
        for (at, text, origin) in [
            ("usr/bin/python3.13", binary, package("python3.13-minimal")),
            ("usr/lib/libpython3.13.so.1.0", lib, package("python3.13-minimal")),
            ("usr/lib/python3.13/os.py", os, package("libpython3.13-minimal")),
            ("usr/share/doc/python3.13-minimal/copyright", other, package("python3.13-minimal")),
            ("usr/lib/libz.so.1", other, package("zlib1g")),
            ("usr/local/lib/python3.13/dist-packages/a.py", other, wheel("a")),
            ("app/main.py", other, Origin::Manifest),
        ] {
            tree.insert_file(path(at), 0o644, text.as_bytes(), origin).unwrap();
        }
        tree.insert_link(path("usr/bin/python3"), b"python3.13", package("python3-minimal")).unwrap();
        modules::identity(&tree, &interpreter).unwrap()
    };
    let first = files("elf", "os", "other", "lib");
    assert_eq!(first, files("elf", "os", "changed", "lib"));
    for other in [files("ELF", "os", "", "lib"), files("elf", "OS", "", "lib"), files("elf", "os", "", "LIB")] {
        assert_ne!(first, other);
    }
}

#[test]
fn only_what_the_interpreter_needs_is_laid_out() {
    let interpreter = Interpreter { path: path("usr/bin/python3"), minor: (3, 13) };
    let mut tree = Tree::new(1);
    let package = || Origin::Package("p".parse().unwrap());
    for at in [
        "usr/bin/python3.13",
        "usr/bin/other",
        "usr/lib/python3.13/os.py",
        "usr/lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so",
        "usr/lib/python3.13/dist-packages/x.so",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "etc/ld.so.cache",
        "etc/shadow",
        "app/data",
    ] {
        tree.insert_file(path(at), 0o600, *b"x", package()).unwrap();
    }
    tree.insert_link(path("usr/bin/python3"), b"python3.13", package()).unwrap();
    tree.insert_link(path("lib"), b"usr/lib", package()).unwrap();
    add(&mut tree, "usr/lib/libhard.so", Kind::Hardlink(path("usr/lib/x86_64-linux-gnu/libc.so.6")), package());
    let small = modules::runtime(&tree, &interpreter).unwrap();
    let shown: Vec<_> = small
        .iter()
        .filter(|(_, node)| !matches!(node.kind, Kind::Dir))
        .map(|(path, node)| format!("{path} {:o} {}", node.meta.mode, matches!(node.kind, Kind::File(_))))
        .collect();
    assert_eq!(
        shown,
        [
            "/etc/ld.so.cache 755 true",
            "/lib 777 false",
            "/usr/bin/python3 777 false",
            "/usr/bin/python3.13 755 true",
            "/usr/lib/libhard.so 755 true",
            "/usr/lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so 755 true",
            "/usr/lib/python3.13/os.py 755 true",
            "/usr/lib/x86_64-linux-gnu/libc.so.6 755 true",
        ]
    );
}

const SOURCES: &[(&str, &str)] = &[
    ("usr/lib/{}/one.py", "import os\ndef f(a, *, b={1, 'x', (2, 3)}):\n    return a in {'p', 'q', 'r'} or '.'\n"),
    ("usr/lib/{}/two.py", "class C:\n    'doc'\n    x = 3.5, -0.0, 10 ** 30, b'bytes', 'é', None, ...\n"),
    ("usr/lib/{}/old.py", "print 'Python 2'\n"),
    ("usr/lib/{}/template.py", "def {{ name }}(:\n"),
    ("usr/lib/{}/nul.py", "x = 1\0\n"),
    ("usr/lib/{}/cookie.py", "# -*- coding: no-such-codec -*-\n"),
    ("usr/lib/{}/warns.py", "x = '\\d' is 'y'\n"),
    ("usr/lib/{}/empty.py", ""),
    ("usr/local/lib/{}/dist-packages/pkg/__init__.py", "from . import mod\n"),
    ("app/main.py", "if __name__ == '__main__':\n    raise SystemExit('never run')\n"),
];

fn sources() -> Vec<(&'static str, &'static str, Origin)> {
    let origin = |at: &str| match at {
        _ if at.starts_with("app") => Origin::Manifest,
        _ if at.contains("/pkg/") => wheel("pkg"),
        _ => Origin::Package("libpython3-stdlib".parse().unwrap()),
    };
    SOURCES.iter().map(|(at, text)| (*at, *text, origin(at))).collect()
}

#[test]
fn another_machines_modules_are_compiled_by_this_machines_python() {
    let Some(interpreter) = interpreter() else { return };
    let mut first = tree(&interpreter, &sources());
    let (store, folder) = store();
    let report = foreign(&mut first, &interpreter, &store).unwrap();
    let gone: Vec<_> = report.passed_over.iter().map(|path| path.file_name().to_vec()).collect();
    assert_eq!(gone, [&b"cookie.py"[..], b"nul.py", b"old.py", b"template.py"]);
    assert_eq!((report.modules, report.compiled), (6, 10));
    assert!(report.machines.is_some_and(|version| version.starts_with(&format!("3.{}.", interpreter.minor.1))));
    let made = pycs(&first);
    assert_eq!(report.bytes, made.values().map(|pyc| pyc.len() as u64).sum::<u64>());
    let tag = interpreter.cache_tag();
    let at = path(&format!(
        "usr/local/lib/python3.{}/dist-packages/pkg/__pycache__/__init__.{tag}.pyc",
        interpreter.minor.1
    ));
    let node = first.get(&at).unwrap();
    assert_eq!((node.meta.mode, node.meta.mtime, &node.origin), (0o644, 1_700_000_000, &ORIGIN));
    let dir = first.get(&at.parent().unwrap()).unwrap();
    assert_eq!((dir.meta.mode, &dir.origin), (0o755, &ORIGIN));
    // PEP 552: hash-based, unchecked.
    for (name, pyc) in &made {
        assert_eq!(pyc[4..8], [1, 0, 0, 0], "{name}");
    }
    assert!(made.values().any(|pyc| pyc.windows(12).any(|part| part == b"/app/main.py")));
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);

    // Again, from the store.
    let mut again = tree(&interpreter, &sources());
    let warm = foreign(&mut again, &interpreter, &store).unwrap();
    assert_eq!((warm.compiled, warm.modules, warm.bytes), (0, report.modules, report.bytes));
    assert_eq!(pycs(&again), made);
    for key in store.keys(Shelf::Bytecode).unwrap() {
        assert!(is_sound(&store.path(Shelf::Bytecode, &key), &key));
    }
    assert_eq!(store.keys(Shelf::Bytecode).unwrap().len(), 3);

    // One changed: its group alone is compiled anew.
    let mut changed = sources();
    changed.last_mut().unwrap().1 = "x = 2\n";
    let mut third = tree(&interpreter, &changed);
    assert_eq!(foreign(&mut third, &interpreter, &store).unwrap().compiled, 1);
    // A damaged entry is made anew.
    for key in store.keys(Shelf::Bytecode).unwrap() {
        let at = store.path(Shelf::Bytecode, &key);
        let bytes = fs::read(&at).unwrap();
        fs::write(&at, &bytes[1..]).unwrap();
    }
    let mut fourth = tree(&interpreter, &sources());
    assert_eq!(foreign(&mut fourth, &interpreter, &store).unwrap().compiled, 10);
    assert_eq!(pycs(&fourth), made);
    // Nothing is left to do on a tree that has its bytecode.
    let nothing = foreign(&mut fourth, &interpreter, &store).unwrap();
    assert_eq!(nothing.modules, 0);
}

#[test]
fn the_number_of_processes_makes_no_difference() {
    let Some(interpreter) = interpreter() else { return };
    // Modules that use each other's names, so that what one leaves behind would show in the next.
    let many: Vec<(String, String)> = (0..60)
        .map(|i| {
            let names: String =
                (0..40).map(|k| format!("name_{} = 'word{}', {}\n", i * k % 50, i + k, i * 1000 + k)).collect();
            (format!("app/m{i}.py"), names + &"x = {'-', '.', 'word1', (1, 2)}\n".repeat(i % 7))
        })
        .collect();
    let files: Vec<_> = many.iter().map(|(at, text)| (&**at, &**text, Origin::Manifest)).collect();
    let with = |threads: usize| {
        let (store, _folder) = store();
        let mut tree = tree(&interpreter, &files);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| foreign(&mut tree, &interpreter, &store)).unwrap();
        pycs(&tree)
    };
    let one = with(1);
    assert_eq!(one.len(), 60);
    assert!(one == with(4));
    // Each for itself: a process that has seen nothing before.
    let found = launch::find_machines(&interpreter).unwrap();
    for (at, text, _) in files.iter().take(5) {
        let (_, mut worker) = Launch::machines(&interpreter, &found).unwrap();
        let pyc = worker.compile(&path(at), text.as_bytes()).unwrap().unwrap();
        assert!(one.values().any(|other| *other == pyc), "{at}");
    }
}

#[test]
fn what_cannot_be_had_is_told() {
    let interpreter = Interpreter { path: path("usr/bin/python3.13"), minor: (3, 13) };
    let (store, folder) = store();
    let mut none = Tree::new(1);
    let error = foreign(&mut none, &interpreter, &store).unwrap_err();
    insta::assert_snapshot!(error, @"/usr/bin/python3.13 is not in the image, so nothing can compile bytecode for it; install the interpreter, or do without: bytecode = false below [python]");

    let future = Interpreter { path: path("usr/bin/python3.99"), minor: (3, 99) };
    let files = [("app/main.py", "x = 1\n", Origin::Manifest)];
    let error = foreign(&mut tree(&future, &files), &future, &store).unwrap_err();
    insta::assert_snapshot!(error, @"no python3.99 on this machine to compile bytecode for s390x; install python3.99, or do without: bytecode = false below [python]");

    // A tree without modules needs nobody.
    assert_eq!(foreign(&mut tree(&future, &[]), &future, &store).unwrap().modules, 0);

    // An interpreter that is none, in a root of its own.
    let Some(host) = Arch::host() else { return };
    let before = tree(&interpreter, &files);
    let mut tree = before.clone();
    let error = compile(&mut tree, &interpreter, host, &store, &Silent).unwrap_err();
    match error {
        BytecodeError::NoNamespace { .. } | BytecodeError::NoUnshare => eprintln!("skipped: {error}"),
        BytecodeError::Start { said, .. } => assert!(said.contains("failed to execute"), "{said}"),
        other => panic!("{other}"),
    }
    assert_eq!(tree.iter().len(), before.iter().len());
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0, "the root is gone");
    assert_eq!(store.keys(Shelf::Bytecode).unwrap(), []);
}

#[test]
fn a_source_that_changed_meanwhile_is_told() {
    let Some(interpreter) = interpreter() else { return };
    let (store, folder) = store();
    let at = folder.path().join("main.py");
    fs::write(&at, "x = 1\n").unwrap();
    let mut tree = tree(&interpreter, &[]);
    add(&mut tree, "app/main.py", Kind::File(Content::of_file(&at).unwrap()), Origin::Manifest);
    fs::write(&at, "x = 2\n").unwrap();
    let error = foreign(&mut tree, &interpreter, &store).unwrap_err();
    insta::assert_snapshot!(error, @"the source of /app/main.py changed while it was compiled; build again");
    fs::remove_file(&at).unwrap();
    let error = foreign(&mut tree, &interpreter, &store).unwrap_err();
    insta::assert_snapshot!(error, @"cannot read /app/main.py of the image to compile it");
}

#[test]
fn something_in_the_way_of_the_folder_is_told() {
    let Some(interpreter) = interpreter() else { return };
    let (store, _folder) = store();
    let files = [("app/main.py", "x = 1\n", Origin::Manifest), ("app/__pycache__", "", Origin::Manifest)];
    let error = foreign(&mut tree(&interpreter, &files), &interpreter, &store).unwrap_err();
    assert!(error.to_string().starts_with("/app/__pycache__ is not a directory"), "{error}");
}

#[test]
fn entries_are_shared_by_who_brought_them() {
    let Some(interpreter) = interpreter() else { return };
    let (store, _folder) = store();
    let mut tree = tree(&interpreter, &sources());
    foreign(&mut tree, &interpreter, &store).unwrap();
    let mut files: Vec<(Arc<crate::tree::SegmentFile>, RootPath)> = Vec::new();
    for (path, node) in tree.iter().filter(|(_, node)| node.origin == ORIGIN) {
        if let Kind::File(Content::Segment { file, .. }) = &node.kind {
            files.push((Arc::clone(file), path.clone()));
        }
    }
    // Nothing is held in memory.
    assert_eq!(files.len(), 6);
    let keys: std::collections::BTreeSet<_> = files.iter().map(|(file, _)| *file.key().unwrap()).collect();
    assert_eq!(keys.len(), 3);
}
