//! Good and bad wheels, built in code.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;

use proptest::prelude::*;
use zip::CompressionMethod;

use super::{testing::Parts, *};
use crate::base::{RootPath, Sha256};

const FILE: &str = "Foo_Bar-1.2-cp313-cp313-linux_x86_64.whl";

fn parts() -> Parts {
    Parts::new("Foo_Bar", "1.2", "cp313-cp313-linux_x86_64")
}

fn open_as(file_name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Wheel, WheelError> {
    Wheel::read_from(Cursor::new(bytes), &WheelName::parse(file_name).unwrap(), limits)
}

fn open(bytes: Vec<u8>) -> Result<Wheel, WheelError> {
    open_as(FILE, bytes, &Limits::default())
}

/// Opens, plans and reads all.
fn install(bytes: Vec<u8>, layout: &Layout) -> Result<Vec<(Planned, Vec<u8>)>, WheelError> {
    let mut wheel = open(bytes)?;
    let plan = wheel.plan(layout, &|_, _, _| true)?;
    plan.into_iter()
        .map(|planned| {
            let mut out = Vec::new();
            wheel.read(&planned, &mut out)?;
            assert_eq!((Sha256::of(&out), out.len() as u64), (planned.sha256, planned.size), "{}", planned.path);
            Ok((planned, out))
        })
        .collect()
}

fn debian(bytes: Vec<u8>) -> Result<Vec<(Planned, Vec<u8>)>, WheelError> {
    install(bytes, &Layout::debian((3, 13)))
}

/// Everything that a wheel may have.
fn rich() -> Parts {
    parts()
        .entry("foo/", b"", 0o040_755)
        .entry("foo/__init__.py", b"x = 1\n", 0o100_600)
        .entry("foo/_c.so", b"\x7fELF", 0o100_775)
        .file("foo/a,b.txt", b"")
        .entry("foo/plain", b"no type bits\n", 0o644)
        .file("foo/_vendor/other-1.dist-info/RECORD", b"vendored\n")
        .info("licenses/LICENSE", b"MIT\n")
        .info("sboms/auditwheel.cdx.json", b"{}\n")
        .info(
            "entry_points.txt",
            b"[console_scripts]\nfoo = foo.cli:main\n[gui_scripts]\nfoo-gui = foo:App.run [gui]\n",
        )
        .info("INSTALLER", b"pip\n")
        .info("REQUESTED", b"")
        .info("direct_url.json", b"{}")
        .data("scripts/tool", b"#!python -E\r\nprint(1)\r\n")
        .data("scripts/binary", b"\x7fELF")
        .data("scripts/shell", b"#!/bin/sh\n#!python\n")
        .data("headers/foo.h", b"int x;\n")
        .data("data/share/foo/x", b"data\n")
        .data("purelib/foo/pure.py", b"p\n")
        .data("platlib/foo/__init__.py", b"x = 1\n")
        .unrecorded("Foo_Bar-1.2.dist-info/RECORD.jws", b"{}")
        .row("foo/,,")
}

#[test]
fn a_rich_wheel() {
    let bytes = rich().build();
    let wheel = open(bytes.clone()).unwrap();
    assert_eq!((wheel.name(), wheel.version(), wheel.file_name()), ("Foo_Bar", "1.2", FILE));
    assert_eq!((wheel.requires_python(), wheel.root_is_purelib()), (Some(">=3.8"), false));
    assert_eq!((wheel.entry_points().len(), wheel.dist_info().as_str()), (2, "Foo_Bar-1.2.dist-info"));
    assert!(wheel.runs_on(&"3.13.8".parse().unwrap()) && !wheel.runs_on(&"3.7".parse().unwrap()));
    assert_eq!(wheel.metadata().get("name"), Some("Foo_Bar"));

    let files = debian(bytes).unwrap();
    let mut seen = String::new();
    for (planned, bytes) in &files {
        assert_eq!(planned.mtime, 1_714_979_290, "{}", planned.path);
        seen += &format!("{:o} {} {:?}\n", planned.mode, planned.path, String::from_utf8_lossy(bytes));
    }
    let site = "/usr/local/lib/python3.13/dist-packages";
    let info = format!("{site}/Foo_Bar-1.2.dist-info");
    let head = "import sys\\nfrom foo";
    let tail = "if __name__ == \\\"__main__\\\":\\n    sys.exit";
    let lines: Vec<&str> = seen.lines().collect();
    let has = |line: String| assert!(lines.contains(&line.as_str()), "{line}\nis not in\n{seen}");
    has(format!("755 /usr/local/bin/foo \"#!/usr/bin/python3.13\\n{head}.cli import main\\n{tail}(main())\\n\""));
    has(format!("755 /usr/local/bin/foo-gui \"#!/usr/bin/python3.13\\n{head} import App\\n{tail}(App.run())\\n\""));
    has("755 /usr/local/bin/tool \"#!/usr/bin/python3.13 -E\\nprint(1)\\r\\n\"".into());
    has("755 /usr/local/bin/binary \"\\u{7f}ELF\"".into());
    has("755 /usr/local/bin/shell \"#!/bin/sh\\n#!python\\n\"".into());
    has("644 /usr/local/include/python3.13/Foo_Bar/foo.h \"int x;\\n\"".into());
    has("644 /usr/local/share/foo/x \"data\\n\"".into());
    has(format!("644 {site}/foo/__init__.py \"x = 1\\n\""));
    has(format!("644 {site}/foo/plain \"no type bits\\n\""));
    has(format!("644 {site}/foo/pure.py \"p\\n\""));
    has(format!("755 {site}/foo/_c.so \"\\u{{7f}}ELF\""));
    has(format!("644 {site}/foo/_vendor/other-1.dist-info/RECORD \"vendored\\n\""));
    has(format!("644 {info}/INSTALLER \"compose\\n\""));
    has(format!("644 {info}/sboms/auditwheel.cdx.json \"{{}}\\n\""));
    has(format!("644 {info}/licenses/LICENSE \"MIT\\n\""));
    assert_eq!(lines.len(), 20, "{seen}");
    assert!(files.is_sorted_by(|a, b| a.0.path < b.0.path));

    let record = files.iter().find(|(planned, _)| planned.path.file_name() == b"RECORD" && planned.size > 20).unwrap();
    let record = String::from_utf8(record.1.clone()).unwrap();
    let paths: Vec<_> = record.lines().map(|line| line.rsplitn(3, ',').last().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "../../../bin/binary",
            "../../../bin/foo",
            "../../../bin/foo-gui",
            "../../../bin/shell",
            "../../../bin/tool",
            "../../../include/python3.13/Foo_Bar/foo.h",
            "../../../share/foo/x",
            "Foo_Bar-1.2.dist-info/INSTALLER",
            "Foo_Bar-1.2.dist-info/METADATA",
            "Foo_Bar-1.2.dist-info/RECORD",
            "Foo_Bar-1.2.dist-info/WHEEL",
            "Foo_Bar-1.2.dist-info/entry_points.txt",
            "Foo_Bar-1.2.dist-info/licenses/LICENSE",
            "Foo_Bar-1.2.dist-info/sboms/auditwheel.cdx.json",
            "foo/__init__.py",
            "foo/_c.so",
            "foo/_vendor/other-1.dist-info/RECORD",
            "\"foo/a,b.txt\"",
            "foo/plain",
            "foo/pure.py",
        ]
    );
    assert!(record.contains("Foo_Bar-1.2.dist-info/RECORD,,\n"), "{record}");
    assert!(record.contains(&Parts::row_of("Foo_Bar-1.2.dist-info/INSTALLER", b"compose\n")), "{record}");
}

