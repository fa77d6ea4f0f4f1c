//! What every command needs before it can begin: the manifest, the store, the network, the mirrors.
//!
//! In: arguments and environment. Out: a [`Desk`].

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{args::ResolveArgs, environment, exit::Failure, look, progress::Shown};
use crate::{
    archive::{
        self, FetchSettings, Fetcher, Keys, Loader, MirrorInputs, MirrorSource, Mirrors, Sonames, SuiteRequest,
        Vendored, sources::Mirror, vendored::KEYRING,
    },
    base::{Arch, PackageName, Place, Sha256, refusal},
    build::{Download, Order, Plan},
    image::{open::ImageRef, registry::Credentials},
    lock::Lock,
    manifest::{self, Manifest},
    python::Inputs,
    store::Store,
};

/// More threads than any machine of today has use for.
const MOST_THREADS: usize = 256;

/// Everything at hand.
pub struct Desk {
    /// What is wanted.
    pub manifest: Manifest,
    /// What its `[python]` names.
    pub inputs: Inputs,
    /// What both mean: a lock made for something else is stale.
    pub meaning: Sha256,
    /// Where its lock lies.
    pub lock_path: PathBuf,
    /// For which architectures.
    pub archs: Vec<Arch>,
    /// The cache.
    pub store: Store,
    /// The network.
    pub fetcher: Fetcher,
    /// Every suite that the manifest names.
    pub suites: Vec<SuiteRequest>,
    /// Shows what happens.
    pub shown: Shown,
    /// The start of the run.
    pub now: Timestamp,
}

impl Desk {
    /// Reads the manifest and opens what it needs.
    ///
    /// # Errors
    /// When the manifest, the cache or a mirror's address is unusable.
    pub fn open(args: &ResolveArgs) -> Result<Self, Failure> {
        if let Some(jobs) = args.jobs {
            rayon::ThreadPoolBuilder::new()
                .num_threads(jobs.get().min(MOST_THREADS))
                .build_global()
                .map_err(|error| Failure::new(refusal::INTERNAL, error))?;
        }
        let file = args.manifest.as_deref().unwrap_or(Path::new("manifest.toml"));
        let mut manifest = match manifest::load(file) {
            Ok(manifest) => manifest,
            Err(errors) => return Err(look::no_manifest(file).unwrap_or_else(|| errors.into())),
        };
        if let Some(suite) = &args.suite {
            manifest
                .take_suite(suite)
                .map_err(|text| Failure::words(refusal::BAD_OPTION, format!("--suite: {text}")))?;
        }
        let inputs = Inputs::read(manifest.python.as_ref())?;
        let meaning = inputs.meaning(manifest::meaning(&manifest));
        let mut archs = if args.arch.is_empty() { manifest.archs.clone() } else { args.arch.clone() };
        archs.sort_unstable();
        archs.dedup();
        let cache = cache_folder()?;
        let store = Store::open(&cache)?;
        let now = Timestamp::now();
        let mirror = args.mirror.as_deref().map(absolute).transpose()?;
        let env = environment::COMPOSE_MIRROR.text();
        // Who names a folder that `compose vendor` made, in whatever way a mirror is named for this machine.
        let of_machine =
            || env.as_ref().filter(|_| manifest.debian.as_ref().is_none_or(|debian| debian.mirror.is_none()));
        let vendored = mirror.as_ref().or_else(of_machine).and_then(|url| Vendored::at(url));
        let mirrors = match &manifest.debian {
            None => None,
            Some(_) if vendored.is_some() => vendored.as_ref().map(everything),
            Some(debian) => Some(
                archive::discover(&MirrorInputs {
                    cli: mirror,
                    mirror: debian.mirror.clone(),
                    security_mirror: debian.security_mirror.clone(),
                    env,
                    snapshot: snapshot_archive(),
                    pin: debian.snapshot,
                    apt_dir: "/etc/apt".into(),
                    today: jiff::tz::Offset::UTC.to_datetime(now).date(),
                })
                .map_err(archive::ArchiveError::from)?,
            ),
        };
        let mut suites = archive::requests(&manifest, mirrors.as_ref()).map_err(archive::ArchiveError::from)?;
        for suite in &mut suites {
            if let Some(vendored) = &vendored {
                // Its Releases are of when it was made.
                (suite.bases, suite.pin) = (vec![vendored.base()], None);
            }
            if let Some(file) = args.signed_by.as_ref().filter(|_| vendored.is_some() || suite.is_debian()) {
                suite.keys = Keys::File(file.clone());
            }
        }
        let fetcher = Fetcher::new(FetchSettings { offline: args.offline, vendored, ..FetchSettings::default() });
        let lock_path = lock_path(&manifest);
        let lock = Place::name(&lock_path).ok();
        let over = |source: &PathBuf| lock.as_ref().is_some_and(|lock| lock.is_on_the_way_to(source));
        if let Some(source) = manifest.files().into_iter().chain(inputs.files()).find(over) {
            let text = format!(
                "{} cannot be the lock: it is {}, and the image is made of it\n  next step: give the manifest another name",
                lock_path.display(),
                source.display()
            );
            return Err(Failure::words(refusal::OUTPUT_OVER_INPUT, text));
        }
        Ok(Self { manifest, inputs, meaning, lock_path, archs, store, fetcher, suites, shown: Shown::stderr(), now })
    }

