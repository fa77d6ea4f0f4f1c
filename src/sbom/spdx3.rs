//! SPDX 3.0.1 in JSON-LD (profiles Core, Software, SimpleLicensing).
//!
//! In: a [`Bom`]. Out: its document: one flat `@graph`, each element with an IRI below the document's namespace.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Uuid,
    bom::{Actor, Bom, Entry, Kind, references_of},
    spdx2,
};

/// The one creation info, which all elements share.
const CREATION: &str = "_:creation";

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@graph")]
    graph: Vec<Node<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Node<'a> {
    Creation(Creation<'a>),
    Element(Box<Element<'a>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Creation<'a> {
    r#type: &'static str,
    #[serde(rename = "@id")]
    id: &'static str,
    spec_version: &'static str,
    created: &'a str,
    created_by: [String; 1],
    created_using: [String; 1],
}

/// Any element: what its type does not have is left out.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    r#type: &'static str,
    spdx_id: String,
    creation_info: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_identifier: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    verified_using: Vec<Hash>,
    // Artifact
    #[serde(skip_serializing_if = "Vec::is_empty")]
    originated_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplied_by: Option<String>,
    // software_Package
    #[serde(rename = "software_packageVersion", skip_serializing_if = "Option::is_none")]
    package_version: Option<String>,
    #[serde(rename = "software_packageUrl", skip_serializing_if = "Option::is_none")]
    package_url: Option<&'a str>,
    #[serde(rename = "software_homePage", skip_serializing_if = "Option::is_none")]
    home_page: Option<&'a str>,
    #[serde(rename = "software_sourceInfo", skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    #[serde(rename = "software_primaryPurpose", skip_serializing_if = "Option::is_none")]
    primary_purpose: Option<&'static str>,
    // ElementCollection, SpdxDocument, software_Sbom
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profile_conformance: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_license: Option<String>,
    #[serde(rename = "software_sbomType", skip_serializing_if = "Vec::is_empty")]
    sbom_type: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    root_element: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    element: Vec<String>,
    // Relationship
    #[serde(skip_serializing_if = "Option::is_none")]
    relationship_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to: Vec<String>,
    // Annotation
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    // simplelicensing
    #[serde(rename = "simplelicensing_licenseExpression", skip_serializing_if = "Option::is_none")]
    expression: Option<&'a str>,
    #[serde(rename = "simplelicensing_customIdToUri", skip_serializing_if = "Vec::is_empty")]
    custom: Vec<Pair<'a>>,
    #[serde(rename = "simplelicensing_licenseText", skip_serializing_if = "Option::is_none")]
    licence_text: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identifier<'a> {
    r#type: &'static str,
    external_identifier_type: &'static str,
    identifier: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hash {
    r#type: &'static str,
    algorithm: &'static str,
    hash_value: String,
}

#[derive(Serialize)]
struct Pair<'a> {
    r#type: &'static str,
    key: &'a str,
    value: String,
}

/// The graph while it is made.
struct Graph<'a> {
    namespace: String,
    elements: Vec<Element<'a>>,
}

impl<'a> Graph<'a> {
    fn iri(&self, id: &str) -> String {
        format!("{}#{id}", self.namespace)
    }

