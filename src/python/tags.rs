//! Compatibility tags: which wheels an interpreter takes, and which of them first.
//!
//! In: interpreter, C library, machine. Out: the rank of a wheel, or why it does not fit. The order is that of
//! `packaging.tags.sys_tags` for CPython on Linux with glibc (PEP 425, PEP 600 and the specification "Platform
//! compatibility tags"), except that the free-threaded build and musl are never the target.

use std::{cmp::Reverse, collections::HashMap, fmt};

use super::wheel_name::WheelName;

/// The glibc minor versions of a major version that is not the image's own: PEP 600 leaves their end open.
const LAST_MINOR_OF_OLD_MAJOR: u32 = 50;

/// Versions beyond these are taken as these: they come from packages, and each is a step of a loop.
const HIGHEST_PYTHON: u32 = 100;
const HIGHEST_GLIBC: (u32, u32) = (3, 200);

/// The tags that fit one target, best first.
#[derive(Debug, Clone)]
pub struct Tags {
    machine: &'static str,
    python: (u32, u32),
    glibc: (u32, u32),
    /// Each pair of interpreter and ABI with a binary platform, best first.
    binary: Vec<(String, String)>,
    /// Best first.
    platforms: Vec<String>,
    /// Each interpreter that goes with `none-any`, best first.
    anywhere: Vec<String>,
    ranks: HashMap<(String, String, String), usize>,
}

/// Why a wheel does not fit. Ordered by how little is amiss.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// It needs a newer C library: what it wants, what the image has.
    Glibc((u32, u32), (u32, u32)),
    /// It is for another version of CPython: its own, the image's.
    Python(String, (u32, u32)),
    /// It is for the free-threaded build of this version.
    FreeThreaded((u32, u32)),
    /// It is for another interpreter, such as PyPy.
    Interpreter(String),
    /// It is for another machine: its own, the image's.
    Machine(String, &'static str),
    /// It is for the C library musl.
    Musl,
    /// It is for another system, such as Windows.
    System(String),
    /// Its tags are each known, but not together.
    Tags(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc(wants, has) => {
                write!(f, "it wants glibc {}.{}, the image has {}.{}", wants.0, wants.1, has.0, has.1)
            }
            Self::Python(its, ours) => write!(f, "it is for {its}, not {}.{}", ours.0, ours.1),
            Self::FreeThreaded(version) => {
                write!(f, "it is for the free-threaded build of CPython {}.{}", version.0, version.1)
            }
            Self::Interpreter(name) => write!(f, "it is for {name}, not CPython"),
            Self::Machine(its, ours) => write!(f, "it is for {its}, not {ours}"),
            Self::Musl => f.write_str("it is for musl, the image has glibc"),
            Self::System(name) => write!(f, "it is for {name}, not Linux"),
            Self::Tags(tags) => write!(f, "its tags “{tags}” fit no Python"),
        }
    }
}

impl Tags {
    /// The tags of CPython `python` on `machine` with glibc `glibc`.
    pub(super) fn new(machine: &'static str, python: (u32, u32), glibc: (u32, u32)) -> Self {
        let python = (python.0, python.1.min(HIGHEST_PYTHON));
        let (major, minor) = python;
        let platforms = platforms(machine, glibc);
        let own = format!("cp{major}{minor}");
        let mut binary: Vec<(String, String)> = vec![(own.clone(), own.clone())];
        // The stable ABI: PEP 384, from CPython 3.2 on.
        let stable = python >= (3, 2);
        if stable {
            binary.push((own.clone(), "abi3".into()));
        }
        binary.push((own.clone(), "none".into()));
        if stable {
            binary.extend((2..minor).rev().map(|minor| (format!("cp{major}{minor}"), "abi3".into())));
        }
        let generic: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
            .into_iter()
            .chain((0..minor).rev().map(|minor| format!("py{major}{minor}")))
            .collect();
        binary.extend(generic.iter().map(|python| (python.clone(), "none".into())));
        let anywhere: Vec<String> = std::iter::once(own).chain(generic).collect();
        let mut tags = Self { machine, python, glibc, binary, platforms, anywhere, ranks: HashMap::new() };
        tags.ranks = tags.in_order().enumerate().map(|(rank, tag)| (tag, rank)).collect();
        tags
    }

