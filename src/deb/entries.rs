//! The entries of a tar archive, one after the other, every field checked.
//!
//! In: a decompressed `control.tar` or `data.tar`. Out: [`TarEntry`] values, and the content of regular files to be
//! read in between. ustar (POSIX.1-1988), PAX and GNU long names are understood, as tar(5) describes them; whatever
//! two readers could understand differently is refused.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek},
};

use tar::{EntryType, Header};

use super::{
    LimitReached, Limits, TarFault,
    error::START,
    pax::{self, Pax},
    shown,
};

const BLOCK: u64 = 512;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarKind {
    /// A directory.
    Dir,
    /// A regular file with this many bytes, to be read from [`Entries`] before the next entry.
    File(u64),
    /// A symbolic link and its target as written.
    Symlink(Box<[u8]>),
    /// A hard link and the archive name of its target.
    Hardlink(Box<[u8]>),
    /// A device node or a FIFO, in words. Only after [`Entries::of_images`].
    Special(&'static str),
}

/// One entry, as its header(s) say; its name is not yet checked for where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarEntry {
    /// Its name as written, not empty; without newline but after [`Entries::of_images`].
    pub path: Vec<u8>,
    /// What it is.
    pub kind: TarKind,
    /// Permission bits, 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Whole seconds since 1970, rounded towards the past.
    pub mtime: i64,
    /// Extended attributes.
    pub xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// Reads a tar archive. Between two calls of [`Entries::next_entry`] it is a reader of the current file's content.
pub struct Entries<R> {
    inner: R,
    limits: Limits,
    /// Whether it is an image's archive, not a package's; and if so, whether its end marker may be missing.
    image: Option<End>,
    count: u64,
    metadata: u64,
    /// Content of the current entry that was not read yet, and the padding after it.
    left: u64,
    padding: u64,
    /// Name of the last entry, for messages.
    last: String,
}

/// Whether an archive must end with its end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It must: nothing else tells that it is whole.
    Marked,
    /// It may end after any entry: a digest tells that it is whole.
    Anywhere,
}

/// What the extended headers before an entry say.
#[derive(Default)]
struct Extended {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: Read> Entries<R> {
    /// Starts at the beginning of an archive.
    pub fn new(inner: R, limits: &Limits) -> Self {
        Self {
            inner,
            limits: limits.clone(),
            image: None,
            count: 0,
            metadata: 0,
            left: 0,
            padding: 0,
            last: START.into(),
        }
    }

    /// Takes what images may hold and packages may not: device nodes and FIFOs, which become [`TarKind::Special`],
    /// newlines in names, access control lists, which are passed over, and global headers that change no entry.
    #[must_use]
    pub fn of_images(mut self, end: End) -> Self {
        self.image = Some(end);
        self
    }

