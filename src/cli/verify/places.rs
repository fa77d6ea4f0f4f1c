//! Where an image's file is not, byte for byte, the one that compose writes.
//!
//! In: what was written just now, and what is to be judged. Out: places in words: the member of the archive, and the byte.
//!
//! A file of the very length that compose's own has, and mostly like it, is taken for it, so that no bit of it can change
//! unseen, be it in a header or in what has no meaning. Another tool's copy of an image has headers and documents of its
//! own, and only what they mean is compared.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    ops::Range,
    path::{Path, PathBuf},
};

const HEADER: &str = "the header of ";

/// How much is compared at a time, bytes.
const STEP: usize = 64 << 10;

/// What differs between two files or layouts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Whether something was taken for what compose writes, and so was compared.
    pub compared: bool,
    /// Places in words; empty if nothing differs.
    pub list: Vec<String>,
}

/// Of a file, against the one that was written in its form; `is_tar` says that it is a plain archive.
///
/// # Errors
/// When one of them cannot be read.
pub fn of_file(ours: &Path, theirs: &Path, is_tar: bool) -> io::Result<Places> {
    let (a, b) = (File::open(ours)?, File::open(theirs)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(Places::default());
    }
    let parts = if is_tar { parts(ours)? } else { Vec::new() };
    let headers = parts.iter().filter(|(_, name)| name.starts_with(HEADER)).count();
    let mut found: Vec<(&str, u64, u64)> = Vec::new();
    let mut parts = parts.iter().peekable();
    differences(a, b, |at| {
        while parts.next_if(|(range, _)| range.end <= at).is_some() {}
        let (name, start) = parts.peek().map_or(("the file", 0), |(range, name)| (name.as_str(), range.start));
        match found.last_mut() {
            Some((last, _, count)) if *last == name => *count += 1,
            _ => found.push((name, at - start, 1)),
        }
    })?;
    let is_header = |name: &str| name.starts_with(HEADER);
    let altered = found.iter().filter(|(name, ..)| is_header(name)).count();
    if altered * 2 > headers.max(1) {
        return Ok(Places::default());
    }
    Ok(Places { compared: true, list: found.into_iter().map(words).collect() })
}

