//! 07 wheels and applications' locks, 08 output, disk and cache, 09 images, registries and advisories, 10 the finished
//! tree: what an image is made of, and what is made.

refusals! { MADE:
    WHEEL_UNREADABLE 701 "wheel-unreadable" OUTPUT
        "The file of a wheel cannot be read from this machine's disk."
        "check the file and its permissions";
    WHEEL_UNWRITABLE 702 "wheel-unwritable" OUTPUT
        "What is in a wheel cannot be written to this machine's disk."
        "check the disk: its space and its permissions";
    WHEEL_NOT_A_ZIP 703 "wheel-not-a-zip" TRUST
        "The wheel is not a sound zip archive, or one that two programs could read in two ways (PEP 427; PyPI refuses such since 2025)."
        "fetch it again, and if it stays so, tell its makers";
    WHEEL_BAD_ENTRY 704 "wheel-bad-entry" TRUST
        "An entry has no place in a wheel: its name leads out of its folder, or it is a link or something else than a file."
        "tell its makers, or lock another version of the project";
    WHEEL_COLLISION 705 "wheel-collision" TRUST
        "Two entries would be installed at one path."
        "tell its makers, or lock another version of the project";
    WHEEL_DIST_INFO 706 "wheel-dist-info" TRUST
        "The wheel has no .dist-info directory, or several, where PEP 427 wants one."
        "tell its makers, or lock another version of the project";
    WHEEL_METADATA_MISSING 707 "wheel-metadata-missing" TRUST
        "A file of the wheel's metadata that has to be there is not."
        "tell its makers, or lock another version of the project";
    WHEEL_METADATA_MALFORMED 708 "wheel-metadata-malformed" TRUST
        "A file of the wheel's metadata cannot be understood."
        "tell its makers, or lock another version of the project";
    WHEEL_MISNAMED 709 "wheel-misnamed" TRUST
        "The wheel holds another project, version or build than its file name says."
        "fetch it again: it was renamed, or given out under a false name";
    WHEEL_VERSION 710 "wheel-version" TRUST
        "The wheel or its metadata is of a format that is not known yet."
        "take a newer compose, or lock an older version of the project";
    WHEEL_UNRECORDED 711 "wheel-unrecorded" TRUST
        "A file of the wheel has no digest in its RECORD, so nobody vouches for it (PEP 427)."
        "fetch it again, and if it stays so, ask its makers for a sound one";
    WHEEL_FILE_ABSENT 712 "wheel-file-absent" TRUST
        "RECORD lists a file that the wheel does not hold."
        "fetch it again, and if it stays so, ask its makers for a sound one";
    WHEEL_WEAK_DIGEST 713 "wheel-weak-digest" TRUST
        "A digest of RECORD is not SHA-256, SHA-384 or SHA-512, as PEP 427 wants."
        "tell its makers, or lock another version of the project";
    WHEEL_TAMPERED 714 "wheel-tampered" TRUST
        "A file of the wheel has not the digest or size that RECORD lists: it was changed after it was built."
        "fetch it again, and if it stays so, ask its makers for a sound one";
    WHEEL_UNDECODABLE 715 "wheel-undecodable" TRUST
        "An entry of the wheel cannot be unpacked."
        "fetch it again, and if it stays so, tell its makers";
    WHEEL_CHANGED 716 "wheel-changed" TRUST
        "The wheel changed while it was installed."
        "build again, when nothing writes to it";
    WHEEL_BAD_INTERPRETER 718 "wheel-bad-interpreter" TRUST
        "The interpreter's path cannot stand in the first line of a script: Linux reads no more than 255 bytes, and no blanks."
        "choose a prefix that is shorter or has no blanks";
    ZIP_BOMB 719 "zip-bomb" TRUST
        "Unpacked, the wheel would have far more bytes than a wheel of its size can: it is made to fill the disk."
        "look into it before you use it";
    WHEEL_ALL_REMOVED 721 "wheel-all-removed" USAGE
        "rootfs.remove and rootfs.omit leave nothing of a wheel."
        "take the wheel out, or narrow the pattern";
    WHEEL_OTHER_PYTHON 722 "wheel-other-python" USAGE
        "The wheel's Requires-Python excludes the image's Python."
        "choose another version of it, or another suite";
    WHEEL_MISFIT 723 "wheel-misfit" USAGE
        "pip brought a wheel that is not for the image."
        "update pip, or use a lock that names files (pylock.toml, uv.lock, poetry.lock)";
    APPLICATION_FILE_UNREADABLE 731 "application-file-unreadable" USAGE
        "The application's lock, or a wheel of python.wheels, cannot be read."
        "check the path in [python] and the file's permissions";
    NO_WHEEL_MATCHES 733 "no-wheel-matches" USAGE
        "A pattern of python.wheels matches no file."
        "put the wheels there, or take the pattern out";
    BAD_WHEEL_NAME 734 "bad-wheel-name" USAGE
        "A file's name does not say what wheel it is (binary distribution format, “File name convention”)."
        "give it the name that it was built under, or take it out of the pattern";
    NO_WHEEL_FITS 735 "no-wheel-fits" USAGE
        "None of a project's wheels in python.wheels runs on the image's Python, machine and glibc."
        "build or download it for that, or take it out";
    WHEELS_OF_ONE_PROJECT 736 "wheels-of-one-project" USAGE
        "Two wheels of one project both fit, and only one can be installed."
        "take one of them out";
    APP_LOCK_FORMAT 741 "app-lock-format" USAGE
        "The name of python.lock is that of no lock that compose reads."
        "give a pylock.toml, uv.lock, poetry.lock, Pipfile.lock, or requirements with hashes";
    APP_LOCK_TOO_LARGE 742 "app-lock-too-large" USAGE
        "The application's lock is longer than any need be."
        "give the application's lock in python.lock";
    APP_LOCK_NOT_TEXT 743 "app-lock-not-text" USAGE
        "The application's lock is not in UTF-8."
        "write it again with the tool that made it";
    APP_LOCK_SYNTAX 744 "app-lock-syntax" USAGE
        "The application's lock is not TOML or JSON, as its format wants."
        "write it again with the tool that made it";
    APP_LOCK_LAYOUT 745 "app-lock-layout" USAGE
        "The application's lock has a layout of a version that compose does not read."
        "write it again with a version of the tool that compose knows";
    APP_LOCK_VALUE 746 "app-lock-value" USAGE
        "A value of the application's lock is not one that its field can have."
        "write it again with the tool that made it";
    APP_LOCK_MARKER 747 "app-lock-marker" USAGE
        "A marker of the application's lock cannot be evaluated (dependency specifiers)."
        "write it again with the tool that made it";
    APP_LOCK_UNKNOWN_NAME 748 "app-lock-unknown-name" USAGE
        "The application's lock has no such group, extra or package as [python] asks for."
        "choose one that it has";
    APP_LOCK_WITHOUT_GROUPS 749 "app-lock-without-groups" USAGE
        "[python] asks for a group or extra, and this kind of lock has none."
        "leave it out, or use a lock that has them (pylock.toml, uv.lock)";
    APP_LOCK_OTHER_PYTHON 750 "app-lock-other-python" USAGE
        "The application's lock excludes the image's Python."
        "choose another Python for the image, or lock again for this one";
    APP_LOCK_OTHER_ENVIRONMENT 751 "app-lock-other-environment" USAGE
        "The application's lock was made for other machines or systems than the image."
        "lock again with this environment among those wanted";
    APP_LOCK_TWICE 752 "app-lock-twice" USAGE
        "The application's lock wants a project twice for this image."
        "lock again so that one entry applies";
    APP_LOCK_WITHOUT_HASH 753 "app-lock-without-hash" USAGE
        "The application's lock has no SHA-256 of a file. Only files pinned by one are taken; MD5 and SHA-1 never count."
        "lock again with hashes";
    APP_LOCK_SOURCE_ONLY 754 "app-lock-source-only" USAGE
        "The application's lock has only a source archive of a project; to build it would run its code."
        "build a wheel (“pip wheel --no-deps”) and name it in python.wheels, or lock a version that has one";
    APP_LOCK_UNPINNED 755 "app-lock-unpinned" USAGE
        "The application's lock does not pin a project to one version."
        "write one (“==VERSION”) where the lock is made from, and lock again";
    APP_LOCK_NO_FILES 756 "app-lock-no-files" USAGE
        "The application's lock lists no file of a project."
        "lock again with the tool that made the lock";
    APP_LOCK_NONE_FITS 757 "app-lock-none-fits" USAGE
        "No wheel of the application's lock runs on the image's Python, machine and glibc."
        "lock a version that has one, or build one and name it in python.wheels";
    APP_LOCK_NOT_BUILT 758 "app-lock-not-built" USAGE
        "A project comes from a folder or from version control, and compose builds nothing."
        "build a wheel of it (“uv build --wheel”) and name it in python.wheels";
    APP_LOCK_MISNAMED 759 "app-lock-misnamed" USAGE
        "A file's name in the application's lock is that of another project or version."
        "lock again: the lock was edited or is broken";
    APP_LOCK_DANGLING 760 "app-lock-dangling" USAGE
        "A project of the application's lock depends on one that the lock does not hold."
        "lock again with the tool that made it";
    APP_LOCK_NO_ROOT 761 "app-lock-no-root" USAGE
        "uv.lock names no project to start from."
        "run “uv lock” again";
    APP_LOCK_LINE 762 "app-lock-line" USAGE
        "A line of requirements cannot be understood, or asks for what a lock cannot hold."
        "lock again with the tool that made it";
    PIP_BROUGHT_ANOTHER 771 "pip-brought-another" TRUST
        "What the index has under a wheel's name has another digest than the application's lock promises."
        "find out who changed it; if it is meant so, make the application's lock anew";

    CACHE_FULL 801 "cache-full" OUTPUT
        "The disk or quota that the cache lies on is full."
        "free some space, run `compose cache gc --limit SIZE`, or set COMPOSE_CACHE to a folder with more";
    CACHE_NOT_WRITABLE 802 "cache-not-writable" OUTPUT
        "The cache may not be written to."
        "set COMPOSE_CACHE to a folder that you may write to";
    CACHE_UNUSABLE 803 "cache-unusable" OUTPUT
        "The operating system refuses an operation on the cache; the message has its words."
        "set COMPOSE_CACHE to another folder";
    CACHE_DAMAGED 804 "cache-damaged" OUTPUT
        "A file of the cache is not what was put there."
        "run `compose cache verify`, which removes what is damaged, and build again";
    CACHE_MENDED 805 "cache-mended" CHECK
        "`compose cache verify` found damaged entries and removed them."
        "build again; if it comes back, check the disk";
    OUTPUT_FULL 811 "output-full" OUTPUT
        "The disk or quota that the output goes to is full. Nothing half-written stays there."
        "free some space, or choose another place with -o";
    OUTPUT_NOT_WRITABLE 812 "output-not-writable" OUTPUT
        "The output's place may not be written to."
        "choose a place that you may write to";
    OUTPUT_UNUSABLE 813 "output-unusable" OUTPUT
        "The operating system refuses to write the output; the message has its words."
        "choose another place for it";
    SOURCE_CHANGED 814 "source-changed" OUTPUT
        "A file that the manifest takes into the image changed while the image was made, so its digest would not hold."
        "build again, when nothing writes to it";
    OUTPUT_OCCUPIED 815 "output-occupied" OUTPUT
        "The output's folder is not empty and is not known as made by compose, so what is in it might be dear to \
            someone. A rootfs is known by the cache of the run that wrote it."
        "remove it, choose another output, or use --force";
    OUTPUT_WRONG_KIND 816 "output-wrong-kind" OUTPUT
        "What is at the output's place is of another kind, which cannot be replaced in one step."
        "remove it, or choose another output";
    OUTPUT_INSIDE_OUTPUT 817 "output-inside-output" USAGE
        "One output would lie inside another."
        "write them beside each other";
    OUTPUT_TWICE 818 "output-twice" USAGE
        "Two outputs have one place."
        "name each output once";
    UNKNOWN_OUTPUT 819 "unknown-output" USAGE
        "The output's name says no form that compose writes."
        "write rootfs/, x.tar, x.tar.gz, x.tar.zst, x.oci.tar or oci:DIR";
    OUTPUT_WITH_DIGEST 820 "output-with-digest" USAGE
        "The output names an image in a registry by a digest; what is pushed gets its own."
        "write docker://registry.example.com/name:tag";
    STDOUT_UNWRITABLE 821 "stdout-unwritable" OUTPUT
        "The result cannot be written to standard output, so whoever reads it has only a part."
        "see where standard output leads";
    VENDORED_CHANGED 822 "vendored-changed" OUTPUT
        "A file changed between being verified and being copied."
        "run again, when nothing writes to it";
    IMAGE_FILE_UNREADABLE 823 "image-file-unreadable" OUTPUT
        "A file of the finished image cannot be read back."
        "build again; if it comes back, check the disk";
    OUTPUT_IN_CACHE 824 "output-in-cache" USAGE
        "The output would lie in the cache, which is tidied and removes what it does not know, or would take its place."
        "choose a place that is neither in the cache nor around it";
    ONE_ARCHITECTURE_OUTPUT 825 "one-architecture-output" USAGE
        "The output holds the files of one architecture, and several are built."
        "put {arch} into its name, write oci:DIR or x.oci.tar, or choose one with --arch";
    OUTPUT_OVER_INPUT 826 "output-over-input" USAGE
        "The output would take the place of a folder or file that the image is made of: the manifest, the lock, or what either of them names on this machine."
        "choose a place that has nothing of yours in it";

    IMAGE_UNREADABLE 901 "image-unreadable" USAGE
        "The image is not there, or may not be read."
        "check that it is there and may be read";
    NOT_AN_IMAGE 902 "not-an-image" USAGE
        "What is named is neither an image nor a root filesystem of a form that compose knows."
        "name an OCI layout, a tar archive of one or of a rootfs, or a rootfs directory";
    IMAGE_UNDECODABLE 903 "image-undecodable" TRUST
        "A part of the image cannot be decompressed."
        "fetch or build it again: it was damaged or altered";
    IMAGE_BAD_DOCUMENT 904 "image-bad-document" TRUST
        "A document of the image (index, manifest, configuration) is not as the OCI image specification wants it."
        "tell whoever made it: a container runtime would not take it either, or not safely";
    IMAGE_INCOMPLETE 905 "image-incomplete" TRUST
        "The image names a part of itself that is not there."
        "fetch or build it again: it was damaged or altered";
    IMAGE_MEMBER_TWICE 906 "image-member-twice" TRUST
        "The image's archive holds one name twice, so that two readers could take two."
        "fetch or build it again: no runtime should start it";
    IMAGE_AMBIGUOUS 907 "image-ambiguous" TRUST
        "The archive is one image for docker and another for OCI's tools."
        "fetch or build it again: no runtime should start it";
    IMAGE_BLOB_SIZE 908 "image-blob-size" TRUST
        "A part of the image has another size than its descriptor says."
        "fetch or build it again: it was damaged or altered";
    IMAGE_BLOB_DIGEST 909 "image-blob-digest" TRUST
        "A part of the image has another digest than it is named by."
        "fetch or build it again: it was damaged or altered";
    IMAGE_DIFF_ID 910 "image-diff-id" TRUST
        "A layer, decompressed, has another digest than the image's configuration says."
        "fetch or build it again: no runtime should start it";
    IMAGE_LAYER_COUNT 911 "image-layer-count" TRUST
        "The image has another number of layers than its configuration says."
        "fetch or build it again: no runtime should start it";
    IMAGE_MEDIA_TYPE 912 "image-media-type" USAGE
        "A part of the image is of a kind that compose cannot read, such as an encrypted layer."
        "name an image of a root filesystem";
    IMAGE_OTHER_ARCH 913 "image-other-arch" USAGE
        "The image is not for the architecture that was asked for, or has nothing of it."
        "ask for an architecture that is there, or leave --arch out";
    IMAGE_SEVERAL 914 "image-several" USAGE
        "There are several images at that place, and nothing says which one is meant."
        "name the architecture with --arch, or take the one that is meant out with skopeo copy";
    NO_IMAGE 915 "no-image" USAGE
        "The place holds no image of Linux."
        "name an image of a root filesystem";
    LAYER_WHITEOUT 921 "layer-whiteout" TRUST
        "A whiteout names nothing that could be removed (OCI image specification, “Whiteouts”)."
        "tell whoever made the image";
    LAYER_ROOT 922 "layer-root" TRUST
        "A layer has the root itself as something else than a directory."
        "tell whoever made the image";
    LAYER_PARENT 923 "layer-parent" TRUST
        "A layer has a file below what is no directory."
        "tell whoever made the image";
    LAYER_LOOP 924 "layer-loop" TRUST
        "A layer's path leads through more symbolic links than Linux follows (40)."
        "tell whoever made the image";
    LAYER_HARD_LINK 925 "layer-hard-link" TRUST
        "A layer's hard link leads to what is not there or cannot have a second name."
        "tell whoever made the image";
    REGISTRY_BAD_DOCUMENT 931 "registry-bad-document" USAGE
        "What the registry has under this name is no OCI image that compose can read."
        "ask whoever made the image for one of an OCI image";
    REGISTRY_TOO_LARGE 932 "registry-too-large" USAGE
        "A part of the image is larger than compose fetches."
        "if it is meant to be that large, copy it to this machine with skopeo and name that";
    CREDENTIALS_UNUSABLE 933 "credentials-unusable" USAGE
        "The file with the credentials of registries cannot be used (containers-auth.json(5))."
        "log in again, or name another file with REGISTRY_AUTH_FILE";
    BAD_IMAGE_NAME 934 "bad-image-name" USAGE
        "That is not how an image in a registry is named (OCI distribution specification)."
        "write docker://registry.example.com/name:tag, or @sha256:… for an exact one";
    PUSH_REFUSED 935 "push-refused" NETWORK
        "The registry does not take the image, or does not do what the distribution specification says. The tag is written last: nothing half there has a name."
        "ask whoever runs the registry, with its answer";
    PUSHED_ALTERED 936 "pushed-altered" TRUST
        "The registry calls what was pushed by another digest than compose did."
        "do not use it, and push again";
    CREDENTIAL_HELPER_FAILED 937 "credential-helper-failed" NETWORK
        "The program that keeps the login for the registry (credHelpers or credsStore) cannot be run, or does not answer as it should."
        "try it by hand: echo REGISTRY | docker-credential-NAME get";
    ADVISORY_FILE_UNREADABLE 941 "advisory-file-unreadable" USAGE
        "A file or folder with advisories or VEX statements cannot be read."
        "check the name and its permissions";
    ADVISORY_FILE_TOO_LARGE 942 "advisory-file-too-large" USAGE
        "A file is larger than its like can be; compose reads no more than its limits into memory."
        "check that it is the file that is meant";
    TRACKER_DOWNLOAD_BROKEN 943 "tracker-download-broken" NETWORK
        "What the server sends is not the Debian Security Tracker's JSON, so nothing can be said of vulnerabilities."
        "try again in some minutes, or name a copy with --tracker FILE";
    TRACKER_FILE_BROKEN 944 "tracker-file-broken" USAGE
        "The file of --tracker is not the Debian Security Tracker's JSON."
        "fetch it anew from https://security-tracker.debian.org/tracker/data/json";
    SUITE_NOT_TRACKED 945 "suite-not-tracked" NETWORK
        "The Debian Security Tracker does not speak of the image's suite. That nothing is known must not look as if nothing were wrong."
        "update to a suite that is supported, or leave --cve out";
    NO_PYTHON_ADVISORIES 946 "no-python-advisories" NETWORK
        "The OSV dump holds no advisory of Python projects. That nothing is known must not look as if nothing were wrong."
        "give OSV's dump of the PyPI ecosystem";
    OSV_BROKEN 947 "osv-broken" USAGE
        "A file of the OSV dump is no advisory (OSV schema)."
        "unpack or download the dump anew";
    VEX_UNUSABLE 948 "vex-unusable" USAGE
        "The VEX document cannot be honoured as it stands (OpenVEX specification)."
        "mend what the message names";
    AUDIT_BLIND 951 "audit-blind" CHECK
        "--fail-on was asked for, and nothing, or not everything, could be looked up; what was not looked at cannot pass."
        "see “not looked up” and the notes in the report";
    VULNERABILITIES_FOUND 952 "vulnerabilities-found" CHECK
        "The image has vulnerabilities of the severity that --fail-on names, or worse."
        "update, or say in an OpenVEX document why they do no harm and name it with --vex";

    CHECKS_FAILED 1001 "checks-failed" CHECK
        "The checks of the finished tree, or the manifest's [policy], found what must not be. Nothing is written. Each finding has a name of its own."
        "do what is said below each finding; `compose explain NAME` tells more of one";
    PATH_CONFLICT 1002 "path-conflict" CHECK
        "Two packages, wheels or tarballs bring different things for one path, and no Replaces (Debian Policy 7.6) decides."
        "do without one of the two, or leave the path out with rootfs.remove";
    ELF_MALFORMED 1003 "elf-malformed" CHECK
        "A program or library of a wheel, tarball or [[files]] entry breaks the ELF format, so what it needs cannot be told."
        "leave it out with rootfs.remove if nothing needs it, or get a whole one";
    FINISH_UNREADABLE 1011 "finish-unreadable" CHECK
        "A file of the image that says how to finish it cannot be read."
        "build again; if it comes back, run `compose cache verify`";
    NOT_A_DIRECTORY 1012 "not-a-directory" CHECK
        "A file has to be made where the image has no directory."
        "take the package or the [[files]] entry out that put something else there";
    INCLUDE_TOO_DEEP 1013 "include-too-deep" CHECK
        "A file of ld.so.conf includes itself, or includes too deeply or too many (ldconfig(8))."
        "mend its “include” lines";
    LD_CACHE_TOO_LARGE 1014 "ld-cache-too-large" CHECK
        "The libraries' names do not fit into /etc/ld.so.cache (4 GiB)."
        "leave libraries out with rootfs.remove";
    ACCOUNT_CLASH 1015 "account-clash" CHECK
        "An account of the manifest has the name or number of one that a package brings."
        "choose another name or number in [accounts]";
    FINISH_BAD_LINE 1016 "finish-bad-line" CHECK
        "A line of a file that says how to finish the image cannot be understood."
        "mend it, or leave the file out with rootfs.remove";
    NO_FREE_ID 1017 "no-free-id" CHECK
        "No number is left for a system account (Debian Policy 9.2.2)."
        "give it one in [accounts]";
    FINISH_TOO_LONG 1018 "finish-too-long" CHECK
        "A file of the image that says how to finish it is longer than any such file needs to be."
        "take the package or the [[files]] entry out that put it there";
    NO_INTERPRETER 1021 "no-interpreter" CHECK
        "The image has no interpreter that could compile bytecode."
        "install the interpreter, or set python.bytecode = false";
    BYTECODE_SOURCE_UNREADABLE 1022 "bytecode-source-unreadable" CHECK
        "A module of the image cannot be read to compile it."
        "build again; if it comes back, run `compose cache verify`";
    BYTECODE_SOURCE_CHANGED 1023 "bytecode-source-changed" CHECK
        "A module changed while it was compiled."
        "build again, when nothing writes to it";
    INTERPRETER_NOT_STARTED 1024 "interpreter-not-started" CHECK
        "The interpreter that is to compile bytecode does not start."
        "see that the image holds the libraries it needs, or set python.bytecode = false";
    INTERPRETER_IS_ANOTHER 1025 "interpreter-is-another" CHECK
        "The interpreter is of another version than the modules are for, and its bytecode would never be used."
        "name the interpreter that the modules are for, or set python.bytecode = false";
    INTERPRETER_DIED 1026 "interpreter-died" CHECK
        "The interpreter ended while it compiled a module."
        "take the file out with rootfs.remove, or set python.bytecode = false";
    INTERPRETER_HUNG 1027 "interpreter-hung" CHECK
        "The interpreter did not come to an end with a module, and was stopped."
        "take the file out with rootfs.remove, or set python.bytecode = false";
    INTERPRETER_WRONG_ANSWER 1028 "interpreter-wrong-answer" CHECK
        "The interpreter's answer for a module is not bytecode of it."
        "take the file out with rootfs.remove, or set python.bytecode = false";
    BUILD_DIFFERS 1031 "build-differs" DIFFERS
        "What was built is not what the lock says of it."
        "build without --locked, and look at the lock's changes";
    TARGETS_DIFFER 1032 "targets-differ" DIFFERS
        "The two are not the same, and --exit-code was asked for."
        "see the report";
    INPUTS_DAMAGED 1033 "inputs-damaged" DIFFERS
        "Files of the cache that the lock names are not what it says."
        "run `compose cache verify`, which removes them, and verify again";
    WHEELS_CHANGED 1034 "wheels-changed" DIFFERS
        "Local wheels, or the application's lock, are not those that the lock was made with."
        "restore them, or build anew and look at the lock's changes";
}
