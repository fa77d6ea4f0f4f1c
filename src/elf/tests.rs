//! Built files, this very program, and the libraries of this machine against `readelf` and the crate `object`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, process::Command};

use object::read::elf::FileHeader;

use super::{fixture::Fixture, *};

fn of(bytes: &[u8]) -> Result<Option<Elf>, ElfError> {
    Elf::read(&Source::bytes(bytes))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Names and versions, a line each.
fn shown(elf: &Elf) -> String {
    let mut out = String::new();
    let dynamic = elf.dynamic.clone().unwrap_or_default();
    for name in &dynamic.needed {
        writeln!(out, "needed {}", text(name)).unwrap();
    }
    for (what, name) in [("soname", &dynamic.soname), ("rpath", &dynamic.rpath), ("runpath", &dynamic.runpath)] {
        if let Some(name) = name {
            writeln!(out, "{what} {}", text(name)).unwrap();
        }
    }
    for NeededFile { file, versions } in &elf.versions.needed {
        writeln!(out, "from {}", text(file)).unwrap();
        for version in versions {
            writeln!(out, "wants {}{}", text(&version.name), if version.is_weak { " weak" } else { "" }).unwrap();
        }
    }
    for version in elf.versions.defined.iter().flatten() {
        writeln!(out, "defines {}{}", text(&version.name), if version.is_base { " base" } else { "" }).unwrap();
    }
    out
}

fn example() -> Fixture {
    Fixture::new()
        .soname("liba.so.1")
        .runpath("$ORIGIN/x")
        .wants("libc.so.6", &["GLIBC_2.2.5", "GLIBC_2.34?"])
        .wants("libm.so.6", &["GLIBC_2.29"])
        .defines(&["liba.so.1", "A_1", "A_1.2"])
        .interpreter("/lib64/ld-linux-x86-64.so.2")
}

#[test]
fn what_is_no_elf_is_none() {
    for bytes in [&b""[..], b"\x7fEL", b"/* GNU ld script */", b"#!/bin/sh\n"] {
        assert!(of(bytes).unwrap().is_none());
    }
}

#[test]
fn reads_names_and_versions() {
    let elf = of(&example().build()).unwrap().unwrap();
    let wanted = "needed libc.so.6\nneeded libm.so.6\nsoname liba.so.1\nrunpath $ORIGIN/x\n\
                  from libc.so.6\nwants GLIBC_2.2.5\nwants GLIBC_2.34 weak\nfrom libm.so.6\nwants GLIBC_2.29\n\
                  defines liba.so.1 base\ndefines A_1\ndefines A_1.2\n";
    assert_eq!(shown(&elf), wanted);
    assert_eq!(elf.interpreter.as_deref(), Some(&b"/lib64/ld-linux-x86-64.so.2"[..]));
    assert_eq!(elf.abi, Abi::of(Arch::Amd64));
    // Nobody defines anything: that is not the same as defining nothing that is wanted.
    assert_eq!(of(&Fixture::new().build()).unwrap().unwrap().versions, Versions::default());
    let names = Elf::read_names(&Source::bytes(&example().build())).unwrap().unwrap();
    assert_eq!(names, Elf { versions: Versions::default(), ..elf });
}

#[test]
fn an_empty_interpreter_is_none() {
    let elf = of(&Fixture::new().interpreter("").build()).unwrap().unwrap();
    assert_eq!(elf.interpreter, None);
}

#[test]
fn reads_this_very_program() {
    let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
    let elf = of(&bytes).unwrap().unwrap();
    assert_eq!(elf.abi.class, if usize::BITS == 64 { Class::Elf64 } else { Class::Elf32 });
    assert_eq!(elf.abi.big_endian, cfg!(target_endian = "big"));
    assert!(elf.needed().iter().any(|name| name.starts_with(b"libc.so")));
    assert!(elf.interpreter.unwrap().starts_with(b"/lib"));
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let bytes = example().build();
    for cut in 4..bytes.len() {
        let error = of(&bytes[..cut]).unwrap_err();
        assert!(matches!(error, ElfError::Malformed(_)), "{cut}: {error}");
    }
    // ldconfig looks at less.
    assert!(Elf::read_names(&Source::bytes(&bytes[..bytes.len() - 1])).is_ok());
    assert_eq!(
        of(&bytes[..bytes.len() - 1]).unwrap_err().to_string(),
        "broken ELF file: it is cut off: a segment ends beyond the end of the file"
    );
}

#[test]
fn chains_that_do_not_end_are_errors() {
    // Every record's next is itself plus one: the chain crawls through the file until a record makes no sense.
    let bytes = example().build();
    let needs = bytes.windows(4).position(|w| w == [1, 0, 2, 0]).unwrap();
    for (field, value) in [(8, u32::MAX), (12, 1), (12, u32::MAX), (8, 0), (28, 16), (28, 1)] {
        let mut broken = bytes.clone();
        broken[needs + field..needs + field + 4].copy_from_slice(&value.to_le_bytes());
        let _ = of(&broken);
    }
    // A chain of ever more names in a long file of zeros and ones.
    let mut long = bytes.clone();
    let at = long.len();
    long[needs + 8..needs + 12].copy_from_slice(&u32::try_from(at - needs).unwrap().to_le_bytes());
    for _ in 0..20_000 {
        long.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0]);
    }
    assert!(of(&long).unwrap_err().to_string().ends_with("it has too many symbol versions"));
}

