//! Programs that policies know by name.
//!
//! In: nothing. Out: names of files, and the folders that they lie in.

/// Shells by their file's name (`/etc/shells` of Debian's shell packages, and busybox).
pub(super) const SHELLS: [&[u8]; 19] = [
    b"ash",
    b"bash",
    b"busybox",
    b"csh",
    b"dash",
    b"elvish",
    b"fish",
    b"ksh",
    b"ksh93",
    b"mksh",
    b"mksh-static",
    b"posh",
    b"rbash",
    b"sash",
    b"sh",
    b"tcsh",
    b"xonsh",
    b"yash",
    b"zsh",
];

/// Installers of system packages.
pub(super) const MANAGERS: [&[u8]; 16] = [
    b"apk",
    b"apt",
    b"apt-get",
    b"aptitude",
    b"dnf",
    b"dpkg",
    b"dpkg-deb",
    b"dpkg-unpack",
    b"dselect",
    b"flatpak",
    b"nix",
    b"rpm",
    b"snap",
    b"yum",
    b"zypper",
    b"dpkg-divert",
];

/// Where programs lie that are started by name.
pub(super) const PROGRAM_FOLDERS: [&str; 6] =
    ["usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/games", "usr/local/games"];
