//! OCI images (image-spec 1.1): the documents that make layers an image.
//!
//! In: what the manifest says about the image, its layers' digests. Out: the bytes of configuration, manifest and index, and of
//! what refers to the image.
//!
//! The documents are small, so plain `serde` structs in the order of the specification write them: the bytes are ours to
//! keep the same, which a library's next version would not promise.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    base::{Arch, Sha256},
    inventory::Inventory,
    manifest::{Image, SbomForm},
    sbom::{self, Subject},
};

/// Where programs are when the manifest does not say; `/sbin` and `/bin` are links to the last two.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The type of an index.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The annotation of `index.json` that holds the tree digest, and tells a layout that compose wrote.
pub(super) const TREE: &str = "compose.tree";
/// The annotation of a bill of materials in `index.json`: its form.
pub(super) const SBOM: &str = "compose.sbom";
/// The type of a configuration that says nothing, which is all of it.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// What an image is called and how it starts.
#[derive(Debug, Clone)]
pub struct ImageSpec<'a> {
    /// The manifest's `name`.
    pub name: &'a str,
    /// What it runs on.
    pub arch: Arch,
    /// The image's date; whole seconds are used.
    pub epoch: jiff::Timestamp,
    /// Who it starts as, `uid:gid` or a name that the image's passwd knows.
    pub user: Option<String>,
    /// `[image]`.
    pub image: &'a Image,
    /// The bills of materials that OCI outputs carry beside the image.
    pub attached: Option<Attached<'a>>,
}

/// Bills of materials that refer to an image.
#[derive(Debug, Clone, Copy)]
pub struct Attached<'a> {
    /// In which forms.
    pub forms: &'a [SbomForm],
    /// Of what the image holds.
    pub inventory: &'a Inventory,
}

/// A compressed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What is in it, for the image's history.
    pub what: &'static str,
    /// Of the compressed bytes.
    pub digest: Sha256,
    /// Compressed, in bytes.
    pub size: u64,
    /// Of the plain tar.
    pub diff_id: Sha256,
    /// Plain, in bytes.
    pub plain_size: u64,
    /// OCI media type.
    pub media_type: &'static str,
}

#[derive(Serialize)]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    os: &'a str,
    config: Runtime<'a>,
    rootfs: RootFs,
    history: Vec<History<'a>>,
}

type Empty = BTreeMap<(), ()>;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<&'a str, Empty>,
    env: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<&'a str, Empty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<&'a str>,
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: Vec<String>,
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// A manifest of what is no image (manifest.md, “Guidelines for Artifact Usage”), and refers to one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact<'a> {
    schema_version: u8,
    media_type: &'a str,
    artifact_type: &'a str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    subject: Descriptor<'a>,
    annotations: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index<'a> {
    pub(super) schema_version: u8,
    pub(super) media_type: &'a str,
    pub(super) manifests: Vec<Descriptor<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<&'a str, String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Platform<'a> {
    architecture: &'a str,
    os: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
}

/// `docker load`'s own table of contents.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerArchive {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// The JSON of an image.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    pub(super) arch: Arch,
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
    /// What indexes say of it.
    pub(super) image: Descriptor<'static>,
    /// And of what is attached to it.
    pub(super) attached: Vec<Descriptor<'static>>,
    pub(super) docker: DockerArchive,
    pub(super) repository: String,
    pub(super) tree: Sha256,
    /// Manifests of what is attached.
    pub(super) artifacts: Vec<Vec<u8>>,
    /// What these name.
    pub(super) more: Vec<Vec<u8>>,
}

