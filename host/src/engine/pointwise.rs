//! A dense layer on every node: a convolution of one tap whose positions are nodes.

use super::elementwise::bias_activation;
use super::gemm::{Into, Matrix, gemm};
use super::real::Real;
use super::threads::{PARTS, Threads};
use crate::graph::Activation;
use pulp::Arch;

/// `y = clamp(x wᵀ + bias)` with `x: [nodes, inputs]`, `w: [outputs, inputs]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pointwise {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
}

impl Pointwise {
    pub(super) fn forward<T: Real>(
        &self,
        arch: Arch,
        threads: &Threads,
        x: &[T],
        w: &[T],
        bias: Option<&[T]>,
        y: &mut [T],
    ) {
        let Self { inputs, outputs, activation } = *self;
        let w = Matrix::new(w, outputs, inputs).t();
        threads.rows(y, outputs, |start, part| {
            let (first, rows) = (start / outputs, part.len() / outputs);
            let x = Matrix::new(&x[first * inputs..(first + rows) * inputs], rows, inputs);
            gemm(x, w, Into::Write, part);
            bias_activation(arch, bias, activation, part);
        });
    }

    /// `dx = dy w` or `dx += dy w`
    pub(super) fn input_gradient<T: Real>(&self, threads: &Threads, w: &[T], dy: &[T], into: Into, dx: &mut [T]) {
        let Self { inputs, outputs, .. } = *self;
        let w = Matrix::new(w, outputs, inputs);
        threads.rows(dx, inputs, |start, part| {
            let (first, rows) = (start / inputs, part.len() / inputs);
            let dy = Matrix::new(&dy[first * outputs..(first + rows) * outputs], rows, outputs);
            gemm(dy, w, into, part);
        });
    }

    /// Adds `dyᵀ x`. `scratch` has [`scratch_len`](Self::scratch_len) elements.
    pub(super) fn weight_gradient<T: Real>(
        &self,
        threads: &Threads,
        x: &[T],
        dy: &[T],
        scratch: &mut [T],
        dw: &mut [T],
    ) {
        let Self { inputs, outputs, .. } = *self;
        let nodes = x.len() / inputs;
        let rows = nodes.div_ceil(PARTS);
        let len = inputs * outputs;
        let used = nodes.div_ceil(rows);
        threads.parts(&mut scratch[..used * len], len, |start, part| {
            let first = start / len * rows;
            let last = nodes.min(first + rows);
            let dy = Matrix::new(&dy[first * outputs..last * outputs], last - first, outputs);
            let x = Matrix::new(&x[first * inputs..last * inputs], last - first, inputs);
            gemm(dy.t(), x, Into::Write, part);
        });
        for part in scratch[..used * len].chunks_exact(len) {
            for (dw, part) in dw.iter_mut().zip(part) {
                *dw += *part;
            }
        }
    }

    /// Elements of scratch for the gradient of the weights.
    pub(super) fn scratch_len(&self) -> usize {
        PARTS * self.inputs * self.outputs
    }
}
