//! Layer-wise reconstruction: the codes of a layer that give the float layer's outputs back best.
//!
//! For one layer with inputs `x̂` as rounded and outputs `y` of the float network, over weights, bias and scales,
//! `min ‖clamp(x̂ ŵᵀ + b) - y‖²` with `ŵ = s clamp(round(w / s))`, by Adam with straight-through gradients, the codes
//! chosen as learned steps are ([`super::options::Quantize::lsq`]): AdaQuant (Hubara et al. 2021, "Accurate Post Training
//! Quantization With Small Calibration Sets"; specs/compression.md §3). Published learning rates are absolute; here the
//! weights' is a share of the layer's scale and the bias's one of its outputs' size, so that they mean the same in every
//! layer, and all fall to 0 as half a cosine. The best choice of all that were looked at wins, the first one included.

use crate::engine::gemm::{Into, Matrix, gemm};
use niwaki_core::error::OptimError;
use niwaki_core::optim::{Optimizer, adam::Adam};
use std::num::NonZeroU32;

/// Rows of a step.
const BATCH: usize = 256;
/// Steps between two looks at the error of all rows.
const LOOK: usize = 100;
/// Learning rates: of weights in scales, of biases in outputs, of scales as their logarithm.
const RATES: [f64; 3] = [2e-3, 1e-3, 1e-3];

/// What a layer, or one filter of it, is to deliver.
pub(super) struct Problem {
    /// `[N, len]`
    pub(super) rows: Vec<f32>,
    /// `[N, outputs]`
    pub(super) wanted: Vec<f32>,
    pub(super) len: usize,
    pub(super) outputs: usize,
    /// Of the fused activation.
    pub(super) clamp: (f32, f32),
    /// The largest code.
    pub(super) largest: i32,
    /// Whether the scales stay.
    pub(super) fixed_scales: bool,
}

/// Weights `[outputs, len]` on their grid, with bias and scales.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) scales: Vec<f32>,
}

impl Problem {
    fn count(&self) -> usize {
        self.rows.len() / self.len.max(1)
    }

    fn rounded(&self, weights: &[f32], scales: &[f32], rounded: &mut [f32]) {
        let largest = self.largest as f32;
        for ((w, to), s) in weights.chunks(self.len).zip(rounded.chunks_mut(self.len)).zip(scales) {
            for (w, to) in w.iter().zip(to) {
                *to = s * (w / s).round().clamp(-largest, largest);
            }
        }
    }

    /// Outputs minus what is wanted for some rows, 0 where the clamp hides a change; and the sum of their squares.
    fn differences(&self, rows: std::ops::Range<usize>, weights: &[f32], bias: &[f32], out: &mut Vec<f32>) -> f64 {
        out.resize(rows.len() * self.outputs, 0.0);
        let x = Matrix::new(&self.rows[rows.start * self.len..rows.end * self.len], rows.len(), self.len);
        gemm(x, Matrix::new(weights, self.outputs, self.len).t(), Into::Write, out);
        let mut sum = 0.0;
        let wanted = self.wanted[rows.start * self.outputs..rows.end * self.outputs].chunks(self.outputs);
        for (out, wanted) in out.chunks_mut(self.outputs).zip(wanted) {
            for ((d, want), b) in out.iter_mut().zip(wanted).zip(bias) {
                let z = *d + b;
                let difference = z.clamp(self.clamp.0, self.clamp.1) - want;
                sum += f64::from(difference).powi(2);
                *d = if z > self.clamp.0 && z < self.clamp.1 { difference } else { 0.0 };
            }
        }
        sum
    }
}

