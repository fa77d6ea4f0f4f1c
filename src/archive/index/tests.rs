#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fs, io::Write as _, path::PathBuf};

use super::*;
use crate::archive::{
    ErrorClass,
    release::ReleaseError,
    testing::{
        Heard, hasty,
        http::{Answer, Request, Server},
        signing::TestKey,
    },
};
use crate::{
    archive::Cold,
    control::strip::{Stripped, strip},
    store::Shelf,
};

const ARCH_TEXT: &str = "Package: a\nVersion: 1\nArchitecture: amd64\n\n";
const ALL_TEXT: &str = "Package: é\nVersion: 1\nArchitecture: all\n\n";

pub(in crate::archive) type Files = BTreeMap<String, Vec<u8>>;

pub(in crate::archive) fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(in crate::archive) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A suite `x` in the making.
pub(in crate::archive) struct Suite {
    pub(in crate::archive) key: TestKey,
    pub(in crate::archive) now: Timestamp,
    pub(in crate::archive) fields: String,
    /// Path below `dists/x`, content, whether the mirror serves it.
    pub(in crate::archive) indexes: Vec<(String, Vec<u8>, bool)>,
}

impl Suite {
    pub(in crate::archive) fn new() -> Self {
        let now = Timestamp::now();
        let fields = "Suite: x\nArchitectures: all amd64\nComponents: main\nAcquire-By-Hash: yes\n".into();
        Self { key: TestKey::good(now.as_second()), now, fields, indexes: Vec::new() }
    }

    pub(in crate::archive) fn add(mut self, path: &str, content: impl Into<Vec<u8>>, served: bool) -> Self {
        self.indexes.push((path.into(), content.into(), served));
        self
    }

    /// The usual: both indexes as xz, the plain text listed only.
    pub(in crate::archive) fn usual() -> Self {
        let mut suite = Self::new();
        for (arch, text) in [("amd64", ARCH_TEXT), ("all", ALL_TEXT)] {
            let path = format!("main/binary-{arch}/Packages");
            suite = suite.add(&path, text, false).add(&format!("{path}.xz"), xz(text.as_bytes()), true);
        }
        suite
    }

    pub(in crate::archive) fn release(&self) -> String {
        let date = self.now.strftime("%a, %d %b %Y %H:%M:%S UTC");
        let mut text = format!("{}Date: {date}\nSHA256:\n", self.fields);
        for (path, content, _) in &self.indexes {
            text += &format!(" {} {} {path}\n", Sha256::of(content).hex(), content.len());
        }
        text
    }

    pub(in crate::archive) fn files(&self) -> Files {
        let mut files = Files::new();
        for (path, content, served) in &self.indexes {
            if *served {
                files.insert(format!("/d/dists/x/{path}"), content.clone());
            }
        }
        files.insert("/d/dists/x/InRelease".into(), self.key.clearsign(&self.release(), self.now.as_second()).into());
        files
    }

    pub(in crate::archive) fn request(&self, base: &str, dir: &tempfile::TempDir) -> SuiteRequest {
        let key = dir.path().join("key.asc");
        fs::write(&key, self.key.armoured()).unwrap();
        SuiteRequest {
            name: "r".into(),
            suite: "x".into(),
            bases: vec![format!("{base}/d")],
            components: vec!["main".into()],
            keys: Keys::File(key),
            additional: false,
            pin: None,
        }
    }
}

pub(in crate::archive) struct World {
    pub(in crate::archive) dir: tempfile::TempDir,
    pub(in crate::archive) store: Store,
    pub(in crate::archive) heard: Heard,
    pub(in crate::archive) fetcher: Fetcher,
}

impl World {
    pub(in crate::archive) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Self { dir, store, heard: Heard::default(), fetcher: hasty() }
    }

    pub(in crate::archive) fn load(&self, request: &SuiteRequest) -> Result<LoadedSuite, ArchiveError> {
        let now = Timestamp::now();
        let loader = Loader { fetcher: &self.fetcher, store: &self.store, now, progress: &self.heard };
        loader.load_all(std::slice::from_ref(request), Arch::Amd64).map(|mut all| all.remove(0))
    }

    /// Loads `suite` from a server that has exactly `files`.
    pub(in crate::archive) fn load_files(
        &self,
        suite: &Suite,
        files: Files,
    ) -> (Result<LoadedSuite, ArchiveError>, Vec<Request>) {
        let server = Server::files(files);
        let result = self.load(&suite.request(&server.url, &self.dir));
        (result, server.requests())
    }
}

