//! `compose verify MANIFEST [IMAGE]`: whether a rebuild gives what the lock says, and whether an image is that.
//!
//! In: arguments. Out: a report; exit code 7 if anything differs. Nothing is written: the rebuild lies in a temporary
//! folder, and takes nothing from the cache unless it is told to.

use std::{collections::BTreeSet, fmt::Write as _, io, path::Path};

use serde_json::{Value, json};

use super::{
    args::{Format, VerifyArgs},
    build::{checked, epoch, read_lock},
    desk::Desk,
    exit::{self, Failure},
    print, report,
    report::say,
};
use crate::{
    base::{Arch, RootPath, Sha256},
    build::assemble,
    deb::Limits,
    image::{
        FORMAT, ImageSpec, Output, codecs,
        open::{Form, Opened, open},
        tree_digest, write_all,
    },
    lock::{Built, Lock},
    store::Store,
    tree::{Tree, compare},
};

/// What is found of one architecture.
struct Verdict {
    arch: Arch,
    /// What the lock promises.
    promised: Built,
    /// What the rebuild gave.
    rebuilt: Built,
    /// What differs between lock and rebuild.
    wrong: Vec<&'static str>,
    image: Option<ImageVerdict>,
}

/// What is found of the image.
struct ImageVerdict {
    path: String,
    form: Form,
    tree: Sha256,
    /// What differs between image and lock.
    wrong: Vec<String>,
    /// Paths that differ between rebuild and image, in words.
    paths: Vec<String>,
}

impl Verdict {
    fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.image.as_ref().is_none_or(|image| image.wrong.is_empty())
    }
}

/// Runs the command.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let mut desk = Desk::open(&args.resolve)?;
    let lock = match read_lock(&desk)? {
        (Some(lock), None) => lock,
        (_, why) => {
            let why = why.unwrap_or_default();
            let text = format!("{why}, so there is nothing to verify\n  next step: build once, and commit the lock");
            return Err(Failure::words(exit::USAGE, text));
        }
    };
    if args.image.is_some() && desk.archs.len() > 1 {
        let text = "an image is of one architecture, and the manifest has several; choose one with --arch";
        return Err(Failure::words(exit::USAGE, text));
    }
    // In use until the end: a store that nobody uses is swept, and the scratch folder lies in it.
    let own = desk.store.clone();
    let scratch = own.temp_dir()?;
    if !args.with_store {
        desk.store = Store::open(&scratch.path().join("store"))?;
    }
    let mut verdicts = Vec::new();
    for &arch in &desk.archs {
        verdicts.push(one(args, &desk, &lock, arch, scratch.path())?);
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
    if good { Ok(()) } else { Err(Failure::words(exit::DIFFERS, "not what the lock says")) }
}

fn one(args: &VerifyArgs, desk: &Desk, lock: &Lock, arch: Arch, scratch: &Path) -> Result<Verdict, Failure> {
    // First, so that what is no image is told before the work.
    let image = args.image.as_deref().map(|path| Ok::<_, Failure>((path, opened(path, arch, scratch, "image")?)));
    let image = image.transpose()?;
    let Some(promised) = lock.targets[&arch].built.clone() else {
        let path = desk.lock_path.display();
        let text = format!(
            "{path} has no digests for {arch}: it was never built from\n  next step: build once, and commit the lock"
        );
        return Err(Failure::words(exit::USAGE, text));
    };
    let epoch = epoch(lock)?;
    let bases = desk.bases(lock);
    let folder = scratch.join(format!("rebuilt-{arch}"));
    let outputs = [Output::OciDir(folder.clone())];
    let codecs = codecs(&outputs, desk.manifest.image.compression);
    let assembled = checked(assemble(desk.plan(lock, arch, epoch), &codecs, desk.download(&bases))?, desk)?;
    let user = report::run_as(&desk.manifest, &assembled.tree)?;
    let spec = ImageSpec { name: &desk.manifest.name, arch, epoch, user, image: &desk.manifest.image };
    let written = write_all(&assembled.tree, &spec, &outputs, false, &desk.store, &desk.shown)?;
    let layers = written.layers.iter().map(|layer| layer.digest).collect();
    let rebuilt = Built { tree: written.tree, diff_ids: written.diff_ids, layers, format: FORMAT };
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
        Some((path, image)) => {
            let layout = opened(&folder, arch, scratch, "layout")?;
            let judged = judged(path, image, &promised, (&assembled.tree, &layout));
            Some(judged.map_err(|error| Failure::words(exit::USAGE, format!("{}: {error}", path.display())))?)
        }
        None => None,
    };
    Ok(Verdict { arch, promised, rebuilt, wrong, image })
}

/// Reads an image into a folder of its own below `scratch`.
fn opened(path: &Path, arch: Arch, scratch: &Path, name: &str) -> Result<Opened, Failure> {
    let scratch = scratch.join(name);
    std::fs::create_dir_all(&scratch).map_err(|error| Failure::new(exit::OUTPUT, error))?;
    open(path, Some(arch), &scratch, &Limits::default()).map_err(|error| Failure::new(exit::USAGE, error))
}

/// Compares an image with the lock, and with what was rebuilt: its tree, and its layout, which has the configuration.
fn judged(
    path: &Path,
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
    Ok(ImageVerdict { path: path.display().to_string(), form: image.form, tree: digest, wrong, paths })
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
    let Verdict { arch, promised, rebuilt, wrong, image } = verdict;
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
        if image.is_none() {
            say!(out, "  name the image that was built from it, and the paths that differ are listed");
        }
    }
    if let Some(image) = image {
        if image.wrong.is_empty() {
            say!(out, "  {}: it is what the lock says", image.path);
        } else {
            say!(out, "  {} differs from the lock: {}", image.path, image.wrong.join(", "));
            say!(out, "  tree {} instead of {}", image.tree, promised.tree);
        }
        if !image.paths.is_empty() {
            let whose = if image.tree == promised.tree { "the rebuild, against it" } else { "it, against the rebuild" };
            say!(out, "  {whose}:");
        }
        image.paths.iter().take(show).for_each(|path| say!(out, "    {path}"));
        if let Some(more) = image.paths.len().checked_sub(show).filter(|more| *more > 0) {
            say!(out, "    … and {more} more paths");
        }
    }
    out
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
            "path": image.path, "form": form(image.form), "tree": image.tree.to_string(), "differs": image.wrong,
            "paths": image.paths,
        })
    });
    json!({
        "arch": verdict.arch.as_str(), "verified": verdict.is_good(), "lock": built(&verdict.promised),
        "rebuilt": built(&verdict.rebuilt), "differs": verdict.wrong, "image": image,
    })
}
