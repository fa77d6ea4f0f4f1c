//! The programs and libraries of this machine against `readelf`, programs built for the purpose where there is a
//! compiler, and built files that are broken in every byte.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path, process::Command};

use super::*;
use crate::elf::fixture::Fixture;

fn of(bytes: &[u8]) -> Hardening {
    Hardening::read(&Source::bytes(bytes)).unwrap().unwrap()
}

/// The same by `readelf -lWd --dyn-syms`.
fn by_readelf(path: &Path) -> Option<Hardening> {
    let output =
        Command::new("readelf").args(["-W", "-h", "-l", "-d", "--dyn-syms"]).arg(path).env("LC_ALL", "C").output();
    let report = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
    let line = |words: &[&str]| report.lines().find(|line| words.iter().all(|word| line.contains(word)));
    let flags = format!("{} {}", line(&["(FLAGS)"]).unwrap_or(""), line(&["(FLAGS_1)"]).unwrap_or(""));
    let flag = |name: &str| flags.split_whitespace().any(|word| word == name);
    let segment = |name: &str| report.lines().find(|line| line.split_whitespace().next() == Some(name));
    // Symbols that are imported: "Ndx" is UND.
    let imports: Vec<&str> = report
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() >= 8 && words[6] == "UND")
        .map(|words| words[7].split('@').next().unwrap_or(""))
        .collect();
    let is_dynamic = report.contains("Dynamic section at");
    let path = line(&["(RUNPATH)"]).or(line(&["(RPATH)"])).and_then(|line| line.split_once('[')?.1.strip_suffix(']'));
    Some(Hardening {
        placement: match () {
            () if line(&["Type:", "EXEC"]).is_some() => Placement::Fixed,
            () if flag("PIE") || segment("INTERP").is_some() && line(&["(SONAME)"]).is_none() => Placement::Pie,
            () => Placement::Library,
        },
        relro: match segment("GNU_RELRO") {
            None => Relro::None,
            Some(_) if flag("NOW") || flag("BIND_NOW") || line(&["(BIND_NOW)"]).is_some() || !is_dynamic => Relro::Full,
            Some(_) => Relro::Partial,
        },
        // "GNU_STACK 0x000000 … RW  0x10"
        nx_stack: segment("GNU_STACK")
            .is_some_and(|line| !line.split_whitespace().rev().nth(1).unwrap_or("").contains('E')),
        stack_protector: is_dynamic
            .then(|| imports.iter().any(|name| matches!(*name, "__stack_chk_fail" | "__stack_chk_guard"))),
        fortify: is_dynamic.then(|| imports.iter().any(|name| name.starts_with("__") && name.ends_with("_chk"))),
        textrel: line(&["(TEXTREL)"]).is_some() || flag("TEXTREL"),
        search: path.map(|path| path.split(':').map(|part| part.as_bytes().into()).collect()).unwrap_or_default(),
    })
}

#[test]
fn readelf_says_the_same() {
    if Command::new("readelf").arg("--version").output().is_err() {
        eprintln!("skipped: there is no readelf");
        return;
    }
    let mut files: Vec<_> = ["/usr/lib", "/usr/bin", "/usr/sbin", "/usr/libexec"]
        .into_iter()
        .flat_map(|top| [top.into(), format!("{top}/{}-linux-gnu", std::env::consts::ARCH)])
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()))
        .filter(|path| path.is_file() && !path.is_symlink())
        // Programs and libraries: no object files.
        .filter(|path| {
            fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF") && matches!(bytes[16..18], [2 | 3, 0]))
        })
        .collect();
    files.sort();
    let step = files.len() / 80 + 1;
    let of_note = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        ["libc.so.6", "libm.so.6", "ld-linux", "ldconfig", "python3", "busybox", "libLLVM", "gcc"]
            .iter()
            .any(|part| name.starts_with(part))
    };
    let chosen = files.iter().step_by(step).chain(files.iter().filter(of_note));
    let mut compared = 0;
    for path in chosen.chain(&[std::env::current_exe().unwrap()]) {
        assert_eq!(of(&fs::read(path).unwrap()), by_readelf(path).unwrap(), "{}", path.display());
        compared += 1;
    }
    eprintln!("{compared} files compared");
}

