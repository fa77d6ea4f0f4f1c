//! `dists/SUITE/`: Packages and Contents of each component and architecture, and the Release over them.
//!
//! In: a suite's packages, read. Out: texts for [`Files`].

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
};

use jiff::Timestamp;

use super::{
    Key, Order, Suite, VendorError,
    folder::{Files, Source},
    index::{Described, contents},
    whole,
};
use crate::base::Sha256;

/// Level of xz; the files are small.
const LEVEL: u32 = 6;

/// Adds the indexes and the Release of one suite.
///
/// # Errors
/// When something else lies at their places, or it cannot be signed.
pub(super) fn lay(
    name: &str,
    suite: &Suite<'_>,
    order: &Order<'_>,
    read: &BTreeMap<Key<'_>, Described>,
    files: &mut Files,
) -> Result<(), VendorError> {
    let folder = format!("dists/{name}");
    let mut sums = BTreeMap::new();
    for ((component, arch), packages) in &suite.packages {
        let found = || packages.keys().filter_map(|key| read.get(key));
        let text: String = found().map(|described| described.paragraph.as_str()).collect();
        let paths = contents(found());
        let indexes = [
            (format!("{component}/binary-{arch}/Packages"), text.into_bytes(), true),
            (format!("{component}/Contents-{arch}"), paths, false),
        ];
        for (path, plain, is_plain_kept) in indexes {
            let packed = format!("{path}.xz");
            let xz = xz(&plain).map_err(|source| VendorError::Io {
                action: "compress",
                path: packed.clone().into(),
                source,
            })?;
            sums.insert(path.clone(), (Sha256::of(&plain), plain.len()));
            sums.insert(packed.clone(), (Sha256::of(&xz), xz.len()));
            files.add(&format!("{folder}/{packed}"), packed, Source::Text(xz))?;
            if is_plain_kept {
                files.add(&format!("{folder}/{path}"), path, Source::Text(plain))?;
            }
        }
    }
    let date = suite.repositories.iter().map(|repository| repository.date).max().unwrap_or_default();
    let text = release(name, suite, order, whole(date), &sums);
    if let Some(signer) = order.signer {
        let signed = signer.release(&text, date)?;
        for (name, text) in [("InRelease", signed.inline), ("Release.gpg", signed.detached)] {
            files.add(&format!("{folder}/{name}"), name.into(), Source::Text(text.into_bytes()))?;
        }
    }
    files.add(&format!("{folder}/Release"), "a Release".into(), Source::Text(text.into_bytes()))
}

/// The Release (Debian's repository format), without an end of validity: a lock has none.
fn release(
    name: &str,
    suite: &Suite<'_>,
    order: &Order<'_>,
    date: Timestamp,
    sums: &BTreeMap<String, (Sha256, usize)>,
) -> String {
    let first = suite.repositories.first();
    let fields = [
        ("Origin", first.and_then(|r| r.origin.clone())),
        ("Suite", Some(name.to_owned())),
        ("Codename", first.and_then(|r| r.codename.clone())),
        ("Version", first.and_then(|r| r.version.clone())),
        ("Date", Some(date.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string())),
        ("Architectures", Some(order.files.keys().map(|arch| arch.as_str()).collect::<Vec<_>>().join(" "))),
        ("Components", Some(suite.components.join(" "))),
        ("Description", Some(format!("What the lock of {} takes from {name}", order.manifest.name))),
    ];
    let mut out = String::new();
    for (field, value) in fields {
        if let Some(value) = value.map(one_line).filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "{field}: {value}");
        }
    }
    out.push_str("SHA256:\n");
    for (path, (sha256, size)) in sums {
        let _ = writeln!(out, " {} {size:>16} {path}", sha256.hex());
    }
    out
}

/// A value that cannot begin another field: what a lock says is put under a signature here.
fn one_line(value: String) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    value.chars().map(plain).collect::<String>().trim().to_owned()
}

fn xz(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(plain)?;
    encoder.finish()
}
