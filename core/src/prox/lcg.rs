//! Random numbers of the tests beside this file: the generator of specs/optimizers.md §0.

/// Uniform in `[-0.5, 0.5)`.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1 << 24) - 0.5
    }

    pub(super) fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (self.uniform() + 0.5) * (hi - lo)
    }

    pub(super) fn size(&mut self, lo: usize, hi: usize) -> usize {
        self.between(lo as f64, hi as f64 + 1.0) as usize
    }

    /// Tails like `1 / x²`.
    pub(super) fn heavy(&mut self) -> f64 {
        self.uniform() / (0.01 + self.uniform().abs())
    }
}
