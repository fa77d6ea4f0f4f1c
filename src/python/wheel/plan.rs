//! From a wheel's entries to installed files: places, modes, `#!` lines, commands, RECORD and INSTALLER.
//!
//! In: a [`Wheel`], a [`Layout`], a filter. Out: [`Planned`] files, sorted by path, each path once.

use std::{
    collections::{BTreeMap, btree_map},
    io::{self, Write},
    sync::Arc,
};

use super::{Layout, Wheel, WheelError, WheelFault, at, record};
use crate::{
    base::{RootPath, Sha256, Sha256Writer},
    deb::shown,
    unpack::SHEBANG,
};

/// What no wheel may bring, because it tells of an installation (PEP 376, 610, 627, 710), and RECORD's signatures,
/// which the new RECORD would make false.
const INSTALLERS: [&str; 7] =
    ["RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json", "provenance_url.json"];

/// A file to be installed.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Where it goes.
    pub path: RootPath,
    /// 0644 or 0755.
    pub mode: u32,
    /// Seconds since 1970, not before 1980.
    pub mtime: i64,
    /// Bytes, as installed.
    pub size: u64,
    /// The digest, as installed.
    pub sha256: Sha256,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// An entry of the archive as it is.
    Entry(usize),
    /// One whose `#!` line begins anew: the interpreter.
    Script(usize, Arc<str>),
    /// Bytes made here.
    Made(Arc<[u8]>),
}

/// A file with what is needed until the plan is complete.
struct Draft {
    planned: Planned,
    /// The entry or what it was made of, for messages.
    source: String,
    kept: bool,
}

/// Where an entry goes.
enum Scheme {
    Plain,
    Script,
}

/// The filter: a path as it will be, whether it is executable, and how its content begins.
pub type Keeps<'a> = dyn Fn(&RootPath, bool, &[u8]) -> bool + 'a;

impl Wheel {
    /// Reads all content once, verifies it against RECORD, and says what is installed where. `keeps` decides which
    /// files are; those that go are verified too, and are not in the new RECORD.
    ///
    /// # Errors
    /// Content that RECORD does not vouch for, or that cannot be unpacked; files that would land on one another, in
    /// another project's `.dist-info` or outside the schemes; more than the limits allow.
    pub fn plan(&mut self, layout: &Layout, keeps: &Keeps<'_>) -> Result<Vec<Planned>, WheelError> {
        self.drafts(layout, keeps).map_err(at(&self.file_name))
    }

    /// Writes the content of a planned file once more.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no longer what it was.
    pub fn read(&mut self, planned: &Planned, out: &mut dyn Write) -> Result<(), WheelError> {
        self.read_again(planned, out).map_err(at(&self.file_name))
    }

    fn read_again(&mut self, planned: &Planned, out: &mut dyn Write) -> Result<(), WheelFault> {
        let mut hash = Sha256Writer::new(out);
        match &planned.content {
            Content::Made(bytes) => hash.write_all(bytes).map_err(WheelFault::Write)?,
            Content::Entry(entry) => _ = self.archive.copy(*entry, u64::MAX, &mut hash)?,
            Content::Script(entry, interpreter) => {
                let mut script = Script::new(interpreter, &mut hash);
                self.archive.copy(*entry, u64::MAX, &mut script)?;
                script.finish().map_err(WheelFault::Write)?;
            }
        }
        let (_, sha256, size) = hash.finish();
        if (sha256, size) != (planned.sha256, planned.size) {
            return Err(WheelFault::Changed(planned.path.clone()));
        }
        Ok(())
    }