    fn element(&self, r#type: &'static str, id: &str) -> Element<'a> {
        Element { r#type, spdx_id: self.iri(id), creation_info: CREATION, ..Element::default() }
    }

    fn relate(&mut self, id: &str, from: &str, how: &'static str, to: Vec<String>) {
        if !to.is_empty() {
            let element = self.element("Relationship", id);
            let (from, relationship_type) = (Some(self.iri(from)), Some(how));
            self.elements.push(Element { relationship_type, from, to, ..element });
        }
    }

    fn annotate(&mut self, id: &str, subject: &str, statement: String) {
        let element = self.element("Annotation", id);
        let (annotation_type, subject) = (Some("other"), Some(self.iri(subject)));
        self.elements.push(Element { annotation_type, subject, statement: Some(statement), ..element });
    }
}

const IMAGE: &str = "Image";
const SYSTEM: &str = "OperatingSystem";

pub(super) fn document<'a>(bom: &'a Bom<'a>, id: &Uuid) -> Document<'a> {
    let mut graph = Graph { namespace: spdx2::namespace(bom, id), elements: Vec::new() };
    let agents = agents(bom, &mut graph);
    let licences = licences(bom, &mut graph);

    let image = graph.element("software_Package", IMAGE);
    graph.elements.push(Element {
        name: Some(&bom.name),
        comment: lines(
            [
                bom.arch.map(|arch| format!("architecture: {arch}")),
                bom.subject.tree.map(|digest| format!("tree: {digest}")),
            ]
            .into_iter()
            .flatten(),
        ),
        external_identifier: vec![purl(&bom.purl)],
        verified_using: bom.subject.manifest.iter().map(|digest| hash(digest.hex())).collect(),
        package_version: bom.subject.manifest.map(|digest| digest.to_string()),
        package_url: Some(&bom.purl),
        primary_purpose: Some("container"),
        ..image
    });
    let mut contained = Vec::new();
    if let Some(system) = &bom.system {
        let element = graph.element("software_Package", SYSTEM);
        contained.push(element.spdx_id.clone());
        graph.elements.push(Element {
            name: Some(&system.name),
            summary: system.pretty_name.as_deref(),
            package_version: system.version.clone(),
            primary_purpose: Some("operatingSystem"),
            ..element
        });
    }
    for entry in &bom.entries {
        let id = place(entry);
        contained.push(graph.iri(&id));
        let agent = entry.maintainer.as_ref().and_then(|actor| agents.get(actor)).cloned();
        let element = graph.element("software_Package", &id);
        graph.elements.push(package(entry, agent, element));
    }
    graph.relate("contains", IMAGE, "contains", contained);
    for entry in &bom.entries {
        let id = place(entry);
        let others = entry.depends_on.iter().filter_map(|at| bom.entries.get(*at));
        let others = others.map(|other| graph.iri(&place(other))).collect();
        graph.relate(&format!("depends-on-{}", entry.id), &id, "dependsOn", others);
        let licence = entry.licence.and_then(|licence| licences.get(licence)).cloned();
        graph.relate(&format!("declared-{}", entry.id), &id, "hasDeclaredLicense", licence.into_iter().collect());
        for (at, cut) in entry.cut.iter().enumerate() {
            graph.annotate(&format!("cut-{}-{}", entry.id, at + 1), &id, format!("compose:cut: {cut}"));
        }
    }
    for (at, cut) in bom.loose.iter().enumerate() {
        graph.annotate(&format!("cut-{}", at + 1), IMAGE, format!("compose:cut: {cut}"));
    }
    finish(bom, graph)
}

/// The collections around all of it.
fn finish<'a>(bom: &'a Bom<'a>, mut graph: Graph<'a>) -> Document<'a> {
    let agent = graph.element("SoftwareAgent", "Agent");
    let tool = graph.element("Tool", "Tool");
    let data = graph.element("simplelicensing_LicenseExpression", "DataLicense");
    let created_by = [agent.spdx_id.clone()];
    let created_using = [tool.spdx_id.clone()];
    let data_license = data.spdx_id.clone();
    let inner: Vec<String> = graph.elements.iter().map(|element| element.spdx_id.clone()).collect();
    let sbom = graph.element("software_Sbom", "Sbom");
    let sbom = Element {
        name: Some(&bom.name),
        profile_conformance: vec!["core", "software", "simpleLicensing"],
        sbom_type: vec!["build"],
        root_element: vec![graph.iri(IMAGE)],
        element: inner,
        ..sbom
    };
    let mut head = vec![
        Element { name: Some("compose"), ..agent },
        Element { name: Some("compose"), ..tool },
        Element { expression: Some("CC0-1.0"), ..data },
        sbom,
    ];
    head.append(&mut graph.elements);
    let document = graph.element("SpdxDocument", "Document");
    let document = Element {
        name: Some(&bom.name),
        comment: lines(bom.notes.iter().cloned()),
        profile_conformance: vec!["core", "software", "simpleLicensing"],
        data_license: Some(data_license),
        root_element: vec![graph.iri("Sbom")],
        element: head.iter().map(|element| element.spdx_id.clone()).collect(),
        ..document
    };
    let creation = Creation {
        r#type: "CreationInfo",
        id: CREATION,
        spec_version: "3.0.1",
        created: &bom.created,
        created_by,
        created_using,
    };
    let elements = std::iter::once(document).chain(head).map(|element| Node::Element(Box::new(element)));
    Document {
        context: "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        graph: std::iter::once(Node::Creation(creation)).chain(elements).collect(),
    }
}

