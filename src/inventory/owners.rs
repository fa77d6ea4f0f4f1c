//! Who brought which file of an image, found out from what the image itself says.
//!
//! In: a tree that came out of an image, and its packages. Out: the nodes' origins: a package (dpkg's lists of files),
//! a wheel (RECORD, PEP 376), a step of `finish` or of dpkg's scripts (files that are made in place); what is left
//! with [`Origin::Manifest`] nothing is known to have brought. Directories stay as they are.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    sync::Arc,
};

use super::{
    ContentSize, Package, Project, projects,
    status::{Files, Found, Status},
};
use crate::{
    base::RootPath,
    python::{Fields, ProjectName},
    tree::{Kind, Origin, Tree},
};

/// Longest list of files that is read, bytes.
const MOST: u64 = 64 << 20;

/// Files that maintainer scripts, dpkg or `finish` make: where, and the step's name. A `/` at the end: all below.
const GENERATED: [(&str, &str); 37] = [
    ("bin", "base"),
    ("sbin", "base"),
    ("lib", "base"),
    ("lib32", "base"),
    ("lib64", "base"),
    ("libx32", "base"),
    ("run/lock", "base"),
    ("var/lock", "base"),
    ("var/run", "base"),
    ("etc/mtab", "base"),
    ("usr/lib64", "base"),
    ("var/spool/mail", "base"),
    ("etc/passwd", "accounts"),
    ("etc/group", "accounts"),
    ("etc/passwd-", "accounts"),
    ("etc/group-", "accounts"),
    ("etc/shadow", "accounts"),
    ("etc/gshadow", "accounts"),
    ("etc/shadow-", "accounts"),
    ("etc/gshadow-", "accounts"),
    ("etc/subuid", "accounts"),
    ("etc/subgid", "accounts"),
    ("etc/nsswitch.conf", "nsswitch"),
    ("etc/os-release", "os-release"),
    ("usr/lib/os-release", "os-release"),
    ("etc/debian_version", "os-release"),
    ("etc/localtime", "timezone"),
    ("etc/timezone", "timezone"),
    ("etc/ssl/certs/", "ca-certificates"),
    ("etc/ca-certificates.conf", "ca-certificates"),
    ("usr/lib/ssl/cert.pem", "ca-certificates"),
    ("usr/lib/ssl/certs", "ca-certificates"),
    ("etc/alternatives/", "alternatives"),
    ("usr/share/sbom/", "sbom"),
    ("var/lib/dpkg/", "status.d"),
    ("etc/ld.so.cache", "ld.so.cache"),
    ("var/cache/ldconfig/", "ld.so.cache"),
];

/// Sets the origins.
///
/// # Errors
/// When a list of files cannot be read.
pub(super) fn learn(tree: &mut Tree, status: &Status) -> io::Result<()> {
    let mut owned: Vec<(RootPath, Origin)> = Vec::new();
    for found in &status.packages {
        let origin = Origin::Package(found.name.clone());
        for list in lists(found) {
            let Some(bytes) = read(tree, &list)? else { continue };
            let is_sums = matches!(found.files, Files::Sums(_));
            let lines = bytes.split(|&b| b == b'\n');
            let paths = lines.filter_map(|line| if is_sums { line.get(34..) } else { Some(line) });
            owned.extend(paths.filter_map(|path| Some((place(tree, path)?, origin.clone()))));
        }
    }
    // Later ones win: a package's metadata that dpkg knows is no wheel's.
    let wheels = wheels(tree)?;
    let mut set = |path: &RootPath, origin: &Origin| {
        if let Some(node) = tree.get_mut(path).filter(|node| !matches!(node.kind, Kind::Dir)) {
            node.origin = origin.clone();
        }
    };
    wheels.iter().for_each(|(path, origin)| set(path, origin));
    owned.iter().for_each(|(path, origin)| set(path, origin));
    followers(tree, status);
    Ok(())
}

fn lists(found: &Found) -> Vec<RootPath> {
    match &found.files {
        Files::Sums(path) => vec![path.clone()],
        Files::Info => {
            let name = |name: String| RootPath::parse(format!("var/lib/dpkg/info/{name}.list").as_bytes()).ok();
            let both = [name(found.name.to_string()), name(format!("{}:{}", found.name, found.arch))];
            both.into_iter().flatten().collect()
        }
    }
}

fn read(tree: &Tree, path: &RootPath) -> io::Result<Option<Vec<u8>>> {
    let content = tree.content(path).filter(|content| content.len() <= MOST);
    content.map(|content| content.read().map(std::borrow::Cow::into_owned)).transpose()
}

