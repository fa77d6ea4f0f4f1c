//! 00 compose itself, 01 command line and manifest, 02 the lock, 03 solving: what was asked for.

refusals! { ASKED:
    INTERNAL 1 "internal" INTERNAL
        "Something happened that cannot happen: a fault of compose, and no verdict on what it was given."
        "report it with this message, the version of compose and what it was run on";

    BAD_OPTION 101 "bad-option" USAGE
        "Options of the command line exclude each other, or one has a value that it cannot have."
        "see `compose --help`, or `compose COMMAND --help`";
    SEVERAL_ARCHS 102 "several-archs" USAGE
        "One architecture has to be meant, and the manifest or lock has several."
        "choose one with --arch";
    BAD_ENVIRONMENT 103 "bad-environment" USAGE
        "A variable of the environment that compose heeds has a value that it cannot have, or one that is needed is not set."
        "mend the variable, or unset it";
    UNKNOWN_NAME 104 "unknown-name" USAGE
        "A name on the command line is that of nothing that compose knows or that is in the image."
        "check its spelling";
    TARGET_UNREADABLE 105 "target-unreadable" USAGE
        "The file or folder that the command is to look at is not there or may not be read."
        "name a manifest, a lock, an image or a rootfs";
    WRONG_TARGET 106 "wrong-target" USAGE
        "The file on the command line is of another kind than the command takes, such as a lock where a manifest is wanted."
        "name a manifest.toml; `compose --help` says which command takes what";
    MANIFEST_UNREADABLE 110 "manifest-unreadable" USAGE
        "The manifest is not there, may not be read, or is no text in UTF-8."
        "give the path of a manifest.toml that you may read";
    MANIFEST_TOO_LARGE 111 "manifest-too-large" USAGE
        "The manifest is longer than any manifest need be. A limit keeps a wrong path from being read into memory whole."
        "give the path of a manifest.toml";
    MANIFEST_SYNTAX 112 "manifest-syntax" USAGE
        "The manifest is not TOML (toml.io, version 1.0)."
        "mend the line that is shown";
    UNKNOWN_KEY 113 "unknown-key" USAGE
        "The manifest has a key that compose does not know. It might be a slip of one that matters, so none is passed over."
        "take it out, or mend its spelling";
    MISSING_KEY 114 "missing-key" USAGE
        "The manifest lacks a key without which it cannot be understood."
        "add it as shown";
    INVALID_VALUE 115 "invalid-value" USAGE
        "A value of the manifest is not one that its key can have."
        "mend it as shown";
    MANIFEST_CONTRADICTION 116 "manifest-contradiction" USAGE
        "Two places of the manifest exclude each other, or say one thing twice."
        "take one of the two out";
    NAMED_FILE_MISSING 117 "named-file-missing" USAGE
        "The manifest names a file or folder that is not there. Paths are relative to the manifest."
        "mend the path, or put the file there";
    MANIFEST_THERE 119 "manifest-there" USAGE
        "`compose init` is to write a manifest where there is one already, which may be dear to someone."
        "build with it, or replace it with --force";
    NO_MIRROR 120 "no-mirror" USAGE
        "No mirror of the Debian archive is known: neither --mirror, the manifest, COMPOSE_MIRROR nor this machine's apt names one."
        "name one with --mirror";
    BAD_MIRROR 121 "bad-mirror" USAGE
        "The mirror's URL is of a kind that compose does not fetch from."
        "give one that starts with https://, http:// or file:///";
    NO_SECURITY_MIRROR 122 "no-security-mirror" USAGE
        "Where the security archive is cannot be told from the mirror's URL, and an image without its fixes is not made unasked."
        "set security-mirror in [debian]";
    NO_REPOSITORY 123 "no-repository" USAGE
        "The manifest names no repository that packages could come from."
        "add [debian] with a suite, or [[repositories]]";
    REPOSITORY_TWICE 124 "repository-twice" USAGE
        "Two repositories of the manifest have one name, so the lock could not tell them apart."
        "give one of them another name";
    BAD_SUITE_NAME 125 "bad-suite-name" USAGE
        "A suite or component has characters that would lead elsewhere in a URL."
        "write it as the repository's own documentation does";
    BAD_REPOSITORY_URI 126 "bad-repository-uri" USAGE
        "A repository's URI is of a kind that compose does not fetch from."
        "give one that starts with https://, http:// or file:///";
    REMOTE_TRUSTED 127 "remote-trusted" USAGE
        "“trusted = true” stands at a repository that is not on this machine. Nothing remote is believed without a signature, and no switch changes that."
        "name the repository's key with signed-by";
    KEY_FILE_UNREADABLE 128 "key-file-unreadable" USAGE
        "The file with the keys that a repository is to be signed by cannot be read."
        "check the path in signed-by and the file's permissions";
    KEY_FILE_UNUSABLE 129 "key-file-unusable" USAGE
        "The file of signed-by holds no OpenPGP public key (RFC 9580) that compose can use."
        "give the repository's public key, armoured or binary";
    NOT_IN_SUITE 130 "not-in-suite" USAGE
        "The suite's signed Release lists no such component or architecture."
        "choose one of those that it has";
    BAD_REQUEST 131 "bad-request" USAGE
        "An entry of packages.install is not a relation as Debian Policy 7.1 writes them."
        "write such as \"openssl (>= 3.5)\"";
    BAD_PATTERN 132 "bad-pattern" USAGE
        "A pattern of the manifest cannot be understood."
        "write an absolute path in which *, ?, [] and ** may stand";
    NO_SNAPSHOT_ARCHIVE 133 "no-snapshot-archive" USAGE
        "The manifest wants Debian as it was at a time (debian.snapshot), and nothing says where Debian's archive of snapshots lies."
        "set COMPOSE_SNAPSHOT to the URL that has debian/ below it in its archive folder";
    MIRROR_INSTEAD_OF_SNAPSHOT 134 "mirror-instead-of-snapshot" USAGE
        "The manifest wants Debian as it was at a time (debian.snapshot), and a mirror, which has only today's, is named too."
        "leave the mirror or debian.snapshot out";
    SNAPSHOT_IN_FUTURE 135 "snapshot-in-future" USAGE
        "The manifest wants Debian as it will be at a time that has not come yet."
        "write an earlier debian.snapshot, and check this machine's clock";
    FILES_UNREADABLE 140 "files-unreadable" USAGE
        "A source of [[files]] cannot be read."
        "check the path and the file's permissions";
    FILES_SPECIAL 141 "files-special" USAGE
        "A source of [[files]] is a socket, a device or a pipe, whose content no image can hold."
        "leave it out of the folder that is copied";
    FILES_BAD_PATH 142 "files-bad-path" USAGE
        "A name of [[files]] cannot be in a root filesystem: it leads upwards, holds a NUL, or is longer than Linux allows."
        "give the file another name";
    FILES_IN_THE_WAY 143 "files-in-the-way" USAGE
        "[[files]] wants a file where a package has a folder, or a folder where it has a file."
        "choose another path, or take the package's file out with rootfs.remove";
    NO_PYTHON 144 "no-python" USAGE
        "[python] asks for wheels, and the image has no Python that they could be chosen for."
        "add python3 to packages.install";
    NO_LIBC 145 "no-libc" USAGE
        "[python] asks for wheels, and the image has no glibc that their binaries could run with (PEP 600)."
        "add libc6 to packages.install";
    NO_SUCH_USER 146 "no-such-user" USAGE
        "accounts.run-as names a user that the image does not have."
        "add it to accounts.users";
    SBOM_IN_THE_WAY 147 "sbom-in-the-way" USAGE
        "sbom.rootfs wants to put a bill of materials where something else is."
        "leave that file out, or do without sbom.rootfs";
    STRIP_LEAVES_NOTHING 148 "strip-leaves-nothing" USAGE
        "“strip” takes more folders off the names of a tarball than any of them has."
        "write a smaller number; `tar tf` lists the names";
    SECRET_KEY_UNREADABLE 150 "secret-key-unreadable" USAGE
        "The key that `compose vendor` is to sign with cannot be read."
        "check the path of --sign-with and the file's permissions";
    SECRET_KEY_UNUSABLE 151 "secret-key-unusable" USAGE
        "The file of --sign-with holds no OpenPGP secret key (RFC 9580) that compose can use."
        "give what `gpg --export-secret-keys --armor KEY` writes";
    SECRET_KEY_LOCKED 152 "secret-key-locked" USAGE
        "The secret key has a passphrase, and none was given."
        "give it in COMPOSE_SIGN_PASSPHRASE";
    WRONG_PASSPHRASE 153 "wrong-passphrase" USAGE
        "The passphrase does not open the secret key."
        "give its passphrase, as gpg takes it";
    SECRET_KEY_UNFIT 154 "secret-key-unfit" USAGE
        "What the secret key signs would be refused: it is weak, expired, revoked, or may not sign."
        "give an OpenPGP key (version 4, Ed25519 or RSA from 2048 bits) that may sign";
    NO_UNSHARE 155 "no-unshare" USAGE
        "Bytecode is compiled by the image's own interpreter in namespaces, which `unshare` of util-linux makes, and it is not here."
        "install util-linux, or set python.bytecode = false";
    NO_NAMESPACE 156 "no-namespace" USAGE
        "This machine does not let an ordinary user make the namespaces in which bytecode is compiled."
        "allow them, or set python.bytecode = false";
    NO_HOST_PYTHON 157 "no-host-python" USAGE
        "The image is for another architecture, and this machine has no Python of its version to compile bytecode with."
        "install that Python, or set python.bytecode = false";

    NO_LOCK 201 "no-lock" USAGE
        "The command works from the lock, and there is none."
        "run `compose lock MANIFEST`, and commit the lock";
    STALE_LOCK 202 "stale-lock" USAGE
        "The lock was made from a manifest that meant something else, so it answers another question."
        "run `compose lock MANIFEST`, and commit the lock";
    LOCK_MALFORMED 203 "lock-malformed" USAGE
        "The lock is not as this version of compose writes them: it was edited, cut off, or made by a newer one."
        "restore it from version control, or run with --update";
    LOCK_UNREADABLE 204 "lock-unreadable" USAGE
        "The lock is there and cannot be read."
        "check its permissions";
    LOCK_UNWRITABLE 205 "lock-unwritable" OUTPUT
        "The lock cannot be written where it belongs, so the build could not be repeated."
        "make the folder “snapshots” beside the manifest writable, and see that the disk has room";
    LOCK_UNKNOWN_REPOSITORY 206 "lock-unknown-repository" USAGE
        "The lock takes a package from a repository that neither it nor the manifest describes."
        "run with --update to make the lock anew";
    LOCK_BAD_WHEEL 207 "lock-bad-wheel" USAGE
        "What the lock says of a wheel cannot be."
        "restore the lock from version control, or run with --update";
    LOCKED_WHEEL_MISSING 208 "locked-wheel-missing" USAGE
        "A wheel of the lock has no URL, and is no longer on this machine."
        "put it where python.wheels or the application's lock says, or run with --update";
    LOCK_INCOMPLETE 209 "lock-incomplete" USAGE
        "The lock does not say what met a request of the manifest."
        "run with --update to make it anew";
    NEVER_BUILT 210 "never-built" USAGE
        "The lock has no digests of an image: it was resolved and never built from, so there is nothing to compare with."
        "build once, and commit the lock";
    LOCK_OTHER_ARCH 211 "lock-other-arch" USAGE
        "The lock has nothing for the architecture."
        "choose one that it has with --arch, or add it to archs and run `compose lock`";
    LOCK_CONTRADICTED 212 "lock-contradicted" TRUST
        "The packages that the lock names by their digests say other things of themselves than the lock does."
        "run with --update to make it anew";
    LOCK_BAD_PLACE 213 "lock-bad-place" USAGE
        "The lock names a file by a path that would lie outside the folder it is copied to."
        "run with --update to make the lock anew";
    LOCK_CLASH 214 "lock-clash" USAGE
        "Two files of the lock would lie at one path of the vendored folder."
        "vendor each architecture into a folder of its own (--arch)";

    UNSATISFIABLE 301 "unsatisfiable" NO_SOLUTION
        "No set of packages meets the manifest and every Depends, Conflicts and Breaks (Debian Policy 7). The message is the proof, step by step."
        "take a request or a prohibition out that the steps name, or add a repository";
    SEARCH_GIVEN_UP 302 "search-given-up" NO_SOLUTION
        "The solver reached its limit without a solution and without a proof that there is none."
        "ask for fewer packages at once, or decide some choices with prefer and forbid";
    NOBODY_SHIPS 303 "nobody-ships" NO_SOLUTION
        "No package of the repositories ships the file or library that packages.install asks for by name."
        "check its spelling, or add the repository that has it";
    UNPROVIDED_LIBRARY 304 "unprovided-library" NO_SOLUTION
        "A wheel, tarball or file of the manifest needs a library that no package of the repositories ships for it."
        "add the repository that has it, or name it in python.ignore-needs if the program does without";
    UNSTABLE_PYTHON 305 "unstable-python" NO_SOLUTION
        "What the wheels need changes the Python that they were chosen for, and choosing them again changes it back."
        "choose one Python by its package in packages.install";
}
