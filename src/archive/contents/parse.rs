//! A Contents index, line by line: `PATH SECTION/PACKAGE[,SECTION/PACKAGE…]` (Debian's repository format, “Contents
//! indices”).
//!
//! In: decompressed bytes as they come. Out: each line's path and packages; which paths a loader finds by name alone.

use std::io::{self, Read};

use memchr::{memchr, memmem, memrchr};

use crate::{
    archive::IndexFault,
    base::{Arch, PackageName},
};

/// What is read at a time, bytes.
const STEP: usize = 256 << 10;

/// Longest line, bytes: a path of Linux has at most 4,096, and Debian's longest line some hundreds.
pub(super) const MAX_LINE: usize = 1 << 20;

/// Top-level names that are links into `/usr` (merged-/usr).
const MERGED: [&[u8]; 7] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32"];

/// Calls `take` with each line, without its line feed; the number of bytes read. `limit` is in bytes.
pub(super) fn lines(mut reader: impl Read, limit: u64, mut take: impl FnMut(&[u8])) -> Result<u64, IndexFault> {
    let mut buffer = vec![0; STEP];
    // What of the buffer is filled: the start of a line that goes on.
    let mut filled = 0;
    let (mut read, mut number) = (0_u64, 1_u64);
    loop {
        if filled == buffer.len() {
            if filled >= MAX_LINE {
                return Err(IndexFault::LongLine { line: number, limit: MAX_LINE });
            }
            buffer.resize((filled * 2).min(MAX_LINE), 0);
        }
        let n = match reader.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            n => n.map_err(|error| IndexFault::Packed(error.to_string()))?,
        };
        read += n as u64;
        if read > limit {
            return Err(IndexFault::TooLong { limit });
        }
        let seen = filled;
        filled += n;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        if n == 0 {
            if !rest.is_empty() {
                take(rest);
            }
            return Ok(read);
        }
        // Only what is new can hold the first line's end.
        let mut from = seen;
        while let Some(end) = rest.get(from..).and_then(|new| memchr(b'\n', new)) {
            let (line, after) = rest.split_at(from + end);
            take(line);
            number += 1;
            rest = after.get(1..).unwrap_or_default();
            from = 0;
        }
        let left = rest.len();
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

/// A line's path, and what is said of where it is from. The path may hold white space, the rest none.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_end();
    let cut = match (memrchr(b' ', line), memrchr(b'\t', line)) {
        (Some(a), Some(b)) => a.max(b),
        (a, b) => a.or(b)?,
    };
    let (path, location) = line.split_at(cut);
    let path = path.trim_ascii_end();
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    (!path.is_empty()).then(|| (path, location.trim_ascii_start()))
}

/// Whether the line is the one that ends the free text before the list, as old archives have it.
pub(super) fn ends_header(path: &[u8], location: &[u8]) -> bool {
    path == b"FILE" && location == b"LOCATION"
}

/// The packages of a location. A section may hold `/`; a name that no package can have is left out.
pub(super) fn packages(location: &[u8]) -> impl Iterator<Item = &str> {
    location.split(|&b| b == b',').filter_map(|one| {
        let name = memrchr(b'/', one).map_or(Some(one), |at| one.get(at + 1..))?;
        std::str::from_utf8(name).ok().filter(|name| PackageName::is_valid(name))
    })
}

/// The path by which the same place has one name: `bin/x` and `usr/bin/x` are both `bin/x`.
pub(super) fn place(path: &[u8]) -> &[u8] {
    match path.strip_prefix(b"usr/") {
        Some(rest) if MERGED.contains(&rest.split(|&b| b == b'/').next().unwrap_or_default()) => rest,
        _ => path,
    }
}

/// Where a shared library lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelved<'a> {
    /// Where ld.so looks.
    Direct,
    /// In this folder below the architecture's.
    Aside(&'a [u8]),
}

