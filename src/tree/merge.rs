//! Packages merged into one tree, with the rule for each path that two of them ship.
//!
//! In: segments and who may replace whom (`Replaces`). Out: the tree, or every conflict at once.

use std::collections::BTreeMap;

use super::{Content, Kind, Node, NotADirectory, Origin, Tree};
use crate::{
    base::{PackageName, RootPath},
    unpack::{Entry, Segment},
};

/// Two packages, wheels or tarballs ship different things at one path, and neither `Replaces` the other (Policy 7.6.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is {first_is} of {first} and {second_is} of {second}{}", why(second))]
pub struct Conflict {
    /// Where.
    pub path: RootPath,
    /// Who had it first.
    pub first: String,
    /// What that is.
    pub first_is: &'static str,
    /// Who came with something else.
    pub second: Origin,
    /// What that is.
    pub second_is: &'static str,
}

fn why(second: &Origin) -> &'static str {
    match second {
        Origin::Package(_) => ", and neither declares “Replaces” on the other",
        _ => ", and they are not the same",
    }
}

impl Tree {
    /// Lays packages into the tree, then tarballs, then wheels, each in the order of their names whatever the order
    /// given; `replaces(a, b)` says whether `a` declares `Replaces` on the `b` that is here. Modification times are clamped to the epoch.
    ///
    /// # Errors
    /// All conflicts, sorted by path.
    pub fn merge(
        &mut self,
        segments: &[Segment],
        replaces: impl Fn(&PackageName, &PackageName) -> bool,
    ) -> Result<(), Vec<Conflict>> {
        let mut order: Vec<_> = segments.iter().collect();
        order.sort_by(|a, b| a.origin.cmp(&b.origin));
        let mut conflicts = Vec::new();
        for segment in &order {
            for entry in &segment.entries {
                let path = self.through_links(&entry.path);
                let node = self.node_of(segment, entry, path == entry.path);
                if let Err(other) = self.place(path.clone(), node.clone(), &replaces) {
                    conflicts.push(conflict(other, &node));
                }
            }
        }
        self.repair_hardlinks(|origin, path| {
            // Two tarballs may have one name.
            order.iter().filter(|segment| segment.origin == *origin).find_map(|segment| {
                let at = segment.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
                match &segment.entries.get(at)?.kind {
                    Kind::File(content) => Some(content.clone()),
                    _ => None,
                }
            })
        });
        conflicts.sort_by(|a, b| a.path.cmp(&b.path));
        // All that lies below one path meets the same thing there.
        conflicts.dedup();
        if conflicts.is_empty() { Ok(()) } else { Err(conflicts) }
    }

    fn node_of(&self, segment: &Segment, entry: &Entry, in_place: bool) -> Node {
        let mut meta = entry.meta.clone();
        meta.mtime = meta.mtime.min(self.epoch());
        let ready = in_place && meta == entry.meta && !matches!(entry.kind, Kind::Dir);
        Node {
            meta,
            kind: entry.kind.clone(),
            origin: segment.origin.clone(),
            ready: ready.then(|| (segment.file.clone(), entry.span.clone())),
        }
    }

