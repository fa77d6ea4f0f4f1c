//! What a command says when it is done: for people, or as JSON.
//!
//! In: what was built. Out: text for standard output; sizes in bytes, KiB where Debian counts so.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    args::{Format, Report},
    desk::Desk,
    exit::Failure,
};
use crate::{
    base::{
        Arch, PackageName, RootPath, Sha256, refusal,
        words::{self, say},
    },
    build::{More, OpenChoice, Resolved, option},
    check::{self, Finding},
    image::{
        Written,
        registry::{Count, Pushed},
    },
    lock::{Lock, LockedNeed, LockedWheel, Target},
    manifest::Manifest,
    solve::Price,
    tree::Tree,
};

/// How many warnings a person is shown of each image.
const WARNINGS: usize = 5;

/// One architecture's image.
pub struct BuiltImage {
    /// For which machine.
    pub arch: Arch,
    /// What was written.
    pub written: Written,
    /// What was found, and does not stop the build.
    pub findings: Vec<Finding>,
    /// Of its plain tar, bytes.
    pub plain_size: u64,
    /// Scripts without effect in the image.
    pub not_reproduced: Vec<(PackageName, Box<str>)>,
}

/// OCI's `User`: numeric, so that Kubernetes can check `runAsNonRoot` (its API reference, PodSecurityContext).
///
/// # Errors
/// When `accounts.run-as` names nobody in the image.
pub fn run_as(manifest: &Manifest, tree: &Tree) -> Result<Option<String>, Failure> {
    let Some(user) = &manifest.accounts.run_as else { return Ok(None) };
    if user.split(':').all(|id| id.parse::<u32>().is_ok()) {
        return Ok(Some(user.clone()));
    }
    let passwd = tree.read(&RootPath::literal("etc/passwd")).ok().flatten().unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd);
    let found = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == user);
    match found.as_deref() {
        Some([_, _, uid, gid, ..]) => Ok(Some(format!("{uid}:{gid}"))),
        _ => {
            let text = format!(
                "accounts.run-as names “{user}”, and the image has no such user\n  next step: add it to accounts.users"
            );
            Err(Failure::words(refusal::NO_SUCH_USER, text))
        }
    }
}

/// Megabytes as people read them.
pub fn mb(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a size")]
    let size = bytes as f64 / 1e6;
    format!("{size:.1} MB")
}

fn proof(target: &Target) -> &'static str {
    if target.proven_minimal { "proven to be the smallest set" } else { "not proven to be the smallest set" }
}

/// What the JSON of a build is called; another number means another shape.
const SCHEMA: &str = "compose-build/1";

/// After `compose MANIFEST`.
pub fn build(
    desk: &Desk,
    lock: &Lock,
    images: &[BuiltImage],
    pushed: &[Pushed],
    solved: bool,
    format: Report,
) -> String {
    let mut out = String::new();
    match format {
        Report::Human => {}
        Report::Json => {
            let images: Vec<_> = images.iter().map(|image| image_json(lock, image)).collect();
            let (schema, lock) = (SCHEMA, &desk.lock_path);
            let pushed: Vec<_> = pushed.iter().map(pushed_json).collect();
            let all = json!({ "schema": schema, "built": true, "lock": lock, "solved": solved, "images": images, "pushed": pushed });
            say!(out, "{all:#}");
            return out;
        }
        Report::Sarif => {
            let found: Vec<_> = images.iter().map(|image| (image.arch, &image.findings[..])).collect();
            return sarif(desk, &found);
        }
    }
    for image in images {
        for output in &image.written.outputs {
            match &output.sha256 {
                Some(sha256) => say!(out, "{}  {}  {sha256}", output.path.display(), mb(output.bytes)),
                None => say!(out, "{}  {}", output.path.display(), mb(output.bytes)),
            }
        }
        let target = &lock.targets[&image.arch];
        let kib = target.installed_size;
        let (count, besides) = (target.packages.len(), besides(target));
        say!(out, "  {count} packages, {kib} KiB by Debian's count, {}{besides}", proof(target));
        say!(out, "  {} as a plain tar, tree {}", mb(image.plain_size), image.written.tree);
        for layer in &image.written.layers {
            say!(out, "  layer {}, {}", mb(layer.size), layer.digest);
        }
        for note in &image.written.notes {
            say!(out, "  note: {note}");
        }
        let (excused, warnings): (Vec<_>, Vec<_>) = image.findings.iter().partition(|found| found.excuse.is_some());
        for finding in warnings.iter().take(WARNINGS) {
            say!(out, "  warning: [{}] {finding}", finding.code);
        }
        if let Some(more) = warnings.len().checked_sub(WARNINGS).filter(|more| *more > 0) {
            say!(out, "  … and {more} more warnings, which --format json lists");
        }
        for finding in excused.iter().take(WARNINGS) {
            let reason = finding.excuse.as_ref().map_or("", |excuse| &excuse.reason);
            say!(out, "  excused: [{}] {finding}: {reason}", finding.code);
        }
        if let Some(more) = excused.len().checked_sub(WARNINGS).filter(|more| *more > 0) {
            say!(out, "  … and {more} more that policy.allow excuses");
        }
        if !image.not_reproduced.is_empty() {
            let list: Vec<_> = image.not_reproduced.iter().map(|(name, script)| format!("{name} {script}")).collect();
            say!(out, "  scripts not reproduced: {}", list.join(", "));
        }
    }
    for one in pushed {
        say!(out, "{}", one.reference);
        say!(out, "  {}", pushed_line(one));
    }
    let how = if solved { "written" } else { "used" };
    say!(
        out,
        "  lock {how}: {} ({}), {:.1} s",
        desk.lock_path.display(),
        lock.epoch,
        desk.shown.elapsed().as_secs_f64()
    );
    out
}

