//! What all forms say, said once.
//!
//! In: an [`Inventory`]. Out: [`Bom`]: entries in order, with identifiers that are unique in a document, purls,
//! dependencies as places in the list, and texts that every form may take as they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Subject, purl::Purl};
use crate::{
    base::{Arch, Sha256, words},
    inventory::{Distro, Inventory, Licence, Package, Project, Tarball},
    lock::CutEdge,
};

/// Longest text that is taken over, characters.
const LONGEST: usize = 1000;

/// A bill of materials.
pub(super) struct Bom<'a> {
    pub(super) name: String,
    /// RFC 3339, whole seconds, UTC.
    pub(super) created: String,
    pub(super) arch: Option<Arch>,
    /// The distribution, if it is known.
    pub(super) system: Option<System>,
    pub(super) subject: Subject,
    /// Of the image.
    pub(super) purl: String,
    /// Debian packages, then projects, then tarballs.
    pub(super) entries: Vec<Entry<'a>>,
    /// Cut edges of packages that the inventory does not list.
    pub(super) loose: Vec<String>,
    /// What could not be read.
    pub(super) notes: Vec<String>,
    /// The licences that SPDX does not list: identifier, and what they are called.
    pub(super) references: BTreeMap<String, String>,
}

/// The distribution, in the words of its os-release.
pub(super) struct System {
    /// Its ID: scanners compare it.
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) codename: Option<String>,
    pub(super) full_version: Option<String>,
    pub(super) pretty_name: Option<String>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deb,
    Project,
    Tarball,
}

/// A component of the image.
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    /// Letters, digits, dots and hyphens; unique.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) purl: String,
    pub(super) licence: Option<&'a str>,
    /// Names of licences where they make no expression.
    pub(super) mentioned: Option<String>,
    pub(super) maintainer: Option<Actor>,
    /// `http` or `https`, and a valid URI.
    pub(super) homepage: Option<&'a str>,
    pub(super) summary: Option<String>,
    /// Name and digest of the file that it came in.
    pub(super) file: Option<(String, Sha256)>,
    /// Source package and its version.
    pub(super) source: Option<(String, String)>,
    /// What no form has a field for.
    pub(super) facts: Vec<(&'static str, String)>,
    /// One text for each dependency that was cut.
    pub(super) cut: Vec<String>,
    /// Places of those that it depends on, sorted.
    pub(super) depends_on: Vec<usize>,
    /// Whether nothing in the image depends on it.
    pub(super) is_asked_for: bool,
}

/// Who answers for a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) email: Option<String>,
    /// A team, or one person: a Maintainer field does not tell but by its words.
    pub(super) is_team: bool,
}

impl<'a> Bom<'a> {
    pub(super) fn of(inventory: &'a Inventory, subject: Subject) -> Self {
        let Inventory {
            name,
            arch,
            distro,
            created,
            packages,
            projects: _,
            tarballs,
            cut,
            notes,
            repositories: _,
            unread: _,
        } = inventory;
        let created = created.map_or(0, jiff::Timestamp::as_second);
        let created = jiff::Timestamp::from_second(created).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
        let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for project in &inventory.projects {
            if let Some(package) = &project.package {
                parts.entry(package.as_str()).or_default().push(format!("{}@{}", project.name, project.version));
            }
        }
        let mut entries: Vec<Entry<'a>> = Vec::new();
        entries.extend(
            packages.iter().map(|package| Entry::of_package(package, distro, parts.get(package.name.as_str()))),
        );
        entries.extend(inventory.own_projects().map(Entry::of_project));
        entries.extend(tarballs.iter().map(Entry::of_tarball));
        unique(&mut entries);
        link(&mut entries, packages);

        let mut loose = Vec::new();
        for CutEdge { package, dependency, reason } in cut {
            let text = text(&format!("{dependency}: {reason}"));
            // One package of an architecture or of several: the cut holds for all.
            let mut owners =
                entries.iter_mut().filter(|entry| entry.kind == Kind::Deb && entry.name == *package).peekable();
            if owners.peek().is_none() {
                loose.push(self::text(&format!("{package} → {text}")));
            }
            owners.for_each(|entry| entry.cut.push(text.clone()));
        }
        let licences = packages.iter().map(|package| &package.licence);
        let references = references(licences.chain(inventory.own_projects().map(|project| &project.licence)));
        let purl = Purl::of_image(name, *arch, subject.manifest).to_string();
        let notes = notes.iter().map(|note| text(note)).collect();
        Self {
            name: text(name),
            created,
            arch: *arch,
            system: System::of(distro),
            subject,
            purl,
            entries,
            loose,
            notes,
            references,
        }
    }
}

