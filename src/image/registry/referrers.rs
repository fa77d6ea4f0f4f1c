//! What refers to an image: pushed like one, and found by who asks the registry for referrers (distribution spec 1.1,
//! “Pushing Manifests with Subject”). A registry that knows nothing of that does not answer with `OCI-Subject`; for it
//! the index of referrers is kept under the tag `sha256-DIGEST` (“Referrers Tag Schema”).

use serde_json::{Value, json};
use ureq::http::Method;

use super::{
    Client, RegistryError,
    ask::{Ask, media_type},
};
use crate::{
    archive::shown,
    base::{Sha256, refusal},
    image::oci::{INDEX, MANIFEST},
};

/// How often the index is written when somebody else writes it too.
const TRIES: usize = 3;

impl Client<'_> {
    /// Pushes a manifest that refers to `subject`, and has it found. Returns how many manifests were written.
    pub(super) fn refer(&self, manifest: &[u8], subject: Sha256) -> Result<usize, RegistryError> {
        let digest = Sha256::of(manifest);
        let put = self.put(&digest.to_string(), MANIFEST, manifest)?;
        let written = usize::from(put.is_new);
        if put.is_noted || (!put.is_new && self.knows_referrers(subject)?) {
            return Ok(written);
        }
        let tag = subject.to_string().replace(':', "-");
        for _ in 0..TRIES {
            let mut index = self.referrers(&tag)?;
            let Some(list) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
                return Err(self.no_index(&tag));
            };
            let text = digest.to_string();
            if list.iter().any(|one| one.get("digest").and_then(Value::as_str) == Some(&text)) {
                return Ok(written);
            }
            list.push(descriptor(manifest));
            self.put(&tag, INDEX, index.to_string().as_bytes())?;
            // Nothing keeps two from writing it at once: whoever lost finds out, and adds its own again.
            if self.referrers(&tag)?.to_string().contains(&text) {
                return Ok(written + 1);
            }
        }
        let why = format!("somebody else writes {tag} all the time");
        Err(RegistryError::Push {
            refusal: refusal::PUSH_REFUSED,
            url: shown(&self.url(&format!("manifests/{tag}"))),
            attempt: 1,
            why,
            next: "run it again in a moment".into(),
        })
    }

    /// Whether the registry keeps referrers by itself.
    fn knows_referrers(&self, subject: Sha256) -> Result<bool, RegistryError> {
        let url = self.url(&format!("referrers/{subject}"));
        self.retrying(&url, |_| {
            let response =
                self.send(&Ask { accept: &[INDEX], takes: &[400, 404, 405], ..Ask::new(&Method::GET, &url) })?;
            Ok(response.status() == 200 && media_type(&response) == INDEX)
        })
    }

    /// The index under the tag; an empty one if there is none.
    fn referrers(&self, tag: &str) -> Result<Value, RegistryError> {
        match self.manifest(tag, None, &[INDEX]) {
            Ok(found) => {
                let index: Option<Value> = serde_json::from_slice(&found.bytes).ok();
                index
                    .filter(|index| index.get("manifests").is_some_and(Value::is_array))
                    .ok_or_else(|| self.no_index(tag))
            }
            Err(RegistryError::Missing { .. }) => {
                Ok(json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }))
            }
            Err(error) => Err(error),
        }
    }

    fn no_index(&self, tag: &str) -> RegistryError {
        let next =
            format!("remove the tag {tag}, which is for the index of what refers to an image, or attach nothing");
        let url = shown(&self.url(&format!("manifests/{tag}")));
        RegistryError::Push { refusal: refusal::PUSH_REFUSED, url, attempt: 1, why: "it is no index".into(), next }
    }
}

/// What an index says of a manifest: its type and annotations are copied.
fn descriptor(manifest: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let mut out = json!({ "mediaType": MANIFEST, "digest": Sha256::of(manifest).to_string(), "size": manifest.len() });
    if let Some(out) = out.as_object_mut() {
        for name in ["artifactType", "annotations"] {
            out.extend(document.get(name).map(|value| (name.to_owned(), value.clone())));
        }
    }
    out
}
