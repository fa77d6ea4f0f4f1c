//! One parser on whatever libFuzzer comes up with; which one, the variable PARSER says. (A binary for each would take
//! 130 MB and a minute of linking each: coverage tables keep the linker from leaving anything out.)
//!
//! In: bytes. Out: nothing, or a failed assertion, which libFuzzer keeps the bytes of in `artifacts/`. What must hold of
//! the parsers is said in `tests/support/parsers.rs` and in the `fuzz.rs` beside each parser (`src/fuzz.rs`).

#![no_main]

#[path = "../support/parsers.rs"]
mod parsers;

use std::{borrow::Cow, env, sync::LazyLock};

use compose::fuzz::{TARGETS, Target};

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The parsers of control data, which are public.
const OWN: [(&str, Target); 4] = [
    ("packages", |bytes| parsers::packages(&text(bytes))),
    ("paragraph", |bytes| parsers::paragraphs(&text(bytes))),
    ("relation", |bytes| parsers::relations(&text(bytes))),
    ("version", |bytes| parsers::versions(&text(bytes))),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = env::var("PARSER").unwrap_or_default();
    let mut all = OWN.iter().chain(TARGETS);
    let known = || OWN.iter().chain(TARGETS).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    all.find(|(name, _)| *name == wanted).unwrap_or_else(|| panic!("PARSER must be one of {}", known())).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
