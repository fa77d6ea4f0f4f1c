//! Whole manifests: what they come to, and every message, word for word.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use insta::assert_snapshot;

use super::*;

const SMALLEST: &str = r#"
name = "x"
debian.suite = "trixie"
packages.install = ["python3"]
"#;

const FULL: &str = r#"
name = "full"
archs = ["arm64", "amd64"]
[debian]
suite = "trixie"
components = ["main", "contrib"]
mirror = "https://mirror.example.com/debian/"
security-mirror = "http://security.example.com/debian-security"
[[repositories]]
uris = ["file:vendor"]
suites = ["stable"]
trusted = true
[packages]
install = ["python3", "libssl3t64(>=3.5)", "mawk | gawk"]
provided = ["dpkg"]
forbid = ["dash", "bash"]
prefer = ["mawk"]
minimize = "packages"
[rootfs]
omit = ["docs"]
remove = ["/usr/lib/python3.*/idlelib/**"]
keep = ["/usr/share/doc/x/README"]
[[files]]
path = "/app"
type = "directory"
owner = "nonroot"
[[files]]
path = "/bin/run"
content = "line\nline\n"
mode = "0755"
[[files]]
path = "/link"
link = "app"
[accounts]
users = [{ name = "nonroot", uid = 65532, home = "/home/nonroot" }]
groups = [{ name = "data", gid = 2000, members = ["nonroot"] }]
run-as = "nonroot"
[image]
entrypoint = ["/usr/bin/python3"]
cmd = ["-m", "http.server"]
env = { LANG = "C.UTF-8", A = "b" }
workdir = "/app/"
labels = { "org.opencontainers.image.source" = "https://example.com" }
annotations = { a = "b" }
ports = ["8080"]
volumes = ["/data"]
stop-signal = "SIGINT"
layers = "single"
compression = "zstd"
[policy]
forbid = ["shell", "setuid", "package-manager", "world-writable"]
max-size = "45 MiB"
"#;

fn read(text: &str) -> Result<Manifest, ManifestErrors> {
    parse(text, Path::new("sub/manifest.toml"))
}

/// Every message for the smallest manifest with `more` after it.
fn faults(more: &str) -> String {
    read(&format!("{}{more}", SMALLEST.trim_start())).unwrap_err().to_string()
}

#[test]
fn the_smallest_manifest_is_enough() {
    let manifest = read(SMALLEST).unwrap();
    assert_eq!(manifest.archs, Vec::from_iter(Arch::host()));
    assert_eq!(manifest.packages.install, [Request { text: "python3".into(), want: Want::Clause, line: 4.into() }]);
    assert_eq!(manifest.debian.unwrap().components, ["main"]);
    assert_eq!(manifest.rootfs.omit, DEFAULT_OMIT);
    assert_eq!(manifest.packages.provided, None);
    assert_eq!(manifest.image, Image::default());
    let nothing_omitted = read(&format!("{SMALLEST}\nrootfs.omit = []")).unwrap();
    assert!(nothing_omitted.rootfs.omit.is_empty());
}

#[test]
fn every_key_arrives() {
    let manifest = read(FULL).unwrap();
    assert_eq!(manifest.archs, [Arch::Amd64, Arch::Arm64]);
    let debian = manifest.debian.as_ref().unwrap();
    assert_eq!(debian.mirror.as_deref(), Some("https://mirror.example.com/debian"));
    assert_eq!(debian.security_mirror.as_deref(), Some("http://security.example.com/debian-security"));
    let repository = &manifest.repositories[0];
    assert_eq!((repository.name.as_str(), repository.trusted), ("sub-vendor", true));
    assert_eq!((repository.uris[0].as_str(), repository.components.len()), ("file:sub/vendor", 1));
    let texts: Vec<_> = manifest.packages.install.iter().map(|request| request.text.as_str()).collect();
    assert_eq!(texts, ["python3", "libssl3t64 (>= 3.5)", "mawk | gawk"]);
    assert_eq!(manifest.packages.minimize, Minimize::Packages);
    assert_eq!(manifest.rootfs.omit, ["docs"]);
    let [app, run, link] = manifest.files.as_slice() else { panic!("{:?}", manifest.files) };
    assert_eq!((app.owner, &app.source), ((65532, 65532), &FileSource::Directory));
    assert_eq!((run.path.to_string().as_str(), run.mode), ("/usr/bin/run", Some(0o755)));
    assert_eq!(run.source, FileSource::Content("line\nline\n".into()));
    assert_eq!(link.source, FileSource::Link("app".into()));
    let user = &manifest.accounts.users[0];
    assert_eq!((user.gid, user.shell.as_str()), (65532, "/usr/sbin/nologin"));
    assert_eq!(manifest.accounts.groups[0].members, ["nonroot"]);
    assert_eq!(manifest.image.workdir.as_deref(), Some("/app"));
    assert_eq!(
        (manifest.image.ports.as_slice(), manifest.image.compression),
        (&["8080/tcp".into()][..], Compression::Zstd)
    );
    assert_eq!(manifest.image.cmd, ["-m", "http.server"]);
    let policy = &manifest.policy;
    let forbidden: Vec<_> = policy.forbid.iter().map(|rule| rule.code.name).collect();
    assert_eq!(forbidden, ["package-manager", "setuid", "shell", "world-writable"]);
    assert_eq!(policy.max_size.as_ref().map(|limit| limit.most), Some(45 << 20));
}

