//! Interned names: each text kept once, side by side in one piece of memory, found by hash. Each piece of an
//! index has its own; then all are merged.

use rayon::prelude::*;

/// A package name or virtual package name of one universe. The order of ids says nothing, and is another in each run.
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

/// An open-addressing table: a power of two of slots, more than half empty, so that a probe ends soon and always.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(Vec<Slot>);

impl Table {
    pub(super) fn with_room(names: usize) -> Self {
        Self(vec![EMPTY; (names * 2 + 2).next_power_of_two()])
    }

    /// Where the name with this hash is or belongs, and its id if it is there; `is` compares with the name of an id.
    #[inline]
    pub(super) fn slot(&self, hash: u64, is: impl Fn(u32) -> bool) -> (usize, Option<u32>) {
        // The mask makes the truncation harmless.
        let (mut at, tag) = (hash as usize & (self.0.len() - 1), (hash >> 32) as u32);
        loop {
            match self.0.get(at) {
                Some(slot) if slot.id != EMPTY.id => {
                    if slot.tag == tag && is(slot.id) {
                        return (at, Some(slot.id));
                    }
                    at = (at + 1) & (self.0.len() - 1);
                }
                _ => return (at, None),
            }
        }
    }

    #[inline]
    pub(super) fn put(&mut self, at: usize, hash: u64, id: u32) {
        if let Some(place) = self.0.get_mut(at) {
            *place = Slot { id, tag: (hash >> 32) as u32 };
        }
    }

    /// Makes room for more if the names with these hashes, whose ids count up from 0, fill half of it.
    #[inline]
    pub(super) fn grow(&mut self, hashes: impl ExactSizeIterator<Item = u64>) {
        if hashes.len() * 2 >= self.0.len() {
            *self = Self::with_room(hashes.len() * 2);
            for (id, hash) in (0u32..).zip(hashes) {
                let (at, _) = self.slot(hash, |_| false);
                self.put(at, hash, id);
            }
        }
    }
}

/// Texts one after the other.
#[derive(Debug, Default)]
struct Texts {
    all: String,
    /// Where each ends; it begins where the one before ends.
    ends: Vec<u32>,
}

impl Texts {
    #[inline]
    fn get(&self, id: u32) -> &str {
        let id = id as usize;
        let Some(end) = self.ends.get(id) else { return "" };
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.all.get(start as usize..*end as usize).unwrap_or_default()
    }

    /// An index is smaller than 4 GiB, and so are all its names.
    fn push(&mut self, text: &str) -> u32 {
        self.all.push_str(text);
        self.ends.push(self.all.len() as u32);
        self.ends.len() as u32 - 1
    }
}

