//! Dropout whose mask is a function of seed, step, layer and element: nothing is stored, and no thread can change it.

use super::real::Real;
use super::simd::vectorize;
use super::threads::Threads;
use pulp::Arch;

/// A layer that drops elements in training and does nothing at inference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dropout {
    pub(super) rate: f32,
    /// Counts the layers of a network.
    pub(super) layer: usize,
}

/// The random numbers of one training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Randomness {
    /// Of the run.
    pub seed: u64,
    /// Counts the steps.
    pub step: u64,
}

impl Dropout {
    fn mask(self, Randomness { seed, step }: Randomness) -> Mask {
        Mask::new(self.rate, seed, step, self.layer)
    }

    pub(super) fn forward<T: Real>(self, arch: Arch, threads: &Threads, random: Randomness, x: &[T], y: &mut [T]) {
        self.mask(random).apply(arch, threads, self.rate, x, y);
    }

    /// Turns the gradient of the output into that of the input, in place.
    pub(super) fn gradient<T: Real>(self, arch: Arch, threads: &Threads, random: Randomness, dy: &mut [T]) {
        self.mask(random).apply_in_place(arch, threads, self.rate, dy);
    }
}

/// The random numbers of one layer in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mask {
    key: u32,
    /// An element stays when its number is not below this.
    threshold: u32,
}

impl Mask {
    fn new(rate: f32, seed: u64, step: u64, layer: usize) -> Self {
        let mut key = seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (layer as u64).rotate_left(40);
        // The finaliser of SplitMix64.
        key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { key: (key ^ (key >> 31)) as u32, threshold: (f64::from(rate) * 2.0_f64.powi(32)) as u32 }
    }

    /// Whether element `index` stays: two rounds of multiply and shift, which vectorise.
    #[inline(always)]
    fn keeps(self, index: u32) -> bool {
        let mut hash = index ^ self.key;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x7feb_352d);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x846c_a68b);
        (hash ^ (hash >> 16)) >= self.threshold
    }

    /// `y = x / (1 - rate)` where an element stays, else 0.
    fn apply<T: Real>(self, arch: Arch, threads: &Threads, rate: f32, x: &[T], y: &mut [T]) {
        threads.rows(y, 1, |start, part| self.apply_from(arch, start, rate, &x[start..start + part.len()], part));
    }

    /// As [`apply`](Self::apply) on the caller's thread, elements counted from `first`.
    fn apply_from<T: Real>(self, arch: Arch, first: usize, rate: f32, x: &[T], y: &mut [T]) {
        let scale = T::from_f64(1.0 / (1.0 - f64::from(rate)));
        vectorize!(arch, {
            // By index and without a branch: only so does LLVM put the random numbers into vectors.
            let (x, y) = (&x[..y.len()], y);
            for i in 0..y.len() {
                let kept = x[i] * scale;
                y[i] = if self.keeps((first as u32).wrapping_add(i as u32)) { kept } else { T::ZERO };
            }
        });
    }

    /// The same in place.
    fn apply_in_place_from<T: Real>(self, arch: Arch, first: usize, rate: f32, x: &mut [T]) {
        let scale = T::from_f64(1.0 / (1.0 - f64::from(rate)));
        vectorize!(arch, {
            for (i, x) in x.iter_mut().enumerate() {
                let kept = *x * scale;
                *x = if self.keeps((first as u32).wrapping_add(i as u32)) { kept } else { T::ZERO };
            }
        });
    }

    /// [`apply`](Self::apply) in place.
    fn apply_in_place<T: Real>(self, arch: Arch, threads: &Threads, rate: f32, x: &mut [T]) {
        threads.rows(x, 1, |start, part| self.apply_in_place_from(arch, start, rate, part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_dropped_is_the_rate_and_every_step_drops_others() {
        let threads = Threads::new(1).expect("one thread");
        let drop = |step| {
            let mut y = vec![1.0_f32; 100_000];
            Mask::new(0.6, 7, step, 0).apply_in_place(Arch::new(), &threads, 0.6, &mut y);
            y
        };
        let (first, second) = (drop(1), drop(2));
        let dropped = first.iter().filter(|y| **y == 0.0).count() as f64 / 1e5;
        // Five standard deviations of a binomial share.
        assert!((dropped - 0.6).abs() < 5.0 * (0.24_f64 / 1e5).sqrt(), "{dropped}");
        let scale = (1.0 / (1.0 - f64::from(0.6_f32))) as f32;
        assert!(first.iter().all(|y| *y == 0.0 || *y == scale));
        let both = first.iter().zip(&second).filter(|(a, b)| **a == 0.0 && **b == 0.0).count() as f64 / 1e5;
        assert!((both - 0.36).abs() < 5.0 * (0.36 * 0.64_f64 / 1e5).sqrt(), "steps are independent: {both}");
    }
}
