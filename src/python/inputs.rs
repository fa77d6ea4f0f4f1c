//! What `[python]` names on this machine, read once: the application's lock and wheels.
//!
//! In: the manifest's table. Out: [`Inputs`]: the lock parsed, the wheels with their digests, and what both mean for
//! whether compose's own lock is stale.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use globset::GlobBuilder;

use super::{
    Environment, LockFault, Misfit, ProjectName, PythonLock, Source, Wanted,
    lock::LARGEST,
    wheel_name::{BadWheelName, WheelName},
};
use crate::{
    base::{
        Sha256,
        refusal::{self, Refusal, Refuses},
    },
    manifest::Python,
};

/// A wheel on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalWheel {
    /// Where.
    pub path: PathBuf,
    /// Its name.
    pub file: WheelName,
    /// Bytes.
    pub size: u64,
    /// Of its bytes.
    pub sha256: Sha256,
}

/// What there is to choose wheels from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    lock: Option<PythonLock>,
    /// By name, then by file.
    wheels: Vec<LocalWheel>,
    digest: Option<Sha256>,
}

/// What is wrong with them.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock is longer than any.
    #[error("{} is longer than {} MiB; that is no lock\n  next step: give the application's lock in python.lock", .0.display(), LARGEST >> 20)]
    TooLong(PathBuf),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// A pattern that matches nothing.
    #[error("python.wheels: nothing matches {}\n  next step: put the wheels there, or take the pattern out", .0.display())]
    NoMatch(PathBuf),
    /// A name that no wheel has.
    #[error(
        "python.wheels: {source}\n  next step: a wheel keeps the name that it was built under; take other files out of the pattern"
    )]
    Name {
        /// Why.
        #[from]
        source: BadWheelName,
    },
    /// No wheel of a project fits the image.
    #[error("python.wheels: {project} has no wheel that fits ({wanted}):\n{}\n  next step: build or download it for that, or take it out", list(.misfits))]
    NoFit {
        /// Whose.
        project: ProjectName,
        /// The tags that would do.
        wanted: String,
        /// Each file and why not.
        misfits: Vec<(String, Misfit)>,
    },
    /// Two versions of one project.
    #[error(
        "python.wheels: {first} and {second} are of one project, and only one of them can be installed\n  next step: take one of them out"
    )]
    Twice {
        /// A file.
        first: String,
        /// Another.
        second: String,
    },
}

impl Refuses for InputsError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Read { .. } => refusal::APPLICATION_FILE_UNREADABLE,
            Self::TooLong(_) => refusal::APP_LOCK_TOO_LARGE,
            Self::Lock(fault) => fault.refusal(),
            Self::NoMatch(_) => refusal::NO_WHEEL_MATCHES,
            Self::Name { .. } => refusal::BAD_WHEEL_NAME,
            Self::NoFit { .. } => refusal::NO_WHEEL_FITS,
            Self::Twice { .. } => refusal::WHEELS_OF_ONE_PROJECT,
        }
    }
}

fn list(misfits: &[(String, Misfit)]) -> String {
    misfits.iter().map(|(file, why)| format!("  {file}: {why}")).collect::<Vec<_>>().join("\n")
}

impl Inputs {
    /// Reads them; nothing without `[python]`.
    ///
    /// # Errors
    /// [`InputsError`].
    pub fn read(python: Option<&Python>) -> Result<Self, InputsError> {
        let Some(python) = python else { return Ok(Self::default()) };
        let mut digests = Vec::new();
        let lock = match &python.lock {
            None => None,
            Some(path) => {
                let cannot = |source| InputsError::Read { path: path.clone(), source };
                let mut bytes = Vec::new();
                // What a file says of its length is not what it gives.
                let file = fs::File::open(path).map_err(cannot)?;
                file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
                if bytes.len() > LARGEST {
                    return Err(InputsError::TooLong(path.clone()));
                }
                digests.push(Sha256::of(&bytes));
                Some(PythonLock::parse(path, &bytes)?)
            }
        };
        let wheels = local(&python.wheels)?;
        digests.extend(wheels.iter().flat_map(|wheel| [Sha256::of(wheel.file.as_str().as_bytes()), wheel.sha256]));
        let digest = Sha256::of(&digests.iter().flat_map(|digest| digest.bytes().to_vec()).collect::<Vec<_>>());
        Ok(Self { lock, wheels, digest: Some(digest) })
    }

