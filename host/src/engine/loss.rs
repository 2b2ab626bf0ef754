//! Softmax, and its cross-entropy with labels as one head: `loss = ln Σ exp(z) - z[label]`, `dz = softmax(z) - onehot`.

use super::real::Real;

/// Loss of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Mean over the batch of the cross-entropy, in nats; with a teacher, of the [`Distillation`](super::Distillation)'s
    /// loss.
    pub mean: f64,
    /// Samples whose largest score is their label's; equal scores count for the lower class.
    pub correct: usize,
}

/// What a part of a batch adds to its [`Loss`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LossSum {
    pub(super) total: f64,
    /// Divergence from a teacher, where there is one.
    pub(super) divergence: f64,
    pub(super) correct: usize,
}

/// Softmax of every row of `x: [rows, classes]`.
pub fn softmax<T: Real>(classes: usize, x: &[T], y: &mut [T]) {
    for (x, y) in x.chunks_exact(classes).zip(y.chunks_exact_mut(classes)) {
        let (_, sum) = exponentials(x, y);
        for y in y {
            *y = *y / sum;
        }
    }
}

/// Writes `exp(x - max)` and returns the maximum's index and the sum.
fn exponentials<T: Real>(x: &[T], y: &mut [T]) -> (usize, T) {
    let best = argmax(x);
    let mut sum = T::ZERO;
    for (y, &x_i) in y.iter_mut().zip(x) {
        *y = (x_i - x[best]).exp();
        sum += *y;
    }
    (best, sum)
}

/// Index of the largest value, the lower one of equals.
fn argmax<T: Real>(x: &[T]) -> usize {
    let mut best = 0;
    for (i, value) in x.iter().enumerate() {
        if *value > x[best] {
            best = i;
        }
    }
    best
}

/// Gradient of softmax rows in place: `dx = y * (dy - Σ y dy)`.
pub(super) fn softmax_gradient<T: Real>(classes: usize, y: &[T], dy: &mut [T]) {
    for (y, dy) in y.chunks_exact(classes).zip(dy.chunks_exact_mut(classes)) {
        let mut dot = T::ZERO;
        for (&y, &dy) in y.iter().zip(&*dy) {
            dot += y * dy;
        }
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy = y * (*dy - dot);
        }
    }
}

/// Adds the cross-entropy of rows `logits: [labels.len(), classes]` to `sum`.
pub(super) fn cross_entropy<T: Real>(classes: usize, logits: &[T], labels: &[u32], sum: &mut LossSum) {
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let best = argmax(row);
        let top = row[best];
        let exponentials: f64 = row.iter().map(|&z| (z - top).to_f64().exp()).sum();
        count(sum, row, best, label, exponentials);
    }
}

/// As [`cross_entropy`], and writes the gradient of the mean over `batch` samples to `dlogits`.
pub(super) fn cross_entropy_gradient<T: Real>(
    classes: usize,
    batch: usize,
    logits: &[T],
    labels: &[u32],
    sum: &mut LossSum,
    dlogits: &mut [T],
) {
    let weight = T::ONE / T::from_f64(batch as f64);
    for ((row, drow), &label) in logits.chunks_exact(classes).zip(dlogits.chunks_exact_mut(classes)).zip(labels) {
        let (best, total) = exponentials(row, drow);
        count(sum, row, best, label, total.to_f64());
        for (class, d) in drow.iter_mut().enumerate() {
            let target = if class == label as usize { T::ONE } else { T::ZERO };
            *d = (*d / total - target) * weight;
        }
    }
}

fn count<T: Real>(sum: &mut LossSum, row: &[T], best: usize, label: u32, exponentials: f64) {
    sum.total += exponentials.ln() + (row[best] - row[label as usize]).to_f64();
    sum.correct += usize::from(best == label as usize);
}
