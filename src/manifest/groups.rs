//! The named groups of `rootfs.omit`: kinds of files that a container's program does not open.
//!
//! In: nothing, this is a table. Out: [`OMIT_GROUPS`], which `unpack/` compiles and `compose groups` lists.
//!
//! Patterns are absolute globs for `globset` with `literal_separator`: `*` stays within a component, `**` crosses
//! them, and a pattern that matches a directory means all below it. Licence texts stay, whatever is left out:
//! `copyright` and `NOTICE` files, `/usr/share/common-licenses`, and the links in `/usr/share/doc` that lead to them.

/// One group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OmitGroup {
    /// What it is called in `rootfs.omit`.
    pub name: &'static str,
    /// What is left out and who would miss it: one sentence for `compose groups`.
    pub about: &'static str,
    /// Globs of paths that are left out; the places in which to look when there is a [`ContentRule`].
    pub patterns: &'static [&'static str],
    /// Globs of paths that stay although a pattern of this group matches.
    pub except: &'static [&'static str],
    /// What else must hold for a file to go.
    pub content: ContentRule,
}

/// A look into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentRule {
    /// The path alone decides.
    Any,
    /// Executable regular files whose `#!` line (execve(2)), through `env` too, runs a program of one of these names.
    Interpreter(&'static [&'static str]),
}

/// What `rootfs.omit` is when the manifest does not say; `omit = []` leaves out nothing.
pub const DEFAULT_OMIT: &[&str] = &[
    "docs",
    "man",
    "locales",
    "gconv",
    "lintian",
    "completions",
    "menus",
    "services",
    "shell-scripts",
    "perl-scripts",
    "package-tools",
    "python-tests",
];

