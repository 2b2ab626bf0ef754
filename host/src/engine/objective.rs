//! The loss over a node set: cross-entropy on labelled nodes, divergence from a teacher on all.

use super::error::EngineError;
use super::loss::{LossSum, cross_entropy_gradient, softmax};
use super::real::Real;

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

impl<T: Real> Objective<'_, T> {
    /// Writes the gradient of the loss to `gradient: [nodes, classes]`, which `probabilities` is as large as; its sums.
    pub(super) fn loss_and_gradient(
        &self,
        classes: usize,
        logits: &[T],
        probabilities: &mut [T],
        gradient: &mut [T],
    ) -> LossSum {
        let nodes = logits.len() / classes;
        let mut sum = LossSum::default();
        if let Some(teacher) = self.teacher {
            softmax(classes, logits, probabilities);
            let weight = teacher.weight / nodes as f64;
            let factor = T::from_f64(weight);
            for ((d, &p), &t) in gradient.iter_mut().zip(&*probabilities).zip(teacher.probabilities) {
                *d = factor * (p - t);
                let (p, t) = (p.to_f64(), t.to_f64());
                if t > 0.0 {
                    sum.divergence += weight * t * (t / p.max(f64::MIN_POSITIVE)).ln();
                }
            }
        } else {
            gradient.fill(T::ZERO);
        }
        let mut row = vec![T::ZERO; classes];
        for node in self.rows.iter().map(|node| *node as usize) {
            let range = node * classes..(node + 1) * classes;
            let label = [self.labels[node]];
            cross_entropy_gradient(classes, self.rows.len(), &logits[range.clone()], &label, &mut sum, &mut row);
            for (d, &row) in gradient[range].iter_mut().zip(&row) {
                *d += row;
            }
        }
        sum
    }

    /// The loss from its sums.
    pub(super) fn total(&self, sum: &LossSum) -> f64 {
        sum.total / self.rows.len().max(1) as f64 + sum.divergence
    }

    pub(super) fn check(&self, nodes: usize, classes: usize) -> Result<(), EngineError> {
        let len = |what: &'static str, expected: usize, got: usize| match expected == got {
            true => Ok(()),
            false => Err(EngineError::Len { what, batch: nodes, expected, got }),
        };
        len("labels", nodes, self.labels.len())?;
        if let Some(teacher) = self.teacher {
            len("teacher", nodes * classes, teacher.probabilities.len())?;
        }
        let label = |node: u32| self.labels.get(node as usize).copied().unwrap_or(u32::MAX);
        match self.rows.iter().find(|node| label(**node) as usize >= classes) {
            Some(&node) => Err(EngineError::Label { sample: node as usize, label: label(node), classes }),
            None => Ok(()),
        }
    }
}
