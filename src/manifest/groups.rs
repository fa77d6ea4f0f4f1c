//! The named groups of `rootfs.omit`: what an image that runs one program does without.
//!
//! Out: patterns of paths, `!` before those that stay, and interpreters whose scripts go.

use super::Rootfs;

/// One group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OmitGroup {
    /// Its name in the manifest.
    pub name: &'static str,
    /// What it leaves out and what is lost, in one sentence.
    pub about: &'static str,
    /// Absolute globs; `**` crosses directories; a leading `!` makes an exception within the group.
    pub patterns: &'static [&'static str],
    /// Executables whose `#!` line names one of these go too.
    pub interpreters: &'static [&'static str],
}

/// Every group, sorted by name.
pub const OMIT_GROUPS: &[OmitGroup] = &[
    OmitGroup {
        name: "completions",
        about: "command completion for interactive shells",
        patterns: &[
            "/usr/share/bash-completion/**",
            "/usr/share/zsh/**",
            "/usr/share/fish/**",
            "/etc/bash_completion.d/**",
        ],
        interpreters: &[],
    },
    OmitGroup {
        name: "desktop",
        about: "menu entries, icons and pixmaps for desktops",
        patterns: &["/usr/share/applications/**", "/usr/share/pixmaps/**", "/usr/share/icons/**", "/usr/share/menu/**"],
        interpreters: &[],
    },
    OmitGroup {
        name: "development",
        about: "headers, static libraries, pkg-config files",
        patterns: &[
            "/usr/include/**",
            "/usr/lib/**/*.a",
            "/usr/lib/**/*.la",
            "/usr/lib/**/pkgconfig/**",
            "/usr/share/pkgconfig/**",
        ],
        interpreters: &[],
    },
    OmitGroup {
        name: "docs",
        about: "documentation and change logs; copyright files stay",
        patterns: &[
            "/usr/share/doc/**",
            "!/usr/share/doc/*/copyright",
            // Some packages' documentation is a link to a sibling's folder, where the licence is.
            "!/usr/share/doc/*",
            "/usr/share/doc-base/**",
            "/usr/share/info/**",
            "/usr/share/gtk-doc/**",
        ],
        interpreters: &[],
    },
    OmitGroup {
        name: "gconv",
        about: "glibc's character set converters (iconv); UTF-8 is built in, and Python has its own codecs",
        patterns: &["/usr/lib/*/gconv/**"],
        interpreters: &[],
    },
    OmitGroup {
        name: "lintian",
        about: "notes for Debian's own tools: lintian overrides, bug report scripts",
        patterns: &["/usr/share/lintian/**", "/usr/share/linda/**", "/usr/share/bug/**"],
        interpreters: &[],
    },
    OmitGroup {
        name: "locales",
        about: "translated messages and locale sources; C.UTF-8 stays",
        patterns: &["/usr/share/locale/**", "/usr/share/i18n/**"],
        interpreters: &[],
    },
    OmitGroup { name: "man", about: "manual pages", patterns: &["/usr/share/man/**"], interpreters: &[] },
    OmitGroup {
        name: "package-tools",
        about: "what only maintainer scripts and dpkg use: byte-compilers, helpers, cron jobs, dpkg's and apt's settings",
        patterns: &[
            "/usr/bin/py3clean",
            "/usr/bin/py3compile",
            "/usr/bin/py3versions",
            "/usr/share/python3/debpython/**",
            "/usr/share/python3/runtime.d/**",
            "/usr/share/python3/python.mk",
            "/usr/share/python3/bcep/**",
            "/usr/share/debhelper/**",
            "/usr/share/debconf/**",
            "/usr/share/dpkg/**",
            "/usr/share/perl5/Debian/Debhelper/**",
            "/etc/apt/**",
            "/etc/dpkg/**",
            "/etc/ca-certificates/**",
            "/etc/cron.d/**",
            "/etc/cron.daily/**",
            "/etc/kernel/**",
            "/etc/update-motd.d/**",
            "/usr/lib/dpkg/**",
        ],
        interpreters: &[],
    },
    OmitGroup {
        name: "perl-scripts",
        about: "executables written in Perl; they need an interpreter that is not there",
        patterns: &[],
        interpreters: &["perl"],
    },
    OmitGroup {
        name: "shell-scripts",
        about: "executables written for a shell (ldd, tzselect, update-ca-certificates …)",
        patterns: &[],
        interpreters: &["sh", "bash", "dash", "ash", "ksh", "zsh"],
    },
];

/// What is left out when the manifest does not say: all groups but `development`'s and `desktop`'s, which some
/// programs read at run time.
const DEFAULT: [&str; 9] =
    ["completions", "docs", "gconv", "lintian", "locales", "man", "package-tools", "perl-scripts", "shell-scripts"];

impl Default for Rootfs {
    fn default() -> Self {
        Self { omit: DEFAULT.map(str::to_owned).into(), remove: Vec::new(), keep: Vec::new() }
    }
}
