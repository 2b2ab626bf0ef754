//! Networks over graphs: GCN, GAT, GIN and SAGE (specs/sparse_and_graph.md §1.7).
//!
//! A layer transforms first where that leaves fewer channels to propagate, and else propagates first. The first layer
//! always transforms: its features are sparse, and stay so.

use super::ZooError;
use super::layers::Init;
use crate::graph::{Activation, Adjacency, Features, Graph, Padding, Propagation, Sliding, TensorId};
use crate::ops;
use std::sync::Arc;

/// What a network over a graph is built from.
#[derive(Debug, Clone)]
pub struct NodeInput {
    /// Who gathers from whom.
    pub adjacency: Arc<Adjacency>,
    /// What is known of each node.
    pub features: Arc<Features>,
    /// Number of classes.
    pub classes: usize,
}

/// The sizes that a recipe may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSizes {
    /// Channels of every hidden layer.
    pub hidden: usize,
    /// Layers, 2 or more.
    pub layers: usize,
}

/// A network that is being built.
pub(super) struct Net<'a> {
    pub(super) graph: Graph,
    init: Init,
    input: &'a NodeInput,
}

/// How initial weights are spread.
#[derive(Clone, Copy)]
enum Spread {
    /// `|w| < sqrt(6 / (inputs + outputs))`.
    Glorot,
    /// `|w| < 1 / sqrt(inputs)`, PyTorch's linear layers.
    Linear,
}

impl Spread {
    fn bound(self, inputs: usize, outputs: usize) -> f32 {
        match self {
            Self::Glorot => (6.0 / (inputs + outputs) as f32).sqrt(),
            Self::Linear => 1.0 / (inputs as f32).sqrt(),
        }
    }
}

impl<'a> Net<'a> {
    pub(super) fn new(input: &'a NodeInput, seed: u64) -> Self {
        Self { graph: Graph::default(), init: Init::new(seed), input }
    }

    fn channels(&self, x: TensorId) -> usize {
        self.graph[x].shape[2]
    }

    /// Sparse features times weights; a bias of zeros where asked for.
    fn features(&mut self, name: &str, outputs: usize, spread: Spread, bias: bool) -> Result<TensorId, ZooError> {
        let features = self.input.features.clone();
        let inputs = features.width();
        let values = self.init.uniform(inputs * outputs, spread.bound(inputs, outputs));
        let mut operands = vec![self.graph.parameter(&format!("{name}.weight"), &[inputs, outputs], values)];
        if bias {
            operands.push(self.graph.parameter(&format!("{name}.bias"), &[outputs], vec![0.0; outputs]));
        }
        Ok(self.graph.push(name, ops::SparseDense { features, activation: Activation::None }, &operands)?)
    }

    /// The dense layer of every node.
    fn dense(
        &mut self,
        name: &str,
        x: TensorId,
        outputs: usize,
        spread: Spread,
        bias: bool,
    ) -> Result<TensorId, ZooError> {
        let inputs = self.channels(x);
        let values = self.init.uniform(inputs * outputs, spread.bound(inputs, outputs));
        let mut operands = vec![x, self.graph.parameter(&format!("{name}.weight"), &[outputs, 1, 1, inputs], values)];
        if bias {
            operands.push(self.graph.parameter(&format!("{name}.bias"), &[outputs], vec![0.0; outputs]));
        }
        let op = ops::Conv2d { sliding: Sliding::unit(Padding::Valid), activation: Activation::None };
        Ok(self.graph.push(name, op, &operands)?)
    }

    /// The first layer's product, or a later one's.
    fn transform(
        &mut self,
        name: &str,
        x: Option<TensorId>,
        outputs: usize,
        spread: Spread,
        bias: bool,
    ) -> Result<TensorId, ZooError> {
        match x {
            None => self.features(name, outputs, spread, bias),
            Some(x) => self.dense(name, x, outputs, spread, bias),
        }
    }

    fn propagate(
        &mut self,
        name: &str,
        rule: Propagation,
        activation: Activation,
        operands: &[TensorId],
    ) -> Result<TensorId, ZooError> {
        let adjacency = self.input.adjacency.clone();
        Ok(self.graph.push(name, ops::Propagate { adjacency, rule, activation }, operands)?)
    }

    fn dropout(&mut self, name: &str, x: TensorId, rate: f32) -> Result<TensorId, ZooError> {
        Ok(self.graph.push(name, ops::Dropout { rate }, &[x])?)
    }
}

/// Outputs and clamp of layer `at`.
fn layer(net: &Net<'_>, sizes: NodeSizes, at: usize) -> (usize, Activation) {
    if at + 1 < sizes.layers { (sizes.hidden, Activation::Relu) } else { (net.input.classes, Activation::None) }
}

pub(super) fn gcn(net: &mut Net<'_>, sizes: NodeSizes) -> Result<TensorId, ZooError> {
    let mut x = None;
    for at in 0..sizes.layers.max(2) {
        let (outputs, activation) = layer(net, sizes, at);
        let (lin, conv) = (format!("conv{}.lin", at + 1), format!("conv{}", at + 1));
        let y = match x {
            // Wider than it was: fewer channels are propagated before the product.
            Some(x) if outputs > net.channels(x) => {
                let y = net.propagate(&conv, Propagation::Gcn, Activation::None, &[x])?;
                let y = net.dense(&lin, y, outputs, Spread::Glorot, false)?;
                net.graph.push(&format!("relu{}", at + 1), ops::Clamp(activation), &[y])?
            }
            _ => {
                let y = net.transform(&lin, x, outputs, Spread::Glorot, false)?;
                net.propagate(&conv, Propagation::Gcn, activation, &[y])?
            }
        };
        x = Some(if at + 1 < sizes.layers { net.dropout(&format!("dropout{}", at + 1), y, 0.5)? } else { y });
    }
    x.ok_or(ZooError::NoLayers)
}

