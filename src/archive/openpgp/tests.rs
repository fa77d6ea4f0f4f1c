#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use pgp::{
    packet::{
        Notation, SignatureConfig,
        SignatureType::{Binary, Text},
        Subpacket,
    },
    types::Password,
};

use super::*;
use crate::archive::testing::signing::{
    self, KeySpec, KeyType, SubkeySpec, TestKey, armour, canonical, config, frame, part,
};

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
    signing::gpgv(files, keys).map(|verdict| verdict.all)
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
    assert!(signing::gpgv(&[message.as_bytes()], &[&a, &b]).is_none_or(|verdict| verdict.one && !verdict.all));
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

/// What a signature says of itself, in the part that it covers and in the part that anybody may change.
#[test]
fn parts_of_a_signature() {
    // Made some time ago: an expiry of a second has passed.
    let time = now() - 100;
    let (key, other) = (rsa(2048), TestKey::good(time));
    let seconds = |n| part(SubpacketData::SignatureExpirationTime(pgp::types::Duration::from_secs(n)));
    let critical = |data| Subpacket::critical(data).unwrap();
    let notation =
        |readable| SubpacketData::Notation(Notation { readable, name: "x@example.com".into(), value: "y".into() });
    type Change<'a> = Box<dyn Fn(&mut SignatureConfig) + 'a>;
    let cases: Vec<(&str, Change<'_>, Option<&str>)> = vec![
        ("as it is", Box::new(|_| {}), None),
        ("an expiry that nobody signed", Box::new(|c| c.unhashed_subpackets.push(seconds(1))), None),
        ("an expiry of zero: never", Box::new(|c| c.hashed_subpackets.push(seconds(0))), None),
        ("two expiries", Box::new(|c| c.hashed_subpackets.extend([seconds(0), seconds(1)])), Some("expired")),
        (
            "a date that nobody signed",
            Box::new(|c| {
                let date = c.hashed_subpackets.remove(0);
                c.unhashed_subpackets.push(date);
            }),
            Some("no date"),
        ),
        (
            "no issuer",
            Box::new(|c| {
                c.hashed_subpackets.truncate(1);
                c.unhashed_subpackets.clear();
            }),
            Some("not trusted"),
        ),
        ("issuer by fingerprint alone", Box::new(|c| c.unhashed_subpackets.clear()), None),
        ("issuer by ID alone, which nobody signed", Box::new(|c| c.hashed_subpackets.truncate(1)), None),
        (
            "issuer of another's",
            Box::new(|c| {
                c.hashed_subpackets.truncate(1);
                c.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(other.cert.primary_key.legacy_key_id()))];
            }),
            Some("altered"),
        ),
        (
            "two issuers that differ",
            Box::new(|c| {
                c.hashed_subpackets[1] = part(SubpacketData::IssuerFingerprint(other.cert.primary_key.fingerprint()));
            }),
            Some("altered"),
        ),
        ("a notation", Box::new(|c| c.hashed_subpackets.push(part(notation(true)))), None),
        ("a critical notation", Box::new(|c| c.hashed_subpackets.push(critical(notation(false)))), Some("critical")),
        (
            "a critical notation that nobody signed",
            Box::new(|c| c.unhashed_subpackets.push(critical(notation(false)))),
            Some("critical"),
        ),
        (
            "an unknown part",
            Box::new(|c| c.hashed_subpackets.push(part(SubpacketData::Experimental(101, "x".into())))),
            None,
        ),
        (
            "a critical unknown part",
            Box::new(|c| c.hashed_subpackets.push(critical(SubpacketData::Experimental(101, "x".into())))),
            Some("critical"),
        ),
        (
            "a critical part of no meaning here",
            Box::new(|c| c.hashed_subpackets.push(critical(SubpacketData::SignersUserID("x".into())))),
            Some("critical"),
        ),
        ("standalone", Box::new(|c| c.typ = SignatureType::Standalone), Some("not a signature over a document")),
        ("over a key", Box::new(|c| c.typ = SignatureType::CertGeneric), Some("not a signature over a document")),
        (
            "version 3",
            Box::new(|c| {
                let (created, issuer_key_id) = (c.created().unwrap(), key.cert.primary_key.legacy_key_id());
                *c = SignatureConfig::v3(c.typ, c.pub_alg, c.hash_alg, created, issuer_key_id);
            }),
            Some("not of version 4"),
        ),
    ];
    for (name, change, why) in cases {
        let signature = match try_sign(&key, &canonical(RELEASE), time, &*change) {
            Ok(signature) => signature,
            Err(error) => {
                eprintln!("skipped: {name}: rPGP makes none: {error}");
                continue;
            }
        };
        let got = compared(name, &frame(RELEASE, "SHA256", vec![signature]), &[&key, &other]);
        match (got, why) {
            (Ok(_), None) => {}
            (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{name}: {error}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
}

/// A signature over text, whose making may fail.
fn try_sign(
    key: &TestKey,
    data: &[u8],
    time: i64,
    change: &dyn Fn(&mut SignatureConfig),
) -> pgp::errors::Result<Signature> {
    let mut config = config(&key.primary, Text, HashAlgorithm::Sha256, u32::try_from(time).unwrap());
    change(&mut config);
    config.sign(&key.primary, &Password::empty(), data)
}

/// The frame: what stands around and between, how lines end, how dashes are escaped. Each is held against gpgv.
#[test]
fn frames_in_every_shape() {
    let time = now();
    let key = TestKey::good(time);
    let sign = |text: &str| key.clearsign(text, time);
    let plain = sign("Suite: x\nCodename: y\n");
    let dashes = sign("- a\n-----BEGIN PGP SIGNATURE-----\n-b\n");
    let crc = plain.lines().find(|line| line.starts_with('=')).unwrap().to_owned();
    let second = sign("Suite: z\n");
    let cases: Vec<(&str, String, Result<&str, &str>)> = vec![
        ("as it is", plain.clone(), Ok("Suite: x\nCodename: y\n")),
        ("dashes", dashes.clone(), Ok("- a\n-----BEGIN PGP SIGNATURE-----\n-b\n")),
        ("dashes unescaped", dashes.replace("- -b", "-b"), Err("unescaped")),
        (
            "every line escaped",
            plain.replace("Suite", "- Suite").replace("Codename", "- Codename"),
            Ok("Suite: x\nCodename: y\n"),
        ),
        ("escaped twice", plain.replace("Suite", "- - Suite"), Err("altered")),
        ("CR LF everywhere", plain.replace('\n', "\r\n"), Ok("Suite: x\nCodename: y\n")),
        ("CR LF in one line", plain.replace("Suite: x\n", "Suite: x\r\n"), Ok("Suite: x\nCodename: y\n")),
        ("bare CR for a line's end", plain.replace("Suite: x\n", "Suite: x\r"), Err("carriage return")),
        ("CR before CR LF", plain.replace("Suite: x\n", "Suite: x\r\r\n"), Err("carriage return")),
        ("NUL", plain.replace("Suite: x", "Suite: \0x"), Err("NUL")),
        ("form feed", plain.replace("Suite: x", "Suite: x\x0c"), Err("altered")),
        ("blanks and tabs at ends", plain.replace("Suite: x\n", "Suite: x \t \n"), Ok("Suite: x\nCodename: y\n")),
        ("a blank line more", plain.replace("Suite: x\n", "Suite: x\n\n"), Err("altered")),
        ("a blank line at the end", plain.replace("Codename: y\n", "Codename: y\n\n"), Err("altered")),
        ("no line feed at the very end", plain.trim_end().to_owned(), Ok("Suite: x\nCodename: y\n")),
        ("no line feed before the signature", plain.replace("y\n-----BEGIN", "y-----BEGIN"), Err("unescaped")),
        ("cut in the signature", plain[..plain.len() - 40].to_owned(), Err("ends before")),
        ("no empty line after the header", plain.replace("SHA256\n\n", "SHA256\n"), Err("Hash:")),
        ("a header more", plain.replace("Hash: SHA256\n", "Hash: SHA256\nCharset: UTF-8\n"), Err("only “Hash:”")),
        (
            "text smuggled in as a header",
            plain.replace("Hash: SHA256\n", "Hash: SHA256\nSuite: z\n"),
            Err("only “Hash:”"),
        ),
        ("text before", format!("Suite: z\n\n{plain}"), Err("does not start with")),
        ("text after", format!("{plain}\nSuite: z\n"), Err("nobody signed")),
        ("two messages", format!("{plain}{second}"), Err("nobody signed")),
        ("text between two messages", format!("{plain}Suite: w\n{second}"), Err("nobody signed")),
        ("a message in a message", plain.replace("Suite: x\n", &format!("{second}Suite: x\n")), Err("unescaped")),
        ("a byte order mark", format!("\u{feff}{plain}"), Err("does not start with")),
        (
            "a comment in the armour",
            plain.replace("SIGNATURE-----\n\n", "SIGNATURE-----\nComment: x\n\n"),
            Ok("Suite: x\nCodename: y\n"),
        ),
        (
            "a Hash header in the armour",
            plain.replace("Hash: SHA256\n", "").replace("SIGNATURE-----\n\n", "SIGNATURE-----\nHash: SHA256\n\n"),
            Err("header does not name"),
        ),
        ("a wrong checksum", plain.replace(&crc, "=AAAA"), Err("cannot be read")),
        ("no checksum", plain.replace(&format!("{crc}\n"), ""), Ok("Suite: x\nCodename: y\n")),
        ("a key for a signature", plain.replace("PGP SIGNATURE", "PGP PUBLIC KEY BLOCK"), Err("unescaped")),
    ];
    for (name, message, wanted) in cases {
        match (compared(name, &message, &[&key]), wanted) {
            (Ok(got), Ok(text)) => assert_eq!(String::from_utf8(got.text).unwrap(), text, "{name}"),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{name}: {error}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
}

/// Certificates from which something was taken, or that are of another time.
#[test]
fn certificates_that_say_too_little() {
    let key = with_subkey(SubkeySpec::default());
    let message = key.clearsign(RELEASE, now());
    type Strip = fn(&mut TestKey);
    let cases: [(&str, Strip, Option<&str>); 5] = [
        ("all there", |_| {}, None),
        ("self-signatures", |k| k.cert.details.users[0].signatures.clear(), Some("no valid signature of its own")),
        ("user IDs", |k| k.cert.details.users.clear(), Some("no valid signature of its own")),
        ("the subkey's binding", |k| k.cert.public_subkeys[0].signatures.clear(), Some("")),
        ("the subkey", |k| k.cert.public_subkeys.clear(), Some("not trusted")),
    ];
    for (name, strip, why) in cases {
        let mut key = key.clone();
        strip(&mut key);
        match (compared(name, &message, &[&key]), why) {
            (Ok(_), None) => {}
            (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{name}: {error}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
    // A signature of another certificate's user ID does not stand for one's own.
    let mut borrowed = key.clone();
    borrowed.cert.details.users = TestKey::good(now()).cert.details.users;
    assert!(compared("borrowed", &message, &[&borrowed]).is_err());
    // A public key of version 3: MD5 makes its ID, which anybody can give to a key of his own.
    let mut old = vec![0x99, 0x01, 0x0d + 2, 3, 0x60, 0, 0, 0, 0, 0, 1, 0x08, 0];
    old.extend([0xc1; 256]);
    old.extend([0, 2, 3]);
    let keys = Keyring::parse(&old, Path::new("test"));
    let time = Timestamp::from_second(now()).unwrap();
    assert!(keys.is_err() || verify_inline(message.as_bytes(), &keys.unwrap(), time).is_err());
}

/// A reason is a value, and of several the one that tells most is spoken of.
#[test]
fn the_reason_that_tells_most() {
    let (a, stranger) = (rsa(2048), TestKey::good(now()));
    let sign = |key: &TestKey, hash| key.sign(&canonical(RELEASE), Text, hash, now(), None);
    let both = vec![sign(&stranger, HashAlgorithm::Sha256), sign(&a, HashAlgorithm::Sha1)];
    let error = inline(&frame(RELEASE, "SHA1, SHA256", both), &[&a]).unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::WeakHash(HashAlgorithm::Sha1)));
    let error = inline(&stranger.clearsign(RELEASE, now()), &[&a]).unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::UnknownKey));
    let error = inline(&a.clearsign(RELEASE, now()).replace("Suite: x", "Suite: y"), &[&a]).unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::Altered));
    assert_eq!(inline("", &[&a]).unwrap_err().reason(), None);
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
