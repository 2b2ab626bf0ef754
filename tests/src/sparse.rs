//! Quantised layers with zeros in different patterns among their weights, side by side in one network.

use niwaki::export::{Layout, export_with};
use niwaki::graph::{Activation, Data, Graph, GraphError, Op, Padding, Quant, Sliding, TensorId};
use niwaki::hardware::Isa;
use niwaki::io::AlignedBytes;
use niwaki::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{error::Error, fmt};

/// A layer without its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A convolution with stride 1 that keeps the image's size.
    Conv2d {
        /// Rows, columns, channels.
        input: [usize; 3],
        /// Rows, columns.
        kernel: [usize; 2],
        /// Output channels.
        filters: usize,
    },
    /// A dense layer.
    Dense {
        /// Inputs.
        inputs: usize,
        /// Outputs.
        outputs: usize,
    },
}

/// Where weights are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Nowhere.
    All,
    /// Nowhere, and all are of four bits.
    Int4,
    /// Nowhere by design, but all have one of sixteen values, 0 among them.
    Codebook,
    /// In whole blocks of so many filters by so many weights.
    Blocks {
        /// Filters.
        rows: usize,
        /// Weights.
        columns: usize,
    },
    /// At the same positions of all filters of a tile, all but `n` of every `m`.
    OfEach {
        /// Kept.
        n: usize,
        /// Of so many.
        m: usize,
    },
    /// At the same positions in all filters.
    Positions,
    /// In whole filters.
    Rows,
    /// Anywhere.
    Anywhere,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All | Self::Int4 | Self::Codebook => f.write_str("-"),
            Self::Blocks { rows, columns } => write!(f, "blocks {rows}x{columns}"),
            Self::OfEach { n, m } => write!(f, "all but {n}:{m}"),
            Self::Positions => f.write_str("positions"),
            Self::Rows => f.write_str("filters"),
            Self::Anywhere => f.write_str("anywhere"),
        }
    }
}

/// Layers one after the other, each with its own input and output.
pub struct Network {
    /// The network so far.
    pub graph: Graph,
    rng: ChaCha8Rng,
}

impl Network {
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

    /// Adds `layer`, keeping the share `keep` of its weights in `pattern`.
    ///
    /// # Errors
    /// The kernel does not fit into the input; the network is not changed then.
    pub fn add(&mut self, layer: Layer, pattern: Pattern, keep: f64) -> Result<(), GraphError> {
        let sliding = Sliding::unit(Padding::Same);
        self.push(layer, sliding, Activation::None, pattern, keep)
    }

