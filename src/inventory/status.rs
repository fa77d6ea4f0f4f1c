//! dpkg's database in an image: which packages it says are there, and their files.
//!
//! In: `/var/lib/dpkg/status.d/` (images without dpkg, as compose and distroless make them) and
//! `/var/lib/dpkg/status` (dpkg itself; its `info/*.list`). Out: [`Found`] packages, and the dependencies among them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
};

use super::{Licence, Package};
use crate::{
    base::{PackageName, RootPath, words},
    control::{Atom, Clauses, Paragraph, Paragraphs, Version},
    lock::CutEdge,
    manifest::default_provided,
    tree::{Kind, Tree},
};

/// Longest file of the database that is read, bytes: Debian whole is 110 MB.
const MOST: usize = 256 << 20;
/// How many notes are taken of what cannot be read.
const NOTES: usize = 20;

pub(super) const STATUS_D: &str = "var/lib/dpkg/status.d";
pub(super) const STATUS: &str = "var/lib/dpkg/status";

/// What the database says.
pub(super) struct Status {
    pub(super) packages: Vec<Found>,
    /// How many entries could not be read.
    pub(super) unread: usize,
}

/// One package of the database.
pub(super) struct Found {
    pub(super) name: PackageName,
    version: Version,
    pub(super) arch: String,
    source: String,
    source_version: Version,
    installed_size: Option<u64>,
    maintainer: Option<String>,
    homepage: Option<String>,
    summary: Option<String>,
    depends: String,
    provides: String,
    /// Where its list of files is.
    pub(super) files: Files,
}

/// Where a package's list of files is.
pub(super) enum Files {
    /// Lines of `md5sums` form, at this path.
    Sums(RootPath),
    /// dpkg's `info/NAME.list`, or `NAME:ARCH.list`.
    Info,
}

impl Found {
    /// Without what others need.
    pub(super) fn package(&self, licence: Licence) -> Package {
        Package {
            source: self.source.clone(),
            source_version: self.source_version.clone(),
            installed_size: self.installed_size,
            licence,
            maintainer: self.maintainer.clone(),
            homepage: self.homepage.clone(),
            summary: self.summary.clone(),
            ..Package::new(self.name.clone(), self.version.clone(), self.arch.clone())
        }
    }
}

/// Reads what is there of both; a package in both is taken once.
pub(super) fn read(tree: &Tree, notes: &mut Vec<String>) -> io::Result<Status> {
    let mut packages: Vec<Found> = Vec::new();
    let mut unread = Unread { count: 0, notes };
    // A link inside the image is followed, as scanners do.
    let folder = RootPath::literal(STATUS_D);
    let folder = tree.resolve(&folder).unwrap_or(folder);
    let mut seen = BTreeSet::new();
    let mut take = |found: Found, packages: &mut Vec<Found>| {
        if seen.insert((found.name.clone(), found.arch.clone(), found.version.clone())) {
            packages.push(found);
        }
    };
    for (path, node) in tree.children(&folder) {
        let is_list = path.file_name().ends_with(b".md5sums");
        if is_list || matches!(node.kind, Kind::Dir) {
            continue;
        }
        let sums = RootPath::parse(&[path.as_bytes(), b".md5sums"].concat());
        if tree.content(path).is_none() {
            unread.add(format!("{path} leads to no file"));
        }
        for found in paragraphs(tree, path, &mut unread)? {
            let sums = sums.clone().unwrap_or_else(|_| path.clone());
            take(Found { files: Files::Sums(sums), ..found }, &mut packages);
        }
    }
    for found in paragraphs(tree, &RootPath::literal(STATUS), &mut unread)? {
        take(found, &mut packages);
    }
    if let Some(more) = unread.count.checked_sub(NOTES).filter(|more| *more > 0) {
        unread.notes.push(format!("{more} more entries of dpkg's database could not be read"));
    }
    Ok(Status { packages, unread: unread.count })
}

/// What cannot be read: counted, and the first of it told.
struct Unread<'n> {
    count: usize,
    notes: &'n mut Vec<String>,
}

impl Unread<'_> {
    fn add(&mut self, text: String) {
        if self.count < NOTES {
            self.notes.push(text);
        }
        self.count += 1;
    }
}

fn paragraphs(tree: &Tree, path: &RootPath, unread: &mut Unread<'_>) -> io::Result<Vec<Found>> {
    let Some(content) = tree.content(path) else { return Ok(Vec::new()) };
    let mut note = |text: String| unread.add(text);
    if content.len() > MOST as u64 {
        note(format!("{path} has {} bytes, and was not read", content.len()));
        return Ok(Vec::new());
    }
    let bytes = content.read()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut out = Vec::new();
    for paragraph in Paragraphs::new(&text) {
        match paragraph {
            Ok(paragraph) if !is_installed(&paragraph) => {}
            Ok(paragraph) => match found(&paragraph) {
                Ok(found) => out.push(found),
                Err(why) => note(format!("{path}, line {}: {why}", paragraph.line())),
            },
            Err(error) => note(format!("{path}: {error}; what follows was not read")),
        }
    }
    Ok(out)
}

