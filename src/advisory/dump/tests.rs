#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use super::*;
use crate::advisory::{
    Finding, Status, Urgency, check_projects,
    testing::{inventory, project},
};

fn file(id: &str, aliases: &str, name: &str, fixed: &str, more: &str) -> (String, String) {
    let json = format!(
        r#"{{"id":"{id}","modified":"2026-11-0{}T00:00:00Z","aliases":[{aliases}],"affected":[{{"package":{{"ecosystem":"PyPI",
        "name":"{name}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}{fixed}]}}]}}]{more}}}"#,
        id.len() % 9 + 1
    );
    (format!("{id}.json"), json)
}

fn files() -> Vec<(String, String)> {
    vec![
        file(
            "GHSA-aaaa",
            r#""CVE-2026-1""#,
            "Flask",
            r#",{"fixed":"3.1"}"#,
            r#","database_specific":{"severity":"HIGH"}"#,
        ),
        file(
            "PYSEC-2026-1",
            r#""CVE-2026-1","GHSA-aaaa""#,
            "flask",
            r#",{"fixed":"3.2"}"#,
            r#","details":"What it is""#,
        ),
        file("PYSEC-2026-2", "", "flask", r#",{"fixed":"1.0"}"#, ""),
        file("MAL-2026-1", "", "flask", "", ""),
        file("GHSA-bbbb", "", "other", "", ""),
        (
            "GHSA-npm.json".into(),
            r#"{"id":"GHSA-npm","affected":[{"package":{"ecosystem":"npm","name":"flask"}}]}"#.into(),
        ),
        ("README.txt".into(), "no JSON".into()),
    ]
}

fn wanted() -> BTreeSet<ProjectName> {
    BTreeSet::from(["flask".parse().unwrap()])
}

fn folder(files: &[(String, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("PyPI")).unwrap();
    for (n, (name, text)) in files.iter().enumerate() {
        let place = if n % 2 == 0 { folder.path().join(name) } else { folder.path().join("PyPI").join(name) };
        fs::write(place, text).unwrap();
    }
    folder
}

fn zipped(files: &[(String, String)]) -> tempfile::NamedTempFile {
    let mut out = tempfile::NamedTempFile::new().unwrap();
    let mut writer = zip::ZipWriter::new(&mut out);
    for (name, text) in files {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    out
}

#[test]
fn a_folder_and_its_zip_say_the_same() {
    let (folder, zip) = (folder(&files()), zipped(&files()));
    let dump = read_dump(folder.path(), &wanted()).unwrap();
    assert_eq!(dump, read_dump(zip.path(), &wanted()).unwrap());
    let ids: Vec<_> = dump.advisories.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["GHSA-aaaa", "MAL-2026-1", "PYSEC-2026-1", "PYSEC-2026-2"]);
    assert_eq!((dump.entries, dump.date.unwrap().to_string()), (5, "2026-11-04T00:00:00Z".into()));
}

#[test]
fn one_finding_for_all_names() {
    let dump = read_dump(folder(&files()).path(), &wanted()).unwrap();
    let mut image = inventory(
        Vec::new(),
        vec![
            project("flask", "3.0"),
            project("flask", "3.0"),
            project("flask", "not a version"),
            project("other", "1"),
        ],
    );
    image.projects.push(project("flask", "2.0"));
    image.projects[4].package = Some("python3-flask".parse().unwrap());
    let (covered, mut findings, not_covered) = check_projects(&image, &dump);
    findings.sort_by(|a, b| a.id.cmp(&b.id));
    let said: Vec<_> = findings
        .iter()
        .map(|Finding { id, aliases, status, urgency, .. }| (id.as_str(), aliases.join(" "), status.clone(), *urgency))
        .collect();
    assert_eq!(
        said,
        [
            ("CVE-2026-1", "GHSA-aaaa PYSEC-2026-1".into(), Status::Fixed { version: "3.2".into() }, Urgency::High),
            ("MAL-2026-1", String::new(), Status::Open, Urgency::Unassigned),
        ]
    );
    assert_eq!(findings[0].description, "What it is");
    assert_eq!((covered, not_covered[0].what.join(" ")), (2, "flask not a version".into()));
}

#[test]
fn what_is_no_dump_is_told() {
    let broken = |mut files: Vec<(String, String)>| {
        files.push(("bad.json".into(), "{\"id\": \"\u{1}".into()));
        files
    };
    let empty = tempfile::tempdir().unwrap();
    let other = folder(&files()[5..]);
    let (bad_folder, bad_zip) = (folder(&broken(files())), zipped(&broken(files())));
    let text = tempfile::NamedTempFile::new().unwrap();
    fs::write(text.path(), "PK\u{3}\u{4} and no more").unwrap();
    for (path, says) in [
        (empty.path(), "holds no advisory of the PyPI ecosystem (0 JSON files"),
        (other.path(), "holds no advisory of the PyPI ecosystem (1 JSON files"),
        (bad_folder.path(), "bad.json is not an OSV advisory"),
        (bad_zip.path(), "bad.json is not an OSV advisory"),
        (text.path(), "neither a folder nor a zip"),
        (Path::new("/nonexistent/osv"), "cannot read /nonexistent/osv"),
    ] {
        let error = read_dump(path, &wanted()).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains(|c: char| c.is_control()), "{error}");
    }
}

#[test]
fn a_huge_file_is_refused() {
    let bomb = zipped(&[("a.json".into(), format!("{{\"id\":\"{}\"}}", "a".repeat(MAX_FILE as usize)))]);
    let error = read_dump(bomb.path(), &wanted()).unwrap_err();
    assert!(matches!(error, AdvisoryError::TooLarge { .. }), "{error}");
}
