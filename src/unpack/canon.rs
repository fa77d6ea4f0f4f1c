//! Merged-/usr: where the old top-level paths lie, and what that does to relative links.
//!
//! In: paths as packages ship them. Out: paths as the image has them (Debian UsrMerge; `/bin`, `/sbin` and `/lib*`
//! are links into `/usr`, as `usr-is-merged` and debootstrap set them up).

use crate::base::{BadPath, RootPath};

/// The top-level directories that are links into `/usr` (usrmerge's convert-usrmerge).
const MERGED: [&[u8]; 7] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32"];

/// Whether this is one of the merged directories itself.
pub(super) fn is_merged_top(path: &RootPath) -> bool {
    MERGED.contains(&path.as_bytes())
}

/// Where `path` lies in an image.
///
/// # Errors
/// When it becomes too long.
pub(super) fn merged(path: RootPath) -> Result<RootPath, BadPath> {
    let first = path.components().next().unwrap_or_default();
    if MERGED.contains(&first) { RootPath::literal("usr").join(path.as_bytes()) } else { Ok(path) }
}

/// Where a link in the directory `dir` leads, read as text: `..` goes up one component and stops at the root.
/// `None` for what is too long.
pub(super) fn lead(dir: &RootPath, target: &[u8]) -> Option<RootPath> {
    let mut parts: Vec<&[u8]> = if target.starts_with(b"/") { Vec::new() } else { dir.components().collect() };
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    RootPath::parse(&parts.join(&b'/')).ok()
}

/// The target of a symbolic link that was shipped at `old` and now lies at `new`, if it has to change in order to
/// lead to the same place as before.
pub(super) fn relinked(old: &RootPath, new: &RootPath, target: &[u8]) -> Option<Vec<u8>> {
    if old == new || target.starts_with(b"/") {
        return None;
    }
    let (old_dir, new_dir) = (old.parent()?, new.parent()?);
    let wanted = merged(lead(&old_dir, target)?).ok()?;
    let found = lead(&new_dir, target).and_then(|path| merged(path).ok());
    (found.as_ref() != Some(&wanted)).then(|| relative(&new_dir, &wanted))
}

/// The shortest relative path from a directory to a place.
fn relative(from: &RootPath, to: &RootPath) -> Vec<u8> {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(common).map(|_| &b".."[..]);
    let parts: Vec<&[u8]> = up.chain(to.iter().skip(common).copied()).collect();
    if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn p(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn old_paths_move_below_usr() {
        for (old, new) in [
            ("bin/sh", "usr/bin/sh"),
            ("lib", "usr/lib"),
            ("lib64/ld.so", "usr/lib64/ld.so"),
            ("library/x", "library/x"),
            ("usr/lib/x", "usr/lib/x"),
            ("", ""),
        ] {
            assert_eq!(merged(p(old)).unwrap(), p(new), "{old}");
        }
        let long = p(&format!("bin/{}", ["x"; 2045].join("/")));
        assert!(merged(long).is_err());
    }

    #[test]
    fn moved_links_lead_where_they_led() {
        for (old, target, new) in [
            ("lib/x", "../usr/y", Some("../y")),
            ("bin/foo", "../sbin/bar", None),
            ("bin/foo", "bar", None),
            ("bin/foo", "/sbin/bar", None),
            ("lib/a/b", "../../etc/x", Some("../../../etc/x")),
            ("lib/a", "..", Some("../..")),
            ("lib/a", "../../../etc/x", None),
            ("lib/a", "../usr/lib", Some(".")),
            ("usr/lib/a", "../../lib/b", None),
        ] {
            let link = p(old);
            let moved = merged(link.clone()).unwrap();
            let found = relinked(&link, &moved, target.as_bytes());
            assert_eq!(found.as_deref(), new.map(str::as_bytes), "{old} -> {target}");
        }
    }
}
