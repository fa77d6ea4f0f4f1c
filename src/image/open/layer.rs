//! The entries of one archive: of a layer, of a rootfs, of an image.
//!
//! In: a [`Blob`]. Out: [`Entry`] values and, of a layer, the digests of its bytes and of its plain tar. An archive that
//! is not compressed is read where it lies, its headers alone. A compressed one is read once: hashed, decompressed,
//! hashed again, and its plain tar put into a file of the scratch folder, called by a number, in passing; the content of
//! files is a stretch of that. Small ones are held in memory.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{
    error::{LayerFault, OpenFault},
    oci::LayerBlob,
    source::{Blob, Section},
};
use crate::{
    base::{Sha256, Sha256Writer},
    deb::{End, Entries, FILES, LimitReached, Limits, TarEntry, TarFault, TarKind, decompress, is_compressed},
    tree::{Content, SegmentFile},
};

/// Files of compressed archives up to this many bytes are held in memory,
const SMALL: u64 = 4 << 10;

/// as long as all of them are not more than this many.
const IN_MEMORY: u64 = 64 << 20;

/// How much is read at a time, bytes.
const STEP: usize = 128 << 10;

/// The same where most of an archive is passed over.
const HEADERS: usize = 8 << 10;

/// What the archives of an image share. Several may be read at a time.
pub(super) struct Unpacker<'a> {
    scratch: &'a Path,
    limits: &'a Limits,
    /// Files made in the scratch folder.
    spools: AtomicUsize,
    /// Bytes of plain layers that may still come.
    left: AtomicU64,
    /// Bytes that may still be held in memory.
    memory: AtomicU64,
}

/// One entry of an archive.
pub(super) struct Entry {
    /// Its header.
    pub(super) entry: TarEntry,
    /// The bytes of a regular file.
    pub(super) content: Option<Content>,
    /// Where they begin in the file that the plain archive is in.
    pub(super) at: u64,
}

/// A layer, read.
pub(super) struct Layer {
    pub(super) entries: Vec<Entry>,
    /// Of its bytes as they are in the image.
    pub(super) digest: Sha256,
    /// Of the plain tar.
    pub(super) diff_id: Sha256,
}

/// Counts what is read through it or passed over.
struct Counted<R> {
    inner: R,
    position: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    /// The reader, and where its position can be seen.
    fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let position = Rc::new(Cell::new(0));
        (Self { inner, position: Rc::clone(&position) }, position)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.position.set(self.position.get() + n as u64);
        Ok(n)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.inner.seek(to)?;
        self.position.set(at);
        Ok(at)
    }

    // What is in a buffer stays there.
    fn seek_relative(&mut self, by: i64) -> io::Result<()> {
        self.inner.seek_relative(by)?;
        self.position.set(self.position.get().saturating_add_signed(by));
        Ok(())
    }
}

/// Copies what is read through it, hashed, to a file; what fails there is put aside.
struct Tee<'a, R> {
    inner: R,
    out: &'a mut Sha256Writer<File>,
    failed: Rc<RefCell<Option<io::Error>>>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if let Err(error) = self.out.write_all(buf.get(..n).unwrap_or_default()) {
            self.failed.replace(Some(error));
            return Err(io::Error::other("the copy could not be written"));
        }
        Ok(n)
    }
}

/// Hashes a blob while a decoder, which owns this, reads it.
struct Watched {
    inner: Section,
    seen: Arc<Mutex<Sha256Writer<io::Sink>>>,
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.write_all(buf.get(..n).unwrap_or_default())?;
        Ok(n)
    }
}

