//! What must hold of wheels and of their metadata, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::{collections::BTreeSet, io::Cursor};

use super::{Layout, Limits, Wheel, entry_points, metadata::About, metadata::Fields, record};
use crate::{
    base::{RootPath, Sha256},
    fuzz::told,
    python::{tags::Tags, wheel_name::WheelName},
};

const NAME: &str = "demo-1.0-py3-none-any.whl";

fn name() -> WheelName {
    WheelName::parse(NAME).expect("a wheel's name")
}

/// A whole wheel: the zip archive, what it holds, and where that goes.
pub fn wheel(bytes: &[u8]) {
    let limits = Limits {
        unpacked: 1 << 22,
        file: 1 << 21,
        entries: 200,
        directory: 1 << 16,
        metadata: 1 << 18,
        ..Limits::default()
    };
    let mut wheel = match Wheel::read_from(Cursor::new(bytes.to_vec()), &name(), &limits) {
        Ok(wheel) => wheel,
        Err(error) => return told(&error),
    };
    assert!(wheel.archive.entries.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
    let layout = Layout::debian((3, 13));
    let planned = match wheel.plan(&layout, &|_, _, _| true) {
        Ok(planned) => planned,
        Err(error) => return told(&error),
    };
    assert!(planned.is_sorted_by(|a, b| a.path < b.path));
    assert!(planned.iter().map(|file| file.size).sum::<u64>() <= 2 * limits.unpacked);
    for file in &planned {
        assert!(file.path.starts_with(&RootPath::literal("usr/local")), "{}", file.path);
        assert!(matches!(file.mode, 0o644 | 0o755) && file.mtime >= super::archive::FIRST_TIME, "{file:?}");
        let mut content = Vec::new();
        wheel.read(file, &mut content).expect("memory gives what it gave");
        assert_eq!((content.len() as u64, Sha256::of(&content)), (file.size, file.sha256));
    }
    let kept = planned.iter().take(1).map(|file| file.path.clone()).collect::<BTreeSet<_>>();
    let fewer = wheel.plan(&layout, &|path, _, _| kept.contains(path));
    assert!(fewer.is_ok_and(|fewer| fewer.len() <= planned.len()));
}

/// A RECORD; one made of its paths is read as it was written.
pub fn record(bytes: &[u8]) {
    let rows = match record::parse(bytes) {
        Ok(rows) => rows,
        Err(error) => return told(&error),
    };
    let content = |path: &str| (Sha256::of(path.as_bytes()), path.len() as u64);
    let new = rows.keys().map(|path| (path.clone().into_bytes(), Some(content(path)))).collect();
    let written = record::write(new).expect("memory takes it");
    let again = record::parse(&written).expect("as it was written");
    assert!(rows.keys().eq(again.keys()), "{}", written.escape_ascii());
    for (path, row) in &again {
        let mut check = row.check();
        std::io::Write::write_all(&mut check, path.as_bytes()).expect("a hash takes all");
        assert_eq!(check.finish(path).ok(), Some(content(path)));
        assert!(row.check().finish(path).is_err() || path.is_empty());
    }
}

/// METADATA or WHEEL.
pub fn metadata(bytes: &[u8]) {
    let fields = Fields::parse(bytes);
    let mut again = String::new();
    for (key, value) in &fields.0 {
        assert!(fields.all(key).any(|one| one == value));
        let folded: Vec<&str> = value.split('\n').collect();
        again += &format!("{key}: {}\n", folded.join("\n "));
    }
    let count = fields.0.len();
    assert_eq!(Fields::parse(again.as_bytes()).0.len(), count, "{again:?}");
    let wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n";
    let about = [
        About::read(bytes, wheel, &name()),
        About::read(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", bytes, &name()),
    ];
    for about in about {
        match about {
            Ok(about) => {
                assert_eq!(about.name.to_lowercase(), "demo");
                for python in ["3.13.5", "2.7"] {
                    about.runs_on(&python.parse().expect("a version"));
                }
            }
            Err(error) => told(&error),
        }
    }
}

/// entry_points.txt: no line leaves its command.
pub fn entry_points(bytes: &[u8]) {
    let points = match entry_points::parse(bytes) {
        Ok(points) => points,
        Err(error) => return told(&error),
    };
    let mut again = String::new();
    for point in &points {
        assert!(!point.name.is_empty() && !point.name.contains(['/', '\0', '\n']) && point.name != "..");
        let program = point.program("/usr/bin/python3");
        assert_eq!(program.lines().count(), 5, "{program}");
        assert!(program.chars().all(|c| c == '\n' || !c.is_control()), "{program:?}");
        let group = if point.gui { "gui_scripts" } else { "console_scripts" };
        again += &format!("[{group}]\n{} = {}:{}\n", point.name, point.module, point.attr);
    }
    let names: BTreeSet<_> = points.iter().map(|point| &point.name).collect();
    assert_eq!(names.len(), points.len());
    // A name that begins like a comment cannot be written otherwise.
    assert_eq!(entry_points::parse(again.as_bytes()).ok(), Some(points), "{again:?}");
}

/// File names of wheels, names of projects.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match WheelName::parse(&text) {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            assert_eq!(WheelName::parse(name.as_str()).as_ref(), Ok(&name));
            assert!(!text.contains('/'));
            let tags = Tags::new("x86_64", (3, 13), (2, 41));
            let _ = tags.misfit(&name);
        }
        Err(error) => told(&error),
    }
    if let Ok(name) = text.parse::<crate::python::ProjectName>() {
        assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
    }
}