    /// Puts a package's node at `path`, or says which path holds what it cannot stand beside.
    fn place(
        &mut self,
        path: RootPath,
        node: Node,
        replaces: impl Fn(&PackageName, &PackageName) -> bool,
    ) -> Result<(), (RootPath, Node)> {
        let blocked = |tree: &Self, error: NotADirectory| {
            let there = tree.get(&error.parent).expect("insert names a node that is there").clone();
            (error.parent, there)
        };
        let Some(there) = self.get(&path) else {
            return self.insert(path, node).map_err(|error| blocked(self, error));
        };
        let base = matches!(there.origin, Origin::Finish(_));
        let is_of_debian = base || matches!(there.origin, Origin::Package(_));
        let oldest = there.meta.mtime.min(node.meta.mtime);
        let are_dirs = matches!((&there.kind, &node.kind), (Kind::Dir, Kind::Dir));
        let usual = |n: &Node| n.meta.mode == 0o755 && n.meta.uid == 0 && n.meta.gid == 0;
        let take = match (&there.kind, &node.kind) {
            // What a tarball says of a directory that is there is its builder's umask: a `./` of 0700 must not close
            // /usr/local, nor an `etc/` of 0777 open /etc.
            (Kind::Dir, Kind::Dir) if is_of_debian && !matches!(node.origin, Origin::Package(_)) => false,
            // A directory's special mode beats the usual one; base directories have theirs from base-files.
            (Kind::Dir, Kind::Dir) => usual(there) && (base || !usual(&node)),
            // A link to a directory stands for it: merged-/usr, /var/run.
            (Kind::Symlink(_), Kind::Dir) if self.is_dir(&path) => false,
            (Kind::Symlink(_), Kind::Symlink(_)) if base => false,
            (Kind::Dir, _) if self.children(&path).next().is_some() => return Err((path.clone(), there.clone())),
            _ if same(there, &node) => false,
            _ => match (&there.origin, &node.origin) {
                (Origin::Package(other), Origin::Package(name)) if replaces(name, other) => true,
                (Origin::Package(other), Origin::Package(name)) if replaces(other, name) => false,
                (Origin::Finish(_), _) => true,
                (Origin::Manifest, _) => false,
                _ => return Err((path.clone(), there.clone())),
            },
        };
        if take {
            self.insert(path.clone(), node).map_err(|error| blocked(self, error))?;
        }
        // A directory that several ship is as old as the oldest of them says: an update leaves it alone as a rule.
        if are_dirs && let Some(dir) = self.get_mut(&path) {
            dir.meta.mtime = oldest;
        }
        Ok(())
    }

    /// Gives everything that no package brought the date of the oldest package, which is that of its newest file: the
    /// manifest's files and what was made here have none of their own, and the image's would change them, and so
    /// their layers, with every update of anything.
    pub fn date(&mut self) {
        let mut newest: BTreeMap<&PackageName, i64> = BTreeMap::new();
        for node in self.nodes.values().filter(|node| !matches!(node.kind, Kind::Dir)) {
            if let Origin::Package(name) = &node.origin {
                let date = newest.entry(name).or_insert(node.meta.mtime);
                *date = node.meta.mtime.max(*date);
            }
        }
        let Some(date) = newest.into_values().min() else { return };
        // What no package brought, and directories that none of them described; one that packages share has its date.
        let is_undated = |node: &&mut Node| {
            let is_made = !node.origin.is_unpacked() || matches!(node.kind, Kind::Dir);
            is_made && node.meta.mtime == self.epoch
        };
        for node in self.nodes.values_mut().filter(is_undated) {
            node.meta.mtime = date;
        }
    }

    /// `path` with the links among its parents followed, so that what a package ships below a link to a directory
    /// lands in that directory.
    fn through_links(&self, path: &RootPath) -> RootPath {
        let Some(parent) = path.parent() else { return path.clone() };
        if matches!(self.get(&parent), Some(Node { kind: Kind::Dir, .. })) {
            return path.clone();
        }
        // The nearest ancestor that is there decides; below it nothing can be a link.
        let mut ancestor = parent;
        while self.get(&ancestor).is_none() {
            let Some(above) = ancestor.parent() else { return path.clone() };
            ancestor = above;
        }
        let rest = path.strip_prefix(&ancestor).unwrap_or_default();
        match self.resolve(&ancestor) {
            Some(real) if real != ancestor => real.join(rest).unwrap_or_else(|_| path.clone()),
            _ => path.clone(),
        }
    }

    fn is_dir(&self, path: &RootPath) -> bool {
        self.resolve(path).and_then(|real| self.get(&real)).is_some_and(|node| matches!(node.kind, Kind::Dir))
    }

