//! Small int8 networks over graphs, in every way that their rows can be stored or computed on demand.

use niwaki::export::{ExportError, Room, export_within, query};
use niwaki::graph::{Activation, Adjacency, Features, Graph, Op, Padding, Propagation, Sliding, Worth};
use niwaki::hardware::Isa;
use niwaki::ops;
use niwaki::quantize::{Calibration, post_training};
use niwaki::sparsify::teddy::{DropUnit, EdgeOrder, EdgeRanks, choose_edges};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{error::Error, sync::Arc};

/// Kinds of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Binary features with one value for each row; `gcn, relu, layer, gcn`.
    Gcn,
    /// A value for each feature, and biases; `sum, relu, layer, sum`.
    Gin,
    /// Binary features; `mean, relu, layer, mean`, and each node's own layer beside it.
    Sage,
    /// Binary features; `attention, relu, layer, attention`, with as many heads as divide the channels, at most four.
    Gat,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Gcn, Self::Gin, Self::Sage, Self::Gat];
}

/// Edges between `nodes` nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// In both directions, and some self loops.
    Random,
    /// None.
    None,
    /// Every node with itself.
    Loops,
    /// A star, each ray in one direction: towards its middle.
    OneWay,
}

impl Edges {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Random, Self::None, Self::Loops, Self::OneWay];

    fn of(self, rng: &mut ChaCha8Rng, nodes: usize) -> Result<Adjacency, Box<dyn Error>> {
        let count = nodes as u32;
        let edges: Vec<(u32, u32)> = match self {
            Self::Random => {
                let pairs: Vec<_> = (0..2 * nodes).map(|_| (rng.next_u32() % count, rng.next_u32() % count)).collect();
                pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect()
            }
            Self::None => Vec::new(),
            Self::Loops => (0..count).map(|node| (node, node)).collect(),
            Self::OneWay => (1..count).map(|node| (0, node)).collect(),
        };
        Ok(Adjacency::from_edges(nodes, edges)?)
    }
}

/// Sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Nodes; the last one has no features.
    pub nodes: usize,
    /// Features.
    pub features: usize,
    /// Channels of the hidden layer.
    pub hidden: usize,
    /// Channels of the output.
    pub classes: usize,
}

/// A quantised network with random weights and features.
///
/// # Errors
/// A bug in the shape rules or in the quantisation.
pub fn network(kind: Kind, edges: Edges, sizes: Sizes, seed: u64) -> Result<Graph, Box<dyn Error>> {
    Ok(pair(kind, edges, sizes, seed)?.1)
}

/// The network of [`network`] in f32 and in int8.
///
/// # Errors
/// As [`network`].
pub fn pair(kind: Kind, edges: Edges, sizes: Sizes, seed: u64) -> Result<(Graph, Graph), Box<dyn Error>> {
    let g = float(kind, edges, sizes, seed)?.0;
    let int8 = post_training(&g, &[&[]], Calibration::MinMax)?;
    Ok((g, int8))
}

/// As [`pair`], with an input that says how many edges go; ranges are those of all edges, of half and of a fifth of them.
/// The last number is how many can go.
///
/// # Errors
/// As [`network`], and where there is no edge that could go.
pub fn choosing(kind: Kind, edges: Edges, sizes: Sizes, seed: u64) -> Result<(Graph, Graph, usize), Box<dyn Error>> {
    let (g, adjacency) = float(kind, edges, sizes, seed)?;
    let unit = if adjacency.is_symmetric() { DropUnit::Pair } else { DropUnit::Direction };
    let ranks = EdgeRanks::new(&adjacency, EdgeOrder::Degree, unit, false)?;
    let g = choose_edges(&g, &adjacency, &ranks)?;
    let all = ranks.count();
    let samples = [0.0, 0.5, 0.8].map(|share| [share * all as f32]);
    let int8 = post_training(&g, &samples.each_ref().map(|sample| &sample[..]), Calibration::MinMax)?;
    Ok((g, int8, all))
}

