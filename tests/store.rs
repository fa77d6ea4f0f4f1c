//! The store and the real binary: cold, warm, damaged, shared, and killed at any moment.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use rand::{Rng as _, SeedableRng as _};
use support::{Archive, Desk, Pkg, Served, pkg};

const OUTPUTS: [&str; 3] = ["x.oci.tar", "x.tar.zst", "x.tar"];

/// Text-like bytes, the same for the same seed.
fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    (0..length).map(|_| b"the quick brown fox "[random.gen_range(0..20)]).collect()
}

/// A dozen packages of all sizes, one of several blocks.
fn packages() -> Vec<Pkg> {
    let names: Vec<String> = (0..12).map(|i| format!("part{i}")).collect();
    let part = |(i, name): (usize, &String)| {
        let size = if i == 3 { 5_000_000 } else { 20_000 * (i + 1) };
        pkg(name, "1").dir("usr", 0o755).dir("usr/share", 0o755).dir(&format!("usr/share/{name}"), 0o755).file(
            &format!("usr/share/{name}/data"),
            0o644,
            content(size, i as u64),
        )
    };
    let mut all: Vec<Pkg> = names.iter().enumerate().map(part).collect();
    all.push(pkg("all", "1").depends(&names.join(", ")).file("usr/all", 0o644, "x"));
    all
}

fn desk() -> (Served, Desk) {
    let served = Archive::new(packages()).serve();
    let desk = Desk::new(&served, "install = [\"all\"]", "");
    (served, desk)
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let outputs = OUTPUTS.iter().flat_map(|name| ["-o", *name]);
    ["demo.toml"].into_iter().chain(outputs).chain(more.iter().copied()).collect()
}

/// The outputs of a run, which are taken away.
fn taken(desk: &Desk) -> Vec<Vec<u8>> {
    OUTPUTS
        .iter()
        .map(|name| {
            let bytes = fs::read(desk.path(name)).unwrap();
            fs::remove_file(desk.path(name)).unwrap();
            bytes
        })
        .collect()
}

/// Every file below `folder`.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { todo.push(path) } else { assert!(out.insert(path)) }
        }
    }
    out
}

