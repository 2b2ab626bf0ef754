//! A layer of a convergent graph solver (specs/sparse_and_graph.md §4): core's fixed point and implicit gradient over a graph
//! of the host, with the memory that both need.

use crate::graph::{Adjacency, GraphError};
use niwaki_core::graph::Csr;
use niwaki_core::learn::fixed_point::{Contraction, Phi, Stop, degree_weights, degree_weights_gradient};
use niwaki_core::real::Real;
use std::sync::Arc;

/// `x = phi(gamma A x + b)` for every head, with `A` from logits of the edges: clipped to `[0, 1]`, divided by how many
/// edges their node has.
///
/// ```
/// use niwaki::engine::Convergent;
/// use niwaki::graph::Adjacency;
/// use std::sync::Arc;
///
/// let graph = Adjacency::from_edges(3, [(0, 1), (1, 0), (1, 2), (2, 1)])?;
/// let mut layer = Convergent::new(Arc::new(graph), 1, 0.5_f64);
/// let x = layer.forward(&[1.0, 0.0, 0.0], &[1.0; 4])?.to_vec();
/// assert!(x[0] > x[1] && x[1] > x[2]);
/// let gradients = layer.backward(&[1.0, 0.0, 0.0])?;
/// assert!(gradients.b[0] > 1.0, "what node 0 gives comes back to it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Convergent<T> {
    graph: Arc<Adjacency>,
    transposed: Adjacency,
    heads: usize,
    gamma: T,
    phi: Phi,
    stop: Stop,
    weights: Vec<T>,
    logits: Vec<T>,
    x: Vec<T>,
    scratch: Vec<T>,
    /// Steps that the last solution took.
    steps: usize,
}

/// Gradients of a [`Convergent`] layer's operands.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvergentGradients<T> {
    /// `[nodes, heads]`
    pub b: Vec<T>,
    /// `[edges, heads]`; 0 where a logit was clipped.
    pub logits: Vec<T>,
}

impl<T: Real> Convergent<T> {
    /// A layer without activation that stops at changes below 1e-6, after 50 steps at most.
    pub fn new(graph: Arc<Adjacency>, heads: usize, gamma: T) -> Self {
        let (nodes, edges) = (graph.nodes() * heads, graph.edges() * heads);
        let zeros = |len| vec![T::ZERO; len];
        Self {
            transposed: graph.transposed(),
            graph,
            heads,
            gamma,
            phi: Phi::Identity,
            stop: Stop::default(),
            weights: zeros(edges),
            logits: zeros(edges),
            x: zeros(nodes),
            scratch: zeros(nodes),
            steps: 0,
        }
    }

    /// The same layer with an activation and another rule for stopping.
    #[must_use]
    pub fn with(self, phi: Phi, stop: Stop) -> Self {
        Self { phi, stop, ..self }
    }

    /// The fixed point, `[nodes, heads]`. Begins where the last one was: close by, when little has changed.
    ///
    /// # Shapes
    /// `b: [nodes, heads]` · `logits: [edges, heads]`, in the order of the graph's edges
    /// # Errors
    /// [`GraphError`] with what core says: a wrong length, a gamma outside `[0, 1)`, or no fixed point in time.
    pub fn forward(&mut self, b: &[T], logits: &[T]) -> Result<&[T], GraphError> {
        let csr = self.graph.csr();
        degree_weights(&csr, self.heads, logits, &mut self.weights)?;
        self.logits.copy_from_slice(logits);
        let transposed = self.transposed.csr();
        let map = Contraction::try_new(csr, transposed, &self.weights, self.heads, self.gamma, self.phi);
        let solved = map.and_then(|map| map.solve(b, self.stop, &mut self.x, &mut self.scratch));
        self.steps = solved?;
        Ok(&self.x)
    }

