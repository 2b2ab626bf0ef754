//! The k smallest of any number of keys by radix select (specs/optimizers.md §6): one pass a byte over keys that are
//! computed anew each time, so that it needs 256 counters and no memory for the keys.

use crate::real::Real;

/// Counters of one pass.
const DIGITS: usize = 256;

/// Where the k smallest keys end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    key: u64,
    ties: usize,
}

impl Cut {
    /// The cut above the `k` smallest of `keys()`, or above all where there are fewer.
    ///
    /// `keys` must give the same keys, of `bits` bits, each time.
    pub fn above_smallest<K: Iterator<Item = u64>>(keys: impl Fn() -> K, bits: u32, k: usize) -> Self {
        if k == 0 {
            return Self { key: 0, ties: 0 };
        }
        let (mut prefix, mut mask, mut rank) = (0_u64, 0_u64, k);
        for shift in (0..bits.div_ceil(8)).rev().map(|byte| 8 * byte) {
            let mut counts = [0_usize; DIGITS];
            for key in keys().filter(|key| key & mask == prefix) {
                let digit = (key >> shift) as u8;
                if let Some(count) = counts.get_mut(usize::from(digit)) {
                    *count += 1;
                }
            }
            let mut found = None;
            for (digit, count) in (0_u64..).zip(counts) {
                if count >= rank {
                    found = Some(digit);
                    break;
                }
                rank -= count;
            }
            let Some(digit) = found else { return Self { key: u64::MAX, ties: usize::MAX } };
            prefix |= digit << shift;
            mask |= 0xff << shift;
        }
        Self { key: prefix, ties: rank }
    }

    /// The cut above the `k` smallest absolute values.
    pub fn above_smallest_of<T: Real, V: Iterator<Item = T>>(values: impl Fn() -> V, k: usize) -> Self {
        Self::above_smallest(|| values().map(Real::magnitude_bits), T::BITS, k)
    }

    /// Whether a key is below the cut. To be called for all keys in their order: of those equal to the cut the first are
    /// below it.
    #[inline(always)]
    pub fn takes(&mut self, key: u64) -> bool {
        let tie = key == self.key && self.ties > 0;
        self.ties -= usize::from(tie);
        key < self.key || tie
    }

    /// Whether the cut may split the keys that equal this one: some are below it, others not.
    #[inline]
    pub(crate) fn is_at(&self, key: u64) -> bool {
        key == self.key
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test may panic: that is how it fails")]

    use super::*;

    fn taken(keys: &[u64], k: usize) -> Vec<bool> {
        let mut cut = Cut::above_smallest(|| keys.iter().copied(), 16, k);
        keys.iter().map(|key| cut.takes(*key)).collect()
    }

    #[test]
    fn exactly_k_are_taken_and_of_equal_keys_the_first() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 55
        };
        for len in [1, 2, 17, 300] {
            // Nine bits in sixteen: many ties.
            let keys: Vec<u64> = (0..len).map(|_| next() << (next() % 8)).collect();
            let mut order: Vec<usize> = (0..len).collect();
            order.sort_by_key(|at| keys[*at]);
            for k in [0, 1, len / 3, len - 1, len, len + 5] {
                let mut expected = vec![false; len];
                order.iter().take(k).for_each(|at| expected[*at] = true);
                assert_eq!(taken(&keys, k), expected, "{k} of {len}");
            }
        }
    }
}