#[test]
fn what_the_filter_drops_is_verified_and_not_recorded() {
    let mut wheel = open(rich().build()).unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    let keeps = |path: &RootPath, executable: bool, head: &[u8]| {
        seen.borrow_mut().push((path.to_string(), executable, String::from_utf8_lossy(head).into_owned()));
        !path.starts_with(&RootPath::literal("usr/local/bin")) && path.file_name() != b"WHEEL"
    };
    let plan = wheel.plan(&Layout::debian((3, 13)), &keeps).unwrap();
    assert!(plan.iter().all(|p| !p.path.to_string().contains("/bin/") && p.path.file_name() != b"WHEEL"));
    let record = plan.iter().find(|p| p.path.to_string().ends_with("1.2.dist-info/RECORD")).unwrap();
    let mut text = Vec::new();
    wheel.read(record, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("bin/") && !text.contains("WHEEL") && text.contains("pure.py"), "{text}");
    let seen = seen.into_inner();
    let of = |end: &str| seen.iter().find(|(path, ..)| path.ends_with(end)).unwrap();
    assert_eq!(of("bin/tool").2, "#!/usr/bin/python3.13 -E\nprint(1)\r\n");
    assert!(of("bin/tool").1 && of("_c.so").1 && !of("pure.py").1);

    let tampered = rich().unrecorded("foo/pure.txt", b"y").row(&Parts::row_of("foo/pure.txt", b"x")).build();
    let error = open(tampered).unwrap().plan(&Layout::debian((3, 13)), &|_, _, _| false).unwrap_err();
    assert!(error.to_string().contains("“foo/pure.txt” in it has not the digest"), "{error}");
}

