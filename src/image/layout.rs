//! The OCI image layout (image-layout.md): as a directory, and as one tar file that `docker load` takes too.
//!
//! In: images' documents, layers already compressed. Out: `oci-layout`, `index.json`, `blobs/`, in the file `manifest.json` too;
//! and whether a directory is such a layout that compose wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read, Write},
    path::Path,
};

use super::{
    ImageError,
    oci::{Descriptor, DockerArchive, Documents, INDEX, Index, Layer, SBOM, TREE, blob, index, json},
    pack::Pack,
    stage::StagedDir,
};
use crate::{
    base::{RootPath, Sha256, Sha256Writer},
    tree::{Kind, Meta, header},
};

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image for each of one or more platforms, all of one name.
pub(super) struct Layout {
    images: Vec<Documents>,
    pub(super) index: Vec<u8>,
    /// The index of several images, which `index.json` names in their place.
    inner: Option<Vec<u8>>,
    pub(super) docker: Vec<u8>,
}

impl Layout {
    /// One image stands in `index.json` itself; several have an index of their own (image-index.md), under the one tag, from
    /// which a reader takes what fits its machine.
    pub(super) fn new(images: Vec<Documents>) -> Self {
        let repository = images.first().map(|image| image.repository.clone()).unwrap_or_default();
        // The tag for OCI tools; the whole name for podman and containerd, in the form `docker save` writes.
        let names = BTreeMap::from([
            ("io.containerd.image.name", format!("docker.io/library/{repository}:latest")),
            ("org.opencontainers.image.ref.name", "latest".into()),
        ]);
        let inner = (images.len() != 1)
            .then(|| index(images.iter().map(|image| (image.arch, image.tree, &image.manifest[..]))));
        let first = match (&inner, &images[..]) {
            (None, [only]) => only.image.clone(),
            (inner, _) => Descriptor::of(INDEX, inner.as_deref().unwrap_or_default()),
        };
        // The image comes first, for readers that take the first; in a layout, referrers are listed beside it.
        let manifests = [first.annotated(names)];
        let manifests = manifests.into_iter().chain(images.iter().flat_map(|image| image.attached.clone())).collect();
        let trees: Vec<String> = images.iter().map(|image| image.tree.to_string()).collect();
        let annotations = BTreeMap::from([(TREE, trees.join(","))]);
        let index = json(&Index { schema_version: 2, media_type: INDEX, manifests, annotations });
        // It knows no platforms: each image has a tag of its own.
        let tag = |image: &Documents| match (&inner, &image.image.platform) {
            (Some(_), Some(platform)) => format!("{repository}:{}", platform.tag()),
            _ => format!("{repository}:latest"),
        };
        let docker: Vec<DockerArchive> = images.iter().map(|image| image.docker.tagged(tag(image))).collect();
        Self { index, inner, docker: json(&docker), images }
    }

    /// The files of the layout but for the layers, by path.
    fn files(&self, docker: bool) -> BTreeMap<String, &[u8]> {
        let mut files: BTreeMap<String, &[u8]> =
            BTreeMap::from([("oci-layout".into(), LAYOUT), ("index.json".into(), &*self.index)]);
        let documents = self
            .images
            .iter()
            .flat_map(|image| [&image.config, &image.manifest].into_iter().chain(image.attachments()));
        files.extend(documents.chain(&self.inner).map(|bytes| (blob(Sha256::of(bytes)), &**bytes)));
        if docker {
            files.insert("manifest.json".into(), &self.docker);
        }
        files
    }

    /// Bytes of what is attached.
    pub(super) fn attached(&self) -> u64 {
        self.images.iter().flat_map(Documents::attachments).map(|bytes| bytes.len() as u64).sum()
    }
}

/// A layer's compressed bytes.
pub(super) struct Blob<'a> {
    pub(super) layer: &'a Layer,
    pub(super) packs: &'a [Pack],
}