/// The name by which ld.so can find the file at `path`, and whether it looks there.
///
/// Debian's ld.so looks in `lib` and `lib/TRIPLET`, each also below `usr`, and not in `lib64` (as its ldconfig does, see
/// `finish/ldcache/conf.rs`); the loader itself is asked for by its path, on some in `lib64`. One folder further down
/// lies what a link of update-alternatives leads to (`blas/libblas.so.3`), and much that is private.
pub(super) fn soname(path: &[u8], arch: Arch) -> Option<(&[u8], Shelved<'_>)> {
    let path = place(path);
    let rest = path.strip_prefix(b"lib")?;
    let at = memrchr(b'/', rest)?;
    let (folder, name) = (rest.get(..at)?, rest.get(at + 1..)?);
    if !is_soname(name) {
        return None;
    }
    match folder {
        b"" => return Some((name, Shelved::Direct)),
        b"64" if name.starts_with(b"ld") => return Some((name, Shelved::Direct)),
        _ => {}
    }
    let below = folder.strip_prefix(b"/")?.strip_prefix(arch.triplet().as_bytes())?;
    if below.is_empty() {
        return Some((name, Shelved::Direct));
    }
    let below = below.strip_prefix(b"/")?;
    let is_alternative = is_word(below)
        && !below.contains(&b'/')
        && below != b"debug"
        && name.starts_with(b"lib")
        && memmem::find(name, b".so.").is_some();
    is_alternative.then_some((name, Shelved::Aside(below)))
}

/// Whether it looks like the name of a shared library: `libz.so.1`, `ld-linux-x86-64.so.2`, `libfoo.so`.
pub(super) fn is_soname(name: &[u8]) -> bool {
    (name.ends_with(b".so") || memmem::find(name, b".so.").is_some()) && is_word(name)
}

