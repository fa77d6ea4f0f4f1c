//! The documents of an OCI image layout (image-spec 1.1: image-layout.md, image-index.md, manifest.md, config.md) and of
//! a docker-archive: which image is meant, its configuration, its layers.
//!
//! In: a [`Source`], the architecture asked for. Out: [`Image`], every document's digest and size verified.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    error::OpenFault,
    source::{Blob, Source, json},
};
use crate::{
    base::{Arch, Sha256},
    deb::shown,
    image::oci::TREE,
};

/// How deep indexes may be nested, and how many images there may be in all.
pub(super) const DEPTH: usize = 4;
pub(super) const IMAGES: usize = 1000;

/// Layers of one image at most; filesystems of runtimes take fewer.
pub(super) const LAYERS: usize = 1000;

/// One image, its layers not read yet.
pub(super) struct Image {
    pub(super) arch: Option<Arch>,
    pub(super) config: Value,
    /// `rootfs.diff_ids` of the configuration.
    pub(super) diff_ids: Vec<String>,
    pub(super) layers: Vec<LayerBlob>,
    /// Of the manifest, if it has one of its own.
    pub(super) manifest: Option<Sha256>,
    /// The tree digest that the index claims, if compose wrote it.
    pub(super) claimed: Option<Sha256>,
    /// Of the configuration.
    pub(super) identity: Sha256,
}

/// A layer, and what it should be.
pub(super) struct LayerBlob {
    pub(super) name: String,
    pub(super) blob: Blob,
    /// By its descriptor or its name.
    pub(super) digest: Option<Sha256>,
}

