//! Fully connected layer: `y = clamp(x wᵀ + bias)`.

use super::elementwise;
use super::gemm::{Into, Matrix, gemm};
use super::real::Real;
use crate::graph::Activation;
use pulp::Arch;

/// Shape of a dense layer: `x: [batch, inputs] · w: [outputs, inputs] · y: [batch, outputs]`.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
}

impl Dense {
    pub(super) fn forward<T: Real>(&self, arch: Arch, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
        let rows = x.len() / self.inputs;
        gemm(Matrix::new(x, rows, self.inputs), Matrix::new(w, self.outputs, self.inputs).t(), Into::Write, y);
        elementwise::bias_activation(arch, bias, self.activation, y);
    }

    /// `dw += dyᵀ x`
    pub(super) fn weight_gradient<T: Real>(&self, x: &[T], dy: &[T], dw: &mut [T]) {
        let rows = x.len() / self.inputs;
        gemm(Matrix::new(dy, rows, self.outputs).t(), Matrix::new(x, rows, self.inputs), Into::Add, dw);
    }

    /// `dx = dy w`, or adds to it.
    pub(super) fn input_gradient<T: Real>(&self, w: &[T], dy: &[T], into: Into, dx: &mut [T]) {
        let rows = dy.len() / self.outputs;
        gemm(Matrix::new(dy, rows, self.outputs), Matrix::new(w, self.outputs, self.inputs), into, dx);
    }
}