#[test]
fn another_prefix() {
    let layout = Layout::prefix(&RootPath::literal("opt/py"), (3, 14)).unwrap();
    let files = install(rich().build(), &layout).unwrap();
    let tool = files.iter().find(|(planned, _)| planned.path.to_string() == "/opt/py/bin/tool").unwrap();
    assert!(tool.1.starts_with(b"#!/opt/py/bin/python3.14 -E\n"));
    assert!(files.iter().any(|(planned, _)| planned.path.to_string() == "/opt/py/include/python3.14/Foo_Bar/foo.h"));
    assert!(files.iter().all(|(planned, _)| planned.path.starts_with(&RootPath::literal("opt/py"))));

    let blank = Layout::prefix(&RootPath::literal("opt/p y"), (3, 14)).unwrap();
    let error = install(rich().build(), &blank).unwrap_err().to_string();
    assert!(error.contains("cannot be the interpreter of a script"), "{error}");
    assert!(install(parts().build(), &blank).is_ok());
}

#[test]
fn first_lines_of_scripts() {
    let long = [b"#!python".as_slice(), &[b'x'; 300]].concat();
    let far = [b"#!python ".as_slice(), &[b'x'; 300], b"\r\n"].concat();
    for (given, wanted) in [
        (b"#!python\nx".to_vec(), b"#!/usr/bin/python3.13\nx".to_vec()),
        (b"#!pythonw\r\nx\r\n".to_vec(), b"#!/usr/bin/python3.13\nx\r\n".to_vec()),
        (b"#!python3 -u\nx".to_vec(), b"#!/usr/bin/python3.13 -u\nx".to_vec()),
        (b"#!python".to_vec(), b"#!/usr/bin/python3.13".to_vec()),
        (b"#! python\n".to_vec(), b"#! python\n".to_vec()),
        (b"#!/usr/bin/env python\n".to_vec(), b"#!/usr/bin/env python\n".to_vec()),
        (b"".to_vec(), b"".to_vec()),
        (long.clone(), long),
        (far, [b"#!/usr/bin/python3.13 ".as_slice(), &[b'x'; 300], b"\r\n"].concat()),
        (
            [b"#!python\n".as_slice(), &[b'y'; 200_000]].concat(),
            [b"#!/usr/bin/python3.13\n".as_slice(), &[b'y'; 200_000]].concat(),
        ),
    ] {
        let files = debian(parts().data("scripts/s", &given).build()).unwrap();
        let script = files.iter().find(|(planned, _)| planned.path.file_name() == b"s").unwrap();
        assert!(script.1 == wanted, "{}", String::from_utf8_lossy(&given[..given.len().min(40)]));
    }
}

