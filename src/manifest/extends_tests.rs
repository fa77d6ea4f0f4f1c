//! Manifests that extend others: what they come to, and what can be wrong, in which file and line.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use super::*;

const BASE: &str = r#"name = "base"
archs = ["amd64", "arm64"]
[debian]
suite = "trixie"
[packages]
install = ["base-files", "tzdata"]
forbid = ["dash"]
[rootfs]
omit = ["docs", "man"]
remove = ["/usr/bin/getconf"]
[[files]]
path = "/etc/base"
source = "data/base.conf"
[accounts]
users = [{ name = "nonroot", uid = 65532 }]
run-as = "nonroot"
[image]
entrypoint = ["/bin/a", "b"]
cmd = ["c"]
env = { LANG = "C.UTF-8", A = "base" }
[policy]
forbid = ["shell"]
max-size = "1 MB"
"#;

/// Writes `files` and loads the first; paths in what is wrong are relative to the folder.
fn load_of(files: &[(&str, &str)]) -> Result<Manifest, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let manifest = load(&folder.path().join(files[0].0));
    manifest.map_err(|errors| errors.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.packages.install.iter().map(|request| request.text.as_str()).collect()
}

#[test]
fn tables_are_joined_lists_add_up_and_the_nearest_value_holds() {
    let own = r#"extends = "common/base.toml"
name = "own"
[debian]
suite = "forky"
[packages]
install = ["tzdata", "python3"]
[rootfs]
omit = ["man"]
remove = ["/usr/bin/iconv"]
[image]
entrypoint = ["/bin/x"]
env = { A = "own", B = "own" }
[policy]
forbid = ["setuid"]
max-size = "2 MB"
"#;
    let m = load_of(&[("own.toml", own), ("common/base.toml", BASE), ("common/data/base.conf", "x")]).unwrap();
    assert_eq!((m.name.as_str(), m.debian.as_ref().unwrap().suite.as_str()), ("own", "forky"));
    assert_eq!(m.archs, [Arch::Amd64, Arch::Arm64]);
    assert_eq!(names(&m), ["base-files", "tzdata", "python3"]);
    assert_eq!(m.packages.forbid.len(), 1);
    let lines: Vec<String> = m.packages.install.iter().map(|request| request.line.to_string()).collect();
    assert!(lines[0].starts_with("6 of ") && lines[0].ends_with("common/base.toml"), "{lines:?}");
    assert_eq!(lines[2], "6");
    assert_eq!((&m.rootfs.omit[..], m.rootfs.remove.len()), (&["man".to_owned()][..], 2));
    assert_eq!((&m.image.entrypoint[..], &m.image.cmd[..]), (&["/bin/x".to_owned()][..], &["c".to_owned()][..]));
    let env: Vec<_> = m.image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=own", "B=own", "LANG=C.UTF-8"]);
    let forbidden: Vec<_> = m.policy.forbid.iter().map(|rule| rule.code.name).collect();
    assert_eq!((forbidden, m.policy.max_size.unwrap().most), (vec!["setuid", "shell"], 2_000_000));
    // Beside the file that names it.
    let FileSource::Copy(source) = &m.files[0].source else { panic!("{:?}", m.files) };
    assert!(source.ends_with("common/data/base.conf"), "{}", source.display());
}

#[test]
fn it_means_what_it_would_mean_written_out() {
    let own = "extends = \"base.toml\"\nname = \"own\"\n[packages]\ninstall = [\"python3\"]\n";
    let whole =
        BASE.replace("\"base\"\narchs", "\"own\"\narchs").replace("\"base-files\", ", "\"base-files\", \"python3\", ");
    let data = ("data/base.conf", "x");
    let meaning_of = |files: &[(&str, &str)]| {
        let manifest = load_of(files).unwrap();
        // Each was in a folder of its own.
        meaning(&manifest)
    };
    let one = meaning_of(&[("own.toml", own), ("base.toml", BASE), data]);
    assert_eq!(one, meaning_of(&[("own.toml", &whole), data]));
    // Whatever changes in a base changes the meaning of what extends it.
    let other = BASE.replace("\"/bin/a\"", "\"/bin/z\"");
    assert_ne!(one, meaning_of(&[("own.toml", own), ("base.toml", &other), data]));
}

