//! What a manifest can forbid in an image: `[policy] forbid`.

use super::{Finding, Severity};
use crate::{
    base::RootPath,
    manifest::PolicyRule,
    tree::{Kind, Tree},
};

/// Shells by their file's name (`/etc/shells` of Debian's shell packages, and busybox).
const SHELLS: [&[u8]; 19] = [
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
const MANAGERS: [&[u8]; 16] = [
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

const PROGRAM_FOLDERS: [&str; 6] =
    ["usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/games", "usr/local/games"];

/// Every path that breaks one of `forbidden`, sorted.
pub fn policy(tree: &Tree, forbidden: &[PolicyRule]) -> Vec<Finding> {
    let mut out = Vec::new();
    let folders = PROGRAM_FOLDERS.map(RootPath::literal);
    for (path, node) in tree.iter() {
        let is_file = matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
        // A link counts when it leads to a file: /usr/bin/sh -> dash.
        let is_program = tree.content(path).is_some() && path.parent().is_some_and(|parent| folders.contains(&parent));
        let mode = node.meta.mode;
        for &policy in forbidden {
            let message = match policy {
                PolicyRule::Shell if is_program && SHELLS.contains(&path.file_name()) => "it is a shell".to_owned(),
                PolicyRule::PackageManager if is_program && MANAGERS.contains(&path.file_name()) => {
                    "it is a package manager".to_owned()
                }
                PolicyRule::Setuid if is_file && mode & 0o6000 != 0 => {
                    format!(
                        "it runs as user {} or group {} whoever starts it (mode {mode:04o})",
                        node.meta.uid, node.meta.gid
                    )
                }
                PolicyRule::WorldWritable if is_file && mode & 0o002 != 0 => {
                    format!("everyone may write it (mode {mode:04o})")
                }
                PolicyRule::WorldWritable if matches!(node.kind, Kind::Dir) && mode & 0o1002 == 0o002 => {
                    format!("everyone may write and delete in it (mode {mode:04o}, no sticky bit)")
                }
                _ => continue,
            };
            out.push(Finding {
                code: policy.as_str(),
                severity: Severity::Error,
                path: path.clone(),
                origin: node.origin.clone(),
                message,
                hint: format!("remove it with [rootfs] remove, or take “{}” out of [policy] forbid", policy.as_str()),
            });
        }
    }
    out
}
