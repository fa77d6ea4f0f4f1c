//! The zip archive below a wheel, read so that no two readers could see two archives in it.
//!
//! In: a file and limits. Out: its files with their names, times and execute bits, and their content as a stream.
//!
//! The crate `zip` compares local headers with the central directory and finds overlapping and unlisted entries, when
//! asked to. What it lets pass is refused here before: bytes before the first or behind the last record, a directory
//! whose count or size is not what the end record says, encrypted or oddly compressed entries, names with a second
//! spelling, more entries than memory should hold. (The ZIP File Format Specification, 4.3 and 4.4; the list of
//! differences between readers is that of the Python index's own upload check, 2025.)

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use zip::{HasZipMetadata as _, ZipArchive, read::Config};

use super::error::WheelFault;
use crate::deb::{LimitReached, shown};

/// Upper bounds on one wheel, all inclusive. The defaults are far above what any wheel on a public index needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files, unpacked: 8 GiB.
    pub unpacked: u64,
    /// Bytes of one file, unpacked: 4 GiB.
    pub file: u64,
    /// How many times larger than the archive its files may be, unpacked, where they are more than 64 MiB: 150.
    /// Deflate reaches 1,032; wheels stay below 20.
    pub ratio: u64,
    /// Entries: 200,000.
    pub entries: u64,
    /// Bytes of the zip's central directory, names included: 64 MiB.
    pub directory: u64,
    /// Bytes of one file of metadata that is held in memory (METADATA, RECORD …): 64 MiB.
    pub metadata: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 8 << 30, file: 4 << 30, ratio: 150, entries: 200_000, directory: 64 << 20, metadata: 64 << 20 }
    }
}

impl From<&crate::manifest::Limits> for Limits {
    fn from(told: &crate::manifest::Limits) -> Self {
        let usual = Self::default();
        Self {
            unpacked: told.unpacked.unwrap_or(usual.unpacked),
            file: told.unpacked.unwrap_or(usual.file),
            ratio: told.wheel_ratio.unwrap_or(usual.ratio),
            entries: told.entries.unwrap_or(usual.entries),
            directory: told.names.unwrap_or(usual.directory),
            metadata: told.control.unwrap_or(usual.metadata),
        }
    }
}

/// Unpacked sizes up to this are no bomb, whatever the ratio.
const HARMLESS: u64 = 64 << 20;

/// 1980-01-01, where the time of a zip entry begins: seconds since 1970.
pub(super) const FIRST_TIME: i64 = 315_532_800;

/// What a wheel can be read from.
pub(super) trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// A regular file in the archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its name: components joined by `/`, none of them empty, `.` or `..`.
    pub(super) name: String,
    /// Whether it carries an execute bit.
    pub(super) executable: bool,
    /// Seconds since 1970; the DOS time read as UTC.
    pub(super) mtime: i64,
    /// Where `zip` keeps it.
    index: usize,
}

/// An archive that passed all checks but those of content.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<Box<dyn Source>>>,
    /// Files only, in the order of their names.
    pub(super) entries: Vec<Entry>,
    limits: Limits,
    /// What may still be unpacked in one pass over all entries.
    total: u64,
}