#[test]
fn times_before_1980_and_none() {
    let mut early = parts();
    early.time = zip::DateTime::default();
    assert!(debian(early.build()).unwrap().iter().all(|(planned, _)| planned.mtime == archive::FIRST_TIME));
    // Month 0 in both headers of each entry.
    let mut odd = early.build();
    let date = [0x21, 0x00];
    for at in 0..odd.len() - 2 {
        if odd[at..].starts_with(b"PK\x03\x04") && odd[at + 12..at + 14] == date {
            odd[at + 12..at + 14].fill(0);
        } else if odd[at..].starts_with(b"PK\x01\x02") && odd[at + 14..at + 16] == date {
            odd[at + 14..at + 16].fill(0);
        }
    }
    assert!(debian(odd).unwrap().iter().all(|(planned, _)| planned.mtime == archive::FIRST_TIME));
}

/// Opening and planning fails, and says so.
#[track_caller]
fn fails(bytes: Vec<u8>, says: &str) {
    match debian(bytes) {
        Ok(_) => panic!("installed, but should fail with: {says}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(says), "“{text}” should say “{says}”");
            assert!(text.starts_with(FILE) && text.contains("; "), "{text}");
        }
    }
}

#[test]
fn bad_names() {
    for (name, says) in [
        ("/etc/passwd", "its name is absolute"),
        ("../x", "leads upwards"),
        ("foo/../../x", "leads upwards"),
        ("foo\\x", "backslash"),
        ("C:/x", "drive letter"),
        ("foo/\0x", "control character"),
        ("foo/\nx", "control character"),
        ("./foo", "empty or “.” component"),
        ("foo//x", "empty or “.” component"),
    ] {
        fails(parts().unrecorded(name, b"x").build(), says);
    }
    for (name, says) in [("../x", "leads upwards"), ("/x", "empty or “.” component"), ("a\\x", "backslash")] {
        fails(parts().data(&format!("data/{name}"), b"x").build(), says);
    }
}

#[test]
fn bad_entries() {
    fails(parts().entry("l", b"/etc/passwd", 0o120_777).build(), "“l” in it is refused: it is a symbolic link");
    fails(parts().entry("p", b"", 0o010_644).build(), "neither a file nor a directory");
    fails(parts().entry("d", b"", 0o040_755).build(), "neither a file nor a directory");
    fails(parts().entry("d/", b"", 0o120_777).build(), "directory by its name");
    fails(parts().entry("d/", b"x", 0o040_755).build(), "directory by its name");
    fails(parts().data("data", b"x").build(), "no scheme of .data");
    fails(parts().data("lib/x", b"x").build(), "scheme is not purelib");
    fails(parts().file("foo.data/purelib/x", b"x").build(), "is not this wheel's");
    fails(parts().data("purelib/other-1.dist-info/METADATA", b"x").build(), "another project's .dist-info");
    fails(
        parts().data("data/lib/python3.13/dist-packages/other-1.dist-info/RECORD", b"x").build(),
        "another project's .dist-info",
    );
    fails(parts().data("platlib/Foo_Bar-1.2.dist-info/RECORD", b"x").build(), "where the installer writes");
    fails(parts().data("platlib/Foo_Bar-1.2.dist-info/direct_url.json", b"x").build(), "where the installer writes");
    fails(parts().file("foo/x", b"1").data("purelib/foo/x", b"2").build(), "they are one path, and their bytes differ");
    fails(parts().file("foo", b"1").data("purelib/foo/x", b"2").build(), "one is a file where the other needs");
    let command = parts().info("entry_points.txt", b"[console_scripts]\nx = m:f\n");
    fails(command.data("scripts/x", b"#!python\n").build(), "“x (of entry_points.txt)” and");
    fails(parts().info("entry_points.txt", b"[console_scripts]\n../x = m:f\n").build(), "line 2, “../x = m:f”");
}

