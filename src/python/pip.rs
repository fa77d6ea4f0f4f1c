//! Wheels by name and digest, downloaded by the machine's own pip with its own configuration.
//!
//! In: what a lock without URLs names. Out: files in a folder, each with one of the digests wanted: pip checks them
//! (`--require-hashes`), and so do we. pip runs no code of what it downloads (`--only-binary=:all: --no-deps`).

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Environment, ProjectName, wheel_name::WheelName};
use crate::base::{
    Sha256, live,
    refusal::{self, Refusal, Refuses},
};

/// The ways to run pip, in the order that they are tried.
const WAYS: [&[&str]; 4] = [&["pip"], &["pip3"], &["python3", "-m", "pip"], &["uv", "tool", "run", "--quiet", "pip"]];

/// Lines of pip's own words that a message shows.
const LINES: usize = 8;

/// A wheel that pip is to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// Its project.
    pub name: ProjectName,
    /// Its version.
    pub version: String,
    /// It is one of these.
    pub sha256: Vec<Sha256>,
}

/// A wheel that pip brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Where.
    pub path: PathBuf,
    /// Its name.
    pub file: WheelName,
    /// Of its bytes: one of those wanted.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
}

/// Why there are no wheels.
#[derive(Debug, thiserror::Error)]
pub enum PipError {
    /// No pip.
    #[error(
        "python.lock says no URL for {0}, and no pip was found to download it\n  next step: install pip or uv, or use a lock with URLs (pylock.toml, uv.lock)"
    )]
    Absent(String),
    /// `--offline`.
    #[error("not in the cache: {0}; --offline forbids pip to download that; run once without --offline")]
    Offline(String),
    /// pip fails.
    #[error(
        "pip could not download the wheels ({}):\n{words}\n  next step: check pip's index configuration (pip config list), and that each version has a wheel for {target}",
        names.join(", ")
    )]
    Failed {
        /// Which were wanted.
        names: Vec<String>,
        /// The tags in short.
        target: String,
        /// pip's own last words.
        words: String,
    },
    /// A file that is not what the lock promises.
    #[error(
        "what the index has for {name} is not what the application's lock promises\n{words}\n  next step: find out who changed it; if it is meant so, or the lock has digests for other machines alone, make it anew"
    )]
    Mismatch {
        /// Which.
        name: String,
        /// In detail.
        words: String,
    },
    /// It cannot be run or its files not be read.
    #[error("cannot run pip: {0}")]
    Io(#[from] io::Error),
}

impl Refuses for PipError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::Absent(_) => refusal::PIP_MISSING,
            Self::Offline(_) => refusal::OFFLINE,
            Self::Failed { .. } => refusal::PIP_FAILED,
            Self::Mismatch { .. } => refusal::PIP_BROUGHT_ANOTHER,
            Self::Io(_) => refusal::PIP_NOT_RUN,
        }
    }
}

/// Downloads all of `errands` into `folder`.
///
/// # Errors
/// [`PipError`].
pub fn download(
    errands: &[Errand],
    environment: &Environment,
    folder: &Path,
) -> Result<BTreeMap<ProjectName, Brought>, PipError> {
    let list = folder.join("wanted.txt");
    fs::write(&list, requirements(errands))?;
    // What it leaves there when it is killed goes with the folder.
    let own = folder.join("tmp");
    fs::create_dir(&own)?;
    let mut output = None;
    for way in WAYS {
        let [program, first @ ..] = way else { continue };
        let mut command = Command::new(program);
        command.args(first).args(arguments(environment)).arg("--dest").arg(folder).arg("--requirement").arg(&list);
        command.current_dir(folder).env("TMPDIR", &own).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        match live::output(&mut command) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            // A python3 without pip.
            Ok(run) if !run.status.success() && says(&run.stderr, "No module named pip") => {}
            Ok(run) => {
                output = Some(run);
                break;
            }
        }
    }
    let names = || errands.iter().map(|errand| format!("{} {}", errand.name, errand.version)).collect::<Vec<_>>();
    let Some(run) = output else { return Err(PipError::Absent(names().join(", "))) };
    if !run.status.success() {
        let words = last_words(&run.stderr);
        if says(&run.stderr, "DO NOT MATCH THE HASHES") {
            // A line each: `demo==1.0 from https://…:`.
            let first = words.lines().filter_map(|line| line.trim().split(' ').next());
            let named: Vec<&str> = first.filter(|word| word.contains("==")).collect();
            let name = if named.is_empty() { names().join(", ") } else { named.join(", ") };
            return Err(PipError::Mismatch { name, words });
        }
        return Err(PipError::Failed { names: names(), target: environment.tags().summary(), words });
    }
    brought(errands, folder)
}