    /// Steps that the last solution took.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Gradients at the fixed point of the last [`forward`](Self::forward), from the gradient of its result: memory does not
    /// depend on how many steps it took.
    ///
    /// # Shapes
    /// `g: [nodes, heads]`
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, g: &[T]) -> Result<ConvergentGradients<T>, GraphError> {
        let csr: Csr<'_, u32, u32> = self.graph.csr();
        let transposed = self.transposed.csr();
        let map = Contraction::try_new(csr, transposed, &self.weights, self.heads, self.gamma, self.phi);
        let (mut b, mut logits) = (vec![T::ZERO; self.x.len()], vec![T::ZERO; self.weights.len()]);
        let solved = map.and_then(|map| map.gradients(&self.x, g, self.stop, (&mut b, &mut logits), &mut self.scratch));
        solved?;
        degree_weights_gradient(&csr, self.heads, &self.logits, &mut logits)?;
        Ok(ConvergentGradients { b, logits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: usize = 12;
    const HEADS: usize = 3;
    /// Fixed points and implicit gradients against differences.
    const TOLERANCE: f64 = 1e-6;

    fn layer(phi: Phi) -> Convergent<f64> {
        let edges = (0..NODES as u32).flat_map(|node| [1, 3, 7].map(|step| (node, (node * 5 + step) % NODES as u32)));
        let graph = Adjacency::from_edges(NODES, edges).expect("in range");
        Convergent::new(Arc::new(graph), HEADS, 0.5).with(phi, Stop { tolerance: 1e-13, steps: 200 })
    }

    fn values(len: usize, seed: f64) -> Vec<f64> {
        (0..len).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
    }

    #[test]
    fn gradients_are_the_differences_of_the_fixed_point() {
        for phi in [Phi::Identity, Phi::Tanh] {
            let mut layer = layer(phi);
            let (nodes, edges) = (NODES * HEADS, layer.graph.edges() * HEADS);
            // Some logits are clipped at either end.
            let (b, logits, g) = (values(nodes, 0.7), values(edges, 1.3), values(nodes, 2.9));
            let logits: Vec<f64> = logits.iter().map(|v| 0.5 + 0.8 * v).collect();
            layer.forward(&b, &logits).expect("converges");
            let found = layer.backward(&g).expect("converges");
            let mut value = |b: &[f64], logits: &[f64]| -> f64 {
                let x = layer.forward(b, logits).expect("converges");
                x.iter().zip(&g).map(|(x, g)| x * g).sum()
            };
            let step = 1e-5;
            let moved = |of: &[f64], at: usize, by: f64| {
                let mut of = of.to_vec();
                of[at] += by;
                of
            };
            for at in 0..nodes {
                let (up, down) = (value(&moved(&b, at, step), &logits), value(&moved(&b, at, -step), &logits));
                assert!((found.b[at] - (up - down) / (2.0 * step)).abs() < TOLERANCE, "{phi:?} b[{at}]");
            }
            for at in 0..edges {
                let (up, down) = (value(&b, &moved(&logits, at, step)), value(&b, &moved(&logits, at, -step)));
                assert!((found.logits[at] - (up - down) / (2.0 * step)).abs() < TOLERANCE, "{phi:?} logits[{at}]");
            }
        }
    }

    #[test]
    fn a_layer_learns_the_fixed_point_of_another() {
        let mut teacher = layer(Phi::Tanh);
        let (nodes, edges) = (NODES * HEADS, teacher.graph.edges() * HEADS);
        let hidden: Vec<f64> = values(edges, 0.9).iter().map(|v| 0.5 + 0.4 * v).collect();
        let target = teacher.forward(&values(nodes, 1.7), &hidden).expect("converges").to_vec();
        let mut student = layer(Phi::Tanh);
        let (mut b, mut logits) = (vec![0.0; nodes], vec![0.5; edges]);
        let mut losses = Vec::new();
        for _ in 0..200 {
            let x = student.forward(&b, &logits).expect("converges");
            let g: Vec<f64> = x.iter().zip(&target).map(|(x, t)| x - t).collect();
            losses.push(g.iter().map(|g| 0.5 * g * g).sum::<f64>());
            let gradients = student.backward(&g).expect("converges");
            b.iter_mut().zip(gradients.b).for_each(|(b, g)| *b -= 0.5 * g);
            logits.iter_mut().zip(gradients.logits).for_each(|(a, g)| *a -= 0.5 * g);
        }
        assert!(losses[199] < 0.01 * losses[0], "{} to {}", losses[0], losses[199]);
    }

    #[test]
    fn a_second_solution_begins_where_the_first_was() {
        let mut layer = layer(Phi::Identity);
        let (b, logits) = (values(NODES * HEADS, 0.7), vec![0.9; layer.graph.edges() * HEADS]);
        layer.forward(&b, &logits).expect("converges");
        let first = layer.steps();
        layer.forward(&b, &logits).expect("converges");
        assert!(first > 20 && layer.steps() <= 2, "{first}, then {}", layer.steps());
        assert!(layer.forward(&b[1..], &logits).is_err());
    }
}
