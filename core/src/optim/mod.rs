//! Optimizer steps: elementwise updates over slices that the caller owns.
//!
//! Scalars of a step (bias corrections, products of rates) are computed once in `f64` and rounded to the type of the
//! values; the loop over elements has no branch. Seeds, schedules and the step counter belong to the caller.

use crate::error::OptimError;

pub mod adam;
pub mod sgd;

#[cfg(test)]
mod tests;

/// How weights decay.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Decay {
    /// Not at all.
    #[default]
    None,
    /// `g += wd · x`: L2 regularisation, seen by the moments (Adam, SGD).
    Coupled(f64),
    /// `x *= 1 − lr · wd` before the step (AdamW, SGDW).
    Decoupled(f64),
}

impl Decay {
    /// `(l2, shrink)` of `g + l2 · x` and `shrink · x`.
    fn factors(self, lr: f64) -> Result<(f64, f64), OptimError> {
        let (rate, factors) = match self {
            Self::None => (0.0, (0.0, 1.0)),
            Self::Coupled(wd) => (wd, (wd, 1.0)),
            Self::Decoupled(wd) => (wd, (0.0, 1.0 - lr * wd)),
        };
        in_range("decay", rate.is_finite() && rate >= 0.0)?;
        Ok(factors)
    }
}

fn in_range(name: &'static str, holds: bool) -> Result<(), OptimError> {
    if holds { Ok(()) } else { Err(OptimError::Hyper { name }) }
}

fn expect_len(operand: &'static str, expected: usize, got: usize) -> Result<(), OptimError> {
    if expected == got { Ok(()) } else { Err(OptimError::Len { operand, expected, got }) }
}
