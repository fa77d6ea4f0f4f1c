//! `[python] bytecode = true`: modules compiled ahead of time, by the image's own interpreter.
//!
//! In: the finished tree and its interpreter. Out: unchecked hash-based pycs (PEP 552) beside the modules, in their
//! `__pycache__` (PEP 3147): a start reads them without looking at the sources.
//!
//! ```text
//! modules: what is compiled, by who brought it ─► entry: kept in the store? ─► nodes
//!                                        │ no
//!          launch: the interpreter in namespaces ─► worker: asked module by module
//! ```
//!
//! The bytes are a function of the interpreter and the sources: one process compiles what another would, in whatever
//! order, since the hash seed is fixed and nothing of one module stays for the next. So nothing is started when every
//! group is in the store.

mod entry;
mod error;
mod launch;
mod modules;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    cmp::Reverse,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

pub use error::BytecodeError;

use self::{
    entry::Entry,
    launch::{Launch, Machines, NoLaunch},
    modules::{Groups, Module},
    worker::Worker,
};
use crate::{
    base::{Arch, Progress, RootPath, Sha256, Silent},
    image,
    store::{Shelf, Store},
    tree::{Content, Kind, Meta, Node, NotADirectory, Origin, Tree},
};

/// Part of each key: goes up whenever the same interpreter and sources would give other bytes.
const FORMAT: u32 = 1;

/// What the nodes are of.
const ORIGIN: Origin = Origin::Finish("bytecode");

/// The interpreter of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Where it is in the image, such as `usr/bin/python3.13`; a link to it will do.
    pub path: RootPath,
    /// Its version: `(3, 13)`.
    pub minor: (u32, u32),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many modules have bytecode now that had none.
    pub modules: usize,
    /// The bytes that it takes.
    pub bytes: u64,
    /// How many modules were compiled in this run; the others' bytecode was in the store.
    pub compiled: usize,
    /// Modules that this interpreter does not understand, by path: templates, tests with code of Python 2.
    pub passed_over: Vec<RootPath>,
    /// What this machine's interpreter says of its version, if it was taken in place of the image's. Another patch
    /// release of the same minor version may compile to other bytes.
    pub machines: Option<String>,
}

/// Whether the store's entry at `path` is sound under this key.
pub fn is_sound(path: &Path, key: &Sha256) -> bool {
    entry::load(path, key).is_some()
}

