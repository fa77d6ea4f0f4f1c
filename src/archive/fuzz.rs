//! What must hold of Releases, their signatures, Contents indexes and apt's sources, whatever their bytes are.
//!
//! In: bytes. Out: nothing, or a failed assertion.

use std::{io::Read, path::Path, sync::LazyLock};

use jiff::Timestamp;

use super::{
    cleartext, contents,
    index::Choice,
    keyring::Keyring,
    openpgp::{Verified, verify_detached, verify_inline},
    release::Release,
    sources,
};
use crate::fuzz::told;

/// A Release; whatever it lists is found by its path, and is asked for below the suite's folder.
pub fn release(bytes: &[u8]) {
    let release = match Release::parse(bytes) {
        Ok(release) => release,
        Err(error) => return told(&error),
    };
    for snapshot in [false, true] {
        release.check("trixie", snapshot, now()).err().iter().for_each(told);
    }
    for (path, entry) in &release.files {
        assert_eq!(release.file(path), Some(entry));
        assert_eq!(*path, entry.path);
        assert!(entry.by_hash.ends_with(&format!("by-hash/SHA256/{}", entry.sha256.hex())), "{entry:?}");
        let folder = entry.by_hash.strip_suffix(&format!("by-hash/SHA256/{}", entry.sha256.hex()));
        assert!(folder.is_some_and(|folder| entry.path.starts_with(folder)), "{entry:?}");
        assert!(Choice::find(&release, path).is_some(), "{path}");
    }
}

/// The one signature that the key of this test ever made; its private part is gone.
static SIGNED: LazyLock<(Keyring, Verified)> = LazyLock::new(|| {
    let keys = Keyring::parse(include_bytes!("../../tests/fuzz/corpus/openpgp/key.asc"), Path::new("key.asc"));
    let keys = keys.expect("a key");
    let signed = include_bytes!("../../tests/fuzz/corpus/inrelease/signed.txt");
    let verified = verify_inline(signed, &keys, now()).expect("signed by it");
    (keys, verified)
});

fn now() -> Timestamp {
    Timestamp::from_second(1_795_000_000).expect("in 2026")
}

/// An InRelease: its frame, and that nothing else passes than what was signed.
pub fn inrelease(bytes: &[u8]) {
    let (keys, signed) = &*SIGNED;
    match verify_inline(bytes, keys, now()) {
        Ok(found) => assert_eq!(found, *signed),
        Err(error) => told(&error),
    }
    let message = match cleartext::split(bytes) {
        Ok(message) => message,
        Err(error) => return told(&error),
    };
    assert!(message.text.is_empty() || message.text.ends_with(b"\n"));
    assert!(message.armour.starts_with(b"-----BEGIN PGP SIGNATURE-----"));
    assert!(message.armour.trim_ascii_end().ends_with(b"-----END PGP SIGNATURE-----"));
    let lines: Vec<&[u8]> = message.text.split(|&b| b == b'\n').collect();
    let lines = lines.split_last().map(|(_, lines)| lines).unwrap_or_default();
    assert_eq!(lines.join(&b"\r\n"[..]), message.hashed);

    // The same message written anew, each line escaped, is the same message.
    let mut again = b"-----BEGIN PGP SIGNED MESSAGE-----\n".to_vec();
    for hash in &message.hashes {
        again.extend_from_slice(format!("Hash: {hash}\n").as_bytes());
    }
    again.push(b'\n');
    for line in lines {
        again.extend_from_slice(&[b"- ", *line, b"\n"].concat());
    }
    again.extend_from_slice(message.armour);
    if !again.ends_with(b"\n") {
        again.push(b'\n');
    }
    if message.hashes.iter().all(|hash| !hash.contains(',')) && message.hashes.len() <= 16 {
        let again = cleartext::split(&again);
        let again = again.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((again.text, again.hashed), (message.text, message.hashed));
    }
}

/// Certificates, and detached signatures.
pub fn openpgp(bytes: &[u8]) {
    let (keys, signed) = &*SIGNED;
    match verify_detached(&signed.text, bytes, keys, now()) {
        Ok(found) => assert_eq!(found.certificate, signed.certificate),
        Err(error) => told(&error),
    }
    match Keyring::parse(bytes, Path::new("a.asc")) {
        Ok(found) => {
            assert_eq!(found.fingerprints().len(), found.certificates().len());
            // Whatever the bytes do to a certificate: only the key itself passes.
            let raw = include_bytes!("../../tests/fuzz/corpus/inrelease/signed.txt");
            if let Ok(verified) = verify_inline(raw, &found, now()) {
                assert!(keys.fingerprints().contains(&verified.certificate));
            }
        }
        Err(error) => told(&error),
    }
}

/// A Contents index: lines do not depend on how they come, and what is kept of it is read as it was written.
pub fn contents(bytes: &[u8]) {
    contents::fuzz::contents(bytes);
}

/// A Packages index as the store keeps it, and the same bytes as an entry of the store.
pub fn kept(bytes: &[u8]) {
    super::kept::fuzz(bytes);
}

/// Gives a few bytes at a time.
pub(super) struct Trickle<'a>(pub &'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(5);
        self.0.read(&mut out[..most])
    }
}

/// apt's lists of sources, in both forms.
pub fn sources(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for uri in sources::one_line(&text).into_iter().chain(sources::deb822(&text)) {
        assert!(!uri.is_empty());
        assert!(!sources::is_fetchable(&uri) || !uri.contains(['\n', '\u{1b}', ' ', '\0']), "{uri:?}");
    }
}
