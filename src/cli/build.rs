//! `compose MANIFEST` and `compose lock MANIFEST`.
//!
//! In: arguments. Out: images, the lock, a report.

use std::{collections::BTreeMap, env};

use jiff::Timestamp;

use super::{
    args::{BuildArgs, LockArgs, Report},
    cache,
    desk::Desk,
    exit::{self, Failure},
    print,
    report::{self, BuiltImage},
};
use crate::{
    base::{Arch, Progress, Sha256, aside},
    build::{Ask, Assembled, Plan, Resolved, assemble, resolve},
    check::Finding,
    image::{
        Attached, FORMAT, ImageError, ImageSpec, Output, ToWrite, Written, WrittenOutput, check, codecs, tree_digest,
        write_images,
    },
    lock::{Built, Lock, Target},
    manifest::Manifest,
    python::LocalWheel,
};

/// Resolves anew, writes the lock, reports.
pub fn lock(args: &LockArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    if args.proof.is_some() && desk.archs.len() > 1 {
        let text = "--proof names one file, and the manifest has several architectures; choose one with --arch";
        return Err(Failure::words(exit::USAGE, text));
    }
    // What an unreadable lock said is no reason not to replace it.
    let before = Lock::read(&desk.lock_path).unwrap_or_default();
    let resolved = solve(&desk, before.as_ref(), Ask { choices: true, proof: args.proof.is_some() })?;
    let proof = desk.archs.first().and_then(|arch| resolved.more.get(arch)?.proof.as_deref());
    if let Some((file, text)) = args.proof.as_deref().zip(proof) {
        aside::write(file, text.as_bytes(), 0o666).map_err(|source| {
            Failure::words(exit::OUTPUT, format!("cannot write the proof {}: {}", file.display(), source.kind()))
        })?;
    }
    resolved.lock.write(&desk.lock_path)?;
    desk.shown.clear();
    print(&report::lock(&desk, &resolved, before.as_ref(), args.format))
}

/// Builds the manifest's images.
pub fn build(args: &BuildArgs) -> Result<(), Failure> {
    let limit = cache::limit()?;
    let desk = Desk::open(&args.resolve)?;
    let outputs = Outputs::read(args, &desk)?;
    let (mut lock, solved) = locked_or_solved(args, &desk)?;
    let epoch = epoch(&lock)?;
    let found = lock.clone();
    let mut images = Vec::new();
    // Nothing is written before all of them are as they must be.
    let mut ready = Vec::new();
    for &arch in &desk.archs {
        ready.push((arch, assembled(&desk, &lock, arch, &outputs.all(arch), epoch)?));
    }
    let findings: Vec<_> = ready.iter().map(|(arch, assembled)| (*arch, &assembled.findings[..])).collect();
    passed(&desk, &findings, args.format)?;
    for (arch, assembled) in &ready {
        as_locked(args, &desk, &lock, *arch, assembled)?;
    }
    let (written, shared) = write(args, &desk, &ready, &outputs, epoch)?;
    for ((arch, assembled), written) in ready.into_iter().zip(written) {
        images.push(noted(&mut lock, arch, assembled, written));
    }
    // Nothing is written where nothing changed: a lock under version control stays as it is.
    if !args.locked && (solved || lock != found) {
        lock.write(&desk.lock_path)?;
    }
    // A cache that cannot be tidied is the next run's trouble, not this one's.
    if let Ok(removed) = desk.store.clone().collect_if_idle(limit)
        && removed.entries > 0
    {
        desk.shown.notice(&format!("The cache was full: {} entries unused for longest were removed", removed.entries));
    }
    desk.shown.clear();
    print(&report::build(&desk, &lock, &images, &shared, solved, args.format))
}

/// The date of what is built: the lock's, unless `SOURCE_DATE_EPOCH` is set (reproducible-builds.org's specification).
pub fn epoch(lock: &Lock) -> Result<Timestamp, Failure> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().ok().and_then(|s| Timestamp::from_second(s).ok()).ok_or_else(|| {
            Failure::words(exit::USAGE, format!("SOURCE_DATE_EPOCH is “{text}”; it must be seconds since 1970"))
        }),
        Err(_) => Ok(lock.epoch),
    }
}