#[test]
fn broken_files_are_errors_and_never_panics() {
    let mut files = vec![example().build(), fs::read(std::env::current_exe().unwrap()).unwrap()];
    files.extend(libraries().into_iter().take(2).map(|path| fs::read(path).unwrap()));
    for bytes in files {
        // All that is read of a large file lies in its beginning, or is reached from there.
        for at in 4..bytes.len().min(1200) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut window = bytes[..bytes.len().min(16_384)].to_vec();
                window[at] = value;
                let read = |offset: u64, length: usize| {
                    let from = |bytes: &[u8]| {
                        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
                        let rest = rest.unwrap_or_default();
                        rest[..rest.len().min(length)].to_vec()
                    };
                    Ok(if offset < 8192 { from(&window) } else { from(&bytes) })
                };
                let _ = Elf::read(&Source::new(bytes.len() as u64, Vec::new(), read));
            }
        }
        for cut in (0..bytes.len().min(4096)).chain((4096..bytes.len()).step_by(bytes.len() / 200 + 1)) {
            let _ = of(&bytes[..cut]);
        }
    }
    // In the built one, every byte lies in something that is read.
    let bytes = example().build();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            let _ = of(&broken);
            let _ = Elf::read_names(&Source::bytes(&broken));
        }
    }
}

#[test]
fn few_reads_are_enough() {
    let bytes = example().build();
    let reads = std::cell::Cell::new(0);
    let read = |offset: u64, length: usize| {
        reads.set(reads.get() + 1);
        let rest = &bytes[usize::try_from(offset).unwrap()..];
        Ok(rest[..rest.len().min(length)].to_vec())
    };
    Elf::read(&Source::new(bytes.len() as u64, Vec::new(), read)).unwrap().unwrap();
    assert_eq!(reads.get(), 1);
}

#[test]
fn version_numbers() {
    for (name, series, number) in [
        ("GLIBC_2.17", "GLIBC_", "2.17"),
        ("CXXABI_1.3.15", "CXXABI_", "1.3.15"),
        ("OPENSSL_3.0.0", "OPENSSL_", "3.0.0"),
        ("GCC_3.0", "GCC_", "3.0"),
    ] {
        let (found, version) = VersionNumber::split(name.as_bytes()).unwrap();
        assert_eq!((text(found).as_str(), version.to_string().as_str()), (series, number));
    }
    for name in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "CXXABI_FLOAT128", "", "_", "A_1.", "A_99999999999", "2.17"] {
        assert!(VersionNumber::split(name.as_bytes()).is_none(), "{name}");
    }
    let number = |name: &str| VersionNumber::split(name.as_bytes()).unwrap().1;
    assert!(number("GLIBC_2.4") < number("GLIBC_2.17") && number("A_2") < number("A_2.1"));
}

#[test]
fn search_paths_are_expanded_as_the_loader_does() {
    let folder = RootPath::literal("usr/bin");
    for (path, wanted) in [
        ("/opt/x", Some("/opt/x")),
        ("$ORIGIN", Some("/usr/bin")),
        ("$ORIGIN/../lib", Some("/usr/bin/../lib")),
        ("${ORIGIN}x", Some("/usr/binx")),
        ("/usr/$LIB/a", Some("/usr/lib/x86_64-linux-gnu/a")),
        ("/a/${LIB}", Some("/a/lib/x86_64-linux-gnu")),
        // Other names are no tokens.
        ("$ORIGINAL", None),
        ("/$ORIGINAL/$", Some("/$ORIGINAL/$")),
        ("/${ORIGIN", Some("/${ORIGIN")),
        ("/opt/$PLATFORM", None),
        ("lib", None),
        ("", None),
    ] {
        assert_eq!(expand(path.as_bytes(), &folder, Arch::Amd64).map(|p| text(&p)).as_deref(), wanted, "{path}");
    }
}

/// Some libraries and programs of this machine.
fn libraries() -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = ["/usr/lib", "/usr/lib64", "/usr/bin"]
        .into_iter()
        .flat_map(|top| [PathBuf::from(top), PathBuf::from(format!("{top}/{}-linux-gnu", std::env::consts::ARCH))])
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()))
        .filter(|path| path.is_file() && !path.is_symlink())
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF") && bytes.len() < 8 << 20))
        .collect();
    out.sort();
    out
}