#[test]
fn bad_metadata() {
    fails(parts().without("METADATA").build(), "it has no Foo_Bar-1.2.dist-info/METADATA");
    fails(parts().without("WHEEL").build(), "it has no Foo_Bar-1.2.dist-info/WHEEL");
    fails(Parts { record: Some("none".into()), ..parts() }.build(), "it has no Foo_Bar-1.2.dist-info/RECORD");
    fails(parts().file("other-1.dist-info/METADATA", b"x").build(), "it holds 2 .dist-info directories");
    let wheel = |text: &str| parts().info("WHEEL", text.as_bytes()).build();
    fails(wheel("Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"), "its Wheel-Version is 2.0; only 1.x is known");
    fails(wheel("Wheel-Version: 1\n"), "its Wheel-Version is 1;");
    fails(wheel("Root-Is-Purelib: true\n"), "its WHEEL is malformed: it has no Wheel-Version");
    fails(wheel("Wheel-Version: 1.0\nRoot-Is-Purelib: perhaps\n"), "neither true nor false");
    assert!(debian(wheel("Wheel-Version: 1.9\n")).is_ok());
    let metadata = |text: &str| parts().info("METADATA", text.as_bytes()).build();
    fails(metadata("Metadata-Version: 3.0\nName: foo-bar\nVersion: 1.2\n"), "its Metadata-Version is 3.0");
    fails(metadata("Metadata-Version: 2.1\nVersion: 1.2\n"), "its METADATA is malformed: it has no Name");
    fails(metadata("Metadata-Version: 2.1\nName: foo-bar\nName: foo-bar\nVersion: 1.2\n"), "Name occurs twice");
    fails(metadata("Metadata-Version: 2.1\nName: evil\nVersion: 1.2\n"), "name “foo-bar”, its METADATA says “evil”");
    fails(metadata("Metadata-Version: 2.1\nName: foo-bar\nVersion: 1.3\n"), "version “1.2”, its METADATA says “1.3”");
    fails(metadata("Metadata-Version: 2.1\nName: ../x\nVersion: 1.2\n"), "no project's name");
    assert!(debian(metadata("Metadata-Version: 2.1\nName: foo.BAR\nVersion: 1.2.0\n")).is_ok());
    fails(Parts::new("other", "1.2", "py3-none-any").build(), "name “foo-bar”, its .dist-info directory says “other”");
    fails(Parts::new("foo.bar", "1.3", "py3-none-any").build(), "version “1.2”, its .dist-info directory says “1.3”");
    assert!(debian(Parts::new("foo.bar", "1.2.0", "py3-none-any").build()).is_ok());
}

#[test]
fn record_mismatch() {
    fails(parts().unrecorded("foo.py", b"x").build(), "“foo.py” is in it, but its RECORD has no digest");
    fails(
        parts().unrecorded("foo.py", b"x").row("foo.py,,").build(),
        "“foo.py” is in it, but its RECORD has no digest",
    );
    fails(parts().row(&Parts::row_of("gone.py", b"x")).build(), "its RECORD lists “gone.py”, which is not in it");
    fails(parts().unrecorded("a", b"x").row(&Parts::row_of("a", b"y")).build(), "“a” in it has not the digest");
    fails(parts().unrecorded("a", b"x").row(&Parts::row_of("a", b"xx")).build(), "“a” in it has not the size");
    fails(parts().unrecorded("a", b"x").row("a,md5=1B2M2Y8AsgTpgAmY7PhCfg,1").build(), "is not one of SHA-256");
    fails(Parts { record: Some("x\n".into()), ..parts() }.build(), "its RECORD is malformed: line 1");
}

/// Stored content that is changed in place, its checksum too: only RECORD can tell.
#[test]
fn tampered_content() {
    let mut wheel = parts().file("foo.py", b"safe = True");
    wheel.parts.last_mut().unwrap().method = CompressionMethod::Stored;
    let good = wheel.build();
    assert!(debian(good.clone()).is_ok());
    let at = find(&good, b"safe = True");
    let mut bad = good.clone();
    bad[at..at + 4].copy_from_slice(b"evil");
    fails(bad.clone(), "cannot unpack “foo.py”");
    let (old, new) = (crc(b"safe = True").to_le_bytes(), crc(b"evil = True").to_le_bytes());
    while let Some(at) = bad.windows(4).position(|w| w == old) {
        bad[at..at + 4].copy_from_slice(&new);
    }
    fails(bad, "“foo.py” in it has not the digest that its RECORD lists; it was changed after it was built");
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}

fn rfind(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).rposition(|w| w == what).unwrap()
}

/// The same edit at the central header of `name`, and what comes of it.
fn central(bytes: &[u8], name: &[u8], edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = rfind(&out, name) - 46;
    assert!(out[at..].starts_with(b"PK\x01\x02"));
    edit(&mut out[at..]);
    out
}

