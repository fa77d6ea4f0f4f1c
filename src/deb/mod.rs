//! `.deb` files: the outer archive, its compressions, the control archive, the entries of the data archive.
//!
//! In: a path. Out: a [`Deb`], from which [`Control`] and the [`Entries`] of `data.tar` are read as streams, within
//! [`Limits`]. The format is deb(5); what dpkg would not take is refused.

mod ar;
mod compression;
mod entries;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod limits;
mod pax;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use ar::{Layout, Member};
use compression::{Codec, Streams};
use limits::{Bound, CONTROL};

pub(crate) use crate::base::words::shown;
pub(crate) use error::START;
pub(crate) use limits::FILES;
pub use {
    entries::{End, Entries, TarEntry, TarKind},
    error::{DebError, DebFault, TarFault},
    limits::{LimitReached, Limits},
};

use crate::{base::RootPath, control::Paragraphs};

/// A `.deb` whose outer archive is sound.
#[derive(Debug)]
pub struct Deb {
    path: PathBuf,
    file: File,
    layout: Layout,
    limits: Limits,
}

/// What the control archive of a package says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The file `control`: one paragraph (Policy 5.3).
    pub paragraph: String,
    /// `md5sums`: digest and path as the package ships it; lines that are not of this form are left out.
    pub md5sums: Vec<([u8; 16], RootPath)>,
    /// `conffiles`: paths of configuration files (Policy 10.7), without the flags of deb-conffiles(5).
    pub conffiles: Vec<RootPath>,
    /// Maintainer scripts and `triggers` by name, sorted.
    pub scripts: Vec<(String, Vec<u8>)>,
}

/// The control files that are kept as they are.
const SCRIPTS: [&str; 6] = ["config", "postinst", "postrm", "preinst", "prerm", "triggers"];

impl Deb {
    /// Opens a `.deb` and checks its outer archive.
    ///
    /// # Errors
    /// When it cannot be read or is not as deb(5) says.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, DebError> {
        let at = || DebError::at(path);
        let file = File::open(path).map_err(DebFault::Read).map_err(at())?;
        let length = file.metadata().map_err(DebFault::Read).map_err(at())?.len();
        let layout = ar::layout(&file, length, limits).map_err(at())?;
        Ok(Self { path: path.into(), file, layout, limits: limits.clone() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the member that holds the files: `data.tar.xz` or alike.
    pub fn data_name(&self) -> &str {
        &self.layout.data.0.name
    }

    /// The entries of the data archive, decompressed on the way.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub fn data(&self) -> Result<Entries<Box<dyn Read + Send + '_>>, DebError> {
        self.archive(&self.layout.data, &FILES)
    }

    /// A fault in the data archive, with the name of its member.
    pub(crate) fn data_fault(&self, fault: TarFault) -> DebFault {
        DebFault::Tar { member: self.data_name().into(), fault }
    }

    fn archive(
        &self,
        (member, codec): &(Member, Codec),
        bound: &Bound,
    ) -> Result<Entries<Box<dyn Read + Send + '_>>, DebError> {
        let window = Window { file: &self.file, at: member.offset, end: member.offset + member.size };
        let input = BufReader::with_capacity(128 << 10, window);
        let reader = compression::decoder(*codec, input, Streams::One, bound, &self.limits);
        let reader = reader.map_err(|error| self.tar_error(&member.name, TarFault::Read(error)))?;
        Ok(Entries::new(reader, &self.limits))
    }

    fn tar_error(&self, member: &str, fault: TarFault) -> DebError {
        DebError { deb: self.path.clone(), fault: DebFault::Tar { member: member.into(), fault } }
    }

