//! What a manifest means. Everything here is already validated; paths on this machine are already resolved.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;

use super::{Limits, Policy};
use crate::base::{Arch, Line, PackageName, RootPath, Sha256};

/// A whole manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it was read from.
    pub file: PathBuf,
    /// What it `extends`, near and far.
    pub bases: Vec<PathBuf>,
    /// `name`: what outputs and the lock are called.
    pub name: String,
    /// `archs`, sorted, without repeats; never empty.
    pub archs: Vec<Arch>,
    /// `[debian]`.
    pub debian: Option<Debian>,
    /// `[[repositories]]`.
    pub repositories: Vec<Repository>,
    /// `[packages]`.
    pub packages: Packages,
    /// `[python]`.
    pub python: Option<Python>,
    /// `[[tarballs]]`, in the order written.
    pub tarballs: Vec<Tarball>,
    /// `[rootfs]`.
    pub rootfs: Rootfs,
    /// `[[files]]`, in the order written.
    pub files: Vec<ExtraFile>,
    /// `[accounts]`.
    pub accounts: Accounts,
    /// `[image]`.
    pub image: Image,
    /// `[sbom]`.
    pub sbom: Sbom,
    /// `[policy]`.
    pub policy: Policy,
    /// `[limits]`.
    pub limits: Limits,
}

impl Manifest {
    /// Files and folders on this machine that it is read from or takes content from. Of `[python]` it knows patterns, and of
    /// repositories URLs: they are not among these.
    pub fn files(&self) -> Vec<PathBuf> {
        let own = self.files.iter().filter_map(|file| match &file.source {
            FileSource::Copy(path) => Some(path),
            FileSource::Content(_) | FileSource::Link(_) | FileSource::Directory => None,
        });
        let tarballs = self.tarballs.iter().filter_map(|tarball| match &tarball.source {
            TarballSource::File(path) => Some(path),
            TarballSource::Url(_) => None,
        });
        [&self.file].into_iter().chain(&self.bases).chain(own).chain(tarballs).cloned().collect()
    }
}

/// `[debian]`: the Debian archive itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debian {
    /// Suite or codename, such as `trixie`; stands for it, its `-updates` and its `-security`.
    pub suite: String,
    /// Archive areas, `main` unless told.
    pub components: Vec<String>,
    /// Overrides every other source of the mirror's URL; no trailing slash.
    pub mirror: Option<String>,
    /// The same for the security archive.
    pub security_mirror: Option<String>,
    /// The archive as it was at this time, out of Debian's snapshot archive.
    pub snapshot: Option<Timestamp>,
}

impl Debian {
    /// Whether a repository of this name is one of those that the table stands for.
    pub fn has(name: &str) -> bool {
        matches!(name, "debian" | "debian-updates" | "debian-security")
    }
}

/// One `[[repositories]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `name`, or one made from the URI: what the lock calls it.
    pub name: String,
    /// Base URLs without trailing slash, tried in order: `http://…`, `https://…`, or `file:` and a path, which is
    /// relative to the working directory if the manifest's folder is.
    pub uris: Vec<String>,
    /// Suites.
    pub suites: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// Key file (armoured or binary) on this machine; `None` means the built-in Debian keys.
    pub signed_by: Option<PathBuf>,
    /// `trusted = true`: no signature wanted; only for `file:`.
    pub trusted: bool,
}

/// `[packages]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    /// `install`: each entry one request.
    pub install: Vec<Request>,
    /// `provided`: names on which a dependency counts as met; `None` means the built-in list.
    pub provided: Option<Vec<PackageName>>,
    /// `forbid`.
    pub forbid: Vec<PackageName>,
    /// `prefer`.
    pub prefer: Vec<PackageName>,
    /// `minimize`.
    pub minimize: Minimize,
}

/// One entry of `packages.install`: relation syntax (`name`, `name (>= 1.2)`, `a | b`), `file:/path` or `soname:name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// In canonical spelling.
    pub text: String,
    /// What is asked for.
    pub want: Want,
    /// Where it is written.
    pub line: Line,
}

/// What an entry of `packages.install` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The text is one dependency clause (Policy 7.1) without architecture restrictions.
    Clause,
    /// A package that ships this file.
    File(RootPath),
    /// A package that ships this shared library where the loader looks.
    Soname(String),
}

/// `[python]`: an application's wheels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Python {
    /// `wheels`: files on this machine, as glob patterns; relative to the working directory if the manifest's folder is.
    pub wheels: Vec<PathBuf>,
    /// `lock`: the application's lock file on this machine.
    pub lock: Option<PathBuf>,
    /// `groups`: of the lock, besides what is always in.
    pub groups: Vec<String>,
    /// `extras`: of the lock.
    pub extras: Vec<String>,
    /// `bytecode`: modules are compiled ahead of time.
    pub bytecode: bool,
    /// `ignore-needs`: sonames that wheels and tarballs can do without.
    pub ignore_needs: Vec<String>,
}