#[test]
fn archives_that_could_be_read_in_two_ways() {
    let mut wheel = parts().file("foo.py", b"a = 1\n").file("bar.py", b"b = 1\n");
    for part in &mut wheel.parts {
        part.method = CompressionMethod::Stored;
    }
    let good = wheel.build();
    assert!(debian(good.clone()).is_ok());
    let edit = |at: usize, with: &[u8]| {
        let mut out = good.clone();
        out[at..at + with.len()].copy_from_slice(with);
        out
    };
    let end = good.len() - 22;

    fails(Vec::new(), "it is too short");
    fails(b"PK\x05\x06".iter().copied().chain([0; 18]).collect(), "does not begin with an entry");
    fails(good[..good.len() - 1].to_vec(), "does not end with an end record");
    fails([good.as_slice(), b"x"].concat(), "does not end with an end record");
    fails([b"#!/bin/sh\n", good.as_slice()].concat(), "does not begin with an entry");
    fails([&good[..46], good.as_slice()].concat(), "does not end where the end record begins");
    fails([good.as_slice(), &good].concat(), "does not end where the end record begins");
    // A comment, even an honest one: in it another end record could stand.
    fails([&edit(good.len() - 2, &[3, 0])[..], b"abc"].concat(), "does not end with an end record");
    // Names that differ between the two headers, and names that occur twice.
    fails(edit(find(&good, b"foo.py"), b"fob.py"), "not a sound zip archive");
    let twice = edit(find(&good, b"bar.py"), b"foo.py");
    fails(central(&twice, b"bar.py", |header| header[46..52].copy_from_slice(b"foo.py")), "not one each");
    // The count of the end record against the directory.
    fails(edit(end + 8, &[4, 0, 4, 0]), "lists 5 entries, and its end record counts 4");
    fails(edit(end + 8, &[6, 0, 6, 0]), "lists 5 entries, and its end record counts 6");
    fails(edit(end + 4, &[1, 0]), "one of several volumes");
    fails(edit(end + 16, &[0xFF; 4]), "zip64 end record");
    // Flags and methods.
    let flag = |bits: u8, high: u8| central(&good, b"foo.py", |header| (header[8], header[9]) = (bits, high));
    fails(flag(0x01, 0), "“foo.py” in it is refused: it is encrypted");
    fails(flag(0x40, 0), "it is encrypted");
    fails(flag(0, 0x20), "it is encrypted");
    fails(flag(0x20, 0), "a patch to another file");
    fails(central(&good, b"foo.py", |header| header[10] = 12), "a method other than deflate");
    fails(central(&good, b"foo.py", |header| header[10] = 8), "not a sound zip archive");
    // Two entries with one content.
    let bar = find(&good, b"bar.py") - 30;
    let target = u32::try_from(bar).unwrap().to_le_bytes();
    fails(central(&good, b"foo.py", |header| header[42..46].copy_from_slice(&target)), "not a sound zip archive");
    // A size that reaches over the next entry.
    let long = central(&good, b"foo.py", |header| header[20..28].copy_from_slice(&[100, 0, 0, 0, 100, 0, 0, 0]));
    fails(long, "not a sound zip archive");
    // Not ASCII and not said to be UTF-8.
    let high = edit(find(&good, b"foo.py"), b"fo\xc3\xa9py");
    fails(central(&high, b"foo.py", |header| header[46..52].copy_from_slice(b"fo\xc3\xa9py")), "not marked as UTF-8");
}

