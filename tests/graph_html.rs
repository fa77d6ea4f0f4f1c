//! `compose graph --html` on the real binary: what the page says of an image, that it is the same every time, that names
//! from packages stay names, and how it goes in a browser.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use compose::base::Sha256;
use serde_json::Value;
use support::{
    Archive, Desk, Pkg, Served, pkg,
    python::{fastmath, greeter},
};

/// Names that would be markup, or the end of a script, were they not escaped.
const HOSTILE: [&str; 5] = [
    "<img src=x onerror=globalThis.hostile=1>",
    "\"onmouseover=\"hostile=1",
    "a\u{2028}b\u{202e}c'&lt;",
    "{{data}}",
    "<!--<script>",
];

fn sized(name: &str, version: &str, size: u32) -> Pkg {
    pkg(name, version).field("Installed-Size", &size.to_string())
}

/// A chain, a choice, a cycle, a library that many need, files of all sizes, links, names that are hostile.
fn packages() -> Vec<Pkg> {
    let mut odd = sized("odd", "1.0~<", 7);
    odd.version = "1.0~rc1".into();
    for (at, name) in HOSTILE.iter().enumerate() {
        odd = odd.file(&format!("usr/share/odd/{name}"), 0o644, vec![b'x'; 40 + at]);
    }
    odd = odd.file("usr/share/odd/</script><script>hostile=1</script>", 0o644, "x");
    let many = (0..30).map(|at| {
        let name = format!("plug{at}");
        let path = format!("usr/lib/plug/{at}.dat");
        sized(&name, "1", 9).depends("libc (>= 2)").file(&path, 0o644, vec![b'p'; 1 << (at / 2)])
    });
    let list: Vec<_> = (0..30).map(|at| format!("plug{at}")).collect();
    let mut all = vec![
        sized("app", "1:1.0", 30)
            .field("Pre-Depends", "libc (>= 2)")
            .depends("pager, debconf (>= 1) | debconf-2.0, odd, plugs")
            .file("usr/bin/app", 0o755, vec![b'a'; 20_000])
            .hard("usr/bin/app-too", "usr/bin/app"),
        sized("less", "1.3", 100).field("Provides", "pager").file("usr/bin/less", 0o755, vec![b'l'; 9_000]),
        sized("most", "5.2", 700).field("Provides", "pager"),
        sized("libc", "2.41", 1000)
            .depends("libgcc")
            .file("usr/lib/libc.dat", 0o644, vec![b'c'; 50_000])
            .link("usr/lib/libc.so", "libc.dat"),
        sized("libgcc", "14", 10).depends("libc").file("usr/lib/libgcc.dat", 0o644, vec![b'g'; 3_000]),
        sized("plugs", "1", 1).depends(&list.join(", ")),
        odd,
    ];
    all.extend(many);
    all
}

fn desk() -> (Served, Desk) {
    let served = Archive::new(packages()).serve();
    let own = "[[files]]\npath = \"/app/main.py\"\ncontent = \"print(1)\"\n";
    let desk = Desk::new(&served, "install = [\"app\", \"less | most\"]", own);
    (served, desk)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

fn data(page: &str) -> Value {
    serde_json::from_str(between(page, "id=\"data\">", "</script>")).unwrap()
}

/// Of the regular files of a folder, each once.
fn bytes_in(folder: &Path, seen: &mut BTreeSet<u64>) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bytes = entries.map(|path| {
        let meta = fs::symlink_metadata(&path).unwrap();
        match (meta.is_dir(), meta.is_file()) {
            (true, _) => bytes_in(&path, seen),
            (_, true) if seen.insert(meta.ino()) => meta.len(),
            _ => 0,
        }
    });
    bytes.sum()
}

fn sum(values: &Value, number: impl Fn(&Value) -> &Value) -> u64 {
    values.as_array().unwrap().iter().map(|value| number(value).as_u64().unwrap()).sum()
}

/// In Chromium, if this machine has one.
fn in_a_browser(page: &Path) {
    let (Some(chromium), Some(python)) = (support::tool("chromium"), support::tool("python3")) else { return };
    let total = data(&fs::read_to_string(page).unwrap())["bytes"].to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph_html.py");
    let run = Command::new(python).arg(script).arg(chromium).arg(page).arg(total).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
}

