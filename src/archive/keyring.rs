//! Which keys are trusted: Debian's, compiled in, or those of a `signed-by` file.
//!
//! In: key files, armoured or binary. Out: [`Keyring`].

use std::path::{Path, PathBuf};

use pgp::composed::{Deserializable, SignedPublicKey};

use super::openpgp::hex;
use crate::base::refusal::{self, Refusal, Refuses};

/// Debian's archive keys (`keys/README.md` says where from).
const BUILT_IN: [&[u8]; 6] = [
    include_bytes!("keys/debian-archive-trixie-automatic.pgp"),
    include_bytes!("keys/debian-archive-trixie-security-automatic.pgp"),
    include_bytes!("keys/debian-archive-trixie-stable.pgp"),
    include_bytes!("keys/debian-archive-bookworm-automatic.pgp"),
    include_bytes!("keys/debian-archive-bookworm-security-automatic.pgp"),
    include_bytes!("keys/debian-archive-bookworm-stable.pgp"),
];

/// Largest key file, bytes.
const MAX_KEYS: u64 = 4 << 20;

const BEGIN: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Trusted certificates.
#[derive(Debug, Clone)]
pub struct Keyring {
    certificates: Vec<SignedPublicKey>,
}

/// A key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// It cannot be read.
    #[error("cannot read the key file {}; is the path in “signed-by” right?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No key in it.
    #[error("{} holds no OpenPGP public key that can be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl Refuses for KeyringError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::KEY_FILE_UNREADABLE,
            Self::Unusable { .. } => refusal::KEY_FILE_UNUSABLE,
        }
    }
}

impl Keyring {
    /// The archive keys of Debian 12 and 13, their security archives and stable releases.
    ///
    /// # Errors
    /// Never with the files in `keys/`; a test reads them all.
    pub fn debian() -> Result<Self, KeyringError> {
        let mut certificates = Vec::new();
        for raw in BUILT_IN {
            certificates.extend(Self::parse(raw, Path::new("built-in key"))?.certificates);
        }
        Ok(Self { certificates })
    }

    /// The keys in a file on this machine.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 4 MiB, or holds no key.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        use std::io::Read as _;
        let mut raw = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_KEYS + 1).read_to_end(&mut raw));
        read.map_err(|source| KeyringError::Read { path: path.into(), source })?;
        if raw.len() as u64 > MAX_KEYS {
            return Err(KeyringError::Unusable { path: path.into(), why: "it is larger than 4 MiB".into() });
        }
        Self::parse(&raw, path)
    }

    /// Parses one or several certificates, binary or in any number of armoured blocks. Those of a kind not known
    /// here are left out. `path` is for messages.
    ///
    /// # Errors
    /// When no certificate is left.
    pub fn parse(raw: &[u8], path: &Path) -> Result<Self, KeyringError> {
        let (mut certificates, mut problem) = (Vec::new(), None);
        let mut take = |found: pgp::errors::Result<SignedPublicKey>| match found {
            Ok(certificate) => certificates.push(certificate),
            Err(error) => problem = Some(error.to_string()),
        };
        let mut rest = raw;
        let mut armoured = false;
        while let Some(start) = rest.windows(BEGIN.len()).position(|window| window == BEGIN) {
            armoured = true;
            let block = rest.get(start..).unwrap_or_default();
            let next = block.get(BEGIN.len()..).unwrap_or_default();
            let length = next.windows(BEGIN.len()).position(|window| window == BEGIN).unwrap_or(next.len());
            let (block, after) = block.split_at(BEGIN.len() + length);
            match SignedPublicKey::from_armor_many(block) {
                Ok((found, _)) => found.for_each(&mut take),
                Err(error) => take(Err(error)),
            }
            rest = after;
        }
        if !armoured {
            match SignedPublicKey::from_bytes_many(raw) {
                Ok(found) => found.for_each(&mut take),
                Err(error) => take(Err(error)),
            }
        }
        if certificates.is_empty() {
            let why = problem.unwrap_or_else(|| "no key in it".into());
            return Err(KeyringError::Unusable { path: path.into(), why });
        }
        Ok(Self { certificates })
    }

    /// The certificates.
    pub fn certificates(&self) -> &[SignedPublicKey] {
        &self.certificates
    }

    /// Fingerprints of the primary keys, upper-case hexadecimal.
    pub fn fingerprints(&self) -> Vec<String> {
        self.certificates.iter().map(|cert| hex(&cert.primary_key)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::process::Command;

    use super::*;

    #[test]
    fn built_in_keys_are_those_of_the_readme() {
        let readme = include_str!("keys/README.md");
        let keys = Keyring::debian().unwrap();
        assert_eq!(keys.certificates().len(), 6);
        for cert in keys.certificates() {
            assert!(readme.contains(&hex(&cert.primary_key)));
            for subkey in &cert.public_subkeys {
                assert!(readme.contains(&hex(&subkey.key)));
            }
        }
    }

    #[test]
    fn gpg_shows_the_same_fingerprints() {
        let dir = tempfile::tempdir().unwrap();
        for raw in BUILT_IN {
            let file = dir.path().join("key");
            std::fs::write(&file, raw).unwrap();
            let mut gpg = Command::new("gpg");
            gpg.args(["--with-colons", "--show-keys"]).arg(&file).env("GNUPGHOME", dir.path());
            let Ok(output) = gpg.output() else {
                eprintln!("skipped: gpg is not on this machine");
                return;
            };
            let shown = String::from_utf8(output.stdout).unwrap();
            let theirs: Vec<_> =
                shown.lines().filter(|l| l.starts_with("fpr:")).filter_map(|l| l.split(':').nth(9)).collect();
            let cert = &Keyring::parse(raw, &file).unwrap().certificates[0];
            let mut ours = vec![hex(&cert.primary_key)];
            ours.extend(cert.public_subkeys.iter().map(|subkey| hex(&subkey.key)));
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn reads_armour_and_several_blocks_and_refuses_the_rest() {
        let here = Path::new("keys.asc");
        let armour =
            |raw| Keyring::parse(raw, here).unwrap().certificates[0].to_armored_string(Default::default()).unwrap();
        let both = format!("# two\n{}\n{}", armour(BUILT_IN[0]), armour(BUILT_IN[3]));
        assert_eq!(Keyring::parse(both.as_bytes(), here).unwrap().fingerprints().len(), 2);
        assert_eq!(Keyring::parse(&BUILT_IN.concat(), here).unwrap().fingerprints().len(), 6);
        for bad in [&b""[..], b"<html>", &BUILT_IN[0][..40], b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!"] {
            assert!(Keyring::parse(bad, here).is_err());
        }
    }
}