#[test]
fn programs_that_were_built_so() {
    let temp = tempfile::tempdir().unwrap();
    let source = temp.path().join("x.c");
    fs::write(
        &source,
        "#include <string.h>\nint main(int n, char **v) { char b[64]; strcpy(b, v[0]); return b[n]; }\n",
    )
    .unwrap();
    let built = |flags: &[&str]| {
        let out = temp.path().join("x");
        let done = Command::new("cc").arg("-O2").args(flags).arg(&source).arg("-o").arg(&out).output();
        done.is_ok_and(|done| done.status.success()).then(|| (of(&fs::read(&out).unwrap()), by_readelf(&out)))
    };
    let hard =
        ["-fPIE", "-pie", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now,-z,noexecstack"];
    let soft = [
        "-no-pie",
        "-fno-stack-protector",
        "-U_FORTIFY_SOURCE",
        "-Wl,-z,norelro,-z,lazy,-z,execstack",
        "-Wl,--enable-new-dtags,-rpath,/usr/lib/x:.:/tmp/x",
    ];
    let Some((found, by_readelf)) = built(&hard) else {
        eprintln!("skipped: there is no C compiler");
        return;
    };
    let wanted = Hardening {
        placement: Placement::Pie,
        relro: Relro::Full,
        nx_stack: true,
        stack_protector: Some(true),
        fortify: Some(true),
        textrel: false,
        search: Vec::new(),
    };
    assert_eq!(found, wanted);
    assert_eq!(by_readelf.unwrap_or(found), wanted);
    let (found, by_readelf) = built(&soft).unwrap();
    let wanted = Hardening {
        placement: Placement::Fixed,
        relro: Relro::None,
        nx_stack: false,
        stack_protector: Some(false),
        fortify: Some(false),
        textrel: false,
        search: [&b"/usr/lib/x"[..], b".", b"/tmp/x"].map(Box::from).to_vec(),
    };
    assert_eq!(found, wanted);
    assert_eq!(by_readelf.unwrap_or(found), wanted);
    // Both tables of symbols, and static programs.
    for style in ["-Wl,--hash-style=sysv", "-Wl,--hash-style=gnu", "-Wl,--hash-style=both"] {
        let (found, by_readelf) = built(&[&hard[..], &[style]].concat()).unwrap();
        assert_eq!((found.stack_protector, found.fortify), (Some(true), Some(true)), "{style}");
        assert_eq!(by_readelf.unwrap_or(found.clone()), found);
    }
    if let Some((found, _)) = built(&["-static"]) {
        assert_eq!((found.stack_protector, found.placement), (None, Placement::Fixed));
    }
    if let Some((found, by_readelf)) = built(&["-static-pie"]) {
        assert_eq!(found.placement, Placement::Pie);
        assert_eq!(by_readelf.unwrap_or(found.clone()), found);
    }
}

#[test]
fn search_paths_that_others_may_fill() {
    for (path, wanted) in [
        ("/usr/lib/x:$ORIGIN/../lib:${ORIGIN}", &[][..]),
        ("", &[""]),
        ("/opt::lib", &["", "lib"]),
        ("/tmp:/tmpfs:/var/tmp/build/lib", &["/tmp", "/var/tmp/build/lib"]),
        ("$LIB", &["$LIB"]),
    ] {
        for file in [Fixture::new().runpath(path), Fixture::new().rpath(path)] {
            let hardening = of(&file.build());
            let found: Vec<_> = hardening.unsafe_search().map(String::from_utf8_lossy).collect();
            assert_eq!(found, wanted, "{path}");
        }
    }
    let both = of(&Fixture::new().rpath("/tmp").runpath("/opt").build());
    assert_eq!(both.unsafe_search().count(), 0);
}

#[test]
fn other_files_have_none() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fEL"] {
        assert_eq!(Hardening::read(&Source::bytes(bytes)).unwrap(), None);
    }
    let mut object = Fixture::new().build();
    object[16] = 1;
    assert_eq!(Hardening::read(&Source::bytes(&object)).unwrap(), None);
}

#[test]
fn broken_files_are_errors_at_worst() {
    let built = Fixture::new().runpath("/x").needed("libc.so.6").interpreter("/lib/ld.so").build();
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    let tables = own.len().min(1 << 14);
    for (bytes, until, step) in [(built.clone(), built.len(), 1), (own[..own.len().min(4 << 20)].to_vec(), tables, 61)]
    {
        for at in (0..until).step_by(step) {
            for value in [0, 0x7f, 0xff, bytes[at] ^ 1] {
                let mut broken = bytes.clone();
                broken[at] = value;
                let _ = Hardening::read(&Source::bytes(&broken));
            }
            let _ = Hardening::read(&Source::bytes(&bytes[..at]));
        }
    }
}

#[test]
fn little_is_read() {
    let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
    let read = std::cell::Cell::new(0);
    let part = |offset: u64, length: usize| {
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let part = &rest[..rest.len().min(length)];
        read.set(read.get() + part.len());
        Ok(part.to_vec())
    };
    Hardening::read(&Source::new(bytes.len() as u64, Vec::new(), part)).unwrap().unwrap();
    assert!(read.get() < 1 << 18, "{}", read.get());
}