/// Adds `__pycache__/NAME.cpython-313.pyc` beside every module of the tree that has none: those that the interpreter
/// imports, and the manifest's own wherever they are. To be called when all dates of the tree are as they will be.
///
/// # Errors
/// [`BytecodeError`]; the tree is as it was then, unless something is in the way of a `__pycache__`.
pub fn compile(
    tree: &mut Tree,
    interpreter: &Interpreter,
    arch: Arch,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Report, BytecodeError> {
    compile_by(tree, interpreter, store, progress, launch::may_run(arch), arch)
}

fn compile_by(
    tree: &mut Tree,
    interpreter: &Interpreter,
    store: &Store,
    progress: &dyn Progress,
    may_run: bool,
    arch: Arch,
) -> Result<Report, BytecodeError> {
    if tree.content(&interpreter.path).is_none() {
        return Err(BytecodeError::NoInterpreter(interpreter.path.clone()));
    }
    let groups = modules::find(tree, interpreter);
    let program = Sha256::of(launch::PROGRAM.as_bytes());
    let identity = modules::identity(tree, interpreter)?;
    let own = [&b"own"[..], program.bytes(), identity.bytes()].concat();
    let plan = Plan::new(groups, store, |modules| modules::key(FORMAT, &own, interpreter, modules))?;
    if plan.is_complete() {
        return Ok(plan.place(tree, None)?);
    }
    if may_run {
        let root = store.temp_dir()?;
        image::lay_out(&modules::runtime(tree, interpreter)?, root.path(), &Silent)?;
        match Launch::own(interpreter, root.path()) {
            Ok((launch, first)) => return Ok(plan.fill(store, &launch, first, progress)?.place(tree, None)?),
            // The architecture's own machine runs it, or says what is wrong.
            Err(NoLaunch::NotExecutable(said)) if Arch::host() == Some(arch) => {
                return Err(BytecodeError::Start { what: format!("{} of the image", interpreter.path), said });
            }
            Err(NoLaunch::Other(error)) if Arch::host() == Some(arch) => return Err(error),
            Err(_) => {}
        }
    }
    let none = BytecodeError::NoneForArch { arch, minor: interpreter.minor };
    let found: Machines = launch::find_machines(interpreter).ok_or(none)?;
    // Not what the image's own would make, for all that is known, and so never taken for it.
    let by = [&b"machine"[..], program.bytes(), found.version.as_bytes()].concat();
    let plan = Plan::new(plan.groups, store, |modules| modules::key(FORMAT, &by, interpreter, modules))?;
    let plan = if plan.is_complete() {
        plan
    } else {
        let (launch, first) = Launch::machines(interpreter, &found)?;
        plan.fill(store, &launch, first, progress)?
    };
    Ok(plan.place(tree, Some(found.version))?)
}

/// The groups, and what there is of their bytecode.
struct Plan {
    groups: Groups,
    keys: Vec<Sha256>,
    entries: Vec<Option<Entry>>,
    compiled: usize,
}

impl Plan {
    fn new(
        groups: Groups,
        store: &Store,
        key: impl Fn(&[Module]) -> Result<Sha256, BytecodeError>,
    ) -> Result<Self, BytecodeError> {
        let keys: Vec<Sha256> = groups.values().map(|modules| key(modules)).collect::<Result<_, _>>()?;
        let entry = |(key, modules): (&Sha256, &Vec<Module>)| {
            let entry = entry::load(&store.get(Shelf::Bytecode, key)?, key).filter(|e| e.len() == modules.len());
            if entry.is_none() {
                store.found_damaged(Shelf::Bytecode, key, &"compiled Python modules");
            }
            entry
        };
        let entries = keys.iter().zip(groups.values()).map(entry).collect();
        Ok(Self { groups, keys, entries, compiled: 0 })
    }

    fn is_complete(&self) -> bool {
        self.entries.iter().all(Option::is_some)
    }

    /// Has compiled what is not there, and keeps each group as soon as it is whole.
    fn fill(
        mut self,
        store: &Store,
        launch: &Launch,
        first: Worker,
        progress: &dyn Progress,
    ) -> Result<Self, BytecodeError> {
        let groups: Vec<&Vec<Module>> = self.groups.values().collect();
        let mut wanted: Vec<Wanted<'_>> = groups
            .iter()
            .zip(&self.keys)
            .zip(&self.entries)
            .enumerate()
            .filter(|(_, (_, entry))| entry.is_none())
            .map(|(at, ((modules, key), _))| Wanted { at, key, modules, done: Mutex::new(Done::new(modules.len())) })
            .collect();
        wanted.sort_by_key(|group| (Reverse(bytes(group.modules)), group.at));
        let total = wanted.iter().map(|group| bytes(group.modules)).sum();
        progress.phase("Compiling bytecode", Some(total));
        // Group after group, so that few are unfinished at a time; the largest first, so that no process is left alone
        // with one at the end.
        let mut jobs: Vec<(&Wanted<'_>, usize)> = Vec::new();
        for group in &wanted {
            let mut order: Vec<usize> = (0..group.modules.len()).collect();
            order.sort_by_key(|at| (group.modules.get(*at).map(|module| Reverse(module.source.len())), *at));
            jobs.extend(order.into_iter().map(|at| (group, at)));
        }
        self.compiled = jobs.len();
        let crew =
            Crew { launch, store, progress, jobs: &jobs, next: AtomicUsize::new(0), stop: AtomicBool::new(false) };
        crew.work(first)?;
        for group in wanted {
            let Done { entry, .. } = group.done.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = self.entries.get_mut(group.at) {
                *place = entry;
            }
        }
        Ok(self)
    }

    /// Puts the nodes into the tree.
    fn place(self, tree: &mut Tree, machines: Option<String>) -> Result<Report, NotADirectory> {
        let mut report = Report { modules: 0, bytes: 0, compiled: self.compiled, passed_over: Vec::new(), machines };
        let made = self.groups.into_values().zip(self.entries).flat_map(|(modules, entry)| {
            let entry = entry.unwrap_or_default();
            modules.into_iter().zip(entry)
        });
        for (module, pyc) in made {
            let Some(content) = pyc else {
                report.passed_over.push(module.path);
                continue;
            };
            report.modules += 1;
            report.bytes += content.len();
            place(tree, module.pyc, module.mtime, content)?;
        }
        report.passed_over.sort();
        Ok(report)
    }
}

/// Owned by root; as old as the source, the folder as old as the one that it is in.
fn place(tree: &mut Tree, path: RootPath, mtime: i64, content: Content) -> Result<(), NotADirectory> {
    if let Some(folder) = path.parent().filter(|folder| tree.get(folder).is_none()) {
        let above = folder.parent().and_then(|above| tree.get(&above)).map_or(mtime, |above| above.meta.mtime);
        let dir = Node { meta: Meta::root(0o755, above), kind: Kind::Dir, origin: ORIGIN, ready: None };
        tree.insert(folder, dir)?;
    }
    let meta = Meta::root(0o644, mtime);
    tree.insert(path, Node { meta, kind: Kind::File(content), origin: ORIGIN, ready: None })
}

fn bytes(modules: &[Module]) -> u64 {
    modules.iter().map(|module| module.source.len()).sum()
}

/// A group that is not in the store.
struct Wanted<'a> {
    /// Among all groups.
    at: usize,
    key: &'a Sha256,
    modules: &'a [Module],
    done: Mutex<Done>,
}

/// How far a group is.
struct Done {
    left: usize,
    pycs: Vec<Option<Vec<u8>>>,
    entry: Option<Entry>,
}

impl Done {
    fn new(modules: usize) -> Self {
        Self { left: modules, pycs: vec![None; modules], entry: None }
    }
}

/// The processes that compile, and what they take from one pile.
struct Crew<'a> {
    launch: &'a Launch,
    store: &'a Store,
    progress: &'a dyn Progress,
    jobs: &'a [(&'a Wanted<'a>, usize)],
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Crew<'_> {
    /// As many processes as there are threads. `first` is one of them.
    fn work(&self, first: Worker) -> Result<(), BytecodeError> {
        let more = rayon::current_num_threads().min(self.jobs.len()).saturating_sub(1);
        thread::scope(|scope| {
            let helpers: Vec<_> = (0..more)
                .map(|_| {
                    scope.spawn(|| {
                        let started = self.launch.start().map_err(|error| self.launch.failed(error));
                        started.and_then(|worker| self.take_turns(worker)).inspect_err(|_| self.halt())
                    })
                })
                .collect();
            let own = self.take_turns(first).inspect_err(|_| self.halt());
            let joined = helpers.into_iter().map(|helper| match helper.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.fold(own, Result::and)
        })
    }

    fn halt(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn take_turns(&self, mut worker: Worker) -> Result<(), BytecodeError> {
        while let Some((group, at)) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(Module { path, source, .. }) = group.modules.get(*at) else { continue };
            let unread = |source| BytecodeError::Read { path: path.clone(), source };
            let read = source.read().map_err(unread)?;
            // The key holds for these bytes alone.
            if Sha256::of(&read) != source.sha256().map_err(unread)? {
                return Err(BytecodeError::Changed(path.clone()));
            }
            let pyc = worker.compile(path, &read)?;
            self.progress.advance(read.len() as u64);
            let mut done = group.done.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = done.pycs.get_mut(*at) {
                *place = pyc;
            }
            done.left -= 1;
            if done.left == 0 {
                let pycs = std::mem::take(&mut done.pycs);
                done.entry = Some(entry::keep(self.store, group.key, &pycs)?);
            }
        }
        Ok(())
    }
}
