//! What is kept of a Contents index: the table of its shared libraries, and which packages ship a file asked for.
//!
//! In: what the lines said, or an entry of the store. Out: an entry, or [`Table`]s and names. A file is the key that it
//! is stored under, the length of its text (little-endian, 32 bits), and the text in a zstd frame with zstd's own
//! checksum. Text: a first line that says which of the two it is, then in order, each once, `SONAME FOLDER PACKAGE…`
//! (`FOLDER` is `.` where ld.so looks), or `PACKAGE`. What was cut short, damaged or misplaced is not taken.
//!
//! Of trixie (main, amd64) the table has 26,800 lines and is kept in 0.16 MB. All paths (8.2 million, with those of `all`)
//! would be some 40 MB, for a question that few manifests ask: so only its answers are kept, and a new one reads the index
//! again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::Path,
};

use memchr::{memchr, memchr_iter};

use super::parse::{Shelved, is_soname, is_word};
use crate::{
    base::{Arch, PackageName, Sha256},
    store::{Shelf, Store, StoreError},
};

/// Changes with what is kept and how.
const LAYOUT: &str = "compose contents 1";

/// An eighth of the size; of so little text even a slow level is soon through.
const LEVEL: i32 = 12;

/// Longest text, bytes; Debian's is 1.3 MB.
pub(super) const MAX_TEXT: usize = 64 << 20;

/// First line of a table.
const SONAMES: &[u8] = b"sonames\n";
/// First line of an answer.
const OWNERS: &[u8] = b"owners\n";
/// Says instead of a folder that ld.so looks there.
const DIRECT: &[u8] = b".";

/// What the store calls the table of the Contents index with this digest.
pub(super) fn table_key(index: &Sha256, arch: Arch) -> Sha256 {
    Sha256::of(format!("{LAYOUT}\nsonames\n{arch}\n{}\n", index.hex()).as_bytes())
}

/// What the store calls the answer for one path ([`super::parse::place`]) from the Contents index with this digest.
pub(super) fn owners_key(index: &Sha256, place: &[u8]) -> Sha256 {
    Sha256::of(&[format!("{LAYOUT}\nowners\n{}\n", index.hex()).as_bytes(), place].concat())
}

/// A library's name and its folder.
type Place = (Box<[u8]>, Box<[u8]>);

/// A table in the making.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    lines: BTreeMap<Place, BTreeSet<Box<str>>>,
    /// How much there is of it, bytes.
    size: usize,
}

impl Gathered {
    /// `package` ships the library `name` at this place; whether there is still room.
    pub(super) fn add(&mut self, name: &[u8], at: Shelved<'_>, package: &str) -> bool {
        let folder = match at {
            Shelved::Direct => DIRECT,
            // No folder has this name, but a hostile line may say so.
            Shelved::Aside(DIRECT) => return true,
            Shelved::Aside(folder) => folder,
        };
        self.size += name.len() + folder.len() + package.len() + 4;
        self.lines.entry((name.into(), folder.into())).or_default().insert(package.into());
        self.size <= MAX_TEXT
    }

    /// The table.
    pub(super) fn table(&self) -> Table {
        let mut text = SONAMES.to_vec();
        for ((name, folder), packages) in &self.lines {
            text.extend_from_slice(name);
            text.push(b' ');
            text.extend_from_slice(folder);
            for package in packages {
                text.push(b' ');
                text.extend_from_slice(package.as_bytes());
            }
            text.push(b'\n');
        }
        Table::of(text)
    }
}

/// Shared libraries of one Contents index, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) text: Vec<u8>,
    /// Where each line begins.
    starts: Vec<u32>,
}

/// One line of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    /// The folder below the architecture's; `None` where ld.so looks.
    pub(super) folder: Option<&'a [u8]>,
    /// Separated by spaces.
    packages: &'a [u8],
}

impl Entry<'_> {
    /// Who ships it.
    pub(super) fn packages(&self) -> impl Iterator<Item = PackageName> {
        let names = self.packages.split(|&b| b == b' ');
        names.filter_map(|name| std::str::from_utf8(name).ok()?.parse().ok())
    }
}

impl Table {
    fn of(text: Vec<u8>) -> Self {
        let mut starts = vec![SONAMES.len() as u32];
        starts.extend(memchr_iter(b'\n', &text).skip(1).map(|at| at as u32 + 1));
        // The last is the text's end.
        starts.pop();
        Self { text, starts }
    }