impl LayerBlob {
    /// The digest of its bytes, which must be the one it should have.
    pub(super) fn verify(&self) -> Result<Sha256, OpenFault> {
        match self.digest {
            Some(digest) => self.blob.verify(&self.name, digest).map(|()| digest),
            None => self.blob.sha256(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: Option<String>,
    digest: String,
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
    annotations: Option<BTreeMap<String, String>>,
    artifact_type: Option<String>,
}

#[derive(Deserialize, Clone)]
pub(super) struct Platform {
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
}

/// One image of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What a manifest of an index is for.
struct Candidate {
    descriptor: Descriptor,
    platform: Option<Platform>,
}

impl Platform {
    pub(super) fn arch(&self) -> Option<Arch> {
        arch(self.architecture.as_deref()?, self.variant.as_deref())
    }

    pub(super) fn is_linux(&self) -> bool {
        self.os.as_deref().is_none_or(|os| os == "linux")
    }

    fn shown(&self) -> String {
        let part = |text: &Option<String>| shown(text.as_deref().unwrap_or("unknown").as_bytes());
        let variant = self.variant.as_ref().map(|_| format!("/{}", part(&self.variant))).unwrap_or_default();
        match (self.is_linux(), self.arch()) {
            (true, Some(arch)) => arch.to_string(),
            (true, None) => part(&self.architecture) + &variant,
            (false, _) => format!("{}/{}{variant}", part(&self.os), part(&self.architecture)),
        }
    }
}

/// The architecture that OCI calls so. Variants of amd64 and arm64 are levels of the same one; arm without a variant
/// is v7, as containerd reads it.
fn arch(name: &str, variant: Option<&str>) -> Option<Arch> {
    let arch = Arch::ALL.into_iter().find(|arch| arch.oci().0 == name)?;
    match (arch, variant) {
        (Arch::Armhf, Some(variant)) if !matches!(variant, "v7" | "7" | "v8" | "8" | "") => None,
        _ => Some(arch),
    }
}

fn digest(text: &str, by: &str) -> Result<Sha256, OpenFault> {
    let known = text.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    known.ok_or_else(|| OpenFault::Document {
        name: by.into(),
        what: format!("“{}” is not a SHA-256 digest", shown(text.as_bytes())),
    })
}

impl Descriptor {
    fn name(&self) -> String {
        shown(self.digest.as_bytes())
    }

    /// The blob, of the size that is said; its bytes are not looked at. `None` if it is not there.
    fn find(&self, source: &Source, by: &str) -> Result<Option<(Sha256, Blob)>, OpenFault> {
        let digest = digest(&self.digest, by)?;
        let Some(blob) = source.get(&format!("blobs/sha256/{}", digest.hex()))? else { return Ok(None) };
        if blob.size != self.size {
            return Err(OpenFault::Size { name: self.name(), wanted: self.size, found: blob.size });
        }
        Ok(Some((digest, blob)))
    }

    fn need(&self, source: &Source, by: &str) -> Result<(Sha256, Blob), OpenFault> {
        self.find(source, by)?.ok_or_else(|| OpenFault::Missing { name: self.name(), by: by.into() })
    }

    /// The document, verified.
    fn document(&self, source: &Source, by: &str) -> Result<(Sha256, Vec<u8>), OpenFault> {
        let (digest, blob) = self.need(source, by)?;
        let bytes = blob.read(&self.name())?;
        match Sha256::of(&bytes) {
            found if found == digest => Ok((digest, bytes)),
            found => Err(OpenFault::Digest { name: self.name(), found }),
        }
    }

    pub(super) fn is_index(&self) -> bool {
        self.media_type.as_deref().is_some_and(is_index)
    }

    /// Its digest, which `by` names.
    pub(super) fn sha256(&self, by: &str) -> Result<Sha256, OpenFault> {
        digest(&self.digest, by)
    }

    /// Whether it may be an image: no attestation of BuildKit's, no artefact of another kind, nothing unknown.
    pub(super) fn may_be_image(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or("application/vnd.oci.image.manifest.v1+json");
        let attests = self.annotations.as_ref().is_some_and(|all| all.contains_key("vnd.docker.reference.type"));
        is_manifest(kind) && !attests && self.artifact_type.is_none()
    }
}

pub(super) fn is_index(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json"
    )
}

pub(super) fn is_manifest(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.manifest.v1+json" | "application/vnd.docker.distribution.manifest.v2+json"
    )
}

pub(super) fn is_config(media_type: &str) -> bool {
    matches!(media_type, "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json")
}

/// Which compression it is, the layer's own first bytes say.
pub(super) fn is_layer(media_type: &str) -> bool {
    let oci = media_type
        .strip_prefix("application/vnd.oci.image.layer.")
        .map(|rest| rest.strip_prefix("nondistributable.").unwrap_or(rest));
    let docker = media_type.strip_prefix("application/vnd.docker.image.rootfs.");
    matches!(oci, Some("v1.tar" | "v1.tar+gzip" | "v1.tar+zstd"))
        || matches!(docker, Some("diff.tar" | "diff.tar.gzip" | "diff.tar.zstd" | "foreign.diff.tar.gzip"))
}

/// The image of the layout in `source`.
pub(super) fn layout(source: &Source, wanted: Option<Arch>) -> Result<Image, OpenFault> {
    let read = |name: &str| source.need(name, "an OCI image layout")?.read(name);
    let version: LayoutFile = json("oci-layout", &read("oci-layout")?)?;
    if version.image_layout_version != "1.0.0" {
        let what = format!("its version is “{}”; only 1.0.0 is known", shown(version.image_layout_version.as_bytes()));
        return Err(OpenFault::Document { name: "oci-layout".into(), what });
    }
    let index: Index = json("index.json", &read("index.json")?)?;
    let claimed = index.annotations.as_ref().and_then(|all| all.get(TREE)).and_then(|text| text.parse().ok());
    let mut found = Vec::new();
    let mut passed = Vec::new();
    collect(source, index, "index.json", None, 0, &mut found, &mut passed)?;
    let candidate = choose(source, found, &passed, wanted)?;
    let (manifest, mut image) = image(source, &candidate.descriptor)?;
    image.layers = layers(source, &manifest)?;
    // It speaks of the one image that compose wrote.
    image.claimed = claimed;
    check_arch(&image.config, image.arch, wanted)?;
    Ok(image)
}

/// All manifests of an index that may be images; `passed` says what the others are.
fn collect(
    source: &Source,
    index: Index,
    by: &str,
    above: Option<&Platform>,
    depth: usize,
    found: &mut Vec<Candidate>,
    passed: &mut Vec<String>,
) -> Result<(), OpenFault> {
    for descriptor in index.manifests {
        if found.len() + passed.len() >= IMAGES || depth >= DEPTH {
            let what = format!("there are more than {IMAGES} images, or indexes nested more than {DEPTH} deep");
            return Err(OpenFault::Document { name: by.into(), what });
        }
        let platform = descriptor.platform.clone().or_else(|| above.cloned());
        if descriptor.is_index() {
            // Not all of a multi-arch image need be there.
            if descriptor.find(source, by)?.is_some() {
                let name = descriptor.name();
                let (_, bytes) = descriptor.document(source, by)?;
                collect(source, json(&name, &bytes)?, &name, platform.as_ref(), depth + 1, found, passed)?;
            }
        } else if !descriptor.may_be_image() {
            passed.push(descriptor.artifact_type.or(descriptor.media_type).unwrap_or_default());
        } else if platform.as_ref().is_some_and(|platform| !platform.is_linux()) {
            passed.push(platform.map(|platform| platform.shown()).unwrap_or_default());
        } else if !found.iter().any(|other| other.descriptor.digest == descriptor.digest) {
            found.push(Candidate { descriptor, platform });
        }
    }
    Ok(())
}

fn choose(
    source: &Source,
    found: Vec<Candidate>,
    passed: &[String],
    wanted: Option<Arch>,
) -> Result<Candidate, OpenFault> {
    let mut all = Vec::new();
    for mut candidate in found {
        let is_there = candidate.descriptor.find(source, "the index")?.is_some();
        if candidate.platform.is_none() && is_there {
            let (_, image) = image(source, &candidate.descriptor)?;
            let text = |key: &str| image.config.get(key).and_then(Value::as_str).map(str::to_owned);
            candidate.platform =
                Some(Platform { architecture: text("architecture"), os: text("os"), variant: text("variant") });
        }
        all.push((candidate, is_there));
    }
    let list = |all: &[(Candidate, bool)]| {
        let one = |(candidate, _): &(Candidate, bool)| {
            let platform = candidate.platform.as_ref().map_or("unknown".into(), Platform::shown);
            let names = candidate.descriptor.annotations.as_ref();
            match names.and_then(|all| all.get("org.opencontainers.image.ref.name")) {
                Some(name) => format!("{platform} ({})", shown(name.as_bytes())),
                None => platform,
            }
        };
        all.iter().take(20).map(one).collect::<Vec<_>>().join(", ")
    };
    let have = list(&all);
    if let Some(wanted) = wanted {
        all.retain(|(candidate, _)| candidate.platform.as_ref().and_then(Platform::arch) == Some(wanted));
        if all.is_empty() && !have.is_empty() {
            return Err(OpenFault::Arch { wanted, have });
        }
    }
    if all.len() > 1 {
        all.retain(|(_, is_there)| *is_there);
    }
    match (all.len(), all.pop()) {
        (1, Some((candidate, _))) => Ok(candidate),
        (0, _) if have.is_empty() => {
            let passed: String = passed.iter().take(5).map(|what| format!(", {}", shown(what.as_bytes()))).collect();
            Err(OpenFault::NoImage(passed.strip_prefix(", ").map(|what| format!(", only {what}")).unwrap_or_default()))
        }
        _ => Err(OpenFault::Several(have)),
    }
}

/// Reads manifest and configuration.
fn image(source: &Source, descriptor: &Descriptor) -> Result<(Manifest, Image), OpenFault> {
    let name = descriptor.name();
    let (digest, bytes) = descriptor.document(source, "the index")?;
    let manifest: Manifest = json(&name, &bytes)?;
    if let Some(found) = manifest.media_type.as_ref().filter(|found| !is_manifest(found)) {
        return Err(OpenFault::MediaType { what: format!("the manifest {name}"), found: shown(found.as_bytes()) });
    }
    let kind = manifest.config.media_type.as_deref().unwrap_or_default();
    if !is_config(kind) {
        return Err(OpenFault::MediaType { what: "the configuration".into(), found: shown(kind.as_bytes()) });
    }
    let (_, bytes) = manifest.config.document(source, "the manifest")?;
    let mut image = configured(&manifest.config.name(), &bytes)?;
    image.manifest = Some(digest);
    Ok((manifest, image))
}

/// The manifest's layers, which must all be there.
fn layers(source: &Source, manifest: &Manifest) -> Result<Vec<LayerBlob>, OpenFault> {
    let one = |layer: &Descriptor| {
        let kind = layer.media_type.as_deref().unwrap_or_default();
        if !is_layer(kind) {
            let found = shown(kind.as_bytes());
            return Err(OpenFault::MediaType { what: format!("the layer {}", layer.name()), found });
        }
        let (digest, blob) = layer.need(source, "the manifest")?;
        Ok(LayerBlob { name: layer.name(), blob, digest: Some(digest) })
    };
    check_count(manifest.layers.len())?;
    manifest.layers.iter().map(one).collect()
}

fn check_count(layers: usize) -> Result<(), OpenFault> {
    match layers > LAYERS {
        true => Err(crate::deb::LimitReached::new("layers", LAYERS as u64).into()),
        false => Ok(()),
    }
}

/// An image without layers yet, of its configuration.
pub(super) fn configured(name: &str, bytes: &[u8]) -> Result<Image, OpenFault> {
    let config: Value = json(name, bytes)?;
    let bad = |what: &str| OpenFault::Document { name: format!("the configuration {name}"), what: what.into() };
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    if let Some(os) = text("os").filter(|os| *os != "linux" && !os.is_empty()) {
        return Err(bad(&format!("it is for “{}”, not for Linux", shown(os.as_bytes()))));
    }
    let ids = config.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids"));
    let ids = match ids {
        None | Some(Value::Null) => Vec::new(),
        Some(ids) => {
            let ids = ids.as_array().ok_or_else(|| bad("rootfs.diff_ids is not a list"))?;
            let texts: Option<Vec<_>> = ids.iter().map(|id| id.as_str().map(str::to_owned)).collect();
            texts.ok_or_else(|| bad("rootfs.diff_ids holds what is no text"))?
        }
    };
    let arch = text("architecture").and_then(|name| arch(name, text("variant")));
    Ok(Image {
        arch,
        config,
        diff_ids: ids,
        layers: Vec::new(),
        manifest: None,
        claimed: None,
        identity: Sha256::of(bytes),
    })
}

fn check_arch(config: &Value, arch: Option<Arch>, wanted: Option<Arch>) -> Result<(), OpenFault> {
    match wanted {
        Some(wanted) if arch != Some(wanted) => {
            let have = config.get("architecture").and_then(Value::as_str).unwrap_or("an unknown architecture");
            Err(OpenFault::Arch { wanted, have: shown(have.as_bytes()) })
        }
        _ => Ok(()),
    }
}

/// The table of contents of a docker-archive, if this is one.
pub(super) fn docker_table(source: &Source) -> Option<Vec<DockerImage>> {
    let bytes = source.get("manifest.json").ok()??.read("manifest.json").ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The image of the docker-archive in `source`.
pub(super) fn docker(source: &Source, table: Vec<DockerImage>, wanted: Option<Arch>) -> Result<Image, OpenFault> {
    const BY: &str = "manifest.json";
    let mut all: Vec<(DockerImage, Image)> = Vec::new();
    for entry in table.into_iter().take(IMAGES) {
        if all.iter().any(|(other, _)| other.config == entry.config && other.layers == entry.layers) {
            continue;
        }
        let name = shown(entry.config.as_bytes());
        let blob = source.need(&entry.config, BY)?;
        let bytes = blob.read(&name)?;
        if let Some(digest) = named_digest(&entry.config) {
            let found = Sha256::of(&bytes);
            if found != digest {
                return Err(OpenFault::Digest { name, found });
            }
        }
        let image = configured(&name, &bytes)?;
        all.push((entry, image));
    }
    let one = |(entry, image): &(DockerImage, Image)| {
        let arch = image.arch.map_or("unknown".into(), |arch| arch.to_string());
        match entry.repo_tags.as_ref().and_then(|tags| tags.first()) {
            Some(tag) => format!("{arch} ({})", shown(tag.as_bytes())),
            None => arch,
        }
    };
    let have = all.iter().take(20).map(one).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        all.retain(|(_, image)| image.arch == Some(wanted));
        if all.is_empty() && !have.is_empty() {
            return Err(OpenFault::Arch { wanted, have });
        }
    }
    let (entry, mut image) = match (all.len(), all.pop()) {
        (1, Some(one)) => one,
        (0, _) => return Err(OpenFault::NoImage(String::new())),
        _ => return Err(OpenFault::Several(have)),
    };
    check_count(entry.layers.len())?;
    for layer in &entry.layers {
        let name = shown(layer.as_bytes());
        // A folder's name is an identifier of its own; only that of a blob is a digest of its bytes.
        let digest = layer.strip_prefix("blobs/sha256/").and_then(|hex| hex.parse().ok());
        image.layers.push(LayerBlob { blob: source.need(layer, BY)?, name, digest });
    }
    Ok(image)
}

/// Whether what `docker load` takes of the archive is `image`: the configuration, which names the layers' diffIDs,
/// decides. A note if that cannot be told.
pub(super) fn same_in_docker(
    source: &Source,
    table: Vec<DockerImage>,
    image: &Image,
) -> Result<Option<String>, OpenFault> {
    match docker(source, table, image.arch) {
        Ok(other) if other.identity != image.identity => {
            Err(OpenFault::TwoImages { oci: image.identity, docker: other.identity })
        }
        Ok(_) => Ok(None),
        Err(fault) => Ok(Some(format!("its manifest.json, which docker load reads, was not compared: {fault}"))),
    }
}

/// `HEX.json` or `blobs/sha256/HEX`: what a configuration is called.
fn named_digest(name: &str) -> Option<Sha256> {
    name.strip_prefix("blobs/sha256/").or_else(|| name.strip_suffix(".json"))?.parse().ok()
}
