//! Findings for other programs.
//!
//! In: [`Finding`](super::Finding)s. Out: JSON of this program's own shape ([`json`]), or a SARIF 2.1.0 log ([`sarif`]),
//! which code scanning services read.

mod json;
mod sarif;
#[cfg(test)]
mod tests;

pub use json::{code, json, origin as origin_json};
pub use sarif::{Image, sarif};

use crate::tree::Origin;

/// `package`, `wheel`, `tarball`, `manifest` or `compose`, and the name, if there is one.
fn origin(origin: &Origin) -> (&'static str, Option<String>) {
    match origin {
        Origin::Package(name) => ("package", Some(name.to_string())),
        Origin::Wheel(name) => ("wheel", Some(name.to_string())),
        Origin::Tarball(name) => ("tarball", Some(name.to_string())),
        Origin::Manifest => ("manifest", None),
        Origin::Finish(step) => ("compose", Some((*step).to_owned())),
    }
}
