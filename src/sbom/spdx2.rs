//! SPDX 2.3 in JSON (the specification's clauses 6 to 12, `spdx-schema.json`).
//!
//! In: a [`Bom`]. Out: its document. A source package is no package of its own here, which scanners would take for
//! installed, but is named in `sourceInfo`, in the words by which trivy finds it, and in the purl.

use serde::Serialize;

use super::{
    Uuid,
    bom::{Actor, Bom, Entry, Kind},
    purl::encoded,
};

const NONE: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
/// trivy tells by this name that it is a distribution.
const SYSTEM: &str = "SPDXRef-OperatingSystem";
const TOOL: &str = "Tool: compose";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: Creation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    packages: Vec<Package<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<Extracted<'a>>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation<'a> {
    created: &'a str,
    creators: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(rename = "SPDXID")]
    id: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator: Option<String>,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_comments: Option<String>,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef<'a> {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotation<'a> {
    annotation_date: &'a str,
    annotation_type: &'static str,
    annotator: &'static str,
    comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extracted<'a> {
    license_id: &'a str,
    name: &'a str,
    extracted_text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The namespace that the specification proposes to those who have none (clause 6.5).
pub(super) fn namespace(bom: &Bom<'_>, id: &Uuid) -> String {
    format!("https://spdx.org/spdxdocs/{}-{id}", encoded(&bom.name))
}

pub(super) fn document<'a>(bom: &'a Bom<'a>, id: &Uuid) -> Document<'a> {
    let relate = |from: &str, how: &'static str, to: &str| Relationship {
        spdx_element_id: from.into(),
        relationship_type: how,
        related_spdx_element: to.into(),
    };
    let mut packages = vec![image(bom)];
    let mut relationships = vec![relate(DOCUMENT, "DESCRIBES", IMAGE)];
    if let Some(system) = &bom.system {
        packages.push(Package {
            version_info: system.version.clone(),
            primary_package_purpose: Some("OPERATING-SYSTEM"),
            summary: system.pretty_name.as_deref(),
            ..Package::new(SYSTEM.into(), &system.name)
        });
        relationships.push(relate(IMAGE, "CONTAINS", SYSTEM));
    }
    let reference = |entry: &Entry<'_>| format!("SPDXRef-Package-{}", entry.id);
    for entry in &bom.entries {
        packages.push(package(bom, entry, reference(entry)));
        relationships.push(relate(IMAGE, "CONTAINS", &reference(entry)));
    }
    for entry in &bom.entries {
        for other in entry.depends_on.iter().filter_map(|at| bom.entries.get(*at)) {
            relationships.push(relate(&reference(entry), "DEPENDS_ON", &reference(other)));
        }
    }
    let extracted =
        bom.references.iter().map(|(id, name)| Extracted { license_id: id, name, extracted_text: described(name) });
    Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: &bom.name,
        document_namespace: namespace(bom, id),
        creation_info: Creation { created: &bom.created, creators: [TOOL] },
        comment: comment(&bom.notes),
        packages,
        has_extracted_licensing_infos: extracted.collect(),
        relationships,
    }
}

/// What stands for the text of a licence that SPDX does not list.
pub(super) fn described(name: &str) -> String {
    format!(
        "What the packages that name it call “{name}”. Its text is in their copyright files, /usr/share/doc/*/copyright, or in their metadata."
    )
}

fn comment(lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl<'a> Package<'a> {
    fn new(id: String, name: &'a str) -> Self {
        Self {
            id,
            name,
            version_info: None,
            package_file_name: None,
            supplier: None,
            originator: None,
            // Mirrors come and go; the digest tells the file.
            download_location: NONE,
            files_analyzed: false,
            checksums: Vec::new(),
            homepage: None,
            source_info: None,
            license_concluded: NONE,
            license_declared: NONE,
            license_comments: None,
            copyright_text: NONE,
            summary: None,
            comment: None,
            external_refs: Vec::new(),
            primary_package_purpose: None,
            annotations: Vec::new(),
        }
    }
}

fn purl(locator: &str) -> Vec<ExternalRef<'_>> {
    vec![ExternalRef { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: locator }]
}

fn cuts<'a>(bom: &'a Bom<'a>, cut: &[String]) -> Vec<Annotation<'a>> {
    let annotate = |text: &String| Annotation {
        annotation_date: &bom.created,
        annotation_type: "OTHER",
        annotator: TOOL,
        comment: format!("compose:cut: {text}"),
    };
    cut.iter().map(annotate).collect()
}

fn image<'a>(bom: &'a Bom<'a>) -> Package<'a> {
    let known = [
        bom.arch.map(|arch| format!("architecture: {arch}")),
        bom.subject.tree.map(|digest| format!("tree: {digest}")),
    ];
    Package {
        version_info: bom.subject.manifest.map(|digest| digest.to_string()),
        checksums: bom.subject.manifest.iter().map(|digest| checksum(digest.hex())).collect(),
        comment: comment(&known.into_iter().flatten().collect::<Vec<_>>()),
        external_refs: purl(&bom.purl),
        primary_package_purpose: Some("CONTAINER"),
        annotations: cuts(bom, &bom.loose),
        ..Package::new(IMAGE.into(), &bom.name)
    }
}

fn checksum(value: String) -> Checksum {
    Checksum { algorithm: "SHA256", checksum_value: value }
}

fn package<'a>(bom: &'a Bom<'a>, entry: &'a Entry<'a>, id: String) -> Package<'a> {
    let facts: Vec<_> = entry.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let actor = entry.maintainer.as_ref().map(actor);
    Package {
        version_info: entry.version.clone(),
        package_file_name: entry.file.as_ref().map(|(name, _)| name.as_str()),
        originator: actor.clone(),
        supplier: Some(actor.unwrap_or_else(|| NONE.into())),
        checksums: entry.file.iter().map(|(_, digest)| checksum(digest.hex())).collect(),
        homepage: entry.homepage,
        source_info: entry.source.as_ref().map(|(name, version)| format!("built package from: {name} {version}")),
        license_declared: entry.licence.unwrap_or(NONE),
        license_comments: entry.mentioned.as_ref().map(|names| format!("mentioned in the copyright file: {names}")),
        summary: entry.summary.as_deref(),
        comment: comment(&facts),
        external_refs: purl(&entry.purl),
        primary_package_purpose: match entry.kind {
            Kind::Deb => None,
            Kind::Project => Some("LIBRARY"),
            Kind::Tarball => Some("ARCHIVE"),
        },
        annotations: cuts(bom, &entry.cut),
        ..Package::new(id, &entry.name)
    }
}

fn actor(actor: &Actor) -> String {
    let Actor { name, email, is_team } = actor;
    let kind = if *is_team { "Organization" } else { "Person" };
    match email {
        Some(email) => format!("{kind}: {name} ({email})"),
        None => format!("{kind}: {name}"),
    }
}