impl System {
    fn of(distro: &Distro) -> Option<Self> {
        let Distro { id, version_id, codename, full_version, pretty_name } = distro;
        let part = |part: &Option<String>| part.as_deref().map(text).filter(|part| !part.is_empty());
        let name = text(&id.to_lowercase());
        let version = part(version_id).or_else(|| part(codename));
        (!name.is_empty()).then(|| Self {
            name,
            version,
            codename: part(codename),
            full_version: part(full_version),
            pretty_name: part(pretty_name),
        })
    }
}

impl<'a> Entry<'a> {
    fn new(kind: Kind, id: &str, name: &str, version: Option<&str>, purl: &Purl) -> Self {
        Self {
            kind,
            id: id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(200).collect(),
            name: text(name),
            version: version.map(text).filter(|version| !version.is_empty()),
            purl: purl.to_string(),
            licence: None,
            mentioned: None,
            maintainer: None,
            homepage: None,
            summary: None,
            file: None,
            source: None,
            facts: Vec::new(),
            cut: Vec::new(),
            depends_on: Vec::new(),
            is_asked_for: true,
        }
    }

    fn licensed(self, licence: &'a Licence) -> Self {
        let expression = expression(licence);
        let mentioned = (expression.is_none() && !licence.names.is_empty()).then(|| text(&licence.names.join(", ")));
        Self { licence: expression, mentioned, ..self }
    }

    fn of_package(package: &'a Package, distro: &Distro, parts: Option<&Vec<String>>) -> Self {
        let Package { name, version, arch, source, source_version, repository, installed_size, .. } = package;
        let (name, version) = (name.as_str(), version.as_str());
        let id = format!("deb-{name}-{arch}");
        let entry = Self::new(Kind::Deb, &id, name, Some(version), &Purl::of_package(package, distro));
        let mut facts = vec![("architecture", text(arch))];
        facts.extend(repository.as_ref().map(|repository| ("repository", text(repository))));
        facts.extend(installed_size.map(|size| ("installed-size-kib", size.to_string())));
        facts.extend(parts.into_iter().flatten().map(|part| ("python-project", text(part))));
        let entry = entry.licensed(&package.licence);
        Self {
            maintainer: package.maintainer.as_deref().and_then(Actor::parse),
            homepage: package.homepage.as_deref().filter(|url| is_url(url)),
            summary: package.summary.as_deref().map(text).filter(|text| !text.is_empty()),
            file: package.deb.as_ref().map(|deb| (base(&deb.filename), deb.sha256)),
            source: Some((text(source), text(source_version.as_str()))),
            facts,
            is_asked_for: package.required_by.is_empty(),
            ..entry
        }
    }

    fn of_project(project: &'a Project) -> Self {
        let name = project.name.as_str();
        let id = format!("pypi-{name}");
        let entry = Self::new(Kind::Project, &id, name, Some(&project.version), &Purl::of_project(project));
        let entry = entry.licensed(&project.licence);
        Self {
            homepage: project.homepage.as_deref().filter(|url| is_url(url)),
            summary: project.summary.as_deref().map(text).filter(|text| !text.is_empty()),
            file: project.wheel.as_ref().map(|wheel| (base(&wheel.filename), wheel.sha256)),
            facts: project.path.iter().map(|path| ("path", text(&path.to_string()))).collect(),
            ..entry
        }
    }

    fn of_tarball(tarball: &Tarball) -> Self {
        let id = format!("tarball-{}", tarball.name);
        let entry = Self::new(Kind::Tarball, &id, &tarball.name, None, &Purl::of_tarball(tarball));
        let name = if entry.name.is_empty() { "unnamed".to_owned() } else { entry.name };
        Self { file: Some((name.clone(), tarball.sha256)), name, ..entry }
    }
}

impl Actor {
    /// Of `Name <address>` (Policy 5.6.2).
    fn parse(field: &str) -> Option<Self> {
        let (name, rest) = field.split_once('<').unwrap_or((field, ""));
        let email = rest.split('>').next().map(str::trim).filter(|email| is_address(email));
        // SPDX 2.3 has the address in parentheses, so a name has none.
        let name: String = name.chars().filter(|c| !matches!(c, '(' | ')' | '"')).collect();
        let name = text(&name);
        let lower = name.to_lowercase();
        let is_team = ["team", "maintainers", "developers", "group", "project", "debian", "ubuntu", "packagers"];
        let is_team = is_team.iter().any(|word| lower.contains(word));
        (!name.is_empty()).then(|| Self { name, email: email.map(str::to_owned), is_team })
    }
}

fn is_address(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '@');
    let parts = text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    parts.is_some() && text.len() <= 254 && text.chars().all(safe)
}

