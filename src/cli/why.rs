//! `compose why MANIFEST WHAT` and `compose graph MANIFEST`: what is in the image and why.
//!
//! In: arguments. Out: the chain of reasons, or a drawing, of what the lock holds. Relations come from the indexes;
//! where these have moved on or cannot be had, from the locked packages themselves.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    args::{Drawing, Format, GraphArgs, WhyArgs},
    build::{OnDisk, read_lock, solve},
    desk::Desk,
    exit::{self, Failure},
    print, report,
};
use crate::{
    base::{
        Arch, Progress as _, RootPath, aside, refusal,
        words::{self, say},
    },
    build::{
        Answer, Ask, Assembled, Explainer, Page, PulledIn, Wishes, assemble, controls, dot, load, mermaid,
        open_choices, page,
    },
    lock::{Lock, Target},
    python::{ProjectName, Required, Requirers},
    solve,
    tree::Origin,
    universe::{IndexText, Universe},
};

/// How many projects that require another are named in a text; JSON has all.
const MOST_REQUIRERS: usize = 20;

/// Answers why something is in.
pub fn why(args: &WhyArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    let lock = lock(&desk)?;
    if args.what.trim_matches('/').is_empty() {
        let text = "name a package, a wheel, a path such as /usr/bin/python3, or a file's name such as libz.so.1";
        return Err(Failure::words(refusal::BAD_OPTION, text));
    }
    let mut answers = Vec::new();
    for &arch in &desk.archs {
        answers.push(told(&desk, &lock, arch, &args.what));
    }
    // What is unknown for one architecture may well be in another's image.
    let is_known = answers.iter().any(Result::is_ok);
    let told = |answer: Result<Told, Failure>| match answer {
        Err(failure) if is_known && failure.refusal == refusal::UNKNOWN_NAME => {
            Ok(Told::Out { why: vec![failure.message] })
        }
        other => other,
    };
    let answers: Vec<Told> = answers.into_iter().map(told).collect::<Result<_, _>>()?;
    desk.shown.clear();
    let mut out = String::new();
    let pairs = desk.archs.iter().zip(&answers);
    if args.format == Format::Json {
        let all: Vec<_> = pairs.map(|(arch, told)| told.json(*arch)).collect();
        let unit = desk.manifest.packages.minimize.unit();
        say!(out, "{:#}", json!({ "what": args.what, "unit": unit, "answers": all }));
    } else {
        pairs.for_each(|(arch, told)| told.say(&mut out, *arch, &args.what));
    }
    print(&out)
}

fn told(desk: &Desk, lock: &Lock, arch: Arch, what: &str) -> Result<Told, Failure> {
    let found = match what.starts_with('/') {
        true => Found::Path(place(desk, lock, arch, what)?),
        false => Found::Name(what.to_owned()),
    };
    explained(desk, lock, arch, true, |explainer, _| answer(desk, lock, arch, explainer, found))
}

/// Draws the closure.
pub fn graph(args: &GraphArgs) -> Result<(), Failure> {
    let desk = Desk::open(&args.resolve)?;
    let [arch] = desk.archs[..] else {
        let text = "a drawing has one architecture, and the manifest has several; choose one with --arch";
        return Err(Failure::words(refusal::SEVERAL_ARCHS, text));
    };
    let lock = lock(&desk)?;
    if let Some(file) = &args.html {
        return html(&desk, &lock, arch, file);
    }
    let drawing = explained(&desk, &lock, arch, false, |explainer, _| {
        Ok(match args.format {
            Drawing::Dot => dot(&desk.manifest.name, explainer),
            Drawing::Mermaid => mermaid(explainer),
        })
    })?;
    desk.shown.clear();
    print(&drawing)
}

/// Writes the page.
fn html(desk: &Desk, lock: &Lock, arch: Arch, file: &Path) -> Result<(), Failure> {
    desk.spare(file, file)?;
    let tree = &built(desk, lock, arch)?.tree;
    let (name, target) = (&desk.manifest.name, &lock.targets[&arch]);
    let text = explained(desk, lock, arch, true, |explainer, knows_others| {
        Ok(page(Page { name, arch, lock, target, tree, explainer, knows_others }))
    })?;
    desk.shown.clear();
    aside::write(file, text.as_bytes(), 0o644).map_err(|error| {
        let refusal = refusal::of_output(&error);
        let (file, next) = (file.display(), "name a file in a folder that is there and that you may write to");
        Failure::words(refusal, format!("cannot write the page {file}: {error}\n  next step: {next}"))
    })?;
    print(&format!("{}  {}\n", file.display(), report::mb(text.len() as u64)))
}