#[test]
fn policies_in_full() {
    let read = |text: &str| read(&format!("{SMALLEST}[policy]\n{text}\n")).unwrap().policy;
    let policy = read(
        "forbid = [\"unhardened\", \"setuid\"]\npackages = [\"perl-base\", \"libsystemd*\"]\npaths = [\"/bin/*sh\"]\n\
         max-packages = 30\ndeny-warnings = [\"dangling-link\"]\nwheels = [\"pip\"]\n\
         allow = [{ rule = \"setuid\", path = \"/usr/bin/su\", reason = \" for login \" }]",
    );
    let forbidden: Vec<_> = policy.forbid.iter().map(|rule| rule.code.name).collect();
    assert_eq!(
        forbidden,
        ["executable-stack", "insecure-search-path", "no-relro", "not-pie", "setuid", "text-relocations"]
    );
    assert_eq!((policy.forbids("setuid"), policy.forbids("shell")), (Some(6.into()), None));
    assert!(policy.packages[1].matches("libsystemd0") && !policy.packages[0].matches("perl-base-x"));
    let shell = &policy.paths[0];
    assert_eq!((shell.text.as_str(), shell.line.number), ("/usr/bin/*sh", 8));
    assert!(shell.matches("/usr/bin/dash") && !shell.matches("/usr/bin/x/sh"));
    let [exception] = &policy.allow[..] else { panic!("{policy:?}") };
    assert_eq!((exception.rule.name, exception.reason.as_str(), exception.line.number), ("setuid", "for login", 12));
    assert_eq!(policy.deny_warnings.len(), 1);
    assert!(read("deny-warnings = true").deny_warnings.len() > 3);
    assert!(read("deny-warnings = false").deny_warnings.is_empty());
    // It only judges.
    let meant = |text: &str| meaning(&super::parse(text, Path::new("x.toml")).unwrap());
    assert_eq!(meant(SMALLEST), meant(&format!("{SMALLEST}[policy]\nforbid = [\"shell\"]\nmax-packages = 1\n")));
}

