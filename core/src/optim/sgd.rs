//! Stochastic gradient descent with momentum as PyTorch defines it, without dampening (specs/optimizers.md §1).

use super::{Decay, expect_len, in_range};
use crate::error::OptimError;
use crate::real::Real;

/// Hyper-parameters of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyper {
    /// Learning rate of this step; it stays outside the momentum buffer.
    pub lr: f64,
    /// Decay of the weights.
    pub decay: Decay,
}

/// Heavy-ball or Nesterov momentum.
#[derive(Debug)]
pub struct Momentum<'a, T> {
    /// One entry a value, zero before the first step.
    pub buffer: &'a mut [T],
    /// Share of the buffer that each step keeps, in `[0, 1)`.
    pub factor: f64,
    /// Look ahead: step along `g + factor · buffer` instead of the buffer.
    pub nesterov: bool,
}

/// One step.
///
/// ```text
/// g += l2 x;  x *= shrink;  b = factor b + g;  x −= lr (nesterov ? g + factor b : b)
/// ```
/// # Shapes
/// `values, gradients, momentum.buffer: [n]`
/// # Numerics
/// Elementwise in `T`, without fused multiply-add; scalars in `f64`, rounded once. The same bits on every target.
/// # Errors
/// [`OptimError`] names the operand or the hyper-parameter; nothing is written then.
// Always inlined, so that a caller compiled for wider vectors gets this loop in wider vectors.
#[inline(always)]
pub fn step<T: Real>(
    values: &mut [T],
    gradients: &[T],
    momentum: Option<Momentum<'_, T>>,
    hyper: &Hyper,
) -> Result<(), OptimError> {
    expect_len("gradients", values.len(), gradients.len())?;
    in_range("lr", hyper.lr.is_finite())?;
    let (l2, shrink) = hyper.decay.factors(hyper.lr)?;
    let (l2, shrink, lr) = (T::from_f64(l2), T::from_f64(shrink), T::from_f64(hyper.lr));
    let pairs = values.iter_mut().zip(gradients);
    let Some(Momentum { buffer, factor, nesterov }) = momentum else {
        pairs.for_each(|(x, g)| *x = shrink * *x - lr * (*g + l2 * *x));
        return Ok(());
    };
    expect_len("buffer", gradients.len(), buffer.len())?;
    in_range("factor", (0.0..1.0).contains(&factor))?;
    let factor = T::from_f64(factor);
    // d = ahead · g + along · b
    let (ahead, along) = if nesterov { (T::ONE, factor) } else { (T::ZERO, T::ONE) };
    for ((x, g), b) in pairs.zip(buffer) {
        let g = *g + l2 * *x;
        *b = factor * *b + g;
        *x = shrink * *x - lr * (ahead * g + along * *b);
    }
    Ok(())
}
