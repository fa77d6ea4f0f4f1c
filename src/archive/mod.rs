//! From a mirror to verified package indexes: nothing is used before a trusted signature or digest covers it.
//!
//! In: the manifest's repositories, the machine's apt sources, a mirror. Out: [`LoadedSuite`]s, and `.deb` files in the
//! store. In the order of the work: [`sources`] (which mirror), [`suites`] (which suites of it), [`fetch`],
//! [`openpgp`] (with [`cleartext`] and [`keyring`]), [`release`], [`index`].

pub mod cleartext;
pub mod keyring;
pub mod openpgp;
