//! The 32-bit ones-complement sum of the FITS checksum convention, over bytes that come in any pieces.
//!
//! What it does not do: know where an HDU begins; its user feeds it whole blocks in the end.

/// A sum in the making. The words are big-endian, counted from the first byte taken in.
#[derive(Debug, Clone, Default)]
pub(super) struct OnesComplementSum {
    total: u64,
    /// The bytes of a word that the last piece cut in two.
    held: [u8; 4],
    holds: usize,
}

impl OnesComplementSum {
    /// Takes in the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        if self.holds > 0 {
            let take = bytes.len().min(4 - self.holds);
            self.held[self.holds..self.holds + take].copy_from_slice(&bytes[..take]);
            self.holds += take;
            bytes = &bytes[take..];
            if self.holds < 4 {
                return;
            }
            self.total += u64::from(u32::from_be_bytes(self.held));
            self.holds = 0;
        }
        let (words, rest) = bytes.as_chunks::<4>();
        // Carries pile up in the upper half and are folded once a piece: 2^20 words cannot fill it.
        for piece in words.chunks(1 << 20) {
            self.total = fold(self.total) + piece.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum::<u64>();
        }
        self.held[..rest.len()].copy_from_slice(rest);
        self.holds = rest.len();
    }

    /// The sum of all bytes taken in, as if zeros filled the last word.
    pub(super) fn value(&self) -> u32 {
        let mut last = [0; 4];
        last[..self.holds].copy_from_slice(&self.held[..self.holds]);
        let total = fold(fold(self.total) + u64::from(u32::from_be_bytes(last)));
        u32::try_from(total).unwrap_or(u32::MAX)
    }
}

/// Adds the carries back in, until there are none: ones-complement arithmetic. The value is at most `u32::MAX`.
fn fold(mut total: u64) -> u64 {
    while total >> 32 != 0 {
        total = (total >> 32) + (total & 0xffff_ffff);
    }
    total
}

/// Ones-complement addition.
pub(super) fn add(a: u32, b: u32) -> u32 {
    u32::try_from(fold(u64::from(a) + u64::from(b))).unwrap_or(u32::MAX)
}

/// True when both stand for one value: ones complement has two zeros, all bits clear and all bits set.
pub(super) fn same(a: u32, b: u32) -> bool {
    let one_zero = |sum: u32| if sum == u32::MAX { 0 } else { sum };
    one_zero(a) == one_zero(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_another_implementation_however_the_bytes_are_cut(
            seed in proptest::collection::vec(any::<u8>(), 1..600), blocks in 1usize..4, cut in 1usize..97,
        ) {
            let bytes: Vec<u8> = seed.iter().copied().cycle().take(blocks * super::super::BLOCK).collect();
            let mut sum = OnesComplementSum::default();
            bytes.chunks(cut).for_each(|piece| sum.push(piece));
            prop_assert_eq!(sum.value(), fitsio_pure::checksum::checksum_blocks(&bytes));
        }
    }

    #[test]
    fn carries_of_many_full_words_are_kept() {
        let mut sum = OnesComplementSum::default();
        sum.push(&vec![0xff; 5 << 20]);
        assert!(same(sum.value(), 0));
        sum.push(&[0, 0, 0, 7]);
        assert_eq!(sum.value(), 7);
    }
}
