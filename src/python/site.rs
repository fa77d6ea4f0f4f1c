//! Which Python the image has, and where its wheels go.
//!
//! In: names and versions of the packages, and the tarballs' segments. Out: [`Site`]; the same for the same packages,
//! whether they were chosen just now or come from a lock.

use pep440_rs::Version;

use super::{Environment, Layout};
use crate::{
    base::{
        Arch, RootPath,
        refusal::{self, Refusal, Refuses},
    },
    tree::Kind,
    unpack::Segment,
};

/// An interpreter and its C library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The program.
    pub interpreter: RootPath,
    /// What wheels are chosen for.
    pub environment: Environment,
    /// Where they go.
    pub layout: Layout,
}

/// Why wheels cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// No interpreter.
    #[error(
        "[python] wants a Python, and the image has none\n  next step: add \"python3\" to packages.install, or a [[tarballs]] entry that holds bin/python3.X"
    )]
    NoPython,
    /// No glibc.
    #[error(
        "[python] wants glibc (libc6), and the image has none\n  next step: add \"libc6\" to packages.install; wheels for musl are not supported"
    )]
    NoLibc,
}

impl Refuses for SiteError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::NoPython => refusal::NO_PYTHON,
            Self::NoLibc => refusal::NO_LIBC,
        }
    }
}

impl Site {
    /// Finds it. A tarball's Python comes before Debian's; of several the one that `python3` is, else the newest.
    ///
    /// # Errors
    /// When there is none, or no glibc.
    pub fn find<'a>(
        packages: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        tarballs: &[Segment],
        arch: Arch,
    ) -> Result<Self, SiteError> {
        let (prefix, version) = match tarballs.iter().filter_map(of_tarball).max_by(|a, b| a.1.cmp(&b.1)) {
            Some((prefix, version)) => (Some(prefix), version),
            None => (None, of_packages(packages.clone()).ok_or(SiteError::NoPython)?),
        };
        // Some architectures count from another soname: libc6.1 of alpha and ia64.
        let mut libc = packages.filter(|(name, _)| *name == "libc6" || *name == "libc6.1");
        let glibc = libc.find_map(|(_, version)| first_two(upstream(version))).ok_or(SiteError::NoLibc)?;
        let environment = Environment::new(arch, version, glibc);
        let minor = environment.minor();
        let layout = match &prefix {
            // The prefix was long enough for bin/python3.X, and lib/python3.X/site-packages is not much longer.
            Some(prefix) => Layout::prefix(prefix, minor).map_err(|_| SiteError::NoPython)?,
            None => Layout::debian(minor),
        };
        let interpreter = RootPath::parse(layout.interpreter.as_bytes()).map_err(|_| SiteError::NoPython)?;
        Ok(Self { interpreter, environment, layout })
    }
}

/// A Debian version without epoch and revision.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

fn first_two(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The X of `python3.X-minimal`, which ships `/usr/bin/python3.X` (Debian's Python policy, section 2.1).
fn minor_of(name: &str) -> Option<u32> {
    name.strip_prefix("python3.")?.strip_suffix("-minimal")?.parse().ok()
}

/// The full version of Debian's interpreter: `3.14.0~rc2-1` is 3.14.0rc2.
fn of_packages<'a>(packages: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<Version> {
    let default = packages.clone().find(|(name, _)| *name == "python3-minimal").and_then(|(_, v)| first_two(v));
    let found = packages.filter_map(|(name, version)| {
        let minor = minor_of(name)?;
        let text: String = upstream(version).chars().filter(|c| *c != '~').collect();
        let text = text.split('+').next().unwrap_or_default();
        let version: Version = text.parse().ok().or_else(|| format!("3.{minor}.0").parse().ok())?;
        Some((default == Some((3, minor)), minor, version))
    });
    found.max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1))).map(|(_, _, version)| version)
}

/// Prefix and version of a tarball's `bin/python3.X`; the patch level is in `patchlevel.h`, if it is there.
fn of_tarball(segment: &Segment) -> Option<(RootPath, Version)> {
    let programs = segment.entries.iter().filter_map(|entry| {
        let minor: u32 = std::str::from_utf8(entry.path.file_name()).ok()?.strip_prefix("python3.")?.parse().ok()?;
        let folder = entry.path.parent().filter(|folder| folder.file_name() == b"bin")?;
        let is_program = matches!(entry.kind, Kind::File(_) | Kind::Hardlink(_)) && entry.meta.mode & 0o111 != 0;
        is_program.then(|| Some((minor, folder.parent()?)))?
    });
    let (minor, prefix) = programs.max_by_key(|(minor, _)| *minor)?;
    let header = prefix.join(format!("include/python3.{minor}/patchlevel.h")).ok();
    let version =
        header.and_then(|path| patch_level(segment, &path)).filter(|v| v.release().get(1) == Some(&minor.into()));
    let version = version.or_else(|| format!("3.{minor}.0").parse().ok())?;
    Some((prefix, version))
}

/// `#define PY_VERSION "3.14.6"`.
fn patch_level(segment: &Segment, path: &RootPath) -> Option<Version> {
    let at = segment.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
    let Kind::File(content) = &segment.entries.get(at)?.kind else { return None };
    let text = content.read_part(0, 64 << 10).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.trim().strip_prefix("#define")?.trim().strip_prefix("PY_VERSION"))?;
    line.trim().trim_matches('"').trim_end_matches('+').parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn site(packages: &[(&str, &str)]) -> Result<Site, SiteError> {
        Site::find(packages.iter().copied(), &[], Arch::Amd64)
    }

    #[test]
    fn debian_s_python_is_found_by_its_package() {
        for (packages, version, program) in [
            (
                &[("libc6", "2.41-12+deb13u4"), ("python3.13-minimal", "3.13.5-2+deb13u5")][..],
                "3.13.5",
                "/usr/bin/python3.13",
            ),
            (&[("libc6", "2.41-1"), ("python3.14-minimal", "3.14.0~rc2-1")], "3.14.0rc2", "/usr/bin/python3.14"),
            (
                &[
                    ("libc6", "2.41-1"),
                    ("python3-minimal", "3.13.5-1"),
                    ("python3.13-minimal", "3.13.5-2"),
                    ("python3.14-minimal", "3.14.1-1"),
                ],
                "3.13.5",
                "/usr/bin/python3.13",
            ),
        ] {
            let site = site(packages).unwrap();
            assert_eq!(site.environment.python().to_string(), version);
            assert_eq!(site.environment.glibc(), (2, 41));
            assert_eq!(site.interpreter.to_string(), program);
        }
        assert_eq!(site(&[("libc6", "2.41-1"), ("python3", "3.13")]), Err(SiteError::NoPython));
        assert_eq!(site(&[("python3.13-minimal", "3.13.5-2")]), Err(SiteError::NoLibc));
    }
}
