//! OpenPGP keys and signatures for tests, good ones and bad ones, made with rPGP. Needs `pgp` and `rand` alone, so
//! unit tests include this file by path.

use pgp::{
    armor::{self, BlockType},
    composed::{SecretKeyParamsBuilder, SignedKeyDetails, SignedPublicKey, SignedPublicSubKey, SubkeyParamsBuilder},
    packet::{
        KeyFlags, PacketTrait, SecretKey, SecretSubkey, Signature, SignatureConfig, Subpacket, SubpacketData, UserId,
    },
    ser::Serialize,
    types::{Duration, PacketHeaderVersion, Password, SignedUser, SigningKey, Tag, Timestamp},
};
pub use pgp::{composed::KeyType, crypto::hash::HashAlgorithm, packet::SignatureType};

/// What a test key is like. `TestKey::good` has all of it right.
#[derive(Clone)]
pub struct KeySpec {
    /// Algorithm of the primary key and the subkey. Weak hashes need RSA: rPGP makes none for elliptic curves.
    pub key: KeyType,
    /// Creation of the key and its own signatures, seconds since 1970.
    pub created: u32,
    /// Seconds that the primary key lives for.
    pub lifetime: Option<u32>,
    /// Hash of its own signatures.
    pub hash: HashAlgorithm,
    /// Whether the primary key may sign data.
    pub signs: bool,
    /// The key is revoked.
    pub revoked: bool,
    /// A subkey that signs in place of the primary key.
    pub subkey: Option<SubkeySpec>,
}

/// What a subkey is like.
#[derive(Clone)]
pub struct SubkeySpec {
    /// Seconds that it lives for.
    pub lifetime: Option<u32>,
    /// Its binding has the signing flag.
    pub signs: bool,
    /// It confirms the primary key.
    pub back_signature: bool,
    /// It is revoked.
    pub revoked: bool,
    /// Hash of the binding.
    pub hash: HashAlgorithm,
}

impl Default for SubkeySpec {
    fn default() -> Self {
        Self { lifetime: None, signs: true, back_signature: true, revoked: false, hash: HashAlgorithm::Sha256 }
    }
}

/// A key that signs.
#[derive(Clone)]
pub struct TestKey {
    pub primary: SecretKey,
    pub subkey: Option<SecretSubkey>,
    /// The certificate that verifiers get.
    pub cert: SignedPublicKey,
}

pub fn part(data: SubpacketData) -> Subpacket {
    Subpacket::regular(data).unwrap()
}

/// An unsigned signature: type, hash, date and issuer.
pub fn config(key: &impl SigningKey, typ: SignatureType, hash: HashAlgorithm, created: u32) -> SignatureConfig {
    let mut config = SignatureConfig::v4(typ, key.algorithm(), hash);
    config.hashed_subpackets = vec![
        part(SubpacketData::SignatureCreationTime(Timestamp::from_secs(created))),
        part(SubpacketData::IssuerFingerprint(key.fingerprint())),
    ];
    config.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(key.legacy_key_id()))];
    config
}

fn expires(config: &mut SignatureConfig, lifetime: Option<u32>) {
    if let Some(seconds) = lifetime {
        config.hashed_subpackets.push(part(SubpacketData::KeyExpirationTime(Duration::from_secs(seconds))));
    }
}

fn flags(config: &mut SignatureConfig, signs: bool) {
    let mut flags = KeyFlags::default();
    flags.set_sign(signs);
    flags.set_certify(!signs);
    config.hashed_subpackets.push(part(SubpacketData::KeyFlags(flags)));
}

impl TestKey {
    /// A sound key, a day old at `now` (seconds since 1970).
    pub fn good(now: i64) -> Self {
        Self::generate(&Self::spec(now))
    }

    /// The description of a sound key, a day old at `now`.
    pub fn spec(now: i64) -> KeySpec {
        let created = u32::try_from(now).unwrap() - 86_400;
        let key = KeyType::Ed25519Legacy;
        KeySpec { key, created, lifetime: None, hash: HashAlgorithm::Sha256, signs: true, revoked: false, subkey: None }
    }

    /// A fresh key as described.
    pub fn generate(spec: &KeySpec) -> Self {
        let (born, password) = (Timestamp::from_secs(spec.created), Password::empty());
        let mut subkey = SubkeyParamsBuilder::default();
        subkey.key_type(spec.key.clone()).can_sign(true).created_at(born);
        let mut params = SecretKeyParamsBuilder::default();
        params.key_type(spec.key.clone()).can_certify(true).can_sign(true).created_at(born);
        params.primary_user_id("Test <test@example.com>".into());
        params.subkeys(vec![subkey.build().unwrap()]);
        let mut key = params.build().unwrap().generate(rand::thread_rng()).unwrap();
        let primary = key.primary_key;
        let public = primary.public_key().clone();

        let id = UserId::from_str(PacketHeaderVersion::New, "Test <test@example.com>").unwrap();
        let mut own = config(&primary, SignatureType::CertPositive, spec.hash, spec.created);
        flags(&mut own, spec.signs);
        expires(&mut own, spec.lifetime);
        let own = own.sign_certification(&primary, &public, &password, Tag::UserId, &id).unwrap();
        let revocations = spec.revoked.then(|| {
            let config = config(&primary, SignatureType::KeyRevocation, HashAlgorithm::Sha256, spec.created + 1);
            config.sign_key(&primary, &password, &public).unwrap()
        });
        let details = SignedKeyDetails::new(
            revocations.into_iter().collect(),
            Vec::new(),
            vec![SignedUser::new(id, vec![own])],
            Vec::new(),
        );
        let mut cert = SignedPublicKey { primary_key: public.clone(), details, public_subkeys: Vec::new() };
        let mut subkey = None;
        if let Some(sub) = &spec.subkey {
            let secret = key.secret_subkeys.remove(0).key;
            let public_sub = secret.public_key().clone();
            let mut binding = config(&primary, SignatureType::SubkeyBinding, sub.hash, spec.created);
            flags(&mut binding, sub.signs);
            expires(&mut binding, sub.lifetime);
            if sub.back_signature {
                let back = config(&secret, SignatureType::KeyBinding, HashAlgorithm::Sha256, spec.created);
                let back = back.sign_primary_key_binding(&secret, &public_sub, &password, &public).unwrap();
                binding.hashed_subpackets.push(part(SubpacketData::EmbeddedSignature(Box::new(back))));
            }
            let mut signatures = vec![binding.sign_subkey_binding(&primary, &public, &password, &public_sub).unwrap()];
            if sub.revoked {
                let revocation =
                    config(&primary, SignatureType::SubkeyRevocation, HashAlgorithm::Sha256, spec.created + 1);
                signatures.push(revocation.sign_subkey_binding(&primary, &public, &password, &public_sub).unwrap());
            }
            cert.public_subkeys = vec![SignedPublicSubKey::new(public_sub, signatures)];
            subkey = Some(secret);
        }
        Self { primary, subkey, cert }
    }

