//! The index that the benches read: trixie main for amd64 from the machine's own mirror, or `COMPOSE_BENCH_INDEX`.

use std::{fs, sync::Arc};

use compose::{
    archive::{FetchSettings, Fetcher, Keys, Loader, MirrorInputs, MirrorSource, SuiteRequest, discover},
    base::{Arch, Silent},
    store::Store,
};

/// The decompressed text; kept below `target/`, so that other programs can read the same file.
pub fn index() -> Option<Arc<String>> {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench-index");
    let file = std::env::var("COMPOSE_BENCH_INDEX").unwrap_or_else(|_| format!("{kept}/Packages"));
    if let Ok(text) = fs::read_to_string(&file) {
        return Some(text.into());
    }
    let now = jiff::Timestamp::now();
    let mirrors = discover(&MirrorInputs {
        cli: None,
        mirror: None,
        security_mirror: None,
        env: std::env::var("COMPOSE_MIRROR").ok(),
        apt_dir: "/etc/apt".into(),
        today: jiff::tz::Offset::UTC.to_datetime(now).date(),
    })
    .ok()?;
    if mirrors.debian.from == MirrorSource::Snapshot {
        eprintln!("no index: this machine has no Debian mirror; name a Packages file with COMPOSE_BENCH_INDEX");
        return None;
    }
    let request = SuiteRequest {
        name: "debian".into(),
        suite: "trixie".into(),
        bases: vec![mirrors.debian.url],
        components: vec!["main".into()],
        keys: Keys::Debian,
        additional: false,
    };
    fs::create_dir_all(kept).ok()?;
    // A store of its own: from an old one comes the stripped form only.
    let store = Store::open(&tempfile::tempdir_in(kept).ok()?.keep()).ok()?;
    let fetcher = Fetcher::new(FetchSettings::default());
    let loader = Loader { fetcher: &fetcher, store: &store, now, progress: &Silent };
    let loaded = loader.load(&request, Arch::Amd64).inspect_err(|error| eprintln!("no index: {error}")).ok()?;
    let text = loaded.packages.into_iter().next()?.pieces.concat();
    fs::write(&file, &text).ok()?;
    Some(text.into())
}