fn place(entry: &Entry<'_>) -> String {
    format!("Package-{}", entry.id)
}

fn purl(identifier: &str) -> Identifier<'_> {
    Identifier { r#type: "ExternalIdentifier", external_identifier_type: "packageUrl", identifier }
}

fn hash(value: String) -> Hash {
    Hash { r#type: "Hash", algorithm: "sha256", hash_value: value }
}

fn lines(lines: impl Iterator<Item = String>) -> Option<String> {
    let text = lines.collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}

fn package<'a>(entry: &'a Entry<'a>, agent: Option<String>, element: Element<'a>) -> Element<'a> {
    let file = entry.file.iter().map(|(name, _)| format!("file: {name}"));
    let facts = entry.facts.iter().map(|(name, value)| format!("{name}: {value}"));
    let mentioned = entry.mentioned.iter().map(|names| format!("licences mentioned in the copyright file: {names}"));
    Element {
        name: Some(&entry.name),
        summary: entry.summary.as_deref(),
        comment: lines(file.chain(facts).chain(mentioned)),
        external_identifier: vec![purl(&entry.purl)],
        verified_using: entry.file.iter().map(|(_, digest)| hash(digest.hex())).collect(),
        originated_by: agent.iter().cloned().collect(),
        supplied_by: agent,
        package_version: entry.version.clone(),
        package_url: Some(&entry.purl),
        home_page: entry.homepage,
        source_info: entry.source.as_ref().map(|(name, version)| format!("built package from: {name} {version}")),
        primary_purpose: Some(match entry.kind {
            Kind::Deb => "install",
            Kind::Project => "library",
            Kind::Tarball => "archive",
        }),
        ..element
    }
}

/// One element for each maintainer. Returns their IRIs.
fn agents<'a>(bom: &'a Bom<'a>, graph: &mut Graph<'a>) -> BTreeMap<&'a Actor, String> {
    let mut found: BTreeMap<&Actor, String> = BTreeMap::new();
    found.extend(bom.entries.iter().filter_map(|entry| Some((entry.maintainer.as_ref()?, String::new()))));
    for (at, (actor, iri)) in found.iter_mut().enumerate() {
        let kind = if actor.is_team { "Organization" } else { "Person" };
        let element = graph.element(kind, &format!("Agent-{}", at + 1));
        iri.clone_from(&element.spdx_id);
        let email =
            |identifier| Identifier { r#type: "ExternalIdentifier", external_identifier_type: "email", identifier };
        let external_identifier = actor.email.as_deref().map(email).into_iter().collect();
        graph.elements.push(Element { name: Some(&actor.name), external_identifier, ..element });
    }
    found
}

/// One element for each expression, and for each licence that SPDX does not list. Returns the expressions' IRIs.
fn licences<'a>(bom: &'a Bom<'a>, graph: &mut Graph<'a>) -> BTreeMap<&'a str, String> {
    for (id, name) in &bom.references {
        let element = graph.element("simplelicensing_SimpleLicensingText", id);
        let licence_text = Some(spdx2::described(name));
        graph.elements.push(Element { name: Some(name), licence_text, ..element });
    }
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    found.extend(bom.entries.iter().filter_map(|entry| Some((entry.licence?, String::new()))));
    for (at, (expression, iri)) in found.iter_mut().enumerate() {
        let element = graph.element("simplelicensing_LicenseExpression", &format!("Licence-{}", at + 1));
        iri.clone_from(&element.spdx_id);
        let mut custom: Vec<&str> = references_of(expression).collect();
        custom.sort_unstable();
        custom.dedup();
        let pair = |key| Pair { r#type: "DictionaryEntry", key, value: graph.iri(key) };
        let custom = custom.into_iter().map(pair).collect();
        graph.elements.push(Element { expression: Some(expression), custom, ..element });
    }
    found
}