#[test]
fn a_later_file_lies_over_an_earlier_and_one_of_both_below_them() {
    let file = |extends: &str, env: &str, package: &str| {
        let extends = if extends.is_empty() { String::new() } else { format!("extends = {extends}\n") };
        format!("{extends}packages.install = [\"{package}\"]\nimage.env = {{ {env} }}\n")
    };
    let top = format!(
        "name = \"top\"\ndebian.suite = \"trixie\"\n{}",
        file("[\"a.toml\", \"sub/b.toml\"]", "T = \"t\"", "t")
    );
    let m = load_of(&[
        (
            "top.toml",
            &top.replacen(
                "debian.suite = \"trixie\"\nextends = [\"a.toml\", \"sub/b.toml\"]",
                "extends = [\"a.toml\", \"sub/b.toml\"]\ndebian.suite = \"trixie\"",
                1,
            ),
        ),
        ("a.toml", &file("\"common.toml\"", "X = \"a\", Y = \"a\"", "a")),
        ("sub/b.toml", &file("\"../common.toml\"", "X = \"b\"", "b")),
        ("common.toml", &file("", "X = \"c\", Y = \"c\", Z = \"c\"", "c")),
    ])
    .unwrap();
    let env: Vec<_> = m.image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        (names(&m), env),
        (vec!["c", "a", "b", "t"], vec!["T=t", "X=b", "Y=a", "Z=c"].into_iter().map(str::to_owned).collect())
    );
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_line() {
    let top = |extends: &str| format!("extends = {extends}\nname = \"x\"\n[packages]\ninstall = [\"a\"]\n");
    let base = "[debian]\nsuite = \"trixie\"\n";
    let deep: Vec<(String, String)> = (0..10)
        .map(|i| (format!("d{i}.toml"), format!("extends = \"d{}.toml\"\nname = \"x\"\n{base}", i + 1)))
        .chain([("d10.toml".to_owned(), base.to_owned())])
        .collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let many = format!("[{}]", (0..40).map(|i| format!("\"m{i}.toml\"")).collect::<Vec<_>>().join(", "));
    let (missing, list, itself, wrong, cycle, merged, many) = (
        top("\"bsae.toml\""),
        top("[]"),
        top("\"top.toml\""),
        top("7"),
        top("\"a.toml\""),
        top("\"base.toml\""),
        top(&many),
    );
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("top.toml", &missing), ("base.toml", base)],
        vec![("top.toml", &list)],
        vec![("top.toml", &wrong)],
        vec![("top.toml", &itself)],
        vec![("top.toml", &cycle), ("a.toml", "extends = [\"b.toml\"]"), ("b.toml", "\nextends = \"a.toml\"")],
        deep,
        vec![("top.toml", &merged), ("base.toml", "[debian]\nsuite = 1\n[pakages]\n")],
        vec![("top.toml", &merged), ("base.toml", "[debian\n")],
        vec![("top.toml", &merged), ("base.toml", "[debian]\nsuite = \"trixie\"\n[packages]\nforbid = [\"a\"]\n")],
        vec![("top.toml", &merged), ("base.toml", "packages = 1\n[debian]\nsuite = \"trixie\"\n")],
        vec![("top.toml", "extends = \"base.toml\"\n"), ("base.toml", BASE), ("data/base.conf", "")],
        vec![("top.toml", &many)],
    ];
    let mut out = String::new();
    for files in cases {
        let errors = match load_of(&files) {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(errors) => errors.lines().take(3).collect::<Vec<_>>().join("\n"),
        };
        out += &format!("{errors}\n\n");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_file_that_is_no_manifest_is_not_read_to_its_end() {
    let errors = load_of(&[("x.toml", "extends = \"/dev/zero\"\nname = \"x\"\n")]).unwrap_err();
    assert!(errors.contains("cannot read /dev/zero"), "{errors}");
    assert!(!Path::new("x.toml").exists());
}