    /// Makes a file of every hardlink whose target is no longer its package's file: `content` finds the bytes that
    /// the package had at the target. The first such name becomes the file, later names link to it.
    fn repair_hardlinks(&mut self, content: impl Fn(&Origin, &RootPath) -> Option<Content>) {
        let broken: Vec<_> = self
            .iter()
            .filter_map(|(path, node)| match &node.kind {
                Kind::Hardlink(target) => {
                    let whole =
                        self.get(target).is_some_and(|t| matches!(t.kind, Kind::File(_)) && t.origin == node.origin);
                    (!whole).then(|| (path.clone(), target.clone()))
                }
                _ => None,
            })
            .collect();
        let mut first: std::collections::BTreeMap<RootPath, RootPath> = Default::default();
        for (path, target) in broken {
            let Some(node) = self.get_mut(&path) else { continue };
            node.ready = None;
            if let Some(name) = first.get(&target) {
                node.kind = Kind::Hardlink(name.clone());
            } else if let Some(bytes) = content(&node.origin, &target) {
                node.kind = Kind::File(bytes);
                first.insert(target, path);
            }
        }
    }
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Symlink(a), Kind::Symlink(b)) => a == b,
        (Kind::File(x), Kind::File(y)) => {
            (a.meta.mode, a.meta.uid, a.meta.gid) == (b.meta.mode, b.meta.uid, b.meta.gid)
                && x.len() == y.len()
                && matches!((x.sha256(), y.sha256()), (Ok(x), Ok(y)) if x == y)
        }
        _ => false,
    }
}

