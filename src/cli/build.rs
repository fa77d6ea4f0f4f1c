//! `compose MANIFEST` and `compose lock MANIFEST`.
//!
//! In: arguments. Out: images, the lock, a report.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    args::{BuildArgs, LockArgs, Report},
    cache,
    desk::{Desk, logins},
    environment,
    exit::Failure,
    print,
    report::{self, BuiltImage},
};
use crate::{
    base::{Arch, Place, Progress, Sha256, aside, refusal},
    build::{Ask, Assembled, Plan, Resolved, assemble, resolve},
    check::Finding,
    image::{
        Attached, Destination, FORMAT, ImageError, ImageSpec, Output, Pushable, ToWrite, Written, WrittenOutput, check,
        codecs, place,
        registry::{Actions, Client, Credentials, Pushed, Reference, RegistryError, push},
        tree_digest, write_images,
    },
    lock::{Built, Lock, Target},
    manifest::{Compression, Manifest},
    python::LocalWheel,
};

/// Resolves anew, writes the lock, reports.
pub fn lock(args: &LockArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    if args.proof.is_some() && desk.archs.len() > 1 {
        let text = "--proof names one file, and the manifest has several architectures; choose one with --arch";
        return Err(Failure::words(refusal::SEVERAL_ARCHS, text));
    }
    args.proof.iter().try_for_each(|file| desk.spare(file, file))?;
    // What an unreadable lock said is no reason not to replace it.
    let before = Lock::read(&desk.lock_path).unwrap_or_default();
    let resolved = solve(&desk, before.as_ref(), Ask { choices: true, proof: args.proof.is_some() })?;
    let proof = desk.archs.first().and_then(|arch| resolved.more.get(arch)?.proof.as_deref());
    if let Some((file, text)) = args.proof.as_deref().zip(proof) {
        aside::write(file, text.as_bytes(), 0o666).map_err(|source| {
            let text = format!("cannot write the proof {}: {}", file.display(), source.kind());
            Failure::words(refusal::of_output(&source), text)
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
    let wanted = Wanted::read(args, &desk)?;
    let (mut lock, solved) = locked_or_solved(&desk, args.locked, args.update)?;
    let epoch = epoch(&lock)?;
    let found = lock.clone();
    let mut images = Vec::new();
    // Nothing is written before all of them are as they must be.
    let mut ready = Vec::new();
    for &arch in &desk.archs {
        let codecs = codecs(&wanted.here(arch), !wanted.registries.is_empty(), desk.manifest.image.compression);
        ready.push((arch, assembled(&desk, &lock, arch, epoch, &codecs)?));
    }
    let findings: Vec<_> = ready.iter().map(|(arch, assembled)| (*arch, &assembled.findings[..])).collect();
    passed(&desk, &findings, args.format)?;
    for (arch, assembled) in &ready {
        as_locked(&desk, &lock, *arch, assembled, args.locked)?;
    }
    let (written, shared) = write(args, &desk, &ready, &wanted, epoch)?;
    for ((arch, assembled), written) in ready.into_iter().zip(written) {
        images.push(noted(&mut lock, arch, assembled, written));
    }
    // Nothing is written where nothing changed: a lock under version control stays as it is.
    if !args.locked && (solved || lock != found) {
        lock.write(&desk.lock_path)?;
    }
    // What is on this machine's disk is done, whatever a registry says.
    let pushed = pushed(&desk, &wanted, &images, &shared)?;
    // A cache that cannot be tidied is the next run's trouble, not this one's.
    if let Ok(removed) = desk.store.clone().collect_if_idle(limit)
        && removed.entries > 0
    {
        desk.shown.notice(&format!("The cache was full: {} entries unused for longest were removed", removed.entries));
    }
    desk.shown.clear();
    print(&report::build(&desk, &lock, &images, &shared, &pushed, solved, args.format))
}

/// The date of what is built: the lock's, unless `SOURCE_DATE_EPOCH` is set (reproducible-builds.org's specification).
pub fn epoch(lock: &Lock) -> Result<Timestamp, Failure> {
    match environment::SOURCE_DATE_EPOCH.read() {
        Ok(text) => text.parse().ok().and_then(|s| Timestamp::from_second(s).ok()).ok_or_else(|| {
            let text = format!("SOURCE_DATE_EPOCH is “{text}”; it must be seconds since 1970");
            Failure::words(refusal::BAD_ENVIRONMENT, text)
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
    text += &format!("\n  next step: {}", refusal::CHECKS_FAILED.next_step);
    Err(Failure::words(refusal::CHECKS_FAILED, text).reported())
}

/// What stands for the architecture in the name of an output.
const ARCH: &str = "{arch}";

/// Where images are to go.
struct Wanted {
    /// On this machine, each architecture alone.
    own: BTreeMap<Arch, Vec<Output>>,
    /// On this machine, all of them together.
    shared: Vec<Output>,
    /// Each with the architecture that alone goes there, or with none if all do, under one tag.
    registries: Vec<(Reference, Option<Arch>)>,
    credentials: Credentials,
}

impl Wanted {
    fn read(args: &BuildArgs, desk: &Desk) -> Result<Self, Failure> {
        let mut out = Self {
            own: desk.archs.iter().map(|arch| (*arch, Vec::new())).collect(),
            shared: Vec::new(),
            registries: Vec::new(),
            credentials: Credentials::default(),
        };
        let default = [format!("{}-{ARCH}.oci.tar", desk.manifest.name)];
        for name in if args.output.is_empty() { &default[..] } else { &args.output[..] } {
            if name.contains(ARCH) || desk.archs.len() == 1 {
                for &arch in &desk.archs {
                    out.add(Destination::parse(&name.replace(ARCH, arch.as_str()))?, Some(arch))?;
                }
            } else {
                out.add(Destination::parse(name)?, None)?;
            }
        }
        if let Some((reference, _)) = out.registries.first() {
            if desk.fetcher.is_offline() {
                return Err(RegistryError::OfflinePush(reference.to_string()).into());
            }
            out.credentials = logins()?;
        }
        // Before the work, not after it.
        let here: Vec<Output> = out.own.values().flatten().chain(&out.shared).cloned().collect();
        check(&here)?;
        here.iter().try_for_each(|output| apart(desk, output))?;
        Ok(out)
    }

    /// Notes where all architectures go, or one.
    fn add(&mut self, to: Destination, arch: Option<Arch>) -> Result<(), Failure> {
        match (to, arch) {
            (Destination::Here(output), Some(arch)) => self.own.entry(arch).or_default().push(output),
            (Destination::Here(output), None) if output.is_oci() => self.shared.push(output),
            (Destination::Here(output), None) => {
                return Err(ImageError::OneTree { path: output.path().into() }.into());
            }
            (Destination::Registry(reference), _) if self.registries.iter().any(|(other, _)| *other == reference) => {
                let text = format!("{reference} is asked for twice; name each output once");
                return Err(Failure::words(refusal::OUTPUT_TWICE, text));
            }
            (Destination::Registry(reference), arch) => self.registries.push((reference, arch)),
        }
        Ok(())
    }

    /// Every file and directory that an architecture goes into.
    fn here(&self, arch: Arch) -> Vec<Output> {
        self.own.get(&arch).into_iter().flatten().chain(&self.shared).cloned().collect()
    }
}

/// Pushes the images to every registry.
fn pushed(
    desk: &Desk,
    wanted: &Wanted,
    images: &[BuiltImage],
    shared: &[WrittenOutput],
) -> Result<Vec<Pushed>, Failure> {
    let mut done: Vec<Pushed> = Vec::new();
    for (reference, only) in &wanted.registries {
        let images_there = images.iter().filter(|image| only.is_none_or(|arch| image.arch == arch));
        let ready: Vec<Pushable> = images_there.filter_map(|image| image.written.pushable.clone()).collect();
        let to = |reference| {
            let client = Client::new(&desk.fetcher, &wanted.credentials, reference, Actions::PullPush, &desk.shown)?;
            push(&client, &ready, &desk.store)
        };
        match to(reference) {
            Ok(one) => done.push(one),
            Err(error) => {
                desk.shown.clear();
                let files = images.iter().flat_map(|image| &image.written.outputs).chain(shared);
                let files = files.map(|output| output.path.display().to_string());
                let there: Vec<String> = files.chain(done.iter().map(|one| one.reference.to_string())).collect();
                let mut failure = Failure::from(error);
                if !there.is_empty() {
                    failure.message += &format!("\n  done before that, and left: {}", there.join(", "));
                }
                return Err(failure);
            }
        }
    }
    Ok(done)
}

/// Fails if an output would be written into the cache, which is tidied, or take its place; or that of what it is made of.
fn apart(desk: &Desk, output: &Output) -> Result<(), Failure> {
    let (place, root) = (place(output), desk.store.root());
    let places = Place::name(&place).ok().zip(Place::of(root).ok());
    if places.is_none_or(|(at, cache)| !at.is_within(&cache) && !at.is_on_the_way_to(root)) {
        return desk.spare(output.path(), &place);
    }
    let (path, cache) = (output.path().display(), root.display());
    let text = format!(
        "{path} cannot be an output: the cache is at {cache}\n  next step: choose a place that is neither in the cache nor around it"
    );
    Err(Failure::words(refusal::OUTPUT_IN_CACHE, text))
}

/// What the lock on disk is good for.
pub enum OnDisk {
    /// It answers the manifest.
    Good(Lock),
    /// Another's, if there is one; and why it does not.
    Bad(Option<Lock>, Failure),
}

/// Reads the lock.
pub fn read_lock(desk: &Desk) -> Result<OnDisk, Failure> {
    let path = desk.lock_path.display();
    let Some(lock) = Lock::read(&desk.lock_path)? else {
        return Ok(OnDisk::Bad(None, Failure::words(refusal::NO_LOCK, format!("{path} does not exist"))));
    };
    if lock.manifest != desk.meaning {
        let file = desk.manifest.file.display();
        let python = if desk.inputs.is_empty() { "" } else { ", or what its [python] names," };
        let text = format!("{path} was made for another manifest: {file}{python} has changed since");
        return Ok(OnDisk::Bad(Some(lock), Failure::words(refusal::STALE_LOCK, text)));
    }
    Ok(match desk.archs.iter().find(|arch| !lock.targets.contains_key(arch)) {
        Some(arch) => {
            let text = format!("{path} has nothing for {arch}");
            OnDisk::Bad(Some(lock), Failure::words(refusal::LOCK_OTHER_ARCH, text))
        }
        None => OnDisk::Good(lock),
    })
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
pub fn locked_or_solved(desk: &Desk, locked: bool, update: bool) -> Result<(Lock, bool), Failure> {
    if update {
        // What an unreadable lock said is no reason not to replace it.
        let before = Lock::read(&desk.lock_path).unwrap_or_default();
        return Ok((solve(desk, before.as_ref(), Ask::default())?.lock, true));
    }
    match read_lock(desk)? {
        OnDisk::Good(lock) => Ok((lock, false)),
        OnDisk::Bad(_, why) if locked => {
            let next = "run without --locked, and commit the lock";
            let text = format!("{}, and --locked forbids to make it\n  next step: {next}", why.message);
            Err(Failure::words(why.refusal, text))
        }
        OnDisk::Bad(before, why) => {
            if before.is_some() {
                desk.shown.notice(&format!("Resolving anew: {}", why.message));
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

/// The tree of one architecture, with what is compressed of each package by these codecs at once.
pub fn assembled(
    desk: &Desk,
    lock: &Lock,
    arch: Arch,
    epoch: Timestamp,
    codecs: &[Compression],
) -> Result<Assembled, Failure> {
    let (bases, providers) = (desk.bases(lock), desk.providers(arch));
    let plan = Plan { providers: Some(&providers), ..desk.plan(lock, arch, epoch) };
    Ok(assemble(plan, codecs, desk.download(&bases))?)
}

/// Fails unless the image can start as it should, and, with `--locked`, is the one that the lock has.
pub fn as_locked(desk: &Desk, lock: &Lock, arch: Arch, assembled: &Assembled, locked: bool) -> Result<(), Failure> {
    report::run_as(&desk.manifest, &assembled.tree)?;
    let before = lock.targets.get(&arch).and_then(|target| target.built.as_ref());
    if locked
        && let Some(before) = before
        && before.tree
            != tree_digest(&assembled.tree).map_err(|error| Failure::new(refusal::IMAGE_FILE_UNREADABLE, error))?
    {
        let text = "the build differs from the lock: its tree digest is another one, and nothing was written\n  next step: build without --locked and look at the lock's changes";
        return Err(Failure::words(refusal::BUILD_DIFFERS, text));
    }
    Ok(())
}

/// Writes every output.
fn write(
    args: &BuildArgs,
    desk: &Desk,
    ready: &[(Arch, Assembled)],
    wanted: &Wanted,
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
    let images: Vec<ToWrite<'_>> = ready
        .iter()
        .zip(&specs)
        .map(|((arch, assembled), spec)| {
            let outputs = wanted.own.get(arch).map_or(&[][..], Vec::as_slice);
            ToWrite { tree: &assembled.tree, spec, outputs }
        })
        .collect();
    let (to_registry, force) = (!wanted.registries.is_empty(), args.force);
    Ok(write_images(&images, &wanted.shared, to_registry, force, &desk.store, &desk.shown)?)
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
