//! What this machine can do: run programs of an architecture, make namespaces; and why it cannot.
//!
//! In: files of `/proc`. Out: words.

use std::{fs, path::Path};

use rustix::{io::Errno, thread::CapabilitySet};

use super::error::{Fault, RunError};
use crate::base::{Arch, refusal};

/// Fails unless this machine, or an emulator that its kernel knows (binfmt_misc), runs programs of `arch`.
///
/// # Errors
/// [`RunError::Foreign`], with what is missing.
pub fn check_machine(arch: Arch) -> Result<(), RunError> {
    if arch.is_native() {
        return Ok(());
    }
    let (why, next) = match emulator(Path::new("/proc/sys/fs/binfmt_misc"), arch.emulator()) {
        Ok(()) => return Ok(()),
        Err(found) => found,
    };
    let host = Arch::host().map_or("another".to_owned(), |host| host.to_string());
    Err(RunError::Foreign { arch, why: format!("is {host}: {why}"), next: next.into() })
}

/// What the kernel knows of an emulator, by its registration (Linux, Documentation/admin-guide/binfmt-misc.rst).
fn emulator(registered: &Path, name: &str) -> Result<(), (String, &'static str)> {
    let install =
        "install qemu-user-static (Debian: with binfmt-support), or choose this machine's architecture with --arch";
    let Ok(text) = fs::read_to_string(registered.join(name)) else {
        return Err((format!("binfmt_misc knows no {name}"), install));
    };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
    if text.lines().next() != Some("enabled") {
        return Err((
            format!("{name} is registered with binfmt_misc and switched off"),
            "enable it: echo 1 into its file",
        ));
    }
    if !flags.contains('F') {
        let why =
            format!("{name} is registered with binfmt_misc without the flag F, so that it is not found in an image");
        return Err((why, install));
    }
    Ok(())
}

/// Whether the stages can be root: this process may make namespaces and become that user, and is in no user namespace
/// itself. There, as for everybody but root, the program gets one of its own: what runs beside it as the same user is then out
/// of its reach, also where it sees it (ptrace(2), “Ptrace access mode checking”).
pub(super) fn can_be_root() -> bool {
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::SETPCAP
        | CapabilitySet::NET_ADMIN;
    let has = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
    let maps = |file: &str| is_whole(&fs::read_to_string(file).unwrap_or_default());
    has && maps("/proc/self/uid_map") && maps("/proc/self/gid_map")
}

/// Whether a map is that of the first user namespace: everybody is who they are (user_namespaces(7)).
fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// What is said when namespaces, or what they need, are refused.
pub(super) fn refused(what: &str, error: Errno) -> Fault {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let status = read("/proc/self/status").unwrap_or_default();
    let seccomp = status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"));
    let facts = Facts {
        most: read("/proc/sys/user/max_user_namespaces"),
        apparmor: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        debian: read("/proc/sys/kernel/unprivileged_userns_clone"),
        seccomp,
    };
    let (why, next) = reason(&facts, error);
    let words = std::io::Error::from(error);
    Fault::new(refusal::NO_NAMESPACES, format!("cannot {what} ({words}): {why}\n  next step: {next}"))
}

/// What may stand in the way.
struct Facts {
    most: Option<String>,
    apparmor: Option<String>,
    debian: Option<String>,
    seccomp: bool,
}

fn reason(facts: &Facts, error: Errno) -> (&'static str, &'static str) {
    let is = |fact: &Option<String>, value: &str| fact.as_deref() == Some(value);
    if is(&facts.most, "0") {
        ("user.max_user_namespaces is 0", "raise it: sysctl user.max_user_namespaces=10000, or run as root")
    } else if is(&facts.debian, "0") {
        (
            "kernel.unprivileged_userns_clone is 0, so only root may make user namespaces",
            "allow them: sysctl kernel.unprivileged_userns_clone=1, or run as root",
        )
    } else if is(&facts.apparmor, "1") {
        (
            "kernel.apparmor_restrict_unprivileged_userns is 1, so AppArmor takes the rights in a user namespace away",
            "give compose an AppArmor profile with `userns,`, or sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run as root",
        )
    } else if error == Errno::NOSPC {
        ("there are as many namespaces as user.max_*_namespaces allows, or too many in one another", "raise that limit")
    } else if facts.seccomp {
        (
            "a seccomp filter is on, as in a container",
            "run compose outside of the container, or start that one with --security-opt seccomp=unconfined or --privileged",
        )
    } else if error == Errno::INVAL || error == Errno::NOSYS {
        ("the kernel was built without them", "take a kernel with CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS")
    } else {
        ("something forbids them, such as a chroot or a security module", "run as root, or outside of it")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_has_to_be_found_from_within_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let said = |text: Option<&str>| {
            let file = dir.path().join("qemu-x");
            if let Some(text) = text {
                fs::write(&file, text).unwrap();
            }
            emulator(dir.path(), "qemu-x").map_err(|(why, _)| why)
        };
        assert!(said(None).unwrap_err().contains("knows no qemu-x"));
        assert!(said(Some("disabled\ninterpreter /q\nflags: F\n")).unwrap_err().contains("switched off"));
        assert!(said(Some("enabled\ninterpreter /q\nflags: OC\n")).unwrap_err().contains("without the flag F"));
        assert_eq!(said(Some("enabled\ninterpreter /q\nflags: OCF\n")), Ok(()));
    }

    #[test]
    fn the_first_user_namespace() {
        for (map, is) in [
            ("         0          0 4294967295\n", true),
            ("0 0 65536", false),
            ("0 100000 65536\n65536 0 1", false),
            ("1000 1000 1", false),
            ("", false),
        ] {
            assert_eq!(is_whole(map), is, "{map}");
        }
    }

    #[test]
    fn each_reason_is_told_with_what_helps() {
        let facts = |most: &str, apparmor: Option<&str>, debian: Option<&str>, seccomp| Facts {
            most: Some(most.into()),
            apparmor: apparmor.map(str::to_owned),
            debian: debian.map(str::to_owned),
            seccomp,
        };
        let rows = [
            (facts("0", Some("1"), Some("0"), true), Errno::NOSPC, "user.max_user_namespaces is 0"),
            (facts("9", Some("1"), Some("0"), true), Errno::PERM, "unprivileged_userns_clone"),
            (facts("9", Some("1"), Some("1"), true), Errno::PERM, "AppArmor"),
            (facts("9", Some("0"), None, true), Errno::PERM, "seccomp"),
            (facts("9", Some("0"), None, true), Errno::NOSPC, "as many"),
            (facts("9", None, None, false), Errno::INVAL, "built without"),
            (facts("9", None, None, false), Errno::PERM, "security module"),
        ];
        for (facts, error, words) in rows {
            let (why, next) = reason(&facts, error);
            assert!(why.contains(words) && !next.is_empty(), "{why}");
        }
    }
}
