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