fn conflict((path, there): (RootPath, Node), node: &Node) -> Conflict {
    let is = |node: &Node| match node.kind {
        Kind::Dir => "a directory",
        Kind::Symlink(_) => "a symbolic link",
        Kind::File(_) | Kind::Hardlink(_) => "a file",
    };
    Conflict {
        path,
        first: there.origin.to_string(),
        first_is: is(&there),
        second: node.origin.clone(),
        second_is: is(node),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        base::Sha256,
        tree::{Meta, SegmentFile},
    };

    /// A package of directories (with a slash at the end) and empty files, all of one date but the last.
    fn segment(name: &str, date: i64, last: i64, paths: &[&str]) -> Segment {
        let file = Arc::new(SegmentFile::kept("/nowhere".as_ref(), Sha256::of(name.as_bytes())));
        let entry = |(i, path): (usize, &&str)| Entry {
            path: RootPath::parse(path.as_bytes()).unwrap(),
            meta: Meta::root(
                if path.ends_with('/') { 0o755 } else { 0o644 },
                if i + 1 == paths.len() { last } else { date },
            ),
            kind: if path.ends_with('/') { Kind::Dir } else { Kind::File(Content::inline(*b"")) },
            span: 0..0,
        };
        Segment {
            origin: Origin::Package(name.parse().unwrap()),
            entries: paths.iter().enumerate().map(entry).collect(),
            file,
            control: "".into(),
            md5sums: Vec::new(),
            scripts: Vec::new(),
            omitted: Vec::new(),
        }
    }

    fn date(tree: &Tree, path: &str) -> i64 {
        tree.get(&RootPath::parse(path.as_bytes()).unwrap()).unwrap().meta.mtime
    }

    #[test]
    fn an_update_leaves_dates_alone() {
        let build = |date_of_b: i64, epoch: i64| {
            let mut tree = Tree::new(epoch);
            let node =
                Node { meta: Meta::root(0o755, epoch), kind: Kind::Dir, origin: Origin::Finish("base"), ready: None };
            tree.insert(RootPath::literal("usr"), node.clone()).unwrap();
            tree.insert(RootPath::literal("proc"), node).unwrap();
            let a = segment("a", 100, 150, &["usr/", "usr/lib/", "usr/lib/a"]);
            let b = segment("b", date_of_b, date_of_b, &["usr/", "usr/lib/", "usr/b/", "usr/b/b"]);
            tree.merge(&[b, a], |_, _| false).unwrap();
            tree.insert_file(RootPath::literal("app/main"), 0o644, *b"", Origin::Manifest).unwrap();
            tree.date();
            tree
        };
        let (before, after) = (build(200, 300), build(400, 500));
        for (path, wanted) in [("usr", 100), ("usr/lib", 100), ("usr/lib/a", 150), ("proc", 150), ("app/main", 150)] {
            assert_eq!((date(&before, path), date(&after, path)), (wanted, wanted), "{path}");
        }
        assert_eq!((date(&before, "usr/b/b"), date(&after, "usr/b/b")), (200, 400));
        // Clamped, as everything is.
        let early = build(400, 120);
        assert_eq!(["usr/lib/a", "app/main", "usr/b/b"].map(|path| date(&early, path)), [120; 3]);
        // Without packages there is no other date than the epoch.
        let mut empty = Tree::new(7);
        empty.date();
        assert_eq!(empty.iter().map(|(_, node)| node.meta.mtime).collect::<Vec<_>>(), [7]);
    }

    /// Of a tarball `t.tar`.
    fn tarball(paths: &[(&str, u32, Kind)]) -> Segment {
        let entry = |(path, mode, kind): &(&str, u32, Kind)| Entry {
            path: RootPath::parse(path.as_bytes()).unwrap(),
            meta: Meta::root(*mode, 0),
            kind: kind.clone(),
            span: 0..0,
        };
        Segment {
            origin: Origin::Tarball("t.tar".into()),
            entries: paths.iter().map(entry).collect(),
            ..segment("x", 0, 0, &[])
        }
    }

    fn mode(tree: &Tree, path: &str) -> u32 {
        tree.get(&RootPath::parse(path.as_bytes()).unwrap()).unwrap().meta.mode
    }

    #[test]
    fn a_tarball_leaves_the_directories_of_packages_as_they_are() {
        let mut tree = Tree::new(9);
        let base = Node { meta: Meta::root(0o755, 9), kind: Kind::Dir, origin: Origin::Finish("base"), ready: None };
        tree.insert(RootPath::literal("usr"), base).unwrap();
        let a = segment("a", 1, 1, &["etc/", "etc/a", "usr/a"]);
        let t = tarball(&[("etc", 0o777, Kind::Dir), ("opt/t", 0o750, Kind::Dir), ("usr", 0o700, Kind::Dir)]);
        tree.merge(&[a, t], |_, _| false).unwrap();
        assert_eq!(["etc", "usr", "opt/t"].map(|path| mode(&tree, path)), [0o755, 0o755, 0o750]);
    }

    #[test]
    fn what_blocks_many_is_told_once() {
        let mut tree = Tree::new(9);
        tree.insert_link(RootPath::literal("opt/x"), b"nowhere", Origin::Manifest).unwrap();
        let file = || Kind::File(Content::inline(*b""));
        let t = tarball(&[("opt/x/a", 0o644, file()), ("opt/x/b", 0o644, file())]);
        assert_eq!(tree.merge(&[t], |_, _| false).unwrap_err().len(), 1);
    }

    #[test]
    fn hard_links_below_a_link_are_mended_in_each_of_two_tarballs_of_one_name() {
        let mut tree = Tree::new(9);
        tree.insert(
            RootPath::literal("real/x"),
            Node { kind: Kind::Dir, ..tree.get(&RootPath::root()).unwrap().clone() },
        )
        .unwrap();
        tree.insert_link(RootPath::literal("link"), b"real", Origin::Finish("base")).unwrap();
        let first = RootPath::literal("link/a");
        let file = Kind::File(Content::inline(*b"bytes"));
        let one = tarball(&[("opt/x", 0o644, Kind::File(Content::inline(*b"")))]);
        let two = tarball(&[("link/a", 0o644, file), ("link/b", 0o644, Kind::Hardlink(first))]);
        tree.merge(&[one, two], |_, _| false).unwrap();
        let kind = &tree.get(&RootPath::literal("real/b")).unwrap().kind;
        assert!(matches!(kind, Kind::File(content) if content.len() == 5), "{kind:?}");
    }
}
