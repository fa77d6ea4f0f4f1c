//! `compose verify MANIFEST [IMAGE]`: whether a rebuild gives what the lock says, and whether an image is that.
//!
//! In: arguments. Out: a report; exit code 7 if anything differs. The rebuild lies in a temporary folder. It takes
//! downloads from the cache, each held against its digest first, and of what was made of them nothing, unless it is told
//! to.

mod cached;
mod places;

use std::{collections::BTreeSet, fs, io, io::Read as _, path::Path};

use serde_json::{Value, json};

use super::{
    args::{Format, Report, VerifyArgs},
    build::{OnDisk, changed_wheels, epoch, passed, read_lock},
    desk::{Desk, credentials},
    exit::{self, Failure},
    print, report,
};
use crate::{
    base::{Arch, RootPath, Sha256, refusal, words::say},
    build::{OwnFile, assemble, inputs},
    deb::Limits,
    image::{
        FORMAT, ImageSpec, Output, codecs,
        open::{Form, ImageRef, OpenError, OpenFault, Opened, Remote, open, open_target},
        tree_digest, write_all,
    },
    lock::{Built, FileIs, Lock, LockedFile},
    store::{Store, StoreError},
    tree::{Tree, compare},
};
use cached::Damaged;
use places::Places;

/// With more places than these, and files or digests that differ, it is another image and not a damaged one: its bytes say
/// nothing.
const DAMAGED: usize = 3;

/// What is found of one architecture.
struct Verdict {
    arch: Arch,
    /// What the lock promises.
    promised: Built,
    /// What the rebuild gave.
    rebuilt: Built,
    /// What differs between lock and rebuild.
    wrong: Vec<&'static str>,
    /// Own files that are not those of the lock, in words; `None` if it does not say.
    own: Option<Vec<String>>,
    /// Files that are not what they should be.
    damaged: Vec<Damaged>,
    image: Option<ImageVerdict>,
}

/// What is found of the image.
struct ImageVerdict {
    path: String,
    /// Form and tree digest, if it can be read.
    read: Option<(Form, Sha256)>,
    /// What differs between image and lock.
    wrong: Vec<String>,
    /// Places in its file that are not what compose writes, in words.
    places: Vec<String>,
    /// Paths that differ between rebuild and image, in words.
    paths: Vec<String>,
}

impl Verdict {
    fn is_good(&self) -> bool {
        self.wrong.is_empty()
            && self.damaged.is_empty()
            && self.image.as_ref().is_none_or(|image| image.wrong.is_empty())
    }
}

/// Runs the command.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let mut desk = Desk::open(&args.resolve)?;
    let lock = match read_lock(&desk)? {
        OnDisk::Good(lock) => lock,
        OnDisk::Bad(lock, why) if lock.as_ref().is_some_and(|lock| changed_wheels(&desk, lock).is_some()) => {
            let wheels = lock.and_then(|lock| changed_wheels(&desk, &lock)).unwrap_or_default();
            let next = "restore it, or build anew and look at the lock's changes";
            let text = format!("{}:\n{wheels}\n  next step: {next}", why.message);
            return Err(Failure::words(refusal::WHEELS_CHANGED, text));
        }
        OnDisk::Bad(_, why) => {
            let next = "build once, and commit the lock";
            let text = format!("{}, so there is nothing to verify\n  next step: {next}", why.message);
            return Err(Failure::words(why.refusal, text));
        }
    };
    if args.image.is_some() && desk.archs.len() > 1 {
        let text = "an image is of one architecture, and the manifest has several; choose one with --arch";
        return Err(Failure::words(refusal::SEVERAL_ARCHS, text));
    }
    // In use until the end: a store that nobody uses is swept, and the scratch folder lies in it.
    let own = desk.store.clone();
    let scratch = own.temp_dir()?;
    if !args.with_store {
        desk.store = Store::open(&scratch.path().join("store"))?;
    }
    let mut verdicts = Vec::new();
    for &arch in &desk.archs {
        verdicts.push(one(args, (&desk, &own), &lock, arch, scratch.path())?);
    }
    desk.shown.clear();
    let good = verdicts.iter().all(Verdict::is_good);
    let text = match args.format {
        Format::Human => verdicts.iter().map(|verdict| human(verdict, args.show)).collect(),
        Format::Json => {
            let all: Vec<Value> = verdicts.iter().map(machine).collect();
            format!("{:#}\n", json!({ "lock": desk.lock_path, "verified": good, "targets": all }))
        }
    };
    print(&text)?;
    if good {
        Ok(())
    } else {
        Err(Failure::words(refusal::BUILD_DIFFERS, "not what the lock says; see the report").reported())
    }
}

