//! core's projection onto at most so many nonzero values, in parts that threads share.

use super::EngineOf;
use super::threads::{PARTS, Threads};

/// Bits of a magnitude by pass, highest first: `(shift, width)`. A float's sign is none of them.
const PASSES: [(u32, u32); 3] = [(20, 11), (10, 10), (0, 10)];
const DIGITS: usize = 1 << 11;

/// A part of the values, and how many of its magnitudes have each digit.
struct Part<'a> {
    values: &'a mut [f32],
    counts: Vec<u32>,
    /// Of the magnitudes at the cut, how many of this part go.
    ties: usize,
}

fn magnitude(value: f32) -> u32 {
    value.to_bits() & (u32::MAX >> 1)
}

impl EngineOf<f32> {
    /// Zeroes the `zeros` parameters of smallest magnitude: `niwaki_core::teddy::project_l0`, bit for bit.
    pub fn project_l0(&mut self, zeros: usize) {
        self.fresh = false;
        project(&self.threads, &mut self.values, zeros);
    }
}

fn project(threads: &Threads, values: &mut [f32], zeros: usize) {
    if zeros == 0 || values.is_empty() {
        return;
    }
    let len = values.len().div_ceil(PARTS);
    let part = |values| Part { values, counts: vec![0; DIGITS], ties: 0 };
    let mut parts: Vec<Part<'_>> = values.chunks_mut(len).map(part).collect();
    let (mut prefix, mut rank) = (0_u32, zeros);
    for (shift, width) in PASSES {
        let above = shift + width;
        threads.parts(&mut parts, 1, |_, parts| {
            for Part { values, counts, .. } in parts {
                counts.fill(0);
                for key in values.iter().map(|value| magnitude(*value)) {
                    // A shift by all bits would be none.
                    if above == 31 || key >> above == prefix >> above {
                        counts[(key >> shift) as usize & ((1 << width) - 1)] += 1;
                    }
                }
            }
        });
        let count = |digit: usize| parts.iter().map(|part| part.counts[digit] as usize).sum::<usize>();
        let mut digit = 0;
        while digit < 1 << width && count(digit) < rank {
            rank -= count(digit);
            digit += 1;
        }
        if digit == 1 << width {
            // Fewer values than zeros.
            parts.into_iter().for_each(|part| part.values.fill(0.0));
            return;
        }
        prefix |= (digit as u32) << shift;
    }
    // The first of those that are equal to the cut go.
    let digit = prefix as usize & ((1 << PASSES[2].1) - 1);
    for part in &mut parts {
        part.ties = rank.min(part.counts[digit] as usize);
        rank -= part.ties;
    }
    threads.parts(&mut parts, 1, |_, parts| {
        for Part { values, ties, .. } in parts {
            for value in values.iter_mut() {
                let key = magnitude(*value);
                let tie = key == prefix && *ties > 0;
                *ties -= usize::from(tie);
                *value = if key < prefix || tie { 0.0 } else { *value };
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    #[test]
    fn every_number_of_zeros_has_the_bits_of_core() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let each = [1, 3].map(|threads| Threads::new(threads).expect("threads"));
        for len in [1, 15, 16, 17, 1000, 40_000] {
            // Any bits but NaN, and many that are equal.
            let mut value = |_| match rng.next_u32() {
                bits if bits % 3 == 0 => (bits >> 28) as f32 - 8.0,
                bits => Some(f32::from_bits(bits)).filter(|value| !value.is_nan()).unwrap_or(0.5),
            };
            let values: Vec<f32> = (0..len).map(&mut value).collect();
            for zeros in [0, 1, len / 7, len / 2, len * 9 / 10, len, len + 3] {
                let mut expected = values.clone();
                niwaki_core::teddy::project_l0(&mut [&mut expected], zeros);
                for threads in &each {
                    let mut got = values.clone();
                    project(threads, &mut got, zeros);
                    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert!(bits(&got) == bits(&expected), "{zeros} of {len}");
                }
            }
        }
    }
}