/// “2 blobs of 15.0 MB uploaded, 1 there already; 1 manifest written”.
fn pushed_line(pushed: &Pushed) -> String {
    let blobs = |count: &Count, how: &str| {
        let noun = if count.blobs == 1 { "blob" } else { "blobs" };
        format!("{} {noun} of {} {how}", count.blobs, words::bytes(count.bytes))
    };
    let all = [
        (&pushed.uploaded, "uploaded"),
        (&pushed.mounted, "taken from another repository there"),
        (&pushed.present, "there already"),
    ];
    let mut parts: Vec<String> =
        all.iter().filter(|(count, _)| count.blobs > 0).map(|(count, how)| blobs(count, how)).collect();
    if pushed.images.len() > 1 {
        parts.push(format!("an index of {} images", pushed.images.len()));
    }
    if !pushed.referrers.is_empty() {
        parts.push(format!("SBOMs: {}", pushed.referrers.len()));
    }
    if pushed.manifests == 0 {
        parts.push("nothing written".into());
    }
    parts.join(", ")
}

fn pushed_json(pushed: &Pushed) -> Value {
    let count = |count: &Count| json!({ "blobs": count.blobs, "bytes": count.bytes });
    let image = |(arch, digest): &(Arch, Sha256)| json!({ "arch": arch.as_str(), "digest": digest.to_string() });
    json!({
        "reference": pushed.reference.to_string(),
        "digest": pushed.digest.to_string(),
        "images": pushed.images.iter().map(image).collect::<Vec<_>>(),
        "uploaded": count(&pushed.uploaded),
        "mounted": count(&pushed.mounted),
        "present": count(&pushed.present),
        "manifests-written": pushed.manifests,
        "referrers": pushed.referrers.iter().map(Sha256::to_string).collect::<Vec<_>>(),
    })
}

fn image_json(lock: &Lock, image: &BuiltImage) -> Value {
    let target = &lock.targets[&image.arch];
    let outputs: Vec<_> = image
        .written
        .outputs
        .iter()
        .map(|o| json!({ "path": o.path, "bytes": o.bytes, "sha256": o.sha256.map(|digest| digest.hex()) }))
        .collect();
    let layers: Vec<_> = image
        .written
        .layers
        .iter()
        .map(|l| json!({ "digest": l.digest.to_string(), "size": l.size, "diff-id": l.diff_id.to_string(), "plain-size": l.plain_size }))
        .collect();
    let scripts: Vec<_> = image
        .not_reproduced
        .iter()
        .map(|(name, script)| json!({ "package": name.as_str(), "script": script }))
        .collect();
    json!({
        "arch": image.arch.as_str(),
        "packages": target.packages.len(),
        "wheels": target.wheels.len(),
        "tarballs": target.tarballs.len(),
        "installed-size": target.installed_size,
        "proven-minimal": target.proven_minimal,
        "tree": image.written.tree.to_string(),
        "layers": layers,
        "outputs": outputs,
        "scripts-not-reproduced": scripts,
        "findings": findings_json(&image.findings),
        "notes": image.written.notes,
    })
}

fn findings_json(findings: &[Finding]) -> Vec<Value> {
    findings.iter().map(check::report::json).collect()
}

/// The same document when findings stop the build: `built` is false, and nothing was written.
pub fn refused_json(desk: &Desk, found: &[(Arch, &[Finding])]) -> String {
    let image =
        |(arch, findings): &(Arch, &[Finding])| json!({ "arch": arch.as_str(), "findings": findings_json(findings) });
    let images: Vec<_> = found.iter().map(image).collect();
    let all = json!({ "schema": SCHEMA, "built": false, "lock": desk.lock_path, "images": images });
    format!("{all:#}\n")
}