/// One `[[tarballs]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tarball {
    /// Where it is.
    pub source: TarballSource,
    /// What it is.
    pub sha256: Sha256,
    /// The folder that its content goes into.
    pub path: RootPath,
    /// How many folders are taken off the front of its names, as by tar's `--strip-components`.
    pub strip: usize,
    /// Where it is written.
    pub line: Line,
}

/// Where a tarball is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarballSource {
    /// A file on this machine.
    File(PathBuf),
    /// `http://…` or `https://…`.
    Url(String),
}

impl Tarball {
    /// Its file's name.
    pub fn name(&self) -> String {
        let name = match &self.source {
            TarballSource::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            TarballSource::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                path.rsplit('/').find(|part| !part.is_empty()).map(str::to_owned)
            }
        };
        name.unwrap_or_default()
    }
}

/// What the closure is smallest in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Minimize {
    /// Sum of Installed-Size, KiB.
    #[default]
    InstalledSize,
    /// Number of packages.
    Packages,
    /// Sum of the `.deb`s' sizes, bytes.
    DownloadSize,
}

impl Minimize {
    /// What it is counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::InstalledSize => "KiB",
            Self::Packages => "packages",
            Self::DownloadSize => "bytes",
        }
    }
}

/// `[rootfs]`: what is left out of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rootfs {
    /// Names of the omit groups (`compose groups`) that are left out.
    pub omit: Vec<String>,
    /// Glob patterns (absolute, `**` crosses directories) of paths left out.
    pub remove: Vec<String>,
    /// Glob patterns that win over both.
    pub keep: Vec<String>,
}

/// One `[[files]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// Where in the rootfs.
    pub path: RootPath,
    /// What is put there.
    pub source: FileSource,
    /// Permission bits; `None` means 0755 for directories and executables, 0644 otherwise.
    pub mode: Option<u32>,
    /// Numeric owner and group.
    pub owner: (u32, u32),
    /// Where it is written.
    pub line: Line,
}

/// What a `[[files]]` entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSource {
    /// A file or a directory tree on this machine.
    Copy(PathBuf),
    /// The bytes themselves.
    Content(String),
    /// A symbolic link with this target.
    Link(String),
    /// An empty directory.
    Directory,
}

/// `[accounts]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Added users, each with a group of the same name and number unless `gid` says otherwise.
    pub users: Vec<User>,
    /// Added groups.
    pub groups: Vec<Group>,
    /// `run-as`: the user that the image starts as; a name known to the image, or `uid[:gid]`.
    pub run_as: Option<String>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Primary group's number; the user's own unless told.
    pub gid: u32,
    /// Home directory, created with mode 0700 if nothing else makes it.
    pub home: RootPath,
    /// Login shell; `/usr/sbin/nologin` unless told.
    pub shell: String,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Number.
    pub gid: u32,
    /// Members' login names.
    pub members: Vec<String>,
}

/// `[image]`: the OCI configuration (image-spec, config.md).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Entrypoint.
    pub entrypoint: Vec<String>,
    /// Cmd.
    pub cmd: Vec<String>,
    /// Env, sorted by name; `PATH` is added if missing.
    pub env: BTreeMap<String, String>,
    /// WorkingDir.
    pub workdir: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the image manifest.
    pub annotations: BTreeMap<String, String>,
    /// ExposedPorts, such as `8080/tcp`.
    pub ports: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// StopSignal.
    pub stop_signal: Option<String>,
    /// How OCI outputs are cut into layers.
    pub layers: Layers,
    /// Layer compression in OCI outputs.
    pub compression: Compression,
}

/// How an image is cut into layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layers {
    /// All in one.
    #[default]
    Single,
    /// One each for base, C libraries, interpreter, Python modules and the manifest's own files: an update changes the
    /// layer that it concerns.
    ByOrigin,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// gzip (RFC 1952): every reader takes it.
    #[default]
    Gzip,
    /// zstd (RFC 8878): Docker 23, containerd 1.5 and later.
    Zstd,
}

/// `[sbom]`: bills of materials that go with the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sbom {
    /// `attach`: referrers of the image in OCI outputs, sorted.
    pub attach: Vec<SbomForm>,
    /// `rootfs`: files in the image itself, sorted.
    pub rootfs: Vec<SbomForm>,
}

/// A form of bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SbomForm {
    /// CycloneDX 1.6 (ECMA-424) in JSON.
    CycloneDx,
    /// SPDX 2.3 in JSON.
    Spdx2,
    /// SPDX 3.0.1 in JSON-LD.
    Spdx3,
}

impl SbomForm {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 3] = [Self::CycloneDx, Self::Spdx2, Self::Spdx3];

    /// Its name in a manifest and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx2 => "spdx",
            Self::Spdx3 => "spdx3",
        }
    }
}