/// The same lines out of `readelf -d -V`.
fn by_readelf(path: &std::path::Path) -> Option<String> {
    let output = Command::new("readelf").args(["-W", "-d", "-V"]).arg(path).env("LC_ALL", "C").output().ok()?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut needed, mut names, mut defines, mut wants) =
        (String::new(), BTreeSet::new(), String::new(), String::new());
    let mut is_definition = false;
    for line in report.lines() {
        is_definition = match line {
            _ if line.starts_with("Version definition section") => true,
            _ if line.starts_with("Version") => false,
            _ => is_definition,
        };
        let bracket = || line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(name, _)| name);
        let after = |word: &str| line.split_once(word).map(|(_, rest)| rest.split_whitespace().next().unwrap_or(""));
        let flags = || after("Flags: ").unwrap_or("");
        if line.contains("(NEEDED)") {
            writeln!(needed, "needed {}", bracket()?).ok()?;
        } else if line.contains("(SONAME)") {
            names.insert((0, format!("soname {}\n", bracket()?)));
        } else if line.contains("(RPATH)") {
            names.insert((1, format!("rpath {}\n", bracket()?)));
        } else if line.contains("(RUNPATH)") {
            names.insert((2, format!("runpath {}\n", bracket()?)));
        } else if let Some(file) = after("  File: ") {
            writeln!(wants, "from {file}").ok()?;
        } else if line.contains("  Version: ") && !line.contains("Cnt: ") && after("Name: ").is_some() {
            writeln!(wants, "wants {}{}", after("Name: ")?, if flags() == "WEAK" { " weak" } else { "" }).ok()?;
        } else if is_definition && line.contains("Rev: ") {
            writeln!(defines, "defines {}{}", after("Name: ")?, if flags() == "BASE" { " base" } else { "" }).ok()?;
        } else if line.contains("  Name: ") && line.contains("Flags: ") {
            writeln!(wants, "wants {}{}", after("Name: ")?, if flags() == "WEAK" { " weak" } else { "" }).ok()?;
        }
    }
    let names: String = names.into_iter().map(|(_, name)| name).collect();
    Some(needed + &names + &wants + &defines)
}

#[test]
fn readelf_says_the_same() {
    if Command::new("readelf").arg("--version").output().is_err() {
        eprintln!("skipped: there is no readelf");
        return;
    }
    let all = libraries();
    let step = all.len() / 60 + 1;
    let c = all.iter().filter(|path| path.ends_with("libc.so.6") || path.ends_with("libm.so.6"));
    for path in all.iter().step_by(step).chain(c).chain(&[std::env::current_exe().unwrap()]) {
        let elf = of(&fs::read(path).unwrap()).unwrap().unwrap();
        assert_eq!(shown(&elf), by_readelf(path).unwrap(), "{}", path.display());
    }
}

#[test]
fn the_crate_object_says_the_same_of_versions() {
    let mut compared = 0;
    for path in libraries() {
        let bytes = fs::read(&path).unwrap();
        let elf = of(&bytes).unwrap().unwrap_or_else(|| panic!("{}", path.display()));
        let Ok(header) = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes) else { continue };
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, &*bytes).unwrap();
        let mut wanted = Versions::default();
        if let Some((mut needs, link)) = sections.gnu_verneed(endian, &*bytes).unwrap() {
            let strings = sections.strings(endian, &*bytes, link).unwrap();
            while let Some((need, mut names)) = needs.next().unwrap() {
                let mut versions = Vec::new();
                while let Some(name) = names.next().unwrap() {
                    let is_weak = name.vna_flags.get(endian).0 & 2 != 0;
                    versions.push(NeededVersion { name: name.name(endian, strings).unwrap().into(), is_weak });
                }
                let file = need.file(endian, strings).unwrap().into();
                wanted.needed.push(NeededFile { file, versions });
            }
        }
        if let Some((mut definitions, link)) = sections.gnu_verdef(endian, &*bytes).unwrap() {
            let strings = sections.strings(endian, &*bytes, link).unwrap();
            let mut defined = Vec::new();
            while let Some((definition, mut names)) = definitions.next().unwrap() {
                let name = names.next().unwrap().unwrap().name(endian, strings).unwrap().into();
                defined.push(DefinedVersion { name, is_base: definition.vd_flags.get(endian).0 & 1 != 0 });
            }
            wanted.defined = Some(defined);
        }
        assert_eq!(elf.versions, wanted, "{}", path.display());
        compared += 1;
    }
    eprintln!("{compared} files compared");
}

#[test]
fn a_needed_library_has_a_name() {
    let error = of(&Fixture::new().needed("libx.so.1").needed("").build()).unwrap_err().to_string();
    assert!(error.contains("a library that it needs has no name"), "{error}");
}
