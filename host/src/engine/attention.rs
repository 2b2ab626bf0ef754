//! GAT's softmax over the neighbours and the node itself, forward and backward.

use super::elementwise::Clamp;
use super::gemm::Into;
use super::propagate::{Rows, lanes_dot};
use super::real::Real;
use super::simd::vectorize;
use super::threads::Threads;
use crate::graph::{Activation, Adjacency};
use pulp::Arch;

/// One attention layer: [`niwaki_core::graph::propagate::attention`].
#[derive(Debug, Clone)]
pub(super) struct Attention<T> {
    /// The neighbours without self loops, each node after its own.
    rows: Rows,
    transposed: (Rows, Vec<u32>),
    heads: usize,
    slope: T,
}

/// What the backward pass reads again.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory<T> {
    /// `[entries, heads]`: what each entry counts.
    weights: Vec<T>,
    /// `[entries, heads]`: the slope of the leaky ReLU there; then the gradient of the score.
    slopes: Vec<T>,
    /// `[nodes, heads]`
    source: Vec<T>,
    target: Vec<T>,
}

impl<T: Real> Attention<T> {
    pub(super) fn new(graph: &Adjacency, heads: usize, slope: f32) -> Self {
        let mut rows = Rows { offsets: vec![0], columns: Vec::with_capacity(graph.edges() + graph.nodes()) };
        for node in 0..graph.nodes() {
            rows.columns.extend(graph.row(node).iter().filter(|other| **other as usize != node));
            rows.columns.push(node as u32);
            rows.offsets.push(rows.columns.len() as u32);
        }
        let transposed = rows.transposed(rows.count());
        Self { rows, transposed, heads, slope: T::from_f32(slope) }
    }

    pub(super) fn memory(&self) -> Memory<T> {
        let (entries, nodes) = (self.rows.columns.len() * self.heads, self.rows.count() * self.heads);
        let zeros = |len| vec![T::ZERO; len];
        Memory { weights: zeros(entries), slopes: zeros(entries), source: zeros(nodes), target: zeros(nodes) }
    }

    /// `[node, head]`: products of a node's channels with a vector.
    fn scores(&self, arch: Arch, threads: &Threads, x: &[T], by: &[T], scores: &mut [T]) {
        let (width, heads) = (by.len(), self.heads);
        let part = width / heads;
        threads.rows(scores, heads, |start, scores| {
            vectorize!(arch, {
                for (x, scores) in x[start / heads * width..].chunks_exact(width).zip(scores.chunks_exact_mut(heads)) {
                    for ((x, by), score) in x.chunks_exact(part).zip(by.chunks_exact(part)).zip(scores) {
                        *score = lanes_dot(x, by);
                    }
                }
            });
        });
    }

    #[expect(clippy::too_many_arguments, reason = "operands in the order of the definition")]
    pub(super) fn forward(
        &self,
        arch: Arch,
        threads: &Threads,
        source: &[T],
        target: &[T],
        activation: Activation,
        memory: &mut Memory<T>,
        x: &[T],
        y: &mut [T],
    ) {
        let (width, heads) = (source.len(), self.heads);
        self.scores(arch, threads, x, source, &mut memory.source);
        self.scores(arch, threads, x, target, &mut memory.target);
        for row in 0..self.rows.count() {
            for head in 0..heads {
                let own = memory.target[row * heads + head];
                let mut largest = None;
                for entry in self.rows.range(row) {
                    let sum = memory.source[self.rows.columns[entry] as usize * heads + head] + own;
                    let slope = if sum > T::ZERO { T::ONE } else { self.slope };
                    let score = slope * sum;
                    memory.slopes[entry * heads + head] = slope;
                    memory.weights[entry * heads + head] = score;
                    largest = largest.filter(|largest| *largest > score).or(Some(score));
                }
                let (mut total, largest) = (T::ZERO, largest.unwrap_or(T::ZERO));
                for entry in self.rows.range(row) {
                    let weight = &mut memory.weights[entry * heads + head];
                    *weight = (*weight - largest).exp();
                    total += *weight;
                }
                for entry in self.rows.range(row) {
                    let weight = &mut memory.weights[entry * heads + head];
                    *weight = *weight / total;
                }
            }
        }
        let (weights, clamp, part) = (&memory.weights, Clamp::new(activation), width / heads);
        threads.rows(y, width, |start, ys| {
            vectorize!(arch, {
                for (row, y) in (start / width..).zip(ys.chunks_exact_mut(width)) {
                    y.fill(T::ZERO);
                    for entry in self.rows.range(row) {
                        let x = &x[self.rows.columns[entry] as usize * width..][..width];
                        add_heads(&weights[entry * heads..][..heads], part, x, y);
                    }
                    for y in y {
                        *y = clamp.of(*y);
                    }
                }
            });
        });
    }

