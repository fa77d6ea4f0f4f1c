#![expect(clippy::unwrap_used, reason = "tests")]

use std::{path::Path, process::Command};

use pgp::packet::SignatureType::{Binary, Text};

use super::*;
use crate::archive::testing::signing::{KeySpec, KeyType, SubkeySpec, TestKey, armour, canonical, frame};

const RELEASE: &str =
    "Suite: x\nDescription: dashes - and blanks \t\n- a line\n-----BEGIN PGP SIGNATURE-----\nFrom me\n\nend\n";

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn ring(keys: &[&TestKey]) -> Keyring {
    Keyring::parse(&keys.iter().flat_map(|key| key.binary()).collect::<Vec<_>>(), Path::new("test")).unwrap()
}

fn inline(message: &str, keys: &[&TestKey]) -> Result<Verified, SignatureError> {
    verify_inline(message.as_bytes(), &ring(keys), Timestamp::from_second(now()).unwrap())
}

/// Whether gpgv takes it; `None` where there is no gpgv.
fn gpgv(files: &[&[u8]], keys: &[&TestKey]) -> Option<bool> {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring");
    std::fs::write(&ring, keys.iter().flat_map(|key| key.binary()).collect::<Vec<_>>()).unwrap();
    let mut command = Command::new("gpgv");
    command.env("GNUPGHOME", dir.path()).arg("--keyring").arg(ring);
    for (i, bytes) in files.iter().enumerate() {
        let file = dir.path().join(i.to_string());
        std::fs::write(&file, bytes).unwrap();
        command.arg(file);
    }
    match command.output() {
        Ok(output) => Some(output.status.success()),
        Err(_) => {
            eprintln!("skipped the comparison: gpgv is not on this machine");
            None
        }
    }
}

/// Verifies here and with gpgv, and holds that nothing passes here that gpgv refuses.
fn compared(name: &str, message: &str, keys: &[&TestKey]) -> Result<Verified, SignatureError> {
    let ours = inline(message, keys);
    if let Some(theirs) = gpgv(&[message.as_bytes()], keys) {
        assert!(theirs || ours.is_err(), "{name}: gpgv refuses what was accepted here");
    }
    ours
}

fn with_subkey(subkey: SubkeySpec) -> TestKey {
    TestKey::generate(&KeySpec { subkey: Some(subkey), ..TestKey::spec(now()) })
}

/// An RSA key: the only kind that rPGP makes signatures with weak hashes for.
fn rsa(bits: u32) -> TestKey {
    TestKey::generate(&KeySpec { key: KeyType::Rsa(bits), ..TestKey::spec(now()) })
}

#[test]
fn accepts_a_good_signature_and_gives_exactly_the_signed_text() {
    let time = now();
    let key = TestKey::good(time);
    let message = key.clearsign(RELEASE, time - 60);
    let got = compared("good", &message, &[&key]).unwrap();
    assert_eq!(String::from_utf8(got.text).unwrap(), RELEASE.replace(" \t\n", "\n"));
    assert_eq!((got.certificate.as_str(), got.signer.as_str()), (hex(&key.cert).as_str(), hex(&key.cert).as_str()));
    assert_eq!(got.signed_at.as_second(), time - 60);
    assert!(gpgv(&[message.as_bytes()], &[&key]).unwrap_or(true));
    // As sent with CR LF, with blanks around, and with more blanks at the ends of lines: the same text.
    for other in
        [message.replace('\n', "\r\n"), format!("\n \n{message}\n\n"), message.replace("From me\n", "From me \t \n")]
    {
        assert!(compared("whitespace", &other, &[&key]).is_ok(), "{other}");
    }
    // By a subkey.
    let key = with_subkey(SubkeySpec::default());
    let got = compared("subkey", &key.clearsign(RELEASE, now()), &[&key]).unwrap();
    assert_ne!(got.certificate, got.signer);
    // Go's clearsign makes binary signatures over the canonical text.
    let binary = key.sign(&canonical(RELEASE), Binary, HashAlgorithm::Sha512, now(), None);
    assert!(compared("binary", &frame(RELEASE, "SHA512", vec![binary]), &[&key]).is_ok());
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let (a, b, stranger) = (rsa(2048), TestKey::good(now()), TestKey::good(now()));
    let sign = |key: &TestKey, hash| key.sign(&canonical(RELEASE), Text, hash, now(), None);
    let all =
        vec![sign(&stranger, HashAlgorithm::Sha256), sign(&a, HashAlgorithm::Sha1), sign(&b, HashAlgorithm::Sha512)];
    let message = frame(RELEASE, "SHA1, SHA256, SHA512", all);
    let got = inline(&message, &[&a, &b]).unwrap();
    assert_eq!(got.certificate, hex(&b.cert));
    let error = inline(&message, &[&a]).unwrap_err().to_string();
    for part in [hex(&a.cert), hex(&b.cert), hex(&stranger.cert), "SHA1".into(), "not trusted".into()] {
        assert!(error.contains(&part), "{part} in {error}");
    }
}

