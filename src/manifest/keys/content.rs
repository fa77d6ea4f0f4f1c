//! The keys that say what the image holds besides packages, and what it does not hold of them.

use super::{
    Key,
    Kind::{Boolean, Number, OneOf, String, Strings, Tables},
    Preset::{Needed, Nothing, Value, Words},
    Section, key,
};

/// `[python]`.
pub static PYTHON: Section = Section {
    path: &["python"],
    is_list: false,
    about: "The wheels of an application: those that fit the image's Python and C library, with the Debian packages that they need.",
    keys: PYTHON_KEYS,
};

const PYTHON_KEYS: &[Key] = &[
    key(
        "wheels",
        Strings,
        Value("[]"),
        "Files on this machine, as patterns relative to the manifest. They take the place of the lock's entry of that name.",
        "[python]\nwheels = [\"wheels/*.whl\"]",
    ),
    key(
        "lock",
        String,
        Nothing,
        "The application's lock, relative to the manifest: pylock.toml, uv.lock, poetry.lock, Pipfile.lock, or requirements.txt \
         with hashes.",
        "[python]\nlock = \"uv.lock\"",
    ),
    key(
        "groups",
        Strings,
        Value("[]"),
        "Groups of dependencies of the lock, besides what is always in.",
        "[python]\nlock = \"uv.lock\"\ngroups = [\"prod\"]",
    ),
    key(
        "extras",
        Strings,
        Value("[]"),
        "Extras of the application that the lock knows.",
        "[python]\nlock = \"uv.lock\"\nextras = [\"postgres\"]",
    ),
    key(
        "bytecode",
        Boolean,
        Value("false"),
        "Every module is compiled ahead of time, with the composed interpreter itself: programs start faster, and the image is \
         larger.",
        "[python]\nlock = \"uv.lock\"\nbytecode = true",
    ),
    key(
        "ignore-needs",
        Strings,
        Value("[]"),
        "Libraries, by their file's name, that wheels and tarballs can do without.",
        "[python]\nlock = \"uv.lock\"\nignore-needs = [\"libodbc.so.2\"]",
    ),
];

/// `[[tarballs]]`.
pub static TARBALLS: Section = Section {
    path: &["tarballs"],
    is_list: true,
    about: "A tar archive that is unpacked into the image. What its ELF files need goes to the solver.",
    keys: TARBALL_KEYS,
};

const TARBALL_KEYS: &[Key] = &[
    key(
        "source",
        String,
        Words("`url`"),
        "The file on this machine, relative to the manifest: plain, or in gzip, xz, zstd or bzip2.",
        "[[tarballs]]\nsource = \"python.tar.zst\"\nsha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n\
         path = \"/usr/local\"",
    ),
    key(
        "url",
        String,
        Words("`source`"),
        "Where it is fetched from, in place of source.",
        "[[tarballs]]\nurl = \"https://www.example.com/python.tar.zst\"\n\
         sha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\npath = \"/usr/local\"",
    ),
    key(
        "sha256",
        String,
        Needed,
        "What it must be, as sha256sum prints it.",
        "[[tarballs]]\nsource = \"python.tar.zst\"\nsha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n\
         path = \"/usr/local\"",
    ),
    key(
        "path",
        String,
        Needed,
        "The folder of the image that its content goes into.",
        "[[tarballs]]\nsource = \"python.tar.zst\"\nsha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n\
         path = \"/opt/python\"",
    ),
    key(
        "strip",
        Number,
        Value("0"),
        "How many folders are taken off the front of its names, at most 32.",
        "[[tarballs]]\nsource = \"python.tar.zst\"\nsha256 = \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n\
         path = \"/usr/local\"\nstrip = 1",
    ),
];

/// `[rootfs]`.
pub static ROOTFS: Section = Section {
    path: &["rootfs"],
    is_list: false,
    about: "What of packages, wheels and tarballs is left out. Patterns are absolute; `*` stays within a folder, `**` crosses them. \
            Copyright files and licences stay unless remove names them.",
    keys: ROOTFS_KEYS,
};

const ROOTFS_KEYS: &[Key] = &[
    key(
        "omit",
        Strings,
        Value(
            "[\"docs\", \"man\", \"locales\", \"gconv\", \"lintian\", \"completions\", \"menus\", \"services\", \
             \"shell-scripts\", \"perl-scripts\", \"package-tools\", \"python-tests\"]",
        ),
        "Groups of files; they are listed at the end of this page. [] leaves out nothing.",
        "[rootfs]\nomit = [\"docs\", \"man\", \"static-libs\"]",
    ),
    key(
        "remove",
        Strings,
        Value("[]"),
        "Patterns of further paths.",
        "[rootfs]\nremove = [\"/usr/lib/python3.*/idlelib/**\"]",
    ),
    key(
        "keep",
        Strings,
        Value("[]"),
        "Patterns of paths that stay, whatever omit and remove say.",
        "[rootfs]\nkeep = [\"/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so\"]",
    ),
];

