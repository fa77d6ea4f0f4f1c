//! The limits of the parsers, which messages and documents give as numbers: what just fits is read, one more is refused.
//!
//! The limits of `.deb`s and wheels are values that a caller gives; their tests are with `deb` and `python`. Where a limit's
//! constant is private the number stands here again: who changes one, changes both.

use std::{fs, path::Path};

use crate::{
    advisory::{Advisory, AdvisoryError, Tracker, VexDocument, Wanted},
    archive::cleartext,
    base::{Arch, RootPath},
    control::{Paragraphs, RelationGroup},
    deb::{Limits, fixture::Tar},
    elf::{Elf, Source, fixture::Fixture},
    finish::{FinishError, ldcache},
    image, lock, manifest,
    python::{ProjectName, PythonLock, WheelName},
    tree::{Origin, Tree},
};

/// What just fits into `limit` fits, and one more does not, for the reason that `why` is part of.
#[track_caller]
fn edge<E: ToString>(limit: usize, why: &str, read: impl Fn(usize) -> Result<(), E>) {
    if let Err(error) = read(limit) {
        panic!("{limit}: {}", error.to_string());
    }
    let error = read(limit + 1).expect_err("one more is too many").to_string();
    assert!(error.contains(why), "{error}");
}

/// The same of what is malformed in either case: the reason must be the limit's only beyond it.
#[track_caller]
fn told<E: ToString>(limit: usize, why: &str, read: impl Fn(usize) -> Result<(), E>) {
    let [at, beyond] = [limit, limit + 1].map(|n| read(n).expect_err("malformed").to_string());
    assert!(!at.contains(why) && beyond.contains(why), "{at}\n{beyond}");
}

#[test]
fn of_control_data() {
    let fields = |n: usize| (0..n).map(|at| format!("F{at}: a\n")).collect::<String>();
    edge(512, "fields", |n| Paragraphs::new(&fields(n)).try_for_each(|one| one.map(drop)));
    edge(1024, "", |n| RelationGroup::parse(&vec!["ab"; n].join("|")).map(drop));
}

#[test]
fn of_names() {
    edge(255, "longer than Linux allows", |n| RootPath::parse("a".repeat(n).as_bytes()).map(drop));
    edge(4095, "longer than Linux allows", |n| {
        let path = "aa/".repeat(2000)[..n - 1].to_owned() + "b";
        RootPath::parse(path.as_bytes()).map(drop)
    });
    edge(200, "", |n| "a".repeat(n).parse::<ProjectName>().map(drop));
    edge(255, "255", |n| {
        // A version's zeros count for the name's length alone.
        let ends = ["a-1", "-py3-none-any.whl"];
        WheelName::parse(&(ends[0].to_owned() + &".0".repeat((n - 20) / 2) + &"0".repeat((n - 20) % 2) + ends[1]))
            .map(drop)
    });
    let tagged = |n: usize| format!("a-1-{}-none-{}.whl", ["a"; 10].join("."), vec!["b"; n].join("."));
    edge(100, "1000 tags", |n| WheelName::parse(&tagged(n)).map(drop));
    let reference = |n: usize| format!("localhost/{}:1", "a".repeat(n - "localhost/".len()));
    edge(255, "255", |n| reference(n).parse::<image::registry::Reference>().map(drop));
    edge(128, "128", |n| format!("localhost/a:{}", "b".repeat(n)).parse::<image::registry::Reference>().map(drop));
}

#[test]
fn of_signed_messages() {
    let frame = |hash: &str, line: &str, armour: &str| {
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\n{hash}\n{line}\n-----BEGIN PGP SIGNATURE-----\n\n{armour}\n\
             -----END PGP SIGNATURE-----\n"
        )
    };
    let split = |text: String| cleartext::split(text.as_bytes()).map(drop);
    // With its end.
    edge(16 << 10, "too long", |n| split(frame("Hash: SHA256\n", &"x".repeat(n - 1), "a")));
    edge(16, "too many", |n| split(frame(&"Hash: SHA256\n".repeat(n), "x", "a")));
    let whole = |n: usize| {
        let rest = frame("Hash: SHA256\n", "", "a").len();
        let lines = "x".repeat(15) + "\n";
        let mut text = lines.repeat((n - rest) / 16);
        text += &"x".repeat(n - rest - text.len());
        frame("Hash: SHA256\n", &text, "a")
    };
    edge(16 << 20, "longer than 16 MiB", |n| split(whole(n)));
}

#[test]
fn of_elf_files() {
    let read = |bytes: Vec<u8>| Elf::read(&Source::bytes(&bytes)).map(drop);
    edge(4096, "too many libraries", |n| read((0..n).fold(Fixture::new(), |file, _| file.needed("a.so")).build()));
    edge(4095, "does not end", |n| read(Fixture::new().needed(&"a".repeat(n)).build()));
    let headers = |n: usize| {
        let mut bytes = Fixture::new().needed("a.so").build();
        let (at, own) = (bytes.len() as u64, 56);
        let table = u64::from_le_bytes(bytes[32..40].try_into().unwrap()) as usize;
        let count = usize::from(u16::from_le_bytes(bytes[56..58].try_into().unwrap()));
        let known = bytes[table..table + count * own].to_vec();
        bytes.extend_from_slice(&known);
        bytes.resize(bytes.len() + (n - count) * own, 0);
        bytes[32..40].copy_from_slice(&at.to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(n).unwrap().to_le_bytes());
        read(bytes)
    };
    edge(4096, "too many program headers", headers);
}

