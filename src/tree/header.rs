//! Canonical tar headers: the one place that decides how a node looks in an archive.
//!
//! In: path, metadata, kind. Out: header blocks: ustar (POSIX.1-1988), and a PAX record before it (POSIX.1-2001)
//! only where a field does not fit. Numeric owners, empty names, whole seconds.