/// Every entry of the store with its content, the suites' memory and the lock aside.
fn entries(desk: &Desk) -> BTreeMap<PathBuf, Vec<u8>> {
    let shelves = ["debs", "segments", "packs"].map(|shelf| desk.path("cache").join(shelf));
    shelves.iter().flat_map(|shelf| files(shelf)).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn threads_and_the_state_of_the_store_change_nothing() {
    let (_served, desk) = desk();
    desk.compose(&arguments(&[])).ok();
    let (wanted, kept) = (taken(&desk), entries(&desk));
    for jobs in ["1", "2", "3", "16"] {
        fs::remove_dir_all(desk.path("cache")).unwrap();
        desk.compose(&arguments(&["-j", jobs, "--locked"])).ok();
        assert!(taken(&desk) == wanted, "cold, -j {jobs}");
        assert!(entries(&desk) == kept, "the store, -j {jobs}");
        desk.compose(&arguments(&["-j", jobs, "--locked", "--offline"])).ok();
        assert!(taken(&desk) == wanted, "warm, -j {jobs}");
    }
    // With half of it gone, whichever half.
    for half in 0..2 {
        for (i, path) in kept.keys().enumerate() {
            if i % 2 == half {
                fs::remove_file(path).unwrap();
            }
        }
        desk.compose(&arguments(&["--locked"])).ok();
        assert!(taken(&desk) == wanted, "half {half}");
    }
}

#[test]
fn what_is_damaged_is_found_and_made_anew() {
    let (_served, desk) = desk();
    desk.compose(&arguments(&[])).ok();
    let (wanted, kept) = (taken(&desk), entries(&desk));
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    for round in 0..4 {
        for (path, bytes) in &kept {
            let mut bad = bytes.clone();
            match round {
                0 => bad.truncate(random.gen_range(0..bytes.len())),
                1 => bad.clear(),
                2 => bad.push(0),
                _ => {
                    let at = random.gen_range(0..bytes.len());
                    bad[at] ^= 1 << random.gen_range(0..8);
                }
            }
            fs::write(path, bad).unwrap();
        }
        desk.compose(&arguments(&["--locked"])).ok();
        assert!(taken(&desk) == wanted, "round {round}");
        assert!(entries(&desk) == kept, "round {round}: the store is sound again");
    }
    // `cache verify` finds the same, and says what it did.
    let [deb, pack] = ["debs", "packs"].map(|shelf| kept.keys().find(|path| path.to_string_lossy().contains(shelf)));
    for path in [deb.unwrap(), pack.unwrap()] {
        fs::write(path, "damaged").unwrap();
    }
    let run = desk.compose(&["cache", "verify"]);
    assert_eq!(run.code, Some(6));
    assert!(run.stderr.contains("2 damaged entries were removed from the cache"), "{}", run.stderr);
    assert!(run.stdout.contains(&format!("removed {}", deb.unwrap().display())), "{}", run.stdout);
    assert!(!deb.unwrap().exists() && !pack.unwrap().exists());
    let again = desk.compose(&["cache", "verify"]).ok();
    assert!(again.stdout.contains("packs") && !again.stdout.contains("removed"), "{}", again.stdout);
}

#[test]
fn a_locked_build_that_differs_leaves_the_output_alone() {
    let (_served, desk) = desk();
    desk.compose(&arguments(&[])).ok();
    let before = fs::read(desk.path("x.oci.tar")).unwrap();
    let lock = fs::read_to_string(desk.path("snapshots/demo.lock")).unwrap();
    let tree = lock.lines().find(|line| line.starts_with("tree = ")).unwrap();
    let other = format!("tree = \"{}\"", compose::base::Sha256::of(b"another tree"));
    fs::write(desk.path("snapshots/demo.lock"), lock.replace(tree, &other)).unwrap();
    fs::write(desk.path("x.tar"), "mine").unwrap();
    let run = desk.compose(&arguments(&["--locked"]));
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    assert!(run.stderr.contains("nothing was written"), "{}", run.stderr);
    assert!(fs::read(desk.path("x.oci.tar")).unwrap() == before);
    assert_eq!(fs::read_to_string(desk.path("x.tar")).unwrap(), "mine");
}

#[test]
fn a_cache_that_may_only_be_read_serves_what_it_has() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_served, desk) = desk();
    desk.compose(&arguments(&[])).ok();
    let wanted = taken(&desk);
    let folders = ["", "debs", "indexes", "segments", "packs", "suites", "tmp"];
    let set = |mode| {
        for folder in folders {
            fs::set_permissions(desk.path("cache").join(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(desk.path("cache/lock"), fs::Permissions::from_mode(mode & 0o666)).unwrap();
    };
    set(0o555);
    // Root may write anywhere; then this shows less.
    desk.compose(&arguments(&["--locked", "--offline"])).ok();
    assert!(taken(&desk) == wanted);
    desk.compose(&["cache", "info"]).ok();
    set(0o755);
}

#[test]
fn the_cache_command_shows_and_tidies() {
    let (_served, desk) = desk();
    desk.compose(&arguments(&[])).ok();
    let cache = desk.path("cache");
    assert_eq!(desk.compose(&["cache", "path"]).ok().stdout, format!("{}\n", cache.display()));
    let info = desk.compose(&["cache", "info"]).ok().stdout;
    for line in ["debs           13 entries", "segments       13 entries", "of at most 10737.4 MB"] {
        assert!(info.contains(line), "{line} in\n{info}");
    }
    let gone = desk.compose(&["cache", "gc", "--limit", "0"]).ok().stdout;
    assert!(gone.starts_with("removed ") && gone.ends_with("0.0 MB are left\n"), "{gone}");
    assert!(entries(&desk).is_empty());
    // A build that makes it too large tidies up after itself, and says so.
    let mut command = desk.command(&arguments(&["--locked"]));
    let run = desk.run(command.env("COMPOSE_CACHE_LIMIT", "3 MB")).ok();
    assert!(run.stderr.contains("The cache was full"), "{}", run.stderr);
    assert!(entries(&desk).values().map(Vec::len).sum::<usize>() <= 3_000_000);
    let run = desk.run(desk.command(&arguments(&["--locked"])).env("COMPOSE_CACHE_LIMIT", "much"));
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("COMPOSE_CACHE_LIMIT is “much”, which is no size"), "{}", run.stderr);
    assert_eq!(desk.compose(&["cache", "gc", "--limit", "-1"]).code, Some(2));
}

/// The fifty moments, in a run that takes a fraction of a second.
#[test]
fn killed_at_any_moment_the_next_run_is_right() {
    let (_served, desk) = desk();
    let start = Instant::now();
    desk.compose(&arguments(&["-o", "rootfs/"])).ok();
    // About how long a run takes; learnt, since the machine may be busier at one time than at another.
    let mut whole = start.elapsed();
    let (wanted, kept) = (taken(&desk), entries(&desk));
    let lock = fs::read(desk.path("snapshots/demo.lock")).unwrap();
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let mut killed = 0;
    for round in 0..50 {
        // Cold as a rule, now and then on top of what the round before has left. A cold one does not know what wrote rootfs/.
        let mut arguments = arguments(&["-o", "rootfs/"]);
        if round % 5 != 4 {
            fs::remove_dir_all(desk.path("cache")).unwrap();
            arguments.push("--force");
        }
        if round % 3 == 0 {
            fs::remove_dir_all(desk.path("snapshots")).unwrap();
        }
        killed += usize::from(desk.killed(&arguments, &mut whole, random.gen_range(0.0..1.1)));

        desk.compose(&arguments).ok();
        assert!(taken(&desk) == wanted, "round {round}");
        assert_eq!(desk.left(), ["rootfs", "snapshots"], "round {round}");
        assert_eq!(fs::read_dir(desk.path("snapshots")).unwrap().count(), 1, "round {round}");
        assert!(fs::read(desk.path("snapshots/demo.lock")).unwrap() == lock, "round {round}");
        assert!(entries(&desk) == kept, "round {round}: the store");
        // Nothing is left to go on with either: all is there.
        assert!(files(&desk.path("cache/tmp")).is_empty(), "round {round}");
    }
    assert!(killed > 10, "only {killed} of 50 runs were killed before they were done");
}

#[test]
fn eight_at_once_fetch_each_package_once() {
    let served = Archive::new(packages()).serve();
    let cache = tempfile::tempdir().unwrap();
    // Each wants all of it, and leaves something else out: other segments of the same packages.
    let desks: Vec<Desk> = (0..8)
        .map(|i| Desk::new(&served, "install = [\"all\"]", &format!("[rootfs]\nremove = [\"/usr/share/part{i}/**\"]")))
        .collect();
    let runs: Vec<_> = desks
        .iter()
        .map(|desk| {
            let mut command = desk.command(&arguments(&["-j", "2"]));
            command.env("COMPOSE_CACHE", cache.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut fetched: BTreeMap<String, usize> = BTreeMap::new();
    for path in served.requests().into_iter().filter(|path| path.starts_with("pool/")) {
        *fetched.entry(path).or_default() += 1;
    }
    assert_eq!(fetched.len(), 13);
    assert!(fetched.values().all(|count| *count == 1), "{fetched:?}");
    for desk in &desks {
        let together = taken(desk);
        desk.compose(&arguments(&["--locked"])).ok();
        assert!(taken(desk) == together, "alone, with a store of its own");
    }
    assert!(files(&cache.path().join("tmp")).is_empty());
}
