//! Layers that do not mix channels: depthwise convolutions, sums, pooling.

use super::Layers;
use niwaki::graph::{GraphError, Op, Padding, Quant, Sliding, TensorId};
use niwaki::ops;

impl Layers {
    /// A depthwise convolution; every other one has a kernel of 3 × 3, no dilation and one stride of 1 or 2.
    ///
    /// # Errors
    /// The kernel does not fit into the input; nothing was added.
    pub fn depthwise_conv2d(&mut self) -> Result<(), GraphError> {
        let square = self.below(2) == 0;
        let (stride, channels) = (1 + self.below(2), 1 + self.below(13));
        let input = [1 + self.below(9), 1 + self.below(9)];
        let kernel = if square { [3, 3] } else { [1 + self.below(4), 1 + self.below(4)] };
        let dilation = if square { [1, 1] } else { [1 + self.below(5) / 4, 1 + self.below(5) / 4] };
        let strides = if square { [stride, stride] } else { [1 + self.below(3), 1 + self.below(3)] };
        let padding = self.padding(kernel, dilation);
        let sliding = Sliding { stride: strides, dilation, padding };
        let activation = self.activation();
        self.attempt(|layers, graph, name| {
            let x = layers.input(graph, name, &[input[0], input[1], channels]);
            let taps = kernel[0] * kernel[1];
            let w = layers.weights(graph, name, &[kernel[0], kernel[1], channels], channels, taps);
            if let Some(quant) = &mut graph[w].quant {
                quant.axis = Some(2);
            }
            let b = layers.bias(graph, name, channels);
            let y = graph.push(name, ops::DepthwiseConv2d { sliding, activation }, &[x, w, b])?;
            layers.output(graph, y);
            Ok(())
        })
    }

    /// A sum of two inputs whose scales are equal, alike or far apart.
    ///
    /// # Errors
    /// None in practice.
    pub fn add(&mut self) -> Result<(), GraphError> {
        let shape = [1 + self.below(99)];
        let ratio = [1.0, 0.7, 1.9, 0.04, 0.001][self.below(5)];
        let activation = self.activation();
        self.attempt(|layers, graph, name| {
            let a = layers.input(graph, name, &shape);
            let b = layers.input(graph, &format!("{name}.b"), &shape);
            let quant = layers.quant(ratio / 64.0);
            graph.quantise(b, quant);
            let y = graph.push(name, ops::Add { activation }, &[a, b])?;
            layers.output(graph, y);
            Ok(())
        })
    }

    /// A pooling of either kind.
    ///
    /// # Errors
    /// The window does not fit into the input; nothing was added.
    pub fn pool2d(&mut self) -> Result<(), GraphError> {
        let shape = [1 + self.below(9), 1 + self.below(9), 1 + self.below(13)];
        let kernel = [1 + self.below(4), 1 + self.below(4)];
        let padding = self.padding(kernel, [1, 1]);
        let sliding = Sliding { stride: [1 + self.below(3), 1 + self.below(3)], dilation: [1, 1], padding };
        let op = match self.below(2) {
            0 => Op::from(ops::MaxPool2d { kernel, sliding }),
            _ => Op::from(ops::AveragePool2d { kernel, sliding }),
        };
        self.attempt(|layers, graph, name| {
            let x: TensorId = layers.input(graph, name, &shape);
            let quant: Option<Quant> = graph[x].quant.clone();
            let y = graph.push(name, op, &[x])?;
            quant.into_iter().for_each(|quant| graph.quantise(y, quant));
            graph.outputs.push(y);
            Ok(())
        })
    }

    /// Any padding that a kernel of this size may have.
    fn padding(&mut self, kernel: [usize; 2], dilation: [usize; 2]) -> Padding {
        let mut pad = |axis: usize| self.below((kernel[axis] - 1) * dilation[axis] + 1);
        let [top, bottom, left, right] = [pad(0), pad(0), pad(1), pad(1)];
        match self.below(3) {
            0 => Padding::Valid,
            1 => Padding::Same,
            _ => Padding::Explicit { top, bottom, left, right },
        }
    }

    /// Adds what `add` does, or nothing if that fails.
    fn attempt(
        &mut self,
        add: impl FnOnce(&mut Self, &mut niwaki::graph::Graph, &str) -> Result<(), GraphError>,
    ) -> Result<(), GraphError> {
        let mut graph = self.graph.clone();
        let name = format!("layer{}", graph.nodes.len());
        add(self, &mut graph, &name)?;
        self.graph = graph;
        Ok(())
    }
}
