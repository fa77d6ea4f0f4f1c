//! Whatever a command is to look at, opened: a manifest, a lock, an image of any form and make.
//!
//! In: a path and the circumstances. Out: [`Look`]: an inventory, and the files if there are any.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    args::ResolveArgs,
    build::epoch,
    desk::{Desk, cache_folder},
    exit::{self, Failure},
    report, why,
};
use crate::{
    audit::{Looked, Subject},
    base::{Arch, PackageName, words},
    build::assemble,
    deb::Limits,
    image::open::open,
    inventory::{self, Inventory},
    lock::Lock,
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
    _scratch: Option<(TempDir, Store)>,
}

/// What a target can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Manifest,
    Lock,
    Image,
}

/// Opens what `args.manifest` names, which need be no manifest. `lock` adds to an image what only its lock knows.
pub fn look(args: &ResolveArgs, lock: Option<&Path>) -> Result<Look, Failure> {
    let target = args.manifest.as_deref().unwrap_or(Path::new(""));
    match kind(target)? {
        Target::Manifest => of_manifest(args),
        Target::Lock => of_lock(target, args.arch),
        Target::Image => of_image(target, args.arch, lock),
    }
}

/// What is at `path`, by its content: a text is a lock if it says so, else a manifest.
fn kind(path: &Path) -> Result<Target, Failure> {
    let failed = |error: std::io::Error| {
        let text = format!(
            "cannot read {}: {error}\n  next step: name a manifest, a lock, an image (OCI layout, .oci.tar, docker save) or a rootfs (folder, tar)",
            path.display()
        );
        Failure::words(exit::USAGE, text)
    };
    let info = fs::metadata(path).map_err(failed)?;
    if !info.is_file() {
        return Ok(Target::Image);
    }
    let mut head = Vec::new();
    fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head)).map_err(failed)?;
    // Every archive has a NUL, or other bytes that no text has, at its beginning.
    let is_text = head.iter().all(|byte| *byte >= 0x20 || byte.is_ascii_whitespace());
    if !is_text {
        return Ok(Target::Image);
    }
    let text = String::from_utf8_lossy(&head);
    let is_lock = text.lines().any(|line| line.starts_with("manifest = \"sha256:"));
    Ok(if is_lock { Target::Lock } else { Target::Manifest })
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
            let text = match asked {
                Some(arch) => format!("{path} has nothing for {arch}, but for {list}"),
                None => format!("{path} is for several architectures; choose one of {list} with --arch"),
            };
            Err(Failure::words(exit::USAGE, text))
        }
    }
}

fn read_lock(path: &Path) -> Result<Lock, Failure> {
    Lock::read(path)?.ok_or_else(|| Failure::words(exit::USAGE, format!("{} does not exist", path.display())))
}

fn of_lock(path: &Path, arch: Option<Arch>) -> Result<Look, Failure> {
    let lock = read_lock(path)?;
    let arch = arch_of(path, &lock, arch)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let inventory = inventory::locked(&name, &lock, arch)
        .ok_or_else(|| Failure::words(exit::USAGE, format!("{} has nothing for {arch}", path.display())))?;
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
        return Err(Failure::words(exit::USAGE, text));
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

fn of_image(path: &Path, arch: Option<Arch>, lock: Option<&Path>) -> Result<Look, Failure> {
    let store = Store::open(&cache_folder()?)?;
    let scratch = store.temp_dir()?;
    let opened = open(path, arch, scratch.path(), &Limits::default());
    let mut opened = opened.map_err(|error| Failure::new(exit::USAGE, error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut inventory = inventory::of_tree(&name, &mut opened.tree, opened.arch.or(arch)).map_err(unreadable)?;
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
        target: path.display().to_string(),
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
    Failure::words(exit::OUTPUT, format!("cannot read a file of the image: {error}"))
}

/// The arguments of a look at `target`.
pub fn at(target: PathBuf, arch: Option<Arch>, offline: bool) -> ResolveArgs {
    ResolveArgs { manifest: Some(target), arch, mirror: None, signed_by: None, offline, jobs: None }
}
