//! The layers that are measured: of sizes that networks on microcontrollers have.

use niwaki::export::Layout;
use niwaki::graph::{Activation, Data, Graph, GraphError, Op, Padding, Quant, Sliding, TensorId};
use niwaki::ops;
use niwaki::tune::cost::Work;
use niwaki_tests::sparse::{Layer, Network, Pattern};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// After a ReLU quantised values begin at -128, so that the clamp of the type is the ReLU.
const NO_CLAMP: Activation = Activation::None;

/// Layers of one kind.
const LAYERS: usize = 64;

/// A layer that ran.
pub(super) struct Measured {
    pub(super) work: Work,
    pub(super) instructions: f64,
}

/// Adds a layer to a network.
type Add = fn(&mut Sizes) -> Result<(), GraphError>;

/// An operator code, by the layers that become one.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) layout: Option<Layout>,
    layers: Add,
}

/// A network of independent layers while it grows.
pub(super) struct Sizes {
    network: Network,
    rng: ChaCha8Rng,
    /// The part of the weights that is kept and the structure of those that are not.
    pattern: Option<(Layout, usize)>,
}

impl Kind {
    /// The layers, and an input for each.
    pub(super) fn network(&self) -> Result<(Graph, Vec<u8>), GraphError> {
        let mut sizes = Sizes { network: Network::new(3), rng: ChaCha8Rng::seed_from_u64(5), pattern: None };
        while sizes.network.graph.nodes.len() < LAYERS {
            let layer = sizes.network.graph.nodes.len();
            sizes.pattern = self.layout.map(|layout| (layout, layer));
            (self.layers)(&mut sizes)?;
        }
        let inputs = sizes.network.inputs(1).concat();
        Ok((sizes.network.graph, inputs))
    }
}

/// Every kind; the first one costs nothing.
pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, layout, layers| Kind { name, layout, layers };
    let mut kinds = vec![kind("reshape", None, reshape as Add)];
    for layout in std::iter::once(None).chain(Layout::PACKED.map(Some)) {
        if layout != Some(Layout::Compressed) {
            kinds.push(kind("conv2d", layout, conv2d));
        }
        kinds.push(kind("dense", layout, dense));
        if matches!(layout, None | Some(Layout::Tiled)) {
            kinds.push(kind("depthwise_conv2d", layout, depthwise_conv2d));
        }
    }
    let others: [(&'static str, Add); 8] = [
        ("max_pool2d", max_pool2d),
        ("average_pool2d", average_pool2d),
        ("add", add),
        ("mul", mul),
        ("softmax", softmax),
        ("lookup", lookup),
        ("mean", mean),
        ("concat", concat),
    ];
    kinds.extend(others.map(|(name, layers)| kind(name, None, layers)));
    kinds
}