/// Every group.
pub const OMIT_GROUPS: &[OmitGroup] = &[
    OmitGroup {
        name: "docs",
        about: "documentation, changelogs and examples; copyright files and licences stay",
        patterns: &[
            "/usr/share/doc/*/**", // README, changelog.Debian.gz, examples; what lies in doc/ itself are links
            "/usr/share/doc-base/**", // where dhelp and its like find documents
            "/usr/share/info/**",  // GNU Info pages
            "/usr/share/gtk-doc/**", // API references of GNOME's libraries
            "/usr/share/devhelp/**", // the same for GNOME's browser
            "/usr/share/help/**",  // GNOME's user manuals
            "/usr/share/omf/**",   // their catalogue
        ],
        except: &[
            "/usr/share/doc/*/copyright", // Policy 12.5
            "/usr/share/doc/*/NOTICE*",   // Apache License 2.0, section 4(d)
        ],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "man",
        about: "manual pages",
        patterns: &[
            "/usr/share/man/**", // in every section and language
            "/usr/X11R6/man/**", // where old packages of X put theirs
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "locales",
        about: "translated messages and locale sources; the C.UTF-8 locale and locales-all's own stay",
        patterns: &[
            "/usr/share/locale/**",                // gettext catalogues (.mo)
            "/usr/share/locale-langpack/**",       // the same, Ubuntu's place
            "/usr/share/i18n/**",                  // what localedef(1) compiles locales from
            "/usr/share/qt*/translations/**",      // Qt's catalogues (.qm)
            "/usr/share/xfce4/**/translations/**", // a desktop's
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "gconv",
        about: "iconv's modules for encodings beyond UTF-8, UTF-16/32, ASCII and Latin-1; Python has its own",
        patterns: &[
            "/usr/lib/*/gconv/**", // multiarch (libc6)
            "/usr/lib/gconv/**",   // before multiarch, and foreign packages
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "lintian",
        about: "what package checkers and bug reporters read",
        patterns: &[
            "/usr/share/lintian/**",  // overrides and profiles of lintian(1)
            "/usr/share/linda/**",    // the same for a checker of old
            "/usr/share/bug/**",      // reportbug(1): scripts and hints for one package
            "/usr/share/apport/**",   // Ubuntu's crash reports
            "/usr/share/valgrind/**", // memory checkers: what to keep quiet about
            "/usr/lib/valgrind/**",   // the same; python3 ships its own
            "/usr/share/gdb/**",      // pretty-printers for gdb(1), libstdc++6's among them
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "completions",
        about: "what shells complete on Tab, and add-ons for vim",
        patterns: &[
            "/usr/share/bash-completion/**",           // bash
            "/etc/bash_completion.d/**",               // bash, the old place
            "/usr/share/zsh/vendor-completions/**",    // zsh
            "/usr/share/zsh/site-functions/**",        // zsh, upstream's place
            "/usr/share/fish/completions/**",          // fish, its own
            "/usr/share/fish/vendor_completions.d/**", // fish, from other packages
            "/usr/share/vim/addons/**",                // syntax files that packages bring for vim
            "/usr/share/vim/registry/**",              // their list
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "menus",
        about: "desktop menus and the icons in them",
        patterns: &[
            "/usr/share/menu/**",                   // Debian's menu of old
            "/usr/lib/menu/**",                     // the same
            "/usr/share/applications/**/*.desktop", // freedesktop.org: python3.13.desktop
            "/usr/share/pixmaps/**",                // their icons: python3.xpm
            "/usr/share/metainfo/**",               // AppStream: software centres
            "/usr/share/appdata/**",                // the same, the old place
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "services",
        about: "units, init scripts, cron jobs and rules for a booting machine; a container has one process",
        patterns: &[
            "/etc/init.d/**",                // sysvinit scripts
            "/etc/rc?.d/**",                 // their order
            "/etc/init/**",                  // upstart
            "/usr/lib/systemd/system/**",    // services, timers, sockets; sysusers.d and tmpfiles.d stay
            "/usr/lib/systemd/user/**",      // the same for a session
            "/usr/lib/systemd/system-*/**",  // presets, generators, what runs at sleep and shutdown
            "/etc/systemd/**",               // their configuration
            "/etc/cron.d/**",                // tables for cron
            "/etc/cron.hourly/**",           // scripts for cron
            "/etc/cron.daily/**",            // such as dpkg's and man-db's
            "/etc/cron.weekly/**",           //
            "/etc/cron.monthly/**",          //
            "/etc/logrotate.d/**",           // logs go to stdout
            "/usr/lib/udev/**",              // device rules
            "/usr/lib/modprobe.d/**",        // kernel modules
            "/usr/lib/modules-load.d/**",    //
            "/usr/lib/binfmt.d/**",          // registers interpreters with the kernel: python3.13.conf
            "/usr/share/binfmts/**",         // the same for update-binfmts(8)
            "/etc/update-motd.d/**",         // the greeting at login
            "/usr/share/initramfs-tools/**", // early boot
            "/etc/kernel/**",                // what runs when a kernel is installed
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "shell-scripts",
        about: "executables that a shell would have to run: ldd, tzselect, update-ca-certificates",
        patterns: &["/**"],
        except: &[],
        content: ContentRule::Interpreter(&[
            "sh", "bash", "rbash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "csh", "tcsh", "fish",
        ]),
    },
    OmitGroup {
        name: "perl-scripts",
        about: "executables that perl would have to run: c_rehash, CA.pl",
        patterns: &["/**"],
        except: &[],
        content: ContentRule::Interpreter(&["perl", "suidperl"]),
    },
    OmitGroup {
        name: "package-tools",
        about: "what dpkg, apt, debconf, debhelper and maintainer scripts use",
        patterns: &[
            "/etc/apt/**",                        // apt: sources, keys, hooks
            "/usr/lib/apt/**",                    // apt: methods
            "/usr/share/apt/**",                  //
            "/var/lib/apt/**",                    // apt: lists
            "/var/cache/apt/**",                  // apt: downloads
            "/etc/dpkg/**",                       // dpkg: origins (base-files), dpkg.cfg.d
            "/usr/share/dpkg/**",                 // dpkg: tables of architectures
            "/usr/lib/dpkg/**",                   // dpkg: methods
            "/etc/debconf.conf",                  // debconf
            "/usr/share/debconf/**",              // debconf: front ends, and the shell's confmodule
            "/usr/share/perl5/Debconf/**",        //
            "/usr/share/perl5/Debian/**",         // debhelper's sequences, debconf's client
            "/usr/share/debhelper/**",            // debhelper
            "/usr/share/dh-*/**",                 // dh-python and its like
            "/usr/share/cdbs/**",                 // build system of old
            "/usr/share/python3/python.mk",       // debian/rules of Python packages (python3)
            "/usr/share/python3/dist/**",         // which names on PyPI a package stands for (dh-python)
            "/usr/share/python3/bcep/**",         // what py3compile must not compile
            "/usr/share/python3/debian_defaults", // py3versions (python3-minimal)
            "/usr/share/python3/debpython/**",    // the library of the three programs below
            "/usr/share/python3/py3versions.py",  //
            "/usr/share/python3/runtime.d/**",    // shell scripts for a new default Python (python3)
            "/usr/bin/py3clean",                  // removes bytecode before an upgrade
            "/usr/bin/py3compile",                // writes bytecode in postinst
            "/usr/bin/py3versions",               // a link to py3versions.py
            "/usr/share/pam-configs/**",          // pam-auth-update(8)
            "/usr/share/ucf/**",                  // ucf: sums of earlier configuration files
            "/etc/ucf.conf",                      // ucf
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "python-tests",
        about: "Python's tests of itself (“for internal use by Python only”, its manual says); official images do without",
        patterns: &[
            "/usr/lib/python3.*/test/**",               // the test package: regrtest, test.support
            "/usr/lib/python3.*/idlelib/idle_test/**",  // IDLE's
            "/usr/lib/python3.*/lib-dynload/_test*.so", // _testcapi, _testinternalcapi and so on
            "/usr/lib/python3.*/lib-dynload/_ctypes_test*.so", // what tests of ctypes load
            "/usr/lib/python3.*/lib-dynload/_xxtestfuzz*.so", // for fuzzers
            "/usr/lib/python3.*/lib-dynload/xx*.so",    // examples of the C API
        ],
        except: &[],
        content: ContentRule::Any,
    },
    OmitGroup {
        name: "static-libs",
        about: "what only a compiler reads: static libraries, headers, pkg-config and CMake files",
        patterns: &[
            "/usr/lib/**/*.a",         // static libraries; the import stubs of no other system end so
            "/usr/lib/**/*.la",        // libtool
            "/usr/lib/**/*.o",         // crt1.o and its like
            "/usr/include/**",         // C and C++ headers
            "/usr/lib/*/pkgconfig/**", // pkg-config(1)
            "/usr/lib/pkgconfig/**",   //
            "/usr/share/pkgconfig/**", //
            "/usr/lib/*/cmake/**",     // CMake packages
            "/usr/lib/cmake/**",       //
            "/usr/share/cmake/**",     //
            "/usr/share/aclocal/**",   // autoconf macros
            "/usr/share/gir-1.0/**",   // GObject descriptions in XML; programs read the .typelib
            "/usr/share/vala/**",      // the same for Vala
        ],
        except: &[],
        content: ContentRule::Any,
    },
];

/// The group of this name.
pub fn omit_group(name: &str) -> Option<&'static OmitGroup> {
    OMIT_GROUPS.iter().find(|group| group.name == name)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use globset::{GlobSet, GlobSetBuilder};

    use super::*;
    use crate::manifest::rootfs::glob;

    fn set(patterns: &[&str]) -> GlobSet {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(glob(pattern).unwrap());
        }
        set.build().unwrap()
    }

    #[test]
    fn names_are_one_each_and_defaults_exist() {
        let names: BTreeSet<_> = OMIT_GROUPS.iter().map(|group| group.name).collect();
        assert_eq!(names.len(), OMIT_GROUPS.len());
        assert!(DEFAULT_OMIT.iter().all(|name| omit_group(name).is_some()));
        assert!(omit_group("static-libs").is_some() && omit_group("doc").is_none());
    }

    /// Paths of real packages of Debian 13, each with the group that leaves it out.
    #[test]
    fn real_paths_fall_into_the_right_group() {
        for (path, expected) in [
            ("/usr/share/doc/tzdata/changelog.Debian.gz", Some("docs")),
            ("/usr/share/doc/ca-certificates/examples/ca-certificates-local/README", Some("docs")),
            ("/usr/share/doc/ca-certificates/examples/x/debian/copyright", Some("docs")),
            ("/usr/share/doc/tzdata/copyright", None),
            ("/usr/share/doc/libgcc-s1", None), // a link to gcc-14-base, which holds the copyright
            ("/usr/share/doc/libaprutil1t64/NOTICE.gz", None),
            ("/usr/share/common-licenses/GPL-3", None),
            ("/usr/share/doc-base/python3.python-policy", Some("docs")),
            ("/usr/share/man/man1/python3.13.1.gz", Some("man")),
            ("/usr/share/locale/de/LC_MESSAGES/git.mo", Some("locales")),
            ("/usr/lib/locale/C.utf8/LC_CTYPE", None),
            ("/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", Some("gconv")),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", None),
            ("/usr/share/lintian/overrides/libc6", Some("lintian")),
            ("/usr/share/bug/media-types/presubj", Some("lintian")),
            ("/usr/lib/valgrind/python3.supp", Some("lintian")),
            ("/usr/share/bash-completion/completions/git", Some("completions")),
            ("/usr/share/applications/python3.13.desktop", Some("menus")),
            ("/usr/share/pixmaps/python3.13.xpm", Some("menus")),
            ("/etc/update-motd.d/10-uname", Some("services")),
            ("/usr/lib/systemd/system/nginx.service", Some("services")),
            ("/usr/lib/sysusers.d/dbus.conf", None),
            ("/usr/lib/binfmt.d/python3.13.conf", Some("services")),
            ("/usr/share/python3/debpython/files.py", Some("package-tools")),
            ("/usr/share/python3/py3versions.py", Some("package-tools")),
            ("/usr/share/python3/runtime.d/public_modules.rtinstall", Some("package-tools")),
            ("/usr/bin/py3compile", Some("package-tools")),
            ("/usr/bin/python3", None),
            ("/usr/lib/python3/dist-packages/apt_pkg.pyi", None),
            ("/etc/dpkg/origins/debian", Some("package-tools")),
            ("/var/lib/dpkg/status.d/tzdata", None),
            ("/usr/share/base-files/profile", None),
            ("/usr/share/libc-bin/nsswitch.conf", None),
            ("/usr/share/base-passwd/passwd.master", None),
            ("/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt", None),
            ("/usr/share/zoneinfo/Europe/Berlin", None),
            ("/etc/mime.types", None),
            ("/usr/lib/x86_64-linux-gnu/libssl.a", Some("static-libs")),
            ("/usr/include/python3.13/Python.h", Some("static-libs")),
            ("/usr/lib/python3.13/lib-dynload/_ctypes_test.cpython-313-x86_64-linux-gnu.so", Some("python-tests")),
            ("/usr/lib/python3.13/lib-dynload/_ctypes.cpython-313-x86_64-linux-gnu.so", None),
            ("/usr/lib/python3.13/test/support/__init__.py", Some("python-tests")),
            ("/usr/lib/python3.13/unittest/mock.py", None),
            ("/usr/lib/python3/dist-packages/django/test/client.py", None),
        ] {
            let by_path = OMIT_GROUPS.iter().filter(|group| group.content == ContentRule::Any);
            let hits: Vec<_> = by_path
                .filter(|group| set(group.patterns).is_match(path) && !set(group.except).is_match(path))
                .map(|group| group.name)
                .collect();
            assert_eq!(hits, Vec::from_iter(expected), "{path}");
        }
    }

    #[test]
    fn script_groups_look_everywhere_and_never_at_python() {
        for group in OMIT_GROUPS {
            let ContentRule::Interpreter(names) = group.content else { continue };
            assert!(set(group.patterns).is_match("/usr/sbin/update-ca-certificates"), "{}", group.name);
            assert!(names.iter().all(|name| !name.starts_with("python") && !name.contains('/')), "{}", group.name);
        }
    }
}
