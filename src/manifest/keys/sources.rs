//! The keys at the top, and those that say which packages and from where.

use super::{
    ACCOUNTS, FILES, IMAGE, Key,
    Kind::{Boolean, Date, OneOf, SomeOf, String, StringOrStrings, Strings, Table, Tables},
    LIMITS, POLICY, PYTHON,
    Preset::{Needed, Nothing, Value, Words},
    ROOTFS, SBOM, Section, TARBALLS, key,
};

/// The manifest itself.
pub static ROOT: Section =
    Section { path: &[], is_list: false, about: "What stands before the first table.", keys: ROOT_KEYS };

const ROOT_KEYS: &[Key] = &[
    key(
        "name",
        String,
        Needed,
        "What the lock (snapshots/NAME.lock) and the outputs are called: at most 64 of a-z, 0-9, “.”, “_” and “-”, the first a \
         letter or digit. It is never taken from a file that this one extends.",
        "name = \"web\"",
    ),
    key(
        "extends",
        StringOrStrings,
        Nothing,
        "The manifest or manifests that this one builds on. Tables are joined key by key, lists add up, the other file's items \
         first, and of everything else the nearest file's value holds; archs, rootfs.omit, image.entrypoint and image.cmd replace \
         the other's. Of several a later one lies over an earlier one.",
        "extends = \"base.toml\"",
    ),
    key(
        "archs",
        SomeOf(&["amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x"]),
        Words("this machine's own"),
        "The architectures that are resolved and built, as Debian calls them.",
        "archs = [\"amd64\", \"arm64\"]",
    ),
    key(
        "debian",
        Table(&DEBIAN),
        Words("needed unless there are `[[repositories]]`"),
        "The archive of Debian.",
        "[debian]\nsuite = \"trixie\"",
    ),
    key(
        "repositories",
        Tables(&REPOSITORIES),
        Nothing,
        "Further apt repositories, or all of them where there is no [debian].",
        "[[repositories]]\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\"]\nsigned-by = \"keys/example.asc\"",
    ),
    key(
        "packages",
        Table(&PACKAGES),
        Needed,
        "Which packages are in the image.",
        "[packages]\ninstall = [\"python3\"]",
    ),
    key("python", Table(&PYTHON), Nothing, "The wheels of an application.", "[python]\nlock = \"uv.lock\""),
    key("rootfs", Table(&ROOTFS), Nothing, "What of the packages is left out.", "[rootfs]\nomit = [\"docs\", \"man\"]"),
    key(
        "accounts",
        Table(&ACCOUNTS),
        Nothing,
        "Users and groups of the image.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000 }]\nrun-as = \"web\"",
    ),
    key(
        "files",
        Tables(&FILES),
        Nothing,
        "Files, links and folders of one's own.",
        "[[files]]\npath = \"/app\"\nsource = \"app/\"",
    ),
    key(
        "tarballs",
        Tables(&TARBALLS),
        Nothing,
        "Software that is neither a package nor a wheel.",
        "[[tarballs]]\nsource = \"python.tar.zst\"\nsha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n\
         path = \"/usr/local\"",
    ),
    key(
        "image",
        Table(&IMAGE),
        Nothing,
        "What a container of the image does.",
        "[image]\nentrypoint = [\"/usr/bin/python3\"]",
    ),
    key("sbom", Table(&SBOM), Nothing, "Bills of materials that go with the image.", "[sbom]\nattach = [\"spdx\"]"),
    key(
        "policy",
        Table(&POLICY),
        Nothing,
        "What must not be in the image.",
        "[policy]\nforbid = [\"shell\", \"setuid\"]",
    ),
    key("limits", Table(&LIMITS), Nothing, "How much one archive may hold.", "[limits]\nunpacked = \"64 GiB\""),
];

/// `[debian]`.
pub static DEBIAN: Section = Section {
    path: &["debian"],
    is_list: false,
    about: "The archive of Debian: a suite with its updates and its security fixes. Its signatures are held against Debian's keys, \
            which are built in.",
    keys: DEBIAN_KEYS,
};

