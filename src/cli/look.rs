//! Whatever a command is to look at, opened: a manifest, a lock, an image of any form and make.
//!
//! In: a path and the circumstances. Out: [`Look`]: an inventory, and the files if there are any.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    args::{LimitArgs, ResolveArgs},
    build::epoch,
    desk::{Desk, cache_folder, credentials},
    exit::Failure,
    progress::Shown,
    report, why,
};
use crate::{
    archive::{FetchSettings, Fetcher},
    audit::{Looked, Subject},
    base::{
        Arch, PackageName,
        live::{Folder, Watched},
        refusal, words,
    },
    build::assemble,
    deb::Limits,
    image::open::{ImageRef, Remote, open_target},
    inventory::{self, Inventory},
    lock::Lock,
    python::Format,
    store::Store,
    tree::Tree,
};

/// What is looked at.
pub struct Look {
    /// How it is known again.
    pub subject: Subject,
    /// What is in it.
    pub inventory: Inventory,
    /// Its files, their origins known; a lock has none.
    pub tree: Option<Tree>,
    /// Its OCI configuration.
    pub config: Option<Value>,
    /// Maintainer scripts whose effect is not in it, where they are known.
    pub scripts: Option<Vec<(PackageName, Box<str>)>>,
    /// The bytes of the files may lie here, in a store that is in use until the end.
    _scratch: Option<(Watched<Folder>, Store)>,
}

/// What a target can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Manifest,
    Lock,
    Image,
}

/// Opens what `args.manifest` names, which need be no manifest. `lock` adds to an image what only its lock knows.
pub fn look(args: &ResolveArgs, lock: Option<&Path>, limits: &LimitArgs) -> Result<Look, Failure> {
    let limits = limits.of_images().map_err(|error| Failure::words(refusal::BAD_OPTION, error))?;
    let target = args.manifest.as_deref().unwrap_or(Path::new(""));
    let image = ImageRef::parse(&target.to_string_lossy())?;
    let path = match &image {
        ImageRef::Registry(_) => return of_image(&image, args, lock, &limits),
        ImageRef::Path(_) if target.to_str().is_none() => target,
        ImageRef::Path(path) => path,
    };
    match kind(path)? {
        Target::Manifest => of_manifest(args),
        Target::Lock => of_lock(path, args.arch.first().copied()),
        Target::Image => of_image(&ImageRef::from(path), args, lock, &limits),
    }
}

/// What is at `path`, by its content: a text is a lock if it says so, else a manifest.
fn kind(path: &Path) -> Result<Target, Failure> {
    let failed = |error: std::io::Error| {
        let text = format!(
            "cannot read {}: {error}\n  next step: name a manifest, a lock, an image (OCI layout, .oci.tar, docker save, docker://…) or a rootfs (folder, tar)",
            path.display()
        );
        Failure::words(refusal::TARGET_UNREADABLE, text)
    };
    let info = fs::metadata(path).map_err(failed)?;
    if !info.is_file() {
        return Ok(Target::Image);
    }
    let head = head(path).map_err(failed)?;
    // Every archive has a NUL, or other bytes that no text has, at its beginning.
    let is_text = head.iter().all(|byte| *byte >= 0x20 || byte.is_ascii_whitespace());
    if !is_text {
        return Ok(Target::Image);
    }
    // An application's lock is no more of compose's than a manifest, and is told when it is read as one.
    let is_called_so = path.extension().is_some_and(|end| end == "lock") && Format::of(path).is_err();
    Ok(if is_lock(&head) || is_called_so { Target::Lock } else { Target::Manifest })
}

/// The beginning of a file.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(4096).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether a text that begins so is a lock.
fn is_lock(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.lines().any(|line| line.starts_with("manifest = \"sha256:"))
}

