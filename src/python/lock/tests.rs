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
                assert_eq!((file.as_str(), *sha256, *size), (*expected, digest, Some(expected.len() as u64)), "{context}");
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

/// For oracle runs by hand: locks made by the real tools.
#[test]
#[ignore]
fn real() {
    let root = std::env::var("REAL_LOCKS").unwrap();
    for (file, groups, extras) in [
        ("uv/uv.lock", &[][..], &[][..]),
        ("uv/uv.lock", &["dev"], &["crypto"]),
        ("uv/pylock.toml", &[], &[]),
        ("uv/pylock.all.toml", &[], &[]),
        ("uv/requirements.txt", &[], &[]),
        ("req/requirements.txt", &[], &[]),
        ("req/uv.txt", &[], &[]),
        ("poetry/poetry.lock", &[], &[]),
        ("poetry/poetry.lock", &["dev"], &["crypto"]),
        ("poetry/requirements.txt", &[], &[]),
        ("pipenv/Pipfile.lock", &[], &[]),
        ("pipenv/Pipfile.lock", &["dev", "lint"], &[]),
        ("uvx/uv.lock", &[], &[]),
        ("uvx/uv.lock", &[], &["cpu"]),
    ] {
        let path = Path::new(&root).join(file);
        let bytes = std::fs::read(&path).unwrap();
        for arch in [Arch::Amd64, Arch::Arm64] {
            let env = env(arch, "3.13.5");
            let supplied = ["lib", "six"].map(|name| name.parse().unwrap()).into();
            let wanted = PythonLock::parse(&path, &bytes)
                .and_then(|lock| lock.select(&env, &strings(groups), &strings(extras), &supplied));
            match wanted {
                Err(error) => println!("== {file} {arch} {groups:?} {extras:?}: {error}"),
                Ok(wanted) => {
                    println!("== {file} {arch} {groups:?} {extras:?}: {}", wanted.len());
                    for wanted in wanted {
                        let what = match wanted.source {
                            Source::Url { file, .. } | Source::Path { file, .. } => file.to_string(),
                            Source::Index { file: Some(file), .. } => file.to_string(),
                            Source::Index { sha256, .. } => format!("{} hashes", sha256.len()),
                        };
                        println!("   {} {} {what}", wanted.name, wanted.version);
                    }
                }
            }
        }
    }
}
