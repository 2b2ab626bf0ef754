//! Layers with weights over samples.

use super::{Resolver, refuse};
use crate::engine::batch_norm::BatchNorm;
use crate::engine::conv2d::Conv2d;
use crate::engine::dense::Dense;
use crate::engine::depthwise::Depthwise;
use crate::engine::error::{EngineError, Untrainable};
use crate::engine::kernel::{Constant, Kernel};
use crate::engine::real::Real;
use crate::engine::window::Grid;
use crate::graph::{Activation, Node};
use niwaki_core::shape::Window;

impl Resolver<'_> {
    fn shape(&self, node: &Node, operand: usize) -> &[usize] {
        &self.graph[node.inputs[operand]].shape
    }

    fn channels(&self, node: &Node, operand: usize) -> usize {
        self.shape(node, operand).last().copied().unwrap_or(1)
    }

    /// Weights and bias.
    fn weights(&self, node: &Node) -> Result<(Constant, Option<Constant>), EngineError> {
        Ok((self.constant(node, 1)?, self.optional(node, 2)?))
    }

    pub(super) fn conv2d<T: Real>(
        &self,
        node: &Node,
        window: &Window,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        let (w, bias) = self.weights(node)?;
        let (channels, filters) = (self.channels(node, 0), self.shape(node, 1)[0]);
        Ok(Kernel::Conv2d { op: Conv2d { grid: Grid::new(window), channels, filters, activation }, w, bias })
    }

    pub(super) fn depthwise_conv2d<T: Real>(
        &self,
        node: &Node,
        window: &Window,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        let (w, bias) = self.weights(node)?;
        let (grid, channels) = (Grid::new(window), self.channels(node, 0));
        let op = Depthwise { grid, channels, multiplier: self.channels(node, 1) / channels, activation };
        Ok(Kernel::Depthwise { op, w, bias })
    }

    pub(super) fn dense<T: Real>(&self, node: &Node, activation: Activation) -> Result<Kernel<T>, EngineError> {
        let (w, bias) = self.weights(node)?;
        let op = Dense { inputs: self.channels(node, 1), outputs: self.shape(node, 1)[0], activation };
        Ok(Kernel::Dense { op, w, bias })
    }

    pub(super) fn batch_norm<T: Real>(&mut self, node: &Node, op: BatchNorm) -> Result<Kernel<T>, EngineError> {
        let (gamma, beta) = (self.constant(node, 1)?, self.constant(node, 2)?);
        let (Constant::Buffer(mean), Constant::Buffer(var)) = (self.constant(node, 3)?, self.constant(node, 4)?) else {
            return Err(refuse(node, Untrainable::Statistics));
        };
        self.batch_norms += 1;
        Ok(Kernel::BatchNorm { op, index: self.batch_norms - 1, gamma, beta, mean, var })
    }
}
