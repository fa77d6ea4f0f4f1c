//! What must hold of what an image says of itself, whatever its files hold: copyright files, dpkg's database, RECORDs.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use super::{Distro, Licence, licence, of_tree};
use crate::{
    base::{Arch, RootPath},
    python::Fields,
    tree::{Origin, Tree},
};

/// A copyright file, and the metadata of a project: what they come to is an SPDX expression.
pub fn copyright(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for licence in [licence::of_copyright(&text), licence::of_metadata(&Fields::parse(bytes))] {
        let Licence { names, spdx, references } = licence;
        assert!(names.is_sorted() && references.is_sorted(), "{names:?}, {references:?}");
        assert!(names.iter().all(|name| !name.is_empty() && !name.contains('\n')), "{names:?}");
        let Some(spdx) = spdx else { continue };
        let parsed = spdx::Expression::parse(&spdx);
        let parsed = parsed.unwrap_or_else(|error| panic!("“{spdx}”: {error}"));
        // Each reference that is made up is explained.
        let made_up = parsed.requirements().filter_map(|one| match &one.req.license {
            spdx::LicenseItem::Other(other) => Some(other.to_string()),
            _ => None,
        });
        for name in made_up.filter(|_| !references.is_empty()) {
            assert!(
                references.iter().any(|(known, _)| *known == name) || text.contains(&name),
                "{name}: {references:?}"
            );
        }
    }
}

/// dpkg's database in both its forms, os-release, and a project's RECORD, each of the same bytes.
pub fn status(bytes: &[u8]) {
    let files: [&[&'static str]; 4] = [
        &["var/lib/dpkg/status", "var/lib/dpkg/info/a.list"],
        &["var/lib/dpkg/status.d/a", "var/lib/dpkg/status.d/a.md5sums"],
        &["usr/lib/python3/dist-packages/a-1.dist-info/METADATA", "usr/lib/python3/dist-packages/a-1.dist-info/RECORD"],
        &["etc/os-release", "etc/debian_version", "usr/share/doc/a/copyright"],
    ];
    for some in files {
        let mut tree = Tree::new(0);
        for path in some.iter().chain(&["usr/bin/a"]) {
            tree.insert_file(RootPath::literal(path), 0o644, bytes, Origin::Manifest).expect("no file above it");
        }
        let before = tree.iter().len();
        let inventory = of_tree("a", &mut tree, Some(Arch::Amd64)).expect("memory gives it");
        assert_eq!(tree.iter().len(), before);
        assert!(inventory.packages.is_sorted_by(|a, b| (&a.name, &a.arch) <= (&b.name, &b.arch)));
        let sizes = inventory.packages.iter().filter_map(|package| package.content.as_ref());
        assert!(sizes.map(|size| size.files).sum::<usize>() <= before);
        let lines = inventory.packages.iter().flat_map(|one| [&one.maintainer, &one.homepage, &one.summary]).flatten();
        lines.chain(&inventory.notes).for_each(|line| assert!(!line.contains(['\n', '\u{1b}']), "{line:?}"));
        let Distro { id, version_id, codename, .. } = &inventory.distro;
        for word in [Some(id), version_id.as_ref(), codename.as_ref()].into_iter().flatten() {
            assert!(word.len() <= 40 && word.is_ascii(), "{word:?}");
        }
    }
}