/// `[[files]]`.
pub static FILES: Section = Section {
    path: &["files"],
    is_list: true,
    about: "Something of one's own in the image: exactly one of source, content, link and type. No two entries have the same path.",
    keys: FILE_KEYS,
};

const FILE_KEYS: &[Key] = &[
    key(
        "path",
        String,
        Needed,
        "Where it is in the image, absolute. / takes a folder's content.",
        "[[files]]\npath = \"/app\"\nsource = \"app/\"",
    ),
    key(
        "source",
        String,
        Words("one of the other three"),
        "A file or a folder with all below it, relative to the manifest.",
        "[[files]]\npath = \"/app\"\nsource = \"app/\"",
    ),
    key(
        "content",
        String,
        Words("one of the other three"),
        "The text of a file.",
        "[[files]]\npath = \"/etc/motd\"\ncontent = \"Welcome.\\n\"",
    ),
    key(
        "link",
        String,
        Words("one of the other three"),
        "What a symbolic link leads to.",
        "[[files]]\npath = \"/usr/local/bin/python\"\nlink = \"/usr/bin/python3\"",
    ),
    key(
        "type",
        OneOf(&["directory"]),
        Words("one of the other three"),
        "An empty folder.",
        "[[files]]\npath = \"/var/lib/app\"\ntype = \"directory\"\nowner = \"1000\"",
    ),
    key(
        "mode",
        String,
        Words("0755 for folders and what is executable, 0644 for other files"),
        "Permissions as chmod takes them, in octal and in quotes. A link has none.",
        "[[files]]\npath = \"/app/run\"\nsource = \"app/run\"\nmode = \"0755\"",
    ),
    key(
        "owner",
        String,
        Value("\"0:0\""),
        "A user, or a user and a group: numbers, or names of [accounts]. A user alone brings its own group.",
        "[[files]]\npath = \"/app\"\nsource = \"app/\"\nowner = \"1000:1000\"",
    ),
];

/// `[accounts]`.
pub static ACCOUNTS: Section = Section {
    path: &["accounts"],
    is_list: false,
    about: "Users and groups, besides those that Debian's base has and packages bring.",
    keys: ACCOUNT_KEYS,
};

const ACCOUNT_KEYS: &[Key] = &[
    key(
        "users",
        Tables(&USERS),
        Value("[]"),
        "Users; each has a group of its own name and number, unless it has a gid.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000, home = \"/home/web\" }]",
    ),
    key("groups", Tables(&GROUPS), Value("[]"), "Groups.", "[accounts]\ngroups = [{ name = \"data\", gid = 2000 }]"),
    key(
        "run-as",
        String,
        Words("root"),
        "Who the program of a container is: a user's name that the image knows, or `uid`, `uid:gid`, `name:group`.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000 }]\nrun-as = \"web\"",
    ),
];

/// `[[accounts.users]]`.
pub static USERS: Section =
    Section { path: &["accounts", "users"], is_list: true, about: "A user, as in passwd(5).", keys: USER_KEYS };

const USER_KEYS: &[Key] = &[
    key(
        "name",
        String,
        Needed,
        "At most 32 letters, digits, “.”, “_” and “-”, the first a letter or “_”.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000 }]",
    ),
    key(
        "uid",
        Number,
        Needed,
        "The number; 0, 65534 and 65535 are taken.",
        "[accounts]\nusers = [{ name = \"nonroot\", uid = 65532 }]",
    ),
    key(
        "gid",
        Number,
        Words("the uid"),
        "The number of the primary group.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000, gid = 2000 }]\ngroups = [{ name = \"data\", gid = 2000 }]",
    ),
    key(
        "home",
        String,
        Words("/home/NAME"),
        "The home folder. It is made, with mode 0700, if nothing else makes it.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000, home = \"/srv/web\" }]",
    ),
    key(
        "shell",
        String,
        Value("\"/usr/sbin/nologin\""),
        "The login shell, which need not be in the image.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000, shell = \"/bin/bash\" }]",
    ),
];

/// `[[accounts.groups]]`.
pub static GROUPS: Section =
    Section { path: &["accounts", "groups"], is_list: true, about: "A group, as in group(5).", keys: GROUP_KEYS };

const GROUP_KEYS: &[Key] = &[
    key("name", String, Needed, "As a user's name.", "[accounts]\ngroups = [{ name = \"data\", gid = 2000 }]"),
    key(
        "gid",
        Number,
        Needed,
        "The number; 0, 65534 and 65535 are taken.",
        "[accounts]\ngroups = [{ name = \"data\", gid = 2000 }]",
    ),
    key(
        "members",
        Strings,
        Value("[]"),
        "Names of users that belong to it.",
        "[accounts]\nusers = [{ name = \"web\", uid = 1000 }]\ngroups = [{ name = \"data\", gid = 2000, members = [\"web\"] }]",
    ),
];