fn one(
    args: &VerifyArgs,
    (desk, own): (&Desk, &Store),
    lock: &Lock,
    arch: Arch,
    scratch: &Path,
) -> Result<Verdict, Failure> {
    // First, so that what is no image is told before the work.
    let image = match &args.image {
        Some(image) => Some((image, looked_at(desk, image, arch, scratch)?)),
        None => None,
    };
    let Some(promised) = lock.targets[&arch].built.clone() else {
        let path = desk.lock_path.display();
        let text = format!(
            "{path} has no digests for {arch}: it was never built from\n  next step: build once, and commit the lock"
        );
        return Err(Failure::words(refusal::NEVER_BUILT, text));
    };
    let epoch = epoch(lock)?;
    let bases = desk.bases(lock);
    let folder = scratch.join(format!("rebuilt-{arch}"));
    let mut outputs = vec![Output::OciDir(folder.clone())];
    if let Some((ImageRef::Path(path), image)) = &image {
        outputs.extend(forms(path, image.as_ref().ok(), scratch).map_err(unread)?);
    }
    let codecs = codecs(&outputs, false, desk.manifest.image.compression);
    let plan = desk.plan(lock, arch, epoch);
    let mut damaged = cached::check(&inputs(plan), own, &desk.store)?;
    let assembled = assemble(plan, &codecs, desk.download(&bases)).map_err(Failure::from);
    let assembled = assembled.map_err(|why| with(why, &damaged))?;
    let format = if args.format == Format::Json { Report::Json } else { Report::Human };
    passed(desk, &[(arch, &assembled.findings)], format).map_err(|why| with(why, &damaged))?;
    let user = report::run_as(&desk.manifest, &assembled.tree)?;
    let spec = ImageSpec { name: &desk.manifest.name, arch, epoch, user, image: &desk.manifest.image, attached: None };
    let written = write_all(&assembled.tree, &spec, &outputs, false, &desk.store, &desk.shown)?;
    damaged.extend(cached::met(desk.store.take_damaged(), &desk.store));
    for damaged in &mut damaged {
        damaged.settle(own, &desk.store)?;
    }
    let layers = written.layers.iter().map(|layer| layer.digest).collect();
    let files = assembled.own.iter().map(|own| own.locked.clone()).collect();
    let rebuilt = Built { tree: written.tree, diff_ids: written.diff_ids, layers, format: FORMAT, files };
    let mut wrong = Vec::new();
    for (what, same) in [
        ("tree digest", rebuilt.tree == promised.tree),
        ("diffIDs", rebuilt.diff_ids == promised.diff_ids),
        // Another format version, or a lock of a build that compressed nothing, says nothing of these.
        ("layer digests", rebuilt.layers == promised.layers || promised.format != FORMAT || promised.layers.is_empty()),
    ] {
        if !same {
            wrong.push(what);
        }
    }
    let image = match image {
        Some((name, image)) => {
            let is_whole = image.is_ok();
            let mut verdict = match image {
                Ok(image) => {
                    let layout = opened(&folder, arch, scratch, "layout", &(&desk.manifest.limits).into())?;
                    judged(name, image, &promised, (&assembled.tree, &layout))
                        .map_err(|error| Failure::words(refusal::IMAGE_UNREADABLE, format!("{name}: {error}")))?
                }
                Err(error) => unreadable(name, &error),
            };
            // What was rebuilt is only something to go by if it is what the lock says.
            if let ImageRef::Path(path) = name
                && wrong.is_empty()
                && promised.format == FORMAT
            {
                let places = byte_by_byte(path, &outputs, is_whole);
                verdict.places = places.map_err(unread)?.list;
                if verdict.wrong.is_empty() && !verdict.places.is_empty() {
                    verdict.wrong.push("bytes".into());
                } else if verdict.read.is_some() && verdict.places.len() > DAMAGED {
                    verdict.places.clear();
                }
            }
            Some(verdict)
        }
        None => None,
    };
    let own = own_changes(&promised.files, &assembled.own);
    Ok(Verdict { arch, promised, rebuilt, wrong, own, damaged, image })
}

