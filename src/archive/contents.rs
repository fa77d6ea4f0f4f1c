//! Which packages ship a shared library or a file: Debian's Contents indexes, fetched when somebody asks.
//!
//! In: [`LoadedSuite`]s, whose Releases say which Contents there are. Out: [`Sonames`], and the owners of files. An
//! index is read as it is decompressed; what is learnt is kept in the store ([`kept`]).
//!
//! A Contents index says where to look. What a package has is known once its `.deb` is unpacked.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod kept;
mod parse;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rayon::prelude::*;

use crate::base::{Arch, PackageName, RootPath};

use super::{
    ArchiveError, ErrorClass, IndexFault,
    fetch::{join, shown},
    index::{Choice, LoadedSuite, Loader, decoder, keyring},
    release::Release,
    suites::{SuiteRequest, is_word},
};
pub(super) use kept::is_sound;
use kept::{Gathered, MAX_TEXT, Table};
use parse::{lines, place};

/// Largest Contents index, bytes; Debian's largest has some 600 MB.
const MAX_CONTENTS: u64 = 8 << 30;

/// Where a suite's Contents indexes are.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    request: SuiteRequest,
    base: String,
    state: State,
    /// Other names of the suite, below which a mirror may hold it too.
    others: Vec<String>,
    /// The state below one of these, once it was asked for.
    other: Arc<OnceLock<Option<(Release, State)>>>,
    pub(super) files: Vec<File>,
}

/// One state of a suite.
#[derive(Debug, Clone)]
struct State {
    folder: String,
    by_hash: bool,
}

/// One Contents index.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Without the suffix of its compression.
    path: String,
    /// A Debian name, or `all`.
    arch: &'static str,
    choice: Choice,
    /// Whether this run knows, and has told, that the mirror lacks it.
    is_lacking: Arc<AtomicBool>,
}

impl Contents {
    /// What the Release lists: an index of each component, or, in older archives, one of all.
    pub(super) fn listed(request: &SuiteRequest, base: &str, release: &Release, arch: Arch) -> Self {
        let mut files = Vec::new();
        for arch in [arch.as_str(), "all"] {
            let file = |path: String| {
                Some(File { choice: Choice::find(release, &path)?, path, arch, is_lacking: Arc::default() })
            };
            let of_component = |component| file(format!("{component}/Contents-{arch}"));
            let before = files.len();
            files.extend(request.components.iter().filter_map(of_component));
            if files.len() == before {
                files.extend(file(format!("Contents-{arch}")));
            }
        }
        let names = [&release.info.codename, &release.info.suite].into_iter().flatten();
        let others = names.filter(|name| **name != request.suite && is_word(name)).cloned().collect();
        let folder = join(base, &format!("dists/{}", request.suite));
        let state = State { folder, by_hash: release.by_hash };
        Self { request: request.clone(), base: base.into(), state, others, other: Arc::default(), files }
    }
}

/// Which packages ship a shared library, by the name that a loader asks for.
#[derive(Debug, Clone, Default)]
pub struct Sonames {
    tables: Vec<Table>,
}

impl Sonames {
    /// The packages that ship it where ld.so looks; each once, sorted.
    ///
    /// If there is none, those that ship it one folder further down, provided that there is more than one such folder:
    /// then it is a choice that update-alternatives makes (`blas/libblas.so.3`, `openblas-pthread/libblas.so.3`), and not
    /// something private. In trixie these are BLAS and LAPACK, and nothing else.
    pub fn packages(&self, soname: &[u8]) -> Vec<PackageName> {
        let (mut direct, mut aside, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let entries = self.tables.iter().flat_map(|table| table.from(soname).take_while(|entry| entry.name == soname));
        for entry in entries {
            match entry.folder {
                None => direct.extend(entry.packages()),
                Some(folder) => {
                    folders.insert(folder);
                    aside.extend(entry.packages());
                }
            }
        }
        if direct.is_empty() && folders.len() > 1 {
            direct = aside;
        }
        direct.into_iter().collect()
    }

    /// Whether no suite has a Contents index.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// How many names there are where ld.so looks.
    pub fn direct(&self) -> usize {
        let entries = self.tables.iter().flat_map(|table| table.from(b""));
        entries.filter(|entry| entry.folder.is_none()).map(|entry| entry.name).collect::<BTreeSet<_>>().len()
    }

    /// Other versions of the library that some package ships: for `libssl.so.1.1`, `libssl.so.3`. Neither the names
    /// that only a compiler asks for, nor those of files that another of them links to.
    pub fn near(&self, soname: &[u8]) -> Vec<String> {
        let Some(stem) = memchr::memmem::find(soname, b".so").and_then(|at| soname.get(..at + 3)) else {
            return Vec::new();
        };
        let begin = [stem, b"."].concat();
        let mut names: BTreeSet<&[u8]> = BTreeSet::new();
        for table in &self.tables {
            names.extend(table.from(&begin).map(|entry| entry.name).take_while(|name| name.starts_with(&begin)));
        }
        let is_file_of = |name: &[u8], link: &[u8]| name.strip_prefix(link).is_some_and(|rest| rest.starts_with(b"."));
        let mut near: Vec<_> = names
            .iter()
            .filter(|name| **name != soname && !names.iter().any(|link| is_file_of(name, link)))
            .filter(|name| !self.packages(name).is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        near.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        near
    }

    /// Of pairs of a library that lies where ld.so looks and a package.
    #[cfg(test)]
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut gathered = Gathered::default();
        for (name, package) in pairs {
            gathered.add(name.as_bytes(), parse::Shelved::Direct, package);
        }
        Self { tables: vec![gathered.table()] }
    }
}

/// What is asked of an index.
#[derive(Clone, Copy)]
struct Ask<'a> {
    arch: Arch,
    sonames: bool,
    /// As [`place`] has them.
    places: &'a BTreeSet<&'a [u8]>,
}

