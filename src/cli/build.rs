//! `compose MANIFEST` and `compose lock MANIFEST`.
//!
//! In: arguments. Out: images, the lock, a report.

use std::env;

use jiff::Timestamp;

use super::{
    args::{BuildArgs, ResolveArgs},
    desk::Desk,
    exit::{self, Failure},
    report::{self, BuiltImage},
};
use crate::{
    archive::Loader,
    base::{Arch, Progress},
    build::{Download, assemble, resolve},
    check::Severity,
    image::{FORMAT, ImageSpec, Output, pieces, total, write_all},
    lock::{Built, Lock},
    manifest,
};

/// Resolves anew, writes the lock, reports.
pub fn lock(args: &ResolveArgs) -> Result<(), Failure> {
    let desk = Desk::open(args)?;
    let before = Lock::read(&desk.lock_path).unwrap_or_default();
    let lock = solve(&desk, before.as_ref())?;
    lock.write(&desk.lock_path)?;
    desk.shown.clear();
    report::lock(&desk, &lock, before.as_ref(), args.format);
    Ok(())
}

/// Builds the manifest's images.
pub fn build(args: &BuildArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    let outputs = outputs(args, &desk)?;
    let (mut lock, solved) = locked_or_solved(args, &desk)?;
    let epoch = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().ok().and_then(|s| Timestamp::from_second(s).ok()).ok_or_else(|| {
            Failure::words(exit::USAGE, format!("SOURCE_DATE_EPOCH is “{text}”; it must be seconds since 1970"))
        })?,
        Err(_) => lock.epoch,
    };
    let found = lock.clone();
    let mut images = Vec::new();
    for (arch, outputs) in outputs {
        images.push(one(args, &desk, &mut lock, arch, &outputs, epoch)?);
    }
    // Nothing is written where nothing changed: a lock under version control stays as it is.
    if !args.locked && (solved || lock != found) {
        lock.write(&desk.lock_path)?;
    }
    desk.shown.clear();
    report::build(&desk, &lock, &images, solved, args.resolve.format);
    Ok(())
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
        all.push((arch, outputs.map_err(|error| Failure::new(exit::USAGE, error))?));
    }
    Ok(all)
}

/// The lock to build from, and whether it was made just now.
fn locked_or_solved(args: &BuildArgs, desk: &Desk) -> Result<(Lock, bool), Failure> {
    if args.update {
        // What an unreadable lock said is no reason not to replace it.
        let before = Lock::read(&desk.lock_path).unwrap_or_default();
        return Ok((solve(desk, before.as_ref())?, true));
    }
    let lock = Lock::read(&desk.lock_path)?;
    let path = desk.lock_path.display();
    let stale = match &lock {
        None => Some(format!("{path} does not exist")),
        Some(lock) if lock.manifest != manifest::meaning(&desk.manifest) => {
            Some(format!("{path} was made for another manifest: {} has changed since", desk.manifest.file.display()))
        }
        Some(lock) => {
            let missing = desk.archs.iter().find(|arch| !lock.targets.contains_key(arch));
            missing.map(|arch| format!("{path} has nothing for {arch}"))
        }
    };
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
            Ok((solve(desk, before.as_ref())?, true))
        }
    }
}

fn solve(desk: &Desk, before: Option<&Lock>) -> Result<Lock, Failure> {
    let loader = Loader { fetcher: &desk.fetcher, store: &desk.store, now: desk.now, progress: &desk.shown };
    // Architectures that the lock had stay in it.
    let same = before.filter(|lock| lock.manifest == manifest::meaning(&desk.manifest));
    let mut archs = desk.archs.clone();
    archs.extend(desk.manifest.archs.iter().chain(same.into_iter().flat_map(|lock| lock.targets.keys())));
    archs.sort_unstable();
    archs.dedup();
    let mut lock = resolve(&desk.manifest, &desk.suites, &archs, &loader)?;
    // The same packages at the same date make the same image: what is known of it stays.
    if let Some(before) = same.filter(|before| before.epoch == lock.epoch) {
        for (arch, target) in &mut lock.targets {
            target.built =
                before.targets.get(arch).filter(|b| b.packages == target.packages).and_then(|b| b.built.clone());
        }
    }
    Ok(lock)
}

fn one(
    args: &BuildArgs,
    desk: &Desk,
    lock: &mut Lock,
    arch: Arch,
    outputs: &[Output],
    epoch: Timestamp,
) -> Result<BuiltImage, Failure> {
    let target = lock.targets.get(&arch).expect("checked when the lock was chosen");
    let bases = desk.bases(lock);
    let download = Download { fetcher: &desk.fetcher, store: &desk.store, bases: &bases, progress: &desk.shown };
    let assembled = assemble(&desk.manifest, lock, arch, target, epoch.as_second(), download)?;
    let (errors, warnings): (Vec<_>, Vec<_>) =
        assembled.findings.iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        desk.shown.clear();
        let list: Vec<_> = errors.iter().map(|f| format!("  [{}] {f}\n      {}", f.code, f.hint)).collect();
        return Err(Failure::words(exit::CHECK, format!("the image is not as it must be:\n{}", list.join("\n"))));
    }
    let warnings: Vec<_> = warnings.iter().map(|finding| format!("[{}] {finding}", finding.code)).collect();
    let user = report::run_as(&desk.manifest, &assembled.tree)?;
    let spec = ImageSpec { name: &desk.manifest.name, arch, epoch, user, image: &desk.manifest.image };
    let plain_size = total(&pieces(&assembled.tree));
    if let Some(max) = desk.manifest.policy.max_size.filter(|max| plain_size > *max) {
        let text = format!(
            "the image is {plain_size} bytes as a plain tar, and policy.max-size allows {max}\n  next step: leave more out with [rootfs], or raise the limit"
        );
        return Err(Failure::words(exit::CHECK, text));
    }
    let written = write_all(&assembled.tree, &spec, outputs, args.force, &desk.shown)?;
    // A run that compresses nothing says nothing of compressed layers: what the lock knows of the same bytes stays.
    let before = target.built.clone();
    let known = before.as_ref().filter(|b| b.diff_ids == written.diff_ids && b.format == FORMAT);
    let layers = match (&written.layers[..], known) {
        ([], Some(known)) => known.layers.clone(),
        (layers, _) => layers.iter().map(|layer| layer.digest).collect(),
    };
    let built = Built { tree: written.tree, diff_ids: written.diff_ids.clone(), layers, format: FORMAT };
    if args.locked && before.as_ref().is_some_and(|before| before.tree != built.tree) {
        let text = "the build differs from the lock: its tree digest is another one\n  next step: build without --locked and look at the lock's changes";
        return Err(Failure::words(exit::DIFFERS, text));
    }
    if let Some(target) = lock.targets.get_mut(&arch) {
        target.built = Some(built);
    }
    Ok(BuiltImage { arch, written, plain_size, warnings, not_reproduced: assembled.not_reproduced })
}
