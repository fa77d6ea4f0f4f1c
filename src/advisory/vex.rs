//! OpenVEX documents (specification 0.2.0): what somebody who has looked says of a vulnerability in a product.
//!
//! In: JSON files. Out: [`VexDocument`]s; findings split by what they say. A wrong document is an error: a statement that
//! was meant to hold and is passed over would be found out too late.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read as _,
    path::Path,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    AdvisoryError, Ecosystem, Finding, Status, debian,
    error::quoted,
    purl::{Pattern, Thing},
};
use crate::{
    base::{Arch, Sha256, words},
    inventory::Inventory,
};

/// Largest document, bytes.
const MAX_VEX: u64 = 64 << 20;
/// Longest free text that is kept, characters.
const LONGEST: usize = 300;
const STATUSES: [&str; 4] = ["not_affected", "affected", "fixed", "under_investigation"];

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexDocument {
    /// The file.
    pub from: String,
    /// When it was issued.
    pub timestamp: Timestamp,
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    names: Vec<String>,
    timestamp: Timestamp,
    products: Vec<Product>,
    status: VexStatus,
    words: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Product {
    component: Component,
    /// Empty: the product as a whole.
    parts: Vec<Component>,
}

/// All that identifies one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Component {
    id: Option<String>,
    purls: Vec<Pattern>,
}

/// `status`, with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VexStatus {
    /// It does no harm; `None` if only an impact statement says why.
    NotAffected(Option<Justification>),
    /// It does harm.
    Affected,
    /// It did harm, and is mended in this product.
    Fixed,
    /// Somebody is finding out.
    UnderInvestigation,
}

/// Why a product is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Justification {
    /// The component is not in the product.
    ComponentNotPresent,
    /// It is, and its vulnerable code is not.
    VulnerableCodeNotPresent,
    /// That is there, and never executed.
    VulnerableCodeNotInExecutePath,
    /// No adversary controls it.
    VulnerableCodeCannotBeControlledByAdversary,
    /// Something else prevents the harm.
    InlineMitigationsAlreadyExist,
}

impl Justification {
    const ALL: [Self; 5] = [
        Self::ComponentNotPresent,
        Self::VulnerableCodeNotPresent,
        Self::VulnerableCodeNotInExecutePath,
        Self::VulnerableCodeCannotBeControlledByAdversary,
        Self::InlineMitigationsAlreadyExist,
    ];

    /// OpenVEX's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ComponentNotPresent => "component_not_present",
            Self::VulnerableCodeNotPresent => "vulnerable_code_not_present",
            Self::VulnerableCodeNotInExecutePath => "vulnerable_code_not_in_execute_path",
            Self::VulnerableCodeCannotBeControlledByAdversary => "vulnerable_code_cannot_be_controlled_by_adversary",
            Self::InlineMitigationsAlreadyExist => "inline_mitigations_already_exist",
        }
    }
}

#[derive(Deserialize)]
struct RawDocument {
    #[serde(rename = "@context")]
    context: Option<String>,
    timestamp: Option<String>,
    statements: Option<Vec<RawStatement>>,
}

#[derive(Deserialize)]
struct RawStatement {
    vulnerability: Option<RawVulnerability>,
    timestamp: Option<String>,
    products: Option<Vec<RawProduct>>,
    status: Option<String>,
    status_notes: Option<String>,
    justification: Option<String>,
    impact_statement: Option<String>,
    action_statement: Option<String>,
}

/// A struct, or as in the drafts before 0.2.0 the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawVulnerability {
    Name(String),
    Full {
        #[serde(rename = "@id")]
        id: Option<String>,
        name: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

/// A struct, or as in the drafts before 0.2.0 the identifier alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawProduct {
    Id(String),
    Full(RawComponent),
}

#[derive(Deserialize)]
struct RawComponent {
    #[serde(rename = "@id")]
    id: Option<String>,
    #[serde(default)]
    identifiers: BTreeMap<String, String>,
    #[serde(default)]
    subcomponents: Vec<RawProduct>,
}

