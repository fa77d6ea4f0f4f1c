//! Signature verification: which bytes of a mirror's document a trusted key vouches for.
//!
//! In: an `InRelease`, or a `Release` with its `Release.gpg`; the trusted certificates; the time. Out: [`Verified`].
//!
//! The OpenPGP library is `pgp` (rPGP), used for packets and cryptography only. It is pure Rust, so nothing is looked
//! up on the build machine (sequoia wants nettle or OpenSSL unless its experimental Rust backend is chosen), has been
//! audited, and carries the licence of this project (sequoia is LGPL). It takes no decisions: what counts as a good
//! signature is decided here, and is never laxer than gpgv. One good signature by one trusted key is enough.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgp::{
    armor::{ArmorCrc24Status, Dearmor},
    composed::{SignedPublicKey, SignedPublicSubKey},
    crypto::{hash::HashAlgorithm, public_key::PublicKeyAlgorithm},
    packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion, SubpacketData},
    ser::Serialize,
    types::{KeyDetails, KeyVersion, PublicParams, Tag},
};

mod reason;

pub use reason::{Part, Reason, Refused};

use super::{
    cleartext::{self, FrameError, MAX_DOCUMENT},
    keyring::Keyring,
};
use crate::base::refusal::{self, Refusal, Refuses};

/// Most signatures looked at in one document; Debian's have three.
const MAX_SIGNATURES: usize = 64;

/// Bytes that a trusted key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Exactly the signed text.
    pub text: Vec<u8>,
    /// Fingerprint of the certificate (its primary key), upper-case hexadecimal.
    pub certificate: String,
    /// Fingerprint of the key or subkey that made the signature.
    pub signer: String,
    /// When the signature was made.
    pub signed_at: Timestamp,
}

/// Why a document is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is no signed message at all.
    #[error("not a valid signed message: {0}")]
    Frame(#[from] FrameError),
    /// The signature is not OpenPGP.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// No signature by a trusted key is good.
    #[error("no good signature by a trusted key\n  signed by: {}\n  trusted: {}", list(.signatures), list(.trusted))]
    NoneGood {
        /// Each signature: its key, and why it does not count.
        signatures: Vec<Refused>,
        /// Fingerprints of the trusted certificates.
        trusted: Vec<String>,
    },
}

impl Refuses for SignatureError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Frame(error) => error.refusal(),
            Self::Unreadable(_) => refusal::SIGNATURE_UNREADABLE,
            Self::NoneGood { .. } => self.reason().map_or(refusal::NO_SIGNATURE, Reason::refusal),
        }
    }
}

impl SignatureError {
    /// Of all signatures' reasons the one that tells most; `None` where nobody signed, or where nothing can be read.
    pub fn reason(&self) -> Option<&Reason> {
        let Self::NoneGood { signatures, .. } = self else { return None };
        signatures.iter().map(|signature| &signature.why).max_by_key(|why| why.weight())
    }
}

fn list(items: &[impl ToString]) -> String {
    if items.is_empty() {
        return "nobody".into();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n             ")
}

/// Verifies an `InRelease`.
///
/// # Errors
/// [`SignatureError`]; text outside the signed part is one.
pub fn verify_inline(raw: &[u8], keys: &Keyring, now: Timestamp) -> Result<Verified, SignatureError> {
    let message = cleartext::split(raw)?;
    let allowed: BTreeSet<_> = message.hashes.iter().map(|name| name.to_ascii_uppercase()).collect();
    let signatures = read_signatures(message.armour)?;
    let (certificate, signer, signed_at) = check(&signatures, &message.hashed, Some(&allowed), keys, now)?;
    Ok(Verified { text: message.text, certificate, signer, signed_at })
}

/// Verifies a `Release` by its `Release.gpg`, armoured or binary.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_detached(
    text: &[u8],
    signature: &[u8],
    keys: &Keyring,
    now: Timestamp,
) -> Result<Verified, SignatureError> {
    if text.len() > MAX_DOCUMENT || signature.len() > MAX_DOCUMENT {
        return Err(FrameError::TooLong.into());
    }
    let signatures = read_signatures(signature)?;
    let (certificate, signer, signed_at) = check(&signatures, text, None, keys, now)?;
    Ok(Verified { text: text.into(), certificate, signer, signed_at })
}