impl Documents {
    /// Writes the documents of the image `spec` with these `layers`; `tree` is the tree digest.
    pub(super) fn new(spec: &ImageSpec<'_>, tree: Sha256, layers: &[Layer]) -> Self {
        let created = created(spec.epoch);
        let (architecture, variant) = spec.arch.oci();
        let image = spec.image;
        let mut env = image.env.clone();
        env.entry("PATH".into()).or_insert_with(|| PATH.into());
        let config = json(&Config {
            created: &created,
            architecture,
            variant,
            os: "linux",
            config: Runtime {
                user: spec.user.as_deref(),
                exposed_ports: image.ports.iter().map(|port| (port.as_str(), Empty::new())).collect(),
                env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
                entrypoint: &image.entrypoint,
                cmd: &image.cmd,
                volumes: image.volumes.iter().map(|volume| (volume.as_str(), Empty::new())).collect(),
                working_dir: image.workdir.as_deref(),
                labels: &image.labels,
                stop_signal: image.stop_signal.as_deref(),
            },
            rootfs: RootFs { r#type: "layers", diff_ids: layers.iter().map(|l| l.diff_id.to_string()).collect() },
            history: layers.iter().map(|layer| History { created: &created, created_by: layer.what }).collect(),
        });
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config: Descriptor::of(CONFIG, &config),
            layers: layers.iter().map(|l| Descriptor::new(l.media_type, l.digest, l.size)).collect(),
            annotations: &image.annotations,
        });
        let image = Descriptor { platform: platform(spec.arch), ..Descriptor::of(MANIFEST, &manifest) };
        let (mut artifacts, mut more) = (Vec::new(), Vec::new());
        let attached = spec.attached.as_ref();
        let attached = attached.map(|all| attach(all, spec.name, &created, tree, &manifest, &mut artifacts, &mut more));
        let docker = DockerArchive {
            config: blob(Sha256::of(&config)),
            repo_tags: Vec::new(),
            layers: layers.iter().map(|l| blob(l.digest)).collect(),
        };
        let repository = repository(spec.name);
        let attached = attached.unwrap_or_default();
        Self { arch: spec.arch, config, manifest, image, attached, docker, repository, tree, artifacts, more }
    }

    /// The documents of what is attached.
    pub(super) fn attachments(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.more.iter().chain(&self.artifacts)
    }
}

impl DockerArchive {
    /// Under this name.
    pub(super) fn tagged(&self, tag: String) -> Self {
        Self { repo_tags: vec![tag], ..self.clone() }
    }
}

impl<'d> Descriptor<'d> {
    /// With these annotations and no others.
    pub(super) fn annotated(self, annotations: BTreeMap<&'d str, String>) -> Self {
        Self { annotations, ..self }
    }
}

impl Descriptor<'_> {
    fn new(media_type: &str, digest: Sha256, size: u64) -> Descriptor<'_> {
        Descriptor {
            media_type,
            artifact_type: None,
            digest: digest.to_string(),
            size,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    pub(super) fn of<'a>(media_type: &'a str, bytes: &[u8]) -> Descriptor<'a> {
        Descriptor::new(media_type, Sha256::of(bytes), bytes.len() as u64)
    }
}

fn platform(arch: Arch) -> Option<Platform<'static>> {
    let (architecture, variant) = arch.oci();
    Some(Platform { architecture, os: "linux", variant })
}

/// One index of the images of several architectures, by their manifests, with their tree digests: the same in a layout and
/// in a registry.
pub(super) fn index<'a>(images: impl Iterator<Item = (Arch, Sha256, &'a [u8])>) -> Vec<u8> {
    let one = |(arch, tree, manifest): (_, Sha256, _)| {
        let annotations = BTreeMap::from([(TREE, tree.to_string())]);
        Descriptor { platform: platform(arch), annotations, ..Descriptor::of(MANIFEST, manifest) }
    };
    let manifests = images.map(one).collect();
    json(&Index { schema_version: 2, media_type: INDEX, manifests, annotations: BTreeMap::new() })
}

/// Adds to `artifacts` a manifest for each bill of materials of the image whose manifest is given, and to `blobs` what
/// that names. Returns their descriptors: in a layout, referrers are listed beside what they refer to.
fn attach(
    attached: &Attached<'_>,
    name: &str,
    created: &str,
    tree: Sha256,
    manifest: &[u8],
    artifacts: &mut Vec<Vec<u8>>,
    blobs: &mut Vec<Vec<u8>>,
) -> Vec<Descriptor<'static>> {
    let subject = Subject { tree: Some(tree), manifest: Some(Sha256::of(manifest)) };
    let mut out = Vec::new();
    for &form in attached.forms {
        let text = sbom::render(form, attached.inventory, &subject).into_bytes();
        let title = BTreeMap::from([("org.opencontainers.image.title", format!("{name}{}", form.suffix()))]);
        let artifact = json(&Artifact {
            schema_version: 2,
            media_type: MANIFEST,
            artifact_type: form.media_type(),
            config: Descriptor::of(EMPTY.0, EMPTY.1),
            layers: [Descriptor { annotations: title, ..Descriptor::of(form.media_type(), &text) }],
            subject: Descriptor::of(MANIFEST, manifest),
            annotations: BTreeMap::from([("org.opencontainers.image.created", created.to_owned())]),
        });
        let annotations = BTreeMap::from([(SBOM, form.as_str().to_owned())]);
        let artifact_type = Some(form.media_type());
        out.push(Descriptor { artifact_type, annotations, ..Descriptor::of(MANIFEST, &artifact) });
        blobs.push(text);
        artifacts.push(artifact);
    }
    if !out.is_empty() {
        blobs.push(EMPTY.1.to_vec());
    }
    out
}

