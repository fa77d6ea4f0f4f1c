//! A registry of images, asked over HTTP as the OCI distribution spec 1.1 says.
//!
//! In: a [`Reference`], the [`Credentials`] that this machine keeps, a [`Fetcher`](crate::archive::Fetcher) for its
//! network. Out: a [`Client`] that gives manifests and blobs, each compared with its digest while it streams. The
//! connection is encrypted, but to this machine itself; a redirect takes no authorization to another host.

mod challenge;
mod client;
mod credentials;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod reference;

pub use client::{Actions, Client};
pub use credentials::{Credentials, CredentialsError};
pub use error::RegistryError;
pub use reference::{BadReference, Reference, Registry, SCHEME};
