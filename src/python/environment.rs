//! What wheels are chosen for: an interpreter, a C library, a machine.
//!
//! In: what the solver chose. Out: the environment markers and the tags of that target, whatever machine compose
//! itself runs on.

use pep440_rs::Version;
use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};

use super::tags::Tags;
use crate::base::Arch;

/// The target that a lock is read for: CPython on Linux with glibc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    arch: Arch,
    python: Version,
    glibc: (u32, u32),
}

impl Environment {
    /// `python` is the interpreter's full version, such as 3.13.5; `glibc` is major and minor, such as (2, 41).
    pub fn new(arch: Arch, python: Version, glibc: (u32, u32)) -> Self {
        Self { arch, python, glibc }
    }

    /// The architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The interpreter's full version.
    pub fn python(&self) -> &Version {
        &self.python
    }

    /// The C library's version.
    pub fn glibc(&self) -> (u32, u32) {
        self.glibc
    }

    /// Major and minor version of the interpreter, such as (3, 13).
    pub fn minor(&self) -> (u32, u32) {
        let part =
            |at: usize| u32::try_from(self.python.release().get(at).copied().unwrap_or_default()).unwrap_or(u32::MAX);
        (part(0), part(1))
    }

    /// The environment markers (PEP 508) as this interpreter would give them on its own machine.
    /// `platform_release` and `platform_version` are the kernel's, which no image knows: they are empty.
    pub fn markers(&self) -> MarkerEnvironment {
        let (full, (major, minor)) = (self.python.to_string(), self.minor());
        let markers = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: &full,
            os_name: "posix",
            platform_machine: machine(self.arch),
            platform_python_implementation: "CPython",
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: &full,
            python_version: &format!("{major}.{minor}"),
            sys_platform: "linux",
        });
        markers.expect("a version that was parsed once is parsed again")
    }

    /// The wheel tags that fit, best first.
    pub fn tags(&self) -> Tags {
        Tags::new(machine(self.arch), self.minor(), self.glibc)
    }

    /// The version without what marks a pre-release: what `Requires-Python` is held against, as in pip.
    pub(super) fn release(&self) -> Version {
        self.python.only_release()
    }
}

/// What `platform.machine()` says, which is also the last part of a platform tag.
pub fn machine(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "x86_64",
        Arch::Arm64 => "aarch64",
        Arch::Armhf => "armv7l",
        Arch::I386 => "i686",
        Arch::Ppc64el => "ppc64le",
        Arch::Riscv64 => "riscv64",
        Arch::S390x => "s390x",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn markers_are_the_target_s() {
        for arch in Arch::ALL {
            let markers = Environment::new(arch, "3.14.0rc2".parse().unwrap(), (2, 41)).markers();
            assert_eq!(markers.platform_machine(), machine(arch));
            assert_eq!(markers.python_version().to_string(), "3.14");
            assert_eq!(markers.python_full_version().to_string(), "3.14.0rc2");
            assert_eq!((markers.sys_platform(), markers.platform_release()), ("linux", ""));
        }
        assert_eq!(Environment::new(Arch::Amd64, "3".parse().unwrap(), (2, 41)).minor(), (3, 0));
    }
}