impl Archive {
    /// Reads the directory of the archive.
    pub(super) fn open(source: Box<dyn Source>, limits: &Limits) -> Result<Self, WheelFault> {
        let mut reader = BufReader::new(source);
        let length = reader.seek(SeekFrom::End(0)).map_err(WheelFault::Read)?;
        let frame = Frame::read(&mut reader, length, limits)?;
        frame.walk(&mut reader)?;
        // Not detected but known: bytes before the archive would shift it for some readers and not for others.
        let config = Config { archive_offset: zip::read::ArchiveOffset::Known(0) };
        let mut zip = ZipArchive::with_config(config, reader).map_err(unsound)?;
        if zip.central_directory_start() != frame.start || zip.len() as u64 != frame.count || zip.offset() != 0 {
            return Err(WheelFault::Zip("its names are not one each, or its directory is not where it says".into()));
        }
        zip.validate_header_consistency().map_err(unsound)?;
        let mut entries = Vec::with_capacity(zip.len());
        let mut declared = 0_u64;
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(unsound)?;
            let refused = |why| WheelFault::Entry { name: shown(entry.name_raw()), why };
            let (name, is_dir) = clean(entry.name_raw()).map_err(refused)?;
            let kind = (entry.external_attributes() >> 16) & 0o170_000;
            match (is_dir, kind) {
                (true, 0 | 0o040_000) if entry.size() == 0 => continue,
                (false, 0 | 0o100_000) => {}
                (true, _) => return Err(refused("it is a directory by its name, and something else besides")),
                (false, 0o120_000) => return Err(refused("it is a symbolic link, which a wheel cannot hold")),
                (false, _) => return Err(refused("it is neither a file nor a directory")),
            }
            over("bytes in one file, unpacked", "unpacked", limits.file, entry.size())?;
            declared = declared.saturating_add(entry.size());
            entries.push(Entry {
                name,
                executable: (entry.external_attributes() >> 16) & 0o111 != 0,
                mtime: entry.get_metadata().last_modified_time.map_or(FIRST_TIME, seconds),
                index,
            });
        }
        over("bytes, unpacked", "unpacked", limits.unpacked, declared)?;
        let bomb = length.saturating_mul(limits.ratio).max(HARMLESS);
        if declared > bomb {
            return Err(WheelFault::Bomb(bomb));
        }
        entries.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(Self { zip, entries, limits: limits.clone(), total: limits.unpacked.min(bomb) })
    }

    /// The file of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name.as_bytes())).ok()
    }

    /// How many bytes all files may have together: what a pass over all of them counts against.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Writes the content of `entries[at]`; its length is returned. What the archive declares bounds nothing but
    /// itself: bytes are counted as they come, and `left` is what may still come.
    pub(super) fn copy(&mut self, at: usize, left: u64, out: &mut dyn Write) -> Result<u64, WheelFault> {
        let Some(entry) = self.entries.get(at) else { return Ok(0) };
        let failed = |error: io::Error| WheelFault::Unpack { name: entry.name.clone(), why: error.to_string() };
        let mut reader = self.zip.by_index(entry.index).map_err(|error| failed(io::Error::other(error)))?;
        let declared = reader.size();
        let most = self.limits.file.min(left);
        let mut buffer = vec![0; 64 << 10];
        let mut read = 0_u64;
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            read += n as u64;
            over("bytes, unpacked", "unpacked", most, read)?;
            out.write_all(&buffer[..n]).map_err(WheelFault::Write)?;
        }
        if read != declared {
            return Err(failed(io::Error::other("it is shorter than it declares")));
        }
        Ok(read)
    }

    /// A file of metadata, as a whole.
    pub(super) fn read(&mut self, at: usize) -> Result<Vec<u8>, WheelFault> {
        let mut out = Vec::new();
        let size =
            self.entries.get(at).and_then(|entry| self.zip.by_index_data(entry.index).ok()).map_or(0, |e| e.size());
        over("bytes in one file of metadata", "control", self.limits.metadata, size)?;
        self.copy(at, self.limits.metadata, &mut out)?;
        Ok(out)
    }
}

/// Fails when `found` is more than `limit`.
fn over(what: &'static str, key: &'static str, limit: u64, found: u64) -> Result<(), LimitReached> {
    if found > limit { Err(LimitReached::new(what, limit).key(key).found(found)) } else { Ok(()) }
}

fn unsound(error: zip::result::ZipError) -> WheelFault {
    match error {
        zip::result::ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => WheelFault::Read(error),
        error => WheelFault::Zip(shown(error.to_string().as_bytes())),
    }
}

/// A name as it stands, and whether it is a directory's. Every name has one spelling: what would have to be cleaned
/// is refused.
fn clean(raw: &[u8]) -> Result<(String, bool), &'static str> {
    let text = std::str::from_utf8(raw).map_err(|_| "its name is not UTF-8")?;
    let (path, is_dir) = text.strip_suffix('/').map_or((text, false), |path| (path, true));
    if path.chars().any(|c| c < ' ' || c == '\x7f') {
        return Err("its name holds a control character");
    }
    if path.contains('\\') {
        return Err("its name holds a backslash");
    }
    if path.starts_with('/') {
        return Err("its name is absolute");
    }
    if path.as_bytes().get(1) == Some(&b':') && path.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("its name begins with a drive letter");
    }
    for part in path.split('/') {
        match part {
            ".." => return Err("its name leads upwards with a “..” component"),
            "" | "." => return Err("its name has an empty or “.” component"),
            _ if part.len() > 255 => return Err("its name has a component of more than 255 bytes"),
            _ => {}
        }
    }
    Ok((path.to_owned(), is_dir))
}