/// What to say of a file that cannot be read as a manifest and is of another kind, which often lies beside one: a lock, an
/// image, an application's own.
pub fn no_manifest(path: &Path) -> Option<Failure> {
    // A pipe has been read to its end.
    let head = fs::metadata(path).ok().filter(fs::Metadata::is_file).and_then(|_| head(path).ok())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_requirements = || name.starts_with("requirements");
    let text = match Format::of(path) {
        _ if is_lock(&head) => {
            "is a lock, and a manifest is wanted\n  next step: name the manifest that it was made from; compose audit and compose diff take locks"
        }
        _ if head.contains(&0) => {
            "is no text, and a manifest is wanted\n  next step: name a manifest.toml; an image goes to compose audit, or after the manifest to compose verify"
        }
        Ok(format) if format != Format::Requirements || is_requirements() => {
            "is an application's lock, and a manifest is wanted\n  next step: name it in the manifest, as lock under [python]; compose init writes such a manifest"
        }
        _ if name == "pyproject.toml" || name.ends_with(".py") => {
            "is a part of an application, and a manifest is wanted\n  next step: run compose init in its folder, which writes a manifest for it"
        }
        _ => return None,
    };
    Some(Failure::words(refusal::WRONG_TARGET, format!("{} {text}", path.display())))
}

/// The one architecture of a lock that is meant.
fn arch_of(path: &Path, lock: &Lock, arch: Option<Arch>) -> Result<Arch, Failure> {
    let all: Vec<Arch> = lock.targets.keys().copied().collect();
    match (arch, &all[..]) {
        (Some(arch), all) if all.contains(&arch) => Ok(arch),
        (None, [arch]) => Ok(*arch),
        (asked, all) => {
            let list = all.iter().map(Arch::to_string).collect::<Vec<_>>().join(", ");
            let path = path.display();
            let (refusal, text) = match asked {
                Some(arch) => (refusal::LOCK_OTHER_ARCH, format!("{path} has nothing for {arch}, but for {list}")),
                None => {
                    let text = format!("{path} is for several architectures; choose one of {list} with --arch");
                    (refusal::SEVERAL_ARCHS, text)
                }
            };
            Err(Failure::words(refusal, text))
        }
    }
}

fn read_lock(path: &Path) -> Result<Lock, Failure> {
    Lock::read(path)?.ok_or_else(|| {
        let text = "does not exist\n  next step: name the lock that the image was built from, or leave it out";
        Failure::words(refusal::NO_LOCK, format!("{} {text}", path.display()))
    })
}

fn of_lock(path: &Path, arch: Option<Arch>) -> Result<Look, Failure> {
    let lock = read_lock(path)?;
    let arch = arch_of(path, &lock, arch)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let inventory = inventory::locked(&name, &lock, arch).ok_or_else(|| {
        Failure::words(refusal::LOCK_OTHER_ARCH, format!("{} has nothing for {arch}", path.display()))
    })?;
    let subject = of_built(path, Looked::Lock, &lock, arch, None);
    Ok(Look { subject, inventory, tree: None, config: None, scripts: None, _scratch: None })
}

/// With the digests that a lock has.
fn of_built(path: &Path, looked: Looked, lock: &Lock, arch: Arch, user: Option<String>) -> Subject {
    let built = lock.targets.get(&arch).and_then(|target| target.built.as_ref());
    Subject {
        target: path.display().to_string(),
        looked,
        tree: built.map(|built| built.tree),
        manifest: None,
        layers: built.map(|built| built.layers.clone()).unwrap_or_default(),
        user,
    }
}

fn of_manifest(args: &ResolveArgs) -> Result<Look, Failure> {
    let desk = Desk::open(args)?;
    let [arch] = desk.archs[..] else {
        let text = "one architecture is looked at, and the manifest has several; choose one with --arch";
        return Err(Failure::words(refusal::SEVERAL_ARCHS, text));
    };
    let lock = why::lock(&desk)?;
    let bases = desk.bases(&lock);
    let mut assembled = assemble(desk.plan(&lock, arch, epoch(&lock)?), &[], desk.download(&bases))?;
    let user = report::run_as(&desk.manifest, &assembled.tree)?;
    let subject = of_built(&desk.manifest.file, Looked::Manifest, &lock, arch, user);
    let mut inventory = inventory::of_tree(&desk.manifest.name, &mut assembled.tree, Some(arch)).map_err(unreadable)?;
    enrich(&mut inventory, &lock, arch);
    desk.shown.clear();
    let (tree, scripts) = (Some(assembled.tree), Some(assembled.not_reproduced));
    Ok(Look { subject, inventory, tree, config: None, scripts, _scratch: None })
}

