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
pub(crate) trait Exemplary {
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

pub(crate) fn value(shape: &[usize]) -> Operand {
    Operand::Value(shape.to_vec())
}

pub(crate) fn parameter(shape: &[usize]) -> Operand {
    Operand::Parameter(shape.to_vec())
}

pub(crate) fn buffer(shape: &[usize]) -> Operand {
    Operand::Buffer(shape.to_vec())
}

pub(crate) fn numbers(numbers: &[i32]) -> Operand {
    Operand::Numbers(numbers.to_vec())
}

/// The image that most examples read.
pub(crate) const IMAGE: [usize; 3] = [4, 5, 4];

pub(crate) const RELU: Activation = Activation::Relu;

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

/// Nodes of the examples over a graph.
pub(crate) const NODES: usize = 6;

/// A ring.
pub(crate) fn adjacency() -> Arc<Adjacency> {
    let edges = (0..NODES as u32).map(|node| (node, (node + 1) % NODES as u32));
    Arc::new(Adjacency::from_edges(NODES, edges.flat_map(|(a, b)| [(a, b), (b, a)])).expect("in range"))
}

/// Every node has one feature of three.
pub(crate) fn features() -> Arc<Features> {
    let (offsets, columns) = ((0..=NODES as u32).collect(), vec![0, 1, 2, 0, 1, 2]);
    Arc::new(Features::try_new(offsets, columns, 3, Worth::Ones).expect("in range"))
}