/// A failure of the rebuild, and what was found before it: nothing of that is to be lost.
fn with(mut why: Failure, damaged: &[Damaged]) -> Failure {
    if !damaged.is_empty() {
        let lines: String = damaged.iter().map(|damaged| format!("\n  {}", damaged.human())).collect();
        why.message = format!("damaged:{lines}\n{}", why.human());
        if why.refusal.exit != exit::TRUST {
            why.refusal = refusal::INPUTS_DAMAGED;
        }
    }
    why
}

fn unread(error: io::Error) -> Failure {
    Failure::new(refusal::IMAGE_UNREADABLE, error)
}

/// Reads an image into a folder of its own below `scratch`.
fn opened(path: &Path, arch: Arch, scratch: &Path, name: &str, limits: &Limits) -> Result<Opened, OpenError> {
    let scratch = scratch.join(name);
    let made = fs::create_dir_all(&scratch);
    made.map_err(|source| OpenError {
        path: path.into(),
        fault: OpenFault::Scratch { path: scratch.clone(), source },
    })?;
    open(path, Some(arch), &scratch, limits)
}

/// The image that is to be judged, or why it cannot be read, where that may be for a change in it.
fn looked_at(desk: &Desk, image: &ImageRef, arch: Arch, scratch: &Path) -> Result<Result<Opened, OpenError>, Failure> {
    let limits = Limits::from(&desk.manifest.limits);
    let ImageRef::Path(path) = image else {
        let scratch = scratch.join("image");
        fs::create_dir_all(&scratch).map_err(StoreError::at("create", &scratch))?;
        let credentials = credentials(image)?;
        let remote = Remote { fetcher: &desk.fetcher, credentials: &credentials, progress: &desk.shown };
        return Ok(Ok(open_target(image, Some(arch), &scratch, &limits, remote)?));
    };
    match opened(path, arch, scratch, "image", &limits) {
        Err(error) if matches!(error.fault, OpenFault::Scratch { .. } | OpenFault::Read(_) | OpenFault::Special) => {
            Err(error.into())
        }
        Err(error) if !is_damage(&error.fault) && is_foreign(path) => Err(Failure::new(refusal::NOT_AN_IMAGE, error)),
        other => Ok(other),
    }
}

/// Whether what cannot be read is an image at all, and not what it once was.
fn is_damage(fault: &OpenFault) -> bool {
    use OpenFault::{Compressed, DiffId, Digest, LayerCount, Missing, Size};
    matches!(fault, Compressed(_) | Missing { .. } | Size { .. } | Digest { .. } | DiffId { .. } | LayerCount { .. })
}

/// Whether a file is nothing that compose writes, even if one bit of it were another: neither compressed as a whole nor
/// in blocks as a tar is.
fn is_foreign(path: &Path) -> bool {
    let Ok(info) = fs::metadata(path) else { return true };
    let near = |magic: &[u8], head: &[u8]| {
        let pairs = magic.iter().zip(head);
        magic.len() <= head.len() && pairs.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() <= 1
    };
    let head = head(path).unwrap_or_default();
    let is_packed = near(&GZIP, &head) || near(&ZSTD, &head);
    info.is_file() && !is_packed && !(info.len() >= 1024 && info.len() % 512 == 0)
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(head)
}

/// The outputs that the file at `path` may be; all of them if it cannot be read as an image.
fn forms(path: &Path, image: Option<&Opened>, scratch: &Path) -> std::io::Result<Vec<Output>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(Vec::new());
    }
    let place = |name: &str| scratch.join(format!("again.{name}"));
    let packed = |head: &[u8]| match head {
        head if head.starts_with(&GZIP) => Output::TarGz(place("tar.gz")),
        head if head.starts_with(&ZSTD) => Output::TarZst(place("tar.zst")),
        _ => Output::Tar(place("tar")),
    };
    Ok(match image.map(|image| image.form) {
        Some(Form::Oci) => vec![Output::OciTar(place("oci.tar"))],
        Some(Form::Tar) => vec![packed(&head(path)?)],
        Some(Form::DockerArchive | Form::Directory) => Vec::new(),
        None => vec![
            Output::OciTar(place("oci.tar")),
            Output::Tar(place("tar")),
            Output::TarGz(place("tar.gz")),
            Output::TarZst(place("tar.zst")),
        ],
    })
}