/// All signature packets of `raw`, which holds nothing else.
fn read_signatures(raw: &[u8]) -> Result<Vec<Signature>, SignatureError> {
    let unreadable = |error: pgp::errors::Error| SignatureError::Unreadable(error.to_string());
    let mut signatures = Vec::new();
    let mut take = |packets: &mut dyn Iterator<Item = pgp::errors::Result<Packet>>| {
        for packet in packets {
            match packet {
                Ok(Packet::Signature(signature)) if signatures.len() < MAX_SIGNATURES => signatures.push(signature),
                Ok(Packet::Signature(_)) => return Err(SignatureError::Unreadable("too many signatures".into())),
                Ok(other) => return Err(SignatureError::Unreadable(format!("a stray {:?} packet", tag(&other)))),
                // A signature of a kind not known here must not hide a good one beside it.
                Err(pgp::errors::Error::Unsupported { .. }) => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(())
    };
    if raw.trim_ascii_start().starts_with(b"-----") {
        let mut dearmor = Dearmor::new(raw.trim_ascii_start());
        dearmor.read_header().map_err(unreadable)?;
        let mut packets = Vec::new();
        std::io::Read::read_to_end(&mut dearmor, &mut packets)
            .map_err(|error| SignatureError::Unreadable(error.to_string()))?;
        // The checksum says nothing of who made it, but gpgv refuses a wrong one. (rPGP 0.21's own check refuses all.)
        if let ArmorCrc24Status::Unchecked { footer_crc } = dearmor.crc24_status()
            && footer_crc != crc24(&packets)
        {
            return Err(SignatureError::Unreadable("its armour has a wrong checksum".into()));
        }
        take(&mut PacketParser::new(&*packets))?;
    } else {
        take(&mut PacketParser::new(raw))?;
    }
    Ok(signatures)
}

/// The checksum of armour (RFC 9580, 6.1).
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xb7_04ce, |crc, &byte| {
        (0..8).fold(crc ^ (u32::from(byte) << 16), |crc, _| match crc & 0x80_0000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x186_4cfb,
        })
    })
}

fn tag(packet: &Packet) -> Tag {
    pgp::packet::PacketTrait::tag(packet)
}

/// The first good signature: certificate, signing key, time.
fn check(
    signatures: &[Signature],
    data: &[u8],
    hashes: Option<&BTreeSet<String>>,
    keys: &Keyring,
    now: Timestamp,
) -> Result<(String, String, Timestamp), SignatureError> {
    let mut reasons = Vec::new();
    for signature in signatures {
        match check_one(signature, data, hashes, keys, now) {
            Ok(found) => return Ok(found),
            Err(why) => reasons.push(Refused { by: issuer(signature), why }),
        }
    }
    Err(SignatureError::NoneGood { signatures: reasons, trusted: keys.fingerprints() })
}

fn check_one(
    signature: &Signature,
    data: &[u8],
    hashes: Option<&BTreeSet<String>>,
    keys: &Keyring,
    now: Timestamp,
) -> Result<(String, String, Timestamp), Reason> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err(Reason::NotADocument);
    }
    let created = usable(signature, now)?;
    if let (Some(hashes), Some(used)) = (hashes, signature.hash_alg())
        && !hashes.contains(&used.to_string())
    {
        return Err(Reason::HashNotNamed(used));
    }
    let mut why = Reason::UnknownKey;
    for cert in keys.certificates() {
        for key in candidates(cert) {
            if !named(signature, key.id()) {
                continue;
            }
            let verdict =
                key.valid_at(created, now).and_then(|()| key.verify(signature, data).map_err(|_| Reason::Altered));
            match verdict {
                Ok(()) => return Ok((hex(cert), hex(key.id()), from_unix(created))),
                Err(error) => why = error,
            }
        }
    }
    Err(why)
}

/// A key that could have made a signature over data.
enum Candidate<'a> {
    Primary(&'a SignedPublicKey),
    Subkey(&'a SignedPublicKey, &'a SignedPublicSubKey),
}

fn candidates(cert: &SignedPublicKey) -> impl Iterator<Item = Candidate<'_>> {
    let subkeys = cert.public_subkeys.iter().map(move |key| Candidate::Subkey(cert, key));
    std::iter::once(Candidate::Primary(cert)).chain(subkeys)
}

