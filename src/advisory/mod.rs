//! Known vulnerabilities of what an image holds.
//!
//! In: an [`Inventory`](crate::inventory::Inventory); the Debian Security Tracker's data, an OSV dump, OpenVEX documents.
//! Out: a [`Report`] of findings, of what data they rest on, and of what no data were looked up for, which is never taken
//! for clean.
//!
//! ```text
//! fetch (URL, file, cache)  →  tracker  →  debian ─┐
//! dump (folder, zip)  →  osv, cvss  →  python  ────┴→  vex (honoured)  →  Report  →  render;  emit (an own VEX)
//! ```

mod cvss;
mod debian;
mod dump;
mod emit;
mod error;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod look;
mod osv;
mod purl;
mod python;
mod render;
mod report;
#[cfg(test)]
mod testing;
mod tracker;
mod vex;

pub use debian::{Matched, check_packages, suites};
pub use dump::{Dump, read_dump};
pub use emit::{Hollow, emit, hollow};
pub use error::AdvisoryError;
pub use fetch::{DEFAULT_TRACKER, Kept, is_kept_sound, tracker_json};
pub use look::{Order, look_up};
pub use osv::{Advisory, Affected};
pub use python::check_projects;
pub use report::{Covered, Data, Ecosystem, Finding, Level, NotCovered, Report, Status, Triage, Urgency};
pub use tracker::{Issue, MAX_TRACKER, NoDsa, NoDsaReason, Release, State, Tracker, Wanted};
pub use vex::{Image, Justification, VexDocument, VexStatus};

/// What the tracker calls Debian unstable.
pub const UNSTABLE: &str = "sid";
