//! Any sequence of wicked entries is refused, or is one tree, whoever lays it out: compose, or GNU tar from compose's
//! archive. Nothing beside the output is touched.

use proptest::prelude::*;

use super::*;
use crate::{
    deb::{
        Limits,
        fixture::{Tar, deb_of},
    },
    unpack::{Filter, Item, unpack},
};

/// Names and targets that meet, overlap, and lead out.
const NAMES: [&str; 18] = [
    "a",
    "b",
    "./a/",
    "a/b",
    "a/c",
    "b/x",
    "a/b/c",
    "b/../c",
    "../x",
    "/a",
    "/a/c",
    ".",
    "bin",
    "bin/a",
    "usr/bin/a",
    "lib/a",
    "usr/lib",
    "up/x",
];
const TARGETS: [&str; 12] =
    ["a", "b", "..", "../canary", "/", "/a", "../../..", "a/b", ".", "bin/a", "/usr/lib", "../canary/kept"];

#[derive(Debug, Clone)]
enum Made {
    File,
    Dir,
    Symlink(&'static str),
    Hardlink(&'static str),
}

fn entry() -> impl Strategy<Value = (&'static str, Made)> {
    let target = || prop::sample::select(&TARGETS[..]);
    let made = prop_oneof![
        3 => Just(Made::File),
        3 => Just(Made::Dir),
        3 => target().prop_map(Made::Symlink),
        2 => prop_oneof![target(), prop::sample::select(&NAMES[..])].prop_map(Made::Hardlink),
    ];
    (prop::sample::select(&NAMES[..]), made)
}

fn tar(entries: &[(&'static str, Made)]) -> Tar {
    entries.iter().enumerate().fold(Tar::new(), |tar, (at, (name, made))| match made {
        // A slash at the end makes a directory of a file.
        Made::File if name.ends_with('/') => tar.file(name, b""),
        Made::File => tar.file(name, &[b'0' + u8::try_from(at).unwrap()]),
        Made::Dir => tar.dir(name),
        Made::Symlink(target) => tar.symlink(name, target),
        Made::Hardlink(target) => tar.hardlink(name, target),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn wicked_entries_are_refused_or_one_tree(
        one in prop::collection::vec(entry(), 0..7), two in prop::collection::vec(entry(), 0..5)
    ) {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path();
        fs::create_dir(at.join("canary")).unwrap();
        fs::write(at.join("canary/kept"), "kept").unwrap();
        filetime(&at.join("canary/kept"));
        let canary = || dir_listing(&at.join("canary"));
        let before = canary();
        let store = Store::open(&at.join("store")).unwrap();
        let made = [("one", one), ("two", two)].map(|(name, entries)| {
            let bytes = deb_of(name, tar(&entries));
            let item = Item { package: name.parse().unwrap(), deb: at.join(name), sha256: Sha256::of(&bytes) };
            fs::write(&item.deb, &bytes).unwrap();
            unpack(&store, &item, &Filter::nothing(), &Limits::default())
        });
        let mut tree = Tree::new(testing::EPOCH);
        let segments: Vec<_> = made.into_iter().filter_map(Result::ok).collect();
        if tree.merge(&segments, |_, _| false).is_ok() {
            write(&tree, at, &["rootfs/", "x.tar"]).unwrap();
            let written = dir_listing(&at.join("rootfs"));
            let paths: Vec<_> = tree.iter().map(|(path, _)| path.clone()).filter(|path| !path.is_root()).collect();
            prop_assert_eq!(written.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), paths);
            fs::create_dir(at.join("fresh")).unwrap();
            // Dates of folders last: a folder's entry may lie far before what is in it.
            let how = ["-xpf", "x.tar", "-C", "fresh", "--numeric-owner", "--delay-directory-restore"];
            let gnu = Command::new("tar").args(how).current_dir(at).output();
            match gnu {
                Ok(output) => {
                    prop_assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    prop_assert_eq!(written, dir_listing(&at.join("fresh")));
                }
                Err(_) => println!("skipped: no GNU tar here"),
            }
        }
        prop_assert_eq!(before, canary());
        let mut left = names(at);
        left.retain(|name| !["canary", "fresh", "one", "rootfs", "store", "two", "x.tar"].contains(&name.as_str()));
        prop_assert_eq!(left, Vec::<String>::new());
    }
}

/// Whole seconds, as `dir_listing` wants them.
fn filetime(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
}