#[test]
fn a_hidden_entry_or_a_second_name() {
    let good = parts().file("foo.py", b"a = 1\n").build();
    // An entry that the directory does not list: dropped from the directory, its bytes stay.
    let start = rfind(&good, b"foo.py") - 46;
    let whole = 46 + 6;
    let mut hidden = [&good[..start], &good[start + whole..]].concat();
    let end = hidden.len() - 22;
    let size = u32::from_le_bytes(hidden[end + 12..end + 16].try_into().unwrap()) - u32::try_from(whole).unwrap();
    hidden[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
    hidden[end + 8] -= 1;
    hidden[end + 10] -= 1;
    fails(hidden, "missing from central directory");
    // A second name in the extra field of the central header.
    let extra = [&[0x75, 0x70, 9, 0, 1][..], &crc(b"foo.py").to_le_bytes(), b"evil"].concat();
    let mut named = good.clone();
    named[start + 30] = u8::try_from(extra.len()).unwrap();
    named.splice(start + whole..start + whole, extra.iter().copied());
    let end = named.len() - 22;
    let size = u32::from_le_bytes(named[end + 12..end + 16].try_into().unwrap()) + u32::try_from(extra.len()).unwrap();
    named[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
    fails(named, "“foo.py” in it is refused: it has a second name");
}

#[test]
fn bombs_and_limits() {
    // 70 MiB of nothing shrink to 70 KiB.
    fails(parts().file("zeros", &vec![0; 70 << 20]).build(), "a zip bomb");
    let bytes = parts().file("a", &[b'x'; 10_000]).build();
    let with = |limits: Limits| match open_as(FILE, bytes.clone(), &limits) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    };
    let limits = Limits::default();
    assert_eq!(with(limits.clone()), "opened");
    assert!(with(Limits { file: 9_999, ..limits.clone() }).contains("more than 9999 bytes in one file, unpacked"));
    assert!(with(Limits { unpacked: 10_000, ..limits.clone() }).contains("more than 10000 bytes, unpacked"));
    assert!(with(Limits { entries: 3, ..limits.clone() }).contains("more than 3 entries"));
    assert!(with(Limits { directory: 100, ..limits.clone() }).contains("more than 100 bytes in its central directory"));
    assert!(with(Limits { metadata: 10, ..limits }).contains("more than 10 bytes in one file of metadata"));

    // A declared size that is too small, in both headers: the stream says otherwise.
    let mut liar = bytes;
    let real = 10_000_u32.to_le_bytes();
    while let Some(at) = liar.windows(4).position(|w| w == real) {
        liar[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    fails(liar, "cannot unpack “a”");
}

#[test]
fn a_changed_file_is_noticed_when_it_is_read_again() {
    let mut stored = parts().file("a", b"0123456789");
    stored.parts.last_mut().unwrap().method = CompressionMethod::Stored;
    let mut wheel = open(stored.build()).unwrap();
    let mut plan = wheel.plan(&Layout::debian((3, 13)), &|_, _, _| true).unwrap();
    let planned = plan.iter_mut().find(|planned| planned.path.file_name() == b"a").unwrap();
    planned.sha256 = Sha256::of(b"another");
    let error = wheel.read(planned, &mut Vec::new()).unwrap_err();
    assert!(matches!(error.fault, WheelFault::Changed(_)), "{error}");
}

/// Whatever the bytes: no panic.
fn survives(bytes: Vec<u8>) {
    if let Ok(mut wheel) = open(bytes)
        && let Ok(plan) = wheel.plan(&Layout::debian((3, 13)), &|_, _, _| true)
    {
        for planned in plan {
            _ = wheel.read(&planned, &mut std::io::sink());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives([b"PK\x03\x04", bytes.as_slice()].concat());
        survives(bytes);
    }

    /// A whole wheel with some bytes changed, most of them where its headers are.
    #[test]
    fn nearly_a_wheel(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6)) {
        let mut bytes = rich().build();
        let directory = find(&bytes, b"PK\x01\x02");
        for (at, value, anywhere) in edits {
            let from = if anywhere { 0 } else { directory };
            let at = from + at.index(bytes.len() - from);
            bytes[at] = value;
        }
        survives(bytes);
    }

    /// Any text where metadata is.
    #[test]
    fn any_metadata(text in "(Name|Version|Wheel-Version|\\[console_scripts\\]|foo|:|=|,|sha256=|[ \n\t\"'.\\[\\]0-9a-z/]){0,30}") {
        for name in ["METADATA", "WHEEL", "entry_points.txt"] {
            survives(parts().info(name, text.as_bytes()).build());
        }
        survives(Parts { record: Some(text), ..parts() }.build());
    }
}
