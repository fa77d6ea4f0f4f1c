//! An OpenPGP signature under a Release: `InRelease`, `Release.gpg`, and the key to verify them by.
//!
//! In: a secret key's file, its passphrase if it has one. Out: [`Signer`], and [`Signed`] texts. The library is `pgp`, as
//! in [`openpgp`], which has the last word: a signature that it would not accept is not written. The same text
//! and key give the same bytes: the date is the text's own, and nothing is drawn by lot.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use pgp::{
    composed::{CleartextSignedMessage, Deserializable, DetachedSignature, SignedSecretKey},
    crypto::hash::HashAlgorithm,
    packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyDetails as _, KeyVersion, Password, SigningKey},
};

use crate::archive::{
    keyring::{Keyring, KeyringError},
    openpgp::{self, SignatureError},
};
use crate::base::refusal::{self, Refusal, Refuses};

/// Largest key file, bytes.
const MAX_KEY: u64 = 1 << 20;

/// Who signs.
pub struct Signer {
    key: SignedSecretKey,
    part: Part,
    password: Password,
    keyring: Keyring,
    now: Timestamp,
    /// The public key, armoured: what goes into a `signed-by` file.
    pub public: String,
    /// Of the certificate, upper-case hexadecimal.
    pub fingerprint: String,
}

/// Which key of a certificate.
#[derive(Debug, Clone, Copy)]
enum Part {
    Primary,
    Subkey(usize),
}

/// A text with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Text and signature in one.
    pub inline: String,
    /// The signature alone, armoured.
    pub detached: String,
}

/// Why nothing can be signed. No message holds anything of the key but what is public.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file cannot be read.
    #[error("cannot read the secret key {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no secret key.
    #[error(
        "{} holds no OpenPGP secret key that can be used: {why}\n  next step: give what `gpg --export-secret-keys --armor KEY` writes", path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It has a passphrase, and nobody said it.
    #[error("the secret key {} has a passphrase\n  next step: give it in COMPOSE_SIGN_PASSPHRASE", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It has another.
    #[error("COMPOSE_SIGN_PASSPHRASE does not open the secret key {}\n  next step: give its passphrase, as gpg takes it", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// It would not verify.
    #[error(
        "the secret key {} cannot sign a repository: {why}\n  next step: give an OpenPGP key (version 4, Ed25519 or RSA from 2048 bits) that may sign and is neither expired nor revoked", path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// What was signed does not verify: a fault of this program or of the library.
    #[error("a signature just made does not verify: {0}")]
    Broken(String),
}

impl Refuses for SignError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::SECRET_KEY_UNREADABLE,
            Self::NoKey { .. } => refusal::SECRET_KEY_UNUSABLE,
            Self::Locked { .. } => refusal::SECRET_KEY_LOCKED,
            Self::Passphrase { .. } => refusal::WRONG_PASSPHRASE,
            Self::Unfit { .. } => refusal::SECRET_KEY_UNFIT,
            Self::Broken(_) => refusal::INTERNAL,
        }
    }
}

