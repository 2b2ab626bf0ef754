//! Smooth and leaky activations, element by element: each is its value and its slope.

use super::real::Real;
use super::simd::vectorize;
use crate::ops::training::Function;
use pulp::Arch;

impl Function {
    #[inline(always)]
    fn value<T: Real>(self, x: T) -> T {
        match self {
            Self::Logistic => T::ONE / (T::ONE + (T::ZERO - x).exp()),
            Self::Tanh => x.tanh(),
            Self::LeakyRelu { alpha } => {
                if x > T::ZERO {
                    x
                } else {
                    x * T::from_f32(alpha)
                }
            }
            Self::HardSwish => {
                let (three, six) = (T::from_f32(3.0), T::from_f32(6.0));
                let gate = x + three;
                let gate = if gate < T::ZERO { T::ZERO } else { gate };
                x * (if gate > six { six } else { gate }) / six
            }
        }
    }

    /// The derivative at `x`, where the value is `y`; at a kink, that of one side.
    #[inline(always)]
    fn slope<T: Real>(self, x: T, y: T) -> T {
        match self {
            Self::Logistic => y * (T::ONE - y),
            Self::Tanh => T::ONE - y * y,
            Self::LeakyRelu { .. } if x > T::ZERO => T::ONE,
            Self::LeakyRelu { alpha } => T::from_f32(alpha),
            Self::HardSwish => {
                let three = T::from_f32(3.0);
                if x + three <= T::ZERO {
                    T::ZERO
                } else if x >= three {
                    T::ONE
                } else {
                    (x + x + three) / T::from_f32(6.0)
                }
            }
        }
    }

    pub(super) fn forward<T: Real>(self, arch: Arch, x: &[T], y: &mut [T]) {
        vectorize!(arch, {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = self.value(x);
            }
        });
    }

    /// Turns the gradient of the output into that of the input, in place.
    pub(super) fn gradient<T: Real>(self, arch: Arch, x: &[T], y: &[T], dy: &mut [T]) {
        vectorize!(arch, {
            for ((dy, &x), &y) in dy.iter_mut().zip(x).zip(y) {
                *dy = *dy * self.slope(x, y);
            }
        });
    }
}
