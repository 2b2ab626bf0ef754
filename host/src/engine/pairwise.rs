//! Sums, differences and products of two operands, of which the second may repeat along the leading axes.
//!
//! A channel's scale or offset, a gate of one value a channel, a scalar and a whole tensor differ only in after how
//! many elements the second operand begins again.

use super::elementwise::{self, Clamp};
use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use crate::graph::Activation;
use crate::ops::training::Arithmetic;
use pulp::Arch;

/// `a, y: [batch, len] · b: [batch, period]`, or `[period]` where it is the same for every sample.
#[derive(Debug, Clone)]
pub(super) struct Pairwise {
    pub(super) arithmetic: Arithmetic,
    pub(super) len: usize,
    /// Divides `len`.
    pub(super) period: usize,
    pub(super) activation: Activation,
}

impl Pairwise {
    /// `y = clamp(a ∘ b)`
    pub(super) fn forward<T: Real>(&self, arch: Arch, a: &[T], b: &[T], y: &mut [T]) {
        let clamp = Clamp::new(self.activation);
        match self.arithmetic {
            Arithmetic::Add => self.update(arch, a, b, y, |_, a, b| clamp.of(a + b)),
            Arithmetic::Sub => self.update(arch, a, b, y, |_, a, b| clamp.of(a - b)),
            Arithmetic::Mul => self.update(arch, a, b, y, |_, a, b| clamp.of(a * b)),
        }
    }

    /// The gradient of the first operand; `dy` is masked.
    pub(super) fn first_gradient<T: Real>(&self, arch: Arch, dy: &[T], b: &[T], into: Into, da: &mut [T]) {
        match (self.arithmetic, into) {
            (Arithmetic::Add | Arithmetic::Sub, _) => elementwise::deliver(arch, dy, into, da),
            (Arithmetic::Mul, Into::Write) => self.update(arch, dy, b, da, |_, dy, b| dy * b),
            (Arithmetic::Mul, Into::Add) => self.update(arch, dy, b, da, |da, dy, b| da + dy * b),
        }
    }

    /// Adds the gradient of the second operand to `db`; `dy` is masked.
    pub(super) fn second_gradient<T: Real>(&self, arch: Arch, dy: &[T], a: &[T], db: &mut [T]) {
        match self.arithmetic {
            Arithmetic::Add => self.gather(arch, dy, a, db, |db, dy, _| db + dy),
            Arithmetic::Sub => self.gather(arch, dy, a, db, |db, dy, _| db - dy),
            Arithmetic::Mul => self.gather(arch, dy, a, db, |db, dy, a| db + dy * a),
        }
    }

    /// `to = f(to, from, b)` at every element of `to`.
    #[inline(always)]
    fn update<T: Real>(&self, arch: Arch, from: &[T], b: &[T], to: &mut [T], f: impl Fn(T, T, T) -> T) {
        let period = self.period;
        vectorize!(arch, {
            let samples = from.chunks_exact(self.len).zip(to.chunks_exact_mut(self.len));
            for ((from, to), b) in samples.zip(b.chunks_exact(period).cycle()) {
                for (from, to) in from.chunks_exact(period).zip(to.chunks_exact_mut(period)) {
                    for ((to, &from), &b) in to.iter_mut().zip(from).zip(b) {
                        *to = f(*to, from, b);
                    }
                }
            }
        });
    }

    /// `db = f(db, dy, a)` once for every element of `dy`.
    #[inline(always)]
    fn gather<T: Real>(&self, arch: Arch, dy: &[T], a: &[T], db: &mut [T], f: impl Fn(T, T, T) -> T) {
        let (period, count) = (self.period, db.len() / self.period);
        vectorize!(arch, {
            let samples = dy.chunks_exact(self.len).zip(a.chunks_exact(self.len));
            for (sample, (dy, a)) in samples.enumerate() {
                let db = &mut db[sample % count * period..][..period];
                for (dy, a) in dy.chunks_exact(period).zip(a.chunks_exact(period)) {
                    for ((db, &dy), &a) in db.iter_mut().zip(dy).zip(a) {
                        *db = f(*db, dy, a);
                    }
                }
            }
        });
    }
}
