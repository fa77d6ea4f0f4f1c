//! The secret half of a test's key, as a file that signs.
//!
//! In: a [`TestKey`], a passphrase or none. Out: what `gpg --export-secret-keys` writes.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail loudly")]

use pgp::composed::{SignedSecretKey, SignedSecretSubKey};

use super::signing::TestKey;

/// The key, locked by `passphrase` if there is one.
pub fn secret(key: &TestKey, passphrase: Option<&str>) -> SignedSecretKey {
    let (mut primary, mut subkeys) = (key.primary.clone(), Vec::new());
    if let Some(passphrase) = passphrase {
        primary.set_password(rand::thread_rng(), &passphrase.into()).unwrap();
    }
    for (secret, public) in key.subkey.iter().zip(&key.cert.public_subkeys) {
        let mut secret = secret.clone();
        if let Some(passphrase) = passphrase {
            secret.set_password(rand::thread_rng(), &passphrase.into()).unwrap();
        }
        subkeys.push(SignedSecretSubKey::new(secret, public.signatures.clone()));
    }
    SignedSecretKey::new(primary, key.cert.details.clone(), Vec::new(), subkeys)
}

/// The same, armoured.
pub fn armoured(key: &TestKey, passphrase: Option<&str>) -> String {
    secret(key, passphrase).to_armored_string(Default::default()).unwrap()
}
