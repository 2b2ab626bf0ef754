//! Sums over neighbours with factors on both sides: GCN, GIN's sum and SAGE's mean, and each one's transpose.

use super::elementwise::{Clamp, for_channel_blocks};
use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use super::threads::Threads;
use crate::graph::{Activation, Adjacency, Propagation};
use pulp::Arch;

/// Rows of a sparse matrix, without values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) offsets: Vec<u32>,
    pub(super) columns: Vec<u32>,
}

impl Rows {
    /// The graph's neighbours, without self loops where `loops` is false.
    pub(super) fn of(graph: &Adjacency, loops: bool) -> Self {
        let mut rows = Self { offsets: vec![0], columns: Vec::with_capacity(graph.edges()) };
        for node in 0..graph.nodes() {
            rows.columns.extend(graph.row(node).iter().filter(|other| loops || **other as usize != node));
            rows.offsets.push(rows.columns.len() as u32);
        }
        rows
    }

    #[inline(always)]
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    pub(super) fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The transpose with `columns` rows, and for each of its entries where that lies in `self`.
    pub(super) fn transposed(&self, columns: usize) -> (Self, Vec<u32>) {
        let mut offsets = vec![0_u32; columns + 1];
        for column in &self.columns {
            offsets[*column as usize + 1] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut next = offsets.clone();
        let (mut rows, mut entries) = (vec![0; self.columns.len()], vec![0; self.columns.len()]);
        for row in 0..self.count() {
            for entry in self.range(row) {
                let slot = &mut next[self.columns[entry] as usize];
                rows[*slot as usize] = row as u32;
                entries[*slot as usize] = entry as u32;
                *slot += 1;
            }
        }
        (Self { offsets, columns: rows }, entries)
    }
}

/// `y_i = left_i (Σ_j m_ij right_j x_j + own right_i x_i)`
#[derive(Debug, Clone)]
pub(super) struct Propagate<T> {
    rows: Rows,
    /// The transpose, and where its entries lie in `rows`; none where they are the same and no mask tells them apart.
    transposed: (Rows, Vec<u32>),
    left: Vec<T>,
    right: Vec<T>,
    /// What a node itself counts, where that is not trained.
    own: T,
    pub(super) rule: Propagation,
}

/// One direction of a [`Propagate`].
struct Pass<'a, T> {
    rows: &'a Rows,
    /// By entry.
    mask: Option<&'a [T]>,
    /// Entries of the mask in the order of `rows`.
    order: Option<&'a [u32]>,
    left: &'a [T],
    right: &'a [T],
    own: T,
}

impl<T: Real> Propagate<T> {
    pub(super) fn new(graph: &Adjacency, rule: Propagation) -> Self {
        let rows = Rows::of(graph, !matches!(rule, Propagation::Gcn));
        let degrees = || (0..rows.count()).map(|row| rows.range(row).len() as f64);
        let ones = || vec![T::ONE; rows.count()];
        let (left, right, own): (Vec<T>, _, _) = match rule {
            Propagation::Gcn => {
                let factors: Vec<T> = degrees().map(|d| T::from_f64(1.0 / (d + 1.0).sqrt())).collect();
                (factors.clone(), factors, T::ONE)
            }
            Propagation::Mean => (degrees().map(|d| T::from_f64(1.0 / d.max(1.0))).collect(), ones(), T::ZERO),
            _ => (ones(), ones(), T::ONE),
        };
        let transposed = rows.transposed(rows.count());
        Self { transposed, rows, left, right, own, rule }
    }

    /// What a node itself counts: `1 + eps` where there is one.
    pub(super) fn own(&self, eps: Option<&[T]>) -> T {
        eps.and_then(|eps| eps.first()).map_or(self.own, |eps| T::ONE + *eps)
    }

    /// Entries that a mask has.
    pub(super) fn entries(&self) -> usize {
        self.rows.columns.len()
    }

    /// `y = clamp(G x)`, with `own` in place of the node's own weight.
    #[expect(clippy::too_many_arguments, reason = "operands, each named by its type or the formula above")]
    pub(super) fn forward(
        &self,
        arch: Arch,
        threads: &Threads,
        mask: Option<&[T]>,
        own: T,
        activation: Activation,
        x: &[T],
        y: &mut [T],
    ) {
        let pass = Pass { rows: &self.rows, mask, order: None, left: &self.left, right: &self.right, own };
        pass.run(arch, threads, Clamp::new(activation), Into::Write, x, y);
    }

