//! 04 signatures, digests and freshness, 05 the network, 06 `.deb` and tar: what comes from outside.

refusals! { FETCHED:
    NOT_SIGNED 401 "not-signed" TRUST
        "The document does not begin as a signed message does (RFC 9580, 7). Nothing of a repository is believed without a signature by a key that signed-by names, or Debian's own."
        "choose another mirror; the answer may be an error page";
    UNSIGNED_TEXT 402 "unsigned-text" TRUST
        "There is text before, between or after the signed part. A reader that overlooks it can be made to take it for signed (CVE-2016-1252 was of that kind)."
        "choose another mirror, and tell the archive's keepers";
    SIGNED_MESSAGE_MALFORMED 403 "signed-message-malformed" TRUST
        "A line of the signed message breaks its format (RFC 9580, 7), so that two readers could read two texts."
        "choose another mirror";
    SIGNED_MESSAGE_TRUNCATED 404 "signed-message-truncated" TRUST
        "The signed message ends too early."
        "try again, or choose another mirror";
    SIGNED_MESSAGE_TOO_LONG 405 "signed-message-too-long" TRUST
        "The signed message, one of its lines or its signature is longer than any need be; compose reads no more than its limits into memory."
        "choose another mirror";
    SIGNATURE_UNREADABLE 406 "signature-unreadable" TRUST
        "What stands for the signature is no OpenPGP signature (RFC 9580, 5.2), or holds other packets too."
        "choose another mirror, and tell the archive's keepers";
    NO_SIGNATURE 407 "no-signature" TRUST
        "The message has the form of a signed one, and no signature in it."
        "choose another mirror";
    KEY_NOT_TRUSTED 408 "key-not-trusted" TRUST
        "The signature is by a key that neither signed-by names nor Debian's archive uses."
        "if this repository has a key of its own, get it from its makers and name it with signed-by";
    SIGNATURE_OF_SOMETHING_ELSE 409 "signature-of-something-else" TRUST
        "The signature is by its own word not over a document but over something else, such as a key."
        "choose another mirror, and tell the archive's keepers";
    SIGNATURE_VERSION 410 "signature-version" TRUST
        "The signature is of a version that is outdated or not known: 4 and 6 count (RFC 9580, 5.2)."
        "tell the archive's keepers to sign with a current OpenPGP program";
    SIGNATURE_UNDATED 411 "signature-undated" TRUST
        "The signature does not say when it was made, so its age cannot be judged."
        "tell the archive's keepers";
    SIGNATURE_EXPIRED 412 "signature-expired" TRUST
        "The signature has a lifetime (RFC 9580, 5.2.3.18), and it is over. An old state of the archive could be shown with it for ever otherwise."
        "choose a mirror that is up to date, and check this machine's clock";
    SIGNATURE_IN_FUTURE 413 "signature-in-future" TRUST
        "The signature is dated later than now."
        "check this machine's clock";
    SIGNATURE_CRITICAL_PART 414 "signature-critical-part" TRUST
        "The signature has a part that is marked critical and that compose does not understand; such a one must not count (RFC 9580, 5.2.3.7)."
        "tell the archive's keepers";
    HASH_NOT_NAMED 415 "hash-not-named" TRUST
        "The signature's hash is none of those that the message's “Hash:” header announces (RFC 9580, 7)."
        "tell the archive's keepers, or choose another mirror";
    WEAK_HASH 416 "weak-hash" TRUST
        "The signature is made with MD5, SHA-1 or another hash that can be forged, and never counts; apt and gpgv refuse it too."
        "tell the archive's keepers to sign with SHA-256 or better";
    KEY_VERSION 417 "key-version" TRUST
        "The key is of an outdated version: 4 and 6 count."
        "tell the archive's keepers to use a new key";
    KEY_NOT_SELF_SIGNED 418 "key-not-self-signed" TRUST
        "The key has no valid signature of its own, or only one with a broken hash, so nothing says what it may do and how long it holds."
        "get the key anew from the archive's keepers";
    SUBKEY_NOT_BOUND 419 "subkey-not-bound" TRUST
        "The trusted key does not vouch for the subkey that signed (RFC 9580, 10.1.5)."
        "get the key anew from the archive's keepers";
    SUBKEY_NOT_CONFIRMED 420 "subkey-not-confirmed" TRUST
        "The subkey that signed does not vouch for its primary key, so it may have been taken from someone else (RFC 9580, 5.2.3.34)."
        "get the key anew from the archive's keepers";
    KEY_NOT_FOR_SIGNING 421 "key-not-for-signing" TRUST
        "The key's flags (RFC 9580, 5.2.3.29) do not let it sign data."
        "tell the archive's keepers";
    WEAK_KEY 422 "weak-key" TRUST
        "The key is DSA, or RSA under 2048 bits; apt from 2.9 on refuses it too."
        "tell the archive's keepers to use a new key";
    KEY_YOUNGER 423 "key-younger" TRUST
        "The key was made after the signature that it is to have made."
        "get the key anew from the archive's keepers";
    KEY_EXPIRED 424 "key-expired" TRUST
        "The key's lifetime is over (RFC 9580, 5.2.3.13)."
        "get its renewed form from the archive's keepers, and check this machine's clock";
    KEY_REVOCATION_UNCHECKED 425 "key-revocation-unchecked" TRUST
        "The key carries a revocation that cannot be checked here; to believe it is the safe mistake."
        "get the key anew from the archive's keepers";
    KEY_REVOKED 426 "key-revoked" TRUST
        "The key's owner has revoked it: it may be in other hands."
        "get the new key from the archive's keepers";
    SIGNED_TEXT_ALTERED 427 "signed-text-altered" TRUST
        "A trusted key has signed other bytes than these: the text or the signature was altered after it was made."
        "choose another mirror: this one, or something on the way, changes what it sends";
    VENDORED_KEY_NOT_NAMED 428 "vendored-key-not-named" TRUST
        "The folder that `compose vendor` made is signed by a key of its maker, which nobody on this command line or in the manifest has named."
        "compare its key with theirs, and run with --signed-by";
    RELEASE_MALFORMED 431 "release-malformed" TRUST
        "The Release is signed, and does not say what a Release has to (wiki.debian.org/DebianRepository/Format)."
        "tell the archive's keepers, or choose another mirror";
    WEAK_DIGESTS 432 "weak-digests" TRUST
        "The Release lists no SHA-256 digests. MD5 and SHA-1 can be forged and never count."
        "tell the archive's keepers, or choose another mirror";
    RELEASE_CONTRADICTS_ITSELF 433 "release-contradicts-itself" TRUST
        "The Release lists a file twice, with two digests or sizes."
        "tell the archive's keepers, or choose another mirror";
    OTHER_SUITE 434 "other-suite" TRUST
        "The Release is signed, and by its Suite and Codename is not of the suite that was asked for. A mirror could hide an update behind an old suite's Release otherwise."
        "check the suite's name, or choose another mirror";
    RELEASE_EXPIRED 435 "release-expired" TRUST
        "The Release's Valid-Until is past: the mirror is out of date, or withholds updates. Only a snapshot may be old."
        "choose another mirror, and check this machine's clock";
    RELEASE_IN_FUTURE 436 "release-in-future" TRUST
        "The Release's Date is more than a day ahead."
        "check this machine's clock";
    RELEASE_ROLLED_BACK 437 "release-rolled-back" TRUST
        "The Release is older than one that was accepted for this suite before: the mirror is behind, or someone replays an old state."
        "choose another mirror, or delete the record that the message names if this is meant";
    RELEASE_AFTER_SNAPSHOT 438 "release-after-snapshot" TRUST
        "The Release is younger than the time that debian.snapshot names, so it is not the state that was asked for."
        "check where COMPOSE_SNAPSHOT leads";
    INDEX_UNDECODABLE 441 "index-undecodable" TRUST
        "An index has the digest that the Release promises, and cannot be decompressed."
        "tell the archive's keepers, or choose another mirror";
    INDEX_TOO_LONG 442 "index-too-long" TRUST
        "An index, or a line of it, is longer when decompressed than the Release promises or any need be."
        "tell the archive's keepers, or choose another mirror";
    INDEX_ALTERED 443 "index-altered" TRUST
        "An index, decompressed, has not the size or digest that the Release promises: files of two states are mixed."
        "tell the archive's keepers, or choose another mirror";
    INDEX_NOT_UTF8 444 "index-not-utf8" TRUST
        "An index is not in UTF-8 (Debian Policy 5.1)."
        "tell the archive's keepers, or choose another mirror";
    INDEX_SYNTAX 445 "index-syntax" TRUST
        "A line of an index is not as Debian Policy 5.1 wants it."
        "tell the archive's keepers, or choose another mirror";
    INDEX_FIELD_MISSING 446 "index-field-missing" TRUST
        "A package of an index lacks a field that every one has (Debian Policy 5.3)."
        "tell the archive's keepers, or choose another mirror";
    INDEX_FIELD_INVALID 447 "index-field-invalid" TRUST
        "A field of an index has a value that it cannot have."
        "tell the archive's keepers, or choose another mirror";
    INDEX_BAD_VERSION 448 "index-bad-version" TRUST
        "A version in an index is none (Debian Policy 5.6.12), so it could not be compared."
        "tell the archive's keepers, or choose another mirror";
    INDEX_BAD_RELATION 449 "index-bad-relation" TRUST
        "A dependency field of an index cannot be understood (Debian Policy 7.1)."
        "tell the archive's keepers, or choose another mirror";
    SIZE_MISMATCH 451 "size-mismatch" TRUST
        "The server offers another number of bytes than is promised, so it is not the file that was meant."
        "the mirror may be in the middle of an update: try again in some minutes, or choose another";
    BODY_TOO_LONG 452 "body-too-long" TRUST
        "The server sends more bytes than are promised; reading stops there, so that it cannot fill the disk."
        "choose another mirror";
    DIGEST_MISMATCH 453 "digest-mismatch" TRUST
        "The bytes have another SHA-256 than the signed index, the lock or the manifest promises, also when fetched again."
        "find out who changed it, or choose another mirror";

    OFFLINE 501 "offline" NETWORK
        "What is needed is not in the cache, and --offline forbids fetching it."
        "run once without --offline";
    NOT_THERE 502 "not-there" NETWORK
        "The server answers, and has no such file."
        "check the URL, the mirror and the suite's name";
    UNREACHABLE 503 "unreachable" NETWORK
        "The server cannot be reached, or does not keep the connection."
        "check the network, or choose another mirror";
    CONNECTION_CUT 504 "connection-cut" NETWORK
        "The connection ended before the file did, each time it was resumed or tried again."
        "check the network, or choose another mirror";
    TOO_SLOW 505 "too-slow" NETWORK
        "The server sends so slowly that the download would never end."
        "check the network, or choose another mirror";
    REDIRECT_REFUSED 506 "redirect-refused" NETWORK
        "The server redirects away from https, in circles, or to what is not on the web, such as file:, which would let it read this machine."
        "choose another mirror";
    MIRROR_CHANGED 507 "mirror-changed" NETWORK
        "The mirror showed one state of a suite to one architecture and another to the next: a lock is of one state."
        "the mirror was updated meanwhile: run again";
    SERVER_FAILED 508 "server-failed" NETWORK
        "The server answers with an error, or with what no server should."
        "try again in some minutes, or choose another mirror";
    TLS_FAILED 509 "tls-failed" NETWORK
        "No encrypted connection can be made: the server's certificate is not accepted, or this machine has no CA certificates."
        "install ca-certificates, check this machine's clock, or name your company's CA to the system";
    DOWNLOAD_TOO_LARGE 510 "download-too-large" NETWORK
        "The document is larger than any of its kind; compose reads no more than its limits into memory."
        "check the URL";
    ACCESS_DENIED 511 "access-denied" NETWORK
        "The server wants to know who asks, or does not let this one in."
        "check the credentials";
    LOCAL_FILE_UNREADABLE 512 "local-file-unreadable" NETWORK
        "A file: URL names what cannot be read, or is no regular file."
        "check the path and its permissions";
    NOT_IN_SNAPSHOT 513 "not-in-snapshot" NETWORK
        "The archive of snapshots has no such suite at the time that debian.snapshot names."
        "name a time at which the suite was there";
    PIP_MISSING 514 "pip-missing" NETWORK
        "The application's lock has no URL for a wheel, and there is neither pip nor uv to ask an index."
        "install pip or uv, or use a lock with URLs (pylock.toml, uv.lock)";
    PIP_FAILED 515 "pip-failed" NETWORK
        "pip could not download what the application's lock names; its words are in the message."
        "check pip's index configuration (pip config list)";
    PIP_NOT_RUN 516 "pip-not-run" NETWORK
        "pip is there and could not be run to its end."
        "run `pip download` by hand to see why";

    DEB_UNREADABLE 601 "deb-unreadable" OUTPUT
        "The file of a package cannot be read from this machine's disk."
        "check the file and its permissions";
    NOT_A_DEB 602 "not-a-deb" TRUST
        "The file does not begin as a Debian package does (deb(5))."
        "tell whoever publishes it";
    DEB_MEMBER_HEADER 603 "deb-member-header" TRUST
        "The header of a member does not follow ar(5) strictly. Where readers differ (CVE-2020-27350), a package can show each another content."
        "tell whoever publishes it, or leave the package out";
    DEB_TRUNCATED 604 "deb-truncated" TRUST
        "The file ends inside one of its members."
        "remove the file, so that it is fetched again";
    DEB_MEMBER_ORDER 605 "deb-member-order" TRUST
        "A member stands where dpkg reads another (deb(5)), or stands there twice."
        "tell whoever publishes it, or leave the package out";
    DEB_MEMBER_MISSING 606 "deb-member-missing" TRUST
        "The package lacks one of the three members of deb(5)."
        "tell whoever publishes it, or leave the package out";
    DEB_VERSION 607 "deb-version" TRUST
        "The package's format has another version than 2.x (deb(5))."
        "tell whoever publishes it, or leave the package out";
    DEB_NO_CONTROL 608 "deb-no-control" TRUST
        "The control archive has no file “control”, which says what the package is (Debian Policy 5.3)."
        "tell whoever publishes it, or leave the package out";
    DEB_NOT_UTF8 609 "deb-not-utf8" TRUST
        "A control file is not in UTF-8 (Debian Policy 5.1)."
        "tell whoever publishes it, or leave the package out";
    DEB_CONTROL_TWICE 610 "deb-control-twice" TRUST
        "A control file is in the package twice, so that two readers could take two."
        "tell whoever publishes it, or leave the package out";
    LIMIT_EXCEEDED 611 "limit-exceeded" TRUST
        "An archive has more bytes, entries or names than the limits allow: it may be made to fill the disk or the memory (a bomb)."
        "look into it before you use it; leave it out unless it is meant to be that large";
    BAD_CONTROL 612 "bad-control" TRUST
        "The control file is not one paragraph that says package, version and architecture (Policy, 5.3); two readers could take it for two packages."
        "tell whoever publishes it, or leave the package out";
    TAR_UNDECODABLE 621 "tar-undecodable" TRUST
        "An archive cannot be decompressed."
        "fetch or make it anew";
    TAR_TRUNCATED 622 "tar-truncated" TRUST
        "An archive ends inside an entry, or without the empty block that ends one (POSIX, pax)."
        "fetch or make it anew";
    TAR_CHECKSUM 623 "tar-checksum" TRUST
        "A header's checksum is wrong, so what follows is no entry."
        "fetch or make it anew";
    TAR_TRAILING_DATA 624 "tar-trailing-data" TRUST
        "There are bytes behind the end of the archive, which another reader could take for more entries."
        "make the archive anew";
    TAR_BAD_NUMBER 625 "tar-bad-number" TRUST
        "A number in a header is none, or too large."
        "make the archive anew";
    TAR_BAD_EXTENSION 626 "tar-bad-extension" TRUST
        "An extended header breaks its format, contradicts another, or says what cannot be honoured (POSIX, pax)."
        "make the archive anew";
    TAR_SIZE_CONFLICT 627 "tar-size-conflict" TRUST
        "An entry's two headers give two sizes: two readers would see two archives (CVE-2025-62518)."
        "do not use it, and tell whoever publishes it";
    TAR_UNEXPECTED_CONTENT 628 "tar-unexpected-content" TRUST
        "An entry that can have no content has some, which another reader could take for more entries."
        "do not use it, and tell whoever publishes it";
    SPECIAL_FILE 629 "special-file" TRUST
        "An archive holds a device node, a FIFO, a sparse file or another kind of entry that has no place in a package (Debian Policy 10.6)."
        "tell whoever publishes it, or leave it out";
    NEWLINE_IN_NAME 630 "newline-in-name" TRUST
        "A name has a newline, which would forge lines in every list of files; dpkg refuses it too."
        "tell whoever publishes it, or leave it out";
    BAD_LINK_TARGET 631 "bad-link-target" TRUST
        "A link leads to nothing at all, or its target has a NUL."
        "tell whoever publishes it, or leave it out";
    PATH_UPWARDS 641 "path-upwards" TRUST
        "A name has a “..” component, which could lead out of the image."
        "do not use it, and tell whoever publishes it";
    PATH_WITH_NUL 642 "path-with-nul" TRUST
        "A name holds a NUL, at which Linux would cut it off."
        "do not use it, and tell whoever publishes it";
    PATH_TOO_LONG 643 "path-too-long" TRUST
        "A name is longer than Linux allows: 4,096 bytes, 255 in a component."
        "tell whoever publishes it, or leave it out";
    ABSOLUTE_NAME 644 "absolute-name" TRUST
        "An entry of a tarball has an absolute name, although it is to be unpacked below a folder."
        "make the archive anew with GNU tar, with names relative to its folder";
    LINK_LEFT_OUT 645 "link-left-out" TRUST
        "A hard link leads to an entry that “strip” leaves out."
        "make the archive anew, with names relative to its folder";
    PATH_TWICE 646 "path-twice" TRUST
        "An archive ships one path twice, so that it depends on the reader which one counts."
        "tell whoever publishes it, or leave it out";
    BELOW_NO_DIRECTORY 647 "below-no-directory" TRUST
        "An archive ships a file below what it ships as a link or a file: the way by which unpackers were led out of their folder."
        "do not use it, and tell whoever publishes it";
    DIRECTORY_REPLACED 648 "directory-replaced" TRUST
        "An archive ships the root, or a directory that every image has, as something else."
        "do not use it, and tell whoever publishes it";
    HARD_LINK_ASTRAY 649 "hard-link-astray" TRUST
        "A hard link leads to what is no earlier file of the same archive: to a file of another package, or out of the image."
        "do not use it, and tell whoever publishes it";
    OTHER_PACKAGE 650 "other-package" TRUST
        "The file has the digest of the lock, and holds a package of another name."
        "tell whoever publishes it, or leave the package out";
    OTHER_VERSION 651 "other-version" TRUST
        "The file has the digest of the lock, and says another version of itself than the index did."
        "tell whoever publishes it, or leave the package out";
    FILE_CHANGED 652 "file-changed" TRUST
        "A file has not the digest that it was verified by, or that the lock or the manifest says."
        "find out who changed it";
    DEB_NOT_AS_LOCKED 653 "deb-not-as-locked" TRUST
        "A package says other things of itself than the lock."
        "run with --update to make the lock anew";
    OTHER_ARCHITECTURE 654 "other-architecture" TRUST
        "The file has the digest of the lock, and says another architecture of itself than the index did."
        "tell whoever publishes it, or leave the package out";
}
