//! Debian architectures that an image can be made for, and what other worlds call them.

use std::{fmt, str::FromStr};

/// A Debian architecture (Policy 5.6.8) that an image can be composed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are Debian's own")]
pub enum Arch {
    Amd64,
    Arm64,
    Armhf,
    I386,
    Ppc64el,
    Riscv64,
    S390x,
}

/// A name that is none of [`Arch::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not an architecture that compose knows (amd64, arm64, armhf, i386, ppc64el, riscv64, s390x)")]
pub struct UnknownArch(pub String);

/// A name that is neither an architecture nor a platform that an image can be made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{text}” is neither an architecture nor a platform that compose knows ({})", known(text))]
pub struct UnknownPlatform {
    /// As typed.
    pub text: String,
}

/// What is meant, or all that there is.
fn known(text: &str) -> String {
    match Arch::called_elsewhere(text) {
        Some(arch) => format!("Debian calls it {arch}"),
        None => Arch::ALL.map(|arch| format!("{arch} or {}", arch.platform())).join(", "),
    }
}

impl Arch {
    /// Every architecture, in the order of their names.
    pub const ALL: [Self; 7] =
        [Self::Amd64, Self::Arm64, Self::Armhf, Self::I386, Self::Ppc64el, Self::Riscv64, Self::S390x];

    /// Debian's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Armhf => "armhf",
            Self::I386 => "i386",
            Self::Ppc64el => "ppc64el",
            Self::Riscv64 => "riscv64",
            Self::S390x => "s390x",
        }
    }

    /// GNU's multiarch triplet: the directory below `/usr/lib` (Policy 9.1.1).
    pub fn triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
            Self::Armhf => "arm-linux-gnueabihf",
            Self::I386 => "i386-linux-gnu",
            Self::Ppc64el => "powerpc64le-linux-gnu",
            Self::Riscv64 => "riscv64-linux-gnu",
            Self::S390x => "s390x-linux-gnu",
        }
    }

    /// The architecture that another world calls so: uname(2), Go, LLVM, docker's official images.
    pub fn called_elsewhere(text: &str) -> Option<Self> {
        Some(match text {
            "x86_64" | "x86-64" | "x64" => Self::Amd64,
            "aarch64" | "armv8" | "arm64v8" => Self::Arm64,
            "arm" | "armv7" | "armv7l" | "arm32v7" | "armhfp" => Self::Armhf,
            "386" | "i686" | "x86" => Self::I386,
            "ppc64le" | "powerpc64le" => Self::Ppc64el,
            "riscv" | "rv64" => Self::Riscv64,
            _ => return None,
        })
    }

    /// As qemu-user's registrations with binfmt_misc are called everywhere.
    pub fn emulator(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-x86_64",
            Self::Arm64 => "qemu-aarch64",
            Self::Armhf => "qemu-arm",
            Self::I386 => "qemu-i386",
            Self::Ppc64el => "qemu-ppc64le",
            Self::Riscv64 => "qemu-riscv64",
            Self::S390x => "qemu-s390x",
        }
    }

    /// Whether this machine may run its programs by itself: its own, and those of its older form.
    pub fn is_native(self) -> bool {
        let host = Self::host();
        host == Some(self) || matches!((host, self), (Some(Self::Amd64), Self::I386) | (Some(Self::Arm64), Self::Armhf))
    }

    /// OCI's `architecture` and `variant` (image-spec, config.md; values are Go's GOARCH).
    pub fn oci(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Amd64 => ("amd64", None),
            Self::Arm64 => ("arm64", Some("v8")),
            Self::Armhf => ("arm", Some("v7")),
            Self::I386 => ("386", None),
            Self::Ppc64el => ("ppc64le", None),
            Self::Riscv64 => ("riscv64", None),
            Self::S390x => ("s390x", None),
        }
    }

    /// The architecture that OCI calls so. Variants of amd64 and arm64 are levels of the same one; arm without a variant
    /// is v7, as containerd reads it.
    pub fn of_oci(name: &str, variant: Option<&str>) -> Option<Self> {
        let arch = Self::ALL.into_iter().find(|arch| arch.oci().0 == name)?;
        match (arch, variant) {
            (Self::Armhf, Some(variant)) if !matches!(variant, "v7" | "7" | "v8" | "8" | "") => None,
            _ => Some(arch),
        }
    }

    /// Debian's name, or a platform as docker and containerd write it: `linux/arm64`, `linux/arm/v7`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_platform(text: &str) -> Result<Self, UnknownPlatform> {
        let unknown = || UnknownPlatform { text: text.into() };
        let Some((os, rest)) = text.split_once('/') else { return text.parse().map_err(|_| unknown()) };
        let (name, variant) = rest.split_once('/').map_or((rest, None), |(name, variant)| (name, Some(variant)));
        Self::of_oci(name, variant).filter(|_| os == "linux").ok_or_else(unknown)
    }

    /// `linux/arm/v7`.
    pub fn platform(self) -> String {
        let (name, variant) = self.oci();
        variant.map_or(format!("linux/{name}"), |variant| format!("linux/{name}/{variant}"))
    }

    /// The architecture that this program was built for.
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            "arm" => Some(Self::Armhf),
            "x86" => Some(Self::I386),
            "powerpc64" if cfg!(target_endian = "little") => Some(Self::Ppc64el),
            "riscv64" => Some(Self::Riscv64),
            "s390x" => Some(Self::S390x),
            _ => None,
        }
    }
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(text: &str) -> Result<Self, UnknownArch> {
        Self::ALL.into_iter().find(|arch| arch.as_str() == text).ok_or_else(|| UnknownArch(text.into()))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_docker_writes_them() {
        for arch in Arch::ALL {
            assert_eq!(Arch::of_platform(&arch.platform()), Ok(arch));
            assert_eq!(Arch::of_platform(arch.as_str()), Ok(arch));
        }
        for (text, want) in [
            ("linux/arm64", Some(Arch::Arm64)),
            ("linux/arm64/v8", Some(Arch::Arm64)),
            ("linux/arm", Some(Arch::Armhf)),
            ("linux/arm/v6", None),
            ("linux/386", Some(Arch::I386)),
            ("linux/ppc64le", Some(Arch::Ppc64el)),
            ("linux/i386", None),
            ("ppc64le", None),
            ("windows/amd64", None),
            ("linux", None),
            ("linux/", None),
            ("", None),
        ] {
            assert_eq!(Arch::of_platform(text).ok(), want, "{text}");
        }
        let error = Arch::of_platform("linux/arm/v6").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("“linux/arm/v6”") && error.contains("armhf or linux/arm/v7"), "{error}");
        let error = Arch::of_platform("x86_64").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.ends_with("(Debian calls it amd64)"), "{error}");
    }
}