const DEBIAN_KEYS: &[Key] = &[
    key(
        "suite",
        String,
        Needed,
        "The suite or its codename. trixie stands for trixie, trixie-updates and trixie-security.",
        "[debian]\nsuite = \"trixie\"",
    ),
    key(
        "components",
        Strings,
        Value("[\"main\"]"),
        "The areas of the archive that packages are taken from.",
        "[debian]\nsuite = \"trixie\"\ncomponents = [\"main\", \"non-free-firmware\"]",
    ),
    key(
        "mirror",
        String,
        Words("`COMPOSE_MIRROR`, else that of the machine's apt"),
        "The URL of a mirror: https:, http:, or file: and a folder, relative to the manifest. --mirror goes before it.",
        "[debian]\nsuite = \"trixie\"\nmirror = \"https://mirror.example.com/debian\"",
    ),
    key(
        "security-mirror",
        String,
        Words("`debian-security` beside the mirror, or that of the machine's apt"),
        "The same for the security archive.",
        "[debian]\nsuite = \"trixie\"\nmirror = \"https://mirror.example.com/debian\"\n\
         security-mirror = \"https://mirror.example.com/debian-security\"",
    ),
    key(
        "snapshot",
        Date,
        Words("today's archive"),
        "The archive as it was then, out of Debian's snapshot archive, which COMPOSE_SNAPSHOT says the place of: such as \
         20260601T000000Z, 20260601, 2026-06-01 or 2026-06-01T09:30:00Z. It excludes mirror and security-mirror.",
        "[debian]\nsuite = \"bookworm\"\nsnapshot = \"20260601T000000Z\"",
    ),
];

/// `[[repositories]]`.
pub static REPOSITORIES: Section = Section {
    path: &["repositories"],
    is_list: true,
    about: "An apt repository: Ubuntu's, a company's, a part of Debian that [debian] does not take.",
    keys: REPOSITORY_KEYS,
};

const REPOSITORY_KEYS: &[Key] = &[
    key(
        "name",
        String,
        Words("made of the first URI"),
        "What the lock calls it; no two have one name, and debian, debian-updates and debian-security are taken.",
        "[[repositories]]\nname = \"example\"\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\"]",
    ),
    key(
        "uris",
        Strings,
        Needed,
        "Where it is: https:, http:, or file: and a folder, relative to the manifest; tried in order. One that ends in a time such \
         as 20260601T000000Z is pinned, as debian.snapshot is.",
        "[[repositories]]\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\"]",
    ),
    key(
        "suites",
        Strings,
        Needed,
        "Its suites: folders below dists/.",
        "[[repositories]]\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\", \"testing\"]",
    ),
    key(
        "components",
        Strings,
        Value("[\"main\"]"),
        "Its components.",
        "[[repositories]]\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\"]\ncomponents = [\"main\", \"extra\"]",
    ),
    key(
        "signed-by",
        String,
        Words("Debian's keys, which are built in"),
        "The file of the OpenPGP key or keys that its Release is signed with, armoured or binary, relative to the manifest.",
        "[[repositories]]\nuris = [\"https://apt.example.com/debian\"]\nsuites = [\"stable\"]\nsigned-by = \"keys/example.asc\"",
    ),
    key(
        "trusted",
        Boolean,
        Value("false"),
        "No signature is wanted. Only where all URIs are file:.",
        "[[repositories]]\nuris = [\"file:vendor\"]\nsuites = [\"stable\"]\ntrusted = true",
    ),
];

/// `[packages]`.
pub static PACKAGES: Section = Section {
    path: &["packages"],
    is_list: false,
    about: "The image has the smallest set of packages that meets these requests and every dependency.",
    keys: PACKAGE_KEYS,
};

const PACKAGE_KEYS: &[Key] = &[
    key(
        "install",
        Strings,
        Needed,
        "What is asked for: a package, one of a version (`name (>= 1.2)`), one of several (`a | b`), whatever ships a file \
         (`file:/usr/bin/git`) or a library (`soname:libGL.so.1`).",
        "[packages]\ninstall = [\"python3\", \"libssl3t64 (>= 3.5)\", \"file:/usr/bin/git\", \"soname:libGL.so.1\"]",
    ),
    key(
        "provided",
        Strings,
        Words("the list at the end of this page"),
        "Packages on which a dependency counts as met, and which are never installed. The lock has each dependency that is cut.",
        "[packages]\ninstall = [\"python3\"]\nprovided = [\"debconf\"]",
    ),
    key(
        "forbid",
        Strings,
        Value("[]"),
        "Packages that the solver finds a way without, or says why it cannot.",
        "[packages]\ninstall = [\"python3\"]\nforbid = [\"dash\", \"bash\"]",
    ),
    key(
        "prefer",
        Strings,
        Value("[]"),
        "Packages that are taken where there is a choice, although another is smaller.",
        "[packages]\ninstall = [\"python3\"]\nprefer = [\"mawk\"]",
    ),
    key(
        "minimize",
        OneOf(&["installed-size", "packages", "download-size"]),
        Value("\"installed-size\""),
        "What the set is the smallest in.",
        "[packages]\ninstall = [\"python3\"]\nminimize = \"packages\"",
    ),
];
