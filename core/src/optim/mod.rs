//! Optimizer steps: elementwise updates over slices that the caller owns.
//!
//! A rule is a struct of its hyper-parameters that implements [`Optimizer`]; [`Kind`] is the table of all rules that can be
//! chosen by name. State belongs to the caller: a list of slices as long as the values, zero before the first step, as
//! many as the rule's [`slots`](Optimizer::slots) say (0 or more). Scalars of a step (bias corrections, products of
//! rates) are computed once in `f64` and rounded to the type of the values; the loop over elements has no branch. Seeds,
//! schedules ([`crate::schedule`]) and the step counter belong to the caller.
//!
//! ```
//! use core::num::NonZeroU32;
//! use niwaki_core::optim::{Hyper, Kind};
//!
//! let (mut values, gradients) = ([0.5_f32, -0.25], [1.0_f32, -1.0]);
//! let (mut m, mut v) = ([0.0; 2], [0.0; 2]);
//! let hyper = Hyper { lr: 0.1, ..Hyper::default() };
//! Kind::Adam.step(&hyper, &mut values, &gradients, &mut [&mut m, &mut v], NonZeroU32::MIN)?;
//! assert!(values[0] < 0.41 && values[1] > -0.16);
//! # Ok::<(), niwaki_core::error::OptimError>(())
//! ```
//!
//! # Adding an optimizer
//!
//! 1. A file `core/src/optim/NAME.rs`: a struct of the hyper-parameters, how it is made of [`Hyper`], and its
//!    `impl Optimizer`.
//! 2. A row in the table `optimizers!` at the end of `core/src/optim/mod.rs`.
//!
//! That is all: `optimizer.name` in recipes, the trainer, its checkpoints (one tensor `optimizer.SLOT` a slot) and the
//! sparsity methods, which hold every slot of a dropped value at zero, read the table. A slot called
//! [`SECOND_MOMENT`] is what methods in Adam's metric look for. Values of the rule's authors belong beside those of
//! PyTorch in `core/src/optim/tests.rs`. Only a hyper-parameter that no other rule has is more: a field of [`Hyper`], and
//! the key of the same name in `host/src/recipe/`.

use crate::error::OptimError;
use crate::real::Real;
use core::num::NonZeroU32;

pub mod adam;
pub mod sgd;

#[cfg(test)]
mod tests;

/// The name of a slot that holds the mean of squared gradients with decay `beta2`, not corrected for its start at zero.
pub const SECOND_MOMENT: &str = "v";

/// A step rule with its hyper-parameters.
pub trait Optimizer {
    /// The names of the slices of state that [`step`](Self::step) takes, in its order.
    fn slots(&self) -> &'static [&'static str];

    /// One step; `t` counts from 1.
    ///
    /// # Shapes
    /// `values, gradients, slots[i]: [n]`
    /// # Numerics
    /// Elementwise in `T`, without fused multiply-add; scalars in `f64`, rounded once. The same bits on every target. A
    /// NaN or infinite gradient makes its own element NaN and no other.
    /// # Errors
    /// [`OptimError`] names the operand or the hyper-parameter; nothing is written then.
    fn step<T: Real>(
        &self,
        values: &mut [T],
        gradients: &[T],
        slots: &mut [&mut [T]],
        t: NonZeroU32,
    ) -> Result<(), OptimError>;
}

/// What a recipe may say about a step; a rule takes what it has a use for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyper {
    /// Learning rate of this step.
    pub lr: f64,
    /// How fast weights decay; the rule says where the decay enters.
    pub weight_decay: f64,
    /// Share of the momentum buffer that each step keeps.
    pub momentum: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
}

impl Default for Hyper {
    fn default() -> Self {
        Self { lr: 1e-3, weight_decay: 0.0, momentum: 0.9, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

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
    /// [`Self::Coupled`], or none at all for 0.
    pub fn coupled(wd: f64) -> Self {
        if wd == 0.0 { Self::None } else { Self::Coupled(wd) }
    }

    /// [`Self::Decoupled`], or none at all for 0.
    pub fn decoupled(wd: f64) -> Self {
        if wd == 0.0 { Self::None } else { Self::Decoupled(wd) }
    }

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

/// A row: documentation, variant, name in recipes, weight decay unless a recipe gives one, how it is made of [`Hyper`].
macro_rules! optimizers {
    ($($(#[$doc:meta])* $kind:ident $name:literal $decay:literal $of:expr;)+) => {
        /// The rules that can be chosen by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
            /// Their names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// The weight decay that its authors use.
            pub fn weight_decay(self) -> f64 {
                match self { $(Self::$kind => $decay),+ }
            }

            /// [`Optimizer::slots`] of the rule.
            pub fn slots(self, hyper: &Hyper) -> &'static [&'static str] {
                match self { $(Self::$kind => $of(hyper).slots()),+ }
            }

            /// [`Optimizer::step`] of the rule.
            ///
            /// # Errors
            /// [`OptimError`] names the operand or the hyper-parameter; nothing is written then.
            #[inline(always)]
            pub fn step<T: Real>(
                self,
                hyper: &Hyper,
                values: &mut [T],
                gradients: &[T],
                slots: &mut [&mut [T]],
                t: NonZeroU32,
            ) -> Result<(), OptimError> {
                match self { $(Self::$kind => $of(hyper).step(values, gradients, slots, t)),+ }
            }
        }
    };
}

optimizers! {
    /// Kingma and Ba 2015.
    Adam "adam" 0.0 adam::Adam::coupled;
    /// Loshchilov and Hutter 2019.
    AdamW "adamw" 0.01 adam::Adam::decoupled;
    /// Stochastic gradient descent with momentum.
    Sgd "sgd" 0.0 sgd::Sgd::with_momentum;
}
