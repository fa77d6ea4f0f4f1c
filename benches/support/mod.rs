//! The index that the benches read: trixie main for amd64 from the machine's own mirror, or `COMPOSE_BENCH_INDEX`.
#![allow(clippy::unwrap_used, dead_code, reason = "a bench may fail loudly, and each uses its part")]

#[path = "../../tests/support/mirror.rs"]
pub mod mirror;

use std::{fs, sync::Arc};

use compose::{
    archive::{FetchSettings, Fetcher, Loader},
    base::Silent,
    store::Store,
};

/// The decompressed text; kept below `target/`, so that other programs can read the same file.
pub fn index() -> Option<Arc<String>> {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench-index");
    let file = std::env::var("COMPOSE_BENCH_INDEX").unwrap_or_else(|_| format!("{kept}/Packages"));
    if let Ok(text) = fs::read_to_string(&file) {
        return Some(text.into());
    }
    let Some(mirrors) = mirror::mirrors() else {
        eprintln!("no index: name a Packages file with COMPOSE_BENCH_INDEX");
        return None;
    };
    let request = mirror::request("trixie", &mirrors.debian.url);
    fs::create_dir_all(kept).ok()?;
    // A store of its own: from an old one comes the stripped form only.
    let store = Store::open(&tempfile::tempdir_in(kept).ok()?.keep()).ok()?;
    let fetcher = Fetcher::new(FetchSettings::default());
    let loader = Loader { fetcher: &fetcher, store: &store, now: jiff::Timestamp::now(), progress: &Silent };
    let loaded = loader.load(&request, mirror::ARCH).inspect_err(|error| eprintln!("no index: {error}")).ok()?;
    let text = loaded.packages.first()?.text();
    fs::write(&file, &text).ok()?;
    Some(text.into())
}
