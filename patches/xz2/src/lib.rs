//! `debian-packaging` asks for `xz2`, which is unmaintained and links its own old liblzma; cargo allows one
//! library of that name in a program. `liblzma` is the maintained fork with the same interface, so it stands in.

pub use liblzma::*;
