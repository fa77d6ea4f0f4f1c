//! `compose audit TARGET`: the exact list of what is in an image, and what is to be said of it.
//!
//! In: a manifest, a lock, or an image of any form and make. Out: a report on standard output.

use std::{fs, io::Read as _, path::Path};

use super::{
    args::{AuditArgs, AuditFormat},
    build::epoch,
    cve::{self, Means},
    desk::{Desk, cache_folder},
    exit::{self, Failure},
    print,
    progress::Shown,
    why,
};
use crate::{
    advisory::Report,
    archive::{FetchSettings, Fetcher},
    audit::{self, Audit, Looked, Subject},
    base::{Arch, Sha256},
    build::assemble,
    deb::Limits,
    image::open::{Opened, open},
    inventory::{self, Inventory},
    lock::Lock,
    store::Store,
    tree::Tree,
};

/// Runs the command.
pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    if args.schema {
        return print(audit::SCHEMA);
    }
    let target = args.target.as_deref().unwrap_or(Path::new(""));
    let audit = match kind(target)? {
        Target::Manifest => of_manifest(args)?,
        Target::Lock => of_lock(target, args)?,
        Target::Image => of_image(target, args)?,
    };
    print(&match args.format {
        AuditFormat::Human => audit::text(&audit, args.show),
        AuditFormat::Json => format!("{:#}\n", audit::json(&audit)),
    })?;
    audit.vulnerabilities.as_ref().map_or(Ok(()), |report| cve::failing(&args.cve, report))
}

/// What a target can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Manifest,
    Lock,
    Image,
}

/// What is at `path`, by its content: a text is a lock if it says so, else a manifest.
pub fn kind(path: &Path) -> Result<Target, Failure> {
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
    let is_text = !head.contains(&0) && head.iter().all(|byte| *byte >= 0x20 || byte.is_ascii_whitespace());
    if !is_text {
        return Ok(Target::Image);
    }
    let text = String::from_utf8_lossy(&head);
    let is_lock = text.lines().any(|line| line.starts_with("manifest = \"sha256:"));
    Ok(if is_lock { Target::Lock } else { Target::Manifest })
}