#[test]
fn of_locks_and_manifests() {
    told(64 << 20, "longer than 64 MiB", |n| lock::Lock::parse(&("#".to_owned() + &"x".repeat(n - 1))).map(drop));
    let path = Path::new("/nowhere/a.toml");
    let comment = |n: usize| {
        let text = "name = \"a\"\narchs = [\"amd64\"]\n[debian]\nsuite = \"trixie\"\n[packages]\ninstall = [\"a\"]\n#";
        text.to_owned() + &"x".repeat(n - text.len())
    };
    edge(1 << 20, "longer than", |n| manifest::parse(&comment(n), path).map(drop));
    let requirement = |marker: &str| {
        let text = format!("a==1; {marker} --hash=sha256:{}\n", "0".repeat(64));
        PythonLock::parse("requirements.txt".as_ref(), text.as_bytes()).map(drop)
    };
    edge(50, "more than 50 deep", |n| requirement(&format!("{}os_name == 'a'{}", "(".repeat(n), ")".repeat(n))));
    edge(64 << 10, "longer than 65536", |n| {
        // The blank behind the semicolon counts.
        requirement(&format!("os_name == '{}'", "a".repeat(n - " os_name == ''".len())))
    });
}

/// Nesting ends in a message, not at the end of the stack; what is nested is of no meaning.
#[test]
fn of_nesting() {
    let lists = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let sources = std::collections::BTreeSet::new();
    let wanted = Wanted { sources: &sources, suites: &sources };
    for deep in [lists(100_000), "[".repeat(1_000_000), "{\"a\":".repeat(100_000)] {
        // What is passed over is counted and not nested.
        let _ = Tracker::parse(format!("{{\"a\":{deep}}}").as_bytes(), "a", wanted);
        let _ = Advisory::parse(format!("{{\"id\":\"a\",\"x\":{deep}}}").as_bytes());
        let _ = Advisory::parse(format!("{{\"id\":\"a\",\"database_specific\":{deep}}}").as_bytes());
        let text = format!("{{\"_meta\":{{\"pipfile-spec\":6}},\"default\":{deep}}}");
        assert!(PythonLock::parse("Pipfile.lock".as_ref(), text.as_bytes()).is_err());
        image::open::fuzz::documents(format!("{{\"config\":{deep}}}").as_bytes());
    }
    for (file, rest) in [("pylock.toml", ""), ("uv.lock", "version = 1\n"), ("poetry.lock", "")] {
        for deep in [lists(100_000), "{a = ".repeat(100_000), format!("{}1", "a.".repeat(100_000))] {
            let text = format!("{rest}x = {deep}\n");
            assert!(PythonLock::parse(file.as_ref(), text.as_bytes()).is_err(), "{file}");
            assert!(lock::Lock::parse(&text).is_err());
            assert!(manifest::parse(&text, Path::new("/nowhere/a.toml")).is_err());
        }
        let keys = format!("{rest}{} = 1\n[{}]\n", ["a"; 5000].join("."), ["b"; 5000].join("."));
        assert!(PythonLock::parse(file.as_ref(), keys.as_bytes()).is_err(), "{file}");
    }
}

#[test]
fn of_files_that_finishing_reads() {
    let written = |path: &'static str, bytes: Vec<u8>| -> Result<(), FinishError> {
        let mut tree = Tree::new(0);
        tree.insert_file(RootPath::literal(path), 0o644, bytes, Origin::Finish("test")).unwrap();
        ldcache::directories(&tree, Arch::Amd64)?;
        crate::finish::prepare(&mut tree, Arch::Amd64)?;
        crate::finish::fuzz::finished(&mut tree)
    };
    let comment = |n: usize| "#".repeat(n).into_bytes();
    for path in ["etc/ld.so.conf", "usr/lib/sysusers.d/a.conf", "usr/share/base-passwd/passwd.master"] {
        edge(1 << 20, "more than 1048576 bytes", |n| written(path, comment(n)));
    }
}

#[test]
fn of_statements() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let length = |n: u64| {
        let file = fs::File::create(&path).unwrap();
        file.set_len(n).unwrap();
        VexDocument::read(&path).map(drop).unwrap_err()
    };
    assert!(!matches!(length(64 << 20), AdvisoryError::TooLarge { .. }));
    assert!(matches!(length((64 << 20) + 1), AdvisoryError::TooLarge { .. }));
}

#[test]
fn of_images() {
    let folder = tempfile::tempdir().unwrap();
    let open = |tar: Tar| {
        let (path, scratch) = (folder.path().join("a.tar"), tempfile::tempdir_in(folder.path()).unwrap());
        fs::write(&path, tar.end()).unwrap();
        image::open::open(&path, None, scratch.path(), &Limits::default()).map(drop)
    };
    let layer = Tar::new().file("a", b"a").end();
    let id = format!("\"sha256:{}\"", crate::base::Sha256::of(&layer).hex());
    edge(1000, "more than 1000 layers", |n| {
        let config = format!("{{\"os\":\"linux\",\"rootfs\":{{\"diff_ids\":[{}]}}}}", vec![id.as_str(); n].join(","));
        let table = format!("[{{\"Config\":\"c.json\",\"Layers\":[{}]}}]", vec!["\"l.tar\""; n].join(","));
        let tar = Tar::new().file("manifest.json", table.as_bytes()).file("c.json", config.as_bytes());
        open(tar.file("l.tar", &layer))
    });
}
