//! ForwardGNN, single-forward (specs/sparse_and_graph.md §3.3; Park et al., ICLR 2024): each class is a virtual node, and a
//! layer learns to bring its training nodes close to the virtual node of their class.

use super::{rows, rows_mut};
use crate::error::GraphError;
use crate::graph::check_len;
use crate::real::Real;

/// Divides every row by its length; a row of zeros stays.
///
/// # Shapes
/// `x: [rows, width]`
/// # Errors
/// [`GraphError::Len`] when `width` does not divide `x`.
pub fn normalize_rows<T: Real>(x: &mut [T], width: usize) -> Result<(), GraphError> {
    check_len("x", x.len() / width.max(1) * width, x.len())?;
    for row in x.chunks_mut(width.max(1)) {
        let length = row.iter().fold(T::ZERO, |sum, x| sum + *x * *x).sqrt();
        let factor = T::ONE / (length + T::from_f64(1e-8));
        for x in row {
            *x = *x * factor;
        }
    }
    Ok(())
}

/// A layer's outputs `relu(z)` for the nodes that the loss sees.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a, T> {
    /// `[labels.len(), width]`: of training nodes.
    pub hidden: &'a [T],
    /// `[classes, width]`: of the virtual nodes.
    pub anchors: &'a [T],
    /// Channels.
    pub width: usize,
    /// What scores are divided by, above 0.
    pub temperature: T,
}

impl<T: Real> Outputs<'_, T> {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.anchors.len() / self.width.max(1)
    }

    fn check(&self) -> Result<(), GraphError> {
        check_len("anchors", self.classes() * self.width, self.anchors.len())?;
        let holds = self.temperature > T::ZERO && self.temperature.is_finite();
        if holds && self.width > 0 && self.classes() > 0 {
            Ok(())
        } else {
            Err(GraphError::Hyper { name: "temperature, width or classes" })
        }
    }

    /// Softmax over the classes of one node's inner products with the anchors.
    fn probabilities(&self, node: &[T], probabilities: &mut [T]) {
        for (p, anchor) in probabilities.iter_mut().zip(rows(self.anchors, self.width)) {
            *p = node.iter().zip(anchor).fold(T::ZERO, |sum, (x, a)| sum + *x * *a) / self.temperature;
        }
        let largest = probabilities.iter().copied().fold(-T::INFINITY, Real::max);
        let mut total = T::ZERO;
        for p in probabilities.iter_mut() {
            *p = (*p - largest).exp();
            total = total + *p;
        }
        for p in probabilities {
            *p = *p / total;
        }
    }

    /// Adds each node's class probabilities to `votes`: the sum over layers decides.
    ///
    /// # Shapes
    /// `nodes: [n, width]` · `votes: [n, classes]` · `scratch: [classes]`
    /// # Errors
    /// [`GraphError`]; `votes` is untouched then.
    pub fn vote(&self, nodes: &[T], scratch: &mut [T], votes: &mut [T]) -> Result<(), GraphError> {
        self.check()?;
        let classes = self.classes();
        check_len("scratch", classes, scratch.len())?;
        check_len("votes", nodes.len() / self.width.max(1) * classes, votes.len())?;
        check_len("nodes", nodes.len() / self.width.max(1) * self.width, nodes.len())?;
        for (node, votes) in rows(nodes, self.width).zip(rows_mut(votes, classes)) {
            self.probabilities(node, scratch);
            for (vote, p) in votes.iter_mut().zip(scratch.iter()) {
                *vote = *vote + *p;
            }
        }
        Ok(())
    }

    /// The mean cross-entropy of the training nodes and its gradient by `z`, which is 0 where the output is.
    ///
    /// ```text
    /// P = (softmax(H Aᵀ / τ) - onehot) / n;  dH = P A / τ;  dA = Pᵀ H / τ;  both where the output is positive
    /// ```
    /// # Shapes
    /// `labels: [n]` · `scratch: [classes]` · `d_hidden: [n, width]` · `d_anchors: [classes, width]`
    /// # Errors
    /// [`GraphError`]; nothing is written then.
    pub fn loss_and_gradients(
        &self,
        labels: &[u32],
        scratch: &mut [T],
        d_hidden: &mut [T],
        d_anchors: &mut [T],
    ) -> Result<T, GraphError> {
        self.check()?;
        let classes = self.classes();
        check_len("hidden", labels.len() * self.width, self.hidden.len())?;
        check_len("scratch", classes, scratch.len())?;
        check_len("d_hidden", self.hidden.len(), d_hidden.len())?;
        check_len("d_anchors", self.anchors.len(), d_anchors.len())?;
        if let Some(position) = labels.iter().position(|label| *label as usize >= classes) {
            let class = labels.get(position).map_or(0, |label| *label as usize);
            return Err(GraphError::Class { position, class, classes });
        }
        let share = T::ONE / T::from_f64(labels.len().max(1) as f64);
        let mut loss = T::ZERO;
        d_anchors.fill(T::ZERO);
        let nodes = rows(self.hidden, self.width).zip(rows_mut(d_hidden, self.width)).zip(labels);
        for ((node, d_node), label) in nodes {
            self.probabilities(node, scratch);
            d_node.fill(T::ZERO);
            let anchors = rows(self.anchors, self.width).zip(rows_mut(d_anchors, self.width));
            for (class, (p, (anchor, d_anchor))) in (0..).zip(scratch.iter().zip(anchors)) {
                let right = *label == class;
                if right {
                    loss = loss - p.ln() * share;
                }
                let factor = (*p - if right { T::ONE } else { T::ZERO }) * share / self.temperature;
                for (((d_node, d_anchor), x), a) in d_node.iter_mut().zip(d_anchor).zip(node).zip(anchor) {
                    *d_node = *d_node + factor * *a;
                    *d_anchor = *d_anchor + factor * *x;
                }
            }
        }
        for (d, x) in d_hidden.iter_mut().zip(self.hidden).chain(d_anchors.iter_mut().zip(self.anchors)) {
            if *x <= T::ZERO {
                *d = T::ZERO;
            }
        }
        Ok(loss)
    }
}