/// Whether its files are there (dpkg(1), “Package states”). A paragraph of status.d has no such field.
fn is_installed(paragraph: &Paragraph<'_>) -> bool {
    let state = paragraph.get("Status").and_then(|status| status.split_ascii_whitespace().nth(2));
    !matches!(state, Some("not-installed" | "config-files"))
}

fn found(paragraph: &Paragraph<'_>) -> Result<Found, String> {
    let field = |name: &str| paragraph.get(name).map(|value| words::quote(value.lines().next().unwrap_or(""), 500));
    let needed = |name: &str| field(name).ok_or_else(|| format!("a paragraph without {name}"));
    let name: PackageName = needed("Package")?.parse().map_err(|error: crate::base::BadName| error.to_string())?;
    let version: Version = needed("Version")?.parse().map_err(|error| format!("{name}: {error}"))?;
    // `Source: name (version)` (Policy 5.6.1).
    let source = field("Source").unwrap_or_default();
    let (source, built_from) = match source.split_once('(') {
        Some((source, rest)) => (source.trim().to_owned(), rest.trim_end().strip_suffix(')').map(str::trim)),
        None => (source.trim().to_owned(), None),
    };
    let built_from = built_from.and_then(|text| text.parse().ok());
    let depends = ["Pre-Depends", "Depends"].map(|name| paragraph.get(name).unwrap_or_default());
    Ok(Found {
        source: if source.is_empty() { name.to_string() } else { source },
        source_version: built_from.unwrap_or_else(|| version.clone()),
        arch: arch(field("Architecture"))?,
        installed_size: field("Installed-Size").and_then(|text| text.parse().ok()),
        maintainer: field("Maintainer"),
        homepage: field("Homepage"),
        summary: field("Description"),
        depends: depends.join(", "),
        provides: paragraph.get("Provides").unwrap_or_default().to_owned(),
        files: Files::Info,
        name,
        version,
    })
}

/// dpkg's name of an architecture (Policy 5.6.8).
fn arch(text: Option<String>) -> Result<String, String> {
    let text = text.unwrap_or_else(|| "all".into());
    let is_name = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_name { Ok(text) } else { Err(format!("“{}” is no architecture", words::quote(&text, 40))) }
}

/// Fills in who needs whom, and lists the clauses that nothing in the image meets. `packages` are made of `found`.
pub(super) fn unmet(found: &[Found], packages: &mut [Package]) -> Vec<CutEdge> {
    /// Who is called so, and since which version; none for an unversioned Provides (Policy 7.5).
    type Providers<'a> = HashMap<&'a str, Vec<(&'a Found, Option<&'a str>)>>;
    let mut providers: Providers<'_> = HashMap::new();
    for one in found {
        providers.entry(one.name.as_str()).or_default().push((one, Some(one.version.as_str())));
        // What cannot be read provides nothing.
        for atom in Clauses::new(&one.provides).flatten().flatten() {
            providers.entry(atom.name).or_default().push((one, atom.constraint.map(|(_, version)| version)));
        }
    }
    let meeting = |atom: &Atom<'_>| -> Vec<&PackageName> {
        let all = providers.get(atom.name).map_or(&[][..], Vec::as_slice);
        let holds = |version: &Option<&str>| match (atom.constraint, version) {
            (None, _) => true,
            (Some((op, bound)), Some(version)) => op.holds(version, bound),
            (Some(_), None) => false,
        };
        all.iter().filter(|(_, version)| holds(version)).map(|(one, _)| &one.name).collect()
    };
    let reasons: BTreeMap<&str, &str> = default_provided().iter().map(|(name, why)| (name.as_str(), *why)).collect();
    let mut required_by: BTreeMap<&PackageName, BTreeSet<&PackageName>> = BTreeMap::new();
    let mut cut = BTreeSet::new();
    for one in found {
        for clause in Clauses::new(&one.depends).flatten() {
            let applies: Vec<_> = clause.iter().filter(|atom| atom.applies_to(&one.arch)).collect();
            let met: BTreeSet<&PackageName> = applies.iter().flat_map(|atom| meeting(atom)).collect();
            if met.is_empty() && !applies.is_empty() {
                let dependency = applies.iter().map(|atom| atom.name).collect::<Vec<_>>().join(" | ");
                let reason = applies.iter().find_map(|atom| reasons.get(atom.name));
                let reason = reason.copied().unwrap_or("nothing in the image meets it").to_owned();
                cut.insert(CutEdge { package: one.name.to_string(), dependency, reason });
            }
            for name in met.into_iter().filter(|name| **name != one.name) {
                required_by.entry(name).or_default().insert(&one.name);
            }
        }
    }
    for package in packages {
        let by = required_by.get(&package.name).into_iter().flatten();
        package.required_by = by.map(ToString::to_string).collect();
    }
    cut.into_iter().collect()
}