/// Fails if something found in one of the images stops the build. Other programs get it on standard output.
pub fn passed(desk: &Desk, found: &[(Arch, &[Finding])], format: Report) -> Result<(), Failure> {
    let fatal = |findings: &[Finding]| findings.iter().any(Finding::is_fatal);
    if !found.iter().any(|(_, findings)| fatal(findings)) {
        return Ok(());
    }
    desk.shown.clear();
    match format {
        Report::Human => {}
        Report::Json => print(&report::refused_json(desk, found))?,
        Report::Sarif => print(&report::sarif(desk, found))?,
    }
    let mut text = String::new();
    for (arch, findings) in found.iter().filter(|(_, findings)| fatal(findings)) {
        let which = if found.len() > 1 { format!(" for {arch}") } else { String::new() };
        text += &format!("{}the image{which} is not as it must be:", if text.is_empty() { "" } else { "\n" });
        for finding in findings.iter().filter(|finding| finding.is_fatal()) {
            text += &format!("\n  [{}] {finding}\n      {}", finding.code, finding.hint);
        }
    }
    Err(Failure::words(exit::CHECK, text))
}

/// What stands for the architecture in the name of an output.
const ARCH: &str = "{arch}";

/// What is written.
struct Outputs {
    /// Of each architecture alone.
    own: BTreeMap<Arch, Vec<Output>>,
    /// Of all of them together.
    shared: Vec<Output>,
}

impl Outputs {
    fn read(args: &BuildArgs, desk: &Desk) -> Result<Self, Failure> {
        let mut out = Self { own: desk.archs.iter().map(|arch| (*arch, Vec::new())).collect(), shared: Vec::new() };
        let parse = |name: &str| Output::parse(name).map_err(|error| Failure::new(exit::USAGE, error));
        let default = [format!("{}-{ARCH}.oci.tar", desk.manifest.name)];
        for name in if args.output.is_empty() { &default[..] } else { &args.output[..] } {
            if name.contains(ARCH) || desk.archs.len() == 1 {
                for (arch, outputs) in &mut out.own {
                    outputs.push(parse(&name.replace(ARCH, arch.as_str()))?);
                }
                continue;
            }
            let output = parse(name)?;
            if !output.is_oci() {
                return Err(ImageError::OneTree { path: output.path().into() }.into());
            }
            out.shared.push(output);
        }
        // Before the work, not after it.
        check(&out.own.values().flatten().chain(&out.shared).cloned().collect::<Vec<_>>())?;
        Ok(out)
    }

    /// Everything that an architecture goes into.
    fn all(&self, arch: Arch) -> Vec<Output> {
        self.own.get(&arch).into_iter().flatten().chain(&self.shared).cloned().collect()
    }
}

/// The lock on disk, and why it cannot be used if it cannot.
pub fn read_lock(desk: &Desk) -> Result<(Option<Lock>, Option<String>), Failure> {
    let lock = Lock::read(&desk.lock_path)?;
    let path = desk.lock_path.display();
    let stale = match &lock {
        None => Some(format!("{path} does not exist")),
        Some(lock) if lock.manifest != desk.meaning => {
            let file = desk.manifest.file.display();
            let python = if desk.inputs.is_empty() { "" } else { ", or what its [python] names," };
            Some(format!("{path} was made for another manifest: {file}{python} has changed since"))
        }
        Some(lock) => {
            let missing = desk.archs.iter().find(|arch| !lock.targets.contains_key(arch));
            missing.map(|arch| format!("{path} has nothing for {arch}"))
        }
    };
    Ok((lock, stale))
}