    /// The next entry; what is left of the current one is skipped. At the end of the archive the rest of the
    /// stream is read to check that it holds nothing but zeros.
    ///
    /// # Errors
    /// See [`TarFault`].
    pub fn next_entry(&mut self) -> Result<Option<TarEntry>, TarFault> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let mut header = Header::new_old();
            if !self.read_header(&mut header)? {
                return if extended.is_empty() { Ok(None) } else { Err(self.extension("nothing follows it")) };
            }
            if header.as_bytes().iter().all(|&b| b == 0) {
                if !extended.is_empty() {
                    return Err(self.extension("nothing follows it"));
                }
                self.finish()?;
                return Ok(None);
            }
            self.count += 1;
            if self.count > self.limits.entries {
                return Err(LimitReached::new("entries", self.limits.entries).key("entries").into());
            }
            self.check_sum(&header)?;
            let size = self.number(&header.as_old().size, "size")?;
            let kind = header.entry_type();
            if kind == EntryType::XHeader || kind == EntryType::XGlobalHeader {
                let block = self.extension_block(size)?;
                if kind == EntryType::XGlobalHeader {
                    self.check_global(&block)?;
                    continue;
                }
                let parsed = Pax::parse(&block, self.image.is_some()).map_err(|what| self.extension(&what))?;
                if extended.pax.replace(parsed).is_some() {
                    return Err(self.extension("it occurs twice"));
                }
            } else if kind == EntryType::GNULongName || kind == EntryType::GNULongLink {
                let mut name = self.extension_block(size)?;
                if name.pop() != Some(0) {
                    return Err(self.extension("its long name has no end"));
                }
                let which =
                    if kind == EntryType::GNULongName { &mut extended.long_name } else { &mut extended.long_link };
                if which.replace(name).is_some() {
                    return Err(self.extension("it occurs twice"));
                }
            } else {
                return self.entry(&header, size, extended).map(Some);
            }
        }
    }

    fn entry(&mut self, header: &Header, size: u64, extended: Extended) -> Result<TarEntry, TarFault> {
        let Extended { pax, long_name, long_link } = extended;
        let pax = pax.unwrap_or_default();
        if pax.path.is_some() && long_name.is_some() || pax.linkpath.is_some() && long_link.is_some() {
            return Err(self.extension("a PAX record and a GNU long name contradict each other"));
        }
        let path = pax.path.or(long_name).unwrap_or_else(|| short_name(header));
        let link = pax.linkpath.or(long_link).unwrap_or_else(|| field(&header.as_old().linkname).to_vec());
        self.last = shown(&path);
        if path.contains(&b'\n') && self.image.is_none() {
            return Err(TarFault::Newline(self.last.clone()));
        }
        let attributes: usize = pax.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.metadata += (path.len() + link.len() + attributes) as u64;
        if self.metadata > self.limits.metadata {
            let limit = LimitReached::new("bytes of names and attributes", self.limits.metadata);
            return Err(limit.key("names").into());
        }
        let size = match pax.size {
            None => size,
            Some(pax) if pax == size => size,
            // What the header cannot hold, its writers leave at zero there.
            Some(pax) if size == 0 && pax > 0o77_777_777_777 => pax,
            Some(pax) => return Err(TarFault::SizeConflict { name: self.last.clone(), header: size, pax }),
        };
        let refuse = |what| Err(TarFault::Type { name: shown(&path), what });
        let kind = match header.entry_type() {
            // A regular file whose name ends in a slash is how tars before POSIX wrote directories.
            EntryType::Directory => TarKind::Dir,
            EntryType::Regular if path.ends_with(b"/") => TarKind::Dir,
            EntryType::Regular | EntryType::Continuous => TarKind::File(size),
            EntryType::Symlink => TarKind::Symlink(self.target(link)?),
            EntryType::Link => TarKind::Hardlink(self.target(link)?),
            EntryType::Char if self.image.is_some() => TarKind::Special("a character device"),
            EntryType::Block if self.image.is_some() => TarKind::Special("a block device"),
            EntryType::Fifo if self.image.is_some() => TarKind::Special("a FIFO"),
            EntryType::Char => return refuse("a character device"),
            EntryType::Block => return refuse("a block device"),
            EntryType::Fifo => return refuse("a FIFO"),
            EntryType::GNUSparse => return refuse("a sparse file"),
            _ => return refuse("of a type unknown to dpkg"),
        };
        if matches!(kind, TarKind::File(_)) {
            self.left = size;
            self.padding = pad(size);
        } else if size > 0 {
            return Err(TarFault::UnexpectedContent(self.last.clone()));
        }
        let old = header.as_old();
        let mode = self.number(&old.mode, "mode")?;
        Ok(TarEntry {
            kind,
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            uid: pax.uid.map_or_else(|| self.owner(&old.uid, "owner"), Ok)?,
            gid: pax.gid.map_or_else(|| self.owner(&old.gid, "group"), Ok)?,
            mtime: pax.mtime.map_or_else(|| self.time(&old.mtime), Ok)?,
            xattrs: pax.xattrs,
            path,
        })
    }

    /// The body of an extended header.
    fn extension_block(&mut self, size: u64) -> Result<Vec<u8>, TarFault> {
        let limit = self.limits.extension;
        if size > limit {
            return Err(LimitReached::new("bytes in one extended header", limit)
                .key("extended-header")
                .found(size)
                .into());
        }
        let mut block = vec![0; usize::try_from(size).unwrap_or_default()];
        self.read_exact(&mut block)?;
        self.padding = pad(size);
        Ok(block)
    }

    /// Of what a global header may say only comments change nothing.
    fn check_global(&self, block: &[u8]) -> Result<(), TarFault> {
        let records = pax::records(block).ok_or_else(|| self.extension("its global records are malformed"))?;
        let matters = |key: &[u8]| match self.image {
            None => key != b"comment",
            Some(_) => pax::matters(key),
        };
        match records.iter().find(|(key, _)| matters(key)) {
            Some((key, _)) => Err(self.extension(&format!("it sets “{}” for all that follows", shown(key)))),
            None => Ok(()),
        }
    }

    fn target(&self, link: Vec<u8>) -> Result<Box<[u8]>, TarFault> {
        if link.is_empty() || link.len() >= 4096 || link.contains(&0) {
            return Err(TarFault::LinkTarget(self.last.clone()));
        }
        Ok(link.into())
    }

    fn check_sum(&self, header: &Header) -> Result<(), TarFault> {
        let bytes = header.as_bytes();
        let sum: u64 =
            bytes.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { b.into() }).sum();
        match octal(&header.as_old().cksum) {
            Some(found) if found == sum => Ok(()),
            _ => Err(TarFault::Checksum { after: self.last.clone() }),
        }
    }

    fn bad_number(&self, field: &'static str) -> TarFault {
        TarFault::Number { name: self.last.clone(), field }
    }

    fn number(&self, raw: &[u8], field: &'static str) -> Result<u64, TarFault> {
        let number = if raw.first() == Some(&0x80) { base256(raw) } else { octal(raw) };
        number.ok_or_else(|| self.bad_number(field))
    }

    fn owner(&self, raw: &[u8], field: &'static str) -> Result<u32, TarFault> {
        u32::try_from(self.number(raw, field)?).map_err(|_| self.bad_number(field))
    }

    fn time(&self, raw: &[u8]) -> Result<i64, TarFault> {
        // GNU writes times before 1970 in base 256, with the sign in all leading bits.
        let negative = raw.first() == Some(&0xff) && raw.len() > 8 && raw[..raw.len() - 8].iter().all(|&b| b == 0xff);
        if negative && let Some(Ok(last)) = raw.get(raw.len() - 8..).map(<[u8; 8]>::try_from) {
            return Some(i64::from_be_bytes(last)).filter(|t| *t < 0).ok_or_else(|| self.bad_number("mtime"));
        }
        i64::try_from(self.number(raw, "mtime")?).map_err(|_| self.bad_number("mtime"))
    }

    fn extension(&self, what: &str) -> TarFault {
        TarFault::Extension { name: self.last.clone(), what: what.into() }
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), TarFault> {
        self.inner.read_exact(buf).map_err(TarFault::from_io)
    }

    /// Fills `header`; `false` at an end that needs no marker.
    fn read_header(&mut self, header: &mut Header) -> Result<bool, TarFault> {
        let mut rest = &mut header.as_mut_bytes()[..];
        if self.image == Some(End::Anywhere) {
            let (first, more) = rest.split_at_mut(1);
            loop {
                match self.inner.read(first) {
                    Ok(0) => return Ok(false),
                    Ok(_) => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(TarFault::from_io(error)),
                }
            }
            rest = more;
        }
        self.inner.read_exact(rest).map_err(TarFault::from_io)?;
        Ok(true)
    }

    fn skip(&mut self) -> Result<(), TarFault> {
        let want = self.left.checked_add(self.padding).ok_or(TarFault::Truncated)?;
        let got = io::copy(&mut (&mut self.inner).take(want), &mut io::sink()).map_err(TarFault::from_io)?;
        (self.left, self.padding) = (0, 0);
        if got == want { Ok(()) } else { Err(TarFault::Truncated) }
    }

    /// Reads to the end, which also lets the decoder check its own checksum.
    fn finish(&mut self) -> Result<(), TarFault> {
        let mut buf = [0; 8192];
        loop {
            match self.inner.read(&mut buf) {
                Ok(0) => return Ok(()),
                Ok(n) if buf[..n].iter().all(|&b| b == 0) => {}
                Ok(_) => return Err(TarFault::Trailing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarFault::from_io(error)),
            }
        }
    }
}

