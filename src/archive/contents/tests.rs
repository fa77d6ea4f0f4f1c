#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    archive::{
        fetch::Fetcher,
        index::tests::{Files, Suite, World, chain, gzip, xz},
        testing::http::{Request, Server},
    },
    base::{Sha256, Silent},
    store::Shelf,
};

const NATIVE: &str = "bin/dash shells/dash\n\
    usr/lib/x86_64-linux-gnu/blas/libblas.so.3 libs/libblas3\n\
    usr/lib/x86_64-linux-gnu/libssl.so libdevel/libssl-dev\n\
    usr/lib/x86_64-linux-gnu/libssl.so.3 libs/libssl3t64\n\
    usr/lib/x86_64-linux-gnu/libz.so.1 libs/zlib1g,libs/zlib-ng-compat\n\
    usr/lib/x86_64-linux-gnu/libz.so.1.3.1 libs/zlib1g\n\
    usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3 libs/libopenblas0-pthread\n\
    usr/lib/x86_64-linux-gnu/samba/libprivate.so.0 libs/samba-libs\n";
const ALL: &str = "usr/bin/2to3 python/2to3\nusr/share/a b/c d non-free/text/spaces\n";

/// A suite whose Contents are packed as Debian has them, the plain texts listed only.
fn suite() -> Suite {
    let mut suite = Suite::usual();
    for (arch, text) in [("amd64", NATIVE), ("all", ALL)] {
        let path = format!("main/Contents-{arch}");
        suite = suite.add(&path, text, false).add(&format!("{path}.gz"), gzip(text.as_bytes()), true);
    }
    suite
}

/// A suite with this as its only Contents.
fn with(path: &str, content: Vec<u8>) -> Suite {
    Suite::usual().add(path, content, true)
}

/// A world where the suite is loaded, and the server that it came from.
struct Loaded {
    world: World,
    server: Server,
    suites: Vec<LoadedSuite>,
}

impl Loaded {
    fn new(suite: &Suite, files: Files, additional: bool) -> Self {
        let (world, server) = (World::new(), Server::files(files));
        let request = SuiteRequest { additional, ..suite.request(&server.url, &world.dir) };
        let suites = vec![world.load(&request).unwrap()];
        Self { world, server, suites }
    }

    fn of(suite: &Suite) -> Self {
        Self::new(suite, suite.files(), false)
    }

    fn loader(&self) -> Loader<'_> {
        let World { store, heard, fetcher, .. } = &self.world;
        Loader { fetcher, store, now: jiff::Timestamp::now(), progress: heard }
    }

    fn sonames(&self) -> Result<Sonames, ArchiveError> {
        self.loader().sonames(&self.suites, Arch::Amd64)
    }

    fn owners(&self, paths: &[&str]) -> Result<Vec<String>, ArchiveError> {
        let paths = paths.iter().map(|path| RootPath::parse(path.as_bytes()).unwrap()).collect();
        let owners = self.loader().owners(&self.suites, Arch::Amd64, &paths)?;
        Ok(owners.into_iter().map(|(path, names)| format!("{path} {names:?}")).collect())
    }

    /// Requests for Contents so far.
    fn asked(&self) -> usize {
        self.server.requests().iter().filter(|Request { path, .. }| is_contents(path)).count()
    }

    fn notices(&self) -> Vec<String> {
        self.world.heard.0.lock().unwrap().1.clone()
    }
}

fn is_contents(path: &str) -> bool {
    path.contains("Contents") || path.contains("/main/by-hash/")
}