    /// Of a text from the store, if it is one.
    pub(super) fn parse(text: Vec<u8>) -> Option<Self> {
        let lines = text.strip_prefix(SONAMES)?;
        let mut last = None;
        if !lines.is_empty() {
            for line in lines.strip_suffix(b"\n")?.split(|&b| b == b'\n') {
                let Entry { name, folder, packages } = entry(line)?;
                let packages: Vec<_> = packages.split(|&b| b == b' ').collect();
                let at = Some((name, folder.unwrap_or(DIRECT)));
                let is_sound = is_soname(name) && folder.is_none_or(is_word) && at > last;
                if !(is_sound && packages.is_sorted_by(|a, b| a < b) && packages.iter().all(|name| is_package(name))) {
                    return None;
                }
                last = at;
            }
        }
        Some(Self::of(text))
    }

    fn entry(&self, number: usize) -> Option<Entry<'_>> {
        let rest = self.text.get(*self.starts.get(number)? as usize..)?;
        entry(rest.get(..memchr(b'\n', rest)?)?)
    }

    /// The entries from the first whose name is not before `name`, in order.
    pub(super) fn from<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let is_before = |number: usize| self.entry(number).is_some_and(|entry| entry.name < name);
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) { low = middle + 1 } else { high = middle }
        }
        (low..self.starts.len()).filter_map(|number| self.entry(number))
    }
}

fn entry(line: &[u8]) -> Option<Entry<'_>> {
    let (name, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    let rest = rest.get(1..)?;
    let (folder, packages) = rest.split_at_checked(memchr(b' ', rest)?)?;
    Some(Entry { name, folder: (folder != DIRECT).then_some(folder), packages: packages.get(1..)? })
}

fn is_package(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(PackageName::is_valid)
}

/// Keeps a table.
///
/// # Errors
/// When the store cannot be written.
pub(super) fn keep_table(store: &Store, key: &Sha256, table: &Table) -> Result<(), StoreError> {
    keep(store, key, &table.text)
}

/// The table kept under this key; `None` if there is none, or a damaged one.
pub(super) fn kept_table(store: &Store, key: &Sha256) -> Option<Table> {
    Table::parse(unpack(key, &fs::read(store.get(Shelf::Indexes, key)?).ok()?)?)
}

/// Keeps which packages ship a file.
///
/// # Errors
/// When the store cannot be written.
pub(super) fn keep_owners(store: &Store, key: &Sha256, owners: &BTreeSet<PackageName>) -> Result<(), StoreError> {
    let mut text = OWNERS.to_vec();
    for name in owners {
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b'\n');
    }
    keep(store, key, &text)
}

/// The packages kept under this key; `None` if there is no such entry, or a damaged one.
pub(super) fn kept_owners(store: &Store, key: &Sha256) -> Option<BTreeSet<PackageName>> {
    owners(&unpack(key, &fs::read(store.get(Shelf::Indexes, key)?).ok()?)?)
}

fn owners(text: &[u8]) -> Option<BTreeSet<PackageName>> {
    let names = text.strip_prefix(OWNERS)?;
    if names.is_empty() {
        return Some(BTreeSet::new());
    }
    let names = names.strip_suffix(b"\n")?.split(|&b| b == b'\n');
    names.map(|name| std::str::from_utf8(name).ok()?.parse().ok()).collect()
}

/// Whether the entry at `path` is a sound one of these under this key.
pub(in crate::archive) fn is_sound(path: &Path, key: &Sha256) -> bool {
    let text = fs::read(path).ok().and_then(|entry| unpack(key, &entry));
    text.is_some_and(|text| owners(&text).is_some() || Table::parse(text).is_some())
}

fn keep(store: &Store, key: &Sha256, text: &[u8]) -> Result<(), StoreError> {
    let path = store.path(Shelf::Indexes, key);
    let mut file = store.temp()?;
    let packed = pack(key, text).map_err(StoreError::at("write", &path))?;
    file.write_all(&packed).map_err(StoreError::writing(&path, packed.len() as u64))?;
    store.keep(Shelf::Indexes, key, file)?;
    Ok(())
}

fn pack(key: &Sha256, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = key.bytes().to_vec();
    out.extend(u32::try_from(text.len()).map_err(io::Error::other)?.to_le_bytes());
    let mut encoder = zstd::stream::write::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    // Then it takes no more memory than so much text needs.
    encoder.set_pledged_src_size(Some(text.len() as u64))?;
    encoder.write_all(text)?;
    encoder.finish()
}

