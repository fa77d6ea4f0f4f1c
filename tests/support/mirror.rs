//! The machine's own Debian mirror, for tests that use the live archive.
//!
//! In: `COMPOSE_MIRROR`, apt's sources. Out: the mirrors, or nothing, said on standard error; requests for suites.

use compose::{
    archive::{Keys, MirrorInputs, Mirrors, SourcesError, SuiteRequest, discover},
    base::Arch,
};
use jiff::Timestamp;

/// What these tests load.
pub const ARCH: Arch = Arch::Amd64;

pub fn mirrors() -> Option<Mirrors> {
    let inputs = MirrorInputs {
        cli: None,
        mirror: None,
        security_mirror: None,
        env: std::env::var("COMPOSE_MIRROR").ok(),
        snapshot: None,
        pin: None,
        apt_dir: "/etc/apt".into(),
        today: jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date(),
    };
    let mirrors = discover(&inputs);
    if let Err(SourcesError::None) = mirrors {
        eprintln!("skipped: this machine has no Debian mirror");
        return None;
    }
    Some(mirrors.unwrap())
}

pub fn request(suite: &str, base: &str) -> SuiteRequest {
    SuiteRequest {
        name: suite.into(),
        suite: suite.into(),
        bases: vec![base.into()],
        components: vec!["main".into()],
        keys: Keys::Debian,
        additional: true,
        pin: None,
    }
}
