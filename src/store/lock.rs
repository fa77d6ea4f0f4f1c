//! The store's lock (flock(2)): shared by all runs that use it, held alone by who removes something.
//!
//! A file system without locks (some network ones) is used without: then nothing is ever removed there but by hand.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use super::StoreError;

#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Opens the file; nothing is held yet.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        // A cache that may only be read can be used as far as it goes.
        let file = file.or_else(|error| File::open(path).map_err(|_| error));
        file.map(Self).map_err(StoreError::at("open", path))
    }

    /// Holds it alone if nobody else holds it; what was held of it before is lost if somebody does.
    pub(super) fn alone(&self) -> bool {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Waits until nobody else holds it, and holds it alone; whether there are such locks here at all.
    pub(super) fn wait_alone(&self) -> bool {
        flock(&self.0, FlockOperation::LockExclusive).is_ok()
    }

    /// Holds it beside others; waits for one who holds it alone.
    pub(super) fn share(&self) {
        // Without locks nobody removes anything: then there is nothing to be kept from.
        let _ = flock(&self.0, FlockOperation::LockShared);
    }
}
