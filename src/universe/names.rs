//! Interned names: found by hash, numbered by whoever adds them.

use std::hash::{BuildHasher as _, RandomState};

/// A package name or virtual package name of one universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub(super) u32);

impl NameId {
    /// As an index into a table of all names.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An id, and a part of its name's hash, so that few other names need to be looked at.
#[derive(Debug, Clone, Copy)]
struct Slot {
    id: u32,
    tag: u32,
}

const EMPTY: Slot = Slot { id: u32::MAX, tag: 0 };

/// An open-addressing table of ids; the names themselves stay where the caller has them.
#[derive(Debug)]
pub(super) struct NameTable {
    /// A power of two of them, more than half empty, so that a probe ends soon and always.
    slots: Vec<Slot>,
    length: u32,
    seed: u64,
}

impl NameTable {
    /// Of no names, with room for `names` of them.
    pub(super) fn with_room(names: usize) -> Self {
        let slots = vec![EMPTY; (names * 2 + 2).next_power_of_two()];
        Self { slots, length: 0, seed: RandomState::new().hash_one(0) }
    }

    /// Multiply and rotate, eight bytes at a time: several times faster on short names than the standard library's,
    /// and seeded, so that no index can aim at one slot.
    fn hash(&self, name: &str) -> u64 {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = self.seed;
        let mut mix = |word: u64| hash = (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
        let (words, rest) = name.as_bytes().as_chunks::<8>();
        words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        mix(u64::from_le_bytes(last) ^ (name.len() as u64) << 56);
        // The high bits are the well-mixed ones.
        hash ^ hash >> 32
    }

    /// Where `name` is or belongs, and what its slot holds then; `text_of` says what an id stands for.
    fn slot<'a>(&self, name: &str, text_of: impl Fn(NameId) -> &'a str) -> (usize, Slot) {
        let hash = self.hash(name);
        // The mask makes the truncation harmless.
        let (mut at, tag) = (hash as usize & (self.slots.len() - 1), (hash >> 32) as u32);
        while let Some(slot) = self.slots.get(at)
            && slot.id != EMPTY.id
            && (slot.tag != tag || text_of(NameId(slot.id)) != name)
        {
            at = (at + 1) & (self.slots.len() - 1);
        }
        (at, Slot { id: self.slots.get(at).map_or(EMPTY.id, |slot| slot.id), tag })
    }

    /// The id of `name`.
    pub(super) fn find<'a>(&self, name: &str, text_of: impl Fn(NameId) -> &'a str) -> Option<NameId> {
        let (_, slot) = self.slot(name, text_of);
        (slot.id != EMPTY.id).then_some(NameId(slot.id))
    }

    /// The id of `name`, and whether it is new: new ids count up from 0.
    pub(super) fn add<'a>(&mut self, name: &str, text_of: impl Fn(NameId) -> &'a str) -> (NameId, bool) {
        if self.length as usize * 2 >= self.slots.len() {
            let mut larger = Self { slots: vec![EMPTY; self.slots.len() * 2], ..*self };
            for id in 0..self.length {
                larger.put(larger.slot(text_of(NameId(id)), &text_of), id);
            }
            *self = larger;
        }
        let (at, slot) = self.slot(name, text_of);
        if slot.id != EMPTY.id {
            return (NameId(slot.id), false);
        }
        self.put((at, slot), self.length);
        self.length += 1;
        (NameId(self.length - 1), true)
    }

    fn put(&mut self, (at, slot): (usize, Slot), id: u32) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = Slot { id, ..slot };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_finds_them_again() {
        let names: Vec<String> = (0..5000).map(|i| format!("lib{}-{}", i % 71, "x".repeat(i / 71))).collect();
        let text_of = |id: NameId| names[id.index()].as_str();
        let mut table = NameTable::with_room(0);
        for _ in 0..2 {
            for (i, name) in (0u32..).zip(&names) {
                let known = table.find(name, text_of).is_some();
                assert_eq!(table.add(name, text_of), (NameId(i), !known));
            }
        }
        for (i, name) in (0u32..).zip(&names) {
            assert_eq!(table.find(name, text_of), Some(NameId(i)));
        }
        assert_eq!(table.find("lib", text_of), None);
    }
}