/// Whether it is a URI of the Web (RFC 3986) that every reader will take: a host, and no character that has to be escaped.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| rest.len() <= LONGEST) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_host = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(in_host)
        && (1..=5).contains(&port.len())
        && port.bytes().all(|b| b.is_ascii_digit());
    let path = &rest[host.len()..];
    let in_path = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c);
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    is_host && path.chars().all(in_path) && fragment.chars().all(in_path)
}

/// The expression, unless it speaks of other documents or of what only SPDX 3 knows.
fn expression(licence: &Licence) -> Option<&str> {
    let expression = licence.spdx.as_deref()?;
    let is_plain = !["DocumentRef-", "AdditionRef-"].iter().any(|word| expression.contains(word));
    is_plain.then_some(expression)
}

/// Every `LicenseRef-` of the expressions, with its names.
fn references<'a>(licences: impl Iterator<Item = &'a Licence>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for licence in licences {
        let Some(expression) = expression(licence) else { continue };
        for id in references_of(expression) {
            let known = licence.references.iter().filter(|(known, _)| known == id);
            names.entry(id.to_owned()).or_default().extend(known.map(|(_, name)| text(name)));
        }
    }
    let named = names.into_iter().map(|(id, names)| {
        let names = Vec::from_iter(names).join(", ");
        let name = if names.is_empty() { id.trim_start_matches("LicenseRef-").to_owned() } else { names };
        (id, name)
    });
    named.collect()
}

/// The `LicenseRef-` in one expression.
pub(super) fn references_of(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.'));
    words.filter(|word| word.starts_with("LicenseRef-"))
}

/// Gives the second and further of equal identifiers a number.
fn unique(entries: &mut [Entry<'_>]) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for entry in entries {
        let first = entry.id.clone();
        let mut number = 1;
        while !taken.insert(entry.id.clone()) {
            number += 1;
            entry.id = format!("{first}-{number}");
        }
    }
}

/// Fills in who depends on whom. `packages` are the first of `entries`, in their order.
fn link(entries: &mut [Entry<'_>], packages: &[Package]) {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        // As a lock names them.
        let name = match entry.kind {
            Kind::Deb => entry.name.clone(),
            Kind::Project => format!("wheel:{}", entry.name),
            Kind::Tarball => format!("tarball:{}", entry.name),
        };
        places.entry(name).or_default().push(at);
    }
    for (at, package) in packages.iter().enumerate() {
        for dependant in &package.required_by {
            for &place in places.get(dependant).into_iter().flatten().filter(|place| **place != at) {
                if let Some(entry) = entries.get_mut(place) {
                    entry.depends_on.push(at);
                }
            }
        }
    }
    for entry in entries {
        entry.depends_on.sort_unstable();
        entry.depends_on.dedup();
    }
}

/// One line of text from outside.
fn text(text: &str) -> String {
    words::quote(text.trim(), LONGEST).trim().to_owned()
}

fn base(path: &str) -> String {
    text(path.rsplit('/').next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintainers_are_taken_apart() {
        let actor = |name: &str, email: Option<&str>, is_team| {
            Some(Actor { name: name.into(), email: email.map(str::to_owned), is_team })
        };
        for (field, wanted) in [
            ("Jane Doe <jane@example.com>", actor("Jane Doe", Some("jane@example.com"), false)),
            ("Debian X Team <x@example.com>", actor("Debian X Team", Some("x@example.com"), true)),
            ("Jane (work) \"J\" Doe <no address>", actor("Jane work J Doe", None, false)),
            ("Jane", actor("Jane", None, false)),
            ("Jane <a@b@c>", actor("Jane", None, false)),
            ("<jane@example.com>", None),
            ("", None),
        ] {
            assert_eq!(Actor::parse(field), wanted, "{field}");
        }
    }

    #[test]
    fn homepages_are_urls_of_the_web() {
        for (text, wanted) in [
            ("https://www.example.com/~x/(y)?a=b;c=d&e#f", true),
            ("http://example.com:8080", true),
            ("https://example.com", true),
            ("https://", false),
            ("https:///path", false),
            ("https://user@example.com/", false),
            ("https://[::1]/", false),
            ("https://example.com/a b", false),
            ("https://example.com/ü", false),
            ("https://example.com/%zz", false),
            ("https://example.com:/", false),
            ("javascript:alert(1)", false),
            ("ftp://example.com/", false),
        ] {
            assert_eq!(is_url(text), wanted, "{text}");
        }
    }

    #[test]
    fn references_are_found_in_expressions() {
        let found: Vec<_> = references_of("(MIT OR LicenseRef-a.b-1) AND LicenseRef-c WITH x").collect();
        assert_eq!(found, ["LicenseRef-a.b-1", "LicenseRef-c"]);
    }
}