#[test]
fn policies_that_cannot_be() {
    assert_snapshot!(faults(
        "[policy]\nforbid = [\"missing-library\", \"unhardend\"]\npackages = [\"Perl\", \"a[\"]\npaths = [\"bin/sh\"]\n\
         max-packages = \"3\"\ndeny-warnings = [\"setuid\"]\npackage = []"
    ), @r#"
    sub/manifest.toml:5:11: policy.forbid[0]: “missing-library” is not known; known here: capabilities, cut-dependency, executable-stack, insecure-search-path, no-relro, not-pie, package-manager, root-user, script-not-reproduced, setuid, shell, text-relocations, world-writable, unhardened
    sub/manifest.toml:5:30: policy.forbid[1]: “unhardend” is not known; did you mean “unhardened”?
    sub/manifest.toml:6:13: policy.packages[0]: “Perl” is not the name of a package, nor a pattern of names; write such as "perl-base" or "libsystemd*"
    sub/manifest.toml:6:21: policy.packages[1]: “a[” is not a pattern: unclosed character class; missing ']'; *, ?, [abc] and {a,b} have a meaning
    sub/manifest.toml:7:10: policy.paths[0]: “bin/sh” is not absolute; write "/bin/sh" or "/**/bin/sh"
    sub/manifest.toml:8:16: policy.max-packages: wants a whole number, not the string "3"
    sub/manifest.toml:9:18: policy.deny-warnings[0]: “setuid” is not known; known here: dangling-link, foreign-machine, missing-interpreter, missing-project, unused-exception
    sub/manifest.toml:10:1: unknown key “package” in policy; did you mean “packages”?
    "#);
    assert_snapshot!(faults(
        "[policy]\nallow = [\n{ rule = \"setuid\", path = \"/x\" },\n{ rule = \"setuid\", reason = \"r\" },\n\
         { rule = \"max-size\", path = \"/x\", reason = \"r\" },\n{ rule = \"shell\", path = \"/x\", reason = \" \" },\n\
         { rule = \"shell\", paths = \"/x\", reason = \"r\" },\n{ path = \"/x\", reason = \"r\" },\n]"
    ), @r#"
    sub/manifest.toml:6:1: policy.allow[0]: “reason” is missing; write reason = "…": why it may be so
    sub/manifest.toml:7:1: the exception from “setuid” does not say for what; add path = "/…" or package = "…"
    sub/manifest.toml:8:10: policy.allow[2].rule: “max-size” is not known; known here: broken-elf, capabilities, cut-dependency, dangling-link, executable-stack, forbidden-package, forbidden-path, forbidden-wheel, foreign-machine, insecure-search-path, missing-interpreter, missing-library, missing-loader, missing-project, missing-symbol-version, no-relro, not-pie, package-manager, root-user, script-not-reproduced, setuid, shell, text-relocations, world-writable
    sub/manifest.toml:9:41: policy.allow[3].reason: is empty; say why it may be so: whoever reviews the image reads it
    sub/manifest.toml:10:1: the exception from “shell” does not say for what; add path = "/…" or package = "…"
    sub/manifest.toml:10:19: unknown key “paths” in policy.allow[4]; did you mean “path”?
    sub/manifest.toml:11:1: policy.allow[5]: “rule” is missing; write such as { rule = "setuid", path = "/usr/bin/su", reason = "…" }
    "#);
    assert_snapshot!(faults("[policy]\nallow = { rule = \"setuid\" }\ndeny-warnings = 1"), @r#"
    sub/manifest.toml:5:9: policy.allow: wants an array, not the table { rule = "setuid" }
    sub/manifest.toml:6:17: policy.deny-warnings: wants an array, not the integer 1
    "#);
}

#[test]
fn spelling_order_and_place_do_not_change_the_meaning() {
    let meant = |text: &str| meaning(&read(text).unwrap());
    assert_eq!(meant(SMALLEST), meaning(&parse(SMALLEST, Path::new("/elsewhere/manifest.toml")).unwrap()));
    let other = r#"# a comment
        packages = { install = ['python3'], minimize = "installed-size" }
        [debian]
        mirror = "https://mirror.example.com"
        components = ["main"]
        suite = 'trixie'
        [policy]
        forbid = ["shell"]
    "#;
    assert_eq!(meant(SMALLEST), meant(&format!("name = \"x\"\n{other}")));
    let full = FULL.replace("\"libssl3t64(>=3.5)\", \"mawk | gawk\"", "\"mawk|gawk\", \"libssl3t64 (>= 3.5)\"");
    assert_ne!(full, FULL);
    let full = full.replace("[\"dash\", \"bash\"]", "[\"bash\", \"dash\"]").replace("\"8080\"", "\"8080/tcp\"");
    assert_eq!(meant(FULL), meant(&full.replace("archs = [\"arm64\", \"amd64\"]", "archs = [\"i386\"]")));
}

#[test]
fn an_sbom_in_the_image_is_part_of_the_meaning_and_one_beside_it_is_not() {
    let with = |text: &str| read(&format!("{SMALLEST}\n[sbom]\n{text}")).unwrap();
    let manifest = with("attach = [\"spdx3\", \"cyclonedx\"]\nrootfs = [\"spdx\"]");
    assert_eq!(manifest.sbom.attach, [SbomForm::CycloneDx, SbomForm::Spdx3]);
    assert_eq!(manifest.sbom.rootfs, [SbomForm::Spdx2]);
    let without = meaning(&read(SMALLEST).unwrap());
    assert_eq!(meaning(&with("attach = [\"spdx\"]\nrootfs = []")), without);
    let [one, other] = ["rootfs = [\"spdx\"]", "rootfs = [\"spdx3\"]"].map(|text| meaning(&with(text)));
    assert!(one != without && other != without && one != other);
    assert_eq!(meaning(&with("rootfs = [\"spdx\", \"spdx3\"]")), meaning(&with("rootfs = [\"spdx3\", \"spdx\"]")));
}

#[test]
fn every_change_of_meaning_changes_the_digest() {
    let before = meaning(&read(FULL).unwrap());
    let mut seen = vec![before];
    for (old, new) in [
        ("name = \"full\"", "name = \"other\""),
        ("suite = \"trixie\"", "suite = \"sid\""),
        ("\"main\", \"contrib\"", "\"main\""),
        ("suites = [\"stable\"]", "suites = [\"testing\"]"),
        ("(>=3.5)", "(>=3.6)"),
        ("\"mawk | gawk\"", "\"gawk | mawk\""),
        ("provided = [\"dpkg\"]", ""),
        ("provided = [\"dpkg\"]", "provided = []"),
        ("\"dash\", \"bash\"", "\"dash\""),
        ("prefer = [\"mawk\"]", ""),
        ("minimize = \"packages\"", "minimize = \"download-size\""),
        ("omit = [\"docs\"]", "omit = [\"man\"]"),
        ("python3.*/idlelib", "python3.*/tkinter"),
        ("doc/x/README", "doc/y/README"),
        ("path = \"/app\"", "path = \"/app2\""),
        ("owner = \"nonroot\"", "owner = \"7\""),
        ("line\\nline", "line"),
        ("mode = \"0755\"", "mode = \"0700\""),
        ("mode = \"0755\"", ""),
        ("link = \"app\"", "link = \"/app\""),
        ("uid = 65532", "uid = 65531"),
        ("home = \"/home/nonroot\"", "home = \"/\""),
        ("members = [\"nonroot\"]", ""),
        ("run-as = \"nonroot\"", ""),
        ("\"/usr/bin/python3\"", "\"/usr/bin/python3.13\""),
        ("\"-m\", \"http.server\"", "\"-mhttp.server\""),
        ("A = \"b\"", "A = \"c\""),
        ("A = \"b\"", "B = \"b\""),
        ("workdir = \"/app/\"", ""),
        ("annotations", "labels.a = \"b\"\n#"),
        ("ports = [\"8080\"]", "ports = [\"8080/udp\"]"),
        ("volumes = [\"/data\"]", ""),
        ("SIGINT", "SIGTERM"),
        ("zstd", "gzip"),
    ] {
        assert!(FULL.contains(old), "{old}");
        let text = FULL
            .replacen(old, new, 1)
            .replace("labels = {", if new.starts_with("labels") { "#" } else { "labels = {" });
        let digest = meaning(&read(&text).unwrap_or_else(|errors| panic!("{old} → {new}: {errors}")));
        assert!(!seen.contains(&digest), "{old} → {new}");
        seen.push(digest);
    }
}

#[test]
fn the_digest_of_a_manifest_stays_what_it_was() {
    // Locks hold it: a change here makes every lock stale, so it comes with a new form number.
    assert_snapshot!(meaning(&read(&format!("{SMALLEST}rootfs.omit = []")).unwrap()), @"sha256:1335b6a000cdd680243519a8a7187c870cc11038f04c770fe2927bda51571456");
    assert_snapshot!(meaning(&read(FULL).unwrap()), @"sha256:44bff12d49d5b670a7ca5c6636483108605fddefce7c14083aa2cdd057c5ab73");
}

#[test]
fn unknown_keys() {
    assert_snapshot!(faults("nam = 1"), @"sub/manifest.toml:4:1: unknown key “nam” at the top level; did you mean “name”?");
    assert_snapshot!(faults("[image]\nentry_point = 1\nlabel = {}"), @r#"
    sub/manifest.toml:5:1: unknown key “entry_point” in image; did you mean “entrypoint”?
    sub/manifest.toml:6:1: unknown key “label” in image; did you mean “labels”?
    "#);
    assert_snapshot!(faults("[policies]\nforbid = []"), @"sub/manifest.toml:4:2: unknown key “policies” at the top level; known here: name, extends, archs, debian, repositories, packages, python, rootfs, accounts, files, tarballs, image, sbom, policy, limits");
    assert_snapshot!(faults("[[files]]\npath = \"/x\"\ncontent = \"\"\nmodes = \"0644\""), @"sub/manifest.toml:7:1: unknown key “modes” in files[0]; did you mean “mode”?");
    assert_snapshot!(read("name = \"x\"\n[debian]\nsuite = \"trixie\"\n[packages]\ninstal = [\"a\"]").unwrap_err(), @r#"
    sub/manifest.toml:4:1: packages: “install” is missing; write install = ["python3"]
    sub/manifest.toml:5:1: unknown key “instal” in packages; did you mean “install”?
    "#);
}

#[test]
fn wrong_types() {
    assert_snapshot!(faults("packages.forbid = \"dash\""), @r#"sub/manifest.toml:4:19: packages.forbid: wants an array, not the string "dash"; write ["dash"]"#);
    assert_snapshot!(faults("image.env = { PORT = 8080 }"), @r#"sub/manifest.toml:4:22: image.env.PORT: wants a string, not the integer 8080; write "8080""#);
    assert_snapshot!(faults("image.ports = [8080]\naccounts.run-as = 65532"), @r#"
    sub/manifest.toml:4:16: image.ports[0]: wants a string, not the integer 8080; write "8080"
    sub/manifest.toml:5:19: accounts.run-as: wants a string, not the integer 65532; write "65532"
    "#);
    assert_snapshot!(faults("image = \"x\"\nrootfs.omit = [\"docs\", true]"), @r#"
    sub/manifest.toml:4:9: image: wants a table, not the string "x"
    sub/manifest.toml:5:24: rootfs.omit[1]: wants a string, not the boolean true
    "#);
    assert_snapshot!(faults("[files]\npath = \"/x\""), @"sub/manifest.toml:4:1: files: is a list of tables; write [[files]] instead of [files]");
    assert_snapshot!(faults("[accounts]\nusers = [{ name = \"a\", uid = \"1000\" }, { name = \"b\", uid = -1 }]"), @r#"
    sub/manifest.toml:5:30: accounts.users[0].uid: wants a whole number, not the string "1000"
    sub/manifest.toml:5:60: accounts.users[1].uid: -1 is not between 0 and 4294967294
    "#);
}

#[test]
fn what_is_missing() {
    assert_snapshot!(read("").unwrap_err(), @r#"
    sub/manifest.toml:1:1: “name” is missing; write name = "…" as the first line
    sub/manifest.toml:1:1: the manifest does not say where packages come from; write [debian] with suite = "trixie", or [[repositories]]
    sub/manifest.toml:1:1: “packages” is missing; write [packages] with install = ["python3"]
    "#);
    assert_snapshot!(read("name = \"x\"\n[debian]\n[packages]\n").unwrap_err(), @r#"
    sub/manifest.toml:2:1: debian: “suite” is missing; write suite = "trixie"
    sub/manifest.toml:3:1: packages: “install” is missing; write install = ["python3"]
    "#);
    assert_snapshot!(faults("[[repositories]]\nuris = []"), @r#"
    sub/manifest.toml:4:1: repositories[0]: “suites” is missing; write suites = ["stable"]
    sub/manifest.toml:5:8: repositories[0].uris: is empty; write uris = ["https://apt.example.com/debian"]
    "#);
    assert_snapshot!(faults("[[files]]\n[[files]]\npath = \"/x\"\nlink = \"a\"\ncontent = \"b\""), @r#"
    sub/manifest.toml:4:1: files[0]: “path” is missing; write path = "/app"
    sub/manifest.toml:4:1: this entry says nothing about what is put there; add one of source, content, link, type = "directory"
    sub/manifest.toml:5:1: “content” and “link” exclude each other; keep one of source, content, link, type
    "#);
}

#[test]
fn python_and_tarballs() {
    assert_snapshot!(faults("[python]\nwheels = [\"*.whl\"]\nbytecode = 1\nlok = \"pylock.toml\""), @r"
    sub/manifest.toml:6:12: python.bytecode: wants true or false, not the integer 1
    sub/manifest.toml:7:1: unknown key “lok” in python; did you mean “lock”?
    ");
    assert_snapshot!(faults("[python]\ngroups = [\"dev\"]\nignore-needs = [\"/usr/lib/libx.so.1\"]"), @r#"
    sub/manifest.toml:4:1: python.groups chooses from a lock, and python.lock is missing; write lock = "pylock.toml", or whatever the application has
    sub/manifest.toml:6:17: python.ignore-needs[0]: “/usr/lib/libx.so.1” is a path; write "libx.so.1"
    "#);
    assert_snapshot!(faults("[python]\nlock = \"none.toml\"\nwheels = [\"a[\"]"), @r"
    sub/manifest.toml:5:8: python.lock: there is no file sub/none.toml; give a pylock.toml, uv.lock, poetry.lock, Pipfile.lock or requirements.txt with hashes
    sub/manifest.toml:6:11: python.wheels[0]: error parsing glob 'a[': unclosed character class; missing ']'
    ");
    assert_snapshot!(faults("[[tarballs]]\nsource = \"x.tar\"\nsha256 = \"12\"\npath = \"usr\""), @r#"
    sub/manifest.toml:5:10: tarballs[0].source: there is no file sub/x.tar; give a tar archive, plain or in gzip, xz, zstd or bzip2, relative to the manifest
    sub/manifest.toml:6:10: tarballs[0].sha256: “12” is not a SHA-256 digest (64 hexadecimal digits, with or without “sha256:” before them)
    sub/manifest.toml:7:8: tarballs[0].path: “usr” is not absolute; write "/usr"
    "#);
    assert_snapshot!(faults("[[tarballs]]\nurl = \"ftp://x\"\npath = \"/usr\"\nstrip = 99"), @r#"
    sub/manifest.toml:4:1: tarballs[0]: “sha256” is missing; write sha256 = "…", which sha256sum prints
    sub/manifest.toml:5:7: tarballs[0].url: “ftp://x” is not a URL; write https://host/path
    sub/manifest.toml:7:9: tarballs[0].strip: 99 is not between 0 and 32
    "#);
}

#[test]
fn not_supported_yet() {
    assert_snapshot!(faults("debian.snapshot = \"november\""), @"sub/manifest.toml:4:19: debian.snapshot: “november” is not a date of a snapshot; write such as \"20261121T000000Z\", or 2026-11-21T09:30:00Z with its zone");
    assert_snapshot!(faults("debian.snapshot = 20261121\ndebian.mirror = \"https://mirror.example.com/debian\""), @"sub/manifest.toml:4:19: debian.snapshot: a pinned archive is not taken from a mirror, which has today's; take out this line, or “mirror” and “security-mirror”");
    let pinned = |value: &str| read(&format!("{SMALLEST}debian.snapshot = {value}")).unwrap();
    let (first, other) = (meaning(&pinned("20261121")), meaning(&pinned("20261122")));
    for value in
        ["\"20261121T000000Z\"", "\"20261121\"", "2026-11-21T01:00:00+01:00", "2026-11-21", "\"2026-11-21T00:00:00Z\""]
    {
        assert_eq!(meaning(&pinned(value)), first, "{value}");
    }
    assert!(first != other && first != meaning(&read(SMALLEST).unwrap()));
    assert_snapshot!(read(&SMALLEST.replace("\"python3\"", "\"file:git\", \"soname:x\"")).unwrap_err(), @r"
    sub/manifest.toml:4:21: packages.install[0]: “git” is not the absolute path of one file; write file:/usr/bin/git
    sub/manifest.toml:4:33: packages.install[1]: “x” is not the name of a shared library; write soname:libGL.so.1
    ");
}

#[test]
fn bad_requests() {
    let requests = |list: &str| read(&SMALLEST.replace("\"python3\"", list)).unwrap_err().to_string();
    assert_snapshot!(requests(r#""python3:amd64", "a=1.0", "b (> 1)", "c (1)", "d (>= x)", "e >= 1", "f, g", "h/sid", "Ü""#), @r#"
    sub/manifest.toml:4:21: packages.install[0]: “python3:amd64” names an architecture; write "python3"; “archs” says for which architectures
    sub/manifest.toml:4:38: packages.install[1]: “a=1.0” is not how a version is asked for; write "a (= 1.0)"
    sub/manifest.toml:4:47: packages.install[2]: “>” is not one of <<, <=, =, >=, >>; write "b (>> 1)"
    sub/manifest.toml:4:58: packages.install[3]: “” is not one of <<, <=, =, >=, >>; write "c (= 1)"
    sub/manifest.toml:4:67: packages.install[4]: “x” is not a version: it does not start with a digit; write such as 3.5, 3.5~rc1 or 1:3.5-2+deb13u1
    sub/manifest.toml:4:79: packages.install[5]: the version in “e >= 1” wants parentheses; write "e (>= 1)"
    sub/manifest.toml:4:89: packages.install[6]: “f, g” holds a comma; write one entry for each package
    sub/manifest.toml:4:97: packages.install[7]: “h/sid” names a suite; write "h", if need be with a version: "h (>= 1.2)"
    sub/manifest.toml:4:106: packages.install[8]: “Ü” is not a package name (letters, digits, “+”, “-”, “.”; it starts with a letter or digit)
    "#);
    assert_snapshot!(requests(r#""python3 (>= 3)", "a", "python3(>=3)""#), @r#"sub/manifest.toml:4:44: packages.install[2]: "python3(>=3)" is here twice; take one of them out"#);
    assert_snapshot!(faults("packages.forbid = [\"python3\", \"a b\"]\npackages.prefer = [\"x\", \"x\"]"), @r#"
    sub/manifest.toml:4:20: packages.forbid[0]: “python3” is asked for in line 3; take it out of packages.install or of packages.forbid
    sub/manifest.toml:4:31: packages.forbid[1]: “a b” is not a package name (letters, digits, “+”, “-”, “.”; it starts with a letter or digit)
    sub/manifest.toml:5:25: packages.prefer[1]: "x" is here twice; take one of them out
    "#);
}

#[test]
fn bad_repositories() {
    assert_snapshot!(faults("debian.mirror = \"ftp://example.com\""), @"sub/manifest.toml:4:17: debian.mirror: “ftp://example.com” has a scheme other than http, https and file; write https://host/path, http://host/path or file:/path");
    assert_snapshot!(read(&SMALLEST.replace("trixie", "trixie-security")).unwrap_err(), @r#"sub/manifest.toml:3:16: debian.suite: “trixie-security” comes with “trixie” by itself; write "trixie""#);
    let repository = "[[repositories]]\nuris = [\"https://apt.example.com\"]\nsuites = [\"stable\"]\n";
    assert_snapshot!(faults(&format!("{repository}trusted = true\nsigned-by = \"keys/no.asc\"")), @r#"
    sub/manifest.toml:7:11: repositories[0].trusted: only a repository on this machine (file:) can go without a signature; name the key with signed-by
    sub/manifest.toml:8:13: repositories[0].signed-by: there is no file sub/keys/no.asc; give the path of the repository's public key, relative to the manifest
    "#);
    assert_snapshot!(faults(&format!("{repository}{repository}")), @r#"sub/manifest.toml:7:1: two repositories are called “apt.example.com”; give one of them another name: name = "…""#);
    assert_snapshot!(faults(&format!("{repository}name = \"debian\"")), @"sub/manifest.toml:4:1: the name “debian” is the Debian archive's own; give this repository another name");
}

#[test]
fn bad_files() {
    let file = "[[files]]\npath = \"/app\"\ncontent = \"\"\n";
    assert_snapshot!(faults(&format!("{file}mode = 755")), @r#"sub/manifest.toml:7:8: files[0].mode: the number 755 is ambiguous; quote it, in octal: "0755""#);
    assert_snapshot!(faults(&format!("{file}mode = 0o755\nowner = \"rot\"")), @r#"
    sub/manifest.toml:7:8: files[0].mode: the number 755 is ambiguous; quote it, in octal: "0755"
    sub/manifest.toml:8:9: files[0].owner: “rot” is neither a number nor in [accounts]; did you mean “root”?
    "#);
    assert_snapshot!(faults(&format!("{file}mode = \"rwx\"")), @r#"sub/manifest.toml:7:8: files[0].mode: “rwx” is not a mode; write octal digits such as "0755""#);
    assert_snapshot!(faults(&format!("{file}{file}")), @"sub/manifest.toml:7:1: /app was put there in line 4 already; take one of them out");
    assert_snapshot!(faults("[[files]]\npath = \"app/../..\"\nsource = \"no/such\""), @r#"
    sub/manifest.toml:5:8: files[0].path: “app/../..” is not absolute; write "/app/../.."
    sub/manifest.toml:6:10: files[0].source: there is nothing at sub/no/such; give a file or folder, relative to the manifest
    "#);
    assert_snapshot!(faults("[rootfs]\nremove = [\"usr/x\", \"/a/[\", \"/a/../b\"]\nomit = [\"doc\"]"), @r#"
    sub/manifest.toml:5:11: rootfs.remove[0]: “usr/x” is not absolute; write "/usr/x" or "/**/usr/x"
    sub/manifest.toml:5:20: rootfs.remove[1]: “/a/[” is not a pattern: unclosed character class; missing ']'; *, ?, [abc], {a,b} and ** have a meaning; “\” before one takes it away
    sub/manifest.toml:5:28: rootfs.remove[2]: “/a/../b” leads upwards with “..”; write the path without “..”
    sub/manifest.toml:6:9: rootfs.omit[0]: “doc” is not known; did you mean “docs”?
    "#);
}

#[test]
fn bad_accounts_and_images() {
    assert_snapshot!(faults(r#"[accounts]
users = [{ name = "a:b", uid = 0 }, { name = "app", uid = 1000, home = "/h:x" }, { name = "u", uid = 7 }, { name = "v", uid = 7 }]
groups = [{ name = "u", gid = 9 }]
run-as = "a b""#), @r#"
    sub/manifest.toml:5:19: accounts.users[0].name: “a:b” is not an account's name; use at most 32 letters, digits, “.”, “_”, “-”, the first a letter or “_”
    sub/manifest.toml:5:32: accounts.users[0].uid: 0 is taken by the system; take another, such as 65532
    sub/manifest.toml:5:72: accounts.users[1].home: “/h:x” holds a “:”, which separates the fields of /etc/passwd; take another path
    sub/manifest.toml:5:107: “u” and “v” have the same uid 7; give this user another name or number
    sub/manifest.toml:6:11: the group “u” (9) clashes with “u” (7); a user has a group of its own name and number unless it has a gid
    sub/manifest.toml:7:10: accounts.run-as: “a b” is not an account's name; use at most 32 letters, digits, “.”, “_”, “-”, the first a letter or “_”
    "#);
    assert_snapshot!(faults(r#"[image]
entrypoint = "python3 app.py"
workdir = "app"
env = { "A=B" = "x" }
stop-signal = "TERM"
compression = "xz"
ports = ["http"]"#), @r#"
    sub/manifest.toml:5:14: image.entrypoint: wants an array, not the string "python3 app.py"; no shell splits it into words; write ["python3", "app.py"]
    sub/manifest.toml:6:11: image.workdir: “app” is not absolute; write "/app"
    sub/manifest.toml:7:9: “A=B” is not the name of an environment variable; it is not empty and has no “=” and no white space
    sub/manifest.toml:8:15: image.stop-signal: “TERM” is not a signal; did you mean “SIGTERM”?
    sub/manifest.toml:9:15: image.compression: “xz” is not known; known here: gzip, zstd
    sub/manifest.toml:10:10: image.ports[0]: “http” is not a port; write such as "8080/tcp"
    "#);
    assert_snapshot!(faults("[policy]\nforbid = [\"shells\"]\nmax-size = \"45 Mb\""), @r#"
    sub/manifest.toml:5:11: policy.forbid[0]: “shells” is not known; did you mean “shell”?
    sub/manifest.toml:6:12: policy.max-size: “45 Mb” is not a size; write such as "45 MiB" or "45 MB"
    "#);
    assert_snapshot!(faults("image.workdir = \"/a\\u0007\"\nimage.cmd = [\"\\u0000\"]"), @r#"
    sub/manifest.toml:4:17: image.workdir: holds the control character '\u{7}'; take it out
    sub/manifest.toml:5:14: image.cmd[0]: holds a NUL character; take it out
    "#);
    assert_snapshot!(read(&SMALLEST.replace("\"x\"", "\"My Image\"")).unwrap_err(), @"sub/manifest.toml:2:8: name: “My Image” is not a name that files can carry; use at most 64 of a-z, 0-9, “.”, “_”, “-”, the first a letter or digit");
    assert_snapshot!(read(&format!("archs = [\"x86_64\", \"amd46\"]\n{SMALLEST}")).unwrap_err(), @r#"
    sub/manifest.toml:1:10: archs[0]: “x86_64” is not an architecture of Debian; Debian calls it “amd64”
    sub/manifest.toml:1:20: archs[1]: “amd46” is not an architecture of Debian; did you mean “amd64”?
    "#);
}

#[test]
fn limits_are_read_within_their_bounds_and_mean_nothing() {
    let text = "[limits]\nunpacked = \"64 GiB\"\nentries = 5_000_000\nnames = 1048576\nwheel-ratio = 1000\n";
    let limits = read(&format!("{SMALLEST}{text}")).unwrap().limits;
    assert_eq!((limits.unpacked, limits.entries, limits.names), (Some(64 << 30), Some(5_000_000), Some(1 << 20)));
    assert_eq!((limits.wheel_ratio, limits.control), (Some(1000), None));
    let usual = crate::deb::Limits::default();
    let wanted = crate::deb::Limits { data: 64 << 30, entries: 5_000_000, metadata: 1 << 20, ..usual.clone() };
    assert_eq!(crate::deb::Limits::from(&limits), wanted);
    assert_eq!(crate::deb::Limits::from(&Limits::default()), usual);
    let usual = crate::python::Limits::default();
    assert_eq!(crate::python::Limits::from(&Limits::default()), usual);
    assert_eq!(crate::python::Limits::from(&limits).ratio, 1000);
    let meant = |text: &str| meaning(&read(text).unwrap());
    assert_eq!(meant(SMALLEST), meant(&format!("{SMALLEST}{text}")));
    let text = "[limits]\nunpacked = 0\nentries = \"5 GiB\"\ndecoder-memory = \"3 GiB\"\ncontrol = \"much\"\nfiles = 1";
    assert_snapshot!(faults(text), @r#"
    sub/manifest.toml:5:12: limits.unpacked: 0 is not between 1 and 16384 GiB
    sub/manifest.toml:6:11: limits.entries: wants a whole number, not the string "5 GiB"
    sub/manifest.toml:7:18: limits.decoder-memory: 3 GiB is not between 1 MiB and 2 GiB
    sub/manifest.toml:8:11: limits.control: “much” is not a size; write such as "45 MiB" or "45 MB"
    sub/manifest.toml:9:1: unknown key “files” in limits; known here: unpacked, entries, names, control, extended-header, decoder-memory, wheel-ratio
    "#);
}

#[test]
fn broken_toml() {
    assert_snapshot!(faults("[image\n"), @"sub/manifest.toml:4:7: not TOML: unclosed table, expected `]`");
    assert_snapshot!(faults("name = \"y\"\nx = \n"), @r#"
    sub/manifest.toml:4:1: not TOML: duplicate key
    sub/manifest.toml:5:5: not TOML: string values must be quoted, expected literal string
    "#);
    let deep = format!("{SMALLEST}x = {}", "[".repeat(100_000));
    assert!(read(&deep).is_err(), "no overflow of the stack");
    assert!(matches!(read(&" ".repeat(2 << 20)), Err(ManifestErrors::TooLong { .. })));
}

#[test]
fn drawn_with_the_source() {
    let errors = read("name = \"x\"\n[debian]\nsuite = \"trixie\"\n[packages]\ninstal = [\"a\"]\n").unwrap_err();
    let mut drawn = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    handler.render_report(&mut drawn, &errors.faults()[1].drawn()).unwrap();
    assert_snapshot!(drawn, @r#"
    error[E0113 unknown-key]

      × unknown key “instal” in packages
       ╭─[sub/manifest.toml:5:1]
     4 │ [packages]
     5 │ instal = ["a"]
       · ───┬──
       ·    ╰── did you mean “install”?
       ╰────
    "#);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str| {
        let errors = load(&folder.path().join(name)).unwrap_err();
        errors.to_string().replace(&folder.path().display().to_string(), "DIR")
    };
    assert_snapshot!(message("no.toml"), @"cannot read the manifest DIR/no.toml: No such file or directory (os error 2); check the path");
    std::fs::write(folder.path().join("latin1.toml"), b"name = \"\xe9\"").unwrap();
    assert_snapshot!(message("latin1.toml"), @"cannot read the manifest DIR/latin1.toml: stream did not contain valid UTF-8; a manifest is TOML in UTF-8");
}

#[test]
fn sources_and_keys_are_looked_for_beside_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.py"), "").unwrap();
    let text = format!("{SMALLEST}[[files]]\npath = \"/app.py\"\nsource = \"app.py\"");
    let manifest = parse(&text, &folder.path().join("manifest.toml")).unwrap();
    assert_eq!(manifest.files[0].source, FileSource::Copy(folder.path().join("app.py")));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("app.py"), "").unwrap();
    let moved = parse(&text, &other.path().join("manifest.toml")).unwrap();
    assert_eq!(meaning(&manifest), meaning(&moved));
}

#[test]
fn the_shipped_manifest_is_valid() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/python3.toml");
    let manifest = load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(manifest.name, "python3");
}

#[test]
fn every_shipped_manifest_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for name in
        ["static", "base", "cc", "python3", "java", "node", "static-debug", "base-debug", "cc-debug", "python3-debug"]
    {
        let manifest = load(&folder.join(format!("{name}.toml"))).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!((manifest.name.as_str(), manifest.accounts.run_as.as_deref()), (name, Some("nonroot")));
        let has_shell = manifest.files.iter().any(|file| file.path.to_string() == "/busybox/sh");
        assert_eq!(has_shell, name.ends_with("-debug"));
        assert!(manifest.policy.forbids("shell").is_some(), "{name}");
    }
}

#[test]
fn another_suite_has_another_name() {
    let mut manifest = read(SMALLEST).unwrap();
    manifest.take_suite("trixie").unwrap();
    assert_eq!(manifest.name, "x");
    let before = meaning(&manifest);
    manifest.take_suite("forky").unwrap();
    assert_eq!((manifest.name.as_str(), manifest.debian.as_ref().unwrap().suite.as_str()), ("x-forky", "forky"));
    assert_ne!(meaning(&manifest), before);
    assert!(manifest.take_suite("forky-security").unwrap_err().contains("write \"forky\""));
    manifest.debian = None;
    assert!(manifest.take_suite("sid").unwrap_err().contains("no [debian]"));
}
