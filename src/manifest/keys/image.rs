//! The keys that say how an image is run and packed, and by what it is judged.

use super::{
    Key,
    Kind::{BooleanOrStrings, Map, Number, OneOf, Size, SomeOf, String, Strings, Tables},
    Preset::{Needed, Nothing, OfLimits, Value, Words},
    Section, key,
};

/// `[image]`.
pub static IMAGE: Section = Section {
    path: &["image"],
    is_list: false,
    about: "The configuration of the OCI image, by OCI's own names, and how its layers are made.",
    keys: IMAGE_KEYS,
};

const IMAGE_KEYS: &[Key] = &[
    key(
        "entrypoint",
        Strings,
        Value("[]"),
        "The program and its first arguments; no shell splits words. It replaces that of a file that is extended.",
        "[image]\nentrypoint = [\"/usr/bin/python3\", \"/app/main.py\"]",
    ),
    key(
        "cmd",
        Strings,
        Value("[]"),
        "Arguments that whoever starts a container can replace. It replaces that of a file that is extended.",
        "[image]\nentrypoint = [\"/usr/bin/python3\"]\ncmd = [\"/app/main.py\"]",
    ),
    key(
        "env",
        Map,
        Value("{}"),
        "Environment variables. PATH is added if it is not here.",
        "[image]\nenv = { LANG = \"C.UTF-8\", PYTHONUNBUFFERED = \"1\" }",
    ),
    key("workdir", String, Nothing, "The folder in which the program starts.", "[image]\nworkdir = \"/app\""),
    key(
        "labels",
        Map,
        Value("{}"),
        "Labels of the configuration.",
        "[image]\nlabels = { \"org.opencontainers.image.title\" = \"web\" }",
    ),
    key(
        "annotations",
        Map,
        Value("{}"),
        "Annotations of the image's manifest.",
        "[image]\nannotations = { \"org.opencontainers.image.source\" = \"https://git.example.com/web\" }",
    ),
    key(
        "ports",
        Strings,
        Value("[]"),
        "Ports on which the program listens: `8080`, `8080/tcp`, `53/udp`, `5000/sctp`.",
        "[image]\nports = [\"8080/tcp\"]",
    ),
    key(
        "volumes",
        Strings,
        Value("[]"),
        "Folders for data that outlive a container.",
        "[image]\nvolumes = [\"/var/lib/app\"]",
    ),
    key(
        "stop-signal",
        String,
        Nothing,
        "The signal that ends the program: a name such as SIGINT or SIGRTMIN+3, or a number, in quotes.",
        "[image]\nstop-signal = \"SIGINT\"",
    ),
    key(
        "layers",
        OneOf(&["single", "by-origin"]),
        Value("\"single\""),
        "All in one layer; or one each for the base, C libraries, the interpreter, Python modules and the manifest's own files, so \
         that an update changes the layer that it concerns.",
        "[image]\nlayers = \"by-origin\"",
    ),
    key(
        "compression",
        OneOf(&["gzip", "zstd"]),
        Value("\"gzip\""),
        "How layers are compressed: every reader takes gzip; zstd is read by Docker 23, containerd 1.5 and later.",
        "[image]\ncompression = \"zstd\"",
    ),
];

/// `[sbom]`.
pub static SBOM: Section = Section {
    path: &["sbom"],
    is_list: false,
    about: "Bills of materials: SPDX 2.3, SPDX 3.0.1 (spdx3), CycloneDX 1.6.",
    keys: SBOM_KEYS,
};

const SBOM_KEYS: &[Key] = &[
    key(
        "attach",
        SomeOf(&["cyclonedx", "spdx", "spdx3"]),
        Value("[]"),
        "Those that go beside the image, in oci:DIR, x.oci.tar and docker://, as OCI referrers. The image stays the same.",
        "[sbom]\nattach = [\"spdx\", \"cyclonedx\"]",
    ),
    key(
        "rootfs",
        SomeOf(&["cyclonedx", "spdx", "spdx3"]),
        Value("[]"),
        "Those that are files of the image, below /usr/share/sbom.",
        "[sbom]\nrootfs = [\"spdx\"]",
    ),
];

/// `[policy]`.
pub static POLICY: Section = Section {
    path: &["policy"],
    is_list: false,
    about: "A build that breaks one of these fails, and says which path or package. Policies change no byte of an image and make no \
            lock stale. The codes of findings are listed at the end of this page.",
    keys: POLICY_KEYS,
};

