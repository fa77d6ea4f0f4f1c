//! Live: the Contents indexes of the machine's own Debian mirror. Without a mirror it says so and skips.
//!
//! Ignored, since it fetches some 60 MB: `cargo test --test live_contents -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/mirror.rs"]
mod mirror;

use std::{collections::BTreeSet, time::Instant};

use compose::{
    archive::{ArchiveError, ErrorClass, FetchSettings, Fetcher, Loader, SuiteRequest},
    base::{Progress, RootPath},
    store::{Shelf, Store},
};
use jiff::Timestamp;
use mirror::{ARCH, mirrors, request};

/// Prints what is noticed.
struct Aloud;

impl Progress for Aloud {
    fn phase(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn notice(&self, text: &str) {
        eprintln!("{text}");
    }
}

const SONAMES: [(&str, &[&str]); 22] = [
    ("ld-linux-x86-64.so.2", &["libc6"]),
    ("libGL.so.1", &["libgl1"]),
    ("libICE.so.6", &["libice6"]),
    ("libSM.so.6", &["libsm6"]),
    ("libX11.so.6", &["libx11-6"]),
    ("libXext.so.6", &["libxext6"]),
    ("libc.so.6", &["libc6"]),
    ("libcairo.so.2", &["libcairo2"]),
    ("libgcc_s.so.1", &["libgcc-s1"]),
    ("libglib-2.0.so.0", &["libglib2.0-0t64"]),
    ("libgomp.so.1", &["libgomp1"]),
    ("libmagic.so.1", &["libmagic1t64"]),
    ("libodbc.so.2", &["libodbc2"]),
    ("libpq.so.5", &["libpq5"]),
    ("libssl.so.3", &["libssl3t64"]),
    ("libstdc++.so.6", &["libstdc++6"]),
    ("libxcb.so.1", &["libxcb1"]),
    ("libz.so.1", &["zlib1g"]),
    ("libzbar.so.0", &["libzbar0t64"]),
    ("libsamba-util-private-samba.so.0", &[]),
    ("libmimerapi.so", &[]),
    ("libblis64.so.4", &["libblis64-4-openmp", "libblis64-4-pthread", "libblis64-4-serial"]),
];

#[test]
#[ignore = "fetches some 60 MB"]
fn libraries_and_files_of_trixie() {
    let Some(mirrors) = mirrors() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let fetcher = Fetcher::new(FetchSettings { attempts: 2, ..FetchSettings::default() });
    let loader = Loader { fetcher: &fetcher, store: &store, now: Timestamp::now(), progress: &Aloud };
    let main = SuiteRequest { additional: false, ..request("trixie", &mirrors.debian.url) };
    let updates = request("trixie-updates", &mirrors.debian.url);
    let security = request("trixie-security", &mirrors.security.url);
    let mut suites = match loader.load_all(&[main, updates, security], ARCH) {
        Ok(suites) => suites,
        Err(ArchiveError::Fetch(error)) if error.class() == ErrorClass::Network => {
            eprintln!("skipped: the mirror does not answer: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    suites.iter_mut().for_each(|suite| suite.packages.clear());
    let kept = || -> u64 { store.holdings().unwrap().iter().map(|shelf| shelf.bytes).sum() };
    let before = kept();
    // Of the kernel: from here on, what is held at most is counted anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let held = memory("VmRSS");
    for what in ["fetched", "kept"] {
        let start = Instant::now();
        let sonames = loader.sonames(&suites, ARCH).unwrap();
        eprintln!("{what}: {} names in {:?}, {} bytes kept", sonames.direct(), start.elapsed(), kept() - before);
        for (soname, packages) in SONAMES {
            let found: Vec<_> = sonames.packages(soname.as_bytes()).iter().map(ToString::to_string).collect();
            assert_eq!(found, packages, "{soname}");
        }
        let blas: Vec<_> = sonames.packages(b"libblas.so.3").iter().map(ToString::to_string).collect();
        assert!(["libblas3", "libopenblas0-pthread"].iter().all(|name| blas.contains(&(*name).into())), "{blas:?}");
        assert_eq!(sonames.near(b"libssl.so.1.1"), ["libssl.so.3"]);
        eprintln!("near libicuuc.so.72: {:?}", sonames.near(b"libicuuc.so.72"));
    }
    let paths = ["usr/bin/git", "bin/bash", "usr/share/zoneinfo/UTC", "usr/bin/2to3", "usr/bin/nothing-such"];
    let paths: BTreeSet<_> = paths.into_iter().map(RootPath::literal).collect();
    for what in ["fetched", "kept"] {
        let start = Instant::now();
        let owners = loader.owners(&suites, ARCH, &paths).unwrap();
        eprintln!("{what}: {owners:?} in {:?}, {} bytes kept", start.elapsed(), kept() - before);
        assert_eq!(owners[&RootPath::literal("usr/bin/git")][0].as_str(), "git");
        assert_eq!(owners[&RootPath::literal("bin/bash")][0].as_str(), "bash");
        assert_eq!(owners[&RootPath::literal("usr/share/zoneinfo/UTC")][0].as_str(), "tzdata");
        assert!(owners[&RootPath::literal("usr/bin/nothing-such")].is_empty());
    }
    for key in store.keys(Shelf::Indexes).unwrap() {
        assert!(compose::archive::is_kept_sound(&store.path(Shelf::Indexes, &key), &key));
    }
    eprintln!("at most {}, {held} before", memory("VmHWM"));
}

/// What this process holds, or held at most, where the kernel says it.
fn memory(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or("unknown").trim().into()
}