/// The places in which the image is not what was written just now in its form.
fn byte_by_byte(path: &Path, outputs: &[Output], is_whole: bool) -> std::io::Result<Places> {
    let is_dir = fs::metadata(path)?.is_dir();
    for output in outputs {
        let places = match output {
            Output::OciDir(layout) if is_dir && path.join("index.json").is_file() => {
                places::of_layout(layout, path, is_whole)?
            }
            Output::OciTar(ours) | Output::Tar(ours) if !is_dir => places::of_file(ours, path, true)?,
            Output::TarGz(ours) | Output::TarZst(ours) if !is_dir => places::of_file(ours, path, false)?,
            _ => continue,
        };
        if places.compared {
            return Ok(places);
        }
    }
    Ok(Places::default())
}

/// An image that cannot be read is none that was built from the lock.
fn unreadable(name: &ImageRef, error: &OpenError) -> ImageVerdict {
    let path = name.to_string();
    ImageVerdict { path, read: None, wrong: vec![error.fault.to_string()], places: Vec::new(), paths: Vec::new() }
}

/// Own files that are not what the lock has, in words; `None` if it has none and there are some.
fn own_changes(promised: &[LockedFile], own: &[OwnFile]) -> Option<Vec<String>> {
    if promised.is_empty() && !own.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    for LockedFile { path, is } in promised {
        let Some(OwnFile { locked, from }) = own.iter().find(|own| own.locked.path == *path) else {
            out.push(format!("{path}: is missing"));
            continue;
        };
        let how = match (is, &locked.is) {
            (is, now) if is == now => continue,
            (FileIs::File { sha256: a, .. }, FileIs::File { sha256: b, .. }) if a != b => format!("{b} instead of {a}"),
            (FileIs::File { mode: a, .. }, FileIs::File { mode: b, .. }) => format!("mode {b:04o} instead of {a:04o}"),
            (FileIs::Link(a), FileIs::Link(b)) => format!("a link to {b} instead of {a}"),
            (FileIs::File { .. }, FileIs::Link(_)) => "a link instead of a file".into(),
            (FileIs::Link(_), FileIs::File { .. }) => "a file instead of a link".into(),
        };
        out.push(format!("{path}, from {}: {how}", from.display()));
    }
    let new = own.iter().filter(|own| !promised.iter().any(|before| before.path == own.locked.path));
    out.extend(new.map(|own| format!("{}, from {}: is new", own.locked.path, own.from.display())));
    Some(out)
}

/// Compares an image with the lock, and with what was rebuilt: its tree, and its layout, which has the configuration.
fn judged(
    name: &ImageRef,
    mut image: Opened,
    promised: &Built,
    (rebuilt, layout): (&Tree, &Opened),
) -> io::Result<ImageVerdict> {
    // An archive does not hold the root itself.
    let root = RootPath::root();
    if let (false, Some(node), Some(known)) = (image.root_described, image.tree.get_mut(&root), rebuilt.get(&root)) {
        node.meta = known.meta.clone();
    }
    let digest = tree_digest(&image.tree)?;
    let mut wrong = Vec::new();
    if digest != promised.tree {
        wrong.push("tree digest".to_owned());
    }
    if matches!(image.form, Form::Oci | Form::DockerArchive) {
        if image.diff_ids != promised.diff_ids {
            wrong.push("diffIDs".into());
        }
        let is_known = promised.format == FORMAT && !promised.layers.is_empty();
        if image.form == Form::Oci && is_known && image.layers != promised.layers {
            wrong.push("layer digests".into());
        }
        if let (Some(ours), Some(theirs)) = (&layout.config, &image.config) {
            wrong.extend(settings(ours, theirs));
        }
    }
    // What is wanted comes first.
    let paths = match digest == promised.tree {
        true => compare(&image.tree, rebuilt)?,
        false => compare(rebuilt, &image.tree)?,
    };
    let paths = paths.iter().map(ToString::to_string).collect();
    let read = Some((image.form, digest));
    Ok(ImageVerdict { path: name.to_string(), read, wrong, places: Vec::new(), paths })
}

