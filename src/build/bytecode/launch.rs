//! How the interpreter is started: in its own root and namespaces, or this machine's own interpreter for another
//! machine's image.
//!
//! In: the folder that it finds as its root, or nothing. Out: commands, and the first process that says who it is.
//!
//! `unshare` of util-linux makes the namespaces, since they take unsafe code: mounts, processes (whose first it is, so
//! that none outlives it), network (without any device), System V IPC, host name, and users. In the last the interpreter
//! is an ordinary user without capabilities: it cannot leave its root. Root does without a namespace of users where
//! there is none, and gives its rights up otherwise.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    BytecodeError, Interpreter,
    worker::{Failed, Worker},
};
use crate::base::{Arch, live};

/// The program that the interpreter runs.
pub(super) const PROGRAM: &str = include_str!("compile.py");

/// The user and group that it is.
const USER: u32 = 65532;

/// What this machine's interpreter is asked.
const WHO: &str = "import sys; i = sys.implementation; \
    print(i.name, i.cache_tag, '%d.%d' % sys.version_info[:2], sys.executable, sys.version.replace('\\n', ' '), sep='\\n')";

/// What keeps the interpreter apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cage {
    /// Namespaces that any user may make.
    User,
    /// Those that root may make.
    Root,
    /// Nothing: for this machine's own interpreter, which runs nothing of what it compiles.
    None,
}

/// An interpreter that can be started.
#[derive(Debug)]
pub(super) struct Launch {
    /// Its path, in the root if there is one.
    program: PathBuf,
    root: Option<PathBuf>,
    cage: Cage,
    /// The first line that it says.
    greeting: String,
}

/// Why an interpreter of the image does not run.
#[derive(Debug)]
pub(super) enum NoLaunch {
    /// The kernel does not know how, as far as can be told.
    NotExecutable(String),
    /// Another reason.
    Other(BytecodeError),
}

/// An interpreter of this machine.
#[derive(Debug)]
pub(super) struct Machines {
    program: PathBuf,
    /// All that it says of its version.
    pub(super) version: String,
}

impl Launch {
    /// Starts the image's interpreter in `root`.
    ///
    /// # Errors
    /// [`NoLaunch`].
    pub(super) fn own(interpreter: &Interpreter, root: &Path) -> Result<(Self, Worker), NoLaunch> {
        let program = Path::new("/").join(interpreter.path.as_path());
        let cages: &[Cage] =
            if rustix::process::geteuid().is_root() { &[Cage::User, Cage::Root] } else { &[Cage::User] };
        let mut refused = Vec::new();
        for &cage in cages {
            let launch =
                Self { program: program.clone(), root: Some(root.into()), cage, greeting: greeting(interpreter) };
            match launch.start() {
                Ok(worker) => return Ok((launch, worker)),
                Err(Failed::Start { said }) => match said.strip_prefix("unshare: ") {
                    Some(words) if words.starts_with("failed to execute") => return Err(NoLaunch::NotExecutable(said)),
                    Some(words) => refused.push(words.to_owned()),
                    None => return Err(NoLaunch::Other(launch.failed(Failed::Start { said }))),
                },
                Err(error) => return Err(NoLaunch::Other(launch.failed(error))),
            }
        }
        Err(NoLaunch::Other(BytecodeError::NoNamespace { said: refused.join("; ") }))
    }

    /// Starts an interpreter of this machine, without network where that can be had.
    ///
    /// # Errors
    /// [`BytecodeError`].
    pub(super) fn machines(interpreter: &Interpreter, found: &Machines) -> Result<(Self, Worker), BytecodeError> {
        let launch = |cage| Self { program: found.program.clone(), root: None, cage, greeting: greeting(interpreter) };
        let caged = launch(Cage::User);
        if let Ok(worker) = caged.start() {
            return Ok((caged, worker));
        }
        let free = launch(Cage::None);
        let worker = free.start().map_err(|error| free.failed(error))?;
        Ok((free, worker))
    }

    /// One more process.
    ///
    /// # Errors
    /// [`Failed`].
    pub(super) fn start(&self) -> Result<Worker, Failed> {
        Worker::start(self.command(), &self.greeting)
    }

    /// In words.
    pub(super) fn failed(&self, error: Failed) -> BytecodeError {
        let what = match self.root {
            Some(_) => format!("{} of the image", self.program.display()),
            None => format!("{} of this machine", self.program.display()),
        };
        match error {
            Failed::Spawn(error) if self.cage != Cage::None && error.kind() == io::ErrorKind::NotFound => {
                BytecodeError::NoUnshare
            }
            Failed::Spawn(error) => BytecodeError::Start { what, said: error.to_string() },
            Failed::Start { said } => BytecodeError::Start { what, said },
            Failed::Other { found } => BytecodeError::Other { what, found, wanted: self.greeting.clone() },
        }
    }

    fn command(&self) -> Command {
        let mut command = match self.cage {
            Cage::None => Command::new(&self.program),
            Cage::User | Cage::Root => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]);
                if self.cage == Cage::User {
                    command.arg("--user").arg(format!("--map-user={USER}")).arg(format!("--map-group={USER}"));
                } else {
                    command.arg(format!("--setuid={USER}")).arg(format!("--setgid={USER}"));
                }
                if let Some(root) = &self.root {
                    // As the working directory, since what is above it may be closed to that user.
                    command.arg("--root=.").current_dir(root);
                }
                command.arg("--").arg(&self.program);
                command
            }
        };
        // Without site and user site, nothing written, no warnings.
        command.args(["-s", "-S", "-B", "-W", "ignore", "-X", "utf8", "-c", PROGRAM]);
        // unshare is looked for in the usual folders, which is what exec does without PATH.
        let fixed = [("PYTHONHASHSEED", "0"), ("SOURCE_DATE_EPOCH", "0"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];
        command.env_clear().envs(fixed);
        command
    }
}

fn greeting(interpreter: &Interpreter) -> String {
    let (major, minor) = interpreter.minor;
    format!("cpython {} {major}.{minor}", interpreter.cache_tag())
}

/// Whether this machine may be able to run programs of `arch`.
pub(super) fn may_run(arch: Arch) -> bool {
    arch.is_native() || Path::new("/proc/sys/fs/binfmt_misc").join(arch.emulator()).exists()
}

/// An interpreter of the same version on this machine: `python3.X`, or `python3` or `python` if it is that one.
pub(super) fn find_machines(interpreter: &Interpreter) -> Option<Machines> {
    let (major, minor) = interpreter.minor;
    let names = [format!("python{major}.{minor}"), format!("python{major}"), "python".to_owned()];
    let wanted = ["cpython".to_owned(), interpreter.cache_tag(), format!("{major}.{minor}")];
    names.iter().find_map(|name| {
        let mut command = Command::new(name);
        command.args(["-I", "-S", "-B", "-c", WHO]);
        let output = live::output(&mut command).ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut lines = text.lines();
        let is_it = wanted.iter().all(|word| lines.next() == Some(word));
        let (program, version) = (lines.next()?, lines.next()?);
        let is_path = Path::new(program).is_absolute();
        (is_it && is_path).then(|| Machines { program: program.into(), version: version.trim().into() })
    })
}