impl Platform<'_> {
    /// As in the names of images: `amd64`, `arm-v7`.
    pub(super) fn tag(&self) -> String {
        self.variant.map_or(self.architecture.to_owned(), |variant| format!("{}-{variant}", self.architecture))
    }
}

pub(super) fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("these types have string keys only")
}

/// Where a layout has the blob.
pub(super) fn blob(digest: Sha256) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// RFC 3339, whole seconds, UTC.
fn created(epoch: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(epoch.as_second()).unwrap_or(epoch).to_string()
}

/// `name` as a repository that Docker takes: lower-case letters and digits, single separators between them
/// (distribution/reference, `path-component`).
fn repository(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => out.push(c),
            c => {
                if out.ends_with(|last: char| last.is_ascii_alphanumeric()) {
                    out.push(if matches!(c, '.' | '_') { c } else { '-' });
                }
            }
        }
    }
    out.truncate(out.trim_end_matches(['.', '_', '-']).len());
    if out.is_empty() { "image".into() } else { out }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::image::{layout::Layout, media_type};

    fn layer(compression: crate::manifest::Compression) -> Layer {
        let [digest, diff_id] = [b"compressed", b"plain     "].map(|bytes| Sha256::of(bytes));
        Layer { what: "compose", digest, size: 10, diff_id, plain_size: 20, media_type: media_type(compression) }
    }

    fn show(docs: &Documents) -> String {
        let pretty = |bytes: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            serde_json::to_string_pretty(&value).unwrap()
        };
        let layout = Layout::new(vec![docs.clone()]);
        [&docs.config, &docs.manifest, &layout.index, &layout.docker].map(|bytes| pretty(bytes)).join("\n\n")
    }

    #[test]
    fn a_full_image() {
        let text = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let map = |items: &[(&str, &str)]| items.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let image = Image {
            layers: crate::manifest::Layers::Single,
            entrypoint: text(&["/usr/bin/python3", "-c"]),
            cmd: text(&["print(\"ü\")"]),
            env: map(&[("LANG", "C.UTF-8"), ("PATH", "/app")]),
            workdir: Some("/app".into()),
            labels: map(&[("b", "2"), ("a", "1")]),
            annotations: map(&[("org.opencontainers.image.licenses", "MIT")]),
            ports: text(&["8080/tcp", "53/udp"]),
            volumes: text(&["/data"]),
            stop_signal: Some("SIGINT".into()),
            compression: crate::manifest::Compression::Zstd,
        };
        let spec = ImageSpec {
            name: "My_App",
            arch: Arch::Arm64,
            epoch: "2026-11-21T09:15:44.9Z".parse().unwrap(),
            user: Some("65532:65532".into()),
            image: &image,
            attached: None,
        };
        insta::assert_snapshot!(show(&Documents::new(&spec, Sha256::of(b"tree"), &[layer(image.compression)])));
    }

    #[test]
    fn a_plain_image() {
        let image = Image::default();
        let epoch = "1970-01-01T00:00:00Z".parse().unwrap();
        let spec = ImageSpec { name: "python3", arch: Arch::Amd64, epoch, user: None, image: &image, attached: None };
        insta::assert_snapshot!(show(&Documents::new(&spec, Sha256::of(b"tree"), &[layer(image.compression)])));
    }

    #[test]
    fn names_become_repositories() {
        for (name, want) in [
            ("python3", "python3"),
            ("My App", "my-app"),
            ("a__b..c-", "a_b.c"),
            ("-.x", "x"),
            ("ü", "image"),
            ("", "image"),
        ] {
            assert_eq!(repository(name), want, "{name}");
        }
    }
}