fn names(sonames: &Sonames, soname: &str) -> Vec<String> {
    sonames.packages(soname.as_bytes()).iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_fetched_before_it_is_asked_for_and_then_once() {
    let loaded = Loaded::of(&suite());
    assert!(loaded.suites[0].has_contents());
    assert_eq!(loaded.asked(), 0);
    let sonames = loaded.sonames().unwrap();
    assert!(!sonames.is_empty());
    for (soname, wanted) in [
        ("libssl.so.3", &["libssl3t64"][..]),
        ("libz.so.1", &["zlib-ng-compat", "zlib1g"]),
        ("libblas.so.3", &["libblas3", "libopenblas0-pthread"]),
        ("libprivate.so.0", &[]),
        ("libz.so", &[]),
        ("libz.so.2", &[]),
        ("", &[]),
    ] {
        assert_eq!(names(&sonames, soname), wanted, "{soname}");
    }
    assert_eq!(sonames.near(b"libssl.so.1.1"), ["libssl.so.3"]);
    assert_eq!(sonames.near(b"libz.so.2"), ["libz.so.1"]);
    assert_eq!(sonames.near(b"libprivate.so.1"), [""; 0]);
    assert_eq!(sonames.near(b"libz"), [""; 0]);
    assert_eq!(sonames.direct(), 4);
    // Only the architecture's own, by its digest and then, since this mirror has no such folder, by its name.
    assert_eq!(loaded.asked(), 2);
    assert_eq!(names(&loaded.sonames().unwrap(), "libssl.so.3"), ["libssl3t64"]);
    assert_eq!(loaded.asked(), 2, "from the store");
    let tmp = loaded.world.store.suites().with_file_name("tmp");
    assert!(std::fs::read_dir(tmp).unwrap().next().is_none());
}

#[test]
fn owners_of_files_over_both_indexes() {
    let loaded = Loaded::of(&suite());
    let paths = ["/usr/bin/dash", "/bin/dash", "/usr/bin/2to3", "/usr/share/a b/c d", "/usr/bin/none"];
    let wanted = [
        "/bin/dash [dash]",
        "/usr/bin/2to3 [2to3]",
        "/usr/bin/dash [dash]",
        "/usr/bin/none []",
        "/usr/share/a b/c d [spaces]",
    ];
    assert_eq!(loaded.owners(&paths).unwrap(), wanted);
    assert_eq!(loaded.asked(), 4);
    assert_eq!(loaded.owners(&paths).unwrap(), wanted);
    // The pass that looked for files made the table of libraries too.
    assert_eq!(names(&loaded.sonames().unwrap(), "libssl.so.3"), ["libssl3t64"]);
    assert_eq!(loaded.asked(), 4, "from the store");
    assert_eq!(loaded.owners(&["/usr/bin/other"]).unwrap(), ["/usr/bin/other []"]);
    assert_eq!(loaded.asked(), 8, "a new question");
    assert!(loaded.owners(&[]).unwrap().is_empty());
}

#[test]
fn kept_entries_are_sound_and_made_anew_when_damaged() {
    let loaded = Loaded::of(&suite());
    loaded.sonames().unwrap();
    loaded.owners(&["/bin/dash"]).unwrap();
    let store = &loaded.world.store;
    let keys = store.keys(Shelf::Indexes).unwrap();
    assert_eq!(keys.len(), 5, "two of Packages, a table, two answers");
    assert!(keys.iter().all(|key| crate::archive::is_kept_sound(&store.path(Shelf::Indexes, key), key)));
    let index = Sha256::of(&gzip(NATIVE.as_bytes()));
    for key in [kept::table_key(&index, Arch::Amd64), kept::owners_key(&index, b"bin/dash")] {
        let path = store.path(Shelf::Indexes, &key);
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(!crate::archive::is_kept_sound(&path, &key));
        assert_eq!(names(&loaded.sonames().unwrap(), "libssl.so.3"), ["libssl3t64"]);
        assert_eq!(loaded.owners(&["/bin/dash"]).unwrap(), ["/bin/dash [dash]"]);
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
}

#[test]
fn every_form_and_place() {
    let text = NATIVE.as_bytes();
    let header =
        "This file maps each file to its package.\nusr/lib/libheader.so.1 is in x/header\n\nFILE     LOCATION\n";
    let old = [header.as_bytes(), text].concat();
    let zstd = zstd::encode_all(text, 3).unwrap();
    let forms = [
        ("main/Contents-amd64", text.to_vec()),
        ("main/Contents-amd64.gz", gzip(text)),
        ("main/Contents-amd64.xz", xz(text)),
        ("main/Contents-amd64.zst", zstd),
        ("Contents-amd64.gz", gzip(&old)),
        ("main/Contents-amd64.gz", gzip(text.trim_ascii_end())),
    ];
    for (path, content) in forms {
        let suite = with(path, content.clone());
        let mut files = suite.files();
        // By its digest only.
        files.remove(&format!("/d/dists/x/{path}")).unwrap();
        let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        files.insert(format!("/d/dists/x/{folder}by-hash/SHA256/{}", Sha256::of(&content).hex()), content);
        let sonames = Loaded::new(&suite, files, false).sonames().unwrap();
        assert_eq!(names(&sonames, "libssl.so.3"), ["libssl3t64"], "{path}");
        assert_eq!(names(&sonames, "libblas.so.3").len(), 2, "{path}");
        assert!(names(&sonames, "libheader.so.1").is_empty());
    }
}

#[test]
fn a_suite_without_contents_has_none() {
    for suite in [Suite::usual(), with("main/Contents-arm64.gz", gzip(NATIVE.as_bytes()))] {
        let loaded = Loaded::of(&suite);
        assert!(!loaded.suites[0].has_contents());
        assert!(loaded.sonames().unwrap().is_empty());
        assert_eq!(loaded.owners(&["/bin/dash"]).unwrap(), ["/bin/dash []"]);
        assert_eq!(loaded.asked(), 0);
    }
    // One that is empty is there, and need not be fetched.
    let suite = with("main/Contents-amd64", Vec::new()).add("main/Contents-amd64.gz", gzip(b""), false);
    let loaded = Loaded::of(&suite);
    assert!(!loaded.sonames().unwrap().is_empty() && loaded.sonames().unwrap().packages(b"libz.so.1").is_empty());
    assert_eq!(loaded.owners(&["/bin/dash"]).unwrap(), ["/bin/dash []"]);
    assert_eq!(loaded.asked(), 0);
}

#[test]
fn refuses_what_is_not_as_promised() {
    let path = "main/Contents-amd64";
    let packed = gzip(NATIVE.as_bytes());
    let plain = |text: &[u8]| Suite::usual().add(path, text, false);
    let endless = vec![b'x'; parse::MAX_LINE + 1];
    let mut flipped = packed.clone();
    flipped[20] ^= 1;
    let served = |suite: Suite, bytes: Vec<u8>| {
        let suite = suite.add(&format!("{path}.gz"), packed.clone(), false);
        let mut files = suite.files();
        files.insert(format!("/d/dists/x/{path}.gz"), bytes);
        (suite, files)
    };
    let listed = |suite: Suite, bytes: Vec<u8>| {
        let suite = suite.add(&format!("{path}.gz"), bytes, true);
        let files = suite.files();
        (suite, files)
    };
    let absent = Suite::usual().add(&format!("{path}.gz"), packed.clone(), false);
    let without = absent.files();
    let cases = [
        ("SHA-256", ErrorClass::Signature, served(Suite::usual(), flipped)),
        ("30 bytes", ErrorClass::Signature, served(Suite::usual(), packed[..30].into())),
        ("is not there", ErrorClass::Network, (absent, without)),
        ("more than 10 bytes", ErrorClass::Signature, listed(plain(b"0123456789"), gzip(&[b'\n'; 1 << 20]))),
        ("the Release promises 10", ErrorClass::Signature, listed(plain(b"0123456789"), gzip(b"012345678"))),
        ("cannot be decompressed", ErrorClass::Signature, listed(Suite::usual(), b"no gzip".to_vec())),
        ("cannot be decompressed", ErrorClass::Signature, listed(Suite::usual(), packed[..40].to_vec())),
        ("line 1 is longer", ErrorClass::Signature, listed(Suite::usual(), gzip(&endless))),
    ];
    for (message, class, (suite, files)) in cases {
        let loaded = Loaded::new(&suite, files, false);
        let error = loaded.sonames().unwrap_err();
        assert!(chain(&error).contains(message), "{message}: {}", chain(&error));
        assert_eq!(error.class(), class, "{message}");
        assert_eq!(loaded.owners(&["/bin/dash"]).unwrap_err().class(), class);
        assert_eq!(loaded.world.store.keys(Shelf::Indexes).unwrap().len(), 2, "nothing is kept");
    }
}

#[test]
fn a_mirror_that_lacks_it_is_no_failure_of_a_suite_that_only_adds() {
    let suite = suite();
    let mut files = suite.files();
    files.retain(|path, _| !is_contents(path));
    let loaded = Loaded::new(&suite, files, true);
    assert!(loaded.sonames().unwrap().is_empty());
    let notice = "the mirror has not the main/Contents-amd64 that the Release of x lists; it is left out";
    assert_eq!(loaded.notices(), [notice]);
    // A mirror that cannot be reached is.
    let World { store, dir, .. } = &loaded.world;
    let gone = Server::files(Files::new());
    let request = SuiteRequest { additional: true, ..suite.request(&loaded.server.url, dir) };
    let mut suites = vec![loaded.world.load(&request).unwrap()];
    suites[0].contents.state.folder = suites[0].contents.state.folder.replace(&loaded.server.url, &gone.url);
    drop(gone);
    let error = Loader { store, ..loaded.loader() }.sonames(&suites, Arch::Amd64).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Network);
}

#[test]
fn the_same_suite_by_its_other_name() {
    // What is asked for lists a Contents that the mirror has not yet; by its codename the suite is as it was before.
    let named = |fields: &str| {
        let mut suite = suite();
        suite.fields = suite.fields.replace("Suite: x\n", fields);
        suite
    };
    type Change = fn(Suite) -> Suite;
    let cases: [(Change, bool); 4] = [
        (|old| old, true),
        // Another suite; out of date; signed by somebody else.
        (|old| Suite { fields: old.fields.replace("Suite: x", "Suite: z"), ..old }, false),
        (|old| Suite { fields: old.fields.clone() + "Valid-Until: Sat, 21 Nov 2020 00:00:00 UTC\n", ..old }, false),
        (|old| Suite { key: Suite::usual().key, ..old }, false),
    ];
    for (change, is_taken) in cases {
        let new = named("Suite: x\nCodename: old/y\n");
        let mut old = named("Suite: x\nCodename: old/y\n");
        old.key = new.key.clone();
        old.now -= jiff::Span::new().hours(1);
        let old = change(old);
        let mut files = new.files();
        files.retain(|path, _| !is_contents(path));
        files.extend(old.files().into_iter().map(|(path, bytes)| (path.replace("/dists/x/", "/dists/old/y/"), bytes)));
        let loaded = Loaded::new(&new, files, false);
        match loaded.sonames() {
            Ok(sonames) => {
                assert!(is_taken);
                assert_eq!(names(&sonames, "libssl.so.3"), ["libssl3t64"]);
                let notices = loaded.notices();
                assert!(notices[0].contains("/d/dists/old/y of 20"), "{notices:?}");
            }
            Err(error) => {
                assert!(!is_taken, "{}", chain(&error));
                assert!(chain(&error).contains("is not there"), "{}", chain(&error));
            }
        }
    }
}

#[test]
fn several_suites_are_one_world() {
    let one = Loaded::of(&with(
        "main/Contents-amd64.gz",
        gzip(b"usr/lib/x86_64-linux-gnu/a/libb.so.3 a/one\nlib/libc.so.6 a/c\nusr/bin/x a/one\n"),
    ));
    let two = Loaded::of(&with(
        "main/Contents-amd64.gz",
        gzip(b"usr/lib/x86_64-linux-gnu/b/libb.so.3 a/two\nusr/lib/libc.so.6 a/b\nbin/x a/two,a/one\n"),
    ));
    let suites: Vec<_> = [&one, &two].into_iter().flat_map(|loaded| loaded.suites.clone()).collect();
    let sonames = one.loader().sonames(&suites, Arch::Amd64).unwrap();
    assert_eq!(names(&sonames, "libb.so.3"), ["one", "two"]);
    assert_eq!(names(&sonames, "libc.so.6"), ["b", "c"]);
    assert_eq!(names(&one.sonames().unwrap(), "libb.so.3"), [""; 0], "one folder is no choice");
    let paths = BTreeSet::from([RootPath::literal("bin/x")]);
    let owners = one.loader().owners(&suites, Arch::Amd64, &paths).unwrap();
    assert_eq!(format!("{owners:?}"), "{/bin/x: [one, two]}");
    // Offline, what is kept is enough.
    let fetcher = Fetcher::new(crate::archive::FetchSettings { offline: true, ..Default::default() });
    let offline = Loader { fetcher: &fetcher, progress: &Silent, ..one.loader() };
    assert_eq!(names(&offline.sonames(&suites, Arch::Amd64).unwrap(), "libc.so.6"), ["b", "c"]);
    assert!(offline.owners(&suites, Arch::Amd64, &BTreeSet::from([RootPath::literal("bin/y")])).is_err());
}
