//! Why there is no bytecode: each with what a person can do about it.

use std::io;

use crate::{
    base::{
        Arch, RootPath,
        refusal::{self, Refusal, Refuses},
    },
    image::ImageError,
    store::StoreError,
    tree::NotADirectory,
};

const WITHOUT: &str = "or do without: bytecode = false below [python]";

/// Bytecode cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BytecodeError {
    /// The tree has no such file.
    #[error("{0} is not in the image, so nothing can compile bytecode for it; install the interpreter, {WITHOUT}")]
    NoInterpreter(RootPath),
    /// A module cannot be read.
    #[error("cannot read {path} of the image to compile it")]
    Read {
        /// The module.
        path: RootPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of this machine was written to meanwhile.
    #[error("the source of {0} changed while it was compiled; build again")]
    Changed(RootPath),
    /// util-linux is missing.
    #[error(
        "“unshare” of util-linux is not on this machine; bytecode is compiled in namespaces of its own, which it makes; install util-linux, {WITHOUT}"
    )]
    NoUnshare,
    /// The kernel, or the container that this runs in, forbids namespaces.
    #[error(
        "bytecode is compiled in namespaces of its own, and none can be made here: {said}\n  next step: allow them (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, kernel.unprivileged_userns_clone=1 on older Debian, user.max_user_namespaces above 0; in a container --cap-add SYS_ADMIN or --security-opt seccomp=unconfined), run as root, {WITHOUT}"
    )]
    NoNamespace {
        /// By unshare, of each way that was tried.
        said: String,
    },
    /// It did not come so far as to say who it is.
    #[error("{what} does not start: {said}\n  next step: see that the image holds the libraries it needs, {WITHOUT}")]
    Start {
        /// The interpreter.
        what: String,
        /// On standard error.
        said: String,
    },
    /// It is another one.
    #[error("{what} is {found}, not {wanted}; name the interpreter that the modules are for, {WITHOUT}")]
    Other {
        /// The interpreter.
        what: String,
        /// As it says of itself.
        found: String,
        /// What was expected.
        wanted: String,
    },
    /// The image is for a machine of another kind.
    #[error("no python{}.{} on this machine to compile bytecode for {arch}; install python{}.{}, {WITHOUT}", .minor.0, .minor.1, .minor.0, .minor.1)]
    NoneForArch {
        /// The image's.
        arch: Arch,
        /// The Python wanted.
        minor: (u32, u32),
    },
    /// It ended on a module.
    #[error(
        "the interpreter ended while it compiled {path}: {said}\n  next step: take the file out with rootfs.remove, {WITHOUT}"
    )]
    Died {
        /// The module.
        path: RootPath,
        /// On standard error.
        said: String,
    },
    /// It does not end.
    #[error(
        "the interpreter was still busy with {path} after {seconds} s and was stopped; take the file out with rootfs.remove, {WITHOUT}"
    )]
    Hung {
        /// The module.
        path: RootPath,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It answers what the program that it runs never says.
    #[error("the interpreter's answer for {path} is {what}; take the file out with rootfs.remove, {WITHOUT}")]
    Answer {
        /// The module.
        path: RootPath,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something is in the way of a `__pycache__`.
    #[error("{0}; take the package or the [[files]] entry out that put it there, {WITHOUT}")]
    Place(#[from] NotADirectory),
    /// What the interpreter needs cannot be written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refuses for BytecodeError {
    fn refusal(&self) -> &'static Refusal {
        match self {
            Self::NoInterpreter(_) => refusal::NO_INTERPRETER,
            Self::Read { .. } => refusal::BYTECODE_SOURCE_UNREADABLE,
            Self::Changed(_) => refusal::BYTECODE_SOURCE_CHANGED,
            Self::NoUnshare => refusal::NO_UNSHARE,
            Self::NoNamespace { .. } => refusal::NO_NAMESPACE,
            Self::Start { .. } => refusal::INTERPRETER_NOT_STARTED,
            Self::Other { .. } => refusal::INTERPRETER_IS_ANOTHER,
            Self::NoneForArch { .. } => refusal::NO_HOST_PYTHON,
            Self::Died { .. } => refusal::INTERPRETER_DIED,
            Self::Hung { .. } => refusal::INTERPRETER_HUNG,
            Self::Answer { .. } => refusal::INTERPRETER_WRONG_ANSWER,
            Self::Place(_) => refusal::NOT_A_DIRECTORY,
            Self::Image(error) => error.refusal(),
            Self::Store(error) => error.refusal(),
        }
    }
}
