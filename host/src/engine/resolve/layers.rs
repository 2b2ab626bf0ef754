//! Layers with weights over samples.

use super::{Resolver, grid, refuse};
use crate::engine::batch_norm::BatchNorm;
use crate::engine::conv2d::Conv2d;
use crate::engine::dense::Dense;
use crate::engine::depthwise::Depthwise;
use crate::engine::error::EngineError;
use crate::engine::kernel::{Constant, Kernel};
use crate::engine::real::Real;
use crate::graph::{Node, Op};
use crate::ops;

impl Resolver<'_> {
    pub(super) fn layer<T: Real>(&mut self, node: &Node) -> Result<Kernel<T>, EngineError> {
        let shape = |i: usize| self.graph[node.inputs[i]].shape.as_slice();
        let last = |i: usize| shape(i).last().copied().unwrap_or(1);
        let biased = || Ok::<_, EngineError>((self.constant(node, 1)?, self.optional(node, 2)?));
        Ok(match node.op {
            Op::Conv2d(ops::Conv2d { ref sliding, activation }) => {
                let (w, bias) = biased()?;
                let grid = grid(node, sliding, shape(0), &shape(1)[1..3])?;
                let op = Conv2d { grid, channels: last(0), filters: shape(1)[0], activation };
                Kernel::Conv2d { op, w, bias }
            }
            Op::DepthwiseConv2d(ops::DepthwiseConv2d { ref sliding, activation }) => {
                let (w, bias) = biased()?;
                let grid = grid(node, sliding, shape(0), &shape(1)[..2])?;
                let op = Depthwise { grid, channels: last(0), multiplier: last(1) / last(0), activation };
                Kernel::Depthwise { op, w, bias }
            }
            Op::Dense(ops::Dense { activation }) => {
                let (w, bias) = biased()?;
                let op = Dense { inputs: last(1), outputs: shape(1)[0], activation };
                Kernel::Dense { op, w, bias }
            }
            Op::BatchNorm(ops::BatchNorm { epsilon, momentum, activation }) => {
                let (epsilon, momentum) = (f64::from(epsilon), f64::from(momentum));
                let op = BatchNorm { channels: last(0), epsilon, momentum, activation };
                let (gamma, beta) = (self.constant(node, 1)?, self.constant(node, 2)?);
                let (Constant::Buffer(mean), Constant::Buffer(var)) =
                    (self.constant(node, 3)?, self.constant(node, 4)?)
                else {
                    return Err(refuse(node, "its running statistics must be buffers, not parameters".into()));
                };
                self.batch_norms += 1;
                Kernel::BatchNorm { op, index: self.batch_norms - 1, gamma, beta, mean, var }
            }
            _ => return Err(refuse(node, "it is no layer with weights".into())),
        })
    }
}
