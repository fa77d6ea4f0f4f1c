//! A registry of images, asked over HTTP as the OCI distribution spec 1.1 says.
//!
//! In: a [`Reference`], the [`Credentials`] that this machine keeps, a [`Fetcher`](crate::archive::Fetcher) for its
//! network. Out: a [`Client`] that gives manifests and blobs, each compared with its digest while it streams, and
//! [`push()`], which brings images there. The connection is encrypted, but to this machine itself; a redirect takes no
//! authorization to another host.
//!
//! ```text
//! reference, credentials ─ helper ─► client ─► ask: one request ─ authorize ─ challenge
//!                                      ├► push ─► upload: one blob · places: where blobs are already
//!                                      └► referrers: what refers to an image
//! ```

mod ask;
mod authorize;
mod challenge;
mod client;
mod credentials;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod helper;
mod places;
mod push;
mod reference;
mod referrers;
mod upload;

pub use client::{Actions, Client};
pub use credentials::{Credentials, CredentialsError};
pub use error::RegistryError;
pub use helper::HelperError;
pub use push::{Count, Pushed, push};
pub use reference::{BadReference, Reference, Registry, SCHEME};