    /// What is to be resolved.
    pub fn order(&self) -> Order<'_> {
        Order { manifest: &self.manifest, inputs: &self.inputs, meaning: self.meaning, suites: &self.suites }
    }

    /// Everything on this machine that an image is made of: what the manifest and the application's lock are and name, the lock,
    /// repositories, and the keys that vouch for them.
    pub fn sources(&self) -> Vec<PathBuf> {
        let suites = self.suites.iter().flat_map(|suite| {
            let key = match &suite.keys {
                Keys::File(file) => Some(file.clone()),
                Keys::Debian | Keys::Unsigned => None,
            };
            suite.bases.iter().filter_map(|base| archive::file_path(base)).chain(key)
        });
        let own = [self.lock_path.clone()].into_iter().chain(self.manifest.files()).chain(self.inputs.files());
        own.chain(suites).collect()
    }

    /// Fails if what is written to `output`, which is at `at`, would take the place of what it is made of, whatever may be replaced, or of
    /// something in it. A name there that is new takes nothing away.
    ///
    /// # Errors
    /// E0826.
    pub fn spare(&self, output: &Path, at: &Path) -> Result<(), Failure> {
        // What cannot be looked at cannot be written either, and is told then.
        let Ok(at) = Place::name(at) else { return Ok(()) };
        let is_in = |source: &Path| at.is_there() && Place::of(source).is_ok_and(|source| at.is_within(&source));
        for source in self.sources() {
            let (how, next) = match (at.is_on_the_way_to(&source), is_in(&source)) {
                (true, _) => ("is there", "that has nothing of yours in it"),
                (_, true) => ("has it", "outside of that"),
                _ => continue,
            };
            let (path, source) = (output.display(), source.display());
            let text = format!(
                "{path} cannot be an output: {source} {how}, and the image is made of it\n  next step: choose a place {next}"
            );
            return Err(Failure::words(refusal::OUTPUT_OVER_INPUT, text));
        }
        Ok(())
    }

    /// What is to be built of a lock that has the architecture.
    pub fn plan<'a>(&'a self, lock: &'a Lock, arch: Arch, epoch: Timestamp) -> Plan<'a> {
        let (manifest, inputs, target) = (&self.manifest, &self.inputs, &lock.targets[&arch]);
        Plan { manifest, inputs, lock, arch, target, epoch: epoch.as_second(), providers: None }
    }

    /// The packages that ship a library, by the Contents indexes, which are read when first asked; nobody knows any
    /// where they cannot be had.
    pub fn providers(&self, arch: Arch) -> impl Fn(&[u8]) -> Vec<PackageName> {
        let known: OnceCell<Sonames> = OnceCell::new();
        move |soname| {
            let load = || {
                if self.check_trust().is_err() {
                    return Sonames::default();
                }
                let loader = self.loader();
                loader.load_all(&self.suites, arch).and_then(|suites| loader.sonames(&suites, arch)).unwrap_or_default()
            };
            known.get_or_init(load).packages(soname)
        }
    }

    /// Whether indexes may be asked for: whether there is anything that vouches for those of a vendored folder, and
    /// whether a pinned archive is to be had as it was. A build from a lock does without.
    ///
    /// # Errors
    /// When it is not signed, or nobody said by whom it may be; when only today's archive is to be had.
    pub fn check_trust(&self) -> Result<(), Failure> {
        let Some(vendored) = self.fetcher.vendored() else {
            let pin = self.manifest.debian.as_ref().and_then(|debian| debian.snapshot);
            let checked = pin.map_or(Ok(()), |pin| archive::check_pin(pin, &self.suites, self.now));
            return Ok(checked.map_err(archive::ArchiveError::from)?);
        };
        let (folder, key) = (vendored.root().display(), vendored.root().join(KEYRING));
        for suite in &self.suites {
            let (refusal, text) = match &suite.keys {
                Keys::Unsigned => continue,
                _ if !vendored.is_signed(&suite.suite) && vendored.root().join("dists").join(&suite.suite).is_dir() => {
                    let text = format!(
                        "{folder} is not signed, so nothing can be resolved from it\n  next step: build from the lock, which needs no signature; or make the folder anew with compose vendor --sign-with KEY, and run with --signed-by {}",
                        key.display()
                    );
                    (refusal::NO_SIGNATURE, text)
                }
                Keys::Debian => {
                    let text = format!(
                        "{folder} is signed by whoever made it, and not by Debian\n  next step: compare its key with theirs, and run with --signed-by {}",
                        key.display()
                    );
                    (refusal::VENDORED_KEY_NOT_NAMED, text)
                }
                Keys::File(_) => continue,
            };
            return Err(Failure::words(refusal, text));
        }
        Ok(())
    }

    /// Loads suites.
    pub fn loader(&self) -> Loader<'_> {
        Loader { fetcher: &self.fetcher, store: &self.store, now: self.now, progress: &self.shown }
    }

    /// Fetches packages from `bases`.
    pub fn download<'a>(&'a self, bases: &'a BTreeMap<String, Vec<String>>) -> Download<'a> {
        Download { fetcher: &self.fetcher, store: &self.store, bases, progress: &self.shown }
    }

    /// Where packages of each repository of the lock are fetched from. A Debian package that has left the mirror is
    /// still in the snapshot of its Release's date, if it is known where these are.
    pub fn bases(&self, lock: &Lock) -> BTreeMap<String, Vec<String>> {
        let mut bases: BTreeMap<_, _> = self.suites.iter().map(|s| (s.name.clone(), s.bases.clone())).collect();
        let archive = snapshot_archive();
        for repository in &lock.repositories {
            let area = match repository.name.as_str() {
                "debian" | "debian-updates" => "debian",
                "debian-security" => "debian-security",
                _ => continue,
            };
            if let Some((bases, base)) = bases.get_mut(&repository.name).zip(archive.as_deref()) {
                bases.push(archive::snapshot(base, area, jiff::tz::Offset::UTC.to_datetime(repository.date)));
            }
        }
        bases
    }
}

