//! Weighted operators in formats other than int8 and f32.

use super::Scaling;
use crate::graph::{Data, Graph, Node};
use niwaki_core::format::DType;
use niwaki_core::kernels::Int16x8;
use niwaki_core::num::Rounding;
use std::marker::PhantomData;

impl Scaling {
    /// The arithmetic of an int16 operator whose bias is of type `B`.
    pub fn int16x8<B>(&self, rounding: Rounding) -> Option<Int16x8<'_, B>> {
        match self {
            Self::Int16x8 { multipliers_q31, shifts, clamp } => {
                Some(Int16x8 { multipliers_q31, shifts, clamp: *clamp, rounding, bias: PhantomData })
            }
            _ => None,
        }
    }
}

impl Graph {
    /// The type that files store a weighted operator's row by: that of its input, but f16 for f32 with f16 weights.
    pub fn weighted_dtype(&self, node: &Node) -> DType {
        match self[node.inputs[1]].dtype() {
            DType::F16 => DType::F16,
            _ => self[node.inputs[0]].element,
        }
    }

    /// The zeros that stand for the bias of a node without one; TensorFlow Lite Micro sums int16 operators without bias
    /// in 64 bits.
    pub(super) fn no_bias(&self, node: &Node, channels: usize) -> Data {
        match self[node.inputs[0]].element {
            DType::I8 => Data::I32(vec![0; channels]),
            DType::I16 => Data::I64(vec![0; channels]),
            _ => Data::F32(vec![0.0; channels]),
        }
    }
}