    fn drafts(&mut self, layout: &Layout, keeps: &Keeps<'_>) -> Result<Vec<Planned>, WheelFault> {
        let interpreter: Arc<str> = layout.interpreter.as_str().into();
        let mut drafts = BTreeMap::new();
        let mut left = self.archive.total();
        for index in 0..self.archive.entries.len() {
            let Some(entry) = self.archive.entries.get(index).cloned() else { break };
            if self.is_record(&entry.name) {
                continue;
            }
            let Some(row) = self.record.get(&entry.name) else {
                return Err(WheelFault::Unrecorded(entry.name));
            };
            let place = self.place(&entry.name, layout)?;
            let is_script = matches!(place, Some((_, Scheme::Script)));
            let mut reading = Reading {
                check: row.check(),
                head: Vec::new(),
                script: is_script.then(|| Script::new(&interpreter, Sha256Writer::new(io::sink()))),
            };
            left = left.saturating_sub(self.archive.copy(index, left, &mut reading)?);
            let Reading { check, mut head, script } = reading;
            let (mut sha256, mut size) = check.finish(&entry.name)?;
            let mut content = Content::Entry(index);
            if let Some((script, Some(line))) = script.map(|script| (script, rewritten(&head, &interpreter))) {
                runs(layout)?;
                let writer = script.finish().map_err(WheelFault::Write)?;
                (_, sha256, size) = writer.finish();
                content = Content::Script(index, interpreter.clone());
                head = [line.1.as_slice(), head.get(line.0..).unwrap_or_default()].concat();
                head.truncate(SHEBANG);
            }
            let Some((path, _)) = place else { continue };
            let mode = if entry.executable || is_script { 0o755 } else { 0o644 };
            let kept = keeps(&path, mode == 0o755, &head);
            let planned = Planned { path, mode, mtime: entry.mtime, size, sha256, content };
            add(&mut drafts, Draft { planned, source: entry.name, kept })?;
        }
        for point in &self.entry_points {
            runs(layout)?;
            let path = layout.scripts.join(&point.name)?;
            let source = format!("{} (of entry_points.txt)", point.name);
            add(&mut drafts, self.made(path, 0o755, point.program(&interpreter).into_bytes(), source, keeps))?;
        }
        let dist_info = layout.site.join(self.dist_info())?;
        let installer = dist_info.join("INSTALLER")?;
        add(&mut drafts, self.made(installer, 0o644, b"compose\n".to_vec(), "INSTALLER".into(), keeps))?;
        let own = dist_info.join("RECORD")?;
        let mut rows = vec![(layout.recorded(&own), None)];
        for Draft { planned, kept, .. } in drafts.values() {
            if *kept {
                rows.push((layout.recorded(&planned.path), Some((planned.sha256, planned.size))));
            }
        }
        let text = record::write(rows).map_err(WheelFault::Write)?;
        add(&mut drafts, self.made(own, 0o644, text, "RECORD".into(), keeps))?;
        nothing_below_files(&drafts)?;
        Ok(drafts.into_values().filter(|draft| draft.kept).map(|draft| draft.planned).collect())
    }

    fn made(&self, path: RootPath, mode: u32, bytes: Vec<u8>, source: String, keeps: &Keeps<'_>) -> Draft {
        let kept = keeps(&path, mode == 0o755, &bytes[..bytes.len().min(SHEBANG)]);
        let (size, sha256) = (bytes.len() as u64, Sha256::of(&bytes));
        let content = Content::Made(bytes.into());
        Draft { planned: Planned { path, mode, mtime: self.mtime, size, sha256, content }, source, kept }
    }

    /// Where an entry goes; `None` for what only an installer may write.
    fn place(&self, name: &str, layout: &Layout) -> Result<Option<(RootPath, Scheme)>, WheelFault> {
        let refused = |why| WheelFault::Entry { name: shown(name.as_bytes()), why };
        if self.in_dist_info(name).is_some_and(|rest| INSTALLERS.contains(&rest)) {
            return Ok(None);
        }
        let (path, scheme) = match name.split_once('/').map(|(top, rest)| (top.strip_suffix(".data"), rest)) {
            Some((Some(stem), rest)) => {
                if stem != self.stem {
                    return Err(refused("its .data directory is not this wheel's"));
                }
                let (scheme, rest) = rest.split_once('/').ok_or_else(|| refused("it lies in no scheme of .data"))?;
                match scheme {
                    "purelib" | "platlib" => (layout.site.join(rest)?, Scheme::Plain),
                    "scripts" => (layout.scripts.join(rest)?, Scheme::Script),
                    "headers" => (layout.headers.join(&self.about.name)?.join(rest)?, Scheme::Plain),
                    "data" => (layout.data.join(rest)?, Scheme::Plain),
                    _ => {
                        return Err(refused("its .data scheme is not purelib, platlib, scripts, headers or data"));
                    }
                }
            }
            _ => (layout.site.join(name)?, Scheme::Plain),
        };
        let top = path.strip_prefix(&layout.site).and_then(|rest| rest.split(|&b| b == b'/').next());
        if let Some(top) = top.filter(|top| top.ends_with(b".dist-info")) {
            if top != self.dist_info().as_bytes() {
                return Err(refused("it would land in another project's .dist-info"));
            }
            if INSTALLERS.contains(&&*String::from_utf8_lossy(path.file_name())) && self.in_dist_info(name).is_none() {
                return Err(refused("it would land where the installer writes"));
            }
        }
        Ok(Some((path, scheme)))
    }
}

