//! Bills of materials: SPDX 2.3 and 3.0.1, CycloneDX 1.6, all in JSON.
//!
//! In: an [`Inventory`], and the digests of the image that it is of, where they are known ([`Subject`]). Out: the text of
//! one document ([`render`]).
//!
//! The bytes depend on what goes in and on nothing else: no clock, no random number, no host. What each form wants as
//! the name of a document is made from the digest of all that the document says. compose's own version is not in it, so
//! that an SBOM which is part of an image stays the same from one version of compose to the next.
//!
//! ```text
//! Inventory ─► bom: entries, each with its identifier, purl, licence, dependencies ─┬► spdx2
//!                   purl                                                            ├► spdx3
//!                                                                                   └► cyclonedx
//! ```

mod bom;
mod cyclonedx;
pub mod purl;
mod spdx2;
mod place;
mod spdx3;

use std::fmt::Write;

use serde::Serialize;

use self::bom::Bom;
pub use self::place::{PlaceError, place};
/// Which document is wanted.
pub use crate::manifest::SbomForm as Form;
use crate::{base::Sha256, inventory::Inventory};

impl Form {
    /// The media type that says what a document is (IANA; SPDX 2.3 and 3 share one).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx2 | Self::Spdx3 => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }

    /// How the names of such files end. syft and trivy look for `.spdx.json` and `.cdx.json`, and neither reads SPDX 3
    /// yet: a file of that form is not called so that they would try.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Spdx2 => ".spdx.json",
            Self::Spdx3 => ".spdx3.json",
            Self::CycloneDx => ".cdx.json",
        }
    }
}

/// The image that is described, as far as it is known. All of it is left out of an SBOM that is itself in the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject {
    /// The tree digest.
    pub tree: Option<Sha256>,
    /// Of the OCI manifest.
    pub manifest: Option<Sha256>,
}

/// The document, one line break at its end. Control characters and those that turn the direction of text are escaped,
/// so that it may be shown on a terminal.
pub fn render(form: Form, inventory: &Inventory, subject: &Subject) -> String {
    let bom = Bom::of(inventory, *subject);
    let write = |id: &Uuid| match form {
        Form::Spdx2 => json(&spdx2::document(&bom, id)),
        Form::Spdx3 => json(&spdx3::document(&bom, id)),
        Form::CycloneDx => json(&cyclonedx::document(&bom, id)),
    };
    let draft = write(&Uuid([0; 16]));
    write(&Uuid::of(draft.as_bytes()))
}

/// The identifier of a document.
struct Uuid([u8; 16]);

impl Uuid {
    /// Version 8 of RFC 9562 (section 5.8): the first bytes of a SHA-256.
    fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::of(bytes);
        let mut out = [0; 16];
        out.copy_from_slice(&digest.bytes()[..16]);
        out[6] = 0x80 | (out[6] & 0x0f);
        out[8] = 0x80 | (out[8] & 0x3f);
        Self(out)
    }
}

impl std::fmt::Display for Uuid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_char('-')?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

fn json(document: &impl Serialize) -> String {
    let plain = serde_json::to_string_pretty(document).expect("these types have string keys only");
    let mut out = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        match c {
            // The line breaks of the layout: those of strings are escaped already.
            '\n' => out.push(c),
            // Unicode's bidirectional controls and separators (UAX #9, UAX #14).
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                escape(&mut out, c)
            }
            c if c.is_control() => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

/// All that come here are of the basic plane.
fn escape(out: &mut String, c: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(c)));
}