impl VexDocument {
    /// Reads the document at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is wrong.
    pub fn read(path: &Path) -> Result<Self, AdvisoryError> {
        let failed = |why: std::io::Error| AdvisoryError::Read { path: path.into(), why: why.to_string() };
        let mut json = Vec::new();
        File::open(path).map_err(failed)?.take(MAX_VEX + 1).read_to_end(&mut json).map_err(failed)?;
        let from = path.display().to_string();
        if json.len() as u64 > MAX_VEX {
            return Err(AdvisoryError::TooLarge { from, what: "OpenVEX document", limit: MAX_VEX });
        }
        Self::parse(&json, &from)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn parse(json: &[u8], from: &str) -> Result<Self, AdvisoryError> {
        let wrong = |why: String| AdvisoryError::Vex { from: from.to_owned(), why: quoted(&why) };
        let raw: RawDocument = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
        let is_openvex = raw.context.as_deref().is_some_and(|context| context.starts_with("https://openvex.dev/ns"));
        if !is_openvex {
            let found = raw.context.map_or_else(|| "is absent".to_owned(), |text| format!("is “{text}”"));
            let why = format!(
                "its @context {found}, and must be https://openvex.dev/ns/v0.2.0 (a CSAF or CycloneDX document has to be converted first)"
            );
            return Err(wrong(why));
        }
        let time = |text: &str| {
            text.parse::<Timestamp>()
                .map_err(|_| wrong(format!("the timestamp “{text}” is no time as RFC 3339 has it")))
        };
        let timestamp = raw.timestamp.as_deref().ok_or_else(|| wrong("it has no timestamp".into()))?;
        let timestamp = time(timestamp)?;
        let raw = raw.statements.ok_or_else(|| wrong("it has no statements".into()))?;
        let mut statements = Vec::new();
        for (number, raw) in (1..).zip(raw) {
            let own = raw.timestamp.as_deref().map(time).transpose()?.unwrap_or(timestamp);
            let statement = Statement::read(raw, own);
            statements.push(statement.map_err(|why| wrong(format!("statement {number}: {why}")))?);
        }
        Ok(Self { from: from.to_owned(), timestamp, statements })
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl Statement {
    fn read(raw: RawStatement, timestamp: Timestamp) -> Result<Self, String> {
        let names = match raw.vulnerability.ok_or("it names no vulnerability")? {
            RawVulnerability::Name(name) => vec![name],
            RawVulnerability::Full { id, name, mut aliases } => {
                let name = name.ok_or("its vulnerability has no name")?;
                aliases.extend(id);
                aliases.push(name);
                aliases
            }
        };
        let known = raw.status.as_deref().ok_or("it has no status")?;
        let justification = raw.justification.as_deref().filter(|text| !text.is_empty());
        let justification = justification.map(|text| {
            Justification::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
                let all = Justification::ALL.map(Justification::as_str).join(", ");
                format!("its justification “{}” is none of {all}", words::quote(text, 60))
            })
        });
        let justification = justification.transpose()?;
        let impact = raw.impact_statement.filter(|text| !text.trim().is_empty());
        let status = match known {
            "not_affected" if justification.is_none() && impact.is_none() => {
                return Err("it is not_affected, and has neither a justification nor an impact_statement".into());
            }
            "not_affected" => VexStatus::NotAffected(justification),
            "affected" => VexStatus::Affected,
            "fixed" => VexStatus::Fixed,
            "under_investigation" => VexStatus::UnderInvestigation,
            other => {
                return Err(format!("its status “{}” is none of {}", words::quote(other, 60), STATUSES.join(", ")));
            }
        };
        let products = raw.products.filter(|list| !list.is_empty()).ok_or("it names no product")?;
        let products = products.into_iter().map(Product::read).collect::<Result<_, _>>()?;
        let words = match status {
            VexStatus::NotAffected(_) => impact.or(raw.status_notes),
            VexStatus::Affected => raw.action_statement.or(raw.status_notes),
            _ => raw.status_notes,
        };
        let words = words.map(|text| words::quote(text.trim(), LONGEST)).filter(|text| !text.is_empty());
        Ok(Self { names, timestamp, products, status, words })
    }

    /// Whether it is about something that is called so.
    fn is_about(&self, finding: &Finding) -> bool {
        finding.names().any(|name| self.names.iter().any(|own| own == name))
    }

    /// Whether it is about the image, or one of the `things`.
    fn covers(&self, image: &Image<'_>, things: &[Thing]) -> bool {
        self.products.iter().any(|product| {
            let is_image = product.component.is_image(image);
            if product.parts.is_empty() {
                return is_image || product.component.is_any(things);
            }
            is_image && product.parts.iter().any(|part| part.is_any(things))
        })
    }
}

impl Product {
    fn read(raw: RawProduct) -> Result<Self, String> {
        let parts = match &raw {
            RawProduct::Id(_) => Vec::new(),
            RawProduct::Full(raw) => raw.subcomponents.iter().map(Component::read).collect::<Result<_, _>>()?,
        };
        Ok(Self { component: Component::read(&raw)?, parts })
    }
}

impl Component {
    fn read(raw: &RawProduct) -> Result<Self, String> {
        let (id, identifiers) = match raw {
            RawProduct::Id(id) => (Some(id), None),
            RawProduct::Full(raw) => (raw.id.as_ref(), Some(&raw.identifiers)),
        };
        let purl = identifiers.and_then(|all| all.get("purl"));
        let of_id = id.filter(|id| id.starts_with("pkg:"));
        let mut purls = Vec::new();
        for text in of_id.into_iter().chain(purl) {
            let parsed = Pattern::parse(text);
            purls.push(parsed.ok_or_else(|| format!("“{}” is no package URL", words::quote(text, 100)))?);
        }
        if id.is_none() && identifiers.is_none_or(BTreeMap::is_empty) {
            return Err("a product or subcomponent has neither an @id nor identifiers".into());
        }
        Ok(Self { id: id.cloned(), purls })
    }

