//! One layer: decompressed, hashed, and laid over what is there.
//!
//! In: a [`Blob`]. Out: entries laid into the [`Rootfs`], and the digest of the plain tar. A compressed layer's plain
//! tar goes to a file of the scratch folder, called by a number, in passing; the content of files is a stretch of that,
//! or of the image itself where the layer is not compressed. Small ones are held in memory.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use super::{
    error::{LayerFault, OpenFault},
    rootfs::{Bytes, Rootfs},
    source::Blob,
};
use crate::{
    base::{Sha256, Sha256Writer},
    deb::{End, Entries, LimitReached, Limits, TarFault, TarKind, decompress, is_compressed},
    tree::SegmentFile,
};

/// Files up to this many bytes are held in memory,
const SMALL: u64 = 4 << 10;

/// as long as all of them are not more than this many.
const IN_MEMORY: u64 = 64 << 20;

/// How much is read at a time, bytes.
const STEP: usize = 128 << 10;

/// What all layers of an image share.
pub(super) struct Unpacker<'a> {
    scratch: &'a Path,
    limits: &'a Limits,
    /// Files made in the scratch folder.
    spools: usize,
    /// Bytes of plain layers that may still come.
    left: u64,
    /// Bytes that may still be held in memory.
    memory: u64,
}

/// Counts what is read through it.
pub(super) struct Counted<R> {
    inner: R,
    position: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    /// The reader, and where its position can be seen.
    pub(super) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
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

/// A fault of `layer`.
pub(super) fn tar_fault(layer: &str, fault: impl Into<LayerFault>) -> OpenFault {
    OpenFault::Layer { layer: layer.into(), fault: fault.into() }
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(scratch: &'a Path, limits: &'a Limits) -> Self {
        Self { scratch, limits, spools: 0, left: limits.data, memory: IN_MEMORY }
    }

    fn spool(&mut self) -> Result<(PathBuf, File), OpenFault> {
        let path = self.scratch.join(self.spools.to_string());
        self.spools += 1;
        let file = File::create_new(&path).map_err(OpenFault::scratch(&path))?;
        Ok((path, file))
    }

    /// The plain form of an image's file, and the digest of that if it was compressed.
    pub(super) fn plain(&mut self, file: &Blob) -> Result<(Blob, Option<Sha256>), OpenFault> {
        if !compressed(file)? {
            return Ok((file.clone(), None));
        }
        let (path, spool) = self.spool()?;
        let mut reader = self.decoder(file)?;
        let mut out = Sha256Writer::new(spool);
        let mut buf = vec![0; STEP];
        loop {
            let n = match reader.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(OpenFault::of_decoder(error)),
            };
            out.write_all(buf.get(..n).unwrap_or_default()).map_err(OpenFault::scratch(&path))?;
        }
        let (_, sha256, size) = out.finish();
        Ok((Blob { path, at: 0, size }, Some(sha256)))
    }

    fn decoder(&self, blob: &Blob) -> Result<Box<dyn Read + Send>, OpenFault> {
        let reader = blob.reader().map_err(OpenFault::Read)?;
        decompress(reader, self.limits.data, "bytes of files", self.limits).map_err(OpenFault::Compressed)
    }

    /// Lays the layer in `blob`, which is called `name` in errors. `known` is the digest of the blob; the answer is that
    /// of the plain tar, the same if it is not compressed. `end` says whether the tar must have its end marker.
    pub(super) fn lay(
        &mut self,
        rootfs: &mut Rootfs,
        blob: &Blob,
        known: Sha256,
        name: &str,
        end: End,
    ) -> Result<Sha256, OpenFault> {
        rootfs.next_layer();
        if !compressed(blob)? {
            let (reader, position) = Counted::new(blob.reader().map_err(OpenFault::Read)?);
            let file = Arc::new(SegmentFile::new(&blob.path));
            self.charge(blob.size)?;
            self.entries(rootfs, reader, &position, &file, blob.at, end).map_err(|fault| tar_fault(name, fault))?;
            return Ok(known);
        }
        let (path, spool) = self.spool()?;
        let mut out = Sha256Writer::new(spool);
        let failed = Rc::new(RefCell::new(None));
        // The decoder cannot know how much other layers took.
        let inner = Rest { inner: self.decoder(blob)?, left: self.left, limit: self.limits.data };
        let tee = Tee { inner, out: &mut out, failed: Rc::clone(&failed) };
        let (reader, position) = Counted::new(io::BufReader::with_capacity(STEP, tee));
        let file = Arc::new(SegmentFile::new(&path));
        let laid = self.entries(rootfs, reader, &position, &file, 0, end);
        if let Some(source) = failed.take() {
            return Err(OpenFault::Scratch { path, source });
        }
        laid.map_err(|fault| tar_fault(name, fault))?;
        let (_, sha256, size) = out.finish();
        self.charge(size)?;
        Ok(sha256)
    }

    fn charge(&mut self, size: u64) -> Result<(), LimitReached> {
        let reached = LimitReached { what: "bytes of files", limit: self.limits.data };
        self.left = self.left.checked_sub(size).ok_or(reached)?;
        Ok(())
    }

    /// Lays all entries; the content of each file is found in `file`, where the archive begins at `start`.
    fn entries(
        &mut self,
        rootfs: &mut Rootfs,
        mut reader: impl Read,
        position: &Cell<u64>,
        file: &Arc<SegmentFile>,
        start: u64,
        end: End,
    ) -> Result<(), LayerFault> {
        let mut entries = Entries::new(&mut reader, self.limits).of_images(end);
        while let Some(entry) = entries.next_entry()? {
            let bytes = match entry.kind {
                TarKind::File(size) => {
                    let at = start + position.get();
                    let read = self.bytes(&mut entries, file, at, size);
                    Some(read.map_err(TarFault::from_io)?)
                }
                _ => None,
            };
            rootfs.lay(entry, bytes)?;
        }
        drop(entries);
        // Where an archive may end anywhere, the decoder has not been asked yet whether it is content.
        io::copy(&mut reader, &mut io::sink()).map_err(TarFault::from_io)?;
        Ok(())
    }

    fn bytes(&mut self, entries: &mut impl Read, file: &Arc<SegmentFile>, at: u64, size: u64) -> io::Result<Bytes> {
        if size <= SMALL && size <= self.memory {
            let mut bytes = Vec::new();
            entries.read_to_end(&mut bytes)?;
            self.memory -= size;
            return Ok(Bytes::Here(bytes.into()));
        }
        let end = at.checked_add(size).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Bytes::There(Arc::clone(file), at..end))
    }
}

/// Whether what is in `blob` is compressed.
fn compressed(blob: &Blob) -> Result<bool, OpenFault> {
    let mut head = Vec::new();
    blob.reader().and_then(|reader| reader.take(512).read_to_end(&mut head)).map_err(OpenFault::Read)?;
    Ok(is_compressed(&head))
}

/// Fails as soon as more than `left` bytes come, and says that `limit` was reached.
struct Rest<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let reached = LimitReached { what: "bytes of files", limit: self.limit };
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other(reached))?;
        Ok(n)
    }
}