/// What an index says.
#[derive(Default)]
struct Found {
    table: Option<Table>,
    owners: BTreeMap<Vec<u8>, BTreeSet<PackageName>>,
}

impl Loader<'_> {
    /// Shared libraries by the name a loader asks for, over all suites. Only the architecture's own indexes are read:
    /// a package for all architectures has no place for a library.
    ///
    /// # Errors
    /// An index that the Release of a suite lists, and that cannot be had or read. A suite that lists none has none.
    pub fn sonames(&self, suites: &[LoadedSuite], arch: Arch) -> Result<Sonames, ArchiveError> {
        let found = self.ask(suites, Ask { arch, sonames: true, places: &BTreeSet::new() })?;
        Ok(Sonames { tables: found.into_iter().filter_map(|found| found.table).collect() })
    }

    /// The packages that ship each of these files, over all suites; an empty list where nothing does. `/bin/x` and
    /// `/usr/bin/x` are the same place (merged-/usr).
    ///
    /// # Errors
    /// As [`Loader::sonames`].
    pub fn owners(
        &self,
        suites: &[LoadedSuite],
        arch: Arch,
        paths: &BTreeSet<RootPath>,
    ) -> Result<BTreeMap<RootPath, Vec<PackageName>>, ArchiveError> {
        let places = paths.iter().map(|path| place(path.as_bytes())).collect();
        let found = self.ask(suites, Ask { arch, sonames: false, places: &places })?;
        let owners = |path: &RootPath| {
            let place = place(path.as_bytes());
            let names: BTreeSet<_> = found.iter().filter_map(|found| found.owners.get(place)).flatten().collect();
            names.into_iter().cloned().collect()
        };
        Ok(paths.iter().map(|path| (path.clone(), owners(path))).collect())
    }

    fn ask(&self, suites: &[LoadedSuite], ask: Ask<'_>) -> Result<Vec<Found>, ArchiveError> {
        if !ask.sonames && ask.places.is_empty() {
            return Ok(Vec::new());
        }
        self.progress.phase("Reading Contents", None);
        let of_suite = |suite: &LoadedSuite| -> Vec<Result<Option<Found>, ArchiveError>> {
            let files = suite.contents.files.par_iter();
            let files = files.filter(|file| file.arch == ask.arch.as_str() || !ask.places.is_empty());
            files.map(|file| self.anywhere(&suite.contents, file, ask)).collect()
        };
        let found: Vec<Vec<_>> = suites.par_iter().map(of_suite).collect();
        found.into_iter().flatten().filter_map(Result::transpose).collect()
    }

    /// What the index says, in the state of the suite that was loaded; if the mirror lacks it (it is in the middle of
    /// an update), in the state that the mirror holds by the suite's other name, if that is as well signed. Of a suite
    /// that only adds to another it may be missing.
    fn anywhere(&self, contents: &Contents, file: &File, ask: Ask<'_>) -> Result<Option<Found>, ArchiveError> {
        let mut error = None;
        if !file.is_lacking.load(Ordering::Relaxed) {
            error = match self.found(&contents.state, file, ask) {
                Ok(found) => return Ok(Some(found)),
                Err(ArchiveError::Fetch(error)) if error.is_missing() || error.class() == ErrorClass::Signature => {
                    Some(error)
                }
                Err(error) => return Err(error),
            };
        }
        let suite = &contents.request.suite;
        let lacks = |so: &str| {
            if !file.is_lacking.swap(true, Ordering::Relaxed) {
                let path = &file.path;
                self.progress.notice(&format!("the mirror has not the {path} that the Release of {suite} lists; {so}"));
            }
        };
        let state =
            contents.other.get_or_init(|| contents.others.iter().find_map(|name| self.other_state(contents, name)));
        if let Some((release, state)) = state
            && let Some(choice) = Choice::find(release, &file.path)
            && let Ok(found) = self.found(state, &File { choice, ..file.clone() }, ask)
        {
            let (folder, date) = (shown(&state.folder), release.info.date);
            lacks(&format!("the one in {folder} of {date} is used instead"));
            return Ok(Some(found));
        }
        if contents.request.additional {
            lacks("it is left out");
            return Ok(None);
        }
        match error {
            Some(error) => Err(error.into()),
            None => self.found(&contents.state, file, ask).map(Some),
        }
    }

    /// The suite by another of its names, if its Release is as good.
    fn other_state(&self, contents: &Contents, name: &str) -> Option<(Release, State)> {
        let folder = join(&contents.base, &format!("dists/{name}"));
        let keys = keyring(&contents.request.keys).ok()?;
        // What is wrong with it need not be told: what is missed is the state that was asked for.
        let (release, _) = self.release(&contents.request, &folder, keys.as_ref()).ok()?;
        let by_hash = release.by_hash;
        Some((release, State { folder, by_hash }))
    }

    /// What the index says, from the store or the mirror.
    fn found(&self, state: &State, file: &File, ask: Ask<'_>) -> Result<Found, ArchiveError> {
        let File { arch, choice, .. } = file;
        let is_native = *arch == ask.arch.as_str();
        if choice.plain.as_ref().is_some_and(|plain| plain.size == 0) {
            return Ok(Found { table: is_native.then(|| Gathered::default().table()), ..Found::default() });
        }
        let index = &choice.packed.sha256;
        let table_key = kept::table_key(index, ask.arch);
        let mut found = Found::default();
        if is_native {
            found.table = kept::kept_table(self.store, &table_key);
        }
        let mut scan = Scan { arch: (is_native && found.table.is_none()).then_some(ask.arch), ..Scan::default() };
        for &place in ask.places {
            match kept::kept_owners(self.store, &kept::owners_key(index, place)) {
                Some(owners) => _ = found.owners.insert(place.into(), owners),
                None => scan.want(place),
            }
        }
        if scan.owners.is_empty() && !(ask.sonames && scan.arch.is_some()) {
            return Ok(found);
        }
        self.scan(state, choice, &mut scan)?;
        if scan.arch.is_some() {
            let table = scan.gathered.table();
            kept::keep_table(self.store, &table_key, &table)?;
            found.table = Some(table);
        }
        for (place, owners) in scan.owners {
            kept::keep_owners(self.store, &kept::owners_key(index, place), &owners)?;
            found.owners.insert(place.into(), owners);
        }
        Ok(found)
    }

    /// Reads the index from the mirror.
    fn scan(&self, state: &State, choice: &Choice, scan: &mut Scan<'_>) -> Result<(), ArchiveError> {
        let mut download = self.fetch(&state.folder, state.by_hash, &choice.packed)?;
        let url = shown(&join(&state.folder, &choice.packed.path));
        let broken = |why| ArchiveError::Index { url: url.clone(), why };
        let undecodable = |error: io::Error| broken(IndexFault::Packed(error.to_string()));
        let promised = choice.plain.as_ref().map(|plain| plain.size);
        let limit = promised.unwrap_or(MAX_CONTENTS).min(MAX_CONTENTS);
        let packed = io::BufReader::with_capacity(64 << 10, download.reader()?);
        let reader = decoder(choice.format, packed).map_err(undecodable)?;
        let got = lines(reader, limit, |line| scan.line(line)).map_err(&broken)?;
        if let Some(promised) = promised.filter(|promised| *promised != got) {
            return Err(broken(IndexFault::Size { got, promised }));
        }
        if scan.is_full {
            return Err(broken(IndexFault::TooMuch { limit: MAX_TEXT }));
        }
        // First: once it is kept, no run comes back for the download that a killed one left.
        download.discard();
        Ok(())
    }
}