impl Candidate<'_> {
    fn id(&self) -> &dyn KeyDetails {
        match self {
            Self::Primary(cert) => &cert.primary_key,
            Self::Subkey(_, subkey) => &subkey.key,
        }
    }

    fn verify(&self, signature: &Signature, data: &[u8]) -> pgp::errors::Result<()> {
        match self {
            Self::Primary(cert) => signature.verify(&cert.primary_key, data),
            Self::Subkey(_, subkey) => signature.verify(&subkey.key, data),
        }
    }

    /// Whether it may have signed at `created` and still counts at `now`, seconds since 1970.
    fn valid_at(&self, created: i64, now: Timestamp) -> Result<(), Reason> {
        let cert = match self {
            Self::Primary(cert) | Self::Subkey(cert, _) => cert,
        };
        let primary = &cert.primary_key;
        let state = primary_state(cert, now)?;
        alive(Part::Primary, primary, state.lifetime, created, now)?;
        strong(primary)?;
        let Self::Subkey(_, subkey) = self else {
            return if state.signs { Ok(()) } else { Err(Reason::NotForSigning(Part::Primary)) };
        };
        let revoked = |s: &&Signature| {
            s.typ() == Some(SignatureType::SubkeyRevocation) && s.verify_subkey_binding(primary, &subkey.key).is_ok()
        };
        if subkey.signatures.iter().find(revoked).is_some() {
            return Err(Reason::Revoked(Part::Subkey));
        }
        let binding = newest(&subkey.signatures, now, |s| {
            s.typ() == Some(SignatureType::SubkeyBinding) && s.verify_subkey_binding(primary, &subkey.key).is_ok()
        })
        .ok_or(Reason::Unbound)?;
        let back = binding
            .embedded_signature()
            .filter(|back| usable(back, now).is_ok() && back.verify_primary_key_binding(&subkey.key, primary).is_ok());
        if !binding.key_flags().sign() {
            return Err(Reason::NotForSigning(Part::Subkey));
        }
        if back.is_none() {
            return Err(Reason::Unconfirmed);
        }
        strong(&subkey.key)?;
        alive(Part::Subkey, &subkey.key, lifetime(binding), created, now)
    }
}

/// What a certificate's own signatures say of its primary key.
struct PrimaryState {
    /// Seconds from the key's creation; `None` for ever.
    lifetime: Option<u32>,
    signs: bool,
}

/// The newest valid self-signature over a user ID and the newest over the key itself both have their say: the shorter
/// lifetime holds, and neither may deny signing.
fn primary_state(cert: &SignedPublicKey, now: Timestamp) -> Result<PrimaryState, Reason> {
    let key = &cert.primary_key;
    if key.version() != KeyVersion::V4 {
        return Err(Reason::KeyVersion);
    }
    // A revocation counts however old its hash: believing a forged one is the safe mistake.
    if cert.details.revocation_signatures.iter().any(|s| s.verify_key(key).is_ok()) {
        return Err(Reason::Revoked(Part::Primary));
    }
    if !cert.details.revocation_signatures.is_empty() {
        // By a designated revoker whose key is not at hand, or damaged: it cannot be told, so it counts.
        return Err(Reason::RevocationUnchecked);
    }
    let direct = newest(&cert.details.direct_signatures, now, |s| {
        s.typ() == Some(SignatureType::Key) && s.verify_key(key).is_ok()
    });
    let user = cert
        .details
        .users
        .iter()
        .filter_map(|user| {
            let own = |s: &Signature| s.verify_certification(key, Tag::UserId, &user.id).is_ok();
            newest(&user.signatures, now, own).filter(|s| s.typ() != Some(SignatureType::CertRevocation))
        })
        .max_by_key(|s| s.created());
    let own: Vec<_> = direct.into_iter().chain(user).collect();
    if own.is_empty() {
        return Err(Reason::NoSelfSignature);
    }
    Ok(PrimaryState {
        lifetime: own.iter().filter_map(|s| lifetime(s)).min(),
        signs: own.iter().all(|s| !has_flags(s) || s.key_flags().sign()),
    })
}

/// The newest usable signature that `fits`; of two equally old ones the later in the file.
fn newest(signatures: &[Signature], now: Timestamp, fits: impl Fn(&Signature) -> bool) -> Option<&Signature> {
    signatures.iter().filter(|s| usable(s, now).is_ok() && fits(s)).max_by_key(|s| s.created())
}

