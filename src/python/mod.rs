//! Python: which wheels an application's lock names for a target, what is in them, where they go.
//!
//! In: the manifest's `[python]`, the application's lock, wheels, the interpreter and C library that the solver chose.
//! Out: verified wheels as segments, ready to be laid into the tree, and the shared libraries that they need.

pub mod environment;
pub mod lock;
pub mod name;
pub mod tags;
pub mod wheel_name;
pub mod wheel;
