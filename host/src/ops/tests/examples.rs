//! An instance of every operator, with operands that fit it.

use crate::graph::{Graph, TensorId};
use crate::ops::*;
use niwaki_core::format::DType;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::sync::Arc;

/// What an operand of an example is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// Computed, f32.
    Value(Vec<usize>),
    /// Trained.
    Parameter(Vec<usize>),
    /// Kept with the weights; positive, as variances are.
    Buffer(Vec<usize>),
    /// Constant numbers.
    Numbers(Vec<i32>),
}

/// An operator and operands for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Example {
    pub(crate) op: Op,
    pub(crate) operands: Vec<Operand>,
}

/// Required of each operator of the table, so that the tests of all of them know a new one.
trait Exemplary {
    fn example() -> Example;
}

macro_rules! examples {
    ($($name:ident),* $(,)?) => {
        /// One example of every operator, in the order of the table.
        pub(crate) fn examples() -> Vec<Example> {
            vec![$(<$name as Exemplary>::example()),*]
        }
    };
}

operators!(examples);

fn example(op: impl Into<Op>, operands: impl Into<Vec<Operand>>) -> Example {
    Example { op: op.into(), operands: operands.into() }
}

fn value(shape: &[usize]) -> Operand {
    Operand::Value(shape.to_vec())
}

fn parameter(shape: &[usize]) -> Operand {
    Operand::Parameter(shape.to_vec())
}

/// The image that most examples read.
const IMAGE: [usize; 3] = [4, 5, 4];

const RELU: Activation = Activation::Relu;