#[test]
fn the_page_holds_what_the_image_holds() {
    let (served, desk) = desk();
    desk.compose(&["demo.toml", "-o", "r/"]).ok();
    let run = desk.compose(&["graph", "demo.toml", "--html", "x.html"]).ok();
    assert!(run.stdout.starts_with("x.html  0."), "{}", run.stdout);
    let page = fs::read_to_string(desk.path("x.html")).unwrap();
    let data = data(&page);
    let bytes = bytes_in(&desk.path("r"), &mut BTreeSet::new());
    assert_eq!(data["bytes"], bytes);
    assert_eq!((sum(&data["parts"], |part| &part["bytes"]), sum(&data["files"], |file| &file[3])), (bytes, bytes));
    let named = |name: &str| data["parts"].as_array().unwrap().iter().position(|part| part["name"] == name).unwrap();
    let part = |name: &str| &data["parts"][named(name)];
    assert_eq!((part("app")["bytes"].as_u64(), part("app")["files"].as_u64()), (Some(20_000), Some(1)));
    assert_eq!((part("the manifest")["bytes"].as_u64(), part("libc")["installed"].as_u64()), (Some(8), Some(1000)));
    assert_eq!(
        part("less")["why"],
        "`less | most` is asked for (packages.install, line 5): less was chosen; instead most 5.2 (+600 KiB)"
    );
    assert_eq!(part("plug7")["via"], named("plugs"));
    assert_eq!(part("libc")["leaves"], serde_json::json!([named("libgcc")]));
    let edge = |from: &str, to: &str| {
        let (from, to) = (named(from), named(to));
        data["edges"].as_array().unwrap().iter().find(|edge| edge[0] == from && edge[1] == to).unwrap().clone()
    };
    assert_eq!((edge("app", "less")[2].as_str(), edge("app", "less")[3].as_u64()), (Some("pager"), Some(1)));
    assert_eq!((edge("plug7", "libc")[2].as_str(), edge("plug7", "libc")[3].as_u64()), (Some("libc (>= 2)"), Some(0)));
    // The list is there without scripts: each part has its row, and what was cut is told.
    assert_eq!(page.matches("<tr id=\"p").count(), data["parts"].as_array().unwrap().len());
    assert!(page.contains("<td>debconf</td>") && page.contains("proven smallest"));
    // The same once more, from another cache, and with nothing but the locked packages at hand but for what those do
    // not know: what else would have done.
    fs::rename(desk.path("cache"), desk.path("cache-before")).unwrap();
    desk.compose(&["graph", "demo.toml", "--html", "y.html", "-j", "1"]).ok();
    assert!(fs::read_to_string(desk.path("y.html")).unwrap() == page, "another page");
    drop(served);
    fs::remove_dir_all(desk.path("cache/indexes")).unwrap();
    let run = desk.compose(&["graph", "demo.toml", "--html", "z.html", "--offline"]).ok();
    assert!(run.stderr.contains("reading the locked packages themselves"), "{}", run.stderr);
    let page = fs::read_to_string(desk.path("z.html")).unwrap();
    assert!(page.contains("which others would do is not known"));
    assert_eq!(self::data(&page)["files"], data["files"]);
}

#[test]
fn names_from_packages_stay_names() {
    let (_served, desk) = desk();
    desk.compose(&["graph", "demo.toml", "--html", "x.html"]).ok();
    let page = fs::read_to_string(desk.path("x.html")).unwrap();
    assert_eq!(page.matches("<script").count(), 2, "data and code");
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains('\u{2028}'));
    let data = data(&page);
    let names: BTreeSet<_> = data["files"].as_array().unwrap().iter().map(|file| file[2].as_str().unwrap()).collect();
    for name in HOSTILE {
        let shown = name.replace(['\u{2028}', '\u{202e}'], "\u{fffd}");
        assert!(names.contains(shown.as_str()), "{shown}");
    }
    // The policy lets this page's own style and script be, and nothing else.
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    let digest = |text: &str| STANDARD.encode(Sha256::of(text.as_bytes()).bytes());
    let style = digest(between(&page, "<style>", "</style>"));
    let script = digest(between(&page, "<script type=\"module\">", "</script>"));
    let wanted = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(policy, wanted);
}

#[test]
fn in_a_browser_every_view_works() {
    let (_served, desk) = desk();
    desk.compose(&["graph", "demo.toml", "--html", "x.html"]).ok();
    in_a_browser(&desk.path("x.html"));
}

#[test]
fn wheels_and_what_they_pull_in() {
    let served = support::python::served();
    let desk = support::python::desk(&served, "wheels = [\"wheels/*.whl\"]", &[greeter(), fastmath()]);
    desk.compose(&["graph", "demo.toml", "--html", "x.html"]).ok();
    let data = data(&fs::read_to_string(desk.path("x.html")).unwrap());
    let parts = data["parts"].as_array().unwrap();
    let named = |name: &str| parts.iter().position(|part| part["name"] == name).unwrap();
    let (wheel, library) = (named("fastmath"), named("libstdc++6"));
    assert_eq!((parts[wheel]["what"].as_str(), parts[wheel]["version"].as_str()), (Some("wheel"), Some("1.0")));
    assert!(parts[wheel]["bytes"].as_u64() > Some(0));
    assert_eq!(parts[library]["via"], wheel);
    assert_eq!(
        parts[library]["why"],
        "`libstdc++.so.6` is needed by the wheel fastmath, which libstdc++6 14.2.0-19 provides"
    );
    assert_eq!(parts[wheel]["leaves"], serde_json::json!([named("libgcc-s1"), library]));
    let edges = data["edges"].as_array().unwrap();
    assert!(edges.contains(&serde_json::json!([wheel, library, "libstdc++.so.6", 0])), "{edges:?}");
    assert!(edges.contains(&serde_json::json!([0, wheel, "[python]", 0])), "{edges:?}");
    in_a_browser(&desk.path("x.html"));
}

#[test]
fn what_cannot_be_done_is_said() {
    let (served, desk) = desk();
    let refused = |code, args: &[&str]| desk.refused(code, &served, args);
    let text = refused(2, &["graph", "demo.toml", "--html", "x.html", "--format", "dot"]);
    assert!(text.contains("cannot be used with"), "{text}");
    desk.compose(&["lock", "demo.toml"]).ok();
    let text = refused(8, &["graph", "demo.toml", "--html", "no/x.html"]);
    assert!(text.contains("cannot write the page no/x.html") && text.contains("next step"), "{text}");
    fs::remove_dir_all(desk.path("cache")).unwrap();
    let text = refused(4, &["graph", "demo.toml", "--html", "x.html", "--offline"]);
    assert!(text.contains("is not in the cache") && text.contains("run once without --offline"), "{text}");
    let text = fs::read_to_string(desk.path("demo.toml")).unwrap();
    desk.manifest(&text.replace("[\"amd64\"]", "[\"amd64\", \"arm64\"]"));
    let text = refused(2, &["graph", "demo.toml", "--html", "x.html"]);
    assert!(text.contains("choose one with --arch"), "{text}");
}