/// Fails when the layout's interpreter cannot stand in a `#!` line.
fn runs(layout: &Layout) -> Result<(), WheelFault> {
    if layout.runs_scripts() { Ok(()) } else { Err(WheelFault::Interpreter(shown(layout.interpreter.as_bytes()))) }
}

/// Adds a file. Two of one path are one if their bytes are the same.
fn add(drafts: &mut BTreeMap<RootPath, Draft>, draft: Draft) -> Result<(), WheelFault> {
    match drafts.entry(draft.planned.path.clone()) {
        btree_map::Entry::Vacant(free) => {
            free.insert(draft);
        }
        btree_map::Entry::Occupied(taken) => {
            let known = taken.into_mut();
            if (known.planned.sha256, known.planned.size) != (draft.planned.sha256, draft.planned.size) {
                return Err(collision(&draft, known, "they are one path, and their bytes differ"));
            }
            known.planned.mode |= draft.planned.mode;
            known.kept |= draft.kept;
        }
    }
    Ok(())
}

fn nothing_below_files(drafts: &BTreeMap<RootPath, Draft>) -> Result<(), WheelFault> {
    // What lies below a path follows it at once in this order.
    let mut pairs = drafts.values().zip(drafts.values().skip(1));
    match pairs.find(|(above, below)| below.planned.path.starts_with(&above.planned.path)) {
        Some((above, below)) => Err(collision(below, above, "one is a file where the other needs a directory")),
        None => Ok(()),
    }
}

fn collision(new: &Draft, old: &Draft, why: &'static str) -> WheelFault {
    WheelFault::Collision { name: shown(new.source.as_bytes()), other: shown(old.source.as_bytes()), why }
}

/// If content that begins with `head` is a script for the installer to adapt: how many bytes go, and what stands in
/// their place. The first line then begins with `#!python` (PEP 427, “Recommended installer features”), which may be
/// `#!pythonw` or a version's name; what follows the word stays, but for the carriage return of a Windows line end,
/// which Linux would take for a part of the interpreter's name.
fn rewritten(head: &[u8], interpreter: &str) -> Option<(usize, Vec<u8>)> {
    let head = &head[..head.len().min(SHEBANG)];
    if !head.starts_with(b"#!python") {
        return None;
    }
    let word = head.iter().position(u8::is_ascii_whitespace).or((head.len() < SHEBANG).then_some(head.len()))?;
    let mut line = [b"#!", interpreter.as_bytes()].concat();
    let end = head.iter().position(|&b| b == b'\n');
    let arguments = end.and_then(|end| head.get(word..end)).and_then(|rest| rest.strip_suffix(b"\r"));
    line.extend_from_slice(arguments.unwrap_or_default());
    Some((end.filter(|_| arguments.is_some()).unwrap_or(word), line))
}

/// Passes a script on with its first line adapted.
struct Script<'a, W> {
    interpreter: &'a str,
    /// The beginning, until it can be judged.
    head: Option<Vec<u8>>,
    inner: W,
}

impl<'a, W: Write> Script<'a, W> {
    fn new(interpreter: &'a str, inner: W) -> Self {
        Self { interpreter, head: Some(Vec::new()), inner }
    }

    fn judge(&mut self) -> io::Result<()> {
        let Some(head) = self.head.take() else { return Ok(()) };
        match rewritten(&head, self.interpreter) {
            Some((cut, line)) => {
                self.inner.write_all(&line)?;
                self.inner.write_all(head.get(cut..).unwrap_or_default())
            }
            None => self.inner.write_all(&head),
        }
    }

    fn finish(mut self) -> io::Result<W> {
        self.judge()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Script<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(head) = &mut self.head {
            head.extend_from_slice(buf);
            if head.len() >= SHEBANG {
                self.judge()?;
            }
        } else {
            self.inner.write_all(buf)?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The first reading of an entry: hashed, its beginning kept, and for scripts hashed again as installed.
struct Reading<'a> {
    check: record::Check<'a>,
    head: Vec<u8>,
    script: Option<Script<'a, Sha256Writer<io::Sink>>>,
}

impl Write for Reading<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let missing = SHEBANG.saturating_sub(self.head.len());
        self.head.extend_from_slice(&buf[..buf.len().min(missing)]);
        self.check.write_all(buf)?;
        if let Some(script) = &mut self.script {
            script.write_all(buf)?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