    /// What the manifest means together with these: compose's lock is stale when it is another.
    pub fn meaning(&self, manifest: Sha256) -> Sha256 {
        match &self.digest {
            Some(digest) => Sha256::of(&[&manifest.bytes()[..], digest.bytes()].concat()),
            None => manifest,
        }
    }

    /// Whether there is anything to choose from.
    pub fn is_empty(&self) -> bool {
        self.lock.is_none() && self.wheels.is_empty()
    }

    /// Whether the image has to have a Python: for wheels, or to make bytecode with.
    pub fn want_python(&self, python: Option<&Python>) -> bool {
        !self.is_empty() || python.is_some_and(|python| python.bytecode)
    }

    /// The folder that paths in the lock start from.
    pub fn folder(&self) -> Option<&Path> {
        self.lock.as_ref().map(PythonLock::folder)
    }

    /// The wheels on this machine, by project, then by file.
    pub fn wheels(&self) -> &[LocalWheel] {
        &self.wheels
    }

    /// Every file on this machine that they are read from: the lock, what it names, wheels.
    pub fn files(&self) -> Vec<PathBuf> {
        let lock = self.lock.iter().flat_map(PythonLock::files);
        lock.chain(self.wheels.iter().map(|wheel| wheel.path.clone())).collect()
    }

    /// The wheel on this machine with this digest.
    pub fn local(&self, sha256: &Sha256) -> Option<&LocalWheel> {
        self.wheels.iter().find(|wheel| wheel.sha256 == *sha256)
    }

    /// The wheels for one target, sorted by project; those of this machine in place of the lock's.
    ///
    /// # Errors
    /// When the lock has no fitting wheel of something, or the wheels contradict each other.
    pub fn select(&self, python: &Python, environment: &Environment) -> Result<Vec<Wanted>, InputsError> {
        let supplied = self.wheels.iter().map(|wheel| wheel.file.project().clone()).collect();
        let mut wanted = match &self.lock {
            Some(lock) => lock.select(environment, &python.groups, &python.extras, &supplied)?,
            None => Vec::new(),
        };
        let tags = environment.tags();
        let mut projects: BTreeMap<&ProjectName, Vec<&LocalWheel>> = BTreeMap::new();
        for wheel in &self.wheels {
            projects.entry(wheel.file.project()).or_default().push(wheel);
        }
        for (project, wheels) in projects {
            let Some((file, best)) = tags.best(wheels.iter().map(|wheel| (&wheel.file, *wheel))) else {
                let misfit = |wheel: &&LocalWheel| Some((wheel.file.as_str().to_owned(), tags.misfit(&wheel.file)?));
                let misfits = wheels.iter().filter_map(misfit).collect();
                return Err(InputsError::NoFit { project: project.clone(), wanted: tags.summary(), misfits });
            };
            let other = wheels.iter().find(|wheel| wheel.file.version() != file.version());
            if let Some(other) = other.filter(|other| tags.rank(&other.file).is_some()) {
                let [first, second] = [file, &other.file].map(|file| file.as_str().to_owned());
                return Err(InputsError::Twice { first, second });
            }
            let source = Source::Path { path: best.path.clone(), file: file.clone(), sha256: best.sha256 };
            wanted.push(Wanted { name: project.clone(), version: file.version().to_string(), source });
        }
        wanted.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(wanted)
    }
}

