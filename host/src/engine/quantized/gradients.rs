//! Gradients through rounding: straight through inside the range of the quantised values, and those of learned scales.

use super::{LearnedScale, Quantized};
use crate::engine::real::Real;
use crate::engine::simd::vectorize;
use pulp::Arch;

impl<T: Real> Quantized<T> {
    /// Stops gradients where the output of operator `i` stands at an end of its codes; before, the gradient of a learned
    /// scale is added to `partial`.
    pub(in crate::engine) fn backward(
        &self,
        arch: Arch,
        i: usize,
        y: &[T],
        factors: &[T],
        dy: &mut [T],
        partial: &mut [T],
    ) {
        let q = &self.operators[i];
        if let Some(LearnedScale { step, factor }) = &q.learned {
            let sum: f64 = dy.iter().zip(factors).map(|(dy, f)| dy.to_f64() * f.to_f64()).sum();
            partial[*step] += T::from_f64(sum * factor);
        }
        let Some((low, high)) = q.ends else { return };
        vectorize!(arch, {
            for (dy, &y) in dy.iter_mut().zip(y) {
                *dy = if (y > low) & (y < high) { *dy } else { T::ZERO };
            }
        });
    }

    /// Turns the gradients of the rounded weights into those of the weights and of their learned scales.
    pub(in crate::engine) fn finish_gradients(&self, values: &[T], gradients: &mut [T]) {
        for weights in &self.weights {
            let mut sums = vec![0.0_f64; weights.scales.len()];
            let filter_len = (weights.range.len() / weights.channels).max(1);
            for (i, at) in weights.range.clone().enumerate() {
                let channel = if weights.axis == 0 { i / filter_len } else { i % weights.channels };
                let c = if weights.scales.len() == 1 { 0 } else { channel };
                let v = values[at].to_f32() / weights.scales[c];
                let code = v.round().clamp(-weights.largest, weights.largest);
                let inside = v.abs() < weights.largest + 0.5;
                let g = gradients[at].to_f64();
                sums[c] += g * f64::from(if inside { code - v } else { code });
                if !inside {
                    gradients[at] = T::ZERO;
                }
            }
            if let Some(steps) = &weights.steps {
                let size = (weights.range.len() as f64 * f64::from(weights.largest)).sqrt();
                for ((at, sum), scale) in steps.clone().zip(sums).zip(&weights.scales) {
                    gradients[at] = T::from_f64(sum * f64::from(*scale) / size);
                }
            }
        }
    }
}