/// Fills an empty directory with the layout, for whomever the umask lets read it. Returns the bytes written.
pub(super) fn write_dir(docs: &Layout, blobs: &[Blob<'_>], dir: &StagedDir) -> Result<u64, ImageError> {
    let failed = || ImageError::at("write", dir.target());
    let create = |name: &str| {
        let path = RootPath::parse(name.as_bytes()).map_err(io::Error::other).map_err(failed())?;
        dir.create(&path).map_err(failed())
    };
    let mut bytes = 0;
    for (name, content) in docs.files(false) {
        create(&name)?.write_all(content).map_err(failed())?;
        bytes += content.len() as u64;
    }
    let mut seen = BTreeSet::new();
    for Blob { layer, packs } in blobs.iter().filter(|blob| seen.insert(blob.layer.digest)) {
        let mut out = create(&blob(layer.digest))?;
        packs.iter().try_for_each(|pack| pack.copy_to(&mut out)).map_err(failed())?;
        bytes += layer.size;
    }
    let blobs = dir.open(&RootPath::literal("blobs")).map_err(failed())?;
    let open_to = blobs.metadata().map_err(failed())?.permissions();
    dir.open(&RootPath::root()).and_then(|top| top.set_permissions(open_to)).map_err(failed())?;
    Ok(bytes)
}

/// Writes the layout as a tar archive, entries sorted, owned by root, of the image's date. Errors call it `shown`.
pub(super) fn write_tar<W: Write>(
    docs: &Layout,
    blobs: &[Blob<'_>],
    epoch: i64,
    out: W,
    shown: &Path,
) -> Result<(Sha256, u64), ImageError> {
    enum Entry<'a> {
        Dir,
        Bytes(&'a [u8]),
        Layer(&'a Blob<'a>),
    }
    let mut entries: BTreeMap<String, Entry<'_>> =
        docs.files(true).into_iter().map(|(name, bytes)| (name, Entry::Bytes(bytes))).collect();
    entries.extend(blobs.iter().map(|each| (blob(each.layer.digest), Entry::Layer(each))));
    entries.extend(["blobs", "blobs/sha256"].map(|name| (name.into(), Entry::Dir)));

    let failed = || ImageError::at("write", shown);
    let mut out = Sha256Writer::new(out);
    for (name, entry) in &entries {
        let path = RootPath::parse(name.as_bytes()).map_err(io::Error::other).map_err(failed())?;
        let mut head = Vec::new();
        let size = match entry {
            Entry::Dir => {
                header::append(&path, &Meta::root(0o755, epoch), &Kind::Dir, &mut head);
                0
            }
            Entry::Bytes(bytes) => bytes.len() as u64,
            Entry::Layer(blob) => blob.layer.size,
        };
        if !matches!(entry, Entry::Dir) {
            header::append_file(&path, &Meta::root(0o644, epoch), size, &mut head);
        }
        out.write_all(&head).map_err(failed())?;
        match entry {
            Entry::Dir => {}
            Entry::Bytes(bytes) => out.write_all(bytes).map_err(failed())?,
            Entry::Layer(blob) => {
                blob.packs.iter().try_for_each(|pack| pack.copy_to(&mut out)).map_err(failed())?;
            }
        }
        out.write_all(&vec![0; header::padding(size)]).map_err(failed())?;
    }
    out.write_all(&header::END).and_then(|()| out.flush()).map_err(failed())?;
    let (_, sha256, size) = out.finish();
    Ok((sha256, size))
}

/// Whether the directory at `path` is a layout that compose wrote, with nothing added to it since.
pub(super) fn is_ours(path: &Path) -> bool {
    let read = || -> Option<bool> {
        let mut text = Vec::new();
        fs::File::open(path.join("index.json")).ok()?.take(1 << 20).read_to_end(&mut text).ok()?;
        let index: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let ours = index.get("annotations")?.get(TREE).is_some();
        let manifests = index.get("manifests")?.as_array()?;
        let is_sbom = |one: &serde_json::Value| one.get("annotations").is_some_and(|all| all.get(SBOM).is_some());
        let others = manifests.iter().filter(|one| !is_sbom(one)).count();
        Some(ours && others == 1 && path.join("oci-layout").is_file())
    };
    read().unwrap_or(false)
}
