//! CycloneDX 1.6 (ECMA-424): `bom-1.6.schema.json`.
//!
//! In: a [`Bom`]. Out: its document. What the standard has no field for is in properties that begin with `compose:`. The
//! source package is in trivy's own property names too: trivy matches advisories of Debian by it, and takes it from
//! nowhere else.

use serde::Serialize;

use super::{
    Uuid,
    bom::{Bom, Entry, Kind},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: &'a str,
    tools: Tools<'a>,
    component: Component<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: [Component<'a>; 1],
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Supplier<'a>>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses: Option<[Licence<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_references: Option<[Reference<'a>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Supplier<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<[Contact<'a>; 1]>,
}

#[derive(Serialize)]
struct Contact<'a> {
    email: &'a str,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Licence<'a> {
    expression: &'a str,
    acknowledgement: &'static str,
}

#[derive(Serialize)]
struct Reference<'a> {
    r#type: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: Vec<String>,
}

/// `compose:NAME`.
fn own(name: &str, value: impl Into<String>) -> Property {
    Property { name: format!("compose:{name}"), value: value.into() }
}

pub(super) fn document<'a>(bom: &'a Bom<'a>, id: &Uuid) -> Document<'a> {
    const IMAGE: &str = "image";
    const SYSTEM: &str = "operating-system";
    let image = Component {
        r#type: "container",
        bom_ref: Some(IMAGE.into()),
        name: &bom.name,
        version: bom.subject.manifest.map(|digest| digest.to_string()),
        purl: Some(&bom.purl),
        properties: [
            bom.arch.map(|arch| own("architecture", arch.as_str())),
            bom.subject.manifest.map(|digest| own("manifest", digest.to_string())),
            bom.subject.tree.map(|digest| own("tree", digest.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect(),
        ..Component::default()
    };
    let mut components = Vec::new();
    let mut depends_on = Vec::new();
    let mut dependencies = Vec::new();
    if let Some(system) = &bom.system {
        let names = [("codename", &system.codename), ("full-version", &system.full_version)];
        components.push(Component {
            r#type: "operating-system",
            bom_ref: Some(SYSTEM.into()),
            name: &system.name,
            version: system.version.clone(),
            description: system.pretty_name.as_deref(),
            properties: names.into_iter().filter_map(|(name, value)| Some(own(name, value.as_deref()?))).collect(),
            ..Component::default()
        });
        depends_on.push(SYSTEM.to_owned());
        dependencies.push(Dependency { r#ref: SYSTEM.into(), depends_on: Vec::new() });
    }
    components.extend(bom.entries.iter().map(component));
    depends_on.extend(bom.entries.iter().filter(|entry| entry.is_asked_for).map(|entry| entry.id.clone()));
    dependencies.insert(0, Dependency { r#ref: IMAGE.into(), depends_on });
    dependencies.extend(bom.entries.iter().map(|entry| {
        let depends_on = entry.depends_on.iter().filter_map(|at| Some(bom.entries.get(*at)?.id.clone()));
        Dependency { r#ref: entry.id.clone(), depends_on: depends_on.collect() }
    }));
    let tool = Component { r#type: "application", name: "compose", ..Component::default() };
    let licences = bom.references.iter().map(|(id, name)| own("licence", format!("{id}: {name}")));
    let loose = bom.loose.iter().map(|text| own("cut", text.as_str()));
    let notes = bom.notes.iter().map(|text| own("note", text.as_str()));
    Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{id}"),
        version: 1,
        metadata: Metadata {
            timestamp: &bom.created,
            tools: Tools { components: [tool] },
            component: image,
            properties: licences.chain(loose).chain(notes).collect(),
        },
        components,
        dependencies,
    }
}

fn component<'a>(entry: &'a Entry<'a>) -> Component<'a> {
    let mut properties = Vec::new();
    if let Some((source, version)) = &entry.source {
        properties.push(own("source", source.as_str()));
        properties.push(own("source-version", version.as_str()));
    }
    properties.extend(entry.file.iter().map(|(name, _)| own("file", name.as_str())));
    properties.extend(entry.facts.iter().map(|(name, value)| own(name, value.as_str())));
    properties.extend(entry.mentioned.iter().map(|names| own("licences-mentioned", names.as_str())));
    properties.extend(entry.cut.iter().map(|text| own("cut", text.as_str())));
    if let Some((source, version)) = &entry.source {
        let theirs =
            |name: &str, value: &String| Property { name: format!("aquasecurity:trivy:{name}"), value: value.clone() };
        properties.push(theirs("SrcName", source));
        properties.push(theirs("SrcVersion", version));
    }
    let supplier = entry
        .maintainer
        .as_ref()
        .map(|actor| Supplier { name: &actor.name, contact: actor.email.as_deref().map(|email| [Contact { email }]) });
    Component {
        r#type: match entry.kind {
            Kind::Deb | Kind::Project => "library",
            Kind::Tarball => "file",
        },
        bom_ref: Some(entry.id.clone()),
        supplier,
        name: &entry.name,
        version: entry.version.clone(),
        description: entry.summary.as_deref(),
        hashes: entry.file.iter().map(|(_, digest)| Hash { alg: "SHA-256", content: digest.hex() }).collect(),
        licenses: entry.licence.map(|expression| [Licence { expression, acknowledgement: "declared" }]),
        purl: Some(&entry.purl),
        external_references: entry.homepage.map(|url| [Reference { r#type: "website", url }]),
        properties,
    }
}
