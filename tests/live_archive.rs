//! Live: the suites of the machine's own Debian mirror, verified here and by gpgv. Without a mirror it says so and skips.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/mirror.rs"]
mod mirror;

use std::{path::Path, process::Command};

use compose::{
    archive::{
        ArchiveError, ErrorClass, FetchError, FetchSettings, Fetcher, Loader, fetch::join, keyring::Keyring, openpgp,
        release::ReleaseError,
    },
    base::Silent,
    store::Store,
};
use jiff::Timestamp;
use mirror::{ARCH, mirrors, request};

#[test]
fn suites_of_the_mirror_load() {
    let Some(mirrors) = mirrors() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let fetcher = Fetcher::new(FetchSettings { attempts: 2, ..FetchSettings::default() });
    let loader = Loader { fetcher: &fetcher, store: &store, now: Timestamp::now(), progress: &Silent };
    let (main, security) = (&mirrors.debian.url, &mirrors.security.url);
    let cases = [
        ("bookworm", main),
        ("bookworm-updates", main),
        ("bookworm-security", security),
        ("trixie", main),
        ("trixie-updates", main),
        ("trixie-security", security),
        ("forky", main),
        ("forky-updates", main),
        ("forky-security", security),
        ("sid", main),
        ("experimental", main),
    ];
    for (suite, base) in cases {
        let start = std::time::Instant::now();
        match loader.load(&request(suite, base), ARCH) {
            Ok(loaded) => {
                let sizes: Vec<_> =
                    loaded.packages.iter().map(|p| (p.component.as_str(), p.arch.as_str(), p.text().len())).collect();
                eprintln!(
                    "{suite}: {} by {:?}, {sizes:?}, {:?}",
                    loaded.release.date,
                    loaded.signed_by,
                    start.elapsed()
                );
                assert!(
                    loaded
                        .packages
                        .iter()
                        .flat_map(|p| &p.pieces)
                        .all(|piece| piece.text.is_empty() || piece.text.starts_with("Package: "))
                );
                assert!(!loaded.packages.is_empty());
            }
            Err(ArchiveError::Fetch(error @ FetchError::Network { .. })) => {
                eprintln!("skipped: the mirror does not answer: {error}");
                return;
            }
            // A mirror may stand still; then it is this that has to be said.
            Err(ArchiveError::Release { source: error @ ReleaseError::Expired { .. }, .. }) => {
                eprintln!("{suite}: {error}")
            }
            // A suite that is archived away.
            Err(ArchiveError::Fetch(error @ FetchError::Missing { .. })) => eprintln!("{suite}: {error}"),
            Err(error) => panic!("{suite}: {error}: {:?}", std::error::Error::source(&error)),
        }
    }
    let nowhere = loader.load(&request("nowhere", main), ARCH).unwrap_err();
    assert_eq!(nowhere.class(), ErrorClass::Network, "{nowhere}");
    assert!(nowhere.to_string().contains("dists/nowhere/InRelease is not there"), "{nowhere}");
}

#[test]
fn gpgv_agrees_on_each_inrelease() {
    let Some(mirrors) = mirrors() else { return };
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/archive/keys");
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring.gpg");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(keys).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "pgp") {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    std::fs::write(&ring, all).unwrap();
    let fetcher = Fetcher::new(FetchSettings { attempts: 2, ..FetchSettings::default() });
    let suites = ["", "-updates", "-security", "-backports", "-proposed-updates"];
    let named = ["bookworm", "trixie", "forky"].into_iter().flat_map(|name| suites.map(|more| format!("{name}{more}")));
    let mut verified_suites = 0;
    for suite in named.chain(["sid".into(), "experimental".into()]) {
        let base = if suite.ends_with("security") { &mirrors.security.url } else { &mirrors.debian.url };
        let Ok(raw) = fetcher.fetch_small(&join(base, &format!("dists/{suite}/InRelease")), 1 << 24, &Silent) else {
            eprintln!("skipped: the mirror has no {suite}");
            continue;
        };
        let verified = openpgp::verify_inline(&raw, &Keyring::debian().unwrap(), Timestamp::now()).unwrap();
        eprintln!("{suite}: {} at {}", verified.signer, verified.signed_at);
        verified_suites += 1;
        let (file, text) = (dir.path().join("InRelease"), dir.path().join("text"));
        std::fs::write(&file, &raw).unwrap();
        let mut gpgv = Command::new("gpgv");
        gpgv.env("GNUPGHOME", dir.path())
            .args(["--status-fd", "1"])
            .arg("--keyring")
            .arg(&ring)
            .arg("--output")
            .arg(&text)
            .arg(&file);
        let Ok(output) = gpgv.output() else {
            eprintln!("skipped the comparison: gpgv is not on this machine");
            continue;
        };
        // Its exit code is about all signatures; apt too looks for one that is good.
        let status = String::from_utf8_lossy(&output.stdout);
        assert!(status.contains("[GNUPG:] GOODSIG "), "{suite}: {status}");
        let theirs = std::fs::read(&text).unwrap();
        // gpgv leaves out the last line feed, which is not signed.
        assert_eq!(verified.text.trim_ascii_end(), theirs.trim_ascii_end(), "{suite}: another text");
        // One byte changed is refused by both.
        let mut bad = raw.clone();
        let place = bad.len() / 2;
        bad[place] ^= 1;
        assert!(openpgp::verify_inline(&bad, &Keyring::debian().unwrap(), Timestamp::now()).is_err());
    }
    eprintln!("{verified_suites} suites verified");
}
