//! The convergent graph solver (specs/sparse_and_graph.md §4; Park, Choo and Park, ICLR 2022): a layer whose output is the
//! fixed point of a contraction, with the gradient that the fixed point alone determines.

use super::{rows, rows_mut};
use crate::error::GraphError;
use crate::graph::{Csr, Index, check_len};
use crate::real::Real;

/// What is applied after the linear map. None of them increases a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phi {
    /// Nothing.
    #[default]
    Identity,
    /// `max(x, 0)`
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Phi {
    fn of<T: Real>(self, x: T) -> T {
        match self {
            Self::Identity => x,
            Self::Relu => Real::max(x, T::ZERO),
            Self::Tanh => {
                // Of a negative number, so that the exponential stays finite.
                let e = (-(x.abs() + x.abs())).exp();
                let y = (T::ONE - e) / (T::ONE + e);
                if x < T::ZERO { -y } else { y }
            }
        }
    }

    /// The derivative where the output is `y`.
    fn slope<T: Real>(self, y: T) -> T {
        match self {
            Self::Identity => T::ONE,
            Self::Relu => {
                if y > T::ZERO {
                    T::ONE
                } else {
                    T::ZERO
                }
            }
            Self::Tanh => T::ONE - y * y,
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// The largest change of an element in a step that still counts as no change.
    pub tolerance: f64,
    /// Steps after which the search is given up.
    pub steps: usize,
}

impl Default for Stop {
    fn default() -> Self {
        Self { tolerance: 1e-6, steps: 50 }
    }
}

/// `T(x) = phi(gamma A x + b)` for every head: a contraction, because rows of `|A|` sum up to at most 1.
#[derive(Debug, Clone, Copy)]
pub struct Contraction<'a, O, I, T> {
    graph: Csr<'a, O, I>,
    transposed: Csr<'a, O, I>,
    weights: &'a [T],
    heads: usize,
    gamma: T,
    phi: Phi,
}

/// `clip(logit, 0, 1) / degree`: weights whose rows sum up to at most 1, from any logits.
///
/// # Shapes
/// `logits, weights: [entries, heads]`
/// # Errors
/// [`GraphError::Len`].
pub fn degree_weights<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    heads: usize,
    logits: &[T],
    weights: &mut [T],
) -> Result<(), GraphError> {
    check_len("logits", graph.entry_count() * heads, logits.len())?;
    check_len("weights", logits.len(), weights.len())?;
    let (mut logits, mut weights) = (logits.iter(), weights.iter_mut());
    for row in graph.rows() {
        let share = T::ONE / T::from_f64(row.len().max(1) as f64);
        for (logit, weight) in logits.by_ref().zip(weights.by_ref()).take(row.len() * heads) {
            *weight = Real::min(Real::max(*logit, T::ZERO), T::ONE) * share;
        }
    }
    Ok(())
}

/// Turns the gradient by the weights of [`degree_weights`] into that by the logits: 0 where they were clipped.
///
/// # Shapes
/// `logits, gradients: [entries, heads]`
/// # Errors
/// [`GraphError::Len`].
pub fn degree_weights_gradient<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    heads: usize,
    logits: &[T],
    gradients: &mut [T],
) -> Result<(), GraphError> {
    check_len("logits", graph.entry_count() * heads, logits.len())?;
    check_len("gradients", logits.len(), gradients.len())?;
    let (mut logits, mut gradients) = (logits.iter(), gradients.iter_mut());
    for row in graph.rows() {
        let share = T::ONE / T::from_f64(row.len().max(1) as f64);
        for (logit, gradient) in logits.by_ref().zip(gradients.by_ref()).take(row.len() * heads) {
            let inside = *logit > T::ZERO && *logit < T::ONE;
            *gradient = if inside { *gradient * share } else { T::ZERO };
        }
    }
    Ok(())
}

impl<'a, O: Index, I: Index, T: Real> Contraction<'a, O, I, T> {
    /// Checks the map. `transposed` is the pattern with rows and columns exchanged.
    ///
    /// # Shapes
    /// `weights: [entries, heads]`
    /// # Errors
    /// [`GraphError::Contraction`] when the absolute values of a row sum up to more than 1, rounding aside;
    /// [`GraphError::Hyper`] unless `gamma` is in `[0, 1)`; a wrong shape.
    pub fn try_new(
        graph: Csr<'a, O, I>,
        transposed: Csr<'a, O, I>,
        weights: &'a [T],
        heads: usize,
        gamma: T,
        phi: Phi,
    ) -> Result<Self, GraphError> {
        graph.check_square()?;
        check_len("transposed", graph.entry_count(), transposed.entry_count())?;
        check_len("transposed", graph.row_count(), transposed.row_count())?;
        if heads == 0 || !(gamma >= T::ZERO && gamma < T::ONE) {
            return Err(GraphError::Hyper { name: "gamma or heads" });
        }
        check_len("weights", graph.entry_count() * heads, weights.len())?;
        // Sums of shares round to a little above 1.
        let limit = T::ONE + T::from_f64(1e-5);
        let mut rest = weights.chunks(heads.max(1));
        for (row, columns) in graph.rows().enumerate() {
            for head in 0..heads {
                let of_head = |entry: &[T]| entry.get(head).map_or(T::NAN, |weight| weight.abs());
                let sum = rest.clone().take(columns.len()).map(of_head).fold(T::ZERO, |sum, weight| sum + weight);
                // NaN does not contract either.
                if !sum.is_finite() || sum > limit {
                    return Err(GraphError::Contraction { row });
                }
            }
            columns.iter().for_each(|_| {
                rest.next();
            });
        }
        Ok(Self { graph, transposed, weights, heads, gamma, phi })
    }