    /// `dx = Gᵀ dy` or `dx += Gᵀ dy`
    #[expect(clippy::too_many_arguments, reason = "operands, each named by its type or the formula above")]
    pub(super) fn input_gradient(
        &self,
        arch: Arch,
        threads: &Threads,
        mask: Option<&[T]>,
        own: T,
        dy: &[T],
        into: Into,
        dx: &mut [T],
    ) {
        let (rows, order) = (&self.transposed.0, Some(&self.transposed.1[..]));
        let pass = Pass { rows, mask, order, left: &self.right, right: &self.left, own };
        pass.run(arch, threads, Clamp::new(Activation::None), into, dy, dx);
    }

    /// Adds the gradient of every entry of the mask: `left_i right_j ⟨dy_i, x_j⟩`.
    pub(super) fn mask_gradient(&self, arch: Arch, x: &[T], dy: &[T], gradient: &mut [T]) {
        let width = x.len() / self.rows.count();
        vectorize!(arch, {
            for row in 0..self.rows.count() {
                let dy = &dy[row * width..(row + 1) * width];
                for entry in self.rows.range(row) {
                    let other = self.rows.columns[entry] as usize;
                    let product = lanes_dot(dy, &x[other * width..(other + 1) * width]);
                    gradient[entry] += self.left[row] * self.right[other] * product;
                }
            }
        });
    }

    /// The gradient of the node's own weight, where it is trained: `Σ_i ⟨dy_i, x_i⟩`.
    pub(super) fn own_gradient(&self, x: &[T], dy: &[T]) -> T {
        let product = |(x, dy): (&T, &T)| x.to_f64() * dy.to_f64();
        T::from_f64(x.iter().zip(dy).map(product).sum())
    }
}

/// `⟨a, b⟩` with sixteen partial sums, which LLVM keeps in vectors.
#[inline(always)]
pub(super) fn lanes_dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a_lanes, a_rest) = a.as_chunks::<16>();
    let (b_lanes, b_rest) = b.as_chunks::<16>();
    let mut sums = [T::ZERO; 16];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let mut sum = T::ZERO;
    for lane in sums {
        sum += lane;
    }
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sum
}

impl<T: Real> Pass<'_, T> {
    fn run(&self, arch: Arch, threads: &Threads, clamp: Clamp<T>, into: Into, x: &[T], y: &mut [T]) {
        let width = y.len() / self.rows.count();
        threads.rows(y, width, |start, part| self.run_part(arch, clamp, into, start / width, width, x, part));
    }

    /// Rows from `first` on.
    #[expect(clippy::too_many_arguments, reason = "the part and what it is a part of")]
    fn run_part(&self, arch: Arch, clamp: Clamp<T>, into: Into, first: usize, width: usize, x: &[T], part: &mut [T]) {
        vectorize!(
            arch,
            for_channel_blocks!(width, [64, 16, 4, 1], gather_block::<T>(self, first, width, clamp, into, x, part))
        );
    }

    #[inline(always)]
    fn weight(&self, entry: usize, other: usize) -> T {
        let factor = self.right[other];
        match (self.mask, self.order) {
            (None, _) => factor,
            (Some(mask), None) => factor * mask[entry],
            (Some(mask), Some(order)) => factor * mask[order[entry] as usize],
        }
    }
}

/// `B` channels from `c` on of all rows of a part: what they read stays in the cache.
#[expect(clippy::too_many_arguments, reason = "the block and what it is a block of")]
#[inline(always)]
fn gather_block<T: Real, const B: usize>(
    c: usize,
    pass: &Pass<'_, T>,
    first: usize,
    width: usize,
    clamp: Clamp<T>,
    into: Into,
    x: &[T],
    part: &mut [T],
) {
    let columns = &pass.rows.columns[..];
    for (row, y) in (first..).zip(part.chunks_exact_mut(width)) {
        let mut sums = [T::ZERO; B];
        let mut add = |factor: T, other: usize| {
            let x = &x[other * width + c..][..B];
            for i in 0..B {
                sums[i] += factor * x[i];
            }
        };
        for entry in pass.rows.range(row) {
            let other = columns[entry] as usize;
            add(pass.weight(entry, other), other);
        }
        add(pass.own * pass.right[row], row);
        let (left, y) = (pass.left[row], &mut y[c..c + B]);
        // Two loops, each without a branch.
        if into == Into::Add {
            for i in 0..B {
                y[i] += clamp.of(left * sums[i]);
            }
        } else {
            for i in 0..B {
                y[i] = clamp.of(left * sums[i]);
            }
        }
    }
}
