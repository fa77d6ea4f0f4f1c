//! What is to be run and how, as the caller hands it to the stages: a file of JSON in the bundle, which has secrets of `--env`
//! in it and is the caller's alone.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::error::Fault;

/// What is run: the image's configuration (OCI image specification, config.md), with what the user puts in its place.
#[derive(Debug, Clone)]
pub struct Config {
    /// Program and arguments; a program without a slash is looked for in `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The working directory; made if it is not there.
    pub workdir: PathBuf,
    /// Who the program is.
    pub user: User,
    /// Its host name.
    pub hostname: String,
    /// Its network.
    pub network: Network,
    /// What of this machine it sees.
    pub volumes: Vec<Volume>,
    /// Directories of the image that can be written to until the program ends (OCI's `Volumes`).
    pub writable: Vec<PathBuf>,
}

/// Numbers inside of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Which network a program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// One of its own, with nothing but loopback.
    None,
    /// This machine's.
    Host,
}

/// A file or folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// On this machine, absolute.
    #[serde(with = "raw")]
    pub host: PathBuf,
    /// In the image, absolute.
    #[serde(with = "raw")]
    pub inside: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// All that a stage needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The bundle's folder.
    #[serde(with = "raw")]
    pub(super) folder: PathBuf,
    /// The caller.
    pub(super) caller: u32,
    /// Whether a user namespace is to be made, where the user is who the caller is here. Without one the stages are root.
    pub(super) user_namespace: bool,
    pub(super) argv: Vec<OsString>,
    /// As pairs, since JSON wants text for the keys of a map.
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) workdir: PathBuf,
    pub(super) user: User,
    pub(super) hostname: String,
    pub(super) network: Network,
    pub(super) volumes: Vec<Volume>,
    pub(super) writable: Vec<PathBuf>,
}

/// Paths of this machine, which need not be text: `serde` writes a path as text alone.
mod raw {
    use std::{
        ffi::OsString,
        path::{Path, PathBuf},
    };

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &Path, out: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

/// Names in the bundle's folder.
pub(super) const ROOTFS: &str = "rootfs";
pub(super) const PLAN: &str = "plan.json";
pub(super) const REPORT: &str = "report";
/// This program, mounted read-only: nothing that runs inside can write to it through `/proc/self/exe`.
pub(super) const SELF: &str = "compose";
pub(super) const HOSTS: &str = "hosts";
pub(super) const HOSTNAME: &str = "hostname";

impl Plan {
    pub(super) fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        let path = self.folder.join(PLAN);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(&text)
    }

    /// Reads it, and opens the report.
    pub(super) fn read(path: &OsStr) -> io::Result<(Self, Report)> {
        let plan: Self = serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)?;
        let report = OpenOptions::new().append(true).open(plan.folder.join(REPORT))?;
        Ok((plan, Report(report)))
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        self.folder.join(ROOTFS)
    }
}

/// Where a stage says why there is no program, and what else the caller is to know. It is closed when the program begins.
pub(super) struct Report(File);

impl Report {
    /// Why there is none. A report that cannot be written is told from a program's exit by nothing, and cannot be helped.
    pub(super) fn refuse(&mut self, fault: &Fault) {
        let line = Line::Fault { code: fault.refusal.number, text: fault.text.clone() };
        let _ = self.line(&line);
    }

    pub(super) fn note(&mut self, text: &str) {
        let _ = self.line(&Line::Note(text.into()));
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }

    /// What was written in the bundle at `folder`.
    pub(super) fn lines(folder: &Path) -> Vec<Line> {
        let text = fs::read_to_string(folder.join(REPORT)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// One line of the report.
#[derive(Serialize, Deserialize)]
pub(super) enum Line {
    Fault { code: u16, text: String },
    Note(String),
}