/// What is gathered from an index's lines.
#[derive(Default)]
struct Scan<'a> {
    /// Libraries are gathered, of this architecture.
    arch: Option<Arch>,
    gathered: Gathered,
    owners: BTreeMap<&'a [u8], BTreeSet<PackageName>>,
    /// Lengths of places asked for: nearly every line is told by its length.
    lengths: BTreeSet<usize>,
    /// Bytes of names in `owners`.
    size: usize,
    is_full: bool,
    is_in_list: bool,
}

impl<'a> Scan<'a> {
    fn want(&mut self, place: &'a [u8]) {
        self.owners.insert(place, BTreeSet::new());
        self.lengths.insert(place.len());
    }

    fn line(&mut self, line: &[u8]) {
        let Some((path, location)) = parse::split(line) else { return };
        if !self.is_in_list && parse::ends_header(path, location) {
            // What came before was free text.
            self.is_in_list = true;
            self.gathered = Gathered::default();
            self.owners.values_mut().for_each(BTreeSet::clear);
            (self.size, self.is_full) = (0, false);
            return;
        }
        if self.is_full {
            return;
        }
        if let Some(arch) = self.arch
            && let Some((name, at)) = parse::soname(path, arch)
        {
            self.is_full |= parse::packages(location).any(|package| !self.gathered.add(name, at, package));
        }
        let place = place(path);
        if self.lengths.contains(&place.len())
            && let Some(owners) = self.owners.get_mut(place)
        {
            for package in parse::packages(location) {
                self.size += package.len() + 1;
                owners.extend(package.parse::<PackageName>());
            }
            self.is_full |= self.size > MAX_TEXT;
        }
    }
}

#[cfg(test)]
mod tests;