/// A DOS time, taken as UTC. `zip` has already turned away what no calendar has.
fn seconds(time: zip::DateTime) -> i64 {
    let part = |value: u8| i8::try_from(value).unwrap_or(0);
    i16::try_from(time.year())
        .ok()
        .and_then(|year| {
            let (month, day) = (part(time.month()), part(time.day()));
            let (hour, minute, second) = (part(time.hour()), part(time.minute()), part(time.second()));
            jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()
        })
        .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil).ok())
        .map_or(FIRST_TIME, |stamp| stamp.as_second().max(FIRST_TIME))
}

/// Where the central directory lies, by the end record.
struct Frame {
    /// Where it begins.
    start: u64,
    /// How long it is, bytes.
    size: u64,
    /// How many entries it has.
    count: u64,
}

/// Little-endian fields.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at + length).unwrap_or_default();
    field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

impl Frame {
    /// Length of the end record without a comment (4.3.16).
    const END: u64 = 22;
    /// Length of the zip64 end locator (4.3.15).
    const LOCATOR: u64 = 20;
    /// Length of the zip64 end record of version 1 (4.3.14).
    const END64: u64 = 56;

    /// Reads the end record. It has to be the very end: behind it, or in a comment, another one could hide.
    fn read(reader: &mut (impl Read + Seek), length: u64, limits: &Limits) -> Result<Self, WheelFault> {
        let unsound = |what: &str| WheelFault::Zip(what.into());
        let at = length.checked_sub(Self::END).ok_or_else(|| unsound("it is too short"))?;
        let mut tail = [0; Self::END as usize];
        fetch(reader, at, &mut tail)?;
        if !tail.starts_with(b"PK\x05\x06") || number(&tail, 20, 2) != 0 {
            return Err(unsound("it does not end with an end record (it is truncated, or something follows)"));
        }
        let mut magic = [0; 4];
        fetch(reader, 0, &mut magic)?;
        if &magic != b"PK\x03\x04" {
            return Err(unsound("it does not begin with an entry"));
        }
        let (disks, here) = (number(&tail, 4, 4), number(&tail, 8, 2));
        let mut frame = Self { start: number(&tail, 16, 4), size: number(&tail, 12, 4), count: number(&tail, 10, 2) };
        let mut end = at;
        if disks != 0 || here != frame.count {
            return Err(unsound("it is one of several volumes"));
        }
        if frame.count == 0xFFFF || frame.size == 0xFFFF_FFFF || frame.start == 0xFFFF_FFFF {
            end = frame.widen(reader, at)?;
        }
        over("entries", "entries", limits.entries, frame.count)?;
        over("bytes in its central directory", "names", limits.directory, frame.size)?;
        if frame.start.checked_add(frame.size) != Some(end) {
            return Err(unsound("its central directory does not end where the end record begins"));
        }
        Ok(frame)
    }

    /// Takes the zip64 end record in; where it begins is returned.
    fn widen(&mut self, reader: &mut (impl Read + Seek), at: u64) -> Result<u64, WheelFault> {
        let unsound = || WheelFault::Zip("its zip64 end record is missing, misplaced or contradicts the other".into());
        let mut locator = [0; Self::LOCATOR as usize];
        let mut record = [0; Self::END64 as usize];
        let locator_at = at.checked_sub(Self::LOCATOR).ok_or_else(unsound)?;
        let record_at = locator_at.checked_sub(Self::END64).ok_or_else(unsound)?;
        fetch(reader, locator_at, &mut locator)?;
        fetch(reader, record_at, &mut record)?;
        let wide = Self { start: number(&record, 48, 8), size: number(&record, 40, 8), count: number(&record, 32, 8) };
        let sound = locator.starts_with(b"PK\x06\x07")
            && number(&locator, 4, 4) == 0
            && number(&locator, 8, 8) == record_at
            && number(&locator, 16, 4) == 1
            && record.starts_with(b"PK\x06\x06")
            && number(&record, 4, 8) == Self::END64 - 12
            && number(&record, 16, 8) == 0
            && number(&record, 24, 8) == wide.count
            && [
                (self.start, wide.start, 0xFFFF_FFFF),
                (self.size, wide.size, 0xFFFF_FFFF),
                (self.count, wide.count, 0xFFFF),
            ]
            .iter()
            .all(|&(narrow, wide, unset)| narrow == unset || narrow == wide);
        if !sound {
            return Err(unsound());
        }
        *self = wide;
        Ok(record_at)
    }

