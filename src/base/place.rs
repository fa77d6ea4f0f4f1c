//! Where a path truly is, whatever links, mounts and `..` lead to it: whether two paths meet.
//!
//! In: paths, of what is there and of what is not yet. Out: [`Place`]s, to be held against each other.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{MAX_LINKS, aside};

/// What a name stands for: something that is there, by its inode, or a path that is missing below such a folder. A folder that
/// is mounted in a second place has one inode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    There(u64, u64),
    Missing(u64, u64, PathBuf),
}

/// Something, and each folder that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    itself: Point,
    folders: Vec<Point>,
}

impl Place {
    /// What is at `path`, where a link leads; or the name that is not there yet.
    ///
    /// # Errors
    /// When a folder on the way cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        let base = match fs::canonicalize(path) {
            Ok(base) => base,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
                return Self::of(aside::folder(path))?.below(path);
            }
            Err(error) => return Err(error),
        };
        let mut points = base.ancestors().map(|folder| Ok(Point::there(&fs::metadata(folder)?)));
        let itself = points.next().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))?;
        Ok(Self { itself, folders: points.collect::<io::Result<_>>()? })
    }

    /// The very name, be it a link's.
    ///
    /// # Errors
    /// As [`Place::of`].
    pub fn name(path: &Path) -> io::Result<Self> {
        match path.file_name() {
            Some(_) => Self::of(aside::folder(path))?.below(path),
            None => Self::of(path),
        }
    }

    /// The last name of `path`, in this folder.
    fn below(self, path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default();
        let itself = match (&self.itself, fs::symlink_metadata(path)) {
            (_, Ok(info)) => Point::there(&info),
            (Point::There(dev, ino), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                Point::Missing(*dev, *ino, name.into())
            }
            (Point::Missing(dev, ino, rest), _) => Point::Missing(*dev, *ino, rest.join(name)),
            (_, Err(error)) => return Err(error),
        };
        let folders = [self.itself].into_iter().chain(self.folders).collect();
        Ok(Self { itself, folders })
    }

    /// Whether there is something.
    pub fn is_there(&self) -> bool {
        matches!(self.itself, Point::There(..))
    }

    /// Whether it is `other`, or in it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.itself == other.itself || self.folders.contains(&other.itself)
    }

    /// Whether `path` leads to it or through it, or to something that is in it.
    pub fn is_on_the_way_to(&self, path: &Path) -> bool {
        let mut points = BTreeSet::new();
        walk(path, MAX_LINKS, &mut BTreeSet::new(), &mut points);
        points.contains(&self.itself)
    }
}

impl Point {
    fn there(info: &fs::Metadata) -> Self {
        Self::There(info.dev(), info.ino())
    }
}

/// Adds everything without which `path` would not lead to what it leads to: the names on it, where links of it lead, and the
/// folders that these are in.
fn walk(path: &Path, links: usize, seen: &mut BTreeSet<PathBuf>, points: &mut BTreeSet<Point>) {
    for prefix in path.ancestors().filter(|prefix| !prefix.as_os_str().is_empty()) {
        if !seen.insert(prefix.into()) {
            continue;
        }
        for place in [Place::name(prefix), Place::of(prefix)].into_iter().flatten() {
            points.insert(place.itself);
            points.extend(place.folders);
        }
        if let Ok(target) = fs::read_link(prefix)
            && links > 0
        {
            walk(&aside::folder(prefix).join(target), links - 1, seen, points);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_meet_or_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at("far")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        fs::write(at("far/real"), "").unwrap();
        for (link, to) in [
            ("a/link", "../far/second"),
            ("far/second", "real"),
            ("folder", "a/b"),
            ("round", "round"),
            ("lost", "gone/x"),
        ] {
            symlink(to, at(link)).unwrap();
        }
        // A place, a path, and whether the first is on the way to the second.
        for (place, path, is_on) in [
            ("a", "a/b/file", true),
            ("a/b/file", "a/b/file", true),
            ("a/../a/b", "a/b/../b/file", true),
            ("a/b", "folder/file", true),
            ("folder", "folder/file", true),
            ("far", "a/link", true),
            ("far/real", "a/link", true),
            ("far/second", "a/link", true),
            ("a/link", "a/link", true),
            ("a/b", "a/link", false),
            ("a/b/file", "a", false),
            ("folder", "a/b/file", false),
            ("a/new", "a/new/lock", true),
            ("a/new/lock", "a/new/lock", true),
            ("a/./new", "a/new/x/y", true),
            ("folder/new", "a/b/new/lock", true),
            ("a/new", "a/newer", false),
            ("far/new", "a/new", false),
            ("round", "round", true),
            ("round", "a", false),
            ("lost", "lost", true),
            ("gone", "lost", true),
        ] {
            let found = Place::name(&at(place)).unwrap();
            assert_eq!(found.is_on_the_way_to(&at(path)), is_on, "{place} {path}");
        }
        let within =
            |path: &str, folder: &str| Place::name(&at(path)).unwrap().is_within(&Place::of(&at(folder)).unwrap());
        for (path, folder, is_within) in [
            ("a/b/file", "a", true),
            ("folder/file", "a", true),
            ("folder", "a", false),
            ("a/new/x", "a", true),
            ("a", "a/b", false),
            ("a/link", "far", false),
            ("far/real", "a/link", true),
        ] {
            assert_eq!(within(path, folder), is_within, "{path} {folder}");
        }
        assert!(Place::name(&at("a/link")).unwrap().is_there() && !Place::name(&at("a/new")).unwrap().is_there());
    }
}