/// What every signature must fulfil, whatever it is over; its creation time, seconds since 1970.
fn usable(signature: &Signature, now: Timestamp) -> Result<i64, Reason> {
    let config = signature.config().ok_or(Reason::SignatureVersion)?;
    // Version 6 (RFC 9580) is sound, but gpgv does not know it.
    if config.version() != SignatureVersion::V4 {
        return Err(Reason::SignatureVersion);
    }
    use HashAlgorithm as H;
    if !matches!(config.hash_alg, H::Sha256 | H::Sha384 | H::Sha512 | H::Sha3_256 | H::Sha3_512) {
        return Err(Reason::WeakHash(config.hash_alg));
    }
    let mut parts = config.hashed_subpackets().chain(config.unhashed_subpackets());
    if parts.any(|packet| packet.is_critical && !is_understood(&packet.data)) {
        return Err(Reason::Critical);
    }
    let created = i64::from(config.created().ok_or(Reason::Undated)?.as_secs());
    if created > now.as_second() {
        return Err(Reason::Future(from_unix(created)));
    }
    // Of several the shortest; 0 means never.
    let lasts = shortest(signature, |data| match data {
        SubpacketData::SignatureExpirationTime(time) => Some(time.as_secs()),
        _ => None,
    });
    match lasts.map(|seconds| created + i64::from(seconds)) {
        Some(end) if end <= now.as_second() => Err(Reason::Expired(from_unix(end))),
        _ => Ok(created),
    }
}

/// Parts that are heeded here, or that have no say on whether a signature over a document holds. Those that gpgv stumbles
/// over where they are critical are not among them.
fn is_understood(data: &SubpacketData) -> bool {
    use SubpacketData as S;
    matches!(
        data,
        S::SignatureCreationTime(_)
            | S::SignatureExpirationTime(_)
            | S::KeyExpirationTime(_)
            | S::IssuerKeyId(_)
            | S::IssuerFingerprint(_)
            | S::KeyFlags(_)
            | S::EmbeddedSignature(_)
            | S::IsPrimary(_)
            | S::Features(_)
            | S::RevocationReason(..)
    )
}

/// Whether `key` existed at `created` and has not expired since.
fn alive(part: Part, key: &impl KeyDetails, lifetime: Option<u32>, created: i64, now: Timestamp) -> Result<(), Reason> {
    let born = i64::from(key.created_at().as_secs());
    if created < born {
        return Err(Reason::KeyYounger(part));
    }
    match lifetime.map(|seconds| born + i64::from(seconds)) {
        Some(end) if end <= now.as_second() || end <= created => Err(Reason::KeyExpired(part, from_unix(end))),
        _ => Ok(()),
    }
}

/// Key strength: RSA from 2048 bits on, and elliptic curves; what apt 2.9 and later accept.
fn strong(key: &impl KeyDetails) -> Result<(), Reason> {
    use PublicKeyAlgorithm as A;
    let ok = match key.algorithm() {
        // Two length octets before the modulus (RFC 9580, 3.2), then the exponent.
        A::RSA | A::RSASign => {
            matches!(key.public_params(), PublicParams::RSA(params) if params.write_len() >= 2 + 256 + 3)
        }
        A::EdDSALegacy | A::Ed25519 | A::Ed448 | A::ECDSA => true,
        _ => false,
    };
    if ok { Ok(()) } else { Err(Reason::WeakKey) }
}

/// Seconds that the key lives for; 0 means for ever (RFC 9580, 5.2.3.13).
fn lifetime(signature: &Signature) -> Option<u32> {
    shortest(signature, |data| match data {
        SubpacketData::KeyExpirationTime(time) => Some(time.as_secs()),
        _ => None,
    })
}

/// The shortest time, not 0, that signed parts of this kind name.
fn shortest(signature: &Signature, time: impl Fn(&SubpacketData) -> Option<u32>) -> Option<u32> {
    let parts = signature.config()?.hashed_subpackets();
    parts.filter_map(|packet| time(&packet.data)).filter(|&seconds| seconds != 0).min()
}

fn has_flags(signature: &Signature) -> bool {
    let flags = |data: &SubpacketData| matches!(data, SubpacketData::KeyFlags(_));
    signature.config().is_some_and(|config| config.hashed_subpackets().any(|packet| flags(&packet.data)))
}

/// Whether the signature says that `key` made it. Without any such word nothing matches: gpgv needs it too.
fn named(signature: &Signature, key: &dyn KeyDetails) -> bool {
    // A fingerprint is believed before an ID, which is short, and mostly in the part that nobody signed.
    match &*signature.issuer_fingerprint() {
        [] => signature.issuer_key_id().contains(&&key.legacy_key_id()),
        named => named.contains(&&key.fingerprint()),
    }
}

fn issuer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return format!("{fingerprint:X}");
    }
    signature
        .issuer_key_id()
        .first()
        .map_or_else(|| "an unnamed key".into(), |id| format!("key {}", id.to_string().to_uppercase()))
}

/// A key's fingerprint, upper-case hexadecimal.
pub(super) fn hex(key: &dyn KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

fn from_unix(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
