//! Where a run of plain bytes ends, eight bytes at a step: names and fields are short, and an archive has millions.
//!
//! In: bytes. Out: a length. The arithmetic is that of “Bit Twiddling Hacks” (Anderson, “Determine if a word has a
//! byte less than n”): a byte's high bit is set where it is below a bound, or equal to another; the lowest one set is
//! always right, which is all that is asked for.

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Eight bytes below `bound` (at most 0x80).
#[inline(always)]
const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(LOW * bound as u64) & !word & HIGH
}

/// Eight bytes equal to `byte`.
#[inline(always)]
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (LOW * byte as u64), 1)
}

/// The length of what `text` begins with before the first byte that is below `bound`, one of `stops`, or beyond ASCII.
#[inline(always)]
pub(super) fn run<const N: usize>(text: &[u8], bound: u8, stops: [u8; N]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let mut found = below(word, bound) | (word & HIGH);
        for stop in stops {
            found |= equal(word, stop);
        }
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| *byte < bound || *byte >= 0x80 || stops.contains(byte);
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_one_byte_at_a_time(text in proptest::collection::vec(any::<u8>(), 0..40), plain in "[a-z+.-]{0,20}") {
            let text = [plain.as_bytes(), &text].concat();
            let slow = |bound, stops: &[u8]| {
                text.iter().position(|b| *b < bound || *b >= 0x80 || stops.contains(b)).unwrap_or(text.len())
            };
            prop_assert_eq!(run(&text, 0x21, [b':', 0x7f]), slow(0x21, &[b':', 0x7f]));
            prop_assert_eq!(run(&text, b'+', [b',', b':', b'|']), slow(b'+', b",:|"));
            prop_assert_eq!(run(&text, 0, []), slow(0, &[]));
        }
    }
}
