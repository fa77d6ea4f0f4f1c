//! What is to be said of an image: what is in it, what belongs to nothing, what a person who vouches for it must know.
//!
//! In: an [`Inventory`], and the tree if there is one. Out: [`Audit`], as text or as JSON of a documented schema
//! ([`SCHEMA`]). Nothing is fetched or executed.

mod hardening;
mod json;
mod text;

pub use hardening::{Hardened, Weakness};
pub use json::{SCHEMA, json};
pub use text::text;

use crate::{
    advisory::Report,
    base::{Arch, PackageName, RootPath, Sha256},
    check::{self, Finding},
    finish::FinishError,
    image::open::Form,
    inventory::{self, Inventory},
    tree::{Kind, Tree},
};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// What a manifest builds, from its lock.
    Manifest,
    /// A lock alone: no files.
    Lock,
    /// An image, or a rootfs.
    Image(Form),
}

impl Looked {
    /// A word for it, as JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Lock => "lock",
            Self::Image(Form::Directory) => "directory",
            Self::Image(Form::Tar) => "tar",
            Self::Image(Form::Oci) => "oci",
            Self::Image(Form::DockerArchive) => "docker-archive",
        }
    }
}

/// What is looked at, and how it is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// As it was named.
    pub target: String,
    /// What that is.
    pub looked: Looked,
    /// The tree digest, if a lock has it.
    pub tree: Option<Sha256>,
    /// The digest of the OCI image manifest.
    pub manifest: Option<Sha256>,
    /// Of the layers as they are in the image.
    pub layers: Vec<Sha256>,
    /// The user that it starts as, if its configuration says one.
    pub user: Option<String>,
}

/// A file that no package and no project is known to have brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Where.
    pub path: RootPath,
    /// Bytes; 0 for links.
    pub size: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// What was looked at.
    pub subject: Subject,
    /// What is in it.
    pub inventory: Inventory,
    /// Maintainer scripts whose effect is not in the image; `None` where the scripts are not known, as in an image.
    pub scripts: Option<Vec<(PackageName, Box<str>)>>,
    /// What only files tell; `None` for a lock.
    pub files: Option<Files>,
    /// Known vulnerabilities; `None` if nobody asked for them.
    pub vulnerabilities: Option<Report>,
}

/// What the files of an image tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Files and links, directories not among them.
    pub count: usize,
    /// Bytes of the files, hard links counted once.
    pub bytes: u64,
    /// Files that belong to nothing, in order.
    pub stray: Vec<Stray>,
    /// Shells, package managers, set-id and world-writable files, and what else a policy could forbid; by path.
    pub findings: Vec<Finding>,
    /// How its programs and libraries are armed.
    pub hardened: Hardened,
}

/// What an audit looks for in each file, by code.
const RULES: [&str; 5] = ["capabilities", "package-manager", "setuid", "shell", "world-writable"];

/// Looks at a tree whose origins are known.
///
/// # Errors
/// When a file of the tree cannot be read.
pub fn files(tree: &Tree, arch: Option<Arch>) -> Result<Files, FinishError> {
    let of_kind = |kind: &Kind| match kind {
        Kind::File(content) => content.len(),
        _ => 0,
    };
    let all = tree.iter().filter(|(_, node)| !matches!(node.kind, Kind::Dir));
    let (count, bytes) = all.fold((0, 0), |(n, bytes), (_, node)| (n + 1, bytes + of_kind(&node.kind)));
    let stray = inventory::belonging_to_nothing(tree)
        .into_iter()
        .map(|path| Stray { path: path.clone(), size: tree.get(path).map_or(0, |node| of_kind(&node.kind)) });
    Ok(Files {
        count,
        bytes,
        stray: stray.collect(),
        findings: check::noteworthy(tree),
        // Of an unknown one only what `$PLATFORM` in a search path stands for is guessed.
        hardened: Hardened::of(tree, arch.unwrap_or(Arch::Amd64))?,
    })
}