/// The whole message with its causes.
pub(in crate::archive) fn chain(error: &ArchiveError) -> String {
    let mut out = error.to_string();
    let mut at: &dyn std::error::Error = error;
    while let Some(source) = at.source() {
        out += &format!(": {source}");
        at = source;
    }
    out
}

fn texts(suite: &LoadedSuite) -> Vec<(&str, &str)> {
    suite.packages.iter().map(|index| (index.arch.as_str(), index.pieces[0].text.as_str())).collect()
}

/// What the store keeps of an index.
fn stripped(suite: &LoadedSuite) -> Vec<IndexPiece> {
    let piece = |piece: Stripped| IndexPiece { text: piece.hot, cold: piece.cold.map(|cold| Cold::of(&cold).unwrap()) };
    texts(suite).into_iter().flat_map(|(_, text)| strip(text).unwrap()).map(piece).collect()
}

#[test]
fn loads_both_indexes_and_uses_the_store_the_second_time() {
    let (world, suite) = (World::new(), Suite::usual());
    let (loaded, requests) = world.load_files(&suite, suite.files());
    let loaded = loaded.unwrap();
    assert_eq!(texts(&loaded), [("amd64", ARCH_TEXT), ("all", ALL_TEXT)]);
    assert_eq!(loaded.release.suite.as_deref(), Some("x"));
    assert_eq!(loaded.release.date.as_second(), suite.now.as_second());
    assert_eq!(loaded.signed_by.as_ref(), world_key(&suite).as_ref());
    // By-hash is asked for first; this mirror has plain paths only.
    assert!(requests.iter().any(|r| r.path.contains("/by-hash/SHA256/")), "{requests:?}");
    assert_eq!(requests.len(), 5);
    assert!(fs::read_dir(world.store.suites().with_file_name("tmp")).unwrap().next().is_none());

    let (again, requests) = world.load_files(&suite, suite.files());
    let again = again.unwrap();
    assert!(loaded.packages.iter().all(|index| index.whole) && !again.packages.iter().any(|index| index.whole));
    let pieces = |suite: &LoadedSuite| suite.packages.iter().flat_map(|i| i.pieces.clone()).collect::<Vec<_>>();
    assert_eq!(pieces(&again), stripped(&loaded));
    assert_eq!(requests.len(), 1, "only InRelease: {requests:?}");
    // A damaged entry of the store is not believed, and made anew.
    let path = world.store.path(Shelf::Indexes, &kept::key(&Sha256::of(ARCH_TEXT.as_bytes())));
    let good = fs::read(&path).unwrap();
    for bad in [b"Package: evil\n".to_vec(), good[..good.len() - 1].to_vec()] {
        fs::write(&path, bad).unwrap();
        let (again, _) = world.load_files(&suite, suite.files());
        assert_eq!(texts(&again.unwrap())[0], ("amd64", ARCH_TEXT));
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

fn world_key(suite: &Suite) -> Option<String> {
    Some(openpgp::hex(&suite.key.cert.primary_key))
}

#[test]
fn every_compression_and_by_hash() {
    let text = ARCH_TEXT.as_bytes();
    let forms: [(&str, Vec<u8>); 4] =
        [("", text.into()), (".gz", gzip(text)), (".zst", zstd::encode_all(text, 3).unwrap()), (".xz", xz(text))];
    // Each form beside the less preferred ones is the one that is fetched; served by digest only.
    for n in 1..=forms.len() {
        let (world, mut suite) = (World::new(), Suite::new());
        suite.fields = suite.fields.replace("all ", "");
        for (suffix, bytes) in &forms[..n] {
            suite = suite.add(&format!("main/binary-amd64/Packages{suffix}"), bytes.clone(), false);
        }
        let mut files = suite.files();
        let best = &forms[n - 1].1;
        files.insert(format!("/d/dists/x/main/binary-amd64/by-hash/SHA256/{}", Sha256::of(best).hex()), best.clone());
        let (loaded, _) = world.load_files(&suite, files);
        assert_eq!(texts(&loaded.unwrap()), [("amd64", ARCH_TEXT)]);
    }
}

#[test]
fn all_is_left_out_where_the_release_says_so() {
    let (world, mut suite) = (World::new(), Suite::usual());
    suite.fields += "No-Support-for-Architecture-all: Packages\n";
    let (loaded, _) = world.load_files(&suite, suite.files());
    assert_eq!(texts(&loaded.unwrap()), [("amd64", ARCH_TEXT)]);
}

#[test]
fn release_and_its_signature_where_there_is_no_inrelease() {
    let (world, suite) = (World::new(), Suite::usual());
    let mut files = suite.files();
    files.remove("/d/dists/x/InRelease");
    let (missing, _) = world.load_files(&suite, files.clone());
    let missing = missing.unwrap_err();
    assert!(chain(&missing).contains("dists/x/InRelease is not there"), "{}", chain(&missing));
    assert_eq!(missing.class(), ErrorClass::Network);
    files.insert("/d/dists/x/Release".into(), suite.release().into());
    let unsigned = world.load_files(&suite, files.clone()).0.unwrap_err();
    assert!(chain(&unsigned).contains("Release.gpg is not there"), "{}", chain(&unsigned));
    let signature = suite.key.detached(suite.release().as_bytes(), suite.now.as_second());
    files.insert("/d/dists/x/Release.gpg".into(), signature.into());
    let (loaded, _) = world.load_files(&suite, files.clone());
    assert_eq!(loaded.unwrap().packages.len(), 2);
    files.insert("/d/dists/x/Release".into(), suite.release().replace("main/", "mein/").into());
    assert_eq!(world.load_files(&suite, files).0.unwrap_err().class(), ErrorClass::Signature);
}

#[test]
fn a_server_that_fails_is_not_a_reason_to_fall_back() {
    let (world, suite) = (World::new(), Suite::usual());
    let server = Server::start(|_, _| Answer::status(500));
    let error = world.load(&suite.request(&server.url, &world.dir)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Network);
    assert!(server.requests().iter().all(|r| r.path.ends_with("/InRelease")));
}

#[test]
fn refuses_what_is_not_as_promised() {
    let key_of_another = Suite::usual();
    type Change = fn(&mut Suite, &mut Files);
    let path = "/d/dists/x/main/binary-amd64/Packages.xz";
    let cases: [(&str, Change, &str, ErrorClass); 7] = [
        (
            "html",
            |_, f| _ = f.insert("/d/dists/x/InRelease".into(), "<html>".into()),
            "error page",
            ErrorClass::Signature,
        ),
        (
            "index altered",
            |_, f| f.get_mut("/d/dists/x/main/binary-amd64/Packages.xz").unwrap()[20] ^= 1,
            "SHA-256",
            ErrorClass::Signature,
        ),
        (
            "index cut",
            |_, f| f.get_mut("/d/dists/x/main/binary-amd64/Packages.xz").unwrap().truncate(30),
            "30 bytes",
            ErrorClass::Signature,
        ),
        (
            "index gone",
            |_, f| _ = f.remove("/d/dists/x/main/binary-amd64/Packages.xz"),
            "is not there",
            ErrorClass::Network,
        ),
        (
            "other suite",
            |s, f| {
                s.fields = s.fields.replace("Suite: x", "Suite: y");
                *f = s.files()
            },
            "suite “y”",
            ErrorClass::Signature,
        ),
        (
            "expired",
            |s, f| {
                s.fields += "Valid-Until: Sat, 21 Nov 2020 00:00:00 UTC\n";
                *f = s.files()
            },
            "2020-11-21",
            ErrorClass::Signature,
        ),
        (
            "no SHA256",
            |s, f| {
                let text = s.release().replace("SHA256:", "SHA1:");
                f.insert("/d/dists/x/InRelease".into(), s.key.clearsign(&text, s.now.as_second()).into());
            },
            "weaker ones do not count",
            ErrorClass::Signature,
        ),
    ];
    for (name, change, message, class) in cases {
        let (world, mut suite) = (World::new(), Suite::usual());
        let mut files = suite.files();
        assert!(files.contains_key(path));
        change(&mut suite, &mut files);
        let error = world.load_files(&suite, files).0.unwrap_err();
        assert!(chain(&error).contains(message), "{name}: {}", chain(&error));
        assert_eq!(error.class(), class, "{name}");
        assert!(world.store.get(Shelf::Indexes, &Sha256::of(ARCH_TEXT.as_bytes())).is_none());
    }
    let (world, suite) = (World::new(), Suite::usual());
    let error = world.load_files(&suite, key_of_another.files()).0.unwrap_err();
    assert!(chain(&error).contains("not trusted"), "{}", chain(&error));
}

#[test]
fn bombs_and_bad_text() {
    // The Release promises 10 bytes and a megabyte comes out; or bytes that are no UTF-8; or no xz at all.
    let bomb = xz(&[b'a'; 1 << 20]);
    let cases: [(&str, &[u8], Vec<u8>); 4] = [
        ("more than 10 bytes", b"0123456789", bomb),
        ("does not have the SHA-256", b"0123456789", xz(b"012345678")),
        ("not UTF-8 at byte 3", b"abc\xff\n", xz(b"abc\xff\n")),
        ("cannot be decompressed", b"0123456789", b"no xz".to_vec()),
    ];
    for (message, plain, packed) in cases {
        let world = World::new();
        let suite = Suite::new().add("main/binary-amd64/Packages", plain, false).add(
            "main/binary-amd64/Packages.xz",
            packed,
            true,
        );
        let error = world.load_files(&suite, suite.files()).0.unwrap_err();
        assert!(chain(&error).contains(message), "{message}: {}", chain(&error));
        assert_eq!(error.class(), ErrorClass::Signature);
    }
}

#[test]
fn an_older_release_is_refused_whatever_the_mirror() {
    let (world, mut suite) = (World::new(), Suite::usual());
    world.load_files(&suite, suite.files()).0.unwrap();
    suite.now -= jiff::Span::new().hours(1);
    let error = world.load_files(&suite, suite.files()).0.unwrap_err();
    assert!(matches!(error, ArchiveError::Release { source: ReleaseError::Rollback { .. }, .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Signature);
}

#[test]
fn what_a_suite_does_not_have() {
    let (world, suite) = (World::new(), Suite::usual());
    let server = Server::files(suite.files());
    let mut request = suite.request(&server.url, &world.dir);
    request.components = vec!["contrib".into()];
    let error = world.load(&request).unwrap_err();
    assert_eq!(error.to_string(), "repository “r”: suite x has no component contrib; it has: main");
    assert_eq!(error.class(), ErrorClass::Usage);

    let mut suite = Suite::new().add("main/binary-arm64/Packages", "", true);
    suite.fields = suite.fields.replace("all amd64", "arm64");
    let server = Server::files(suite.files());
    let world = World::new();
    let mut request = suite.request(&server.url, &world.dir);
    let error = world.load(&request).unwrap_err();
    assert_eq!(error.to_string(), "repository “r”: suite x has no architecture amd64; it has: arm64");
    request.additional = true;
    assert!(world.load(&request).unwrap().packages.is_empty());
    assert_eq!(world.heard.0.lock().unwrap().1, ["x has nothing for amd64"]);
}

#[test]
fn unsigned_from_a_folder_and_further_bases() {
    let (world, suite) = (World::new(), Suite::usual());
    let root: PathBuf = world.dir.path().join("repo");
    for (path, bytes) in suite.files() {
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let folder = format!("file://{}", root.display());
    let mut request = suite.request(&folder, &world.dir);
    assert_eq!(world.load(&request).unwrap().packages.len(), 2);
    request.bases.insert(0, format!("{folder}/nowhere"));
    assert!(world.load(&request).unwrap().base.ends_with("/repo/d"));
    fs::remove_file(root.join("d/dists/x/InRelease")).unwrap();
    fs::write(root.join("d/dists/x/Release"), suite.release()).unwrap();
    assert!(world.load(&request).is_err());
    request.keys = Keys::Unsigned;
    assert_eq!(world.load(&request).unwrap().signed_by, None);
}