pub(super) fn gat(net: &mut Net<'_>, sizes: NodeSizes) -> Result<TensorId, ZooError> {
    let mut x = None;
    for at in 0..sizes.layers.max(2) {
        let (outputs, activation) = layer(net, sizes, at);
        let conv = format!("conv{}", at + 1);
        let heads = if at + 1 < sizes.layers { 8 } else { 1 };
        let y = net.transform(&format!("{conv}.lin"), x, outputs, Spread::Glorot, false)?;
        // Glorot over [heads, channels of a head].
        let bound = (6.0 / (heads + outputs / heads.min(outputs)) as f32).sqrt();
        let mut vector = |which: &str| {
            let values = net.init.uniform(outputs, bound);
            net.graph.parameter(&format!("{conv}.{which}"), &[outputs], values)
        };
        let (source, target) = (vector("att_src"), vector("att_dst"));
        let rule = Propagation::Attention { heads, slope: 0.2 };
        let y = net.propagate(&conv, rule, activation, &[y, source, target])?;
        x = Some(if at + 1 < sizes.layers { net.dropout(&format!("dropout{}", at + 1), y, 0.6)? } else { y });
    }
    x.ok_or(ZooError::NoLayers)
}

/// ReLU after every layer, the last one too; the answer is the mean of that and a dense layer on the first.
pub(super) fn gin(net: &mut Net<'_>, sizes: NodeSizes) -> Result<TensorId, ZooError> {
    let (mut x, mut first) = (None, None);
    for at in 0..sizes.layers.max(2) {
        let (outputs, _) = layer(net, sizes, at);
        let conv = format!("conv{}", at + 1);
        let y = net.transform(&format!("{conv}.lin"), x, outputs, Spread::Linear, false)?;
        let eps = net.graph.parameter(&format!("{conv}.eps"), &[1], vec![0.0]);
        let y = net.propagate(&conv, Propagation::Sum, Activation::Relu, &[y, eps])?;
        first = first.or(Some(y));
        x = Some(y);
    }
    let (Some(first), Some(last)) = (first, x) else { return Err(ZooError::NoLayers) };
    let mlp = net.dense("mlp", first, net.input.classes, Spread::Linear, false)?;
    let sum = net.graph.push("sum", ops::Add { activation: Activation::None }, &[mlp, last])?;
    let half = net.graph.buffer("half", &[1], vec![0.5]);
    Ok(net.graph.push("mean", ops::Mul { activation: Activation::None }, &[sum, half])?)
}

/// `W x_i + V mean_j x_j + b`
pub(super) fn sage(net: &mut Net<'_>, sizes: NodeSizes) -> Result<TensorId, ZooError> {
    let mut x = None;
    for at in 0..sizes.layers.max(2) {
        let (outputs, activation) = layer(net, sizes, at);
        let conv = format!("conv{}", at + 1);
        let own = net.transform(&format!("{conv}.lin_r"), x, outputs, Spread::Linear, true)?;
        let others = net.transform(&format!("{conv}.lin_l"), x, outputs, Spread::Linear, false)?;
        let others = net.propagate(&conv, Propagation::Mean, Activation::None, &[others])?;
        let y = net.graph.push(&format!("{conv}.sum"), ops::Add { activation }, &[own, others])?;
        x = Some(if at + 1 < sizes.layers { net.dropout(&format!("dropout{}", at + 1), y, 0.5)? } else { y });
    }
    x.ok_or(ZooError::NoLayers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{ENTRIES, by_name};

    fn input() -> NodeInput {
        let edges = (0..9).flat_map(|node| [(node, node + 1), (node + 1, node)]);
        let adjacency = Arc::new(Adjacency::from_edges(10, edges).expect("a path"));
        let features = Features::normalised((0..=10).collect(), (0..10).map(|node| node % 6).collect(), 6);
        NodeInput { adjacency, features: Arc::new(features.expect("one each")), classes: 3 }
    }

    #[test]
    fn every_network_is_valid_at_every_depth_and_depends_on_the_seed_alone() {
        for entry in ENTRIES.iter().filter(|entry| entry.is_over_nodes()) {
            for layers in [2, 3, 5] {
                let build = |seed| entry.build_over(&input(), NodeSizes { hidden: 16, layers }, seed).expect("fits");
                let graph = build(1);
                assert_eq!(graph[graph.outputs[0]].shape, [10, 1, 3], "{} of {layers} layers", entry.name);
                assert_eq!(graph, build(1));
                assert_ne!(graph, build(2));
            }
        }
    }

    #[test]
    fn the_numbers_of_parameters_are_those_of_the_specification() {
        let parameters = |name: &str| {
            let sizes = NodeSizes { hidden: 16, layers: 2 };
            by_name(name).expect("in the zoo").build_over(&input(), sizes, 1).expect("fits").parameter_count()
        };
        assert_eq!(parameters("gcn"), 6 * 16 + 16 * 3);
        assert_eq!(parameters("gin"), 6 * 16 + 16 * 3 + 16 * 3 + 2);
        assert_eq!(parameters("gat"), 6 * 16 + 2 * 16 + 16 * 3 + 2 * 3);
        assert_eq!(parameters("sage"), 2 * (6 * 16 + 16 * 3) + 16 + 3);
    }
}