/// Multiply and rotate, eight bytes at a time, the last eight again if they are not even: several times faster on
/// short names than the standard library's.
#[inline]
pub(super) fn hash(seed: u64, name: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = name.as_bytes();
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut hash = mix(seed, bytes.len() as u64);
    if let Some(last) = bytes.last_chunk::<8>() {
        for word in bytes.as_chunks::<8>().0 {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        hash = mix(hash, u64::from_le_bytes(*last));
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        hash = mix(hash, u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
    } else {
        hash = mix(hash, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    // The high bits are the well-mixed ones.
    hash ^ hash >> 32
}

/// The names of one piece of an index, by numbers of their own.
#[derive(Debug)]
pub(super) struct PieceNames {
    texts: Texts,
    hashes: Vec<u64>,
    table: Table,
    seed: u64,
}

impl PieceNames {
    /// None yet, with room for `names` of them. A seed that nobody can guess keeps an index from aiming at one slot.
    pub(super) fn with_room(names: usize, seed: u64) -> Self {
        Self { texts: Texts::default(), hashes: Vec::new(), table: Table::with_room(names), seed }
    }

    /// The number of `name`: new ones count up from 0.
    #[inline]
    pub(super) fn add(&mut self, name: &str) -> u32 {
        let hash = hash(self.seed, name);
        let (at, found) = self.table.slot(hash, |id| self.texts.get(id) == name);
        found.unwrap_or_else(|| self.add_new(name, hash, at))
    }

    fn add_new(&mut self, name: &str, hash: u64, at: usize) -> u32 {
        let id = self.texts.push(name);
        self.hashes.push(hash);
        self.table.put(at, hash, id);
        self.table.grow(self.hashes.iter().copied());
        id
    }

    /// The names alone, to be merged.
    pub(super) fn finish(self) -> FinishedNames {
        // A counting sort by shard.
        let mut starts = [0usize; SHARDS + 1];
        for hash in &self.hashes {
            if let Some(count) = starts.get_mut(shard(*hash) + 1) {
                *count += 1;
            }
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts;
        let mut order = vec![(0, 0); self.hashes.len()];
        for (number, hash) in (0u32..).zip(self.hashes) {
            let place = &mut next[shard(hash)];
            order[*place] = (number, hash);
            *place += 1;
        }
        FinishedNames { texts: self.texts, order, starts }
    }
}

/// Names fall into this many sets by their hashes: each is small enough for a processor's cache, and they are made
/// side by side.
const SHARDS: usize = 16;

#[inline]
fn shard(hash: u64) -> usize {
    // Neither the bits of the slot nor all of the tag's.
    (hash >> 60) as usize % SHARDS
}

/// The names of one piece, complete.
#[derive(Debug, Default)]
pub(super) struct FinishedNames {
    texts: Texts,
    /// Numbers and hashes, by shard.
    order: Vec<(u32, u64)>,
    /// Where each shard begins in `order`; one more at the end.
    starts: [usize; SHARDS + 1],
}

impl FinishedNames {
    fn of_shard(&self, shard: usize) -> &[(u32, u64)] {
        self.order.get(self.starts[shard]..self.starts[shard + 1]).unwrap_or_default()
    }
}

/// All names of a universe.
#[derive(Debug)]
pub(super) struct Names {
    texts: Texts,
    shards: Vec<Shard>,
    seed: u64,
}

#[derive(Debug)]
struct Shard {
    table: Table,
    /// Where its ids begin.
    first: u32,
}

impl Names {
    /// The names of all pieces, and for each piece the ids of its numbers. All have the seed `seed`.
    pub(super) fn merge(pieces: &[FinishedNames], seed: u64) -> (Self, Vec<Vec<NameId>>) {
        let parts: Vec<_> = (0..SHARDS).into_par_iter().map(|shard| merge_shard(pieces, shard)).collect();
        let mut texts = Texts::default();
        texts.all.reserve(parts.iter().map(|(_, part, _)| part.all.len()).sum());
        texts.ends.reserve(parts.iter().map(|(_, part, _)| part.ends.len()).sum());
        let (mut shards, mut all_found) = (Vec::with_capacity(SHARDS), Vec::with_capacity(SHARDS));
        for (table, part, found) in parts {
            let (before, first) = (texts.all.len() as u32, texts.ends.len() as u32);
            texts.all.push_str(&part.all);
            texts.ends.extend(part.ends.iter().map(|end| end + before));
            shards.push(Shard { table, first });
            all_found.push(found);
        }
        let ids_of = |(piece, names): (usize, &FinishedNames)| {
            let mut ids = vec![NameId(0); names.order.len()];
            for (number, (shard, found)) in shards.iter().zip(&all_found).enumerate() {
                let found = found.get(piece).map_or(&[][..], Vec::as_slice);
                for ((number, _), id) in names.of_shard(number).iter().zip(found) {
                    ids[*number as usize] = NameId(shard.first + id);
                }
            }
            ids
        };
        let ids = pieces.par_iter().enumerate().map(ids_of).collect();
        (Self { texts, shards, seed }, ids)
    }

    pub(super) fn len(&self) -> usize {
        self.texts.ends.len()
    }

    /// What an id stands for; nothing for an id of another set.
    pub(super) fn text(&self, id: NameId) -> &str {
        self.texts.get(id.0)
    }

    /// The id of `name`.
    pub(super) fn find(&self, name: &str) -> Option<NameId> {
        let hash = hash(self.seed, name);
        let Shard { table, first } = self.shards.get(shard(hash))?;
        let (_, found) = table.slot(hash, |id| self.texts.get(first + id) == name);
        found.map(|id| NameId(first + id))
    }
}

/// The names of all pieces that fall into one shard: their table, their texts, and for each piece its ids in order.
fn merge_shard(pieces: &[FinishedNames], shard: usize) -> (Table, Texts, Vec<Vec<u32>>) {
    let most = pieces.iter().map(|piece| piece.of_shard(shard).len()).sum();
    let mut table = Table::with_room(most);
    let mut texts = Texts { all: String::with_capacity(most * 16), ends: Vec::with_capacity(most) };
    let ids = pieces.iter().map(|piece| {
        let ids = piece.of_shard(shard).iter().map(|&(number, hash)| {
            let name = piece.texts.get(number);
            let (at, found) = table.slot(hash, |id| texts.get(id) == name);
            found.unwrap_or_else(|| {
                let id = texts.push(name);
                table.put(at, hash, id);
                id
            })
        });
        ids.collect()
    });
    let ids = ids.collect();
    (table, texts, ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_finds_them_again() {
        let names: Vec<String> = (0..5000).map(|i| format!("lib{}-{}", i % 71, "x".repeat(i / 71))).collect();
        let mut first = PieceNames::with_room(0, 7);
        for _ in 0..2 {
            for (i, name) in (0u32..).zip(&names) {
                assert_eq!(first.add(name), i);
            }
        }
        let mut second = PieceNames::with_room(9, 7);
        assert_eq!(["new", "lib3-", "", "new"].map(|name| second.add(name)), [0, 1, 2, 0]);
        let (all, ids) = Names::merge(&[first.finish(), second.finish()], 7);
        assert_eq!((all.len(), ids[0].len(), ids[1].len()), (5002, 5000, 3));
        for (name, id) in names.iter().zip(&ids[0]) {
            assert_eq!((all.find(name), all.text(*id)), (Some(*id), name.as_str()));
        }
        assert_eq!(
            (all.find("lib3-"), all.find("new"), all.find("")),
            (Some(ids[0][3]), Some(ids[1][0]), Some(ids[1][2]))
        );
        assert_eq!((all.find("lib"), all.text(NameId(5002))), (None, ""));
        let (none, _) = Names::merge(&[], 7);
        assert_eq!((none.find("a"), none.len()), (None, 0));
    }
}
