//! How much one package, tarball, wheel or image may hold: `[limits]`, and `--limit KEY=VALUE`.
//!
//! In: a table of the manifest, or the command line. Out: [`Limits`], which `deb` and `python` fill up with their own
//! defaults. Nothing of it changes a byte of an image: it only says what is refused, so it makes no lock stale.

use super::{
    error::{Fault, quote},
    image::size,
    reader::Table,
};
use crate::base::words::nearest;

/// `[limits]`; `None` where the manifest is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files of one archive, unpacked.
    pub unpacked: Option<u64>,
    /// Entries of one archive.
    pub entries: Option<u64>,
    /// Bytes of all names, link targets and extended attributes of one archive.
    pub names: Option<u64>,
    /// Bytes of a `.deb`'s control files, or of one file of a wheel's metadata; they are held in memory.
    pub control: Option<u64>,
    /// Bytes of one extended header of a tar archive.
    pub extended_header: Option<u64>,
    /// Bytes of memory that a decoder may ask for.
    pub decoder_memory: Option<u64>,
    /// How many times larger than a wheel its files may be.
    pub wheel_ratio: Option<u64>,
}

/// A key of `[limits]`.
#[derive(Debug)]
pub struct LimitKey {
    /// As it is written.
    pub name: &'static str,
    /// Whether a unit such as `GiB` may follow.
    is_size: bool,
    least: u64,
    most: u64,
    slot: fn(&mut Limits) -> &mut Option<u64>,
}

/// All keys. The bounds are what the machinery below can hold to: control files and names are in memory, and zstd knows
/// no window beyond 2 GiB.
pub const LIMIT_KEYS: [LimitKey; 7] = [
    LimitKey { name: "unpacked", is_size: true, least: 1, most: 1 << 44, slot: |limits| &mut limits.unpacked },
    LimitKey { name: "entries", is_size: false, least: 1, most: 100_000_000, slot: |limits| &mut limits.entries },
    LimitKey { name: "names", is_size: true, least: 1, most: 16 << 30, slot: |limits| &mut limits.names },
    LimitKey { name: "control", is_size: true, least: 1, most: 4 << 30, slot: |limits| &mut limits.control },
    LimitKey {
        name: "extended-header",
        is_size: true,
        least: 512,
        most: 256 << 20,
        slot: |limits| &mut limits.extended_header,
    },
    LimitKey {
        name: "decoder-memory",
        is_size: true,
        least: 1 << 20,
        most: 2 << 30,
        slot: |limits| &mut limits.decoder_memory,
    },
    LimitKey { name: "wheel-ratio", is_size: false, least: 1, most: 1_000_000, slot: |limits| &mut limits.wheel_ratio },
];

impl LimitKey {
    /// The least and the most that it can be, in words.
    pub fn bounds(&self) -> [String; 2] {
        [self.least, self.most].map(|value| self.bound(value))
    }

    fn bound(&self, value: u64) -> String {
        match (self.is_size, value) {
            (true, _) if value >= 1 << 30 => format!("{} GiB", value >> 30),
            (true, _) if value >= 1 << 20 => format!("{} MiB", value >> 20),
            _ => value.to_string(),
        }
    }

    fn fits(&self, text: &str, value: u64) -> Result<u64, Fault> {
        if (self.least..=self.most).contains(&value) {
            return Ok(value);
        }
        let (text, [least, most]) = (quote(text), self.bounds());
        Err(Fault::new(format!("{text} is not between {least} and {most}")))
    }

    fn read(&self, text: &str) -> Result<u64, Fault> {
        let value = match text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            true => text.replace('_', "").parse().map_err(|_| Fault::new(format!("“{}” is no number", quote(text))))?,
            false if self.is_size => size(text)?,
            false => return Err(Fault::new(format!("“{}” is not a whole number", quote(text)))),
        };
        self.fits(text, value)
    }
}

impl Limits {
    /// Takes one `KEY=VALUE` of the command line in.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let Some(key) = LIMIT_KEYS.iter().find(|key| key.name == name.trim()) else {
            let names = || LIMIT_KEYS.iter().map(|key| key.name);
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean “{near}”?"),
                None => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(format!("“{}” is no limit; {hint}", quote(name)));
        };
        *(key.slot)(self) = Some(key.read(value.trim()).map_err(|fault| format!("{}: {}", key.name, fault.what))?);
        Ok(())
    }
}

pub(super) fn limits(mut table: Table<'_>) -> Limits {
    let mut out = Limits::default();
    for key in &LIMIT_KEYS {
        let Some(value) = table.get(key.name) else { continue };
        *(key.slot)(&mut out) = match value.digits() {
            Some(_) => value.number(u64::MAX).and_then(|number| {
                let fits = key.fits(&number.to_string(), number);
                fits.map_err(|fault| value.refuse(fault)).ok()
            }),
            None if key.is_size => value.parsed(|text| key.read(text)),
            None => value.number(key.most),
        };
    }
    table.done();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_the_command_line_is_read_or_refused() {
        let mut limits = Limits::default();
        for good in ["unpacked=64 GiB", "entries=5_000_000", "decoder-memory = 1GiB", "wheel-ratio=1000"] {
            assert_eq!(limits.set(good), Ok(()), "{good}");
        }
        let wanted = Limits {
            unpacked: Some(64 << 30),
            entries: Some(5_000_000),
            decoder_memory: Some(1 << 30),
            wheel_ratio: Some(1000),
            ..Limits::default()
        };
        assert_eq!(limits, wanted);
        for (bad, words) in [
            ("unpackt=1", "“unpackt” is no limit; did you mean “unpacked”?"),
            ("qqqqqqqqqqqqq=1", "known are unpacked, entries"),
            ("unpacked", "unpacked: “” is no number"),
            ("unpacked=0", "unpacked: 0 is not between 1 and 16384 GiB"),
            ("unpacked=many", "is not a size"),
            ("entries=5 GiB", "“5 GiB” is not a whole number"),
            ("entries=-1", "“-1” is not a whole number"),
            ("decoder-memory=4 GiB", "4 GiB is not between 1 MiB and 2 GiB"),
            ("entries=99999999999999999999999", "is no number"),
        ] {
            let error = limits.set(bad).expect_err(bad);
            assert!(error.contains(words), "{bad}: {error}");
        }
        assert_eq!(limits, wanted, "what is refused changes nothing");
    }
}