/// Seeded values in -1..1.
fn reals(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

impl Example {
    /// A network of this operator alone, with one input an operand that is a value; constants are in -1..1.
    pub(crate) fn network(&self, seed: u64) -> Graph {
        let mut graph = Graph::default();
        let operands: Vec<TensorId> = self
            .operands
            .iter()
            .enumerate()
            .map(|(i, operand)| {
                let (name, len) = (format!("operand{i}"), |shape: &[usize]| shape.iter().product());
                match operand {
                    Operand::Value(shape) => graph.input(&name, shape),
                    Operand::Parameter(shape) => graph.parameter(&name, shape, reals(seed + i as u64, len(shape))),
                    Operand::Buffer(shape) => {
                        let positive = reals(seed + i as u64, len(shape)).into_iter().map(|v| v.abs() + 0.5).collect();
                        graph.buffer(&name, shape, positive)
                    }
                    Operand::Numbers(numbers) => graph.constant(&name, &[numbers.len()], Data::I32(numbers.clone())),
                }
            })
            .collect();
        let y = graph.push("op", self.op.clone(), &operands).expect("the example fits");
        if self.op.is::<ArgMax>() {
            graph[y].element = DType::I32;
        }
        graph.outputs.push(y);
        graph
    }

    /// Values for the operands that are computed, in -1..1.
    pub(crate) fn values(&self, seed: u64) -> Vec<Option<Vec<f32>>> {
        let of = |(i, operand): (usize, &Operand)| match operand {
            Operand::Value(shape) => Some(reals(seed + 100 + i as u64, shape.iter().product())),
            Operand::Parameter(_) | Operand::Buffer(_) | Operand::Numbers(_) => None,
        };
        self.operands.iter().enumerate().map(of).collect()
    }
}

impl Exemplary for Conv2d {
    fn example() -> Example {
        let op = Self { sliding: Sliding::strided(2, Padding::Same), activation: RELU };
        example(op, [value(&IMAGE), parameter(&[8, 3, 2, 4]), parameter(&[8])])
    }
}

impl Exemplary for DepthwiseConv2d {
    fn example() -> Example {
        let op = Self { sliding: Sliding::unit(Padding::Same), activation: RELU };
        example(op, [value(&IMAGE), parameter(&[3, 3, 4]), parameter(&[4])])
    }
}

impl Exemplary for TransposeConv2d {
    fn example() -> Example {
        let op = Self { sliding: Sliding::strided(2, Padding::Same), size: [8, 10], activation: RELU };
        example(op, [value(&IMAGE), parameter(&[3, 3, 3, 4]), parameter(&[3])])
    }
}

impl Exemplary for Dense {
    fn example() -> Example {
        example(Self { activation: RELU }, [value(&IMAGE), parameter(&[6, 80]), parameter(&[6])])
    }
}

impl Exemplary for BatchNorm {
    fn example() -> Example {
        let buffer = Operand::Buffer(vec![4]);
        let operands = [value(&IMAGE), parameter(&[4]), parameter(&[4]), buffer.clone(), buffer];
        example(Self { epsilon: 1e-3, momentum: 0.1, activation: RELU }, operands)
    }
}

impl Exemplary for Clamp {
    fn example() -> Example {
        example(Self(Activation::ReluN1To1), [value(&IMAGE)])
    }
}

impl Exemplary for Logistic {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

impl Exemplary for Tanh {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

impl Exemplary for LeakyRelu {
    fn example() -> Example {
        example(Self { alpha: 0.125 }, [value(&IMAGE)])
    }
}

impl Exemplary for HardSwish {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

impl Exemplary for Add {
    fn example() -> Example {
        example(Self { activation: RELU }, [value(&IMAGE), parameter(&[4])])
    }
}

impl Exemplary for Sub {
    fn example() -> Example {
        example(Self { activation: Activation::None }, [value(&IMAGE), parameter(&[1])])
    }
}

impl Exemplary for Mul {
    fn example() -> Example {
        example(Self { activation: Activation::None }, [value(&IMAGE), parameter(&IMAGE)])
    }
}

impl Exemplary for Prelu {
    fn example() -> Example {
        example(Self, [value(&IMAGE), parameter(&[4])])
    }
}

impl Exemplary for MaxPool2d {
    fn example() -> Example {
        example(Self { kernel: [2, 3], sliding: Sliding::strided(2, Padding::Same) }, [value(&IMAGE)])
    }
}

impl Exemplary for AveragePool2d {
    fn example() -> Example {
        example(Self { kernel: [2, 2], sliding: Sliding::unit(Padding::Same) }, [value(&IMAGE)])
    }
}

impl Exemplary for Mean {
    fn example() -> Example {
        example(Self { axes: vec![0, 1], keep_axes: false }, [value(&IMAGE)])
    }
}

impl Exemplary for Sum {
    fn example() -> Example {
        example(Self { axes: vec![1], keep_axes: true }, [value(&IMAGE)])
    }
}

impl Exemplary for ArgMax {
    fn example() -> Example {
        example(Self { axis: 2 }, [value(&IMAGE)])
    }
}

impl Exemplary for Softmax {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

impl Exemplary for Reshape {
    fn example() -> Example {
        example(Self { shape: vec![5, 16] }, [value(&IMAGE)])
    }
}

impl Exemplary for Pad {
    fn example() -> Example {
        example(Self { pads: vec![[1, 0], [2, 1], [0, 0]], value: 0.0 }, [value(&IMAGE)])
    }
}

impl Exemplary for Concat {
    fn example() -> Example {
        example(Self { axis: 2 }, [value(&IMAGE), value(&[4, 5, 2])])
    }
}

impl Exemplary for Slice {
    fn example() -> Example {
        let op = Self { begin: vec![3, 0, 1], size: vec![2, 3, 2], stride: vec![-2, 2, 1] };
        example(op, [value(&IMAGE)])
    }
}

impl Exemplary for Transpose {
    fn example() -> Example {
        example(Self { order: vec![1, 0, 2] }, [value(&IMAGE)])
    }
}

impl Exemplary for ResizeNearest {
    fn example() -> Example {
        example(Self { size: [7, 3], grid: Grid::default() }, [value(&IMAGE)])
    }
}

impl Exemplary for ResizeBilinear {
    fn example() -> Example {
        example(Self { size: [7, 3], grid: Grid::default() }, [value(&IMAGE)])
    }
}

impl Exemplary for Quantize {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

impl Exemplary for Dequantize {
    fn example() -> Example {
        example(Self, [value(&IMAGE)])
    }
}

/// Nodes of the examples over a graph.
const NODES: usize = 6;

/// A ring.
fn adjacency() -> Arc<Adjacency> {
    let edges = (0..NODES as u32).map(|node| (node, (node + 1) % NODES as u32));
    Arc::new(Adjacency::from_edges(NODES, edges.flat_map(|(a, b)| [(a, b), (b, a)])).expect("in range"))
}

impl Exemplary for Propagate {
    fn example() -> Example {
        let op = Self { adjacency: adjacency(), rule: Propagation::Mean, activation: RELU };
        example(op, [value(&[NODES, 1, 4])])
    }
}

impl Exemplary for KeepEdges {
    fn example() -> Example {
        example(Self { ranks: Arc::new((0..12).collect()) }, [Operand::Numbers(vec![5])])
    }
}

impl Exemplary for SparseDense {
    fn example() -> Example {
        let (offsets, columns) = ((0..=NODES as u32).collect(), vec![0, 1, 2, 0, 1, 2]);
        let features = Features::try_new(offsets, columns, 3, Worth::Ones).expect("in range");
        let op = Self { features: Arc::new(features), activation: RELU };
        example(op, [parameter(&[3, 4]), parameter(&[4])])
    }
}

impl Exemplary for Gather {
    fn example() -> Example {
        example(Self, [value(&[NODES, 1, 4]), Operand::Numbers(vec![5, 0])])
    }
}

impl Exemplary for Dropout {
    fn example() -> Example {
        example(Self { rate: 0.5 }, [value(&IMAGE)])
    }
}
