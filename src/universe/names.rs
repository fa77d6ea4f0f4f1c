//! Interned names: sorted, so that the order of ids is the order of names; found by hash.

use std::hash::{BuildHasher as _, RandomState};

/// A package name or virtual package name of one universe. Ids are ordered as the names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub(super) u32);

impl NameId {
    /// As an index into a table of all names.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

const EMPTY: u32 = u32::MAX;

/// An open-addressing table of indexes into sorted names; the names themselves stay where the caller has them.
#[derive(Debug)]
pub(super) struct NameTable {
    slots: Vec<u32>,
    hasher: RandomState,
}

impl NameTable {
    /// Of `names`, which hold no repeats.
    pub(super) fn new<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        // At most half full, so that a probe ends soon and always.
        let size = (names.len() * 2 + 1).next_power_of_two();
        let mut table = Self { slots: vec![EMPTY; size], hasher: RandomState::new() };
        for (id, name) in (0u32..).zip(names) {
            let mut at = table.start(name);
            while let Some(slot) = table.slots.get_mut(at) {
                if *slot == EMPTY {
                    *slot = id;
                    break;
                }
                at = (at + 1) & (size - 1);
            }
        }
        table
    }

    fn start(&self, name: &str) -> usize {
        // The mask makes the truncation harmless.
        self.hasher.hash_one(name) as usize & (self.slots.len() - 1)
    }

    /// The id of `name`; `text_of` says what an id stands for.
    pub(super) fn find<'a>(&self, name: &str, text_of: impl Fn(NameId) -> &'a str) -> Option<NameId> {
        let mut at = self.start(name);
        loop {
            match self.slots.get(at).copied() {
                None | Some(EMPTY) => return None,
                Some(id) if text_of(NameId(id)) == name => return Some(NameId(id)),
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }
}
