//! Images to a registry (distribution spec 1.1, “Push”): blobs first, then what names them, the tag last, so that a
//! push which is broken off leaves no tag on something half there.
//!
//! In: [`Pushable`]s, one for each architecture, a [`Client`]. Out: [`Pushed`]. One image is tagged itself, several by an
//! index. Whatever is there already is left as it is.

use std::{cmp::Reverse, collections::BTreeMap};

use rayon::prelude::*;
use ureq::{
    Body,
    http::{Method, Response},
};

use super::{
    Client, Reference, RegistryError,
    ask::{Ask, Content, Fault},
    client::content_digest,
    places::Places,
    upload::{Sent, upload},
};
use crate::{
    archive::{fetch::Failure, shown},
    base::{Arch, Sha256, live, refusal},
    image::{
        oci::{self, INDEX, MANIFEST},
        pushable::{Part, Pushable},
    },
    store::Store,
};

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it went: with the tag, and the digest that the tag has now.
    pub reference: Reference,
    /// Of the image or the index that is tagged.
    pub digest: Sha256,
    /// The manifest of each architecture.
    pub images: Vec<(Arch, Sha256)>,
    /// Blobs that were sent.
    pub uploaded: Count,
    /// Blobs that another repository of the registry lent.
    pub mounted: Count,
    /// Blobs that were there.
    pub present: Count,
    /// Manifests that were sent, indexes among them.
    pub manifests: usize,
    /// Manifests that refer to an image.
    pub referrers: Vec<Sha256>,
}

/// Blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub blobs: usize,
    /// Their lengths together.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, part: &Part) {
        self.blobs += 1;
        self.bytes += part.size;
    }
}

/// Pushes the images, and tags them as the client's reference says.
///
/// # Errors
/// [`RegistryError`]; then the tag is what it was, unless the error says otherwise.
pub fn push(client: &Client<'_>, images: &[Pushable], store: &Store) -> Result<Pushed, RegistryError> {
    let parts: BTreeMap<Sha256, &Part> =
        images.iter().flat_map(|one| &one.parts).map(|part| (part.digest, part)).collect();
    let total = parts.values().map(|part| part.size).sum();
    client.progress.phase("Pushing", Some(total));
    let repository = client.reference.repository();
    let places = Places::read(store, client.reference.registry());
    let lent = places.by_digest();
    let mut parts: Vec<&Part> = parts.into_values().collect();
    parts.sort_by_key(|part| Reverse(part.size));
    let one = |part: &&Part| upload(client, part, lent.get(&part.digest).copied().filter(|from| *from != repository));
    // A registry that is not there says so once, of the smallest. Of the others the largest take longest.
    let (rest, smallest) = parts.split_at(parts.len().saturating_sub(1));
    let last: Vec<Sent> = smallest.iter().map(one).collect::<Result<_, RegistryError>>()?;
    let mut sent: Vec<Sent> = rest.par_iter().with_max_len(1).map(one).collect::<Result<_, RegistryError>>()?;
    sent.extend(last);
    let tag = client.reference.manifest();
    let (mut manifests, mut referrers) = (0, Vec::new());
    for image in images {
        let digest = Sha256::of(&image.manifest);
        manifests += usize::from(client.put(&digest.to_string(), MANIFEST, &image.manifest)?.is_new);
        for referrer in &image.referrers {
            manifests += client.refer(referrer, digest)?;
            referrers.push(Sha256::of(referrer));
        }
    }
    let index;
    let (media_type, top) = match images {
        [only] => (MANIFEST, &only.manifest),
        images => {
            index = oci::index(images.iter().map(|image| (image.arch, image.tree, &*image.manifest)));
            (INDEX, &index)
        }
    };
    manifests += usize::from(client.put(&tag, media_type, top)?.is_new);
    let digest = Sha256::of(top);
    client.confirm(&tag, digest, media_type)?;
    live::commit(|done| done.push(client.reference.to_string().into()));
    let mut pushed = Pushed {
        reference: client.reference.exactly(digest),
        digest,
        images: images.iter().map(|image| (image.arch, Sha256::of(&image.manifest))).collect(),
        uploaded: Count::default(),
        mounted: Count::default(),
        present: Count::default(),
        manifests,
        referrers,
    };
    for (sent, part) in sent.iter().zip(&parts) {
        match sent {
            Sent::There => pushed.present.add(part),
            Sent::Mounted => pushed.mounted.add(part),
            Sent::Uploaded => pushed.uploaded.add(part),
        }
    }
    let digests: Vec<Sha256> = parts.iter().map(|part| part.digest).collect();
    drop(lent);
    places.keep(&digests, repository);
    Ok(pushed)
}