const POLICY_KEYS: &[Key] = &[
    key(
        "forbid",
        Strings,
        Value("[]"),
        "Codes of findings that are looked for only when this asks, and `unhardened`, which stands for those about hardening.",
        "[policy]\nforbid = [\"shell\", \"setuid\", \"package-manager\", \"unhardened\"]",
    ),
    key(
        "packages",
        Strings,
        Value("[]"),
        "Patterns of packages that must not be in.",
        "[policy]\npackages = [\"perl-base\", \"libsystemd*\"]",
    ),
    key(
        "wheels",
        Strings,
        Value("[]"),
        "Patterns of Python projects that must not be in.",
        "[policy]\nwheels = [\"setuptools\"]",
    ),
    key(
        "paths",
        Strings,
        Value("[]"),
        "Patterns of paths that must not be in.",
        "[policy]\npaths = [\"/usr/bin/{curl,wget}\"]",
    ),
    key(
        "max-size",
        Size,
        Nothing,
        "The most that the image may have, counted as a plain tar.",
        "[policy]\nmax-size = \"45 MiB\"",
    ),
    key("max-packages", Number, Nothing, "The most packages that it may have.", "[policy]\nmax-packages = 40"),
    key(
        "deny-warnings",
        BooleanOrStrings,
        Value("false"),
        "Codes of warnings that fail the build; true stands for all.",
        "[policy]\ndeny-warnings = [\"dangling-link\"]",
    ),
    key(
        "allow",
        Tables(&ALLOW),
        Value("[]"),
        "Exceptions.",
        "[policy]\nforbid = [\"setuid\"]\nallow = [{ rule = \"setuid\", path = \"/usr/bin/su\", reason = \"admins log in\" }]",
    ),
];

/// `[[policy.allow]]`.
pub static ALLOW: Section = Section {
    path: &["policy", "allow"],
    is_list: true,
    about: "An exception: what it meets is reported as excused, and where it meets nothing, that is a warning. It has a path or a \
            package, unless the rule is root-user, which concerns the image as a whole.",
    keys: ALLOW_KEYS,
};

const ALLOW_KEYS: &[Key] = &[
    key(
        "rule",
        String,
        Needed,
        "The code of a finding; any but those of limits.",
        "[policy]\nallow = [{ rule = \"dangling-link\", path = \"/etc/mtab\", reason = \"the runtime makes it\" }]",
    ),
    key(
        "reason",
        String,
        Needed,
        "Why it may be so, in at most 400 characters.",
        "[policy]\nallow = [{ rule = \"root-user\", reason = \"it binds port 80\" }]",
    ),
    key(
        "path",
        String,
        Words("everywhere"),
        "A pattern of paths.",
        "[policy]\nallow = [{ rule = \"setuid\", path = \"/usr/bin/su\", reason = \"admins log in\" }]",
    ),
    key(
        "package",
        String,
        Words("everybody's files"),
        "A pattern of packages, wheels or tarballs whose files are meant.",
        "[policy]\nallow = [{ rule = \"cut-dependency\", package = \"tzdata\", reason = \"it only asks questions\" }]",
    ),
];

/// `[limits]`.
pub static LIMITS: Section = Section {
    path: &["limits"],
    is_list: false,
    about: "What goes beyond one is refused. Limits change no byte of an image and make no lock stale; compose audit and compose \
            diff take them by --limit KEY=VALUE.",
    keys: LIMIT_KEYS,
};

const LIMIT_KEYS: &[Key] = &[
    key(
        "unpacked",
        Size,
        OfLimits,
        "Bytes of all files of an archive; of an image, of all its layers.",
        "[limits]\nunpacked = \"64 GiB\"",
    ),
    key(
        "entries",
        Number,
        OfLimits,
        "Files, links and folders of an archive or a layer, and extended headers.",
        "[limits]\nentries = 5000000",
    ),
    key(
        "names",
        Size,
        OfLimits,
        "Bytes of all names, link targets and extended attributes; of a wheel, of the zip's directory.",
        "[limits]\nnames = \"512 MiB\"",
    ),
    key(
        "control",
        Size,
        OfLimits,
        "Bytes of a .deb's control files, or of one file of a wheel's metadata; they are held in memory.",
        "[limits]\ncontrol = \"128 MiB\"",
    ),
    key(
        "extended-header",
        Size,
        OfLimits,
        "Bytes of one extended header of a tar archive (PAX, GNU long name).",
        "[limits]\nextended-header = \"4 MiB\"",
    ),
    key(
        "decoder-memory",
        Size,
        OfLimits,
        "Memory that a stream may ask for (the dictionary of xz, the window of zstd).",
        "[limits]\ndecoder-memory = \"1 GiB\"",
    ),
    key(
        "wheel-ratio",
        Number,
        OfLimits,
        "How many times larger than the wheel its files may be, where they are more than 64 MiB.",
        "[limits]\nwheel-ratio = 1000",
    ),
];