    /// The certificate, armoured: the content of a `signed-by` file.
    pub fn armoured(&self) -> String {
        self.cert.to_armored_string(Default::default()).unwrap()
    }

    /// The certificate, binary: what gpgv wants.
    pub fn binary(&self) -> Vec<u8> {
        self.cert.to_bytes().unwrap()
    }

    /// A signature over `data`, by the subkey if there is one. `lifetime` is the signature's own, in seconds.
    pub fn sign(
        &self,
        data: &[u8],
        typ: SignatureType,
        hash: HashAlgorithm,
        created: i64,
        lifetime: Option<u32>,
    ) -> Signature {
        let created = u32::try_from(created).unwrap();
        let finish = |mut config: SignatureConfig| {
            if let Some(seconds) = lifetime {
                config
                    .hashed_subpackets
                    .push(part(SubpacketData::SignatureExpirationTime(Duration::from_secs(seconds))));
            }
            config
        };
        match &self.subkey {
            Some(key) => finish(config(key, typ, hash, created)).sign(key, &Password::empty(), data).unwrap(),
            None => {
                finish(config(&self.primary, typ, hash, created)).sign(&self.primary, &Password::empty(), data).unwrap()
            }
        }
    }

    /// `text` as an `InRelease`: cleartext signed with SHA-256 at `created` (seconds since 1970).
    pub fn clearsign(&self, text: &str, created: i64) -> String {
        let signature = self.sign(&canonical(text), SignatureType::Text, HashAlgorithm::Sha256, created, None);
        frame(text, "SHA256", vec![signature])
    }

    /// An armoured `Release.gpg` for `text`.
    pub fn detached(&self, text: &[u8], created: i64) -> String {
        armour(vec![self.sign(text, SignatureType::Binary, HashAlgorithm::Sha256, created, None)])
    }
}

/// What gpgv says.
pub struct Verdict {
    /// Every signature is good.
    pub all: bool,
    /// One is, which is enough for apt.
    pub one: bool,
}

/// gpgv's verdict on a signed message, or on a detached signature and its text; `None` where there is no gpgv.
pub fn gpgv(files: &[&[u8]], keys: &[&TestKey]) -> Option<Verdict> {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring");
    std::fs::write(&ring, keys.iter().flat_map(|key| key.binary()).collect::<Vec<_>>()).unwrap();
    let mut command = std::process::Command::new("gpgv");
    command.env("GNUPGHOME", dir.path()).args(["--status-fd", "1", "--keyring"]).arg(ring);
    for (i, bytes) in files.iter().enumerate() {
        let file = dir.path().join(i.to_string());
        std::fs::write(&file, bytes).unwrap();
        command.arg(file);
    }
    match command.output() {
        Ok(output) => {
            let status = String::from_utf8_lossy(&output.stdout);
            let one = status.lines().any(|line| line.starts_with("[GNUPG:] GOODSIG "));
            Some(Verdict { all: output.status.success(), one })
        }
        Err(_) => {
            eprintln!("skipped the comparison: gpgv is not on this machine");
            None
        }
    }
}

/// What a cleartext signature is over (RFC 9580, 7.2).
pub fn canonical(text: &str) -> Vec<u8> {
    let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::trim_end).collect();
    lines.join("\r\n").into_bytes()
}

/// A cleartext signed message of `text` and these signatures.
pub fn frame(text: &str, hashes: &str, signatures: Vec<Signature>) -> String {
    let mut out = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: {hashes}\n\n");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out += if line.starts_with('-') { "- " } else { "" };
        out += line;
        out.push('\n');
    }
    out + &armour(signatures)
}

/// Signatures in armour.
pub fn armour(signatures: Vec<Signature>) -> String {
    #[derive(Debug)]
    struct Many(Vec<Signature>);
    impl Serialize for Many {
        fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
            self.0.iter().try_for_each(|signature| signature.to_writer_with_header(writer))
        }
        fn write_len(&self) -> usize {
            self.0.iter().map(PacketTrait::write_len_with_header).sum()
        }
    }
    let mut out = Vec::new();
    armor::write(&Many(signatures), BlockType::Signature, &mut out, None, true).unwrap();
    String::from_utf8(out).unwrap()
}
