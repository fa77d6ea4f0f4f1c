//! Python: which wheels an application's lock names for a target, what is in them, where they go.
//!
//! In: the manifest's `[python]`, the application's lock, wheels, the interpreter and C library that the solver chose.
//! Out: verified wheels as segments, ready to be laid into the tree, and the shared libraries that they need.
//!
//! ```text
//! inputs (files of this machine)  →  lock (five formats)  ─┐
//! site (packages, tarballs)  →  environment  →  tags      ─┴→  wheels wanted  →  pip  →  wheel  →  install (segments)
//! ```

mod dlopen;
mod environment;
mod inputs;
mod install;
pub(crate) mod lock;
mod name;
mod pip;
mod requires;
mod site;
mod tags;
pub(crate) mod wheel;
mod wheel_name;

pub use dlopen::loaded_by_name;
pub use environment::Environment;
pub use inputs::{Inputs, InputsError, LocalWheel};
pub use install::{InstallError, install, segment_key};
pub use lock::{Format, LockFault, Problem, PythonLock, Source, Wanted};
pub use name::ProjectName;
pub use pip::{Brought, Errand, PipError, download};
pub use requires::{Required, Requirers, Unmet, unmet};
pub use site::{Site, SiteError};
pub use tags::{Misfit, Tags};
pub use wheel::{EntryPoint, Fields, Layout, Limits, Planned, Wheel, WheelError, WheelFault};
pub use wheel_name::{BadWheelName, WheelName};