/// The lock on disk if it is good, else what a build would write; nothing is written here.
pub fn lock(desk: &Desk) -> Result<Lock, Failure> {
    match read_lock(desk)? {
        OnDisk::Good(lock) => Ok(lock),
        OnDisk::Bad(before, why) => {
            desk.shown.notice(&format!("Resolving anew: {}", why.message));
            Ok(solve(desk, before.as_ref(), Ask::default())?.lock)
        }
    }
}

/// Does `work` with an explainer of one target, which knows the prices of choices if they are wanted and to be had; and
/// with whether it knows what else would have met a dependency.
fn explained<T>(
    desk: &Desk,
    lock: &Lock,
    arch: Arch,
    prices: bool,
    work: impl FnOnce(&Explainer<'_>, bool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let target = &lock.targets[&arch];
    let wishes = Wishes::locked(&desk.manifest, target)?;
    // The indexes know what else would have done, and what it costs.
    match load(&desk.suites, arch, &desk.loader()).map_err(Failure::from) {
        Err(failure) if failure.refusal.exit == exit::NETWORK => {}
        Err(failure) => return Err(failure),
        Ok((universe, _)) => {
            let problem = wishes.problem(&universe);
            // Prices hold for today's solution: for a lock that is another they are not asked for.
            let choices = match prices.then(|| solve::solve(&problem)) {
                Some(Ok(solution)) if is_locked(&universe, &solution, target) => open_choices(&problem, &solution)?,
                _ => Vec::new(),
            };
            if let Some(explainer) = Explainer::new(&wishes, &universe, target, choices)? {
                return work(&explainer, true);
            }
        }
    }
    desk.shown.notice("The indexes are not at hand, or not those of the lock: reading the locked packages themselves");
    let bases = desk.bases(lock);
    let text = controls(&desk.manifest, target, desk.download(&bases))?;
    let universe = Universe::parse(vec![IndexText::whole(0, text)], arch)?;
    match Explainer::new(&wishes, &universe, target, Vec::new())? {
        Some(explainer) => work(&explainer, false),
        None => {
            let text = "the locked packages are not what the lock says of them\n  next step: run with --update to make it anew";
            Err(Failure::words(refusal::LOCK_CONTRADICTED, text))
        }
    }
}

/// Whether a solution holds what a target locks.
fn is_locked(universe: &Universe, solution: &solve::Solution, target: &Target) -> bool {
    let chosen = solution.packages.iter().map(|chosen| universe.package(chosen.id));
    chosen.map(|p| (p.name(), p.version())).eq(target.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())))
}

/// What the question means.
enum Found {
    Name(String),
    Path(Place),
}

/// A path of the image, who pulled it, and the image.
struct Place {
    path: String,
    origin: Origin,
    image: Box<Assembled>,
}

/// What is answered.
enum Told {
    In {
        place: Option<String>,
        answer: Answer,
    },
    /// Not from a package.
    Made {
        place: String,
        by: String,
    },
    /// A wheel, or a path of a wheel or tarball.
    From {
        place: Option<String>,
        what: String,
        named: String,
        /// Its file and that's size, of a wheel.
        file: Option<(String, u64)>,
        /// Who requires it, of a wheel, and the way to it from one that nobody requires.
        required: Vec<Required>,
        way: Vec<String>,
        pulled: PulledIn,
    },
    /// Not in the image.
    Out {
        why: Vec<String>,
    },
}

fn built(desk: &Desk, lock: &Lock, arch: Arch) -> Result<Box<Assembled>, Failure> {
    let bases = desk.bases(lock);
    Ok(Box::new(assemble(desk.plan(lock, arch, lock.epoch), &[], desk.download(&bases))?))
}

