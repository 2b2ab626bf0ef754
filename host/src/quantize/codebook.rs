//! Sixteen values for the int8 codes of a layer: k-means in one dimension, solved exactly.
//!
//! The codes of a layer are at most 255 numbers with their counts, and a value is one of these numbers. So the best
//! choice of sixteen is a shortest path through the numbers from below to above, found by dynamic programming (as Wang &
//! Song 2011, with whole centres): no start to choose, no cluster that could be empty. Every path goes through 0, so that
//! a weight of 0 keeps its value whatever the others are.

use niwaki_core::kernels::tiles::codebook::VALUES;

/// The largest code; the smallest is its negative.
const LARGEST: i32 = 127;
/// Codes.
const CODES: usize = 2 * LARGEST as usize + 1;
/// Where code 0 is among them.
const ZERO: usize = LARGEST as usize;

/// Moves every code to the nearest of the sixteen values that lose least, the lower one of two.
pub(super) fn cluster(codes: &mut [i8]) {
    let values = values(codes);
    for code in codes {
        let distance = |value: i32| (value - i32::from(*code)).abs();
        let nearest = values.iter().copied().min_by_key(|&value| distance(value)).unwrap_or(0);
        *code = nearest as i8;
    }
}

/// The values whose squared distance from the codes, each from the nearest, has the smallest sum: rising, 0 among them.
fn values(codes: &[i8]) -> [i32; VALUES] {
    let mut counts = [0_u64; CODES];
    for &code in codes {
        counts[(i32::from(code).clamp(-LARGEST, LARGEST) + LARGEST) as usize] += 1;
    }
    let gaps = gaps(&counts);
    // best[n][to]: what the codes below `to` lose with n + 1 values of which `to` is the last, and the value before it.
    let mut best = vec![[(u64::MAX, 0); CODES]; VALUES];
    for (to, first) in best[0].iter_mut().enumerate().take(ZERO + 1) {
        *first = (gaps.below(to), 0);
    }
    for n in 1..VALUES {
        for to in n..CODES {
            // No step passes over 0.
            let from = if to > ZERO { ZERO.max(n - 1) } else { n - 1 };
            let step = |from: usize| (best[n - 1][from].0.saturating_add(gaps.between(from, to)), from);
            best[n][to] = (from..to).map(step).min().unwrap_or((u64::MAX, 0));
        }
    }
    let loss = |last: usize| best[VALUES - 1][last].0.saturating_add(gaps.above(last));
    let mut at = (ZERO..CODES).min_by_key(|&last| loss(last)).unwrap_or(ZERO);
    let mut values = [0; VALUES];
    for n in (0..VALUES).rev() {
        values[n] = at as i32 - LARGEST;
        at = best[n][at].1;
    }
    values
}

/// What codes lose to the values on either side of them.
struct Gaps {
    below: Vec<u64>,
    between: Vec<u64>,
    above: Vec<u64>,
}

impl Gaps {
    /// All codes below the first value `to`.
    fn below(&self, to: usize) -> u64 {
        self.below[to]
    }

    /// The codes between two neighbouring values.
    fn between(&self, from: usize, to: usize) -> u64 {
        self.between[from * CODES + to]
    }

    /// All codes above the last value `from`.
    fn above(&self, from: usize) -> u64 {
        self.above[from]
    }
}

fn gaps(counts: &[u64; CODES]) -> Gaps {
    let squares = |at: usize, value: usize| counts[at] * (at.abs_diff(value) as u64).pow(2);
    let near = |at: usize, from: usize, to: usize| squares(at, from).min(squares(at, to));
    let mut between = vec![0; CODES * CODES];
    for from in 0..CODES {
        for to in from + 1..CODES {
            between[from * CODES + to] = (from + 1..to).map(|at| near(at, from, to)).sum();
        }
    }
    Gaps {
        below: (0..CODES).map(|to| (0..to).map(|at| squares(at, to)).sum()).collect(),
        between,
        above: (0..CODES).map(|from| (from + 1..CODES).map(|at| squares(at, from)).sum()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    use std::collections::BTreeSet;

    /// The codes of a layer: sums of a few uniform numbers, the part `zeros` of 100 pruned.
    fn layer(rng: &mut ChaCha8Rng, len: usize, sums: usize, zeros: u32) -> Vec<i8> {
        let mut code = || {
            let part = |rng: &mut ChaCha8Rng| f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
            let sum: f64 = (0..sums).map(|_| part(rng)).sum();
            if rng.next_u32() % 100 < zeros {
                0
            } else {
                (254.0 * sum / (sums as f64).sqrt()).clamp(-127.0, 127.0) as i8
            }
        };
        (0..len).map(|_| code()).collect()
    }

    fn loss(codes: &[i8], clustered: &[i8]) -> u64 {
        codes.iter().zip(clustered).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum()
    }

    /// Every code moved to the nearest of these values.
    fn onto(codes: &[i8], values: &[i8]) -> Vec<i8> {
        codes.iter().map(|&code| *values.iter().min_by_key(|value| value.abs_diff(code)).expect("values")).collect()
    }

    fn layers() -> impl Iterator<Item = Vec<i8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        (0..60).map(move |n| layer(&mut rng, [1, 7, 100, 3000][n % 4], 1 + n % 5, [0, 50, 90][n % 3]))
    }

    #[test]
    fn a_layer_has_at_most_sixteen_values_and_its_zeros_stay() {
        for codes in layers() {
            let mut clustered = codes.clone();
            cluster(&mut clustered);
            assert!(clustered.iter().collect::<BTreeSet<_>>().len() <= VALUES);
            for (code, value) in codes.iter().zip(&clustered).filter(|(code, _)| **code == 0) {
                assert_eq!(code, value);
            }
        }
        let few: Vec<i8> = (0..1000).map(|n| (n % 15 * 17 - 120) as i8).collect();
        let mut clustered = few.clone();
        cluster(&mut clustered);
        assert_eq!(clustered, few, "what is 15 values and perhaps 0 stays");
        cluster(&mut []);
    }

    #[test]
    fn evenly_spaced_values_lose_no_less() {
        for codes in layers() {
            let mut clustered = codes.clone();
            cluster(&mut clustered);
            let best = loss(&codes, &clustered);
            for step in 1..=17 {
                let even: Vec<i8> = (-8..8).map(|n| (n * step).clamp(-127, 127) as i8).collect();
                let mirrored: Vec<i8> = even.iter().map(|&value| value.saturating_neg()).collect();
                assert!(best <= loss(&codes, &onto(&codes, &even)), "step {step}");
                assert!(best <= loss(&codes, &onto(&codes, &mirrored)), "step {step}");
            }
        }
    }

    #[test]
    fn no_other_value_in_the_place_of_one_loses_less() {
        for codes in layers().take(12) {
            let found = values(&codes);
            let found: Vec<i8> = found.iter().map(|&value| value as i8).collect();
            let best = loss(&codes, &onto(&codes, &found));
            let others = (0..VALUES).filter(|&n| found[n] != 0);
            for (n, value) in others.flat_map(|n| (-127..=127).map(move |value| (n, value))) {
                let mut other = found.clone();
                other[n] = value;
                assert!(best <= loss(&codes, &onto(&codes, &other)), "{found:?}: {value} for number {n}");
            }
        }
    }
}