/// The text of an entry; `None` if it is damaged.
fn unpack(key: &Sha256, entry: &[u8]) -> Option<Vec<u8>> {
    let (length, frame) = entry.strip_prefix(key.bytes())?.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_TEXT {
        return None;
    }
    // At once into a place of its size: what is longer does not fit, and is an error.
    let text = zstd::bulk::decompress(frame, length).ok()?;
    (text.len() == length).then_some(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn own() -> Sha256 {
        Sha256::of(b"own")
    }

    fn gathered() -> Gathered {
        let mut out = Gathered::default();
        for (name, at, package) in [
            ("libz.so.1", Shelved::Direct, "zlib1g"),
            ("libb.so.3", Shelved::Aside(b"two"), "b-two"),
            ("libb.so.3", Shelved::Aside(b"one"), "b-one"),
            ("libz.so.1", Shelved::Direct, "another"),
            ("libz.so.1", Shelved::Direct, "zlib1g"),
            ("libb.so.3", Shelved::Aside(b"."), "nobody"),
        ] {
            assert!(out.add(name.as_bytes(), at, package));
        }
        out
    }

    const TEXT: &[u8] = b"sonames\nlibb.so.3 one b-one\nlibb.so.3 two b-two\nlibz.so.1 . another zlib1g\n";

    #[test]
    fn a_table_in_order() {
        let table = gathered().table();
        assert_eq!(table.text, TEXT);
        assert_eq!(Table::parse(TEXT.to_vec()), Some(table.clone()));
        let from = |name: &str| -> Vec<String> {
            let all = table.from(name.as_bytes());
            all.map(|entry| format!("{} {}", entry.name.escape_ascii(), entry.packages.escape_ascii())).collect()
        };
        assert_eq!(from(""), ["libb.so.3 b-one", "libb.so.3 b-two", "libz.so.1 another zlib1g"]);
        assert_eq!(from("libb.so.3").len(), 3);
        assert_eq!(from("libc"), ["libz.so.1 another zlib1g"]);
        assert!(from("m").is_empty());
        let empty = Gathered::default().table();
        assert_eq!((empty.starts.len(), Table::parse(SONAMES.to_vec())), (0, Some(empty.clone())));
        assert_eq!(empty.from(b"").count(), 0);
    }

    #[test]
    fn refuses_texts_that_are_no_table() {
        for bad in [
            &b""[..],
            b"sonames",
            b"owners\n",
            b"sonames\nlibz.so.1 . z",
            b"sonames\n\n",
            b"sonames\nlibz.so.1\n",
            b"sonames\nlibz.so.1 .\n",
            b"sonames\nlibz.so.1 . \n",
            b"sonames\nlibz.so.1 . z z\n",
            b"sonames\nlibz.so.1 . z a\n",
            b"sonames\nlibz.so.1 . \xff\n",
            b"sonames\nlibz.so.1 \x01 z\n",
            b"sonames\nlibz.txt . z\n",
            b"sonames\nlibz.so.2 . z\nlibz.so.1 . z\n",
            b"sonames\nlibz.so.1 . z\nlibz.so.1 . z\n",
        ] {
            assert_eq!(Table::parse(bad.to_vec()), None, "{}", bad.escape_ascii());
        }
        for (text, wanted) in [(&b"owners\n"[..], Some(0)), (b"owners\ngit\n", Some(1)), (b"owners\ngit", None)] {
            assert_eq!(owners(text).map(|names| names.len()), wanted);
        }
        assert!(owners(b"owners\n\n").is_none() && owners(b"").is_none());
    }

    #[test]
    fn a_table_has_a_limit() {
        let mut out = Gathered { size: MAX_TEXT - 20, ..Gathered::default() };
        assert!(out.add(b"liba.so", Shelved::Direct, "a"));
        assert!(!out.add(b"libb.so", Shelved::Direct, "b"));
    }

    #[test]
    fn takes_nothing_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (table, names) = (gathered().table(), BTreeSet::from(["git".parse().unwrap(), "a".parse().unwrap()]));
        let (one, two) = (own(), Sha256::of(b"two"));
        keep_table(&store, &one, &table).unwrap();
        keep_owners(&store, &two, &names).unwrap();
        assert_eq!(kept_table(&store, &one), Some(table));
        assert_eq!(kept_owners(&store, &two), Some(names));
        assert_eq!((kept_table(&store, &two), kept_owners(&store, &one)), (None, None));
        for key in [one, two] {
            let path = store.path(Shelf::Indexes, &key);
            assert!(is_sound(&path, &key) && !is_sound(&path, &Sha256::of(b"other")));
            let whole = fs::read(&path).unwrap();
            let text = unpack(&key, &whole).unwrap();
            for at in 0..whole.len() {
                assert!(unpack(&key, &whole[..at]).is_none(), "cut at {at}");
                let mut bad = whole.clone();
                bad[at] ^= 0x10;
                // A bit of the frame's header that says nothing may change; the text never does.
                assert!(unpack(&key, &bad).is_none_or(|taken| taken == text), "damaged at {at}");
            }
            fs::write(&path, &whole[..whole.len() - 1]).unwrap();
            assert!(!is_sound(&path, &key));
        }
        assert_eq!((kept_table(&store, &one), kept_owners(&store, &two)), (None, None));
        let huge = [&own().bytes()[..], &u32::MAX.to_le_bytes()].concat();
        assert!(unpack(&own(), &huge).is_none());
        assert!(!is_sound(&dir.path().join("nowhere"), &own()));
    }
}
