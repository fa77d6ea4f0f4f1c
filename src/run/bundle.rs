//! The caller's side: the tree as a temporary folder with the plan beside it, the first stage started, and what came of it.
//!
//! In: a tree and a [`Config`]. Out: a [`Running`] program, its exit code; the folder is gone when the [`Bundle`] is, and on
//! an end (`base::live`).

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command},
};

use rustix::process::{Pid, Signal};

use super::{
    Config, NOT_RUN, Network, RunError, machine, outer,
    plan::{HOSTNAME, HOSTS, Line, PLAN, Plan, REPORT, ROOTFS, Report, SELF},
};
use crate::{
    base::{
        Progress,
        live::{self, Folder, Watch, Watched},
        refusal::{self, Refusal},
    },
    image,
    store::Store,
    tree::Tree,
};

/// All that a program is run from.
#[derive(Debug)]
pub struct Bundle {
    dir: Watched<Folder>,
}

impl Bundle {
    /// Lays the tree out in the store's temporary folder: as root with the owners that it has, else everything is the
    /// caller's.
    ///
    /// # Errors
    /// [`RunError`]: a volume that is not there; what the disk says.
    pub fn new(tree: &Tree, config: &Config, store: &Store, progress: &dyn Progress) -> Result<Self, RunError> {
        for volume in &config.volumes {
            let why = |error: io::Error| RunError::Volume { path: volume.host.clone(), why: error.to_string() };
            fs::metadata(&volume.host).map_err(why)?;
        }
        let tmp = store.root().join("tmp");
        let at = |action, path: &Path| {
            let path = path.to_owned();
            move |source| RunError::Bundle { action, path, source }
        };
        let dir = Watched::folder_in(&tmp).map_err(at("create a folder", &tmp))?;
        let bundle = Self { dir };
        let folder = bundle.dir.path();
        let rootfs = folder.join(ROOTFS);
        DirBuilder::new().mode(0o700).create(&rootfs).map_err(at("create a folder", folder))?;
        image::lay_out(tree, &rootfs, progress)?;
        let name = &config.hostname;
        let hosts = match config.network {
            Network::Host => fs::read_to_string("/etc/hosts").unwrap_or_default(),
            Network::None => format!("127.0.0.1\tlocalhost {name}\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
        };
        for (file, text) in
            [(HOSTS, hosts), (HOSTNAME, format!("{name}\n")), (REPORT, String::new()), (SELF, String::new())]
        {
            fs::write(folder.join(file), text).map_err(at("write", folder))?;
        }
        for file in [HOSTS, HOSTNAME] {
            // Whatever the umask.
            fs::set_permissions(folder.join(file), Permissions::from_mode(0o644)).map_err(at("write", folder))?;
        }
        let Config { argv, env, workdir, user, hostname, network, volumes, writable } = config.clone();
        let env = env.into_iter().collect();
        let user_namespace = !machine::can_be_root();
        let (folder, caller) = (folder.to_owned(), std::process::id());
        let plan =
            Plan { folder, caller, user_namespace, argv, env, workdir, user, hostname, network, volumes, writable };
        plan.write().map_err(at("write", &plan.folder))?;
        Ok(bundle)
    }

    /// Starts the program: standard input, output and error are those of this process. What is typed at a terminal does not
    /// reach it, but by [`Running::send`].
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(&self) -> Result<Running<'_>, RunError> {
        // Not by its path, which may have been given to another version since.
        let mut command = Command::new("/proc/self/exe");
        command.arg0(outer::NAME).arg(self.dir.path().join(PLAN));
        let at = |source| RunError::Bundle { action: "start a process", path: self.dir.path().into(), source };
        let (child, watch) = live::spawn(&mut command).map_err(at)?;
        Ok(Running { bundle: self, child, _watch: watch })
    }
}

/// A program at work.
#[derive(Debug)]
pub struct Running<'a> {
    bundle: &'a Bundle,
    child: Child,
    _watch: Watch,
}

impl Running<'_> {
    /// The process that signals are sent to, which passes them on.
    pub fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Waits until the program has ended: its exit code, or 128 and the number of the signal that ended it; and what else
    /// there is to say.
    ///
    /// # Errors
    /// Why it did not begin.
    pub fn wait(mut self) -> Result<(u8, Vec<String>), RunError> {
        let folder = self.bundle.dir.path();
        let at = |source| RunError::Bundle { action: "wait for the program", path: folder.into(), source };
        let status = self.child.wait().map_err(at)?;
        let mut notes = Vec::new();
        for line in Report::lines(folder) {
            match line {
                Line::Note(text) => notes.push(text),
                Line::Fault { code, text } => {
                    let refusal = Refusal::named(&code.to_string()).unwrap_or(refusal::RUN_INTERRUPTED);
                    return Err(RunError::Stage { refusal, text });
                }
            }
        }
        match status.signal() {
            Some(signal) => Err(RunError::Lost(signal)),
            None => Ok((status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_RUN), notes)),
        }
    }
}

/// Ends a program at once, with all that it has started, in a way that nothing can refuse; `pid` is [`Running::pid`].
pub(super) const KILL: Signal = Signal::ALARM;

impl Running<'_> {
    /// The signal that ends the program at once.
    pub const KILL: Signal = KILL;
}
