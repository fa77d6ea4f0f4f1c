//! The pipeline put together: manifest to lock, lock to finished tree.
//!
//! In: checked values and the tools to fetch and keep. Out: a [`Lock`](crate::lock::Lock), a finished
//! [`Tree`](crate::tree::Tree). What to do with them is the caller's business.

mod assemble;
pub mod bytecode;
mod draw;
mod explain;
mod resolve;
mod supply;

pub use assemble::{AssembleError, Assembled, Download, assemble, controls};
pub use draw::{dot, mermaid};
pub use explain::{Answer, Explainer, Reason, option};
pub use resolve::{Ask, More, OpenChoice, ResolveError, Resolved, Wishes, load, open_choices, resolve};