#[test]
fn refuses_everything_else() {
    let time = now();
    let good = rsa(2048);
    assert!(compared("rsa", &good.clearsign(RELEASE, time), &[&good]).is_ok());
    let message = good.clearsign(RELEASE, time);
    let signed = |hash: HashAlgorithm, header: &str, typ, created: i64, lifetime| {
        frame(RELEASE, header, vec![good.sign(&canonical(RELEASE), typ, hash, created, lifetime)])
    };
    let sha256 = HashAlgorithm::Sha256;
    let cases: Vec<(&str, String, &str)> = vec![
        ("tampered", message.replace("Suite: x", "Suite: y"), "altered"),
        ("line added", message.replace("end\n", "end\nx\n"), "altered"),
        ("before", format!("Suite: y\n\n{message}"), "BEGIN PGP SIGNED MESSAGE"),
        ("after", format!("{message}Suite: y\n"), "nobody signed"),
        ("twice", format!("{message}{message}"), "nobody signed"),
        ("nothing signed", frame(RELEASE, "SHA256", vec![]), "signed by: nobody"),
        ("sha1", signed(HashAlgorithm::Sha1, "SHA1", Text, time, None), "SHA1"),
        ("md5", signed(HashAlgorithm::Md5, "MD5", Text, time, None), "MD5"),
        ("ripemd", signed(HashAlgorithm::Ripemd160, "RIPEMD160", Text, time, None), "RIPEMD160"),
        ("header lies", signed(HashAlgorithm::Sha512, "SHA256", Text, time, None), "header does not name"),
        ("no header", signed(sha256, "SHA256", Text, time, None).replace("Hash: SHA256\n", ""), "header does not name"),
        ("signature expired", signed(sha256, "SHA256", Text, time - 100, Some(50)), "signature expired"),
        ("future", signed(sha256, "SHA256", Text, time + 1000, None), "future"),
        ("before the key", signed(sha256, "SHA256", Text, time - 90_000, None), "younger than the signature"),
    ];
    for (name, message, why) in cases {
        let error = compared(name, &message, &[&good]).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[test]
fn keys_that_do_not_count() {
    let time = now();
    let base = TestKey::spec(time);
    let sub = |subkey| KeySpec { subkey: Some(subkey), ..base.clone() };
    let default = SubkeySpec::default();
    let weak = |spec| KeySpec { key: KeyType::Rsa(2048), ..spec };
    let cases: Vec<(&str, KeySpec, &str)> = vec![
        ("expired", KeySpec { lifetime: Some(3600), ..base.clone() }, "the key expired"),
        ("revoked", KeySpec { revoked: true, ..base.clone() }, "the key is revoked"),
        (
            "sha1 self-signature",
            weak(KeySpec { hash: HashAlgorithm::Sha1, ..base.clone() }),
            "no valid signature of its own",
        ),
        ("certifies only", KeySpec { signs: false, ..base.clone() }, "not meant for signing"),
        ("subkey expired", sub(SubkeySpec { lifetime: Some(3600), ..default.clone() }), "the subkey expired"),
        ("subkey revoked", sub(SubkeySpec { revoked: true, ..default.clone() }), "the subkey is revoked"),
        ("subkey without flag", sub(SubkeySpec { signs: false, ..default.clone() }), "not meant for signing"),
        ("no back-signature", sub(SubkeySpec { back_signature: false, ..default.clone() }), "does not confirm"),
        ("sha1 binding", weak(sub(SubkeySpec { hash: HashAlgorithm::Sha1, ..default.clone() })), "not bound"),
        ("primary expired, subkey not", KeySpec { lifetime: Some(3600), ..sub(default.clone()) }, "the key expired"),
        ("primary revoked, subkey not", KeySpec { revoked: true, ..sub(default) }, "the key is revoked"),
    ];
    for (name, spec, why) in cases {
        let key = TestKey::generate(&spec);
        // Made an hour and a half ago: after the one-hour lifetimes, and within the key's day.
        for created in [time - 86_400 + 60, time - 60] {
            let error = compared(name, &key.clearsign(RELEASE, created), &[&key]).unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
        let other = TestKey::good(time);
        let error = inline(&key.clearsign(RELEASE, time), &[&other]).unwrap_err().to_string();
        assert!(error.contains("not trusted"), "{error}");
    }
    // Still alive, a lifetime does no harm.
    let key = TestKey::generate(&KeySpec {
        lifetime: Some(90_000),
        ..sub(SubkeySpec { lifetime: Some(90_000), ..Default::default() })
    });
    assert!(compared("alive", &key.clearsign(RELEASE, time), &[&key]).is_ok());
}

#[test]
fn a_subkey_of_another_certificate_is_a_stranger() {
    let (mut mine, theirs) = (with_subkey(SubkeySpec::default()), with_subkey(SubkeySpec::default()));
    let message = theirs.clearsign(RELEASE, now());
    mine.cert.public_subkeys.extend(theirs.cert.public_subkeys.clone());
    let error = compared("adopted", &message, &[&mine]).unwrap_err().to_string();
    assert!(error.contains("not bound"), "{error}");
}

/// Made with gpg 2.2, which takes it.
#[test]
fn rsa_of_1024_bits_is_too_weak() {
    let keys = Keyring::parse(include_bytes!("testdata/rsa1024.asc"), Path::new("test")).unwrap();
    let message = include_bytes!("testdata/rsa1024.InRelease");
    let soon_after = Timestamp::from_second(1_795_500_000).unwrap();
    let error = verify_inline(message, &keys, soon_after).unwrap_err().to_string();
    assert!(error.contains("too weak"), "{error}");
}

#[test]
fn detached_signatures() {
    let key = TestKey::good(now());
    let time = Timestamp::from_second(now() + 60).unwrap();
    let keys = ring(&[&key, &rsa(2048)]);
    let text = RELEASE.as_bytes();
    let armoured = key.detached(text, now());
    let signature = key.sign(text, Binary, HashAlgorithm::Sha256, now(), None);
    let mut binary = Vec::new();
    pgp::packet::PacketTrait::to_writer_with_header(&signature, &mut binary).unwrap();
    for good in [armoured.as_bytes(), &binary] {
        assert_eq!(verify_detached(text, good, &keys, time).unwrap().text, text);
        assert!(gpgv(&[good, text], &[&key]).unwrap_or(true));
        let tampered = RELEASE.replace("Suite: x", "Suite: y");
        assert!(verify_detached(tampered.as_bytes(), good, &keys, time).is_err());
    }
    let old = rsa(2048);
    let sha1 = armour(vec![old.sign(text, Binary, HashAlgorithm::Sha1, now(), None)]);
    for bad in [sha1.as_bytes(), b"", b"-----", b"\xff\xff\xff", &binary[..binary.len() - 1], RELEASE.as_bytes()] {
        assert!(verify_detached(text, bad, &keys, time).is_err());
    }
}

#[test]
fn damaged_signatures_are_errors_and_never_panics() {
    let key = with_subkey(SubkeySpec::default());
    let keys = ring(&[&key]);
    let time = Timestamp::from_second(now() + 60).unwrap();
    let signature = key.sign(RELEASE.as_bytes(), Binary, HashAlgorithm::Sha256, now(), None);
    let mut good = Vec::new();
    pgp::packet::PacketTrait::to_writer_with_header(&signature, &mut good).unwrap();
    let spans = 2..37; // Packet length to the end of the hashed area.
    for i in 0..good.len() {
        for flip in [1_u8, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[i] ^= flip;
            // Behind the hashed area some bits carry no meaning: the key id as a hint, the bit counts of numbers.
            if let Ok(got) = verify_detached(RELEASE.as_bytes(), &bad, &keys, time) {
                assert!(!spans.contains(&i) && got.text == RELEASE.as_bytes(), "byte {i} ^ {flip:#x}");
            }
        }
        assert!(verify_detached(RELEASE.as_bytes(), &good[..i], &keys, time).is_err());
    }
    let cert = key.binary();
    for i in 0..cert.len() {
        let mut bad = cert.clone();
        bad[i] ^= 0xff;
        if let Ok(keys) = Keyring::parse(&bad, Path::new("test")) {
            let _ = verify_detached(RELEASE.as_bytes(), &good, &keys, time);
        }
    }
}
