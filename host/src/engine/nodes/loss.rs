//! The loss over a node set: cross-entropy on labelled nodes, divergence from a teacher on all.

use super::super::loss::{LossSum, cross_entropy_gradient, softmax};
use super::super::real::Real;

/// What a network over a graph is trained for.
#[derive(Debug, Clone, Copy)]
pub struct Objective<'a, T> {
    /// The class of every node; those outside [`rows`](Self::rows) are not looked at.
    pub labels: &'a [u32],
    /// The nodes whose labels are learned, the mean over which is the loss.
    pub rows: &'a [u32],
    /// Whose answers are learned on all nodes.
    pub teacher: Option<NodeTeacher<'a, T>>,
}

/// A teacher's answers (specs/sparse_and_graph.md §1.5).
#[derive(Debug, Clone, Copy)]
pub struct NodeTeacher<'a, T> {
    /// `[nodes, classes]`, each row a distribution.
    pub probabilities: &'a [T],
    /// What the mean over all nodes of `KL(teacher ‖ student)` is multiplied with.
    pub weight: f64,
}

/// Writes the gradient of the loss to `gradient: [nodes, classes]`, which `exponentials` is as large as, and returns the
/// loss.
pub(super) fn loss_and_gradient<T: Real>(
    classes: usize,
    logits: &[T],
    objective: &Objective<'_, T>,
    probabilities: &mut [T],
    gradient: &mut [T],
) -> f64 {
    let nodes = logits.len() / classes;
    let mut divergence = 0.0;
    if let Some(teacher) = objective.teacher {
        softmax(classes, logits, probabilities);
        let weight = teacher.weight / nodes as f64;
        let factor = T::from_f64(weight);
        for ((d, &p), &t) in gradient.iter_mut().zip(&*probabilities).zip(teacher.probabilities) {
            *d = factor * (p - t);
            let (p, t) = (p.to_f64(), t.to_f64());
            if t > 0.0 {
                divergence += weight * t * (t / p.max(f64::MIN_POSITIVE)).ln();
            }
        }
    } else {
        gradient.fill(T::ZERO);
    }
    let mut sum = LossSum::default();
    let mut row = vec![T::ZERO; classes];
    for node in objective.rows.iter().map(|node| *node as usize) {
        let range = node * classes..(node + 1) * classes;
        let label = [objective.labels[node]];
        cross_entropy_gradient(classes, objective.rows.len(), &logits[range.clone()], &label, &mut sum, &mut row);
        for (d, &row) in gradient[range].iter_mut().zip(&row) {
            *d += row;
        }
    }
    sum.total / objective.rows.len().max(1) as f64 + divergence
}
