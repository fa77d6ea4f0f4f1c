//! Every kind of finding there is, by its stable name: one table, which reports, `[policy]` and `compose checks` share.
//!
//! In: a code's name. Out: [`Code`]. A name that was once given out keeps its meaning.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// May be meant so: a script whose interpreter was left out on purpose.
    Warning,
    /// Something in the image cannot start or load, or the manifest forbids it: nothing is written.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a kind of finding is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Always.
    Always,
    /// When `policy.forbid` names it.
    Forbid,
    /// When `policy.forbid` names it or `unhardened`.
    Unhardened,
    /// When `[policy]` has this key.
    Key(&'static str),
}

/// One kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its stable name.
    pub name: &'static str,
    /// The worst that it is; circumstances can make an error a warning, and `policy.deny-warnings` the reverse.
    pub severity: Severity,
    /// When it is looked for.
    pub asked: Asked,
    /// What is the matter, in one sentence.
    pub meaning: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

const fn code(name: &'static str, severity: Severity, asked: Asked, meaning: &'static str, help: &'static str) -> Code {
    Code { name, severity, asked, meaning, help }
}

use Asked::{Always, Forbid, Key, Unhardened};
use Severity::{Error, Warning};

/// All of them, by name.
pub const CODES: [Code; 27] = [
    code(
        "broken-elf",
        Error,
        Always,
        "A program or library is cut off or breaks its own format, and cannot be loaded.",
        "Replace the file, or remove it with [rootfs] remove.",
    ),
    code(
        "capabilities",
        Error,
        Forbid,
        "A file has capabilities (security.capability), which whoever starts it gets.",
        "Remove the file with [rootfs] remove, or except it in policy.allow with the reason.",
    ),
    code(
        "cut-dependency",
        Error,
        Forbid,
        "A package depends on another that counts as provided and is not installed.",
        "Shorten packages.provided, or except the package in policy.allow with the reason.",
    ),
    code(
        "dangling-link",
        Warning,
        Always,
        "A symbolic link leads to what is not in the image.",
        "Install what it leads to, or remove the link with [rootfs] remove.",
    ),
    code(
        "executable-stack",
        Error,
        Unhardened,
        "A program or library wants a stack that may hold code.",
        "Take a build that was linked with -z noexecstack, or except the file in policy.allow with the reason.",
    ),
    code(
        "forbidden-package",
        Error,
        Key("packages"),
        "A package that policy.packages names is in the image.",
        "`compose why` says who needs it; packages.forbid makes the solver find a way without.",
    ),
    code(
        "forbidden-path",
        Error,
        Key("paths"),
        "A path that policy.paths names is in the image.",
        "Remove it with [rootfs] remove, or do without the package that ships it.",
    ),
    code(
        "forbidden-wheel",
        Error,
        Key("wheels"),
        "A wheel that policy.wheels names is in the image.",
        "Take it out of the application's lock or of python.wheels.",
    ),
    code(
        "foreign-machine",
        Warning,
        Always,
        "A program of a wheel or tarball is made for another machine than the image.",
        "Remove the file with [rootfs] remove if nothing uses it.",
    ),
    code(
        "insecure-search-path",
        Error,
        Unhardened,
        "A program or library loads libraries from a folder that others can fill.",
        "Mend its RUNPATH (patchelf --set-rpath), or except the file in policy.allow with the reason.",
    ),
    code(
        "max-packages",
        Error,
        Key("max-packages"),
        "The image has more packages than policy.max-packages allows.",
        "`compose why` says what each is for; do without some, or raise the limit.",
    ),
    code(
        "max-size",
        Error,
        Key("max-size"),
        "The image is larger than policy.max-size allows, counted as a plain tar.",
        "Leave more out with [rootfs], or raise the limit.",
    ),
    code(
        "missing-interpreter",
        Warning,
        Always,
        "A script's interpreter is not in the image.",
        "Install it, or remove the script with [rootfs] remove if nothing runs it.",
    ),
    code(
        "missing-library",
        Error,
        Always,
        "A program or library needs a library that the loader will not find.",
        "Add the package that ships it to packages.install.",
    ),
    code(
        "missing-loader",
        Error,
        Always,
        "A program's loader (PT_INTERP) is not in the image, so that it cannot start.",
        "Install libc6, or the C library that the file was made for.",
    ),
    code(
        "missing-project",
        Warning,
        Always,
        "A wheel requires a Python project that the image does not have.",
        "Add it to the application's lock or to python.wheels.",
    ),
    code(
        "missing-symbol-version",
        Error,
        Always,
        "A program or library needs a newer library than the one in the image.",
        "Take both from the same suite, or a wheel or build for older systems.",
    ),
    code(
        "no-relro",
        Error,
        Unhardened,
        "A program or library leaves its tables of addresses writable (no RELRO at all).",
        "Take a build that was linked with -z relro, or except the file in policy.allow with the reason.",
    ),
    code(
        "not-pie",
        Error,
        Unhardened,
        "A program is loaded at a fixed address, as it is not position-independent.",
        "Take a build with -fPIE -pie, or except the file in policy.allow with the reason.",
    ),
    code(
        "package-manager",
        Error,
        Forbid,
        "An installer of system packages is in the image.",
        "Remove it with [rootfs] remove.",
    ),
    code(
        "root-user",
        Error,
        Forbid,
        "A container of the image starts as root.",
        "Set accounts.run-as to another user.",
    ),
    code(
        "script-not-reproduced",
        Error,
        Forbid,
        "A maintainer script may do what nothing in compose does in its place.",
        "Read the script, do what it does with [[files]] if the image needs it, and except the package in policy.allow.",
    ),
    code(
        "setuid",
        Error,
        Forbid,
        "A program runs as its owner or group, whoever starts it.",
        "Remove it with [rootfs] remove, or except it in policy.allow with the reason.",
    ),
    code("shell", Error, Forbid, "A shell is in the image.", "Remove it with [rootfs] remove."),
    code(
        "text-relocations",
        Error,
        Unhardened,
        "The loader writes into the code of a program or library (DT_TEXTREL).",
        "Take a build with -fPIC, or except the file in policy.allow with the reason.",
    ),
    code(
        "unused-exception",
        Warning,
        Always,
        "An exception of policy.allow meets no finding, and excuses nothing.",
        "Take it out of policy.allow, or mend its path or package.",
    ),
    code(
        "world-writable",
        Error,
        Forbid,
        "Everyone may write to a file, or delete in a directory.",
        "Change its mode, remove it with [rootfs] remove, or except it in policy.allow with the reason.",
    ),
];

/// Name in `policy.forbid` that stands for every code of [`Asked::Unhardened`].
pub const UNHARDENED: &str = "unhardened";

impl Code {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CODES.iter().find(|code| code.name == name)
    }

    /// Whether an exception of `policy.allow` can name it: a limit is raised, not excused.
    pub fn is_excusable(&self) -> bool {
        !matches!(self.name, "max-size" | "max-packages" | "unused-exception")
    }

    /// Whether `policy.forbid` can name it.
    pub fn is_forbiddable(&self) -> bool {
        matches!(self.asked, Forbid | Unhardened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(CODES.windows(2).all(|pair| pair[0].name < pair[1].name));
        for code in &CODES {
            assert!(code.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.name);
            assert!(code.meaning.ends_with('.') && code.help.ends_with('.'), "{}", code.name);
            assert_eq!(Code::named(code.name), Some(code));
        }
        assert!(Code::named(UNHARDENED).is_none() && Code::named("").is_none());
    }
}