fn says(output: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(output).contains(words)
}

/// The end of what pip said, without warnings and empty lines.
fn last_words(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let plain = |line: &&str| !line.trim().is_empty() && !line.starts_with("WARNING") && !line.starts_with("[notice]");
    let lines: Vec<&str> = text.lines().filter(plain).collect();
    let start = lines.len().saturating_sub(LINES);
    let shown = |line: &&str| format!("    {}", line.trim().chars().filter(|c| !c.is_control()).collect::<String>());
    lines.iter().skip(start).map(shown).collect::<Vec<_>>().join("\n")
}

/// `name==version --hash=sha256:… …`, a line each.
fn requirements(errands: &[Errand]) -> String {
    let hashes = |errand: &Errand| {
        errand.sha256.iter().map(|sha256| format!(" --hash=sha256:{}", sha256.hex())).collect::<String>()
    };
    errands.iter().map(|errand| format!("{}=={}{}\n", errand.name, errand.version, hashes(errand))).collect()
}

/// For the image's interpreter instead of pip's own, best platform first, as `sys_tags` has them.
fn arguments(environment: &Environment) -> Vec<String> {
    let (major, minor) = environment.minor();
    let mut out: Vec<String> =
        ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--progress-bar=off"]
            .map(String::from)
            .into();
    out.extend(["--implementation=cp".into(), format!("--python-version={major}.{minor}")]);
    out.extend([format!("--abi=cp{major}{minor}"), "--abi=abi3".into(), "--abi=none".into()]);
    let mut platforms: Vec<String> = Vec::new();
    for (_, _, platform) in environment.tags().in_order() {
        if platform != "any" && !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    out.extend(platforms.into_iter().map(|platform| format!("--platform={platform}")));
    out
}

/// What is in the folder now, each file held against what was wanted.
fn brought(errands: &[Errand], folder: &Path) -> Result<BTreeMap<ProjectName, Brought>, PipError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("whl")) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mismatch = |words: String| PipError::Mismatch { name: name.clone(), words: format!("    {words}") };
        let file = WheelName::parse(&name).map_err(|error| mismatch(error.to_string()))?;
        let Some(errand) = errands.iter().find(|errand| errand.name == *file.project()) else { continue };
        let (sha256, size) = fs::File::open(&path).and_then(Sha256::of_reader)?;
        if !errand.sha256.contains(&sha256) {
            return Err(mismatch(format!("its SHA-256 is {}, which is none of the lock's", sha256.hex())));
        }
        found.insert(errand.name.clone(), Brought { path, file, sha256, size });
    }
    match errands.iter().find(|errand| !found.contains_key(&errand.name)) {
        Some(missing) => {
            let words = "    it said that it succeeded, and the file is not there".into();
            Err(PipError::Failed { names: vec![missing.name.to_string()], target: String::new(), words })
        }
        None => Ok(found),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::Arch;

    #[test]
    fn asks_for_the_image_s_python_and_no_other() {
        let environment = Environment::new(Arch::Arm64, "3.13.5".parse().unwrap(), (2, 28));
        let arguments = arguments(&environment);
        assert!(arguments.contains(&"--python-version=3.13".into()) && arguments.contains(&"--abi=abi3".into()));
        let platforms: Vec<_> = arguments.iter().filter_map(|a| a.strip_prefix("--platform=")).collect();
        assert_eq!((platforms[0], platforms[1]), ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64"));
        assert_eq!(platforms.last(), Some(&"linux_aarch64"));
        let sha256 = vec![Sha256::of(b"a"), Sha256::of(b"b")];
        let text = requirements(&[Errand { name: "Demo".parse().unwrap(), version: "1.0".into(), sha256 }]);
        assert!(text.starts_with("demo==1.0 --hash=sha256:ca978112") && text.matches("--hash").count() == 2, "{text}");
    }

    #[test]
    fn what_pip_brings_is_held_against_the_digests() {
        let dir = tempfile::tempdir().unwrap();
        let errand = |bytes: &[u8]| {
            vec![Errand { name: "demo".parse().unwrap(), version: "1.0".into(), sha256: vec![Sha256::of(bytes)] }]
        };
        let error = brought(&errand(b"x"), dir.path()).unwrap_err();
        assert!(matches!(error, PipError::Failed { .. }), "{error}");
        fs::write(dir.path().join("demo-1.0-py3-none-any.whl"), b"x").unwrap();
        assert_eq!(brought(&errand(b"x"), dir.path()).unwrap().len(), 1);
        let error = brought(&errand(b"other"), dir.path()).unwrap_err();
        assert!(matches!(error, PipError::Mismatch { .. }), "{error}");
    }
}
