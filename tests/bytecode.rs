//! Bytecode by the composed interpreter itself: the shipped manifest, composed from this machine's Debian mirror, its
//! modules compiled in namespaces, in several ways. Without a mirror, or without namespaces, each test says that it
//! skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use compose::{
    base::{Arch, RootPath, Silent},
    build::bytecode::{self, BytecodeError, Interpreter, Report},
    image,
    store::{Shelf, Store},
    tree::{self, Tree},
};

fn interpreter() -> Interpreter {
    Interpreter { path: RootPath::literal("usr/bin/python3.13"), minor: (3, 13) }
}

/// The composed rootfs: of `COMPOSE_TEST_ROOTFS`, or made once for all tests here.
fn rootfs() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<(PathBuf, Option<tempfile::TempDir>)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if let Some(given) = std::env::var_os("COMPOSE_TEST_ROOTFS") {
            return Some((given.into(), None));
        }
        let dir = tempfile::tempdir().unwrap();
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/python3.toml"), dir.path().join("python3.toml"))
            .unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_compose"))
            .args(["python3.toml", "--arch", "amd64", "-o", "rootfs/"])
            .current_dir(dir.path())
            .env("COMPOSE_CACHE", dir.path().join("cache"))
            .output()
            .unwrap();
        match run.status.code() {
            Some(0) => Some((dir.path().join("rootfs"), Some(dir))),
            // No network is no fault; anything else is.
            Some(4) => None,
            _ => panic!("{}", String::from_utf8_lossy(&run.stderr)),
        }
    });
    if built.is_none() {
        eprintln!("skipped: no Debian mirror can be reached");
    }
    built.as_ref().map(|(path, _)| &**path)
}

fn read(rootfs: &Path) -> Tree {
    tree::from_dir(rootfs, 1_800_000_000).unwrap()
}

/// `None`, and why, where no namespaces can be had or the architecture is another.
fn compiled(rootfs: &Path, threads: usize, cache: &Path) -> Option<(Tree, Report)> {
    let store = Store::open(cache).unwrap();
    let mut tree = read(rootfs);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    match pool.install(|| bytecode::compile(&mut tree, &interpreter(), Arch::Amd64, &store, &Silent)) {
        Ok(report) => Some((tree, report)),
        Err(
            error @ (BytecodeError::NoNamespace { .. } | BytecodeError::NoUnshare | BytecodeError::NoneForArch { .. }),
        ) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn pycs(tree: &Tree) -> BTreeMap<RootPath, Vec<u8>> {
    let found = tree.iter().filter(|(path, _)| path.file_name().ends_with(b".pyc"));
    found.map(|(path, _)| (path.clone(), tree.read(path).unwrap().unwrap())).collect()
}

#[test]
fn the_bytes_are_the_same_however_the_work_is_split() {
    let Some(rootfs) = rootfs() else { return };
    let caches = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let Some((first, report)) = compiled(rootfs, 2, &caches.path().join("a")) else { return };
    let cold = begin.elapsed();
    let begin = Instant::now();
    let (warm, again) = compiled(rootfs, 2, &caches.path().join("a")).unwrap();
    println!("{report:?}\ncold {cold:?}, warm {:?}", begin.elapsed());
    assert!(report.machines.is_some() || report.modules > 450 && report.compiled >= report.modules);
    assert_eq!((again.compiled, again.modules), (0, report.modules));
    let made = pycs(&first);
    assert_eq!(made.len(), report.modules);
    assert!(made == pycs(&warm));
    for threads in [1, 5] {
        let cache = caches.path().join(threads.to_string());
        assert!(made == pycs(&compiled(rootfs, threads, &cache).unwrap().0), "{threads} processes");
        let store = Store::open(&cache).unwrap();
        for key in store.keys(Shelf::Bytecode).unwrap() {
            assert!(bytecode::is_sound(&store.path(Shelf::Bytecode, &key), &key));
        }
        assert_eq!(fs::read_dir(cache.join("tmp")).unwrap().count(), 0, "the interpreter's root is gone");
    }
}

/// Imports of a rootfs in a chroot as uid 65532 with an empty environment, the best of some runs.
fn start(rootfs: &Path, program: &str) -> (Duration, String) {
    let runs = (0..7).map(|_| {
        let begin = Instant::now();
        let run = Command::new("chroot")
            .arg("--userspec=65532:65532")
            .arg(rootfs)
            .args(["/usr/bin/python3", "-I", "-B", "-c", program])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap();
        let took = begin.elapsed();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        (took, String::from_utf8(run.stdout).unwrap())
    });
    runs.min().unwrap()
}

#[test]
fn python_takes_the_bytecode_and_starts_faster() {
    let Some(rootfs) = rootfs() else { return };
    let caches = tempfile::tempdir().unwrap();
    let Some((tree, _)) = compiled(rootfs, 2, caches.path()) else { return };
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: chroot needs root");
        return;
    }
    let out = tempfile::tempdir_in(caches.path()).unwrap();
    image::lay_out(&tree, out.path(), &Silent).unwrap();
    // The import alone, as the interpreter times it, and whether each module came from its pyc.
    let program = "import time; t = time.perf_counter(); import asyncio, ssl, sqlite3, json; t = time.perf_counter() - t; \
        import sys, os; \
        print(t, sum(1 for m in list(sys.modules.values()) if os.path.exists(getattr(m, '__cached__', None) or '')))";
    let (_, without) = start(rootfs, program);
    let (_, with) = start(out.path(), program);
    println!("import of asyncio, ssl, sqlite3, json: {} s without, {} s with", without.trim(), with.trim());
    let cached = |text: &str| text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap();
    assert_eq!(cached(&without), 0);
    assert!(cached(&with) > 80, "{with}");
    // Unchecked: a source that is gone from under its bytecode does no harm, and none is looked at.
    fs::write(out.path().join("usr/lib/python3.13/json/__init__.py"), "raise SystemExit('the source was read')\n")
        .unwrap();
    start(out.path(), "import json; json.dumps({})");
}