impl<R: Read + Seek> Entries<R> {
    /// Passes over what is left of the current file without reading it.
    ///
    /// # Errors
    /// When the archive ends before its content does.
    pub fn pass_over(&mut self) -> Result<(), TarFault> {
        let want = self.left.checked_add(self.padding).ok_or(TarFault::Truncated)?;
        (self.left, self.padding) = (0, 0);
        // Beyond the end is a place too; that the last byte can be read shows that all are there.
        let Some(before_last) = want.checked_sub(1) else { return Ok(()) };
        let by = i64::try_from(before_last).map_err(|_| TarFault::Truncated)?;
        self.inner.seek_relative(by).map_err(TarFault::from_io)?;
        self.read_exact(&mut [0])
    }
}

impl<R: Read> Read for Entries<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let n = self.inner.read(&mut buf[..want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

/// Zeros after `size` bytes of content.
fn pad(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

/// A field's text, up to the first NUL.
fn field(raw: &[u8]) -> &[u8] {
    raw.split(|&b| b == 0).next().unwrap_or_default()
}

/// The name in the header itself; only POSIX headers have a prefix, GNU's use its bytes otherwise.
fn short_name(header: &Header) -> Vec<u8> {
    let name = field(&header.as_old().name);
    match header.as_ustar().map(|ustar| field(&ustar.prefix)) {
        Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

/// Octal digits with spaces before, spaces or NULs after; an empty field is zero, as dpkg and GNU tar read it.
fn octal(raw: &[u8]) -> Option<u64> {
    let raw = raw.trim_ascii_start();
    let end = raw.iter().position(|b| matches!(b, 0 | b' ')).unwrap_or(raw.len());
    if !raw[end..].iter().all(|b| matches!(b, 0 | b' ')) {
        return None;
    }
    raw[..end].iter().try_fold(0u64, |sum, &digit| {
        let digit = char::from(digit).to_digit(8)?;
        sum.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

/// GNU's base 256: the first byte 0x80, the others a big-endian number.
fn base256(raw: &[u8]) -> Option<u64> {
    raw.get(1..)?.iter().try_fold(0u64, |sum, &byte| sum.checked_mul(256)?.checked_add(u64::from(byte)))
}