fn float(kind: Kind, edges: Edges, sizes: Sizes, seed: u64) -> Result<(Graph, Arc<Adjacency>), Box<dyn Error>> {
    let Sizes { nodes, features: width, hidden, classes } = sizes;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let adjacency = Arc::new(edges.of(&mut rng, nodes)?);
    let features = Arc::new(features(&mut rng, kind, nodes, width)?);
    let rule = match kind {
        Kind::Gcn => Propagation::Gcn,
        Kind::Gin => Propagation::Sum,
        Kind::Sage => Propagation::Mean,
        Kind::Gat => Propagation::Attention { heads: 1, slope: 0.2 },
    };
    let of = |channels: usize| match rule {
        Propagation::Attention { slope, .. } => {
            let heads = (1..=4).rev().find(|heads| channels.is_multiple_of(*heads)).unwrap_or(1);
            Propagation::Attention { heads, slope }
        }
        rule => rule,
    };
    let biased = kind == Kind::Gin;
    let mut g = Graph::default();
    let eps = g.parameter("eps", &[1], vec![0.25]);
    let vectors = [("hidden", hidden), ("classes", classes)].map(|(name, channels)| {
        ["source", "target"].map(|vector| {
            let values = super::random(&mut rng, channels);
            g.parameter(&format!("{name}.{vector}"), &[channels], values)
        })
    });
    let propagated = |x, layer: usize| match kind {
        Kind::Gin => vec![x, eps],
        Kind::Gat => [vec![x], vectors[layer].to_vec()].concat(),
        Kind::Gcn | Kind::Sage => vec![x],
    };
    let mut parameter = |g: &mut Graph, name: &str, shape: &[usize]| {
        let mut values = super::random(&mut rng, shape.iter().product());
        // As TEDDY prunes them.
        if matches!(kind, Kind::Gcn | Kind::Gin) {
            values.iter_mut().filter(|_| rng.next_u32() % 5 > 0).for_each(|value| *value = 0.0);
        }
        g.parameter(name, shape, values)
    };
    let mut operands = vec![parameter(&mut g, "first.weight", &[width, hidden])];
    if biased {
        operands.push(parameter(&mut g, "first.bias", &[hidden]));
    }
    let x = g.push("first", ops::SparseDense { features, activation: Activation::None }, &operands)?;
    let propagate = |activation, channels| {
        Op::from(ops::Propagate { adjacency: adjacency.clone(), rule: of(channels), activation })
    };
    let h = g.push("hidden", propagate(Activation::Relu, hidden), &propagated(x, 0))?;
    let layer = || Op::from(ops::Conv2d { sliding: Sliding::unit(Padding::Valid), activation: Activation::None });
    let mut operands = vec![h, parameter(&mut g, "second.weight", &[classes, 1, 1, hidden])];
    if biased {
        operands.push(parameter(&mut g, "second.bias", &[classes]));
    }
    let x = g.push("second", layer(), &operands)?;
    let mut y = g.push("classes", propagate(Activation::None, classes), &propagated(x, 1))?;
    if kind == Kind::Sage {
        let w = parameter(&mut g, "own.weight", &[classes, 1, 1, hidden]);
        let own = g.push("own", layer(), &[h, w])?;
        y = g.push("sum", ops::Add { activation: Activation::None }, &[y, own])?;
    }
    g.outputs.push(y);
    g.compact();
    Ok((g, adjacency))
}

fn features(rng: &mut ChaCha8Rng, kind: Kind, nodes: usize, width: usize) -> Result<Features, Box<dyn Error>> {
    let (mut offsets, mut columns) = (vec![0], Vec::new());
    for node in 0..nodes {
        columns.extend((0..width as u32).filter(|_| node + 1 < nodes && rng.next_u32().is_multiple_of(3)));
        offsets.push(columns.len() as u32);
    }
    let features = match kind {
        Kind::Gcn => Features::normalised(offsets, columns, width),
        Kind::Gin => {
            let values = super::random(rng, columns.len());
            Features::try_new(offsets, columns, width, Worth::Each(values))
        }
        Kind::Sage | Kind::Gat => Features::try_new(offsets, columns, width, Worth::Ones),
    };
    Ok(features?)
}

/// The files of `network` from the largest arena to the smallest; for each arena with all weights, and without zeros where
/// that is smaller.
///
/// # Errors
/// A bug in the exporter.
pub fn plans(network: &Graph) -> Result<Vec<Vec<u8>>, ExportError> {
    let (mut files, mut ram_bytes) = (Vec::new(), usize::MAX);
    loop {
        let of = |file_bytes| export_within(network, Isa::Portable, Room { ram_bytes, file_bytes });
        match of(usize::MAX) {
            Ok((file, arena)) => {
                files.push(file.to_vec());
                let small = of(0)?.0.to_vec();
                files.extend((small.len() < file.len()).then_some(small));
                ram_bytes = arena.bytes - 1;
            }
            Err(ExportError::Ram { .. }) => return Ok(files),
            Err(error) => return Err(error),
        }
    }
}

/// The files of every kind of network, for all nodes and for two at a time.
///
/// # Errors
/// As [`network`] and [`plans`].
pub fn every_plan() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let sizes = Sizes { nodes: 9, features: 7, hidden: 5, classes: 3 };
    let mut files = Vec::new();
    for kind in Kind::ALL {
        let network = network(kind, Edges::Random, sizes, 1)?;
        files.extend(plans(&network)?);
        files.extend(plans(&query(&network, 2)?)?);
        let (_, choosing, _) = choosing(kind, Edges::Random, sizes, 2)?;
        files.extend(plans(&choosing)?);
        files.extend(plans(&query(&choosing, 2)?)?);
    }
    Ok(files)
}