/// Without white space and control characters.
pub(super) fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b > b' ' && b != 0x7f)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What each line says, and what all were.
    fn read(text: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        assert_eq!(lines(text, u64::MAX, |line| out.push(line.to_vec())).unwrap(), text.len() as u64);
        out
    }

    /// Gives a few bytes at a time, and is interrupted between them.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = out.len().min(3);
            self.0.read(&mut out[..n])
        }
    }

    #[test]
    fn lines_as_they_come() {
        let long = vec![b'x'; STEP + 5];
        let cases: [&[u8]; 9] = [
            b"",
            b"\n",
            b"a b\n",
            b"a b\nc d",
            b"\n\na\n",
            b"\xff\xfe\n\0",
            &[&long[..], b"\ny\n"].concat(),
            &[&b"z\n"[..], &long, b"\n", &long].concat(),
            &vec![b'x'; MAX_LINE - 1],
        ];
        for text in cases {
            let mut wanted: Vec<_> = text.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            wanted.pop_if(|last| last.is_empty());
            assert!(read(text) == wanted, "{}", text.len());
            if text.len() < 100 {
                let mut out = Vec::new();
                lines(Trickle(text, false), u64::MAX, |line| out.push(line.to_vec())).unwrap();
                assert!(out == wanted);
            }
        }
    }

    #[test]
    fn lines_without_an_end_and_bombs() {
        let count = |text: &[u8], limit| lines(text, limit, |_| ()).map_err(|error| error.to_string());
        let endless = [&b"a b\n"[..], &vec![b'x'; MAX_LINE + 1]].concat();
        assert_eq!(count(&endless, u64::MAX), Err("line 2 is longer than 1048576 bytes".into()));
        assert_eq!(count(b"0123456789", 10), Ok(10));
        assert_eq!(count(b"0123456789", 9), Err("it holds more than 9 bytes when decompressed".into()));
    }

    #[test]
    fn splits_lines() {
        type Case<'a> = (&'a str, Option<(&'a str, &'a [&'a str])>);
        let cases: [Case<'_>; 17] = [
            ("usr/bin/git   vcs/git", Some(("usr/bin/git", &["git"]))),
            ("bin\tadmin/base-files", Some(("bin", &["base-files"]))),
            ("a b  c \t x/p", Some(("a b  c", &["p"]))),
            ("etc/00+Black on White.css web/shellinabox", Some(("etc/00+Black on White.css", &["shellinabox"]))),
            ("f libs/a,devel/b,libs/c", Some(("f", &["a", "b", "c"]))),
            ("f non-free/libs/foo,contrib/x/y/bar", Some(("f", &["foo", "bar"]))),
            ("f foo", Some(("f", &["foo"]))),
            ("./f x/foo", Some(("f", &["foo"]))),
            ("/f x/foo ", Some(("f", &["foo"]))),
            ("f x/foo\r", Some(("f", &["foo"]))),
            ("f x/,,/,x/-y,x/ok,x/sp\u{e9}", Some(("f", &["ok"]))),
            ("usr/lib/català.alias text/aspell-ca", Some(("usr/lib/català.alias", &["aspell-ca"]))),
            ("", None),
            ("   ", None),
            ("lonely", None),
            ("  x/foo", None),
            ("/ x/foo", None),
        ];
        for (line, wanted) in cases {
            let got = split(line.as_bytes());
            let got = got.map(|(path, location)| (path, packages(location).collect::<Vec<_>>()));
            assert_eq!(got, wanted.map(|(path, packages)| (path.as_bytes(), packages.to_vec())), "{line}");
        }
        let (path, location) = split(b"\xff/x x/\xfe,x/good").unwrap();
        assert_eq!((path, packages(location).collect::<Vec<_>>()), (&b"\xff/x"[..], vec!["good"]));
    }

    #[test]
    fn what_a_loader_finds() {
        use Shelved::{Aside, Direct};
        let cases: [(&str, Option<(&str, Shelved<'_>)>); 31] = [
            ("usr/lib/x86_64-linux-gnu/libz.so.1", Some(("libz.so.1", Direct))),
            ("lib/x86_64-linux-gnu/libz.so.1", Some(("libz.so.1", Direct))),
            ("usr/lib/libz.so", Some(("libz.so", Direct))),
            ("lib/libz.so.1", Some(("libz.so.1", Direct))),
            ("usr/lib64/ld-linux-x86-64.so.2", Some(("ld-linux-x86-64.so.2", Direct))),
            ("lib64/ld-linux-x86-64.so.2", Some(("ld-linux-x86-64.so.2", Direct))),
            ("usr/lib/x86_64-linux-gnu/libpython3.13.so.1.0", Some(("libpython3.13.so.1.0", Direct))),
            ("usr/lib/x86_64-linux-gnu/blas/libblas.so.3", Some(("libblas.so.3", Aside(b"blas")))),
            ("lib/x86_64-linux-gnu/blas/libblas.so.3", Some(("libblas.so.3", Aside(b"blas")))),
            ("usr/lib/x86_64-linux-gnu/blas/libblas.so", None),
            ("usr/lib/x86_64-linux-gnu/debug/libstdc++.so.6", None),
            ("usr/lib/x86_64-linux-gnu/sasl2/plain.so.2", None),
            ("usr/lib/x86_64-linux-gnu/a/b/libc.so.6", None),
            ("usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libz.so.1", None),
            ("usr/lib/x86_64-linux-gnux/libz.so.1", None),
            ("usr/lib/x86_64-linux-gnu//libz.so.1", None),
            ("usr/lib/aarch64-linux-gnu/libz.so.1", None),
            ("usr/lib/git-core/libz.so.1", None),
            ("usr/lib64/libz.so.1", None),
            ("usr/lib32/libz.so.1", None),
            ("usr/libx32/libz.so.1", None),
            ("usr/library/libz.so.1", None),
            ("usr/x86_64-linux-gnu/lib/libz.so.1", None),
            ("usr/local/lib/libz.so.1", None),
            ("usr/lib/debug/lib/libz.so.1", None),
            ("opt/lib/libz.so.1", None),
            ("usr/lib/libz.a", None),
            ("usr/lib/libz.sonata", None),
            ("usr/lib/lib z.so", None),
            ("usr/lib/", None),
            ("lib", None),
        ];
        for (path, wanted) in cases {
            let got = soname(path.as_bytes(), Arch::Amd64);
            assert_eq!(got, wanted.map(|(name, at)| (name.as_bytes(), at)), "{path}");
        }
        for arch in Arch::ALL {
            let path = format!("usr/lib/{}/libz.so.1", arch.triplet());
            assert_eq!(soname(path.as_bytes(), arch), Some((&b"libz.so.1"[..], Direct)));
        }
    }

    #[test]
    fn one_name_for_one_place() {
        for (path, wanted) in [
            ("usr/bin/git", "bin/git"),
            ("bin/git", "bin/git"),
            ("usr/lib", "lib"),
            ("usr/library/x", "usr/library/x"),
            ("usr/share/x", "usr/share/x"),
            ("usr/usr/bin/x", "usr/usr/bin/x"),
        ] {
            assert_eq!(place(path.as_bytes()), wanted.as_bytes());
        }
    }
}
