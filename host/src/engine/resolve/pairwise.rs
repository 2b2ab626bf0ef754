//! Sums, differences and products of two operands, of which one may be constant or repeat.

use super::{Resolver, refuse};
use crate::engine::error::{EngineError, Untrainable};
use crate::engine::kernel::Kernel;
use crate::engine::pairwise::Pairwise;
use crate::engine::real::Real;
use crate::graph::{Activation, Node};
use crate::ops::training::Arithmetic;

impl Resolver<'_> {
    pub(super) fn pairwise<T: Real>(
        &self,
        node: &Node,
        arithmetic: Arithmetic,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        let [a, b] = self.pair(node, arithmetic)?;
        let len = |operand: usize| self.graph[node.inputs[operand]].element_count();
        if arithmetic == Arithmetic::Add && self.is_value(node, b) && len(a) == len(b) {
            return Ok(Kernel::Add(activation));
        }
        let op = Pairwise { arithmetic, len: len(a), period: len(b), activation };
        let b = if self.is_value(node, b) { None } else { Some(self.constant(node, b)?) };
        Ok(Kernel::Pairwise { op, b })
    }

    /// The operands of a sum, difference or product: first the one that is as large as the output, then the one that
    /// may be constant or repeat.
    pub(super) fn pair(&self, node: &Node, arithmetic: Arithmetic) -> Result<[usize; 2], EngineError> {
        let operand = |i: usize| &self.graph[node.inputs[i]];
        let smaller = operand(0).element_count() < operand(1).element_count();
        let [a, b] = if smaller || !self.is_value(node, 0) { [1, 0] } else { [0, 1] };
        let (large, small) = (operand(a), operand(b));
        if a == 1 && arithmetic == Arithmetic::Sub {
            return Err(refuse(node, Untrainable::Subtrahend { tensor: small.name.clone() }));
        }
        let ones = small.shape.iter().take_while(|&&size| size == 1).count();
        if !large.shape.ends_with(&small.shape[ones..]) {
            let (tensor, shape, large) = (small.name.clone(), small.shape.clone(), large.shape.clone());
            return Err(refuse(node, Untrainable::Repeats { operand: b, tensor, shape, large }));
        }
        Ok([a, b])
    }
}
