//! Every kernel of a back end against [`reference`](super::reference), bit for bit, on random shapes: the same cases on
//! this machine and, in an image of their own, on a chip.
//!
//! A case draws a shape and operands, computes what the definition gives and what the back end gives, and hands both to a
//! [`Comparison`]. It uses an allocator and may panic, so no product has it: it stands behind the feature `suite`.

mod elementwise;
mod graphs;
mod movement;
mod nodes;
mod operands;
mod packed;
mod pooling;
mod tiled;
mod weighted;

pub use operands::Lcg;

#[cfg(test)]
pub(super) use {
    graphs::{Bits, Constants, Matrix, Weights},
    tiled::records,
};

use super::BackEnd;
use alloc::{format, string::String};
use core::fmt::{self, Debug};

/// Calls `$then!` with a back end and the case of every kernel.
macro_rules! for_each_kernel {
    ($then:ident, $back_end:ty) => {
        $then! { $back_end;
            weighted::conv2d, weighted::depthwise_conv2d, weighted::transpose_conv2d, weighted::dense,
            tiled::conv2d_tiled, tiled::dense_tiled, tiled::depthwise_conv2d_tiled,
            packed::conv2d_blocks, packed::dense_blocks, packed::conv2d_taps, packed::dense_taps,
            packed::conv2d_kept, packed::dense_kept, packed::conv2d_rows, packed::dense_rows,
            packed::conv2d_int4, packed::dense_int4, packed::conv2d_codebook, packed::dense_codebook,
            packed::dense_compressed,
            pooling::max_pool2d, pooling::average_pool2d, pooling::softmax,
            elementwise::unary, elementwise::binary, elementwise::add_int8, elementwise::reduce, elementwise::arg_max,
            movement::strided_copy, movement::pad, movement::resize_nearest, movement::resize_bilinear,
            nodes::propagate, nodes::sparse_dense, nodes::node_dense, nodes::weighted, nodes::compressed,
            nodes::rows_on_demand,
        }
    };
}
#[cfg(test)]
pub(super) use for_each_kernel;

/// A kernel and how a case of it is computed.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    case: fn(&mut Lcg, &mut Comparison),
}

macro_rules! table {
    ($back_end:ty; $($room:ident::$name:ident,)*) => {
        &[$(Kernel { name: stringify!($name), case: $room::$name::<$back_end> }),*]
    };
}

/// All kernels of a back end.
pub fn kernels<B: BackEnd>() -> &'static [Kernel] {
    for_each_kernel!(table, B)
}

impl Kernel {
    /// Compares `cases` cases, always the same ones, up to the first that differs.
    pub fn run(&self, cases: u32) -> Comparison {
        let (mut rng, mut seen) = (
            Lcg(self.name.bytes().fold(1_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))),
            Comparison::default(),
        );
        while seen.cases < cases && seen.mismatch.is_none() {
            (self.case)(&mut rng, &mut seen);
            seen.cases += 1;
        }
        seen
    }
}

/// What was compared of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Cases.
    pub cases: u32,
    /// Outputs of them all.
    pub outputs: u32,
    /// Whether some outputs of one case differ from others: otherwise the comparison says nothing.
    pub is_varied: bool,
    /// The first output that is not what the definition gives.
    pub mismatch: Option<Mismatch>,
}

/// An output that is not what the definition gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the case, from 0.
    pub case: u32,
    /// The operator and how it was called.
    pub shape: String,
    /// Number of the output, from 0.
    pub index: usize,
    /// What the definition gives there.
    pub expected: String,
    /// What the back end gives.
    pub got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, shape, index, expected, got } = self;
        write!(f, "case {case}, output {index} is {got} and should be {expected}: {shape}")
    }
}

impl Comparison {
    /// Compares the outputs of an operator; only the first difference of a kernel is kept.
    fn same<T: bytemuck::Pod + Debug>(&mut self, shape: impl Debug, expected: &[T], got: &[T]) {
        self.outputs += expected.len() as u32;
        let value = |value: Option<&T>| value.map_or("missing".into(), |value| format!("{value:?}"));
        let bytes = |value: &T| bytemuck::bytes_of(value).to_vec();
        self.is_varied |= expected.windows(2).any(|two| bytes(&two[0]) != bytes(&two[1]));
        let differs = (0..expected.len().max(got.len()))
            .find(|&index| expected.get(index).map(bytes) != got.get(index).map(bytes));
        if let (Some(index), None) = (differs, &self.mismatch) {
            self.mismatch = Some(Mismatch {
                case: self.cases,
                shape: format!("{shape:?}"),
                index,
                expected: value(expected.get(index)),
                got: value(got.get(index)),
            });
        }
    }
}