/// Wheels on this machine that the lock has under the same name and with another digest, a line each, if there are any.
pub fn changed_wheels(desk: &Desk, lock: &Lock) -> Option<String> {
    let locked = lock.targets.values().flat_map(|target| &target.wheels);
    let locked: BTreeMap<&str, Sha256> = locked.map(|wheel| (wheel.filename.as_str(), wheel.sha256)).collect();
    let line = |wheel: &LocalWheel| {
        let wanted = locked.get(wheel.file.as_str()).filter(|wanted| **wanted != wheel.sha256)?;
        Some(format!("  {} is {} instead of {wanted}", wheel.path.display(), wheel.sha256))
    };
    let lines: Vec<String> = desk.inputs.wheels().iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The lock to build from, and whether it was made just now.
fn locked_or_solved(args: &BuildArgs, desk: &Desk) -> Result<(Lock, bool), Failure> {
    if args.update {
        // What an unreadable lock said is no reason not to replace it.
        let before = Lock::read(&desk.lock_path).unwrap_or_default();
        return Ok((solve(desk, before.as_ref(), Ask::default())?.lock, true));
    }
    let (lock, stale) = read_lock(desk)?;
    match (lock, stale) {
        (Some(lock), None) => Ok((lock, false)),
        (_, Some(why)) if args.locked => {
            let text = format!(
                "{why}, and --locked forbids to make it\n  next step: run without --locked, and commit the lock"
            );
            Err(Failure::words(exit::USAGE, text))
        }
        (before, stale) => {
            if let (Some(why), true) = (stale, before.is_some()) {
                desk.shown.notice(&format!("Resolving anew: {why}"));
            }
            Ok((solve(desk, before.as_ref(), Ask::default())?.lock, true))
        }
    }
}

pub fn solve(desk: &Desk, before: Option<&Lock>, ask: Ask) -> Result<Resolved, Failure> {
    desk.check_trust()?;
    let loader = desk.loader();
    // Architectures that the lock had stay in it.
    let same = before.filter(|lock| lock.manifest == desk.meaning);
    let mut archs = desk.archs.clone();
    archs.extend(desk.manifest.archs.iter().chain(same.into_iter().flat_map(|lock| lock.targets.keys())));
    archs.sort_unstable();
    archs.dedup();
    let mut resolved = resolve(desk.order(), &archs, &loader, ask)?;
    let lock = &mut resolved.lock;
    // The same packages at the same date make the same image: what is known of it stays.
    if let Some(before) = same.filter(|before| before.epoch == lock.epoch) {
        for (arch, target) in &mut lock.targets {
            let is_same = |b: &&Target| (&b.packages, &b.wheels) == (&target.packages, &target.wheels);
            target.built = before.targets.get(arch).filter(is_same).and_then(|b| b.built.clone());
        }
    }
    Ok(resolved)
}

/// The tree of one architecture.
fn assembled(desk: &Desk, lock: &Lock, arch: Arch, outputs: &[Output], epoch: Timestamp) -> Result<Assembled, Failure> {
    let bases = desk.bases(lock);
    let codecs = codecs(outputs, desk.manifest.image.compression);
    let providers = desk.providers(arch);
    let plan = Plan { providers: Some(&providers), ..desk.plan(lock, arch, epoch) };
    Ok(assemble(plan, &codecs, desk.download(&bases))?)
}

/// Fails unless the image can start as it should, and, with `--locked`, is the one that the lock has.
fn as_locked(args: &BuildArgs, desk: &Desk, lock: &Lock, arch: Arch, assembled: &Assembled) -> Result<(), Failure> {
    report::run_as(&desk.manifest, &assembled.tree)?;
    let before = lock.targets.get(&arch).and_then(|target| target.built.as_ref());
    if args.locked
        && let Some(before) = before
        && before.tree != tree_digest(&assembled.tree).map_err(|error| Failure::new(exit::OUTPUT, error))?
    {
        let text = "the build differs from the lock: its tree digest is another one, and nothing was written\n  next step: build without --locked and look at the lock's changes";
        return Err(Failure::words(exit::DIFFERS, text));
    }
    Ok(())
}

/// Writes every output.
fn write(
    args: &BuildArgs,
    desk: &Desk,
    ready: &[(Arch, Assembled)],
    outputs: &Outputs,
    epoch: Timestamp,
) -> Result<(Vec<Written>, Vec<WrittenOutput>), Failure> {
    let Manifest { name, image, sbom, .. } = &desk.manifest;
    let forms = &sbom.attach[..];
    let mut specs = Vec::new();
    for (arch, assembled) in ready {
        let user = report::run_as(&desk.manifest, &assembled.tree)?;
        let inventory = assembled.inventory.as_ref().filter(|_| !forms.is_empty());
        let attached = inventory.map(|inventory| Attached { forms, inventory });
        specs.push(ImageSpec { name, arch: *arch, epoch, user, image, attached });
    }
    let none = Vec::new();
    let images: Vec<ToWrite<'_>> = ready
        .iter()
        .zip(&specs)
        .map(|((arch, assembled), spec)| {
            let outputs = outputs.own.get(arch).unwrap_or(&none);
            ToWrite { tree: &assembled.tree, spec, outputs }
        })
        .collect();
    Ok(write_images(&images, &outputs.shared, args.force, &desk.store, &desk.shown)?)
}

/// Notes in the lock what was built of one architecture.
fn noted(lock: &mut Lock, arch: Arch, assembled: Assembled, mut written: Written) -> BuiltImage {
    written.notes.extend(assembled.notes);
    // A run that compresses nothing says nothing of compressed layers: what the lock knows of the same bytes stays.
    let before = lock.targets.get(&arch).and_then(|target| target.built.clone());
    let known = before.as_ref().filter(|b| b.diff_ids == written.diff_ids && b.format == FORMAT);
    let layers = match (&written.layers[..], known) {
        ([], Some(known)) => known.layers.clone(),
        (layers, _) => layers.iter().map(|layer| layer.digest).collect(),
    };
    let files = assembled.own.iter().map(|own| own.locked.clone()).collect();
    let built = Built { tree: written.tree, diff_ids: written.diff_ids.clone(), layers, format: FORMAT, files };
    if let Some(target) = lock.targets.get_mut(&arch) {
        target.built = Some(built);
    }
    let (findings, not_reproduced) = (assembled.findings, assembled.not_reproduced);
    BuiltImage { arch, written, plain_size: assembled.size, findings, not_reproduced }
}
