//! Augmentation: training samples, changed a little at random.

use crate::recipe;
use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// How a training sample is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Move {
    down: i8,
    right: i8,
    mirror: bool,
}

impl Move {
    /// Up to `train.shift` pixels along rows and columns, and with `train.flip` mirrored left to right in one of two
    /// cases. Draws rows, columns, then the mirror; what is off draws no random number, nor does a sample that is no
    /// image `[H, W, C]`.
    pub(super) fn draw(train: &recipe::Train, shape: &[usize], rng: &mut ChaCha8Rng) -> Self {
        if shape.len() != 3 {
            return Self::default();
        }
        let limit = train.shift;
        let mut draw = || match limit {
            0 => 0,
            // A recipe shifts by 64 at most.
            _ => ((rng.next_u32() % (2 * limit as u32 + 1)) as isize - limit as isize) as i8,
        };
        let (down, right) = (draw(), draw());
        Self { down, right, mirror: train.flip && rng.next_u32() & 1 == 1 }
    }

    /// Appends `sample: [H, W, C]` to `batch`, moved; zeros move in.
    pub(super) fn apply(self, sample: &[f32], shape: &[usize], batch: &mut Vec<f32>) {
        let Self { down, right, mirror } = self;
        let (&[rows, columns, channels], true) = (shape, self != Self::default()) else {
            batch.extend_from_slice(sample);
            return;
        };
        for row in 0..rows {
            let source = row.checked_add_signed(-isize::from(down)).filter(|&r| r < rows);
            for column in 0..columns {
                let from = column.checked_add_signed(-isize::from(right)).filter(|&c| c < columns);
                let from = from.map(|c| if mirror { columns - 1 - c } else { c });
                match source.zip(from) {
                    Some((r, c)) => batch.extend_from_slice(&sample[(r * columns + c) * channels..][..channels]),
                    None => batch.extend(std::iter::repeat_n(0.0, channels)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::BTreeSet;

    const SHAPE: [usize; 3] = [5, 5, 2];

    fn sample() -> Vec<f32> {
        (1..=50).map(|v| v as f32).collect()
    }

    fn changed(shift: usize, flip: bool, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut batch = Vec::new();
        let train = recipe::Train { shift, flip, ..recipe::Train::default() };
        Move::draw(&train, &SHAPE, rng).apply(&sample(), &SHAPE, &mut batch);
        batch
    }

    #[test]
    fn every_shift_within_the_limit_occurs_and_no_other() {
        let mut seen = BTreeSet::new();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..400 {
            let moved = changed(1, false, &mut rng);
            // Where the element at row 2, column 2 went, whose first channel is 25.
            let at = moved.iter().position(|&v| v == 25.0).expect("it stays inside") / 2;
            seen.insert((at / 5, at % 5));
            assert_eq!(moved.len(), SHAPE.iter().product::<usize>());
            assert!(moved.chunks(2).all(|p| p == [0.0, 0.0] || p[1] == p[0] + 1.0), "channels stay together");
        }
        assert_eq!(seen.len(), 9);
        assert!(seen.iter().all(|&(r, c)| (1..=3).contains(&r) && (1..=3).contains(&c)));
    }

    #[test]
    fn a_flip_mirrors_columns_in_one_of_two_cases() {
        let mirrored: Vec<f32> = sample().chunks(10).flat_map(|row| row.chunks(2).rev().flatten().copied()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut flips = 0;
        for _ in 0..400 {
            let batch = changed(0, true, &mut rng);
            assert!(batch == sample() || batch == mirrored);
            flips += usize::from(batch == mirrored);
        }
        // Four standard deviations of a fair coin.
        assert!((160..=240).contains(&flips), "{flips} of 400");
    }

    #[test]
    fn the_flip_is_drawn_after_the_shift() {
        for seed in 0..20 {
            let [mut alone, mut with] = [(); 2].map(|()| ChaCha8Rng::seed_from_u64(seed));
            let (shifted, both) = (changed(1, false, &mut alone), changed(1, true, &mut with));
            let rows = |batch: &[f32]| batch.chunks(10).map(|r| r.iter().all(|&v| v == 0.0)).collect::<Vec<_>>();
            assert_eq!(rows(&shifted), rows(&both));
            assert_eq!(alone.next_u32() & 1 == 1, both != shifted);
        }
    }

    #[test]
    fn what_is_off_draws_no_random_number() {
        let [mut used, mut fresh] = [(); 2].map(|()| ChaCha8Rng::seed_from_u64(7));
        assert_eq!(changed(0, false, &mut used), sample());
        assert_eq!(used.next_u32(), fresh.next_u32());
    }
}