/// The wheels that patterns match, by project, then by file.
fn local(patterns: &[PathBuf]) -> Result<Vec<LocalWheel>, InputsError> {
    let mut paths = Vec::new();
    for pattern in patterns {
        let found = expand(pattern)?;
        if found.is_empty() {
            return Err(InputsError::NoMatch(pattern.clone()));
        }
        paths.extend(found);
    }
    paths.sort();
    paths.dedup();
    let mut wheels = Vec::new();
    for path in paths {
        let cannot = |source| InputsError::Read { path: path.clone(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = WheelName::parse(&name)?;
        let (sha256, size) = fs::File::open(&path).and_then(Sha256::of_reader).map_err(cannot)?;
        wheels.push(LocalWheel { file, size, sha256, path });
    }
    wheels.sort_by(|a, b| (a.file.project(), a.file.as_str()).cmp(&(b.file.project(), b.file.as_str())));
    Ok(wheels)
}

/// The files that a glob pattern matches, `*` within a component, `**` across. A folder of the very name that is written
/// is meant, whatever characters it has: the manifest's own folder stands before the pattern.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, InputsError> {
    let is_meta = |part: &Path| part.to_string_lossy().contains(['*', '?', '[', '{']);
    let parts: Vec<PathBuf> = pattern.components().map(|part| PathBuf::from(part.as_os_str())).collect();
    let mut base = PathBuf::new();
    let mut plain = 0;
    for part in &parts {
        let next = base.join(part);
        if is_meta(part) && !next.is_dir() {
            break;
        }
        (base, plain) = (next, plain + 1);
    }
    if plain == parts.len() {
        return Ok(if base.is_file() { vec![base] } else { Vec::new() });
    }
    let rest: PathBuf = parts.iter().skip(plain).collect();
    let text = rest.to_string_lossy();
    let Ok(glob) = GlobBuilder::new(&text).literal_separator(true).build() else { return Ok(Vec::new()) };
    let (glob, deep) = (glob.compile_matcher(), text.contains("**"));
    let mut found = Vec::new();
    let mut todo = vec![(base.clone(), parts.len() - plain)];
    while let Some((folder, depth)) = todo.pop() {
        let at = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let entries = match fs::read_dir(at) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(InputsError::Read { path: at.into(), source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| InputsError::Read { path: at.into(), source })?;
            let path = folder.join(entry.file_name());
            if path.is_dir() && (deep || depth > 1) && !entry.path().is_symlink() {
                todo.push((path, depth.saturating_sub(1)));
            } else if path.is_file() && glob.is_match(path.strip_prefix(&base).unwrap_or(&path)) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::Arch;

    const ANY: &str = "demo-1.0-py3-none-any.whl";

    fn python(dir: &Path, patterns: &[&str]) -> Python {
        Python { wheels: patterns.iter().map(|pattern| dir.join(pattern)).collect(), ..Python::default() }
    }

    fn selected(files: &[&str], patterns: &[&str]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let python = python(dir.path(), patterns);
        let environment = Environment::new(Arch::Amd64, "3.13.5".parse().unwrap(), (2, 41));
        let select = || Inputs::read(Some(&python))?.select(&python, &environment);
        let text = |error: InputsError| error.to_string().replace(&*dir.path().to_string_lossy(), "DIR");
        let name = |wanted: Wanted| match wanted.source {
            Source::Path { file, .. } => file.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        select().map(|all| all.into_iter().map(name).collect()).map_err(text)
    }

    #[test]
    fn patterns_find_what_they_say() {
        let deep = "a/b/x-1-py3-none-any.whl";
        for (patterns, found) in [
            (&["*.whl"][..], vec![ANY]),
            (&[ANY], vec![ANY]),
            (&["**/*.whl"], vec![ANY, "x-1-py3-none-any.whl"]),
            (&["a/*/*.whl", "*.whl"], vec![ANY, "x-1-py3-none-any.whl"]),
        ] {
            assert_eq!(selected(&[ANY, deep, "README"], patterns).unwrap(), found, "{patterns:?}");
        }
    }

    #[test]
    fn the_manifest_s_folder_may_have_any_name() {
        for folder in ["a[1]", "{b}", "c*", "d?[!x]"] {
            for pattern in ["*.whl", ANY, "**/*.whl"] {
                let pattern = format!("{folder}/{pattern}");
                assert_eq!(selected(&[&format!("{folder}/{ANY}")], &[&pattern]).unwrap(), [ANY], "{pattern}");
            }
        }
    }

    #[test]
    fn the_best_wheel_of_each_project_is_taken() {
        let native = "demo-1.0-cp313-cp313-manylinux_2_17_x86_64.whl";
        let others = ["demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "demo-1.0-cp313-cp313-win_amd64.whl"];
        assert_eq!(selected(&[ANY, native, others[0], others[1]], &["*.whl"]).unwrap(), [native]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (files, words) in [
            (&["demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"][..], "it is for CPython 3.12, not 3.13"),
            (&["demo-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"], "it is for aarch64, not x86_64"),
            (&["demo-1.0-cp313-cp313-musllinux_1_2_x86_64.whl"], "it is for musl, the image has glibc"),
            (&["demo-1.0-cp313-cp313-manylinux_2_99_x86_64.whl"], "it wants glibc 2.99, the image has 2.41"),
            (&[ANY, "demo-2.0-py3-none-any.whl"], "only one of them can be installed"),
            (&["demo.whl"], "“demo.whl”"),
            (&["README"], "nothing matches DIR/*.whl"),
        ] {
            let error = selected(files, &["*.whl"]).unwrap_err();
            assert!(error.contains(words) && error.contains("next step"), "{error}");
        }
    }
}
