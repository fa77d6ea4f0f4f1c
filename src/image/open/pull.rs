//! An image of a registry, fetched into an OCI layout, of which [`super::oci`] then makes what it is.
//!
//! In: a [`Client`], a reference, an architecture, an empty folder. Out: a layout there with the index as the registry
//! has it, and of its images those that are meant: manifest, configuration, layers. Which of several it is, and what is
//! wrong with it, is decided when the layout is read.

use std::{collections::BTreeMap, fs, path::Path};

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::oci::{DEPTH, Descriptor, IMAGES, Index, LAYERS, Manifest, is_config, is_index, is_layer, is_manifest};
use crate::{
    base::{Arch, Progress, Sha256},
    deb::{Limits, shown},
    image::registry::{Client, Reference, RegistryError},
};

/// Kinds of documents that a reference may lead to.
const ACCEPT: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Bytes of a configuration at most.
const CONFIG: u64 = 16 << 20;

/// What a document says that it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
}

/// One reading of a reference.
struct Pull<'a> {
    client: &'a Client<'a>,
    folder: &'a Path,
    arch: Option<Arch>,
    /// Size of each blob that is wanted.
    blobs: BTreeMap<Sha256, u64>,
    documents: usize,
}

/// Fetches what `reference` names to `folder`.
pub(super) fn pull(
    client: &Client<'_>,
    reference: &Reference,
    arch: Option<Arch>,
    folder: &Path,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(|source| RegistryError::Disk { path: blobs.clone(), source })?;
    let mut pull = Pull { client, folder, arch, blobs: BTreeMap::new(), documents: 0 };
    progress.phase("Asking the registry", None);
    let (media_type, digest, size) = pull.document(&reference.manifest(), reference.digest(), 0)?;
    let wanted: Vec<(Sha256, u64)> = std::mem::take(&mut pull.blobs).into_iter().collect();
    let total = wanted.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
    if total > limits.data {
        return Err(RegistryError::TooLarge { what: reference.to_string(), size: total, limit: limits.data });
    }
    progress.phase("Fetching the image", Some(total));
    let fetch = |(digest, size): &(Sha256, u64)| client.blob(*digest, *size, &blobs.join(digest.hex()));
    wanted.par_iter().with_max_len(1).try_for_each(fetch)?;
    let top = json!({"mediaType": media_type, "digest": digest.to_string(), "size": size});
    let index = json!({"schemaVersion": 2, "manifests": [top]}).to_string();
    pull.write("index.json", index.as_bytes())?;
    pull.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
}

impl Pull<'_> {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(|source| RegistryError::Disk { path, source })
    }

    /// Fetches a manifest or an index and all manifests of it that are meant; the answer is its descriptor.
    fn document(
        &mut self,
        by: &str,
        wanted: Option<Sha256>,
        depth: usize,
    ) -> Result<(String, Sha256, u64), RegistryError> {
        let url = self.client.url(&format!("manifests/{by}"));
        let bad = |why: String| RegistryError::Document { url: url.clone(), why };
        self.documents += 1;
        if depth > DEPTH || self.documents > IMAGES {
            return Err(bad(format!("there are more than {IMAGES} images, or indexes nested more than {DEPTH} deep")));
        }
        let found = self.client.manifest(by, wanted, &ACCEPT)?;
        let malformed = |error: serde_json::Error| bad(format!("it is malformed ({error})"));
        let kind: Kind = serde_json::from_slice(&found.bytes).map_err(malformed)?;
        let media_type = kind.media_type.unwrap_or(found.media_type);
        self.write(&format!("blobs/sha256/{}", found.digest.hex()), &found.bytes)?;
        if is_index(&media_type) {
            let index: Index = serde_json::from_slice(&found.bytes).map_err(malformed)?;
            for descriptor in self.meant(&index) {
                let digest = self.digest(descriptor, &url)?;
                self.document(&digest.to_string(), Some(digest), depth + 1)?;
            }
        } else if is_manifest(&media_type) {
            let manifest: Manifest = serde_json::from_slice(&found.bytes).map_err(malformed)?;
            self.image(&manifest, &url)?;
        } else {
            return Err(bad(format!(
                "its media type is “{}”, which compose cannot read",
                shown(media_type.as_bytes())
            )));
        }
        Ok((media_type, found.digest, found.bytes.len() as u64))
    }

    /// The manifests of an index that are for the architecture, or may be. Without one wanted, all if there is one.
    fn meant<'i>(&self, index: &'i Index) -> Vec<&'i Descriptor> {
        let is_meant = |descriptor: &&Descriptor| match (&descriptor.platform, self.arch) {
            (Some(platform), _) if !platform.is_linux() => false,
            (Some(platform), Some(arch)) => platform.arch() == Some(arch),
            _ => true,
        };
        let could = |d: &&Descriptor| d.is_index() || d.may_be_image();
        let all: Vec<_> = index.manifests.iter().filter(could).filter(is_meant).collect();
        if self.arch.is_none() && all.len() > 1 { Vec::new() } else { all }
    }

    fn digest(&self, descriptor: &Descriptor, url: &str) -> Result<Sha256, RegistryError> {
        let why = |fault: super::OpenFault| RegistryError::Document { url: url.into(), why: fault.to_string() };
        descriptor.sha256("the manifest").map_err(why)
    }

    /// Notes the blobs of an image; of what is none nothing is fetched but its manifest.
    fn image(&mut self, manifest: &Manifest, url: &str) -> Result<(), RegistryError> {
        let kind = |descriptor: &Descriptor| descriptor.media_type.clone().unwrap_or_default();
        if !is_config(&kind(&manifest.config)) || !manifest.layers.iter().all(|layer| is_layer(&kind(layer))) {
            return Ok(());
        }
        let (config, layers) = (&manifest.config, &manifest.layers);
        if config.size > CONFIG {
            let what = format!("the configuration of {url}");
            return Err(RegistryError::TooLarge { what, size: config.size, limit: CONFIG });
        }
        if layers.len() > LAYERS {
            let why = format!("it has {} layers, and no more than {LAYERS} are read", layers.len());
            return Err(RegistryError::Document { url: url.into(), why });
        }
        for descriptor in layers.iter().chain([config]) {
            let digest = self.digest(descriptor, url)?;
            let size = *self.blobs.entry(digest).or_insert(descriptor.size);
            if size != descriptor.size {
                let why = format!("it gives {digest} two sizes, {size} and {}", descriptor.size);
                return Err(RegistryError::Document { url: url.into(), why });
            }
        }
        Ok(())
    }
}
