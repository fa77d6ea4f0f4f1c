//! The parsers of control data on whatever libFuzzer comes up with: `tests/support/parsers.rs` says what must hold.
//!
//! In: bytes. Out: nothing, or a failed assertion, which libFuzzer keeps the bytes of in `artifacts/`.

#![no_main]

#[path = "../support/parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::everything(&String::from_utf8_lossy(bytes)));
