//! Why one signature does not count, as values: each is a reason of its own, which has a code of its own.

use std::fmt;

use jiff::Timestamp;
use pgp::crypto::hash::HashAlgorithm;

use crate::base::refusal::{self, Refusal, Refuses};

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Who it says made it: a fingerprint, or a key's ID.
    pub by: String,
    /// Why it does not count.
    pub why: Reason,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.by, self.why)
    }
}

/// Which key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The primary key.
    Primary,
    /// A subkey.
    Subkey,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "the key",
            Self::Subkey => "the subkey",
        })
    }
}

/// Why a signature does not count. In the order of how much it tells: of several signatures the last reason here is the
/// one to speak of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// By a key that nobody trusts.
    #[error("the key is not trusted")]
    UnknownKey,
    /// Over something else, such as a key.
    #[error("not a signature over a document")]
    NotADocument,
    /// Not of version 4.
    #[error("the signature is not of version 4, which gpgv and apt read")]
    SignatureVersion,
    /// It has no date in its signed part.
    #[error("it has no date")]
    Undated,
    /// Something critical that is not understood.
    #[error("it has a critical part that is not understood")]
    Critical,
    /// The hash is not among those that the message names.
    #[error("made with {0}, which the “Hash:” header does not name")]
    HashNotNamed(HashAlgorithm),
    /// MD5, SHA-1 and the like.
    #[error("made with {0}, which can be forged")]
    WeakHash(HashAlgorithm),
    /// The key's packet is of another version.
    #[error("the key is not of version 4, which gpgv and apt read")]
    KeyVersion,
    /// The certificate's own signatures are missing, or made with a broken hash.
    #[error("the key has no valid signature of its own (or only one with a broken hash)")]
    NoSelfSignature,
    /// The certificate does not vouch for the subkey.
    #[error("the subkey is not bound to its primary key by a valid signature")]
    Unbound,
    /// The subkey does not vouch for the certificate.
    #[error("the subkey does not confirm its primary key")]
    Unconfirmed,
    /// By its flags.
    #[error("{0} is not meant for signing data")]
    NotForSigning(Part),
    /// Too few bits, or DSA.
    #[error("the key is too weak (RSA under 2048 bits, or DSA)")]
    WeakKey,
    /// The key was made after the signature.
    #[error("{0} is younger than the signature")]
    KeyYounger(Part),
    /// Made after now.
    #[error("made in the future ({0}); is this machine's clock right?")]
    Future(Timestamp),
    /// Its own lifetime is over.
    #[error("the signature expired on {0}")]
    Expired(Timestamp),
    /// The key's lifetime is over.
    #[error("{0} expired on {1}")]
    KeyExpired(Part, Timestamp),
    /// A revocation that nobody here can check.
    #[error("the key carries a revocation that cannot be checked")]
    RevocationUnchecked,
    /// Revoked.
    #[error("{0} is revoked")]
    Revoked(Part),
    /// By a trusted key, over other bytes.
    #[error("the text or the signature was altered")]
    Altered,
}

impl Reason {
    /// How much it tells.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::UnknownKey => 0,
            Self::NotADocument => 1,
            Self::SignatureVersion | Self::Undated | Self::Critical | Self::HashNotNamed(_) => 2,
            Self::WeakHash(_) => 3,
            Self::KeyVersion | Self::NoSelfSignature | Self::Unbound | Self::Unconfirmed => 4,
            Self::NotForSigning(_) | Self::WeakKey | Self::KeyYounger(_) | Self::Future(_) => 5,
            Self::Expired(_) | Self::KeyExpired(..) => 6,
            Self::RevocationUnchecked | Self::Revoked(_) => 7,
            Self::Altered => 8,
        }
    }
}

impl Refuses for Reason {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::UnknownKey => refusal::KEY_NOT_TRUSTED,
            Self::NotADocument => refusal::SIGNATURE_OF_SOMETHING_ELSE,
            Self::SignatureVersion => refusal::SIGNATURE_VERSION,
            Self::Undated => refusal::SIGNATURE_UNDATED,
            Self::Critical => refusal::SIGNATURE_CRITICAL_PART,
            Self::HashNotNamed(_) => refusal::HASH_NOT_NAMED,
            Self::WeakHash(_) => refusal::WEAK_HASH,
            Self::KeyVersion => refusal::KEY_VERSION,
            Self::NoSelfSignature => refusal::KEY_NOT_SELF_SIGNED,
            Self::Unbound => refusal::SUBKEY_NOT_BOUND,
            Self::Unconfirmed => refusal::SUBKEY_NOT_CONFIRMED,
            Self::NotForSigning(_) => refusal::KEY_NOT_FOR_SIGNING,
            Self::WeakKey => refusal::WEAK_KEY,
            Self::KeyYounger(_) => refusal::KEY_YOUNGER,
            Self::Future(_) => refusal::SIGNATURE_IN_FUTURE,
            Self::Expired(_) => refusal::SIGNATURE_EXPIRED,
            Self::KeyExpired(..) => refusal::KEY_EXPIRED,
            Self::RevocationUnchecked => refusal::KEY_REVOCATION_UNCHECKED,
            Self::Revoked(_) => refusal::KEY_REVOKED,
            Self::Altered => refusal::SIGNED_TEXT_ALTERED,
        }
    }
}