    /// The gradients of all scores: of each entry's, in place of its slope, and summed by node, in place of the scores.
    fn score_gradients(&self, arch: Arch, memory: &mut Memory<T>, x: &[T], dy: &[T]) {
        let (width, heads) = (dy.len() / self.rows.count(), self.heads);
        let part = width / heads;
        let Memory { weights, slopes, source: d_source, target: d_target } = memory;
        // The gradient of each entry's score takes the place of its slope.
        vectorize!(arch, {
            for row in 0..self.rows.count() {
                let dy = &dy[row * width..(row + 1) * width];
                for head in 0..heads {
                    let (mut mean, mut sum) = (T::ZERO, T::ZERO);
                    let dy = &dy[head * part..(head + 1) * part];
                    let product = |entry: usize| {
                        let x = &x[self.rows.columns[entry] as usize * width + head * part..][..part];
                        lanes_dot(dy, x)
                    };
                    for entry in self.rows.range(row) {
                        mean += weights[entry * heads + head] * product(entry);
                    }
                    for entry in self.rows.range(row) {
                        let at = entry * heads + head;
                        slopes[at] = slopes[at] * weights[at] * (product(entry) - mean);
                        sum += slopes[at];
                    }
                    d_target[row * heads + head] = sum;
                }
            }
        });
        let (columns, order) = &self.transposed;
        for node in 0..columns.count() {
            for head in 0..heads {
                let mut sum = T::ZERO;
                for entry in columns.range(node) {
                    sum += slopes[order[entry] as usize * heads + head];
                }
                d_source[node * heads + head] = sum;
            }
        }
    }

    /// Gradients of the input and, added, of both vectors.
    #[expect(clippy::too_many_arguments, reason = "operands in the order of the definition")]
    pub(super) fn backward(
        &self,
        arch: Arch,
        threads: &Threads,
        (source, target): (&[T], &[T]),
        memory: &mut Memory<T>,
        x: &[T],
        dy: &[T],
        into: Into,
        dx: Option<&mut [T]>,
        (dsource, dtarget): (&mut [T], &mut [T]),
    ) {
        let (width, heads) = (source.len(), self.heads);
        let part = width / heads;
        self.score_gradients(arch, memory, x, dy);
        let Memory { weights, source: d_source, target: d_target, .. } = memory;
        for (scores, gradient) in [(&*d_source, dsource), (&*d_target, dtarget)] {
            vectorize!(arch, {
                for (x, scores) in x.chunks_exact(width).zip(scores.chunks_exact(heads)) {
                    add_heads(scores, part, x, gradient);
                }
            });
        }
        let Some(dx) = dx else { return };
        let (weights, d_source, d_target) = (&*weights, &*d_source, &*d_target);
        let (columns, order) = &self.transposed;
        threads.rows(dx, width, |start, dxs| {
            vectorize!(arch, {
                for (node, dx) in (start / width..).zip(dxs.chunks_exact_mut(width)) {
                    if into == Into::Write {
                        dx.fill(T::ZERO);
                    }
                    for entry in columns.range(node) {
                        let dy = &dy[columns.columns[entry] as usize * width..][..width];
                        add_heads(&weights[order[entry] as usize * heads..][..heads], part, dy, dx);
                    }
                    add_heads(&d_source[node * heads..][..heads], part, source, dx);
                    add_heads(&d_target[node * heads..][..heads], part, target, dx);
                }
            });
        });
    }
}

/// `y += factor x`, one factor a head.
#[inline(always)]
fn add_heads<T: Real>(factors: &[T], part: usize, x: &[T], y: &mut [T]) {
    for ((factor, x), y) in factors.iter().zip(x.chunks_exact(part)).zip(y.chunks_exact_mut(part)) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += *factor * *x;
        }
    }
}
