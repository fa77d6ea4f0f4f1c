//! `compose MANIFEST` and `compose lock MANIFEST`.
//!
//! In: arguments. Out: images, the lock, a report.

use std::env;

use jiff::Timestamp;

use super::{
    args::{BuildArgs, LockArgs},
    cache,
    desk::Desk,
    exit::{self, Failure},
    print,
    report::{self, BuiltImage},
};
use crate::{
    base::{Arch, Progress, aside},
    build::{Ask, Assembled, Plan, Resolved, assemble, resolve},
    check::Severity,
    image::{FORMAT, ImageSpec, Output, check, codecs, pieces, total, tree_digest, write_all},
    lock::{Built, Lock, Target},
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
    let outputs = outputs(args, &desk)?;
    let (mut lock, solved) = locked_or_solved(args, &desk)?;
    let epoch = epoch(&lock)?;
    let found = lock.clone();
    let mut images = Vec::new();
    // Nothing is written before all of them are as they must be.
    let mut ready = Vec::new();
    for (arch, outputs) in outputs {
        ready.push((arch, assembled(args, &desk, &lock, arch, &outputs, epoch)?, outputs));
    }
    for (arch, assembled, outputs) in ready {
        images.push(one(args, &desk, &mut lock, arch, assembled, &outputs, epoch)?);
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
    print(&report::build(&desk, &lock, &images, solved, args.format))
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

/// A tree without errors, or what is wrong with it.
pub fn checked(assembled: Assembled, desk: &Desk) -> Result<Assembled, Failure> {
    let errors: Vec<_> = assembled
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|f| format!("  [{}] {f}\n      {}", f.code, f.hint))
        .collect();
    if errors.is_empty() {
        return Ok(assembled);
    }
    desk.shown.clear();
    Err(Failure::words(exit::CHECK, format!("the image is not as it must be:\n{}", errors.join("\n"))))
}

fn outputs(args: &BuildArgs, desk: &Desk) -> Result<Vec<(Arch, Vec<Output>)>, Failure> {
    if desk.archs.len() > 1 && !args.output.is_empty() {
        let text = "-o names one output, and the manifest has several architectures; choose one with --arch";
        return Err(Failure::words(exit::USAGE, text));
    }
    let mut all = Vec::new();
    for &arch in &desk.archs {
        let default = [format!("{}-{arch}.oci.tar", desk.manifest.name)];
        let names = if args.output.is_empty() { &default[..] } else { &args.output[..] };
        let outputs = names.iter().map(|name| Output::parse(name)).collect::<Result<Vec<_>, _>>();
        let outputs = outputs.map_err(|error| Failure::new(exit::USAGE, error))?;
        // Before the work, not after it.
        check(&outputs)?;
        all.push((arch, outputs));
    }
    Ok(all)
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

/// The tree of one architecture, if it is as it must be.
fn assembled(
    args: &BuildArgs,
    desk: &Desk,
    lock: &Lock,
    arch: Arch,
    outputs: &[Output],
    epoch: Timestamp,
) -> Result<Assembled, Failure> {
    let bases = desk.bases(lock);
    let codecs = codecs(outputs, desk.manifest.image.compression);
    let providers = desk.providers(arch);
    let plan = Plan { providers: Some(&providers), ..desk.plan(lock, arch, epoch) };
    let (assembled, target) = (checked(assemble(plan, &codecs, desk.download(&bases))?, desk)?, plan.target);
    report::run_as(&desk.manifest, &assembled.tree)?;
    let plain_size = total(&pieces(&assembled.tree));
    if let Some(max) = desk.manifest.policy.max_size.filter(|max| plain_size > *max) {
        let text = format!(
            "the image is {plain_size} bytes as a plain tar, and policy.max-size allows {max}\n  next step: leave more out with [rootfs], or raise the limit"
        );
        return Err(Failure::words(exit::CHECK, text));
    }
    if args.locked
        && let Some(before) = &target.built
        && before.tree != tree_digest(&assembled.tree).map_err(|error| Failure::new(exit::OUTPUT, error))?
    {
        let text = "the build differs from the lock: its tree digest is another one, and nothing was written\n  next step: build without --locked and look at the lock's changes";
        return Err(Failure::words(exit::DIFFERS, text));
    }
    Ok(assembled)
}

/// Writes the outputs of one architecture, and what they are into the lock.
fn one(
    args: &BuildArgs,
    desk: &Desk,
    lock: &mut Lock,
    arch: Arch,
    assembled: Assembled,
    outputs: &[Output],
    epoch: Timestamp,
) -> Result<BuiltImage, Failure> {
    let warnings = assembled.findings.iter().filter(|finding| finding.severity != Severity::Error);
    let warnings: Vec<_> = warnings.map(|finding| format!("[{}] {finding}", finding.code)).collect();
    let user = report::run_as(&desk.manifest, &assembled.tree)?;
    let spec = ImageSpec { name: &desk.manifest.name, arch, epoch, user, image: &desk.manifest.image };
    let plain_size = total(&pieces(&assembled.tree));
    let mut written = write_all(&assembled.tree, &spec, outputs, args.force, &desk.store, &desk.shown)?;
    written.notes.extend(assembled.notes);
    // A run that compresses nothing says nothing of compressed layers: what the lock knows of the same bytes stays.
    let before = lock.targets.get(&arch).and_then(|target| target.built.clone());
    let known = before.as_ref().filter(|b| b.diff_ids == written.diff_ids && b.format == FORMAT);
    let layers = match (&written.layers[..], known) {
        ([], Some(known)) => known.layers.clone(),
        (layers, _) => layers.iter().map(|layer| layer.digest).collect(),
    };
    let built = Built { tree: written.tree, diff_ids: written.diff_ids.clone(), layers, format: FORMAT };
    if let Some(target) = lock.targets.get_mut(&arch) {
        target.built = Some(built);
    }
    Ok(BuiltImage { arch, written, plain_size, warnings, not_reproduced: assembled.not_reproduced })
}