/// Parameters and their optimizer's state.
struct Trained {
    values: Vec<f32>,
    gradients: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Trained {
    fn new(values: Vec<f32>) -> Self {
        let zeros = || vec![0.0; values.len()];
        Self { gradients: zeros(), m: zeros(), v: zeros(), values }
    }

    fn step(&mut self, lr: f64, step: usize) -> Result<(), OptimError> {
        let adam = Adam { lr, ..Adam::default() };
        let step = u32::try_from(step).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        adam.step(&mut self.values, &self.gradients, &mut [&mut self.m, &mut self.v], step)
    }
}

/// The best weights, bias and scales that `steps` steps find; `None` where nothing is better than rounding, or a filter
/// has no weights.
///
/// # Errors
/// [`OptimError`] when a step is refused.
pub(super) fn reconstruct(
    problem: &Problem,
    weights: Vec<f32>,
    bias: Vec<f32>,
    scales: Vec<f32>,
    steps: usize,
) -> Result<Option<Solution>, OptimError> {
    if problem.count() == 0 || scales.iter().any(|s| *s <= 0.0) {
        return Ok(None);
    }
    let mean_scale = f64::from(scales.iter().sum::<f32>()) / scales.len() as f64;
    let squares: f64 = problem.wanted.iter().map(|&y| f64::from(y).powi(2)).sum();
    let size = (squares / problem.wanted.len() as f64).sqrt().max(1e-6);
    let rates = [RATES[0] * mean_scale, RATES[1] * size, RATES[2]];

    let mut rounded = vec![0.0; weights.len()];
    let (mut w, mut b) = (Trained::new(weights), Trained::new(bias));
    let mut log = Trained::new(vec![0.0; scales.len()]);
    let current = |log: &Trained| -> Vec<f32> { scales.iter().zip(&log.values).map(|(s, l)| s * l.exp()).collect() };
    let (mut differences, mut best, mut first) = (Vec::new(), None::<(f64, Solution)>, f64::INFINITY);
    for step in 0..=steps {
        let s = current(&log);
        problem.rounded(&w.values, &s, &mut rounded);
        if step % LOOK == 0 || step == steps {
            let error = problem.differences(0..problem.count(), &rounded, &b.values, &mut differences);
            first = if step == 0 { error } else { first };
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, Solution { weights: rounded.clone(), bias: b.values.clone(), scales: s.clone() }));
            }
        }
        if step == steps {
            break;
        }
        let batches = problem.count().div_ceil(BATCH);
        let start = step % batches * BATCH;
        let rows = start..problem.count().min(start + BATCH);
        problem.differences(rows.clone(), &rounded, &b.values, &mut differences);
        gradients(problem, rows, &differences, &s, &mut w, &mut b, &mut log);
        let rate = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
        w.step(rates[0] * rate, step + 1)?;
        b.step(rates[1] * rate, step + 1)?;
        if !problem.fixed_scales {
            log.step(rates[2] * rate, step + 1)?;
        }
    }
    Ok(best.filter(|(least, _)| *least < first).map(|(_, solution)| solution))
}

/// Straight-through gradients of the mean squared difference; the scales' are those of learned
/// scales (specs/integer_arithmetic.md §8).
fn gradients(
    problem: &Problem,
    rows: std::ops::Range<usize>,
    differences: &[f32],
    scales: &[f32],
    w: &mut Trained,
    b: &mut Trained,
    log: &mut Trained,
) {
    let count = rows.len();
    let d = Matrix::new(differences, count, problem.outputs);
    let x = Matrix::new(&problem.rows[rows.start * problem.len..rows.end * problem.len], count, problem.len);
    gemm(d.t(), x, Into::Write, &mut w.gradients);
    b.gradients.fill(0.0);
    for row in differences.chunks(problem.outputs) {
        b.gradients.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
    }
    let share = 2.0 / count as f32;
    b.gradients.iter_mut().for_each(|g| *g *= share);
    let largest = problem.largest as f32;
    let filters = w.values.chunks(problem.len).zip(w.gradients.chunks_mut(problem.len));
    for (((w, g), s), dlog) in filters.zip(scales).zip(&mut log.gradients) {
        let mut ds = 0.0;
        for (w, g) in w.iter().zip(g) {
            let v = w / s;
            let code = v.round().clamp(-largest, largest);
            let inside = v.abs() < largest + 0.5;
            *g *= share;
            ds += *g * if inside { code - v } else { code };
            // A weight of exactly zero is one that was dropped.
            *g = if inside && *w != 0.0 { *g } else { 0.0 };
        }
        *dlog = ds * s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two inputs that are always the same: only the sum of the weights counts, and to round both down loses most of it.
    #[test]
    fn a_rounding_that_cancels_is_found() {
        let rows: Vec<f32> = (0..512).flat_map(|i| [(i % 17) as f32 / 8.0 - 1.0; 2]).collect();
        let weights = vec![0.46, 0.42];
        let wanted = rows.chunks(2).map(|r| 0.88 * r[0]).collect();
        let all = (f32::NEG_INFINITY, f32::INFINITY);
        let problem = Problem { rows, wanted, len: 2, outputs: 1, clamp: all, largest: 7, fixed_scales: true };
        let error = |w: &[f32]| problem.differences(0..512, w, &[0.0], &mut Vec::new());
        let nearest = error(&[0.0, 0.0]);
        let found = reconstruct(&problem, weights, vec![0.0], vec![1.0], 1000).expect("steps").expect("better");
        assert_eq!(found.weights.iter().sum::<f32>(), 1.0, "one up, one down: {found:?}");
        assert!(error(&found.weights) < 0.05 * nearest);
    }

    #[test]
    fn what_is_exact_already_stays() {
        let rows: Vec<f32> = (0..64).map(|i| i as f32 / 64.0).collect();
        let wanted = rows.iter().map(|x| 3.0 * x).collect();
        let all = (f32::NEG_INFINITY, f32::INFINITY);
        let problem = Problem { rows, wanted, len: 1, outputs: 1, clamp: all, largest: 7, fixed_scales: false };
        assert!(reconstruct(&problem, vec![3.0], vec![0.0], vec![1.0], 300).expect("steps").is_none());
    }
}
