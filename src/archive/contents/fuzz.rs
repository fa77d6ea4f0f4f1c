//! What must hold of a Contents index and of what the store keeps of it, whatever its bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use super::{
    kept::{Gathered, Table},
    parse::{self, Shelved},
};
use crate::{
    archive::fuzz::Trickle,
    base::{Arch, PackageName},
};

/// The index, and the same bytes as a kept table.
pub fn contents(bytes: &[u8]) {
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let end = parse::lines(bytes, u64::MAX, |line| whole.push(line.to_vec()));
    let again = parse::lines(Trickle(bytes), u64::MAX, |line| pieces.push(line.to_vec()));
    assert_eq!(end.ok(), again.ok());
    assert_eq!(whole, pieces);
    assert!(bytes.is_empty() || parse::lines(bytes, bytes.len() as u64 - 1, |_| ()).is_err());

    let mut gathered = Gathered::default();
    let mut count = 0;
    for line in &whole {
        let Some((path, location)) = parse::split(line) else { continue };
        assert!(!path.is_empty() && !location.contains(&b' '));
        let place = parse::place(path);
        assert_eq!(parse::place(place), place);
        for arch in [Arch::Amd64, Arch::Armhf] {
            let Some((name, at)) = parse::soname(path, arch) else { continue };
            assert!(parse::is_soname(name) && !name.contains(&b'/'));
            if let Shelved::Aside(folder) = at {
                assert!(!folder.contains(&b'/'));
            }
            for package in parse::packages(location) {
                assert!(PackageName::is_valid(package));
                count += 1;
                gathered.add(name, at, package);
            }
        }
    }
    let table = gathered.table();
    assert_eq!(Table::parse(table.text.clone()).as_ref(), Some(&table));
    assert!(table.from(b"").map(|entry| entry.packages().count()).sum::<usize>() <= count);

    if let Some(table) = Table::parse(bytes.to_vec()) {
        let names: Vec<_> = table.from(b"").map(|entry| entry.name).collect();
        assert!(names.is_sorted());
        for name in names {
            assert_eq!(table.from(name).next().map(|entry| entry.name), Some(name));
        }
    }
}