impl Signer {
    /// Reads the secret key at `path`, armoured or binary, and finds out which of its keys signs: the newest subkey that
    /// can, else the primary key. `now` is when its signatures must hold.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn read(path: &Path, passphrase: Option<&str>, now: Timestamp) -> Result<Self, SignError> {
        let mut raw = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(MAX_KEY + 1).read_to_end(&mut raw));
        read.map_err(|source| SignError::Read { path: path.into(), source })?;
        let no_key = |why: String| SignError::NoKey { path: path.into(), why };
        if raw.len() as u64 > MAX_KEY {
            return Err(no_key("it is larger than 1 MiB".into()));
        }
        // In the library's own words there may be bytes of the file.
        let mut keys = secret_keys(&raw).map_err(|_| no_key(what_else(&raw).into()))?;
        let key = match (keys.pop(), keys.len()) {
            (Some(key), 0) => key,
            (None, _) => return Err(no_key("there is none in it".into())),
            _ => return Err(no_key("there are several in it, and one is to sign".into())),
        };
        let certificate = key.to_public_key();
        let armoured = certificate.to_armored_string(Default::default());
        let public = armoured.map_err(|_| no_key("its public part cannot be written".into()))?;
        let unreadable = |error: KeyringError| no_key(error.to_string());
        let keyring = Keyring::parse(public.as_bytes(), path).map_err(unreadable)?;
        let fingerprint = keyring.fingerprints().concat();
        let mut subkeys: Vec<usize> = (0..key.secret_subkeys.len()).collect();
        subkeys.sort_by_key(|&at| std::cmp::Reverse(key.secret_subkeys.get(at).map(|sub| sub.key.created_at())));
        let parts = subkeys.into_iter().map(Part::Subkey).chain([Part::Primary]);
        let password = passphrase.map_or_else(Password::empty, Password::from);
        let mut signer = Self { key, part: Part::Primary, password, keyring, now, public, fingerprint };
        let mut why = String::new();
        for part in parts {
            signer.part = part;
            if signer.is_locked() {
                if passphrase.is_none() {
                    return Err(SignError::Locked { path: path.into() });
                }
                if !signer.is_opened() {
                    return Err(SignError::Passphrase { path: path.into() });
                }
            }
            match signer.sign("probe\n", now) {
                Ok(_) => return Ok(signer),
                // What is said of the primary key is what concerns all of it.
                Err(error) => why = error,
            }
        }
        Err(SignError::Unfit { path: path.into(), why })
    }

    /// Signs a Release of this date.
    ///
    /// # Errors
    /// Only where signing once worked and then did not.
    pub fn release(&self, text: &str, date: Timestamp) -> Result<Signed, SignError> {
        self.sign(text, date).map_err(SignError::Broken)
    }

    fn is_locked(&self) -> bool {
        match self.part {
            Part::Primary => self.key.primary_key.secret_params().is_encrypted(),
            Part::Subkey(at) => {
                self.key.secret_subkeys.get(at).is_some_and(|sub| sub.key.secret_params().is_encrypted())
            }
        }
    }

    /// Whether the passphrase opens it.
    fn is_opened(&self) -> bool {
        let opened = match self.part {
            Part::Primary => self.key.primary_key.unlock(&self.password, |_, _| Ok(())),
            Part::Subkey(at) => match self.key.secret_subkeys.get(at) {
                Some(subkey) => subkey.key.unlock(&self.password, |_, _| Ok(())),
                None => return false,
            },
        };
        matches!(opened, Ok(Ok(())))
    }

    fn sign(&self, text: &str, date: Timestamp) -> Result<Signed, String> {
        let signed = match self.part {
            Part::Primary => sign(&self.key.primary_key, &self.password, text, date),
            Part::Subkey(at) => match self.key.secret_subkeys.get(at) {
                Some(subkey) => sign(&subkey.key, &self.password, text, date),
                None => Err("there is no such subkey".into()),
            },
        }?;
        let refused = |error: SignatureError| error.reason().map_or_else(|| error.to_string(), ToString::to_string);
        openpgp::verify_inline(signed.inline.as_bytes(), &self.keyring, self.now).map_err(refused)?;
        openpgp::verify_detached(text.as_bytes(), signed.detached.as_bytes(), &self.keyring, self.now)
            .map_err(refused)?;
        Ok(signed)
    }
}

fn secret_keys(raw: &[u8]) -> pgp::errors::Result<Vec<SignedSecretKey>> {
    let start = raw.trim_ascii_start();
    match start.starts_with(b"-----") {
        true => SignedSecretKey::from_armor_many(start)?.0.collect(),
        false => SignedSecretKey::from_bytes_many(raw)?.collect(),
    }
}

/// What a file is that holds no secret key.
fn what_else(raw: &[u8]) -> &'static str {
    match raw.trim_ascii_start().starts_with(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") {
        true => "it is a public key",
        false => "it is damaged, or something else",
    }
}

/// Both forms; the signature is as old as the text, but not older than the key.
fn sign(key: &impl SigningKey, password: &Password, text: &str, date: Timestamp) -> Result<Signed, String> {
    if key.version() != KeyVersion::V4 {
        return Err("it is not of version 4, which is what gpgv reads".into());
    }
    let words = |_: pgp::errors::Error| "it makes no signature".to_owned();
    let seconds = u32::try_from(date.as_second()).unwrap_or_default().max(key.created_at().as_secs());
    let config = |typ| -> pgp::errors::Result<SignatureConfig> {
        let mut config = SignatureConfig::v4(typ, key.algorithm(), HashAlgorithm::Sha512);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(pgp::types::Timestamp::from_secs(seconds)))?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        ];
        config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
        Ok(config)
    };
    // The line feed before the signature is the framework's, and not the text's (RFC 9580, 7.1).
    let body = text.strip_suffix('\n').unwrap_or(text);
    let message = CleartextSignedMessage::new(body, config(SignatureType::Text).map_err(words)?, key, password);
    let inline = message.and_then(|message| message.to_armored_string(Default::default())).map_err(words)?;
    let binary = config(SignatureType::Binary).and_then(|config| config.sign(key, password, text.as_bytes()));
    let detached = binary.and_then(|signature| DetachedSignature::new(signature).to_armored_string(Default::default()));
    Ok(Signed { inline, detached: detached.map_err(words)? })
}