/// Where a listed path is: merged-/usr and other links in the way to it are followed.
fn place(tree: &Tree, path: &[u8]) -> Option<RootPath> {
    let path = RootPath::parse(path).ok().filter(|path| !path.is_root())?;
    if tree.get(&path).is_some() {
        return Some(path);
    }
    let place = tree.resolve(&path.parent()?)?.join(path.file_name()).ok()?;
    tree.get(&place).is_some().then_some(place)
}

/// What the RECORD of each project lists.
fn wheels(tree: &Tree) -> io::Result<Vec<(RootPath, Origin)>> {
    let mut out = Vec::new();
    let records: Vec<_> = projects::records(tree).collect();
    for (folder, record) in records {
        let Some(bytes) = read(tree, &record)? else { continue };
        let Some(metadata) = record.parent().and_then(|info| info.join("METADATA").ok()) else { continue };
        let Some(content) = tree.content(&metadata) else { continue };
        let fields = Fields::parse(&content.read_part(0, projects::MOST)?);
        let Some(name) = fields.get("Name").and_then(|name| name.parse::<ProjectName>().ok()) else { continue };
        if fields.get("Version").is_none() {
            continue;
        }
        let origin = Origin::Wheel(Arc::from(name.as_str()));
        // `PREFIX/lib/python3.X/dist-packages`.
        let prefix = folder.parent().and_then(|up| up.parent()?.parent()).filter(|prefix| !prefix.is_root());
        let mut lines = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
        for line in lines.byte_records().flatten() {
            // `../../../bin/x` leads out of the folder, but no further than wheels may put things: whoever wrote the RECORD
            // cannot claim any file of the system.
            let end = line.get(0).and_then(|path| beside(&folder, path));
            let end =
                end.filter(|path| path.starts_with(&folder) || prefix.as_ref().is_some_and(|p| is_scheme(path, p)));
            out.extend(end.and_then(|path| place(tree, path.as_bytes())).map(|path| (path, origin.clone())));
        }
    }
    Ok(out)
}

/// Whether a wheel's scripts, headers or data go there (the `scripts`, `headers` and `data` schemes of sysconfig).
fn is_scheme(path: &RootPath, prefix: &RootPath) -> bool {
    let rest = path.strip_prefix(prefix).unwrap_or_default();
    let first = rest.split(|&b| b == b'/').find(|part| !part.is_empty());
    matches!(first, Some(b"bin" | b"share" | b"include" | b"etc"))
}

/// `path` from `folder` on; `..` goes up.
fn beside(folder: &RootPath, path: &[u8]) -> Option<RootPath> {
    if path.starts_with(b"/") {
        return RootPath::parse(path).ok();
    }
    let mut at = folder.clone();
    for part in path.split(|&b| b == b'/') {
        at = match part {
            b"" | b"." => at,
            b".." => at.parent()?,
            part => at.join(part).ok()?,
        };
    }
    Some(at)
}

/// Those that are on no list, and follow from others: bytecode its module, a link what it leads to, a further name of a
/// file the first; and what is made in place.
fn followers(tree: &mut Tree, status: &Status) {
    let names: HashSet<&str> = status.packages.iter().map(|package| package.name.as_str()).collect();
    let entries = status.packages.iter().flat_map(|package| match &package.files {
        Files::Sums(list) => vec![list.clone(), without_end(list)],
        Files::Info => Vec::new(),
    });
    let database: HashSet<RootPath> = entries.collect();
    let is_of_nobody = |origin: &Origin| *origin == Origin::Manifest;
    let mut known: Vec<(RootPath, Origin)> = Vec::new();
    for (path, node) in tree.iter().filter(|(_, node)| is_of_nobody(&node.origin)) {
        let of = |path: &RootPath| tree.get(path).map(|node| node.origin.clone()).filter(|o| !is_of_nobody(o));
        let is_made = is_expected(path, &node.kind, &names, &database);
        let found = generated(path).filter(|_| is_made).map(Origin::Finish).or_else(|| match &node.kind {
            Kind::Dir => None,
            Kind::Hardlink(first) => of(first),
            Kind::Symlink(_) => documentation(path, &names).or_else(|| of(&tree.resolve(path)?)),
            Kind::File(_) => of(&module(path)?),
        });
        known.extend(found.map(|origin| (path.clone(), origin)));
    }
    for (path, origin) in known {
        if let Some(node) = tree.get_mut(&path) {
            node.origin = origin;
        }
    }
}

/// The package whose folder below `usr/share/doc` is a link to another's (Policy 12.3).
fn documentation(path: &RootPath, names: &HashSet<&str>) -> Option<Origin> {
    let is_there = path.parent()? == RootPath::literal("usr/share/doc");
    let name = str::from_utf8(path.file_name()).ok().filter(|name| is_there && names.contains(name))?;
    name.parse().ok().map(Origin::Package)
}