    /// Reads the control archive.
    ///
    /// # Errors
    /// When it is malformed or lacks the file `control`.
    pub fn control(&self) -> Result<Control, DebError> {
        let name = &self.layout.control.0.name;
        let mut entries = self.archive(&self.layout.control, &CONTROL)?;
        let fault = |fault| self.tar_error(name, fault);
        let fail = |fault| DebError { deb: self.path.clone(), fault };
        let mut files = std::collections::BTreeMap::new();
        while let Some(entry) = entries.next_entry().map_err(fault)? {
            let TarKind::File(_) = entry.kind else { continue };
            let file = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
            let Ok(file) = std::str::from_utf8(file) else { continue };
            if !SCRIPTS.contains(&file) && !["control", "md5sums", "conffiles"].contains(&file) {
                continue;
            }
            let mut bytes = Vec::new();
            entries.read_to_end(&mut bytes).map_err(|error| fault(TarFault::from_io(error)))?;
            if files.insert(file.to_owned(), bytes).is_some() {
                return Err(fail(DebFault::ControlTwice(file.into())));
            }
        }
        let paragraph = files.remove("control").ok_or_else(|| fail(DebFault::NoControl))?;
        let paragraph = String::from_utf8(paragraph).map_err(|_| fail(DebFault::NotUtf8("control")))?;
        sole(&paragraph).map_err(fail)?;
        let md5sums = files.remove("md5sums").map(|text| md5sums(&text)).unwrap_or_default();
        let conffiles = files.remove("conffiles").map(|text| conffiles(&text)).unwrap_or_default();
        Ok(Control { paragraph, md5sums, conffiles, scripts: files.into_iter().collect() })
    }
}

/// The entries of a tar archive that is compressed in one of dpkg's ways or not at all, whatever it is called.
///
/// # Errors
/// When it cannot be read, or the decoder cannot be set up.
pub fn open_tarball(path: &Path, limits: &Limits) -> Result<Entries<Box<dyn Read + Send>>, TarFault> {
    let file = File::open(path).map_err(TarFault::Read)?;
    let mut head = [0; 8];
    let n = file.read_at(&mut head, 0).map_err(TarFault::Read)?;
    let codec = Codec::of_magic(head.get(..n).unwrap_or_default());
    let input = BufReader::with_capacity(128 << 10, file);
    let reader = compression::decoder(codec, input, Streams::Several, &FILES, limits).map_err(TarFault::Read)?;
    Ok(Entries::new(reader, limits))
}

/// Decompresses `input` in the way that its beginning shows, as much as `bound` allows.
///
/// # Errors
/// When it cannot be read, or the decoder cannot be set up.
pub(crate) fn decompress<'a>(
    mut input: impl BufRead + Send + 'a,
    bound: &Bound,
    limits: &Limits,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let codec = codec(input.fill_buf()?);
    compression::decoder(codec, input, Streams::Several, bound, limits)
}

/// Whether a file that begins like this, 512 bytes if it has as many, is compressed. What has a tar header's magic is
/// plain, whatever its first name looks like.
pub(crate) fn is_compressed(head: &[u8]) -> bool {
    codec(head) != Codec::Plain
}

fn codec(head: &[u8]) -> Codec {
    match head.get(257..262) {
        Some(b"ustar") => Codec::Plain,
        _ => Codec::of_magic(head),
    }
}

/// One paragraph and no more, as dpkg wants it: two readers of two could each see another package.
fn sole(control: &str) -> Result<(), DebFault> {
    let mut paragraphs = Paragraphs::new(control);
    let first = paragraphs.next().map(|first| first.map(drop));
    match (first, paragraphs.next()) {
        (Some(Ok(())), None) => Ok(()),
        (Some(Err(error)), _) | (_, Some(Err(error))) => Err(DebFault::BadControl(error.to_string())),
        (None, _) => Err(DebFault::BadControl("it holds no paragraph".into())),
        (_, Some(Ok(_))) => Err(DebFault::BadControl("it holds more than one paragraph".into())),
    }
}

/// `DIGEST  PATH`, as md5sum(1) and dh_md5sums(1) write it.
fn md5sums(text: &[u8]) -> Vec<([u8; 16], RootPath)> {
    let line = |line: &[u8]| {
        let (digits, path) = line.split_at_checked(32)?;
        let path = path.strip_prefix(b" ")?;
        let path = path.strip_prefix(b" ").or_else(|| path.strip_prefix(b"*")).unwrap_or(path);
        let mut digest = [0; 16];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        RootPath::parse(path).ok().filter(|path| !path.is_root()).map(|path| (digest, path))
    };
    text.split(|&b| b == b'\n').filter_map(line).collect()
}

/// Absolute paths, one in a line, perhaps with flags before them (deb-conffiles(5)).
fn conffiles(text: &[u8]) -> Vec<RootPath> {
    let line = |line: &[u8]| {
        let start = line.iter().position(|&b| b == b'/')?;
        RootPath::parse(line[start..].trim_ascii_end()).ok().filter(|path| !path.is_root())
    };
    text.split(|&b| b == b'\n').filter_map(line).collect()
}

/// Part of a file as a reader that shares no position with others.
struct Window<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buf.len());
        let n = self.file.read_at(&mut buf[..want], self.at)?;
        if n == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}