    /// Each tag as interpreter, ABI and platform, best first.
    pub fn in_order(&self) -> impl Iterator<Item = (String, String, String)> {
        let binary = self.binary.iter().flat_map(|(python, abi)| {
            self.platforms.iter().map(move |platform| (python.clone(), abi.clone(), platform.clone()))
        });
        binary.chain(self.anywhere.iter().map(|python| (python.clone(), "none".into(), "any".into())))
    }

    /// How well a wheel fits: the place of its best tag in the order of preference, 0 first; none if it does not fit.
    pub fn rank(&self, wheel: &WheelName) -> Option<usize> {
        let mut best = None;
        for python in wheel.pythons() {
            for abi in wheel.abis() {
                for platform in wheel.platforms() {
                    let rank = self.ranks.get(&(python.clone(), abi.clone(), platform.clone())).copied();
                    best = [best, rank].into_iter().flatten().min();
                }
            }
        }
        best
    }

    /// The wheel to take of several of one version: the best rank, then the highest build tag, then the first name.
    pub fn best<'w, T>(&self, wheels: impl IntoIterator<Item = (&'w WheelName, T)>) -> Option<(&'w WheelName, T)> {
        let fitting = wheels.into_iter().filter_map(|(wheel, with)| Some((self.rank(wheel)?, wheel, with)));
        fitting.min_by_key(|(rank, wheel, _)| (*rank, Reverse(wheel.build()), wheel.as_str())).map(|(_, w, t)| (w, t))
    }

    /// Why a wheel does not fit; none if it does.
    pub fn misfit(&self, wheel: &WheelName) -> Option<Misfit> {
        if self.rank(wheel).is_some() {
            return None;
        }
        let platform_fits = |platform: &String| platform == "any" || self.platforms.contains(platform);
        if !wheel.platforms().iter().any(platform_fits) {
            return wheel.platforms().iter().map(|platform| self.foreign_platform(platform)).min();
        }
        let pair_fits = |python: &str, abi: &str| self.binary.iter().any(|pair| (&*pair.0, &*pair.1) == (python, abi));
        let pairs = || wheel.pythons().iter().flat_map(|python| wheel.abis().iter().map(move |abi| (python, abi)));
        if pairs().any(|(python, abi)| pair_fits(python, abi)) {
            return Some(Misfit::Tags(wheel.as_str().into()));
        }
        pairs().map(|(python, abi)| self.foreign_python(python, abi)).min()
    }

    /// The tags wanted, in a few words for a message.
    pub fn summary(&self) -> String {
        let ((major, minor), glibc) = (self.python, self.glibc);
        let own = format!("cp{major}{minor}");
        format!(
            "{own}-{own}-manylinux_{}_{}_{} or older manylinux, cp{major}*-abi3, py{major}-none-any",
            glibc.0, glibc.1, self.machine
        )
    }

    fn foreign_platform(&self, platform: &str) -> Misfit {
        let system = |name: &str| Misfit::System(name.into());
        let of_other = |machine: &str| Misfit::Machine(machine.into(), self.machine);
        if let Some((wants, machine)) = manylinux(platform) {
            return if machine == self.machine { Misfit::Glibc(wants, self.glibc) } else { of_other(machine) };
        }
        if platform.starts_with("musllinux_") {
            return Misfit::Musl;
        }
        if let Some(machine) = platform.strip_prefix("linux_") {
            return of_other(machine);
        }
        match platform.split(['_', '-']).next() {
            Some("win" | "win32" | "win64") => system("Windows"),
            Some("macosx") => system("macOS"),
            Some("ios") => system("iOS"),
            Some("android") => system("Android"),
            Some("emscripten" | "pyodide" | "wasm32" | "pyemscripten") => system("WebAssembly"),
            _ => Misfit::System(format!("the platform “{platform}”")),
        }
    }

    fn foreign_python(&self, python: &str, abi: &str) -> Misfit {
        let of = |digits: &str| -> Option<(u32, u32)> {
            let (major, minor) = (digits.get(..1)?.parse().ok()?, digits.get(1..)?);
            Some((major, if minor.is_empty() { 0 } else { minor.parse().ok()? }))
        };
        let other = |kind: &str, (major, minor): (u32, u32), newer: &str| {
            Misfit::Python(format!("{kind} {major}.{minor}{newer}"), self.python)
        };
        let threads = abi.strip_prefix("cp").and_then(|rest| rest.strip_suffix('t')).and_then(of);
        if let Some(version) = threads.filter(|version| *version == self.python) {
            return Misfit::FreeThreaded(version);
        }
        if let Some(version) = threads {
            return other("free-threaded CPython", version, "");
        }
        if let Some(version) = python.strip_prefix("cp").and_then(of) {
            return if version == self.python {
                Misfit::Tags(format!("{python}-{abi}"))
            } else {
                other("CPython", version, if abi == "abi3" && version > self.python { " or newer" } else { "" })
            };
        }
        if let Some(version) = python.strip_prefix("py").and_then(of) {
            let newer = version.0 == self.python.0 && version > self.python;
            return match version {
                (2, _) => Misfit::Python("Python 2".into(), self.python),
                version => other("Python", version, if newer { " or newer" } else { "" }),
            };
        }
        match python.get(..2) {
            Some("pp") => Misfit::Interpreter("PyPy".into()),
            Some("gr") => Misfit::Interpreter("GraalPy".into()),
            Some("ip") => Misfit::Interpreter("IronPython".into()),
            Some("jy") => Misfit::Interpreter("Jython".into()),
            _ => Misfit::Interpreter(format!("the interpreter “{python}”")),
        }
    }
}