fn place(desk: &Desk, lock: &Lock, arch: Arch, what: &str) -> Result<Place, Failure> {
    let bad = |why: String| Failure::words(refusal::UNKNOWN_NAME, format!("“{what}”: {why}"));
    let path = RootPath::parse(what.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let image = built(desk, lock, arch)?;
    let tree = &image.tree;
    let found = tree.get(&path).map(|node| (path.clone(), node)).or_else(|| {
        let path = tree.resolve(&path)?;
        tree.get(&path).map(|node| (path, node))
    });
    match found {
        Some((path, node)) => {
            let (path, origin) = (format!("/{}", String::from_utf8_lossy(path.as_bytes())), node.origin.clone());
            Ok(Place { path, origin, image })
        }
        None => {
            Err(bad("the image has no such path; what rootfs.omit and rootfs.remove leave out is not in it".into()))
        }
    }
}

fn answer(desk: &Desk, lock: &Lock, arch: Arch, explainer: &Explainer<'_>, found: Found) -> Result<Told, Failure> {
    let target = &lock.targets[&arch];
    let (name, place) = match found {
        Found::Name(name) => (name, None),
        Found::Path(Place { path, origin, image }) => match origin {
            Origin::Package(name) => (name.to_string(), Some(path)),
            Origin::Tarball(_) => {
                let (what, named, pulled) = (origin.to_string(), "[[tarballs]]".into(), explainer.pulled_in(&origin));
                let (required, way) = Default::default();
                return Ok(Told::From { place: Some(path), what, named, file: None, required, way, pulled });
            }
            Origin::Wheel(name) => return from_wheel(desk, target, explainer, &name, Some(path), &image),
            Origin::Manifest => return Ok(Told::Made { place: path, by: "the manifest's own [[files]]".into() }),
            Origin::Finish(step) => {
                return Ok(Told::Made {
                    place: path,
                    by: format!("compose itself, in place of maintainer scripts ({step})"),
                });
            }
        },
    };
    if let Some(answer) = explainer.why(&name) {
        return Ok(Told::In { place, answer });
    }
    let cut = target.cut.iter().filter(|cut| cut.dependency == name);
    let why: Vec<_> =
        cut.map(|cut| format!("{} depends on it, and the dependency is cut: {}", cut.package, cut.reason)).collect();
    if !why.is_empty() {
        return Ok(Told::Out { why });
    }
    if desk.manifest.packages.forbid.iter().any(|forbidden| forbidden.as_str() == name) {
        return Ok(Told::Out { why: vec!["packages.forbid names it".into()] });
    }
    let project = name.parse::<ProjectName>().map(|project| project.to_string()).unwrap_or_default();
    if target.wheels.iter().any(|wheel| wheel.name == project) {
        let image = built(desk, lock, arch)?;
        return from_wheel(desk, target, explainer, &project, None, &image);
    }
    // A file's name, such as a library's.
    let image = built(desk, lock, arch)?;
    let named: Vec<_> = image.tree.iter().filter(|(path, _)| path.file_name() == name.as_bytes()).collect();
    let [(path, node), ..] = named[..] else {
        let known = explainer.is_known(&name);
        if known {
            let mut why = explainer.would_meet(&name);
            if why.is_empty() {
                why.push("nothing in the image depends on it".into());
            }
            return Ok(Told::Out { why });
        }
        let near = explainer.suggest(&name);
        let hint = if near.is_empty() { String::new() } else { format!("\n  did you mean {}?", near.join(", ")) };
        let text = format!("“{name}” is neither a package of the indexes nor a wheel or a file of the image{hint}");
        return Err(Failure::words(refusal::UNKNOWN_NAME, text));
    };
    let (path, origin) = (format!("/{}", String::from_utf8_lossy(path.as_bytes())), node.origin.clone());
    answer(desk, lock, arch, explainer, Found::Path(Place { path, origin, image }))
}

/// A wheel, who named it, and who requires it.
fn from_wheel(
    desk: &Desk,
    target: &Target,
    explainer: &Explainer<'_>,
    name: &str,
    place: Option<String>,
    image: &Assembled,
) -> Result<Told, Failure> {
    let origin = Origin::Wheel(name.into());
    let wheel = target.wheels.iter().find(|wheel| wheel.name == name);
    let local = wheel.and_then(|wheel| desk.inputs.local(&wheel.sha256));
    let python = desk.manifest.python.as_ref();
    let lock = || python.and_then(|python| python.lock.as_deref()).map(|path| path.display().to_string());
    let named = local.map(|wheel| format!("python.wheels ({})", wheel.path.display())).or_else(lock);
    let requirers = image.site.as_ref().map(|site| Requirers::read(&image.tree, site)).transpose();
    let requirers = requirers.map_err(|error| Failure::new(refusal::IMAGE_FILE_UNREADABLE, error))?.unwrap_or_default();
    let project = name.parse::<ProjectName>().ok();
    Ok(Told::From {
        place,
        what: wheel.map_or_else(|| origin.to_string(), |wheel| format!("{origin} {}", wheel.version)),
        named: named.unwrap_or_else(|| "[python]".into()),
        file: wheel.map(|wheel| (wheel.filename.clone(), wheel.size)),
        required: project.iter().flat_map(|project| requirers.of(project)).cloned().collect(),
        way: project.iter().flat_map(|project| requirers.way(project)).collect(),
        pulled: explainer.pulled_in(&origin),
    })
}

impl Told {
    fn say(&self, out: &mut String, arch: Arch, what: &str) {
        match self {
            Self::Made { place, by } => say!(out, "{place} in the image for {arch} is made by {by}"),
            Self::From { place, what, named, file, required, way, pulled } => {
                if let Some(place) = place {
                    say!(out, "{place} is from {what}");
                }
                say!(out, "{what} is in the image for {arch}: {named} names it");
                let more = required.len().saturating_sub(MOST_REQUIRERS);
                let all: Vec<String> = required.iter().take(MOST_REQUIRERS).map(by).collect();
                match (&all[..], more) {
                    ([], _) if file.is_some() => say!(out, "no other project in the image requires it"),
                    ([], _) => {}
                    (all, 0) => say!(out, "required by: {}", all.join(", ")),
                    (all, more) => say!(out, "required by: {} and {more} more", all.join(", ")),
                }
                if way.len() > 2 {
                    say!(out, "on the way: {}", way.join(" → "));
                }
                if pulled.needs.is_empty() {
                    return;
                }
                let met = |(need, packages): &(String, Vec<String>)| format!("{need} ({})", packages.join(", "));
                say!(out, "it needs: {}", pulled.needs.iter().map(met).collect::<Vec<_>>().join(", "));
                match pulled.leaves.iter().map(|(_, size)| size).sum::<u64>() {
                    _ if pulled.leaves.is_empty() => say!(out, "without it no package would leave"),
                    sum => say!(out, "without it {sum} KiB of packages would leave: {}", sizes(&pulled.leaves)),
                }
            }
            Self::Out { why } => {
                say!(out, "{what} is not in the image for {arch}:");
                why.iter().for_each(|why| say!(out, "  {}", why.trim_start_matches("error: ")));
            }
            Self::In { place, answer } => {
                if let Some(place) = place {
                    say!(out, "{place} is from {}", answer.package);
                }
                say!(out, "{} ({} KiB) is in the image for {arch}:", answer.package, answer.size);
                for (number, reason) in (1..).zip(&answer.chain) {
                    say!(out, "  {number}. {}", reason.text);
                }
                if answer.requests.len() > 1 {
                    say!(out, "requests that need it: {}", answer.requests.join(", "));
                }
                if !answer.needed_by.is_empty() {
                    say!(out, "needed directly by: {}", answer.needed_by.join(", "));
                }
                match answer.leaves.as_slice() {
                    [] => say!(out, "without it {} KiB would leave: itself alone", answer.size),
                    others => {
                        let sum = answer.leaving_size();
                        say!(out, "without it {sum} KiB would leave: itself and {}", sizes(others))
                    }
                }
            }
        }
    }

    fn json(&self, arch: Arch) -> Value {
        let arch = arch.as_str();
        match self {
            Self::Made { place, by } => json!({ "arch": arch, "in": true, "path": place, "made-by": by }),
            Self::From { place, what, named, file, required, way, pulled } => {
                let required: Vec<_> = required.iter().map(required_json).collect();
                let met = |(need, packages): &(String, Vec<String>)| json!({ "what": need, "packages": packages });
                let needs: Vec<_> = pulled.needs.iter().map(met).collect();
                json!({
                    "arch": arch, "in": true, "path": place, "from": what, "named-by": named,
                    "file": file.as_ref().map(|(name, _)| name), "bytes": file.as_ref().map(|(_, bytes)| bytes),
                    "required-by": required, "way": way,
                    "needs": needs, "leaves-with-it": leaves_json(&pulled.leaves),
                })
            }
            Self::Out { why } => json!({ "arch": arch, "in": false, "why": why }),
            Self::In { place, answer } => {
                let chain: Vec<_> = answer
                    .chain
                    .iter()
                    .map(|reason| json!({ "text": reason.text, "line": reason.line.as_ref().map(|line| line.number), "chosen": reason.chosen }))
                    .collect();
                json!({
                    "arch": arch, "in": true, "path": place, "package": answer.package,
                    "installed-size": answer.size, "chain": chain, "requests": answer.requests,
                    "needed-by": answer.needed_by, "leaves-with-it": leaves_json(&answer.leaves),
                    "leaving-size": answer.leaving_size(),
                })
            }
        }
    }
}

/// “flask 3.1.2 (Jinja2>=3.1.2)”, “uvicorn[standard] 0.35.0 (httptools>=0.6.3)”.
fn by(required: &Required) -> String {
    let Required { by, version, requirement, extra } = required;
    let extra = extra.as_ref().map(|extra| format!("[{extra}]")).unwrap_or_default();
    format!("{by}{extra} {} ({})", words::quote(version, 40), words::quote(requirement, 80))
}

fn required_json(required: &Required) -> Value {
    let Required { by, version, requirement, extra } = required;
    json!({ "project": by.as_str(), "version": version, "requirement": requirement, "extra": extra.as_ref().map(ProjectName::as_str) })
}

/// “libgl1 1.7.0-1 (653 KiB), libglx0 1.7.0-1 (163 KiB)”.
fn sizes(packages: &[(String, u64)]) -> String {
    let list: Vec<_> = packages.iter().map(|(name, size)| format!("{name} ({size} KiB)")).collect();
    list.join(", ")
}

fn leaves_json(packages: &[(String, u64)]) -> Vec<Value> {
    packages.iter().map(|(name, size)| json!({ "package": name, "installed-size": size })).collect()
}