/// A manifest at the registry.
pub(super) struct Put {
    /// It was not there.
    pub(super) is_new: bool,
    /// The registry says that it has noted what this one refers to (`OCI-Subject`).
    pub(super) is_noted: bool,
}

impl Client<'_> {
    /// Makes `bytes` what the tag or digest `by` names.
    pub(super) fn put(&self, by: &str, media_type: &str, bytes: &[u8]) -> Result<Put, RegistryError> {
        let url = self.url(&format!("manifests/{by}"));
        let digest = Sha256::of(bytes);
        let is_there = |response: &Response<Body>| match content_digest(response) {
            Some(found) => found == digest,
            None => by == digest.to_string(),
        };
        let head = self.retrying(&url, |_| self.head(&url, media_type))?;
        if head.as_ref().is_some_and(is_there) {
            return Ok(Put { is_new: false, is_noted: false });
        }
        let headers = [("Content-Type", media_type.to_owned())];
        let body = Content { length: bytes.len() as u64, open: &|| Ok(Box::new(bytes)) };
        let put = self.retrying(&url, |_| {
            let response = self.send(&Ask { headers: &headers, body: Some(&body), ..Ask::new(&Method::PUT, &url) })?;
            match content_digest(&response) {
                Some(found) if found != digest => Err(self.altered(&url, &found.to_string(), digest)),
                _ => Ok(Put { is_new: true, is_noted: response.headers().contains_key("oci-subject") }),
            }
        });
        put.map_err(|error| self.no_repository(error))
    }

    /// `None` if nothing is there.
    fn head(&self, url: &str, media_type: &str) -> Result<Option<Response<Body>>, Fault> {
        let ask = Ask { accept: &[media_type], takes: &[404, 405], ..Ask::new(&Method::HEAD, url) };
        Ok(Some(self.send(&ask)?).filter(|response| response.status() == 200))
    }

    /// Asks once more what the tag is now.
    fn confirm(&self, tag: &str, digest: Sha256, media_type: &str) -> Result<(), RegistryError> {
        let url = self.url(&format!("manifests/{tag}"));
        let found = self.retrying(&url, |_| {
            // It may take a registry of many machines a moment to know what it was told.
            let head = self.head(&url, media_type)?;
            Ok(content_digest(&head.ok_or_else(|| Failure::passing("it is not there after it was pushed"))?))
        })?;
        let found = match found {
            Some(found) => found,
            None => self.manifest(tag, None, &[media_type])?.digest,
        };
        if found == digest {
            return Ok(());
        }
        Err(RegistryError::Altered { url: shown(&url), found: found.to_string(), wanted: digest })
    }

    fn altered(&self, url: &str, found: &str, wanted: Sha256) -> Fault {
        Fault::End(RegistryError::Altered { url: shown(url), found: found.into(), wanted })
    }

    /// What is missing when something is written is the repository.
    pub(super) fn no_repository(&self, error: RegistryError) -> RegistryError {
        let RegistryError::Missing { url, why } = error else { return error };
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let next = format!(
            "make the repository {repository} at {registry} first, if it makes none by itself, and check its name"
        );
        RegistryError::Push { refusal: refusal::PUSH_REFUSED, url, attempt: 1, why, next }
    }
}