/// Of an OCI layout in a directory. `is_whole` says that all blobs that compose writes are known to be there.
///
/// # Errors
/// When something of either cannot be read.
pub fn of_layout(ours: &Path, theirs: &Path, is_whole: bool) -> io::Result<Places> {
    let mut all = Places::default();
    for name in names(ours)? {
        let (ours, theirs) = (ours.join(&name), theirs.join(&name));
        let name = name.to_string_lossy();
        let is_blob = name.starts_with("blobs/");
        let wanted = fs::metadata(&ours)?.len();
        match fs::metadata(&theirs) {
            Ok(info) if info.is_file() && info.len() == wanted => {
                let (mut first, mut count) = (None, 0);
                differences(File::open(ours)?, File::open(theirs)?, |at| {
                    first.get_or_insert(at);
                    count += 1;
                })?;
                if is_blob || count * 2 <= wanted {
                    all.compared |= !is_blob;
                    all.list.extend(first.map(|first| words((&name, first, count))));
                }
            }
            Ok(info) if info.is_file() && is_blob && !is_whole => {
                all.list.push(format!("{name}: {} bytes instead of {wanted}", info.len()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_whole => {
                all.list.push(format!("{name} is missing"));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(all)
}

/// The first byte that two files of any length do not share.
///
/// # Errors
/// When one of them cannot be read.
pub fn first_difference(mut a: impl io::Seek + Read, mut b: impl io::Seek + Read) -> io::Result<Option<u64>> {
    let ends = (a.seek(io::SeekFrom::End(0))?, b.seek(io::SeekFrom::End(0))?);
    a.rewind()?;
    b.rewind()?;
    let common = ends.0.min(ends.1);
    let mut first = None;
    differences(a.take(common), b.take(common), |at| {
        first.get_or_insert(at);
    })?;
    Ok(first.or((ends.0 != ends.1).then_some(common)))
}

fn words((name, first, count): (&str, u64, u64)) -> String {
    match count {
        1 => format!("{name}: byte {first}"),
        _ => format!("{name}: {count} bytes, the first is byte {first}"),
    }
}

/// Calls `each` with the number of every byte in which two files of one length differ.
fn differences(a: impl Read, b: impl Read, mut each: impl FnMut(u64)) -> io::Result<()> {
    let (mut a, mut b) = (BufReader::with_capacity(STEP, a), BufReader::with_capacity(STEP, b));
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut start = 0;
    loop {
        one.clear();
        other.clear();
        a.by_ref().take(STEP as u64).read_to_end(&mut one)?;
        b.by_ref().take(STEP as u64).read_to_end(&mut other)?;
        if one.is_empty() || other.is_empty() {
            return Ok(());
        }
        if one != other {
            let pairs = (start..).zip(one.iter().zip(&other));
            pairs.filter(|(_, (a, b))| a != b).for_each(|(at, _)| each(at));
        }
        start += one.len() as u64;
    }
}

/// The parts of a plain tar archive that compose wrote, one after the other.
fn parts(path: &Path) -> io::Result<Vec<(Range<u64>, String)>> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let (mut out, mut end) = (Vec::new(), 0);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (at, size) = (entry.raw_file_position(), entry.size());
        out.push((end..at, format!("{HEADER}{name}")));
        out.push((at..at + size, name.clone()));
        end = (at + size).next_multiple_of(512);
        out.push((at + size..end, format!("the padding after {name}")));
    }
    out.push((end..u64::MAX, "the end of the archive".into()));
    Ok(out)
}

/// The files of a layout that compose wrote, sorted.
fn names(layout: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = vec![PathBuf::from("index.json"), PathBuf::from("oci-layout")];
    for entry in fs::read_dir(layout.join("blobs/sha256"))? {
        names.push(Path::new("blobs/sha256").join(entry?.file_name()));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tar() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in [("a/one", &b"first"[..]), ("two", b"")] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn each_part_of_an_archive_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        let whole = tar();
        fs::write(&ours, &whole).unwrap();
        for (at, words) in [
            (3, "the header of a/one: byte 3"),
            (512, "a/one: byte 0"),
            (516, "a/one: byte 4"),
            (517, "the padding after a/one: byte 0"),
            (1024, "the header of two: byte 0"),
            (1536, "the end of the archive: byte 0"),
            (whole.len() - 1, &format!("the end of the archive: byte {}", whole.len() - 1537)),
        ] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&theirs, &changed).unwrap();
            let found = of_file(&ours, &theirs, true).unwrap();
            assert_eq!(found, Places { compared: true, list: vec![words.into()] });
            let found = of_file(&ours, &theirs, false).unwrap();
            assert_eq!(found.list, [format!("the file: byte {at}")]);
        }
        fs::write(&theirs, &whole).unwrap();
        assert_eq!(of_file(&ours, &theirs, true).unwrap(), Places { compared: true, list: vec![] });
        fs::write(&theirs, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(of_file(&ours, &theirs, true).unwrap(), Places::default());
    }

    #[test]
    fn the_first_difference() {
        let first = |a: &[u8], b: &[u8]| first_difference(io::Cursor::new(a), io::Cursor::new(b)).unwrap();
        let long = vec![7; 3 * STEP + 5];
        let mut other = long.clone();
        other[2 * STEP + 1] = 8;
        for (a, b, at) in [
            (&b""[..], &b""[..], None),
            (b"abc", b"abc", None),
            (b"abc", b"abd", Some(2)),
            (b"abc", b"ab", Some(2)),
            (b"", b"x", Some(0)),
            (&long, &long, None),
            (&long, &other, Some(2 * STEP as u64 + 1)),
        ] {
            assert_eq!((first(a, b), first(b, a)), (at, at));
        }
    }
}
