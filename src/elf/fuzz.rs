//! What must hold of ELF files, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::cell::Cell;

use super::{Abi, Elf, Hardening, Loader, Object, Source, VersionNumber, needs};
use crate::base::{Arch, RootPath};
use crate::fuzz::told;

/// One file: everything, what ldconfig reads, and how it is hardened; then what it needs, beside itself.
pub fn elf(bytes: &[u8]) {
    let names = Elf::read_names(&Source::bytes(bytes));
    match Hardening::read(&Source::bytes(bytes)) {
        Ok(found) => match &names {
            Ok(names) => assert_eq!(found.is_some(), names.as_ref().is_some_and(Elf::is_loadable)),
            Err(error) => told(error),
        },
        Err(error) => told(&error),
    }
    // A file of any length is asked for few stretches of it.
    let asked = Cell::new(0_usize);
    let source = Source::new(bytes.len() as u64, bytes.get(..64).unwrap_or(bytes).to_vec(), |offset, length| {
        asked.set(asked.get() + length);
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        Ok(rest.get(..length).unwrap_or(rest).to_vec())
    });
    let elf = match Elf::read(&source) {
        Ok(Some(elf)) => elf,
        Ok(None) => return assert!(!bytes.starts_with(b"\x7fELF")),
        Err(error) => return told(&error),
    };
    let names = names.expect("it reads less").expect("the same beginning");
    assert_eq!(
        (names.abi, names.kind, &names.interpreter, &names.dynamic),
        (elf.abi, elf.kind, &elf.interpreter, &elf.dynamic)
    );
    let dynamic = elf.dynamic.iter().flat_map(|d| d.needed.iter().chain(&d.soname).chain(&d.rpath).chain(&d.runpath));
    let versions = elf
        .versions
        .needed
        .iter()
        .flat_map(|file| std::iter::once(&file.file).chain(file.versions.iter().map(|version| &version.name)));
    let defined = elf.versions.defined.iter().flatten().map(|version| &version.name);
    for name in dynamic.chain(versions).chain(defined).chain(&elf.interpreter) {
        assert!(name.len() <= 4096 && !name.contains(&0), "{}", name.escape_ascii());
        if let Some((prefix, number)) = VersionNumber::split(name) {
            assert!(name.starts_with(prefix) && !number.to_string().is_empty());
        }
    }

    let object = |path| Object { path: RootPath::literal(path), elf: elf.clone(), owner: path };
    let objects = [object("usr/lib/x/a.so"), object("usr/lib/liba.so.1"), object("usr/bin/a")];
    let links = [(RootPath::literal("usr/lib/x/b"), Box::from(&b"../../bin"[..]))];
    let arch = elf.abi.arch().unwrap_or(Arch::Amd64);
    let found = needs(&objects, &links, arch);
    let all = found.outside.iter().chain(&found.elsewhere);
    all.for_each(|need| assert!(!need.by.is_empty() && need.by.iter().all(|by| *by < objects.len()), "{need:?}"));
    assert!(Abi::of(arch) == elf.abi || found.outside.is_empty());
    let folders = [RootPath::literal("usr/lib")];
    let resolve = |from: &RootPath, path: &[u8]| match path.strip_prefix(b"/") {
        Some(path) => RootPath::parse(path).ok(),
        None => from.join(path).ok(),
    };
    let loaded = Loader::new(&objects, arch, &folders, &resolve).load();
    for (at, object) in objects.iter().enumerate() {
        assert_eq!(loaded.of(at).len(), object.elf.needed().len());
        for (name, found) in object.elf.needed().iter().zip(loaded.of(at)) {
            assert!(found.is_none_or(|found| found < objects.len()), "{}", name.escape_ascii());
        }
    }
}
