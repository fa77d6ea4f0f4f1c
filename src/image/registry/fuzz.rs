//! What must hold of references, challenges and files of credentials, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use super::{Credentials, Reference, challenge::challenges};
use crate::fuzz::told;
use crate::image::open::ImageRef;

/// A reference: what it prints is itself, and its parts build no other URL.
pub fn reference(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Reference>() {
        Ok(reference) => {
            let printed = reference.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&reference), "{printed}");
            assert_eq!(ImageRef::parse(&printed).ok(), Some(ImageRef::Registry(reference.clone())));
            let plain = |part: &str| {
                part.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'%' | b'@' | b'\\'))
            };
            let parts = [reference.registry().as_str(), reference.repository(), reference.tag().unwrap_or_default()];
            assert!(parts.into_iter().all(plain), "{printed}");
            assert!(!reference.registry().as_str().contains('/') && !reference.manifest().contains('/'));
            assert!(reference.repository().split('/').all(|part| !part.is_empty() && part != ".."), "{printed}");
            let base = reference.registry().base();
            assert!(base.starts_with("https://") || reference.registry().is_loopback(), "{base}");
        }
        Err(error) => told(&error),
    }
    let _ = ImageRef::parse(&text).map(|one| one.to_string());
}

/// `WWW-Authenticate`, and a file of credentials.
pub fn login(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for challenge in challenges(&text) {
        assert!(!challenge.scheme.is_empty() && !challenge.scheme.contains(['"', '=', ',']), "{challenge:?}");
        assert!(challenge.parameters.keys().all(|key| !key.is_empty()), "{challenge:?}");
    }
    let mut credentials = Credentials::default();
    match credentials.add(&text) {
        Ok(()) => {
            let reference: Reference = "registry.example.com/team/app:1".parse().expect("a reference");
            let _ = (credentials.login(&reference).is_some(), credentials.helper(&reference).is_some());
        }
        // No secret in a message: nothing of the file's strings but the keys of registries.
        Err(what) => assert!(!what.contains("hunter2") || text.contains("hunter2\":"), "{what}"),
    }
}