    /// As [`Self::add`], with any window and activation.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn push(
        &mut self,
        layer: Layer,
        sliding: Sliding,
        activation: Activation,
        pattern: Pattern,
        keep: f64,
    ) -> Result<(), GraphError> {
        let before = self.graph.clone();
        let name = format!("layer{}", self.graph.nodes.len());
        let (shape, weights, op) = match layer {
            Layer::Conv2d { input, kernel: [y, x], filters } => {
                (input.to_vec(), vec![filters, y, x, input[2]], Op::from(ops::Conv2d { sliding, activation }))
            }
            Layer::Dense { inputs, outputs } => {
                (vec![inputs], vec![outputs, inputs], Op::from(ops::Dense { activation }))
            }
        };
        let x = self.graph.input(&format!("{name}.input"), &shape);
        let zero_point = self.below(256) as i32 - 128;
        self.graph.quantise(x, Quant { scales: vec![1.0 / 64.0], zero_point, axis: None });
        let filters = weights[0];
        let len = weights[1..].iter().product();
        let w = self.weights(&name, &weights, [filters, len], pattern, keep);
        let bias = (0..filters).map(|_| self.below(2001) as i32 - 1000).collect();
        let b = self.graph.constant(&format!("{name}.bias"), &[filters], Data::I32(bias));
        match self.graph.push(&name, op, &[x, w, b]) {
            Ok(y) => {
                let zero_point = self.below(256) as i32 - 128;
                self.graph.quantise(y, Quant { scales: vec![1.0 / 40.0], zero_point, axis: None });
                self.graph.outputs.push(y);
                Ok(())
            }
            Err(error) => {
                self.graph = before;
                Err(error)
            }
        }
    }

    /// Scales that spread the sums of the kept weights over the range of the output.
    fn weights(&mut self, name: &str, shape: &[usize], dims: [usize; 2], pattern: Pattern, keep: f64) -> TensorId {
        let [filters, len] = dims;
        let kept = self.kept(dims, pattern, keep);
        let most = if pattern == Pattern::Int4 { 7 } else { 127 };
        let values: Vec<i8> = match pattern {
            Pattern::Codebook => {
                (0..16).map(|n| if n == 0 { 0 } else { (self.below(255) as i32 - 127) as i8 }).collect()
            }
            _ => Vec::new(),
        };
        let mut code = |kept| {
            if !values.is_empty() {
                return values[self.below(values.len())];
            }
            let magnitude = 1 + self.below(most) as i32;
            let sign = if self.below(2) == 0 { -1 } else { 1 };
            if kept { (sign * magnitude) as i8 } else { 0 }
        };
        let codes = kept.into_iter().map(&mut code).collect();
        let scale = 127.0 / (most as f32 * 64.0 * (len as f32 * keep as f32).max(1.0).sqrt());
        let scales = (0..filters).map(|_| scale * (1 + self.below(100)) as f32 / 50.0).collect();
        let w = self.graph.constant(&format!("{name}.weight"), shape, Data::I8(codes));
        self.graph[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(0) });
        w
    }

    /// `n` of every `m` weights, the same for all filters of a tile.
    fn of_each(&mut self, [filters, len]: [usize; 2], n: usize, m: usize) -> Vec<bool> {
        let mut kept = vec![false; filters * len];
        for tile in 0..filters.div_ceil(4) {
            for from in (0..len).step_by(m) {
                let mut group: Vec<usize> = (from..len.min(from + m)).collect();
                for _ in 0..n.min(group.len()) {
                    let k = group.swap_remove(self.below(group.len()));
                    (4 * tile..filters.min(4 * tile + 4)).for_each(|o| kept[o * len + k] = true);
                }
            }
        }
        kept
    }

    /// Which weights are kept: the share `keep` of the units of `pattern`, rounded down.
    fn kept(&mut self, [filters, len]: [usize; 2], pattern: Pattern, keep: f64) -> Vec<bool> {
        let [rows, columns] = match pattern {
            Pattern::All | Pattern::Int4 | Pattern::Codebook => return vec![true; filters * len],
            Pattern::Blocks { rows, columns } => [rows, columns],
            Pattern::OfEach { n, m } => return self.of_each([filters, len], n, m),
            Pattern::Positions => [filters, 1],
            Pattern::Rows => [1, len],
            Pattern::Anywhere => [1, 1],
        };
        let across = len.div_ceil(columns);
        let mut blocks: Vec<usize> = (0..filters.div_ceil(rows) * across).collect();
        let count = (keep * blocks.len() as f64).floor() as usize;
        let mut chosen = vec![false; blocks.len()];
        for n in 0..count {
            let pick = n + self.below(blocks.len() - n);
            blocks.swap(n, pick);
            chosen[blocks[n]] = true;
        }
        (0..filters * len).map(|at| chosen[at / len / rows * across + at % len / columns]).collect()
    }
}

/// A small model with every packing of weights that a layer can have.
///
/// # Errors
/// A bug in the exporter.
pub fn every_packing() -> Result<AlignedBytes, Box<dyn Error>> {
    let conv2d = Layer::Conv2d { input: [5, 5, 4], kernel: [3, 3], filters: 8 };
    let dense = Layer::Dense { inputs: 21, outputs: 10 };
    let mut network = Network::new(7);
    let mut layouts = Vec::new();
    let patterns = [
        (Layout::Blocks, Pattern::Blocks { rows: 4, columns: 4 }, 0.5),
        (Layout::Taps, Pattern::OfEach { n: 1, m: 4 }, 0.25),
        (Layout::Kept, Pattern::Positions, 0.5),
        (Layout::Rows, Pattern::Rows, 0.5),
        (Layout::Int4, Pattern::Int4, 1.0),
        (Layout::Codebook, Pattern::Codebook, 1.0),
    ];
    for layer in [conv2d, dense] {
        for (layout, pattern, keep) in patterns {
            network.add(layer, pattern, keep)?;
            layouts.push(Some(layout));
        }
    }
    network.add(dense, Pattern::Anywhere, 0.3)?;
    layouts.push(Some(Layout::Compressed));
    Ok(export_with(&network.graph, Isa::ArmDsp, &layouts)?.0)
}