/// `status.d/NAME` of `status.d/NAME.md5sums`.
fn without_end(list: &RootPath) -> RootPath {
    let path = list.as_bytes();
    RootPath::parse(path.strip_suffix(b".md5sums").unwrap_or(path)).unwrap_or_else(|_| list.clone())
}

/// Whether a file in a folder of [`GENERATED`] is what dpkg, update-alternatives, update-ca-certificates or compose put
/// there: such a folder is no place to hide in.
fn is_expected(path: &RootPath, kind: &Kind, names: &HashSet<&str>, database: &HashSet<RootPath>) -> bool {
    let bytes = path.as_bytes();
    let below = |folder: &str| bytes.strip_prefix(folder.as_bytes());
    let is_link = matches!(kind, Kind::Symlink(_));
    if below("etc/alternatives/").is_some() {
        return is_link || bytes.ends_with(b"/README");
    }
    if let Some(name) = below("etc/ssl/certs/") {
        return is_link || matches!(name, b"ca-certificates.crt" | b"java/cacerts");
    }
    if let Some(name) = below("usr/share/sbom/") {
        return name.ends_with(b".json") && !name.contains(&b'/');
    }
    if below("var/lib/dpkg/status.d/").is_some() {
        return database.contains(path);
    }
    if let Some(file) = below("var/lib/dpkg/info/") {
        let stem = file.iter().rposition(|&b| b == b'.').and_then(|at| file.get(..at)).unwrap_or(file);
        let name = stem.split(|&b| b == b':').next().unwrap_or_default();
        return file == b"format" || str::from_utf8(name).is_ok_and(|name| names.contains(name));
    }
    match below("var/lib/dpkg/") {
        Some(name) if name.starts_with(b"alternatives/") || name.starts_with(b"triggers/") => true,
        Some(name) => DATABASE.iter().any(|known| {
            let rest = name.strip_prefix(known.as_bytes());
            rest.is_some_and(|rest| matches!(rest, b"" | b"-old" | b"-new"))
        }),
        None => below("var/cache/ldconfig/").is_none_or(|name| name == b"aux-cache"),
    }
}

/// Files of dpkg's own (dpkg(1), “Files”).
const DATABASE: [&str; 8] =
    ["status", "available", "diversions", "statoverride", "lock", "lock-frontend", "cmethopt", "arch"];

fn generated(path: &RootPath) -> Option<&'static str> {
    let path = path.as_bytes();
    let is_it = |place: &str| match place.strip_suffix('/') {
        Some(folder) => path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/")),
        None => path == place.as_bytes(),
    };
    GENERATED.iter().find(|(place, _)| is_it(place)).map(|(_, step)| *step)
}

/// `x.py` of `__pycache__/x.cpython-313.pyc` (PEP 3147).
fn module(path: &RootPath) -> Option<RootPath> {
    let folder = path.parent()?;
    let stem = path.file_name().strip_suffix(b".pyc").filter(|_| folder.file_name() == b"__pycache__")?;
    let (stem, tag) = stem.split_at_checked(stem.iter().position(|&b| b == b'.')?)?;
    if !tag.starts_with(b".cpython-") && !tag.starts_with(b".pypy") {
        return None;
    }
    folder.parent()?.join([stem, b".py"].concat()).ok()
}

/// Counts what each package and project really has in the image.
pub(super) fn measure(tree: &Tree, packages: &mut [Package], projects: &mut [Project]) {
    let mut sizes: HashMap<&Origin, ContentSize> = HashMap::new();
    for (_, node) in tree.iter() {
        let bytes = match &node.kind {
            Kind::Dir => continue,
            Kind::File(content) => content.len(),
            Kind::Symlink(_) | Kind::Hardlink(_) => 0,
        };
        let size = sizes.entry(&node.origin).or_default();
        size.files += 1;
        size.bytes += bytes;
    }
    let of = |origin: Origin| sizes.get(&origin).copied().unwrap_or_default();
    let mut counted = BTreeSet::new();
    for package in packages {
        // Of a name in two architectures the first has the files: an image does not tell them apart.
        let is_first = counted.insert(package.name.clone());
        let size = if is_first { of(Origin::Package(package.name.clone())) } else { ContentSize::default() };
        package.content = Some(size);
    }
    for project in projects.iter_mut().filter(|project| project.package.is_none()) {
        project.content = Some(of(Origin::Wheel(Arc::from(project.name.as_str()))));
    }
}