fn enrich(inventory: &mut Inventory, lock: &Lock, arch: Arch) {
    if let Some(known) = inventory::locked(&inventory.name, lock, arch) {
        inventory.enrich(known);
    }
}

fn of_image(image: &ImageRef, args: &ResolveArgs, lock: Option<&Path>, limits: &Limits) -> Result<Look, Failure> {
    let store = Store::open(&cache_folder()?)?;
    let scratch = store.temp_dir()?;
    let (arch, shown) = (args.arch.first().copied(), Shown::stderr());
    let fetcher = Fetcher::new(FetchSettings { offline: args.offline, ..FetchSettings::default() });
    let credentials = credentials(image)?;
    let remote = Remote { fetcher: &fetcher, credentials: &credentials, progress: &shown };
    let mut opened = open_target(image, arch, scratch.path(), limits, remote)?;
    shown.clear();
    let target = image.to_string();
    // The file's name, or the repository's last part.
    let name = target.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name =
        if matches!(image, ImageRef::Registry(_)) { name.split(['@', ':']).next().unwrap_or(name) } else { name };
    let mut inventory = inventory::of_tree(name, &mut opened.tree, opened.arch.or(arch)).map_err(unreadable)?;
    let has = |arch: Arch| inventory.packages.iter().any(|one| one.arch == arch.as_str());
    let is_of_one = inventory.packages.iter().any(|one| one.arch != "all");
    if let Some(asked) = arch.filter(|asked| is_of_one && !has(*asked)) {
        let text = format!("{target} has no package for {asked}\n  next step: leave --arch out, or name another image");
        return Err(Failure::words(refusal::IMAGE_OTHER_ARCH, text));
    }
    let created = opened.config.as_ref().and_then(|config| config.get("created")?.as_str()?.parse().ok());
    inventory.created = created;
    inventory.notes.append(&mut opened.notes);
    let mut tree = None;
    if let Some(file) = lock {
        let lock = read_lock(file)?;
        let arch = arch_of(file, &lock, inventory.arch)?;
        enrich(&mut inventory, &lock, arch);
        let built = lock.targets.get(&arch).and_then(|target| target.built.as_ref());
        if let Some(wanted) = built.map(|built| built.tree)
            && opened.settle_root(wanted).map_err(unreadable)?
        {
            tree = Some(wanted);
        }
        if tree.is_none() {
            let text = format!("{name} is not what {} says; compose diff tells what is different", file.display());
            inventory.notes.push(text);
        }
    }
    let user = opened.config.as_ref().and_then(|config| config.get("config")?.get("User")?.as_str());
    let subject = Subject {
        target,
        looked: Looked::Image(opened.form),
        tree,
        manifest: opened.manifest,
        layers: opened.layers,
        user: user.filter(|user| !user.is_empty()).map(|user| words::quote(user, 80)),
    };
    let (tree, config) = (Some(opened.tree), opened.config);
    Ok(Look { subject, inventory, tree, config, scripts: None, _scratch: Some((scratch, store)) })
}

/// A file of an image that cannot be read.
pub fn unreadable(error: std::io::Error) -> Failure {
    Failure::words(refusal::IMAGE_FILE_UNREADABLE, format!("cannot read a file of the image: {error}"))
}

/// The arguments of a look at `target`.
pub fn at(target: PathBuf, arch: Option<Arch>, offline: bool) -> ResolveArgs {
    let arch = arch.into_iter().collect();
    ResolveArgs { manifest: Some(target), arch, suite: None, mirror: None, signed_by: None, offline, jobs: None }
}
