//! `compose audit TARGET`: the exact list of what is in an image, and what is to be said of it.
//!
//! In: a manifest, a lock, or an image of any form and make. Out: a report or an SBOM on standard output.

use super::{
    args::{AuditArgs, AuditFormat},
    cve::{self, Means},
    desk::cache_folder,
    exit::Failure,
    look::{Look, look, unreadable},
    print,
    progress::Shown,
};
use crate::{
    advisory::Report,
    archive::{FetchSettings, Fetcher},
    audit::{self, Audit},
    sbom,
    store::Store,
};

/// Runs the command.
pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    if args.schema {
        return print(audit::SCHEMA);
    }
    let look = look(&args.resolve(), args.lock.as_deref())?;
    let form = match args.format {
        AuditFormat::Human | AuditFormat::Json => None,
        AuditFormat::Spdx => Some(sbom::Form::Spdx2),
        AuditFormat::Spdx3 => Some(sbom::Form::Spdx3),
        AuditFormat::Cyclonedx => Some(sbom::Form::CycloneDx),
    };
    if let Some(form) = form {
        let Look { subject, inventory, .. } = &look;
        let subject = sbom::Subject { manifest: subject.manifest, tree: subject.tree };
        return print(&sbom::render(form, inventory, &subject));
    }
    let vulnerabilities = vulnerabilities(args, &look)?;
    let Look { subject, inventory, tree, scripts, .. } = &look;
    let files = tree.as_ref().map(audit::files).transpose().map_err(unreadable)?;
    let (subject, inventory, scripts) = (subject.clone(), inventory.clone(), scripts.clone());
    let audit = Audit { subject, inventory, scripts, files, vulnerabilities };
    print(&match args.format {
        AuditFormat::Json => format!("{:#}\n", audit::json(&audit)),
        _ => audit::text(&audit, args.show),
    })?;
    audit.vulnerabilities.as_ref().map_or(Ok(()), |report| cve::failing(&args.cve, report))
}

/// What `--cve` finds.
fn vulnerabilities(args: &AuditArgs, look: &Look) -> Result<Option<Report>, Failure> {
    if !args.cve.cve {
        return Ok(None);
    }
    let store = Store::open(&cache_folder()?)?;
    let fetcher = Fetcher::new(FetchSettings { offline: args.offline, ..FetchSettings::default() });
    let shown = Shown::stderr();
    let digest = look.subject.manifest;
    let means = Means { store: &store, fetcher: &fetcher, progress: &shown, digest, now: jiff::Timestamp::now() };
    let report = cve::advisories(&args.cve, &means, &look.inventory, look.tree.as_ref());
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