/// The findings alone, as a SARIF log.
pub fn sarif(desk: &Desk, found: &[(Arch, &[Finding])]) -> String {
    let file = desk.manifest.file.to_string_lossy();
    let names: Vec<String> = found.iter().map(|(arch, _)| format!("{}/{arch}", desk.manifest.name)).collect();
    let images: Vec<_> = found
        .iter()
        .zip(&names)
        .map(|((_, findings), name)| check::report::Image { name, file: &file, findings })
        .collect();
    format!("{:#}\n", check::report::sarif(env!("CARGO_PKG_VERSION"), &images))
}

/// How many options not taken a person is shown of each choice.
const OPTIONS: usize = 4;

/// After `compose lock`: the targets, what changed, what was cut, what was chosen.
pub fn lock(desk: &Desk, resolved: &Resolved, before: Option<&Lock>, format: Format) -> String {
    let mut out = String::new();
    let lock = &resolved.lock;
    let unit = desk.manifest.packages.minimize.unit();
    let changes: Vec<_> = lock.targets.iter().map(|(arch, target)| (*arch, changes(target, *arch, before))).collect();
    let none = More::default();
    let more = |arch: &Arch| resolved.more.get(arch).unwrap_or(&none);
    if format == Format::Json {
        let targets: Vec<_> = changes
            .iter()
            .map(|(arch, changes)| target_json(desk, *arch, &lock.targets[arch], changes, more(arch)))
            .collect();
        let epoch = lock.epoch.to_string();
        say!(out, "{:#}", json!({ "lock": desk.lock_path, "epoch": epoch, "unit": unit, "targets": targets }));
        return out;
    }
    say!(out, "{}  {}", desk.lock_path.display(), lock.epoch);
    for (arch, changes) in &changes {
        let (target, more) = (&lock.targets[arch], more(arch));
        let kib = target.installed_size;
        let (count, besides) = (target.packages.len(), besides(target));
        say!(out, "  {arch}: {count} packages, {kib} KiB by Debian's count, {}{besides}", proof(target));
        if !target.proven_minimal {
            say!(out, "    no set has less than {} {unit}; {} nodes were searched", more.lower_bound, more.nodes);
        }
        for (from, wheels) in wheels_by_source(desk, target) {
            let list: Vec<_> = wheels.iter().map(|wheel| format!("{} {}", wheel.name, wheel.version)).collect();
            say!(out, "    wheels of {from}: {}", list.join(", "));
        }
        for need in &target.needs {
            say!(out, "    needed: {}", need_line(need, target));
        }
        for cut in &target.cut {
            say!(out, "    cut: {} → {}: {}", cut.package, cut.dependency, cut.reason);
        }
        for choice in &more.choices {
            say!(out, "    {}", choice_line(choice, unit));
        }
        for name in &more.not_preferred {
            say!(
                out,
                "    not honoured: packages.prefer names {name}, and no set has it together with those before it"
            );
        }
        if before.is_none() {
            continue;
        }
        for (name, old, new) in changes {
            match (old, new) {
                (None, Some(new)) => say!(out, "    + {name} {new}"),
                (Some(old), None) => say!(out, "    - {name} {old}"),
                (old, new) => {
                    say!(out, "    ~ {name} {} → {}", old.as_deref().unwrap_or(""), new.as_deref().unwrap_or(""));
                }
            }
        }
        if changes.is_empty() {
            say!(out, "    no change");
        }
    }
    out
}

/// “; 11 wheels, 1 tarball”.
fn besides(target: &Target) -> String {
    let count = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let parts = [count(target.wheels.len(), "wheel"), count(target.tarballs.len(), "tarball")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

/// Wheels by who named them: the application's lock, or `python.wheels`.
fn wheels_by_source<'t>(desk: &Desk, target: &'t Target) -> BTreeMap<String, Vec<&'t LockedWheel>> {
    let python = desk.manifest.python.as_ref();
    let lock = python.and_then(|python| python.lock.as_deref());
    let mut found: BTreeMap<String, Vec<&LockedWheel>> = BTreeMap::new();
    for wheel in &target.wheels {
        let from = match lock.filter(|_| desk.inputs.local(&wheel.sha256).is_none()) {
            Some(lock) => lock.display().to_string(),
            None => "python.wheels".into(),
        };
        found.entry(from).or_default().push(wheel);
    }
    found
}

/// “libGL.so.1 by opencv-python: libgl1”.
fn need_line(need: &LockedNeed, target: &Target) -> String {
    let name = need.what.strip_prefix("soname:").unwrap_or(&need.what);
    let by = needed_by(need, target);
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    format!("{name}{by}: {}", need.clause)
}

