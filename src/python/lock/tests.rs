#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::base::Arch;

fn env(arch: Arch, python: &str) -> Environment {
    Environment::new(arch, python.parse().unwrap(), (2, 41))
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn select(file: &str, text: &str, groups: &[&str], extras: &[&str]) -> Result<Vec<Wanted>, LockFault> {
    let lock = PythonLock::parse(Path::new(file), text.as_bytes())?;
    lock.select(&env(Arch::Amd64, "3.13.5"), &strings(groups), &strings(extras), &BTreeSet::new())
}

fn message(file: &str, text: &str) -> String {
    select(file, text, &[], &[]).unwrap_err().to_string()
}

/// One made-up application in each format.
const FIVE: [(&str, &str); 5] = [
    ("pylock.toml", include_str!("testdata/pylock.toml")),
    ("uv.lock", include_str!("testdata/uv.lock")),
    ("poetry.lock", include_str!("testdata/poetry.lock")),
    ("Pipfile.lock", include_str!("testdata/Pipfile.lock")),
    ("requirements.txt", include_str!("testdata/requirements.txt")),
];

/// Selects from one of the five; each file's digest is that of its name.
fn files(of: usize, env: &Environment, groups: &[&str], extras: &[&str], expected: &[&str]) {
    let (file, text) = FIVE[of];
    let lock = PythonLock::parse(Path::new(file), text.as_bytes()).unwrap();
    let wanted = lock.select(env, &strings(groups), &strings(extras), &BTreeSet::new()).unwrap();
    let context = format!("{file} {} {groups:?} {extras:?}", env.arch());
    let names: Vec<String> = wanted.iter().map(|wanted| format!("{} {}", wanted.name, wanted.version)).collect();
    let expected_names: Vec<String> = expected
        .iter()
        .map(|file| WheelName::parse(file).unwrap())
        .map(|wheel| format!("{} {}", wheel.project(), wheel.version()))
        .collect();
    assert_eq!(names, expected_names, "{context}");
    for (wanted, expected) in wanted.iter().zip(expected) {
        let digest = Sha256::of(expected.as_bytes());
        match &wanted.source {
            Source::Url { url, file, sha256, size } => {
                assert_eq!(
                    (file.as_str(), *sha256, *size),
                    (*expected, digest, Some(expected.len() as u64)),
                    "{context}"
                );
                assert!(url.starts_with("https://files.example.com/") && url.ends_with(expected), "{context}: {url}");
            }
            Source::Index { file: Some(file), sha256 } => {
                assert_eq!((file.as_str(), &sha256[..]), (*expected, &[digest][..]), "{context}");
            }
            Source::Index { file: None, sha256 } => assert!(sha256.contains(&digest), "{context}: {expected}"),
            Source::Path { .. } => panic!("{context}: {wanted:?}"),
        }
    }
}

#[test]
fn the_five_formats_agree() {
    let jin = "jin_ja-3.1.6-py2.py3-none-any.whl";
    let webby = "webby-3.1.3-py3-none-any.whl";
    let checker = "checker-9.2.0-py3-none-any.whl";
    for (arch, machine, vault) in [
        (Arch::Amd64, "x86_64", "vault-50.0.2-cp311-abi3-manylinux_2_34_x86_64.whl"),
        (Arch::Arm64, "aarch64", "vault-50.0.2-cp311-abi3-manylinux_2_34_aarch64.whl"),
    ] {
        let env = env(arch, "3.13.5");
        let numbers = format!("numbers-2.5.5-cp313-cp313-manylinux_2_27_{machine}.manylinux_2_28_{machine}.whl");
        let looper = format!("looper-0.22.1-cp313-cp313-manylinux2014_{machine}.manylinux_2_17_{machine}.whl");
        for format in 0..5 {
            files(format, &env, &[], &[], &[jin, &looper, &numbers, webby]);
        }
        for format in 0..4 {
            files(format, &env, &["dev"], &[], &[checker, jin, &looper, &numbers, webby]);
        }
        for format in 0..3 {
            files(format, &env, &[], &["crypto"], &[jin, &looper, &numbers, vault, webby]);
            files(format, &env, &["Dev"], &["CRYPTO"], &[checker, jin, &looper, &numbers, vault, webby]);
        }
        files(3, &env, &["crypto", "dev-packages"], &[], &[checker, jin, &looper, &numbers, vault, webby]);
    }
}

#[test]
fn what_is_supplied_is_left_out() {
    let lock = PythonLock::parse(Path::new("uv.lock"), FIVE[1].1.as_bytes()).unwrap();
    let supplied = BTreeSet::from(["webby".parse().unwrap()]);
    let wanted = lock.select(&env(Arch::Amd64, "3.13.5"), &[], &[], &supplied).unwrap();
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    // Its dependency stays.
    assert_eq!(names, ["jin-ja", "looper", "numbers"]);
}

/// The five digits stand for a digest: each of `0` to `9` in a lock's text below is written `#0` to `#9`.
fn spelt(text: &str) -> String {
    (0..10).fold(text.to_owned(), |text, digit| text.replace(&format!("#{digit}"), &digit.to_string().repeat(64)))
}

fn pylock(packages: &str) -> String {
    spelt(&format!("lock-version = '1.0'\ncreated-by = 'hand'\npackages = [{packages}]\n"))
}

#[test]
fn formats_are_told_by_the_name() {
    for (file, format) in [
        ("a/pylock.toml", Format::Pylock),
        ("pylock.web.toml", Format::Pylock),
        ("uv.lock", Format::Uv),
        ("poetry.lock", Format::Poetry),
        ("Pipfile.lock", Format::Pipfile),
        ("requirements-prod.txt", Format::Requirements),
    ] {
        assert_eq!(Format::of(Path::new(file)), Ok(format), "{file}");
    }
    for file in ["pylock.a.b.toml", "pyproject.toml", "Pipfile", "requirements.in", "", "pylock..toml", "/"] {
        let error = Format::of(Path::new(file)).unwrap_err().to_string();
        assert!(error.contains("pylock.toml") && error.contains("Pipfile.lock"), "{error}");
        assert_eq!(error.contains("--generate-hashes"), file.ends_with(".in"), "{error}");
    }
}

#[test]
fn a_broken_lock_says_where() {
    let wheel =
        "{name = 'a-1-py3-none-any.whl', url = 'https://example.com/a-1-py3-none-any.whl', hashes = {sha256 = '#1'}}";
    for (file, text, parts) in [
        ("pylock.toml", "lock-version = '1.0'\npackages = [".into(), &["pylock.toml:2: ", "as TOML"][..]),
        ("pylock.toml", "lock-version = '2.0'\npackages = []".into(), &["pylock.toml:1: ", "version 2.0", "reads 1.x"]),
        ("pylock.toml", "packages = []".into(), &["lock-version"]),
        ("pylock.toml", pylock("{name = '-'}"), &["pylock.toml:3: ", "“-”", "package name"]),
        ("pylock.toml", pylock("{name = 'a', marker = \"os_name = 'x'\"}"), &[":3: ", "marker", "cannot be evaluated"]),
        ("pylock.toml", pylock("{name = 'a', requires-python = 'three'}"), &[":3: ", "range of Python versions", "three"]),
        ("pylock.toml", pylock("{name = 'a', requires-python = '>=3.14'}"), &["a wants Python >=3.14", "has 3.13.5"]),
        ("pylock.toml", pylock("{name = 'a', directory = {path = '.'}, wheels = []}"), &["it may have one"]),
        ("pylock.toml", pylock("{name = 'a', directory = {path = 'lib'}}"), &["the folder “lib”", "python.wheels"]),
        ("pylock.toml", pylock("{name = 'a', vcs = {type = 'git', url = 'u', commit-id = 'c'}}"), &["a comes from git (u)"]),
        ("pylock.toml", pylock("{name = 'a', version = '1', archive = {url = 'https://example.com/a-1.zip', hashes = {}}}"),
            &["a 1 has only a source archive (a-1.zip)", "cp313-cp313-manylinux_2_41_x86_64"]),
        ("pylock.toml", pylock("{name = 'a'}"), &["lists no file"]),
        ("pylock.toml", pylock("{name = 'a', wheels = [{path = 'a-1-py3-none-any.whl', hashes = {md5 = '0'}}]}"),
            &["a has no SHA-256 for a-1-py3-none-any.whl", "uv export"]),
        ("pylock.toml", pylock("{name = 'a', wheels = [{path = 'a-1-py3-none-any.whl', hashes = {sha256 = 'x'}}]}"),
            &["“sha256:x” is not a usable hash"]),
        ("pylock.toml", pylock("{name = 'a', wheels = [{url = 'ftp://example.com/a-1-py3-none-any.whl', hashes = {sha256 = '#1'}}]}"),
            &["is not a usable URL", "http"]),
        ("pylock.toml", pylock("{name = 'a', wheels = [{url = 'https:///a-1-py3-none-any.whl', hashes = {sha256 = '#1'}}]}"),
            &["names no host"]),
        ("pylock.toml", pylock(&format!("{{name = 'b', wheels = [{wheel}]}}")), &["b is named by the file", "which is a 1"]),
        ("pylock.toml", pylock(&format!("{{name = 'a', version = '2', wheels = [{wheel}]}}")), &["a 2", "which is a 1"]),
        ("pylock.toml", pylock(&format!("{{name = 'a', version = '1.0', wheels = [{wheel}]}}, {{name = 'A', wheels = [{wheel}]}}")),
            &["a is wanted twice", "a 1.0 (line 3)"]),
        ("pylock.toml", pylock("{name = 'a', version = '1', wheels = [
            {name = 'a-1-cp312-cp312-manylinux_2_28_x86_64.whl'}, {name = 'a-1-cp313-cp313-win_amd64.whl'},
            {name = 'a-1-cp313-cp313-manylinux_2_45_x86_64.whl'}, {name = 'a-1.whl'},
            {name = 'a-1-cp313-cp313-musllinux_1_2_x86_64.whl'}]}"),
            &["a 1 has no wheel that fits", "wants glibc 2.45, the image has 2.41), a-1-cp312-cp312", "and 1 more"]),
        ("pylock.toml", "lock-version = '1.0'\nenvironments = [\"sys_platform == 'win32'\"]\npackages = []".into(),
            &["made for sys_platform == 'win32'", "3.13.5 on x86_64"]),
        ("pylock.toml", "lock-version = '1.0'\nrequires-python = '<3.13'\npackages = []".into(), &["the lock wants Python <3.13"]),
        ("uv.lock", "version = 2\n".into(), &["uv.lock:1: ", "version 2", "reads 1"]),
        ("uv.lock", "version = 1\n".into(), &["no project to start from"]),
        ("uv.lock", "version = 1\nrequires-python = '>=3.14'\n[[package]]\nname = 'app'\nsource = { virtual = '.' }".into(),
            &["the lock wants Python >=3.14"]),
        ("uv.lock", "version = 1\n[[package]]\nname = 'app'\nversion = '1'\nsource = { virtual = '.' }\ndependencies = [{name = 'b'}]".into(),
            &["uv.lock:3: ", "app 1 depends on b"]),
        ("uv.lock", "version = 1\n[[package]]\nname = 'app'\nsource = { editable = '.' }\ndependencies = [{name = 'b'}]\n\
                     [[package]]\nname = 'b'\nsource = { editable = '../b' }".into(),
            &["uv.lock:7: ", "b comes from the project in “../b”", "python.wheels"]),
        ("uv.lock", "version = 1\n[[package]]\nname = 'app'\nsource = { editable = '.' }\ndependencies = [{name = 'b'}]\n\
                     [[package]]\nname = 'b'\nsource = { git = 'https://example.com/b' }".into(),
            &["b comes from Git (https://example.com/b)"]),
        ("uv.lock", "version = 1\n[[package]]\nname = 'app'\nsource = { virtual = '.' }\ndependencies = [{name = 'b'}]\n\
                     [[package]]\nname = 'b'\nversion = '1'\nsource = { registry = 'wheels' }\nwheels = [{ path = 'b-1-py3-none-any.whl' }]".into(),
            &["b 1 has no SHA-256 for b-1-py3-none-any.whl", "uv lock"]),
        ("uv.lock", "version = 1\n[[package]]\nname = 'app'\nsource = { virtual = '.' }\ndependencies = [{name = 'b'}]\n\
                     [[package]]\nname = 'b'\nversion = '1'\n[[package]]\nname = 'b'\nversion = '2'".into(),
            &["b is wanted twice", "b 1 (line 7) and as b 2 (line 10)"]),
        ("poetry.lock", "[metadata]\nlock-version = '1.1'".into(), &["poetry.lock:2: ", "version 1.1", "Poetry 2"]),
        ("poetry.lock", "[metadata]\nlock-version = '3.0'".into(), &["version 3.0"]),
        ("poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\n[metadata]\nlock-version = '2.0'".into(),
            &["poetry.lock:2: ", "without groups", "poetry lock"]),
        ("poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\npython-versions = '<3'\ngroups = ['main']\n[metadata]\nlock-version = '2.1'".into(),
            &["a 1 wants Python <3"]),
        ("poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\ngroups = ['main']\nsource = {type = 'directory', url = '../a'}\n\
                         [metadata]\nlock-version = '2.1'".into(), &["a 1 comes from the folder “../a”"]),
        ("poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\ngroups = ['main']\nfiles = [{file = 'a-1.tar.gz', hash = 'sha256:#1'}]\n\
                         [metadata]\nlock-version = '2.1'".into(), &["only a source archive (a-1.tar.gz)"]),
        ("Pipfile.lock", "{\"_meta\": {},\n".into(), &["Pipfile.lock:2: ", "as JSON"]),
        ("Pipfile.lock", r#"{"_meta": {"pipfile-spec": 7}}"#.into(), &["version 7"]),
        ("Pipfile.lock", r#"{"_meta": {"requires": {"python_version": "3.12"}}}"#.into(), &["wants Python ==3.12.*"]),
        ("Pipfile.lock", r#"{"_meta": {}, "default": {"a": {"version": "==1", "hashes": ["md5:0"]}}}"#.into(),
            &["a 1 has no SHA-256;", "pipenv lock"]),
        ("Pipfile.lock", r#"{"_meta": {}, "default": {"a": {"version": "*", "hashes": ["sha256:#1"]}}}"#.into(), &["a is not pinned"]),
        ("Pipfile.lock", r#"{"_meta": {}, "default": {"a": {"git": "https://example.com/a", "ref": "0"}}}"#.into(), &["a comes from git"]),
        ("Pipfile.lock", r#"{"_meta": {}, "default": {"a": {"path": ".", "editable": true}}}"#.into(), &["the folder “.”"]),
        ("requirements.txt", "\n\na==1\n".into(), &["requirements.txt:3: ", "a 1 has no SHA-256", "--generate-hashes"]),
        ("requirements.txt", "a>=1 --hash=sha256:#1".into(), &["requirements.txt:1: a>=1", "it is not pinned"]),
        ("requirements.txt", "a==1.* --hash=sha256:#1".into(), &["a==1.*", "it is not pinned"]),
        ("requirements.txt", "a".into(), &["requirements.txt:1: a: it is not pinned"]),
        ("requirements.txt", "a==$(x) --hash=sha256:#1".into(), &["requirements.txt:1: ", "“$(x)” is not a usable version"]),
        ("requirements.txt", "# x\n-r base.txt".into(), &[":2: -r base.txt: ", "one file must hold all"]),
        ("requirements.txt", "-e .".into(), &["project of this machine", "python.wheels"]),
        ("requirements.txt", "--no-binary :all:".into(), &["source archives"]),
        ("requirements.txt", "--indexurl x".into(), &["did you mean “--index-url”"]),
        ("requirements.txt", "a==1 --hash".into(), &["no value"]),
        ("requirements.txt", "a==1 --hush=1".into(), &["“--hush” is not known"]),
        ("requirements.txt", "a[b==1".into(), &["bracket"]),
        ("requirements.txt", "./src".into(), &["it is no wheel"]),
        ("requirements.txt", "a @ https://${TOKEN}@example.com/a-1-py3-none-any.whl".into(), &["environment"]),
        ("requirements.txt", "a @ git+https://example.com/a".into(), &["a comes from git"]),
        ("requirements.txt", "a @ https://example.com/a-1.tar.gz --hash=sha256:#1".into(), &["a has only a source archive"]),
        ("requirements.txt", "a @ https://example.com/a-1-py3-none-any.whl --hash=sha256:#1 --hash=sha256:#2".into(),
            &["more than one SHA-256"]),
        ("requirements.txt", "a==1 --hash=sha256:#1\na==2 --hash=sha256:#2".into(), &["requirements.txt:2: ", "a is wanted twice"]),
        ("requirements.txt", "a==1 ; python_version --hash=sha256:#1".into(), &["cannot be evaluated"]),
        ("requirements.txt", "== --hash=sha256:#1".into(), &["not a Python project's name"]),
    ] {
        let error = message(file, &spelt(&text));
        for part in parts {
            assert!(error.contains(part), "{file}: {text}\n  says {error}\n  without {part}");
        }
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn bytes_that_are_no_text_or_too_many_are_refused() {
    let error = |bytes: &[u8]| PythonLock::parse(Path::new("uv.lock"), bytes).unwrap_err().problem;
    assert_eq!(error(b"version = \xff"), Problem::NotText { at: 10 });
    assert_eq!(error(&vec![b'\n'; LARGEST + 1]), Problem::TooLarge { size: LARGEST + 1 });
}

#[test]
fn deep_nesting_is_no_overflow() {
    let (open, close) = ("[".repeat(100_000), "{\"a\":".repeat(100_000));
    for (file, text) in
        [("pylock.toml", format!("a = {open}")), ("Pipfile.lock", open.clone()), ("Pipfile.lock", close)]
    {
        assert!(PythonLock::parse(Path::new(file), text.as_bytes()).is_err());
    }
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() {
    for (of, groups, extras, parts) in [
        (0, &["devv"][..], &[][..], &["no group “devv”", "did you mean “dev”?", "it has default, dev"][..]),
        (1, &[], &["crypt"], &["no extra “crypt”", "did you mean “crypto”?"]),
        (1, &["unheard-of"], &[], &["no group “unheard-of” in it; it has dev"]),
        (2, &["test"], &[], &["it has dev, main"]),
        (3, &["x y"], &[], &["“x y”", "crypto, default, develop"]),
        (3, &[], &["crypto"], &["the extra “crypto” was asked for", "python.groups"]),
        (4, &["dev"], &[], &["the group “dev” was asked for", "export it"]),
    ] {
        let (file, text) = FIVE[of];
        let error = select(file, text, groups, extras).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{file}: {error}\n  without {part}");
        }
    }
}

#[test]
fn what_is_not_wanted_is_no_error() {
    for (file, text) in [
        ("pylock.toml", pylock("{name = 'a', marker = \"sys_platform == 'win32'\", vcs = {type = 'git', url = 'u'}}")),
        (
            "poetry.lock",
            "[[package]]\nname = 'a'\nversion = '1'\ngroups = ['dev']\n[metadata]\nlock-version = '2.1'".into(),
        ),
        ("Pipfile.lock", r#"{"_meta": {}, "develop": {"a": {"git": "x"}}}"#.into()),
        ("requirements.txt", "a==1 ; sys_platform == 'win32'".into()),
    ] {
        assert_eq!(select(file, &text, &[], &[]), Ok(vec![]), "{file}");
    }
}

/// The places of the wheels that one lock wants: `URL`, `PATH` or `index`, and the first digit of the digest.
fn places(file: &str, text: &str) -> Vec<String> {
    let wanted = select(file, &spelt(text), &[], &[]).unwrap();
    let place = |wanted: Wanted| match wanted.source {
        Source::Url { url, sha256, .. } => format!("{} {} {url} {}", wanted.name, wanted.version, &sha256.hex()[..1]),
        Source::Path { path, sha256, .. } => {
            format!("{} {} {} {}", wanted.name, wanted.version, path.display(), &sha256.hex()[..1])
        }
        Source::Index { sha256, .. } => format!("{} {} index {}", wanted.name, wanted.version, sha256.len()),
    };
    wanted.into_iter().map(place).collect()
}

#[test]
fn wheels_are_found_where_the_lock_says() {
    let wheels = "wheels = [{name = 'a-1+b-py3-none-any.whl', url = 'https://example.com/a-1%2Bb-py3-none-any.whl?x=1#y', \
                  hashes = {SHA256 = '#1'}}]";
    let archive =
        "archive = {path = 'w/c-1-py3-none-any.whl', url = 'https://example.com/c.zip', hashes = {sha256 = '#2'}}";
    let file = "wheels = [{url = 'file:///w/d%20e/d-1-py3-none-any.whl', hashes = {sha256 = '#3'}}]";
    assert_eq!(
        places(
            "pylock.toml",
            &pylock(&format!("{{name = 'A', {wheels}}}, {{name = 'c', {archive}}}, {{name = 'd', {file}}}"))
        ),
        [
            "a 1+b https://example.com/a-1%2Bb-py3-none-any.whl?x=1 1",
            "c 1 w/c-1-py3-none-any.whl 2",
            "d 1 /w/d e/d-1-py3-none-any.whl 3"
        ]
    );
    let uv = "version = 1\n[[package]]\nname = 'app'\nsource = { virtual = '.' }\n\
              dependencies = [{name = 'a'}, {name = 'b'}, {name = 'c', extra = ['more']}]\n\
              [[package]]\nname = 'a'\nversion = '1'\nsource = { registry = 'wheels' }\n\
              wheels = [{ path = 'a-1-py3-none-any.whl', hash = 'sha256:#1' }]\n\
              [[package]]\nname = 'b'\nversion = '1'\nsource = { path = 'w/b-1-py3-none-any.whl' }\n\
              wheels = [{ filename = 'b-1-py3-none-any.whl', hash = 'sha256:#2' }]\n\
              [[package]]\nname = 'c'\nversion = '1'\nsource = { url = 'https://example.com/c-1-py3-none-any.whl' }\n\
              wheels = [{ url = 'https://example.com/c-1-py3-none-any.whl', hash = 'sha256:#3' }]\n\
              [package.optional-dependencies]\nmore = [{name = 'd'}]\n\
              [[package]]\nname = 'd'\nversion = '1'\n\
              wheels = [{ url = 'http://example.com/d-1-py3-none-any.whl', hash = 'sha256:#4' }]\n";
    assert_eq!(
        places("uv.lock", uv),
        [
            "a 1 wheels/a-1-py3-none-any.whl 1",
            "b 1 w/b-1-py3-none-any.whl 2",
            "c 1 https://example.com/c-1-py3-none-any.whl 3",
            "d 1 http://example.com/d-1-py3-none-any.whl 4"
        ]
    );
    let poetry = "[[package]]\nname = 'a'\nversion = '1'\ngroups = ['main']\nmarkers = {dev = \"os_name == 'nt'\"}\n\
                  files = [{file = 'a-1-py3-none-any.whl', hash = 'sha256:#1'}]\n\
                  [package.source]\ntype = 'url'\nurl = 'https://example.com/a-1-py3-none-any.whl'\n\
                  [[package]]\nname = 'b'\nversion = '1'\ngroups = ['main']\nmarkers = {main = \"os_name == 'posix'\"}\n\
                  files = [{file = 'b-1-py3-none-any.whl', hash = 'sha256:#2'}]\n\
                  [package.source]\ntype = 'file'\nurl = '../b-1-py3-none-any.whl'\n\
                  [metadata]\nlock-version = '2.1'\npython-versions = '^3.11'";
    assert_eq!(
        places("poetry.lock", poetry),
        ["a 1 https://example.com/a-1-py3-none-any.whl 1", "b 1 ../b-1-py3-none-any.whl 2"]
    );
    let pipfile = r#"{"_meta": {}, "default": {
        "a": {"file": "https://example.com/a-1-py3-none-any.whl", "hashes": ["sha256:#1"], "version": "==1"},
        "b": {"path": "w/b-1-py3-none-any.whl", "hashes": ["sha256:#2"]}}}"#;
    assert_eq!(
        places("Pipfile.lock", pipfile),
        ["a 1 https://example.com/a-1-py3-none-any.whl 1", "b 1 w/b-1-py3-none-any.whl 2"]
    );
    let requirements = "\u{feff}--index-url=https://example.com/simple\n-f wheels\n-c limits.txt\n\
        A.x [e, f] == 1.0 ; python_version > '3' \\\n  --hash=sha256:#1 --hash md5:0 \\\n  # why\n\
        b @ https://example.com/b-1-py3-none-any.whl#egg=b&sha256=#2 ; os_name == 'posix' # end\n\
        c@file:///w/c-1-py3-none-any.whl --hash=sha256:#3\n\
        ./w/d-1-py3-none-any.whl ; os_name == 'posix' --hash=sha256:#4\n\
        e[x]==1 --hash=sha256:#5\ne==1 --hash=sha256:#5\n";
    assert_eq!(
        places("requirements.txt", requirements),
        [
            "a-x 1.0 index 1",
            "b 1 https://example.com/b-1-py3-none-any.whl 2",
            "c 1 /w/c-1-py3-none-any.whl 3",
            "d 1 ./w/d-1-py3-none-any.whl 4",
            "e 1 index 1"
        ]
    );
}

#[test]
fn a_workspace_and_its_conflicts_are_walked() {
    let text =
        "version = 1\n[manifest]\nmembers = ['app', 'lib']\n[manifest.dependency-groups]\nci = [{ name = 'c' }]\n\
        [[package]]\nname = 'app'\nsource = { virtual = 'app' }\ndependencies = [{name = 'lib'}]\n\
        [package.optional-dependencies]\none = [{name = 'a', version = '1', marker = \"extra == 'extra-3-app-one'\"}]\n\
        two = [{name = 'a', version = '2', marker = \"extra == 'extra-3-app-two'\"}]\n\
        [[package]]\nname = 'lib'\nsource = { editable = 'lib' }\ndependencies = [{name = 'b'}, {name = 'app'}]\n"
            .to_owned();
    let registry = |name: &str, version: &str| {
        format!(
            "[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {{ registry = 'https://example.com' }}\n\
             wheels = [{{ url = 'https://example.com/{name}-{version}-py3-none-any.whl', hash = 'sha256:#1' }}]\n"
        )
    };
    let text = spelt(&(text + &registry("a", "1") + &registry("a", "2") + &registry("b", "1") + &registry("c", "1")));
    let names = |groups: &[&str], extras: &[&str]| -> Vec<String> {
        let wanted = select("uv.lock", &text, groups, extras).unwrap();
        wanted.iter().map(|wanted| format!("{} {}", wanted.name, wanted.version)).collect()
    };
    assert_eq!(names(&[], &[]), ["b 1"]);
    assert_eq!(names(&[], &["one"]), ["a 1", "b 1"]);
    assert_eq!(names(&["ci"], &["two"]), ["a 2", "b 1", "c 1"]);
    assert!(select("uv.lock", &text, &[], &["one", "two"]).unwrap_err().to_string().contains("a is wanted twice"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}", of in 0..5usize, at in 0..12_000usize, cut in 0..40usize, line in "[-a-z@=#;\\[\\] .\\\\'\"/:\n]{0,60}") {
        let (file, whole) = FIVE[of];
        let _ = select(file, &text, &[], &[]);
        let _ = select("requirements.txt", &line, &[], &[]);
        // A whole lock with a piece replaced, which gets further than noise does.
        let at = at.min(whole.len());
        let edited = format!("{}{text}{}", &whole[..at], &whole[(at + cut).min(whole.len())..]);
        let _ = select(file, &edited, &["dev"], &["crypto"]);
        let _ = select(file, &edited, &[], &[]);
    }
}