/// The one architecture of a lock that is meant.
pub fn arch_of(path: &Path, lock: &Lock, arch: Option<Arch>) -> Result<Arch, Failure> {
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

fn of_lock(path: &Path, args: &AuditArgs) -> Result<Audit, Failure> {
    let lock = read_lock(path)?;
    let arch = arch_of(path, &lock, args.arch)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let built = lock.targets[&arch].built.as_ref();
    let subject = Subject {
        target: path.display().to_string(),
        looked: Looked::Lock,
        tree: built.map(|built| built.tree),
        manifest: None,
        layers: built.map(|built| built.layers.clone()).unwrap_or_default(),
        user: None,
    };
    let inventory = inventory::locked(&name, &lock, arch)
        .ok_or_else(|| Failure::words(exit::USAGE, format!("{} has nothing for {arch}", path.display())))?;
    let vulnerabilities = vulnerabilities(args, &inventory, None, None)?;
    Ok(Audit { subject, inventory, scripts: None, files: None, vulnerabilities })
}

fn of_manifest(args: &AuditArgs) -> Result<Audit, Failure> {
    let desk = Desk::open(&args.resolve())?;
    let [arch] = desk.archs[..] else {
        let text = "an audit is of one architecture, and the manifest has several; choose one with --arch";
        return Err(Failure::words(exit::USAGE, text));
    };
    let lock = why::lock(&desk)?;
    let bases = desk.bases(&lock);
    let mut assembled = assemble(desk.plan(&lock, arch, epoch(&lock)?), &[], desk.download(&bases))?;
    let built = lock.targets[&arch].built.as_ref();
    let subject = Subject {
        target: desk.manifest.file.display().to_string(),
        looked: Looked::Manifest,
        tree: built.map(|built| built.tree),
        manifest: None,
        layers: built.map(|built| built.layers.clone()).unwrap_or_default(),
        user: super::report::run_as(&desk.manifest, &assembled.tree)?,
    };
    let mut inventory = inventory::of_tree(&desk.manifest.name, &mut assembled.tree, Some(arch)).map_err(unreadable)?;
    enrich(&mut inventory, &lock, arch);
    let files = audit::files(&assembled.tree).map_err(unreadable)?;
    let vulnerabilities = vulnerabilities(args, &inventory, None, Some(&assembled.tree))?;
    desk.shown.clear();
    Ok(Audit { subject, inventory, scripts: Some(assembled.not_reproduced), files: Some(files), vulnerabilities })
}

fn enrich(inventory: &mut Inventory, lock: &Lock, arch: Arch) {
    if let Some(known) = inventory::locked(&inventory.name, lock, arch) {
        inventory.enrich(known);
    }
}

/// What `--cve` finds.
fn vulnerabilities(
    args: &AuditArgs,
    inventory: &Inventory,
    digest: Option<Sha256>,
    tree: Option<&Tree>,
) -> Result<Option<Report>, Failure> {
    if !args.cve.cve {
        return Ok(None);
    }
    let store = Store::open(&cache_folder()?)?;
    let fetcher = Fetcher::new(FetchSettings { offline: args.offline, ..FetchSettings::default() });
    let shown = Shown::stderr();
    let means = Means { store: &store, fetcher: &fetcher, progress: &shown, digest, now: jiff::Timestamp::now() };
    let report = cve::advisories(&args.cve, &means, inventory, tree);
    shown.clear();
    report
}

fn of_image(path: &Path, args: &AuditArgs) -> Result<Audit, Failure> {
    let (arch, lock) = (args.arch, args.lock.as_deref());
    let store = Store::open(&cache_folder()?)?;
    let scratch = store.temp_dir()?;
    let mut opened = opened(path, arch, scratch.path())?;
    let arch = opened.arch.or(arch);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut inventory = inventory::of_tree(&name, &mut opened.tree, arch).map_err(unreadable)?;
    inventory.created = created(&opened);
    inventory.notes.append(&mut opened.notes);
    let mut tree: Option<Sha256> = None;
    if let Some(path) = lock {
        let lock = read_lock(path)?;
        let arch = arch_of(path, &lock, inventory.arch)?;
        enrich(&mut inventory, &lock, arch);
        tree = lock.targets[&arch].built.as_ref().map(|built| built.tree).filter(|tree| opened.settle_root(*tree));
        if tree.is_none() {
            inventory.notes.push(format!(
                "{} is not what {} says: compare them with compose verify or compose diff",
                name,
                path.display()
            ));
        }
    }
    let config = opened.config.as_ref().and_then(|config| config.get("config"));
    let user = config.and_then(|config| config.get("User")).and_then(|user| user.as_str());
    let subject = Subject {
        target: path.display().to_string(),
        looked: Looked::Image(opened.form),
        tree,
        manifest: opened.manifest,
        layers: opened.layers.clone(),
        user: user.filter(|user| !user.is_empty()).map(|user| crate::base::words::quote(user, 80)),
    };
    let files = audit::files(&opened.tree).map_err(unreadable)?;
    // Files of unknown origin may be any package's.
    let known = inventory::belonging_to_nothing(&opened.tree).is_empty().then_some(&opened.tree);
    let vulnerabilities = vulnerabilities(args, &inventory, subject.manifest, known)?;
    Ok(Audit { subject, inventory, scripts: None, files: Some(files), vulnerabilities })
}

/// Reads an image of any form.
pub fn opened(path: &Path, arch: Option<Arch>, scratch: &Path) -> Result<Opened, Failure> {
    open(path, arch, scratch, &Limits::default()).map_err(|error| Failure::new(exit::USAGE, error))
}

fn created(opened: &Opened) -> Option<jiff::Timestamp> {
    opened.config.as_ref()?.get("created")?.as_str()?.parse().ok()
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::words(exit::OUTPUT, format!("cannot read a file of the image: {error}"))
}