/// Where Debian's snapshot archive lies: `COMPOSE_SNAPSHOT`, also as it was when this program was built.
fn snapshot_archive() -> Option<String> {
    let given = environment::COMPOSE_SNAPSHOT.text().or_else(|| option_env!("COMPOSE_SNAPSHOT").map(str::to_owned));
    given.filter(|url| !url.trim().is_empty())
}

/// A folder of this machine may be named relative to where one is.
fn absolute(mirror: &str) -> Result<String, Failure> {
    let relative = mirror.strip_prefix("file:").filter(|path| !path.is_empty() && !path.starts_with('/'));
    let Some(relative) = relative else { return Ok(mirror.to_owned()) };
    let here = env::current_dir().map_err(|error| Failure::new(refusal::TARGET_UNREADABLE, error))?;
    // What is written is a URL already; the folder it starts from is none yet.
    Ok(format!("{}/{relative}", archive::vendored::file_url(&here).trim_end_matches('/')))
}

/// A vendored folder in place of both of Debian's mirrors.
fn everything(vendored: &Vendored) -> Mirrors {
    let mirror = Mirror { url: vendored.base(), from: MirrorSource::CommandLine };
    Mirrors { debian: mirror.clone(), security: mirror }
}

/// `$COMPOSE_CACHE`, else `$XDG_CACHE_HOME/compose`, else `~/.cache/compose` (XDG Base Directory Specification).
pub fn cache_folder() -> Result<PathBuf, Failure> {
    environment::COMPOSE_CACHE
        .path()
        .or_else(|| {
            environment::XDG_CACHE_HOME.path().filter(|path| path.is_absolute()).map(|path| path.join("compose"))
        })
        .or_else(|| environment::HOME.path().map(|home| home.join(".cache/compose")))
        .ok_or_else(|| {
            Failure::words(
                refusal::BAD_ENVIRONMENT,
                "no place for the cache: set COMPOSE_CACHE to a folder (HOME is not set either)",
            )
        })
}

/// Who one is to the registry of an image; nobody to a file.
///
/// # Errors
/// As [`logins`].
pub fn credentials(image: &ImageRef) -> Result<Credentials, Failure> {
    match image {
        ImageRef::Path(_) => Ok(Credentials::default()),
        ImageRef::Registry(_) => logins(),
    }
}

/// What `podman login` and `docker login` have kept: `$REGISTRY_AUTH_FILE` alone if it is set, else podman's file and then
/// docker's (containers-auth.json(5)). Read when a registry is asked, not before.
///
/// # Errors
/// When a file is malformed.
pub fn logins() -> Result<Credentials, Failure> {
    let home = |path: &str| environment::HOME.path().map(|home| home.join(path));
    let files: Vec<PathBuf> = match environment::REGISTRY_AUTH_FILE.path() {
        Some(file) => vec![file],
        None => [
            environment::XDG_RUNTIME_DIR.path().map(|folder| folder.join("containers/auth.json")),
            environment::XDG_CONFIG_HOME
                .path()
                .map(|folder| folder.join("containers/auth.json"))
                .or(home(".config/containers/auth.json")),
            environment::DOCKER_CONFIG.path().map(|folder| folder.join("config.json")).or(home(".docker/config.json")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    Ok(Credentials::read(&files)?)
}

/// `snapshots/NAME.lock` beside the manifest, or beside the folder `manifests` that it lies in.
fn lock_path(manifest: &Manifest) -> PathBuf {
    let folder = manifest.file.parent().unwrap_or(Path::new(""));
    let folder = if folder.file_name().is_some_and(|name| name == "manifests") {
        folder.parent().unwrap_or(Path::new(""))
    } else {
        folder
    };
    folder.join("snapshots").join(format!("{}.lock", manifest.name))
}
