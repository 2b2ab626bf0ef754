//! Random quantised layers side by side in one network, each with its own input and output.

mod channelwise;

use niwaki::graph::{Activation, Data, Graph, GraphError, Padding, Quant, Sliding, TensorId};
use niwaki::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Random layers of one kind after the other.
pub struct Layers {
    /// The network so far.
    pub graph: Graph,
    rng: ChaCha8Rng,
}

impl Layers {
    /// No layer yet.
    pub fn new(seed: u64) -> Self {
        Self { graph: Graph::default(), rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.rng.next_u32() as usize % n
    }

    /// Inputs for the network.
    pub fn inputs(&mut self, count: usize) -> Vec<Vec<u8>> {
        let len = self.graph.inputs.iter().map(|&id| self.graph[id].element_count()).sum();
        let mut input = || {
            let mut codes = vec![0; len];
            self.rng.fill_bytes(&mut codes);
            codes
        };
        (0..count).map(|_| input()).collect()
    }

    /// A convolution of any geometry: strides, dilations, paddings, all remainders of channels and filters by four.
    ///
    /// # Errors
    /// The kernel does not fit into the input; nothing that counts was added.
    pub fn conv2d(&mut self) -> Result<(), GraphError> {
        let mut graph = std::mem::take(&mut self.graph);
        let added = self.add_conv2d(&mut graph);
        self.graph = graph;
        added
    }

    fn add_conv2d(&mut self, graph: &mut Graph) -> Result<(), GraphError> {
        let size = |layers: &mut Self| 1 + layers.below(9);
        let (input, channels, filters) = ([size(self), size(self)], size(self), 1 + self.below(11));
        let kernel = [1 + self.below(4), 1 + self.below(4)];
        let dilation = [1 + self.below(5) / 4, 1 + self.below(5) / 4];
        let pad = |layers: &mut Self, axis: usize| layers.below((kernel[axis] - 1) * dilation[axis] + 1);
        let padding = match self.below(3) {
            0 => Padding::Valid,
            1 => Padding::Same,
            _ => Padding::Explicit { top: pad(self, 0), bottom: pad(self, 0), left: pad(self, 1), right: pad(self, 1) },
        };
        let sliding = Sliding { stride: [1 + self.below(3), 1 + self.below(3)], dilation, padding };
        let activation = self.activation();
        let before = graph.clone();
        let name = format!("conv{}", graph.nodes.len());
        let x = self.input(graph, &name, &[input[0], input[1], channels]);
        let len = kernel[0] * kernel[1] * channels;
        let w = self.weights(graph, &name, &[filters, kernel[0], kernel[1], channels], filters, len);
        let b = self.bias(graph, &name, filters);
        match graph.push(&name, ops::Conv2d { sliding, activation }, &[x, w, b]) {
            Ok(y) => {
                self.output(graph, y);
                Ok(())
            }
            Err(error) => {
                *graph = before;
                Err(error)
            }
        }
    }

    /// A dense layer of up to 70 inputs and 20 outputs.
    ///
    /// # Errors
    /// None in practice.
    pub fn dense(&mut self) -> Result<(), GraphError> {
        let mut graph = std::mem::take(&mut self.graph);
        let (inputs, outputs) = (1 + self.below(70), 1 + self.below(20));
        let name = format!("dense{}", graph.nodes.len());
        let x = self.input(&mut graph, &name, &[inputs]);
        let w = self.weights(&mut graph, &name, &[outputs, inputs], outputs, inputs);
        let b = self.bias(&mut graph, &name, outputs);
        let activation = self.activation();
        let y = graph.push(&name, ops::Dense { activation }, &[x, w, b])?;
        self.output(&mut graph, y);
        self.graph = graph;
        Ok(())
    }

    fn activation(&mut self) -> Activation {
        [Activation::None, Activation::None, Activation::Relu, Activation::Relu6, Activation::ReluN1To1][self.below(5)]
    }

    fn quant(&mut self, scale: f32) -> Quant {
        Quant { scales: vec![scale], zero_point: self.below(256) as i32 - 128, axis: None }
    }

    fn input(&mut self, graph: &mut Graph, name: &str, shape: &[usize]) -> TensorId {
        let x = graph.input(&format!("{name}.input"), shape);
        let quant = self.quant(1.0 / 64.0);
        graph.quantise(x, quant);
        x
    }

    fn output(&mut self, graph: &mut Graph, y: TensorId) {
        let quant = self.quant(1.0 / 40.0);
        graph.quantise(y, quant);
        graph.outputs.push(y);
    }

    /// Weights over the whole symmetric range, and scales that spread sums of `len` terms over the output's range.
    fn weights(&mut self, graph: &mut Graph, name: &str, shape: &[usize], channels: usize, len: usize) -> TensorId {
        let codes = (0..shape.iter().product()).map(|_| (self.below(255) as i32 - 127) as i8).collect();
        let w = graph.constant(&format!("{name}.weight"), shape, Data::I8(codes));
        let scale = 1.0 / (64.0 * (len as f32).sqrt());
        let scales = (0..channels).map(|_| scale * (1 + self.below(100)) as f32 / 50.0).collect();
        graph[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(0) });
        w
    }

    fn bias(&mut self, graph: &mut Graph, name: &str, len: usize) -> TensorId {
        let values = (0..len).map(|_| self.below(8001) as i32 - 4000).collect();
        graph.constant(&format!("{name}.bias"), &[len], Data::I32(values))
    }
}
