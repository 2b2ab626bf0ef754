//! From sums of products to outputs, and by what each moves when a learned scale does.

use super::QuantizedOperator;
use crate::engine::real::Real;
use crate::graph::lower::{Lowered, Scaling};
use niwaki_core::kernels::Arithmetic;

impl<T: Real> QuantizedOperator<T> {
    /// Sums of products become outputs.
    pub(super) fn requantize(
        &self,
        bias: &[i32],
        lowered: &Lowered,
        scales: &[f32],
        y: &mut [T],
        factors: Option<&mut [T]>,
    ) {
        let Some(int8) = lowered.scaling().and_then(Scaling::int8) else { return };
        let out = self.output;
        if let Some(factors) = factors {
            let unit = |c: usize| {
                let w = scales[if scales.len() == 1 { 0 } else { c }];
                f64::from(self.input.scale) * f64::from(w) / f64::from(out.scale)
            };
            for (row, factors) in y.chunks_exact(bias.len()).zip(factors.chunks_exact_mut(bias.len())) {
                for (c, (acc, f)) in row.iter().zip(factors).enumerate() {
                    let acc = (acc.to_f64() as i32).wrapping_add(bias[c]);
                    *f = self.factor(f64::from(acc) * unit(c), i32::from(int8.finish(c, acc)));
                }
            }
        }
        for row in y.chunks_exact_mut(bias.len()) {
            for (c, (acc, &bias)) in row.iter_mut().zip(bias).enumerate() {
                let code = int8.finish(c, (acc.to_f64() as i32).wrapping_add(bias));
                *acc = T::from_f32(out.real(code));
            }
        }
    }

    /// By what the output moves when its scale does: `v` is the value in scales that became `code`.
    fn factor(&self, v: f64, code: i32) -> T {
        let centred = f64::from(code - self.output.zero_point);
        let (low, high) = self.ends.unwrap_or((T::ZERO, T::ZERO));
        let real = T::from_f32(self.output.scale * centred as f32);
        // At an end the code stays; a clamp at zero has nothing there to move.
        T::from_f64(if real > low && real < high { centred - v } else { centred })
    }

    /// Turns real values before rounding into factors, given the outputs.
    pub(super) fn factors_of_reals(&self, y: &[T], factors: &mut [T]) {
        for (f, y) in factors.iter_mut().zip(y) {
            let code = (y.to_f32() / self.output.scale).round() as i32 + self.output.zero_point;
            *f = self.factor(f.to_f64() / f64::from(self.output.scale), code);
        }
    }
}
