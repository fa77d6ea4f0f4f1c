//! The pipeline put together: manifest to lock, lock to finished tree.
//!
//! In: checked values and the tools to fetch and keep. Out: a [`Lock`](crate::lock::Lock), a finished
//! [`Tree`](crate::tree::Tree). What to do with them is the caller's business.

mod application;
mod assemble;
pub mod bytecode;
mod draw;
mod explain;
mod finder;
mod page;
mod gather;
mod resolve;
mod supply;
mod wishes;

pub use assemble::{AssembleError, Assembled, OwnFile, Plan, assemble, controls};
pub use draw::{dot, mermaid};
pub use explain::{Answer, Explainer, PulledIn, Reason, option};
pub use finder::{Need, Wanted};
pub use gather::{Gathered, gather};
pub use page::{Page, page};
pub use resolve::{Ask, More, OpenChoice, Order, ResolveError, Resolved, load, open_choices, resolve};
pub use supply::{Download, Input, Place, SupplyError, inputs};
pub use wishes::Wishes;