impl Sizes {
    fn below(&mut self, n: usize) -> usize {
        self.rng.next_u32() as usize % n
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn image(&mut self) -> [usize; 3] {
        let rows = self.one_of(&[4, 5, 7, 8, 14, 16, 25, 28]);
        let columns = if self.below(3) == 0 { self.one_of(&[4, 5, 10, 16]) } else { rows };
        [rows, columns, self.one_of(&[4, 8, 12, 16, 20, 32, 48])]
    }

    /// The structure of the zeros, and the share that is kept, which falls with the number of the layer.
    fn zeros(&self) -> (Pattern, f64) {
        let Some((layout, layer)) = self.pattern else { return (Pattern::All, 1.0) };
        let keep = [0.75, 0.5, 0.25, 0.1][layer % 4];
        match layout {
            Layout::Blocks => (Pattern::Blocks { rows: 4, columns: 4 }, keep),
            Layout::Taps => (Pattern::Blocks { rows: 4, columns: 1 }, keep),
            Layout::Kept => (Pattern::Positions, keep),
            Layout::Rows => (Pattern::Rows, keep),
            Layout::Compressed => (Pattern::Anywhere, keep),
            Layout::Int4 => (Pattern::Int4, 1.0),
            Layout::Codebook => (Pattern::Codebook, 1.0),
            _ => (Pattern::All, 1.0),
        }
    }

    /// An activation of int8 codes.
    fn codes(&mut self, shape: &[usize]) -> TensorId {
        let name = format!("input{}", self.network.graph.tensors.len());
        let x = self.network.graph.input(&name, shape);
        self.network.graph.quantise(x, quant(1.0 / 64.0, 3));
        x
    }

    /// A layer whose result has these scales.
    fn push(&mut self, op: impl Into<Op>, inputs: &[TensorId], result: Quant) -> Result<(), GraphError> {
        let name = format!("layer{}", self.network.graph.nodes.len());
        let y = self.network.graph.push(&name, op, inputs)?;
        self.network.graph.quantise(y, result);
        self.network.graph.outputs.push(y);
        Ok(())
    }
}

fn quant(scale: f32, zero_point: i32) -> Quant {
    Quant { scales: vec![scale], zero_point, axis: None }
}

fn reshape(sizes: &mut Sizes) -> Result<(), GraphError> {
    let shape = sizes.image();
    let x = sizes.codes(&shape);
    sizes.push(ops::Reshape { shape: vec![shape.iter().product()] }, &[x], quant(1.0 / 64.0, 3))
}

fn sliding(sizes: &mut Sizes) -> Sliding {
    let stride = sizes.one_of(&[1, 1, 2]);
    Sliding { stride: [stride, stride], ..Sliding::unit(Padding::Same) }
}

fn conv2d(sizes: &mut Sizes) -> Result<(), GraphError> {
    let kernel = sizes.one_of(&[1, 1, 3, 3, 5]);
    let (mut input, filters) = (sizes.image(), sizes.one_of(&[8, 12, 16, 32, 48]));
    if kernel == 5 {
        input[2] = input[2].min(16);
    }
    let (sliding, (pattern, keep)) = (sliding(sizes), sizes.zeros());
    sizes.network.push(Layer::Conv2d { input, kernel: [kernel, kernel], filters }, sliding, NO_CLAMP, pattern, keep)
}

fn dense(sizes: &mut Sizes) -> Result<(), GraphError> {
    let (inputs, outputs) = (sizes.one_of(&[32, 64, 128, 256, 512]), sizes.one_of(&[10, 16, 32, 64, 128, 256]));
    let (pattern, keep) = sizes.zeros();
    sizes.network.push(Layer::Dense { inputs, outputs }, Sliding::unit(Padding::Same), NO_CLAMP, pattern, keep)
}

fn depthwise_conv2d(sizes: &mut Sizes) -> Result<(), GraphError> {
    let (input, kernel) = (sizes.image(), sizes.one_of(&[3, 3, 3, 5]));
    let sliding = sliding(sizes);
    let (channels, taps) = (input[2], kernel * kernel);
    let x = sizes.codes(&input);
    let weights = (0..taps * channels).map(|_| (sizes.below(255) as i32 - 127) as i8).collect();
    let bias = (0..channels).map(|_| sizes.below(2001) as i32 - 1000).collect();
    let graph = &mut sizes.network.graph;
    let w = graph.constant("weight", &[kernel, kernel, channels], Data::I8(weights));
    let scale = 1.0 / (64.0 * (taps as f32).sqrt());
    graph[w].quant = Some(Quant { scales: vec![scale; channels], zero_point: 0, axis: Some(2) });
    let b = graph.constant("bias", &[channels], Data::I32(bias));
    sizes.push(ops::DepthwiseConv2d { sliding, activation: NO_CLAMP }, &[x, w, b], quant(1.0 / 40.0, -5))
}

/// A pooling of 2 × 2 or 3 × 3, or of the whole image.
fn pool2d<O: Into<Op>>(sizes: &mut Sizes, op: fn([usize; 2], Sliding) -> O) -> Result<(), GraphError> {
    let input = sizes.image();
    let kernel = sizes.one_of(&[2, 2, 3, input[0].min(input[1])]);
    let sliding = Sliding { stride: [kernel.min(2), kernel.min(2)], ..Sliding::unit(Padding::Valid) };
    let x = sizes.codes(&input);
    sizes.push(op([kernel, kernel], sliding), &[x], quant(1.0 / 64.0, 3))
}

fn max_pool2d(sizes: &mut Sizes) -> Result<(), GraphError> {
    pool2d(sizes, |kernel, sliding| Op::from(ops::MaxPool2d { kernel, sliding }))
}

fn average_pool2d(sizes: &mut Sizes) -> Result<(), GraphError> {
    pool2d(sizes, |kernel, sliding| Op::from(ops::AveragePool2d { kernel, sliding }))
}

fn binary<O: Into<Op>>(sizes: &mut Sizes, op: fn(Activation) -> O) -> Result<(), GraphError> {
    let shape = sizes.image();
    let (a, b) = (sizes.codes(&shape), sizes.codes(&shape));
    sizes.push(op(NO_CLAMP), &[a, b], quant(1.0 / 40.0, -5))
}

fn add(sizes: &mut Sizes) -> Result<(), GraphError> {
    binary(sizes, |activation| ops::Add { activation })
}

fn mul(sizes: &mut Sizes) -> Result<(), GraphError> {
    binary(sizes, |activation| ops::Mul { activation })
}

fn softmax(sizes: &mut Sizes) -> Result<(), GraphError> {
    let shape = [sizes.one_of(&[2, 3, 10, 12, 40, 100])];
    let x = sizes.codes(&shape);
    sizes.push(ops::Softmax, &[x], quant(1.0 / 256.0, -128))
}

fn lookup(sizes: &mut Sizes) -> Result<(), GraphError> {
    let shape = sizes.image();
    let x = sizes.codes(&shape);
    sizes.push(ops::Tanh, &[x], quant(1.0 / 128.0, 0))
}

fn mean(sizes: &mut Sizes) -> Result<(), GraphError> {
    let shape = sizes.image();
    let x = sizes.codes(&shape);
    sizes.push(ops::Mean { axes: vec![0, 1], keep_axes: false }, &[x], quant(1.0 / 40.0, -5))
}

fn concat(sizes: &mut Sizes) -> Result<(), GraphError> {
    let shape = sizes.image();
    let (a, b) = (sizes.codes(&shape), sizes.codes(&shape));
    sizes.push(ops::Concat { axis: 2 }, &[a, b], quant(1.0 / 64.0, 3))
}