    fn is_any(&self, things: &[Thing]) -> bool {
        self.purls.iter().any(|purl| things.iter().any(|thing| purl.means(thing)))
    }

    fn is_image(&self, image: &Image<'_>) -> bool {
        let digest = image.digest.map(|digest| digest.to_string());
        self.id.as_deref().is_some_and(|id| id == image.name || Some(id) == digest.as_deref())
            || self.purls.iter().any(|purl| purl.means_image(image.name, digest.as_deref()))
    }
}

/// What the image is called in documents.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Its name.
    pub name: &'a str,
    /// For which machine.
    pub arch: Option<Arch>,
    /// The digest of its OCI manifest.
    pub digest: Option<Sha256>,
}

/// Splits `findings` by what the documents say of each package; and how many statements are of vulnerabilities that were
/// found, and of things that are here.
///
/// Of several statements of the same vulnerability and package the latest holds, by its own or its document's timestamp;
/// of those at the same time the last one (OpenVEX, “Inheritance” and “The VEX Statement”). `not_affected` and `fixed` set
/// a finding aside; `affected` and `under_investigation` leave it, with their words as a note.
pub(super) fn honour(
    findings: Vec<Finding>,
    documents: &[VexDocument],
    image: &Image<'_>,
    inventory: &Inventory,
) -> (Vec<Finding>, usize) {
    let mut by_name: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (d, document) in documents.iter().enumerate() {
        for (s, statement) in document.statements.iter().enumerate() {
            for name in &statement.names {
                by_name.entry(name).or_default().push((d, s));
            }
        }
    }
    let mut used: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut out = Vec::new();
    let labels: BTreeMap<String, Vec<Thing>> = debian::labels(inventory)
        .map(|(package, label)| {
            (label, vec![Thing::binary(package, &inventory.distro), Thing::source(package, &inventory.distro)])
        })
        .collect();
    for finding in findings {
        let mut places: Vec<(usize, usize)> =
            finding.names().filter_map(|name| by_name.get(name)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            out.push(finding);
            continue;
        }
        let mut split: BTreeMap<Option<(usize, usize)>, Vec<String>> = BTreeMap::new();
        for package in &finding.packages {
            let things = match finding.ecosystem {
                Ecosystem::Debian => labels.get(package).cloned().unwrap_or_default(),
                Ecosystem::PyPi => vec![Thing::project(&finding.source, &finding.version)],
            };
            let statement = |&(d, s): &(usize, usize)| documents.get(d)?.statements.get(s);
            let holds = places.iter().filter(|place| {
                statement(place).is_some_and(|one| one.is_about(&finding) && one.covers(image, &things))
            });
            // The last of the latest.
            let latest = holds.max_by_key(|place| (statement(place).map(|one| one.timestamp), **place));
            used.extend(latest);
            split.entry(latest.copied()).or_default().push(package.clone());
        }
        for (place, packages) in split {
            let mut part = Finding { packages, ..finding.clone() };
            if let Some((document, statement)) =
                place.and_then(|(d, s)| Some((documents.get(d)?, documents.get(d)?.statements.get(s)?)))
            {
                part.apply(statement, &document.from);
            }
            out.push(part);
        }
    }
    (out, used.len())
}

impl Finding {
    fn apply(&mut self, statement: &Statement, by: &str) {
        let said = |what: &str| match &statement.words {
            Some(words) if what.is_empty() => words.clone(),
            Some(words) => format!("{what}: {words}"),
            None => what.to_owned(),
        };
        match statement.status {
            VexStatus::NotAffected(justification) => {
                let why = said(justification.map_or("", Justification::as_str));
                self.status = Status::NotAffected { why, by: by.to_owned() };
            }
            VexStatus::Fixed => self.status = Status::NotAffected { why: said("fixed"), by: by.to_owned() },
            VexStatus::Affected => self.note = Some(format!("{} ({by})", said("affected"))),
            VexStatus::UnderInvestigation => self.note = Some(format!("{} ({by})", said("under investigation"))),
        }
    }
}

#[cfg(test)]
mod tests;