    /// Goes over the headers of the directory: as many as the end record counts have to fill it.
    fn walk(&self, reader: &mut (impl Read + Seek)) -> Result<(), WheelFault> {
        let length = usize::try_from(self.size).map_err(|_| WheelFault::Zip("its directory is too large".into()))?;
        let mut bytes = vec![0; length];
        fetch(reader, self.start, &mut bytes)?;
        let (mut rest, mut count) = (bytes.as_slice(), 0_u64);
        while !rest.is_empty() {
            let field = |at, length| usize::try_from(number(rest, at, length)).unwrap_or(usize::MAX);
            let (name, extra, comment) = (field(28, 2), field(30, 2), field(32, 2));
            let whole = 46 + name + extra + comment;
            if !rest.starts_with(b"PK\x01\x02") || rest.len() < whole {
                return Err(WheelFault::Zip(format!("header {} of its central directory is malformed", count + 1)));
            }
            let (name, extra) = (&rest[46..46 + name], &rest[46 + name..46 + name + extra]);
            let flags = number(rest, 8, 2);
            let why = match number(rest, 10, 2) {
                // Bits 0, 6 and 13: encrypted, strongly encrypted, header masked. Bit 5: a patch (4.4.4).
                _ if flags & 0x2041 != 0 => Some("it is encrypted"),
                _ if flags & 0x0020 != 0 => Some("it is a patch to another file"),
                // Bit 11: the name is UTF-8; else it is in whatever character set the reader believes in.
                _ if flags & 0x0800 == 0 && !name.is_ascii() => Some("its name is not marked as UTF-8"),
                _ if number(rest, 34, 2) != 0 => Some("it begins in another volume"),
                0 | 8 => twice_named(extra),
                _ => Some("it is compressed with a method other than deflate"),
            };
            if let Some(why) = why {
                return Err(WheelFault::Entry { name: shown(name), why });
            }
            count += 1;
            rest = &rest[whole..];
        }
        if count != self.count {
            return Err(WheelFault::Zip(format!("it lists {count} entries, and its end record counts {}", self.count)));
        }
        Ok(())
    }
}

/// Extra fields that readers take differently (4.5): a second name (0x7075), or two zip64 sizes.
fn twice_named(mut extra: &[u8]) -> Option<&'static str> {
    let mut wide = 0;
    while !extra.is_empty() {
        let Some(rest) = usize::try_from(number(extra, 2, 2)).ok().and_then(|length| extra.get(4 + length..)) else {
            return Some("its extra field is malformed");
        };
        match number(extra, 0, 2) {
            0x7075 => return Some("it has a second name in an extra field"),
            0x0001 => wide += 1,
            _ => {}
        }
        extra = rest;
    }
    (wide > 1).then_some("it has two zip64 sizes")
}

fn fetch(reader: &mut (impl Read + Seek), at: u64, out: &mut [u8]) -> Result<(), WheelFault> {
    reader.seek(SeekFrom::Start(at)).and_then(|_| reader.read_exact(out)).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => WheelFault::Zip("it is truncated".into()),
        _ => WheelFault::Read(error),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_name_has_one_spelling() {
        assert_eq!(clean(b"a/b.py"), Ok(("a/b.py".into(), false)));
        assert_eq!(clean(b"a/b/"), Ok(("a/b".into(), true)));
        assert_eq!(clean("a/é…".as_bytes()), Ok(("a/é…".into(), false)));
        for bad in ["", "/", "/a", "a//b", "./a", "a/.", "..", "a/../b", "a\\b", "C:/a", "c:a", "a\0", "a\nb", "a//"] {
            assert!(clean(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(clean(&b"a".repeat(256)).is_err() && clean(b"\xff").is_err());
    }

    #[test]
    fn dos_times_are_taken_as_utc() {
        let at = |y, mo, d, h, mi, s| seconds(zip::DateTime::from_date_and_time(y, mo, d, h, mi, s).unwrap());
        assert_eq!(at(1980, 1, 1, 0, 0, 0), FIRST_TIME);
        assert_eq!(at(2020, 2, 2, 0, 0, 0), 1_580_601_600);
        assert_eq!(at(2024, 2, 29, 23, 59, 58), 1_709_251_198);
        assert_eq!(at(2107, 12, 31, 23, 59, 58), 4_354_819_198);
    }
}