/// What of two OCI configurations is not the same, of what decides how a container runs.
fn settings(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for key in ["architecture", "os", "variant"] {
        if ours.get(key) != theirs.get(key) {
            out.push(format!("config {key}"));
        }
    }
    let empty = serde_json::Map::new();
    let table = |value: &'_ Value| value.get("config").and_then(Value::as_object).cloned().unwrap_or(empty.clone());
    let (ours, theirs) = (table(ours), table(theirs));
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    // Writers fill in what is empty in their own ways.
    let said = |value: Option<&Value>| {
        value.filter(|v| !matches!(v, Value::Null) && **v != json!({}) && **v != json!([]) && **v != json!("")).cloned()
    };
    out.extend(
        keys.into_iter()
            .filter(|key| said(ours.get(*key)) != said(theirs.get(*key)))
            .map(|key| format!("config {key}")),
    );
    out
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Directory => "directory",
        Form::Tar => "tar",
        Form::Oci => "oci",
        Form::DockerArchive => "docker-archive",
    }
}

fn human(verdict: &Verdict, show: usize) -> String {
    let Verdict { arch, promised, rebuilt, wrong, own, damaged, image } = verdict;
    let mut out = String::new();
    if wrong.is_empty() {
        say!(out, "{arch}: rebuilt, and it is what the lock says: tree {}", rebuilt.tree);
        if promised.format != FORMAT {
            say!(
                out,
                "  layers were not compared: the lock has them in format {}, this compose writes {FORMAT}",
                promised.format
            );
        }
    } else {
        say!(out, "{arch}: the rebuild differs from the lock: {}", wrong.join(", "));
        say!(out, "  tree {} instead of {}", rebuilt.tree, promised.tree);
        match own.as_deref() {
            Some([]) => say!(out, "  the files of [[files]] are those of the lock, and so are packages and wheels"),
            Some(list) => {
                say!(out, "  own files that are not those of the lock:");
                listed(&mut out, list, show, "files");
            }
            None => say!(out, "  the lock is too old to say which of the files of [[files]] have changed"),
        }
        if image.is_none() {
            say!(out, "  name the image that was built from it, and the paths that differ are listed");
        }
    }
    if !damaged.is_empty() {
        say!(out, "  damaged, and not used:");
        damaged.iter().for_each(|damaged| say!(out, "    {}", damaged.human()));
    }
    if let Some(image) = image {
        if image.wrong.is_empty() {
            say!(out, "  {}: it is what the lock says", image.path);
        } else {
            say!(out, "  {} differs from the lock: {}", image.path, image.wrong.join(", "));
            if let Some((_, tree)) = image.read.filter(|(_, tree)| *tree != promised.tree) {
                say!(out, "  tree {tree} instead of {}", promised.tree);
            }
        }
        if !image.places.is_empty() {
            say!(out, "  not as compose writes it:");
            listed(&mut out, &image.places, show, "places");
        }
        if !image.paths.is_empty() {
            let is_good = image.read.is_some_and(|(_, tree)| tree == promised.tree);
            say!(out, "  {}:", if is_good { "the rebuild, against it" } else { "it, against the rebuild" });
            listed(&mut out, &image.paths, show, "paths");
        }
    }
    out
}

fn listed(out: &mut String, lines: &[String], show: usize, what: &str) {
    lines.iter().take(show).for_each(|line| say!(out, "    {line}"));
    if let Some(more) = lines.len().checked_sub(show).filter(|more| *more > 0) {
        say!(out, "    … and {more} more {what}");
    }
}

fn machine(verdict: &Verdict) -> Value {
    let built = |built: &Built| {
        let texts = |list: &[Sha256]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "tree": built.tree.to_string(), "diff-ids": texts(&built.diff_ids), "layers": texts(&built.layers),
            "format": built.format,
        })
    };
    let image = verdict.image.as_ref().map(|image| {
        json!({
            "path": image.path, "form": image.read.map(|read| form(read.0)),
            "tree": image.read.map(|read| read.1.to_string()), "differs": image.wrong, "places": image.places,
            "paths": image.paths,
        })
    });
    json!({
        "arch": verdict.arch.as_str(), "verified": verdict.is_good(), "lock": built(&verdict.promised),
        "rebuilt": built(&verdict.rebuilt), "differs": verdict.wrong, "files": verdict.own,
        "damaged": verdict.damaged.iter().map(Damaged::machine).collect::<Vec<_>>(), "image": image,
    })
}