    /// Steps from `x` until no element changes by more than the tolerance; returns the number of steps. Any `x` leads to the
    /// same fixed point.
    ///
    /// # Shapes
    /// `b, x, scratch: [nodes, heads]`
    /// # Errors
    /// [`GraphError::Diverged`] after `stop.steps`, with the last step in `x`.
    pub fn solve(&self, b: &[T], stop: Stop, x: &mut [T], scratch: &mut [T]) -> Result<usize, GraphError> {
        let len = self.graph.row_count() * self.heads;
        for (operand, got) in [("b", b.len()), ("x", x.len()), ("scratch", scratch.len())] {
            check_len(operand, len, got)?;
        }
        for step in 1..=stop.steps {
            self.apply(x, b, scratch);
            let change =
                x.iter().zip(scratch.iter()).fold(0.0, |most, (a, b)| f64::max(most, (*a - *b).abs().to_f64()));
            copy(scratch, x);
            if change <= stop.tolerance {
                return Ok(step);
            }
        }
        Err(GraphError::Diverged { steps: stop.steps })
    }

    /// `y = phi(gamma A x + b)`
    fn apply(&self, x: &[T], b: &[T], y: &mut [T]) {
        let mut entries = self.weights.chunks(self.heads.max(1));
        for ((columns, y), b) in self.graph.rows().zip(y.chunks_mut(self.heads.max(1))).zip(b.chunks(self.heads.max(1)))
        {
            y.fill(T::ZERO);
            for (column, weights) in columns.iter().zip(entries.by_ref()) {
                for ((y, x), weight) in y.iter_mut().zip(self.row(x, column.to_usize())).zip(weights) {
                    *y = *y + *weight * *x;
                }
            }
            for (y, b) in y.iter_mut().zip(b) {
                *y = self.phi.of(self.gamma * *y + *b);
            }
        }
    }

    /// The implicit gradient at the fixed point `x`: solves `u = g + gamma (D A)ᵀ u`, then `db = D u` and
    /// `dA_ij = gamma (D u)_i x_j`. Needs no memory of the steps.
    ///
    /// # Shapes
    /// `x, g, db, scratch: [nodes, heads]` · `da: [entries, heads]`
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn gradients(
        &self,
        x: &[T],
        g: &[T],
        stop: Stop,
        (db, da): (&mut [T], &mut [T]),
        scratch: &mut [T],
    ) -> Result<usize, GraphError> {
        let len = self.graph.row_count() * self.heads;
        for (operand, got) in [("x", x.len()), ("g", g.len()), ("db", db.len()), ("scratch", scratch.len())] {
            check_len(operand, len, got)?;
        }
        check_len("da", self.weights.len(), da.len())?;
        // `db` holds u while it is solved for.
        copy(g, db);
        let mut taken = None;
        for step in 1..=stop.steps {
            self.apply_transposed(x, db, g, scratch);
            let change =
                db.iter().zip(scratch.iter()).fold(0.0, |most, (a, b)| f64::max(most, (*a - *b).abs().to_f64()));
            copy(scratch, db);
            if change <= stop.tolerance {
                taken = Some(step);
                break;
            }
        }
        let steps = taken.ok_or(GraphError::Diverged { steps: stop.steps })?;
        for (u, y) in db.iter_mut().zip(x) {
            *u = self.phi.slope(*y) * *u;
        }
        let mut entries = da.chunks_mut(self.heads.max(1));
        for (columns, u) in self.graph.rows().zip(db.chunks(self.heads.max(1))) {
            for (column, da) in columns.iter().zip(entries.by_ref()) {
                for ((da, u), x) in da.iter_mut().zip(u).zip(self.row(x, column.to_usize())) {
                    *da = self.gamma * *u * *x;
                }
            }
        }
        Ok(steps)
    }

    /// `v = g + gamma Aᵀ D u`
    fn apply_transposed(&self, x: &[T], u: &[T], g: &[T], v: &mut [T]) {
        for ((node, rows), (v, g)) in
            self.transposed.rows().enumerate().zip(rows_mut(v, self.heads).zip(rows(g, self.heads)))
        {
            v.fill(T::ZERO);
            for row in rows {
                let from = row.to_usize();
                let weights = self.graph.entry(from, node).map_or(&[][..], |entry| self.row(self.weights, entry));
                let pairs = self.row(u, from).iter().zip(self.row(x, from));
                for ((v, weight), (u, y)) in v.iter_mut().zip(weights).zip(pairs) {
                    *v = *v + *weight * self.phi.slope(*y) * *u;
                }
            }
            for (v, g) in v.iter_mut().zip(g) {
                *v = *g + self.gamma * *v;
            }
        }
    }

    fn row<'x>(&self, x: &'x [T], row: usize) -> &'x [T] {
        x.get(row * self.heads..(row + 1) * self.heads).unwrap_or_default()
    }
}

fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}