/// The tarballs and wheels that have a need; none for the manifest's own requests.
fn needed_by<'t>(need: &LockedNeed, target: &'t Target) -> Vec<&'t str> {
    let name = need.what.strip_prefix("soname:").unwrap_or(&need.what);
    let wants = |needs: &[String]| needs.iter().any(|other| other == name);
    let tarballs = target.tarballs.iter().filter(|t| wants(&t.needs)).map(|t| &t.name);
    let wheels = target.wheels.iter().filter(|w| wants(&w.needs)).map(|w| &w.name);
    tarballs.chain(wheels).map(String::as_str).collect()
}

fn choice_line(choice: &OpenChoice, unit: &str) -> String {
    let options = choice.instead.iter().take(OPTIONS).map(|(name, price)| option(name, *price, unit));
    let mut options: Vec<_> = options.collect();
    if let Some(rest) = choice.instead.len().checked_sub(OPTIONS).filter(|rest| *rest > 0) {
        options.push(format!("{rest} more"));
    }
    let by = choice.by.as_deref().unwrap_or("the manifest");
    format!("chosen: {} for `{}` of {by}; instead: {}", choice.taken.join(", "), choice.relation, options.join(", "))
}

fn price_json(name: &str, price: Price) -> Value {
    match price {
        Price::More(more) => json!({ "package": name, "more": more }),
        Price::Unknown => json!({ "package": name, "more": null, "unknown": true }),
        Price::Impossible => json!({ "package": name, "more": null, "impossible": true }),
    }
}

fn target_json(desk: &Desk, arch: Arch, target: &Target, changes: &[Change], more: &More) -> Value {
    let list: Vec<_> =
        changes.iter().map(|(name, old, new)| json!({ "package": name, "from": old, "to": new })).collect();
    let cut: Vec<_> = target
        .cut
        .iter()
        .map(|cut| json!({ "package": cut.package, "dependency": cut.dependency, "reason": cut.reason }))
        .collect();
    let choices: Vec<_> = more
        .choices
        .iter()
        .map(|choice| {
            let instead: Vec<_> = choice.instead.iter().map(|(name, price)| price_json(name, *price)).collect();
            json!({ "taken": choice.taken, "by": choice.by, "relation": choice.relation, "instead": instead })
        })
        .collect();
    let need = |need: &LockedNeed| json!({ "what": need.what, "clause": need.clause, "by": needed_by(need, target) });
    let needs: Vec<_> = target.needs.iter().map(need).collect();
    let wheels = wheels_by_source(desk, target).into_iter().flat_map(|(from, wheels)| {
        wheels.into_iter().map(move |wheel| {
            json!({ "name": wheel.name, "version": wheel.version, "file": wheel.filename, "named-by": from })
        })
    });
    let wheel_files: Vec<_> = wheels.collect();
    let refused: Vec<_> = more.not_preferred.iter().map(PackageName::as_str).collect();
    json!({
        "arch": arch.as_str(),
        "packages": target.packages.len(),
        "wheels": target.wheels.len(),
        "tarballs": target.tarballs.len(),
        "wheel-files": wheel_files,
        "needs": needs,
        "installed-size": target.installed_size,
        "proven-minimal": target.proven_minimal,
        "lower-bound": more.lower_bound,
        "nodes": more.nodes,
        "changes": list,
        "cut": cut,
        "choices": choices,
        "not-preferred": refused,
    })
}

type Change = (String, Option<String>, Option<String>);

fn changes(target: &Target, arch: Arch, before: Option<&Lock>) -> Vec<Change> {
    let list = |target: Option<&Target>| -> BTreeMap<String, String> {
        let packages = target.into_iter().flat_map(|target| &target.packages);
        let packages = packages.map(|package| (package.name.to_string(), package.version.to_string()));
        let wheels = target.into_iter().flat_map(|target| &target.wheels);
        let wheels = wheels.map(|wheel| (format!("wheel:{}", wheel.name), wheel.version.clone()));
        let tarballs = target.into_iter().flat_map(|target| &target.tarballs);
        let short = |hex: String| hex.chars().take(12).collect();
        let tarballs = tarballs.map(|t| (format!("tarball:{}", t.name), short(t.sha256.hex())));
        packages.chain(wheels).chain(tarballs).collect()
    };
    let (old, new) = (list(before.and_then(|lock| lock.targets.get(&arch))), list(Some(target)));
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| (old.get(name).cloned(), new.get(name).cloned());
    names
        .into_iter()
        .map(|name| (name.clone(), change(name)))
        .filter(|(_, (old, new))| old != new)
        .map(|(name, (old, new))| (name, old, new))
        .collect()
}