/// The names before PEP 600, and the glibc that each stands for (PEP 513, 571, 599).
const LEGACY: [((u32, u32), &str); 3] =
    [((2, 17), "manylinux2014"), ((2, 12), "manylinux2010"), ((2, 5), "manylinux1")];

/// The platform tags of a machine, best first: each manylinux from the image's glibc down, then plain Linux.
fn platforms(machine: &str, glibc: (u32, u32)) -> Vec<String> {
    // The oldest glibc that any manylinux allows: on the PC it is manylinux1's, elsewhere manylinux2014's.
    let oldest = if matches!(machine, "x86_64" | "i686") { (2, 5) } else { (2, 17) };
    let mut out = Vec::new();
    for major in (2..=glibc.0.min(HIGHEST_GLIBC.0)).rev() {
        let highest = if major == glibc.0 { glibc.1.min(HIGHEST_GLIBC.1) } else { LAST_MINOR_OF_OLD_MAJOR };
        let lowest = if major == oldest.0 { oldest.1 } else { 0 };
        for minor in (lowest..=highest).rev() {
            out.push(format!("manylinux_{major}_{minor}_{machine}"));
            let legacy = LEGACY.iter().find(|(version, _)| *version == (major, minor));
            out.extend(legacy.map(|(_, name)| format!("{name}_{machine}")));
        }
    }
    out.push(format!("linux_{machine}"));
    out
}

/// The glibc and the machine of a manylinux tag, in its old or new form.
fn manylinux(platform: &str) -> Option<((u32, u32), &str)> {
    for (version, name) in LEGACY {
        if let Some(machine) = platform.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')) {
            return Some((version, machine));
        }
    }
    let mut parts = platform.strip_prefix("manylinux_")?.splitn(3, '_');
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((version, parts.next()?))
}

#[cfg(test)]
#[path = "tags_tests.rs"]
mod tests;