/// A fault of `layer`.
pub(super) fn tar_fault(layer: &str, fault: impl Into<LayerFault>) -> OpenFault {
    OpenFault::Layer { layer: layer.into(), fault: fault.into() }
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(scratch: &'a Path, limits: &'a Limits) -> Self {
        let (left, memory) = (AtomicU64::new(limits.data), AtomicU64::new(IN_MEMORY));
        Self { scratch, limits, spools: AtomicUsize::new(0), left, memory }
    }

    fn spool(&self) -> Result<(PathBuf, File), OpenFault> {
        let path = self.scratch.join(self.spools.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create_new(&path).map_err(OpenFault::scratch(&path))?;
        Ok((path, file))
    }

    /// The plain form of an image's file: where it lies, unless it is compressed.
    pub(super) fn plain(&self, file: &Blob) -> Result<Blob, OpenFault> {
        if !compressed(file)? {
            return Ok(file.clone());
        }
        let (path, mut spool) = self.spool()?;
        let mut reader = self.decoder(file.reader().map_err(OpenFault::Read)?)?;
        let mut buf = vec![0; STEP];
        let mut size = 0;
        loop {
            let n = match reader.read(&mut buf) {
                Ok(0) => return Ok(Blob { path, at: 0, size }),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(OpenFault::of_decoder(error)),
            };
            spool.write_all(buf.get(..n).unwrap_or_default()).map_err(OpenFault::scratch(&path))?;
            size += n as u64;
        }
    }

    fn decoder<'r>(&self, reader: impl io::BufRead + Send + 'r) -> Result<Box<dyn Read + Send + 'r>, OpenFault> {
        decompress(reader, &FILES, self.limits).map_err(OpenFault::Compressed)
    }

    /// All entries of the plain archive in `blob`, of which nothing else is read.
    pub(super) fn entries(&self, blob: &Blob, end: End) -> Result<Vec<Entry>, LayerFault> {
        let reader = blob.reader_with(HEADERS).map_err(TarFault::from_io)?;
        let (mut reader, position) = Counted::new(reader);
        let file = Arc::new(SegmentFile::new(&blob.path));
        let mut entries = Entries::new(&mut reader, self.limits).of_images(end);
        let mut out = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            let at = blob.at + position.get();
            let content = match entry.kind {
                TarKind::File(size) => {
                    entries.pass_over()?;
                    Some(stretch(&file, at, size)?)
                }
                _ => None,
            };
            out.push(Entry { entry, content, at });
        }
        Ok(out)
    }

    /// Reads a layer and compares it with its digest, if it has one; `name` is for errors.
    pub(super) fn layer(&self, layer: &LayerBlob, name: &str) -> Result<Layer, OpenFault> {
        let blob = &layer.blob;
        if !compressed(blob)? {
            let digest = layer.verify()?;
            self.charge(blob.size)?;
            let entries = self.entries(blob, End::Anywhere).map_err(|fault| tar_fault(name, fault))?;
            return Ok(Layer { entries, digest, diff_id: digest });
        }
        let seen = Arc::new(Mutex::new(Sha256Writer::new(io::sink())));
        let watched = Watched { inner: blob.section().map_err(OpenFault::Read)?, seen: Arc::clone(&seen) };
        let read = self.spooled(watched, name);
        let seen =
            std::mem::replace(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner), Sha256Writer::new(io::sink()));
        let digest = match (read.is_ok(), seen.finish()) {
            (true, (_, digest, size)) if size == blob.size => match layer.digest {
                Some(wanted) if wanted != digest => {
                    return Err(OpenFault::Digest { name: layer.name.clone(), found: digest });
                }
                _ => digest,
            },
            // That it is another one is said before what is wrong with it.
            _ => layer.verify()?,
        };
        let (entries, diff_id) = read?;
        Ok(Layer { entries, digest, diff_id })
    }

    /// All entries of a compressed layer, and the digest of its plain tar.
    fn spooled(&self, blob: impl Read + Send, name: &str) -> Result<(Vec<Entry>, Sha256), OpenFault> {
        let (path, spool) = self.spool()?;
        let mut out = Sha256Writer::new(spool);
        let failed = Rc::new(RefCell::new(None));
        // The decoder cannot know how much other layers take.
        let inner = Rest { inner: self.decoder(BufReader::with_capacity(STEP, blob))?, all: self };
        let tee = Tee { inner, out: &mut out, failed: Rc::clone(&failed) };
        let (reader, position) = Counted::new(BufReader::with_capacity(STEP, tee));
        let read = self.streamed(reader, &position, &Arc::new(SegmentFile::new(&path)));
        if let Some(source) = failed.take() {
            return Err(OpenFault::Scratch { path, source });
        }
        let entries = read.map_err(|fault| tar_fault(name, fault))?;
        Ok((entries, out.finish().1))
    }

    fn streamed(
        &self,
        mut reader: impl Read,
        position: &Cell<u64>,
        file: &Arc<SegmentFile>,
    ) -> Result<Vec<Entry>, LayerFault> {
        let mut entries = Entries::new(&mut reader, self.limits).of_images(End::Anywhere);
        let mut out = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            let at = position.get();
            let content = match entry.kind {
                TarKind::File(size) if size <= SMALL && take(&self.memory, size) => {
                    let mut bytes = Vec::new();
                    entries.read_to_end(&mut bytes).map_err(TarFault::from_io)?;
                    Some(Content::inline(bytes))
                }
                TarKind::File(size) => Some(stretch(file, at, size)?),
                _ => None,
            };
            out.push(Entry { entry, content, at });
        }
        drop(entries);
        // Where an archive may end anywhere, the decoder has not been asked yet whether it is content.
        io::copy(&mut reader, &mut io::sink()).map_err(TarFault::from_io)?;
        Ok(out)
    }

    /// Counts bytes of plain archives that are taken from where they lie.
    pub(super) fn charge(&self, size: u64) -> Result<(), LimitReached> {
        let reached = LimitReached::new("bytes of files", self.limits.data).key("unpacked");
        if take(&self.left, size) { Ok(()) } else { Err(reached) }
    }
}

/// Takes so much of what is left, if there is so much.
fn take(left: &AtomicU64, size: u64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).is_ok()
}

fn stretch(file: &Arc<SegmentFile>, at: u64, size: u64) -> Result<Content, TarFault> {
    let end = at.checked_add(size).ok_or(TarFault::Truncated)?;
    Ok(Content::stretch(Arc::clone(file), at..end))
}

/// Whether what is in `blob` is compressed.
fn compressed(blob: &Blob) -> Result<bool, OpenFault> {
    let mut head = Vec::new();
    blob.section().and_then(|reader| reader.take(512).read_to_end(&mut head)).map_err(OpenFault::Read)?;
    Ok(is_compressed(&head))
}

/// Fails as soon as more comes than all layers together may have.
struct Rest<'a, R> {
    inner: R,
    all: &'a Unpacker<'a>,
}

impl<R: Read> Read for Rest<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.all.charge(n as u64).map_err(io::Error::other)?;
        Ok(n)
    }
}
